"""Where in a sample an anomaly is, as detectors and autoencoders say it."""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from skae._data.frames import FrameFormat
from skae._data.given import as_data
from skae._estimators.fitted import FittedAutoencoder
from skae._outliers.detector import OutlierDetector
from skae._outliers.thresholds import p_values
from skae._params import refuse_class
from skae._sklearn import BaseSearchCV, num_samples
from skae.exceptions import ExtrapolationWarning
from skae.inspection._forms import Rows, form_of
from skae.inspection._models import Model, best_of, layouts_of, take


@dataclass
class Explanation:
    """What is unusual in samples.

    Parameters
    ----------
    form : Images, Series or Rows
        How the samples are drawn.
    value, expected, contribution : samples
        Their values, what would be expected, and how much each value makes the sample unusual.
    labels : sequence
        Labels of the samples in the index of a DataFrame, or positions.
    scores, p_values : ndarray of shape (n_samples,) or None
        How unusual the samples are.
    meaning : str
        What the contributions are.
    feature_names : list of str or None, default=None
        Names of the features of series.
    """

    form: Any
    value: Any
    expected: Any
    contribution: Any
    labels: Any
    scores: np.ndarray | None
    p_values: np.ndarray | None
    meaning: str
    feature_names: list | None = None


def explain(estimator, X, n_samples, image_shape=None, form="auto"):
    """Explain the most unusual samples.

    Parameters
    ----------
    estimator : estimator
        Fitted: an `OutlierDetector`, an autoencoder, or a pipeline or search that ends in one.
    X : samples
        As the estimator takes them.
    n_samples : int or callable
        How many to explain at most, or a function that says so from the name of the form. If
        there are not more, all are explained, in their order.
    image_shape : tuple of int or None, default=None
        Shape of the images that flat rows hold.
    form : {"images", "series", "rows", "auto"}, default="auto"
        How the samples are drawn.

    Returns
    -------
    Explanation

    Raises
    ------
    NotFittedError, TypeError, ValueError
        If the estimator is not fitted, explains nothing, or rejects the samples.
    """
    refuse_class("estimator", estimator)
    X, labels = as_data(X), labels_of(X)
    whole = X
    while isinstance(estimator, (Pipeline, BaseSearchCV)):
        check_is_fitted(estimator)
        if isinstance(estimator, BaseSearchCV):
            estimator = best_of(estimator)
        elif isinstance(estimator.steps[-1][1], OutlierDetector):
            X, estimator = estimator[:-1].transform(X), estimator.steps[-1][1]
            whole = X
        else:
            break
    model = Model.of(estimator)
    drawn = form_of(layouts_of(model.last)[0], whole, image_shape, form)
    is_detector = isinstance(estimator, OutlierDetector)
    is_autoencoder = isinstance(model.last, FittedAutoencoder)
    if not is_autoencoder and not (is_detector and isinstance(drawn, Rows)):
        raise TypeError(_no_explanation(estimator, model, is_detector, drawn))
    scores = np.asarray(estimator.score_samples(X), np.float64)
    which = most_unusual(scores, n_samples(drawn.name) if callable(n_samples) else n_samples)
    shown = take(X, which)
    if is_detector and isinstance(drawn, Rows):
        contribution, expected = estimator.explain(shown, return_expected=True)
        meaning = "rise of the score with the expected value"
    else:
        shown, expected, contribution, meaning = _by_reconstruction(model, shown, drawn)
    p = p_values(scores[which], estimator.calibration_scores_) if is_detector else None
    parts = drawn, shown, expected, contribution, labels[which], scores[which], p, meaning
    return Explanation(*parts, model.feature_names)


def _by_reconstruction(model, shown, drawn):
    """Return samples, reconstructions and the errors of each value, as the user has samples."""
    inputs = model.prepared(shown)
    with warnings.catch_warnings():  # outliers are far from other samples
        warnings.simplefilter("ignore", ExtrapolationWarning)
        expected = model.reconstruct(inputs)
    if isinstance(drawn, Rows):
        errors, meaning = model.last.feature_losses(inputs), "loss of the reconstruction"
    else:
        errors, meaning = model.last.reconstruction_errors(inputs), "part of the squared error"
    if model.can_go_back:
        return shown, model.back(expected), errors, meaning
    return inputs, expected, errors, meaning


def _no_explanation(estimator, model, is_detector, drawn):
    name = type(estimator).__name__
    if is_detector:
        return (
            f"Of {drawn.name}, what is expected is drawn beside the errors, and only an "
            f"autoencoder gives it: the estimator of this OutlierDetector is a {model.name}. "
            "Of images, explain(X) gives heat maps, for imshow."
        )
    return (
        f"{name} does not say where in a sample an anomaly is. For rows of tables, give "
        "OutlierDetector(FrozenEstimator(estimator)).fit(X), with normal rows; for images and "
        "series, an autoencoder."
    )


def most_unusual(scores, n):
    """Return the positions of the lowest scores, the lowest first; of all, in their order."""
    if len(scores) <= n:
        return np.arange(len(scores))
    return np.argsort(scores, kind="stable")[:n]


def labels_of(X):
    """Return the labels of samples: those of the index of a DataFrame of pandas, or positions."""
    frame = FrameFormat.of(X)
    index = None if frame is None else frame.index
    return np.arange(num_samples(X)) if index is None else np.fromiter(index, object, len(index))
