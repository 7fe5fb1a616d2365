"""Images or signals of unequal sizes, as lists of arrays."""

import copy
from math import prod

import numpy as np
import torch

from skae._data.batches import along, chunks
from skae._data.checks import read_weights
from skae._data.dataset import ArrayDataset, as_tensor
from skae._data.image_hints import constant_alpha, refuse_masked, without_pillow
from skae._data.images import ImageDataset, check_finite
from skae._data.precision import warn_of_lost_digits


def unequal_images(X, name):
    """Return samples of unequal shapes as a list of arrays; None if they are of one shape."""
    is_array = isinstance(X, np.ndarray) and X.dtype.kind == "O" and X.ndim == 1
    if not is_array and not isinstance(X, (list, tuple)):
        return None
    try:
        images = [np.asanyarray(image) for image in without_pillow(list(X), name)]
    except ValueError:  # a list within an image
        return None
    shapes = {image.shape for image in images}
    return images if len(shapes) > 1 and () not in shapes else None


def read_images(images, format_of, sample_weight, name):
    """Check images of unequal sizes.

    Parameters
    ----------
    images : list of ndarray
    format_of : callable
        Returns the `ImageFormat` of a shape and a name, or raises an error.
    sample_weight : array-like of shape (n_samples,) or None
    name : str
        What errors call them.

    Returns
    -------
    ImageListDataset

    Raises
    ------
    ValueError
        If an image has other channels or another type than the first one, or is not finite.
    """
    for i, image in enumerate(images):
        if image.dtype.kind not in "fiub":
            raise ValueError(f"{name}[{i}] of dtype {image.dtype} is not numeric.")
        refuse_masked(image, f"{name}[{i}]")
    first = format_of(images[0].shape, f"{name}[0]")
    for i in range(1, len(images)):
        _check_alike(images, i, first, name)
    check_finite(images, name)
    return ImageListDataset(images, read_weights(sample_weight, images), first)


def _check_alike(images, i, first, name):
    """Raise an error if an image has not as many channels as the first one, or another type."""
    shape, axis = images[i].shape, first.channel_axis
    is_image = len(shape) == len(first.image_shape) and 0 not in shape
    if not is_image or (axis is not None and shape[axis] != first.image_shape[axis]):
        raise ValueError(
            f"{name}[{i}] is of shape {shape}, but {name}[0] of shape {first.image_shape}. Their "
            "sizes can differ, their numbers of channels cannot: convert them to one, such as by "
            'image.convert("RGB") of Pillow.'
        )
    types = images[0].dtype, images[i].dtype
    if types[0] != types[1] and "u" in {one.kind for one in types}:
        raise ValueError(
            f"{name}[{i}] holds {types[1]}, but {name}[0] holds {types[0]}. Unsigned integers "
            "stand for intensities from 0 to 1: convert all images to one type."
        )


class ImageListDataset(ImageDataset):
    """Images of unequal sizes, each as the user has it.

    Parameters
    ----------
    images : list of ndarray
        With as many channels.
    sample_weight : ndarray of shape (n_samples,) or None
        Weights, of mean 1.
    format : ImageFormat
        That of the first one.
    """

    chunk_length = 1
    is_regular = False

    def __init__(self, images, sample_weight, format):
        X = np.empty(len(images), object)
        X[:] = images
        super().__init__(ArrayDataset(X, sample_weight), format)
        format.describe(self.value_dtype, self)

    @property
    def value_dtype(self):
        return np.result_type(*(image.dtype for image in self.X))

    @property
    def sizes(self):
        return [self.format.size_of(self.image(i).shape) for i in range(len(self))]

    def image(self, i):
        return self.X[i if self.index is None else self.index[i]]

    def get_batch(self, which, dtype):
        """Read images as a tensor; those that are read at once have to be of one size."""
        places = np.arange(len(self))[which]
        images = [self.image(i) for i in places]
        format = self.format.of_size(self.format.size_of(images[0].shape))
        rows = as_tensor(np.stack(images).reshape(len(images), -1), dtype)
        return self._divided(format.to_tensor(rows)), self._get_weight(places, dtype)

    def spans(self):
        for i in range(len(self)):
            yield slice(i, i + 1)

    # Results: a list of them, if they have sizes.

    def new_output(self, dtype):
        del dtype
        return [None] * len(self)

    def new_results(self, some, dtype):
        return super().new_results(some, dtype) if some.ndim == 1 else self.new_output(dtype)

    # Statistics: of the values of each channel.

    def range(self):
        low, high = zip(*((image.min(), image.max()) for image in self.X), strict=True)
        return min(low) / self.scale, max(high) / self.scale

    def scaled(self, factor):
        twin = copy.copy(self)
        twin.X = np.empty_like(self.X)
        twin.X[:] = [image.astype(np.float64) * factor for image in self.X]
        return twin

    @property
    def _n_pixels(self):
        return sum(map(prod, self.sizes))

    def mean(self):
        """Return the weighted mean of each channel, as a float64 tensor (channels, 1, ...)."""
        sums = counts = 0.0
        for _, x, _, weight in chunks(self, torch.float64, "cpu"):
            weight = 1.0 if weight is None else along(weight, x)
            sums = sums + self.folded((weight * x).sum(0))
            counts = counts + self.folded((weight * torch.ones_like(x)).sum(0))
        return sums / counts

    def folded(self, squares):
        return squares.flatten(1).sum(1).view(-1, *[1] * (squares.ndim - 1))

    @property
    def n_of_each(self):
        return self._n_pixels

    def without_alpha(self):
        ways = {
            constant_alpha(self.image(i).reshape(1, -1), self.format.of_size(size))
            for i, size in enumerate(self.sizes)
        }
        return ways.pop() if len(ways) == 1 else None

    def warn_of_digits(self, X):
        del X
        for i, image in enumerate(self.X if self.format.dtype is None else ()):
            warn_of_lost_digits(image, image, f"{self.name}[{i}]")
