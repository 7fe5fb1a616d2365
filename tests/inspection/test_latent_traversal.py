"""The display of decoded codes."""

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from scipy.stats import norm
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from skae import Autoencoder, RecurrentAutoencoder, TabularAutoencoder, VariationalAutoencoder
from skae.inspection import LatentTraversalDisplay

QUICK = {"max_epochs": 1, "check_baseline": False, "random_state": 0}
show = LatentTraversalDisplay.from_estimator


@pytest.fixture(scope="module")
def digits():
    return load_digits().data[:100]


@pytest.fixture(scope="module")
def model(digits):
    return make_pipeline(MinMaxScaler(), Autoencoder(3, **QUICK)).fit(digits)


def tiles(display, n_rows, n_columns):
    """Return the pictures that are drawn, those of the upper row first."""
    picture = np.asarray(display.image_.get_array().filled(np.nan))
    height, width = picture.shape[0] // n_rows, picture.shape[1] // n_columns
    pieces = picture.reshape(n_rows, height, n_columns, width).swapaxes(1, 2)
    return pieces[:, :, :8, :8]  # without the gap behind


def test_a_grid_of_images(digits, model):
    display = show(model, digits, image_shape=(8, 8), n_steps=3)
    codes = model.transform(digits)
    assert display.components == [0, 1]
    for component, steps in zip(display.components, display.steps, strict=True):
        expected = np.quantile(codes[:, component], [0.05, 0.5, 0.95])
        np.testing.assert_allclose(steps, expected)
    upper_left = np.median(codes, axis=0)
    upper_left[:2] = display.steps[0][0], display.steps[1][-1]
    expected = model.inverse_transform(upper_left[None]).reshape(8, 8)
    np.testing.assert_allclose(tiles(display, 3, 3)[0, 0], expected)
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == ("code 0", "code 1")
    labels = [text.get_text() for text in display.ax_.get_yticklabels()]
    assert labels == [f"{step:.2g}" for step in display.steps[1]]
    assert display.image_.get_clim() == (0, 16)


def test_rows_vary_one_component_each(digits, model):
    display = show(model, digits, image_shape=(8, 8), components=(2, 0), layout="rows", n_steps=4)
    codes = np.median(model.transform(digits), axis=0)
    codes[2] = display.steps[0][3]
    expected = model.inverse_transform(codes[None]).reshape(8, 8)
    np.testing.assert_allclose(tiles(display, 2, 4)[0, 3], expected)
    names = [text.get_text() for text in display.ax_.get_yticklabels()]
    assert names == ["code 2", "code 0"]
    assert display.ax_.get_xticklabels()[0].get_text() == "5 %"


def test_the_prior_of_a_variational_autoencoder_is_a_range(digits):
    vae = VariationalAutoencoder(2, likelihood="bernoulli", **QUICK).fit(digits / 16)
    display = show(vae, image_shape=(8, 8), n_steps=3, quantiles=(0.1, 0.9))
    np.testing.assert_allclose(display.steps, [norm.ppf([0.1, 0.5, 0.9])] * 2)
    with pytest.raises(ValueError, match="no prior"):
        show(Autoencoder(2, **QUICK).fit(digits), image_shape=(8, 8))


def test_series_are_lines():
    X = [np.random.default_rng(n).normal(size=(n, 2)) for n in (9, 5, 7, 6, 8)]
    model = RecurrentAutoencoder(2, hidden_layer_sizes=4, **QUICK).fit(X)
    grid = show(model, X, n_steps=2)
    assert len(grid.lines_) == 2 * 2 * 2
    assert grid.form == "series"
    rows = show(model, X, layout="rows", n_steps=3)
    assert rows.axes_.shape == (2, 2)
    codes = np.median(model.transform(X), axis=0)
    codes[rows.components[0]] = rows.steps[0][0]
    expected = model.inverse_transform(codes[None])[0]
    np.testing.assert_allclose(rows.axes_[0, 1].lines[0].get_ydata(), expected[:, 1], rtol=1e-5)
    assert rows.axes_[0, 0].get_ylabel() == f"code {rows.components[0]}"
    assert rows.axes_[-1, 0].get_xlabel() == "step"


def test_rows_of_tables_are_heat_maps():
    rng = np.random.default_rng(0)
    age = rng.integers(20, 60, size=60)
    group = np.where(age < 40, "junior", "senior")
    X = pd.DataFrame({"age": age, "group": group, "noise": rng.normal(size=60)})
    model = TabularAutoencoder(2, **QUICK).fit(X)
    grid = show(model, X, n_steps=3)
    assert [ax.get_title() for ax in grid.axes_.flat] == ["age", "group", "noise"]
    restored = model.inverse_transform(
        np.stack([axis.ravel() for axis in np.meshgrid(*grid.steps)], 1)
    )
    expected = (restored["age"] - age.mean()) / age.std()
    np.testing.assert_allclose(
        np.asarray(grid.images_[0].get_array().filled(np.nan)).ravel(), expected
    )
    assert [text.get_text() for text in grid.axes_[0, 1].texts] == restored["group"].tolist()
    rows = show(model, X, layout="rows", n_steps=3)
    assert rows.axes_.shape == (1, 2)
    assert [text.get_text() for text in rows.ax_.get_yticklabels()] == list(X.columns)


def test_columns_keep_their_names_behind_a_scaler(X):
    frame = pd.DataFrame(X, columns=[f"column {i}" for i in range(10)])
    model = make_pipeline(StandardScaler(), Autoencoder(2, **QUICK)).fit(frame)
    display = show(model, frame, components=0, n_steps=2)
    assert display.layout == "rows"
    assert list(display.decoded) == list(frame)


def test_axes_can_be_given(digits, model):
    _, ax = plt.subplots()
    display = show(model, digits, image_shape=(8, 8), n_steps=2, ax=ax)
    assert display.ax_ is ax
    assert display.plot(image_kw={"cmap": "gray_r"}).image_.get_cmap().name == "gray_r"


def test_bad_input(digits, model):
    with pytest.raises(NotFittedError, match="Autoencoder"):
        show(Autoencoder(), digits)
    with pytest.raises(TypeError, match="LocalOutlierFactor does not decode"):
        show(LocalOutlierFactor().fit(digits), digits)
    for wrong, message in (
        ({"components": 3}, "0 to 2"),
        ({"components": (0, 1, 2), "layout": "grid"}, "two components"),
        ({"layout": "lines"}, "layout must be"),
        ({"quantiles": (0.9, 0.1)}, "lower one first"),
        ({"n_steps": 0}, "n_steps"),
    ):
        with pytest.raises(ValueError, match=message):
            show(model, digits, **wrong)
