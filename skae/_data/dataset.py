"""Samples as datasets: of any dtype, converted to tensors a chunk at a time."""

import copy
from dataclasses import replace
from math import prod
from typing import NamedTuple

import numpy as np
import torch
from scipy import sparse
from torch.utils import data

from skae._data.batches import (
    CHUNK_ELEMENTS,
    MAX_CHUNK_ELEMENTS,
    MAX_CHUNK_SAMPLES,
    Batches,
    along,
    chunks,
)
from skae._data.cost import cost_of_weights
from skae._data.extent import Extent
from skae._data.frames import completed
from skae._data.neighbors import NeighborBatches
from skae._data.precision import warn_of_lost_digits

#: Deviation that rounding leaves of constants, as a fraction of them.
ROUNDING = {torch.float32: 4 * torch.finfo(torch.float32).eps, torch.float64: 1e-12}

#: Deviation of a constant that a net has restored, as a fraction of it: nets are in float32.
RESTORED = 1e-5


class Largest(NamedTuple):
    """The largest absolute value of samples, and where it is, in words."""

    size: float
    where: str = ""


class ArrayFormat:
    """What it takes to make rows as the user's from a net's output.

    Parameters
    ----------
    frame : FrameFormat or None, default=None
        If they are a DataFrame.
    """

    def __init__(self, frame=None):
        self.frame = frame

    def to_user_axes(self, output):
        """Return an array of shape (n_samples, ...) with its axes as the user has them."""
        return output

    def to_array(self, output, rng=None):
        """Return an array in the user's shape and type.

        Parameters
        ----------
        output : ndarray
        rng : RandomState or None, default=None
            Draws what the net leaves open. None takes what is most probable.
        """
        del rng
        return output

    def sample_to_user_axes(self, output):
        """Return one sample with its axes as the user has them."""
        return self.to_user_axes(output[None])[0]

    def in_frame(self, array):
        """Return an array of rows as a DataFrame, if that is what the user has."""
        return self.frame.make(array) if self.frame else array

    def complete(self, X, restored):
        """Return samples as the user gave them, with what is missing taken from others."""
        return completed(X, restored)

    def for_new_rows(self):
        """Return the format of rows that the user did not give."""
        twin = copy.copy(self)
        twin.frame = self.frame and replace(self.frame, index=None)
        return twin

    def how_to_scale(self, name):
        """Say how values can be brought into the range from 0 to 1."""
        del name
        return "with MinMaxScaler(clip=True)"

    def codes(self, codes, sample_shape, lengths=None):
        """Return codes as samples to decode.

        Parameters
        ----------
        codes : ndarray or CSR matrix of shape (n_samples, n_components)
        sample_shape : tuple of int
            Shape of what the net makes of one.
        lengths : ndarray of int, shape (n_samples,) or None, default=None
            For sequences the numbers of steps; for others None.

        Returns
        -------
        CodeDataset
        """
        del lengths
        return CodeDataset(codes, self, sample_shape)


class Dataset(data.Dataset):
    """Samples of one kind, read as tensors.

    A subclass has ``__len__``, ``get_batch``, ``select`` and ``sample_shape``. It overrides what
    else is different in its kind of samples.
    """

    #: What messages call the kind of samples, and what is read.
    kind, name = None, "X"
    #: The reader that has learned from them, None if there is none.
    reader = None
    #: Precision of the results.
    dtype = torch.float32
    #: Weights of the samples, of mean 1.
    sample_weight = None
    #: `Labels` of the samples, where a net learns them.
    labels = None
    #: How many numbers stand for the condition of a sample, 0 where there is none.
    n_conditions = 0
    #: What stands for a value of 1.
    scale = 1
    #: How much of a feature an element counts as.
    fraction = 1.0
    #: Numbers of steps or tokens, an array, where samples can differ in them.
    lengths = None
    #: Whether cells can be NaN, of which nothing is known.
    has_missing = False
    #: How the columns of a table lie in a tensor, a `ColumnLayout`; None for other samples.
    column_layout = None
    #: How much larger samples are than those of the training.
    relative_size = 1.0
    #: Whether samples are images or signals, whose neighboring values belong together.
    is_spatial = False
    #: Whether a net can be trained on some of the columns.
    can_drop_columns = False
    #: Whether samples are sequences, some longer than others.
    has_unequal_lengths = False
    #: Why nets cannot train as one on such samples; None if they can.
    why_not_stackable = None
    #: Neighbors of each sample, an array of their positions, where training is by pairs of them.
    neighbors = None
    #: What a bar counts while a net is trained on them, if an epoch may take long: None is epochs.
    unit_of_progress = None
    #: How many samples there are to train on, if these are only some of them.
    _n_in_training = None

    @property
    def targets(self):
        """What a net is to make of them: the same."""
        return self

    @property
    def n_in_training(self):
        """How many samples there are to train on: these, unless they are a part of more."""
        return len(self) if self._n_in_training is None else self._n_in_training

    def part_of(self, n_samples):
        """Return the same samples as a part of so many to train on."""
        twin = copy.copy(self)
        twin._n_in_training = n_samples
        return twin

    def get_batch(self, which, dtype):
        """Read samples as a tensor.

        Parameters
        ----------
        which : slice or ndarray of int
        dtype : torch.dtype

        Returns
        -------
        x : tensor of shape (n_taken, ...)
            May share memory with the data; not to be written to.
        weight : tensor of shape (n_taken,) or None
        """
        raise NotImplementedError

    def weighted(self):
        """Return the positions of the samples that have weight, an int32 array."""
        if self.sample_weight is None:
            return np.arange(len(self), dtype=np.int32)
        return np.flatnonzero(self.sample_weight).astype(np.int32)

    def subsample(self, n_samples):
        """Return up to ``n_samples`` that have weight, evenly spread."""
        which = self.weighted()
        n_samples = min(n_samples, len(which))
        return self.select(which[np.linspace(0, len(which) - 1, n_samples).astype(int)])

    def range(self):
        """Return the smallest and the largest value, or None if there is no common unit."""
        return

    def moments(self):
        """Return the `Moments` that nets standardize the samples by, or None if they do not."""
        return

    def called(self, name):
        """Return the same samples under another name."""
        twin = copy.copy(self)
        twin.name = name
        return twin

    def with_neighbors(self, neighbors):
        """Return the same samples with what ``nearest_neighbors`` has found of each."""
        twin = copy.copy(self)
        twin.neighbors = neighbors
        twin.why_not_stackable = "its batches are pairs of neighbors"
        return twin

    def labeled(self, labels):
        """Return the same samples with `Labels`."""
        twin = copy.copy(self)
        twin.labels = labels
        return twin

    def conditioned(self, conditions):
        """Return the same samples with `Conditions` in the place of labels, if there are some."""
        if conditions is None:
            return self
        twin = self.labeled(conditions.for_samples(len(self)))
        twin.n_conditions = conditions.width
        return twin

    def get_labels(self, which):
        """Return the labels of some samples as a tensor, or None if there are none."""
        return None if self.labels is None else self.labels.get_batch(which)

    def bound(self, function, which):
        """Return a function of a module and samples with the module given their conditions.

        Parameters
        ----------
        function : callable
            Takes a module, samples and targets.
        which : slice or ndarray of int
            The samples that it will be called with.
        """
        if not self.n_conditions:
            return function
        conditions = self.get_labels(which)
        others = conditions if self.labels.to is None else self.labels.to.get_batch(which)

        def of_given(module, x, target):
            return function(module.given(conditions.to(x), others.to(x)), x, target)

        return of_given

    def in_training(self):
        """Return the samples as training takes them."""
        return self

    def new_results(self, some, dtype):
        """Return what holds results for all samples, of which an array has some."""
        return np.empty((len(self), *some.shape[1:]), dtype)

    def largest(self):
        """Return the `Largest` value, or None if there is no common unit."""
        return

    def warn_of_columns(self, X, name):
        """Warn of columns that are lost to a net that is trained on them.

        Parameters
        ----------
        X : object
            The samples as the user gave them.
        name : str
            Of the estimator.
        """

    def extent(self):
        """Return the `Extent` of the values, or None if none is far from others."""
        return

    def far_columns(self, extent):
        """Return which columns hold values far beyond those of an extent."""
        del extent
        return ()

    def warn_if_unscaled(self, name):
        """Warn if an estimator of a name learns poorly from values on their scale."""

    # Batches.

    def training_batches(self, batch_size, device, generator):
        """Return the `Batches` of training, in a new order at each pass."""
        how = self, batch_size, device, generator
        return Batches(*how) if self.neighbors is None else NeighborBatches(self.neighbors, *how)

    def n_batches(self, size):
        """Return the number of batches of a size."""
        return -(-len(self) // size)

    def batches(self, size, generator):
        """Yield which samples to read at once in training, and the size of batches to cut them to.

        Parameters
        ----------
        size : int
            Of a batch.
        generator : torch.Generator
            Source of the order.
        """
        order = self.new_order(generator)
        n_at_once = size * max(1, CHUNK_ELEMENTS // (size * prod(self.sample_shape)))
        yield from ((order[i : i + n_at_once], size) for i in range(0, len(order), n_at_once))

    def new_order(self, generator):
        """Draw an order of all samples, an array of int."""
        dtype = torch.int32 if len(self) < 2**31 else torch.int64
        return torch.randperm(len(self), generator=generator, dtype=dtype).numpy()

    def spans(self):
        """Yield which samples to read at once in inference, slices or arrays of indices."""
        n_at_once = self.chunk_length
        for start in range(0, len(self), n_at_once):
            yield slice(start, min(start + n_at_once, len(self)))

    @property
    def chunk_length(self):
        """How many samples pass through a net at once in inference."""
        return samples_at_once(self.sample_shape)

    def cost(self, parts):
        """Return what the parts of a module, one behind the other, take for one sample.

        Parameters
        ----------
        parts : sequence of nn.Module
            They may be set to evaluation mode.

        Returns
        -------
        Cost
        """
        return cost_of_weights(parts, 1, prod(self.sample_shape))


def samples_at_once(shape):
    """Return how many samples of a shape to pass through a net at once in inference."""
    n_elements = prod(shape)
    # One image is work enough, and its feature maps take many times its own memory.
    fewest = 256 if len(shape) == 1 else 1
    many = min(max(CHUNK_ELEMENTS // n_elements, fewest), MAX_CHUNK_SAMPLES)
    return max(1, min(many, MAX_CHUNK_ELEMENTS // n_elements))


class ArrayDataset(Dataset):
    """Rows of a validated matrix, read as tensors without a second copy of the whole.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n_samples, n_features)
    sample_weight : ndarray of shape (n_samples,) or None, default=None
        Weights, of mean 1.
    format : ArrayFormat, default=ArrayFormat()
        How the user has them.

    Attributes
    ----------
    index : ndarray of int or None
        Which rows of ``X`` these are; all of them if None.
    """

    kind = "arrays"
    can_drop_columns = True

    def __init__(self, X, sample_weight=None, format=ArrayFormat()):  # noqa: B008 (not changed)
        self.X = X
        self.sample_weight = sample_weight
        self.format = format
        self.index = None

    def __len__(self):
        return self.X.shape[0] if self.index is None else len(self.index)

    @property
    def is_regular(self):
        """Whether all samples are complete and of one shape."""
        return True

    @property
    def sample_shape(self):
        """Shape of one sample."""
        return self.X.shape[1:]

    @property
    def dtype(self):
        """Precision of the results: float32 for float32 input, else float64."""
        return torch.float32 if self.X.dtype == np.float32 else torch.float64

    def select(self, index):
        """Return some of the rows. They share the matrix; their weights get a mean of 1 again."""
        twin = copy.copy(self)
        twin.index = index if self.index is None else self.index[index]
        if self.sample_weight is not None:
            twin.sample_weight = self.sample_weight / self.sample_weight[twin.index].mean()
        if self.labels is not None:
            twin.labels = self.labels.select(index)
        return twin

    def weighted(self):
        if self.sample_weight is None or self.index is None:
            return super().weighted()
        return np.flatnonzero(self.sample_weight[self.index]).astype(np.int32)

    def range(self):
        if sparse.issparse(self.X):
            return self.X.min(), self.X.max()
        return np.min(self.X), np.max(self.X)

    def warn_of_columns(self, X, name):
        del name
        warn_of_lost_digits(X, self.X, self.name)

    def extent(self):
        return Extent.of(self.X)

    def far_columns(self, extent):
        return extent.far_columns(self.X)

    def column_range(self):
        """Return the smallest and the largest value of each column, as float64 tensors."""
        ends = [(x.amin(0), x.amax(0)) for _, x, _, _ in chunks(self, torch.float64, "cpu")]
        low, high = (torch.stack(end) for end in zip(*ends, strict=True))
        return low.amin(0), high.amax(0)

    def largest(self):
        found = Largest(-1.0)
        for which, x, _, _ in chunks(self, torch.float64, "cpu"):
            sizes = x.abs().nan_to_num(0.0).flatten(1)
            size, place = sizes.flatten().max(0)
            if size > found.size:
                sample, element = divmod(int(place), sizes.shape[1])
                where = self._where(
                    self._row(which, sample), np.unravel_index(element, x.shape[1:])
                )
                found = Largest(float(size), where)
        return found

    def _row(self, which, i):
        """Return the position of a sample in what the user gave, for one of a chunk."""
        i = which.start + i if isinstance(which, slice) else int(which[i])
        return i if self.index is None else int(self.index[i])

    def _where(self, row, place):
        """Say where an element of a sample is, by its place in a tensor."""
        return f"{self.column_name(place[0])} of row {row} of {self.name}"

    def column_name(self, i):
        """Return what messages call a column of rows of numbers."""
        frame = self.format.frame
        return f"column {int(i) if frame is None else repr(frame.columns[i])}"

    def factor_to_1(self):
        """Return a power of 2 that brings the largest value about to 1, or 1 if all are 0."""
        ends = self.range()
        exponent = 0 if ends is None else int(np.frexp(np.abs(np.float64(ends)).max())[1])
        return float(np.ldexp(1.0, np.clip(-exponent, -1000, 1000)))

    def scaled(self, factor):
        """Return samples whose values are multiplied by a factor."""
        twin = copy.copy(self)
        twin.X = self.X.astype(np.float64) * factor
        return twin

    def mean(self):
        """Return the weighted mean of the samples, as a float64 tensor."""
        sums = 0.0
        for _, x, _, weight in chunks(self, torch.float64, "cpu"):
            sums = sums + (x if weight is None else x * along(weight, x)).sum(0)
        return sums / len(self)

    @property
    def center(self):
        """Mean that can be subtracted from any sample, as a float64 tensor."""
        return self.mean()

    def without_rounding(self, residual, total, mean):
        """Return sums of squares of each element, 0 for constants that rounding makes vary.

        Parameters
        ----------
        residual, total, mean : ndarray of the shape of a sample
        """
        square = self.n_of_each * np.square(mean)
        is_constant = total <= square * ROUNDING[self.dtype] ** 2
        is_restored = is_constant & (residual <= square * RESTORED**2)
        return np.where(is_restored, 0.0, residual), np.where(is_constant, 0.0, total)

    @property
    def n_of_each(self):
        """How many values a mean is that of."""
        return len(self)

    def folded(self, squares):
        """Return sums of squares of each value in the shape of the mean."""
        return squares

    def explained(self, residual, total):
        """Return the explained fraction of the squares of all elements."""
        residual, total = residual.sum(), total.sum()
        if total == 0:
            return float(residual == 0)
        return float(max(1 - residual / total, -np.finfo(np.float64).max))

    def filled(self, x):
        """Return a tensor of some of the samples as one of full shape without NaN."""
        return x

    def with_values(self, x):
        """Return samples like these with other values, an array (n_samples, *sample_shape)."""
        return ArrayDataset(x)

    def new_output(self, dtype):
        """Return an array for what a net makes of all samples, values of their shape."""
        return np.empty((len(self), *self.sample_shape), dtype)

    def write(self, output, which, values):
        """Write what a net makes of some samples to such an array."""
        output[which] = values

    def get_batch(self, which, dtype):
        if self.index is not None:
            which = self.index[which]
        return as_tensor(take_rows(self.X, which), dtype), self._get_weight(which, dtype)

    def _get_weight(self, which, dtype):
        if self.sample_weight is None:
            return None
        return torch.from_numpy(self.sample_weight[which]).to(dtype)


class CodeDataset(ArrayDataset):
    """Codes, to be decoded in chunks of as many as samples of their kind.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n_samples, n_components)
    format : ArrayFormat
        Of what they decode to.
    sample_shape : tuple of int
        Shape of what one decodes to.
    targets : ArrayDataset or None, default=None
        What the decoder gets beside the codes.
    """

    sample_shape = None  # not a property: set below

    def __init__(self, X, format, sample_shape, targets=None):
        super().__init__(X, format=format)
        self.sample_shape = sample_shape
        self._targets = targets

    @property
    def targets(self):
        return self if self._targets is None else self._targets

    def spans(self):
        return super().spans() if self._targets is None else self._targets.spans()

    @property
    def chunk_length(self):
        return super().chunk_length if self._targets is None else self._targets.chunk_length


def take_rows(X, which):
    """Return rows of a matrix, dense."""
    if sparse.issparse(X):
        return X[which].toarray()
    if isinstance(which, slice):
        return X[which]
    # np.take is several times faster than X[which], but copies all of X if that is not in C order.
    if X.flags.c_contiguous:
        return np.take(X, which, axis=0)
    return np.take(X.T, which, axis=-1).T if X.flags.f_contiguous else X[which]


def as_tensor(array, dtype):
    """Return an array as a tensor of a precision, of the same memory where that is possible."""
    numpy_dtype = np.float32 if dtype == torch.float32 else np.float64
    with np.errstate(over="ignore"):  # infinity then makes the loss infinite, an error
        array = np.ascontiguousarray(array, dtype=numpy_dtype)
    # torch warns of arrays that it could not write to, such as memory maps.
    return torch.from_numpy(array if array.flags.writeable else array.copy())
