"""Integers that floats do not hold exactly."""

from numbers import Integral

import narwhals as nw
import numpy as np
from scipy import sparse

from skae._data.frames import narwhals_frame
from skae.exceptions import DataWarning, warn

#: Beyond this, floats do not hold all integers.
MAX_EXACT = 2**53

#: Dtypes of columns that can hold such integers, those that NumPy has first.
LONG, WIDE = (nw.Int64, nw.UInt64), (nw.Int128, nw.UInt128, nw.Object)

#: Large integers of a column that are looked at, at most.
MAX_CHECKED = 1000


def warn_of_lost_digits(X, numbers, name, exact=()):
    """Warn if samples hold integers that lose digits as floats, and say in which columns.

    Parameters
    ----------
    X : DataFrame or array-like
        Samples as the user gave them.
    numbers : array or sparse matrix
        The same as they were read, for samples that are neither a DataFrame nor an array.
    name : str
        What the warning calls them.
    exact : collection of str or int, default=()
        Columns that are not read as floats.
    """
    frame = narwhals_frame(X)
    if frame is not None:
        columns = [c.name for c in frame.iter_columns() if _loses_digits(_integers_of(c))]
    else:
        columns = _columns_of(X if isinstance(X, np.ndarray) else numbers)
    if columns is not True:
        columns = [column for column in columns if column not in exact]
    if columns:
        where = "" if columns is True else f" in columns {columns}"
        warn(
            f"{name} holds integers beyond 2**53{where}, and floats lose their last digits: "
            "integers that differ by less are equal to the net. Subtract a constant from them, or "
            "drop them if they are identifiers.",
            DataWarning,
        )


def _columns_of(array):
    """Return which columns of an array lose digits, or True if any number does elsewhere."""
    if sparse.issparse(array):
        array = array.data
    if array.dtype.kind not in "iuO" or not _loses_digits(array.ravel()):
        return []
    if array.ndim != 2:
        return True
    return [i for i, values in enumerate(array.T) if _loses_digits(values)]


def _integers_of(column):
    """Return the integers in a column of a DataFrame, an array."""
    if column.dtype in WIDE:
        return np.fromiter(column.drop_nulls().to_list(), object)
    return column.drop_nulls().to_numpy() if column.dtype in LONG else np.empty(0)


def _loses_digits(values):
    """Say whether an array holds integers that floats do not hold exactly."""
    if values.dtype.kind == "O":
        large = [v for v in values if isinstance(v, Integral) and abs(v) > MAX_EXACT]
    elif values.dtype.kind in "iu" and values.dtype.itemsize == 8:
        large = values[values > MAX_EXACT]
        if values.dtype.kind == "i":
            large = np.append(large, values[values < -MAX_EXACT])
    else:
        return False
    return any(int(float(value)) != int(value) for value in large[:MAX_CHECKED])
