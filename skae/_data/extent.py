"""How far the values of samples go, to tell those that are far beyond."""

import numpy as np
from scipy import sparse

from skae._data.columns import squash, stretch
from skae.exceptions import ExtrapolationWarning, warn

#: Values are far beyond others if they are this many times the range of those away from it.
FAR = 10.0

#: Columns that a warning names, at most.
MAX_NAMED = 5

#: Rows that are compared without a search for the ends of the columns, at most.
FEW = 64

#: Columns from which on the ends of all of them are found fast.
MANY_COLUMNS = 512


def _ends(X):
    """Return the smallest and the largest known value of each column."""
    if sparse.issparse(X):
        return X.min(axis=0).toarray().ravel(), X.max(axis=0).toarray().ravel()
    n_columns = X.shape[1]
    n_joined = min(MANY_COLUMNS // n_columns, len(X)) if X.flags.c_contiguous else 1
    if n_joined <= 1:
        return np.fmin.reduce(X, axis=0), np.fmax.reduce(X, axis=0)
    # Several rows as a long one, which is many times as fast for few columns.
    n_whole = len(X) // n_joined * n_joined
    long, rest = X[:n_whole].reshape(-1, n_joined * n_columns), X[n_whole:]
    low = high = long[0]
    for start in range(0, len(long), FEW):  # few at a time, which stay in the cache for both
        part = long[start : start + FEW]
        low = np.fmin(low, np.fmin.reduce(part, axis=0))
        high = np.fmax(high, np.fmax.reduce(part, axis=0))
    pairs = (np.fmin, low), (np.fmax, high)
    return [
        function.reduce(np.concatenate([end.reshape(-1, n_columns), rest]), axis=0)
        for function, end in pairs
    ]


class Extent:
    """The smallest and the largest value of each column, and how far others may be from them.

    Parameters
    ----------
    low, high : array-like of shape (n_columns,)
        NaN where nothing is known.

    Attributes
    ----------
    least, most : ndarray of shape (n_columns,)
        Values below or above are far beyond.
    """

    def __init__(self, low, high):
        self.low, self.high = (np.asarray(end, np.float64) for end in (low, high))
        with np.errstate(over="ignore", invalid="ignore"):
            self.least, self.most = self._bounds()

    @classmethod
    def of(cls, X):
        """Return that of an array or a CSR matrix, which may hold NaN."""
        return cls(*_ends(X))

    def _bounds(self):
        span = self.high - self.low
        # What hardly varied may vary as other columns do, and a constant by its size or 1.
        span = np.where(span > 0, span, np.maximum(np.abs(self.high), 1.0))
        usual = span[np.isfinite(span)]
        span = np.maximum(span, np.median(usual) if len(usual) else 0.0)
        return self.low - FAR * span, self.high + FAR * span

    def widened(self, other):
        """Return that of these values and others."""
        return type(self)(np.fmin(self.low, other.low), np.fmax(self.high, other.high))

    def far_columns(self, X):
        """Return which columns of an array or a CSR matrix hold values that are far beyond."""
        if sparse.issparse(X) or len(X) > FEW:
            low, high = _ends(X)
            return np.flatnonzero((low < self.least) | (high > self.most))
        is_far = (self.least > X) | (self.most < X)
        return np.flatnonzero(is_far.any(0)) if is_far.any() else ()

    def warn_of(self, found, names=None):
        """Warn of columns that hold values far beyond those of the fit.

        Parameters
        ----------
        found : sequence of int
            As of ``far_columns``.
        names : sequence of str or None, default=None
            Of the columns.
        """
        what = "X holds"
        if len(self.low) > 1:
            few = [int(i) if names is None else str(names[i]) for i in found[:MAX_NAMED]]
            more = f" and {len(found) - MAX_NAMED} more" if len(found) > MAX_NAMED else ""
            what = f"In X, columns {few}{more} hold"
        warn(
            f"{what} values far beyond those of the fit, for which codes and reconstructions mean "
            "little. Check that X is in the same units, and scaled in the same way.",
            ExtrapolationWarning,
        )


class CellExtent(Extent):
    """Extent of columns whose tails are drawn together.

    Parameters
    ----------
    low, high : array-like of shape (n_columns,)
        Infinite for columns in which no value is far.
    """

    def _bounds(self):
        ends = stretch(self.low), stretch(self.high)
        return tuple(squash(bound) for bound in Extent(*ends)._bounds())
