"""Labels of samples as colors: categories, numbers, and which of them are missing."""

from dataclasses import dataclass

import narwhals as nw
import numpy as np
import pandas as pd

from skae._data.given import as_data
from skae._data.labels import UNLABELED

#: Whole numbers of at most so many values are taken for categories, and so many are told apart.
MAX_CATEGORIES = 20

#: Values beyond these quantiles have the color of the ends.
COLOR_RANGE = 0.01, 0.99


@dataclass
class Categories:
    """Labels that are categories.

    Parameters
    ----------
    codes : ndarray of int, shape (n_samples,)
        Position of the category in ``names``, -1 where the label is missing.
    names : list of str
    title : str or None
    """

    codes: np.ndarray
    names: list
    title: str | None


@dataclass
class Numbers:
    """Labels that are numbers, NaN where one is missing.

    Parameters
    ----------
    values : ndarray of float, shape (n_samples,)
    title : str or None
    """

    values: np.ndarray
    title: str | None

    @property
    def ends(self):
        """Values at the ends of the colors."""
        known = self.values[np.isfinite(self.values)]
        low, high = np.quantile(known, COLOR_RANGE) if len(known) else (0.0, 1.0)
        return (low, high) if high > low else (low - 0.5, low + 0.5)


def labels_of(y, n_samples, name=None):
    """Return labels as `Categories` or `Numbers`, or None.

    Parameters
    ----------
    y : array-like of shape (n_samples,) or None
        Text and booleans are categories, and so are whole numbers with few different values; NaN,
        None, and -1 beside other whole numbers than 1, are missing labels.
    n_samples : int
    name : str or None, default=None
        Title of the labels. None is that of a column.

    Raises
    ------
    ValueError
        If y is not one label for each sample.
    """
    if y is None:
        return None
    series = _series(y)
    if len(series) != n_samples:
        raise ValueError(f"y has {len(series)} labels for {n_samples} samples: give one for each.")
    title = name or (None if series.name is None else str(series.name))
    if isinstance(series.dtype, pd.CategoricalDtype):
        names = [str(category) for category in series.cat.categories]
        return _told_apart(Categories(series.cat.codes.to_numpy(int), names, title))
    if pd.api.types.is_numeric_dtype(series.dtype) and not pd.api.types.is_bool_dtype(series.dtype):
        return _of_numbers(series.to_numpy(float, na_value=np.nan), title)
    codes, names = pd.factorize(series, sort=len({type(one) for one in series.dropna()}) == 1)
    return _told_apart(Categories(codes, [str(one) for one in names], title))


def _series(y):
    """Return labels as a pandas Series."""
    frame = nw.from_native(as_data(y, "y"), pass_through=True, allow_series=True)
    if isinstance(frame, nw.DataFrame) and frame.shape[1] == 1:
        frame = frame[:, 0]
    if isinstance(frame, nw.Series):
        native = frame.to_native()
        if isinstance(native, pd.Series):
            return native.reset_index(drop=True)
        return pd.Series(frame.to_list(), name=frame.name).infer_objects()
    array = np.asarray(nw.to_native(frame, pass_through=True))
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise ValueError(
            f"y is of shape {array.shape}. Give one label for each sample, an array of shape "
            "(n_samples,)."
        )
    return pd.Series(array).infer_objects()


def _of_numbers(values, title):
    known = np.unique(values[~np.isnan(values)])
    is_whole = len(known) <= MAX_CATEGORIES + 1 and (known == np.round(known)).all()
    if not is_whole:
        return Numbers(values, title)
    is_missing = np.isnan(values)
    if UNLABELED in known and not set(known) <= {-1, 1}:
        is_missing |= values == UNLABELED
        known = known[known != UNLABELED]
    if len(known) > MAX_CATEGORIES:
        return Numbers(np.where(is_missing, np.nan, values), title)
    codes = np.where(is_missing, -1, np.searchsorted(known, values))
    return Categories(codes, [str(int(one)) for one in known], title)


def _told_apart(labels):
    """Return labels whose rarest categories are one if they are too many to tell apart."""
    counts = np.bincount(labels.codes[labels.codes >= 0], minlength=len(labels.names))
    if (counts > 0).sum() <= MAX_CATEGORIES:
        return labels
    kept = np.sort(np.argsort(-counts, kind="stable")[: MAX_CATEGORIES - 1])
    new = np.full(len(counts) + 1, len(kept))  # the last one is of missing labels, -1
    new[kept], new[-1] = np.arange(len(kept)), -1
    n_others = int((counts > 0).sum()) - len(kept)
    names = [labels.names[i] for i in kept] + [f"{n_others} others"]
    return Categories(new[labels.codes], names, labels.title)
