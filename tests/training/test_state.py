"""What is fitted stays as it was if another fit fails or is interrupted."""

import copy
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback

from skae import (
    Autoencoder,
    BatchedGridSearchCV,
    BatchedHalvingGridSearchCV,
    BatchedRandomizedSearchCV,
    DenoisingAutoencoder,
    EnsembleAutoencoder,
    ImageToImageRegressor,
    OutlierDetector,
    TabularAutoencoder,
    TabularOutlierScorer,
    VariationalAutoencoder,
    fit_many,
)
from skae.architectures import Dense

GRID = {"lr": [1e-3, 2e-3, 3e-3]}


class Break(Callback):
    """Raises an error in trainings on many samples, at one of their events."""

    error, n_samples, event = None, 0, "on_epoch_end"

    def break_at(self, event, X):
        if event == self.event and len(X) >= self.n_samples and self.error is not None:
            raise self.error

    def on_train_begin(self, net, X=None, **kwargs):
        self.break_at("on_train_begin", X)

    def on_epoch_end(self, net, dataset_train=None, **kwargs):
        self.break_at("on_epoch_end", dataset_train)

    def on_train_end(self, net, X=None, **kwargs):
        self.break_at("on_train_end", X)


def score(estimator, X, y=None):
    if Break.event == "score" and Break.error is not None:
        raise Break.error
    return estimator.score(X)


@pytest.fixture
def breaking(fast):
    return Autoencoder(architecture=Dense((6,)), callbacks=[Break()]).set_params(**fast)


def searches(breaking):
    params = {"cv": 2, "scoring": score, "error_score": "raise"}
    return {
        "grid": BatchedGridSearchCV(breaking, GRID, **params),
        "random": BatchedRandomizedSearchCV(breaking, GRID, n_iter=2, random_state=0, **params),
        "halving": BatchedHalvingGridSearchCV(breaking, GRID, **params),
    }


def others(breaking):
    tabular = TabularAutoencoder(callbacks=[Break()], max_epochs=2, check_baseline=False)
    return {
        "autoencoder": clone(breaking),
        "warm": clone(breaking).set_params(warm_start=True),
        "ensemble": EnsembleAutoencoder(breaking, 3, random_state=0),
        "detector": OutlierDetector(breaking, random_state=0),
        "detector with cv": OutlierDetector(breaking, cv=2, random_state=0),
        "detector of a pipeline": OutlierDetector(
            make_pipeline(StandardScaler(), breaking), random_state=0
        ),
        "scorer": TabularOutlierScorer(tabular, random_state=0),
    }


def assert_unchanged(model, before):
    assert vars(model).keys() == before.keys()
    changed = [name for name, value in vars(model).items() if value is not before[name]]
    assert not changed


@pytest.mark.parametrize(
    ("event", "error"),
    [
        ("on_train_begin", KeyboardInterrupt()),
        ("on_train_end", MemoryError("none")),
        ("score", KeyboardInterrupt()),
        ("score", ValueError("no")),
        ("refit", KeyboardInterrupt()),
        ("refit", ValueError("no")),
    ],
)
@pytest.mark.parametrize("kind", ["grid", "random", "halving"])
def test_a_failed_search_stays_as_it_was(kind, event, error, breaking, X, monkeypatch):
    frame = pd.DataFrame(X).add_prefix("x")[:100]
    search = searches(breaking)[kind].fit(frame)
    before, codes = dict(vars(search)), search.transform(frame)
    monkeypatch.setattr(Break, "error", error)
    monkeypatch.setattr(Break, "event", event.replace("refit", "on_train_end"))
    monkeypatch.setattr(Break, "n_samples", len(X) if event == "refit" else 0)
    with pytest.raises(type(error)):
        search.fit(X)
    assert_unchanged(search, before)
    np.testing.assert_array_equal(search.transform(frame), codes)
    assert list(search.feature_names_in_) == [f"x{i}" for i in range(10)]


@pytest.mark.parametrize(
    ("event", "error"),
    [("on_train_begin", KeyboardInterrupt()), ("on_train_end", MemoryError("none"))],
)
@pytest.mark.parametrize("kind", others(Autoencoder()))
def test_a_failed_fit_stays_as_it_was(kind, event, error, breaking, X, monkeypatch):
    model = others(breaking)[kind].fit(X[:100])
    before, scores = dict(vars(model)), model.score_samples(X)
    monkeypatch.setattr(Break, "error", error)
    monkeypatch.setattr(Break, "event", event)
    with pytest.raises(type(error)):
        model.fit(X)
    assert_unchanged(model, before)
    np.testing.assert_array_equal(model.score_samples(X), scores)


@pytest.mark.parametrize("kind", ["scores", "background"])
def test_a_detector_whose_end_fails_stays_as_it_was(kind, breaking, X, monkeypatch):
    detector = OutlierDetector(breaking, cv=2, random_state=0).fit(X)
    before = dict(vars(detector))

    def interrupted(*args):
        raise KeyboardInterrupt

    name = {"scores": "_held_out_scores", "background": "safe_indexing"}[kind]
    monkeypatch.setattr(f"skae._outliers.detector.{name}", interrupted)
    with pytest.raises(KeyboardInterrupt):
        detector.fit(X[:60])
    assert_unchanged(detector, before)


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_estimators_that_fail_among_many_stay_as_they_were(n_jobs, breaking, X):
    class Steps:
        def __init__(self):
            self.scaler = StandardScaler()
            self.model = make_pipeline(self.scaler, clone(breaking))

    plain, steps = clone(breaking), Steps()
    models = [plain, steps.model, clone(breaking)]
    fit_many(models, X[:60])
    before, mean = dict(vars(plain)), steps.scaler.mean_
    plain.lr = steps.model[-1].lr = 1e30
    plain.optimizer = steps.model[-1].optimizer = "sgd"
    before |= {"lr": plain.lr, "optimizer": plain.optimizer}
    with pytest.raises(ValueError, match="loss is"):
        fit_many(models, X, n_jobs=n_jobs)
    assert_unchanged(plain, before)
    assert steps.scaler.mean_ is mean
    assert models[2].net_.history[-1]["train_loss"] > 0


def states(net):
    """Return all numbers of an optimizer, for the parameter that it has."""
    (state,) = net.optimizer_.state.values()
    return {name: value.numpy().copy() for name, value in state.items()}


@pytest.mark.parametrize("optimizer", ["adam", "sgd", "muon"])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_a_training_that_fails_does_not_change_the_optimizer(
    method, optimizer, breaking, X, monkeypatch
):
    params = {"momentum": 0.9} if optimizer == "sgd" else None
    model = breaking.set_params(optimizer=optimizer, optimizer_params=params, warm_start=True)
    model.fit(X)
    before, twin = states(model.net_), pickle.loads(pickle.dumps(model))
    history = copy.deepcopy(model.history_)
    monkeypatch.setattr(Break, "error", RuntimeError("no"))
    with pytest.raises(RuntimeError, match="no"):
        getattr(model, method)(X)
    for name, value in states(model.net_).items():
        np.testing.assert_array_equal(value, before[name])
    assert model.history_ == history
    monkeypatch.setattr(Break, "error", None)
    np.testing.assert_array_equal(model.fit(X).transform(X), twin.fit(X).transform(X))


IMAGES = np.random.default_rng(0).random((24, 8, 8)).astype(np.float32)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (DenoisingAutoencoder, (IMAGES.reshape(24, 64),)),
        (VariationalAutoencoder, (IMAGES.reshape(24, 64),)),
        (ImageToImageRegressor, (IMAGES, IMAGES)),
    ],
)
def test_objectives_stay_as_they_were(kind, data, method, monkeypatch):
    model = kind(max_epochs=1, warm_start=True, random_state=0, check_baseline=False)
    model.set_params(callbacks=[Break()], device="cpu")
    with warnings.catch_warnings(action="ignore"):
        model.fit(*data)
    before, weights = dict(vars(model)), copy.deepcopy(model.net_.module_.state_dict())
    monkeypatch.setattr(Break, "error", MemoryError("none"))
    with pytest.raises(MemoryError):
        getattr(model, method)(*data)
    assert_unchanged(model, before)
    for name, value in model.net_.module_.state_dict().items():
        assert torch.equal(value, weights[name])
