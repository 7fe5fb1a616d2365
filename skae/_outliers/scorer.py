"""Outlier scores for tables: the default of `OutlierDetector`."""

from dataclasses import field
from typing import Any

import numpy as np
import torch
from scipy.special import logsumexp
from sklearn.base import clone
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import NearestNeighbors
from sklearn.utils import check_random_state, gen_batches
from sklearn.utils.validation import check_is_fitted

from skae._data.given import as_data
from skae._data.tables import TableDataset, TableReader
from skae._estimators.ensemble import EnsembleAutoencoder
from skae._estimators.reading import learn
from skae._estimators.tabular import TabularAutoencoder
from skae._params import (
    JOBS,
    FittedAttributes,
    ParameterMixin,
    fit_context,
    integer,
    parameter_class,
    real,
    refuse_class,
    unchanged_on_error,
)
from skae._training.session import warn_of_one

#: Neighbors that vote on a suspected row.
N_VOTERS = 10

#: Rows that are scored at a time.
CHUNK_ROWS = 2**13

#: Fraction by which the variance of each residual is raised, against chance correlations.
SHRINKAGE = 0.1

#: Distance below which rows are equal, as a fraction of their norm.
ROUNDING = 1e-6

#: Added to the variances of residuals, except those that are always 0.
LEAST_VARIANCE = 1e-4


@parameter_class
class TabularOutlierScorer(FittedAttributes, ParameterMixin):
    """Outlier scores for tables, from autoencoders and distances to neighbors.

    ``OutlierDetector()`` uses these scores by default. They work for all kinds of tables without
    tuning, also if there are anomalies among the training rows:

    - An isolation forest selects a fraction ``trim_fraction`` of the training rows as suspected
      outliers. A suspected row becomes an inlier again if most of its nearest neighbors are
      inliers, and this is repeated until nothing changes. Such rows are at the edge of the
      normal rows, while similar anomalies have each other as neighbors. The other suspected
      rows are left out of the training.
    - A linear and a deep autoencoder are trained on the inliers, with some cells hidden. The
      first distance is the Mahalanobis distance of a row's residuals [2]_, the differences
      from its reconstruction.
    - The other two are mean distances to the nearest inliers: one with numbers scaled by their
      interquartile range, one by their standard deviation.

    The logarithms of the three distances are put on one scale and combined by a smooth maximum:
    a row is an outlier if one distance is large, or if all are somewhat large [1]_. The
    autoencoders fill missing cells. A category that is new is far from all others.

    Parameters
    ----------
    estimator : TabularAutoencoder, list of TabularAutoencoder or None, default=None
        The members of the ensemble are copies of it, as for `EnsembleAutoencoder`. None is a
        linear and a deep one, trained for few epochs: with more, they would learn anomalies
        among the training rows, too.
    n_estimators : int, default=2
        Number of autoencoders.
    n_neighbors : int, default=4
        Number of nearest rows for the mean distances.
    trim_fraction : float, default=0.3
        Fraction of the training rows that are suspected at first, in [0, 1). With 0, all rows
        are inliers: if the training rows are known to be normal, scores are slightly better.
    max_samples : int, default=10_000
        Largest number of training rows to use. If there are more, so many are drawn.
    categorical_features : "from_dtype", None or array-like of bool, int or str, \
            default="from_dtype"
        Categorical columns, as for `TabularAutoencoder`.
    max_categories : int, default=100
        Largest number of categories of a column. If there are more, the rarest are merged.
    n_jobs : int or None, default=None
        Number of processes or threads. None is one, -1 as many as there are cores.
    random_state : int, RandomState instance or None, default=None
        Seed of the forest and of the autoencoders. An int gives the same scores at every fit.

    Attributes
    ----------
    ensemble_ : EnsembleAutoencoder
        The autoencoders. Their input is scaled numbers and category codes, not the table.
    inlier_indices_ : ndarray of int
        Positions of the training rows that the autoencoders were trained on.
    n_features_in_ : int
        Number of columns of the training rows.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, if the training rows were a DataFrame.

    See Also
    --------
    OutlierDetector : Sets a threshold, and explains outliers.

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
    >>> scorer = TabularOutlierScorer(random_state=0).fit(X)
    >>> outlier = np.array([[0.7, 0.7, 0.7, 0.2]])
    >>> bool(scorer.score_samples(outlier) < scorer.score_samples(X).min())
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
        "n_jobs": JOBS,
        "random_state": ["random_state"],
    }

    @classmethod
    def _parts(cls):
        return {"estimator": [TabularAutoencoder]}

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None):
        """Fit the scorer.

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
            If a parameter or the data is invalid. An estimator that was fitted before does not
            change.
        """
        del y
        with unchanged_on_error(self):
            self._fit(X)
        return self

    def _fit(self, X):
        rng = check_random_state(self.random_state)
        dataset = learn(self, X)
        if len(dataset) == 1:
            warn_of_one(self)
        cells, sample = dataset.X, np.arange(len(dataset))
        if len(cells) > self.max_samples:
            sample = np.sort(rng.choice(len(cells), self.max_samples, replace=False))
            cells = cells[sample]
        # A normal variable is this large in less than one training row.
        self._new_category = np.sqrt(2 * np.log(len(cells) + 1))
        is_inlier = self._is_inlier(cells, rng)
        self.inlier_indices_ = sample[is_inlier]
        ensemble = EnsembleAutoencoder(
            self._members(), self.n_estimators, n_jobs=self.n_jobs, random_state=_seed(rng)
        )
        _, inliers = ensemble._make_reader().learn(cells[is_inlier])
        self.ensemble_ = ensemble.fit(inliers)
        filled = self._filled(cells[is_inlier])
        self._distance = _MahalanobisDistance(self._residuals_of(filled))
        inliers = self._vectors(filled)
        self._neighborhoods = [
            _Neighborhood(inliers, scale, self.n_neighbors, self.n_jobs)
            for scale in (1.0, self._scale(inliers))
        ]
        logs = self._log_distances(cells)
        low, self._centers, high = np.quantile(logs, [0.25, 0.5, 0.75], axis=1)
        scales = np.where(high > low, high - low, logs.std(1))
        self._scales = np.where(scales > 0, scales, 1.0)

    def _make_reader(self):
        return TableReader(self.categorical_features, self.max_categories)

    def _members(self):
        """Return the autoencoders to make copies of, with the categorical columns set."""
        given = self.estimator
        if given is None:
            linear = TabularAutoencoder(hidden_layer_sizes=(), max_epochs=10)
            given = [linear, TabularAutoencoder(max_epochs=20)]
            for one in given:
                one.set_params(early_stopping=False)
        given = given if isinstance(given, (list, tuple)) else [given]
        for one in given:
            refuse_class("estimator", one)
            if not isinstance(one, TabularAutoencoder):
                raise ValueError(
                    "estimator must be a TabularAutoencoder, or a list of them; got "
                    f"{one!r}. OutlierDetector takes other estimators."
                )
        members = [clone(one) for one in given]
        for member in members:
            member.set_params(
                categorical_features=self._reader.format.columns.is_category.tolist(),
                max_categories=self.max_categories + 1,
                check_baseline=False,
            )
        return members

    def score_samples(self, X):
        """Return outlier scores: the higher, the more normal.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            Minus the smooth maximum of the logarithms of three distances. From each, the median
            of the training rows is subtracted, and it is divided by their interquartile range.
            Outliers have the lowest scores. A row is not its own neighbor: one neighbor at
            distance 0 is left out.
        """
        check_is_fitted(self)
        dataset = self._reader.read(X, estimator=self)
        scores = np.empty(len(dataset))
        for which in gen_batches(len(dataset), CHUNK_ROWS):
            logs = self._log_distances(dataset.X[which])
            scaled = (logs.T - self._centers) / self._scales
            scores[which] = -logsumexp(scaled, axis=1, b=1 / len(logs))
        return scores

    def score(self, X, y=None):
        """Return the R2 of the reconstructions, to choose parameters without labels.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Rows.
        y : None
            Ignored.

        Returns
        -------
        score : float
            As for `TabularAutoencoder`: the fraction of variance explained, averaged over the
            columns.
        """
        del y
        check_is_fitted(self)
        dataset = self._reader.read(X, estimator=self)
        return self.ensemble_.score(dataset.X)

    def impute(self, X):
        """Fill the missing cells of X with the values predicted from the other cells.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Rows, with NaN, None or NA where a cell is missing.

        Returns
        -------
        X_imputed : ndarray or DataFrame of shape (n_samples, n_features)
            The rows. All other cells are unchanged. Columns that were wholly missing in the
            training rows stay missing, as a warning of ``fit`` says.
        """
        check_is_fitted(self)
        X = as_data(X)
        dataset = self._reader.read(X, estimator=self)
        cells = self._filled(dataset.X)
        index = None if dataset.format.frame is None else dataset.format.frame.index
        restored = self._reader.format.columns.restore(cells, index)
        return dataset.format.complete(X, dataset.format.in_frame(restored))

    def _log_distances(self, cells):
        """Return the logarithms of the three distances, shape (3, n_samples)."""
        # Missing cells make the others harder to reconstruct: this must not look anomalous.
        filled = self._filled(cells)
        vectors = self._vectors(filled)
        distances = [
            self._distance.distances(self._residuals_of(filled)),
            *(one.distances(vectors) for one in self._neighborhoods),
        ]
        return np.log(distances)

    def _filled(self, cells):
        return self.ensemble_.impute(cells) if np.isnan(cells).any() else cells

    def _is_inlier(self, cells, rng):
        """Return which training rows are inliers, to train on."""
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
        """Return rows as vectors of numbers and one-hot categories, one element for new ones."""
        dataset = TableDataset(cells, self._reader.format)
        x, _ = dataset.get_batch(slice(None), torch.float64)
        return np.nan_to_num(self._with_new_categories(x.numpy(), dataset.column_layout))

    def _scale(self, vectors):
        """Return standard deviations of numbers, and 1 for categories."""
        scale, n_numbers = np.ones(vectors.shape[1]), self._reader.format.column_layout.n_numbers
        stds = vectors[:, :n_numbers].std(0)
        scale[:n_numbers] = np.where(stds > 0, stds, 1.0)
        return scale

    def _residuals_of(self, cells):
        """Return the differences of rows from their reconstructions."""
        dataset = self.ensemble_._reader.read(cells, estimator=self.ensemble_)
        x = dataset.get_batch(slice(None), dataset.dtype)[0].numpy()
        restored = self.ensemble_._reconstruct(dataset)
        difference = self._with_new_categories(x, dataset.column_layout)
        difference[:, : x.shape[1]] -= restored
        return np.nan_to_num(difference)

    def _with_new_categories(self, x, column_layout):
        """Append an element for each categorical column, above 0 for categories that are new."""
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
    """Mean distance to the nearest rows.

    Parameters
    ----------
    rows : ndarray of shape (n_samples, n_features)
    scale : float or ndarray of shape (n_features,)
        The features are divided by it.
    n_neighbors : int
    n_jobs : int or None
    """

    def __init__(self, rows, scale, n_neighbors, n_jobs):
        self.scale = scale
        # One more: a training row finds itself.
        n_neighbors = min(n_neighbors + 1, len(rows))
        self.index = NearestNeighbors(n_neighbors=n_neighbors, n_jobs=n_jobs).fit(rows / scale)

    def distances(self, rows):
        rows = rows / self.scale
        distances, _ = self.index.kneighbors(rows)
        if distances.shape[1] > 1:
            # Distances are computed from dot products: those of equal rows are rarely exactly 0.
            is_itself = distances[:, 0] <= ROUNDING * (1 + np.linalg.norm(rows, axis=1))
            distances = np.where(is_itself[:, None], distances[:, 1:], distances[:, :-1])
        return distances.mean(1) + np.finfo(np.float32).eps


class _MahalanobisDistance:
    """Mahalanobis distance of residuals.

    Parameters
    ----------
    residuals : ndarray of shape (n_samples, n_features)
        Residuals of the inliers.
    """

    def __init__(self, residuals):
        self.mean = residuals.mean(0)
        centered = residuals - self.mean
        covariance = centered.T @ centered / len(centered)
        variances = np.diag(covariance)
        widened = np.where(variances > 0, variances * (1 + SHRINKAGE) + LEAST_VARIANCE, 1.0)
        np.fill_diagonal(covariance, widened)
        self.root = np.linalg.cholesky(np.linalg.inv(covariance))

    def distances(self, residuals):
        return np.square((residuals - self.mean) @ self.root).sum(1) + np.finfo(np.float32).eps


def _seed(rng):
    return int(rng.randint(np.iinfo(np.int32).max))
