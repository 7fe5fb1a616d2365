"""Architectures for images train in small batches, also those of users."""

import numpy as np
import pytest
from torch import nn

from skae import Autoencoder, ConvAutoencoder, ImageToImageRegressor


class OwnForImages:
    input_kind = "images"

    def build(self, input_shape, encoder_width, code_width):
        n_values = int(np.prod(input_shape))
        return (
            nn.Sequential(nn.Flatten(), nn.Linear(n_values, encoder_width)),
            nn.Sequential(nn.Linear(code_width, n_values), nn.Unflatten(1, input_shape)),
        )


@pytest.mark.parametrize(("n_samples", "batch_size"), [(3000, 32), (30_000, 64), (100_000, 64)])
def test_batches_of_images_are_small(n_samples, batch_size):
    X = np.zeros((n_samples, 4, 4), np.float32)
    X[:, 1, 2] = np.linspace(0, 1, n_samples)
    params = {"max_epochs": 1, "check_baseline": False, "early_stopping": False}
    own = Autoencoder(2, architecture=OwnForImages(), **params).fit(X)
    assert own.net_.batch_size == batch_size


def test_own_architectures_are_trained_as_conv():
    X = np.random.default_rng(0).random((700, 8, 8))
    params = {"check_baseline": False, "early_stopping": False, "max_epochs": 1}
    models = [
        Autoencoder(2, architecture=OwnForImages(), **params).fit(X),
        ConvAutoencoder(2, channels=(2,), **params).fit(X),
        ImageToImageRegressor((2,), **params).fit(X, X),
    ]
    assert {model.net_.batch_size for model in models} == {32}
