"""What users give instead of samples, and tensors of any kind."""

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
ROWS = np.random.default_rng(0).normal(size=(24, 4)).astype(np.float32)
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
    for given in (deque(ROWS), UserList(ROWS), memoryview(ROWS)):
        found = getattr(clone(MODELS[name]).fit(given), method)(given)
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)
