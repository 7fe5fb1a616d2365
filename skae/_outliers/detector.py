"""Outlier detection: thresholds, p-values and explanations for any scores."""

import inspect
from dataclasses import field
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, MetaEstimatorMixin, OutlierMixin, clone
from sklearn.callback import CallbackSupportMixin
from sklearn.model_selection import KFold, check_cv
from sklearn.utils import Bunch, check_random_state, get_tags
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.metaestimators import available_if

from skae._data.given import as_data
from skae._data.open_stream import open_stream
from skae._data.row_sample import draw_sample
from skae._data.rows import take_rows
from skae._data.streamed import samples_to_read, size_of_sample
from skae._estimators.autoencoder import Autoencoder
from skae._estimators.out_of_core import checked_n_passes
from skae._outliers.explaining import ExplainMixin
from skae._outliers.explanation import MAX_NORMAL
from skae._outliers.false_discoveries import (
    is_outlier,
    tail_p_values,
    warn_of_few,
    warn_of_training_rows,
)
from skae._outliers.image_scorer import ImageOutlierScorer, n_axes
from skae._outliers.labels import ANOMALY, read_labels
from skae._outliers.scorer import TabularOutlierScorer
from skae._outliers.thresholds import offset_of, p_values
from skae._outliers.training_scores import (
    NUMERICAL_ERRORS,
    held_out_scores_of,
    learn_known,
    numerical_error,
    scores_of,
    training_scores_of,
)
from skae._outliers.wrapped import ColumnNames, column_names_of, seeded_clone
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
from skae._sklearn import Options, check_method_params, num_samples, routing_enabled
from skae._training.fits import FitTask, fit_all
from skae._training.tasks import meta_task, subtasks, task_facts


def _estimator_has_score(self):
    estimator = getattr(self, "estimator_", self.estimator)
    return estimator is None or hasattr(estimator, "score")


@parameter_class
class OutlierDetector(
    MetaEstimatorMixin,
    OutlierMixin,
    ColumnNames,
    ExplainMixin,
    FittedAttributes,
    CallbackSupportMixin,
    ParameterMixin,
):
    """Detect outliers by the scores of any estimator, and explain them.

    The estimator gives each row a score: the higher, the more normal. The detector finds the
    threshold below which rows are outliers and computes p-values. It also shows which cells
    make a row anomalous, and which values would be expected there. Of images, heat maps show which
    pixels are unusual.

    One line finds outliers in new rows or in the training rows:
    ``OutlierDetector().fit(X).predict(X_new)``. Other estimators than the default tend to score
    their training rows higher than new rows, above all when they overfit. Too many new rows then
    fall below the threshold. If false alarms matter, or for p-values, set ``cv=5``: the threshold
    is then computed from held-out rows, at the cost of five more fits.

    Parameters
    ----------
    estimator : estimator or None, default=None
        Anything with ``fit`` and ``score_samples``: autoencoders, `PCA`, `GaussianMixture`,
        `KernelDensity`, `IsolationForest`, ``LocalOutlierFactor(novelty=True)``, or a pipeline
        that ends in one. It is cloned. If its ``random_state`` is None, it is set from the
        ``random_state`` of the detector. None is `TabularOutlierScorer()`, for tables of all
        kinds, or `ImageOutlierScorer()` if X is an array of images, with three or four axes. To
        calibrate a fitted estimator, wrap it in a `FrozenEstimator` and call ``fit``
        with rows that it was not trained on.
    contamination : "auto" or float, default="auto"
        Fraction of outliers among the training rows, in [0, 0.5], which sets the threshold.
        "auto" needs no guess. It takes the larger of two values: the 1 % quantile of the
        scores, and median - 5.64 (median - first quartile). The second is the 1 % quantile if
        the lower half of the scores has an exponential tail. The threshold is robust: only
        very many outliers move it. If there are no outliers, 1 to 2 % of the rows are flagged,
        or more if columns have heavy tails. With 0, all training rows are normal: the threshold is
        the lowest score of them, and the default estimator learns from all of them.
    cv : int, splitter, iterable or None, default=None
        How to hold out rows, so that each is scored by an estimator that was not trained on
        it. An int is the number of folds; rows are shuffled. The threshold and the p-values
        are then computed from these scores. With None they are computed from the scores of
        the training rows themselves. These are too high, but for the default estimator, which
        scores its training rows as if they were left out.
    use_labels : bool or None, default=None
        Whether to learn from y of ``fit``: -1 for known anomalies, 1 for known normal rows, 0 or
        NaN for rows that nobody has checked. Rows that are like known anomalies then get lower
        scores. With False, y is ignored. None does the same, with a warning if y seems to hold
        such labels.
    n_jobs : int or None, default=None
        Number of processes for the fits of ``cv``. None is a single process, -1 as many as
        there are cores.
    random_state : int, RandomState instance or None, default=None
        Seed of the folds, and of the estimator where its own ``random_state`` is None. An int
        gives the same detector at every fit.
    verbose : int, default=0
        1 shows a progress bar over the fits: of ``cv``, or of the autoencoders that the default
        estimator trains. 2 also prints how many train together, and 0 shows nothing.

    Attributes
    ----------
    estimator_ : estimator
        Fitted on all rows but known anomalies.
    offset_ : float
        Rows with a lower score are outliers.
    calibration_scores_ : ndarray of shape (n_calibration,)
        Scores that the threshold and the p-values are computed from: those of all training
        rows or, with ``cv``, of the held-out rows, in the order of the rows. Known anomalies are
        left out. So are rows that the default estimator did not draw, if there are more than it
        learns from.
    background_ : table of shape (n_background, n_features)
        Normal training rows, at most 1,000, in the format of X. Expected values are taken from
        them. A pickle of the detector contains them, too.
    n_features_in_ : int
        Number of columns of the training rows, if ``estimator_`` knows it.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, if ``estimator_`` knows them.

    See Also
    --------
    SeriesOutlierDetector : Odd stretches in long series.
    TabularOutlierScorer : The default scores, for tables of all kinds.
    ImageOutlierScorer : The default scores for images.
    EnsembleAutoencoder : Averages the scores of several autoencoders.
    skae.inspection.OutlierScoreDisplay : Draws scores, the threshold and p-values.
    skae.inspection.OutlierExplanationDisplay : Draws which cells make rows unusual.
    sklearn.ensemble.IsolationForest : Outlier detection by random trees.

    Notes
    -----
    The threshold is for single rows. If X has very many rows, or if every false alarm is
    costly, use ``predict_fdr``: it bounds the fraction of false alarms by conformal
    p-values [1]_. ``fit_predict_fdr`` does so for outliers among the training rows.

    Explanations use only the scores of the estimator. Each cell has an expected value: the
    median or the most frequent value among the normal training rows that are most similar to
    the row in all other columns. Cells are replaced by their expected values one by one, each
    time the cell that raises the score most. If no single cell is enough, several are replaced
    at once. The contribution of a cell is how much its replacement raises the score. This is a
    counterfactual explanation [2]_: the few changes that would make the row normal. [3]_
    used the idea for autoencoders.

    With ``use_labels=True``, known anomalies are left out when the estimator is fitted and the
    threshold is computed. Then a forest of extremely randomized trees learns to tell the known
    anomalies from the known normal rows by their columns and their scores, an idea of [4]_. It
    takes ten unchecked rows for normal as well, or more if fewer than 40 normal rows are known.
    A row that is more probably an anomaly than four fifths of these normal rows loses score, in
    proportion to the logarithm of the odds, and more so the more anomalies are known. No score is
    raised, and the threshold "auto" stays that of the scores without labels, so anomalies of new
    kinds are still found. [5]_ and [6]_ train networks for the same task.

    References
    ----------
    .. [1] S. Bates, E. Candès, L. Lei, Y. Romano and M. Sesia, "Testing for outliers with
       conformal p-values", Annals of Statistics 51, 2023.
    .. [2] S. Wachter, B. Mittelstadt and C. Russell, "Counterfactual explanations without
       opening the black box", Harvard Journal of Law & Technology 31, 2018.
    .. [3] C. M. Roelofs, M.-A. Lutz, S. Faulstich and S. Vogt, "Autoencoder-based anomaly root
       cause analysis for wind turbines", Energy and AI 4, 2021.
    .. [4] Y. Zhao and M. K. Hryniewicki, "XGBOD: improving supervised outlier detection with
       unsupervised representation learning", International Joint Conference on Neural Networks,
       2018.
    .. [5] L. Ruff et al., "Deep semi-supervised anomaly detection", International Conference on
       Learning Representations, 2020.
    .. [6] G. Pang, C. Shen and A. van den Hengel, "Deep anomaly detection with deviation
       networks", ACM SIGKDD Conference on Knowledge Discovery and Data Mining, 2019.

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
    use_labels: bool | None = None
    n_jobs: int | None = None
    random_state: Any = None
    verbose: int = 0

    _parameter_constraints = {
        "contamination": [StrOptions({"auto"}), Options(Real, {0}), real(0, 0.5, closed="right")],
        "cv": ["cv_object"],
        "use_labels": ["boolean", None],
        "n_jobs": JOBS,
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    @classmethod
    def _parts(cls):
        return {"estimator": [Autoencoder, TabularOutlierScorer, ImageOutlierScorer]}

    # Fitting.

    @fit_context(prefer_skip_nested_validation=False)  # the estimator checks its own parameters
    def fit(self, X, y=None, **params):
        """Fit the estimator, and find the threshold of its scores.

        Parameters
        ----------
        X : DataFrame, array-like or sparse matrix of shape (n_samples, n_features)
            Training rows, most of them normal, or whatever the estimator takes.
        y : array-like of shape (n_samples,) or None, default=None
            Labels of the rows, if ``use_labels`` is True: -1 for known anomalies, 1 for known
            normal rows, 0 or missing for the others. Ignored otherwise: it is there so that a
            search can score with labels.
        **params : dict
            Further arguments of the estimator's ``fit``, such as ``sample_weight``, which the
            default does not take, and ``groups`` of the splitter. Arrays as long as X are split
            like X. Weights do not change the threshold: every row counts once.

        Returns
        -------
        self : object
            The fitted detector.

        Raises
        ------
        TypeError
            If ``fit`` of the estimator does not take one of ``params``.
        ValueError
            If a parameter is invalid, if the estimator rejects the data, or if it has no
            ``score_samples``. If ``use_labels`` is True, and y holds anything but labels or marks
            all rows as anomalies. A detector that was fitted before does not change.
        """
        with unchanged_on_error(self):
            self._fit(X, y, params, self.cv)
        return self

    @fit_context(prefer_skip_nested_validation=False)
    def fit_batches(self, source, *, n_passes=None, columns=None):
        """Fit on a source that may be larger than memory.

        A first pass counts the rows and draws up to 131,072 of them. An estimator that has a
        method ``fit_batches``, as autoencoders do, is trained on all rows. Any other is fitted on
        those drawn: the default, too, which needs no more. The threshold is found from the scores
        of the drawn rows.

        Parameters
        ----------
        source : str, PathLike, list of such, LazyFrame, Dask collection, torch Dataset or \
                DataLoader, or callable
            Where the rows are, as for ``fit_batches`` of autoencoders.
        n_passes : int or None, default=None
            Number of epochs of the estimator's ``fit_batches``, if it has one.
        columns : list of str or None, default=None
            Names of the columns to use, in this order. None is all.

        Returns
        -------
        self : object
            The fitted detector.

        Raises
        ------
        FileNotFoundError
            If there are no such files.
        TypeError, ValueError
            As for ``fit_batches`` of autoencoders, and if ``cv`` or ``use_labels`` is set. A
            detector that was fitted before does not change.
        """
        for name in ("cv", "use_labels"):
            if getattr(self, name):
                raise ValueError(
                    f"fit_batches has no labels and no folds, but {name}={getattr(self, name)!r}. "
                    f"Set {name}=None, or call fit on a part of the rows."
                )
        stream, n_passes = open_stream(source, columns), checked_n_passes(n_passes)
        with unchanged_on_error(self):
            rng = check_random_state(self.random_state)
            X = draw_sample(stream.chunks(samples_to_read(size_of_sample(stream))), rng).X
            estimator = clone(self._original(rng.randint(np.iinfo(np.int32).max), X))
            if hasattr(estimator, "fit_batches"):
                estimator.fit_batches(stream, n_passes=n_passes)
            else:
                estimator.fit(X)
            labels, names = read_labels(None, num_samples(X), False), column_names_of(X)
            self._learn(X, X, labels, names, [], iter([estimator]), rng)
        return self

    def fit_predict(self, X, y=None, **params):
        """Fit the detector, and predict which of the training rows are outliers.

        Parameters
        ----------
        X : DataFrame, array-like or sparse matrix of shape (n_samples, n_features)
            Training rows.
        y : array-like of shape (n_samples,) or None, default=None
            Labels, as for ``fit``.
        **params : dict
            Further arguments of ``fit``.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
            -1 for outliers, 1 for normal rows.
        """
        return self.fit(X, y, **params).predict(X)

    def _fit(self, X, y, params, cv):
        """Fit, and return which rows are known anomalies."""
        X = given = as_data(X)
        names = column_names_of(X)
        if num_samples(X) == 1:
            raise ValueError("X has 1 sample, but a threshold takes the scores of at least 2.")
        rng = check_random_state(self.random_state)
        labels = read_labels(y, num_samples(X), self.use_labels)
        is_known = labels == ANOMALY
        if is_known.any():
            learned = np.flatnonzero(~is_known)
            X, params = take_rows(X, learned), check_method_params(X, params, learned)
        original = self._original(rng.randint(np.iinfo(np.int32).max), X)
        routed = self._routed(params, original)
        folds = _folds(X, cv, routed.splitter.split, rng)
        facts = task_facts(self, given, y, params.get("sample_weight"))
        with meta_task(facts, 1 + len(folds), False) as task:
            fitted = self._fitted(original, X, folds, routed.estimator.fit, task)
            self._learn(given, X, labels, names, folds, fitted, rng)
        return is_known

    def _learn(self, given, X, labels, names, folds, fitted, rng):
        """Learn from the scores of estimators that are fitted one after the other."""
        is_known, estimator = labels == ANOMALY, next(fitted)
        rows, scores = training_scores_of(estimator, X, of_all=is_known.any())
        calibration_scores = held_out_scores_of(X, folds, fitted) if folds else scores
        known, training_scores, of_threshold = None, scores, calibration_scores
        if is_known.any():
            known, penalties, training_scores = learn_known(
                estimator, given, labels, scores, calibration_scores, rng
            )
            scores, calibration_scores = scores - penalties, calibration_scores - penalties
            # The threshold of the estimator is kept, so that labels find outliers and lose none.
            if self.contamination != "auto":
                of_threshold = calibration_scores
        offset = offset_of(of_threshold[~np.isnan(of_threshold)], self.contamination)
        calibration_scores = calibration_scores[~np.isnan(calibration_scores)]
        normal = rows[scores >= min(offset, scores.max())]
        sampled = np.linspace(0, len(normal) - 1, min(MAX_NORMAL, len(normal))).astype(int)
        background = take_rows(X, normal[sampled])
        self._names, self.estimator_, self.offset_ = names, estimator, offset
        for of_earlier_fit in ("_background", "_heat_maps"):
            self.__dict__.pop(of_earlier_fit, None)
        self.calibration_scores_, self.background_ = calibration_scores, background
        self._known_anomalies, self._training_scores = known, training_scores

    def _original(self, seed, X=None):
        """Return the estimator to fit clones of."""
        if self.estimator is None and n_axes(X) in (3, 4):
            return ImageOutlierScorer(random_state=seed)
        if self.estimator is None:
            return TabularOutlierScorer(assume_clean=self.contamination == 0, random_state=seed)
        return seeded_clone("estimator", self.estimator, seed)

    def _routed(self, params, original):
        """Split the arguments of ``fit`` into those of the estimator and of the splitter."""
        if routing_enabled():
            return process_routing(self, "fit", **params)
        groups = params.pop("groups", None)
        _check_arguments(original, params)
        return Bunch(estimator=Bunch(fit=params), splitter=Bunch(split={"groups": groups}))

    def _fitted(self, original, X, folds, params, task):
        """Yield clones, one fitted on all rows, then one for each fold."""
        names = ["fit-estimator"] + ["fit-on-fold"] * len(folds)
        of_all, *of_folds = subtasks(self, task, names)
        fits = [FitTask(clone(original), X, None, within=of_all, **params)]  # some require y
        for (train, _), within in zip(folds, of_folds, strict=True):
            of_fold = check_method_params(X, params, train)
            rows = take_rows(X, train)
            fits.append(FitTask(clone(original), rows, None, within=within, **of_fold))
        for fit in fit_all(fits, self.n_jobs, self.verbose > 1, self._title(fits), True):
            if isinstance(fit.error, NUMERICAL_ERRORS):
                raise numerical_error(fit.error, fit.estimator) from fit.error
            if fit.error is not None:
                raise fit.error
            yield fit.estimator
            fit.estimator = None  # frees its memory

    def _title(self, fits):
        """Return what stands before a bar over the fits, or None: a single fit has its own bar."""
        if not self.verbose:
            return None
        shown = _verbose_parameters(fits[0].estimator) if len(fits) == 1 else []
        if shown:
            fits[0].estimator.set_params(**dict.fromkeys(shown, self.verbose))
        return None if shown else type(self).__name__

    def __getattr__(self, name):
        if name == "partial_fit":
            raise AttributeError(
                "OutlierDetector has no partial_fit, as its threshold rests on the scores of all "
                "training rows. Call partial_fit of an autoencoder, put it into a "
                "FrozenEstimator, and fit OutlierDetector(FrozenEstimator(autoencoder)) on normal "
                "rows whenever the threshold should be found anew."
            )
        return super().__getattr__(name)

    # Scores.

    def score_samples(self, X):
        """Return the scores of the estimator, lowered for rows that are like known anomalies.

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
        scores = scores_of(self.estimator_, X)
        known = self._known_anomalies
        return scores if known is None else known.lowered(X, scores)

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
        rows make p-values larger. The p-values of the training rows themselves show nothing, as
        they are spread evenly whatever the rows: use ``fit_predict_fdr`` for these.

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
        scores = self.score_samples(X)
        warn_of_training_rows(scores, self._training_scores)
        return p_values(scores, self.calibration_scores_)

    def predict_fdr(self, X, alpha=0.05):
        """Predict which rows are outliers, with few false alarms among them.

        On average, at most a fraction ``alpha`` of the rows that are called outliers is normal.
        This uses the procedure of Benjamini and Hochberg on the p-values of all rows [1]_, so
        it needs the same conditions as ``p_value``. For outliers among the training rows, use
        ``fit_predict_fdr``. Whether a row is called an outlier depends on the other rows of X, too.
        With too few calibration scores, p-values cannot be small enough, and no row is called an
        outlier.

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
        _check_fraction(alpha)
        scores, calibration_scores = self.score_samples(X), self.calibration_scores_
        if not warn_of_training_rows(scores, self._training_scores):
            warn_of_few(len(calibration_scores), alpha)
        return _labels(is_outlier(p_values(scores, calibration_scores), alpha))

    @fit_context(prefer_skip_nested_validation=False)
    def fit_predict_fdr(self, X, alpha=0.05, y=None, **params):
        """Fit, and find outliers among the training rows with few false alarms among them.

        This is ``predict_fdr`` for a table that holds the outliers itself, without other rows
        that are known to be normal. About a fraction ``alpha`` of the rows that are called
        outliers is normal. Each row is scored by an estimator that was not fitted on it.

        No method can promise this for all distributions: without normal rows to compare with,
        p-values of rows among themselves are spread evenly. So the p-values rest on an
        assumption, as in [1]_: a generalized Pareto distribution [2]_ describes the scores of
        normal rows below the 65 % quantile. It is fitted to the scores above the 12.5 % quantile,
        so that at most 12.5 % of outliers change it little. The heaviest tail is taken that fits
        these scores. More rows are called outliers wrongly if the tail is heavier further out,
        and with few rows, only extreme ones are found. If there are rows that are known to be
        normal, ``fit`` on them and ``predict_fdr`` do without the assumption.

        Parameters
        ----------
        X : DataFrame, array-like or sparse matrix of shape (n_samples, n_features)
            Rows, most of them normal.
        alpha : float, default=0.05
            Accepted fraction of false alarms, between 0 and 1.
        y : array-like of shape (n_samples,) or None, default=None
            Labels, as for ``fit``. Known anomalies are called outliers.
        **params : dict
            As for ``fit``.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
            -1 for outliers, 1 for normal rows. The detector is then fitted as with ``cv``, or
            with ``cv=5`` if that is None.

        Raises
        ------
        ValueError
            If ``alpha`` is not between 0 and 1, if ``cv`` does not hold out each row, or
            for the reasons of ``fit``. A detector that was fitted before does not change.

        References
        ----------
        .. [1] B. Efron, "Large-scale simultaneous hypothesis testing: the choice of a null
           hypothesis", Journal of the American Statistical Association 99, 2004.
        .. [2] J. Pickands, "Statistical inference using extreme order statistics", Annals of
           Statistics 3, 1975.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn.decomposition import PCA
        >>> from skae import OutlierDetector
        >>> X = np.random.default_rng(0).normal(size=(500, 4))
        >>> X[:3] += 9
        >>> labels = OutlierDetector(PCA(2), random_state=0).fit_predict_fdr(X)
        >>> np.flatnonzero(labels == -1)
        array([0, 1, 2])
        """
        _check_fraction(alpha)
        with unchanged_on_error(self):
            cv = min(5, max(2, num_samples(as_data(X)))) if self.cv is None else self.cv
            is_odd = self._fit(X, y, params, cv)
            if len(self.calibration_scores_) < (~is_odd).sum():
                raise ValueError(
                    f"cv={self.cv!r} never holds out some of the rows, so that fit_predict_fdr "
                    "cannot judge them. Use one that holds out each row, such as cv=5."
                )
        is_odd[~is_odd] = is_outlier(tail_p_values(self.calibration_scores_), alpha)
        return _labels(is_odd)

    @available_if(_estimator_has_score)
    def score(self, X, y=None):
        """Return the estimator's own ``score``, to choose parameters without labels.

        Parameters
        ----------
        X : DataFrame, array-like or sparse matrix of shape (n_samples, n_features)
            Rows.
        y : None
            Ignored, labels too: give a search a ``scoring`` that uses them.

        Returns
        -------
        score : float
            For autoencoders, the fraction of variance reconstructed; for densities, the
            log-likelihood.
        """
        del y
        X = self._aligned(X)
        return self.estimator_.score(X)

    # Attributes and tags.

    def _shown_parts(self):
        fitted = self.__sklearn_is_fitted__()
        return {"estimator_": self.estimator_} if fitted else super()._shown_parts()

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


def _verbose_parameters(estimator):
    """Return the parameters of an estimator, and of its parts, by which skae shows a bar."""
    parts = {"": estimator} | {f"{name}__": part for name, part in estimator.get_params().items()}
    shows = [name for name, part in parts.items() if isinstance(part, ParameterMixin)]
    return [f"{name}verbose" for name in shows if "verbose" in parts[name]._get_param_names()]


def _check_arguments(estimator, params):
    """Raise an error if ``fit`` of an estimator does not take the arguments."""
    known = inspect.signature(estimator.fit).parameters
    unknown = [name for name in params if name not in known]
    if not unknown or any(one.kind is one.VAR_KEYWORD for one in known.values()):
        return
    message = f"{unknown[0]} is no argument of {type(estimator).__name__}.fit."
    if unknown[0] == "sample_weight":
        message += (
            " Give the detector an estimator that takes weights, such as TabularAutoencoder(), "
            "Autoencoder(), EnsembleAutoencoder() or KernelDensity()."
        )
    raise TypeError(message)


def _folds(X, cv, split_params, rng):
    """Return the rows to fit on and to score, for each fold."""
    if cv is None or num_samples(X) == 0:  # the estimator says that there are no rows
        return []
    if isinstance(cv, Integral):
        cv = KFold(cv, shuffle=True, random_state=rng.randint(np.iinfo(np.int32).max))
    return list(check_cv(cv).split(X, **split_params))


def _check_fraction(alpha):
    if not (isinstance(alpha, Real) and 0 < alpha < 1):
        raise ValueError(f"alpha must be a number between 0 and 1; got {alpha!r}")


def _labels(is_outlier):
    return np.where(is_outlier, -1, 1)
