"""skops: files of every estimator hold no pickle, list their types, and load as what was saved."""

import copy
import io
import json
import pickle
import zipfile

import cloudpickle
import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from polars.testing import assert_frame_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from skops.io import dumps, get_untrusted_types, loads

from skae import (
    Autoencoder,
    BatchedGridSearchCV,
    BatchedHalvingGridSearchCV,
    BatchedRandomizedSearchCV,
    ConvAutoencoder,
    DenoisingAutoencoder,
    EnsembleAutoencoder,
    ImageToImageRegressor,
    OutlierDetector,
    RecurrentAutoencoder,
    Seq2SeqTranslator,
    SparseAutoencoder,
    TabularAutoencoder,
    TabularOutlierScorer,
    VariationalAutoencoder,
)
from skae._sklearn import tree_of_state
from skae.architectures import Dense, RecurrentEncoderDecoder

#: What the documentation lists, beside types of skae and of torch.nn.
OTHERS = {
    "numpy.dtype",
    "scipy.sparse._csr.csr_array",
    "sklearn.metrics._scorer._PassthroughScorer",
    "torch.optim.adamax.Adamax",  # given by the user
}

QUICK = {"max_epochs": 1, "random_state": 0, "check_baseline": False}
rng = np.random.default_rng(0)
ROWS = rng.random((40, 5)).astype(np.float32)
LABELS = np.arange(40) % 2
IMAGES = rng.random((12, 8, 8))
SEQUENCES = [rng.random((n, 2)) for n in (3, 5, 8, 4, 6, 7)]
TEXTS = ["the cat sat", "a dog ran", "the dog sat", "a cat ran"] * 4
TABLE = pd.DataFrame(
    {
        "amount": rng.normal(size=40),
        "count": pd.array([None, *rng.integers(0, 9, 39)], "Int64"),
        "kind": pd.Categorical(rng.choice(["x", "y"], 40), ["y", "x", "z"], ordered=True),
        "size": pd.cut(rng.random(40), 3),
        "day": rng.choice(pd.date_range("2026-01-01", periods=5, tz="Europe/Berlin"), 40),
        "text": rng.choice(["u", "v", None], 40),
        "flag": rng.random(40) < 0.5,
    }
)
POLARS = pl.from_pandas(TABLE.drop(columns="size")).with_columns(
    pl.col("kind").cast(pl.Enum(["y", "x", "z"])), pl.col("day").dt.cast_time_unit("us")
)
NAMED = pd.DataFrame(ROWS, columns=list("abcde"))
GRID = {"n_components": [1, 2]}
KNOWN = np.where(np.arange(40) < 4, -1, 0)

#: A model, its training data and labels.
CASES = {
    "rows": (Autoencoder(2, warm_start=True, whiten=True, **QUICK), ROWS),
    "labels": (Autoencoder(2, target="classification", **QUICK), ROWS, LABELS),
    "optimizer of the user": (Autoencoder(2, optimizer=torch.optim.Adamax, **QUICK), NAMED),
    "a layer of each kind": (
        DenoisingAutoencoder(2, architecture=Dense((8,), "gelu", 0.1, "batch"), **QUICK),
        pl.from_pandas(NAMED),
    ),
    "sparse codes": (SparseAutoencoder(6, **QUICK), sparse.csr_array(ROWS)),
    "distributions": (VariationalAutoencoder(2, **QUICK), NAMED.set_axis(range(5), axis=1)),
    "images": (ConvAutoencoder(2, channels=(4,), normalization="batch", **QUICK), IMAGES),
    "pairs of images": (ImageToImageRegressor((4,), **QUICK), IMAGES, 1 - IMAGES),
    "sequences": (RecurrentAutoencoder(2, **QUICK), SEQUENCES),
    "texts": (
        Seq2SeqTranslator(RecurrentEncoderDecoder(8), shared_vocabulary=True, **QUICK),
        TEXTS,
        [text.upper() for text in TEXTS],
    ),
    "table of pandas": (TabularAutoencoder(2, **QUICK), TABLE),
    "table of polars": (TabularAutoencoder(2, **QUICK), POLARS),
    "table of pyarrow": (TabularAutoencoder(2, **QUICK), POLARS.to_arrow()),
    "ensemble": (EnsembleAutoencoder(Autoencoder(2, **QUICK), 2, max_features=0.6), NAMED),
    "detector of a pipeline": (
        OutlierDetector(make_pipeline(StandardScaler(), Autoencoder(2, **QUICK))),
        NAMED,
    ),
    "detector with labels": (OutlierDetector(use_labels=True, random_state=0), POLARS, KNOWN),
    "scorer": (TabularOutlierScorer(random_state=0), TABLE),
    "classifier of codes": (
        make_pipeline(
            make_column_transformer(
                (Autoencoder(2, **QUICK), ["amount"]), (OneHotEncoder(), ["kind", "flag"])
            ),
            LogisticRegression(),
        ),
        TABLE,
        LABELS,
    ),
    "grid": (BatchedGridSearchCV(Autoencoder(**QUICK), GRID, cv=2), NAMED),
    "random grid": (BatchedRandomizedSearchCV(Autoencoder(**QUICK), GRID, n_iter=2, cv=2), ROWS),
    "halving grid": (BatchedHalvingGridSearchCV(Autoencoder(**QUICK), GRID, cv=2), ROWS),
}


@pytest.fixture(scope="module", params=CASES)
def fitted(request):
    """A fitted model, its training data, and its file."""
    model, *data = CASES[request.param]
    model = clone(model).fit(*data)
    return model, data[0], dumps(model)


def results(model, X):
    """Return what a model makes of samples, as far as it has such a method."""
    names = ("transform", "reconstruct", "predict", "score_samples", "feature_names_in_")
    made = {name: getattr(model, name) for name in names if hasattr(model, name)}
    return {name: one(X) if callable(one) else one for name, one in made.items()}


def assert_same(found, expected):
    assert type(found) is type(expected)
    if isinstance(expected, pd.DataFrame):
        pd.testing.assert_frame_equal(found, expected)
    elif isinstance(expected, pl.DataFrame):
        assert_frame_equal(found, expected)
    elif isinstance(expected, np.ndarray):
        np.testing.assert_array_equal(found, expected)
    elif isinstance(expected, list):
        for pair in zip(found, expected, strict=True):
            assert_same(*pair)
    else:
        assert found == expected


def load(data):
    return loads(data, trusted=get_untrusted_types(data=data))


def n_bytes_of_arrays(data):
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        return sum(one.file_size for one in file.infolist() if one.filename != "schema.json")


def test_loaded_is_saved(fitted):
    model, X, data = fitted
    expected, loaded = results(model, X), load(data)
    for name, found in results(loaded, X).items():
        assert_same(found, expected[name])
    assert n_bytes_of_arrays(dumps(loaded)) == n_bytes_of_arrays(data)


def test_files_hold_no_pickle_and_list_their_types(fitted):
    *_, data = fitted
    others = {t for t in get_untrusted_types(data=data) if not t.startswith(("skae.", "torch.nn."))}
    assert others <= OTHERS
    loaders = set()
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        for name in set(file.namelist()) - {"schema.json"}:
            assert name.endswith((".npy", ".npz"))
            np.load(io.BytesIO(file.read(name)), allow_pickle=False)
        schema = file.read("schema.json")
    json.loads(schema, object_hook=lambda node: loaders.add(node.get("__loader__")))
    assert not loaders & {"BytesNode", "BytearrayNode", "MethodNode", "PartialNode", "TreeNode"}


@pytest.mark.parametrize("case", ["rows", "a layer of each kind", "table of pandas"])
def test_loaded_models_go_on(case):
    model, X = CASES[case]
    loaded = load(dumps(clone(model).partial_fit(X)))
    model = clone(model).partial_fit(X).partial_fit(X)
    loaded.partial_fit(X)
    assert loaded.loss_curve_ == model.loss_curve_
    assert_same(loaded.reconstruct(X), model.reconstruct(X))
    codes = loaded.set_output(transform="polars").transform(X)
    assert_same(codes, model.set_output(transform="polars").transform(X))
    packed = io.BytesIO()
    joblib.dump(loaded, packed, compress=3)
    packed.seek(0)
    for one in (
        copy.deepcopy(loaded),
        pickle.loads(pickle.dumps(loaded)),
        cloudpickle.loads(cloudpickle.dumps(loaded)),
        joblib.load(packed),
    ):
        assert_same(one.transform(X), codes)


@pytest.mark.parametrize("X", [NAMED, POLARS.to_arrow()], ids=["pandas", "pyarrow"])
def test_explanations(X):
    model = OutlierDetector(TabularAutoencoder(2, **QUICK)).fit(X)
    n_bytes = n_bytes_of_arrays(dumps(model))
    expected = model.explain(X[:2])
    data = dumps(model)
    assert load(data).explain(X[:2]).equals(expected)
    assert n_bytes_of_arrays(data) == n_bytes  # nothing of an explanation is kept


def test_a_net_is_in_the_file_once():
    model = Autoencoder(2, architecture=Dense((128, 64)), **QUICK).fit(ROWS)
    n_bytes = sum(parameter.nbytes for parameter in model.net_.module_.parameters())
    assert n_bytes_of_arrays(dumps(model)) < 1.5 * n_bytes


def test_damaged_trees():
    model = OutlierDetector(Autoencoder(2, **QUICK), use_labels=True, random_state=0)
    state = model.fit(NAMED, KNOWN)._known_anomalies.__getstate__()["_trees"][0]
    for name, value in (("left_child", 0), ("right_child", 10**6), ("feature", 99)):
        nodes = state["nodes"].copy()
        nodes[name][0] = value
        with pytest.raises(ValueError, match="A tree is damaged"):
            tree_of_state(state | {"nodes": nodes})
