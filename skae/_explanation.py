"""Why a row is odd: which cells, and what would be expected in their place.

All that is used of a model are its scores. The cells of an odd row are replaced, one after the
other, by those that rows like it have, always the one next that raises the score most.
"""

import numpy as np

from skae.inputs._cells import Cells

#: How many of the rows most like it a row's expected cells are taken from.
N_LIKE = 15
#: Difference of numbers, in the columns' scale, that counts as much as another category.
MAX_DIFFERENCE = 3.0
#: Steps at which all cells are tried. Further ones are tried in the order that these left.
MAX_STEPS = 10
#: Cells of the tables that are scored at a time.
MAX_CELLS = 2**21


def expected_cells(cells, normal, is_number):
    """Say for each cell which normal row has what is expected there.

    That is the median, or the most frequent category, of the normal rows that are most alike in
    all other columns.

    Parameters
    ----------
    cells : ndarray of shape (n_samples, n_features)
        Scaled numbers, and categories as numbers; NaN where a cell is missing.
    normal : ndarray of shape (n_normal, n_features)
        Likewise, of normal rows.
    is_number : ndarray of bool, shape (n_features,)

    Returns
    -------
    which : ndarray of int, shape (n_samples, n_features)
        Positions of normal rows.
    """
    n_like = min(N_LIKE, len(normal))
    which = np.empty(cells.shape, int)
    for i, row in enumerate(cells):
        differences = _differences(row, normal, is_number)
        elsewhere = differences.sum(1, keepdims=True) - differences
        like = np.argpartition(elsewhere, n_like - 1, axis=0)[:n_like]
        theirs = np.take_along_axis(normal, like, 0)
        middle = np.where(is_number, _medians(theirs), _modes(theirs))
        which[i] = np.take_along_axis(like, middle[None], 0)[0]
    return which


def _differences(row, normal, is_number):
    """Return how far normal rows are from a row, by column; cells that it lacks do not count."""
    with np.errstate(invalid="ignore"):
        far = np.minimum(np.abs(normal - row), MAX_DIFFERENCE)
    other = np.where(normal == row, 0.0, MAX_DIFFERENCE)
    differences = np.where(is_number & ~np.isnan(normal), far, other)
    return np.where(np.isnan(row), 0.0, differences)


def _medians(values):
    """Return where in each column the median is, or a missing value if most are missing."""
    n_known = (~np.isnan(values)).sum(0)
    rank = np.where(2 * n_known >= len(values), (n_known - 1) // 2, len(values) - 1)
    return np.take_along_axis(np.argsort(values, axis=0, kind="stable"), rank[None], 0)[0]


def _modes(values):
    """Return where in each column one of the most frequent values is."""
    values = np.where(np.isnan(values), -np.inf, values)
    return (values[:, None] == values[None]).sum(1).argmax(0)


class Repair:
    """Rows on their way to what is expected, one cell after the other.

    Parameters
    ----------
    score : callable
        Gives the scores of a table.
    X, normal : tables
        The rows, and normal ones that cells are taken from.
    expected : ndarray of int, shape (n_samples, n_features)
        Positions of normal rows, as `expected_cells` gives them.
    differs : ndarray of bool, shape (n_samples, n_features)
        Whether the expected cell is another than that of the row.
    threshold : float
        Score from which a row is normal.

    Attributes
    ----------
    scores : ndarray of shape (n_samples,)
        Of the rows as they are by now.
    is_replaced : ndarray of bool, shape (n_samples, n_features)
    gains : ndarray of shape (n_samples, n_features)
        By how much the replacement of a cell raised the score; where it was not replaced, 0.
    """

    def __init__(self, score, X, normal, expected, differs, threshold):
        self._score, self._cells = score, Cells(X, normal)
        self._own = np.broadcast_to(np.arange(len(expected))[:, None], expected.shape)
        self._other = len(expected) + expected
        self._differs, self._threshold = differs, threshold
        self.is_replaced = np.zeros(expected.shape, bool)
        self.gains = np.zeros(expected.shape)
        self._promises = np.zeros(expected.shape)
        self.scores = self._scores_with(np.arange(len(expected)), self.is_replaced)

    def go(self, enough):
        """Replace cells.

        Parameters
        ----------
        enough : bool
            Whether to leave a row once it is normal. Else all cells are tried.
        """
        rows = np.flatnonzero(~self.is_normal) if enough else np.arange(len(self.scores))
        for _ in range(MAX_STEPS):
            rows = rows[self._replace_best(rows)]
            rows = rows[~self.is_normal[rows]]
            if not len(rows):
                break
        order = np.argsort(-self._promises, axis=1, kind="stable")
        for columns in order.T:
            promise = np.take_along_axis(self._promises, columns[:, None], 1)[:, 0]
            is_open = (promise > 0) & ~(self.is_normal & enough)
            rows = np.flatnonzero(is_open)
            self._replace(rows, columns[rows])

    def trim(self):
        """Undo replacements that rows stay normal without, the least useful ones first."""
        for columns in np.argsort(self.gains, axis=1, kind="stable").T:
            is_candidate = self.is_replaced[np.arange(len(columns)), columns] & self.is_normal
            rows = np.flatnonzero(is_candidate)
            trial = self.is_replaced[rows]
            trial[np.arange(len(rows)), columns[rows]] = False
            scores = self._scores_with(rows, trial)
            is_enough = scores >= self._threshold
            self.is_replaced[rows[is_enough]] = trial[is_enough]
            self.scores[rows[is_enough]] = scores[is_enough]

    @property
    def is_normal(self):
        """Whether rows are normal by now, an array."""
        return self.scores >= self._threshold

    def table(self):
        """Return the rows as they are by now, in the user's format."""
        return self._cells.take(np.where(self.is_replaced, self._other, self._own))

    def expected_table(self):
        """Return what is expected in each cell, in the user's format."""
        return self._cells.take(self._other)

    def _replace_best(self, rows):
        """Replace one cell of each row, and tell where that raised the score."""
        i, j = np.nonzero(self._differs[rows] & ~self.is_replaced[rows])
        gains = np.full(self._differs[rows].shape, -np.inf)
        gains[i, j] = self._scores_of_trials(rows[i], j) - self.scores[rows[i]]
        self._promises[rows] = gains
        best, at = gains.argmax(1), np.arange(len(rows))
        is_better = gains[at, best] > 0
        self._accept(rows[is_better], best[is_better], gains[at, best][is_better])
        return is_better

    def _replace(self, rows, columns):
        """Replace given cells where that raises the score."""
        gains = self._scores_of_trials(rows, columns) - self.scores[rows]
        is_better = gains > 0
        self._accept(rows[is_better], columns[is_better], gains[is_better])

    def _accept(self, rows, columns, gains):
        self.is_replaced[rows, columns] = True
        self.gains[rows, columns] = gains
        self.scores[rows] += gains
        self._promises[rows, columns] = -np.inf

    def _scores_of_trials(self, rows, columns):
        """Return the scores of rows with one more cell replaced."""
        scores, n_at_a_time = np.empty(len(rows)), max(1, MAX_CELLS // self._own.shape[1])
        for start in range(0, len(rows), n_at_a_time):
            part = slice(start, start + n_at_a_time)
            trial = self.is_replaced[rows[part]]
            trial[np.arange(len(trial)), columns[part]] = True
            scores[part] = self._scores_with(rows[part], trial)
        return scores

    def _scores_with(self, rows, is_replaced):
        if not len(rows):
            return np.empty(0)
        return self._score(self._cells.take(np.where(is_replaced, self._other[rows], self._own[rows])))
