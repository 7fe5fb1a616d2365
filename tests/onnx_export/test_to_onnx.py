"""ONNX models compute what the estimators compute."""

import json
import sys
from functools import cache

import numpy as np
import onnxruntime
import pytest
import torch
from graph_models import IMAGES, QUICK, ROWS, TABLE, fitted, rng
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from skae import (
    Autoencoder,
    EnsembleAutoencoder,
    ImageToImageRegressor,
    OutlierDetector,
    Seq2SeqTranslator,
    TabularAutoencoder,
    VariationalAutoencoder,
)
from skae._onnx.exporting import onnx_input, to_onnx


def run(graph, X):
    return onnxruntime.InferenceSession(graph.SerializeToString()).run(None, {"X": X})


@cache
def graph_of(name, method):
    return to_onnx(fitted(name)[0], method)


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
        ("variational", "score_samples"),
        ("signals", "transform"),
        ("fed back", "reconstruct"),
        ("unet", "predict"),
        ("ensemble", "score_samples"),
    ],
)
def test_any_number_of_samples_gives_what_the_estimator_gives(name, method):
    model, X = fitted(name)
    graph, expected = graph_of(name, method), getattr(model, method)(X)
    for n in (1, 3, 1000):
        (got,) = run(graph, onnx_input(model, X[:n]))
        assert error(got, expected) < 1e-5


def test_pictures_get_the_colors_of_the_temperature():
    X, tint = IMAGES[:100], np.float32([1, 0.6, 0.3])
    colors = ImageToImageRegressor((4,), loss="color_distribution", **QUICK)
    colors.fit(X, X[..., None] * tint).set_params(color_temperature=0.2)
    (got,) = run(to_onnx(colors), onnx_input(colors, X[:7]))
    assert error(got, colors.predict(X)) < 1e-3
    assert error(got, colors.set_params(color_temperature=1.0).predict(X)) > 1e-3
    with pytest.raises(ValueError, match="set sample_colors=False"):
        to_onnx(colors.set_params(sample_colors=True))


def test_nets_that_take_hints_are_graphs_without():
    X = IMAGES[:50]
    model = ImageToImageRegressor((4,), max_hints=5, **QUICK).fit(X[:, ::2, ::2], X)
    (got,) = run(to_onnx(model), onnx_input(model, X[:7, ::2, ::2]))
    assert error(got, model.predict(X[:, ::2, ::2])) < 1e-5


def test_sequences_of_any_lengths_are_restored():
    model, X = fitted("sequences")
    graph, expected = to_onnx(model, "reconstruct"), padded(model.reconstruct(X))
    axes = graph.graph.input[0].type.tensor_type.shape.dim
    assert [axis.dim_param for axis in axes] == ["n_samples", "n_steps", ""]
    for n in (1, 60):
        (got,) = run(graph, onnx_input(model, X[:n]))
        assert error(got, expected[:, : got.shape[1]]) < 1e-5
    longer = rng.normal(size=(2, 25, 2)).cumsum(1).astype(np.float32)
    assert error(*run(graph, longer), model.reconstruct(longer)) < 1e-5


class Layered:
    """An architecture of a user for sequences: two layers in both directions, and one step."""

    input_kind = "sequences"

    def build(self, input_shape, encoder_width, code_width):
        return LastStates(input_shape[1], encoder_width), Repeated(code_width, input_shape[1])


class LastStates(nn.Module):
    def __init__(self, n_features, n_outputs):
        super().__init__()
        self.layers = nn.GRU(n_features, 3, num_layers=2, bidirectional=True)
        self.last = nn.Linear(12, n_outputs)

    def forward(self, x):
        _, states = self.layers(x.nan_to_num(0.0).transpose(0, 1))
        return self.last(states.transpose(0, 1).flatten(1))


class Repeated(nn.Module):
    takes_target = True

    def __init__(self, n_inputs, n_features):
        super().__init__()
        self.layer = nn.Linear(n_inputs, n_features)

    def forward(self, code, target):
        return self.layer(code)[:, None].expand(-1, target.shape[1], -1)


def test_recurrent_layers_of_users_take_any_number_of_steps():
    X = rng.normal(size=(30, 4, 2)).astype(np.float32)
    model = Autoencoder(2, architecture=Layered(), **QUICK).fit(X)
    graph = to_onnx(model, "transform")
    longer = rng.normal(size=(20, 9, 2)).astype(np.float32)
    assert error(*run(graph, longer), model.transform(longer)) < 1e-5


def test_sequences_of_codes_are_as_long_as_expected():
    model, X = fitted("sequences")
    codes = model.transform(X)
    (got,) = run(to_onnx(model, "inverse_transform"), codes.astype(np.float32))
    expected = padded(model.inverse_transform(codes))
    assert error(got[:, : expected.shape[1]], expected) < 1e-5
    assert np.isnan(got[:, expected.shape[1] :]).all()


def test_intensities_stay_integers():
    model, X = fitted("images")
    (got,) = run(to_onnx(model, "reconstruct"), X)
    expected = model.reconstruct(X)
    assert got.dtype == expected.dtype == np.uint8
    assert np.abs(got.astype(int) - expected).max() <= 1  # numbers near the middle of two
    as_floats = onnx_input(model, X[:5] / 255)
    np.testing.assert_array_equal(as_floats, X[:5])


def test_tables_are_restored_as_the_codes_that_the_metadata_explains():
    model, X = fitted("table")
    graph, restored = to_onnx(model, "reconstruct"), model.reconstruct(X)
    codes = onnx_input(model, X)
    assert codes.dtype == np.float64
    assert np.isnan(codes[3, 0])
    (got,) = run(graph, codes)
    text = {one.key: one.value for one in graph.metadata_props}["skae.columns"]
    job, since = json.loads(text)["columns"][1:]
    assert [job["categories"][int(code)] for code in got[:, 1]] == restored["job"].tolist()
    assert error(got[:, 0], restored["age"].to_numpy()) < 1e-5
    seconds = restored["since"].astype("datetime64[ns]").astype(int) / 1e9
    assert since["unit"].startswith("seconds since 1970")
    assert error(got[:, 2], seconds.to_numpy()) < 1e-5


def test_of_tables_that_are_drawn_cell_by_cell_there_is_a_graph_of_codes():
    model = VariationalAutoencoder(2, architecture="tabular", **QUICK).fit(TABLE)
    assert error(*run(to_onnx(model), onnx_input(model, TABLE)), model.transform(TABLE)) < 1e-5
    for method in ("inverse_transform", "reconstruct", "score_samples"):
        with pytest.raises(ValueError, match=f"no graph of '{method}'.* likelihood='gaussian'"):
            to_onnx(model, method)
    with pytest.raises(ValueError, match="no graph of 'score_samples'.* likelihood='gaussian'"):
        to_onnx(OutlierDetector(model).fit(TABLE))
    model = EnsembleAutoencoder(model, 2).fit(TABLE)
    with pytest.raises(ValueError, match="no graph of 'reconstruct'.* likelihood='gaussian'"):
        to_onnx(model, "reconstruct")
    model = VariationalAutoencoder(2, architecture="tabular", likelihood="gaussian", **QUICK)
    got = run(to_onnx(model.fit(TABLE), "score_samples"), onnx_input(model, TABLE))
    assert error(*got, model.score_samples(TABLE)) < 1e-5


def test_far_rows_get_the_worst_score():
    far = np.full((1, ROWS.shape[1]), 1e30, np.float32)
    (score,) = run(graph_of("dense", "score_samples"), far)
    assert -np.inf < score[0] < -1e30


def test_float64_is_exact():
    model, X = fitted("sparse")
    X = X[:100].astype(np.float64)
    (got,) = run(to_onnx(model, "score_samples", dtype="float64"), X)
    assert error(got, model.score_samples(X)) < 1e-8


def test_detectors_give_label_scores_and_threshold():
    detector, X = fitted("detector")
    graph = to_onnx(detector)
    assert [output.name for output in graph.graph.output] == ["label", "scores", "threshold"]
    label, scores, threshold = run(graph, X)
    assert threshold == detector.offset_
    assert error(scores, detector.score_samples(X)) < 1e-5
    is_close = np.abs(scores - threshold) < 1e-5 * scores.std()
    assert (label == detector.predict(X))[~is_close].all()


def test_detectors_of_tables_take_the_table_as_codes():
    detector = OutlierDetector(TabularAutoencoder(3, **QUICK)).fit(TABLE)
    decision = run(to_onnx(detector, "decision_function"), onnx_input(detector, TABLE))[0]
    assert error(decision, detector.decision_function(TABLE)) < 1e-5


# What cannot be.


class Bessel(nn.Module):
    """A layer that ONNX lacks."""

    def forward(self, x):
        return x + torch.special.i1e(x)


class AsksForLength(nn.Module):
    """A layer that asks for the number of samples."""

    def forward(self, x):
        return x.view(len(x), -1)


class Own:
    """An architecture of a user."""

    def __init__(self, layer):
        self.layer = layer

    def build(self, input_shape, encoder_width, code_width):
        first, last = nn.Linear(*input_shape, 8), nn.Linear(8, encoder_width)
        decoder = nn.Sequential(nn.Linear(code_width, 8), nn.Linear(8, *input_shape))
        return nn.Sequential(first, self.layer, last), decoder


def test_errors_name_the_layer_that_onnx_lacks(capfd, caplog):
    model = Autoencoder(2, architecture=Own(Bessel()), **QUICK).fit(ROWS)
    with pytest.raises(ValueError, match=r"layer encoder\.1 \(Bessel\) cannot .*bessel_i1e"):
        to_onnx(model)
    assert (*capfd.readouterr(), caplog.text) == ("", "", "")


def test_layers_may_ask_for_the_number_of_samples():
    model = Autoencoder(2, architecture=Own(AsksForLength()), **QUICK).fit(ROWS)
    assert error(*run(to_onnx(model), ROWS), model.transform(ROWS)) < 1e-5


def test_models_that_are_not_fitted():
    for model in (Autoencoder(), OutlierDetector(), make_pipeline(StandardScaler(), Autoencoder())):
        with pytest.raises(NotFittedError, match="not fitted"):
            to_onnx(model)


@pytest.mark.parametrize(
    ("name", "how", "message"),
    [
        ("sparse", {"method": "score_sample"}, "Did you mean 'score_samples'"),
        ("sparse", {"method": "predict"}, "SparseAutoencoder must be one of 'transform', 'inverse"),
        ("sparse", {"method": 3}, "got 3"),
        ("detector", {"method": "transform"}, "OutlierDetector must be one of 'predict'"),
        ("sparse", {"opset": 12}, "opset must be an integer from 18 to 23; got 12"),
        ("sparse", {"dtype": "float16"}, "dtype must be 'float32' or 'float64'; got 'float16'"),
    ],
)
def test_unknown_choices(name, how, message):
    with pytest.raises(ValueError, match=message):
        to_onnx(fitted(name)[0], **how)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Seq2SeqTranslator(), "to_ctranslate2"),
        (Autoencoder, "got the class Autoencoder"),
        ("model", "fitted estimator; got 'model'"),
    ],
)
def test_what_is_no_model(model, message):
    with pytest.raises(TypeError, match=message):
        to_onnx(model)


def test_missing_packages_are_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(ImportError, match=r"pip install 'skae\[onnx\]'"):
        to_onnx(fitted("sparse")[0])
