"""DataFrames of pandas, polars and pyarrow, made like those of the user."""

import re
from dataclasses import dataclass, replace
from functools import partial

import narwhals as nw
import numpy as np
import pandas as pd

from skae._data.dtypes import ColumnType, ObjectType, column_values, inferred
from skae._data.plain import index_of, plain_index, plain_series, series_of


def is_frame(X):
    """Say whether X is a DataFrame in memory, of any library that narwhals knows."""
    return not isinstance(X, np.ndarray) and nw.dependencies.is_into_dataframe(X)


def column_names(X):
    """Return the names of the columns of a DataFrame, some of which may be the same."""
    return list(X.column_names if nw.dependencies.is_pyarrow_table(X) else X.columns)


def is_id(name):
    """Say whether a column is called an id."""
    return re.search(r"(?i:(^|[^a-z])id$)|[a-z]I[dD]$", str(name)) is not None


#: The method that reads a lazy frame, by library; "collect" of others.
_HOW_TO_COLLECT = {
    nw.Implementation.DASK: "compute",
    nw.Implementation.DUCKDB: "df",
    nw.Implementation.IBIS: "to_pandas",
    nw.Implementation.PYSPARK: "toPandas",
    nw.Implementation.PYSPARK_CONNECT: "toPandas",
}


def narwhals_frame(X, name="X"):
    """Return a DataFrame as narwhals has it, or None if X is none; errors call it ``name``.

    Raises
    ------
    TypeError
        If X is a lazy frame, which has no rows yet.
    ValueError
        If it has more than one column of a name.
    """
    if X is None or isinstance(X, (np.ndarray, list, tuple)):  # the quick answer
        return None
    try:
        frame = nw.from_native(X, pass_through=True)
    except nw.exceptions.DuplicateError as error:
        names = pd.Index(column_names(X))
        twice = list(names[names.duplicated()].unique())
        raise ValueError(
            f"{name} has more than one column of the name {twice}. Rename or drop them."
        ) from error
    if isinstance(frame, nw.LazyFrame):
        method = _HOW_TO_COLLECT.get(frame.implementation, "collect")
        raise TypeError(f"{name} is a lazy frame. Call its method {method} first.")
    return frame if isinstance(frame, nw.DataFrame) else None


@dataclass(frozen=True)
class FrameFormat:
    """What a DataFrame needs to be made again with other values."""

    library: nw.Implementation
    columns: pd.Index | list
    index: pd.Index | None = None

    def __getstate__(self):
        """Return the library and its indices as plain state."""
        indices = self.columns, self.index
        columns, index = (plain_index(i) if isinstance(i, pd.Index) else i for i in indices)
        return {"library": self.library.value, "columns": columns, "index": index}

    def __setstate__(self, state):
        indices = state["columns"], state["index"]
        columns, index = (index_of(i) if isinstance(i, dict) else i for i in indices)
        library = nw.Implementation.from_backend(state["library"])
        vars(self).update(library=library, columns=columns, index=index)

    @classmethod
    def of(cls, X, name="X"):
        """Return the format of a DataFrame, or None if X is none; errors call it ``name``."""
        frame = narwhals_frame(X, name)
        if frame is None:
            return None
        native = frame.to_native()
        columns = native.columns if isinstance(native, pd.DataFrame) else frame.columns
        return cls(frame.implementation, columns, nw.maybe_get_index(frame))

    def make(self, array):
        """Return an array of shape (n_samples, n_columns) as a DataFrame of this format."""
        if self.library.is_pandas():
            make = partial(pd.DataFrame, array, index=self.index, columns=self.columns)
            try:
                return make()
            except UnicodeEncodeError:  # half of a surrogate pair, which text of pandas cannot hold
                return make(dtype=object)
        frame = nw.from_numpy(array, backend=self.library)
        return frame.rename(dict(zip(frame.columns, self.columns, strict=True))).to_native()

    def labels(self, values):
        """Return values as names of columns, which only pandas lets be anything but text."""
        return pd.Index(values) if self.library.is_pandas() else list(map(str, values))

    def assemble(self, columns):
        """Return columns as a DataFrame of this format.

        Parameters
        ----------
        columns : list of Series of the library, or of arrays of pandas
        """
        if self.library.is_pandas():
            index = pd.RangeIndex(len(columns[0])) if self.index is None else self.index
            arrays = {i: _with_index(column, index) for i, column in enumerate(columns)}
            return pd.DataFrame(arrays, index=index).set_axis(self.columns, axis=1)
        named = dict(zip(self.columns, columns, strict=True))
        return nw.from_dict(named, backend=self.library).to_native()


def _with_index(column, index):
    """Return a Series or an array of pandas for a DataFrame that has this index."""
    array = column.array if isinstance(column, pd.Series) else column
    if pd.api.types.is_object_dtype(array.dtype):
        return pd.Series(array, index, dtype=object)  # an array would become one of text
    return array


def as_table(X, name="X"):
    """Return a DataFrame as narwhals has it, and anything else as an array of two axes.

    Errors call it ``name``.
    """
    table = narwhals_frame(X, name)
    if table is None:
        table = np.asarray(X)
        table = np.array(X, dtype=object) if table.dtype.kind in "US" else table
        if table.ndim != 2:
            raise ValueError(f"A table has two axes, rows and columns; {name} has {table.ndim}.")
    if not all(table.shape):
        what = "rows" if table.shape[1] else "columns"
        raise ValueError(
            f"{name} has 0 {'sample' if what == 'rows' else 'feature'}(s) (shape={table.shape}) "
            f"while a minimum of 1 is required: the table has no {what}."
        )
    return table


def aligned(frame, names):
    """Return a DataFrame with the named columns only, in the order of the names.

    Parameters
    ----------
    frame : nw.DataFrame
    names : sequence or None
        Of the columns at fit. None lets the frame be as it is.

    Raises
    ------
    ValueError
        If it lacks some of the columns.
    """
    present = frame.columns
    if names is None or present == list(names):
        return frame
    places = {name: i for i, name in enumerate(present)}
    missing = [name for name in names if name not in places]
    if missing:
        known = set(names)
        extra = [name for name in present if name not in known]
        hint = f" It has columns that were not there: {extra[:20]}; renamed ones?" if extra else ""
        lines = "".join(f"\n- {name}" for name in missing)
        raise ValueError(
            "The feature names should match those that were passed during fit.\nFeature names seen "
            f"at fit time, yet now missing:{lines}\nX lacks these columns.{hint}"
        )
    return frame[:, [places[name] for name in names]]


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
    frame = narwhals_frame(X)
    if frame is not None:
        pairs = zip(frame.iter_columns(), narwhals_frame(other).iter_columns(), strict=True)
        return FrameFormat.of(frame).assemble([_completed_column(*pair) for pair in pairs])
    if isinstance(other, list):
        return [completed(*pair) for pair in zip(X, other, strict=True)]
    masked = np.ma.getmaskarray(X) if isinstance(X, np.ma.MaskedArray) else False
    X = np.asarray(X)
    missing = masked | pd.isna(X)
    return np.where(missing, other, X) if missing.any() else X


def _completed_column(column, other):
    """Return a column with its missing cells taken from another, maybe of another library."""
    values, others, kind = column_values(column), column_values(other), ColumnType.of(column)
    missing = pd.isna(values)
    if not missing.any():
        return column.to_native()
    if missing.all() and not kind.fits(others):  # such as NaN for text, as files are read
        is_same = kind.library == other.implementation
        return other.to_native() if is_same else kind.of_values(others).make(others)
    if objects := ObjectType.of(values):
        others = objects.make(inferred(others))
    elif values.dtype.kind != "O":
        others = inferred(others).astype(values.dtype)
    if (wider := kind.with_categories(others)) is not kind:
        kind, column = wider, nw.from_native(wider.cast(column.to_native()), series_only=True)
    if kind.dtype == nw.String:  # pyarrow cannot join all its kinds of text
        return kind.make(np.where(missing, others, values))
    known = nw.new_series("", ~missing, backend=kind.library)
    others = nw.from_native(kind.make(others), series_only=True)
    return column.zip_with(known, others).to_native()


def selected(X, positions):
    """Return the columns of a table, or of an array, at positions, an array of int."""
    frame = narwhals_frame(X)
    return X[:, positions] if frame is None else frame[:, positions.tolist()].to_native()


def with_flags(X, flags, names):
    """Return a table with further columns.

    Parameters
    ----------
    X : DataFrame or ndarray of shape (n_samples, n_columns)
    flags : ndarray of bool, shape (n_samples, n_flags)
        In an array, they become zeros and ones.
    names : list of str
        Of the new columns, if X is a DataFrame.

    Returns
    -------
    DataFrame or ndarray
        Like X.
    """
    frame = narwhals_frame(X)
    if frame is None:
        dtype = X.dtype if X.dtype.kind in "fiu" else object  # such as dates
        return np.hstack([X.astype(dtype), flags.astype(dtype)])
    old, library = FrameFormat.of(X), frame.implementation
    columns = [nw.new_series("", flag, backend=library) for flag in flags.T]
    columns = [column.to_native() for column in (*frame.iter_columns(), *columns)]
    return replace(old, columns=[*old.columns, *names]).assemble(columns)


def in_library(X, library):
    """Return a DataFrame as one of "pandas" or "polars", anything else as it is."""
    frame = narwhals_frame(X)
    if frame is None or library == "default" or frame.implementation.value == library:
        return X
    return frame.to_pandas() if library == "pandas" else frame.to_polars()


def plain_samples(X):
    """Return samples as a state that pickles plainly: a DataFrame as a dict, others as they are.

    Parameters
    ----------
    X : DataFrame, list of DataFrames, or anything else

    Returns
    -------
    object
        ``samples_of`` makes X of it again.
    """
    if type(X) is list:
        return [plain_samples(sample) for sample in X]
    frame = narwhals_frame(X)
    if frame is None:
        return X
    return {
        "frame": FrameFormat.of(X),
        "columns": [plain_series(column) for column in frame.iter_columns()],
    }


def samples_of(state):
    """Return the samples of what ``plain_samples`` returned."""
    if type(state) is list:
        return [samples_of(sample) for sample in state]
    if type(state) is not dict:
        return state
    return state["frame"].assemble(list(map(series_of, state["columns"])))
