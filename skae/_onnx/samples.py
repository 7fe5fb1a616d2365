"""Samples as the user has them, as tensors for a net, and back: in torch, for graphs. torch only.

Datasets do the same with NumPy. In a graph there are no DataFrames and lists: sequences are an
array padded with NaN, and the cells of a table are numbers.
"""

import numpy as np
import torch
from scipy import sparse
from torch import nn
from torch.nn import functional as F

from skae._onnx.table_cells import CodesOfElements, Elements, cells_of_codes
from skae._onnx.table_coding import METADATA_KEY, coding_as_json, table_codes


class Rows(nn.Module):
    """Rows of numbers.

    Parameters
    ----------
    reader : SampleReader
        That of a fitted estimator.
    precision : torch.dtype
        That of the net.
    """

    #: By axis of the array, the names of the axes that can have any length.
    axes = {0: "n_samples"}

    def __init__(self, reader, precision):
        super().__init__()
        self.precision, self.sample_shape = precision, tuple(reader.sample_shape)

    def example(self, n_samples):
        """Return samples that a graph can be traced with."""
        return torch.zeros(n_samples, *self.sample_shape, dtype=self.precision)

    def forward(self, X):
        """Return the samples as a net gets them."""
        return X.to(self.precision)

    def for_new_rows(self):
        """Return what makes samples that the user did not give."""
        return self

    def restore(self, output):
        """Return an output of the net with the axes and the type that samples have."""
        return output

    def to_array(self, X, dataset):
        """Return samples as the array that a graph takes."""
        del X
        rows = dataset.X.toarray() if sparse.issparse(dataset.X) else dataset.X
        return rows.astype(_numpy(self.precision), copy=False)

    def facts(self):
        """Return what is to know of the samples beside their shape, by name, as text."""
        return {}


class Images(Rows):
    """Images or signals; parameters as for `Rows`. Unsigned integers stand for 0 to 1."""

    def __init__(self, reader, precision):
        super().__init__(reader, precision)
        self.format = reader.format
        self.dtype = precision
        if self.format.dtype is not None:
            self.dtype = torch.from_numpy(np.zeros(1, self.format.dtype)).dtype

    def example(self, n_samples):
        return torch.zeros(n_samples, *self.format.shape, dtype=self.dtype)

    def forward(self, X):
        images = self.format.to_tensor(X.to(self.precision).flatten(1))
        return images if self.format.scale == 1 else images / self.format.scale

    def restore(self, output):
        if self.format.dtype is not None:
            output = output.double() if self.format.dtype.itemsize > 2 else output
            output = (output * self.format.scale).round().clamp(0, self.format.scale)
            output = output.to(self.dtype)
        if self.format.channel_axis is not None:
            output = output.movedim(1, self.format.channel_axis + 1)
        return output.reshape(-1, *self.format.shape)

    def to_array(self, X, dataset):
        del X
        images = dataset.X.toarray() if sparse.issparse(dataset.X) else dataset.X
        if dataset.scale != self.format.scale:
            images = images / dataset.scale * self.format.scale
            images = images if self.format.dtype is None else np.rint(images)
        return images.reshape(-1, *self.format.shape).astype(_numpy(self.dtype), copy=False)


class Sequences(Rows):
    """Sequences, padded with NaN to the length of the longest; parameters as for `Rows`."""

    #: Steps of the example beyond the longest sequence in training, so that no length is special.
    n_more = 2

    def __init__(self, reader, precision):
        super().__init__(reader, precision)
        format = reader.format
        self.is_flat = format.is_flat or format.form == "table"
        self.channels_first = format.channels_first and not self.is_flat
        self.axes = Rows.axes | {2 if self.channels_first else 1: "n_steps"}

    def example(self, n_samples):
        longest, n_features = self.sample_shape
        shape = n_samples, longest + self.n_more, n_features
        return self._in_user_axes(torch.zeros(shape, dtype=self.precision))

    def fix_length(self):
        """Let all sequences be padded to the length of the longest in training."""
        self.axes, self.n_more = Rows.axes, 0

    def forward(self, X):
        X = X.to(self.precision)
        X = X[..., None] if self.is_flat else X
        return X.movedim(1, 2) if self.channels_first else X

    def restore(self, output):
        return self._in_user_axes(output)

    def _in_user_axes(self, steps):
        if self.is_flat:
            return steps[..., 0]
        return steps.movedim(1, 2) if self.channels_first else steps

    def to_array(self, X, dataset):
        precision = torch.float32 if self.precision == torch.float32 else torch.float64
        steps, _ = dataset.get_batch(slice(None), precision)
        n_steps = max(dataset.format.extents.max(), 0 if self.n_more else self.sample_shape[0])
        steps = F.pad(steps, (0, 0, 0, int(n_steps) - steps.shape[1]), value=torch.nan)
        return self._in_user_axes(steps).numpy()


class Cells(Rows):
    """Tables, coded as numbers as `skae._onnx.table_coding` says; parameters as for `Rows`."""

    def __init__(self, reader, precision, are_new=False):
        super().__init__(reader, precision)
        self.reader, format = reader, reader.format
        self.table = format.columns
        self.read = nn.Sequential(cells_of_codes(self.table.columns), Elements(format))
        self.codes_of = CodesOfElements(format, are_new)

    def example(self, n_samples):
        return torch.zeros(n_samples, len(self.table.columns), dtype=torch.float64)

    def forward(self, X):
        return self.read(X.double()).to(self.precision)

    def for_new_rows(self):
        return Cells(self.reader, self.precision, are_new=True)

    def restore(self, output):
        return self.codes_of(output)

    def to_array(self, X, dataset):
        del dataset
        return table_codes(self.table, X)

    def facts(self):
        return {METADATA_KEY: coding_as_json(self.table)}


class CodedRows(Cells):
    """Coded tables for what reads the codes itself; parameters as for `Rows`."""

    def forward(self, X):
        return X.double()


class Unread(nn.Module):
    """Samples that are as the user has them.

    Parameters
    ----------
    samples : Rows or the like
        Knows what they look like.
    """

    def __init__(self, samples):
        super().__init__()
        self.samples = samples

    @property
    def axes(self):
        """As of `Rows`."""
        return self.samples.axes

    def example(self, n_samples):
        """Return samples that a graph can be traced with."""
        return self.samples.example(n_samples)

    def to_array(self, X, dataset):
        """Return samples as the array that a graph takes."""
        return self.samples.to_array(X, dataset)

    def facts(self):
        """Return what is to know of the samples beside their shape, by name, as text."""
        return self.samples.facts()

    def fix_length(self):
        """Let all sequences be padded to the length of the longest in training."""
        self.samples.fix_length()

    def forward(self, X):
        return X


class Codes(nn.Module):
    """Codes of a net.

    Parameters
    ----------
    n_components : int
    precision : torch.dtype
    """

    axes = Rows.axes

    def __init__(self, n_components, precision):
        super().__init__()
        self.n_components, self.precision = n_components, precision

    def example(self, n_samples):
        """Return codes that a graph can be traced with."""
        return torch.zeros(n_samples, self.n_components, dtype=self.precision)

    def forward(self, X):
        """Return the codes in the precision of the net."""
        return X.to(self.precision)

    def facts(self):
        """Return nothing, as the shape says it all."""
        return {}


def _numpy(dtype):
    """Return NumPy's name of a dtype of torch."""
    return str(dtype).removeprefix("torch.")
