"""Heat maps of images: which pixels make each image unusual, by the scores of any estimator."""

from functools import cached_property

import numpy as np
from scipy.ndimage import gaussian_filter
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from skae._data.image_format import ImageFormat
from skae._estimators.fitted import FittedAutoencoder
from skae._outliers.image_scorer import ImageOutlierScorer, n_axes
from skae._outliers.pixel_levels import PixelLevels

#: Standard deviation of the Gaussian that errors are averaged by, as a fraction of the shorter side
#: of an image, and in pixels at most. Errors of single pixels are mostly noise.
BLUR, MAX_BLUR = 1 / 32, 2.0

#: Added to errors, as a fraction of their mean, so that they have logarithms.
LEAST_ERROR = 1e-6


def reads_images(estimator, X):
    """Say whether samples of an estimator are images, by what it has learned or by their axes."""
    estimator = _last(estimator)
    if isinstance(estimator, (FittedAutoencoder, ImageOutlierScorer)):
        format = estimator._reader.format
        return isinstance(format, ImageFormat) and len(format.tensor_shape) == 3
    return hasattr(estimator, "score_pixels") or n_axes(X) == 4


class HeatMaps:
    """How unusual the pixels of images are, compared with those of normal images at the same place.

    Parameters
    ----------
    estimator : estimator
        Fitted: an autoencoder, or one with ``score_pixels``; maybe in a pipeline.
    normal : ndarray of shape (n_normal, ...)
        Normal images, as the estimator takes them.
    """

    def __init__(self, estimator, normal):
        self._estimator, self._normal = estimator, normal
        self._has_errors = isinstance(_last(estimator), FittedAutoencoder)

    def of(self, X):
        """Return heat maps of images, an array of shape (n_samples, height, width).

        Raises
        ------
        TypeError
            If the estimator says nothing of pixels.
        """
        least, levels = self._learned
        logs = self._logs(_pixel_errors(self._estimator, X), least)
        return levels.surprise(logs, np.ones(1))

    @cached_property
    def _learned(self):
        """The least error that counts, and the levels of normal images."""
        maps = _pixel_errors(self._estimator, self._normal)
        least = LEAST_ERROR * maps.mean() or 1.0
        return least, PixelLevels(self._logs(maps, least))

    def _logs(self, maps, least):
        """Return errors as logarithms; scores of pixels are ones already."""
        if self._has_errors:
            blur = min(BLUR * min(maps.shape[1:]), MAX_BLUR)
            maps = np.log(gaussian_filter(maps, blur, axes=(1, 2)) + least)
        return maps[:, None]


def _last(estimator):
    """Return the estimator inside of pipelines and frozen estimators."""
    match estimator:
        case Pipeline():
            return _last(estimator.steps[-1][1])
        case FrozenEstimator():
            return _last(estimator.estimator)
        case _:
            return estimator


def _pixel_errors(estimator, X):
    """Return how unusual pixels are, an array of shape (n_samples, height, width)."""
    match estimator:
        case Pipeline():
            return _pixel_errors(estimator.steps[-1][1], estimator[:-1].transform(X))
        case FrozenEstimator():
            return _pixel_errors(estimator.estimator, X)
        case FittedAutoencoder():
            errors = np.asarray(estimator.reconstruction_errors(X), np.float64)
            format = estimator._reader.format
            errors = errors.reshape(len(errors), *format.image_shape)
            axis = format.channel_axis
            return errors if axis is None else errors.mean(axis + 1)
        case _ if hasattr(estimator, "score_pixels"):
            return -np.asarray(estimator.score_pixels(X), np.float64)
    raise TypeError(
        f"{type(estimator).__name__} does not say which pixels of an image are unusual. Give "
        "OutlierDetector an ImageOutlierScorer(), an autoencoder, such as ConvAutoencoder(), or an "
        "estimator with a method score_pixels, which returns an array of shape (n_samples, height, "
        "width)."
    )
