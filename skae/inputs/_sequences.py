"""Sequences of unequal lengths: lists of arrays, arrays padded with NaN, tables.

Whatever the user has, the steps of all sequences are the rows of one matrix, and a sequence
is a piece of it. A batch is padded with NaN, so that a net sees how long a sequence is and
which of its values are missing.
"""

from typing import NamedTuple

import numpy as np
import torch
from scipy import sparse

from skae._batches import along, chunks
from skae.inputs._frames import FrameFormat
from skae.inputs._images import as_array
from skae.inputs._rows import Codes, RowFormat, Rows, as_tensor, read_rows, read_weights, take


class SequenceLayout(NamedTuple):
    """How the axes of a sequence are to be read.

    Parameters
    ----------
    channels_first : bool, default=False
        Whether a sequence is of shape (n_features, time), not (time, n_features).
    """

    channels_first: bool = False

    @classmethod
    def of(cls, architecture):
        """Return the layout that an architecture asks for."""
        return cls(bool(getattr(architecture, "channels_first", False)))

    def read(self, estimator, X, sample_weight, reset, fitted):
        """Validate X and return it as `Sequences`; parameters as for `read_sequences`."""
        return read_sequences(estimator, X, sample_weight, reset, layout=self, fitted=fitted)

    @property
    def axes(self):
        """What the axes of a sequence are, for messages."""
        return "(n_features, time)" if self.channels_first else "(time, n_features)"


class SequenceFormat(RowFormat):
    """What it takes to make sequences as the user's from a net's output.

    Parameters
    ----------
    form : {"list", "array", "table"}
        A list of sequences, an array with three axes, or one with two, of one feature.
    n_features : int
    extents : ndarray of int, shape (n_samples,)
        Number of steps that each sequence has room for.
    channels_first : bool, default=False
        As for `SequenceLayout`.
    is_flat : bool, default=False
        Whether the sequences of a list have one axis, that of time.
    frame : FrameFormat or None, default=None
        If a table is a DataFrame.
    frames : list of FrameFormat or None, default=None
        If the sequences of a list are DataFrames.
    """

    def __init__(
        self,
        form,
        n_features,
        extents,
        channels_first=False,
        is_flat=False,
        frame=None,
        frames=None,
    ):
        super().__init__(frame)
        self.form = form
        self.n_features = n_features
        self.extents = extents
        self.channels_first = channels_first
        self.is_flat = is_flat
        self.frames = frames

    def arrange(self, output):
        if self.form == "list":
            pieces = np.split(output, np.cumsum(self.extents)[:-1])
            return [self.arrange_sample(piece) for piece in pieces]
        n_steps = self.extents[0] if len(self.extents) else 0
        if self.form == "table":
            return output.reshape(-1, n_steps)
        output = output.reshape(-1, n_steps, self.n_features)
        return np.ascontiguousarray(np.moveaxis(output, 2, 1)) if self.channels_first else output

    def arrange_sample(self, output):
        if self.form == "table" or self.is_flat:
            return output[:, 0]
        return np.ascontiguousarray(output.T) if self.channels_first else output

    def to_array(self, output):
        return self.arrange(output)

    def in_frame(self, array):
        if self.frames is not None:
            pairs = zip(self.frames, array, strict=True)
            return [
                sequence if frame is None else frame.make(sequence) for frame, sequence in pairs
            ]
        fits = self.frame and array.shape[1] == len(self.frame.columns)
        return super().in_frame(array) if fits else array

    def for_new_rows(self):
        twin = super().for_new_rows()
        twin.frames = None
        return twin

    def how_to_scale(self, name):
        if self.form == "table":
            return super().how_to_scale(name)
        return "by the smallest and the largest value of each feature"

    def codes(self, codes, sample_shape, lengths=None):
        extents = lengths
        if self.form != "list":
            extents = np.full(len(lengths), lengths.max(initial=0))
        twin = self.for_new_rows()
        twin.extents = extents
        # All steps of all sequences are the same zeros, in no memory.
        steps = np.broadcast_to(np.zeros(1, codes.dtype), (lengths.max(initial=1), self.n_features))
        starts = np.zeros(len(lengths), int)
        targets = Sequences(steps, starts, lengths, twin)
        return Codes(codes, twin, targets.sample_shape, targets)


class Sequences(Rows):
    """Sequences as pieces of a validated matrix of steps.

    Parameters
    ----------
    steps : ndarray of shape (n_steps, n_features)
        NaN where a value is missing.
    starts, lengths : ndarray of int, shape (n_samples,)
        Where each sequence starts, and how many steps it has.
    format : SequenceFormat
    sample_weight : ndarray of shape (n_samples,) or None, default=None
        Weights, of mean 1.
    """

    kind = "sequences"
    is_partial = True

    def __init__(self, steps, starts, lengths, format, sample_weight=None):
        super().__init__(steps, sample_weight, format)
        self._starts = starts
        self._lengths = lengths
        self._has_holes = steps.dtype.kind == "f" and bool(np.isnan(steps.sum(dtype=np.float64)))

    def __len__(self):
        return len(self._lengths) if self.index is None else len(self.index)

    @property
    def lengths(self):
        """Number of steps of each sequence, padding not counted."""
        return self._lengths if self.index is None else self._lengths[self.index]

    @property
    def sample_shape(self):
        return int(self.lengths.max(initial=1)), self.X.shape[1]

    @property
    def is_regular(self):
        lengths = self.lengths
        return not self._has_holes and lengths.min() == lengths.max()

    def range(self):
        return np.nanmin(self.X), np.nanmax(self.X)

    def column_range(self):
        steps = self.X.astype(np.float64, copy=False)
        return tuple(torch.from_numpy(end(steps, axis=0)) for end in (np.nanmin, np.nanmax))

    def mean(self):
        """Return the weighted mean of each step and feature, as a float64 tensor."""
        sums = torch.zeros(self.sample_shape, dtype=torch.float64)
        counts = torch.zeros_like(sums)
        for _, x, _, weight in chunks(self, torch.float64, "cpu"):
            weight = 1.0 if weight is None else along(weight, x)
            sums[: x.shape[1]] += (weight * x).nansum(0)
            counts[: x.shape[1]] += (weight * ~x.isnan()).sum(0)
        return sums / counts.clamp_min(torch.finfo(counts.dtype).tiny)

    @property
    def centre(self):
        return self.moments()[0]

    def moments(self):
        """Return each feature's mean and standard deviation over all steps, float64 tensors."""
        sums = 0.0
        for _, x, _, weight in chunks(self, torch.float64, "cpu"):
            weight = torch.ones(len(x), dtype=x.dtype) if weight is None else weight
            weight = along(weight, x) * ~x.isnan()
            x = x.nan_to_num(0.0)
            terms = torch.stack([weight, weight * x, weight * x.square()])
            sums = sums + terms.sum((1, 2))
        count, total, squares = sums
        mean = total / count.clamp_min(torch.finfo(count.dtype).tiny)
        variance = squares / count.clamp_min(torch.finfo(count.dtype).tiny) - mean.square()
        return mean, variance.clamp_min(0).sqrt()

    def with_values(self, x):
        n_samples, n_steps, n_features = x.shape
        starts = np.arange(n_samples) * n_steps
        lengths = np.full(n_samples, n_steps)
        return Sequences(x.reshape(-1, n_features), starts, lengths, self.format)

    def new_output(self, dtype):
        extents = self.format.extents if self.index is None else self.lengths
        return np.full((int(extents.sum()), self.X.shape[1]), np.nan, dtype)

    def write(self, output, which, values):
        extents = self.format.extents if self.index is None else self.lengths
        starts = (np.cumsum(extents) - extents)[which]
        is_step = _is_step(self.lengths[which], values.shape[1])
        places = starts[:, None] + np.arange(values.shape[1])
        output[places[is_step]] = values[is_step]

    def take(self, which, dtype):
        """Read sequences as a tensor.

        Parameters
        ----------
        which : slice or ndarray of int
        dtype : torch.dtype

        Returns
        -------
        x : tensor of shape (n_taken, n_steps, n_features)
            As many steps as the longest of them has; NaN behind the end of the others.
        weight : tensor of shape (n_taken,) or None
        """
        if self.index is not None:
            which = self.index[which]
        starts, lengths = self._starts[which], self._lengths[which]
        longest = lengths.max(initial=1)
        places = np.minimum(starts[:, None] + np.arange(longest), len(self.X) - 1)
        x = as_tensor(take(self.X, places.ravel()), dtype).view(*places.shape, -1)
        if lengths.min(initial=longest) < longest:
            x[torch.from_numpy(~_is_step(lengths, longest))] = torch.nan
        return x, self._take_weight(which, dtype)


def _is_step(lengths, n_steps):
    """Return which steps are before the end, a boolean array (n_samples, n_steps)."""
    return np.arange(n_steps) < lengths[:, None]


def read_sequences(estimator, X, sample_weight=None, reset=False, *, layout, fitted=None):
    """Validate sequences for an estimator.

    Parameters
    ----------
    estimator : BaseEstimator
        As for `read_rows`. The features of a list and of an array with three axes are those
        of a step, those of a table its columns.
    X : list of array-like, or array-like of shape (n_samples, n_steps, n_features) or \
            (n_samples, n_steps)
        Sequences. A list holds arrays of the layout's axes, or of one axis. Steps at the end
        that are wholly NaN are padding, other NaN missing values.
    sample_weight : array-like of shape (n_samples,) or None, default=None
    reset : bool, default=False
    layout : SequenceLayout
    fitted : SequenceFormat or None, default=None
        The format at fit. None if this is the fit.

    Returns
    -------
    Sequences

    Raises
    ------
    TypeError, ValueError
        If X is no sequences of numbers, or some are empty or differ in their features.
    """
    samples = _samples(X)
    if samples is not None:
        steps, format = _from_list(samples, layout, fitted)
    else:
        X = as_array(X, "X")
        if getattr(X, "ndim", 2) != 3:
            return _from_table(estimator, X, sample_weight, reset, fitted)
        steps, format = _from_array(X, layout, fitted)
    _check_finite(steps, format)
    is_same = reset or fitted.form != "table"
    rows = read_rows(estimator if is_same else None, steps, reset=reset, ensure_all_finite=False)
    return _sequences(rows.X, format, sample_weight)


def _from_table(estimator, X, sample_weight, reset, fitted):
    """Read an array or DataFrame of shape (n_samples, n_steps), of one feature."""
    is_same = reset or fitted.form == "table"
    how = {"accept_sparse": False, "ensure_all_finite": "allow-nan"}
    try:
        rows = read_rows(estimator if is_same else None, X, reset=reset, **how)
    except ValueError as error:
        n_steps = np.shape(X)[1] if np.ndim(X) == 2 else 0
        if (
            is_same
            and not reset
            and "features" in str(error)
            and n_steps not in (0, estimator.n_features_in_)
        ):
            raise ValueError(
                f"{error}. The columns of a table are its steps: for sequences of other lengths "
                "give X[:, :, np.newaxis], or a list."
            ) from error
        raise
    if fitted is not None:
        _check_features(1, fitted)
    n_samples, n_steps = rows.X.shape
    format = SequenceFormat("table", 1, np.full(n_samples, n_steps), frame=rows.format.frame)
    return _sequences(rows.X.reshape(-1, 1), format, sample_weight)


def _sequences(steps, format, sample_weight):
    extents = format.extents
    starts = np.cumsum(extents) - extents
    lengths = _content_lengths(steps, starts, extents)
    if not lengths.all():
        i = int(np.flatnonzero(lengths == 0)[0])
        raise ValueError(f"X[{i}] holds nothing but NaN. Leave such sequences out.")
    weights = read_weights(sample_weight, lengths)
    return Sequences(steps, starts, lengths, format, weights)


def _content_lengths(steps, starts, extents):
    """Return the length of each sequence without the padding at its end."""
    if steps.dtype.kind != "f" or not np.isnan(steps.sum(dtype=np.float64)):
        return extents
    is_known = ~np.isnan(steps).all(axis=1)
    number = np.where(is_known, np.arange(1, len(steps) + 1), 0)  # counted over all sequences
    return np.maximum(np.maximum.reduceat(number, starts) - starts, 0)


def _samples(X):
    """Return X as a list of sequences, or None if it is one array."""
    if hasattr(X, "columns") or sparse.issparse(X) or isinstance(X, torch.Tensor):
        return None
    if isinstance(X, np.ndarray):
        return list(X) if X.dtype.kind == "O" and X.ndim == 1 and _holds_sequences(X) else None
    if not isinstance(X, (list, tuple)):
        return None
    if not len(X):
        raise ValueError("X is an empty list: at least one sequence is needed.")
    if not _holds_sequences(X):
        return None
    if any(hasattr(sample, "shape") for sample in X):
        return list(X)
    try:  # lists of numbers, a table if they are as long as each other
        return None if np.asarray(X).ndim <= 3 else list(X)
    except ValueError:
        return list(X)


def _holds_sequences(X):
    return any(np.iterable(sample) and not isinstance(sample, str) for sample in X)


def _from_list(samples, layout, fitted):
    """Return the steps of all sequences, and their format."""
    frames = [FrameFormat.of(sample) for sample in samples]
    arrays = [_as_array(sample, i, layout) for i, sample in enumerate(samples)]
    is_flat = arrays[0].ndim == 1
    for i, array in enumerate(arrays):
        if (array.ndim == 1) != is_flat:
            raise ValueError(
                f"X[{i}] has {array.ndim} axes, but X[0] has {arrays[0].ndim}: give all sequences "
                f"the shape {layout.axes}."
            )
    if is_flat:
        arrays = [array[:, None] for array in arrays]
    elif layout.channels_first:
        arrays = [array.T for array in arrays]
    _check_equal_features(arrays, layout, fitted)
    for i, array in enumerate(arrays):
        if not len(array):
            raise ValueError(f"X[{i}] has no steps. Leave such sequences out.")
    extents = np.array([len(array) for array in arrays])
    format = SequenceFormat(
        "list",
        arrays[0].shape[1],
        extents,
        layout.channels_first,
        is_flat,
        frames=frames if any(frames) and not layout.channels_first else None,
    )
    return np.concatenate(arrays), format


def _as_array(sample, i, layout):
    if isinstance(sample, torch.Tensor):
        sample = sample.detach().cpu().numpy()
    try:
        array = np.asarray(sample)
        if array.dtype.kind == "O":
            array = array.astype(np.float64)
    except (ValueError, TypeError) as error:
        raise ValueError(f"X[{i}] is not an array of numbers: {error}") from error
    if array.dtype.kind not in "fiub":
        raise ValueError(f"X[{i}] is of dtype {array.dtype}, which is not numeric.")
    if array.ndim not in (1, 2):
        raise ValueError(
            f"X[{i}] is of shape {array.shape}. A sequence is an array of shape {layout.axes}, or "
            "(time,) if it has one feature."
        )
    return array


def _check_equal_features(arrays, layout, fitted):
    """Refuse sequences that differ in their features, from each other or from the fit."""
    widths = [array.shape[1] for array in arrays]
    n_features = widths[0] if fitted is None else fitted.n_features
    if all(width == n_features for width in widths):
        if n_features == 0:
            raise ValueError(f"X[0] has 0 features: a sequence has the shape {layout.axes}.")
        return
    hint = ""
    if len({len(array) for array in arrays}) == 1 and (
        fitted is None or len(arrays[0]) == n_features
    ):
        hint = _other_order(layout)
    i = next(i for i, width in enumerate(widths) if width != n_features)
    than = "the fit was on sequences of" if fitted is not None else "X[0] has"
    raise ValueError(
        f"X[{i}] has {widths[i]} features, but {than} {n_features}. All sequences need the shape "
        f"{layout.axes}, with the same features.{hint}"
    )


def _other_order(layout):
    return (
        " The axes seem to be the other way round: swap them, or give "
        f"channels_first={not layout.channels_first}."
    )


def _check_features(n_features, fitted, hint=""):
    if n_features != fitted.n_features:
        raise ValueError(
            f"X has {n_features} features in each step, but the fit was on {fitted.n_features}."
            f"{hint}"
        )


def _from_array(X, layout, fitted):
    """Return the steps of an array with three axes, and their format."""
    if layout.channels_first:
        X = np.moveaxis(X, 1, 2)
    n_samples, n_steps, n_features = X.shape
    if 0 in X.shape:
        raise ValueError(
            f"X is of shape {X.shape}: it has 0 samples, steps or features. At least one of each "
            "is required."
        )
    if fitted is not None:
        hint = _other_order(layout) if n_steps == fitted.n_features else ""
        _check_features(n_features, fitted, hint)
    elif _is_padded_across(X):
        raise ValueError(
            "The last features of X are wholly NaN, of another number in each sequence, and no "
            f"steps are: X must be of shape (n_samples, {layout.axes[1:]}."
            f"{_other_order(layout)}"
        )
    format = SequenceFormat("array", n_features, np.full(n_samples, n_steps), layout.channels_first)
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
    if steps.dtype.kind != "f" or np.isfinite(steps.sum(dtype=np.float64)):
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


def read_lengths(lengths, n_samples):
    """Validate lengths to decode to: an integer, or one for each sequence.

    Returns
    -------
    ndarray of int, shape (n_samples,)

    Raises
    ------
    ValueError
        If they are not as many integers of at least 1.
    """
    array = np.asarray(lengths)
    if array.ndim == 0:
        array = np.full(n_samples, array)
    if array.shape != (n_samples,) or array.dtype.kind not in "iu" or not (array >= 1).all():
        raise ValueError(
            f"lengths must be an integer of at least 1, or {n_samples} of them, one for each code; "
            f"got {lengths!r}"
        )
    return array.astype(np.int64)
