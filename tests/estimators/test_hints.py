"""Warnings that teach: columns lost by their scale, axes in another order, a y that is ignored."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import (
    load_breast_cancer,
    load_digits,
    load_iris,
    load_linnerud,
    load_wine,
    make_multilabel_classification,
    make_regression,
)
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from skae import (
    Autoencoder,
    ConvAutoencoder,
    DenoisingAutoencoder,
    EnsembleAutoencoder,
    ImageToImageRegressor,
    RecurrentAutoencoder,
    TabularAutoencoder,
    VariationalAutoencoder,
)
from skae.architectures import Conv
from skae.exceptions import DataWarning, ScaleWarning

RNG = np.random.default_rng(0)
CLEAN = RNG.normal(size=(60, 5))
NOISY = CLEAN + 0.5 * RNG.normal(size=CLEAN.shape)
IMAGES = RNG.random((12, 8, 8))
COLORED = RNG.random((12, 8, 8, 3))
SERIES = [RNG.normal(size=(5 + i % 3, 2)) for i in range(20)]


def quick(kind, *args, **params):
    return kind(*args, **{"max_epochs": 1, "check_baseline": False, "random_state": 0} | params)


@pytest.fixture
def clock():
    """A table of seconds since 1970, two columns of one signal, and noise."""
    rng = np.random.default_rng(0)
    seconds, z = 1.7e9 + rng.uniform(0, 3e7, size=200), rng.normal(size=200)
    columns = {"time": seconds, "z": z, "2z": 2 * z, "noise": rng.normal(size=200)}
    return pd.DataFrame(columns)


# Columns on very different scales.


@pytest.mark.parametrize("kind", [Autoencoder, DenoisingAutoencoder, VariationalAutoencoder])
def test_columns_that_are_lost_by_their_scale_are_named(clock, kind):
    with pytest.warns(ScaleWarning, match=r"nothing of .*column 'noise', .*'time'.*StandardS") as w:
        model = kind(2, max_epochs=2, random_state=0).fit(clock)
    assert len(w) == 1
    residual = ((clock - model.reconstruct(clock)) ** 2).mean()
    assert residual["noise"] > 0.9 * clock["noise"].var()

    with pytest.warns(ScaleWarning, match="column 1, column 2, column 3, whose .* 1,000,000 times"):
        Autoencoder(1, max_epochs=2, random_state=0).fit(clock.to_numpy())


def test_the_remedies_help(clock):
    for scaler in (StandardScaler(), MinMaxScaler()):
        make_pipeline(scaler, Autoencoder(2, max_epochs=2, random_state=0)).fit(clock)
    TabularAutoencoder(2, max_epochs=2, random_state=0).fit(clock)
    Autoencoder(2, max_epochs=2, random_state=0, check_baseline=False).fit(clock)
    Autoencoder(3, max_epochs=2, random_state=0).fit(clock)  # which keeps them all


@pytest.mark.parametrize("load", [load_iris, load_digits, load_wine, load_breast_cancer])
def test_no_word_where_scales_are_no_reason(load):
    X = load().data
    for n_components in (1, "auto"):
        model = Autoencoder(n_components, max_epochs=1, random_state=0)
        model.fit(StandardScaler().fit_transform(X))
        if load in (load_iris, load_digits):  # one unit, rare values in some pixels
            model.fit(X)


# A y that is ignored.


@pytest.mark.parametrize(
    ("kind", "X", "y"),
    [
        (DenoisingAutoencoder, NOISY, CLEAN),
        (Autoencoder, pd.DataFrame(NOISY), pd.DataFrame(CLEAN)),
        (TabularAutoencoder, NOISY.tolist(), CLEAN),
        (VariationalAutoencoder, NOISY * (RNG.random(NOISY.shape) > 0.5), NOISY),
        (DenoisingAutoencoder, CLEAN + RNG.normal(size=CLEAN.shape), CLEAN),
        (ConvAutoencoder, IMAGES + 0.1 * RNG.random(IMAGES.shape), IMAGES),
        (ConvAutoencoder, IMAGES, COLORED),
        (RecurrentAutoencoder, [one + 0.1 * RNG.normal(size=one.shape) for one in SERIES], SERIES),
    ],
)
def test_targets_of_pairs_are_ignored_with_a_word(kind, X, y):
    with pytest.warns(DataWarning, match="ignores y, .* ImageToImageRegressor") as caught:
        quick(kind, 2).fit(X, y)
    assert len(caught) == 1


def test_an_ensemble_says_it_once():
    ensemble = EnsembleAutoencoder(quick(Autoencoder, 2), 3, random_state=0)
    with pytest.warns(DataWarning, match="^EnsembleAutoencoder ignores y") as caught:
        ensemble.fit(NOISY, CLEAN)
    assert len(caught) == 1
    labeled = quick(Autoencoder, 2, target="regression")
    EnsembleAutoencoder(labeled, 2, random_state=0).fit(NOISY, CLEAN)


def test_samples_to_validate_are_not_y():
    with pytest.warns(DataWarning, match="X has 60 samples, y 20 more.*as X_val"):
        quick(Autoencoder, 2).fit(CLEAN, NOISY[:20])


def test_labels_are_ignored_without_a_word():
    model = quick(Autoencoder, 2)
    labels = np.arange(60) % 5
    for y in (labels, labels[:, None], np.eye(5)[labels], labels.astype(str), list("ab" * 30)):
        model.fit(CLEAN, y)
    model.fit(CLEAN, pd.DataFrame(labels.astype(str)))
    model.fit(CLEAN[:, :1], 2 * CLEAN[:, :1])
    model.fit(CLEAN, CLEAN.copy())  # the same
    pairs = (
        load_linnerud(return_X_y=True),
        make_regression(60, 4, n_targets=4, random_state=0),
        make_multilabel_classification(60, 5, n_classes=5, random_state=0),
    )
    for X, y in pairs:  # as many columns by chance
        make_pipeline(StandardScaler(), quick(Autoencoder, 2), Ridge()).fit(X, y)
    quick(Autoencoder, 2, target="regression").fit(NOISY, CLEAN)


# The axis of the channels.


@pytest.mark.parametrize(
    ("model", "shape", "right"),
    [
        (ConvAutoencoder(2), (3, 16, 16), True),
        (ConvAutoencoder(2, channels_first=True), (16, 16, 3), False),
        (ConvAutoencoder(2, image_shape=(3, 16, 16)), (768,), True),
        (ConvAutoencoder(2, spatial_dims=1), (3, 40), True),
        (Autoencoder(2, architecture=Conv()), (1, 16, 16), True),
        (ImageToImageRegressor(), (3, 16, 16), True),
        (ImageToImageRegressor(channels_first=True), (16, 16, 3), False),
    ],
)
def test_channels_at_the_other_end(model, shape, right):
    X = np.random.default_rng(0).random((12, *shape))
    model.set_params(max_epochs=1, check_baseline=False)
    with pytest.warns(DataWarning, match=f"^X holds .* give channels_first={right}"):
        model.fit(X, X)


def test_channels_in_their_place():
    def fit(shape, **params):
        quick(ConvAutoencoder, 2, **params).fit(np.random.default_rng(0).random((12, *shape)))

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit((16, 16, 3))
        fit((3, 16, 16), channels_first=True)
        fit((16, 16))
        fit((16, 16, 12))  # feature maps
        fit((4, 4, 3))
        fit((40, 3), spatial_dims=1)
