"""Scores of predicted images, for `sklearn.metrics.make_scorer`."""

import numpy as np
import torch

from skae._structural import structural_similarity
from skae.inputs import ImageLayout

__all__ = ["psnr_score", "ssim_score"]

CHUNK = 256


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


def ssim_score(y_true, y_pred, *, data_range=None, channels_first=False, spatial_dims="auto"):
    """Return the structural similarity (SSIM), averaged over images.

    With a Gaussian window of 11 pixels, or the largest odd number that fits [1]_.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_samples, height, width) or \
            (n_samples, height, width, channels)
    data_range : float or None, default=None
        As for `psnr_score`.
    channels_first : bool, default=False
        Whether the channels are the first axis of an image.
    spatial_dims : {1, 2} or "auto", default="auto"
        1 for signals with channels.

    Returns
    -------
    score : float
        The higher, the better; 1 if all images are restored exactly.

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
    y_true, y_pred, data_range = _check_images(y_true, y_pred, data_range)
    layout = ImageLayout(channels_first=channels_first, spatial_dims=spatial_dims)
    images = layout.format(y_true.shape[1:], "y_true")

    def tensor(array):
        return images.to_tensor(torch.from_numpy(array.astype(np.float64)))

    scores = [
        structural_similarity(tensor(a), tensor(b), data_range) for a, b in _chunks(y_true, y_pred)
    ]
    return float(torch.cat(scores).mean())


def _check_images(y_true, y_pred, data_range):
    y_true, y_pred = np.asarray(y_true), np.asarray(y_pred)
    if y_true.shape != y_pred.shape:
        raise ValueError(f"y_true is of shape {y_true.shape}, but y_pred of {y_pred.shape}")
    if y_true.ndim < 2 or not y_true.size:
        raise ValueError(f"scores of images need arrays of images; got shape {y_true.shape}")
    if data_range is None:
        is_integer = y_true.dtype.kind == "u"
        data_range = float(np.iinfo(y_true.dtype).max) if is_integer else 1.0
    return y_true, y_pred, data_range


def _chunks(*arrays):
    for start in range(0, len(arrays[0]), CHUNK):
        yield tuple(array[start : start + CHUNK] for array in arrays)
