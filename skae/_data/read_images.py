"""From what users have to images and signals: which axis is which, and of what size."""

from dataclasses import dataclass, replace
from functools import partial
from math import inf, prod
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from sklearn.utils import check_array

from skae._data.arrays import read_array
from skae._data.checks import is_surely_finite
from skae._data.crops import Crop, size_of_crops
from skae._data.dataset import Dataset
from skae._data.given import refuse_series
from skae._data.image_format import ImageFormat
from skae._data.image_hints import UNEQUAL, as_images, how_to_fit
from skae._data.image_lists import read_images, unequal_images
from skae._data.images import MIN_SIDE, ImageDataset, check_finite
from skae._data.reader import Features, SampleReader


@dataclass(frozen=True)
class ImageReader(SampleReader):
    """Reads images or signals of one shape.

    Parameters
    ----------
    image_shape : tuple of int or None, default=None
        Shape of the images that flat rows hold.
    channels_first : bool, default=False
        Whether the axis of the channels is the first one of a sample, not the last.
    spatial_dims : {1, 2} or "auto", default="auto"
        Number of axes that are no channels. "auto" takes one axis for a signal, two for
        an image, and three for an image with channels.
    parameter : str, default="image_shape"
        What errors call ``image_shape``.
    crop_size : int, tuple of int, "auto" or None, default=None
        Size of the crops that training takes of images. "auto" takes crops if images are of
        unequal sizes, and the net takes images of any size.
    takes_any_size : bool, default=False
        Whether a net takes images of other sizes than those of the training.
    auto_crop_sides : tuple of int, default=(512, 64)
        Side of the crops that "auto" takes of signals and of images.
    most_pixels : int or float, default=inf
        Of images of one size that "auto" leaves whole.

    Attributes
    ----------
    crop : tuple of int or None
        Size of the crops, known after ``learn``. None takes whole images.
    """

    image_shape: tuple | None = None
    channels_first: bool = False
    spatial_dims: int | str = "auto"
    parameter: str = "image_shape"
    crop_size: Any = None
    takes_any_size: bool = False
    auto_crop_sides: tuple = (512, 64)
    most_pixels: float = inf
    crop: tuple | None = None

    options: ClassVar[tuple] = (
        *("image_shape", "channels_first", "spatial_dims"),
        *("crop_size", "takes_any_size", "auto_crop_sides", "most_pixels"),
    )

    def learn(self, X, *, sample_weight=None, estimator=None, name="X"):
        how = {"sample_weight": sample_weight, "estimator": estimator, "name": name}
        reader, dataset = self.learn_whole(X, **how)
        if isinstance(X, Dataset):
            return reader, dataset
        auto = self.auto_crop_sides, self.most_pixels
        return reader.cropped(dataset, size_of_crops(self.crop_size, dataset, name, *auto))

    def learn_whole(self, X, **how):
        """Do the same as ``learn``, for a training on whole images."""
        return super().learn(X, **how)

    def cropped(self, dataset, crop):
        """Return a reader and a dataset for a training on crops of a size, None for none."""
        if crop is None:
            return self, dataset
        dataset = dataset.cropped(Crop(crop))
        format = self.format.of_size(crop)
        features = Features()
        features.n_features_in_ = prod(format.image_shape)
        shape = format.tensor_shape
        dataset.reader = replace(
            self, format=format, sample_shape=shape, features=features, crop=crop
        )
        return dataset.reader, dataset

    def in_training(self):
        return replace(self, takes_any_size=True) if self.crop else self

    def convert(self, X, sample_weight, check, name):
        refuse_series(X, name)
        images = unequal_images(X, name) if self._takes_unequal else None
        if images is not None:
            dataset = read_images(images, self._format_like_fit, sample_weight, name)
        else:
            dataset = self._read_equal(X, sample_weight, check, name)
        if self.format is not None:
            dataset.format.check_scale(self.format, name)
            dataset = self._like_fit(dataset)
        return dataset

    def _like_fit(self, dataset):
        """Return images that are used as those of the training."""
        dataset.relative_size = prod(dataset.sample_shape) / prod(self.sample_shape)
        return dataset if self.crop is None else dataset.cropped(Crop(self.crop))

    @property
    def _takes_unequal(self):
        """Whether images can be of unequal sizes."""
        if self.format is not None or isinstance(self.crop_size, str):
            return self.takes_any_size
        return self.crop_size is not None

    def _read_equal(self, X, sample_weight, check, name):
        X = as_images(X, name, self._remedy())
        self._refuse_one(X, name)
        shape = getattr(X, "shape", ())[1:]
        if self._takes_other(shape):
            check = partial(check_array, input_name=name)  # of another number of features
        if getattr(X, "ndim", 2) <= 2:  # scikit-learn's messages for tables
            dataset = read_array(check, X, sample_weight, name)
            format = self._format_like_fit(dataset.X.shape[1:], name)
        else:
            format = self._format_like_fit(shape, name)
            if not is_surely_finite(X):
                check_finite(X, name)
            flat = X.reshape(len(X), prod(shape))
            dataset = read_array(check, flat, sample_weight, name)
        format.describe(dataset.X.dtype, dataset, dataset.format.frame)
        return ImageDataset(dataset, format)

    def _takes_other(self, shape):
        """Say whether samples of a shape are images of another size than those of the training.

        The number of features of a table cannot change, unless it is said to hold signals.
        """
        if self.format is None or not self.takes_any_size or self.format.has_shape(shape):
            return False
        return len(shape) > 1 or self.spatial_dims != "auto" or self.crop is not None

    def _remedy(self):
        """Say what to do with images of unequal sizes."""
        if self.format is None and self.crop_size is None:
            return UNEQUAL
        if self.format is None:
            return f"{UNEQUAL} To train on crops, give crop_size=64, for instance."
        return f"The fit was on samples of shape {self.format.image_shape}. {UNEQUAL}"

    def _refuse_one(self, X, name):
        """Raise an error about a single image in place of an array of images."""
        known = self.image_shape if self.format is None else self.format.image_shape
        if not isinstance(X, np.ndarray) or X.ndim not in (2, 3):
            return
        if known is not None and len(known) > 1 and X.shape == tuple(known):
            raise ValueError(
                f"{name} is of shape {X.shape}, a single sample. Give {name}[np.newaxis], an array "
                "that holds it."
            )
        if self.takes_any_size and self.format is not None:
            self._refuse_one_of_any_size(X, name)
        if known is None and self.spatial_dims == "auto":
            if not self._looks_like_one(X.shape):
                return
            small = f"; for small images, {self.parameter}={X.shape[1:]}" if X.ndim == 3 else ""
            raise ValueError(
                f"{name} is of shape {X.shape}, which looks like a single image. If it is one, "
                f"give {name}[np.newaxis]. For signals, give spatial_dims=1{small}."
            )

    def _refuse_one_of_any_size(self, X, name):
        shape = self.format.image_shape
        fits = len(shape) > 1 and self.format.of_shape(X.shape, takes_any_size=True) is not None
        is_one = fits or (X.ndim == 3 and self._looks_like_one(X.shape))
        if is_one and not self.format.has_shape(X.shape[1:]):
            raise ValueError(
                f"{name} is of shape {X.shape}, and the fit was on samples of shape {shape}. If it "
                f"is a single sample, give {name}[np.newaxis], an array that holds it."
            )

    def _looks_like_one(self, shape):
        """Say whether a shape is that of an image, rather than of an array of images."""
        if len(shape) == 2:
            return shape[0] == shape[1] >= MIN_SIDE
        n_channels = shape[0] if self.channels_first else shape[2]
        sides = shape[1:] if self.channels_first else shape[:2]
        return n_channels in (3, 4) and min(sides) >= MIN_SIDE

    def _format_like_fit(self, shape, name):
        if self.format is None:
            return self.format_of(shape, name)
        format = self.format.of_shape(shape, self.takes_any_size)
        if format is None:
            raise ValueError(
                f"{name} holds samples of shape {shape}, but the fit was on samples of shape "
                f"{self.format.image_shape}. {self._how_to_fit(shape, name)}"
            )
        return format

    def _how_to_fit(self, shape, name):
        fitted = self.format.image_shape
        if not self.takes_any_size:
            return how_to_fit(shape, [fitted], name)
        n_dims = len(self.sample_shape) - 1
        of_its_size = [
            self.format.of_size(s).image_shape for s in (shape[:n_dims], shape[-n_dims:])
        ]
        return how_to_fit(shape, [fitted, *of_its_size], name, "any size with as many channels")

    def format_of(self, shape, name):
        """Return the format of samples of a shape.

        Parameters
        ----------
        shape : tuple of int
            Of one sample, flat or not.
        name : str
            What errors call the data.

        Returns
        -------
        ImageFormat

        Raises
        ------
        ValueError
            If the shape is none of such images or signals.
        """
        if self.spatial_dims not in (1, 2, "auto"):
            raise ValueError(f"spatial_dims must be 1, 2 or 'auto'; got {self.spatial_dims!r}")
        image_shape = shape
        if self.image_shape is not None:
            image_shape = self._checked_shape()
            if shape not in {image_shape, (prod(image_shape),)}:
                raise ValueError(
                    f"{name} holds samples of shape {shape}, but {self.parameter}={image_shape} "
                    f"asks for that shape, or rows of {prod(image_shape)} numbers."
                )
        n_axes = len(image_shape)
        n_spatial = (1 if n_axes == 1 else 2) if self.spatial_dims == "auto" else self.spatial_dims
        if n_axes not in (n_spatial, n_spatial + 1) or 0 in image_shape:
            expected = _EXPECTED[n_spatial].format(self.parameter)
            if n_axes > 3:
                expected += _VIDEOS.format(name)
            raise ValueError(f"{name} holds samples of shape {image_shape}. {expected}")
        channel_axis = None
        if n_axes > n_spatial:
            channel_axis = 0 if self.channels_first else n_spatial
        return ImageFormat(shape, image_shape, channel_axis)

    def _checked_shape(self):
        shape = self.image_shape
        if not np.iterable(shape) or not all(isinstance(side, Integral) for side in shape):
            raise ValueError(
                f"{self.parameter} must be a tuple of integers, such as (28, 28); got {shape!r}"
            )
        return tuple(int(side) for side in shape)


_EXPECTED = {
    1: "Signals, spatial_dims=1, have the shape (length,) or, with channels, (length, channels).",
    2: "Images have the shape (height, width) or, with channels, (height, width, channels). For "
    "rows of numbers give {}, such as (28, 28); for a single image, image[np.newaxis].",
}
_VIDEOS = " If they are videos, give each frame as an image: {0}.reshape(-1, *{0}.shape[2:])."
