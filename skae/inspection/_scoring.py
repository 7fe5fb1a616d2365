"""Scores of any estimator that tells outliers, and the threshold and scores that it keeps."""

from numbers import Real
from typing import NamedTuple

import numpy as np
from sklearn.base import is_outlier_detector
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from skae._data.checks import as_numbers
from skae._data.rows import take_rows
from skae._outliers.detector import OutlierDetector
from skae._outliers.outlier_scorer import OutlierScorer
from skae._params import refuse_class
from skae._sklearn import BaseSearchCV
from skae.inspection._models import best_of


class Scored(NamedTuple):
    """Scores of samples, and what an estimator knows to compare them with.

    Parameters
    ----------
    scores : ndarray of shape (n_samples,)
        The higher, the more normal.
    threshold : float or None
        Samples with a lower score are outliers.
    training_scores : ndarray of shape (n_training,) or None
        Scores of training rows.
    """

    scores: np.ndarray
    threshold: float | None
    training_scores: np.ndarray | None


def score(estimator, X, X_train=None):
    """Score samples by an estimator.

    Parameters
    ----------
    estimator : estimator
        Fitted. It has ``score_samples``, or is an outlier detector with ``decision_function``.
    X : samples
        As the estimator takes them.
    X_train : samples or None, default=None
        Samples to compare with. None takes the scores that the estimator keeps, if it does.

    Returns
    -------
    Scored

    Raises
    ------
    TypeError
        If the estimator gives no scores.
    """
    refuse_class("estimator", estimator)
    check_is_fitted(estimator)
    scores_of, threshold = score_function(estimator, X)
    reference = _kept_scores(estimator) if X_train is None else scores_of(X_train)
    return Scored(_checked(scores_of(X), "The estimator"), threshold, reference)


def score_function(estimator, X):
    """Return the function of samples that scores them, and the threshold or None."""
    has_decision = is_outlier_detector(estimator) and hasattr(estimator, "decision_function")
    if hasattr(estimator, "score_samples"):
        if hasattr(estimator, "offset_"):
            return estimator.score_samples, float(np.ravel(estimator.offset_)[0])
        if has_decision:  # a pipeline or a search, which has the offset of its last step
            one = take_rows(X, [0])
            offset = estimator.score_samples(one) - estimator.decision_function(one)
            return estimator.score_samples, float(np.ravel(offset)[0])
        return estimator.score_samples, None
    if has_decision:
        return estimator.decision_function, 0.0
    raise TypeError(
        f"{type(estimator).__name__} gives samples no scores: it has no score_samples. Give an "
        "OutlierDetector, an autoencoder, or another estimator such as IsolationForest or "
        "LocalOutlierFactor(novelty=True); or give the scores themselves to from_predictions."
    )


def _kept_scores(estimator):
    """Return the scores of training rows that an estimator keeps, or None."""
    match estimator:
        case Pipeline():
            return _kept_scores(estimator.steps[-1][1])
        case BaseSearchCV():
            return _kept_scores(best_of(estimator))
        case FrozenEstimator():
            return _kept_scores(estimator.estimator)
        case OutlierDetector():
            return estimator.calibration_scores_
        case OutlierScorer():
            return estimator.training_scores_
    return None


def check_scores(scores, name="scores"):
    """Return scores as an array of shape (n_samples,), or say what is wrong with them.

    Raises
    ------
    TypeError, ValueError
        If they are no numbers, there are none, or one is NaN.
    """
    return _checked(as_numbers(scores, name), name)


def check_threshold(threshold):
    """Raise an error if a threshold is neither a number nor None."""
    is_number = isinstance(threshold, Real) and not isinstance(threshold, bool)
    if threshold is not None and not (is_number and np.isfinite(threshold)):
        raise ValueError(f"threshold must be a number or None; got {threshold!r}")


def _checked(scores, name):
    scores = np.asarray(scores, np.float64)
    scores = scores[:, 0] if scores.ndim == 2 and scores.shape[1] == 1 else scores
    if scores.ndim != 1 or not len(scores):
        raise ValueError(f"{name} must give one score for each sample; shape {scores.shape}")
    if np.isnan(scores).any():
        where = np.flatnonzero(np.isnan(scores))[0]
        raise ValueError(f"{name}: the score of sample {where} is NaN. Leave such samples out.")
    return scores
