"""Arrays of numbers, dense or sparse: checked, and read as a dataset."""

from contextlib import contextmanager
from decimal import Decimal
from itertools import islice
from numbers import Number

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.utils import assert_all_finite

from skae._data.checks import UNEQUAL_LENGTHS, read_weights
from skae._data.dataset import ArrayDataset, ArrayFormat
from skae._data.frames import FrameFormat, narwhals_frame
from skae._data.given import refuse_series
from skae._data.reader import SampleReader


class ArrayReader(SampleReader):
    """Reads X as rows of numbers, in which there is nothing to choose."""

    def convert(self, X, sample_weight, check, name):
        with remedies():
            return read_array(check, X, sample_weight, name)


#: By piece of an error about rows, what to do about it.
_REMEDIES = {
    "contains NaN": "TabularAutoencoder takes missing values as they are. For others fill them "
    "first, for instance by a SimpleImputer in a pipeline.",
    "Not numeric": "Or use TabularAutoencoder, which takes text, categories and dates.",
    "could not convert string": "TabularAutoencoder takes tables with text.",
    "arrays of bytes/strings": "TabularAutoencoder takes tables with text.",
    "Rows need to be of one length": "An architecture of your own for sequences says so by an "
    'attribute, input_kind = "sequences".',
    "Found array with dim": 'For images there is ConvAutoencoder, or architecture="conv"; for '
    'sequences RecurrentAutoencoder, or architecture="recurrent"; all of them also in '
    "OutlierDetector(...). An architecture of your own says what it takes by an attribute, "
    'input_kind = "images" or "sequences". To make a row of each sample, give '
    "X.reshape(len(X), -1).",
}


@contextmanager
def remedies():
    """Let errors about rows say what to do."""
    try:
        yield
    except (ValueError, TypeError) as error:
        text = str(error)
        remedy = next((then for piece, then in _REMEDIES.items() if piece in text), None)
        if remedy is None:
            raise
        raise _same_kind(error, f"{text}\n{remedy}") from error


def _same_kind(error, message):
    """Return an error of the kind of another one, with a message of its own."""
    return (TypeError if isinstance(error, TypeError) else ValueError)(message)


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
    TypeError, ValueError
        If X is not a finite, numeric table of the right width, or a weight is negative.
    """
    frame = narwhals_frame(X)
    if frame is not None:
        _refuse_dates(frame)
    refuse_series(X, name)
    # dtype="numeric" keeps integers and float16 as they are: converting the whole of X would
    # hold it in memory twice.
    how = {"accept_sparse": "csr", "dtype": "numeric"} | how
    try:
        with np.errstate(invalid="ignore"):  # the sum of large values of both signs
            array = check(X, **how)
        if array.dtype.kind == "O":  # of a list, in which scikit-learn does not look for None
            array, finite = array.astype(np.float64), how.get("ensure_all_finite", True)
            if finite:
                assert_all_finite(array, allow_nan=finite == "allow-nan", input_name=name)
        if array.dtype.kind not in "fiub":
            raise ValueError(f"{name} of dtype {array.dtype} is not numeric.")
    except OverflowError as error:
        raise ValueError(f"{name} holds a number that is too large for floats.") from error
    except (ValueError, TypeError) as error:
        is_long = "does not accept missing values" in str(error)
        if not (culprit := _culprit(frame, error) or _place(X, name)) and not is_long:
            raise
        message = str(error).partition("\n")[0] if is_long else str(error)
        raise _same_kind(error, f"{message}{culprit}") from error
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
        return f"\nRows need to be of one length. {UNEQUAL_LENGTHS}"
    if frame is None:
        return ""
    columns = {str(column.name): column.to_numpy() for column in frame.iter_columns()}
    text = [name for name, values in columns.items() if not _is_numeric(values)]
    if text:
        return f"\nNot numeric: columns {text}. Encode or drop them, see ColumnTransformer."
    missing = [name for name, v in columns.items() if not np.isfinite(v.astype(float)).all()]
    return f"\nMissing or infinite values in columns {missing}." if missing else ""


def _place(X, name):
    """Say where in an array or a sparse matrix the first cell is that holds no finite number."""
    if sparse.issparse(X):
        X = X.tocoo()
        wrong = np.flatnonzero(~np.isfinite(X.data))
        places, cells = np.transpose(X.coords)[wrong[:1]], X.data[wrong[:1]].tolist()
    else:
        array = X if isinstance(X, np.ndarray) else np.asarray(X, dtype=object)
        places, cells = _wrong_cells(array) if array.ndim == 2 else ((), ())
    if not len(places):
        return ""
    row, column = places[0]
    return f"\n{name}[{row}, {column}] is {cells[0]!r:.60}."


def _wrong_cells(array):
    """Return the place of the first cell that holds no finite number, and the cell, as lists."""
    if array.dtype.kind in "fiub":
        places = np.argwhere(~np.isfinite(array))[:1]
    else:
        wrong = (place for place, cell in np.ndenumerate(array) if not _is_finite(cell))
        places = list(islice(wrong, 1))
    return places, [array.item(tuple(place)) for place in places]


def _is_finite(cell):
    return isinstance(cell, (Number, Decimal)) and bool(np.isfinite(complex(cell)))


def _is_numeric(array):
    if array.dtype == object:  # a nullable dtype is an object array only if values are missing
        return all(
            isinstance(value, Number) or (np.ndim(value) == 0 and pd.isna(value)) for value in array
        )
    return array.dtype.kind in "fiub"
