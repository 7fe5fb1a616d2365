"""Thresholds for streams: they follow the scores of any detector."""

from dataclasses import field
from math import floor
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, MetaEstimatorMixin, OutlierMixin
from sklearn.callback import CallbackSupportMixin
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils import check_random_state, get_tags

from skae._data.frames import plain_samples, samples_of
from skae._data.given import as_data
from skae._data.rows import joined_rows, take_rows
from skae._outliers.scorer import TabularOutlierScorer
from skae._outliers.training_scores import (
    NUMERICAL_ERRORS,
    numerical_error,
    scores_with_missing,
)
from skae._outliers.wrapped import ColumnNames, column_names_of, seeded_clone
from skae._params import (
    FittedAttributes,
    ParameterMixin,
    StrOptions,
    fit_context,
    integer,
    parameter_class,
    real,
    unchanged_on_error,
)
from skae._series.peaks import DriftingPeaksThreshold, PeaksThreshold
from skae._series.rolling_quantile import RollingQuantile, least_window
from skae._sklearn import check_n_features, num_samples
from skae._training.tasks import Subtask, meta_task, task_facts


@parameter_class
class StreamingThreshold(
    MetaEstimatorMixin,
    OutlierMixin,
    ColumnNames,
    FittedAttributes,
    CallbackSupportMixin,
    ParameterMixin,
):
    """Find outliers in a stream by a threshold that follows the scores.

    A detector gives each row a score: the higher, the more normal. ``fit`` takes rows in the order
    of time: the detector learns from the first ones, and the threshold from the scores of the
    last ones, which the detector has not seen. ``update`` takes the next rows, one or many. It
    judges each row by the threshold as it was before this row, and then lets the threshold move
    on. Memory stays bounded, and rows can come one by one or in chunks: the results are the same.
    The detector itself learns nothing from the stream.

    Read more in the :ref:`User Guide <streams>`.

    Parameters
    ----------
    detector : estimator or None, default=None
        Anything with ``fit`` and ``score_samples``, as in `OutlierDetector`. It is cloned. If its
        ``random_state`` is None, it is set from that of this estimator. None is
        `TabularOutlierScorer()`. A fitted one in a `FrozenEstimator` is not fitted again: all rows
        of ``fit`` are for the threshold, and the detector should not have seen them.
    method : {"quantile", "spot", "dspot"}, default="quantile"
        How the threshold follows.

        - "quantile": a quantile of the last ``window`` scores. It makes no assumption about
          their distribution. It follows a drift if little of it happens within a window.
        - "spot": an extreme quantile, from a generalized Pareto distribution that is fitted to
          the lowest scores [1]_. For scores whose distribution does not change, and for an
          ``alpha`` that is small for the number of scores.
        - "dspot": the same for the differences between a score and the mean of the ``depth``
          scores before [1]_. For scores whose level drifts fast.
    alpha : float, default=0.01
        Accepted rate of false alarms, the fraction of normal rows that are flagged, between 0
        and 0.5.
    window : int, default=1000
        Number of scores that "quantile" keeps; at least ``1 / alpha - 1``. "spot" and "dspot"
        only need them for p-values above the tail.
    calibration_fraction : float, default=0.5
        Fraction of the rows of ``fit``, the last ones, that are held out for the threshold.
    tail_fraction : float, default=0.1
        Fraction of the scores that are the tail of "spot" and "dspot". More than ``alpha``: five
        times as much or more is better. The held-out rows must have 10 scores in the tail.
    depth : int, default=50
        Number of scores in the mean of "dspot".
    patience : int or None, default=100
        With "dspot", outliers in a row after which their level counts as normal. If normal
        rows are among them, it takes one more outlier for each. None never lets it.
    random_state : int, RandomState instance or None, default=None
        Seed of the detector where its own ``random_state`` is None.

    Attributes
    ----------
    detector_ : estimator
        The fitted detector.
    threshold_ : float
        The threshold as it is now: a row with a lower score is an outlier.
    offset_ : float
        The same.
    n_seen_ : int
        Number of rows that ``update`` has seen.
    n_context_ : int
        Number of rows before a row that the detector needs to score it: its own attribute
        ``n_context_``, or 0 if it has none. So many of the last rows are kept.
    n_features_in_ : int
        Number of columns of the rows of ``fit``.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, if ``detector_`` knows them.

    See Also
    --------
    OutlierDetector : Outliers in tables and images, by a fixed threshold.
    SeriesOutlierDetector : Scores for series of sensors; with ``causal=True`` as the detector here.

    Notes
    -----
    With "quantile", the p-value of a row is its rank among the scores of the window and its own.
    A normal row has a p-value of ``alpha`` or less with a probability of at most ``alpha``, if its
    score and those of the window are exchangeable: each order of them is as probable as any
    other [2]_. This does not hold for a stream that drifts, has periods, or whose neighboring
    scores are alike. Then the rate of false alarms can be larger or smaller for a while.

    Anomalies in the window change this little if they are few. If they are a fraction ``c`` of the
    window, and the normal scores are exchangeable, the probability is at most
    ``alpha / (1 - c)``, whatever the scores of the anomalies: they can only add to the rank of a
    normal row. If anomalies score lower than normal rows, as they should, there are even fewer
    false alarms than ``alpha`` [3]_. The price is power: if ``c`` is ``alpha`` or more, only
    rows that score lower than many of these anomalies are found. Choose an ``alpha`` above the
    fraction of anomalies that you expect, or "spot" or "dspot", which learn little from outliers.

    What "spot" and "dspot" give has no such guarantee: it rests on the fit of the tail.

    All scores enter the window of "quantile", those of outliers, too. If a new, lower level
    lasts, the first ``alpha * (window + 1)`` rows of it are outliers. After ``k`` rows, the
    probability of an outlier has fallen to about ``alpha * window / k``. With "dspot", the first
    ``patience`` rows are outliers. With "spot", all of them are, if they score low enough: fit it
    anew.

    The tail has at most 1,000 of the last peaks, and is fitted again with each new one. It is not
    fitted by maximum likelihood as in [1]_, but as in [4]_, which is faster and never fails.
    Outliers do not change the tail in [1]_. But some of them are false alarms, and without these,
    the tail seems shorter and shorter: in simulations, the rate of false alarms grew to several
    times ``alpha``. So here outliers are among the peaks if they may be false alarms, as their
    p-value is above ``alpha / 100``. It only counts that they are below the threshold, not how
    low they are.

    References
    ----------
    .. [1] A. Siffer, P.-A. Fouque, A. Termier and C. Largouët, "Anomaly detection in streams with
       extreme value theory", ACM SIGKDD Conference on Knowledge Discovery and Data Mining, 2017.
    .. [2] S. Bates, E. Candès, L. Lei, Y. Romano and M. Sesia, "Testing for outliers with
       conformal p-values", Annals of Statistics 51, 2023.
    .. [3] M. Bashari, M. Sesia and Y. Romano, "Robust conformal outlier detection under
       contaminated reference data", International Conference on Machine Learning, 2025.
    .. [4] J. Zhang and M. A. Stephens, "A new and efficient estimation method for the generalized
       Pareto distribution", Technometrics 51, 2009.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.mixture import GaussianMixture
    >>> from skae import StreamingThreshold
    >>> rng = np.random.default_rng(0)
    >>> stream = StreamingThreshold(GaussianMixture(), random_state=0)
    >>> stream = stream.fit(rng.normal(size=(1000, 3)))
    >>> labels, p_values = stream.update([[0.1, 0.2, -0.3], [5.0, -4.0, 6.0]])
    >>> labels, p_values.round(3)
    (array([ 1, -1]), array([0.982, 0.002]))
    """

    detector: Any = field(default=None, kw_only=False)
    method: str = "quantile"
    alpha: float = 0.01
    window: int = 1000
    calibration_fraction: float = 0.5
    tail_fraction: float = 0.1
    depth: int = 50
    patience: int | None = 100
    random_state: Any = None

    _parameter_constraints = {
        "method": [StrOptions({"quantile", "spot", "dspot"})],
        "alpha": [real(0, 0.5, closed="right")],
        "window": [integer(1)],
        "calibration_fraction": [real(0, 1, closed="neither")],
        "tail_fraction": [real(0, 1, closed="neither")],
        "depth": [integer(1)],
        "patience": [integer(1), None],
        "random_state": ["random_state"],
    }

    @classmethod
    def _parts(cls):
        return {"detector": [TabularOutlierScorer]}

    # Fitting.

    @fit_context(prefer_skip_nested_validation=False)  # the detector checks its own parameters
    def fit(self, X, y=None):
        """Fit the detector on the first rows, and find the threshold from the last ones.

        Parameters
        ----------
        X : DataFrame, array-like or sparse matrix of shape (n_samples, n_features)
            Rows in the order of time, most of them normal, or whatever the detector takes.
        y : None
            Ignored.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter is invalid, if there are too few rows, or if the detector rejects them
            or has no ``score_samples``, or if its scores depend on later rows, as ``n_lookahead_``
            above 0 says. An estimator that was fitted before does not change.
        """
        del y
        self._check_together()
        with unchanged_on_error(self):
            self._fit(as_data(X))
        return self

    def _check_together(self):
        """Check parameters that depend on each other."""
        least = least_window(self.alpha)
        if self.method == "quantile" and self.window < least:
            raise ValueError(
                f"window={self.window} is too small for alpha={self.alpha}: it takes at least "
                f"{least} scores, 1 / alpha - 1, until one of them can be so rare. Give a larger "
                "window or alpha, or method='spot', which extrapolates."
            )
        if self.method != "quantile" and self.tail_fraction <= self.alpha:
            raise ValueError(
                f"tail_fraction={self.tail_fraction} must be more than alpha={self.alpha}, as the "
                "threshold is in the tail. Give a larger tail_fraction, such as 0.1."
            )

    def _fit(self, X):
        detector = self._original()
        is_fitted = isinstance(detector, FrozenEstimator)
        with meta_task(task_facts(self, X), int(not is_fitted)) as task:
            n_learned = 0 if is_fitted else self._learn(detector, X, task)
            check_n_features(self, X, reset=True)
            self._names, self.detector_, self.n_seen_ = column_names_of(X), detector, 0
            self.n_context_, self._context = _context_of(detector), None
            first = max(0, n_learned - self.n_context_)
            rows = take_rows(X, np.arange(first, num_samples(X)))
            scores = self._scores_of_last(rows, self.n_context_)
            self._follower = self._calibrated(scores[~np.isnan(scores)])
            self._keep(X)

    def _learn(self, detector, X, task):
        """Fit the detector on the first rows, and return how many they are."""
        n_samples = num_samples(X)
        n_learned = n_samples - floor(self.calibration_fraction * n_samples)
        if n_learned == n_samples > 0:
            raise ValueError(
                f"X has {n_samples} sample(s), of which calibration_fraction="
                f"{self.calibration_fraction} leaves none for the threshold. Give more rows."
            )
        rows = take_rows(X, np.arange(n_learned))
        within = Subtask(self, task.subcontext(task_name="fit-detector"))
        try:
            with within.fit_of(detector, rows):
                detector.fit(rows, None)  # some require y
        except NUMERICAL_ERRORS as error:
            raise numerical_error(error, detector) from error
        return n_learned

    def _original(self):
        rng = check_random_state(self.random_state)
        seed = rng.randint(np.iinfo(np.int32).max)
        if self.detector is None:
            return TabularOutlierScorer(random_state=seed)
        return seeded_clone("detector", self.detector, seed)

    def _calibrated(self, scores):
        """Return what follows the scores, after the first of them."""
        how = {"alpha": self.alpha, "window": self.window}
        if self.method == "quantile":
            return RollingQuantile(scores, **how)
        how["tail_fraction"] = self.tail_fraction
        if self.method == "spot":
            return PeaksThreshold(scores, **how)
        return DriftingPeaksThreshold(scores, **how, depth=self.depth, patience=self.patience)

    # The stream.

    def update(self, X):
        """Judge the next rows of the stream, and let the threshold follow their scores.

        Parameters
        ----------
        X : DataFrame, array-like or sparse matrix of shape (n_samples, n_features)
            The rows that come next, in the order of time: one, many or none.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
            -1 for outliers, 1 for normal rows. Each row is judged by the rows before it.
        p_values : ndarray of shape (n_samples,)
            Probability that a normal row has such a low score. A row that the detector gives NaN
            as the score has no p-value: it is NaN. Such a row is normal, and changes nothing.

        Raises
        ------
        ValueError
            If columns are missing, or if the detector rejects the rows. Nothing changes then.
        """
        X, scores = self._scored(X)
        labels, p_values = np.ones(len(scores), int), np.full(len(scores), np.nan)
        for i in np.flatnonzero(~np.isnan(scores)):
            is_outlier, p_values[i] = self._follower.step(float(scores[i]))
            labels[i] = -1 if is_outlier else 1
        if len(scores):
            self._keep(X)
        self.n_seen_ += len(scores)
        return labels, p_values

    def _scored(self, X):
        """Return the next rows as the detector takes them, and their scores."""
        X = self._aligned(X)
        if num_samples(X) == 0:
            return X, np.empty(0)
        self._check_columns(X)
        rows = X if self._context is None else joined_rows(self._context, X)
        return X, self._scores_of_last(rows, num_samples(rows) - num_samples(X))

    def _check_columns(self, X):
        """Raise an error if X is not rows of as many columns as at ``fit``."""
        is_array = isinstance(X, (np.ndarray, list, tuple))
        if is_array and np.ndim(X) == 1 and "n_features_in_" in vars(self):
            raise ValueError(
                f"X has one axis, but {self.n_features_in_} columns are expected. Reshape your "
                "data: of one row, give X.reshape(1, -1)."
            )
        check_n_features(self, X, reset=False)

    def _scores_of_last(self, rows, n_before):
        """Return the scores of rows, without those of the first ones."""
        scores = scores_with_missing(self.detector_, rows)
        if scores.shape != (num_samples(rows),):
            raise ValueError(
                f"{type(self.detector_).__name__} gives scores of shape {scores.shape} for "
                f"{num_samples(rows)} rows. It takes a detector that gives one score for each row."
            )
        return scores[n_before:]

    def _keep(self, X):
        """Keep the last rows, which scores of the next ones depend on."""
        if not self.n_context_:
            return
        n_new = num_samples(X)
        if self._context is not None and n_new < self.n_context_:
            X = joined_rows(self._context, X)
        last = np.arange(max(0, num_samples(X) - self.n_context_), num_samples(X))
        self._context = take_rows(X, last)

    # Scores, by the threshold as it is now.

    def score_samples(self, X):
        """Return the scores of the detector for the rows that come next.

        Parameters
        ----------
        X : DataFrame, array-like or sparse matrix of shape (n_samples, n_features)
            The rows that come next. This changes nothing: they are not taken as seen.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            The higher, the more normal.
        """
        rows = self._aligned(X)
        if num_samples(rows) == 0:  # the detector says what it thinks of no rows
            return scores_with_missing(self.detector_, rows)
        return self._scored(rows)[1]

    def decision_function(self, X):
        """Return how far rows score above the threshold as it is now.

        Parameters
        ----------
        X : DataFrame, array-like or sparse matrix of shape (n_samples, n_features)
            The rows that come next.

        Returns
        -------
        decision : ndarray of shape (n_samples,)
            ``score_samples(X) - threshold_``, negative for outliers.
        """
        return self.score_samples(X) - self.threshold_

    def predict(self, X):
        """Predict which rows are outliers by the threshold as it is now.

        Parameters
        ----------
        X : DataFrame, array-like or sparse matrix of shape (n_samples, n_features)
            The rows that come next. The threshold does not move.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
            -1 for outliers, 1 for normal rows.
        """
        return np.where(self.score_samples(X) < self.threshold_, -1, 1)

    @property
    def threshold_(self):
        """The threshold as it is now."""
        return float(self._follower.threshold)

    @property
    def offset_(self):
        """The threshold as it is now, by the name that scikit-learn has for it."""
        return self.threshold_

    # Attributes and tags.

    @property
    def feature_names_in_(self):
        """Names of the columns of the rows of ``fit``."""
        return self.detector_.feature_names_in_

    def _shown_parts(self):
        fitted = self.__sklearn_is_fitted__()
        return {"detector_": self.detector_} if fitted else super()._shown_parts()

    def __getstate__(self):
        """Return the state for pickle, which loads by any format of files."""
        state = super().__getstate__()
        if "_context" not in state:
            return state
        return state | {"_context": plain_samples(state["_context"])}

    def __setstate__(self, state):
        if "_context" in state:
            state = state | {"_context": samples_of(state["_context"])}
        super().__setstate__(state)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        detector = TabularOutlierScorer() if self.detector is None else self.detector
        if isinstance(detector, BaseEstimator):  # ``fit`` rejects all others
            tags.input_tags = get_tags(detector).input_tags
        return tags

    def __sklearn_is_fitted__(self):
        return "detector_" in vars(self)


def _context_of(detector):
    """Return how many rows before a row a detector needs, itself or at the end of a pipeline."""
    last = detector[-1] if isinstance(detector, Pipeline) else detector
    if getattr(last, "n_lookahead_", 0):
        raise ValueError(
            f"{type(last).__name__} scores rows by later ones too, which a stream does not have "
            "yet. Set its parameter causal=True."
        )
    return int(getattr(last, "n_context_", 0))
