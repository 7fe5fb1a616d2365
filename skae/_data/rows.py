"""Rows of the user's data, of any kind: some of them, or several data sets as one."""

from dataclasses import replace

import narwhals as nw
import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.utils import indexable

from skae._data.dtypes import ColumnType, column_values
from skae._data.frames import FrameFormat, is_frame, narwhals_frame
from skae._sklearn import safe_indexing


def take_rows(X, rows):
    """Return some samples of data of any kind, as a copy."""
    if not nw.dependencies.is_pyarrow_table(X):
        return safe_indexing(*indexable(X), rows)
    rows = np.arange(len(X))[rows]
    return FrameFormat.of(X).assemble(
        [take_cells(c, rows) for c in narwhals_frame(X).iter_columns()]
    )


def joined_rows(first, *others):
    """Return the samples of data sets of the same kind, one set after the other.

    DataFrames are in the format of the first one, with a new index.
    """
    parts = [first, *others]
    if not others:
        return first
    are_frames = {is_frame(part) for part in parts}
    if are_frames == {True}:
        frames = [narwhals_frame(part) for part in parts]
        if _have_same_types(frames):
            return nw.maybe_reset_index(nw.concat(frames)).to_native()
        columns = joined_columns(frames)
        table = replace(FrameFormat.of(first), index=None)
        return table.assemble([column.to_native() for column in columns])
    if all(sparse.issparse(part) for part in parts):
        return sparse.vstack(parts, format="csr")
    if all(isinstance(part, (list, tuple)) for part in parts):
        return [sample for part in parts for sample in part]
    if True in are_frames:
        raise ValueError(
            "X is a DataFrame, but the rows before were none, or the other way round. Give all "
            "rows in the same format."
        )
    return np.concatenate([np.asarray(part) for part in parts])


def _have_same_types(frames):
    """Say whether DataFrames have the same columns of the same types."""
    natives = [frame.to_native() for frame in frames]
    if all(isinstance(native, pd.DataFrame) for native in natives):
        return all(native.dtypes.equals(natives[0].dtypes) for native in natives)
    return all(frame.schema == frames[0].schema for frame in frames)


def take_cells(column, rows):
    """Return some cells of a column of narwhals, as its library has them."""
    native = column.to_native()
    if isinstance(native, pd.Series):
        return native.array.take(rows)  # several times as fast, without an index
    if column.dtype == nw.String:  # of which pyarrow has kinds that it cannot take from
        return ColumnType.of(column).cast(column.cast(nw.String)[rows].to_native())
    return column[rows].to_native()


def joined_columns(frames):
    """Return the columns of several DataFrames of narwhals, each as one."""
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
