"""Arrays of numbers as a dataset: any dtype, converted to tensors a chunk at a time."""

import copy
from math import prod

import numpy as np
import torch
from scipy import sparse
from torch.utils.data import Dataset

from skae._data.batches import along, chunks
from skae._data.frames import completed


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

    def to_array(self, output):
        """Return an array in the user's shape and type."""
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
        twin.frame = self.frame and self.frame._replace(index=None)
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

    #: What kind of input architectures know them as.
    kind = "arrays"
    #: What stands for a value of 1.
    scale = 1
    #: How much of a feature an element counts as.
    fraction = 1.0
    #: Numbers of steps, an array, where samples can differ in them.
    lengths = None
    #: Whether cells can be NaN, of which nothing is known.
    has_missing = False
    #: How the columns of a table lie in a tensor; None for other samples.
    column_layout = None
    #: How often a net uses each of its weights for a sample, None where that has to be measured.
    n_weight_uses = 1
    #: Whether it is the user alone who can scale the samples: scikit-learn has nothing for it.
    is_hard_to_scale = False

    def __init__(self, X, sample_weight=None, format=ArrayFormat()):  # noqa: B008 (not changed)
        self.X = X
        self.sample_weight = sample_weight
        self.format = format
        self.index = None

    def __len__(self):
        return self.X.shape[0] if self.index is None else len(self.index)

    @property
    def targets(self):
        """What a net is to make of them: the same."""
        return self

    @property
    def is_regular(self):
        """Whether all samples are complete and of one shape."""
        return True

    @property
    def sample_shape(self):
        """Shape of one sample."""
        return self.X.shape[1:]

    @property
    def step_width(self):
        """Number of values of a sample, of a sequence for one step."""
        return prod(self.sample_shape)

    def moments(self):
        """Return the `Moments` of the features of sequences; None for other samples."""

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
        return twin

    def weighted(self):
        """Return the positions of the rows that have weight, an int32 array."""
        if self.sample_weight is None:
            return np.arange(len(self), dtype=np.int32)
        weight = self.sample_weight if self.index is None else self.sample_weight[self.index]
        return np.flatnonzero(weight).astype(np.int32)

    def subsample(self, n_rows):
        """Return up to ``n_rows`` rows that have weight, evenly spread."""
        rows = self.weighted()
        n_rows = min(n_rows, len(rows))
        return self.select(rows[np.linspace(0, len(rows) - 1, n_rows).astype(int)])

    def range(self):
        """Return the smallest and the largest value."""
        if sparse.issparse(self.X):
            return self.X.min(), self.X.max()
        return np.min(self.X), np.max(self.X)

    def column_range(self):
        """Return the smallest and the largest value of each column, as float64 tensors."""
        ends = [(x.amin(0), x.amax(0)) for _, x, _, _ in chunks(self, torch.float64, "cpu")]
        low, high = (torch.stack(end) for end in zip(*ends, strict=True))
        return low.amin(0), high.amax(0)

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

    def explained(self, residual, total):
        """Return the explained fraction of the squares of all elements."""
        residual, total = residual.sum(), total.sum()
        if total == 0:
            return float(residual == 0)
        return float(1 - residual / total)

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
        """Read rows as a tensor.

        Parameters
        ----------
        which : slice or ndarray of int
        dtype : torch.dtype

        Returns
        -------
        x : tensor of shape (n_taken, n_features)
            Shares memory with ``X`` where that is possible; not to be written to.
        weight : tensor of shape (n_taken,) or None
        """
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

    @property
    def lengths(self):
        return None if self._targets is None else self._targets.lengths


def take_rows(X, which):
    """Return rows of a matrix, dense."""
    if sparse.issparse(X):
        return X[which].toarray()
    # np.take is several times faster than X[which] for an array of indices.
    return X[which] if isinstance(which, slice) else np.take(X, which, axis=0)


def as_tensor(array, dtype):
    """Return an array as a tensor of a precision, of the same memory where that is possible."""
    numpy_dtype = np.float32 if dtype == torch.float32 else np.float64
    with np.errstate(over="ignore"):  # infinity then makes the loss infinite, an error
        array = np.ascontiguousarray(array, dtype=numpy_dtype)
    # torch warns of arrays that it could not write to, such as memory maps.
    return torch.from_numpy(array if array.flags.writeable else array.copy())
