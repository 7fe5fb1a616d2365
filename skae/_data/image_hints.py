"""What users give in place of images, and what to do about it."""

import numpy as np
from scipy import sparse

from skae._data.checks import as_array
from skae._data.given import as_data

#: What to do with images of different shapes.
UNEQUAL = (
    "Resize them to one size, or convert them to one number of channels, such as by "
    'image.convert("RGB") of Pillow.'
)
#: Numbers of channels with alpha, and what a value of opaque pixels may be, that of the type apart.
_WITH_ALPHA, _OPAQUE = (2, 4), (1, 255)


def as_images(X, name, remedy=UNEQUAL):
    """Return images as one array, whatever they are given as; tables as they are.

    Parameters
    ----------
    X : array-like
    name : str
        What errors call them.
    remedy : str
        What errors say to do with images of different shapes.

    Returns
    -------
    array or table

    Raises
    ------
    ValueError
        If they cannot be read as numbers, all of one shape.
    """
    X = as_data(X, name)
    if _is_of_pillow(X):
        raise ValueError(f"{name} is a single image of Pillow. Give a list of images, [{name}].")
    if isinstance(X, (list, tuple)):
        if not X:
            raise ValueError(f"{name} is empty, and at least one sample is needed.")
        X = without_pillow(X, name)
    X = as_array(X, name, remedy)
    if isinstance(X, np.ndarray):
        _check_values(X, name)
    return X


def _is_of_pillow(image):
    return type(image).__module__.partition(".")[0] == "PIL"


def without_pillow(X, name):
    """Return a list with arrays in place of the images of Pillow."""
    modes = {i: image.mode for i, image in enumerate(X) if _is_of_pillow(image)}
    first = min(modes, default=None)
    for i, mode in modes.items():
        if mode in ("P", "PA"):
            raise ValueError(
                f"{name}[{i}] is an image of mode {mode!r}, whose numbers are places in a palette. "
                'Give image.convert("RGB") for each image.'
            )
        if mode != modes[first]:
            raise ValueError(
                f"{name} holds images of different modes: {name}[{first}] of {modes[first]!r}, "
                f'{name}[{i}] of {mode!r}. Give image.convert("RGB") for each image.'
            )
    return [np.asarray(image) if i in modes else image for i, image in enumerate(X)]


def _check_values(X, name):
    """Raise an error about types that are no numbers of pixels, and about masked pixels."""
    if X.dtype.kind == "c":
        raise ValueError(
            f"Complex data not supported: {name} is of dtype {X.dtype}. Give {name}.real, "
            f"abs({name}), or both parts as channels."
        )
    if X.dtype.kind in "mM":
        raise ValueError(
            f"{name} is of dtype {X.dtype}, which is not numeric. Convert it to numbers first."
        )
    if np.ma.is_masked(X):
        i = int(np.argwhere(np.ma.getmaskarray(X))[0, 0])
        refuse_masked(X[i], f"{name}[{i}]")


def refuse_masked(image, name):
    """Raise an error if pixels of an image are masked."""
    if np.ma.is_masked(image):
        place = tuple(int(axis) for axis in np.argwhere(np.ma.getmaskarray(image))[0])
        raise ValueError(
            f"{name} is masked at {place}, and training needs all values. Fill such pixels, or "
            "drop the sample."
        )


def refuse_numbers(n_samples, estimator):
    """Raise an error about one label or number for each image where images are to be predicted."""
    name = type(estimator).__name__
    raise ValueError(
        f"y is of shape ({n_samples},), one value for each sample, and {name} predicts images. For "
        "labels or numbers, take a classifier or a regressor of scikit-learn behind an "
        "autoencoder, as in make_pipeline(ConvAutoencoder(), LogisticRegression())."
    )


def how_to_fit(shape, fitted, name, needed="that shape"):
    """Say what to do with samples of another shape than those of the fit.

    Parameters
    ----------
    shape : tuple of int
        Of a sample.
    fitted : list of tuple of int
        What it may have to be.
    name : str
        What errors call the samples.
    needed : str
        What to convert others to.

    Returns
    -------
    str
        A sentence.
    """
    *size, last = shape
    first, *size_behind = shape
    repeat, to_gray = "Repeat them for each channel: ", "Convert them to gray, for instance by "
    at_end, at_front = (fitted[0][axis] for axis in (-1, 0))
    ways = {
        (*size_behind, first): f"Move the channels to the end: np.moveaxis({name}, 1, -1).",
        (last, *size): f"Move the channels to the front: np.moveaxis({name}, -1, 1).",
        (*shape, at_end): f"{repeat}np.stack([{name}] * {at_end}, axis=-1).",
        (at_front, *shape): f"{repeat}np.stack([{name}] * {at_front}, axis=1).",
        (*shape, 1): f"Add an axis for the channel: {name}[..., np.newaxis].",
        (1, *shape): f"Add an axis for the channel: {name}[:, np.newaxis].",
        tuple(size): f'{to_gray}image.convert("L") of Pillow, or skimage.color.rgb2gray.',
    }
    if last == 1:
        ways[tuple(size)] = f"Drop the axis of the channel: {name}[..., 0]."
    if last in _WITH_ALPHA:
        ways[*size, last - 1] = f"If the last channel is alpha, drop it: {name}[..., :{last - 1}]."
    if first in _WITH_ALPHA:
        ways[first - 1, *size_behind] = (
            f"If the last channel is alpha, drop it: {name}[:, :{first - 1}]."
        )
    return next((ways[s] for s in fitted if s in ways), f"Resize or convert them to {needed}.")


def how_to_scale(least, largest, name):
    """Say how to bring values to a range from 0 to 1."""
    if least >= 0 and 1 < largest <= 255:
        return f"by {name} / 255, or give uint8"
    by_ends = f"by ({name} - {name}.min()) / ({name}.max() - {name}.min())"
    if least >= 0 and largest <= 1:
        return by_ends
    return f"{by_ends}, for color spaces such as Lab or HSV each channel by its own ends"


def constant_alpha(X, format):
    """Return how to drop an alpha channel of which all pixels are opaque, or None without one.

    Parameters
    ----------
    X : array or sparse matrix of shape (n_samples, n_values)
        Flat images.
    format : ImageFormat
    """
    shape, axis = format.image_shape, format.channel_axis
    if sparse.issparse(X) or axis is None or len(shape) < 3 or shape[axis] not in _WITH_ALPHA:
        return None
    alpha = np.moveaxis(X.reshape(len(X), *shape), axis + 1, -1)[..., -1]
    opaque = alpha.flat[0]
    if opaque not in (*_OPAQUE, format.scale) or (alpha != opaque).any():
        return None
    return f"[{'...' if axis else ':'}, :{shape[axis] - 1}]"
