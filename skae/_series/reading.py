"""Series as users give them: one, a list, or a dict by name, each with its own index."""

from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from skae._data.checks import as_numbers
from skae._data.frames import is_frame, narwhals_frame
from skae._data.given import as_data
from skae._names import did_you_mean

#: Share of the intervals that may be more than half an interval off the median.
MAX_UNEVEN = 0.25


@dataclass
class Series:
    """One series.

    Parameters
    ----------
    key : str, int or None
        Key in a dict, position in a list; None if it is the only one.
    values : ndarray of shape (n_steps, n_features)
        NaN where a value is missing.
    index : Index of pandas or None
        Its index, if it has one.
    columns : list of str or None
        Names of the features.
    """

    key: Any
    values: np.ndarray
    index: Any = None
    columns: list | None = None

    @property
    def name(self):
        """What errors call it."""
        return "series" if self.key is None else f"series[{self.key!r}]"

    @property
    def digest(self):
        """Text that only series of the same values have."""
        return sha256(np.ascontiguousarray(self.values).tobytes()).hexdigest()

    @property
    def labels(self):
        """Index of the steps: its own, or positions."""
        return pd.RangeIndex(len(self.values)) if self.index is None else self.index

    def per_step(self, values, name):
        """Return values of the steps, with the index if there is one."""
        return values if self.index is None else pd.Series(values, self.index, name=name)

    def per_cell(self, values):
        """Return values of steps and features, with index and names if there are any."""
        if self.index is None and self.columns is None:
            return values
        return pd.DataFrame(values, self.index, self.columns)

    def tail(self, n_steps):
        """Return the last steps."""
        start = max(0, len(self.values) - n_steps)
        index = None if self.index is None else self.index[start:]
        return Series(self.key, self.values[start:], index, self.columns)

    def continued(self, after):
        """Return the series with the steps that come next."""
        both = self.index, after.index
        keeps = not any(one is None or isinstance(one, pd.RangeIndex) for one in both)
        index = self.index.append(after.index) if keeps else None
        values = np.concatenate([self.values, after.values])
        return Series(after.key, values, index, self.columns)

    def intervals(self):
        """Return the steps from each step to the next, in usual intervals.

        Returns
        -------
        ndarray of shape (n_steps - 1,) or None
            None if the index holds no times.

        Raises
        ------
        ValueError
            If times are missing, unsorted, there twice or spread unevenly.
        """
        times = _times(self.index)
        if times is None or len(times) < 2:
            return None
        if np.isnan(times).any():
            step = np.flatnonzero(np.isnan(times))[0]
            raise ValueError(f"The index of {self.name} has no time at step {step}. Drop it.")
        steps = np.diff(times)
        if (steps <= 0).any():
            i = np.flatnonzero(steps <= 0)[0] + 1
            what, remedy = "is before the time before it", "Sort them: sort_index()."
            if steps[i - 1] == 0:
                what, remedy = "is there twice", "Keep one: groupby(level=0).mean()."
            raise ValueError(
                f"The time {self.index[i]} at step {i} of {self.name} {what}. {remedy}"
            )
        steps = steps / np.median(steps)
        if np.mean(np.abs(steps - 1) > 0.5) > MAX_UNEVEN:
            raise ValueError(
                f"The steps of {self.name} are spread unevenly in time: "
                f"{np.mean(np.abs(steps - 1) > 0.5):.0%} of the intervals are far from the usual "
                "one. Make them even, for instance by resample('1min').mean(), or give the values "
                "without their times, as an array."
            )
        return steps


def _times(index):
    """Return times as numbers, NaN where one is missing; None if an index holds no times."""
    if isinstance(index, pd.PeriodIndex):
        index = index.to_timestamp()
    if isinstance(index, (pd.DatetimeIndex, pd.TimedeltaIndex)):
        return np.where(index.isna(), np.nan, index.as_unit("ns").asi8.astype(np.float64))
    is_plain = isinstance(index, pd.RangeIndex) or not pd.api.types.is_numeric_dtype(index)
    return None if is_plain else index.to_numpy(np.float64)


@dataclass
class SeriesCollection:
    """All series of a call, and the form in which results go back.

    Parameters
    ----------
    members : list of Series
    form : {"one", "list", "dict"}
    """

    members: list
    form: str

    @classmethod
    def of(cls, given, columns=None, n_features=None):
        """Read series.

        Parameters
        ----------
        given : array-like, Series, DataFrame, or list or dict of these
        columns : list of str or None, default=None
            Names of the features of the training series, to select and to compare with.
        n_features : int or None, default=None
            How many there must be.

        Raises
        ------
        TypeError, ValueError
            If it holds no numbers, has a wrong shape, or other features than the first.
        """
        if isinstance(given, dict):
            pairs, form = list(given.items()), "dict"
        elif _is_list(given):
            pairs, form = list(enumerate(given)), "list"
        else:
            pairs, form = [(None, given)], "one"
        if not pairs:
            raise ValueError("series holds no series: give at least one.")
        members = []
        for key, one in pairs:
            members.append(_read(key, one, columns, n_features))
            columns, n_features = members[0].columns, members[0].values.shape[1]
        return cls(members, form)

    def given_back(self, results):
        """Return one result for each series in the form in which the series came."""
        if self.form == "one":
            return results[0]
        if self.form == "list":
            return results
        return dict(zip([one.key for one in self.members], results, strict=True))


def _is_list(given):
    """Return whether this holds several series, not the steps of one."""
    if isinstance(given, np.ndarray):
        return given.ndim == 3 or (given.dtype.kind == "O" and any(map(_is_series, given)))
    return isinstance(given, (list, tuple)) and any(map(_is_series, given))


def _is_series(one):
    is_table = is_frame(one) or nw.dependencies.is_into_series(one)
    return is_table or (isinstance(one, np.ndarray) and one.ndim > 0)


def _read(key, given, columns, n_features):
    name = "series" if key is None else f"series[{key!r}]"
    given = as_data(given, name)
    index = given.index if isinstance(given, (pd.Series, pd.DataFrame)) else None
    values, found = _values(given, name, columns)
    if n_features is not None and values.shape[1] != n_features:
        raise ValueError(
            f"{name} has {values.shape[1]} features, but {n_features} are expected, as in the "
            "training series."
        )
    if np.isinf(values).any():
        step, feature = np.argwhere(np.isinf(values))[0]
        raise ValueError(
            f"{name} holds infinity at step {step}, feature {feature}. Replace it, or leave the "
            "cell missing (NaN)."
        )
    return Series(key, values, index, found if columns is None else columns)


def _values(given, name, columns):
    """Return the numbers of a series, and the names of its features or None."""
    frame = narwhals_frame(given, name) if is_frame(given) else None
    if frame is not None:
        return _columns_of(frame, name, columns)
    is_series = nw.dependencies.is_into_series(given)
    found = [str(given.name)] if is_series and given.name not in (None, "") else None
    values = as_numbers(given, name)
    values = values[:, None] if values.ndim == 1 else values
    if values.ndim != 2 or not values.shape[1] or not len(values):
        raise ValueError(
            f"{name} must be of shape (n_steps,) or (n_steps, n_features), with at least one step "
            f"and one feature; got {np.shape(given)}"
        )
    return values.astype(np.float64), found


def _columns_of(frame, name, columns):
    wanted = frame.columns if columns is None else columns
    for column in wanted:
        if column not in frame.columns:
            hint = did_you_mean(str(column), [str(one) for one in frame.columns])
            raise ValueError(f"{name} has no column {column!r}, which the first has.{hint}")
        if not (frame[column].dtype.is_numeric() or frame[column].dtype == nw.Boolean):
            raise ValueError(
                f"Column {column!r} of {name} holds {frame[column].dtype}, not numbers. Make times "
                f"the index: set_index({column!r}). Drop or encode other columns."
            )
    if not len(frame) or not len(wanted):
        raise ValueError(
            f"{name} has the shape {frame.shape}; it needs at least one step and one feature."
        )
    values = [frame[column].cast(nw.Float64).to_numpy() for column in wanted]
    return np.column_stack(values).astype(np.float64), list(wanted)
