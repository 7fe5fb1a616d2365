"""From what users have to sequences: which axis is which, and what is wrong."""

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.utils import check_array

from skae._data.arrays import read_array
from skae._data.checks import as_array, as_numbers, is_surely_finite, read_weights
from skae._data.frames import FrameFormat, is_frame, is_id, narwhals_frame
from skae._data.given import refuse_series
from skae._data.reader import SampleReader
from skae._data.sequences import SequenceDataset, SequenceFormat
from skae.exceptions import DataWarning, warn


@dataclass(frozen=True)
class SequenceReader(SampleReader):
    """Reads sequences, given as a list, an array or a table.

    A list holds arrays of shape (time, n_features) or (time,), an array is of shape (n_samples,
    time, n_features), and a table of shape (n_samples, time). Steps at the end that are wholly NaN
    are padding, other NaN missing values. Their features are those of a step; those of a table are
    its columns.

    Parameters
    ----------
    channels_first : bool, default=False
        Whether a sequence is of shape (n_features, time), not (time, n_features).
    """

    channels_first: bool = False

    options: ClassVar[tuple] = ("channels_first",)
    allows_missing: ClassVar[bool] = True
    has_lengths: ClassVar[bool] = True

    def convert(self, X, sample_weight, check, name):
        samples = _samples(X, self.format)
        if samples is not None:
            steps, format = _from_list(samples, self, self.format)
        else:
            refuse_series(X, name)
            X = as_array(X, name)
            X = as_numbers(X, name) if isinstance(X, np.ma.MaskedArray) else X
            if getattr(X, "ndim", 2) != 3:
                return self._convert_table(X, sample_weight, check)
            steps, format = _from_array(as_numbers(X, name), self, self.format)
        _check_finite(steps, format)
        if format.names is not None:  # by which scikit-learn compares them
            steps = pd.DataFrame(steps, columns=format.names, copy=False)
        if self._was_table:
            check = _check_alone
        rows = read_array(check, steps, ensure_all_finite=False)
        return _sequences(rows.X, format, sample_weight)

    def _convert_table(self, X, sample_weight, check):
        """Read an array or DataFrame of shape (n_samples, n_steps), of one feature."""
        is_same = self.format is None or self._was_table
        how = {"accept_sparse": False, "ensure_all_finite": "allow-nan"}
        try:
            rows = read_array(check if is_same else _check_alone, X, **how)
        except ValueError as error:
            if "Not numeric" in str(error):
                raise ValueError(f"{error}\n{_LONG.format('<id column>')}") from error
            n_axes = getattr(X, "ndim", 2)
            if n_axes == 1:
                raise ValueError(f"{error}\nFor one sequence give a list, [X].") from error
            if n_axes > 3:
                raise ValueError(
                    f"X has {n_axes} axes. Sequences are a list, an array of shape (n_samples, "
                    f"{self.axes[1:]}, or one of shape (n_samples, time)."
                ) from error
            n_steps = np.shape(X)[1] if n_axes == 2 else 0
            if self._was_table and n_steps not in (0, self.features.n_features_in_):
                raise ValueError(
                    f"{str(error).rstrip('.')}. The columns of a table are its steps: for "
                    "sequences of other lengths give X[:, :, np.newaxis], or a list."
                ) from error
            raise
        if self.format is None and is_frame(X):
            _warn_if_long(narwhals_frame(X))
        if self.format is not None:
            is_one = rows.X.shape[1] == self.format.n_features
            _check_features(1, self.format, " For one sequence give a list, [X]." if is_one else "")
        n_samples, n_steps = rows.X.shape
        format = SequenceFormat("table", 1, np.full(n_samples, n_steps), frame=rows.format.frame)
        return _sequences(rows.X.reshape(-1, 1), format, sample_weight)

    @property
    def _was_table(self):
        return self.format is not None and self.format.form == "table"

    @property
    def axes(self):
        """What the axes of a sequence are, for messages."""
        return "(n_features, time)" if self.channels_first else "(time, n_features)"


_LONG = "If each row is a step, skae.sequences.from_long_frame(X, {}) makes sequences of the table."


def _warn_if_long(frame):
    """Warn if a table seems to have a row for each step, not one for each sequence."""
    has_measurements = any(dtype.is_float() for dtype in frame.schema.values())
    for column in frame.iter_columns():
        n_ids = column.n_unique()
        if column.dtype.is_float() or not 1 < n_ids <= len(frame) / 2:
            continue
        values = column.to_numpy()
        is_in_blocks = n_ids > 2 and (values[1:] != values[:-1]).sum() + 1 == n_ids
        if is_id(column.name) or (is_in_blocks and has_measurements):
            warn(
                f"X is read as {len(frame)} sequences of {frame.shape[1]} steps, one a row, but "
                f"{column.name!r} looks like a column of ids. {_LONG.format(repr(column.name))}",
                DataWarning,
            )
            return


#: Checks rows whose columns are other ones than those of the training.
_check_alone = partial(check_array, input_name="X")


def _sequences(steps, format, sample_weight):
    extents = format.extents
    starts = np.cumsum(extents) - extents
    lengths = _content_lengths(steps, starts, extents)
    if not lengths.all():
        i = int(np.flatnonzero(lengths == 0)[0])
        raise ValueError(f"X[{i}] holds nothing but NaN. Leave such sequences out.")
    weights = read_weights(sample_weight, lengths)
    return SequenceDataset(steps, starts, lengths, format, weights)


def _content_lengths(steps, starts, extents):
    """Return the length of each sequence without the padding at its end."""
    if is_surely_finite(steps):
        return extents
    is_known = ~np.isnan(steps).all(axis=1)
    number = np.where(is_known, np.arange(1, len(steps) + 1), 0)  # counted over all sequences
    return np.maximum(np.maximum.reduceat(number, starts) - starts, 0)


def _samples(X, fitted):
    """Return X as a list of sequences, or None if it is one array."""
    if is_frame(X) or sparse.issparse(X):
        return None
    if not isinstance(X, (list, tuple)):
        return _objects(X)
    if not len(X):
        raise ValueError("X is an empty list: at least one sequence is needed.")
    if not _holds_sequences(X):
        return None
    was_list = fitted is not None and fitted.form == "list"
    if was_list or any(hasattr(sample, "shape") for sample in X):
        return list(X)
    try:  # lists of numbers, a table if they are as long as each other
        return None if np.asarray(X).ndim <= 3 else list(X)
    except ValueError:
        return list(X)


def _objects(X):
    """Return the sequences that an array of objects holds, or None if it holds none."""
    X = np.asarray(X)
    if X.dtype.kind != "O" or X.ndim == 0 or not _holds_sequences(X.flat):
        return None
    if X.ndim > 1:
        raise ValueError(
            f"X is an array of objects of shape {X.shape}: give a list of sequences, or an array "
            "of numbers"
        )
    return list(X)


def _holds_sequences(X):
    return any(np.iterable(sample) and not isinstance(sample, (str, dict)) for sample in X)


def _from_list(samples, reader, fitted):
    """Return the steps of all sequences, and their format."""
    frames = [FrameFormat.of(sample) for sample in samples]
    names = _common_names(frames)
    arrays = [_as_array(sample, i, reader) for i, sample in enumerate(samples)]
    is_flat = arrays[0].ndim == 1
    for i, array in enumerate(arrays):
        if (array.ndim == 1) != is_flat:
            raise ValueError(
                f"X[{i}] has {array.ndim} axes, but X[0] has {arrays[0].ndim}: give all sequences "
                f"the shape {reader.axes}."
            )
    if is_flat:
        arrays = [array[:, None] for array in arrays]
    elif reader.channels_first:
        arrays = [array.T for array in arrays]
    _check_equal_features(arrays, reader, fitted)
    for i, array in enumerate(arrays):
        if not len(array):
            raise ValueError(f"X[{i}] has no steps. Leave such sequences out.")
    extents = np.array([len(array) for array in arrays])
    format = SequenceFormat(
        "list",
        arrays[0].shape[1],
        extents,
        reader.channels_first,
        is_flat,
        frames=None if reader.channels_first or names is None else frames,
        names=None if reader.channels_first else names,
    )
    return np.concatenate(arrays), format


def _common_names(frames):
    """Return the names of the features of sequences that are DataFrames, or None."""
    names = None if frames[0] is None else list(frames[0].columns)
    for i, frame in enumerate(frames):
        columns = None if frame is None else list(frame.columns)
        if columns != names:
            raise ValueError(
                f"X[{i}] has the columns {columns}, but X[0] {names}: all sequences need the same "
                "ones, in one order."
            )
    return names


def _as_array(sample, i, reader):
    array = as_numbers(sample, f"X[{i}]")
    if array.ndim not in (1, 2):
        raise ValueError(
            f"X[{i}] is of shape {array.shape}. A sequence is an array of shape {reader.axes}, or "
            "(time,) if it has one feature."
        )
    return array


def _check_equal_features(arrays, reader, fitted):
    """Refuse sequences that differ in their features, from each other or from the fit."""
    widths = [array.shape[1] for array in arrays]
    n_features = widths[0] if fitted is None else fitted.n_features
    if all(width == n_features for width in widths):
        if n_features == 0:
            raise ValueError(f"X[0] has 0 features: a sequence has the shape {reader.axes}.")
        return
    hint = ""
    if len({len(array) for array in arrays}) == 1 and (
        fitted is None or len(arrays[0]) == n_features
    ):
        hint = _other_order(reader)
    i = next(i for i, width in enumerate(widths) if width != n_features)
    than = "the fit was on sequences of" if fitted is not None else "X[0] has"
    raise ValueError(
        f"X[{i}] has {widths[i]} features, but {than} {n_features}. All sequences need the shape "
        f"{reader.axes}, with the same features.{hint}"
    )


def _other_order(reader):
    return (
        " The axes seem to be the other way round: swap them, or give "
        f"channels_first={not reader.channels_first}."
    )


def _check_features(n_features, fitted, hint=""):
    if n_features != fitted.n_features:
        raise ValueError(
            f"X has {n_features} features in each step, but the fit was on {fitted.n_features}."
            f"{hint}"
        )


def _from_array(X, reader, fitted):
    """Return the steps of an array with three axes, and their format."""
    if reader.channels_first:
        X = np.moveaxis(X, 1, 2)
    n_samples, n_steps, n_features = X.shape
    if 0 in X.shape:
        raise ValueError(
            f"X is of shape {X.shape}: it has 0 samples, steps or features. At least one of each "
            "is required."
        )
    if fitted is not None:
        hint = _other_order(reader) if n_steps == fitted.n_features else ""
        _check_features(n_features, fitted, hint)
    elif _is_padded_across(X):
        raise ValueError(
            "The last features of X are wholly NaN, of another number in each sequence, and no "
            f"steps are: X must be of shape (n_samples, {reader.axes[1:]}."
            f"{_other_order(reader)}"
        )
    format = SequenceFormat("array", n_features, np.full(n_samples, n_steps), reader.channels_first)
    return X.reshape(-1, n_features), format


def _is_padded_across(X):
    """Say whether padding is along the features, as it is where the axes are swapped."""
    if X.dtype.kind != "f" or not np.isnan(X[..., -1]).any():
        return False
    is_nan = np.isnan(X)
    n_last = [np.cumprod(is_nan.all(axis=axis)[:, ::-1], axis=1).sum(1) for axis in (1, 2)]
    across, along_time = n_last
    return len(np.unique(across)) > 2 and not along_time.any()


def _check_finite(steps, format):
    """Refuse infinite values, and say where the first one is."""
    if is_surely_finite(steps):
        return
    infinite = np.argwhere(np.isinf(steps))
    if len(infinite):
        step, feature = (int(n) for n in infinite[0])
        ends = np.cumsum(format.extents)
        i = int(np.searchsorted(ends, step, side="right"))
        step -= int(ends[i] - format.extents[i])
        raise ValueError(
            f"X[{i}] holds an infinite value in feature {feature} of step {step}. Values must be "
            "finite, or NaN where they are missing."
        )
