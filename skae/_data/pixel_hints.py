"""Hints as users give them: pixels of predicted images, NaN in all others."""

import numpy as np
import torch

from skae._data.checks import as_numbers
from skae._data.dataset import ArrayDataset
from skae._data.given import as_data
from skae._data.image_format import ImageFormat
from skae._data.image_lists import ImageListDataset
from skae._data.images import ImageDataset

#: Rounding by which hints may be outside of a range.
ROUNDING = 1e-6

_EXPECTED = "Give an array of the shape of the predictions, with NaN where nothing is given"


def read_hints(hints, images, reader, bounds):
    """Read hints for some images.

    Parameters
    ----------
    hints : array-like, or list with an array or None for each image
    images : ImageDataset
        What to predict from.
    reader : ImagePairReader
        Knows the targets of the fit.
    bounds : tuple (low, high) or None
        What targets have to be within, from 0 to 1 for unsigned integers.

    Returns
    -------
    ImageDataset

    Raises
    ------
    ValueError
        If a hint is none of a predicted image.
    """
    rows, target = _rows(hints, len(images)), reader.targets.format
    formats = [_format(target, reader.target_size(size)) for size in images.sizes]
    if images.is_regular:
        dtype = np.float32 if images.dtype == torch.float32 else np.float64
        read = np.full((len(images), *formats[0].image_shape), np.nan, dtype)
    else:
        read = [np.full(format.image_shape, np.nan) for format in formats]
    for i, (row, format) in enumerate(zip(rows, formats, strict=True)):
        if row is not None:
            read[i][...] = _read_one(row, format, target, bounds or _usual(target), i)
    if all(not np.isnan(one).any() for one in read):
        raise ValueError(
            "hints gives all pixels of all images, which leaves none to predict. Set those to NaN "
            "that are not given; 0 is a value, such as black."
        )
    if not images.is_regular:
        return ImageListDataset(read, None, formats[0]).called("hints")
    return ImageDataset(ArrayDataset(read.reshape(len(read), -1)), formats[0]).called("hints")


def _rows(hints, n_samples):
    """Return hints as one object for each image."""
    rows = as_data(hints, "hints")
    is_of_objects = isinstance(rows, np.ndarray) and rows.dtype.kind == "O"
    if not is_of_objects and not isinstance(rows, (list, tuple)):
        rows = np.atleast_1d(_numbers(rows, "hints"))
    if len(rows) != n_samples:
        raise ValueError(
            f"hints holds {len(rows)} samples, but X {n_samples}. {_EXPECTED}; in a list, None "
            "stands for an image without hints."
        )
    return rows


def _format(target, size):
    """Return the format of an image of floats that is like targets, but for its size."""
    shape = target.of_size(size).image_shape
    return ImageFormat(shape, shape, target.channel_axis)


def _usual(target):
    """Return what no target is far beyond, as fractions of the scale."""
    if target.dtype is not None:
        return 0.0, 1.0
    span = (target.largest - target.least) or 1.0
    return target.least - span, target.largest + span


def _numbers(hints, name):
    """Return hints as numbers, NaN where nothing is given."""
    numbers = as_numbers(hints, name)
    if numbers.dtype.kind != "f" and not isinstance(hints, np.ma.MaskedArray):
        raise ValueError(
            f"{name} is of dtype {numbers.dtype}, which has no NaN, so all pixels would be given. "
            "Give floats with NaN where nothing is given, or a masked array."
        )
    return numbers


def _read_one(row, format, target, bounds, i):
    """Return the hints of an image in its shape, as fractions of the scale."""
    name, shape = f"hints[{i}]", format.image_shape
    row = _numbers(row, name)
    is_of_fit = target.image_shape == shape and row.shape == target.shape
    if not (format.has_shape(row.shape) or is_of_fit):
        raise ValueError(
            f"{name} is of shape {row.shape}, but the image that is predicted for X[{i}] of "
            f"{shape}. {_EXPECTED}."
        )
    row = row.reshape(shape)
    _check_pixels(row, format, name)
    _check_range(row, target, bounds, name)
    return row / target.scale


def _check_pixels(row, format, name):
    """Raise an error about infinite values, and pixels of which some channels are given."""
    if np.isinf(row).any():
        place = _first(np.isinf(row))
        raise ValueError(
            f"{name} holds {row[place]} at {place}. Give finite values, NaN where nothing is given."
        )
    is_given = ~np.isnan(row)
    if format.channel_axis is None:
        return
    some, every = is_given.any(format.channel_axis), is_given.all(format.channel_axis)
    if (some != every).any():
        raise ValueError(
            f"{name} holds some channels of the pixel {_first(some & ~every)}, and NaN in others. "
            "Give all of its channels, or none."
        )


def _check_range(row, target, bounds, name):
    """Raise an error about values that targets do not have."""
    given = row[~np.isnan(row)]
    if not len(given):
        return
    low, high = (target.scale * bound for bound in bounds)
    margin = ROUNDING * (high - low)
    is_out = (row < low - margin) | (row > high + margin)
    if is_out.any():
        place = _first(is_out)
        raise ValueError(
            f"{name} holds {row[place]:g} at {place}, but should be from {low:g} to {high:g}: "
            "hints are in the units of predicted images."
        )
    if target.scale > 1 and given.max() <= 1 and (given % 1 != 0).any():
        raise ValueError(
            f"{name} holds fractions from {given.min():g} to {given.max():g}, but predicted images "
            f"hold integers from 0 to {target.scale}. Give hints in these units, such as "
            f"{target.scale} * hints."
        )


def _first(places):
    """Return the first place where an array is true, as a tuple."""
    return tuple(int(axis) for axis in np.argwhere(places)[0])
