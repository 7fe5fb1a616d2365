"""Tables in a graph: from codes to what models see, and back. All of it is in float64.

ONNX Runtime has no hyperbolic functions of float64, so they are written out. The exporter makes
numbers of Python float32, so those that float32 does not hold exactly are tensors.
"""

import math

import numpy as np
import torch
from torch import nn

from skae._data.columns import MAX_SECONDS, MAX_STRETCH, MIN_SECONDS, TAIL, UNSEEN, DateColumn
from skae._onnx.grids import double, grid_module

#: From here on 1 does not count beside the square of a number.
LARGE = 1e9

#: Largest scaled number.
MOST = double(1e300)

LOG_2 = double(math.log(2))


def without_nan(x, value=0.0):
    """Return a tensor with a value in the place of NaN; infinite numbers stay."""
    return torch.where(x.isnan(), value, x)


def asinh(x):
    """Return the inverse hyperbolic sine."""
    size = x.abs()
    near = size.clamp(max=LARGE)
    near = torch.log(near + torch.sqrt(near * near + 1))
    far = torch.log(size.clamp(min=LARGE)) + LOG_2
    return torch.sign(x) * torch.where(size < LARGE, near, far)


def sinh(x):
    """Return the hyperbolic sine."""
    return (torch.exp(x) - torch.exp(-x)) / 2


class Scaled(nn.Module):
    """Numbers as cells, those of one or more columns.

    Parameters
    ----------
    columns : list of NumberColumn
    """

    def __init__(self, columns):
        super().__init__()
        for name in ("center", "scale", "rounding"):
            values = [vars(column)[name] for column in columns]
            self.register_buffer(name, double(values))

    def forward(self, numbers):
        difference = numbers - self.center
        difference = torch.where(difference.abs() <= self.rounding, 0.0, difference)
        result = torch.minimum(torch.maximum(difference / self.scale, -MOST), MOST)
        return TAIL * asinh(result / TAIL)


class Looked(nn.Module):
    """Numbers that are looked up by codes, in a table for each column.

    Parameters
    ----------
    tables : list of array-like
        The first entry is what -1 becomes, and every code that is not in the table.
    """

    def __init__(self, tables):
        super().__init__()
        sizes = [len(table) for table in tables]
        entries = np.concatenate([np.asarray(table, float) for table in tables])
        self.register_buffer("entries", torch.from_numpy(entries))
        self.register_buffer("starts", torch.tensor(np.cumsum([0, *sizes[:-1]])))
        self.register_buffer("most", double(sizes) - 1)

    def forward(self, codes):
        places = torch.round(without_nan(codes, -1.0)) + 1
        places = torch.where((places < 0) | (places > self.most), 0.0, places)
        return torch.where(codes.isnan(), codes, self.entries[places.long() + self.starts])


class Positions(nn.Module):
    """Numbers as positions in a list of them, -1 where they are not in it.

    Parameters
    ----------
    values : array-like of float
    """

    def __init__(self, values):
        super().__init__()
        self.register_buffer("values", torch.from_numpy(np.asarray(values, float)))

    def forward(self, numbers):
        is_it = numbers[:, None] == self.values
        positions = torch.arange(1, len(self.values) + 1, dtype=torch.float64)
        found = torch.where(is_it, positions, 0.0).sum(1) - 1
        return torch.where(numbers.isnan(), numbers, found)


class Columns(nn.Module):
    """Some columns, in some order.

    Parameters
    ----------
    positions : array-like of int
    """

    def __init__(self, positions):
        super().__init__()
        positions = torch.from_numpy(np.asarray(positions, np.int64))
        self.register_buffer("positions", positions)

    def forward(self, x):
        return x.index_select(1, self.positions)  # indexing would transpose twice


class ByColumn(nn.Module):
    """Columns of which some are changed, of float64.

    Parameters
    ----------
    n_columns : int
    changes : list of tuple of (list of int, nn.Module)
        Positions of columns, none of them twice, and what changes them.
    """

    def __init__(self, n_columns, changes):
        super().__init__()
        changed = [i for columns, _ in changes for i in columns]
        others = [i for i in range(n_columns) if i not in set(changed)]
        parts = [nn.Sequential(Columns(columns), module) for columns, module in changes]
        parts += [Columns(others)] if others else []
        self.parts = nn.ModuleList(parts)
        self.in_order = Columns(np.argsort([*changed, *others]))

    def forward(self, x):
        x = x.double()
        return self.in_order(torch.cat([part(x) for part in self.parts], 1))


def cells_of_codes(columns):
    """Return a module that makes cells of codes, as ``TableColumns.read`` does of a table.

    Parameters
    ----------
    columns : list of NumberColumn, DateColumn or CategoryColumn

    Returns
    -------
    nn.Module
        Maps (n_samples, n_columns) to the same shape.
    """
    return cells_by_table(columns, lambda i: [UNSEEN, *columns[i].numbers])


def cells_by_table(columns, table):
    """Return a module that scales numbers, and looks categories up.

    Parameters
    ----------
    columns : list of NumberColumn, DateColumn or CategoryColumn
    table : callable
        Returns the table of `Looked` for the column at a position.

    Returns
    -------
    nn.Module
        Maps (n_samples, n_columns) to the same shape.
    """
    numbers = [i for i, column in enumerate(columns) if not column.is_category]
    categories = [i for i, column in enumerate(columns) if column.is_category]
    changes = [(numbers, Scaled([columns[i] for i in numbers]))] if numbers else []
    changes += [(categories, Looked(list(map(table, categories))))] if categories else []
    return ByColumn(len(columns), changes)


class Elements(nn.Module):
    """Cells as what nets see: numbers, then each category as a group, 1 for the one that it is.

    Maps (n_samples, n_columns) to (n_samples, n_elements). Missing cells are NaN.

    Parameters
    ----------
    format : TableFormat
    """

    def __init__(self, format):
        super().__init__()
        order, layout = format.order, format.column_layout
        self.numbers = Columns(order[: layout.n_numbers])
        groups = list(zip(order[layout.n_numbers :].tolist(), layout.widths, strict=True))
        columns = [column for column, width in groups for _ in range(width)]
        self.categories = Columns(columns)
        places = [float(place) for _, width in groups for place in range(width)]
        self.register_buffer("places", double(places))

    def forward(self, cells):
        cells = cells.double()
        numbers, categories = self.numbers(cells), self.categories(cells)
        is_it = (categories == self.places).double()
        return torch.cat([numbers, torch.where(categories.isnan(), categories, is_it)], 1)


class CodesOfElements(nn.Module):
    """What nets restore as codes: of a category, the position of the most probable one.

    Maps (n_samples, n_elements) to (n_samples, n_columns), as ``TableFormat.to_array``. Columns
    of which nothing is known are NaN.

    Parameters
    ----------
    format : TableFormat
        That of a `TableColumns`.
    are_new : bool, default=False
        As for ``TableColumns.restore``. New ids that are text are -1, as they are in no list.
    """

    def __init__(self, format, are_new=False):
        super().__init__()
        layout = format.column_layout
        starts, sizes = layout.starts.tolist(), layout.sizes.tolist()
        self.slices = [slice(a, a + n) for a, n in zip(starts, sizes, strict=True)]
        self.parts = nn.ModuleList(_part(format, i, are_new) for i in format.order)
        self.in_user_order = Columns(np.argsort(format.order))

    def forward(self, output):
        output = output.double()
        pairs = zip(self.parts, self.slices, strict=True)
        return self.in_user_order(torch.stack([part(output[:, one]) for part, one in pairs], 1))


def _part(format, i, are_new):
    """Return a module that makes the codes of a column of its elements."""
    column = format.columns.columns[i]
    if are_new and column.names_rows:
        return _NewNames(column) if column.is_category else _NewNumbers(column)
    return _Shown(column) if column.is_category else _Restored(format, i)


class _NewNames(nn.Module):
    """The code of names that are in no list, for all rows."""

    def __init__(self, column):
        super().__init__()
        self.code = float(column.codes(column.new_ids(1))[0])

    def forward(self, elements):
        return torch.full_like(elements[:, 0], self.code)


class _NewNumbers(nn.Module):
    """Numbers that come after those seen, a new one for each row."""

    def __init__(self, column):
        super().__init__()
        first, second = column.new_ids(2)
        self.register_buffer("line", double([first - (second - first), second - first]))

    def forward(self, elements):
        return self.line[0] + self.line[1] * torch.ones_like(elements[:, 0]).cumsum(0)


class _Shown(nn.Module):
    """The position of the category that each most probable one is shown as.

    Parameters
    ----------
    column : CategoryColumn
    """

    def __init__(self, column):
        super().__init__()
        shown = [math.nan] if column.is_empty else column.values.get_indexer(list(column.shown))
        self.register_buffer("positions", torch.tensor(np.asarray(shown, float)))

    def forward(self, elements):
        return self.positions[elements.argmax(1)]


class _Restored(nn.Module):
    """Numbers of cells such as the column can hold: in its range, and rounded.

    Parameters
    ----------
    format : TableFormat
    i : int
        Which column.
    """

    def __init__(self, format, i):
        super().__init__()
        columns = format.columns
        column = columns.columns[i]
        self.is_empty, self.is_rounded = column.is_empty, True
        for name in ("center", "scale"):
            self.register_buffer(name, double(vars(column)[name]))
        most = TAIL * MAX_STRETCH
        self.register_buffer("ends", double([column.least, column.most]).clamp(-most, most))
        if isinstance(column, DateColumn):
            limits, per_unit = (MIN_SECONDS, MAX_SECONDS), np.timedelta64(1, "s") / column.unit
        else:
            *limits, self.is_rounded = columns.limits(i)
            per_unit = 1.0
        self.register_buffer("limits", double(limits))
        self.register_buffer("per_unit", double(per_unit))
        self.grid = nn.Identity() if column.is_empty else grid_module(column, format.are_means)

    def forward(self, elements):
        cells = elements[:, 0]
        if self.is_empty:
            return torch.full_like(cells, math.nan)
        return self.grid(self._close(cells))

    def _close(self, cells):
        """Return numbers close to the range of those seen."""
        cells = torch.minimum(torch.maximum(cells, self.ends[0]), self.ends[1])
        values = TAIL * sinh(cells / TAIL) * self.scale + self.center
        values = torch.minimum(torch.maximum(values, self.limits[0]), self.limits[1])
        return torch.round(values * self.per_unit) / self.per_unit if self.is_rounded else values


def codes_of_numbers(columns):
    """Return a module that makes codes of a table of nothing but numbers.

    Parameters
    ----------
    columns : TableColumns

    Returns
    -------
    nn.Module
        Maps (n_samples, n_columns) to the same shape.
    """
    changes = [
        ([i], _OneColumn(Positions(column.values.to_numpy())))
        for i, column in enumerate(columns.columns)
        if column.is_category
    ]
    return ByColumn(len(columns.columns), changes)


def recoded(coding, columns):
    """Return a module that makes codes of some columns of those of others.

    Parameters
    ----------
    coding : TableColumns
        Whose codes a graph takes.
    columns : TableColumns
        Of the same table, but learned from fewer rows, or with other columns as categories.

    Returns
    -------
    nn.Module
        Maps (n_samples, n_columns) to the same shape.
    """
    looked, tables, changes = [], [], []
    for i, (given, own) in enumerate(zip(coding.columns, columns.columns, strict=True)):
        if given.is_category:
            looked.append(i)
            unknown = UNSEEN if own.is_category else math.nan
            tables.append([unknown, *own.codes(given.values.to_numpy())])
        elif own.is_category:
            positions = Positions(given.codes(own.values.to_numpy()))
            changes.append(([i], _OneColumn(positions)))
    if looked:
        changes.append((looked, Looked(tables)))
    return ByColumn(len(coding.columns), changes)


class _OneColumn(nn.Module):
    """A module of one column, as one of columns."""

    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, x):
        return self.module(x[:, 0])[:, None]
