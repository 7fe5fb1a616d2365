"""Thresholds that follow the scores of a stream."""

import pickle
import re

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from scipy.stats import genpareto
from sklearn.base import BaseEstimator, clone
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skae
from skae import StreamingThreshold, TabularOutlierScorer
from skae._series.tail_fit import Tail, fit_tail

METHODS = ("quantile", "spot", "dspot")


class FirstColumn(BaseEstimator):
    """The first column is the score."""

    def fit(self, X, y=None):
        self.is_fitted_ = True
        return self

    def score_samples(self, X):
        return np.asarray(X, float)[:, 0]


class MovingMeans(BaseEstimator):
    """How near the first column is to the mean of the three rows before."""

    def fit(self, X, y=None):
        self.n_context_ = 3
        self.n_learned_ = len(X)
        return self

    def score_samples(self, X):
        x = np.asarray(X, float)[:, 0]
        means = [x[max(0, i - 3) : i].mean() if i else x[0] for i in range(len(x))]
        return -np.abs(x - means)


@skae.register
class SavedMeans(MovingMeans):
    pass


def column(x):
    return np.asarray(x, float)[:, None]


def drawn(n, seed=0):
    return np.random.default_rng(seed).normal(size=n)


def following(method="quantile", scores=None, **how):
    """Return a threshold that was found from scores, which are those of the rows of ``fit``."""
    scores = drawn(1000) if scores is None else scores
    detector = FrozenEstimator(FirstColumn().fit(None))
    return StreamingThreshold(detector, method=method, **how).fit(column(scores))


# What the threshold is.


@pytest.mark.parametrize("alpha", [0.01, 0.05, 0.29, 0.5])
def test_p_values_of_the_quantile_are_ranks_in_the_window(alpha):
    before, scores = drawn(200), drawn(300, 1).round(1)
    stream = following(scores=before, alpha=alpha, window=100)
    labels, p_values = stream.update(column(scores))
    known = np.concatenate([before, scores])
    windows = [known[i + 100 : i + 200] for i in range(300)]
    ranks = [(1 + (w <= s).sum()) / 101 for w, s in zip(windows, scores, strict=True)]
    np.testing.assert_array_equal(p_values, ranks)
    np.testing.assert_array_equal(labels == -1, p_values <= alpha)
    assert (labels == -1).any()
    assert (labels == 1).any()


@pytest.mark.parametrize("method", METHODS)
def test_a_chunk_is_the_same_as_its_rows(method):
    scores = drawn(2000, 1)
    scores[[5, 70, 900]], scores[[8, 9]] = -9, np.nan
    at_once, one_by_one = following(method), following(method)
    labels, p_values = at_once.update(column(scores))
    steps = [one_by_one.update([[score]]) for score in scores]
    np.testing.assert_array_equal(labels, np.concatenate([step[0] for step in steps]))
    np.testing.assert_array_equal(p_values, np.concatenate([step[1] for step in steps]))
    assert at_once.threshold_ == one_by_one.threshold_
    assert at_once.n_seen_ == one_by_one.n_seen_ == 2000
    assert pickle.dumps(at_once) == pickle.dumps(one_by_one)
    assert (labels[[5, 70, 900]] == -1).all()


@pytest.mark.parametrize("method", METHODS)
def test_predict_judges_by_the_threshold_of_now_and_does_not_move_it(method):
    stream = following(method, depth=20)
    scores = np.linspace(-5, 2, 50)
    threshold = stream.threshold_
    labels = stream.predict(column(scores))
    np.testing.assert_array_equal(labels == -1, scores < threshold)
    np.testing.assert_array_equal(stream.decision_function(column(scores)), scores - threshold)
    assert stream.threshold_ == stream.offset_ == threshold
    for label, score in zip(labels, scores, strict=True):
        assert clone(stream).fit(column(drawn(1000))).update([[score]])[0] == label
    stream.update(column(drawn(300, 2) - 0.5))
    assert stream.threshold_ != threshold


@pytest.mark.parametrize("method", METHODS)
def test_p_values_rise_with_the_score_and_cross_alpha_at_the_threshold(method):
    stream = following(method)
    threshold = stream.threshold_
    scores = np.sort(np.append(drawn(200, 3) * 2, [threshold - 1e-6, threshold + 1e-6]))
    judged = [pickle.loads(pickle.dumps(stream)).update([[score]]) for score in scores]
    p_values = np.concatenate([p for _, p in judged])
    assert (np.diff(p_values) >= 0).all()
    np.testing.assert_array_equal(p_values <= 0.01, scores < threshold)
    assert 0 < p_values.min() < 0.01
    assert p_values.max() == 1.0 or p_values.max() > 0.99


# Guarantees.


def test_false_alarms_of_exchangeable_scores_are_within_binomial_bounds():
    n, alpha = 20_000, 0.05
    _, p_values = following(alpha=alpha, scores=drawn(1000)).update(column(drawn(n, 1)))
    for level in (0.01, 0.05, 0.2, 0.5):
        assert abs((p_values <= level).mean() - level) < 4 * np.sqrt(level * (1 - level) / n)


@pytest.mark.parametrize("score", [-6.0, 6.0])
def test_false_alarms_with_contaminated_windows(score):
    """Anomalies that score low only make p-values larger; no anomalies do much harm."""
    rng, alpha, n = np.random.default_rng(0), 0.1, 20_000
    scores, is_anomaly = rng.normal(size=n + 1000), rng.uniform(size=n + 1000) < 0.05
    scores[is_anomaly] = score
    stream = following(alpha=alpha, scores=scores[:1000])
    labels, _ = stream.update(column(scores[1000:]))
    rate = (labels == -1)[~is_anomaly[1000:]].mean()
    margin = 4 * np.sqrt(alpha * (1 - alpha) / n)
    if score < 0:  # the ranks of normal rows rise by a half of alpha
        assert abs(rate - 0.05 / 0.95) < margin
    else:
        assert alpha + margin / 2 < rate < alpha / 0.95 + margin
    assert ((labels == -1)[is_anomaly[1000:]] == (score < 0)).all()


def test_more_anomalies_than_alpha_in_the_window_hide_others():
    scores = drawn(1000)
    scores[::20] = -6
    stream = following(scores=scores)
    assert stream.update([[-5.9]])[0] == 1
    assert stream.update([[-6.5]])[0] == -1


@pytest.mark.parametrize("draw", [drawn, lambda n, seed=0: genpareto(0.3).rvs(n, seed) * -1])
@pytest.mark.parametrize("method", ["spot", "dspot"])
def test_false_alarms_of_tails_do_not_grow(method, draw):
    stream = following(method, draw(2000), alpha=0.01)
    labels, p_values = stream.update(column(draw(20_000, 1)))
    rates = [(part == -1).mean() for part in np.split(labels, 2)]
    assert 0.006 < min(rates) < max(rates) < 0.015
    assert 0.05 < (p_values <= 0.08).mean() < 0.11
    assert abs((p_values <= 0.5).mean() - 0.5) < 0.03


@pytest.mark.parametrize("method", ["spot", "dspot"])
def test_tails_do_not_learn_from_anomalies(method):
    scores, is_anomaly = drawn(20_000, 1), np.random.default_rng(0).uniform(size=20_000) < 0.05
    scores[is_anomaly] -= 10
    labels, _ = following(method, drawn(2000), alpha=0.01).update(column(scores))
    assert (labels[is_anomaly] == -1).all()
    assert 0.006 < (labels[~is_anomaly] == -1).mean() < 0.015


def test_extreme_values_need_no_scores_as_rare_as_they_are():
    scores, rare = drawn(2000), 1e-5
    stream = following("spot", scores, alpha=rare)
    expected = -4.26  # of the normal distribution
    assert -6 < stream.threshold_ < -3.5
    assert abs(stream.threshold_ - expected) < 1.5
    assert (stream.update(column(drawn(5000, 1)))[0] == 1).all()
    assert stream.update([[-7.0]])[0] == -1


# How it follows.


def test_how_long_a_new_level_is_an_outlier_by_the_quantile():
    stream = following(alpha=0.05, window=399, scores=drawn(1000))
    labels, _ = stream.update(column(drawn(399, 1) - 20))
    assert (labels[:20] == -1).all()  # alpha * (window + 1)
    expected = 20 + (20 / np.arange(21, 400)).sum()
    assert abs((labels == -1).sum() - expected) < 4 * np.sqrt(expected)
    assert (stream.update(column(drawn(400, 2) - 20))[0] == -1).mean() < 0.1


def test_how_long_a_new_level_is_an_outlier_by_extreme_values():
    level = column(drawn(400, 1) - 20)
    assert (following("spot").update(level)[0] == -1).all()
    assert (following("dspot", patience=None).update(level)[0] == -1).all()
    labels, _ = following("dspot", patience=60).update(level)
    assert (labels[:60] == -1).all()
    assert (labels[60:] == -1).mean() < 0.05


def test_patience_counts_normal_rows_against_outliers():
    scores = np.where(np.arange(400) % 3 == 0, 0.0, -20.0) + drawn(400, 1) / 10
    labels, _ = following("dspot", patience=60).update(column(scores))
    assert (labels[:176] == -1).sum() == 117  # 118 outliers are 60 more than 59 normal rows
    assert (labels[180:] == -1).sum() < 180
    still = np.where(np.arange(400) % 3 == 0, -20.0, 0.0)
    labels, _ = following("dspot", patience=60).update(column(still))
    np.testing.assert_array_equal(labels == -1, still == -20)


def test_differences_follow_a_drift_that_other_thresholds_do_not():
    level = np.cumsum(np.full(4000, -0.02))
    scores = column(drawn(4000, 1) + level)
    rates = {m: (following(m, window=1000).update(scores)[0] == -1).mean() for m in METHODS}
    assert rates["spot"] > 0.7
    assert rates["dspot"] < 0.05 < rates["quantile"]


@pytest.mark.parametrize("method", METHODS)
def test_memory_is_bounded(method):
    stream = following(method, window=300, depth=30, tail_fraction=0.5)
    stream.update(column(drawn(2500, 1)))
    size = len(pickle.dumps(stream))
    stream.update(column(drawn(2500, 2)))
    assert abs(len(pickle.dumps(stream)) - size) < 50


# Tails.


@pytest.mark.parametrize("shape", [-0.4, 0.0, 0.5])
def test_tails_are_as_probable_as_the_most_probable_ones(shape):
    excesses = genpareto(shape, scale=7.0).rvs(1000, random_state=0)
    tail = fit_tail(excesses, np.zeros(1000, bool))
    assert abs(tail.shape - shape) < 0.1
    assert abs(tail.scale / 7 - 1) < 0.1
    best = genpareto.fit(excesses, floc=0)
    ours, theirs = (
        genpareto.logpdf(excesses, c, 0, scale).sum() for c, scale in (tail, (best[0], best[2]))
    )
    assert ours > theirs - 1
    for fraction in (0.5, 0.01, 1e-6):
        expected = genpareto.isf(fraction, tail.shape, 0, tail.scale)
        assert tail.excess(fraction) == pytest.approx(expected)
        assert tail.survival(tail.excess(fraction)) == pytest.approx(fraction)


def test_censored_values_count_as_larger():
    excesses = genpareto(0.2).rvs(4000, random_state=0)
    cut = np.minimum(excesses, 2.0)
    whole = fit_tail(excesses, np.zeros(4000, bool))
    censored = fit_tail(cut, excesses > 2)
    assert abs(censored.shape - whole.shape) < 0.1
    assert fit_tail(excesses[excesses <= 2], np.zeros((excesses <= 2).sum(), bool)).shape < 0


@pytest.mark.parametrize("size", [1e-300, 1.0, 1e300])
def test_tails_of_any_size(size):
    for excesses in (np.full(16, size), genpareto(0.3).rvs(50, random_state=0) * size):
        tail = fit_tail(excesses, np.zeros(len(excesses), bool))
        assert np.isfinite(tail).all()
        assert tail.scale > 0
        assert 0 <= tail.survival(10 * size) < tail.survival(size / 2) <= 1


def test_ends_of_tails():
    assert Tail(-0.5, 1.0).survival(3.0) == 0.0
    assert Tail(0.5, 1e-300).survival(1e300) == 0.0
    assert Tail(0.0, 2.0).survival(2.0) == pytest.approx(np.exp(-1))
    assert Tail(0.0, 2.0).excess(np.exp(-1)) == pytest.approx(2.0)


# Detectors.


def test_the_detector_learns_from_the_first_rows_only():
    X = np.random.default_rng(0).normal(size=(500, 3))
    stream = StreamingThreshold(PCA(2), calibration_fraction=0.4, random_state=0).fit(X)
    alone = PCA(2, random_state=0).fit(X[:300])
    np.testing.assert_allclose(stream.score_samples(X[:9]), alone.score_samples(X[:9]))
    scores = np.sort(alone.score_samples(X[300:]))
    assert stream.threshold_ == pytest.approx(scores[1])  # 2 / 201 < 0.01 < 3 / 201


def test_seeds_and_clones():
    X = np.random.default_rng(0).normal(size=(400, 3))
    stream = StreamingThreshold(IsolationForest(n_estimators=5), random_state=3).fit(X)
    again = clone(stream).fit(X)
    assert stream.detector_.random_state is not None
    assert stream.detector.random_state is None
    np.testing.assert_array_equal(stream.update(X)[1], again.update(X)[1])
    assert clone(stream).set_params(detector__n_estimators=7).detector.n_estimators == 7


def test_the_default_detector_takes_tables():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"kind": rng.choice(list("ab"), 250), "size": rng.normal(size=250)})
    detector = StreamingThreshold(random_state=0)._original()
    assert isinstance(detector, TabularOutlierScorer)
    quick = detector.set_params(n_estimators=1)
    stream = StreamingThreshold(quick, random_state=0, alpha=0.02).fit(table)
    new = pd.DataFrame({"more": [1, 2], "size": [0.1, 30.0], "kind": ["a", "b"]})
    assert stream.update(new)[0].tolist() == [1, -1]
    assert stream.feature_names_in_.tolist() == ["kind", "size"]
    assert stream.n_features_in_ == 2
    with pytest.raises(ValueError, match="lacks these columns"):
        stream.update(new[["size"]])
    assert stream.n_seen_ == 2


KINDS = {
    "array": lambda X: X,
    "pandas": lambda X: pd.DataFrame(X, columns=["x", "y"]),
    "polars": lambda X: pl.DataFrame(X, schema=["x", "y"]),
    "list": lambda X: X.tolist(),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("chunk", [1, 2, 7, 300])
def test_detectors_get_the_rows_before(kind, chunk):
    X = np.column_stack([drawn(1000), drawn(1000, 1)])
    as_kind = KINDS[kind]
    stream = StreamingThreshold(MovingMeans(), alpha=0.05).fit(as_kind(X[:600]))
    assert stream.n_context_ == 3
    assert stream.detector_.n_learned_ == 300
    scores = MovingMeans().score_samples(X)
    calibrated = following(scores=scores[300:600], alpha=0.05)
    n = 300 if chunk > 1 else 20
    parts = [stream.update(as_kind(X[i : i + chunk])) for i in range(600, 600 + n, chunk)]
    n = sum(len(labels) for labels, _ in parts)
    expected = calibrated.update(column(scores[600 : 600 + n]))
    np.testing.assert_array_equal(np.concatenate([p for _, p in parts]), expected[1])
    after = slice(600 + n, 700 + n)
    np.testing.assert_array_equal(stream.score_samples(as_kind(X[after])), scores[after])


def test_context_of_frozen_detectors_and_pipelines():
    X = column(drawn(400))
    scores = MovingMeans().score_samples(X)
    frozen = StreamingThreshold(FrozenEstimator(MovingMeans().fit(X))).fit(X)
    expected = following(scores=scores[3:])
    assert frozen.threshold_ == expected.threshold_
    piped = StreamingThreshold(make_pipeline(StandardScaler(), MovingMeans())).fit(X)
    assert piped.n_context_ == 3
    sparse_rows = StreamingThreshold(make_pipeline(ToDense(), MovingMeans())).fit(
        sparse.csr_array(X)
    )
    sparse_rows.update(sparse.csr_array(X[:5]))
    with pytest.raises(ValueError, match="same format"):
        frozen.update(pd.DataFrame(X))


class ToDense(BaseEstimator):
    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return X.toarray()

    def __sklearn_is_fitted__(self):
        return True


@pytest.mark.parametrize("method", METHODS)
def test_files_and_pickles_go_on_bit_for_bit(method, tmp_path):
    X = pd.DataFrame({"x": drawn(2000)})
    how = {"method": method, "alpha": 0.02, "patience": 20, "depth": 10}
    stream = StreamingThreshold(SavedMeans(), **how).fit(X)
    stream.update(X[:300] * 2 - 1)
    skae.save(stream, tmp_path / "stream.skae")
    loaded = skae.load(tmp_path / "stream.skae")
    pickled = pickle.loads(pickle.dumps(stream))
    expected = stream.update(X[300:900] - 3)
    for other in (loaded, pickled):
        for ours, theirs in zip(expected, other.update(X[300:900] - 3), strict=True):
            np.testing.assert_array_equal(ours, theirs)
        assert other.threshold_ == stream.threshold_
        assert other.n_seen_ == 900
        assert repr(other) == repr(stream)


# What is given.


@pytest.mark.parametrize("method", METHODS)
def test_missing_and_infinite_scores(method):
    stream, twin = following(method), following(method)
    labels, p_values = stream.update(column([np.nan, -np.inf, np.inf, np.nan]))
    assert labels.tolist() == [1, -1, 1, 1]
    np.testing.assert_array_equal(np.isnan(p_values), [True, False, False, True])
    assert p_values[1] < 0.01 < p_values[2]
    assert stream.predict(column([np.nan, -np.inf, np.inf])).tolist() == [1, -1, 1]
    assert stream.n_seen_ == 4
    after = stream.update(column(drawn(400, 1)))
    assert np.isfinite(stream.threshold_)
    assert (after[0] == twin.update(column(drawn(400, 1)))[0]).mean() > 0.99
    missing = following(method, scores=np.r_[drawn(1000), np.nan, np.nan])
    assert missing.threshold_ == following(method).threshold_


def test_no_rows():
    stream = StreamingThreshold(MovingMeans()).fit(column(drawn(300)))
    before = pickle.dumps(stream)
    for nothing in (np.empty((0, 1)), []):
        labels, p_values = stream.update(nothing)
        assert labels.shape == p_values.shape == (0,)
        assert labels.dtype == int
        assert p_values.dtype == float
    assert pickle.dumps(stream) == before


ERRORS = [
    ({"alpha": 0.6}, "'alpha' parameter"),
    ({"alpha": 0.0}, "'alpha' parameter"),
    ({"method": "spott"}, "Did you mean 'spot'"),
    ({"window": 0}, "'window' parameter"),
    ({"window": 98}, "window=98 is too small for alpha=0.01: it takes at least 99"),
    ({"alpha": 0.0001}, "window=1000 is too small for alpha=0.0001: it takes at least 9999"),
    ({"method": "spot", "tail_fraction": 0.01}, "tail_fraction=0.01 must be more than alpha=0.01"),
    ({"alpha": 0.002}, "X gives 250 scores .* alpha=0.002 needs at least 499"),
    ({"method": "spot", "tail_fraction": 0.02}, "tail_fraction needs at least 500"),
    ({"method": "dspot", "depth": 200}, "tail_fraction with depth=200 needs at least 300"),
    ({"patience": 0}, "'patience' parameter"),
    ({"calibration_fraction": 1.0}, "'calibration_fraction' parameter"),
    ({"detector": StandardScaler()}, "detector must have a method score_samples"),
]


@pytest.mark.parametrize(("params", "message"), ERRORS, ids=[m for _, m in ERRORS])
def test_errors_of_parameters(params, message):
    stream = StreamingThreshold(**{"detector": FirstColumn()} | params)
    with pytest.raises(ValueError, match=message):
        stream.fit(column(drawn(500)))
    with pytest.raises(NotFittedError):
        stream.update([[0.0]])


@pytest.mark.parametrize(
    ("given", "meant"), [("estimator", "detector"), ("q", "alpha"), ("contamination", "alpha")]
)
def test_names_of_others(given, meant):
    with pytest.raises(TypeError, match=f"Did you mean {meant!r}"):
        StreamingThreshold(**{given: 0.01})


def test_errors_of_data():
    stream = StreamingThreshold(FirstColumn()).fit(np.ones((400, 2)))
    before = pickle.dumps(stream)
    with pytest.raises(ValueError, match="X has 3 features, but StreamingThreshold is expecting 2"):
        stream.update(np.ones((4, 3)))
    with pytest.raises(ValueError, match="one axis, but 2 columns .* of one row"):
        stream.update(np.ones(2))
    with pytest.raises(ValueError, match=re.escape("gives 200 scores to find the threshold")):
        stream.set_params(alpha=0.004).fit(np.ones((400, 2)))
    assert pickle.dumps(stream.set_params(alpha=0.01)) == before
    with pytest.raises(ValueError, match=r"X has 1 sample\(s\)"):
        stream.fit(np.ones((1, 2)))
    with pytest.raises(ValueError, match="no tail"):
        following("spot", np.ones(400))
    assert following(scores=np.ones(400)).update(column([1.0, 0.5]))[0].tolist() == [1, -1]
    two = FrozenEstimator(TwoScores().fit(None))
    with pytest.raises(ValueError, match=r"TwoScores|FrozenEstimator gives scores of shape"):
        StreamingThreshold(two).fit(column(drawn(400)))


class TwoScores(FirstColumn):
    def score_samples(self, X):
        return np.ones((len(X), 2))
