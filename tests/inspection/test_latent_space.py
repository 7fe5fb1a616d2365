"""The display of codes as points."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.exceptions import NotFittedError
from sklearn.manifold import TSNE
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skae import Autoencoder, OutlierDetector
from skae.exceptions import DataWarning
from skae.inspection import LatentSpaceDisplay

show = LatentSpaceDisplay.from_estimator


@pytest.fixture(scope="module")
def model(X):
    auto = Autoencoder(3, max_epochs=1, check_baseline=False, random_state=0)
    return make_pipeline(StandardScaler(), auto).fit(X)


def offsets(display, i=0):
    return np.asarray(display.points_[i].get_offsets())


def entries(display):
    return [text.get_text() for text in display.legend_.get_texts()]


def test_points_are_codes(X, model):
    display = show(model, X)
    np.testing.assert_allclose(offsets(display), model.transform(X)[:, :2])
    share = 100 * model[-1].explained_variance_ratio_[1]
    assert display.ax_.get_ylabel() == f"code 1 ({share:.0f} % of variance)"
    assert display.legend_ is display.colorbar_ is None
    display = show(model, X, components=(2, 0))
    np.testing.assert_allclose(offsets(display), model.transform(X)[:, [2, 0]])
    given = LatentSpaceDisplay.from_predictions(model.transform(X), components=(2, 0))
    np.testing.assert_allclose(offsets(given), offsets(display))


def test_categories_have_colors_and_markers(X, model):
    y = pd.Series(np.where(np.arange(len(X)) % 3, "b", "a"), name="kind")
    display = show(model, X, y)
    assert entries(display) == ["a", "b"]
    assert display.legend_.get_title().get_text() == "kind"
    np.testing.assert_allclose(offsets(display, 0), model.transform(X)[(y == "a").to_numpy(), :2])
    a, b = display.points_
    assert a.get_facecolor().tolist() != b.get_facecolor().tolist()
    assert len(a.get_paths()[0]) != len(b.get_paths()[0])  # a circle and a square


@pytest.mark.parametrize(
    ("y", "names"),
    [
        ([0, 1, -1], ["no label", "0", "1"]),
        ([1, -1, 1], ["-1", "1"]),
        ([0.0, 1.0, np.nan], ["no label", "0", "1"]),
        (["a", None, "b"], ["no label", "a", "b"]),
        ([True, False, True], ["False", "True"]),
    ],
    ids=str,
)
def test_what_counts_as_a_missing_label(y, names):
    display = LatentSpaceDisplay(codes=np.eye(3)[:, :2], y=y).plot()
    assert entries(display) == names


@pytest.mark.parametrize(
    "make",
    [
        lambda y: pl.Series("kind", y),
        lambda y: pd.DataFrame({"kind": y}),
        lambda y: pd.Series(pd.Categorical(y, categories=["b", "a", "c"]), name="kind"),
    ],
    ids=["polars", "frame", "categorical"],
)
def test_labels_of_frames(make):
    display = LatentSpaceDisplay(codes=np.eye(3)[:, :2], y=make(["a", "b", "a"])).plot()
    assert sorted(entries(display)) == ["a", "b"]
    assert display.legend_.get_title().get_text() == "kind"


def test_rare_categories_are_one():
    y = [f"{i:02}" for i in range(25) for _ in range(30 - i)]
    display = LatentSpaceDisplay(codes=np.zeros((len(y), 2)), y=y).plot()
    assert entries(display)[0] == "00"
    assert entries(display)[-1] == "6 others"
    assert len(display.points_) == 20


def test_numbers_have_a_color_bar(X, model):
    y = np.linspace(0, 1, len(X))
    y[:5] = np.nan
    display = show(model, X, y, y_name="age in years")
    assert display.colorbar_.ax.get_ylabel() == "age in years"
    assert entries(display) == ["no label"]
    np.testing.assert_allclose(offsets(display, 0), model.transform(X)[:5, :2])
    assert np.sort(display.points_[1].get_array().tolist()).tolist() == y[5:].tolist()


def test_colors_by_score_are_those_of_the_estimator(X):
    auto = Autoencoder(2, max_epochs=1, check_baseline=False, random_state=0)
    detector = OutlierDetector(auto, cv=None).fit(X)
    display = show(detector, X, "score")
    scores = detector.score_samples(X)
    np.testing.assert_allclose(np.sort(display.points_[0].get_array()), np.sort(scores))
    np.testing.assert_allclose(
        offsets(display)[-1], detector.estimator_.transform(X)[scores.argmin()]
    )
    assert display.colorbar_.ax.get_ylabel() == "score, higher is more normal"


def test_projections(X, model):
    codes, y = model.transform(X), np.arange(len(X)) % 3
    display = show(model, X, y, projection="pca", components=0)
    expected = PCA(2, random_state=0).fit_transform(codes)[:, 0]
    np.testing.assert_allclose(display.codes[:, 0], expected)
    assert display.ax_.get_xlabel().startswith("principal component 0 of the codes (")
    fitted = PCA(2).fit(codes[:50])
    np.testing.assert_allclose(show(model, X, projection=fitted).codes, fitted.transform(codes))
    lda = LinearDiscriminantAnalysis()
    projected = show(model, X, y, projection=lda)
    np.testing.assert_allclose(projected.codes, lda.fit(codes, y).transform(codes))
    tsne = show(model, X[:20], projection=TSNE(perplexity=5, max_iter=250, random_state=0))
    assert tsne.ax_.get_xlabel() == "TSNE 0"


def test_one_component(X, model):
    codes = model.transform(X)[:, 1]
    display = show(model, X, components=1)
    assert sum(bar.get_height() for bar in display.points_[0]) == len(X)
    assert display.ax_.get_ylabel() == "number of samples"
    y = np.linspace(0, 1, len(X))
    display = show(model, X, pd.Series(y, name="age"), components=1)
    np.testing.assert_allclose(np.sort(offsets(display), axis=0)[:, 1], y)
    assert display.ax_.get_ylabel() == "age"
    display = show(model, X, np.arange(len(X)) % 2, components=1)
    np.testing.assert_allclose(offsets(display, 1)[:, 0], codes[1::2])
    assert [text.get_text() for text in display.ax_.get_yticklabels()] == ["0", "1"]


def test_many_samples_are_subsampled_with_their_labels(X, model):
    y = np.arange(len(X)).astype(float) / 7
    with pytest.warns(DataWarning, match="30 of 120 samples"):
        display = show(model, X, y, max_samples=30)
    which = np.round(np.asarray(display.y) * 7).astype(int)
    np.testing.assert_allclose(display.codes, model.transform(X)[which, :2])


def test_bad_input(X, model):
    with pytest.raises(NotFittedError, match="Autoencoder"):
        show(Autoencoder(), X)
    with pytest.raises(TypeError, match="LocalOutlierFactor has no codes"):
        show(LocalOutlierFactor().fit(X), X)
    with pytest.raises(TypeError, match="StandardScaler gives samples no scores"):
        show(StandardScaler().fit(X), X, "score")
    for wrong, message in (
        ({"y": [1, 2]}, "2 labels for 120 samples"),
        ({"y": X}, "one label for each sample"),
        ({"y": "scores"}, '"score"'),
        ({"components": (0, 3)}, "0 to 2"),
        ({"components": (0, 1, 2)}, "one or two"),
        ({"projection": "tsne"}, '"pca"'),
    ):
        with pytest.raises(ValueError, match=message):
            show(model, X, **wrong)
    with pytest.raises(TypeError, match="projection"):
        show(model, X, projection=3)
