"""Pairs of images: an input, and what is to be predicted from it."""

from dataclasses import dataclass, replace

import numpy as np

from skae._data.checks import check_target
from skae._data.image_hints import as_images, refuse_numbers
from skae._data.images import ImageDataset, ImageReader
from skae._data.reader import Reader


@dataclass(frozen=True)
class ImagePairReader(Reader):
    """Reads images with others as their targets.

    Parameters
    ----------
    inputs : ImageReader
    target_shape : tuple of int or None, default=None
        Shape of the images that flat rows of targets hold.
    targets : ImageReader or None, default=None
        Known after ``learn``.
    """

    inputs: ImageReader
    target_shape: tuple | None = None
    targets: ImageReader | None = None

    def learn(self, X, y, *, sample_weight=None, estimator):
        inputs, X = self.inputs.learn(X, sample_weight=sample_weight, estimator=estimator)
        check_target(y, estimator)
        y, shape = as_images(y, "y"), self.target_shape
        n_axes = len(y.shape)
        if shape is None and n_axes == 2:
            shape = inputs.image_shape
        n_dims = len(inputs.sample_shape) - 1
        if n_axes == 1 < n_dims:
            refuse_numbers(y, estimator)
        targets = ImageReader(shape, inputs.channels_first, n_dims, "target_shape")
        targets, y = targets.learn(_with_columns(y), sample_weight=sample_weight, name="y")
        if n_axes == 1:
            targets.format.shape = ()
        return replace(self, inputs=inputs, targets=targets), _paired(X, y)

    def read(self, X, y, *, sample_weight=None, estimator):
        X = self.inputs.read(X, sample_weight=sample_weight, estimator=estimator)
        check_target(y, estimator)
        y = _with_columns(as_images(y, "y"))
        return _paired(X, self.targets.read(y, sample_weight=sample_weight, name="y"))

    def widened(self, dataset):
        return replace(self, inputs=self.inputs.widened(dataset))

    def fitted_attributes(self):
        return self.inputs.fitted_attributes()


def _with_columns(y):
    """Return numbers, one for each sample, as signals of length 1."""
    return np.asarray(y)[:, None] if len(y.shape) == 1 else y


def _paired(X, y):
    if len(X) != len(y):
        raise ValueError(f"X holds {len(X)} samples, but y {len(y)}: pairs need as many of both")
    return ImagePairDataset(X, y.called("y"))


class ImagePairDataset(ImageDataset):
    """Images, each with another one as its target.

    Parameters
    ----------
    inputs, targets : ImageDataset
        As many of the one as of the other.
    """

    targets = None

    def __init__(self, inputs, targets):
        super().__init__(inputs, inputs.format)
        self.targets = targets

    def called(self, name):
        twin = super().called(name)
        twin.targets = self.targets.called(name.replace("X", "y"))
        return twin

    def warn_of_digits(self, X):
        super().warn_of_digits(X)
        self.targets.warn_of_digits(())

    def warn_of_channels(self):
        return super().warn_of_channels() or self.targets.warn_of_channels()

    def warn_of_alpha(self):
        super().warn_of_alpha()
        self.targets.warn_of_alpha()

    def largest(self):
        return max(super().largest(), self.targets.largest())

    def select(self, index):
        twin = super().select(index)
        twin.targets = self.targets.select(index)
        return twin
