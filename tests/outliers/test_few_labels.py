"""Detectors that learn from known anomalies."""

import pickle
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.ensemble import IsolationForest
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import roc_auc_score
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV, GroupKFold, TimeSeriesSplit
from sklearn.neighbors import KernelDensity
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skae import OutlierDetector, RecurrentAutoencoder
from skae.exceptions import DataWarning

N_NORMAL, N_ODD = 600, 60
FOREST = IsolationForest(n_estimators=30)


def rows_with_two_kinds(seed):
    """Return rows, and their kinds: 0 normal, 1 hardly unusual, 2 far from all others."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((N_NORMAL + 2 * N_ODD, 6))
    kinds = np.repeat([0, 1, 2], [N_NORMAL, N_ODD, N_ODD])
    X[kinds == 1, :2] += [1.5, -1.5]
    X[kinds == 2] *= 4
    return X, kinds


@pytest.fixture
def few(rng):
    """Rows, and labels of a few of them."""
    X = rng.standard_normal((200, 4))
    y = np.zeros(200, int)
    X[:10, 0] += 4
    y[:10], y[10:30] = -1, 1
    return X, y


def fitted(X, y, estimator=FOREST, **how):
    return OutlierDetector(estimator, use_labels=True, random_state=0, **how).fit(X, y)


# What known anomalies change.


@pytest.mark.parametrize("with_normal", [True, False])
def test_known_anomalies_sharpen_scores_and_new_kinds_are_still_found(
    with_normal, global_random_seed
):
    X, kinds = rows_with_two_kinds(global_random_seed)
    X_new, kinds_new = rows_with_two_kinds(1000 + global_random_seed)
    rng = np.random.default_rng(global_random_seed)
    y = np.zeros(len(X))
    y[rng.choice(np.flatnonzero(kinds == 1), 20, replace=False)] = -1
    if with_normal:
        y[rng.choice(np.flatnonzero(kinds == 0), 40, replace=False)] = 1
    unlabeled = OutlierDetector(FOREST, random_state=0).fit(X)
    labeled = fitted(X, y)

    def quality(detector, kind):
        which = (kinds_new == 0) | (kinds_new == kind)
        return roc_auc_score(kinds_new[which] == 0, detector.score_samples(X_new[which]))

    assert quality(labeled, 1) > quality(unlabeled, 1) + 0.02
    assert quality(labeled, 2) > quality(unlabeled, 2) - 0.05
    assert (labeled.predict(X_new[kinds_new == 0]) == -1).mean() < 0.05


def test_scores_are_only_lowered_and_only_near_known_anomalies(few):
    X, y = few
    labeled = fitted(X, y, GaussianMixture(random_state=0))
    alone = GaussianMixture(random_state=0).fit(X[y != -1])
    change = labeled.score_samples(X) - alone.score_samples(X)
    assert (change <= 0).all()
    assert (change[y == -1] < 0).all()
    assert (change[X[:, 0] < 0] == 0).mean() > 0.9


def test_known_anomalies_are_learned_by_nothing_but_the_labels(few):
    X, y = few
    detector = fitted(X, y, KernelDensity(), cv=4)
    assert len(detector.calibration_scores_) == 190
    rows = set(map(tuple, X[y == -1]))
    assert not rows & set(map(tuple, detector.background_))
    np.testing.assert_array_equal(detector.estimator_.tree_.data, X[y != -1])


def test_labels_work_with_what_is_learned_from_folds_and_groups(few):
    X, y = few
    groups = np.arange(200) // 10
    by_groups = fitted_with(X, y, groups=groups, cv=GroupKFold(5))
    assert len(by_groups.calibration_scores_) == 190
    of_later_rows = fitted(X, y, cv=TimeSeriesSplit(4))
    assert len(of_later_rows.calibration_scores_) == 152  # the first part is never held out
    assert (of_later_rows.predict(X[:10]) == -1).all()


def fitted_with(X, y, groups, cv):
    return OutlierDetector(FOREST, use_labels=True, cv=cv, random_state=0).fit(
        X, y, groups=groups, sample_weight=np.ones(len(X))
    )


def test_p_values_of_new_normal_rows_are_even(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X, X_new = rng.standard_normal((2, 1000, 5))
    X[:20, 0] += 3
    y = np.zeros(1000)
    y[:20], y[20:80] = -1, 1
    detector = fitted(X, y, PCA(2), cv=5)
    p = detector.p_value(X_new)
    assert abs((p < 0.05).mean() - 0.05) < 0.03
    assert abs((p < 0.5).mean() - 0.5) < 0.08
    assert (detector.predict(X_new) == -1).mean() < 0.07
    anomalies = rng.standard_normal((20, 5)) + [3, 0, 0, 0, 0]
    flagged = detector.predict_fdr(np.vstack([X_new, anomalies]), alpha=0.2) == -1
    assert flagged[:1000].mean() < 0.02
    with pytest.warns(DataWarning, match="X seems to hold training rows"):
        detector.predict_fdr(X)


def test_labels_of_random_rows_do_little_harm(global_random_seed):
    X, kinds = rows_with_two_kinds(global_random_seed)
    y = np.zeros(len(X))
    drawn = np.random.default_rng(global_random_seed).permutation(np.flatnonzero(kinds == 0))
    y[drawn[:5]], y[drawn[5:100]] = -1, 1
    qualities = [
        roc_auc_score(kinds[kinds != 1] == 0, detector.score_samples(X[kinds != 1]))
        for detector in (OutlierDetector(FOREST, random_state=0).fit(X), fitted(X, y))
    ]
    assert qualities[1] > qualities[0] - 0.05


def test_known_normal_rows_may_all_be_false_alarms(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X, X_new = rng.standard_normal((2, 1000, 6))
    X[:40, :2] += [2, -2]
    X[40:140] += 6  # normal, and flagged: somebody has checked them
    X_new[:200, :2] += [2, -2]
    y = np.repeat([-1, 0, 1, 0], [10, 30, 60, 900])
    qualities = [
        roc_auc_score(np.arange(1000) >= 200, detector.score_samples(X_new))
        for detector in (OutlierDetector(FOREST, random_state=0).fit(X), fitted(X, y))
    ]
    assert qualities[1] > qualities[0] + 0.03


def test_one_known_anomaly_is_enough(few):
    X, y = few
    y[1:10] = 0
    assert fitted(X, y).predict(X[:1]) == [-1]


# The rest of the detector.


def test_explanations_of_rows_like_known_anomalies(few):
    X, y = few
    frame = pd.DataFrame(X, columns=list("abcd")).assign(kind=np.where(X[:, 1] > 0, "up", "down"))
    detector = OutlierDetector(use_labels=True, random_state=0).fit(frame, y)
    odd = frame[:3]
    assert (detector.explain(odd).idxmax(axis=1) == "a").all()
    assert (detector.predict(odd) == -1).all()
    assert (detector.predict(detector.nearest_normal(odd)) == 1).all()
    np.testing.assert_allclose(
        [detector.score_samples(frame[i : i + 1])[0] for i in range(5)],
        detector.score_samples(frame[:5]),
        rtol=1e-4,
    )


def test_fitting_again_pickling_cloning_and_parameters(few):
    X, y = few
    detector = fitted(X, y)
    scores = detector.score_samples(X)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(detector)).score_samples(X), scores)
    np.testing.assert_array_equal(clone(detector).fit(X, y).score_samples(X), scores)
    again = detector.set_params(use_labels=False).fit(X, y)
    alone = OutlierDetector(FOREST, random_state=0).fit(X)
    np.testing.assert_array_equal(again.score_samples(X), alone.score_samples(X))


def test_a_failed_fit_keeps_what_was_learned_from_labels(few):
    X, y = few
    detector = fitted(X, y)
    scores = detector.score_samples(X)
    with pytest.raises(ValueError, match="y holds 7 in row 0"):
        detector.fit(X, np.full(200, 7))
    np.testing.assert_array_equal(detector.score_samples(X), scores)


def test_fit_predict_pipelines_and_searches_pass_labels(few):
    X, y = few
    detector = OutlierDetector(FOREST, use_labels=True, random_state=0)
    by_fit = detector.fit(X, y).predict(X)
    np.testing.assert_array_equal(clone(detector).fit_predict(X, y), by_fit)
    pipeline = make_pipeline(StandardScaler(), clone(detector)).fit(X, y)
    assert (pipeline.predict(X[:10]) == -1).mean() > 0.8

    def auc(detector, X, y):
        return roc_auc_score(y[y != 0], detector.score_samples(X[y != 0]))

    shuffled = np.random.default_rng(0).permutation(200)
    search = GridSearchCV(detector, {"use_labels": [False, True]}, scoring=auc, cv=2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        search.fit(X[shuffled], y[shuffled])
    assert search.best_score_ > 0.9


def test_a_fitted_estimator_takes_labels_without_a_new_fit(few):
    X, y = few
    scaler_and_pca = make_pipeline(StandardScaler(), PCA(2)).fit(X[100:])
    detector = fitted(X, y, FrozenEstimator(scaler_and_pca))
    lowered = scaler_and_pca.score_samples(X) - detector.score_samples(X)
    assert (lowered[:10] > 0).all()


@pytest.mark.parametrize(
    "kind",
    [
        lambda X: X.tolist(),
        pd.DataFrame,
        lambda X: pl.DataFrame(X, schema=[*"abcd"]),
        torch.from_numpy,
        np.asfortranarray,
    ],
    ids=["list", "pandas", "polars", "tensor", "fortran"],
)
def test_rows_in_all_formats(few, kind):
    X, y = few
    X = np.where(np.abs(X) < 0.02, 0, X)
    given = kind(X)
    detector = fitted(given, y, make_pipeline(PCA(2)))
    expected = fitted(X, y, make_pipeline(PCA(2))).score_samples(X)
    np.testing.assert_allclose(detector.score_samples(given), expected, rtol=1e-6)


def test_sparse_rows_and_rows_of_more_axes(few):
    X, y = few
    X = np.where(np.abs(X) < 0.5, 0, X)
    rows = sparse.csr_array(X)
    detector = fitted(rows, y, make_pipeline(TruncatedSVD(2), PCA(2)))
    assert (detector.predict(rows[:10]) == -1).mean() > 0.5
    images = np.repeat(X[:, :, None], 3, axis=2)

    class Means(PCA):
        def fit(self, X, y=None):
            return super().fit(np.asarray(X).mean(2))

        def score_samples(self, X):
            return super().score_samples(np.asarray(X).mean(2))

    assert (fitted(images, y, Means(2)).predict(images[:10]) == -1).mean() > 0.5


def test_missing_cells_and_new_categories(few):
    X, y = few
    frame = pd.DataFrame(X, columns=list("abcd")).assign(kind="up")
    frame.loc[::7, "b"] = np.nan
    detector = OutlierDetector(use_labels=True, random_state=0).fit(frame, y)
    scores = detector.score_samples(frame.assign(kind="new"))
    assert np.isfinite(scores).all()
    assert (scores < detector.score_samples(frame)).all()


def test_constant_scores_and_columns():
    class Constant(IsolationForest):
        def score_samples(self, X):
            return np.zeros(len(X))

    X = np.ones((60, 2))
    X[:5, 0] = 2
    y = np.r_[np.full(5, -1), np.ones(55)]
    detector = fitted(X, y, Constant(n_estimators=2))
    np.testing.assert_array_equal(detector.predict(X), y)


# Labels in all formats, and what is no label.


@pytest.mark.parametrize(
    "kind",
    [
        lambda y: y.tolist(),
        lambda y: y.astype(float),
        lambda y: np.where(y == 0, np.nan, y),
        lambda y: y[:, None],
        lambda y: pd.Series(np.where(y == 0, np.nan, y)),
        lambda y: pd.Series(y, dtype="Int64").mask(y == 0),
        lambda y: pd.Series([None if label == 0 else int(label) for label in y], dtype=object),
        lambda y: pd.Series(y).astype("category"),
        lambda y: pd.DataFrame({"label": y}),
        lambda y: pl.Series([None if label == 0 else int(label) for label in y]),
        lambda y: pa.chunked_array([[None if label == 0 else int(label) for label in y]]),
        lambda y: np.ma.masked_array(np.where(y == 0, 9, y), mask=y == 0),
        torch.from_numpy,
    ],
)
def test_labels_in_all_formats(few, kind):
    X, y = few
    expected = fitted(X, y).score_samples(X)
    np.testing.assert_array_equal(fitted(X, kind(y)).score_samples(X), expected)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (None, "takes labels, but y is None"),
        (np.r_[-1, 2, np.zeros(198)], "y holds 2.0 in row 1"),
        (["outlier"] * 200, "y holds 'outlier' in row 0"),
        (np.arange(200) < 5, "y holds True in row 0"),
        (np.r_[-1, np.inf, np.zeros(198)], "y holds inf in row 1"),
        (-np.ones(200), "marks 200 of 200 rows as anomalies .* none is left"),
        (np.r_[1, -np.ones(199)], "marks 199 of 200 rows as anomalies .* only 1 row is left"),
        (-np.ones(199), "y has 199 labels, but X has 200 rows"),
        (-np.ones((200, 2)), "y is of shape \\(200, 2\\)"),
        (-1, "y is of shape \\(\\)"),
        ([[-1], [1, 1]] * 100, "y holds samples of different shapes"),
    ],
)
def test_what_is_no_label_is_named(few, y, message):
    with pytest.raises(ValueError, match=message):
        fitted(few[0], y)


def test_labels_take_rows_with_columns(rng):
    y = np.r_[np.full(5, -1), np.zeros(25)]
    sequences = [rng.standard_normal((n, 2)) for n in rng.integers(4, 9, 30)]
    short = RecurrentAutoencoder(2, max_epochs=1, check_baseline=False)
    with pytest.raises(ValueError, match="compares rows column by column"):
        fitted(sequences, y, short)


def test_y_without_a_known_anomaly_has_no_effect(few):
    X, y = few
    with pytest.warns(DataWarning, match="holds no known anomaly"):
        detector = fitted(X, (y == -1).astype(int))
    expected = OutlierDetector(FOREST, random_state=0).fit(X).score_samples(X)
    np.testing.assert_array_equal(detector.score_samples(X), expected)


@pytest.mark.parametrize("y", [[-1, 1] * 100, [-1, 0] * 100, [-1.0, np.nan] * 100])
def test_labels_that_are_ignored_are_warned_of(few, y):
    with pytest.warns(DataWarning, match="y holds -1, which fit ignores"):
        OutlierDetector(FOREST).fit(few[0], y)
    OutlierDetector(FOREST, use_labels=False).fit(few[0], y)


@pytest.mark.parametrize(
    "y", [[0, 1] * 100, [0, 1, 2, 3] * 50, ["a", "b"] * 100, [-1.5, -1] * 100, [True, False], "y"]
)
def test_class_labels_are_ignored_in_silence(few, y):
    OutlierDetector(FOREST).fit(few[0], y)


def test_labels_make_the_default_better_on_tumors():
    data = load_breast_cancer()
    is_odd = data.target == 0
    rng = np.random.default_rng(0)
    order = rng.permutation(len(is_odd))
    X, is_odd = data.data[order], is_odd[order]
    y = np.zeros(300)
    y[:30] = np.where(is_odd[:30], -1, 1)
    qualities = [
        roc_auc_score(~is_odd[300:], detector.fit(X[:300], y).score_samples(X[300:]))
        for detector in (
            OutlierDetector(use_labels=use_labels, random_state=0) for use_labels in (False, True)
        )
    ]
    assert qualities[1] > qualities[0] + 0.02
