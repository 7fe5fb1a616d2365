"""Outlier scores for images and their pixels: the default of `OutlierDetector` for images."""

import warnings
from dataclasses import field
from typing import Any

import numpy as np
import torch
from scipy import sparse
from sklearn.base import clone
from sklearn.callback import CallbackSupportMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from skae._data.frames import is_frame
from skae._data.read_images import ImageReader
from skae._estimators.image_to_image import ImageToImageRegressor
from skae._estimators.reading import learn
from skae._outliers.made_defects import make_defects
from skae._outliers.outlier_scorer import OutlierScorer
from skae._outliers.patch_distances import SIDE, PatchDistances, enlarged
from skae._outliers.pixel_levels import PixelLevels
from skae._params import (
    JOBS,
    FittedAttributes,
    ParameterMixin,
    StrOptions,
    fit_context,
    integer,
    parameter_class,
    refuse_class,
    unchanged_on_error,
)
from skae._training.fits import FitTask, fit_all
from skae._training.session import warn_of_one
from skae._training.tasks import meta_task, subtasks, task_facts
from skae.exceptions import ExtrapolationWarning

#: How much the nets count; the distances of patches share the rest.
NET_WEIGHT = 0.5

#: Side from which on nets find defects in blocks of 2 x 2 pixels, in a quarter of the time.
MIN_HALVED = 24

#: Feature maps of the nets at each size, and the least side of their smallest maps.
CHANNELS, MIN_MAP = (16, 32, 64), 4

#: Pixels of all images with made defects, and numbers of these images.
N_PIXELS, N_DAMAGED = 2**23, (500, 10_000)

#: Pixels of a batch, and numbers of images of one.
BATCH_PIXELS, BATCH_SIZE = 2**16, (4, 128)

#: Standard deviation of constants by rounding, as a fraction of them.
ROUNDING = 1e-6

#: Largest logarithm of the odds that nets give.
MAX_ODDS = 15.0


@parameter_class
class ImageOutlierScorer(OutlierScorer, FittedAttributes, CallbackSupportMixin, ParameterMixin):
    """Outlier scores for images and for their pixels, learned from normal images alone.

    ``OutlierDetector()`` uses these scores for images. They are for textures with defects
    anywhere, such as scratches, spots and missing parts. Nothing has to be downloaded: all is
    learned from the training images. For things that are always in the same place, such as digits,
    `ConvAutoencoder` tends to find defects better.

    What counts is how unusual a pixel and its surroundings are, in two ways:

    - Nets learn to find made defects in copies of the training images, an idea of [1]_ and [2]_:
      long or round areas that are lighter or darker, are faded, or come from another image. Whole
      images that are lighter or darker are no defects to them.
      They find real defects if these are like some of the made ones.
    - The Mahalanobis distance of a patch of 7 x 7 pixels from the mean image, in the image and in
      it at half and a quarter of its size. It assumes nothing about defects, but is large only for
      patches that vary more than usual: the nets have to find those that are too smooth.

    Each is compared with that of normal pixels: how large a fraction of them is as far out? Means
    of each place are subtracted, so that edges that are always there are not unusual. The score of
    a pixel is the weighted mean of the logarithms of these fractions, as in the method of Fisher
    [3]_: half of the weight is that of the nets. The score of an image is that of its most unusual
    pixel, averaged over the nets. Training images are scored by the net that was not trained on
    them, so that their scores and those of new images are of one kind.

    Read more in the :ref:`User Guide <image_anomalies>`.

    Parameters
    ----------
    estimator : ImageToImageRegressor or None, default=None
        The net: copies of it are trained. Its loss must be "binary_cross_entropy". None is
        one of few layers that is trained for 4 epochs.
    n_estimators : int, default=2
        Number of nets. Each is trained without one part of the images, which are split into
        so many parts. A single one is trained on all images.
    n_damaged : int or "auto", default="auto"
        Number of images with made defects that each net is trained on. "auto" is 8 million pixels
        in all, and between 500 and 10,000 images.
    max_samples : int, default=2_000
        Largest number of training images to use. If there are more, so many are drawn.
    image_shape : tuple of int or None, default=None
        Shape of the images that flat rows hold.
    channels_first : bool, default=False
        Whether the axis of the channels is the first one of an image, not the last.
    n_jobs : int or None, default=None
        Number of processes that train nets. None is one, -1 as many as there are cores.
    random_state : int, RandomState instance or None, default=None
        Seed of the defects, the parts and the nets. An int gives the same scores at every fit.
    verbose : int, default=0
        1 shows a progress bar over the nets, and 0 shows nothing.

    Attributes
    ----------
    estimators_ : list of ImageToImageRegressor
        The nets.
    sample_indices_ : ndarray of int of shape (n_drawn,)
        Positions of the training images that were drawn: all, unless ``max_samples`` is less.
    training_scores_ : ndarray of shape (n_drawn,)
        Their scores, each computed by nets that were not trained on the image.
    n_features_in_ : int
        Number of values of an image.

    See Also
    --------
    OutlierDetector : Sets a threshold, computes p-values, and draws heat maps.
    skae.metrics.pro_score : Judges scores of pixels by known defects.

    References
    ----------
    .. [1] V. Zavrtanik, M. Kristan and D. Skočaj, "DRAEM: a discriminatively trained
       reconstruction embedding for surface anomaly detection", International Conference on Computer
       Vision, 2021. :arxiv:`2108.07610`
    .. [2] C.-L. Li, K. Sohn, J. Yoon and T. Pfister, "CutPaste: self-supervised learning for
       anomaly detection and localization", Conference on Computer Vision and Pattern Recognition,
       2021. :arxiv:`2104.04015`
    .. [3] R. A. Fisher, "Statistical methods for research workers", Oliver and Boyd, 1925.

    Examples
    --------
    >>> import numpy as np
    >>> from skae import ImageOutlierScorer
    >>> rng = np.random.default_rng(0)
    >>> X = np.sin(np.arange(16)) + rng.normal(scale=0.1, size=(60, 16, 16))
    >>> scorer = ImageOutlierScorer(n_damaged=300, random_state=0).fit(X[:50])
    >>> X[50, 4:8, 4:8] = 0  # a missing part
    >>> int(scorer.score_samples(X[50:]).argmin())
    0
    >>> row, column = np.unravel_index(scorer.score_pixels(X[50:51])[0].argmin(), (16, 16))
    >>> bool(3 <= row <= 8 and 3 <= column <= 8)
    True
    """

    estimator: Any = field(default=None, kw_only=False)
    n_estimators: int = 2
    n_damaged: Any = "auto"
    max_samples: int = 2_000
    image_shape: tuple | None = None
    channels_first: bool = False
    n_jobs: int | None = None
    random_state: Any = None
    verbose: int = 0

    _parameter_constraints = {
        "n_estimators": [integer(1)],
        "n_damaged": [StrOptions({"auto"}), integer(1)],
        "max_samples": [integer(1)],
        "image_shape": ["array-like", None],
        "channels_first": ["boolean"],
        "n_jobs": JOBS,
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    @classmethod
    def _parts(cls):
        return {"estimator": [ImageToImageRegressor]}

    # Fitting.

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None):
        """Fit the scorer.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width) or (n_samples, height, width, channels)
            Normal images, or flat rows of these with ``image_shape``.
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
        with (
            unchanged_on_error(self),
            meta_task(task_facts(self, X), self.n_estimators, False) as task,
        ):
            self._fit(X, task)
        return self

    def _fit(self, X, task):
        rng = check_random_state(self.random_state)
        dataset = learn(self, X)
        _check_size(dataset.sample_shape)
        if len(dataset) == 1:
            warn_of_one(self)
        sample = np.arange(len(dataset))
        if len(dataset) > self.max_samples:
            sample = np.sort(rng.choice(len(dataset), self.max_samples, replace=False))
        values = _values(dataset.select(sample))
        self._center, self._scale = _units(values)
        images = self._standardized(values)
        parts = np.array_split(rng.permutation(len(images)), min(self.n_estimators, len(images)))
        self.estimators_ = self._fitted_nets(images, parts, rng, task)
        self._patches = PatchDistances(images)
        odds, distances = self._left_out_odds(images, parts), self._patches.logs(images)
        self._levels = PixelLevels(np.concatenate([odds, distances], axis=1))
        self.sample_indices_ = sample
        self.training_scores_ = _of_images(self._scores(odds, distances))

    def _make_reader(self):
        return ImageReader(self.image_shape, self.channels_first, spatial_dims=2)

    def _fitted_nets(self, images, parts, rng, task):
        """Return nets, each trained to find made defects in all images but those of one part."""
        within = subtasks(self, task, ["fit-net"] * len(parts))
        fits = []
        for part, subtask in zip(parts, within, strict=True):
            seen = images if len(parts) == 1 else np.delete(images, part, axis=0)
            net = self._net(images.shape[2:], rng.randint(np.iinfo(np.int32).max))
            pairs = make_defects(seen, self._n_damaged(images), rng)
            fits.append(FitTask(net, *_training_pairs(*pairs), within=subtask))
        title = type(self).__name__ if self.verbose else None
        for fit in fit_all(fits, self.n_jobs, self.verbose > 1, title, True):
            if fit.error is not None:
                raise fit.error
        return [fit.estimator for fit in fits]

    def _net(self, size, seed):
        """Return a net to train."""
        if self.estimator is not None:
            refuse_class("estimator", self.estimator)
            if not isinstance(self.estimator, ImageToImageRegressor):
                raise ValueError(
                    f"estimator must be an ImageToImageRegressor; got {self.estimator!r}. "
                    "OutlierDetector takes other estimators."
                )
            if self.estimator.loss != "binary_cross_entropy":
                raise ValueError(
                    "The loss of estimator must be 'binary_cross_entropy', as the net tells "
                    f"defects; got {self.estimator.loss!r}."
                )
            net = clone(self.estimator)
        else:
            net = _default_net(size)
        return net.set_params(random_state=seed, check_baseline=False, channels_first=True)

    def _n_damaged(self, images):
        if self.n_damaged != "auto":
            return self.n_damaged
        return int(np.clip(N_PIXELS // images[0, 0].size, *N_DAMAGED))

    # Scores.

    def score_samples(self, X):
        """Return outlier scores of images: the higher, the more normal.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width) or (n_samples, height, width, channels)
            Images of the size of the training images, or flat rows of them.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            The score of the most unusual pixel of each image by each net, averaged over the nets.

        Raises
        ------
        ValueError
            If X holds images of another size or number of channels than the fit.
        """
        of_nets, of_patches = self._logs(X)
        return np.mean([_of_images(self._scores(odds, of_patches)) for odds in of_nets], axis=0)

    def score_pixels(self, X):
        """Return outlier scores of pixels: the higher, the more normal.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width) or (n_samples, height, width, channels)
            Images of the size of the training images, or flat rows of them.

        Returns
        -------
        scores : ndarray of shape (n_samples, height, width)
            A mean of logarithms of fractions: those of normal pixels that are as far out. They are
            continued beyond the training pixels.

        Raises
        ------
        ValueError
            If X holds images of another size or number of channels than the fit.
        """
        of_nets, of_patches = self._logs(X)
        return self._scores(np.mean(of_nets, axis=0), of_patches)

    def _logs(self, X):
        """Return the odds by each net, a list, and the logarithms of the distances of patches."""
        check_is_fitted(self)
        images = self._standardized(_values(self._reader.read(X, estimator=self)))
        return [_odds(net, images) for net in self.estimators_], self._patches.logs(images)

    def _standardized(self, values):
        return (values - self._center) / self._scale

    def _left_out_odds(self, images, parts):
        """Return the odds of training images, each by the net that was not trained on it."""
        odds = np.empty((len(images), 1, *images.shape[2:]), np.float32)
        for part, net in zip(parts, self.estimators_, strict=True):
            odds[part] = _odds(net, images[part])
        return odds

    def _scores(self, odds, distances):
        n_scales = distances.shape[1]
        weights = np.r_[NET_WEIGHT, np.full(n_scales, (1 - NET_WEIGHT) / n_scales)]
        return -self._levels.surprise(np.concatenate([odds, distances], axis=1), weights)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.input_tags.two_d_array = self.image_shape is not None
        return tags


def n_axes(X):
    """Return the number of axes of samples, 0 if they are a list of unequal shapes."""
    if is_frame(X) or sparse.issparse(X):
        return 2
    try:
        return np.asarray(X).ndim
    except ValueError:
        return 0


def _check_size(sample_shape):
    if min(sample_shape[1:]) < SIDE + 1:
        raise ValueError(
            f"X holds images of {' x '.join(map(str, sample_shape[1:]))} pixels, and both sides "
            f"need at least {SIDE + 1}. Enlarge them, or give another estimator, such as "
            "ConvAutoencoder(). A single image is X[np.newaxis]; series are for "
            "RecurrentAutoencoder()."
        )


def _units(values):
    """Return the mean and the standard deviation of all values, 1 if they are constant."""
    center, scale = values.mean(dtype=np.float64), values.std(dtype=np.float64)
    is_constant = scale <= ROUNDING * abs(center)
    return np.float32(center), np.float32(1 if is_constant else scale)


def _values(dataset):
    return dataset.get_batch(slice(None), torch.float32)[0].contiguous().numpy()


def _default_net(size):
    """Return a net for images of a size."""
    side = min(size) // (2 if _is_halved(size) else 1)
    n_stages = max(1, min(len(CHANNELS), 1 + int(np.log2(side / MIN_MAP))))
    return ImageToImageRegressor(
        channels=CHANNELS[:n_stages],
        loss="binary_cross_entropy",
        linear_filter=0,
        lr=3e-3,
        max_epochs=4,
        batch_size=int(np.clip(BATCH_PIXELS // np.prod(size), *BATCH_SIZE)),
        early_stopping=False,
    )


def _is_halved(size):
    return min(size) >= MIN_HALVED and not any(side % 2 for side in size)


def _training_pairs(damaged, is_defect):
    """Return images, and the fraction of each pixel or block of pixels that is a defect."""
    n, *size = is_defect.shape
    target = is_defect.astype(np.float32)
    if _is_halved(size):
        target = target.reshape(n, size[0] // 2, 2, size[1] // 2, 2).mean((2, 4))
    return damaged, target


def _odds(net, images):
    """Return the logarithms of the odds of a defect, shape (n_samples, 1, height, width)."""
    with warnings.catch_warnings():  # outliers are far from other images
        warnings.simplefilter("ignore", ExtrapolationWarning)
        probability = net.predict(images)[:, None].astype(np.float64)
    with np.errstate(divide="ignore"):
        odds = np.log(probability) - np.log1p(-probability)
    return enlarged(odds.clip(-MAX_ODDS, MAX_ODDS).astype(np.float32), images.shape[2:])


def _of_images(scores):
    return scores.min((1, 2))
