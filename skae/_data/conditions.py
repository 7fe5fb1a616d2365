"""Conditions of samples, which a net is given beside them, as numbers."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import narwhals as nw
import numpy as np
import pandas as pd
import torch

from skae._data.columns import UNSEEN, TableColumns
from skae._data.dtypes import ColumnType, column_values, inferred
from skae._data.frames import FrameFormat, is_frame, narwhals_frame
from skae._data.given import as_data
from skae._data.tables import TableDataset, TableFormat

#: Integers of at most this many different values are categories, such as digits.
MAX_INTEGER_CATEGORIES = 20

#: Categories are never joined: each can be asked for.
NO_LIMIT = 2**31

#: Known values that errors list, at most.
MAX_LISTED = 20


class Conditions:
    """Conditions of samples, read as numbers a batch at a time.

    Parameters
    ----------
    table : TableDataset
        The conditions: one row for each sample.
    gaps : ndarray of bool, shape (n_columns,)
        Which of its columns can be missing, in the order in which they lie in a tensor.
    given : nw.DataFrame or None, default=None
        The same as the user gave them.
    to : Conditions or None, default=None
        Conditions to decode for, if these are others than to encode for.
    """

    def __init__(self, table, gaps, given=None, to=None):
        self.table, self.gaps, self.given, self.to = table, gaps, given, to

    def __len__(self):
        return len(self.table)

    @property
    def width(self):
        """How many numbers stand for a condition."""
        return int(self.table.sample_shape[0] + self.gaps.sum())

    def select(self, index):
        """Return the conditions of some of the samples."""
        to = self.to and self.to.select(index)
        return Conditions(self.table.select(index), self.gaps, to=to)

    def for_samples(self, n_samples):
        """Return the conditions of a number of samples, of which a single one is for all.

        Raises
        ------
        ValueError
            If there are others than one for each.
        """
        to = self.to and self.to.for_samples(n_samples)
        if len(self) == n_samples:
            return Conditions(self.table, self.gaps, self.given, to)
        if len(self) != 1:
            raise ValueError(
                f"There are {len(self)} conditions for {n_samples} samples. Give one for each, or "
                "a single one for all."
            )
        return self._taken(np.zeros(n_samples, int), to)

    def repeated(self, n_times):
        """Return the conditions of samples each of which is there several times, side by side."""
        return self._taken(np.repeat(np.arange(len(self)), n_times))

    def _taken(self, index, to=None):
        given = None if self.given is None else self.given[index]
        return Conditions(self.table.select(index), self.gaps, given, to)

    def to_be(self, others):
        """Return the same, of samples that are to be decoded for other conditions."""
        return Conditions(self.table, self.gaps, self.given, others)

    def categories(self):
        """Return the numbers of categories, an array of int, of shape (n_samples, n_columns).

        Missing ones are -1. Columns of numbers are not there.
        """
        which = slice(None) if self.table.index is None else self.table.index
        is_category = self.table.format.columns.is_category
        return np.nan_to_num(self.table.X[which][:, is_category], nan=-1).astype(int)

    def get_batch(self, which):
        """Return what a net gets, a float32 tensor of shape (n_taken, width)."""
        x, _ = self.table.get_batch(which, torch.float32)
        is_missing = x[:, self.table.column_layout.starts[self.gaps]].isnan()
        return torch.cat([x.nan_to_num(0.0), is_missing.to(x)], 1)


@dataclass(frozen=True)
class ConditionReader:
    """Reads conditions: columns of X, or values beside it.

    Parameters
    ----------
    columns : TableColumns or None, default=None
        What they are. None before ``learn``.
    gaps : ndarray of bool, shape (n_columns,) or None, default=None
        Which of them were missing in some samples.
    frame : FrameFormat or None, default=None
        Of an X that holds them as columns.
    """

    columns: TableColumns | None = None
    gaps: np.ndarray | None = None
    frame: FrameFormat | None = None

    @property
    def names(self):
        """Names of the columns of the condition, a list."""
        return self.columns.names

    def learn(self, X, condition):
        """Learn what conditions are.

        Parameters
        ----------
        X : DataFrame, or samples of any other kind
        condition : str, list of str, or array-like of shape (n_samples,) or \
                (n_samples, n_conditions)
            Names of columns of a DataFrame X, or values.

        Returns
        -------
        reader : ConditionReader
        X : as given, without the columns of the condition
        conditions : Conditions

        Raises
        ------
        TypeError, ValueError
            If the condition cannot be read, or if nothing of X is left.
        """
        frame = None
        if is_frame(X) and isinstance(condition, (str, list, tuple, pd.Index)):
            table = narwhals_frame(X)
            names = [condition] if isinstance(condition, str) else list(condition)
            _check_names(names, table.columns)
            frame = replace(FrameFormat.of(X), index=None)
            X, given = _without(table, names), _columns(table, names)
        else:
            given = _as_frame(condition, "condition")
        are_categories = np.array([_is_category(column) for column in given.iter_columns()])
        columns = TableColumns.learn(given, are_categories, NO_LIMIT)
        empty = [column.name for column in columns.columns if column.is_empty]
        if empty:
            raise ValueError(f"condition has no value in columns {empty}: leave them out.")
        gaps = np.isnan(columns.read(given)).any(0)
        reader = ConditionReader(columns, gaps, frame)
        return reader, X, reader._conditions(given, "condition")

    def split(self, X, condition=None, name="condition"):
        """Return samples without the columns of the condition, and their `Conditions`.

        Parameters
        ----------
        X : DataFrame, or samples of any other kind
        condition : object, default=None
            As for ``read``. None takes the columns of X.
        name : str, default="condition"
            What errors call it.
        """
        table = narwhals_frame(X) if self.frame is not None else None
        names = [] if table is None else [name for name in self.names if name in table.columns]
        if condition is not None and not self._names_columns(condition):
            return _without(table, names) if names else X, self.read(condition, name)
        if self.frame is None:
            raise ValueError(
                f"The model was fitted with a condition for each sample, and {name} is None. Give "
                f"{name}, {_kinds(self.columns)}."
            )
        missing = [name for name in self.names if name not in names]
        if missing:
            raise ValueError(
                f"The model was fitted with a condition, columns {self.names} of a DataFrame, and "
                f"X lacks {missing}. Give a DataFrame that has them, or give {name}."
            )
        return _without(table, names), self._conditions(_columns(table, names), "X")

    def _names_columns(self, condition):
        """Say whether a condition is what ``fit`` was given, names of columns of X."""
        names = [condition] if isinstance(condition, str) else condition
        return (
            self.frame is not None
            and isinstance(names, (list, tuple, pd.Index))
            and list(names) == self.names
        )

    def read(self, condition, name="condition"):
        """Return `Conditions` of values.

        Parameters
        ----------
        condition : DataFrame, Series, dict, array-like or scalar
            One row for each sample, or one for all. A dict holds one row.
        name : str, default="condition"
            What errors call them.

        Raises
        ------
        TypeError, ValueError
            If the values cannot be read, or were not there in the training.
        """
        given = _as_frame(condition, name)
        if not is_frame(condition) and not isinstance(condition, Mapping):
            if given.shape[1] != len(self.names):
                raise ValueError(
                    f"{name} has {given.shape[1]} columns, but the condition of the fit has "
                    f"{len(self.names)}, {self.names}."
                )
            given = _renamed(given, self.names)
        extra = [column for column in given.columns if column not in self.names]
        missing = [column for column in self.names if column not in given.columns]
        if extra or missing:
            wrong = f"has columns {extra}" if extra else f"lacks columns {missing}"
            raise ValueError(f"{name} {wrong}, but the condition of the fit is {self.names}.")
        return self._conditions(_columns(given, self.names), name)

    def _conditions(self, given, name):
        cells = self.columns.read(given)
        self._check_seen(cells, given, name)
        format = TableFormat(self.columns, None)
        return Conditions(TableDataset(cells, format), self.gaps[format.order], given)

    def _check_seen(self, cells, given, name):
        """Raise an error about a category or a gap that the training samples did not have."""
        is_new = (cells == UNSEEN) & self.columns.is_category
        is_gap = np.isnan(cells) & ~self.gaps
        for row, i in np.argwhere(is_new | is_gap)[:1].tolist():
            column = self.columns.columns[i]
            if is_gap[row, i]:
                raise ValueError(
                    f"{name} has no value in column {column.name!r} of sample {row}, as no sample "
                    "of the fit had. Give one."
                )
            value = column_values(given[:, i])[row]
            more = ", ..." if len(column.values) > MAX_LISTED else ""
            raise ValueError(
                f"{name} holds {_shown(value)} in column {column.name!r} of sample {row}, which "
                "was not seen in the fit. Known are "
                f"{', '.join(map(_shown, column.values[:MAX_LISTED]))}{more}."
            )

    def joined(self, rows, conditions):
        """Return a DataFrame of samples with the columns of their conditions, if X had these.

        Parameters
        ----------
        rows : DataFrame, or samples of any other kind
        conditions : Conditions
        """
        table = None if self.frame is None else narwhals_frame(rows)
        if table is None:
            return rows
        given = conditions.for_samples(len(table)).given
        pairs = zip(self.columns.types, given.iter_columns(), strict=True)
        made = [kind.make(column_values(column)) for kind, column in pairs]
        each = dict(zip(self.names, made, strict=True))
        each |= {column.name: column.to_native() for column in table.iter_columns()}
        format = replace(self.frame, index=nw.maybe_get_index(table))
        return format.assemble([each[name] for name in format.columns])


def _check_names(names, columns):
    """Raise an error about names of which a condition cannot be made."""
    unknown = [name for name in names if name not in columns]
    if unknown:
        raise ValueError(
            f"condition names {unknown}, but X has no such columns; its columns are "
            f"{list(columns)[:MAX_LISTED]}."
        )
    if not names or len(set(names)) < len(names):
        raise ValueError(f"condition has to name columns of X, each of them once; got {names}.")
    if len(names) == len(columns):
        raise ValueError(
            "condition names all columns of X, so none is left to encode. Leave out those that "
            "the model is to generate."
        )


def _columns(table, names):
    """Return some columns of a DataFrame of narwhals, by their names."""
    return table[:, [table.columns.index(name) for name in names]]


def _without(table, names):
    """Return a DataFrame as its library has it, without some of its columns."""
    return _columns(table, [name for name in table.columns if name not in names]).to_native()


def _renamed(table, names):
    return nw.from_native(table.to_native().set_axis(names, axis=1))


def _as_frame(values, name):
    """Return values as a DataFrame of narwhals: one row for each sample."""
    if isinstance(values, Mapping):
        values = pd.DataFrame([values])
    elif nw.dependencies.is_into_series(values):
        column = nw.from_native(values, series_only=True)
        values = pd.DataFrame({column.name or name: column.to_pandas().array})
    is_one = pd.api.types.is_scalar(values) or isinstance(values, np.ndarray) and not values.ndim
    values = [values] if is_one else as_data(values, name)
    if is_frame(values):
        table = narwhals_frame(values, name)
    else:
        table = nw.from_native(_from_array(values, name))
    if not len(table):
        raise ValueError(f"{name} is empty: it has no row.")
    return table


def _from_array(values, name):
    """Return an array-like as a DataFrame of pandas."""
    if isinstance(values, np.ma.MaskedArray):
        values = np.where(np.ma.getmaskarray(values), None, values.data.astype(object))
    if not isinstance(values, np.ndarray):
        values = np.array(values, dtype=object)
    values = values[:, None] if values.ndim == 1 else values
    if values.ndim != 2 or not values.shape[1]:
        raise ValueError(
            f"{name} is of shape {values.shape}. Give one value for each sample, or one row of "
            "values, shape (n_samples,) or (n_samples, n_conditions)."
        )
    n = values.shape[1]
    names = [name] if n == 1 else [f"{name} {i}" for i in range(n)]
    return pd.DataFrame(values, columns=names).infer_objects()


def _is_category(column):
    """Say whether a column is one of categories although it may hold numbers."""
    if ColumnType.of(column).is_category:
        return True
    values = column_values(column)
    is_integer = column.dtype.is_integer() or inferred(values).dtype.kind in "iu"
    return is_integer and len(pd.unique(values[pd.notna(values)])) <= MAX_INTEGER_CATEGORIES


def _kinds(columns):
    """Say what values of a condition are like."""
    column = columns.columns[0]
    if len(columns.columns) > 1:
        return f"a row with {columns.names} for each sample"
    if column.is_category:
        return f"such as {_shown(column.values[0])}, for each sample"
    return "a number for each sample"


def _shown(value):
    """Return a value as users write it: integers of columns that were read as floats, too."""
    value = value.item() if isinstance(value, np.generic) else value
    return repr(int(value) if isinstance(value, float) and value.is_integer() else value)
