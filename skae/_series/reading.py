"""Series as users give them: one, a list, or a dict by name, each with its own index."""

from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
from scipy import sparse

from skae._data.checks import as_numbers
from skae._data.frames import FrameFormat, is_frame, narwhals_frame
from skae._data.given import as_data
from skae._data.plain import index_of, plain_index, plain_value, plain_values, value_of
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
    columns : list or None
        Names of the features.
    library : Implementation of narwhals
        Of the results.
    """

    key: Any
    values: np.ndarray
    index: Any = None
    columns: list | None = None
    library: nw.Implementation = nw.Implementation.PANDAS

    def __getstate__(self):
        """Return the state as plain values, which any format of files can hold."""
        return vars(self) | {
            "key": plain_value(self.key),
            "index": None if self.index is None else plain_index(self.index),
            "columns": None if self.columns is None else plain_values(self.columns),
            "library": self.library.value,
        }

    def __setstate__(self, state):
        columns, index = state["columns"], state["index"]
        vars(self).update(
            state,
            key=value_of(state["key"]),
            index=None if index is None else index_of(index),
            columns=None if columns is None else list(map(value_of, columns)),
            library=nw.Implementation.from_backend(state["library"]),
        )

    @property
    def name(self):
        """What errors call it."""
        return "series" if self.key is None else f"series[{self.key!r}]"

    def feature(self, position):
        """Return the name of a feature, or its position."""
        return self.columns[position] if self.columns else int(position)

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
        columns = range(values.shape[1]) if self.columns is None else self.columns
        return FrameFormat(self.library, columns, self.index).make(values)

    def without_values(self):
        """Return what results of the series need to know of it."""
        return replace(self, values=self.values[:, :0])

    def tail(self, n_steps):
        """Return the last steps."""
        start = max(0, len(self.values) - n_steps)
        index = None if self.index is None else self.index[start:]
        return replace(self, values=self.values[start:], index=index)

    def continued(self, after):
        """Return the series with the steps that come next."""
        both = self.index, after.index
        keeps = not any(one is None or isinstance(one, pd.RangeIndex) for one in both)
        index = self.index.append(after.index) if keeps else None
        if keeps and _times(self.index) is not None and _times(index) is None:
            raise ValueError(
                f"The index of {after.name} is of dtype {after.index.dtype}, but the steps before "
                f"it have one of {self.index.dtype}. Make them the same."
            )
        return replace(after, values=np.concatenate([self.values, after.values]), index=index)

    @cached_property
    def pace(self):
        """Usual time from one step to the next, None if the index holds no times."""
        steps = self._time_steps(0)
        return None if steps is None else float(np.median(steps))

    def _time_steps(self, n_before):
        times = _times(self.index)
        if times is None or len(times) < 2:
            return None
        if not np.isfinite(times).all():
            step = np.flatnonzero(~np.isfinite(times))[0] - n_before
            raise ValueError(f"The index of {self.name} has no time at step {step}. Drop it.")
        steps = np.diff(times)
        if (steps <= 0).any():
            i = np.flatnonzero(steps <= 0)[0] + 1
            what, remedy = "is before the time before it", "Sort them: sort_index()."
            if steps[i - 1] == 0:
                what, remedy = "is there twice", "Keep one: groupby(level=0).mean()."
            if i == n_before:
                what = f"is not after {self.index[i - 1]}, the last one before"
                remedy = "Give the steps that come next."
            raise ValueError(
                f"The time {self.index[i]} at step {i - n_before} of {self.name} {what}. {remedy}"
            )
        return steps

    def intervals_of(self, pace, n_before):
        """Return the times from each step to the next in a usual time, None if there is none.

        Parameters
        ----------
        pace : float or None
        n_before : int
            Steps that were given before, which errors do not count.
        """
        steps = None if pace is None else self._time_steps(n_before)
        return None if steps is None else steps / pace

    def intervals(self):
        """Return the times from each step to the next, in usual ones of the series.

        Returns
        -------
        ndarray of shape (n_steps - 1,) or None
            None if the index holds no times.

        Raises
        ------
        ValueError
            If times are missing, unsorted, there twice or spread unevenly.
        """
        steps = self.intervals_of(self.pace, 0)
        if steps is None:
            return None
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
        seconds = (index - index[:1].repeat(len(index))) / np.timedelta64(1, "s")
        return seconds.to_numpy(np.float64)
    if index is None or not pd.api.types.is_any_real_numeric_dtype(index):
        return None
    return index.to_numpy(np.float64, na_value=np.nan)


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
        if isinstance(given, dict) and not sparse.issparse(given):  # one format is a dict
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
            columns, n_features = members[-1].columns, members[-1].values.shape[1]
        return cls(members, form)

    def without_values(self):
        """Return what results need to know."""
        return replace(self, members=[one.without_values() for one in self.members])

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
        holds_objects = given.dtype.kind == "O" and given.ndim == 1
        return given.ndim == 3 or (holds_objects and any(map(_is_series, given)))
    return isinstance(given, (list, tuple)) and any(map(_is_series, given))


def _is_series(one):
    is_table = is_frame(one) or nw.dependencies.is_into_series(one)
    return is_table or (isinstance(one, np.ndarray) and one.ndim > 0)


def _read(key, given, columns, n_features):
    name = "series" if key is None else f"series[{key!r}]"
    given = as_data(given, name)
    given = given.toarray() if sparse.issparse(given) else given
    index = given.index if isinstance(given, (pd.Series, pd.DataFrame)) else None
    values, found, library = _values(given, name, columns)
    if values.shape[1] == 0:
        raise ValueError(
            f"{name} has 0 feature(s) (shape={values.shape}) while a minimum of 1 is required."
        )
    if n_features is not None and values.shape[1] != n_features:
        remedy = (
            " Reshape your data: of one step, give x.reshape(1, -1)." if np.ndim(given) == 1 else ""
        )
        raise ValueError(
            f"{name} has {values.shape[1]} features, but {n_features} are expected, as in the "
            f"training series.{remedy}"
        )
    if np.isinf(values).any():
        step, feature = np.argwhere(np.isinf(values))[0]
        raise ValueError(
            f"{name} holds infinity at step {step}, feature {feature}. Replace it, or leave the "
            "cell missing (NaN)."
        )
    return Series(key, values, index, found if columns is None else columns, library)


def _values(given, name, columns):
    """Return the numbers of a series, the names of its features or None, and the library."""
    frame = narwhals_frame(given, name) if is_frame(given) else None
    if frame is not None:
        return *_columns_of(frame, name, columns), frame.implementation
    is_series = nw.dependencies.is_into_series(given)
    found = [given.name] if is_series and given.name not in (None, "") else None
    values = as_numbers(given, name)
    values = values[:, None] if values.ndim == 1 else values
    if values.ndim != 2:
        raise ValueError(
            f"{name} must be of shape (n_steps,) or (n_steps, n_features), got {np.shape(given)}"
        )
    return values.astype(np.float64), found, nw.Implementation.PANDAS


def _columns_of(frame, name, columns):
    wanted = frame.columns if columns is None else columns
    for column in wanted:
        if column not in frame.columns:
            hint = did_you_mean(str(column), [str(one) for one in frame.columns])
            raise ValueError(f"{name} has no column {column!r}, as the training series has.{hint}")
    values = np.empty((len(frame), len(wanted)))
    for i, column in enumerate(wanted):
        values[:, i] = _column(frame, column, name)
    return values, list(wanted)


def _column(frame, column, name):
    values = frame.get_column(column)
    if values.dtype in (nw.Object, nw.Unknown):  # such as decimals and sparse columns of pandas
        column = as_numbers(np.asarray(values.to_native()), f"Column {column!r} of {name}")
        return column.astype(np.float64)
    if not (values.dtype.is_numeric() or values.dtype == nw.Boolean):
        raise ValueError(
            f"Column {column!r} of {name} holds {values.dtype}, not numbers. Make times the index: "
            f"set_index({column!r}). Drop or encode other columns."
        )
    return values.cast(nw.Float64).to_numpy().astype(np.float64)
