"""Distances of small patches of images from normal patches, at several scales."""

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from torch.nn import functional as F

#: Side of a patch in pixels, and how many times images are made smaller.
SIDE, SCALES = 7, (1, 2, 4)

#: Patches that are learned from, about, and images that are looked at at a time.
N_PATCHES, CHUNK = 100_000, 64

#: Added to variances, as a fraction of their mean, so that constants do no harm.
RIDGE = 1e-3

#: Images that the mean of a place counts against: with few, it is near the mean of all places.
N_PRIOR = 10

#: Standard deviation of the Gaussian that distances are averaged by, in pixels of their scale.
BLUR = 1.0


class PatchDistances:
    """Mahalanobis distances of the patches around each pixel, one map for each scale.

    All places share a covariance. The distance is from the mean image, which is constant for
    textures.

    Parameters
    ----------
    images : ndarray of shape (n_samples, channels, height, width)
        Normal images, of mean 0 and standard deviation 1.
    """

    def __init__(self, images):
        n, side = len(images), min(images.shape[2:])
        self.mean = images.mean(0) * np.float32(n / (n + N_PRIOR))
        self.scales = [scale for scale in SCALES if scale == 1 or side // scale >= SIDE]
        x = torch.from_numpy(images - self.mean)
        self.filters = [_filters(_smaller(x, scale)) for scale in self.scales]

    def logs(self, images):
        """Return the logarithms of the distances.

        Parameters
        ----------
        images : ndarray of shape (n_samples, channels, height, width)

        Returns
        -------
        ndarray of shape (n_samples, n_scales, height, width)
        """
        logs = np.empty((len(images), len(self.scales), *images.shape[2:]), np.float32)
        for start in range(0, len(images), CHUNK):
            chunk = slice(start, start + CHUNK)
            x = torch.from_numpy(images[chunk] - self.mean)
            for i, (scale, filters) in enumerate(zip(self.scales, self.filters, strict=True)):
                distances = _distances(_smaller(x, scale), filters)
                distances = gaussian_filter(distances.numpy(), BLUR, axes=(2, 3))
                logs[chunk, i] = enlarged(np.log(distances + RIDGE), images.shape[2:])[:, 0]
        return logs


def enlarged(maps, size):
    """Return maps of shape (n_samples, channels, height, width) in another size."""
    maps = torch.from_numpy(maps)
    return F.interpolate(maps, size=size, mode="bilinear", align_corners=False).numpy()


def _smaller(x, scale):
    return x if scale == 1 else F.avg_pool2d(x, scale)


def _padded(x):
    return F.pad(x, (SIDE // 2,) * 4, mode="replicate")


def _filters(x):
    """Return filters that make patches uncorrelated, of unit variance; as an array."""
    stride = max(1, int(np.sqrt(x[:, 0].numel() / N_PATCHES)))
    patches = F.unfold(_padded(x), SIDE, stride=stride).movedim(1, 2).flatten(0, 1).double()
    covariance = (patches - patches.mean(0)).T @ (patches - patches.mean(0)) / len(patches)
    variance = covariance.trace() / len(covariance) or 1.0
    covariance += RIDGE * variance * torch.eye(len(covariance), dtype=torch.float64)
    values, vectors = torch.linalg.eigh(covariance)
    filters = (vectors / values.sqrt()).T.float()
    return filters.reshape(-1, x.shape[1], SIDE, SIDE).numpy()


@torch.no_grad()
def _distances(x, filters):
    """Return the mean square of the filtered images, shape (n_samples, 1, height, width)."""
    return F.conv2d(_padded(x), torch.from_numpy(filters)).square_().mean(1, keepdim=True)
