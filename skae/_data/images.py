"""Images and signals: channels first or last, flat or not, of any numeric dtype.

A data set of images is one of rows whose width has a shape. It is validated and selected
from as a table is, and takes its shape where it becomes tensors: channels first, as torch
has them.
"""

from dataclasses import dataclass
from math import prod
from numbers import Integral
from typing import ClassVar

import numpy as np
import torch

from skae._data.arrays import read_array
from skae._data.checks import is_surely_finite
from skae._data.cost import measured_cost
from skae._data.dataset import ArrayDataset, ArrayFormat
from skae._data.extent import Extent
from skae._data.given import refuse_series
from skae._data.image_hints import as_images, constant_alpha, how_to_fit, how_to_scale
from skae._data.precision import warn_of_lost_digits
from skae._data.reader import SampleReader
from skae.exceptions import DataWarning, ScaleWarning, warn

#: Floats beyond this are not intensities from 0 to 1, even with noise on them.
MAX_INTENSITY = 10.0

#: Range of standard deviations in which images need no scaling.
STDS = 0.03, 3.0
#: Largest mean that needs no scaling, in standard deviations.
MAX_OFFSET = 30
#: Least side of what is taken for an image where the shape leaves it open, most channels.
MIN_SIDE, MAX_CHANNELS = 8, 4
#: Images, and values of them, that are looked at for their scale, at most.
MAX_IMAGES, MAX_VALUES = 1024, 2**21


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
    """

    image_shape: tuple | None = None
    channels_first: bool = False
    spatial_dims: int | str = "auto"
    parameter: str = "image_shape"

    options: ClassVar[tuple] = ("image_shape", "channels_first", "spatial_dims")

    def convert(self, X, sample_weight, check, name):
        refuse_series(X, name)
        X = as_images(X, name)
        self._refuse_one(X, name)
        if getattr(X, "ndim", 2) <= 2:  # scikit-learn's messages for tables
            dataset = read_array(check, X, sample_weight, name)
            format = self._format_like_fit(dataset.X.shape[1:], name)
        else:
            format = self._format_like_fit(X.shape[1:], name)
            _check_finite(X, name)
            flat = X.reshape(len(X), prod(X.shape[1:]))
            dataset = read_array(check, flat, sample_weight, name)
        format.describe(dataset)
        if self.format is not None:
            format.check_scale(self.format, name)
        return ImageDataset(dataset, format)

    def _refuse_one(self, X, name):
        """Raise an error about a single image in place of an array of images."""
        known = self.image_shape if self.format is None else self.format.image_shape
        if not isinstance(X, np.ndarray) or X.ndim not in (2, 3):
            return
        if known is None and self.spatial_dims == "auto":
            if not self._looks_like_one(X.shape):
                return
            small = f"; for small images, {self.parameter}={X.shape[1:]}" if X.ndim == 3 else ""
            raise ValueError(
                f"{name} is of shape {X.shape}, which looks like a single image. If it is one, "
                f"give {name}[np.newaxis]. For signals, give spatial_dims=1{small}."
            )
        if known is not None and len(known) > 1 and X.shape == tuple(known):
            raise ValueError(
                f"{name} is of shape {X.shape}, a single sample. Give {name}[np.newaxis], an array "
                "that holds it."
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
        format = self.format.of_shape(shape)
        if format is None:
            raise ValueError(
                f"{name} holds samples of shape {shape}, but the fit was on samples of shape "
                f"{self.format.image_shape}. {how_to_fit(shape, self.format.image_shape, name)}"
            )
        return format

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


class ImageFormat(ArrayFormat):
    """What it takes to make images as the user's from a net's output.

    Parameters
    ----------
    shape : tuple of int
        Of a sample as it was given, maybe flat.
    image_shape : tuple of int
        Of a sample as an image or signal.
    channel_axis : int or None
        Where in it the channels are.

    Attributes
    ----------
    dtype : dtype or None
        Of unsigned integers, which stand for intensities from 0 to 1; None for others.
    least, largest : float
        Smallest value, and largest absolute value.
    is_float : bool
        Whether they are floats.
    """

    dtype, least, largest, is_float = None, 0.0, 1.0, True

    def __init__(self, shape, image_shape, channel_axis):
        super().__init__()
        self.shape = shape
        self.image_shape = image_shape
        self.channel_axis = channel_axis

    def of_shape(self, shape):
        """Return the format for samples in a shape, or None if they differ."""
        if shape not in {self.image_shape, (prod(self.image_shape),)}:
            return None
        return ImageFormat(shape, self.image_shape, self.channel_axis)

    def describe(self, dataset):
        """Remember what there is to know of the user's values."""
        self.frame = dataset.format.frame
        self.is_float = dataset.X.dtype.kind == "f"
        if dataset.X.dtype.kind == "u":
            self.dtype = dataset.X.dtype.newbyteorder("=")
        else:
            ends = dataset.range()
            self.least, self.largest = float(ends[0]), float(np.abs(ends).max())
        return self

    @property
    def scale(self):
        """What stands for an intensity of 1."""
        return 1 if self.dtype is None else int(np.iinfo(self.dtype).max)

    @property
    def tensor_shape(self):
        """Shape of a sample for torch, (channels, length) or (channels, height, width)."""
        if self.channel_axis is None:
            return 1, *self.image_shape
        sizes = list(self.image_shape)
        return sizes.pop(self.channel_axis), *sizes

    def to_tensor(self, x):
        """Return rows of numbers as images, a tensor of shape (n_samples, *tensor_shape)."""
        x = x.view(x.shape[0], *self.image_shape)
        return x.unsqueeze(1) if self.channel_axis is None else x.movedim(self.channel_axis + 1, 1)

    def to_user_axes(self, output):
        if self.channel_axis is not None:
            output = np.moveaxis(output, 1, self.channel_axis + 1)
        return np.ascontiguousarray(output).reshape(len(output), *self.shape)

    def to_array(self, output):
        if self.dtype is not None:
            precise = np.float64 if self.dtype.itemsize > 2 else output.dtype
            output = np.multiply(output, self.scale, dtype=precise)
            most = np.float64(self.scale)
            if int(most) > self.scale:  # as it is for 64 bits
                most = np.nextafter(most, 0)
            output = np.rint(output, out=output).clip(0, most, out=output).astype(self.dtype)
        return self.to_user_axes(output)

    def in_frame(self, array):
        return super().in_frame(array) if array.ndim == 2 else array

    def how_to_scale(self, name):
        if len(self.shape) == 1:
            return super().how_to_scale(name)
        return how_to_scale(self.least, self.largest, name)

    def check_scale(self, fitted, name):
        """Raise a ValueError if values are on another scale than those of the fit."""
        if self.dtype == fitted.dtype:
            return
        others = [f for f in (self, fitted) if f.dtype is None]
        if others and others[0].is_float and others[0].largest <= MAX_INTENSITY:
            return
        now, then = (
            str(f.dtype or ("floats" if f.is_float else "other numbers") + f" up to {f.largest:g}")
            for f in (self, fitted)
        )
        raise ValueError(
            f"{name} holds {now}, but the fit was on {then}. Unsigned integers stand for "
            "intensities from 0 to 1, and their largest value for 1: give one type to fit and to "
            "all other methods, or floats from 0 to 1 to all."
        )


class ImageDataset(ArrayDataset):
    """Images or signals as rows of a validated matrix.

    Parameters
    ----------
    dataset : ArrayDataset
        Flat, in the user's order of the axes.
    format : ImageFormat
    """

    def __init__(self, dataset, format):
        super().__init__(dataset.X, dataset.sample_weight, format)

    kind = "images"
    can_drop_columns = False
    is_spatial = True
    why_not_stackable = "its samples are images"

    @property
    def scale(self):
        """What stands for a value of 1."""
        return self.format.scale

    @property
    def sample_shape(self):
        return self.format.tensor_shape

    @property
    def dtype(self):
        """Precision of the results: float32 where that is enough for the input's."""
        return torch.float32 if self.format.dtype is not None else super().dtype

    def warn_of_columns(self, X, name):
        del name
        self.warn_of_channels()
        self.warn_of_alpha()
        self.warn_of_digits(X)

    def warn_of_digits(self, X):
        """Warn of integers that floats do not hold exactly."""
        if self.format.dtype is None:  # else intensities, whose last digits do not matter
            warn_of_lost_digits(X, self.X, self.name)

    def warn_of_channels(self):
        """Warn if the axis of the channels seems to be the other one; return whether."""
        shape, axis = self.format.image_shape, self.format.channel_axis
        if axis is None:
            return False
        n_channels, n_others = shape[axis], shape[0 if axis else -1]
        is_swapped = n_others <= MAX_CHANNELS < MIN_SIDE <= min([n_channels, *shape[1:-1]])
        if is_swapped:
            where, other = ("last", "first") if axis else ("first", "last")
            warn(
                f"{self.name} holds samples of shape {shape}, read with {n_channels} channels, as "
                f"the {where} axis is that of the channels. If it is the {other} one, give "
                f"channels_first={axis > 0}.",
                DataWarning,
            )
        return is_swapped

    def warn_of_alpha(self):
        """Warn if the last channel is alpha, and says nothing."""
        rest = constant_alpha(self.X, self.format)
        if rest is not None:
            warn(
                f"{self.name} holds {self.sample_shape[0]} channels, and the last one has the same "
                "value in all pixels, as alpha has where nothing is transparent. If it is alpha, "
                f"drop it: {self.name}{rest}.",
                DataWarning,
            )

    def range(self):
        return tuple(end / self.scale for end in super().range())

    def extent(self):
        """Return that of all pixels together; unsigned integers have a range of their own."""
        if self.format.dtype is None:
            return Extent([-self.format.largest], [self.format.largest])
        return None

    def far_columns(self, extent):
        return extent.far_columns(np.array([[self.format.largest]]))

    def get_batch(self, which, dtype):
        x, weight = super().get_batch(which, dtype)
        x = self.format.to_tensor(x)
        # In place, since integers have been copied.
        return (x.div_(self.scale) if self.scale != 1 else x), weight

    def _where(self, row, place):
        channel, *place = (int(i) for i in place)
        axis, shape = self.format.channel_axis, self.format.image_shape
        if axis is not None:
            place.insert(axis, channel)
        if len(self.format.shape) < len(shape):
            return super()._where(row, [np.ravel_multi_index(place, shape)])
        return f"{self.name}[{row}] at {tuple(place)}"

    def cost(self, parts):
        return measured_cost(parts, self.sample_shape)

    def warn_if_unscaled(self, name):
        """Warn if an estimator of a name learns poorly from values on their scale.

        Tables can be scaled by a step of a pipeline, but none of scikit-learn's takes images.
        """
        n_images = min(max(1, MAX_VALUES // prod(self.sample_shape)), MAX_IMAGES)
        x, _ = self.subsample(n_images).get_batch(slice(None), torch.float64)
        std, mean = (float(value) for value in torch.std_mean(x, correction=0))
        least, most = STDS
        if std == 0 or (least < std < most and abs(mean) < MAX_OFFSET * std):
            return
        unit = "" if self.scale == 1 else f" of the largest {self.X.dtype}"
        warn(
            f"{name} was fitted on images with a mean of {mean:.3g} and a standard deviation of "
            f"{std:.3g}{unit}, and learns best from values that spread from about 0 to 1. Scale X, "
            f"for instance {how_to_scale(self.format.least, self.format.largest, 'X')}; "
            "check_baseline=False turns this check off.",
            ScaleWarning,
        )


def _check_finite(X, name):
    if is_surely_finite(X):
        return
    for i, sample in enumerate(X):
        places = np.argwhere(~np.isfinite(sample))
        if len(places):
            place = tuple(int(axis) for axis in places[0])
            raise ValueError(
                f"{name}[{i}] holds {sample[place]} at {place}, and training needs finite values. "
                "Fill such pixels, or drop the sample."
            )
