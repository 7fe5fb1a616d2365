"""Histograms of outlier scores."""

import builtins

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression, SGDOneClassSVM
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

from skae import Autoencoder, OutlierDetector
from skae.exceptions import DataWarning
from skae.inspection import OutlierScoreDisplay
from skae.inspection._tail_scale import TailScale


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    X, X_new = rng.normal(size=(300, 4)), rng.normal(size=(100, 4))
    X_new[:10] *= 6
    return X, X_new, np.where(np.arange(100) < 10, -1, 1)


@pytest.fixture(scope="module")
def detector(rows):
    return OutlierDetector(PCA(2)).fit(rows[0])


def legend(display):
    return [text.get_text() for text in display.ax_.get_legend().get_texts()]


def heights(bars):
    return bars.get_data().values


def test_what_is_drawn_of_a_detector(detector, rows):
    _, X_new, y = rows
    display = OutlierScoreDisplay.from_estimator(detector, X_new, y)
    scores = detector.score_samples(X_new)
    edges = display.bars_[0].get_data().edges
    normal, outlier = display.bars_
    is_outlier = y == -1
    for bars, which in ((normal, ~is_outlier), (outlier, is_outlier)):
        expected = 100 * np.histogram(scores[which], edges)[0] / which.sum()
        np.testing.assert_allclose(heights(bars), expected)
        assert heights(bars).sum() == pytest.approx(100)
    assert display.threshold_.get_xdata() == [detector.offset_] * 2
    assert np.abs(edges - detector.offset_).min() < 1e-9  # no bar is on both sides
    flagged = scores < detector.offset_
    assert legend(display) == [
        f"normal: 90, {flagged[~is_outlier].mean():.1%} below the threshold",
        f"outlier: 10, {flagged[is_outlier].mean():.1%} below the threshold",
        f"training rows: 300, {np.mean(detector.calibration_scores_ < detector.offset_):.1%} "
        "below the threshold",
        f"threshold: −{-detector.offset_:.5g}",
    ]
    marks = np.concatenate([line.get_xdata() for line in display.marks_])
    np.testing.assert_allclose(np.sort(marks), np.sort(scores[flagged]))
    assert display.ax_.get_xlabel() == "score of OutlierDetector (the lower, the more unusual)"
    assert display.ax_.get_ylabel() == "% of the group"
    assert display.figure_ is display.ax_.figure
    assert outlier.get_hatch() != normal.get_hatch()  # not by color alone


def test_p_values_are_those_of_the_detector(detector, rows):
    display = OutlierScoreDisplay.from_estimator(detector, rows[1])
    top = display.p_value_ax_
    assert top.get_xlim() == display.ax_.get_xlim()
    texts = [label.get_text() for label in top.get_xticklabels()]
    assert texts == ["0.5", "0.1", "0.01"]
    for place, text in zip(top.get_xticks(), texts, strict=True):
        calibration = np.sort(detector.calibration_scores_)
        just_below = 1 + np.searchsorted(calibration, place, side="left")
        assert just_below / 301 <= float(text) < (just_below + 1) / 301
    display.ax_.set_xlim(-9, 0)
    assert top.get_xlim() == (-9, 0)


@pytest.mark.parametrize(
    ("estimator", "threshold"),
    [
        (IsolationForest(n_estimators=9, random_state=0), -0.5),
        (LocalOutlierFactor(novelty=True), -1.5),
        (make_pipeline(StandardScaler(), IsolationForest(n_estimators=9, random_state=0)), -0.5),
        (OneClassSVM(), None),
        (SGDOneClassSVM(random_state=0), None),
    ],
    ids=lambda value: type(value).__name__,
)
def test_thresholds_of_other_detectors(estimator, threshold, rows):
    X, X_new, _ = rows
    display = OutlierScoreDisplay.from_estimator(estimator.fit(X), X_new)
    if threshold is not None:
        assert display.threshold == pytest.approx(threshold)
    np.testing.assert_array_equal(
        np.asarray(display.scores) < display.threshold, estimator.predict(X_new) == -1
    )
    assert display.training_ is display.p_value_ax_ is None


def test_autoencoders_have_no_threshold_of_their_own(rows, fast):
    X, X_new, _ = rows
    model = Autoencoder(**fast).fit(X)
    display = OutlierScoreDisplay.from_estimator(model, X_new)
    assert display.threshold_ is None
    assert display.marks_ == []
    assert legend(display) == ["samples: 100"]
    assert display.ax_.get_ylabel() == "% of the samples"
    display = OutlierScoreDisplay.from_estimator(model, X_new, X_train=X, threshold=-2.0)
    np.testing.assert_allclose(display.training_scores, model.score_samples(X))
    assert display.threshold_.get_xdata() == [-2.0, -2.0]
    assert display.p_value_ax_ is not None


SCORES = np.linspace(-3, 0, 8)


@pytest.mark.parametrize(
    ("y", "names"),
    [
        ([0, 0, 0, 0, 0, 0, 1, 1], ["y = 0: 6", "y = 1: 2"]),
        (np.array([0.0, 0, 0, 0, 1, 1, np.nan, 0]), ["y = 0: 5", "y = 1: 2", "no label: 1"]),
        (
            pd.Series([True] * 2 + [False] * 6, name="fraud"),
            ["fraud = False: 6", "fraud = True: 2"],
        ),
        (["odd", None, *["fine"] * 6], ["fine: 6", "odd: 1", "no label: 1"]),
        (pl.Series("odd", [1] * 3 + [2] * 5), ["odd = 2: 5", "odd = 1: 3"]),
        (pd.Series(["a"] * 5 + [pd.NA] * 3, dtype="category"), ["a: 5", "no label: 3"]),
        ([-1, 0, 1, 1, 1, 1, np.nan, np.nan], ["normal: 4", "no label: 3", "outlier: 1"]),
        ([-1] * 5 + [1] * 3, ["outlier: 5", "normal: 3"]),
        (
            np.ma.array([-1] + [1] * 7, mask=[0] * 7 + [1]),
            ["normal: 6", "outlier: 1", "no label: 1"],
        ),
        (np.array([[1]] * 7 + [[-1]]), ["normal: 7", "outlier: 1"]),
    ],
    ids=str,
)
def test_labels(y, names):
    display = OutlierScoreDisplay.from_predictions(SCORES, y)
    assert legend(display) == names
    looks = [(bars.get_edgecolor(), bars.get_hatch()) for bars in display.bars_]
    assert len(set(looks)) == len(looks)


def test_outliers_look_the_same_however_many_they_are():
    few, many = (
        OutlierScoreDisplay.from_predictions(SCORES, [-1] * n + [1] * (8 - n)) for n in (1, 7)
    )
    assert few.bars_[1].get_edgecolor() == many.bars_[0].get_edgecolor()


def test_rare_labels_are_one_group():
    with pytest.warns(DataWarning, match="y holds 9 different labels. The 3 rarest are drawn"):
        display = OutlierScoreDisplay.from_predictions(
            np.arange(12.0), ["a", "a", "b", "b", "c", "c", *"defghi"]
        )
    assert legend(display)[:4] == ["other labels: 3", "a: 2", "b: 2", "c: 2"]


def test_heavy_tails_are_legible():
    rng = np.random.default_rng(0)
    scores = np.r_[rng.normal(-5000, 10, 1000), -np.geomspace(5200, 1e7, 10), -np.inf]
    display = OutlierScoreDisplay.from_predictions(scores, threshold=-5040)
    ax = display.ax_
    assert ax.get_xscale() == "function"
    bulk = ax.transData.transform([[-5030, 0], [-4970, 0]])[:, 0]
    assert (bulk[1] - bulk[0]) / ax.bbox.width > 0.3
    assert heights(display.bars_[0]).sum() == pytest.approx(100)
    assert legend(display)[0].endswith("1 far off the axis")
    ticks = ax.get_xticks()
    assert len(ticks) >= 5
    assert any(tick < -1e5 for tick in ticks)
    plain = OutlierScoreDisplay.from_predictions(rng.normal(size=1000))
    assert plain.ax_.get_xscale() == "linear"


def test_the_scale_can_be_undone():
    scale = TailScale.of(np.r_[np.linspace(-1, 1, 99), -1e99])
    values = np.array([-1e99, -50.0, -1.0, 0.0, 0.7, 3.0, 1e20])
    np.testing.assert_allclose(scale.backward(scale.forward(values)), values, atol=1e-12)
    assert (np.diff(scale.forward(values)) > 0).all()


@pytest.mark.parametrize("scores", [[1.0], [2.0] * 5, [-np.inf, -np.inf]])
def test_few_or_equal_scores(scores):
    display = OutlierScoreDisplay.from_predictions(scores, threshold=1.5, training_scores=scores)
    assert heights(display.bars_[0]).sum() == pytest.approx(100)
    display.figure_.draw_without_rendering()


def test_axes_and_styles_of_the_user(detector, rows):
    from matplotlib import pyplot as plt

    _, axes = plt.subplots(2)
    display = OutlierScoreDisplay.from_estimator(
        detector, rows[1], ax=axes[1], name="pumps", n_bins=10, ec="red", threshold_kw={"lw": 4}
    )
    assert display.ax_ is axes[1]
    assert display.ax_.get_xlabel().startswith("score of pumps")
    assert display.threshold_.get_linewidth() == 4
    assert display.bars_[0].get_edgecolor()[:3] == (1, 0, 0)
    assert len(display.bars_[0].get_data().edges) < 15
    assert display.plot(name="fans").ax_.get_xlabel().startswith("score of fans")


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"scores": [1, np.nan]}, "scores: the score of sample 1 is NaN"),
        ({"scores": []}, r"scores must give one score for each sample; shape \(0,\)"),
        ({"scores": [[1, 2], [3, 4]]}, r"shape \(2, 2\)"),
        ({"scores": ["a"]}, "scores is of dtype"),
        ({"scores": [1, 2], "y": [1]}, "y has 1 labels for 2 samples: give one"),
        ({"scores": [1, 2], "y": [0.3, 0.7]}, "y holds numbers such as 0.3, which are no labels"),
        ({"scores": [1, 2], "training_scores": [np.nan]}, "training_scores: the score"),
        ({"scores": [1, 2], "threshold": "low"}, "threshold must be a number or None; got 'low'"),
        ({"scores": [1, 2], "threshold": np.nan}, "threshold must be a number or None"),
        ({"scores": [1, 2], "n_bins": 0}, "n_bins must be an integer of at least 1; got 0"),
    ],
)
def test_bad_data(how, message):
    with pytest.raises(ValueError, match=message):
        OutlierScoreDisplay.from_predictions(**how)


def test_bad_estimators(rows):
    X, X_new, _ = rows
    with pytest.raises(NotFittedError, match="IsolationForest"):
        OutlierScoreDisplay.from_estimator(IsolationForest(), X_new)
    with pytest.raises(TypeError, match="LinearRegression gives samples no scores"):
        OutlierScoreDisplay.from_estimator(LinearRegression().fit(X, X[:, 0]), X_new)
    with pytest.raises(TypeError, match=r"is a class: write OutlierDetector\(\)"):
        OutlierScoreDisplay.from_estimator(OutlierDetector, X_new)
    lof = LocalOutlierFactor().fit(X)
    with pytest.raises(TypeError, match=r"such as .*LocalOutlierFactor\(novelty=True\)"):
        OutlierScoreDisplay.from_estimator(lof, X_new)


def test_matplotlib_is_missing(monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.partition(".")[0] == "matplotlib":
            raise ModuleNotFoundError("No module named 'matplotlib'", name="matplotlib")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ModuleNotFoundError, match=r"skae\[plot\]"):
        OutlierScoreDisplay.from_predictions([1.0, 2.0])
