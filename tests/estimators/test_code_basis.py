"""The order, scale and signs of codes."""

import copy
import pickle

import numpy as np
import pytest
import torch
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from skae import (
    Autoencoder,
    ConvAutoencoder,
    DenoisingAutoencoder,
    RecurrentAutoencoder,
    SparseAutoencoder,
    TabularAutoencoder,
    VariationalAutoencoder,
)
from skae.architectures import Conv, Dense
from skae.bottlenecks import Bottleneck

CANCER = StandardScaler().fit_transform(load_breast_cancer().data)
DIGITS = load_digits().data[:300] / 16
SINES = [np.sin(np.linspace(0, 3 + k % 5, 10 + k % 7))[:, None] for k in range(60)]
QUICK = {"max_epochs": 3, "random_state": 0, "check_baseline": False}

MODELS = {
    "dense": (Autoencoder(4, **QUICK), CANCER),
    "deep": (Autoencoder(3, architecture=Dense((32, 16), shortcut=False), **QUICK), CANCER),
    "denoising": (DenoisingAutoencoder(4, **QUICK), CANCER),
    "images": (ConvAutoencoder(4, channels=(4,), **QUICK), DIGITS.reshape(-1, 8, 8)),
    "sequences": (RecurrentAutoencoder(3, **QUICK), SINES),
    "tables": (TabularAutoencoder(3, **QUICK), CANCER),
}


def latent(model, X):
    """Return the codes as training has them."""
    samples = model._reader.read(X, estimator=model)
    shape = (len(model.net_.module_.code_basis.mean.T),)
    return model._predictor.map(lambda module, x, _: module.latent(x), samples, shape)


def assert_same_reconstructions(model, X, rtol):
    again = model.inverse_transform(model.transform(X), **lengths(X))
    for one, other in zip(again, model.reconstruct(X), strict=True):
        np.testing.assert_allclose(one, other, rtol=rtol, atol=rtol * np.abs(other).max())


def lengths(X):
    return {"lengths": [len(x) for x in X]} if isinstance(X, list) else {}


@pytest.mark.parametrize("name", MODELS)
def test_codes_are_centered_uncorrelated_and_ordered(name):
    model, X = MODELS[name]
    codes = model.fit(X).transform(X)
    std = codes.std(0)
    assert np.abs(codes.mean(0)).max() < 1e-4 * std[0]
    np.testing.assert_allclose(np.corrcoef(codes.T), np.eye(len(std)), atol=1e-3)
    assert (np.diff(std) <= 0).all()
    assert_same_reconstructions(model, X, 1e-9)


def test_a_linear_net_gives_the_codes_of_pca():
    linear = Autoencoder(
        5, architecture=Dense(()), lr=1e-9, max_epochs=1, early_stopping=False, random_state=0
    )
    codes, expected = (model.fit_transform(CANCER) for model in (linear, PCA(5)))
    np.testing.assert_allclose(codes, expected, atol=0.01 * expected.std(0).min())


def test_signs_and_order_do_not_depend_on_the_seed():
    fits = [
        Autoencoder(4, max_epochs=10, random_state=seed).fit_transform(CANCER) for seed in range(3)
    ]
    for codes in fits[1:]:
        together = [np.corrcoef(fits[0][:, i], codes[:, i])[0, 1] for i in range(4)]
        assert min(together) > 0.9


def test_distances_between_codes_are_those_between_reconstructions():
    model = Autoencoder(3, max_epochs=10, random_state=0).fit(1e3 * CANCER + 7)
    codes, restored = model.transform(1e3 * CANCER + 7), model.reconstruct(1e3 * CANCER + 7)
    ratio = np.linalg.norm(np.diff(codes, axis=0), axis=1) / np.linalg.norm(
        np.diff(restored, axis=0), axis=1
    )
    assert 0.7 < np.median(ratio) < 1.4


def test_float32_keeps_reconstructions():
    model = Autoencoder(4, **QUICK).fit(CANCER.astype(np.float32))
    assert_same_reconstructions(model, CANCER.astype(np.float32), 1e-5)


def test_weights_count():
    weight = np.random.default_rng(0).integers(0, 3, len(CANCER))
    codes = Autoencoder(3, **QUICK).fit(CANCER, sample_weight=weight).transform(CANCER)
    np.testing.assert_allclose(np.average(codes, 0, weight), 0, atol=1e-4)
    off_diagonal = np.corrcoef(np.repeat(codes, weight, 0).T) - np.eye(3)
    assert np.abs(off_diagonal).max() < 1e-3


@pytest.mark.parametrize(
    "X",
    [
        np.ones((30, 5)),
        np.repeat(np.eye(5)[:2], 10, 0),
        np.random.default_rng(0).normal(size=(4, 5)),
        1e-18 * np.random.default_rng(0).normal(size=(50, 5)),
        1e15 * np.random.default_rng(0).normal(size=(50, 5)),
        np.eye(40)[:, :5] * 1e8,
    ],
    ids=["constant", "two rows", "few rows", "small", "large", "outliers"],
)
def test_data_that_leave_codes_without_variance(X):
    model = Autoencoder(4, **QUICK).fit(X)
    codes = model.transform(X)
    assert np.isfinite(codes).all()
    assert (np.diff(codes.std(0)) <= 1e-6 * np.abs(codes).max()).all()
    assert_same_reconstructions(model, X, 1e-6)


def test_more_codes_than_features_lose_nothing():
    model = Autoencoder(40, **QUICK).fit(CANCER)
    assert_same_reconstructions(model, CANCER, 1e-6)


class Bounded(Bottleneck):
    def forward(self, encoded):
        return torch.tanh(encoded)


class BoundedAutoencoder(Autoencoder):
    def _make_bottleneck(self, n_components, sample_shape):
        return Bounded()


@pytest.mark.parametrize("Model", [BoundedAutoencoder, SparseAutoencoder, VariationalAutoencoder])
def test_codes_with_properties_stay_as_they_are(Model):
    model = Model(4, **QUICK).fit(CANCER)
    np.testing.assert_array_equal(model.net_.module_.code_basis(torch.ones(2, 4)), np.ones((2, 4)))


def test_maps_stay_maps():
    images = DIGITS.reshape(-1, 8, 8)
    model = ConvAutoencoder(2, channels=(4,), code="spatial", **QUICK).fit(images)
    x = torch.zeros(1, 32)
    assert model.net_.module_.code_basis(x) is x


def test_copies_have_the_basis():
    model = Autoencoder(4, **QUICK).fit(CANCER)
    codes = model.transform(CANCER)
    for twin in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        np.testing.assert_array_equal(twin.transform(CANCER), codes)


@pytest.mark.parametrize("name", ["dense", "sequences"])
def test_halves_speak_the_same_codes(name):
    model, X = MODELS[name]
    model.fit(X)
    samples = model._reader.read(X, estimator=model)
    x = samples.get_batch(slice(None), torch.float32)[0]
    with torch.inference_mode():
        codes = model.encoder_(x)
        restored = model.decoder_(codes, *([x] if name == "sequences" else []))
    np.testing.assert_allclose(codes, model.transform(X), atol=1e-4)
    expected = model.inverse_transform(codes.numpy(), **lengths(X))
    for one, other in zip(restored, expected, strict=True):
        np.testing.assert_allclose(one[: len(other)], other, atol=1e-4)


def test_weights_of_another_fit_can_be_loaded():
    model, other = (Autoencoder(4, **QUICK | {"max_epochs": n}).fit(CANCER) for n in (1, 3))
    model.net_.module_.load_state_dict(other.net_.module_.state_dict())
    np.testing.assert_array_equal(model.reconstruct(CANCER), other.reconstruct(CANCER))
    assert_same_reconstructions(model, CANCER, 1e-9)


def test_training_continues_in_the_codes_of_the_training():
    once = Autoencoder(4, **QUICK | {"max_epochs": 2}, lr_schedule=None).fit(CANCER)
    twice = Autoencoder(4, **QUICK | {"max_epochs": 1}, lr_schedule=None, warm_start=True)
    twice.fit(CANCER)
    first = twice.transform(CANCER)
    twice.fit(CANCER)
    assert not np.allclose(twice.transform(CANCER), first)
    np.testing.assert_allclose(np.corrcoef(twice.transform(CANCER).T), np.eye(4), atol=1e-3)
    assert once.score(CANCER) == pytest.approx(twice.score(CANCER), abs=0.05)


def test_partial_fit_orders_codes_too():
    model = Autoencoder(4, random_state=0)
    for _ in range(3):
        codes = model.partial_fit(CANCER).transform(CANCER)
    np.testing.assert_allclose(np.corrcoef(codes.T), np.eye(4), atol=0.3)


def test_the_decoder_exports():
    model = Autoencoder(4, **QUICK).fit(CANCER)
    codes = torch.tensor(model.transform(CANCER[:5]), dtype=torch.float32)
    exported = torch.export.export(model.decoder_, (codes,)).module()
    np.testing.assert_allclose(
        exported(codes).detach(), model.reconstruct(CANCER[:5]), rtol=1e-4, atol=1e-4
    )


def test_spatial_codes_of_any_autoencoder():
    images = DIGITS.reshape(-1, 8, 8)
    model = Autoencoder(2, architecture=Conv((4,), code="spatial"), **QUICK).fit(images)
    assert model.transform(images).shape == (300, 32)
