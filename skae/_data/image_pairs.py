"""Pairs of images: an input, and what is to be predicted from it."""

from dataclasses import dataclass, replace

import numpy as np

from skae._data.checks import check_target
from skae._data.crops import Crop
from skae._data.image_hints import as_images, refuse_numbers
from skae._data.image_lists import unequal_images
from skae._data.read_images import ImageReader
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
        targets, y = self._learn_targets(inputs, y, sample_weight, estimator)
        _check_lengths(X, y)
        up, down = _common_scales(X, y)
        if X.crop is not None:
            inputs, X = _divisible(inputs, X, down)
            targets, y = targets.cropped(y, tuple(side * up // down for side in inputs.crop))
        reader = replace(self, inputs=inputs, targets=targets)
        return reader, reader._paired(X, y, (up, down))

    def _learn_targets(self, inputs, y, sample_weight, estimator):
        y, n_axes = _as_images(y)
        shape = self.target_shape
        if shape is None and n_axes == 2:
            shape = inputs.image_shape
        n_dims = len(inputs.sample_shape) - 1
        if n_axes == 1 < n_dims:
            refuse_numbers(len(y), estimator)
        reader = ImageReader(
            shape, inputs.channels_first, n_dims, "target_shape", "auto", takes_any_size=True
        )
        targets, y = reader.learn_whole(y, sample_weight=sample_weight, name="y")
        if n_axes == 1:
            targets.format.shape = ()
        return targets, y

    def read(self, X, y, *, sample_weight=None, estimator):
        X = self.inputs.read(X, sample_weight=sample_weight, estimator=estimator)
        check_target(y, estimator)
        y = self.targets.read(_as_images(y)[0], sample_weight=sample_weight, name="y")
        _check_lengths(X, y)
        return self._paired(X, y, _common_scales(X, y, self._scales))

    def read_inputs(self, X, *, estimator):
        """Return images without targets as a dataset."""
        dataset = self.inputs.read(X, estimator=estimator)
        _, down = self._scales
        for i, size in enumerate(dataset.sizes if down > 1 else ()):
            if any(side % down for side in size):
                raise ValueError(
                    f"{dataset.name}[{i}] is of {_in_words(size)}, but its sides must be multiples "
                    f"of {down}, as the images of y are {down} times smaller. Crop it."
                )
        return dataset

    def target_size(self, size):
        """Return the size of what is predicted for an image of a size."""
        up, down = self._scales
        return tuple(side * up // down for side in size)

    @property
    def _scales(self):
        return scales(self.inputs.sample_shape[1:], self.targets.sample_shape[1:])

    def _paired(self, X, y, units):
        """Return pairs, and let training take the same crops of both."""
        X, y = (
            part if self.inputs.crop is None else part.cropped(Crop(reader.crop, unit))
            for part, reader, unit in ((X, self.inputs, units[1]), (y, self.targets, units[0]))
        )
        return X.paired(y.called("y"))

    def in_training(self):
        inputs = self.inputs.in_training()
        return replace(self, inputs=inputs)

    def widened(self, dataset):
        return replace(self, inputs=self.inputs.widened(dataset))

    def fitted_attributes(self):
        return self.inputs.fitted_attributes()


def _as_images(y):
    """Return targets as images, numbers as signals of length 1, and how many axes they had."""
    if unequal_images(y, "y") is not None:
        return y, None
    y = as_images(y, "y")
    n_axes = len(y.shape)
    return np.asarray(y)[:, None] if n_axes == 1 else y, n_axes


def _check_lengths(X, y):
    if len(X) != len(y):
        raise ValueError(f"X holds {len(X)} samples, but y {len(y)}: pairs need as many of both")


def _common_scales(X, y, expected=None):
    """Return by how much the images of y are larger, and those of X, the same for all pairs."""
    is_list = not (X.is_regular and y.is_regular)
    for i, pair in enumerate(zip(X.sizes, y.sizes, strict=True)):
        found = scales(*pair, f"[{i}]" if is_list else "")
        expected = expected or found
        if found != expected:
            up, down = expected
            how = f"{up} times larger" if up > 1 else f"{down} times smaller"
            raise ValueError(
                f"y[{i}] is of {_in_words(pair[1])}, X[{i}] of {_in_words(pair[0])}, but it should "
                f"be {'of that size' if expected == (1, 1) else how}, as in other pairs."
            )
        if not is_list:
            break
    return expected


def scales(size, target_size, which=""):
    """Return by how much the sides of targets and of inputs are larger, one of them 1.

    Parameters
    ----------
    size, target_size : tuple of int
        Of an input and its target.
    which : str, default=""
        What errors add to the names of X and y.

    Raises
    ------
    ValueError
        If the one is no whole multiple of the other.
    """
    up_scale, down_scale = target_size[0] // size[0], size[0] // target_size[0]
    if up_scale and [side * up_scale for side in size] == list(target_size):
        return up_scale, 1
    if down_scale and [side * down_scale for side in target_size] == list(size):
        return 1, down_scale
    hint = " One of them looks transposed." if target_size == size[::-1] else ""
    ours, theirs = _in_words(target_size), _in_words(size)
    raise ValueError(
        f"y{which} {'is' if which else 'has samples'} of {ours}, X{which} of {theirs}: the one "
        f"must be a whole multiple of the other, the same for all axes. Resize or crop them.{hint}"
    )


def _in_words(size):
    return " x ".join(map(str, size))


def _divisible(reader, X, down):
    """Return a reader and images for crops whose sides are multiples of a number."""
    size = tuple(max(down, side - side % down) for side in reader.crop)
    if size == reader.crop:
        return reader, X
    if isinstance(reader.crop_size, str):
        return reader.cropped(X, size)
    raise ValueError(
        f"crop_size={reader.crop_size!r} takes crops of {_in_words(reader.crop)}, but the images "
        f"of X are {down} times larger than those of y. Give a multiple of {down}."
    )
