"""What a user reads after a mistake: one row a case."""

from datetime import date

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from scipy import sparse
from sklearn.exceptions import NotFittedError
from torch import nn

from skae import Autoencoder
from skae.architectures import Dense, Shortcut

GOOD = np.random.default_rng(0).normal(size=(20, 4))


def with_value(value):
    X = GOOD.copy()
    X[3, 2] = value
    return X


def frame(**columns):
    return pd.DataFrame({"age": GOOD[:, 0], "city": GOOD[:, 1]}).assign(**columns)


class Architecture:
    """Hands out the modules it is given."""

    def __init__(self, encoder, decoder):
        self.modules = encoder, decoder

    def build(self, input_shape, encoder_width, code_width):
        return self.modules


class PlainTensor(nn.Linear):
    def __init__(self):
        super().__init__(4, 3)
        self.mix = torch.eye(4)

    def forward(self, x):
        return super().forward(x @ self.mix)


DATA = {
    "NaN": (with_value(np.nan), "contains NaN"),
    "infinity": (with_value(np.inf), "contains infinity"),
    "NaN in sparse": (sparse.csr_matrix(with_value(np.nan)), "contains NaN"),
    "strings": (np.array([["a", "b"], ["c", "d"]]), "not compatible with arrays of bytes/strings"),
    "objects": (np.array([["a", 1.0], ["c", 2.0]], dtype=object), "could not convert string"),
    "one dimension": (GOOD[0], "Expected 2D array, got 1D array"),
    "three dimensions": (GOOD[None], "dim 3"),
    "no rows": (GOOD[:0], "0 sample"),
    "no columns": (GOOD[:, :0], "0 feature"),
    "complex": (GOOD + 1j, "Complex data not supported"),
    "text column": (frame(city="Paris"), r"Not numeric: columns \['city'\]"),
    "hole in a column": (frame(city=np.nan), r"Missing or infinite values in columns \['city'\]"),
    "nullable hole": (
        frame(city=pd.array([1, None] * 10, dtype="Int64")),
        r"Missing or infinite values in columns \['city'\]",
    ),
    "dates": (np.full((20, 4), "2026-01-01", dtype="datetime64[D]"), "is not numeric"),
    "columns of dates": (
        pd.DataFrame({"day": [pd.Timestamp("2026-01-01")] * 20}),
        r"Not numeric: columns \['day'\] hold dates",
    ),
    "polars date column": (
        pl.DataFrame({"age": GOOD[:, 0], "day": [date(2026, 1, 1)] * 20}),
        r"Not numeric: columns \['day'\] hold dates",
    ),
    "polars text column": (
        pl.DataFrame({"age": GOOD[:, 0], "city": ["Paris"] * 20}),
        r"Not numeric: columns \['city'\]",
    ),
    "categorical column": (
        frame(city=pd.Categorical(["Paris"] * 20)),
        r"Not numeric: columns \['city'\]",
    ),
    "two columns of one name": (
        pd.DataFrame(GOOD, columns=["a", "b", "a", "c"]),
        r"more than one column of the name \['a'\]",
    ),
    "too large for float32": (GOOD * 1e39, "train_loss is (inf|nan) in epoch 1"),
    "date column": (
        frame(city=pd.Timestamp("2026-01-01")),
        r"Not numeric: columns \['city'\]",
    ),
}


@pytest.mark.parametrize(("X", "message"), DATA.values(), ids=DATA)
def test_data(X, message, fast):
    with pytest.raises(ValueError, match=message):
        Autoencoder(**fast).fit(X)


PARAMETERS = {
    "no components": ({"n_components": 0}, "'n_components' parameter of Autoencoder must be"),
    "no batch": ({"batch_size": 0}, "'batch_size' parameter of Autoencoder must be"),
    "negative lr": ({"lr": -1.0}, "'lr' parameter of Autoencoder must be"),
    "no epochs": ({"max_epochs": 0}, "'max_epochs' parameter of Autoencoder must be"),
    "loss": ({"loss": "squared_eror"}, "Did you mean 'squared_error'"),
    "optimizer": ({"optimizer": "adamm"}, "Did you mean 'adam'"),
    "schedule": ({"lr_schedule": "onecycle"}, "Did you mean 'one_cycle'"),
    "output": ({"output_activation": "sigmoidal"}, "Did you mean 'sigmoid'"),
    "architecture": ({"architecture": "dens"}, "Did you mean 'dense'"),
    "architecture without build": ({"architecture": 3}, "'architecture' parameter of Autoencoder"),
    "activation": ({"architecture": Dense(activation="rleu")}, "Did you mean 'relu'"),
    "negative size": (
        {"architecture": Dense(hidden_layer_sizes=(8, -1))},
        r"'hidden_layer_sizes' parameter of Dense must hold positive integers.*Got \(8, -1\)",
    ),
    "fractional size": (
        {"architecture": Dense(hidden_layer_sizes=(8.5,))},
        "'hidden_layer_sizes' parameter of Dense must hold positive integers",
    ),
    "size of no layer": (
        {"architecture": Dense(hidden_layer_sizes=0)},
        "'hidden_layer_sizes' parameter of Dense must hold positive integers",
    ),
    "sizes that are a word": (
        {"architecture": Dense(hidden_layer_sizes="8")},
        "'hidden_layer_sizes' parameter of Dense must be an array-like",
    ),
    "architecture class": ({"architecture": Dense}, r"Dense is a class: write Dense\(\)"),
    "no callback": (
        {"callbacks": ["x"]},
        "callbacks must hold skorch callbacks. Got 'x'",
    ),
    "dropout of all": ({"architecture": Dense(dropout=1.0)}, "'dropout' parameter of Dense"),
    "optimizer's parameter": (
        {"optimizer_params": {"momentum": 0.9}},
        "optimizer Adam cannot be made .* unexpected keyword argument 'momentum'",
    ),
    "device": ({"device": "gpu"}, "device='gpu' cannot be used on this machine"),
    "cross-entropy on other data": (
        {"loss": "binary_cross_entropy"},
        r"needs X within \[0, 1\], but its values go from -\d",
    ),
    "scalar loss": (
        {"loss": nn.MSELoss()},
        r"loss MSELoss must return one value per element .* reduction='none'",
    ),
    "no encoder": ({"architecture": Architecture(nn.Linear(4, 3), None)}, "two nn.Module"),
    "encoder of another input": (
        {"architecture": Architecture(nn.Linear(5, 3), nn.Linear(3, 4))},
        r"The encoder of Architecture.build fails on input of shape \(2, 4\)",
    ),
    "encoder of another code": (
        {"architecture": Architecture(nn.Linear(4, 2), nn.Linear(3, 4))},
        r"The encoder of Architecture.build gives output of shape \(2, 2\).*expected \(2, 3\)",
    ),
    "decoder of another output": (
        {"architecture": Architecture(nn.Linear(4, 3), nn.Linear(3, 5))},
        r"The decoder of Architecture.build gives output of shape \(2, 5\).*expected \(2, 4\)",
    ),
    "loss class": ({"loss": nn.MSELoss}, r"MSELoss is a class: write MSELoss\(\)"),
    "loss of integers": (
        {"loss": lambda prediction, target: (prediction > target).int()},
        "must return one value per element",
    ),
    "loss without gradient": (
        {"loss": lambda prediction, target: (prediction - target).detach() ** 2},
        "returns a tensor without a gradient",
    ),
    "encoder that works in place": (
        {"architecture": Architecture(nn.ReLU(inplace=True), nn.Linear(4, 4)), "n_components": 4},
        "The encoder of Architecture.build changes its input",
    ),
    "nothing to train": (
        {"architecture": Architecture(nn.Flatten(), nn.Flatten())},
        "Architecture.build gives modules without parameters to train",
    ),
    "tensor beside the parameters": (
        {"architecture": Architecture(PlainTensor(), nn.Linear(3, 4))},
        "should be buffers, see register_buffer",
    ),
    "nothing left to fit": (
        {"early_stopping": True, "validation_fraction": 0.99},
        "holds out 20 of 20 samples, which leaves none to fit",
    ),
}


@pytest.mark.parametrize(("params", "message"), PARAMETERS.values(), ids=PARAMETERS)
def test_parameters(params, message, fast):
    with pytest.raises((ValueError, TypeError), match=message):
        Autoencoder(**{**fast, **params}).fit(GOOD)


def test_cross_entropy_with_another_output(fast):
    ae = Autoencoder(**fast, loss="binary_cross_entropy", output_activation="tanh")
    with pytest.raises(ValueError, match="needs output_activation='sigmoid' or 'auto'; got 'tanh'"):
        ae.fit(np.clip(GOOD, 0, 1))


def test_unknown_parameter_names_the_nearest():
    with pytest.raises(ValueError, match="Did you mean 'max_epochs'"):
        Autoencoder().set_params(max_epoch=3)
    with pytest.raises(ValueError, match="Did you mean 'hidden_layer_sizes'"):
        Autoencoder().set_params(architecture__hidden_layer_size=(3,))


@pytest.mark.parametrize(
    "method", ["transform", "inverse_transform", "reconstruct", "score_samples", "score"]
)
def test_unfitted(method):
    with pytest.raises(NotFittedError, match="not fitted yet"):
        getattr(Autoencoder(), method)(GOOD)


@pytest.mark.parametrize("attribute", ["encoder_", "decoder_", "history_", "n_iter_"])
def test_unfitted_attributes_do_not_exist(attribute):
    assert not hasattr(Autoencoder(), attribute)


@pytest.mark.parametrize("method", ["transform", "reconstruct", "score_samples", "score"])
def test_wrong_width(method, fast):
    ae = Autoencoder(**fast).fit(GOOD)
    with pytest.raises(ValueError, match="X has 3 features, but Autoencoder is expecting 4"):
        getattr(ae, method)(GOOD[:, :3])


def test_codes_of_the_wrong_width(fast):
    ae = Autoencoder(**fast).fit(GOOD)
    with pytest.raises(ValueError, match="X has 4 columns, but .* 3 components"):
        ae.inverse_transform(GOOD)
    with pytest.raises(ValueError, match="Expected 2D array"):
        ae.inverse_transform(GOOD[0])


def test_lazy_frame(fast):
    with pytest.raises(TypeError, match="lazy frame. Call its method collect first"):
        Autoencoder(**fast).fit(pl.LazyFrame(GOOD))


def test_shortcut_around_other_layers():
    with pytest.raises(TypeError, match="Linear with bias"):
        Shortcut(nn.Sequential(nn.Linear(4, 3), nn.ReLU()), 4, 3)


def test_renamed_columns(fast):
    X = pd.DataFrame(GOOD, columns=list("abcd"))
    ae = Autoencoder(**fast).fit(X)
    with pytest.raises(ValueError, match="The feature names should match"):
        ae.transform(X[list("bacd")])


def test_sample_weight(fast):
    for weight, message in [
        (np.ones(3), "sample_weight.shape == "),
        (-np.ones(20), "Negative values in data"),
        (np.zeros(20), "zero"),
    ]:
        with pytest.raises(ValueError, match=message):
            Autoencoder(**fast).fit(GOOD, sample_weight=weight)


def test_non_finite_loss_names_epoch_and_cause(fast):
    with pytest.raises(ValueError, match="train_loss is inf in epoch 1.*StandardScaler.*lr below"):
        Autoencoder(**fast).fit(GOOD * 1e25)
    ae = Autoencoder(**{**fast, "max_epochs": 50, "lr": 50.0}, optimizer="sgd")
    with pytest.raises(ValueError, match=r"_loss is (nan|inf) in epoch \d+"):
        ae.fit(GOOD)


def test_validation_data_outside_the_range(fast):
    X = np.clip(GOOD, 0, 1)
    ae = Autoencoder(**fast, loss="binary_cross_entropy")
    with pytest.raises(ValueError, match=r"needs X within \[0, 1\]"):
        ae.fit(X, X_val=GOOD)
    with pytest.raises(ValueError, match=r"needs X within \[0, 1\]"):
        ae.fit(X).score_samples(GOOD)


def test_failed_fit_keeps_the_fitted_model(fast):
    X = pd.DataFrame(GOOD, columns=list("abcd"))
    ae = Autoencoder(**fast).fit(X)
    before = ae.transform(X)
    state = {name: value for name, value in vars(ae).items() if name != "_rng"}
    failures = [
        (with_value(np.nan), {}),
        (GOOD * 1e25, {}),
        (GOOD[:, :2], {"architecture": Dense(hidden_layer_sizes=(-1,))}),
        (GOOD, {"device": "gpu"}),
    ]
    for X_bad, params in failures:
        ae.set_params(**params)
        with pytest.raises(ValueError):  # noqa: PT011
            ae.fit(X_bad)
        np.testing.assert_array_equal(ae.transform(X), before)
        ae.set_params(architecture="dense", device="auto")
    assert {name: vars(ae)[name] for name in state} == state


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_failure_while_training_on_keeps_the_weights(method, fast):
    ae = Autoencoder(**fast, warm_start=True).fit(GOOD)
    before, n_iter = ae.transform(GOOD), ae.n_iter_
    with pytest.raises(ValueError, match="train_loss is inf"):
        getattr(ae, method)(GOOD * 1e25)
    np.testing.assert_array_equal(ae.transform(GOOD), before)
    assert ae.n_iter_ == n_iter
    assert all(torch.isfinite(p).all() for p in ae.encoder_.parameters())
