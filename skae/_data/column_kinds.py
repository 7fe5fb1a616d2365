"""Whether the chunks of a table have the same columns, of types that are read alike."""

import narwhals as nw
import numpy as np
from scipy import sparse

from skae._data.frames import narwhals_frame

#: What errors call types of columns. Others can be anything.
KINDS = {
    nw.Boolean: "booleans",
    nw.String: "text",
    nw.Categorical: "text",
    nw.Enum: "text",
    nw.Date: "dates",
    nw.Datetime: "dates",
    nw.Duration: "durations",
    nw.Time: "times",
}


class ColumnKinds:
    """The columns of the first chunk, which others are compared with.

    Parameters
    ----------
    columns : list of str or None
        Names of the columns to take, in this order. None is all of the first chunk.
    """

    def __init__(self, columns):
        self._columns, self._are_all = columns, columns is None
        self._kinds, self._types, self._form, self._first = {}, None, None, None

    def aligned(self, X, part):
        """Return a chunk with the columns in the order of the first chunk.

        Parameters
        ----------
        X : object
        part : str
            Where it is from, in words.

        Raises
        ------
        ValueError
            If columns are missing or further ones there, or hold values of another kind.
        """
        frame = narwhals_frame(X, part)
        self._check_form(frame, X, part)
        if frame is None and self._columns is not None:
            raise ValueError(
                f"{part} is no DataFrame, so that its columns have no names for columns. Give "
                "DataFrames, or columns=None."
            )
        if frame is None:
            return X
        native = self._selected(frame, part).to_native()
        types = list(native.dtypes) if frame.implementation.is_pandas() else native.schema
        if types != self._types:  # the quick answer for most
            for column in narwhals_frame(native).iter_columns():
                self._check_kind(column, part)
            self._types = types
        return native

    def _check_form(self, frame, X, part):
        """Compare what a chunk is, and the shape of its samples."""
        form = _form(X) if frame is None else f"a DataFrame of {frame.implementation.value}"
        if form is None:
            raise TypeError(
                f"{part} is of the type {type(X).__name__}. Give chunks that fit takes: "
                "DataFrames, arrays or lists of samples."
            )
        if self._form is None:
            self._form, self._first = form, part
        if form != self._form:
            raise ValueError(
                f"{part} is {form}, but {self._first} is {self._form}. Give all chunks in one "
                "form; lists for samples of unequal shapes."
            )

    def _selected(self, frame, part):
        if self._columns is None:
            self._columns = frame.columns
        names = frame.columns
        if names == self._columns:
            return frame
        lacking = [name for name in self._columns if name not in names]
        if lacking:
            raise ValueError(f"{part} lacks the columns {lacking}. It has {names[:20]}.")
        further = [name for name in names if name not in self._columns]
        if further and self._are_all:
            raise ValueError(
                f"{part} has columns that {self._first} has not: {further}. Name those to train on "
                "in columns."
            )
        return frame.select(self._columns)

    def _check_kind(self, column, part):
        kind = _kind(column.dtype)
        if kind is None or len(column) and column.is_null().all():
            return
        known, where = self._kinds.setdefault(column.name, (kind, part))
        if kind != known:
            raise ValueError(
                f"Column {column.name!r} holds {kind} in {part}, but {known} in {where}. Convert "
                "it to one type, or leave it out of columns."
            )


def _form(X):
    """Return what errors call samples that are no DataFrame, None for what holds none."""
    if isinstance(X, np.ndarray):
        return f"an array with samples of shape {X.shape[1:]}"
    if sparse.issparse(X):
        return f"a sparse matrix with {X.shape[1]} columns"
    return "a list of samples" if isinstance(X, (list, tuple)) else None


def _kind(dtype):
    """Return what errors call a type, None for one that can hold anything."""
    return "numbers" if dtype.is_numeric() else KINDS.get(dtype.base_type())
