"""`SeriesOutlierDetector` finds faults where they are, and judges training series fairly."""

import pickle

import numpy as np
import pandas as pd
import pytest
from joblib import parallel_config
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skae import (
    Autoencoder,
    ConvAutoencoder,
    OutlierDetector,
    RecurrentAutoencoder,
    SeriesOutlierDetector,
    load,
    save,
)

WINDOW, N_STEPS = 30, 1200
QUICK = {"max_epochs": 1, "check_baseline": False, "random_state": 0}


def machine(n_steps=N_STEPS, start=0, seed=0):
    """Return two waves that depend on each other, and a level."""
    t = np.arange(start, start + n_steps)
    wave = np.sin(t / 6)
    noise = 0.1 * np.random.default_rng(seed).normal(size=(n_steps, 3))
    return np.column_stack([wave, 2 * wave, np.full(n_steps, 5.0)]) + noise


SERIES = machine()
NEXT = machine(400, N_STEPS, seed=1)
FRAME = pd.DataFrame(
    SERIES, pd.date_range("2025-01-01", periods=N_STEPS, freq="min"), ["a", "b", "level"]
)


def detector(**params):
    return SeriesOutlierDetector(**{"window": WINDOW, "random_state": 0} | params)


def same(one, other):
    """Check that results are the same, in whatever form."""
    if isinstance(one, dict):
        assert list(one) == list(other)
        one, other = list(one.values()), list(other.values())
    if isinstance(one, list):
        for pair in zip(one, other, strict=True):
            same(*pair)
    elif isinstance(one, pd.Series):
        pd.testing.assert_series_equal(one, other, check_freq=False)
    else:
        np.testing.assert_array_equal(one, other)


@pytest.fixture(scope="module")
def fitted():
    return detector().fit(SERIES)


def spike(series):
    series[200, 2] = 9


def stuck(series):
    series[200:240, 0] = series[200, 0]


def other_shape(series):
    series[200:240, 1] = 2 * np.sign(series[200:240, 1])


def new_level(series):
    series[200:240, 2] += 3


def broken_correlation(series):
    series[200:240, 0] *= -1


@pytest.mark.parametrize(
    ("fault", "feature"),
    [(spike, 2), (stuck, 0), (other_shape, 1), (new_level, 2), (broken_correlation, 1)],
)
@pytest.mark.parametrize("causal", [False, True])
def test_a_fault_is_found_where_it_is(fault, feature, causal):
    model = detector(causal=causal).fit(SERIES)
    series = NEXT.copy()
    fault(series)
    found = model.intervals(series)
    worst = found.loc[found["score"].idxmin()]
    assert worst["start"] <= 210 + WINDOW * causal
    assert 200 <= worst["end"] <= 240 + WINDOW
    assert worst["start"] >= 200 - WINDOW
    assert worst["features"][0] == feature
    assert worst["p_value"] < 0.01
    assert worst["n_steps"] == worst["end"] - worst["start"] + 1
    errors = model.explain(series)
    assert errors.shape == series.shape
    assert np.nanargmax(np.nansum(errors[190:250], 0)) == feature


@pytest.mark.parametrize("size", [1, 3, 30])
def test_faults_among_training_steps_are_found(size):
    series = SERIES.copy()
    series[600:640, 2] += size
    model = detector().fit(series)
    worst = model.intervals().sort_values("score").iloc[0]
    assert 600 - WINDOW <= worst["start"] <= 605
    assert 635 <= worst["end"] <= 640 + WINDOW
    assert worst["features"][0] == 2
    assert 590 <= np.argmin(model.training_scores_) <= 650


def test_few_normal_steps_are_outliers(fitted):
    assert np.mean(fitted.predict(NEXT) == -1) < 0.03
    assert np.mean(fitted.p_value(NEXT)) == pytest.approx(0.5, abs=0.2)
    assert np.mean(fitted.explain(NEXT)) == pytest.approx(1, abs=0.2)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("series", [SERIES, FRAME, [SERIES, NEXT], {"p": FRAME, "q": FRAME * 3}])
def test_training_series_have_held_out_scores(series, causal):
    model = detector(causal=causal).fit(series)
    model_labels = model.predict(series)
    again = clone(model).fit_predict(series)
    pd.testing.assert_frame_equal(model.intervals(), model.intervals(series))
    same(model.score_samples(series), model.training_scores_)
    same(model_labels, again)


def test_held_out_scores_are_of_estimators_that_did_not_learn_them(fitted):
    learned = detector(cv=None).fit(SERIES)
    assert np.mean(fitted.training_scores_) < np.mean(learned.training_scores_)
    np.testing.assert_array_equal(learned.training_scores_, learned.score_samples(SERIES))
    np.testing.assert_array_equal(learned.score_samples(NEXT), fitted.score_samples(NEXT))


def test_decisions_labels_and_p_values_agree(fitted):
    scores, decisions = fitted.score_samples(NEXT), fitted.decision_function(NEXT)
    np.testing.assert_array_equal(decisions, scores - fitted.offset_)
    np.testing.assert_array_equal(fitted.predict(NEXT), np.where(decisions < 0, -1, 1))
    n_lower = (fitted.calibration_scores_[None] <= scores[:, None]).sum(1)
    expected = (1 + n_lower) / (1 + len(fitted.calibration_scores_))
    np.testing.assert_allclose(fitted.p_value(NEXT), expected)


@pytest.mark.parametrize("contamination", [0, 0.05, 0.5])
def test_contamination_is_the_fraction_of_training_steps(contamination):
    model = detector(contamination=contamination).fit(SERIES)
    assert np.mean(model.predict(SERIES) == -1) == pytest.approx(contamination, abs=0.01)


def test_each_series_of_a_dict_has_its_scale_and_threshold():
    model = detector().fit({"small": SERIES, "large": 1000 * SERIES + 7})
    alone = detector().fit(SERIES)
    assert model.offset_["small"] == pytest.approx(model.offset_["large"])
    scores = model.score_samples({"large": 1000 * NEXT + 7})
    np.testing.assert_allclose(scores["large"], alone.score_samples(NEXT), rtol=0.01)
    assert (model.predict({"small": 1000 * NEXT + 7})["small"] == -1).all()
    table = model.intervals({"large": 1000 * NEXT + 500, "small": NEXT})
    assert table.columns[0] == "series"
    assert set(table["series"]) >= {"large"}


def test_no_window_goes_from_one_recording_to_the_next():
    halves = [SERIES[:600], 10 - SERIES[600:]]
    scores = detector().fit(halves).training_scores_
    assert [len(one) for one in scores] == [600, 600]
    assert np.isfinite(scores[0]).all()


def test_intervals_merge():
    series = NEXT.copy()
    series[[100, 300], 2] = 30
    model = detector().fit(SERIES)
    assert len(model.intervals(series, merge_within=0)) >= 2
    assert len(model.intervals(series, merge_within=1000)) == 1
    with pytest.raises(ValueError, match="merge_within"):
        model.intervals(series, merge_within=-1)


def test_a_table_without_intervals_has_its_columns():
    table = detector(contamination=0).fit(SERIES).intervals()
    assert list(table) == ["start", "end", "n_steps", "score", "p_value", "features"]
    assert len(table) == 0
    assert table.dtypes[["n_steps", "score", "p_value"]].tolist() == [int, float, float]


WINDOWS = np.lib.stride_tricks.sliding_window_view(SERIES, WINDOW, axis=0).swapaxes(1, 2)
ESTIMATORS = {
    "PCA": PCA(5),
    "dense": Autoencoder(3, **QUICK),
    "conv": ConvAutoencoder(channels=(4,), **QUICK),
    "recurrent": RecurrentAutoencoder(2, hidden_layer_sizes=(4,), **QUICK),
    "forest": IsolationForest(n_estimators=10),
    "mixture": GaussianMixture(2),
    "pipeline": make_pipeline(StandardScaler(), PCA(5)),
    "pipeline of scores": make_pipeline(StandardScaler(), IsolationForest(n_estimators=5)),
    "detector": OutlierDetector(PCA(5), cv=2),
    "frozen": FrozenEstimator(PCA(5).fit(WINDOWS.reshape(len(WINDOWS), -1).astype(np.float32))),
}


@pytest.mark.parametrize("name", ESTIMATORS)
def test_any_estimator_with_scores_or_a_reconstruction(name):
    model = detector(estimator=ESTIMATORS[name], cv=2).fit(SERIES)
    series = NEXT.copy()
    series[200:240] += 40
    scores = model.score_samples(series)
    assert np.isfinite(scores).all()
    assert 190 <= np.argmin(scores) <= 250
    assert np.isfinite(model.explain(series)).all()
    again = clone(model).fit(SERIES)
    np.testing.assert_array_equal(again.score_samples(series), scores)
    np.testing.assert_array_equal(again.training_scores_, model.training_scores_)


@pytest.mark.parametrize("estimator", [KMeans(2), None, 5])
def test_estimators_without_scores_are_refused(estimator):
    with pytest.raises(ValueError, match="estimator must be"):
        detector(estimator=estimator).fit(SERIES)


def test_unfitted_and_invalid():
    for method in ("predict", "score_samples", "update", "explain", "p_value"):
        with pytest.raises(NotFittedError):
            getattr(detector(), method)(SERIES)
    with pytest.raises(NotFittedError):
        detector().intervals()
    assert not hasattr(detector(), "offset_")
    invalid = {"window": 0, "cv": 1, "contamination": 0.6, "max_windows": 0, "causal": "yes"}
    for name, value in invalid.items():
        with pytest.raises(ValueError, match=name):
            detector(**{name: value}).fit(SERIES)


def test_a_failed_fit_leaves_the_detector(fitted):
    model = pickle.loads(pickle.dumps(fitted))
    before = model.score_samples(NEXT)
    with pytest.raises(ValueError, match="two windows"):
        model.set_params(window=700).fit(SERIES)
    assert model.window_ == WINDOW
    np.testing.assert_array_equal(model.score_samples(NEXT), before)


def test_processes_find_the_same(fitted):
    with parallel_config(backend="threading"):
        other = detector(n_jobs=2).fit(SERIES)
    np.testing.assert_array_equal(other.training_scores_, fitted.training_scores_)


@pytest.mark.parametrize("form", ["frame", "dict", "list", "period", "numbers"])
@pytest.mark.parametrize("how", ["pickle", "file"])
def test_a_loaded_detector_goes_on_where_it_was(form, how, tmp_path):
    after = pd.date_range(FRAME.index[-1] + pd.Timedelta("1min"), periods=400, freq="min")
    after = pd.DataFrame(NEXT, after, FRAME.columns)
    given, first, last = {
        "frame": (FRAME, after[:99], after[99:]),
        "dict": ({"p": FRAME, ("q", 1): FRAME * 2}, {"p": after[:99]}, {"p": after[99:]}),
        "list": ([SERIES, FRAME], NEXT[:99], NEXT[99:]),
        "period": (FRAME.to_period(), after[:99].to_period(), after[99:].to_period()),
        "numbers": (pd.DataFrame(SERIES), pd.DataFrame(NEXT[:99]), pd.DataFrame(NEXT[99:])),
    }[form]
    model = detector().fit(given)
    model.update(first)
    if how == "pickle":
        loaded = pickle.loads(pickle.dumps(model))
    else:
        save(model, tmp_path / "model.skae")
        loaded = load(tmp_path / "model.skae")
    pd.testing.assert_frame_equal(loaded.intervals(), model.intervals())
    same(loaded.training_scores_, model.training_scores_)
    for one, other in zip(loaded.update(last), model.update(last), strict=True):
        one, other = (x["p"] if form == "dict" else x for x in (one, other))
        np.testing.assert_array_equal(one, other)
        assert np.isfinite(other).all() if form != "list" else len(other) == 301


def test_memory_does_not_grow_with_the_number_of_windows(fitted, monkeypatch):
    seen = []
    judge = type(fitted.estimator_).score_samples
    monkeypatch.setattr(
        type(fitted.estimator_),
        "score_samples",
        lambda self, X: (seen.append(X.size), judge(self, X))[1],
    )
    monkeypatch.setattr("skae._series.windows.MAX_VALUES", 4000)
    chunked = fitted.score_samples(NEXT)
    assert len(seen) > 2
    assert max(seen) <= 4000
    monkeypatch.undo()
    np.testing.assert_allclose(chunked, fitted.score_samples(NEXT), rtol=1e-5)


def test_few_windows_are_learned_if_there_are_many():
    few = detector(max_windows=100).fit(SERIES)
    assert few.estimator_.pca_.n_samples_ <= 110
    assert np.mean(few.predict(NEXT) == -1) < 0.05
    assert np.isfinite(detector(max_windows=1).fit(SERIES).training_scores_).all()
