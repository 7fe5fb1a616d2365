"""Gaps, and the stream of a `SeriesOutlierDetector`: whatever the chunks, the same."""

import numpy as np
import pandas as pd
import pytest
from sklearn.frozen import FrozenEstimator

from skae import SeriesOutlierDetector, StreamingThreshold
from skae._series.folds import apart_from, held_out_blocks
from skae._series.windows import Windows

rng = np.random.default_rng(0)
N_STEPS, WINDOW = 600, 20
VALUES = np.sin(np.arange(N_STEPS + 200)[:, None] / [5, 8]) + 0.1 * rng.normal(size=(800, 2))
TIMES = pd.date_range("2025-01-01", periods=N_STEPS + 200, freq="min")
FRAME = pd.DataFrame(VALUES, TIMES, ["a", "b"])
OLD, NEW = FRAME[:N_STEPS], FRAME[N_STEPS:]


def detector(**params):
    return SeriesOutlierDetector(**{"window": WINDOW, "cv": 2} | params)


def without(start, n_steps, feature=0):
    values = VALUES[:N_STEPS].copy()
    values[start : start + n_steps, feature] = np.nan
    return values


# Gaps.


@pytest.mark.parametrize(("n_missing", "n_unknown"), [(1, 0), (10, 0), (11, 11), (100, 100)])
def test_gaps_of_at_most_half_a_window_are_filled(n_missing, n_unknown):
    series = without(300, n_missing)
    model = detector().fit(series)
    for one in (model.training_scores_, model.p_value(series), model.explain(series)[:, 1]):
        assert np.isnan(one).sum() == n_unknown
        assert np.flatnonzero(np.isnan(one)).tolist() == list(range(300, 300 + n_unknown))
    assert (model.predict(series)[np.isnan(model.training_scores_)] == 1).all()
    assert not np.isnan(model.calibration_scores_).any()
    assert np.isnan(detector().fit(VALUES[:N_STEPS]).score_samples(series)).sum() == n_unknown


@pytest.mark.parametrize("start", [0, N_STEPS - 5])
def test_missing_values_at_the_ends_have_no_score(start):
    scores = detector().fit(without(start, 5)).training_scores_
    assert np.flatnonzero(np.isnan(scores)).tolist() == list(range(start, start + 5))


def test_a_new_series_without_any_value_has_no_score():
    model = detector().fit(VALUES[:N_STEPS])
    series = np.full((50, 2), np.nan)
    assert np.isnan(model.score_samples(series)).all()
    assert (model.predict(series) == 1).all()
    assert len(model.intervals(series)) == 0


def test_no_window_goes_over_a_gap_in_time():
    gap = pd.concat([OLD[:300], OLD[311:]])
    cut = detector(causal=True).fit(gap).training_scores_
    assert cut.index.equals(gap.index)
    assert cut[300 : 300 + WINDOW - 1].isna().all()
    assert cut[300 + WINDOW - 1 :].notna().all()
    small = pd.concat([OLD[:300], OLD[305:]])
    assert detector(causal=True).fit(small).training_scores_[WINDOW - 1 :].notna().all()


def test_windows_by_hand():
    values = np.array([0, np.nan, 2, np.nan, np.nan, np.nan, 6, 7, 8])[:, None]
    windows = Windows(values, 2)
    assert windows.usable.tolist() == [True, True, False, False, False, False, True, True]
    assert windows.values[:3, 0].tolist() == [0, 1, 2]
    causal = Windows(values, 2, is_causal=True)
    assert causal.usable.tolist() == [False, True, False, False, False, False, True, True]
    broken = Windows(np.zeros((6, 1)), 2, intervals=np.array([1, 1, 9, 1, 1]))
    assert broken.usable.tolist() == [True, True, False, True, True]
    assert broken.starts(10).tolist() == [0, 1, 3, 4]
    means = broken.step_means(np.array([0, 1]), np.array([2.0, 4.0]))
    np.testing.assert_array_equal(means, [2, 3, 4, np.nan, np.nan, np.nan])


def test_what_is_held_out_shares_no_step_with_what_is_learned():
    blocks = held_out_blocks([100, 3], 5)
    assert [fold[0] for fold in blocks] == [(0, 20), (20, 40), (40, 60), (60, 80), (80, 100)]
    assert sorted(fold[1] for fold in blocks) == [(0, 0)] * 4 + [(0, 3)]
    learned = apart_from(np.arange(100), (40, 60), 10, 100)
    assert learned.tolist() == [*range(31), *range(69, 100)]


# Streams.


def in_chunks(model, series, size):
    found = [model.update(series[i : i + size]) for i in range(0, len(series), size)]
    return [np.concatenate(one) for one in zip(*found, strict=True)]


MISSING = NEW.copy()
for _start, _n, _feature in ((0, 3, 0), (40, 10, 1), (60, 11, 0), (100, 40, 1), (150, 1, 0)):
    MISSING.iloc[_start : _start + _n, _feature] = np.nan
MISSING.iloc[30] = 9
STREAMS = {
    "whole": NEW,
    "missing": MISSING,
    "gaps in time": pd.concat([MISSING[5:80], MISSING[84:120], MISSING[131:]]),
}


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize(("size", "window"), [(1, WINDOW), (1, 2), (7, 3), (50, WINDOW), (9, 1)])
def test_chunks_do_not_matter(name, size, window):
    model = detector(window=window)
    expected = model.fit(OLD).update(STREAMS[name])
    for one, other in zip(in_chunks(model.fit(OLD), STREAMS[name], size), expected, strict=True):
        np.testing.assert_array_equal(one, other)
    assert expected[0].index.equals(STREAMS[name].index)


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_goes_on_from_training_as_causal_scores_do(name):
    model = detector(causal=True).fit(OLD)
    whole = pd.concat([OLD[-60:], STREAMS[name]])
    labels, p_values = model.update(STREAMS[name])
    np.testing.assert_array_equal(labels, model.predict(whole)[60:])
    np.testing.assert_array_equal(p_values.isna(), model.score_samples(whole)[60:].isna())


def test_causal_scores_do_not_depend_on_what_comes_later():
    model = detector(causal=True).fit(OLD)
    early = model.score_samples(MISSING[:105])
    np.testing.assert_array_equal(early, model.score_samples(MISSING)[:105])
    assert early[: WINDOW - 1].isna().all()


def test_streams_after_a_list_start_anew():
    model = detector().fit([OLD[:300], OLD[300:]])
    assert model.update(NEW)[1].isna().sum() == WINDOW - 1
    assert not np.isnan(model.update(VALUES[:5])[1]).any()


def test_streams_by_name():
    model = detector().fit({"p": OLD, "q": OLD * 5})
    alone = detector().fit({"p": OLD}).update({"p": NEW})
    first = model.update({"p": NEW[:9]})
    model.update({"q": NEW[:50] * 5})
    rest = model.update({"p": NEW[9:]})
    for one, other, expected in zip(first, rest, alone, strict=True):
        assert np.concatenate([one["p"], other["p"]]).shape == expected["p"].shape
    labels = np.concatenate([first[0]["p"], rest[0]["p"]])
    assert (
        labels.tolist() == model.fit({"p": OLD, "q": OLD * 5}).update({"p": NEW})[0]["p"].tolist()
    )


WRONG = {
    "other features": (VALUES[:, :1], "2 are expected"),
    "one axis": (VALUES[0], r"x.reshape\(1, -1\)"),
    "earlier steps": (OLD, "at step 0 of series is not after .* Give the steps that come next"),
    "a time twice": (OLD[-1:], "at step 0 of series is not after"),
    "unsorted": (NEW[::-1], "at step 1 of series is before"),
    "another time zone": (NEW.tz_localize("UTC"), "dtype datetime64.* Make them the same"),
    "numbers as times": (NEW.set_axis(np.arange(200.0), axis=0), "dtype float64"),
    "a list": ([NEW], "next steps of one series"),
    "a dict": ({"p": NEW}, "next steps of one series"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_stream_stays_as_it_was_after_an_error(name):
    given, message = WRONG[name]
    model = detector().fit(OLD)
    with pytest.raises(ValueError, match=message):
        model.update(given)
    expected = detector().fit(OLD).update(NEW)
    for one, other in zip(model.update(NEW), expected, strict=True):
        pd.testing.assert_series_equal(one, other)


def test_no_stream_moves_if_one_is_wrong():
    model = detector().fit({"p": OLD, "q": OLD})
    with pytest.raises(ValueError, match=r"at step 0 of series\['q'\]"):
        model.update({"p": NEW, "q": OLD})
    assert len(model.update({"p": NEW, "q": NEW})[0]["p"]) == 200


def test_updates_of_no_steps_change_nothing():
    model = detector().fit(OLD)
    labels, p_values = model.update(NEW[:0])
    assert len(labels) == len(p_values) == 0
    np.testing.assert_array_equal(model.update(NEW)[0], detector().fit(OLD).update(NEW)[0])


def test_times_are_not_needed():
    expected = detector().fit(OLD).update(NEW)[1]
    for old, new in (
        (OLD, NEW.to_numpy()),
        (OLD.to_numpy(), NEW),
        (OLD, NEW.reset_index(drop=True)),
    ):
        np.testing.assert_array_equal(detector().fit(old).update(new)[1], expected)


@pytest.mark.parametrize("given", [FRAME, VALUES])
def test_a_threshold_of_the_stream_can_follow(given):
    old, new = given[:N_STEPS], given[N_STEPS:]
    model = StreamingThreshold(detector(causal=True), alpha=0.05)
    expected = model.fit(old).update(new)
    assert np.isfinite(expected[1]).all()
    for size in (1, 37):
        for one, other in zip(in_chunks(model.fit(old), new, size), expected, strict=True):
            np.testing.assert_array_equal(one, other)


def test_scores_that_need_later_steps_are_no_stream():
    for inner in (detector(), FrozenEstimator(detector().fit(OLD))):
        with pytest.raises(ValueError, match="causal=True"):
            StreamingThreshold(inner, alpha=0.05).fit(OLD)
