"""Tables of the user in which cells are replaced by cells of other rows."""

import numpy as np
import pandas as pd
from pandas.api.types import union_categoricals
from scipy import sparse

from skae._data.dtypes import as_table
from skae._data.frames import FrameFormat


class Cells:
    """Tables in the user's format, from which rows with cells of several rows are assembled.

    Parameters
    ----------
    *tables : DataFrames or arrays of shape (n_rows, n_features)
        Rows to take cells from, numbered through all tables.
    """

    def __init__(self, *tables):
        self._frame = FrameFormat.of(tables[0])
        if self._frame is None:
            self._stack = np.concatenate(tables)
        else:
            names = list(self._frame.columns)
            self._columns = {name: _joined([table[name] for table in tables]) for name in names}

    def assemble(self, which):
        """Return rows whose cells come from several rows.

        Parameters
        ----------
        which : ndarray of int, shape (n_taken, n_features)
            The row that each cell is from.

        Returns
        -------
        DataFrame or array of shape (n_taken, n_features)
            In the format of the first table. Its dtypes are kept if the other tables have the
            same ones.
        """
        if self._frame is None:
            return np.take_along_axis(self._stack, which, 0)
        columns = enumerate(self._columns.items())
        return self._frame.frame_class({name: cells[which[:, j]] for j, (name, cells) in columns})


def as_frame(values, X):
    """Return a table of the shape of X as a DataFrame, with the names and the index of X."""
    if not hasattr(X, "columns"):
        return FrameFormat(pd.DataFrame, [f"x{i}" for i in range(X.shape[1])]).make(values)
    if not hasattr(values, "columns"):
        return FrameFormat.of(X).make(values)
    if isinstance(values, pd.DataFrame):
        values.index, values.columns = X.index, X.columns
    return values


def as_objects(table):
    """Return a table, or the names of one, as an array of Python objects."""
    if hasattr(table, "rows"):  # a polars DataFrame
        table = table.rows()
    return np.asarray(table, dtype=object)


def dense_table(X):
    """Return X as a DataFrame or a dense array of shape (n_samples, n_features).

    Raises
    ------
    ValueError
        If X is not a table.
    """
    X = X.toarray() if sparse.issparse(X) else X
    try:
        shape = X.shape if hasattr(X, "shape") else np.shape(X)
    except ValueError:  # lists of unequal lengths
        shape = ()
    if len(shape) != 2:
        raise ValueError(
            "Explanations are of tables: a DataFrame, or an array of shape (n_samples, "
            "n_features). For images and sequences, reconstruction_errors of the autoencoder "
            "shows which parts are anomalous."
        )
    return as_table(X)


def _joined(columns):
    """Return a column of several tables as one whose cells can be taken by position."""
    if not isinstance(columns[0], pd.Series):
        return _joined_of_polars(columns)
    dtypes = [column.dtype for column in columns]
    is_categorical = all(isinstance(dtype, pd.CategoricalDtype) for dtype in dtypes)
    if is_categorical and any(dtype != dtypes[0] for dtype in dtypes):
        return union_categoricals(columns, ignore_order=True)
    return pd.concat(columns, ignore_index=True).array


def _joined_of_polars(columns):
    import polars as pl  # installed: the user has a polars table

    if any(column.dtype != columns[0].dtype for column in columns):
        is_text = [column.dtype in (pl.String, pl.Categorical, pl.Enum) for column in columns]
        if any(is_text):
            columns = [column.cast(pl.String) for column in columns]
        elif all(isinstance(column.dtype, pl.Datetime) for column in columns):
            columns = [column.cast(columns[-1].dtype) for column in columns]  # to one time zone
    return pl.concat([column.to_frame() for column in columns], how="vertical_relaxed").to_series()
