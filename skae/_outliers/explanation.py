"""Why a row is odd: which cells, and what would be expected in their place.

All that is used of a model are its scores. The cells of an odd row are replaced, one after the
other, by those that rows like it have, always the one next that raises the score most, and several
at once where one is not enough.
"""

import numpy as np

from skae._data.columns import TableColumns
from skae._outliers.cells import Cells

#: Normal rows that are kept to take expected cells from.
MAX_NORMAL = 1000

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
    """Return how far normal rows are from a row, by column; cells that this lacks do not count."""
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


class CounterfactualSearch:
    """Rows on their way to what is expected, one cell after the other.

    Parameters
    ----------
    score : callable
        Gives the scores of a table.
    X, normal : tables of shapes (n_samples, n_features) and (n_normal, n_features)
        The rows, and normal ones that cells are taken from.
    threshold : float
        Score from which on a row is normal.

    Attributes
    ----------
    scores : ndarray of shape (n_samples,)
        Of the rows as they are by now.
    is_replaced : ndarray of bool, shape (n_samples, n_features)
        Which of their cells are another's.
    gains : ndarray of shape (n_samples, n_features)
        By how much the replacement of a cell raised the score, or 0.
    """

    def __init__(self, score, X, normal, threshold):
        columns = TableColumns.learn(normal, max_categories=len(normal))  # none are joined
        self._is_number = ~columns.is_category
        self._read, self._read_normal = columns.read(X), columns.read(normal)
        expected = expected_cells(self._read, self._read_normal, self._is_number)
        self._score, self._cells, self._threshold = score, Cells(X, normal), threshold
        shape = expected.shape
        self._theirs = theirs = np.take_along_axis(self._read_normal, expected, 0)
        is_same = (theirs == self._read) | (np.isnan(theirs) & np.isnan(self._read))
        self._own = np.broadcast_to(np.arange(shape[0])[:, None], shape)
        self._other = shape[0] + expected
        self.is_replaced, self.gains = np.zeros(shape, bool), np.zeros(shape)
        # What the replacement of a cell gained when it was last tried.
        self._promises = np.where(is_same, -np.inf, np.inf)
        self.scores = self._scores_with(np.arange(shape[0]), self.is_replaced)

    @property
    def is_normal(self):
        """Whether rows are normal by now, an array."""
        return self.scores >= self._threshold

    def repaired(self):
        """Return the rows as they are by now, in the user's format."""
        return self._cells.assemble(np.where(self.is_replaced, self._other, self._own))

    def expected(self):
        """Return what is expected in each cell, in the user's format."""
        return self._cells.assemble(self._other)

    def go(self, until_normal=False):
        """Replace cells of rows while that raises their scores.

        Parameters
        ----------
        until_normal : bool, default=False
            Whether to stop at rows that are normal.
        """
        rows = np.flatnonzero(~(self.is_normal & until_normal))
        for _ in range(MAX_STEPS):
            rows = rows[self._replace_best(rows)]
            rows = rows[~self.is_normal[rows]]
        rows = np.flatnonzero(~self.is_normal)
        n_at_a_time = max(1, MAX_CELLS // self._own.shape[1] ** 2)
        for start in range(0, len(rows), n_at_a_time):
            self._replace_together(rows[start : start + n_at_a_time])
        # The rest once each: that all are tried at every step is for what matters most.
        for columns in np.argsort(-self._promises, axis=1, kind="stable").T:
            is_open = self._promises[self._at, columns] > 0
            rows = np.flatnonzero(is_open & ~(self.is_normal & until_normal))
            self._try(rows, columns[rows])

    def become_normal(self):
        """Replace rows that are not normal by the normal rows that are most like them."""
        for row in np.flatnonzero(~self.is_normal):
            differences = _differences(self._read[row], self._read_normal, self._is_number)
            like = differences.sum(1).argmin()
            self._other[row] = len(self.scores) + like
            self.is_replaced[row], self.gains[row] = True, differences[like]
        self.scores = self._scores_with(self._at, self.is_replaced)

    def trim_fraction(self):
        """Undo replacements that rows stay normal without, the least useful ones first."""
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
        """Replace one cell of each row, and tell where that raised the score."""
        promises = self._promises[rows]
        i, j = np.nonzero(promises > -np.inf)
        scores = np.full(promises.shape, -np.inf)
        scores[i, j] = self._scores_of_trials(rows[i], j)
        self._promises[rows] = scores - self.scores[rows, None]
        best = scores.argmax(1)
        return self._accept(rows, best, scores[np.arange(len(rows)), best])

    def _replace_together(self, rows):
        """Replace cells of rows that raise the score only together.

        They are those farthest from what is expected, as many as raise the score most, without
        those of them that it can do without. What they gain is shared by what each is needed for.
        """
        distances = _differences(self._read[rows], self._theirs[rows], self._is_number)
        ranks = np.argsort(np.argsort(-distances, axis=1, kind="stable"), axis=1)
        is_open, all_columns = self._promises[rows] > -np.inf, np.arange(ranks.shape[1])
        sets = is_open[:, None] & (ranks[:, None] <= all_columns[:, None])
        scores = self._scores_of_sets(rows, sets)
        best = sets[np.arange(len(rows)), scores.argmax(1)]
        without = best[:, None] & (all_columns != all_columns[:, None])
        needs = scores.max(1)[:, None] - self._scores_of_sets(rows, without)
        best &= needs > 0
        scores = self._scores_of_sets(rows, best[:, None])[:, 0]
        is_better = scores > self.scores[rows]
        rows, scores, shares = rows[is_better], scores[is_better], (needs * best)[is_better]
        shares /= shares.sum(1, keepdims=True)
        self.gains[rows] += shares * (scores - self.scores[rows])[:, None]
        self.is_replaced[rows] |= best[is_better]
        self._promises[rows] = np.where(best[is_better], -np.inf, self._promises[rows])
        self.scores[rows] = scores

    def _scores_of_sets(self, rows, sets):
        """Return the scores of rows with sets of further cells replaced, one for each set."""
        trials = (self.is_replaced[rows][:, None] | sets).reshape(-1, sets.shape[2])
        return self._scores_with(np.repeat(rows, sets.shape[1]), trials).reshape(sets.shape[:2])

    def _try(self, rows, columns):
        """Replace a cell of each row if that raises the score."""
        self._accept(rows, columns, self._scores_of_trials(rows, columns))

    def _accept(self, rows, columns, scores):
        """Replace cells where the scores are higher than before, and tell where."""
        is_better = scores > self.scores[rows]
        rows, columns, scores = rows[is_better], columns[is_better], scores[is_better]
        self.is_replaced[rows, columns] = True
        self.gains[rows, columns] = scores - self.scores[rows]
        self.scores[rows] = scores
        self._promises[rows, columns] = -np.inf
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
        """Return the scores of rows, of which a function says for a slice what is replaced."""
        scores, n_at_a_time = np.empty(len(rows)), max(1, MAX_CELLS // self._own.shape[1])
        for start in range(0, len(rows), n_at_a_time):
            part = slice(start, start + n_at_a_time)
            own, other = self._own[rows[part]], self._other[rows[part]]
            scores[part] = self._score(self._cells.assemble(np.where(replaced(part), other, own)))
        return scores
