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
from models import FRAME, IMAGES, LABELS, QUICK, SEQUENCES, TABLE, TINY, X, fitted, samples
from polars.testing import assert_frame_equal
from scipy import sparse
from sklearn.base import clone
from skops.io import dumps, get_untrusted_types, loads

from skae import (
    Autoencoder,
    BatchedHalvingGridSearchCV,
    ConvAutoencoder,
    DenoisingAutoencoder,
    OutlierDetector,
    RecurrentAutoencoder,
    TabularAutoencoder,
)
from skae._sklearn import tree_of_state
from skae.architectures import Dense

#: What the documentation lists, beside types of skae and of torch.nn.
OTHERS = {
    "numpy.dtype",
    "scipy.sparse._csr.csr_array",
    "sklearn.metrics._scorer._PassthroughScorer",
    "torch.optim.adamax.Adamax",  # given by the user
}

POLARS = pl.from_pandas(TABLE).with_columns(pl.col("grade").cast(pl.Enum(["r", "q", "p"])))
EVERY_LAYER = Dense((8,), "gelu", dropout=0.1, normalization="batch")

#: Models beside those of ``models.py``, and their training data.
CASES = {
    "a layer of each kind": (DenoisingAutoencoder(2, architecture=EVERY_LAYER, **QUICK), FRAME),
    "optimizer of the user": (Autoencoder(2, optimizer=torch.optim.Adamax, **TINY), X),
    "names that are dates": (
        OutlierDetector(TabularAutoencoder(2, **QUICK)),
        FRAME.set_axis(pd.date_range("2026", periods=6), axis=1),
    ),
    "convolutions": (ConvAutoencoder(2, channels=(4,), upsampling="transpose", **QUICK), IMAGES),
    "frames of steps": (
        RecurrentAutoencoder(2, **QUICK),
        [pd.DataFrame(steps, columns=["u", "v"]) for steps in SEQUENCES],
    ),
    "table of polars": (TabularAutoencoder(2, **QUICK), POLARS),
    "table of pyarrow": (TabularAutoencoder(2, **QUICK), POLARS.to_arrow()),
    "sparse rows": (OutlierDetector(Autoencoder(2, **TINY)), sparse.csr_array(X)),
    "halving": (
        BatchedHalvingGridSearchCV(Autoencoder(**TINY), {"n_components": [1, 2]}, cv=2),
        FRAME,
    ),
}
SHARED = [
    "labels",
    "variational",
    "pairs of images",
    "translator",
    "table",
    "ensemble",
    "detector with known anomalies",
    "detector of pipeline",
    "columns",
    "batched search",
]


@pytest.fixture(scope="module", params=[*CASES, *SHARED])
def saved(request):
    """A fitted model, samples, and its file."""
    name = request.param
    if name in CASES:
        model, samples_ = CASES[name]
        model = clone(model).fit(samples_)
    else:
        model, samples_ = fitted(name), samples(name)
    return model, samples_, dumps(model)


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


def test_loaded_is_saved(saved):
    model, X, data = saved
    expected, loaded = results(model, X), load(data)
    for name, found in results(loaded, X).items():
        assert_same(found, expected[name])


def test_files_hold_no_pickle_and_list_their_types(saved):
    *_, data = saved
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


@pytest.mark.parametrize("case", ["a layer of each kind", "table of polars"])
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
    assert clone(loaded).fit(X).n_iter_ == 2


@pytest.mark.parametrize("X", [FRAME, POLARS.to_arrow()], ids=["pandas", "pyarrow"])
def test_explanations(X):
    model = OutlierDetector(TabularAutoencoder(2, **QUICK)).fit(X)
    n_bytes = n_bytes_of_arrays(dumps(model))
    expected = model.explain(X[:2])
    data = dumps(model)
    assert load(data).explain(X[:2]).equals(expected)
    assert n_bytes_of_arrays(data) == n_bytes  # nothing of an explanation is kept


def test_a_net_is_in_the_file_once():
    model = Autoencoder(2, architecture=Dense((128, 64)), **QUICK).fit(X)
    n_bytes = sum(parameter.nbytes for parameter in model.net_.module_.parameters())
    assert n_bytes_of_arrays(dumps(model)) < 1.5 * n_bytes


def test_damaged_trees():
    model = OutlierDetector(Autoencoder(2, **TINY), use_labels=True, random_state=0)
    state = model.fit(FRAME, LABELS)._known_anomalies.__getstate__()["_trees"][0]
    for name, value in (("left_child", 0), ("right_child", 10**6), ("feature", 99)):
        nodes = state["nodes"].copy()
        nodes[name][0] = value
        with pytest.raises(ValueError, match="damaged"):
            tree_of_state(state | {"nodes": nodes})
