"""The default scores of `OutlierDetector`, `TabularOutlierScorer`, as a module for a graph.

It repeats ``TabularOutlierScorer.score_samples`` step by step, in float64:

1. Codes of the table's columns become cells, and cells of derived columns.
2. Missing cells are filled from the most similar row.
3. Distances to other rows, and of cells to what others let expect, become surprises.
4. Surprises are combined, and new categories lower the score.

Rows are compared with all rows that the scorer knows, at most ``max_samples``.
"""

import numpy as np
import torch
from torch import nn

from skae._data.columns import UNSEEN
from skae._onnx.double_nets import in_double
from skae._onnx.table_cells import (
    Columns,
    Elements,
    cells_by_table,
    cells_of_codes,
    double,
    without_nan,
)
from skae._onnx.tabular_scorer_columns import derived_modules
from skae._outliers import distances, donors
from skae._outliers.scorer import NOVELTY


def scorer_module(scorer):
    """Return the scores of a fitted scorer as a module.

    Parameters
    ----------
    scorer : TabularOutlierScorer

    Returns
    -------
    nn.Module
        Maps codes of shape (n_samples, n_columns), as of `skae._onnx.table_coding`, of any
        floating dtype, to scores of shape (n_samples,), float64.
    """
    return TabularScores(scorer).eval()


class TabularScores(nn.Module):
    """Scores of the rows of a table.

    Parameters
    ----------
    scorer : TabularOutlierScorer
    """

    def __init__(self, scorer):
        super().__init__()
        columns = scorer._columns
        self.cells_of_codes = cells_of_codes(columns.given.columns)
        self.read = Read(columns)
        self.n_modeled = columns.n_modeled
        self.categories = Columns(np.flatnonzero(columns.is_category))
        vectors = Vectors(columns.format, scorer._new_category)
        self.fill = Fill(scorer._donors, vectors)
        self.distances = Distances(scorer, vectors)
        self.combine = Combine(scorer._tails, scorer._weights)

    def forward(self, codes):
        codes = codes.double()
        read = self.read(codes, self.cells_of_codes(codes))
        logs = self.distances(self.fill(read[:, : self.n_modeled]))
        n_new = (self.categories(read) == UNSEEN).double().sum(1)
        return -self.combine(logs) - NOVELTY * n_new


class Read(nn.Module):
    """The cells that scores look at, as ``DerivedColumns.read``.

    Parameters
    ----------
    columns : DerivedColumns
    """

    def __init__(self, columns):
        super().__init__()
        self.kept = Columns(columns.kept)
        self.register_buffer("stand_ins", double(columns.stand_ins))
        self.derived = nn.ModuleList(derived_modules(columns.derived))

    def forward(self, codes, cells):
        kept = self.kept(cells)
        kept = torch.where(kept == UNSEEN, self.stand_ins, kept)
        return torch.cat([kept, *(part(codes) for part in self.derived)], 1)


class Vectors(nn.Module):
    """Rows as numbers, one-hot categories, and how new each category is; NaN is missing.

    Parameters
    ----------
    format : TableFormat
    new_category : float
        What a new category counts as.
    """

    def __init__(self, format, new_category):
        super().__init__()
        self.elements = Elements(format)
        self.new = NewCategories(format.column_layout, new_category)

    def forward(self, cells):
        x = self.elements(cells)
        return torch.cat([x, *self.new(x)], 1)


class NewCategories(nn.Module):
    """An element for each categorical column, above 0 for categories that are new: a list.

    Parameters
    ----------
    layout : ColumnLayout
    new_category : float
    """

    def __init__(self, layout, new_category):
        super().__init__()
        self.register_buffer("new_category", double(new_category))
        self.n = len(layout.widths)
        is_of = layout.columns[None] == torch.arange(len(layout.sizes))[:, None]
        self.register_buffer("is_of", is_of[layout.n_numbers :].double().T.contiguous())

    def forward(self, x):
        if not self.n:
            return []
        missing = x.isnan()
        n_known = without_nan(x) @ self.is_of
        is_missing = missing.double() @ self.is_of > 0
        new = (1 - n_known) * self.new_category
        return [torch.where(is_missing, torch.nan, new)]


class Fill(nn.Module):
    """Missing cells, filled from the most similar row, as `Donors`.

    Parameters
    ----------
    given : Donors
    vectors : Vectors
    """

    def __init__(self, given, vectors):
        super().__init__()
        self.vectors = vectors
        self.register_buffer("cells", torch.from_numpy(given.cells))
        rows = without_nan(vectors(self.cells))
        self.register_buffer("rows", rows.T.contiguous())
        self.register_buffer("squared_rows", rows.square().T.contiguous())
        self.register_buffer("positions", torch.arange(len(rows)))

    def forward(self, cells):
        elements = self.vectors(cells)
        known = (~elements.isnan()).double()
        elements = without_nan(elements)
        own = elements.square().sum(1)[:, None]
        squares = own - 2 * elements @ self.rows + known @ self.squared_rows
        rounding = donors.ROUNDING * (1 + own)
        squares = torch.where(squares <= rounding, torch.inf, squares)
        is_nearest = squares <= squares.amin(1, keepdim=True) + rounding
        first = torch.where(is_nearest, self.positions, len(self.cells)).amin(1)
        return torch.where(cells.isnan(), self.cells[first], cells)


class Distances(nn.Module):
    """Logarithms of the distances, as ``TabularOutlierScorer._log_distances``.

    Parameters
    ----------
    scorer : TabularOutlierScorer
    vectors : Vectors
    """

    def __init__(self, scorer, vectors):
        super().__init__()
        self.vectors = vectors
        scale = torch.from_numpy(np.asarray(scorer._scale, float))
        self.near, self.far = (
            Neighbors(one, torch.as_tensor(one.scale, dtype=torch.float64))
            for one in scorer._neighborhoods
        )
        self.others = nn.ModuleList()
        if scorer._cell_distance is not None:
            self.others.append(LargestCellResidual(scorer._cell_distance, scale))
        if scorer._residual_distance is not None:
            self.others.append(LargestNetResidual(scorer))
        own = scorer._left_out[scorer._neighborhoods[0].firsts]
        self.register_buffer("left_out", torch.from_numpy(own))

    def forward(self, cells):
        vectors = without_nan(self.vectors(cells))
        near, nearest, is_equal = self.near(vectors)
        far, _, _ = self.far(vectors)
        others = [other(cells, vectors) for other in self.others]
        logs = torch.log(torch.cat([near, far, *others], 1))
        return torch.where(is_equal[:, None], self.left_out[nearest], logs)


class Neighbors(nn.Module):
    """Mean distances to the nearest rows, which of them is the nearest, and whether it is equal.

    Parameters
    ----------
    given : NeighborDistances
    scale : tensor of float64
    """

    def __init__(self, given, scale):
        super().__init__()
        rows = given.rows
        self.n_neighbors, self.most = list(given.n_neighbors), given.n_nearest
        # Distances are computed from dot products, which lose fewer digits around the mean.
        rows = torch.from_numpy(rows)
        self.register_buffer("scale", scale)
        self.register_buffer("mean", rows.mean(0))
        self.register_buffer("rows", (rows - self.mean).T.contiguous())
        self.register_buffer("squares", self.rows.square().sum(0))

    def forward(self, vectors):
        vectors = vectors / self.scale
        size = vectors.square().sum(1).sqrt()
        centered = vectors - self.mean
        squares = centered.square().sum(1)[:, None] - 2 * centered @ self.rows + self.squares
        squares, nearest = squares.topk(self.most, dim=1, largest=False)
        distances_ = squares.clamp(min=0).sqrt()
        means = [distances_[:, :n].mean(1) for n in self.n_neighbors]
        is_equal = distances_[:, 0] <= distances.ROUNDING * (1 + size)
        return torch.stack(means, 1) + distances.LEAST_DISTANCE, nearest[:, 0], is_equal


class LargestResidual(nn.Module):
    """The largest residual of a cell given the others, as `CellDistance`.

    Parameters
    ----------
    given : CellDistance
    """

    def __init__(self, given):
        super().__init__()
        self.register_buffer("mean", torch.from_numpy(given.mean))
        # Each residual in its standard deviations.
        self.register_buffer("weight", torch.from_numpy(given.precision / given.deviations))

    def forward(self, rows):
        residuals = ((rows - self.mean) @ self.weight).abs()
        return residuals.amax(1, keepdim=True) + distances.LEAST_DISTANCE


class LargestCellResidual(nn.Module):
    """The largest residual of a row's cells.

    Parameters
    ----------
    given : CellDistance
    scale : tensor
        Elements are divided by it.
    """

    def __init__(self, given, scale):
        super().__init__()
        self.largest = LargestResidual(given)
        self.register_buffer("scale", scale)

    def forward(self, cells, vectors):
        del cells
        return self.largest(vectors / self.scale)


class LargestNetResidual(nn.Module):
    """The largest residual of what autoencoders leave, the geometric mean over them.

    Parameters
    ----------
    scorer : TabularOutlierScorer
    """

    def __init__(self, scorer):
        super().__init__()
        format = scorer.ensemble_._reader.format
        columns = format.columns.columns
        self.n_columns = len(columns)
        self.cells = _cells_of_cells(columns, scorer._columns.widths)
        self.elements = Elements(format)
        self.new = NewCategories(format.column_layout, scorer._new_category)
        members = scorer.ensemble_._predictor.module_for(torch.float64)[0].modules
        self.members = nn.ModuleList(in_double(member) for member in members)
        self.largest = LargestResidual(scorer._residual_distance)
        scale = torch.from_numpy(np.asarray(scorer._residual_scale, float))
        self.register_buffer("scale", scale)

    def forward(self, cells, vectors):
        del vectors
        x = self.elements(self.cells(cells))
        new = self.new(x)
        logs = []
        for member in self.members:
            residuals = without_nan(torch.cat([x - member(x), *new], 1))
            logs.append(torch.log(self.largest(residuals / self.scale)))
        return torch.exp(sum(logs) / len(logs))


class Combine(nn.Module):
    """The smooth maximum of surprises, as `TailScale`.

    Parameters
    ----------
    tails : TailScale
    weights : ndarray of shape (n_distances,)
    """

    def __init__(self, tails, weights):
        super().__init__()
        for name in ("start", "steps", "level"):
            self.register_buffer(name, torch.from_numpy(vars(tails)[name]))
        self.register_buffer("weights", torch.from_numpy(weights))

    def forward(self, logs):
        surprise = (logs - self.start) / self.steps + self.level
        largest = surprise.amax(1, keepdim=True)
        return largest[:, 0] + torch.log(torch.exp(surprise - largest) @ self.weights)


def _cells_of_cells(columns, widths):
    """Return a module that makes cells of cells, which an ensemble has read as a table.

    Parameters
    ----------
    columns : list of NumberColumn and CategoryColumn
    widths : list of int
        Of each column, the number of categories that there are.
    """
    return cells_by_table(
        columns, lambda i: columns[i].read(np.arange(UNSEEN, widths[i], dtype=float))
    )
