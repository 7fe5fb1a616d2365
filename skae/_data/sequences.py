"""Sequences of unequal lengths: lists of arrays, arrays padded with NaN, tables.

Whatever the user has, the steps of all sequences are the rows of one matrix, and a sequence
is a piece of it. A batch is padded with NaN, so that a net sees how long a sequence is and
which of its values are missing.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch.nn import functional as F

from skae._data.batches import along, chunks
from skae._data.checks import is_surely_finite
from skae._data.cost import cost_of_weights
from skae._data.dataset import (
    ArrayDataset,
    ArrayFormat,
    CodeDataset,
    as_tensor,
    samples_at_once,
    take_rows,
)
from skae._data.given import as_data
from skae.exceptions import DataWarning, warn

#: Standard deviation that rounding can leave to a constant feature, as a fraction of its mean.
ROUNDING = 1e-6

#: Values of a step that a chunk has room for at least, its hidden states.
MIN_STEP_WIDTH = 16
#: Batches from which samples of about the same length are put together.
POOL = 64

#: The most steps that can be asked for.
MAX_LENGTH = 2**31


class Moments(NamedTuple):
    """Means and deviations of sequences, float64 tensors.

    The standard deviation of constant features is exactly 0.
    """

    mean: torch.Tensor  # (n_features,)
    std: torch.Tensor  # (n_features,)
    step_mean: torch.Tensor  # (n_steps, n_features)


class SequenceFormat(ArrayFormat):
    """What it takes to make sequences as the user's from a net's output.

    Parameters
    ----------
    form : {"list", "array", "table"}
        A list of sequences, an array with three axes, or one with two, of one feature.
    n_features : int
    extents : ndarray of int, shape (n_samples,)
        Number of steps that each sequence has room for.
    channels_first : bool, default=False
        As for `SequenceReader`.
    is_flat : bool, default=False
        Whether the sequences of a list have one axis, time.
    frame : FrameFormat or None, default=None
        If a table is a DataFrame.
    frames : list of FrameFormat or None, default=None
        If the sequences of a list are DataFrames.
    names : list or None, default=None
        The columns of the DataFrames.
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
        names=None,
    ):
        super().__init__(frame)
        self.form = form
        self.n_features = n_features
        self.extents = extents
        self.channels_first = channels_first
        self.is_flat = is_flat
        self.frames = frames
        self.names = names

    def to_user_axes(self, output):
        if self.form == "list":
            pieces = np.split(output, np.cumsum(self.extents)[:-1])
            return [self.sample_to_user_axes(piece) for piece in pieces]
        n_steps = self.extents[0] if len(self.extents) else 0
        if self.form == "table":
            return output.reshape(-1, n_steps)
        output = output.reshape(-1, n_steps, self.n_features)
        return np.ascontiguousarray(np.moveaxis(output, 2, 1)) if self.channels_first else output

    def sample_to_user_axes(self, output):
        if self.form != "list":
            n_behind = max(0, self.extents[0] - len(output))
            output = np.pad(output, ((0, n_behind), (0, 0)))
        if self.form == "table" or self.is_flat:
            return output[:, 0]
        return np.ascontiguousarray(output.T) if self.channels_first else output

    def to_array(self, output, rng=None):
        del rng
        return self.to_user_axes(output)

    def in_frame(self, array):
        if self.frames is not None:
            pairs = zip(self.frames, array, strict=True)
            return [
                sequence if frame is None else frame.make(sequence) for frame, sequence in pairs
            ]
        fits = self.frame is not None and array.shape[1] == len(self.frame.columns)
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
        targets = SequenceDataset(steps, starts, lengths, twin)
        return CodeDataset(codes, twin, targets.sample_shape, targets)


class SequenceDataset(ArrayDataset):
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
    has_missing = True
    can_drop_columns = False
    why_not_stackable = "its samples are sequences"

    def __init__(self, steps, starts, lengths, format, sample_weight=None):
        super().__init__(steps, sample_weight, format)
        self._starts = starts
        self._lengths = lengths
        self._has_holes = not is_surely_finite(steps) and bool(np.isnan(steps).any())

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
        return np.fmin.reduce(self.X, axis=None), np.fmax.reduce(self.X, axis=None)

    def warn_of_columns(self, X, name):
        super().warn_of_columns(X, name)
        if not self._has_holes:
            return
        empty = np.flatnonzero(np.isnan(self.X).all(0)).tolist()
        if empty:
            warn(
                f"Features {empty} hold nothing but missing values, so {name} cannot learn what "
                "belongs there: reconstruct and impute make about 0 of them. Drop them, or fit on "
                "sequences that have such values.",
                DataWarning,
            )

    def _where(self, row, place):
        step, feature = place
        return f"{self.name}[{row}], feature {feature} of step {step}"

    def column_range(self):
        ends = (end.reduce(self.X, axis=0).astype(np.float64) for end in (np.fmin, np.fmax))
        return tuple(torch.from_numpy(end).nan_to_num(0.0) for end in ends)

    def mean(self):
        """Return the weighted mean of each step and feature, as a float64 tensor."""
        sums = torch.zeros(self.sample_shape, dtype=torch.float64)
        counts = torch.zeros_like(sums)
        for _, x, _, weight in chunks(self, torch.float64, "cpu"):
            weight = 1.0 if weight is None else along(weight, x)
            sums[: x.shape[1]] += (weight * x).nansum(0)
            counts[: x.shape[1]] += (weight * ~x.isnan()).sum(0)
        mean = sums / counts
        # Where nothing is known of a step, it is as the others are.
        return torch.where(counts > 0, mean, self.center) if (counts == 0).any() else mean

    @property
    def center(self):
        return self._mean_of_steps(lambda x: x).nan_to_num(0.0)

    def moments(self):
        """Return the `Moments` of the features."""
        mean = self.center
        variance = self._mean_of_steps(lambda x: (x - mean).square()).nan_to_num(0.0)
        std = variance.sqrt()
        least = (ROUNDING * mean.abs()).clamp_min(torch.finfo(torch.float32).tiny)
        std = torch.where(std > least, std, 0.0)
        return Moments(mean, std, self.mean())

    def _mean_of_steps(self, function):
        """Return the weighted mean of a function of the values for each feature."""
        sums = counts = 0.0
        for _, x, _, weight in chunks(self, torch.float64, "cpu"):
            weight = 1.0 if weight is None else along(weight, x)
            sums = sums + (weight * function(x)).nansum((0, 1))
            counts = counts + (weight * ~x.isnan()).sum((0, 1))
        return sums / counts

    def filled(self, x):
        mean = self.mean().to(x)
        x = F.pad(x, (0, 0, 0, len(mean) - x.shape[1]), value=torch.nan)
        return torch.where(x.isnan(), mean, x)

    def with_values(self, x):
        n_samples, n_steps, n_features = x.shape
        lengths = np.full(n_samples, n_steps)
        format = SequenceFormat("array", n_features, lengths)
        starts = np.arange(n_samples) * n_steps
        return SequenceDataset(x.reshape(-1, n_features), starts, lengths, format)

    @property
    def _extents(self):
        """How many steps of an output each sequence has."""
        return self.format.extents if self.index is None else self.lengths

    def new_output(self, dtype):
        return np.full((int(self._extents.sum()), self.X.shape[1]), np.nan, dtype)

    def write(self, output, which, values):
        starts = (np.cumsum(self._extents) - self._extents)[which]
        is_step = _is_step(self.lengths[which], values.shape[1])
        places = starts[:, None] + np.arange(values.shape[1])
        output[places[is_step]] = values[is_step]

    def batches(self, size, generator):
        """Yield batches of samples of about the same length, so that little is padding.

        The last batch may be smaller. It holds samples of any length: the longest ones would
        otherwise always be in it, and weigh more.
        """
        if not self.has_unequal_lengths:
            yield from super().batches(size, generator)
            return
        order, lengths = self.new_order(generator), self.lengths
        order, rest = np.split(order, [len(order) // size * size])
        for start in range(0, len(order), POOL * size):
            pool = order[start : start + POOL * size]
            batches = pool[np.argsort(lengths[pool], kind="stable")].reshape(-1, size)
            for i in torch.randperm(len(batches), generator=generator).tolist():
                yield batches[i], size
        if len(rest):
            yield rest, size

    def spans(self):
        """Yield which samples to read at once in inference, the longest first."""
        if not self.has_unequal_lengths:
            yield from super().spans()
            return
        lengths, start = self.lengths, 0
        order = np.argsort(-lengths, kind="stable")
        while start < len(order):
            n_at_once = self._n_at_once(int(lengths[order[start]]))
            yield order[start : start + n_at_once]
            start += n_at_once

    @property
    def chunk_length(self):
        return self._n_at_once(self.sample_shape[0])

    def _n_at_once(self, n_steps):
        return samples_at_once((n_steps, max(self.X.shape[1], MIN_STEP_WIDTH)))

    @property
    def has_unequal_lengths(self):
        """Whether some sequences are longer than others."""
        lengths = self.lengths
        return lengths.min() < lengths.max()

    def cost(self, parts):
        n_steps, n_features = self.sample_shape
        return cost_of_weights(parts, n_steps, n_features)

    def get_batch(self, which, dtype):
        """Read sequences as a tensor of shape (n_taken, n_steps, n_features), and their weights.

        There are as many steps as the longest of them has; NaN is behind the end of others.
        """
        if self.index is not None:
            which = self.index[which]
        starts, lengths = self._starts[which], self._lengths[which]
        longest = lengths.max(initial=1)
        places = np.minimum(starts[:, None] + np.arange(longest), len(self.X) - 1)
        x = as_tensor(take_rows(self.X, places.ravel()), dtype).view(*places.shape, -1)
        if lengths.min(initial=longest) < longest:
            x[torch.from_numpy(~_is_step(lengths, longest))] = torch.nan
        return x, self._get_weight(which, dtype)


def _is_step(lengths, n_steps):
    """Return which steps are before the end, a boolean array (n_samples, n_steps)."""
    return np.arange(n_steps) < lengths[:, None]


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
    try:
        array = np.asarray(as_data(lengths, "lengths"))
        array = np.full(n_samples, array) if array.ndim == 0 else array
        is_right = array.shape == (n_samples,) and array.dtype.kind in "iu"
    except (ValueError, TypeError):  # lists of different lengths, or no numbers
        is_right = False
    if not is_right or not ((array >= 1) & (array <= MAX_LENGTH)).all():
        raise ValueError(
            f"lengths must be an integer of at least 1, or {n_samples} of them, one for each code; "
            f"got {lengths!r}"
        )
    return array.astype(np.int64)
