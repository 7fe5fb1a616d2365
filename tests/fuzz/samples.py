"""What strangers give to estimators: samples of every kind, values of every size, any container."""

import datetime
import tempfile
import warnings
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import torch
from hypothesis import strategies as st
from scipy import sparse

#: How many samples. A few are enough to train on, and one or none are special.
SIZES = st.sampled_from([25, 25, 25, 40, 8, 3, 2, 1, 0])
SEEDS = st.integers(0, 2**16)

# Values.


def _with_one(value):
    def fill(rng, shape):
        X = rng.normal(size=shape)
        if X.size:
            X.flat[rng.integers(X.size)] = value
        return X

    return fill


def _scales(rng, shape):
    return rng.normal(size=shape) * 10.0 ** rng.integers(-30, 30, size=shape[-1:])


ORDINARY = {
    "normal": lambda rng, shape: rng.normal(size=shape),
    "whole numbers": lambda rng, shape: rng.integers(0, 9, size=shape).astype(float),
}
SPECIAL = {
    "zeros": lambda rng, shape: np.zeros(shape),
    "a constant": lambda rng, shape: np.full(shape, rng.choice([0.1, -7.0, 1e-30, 1e20])),
    "nearly constant": lambda rng, shape: 1e4 * (1 + 1e-16 * rng.normal(size=shape)),
    "two values": lambda rng, shape: (rng.random(shape) < 0.5).astype(float),
    "large": lambda rng, shape: 1e9 + rng.normal(size=shape),
    "1e30": lambda rng, shape: 1e30 * rng.normal(size=shape),
    "1e38": lambda rng, shape: 1e38 * rng.normal(size=shape),
    "1e300": lambda rng, shape: 1e300 * rng.normal(size=shape),
    "1e-30": lambda rng, shape: 1e-30 * rng.normal(size=shape),
    "denormal": lambda rng, shape: 1e-310 * rng.normal(size=shape),
    "columns of many scales": _scales,
    "one NaN": _with_one(np.nan),
    "one infinity": _with_one(-np.inf),
    "one 1e20": _with_one(1e20),
    "one 3e38": _with_one(3e38),
    "one 1e308": _with_one(1e308),
    "all NaN": lambda rng, shape: np.full(shape, np.nan),
}
VALUES = ORDINARY | SPECIAL
#: Ordinary values half of the time, so that most fits get past the checks of their input.
KINDS = st.sampled_from(list(ORDINARY)) | st.sampled_from(list(SPECIAL))


@st.composite
def arrays(draw, shape, kinds=KINDS):
    """An array of float64."""
    rng = np.random.default_rng(draw(SEEDS))
    return VALUES[draw(kinds)](rng, shape)


# Containers of rows.


def _cast(dtype):
    return lambda X: np.nan_to_num(X).clip(-100, 100).astype(dtype)


def _float(dtype):
    return lambda X: X.astype(dtype)


def _read_only(X):
    X = X.copy()
    X.setflags(write=False)
    return X


def _memory_map(X):
    if not X.size:
        return X
    with tempfile.TemporaryFile() as file:
        mapped = np.memmap(file, dtype=X.dtype, mode="w+", shape=X.shape)
        mapped[:] = X
        return mapped


def _with_duplicates(X):
    """A matrix in which some cells are stored as two parts."""
    rows, columns = np.nonzero(X)
    parts = np.concatenate([X[rows, columns] / 2] * 2)
    places = np.concatenate([rows, rows]), np.concatenate([columns, columns])
    return sparse.coo_matrix((parts, places), shape=X.shape)


def _named(X, names=None):
    columns = [f"c{i}" for i in range(X.shape[1])] if names is None else names(X.shape[1])
    return pd.DataFrame(X, columns=columns)


def _two_levels(n):
    return pd.MultiIndex.from_tuples([("a", i) for i in range(n)])


FRAMES = {
    "pandas": _named,
    "pandas float32": lambda X: _named(X).astype(np.float32),
    "pandas nullable": lambda X: _named(X).convert_dtypes(),
    "pandas of pyarrow": lambda X: _named(X).convert_dtypes(dtype_backend="pyarrow"),
    "pandas objects": lambda X: _named(X).astype(object),
    "pandas with an index": lambda X: _named(X).set_axis([f"r{i}" for i in range(len(X))]),
    "two levels of names": lambda X: _named(X, _two_levels),
    "whole numbers as names": lambda X: _named(X, range),
    "names of two types": lambda X: _named(X, lambda n: ["a", *range(1, n)][:n]),
    "one name for all": lambda X: _named(X, lambda n: ["a"] * n),
    "names of dates": lambda X: _named(X, lambda n: pd.date_range("2026-01-01", periods=n)),
    "sparse pandas": lambda X: _named(X).astype(pd.SparseDtype(float, 0.0)),
    "polars": lambda X: pl.from_pandas(_named(X)),
    "pyarrow": lambda X: pa.Table.from_pandas(_named(X), preserve_index=False),
}
ARRAYS = {
    "float64": lambda X: X,
    "float32": _float(np.float32),
    "float16": _float(np.float16),
    "long double": _float(np.longdouble),
    "int64": _cast(np.int64),
    "int8": _cast(np.int8),
    "uint64": lambda X: np.abs(_cast(np.int64)(X)).astype(np.uint64),
    "bool": lambda X: X > 0,
    "big endian": lambda X: X.astype(">f8"),
    "column by column": np.asfortranarray,
    "every other": lambda X: np.repeat(X, 2, axis=0)[::2],
    "backwards": lambda X: X[::-1],
    "read-only": _read_only,
    "memory map": _memory_map,
    "masked": lambda X: np.ma.masked_invalid(X),
    "objects": lambda X: X.astype(object),
    "list": lambda X: X.tolist(),
    "tuple of lists": lambda X: tuple(X.tolist()),
    "tensor": torch.tensor,
    "tensor that learns": lambda X: torch.tensor(X, requires_grad=True),
    "bfloat16": lambda X: torch.tensor(X).bfloat16(),
    "half": lambda X: torch.tensor(X).half(),
    "tensor of whole numbers": lambda X: torch.tensor(_cast(np.int64)(X)),
    "transposed tensor": lambda X: torch.tensor(X).transpose(0, -1).contiguous().transpose(0, -1),
}
MATRICES = {
    "CSR": sparse.csr_matrix,
    "CSC": sparse.csc_array,
    "COO of duplicates": _with_duplicates,
    "LIL": sparse.lil_matrix,
    "DOK": sparse.dok_matrix,
    "matrix": lambda X: np.matrix(X),
}
#: What no estimator takes.
WRONG = {
    "None": lambda X: None,
    "a number": lambda X: 3.0,
    "a text": lambda X: "data.csv",
    "text cells": lambda X: np.full(X.shape, "a"),
    "bytes": lambda X: np.full(X.shape, b"a"),
    "complex": lambda X: X + 1j,
    "dates": lambda X: np.full(X.shape, "2026-01-01", dtype="datetime64[s]"),
    "one axis": lambda X: X.ravel(),
    "five axes": lambda X: X.reshape(1, *X.shape, 1, 1)[:, :, :, :, 0],
    "a dict": lambda X: {"a": X},
    "a set": lambda X: {1.0, 2.0},
    "a generator": lambda X: (row for row in X),
    "a zip": lambda X: zip(X, X, strict=True),
    "a data loader": lambda X: torch.utils.data.DataLoader(torch.tensor(X)),
    "a data set": lambda X: torch.utils.data.TensorDataset(torch.tensor(X)),
    "a lazy frame": lambda X: pl.LazyFrame({"a": X.ravel()}),
    "a Series": lambda X: pd.Series(X.ravel()),
    "lists of lists": lambda X: [[X.tolist()], X.tolist()],
    "sparse tensor": lambda X: torch.tensor(X).to_sparse(),
    "a function": lambda X: print,
}
ROWS = ARRAYS | FRAMES | MATRICES


def _quiet(container):
    """Return a container that gives no warning of its own."""

    def put(X):
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return container(X)

    return put


def _containers(usual, right, wrong=WRONG):
    """Half of the time the usual container, and sometimes one that nobody takes."""
    usual = st.just(right[usual])
    right = st.sampled_from(list(right.values()))
    return (usual | right | right | st.sampled_from(list(wrong.values()))).map(_quiet)


@st.composite
def rows(draw):
    """Rows of numbers to fit, and new ones."""
    n_features = draw(st.sampled_from([1, 2, 4, 6]))
    container = draw(_containers("float64", ROWS))
    train = container(draw(arrays((draw(SIZES), n_features))))
    container = draw(st.just(container) | _containers("float64", ROWS))
    n_features = draw(st.sampled_from([n_features] * 7 + [n_features + 1]))
    return train, container(draw(arrays((draw(SIZES), n_features))))


# Tables.


def _chosen(*values):
    return lambda rng, n: [values[i] for i in rng.integers(len(values), size=n)]


def _days(rng, n):
    return pd.Timestamp("2026-01-01") + pd.to_timedelta(rng.integers(0, 500, size=n), unit="D")


def _missing(rng, n):
    values = pd.Series(rng.normal(size=n))
    return values.mask(rng.random(n) < 0.3)


def _column(name):
    def draw(rng, n):
        return VALUES[name](rng, (n,))

    return draw


COLUMNS = {
    **{name: _column(name) for name in VALUES if name not in ("all NaN", "one infinity")},
    "infinity": _column("one infinity"),
    "missing numbers": _missing,
    "no values": lambda rng, n: [np.nan] * n,
    "None": lambda rng, n: pd.Series([None] * n, dtype=object),
    "whole": lambda rng, n: rng.integers(-5, 5, size=n),
    "large whole": lambda rng, n: 2**63 - 1 - rng.integers(0, 5, size=n),
    "unsigned": lambda rng, n: np.uint64(2**64 - 1) - rng.integers(0, 5, size=n, dtype=np.uint64),
    "nullable": lambda rng, n: pd.array(_chosen(1, 2, None)(rng, n), dtype="Int64"),
    "text": _chosen("red", "green", "blue"),
    "text and missing": _chosen("red", None),
    "string": lambda rng, n: pd.array(_chosen("a", "b", pd.NA)(rng, n), dtype="string"),
    "all different": lambda rng, n: [f"id {i}" for i in range(n)],
    "odd text": lambda rng, n: pd.Series(
        _chosen("", " ", "\ud800", "é\u0301", "\x00", "NaN")(rng, n), dtype=object
    ),
    "category": lambda rng, n: pd.Categorical(_chosen("x", "y", None)(rng, n)),
    "other category": lambda rng, n: pd.Categorical(_chosen("z", None)(rng, n)),
    "ordered": lambda rng, n: pd.Categorical(
        _chosen("low", "high")(rng, n), categories=["low", "middle", "high"], ordered=True
    ),
    "category of numbers": lambda rng, n: pd.Categorical(_chosen(1, 2.5)(rng, n)),
    "flag": lambda rng, n: rng.random(n) < 0.5,
    "flag and missing": _chosen(True, False, None),
    "date": _days,
    "date and missing": lambda rng, n: pd.Series(_days(rng, n)).mask(rng.random(n) < 0.3),
    "date in a zone": lambda rng, n: _days(rng, n).tz_localize("Europe/Paris"),
    "date objects": _chosen(datetime.date(2026, 1, 1), datetime.date(2026, 5, 6)),
    "time span": lambda rng, n: pd.to_timedelta(rng.integers(0, 99, size=n), unit="s"),
    "period": lambda rng, n: pd.PeriodIndex(_days(rng, n), freq="M"),
    "interval": lambda rng, n: pd.cut(rng.random(n), [0, 0.5, 1.0]) if n else [],
    "Decimal": _chosen(Decimal("1.5"), Decimal("2.25")),
    "complex": _chosen(1j, 2j),
    "mixed": _chosen(1, "a", None),
    "numbers as objects": _chosen(1, 2.5, np.float32(3)),
    "lists": _chosen([1], [2, 3]),
    "bytes": _chosen(b"a", b"b"),
}


def _arrow(frame):
    return pa.Table.from_pandas(frame, preserve_index=False)


TABLES = {
    "pandas": lambda frame: frame,
    "nullable": lambda frame: frame.convert_dtypes(),
    "of pyarrow": lambda frame: frame.convert_dtypes(dtype_backend="pyarrow"),
    "objects": lambda frame: frame.astype(object),
    "polars": pl.from_pandas,
    "pyarrow": _arrow,
    "array": lambda frame: frame.to_numpy(),
    "lists": lambda frame: frame.to_numpy().tolist(),
    "two levels": lambda frame: frame.set_axis(_two_levels(frame.shape[1]), axis=1),
    "reordered": lambda frame: frame[frame.columns[::-1]],
    "other index": lambda frame: frame.set_axis(range(5, 5 + len(frame))),
    "twice the same index": lambda frame: frame.set_axis([0] * len(frame)),
    "one less": lambda frame: frame.iloc[:, 1:],
    "one more": lambda frame: frame.assign(more=1.0),
    "one name": lambda frame: frame.set_axis(["a"] * frame.shape[1], axis=1),
}


def _table(columns, seed, n):
    rng = np.random.default_rng(seed)
    return pd.DataFrame({name: COLUMNS[kind](rng, n) for name, kind in columns.items()})


def _in(container, frame):
    """Return a table in a container, or as it is if the container cannot hold it."""
    try:
        return _quiet(TABLES[container])(frame)
    except (TypeError, ValueError, NotImplementedError, pa.ArrowException, UnicodeError):
        return frame
    except pl.exceptions.PolarsError:
        return frame


@st.composite
def tables(draw):
    """A table to fit, and a new one of mostly the same columns."""
    kinds = st.sampled_from(list(COLUMNS))
    columns = {f"c{i}": draw(kinds) for i in range(draw(st.integers(1, 4)))}
    container = draw(st.just("pandas") | st.sampled_from(list(TABLES)))
    train = _in(container, _table(columns, draw(SEEDS), draw(SIZES)))
    if draw(st.integers(0, 3)) == 0:
        columns["c0"] = draw(kinds)
    container = draw(st.just(container) | st.sampled_from(list(TABLES)))
    return train, _in(container, _table(columns, draw(SEEDS), draw(SIZES)))


# Images, signals and sequences.

STACKED = {
    "list of arrays": list,
    "tuple of arrays": tuple,
    "list of tensors": lambda X: [torch.tensor(x) for x in X],
    "objects of arrays": lambda X: _objects(list(X)),
    "bytes of pixels": lambda X: (np.nan_to_num(X) * 50).clip(0, 255).astype(np.uint8),
    "one sample": lambda X: X[0] if len(X) else X,
    "flat": lambda X: X.reshape(len(X), X[0].size) if len(X) else X,
}


def _objects(samples):
    array = np.empty(len(samples), dtype=object)
    array[:] = samples
    return array


@st.composite
def images(draw, shapes=((6, 6), (5, 7), (6, 6, 3), (1, 1), (12,), (4, 4, 4))):
    """Pictures to fit, and new ones."""
    shape = draw(st.sampled_from(shapes))
    container = draw(_containers("float64", ARRAYS | STACKED))
    train = container(draw(arrays((draw(SIZES), *shape))))
    container = draw(st.just(container) | _containers("float64", ARRAYS | STACKED))
    shape = draw(st.sampled_from([shape] * 5 + list(shapes)))
    return train, container(draw(arrays((draw(SIZES), *shape))))


def _long(sequences):
    """A frame of all steps."""
    return pd.DataFrame(
        {
            "id": np.repeat(range(len(sequences)), [len(s) for s in sequences]),
            "value": np.concatenate([s[:, 0] for s in sequences]) if sequences else [],
        }
    )


SEQUENCES = {
    "list": lambda X: X,
    "tensors": lambda X: [torch.tensor(x) for x in X],
    "bfloat16": lambda X: [torch.tensor(x).bfloat16() for x in X],
    "lists": lambda X: [x.tolist() for x in X],
    "frames": lambda X: [_named(x) for x in X],
    "polars": lambda X: [pl.from_pandas(_named(x)) for x in X],
    "objects": _objects,
    "float32": lambda X: [_float(np.float32)(x) for x in X],
    "one axis": lambda X: [x[:, 0] for x in X],
    "stacked": lambda X: np.stack([x[:1] for x in X]) if X else np.empty((0, 1, 1)),
    "a long frame": _long,
    "one sequence": lambda X: X[0] if X else [],
}
NO_SEQUENCES = {
    **{name: WRONG[name] for name in ("None", "a number", "a text", "a set", "a function")},
    "texts": lambda X: ["a b", "c"],
    "numbers": lambda X: [1.0, 2.0],
    "a generator": lambda X: (x for x in X),
    "no steps": lambda X: [np.empty((0, 2)) for _ in X],
    "other widths": lambda X: [np.ones((3, 1)), np.ones((3, 2))],
    "dates": lambda X: [np.array(["2026-01-01"], dtype="datetime64[D]")] * 3,
}


@st.composite
def sequences(draw):
    """Sequences of different lengths to fit, and new ones."""
    width = draw(st.sampled_from([1, 2, 3]))

    def some(width, container):
        lengths = np.random.default_rng(draw(SEEDS)).integers(1, 7, size=draw(SIZES))
        steps = draw(arrays((int(lengths.sum()), width)))
        return container(np.split(steps, lengths.cumsum()[:-1]) if len(lengths) else [])

    containers = _containers("list", SEQUENCES, NO_SEQUENCES)
    container = draw(containers)
    train = some(width, container)
    width = draw(st.sampled_from([width] * 5 + [width + 1]))
    return train, some(width, draw(st.just(container) | containers))


# Texts.

ODD_TEXTS = [
    "",
    " ",
    "\t\n",
    "\ud800",
    "a\u0301",
    "\x00",
    "\u200d",
    "🙂🙂",
    "漢字",
    "a" * 3000,
    "\ufeffb",
]
TEXT_CONTAINERS = {
    "list": lambda texts: texts,
    "tuple": tuple,
    "array": lambda texts: np.array(texts, dtype=str),
    "objects": lambda texts: np.array(texts, dtype=object),
    "Series": pd.Series,
    "string Series": lambda texts: pd.Series(texts, dtype="string"),
    "polars": pl.Series,
    "pyarrow": pa.array,
    "index": pd.Index,
}
NO_TEXTS = {
    "None": lambda texts: None,
    "one text": lambda texts: "a b c",
    "numbers": lambda texts: [1, 2, 3],
    "bytes": lambda texts: [b"a", b"b"],
    "None among them": lambda texts: [*texts, None],
    "NaN among them": lambda texts: [*texts, float("nan")],
    "two axes": lambda texts: np.array([["a", "b"], ["c", "d"]]),
    "lists": lambda texts: [["a"], ["b"]],
    "a generator": lambda texts: (text for text in texts),
    "a frame": lambda texts: pd.DataFrame({"a": texts}),
    "a dict": lambda texts: {"a": "b"},
    "a set": lambda texts: {"a"},
    "a number": lambda texts: 3,
}


@st.composite
def texts(draw, n=None):
    """Texts of a few words, some of them odd."""
    rng = np.random.default_rng(draw(SEEDS))
    n = draw(SIZES) if n is None else n
    words = ["cat", "dog", "sees", "the", "a", "big"]
    some = [" ".join(rng.choice(words, size=rng.integers(1, 5))) for _ in range(n)]
    if some and draw(st.booleans()):
        some[int(rng.integers(n))] = draw(st.sampled_from(ODD_TEXTS) | st.text(max_size=8))
    container = draw(_containers("list", TEXT_CONTAINERS, NO_TEXTS))
    try:
        return container(some)
    except (ValueError, TypeError, UnicodeError, pa.ArrowException):  # odd texts fit not all
        return some
