"""Distances of a row: to other rows, and of its cells to what the other cells let expect.

The classes of distances that count learn from rows and have ``left_out``, the distances of these
rows if each is left out of what is learned, and ``distances``, those of other rows. Rows are of
shape (n_samples, n_features), distances of shape (n_samples,) or (n_samples, n_scales).
"""

from functools import cached_property

import numpy as np
from sklearn import config_context
from sklearn.neighbors import NearestNeighbors

#: Fraction by which variances are raised, against chance correlations: so many times the number of
#: features for each row, at most as large.
SHRINKAGE, MAX_SHRINKAGE = 2.0, 0.1

#: Added to all variances, of features that have unit variance, but those that are 0.
LEAST_VARIANCE = 1e-4

#: Added to distances, so that they have logarithms.
LEAST_DISTANCE = np.finfo(np.float32).eps

#: Distance below which rows are equal, as a fraction of their norm.
ROUNDING = 1e-6

#: Largest leverage of a row: its residual is divided by what is left to 1.
MAX_LEVERAGE = 0.999


class NeighborDistances:
    """Mean distances to the nearest rows, for several numbers of neighbors.

    Parameters
    ----------
    rows : ndarray of shape (n_samples, n_features)
    scale : float or ndarray of shape (n_features,)
        The features are divided by it.
    n_neighbors : tuple of int
    n_jobs : int or None
    """

    def __init__(self, rows, scale, n_neighbors, n_jobs):
        self.scale, self.n_neighbors, self.n_jobs = scale, n_neighbors, n_jobs
        self.rows = rows / scale
        self._make_index()

    def _make_index(self):
        self.n_nearest = max(1, min(max(self.n_neighbors), len(self.rows) - 1))
        self._index = NearestNeighbors(n_neighbors=self.n_nearest, n_jobs=self.n_jobs)
        self._index.fit(self.rows)

    def __getstate__(self):
        """Return the state for pickle, in which the rows are the index."""
        return {n: v for n, v in vars(self).items() if n not in ("_index", "firsts")}

    def __setstate__(self, state):
        vars(self).update(state)
        self._make_index()

    def left_out(self):
        if len(self.rows) == 1:
            return np.full((1, len(self.n_neighbors)), LEAST_DISTANCE)
        distances, _ = self._index.kneighbors()
        return self._means(distances)

    def distances(self, rows):
        return self.with_nearest(rows)[0]

    def with_nearest(self, rows):
        """Return the distances, and the position of the row that each is equal to, or -1.

        Of several rows that are equal, it is the first, whatever the other rows.
        """
        rows = rows / self.scale
        with config_context(assume_finite=True, skip_parameter_validation=True):  # of single rows
            distances, nearest = self._index.kneighbors(rows)
        # Distances are computed from dot products: those of equal rows are rarely exactly 0.
        is_equal = distances[:, 0] <= ROUNDING * (1 + np.linalg.norm(rows, axis=1))
        return self._means(distances), np.where(is_equal, self.firsts[nearest[:, 0]], -1)

    @cached_property
    def firsts(self):
        """For each row, the position of the first one that is equal to it."""
        _, firsts, group = np.unique(self.rows, axis=0, return_index=True, return_inverse=True)
        return firsts[group]

    def _means(self, distances):
        return (
            np.column_stack([distances[:, :n].mean(1) for n in self.n_neighbors]) + LEAST_DISTANCE
        )


class MahalanobisDistance:
    """Mahalanobis distance, squared.

    Parameters
    ----------
    rows : ndarray of shape (n_samples, n_features)
    """

    def __init__(self, rows):
        self.mean = rows.mean(0)
        centered = rows - self.mean
        covariance = centered.T @ centered / len(centered)
        shrinkage = min(SHRINKAGE * rows.shape[1] / len(rows), MAX_SHRINKAGE)
        variances = np.diag(covariance)
        widened = np.where(variances > 0, variances * (1 + shrinkage) + LEAST_VARIANCE, 1.0)
        np.fill_diagonal(covariance, widened)
        self.precision = np.linalg.inv(covariance)

    def distances(self, rows):
        centered = rows - self.mean
        return np.maximum((centered @ self.precision * centered).sum(1), 0) + LEAST_DISTANCE


class CellDistance(MahalanobisDistance):
    """Largest residual of a cell given the other cells, in standard deviations.

    The residual is what linear regression on all other features leaves of a feature. All of
    them together follow from the inverse of the covariance.

    Parameters
    ----------
    rows : ndarray of shape (n_samples, n_features)
    """

    def __init__(self, rows):
        super().__init__(rows)
        self.deviations = np.sqrt(np.diag(self.precision))

    def left_out(self, rows):
        # The inverse without a row differs by a matrix of rank 1 (Sherman and Morrison).
        n, precision = len(rows), self.precision / len(rows)
        centered = rows - self.mean
        raised = centered @ precision
        leverages = (raised * centered).sum(1, keepdims=True) * n / max(n - 1, 1)
        left = 1 - np.minimum(leverages, MAX_LEVERAGE)
        variances = np.diag(precision) + np.square(raised) / left
        return self._largest(np.sqrt(n / variances) * raised / left)

    def distances(self, rows):
        return self._largest((rows - self.mean) @ self.precision / self.deviations)

    @staticmethod
    def _largest(residuals):
        return np.abs(residuals).max(1) + LEAST_DISTANCE


def deviations(rows, least=0.0):
    """Return standard deviations, and 1 for those up to ``least``."""
    of_features = rows.std(0)
    return np.where(of_features > least, of_features, 1.0)
