"""p-values and bounded false alarms, of new rows and of the training rows."""

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.frozen import FrozenEstimator
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import TimeSeriesSplit
from sklearn.neighbors import KernelDensity

from skae import Autoencoder, OutlierDetector
from skae._outliers.false_discoveries import tail_p_values
from skae.exceptions import DataWarning

X = np.random.default_rng(0).normal(size=(60, 6))


def net():
    return Autoencoder(2, max_epochs=1, check_baseline=False)


def planted(rng, n=600, n_outliers=18):
    """Return rows, and which are outliers: 7 to 9 standard deviations off in each column."""
    rows, is_odd = rng.normal(size=(n, 6)), np.arange(n) < n_outliers
    rows[is_odd] = rng.choice([-1, 1], (n_outliers, 6)) * rng.uniform(7, 9, (n_outliers, 6))
    return rows, is_odd


# Training rows are known again.


@pytest.mark.parametrize("cv", [None, 3])
def test_p_values_of_the_training_rows(cv):
    detector = OutlierDetector(net(), cv=cv, random_state=0).fit(X)
    for rows in (X, X[::-1], X.astype(np.float32), X[10:30], np.vstack([X, X[:30] + 30])):
        with pytest.warns(DataWarning, match="predict_fdr finds no outliers among them"):
            assert (detector.predict_fdr(rows)[: len(X)] == 1).all()
        with pytest.warns(DataWarning, match="Use fit_predict_fdr"):
            detector.p_value(rows)
    assert (detector.predict_fdr(X + 30) == -1).all()
    detector.p_value(np.vstack([X[:5], X + 30]))
    detector.p_value(X[:1])


@pytest.mark.parametrize("n_columns", [2, 12])
@pytest.mark.parametrize("estimator", [PCA(2), IsolationForest(n_estimators=20), KernelDensity()])
def test_new_rows_that_equal_training_rows_are_no_training_rows(estimator, n_columns):
    rng = np.random.default_rng(0)
    X, X_new = (rng.random((2, 400, n_columns)) < 0.15).astype(float)
    detector = OutlierDetector(estimator, random_state=0).fit(X)
    for rows in (X_new, X_new[:200]):
        detector.p_value(rows)
    with pytest.warns(DataWarning, match="X seems to hold training rows"):
        detector.p_value(X[::-1])


def test_rows_that_are_all_alike_are_no_training_rows():
    detector = OutlierDetector(IsolationForest(n_estimators=5)).fit(np.ones((30, 2)))
    assert (detector.p_value(np.ones((30, 2))) == 1).all()


def test_predict_fdr_with_few_calibration_scores():
    detector = OutlierDetector(net()).fit(X[:18])
    with pytest.warns(DataWarning, match="as alpha=0.05 with 18 calibration scores.* least 19"):
        detector.predict_fdr(X[30:])
    detector.predict_fdr(X[30:], alpha=0.1)


# Outliers among the training rows.


@pytest.mark.parametrize("estimator", [PCA(3), GaussianMixture(1), KernelDensity(bandwidth=0.8)])
def test_outliers_among_training_rows_are_found_with_few_false_alarms(estimator):
    false, found = [], []
    for seed in range(10):
        rows, is_odd = planted(np.random.default_rng(seed))
        labels = OutlierDetector(estimator, random_state=seed).fit_predict_fdr(rows)
        false.append((labels[~is_odd] == -1).sum() / max(1, (labels == -1).sum()))
        found.append((labels[is_odd] == -1).mean())
    assert np.mean(false) <= 0.05
    assert np.mean(found) > 0.8


def test_the_default_finds_outliers_among_training_rows():
    rows, is_odd = planted(np.random.default_rng(0), 300, 9)
    labels = OutlierDetector(random_state=0).fit_predict_fdr(rows, alpha=0.1)
    assert (labels[is_odd] == -1).all()
    assert (labels[~is_odd] == -1).sum() <= 2


def test_clean_rows_give_hardly_any_false_alarm():
    n_with_any = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        for rows in (rng.normal(size=(300, 4)), rng.uniform(size=(300, 4))):
            labels = OutlierDetector(PCA(2), random_state=seed).fit_predict_fdr(rows)
            n_with_any += (labels == -1).any()
    assert n_with_any <= 2  # 5 % of 40


def test_a_larger_alpha_finds_no_fewer():
    rows, _ = planted(np.random.default_rng(1))
    detector = OutlierDetector(IsolationForest(n_estimators=30), random_state=0)
    counts = [
        (detector.fit_predict_fdr(rows, alpha=alpha) == -1).sum() for alpha in (0.01, 0.1, 0.5)
    ]
    assert counts[-1] > 0
    assert counts == sorted(counts)


@pytest.mark.parametrize("cv", [None, 3])
def test_fit_predict_fdr_fits_as_with_cv(cv):
    detector = OutlierDetector(PCA(2), cv=cv, random_state=0)
    detector.fit_predict_fdr(X)
    other = OutlierDetector(PCA(2), cv=cv or 5, random_state=0).fit(X)
    assert detector.cv == cv
    assert detector.offset_ == other.offset_
    np.testing.assert_array_equal(detector.calibration_scores_, other.calibration_scores_)
    np.testing.assert_array_equal(detector.predict(X + 1), other.predict(X + 1))


def test_weights_and_alpha_reach_fit_predict_fdr():
    weight = np.r_[np.ones(30), np.zeros(30) + 1e-9]
    detector = OutlierDetector(KernelDensity(), random_state=0)
    detector.fit_predict_fdr(X, 0.2, sample_weight=weight)
    other = OutlierDetector(KernelDensity(), cv=5, random_state=0).fit(X, sample_weight=weight)
    np.testing.assert_array_equal(detector.calibration_scores_, other.calibration_scores_)


def test_rows_that_are_never_held_out_cannot_be_judged():
    detector = OutlierDetector(PCA(2), cv=TimeSeriesSplit(3)).fit(X[:40])
    offset = detector.offset_
    with pytest.raises(ValueError, match="never holds out some of the rows.*such as cv=5"):
        detector.fit_predict_fdr(X)
    assert detector.offset_ == offset
    assert len(detector.calibration_scores_) == 30


@pytest.mark.parametrize("alpha", [0, 1, -0.1, "0.1", None])
def test_alpha_is_a_fraction(alpha):
    detector = OutlierDetector(PCA(2))
    with pytest.raises(ValueError, match="alpha must be a number between 0 and 1"):
        detector.fit_predict_fdr(X, alpha=alpha)
    with pytest.raises(ValueError, match="alpha must be a number between 0 and 1"):
        detector.fit(X).predict_fdr(X + 1, alpha=alpha)


def test_most_rows_alike_have_no_tail():
    rows = np.zeros((100, 2))
    rows[:3] = 5, 6
    estimator = FrozenEstimator(KernelDensity().fit(rows))
    with pytest.warns(DataWarning, match="100 rows have no tail.*most of them are equal"):
        assert (OutlierDetector(estimator).fit_predict_fdr(rows) == 1).all()


# p-values by the tail.


@pytest.mark.parametrize("draw", ["exponential", "pareto"])
def test_tails_are_right_or_too_heavy(draw):
    rng, factors = np.random.default_rng(0), []
    for _ in range(20):
        depths = rng.exponential(size=1000) if draw == "exponential" else rng.pareto(4, 1000)
        lowest = tail_p_values(np.append(-depths, [-np.quantile(depths, 0.99), -1e9]))[-2]
        factors.append(lowest / 0.01)
    assert 1 < np.mean(factors) < 3


def test_tail_p_values_fall_with_the_score():
    scores = np.sort(np.random.default_rng(0).normal(size=200))
    p = tail_p_values(scores)
    assert (np.diff(p) >= 0).all()
    assert 0 < p[0] < 0.1
    assert (p[-70:] == 1).all()
    np.testing.assert_allclose(tail_p_values(1e3 * scores - 7), p)
