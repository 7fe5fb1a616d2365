"""Structural similarity of images, as a score and as a loss. torch only."""

import torch
from torch.nn import functional as F

from skae.losses._base import Loss

#: Standard deviation and radius of the Gaussian window, in pixels.
SIGMA, RADIUS = 1.5, 5
#: Fractions of the range that keep the quotients of the similarity finite.
K1, K2 = 0.01, 0.03
#: Of each scale, from fine to coarse: how much it counts.
EXPONENTS = 0.0448, 0.2856, 0.3001, 0.2363, 0.1333


class StructuralDissimilarity(Loss):
    """Structural dissimilarity of images, ``(1 - SSIM) / 2``.

    Takes two tensors of shape (n_samples, channels, height, width), or of signals, and
    returns one value for each sample, from 0 for equal images to 1.

    Parameters
    ----------
    data_range : float, default=1.0
        Difference of the largest and the smallest value that images can have.

    References
    ----------
    H. Zhao, O. Gallo, I. Frosio and J. Kautz, "Loss functions for image restoration with
    neural networks", IEEE Transactions on Computational Imaging 3(1), 2017.
    :arxiv:`1511.08861`

    Examples
    --------
    >>> import torch
    >>> from skae.losses import StructuralDissimilarity
    >>> images = torch.eye(12).expand(2, 1, 12, 12)
    >>> StructuralDissimilarity()(images, images)
    tensor([0., 0.])
    """

    def __init__(self, data_range=1.0):
        super().__init__()
        self.data_range = data_range

    def setup(self, dataset):
        """Set ``data_range`` from the data: 1 for intensities from 0 to 1.

        Parameters
        ----------
        dataset : skae data set
            The training data, which must be images.

        Raises
        ------
        ValueError
            If the data is of another kind.
        """
        if not dataset.is_spatial:
            raise ValueError(
                "the structural loss 'ssim' compares images: it needs an architecture for images, "
                "such as Conv"
            )
        low, high = dataset.range()
        is_intensity = (low >= 0 and high <= 1) or low == high
        self.data_range = 1.0 if is_intensity else float(high - low)

    def forward(self, prediction, target):
        """Return the dissimilarity of each pair of images.

        Parameters
        ----------
        prediction, target : tensor of shape (n_samples, channels, *size)
            Reconstructions, and what they should be.

        Returns
        -------
        tensor of shape (n_samples,)
            From 0 for equal images to 1.
        """
        return (1 - structural_similarity(prediction, target, self.data_range)) / 2


def structural_similarity(x, y, data_range):
    """Return the mean structural similarity (SSIM) of pairs of images [1]_.

    With a Gaussian window of 11 pixels, or the largest odd number that fits into smaller
    images, at the places where it lies within the image.

    Parameters
    ----------
    x, y : tensor of shape (n_samples, channels, *size)
    data_range : float
        Difference of the largest and the smallest value that images can have.

    Returns
    -------
    tensor of shape (n_samples,)
        1 for equal images.

    References
    ----------
    .. [1] Z. Wang, A. C. Bovik, H. R. Sheikh and E. P. Simoncelli, "Image quality
       assessment: from error visibility to structural similarity", IEEE Transactions on
       Image Processing 13(4), 2004. :doi:`10.1109/TIP.2003.819861`
    """
    luminance, structure = _similarities(x, y, data_range)
    return (luminance * structure).flatten(1).mean(1)


def multi_scale_similarity(x, y, data_range):
    """Return the multi-scale structural similarity (MS-SSIM) of pairs of images [1]_.

    From one scale to the next, images are averaged over blocks of two pixels a side. There are
    as many of the five scales as have windows of 11 pixels, at least one. Exponents of fewer scales
    are divided by their sum. A mean structure below 0 counts as 0.

    Parameters
    ----------
    x, y : tensor of shape (n_samples, channels, *size)
    data_range : float
        Difference of the largest and the smallest value that images can have.

    Returns
    -------
    tensor of shape (n_samples,)
        1 for equal images.

    References
    ----------
    .. [1] Z. Wang, E. P. Simoncelli and A. C. Bovik, "Multiscale structural similarity for image
       quality assessment", Asilomar Conference on Signals, Systems and Computers, 2003.
       :doi:`10.1109/ACSSC.2003.1292216`
    """
    n_scales, side = 1, min(x.shape[2:])
    while n_scales < len(EXPONENTS) and side // 2**n_scales > 2 * RADIUS:
        n_scales += 1
    halve = (F.avg_pool1d, F.avg_pool2d)[x.ndim - 3]
    total = 1.0 if n_scales == len(EXPONENTS) else sum(EXPONENTS[:n_scales])
    similarity = 1.0
    for scale, exponent in enumerate(EXPONENTS[:n_scales], start=1):
        luminance, structure = _similarities(x, y, data_range)
        if scale == n_scales:
            structure = luminance * structure
        each = structure.flatten(2).mean(2).clamp_min(0)
        similarity = similarity * each ** (exponent / total)
        x, y = halve(x, 2), halve(y, 2)
    return similarity.mean(1)


def _similarities(x, y, data_range):
    """Return the similarity of luminance, and that of contrast and structure, of each window."""
    c1, c2 = (K1 * data_range) ** 2, (K2 * data_range) ** 2
    # Variances do not depend on the offset, and are exact only without a large one.
    offset = y.mean(tuple(range(2, y.ndim)), keepdim=True)
    x, y = x - offset, y - offset
    blurred = _blur(torch.stack([x, y, x * x, y * y, x * y]).flatten(0, 2))
    mean_x, mean_y, xx, yy, xy = blurred.unflatten(0, (5, *x.shape[:2]))
    covariance = xy - mean_x * mean_y
    variances = (xx - mean_x.square()).clamp_min(0) + (yy - mean_y.square()).clamp_min(0)
    mean_x, mean_y = mean_x + offset, mean_y + offset
    luminance = (2 * mean_x * mean_y + c1) / (mean_x.square() + mean_y.square() + c1)
    return luminance, (2 * covariance + c2) / (variances + c2)


def _blur(maps):
    """Return weighted means over windows, of maps of shape (n_maps, *size)."""
    n_dims = maps.ndim - 1
    radius = min(RADIUS, *((side - 1) // 2 for side in maps.shape[1:]))
    place = torch.arange(-radius, radius + 1, device=maps.device, dtype=maps.dtype)
    window = torch.exp(-(place**2) / (2 * SIGMA**2))
    window = window / window.sum()
    maps = maps.unsqueeze(1)
    convolve = (F.conv1d, F.conv2d)[n_dims - 1]
    for axis in range(n_dims):
        shape = [1] * (n_dims + 2)
        shape[axis + 2] = len(window)
        maps = convolve(maps, window.view(shape))
    return maps.squeeze(1)
