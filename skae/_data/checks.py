"""Arrays of whatever holds numbers, and weights."""

from numbers import Number

import numpy as np
import pandas as pd
from scipy import sparse

from skae._data.frames import is_frame
from skae._data.given import as_data
from skae._sklearn import check_sample_weight

#: What to do with samples of different shapes.
UNEQUAL_LENGTHS = (
    "For sequences of unequal lengths there is RecurrentAutoencoder, or "
    'architecture="recurrent"; for outliers among them OutlierDetector(RecurrentAutoencoder()).'
)


def as_array(X, name, remedy="Resize them to one."):
    """Return samples as one array, whatever they are given as; tables as they are.

    ``remedy`` is what an error about samples of different shapes says to do.
    """
    X = as_data(X, name)
    if is_frame(X) or sparse.issparse(X):
        return X
    if isinstance(X, np.ndarray) and (X.dtype.kind != "O" or X.ndim != 1 or not len(X)):
        return X
    if not isinstance(X, (list, tuple, np.ndarray)):
        return np.asarray(X)
    try:
        shapes = [np.shape(sample) for sample in X]
    except ValueError as error:  # a list within a row
        raise ValueError(
            f"{name} holds a sample whose values are of different shapes. Give one number, or one "
            "value of a column, in each place."
        ) from error
    if len(set(shapes)) > 1:
        _refuse_shapes(X, shapes, name, remedy)
    return np.array(list(X)) if isinstance(X, np.ndarray) else np.asarray(X)


def _refuse_shapes(X, shapes, name, remedy):
    """Raise an error that names the first two samples of different shapes."""
    i = next(i for i, shape in enumerate(shapes) if shape != shapes[0])
    if () in (shapes[0], shapes[i]):
        single, other = (0, i) if shapes[0] == () else (i, 0)
        raise ValueError(
            f"{name}[{single}] is {X[single]!r:.60}, but {name}[{other}] is a sample of shape "
            f"{shapes[other]}. Drop what is no sample."
        )
    raise ValueError(
        f"{name} holds samples of different shapes, such as {name}[0] of {shapes[0]} and "
        f"{name}[{i}] of {shapes[i]}. {remedy}"
    )


def as_numbers(X, name):
    """Return one array of numbers, NaN where values are missing or masked.

    Raises
    ------
    TypeError, ValueError
        If X holds anything but numbers.
    """
    X = as_data(X, name)
    if isinstance(X, np.ma.MaskedArray):
        X = X.astype(np.float64).filled(np.nan) if X.mask.any() else X.data
    try:
        array = np.asarray(X)
        if array.dtype.kind == "O":
            array = np.where(pd.isna(array), np.nan, array).astype(np.float64)
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(f"{name} is not an array of numbers: {error}") from error
    if array.dtype.kind not in "fiub":
        raise ValueError(f"{name} is of dtype {array.dtype}, which is not numeric.")
    return array


def is_surely_finite(array):
    """Say whether the sum shows that all numbers are finite, which is faster than a look at each.

    The sum of finite numbers can be infinite, so they may be finite if not.
    """
    if array.dtype.kind != "f":
        return True
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(array.sum(dtype=np.float64)))


def clipped(array):
    """Return an array with the largest finite numbers of its dtype in the place of infinity."""
    limits = np.finfo(array.dtype)
    return np.clip(array, limits.min, limits.max)


def read_weights(sample_weight, samples):
    """Validate weights, one for each sample, and return them with a mean of 1, or None."""
    if sample_weight is None:
        return None
    if not isinstance(sample_weight, Number):
        sample_weight = as_numbers(sample_weight, "sample_weight")
    sample_weight = check_sample_weight(
        sample_weight, samples, dtype=np.float64, ensure_non_negative=True
    )
    sample_weight = sample_weight / sample_weight.max()  # the sum stays finite
    return sample_weight / sample_weight.mean()


def check_target(y, estimator, remedy=""):
    """Raise an error if there is no target; ``remedy`` is what to do."""
    if y is None:
        what = f"{type(estimator).__name__} requires y to be passed, but the target y is None"
        raise ValueError(f"{what}. {remedy}" if remedy else what)
