"""Labels of samples, whatever they are given as, and which of them are missing."""

from dataclasses import dataclass
from numbers import Real

import narwhals as nw
import numpy as np
import pandas as pd

from skae._data.checks import as_array
from skae._data.given import as_data


@dataclass
class Labels:
    """One label for each sample.

    Parameters
    ----------
    codes : ndarray of int, shape (n_samples,)
        Position of the label in ``values``, -1 where it is missing.
    values : list
        Different labels, in order if they are of one type; whole numbers are int.
    numbers : ndarray of float, shape (n_samples,), or None
        Labels that are numbers, NaN where one is missing. None if they are none, or a column of
        categories.
    title : str or None
        What the labels are.
    """

    codes: np.ndarray
    values: list
    numbers: np.ndarray | None
    title: str | None

    @property
    def is_continuous(self):
        """Whether these are numbers that are not all whole."""
        return self.numbers is not None and not all(isinstance(one, int) for one in self.values)

    def by_frequency(self):
        """Return the positions of the labels that samples have, the most frequent first."""
        counts = np.bincount(self.codes[self.codes >= 0], minlength=len(self.values))
        order = np.argsort(-counts, kind="stable")
        return order[counts[order] > 0]


def read_labels(y, n_samples, title=None):
    """Read the labels of samples.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Labels of any kind. None, NaN, NaT and masked ones are missing.
    n_samples : int
    title : str or None, default=None
        What the labels are. None is the name of a column.

    Returns
    -------
    Labels

    Raises
    ------
    TypeError, ValueError
        If y is not one label for each sample.
    """
    series = _series(y)
    if len(series) != n_samples:
        raise ValueError(f"y has {len(series)} labels for {n_samples} samples: give one for each.")
    title = title or (None if series.name is None else str(series.name))
    if isinstance(series.dtype, pd.CategoricalDtype):
        return Labels(series.cat.codes.to_numpy(int), [*series.cat.categories], None, title)
    numbers = _numbers(series)
    if numbers is not None:
        known = np.unique(numbers[~np.isnan(numbers)])
        codes = np.where(np.isnan(numbers), -1, np.searchsorted(known, numbers))
        is_whole = np.isfinite(known).all() and (known == np.round(known)).all()
        return Labels(codes, [int(k) for k in known] if is_whole else [*known], numbers, title)
    is_ordered = series.dropna().map(type).nunique() == 1
    try:
        codes, values = pd.factorize(series, sort=is_ordered)
    except TypeError as error:
        raise TypeError(f"y holds what is no label: {error}. Give texts or numbers.") from error
    return Labels(codes, [*values], None, title)


def _series(y):
    """Return labels as a pandas Series."""
    if isinstance(y, np.ma.MaskedArray):
        y = np.where(np.ma.getmaskarray(y), None, y.data.astype(object))
    frame = nw.from_native(as_data(y, "y"), pass_through=True, allow_series=True)
    if isinstance(frame, nw.DataFrame) and frame.shape[1] == 1:
        frame = frame[:, 0]
    if isinstance(frame, nw.Series):
        native = frame.to_native()
        if isinstance(native, pd.Series):
            return native.reset_index(drop=True)
        return pd.Series(frame.to_list(), name=frame.name).infer_objects()
    array = as_array(nw.to_native(frame, pass_through=True), "y", "Give one label for each sample.")
    array = np.asarray(array)
    array = array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array
    if array.ndim != 1:
        raise ValueError(
            f"y is of shape {array.shape}. Give one label for each sample, an array of shape "
            "(n_samples,)."
        )
    return pd.Series(array)


def _numbers(series):
    """Return labels as floats, or None if they are no numbers."""
    kind = pd.api.types
    if kind.is_numeric_dtype(series.dtype) and not kind.is_complex_dtype(series.dtype):
        is_bool = kind.is_bool_dtype(series.dtype)
        return None if is_bool else series.to_numpy(np.float64, na_value=np.nan)
    known = series.dropna()
    if series.dtype != object or not all(
        isinstance(one, Real) and not isinstance(one, (bool, np.bool_)) for one in known
    ):
        return None
    numbers = np.full(len(series), np.nan)
    try:
        numbers[series.notna()] = known.astype(np.float64)
    except OverflowError:  # integers beyond floats
        return None
    return numbers
