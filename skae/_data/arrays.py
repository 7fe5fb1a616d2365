"""Arrays of numbers, dense or sparse: checked, and read as a dataset."""

from numbers import Number

import numpy as np
import pandas as pd

from skae._data.checks import read_weights
from skae._data.dataset import ArrayDataset, ArrayFormat
from skae._data.frames import FrameFormat, check_frame
from skae._data.reader import SampleReader


class ArrayReader(SampleReader):
    """Reads X as rows of numbers, in which there is nothing to choose."""

    def convert(self, X, sample_weight, check, name):
        return read_array(check, X, sample_weight, name)


def read_array(check, X, sample_weight=None, name="X", **how):
    """Validate a table of numbers.

    Parameters
    ----------
    check : callable
        As `sklearn.utils.check_array`.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
    sample_weight : array-like of shape (n_samples,) or None, default=None
    name : str, default="X"
        What errors call the table.
    **how : dict
        Parameters of `sklearn.utils.check_array` to set otherwise.

    Returns
    -------
    ArrayDataset

    Raises
    ------
    ValueError
        If X is not a finite, numeric table of the right width, or a weight is negative.
    """
    _check_frame(X)
    # dtype="numeric" keeps integers and float16 as they are: converting the whole of X would
    # hold it in memory twice.
    how = {"accept_sparse": "csr", "dtype": "numeric"} | how
    try:
        array = check(X, **how)
        if array.dtype.kind == "O":
            array = array.astype(np.float64)
        if array.dtype.kind not in "fiub":
            raise ValueError(f"{name} of dtype {array.dtype} is not numeric.")
    except (ValueError, TypeError) as error:
        if not (culprit := _culprit(X, error)):
            raise
        raise ValueError(f"{error}{culprit}") from error
    return ArrayDataset(array, read_weights(sample_weight, array), ArrayFormat(FrameFormat.of(X)))


def _check_frame(X):
    """Refuse frames that would be misread."""
    check_frame(X)
    if not hasattr(X, "columns"):
        return
    # dates would become numbers without a word
    dates = [str(name) for name, dtype in zip(X.columns, X.dtypes, strict=True) if _is_date(dtype)]
    if dates:
        raise ValueError(f"Not numeric: columns {dates} hold dates. Turn them into numbers first.")


def _is_date(dtype):
    is_temporal = getattr(dtype, "is_temporal", None)  # polars has this, NumPy and pandas kinds
    return is_temporal() if is_temporal else getattr(dtype, "kind", "") in ("m", "M")


def _culprit(X, error):
    """Name what keeps a table from being used, columns of a DataFrame if they do."""
    if "setting an array element with a sequence" in str(error):
        return (
            "\nRows need to be of one length. For sequences of unequal lengths there is "
            'RecurrentAutoencoder, or architecture="recurrent".'
        )
    if not hasattr(X, "columns"):
        return ""
    text = [str(name) for name in X.columns if not _is_numeric(X[name])]
    if text:
        return f"\nNot numeric: columns {text}. Encode or drop them, see ColumnTransformer."
    missing = [str(name) for name in X.columns if not np.isfinite(np.asarray(X[name], float)).all()]
    return f"\nMissing or infinite values in columns {missing}." if missing else ""


def _is_numeric(column):
    array = np.asarray(column)
    if array.dtype == object:  # a nullable dtype is an object array only if values are missing
        return all(
            isinstance(value, Number) or (np.ndim(value) == 0 and pd.isna(value)) for value in array
        )
    return array.dtype.kind in "fiub"
