"""Counterfactual explanations: which cells make a row anomalous, and what is expected there.

Only the scores of a model are used. The cells of an anomalous row are replaced one by one by those
of similar normal rows, each time the cell that raises the score most. If no single cell is enough,
several are replaced at once.
"""

import numpy as np

from skae._data.columns import TableColumns
from skae._outliers.cells import Cells

#: Normal rows that are kept, at most: expected cells are taken from them.
MAX_NORMAL = 1000

#: Number of most similar normal rows that an expected cell is computed from.
N_SIMILAR = 15

#: Largest difference that counts, of scaled numbers; that of two unequal categories.
MAX_DIFFERENCE = 3.0

#: Steps in which all cells are tried. Afterwards each is tried once, in order of its last gain.
MAX_STEPS = 10

#: Factor, a power of 2, for gains that are added.
SMALLER = 2.0**-30

#: Cells of the tables that are scored at a time, at most.
MAX_CELLS = 2**21


def expected_cells(cells, normal, is_number):
    """Return for each cell the normal row that has its expected value.

    The expected value is the median, or the most frequent category, of the normal rows that are
    most similar in all other columns.

    Parameters
    ----------
    cells : ndarray of shape (n_samples, n_features)
        Scaled numbers, and categories as numbers; NaN where a cell is missing.
    normal : ndarray of shape (n_normal, n_features)
        The same, of normal rows.
    is_number : ndarray of bool, shape (n_features,)
        Which columns hold numbers.

    Returns
    -------
    which : ndarray of int, shape (n_samples, n_features)
        Positions of normal rows.
    """
    n_similar = min(N_SIMILAR, len(normal))
    which = np.empty(cells.shape, int)
    for i, row in enumerate(cells):
        differences = _differences(row, normal, is_number)
        elsewhere = differences.sum(1, keepdims=True) - differences
        similar = np.argpartition(elsewhere, n_similar - 1, axis=0)[:n_similar]
        theirs = np.take_along_axis(normal, similar, 0)
        middle = np.where(is_number, _medians(theirs), _modes(theirs))
        which[i] = np.take_along_axis(similar, middle[None], 0)[0]
    return which


def _differences(row, normal, is_number):
    """Return the difference of normal rows from a row in each column, 0 where it is missing."""
    with np.errstate(invalid="ignore"):
        far = np.minimum(np.abs(normal - row), MAX_DIFFERENCE)
    other = np.where(normal == row, 0.0, MAX_DIFFERENCE)
    differences = np.where(is_number & ~np.isnan(normal), far, other)
    return np.where(np.isnan(row), 0.0, differences)


def _medians(values):
    """Return the position of the median of each column, or of NaN if most are missing."""
    n_known = (~np.isnan(values)).sum(0)
    rank = np.where(2 * n_known >= len(values), (n_known - 1) // 2, len(values) - 1)
    return np.take_along_axis(np.argsort(values, axis=0, kind="stable"), rank[None], 0)[0]


def _modes(values):
    """Return the position of a most frequent value of each column."""
    values = np.where(np.isnan(values), -np.inf, values)
    return (values[:, None] == values[None]).sum(1).argmax(0)


class Background:
    """Normal rows, and what their columns are.

    Parameters
    ----------
    table : table of shape (n_normal, n_features)

    Attributes
    ----------
    columns : TableColumns
        As learned from the rows, with all their categories.
    cells : ndarray of shape (n_normal, n_features)
        Scaled numbers, and categories as numbers.
    """

    def __init__(self, table):
        self.table = table
        self.columns = TableColumns.learn(table, max_categories=len(table))
        self.cells = self.columns.read(table)


class CounterfactualSearch:
    """Search for the cells to replace until rows are normal.

    Parameters
    ----------
    score : callable
        Returns the scores of a table.
    X : table of shape (n_samples, n_features)
        The rows.
    background : Background
        Normal rows that cells are taken from.
    threshold : float
        Rows with at least this score are normal.

    Attributes
    ----------
    scores : ndarray of shape (n_samples,)
        Current scores of the rows.
    is_replaced : ndarray of bool, shape (n_samples, n_features)
        Which cells are replaced.
    gains : ndarray of shape (n_samples, n_features)
        How much the replacement of a cell raised the score, or 0.
    """

    def __init__(self, score, X, background, threshold):
        columns = background.columns
        self._is_number = ~columns.is_category
        self._read, self._read_normal = columns.read(X), background.cells
        expected = expected_cells(self._read, self._read_normal, self._is_number)
        self._score, self._cells, self._threshold = score, Cells(X, background.table), threshold
        shape = expected.shape
        self._theirs = theirs = np.take_along_axis(self._read_normal, expected, 0)
        is_same = (theirs == self._read) | (np.isnan(theirs) & np.isnan(self._read))
        self._own = np.broadcast_to(np.arange(shape[0])[:, None], shape)
        self._other = shape[0] + expected
        self.is_replaced, self.gains = np.zeros(shape, bool), np.zeros(shape)
        # How much the replacement of a cell raised the score when it was last tried.
        self._last_gains = np.where(is_same, -np.inf, np.inf)
        self.scores = self._scores_with(np.arange(shape[0]), self.is_replaced)

    @property
    def is_normal(self):
        """Which rows are normal now, an array."""
        return self.scores >= self._threshold

    def result(self):
        """Return the rows with replaced cells, in the user's format."""
        return self._cells.assemble(np.where(self.is_replaced, self._other, self._own))

    def expected(self):
        """Return the expected value of each cell, in the user's format."""
        return self._cells.assemble(self._other)

    def run(self, until_normal=False):
        """Replace cells as long as this raises the scores.

        Parameters
        ----------
        until_normal : bool, default=False
            Whether to leave rows as they are once they are normal.
        """
        rows = np.flatnonzero(~(self.is_normal & until_normal))
        for _ in range(MAX_STEPS):
            rows = rows[self._replace_best(rows)]
            rows = rows[~self.is_normal[rows]]
        rows = np.flatnonzero(~self.is_normal)
        n_at_a_time = max(1, MAX_CELLS // self._own.shape[1] ** 2)
        for start in range(0, len(rows), n_at_a_time):
            self._replace_together(rows[start : start + n_at_a_time])
        # Try each of the other cells once: trying all in every step is only worth it at first.
        for columns in np.argsort(-self._last_gains, axis=1, kind="stable").T:
            is_open = self._last_gains[self._at, columns] > 0
            rows = np.flatnonzero(is_open & ~(self.is_normal & until_normal))
            self._try(rows, columns[rows])

    def use_nearest_rows(self):
        """Replace rows that are not normal by the most similar normal rows."""
        for row in np.flatnonzero(~self.is_normal):
            differences = _differences(self._read[row], self._read_normal, self._is_number)
            nearest = differences.sum(1).argmin()
            self._other[row] = len(self.scores) + nearest
            self.is_replaced[row], self.gains[row] = True, differences[nearest]
        self.scores = self._scores_with(self._at, self.is_replaced)

    def undo_needless(self):
        """Undo replacements that rows do not need to be normal, the smallest gains first."""
        for columns in np.argsort(self.gains, axis=1, kind="stable").T:
            rows = np.flatnonzero(self.is_normal & self.is_replaced[self._at, columns])
            trial = self.is_replaced[rows]
            trial[np.arange(len(rows)), columns[rows]] = False
            scores = self._scores_with(rows, trial)
            is_enough = scores >= self._threshold
            self.is_replaced[rows[is_enough]] = trial[is_enough]
            self.scores[rows[is_enough]] = scores[is_enough]

    @property
    def _at(self):
        return np.arange(len(self.scores))

    def _replace_best(self, rows):
        """Replace one cell of each row if that raises the score; return where it does."""
        last_gains = self._last_gains[rows]
        i, j = np.nonzero(last_gains > -np.inf)
        scores = np.full(last_gains.shape, -np.inf)
        scores[i, j] = self._scores_of_trials(rows[i], j)
        self._last_gains[rows] = scores - self.scores[rows, None]
        best = scores.argmax(1)
        return self._accept(rows, best, scores[np.arange(len(rows)), best])

    def _replace_together(self, rows):
        """Replace cells that raise the score of a row only together.

        The cells farthest from their expected values are tried, in all numbers. The number that
        raises the score most is taken, and cells that are not needed are left out. The gain is
        divided among the cells by how much the score falls without each of them.
        """
        distances = _differences(self._read[rows], self._theirs[rows], self._is_number)
        ranks = np.argsort(np.argsort(-distances, axis=1, kind="stable"), axis=1)
        is_open, all_columns = self._last_gains[rows] > -np.inf, np.arange(ranks.shape[1])
        sets = is_open[:, None] & (ranks[:, None] <= all_columns[:, None])
        scores = self._scores_of_sets(rows, sets)
        best = sets[np.arange(len(rows)), scores.argmax(1)]
        without = best[:, None] & (all_columns != all_columns[:, None])
        needs = scores.max(1)[:, None] - self._scores_of_sets(rows, without)
        best &= needs > 0
        scores = self._scores_of_sets(rows, best[:, None])[:, 0]
        # Without cells that are needed, scores differ by rounding.
        is_better = best.any(1) & (scores > self.scores[rows])
        rows, scores, fractions = rows[is_better], scores[is_better], (needs * best)[is_better]
        fractions *= SMALLER  # so that the sum is finite
        fractions /= fractions.sum(1, keepdims=True)
        self.gains[rows] += fractions * (scores - self.scores[rows])[:, None]
        self.is_replaced[rows] |= best[is_better]
        self._last_gains[rows] = np.where(best[is_better], -np.inf, self._last_gains[rows])
        self.scores[rows] = scores

    def _scores_of_sets(self, rows, sets):
        """Return the scores of rows for each set of further replaced cells."""
        trials = (self.is_replaced[rows][:, None] | sets).reshape(-1, sets.shape[2])
        return self._scores_with(np.repeat(rows, sets.shape[1]), trials).reshape(sets.shape[:2])

    def _try(self, rows, columns):
        """Replace a cell of each row if that raises the score."""
        self._accept(rows, columns, self._scores_of_trials(rows, columns))

    def _accept(self, rows, columns, scores):
        """Replace cells where the scores are higher than before; return where."""
        is_better = scores > self.scores[rows]
        rows, columns, scores = rows[is_better], columns[is_better], scores[is_better]
        self.is_replaced[rows, columns] = True
        self.gains[rows, columns] = scores - self.scores[rows]
        self.scores[rows] = scores
        self._last_gains[rows, columns] = -np.inf
        return is_better

    def _scores_of_trials(self, rows, columns):
        """Return the scores of rows with one more cell replaced."""

        def trials(part):
            trial = self.is_replaced[rows[part]]
            trial[np.arange(len(trial)), columns[part]] = True
            return trial

        return self._scores_in_parts(rows, trials)

    def _scores_with(self, rows, is_replaced):
        return self._scores_in_parts(rows, is_replaced.__getitem__)

    def _scores_in_parts(self, rows, replaced):
        """Return the scores of rows; a function returns which cells are replaced in a slice."""
        scores, n_at_a_time = np.empty(len(rows)), max(1, MAX_CELLS // self._own.shape[1])
        for start in range(0, len(rows), n_at_a_time):
            part = slice(start, start + n_at_a_time)
            own, other = self._own[rows[part]], self._other[rows[part]]
            scores[part] = self._score(self._cells.assemble(np.where(replaced(part), other, own)))
        return scores
