"""Outlier scores for tables: the default of `OutlierDetector`."""

from dataclasses import field
from numbers import Integral
from typing import Any

import numpy as np
import torch
from sklearn.base import clone
from sklearn.callback import CallbackSupportMixin
from sklearn.utils import check_random_state, gen_batches
from sklearn.utils.validation import check_is_fitted

from skae._data.columns import UNSEEN
from skae._data.given import as_data
from skae._data.tables import TableDataset, TableReader
from skae._estimators.ensemble import EnsembleAutoencoder
from skae._estimators.reading import learn
from skae._estimators.tabular import TabularAutoencoder
from skae._outliers.derived_columns import DerivedColumns
from skae._outliers.distances import CellDistance, NeighborDistances, deviations
from skae._outliers.donors import Donors
from skae._outliers.outlier_scorer import OutlierScorer
from skae._outliers.suspects import find_suspects
from skae._outliers.tails import TailScale
from skae._params import (
    JOBS,
    FittedAttributes,
    ParameterMixin,
    fit_context,
    integer,
    parameter_class,
    refuse_class,
    unchanged_on_error,
)
from skae._training.session import warn_of_one
from skae._training.tasks import Subtask, meta_task, task_facts

#: How much the distances between cells count, and those of residuals; distances to rows share the
#: rest. They are for single wrong cells, which make them very large.
CELL_WEIGHT, RESIDUAL_WEIGHT = 0.2, 0.1

#: Rows for each element, from which on what cells let expect of each other can be told.
MIN_ROWS = 3

#: Standard deviation of residuals, up to which they are noise.
LEAST_RESIDUAL = 0.02

#: What the score falls by each new category.
NOVELTY = 10.0

#: Rows that are scored at a time.
CHUNK_ROWS = 2**12


@parameter_class
class TabularOutlierScorer(OutlierScorer, FittedAttributes, CallbackSupportMixin, ParameterMixin):
    """Outlier scores for tables, from distances to other rows and from autoencoders.

    ``OutlierDetector()`` uses these scores by default. They work for all kinds of tables without
    tuning, whether or not there are anomalies among the training rows.

    Training rows that are suspect are left out of what is learned. Outliers that are alone do no
    harm, but groups of them would make each other look normal. So groups of similar rows are
    suspect that are far from most others, by a robust Mahalanobis distance of the numbers [1]_,
    and apart from them. A group of one in twelve rows is a mode of the data and never suspect;
    nor are rows because of a rare category, or because one column has a long tail.

    What counts is how far a row is from what is usual:

    - The mean distances to its 1, 4 and 16 nearest rows. The first see single rows in a gap, the
      last small groups far from all others. Numbers are scaled in two ways, by their
      standard deviation and by their interquartile range.
    - The largest residual of a cell, given all other cells, by linear regression.
    - The same of the residuals that autoencoders leave, for relations that are not linear.
      Each autoencoder is trained on one part of the rows. With few rows, neither of both counts.
    - A category that is new lowers the score in any case.

    Distances of training rows are computed as if the row itself was left out. So scores of
    training rows and of new rows are of one kind. How surprising a distance is, is minus the
    logarithm of the fraction of rows with a larger one. Beyond the training rows, the tail
    between the 75 % and the 99 % quantile is continued, by the rule that the logarithm of the
    distance has an exponential tail [2]_. The surprises are combined by a smooth maximum, which is
    the harmonic mean of the fractions [3]_: a row is an outlier if one distance is large, or
    if all are somewhat large. Missing cells are filled from the row that is most similar
    in the other cells.

    Some columns are looked at in another way:

    - A constant number is a category: any other number is new.
    - Times and counters grow with the order of the rows, so those of new rows are beyond all
      others. A warning names such columns, and those in which nearly every row has another time.
      They are left out, but for the hour, the day of the week and the season of times. A season
      counts if the rows cover a year. Times that are ten years off are odd.
    - Text that is different in every row is left out, and so are dates as text.
    - A new category counts as a rare one if new ones are usual, as in a column of names.
    - Differences of two dates are added if they vary less than both columns. Whether a difference
      is unusual counts as a new category does: of two dates or numbers of which one is always
      the larger, and would not be by chance, and of two numbers that differ by little. Up to 30
      numbers are compared.

    Parameters
    ----------
    estimator : TabularAutoencoder, list of TabularAutoencoder or None, default=None
        The members of the ensemble are copies of it, as for `EnsembleAutoencoder`. None is one
        that is trained for 20 epochs.
    n_estimators : int, default=2
        Number of autoencoders. Each is trained without one part of the rows, which are split
        in so many parts. A single one is trained on all rows.
    n_neighbors : int or tuple of int, default=(1, 4, 16)
        Numbers of nearest rows for the mean distances, one or several.
    assume_clean : bool, default=False
        Whether to learn from all training rows. Set it if you know that they are normal.
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
        Seed of the rows that are drawn and of the autoencoders. An int gives the same scores at
        every fit.
    verbose : int, default=0
        As of `EnsembleAutoencoder`: 1 shows a progress bar over the training of the autoencoders,
        and 0 shows nothing.

    Attributes
    ----------
    ensemble_ : EnsembleAutoencoder or None
        The autoencoders. Their input is scaled numbers and category codes, some of
        them derived, not the table. None if ``estimator`` is None and there are fewer than three
        rows for each element: for each number and each category.
    sample_indices_ : ndarray of int of shape (n_drawn,)
        Positions of the training rows that were drawn: all, unless ``max_samples`` is less.
    training_scores_ : ndarray of shape (n_drawn,)
        Their scores, each computed as if the row was left out.
    inlier_indices_ : ndarray of int of shape (n_inliers,)
        Positions of the training rows that were learned from: those drawn and not suspect.
    n_features_in_ : int
        Number of columns of the training rows.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, if the training rows were a DataFrame.

    See Also
    --------
    OutlierDetector : Sets a threshold, and explains outliers.

    References
    ----------
    .. [1] P. J. Rousseeuw and K. Van Driessen, "A fast algorithm for the minimum covariance
       determinant estimator", Technometrics 41, 1999.
    .. [2] B. M. Hill, "A simple general approach to inference about the tail of a distribution",
       Annals of Statistics 3, 1975.
    .. [3] D. J. Wilson, "The harmonic mean p-value for combining dependent tests", Proceedings
       of the National Academy of Sciences 116, 2019.

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
    n_neighbors: Any = (1, 4, 16)
    assume_clean: bool = False
    max_samples: int = 10_000
    categorical_features: Any = "from_dtype"
    max_categories: int = 100
    n_jobs: int | None = None
    random_state: Any = None
    verbose: int = 0

    _parameter_constraints = {
        "n_estimators": [integer(1)],
        "n_neighbors": [integer(1), tuple, list],
        "assume_clean": ["boolean"],
        "max_samples": [integer(1)],
        "max_categories": [integer(2)],
        "n_jobs": JOBS,
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    @classmethod
    def _parts(cls):
        return {"estimator": [TabularAutoencoder]}

    # Fitting.

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
        with unchanged_on_error(self), meta_task(task_facts(self, X), 1) as task:
            self._fit(X, task)
        return self

    def _fit(self, X, task):
        rng, n_neighbors = check_random_state(self.random_state), self._checked_n_neighbors()
        dataset = learn(self, X)
        if len(dataset) == 1:
            warn_of_one(self)
        self._columns = DerivedColumns.learn(dataset, type(self).__name__)
        sample = np.arange(len(dataset))
        if len(dataset) > self.max_samples:
            sample = np.sort(rng.choice(len(dataset), self.max_samples, replace=False))
        read = self._columns.read(dataset.X[sample])
        cells = read[:, : self._columns.n_modeled]
        # A normal variable is this large in less than one training row.
        self._new_category = np.sqrt(2 * np.log(len(cells) + 1))
        is_suspect = np.zeros(len(cells), bool) if self.assume_clean else self._suspects(cells)
        inliers = cells[~is_suspect]
        self.ensemble_ = self._fitted_ensemble(inliers, _seed(rng), task)
        self._donors = Donors(inliers, self.ensemble_, rng)
        self._learn_distances(self._filled(inliers), n_neighbors)
        scores = np.empty(len(cells))
        scores[~is_suspect] = self._combined(self._left_out, read[~is_suspect])
        if is_suspect.any():
            scores[is_suspect] = self._scores(read[is_suspect])
        self.sample_indices_, self.training_scores_ = sample, scores
        self.inlier_indices_ = sample[~is_suspect]

    def _checked_n_neighbors(self):
        given = self.n_neighbors
        given = [given] if isinstance(given, Integral) else list(given)
        if not given or not all(isinstance(n, Integral) and n >= 1 for n in given):
            raise ValueError(
                "n_neighbors must be an integer of at least 1, or a tuple of such; got "
                f"{self.n_neighbors!r}"
            )
        return given

    def _make_reader(self):
        return TableReader(self.categorical_features, self.max_categories)

    def _has_many(self, cells):
        """Say whether there are enough rows to tell what cells let expect of each other."""
        n_elements = int(self._columns.format.column_layout.sizes.sum())
        return len(cells) >= MIN_ROWS * n_elements

    def _suspects(self, cells):
        """Return which training rows are suspect."""
        vectors, n_numbers = self._vectors(cells), self._columns.format.column_layout.n_numbers
        vectors = vectors / self._deviations(vectors)
        return find_suspects(vectors[:, :n_numbers], vectors[:, n_numbers:], self.n_jobs)

    def _fitted_ensemble(self, cells, seed, task):
        """Return the autoencoders, each trained without one part of the rows; None if few rows."""
        n, n_members = len(cells), self.n_estimators
        if self.estimator is None and not self._has_many(cells):
            return None
        ensemble = EnsembleAutoencoder(
            self._members(),
            n_members,
            max_samples=n if n_members == 1 else n - n // n_members,
            n_jobs=self.n_jobs,
            random_state=seed,
            verbose=self.verbose,
        )
        _, inliers = ensemble._make_reader().learn(cells)
        within = Subtask(self, task.subcontext(task_name="fit-autoencoders"))
        with within.fit_of(ensemble, inliers):
            return ensemble.fit(inliers)

    def _members(self):
        """Return the autoencoders to make copies of, with the categorical columns set."""
        given = self.estimator
        if given is None:
            given = TabularAutoencoder(max_epochs=20)
            given.set_params(early_stopping=False)
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
                categorical_features=self._columns.format.columns.is_category.tolist(),
                max_categories=self.max_categories + 1,
                check_baseline=False,
            )
        return members

    def _learn_distances(self, cells, n_neighbors):
        """Learn distances, and how large they are where the row itself is left out."""
        vectors = self._vectors(cells)
        self._scale = self._deviations(vectors)
        self._neighborhoods = [
            NeighborDistances(vectors, scale, n_neighbors, self.n_jobs)
            for scale in (self._scale, 1.0)
        ]
        left_out = [each.left_out() for each in self._neighborhoods]
        n_distances, weights = 2 * len(n_neighbors), []
        self._cell_distance = self._residual_distance = None
        if self._has_many(cells):
            rows = vectors / self._scale
            self._cell_distance = CellDistance(rows)
            left_out.append(self._cell_distance.left_out(rows))
            weights.append(CELL_WEIGHT)
        if self.ensemble_ is not None:
            residuals = self._left_out_residuals(cells)
            # What is constant has residuals that are noise of the net.
            self._residual_scale = deviations(residuals, LEAST_RESIDUAL)
            rows = residuals / self._residual_scale
            self._residual_distance = CellDistance(rows)
            left_out.append(self._residual_distance.left_out(rows))
            weights.append(RESIDUAL_WEIGHT)
        self._left_out = np.log(np.column_stack(left_out))
        self._tails = TailScale(self._left_out)
        share = (1 - sum(weights)) / n_distances
        self._weights = np.array([share] * n_distances + weights)

    def _left_out_residuals(self, cells):
        """Return residuals of training rows, each by one autoencoder that it did not train."""
        of_members = self._residuals(cells)
        residuals = of_members[0].copy()
        for of_member, seen in zip(of_members, self.ensemble_.estimators_samples_, strict=True):
            unseen = np.setdiff1d(np.arange(len(cells)), seen)
            residuals[unseen] = of_member[unseen]
        return residuals

    # Scores.

    def score_samples(self, X):
        """Return outlier scores: the higher, the more normal.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            The logarithm of a fraction: that of training rows which are as far out, as by the
            harmonic mean over all distances. It is continued beyond the training rows, and is
            lower by 10 for each new category. Outliers have the lowest scores. A row that is equal
            to a training row has its score.
        """
        check_is_fitted(self)
        dataset = self._reader.read(X, estimator=self)
        scores = np.empty(len(dataset))
        for which in gen_batches(len(dataset), CHUNK_ROWS):
            scores[which] = self._scores(self._columns.read(dataset.X[which]))
        return scores

    def _scores(self, read):
        cells = self._filled(read[:, : self._columns.n_modeled])
        return self._combined(self._log_distances(cells), read)

    def _combined(self, logs, read):
        """Return scores from logarithms of distances, and from what is new."""
        n_new = (read[:, self._columns.is_category] == UNSEEN).sum(1)
        return -self._tails.combined(logs, self._weights) - NOVELTY * n_new

    def _modeled(self, cells):
        """Return what is modeled of a table's cells: all but categories that must be one."""
        return self._columns.read(cells)[:, : self._columns.n_modeled]

    def _log_distances(self, cells):
        """Return the logarithms of the distances, shape (n_samples, n_distances)."""
        vectors = self._vectors(cells)
        near, equal = self._neighborhoods[0].with_nearest(vectors)
        distances = [near, self._neighborhoods[1].distances(vectors)]
        if self._cell_distance is not None:
            distances.append(self._cell_distance.distances(vectors / self._scale))
        if self._residual_distance is not None:
            distances.append(self._residual_distances(cells))
        logs = np.log(np.column_stack(distances))
        return np.where((equal >= 0)[:, None], self._left_out[equal], logs)

    def _residual_distances(self, cells):
        """Return the geometric means over the autoencoders."""
        learned, scale = self._residual_distance, self._residual_scale
        logs = [np.log(learned.distances(each / scale)) for each in self._residuals(cells)]
        return np.exp(np.mean(logs, axis=0))

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

        Raises
        ------
        ValueError
            If there are no autoencoders: see ``ensemble_``.
        """
        del y
        check_is_fitted(self)
        if self.ensemble_ is None:
            raise ValueError(
                f"{type(self).__name__} has no R2, as it trains no autoencoders on fewer than "
                f"{MIN_ROWS} rows for each element. Give fit more rows, or set estimator."
            )
        dataset = self._reader.read(X, estimator=self)
        return self.ensemble_.score(self._modeled(dataset.X))

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
        filled = self._modeled(dataset.X)
        if np.isnan(filled).any():
            imputer = self._filled if self.ensemble_ is None else self.ensemble_.impute
            filled = imputer(filled)
        cells = self._columns.fill(dataset.X, filled)
        index = None if dataset.format.frame is None else dataset.format.frame.index
        restored = self._reader.format.columns.restore(cells, index)
        return dataset.format.complete(X, dataset.format.in_frame(restored))

    def _unusual_differences(self, X):
        """Return in how many unusual differences each cell takes part, an array of int."""
        dataset = self._reader.read(X, estimator=self)
        return self._columns.unusual_differences(dataset.X)

    # Rows as vectors.

    def _filled(self, cells):
        """Return rows, missing cells filled."""
        return self._donors.fill(cells, self._elements)

    def _elements(self, cells):
        """Return rows as numbers and one-hot categories, NaN where they are missing."""
        dataset = TableDataset(cells, self._columns.format)
        x, _ = dataset.get_batch(slice(None), torch.float64)
        return self._with_new_categories(x.numpy(), dataset.column_layout)

    def _vectors(self, cells):
        return np.nan_to_num(self._elements(cells))

    def _deviations(self, vectors):
        """Return standard deviations of numbers, and 1 for categories."""
        scale, n_numbers = np.ones(vectors.shape[1]), self._columns.format.column_layout.n_numbers
        scale[:n_numbers] = deviations(vectors[:, :n_numbers])
        return scale

    def _residuals(self, cells):
        """Return what rows differ from their reconstructions by each autoencoder, a list."""
        format_ = self.ensemble_._reader.format
        dataset = TableDataset(format_.columns.read(cells), format_)
        x = dataset.get_batch(slice(None), dataset.dtype)[0].numpy()
        shape = len(self.ensemble_.estimators_), x.shape[1]
        restored = self.ensemble_._predictor.map(_reconstructions, dataset, shape)
        residuals = []
        for of_member in restored.swapaxes(0, 1):
            difference = self._with_new_categories(x, dataset.column_layout)
            difference[:, : x.shape[1]] -= of_member
            residuals.append(np.nan_to_num(difference))
        return residuals

    def _with_new_categories(self, x, column_layout):
        """Append an element for each categorical column, above 0 for categories that are new."""
        if not column_layout.widths:
            return x.copy()
        starts = column_layout.starts[column_layout.n_numbers :].numpy()
        known = np.add.reduceat(
            x[:, column_layout.n_numbers :], starts - column_layout.n_numbers, axis=1
        )
        return np.column_stack([x, (1 - known) * self._new_category])

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = tags.input_tags.categorical = True
        return tags


def _reconstructions(module, x, target):
    """Return the reconstructions by all autoencoders."""
    del target
    return module.each(x)


def _seed(rng):
    return int(rng.randint(np.iinfo(np.int32).max))
