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
    ConvAutoencoder,
    DenoisingAutoencoder,
    EnsembleAutoencoder,
    ImageToImageRegressor,
    OutlierDetector,
    RecurrentAutoencoder,
    Seq2SeqTranslator,
    SparseAutoencoder,
    TabularAutoencoder,
    TabularOutlierScorer,
    VariationalAutoencoder,
    fit_many,
)
from skae._data.batches import chunks
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


@pytest.mark.parametrize("name", ["held_out_scores_of", "offset_of"])
def test_a_detector_whose_end_fails_stays_as_it_was(name, breaking, X, monkeypatch):
    detector = OutlierDetector(breaking, cv=2, random_state=0).fit(X)
    before = dict(vars(detector))

    def interrupted(*args):
        raise KeyboardInterrupt

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


# What is held out when training continues.


class Watch(Callback):
    """Keeps the validation samples of each fit, as text."""

    seen = []

    def on_train_begin(self, net, **kwargs):
        self.is_first_ = True

    def on_epoch_begin(self, net, dataset_valid=None, **kwargs):
        if self.is_first_ and dataset_valid is not None:
            batches = [batch for _, batch, *_ in chunks(dataset_valid, torch.float32, "cpu")]
            self.seen.append(repr([np.asarray(batch).tolist() for batch in batches]))
        self.is_first_ = False


SEQUENCES = [IMAGES[i, : 3 + i % 5] for i in range(24)]
TABLE = (
    pd.DataFrame(IMAGES[:, 0]).assign(name=list("abcdefgh" * 3)).set_axis(list("abcdefghi"), axis=1)
)
ENGLISH = [f"the {a} sees the {b}" for a in ("cat", "dog", "cow", "hen") for b in "abcdef"]


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (Autoencoder, (IMAGES.reshape(24, 64),)),
        (DenoisingAutoencoder, (IMAGES.reshape(24, 64),)),
        (VariationalAutoencoder, (IMAGES.reshape(24, 64),)),
        (SparseAutoencoder, (IMAGES.reshape(24, 64),)),
        (TabularAutoencoder, (TABLE,)),
        (ConvAutoencoder, (IMAGES,)),
        (RecurrentAutoencoder, (SEQUENCES,)),
        (ImageToImageRegressor, (IMAGES, IMAGES)),
        (Seq2SeqTranslator, (ENGLISH, [text.upper() for text in ENGLISH])),
    ],
)
def test_the_same_samples_are_held_out_when_training_continues(kind, data, monkeypatch):
    monkeypatch.setattr(Watch, "seen", seen := [])
    model = kind(max_epochs=1, warm_start=True, device="cpu")
    model.set_params(callbacks=[Watch()], check_baseline=False)
    model.fit(*data).fit(*data).set_params(max_epochs=2).fit(*data)
    model.partial_fit(*data).fit(*data)
    pickle.loads(pickle.dumps(model)).fit(*data)
    copy.deepcopy(model).fit(*data)
    fit_many([model], *data)
    assert len(seen) == 7
    assert len(set(seen)) == 1


@pytest.mark.parametrize("error", [None, RuntimeError("no")])
def test_other_samples_are_held_out_at_another_fit(error, X, fast, monkeypatch):
    """Only training that continues holds out the same ones, also if a fit failed between."""
    monkeypatch.setattr(Watch, "seen", seen := [])
    params = fast | {"early_stopping": True, "random_state": np.random.RandomState(0)}  # noqa: NPY002
    model = Autoencoder(**params, callbacks=[Watch(), Break()]).fit(X)
    monkeypatch.setattr(Break, "error", error)
    if error is None:
        model.fit(X)
    else:
        with pytest.raises(RuntimeError):
            model.fit(X)
    monkeypatch.setattr(Break, "error", None)
    model.set_params(warm_start=True).fit(X)
    assert len(set(seen)) == 2
    assert seen[2] == (seen[1] if error is None else seen[0])


def test_a_loaded_model_holds_out_the_same_samples(X, fast, monkeypatch):
    """Pickles without what continues a training still know, by the seed."""
    monkeypatch.setattr(Watch, "seen", seen := [])
    model = Autoencoder(**fast | {"early_stopping": True}, callbacks=[Watch()]).fit(X)
    pickle.loads(pickle.dumps(model)).set_params(warm_start=True).fit(X)
    clone(model).fit(X)
    assert len(set(seen)) == 1
    assert len(pickle.dumps(model)) < len(pickle.dumps(model.set_params(warm_start=True)))


def test_training_that_continues_gets_better_on_what_is_held_out(X, fast):
    """If samples that it has trained on were held out, the start would often be the best."""
    params = {"max_epochs": 5, "early_stopping": True, "validation_fraction": 0.3, "lr": 3e-3}
    dense = Dense((32,), shortcut=False)
    model = Autoencoder(**fast | params, architecture=dense, warm_start=True).fit(X)
    losses = []
    for _ in range(6):
        start = model.transform(X)
        model.fit(X)
        losses.append(min(model.history_[-5:, "valid_loss"]))
        assert not np.array_equal(model.transform(X), start)
    assert losses == sorted(losses, reverse=True)


# The same bits, whatever trains together.


def bits(model):
    losses = [(epoch["train_loss"], epoch.get("valid_loss")) for epoch in model.history_]
    return losses, [weight.tolist() for weight in model.net_.module_.state_dict().values()]


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"n_components": 1},
        {"architecture": Dense((21, 13), "gelu")},
        {"architecture": Dense((21,), "tanh", tied_weights=True), "batch_size": 50},
        {"architecture": Dense((21,), dropout=0.2), "optimizer": "rmsprop", "batch_size": 7},
    ],
    ids=str,
)
def test_nets_get_the_bits_that_they_get_alone(params, X, fast):
    """Each in any place among any number, on rows of its own."""
    model = Autoencoder(**fast | params | {"early_stopping": True})
    rows = [None, np.arange(80), np.arange(43, 120), None, np.arange(115)]
    models = [clone(model).set_params(random_state=i) for i in range(len(rows))]
    pairs = zip(models, rows, strict=True)
    alone = [bits(clone(one).fit(X if own is None else X[own])) for one, own in pairs]
    for some in ([0, 1], [4, 0, 3], [0, 1, 2, 3, 4]):
        group = [clone(models[i]) for i in some]
        fit_many(group, X, rows=[rows[i] for i in some])
        assert [bits(one) for one in group] == [alone[i] for i in some]


def test_processes_give_the_same_bits(X, fast):
    model = Autoencoder(**fast | {"n_components": 1}, architecture=Dense((7,)))
    one, two = (
        OutlierDetector(model, cv=3, n_jobs=n_jobs, random_state=0).fit(X) for n_jobs in (1, 2)
    )
    np.testing.assert_array_equal(one.calibration_scores_, two.calibration_scores_)
    assert one.offset_ == two.offset_
