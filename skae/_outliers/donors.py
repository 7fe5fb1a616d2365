"""Missing cells, filled from similar rows."""

import numpy as np
from sklearn.impute import SimpleImputer
from sklearn.utils import gen_batches

#: Most rows that cells are taken from.
MAX_DONORS = 2_000

#: Rows that are compared at a time.
CHUNK_ROWS = 1_024

#: Squared distance below which a row is taken for the donor itself, and difference of such below
#: which two donors are as near.
ROUNDING = 1e-9


class Donors:
    """Fill missing cells with those of the row that is most similar in the other cells.

    A mean of several rows, or what a regression predicts, can lie in a gap between two clusters:
    an outlier. The cells of a row go together, as an imputation by the hot deck [1]_.

    Parameters
    ----------
    cells : ndarray of shape (n_samples, n_columns)
        Rows to take cells from.
    imputer : autoencoder or None
        Fills the missing cells of the donors. With None, the most frequent values do.
    rng : RandomState
        Draws donors if there are many.

    References
    ----------
    .. [1] R. R. Andridge and R. J. A. Little, "A review of hot deck imputation for survey
       non-response", International Statistical Review 78, 2010.
    """

    def __init__(self, cells, imputer, rng):
        if len(cells) > MAX_DONORS:
            cells = cells[rng.choice(len(cells), MAX_DONORS, replace=False)]
        if np.isnan(cells).any():
            cells = _filled_alone(cells) if imputer is None else imputer.impute(cells)
        self.cells, self._rows = cells, None

    def fill(self, cells, elements):
        """Return cells, missing ones filled.

        A row is not its own donor, unless there is no other.

        Parameters
        ----------
        cells : ndarray of shape (n_samples, n_columns)
        elements : callable
            Returns cells as numbers, NaN where they are missing.

        Returns
        -------
        ndarray of shape (n_samples, n_columns)
        """
        is_missing = np.isnan(cells)
        rows = np.flatnonzero(is_missing.any(1))
        if not len(rows):
            return cells
        if self._rows is None:
            self._rows = np.nan_to_num(elements(self.cells))
        filled = cells.copy()
        for part in gen_batches(len(rows), CHUNK_ROWS):
            some = rows[part]
            donors = self.cells[self._nearest(elements(cells[some]))]
            filled[some] = np.where(is_missing[some], donors, cells[some])
        return filled

    def _nearest(self, elements):
        known = ~np.isnan(elements)
        elements = np.nan_to_num(elements)
        squares = (
            np.square(elements).sum(1)[:, None]
            - 2 * elements @ self._rows.T
            + known @ np.square(self._rows).T
        )
        rounding = ROUNDING * (1 + np.square(elements).sum(1)[:, None])
        squares[squares <= rounding] = np.inf
        # The first one of those that are as near, which rounding tells apart by the other rows.
        return (squares <= squares.min(1, keepdims=True) + rounding).argmax(1)


def _filled_alone(cells):
    """Return cells, missing ones filled with the most frequent one of their column."""
    return SimpleImputer(strategy="most_frequent", keep_empty_features=True).fit_transform(cells)
