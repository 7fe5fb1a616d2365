"""Tables of the user in which cells are replaced by cells of other rows."""

from dataclasses import replace

import narwhals as nw
import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.utils import indexable

from skae._data.dtypes import ColumnType, column_values
from skae._data.frames import FrameFormat, as_table, is_frame, narwhals_frame
from skae._sklearn import safe_indexing


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
            self._columns = _joined([narwhals_frame(table) for table in tables])

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
        return self._frame.assemble([_take(column, rows) for column, rows in columns])


def take_rows(X, rows):
    """Return some samples of data of any kind, as a copy."""
    if not nw.dependencies.is_pyarrow_table(X):
        return safe_indexing(*indexable(X), rows)
    rows = np.arange(len(X))[rows]
    return FrameFormat.of(X).assemble([_take(c, rows) for c in narwhals_frame(X).iter_columns()])


def joined_rows(first, second):
    """Return the samples of two data sets of the same kind, one set after the other.

    DataFrames are in the format of the first one, with a new index.
    """
    if is_frame(first) and is_frame(second):
        columns = _joined([narwhals_frame(first), narwhals_frame(second)])
        table = replace(FrameFormat.of(first), index=None)
        return table.assemble([column.to_native() for column in columns])
    if sparse.issparse(first) and sparse.issparse(second):
        return sparse.vstack([first, second], format="csr")
    if isinstance(first, (list, tuple)) and isinstance(second, (list, tuple)):
        return [*first, *second]
    if is_frame(first) or is_frame(second):
        raise ValueError(
            "X is a DataFrame, but the rows before were none, or the other way round. Give all "
            "rows in the same format."
        )
    return np.concatenate([np.asarray(first), np.asarray(second)])


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


def _take(column, rows):
    """Return some cells of a column, as its library has them."""
    native = column.to_native()
    if isinstance(native, pd.Series):
        return native.array.take(rows)  # several times as fast, without an index
    if column.dtype == nw.String:  # of which pyarrow has kinds that it cannot take from
        return ColumnType.of(column).cast(column.cast(nw.String)[rows].to_native())
    return column[rows].to_native()


def _joined(frames):
    """Return the columns of several DataFrames, each as one."""
    columns = list(zip(*(frame.iter_columns() for frame in frames), strict=True))
    types = [[ColumnType.of(part) for part in parts] for parts in columns]
    same = [i for i, kinds in enumerate(types) if all(kind == kinds[0] for kind in kinds)]
    joined = nw.concat([frame[:, same] for frame in frames]).iter_columns() if same else ()
    joined = dict(zip(same, joined, strict=True))
    return [
        joined[i] if i in joined else _converted(parts, kinds)
        for i, (parts, kinds) in enumerate(zip(columns, types, strict=True))
    ]


def _converted(columns, types):
    """Return columns of different types as one; of the first type, if that can hold them all."""
    parts = [column_values(column) for column in columns]
    missing = [pd.isna(part) for part in parts]
    first = 0
    if missing[0].all() and not types[0].fits(np.concatenate(parts[1:])):
        first = next((i for i, none in enumerate(missing) if not none.all()), 0)
    kind, dtype = types[first], parts[first].dtype
    dtype = np.dtype(object) if dtype.kind == "b" else dtype  # others may have missing cells
    values = np.concatenate(
        [
            np.full(len(part), None if dtype.kind == "O" else np.nan).astype(dtype)
            if none.all()
            else part.astype(dtype)
            for part, none in zip(parts, missing, strict=True)
        ]
    )
    kind = kind.of_values(values) if values.dtype.kind == "f" else kind.with_categories(values)
    return nw.from_native(kind.make(values), series_only=True)
