"""How users have images and signals, and how to make such of what a net gives."""

import copy
from math import prod

import numpy as np

from skae._data.dataset import ArrayFormat
from skae._data.image_hints import how_to_scale

#: Floats beyond this are not intensities from 0 to 1, even with noise on them.
MAX_INTENSITY = 10.0


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

    def has_shape(self, shape):
        """Say whether samples of a shape are images of this size, flat or not."""
        return shape in {self.image_shape, (prod(self.image_shape),)}

    def of_shape(self, shape, takes_any_size=False):
        """Return the format for samples in a shape, or None if they differ."""
        if self.has_shape(shape):
            return ImageFormat(shape, self.image_shape, self.channel_axis)
        if not takes_any_size or len(shape) != len(self.image_shape) or 0 in shape:
            return None
        axis = self.channel_axis
        has_channels = axis is None or shape[axis] == self.image_shape[axis]
        return ImageFormat(shape, shape, axis) if has_channels else None

    def size_of(self, image_shape):
        """Return the size of an image of a shape, which is the shape without channels."""
        sides = list(image_shape)
        if self.channel_axis is not None:
            del sides[self.channel_axis]
        return tuple(sides)

    def of_size(self, size):
        """Return the same format for images of another size, which are not flat."""
        twin, sides = copy.copy(self), list(size)
        if self.channel_axis is not None:
            sides.insert(self.channel_axis, self.image_shape[self.channel_axis])
        twin.shape = twin.image_shape = tuple(sides)
        return twin

    def describe(self, dtype, dataset, frame=None):
        """Remember what there is to know of the user's values."""
        self.frame = frame
        self.is_float = dtype.kind == "f"
        if dtype.kind == "u":
            self.dtype = dtype.newbyteorder("=")
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
        if isinstance(output, list):  # of images of unequal sizes
            return list(map(self.sample_to_user_axes, output))
        shape = self.shape
        if output.shape[1:] != self.tensor_shape:
            shape = self.of_size(output.shape[2:]).shape
        if self.channel_axis is not None:
            output = np.moveaxis(output, 1, self.channel_axis + 1)
        return np.ascontiguousarray(output).reshape(len(output), *shape)

    def to_array(self, output, rng=None):
        del rng
        if isinstance(output, list):
            return [self.to_array(image[None])[0] for image in output]
        if self.dtype is not None:
            precise = np.float64 if self.dtype.itemsize > 2 else output.dtype
            output = np.multiply(output, self.scale, dtype=precise)
            most = np.float64(self.scale)
            if int(most) > self.scale:  # as it is for 64 bits
                most = np.nextafter(most, 0)
            output = np.rint(output, out=output).clip(0, most, out=output).astype(self.dtype)
        return self.to_user_axes(output)

    def in_frame(self, array):
        is_table = self.frame is not None and array.shape[1:] == (len(self.frame.columns),)
        return super().in_frame(array) if is_table else array

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
