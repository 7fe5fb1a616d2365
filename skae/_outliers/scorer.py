"""How typical the rows of a table are: the default of `OutlierDetector`."""

from dataclasses import field
from numbers import Integral
from typing import Any

import numpy as np
import torch
from scipy.special import logsumexp
from sklearn.base import clone
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import NearestNeighbors
from sklearn.utils import check_random_state, gen_batches
from sklearn.utils.validation import check_is_fitted

from skae._data.tables import TableDataset, TableLayout
from skae._estimators.ensemble import EnsembleAutoencoder
from skae._estimators.tabular import TabularAutoencoder
from skae._params import (
    ParameterMixin,
    fit_context,
    integer,
    parameter_class,
    real,
    unchanged_on_error,
)

#: Neighbors that a suspected row is judged by.
N_VOTERS = 10

#: Rows that are scored at once.
CHUNK_ROWS = 2**13

#: Share of its variance by which each residual is widened, against correlations by chance.
SHRINKAGE = 0.1

#: Distance below which rows are the same, as a share of their length.
ROUNDING = 1e-6

#: Least variance of residuals, but of those that are always 0.
LEAST_VARIANCE = 1e-4


@parameter_class
class TabularOutlierScorer(ParameterMixin):
    """Typicality of rows: how near they are to others, and to what autoencoders expect.

    It is what ``OutlierDetector()`` scores rows by, made to work for all kinds of tables
    without being tuned, whether or not the training rows hold anomalies:

    - An isolation forest picks the rows that stand out most, a share ``trim_fraction``. Those of them
      whose nearest neighbors were mostly not picked are trusted again, until there are none
      such: they are at the edge of what is normal, while anomalies that are alike keep company
      with each other. The rest teach nothing.
    - Autoencoders, a linear one and a deep one, learn the trusted rows, with some of their
      cells hidden. How a row differs from its reconstruction is measured by the covariance of
      these differences [2]_.
    - The mean distance to the nearest trusted rows is measured twice: with numbers scaled by
      their interquartile range, and by their standard deviation.

    The logarithms of these three are put on one scale and joined by a smooth maximum, so that a
    row is odd if one of them says so clearly, or all a little [1]_. Missing cells are
    filled by the autoencoders, and a category that is new is far from all others.

    Parameters
    ----------
    estimator : TabularAutoencoder, list of these or None, default=None
        What the members of the ensemble are copies of, as for `EnsembleAutoencoder`. None are
        a linear one and a deep one, trained for a short time: the longer they are, the better
        they learn anomalies among the training rows as well.
    n_estimators : int, default=2
        Number of autoencoders.
    n_neighbors : int, default=4
        Nearest rows whose mean distance counts.
    trim_fraction : float, default=0.3
        Share of the training rows that is suspected at first, in [0, 1). 0 trusts all: where
        the training rows are known to be normal, it makes scores a little better.
    max_samples : int, default=10_000
        The most training rows that are used; of more, so many are drawn.
    categorical_features : "from_dtype", None or array-like of bool, int or str, \
            default="from_dtype"
        Columns that are categories, as for `TabularAutoencoder`.
    max_categories : int, default=100
        The most categories that a column can have; the rarest of more are joined into one.
    n_jobs : int or None, default=None
        Number of processes or threads. None is one, -1 as many as there are cores.
    random_state : int, RandomState instance or None, default=None
        Seeds the forest and the autoencoders. An int gives the same scores at every fit.

    Attributes
    ----------
    ensemble_ : EnsembleAutoencoder
        The autoencoders. They read scaled numbers and numbered categories, not the table.
    inlier_indices_ : ndarray of int
        The training rows that were learned from.
    n_features_in_ : int
        Number of columns of the training rows.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, if the training rows were a DataFrame.

    See Also
    --------
    OutlierDetector : Sets a threshold, and explains.

    References
    ----------
    .. [1] C. C. Aggarwal and S. Sathe, "Theoretical foundations and algorithms for outlier
       ensembles", ACM SIGKDD Explorations 17, 2015.
    .. [2] P. C. Mahalanobis, "On the generalized distance in statistics", Proceedings of the
       National Institute of Sciences of India 2, 1936.

    Examples
    --------
    >>> import numpy as np
    >>> from skae import TabularOutlierScorer
    >>> rng = np.random.default_rng(0)
    >>> X = rng.uniform(size=(200, 1)) + rng.normal(scale=0.05, size=(200, 4))
    >>> typicality = TabularOutlierScorer(random_state=0).fit(X)
    >>> odd = np.array([[0.7, 0.7, 0.7, 0.2]])
    >>> bool(typicality.score_samples(odd) < typicality.score_samples(X).min())
    True
    """

    estimator: Any = field(default=None, kw_only=False)
    n_estimators: int = 2
    n_neighbors: int = 4
    trim_fraction: float = 0.3
    max_samples: int = 10_000
    categorical_features: Any = "from_dtype"
    max_categories: int = 100
    n_jobs: int | None = None
    random_state: Any = None

    _parameter_constraints = {
        "n_estimators": [integer(1)],
        "n_neighbors": [integer(1)],
        "trim_fraction": [real(0, 1)],
        "max_samples": [integer(1)],
        "max_categories": [integer(2)],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None):
        """Learn what is typical.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Training rows. Cells can be missing.
        y : None
            Ignored.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        TypeError, ValueError
            If a parameter or the data is invalid. An estimator that was fitted before stays
            as it was.
        """
        del y
        with unchanged_on_error(self):
            self._fit(X)
        return self

    def _fit(self, X):
        rng = check_random_state(self.random_state)
        layout = TableLayout(self.categorical_features, self.max_categories)
        rows = layout.read(self, X, None, reset=True, fitted=None)
        self._layout, self._format = layout, rows.format.for_new_rows()
        cells, sample = rows.X, np.arange(len(rows))
        if len(cells) > self.max_samples:
            sample = np.sort(rng.choice(len(cells), self.max_samples, replace=False))
            cells = cells[sample]
        # As unlikely as what is seen in less than one row, if it were a normal deviation.
        self._new_category = np.sqrt(2 * np.log(len(cells) + 1))
        is_trusted = self._is_trusted(cells, rng)
        self.inlier_indices_ = sample[is_trusted]
        self.ensemble_ = EnsembleAutoencoder(
            self._members(), self.n_estimators, n_jobs=self.n_jobs, random_state=_seed(rng)
        ).fit(cells[is_trusted])
        filled = self._filled(cells[is_trusted])
        self._residuals = _Residuals(self._surprises(filled))
        trusted = self._vectors(filled)
        self._neighborhoods = [
            _Neighborhood(trusted, scale, self.n_neighbors, self.n_jobs)
            for scale in (1.0, self._scale(trusted))
        ]
        logs = self._log_distances(cells)
        low, self._centers, high = np.quantile(logs, [0.25, 0.5, 0.75], axis=1)
        spreads = np.where(high > low, high - low, logs.std(1))
        self._spreads = np.where(spreads > 0, spreads, 1.0)

    def _members(self):
        """Return the autoencoders to make copies of, told which of the cells are categories."""
        given = self.estimator
        if given is None:
            linear = TabularAutoencoder(hidden_layer_sizes=(), max_epochs=10)
            given = [linear, TabularAutoencoder(max_epochs=20)]
            for one in given:
                one.set_params(early_stopping=False)
        given = given if isinstance(given, (list, tuple)) else [given]
        for one in given:
            if not isinstance(one, TabularAutoencoder):
                raise ValueError(
                    "estimator must be a TabularAutoencoder, or a list of them; got "
                    f"{one!r}. OutlierDetector takes other estimators."
                )
        members = [clone(one) for one in given]
        for member in members:
            member.set_params(
                categorical_features=self._format.columns.is_category.tolist(),
                max_categories=self.max_categories + 1,
                check_baseline=False,
            )
        return members

    def score_samples(self, X):
        """Score rows by how typical they are.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            Minus the smooth maximum of the logarithms of three distances, each minus its median
            and divided by its interquartile range among the training rows. The higher, the more
            typical; the lowest are outliers. A row is not its own neighbor: one at distance 0
            is left out.
        """
        check_is_fitted(self)
        rows = self._layout.read(self, X, None, reset=False, fitted=self._format)
        scores = np.empty(len(rows))
        for which in gen_batches(len(rows), CHUNK_ROWS):
            logs = self._log_distances(rows.X[which])
            scaled = (logs.T - self._centers) / self._spreads
            scores[which] = -logsumexp(scaled, axis=1, b=1 / len(logs))
        return scores

    def score(self, X, y=None):
        """Return how well the autoencoders reconstruct rows, to choose parameters without labels.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Rows.
        y : None
            Ignored.

        Returns
        -------
        score : float
            As of `TabularAutoencoder`: the mean over the columns of the share of variance that
            is explained.
        """
        del y
        check_is_fitted(self)
        rows = self._layout.read(self, X, None, reset=False, fitted=self._format)
        return self.ensemble_.score(rows.X)

    def impute(self, X):
        """Fill the missing cells of X with what the other cells let expect.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Rows, with NaN, None or NA where a cell is missing.

        Returns
        -------
        X_imputed : ndarray or DataFrame of shape (n_samples, n_features)
            The rows, with all other cells as they are.
        """
        check_is_fitted(self)
        rows = self._layout.read(self, X, None, reset=False, fitted=self._format)
        cells = self._filled(rows.X)
        index = None if rows.format.frame is None else rows.format.frame.index
        return rows.format.complete(X, self._format.columns.restore(cells, index))

    def _log_distances(self, cells):
        """Return the logarithms of the three distances, shape (3, n_samples)."""
        # Where a cell is missing, all others are reconstructed worse: that is no sign of oddity.
        filled = self._filled(cells)
        vectors = self._vectors(filled)
        distances = [
            self._residuals.distances(self._surprises(filled)),
            *(one.distances(vectors) for one in self._neighborhoods),
        ]
        return np.log(distances)

    def _filled(self, cells):
        return self.ensemble_.impute(cells) if np.isnan(cells).any() else cells

    def _is_trusted(self, cells, rng):
        """Return which of the training rows to learn from."""
        vectors = self._vectors(cells)
        n_suspects = int(self.trim_fraction * len(vectors))
        is_suspect = np.zeros(len(vectors), bool)
        if not n_suspects:
            return ~is_suspect
        forest = IsolationForest(random_state=_seed(rng), n_jobs=self.n_jobs).fit(vectors)
        order = np.argsort(forest.score_samples(vectors), kind="stable")
        is_suspect[order[:n_suspects]] = True
        vectors = vectors / self._scale(vectors)
        index = NearestNeighbors(
            n_neighbors=min(N_VOTERS, len(vectors) - 1), n_jobs=self.n_jobs
        ).fit(vectors)
        voters = index.kneighbors(return_distance=False)
        while True:
            is_alone = is_suspect & (is_suspect[voters].mean(1) <= 0.5)
            if not is_alone.any():
                return ~is_suspect
            is_suspect &= ~is_alone

    def _vectors(self, cells):
        """Return rows as vectors: numbers, categories one-hot with one place for new ones."""
        x = TableDataset(cells, self._format).get_batch(slice(None), torch.float64)[0].numpy()
        return np.nan_to_num(self._with_new_categories(x, self._format.column_layout))

    def _scale(self, vectors):
        """Return standard deviations of numbers, and 1 for categories."""
        scale, n_numbers = np.ones(vectors.shape[1]), self._format.column_layout.n_numbers
        stds = vectors[:, :n_numbers].std(0)
        scale[:n_numbers] = np.where(stds > 0, stds, 1.0)
        return scale

    def _surprises(self, cells):
        """Return by how much rows differ from their reconstructions."""
        rows = self.ensemble_._read_input(cells)
        x = rows.get_batch(slice(None), rows.dtype)[0].numpy()
        restored = self.ensemble_._reconstruct(rows)
        difference = self._with_new_categories(x, rows.column_layout)
        difference[:, : x.shape[1]] -= restored
        return np.nan_to_num(difference)

    def _with_new_categories(self, x, column_layout):
        """Append for each column of categories how much a row's is one that is not known."""
        starts = column_layout.starts[column_layout.n_numbers :].numpy()
        if not len(starts):
            return x.copy()
        known = np.add.reduceat(
            x[:, column_layout.n_numbers :], starts - column_layout.n_numbers, axis=1
        )
        return np.column_stack([x, (1 - known) * self._new_category])

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = tags.input_tags.categorical = True
        return tags


class _Neighborhood:
    """Distance to the nearest of some rows.

    Parameters
    ----------
    rows : ndarray of shape (n_samples, n_features)
    scale : float or ndarray of shape (n_features,)
        What the features are divided by.
    n_neighbors : int
    n_jobs : int or None
    """

    def __init__(self, rows, scale, n_neighbors, n_jobs):
        self.scale = scale
        # One more, for the row itself.
        n_neighbors = min(n_neighbors + 1, len(rows))
        self.index = NearestNeighbors(n_neighbors=n_neighbors, n_jobs=n_jobs).fit(rows / scale)

    def distances(self, rows):
        rows = rows / self.scale
        distances, _ = self.index.kneighbors(rows)
        if distances.shape[1] > 1:
            # Distances are computed from products, and those of equal rows are hardly ever 0.
            is_itself = distances[:, 0] <= ROUNDING * (1 + np.linalg.norm(rows, axis=1))
            distances = np.where(is_itself[:, None], distances[:, 1:], distances[:, :-1])
        return distances.mean(1) + np.finfo(np.float32).eps


class _Residuals:
    """Mahalanobis distance of residuals.

    Parameters
    ----------
    residuals : ndarray of shape (n_samples, n_features)
        Of the trusted rows.
    """

    def __init__(self, residuals):
        self.mean = residuals.mean(0)
        centerd = residuals - self.mean
        covariance = centerd.T @ centerd / len(centerd)
        variances = np.diag(covariance)
        widened = np.where(variances > 0, variances * (1 + SHRINKAGE) + LEAST_VARIANCE, 1.0)
        np.fill_diagonal(covariance, widened)
        self.root = np.linalg.cholesky(np.linalg.inv(covariance))

    def distances(self, residuals):
        return np.square((residuals - self.mean) @ self.root).sum(1) + np.finfo(np.float32).eps


def _seed(rng):
    return int(rng.randint(np.iinfo(np.int32).max))
