"""ONNX models compute what the estimators compute."""

import numpy as np
import onnxruntime
import pandas as pd
import pytest
from sklearn.datasets import load_digits

from skae import (
    Autoencoder,
)
from skae._onnx.exporting import onnx_input, to_onnx
from skae.architectures import Dense

QUICK = {"max_epochs": 2, "random_state": 0, "check_baseline": False}
IMAGES = load_digits().images / 16
ROWS = IMAGES.reshape(len(IMAGES), -1)
rng = np.random.default_rng(0)
SEQUENCES = [rng.normal(size=(n, 2)).cumsum(0) for n in rng.integers(3, 9, 60)]
TABLE = pd.DataFrame(
    {
        "age": rng.normal(40, 9, 200).round(),
        "job": rng.choice(["cook", "nurse", None], 200),
        "since": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 10**7, 200), "s"),
    }
)
TABLE.loc[3, "age"] = np.nan


def run(graph, X):
    return onnxruntime.InferenceSession(graph.SerializeToString()).run(None, {"X": X})


def errors(got, expected):
    """Return the largest error, in standard deviations of each column."""
    spread = np.nanstd(expected, axis=0 if expected.ndim == 2 else None)
    np.testing.assert_array_equal(np.isnan(got), np.isnan(expected[: len(got)]))
    return np.nanmax(np.abs(got - expected[: len(got)]) / np.maximum(spread, 1e-3))


CASES = {
    "dense": (
        Autoencoder(4, architecture=Dense((16,), normalization="batch"), **QUICK),
        ROWS,
        "transform",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_results_are_those_of_the_estimator(name):
    model, X, method = CASES[name]
    model.fit(X)
    graph = to_onnx(model, method)
    expected = getattr(model, method)(X)
    for n in (1, 3, 1000):
        (got,) = run(graph, onnx_input(model, X[:n]))
        assert errors(got, expected) < 1e-5
