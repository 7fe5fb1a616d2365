"""Outliers: a threshold for any scores, how sure it is, and what makes a row odd."""

from dataclasses import field
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.stats import false_discovery_control
from sklearn.base import MetaEstimatorMixin, OutlierMixin, clone
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

from skae._data.frames import aligned, check_frame
from skae._outliers.cells import as_frame, as_objects, dense_table
from skae._outliers.explanation import MAX_CELLS, MAX_NORMAL, CounterfactualSearch
from skae._outliers.scorer import TabularOutlierScorer
from skae._outliers.thresholds import offset_of, p_values
from skae._params import ParameterMixin, StrOptions, fit_context, parameter_class, real
from skae._sklearn import check_method_params, num_samples, routing_enabled, safe_indexing
from skae._training.fits import FitTask, fit_all

#: Differences of scores are to be finite: the logarithm of a density of 0 is not.
MAX_SCORE = np.finfo(np.float64).max / 4


def _estimator_has_score(self):
    estimator = getattr(self, "estimator_", self.estimator)
    return estimator is None or hasattr(estimator, "score")


@parameter_class
class OutlierDetector(MetaEstimatorMixin, OutlierMixin, ParameterMixin):
    """Detect outliers by the scores of any estimator, and say why they are.

    The estimator gives each row a score: the higher, the more normal. The detector finds the
    score below which rows are outliers, gives p-values, names the cells that make a row odd
    and what would be expected in their place.

    To look for outliers in new rows or in the training rows themselves, one line will do:
    ``OutlierDetector().fit(X).predict(X_new)``. An estimator gives the rows that it was fitted
    on higher scores than new ones, the more so the closer it fits them, and too many new rows
    then lie below the threshold. Where false alarms count, and for p-values, give ``cv=5``, at
    the price of five more fits: the threshold then rests on scores of rows that were held out.

    Parameters
    ----------
    estimator : estimator or None, default=None
        Anything with ``fit`` and ``score_samples``: autoencoders, `PCA`, `GaussianMixture`,
        `KernelDensity`, `IsolationForest`, ``LocalOutlierFactor(novelty=True)``, or a pipeline
        that ends in one. It is cloned, and if it has no ``random_state`` of its own, gets one
        from that below. None is `TabularOutlierScorer()`, for tables of all kinds. With
        `FrozenEstimator` around a fitted one, ``fit`` calibrates it, on rows that it has not
        seen.
    contamination : "auto" or float, default="auto"
        Share of outliers among the training rows, more than 0 and at most 0.5, that sets the
        threshold. "auto" needs no guess: the threshold is median - 5.64 (median - first
        quartile) of the scores, below which 1 % of the rows would be if the lower half of the
        scores fell off exponentially, or the score that 1 % of the rows are below if that is
        higher. Outliers do not move it, unless they are very many. Of rows without outliers 1
        to 2 % are flagged, some more where columns have heavy tails.
    cv : int, splitter, iterable or None, default=None
        How to hold out rows, so that each is scored by an estimator that has not seen it. An
        int is a number of folds, of rows in random order. The threshold and the p-values
        then rest on these scores. With None they rest on the scores of the training rows by
        the estimator that was fitted on them, which are too high.
    n_jobs : int or None, default=None
        Number of processes that share the fits of ``cv``. None is this one, -1 as many as
        there are cores.
    random_state : int, RandomState instance or None, default=None
        Seeds the folds, and what has no ``random_state`` of its own in the estimator. An int
        gives the same detector at every fit.

    Attributes
    ----------
    estimator_ : estimator
        Fitted on all rows.
    offset_ : float
        Rows with a lower score are outliers.
    calibration_scores_ : ndarray of shape (n_calibration,)
        Scores that the threshold and the p-values rest on: of all training rows or, with
        ``cv``, of those that were held out, in the order of the rows.
    background_ : table of shape (n_background, n_features)
        Normal training rows, 1,000 at most, as they were given, that expected values are taken
        from. They are in a pickle of the detector, too.
    n_features_in_ : int
        Number of columns of the training rows, if ``estimator_`` knows it.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, if ``estimator_`` knows them.

    See Also
    --------
    TabularOutlierScorer : The default scores, for tables of all kinds.
    EnsembleAutoencoder : Steady scores of autoencoders.
    sklearn.ensemble.IsolationForest : Outliers by random trees.

    Notes
    -----
    The threshold is for single rows. Where outliers are looked for among very many rows, or
    every false alarm has its price, ``predict_fdr`` bounds the share of false alarms, by
    conformal p-values [1]_.

    Explanations use nothing of an estimator but its scores. Every cell has an expected value,
    the median or the most frequent one among the normal training rows that are most like its
    row in all other columns. Cells are replaced by these one after the other, always the one
    next that raises the score most, or several at once where one is not enough, and what each
    adds is its contribution. To explain a row by the few changes that would make it normal is
    the idea of counterfactual explanations [2]_, and was taken to autoencoders by [3]_.

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
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }

    # Fitting.

    @fit_context(prefer_skip_nested_validation=False)  # the estimator checks its own parameters
    def fit(self, X, y=None, **params):
        """Fit the estimator, and find the score that outliers stay below.

        Parameters
        ----------
        X : DataFrame, array-like or sparse matrix of shape (n_samples, n_features)
            Training rows, most of them normal, or whatever the estimator takes.
        y : None
            Ignored, so that a search can score with labels.
        **params : dict
            Further arguments of the estimator's ``fit``, such as ``sample_weight``, and
            ``groups`` of the splitter. Arrays as long as X are split like X. Every row counts
            once for the threshold, whatever its weight.

        Returns
        -------
        self : object
            The fitted detector.

        Raises
        ------
        ValueError
            If a parameter is invalid, or if the estimator refuses the data or has no
            ``score_samples``. A detector that was fitted before stays as it was.
        """
        del y
        check_frame(X)
        names = list(X.columns) if hasattr(X, "columns") else None
        rng = check_random_state(self.random_state)
        routed = self._routed(params)
        original = self._original(rng.randint(np.iinfo(np.int32).max))
        folds = self._folds(X, routed.splitter.split, rng)
        fitted = self._fitted(original, X, folds, routed.estimator.fit)
        estimator = next(fitted)
        if num_samples(X) < 2:
            raise ValueError("X has 1 sample, but a threshold takes the scores of at least 2.")
        scores = calibration_scores = _scores(estimator, X)
        if folds:
            calibration_scores = _held_out_scores(X, folds, fitted)
        offset = offset_of(calibration_scores, self.contamination)
        normal = np.flatnonzero(scores >= min(offset, scores.max()))
        sampled = np.linspace(0, len(normal) - 1, min(MAX_NORMAL, len(normal))).astype(int)
        background = safe_indexing(*indexable(X), normal[sampled])
        self._names, self.estimator_, self.offset_ = names, estimator, offset
        self.calibration_scores_, self.background_ = calibration_scores, background
        return self

    def _original(self, seed):
        """Return the estimator to fit clones of."""
        if self.estimator is None:
            return TabularOutlierScorer(random_state=seed)
        if isinstance(self.estimator, type) or not hasattr(self.estimator, "score_samples"):
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
        """Return which arguments of ``fit`` are for the estimator, and which for the splitter."""
        if routing_enabled():
            return process_routing(self, "fit", **params)
        groups = params.pop("groups", None)
        return Bunch(estimator=Bunch(fit=params), splitter=Bunch(split={"groups": groups}))

    def _folds(self, X, split_params, rng):
        """Return the rows to fit and to score of each fold."""
        if self.cv is None:
            return []
        cv = self.cv
        if isinstance(cv, Integral):
            cv = KFold(cv, shuffle=True, random_state=rng.randint(np.iinfo(np.int32).max))
        return list(check_cv(cv).split(X, **split_params))

    def _fitted(self, original, X, folds, params):
        """Yield clones, one fitted on all rows, then one for each fold."""
        fits = [FitTask(clone(original), X, None, **params)]  # some ask for y
        for train, _ in folds:
            of_fold = check_method_params(X, params, train)
            fits.append(
                FitTask(clone(original), safe_indexing(*indexable(X), train), None, **of_fold)
            )
        for fit in fit_all(fits, self.n_jobs):
            if fit.error is not None:
                raise fit.error
            yield fit.estimator
            fit.estimator = None  # let it go

    # Scores.

    def score_samples(self, X):
        """Score rows, as the estimator does.

        Parameters
        ----------
        X : DataFrame, array-like or sparse matrix of shape (n_samples, n_features)
            Rows. Columns of a DataFrame are found by name: others are ignored.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            The higher, the more normal.

        Raises
        ------
        ValueError
            If columns are missing, or if the estimator refuses the rows.
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
        """Tell outliers from normal rows.

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
        """Return how likely normal rows are to score as low.

        A normal row has a p-value of ``a`` or less with a probability of at most ``a``, whatever
        the estimator and the distribution of the rows, if the calibration scores are of normal
        rows that the estimator was not fitted on: give it in a `FrozenEstimator`, and other rows
        to ``fit``. With ``cv`` that holds nearly, as the scores are of estimators that were fitted
        on fewer rows [1]_. With neither, p-values are too small, the more so the closer the
        estimator fits its training rows. Outliers among the training rows make them larger.

        Parameters
        ----------
        X : DataFrame, array-like or sparse matrix of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        p_values : ndarray of shape (n_samples,)
            Share of calibration scores that are as low or lower, the row's own among them: at
            least 1 / (n_calibration + 1).

        References
        ----------
        .. [1] R. F. Barber, E. J. Candès, A. Ramdas and R. J. Tibshirani, "Predictive inference
           with the jackknife+", Annals of Statistics 49, 2021.
        """
        return p_values(self.score_samples(X), self.calibration_scores_)

    def predict_fdr(self, X, alpha=0.05):
        """Tell outliers from normal rows, with few false alarms among the outliers.

        Of the rows that are called outliers, at most a share of ``alpha`` is normal in the
        mean, by the procedure of Benjamini and Hochberg on the p-values of all rows [1]_. It
        rests on ``p_value`` and what is said there. How many rows are called outliers depends
        on the other rows of X; none are if there are too few calibration scores for p-values
        as small as that needs.

        Parameters
        ----------
        X : DataFrame, array-like or sparse matrix of shape (n_samples, n_features)
            Rows.
        alpha : float, default=0.05
            Share of false alarms that is borne, between 0 and 1.

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
        return _labels(false_discovery_control(self.p_value(X)) <= alpha)

    @available_if(_estimator_has_score)
    def score(self, X, y=None):
        """Return what the estimator's own ``score`` does, to choose parameters without labels.

        Parameters
        ----------
        X : DataFrame, array-like or sparse matrix of shape (n_samples, n_features)
            Rows.
        y : None
            Ignored.

        Returns
        -------
        score : float
            Of autoencoders the share of variance reconstructed, of densities the likelihood.
        """
        del y
        X = self._aligned(X)
        return self.estimator_.score(X)

    # Explanations.

    def explain(self, X, return_expected=False):
        """Say which cells make rows odd.

        The cells of a row are replaced by what is expected there, one after the other, always
        the one next that raises the score most, and several at once where none does and the row is
        still odd. Once the row is normal, or after ten cells, the others are tried once each. A
        cell's contribution is by how much it raised the score, and 0 if it did not and was left
        as it is. Cells that were replaced at once share theirs by what the score would be without
        each of them. So the contributions of a row add up to what all replacements together make
        of its score.

        Parameters
        ----------
        X : DataFrame, array-like or sparse matrix of shape (n_samples, n_features)
            Rows of a table.
        return_expected : bool, default=False
            Whether to return the expected values, too.

        Returns
        -------
        contributions : DataFrame of shape (n_samples, n_features)
            With the index and the columns of X, which are x0, x1, ... if it has no names. Of
            polars if X is.
        expected : DataFrame of shape (n_samples, n_features)
            What normal training rows have that are most like the row in its other columns.
            Only if ``return_expected``.

        Raises
        ------
        ValueError
            If X is no table, or one that the estimator refuses.
        """
        X, repair = self._repair(X)
        repair.go()
        contributions = as_frame(repair.gains, X)
        return (contributions, as_frame(repair.expected(), X)) if return_expected else contributions

    def nearest_normal(self, X):
        """Change as few cells as possible until rows are normal.

        Cells are replaced as in ``explain``, until the row is no outlier any more. Those that it
        is none without get back their values. A row that does not become normal that way gets
        cells of the normal training row that it is most like. It need not be the smallest change
        that there is.

        Parameters
        ----------
        X : DataFrame, array-like or sparse matrix of shape (n_samples, n_features)
            Rows of a table.

        Returns
        -------
        X_normal : DataFrame or ndarray of shape (n_samples, n_features)
            Rows that ``predict`` finds normal. Those of X that are so already are unchanged.

        Raises
        ------
        ValueError
            If X is no table, or one that the estimator refuses.
        """
        X, repair = self._repair(X)
        repair.go(until_normal=True)
        repair.become_normal()
        repair.trim_fraction()
        repaired = repair.repaired()
        return as_frame(repaired, X) if hasattr(X, "columns") else repaired

    def report(self, X, n_rows=10, n_columns=3):
        """List the oddest rows, and what is odd about them.

        Parameters
        ----------
        X : DataFrame, array-like or sparse matrix of shape (n_samples, n_features)
            Rows of a table.
        n_rows : int, default=10
            How many rows to list, those with the lowest scores.
        n_columns : int, default=3
            How many columns to list of each, those with the largest contributions.

        Returns
        -------
        report : DataFrame of shape (n_rows * n_columns, 8)
            A line for each cell, the oddest rows first. Its columns are row (label in the
            index of X, or position), score, p_value, is_outlier, column, value, expected and
            contribution.

        Raises
        ------
        ValueError
            If X is no table, or one that the estimator refuses, or if a number is below 1.
        """
        for name, value in {"n_rows": n_rows, "n_columns": n_columns}.items():
            if not isinstance(value, Integral) or value < 1:
                raise ValueError(f"{name} must be an integer of at least 1; got {value!r}")
        X = dense_table(self._aligned(X))
        scores = self.score_samples(X)
        oddest = np.argsort(scores, kind="stable")[:n_rows]
        odd = safe_indexing(X, oddest)
        contributions, expected = self.explain(odd, return_expected=True)
        contributions = as_objects(contributions).astype(np.float64)
        largest = np.argsort(-contributions, axis=1, kind="stable")[:, :n_columns]
        of_row, of_cell = np.repeat(np.arange(len(oddest)), largest.shape[1]), largest.ravel()
        labels = X.index[oddest] if isinstance(X, pd.DataFrame) else oddest
        report = {
            "row": labels[of_row],
            "score": scores[oddest][of_row],
            "p_value": p_values(scores[oddest], self.calibration_scores_)[of_row],
            "is_outlier": (scores[oddest] < self.offset_)[of_row],
            "column": as_objects(expected.columns)[of_cell],
            "value": as_objects(odd)[of_row, of_cell],
            "expected": as_objects(expected)[of_row, of_cell],
            "contribution": contributions[of_row, of_cell],
        }
        return pd.DataFrame(report).infer_objects()

    # What it is.

    def _aligned(self, X):
        check_is_fitted(self)
        return X if self._names is None else aligned(X, self._names)

    def _repair(self, X):
        """Return X as a table, and its rows on their way to what is expected."""
        X, normal = dense_table(self._aligned(X)), dense_table(self.background_)
        if type(X) is not type(normal):
            raise ValueError(
                f"X is a {_type_name(X)}, but the training rows were a {_type_name(normal)}. "
                "Explanations are of rows in the same format."
            )
        return X, CounterfactualSearch(self.score_samples, X, normal, self.offset_)

    @property
    def n_features_in_(self):
        """Number of columns of the training rows."""
        return self.estimator_.n_features_in_

    @property
    def feature_names_in_(self):
        """Names of the columns."""
        return self.estimator_.feature_names_in_

    def get_metadata_routing(self):
        """Return which arguments of ``fit`` go where.

        Returns
        -------
        routing : MetadataRouter
            For the estimator and for the splitter.
        """
        to_fit = MethodMapping().add(caller="fit", callee="fit")
        to_split = MethodMapping().add(caller="fit", callee="split")
        router = MetadataRouter(owner=self)
        router.add(estimator=self._original(None), method_mapping=to_fit)
        return router.add(splitter=self.cv, method_mapping=to_split)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags = get_tags(self._original(None)).input_tags
        return tags

    def __sklearn_is_fitted__(self):
        return hasattr(self, "estimator_")


def _scores(estimator, X):
    """Return an estimator's scores, and refuse what is none."""
    try:
        scores = estimator.score_samples(X)
    except TypeError:
        if not sparse.issparse(X):
            raise
        # PCA, for one, is fitted on sparse rows but scores dense ones only.
        X = X.tocsr()
        parts = gen_batches(X.shape[0], max(1, MAX_CELLS // X.shape[1]))
        scores = np.concatenate([estimator.score_samples(X[part].toarray()) for part in parts])
    scores = np.asarray(scores, np.float64)
    if np.isnan(scores).any():
        raise ValueError(
            f"{type(estimator).__name__} gives NaN as the score of row "
            f"{np.flatnonzero(np.isnan(scores))[0]}. Look for values there that it cannot take."
        )
    return np.clip(scores, -MAX_SCORE, MAX_SCORE)


def _held_out_scores(X, folds, fitted):
    """Return the scores of rows by the estimators of the folds that they were held out of."""
    totals, counts = np.zeros((2, num_samples(X)))
    for (_, test), estimator in zip(folds, fitted, strict=True):
        totals[test] += _scores(estimator, safe_indexing(*indexable(X), test))
        counts[test] += 1
    return totals[counts > 0] / counts[counts > 0]


def _type_name(table):
    return f"{type(table).__module__.partition('.')[0]} {type(table).__name__}"


def _labels(is_outlier):
    return np.where(is_outlier, -1, 1)
