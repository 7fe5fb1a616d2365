"""What series may be: forms, dtypes, columns and times, and what is refused."""

from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from scipy import sparse

from skae import SeriesOutlierDetector

rng = np.random.default_rng(0)
N_STEPS = 400
VALUES = np.sin(np.arange(N_STEPS)[:, None] / [5, 8]) + 0.1 * rng.normal(size=(N_STEPS, 2))
TIMES = pd.date_range("2025-01-01", periods=N_STEPS, freq="min")
FRAME = pd.DataFrame(VALUES, TIMES, ["a", "b"])


def detector(**params):
    return SeriesOutlierDetector(**{"window": 20, "cv": 2} | params)


EXPECTED = detector().fit(VALUES).training_scores_
FITTED = detector().fit(FRAME)

FORMS = {
    "list": VALUES.tolist(),
    "objects": VALUES.astype(object),
    "tensor": torch.from_numpy(VALUES),
    "sparse": sparse.csr_array(VALUES),
    "sparse as a dict of cells": sparse.dok_array(VALUES),
    "masked": np.ma.masked_array(VALUES, np.zeros(VALUES.shape, bool)),
    "frame": FRAME,
    "names that are no text": pd.DataFrame(VALUES),
    "names of two levels": pd.DataFrame(
        VALUES, columns=pd.MultiIndex.from_product([["a"], [1, 2]])
    ),
    "nullable": FRAME.convert_dtypes(),
    "pyarrow": FRAME.astype("double[pyarrow]"),
    "objects in a frame": FRAME.astype(object),
    "sparse frame": FRAME.astype(pd.SparseDtype(float)),
    "polars": pl.DataFrame(VALUES, ["a", "b"]),
}


@pytest.mark.parametrize("form", FORMS)
def test_forms_of_a_series_give_the_same_scores(form):
    given = FORMS[form]
    model = detector().fit(given)
    np.testing.assert_array_equal(np.asarray(model.training_scores_), EXPECTED)
    labels, errors = model.predict(given), model.explain(given)
    assert errors.shape == VALUES.shape
    if isinstance(given, pd.DataFrame):
        assert labels.index.equals(given.index)
        assert errors.index.equals(given.index)
        assert errors.columns.equals(given.columns)
        assert set(model.intervals()["start"]) <= set(given.index)
    elif isinstance(given, pl.DataFrame):
        assert isinstance(labels, np.ndarray)
        assert isinstance(errors, pl.DataFrame)
        assert errors.columns == given.columns
    else:
        assert type(labels) is type(errors) is np.ndarray


@pytest.mark.parametrize(
    "given", [VALUES[:, 0], VALUES[:, :1], FRAME["a"], FRAME[["a"]], pl.Series("a", VALUES[:, 0])]
)
def test_one_feature_has_one_axis_or_two(given):
    model = detector().fit(given)
    expected = detector().fit(VALUES[:, 0]).training_scores_
    np.testing.assert_array_equal(np.asarray(model.training_scores_), expected)
    assert model.n_features_in_ == 1
    assert model.explain(given).shape == (N_STEPS, 1)


@pytest.mark.parametrize(
    "given",
    [
        [VALUES, VALUES[:100]],
        (FRAME, FRAME[:100]),
        [FRAME["a"], FRAME["b"]],
        VALUES.reshape(2, 200, 2),
        np.array([VALUES, VALUES[:100]], dtype=object),
        {"p": VALUES, 2: VALUES[:100]},
        {"p": FRAME["a"], ("q", 1): FRAME["b"][:100]},
    ],
)
def test_results_of_several_series_have_their_form(given):
    model = detector().fit(given)
    for results in (model.predict(given), model.training_scores_, model.explain(given)):
        assert type(results) is (dict if isinstance(given, dict) else list)
        pairs = (
            [(results[key], given[key]) for key in given]
            if isinstance(given, dict)
            else zip(results, given, strict=True)
        )
        for result, one in pairs:
            assert len(result) == len(one)
            if isinstance(one, (pd.Series, pd.DataFrame)):
                assert result.index.equals(one.index)


@pytest.mark.parametrize(
    "dtype", ["int64", "uint8", "bool", "float32", "float16", "Int64", "boolean"]
)
def test_dtypes(dtype):
    values = pd.DataFrame(
        np.abs(100 * VALUES).round() > 50 if "bool" in dtype else (100 + 50 * VALUES).round()
    )
    given = values.astype(dtype)
    same = detector().fit(values.astype(float).to_numpy())
    np.testing.assert_array_equal(detector().fit(given).training_scores_, same.training_scores_)


def test_decimals_and_missing_values_of_any_kind():
    missing = VALUES.copy()
    missing[[5, 90], 0] = np.nan
    expected = detector().fit(missing).training_scores_
    assert np.isfinite(expected).all()
    frame = pd.DataFrame(missing, columns=["a", "b"])
    decimals = [None if np.isnan(one) else Decimal(repr(float(one))) for one in missing[:, 0]]
    forms = [
        frame,
        frame.convert_dtypes(),
        frame.assign(a=decimals),
        pl.DataFrame(frame),
        np.where(np.isnan(missing), None, missing.astype(object)),
        np.ma.masked_invalid(missing),
    ]
    for given in forms:
        np.testing.assert_array_equal(detector().fit(given).training_scores_, expected)


@pytest.mark.parametrize("factor", [1e-300, 1e-12, 1e12, 1e100, 1e300])
def test_the_scale_does_not_matter(factor):
    model = detector().fit(VALUES * factor)
    np.testing.assert_allclose(model.training_scores_, EXPECTED, rtol=1e-4)


def test_an_offset_does_not_hide_changes():
    np.testing.assert_allclose(detector().fit(VALUES + 1e9).training_scores_, EXPECTED, rtol=1e-3)


@pytest.mark.parametrize("factor", [1e30, 1e150, 1e307])
def test_new_values_may_be_huge(factor):
    series = VALUES.copy()
    series[100, 1] = factor
    row = FITTED.intervals(series).sort_values("score").iloc[0]
    assert row["start"] <= 100 <= row["end"]
    assert row["features"] == ["b"]
    assert np.isfinite(FITTED.score_samples(series)).all()


@pytest.mark.parametrize("value", [0.0, 1.0, -1 / 3, 1e12, 1e-12, 1e300])
def test_a_constant_series_has_no_outliers_and_any_change_is_one(value):
    model = detector().fit(np.full(N_STEPS, value))
    assert not model.training_scores_.any()
    assert len(model.intervals()) == 0
    new = np.full(100, value)
    assert (model.predict(new) == 1).all()
    changed = new * 1.01 if value else new + 0.01
    assert (model.predict(changed) == -1).all()


def test_a_constant_feature_that_changes_is_named():
    model = detector().fit(FRAME.assign(c=3.0))
    row = model.intervals(FRAME.assign(c=np.where(np.arange(N_STEPS) == 100, 3.1, 3.0))).iloc[-1]
    assert row["features"] == ["c"]
    assert row["start"] <= TIMES[100] <= row["end"]


def test_columns_are_selected_by_name():
    expected = FITTED.score_samples(FRAME)
    given = FRAME[["b", "a"]].assign(more="text")
    np.testing.assert_array_equal(FITTED.score_samples(given), expected)
    assert FITTED.feature_names_in_.tolist() == ["a", "b"]
    assert list(FITTED.explain(given)) == ["a", "b"]
    mixed = detector().fit([VALUES, FRAME, FRAME[["b", "a"]]])
    np.testing.assert_array_equal(mixed.training_scores_[1], mixed.training_scores_[2])


INDICES = {
    "time zone": TIMES.tz_localize("Europe/Berlin"),
    "over a change of the clock": pd.date_range(
        "2025-03-29", periods=N_STEPS, freq="h", tz="Europe/Berlin"
    ),
    "months": pd.period_range("1990-01", periods=N_STEPS, freq="M"),
    "durations": TIMES - TIMES[0],
    "numbers": pd.Index(np.arange(N_STEPS) * 0.5),
    "far dates": pd.date_range("0001-01-01", periods=N_STEPS, freq="D", unit="s"),
    "nanoseconds": pd.date_range("2025-01-01", periods=N_STEPS, freq="ns", unit="ns"),
    "business days": pd.bdate_range("2025-01-01", periods=N_STEPS),
    "jitter": TIMES + pd.to_timedelta(rng.uniform(0, 20, N_STEPS), unit="s"),
    "text": pd.Index([f"step {i}" for i in range(N_STEPS)]),
    "text that repeats": pd.Index(["step"] * N_STEPS),
    "flags": pd.Index(np.arange(N_STEPS) > 3),
    "levels": pd.MultiIndex.from_product([range(2), range(N_STEPS // 2)]),
    "range": pd.RangeIndex(100, 100 + N_STEPS),
}


@pytest.mark.parametrize("name", INDICES)
def test_an_index_is_kept(name):
    given = FRAME.set_axis(INDICES[name], axis=0)
    model = detector().fit(given)
    np.testing.assert_array_equal(model.training_scores_, EXPECTED)
    assert model.predict(given).index.equals(given.index)
    assert set(model.intervals()["start"]) <= set(given.index)


REFUSED_INDICES = {
    "unsorted": (TIMES[::-1], r"step 1 of series is before .* sort_index"),
    "unsorted numbers": (pd.RangeIndex(N_STEPS, 0, -1), r"step 1 of series is before"),
    "duplicate": (TIMES[np.append(0, np.arange(N_STEPS - 1))], r"step 1 of series is there twice"),
    "missing": (TIMES.where(np.arange(N_STEPS) != 4), "no time at step 4"),
    "first missing": (TIMES.where(np.arange(N_STEPS) != 0), "no time at step 0"),
    "missing number": (pd.Index([None, *range(N_STEPS - 1)], dtype="Int64"), "no time at step 0"),
    "uneven": (TIMES[0] + pd.to_timedelta(np.cumsum(rng.exponential(1, N_STEPS)), "h"), "resample"),
}


@pytest.mark.parametrize("name", REFUSED_INDICES)
def test_wrong_times_are_refused(name):
    index, message = REFUSED_INDICES[name]
    wrong = FRAME.set_axis(index, axis=0)
    with pytest.raises(ValueError, match=message):
        detector().fit(wrong)
    with pytest.raises(ValueError, match=message):
        FITTED.predict(wrong)
    with pytest.raises(ValueError, match=message.replace("series", r"series\['pump'\]")):
        detector().fit({"fan": FRAME, "pump": wrong})


INFINITE = VALUES.copy()
INFINITE[5, 1] = np.inf
ALL_MISSING = FRAME.assign(b=np.nan)
REFUSED = {
    "nothing": (None, TypeError, "series is None"),
    "text": ("pump.csv", TypeError, "str"),
    "one number": (3.0, ValueError, "of shape"),
    "no series": ({}, ValueError, "no series"),
    "no steps": ([], ValueError, "0 steps|n_samples=0"),
    "no steps of two": (np.empty((0, 2)), ValueError, "n_samples=0"),
    "no features": (np.empty((50, 0)), ValueError, r"0 feature\(s\)"),
    "an empty frame": (pd.DataFrame(), ValueError, r"0 feature\(s\)"),
    "four axes": (np.ones((2, 3, 4, 5)), ValueError, "of shape"),
    "infinity": (INFINITE, ValueError, "infinity at step 5, feature 1"),
    "infinity in a list": ([VALUES, INFINITE], ValueError, r"series\[1\] holds infinity"),
    "text in cells": (np.full(50, "a"), ValueError, "not numeric"),
    "text among objects": (
        np.array([[1.0, "a"]] * 50, object),
        ValueError,
        "not an array of numbers",
    ),
    "complex": (VALUES + 1j, ValueError, "complex128"),
    "dates": (TIMES, ValueError, "datetime64"),
    "a column of text": (FRAME.assign(c="x"), ValueError, "Column 'c' of series holds String"),
    "a column of dates": (FRAME.reset_index(names="t"), ValueError, r"set_index\('t'\)"),
    "columns of one name": (FRAME.set_axis(["a", "a"], axis=1), ValueError, "more than one column"),
    "a lazy frame": (pl.LazyFrame({"a": [1.0]}), TypeError, "collect"),
    "other features in a list": (
        [VALUES, VALUES[:, :1]],
        ValueError,
        r"series\[1\] has 1 features",
    ),
    "other columns in a dict": (
        {"p": FRAME, "q": FRAME.rename(columns={"a": "A"})},
        ValueError,
        r"series\['q'\] has no column 'a'.*Did you mean 'A'",
    ),
    "one step": (VALUES[:1], ValueError, "fewer than a window"),
    "shorter than a window": (
        [VALUES, VALUES[:19]],
        ValueError,
        r"series\[1\] has .*fewer than a window",
    ),
    "shorter than two windows": (VALUES[:39], ValueError, "takes 40"),
    "nothing known": (np.full(100, np.nan), ValueError, r"no value at all: \[0\]"),
    "a feature that is missing": (ALL_MISSING, ValueError, r"no value at all: \['b'\]"),
    "one that is missing in a dict": (
        {"p": FRAME, "q": ALL_MISSING},
        ValueError,
        r"series\['q'\] has no window .*\['b'\]",
    ),
    "gaps everywhere": (
        np.where(np.arange(400) % 15 < 11, np.nan, VALUES[:, 0]),
        ValueError,
        "Set window to less, or fill",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_series_is_refused(name):
    given, error, message = REFUSED[name]
    with pytest.raises(error, match=message):
        detector().fit(given)


def test_new_series_must_be_like_the_training_series():
    with pytest.raises(ValueError, match="2 are expected"):
        FITTED.predict(VALUES[:, :1])
    with pytest.raises(ValueError, match="no column 'b'"):
        FITTED.predict(FRAME[["a"]])
    with pytest.raises(ValueError, match="fewer than a window of 20.*update"):
        FITTED.predict(FRAME[:10])
    with pytest.raises(ValueError, match=r"series\['x'\] has n_samples=10"):
        FITTED.predict({"x": FRAME[:10]})
    by_name = detector().fit({"pump": FRAME, "fan": FRAME})
    with pytest.raises(ValueError, match=r"no series\['pmp'\].* Did you mean 'pump'"):
        by_name.predict({"pmp": FRAME})
    with pytest.raises(ValueError, match="Give a dict"):
        by_name.predict(FRAME)


def test_short_series_and_extreme_windows():
    assert len(detector(window=1, cv=5).fit(VALUES[:2]).training_scores_) == 2
    assert np.isfinite(detector(window=200).fit(VALUES).training_scores_).all()
    model = detector(window=20).fit([VALUES[:20], VALUES[20:40]])
    assert np.isfinite(model.score_samples(VALUES[40:60])).all()
    automatic = SeriesOutlierDetector(cv=2)
    assert automatic.fit(VALUES).window_ == N_STEPS // 12
    assert automatic.fit(VALUES[:8]).window_ == 4
    assert automatic.fit(np.resize(VALUES, (4000, 60))).window_ == 20
    with pytest.raises(ValueError, match="takes 800"):
        detector(window=400).fit(VALUES)
