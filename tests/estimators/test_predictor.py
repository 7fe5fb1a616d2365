"""How nets are applied to samples: in chunks, and in float64 by a twin of the net."""

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from time import sleep

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback
from torch import nn, optim
from torch.nn.utils import parameters_to_vector, prune, vector_to_parameters

from skae import (
    Autoencoder,
    ConvAutoencoder,
    EnsembleAutoencoder,
    ImageToImageRegressor,
    RecurrentAutoencoder,
    SparseAutoencoder,
    VariationalAutoencoder,
)
from skae._estimators import predictor
from skae._estimators.predictor import encode

MODELS = {
    "autoencoder": Autoencoder,
    "sparse": SparseAutoencoder,
    "variational": VariationalAutoencoder,
    "lbfgs": lambda **params: Autoencoder(**params, optimizer=optim.LBFGS),
    "ensemble": lambda **params: EnsembleAutoencoder(Autoencoder(**params), n_estimators=2),
}


@pytest.fixture
def model(X, fast):
    return Autoencoder(**fast).fit(X)


@pytest.fixture
def copies(monkeypatch):
    """The modules that get a twin, a list that grows."""
    originals = []

    class Twin(predictor._Twin):
        def __init__(self, original, device):
            originals.append(original)
            super().__init__(original, device)

    monkeypatch.setattr(predictor, "_Twin", Twin)
    return originals


# The twin in float64.


@pytest.mark.parametrize("name", MODELS)
def test_the_twin_is_made_once(name, copies, X, fast):
    model = MODELS[name](**fast).fit(X)
    for method in (model.transform, model.reconstruct, model.score_samples, model.score):
        method(X)
        method(X[:2])
    assert 0 < len(copies) == len({id(original) for original in copies})


def test_float32_needs_no_twin(copies, X, model):
    X = X.astype(np.float32)
    model.transform(X)
    model.score(X)
    assert copies == []


@pytest.mark.parametrize("name", MODELS)
def test_the_twin_is_not_pickled_or_copied(name, X, fast):
    model = MODELS[name](**fast).fit(X.astype(np.float32))
    before = len(pickle.dumps(model))
    codes = model.transform(X)
    assert len(pickle.dumps(model)) == before
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        for single in getattr(twin, "estimators_", [twin]):
            assert single._predictor._twin is None
            assert single._predictor.net is single.net_
        np.testing.assert_array_equal(twin.transform(X), codes)


@pytest.mark.parametrize("name", MODELS)
def test_a_row_does_not_depend_on_others(name, X, fast):
    model = MODELS[name](**fast).fit(X)
    for method in (model.transform, model.reconstruct, model.score_samples):
        np.testing.assert_allclose(method(X[:1]), method(X)[:1], rtol=1e-12)


def fit(model, X):
    model.fit(X[::2])


def partial_fit(model, X):
    model.partial_fit(X)


def warm_start(model, X):
    model.set_params(warm_start=True).fit(X)


def load_weights(model, X):
    weights = {name: 2 * value for name, value in model.net_.module_.state_dict().items()}
    model.net_.module_.load_state_dict(weights)


@torch.no_grad()
def in_place(model, X):
    model.encoder_[0].linear.weight.mul_(2)


def new_vector(model, X):
    vector = parameters_to_vector(model.encoder_.parameters())
    vector_to_parameters(2 * vector.detach(), model.encoder_.parameters())


def new_layer(model, X):
    torch.manual_seed(0)
    model.encoder_[0].linear = nn.Linear(10, 3)


def pruned(model, X):
    prune.l1_unstructured(model.encoder_[0].linear, "weight", 0.5)
    prune.remove(model.encoder_[0].linear, "weight")


def train(optimizer, model, X):
    encoder = model.encoder_
    optimizer.zero_grad()
    encoder(torch.tensor(X).float()).square().mean().backward()
    optimizer.step()


def train_by_adam(model, X):
    train(optim.Adam(model.encoder_.parameters(), fused=False), model, X)


def train_by_fused_adam(model, X):
    optimizer = optim.Adam(model.encoder_.parameters(), fused=True)
    for _ in range(3):
        train(optimizer, model, X)
        assert_up_to_date(model, X)


CHANGES = (
    fit,
    partial_fit,
    warm_start,
    load_weights,
    in_place,
    new_vector,
    new_layer,
    pruned,
    train_by_adam,
    train_by_fused_adam,
)


def assert_up_to_date(model, X):
    np.testing.assert_array_equal(model.transform(X), copy.deepcopy(model).transform(X))


@pytest.mark.parametrize("change", CHANGES)
def test_the_twin_follows_the_weights(change, X, model):
    before = model.transform(X)
    change(model, X)
    after = model.transform(X)
    assert not np.array_equal(before, after)
    assert_up_to_date(model, X)
    np.testing.assert_allclose(after, model.transform(X.astype(np.float32)), atol=1e-4)


def test_an_ensemble_follows_the_weights_of_its_members(X, fast):
    ensemble = EnsembleAutoencoder(Autoencoder(**fast), n_estimators=2, random_state=0).fit(X)
    before = ensemble.transform(X)
    in_place(ensemble.estimators_[1], X)
    after = ensemble.transform(X)
    np.testing.assert_array_equal(after[:, :3], before[:, :3])
    assert not np.array_equal(after[:, 3:], before[:, 3:])


def test_callbacks_see_the_weights_of_their_epoch(X, fast):
    class Watch(Callback):
        restored = []  # noqa: RUF012 (copies of the callback share it)

        def on_epoch_end(self, net, **kwargs):
            self.restored.append(model.reconstruct(X))
            assert_up_to_date(model, X)

    model = Autoencoder(**fast, callbacks=[Watch()])
    model.fit(X)
    first, *others = Watch.restored
    assert len(others) == 2
    assert not any(np.array_equal(first, other) for other in others)
    np.testing.assert_array_equal(model.reconstruct(X), others[-1])


def test_threads_share_the_twin(copies, monkeypatch, X, model):
    class SlowTwin(predictor._Twin):
        def __init__(self, *args):
            super().__init__(*args)
            sleep(0.1)

    monkeypatch.setattr(predictor, "_Twin", SlowTwin)
    barrier = Barrier(4)

    def transform(_):
        barrier.wait()
        return model.transform(X)

    with ThreadPoolExecutor(4) as pool:
        codes = list(pool.map(transform, range(4)))
    assert len(copies) == 1
    assert all(np.array_equal(codes[0], other) for other in codes)


def test_models_of_inference_mode(X, model):
    with torch.inference_mode():
        twin = copy.deepcopy(model)  # torch counts no changes of its weights
        np.testing.assert_array_equal(twin.transform(X), model.transform(X))
    np.testing.assert_array_equal(twin.transform(X), model.transform(X))


def test_encoder_and_decoder_are_made_once(X, model):
    encoder, decoder = model.encoder_, model.decoder_
    assert encoder is model.encoder_
    assert decoder is model.decoder_
    encoder.train()
    assert not model.encoder_.training
    model.partial_fit(X)
    assert encoder is not model.encoder_


# Chunks.


def images(n):
    return np.random.default_rng(0).random((n, 8, 8))


def sequences(n):
    return [image[: 2 + i % 7] for i, image in enumerate(images(n))]


DATA = {
    Autoencoder: lambda n: images(n)[:, 0],
    ConvAutoencoder: images,
    RecurrentAutoencoder: sequences,
}


@pytest.mark.parametrize("cls", DATA)
def test_functions_get_chunks_of_samples_and_targets(cls, monkeypatch, fast):
    X = DATA[cls](40)
    model = cls(**fast).fit(X)
    monkeypatch.setattr("skae._data.dataset.CHUNK_ELEMENTS", 2**10)
    monkeypatch.setattr("skae._data.dataset.MAX_CHUNK_SAMPLES", 12)
    dataset, lengths = model._reader.read(X, estimator=model), []

    def spy(module, x, target):
        assert x is target
        assert torch.is_inference_mode_enabled()
        lengths.append(len(x))
        return encode(module, x, target)

    codes = model._predictor.map(spy, dataset, (3,))
    np.testing.assert_array_equal(codes, model.transform(X))
    assert sum(lengths) == 40
    assert 1 < len(lengths) == pytest.approx(40 / max(lengths), abs=2)
    assert max(lengths) <= max(12, dataset.chunk_length)


def test_functions_get_the_targets_of_pairs():
    X, Y = images(6)[:, ::2, ::2], images(6)
    params = {"max_epochs": 1, "channels": (4,), "check_baseline": False, "random_state": 0}
    model = ImageToImageRegressor(**params, early_stopping=False).fit(X, Y)

    def spy(module, x, target):
        assert x.shape == (6, 1, 4, 4)
        assert target.shape == (6, 1, 8, 8)
        return target

    seen = model._predictor.map(spy, model._reader.read(X, Y, estimator=model), (1, 8, 8))
    np.testing.assert_array_equal(seen[:, 0], Y)


def test_chunks_end_with_an_error(X, model):
    """Whatever fails, what is around has gradients and threads as before."""
    n_threads = torch.get_num_threads()

    def fails(module, x, target):
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        model._predictor.map(fails, model._reader.read(X, estimator=model))
    assert not torch.is_inference_mode_enabled()
    assert torch.get_num_threads() == n_threads
