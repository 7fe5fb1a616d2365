"""A fit as a session: who fits what, and how far it is from ``fit`` to the loss."""

import sys
import traceback
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.base import clone

import skae
from skae import (
    Autoencoder,
    BatchedGridSearchCV,
    ConvAutoencoder,
    EnsembleAutoencoder,
    fit_many,
)
from skae._training.session import FitSession, has_session
from skae.losses._elementwise import SquaredError
from skae.losses._mixed import CallableLoss

HERE = Path(skae.__file__).parent


class Scaled(Autoencoder):
    """Has a ``fit`` of its own, which does more."""

    def fit(self, X, y=None, **params):
        self.scale_ = np.abs(X).max()
        return super().fit(X / self.scale_, **params)


def test_a_fit_of_the_users_own_is_called(X, fast):
    assert not has_session(Scaled())
    assert has_session(type("Named", (Autoencoder,), {})())
    models = fit_many([Scaled(**fast), Scaled(**fast | {"lr": 1e-2})], X)
    search = BatchedGridSearchCV(Scaled(**fast), {"lr": [1e-3, 1e-2]}, cv=2).fit(X)
    members = EnsembleAutoencoder(Scaled(**fast), 2).fit(X).estimators_
    for model in [*models, search.best_estimator_, *members]:
        assert model.scale_ == np.abs(X).max()


def test_no_fit_returns_an_unfitted_estimator(X, fast):
    """A fit inside of another one trains, whoever trains that one."""

    class Twice(Autoencoder):
        def fit(self, X, y=None):
            self.first_ = Autoencoder(**fast).fit(X)
            self.first_codes_ = self.first_.transform(X)
            return super().fit(X)

    (model,) = fit_many([Twice(**fast)], X)
    assert model.first_codes_.shape == (len(X), model.n_components_)


def test_a_session_begins_and_ends(X, fast):
    model = Autoencoder(**fast)
    session = model._session(X)
    assert isinstance(session, FitSession)
    run = session.begin()
    run.fit_loop(until=1)
    assert len(model.loss_curve_) == 1
    run.fit_loop()
    session.end()
    np.testing.assert_array_equal(model.transform(X), clone(model).fit(X).transform(X))


def test_a_session_that_is_abandoned_leaves_no_trace(X, fast):
    model = Autoencoder(**fast).fit(X)
    codes, weights = model.transform(X), model.net_.module_
    for until in (None, 1):
        session = model.set_params(lr=1e-2)._session(X[:50])
        session.begin().fit_loop(until)
        session.abandon()
        assert model.net_.module_ is weights
        np.testing.assert_array_equal(model.transform(X), codes)


def test_the_arguments_of_a_session_are_those_of_fit(X, fast):
    with pytest.raises(TypeError, match=r"fit\(\) got an unexpected keyword argument 'samples'"):
        fit_many([Autoencoder(**fast)], X)[0]._session(X, samples=3)
    with pytest.raises(ValueError, match="'max_epochs' parameter"):
        Autoencoder(max_epochs=0)._session(X)


def in_a_script(prediction, target):
    return (prediction - target) ** 2


@pytest.mark.parametrize(
    ("kind", "shape", "loss", "method"),
    [
        (Autoencoder, (20, 8), SquaredError, "mean_and_gradient"),
        (ConvAutoencoder, (20, 8, 8), SquaredError, "forward"),
        (Autoencoder, (20, 8), CallableLoss, "function"),
        (ConvAutoencoder, (20, 8, 8), CallableLoss, "function"),
    ],
)
def test_the_way_from_fit_to_the_loss_is_short(kind, shape, loss, method, rng, fast, monkeypatch):
    depths = []

    def note(*args):
        if torch.is_grad_enabled() or method == "mean_and_gradient":
            frames = [frame.f_code for frame, _ in traceback.walk_stack(sys._getframe(1))]
            frames = frames[: [code.co_name for code in frames].index("fit") + 1]
            depths.append(sum(HERE in Path(code.co_filename).parents for code in frames))
        return original(*args)

    if loss is CallableLoss:
        original, fast = in_a_script, fast | {"loss": note}
    else:
        original = getattr(loss, method)
        monkeypatch.setattr(loss, method, note)
    kind(**fast).fit(rng.random(shape))
    assert 0 < max(depths) <= 7
