"""Sequences from long tables, and long series as windows.

Autoencoders with `~skae.architectures.Recurrent` layers take lists of arrays of shape (time,
n_features). The functions here make such lists from tables with a row for each step, and score
series that are too long to be one sequence.
"""

from functools import partial
from numbers import Integral

import narwhals as nw
import numpy as np
import pandas as pd
from sklearn.utils import check_array, check_scalar

from skae._data.arrays import read_array
from skae._data.checks import as_numbers
from skae._data.dtypes import inferred
from skae._data.frames import FrameFormat, column_names, is_frame, narwhals_frame
from skae._names import did_you_mean

__all__ = ["from_long_frame", "sliding_windows", "windowed_errors"]

#: Values of the windows that are scored at once.
MAX_WINDOW_VALUES = 2**20


def from_long_frame(frame, id_column, time_column=None):
    """Make sequences from a table that has a row for each step.

    Parameters
    ----------
    frame : DataFrame of pandas, polars or pyarrow
        All columns but the two named ones are features. Missing values stay missing.
    id_column : str
        Column that says which sequence a row is of.
    time_column : str or None, default=None
        Column by which the rows of each sequence are put in order. None takes them in the
        order of the table.

    Returns
    -------
    sequences : list of ndarray of shape (time, n_features)
        The sequences, in the order of their first rows.
    ids : ndarray of shape (n_samples,)
        The id of each sequence.

    Raises
    ------
    TypeError
        If ``frame`` is no DataFrame, or a lazy one.
    ValueError
        If a column is not there or not numeric, an id or a time is missing, or a sequence has
        the same time twice.

    Examples
    --------
    >>> import pandas as pd
    >>> from skae.sequences import from_long_frame
    >>> frame = pd.DataFrame(
    ...     {"patient": ["b", "a", "b"], "day": [2, 1, 1], "pulse": [61.0, 70.0, 63.0]}
    ... )
    >>> sequences, ids = from_long_frame(frame, "patient", "day")
    >>> ids.tolist(), [sequence[:, 0].tolist() for sequence in sequences]
    (['b', 'a'], [[63.0, 61.0], [70.0]])
    """
    keys = [name for name in (id_column, time_column) if name is not None]
    frame = _check_frame(frame, keys)
    features = [i for i, name in enumerate(frame.columns) if name not in keys]
    check = partial(check_array, input_name="frame", ensure_all_finite="allow-nan")
    steps = read_array(check, frame[:, features].to_native(), name="frame").X
    columns = {name: _key_values(frame.get_column(name)) for name in keys}
    which, ids = pd.factorize(columns[id_column])
    order = np.argsort(which, kind="stable")
    if time_column is not None:
        times = pd.Series(inferred(columns[time_column].to_numpy()))
        _check_time(times, time_column, which, ids)
        order = np.lexsort((times.rank(), which))
    ends = np.cumsum(np.bincount(which))
    return np.split(steps[order], ends[:-1]), np.asarray(ids)


def _key_values(column):
    """Return the values of a column of keys, or say where one is missing."""
    values = pd.Series(column.to_numpy())
    missing = values.isna() | column.is_null().to_numpy()
    if missing.any():
        row = int(np.flatnonzero(missing)[0])
        raise ValueError(f"Column {column.name!r} has no value in row {row}.")
    return values


def _check_frame(frame, keys):
    """Return a DataFrame as narwhals has it, or say what is wrong with its columns."""
    if not is_frame(frame):
        raise TypeError(
            "frame must be a DataFrame of pandas, polars or pyarrow, in memory; got "
            f"{type(frame).__name__}"
        )
    known = column_names(frame)
    if len(set(known)) < len(known):
        raise ValueError(f"frame has columns of the same name among {known}. Rename or drop them.")
    for name in keys:
        if name not in known:
            hint = did_you_mean(str(name), [str(n) for n in known])
            raise ValueError(f"frame has no column {name!r}.{hint}")
    if set(known) == set(keys) or not len(frame):
        raise ValueError(
            f"frame needs at least one row, and one column beside {keys}; its shape is "
            f"{tuple(frame.shape)}"
        )
    return narwhals_frame(frame)


def _check_time(time, name, which, ids):
    """Refuse times that have no order, or are there twice in a sequence."""
    if not (pd.api.types.is_numeric_dtype(time) or pd.api.types.is_datetime64_any_dtype(time)):
        raise ValueError(
            f"Column {name!r} holds {time.dtype}, whose order is not that of time. Turn it into "
            "numbers or dates first, for instance with pandas.to_datetime."
        )
    twice = pd.DataFrame({"id": which, "time": time}).duplicated()
    if twice.any():
        row = int(np.flatnonzero(twice)[0])
        raise ValueError(
            f"The sequence {ids[which[row]]!r} has the time {time[row]} twice. Choose one of the "
            "rows, or their mean."
        )


def sliding_windows(series, length, stride=1, *, channels_first=False):
    """Cut a series into windows of the same length, which may overlap.

    Parameters
    ----------
    series : array-like of shape (n_steps,) or (n_steps, n_features)
        The series.
    length : int
        Steps of a window.
    stride : int, default=1
        Steps from one window to the next.
    channels_first : bool, default=False
        Whether windows are of shape (n_features, length), not (length, n_features).

    Returns
    -------
    windows : ndarray of shape (n_windows, length), (n_windows, length, n_features) or \
            (n_windows, n_features, length)
        A read-only view of the series. Steps behind the last whole window are
        left out.

    Raises
    ------
    TypeError, ValueError
        If ``length`` or ``stride`` is no positive integer, or the series shorter than a window.

    Examples
    --------
    >>> import numpy as np
    >>> from skae.sequences import sliding_windows
    >>> sliding_windows(np.arange(6), length=4, stride=2)
    array([[0, 1, 2, 3],
           [2, 3, 4, 5]])
    """
    series = _as_series(series)
    for name, value in (("length", length), ("stride", stride)):
        check_scalar(value, name, Integral, min_val=1)
    if len(series) < length:
        raise ValueError(f"series has {len(series)} steps, too few for a window of {length}")
    windows = np.lib.stride_tricks.sliding_window_view(series, int(length), axis=0)
    windows = windows[:: int(stride)]
    return windows if channels_first else np.moveaxis(windows, -1, 1)


def _as_series(series):
    series = as_numbers(series, "series")
    if series.ndim not in (1, 2) or 0 in series.shape:
        raise ValueError(
            f"series must be of shape (n_steps,) or (n_steps, n_features), not {series.shape}"
        )
    return series


def windowed_errors(estimator, series, length, stride=None, *, channels_first=False):
    """Return how far each step of a long series is from its reconstruction.

    The series is cut into windows, and the error of a step is the mean over the windows that
    it is in. A chunk of windows is scored at a time, so that memory is bounded however long the
    series is.

    Parameters
    ----------
    estimator : object with ``reconstruction_errors``
        Autoencoder fitted on such windows, see `sliding_windows`.
    series : array-like, Series or DataFrame of shape (n_steps,) or (n_steps, n_features)
        One axis gives windows of shape (n_windows, length), two (n_windows, length,
        n_features).
    length : int
        Steps of a window.
    stride : int or None, default=None
        Steps from one window to the next. None is half a window. The last window ends with
        the series. Errors depend on it, see Notes.
    channels_first : bool, default=False
        Whether the estimator takes windows of shape (n_features, length), not (length,
        n_features).

    Returns
    -------
    errors : ndarray, Series or DataFrame of the shape of the series
        Mean squared errors, in squared units of the series. NaN where a value is missing. A
        Series or DataFrame of the same library for one of pandas, polars or pyarrow, with its
        index and the names of its columns.

    Raises
    ------
    TypeError, ValueError
        If ``length`` or ``stride`` is no positive integer, the series shorter than a window, or
        ``stride`` longer than one.

    See Also
    --------
    skae.SeriesOutlierDetector : Cuts windows by itself, and finds thresholds and intervals.
    skae.inspection.SeriesScoreDisplay : Draws a series with its scores.
    skae.metrics.vus_pr_score : Judges such errors, where anomalies are known.

    Notes
    -----
    A small ``stride`` takes more time, and makes errors depend less on where windows begin. A
    model may restore the ends of a window worse than its middle, and it follows a fault more
    easily at an end. With ``stride=length`` a step is in one window, with ``stride=1`` in up to
    ``length``; the first and the last steps of the series are in few windows with any stride.

    We measured this on a sine whose frequency wanders, with windows of 50 steps and four
    components, recurrent and dense, three seeds each. The first and the last step of a window
    had 1.5 to 2 times the mean error. A fault of ten steps was moved to ten places, and its
    largest mean error was, as a multiple of the smallest, 1.3 to 1.6 with ``stride=1``, 1.4 to
    1.8 with a fifth of a window, 2.4 to 2.9 with half a window, and 5.9 to 7.5 with
    ``stride=length``. On a steady sine, which the models restore up to its noise, the ends of
    windows had 0.9 to 1.04 times the mean error.

    Examples
    --------
    >>> import numpy as np
    >>> from skae import RecurrentAutoencoder
    >>> from skae.sequences import sliding_windows, windowed_errors
    >>> series = np.sin(np.arange(3000) / 5)
    >>> model = RecurrentAutoencoder(4, max_epochs=10, random_state=0)
    >>> model = model.fit(sliding_windows(series, length=50, stride=10))
    >>> series[1000:1010] = 0  # a fault
    >>> errors = windowed_errors(model, series, length=50)
    >>> bool(995 < errors.argmax() < 1015)
    True
    """
    make = _maker(series)
    values = _as_series(series)

    def errors(windows):
        return _errors(estimator, windows, channels_first and windows.ndim == 3)

    return make(mean_over_windows(errors, values, length, stride, values.shape))


def _maker(series):
    """Return a function that makes arrays DataFrames or Series like a given one, if it is one."""
    if frame := FrameFormat.of(series, "series"):
        return frame.make
    if isinstance(series, pd.Series):
        return partial(pd.Series, index=series.index, name=series.name)
    if isinstance(series, np.ndarray) or not nw.dependencies.is_into_series(series):
        return lambda array: array
    column = nw.from_native(series, series_only=True)
    make = partial(nw.new_series, column.name, backend=column.implementation)
    return lambda array: make(array).to_native()


def mean_over_windows(function, series, length, stride, shape):
    """Return for each step the mean of what a function gives for the windows that it is in.

    Parameters
    ----------
    function : callable
        Returns values for the steps of windows, an array of shape (n_windows, length, ...).
    series : ndarray of shape (n_steps,) or (n_steps, n_features)
    length : int
        Steps of a window.
    stride : int or None
        Steps from one window to the next. None is half a window.
    shape : tuple of int
        Of the result, (n_steps, ...).

    Returns
    -------
    ndarray of the given shape
        NaN where there is no value.
    """
    windows = sliding_windows(series, length)
    stride = max(1, length // 2) if stride is None else stride
    check_scalar(stride, "stride", Integral, min_val=1, max_val=length)
    starts = np.unique(np.append(np.arange(0, len(windows), stride), len(windows) - 1))
    total, count = np.zeros(shape), np.zeros(shape)
    for some in np.array_split(starts, -(-len(starts) * windows[0].size // MAX_WINDOW_VALUES)):
        chunk = windows[some]
        seen = ~np.isnan(chunk).all(axis=tuple(range(1, chunk.ndim)))
        if not seen.any():
            continue
        values = function(chunk[seen])
        steps = some[seen][:, None] + np.arange(length)
        known = ~np.isnan(values)
        np.add.at(total, steps, np.where(known, values, 0.0))
        np.add.at(count, steps, known)
    return np.divide(total, count, out=np.full(shape, np.nan), where=count > 0)


def _errors(estimator, windows, is_turned):
    if not is_turned:
        return np.asarray(estimator.reconstruction_errors(windows))
    return np.moveaxis(estimator.reconstruction_errors(np.moveaxis(windows, 2, 1)), 1, 2)
