"""Scores of predicted images."""

from numbers import Real

import numpy as np
import torch

from skae._data.checks import as_array
from skae._data.image_format import MAX_INTENSITY
from skae._data.read_images import ImageReader
from skae.losses._ssim import multi_scale_similarity, structural_similarity

__all__ = ["colorfulness", "ms_ssim_score", "psnr_score", "ssim_score"]

CHUNK = 256

#: How much the mean color counts in colorfulness, beside how colors differ.
MEAN_WEIGHT = 0.3


def colorfulness(images, *, data_range=None, channels_first=False):
    """Return how colorful pictures are, on average, by the measure of Hasler and Suesstrunk [1]_.

    Parameters
    ----------
    images : array-like of shape (n_samples, height, width, 3)
        Red, green and blue.
    data_range : float or None, default=None
        As for `psnr_score`.
    channels_first : bool, default=False
        Whether the channels are the first axis of an image.

    Returns
    -------
    colorfulness : float
        0 for gray pictures. About 15 is slightly, 33 moderately, 59 quite and 109 extremely
        colorful.

    Raises
    ------
    ValueError
        If the images have other than three channels, or their range is not clear.

    References
    ----------
    .. [1] D. Hasler and S. Suesstrunk, "Measuring colorfulness in natural images", Human Vision
       and Electronic Imaging 2003. :doi:`10.1117/12.477378`

    Examples
    --------
    >>> import numpy as np
    >>> from skae.metrics import colorfulness
    >>> gray = np.full((1, 8, 8, 3), 0.5)
    >>> red = gray + [0.5, 0, 0]
    >>> colorfulness(gray), round(colorfulness(red), 3)
    (0.0, 42.765)
    """
    images, _, data_range = _check_images(images, images, data_range)
    format = ImageReader(None, channels_first).format_of(images.shape[1:], "images")
    if format.tensor_shape[0] != 3:
        raise ValueError(f"colorfulness needs red, green and blue; got shape {images.shape}")
    values = [
        _colorfulness(np.moveaxis(part, format.channel_axis + 1, 0) * (255 / data_range))
        for (part,) in _chunks(images)
    ]
    return float(np.concatenate(values).mean())


def _colorfulness(rgb):
    """Return the colorfulness of each of the images of an array of shape (3, n_images, ...)."""
    red, green, blue = (channel.reshape(len(channel), -1) for channel in rgb)
    opponents = red - green, (red + green) / 2 - blue
    variance = sum(opponent.var(1) for opponent in opponents)
    mean_square = sum(opponent.mean(1) ** 2 for opponent in opponents)
    return np.sqrt(variance) + MEAN_WEIGHT * np.sqrt(mean_square)


def psnr_score(y_true, y_pred, *, data_range=None):
    """Return the peak signal-to-noise ratio, in decibels, averaged over images.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_samples, ...)
        Images of any layout.
    data_range : float or None, default=None
        Difference of the largest and the smallest value that images can have. None is
        255 for uint8, and likewise for other unsigned integers, and 1 for floats.

    Returns
    -------
    score : float
        The higher, the better; infinity if an image is restored exactly.

    Raises
    ------
    ValueError
        If the images differ in shape or type, or their range is not clear.

    Examples
    --------
    >>> import numpy as np
    >>> from skae.metrics import psnr_score
    >>> round(psnr_score(np.zeros((1, 8, 8)), np.full((1, 8, 8), 0.1)), 6)
    20.0
    """
    y_true, y_pred, data_range = _check_images(y_true, y_pred, data_range)
    errors = [
        ((a.astype(np.float64) - b) ** 2).reshape(len(a), -1).mean(1)
        for a, b in _chunks(y_true, y_pred)
    ]
    with np.errstate(divide="ignore"):
        return float(np.mean(10 * np.log10(data_range**2 / np.concatenate(errors))))


def ssim_score(
    y_true,
    y_pred,
    *,
    data_range=None,
    image_shape=None,
    channels_first=False,
    spatial_dims="auto",
):
    """Return the structural similarity (SSIM), averaged over images.

    With a Gaussian window of 11 pixels, or the largest odd number that fits [1]_.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_samples, height, width) or \
            (n_samples, height, width, channels)
        Images, the true ones and the predicted ones.
    data_range : float or None, default=None
        As for `psnr_score`.
    image_shape : tuple of int or None, default=None
        Shape of the images, if they are flat.
    channels_first : bool, default=False
        Whether the channels are the first axis of an image.
    spatial_dims : {1, 2} or "auto", default="auto"
        1 for signals with channels.

    Returns
    -------
    score : float
        The higher, the better; 1 if all images are restored exactly.

    Raises
    ------
    ValueError
        As in `psnr_score`.

    References
    ----------
    .. [1] Z. Wang, A. C. Bovik, H. R. Sheikh and E. P. Simoncelli, "Image quality
       assessment: from error visibility to structural similarity", IEEE Transactions on
       Image Processing 13(4), 2004. :doi:`10.1109/TIP.2003.819861`

    Examples
    --------
    >>> import numpy as np
    >>> from skae.metrics import ssim_score
    >>> image = np.eye(12)[None]
    >>> ssim_score(image, image)
    1.0
    """
    layout = ImageReader(image_shape, channels_first, spatial_dims)
    return _mean_score(structural_similarity, y_true, y_pred, data_range, layout)


def ms_ssim_score(
    y_true,
    y_pred,
    *,
    data_range=None,
    image_shape=None,
    channels_first=False,
    spatial_dims="auto",
):
    """Return the multi-scale structural similarity (MS-SSIM), averaged over images [1]_.

    It compares structures at five scales: the images, and images of half the size each time. An
    image of less than 176 pixels a side has fewer scales, down to 11 pixels or more each: four from
    88 pixels on, three from 44, two from 22, and otherwise one, which is `ssim_score`. The
    exponents of fewer scales are divided by their sum. Compare scores of images of one size only.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_samples, height, width) or \
            (n_samples, height, width, channels)
        Images, the true ones and the predicted ones.
    data_range : float or None, default=None
        As for `psnr_score`.
    image_shape : tuple of int or None, default=None
        Shape of the images, if they are flat.
    channels_first : bool, default=False
        Whether the channels are the first axis of an image.
    spatial_dims : {1, 2} or "auto", default="auto"
        1 for signals with channels.

    Returns
    -------
    score : float
        The higher, the better; 1 if all images are restored exactly.

    Raises
    ------
    ValueError
        As in `psnr_score`.

    References
    ----------
    .. [1] Z. Wang, E. P. Simoncelli and A. C. Bovik, "Multiscale structural similarity for image
       quality assessment", Asilomar Conference on Signals, Systems and Computers, 2003.
       :doi:`10.1109/ACSSC.2003.1292216`

    Examples
    --------
    >>> import numpy as np
    >>> from skae.metrics import ms_ssim_score
    >>> image = np.eye(24)[None]
    >>> ms_ssim_score(image, image)
    1.0
    """
    layout = ImageReader(image_shape, channels_first, spatial_dims)
    return _mean_score(multi_scale_similarity, y_true, y_pred, data_range, layout)


def _mean_score(similarity, y_true, y_pred, data_range, layout):
    """Return the mean over images of a function of pairs of tensors and the range of values."""
    y_true, y_pred, data_range = _check_images(y_true, y_pred, data_range)
    images = layout.format_of(y_true.shape[1:], "y_true")

    def tensor(array):
        return images.to_tensor(torch.from_numpy(array.astype(np.float64)))

    scores = [similarity(tensor(a), tensor(b), data_range) for a, b in _chunks(y_true, y_pred)]
    return float(torch.cat(scores).mean())


def _check_images(y_true, y_pred, data_range):
    y_true, y_pred = (
        np.asarray(as_array(y, name)) for y, name in ((y_true, "y_true"), (y_pred, "y_pred"))
    )
    for y in (y_true, y_pred):
        if y.dtype.kind not in "fiub" or not np.isfinite(y).all():
            raise ValueError("scores of images need finite numbers")
    if y_true.shape != y_pred.shape:
        raise ValueError(f"y_true is of shape {y_true.shape}, but y_pred of {y_pred.shape}")
    if y_true.ndim < 2 or not y_true.size:
        raise ValueError(f"scores of images need arrays of images; got shape {y_true.shape}")
    if data_range is None:
        data_range = _range_of_type(y_true, y_pred)
    if not (isinstance(data_range, Real) and 0 < data_range < np.inf):
        raise ValueError(f"data_range must be a positive number; got {data_range!r}")
    return y_true, y_pred, float(data_range)


def _range_of_type(y_true, y_pred):
    integers = {y.dtype for y in (y_true, y_pred) if y.dtype.kind == "u"}
    largest = [np.abs(y).max() for y in (y_true, y_pred) if y.dtype.kind != "u"]
    if not integers and max(largest) <= MAX_INTENSITY:
        return 1.0
    if len(integers) == 1 and all(most > MAX_INTENSITY for most in largest):
        return float(np.iinfo(*integers).max)
    raise ValueError(
        f"y_true of {y_true.dtype} up to {y_true.max():g} and y_pred of {y_pred.dtype} up to "
        f"{y_pred.max():g} do not say what range images can have: give data_range, such as 255, "
        "and both on the same scale"
    )


def _chunks(*arrays):
    for start in range(0, len(arrays[0]), CHUNK):
        yield tuple(array[start : start + CHUNK] for array in arrays)
