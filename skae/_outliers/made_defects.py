"""Images with made defects, and where these are: what nets learn from that find defects."""

import numpy as np
from scipy.ndimage import zoom

#: Defects of an image, at most. Each number is as likely, 0 too.
MAX_DEFECTS = 3

#: Half lengths of defects: the least in pixels, the largest as a fraction of the shorter side.
#: Those along the defect come first, then those across: scratches are long and narrow.
ALONG, ACROSS = (2.0, 1 / 3), (0.7, 1 / 5)

#: Changes of intensity, in standard deviations of the images.
STRENGTH = 0.3, 2.5

#: Squares of noise along a side, by which outlines become irregular, and how much they do.
N_NOISE, IRREGULARITY = 5, 0.3

#: Standard deviations of what is added to all pixels of an image, and of the logarithm of what they
#: are multiplied by: another light is no defect.
BRIGHTNESS, CONTRAST = 0.25, 0.15

#: Coverage of a pixel from which on it belongs to a defect.
MIN_COVERAGE = 0.3


def make_defects(images, n_damaged, rng):
    """Return images with made defects, and the pixels of these.

    Whole images become somewhat lighter or darker, of more or less contrast. A defect is long or
    round, straight or bent, and has an irregular outline. It is lighter or darker than the image,
    or its content is faded to one color, or it comes from another image.

    Parameters
    ----------
    images : ndarray of shape (n_samples, channels, height, width)
        Normal images, of mean 0 and standard deviation 1.
    n_damaged : int
        How many to make.
    rng : RandomState

    Returns
    -------
    damaged : ndarray of shape (n_damaged, channels, height, width)
    is_defect : ndarray of bool, shape (n_damaged, height, width)
    """
    damaged = _relit(images[rng.randint(len(images), size=n_damaged)], rng)
    is_defect = np.zeros((n_damaged, *images.shape[2:]), bool)
    for image, place in zip(damaged, is_defect, strict=True):
        for _ in range(rng.randint(MAX_DEFECTS + 1)):
            coverage = _coverage(place.shape, rng)
            change = CHANGES[rng.randint(len(CHANGES))]
            image += coverage * (change(image, images, rng) - image)
            place |= coverage > MIN_COVERAGE
    return damaged, is_defect


def _relit(images, rng):
    """Return images in another light each."""
    brightness, contrast = rng.standard_normal((2, len(images), 1, 1, 1)).astype(np.float32)
    return images * np.exp(CONTRAST * contrast) + BRIGHTNESS * brightness


def _coverage(shape, rng):
    """Return how much a defect covers each pixel, from 0 to 1."""
    side = min(shape)
    along = _log_uniform(ALONG[0], ALONG[1] * side, rng)
    across = _log_uniform(ACROSS[0], min(along, ACROSS[1] * side), rng)
    rows, columns = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    rows -= rng.uniform(0, shape[0])
    columns -= rng.uniform(0, shape[1])
    angle = rng.uniform(0, np.pi)
    u = columns * np.cos(angle) + rows * np.sin(angle)
    v = rows * np.cos(angle) - columns * np.sin(angle)
    v += rng.uniform(-0.5, 0.5) * u**2 / along
    noise = rng.standard_normal((N_NOISE, N_NOISE))
    inside = 1 - np.hypot(u / along, v / across)
    if across > ALONG[0]:
        inside -= IRREGULARITY * zoom(noise, np.divide(shape, N_NOISE), order=1)
    slope = min(across, rng.uniform(0.5, 4))
    return np.clip(inside * slope + MIN_COVERAGE, 0, 1).astype(np.float32)


def _log_uniform(low, high, rng):
    return np.exp(rng.uniform(np.log(low), np.log(max(low, high))))


def _shifted(image, images, rng):
    """Return an image that is lighter or darker, by a little more in one channel than another."""
    del images
    by = rng.choice([-1, 1]) * rng.uniform(*STRENGTH)
    return image + np.float32(by * (1 + 0.3 * rng.standard_normal((len(image), 1, 1))))


def _faded(image, images, rng):
    """Return an image of which little is left but one color."""
    del images
    color = image.mean((1, 2), keepdims=True) + 0.7 * rng.standard_normal((len(image), 1, 1))
    return image + np.float32(rng.uniform(0.5, 1)) * (color.astype(np.float32) - image)


def _swapped(image, images, rng):
    """Return another image, shifted and turned."""
    other = images[rng.randint(len(images))]
    other = np.roll(other, rng.randint(0, max(image.shape), size=2), (1, 2))
    n_turns = rng.randint(4)
    return np.rot90(other, n_turns if image.shape[1] == image.shape[2] else 2, (1, 2))


CHANGES = _shifted, _faded, _swapped
