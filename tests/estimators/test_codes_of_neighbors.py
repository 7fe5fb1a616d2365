"""Codes that keep neighbors."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier

from skae import (
    Autoencoder,
    ConvAutoencoder,
    DenoisingAutoencoder,
    RecurrentAutoencoder,
    SparseAutoencoder,
    TabularAutoencoder,
)
from skae.architectures import Dense
from skae.exceptions import UnusedParameterWarning

DIGITS, LABELS = load_digits(return_X_y=True)
DIGITS = DIGITS / 16
QUICK = {"neighbor_weight": 1.0, "max_epochs": 3, "random_state": 0, "check_baseline": False}
RNG = np.random.default_rng(0)
TABLE = pd.DataFrame(
    {
        "size": np.where(RNG.random(80) < 0.1, np.nan, RNG.normal(size=80)),
        "kind": RNG.choice(["a", "b", None], 80),
    }
)
MODELS = {
    "rows": (Autoencoder(2, **QUICK), DIGITS[:200]),
    "float32": (Autoencoder(2, **QUICK), DIGITS[:200].astype(np.float32)),
    "absolute": (Autoencoder(2, loss="absolute_error", **QUICK), DIGITS[:200]),
    "cross_entropy": (Autoencoder(2, loss="binary_cross_entropy", **QUICK), DIGITS[:200]),
    "denoising": (DenoisingAutoencoder(2, corruption="masking", **QUICK), DIGITS[:200]),
    "images": (ConvAutoencoder(2, channels=(4,), **QUICK), DIGITS[:200].reshape(-1, 8, 8)),
    "sequences": (
        RecurrentAutoencoder(2, **QUICK),
        [RNG.normal(size=(n, 2)) for n in range(5, 60)],
    ),
    "table": (TabularAutoencoder(2, **QUICK), TABLE),
}


def test_neighbors_stay_neighbors():
    fitted, new = slice(0, 600), slice(600, 1400)
    accuracy, restored = {}, {}
    for weight in (0.0, 1.0):
        model = Autoencoder(2, neighbor_weight=weight, max_epochs=120, random_state=0)
        model.fit(DIGITS[fitted])
        probe = KNeighborsClassifier().fit(model.transform(DIGITS[fitted]), LABELS[fitted])
        codes = model.transform(DIGITS[new])
        accuracy[weight] = probe.score(codes, LABELS[new])
        restored[weight] = model.score(DIGITS[new])
    assert accuracy[1.0] > accuracy[0.0] + 0.03
    assert restored[1.0] > restored[0.0] - 0.05


@pytest.mark.parametrize("name", MODELS)
def test_any_data(name):
    model, X = MODELS[name]
    model = clone(model).fit(X)
    codes = model.transform(X)
    assert codes.shape == (len(X), 2)
    assert np.isfinite(codes).all()
    np.testing.assert_array_equal(codes, clone(model).fit(X).transform(X))
    np.testing.assert_array_equal(codes, pickle.loads(pickle.dumps(model)).transform(X))
    assert len(model.inverse_transform(codes)) == len(X)
    others = clone(model).set_params(neighbor_weight=0).fit(X).transform(X)
    assert not np.allclose(codes, others, atol=1e-3)


@pytest.mark.parametrize("n_samples", [1, 2, 3, 17])
@pytest.mark.parametrize("batch_size", [1, 3, "auto"])
def test_few_rows(n_samples, batch_size):
    model = Autoencoder(1, batch_size=batch_size, **QUICK)
    codes = model.fit(DIGITS[:n_samples]).transform(DIGITS[:n_samples])
    assert np.isfinite(codes).all()


def test_weights_count():
    weight = np.where(LABELS[:300] < 5, 1.0, 0.0)
    model = Autoencoder(2, **QUICK)
    weighted = clone(model).fit(DIGITS[:300], sample_weight=weight)
    chosen = clone(model).fit(DIGITS[:300][weight > 0])
    np.testing.assert_allclose(
        weighted.transform(DIGITS), chosen.transform(DIGITS), rtol=1e-4, atol=1e-4
    )


def test_all_rows_train_and_the_last_weights_stay():
    model = Autoencoder(2, **QUICK).fit(DIGITS[:200])
    assert "valid_loss" not in model.history_[-1]
    model.fit(DIGITS[:200], X_val=DIGITS[200:300])
    assert "valid_loss" in model.history_[-1]
    assert np.isfinite(model.history_[:, "valid_loss"]).all()


def test_training_can_continue():
    model = Autoencoder(2, warm_start=True, **QUICK).fit(DIGITS[:200])
    model.fit(DIGITS[:200]).partial_fit(DIGITS[200:300])
    assert model.n_iter_ == 7
    with pytest.raises(ValueError, match="neighbor_weight changed since the net was built"):
        model.set_params(neighbor_weight=0.1).fit(DIGITS[:200])


def test_search():
    search = GridSearchCV(Autoencoder(2, **QUICK), {"neighbor_weight": [0.0, 0.5]}, cv=2)
    assert np.isfinite(search.fit(DIGITS[:100]).cv_results_["mean_test_score"]).all()


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_neighbors": 5}, "n_neighbors=5 has no effect with neighbor_weight=0"),
        ({"neighbor_weight": 1.0, "patience": 3}, "patience=3 has no effect with neighbor_weight"),
    ],
)
def test_parameters_without_effect(params, message):
    with pytest.warns(UnusedParameterWarning, match=message):
        Autoencoder(2, max_epochs=1, check_baseline=False, **params).fit(DIGITS[:50])


@pytest.mark.parametrize(
    ("model", "X"),
    [
        (ConvAutoencoder(2, channels=(4,)), DIGITS[:50].reshape(-1, 8, 8)),
        (Autoencoder(2, architecture=Dense(shortcut=False)), DIGITS[:50]),
    ],
)
def test_without_a_linear_shortcut_it_cannot_be_used_alone(model, X):
    model.set_params(max_epochs=1, check_baseline=False).fit(X)  # with the default, no warning
    with pytest.warns(UnusedParameterWarning, match="linear_fraction=0.3 has no effect"):
        model.set_params(linear_fraction=0.3).fit(X)


@pytest.mark.parametrize("params", [{"neighbor_weight": -1}, {"n_neighbors": 0}])
def test_bad_parameters(params):
    (name,) = params
    with pytest.raises(ValueError, match=f"'{name}' parameter of Autoencoder"):
        Autoencoder(2, **params).fit(DIGITS[:50])


def test_sparse_codes_have_no_such_choice():
    assert "neighbor_weight" not in SparseAutoencoder().get_params()
