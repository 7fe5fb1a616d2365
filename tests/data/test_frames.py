"""DataFrames of pandas, polars and pyarrow: every kind of column comes back as it was."""

import datetime as dt
import pickle
from decimal import Decimal
from zoneinfo import ZoneInfo

import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.base import BaseEstimator, OutlierMixin

from skae import (
    Autoencoder,
    OutlierDetector,
    RecurrentAutoencoder,
    TabularAutoencoder,
    VariationalAutoencoder,
)
from skae._data.columns import TableColumns
from skae._data.dtypes import in_range
from skae.sequences import from_long_frame

INTEGERS = [3, 1, 2, None, 7, 5]
NUMBERS = [1.5, 2.25, None, -3.5, 0.0, 100.0]
WORDS = ["b", "a", None, "c", "a", "b"]
FLAGS = [True, False, None, True, True, False]
DAYS = (5, 3, 9, 9, 20)
DATES = [None, *(dt.date(2020, 7, day) for day in DAYS)]
MOMENTS = [None, *(dt.datetime(2020, 7, day, 3, 4, 5, 678) for day in DAYS)]
SECONDS = [None, *(dt.datetime(2020, 7, day, 3, 4, 5) for day in DAYS)]
SPANS = [None, *(dt.timedelta(hours=day) for day in DAYS)]
TIMES = [None, *(dt.time(day, 30) for day in DAYS)]
PRICES = [None, *(Decimal(f"{day}.50") for day in DAYS)]
UNITS = ["s", "ms", "us", "ns"]


def without_missing(values):
    return [values[-1] if value is None else value for value in values]


def mapped(function, values):
    return [None if value is None else function(value) for value in values]


#: Values of columns of Python objects.
OBJECTS = {
    "text": WORDS,
    "bool": FLAGS,
    "int": INTEGERS,
    "float": NUMBERS,
    "large int": [10**20, 3, None, 10**6, 7, 5],
    "Decimal": PRICES,
    "date": DATES,
    "datetime": MOMENTS,
    "UTC": mapped(lambda moment: moment.replace(tzinfo=dt.UTC), MOMENTS),
    "Berlin": mapped(lambda moment: moment.replace(tzinfo=ZoneInfo("Europe/Berlin")), MOMENTS),
    "Timestamp": mapped(pd.Timestamp, MOMENTS),
    "Timestamp of Tokyo": mapped(lambda moment: pd.Timestamp(moment, tz="Asia/Tokyo"), MOMENTS),
    "timedelta": SPANS,
    "Timedelta": mapped(pd.Timedelta, SPANS),
    "time": TIMES,
    "int8": mapped(np.int8, INTEGERS),
    "float32": mapped(np.float32, NUMBERS),
    "datetime64": mapped(lambda moment: np.datetime64(moment, "s"), SECONDS),
    "numbers and text": [1, "a", None, 2.5, "b", "a"],
    "tuples": [(1, 2), (3,), None, (1, 2), (3,), (3,)],
}

WIDTHS = (8, 16, 32, 64)

ARROW = {
    **{f"int{n}": (f"int{n}", INTEGERS) for n in WIDTHS},
    **{f"uint{n}": (f"uint{n}", INTEGERS) for n in WIDTHS},
    "float16": ("float16", mapped(np.float16, NUMBERS)),
    "float32": ("float32", NUMBERS),
    "float64": ("float64", NUMBERS),
    "bool": ("bool", FLAGS),
    "string": ("string", WORDS),
    "large_string": ("large_string", WORDS),
    "decimal": (pa.decimal128(10, 2), PRICES),
    "small decimal": (pa.decimal128(2, 2), [Decimal("0.99"), None, Decimal("-0.99")] * 2),
    "decimal256": (pa.decimal256(50, 2), PRICES),
    "date32": ("date32", DATES),
    "date64": ("date64", DATES),
    **{f"timestamp {unit}": (pa.timestamp(unit), SECONDS) for unit in UNITS},
    **{f"Berlin {unit}": (pa.timestamp(unit, "Europe/Berlin"), SECONDS) for unit in UNITS},
    **{f"duration {unit}": (pa.duration(unit), SPANS) for unit in UNITS},
    "time32 s": (pa.time32("s"), TIMES),
    "time32 ms": (pa.time32("ms"), TIMES),
    "time64 us": (pa.time64("us"), mapped(lambda time: time.replace(microsecond=7), TIMES)),
    "time64 ns": (pa.time64("ns"), TIMES),
    "dictionary": (pa.dictionary(pa.int32(), pa.string()), WORDS),
    "small dictionary": (pa.dictionary(pa.int8(), pa.large_string()), WORDS),
    "ordered dictionary": (pa.dictionary(pa.int8(), pa.string(), ordered=True), WORDS),
    "dictionary of int": (pa.dictionary(pa.int8(), pa.int64()), INTEGERS),
    "null": ("null", [None] * 6),
}
ARROW = {name: pa.array(values, type=kind) for name, (kind, values) in ARROW.items()}


def of_objects(values):
    return pd.Series(values, dtype=object)


PANDAS = {
    **{f"int{n}": pd.Series(without_missing(INTEGERS), dtype=f"int{n}") for n in WIDTHS},
    **{f"uint{n}": pd.Series(without_missing(INTEGERS), dtype=f"uint{n}") for n in WIDTHS},
    **{f"Int{n}": pd.Series(INTEGERS, dtype=f"Int{n}") for n in WIDTHS},
    **{f"UInt{n}": pd.Series(INTEGERS, dtype=f"UInt{n}") for n in WIDTHS},
    **{
        name: pd.Series(NUMBERS, dtype=name)
        for name in ["float16", "float32", "float64", "Float32", "Float64"]
    },
    "bool": pd.Series(without_missing(FLAGS)),
    "boolean": pd.Series(FLAGS, dtype="boolean"),
    **{
        name: pd.Series(WORDS, dtype=name)
        for name in ["str", "string", "string[python]", "string[pyarrow]"]
    },
    **{f"M8 {unit}": pd.Series(SECONDS).astype(f"M8[{unit}]") for unit in UNITS},
    **{
        f"Berlin {unit}": pd.Series(SECONDS).astype(f"M8[{unit}]").dt.tz_localize("Europe/Berlin")
        for unit in UNITS
    },
    **{f"m8 {unit}": pd.Series(SPANS).astype(f"m8[{unit}]") for unit in UNITS},
    "category": pd.Series(pd.Categorical(WORDS)),
    "ordered": pd.Series(pd.Categorical(WORDS, ["c", "x", "a", "b"], ordered=True)),
    "category of int": pd.Series(pd.Categorical(INTEGERS)),
    "category of bool": pd.Series(pd.Categorical(FLAGS)),
    "category of dates": pd.Series(pd.Categorical(pd.to_datetime(pd.Series(SECONDS)))),
    "Sparse float": pd.Series([1.5, np.nan, 0, 2.5, 0, 0]).astype("Sparse[float64]"),
    "Sparse int": pd.Series([1, 0, 0, 2, 0, 0]).astype("Sparse[int64]"),
    "Sparse bool": pd.Series([True, False] * 3).astype("Sparse[bool]"),
    "nan": pd.Series([np.nan] * 6),
    "NaT": pd.Series([pd.NaT] * 6),
    "None": of_objects([None] * 6),
    **{f"{name}, object": of_objects(values) for name, values in OBJECTS.items()},
    **{
        f"{name}, ArrowDtype": pd.Series(pd.arrays.ArrowExtensionArray(array))
        for name, array in ARROW.items()
    },
}

POLARS = {
    **{f"Int{n}": pl.Series(INTEGERS, dtype=getattr(pl, f"Int{n}")) for n in (*WIDTHS, 128)},
    **{f"UInt{n}": pl.Series(INTEGERS, dtype=getattr(pl, f"UInt{n}")) for n in WIDTHS},
    "Float32": pl.Series(NUMBERS, dtype=pl.Float32),
    "Float64": pl.Series(NUMBERS),
    "Decimal": pl.Series(PRICES, dtype=pl.Decimal(10, 2)),
    "Boolean": pl.Series(FLAGS),
    "String": pl.Series(WORDS),
    "Categorical": pl.Series(WORDS, dtype=pl.Categorical),
    "Enum": pl.Series(WORDS, dtype=pl.Enum(["c", "x", "a", "b"])),
    "Date": pl.Series(DATES),
    "Time": pl.Series(TIMES),
    **{f"Datetime {unit}": pl.Series(SECONDS, dtype=pl.Datetime(unit)) for unit in UNITS[1:]},
    **{
        f"Berlin {unit}": pl.Series(SECONDS, dtype=pl.Datetime(unit, "Europe/Berlin"))
        for unit in UNITS[1:]
    },
    **{f"Duration {unit}": pl.Series(SPANS, dtype=pl.Duration(unit)) for unit in UNITS[1:]},
    "Null": pl.Series([None] * 6),
    **{f"{name}, Object": pl.Series(v, dtype=pl.Object) for name, v in OBJECTS.items()},
}

COLUMNS = {"pandas": PANDAS, "polars": POLARS, "pyarrow": ARROW}


def make_frame(library, columns):
    """Return a DataFrame of columns; in pandas with an index, in pyarrow of two chunks."""
    if library == "pandas":
        index = list("uvwxyz")
        return pd.DataFrame({name: c.set_axis(index) for name, c in columns.items()}, index)
    if library == "polars":
        return pl.DataFrame(columns)
    return pa.table({name: pa.chunked_array([c[:2], c[2:]]) for name, c in columns.items()})


def schema(frame):
    return frame.dtypes.to_dict() if isinstance(frame, pd.DataFrame) else dict(_schema(frame))


def _schema(frame):
    names = frame.column_names if isinstance(frame, pa.Table) else frame.columns
    dtypes = frame.schema.types if isinstance(frame, pa.Table) else frame.dtypes
    return zip(names, dtypes, strict=True)


def values_of(frame):
    """Return the values of each column as Python objects, None where they are missing."""
    columns = nw.from_native(frame).iter_columns()
    if isinstance(frame, pa.Table):
        lists = [column.to_native().to_pylist() for column in columns]
    else:
        lists = [column.to_list() for column in columns]
    names = nw.from_native(frame).columns
    known = [[v if isinstance(v, tuple) or not pd.isna(v) else None for v in one] for one in lists]
    return dict(zip(names, known, strict=True))


def types_of(values):
    return {type(value) for value in values if value is not None}


def is_about(value, expected):
    """Say whether values are the same, up to the precision of float64."""
    if isinstance(expected, (float, np.floating)) or (
        isinstance(expected, int) and abs(expected) > 2**53
    ):
        return value == pytest.approx(expected, rel=1e-9)
    return value == expected


def assert_equal(values, expected):
    assert [type(value) for value in values] == [type(value) for value in expected]
    assert all(map(is_about, values, expected)), (values, expected)


@pytest.mark.parametrize(
    ("library", "kind"), [(library, kind) for library in COLUMNS for kind in COLUMNS[library]]
)
def test_columns_come_back_as_they_were(library, kind):
    X = make_frame(library, {"": COLUMNS[library][kind]})
    columns = pickle.loads(pickle.dumps(TableColumns.learn(X)))
    restored = columns.restore(columns.read(X), X.index if library == "pandas" else None)
    assert type(restored) is type(X)
    assert schema(restored) == schema(X)
    assert_equal(values_of(restored)[""], values_of(X)[""])
    if library == "pandas":
        assert restored.index.equals(X.index)


def test_whole_numbers_and_others_are_of_one_type():
    X = pd.DataFrame({"x": of_objects([1, 2.5, None, 3])})
    columns = TableColumns.learn(X)
    assert columns.restore(columns.read(X))["x"].tolist() == [1.0, 2.5, None, 3.0]


@pytest.mark.parametrize("dtype", ["int64", "uint64", "int128", "uint8"])
def test_numbers_are_cut_to_what_a_dtype_can_hold(dtype):
    low, high = in_range(np.array([-1e300, 1e300]), dtype)
    n_bits = int(dtype.strip("uint"))
    assert int(low) == (0 if dtype[0] == "u" else -(2 ** (n_bits - 1)))
    most = 2 ** (n_bits - (dtype[0] != "u")) - 1
    assert most - most / 2**50 <= int(high) <= most


def test_decimals_and_times_are_cut_to_what_they_can_be():
    prices = pa.array([Decimal("99.99"), Decimal("-9.99")], pa.decimal128(4, 2))
    times = [dt.time(23, 59, 59), dt.time(0)]
    X = pa.table({"price": prices, "time": pa.array(times, pa.time32("s"))})
    columns = TableColumns.learn(X, clip_to_range=False)
    assert columns.restore(np.array([[50.0, 50.0], [-50.0, -50.0]])).to_pylist() == [
        {"price": Decimal("99.99"), "time": times[0]},
        {"price": Decimal("-99.99"), "time": times[1]},
    ]


@pytest.fixture(params=COLUMNS)
def X(request):
    """Columns of all kinds, and one that decides what is normal."""
    columns = COLUMNS[request.param]
    score = columns["Float64" if request.param == "polars" else "float64"]
    return make_frame(request.param, columns | {"score": score})


QUICK = {"max_epochs": 1, "random_state": 0, "check_baseline": False}


@pytest.mark.filterwarnings("ignore::skae.exceptions.DataWarning")
def test_frames_of_all_kinds_go_through_a_model(X):
    model = TabularAutoencoder(2, **QUICK).fit(X)
    given, expected = values_of(X), schema(X)
    imputed = model.impute(X)
    for Y in (model.reconstruct(X), model.inverse_transform(model.transform(X)), imputed):
        assert type(Y) is type(X)
        assert schema(Y) == expected
        for name, values in values_of(Y).items():
            if types_of(given[name]):
                assert None not in values
                assert types_of(values) <= types_of(given[name])
    for name, values in values_of(imputed).items():
        pairs = zip(values, given[name], strict=True)
        assert all(value == known for value, known in pairs if known is not None)
    for Y in (model.feature_losses(X), model.reconstruction_errors(X)):
        assert type(Y) is type(X)
        assert list(schema(Y)) == list(expected)


class Large(OutlierMixin, BaseEstimator):
    """Rows are normal as far as their score is large."""

    def fit(self, X, y=None):
        self.fitted_ = True
        return self

    def score_samples(self, X):
        return np.nan_to_num(nw.from_native(X).get_column("score").to_numpy().astype(float))


def test_frames_of_all_kinds_are_explained(X):
    detector = OutlierDetector(Large(), contamination=0.5).fit(X)
    contributions, expected = detector.explain(X, return_expected=True)
    normal = detector.nearest_normal(X)
    for Y in (contributions, expected, normal):
        assert type(Y) is type(X)
        assert list(schema(Y)) == list(schema(X))
        assert len(Y) == 6
    assert schema(expected) == schema(normal) == schema(X)
    for name, values in values_of(normal).items():
        assert types_of(values) <= types_of(values_of(X)[name])
    np.testing.assert_array_equal(detector.predict(normal), 1)
    report = detector.report(X, n_rows=1, n_columns=1)
    assert report["column"].tolist() == ["score"]


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_cells_of_other_dtypes_are_explained(library):
    fitted = make_frame(
        "pandas",
        {
            "score": pd.Series([0.5, 1.5, 2.5, 3.5, 4.5, 5.5]),
            "kind": pd.Series(pd.Categorical(without_missing(WORDS), ordered=True)),
            "day": pd.Series(without_missing(SECONDS)),
        },
    )
    other = fitted.assign(
        score=range(6),
        kind=pd.Categorical(["y", *without_missing(WORDS)[1:]], ordered=True),
        day=fitted["day"].dt.tz_localize("UTC"),
    )
    if library != "pandas":
        fitted, other = (pa.Table.from_pandas(X, preserve_index=False) for X in (fitted, other))
    if library == "polars":
        fitted, other = pl.from_arrow(fitted), pl.from_arrow(other)
    detector = OutlierDetector(Large(), contamination=0.5).fit(fitted)
    normal = detector.nearest_normal(other)
    np.testing.assert_array_equal(detector.predict(normal), 1)
    assert values_of(normal)["kind"] == values_of(other)["kind"]
    assert values_of(normal)["day"] == values_of(other)["day"]
    assert values_of(normal)["score"][:2] == [4.5, 4.5]


@pytest.mark.parametrize("fitted", ["pandas", "polars", "pyarrow"])
@pytest.mark.parametrize("given", ["pandas", "polars", "pyarrow"])
def test_models_take_frames_of_another_library(fitted, given):
    X = pd.DataFrame(
        {
            "number": NUMBERS,
            "count": pd.array(INTEGERS, dtype="Int64"),
            "text": WORDS,
            "moment": pd.Series(MOMENTS, dtype="M8[us]"),
            "flag": pd.array(FLAGS, dtype="boolean"),
            "nothing": pd.array(without_missing(INTEGERS)),
        }
    )
    table = pa.Table.from_pandas(X)
    frames = {"pandas": X, "polars": pl.from_arrow(table), "pyarrow": table}
    model = TabularAutoencoder(2, **QUICK).fit(frames[fitted])
    Y = nw.from_native(frames[given])
    Y = Y.with_columns(nothing=nw.lit(None)).to_native()
    np.testing.assert_allclose(
        model.transform(frames[given]), model.transform(frames[fitted]), rtol=1e-5, atol=1e-6
    )
    imputed = model.impute(Y)
    assert type(imputed) is type(Y)
    for name, values in values_of(imputed).items():
        assert None not in values
        assert name == "nothing" or schema(imputed)[name] == schema(Y)[name]
    assert types_of(mapped(int, values_of(imputed)["nothing"])) == {int}


def test_an_enum_that_lacks_a_category_becomes_text():
    model = TabularAutoencoder(1, **QUICK).fit(pl.DataFrame({"x": ["a"] * 6}))
    imputed = model.impute(pl.DataFrame({"x": pl.Series(["b", None], dtype=pl.Enum(["b"]))}))
    assert imputed["x"].to_list() == ["b", "a"]
    categories = pd.DataFrame({"x": pd.Categorical(["b", None], ordered=True)})
    imputed = TabularAutoencoder(1, **QUICK).fit(pd.DataFrame({"x": ["a"] * 6})).impute(categories)
    assert imputed["x"].tolist() == ["b", "a"]
    assert imputed["x"].dtype == pd.CategoricalDtype(["b", "a"], ordered=True)


def test_categories_that_are_taken_for_numbers_come_back_as_numbers():
    X = pa.table({"x": pa.array([3, 1, 2, None]).dictionary_encode()})
    columns = TableColumns.learn(X, categorical_features=None)
    assert not columns.is_category.any()
    assert columns.restore(columns.read(X)).column("x").to_pylist() == [3, 1, 2, None]
    columns = TableColumns.learn(X.to_pandas(), categorical_features=None)
    assert columns.restore(columns.read(X)[:3])["x"].dtype == np.int64


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_tables_of_numbers_go_through_all_autoencoders(library, rng):
    names = ["", "b", "c"]
    array = rng.normal(size=(30, 3))
    pandas = pd.DataFrame(array, columns=names)
    table = pa.Table.from_pandas(pandas)
    table = pa.concat_tables([table[:10], table[10:]])
    arrow = {"pandas": table.to_pandas(types_mapper=pd.ArrowDtype), "pyarrow": table}
    frame = arrow.get(library, pl.DataFrame(pandas.to_dict("list")))
    model = Autoencoder(2, **QUICK).fit(frame)
    np.testing.assert_array_equal(
        model.transform(frame), Autoencoder(2, **QUICK).fit(array).transform(array)
    )
    sampled = VariationalAutoencoder(2, **QUICK).fit(frame).sample(4)
    sequences = [frame[:4], frame[4:10], frame[10:11]]
    of_lists = RecurrentAutoencoder(2, **QUICK).fit(sequences).reconstruct(sequences)
    for one in [model.reconstruct(frame), model.reconstruction_errors(frame), sampled, *of_lists]:
        assert type(one) is type(frame)
        assert list(schema(one)) == names


def test_wrong_columns_of_arrow_are_named():
    table = pa.table({"number": [1.0, 2.0], "day": pa.array(DATES[1:3])})
    frame = table.to_pandas(types_mapper=pd.ArrowDtype)
    for X in (table, frame):
        with pytest.raises(ValueError, match=r"columns \['day'\] hold dates"):
            Autoencoder(1, **QUICK).fit(X)
    with pytest.raises(ValueError, match=r"Not numeric: columns \['text'\]"):
        Autoencoder(1, **QUICK).fit(pa.table({"number": [1.0, 2.0], "text": ["a", "b"]}))
    with pytest.raises(ValueError, match=r"infinite values in columns \['x'\]"):
        Autoencoder(1, **QUICK).fit(pa.table({"x": [1.0, None]}))
    model = TabularAutoencoder(1, **QUICK).fit(table)
    with pytest.raises(ValueError, match=r"missing:\n- day\n.*\['other'\]; renamed"):
        model.transform(table.rename_columns(["number", "other"]))
    with pytest.raises(ValueError, match="'number' held numbers"):
        model.transform(table.set_column(0, "number", [["a", "b"]]))
    twice = pa.table([[1.0], [2.0]], names=["a", "a"])
    with pytest.raises(ValueError, match=r"more than one column of the name \['a'\]"):
        model.transform(twice)
    with pytest.raises(ValueError, match="no rows"):
        model.fit(table[:0])


@pytest.mark.parametrize(
    "column", [pa.array([[1], [2]]), pa.array([{"a": 1}] * 2), pa.array([b"a", b"b"])]
)
def test_nested_columns_of_arrow_are_refused(column):
    with pytest.raises(TypeError, match="'x' of dtype .* cannot be read"):
        TabularAutoencoder(1, **QUICK).fit(pa.table({"x": column}))


def test_lazy_frames_are_refused():
    for model in (Autoencoder(1), TabularAutoencoder(1), OutlierDetector()):
        with pytest.raises(TypeError, match="X is a lazy frame. Call its method collect first"):
            model.fit(pl.LazyFrame({"a": [1.0, 2.0]}))


@pytest.mark.parametrize("make", [pl.from_pandas, pa.Table.from_pandas])
def test_long_frames_of_arrow_become_lists(make):
    frame = pd.DataFrame(
        {
            "unit": pd.Categorical(["b", "a", "b"]),
            "day": pd.Series(SECONDS[2:5]),
            "heat": [1.0, 2.0, 3.0],
        }
    )
    frame.loc[2, "day"] = frame.loc[0, "day"] - pd.Timedelta(days=1)
    sequences, ids = from_long_frame(make(frame), "unit", "day")
    assert ids.tolist() == ["b", "a"]
    assert [sequence[:, 0].tolist() for sequence in sequences] == [[3.0, 1.0], [2.0]]
    frame.loc[0, "unit"] = None
    with pytest.raises(ValueError, match="'unit' has no value in row 0"):
        from_long_frame(make(frame), "unit", "day")


@pytest.mark.filterwarnings("ignore:X has feature names")
def test_text_that_pandas_cannot_hold_comes_back():
    """Half of a surrogate pair, in a table whose columns had no names at fit."""
    rows = [[0.0, "\ud800"], [1.0, "b"]] * 4
    model = TabularAutoencoder(1, max_epochs=1, check_baseline=False, random_state=0).fit(rows)
    frame = pd.DataFrame(pd.Series(rows).tolist(), columns=["a", "b"], dtype=object)
    assert set(model.reconstruct(frame)["b"]) <= {"\ud800", "b"}
