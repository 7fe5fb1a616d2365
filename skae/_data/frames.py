"""DataFrames of pandas and polars, made like those of the user."""

from typing import NamedTuple

import numpy as np
import pandas as pd


class FrameFormat(NamedTuple):
    """What a DataFrame needs to be made again with other values."""

    frame_class: type
    columns: pd.Index | list
    index: pd.Index | None = None

    @classmethod
    def of(cls, X):
        """Return the format of a DataFrame, or None if X is none."""
        if isinstance(X, pd.DataFrame):
            return cls(pd.DataFrame, X.columns, X.index)
        if type(X).__module__.partition(".")[0] == "polars":
            return cls(type(X), list(X.columns))
        return None

    def make(self, array):
        """Return an array as a DataFrame of this format."""
        if self.frame_class is pd.DataFrame:
            return pd.DataFrame(array, index=self.index, columns=self.columns)
        return self.frame_class(array, schema=list(self.columns))


def check_frame(X):
    """Refuse frames that have no rows yet, or more than one column of a name."""
    if hasattr(X, "collect"):
        raise TypeError("X is a lazy frame. Call its method collect first.")
    if not hasattr(X, "columns"):
        return
    names = pd.Index(X.columns)
    if names.has_duplicates:
        twice = list(names[names.duplicated()].unique())
        raise ValueError(f"X has more than one column of the name {twice}. Rename or drop them.")


def completed(X, other):
    """Return a table, array or list of arrays, with missing cells taken from another.

    Parameters
    ----------
    X, other : DataFrame, array or list of the same shape

    Returns
    -------
    DataFrame, ndarray or list
        Like X.
    """
    if hasattr(X, "columns") and not isinstance(X, type(other)):
        other = type(X)({name: list(other[name]) for name in other.columns})
    if isinstance(X, pd.DataFrame):
        columns = {}
        for i in range(X.shape[1]):
            column, others = X.iloc[:, i], other.iloc[:, i].set_axis(X.index)
            known = column.notna()
            if isinstance(column.dtype, pd.CategoricalDtype):
                new = others.dropna().unique()
                column = column.cat.add_categories(new[~np.isin(new, column.cat.categories)])
            columns[i] = column if known.all() else column.where(known, others)
        return pd.concat(columns, axis=1).set_axis(X.columns, axis=1)
    if hasattr(X, "columns"):
        pairs = ((X[name], other[name]) for name in X.columns)
        return X.with_columns(_completed_series(*pair) for pair in pairs)
    if isinstance(other, list):
        return [completed(*pair) for pair in zip(X, other, strict=True)]
    masked = np.ma.getmaskarray(X) if isinstance(X, np.ma.MaskedArray) else False
    X = np.asarray(X)
    missing = masked | pd.isna(X)
    return np.where(missing, other, X) if missing.any() else X


def _completed_series(column, others):
    """Return a column of polars with its missing cells taken from another."""
    if type(column.dtype).__name__ == "Null":
        return others
    missing = column.is_null()
    if column.dtype.is_float():
        missing = missing | column.is_nan().fill_null(False)
    return column.zip_with(~missing, others.cast(column.dtype))


def aligned(X, names):
    """Return a DataFrame with the named columns only, in the order of the names.

    Parameters
    ----------
    X : DataFrame of pandas or polars, or array-like
        An array is returned as it is: its columns have no names.
    names : sequence or None
        Of the columns at fit. None lets X be as it is.

    Raises
    ------
    TypeError
        If X is a lazy frame.
    ValueError
        If it lacks some of the columns, or has several of one name.
    """
    check_frame(X)
    if not hasattr(X, "columns") or names is None:
        return X
    present, names = list(X.columns), list(names)
    if present == names:
        return X
    missing = [name for name in names if name not in present]
    if missing:
        extra = [name for name in present if name not in names]
        hint = f" It has columns that were not there: {extra[:20]}; renamed ones?" if extra else ""
        lines = "".join(f"\n- {name}" for name in missing)
        raise ValueError(
            "The feature names should match those that were passed during fit.\nFeature names seen "
            f"at fit time, yet now missing:{lines}\nX lacks these columns.{hint}"
        )
    return X[names]
