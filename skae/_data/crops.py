"""Random crops of images, which training takes in place of whole images."""

from itertools import product
from math import inf, prod
from numbers import Integral
from typing import NamedTuple

import numpy as np
import torch

from skae._data.batches import CHUNK_ELEMENTS
from skae._data.dataset import as_tensor
from skae._data.images import ImageDataset

#: What the side of crops is a multiple of in small images, by default.
MULTIPLE = 16


def size_of_crops(crop_size, dataset, name, auto_sides, most_pixels=inf):
    """Return the size of crops that training takes of images, None for whole images.

    Parameters
    ----------
    crop_size : int, tuple of int, "auto" or None
        The parameter.
    dataset : ImageDataset
    name : str
        What errors call it.
    auto_sides : tuple of int
        Side that "auto" takes if signals and images are large enough.
    most_pixels : int or float, default=inf
        Of images that "auto" leaves whole if all are of one size.

    Returns
    -------
    tuple of int or None

    Raises
    ------
    ValueError
        If an image is smaller than that.
    """
    sizes = dataset.sizes
    is_auto = isinstance(crop_size, str)
    if crop_size is None or (is_auto and len(set(sizes)) == 1 and prod(sizes[0]) <= most_pixels):
        return None
    if is_auto:
        side = min(auto_sides[len(sizes[0]) - 1], *map(min, sizes))
        side -= side % MULTIPLE if side > MULTIPLE else 0
        return (side,) * len(sizes[0])
    crop = _checked(crop_size, len(sizes[0]))
    for i, size in enumerate(sizes):
        if any(side < least for side, least in zip(size, crop, strict=True)):
            raise ValueError(
                f"{name}[{i}] is of {_in_words(size)}, smaller than crop_size={crop_size!r}. Give "
                "a smaller crop_size, or leave such images out."
            )
    return crop


def _checked(crop_size, n_dims):
    crop = (crop_size,) * n_dims if isinstance(crop_size, Integral) else tuple(crop_size)
    if len(crop) != n_dims or not all(isinstance(n, Integral) and n >= 1 for n in crop):
        example = (64, 64)[:n_dims]
        raise ValueError(
            f"crop_size must be an integer, or {n_dims} of them as in {example}; got {crop_size!r}"
        )
    return tuple(int(side) for side in crop)


def _in_words(size):
    return f"{' x '.join(map(str, size))} {'pixels' if len(size) > 1 else 'values'}"


class Crop(NamedTuple):
    """What crops training takes of images.

    Parameters
    ----------
    size : tuple of int
    unit : int, default=1
        They begin at multiples of it.
    """

    size: tuple
    unit: int = 1

    @staticmethod
    def of(images):
        """Return crops of images that have such a `Crop`."""
        return CropDataset(images)


class CropDataset(ImageDataset):
    """Crops of images, all of one size: fixed ones in inference, random ones in training.

    An epoch has about as many pixels as the images. Images are drawn in proportion to their area.

    Parameters
    ----------
    images : ImageDataset
        May have targets, of which the same crops are taken.
    places : ndarray of int, shape (n_samples, 1 + n_dims), or None, default=None
        The image of each crop and where it begins, in units. None spreads crops evenly.
    """

    def __init__(self, images, places=None):
        super().__init__(images, images.format.of_size(images.crop.size))
        self.images, self.name = images, images.name
        self._sizes = np.array(images.sizes)
        self.places = self._evenly_spread() if places is None else places
        self._set_weight()
        if images.targets is not images:
            self._targets = CropDataset(images.targets, self.places)

    # The places of crops.

    def _counts(self):
        """Return how many crops fit side by side along each axis of each image."""
        return np.maximum(1, np.rint(self._sizes / np.array(self.images.crop.size))).astype(int)

    def _room(self):
        """Return by how many units crops can be moved, for each axis of each image."""
        size, unit = self.images.crop
        return (self._sizes - np.array(size)) // unit

    def _evenly_spread(self):
        places = []
        for i, axes in enumerate(zip(self._counts(), self._room(), strict=True)):
            starts = (_spread(*axis) for axis in zip(*axes, strict=True))
            places += [(i, *start) for start in product(*starts)]
        return np.array(places)

    def _drawn(self, generator):
        """Draw as many crops as there are."""
        n, room = len(self), self._room()
        which = np.unique(self.places[:, 0])
        areas = self._sizes[which].prod(1, dtype=float).cumsum()
        numbers = torch.rand((n, 1 + room.shape[1]), generator=generator, dtype=torch.float64)
        first, *others = numbers.numpy().T
        images = which[np.searchsorted(areas, first * areas[-1], side="right")]
        starts = np.floor(np.stack(others, 1) * (room[images] + 1)).astype(int)
        return np.column_stack([images, starts])

    # What datasets have.

    def __len__(self):
        return len(self.places)

    def _set_weight(self):
        weight = self.images.image_weights()
        if weight is not None:
            self.sample_weight = weight[self.places[:, 0]] / weight[self.places[:, 0]].mean()

    def weighted(self):
        return np.arange(len(self), dtype=np.int32)  # images without weight are left out before

    @property
    def labels(self):
        labels = self.images.labels
        return None if labels is None else labels.select(self.places[:, 0])

    @property
    def n_conditions(self):
        return self.images.n_conditions

    def get_labels(self, which):
        labels = self.images.labels
        return None if labels is None else labels.get_batch(self._at(which)[:, 0])

    def select(self, index):
        return CropDataset(self.images, self.places[index])

    def scaled(self, factor):
        return CropDataset(self.images.scaled(factor), self.places)

    @property
    def value_dtype(self):
        return self.images.value_dtype

    def range(self):
        return self.images.range()

    def _where(self, row, place):
        image, *starts = self.places[row].tolist()
        channel, *place = place
        starts = (start * self.images.crop.unit for start in starts)
        place = [int(i) + start for i, start in zip(place, starts, strict=True)]
        return self.images._where(self.images._row(slice(0, None), image), [channel, *place])

    # Batches.

    def batches(self, size, generator):
        places = self._drawn(generator)
        n_at_once = size * max(1, CHUNK_ELEMENTS // (size * prod(self.sample_shape)))
        yield from ((places[i : i + n_at_once], size) for i in range(0, len(places), n_at_once))

    def _at(self, which):
        """Return the places of some crops, which may be places themselves."""
        is_places = isinstance(which, np.ndarray) and which.ndim == 2
        return which if is_places else self.places[which]

    def get_batch(self, which, dtype):
        """Read crops as a tensor.

        Parameters
        ----------
        which : slice, ndarray of int of shape (n_taken,) or (n_taken, 1 + n_dims)
            Some of the crops, or the places of others.
        dtype : torch.dtype

        Returns
        -------
        x : tensor of shape (n_taken, channels, ...)
        weight : tensor of shape (n_taken,) or None
        """
        places = self._at(which)
        crops = np.stack([self._crop(*place) for place in places.tolist()])
        x = self._divided(self.format.to_tensor(as_tensor(crops.reshape(len(crops), -1), dtype)))
        weight = self.images.image_weights()
        return x, None if weight is None else torch.from_numpy(weight[places[:, 0]]).to(dtype)

    def _crop(self, i, *starts):
        sides, unit = self.images.crop
        where = [slice(n * unit, n * unit + side) for n, side in zip(starts, sides, strict=True)]
        if self.format.channel_axis is not None:
            where.insert(self.format.channel_axis, slice(None))
        return self.images.image(i)[*where]


def _spread(n, most):
    """Return ``n`` places from 0 to ``most``, a single one in the middle."""
    return np.linspace(0, most, n).astype(int).tolist() if n > 1 else [int(most) // 2]
