"""Outlier detection: thresholds, p-values and explanations for any scores."""

from dataclasses import field
from functools import cached_property
from math import ceil
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.sparse.linalg import ArpackError
from scipy.stats import false_discovery_control
from sklearn.base import BaseEstimator, MetaEstimatorMixin, OutlierMixin, clone
from sklearn.model_selection import KFold, check_cv
from sklearn.utils import (
    Bunch,
    check_random_state,
    gen_batches,
    get_tags,
    indexable,
)
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from skae._data.frames import aligned, is_frame, narwhals_frame
from skae._data.given import as_data
from skae._estimators.autoencoder import Autoencoder
from skae._outliers.cells import as_frame, as_objects, dense_table
from skae._outliers.explanation import MAX_CELLS, MAX_NORMAL, Background, CounterfactualSearch
from skae._outliers.scorer import TabularOutlierScorer
from skae._outliers.thresholds import ROUNDING, offset_of, p_values
from skae._params import (
    JOBS,
    FittedAttributes,
    ParameterMixin,
    StrOptions,
    fit_context,
    parameter_class,
    real,
    unchanged_on_error,
)
from skae._sklearn import check_method_params, num_samples, routing_enabled, safe_indexing
from skae._training.fits import FitTask, fit_all
from skae.exceptions import DataWarning, warn

#: Scores are clipped so that their differences are finite: log densities can be -inf.
MAX_SCORE = np.finfo(np.float64).max / 4

#: What estimators raise whose linear algebra has no result.
NUMERICAL_ERRORS = (np.linalg.LinAlgError, ArpackError, ArithmeticError)


def _estimator_has_score(self):
    estimator = getattr(self, "estimator_", self.estimator)
    return estimator is None or hasattr(estimator, "score")


@parameter_class
class OutlierDetector(MetaEstimatorMixin, OutlierMixin, FittedAttributes, ParameterMixin):
    """Detect outliers by the scores of any estimator, and explain them.

    The estimator gives each row a score: the higher, the more normal. The detector finds the
    threshold below which rows are outliers and computes p-values. It also shows which cells
    make a row anomalous, and which values would be expected there.

    One line finds outliers in new rows or in the training rows:
    ``OutlierDetector().fit(X).predict(X_new)``. Estimators tend to score their training rows
    higher than new rows, above all when they overfit. Too many new rows then fall below the
    threshold. If false alarms matter, or for p-values, set ``cv=5``: the threshold is then
    computed from held-out rows, at the cost of five more fits.

    Parameters
    ----------
    estimator : estimator or None, default=None
        Anything with ``fit`` and ``score_samples``: autoencoders, `PCA`, `GaussianMixture`,
        `KernelDensity`, `IsolationForest`, ``LocalOutlierFactor(novelty=True)``, or a pipeline
        that ends in one. It is cloned. If its ``random_state`` is None, it is set from the
        ``random_state`` of the detector. None is `TabularOutlierScorer()`, for tables of all
        kinds. To calibrate a fitted estimator, wrap it in a `FrozenEstimator` and call ``fit``
        with rows that it was not trained on.
    contamination : "auto" or float, default="auto"
        Fraction of outliers among the training rows, in (0, 0.5], which sets the threshold.
        "auto" needs no guess. It takes the larger of two values: the 1 % quantile of the
        scores, and median - 5.64 (median - first quartile). The second is the 1 % quantile if
        the lower half of the scores has an exponential tail. The threshold is robust: only
        very many outliers move it. If there are no outliers, 1 to 2 % of the rows are flagged,
        or more if columns have heavy tails.
    cv : int, splitter, iterable or None, default=None
        How to hold out rows, so that each is scored by an estimator that was not trained on
        it. An int is the number of folds; rows are shuffled. The threshold and the p-values
        are then computed from these scores. With None they are computed from the scores of
        the training rows themselves, which are too high.
    n_jobs : int or None, default=None
        Number of processes for the fits of ``cv``. None is a single process, -1 as many as
        there are cores.
    random_state : int, RandomState instance or None, default=None
        Seed of the folds, and of the estimator where its own ``random_state`` is None. An int
        gives the same detector at every fit.

    Attributes
    ----------
    estimator_ : estimator
        Fitted on all rows.
    offset_ : float
        Rows with a lower score are outliers.
    calibration_scores_ : ndarray of shape (n_calibration,)
        Scores that the threshold and the p-values are computed from: those of all training
        rows or, with ``cv``, of the held-out rows, in the order of the rows.
    background_ : table of shape (n_background, n_features)
        Normal training rows, at most 1,000, in the format of X. Expected values are taken from
        them. A pickle of the detector contains them, too.
    n_features_in_ : int
        Number of columns of the training rows, if ``estimator_`` knows it.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, if ``estimator_`` knows them.

    See Also
    --------
    TabularOutlierScorer : The default scores, for tables of all kinds.
    EnsembleAutoencoder : Averages the scores of several autoencoders.
    sklearn.ensemble.IsolationForest : Outlier detection by random trees.

    Notes
    -----
    The threshold is for single rows. If X has very many rows, or if every false alarm is
    costly, use ``predict_fdr``: it bounds the fraction of false alarms by conformal
    p-values [1]_.

    Explanations use only the scores of the estimator. Each cell has an expected value: the
    median or the most frequent value among the normal training rows that are most similar to
    the row in all other columns. Cells are replaced by their expected values one by one, each
    time the cell that raises the score most. If no single cell is enough, several are replaced
    at once. The contribution of a cell is how much its replacement raises the score. This is a
    counterfactual explanation [2]_: the few changes that would make the row normal. [3]_
    used the idea for autoencoders.

    References
    ----------
    .. [1] S. Bates, E. Candès, L. Lei, Y. Romano and M. Sesia, "Testing for outliers with
       conformal p-values", Annals of Statistics 51, 2023.
    .. [2] S. Wachter, B. Mittelstadt and C. Russell, "Counterfactual explanations without
       opening the black box", Harvard Journal of Law & Technology 31, 2018.
    .. [3] C. M. Roelofs, M.-A. Lutz, S. Faulstich and S. Vogt, "Autoencoder-based anomaly root
       cause analysis for wind turbines", Energy and AI 4, 2021.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.decomposition import PCA
    >>> from skae import OutlierDetector
    >>> X = load_wine(as_frame=True).data
    >>> detector = OutlierDetector(PCA(6)).fit(X)
    >>> X_new = X.iloc[:2].assign(alcohol=[14.2, 1.42])
    >>> detector.predict(X_new)
    array([ 1, -1])
    >>> detector.explain(X_new).idxmax(axis=1)[1]
    'alcohol'
    >>> detector.nearest_normal(X_new)["alcohol"].round(1).tolist()
    [14.2, 13.7]
    """

    estimator: Any = field(default=None, kw_only=False)
    contamination: Any = "auto"
    cv: Any = None
    n_jobs: int | None = None
    random_state: Any = None

    _parameter_constraints = {
        "contamination": [StrOptions({"auto"}), real(0, 0.5, closed="right")],
        "cv": ["cv_object"],
        "n_jobs": JOBS,
        "random_state": ["random_state"],
    }

    @classmethod
    def _parts(cls):
        return {"estimator": [Autoencoder, TabularOutlierScorer]}

    # Fitting.

    @fit_context(prefer_skip_nested_validation=False)  # the estimator checks its own parameters
    def fit(self, X, y=None, **params):
        """Fit the estimator, and find the threshold of its scores.

        Parameters
        ----------
        X : DataFrame, array-like or sparse matrix of shape (n_samples, n_features)
            Training rows, most of them normal, or whatever the estimator takes.
        y : None
            Ignored. It is there so that a search can score with labels.
        **params : dict
            Further arguments of the estimator's ``fit``, such as ``sample_weight``, and
            ``groups`` of the splitter. Arrays as long as X are split like X. Weights do not
            change the threshold: every row counts once.

        Returns
        -------
        self : object
            The fitted detector.

        Raises
        ------
        ValueError
            If a parameter is invalid, if the estimator rejects the data, or if it has no
            ``score_samples``. A detector that was fitted before does not change.
        """
        del y
        with unchanged_on_error(self):
            self._fit(X, params)
        return self

    def _fit(self, X, params):
        X = as_data(X)
        frame = narwhals_frame(X)
        names = None if frame is None else frame.columns
        if num_samples(X) == 1:
            raise ValueError("X has 1 sample, but a threshold takes the scores of at least 2.")
        rng = check_random_state(self.random_state)
        routed = self._routed(params)
        original = self._original(rng.randint(np.iinfo(np.int32).max))
        folds = self._folds(X, routed.splitter.split, rng)
        fitted = self._fitted(original, X, folds, routed.estimator.fit)
        estimator = next(fitted)
        scores = calibration_scores = _scores(estimator, X)
        if folds:
            calibration_scores = _held_out_scores(X, folds, fitted)
        offset = offset_of(calibration_scores, self.contamination)
        normal = np.flatnonzero(scores >= min(offset, scores.max()))
        sampled = np.linspace(0, len(normal) - 1, min(MAX_NORMAL, len(normal))).astype(int)
        background = safe_indexing(*indexable(X), normal[sampled])
        self._names, self.estimator_, self.offset_ = names, estimator, offset
        self.__dict__.pop("_background", None)  # of an earlier fit
        self.calibration_scores_, self.background_ = calibration_scores, background
        self._training_moments = _moments(scores)

    def _original(self, seed):
        """Return the estimator to fit clones of."""
        if self.estimator is None:
            return TabularOutlierScorer(random_state=seed)
        if not hasattr(self.estimator, "score_samples"):
            raise ValueError(
                "estimator must have a method score_samples, as autoencoders, PCA, "
                "GaussianMixture, KernelDensity, IsolationForest, LocalOutlierFactor(novelty=True) "
                f"and pipelines that end in one have; got {self.estimator!r}"
            )
        params = self.estimator.get_params()
        unset = [name for name, value in params.items() if value is None]
        seeds = {name: seed for name in unset if name.endswith("random_state")}
        original = clone(self.estimator)
        if seeds:
            original.set_params(**seeds)
        return original

    def _routed(self, params):
        """Split the arguments of ``fit`` into those of the estimator and of the splitter."""
        if routing_enabled():
            return process_routing(self, "fit", **params)
        groups = params.pop("groups", None)
        return Bunch(estimator=Bunch(fit=params), splitter=Bunch(split={"groups": groups}))

    def _folds(self, X, split_params, rng):
        """Return the rows to fit on and to score, for each fold."""
        if self.cv is None:
            return []
        cv = self.cv
        if isinstance(cv, Integral):
            cv = KFold(cv, shuffle=True, random_state=rng.randint(np.iinfo(np.int32).max))
        return list(check_cv(cv).split(X, **split_params))

    def _fitted(self, original, X, folds, params):
        """Yield clones, one fitted on all rows, then one for each fold."""
        fits = [FitTask(clone(original), X, None, **params)]  # some require y
        for train, _ in folds:
            of_fold = check_method_params(X, params, train)
            fits.append(
                FitTask(clone(original), safe_indexing(*indexable(X), train), None, **of_fold)
            )
        for fit in fit_all(fits, self.n_jobs):
            if isinstance(fit.error, NUMERICAL_ERRORS):
                raise _explained(fit.error, fit.estimator) from fit.error
            if fit.error is not None:
                raise fit.error
            yield fit.estimator
            fit.estimator = None  # frees its memory

    # Scores.

    def score_samples(self, X):
        """Return the scores of the estimator.

        Parameters
        ----------
        X : DataFrame, array-like or sparse matrix of shape (n_samples, n_features)
            Rows. Columns of a DataFrame are selected by name; further columns are ignored.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            The higher, the more normal.

        Raises
        ------
        ValueError
            If columns are missing, or if the estimator rejects the rows.
        """
        X = self._aligned(X)
        return _scores(self.estimator_, X)

    def decision_function(self, X):
        """Return how far rows score above the threshold.

        Parameters
        ----------
        X : DataFrame, array-like or sparse matrix of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        decision : ndarray of shape (n_samples,)
            ``score_samples(X) - offset_``, negative for outliers.
        """
        return self.score_samples(X) - self.offset_

    def predict(self, X):
        """Predict which rows are outliers.

        Parameters
        ----------
        X : DataFrame, array-like or sparse matrix of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
            -1 for outliers, 1 for normal rows.
        """
        return _labels(self.decision_function(X) < 0)

    def p_value(self, X):
        """Return the probability that a normal row has such a low score.

        A normal row has a p-value of ``a`` or less with a probability of at most ``a``, for any
        estimator and any distribution of the rows. This holds if the calibration rows are normal
        and the estimator was not trained on them: wrap a fitted estimator in a
        `FrozenEstimator`, and give ``fit`` other rows. With ``cv`` it holds approximately, as
        each score is from an estimator that was fitted on fewer rows [1]_. With neither,
        p-values are too small, above all if the estimator overfits. Outliers among the training
        rows make p-values larger.

        Parameters
        ----------
        X : DataFrame, array-like or sparse matrix of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        p_values : ndarray of shape (n_samples,)
            Fraction of calibration scores that are as low or lower. The row itself is counted,
            so the p-value is at least 1 / (n_calibration + 1).

        References
        ----------
        .. [1] R. F. Barber, E. J. Candès, A. Ramdas and R. J. Tibshirani, "Predictive inference
           with the jackknife+", Annals of Statistics 49, 2021.
        """
        return p_values(self.score_samples(X), self.calibration_scores_)

    def predict_fdr(self, X, alpha=0.05):
        """Predict which rows are outliers, with few false alarms among them.

        On average, at most a fraction ``alpha`` of the rows that are called outliers is normal.
        This uses the procedure of Benjamini and Hochberg on the p-values of all rows [1]_, so
        it needs the same conditions as ``p_value``. Whether a row is called an outlier depends
        on the other rows of X, too. With too few calibration scores, p-values cannot be small
        enough, and no row is called an outlier.

        Parameters
        ----------
        X : DataFrame, array-like or sparse matrix of shape (n_samples, n_features)
            Rows.
        alpha : float, default=0.05
            Accepted fraction of false alarms, between 0 and 1.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
            -1 for outliers, 1 for normal rows.

        Raises
        ------
        ValueError
            If ``alpha`` is not between 0 and 1.

        References
        ----------
        .. [1] Y. Benjamini and Y. Hochberg, "Controlling the false discovery rate", Journal of
           the Royal Statistical Society B 57, 1995.
        """
        if not (isinstance(alpha, Real) and 0 < alpha < 1):
            raise ValueError(f"alpha must be a number between 0 and 1; got {alpha!r}")
        scores, n_known = self.score_samples(X), len(self.calibration_scores_)
        if _are_same(_moments(scores), self._training_moments):
            warn(
                "X seems to hold the training rows, whose p-values are spread evenly by "
                "construction: predict_fdr finds no outliers among them. Use predict, or fit on "
                "other rows.",
                DataWarning,
            )
        elif alpha * (n_known + 1) < 1:
            warn(
                f"No p-value can be as small as alpha={alpha} with {n_known} calibration scores. "
                f"It takes at least {ceil(1 / alpha) - 1}.",
                DataWarning,
            )
        p = p_values(scores, self.calibration_scores_)
        return _labels(false_discovery_control(p) <= alpha)

    @available_if(_estimator_has_score)
    def score(self, X, y=None):
        """Return the estimator's own ``score``, to choose parameters without labels.

        Parameters
        ----------
        X : DataFrame, array-like or sparse matrix of shape (n_samples, n_features)
            Rows.
        y : None
            Ignored.

        Returns
        -------
        score : float
            For autoencoders, the fraction of variance reconstructed; for densities, the
            log-likelihood.
        """
        del y
        X = self._aligned(X)
        return self.estimator_.score(X)

    # Explanations.

    def explain(self, X, return_expected=False):
        """Find the cells that make rows anomalous.

        The cells of a row are replaced by their expected values one by one, each time the cell
        that raises the score most. If no cell raises the score and the row is still an outlier,
        several cells are replaced at once. When the row is normal, or after ten cells, each of
        the other cells is tried once. The contribution of a cell is how much it raised the
        score, or 0 if it was not replaced. Cells that were replaced at once share their
        contribution by how much each of them is needed. The contributions of a row add up to
        the rise of its score by all replacements together.

        Parameters
        ----------
        X : DataFrame, array-like or sparse matrix of shape (n_samples, n_features)
            Rows of a table.
        return_expected : bool, default=False
            Whether to return the expected values, too.

        Returns
        -------
        contributions : DataFrame of shape (n_samples, n_features)
            With the index and the columns of X, or columns x0, x1, ... if X has no names. Of
            the library of X: pandas, polars or pyarrow.
        expected : DataFrame of shape (n_samples, n_features)
            Values of the normal training rows that are most similar to the row in its other
            columns. Only if ``return_expected``.

        Raises
        ------
        ValueError
            If X is not a table, or if the estimator rejects it.
        """
        X, search = self._search(X)
        search.run()
        contributions = as_frame(search.gains, X)
        return (contributions, as_frame(search.expected(), X)) if return_expected else contributions

    def nearest_normal(self, X):
        """Make rows normal by changing few cells.

        Cells are replaced as in ``explain`` until the row is not an outlier any more. Then each
        replacement that the row does not need is undone. If a row does not become normal this
        way, cells are taken from the normal training row that is most similar to it. The result
        is not always the smallest possible change.

        Parameters
        ----------
        X : DataFrame, array-like or sparse matrix of shape (n_samples, n_features)
            Rows of a table.

        Returns
        -------
        X_normal : DataFrame or ndarray of shape (n_samples, n_features)
            Rows that ``predict`` finds normal. Rows of X that are normal do not change.

        Raises
        ------
        ValueError
            If X is not a table, or if the estimator rejects it.
        """
        X, search = self._search(X)
        search.run(until_normal=True)
        search.use_nearest_rows()
        search.undo_needless()
        X_normal = search.result()
        return as_frame(X_normal, X) if is_frame(X) else X_normal

    def report(self, X, n_rows=10, n_columns=3):
        """List the most anomalous rows, and the cells that make them anomalous.

        Parameters
        ----------
        X : DataFrame, array-like or sparse matrix of shape (n_samples, n_features)
            Rows of a table.
        n_rows : int, default=10
            Number of rows to list: those with the lowest scores.
        n_columns : int, default=3
            Number of columns to list for each row: those with the largest contributions.

        Returns
        -------
        report : DataFrame of shape (n_rows * n_columns, 8)
            One line for each cell, the most anomalous rows first. The columns are row (label in
            the index of X, or position), score, p_value, is_outlier, column, value, expected
            and contribution.

        Raises
        ------
        ValueError
            If X is not a table, if the estimator rejects it, or if a number is below 1.
        """
        for name, value in {"n_rows": n_rows, "n_columns": n_columns}.items():
            if not isinstance(value, Integral) or value < 1:
                raise ValueError(f"{name} must be an integer of at least 1; got {value!r}")
        X = dense_table(self._aligned(X))
        scores = self.score_samples(X)
        most_anomalous = np.argsort(scores, kind="stable")[:n_rows]
        outliers = safe_indexing(X, most_anomalous)
        contributions, expected = self.explain(outliers, return_expected=True)
        contributions = as_objects(contributions).astype(np.float64)
        largest = np.argsort(-contributions, axis=1, kind="stable")[:, :n_columns]
        of_row, of_cell = (
            np.repeat(np.arange(len(most_anomalous)), largest.shape[1]),
            largest.ravel(),
        )
        labels = X.index[most_anomalous] if isinstance(X, pd.DataFrame) else most_anomalous
        report = {
            "row": labels[of_row],
            "score": scores[most_anomalous][of_row],
            "p_value": p_values(scores[most_anomalous], self.calibration_scores_)[of_row],
            "is_outlier": (scores[most_anomalous] < self.offset_)[of_row],
            "column": np.fromiter(narwhals_frame(expected).columns, object)[of_cell],
            "value": as_objects(outliers)[of_row, of_cell],
            "expected": as_objects(expected)[of_row, of_cell],
            "contribution": contributions[of_row, of_cell],
        }
        return pd.DataFrame(report).infer_objects()

    # Attributes and tags.

    def _aligned(self, X):
        check_is_fitted(self)
        X = as_data(X)
        frame = narwhals_frame(X)
        if frame is None or self._names is None:
            return X
        return aligned(frame, self._names).to_native()

    def _search(self, X):
        """Return X as a table, and the search for explanations of its rows."""
        X, normal = dense_table(self._aligned(X)), self._background.table
        if type(X) is not type(normal):
            raise ValueError(
                f"X is a {_type_name(X)}, but the training rows were a {_type_name(normal)}. "
                "Give explain and nearest_normal rows in the same format."
            )
        return X, CounterfactualSearch(self.score_samples, X, self._background, self.offset_)

    @cached_property
    def _background(self):
        """What explanations know of ``background_``; only they need it to be a table."""
        return Background(dense_table(self.background_))

    @property
    def n_features_in_(self):
        """Number of columns of the training rows."""
        return self.estimator_.n_features_in_

    @property
    def feature_names_in_(self):
        """Names of the columns of the training rows."""
        return self.estimator_.feature_names_in_

    def get_metadata_routing(self):
        """Return the routing of the arguments of ``fit``.

        Returns
        -------
        routing : MetadataRouter
            Routing to the estimator and to the splitter.
        """
        to_fit = MethodMapping().add(caller="fit", callee="fit")
        to_split = MethodMapping().add(caller="fit", callee="split")
        router = MetadataRouter(owner=self)
        router.add(estimator=self._original(None), method_mapping=to_fit)
        return router.add(splitter=self.cv, method_mapping=to_split)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        estimator = TabularOutlierScorer() if self.estimator is None else self.estimator
        if isinstance(estimator, BaseEstimator):  # ``fit`` rejects all others
            tags.input_tags = get_tags(estimator).input_tags
        return tags

    def __sklearn_is_fitted__(self):
        return "estimator_" in vars(self)


def _scores(estimator, X):
    """Return the scores of an estimator, clipped; raise an error if they hold NaN."""
    try:
        scores = estimator.score_samples(X)
    except NUMERICAL_ERRORS as error:
        raise _explained(error, estimator) from error
    except TypeError:
        if not sparse.issparse(X):
            raise
        # PCA, for example, can be fitted on sparse rows, but scores only dense ones.
        X = X.tocsr()
        parts = gen_batches(X.shape[0], max(1, MAX_CELLS // X.shape[1]))
        scores = np.concatenate([estimator.score_samples(X[part].toarray()) for part in parts])
    scores = np.asarray(scores, np.float64)
    if np.isnan(scores).any():
        raise ValueError(
            f"{type(estimator).__name__} gives NaN as the score of row "
            f"{np.flatnonzero(np.isnan(scores))[0]}. Look there for values that it cannot handle."
        )
    return np.clip(scores, -MAX_SCORE, MAX_SCORE)


def _explained(error, estimator):
    """Return an error of linear algebra, which names nothing, as one that says what to do."""
    return ValueError(
        f"{type(estimator).__name__} cannot compute with X: {str(error).rstrip('.')}. Its rows may "
        "be too few, or columns constant or copies of others: leave such columns out, or give "
        "another estimator, such as IsolationForest() or None, the default."
    )


def _moments(scores):
    """Return what tells rows by, from their scores."""
    with np.errstate(over="ignore", invalid="ignore"):  # of rows that are far out
        return len(scores), scores.mean(), scores.std()


def _are_same(moments, others):
    return moments[0] == others[0] and np.allclose(moments, others, rtol=ROUNDING, atol=0)


def _held_out_scores(X, folds, fitted):
    """Return the scores of held-out rows, each by the estimators that were not fitted on it."""
    totals, counts = np.zeros((2, num_samples(X)))
    for (_, test), estimator in zip(folds, fitted, strict=True):
        totals[test] += _scores(estimator, safe_indexing(*indexable(X), test))
        counts[test] += 1
    return totals[counts > 0] / counts[counts > 0]


def _type_name(table):
    return f"{type(table).__module__.partition('.')[0]} {type(table).__name__}"


def _labels(is_outlier):
    return np.where(is_outlier, -1, 1)
