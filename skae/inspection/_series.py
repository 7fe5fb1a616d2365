"""Long series as displays see them: values, times, and intervals."""

from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from skae._data.checks import as_numbers
from skae._data.frames import narwhals_frame
from skae._data.given import as_data
from skae._names import did_you_mean

#: Parts that a long line is thinned to, each drawn by its lowest and its highest value.
N_PARTS = 2000


@dataclass
class TimeAxis:
    """Places of steps on an axis.

    Parameters
    ----------
    places : ndarray of shape (n_steps,)
        As matplotlib has them: days since 1970 of dates.
    label : str
        What the axis shows.
    is_date : bool
        Whether these are dates.
    zone : tzinfo or None
        Their time zone.
    """

    places: np.ndarray
    label: str
    is_date: bool = False
    zone: Any = None

    @classmethod
    def of(cls, times, n_steps, name="times"):
        """Return the axis of times: dates, durations or numbers; of None, of positions.

        Raises
        ------
        ValueError
            If there is not one time for each step, they are not in order, or one is missing.
        """
        if times is None:
            return cls(np.arange(n_steps, dtype=np.float64), "step")
        if np.ndim(times) != 1:
            raise ValueError(f"{name} must hold one time for each step; got {times!r:.60}")
        axis = cls(*_places(pd.Index(times), name))
        if axis.places.shape != (n_steps,):
            raise ValueError(
                f"{name} holds {len(axis.places)} times, but series has {n_steps} steps. Give one "
                "for each step."
            )
        if not np.isfinite(axis.places).all():
            where = np.flatnonzero(~np.isfinite(axis.places))[0]
            raise ValueError(f"{name}: that of step {where} is missing or infinite.")
        if (np.diff(axis.places) < 0).any():
            where = np.flatnonzero(np.diff(axis.places) < 0)[0] + 1
            raise ValueError(
                f"{name} must be in order, but that of step {where} is before the one of the step "
                "before it. Sort the series first, for instance by sort_index()."
            )
        return axis

    def places_of(self, times, name):
        """Return the places of some times; integers are positions of steps if times are dates."""
        index = pd.Index(times)
        if self.is_date and pd.api.types.is_integer_dtype(index):
            outside = (index < 0) | (index >= len(self.places))
            if outside.any():
                raise ValueError(
                    f"{name} holds step {index[outside][0]}, but series has {len(self.places)}."
                )
            return self.places[index]
        if self.is_date and not isinstance(index, pd.DatetimeIndex):
            try:
                index = pd.DatetimeIndex(index)
            except (TypeError, ValueError) as error:
                raise ValueError(f"{name} must hold dates, as series does: {error}") from error
        if not self.is_date and isinstance(index, pd.DatetimeIndex):
            raise ValueError(
                f"{name} holds dates, such as {index[0]}, but series has none. Give it an index of "
                "dates, or times."
            )
        if self.is_date and index.tz is None and self.zone is not None:
            index = index.tz_localize(self.zone)
        return _places(index, name)[0]

    def apply(self, ax):
        """Let axes show these times; ``ax`` is the lowest of those that share them."""
        if self.is_date:
            from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

            ax.xaxis_date(self.zone)
            locator = AutoDateLocator(tz=self.zone)
            ax.xaxis.set_major_locator(locator)
            ax.xaxis.set_major_formatter(ConciseDateFormatter(locator, tz=self.zone))


def _places(index, name):
    """Return places, a label, whether these are dates, and their time zone."""
    called = None if index.name is None else str(index.name)
    if isinstance(index, pd.PeriodIndex):
        index = index.to_timestamp()
    if isinstance(index, pd.DatetimeIndex):
        zone = index.tz
        plain = index if zone is None else index.tz_convert("UTC").tz_localize(None)
        days = ((plain - pd.Timestamp(0)) / pd.Timedelta(days=1)).to_numpy(np.float64)
        label = called or "time"
        return days, label if zone is None else f"{label} ({zone})", True, zone
    if isinstance(index, pd.TimedeltaIndex):
        seconds = index.total_seconds().to_numpy(np.float64)
        return seconds, f"{called or 'time'} in seconds", False, None
    if not pd.api.types.is_numeric_dtype(index):
        raise ValueError(
            f"{name} must hold dates or numbers, but its first is {index[0]!r}. Turn texts into "
            "dates by pandas.to_datetime."
        )
    return index.to_numpy(np.float64), called or "step", False, None


@dataclass
class SeriesData:
    """A series of a user.

    Parameters
    ----------
    values : ndarray of shape (n_steps, n_features)
        Its numbers.
    names : list of str or None
        Names of the features; None if they have none.
    axis : TimeAxis
        Its times.
    """

    values: np.ndarray
    names: list | None
    axis: TimeAxis

    @classmethod
    def of(cls, series, times=None):
        """Read a series.

        Parameters
        ----------
        series : array-like, Series or DataFrame
        times : array-like, str or None, default=None
            Times of the steps, or the name of the column that holds them. None takes the index
            of pandas if it holds dates or numbers.

        Raises
        ------
        TypeError, ValueError
            If it holds no numbers, is of a wrong shape, or the times do not fit.
        """
        series = as_data(series, "series")
        index = series.index if isinstance(series, (pd.Series, pd.DataFrame)) else None
        values, names, column = _read(series, times)
        if not len(values):
            raise ValueError("series has no steps.")
        if times is not None:
            axis = TimeAxis.of(column if isinstance(times, str) else times, len(values))
        elif index is None or not _holds_times(index):
            axis = TimeAxis.of(None, len(values))
        else:
            axis = TimeAxis.of(index, len(values), "The index of series")
        return cls(values, names, axis)


def _holds_times(index):
    is_number = pd.api.types.is_numeric_dtype(index) and not isinstance(index, pd.MultiIndex)
    is_time = isinstance(index, (pd.DatetimeIndex, pd.TimedeltaIndex, pd.PeriodIndex))
    return is_time or (is_number and index.is_monotonic_increasing)


def _read(series, times):
    """Return the values, the names of features, and the column of times."""
    if nw.dependencies.is_into_series(series):
        one = nw.from_native(series, series_only=True)
        name = None if one.name in (None, "") else [str(one.name)]
        return as_numbers(series, "series").reshape(-1, 1).astype(np.float64), name, None
    frame = narwhals_frame(series, "series")
    if frame is None:
        if isinstance(times, str):
            raise ValueError(f"times={times!r} names a column, but series is no DataFrame.")
        values = as_numbers(series, "series")
        values = values[:, None] if values.ndim == 1 else values
        if values.ndim != 2 or not values.shape[1]:
            raise ValueError(
                f"series must be of shape (n_steps,) or (n_steps, n_features), not {values.shape}"
            )
        return values.astype(np.float64), None, None
    column = None
    if isinstance(times, str):
        if times not in frame.columns:
            hint = did_you_mean(times, [str(name) for name in frame.columns])
            raise ValueError(f"series has no column {times!r}, which times names.{hint}")
        column = frame.get_column(times).to_list()
        frame = frame.drop(times)
    columns = [frame[:, i] for i in range(frame.shape[1])]
    columns = [one for one in columns if one.dtype.is_numeric() or one.dtype == nw.Boolean]
    if not columns:
        raise ValueError("series has no column of numbers to draw.")
    values = [one.cast(nw.Float64).to_numpy().astype(np.float64) for one in columns]
    return np.column_stack(values), [str(one.name) for one in columns], column


def read_intervals(intervals, axis, name="intervals"):
    """Return intervals as an array of places, shape (n_intervals, 2).

    Parameters
    ----------
    intervals : sequence of (start, end), or DataFrame with the columns start and end
    axis : TimeAxis
    name : str, default="intervals"
        What errors call them.

    Raises
    ------
    ValueError
        If they are none.
    """
    frame = narwhals_frame(intervals, name)
    if frame is not None:
        lacking = [column for column in ("start", "end") if column not in frame.columns]
        if lacking:
            raise ValueError(
                f"{name} has no column {lacking[0]!r}; its columns are {frame.columns}. It needs "
                "start and end."
            )
        ends = [frame.get_column(column).to_list() for column in ("start", "end")]
    else:
        is_list = np.iterable(intervals) and not isinstance(intervals, str)
        pairs = [_pair(interval) for interval in intervals] if is_list else [intervals]
        if not all(np.iterable(pair) and len(pair) >= 2 for pair in pairs):
            raise ValueError(f"{name} must hold pairs, (start, end); got {pairs[0]!r:.60}")
        ends = [[pair[i] for pair in pairs] for i in (0, 1)]
    if not len(ends[0]):
        return np.empty((0, 2))
    places = np.column_stack([axis.places_of(one, name) for one in ends])
    wrong = np.flatnonzero(~(places[:, 0] <= places[:, 1]))
    if len(wrong):
        start, end = (one[wrong[0]] for one in ends)
        raise ValueError(f"{name}: an interval must not end before it starts; got ({start}, {end})")
    outside = (places[:, 1] < axis.places[0]) | (places[:, 0] > axis.places[-1])
    if outside.any():
        start, end = (one[np.flatnonzero(outside)[0]] for one in ends)
        raise ValueError(f"{name}: ({start}, {end}) is not within the times of series.")
    return places


def _pair(interval):
    return (interval.left, interval.right) if isinstance(interval, pd.Interval) else interval


def read_truth(y_true, axis):
    """Return where a series is truly anomalous, as places of intervals.

    Parameters
    ----------
    y_true : array-like of shape (n_steps,), or intervals
        Labels of steps: -1 is anomalous if there is one, otherwise 1 and True are.
    axis : TimeAxis

    Raises
    ------
    ValueError
        If there is not one label for each step.
    """
    n_steps = len(axis.places)
    if narwhals_frame(y_true, "y_true") is not None:
        return read_intervals(y_true, axis, "y_true")
    if not np.iterable(y_true):
        raise ValueError(f"y_true must be labels of steps, or intervals; got {y_true!r:.60}")
    values = [_pair(value) for value in as_data(y_true, "y_true")]
    if values and all(np.ndim(value) == 1 and len(value) == 2 for value in values):
        return read_intervals(values, axis, "y_true")
    labels = np.nan_to_num(as_numbers(values, "y_true").astype(np.float64))
    if labels.shape != (n_steps,):
        raise ValueError(
            f"y_true is of shape {labels.shape}, but series has {n_steps} steps. Give one label "
            "for each of them, or intervals."
        )
    if not np.isin(labels, [-1, 0, 1]).all():
        raise ValueError("y_true must hold 0 and 1, -1 and 1, or False and True, or be intervals.")
    return runs(labels == -1 if (labels == -1).any() else labels == 1, axis)


def runs(is_anomalous, axis):
    """Return the first and the last place of each run of steps, shape (n_runs, 2)."""
    changes = np.diff(np.concatenate([[0], is_anomalous.astype(np.int8), [0]]))
    first, last = np.flatnonzero(changes == 1), np.flatnonzero(changes == -1) - 1
    return np.column_stack([axis.places[first], axis.places[last]])


def n_found(truth, intervals):
    """Return how many true anomalies share a place with an interval."""
    order = np.argsort(intervals[:, 0])
    starts, ends = intervals[order, 0], np.maximum.accumulate(intervals[order, 1])
    n_before = np.searchsorted(starts, truth[:, 1], side="right")
    return int((ends[n_before[n_before > 0] - 1] >= truth[n_before > 0, 0]).sum())


def thinned(values, n_parts=N_PARTS):
    """Return the positions of steps that a line is drawn by, and how many stand for two of them.

    A long line is cut into parts of equal length, of which each is drawn by its lowest and its
    highest value. So no peak is lost.

    Parameters
    ----------
    values : ndarray of shape (n_steps,)
        NaN where a value is missing.
    n_parts : int, default=2000

    Returns
    -------
    positions : ndarray of int
    length : int
        Steps of a part, 1 if all steps are drawn.
    """
    n = len(values)
    if n <= 2 * n_parts:
        return np.arange(n), 1
    length = -(-n // n_parts)
    padded = np.full((-(-n // length), length), np.nan)
    padded.ravel()[:n] = values
    low = np.where(np.isnan(padded), np.inf, padded).argmin(1)
    high = np.where(np.isnan(padded), -np.inf, padded).argmax(1)
    starts = length * np.arange(len(padded))
    both = np.sort(np.column_stack([low, high]), axis=1) + starts[:, None]
    return np.minimum(np.unique(both), n - 1), length
