"""ONNX models compute what the estimators compute."""

import numpy as np
import onnxruntime
import pytest
from models import fitted

from skae._onnx.exporting import onnx_input, to_onnx


def run(graph, X):
    return onnxruntime.InferenceSession(graph.SerializeToString()).run(None, {"X": X})


def error(got, expected):
    """Return the largest error, in standard deviations."""
    np.testing.assert_array_equal(np.isnan(got), np.isnan(expected[: len(got)]))
    return np.nanmax(np.abs(got - expected[: len(got)])) / np.nanstd(expected)


def padded(sequences):
    longest = max(map(len, sequences))
    return np.stack(
        [np.pad(s, ((0, longest - len(s)), (0, 0)), constant_values=np.nan) for s in sequences]
    )


@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("dense", "score_samples"),
        ("denoising", "score_samples"),
        ("sparse", "reconstruct"),
        ("variational", "score_samples"),
        ("signals", "transform"),
        ("fed back", "reconstruct"),
        ("table", "score_samples"),
        ("unet", "predict"),
        ("ensemble", "score_samples"),
    ],
)
def test_any_number_of_samples_gives_what_the_estimator_gives(name, method):
    model, X = fitted(name)
    graph, expected = to_onnx(model, method), getattr(model, method)(X)
    for n in (1, 3, 1000):
        (got,) = run(graph, onnx_input(model, X[:n]))
        assert error(got, expected) < 1e-5
