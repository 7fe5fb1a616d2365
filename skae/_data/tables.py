"""Tables of numbers, categories and dates, with missing cells, as tensors."""

import copy
from dataclasses import dataclass, replace
from typing import ClassVar

import narwhals as nw
import numpy as np
import torch

from skae._data.arrays import remedies
from skae._data.batches import along, chunks
from skae._data.checks import UNEQUAL_LENGTHS, as_array, as_numbers, read_weights
from skae._data.column_layout import ColumnLayout
from skae._data.columns import TableColumns
from skae._data.dataset import RESTORED, ArrayDataset, ArrayFormat, take_rows
from skae._data.extent import CellExtent
from skae._data.frames import FrameFormat, aligned, as_table, narwhals_frame
from skae._data.given import refuse_series
from skae._data.precision import warn_of_lost_digits
from skae._data.reader import SampleReader
from skae.exceptions import DataWarning, warn


class TableFormat(ArrayFormat):
    """What it takes to make tables as the user's from a net's output.

    Parameters
    ----------
    columns : TableColumns
    frame : FrameFormat or None
        Of the user's table, with the columns that the net has.
    are_means : bool, default=False
        Whether the numbers that the net makes are means of what they can be.

    Attributes
    ----------
    column_layout : ColumnLayout
        How the columns lie in a tensor.
    order : ndarray of int
        Which column is where in it: numbers are first.
    are_new : bool
        Whether the rows are none that the user gave.
    """

    are_new = False

    def __init__(self, columns, frame, are_means=False):
        super().__init__(frame)
        self.columns, self.are_means = columns, are_means
        self.order = np.argsort(columns.is_category, kind="stable")
        n_numbers = int((~columns.is_category).sum())
        widths = np.array(columns.widths)[self.order[n_numbers:]]
        self.column_layout = ColumnLayout(n_numbers, tuple(widths.tolist()))

    def to_user_axes(self, output):
        """Return the sums over the elements of each column."""
        sums = np.add.reduceat(output, self.column_layout.starts.numpy(), axis=1)
        arranged = np.empty_like(sums)
        arranged[:, self.order] = sums
        return arranged

    def for_new_rows(self):
        twin = super().for_new_rows()
        twin.are_new = True
        return twin

    def to_array(self, output, rng=None):
        """Return numbers and most probable categories as a table like the user's."""
        index = None if self.frame is None else self.frame.index
        cells = np.empty((len(output), len(self.order)))
        pieces = np.split(output, self.column_layout.starts.numpy()[1:], axis=1)
        for column, piece in zip(self.order, pieces, strict=True):
            is_category = self.columns.columns[column].is_category
            cells[:, column] = _most_probable(piece) if is_category else piece[:, 0]
        how = {"rng": rng, "are_new": self.are_new, "are_means": self.are_means}
        return self.columns.restore(cells, index, output.dtype, **how)

    def in_frame(self, array):
        return super().in_frame(array) if isinstance(array, np.ndarray) else array

    def complete(self, X, restored):
        frame = narwhals_frame(X)
        X = X if frame is None else aligned(frame, self.columns.names)
        return super().complete(X, restored)


def _most_probable(piece):
    """Return the number of the most probable category in each row, NaN where it is missing."""
    return np.where(np.isnan(piece[:, 0]), np.nan, piece.argmax(1))


@dataclass(frozen=True)
class TableReader(SampleReader):
    """Reads tables of numbers, categories and dates.

    Parameters
    ----------
    categorical_features, max_categories, clip_to_range
        As for `skae.architectures.Tabular`.
    are_means : bool, default=False
        As for `TableFormat`.
    """

    categorical_features: object = "from_dtype"
    max_categories: int = 100
    clip_to_range: bool = True
    are_means: bool = False

    options: ClassVar[tuple] = ("categorical_features", "max_categories", "clip_to_range")
    allows_missing: ClassVar[bool] = True
    allows_text: ClassVar[bool] = True

    def widened(self, dataset):
        reader = super().widened(dataset)
        format = copy.copy(reader.format)
        format.columns = format.columns.widened(dataset.X)
        return replace(reader, format=format)

    def convert(self, X, sample_weight, check, name):
        columns = self.format and self.format.columns
        frame = narwhals_frame(X)
        if frame is not None:
            X = as_table(frame if columns is None else aligned(frame, columns.names))
            check(X.to_native(), skip_check_array=True)
        else:
            given = X
            refuse_series(X, name)
            is_masked = isinstance(X, np.ma.MaskedArray)
            X = as_numbers(X, name) if is_masked else as_array(X, name, UNEQUAL_LENGTHS)
            if getattr(X, "dtype", np.dtype(float)).kind in "US":
                X = np.array(given, dtype=object)  # a list of numbers and text stays one
            how = {"dtype": None, "ensure_all_finite": False, "accept_sparse": False}
            with remedies():
                X = check(X, **how)
        weight = read_weights(sample_weight, nw.to_native(X, pass_through=True))
        # Of all rows, whatever their weight: the members of an ensemble read them alike.
        if columns is None:
            options = (getattr(self, name) for name in self.options)
            columns = TableColumns.learn(X, *options)
        frame = FrameFormat.of(X)
        if frame is not None and columns.names is not None:
            frame = replace(frame, columns=columns.frame.columns)
        format = TableFormat(columns, frame, self.are_means)
        return TableDataset(columns.read(X), format, weight, _is_single(X, columns))


def _is_single(X, columns):
    """Say whether numbers are of single precision, all of them."""
    if isinstance(X, np.ndarray):
        return X.dtype == np.float32
    numbers = np.flatnonzero(~columns.is_category).tolist()
    return bool(numbers) and all(X[:, i].dtype == nw.Float32 for i in numbers)


class TableDataset(ArrayDataset):
    """Rows of a table, read as tensors with NaN where a cell is missing.

    A number is one element. A category is a group of them, 1 for the one that it is and else 0;
    one that was not there at fit is 0 in all of them.

    Parameters
    ----------
    cells : ndarray of shape (n_samples, n_columns)
        As `TableColumns` reads them.
    format : TableFormat
    sample_weight : ndarray of shape (n_samples,) or None, default=None
        Weights, of mean 1.
    is_single : bool, default=False
        Whether results are to be in single precision.
    """

    kind = "tables"
    has_missing = True
    can_drop_columns = False

    def __init__(self, cells, format, sample_weight=None, is_single=False):
        super().__init__(cells, sample_weight, format)
        self.is_single = is_single

    @property
    def is_regular(self):
        return False

    @property
    def column_layout(self):
        """How the columns lie in a tensor."""
        return self.format.column_layout

    @property
    def fraction(self):
        """How much of a column each element counts as, an array."""
        sizes = self.column_layout.sizes
        return (1 / sizes)[self.column_layout.columns].numpy()

    @property
    def sample_shape(self):
        return (int(self.column_layout.sizes.sum()),)

    @property
    def dtype(self):
        return torch.float32 if self.is_single else torch.float64

    def warn_of_columns(self, X, name):
        """Warn of columns with nothing to learn, or with digits that get lost."""
        columns = self.format.columns.columns
        categories = [column.name for column in columns if column.is_category]
        warn_of_lost_digits(X, self.X, self.name, exact=categories)
        empty = [column.name for column in columns if column.is_empty]
        if empty:
            warn(
                f"Columns {empty} hold nothing but missing values, so {name} cannot learn what "
                "belongs there: reconstruct and impute leave their cells missing. Drop them, or "
                "fit on rows that have such values.",
                DataWarning,
            )
        blurred = [column.name for column in columns if column.is_blurred]
        if blurred:
            warn(
                f"Columns {blurred} hold dates that differ by less than floats can tell, so they "
                f"are constant to {name}. Give the time since the first of them, in a small unit.",
                DataWarning,
            )

    def known_cells(self, i):
        """Return the cells of a column of the groups that are there, and their weights."""
        which = slice(None) if self.index is None else self.index
        cells = self.X[which, self.format.order[i]]
        known = ~np.isnan(cells)
        weight = np.ones(len(cells)) if self.sample_weight is None else self.sample_weight[which]
        return torch.from_numpy(cells[known]).float(), torch.from_numpy(weight[known]).float()

    def largest(self):
        """Return None: each column has a unit of its own."""
        return

    def range(self):
        """Return None: each column has a unit of its own."""
        return

    def extent(self):
        ends = CellExtent.of(self.X)
        is_category = self.format.columns.is_category
        return CellExtent(
            np.where(is_category, -np.inf, ends.low), np.where(is_category, np.inf, ends.high)
        )

    def column_range(self):
        """Return the ends of what is known of each number, and of ones and zeros, as tensors."""
        n = self.column_layout.n_numbers
        cells = self.X if self.index is None else self.X[self.index]
        low, high = torch.zeros(self.sample_shape), torch.ones(self.sample_shape)
        for end, reduce in ((low, np.fmin.reduce), (high, np.fmax.reduce)):
            end[:n] = torch.from_numpy(reduce(cells[:, self.format.order[:n]], axis=0))
        return low.nan_to_num(0.0), high.nan_to_num(0.0)

    def mean(self):
        """Return the weighted mean of each element where it is known, as a float64 tensor."""
        sums = counts = 0.0
        for _, x, _, weight in chunks(self, torch.float64, "cpu"):
            weight = 1.0 if weight is None else along(weight, x)
            sums = sums + (weight * x).nansum(0)
            counts = counts + (weight * ~x.isnan()).sum(0)
        return (sums / counts).nan_to_num(0.0)

    def filled(self, x):
        return torch.where(x.isnan(), self.mean().to(x), x)

    def without_rounding(self, residual, total, mean):
        del mean
        size = np.zeros(len(total))
        for i, of_column in enumerate(self.format.order[: self.column_layout.n_numbers]):
            column = self.format.columns.columns[of_column]
            size[i] = abs(column.center / column.scale)
        is_restored = (total == 0) & (residual <= len(self) * (RESTORED * size) ** 2)
        return np.where(is_restored, 0.0, residual), total

    def explained(self, residual, total):
        """Return the explained fraction of a column, averaged over the columns that vary."""
        residual, total = (
            self.format.to_user_axes(squares[None])[0] for squares in (residual, total)
        )
        varies = total > 0
        if not varies.any():
            return float(not residual.any())
        return float((1 - residual[varies] / total[varies]).mean())

    def get_batch(self, which, dtype):
        """Read rows as a tensor of shape (n_taken, n_elements), and their weights."""
        if self.index is not None:
            which = self.index[which]
        cells, n = take_rows(self.X, which)[:, self.format.order], self.column_layout.n_numbers
        starts = self.column_layout.starts.numpy()[n:]
        x = np.zeros(
            (len(cells), *self.sample_shape), np.float32 if dtype == torch.float32 else float
        )
        x[:, :n] = cells[:, :n]
        categories = cells[:, n:]
        row, column = np.nonzero(categories >= 0)
        x[row, starts[column] + categories[row, column].astype(int)] = 1
        missing = np.isnan(categories)
        for i in np.flatnonzero(missing.any(0)):
            x[missing[:, i], starts[i] : starts[i] + self.column_layout.widths[i]] = np.nan
        return torch.from_numpy(x), self._get_weight(which, dtype)
