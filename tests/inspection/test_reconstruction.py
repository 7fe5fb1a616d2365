"""The display of samples beside what a model makes of them."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from matplotlib import pyplot as plt
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.exceptions import NotFittedError
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from skae import (
    Autoencoder,
    ConvAutoencoder,
    ImageToImageRegressor,
    OutlierDetector,
    RecurrentAutoencoder,
    TabularAutoencoder,
)
from skae.inspection import ReconstructionDisplay

QUICK = {"max_epochs": 1, "check_baseline": False, "random_state": 0}
show = ReconstructionDisplay.from_estimator


@pytest.fixture(scope="module")
def digits():
    return load_digits().data[:200]


@pytest.fixture(scope="module")
def pipeline(digits):
    return make_pipeline(MinMaxScaler(), Autoencoder(4, **QUICK)).fit(digits)


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    age = rng.integers(20, 60, size=60)
    table = pd.DataFrame(
        {
            "age": age,
            "since": pd.Timestamp("2020-01-01") + pd.to_timedelta(age, unit="D"),
            "group": np.where(age < 40, "junior", "senior"),
            "noise": rng.normal(size=60),
        }
    )
    table.loc[0, "noise"] = np.nan
    return table


def pictures(display):
    return [[np.asarray(image.get_array()) for image in row] for row in display.images_]


def test_images_are_drawn_in_the_units_of_the_user(digits, pipeline):
    display = show(pipeline, digits, image_shape=(8, 8), n_samples=5)
    assert display.form == "images"
    assert display.axes_.shape == display.images_.shape == (3, 5)
    original, made, error = pictures(display)
    restored = pipeline.inverse_transform(pipeline.transform(digits[:5])).reshape(5, 8, 8)
    np.testing.assert_array_equal(original, digits[:5].reshape(5, 8, 8))
    np.testing.assert_allclose(made, restored)
    np.testing.assert_allclose(error, np.abs(original - restored))
    assert display.images_[0, 0].get_clim() == display.images_[1, 0].get_clim()
    assert [ax.get_ylabel() for ax in display.axes_[:, 0]] == [
        "original",
        "reconstruction",
        "error",
    ]
    assert display.colorbar_.ax.get_ylabel() == "absolute\nerror"
    assert display.axes_[0, 4].get_title() == "sample 4"


def test_which_samples_are_drawn(digits, pipeline):
    worst = show(pipeline, digits, image_shape=(8, 8), selection="worst", n_samples=2)
    errors = np.abs(pipeline.inverse_transform(pipeline.transform(digits)) - digits).mean(axis=1)
    expected = [f"sample {i}" for i in np.argsort(errors)[::-1][:2]]
    assert worst.sample_names == expected
    some = show(pipeline, digits, image_shape=(8, 8), selection=[7, -1])
    assert some.sample_names == ["sample 7", "sample 199"]
    drawn = [
        show(pipeline, digits, form="rows", selection="random", random_state=1).sample_names
        for _ in range(2)
    ]
    assert drawn[0] == drawn[1]
    assert len(drawn[0]) == 3
    for wrong, message in (("best", '"first"'), ([200], "200 samples"), ([0.5], "positions")):
        with pytest.raises(ValueError, match=message):
            show(pipeline, digits, selection=wrong)


def test_colors_are_drawn_as_such():
    X = np.random.default_rng(0).integers(0, 256, size=(30, 8, 8, 3)).astype(np.uint8)
    model = ConvAutoencoder(2, channels=(4,), **QUICK).fit(X)
    display = show(model, X, n_samples=2)
    np.testing.assert_allclose(pictures(display)[0], X[:2] / 255)
    errors = np.abs(model.reconstruct(X[:2]).astype(float) - X[:2]).mean(axis=-1)
    np.testing.assert_allclose(pictures(display)[2], errors)


def test_regression_of_images_has_a_target(digits):
    Y = digits.reshape(-1, 8, 8)
    X = Y[:, ::2, ::2]
    model = ImageToImageRegressor(channels=(4, 8), **QUICK).fit(X, Y)
    display = show(model, X, Y, n_samples=2)
    labels = ["input", "target", "prediction", "error"]
    assert [ax.get_ylabel() for ax in display.axes_[:, 0]] == labels
    np.testing.assert_allclose(pictures(display)[3], np.abs(model.predict(X[:2]) - Y[:2]))
    assert show(model, X).error is None
    with pytest.raises(ValueError, match="and y where"):
        show(model, X, selection="worst")


def test_series_are_lines_each_as_long_as_it_is():
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(n, 2)) for n in (9, 5, 7, 6, 8)]
    model = RecurrentAutoencoder(2, hidden_layer_sizes=4, **QUICK).fit(X)
    display = show(model, X)
    assert display.form == "series"
    assert display.axes_.shape == (3, 4)  # two features and the error
    original, made = display.lines_[:2]
    np.testing.assert_array_equal(original.get_ydata(), X[0][:, 0])
    np.testing.assert_allclose(made.get_ydata(), model.reconstruct(X[:1])[0][:, 0])
    assert original.get_linestyle() != made.get_linestyle()
    assert [len(line.get_xdata()) for line in display.lines_[:8:2]] == [9, 5, 7, 6]
    assert display.axes_[-1, 0].get_xlabel() == "step"
    assert display.axes_[-1, 0].get_ylabel() == "mean absolute\nerror"


def test_rows_of_a_table_are_drawn_by_column(table):
    model = TabularAutoencoder(2, **QUICK).fit(table)
    display = show(model, table, n_samples=2)
    assert display.form == "rows"
    names = [text.get_text() for text in display.ax_.get_yticklabels()]
    assert names == list(table.columns)
    original, made = (line.get_xdata() for line in display.lines_[2:4])
    age = table["age"]
    assert original[0] == pytest.approx((age[1] - age.mean()) / age.std(ddof=0))
    restored = model.reconstruct(table[:2])
    widths = [bar.get_width() for bar in display.bars_[1]]
    assert widths[0] == pytest.approx(abs(restored["age"][1] - age[1]) / age.std(ddof=0))
    assert widths[0] == pytest.approx(abs(original[0] - made[0]))
    assert widths[2] == float(restored["group"][1] != table["group"][1])
    assert np.isnan(display.lines_[0].get_xdata()[3])
    texts = [text.get_text() for text in display.axes_[0, 1].texts]
    assert texts[1].startswith(f"{table['since'][0]:%Y-%m-%d}")
    assert texts[3].startswith("missing → ")
    assert "standard" in display.ax_.get_xlabel()
    frame = pl.from_pandas(table)
    twin = show(TabularAutoencoder(2, **QUICK).fit(frame), frame, n_samples=2)
    pd.testing.assert_frame_equal(twin.original, display.original, check_dtype=False)


def test_columns_with_the_largest_errors_are_drawn(X):
    model = Autoencoder(2, **QUICK).fit(np.hstack([X, X]))
    display = show(model, np.hstack([X, X]), n_samples=1)
    assert len(display.bars_[0]) == 15
    assert display.ax_.get_ylabel() == "15 of 20 columns, largest errors"


def test_steps_that_cannot_be_undone_leave_their_output(table):
    steps = make_column_transformer((StandardScaler(), ["age"]), remainder="drop")
    model = make_pipeline(steps, Autoencoder(1, **QUICK)).fit(table)
    display = show(model, table, n_samples=2)
    np.testing.assert_allclose(display.original.to_numpy(), model[:-1].transform(table)[:2])


def test_steps_that_fill_missing_values_are_left_as_they_are(X):
    X = np.where(np.arange(X.size).reshape(X.shape) % 7 == 0, np.nan, X)
    model = make_pipeline(SimpleImputer(), StandardScaler(), Autoencoder(2, **QUICK)).fit(X)
    display = show(model, X, n_samples=2)
    np.testing.assert_array_equal(display.original, X[:2])
    scaled = model[-1].reconstruct(model[:-1].transform(X[:2]))
    np.testing.assert_allclose(display.reconstruction, model[1].inverse_transform(scaled))
    assert np.isnan(display.error.iloc[0, 0])


def test_other_estimators_and_given_reconstructions(digits):
    pca = PCA(4).fit(digits)
    display = show(pca, digits, image_shape=(8, 8), n_samples=3)
    given = ReconstructionDisplay.from_predictions(
        digits, pca.inverse_transform(pca.transform(digits)), image_shape=(8, 8), n_samples=3
    )
    np.testing.assert_allclose(given.error, display.error)
    noisy = show(pca, digits + 1, digits, image_shape=(8, 8), n_samples=3)
    np.testing.assert_allclose(noisy.error, display.error, atol=1.0)
    np.testing.assert_array_equal(noisy.target, display.original)
    detector = OutlierDetector(Autoencoder(2, **QUICK), cv=None).fit(digits)
    assert len(show(detector, digits, image_shape=(8, 8)).original) == 8


def test_several_reconstructions_by_name(digits, pipeline):
    made = {
        "PCA": PCA(2).fit(digits).inverse_transform(PCA(2).fit_transform(digits)),
        "mean": np.tile(digits.mean(axis=0), (len(digits), 1)),
    }
    draw = ReconstructionDisplay.from_predictions
    images = draw(digits, made, image_shape=(8, 8), n_samples=3)
    assert [ax.get_ylabel() for ax in images.axes_[:, 0]] == ["original", "PCA", "mean"]
    np.testing.assert_allclose(pictures(images)[1][2], made["PCA"][2].reshape(8, 8))
    series = draw(digits[:, :, None], {n: x[:, :, None] for n, x in made.items()}, form="series")
    assert series.axes_.shape == (1, 4)
    assert len({(one.get_color(), one.get_linestyle()) for one in series.lines_}) == 3
    rows = draw(digits, made, n_samples=2)
    assert rows.axes_.shape == (1, 2)
    assert len({(one.get_color(), one.get_marker()) for one in rows.lines_}) == 3
    with pytest.raises(ValueError, match="mean 3: give one"):
        draw(digits, made | {"mean": digits[:3]})
    with pytest.raises(ValueError, match="one reconstruction"):
        draw(digits, made, selection="worst")


def test_axes_can_be_given(digits, pipeline):
    _, axes = plt.subplots(3, 2)
    display = show(pipeline, digits, image_shape=(8, 8), n_samples=2, ax=axes)
    assert display.axes_[2, 1] is axes[2, 1]
    assert display.ax_ is axes[0, 0]
    figure, ax = plt.subplots()
    assert show(pipeline, digits, ax=ax).figure_ is figure
    with pytest.raises(ValueError, match=r"\(3, 8\)"):
        show(pipeline, digits, image_shape=(8, 8), ax=axes)
    styled = display.plot(image_kw={"cmap": "viridis"})
    assert styled.images_[0, 0].get_cmap().name == "viridis"


def test_bad_input(digits, pipeline, X):
    with pytest.raises(NotFittedError, match="Autoencoder"):
        show(Autoencoder(), digits)
    with pytest.raises(TypeError, match="IsolationForest has no reconstructions"):
        show(IsolationForest(n_estimators=2).fit(X), X)
    behind = make_pipeline(pipeline, LogisticRegression()).fit(digits, np.arange(200) % 2)
    with pytest.raises(TypeError, match=r"pipeline\[:-1\]"):
        show(behind, digits)
    with pytest.raises(ValueError, match="not labels"):
        show(pipeline, digits, np.zeros((200, 1)), form="rows")
    with pytest.raises(ValueError, match="image_shape"):
        show(pipeline, digits, image_shape=(9, 8))
    with pytest.raises(ValueError, match="form must be"):
        show(pipeline, digits, form="pictures")
    ragged = [[1.0, 2.0, 3.0], [4.0, 5.0]]
    assert ReconstructionDisplay.from_predictions(ragged, ragged).form == "series"
    with pytest.raises(ValueError, match="but X_reconstructed 3: give one for each"):
        ReconstructionDisplay.from_predictions(digits, digits[:3])
