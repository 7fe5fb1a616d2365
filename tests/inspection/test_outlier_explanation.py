"""Explanations of outliers: bars and heat maps of rows, heat maps of images and series."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skae import (
    Autoencoder,
    ConvAutoencoder,
    OutlierDetector,
    RecurrentAutoencoder,
    TabularAutoencoder,
)
from skae.inspection import OutlierExplanationDisplay


def make_homes(n, seed):
    rng = np.random.default_rng(seed)
    rooms = rng.integers(1, 6, n)
    since = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, n), "D")
    homes = {
        "rooms": rooms,
        "rent": rooms * 200.0 + rng.normal(0, 10, n),
        "district": rng.choice(["north", "harbor"], n),
        "in $ or €": rng.choice([True, False], n),
        "since": since,
    }
    return pd.DataFrame(homes, index=[f"home {i}" for i in range(n)])


@pytest.fixture(scope="module")
def detector():
    model = TabularAutoencoder(2, max_epochs=2, early_stopping=False, check_baseline=False)
    return OutlierDetector(model, random_state=0).fit(make_homes(150, 0))


@pytest.fixture(scope="module")
def homes():
    homes = make_homes(30, 1)
    homes.loc["home 3", "rent"] = 9000.0
    homes.loc["home 7", "district"] = "moon"
    return homes


@pytest.fixture(scope="module")
def images():
    images = np.random.default_rng(0).random((60, 8, 8)) * np.linspace(0, 1, 8)
    images[7, 2, 5] = 9
    return images


@pytest.fixture(scope="module")
def conv(images):
    model = ConvAutoencoder(2, max_epochs=1, early_stopping=False, check_baseline=False)
    return model.set_params(random_state=0).fit(images[10:])


@pytest.fixture(scope="module")
def series():
    rng = np.random.default_rng(0)
    series = [rng.normal(size=(n, 5)) / 9 for n in rng.integers(10, 15, 20)]
    series[4][6, 3] = 5
    return series


@pytest.fixture(scope="module")
def recurrent(series):
    model = RecurrentAutoencoder(2, max_epochs=1, check_baseline=False, early_stopping=False)
    return model.set_params(random_state=0).fit(series[5:])


def texts(ax):
    return [text.get_text() for text in ax.texts]


def names(ax):
    return [label.get_text() for label in ax.get_yticklabels()]


def widths(bars):
    return [bar.get_width() for bar in bars]


def test_bars_of_rows(detector, homes):
    display = OutlierExplanationDisplay.from_estimator(detector, homes)
    assert display.axes_.shape == (2, 2)
    assert display.figure_.get_suptitle() == "The 4 most unusual of 30 samples"
    lowest = homes.iloc[np.argsort(detector.score_samples(homes))[:4]]
    contributions, expected = detector.explain(lowest, return_expected=True)
    p = detector.p_value(lowest)
    for i, (label, ax) in enumerate(zip(lowest.index, display.axes_.flat, strict=True)):
        assert ax.get_title().startswith(f"row {label}: score −")
        assert ax.get_title().endswith(f"p = {p[i]:.2g}")
        assert ax.get_xlabel() == "rise of the score with the expected value"
        own = contributions.loc[label].nlargest(len(display.bars_[i]))
        np.testing.assert_allclose(widths(display.bars_[i]), own)
        assert [name.rpartition(" = ")[0] for name in names(ax)] == list(own.index)
    at = list(lowest.index).index("home 3")
    assert names(display.axes_.flat[at])[0] == "rent = 9,000"
    assert texts(display.axes_.flat[at])[0] == f"expected {expected.loc['home 3', 'rent']:.4g}"
    assert "district = moon" in sum(map(names, display.axes_.flat), [])


def test_rows_that_are_few_keep_their_order(detector, homes):
    display = OutlierExplanationDisplay.from_estimator(detector, homes.loc[["home 7", "home 3"]])
    assert [t.partition(":")[0] for t in display.titles] == ["row home 7", "row home 3"]
    assert display.figure_.get_suptitle() == ""


def test_heat_map_of_rows(detector, homes):
    display = OutlierExplanationDisplay.from_estimator(
        detector, homes, n_samples=5, kind="heatmap", max_columns=3, cmap="Greys"
    )
    (image,) = display.images_
    shown = [label.get_text() for label in display.ax_.get_xticklabels()]
    parts = 100 * display.contribution / display.contribution.sum(1, keepdims=True)
    columns = [list(homes).index(name) for name in shown]
    np.testing.assert_allclose(image.get_array(), parts[:, columns])
    assert columns == sorted(np.argsort(-parts.sum(0))[:3])
    assert display.ax_.get_xlabel() == "3 of 5 columns, those that contribute most"
    assert image.get_cmap().name == "Greys"
    assert len(texts(display.ax_)) == (image.get_array() >= 12).sum()
    assert any(text.startswith("9,000\n(") for text in texts(display.ax_))
    assert display.colorbar_.ax.get_ylabel() == "% of the contributions of the row"


def test_many_columns_and_small_contributions():
    X = np.arange(20.0).reshape(1, 20)
    contributions = np.r_[5.0, np.full(17, 1.0), 1e-9, 0][None]
    display = OutlierExplanationDisplay.from_predictions(X, X + 1, contributions)
    assert widths(display.bars_[0]) == pytest.approx([5, 1, 1, 1, 1, 1, 12])
    assert names(display.ax_)[::6] == ["x0 = 0", "13 other cells"]
    assert texts(display.ax_)[0] == "expected 1"
    contributions[0, 3] = np.nan  # of a missing cell
    display = OutlierExplanationDisplay.from_predictions(X, X + 1, contributions)
    assert widths(display.bars_[0]) == pytest.approx([5, 1, 1, 1, 1, 1, 11])
    nothing = OutlierExplanationDisplay.from_predictions(X, X, 0 * X)
    assert texts(nothing.ax_) == ["no cell is unusual"]


def test_losses_of_autoencoders_of_tables(homes):
    model = TabularAutoencoder(2, max_epochs=1, random_state=0, check_baseline=False)
    model.fit(make_homes(60, 0))
    display = OutlierExplanationDisplay.from_estimator(model, homes, n_samples=1)
    losses = model.feature_losses(homes.loc[["home 3"]])
    np.testing.assert_allclose(display.contribution, losses.to_numpy())
    assert names(display.ax_)[0] == "rent = 9,000"
    assert display.ax_.get_xlabel() == "loss of the reconstruction"
    assert display.figure_.get_suptitle() == "The most unusual of 30 samples"


def test_steps_of_pipelines_are_undone(X, fast):
    pipeline = make_pipeline(StandardScaler(), Autoencoder(**fast)).fit(X * 100 + 50)
    display = OutlierExplanationDisplay.from_estimator(pipeline, X[:2] * 100 + 50)
    np.testing.assert_allclose(display.value, X[:2] * 100 + 50)
    made = pipeline.inverse_transform(pipeline.transform(X[:2] * 100 + 50))
    np.testing.assert_allclose(display.expected, made, rtol=1e-5)
    inner = make_pipeline(StandardScaler(), OutlierDetector(PCA(2))).fit(X * 100)
    display = OutlierExplanationDisplay.from_estimator(inner, X[:1] * 100)
    np.testing.assert_allclose(display.value, inner[0].transform(X[:1] * 100))


@pytest.mark.parametrize("is_in_detector", [False, True])
def test_images(conv, images, is_in_detector):
    model = OutlierDetector(conv).fit(images[10:]) if is_in_detector else conv
    display = OutlierExplanationDisplay.from_estimator(model, images[:10], n_samples=2)
    assert display.axes_.shape == (3, 2)
    which = np.argsort(model.score_samples(images[:10]))[:2]
    assert which[0] == 7
    inner = model.estimator_ if is_in_detector else model
    errors = inner.reconstruction_errors(images[which])
    for j in range(2):
        sample, expected, error = (image.get_array() for image in display.images_[:, j])
        np.testing.assert_array_equal(sample, images[which[j]])
        np.testing.assert_allclose(expected, inner.reconstruct(images[which])[j])
        np.testing.assert_allclose(error, 100 * errors[j] / errors[j].sum(), rtol=1e-5)
    (mark,) = display.axes_[2, 0].lines
    assert (mark.get_xdata()[0], mark.get_ydata()[0]) == (5, 2)  # the pixel that was changed
    assert display.axes_[0, 0].get_title().startswith("sample 7\nscore −")
    assert ("p = " in display.axes_[0, 0].get_title()) == is_in_detector
    assert display.colorbar_.ax.get_ylabel() == "% of the error\nof the image"


def test_flat_images_and_images_in_color(images, fast):
    flat = Autoencoder(**fast).fit(images[10:].reshape(50, 64))
    display = OutlierExplanationDisplay.from_estimator(
        flat, images.reshape(60, 64), n_samples=1, image_shape=(8, 8)
    )
    np.testing.assert_array_equal(display.images_[0, 0].get_array(), images[7])
    color = np.random.default_rng(0).integers(0, 255, (2, 5, 6, 3), dtype=np.uint8)
    errors = np.ones(color.shape)
    display = OutlierExplanationDisplay.from_predictions(color, color, errors)
    assert display.images_[0, 0].get_array().shape == (5, 6, 3)
    assert display.images_[2, 0].get_array().shape == (5, 6)


def test_series(recurrent, series):
    display = OutlierExplanationDisplay.from_estimator(recurrent, series, n_samples=2)
    assert display.axes_.shape == (4, 2)  # three features and the heat map
    which = np.argsort(recurrent.score_samples(series))[:2]
    assert which[0] == 4
    errors = recurrent.reconstruction_errors([series[i] for i in which])
    for image, error in zip(display.images_, errors, strict=True):
        np.testing.assert_allclose(image.get_array().T, 100 * error / error.sum(), rtol=1e-5)
    labels = [ax.get_ylabel() for ax in display.axes_[:, 0]]
    assert "feature 3" in labels
    row = labels.index("feature 3")
    sample, expected = display.axes_[row, 0].lines
    np.testing.assert_array_equal(sample.get_ydata(), series[4][:, 3])
    made = recurrent.reconstruct([series[4]])[0][:, 3]
    np.testing.assert_allclose(expected.get_ydata(), made, rtol=1e-5)
    assert sample.get_linestyle() != expected.get_linestyle()
    assert display.axes_[-1, 0].get_xlabel() == "step"
    (legend,) = display.figure_.legends
    assert [text.get_text() for text in legend.get_texts()] == ["sample", "expected"]


def test_features_of_series_have_names(series):
    frames = [pd.DataFrame(one[:, :2], columns=["flow", "heat"]) for one in series]
    model = RecurrentAutoencoder(2, max_epochs=1, check_baseline=False, early_stopping=False)
    display = OutlierExplanationDisplay.from_estimator(model.fit(frames), frames, n_samples=1)
    labels = [ax.get_ylabel() for ax in display.axes_[:, 0]]
    assert labels == ["flow", "heat", "feature"]
    assert names(display.axes_[-1, 0]) == ["flow", "heat"]


def test_other_libraries(homes):
    frame = pl.DataFrame({"a": [1.0, 2.0], "b": ["x", None]})
    contributions = pl.DataFrame({"a": [1.0, 0.0], "b": [0.5, 2.0]})
    display = OutlierExplanationDisplay.from_predictions(
        frame, frame, contributions, scores=[-1, -2], p_values=[0.5, 0.1], n_samples=1
    )
    assert names(display.ax_) == ["b = missing"]
    assert display.titles == ["row 1: score −2, p = 0.1"]


def test_axes_of_the_user(detector, homes):
    from matplotlib import pyplot as plt

    _, axes = plt.subplots(1, 2)
    two = homes.head(2)
    display = OutlierExplanationDisplay.from_estimator(detector, two.head(1), ax=axes[0])
    assert display.ax_.get_subplotspec().get_topmost_subplotspec() == axes[0].get_subplotspec()
    display = OutlierExplanationDisplay.from_estimator(detector, two, ax=axes, color="blue")
    assert display.axes_.ravel().tolist() == axes.tolist()
    assert display.bars_[0][0].get_facecolor()[:3] == (0, 0, 1)
    with pytest.raises(ValueError, match="draws on axes of shape"):
        OutlierExplanationDisplay.from_estimator(detector, homes, ax=axes)
    with pytest.raises(TypeError, match="ax must be one matplotlib Axes"):
        display.plot(axes, kind="heatmap")


def test_bad_input(detector, homes, series):
    draw = OutlierExplanationDisplay.from_estimator
    with pytest.raises(NotFittedError, match="OutlierDetector"):
        draw(OutlierDetector(), homes)
    with pytest.raises(TypeError, match=r"give OutlierDetector\(FrozenEstimator\(estimator\)\)"):
        draw(IsolationForest(n_estimators=2).fit(np.eye(3)), np.eye(3))
    with pytest.raises(ValueError, match="X lacks these columns"):
        draw(detector, homes.drop(columns="rent"))
    with pytest.raises(ValueError, match='kind must be "bars" or "heatmap"; got \'pie\''):
        draw(detector, homes.head(1), kind="pie")
    with pytest.raises(ValueError, match="max_columns == 0"):
        draw(detector, homes.head(1), max_columns=0)
    with pytest.raises(ValueError, match="n_samples == 0"):
        draw(detector, homes, n_samples=0)
    forest = OutlierDetector(IsolationForest(n_estimators=2), random_state=0).fit(np.eye(4))
    with pytest.raises(TypeError, match="Of images.*only an autoencoder gives it.*is a Isol"):
        draw(forest, np.eye(4), image_shape=(2, 2))
    give = OutlierExplanationDisplay.from_predictions
    with pytest.raises(ValueError, match="X has 30 samples, but contributions 2"):
        give(homes, homes, np.ones((2, 5)))
    with pytest.raises(ValueError, match=r"contributions must be of the shape of X: .* \(5,\), th"):
        give(homes, homes, np.ones((30, 4)))
    with pytest.raises(ValueError, match="contributions is of dtype <U1, which is not numeric"):
        give(np.eye(2), np.eye(2), [["a", "b"], ["c", "d"]])
    with pytest.raises(ValueError, match="scores: the score of sample 0 is NaN"):
        give(np.eye(2), np.eye(2), np.eye(2), scores=[np.nan, 1])
