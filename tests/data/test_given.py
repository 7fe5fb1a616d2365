"""What users give instead of samples, and tensors of any kind."""

import os
import subprocess
import sys
from collections import UserList, deque
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from sklearn.base import clone
from sklearn.decomposition import PCA
from torch.nn.utils.rnn import pack_sequence
from torch.utils.data import DataLoader, Dataset, TensorDataset

from skae import (
    Autoencoder,
    BatchedGridSearchCV,
    ConvAutoencoder,
    EnsembleAutoencoder,
    ImageToImageRegressor,
    OutlierDetector,
    RecurrentAutoencoder,
    TabularAutoencoder,
    TabularOutlierScorer,
    VariationalAutoencoder,
    fit_many,
)
from skae.metrics import ssim_score

FAST = {"max_epochs": 1, "check_baseline": False, "early_stopping": False, "random_state": 0}
#: In fourths, which are the same in all precisions.
ROWS = (np.random.default_rng(0).normal(size=(24, 4)) * 4).round().astype(np.float32) / 4
IMAGES = np.random.default_rng(0).random((12, 8, 8)).astype(np.float32)
FRAME = pd.DataFrame(ROWS, columns=list("abcd"))
MODELS = {
    "rows": Autoencoder(2, **FAST),
    "tables": TabularAutoencoder(2, **FAST),
    "images": ConvAutoencoder(2, image_shape=(2, 2), **FAST),
    "sequences": RecurrentAutoencoder(2, **FAST),
    "variational": VariationalAutoencoder(2, **FAST),
    "ensemble": EnsembleAutoencoder(Autoencoder(2, **FAST), n_estimators=2, random_state=0),
    "scorer": TabularOutlierScorer(TabularAutoencoder(2, **FAST), random_state=0),
    "detector": OutlierDetector(Autoencoder(2, **FAST)),
    "detector of PCA": OutlierDetector(PCA(2)),
    "search": BatchedGridSearchCV(Autoencoder(2, **FAST), {"lr": [1e-3, 1e-2]}, cv=2),
}


class Pictures(Dataset):
    """A torch Dataset that one can index as a list."""

    def __len__(self):
        return 24

    def __getitem__(self, i):
        return ROWS[range(24)[i]]


def generator():
    yield from ROWS


#: What holds no samples, made anew each time, and what the error says of it.
NO_SAMPLES = {
    "generator": (generator, r"of type generator.* give list\(X\)"),
    "map": (lambda: map(list, ROWS), r"of type map.* give list\(X\)"),
    "zip": (lambda: zip(ROWS, ROWS, strict=True), r"of type zip.* give list\(X\)"),
    "path": (lambda: Path("rows.csv"), r"rows.csv.*read it first, .* pandas.read_csv"),
    "name of a file": (lambda: "rows.csv", r"'rows.csv'.*read it first, .* pandas.read_csv"),
    "bytes": (lambda: b"1,2", r"of type bytes, b'1,2'"),
    "data set": (Pictures, "of type Pictures.*one array"),
    "tensors": (lambda: TensorDataset(torch.tensor(ROWS)), "of type TensorDataset.*one array"),
    "loader": (lambda: DataLoader(Pictures()), "of type DataLoader.*each batch to partial_fit"),
    "lazy frame": (lambda: pl.DataFrame(ROWS).lazy(), "lazy frame. Call its method collect"),
    "groups": (lambda: FRAME.groupby("a"), r"GroupBy.*\[group for _, group in X\]"),
    "dict": (lambda: {"a": [1, 2]}, r"of type dict.*pandas.DataFrame\(X\)"),
    "set": (lambda: {1, 2}, "of type set.*no order"),
    "values": (lambda: {"a": ROWS}.values(), r"of type dict_values.*list\(X\)"),
    "None": (lambda: None, "X is None. Give an array, a DataFrame"),
    "class": (lambda: np.ndarray, "Give data, not a class"),
    "function": (lambda: generator, "of type function. Give an array"),
    "estimator": (Autoencoder, "of type Autoencoder. Give an array"),
    "packed sequence": (lambda: pack_sequence([torch.ones(3)]), "unpack_sequence"),
}
METHODS = ("transform", "inverse_transform", "reconstruct", "reconstruction_errors", "impute") + (
    "score",
    "score_samples",
    "predict",
    "p_value",
    "explain",
    "report",
)


@pytest.fixture(scope="module")
def fitted():
    """The models, fitted on rows."""
    return {name: clone(model).fit(ROWS) for name, model in MODELS.items()}


@pytest.mark.parametrize("given", NO_SAMPLES)
@pytest.mark.parametrize("name", MODELS)
def test_what_holds_no_samples_is_named_with_what_to_give(given, name, fitted):
    make, message = NO_SAMPLES[given]
    with pytest.raises(TypeError, match=message):
        clone(MODELS[name]).fit(make())
    model = fitted[name]
    for method in METHODS:
        if hasattr(model, method):
            with pytest.raises(TypeError, match=message):
                getattr(model, method)(make())


@pytest.mark.parametrize("given", NO_SAMPLES)
def test_further_arguments_hold_samples_too(given):
    make, message = NO_SAMPLES[given]
    if given != "None":
        with pytest.raises(TypeError, match=f"In the validation data: .*{message}"):
            clone(MODELS["rows"]).fit(ROWS, X_val=make())
        with pytest.raises(TypeError, match=message.replace("X", "sample_weight")):
            clone(MODELS["rows"]).fit(ROWS, sample_weight=make())
        with pytest.raises(TypeError, match=message.replace("X", "y")):
            ImageToImageRegressor((4,), **FAST).fit(IMAGES, make())
    with pytest.raises(TypeError, match=message):
        fit_many([clone(MODELS["rows"])], make())
    with pytest.raises(TypeError, match=message.replace("X", "y_true")):
        ssim_score(make(), IMAGES)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (["a.png", "b.png"], "list of str, 'a.png' first.*read the files first"),
        ([Path("a.png")] * 3, r"list of PosixPath.*read the files first"),
        (np.array(["a.png", "b.png"]), "a.png.*read the files first"),
        ([{"a": 1}, {"a": 2}], r"list of dict: give a table, such as pandas.DataFrame\(X\)"),
    ],
)
@pytest.mark.parametrize("name", ["rows", "tables", "images", "sequences", "detector", "scorer"])
def test_lists_of_paths_and_records(X, message, name):
    with pytest.raises(ValueError, match=message):
        clone(MODELS[name]).fit(X)


@pytest.mark.parametrize("name", MODELS)
def test_sequences_of_any_class_are_lists(name, fitted):
    method = "transform" if hasattr(fitted[name], "transform") else "score_samples"
    expected = getattr(fitted[name], method)(ROWS)
    for given in (deque(ROWS), UserList(ROWS)):
        found = getattr(clone(MODELS[name]).fit(given), method)(given)
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


#: Tensors that hold the same numbers.
TENSORS = {
    "with gradient": lambda x: torch.tensor(x, requires_grad=True),
    "parameter": lambda x: torch.nn.Parameter(torch.tensor(x)),
    "bfloat16": lambda x: torch.tensor(x).bfloat16(),
    "float8": lambda x: torch.tensor(x).to(torch.float8_e4m3fn),
    "not contiguous": lambda x: torch.tensor(x.T.copy()).T,
    "negative view": lambda x: torch._neg_view(-torch.tensor(x)),
    "list": lambda x: [torch.tensor(row, requires_grad=True) for row in x],
    "list of lists": lambda x: [list(torch.tensor(row, requires_grad=True)) for row in x],
    "array of objects": lambda x: np.fromiter(map(torch.tensor, x), object, len(x)),
}


@pytest.mark.filterwarnings("ignore:X seems to hold training rows")
@pytest.mark.parametrize(
    ("name", "kind"),
    [("rows", kind) for kind in TENSORS]
    + [(name, kind) for name in MODELS for kind in ("with gradient", "bfloat16", "list")],
)
def test_tensors_of_any_kind_are_read_as_their_numbers(kind, name, fitted):
    tensors = TENSORS[kind](ROWS)
    model, expected = clone(MODELS[name]).fit(tensors), fitted[name]
    for method in METHODS:
        if hasattr(model, method) and method not in ("inverse_transform", "explain", "report"):
            found, right = getattr(model, method)(tensors), getattr(expected, method)(ROWS)
            np.testing.assert_allclose(found, right, rtol=1e-6, atol=1e-6)
    if hasattr(model, "inverse_transform"):
        codes = model.transform(ROWS)
        tensors = torch.tensor(codes, requires_grad=True)
        found, right = model.inverse_transform(tensors), expected.inverse_transform(codes)
        np.testing.assert_allclose(found, right, rtol=1e-6, atol=1e-6)


def test_tensors_as_validation_data_weights_targets_and_lengths():
    weight = torch.ones(24, requires_grad=True).bfloat16()
    rows = torch.tensor(ROWS, requires_grad=True)
    model = clone(MODELS["rows"]).fit(rows, sample_weight=weight, X_val=rows)
    expected = clone(MODELS["rows"]).fit(ROWS, sample_weight=np.ones(24), X_val=ROWS)
    np.testing.assert_array_equal(model.transform(ROWS), expected.transform(ROWS))
    assert model.score(rows, sample_weight=weight) == expected.score(ROWS)
    images = torch.tensor(IMAGES).bfloat16().requires_grad_()
    regressor = ImageToImageRegressor((4,), **FAST).fit(images, images, X_val=images, y_val=images)
    assert np.isfinite(regressor.score(images, images))
    sequences = [torch.tensor(image, requires_grad=True) for image in IMAGES]
    model = clone(MODELS["sequences"]).fit(sequences)
    assert [len(one) for one in model.impute(sequences)] == [8] * 12
    codes = torch.tensor(model.transform(sequences)[:2], requires_grad=True)
    assert [len(one) for one in model.inverse_transform(codes, torch.tensor([2, 3]))] == [2, 3]
    fit_many([model], sequences, rows=[torch.arange(5)])


@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        (torch.ones(4, 3).to_sparse(), "nested or sparse tensor: give dense ones"),
        (torch.ones(4, 3, device="meta"), "on the device meta, which has no values"),
        ([torch.ones(3), torch.ones(3, device="meta")], r"X\[1\] is a tensor on the device meta"),
    ],
)
def test_tensors_without_numbers(tensor, message, fitted):
    for name in MODELS:
        with pytest.raises(TypeError, match=message):
            clone(MODELS[name]).fit(tensor)


class OnDevice:
    """An array of a library whose arrays NumPy cannot read, such as CuPy."""

    def __init__(self, array):
        self.tensor = torch.tensor(array)

    def __array_namespace__(self):
        raise NotImplementedError

    def __dlpack__(self, **how):
        return self.tensor.__dlpack__()

    def __dlpack_device__(self):
        return self.tensor.__dlpack_device__()

    def __array__(self, *how):
        raise TypeError("Implicit conversion to a NumPy array is not allowed")


def test_arrays_of_other_libraries_come_by_dlpack(fitted, monkeypatch):
    monkeypatch.setattr("skae._data.given._CPU", -1)
    found = fitted["rows"].transform(OnDevice(ROWS))
    np.testing.assert_array_equal(found, fitted["rows"].transform(ROWS))


ARRAY_API = """
import numpy as np, sklearn, torch
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tests.data.test_given import IMAGES, MODELS, ROWS, clone, ImageToImageRegressor, FAST

rows = torch.tensor(ROWS, requires_grad=True)
with sklearn.config_context(array_api_dispatch=True):
    for name, model in MODELS.items():
        model = clone(model).fit(rows)
        method = "transform" if hasattr(model, "transform") else "score_samples"
        found, right = (getattr(model, method)(X) for X in (rows, ROWS))
        assert isinstance(right, np.ndarray)
        np.testing.assert_array_equal(found, right)
    pipeline = make_pipeline(StandardScaler(), MODELS["rows"]).fit(rows)
    codes = pipeline.transform(rows)
    assert codes.shape == (24, 2) and np.isfinite(pipeline.score(rows))
    assert isinstance(codes, torch.Tensor)
    assert isinstance(pipeline.inverse_transform(codes), torch.Tensor)
    model = clone(MODELS["variational"]).fit(rows)
    found = *model.transform(rows, return_std=True), model.reconstruct(rows), model.elbo(rows)
    for one in found:
        assert isinstance(one, torch.Tensor)
    assert isinstance(MODELS["ensemble"].fit(rows).score_samples(rows), torch.Tensor)
    assert isinstance(clone(MODELS["tables"]).fit(rows).impute(rows), torch.Tensor)
    assert isinstance(clone(MODELS["rows"]).fit(rows).transform(ROWS), np.ndarray)
    assert isinstance(clone(MODELS["detector"]).fit(rows).predict(rows), np.ndarray)
    weight = torch.ones(24)
    clone(MODELS["rows"]).fit(rows, sample_weight=weight, X_val=rows).score(rows, None, weight)
    images = torch.tensor(IMAGES)
    regressor = ImageToImageRegressor((4,), **FAST).fit(images, images)
    assert isinstance(regressor.predict(images), torch.Tensor)
    regressor.score(images, images)
assert isinstance(regressor.transform(images), np.ndarray)
"""


def test_tensors_with_array_api_dispatch():
    environment = os.environ | {"SCIPY_ARRAY_API": "1"}  # known before SciPy is imported
    root = Path(__file__).parents[2]
    found = subprocess.run(
        [sys.executable, "-c", ARRAY_API], cwd=root, env=environment, capture_output=True, text=True
    )
    assert found.returncode == 0, found.stderr
