"""Images and signals of one size, of any numeric dtype, as tensors.

A data set of images is one of rows whose width has a shape. It is validated and selected
from as a table is, and takes its shape where it becomes tensors: channels first, as torch
has them.
"""

import copy
from math import prod

import numpy as np
import torch

from skae._data.checks import is_surely_finite
from skae._data.cost import measured_cost
from skae._data.dataset import ArrayDataset, take_rows
from skae._data.extent import Extent
from skae._data.precision import warn_of_lost_digits
from skae.exceptions import DataWarning, ScaleWarning, warn

#: Range of standard deviations in which images need no scaling.
STDS = 0.03, 3.0
#: Largest mean that needs no scaling, in standard deviations.
MAX_OFFSET = 30
#: Least side of what is taken for an image where the shape leaves it open, most channels.
MIN_SIDE, MAX_CHANNELS = 8, 4
#: Images, and values of them, that are looked at for their scale, at most.
MAX_IMAGES, MAX_VALUES = 1024, 2**21


class ImageDataset(ArrayDataset):
    """Images or signals as rows of a validated matrix.

    Parameters
    ----------
    dataset : ArrayDataset
        Flat, in the user's order of the axes.
    format : ImageFormat
    """

    kind = "images"
    #: The crops that training takes, a `Crop`; None for whole images.
    crop = None
    _targets = None

    def __init__(self, dataset, format):
        super().__init__(dataset.X, dataset.sample_weight, format)

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
        is_single = self.format.dtype is not None or self.value_dtype == np.float32
        return torch.float32 if is_single else torch.float64

    @property
    def value_dtype(self):
        """Type of the user's values."""
        return self.X.dtype

    # Sizes and crops.

    @property
    def sizes(self):
        """Size of each image, a list of tuples."""
        return [self.format.tensor_shape[1:]] * len(self)

    def image(self, i):
        """Return an image as the user has it, but not flat."""
        row = i if self.index is None else self.index[i]
        return take_rows(self.X, slice(row, row + 1)).reshape(self.format.image_shape)

    def image_weights(self):
        """Return the weights of the images as an array, or None."""
        is_all = self.sample_weight is None or self.index is None
        return self.sample_weight if is_all else self.sample_weight[self.index]

    def cropped(self, crop):
        """Return the same images, of which training takes crops, a `Crop`."""
        twin = copy.copy(self)
        twin.crop = crop
        return twin

    def in_training(self):
        return self if self.crop is None else self.crop.of(self)

    # Pairs.

    @property
    def targets(self):
        return self if self._targets is None else self._targets

    def paired(self, targets):
        """Return the same images with others as their targets."""
        twin = copy.copy(self)
        twin._targets = targets
        return twin

    def called(self, name):
        return self._twin(super().called(name), "called", name.replace("X", "y"))

    def select(self, index):
        return self._twin(super().select(index), "select", index)

    def _twin(self, twin, method, *args):
        """Let the targets of a twin be those of a method."""
        if self._targets is not None:
            twin._targets = getattr(self._targets, method)(*args)
        return twin

    def largest(self):
        found = super().largest()
        return found if self._targets is None else max(found, self._targets.largest())

    # What there is to warn of.

    def warn_of_columns(self, X, name):
        del name
        has_warned = self.warn_of_channels()
        self.warn_of_digits(X)
        if self._targets is not None:
            if not has_warned:
                self._targets.warn_of_channels()
            self._targets.warn_of_digits(())

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
        return self._divided(self.format.to_tensor(x)), weight

    def _divided(self, x):
        # In place, since integers have been copied.
        return x.div_(self.scale) if self.scale != 1 else x

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
        unit = "" if self.scale == 1 else f" of the largest {self.value_dtype}"
        warn(
            f"{name} was fitted on images with a mean of {mean:.3g} and a standard deviation of "
            f"{std:.3g}{unit}, and learns best from values that spread from about 0 to 1. Scale X, "
            "for instance by (X - X.min()) / (X.max() - X.min()); check_baseline=False turns this "
            "check off.",
            ScaleWarning,
        )


def check_finite(images, name):
    """Raise an error about the first image that holds a number that is not finite."""
    for i, sample in enumerate(images):
        if is_surely_finite(sample):
            continue
        places = np.argwhere(~np.isfinite(sample))
        if len(places):
            place = tuple(int(axis) for axis in places[0])
            raise ValueError(
                f"{name}[{i}] holds {sample[place]} at {place}, and training needs finite values. "
                "Fill such pixels, or drop the sample."
            )
