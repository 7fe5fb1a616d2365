"""Tables of the user, cells of which are replaced by those of other rows."""

import numpy as np
import pandas as pd
from pandas.api.types import union_categoricals
from scipy import sparse

from skae.inputs._frames import FrameFormat


class Cells:
    """Rows in the user's format, each cell of which can come from another row.

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

    def take(self, which):
        """Return rows made of cells.

        Parameters
        ----------
        which : ndarray of int, shape (n_taken, n_features)
            The row that each cell is from.

        Returns
        -------
        DataFrame or array of shape (n_taken, n_features)
            Of the kind of the first table, and of its types if the others have the same.
        """
        if self._frame is None:
            return np.take_along_axis(self._stack, which, 0)
        columns = enumerate(self._columns.items())
        return self._frame.frame_class({name: cells[which[:, j]] for j, (name, cells) in columns})


def as_table(X):
    """Return X as a DataFrame or a dense array of shape (n_samples, n_features).

    Raises
    ------
    ValueError
        If it is none.
    """
    if FrameFormat.of(X) is not None:
        return X
    try:
        table = X.toarray() if sparse.issparse(X) else np.asarray(X)
    except ValueError:  # lists of unequal lengths
        table = np.empty(0)
    if table.ndim != 2:
        raise ValueError(
            "Explanations are of tables, a DataFrame or an array of shape (n_samples, n_features). "
            "Where an image or a sequence is odd, reconstruction_errors of the autoencoder says."
        )
    return table


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
    import polars as pl  # there, as the user has such a table

    if any(column.dtype != columns[0].dtype for column in columns):
        is_text = [column.dtype in (pl.String, pl.Categorical, pl.Enum) for column in columns]
        if any(is_text):
            columns = [column.cast(pl.String) for column in columns]
    return pl.concat([column.to_frame() for column in columns], how="vertical_relaxed").to_series()
