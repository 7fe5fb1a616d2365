"""Arrays of numbers, dense or sparse: checked, and read as a dataset."""

from numbers import Number

import numpy as np
import pandas as pd

from skae._data.checks import read_weights
from skae._data.dataset import ArrayDataset, ArrayFormat
from skae._data.frames import FrameFormat, narwhals_frame
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
    frame = narwhals_frame(X)
    if frame is not None:
        _refuse_dates(frame)
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
        if not (culprit := _culprit(frame, error)):
            raise
        raise ValueError(f"{error}{culprit}") from error
    format = ArrayFormat(FrameFormat.of(frame))
    return ArrayDataset(array, read_weights(sample_weight, array), format)


def _refuse_dates(frame):
    """Raise an error about dates, which would become numbers without a word."""
    native = frame.to_native()
    if isinstance(native, pd.DataFrame) and all(dtype.kind in "fiub" for dtype in native.dtypes):
        return  # the quick answer
    dates = [str(name) for name, dtype in frame.schema.items() if dtype.is_temporal()]
    if dates:
        raise ValueError(f"Not numeric: columns {dates} hold dates. Turn them into numbers first.")


def _culprit(frame, error):
    """Name what keeps a table from being used, columns of a DataFrame if they do."""
    if "setting an array element with a sequence" in str(error):
        return (
            "\nRows need to be of one length. For sequences of unequal lengths there is "
            'RecurrentAutoencoder, or architecture="recurrent".'
        )
    if frame is None:
        return ""
    columns = {str(column.name): column.to_numpy() for column in frame.iter_columns()}
    text = [name for name, values in columns.items() if not _is_numeric(values)]
    if text:
        return f"\nNot numeric: columns {text}. Encode or drop them, see ColumnTransformer."
    missing = [name for name, v in columns.items() if not np.isfinite(v.astype(float)).all()]
    return f"\nMissing or infinite values in columns {missing}." if missing else ""


def _is_numeric(array):
    if array.dtype == object:  # a nullable dtype is an object array only if values are missing
        return all(
            isinstance(value, Number) or (np.ndim(value) == 0 and pd.isna(value)) for value in array
        )
    return array.dtype.kind in "fiub"
