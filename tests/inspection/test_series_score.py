"""Long series with their scores and anomalous intervals."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from matplotlib.dates import date2num
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.exceptions import NotFittedError

from skae import OutlierDetector, RecurrentAutoencoder
from skae.inspection import SeriesScoreDisplay
from skae.sequences import sliding_windows, windowed_errors

N_STEPS = 120
SERIES = np.sin(np.arange(N_STEPS) / 5)
SCORES = np.where(np.isin(np.arange(N_STEPS), [30, 31, 32, 80]), -5.0, -1.0)


@pytest.fixture(scope="module")
def recurrent():
    model = RecurrentAutoencoder(2, max_epochs=1, check_baseline=False, random_state=0)
    return model.fit(sliding_windows(SERIES, 20, 5))


def intervals_of(bands):
    """Return the first and the last place of each rectangle."""
    return [(p.vertices[:, 0].min(), p.vertices[:, 0].max()) for p in bands.get_paths()]


def legend(display):
    (legend,) = display.figure_.legends
    return [text.get_text() for text in legend.get_texts()]


def test_what_is_drawn():
    y_true = np.zeros(N_STEPS)
    y_true[31:36] = y_true[60] = 1
    display = SeriesScoreDisplay.from_predictions(SERIES, SCORES, threshold=-3, y_true=y_true)
    (line,) = display.lines_
    np.testing.assert_array_equal(line.get_ydata(), SERIES)
    np.testing.assert_array_equal(display.score_line_.get_ydata(), SCORES)
    np.testing.assert_array_equal(display.score_line_.get_xdata(), np.arange(N_STEPS))
    assert display.threshold_.get_ydata() == [-3, -3]
    assert display.threshold_.get_linestyle() != "-"
    assert len(display.intervals_) == len(display.truth_) == len(display.axes_) == 2
    for bands in display.intervals_:
        assert intervals_of(bands) == [(30, 32), (80, 80)]
        assert bands.get_linewidth() > 0  # an interval of one step is seen
    assert intervals_of(display.truth_[0]) == [(31, 35), (60, 60)]
    assert display.truth_[0].get_hatch()
    assert legend(display) == [
        "score",
        "threshold: −3",
        "anomalous: 2 intervals",
        "true anomalies: 2, 1 found",
    ]
    labels = [ax.get_ylabel() for ax in display.axes_]
    assert labels == ["value", "score"]
    assert display.ax_.get_xlabel() == "step"
    assert display.ax_ is display.axes_[1]
    assert [ax.get_xlim() for ax in display.axes_] == [(0, N_STEPS - 1)] * 2


def test_peaks_of_a_million_steps_are_seen():
    series = np.random.default_rng(0).normal(size=1_000_000)
    series[777_777], series[1], series[500_000:510_000] = 30, -40, np.nan
    display = SeriesScoreDisplay.from_predictions(series, -(series**2), threshold=-800)
    (line,) = display.lines_
    x, y = line.get_data()
    assert len(x) <= 4000
    np.testing.assert_array_equal(y, series[x.astype(int)])
    assert y[x == 777_777] == 30
    assert y[x == 1] == -40
    assert np.isnan(y[(x > 500_600) & (x < 509_400)]).all()
    assert (np.diff(x) > 0).all()
    assert display.ax_.get_xlabel() == "step: lowest and highest of every 500 steps"
    assert intervals_of(display.intervals_[0]) == [(1, 1), (777_777, 777_777)]


@pytest.mark.parametrize("zone", [None, "Europe/Berlin"])
def test_dates(zone):
    index = pd.date_range("2025-03-29", periods=N_STEPS, freq="h", tz=zone, name="at")
    series = pd.DataFrame({"pressure": SERIES, "mode": "a", "on": SERIES > 0}, index)
    intervals = pd.DataFrame({"start": index[[3, 50]], "end": index[[9, 52]], "p_value": 0.01})
    display = SeriesScoreDisplay.from_predictions(series, SCORES, intervals=intervals)
    places = date2num(index.tz_convert("UTC").to_pydatetime() if zone else index.to_pydatetime())
    np.testing.assert_allclose(display.lines_[0].get_xdata(), places, rtol=1e-12)
    expected = [(places[3], places[9]), (places[50], places[52])]
    np.testing.assert_allclose(intervals_of(display.intervals_[0]), expected)
    assert [ax.get_ylabel() for ax in display.axes_] == ["pressure", "on", "score"]
    assert display.ax_.get_xlabel() == ("at" if zone is None else "at (Europe/Berlin)")
    for same in ([(3, 9), (50, 52)], [tuple(i) for i in intervals.iloc[:, :2].to_numpy()]):
        again = SeriesScoreDisplay.from_predictions(series, SCORES, intervals=same)
        np.testing.assert_allclose(intervals_of(again.intervals_[0]), expected)
    text = [("2025-03-29 03:00", "2025-03-29 09:00")]
    again = SeriesScoreDisplay.from_predictions(series, SCORES, intervals=text)
    np.testing.assert_allclose(intervals_of(again.intervals_[0]), expected[:1])
    display.figure_.draw_without_rendering()


@pytest.mark.parametrize(
    ("series", "times", "places", "label"),
    [
        (pd.Series([1.0, 2, 3], [0.5, 1.5, 4]), None, [0.5, 1.5, 4], "step"),
        (pd.Series([1, None, 3], list("abc"), dtype="Int64"), None, [0, 1, 2], "step"),
        (pd.Series([1, 2, 3], [7, 3, 5]), None, [0, 1, 2], "step"),
        (
            pd.Series([1, 2, 3], pd.to_timedelta([0, 60, 90], "s")), None,
            [0, 60, 90], "time in seconds",
        ),
        (
            pd.Series([1, 2], pd.period_range("1970-01-02", periods=2, freq="D")), None,
            [1, 2], "time",
        ),
        (pl.DataFrame({"t": [3, 4, 6], "v": [1.0, None, 2]}), "t", [3, 4, 6], "step"),
        ([[1, 2], [3, 4]], [10, 20], [10, 20], "step"),
        (pl.Series("v", [1.0, 2.0]), None, [0, 1], "step"),
    ],
)  # fmt: skip
def test_times(series, times, places, label):
    display = SeriesScoreDisplay.from_predictions(series, np.zeros(len(places)), times=times)
    np.testing.assert_array_equal(display.lines_[0].get_xdata(), places)
    assert display.ax_.get_xlabel() == label


@pytest.mark.parametrize(
    "y_true",
    [
        [False, True, True, False],
        [0, 1, 1, np.nan],
        np.array([1, -1, -1, 1]),
        [(1, 2)],
        pd.interval_range(1, 2),
        pl.DataFrame({"start": [1], "end": [2]}),
    ],
    ids=str,
)
def test_truth(y_true):
    display = SeriesScoreDisplay.from_predictions([0, 1, 2, 3], [0, 0, 0, 0], y_true=y_true)
    assert intervals_of(display.truth_[0]) == [(1, 2)]
    assert display.intervals_ == []


def test_errors_of_windows(recurrent):
    display = SeriesScoreDisplay.from_estimator(recurrent, SERIES, length=20, stride=5)
    errors = windowed_errors(recurrent, SERIES, 20, 5)
    np.testing.assert_allclose(display.score_line_.get_ydata(), -errors)
    assert display.threshold_ is None
    assert display.ax_.get_ylabel() == "score of\nRecurrentAutoencoder"
    auto = SeriesScoreDisplay.from_estimator(recurrent, SERIES, length=20, threshold="auto")
    assert auto.threshold_.get_ydata()[0] < np.median(-errors)


def test_scores_of_windows(recurrent):
    detector = OutlierDetector(recurrent, random_state=0).fit(sliding_windows(SERIES, 20, 5))
    display = SeriesScoreDisplay.from_estimator(detector, SERIES, length=20)
    windows = detector.score_samples(sliding_windows(SERIES, 20, 10))
    scores = display.score_line_.get_ydata()
    np.testing.assert_allclose(scores[:10], windows[0], rtol=1e-5)
    np.testing.assert_allclose(scores[10:20], windows[:2].mean(), rtol=1e-5)
    assert display.threshold_.get_ydata()[0] == detector.offset_
    with pytest.raises(ValueError, match="RecurrentAutoencoder scores windows .* by length, as in"):
        SeriesScoreDisplay.from_estimator(detector, SERIES)
    forest = IsolationForest(n_estimators=5, random_state=0).fit(sliding_windows(SERIES, 20))
    display = SeriesScoreDisplay.from_estimator(forest, pd.Series(SERIES), length=20)
    assert display.threshold == -0.5


def test_steps_as_rows():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(200, 8)), columns=[f"sensor {i}" for i in range(8)])
    detector = OutlierDetector(PCA(2)).fit(X)
    X.loc[50, "sensor 6"] = 30
    display = SeriesScoreDisplay.from_estimator(detector, X, max_features=2, color="green")
    np.testing.assert_allclose(display.score_line_.get_ydata(), detector.score_samples(X))
    assert display.threshold_.get_ydata()[0] == detector.offset_
    assert "sensor 6" in [ax.get_ylabel() for ax in display.axes_]
    assert len(display.lines_) == 2
    title = display.axes_[0].get_title(loc="left")
    assert title == "2 of 8 features, those most unusual in the intervals"
    assert display.lines_[0].get_color() == "green"
    assert display.ax_.get_yscale() == "function"  # one score is far off
    low, high = display.ax_.get_ylim()
    scores = detector.score_samples(X)
    assert low < scores.min() < scores.max() < high < scores.max() + 5
    one = IsolationForest(n_estimators=5, random_state=0).fit(SERIES[:, None])
    assert len(SeriesScoreDisplay.from_estimator(one, SERIES).lines_) == 1


def test_axes_of_the_user():
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(2)
    display = SeriesScoreDisplay.from_predictions(
        SERIES, SCORES, threshold=-3, ax=axes, name="pump", threshold_kw={"c": "red"},
        interval_kw={"fc": "yellow"},
    )  # fmt: skip
    assert display.axes_.tolist() == axes.tolist()
    assert display.figure_ is figure
    assert display.threshold_.get_color() == "red"
    assert display.intervals_[0].get_facecolor()[0].tolist() == [1, 1, 0, 1]
    assert display.ax_.get_ylabel() == "score of\npump"
    assert display.ax_.get_legend() is not None
    display.plot(name="fan", ax=plt.subplots()[1])
    assert display.ax_.get_ylabel() == "score of\nfan"


INDEX = pd.to_datetime(["2025-01-02", "2025-01-01"])


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"scores": [0]}, r"scores is of shape \(1,\), but series has 4 steps"),
        ({"series": []}, "series has no steps"),
        ({"series": np.zeros((2, 2, 2))}, r"not \(2, 2, 2\)"),
        ({"series": ["a", "b"]}, "series"),
        ({"series": pd.DataFrame({"a": ["x"]})}, "series has no column of numbers"),
        ({"series": pd.Series([1, 2], INDEX)}, "The index of series must be in order"),
        ({"times": [1, 2]}, "times holds 2 times, but series has 4 steps"),
        ({"times": [1, 2, np.nan, 3]}, "times: that of step 2 is missing"),
        ({"times": list("abcd")}, "times must hold dates or numbers, but its first is 'a'"),
        ({"times": "at"}, "times='at' names a column, but series is no DataFrame"),
        ({"intervals": [(2, 1)]}, "must not end before it starts"),
        ({"intervals": [3, 4]}, r"intervals must hold pairs, \(start, end\)"),
        ({"intervals": pd.DataFrame({"from": [1]})}, "intervals has no column 'start'"),
        ({"intervals": [(5, 9)]}, r"intervals: \(5, 9\) is not within the times of series"),
        (
            {"intervals": [(INDEX[1], INDEX[0])]},
            "intervals holds dates, such as 2025-01-01 .* none",
        ),
        ({"y_true": list("abcd")}, "y_true is of dtype"),
        ({"y_true": [1, 0]}, r"y_true is of shape \(2,\), but series has 4 steps"),
        ({"y_true": [1, 2, 3, 4]}, "y_true must hold 0 and 1"),
        ({"threshold": "high"}, "threshold must be a number"),
        ({"max_features": 0}, "max_features == 0"),
    ],
    ids=str,
)
def test_bad_data(how, message):
    with pytest.raises(ValueError, match=message):
        SeriesScoreDisplay.from_predictions(
            **{"series": [0, 1, 2, 3], "scores": [0, 0, 0, 0]} | how
        )


def test_a_column_that_is_not_there():
    frame = pd.DataFrame({"time": [1, 2], "v": [1, 2]})
    with pytest.raises(ValueError, match=r"series has no column 'tme', which times names\. Did"):
        SeriesScoreDisplay.from_predictions(frame, [0, 0], times="tme")


def test_windows_have_a_length():
    forest = IsolationForest(n_estimators=2).fit(sliding_windows(SERIES, 20))
    for length, message in (("20", "length must be an instance"), (0, "length == 0"), (500, "too")):
        with pytest.raises((TypeError, ValueError), match=message):
            SeriesScoreDisplay.from_estimator(forest, SERIES, length=length)


def test_unfitted():
    with pytest.raises(NotFittedError, match="IsolationForest"):
        SeriesScoreDisplay.from_estimator(IsolationForest(), SERIES)
