"""Counterfactual explanations: which cells make a row anomalous, and what is expected there.

Only the scores of a model are used. The cells of an anomalous row are replaced one by one by those
of similar normal rows, each time the cell that raises the score most. If no single cell is enough,
several are replaced at once.

Scoring takes most of the time. So all cells of a row are tried only once, and then those that
raised the score most. What is tried in turn is scored many trials at a time, as if each were
accepted.
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

#: Steps that replace the best cell. Afterwards others are tried once, in order of their last gain.
MAX_STEPS = 10

#: Cells that are tried again after the first step, at most: those with the largest last gains.
MAX_TRIED = 50

#: Trials in turn are scored so many at a time, if there are not more rows.
N_TRIALS = 64

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
        self._at = np.arange(shape[0])
        self.scores = self._scores_of(self._at, self.is_replaced)

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
            is_better = self._replace_best(rows)
            rows = rows[is_better | (self._last_gains[rows] > 0).any(1)]
            rows = rows[~self.is_normal[rows]]
        rows, sizes = np.flatnonzero(~self.is_normal), _sizes(self._own.shape[1])
        n_at_a_time = max(1, MAX_CELLS // (self._own.shape[1] * len(sizes)))
        for start in range(0, len(rows), n_at_a_time):
            self._replace_together(rows[start : start + n_at_a_time], sizes)
        self._replace_others(until_normal)

    def use_nearest_rows(self):
        """Replace rows that are not normal by the most similar normal rows."""
        for row in np.flatnonzero(~self.is_normal):
            differences = _differences(self._read[row], self._read_normal, self._is_number)
            nearest = differences.sum(1).argmin()
            self._other[row] = len(self.scores) + nearest
            self.is_replaced[row], self.gains[row] = True, differences[nearest]
        self.scores = self._scores_of(self._at, np.zeros_like(self.is_replaced))

    def undo_needless(self):
        """Undo replacements that rows do not need to be normal, the smallest gains first."""
        is_open = self.is_replaced & self.is_normal[:, None]
        self._toggle_in_turn(is_open, self.gains, lambda scores, _: scores >= self._threshold)

    def _replace_best(self, rows):
        """Replace one cell of each row if that raises the score; return where it does."""
        is_tried = self._is_promising(rows)
        i, columns = np.nonzero(is_tried)
        scores = np.full(is_tried.shape, -np.inf)
        scores[is_tried] = self._scores_of_single(rows[i], columns)
        self._last_gains[rows[i], columns] = scores[is_tried] - self.scores[rows[i]]
        best, at = scores.argmax(1), np.arange(len(rows))
        is_better = scores[at, best] > self.scores[rows]
        at, rows, best = at[is_better], rows[is_better], best[is_better]
        self.is_replaced[rows, best] = True
        self.gains[rows, best] = scores[at, best] - self.scores[rows]
        self.scores[rows] = scores[at, best]
        self._last_gains[rows, best] = -np.inf
        return is_better

    def _is_promising(self, rows):
        """Return which cells had the largest last gains, or were never tried."""
        last_gains = self._last_gains[rows]
        is_largest = (_ranks(-last_gains) < MAX_TRIED) | (last_gains == np.inf)
        return is_largest & (last_gains > -np.inf)

    def _replace_together(self, rows, sizes):
        """Replace cells that raise the score of a row only together.

        The cells farthest from their expected values are tried, in several numbers. The smallest
        number that makes the row normal is taken, or the one that raises the score most. Cells
        that are not needed are left out. The gain is divided among the cells by how much the score
        falls without each of them.
        """
        is_open = self._last_gains[rows] > -np.inf
        distances = _differences(self._read[rows], self._theirs[rows], self._is_number)
        ranks = _ranks(np.where(is_open, -distances, np.inf))
        sets = is_open[:, None] & (ranks[:, None] < sizes[:, None])
        scores = self._scores_of_sets(rows, sets)
        is_enough = scores >= self._threshold
        at, which = np.arange(len(rows)), np.where(is_enough, np.inf, scores).argmax(1)
        best = sets[at, which]
        needs = self._needs(rows, best, scores[at, which])
        best &= needs > 0
        scores = self._scores_of(rows, best)
        # Without cells that are needed, scores differ by rounding.
        is_better = best.any(1) & (scores > self.scores[rows])
        rows, scores, fractions = rows[is_better], scores[is_better], (needs * best)[is_better]
        fractions *= SMALLER  # so that the sum is finite
        fractions /= fractions.sum(1, keepdims=True)
        self.gains[rows] += fractions * (scores - self.scores[rows])[:, None]
        self.is_replaced[rows] |= best[is_better]
        self._last_gains[rows] = np.where(best[is_better], -np.inf, self._last_gains[rows])
        self.scores[rows] = scores

    def _needs(self, rows, sets, scores):
        """Return how much the score falls if a cell of a set is not replaced, 0 elsewhere."""
        needs, (i, columns) = np.zeros(sets.shape), np.nonzero(sets)
        all_columns = np.arange(sets.shape[1])
        without = self._scores_in_parts(
            rows[i], lambda part: sets[i[part]] & (columns[part, None] != all_columns)
        )
        needs[i, columns] = scores[i] - without
        return needs

    def _replace_others(self, until_normal):
        """Replace each other cell if that raises the score when it is tried in its turn."""
        is_open = (self._last_gains > 0) & self._is_promising(self._at)

        def are_better(scores, before):
            return (scores > before) & ~(until_normal & (before >= self._threshold))

        self._toggle_in_turn(is_open, -self._last_gains, are_better, until_normal)

    def _toggle_in_turn(self, is_open, keys, accepts, until_normal=False):
        """Replace the cells of each row, or undo that, one after the other, where it is accepted.

        To score many trials at a time, each cell is assumed to fare like the one before it. Trials
        after the first that fares otherwise are repeated.

        Parameters
        ----------
        is_open : ndarray of bool, shape (n_samples, n_features)
            Cells to try.
        keys : ndarray of shape (n_samples, n_features)
            They are tried in this order.
        accepts : callable
            Says which trials are accepted, from the scores of rows with and without them.
        until_normal : bool, default=False
            Whether to leave rows as they are once they are normal.
        """
        order = np.argsort(np.where(is_open, keys, np.inf), axis=1, kind="stable")
        n_open, n_tried = is_open.sum(1), np.zeros(len(order), int)
        is_accepted_next = np.ones(len(order), bool)
        while True:
            is_done = (n_tried == n_open) | (self.is_normal & until_normal)
            rows = np.flatnonzero(~is_done)
            if not len(rows):
                return
            n_left, is_expected = (n_open - n_tried)[rows, None], is_accepted_next[rows, None]
            turns = np.arange(min(max(1, N_TRIALS // len(rows)), n_left.max()))
            which = np.minimum(n_tried[rows, None] + turns, order.shape[1] - 1)
            columns = order[rows[:, None], which]
            sets = columns[..., None] == np.arange(order.shape[1])
            sets = np.where(is_expected[..., None], np.logical_or.accumulate(sets, axis=1), sets)
            scores, own = self._scores_of_sets(rows, sets), self.scores[rows, None]
            before = np.where(is_expected, np.column_stack([own, scores[:, :-1]]), own)
            is_accepted = accepts(scores, before)
            is_wrong = is_accepted != is_expected
            is_tried = (np.cumsum(is_wrong, axis=1) <= is_wrong) & (turns < n_left)
            n_tried[rows] += is_tried.sum(1)
            is_accepted_next[rows] ^= (is_wrong & is_tried).any(1)
            i, turn = np.nonzero(is_accepted & is_tried)
            cells = rows[i], columns[i, turn]
            self.is_replaced[cells] ^= True
            self.gains[cells] = np.where(self.is_replaced[cells], (scores - before)[i, turn], 0.0)
            self.scores[rows[i]] = scores[i, turn]  # of the last one

    def _scores_of_single(self, rows, columns):
        """Return the scores of rows with one cell toggled."""
        all_columns = np.arange(self._own.shape[1])
        return self._scores_in_parts(rows, lambda part: columns[part, None] == all_columns)

    def _scores_of_sets(self, rows, sets):
        """Return the scores of rows for each set of toggled cells."""
        scores = self._scores_of(np.repeat(rows, sets.shape[1]), sets.reshape(-1, sets.shape[2]))
        return scores.reshape(sets.shape[:2])

    def _scores_of(self, rows, is_toggled):
        return self._scores_in_parts(rows, is_toggled.__getitem__)

    def _scores_in_parts(self, rows, toggled):
        """Return the scores of rows; a function returns which cells are toggled in a slice.

        To toggle a cell is to replace it or, if it is replaced, to undo that.
        """
        scores, n_at_a_time = np.empty(len(rows)), max(1, MAX_CELLS // self._own.shape[1])
        for start in range(0, len(rows), n_at_a_time):
            part = slice(start, start + n_at_a_time)
            is_replaced = self.is_replaced[rows[part]] ^ toggled(part)
            which = np.where(is_replaced, self._other[rows[part]], self._own[rows[part]])
            scores[part] = self._score(self._cells.assemble(which))
        return scores


def _ranks(values):
    """Return the position of each value in its sorted row."""
    return np.argsort(np.argsort(values, axis=1, kind="stable"), axis=1)


def _sizes(n):
    """Return sizes of sets of n cells: all of them up to a size, then a geometric sequence."""
    n_sizes = min(n, MAX_TRIED)
    return np.maximum(np.arange(1, n_sizes + 1), np.geomspace(1, n, n_sizes).astype(int))
