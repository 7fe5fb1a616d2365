"""Codes that cannot be decoded, and optimizers that are none."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse

from skae import (
    Autoencoder,
    ConvAutoencoder,
    EnsembleAutoencoder,
    RecurrentAutoencoder,
    TabularAutoencoder,
)

ROWS = np.random.default_rng(0).normal(size=(20, 4))
CODES = np.zeros((3, 2))
FAST = {"max_epochs": 1, "check_baseline": False, "early_stopping": False, "random_state": 0}
TAKES = "inverse_transform takes codes, the output of transform"


def frame(**columns):
    return pd.DataFrame(CODES, columns=["a", "b"]).assign(**columns)


def cell(value):
    codes = CODES.astype(object)
    codes[1, 0] = value
    return codes


WRONG = {
    "text in a frame": (frame(b="x"), r"Not numeric: columns \['b'\]"),
    "dates in a frame": (frame(b=pd.Timestamp("2026-01-01")), r"columns \['b'\] hold dates"),
    "categories": (frame(b=pd.Categorical(["x"] * 3)), r"Not numeric: columns \['b'\]"),
    "missing in a frame": (frame(b=np.nan), r"infinite values in columns \['b'\]"),
    "names twice": (frame().set_axis(["a", "a"], axis=1), r"more than one column .* \['a'\]"),
    "too few": (CODES[:, :1], "X has 1 columns, but .* fitted with 2 components"),
    "one axis": (CODES[0], "Expected 2D array, got 1D array"),
    "three axes": (CODES[None], "dim 3"),
    "NaN": (cell(np.nan).astype(float), r"contains NaN.\nX\[1, 0\] is nan"),
    "infinity": (cell(np.inf).astype(float), r"contains infinity.*\nX\[1, 0\] is inf"),
    "sparse NaN": (sparse.csr_array(cell(np.nan).astype(float)), r"X\[1, 0\] is .*nan"),
    "None": (cell(None), r"X\[1, 0\] is None"),
    "None in a list": (cell(None).tolist(), r"contains NaN.\nX\[1, 0\] is None"),
    "text": (cell("x"), r"X\[1, 0\] is 'x'"),
    "text in a list": (cell("x").tolist(), r"X\[0, 0\] is 0.0|X\[1, 0\] is 'x'"),
    "dates": (np.zeros((3, 2), "M8[s]"), "datetime64.* is not numeric"),
    "complex": (CODES + 1j, "Complex data not supported"),
    "no rows": (CODES[:0], r"0 sample\(s\)"),
    "unequal rows": ([[1.0, 2.0], [3.0]], "inhomogeneous"),
}
MODELS = {
    "rows": (Autoencoder(2, **FAST), ROWS),
    "tables": (
        TabularAutoencoder(2, **FAST),
        pd.DataFrame({"x": ROWS[:, 0], "c": ["u", "v"] * 10}),
    ),
    "images": (ConvAutoencoder(2, image_shape=(2, 2), **FAST), ROWS),
    "sequences": (RecurrentAutoencoder(2, **FAST), list(ROWS[:, :, None])),
    "ensemble": (EnsembleAutoencoder(Autoencoder(1, **FAST), n_estimators=2), ROWS),
}


@pytest.fixture(scope="module", params=MODELS)
def model(request):
    estimator, X = MODELS[request.param]
    return estimator.fit(X)


@pytest.mark.parametrize(("codes", "message"), WRONG.values(), ids=WRONG)
def test_wrong_codes_are_named_with_what_to_give(codes, message, model):
    with pytest.raises(ValueError, match=f"(?s){message}.*{TAKES}"):
        model.inverse_transform(codes)


def test_codes_of_any_numbers_are_decoded(model):
    expected = model.inverse_transform(CODES)
    for codes in (frame(), CODES.astype(int), CODES > 1, sparse.coo_array(CODES), CODES.tolist()):
        found = model.inverse_transform(codes)
        np.testing.assert_array_equal(np.asarray(found), np.asarray(expected))


def test_lists_with_none_are_refused_as_arrays_are():
    rows = ROWS.tolist()
    rows[2][1] = None
    with pytest.raises(ValueError, match=r"contains NaN.\nX\[2, 1\] is None"):
        Autoencoder(2, **FAST).fit(rows)
    with pytest.raises(ValueError, match=r"contains NaN.\nX\[2, 1\] is None"):
        Autoencoder(2, **FAST).fit(ROWS).transform(rows)


@pytest.mark.parametrize(
    "optimizer",
    [int, dict, type, print, torch.nn.Linear, torch.optim.lr_scheduler.StepLR]
    + [lambda parameters, lr, weight_decay=0: None],
)
def test_what_is_no_optimizer(optimizer):
    with pytest.raises(ValueError, match="optimizer .* Give a name, such as 'adam', or a class"):
        Autoencoder(2, **FAST, optimizer=optimizer).fit(ROWS)


def test_optimizers_that_cannot_make_a_step():
    with pytest.raises(ValueError, match="SparseAdam does not support dense gradients"):
        Autoencoder(2, **FAST, optimizer=torch.optim.SparseAdam).fit(ROWS)


def test_functions_that_make_an_optimizer():
    model = Autoencoder(2, **FAST, optimizer=lambda p, lr: torch.optim.SGD(p, lr=lr))
    assert np.isfinite(model.fit(ROWS).transform(ROWS)).all()
