"""Tables of the user in which cells are replaced by cells of other rows."""

from dataclasses import replace

import narwhals as nw
import numpy as np
import pandas as pd
from scipy import sparse

from skae._data.frames import FrameFormat, as_table, is_frame, narwhals_frame
from skae._data.rows import joined_columns, take_cells


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
            self._frame = replace(self._frame, index=None)
            self._columns = joined_columns([narwhals_frame(table) for table in tables])

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
        columns = zip(self._columns, which.T, strict=True)
        return self._frame.assemble([take_cells(column, rows) for column, rows in columns])


def as_frame(values, X):
    """Return a table of the shape of X as a DataFrame, with the names and the index of X."""
    if not is_frame(X):
        names = [f"x{i}" for i in range(X.shape[1])]
        return pd.DataFrame(values, columns=names)
    if isinstance(values, np.ndarray):
        return FrameFormat.of(X).make(values)
    if isinstance(values, pd.DataFrame):
        values.index, values.columns = X.index, X.columns
    return values


def as_objects(table):
    """Return a table as an array of Python objects."""
    frame = narwhals_frame(table)
    return np.asarray(table if frame is None else frame.rows(), dtype=object)


def dense_table(X):
    """Return X as a DataFrame or a dense array of shape (n_samples, n_features).

    Raises
    ------
    ValueError
        If X is not a table.
    """
    X = X.toarray() if sparse.issparse(X) else X
    try:
        shape = X.shape if is_frame(X) else np.shape(X)
    except ValueError:  # lists of unequal lengths
        shape = ()
    if len(shape) != 2:
        raise ValueError(
            "Explanations are of tables: a DataFrame, or an array of shape (n_samples, "
            "n_features); or of images, with an estimator that says which pixels are unusual, such "
            "as ImageOutlierScorer(). For sequences, reconstruction_errors of the autoencoder "
            "shows which parts are anomalous."
        )
    return nw.to_native(as_table(X), pass_through=True)
