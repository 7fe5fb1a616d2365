"""Tables to compare, read into columns of numbers and of categories that they share."""

import narwhals as nw
import numpy as np
import pandas as pd

from skae._data.dtypes import ColumnType, column_values, inferred
from skae._data.frames import as_table

#: Rows of a table, at least.
MIN_ROWS = 10

#: What a column holds, by the kind of its dtype.
KINDS = {
    **dict.fromkeys("iuf", "number"),
    "M": "date",
    "m": "duration",
    **dict.fromkeys("Ob", "category"),
}


def read_tables(given):
    """Read tables into DataFrames with the same columns in the same order.

    Parameters
    ----------
    given : dict of DataFrame or array of shape (n_rows, n_columns)
        By the names that errors call them.

    Returns
    -------
    tables : dict of DataFrame
        Numbers are float64, dates seconds since 1970, durations seconds; missing cells are NaN.
        Categories are of a categorical dtype that all tables share.
    kinds : Series of str
        "number", "date", "duration" or "category", by column.

    Raises
    ------
    TypeError, ValueError
        If tables have different columns, columns of different kinds, cells that cannot be
        compared, or fewer than 10 rows.
    """
    tables = {name: as_table(X, name) for name, X in given.items()}
    for name, table in tables.items():
        if len(table) < MIN_ROWS:
            raise ValueError(f"{name} has {len(table)} rows; at least {MIN_ROWS} are needed.")
    columns = _common_columns(tables)
    read = {name: _arrays(table, columns) for name, table in tables.items()}
    kinds = {column: _common_kind(column, read) for column in columns}
    converted = [
        _converted(column, kind, {name: arrays[column] for name, arrays in read.items()})
        for column, kind in kinds.items()
    ]
    tables = {name: _table([series[name] for series in converted], columns) for name in read}
    return tables, pd.Series(list(kinds.values()), index=columns, dtype=object)


def _table(series, columns):
    return pd.concat(series, axis=1).set_axis(columns, axis=1)


def _common_columns(tables):
    """Return the names of the columns; an array has those of the first DataFrame."""
    names = {t: table.columns for t, table in tables.items() if isinstance(table, nw.DataFrame)}
    first = next(iter(names), None)
    columns = list(names[first]) if names else list(range(next(iter(tables.values())).shape[1]))
    for name, others in names.items():
        if set(others) != set(columns):
            lacks = [c for c in columns if c not in set(others)]
            extra = [c for c in others if c not in set(columns)]
            raise ValueError(
                f"{name} and {first} must have the same columns. {name} lacks {lacks}, and has "
                f"{extra}, which {first} lacks."
            )
    for name, table in tables.items():
        if table.shape[1] != len(columns):
            raise ValueError(
                f"{name} has {table.shape[1]} columns, and {first or next(iter(tables))} has "
                f"{len(columns)}: they must have the same."
            )
    return pd.Index(columns, tupleize_cols=False)


def _arrays(table, columns):
    """Return the columns of a table as arrays, by name."""
    if isinstance(table, nw.DataFrame):
        return {column.name: _values(column) for column in table.iter_columns()}
    return dict(zip(columns, map(inferred, table.T), strict=True))


def _values(column):
    values = column_values(column)
    return values if ColumnType.of(column).is_category else inferred(values)


def _common_kind(column, read):
    """Return what a column holds in all tables; one that is all missing is a number."""
    kinds = {}
    for name, arrays in read.items():
        values = arrays[column]
        if values.dtype.kind not in KINDS:
            raise TypeError(
                f"Column {column!r} of {name} is of dtype {values.dtype}, which cannot be "
                "compared. Turn it into numbers, text or dates, or drop it."
            )
        if not pd.isna(values).all():
            kinds[name] = KINDS[values.dtype.kind]
    if len(set(kinds.values())) > 1:
        found = ", ".join(f"{kind} in {name}" for name, kind in kinds.items())
        raise ValueError(
            f"Column {column!r} is not of one kind: {found}. Give it the same dtype in all tables."
        )
    return next(iter(kinds.values()), "number")


def _converted(column, kind, values):
    """Return a column of each table as a Series."""
    if kind == "category":
        return _categories(column, values)
    return {name: pd.Series(_numbers(column, name, array)) for name, array in values.items()}


def _categories(column, values):
    known = np.concatenate([array[pd.notna(array)].astype(object) for array in values.values()])
    try:
        dtype = pd.CategoricalDtype(pd.Index(pd.unique(known), dtype=object))
    except TypeError as error:
        raise TypeError(
            f"Column {column!r} holds objects that are no categories. Turn it into text, or "
            "drop it."
        ) from error
    return {name: pd.Series(array.astype(object), dtype=dtype) for name, array in values.items()}


def _numbers(column, name, array):
    """Return numbers as float64, and dates and durations in seconds."""
    if array.dtype.kind in "mM":
        seconds = array.astype(f"{array.dtype.kind}8[us]").astype(np.int64) / 1e6
        return np.where(np.isnat(array), np.nan, seconds)
    if array.dtype.kind not in "iuf":  # all missing
        return np.full(len(array), np.nan)
    if np.isinf(array).any():
        raise ValueError(
            f"Column {column!r} of {name} holds infinite values. Replace them, or let them be "
            "missing."
        )
    return array.astype(np.float64)


def is_category(column):
    """Say whether a column that was read holds categories."""
    return isinstance(column.dtype, pd.CategoricalDtype)


def in_codes(table):
    """Return a table with its categories as numbers, -1 where they are missing."""
    columns = [table[name] for name in table]
    codes = [column.cat.codes if is_category(column) else column for column in columns]
    return _table(codes, table.columns)


def with_few_categories(tables, n_most):
    """Return tables in which the categories beyond the most frequent ones of a column are one.

    Parameters
    ----------
    tables : dict of DataFrame
        As ``read_tables`` returns them.
    n_most : int
        Categories of a column that are kept.

    Returns
    -------
    dict of DataFrame
        Categories are numbers, of a categorical dtype.
    """
    joined = pd.concat(tables.values(), ignore_index=True)
    places = {name: _places(joined[name], n_most) for name in joined if is_category(joined[name])}
    return {
        key: _table([_merged(table[name], places.get(name)) for name in table], table.columns)
        for key, table in tables.items()
    }


def _places(column, n_most):
    """Return the new number of each category, and that of missing cells, -1, at the end."""
    counts = np.bincount(column.cat.codes + 1, minlength=len(column.cat.categories) + 1)[1:]
    rank = np.argsort(np.argsort(-counts, kind="stable"))
    return np.append(np.minimum(rank, n_most), -1)


def _merged(column, places):
    if places is None:
        return column
    codes = pd.Categorical.from_codes(places[column.cat.codes], range(places.max() + 1))
    return pd.Series(codes, column.index)


def in_ranks(tables):
    """Return tables with numbers as ranks among those of all tables, 0 where they are missing.

    To trees it is the same, and no column is missing as a whole.
    """
    columns = {}
    for name in next(iter(tables.values())):
        column = pd.concat({key: table[name] for key, table in tables.items()})
        columns[name] = column if is_category(column) else column.rank(method="dense").fillna(0.0)
    joined = _table(list(columns.values()), next(iter(tables.values())).columns)
    return {key: joined.loc[key] for key in tables}
