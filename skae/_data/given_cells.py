"""Cells of a table's rows that are given, while the others are to be drawn."""

import copy

import numpy as np
import pandas as pd

from skae._data.columns import UNSEEN
from skae._data.dtypes import column_values
from skae._data.frames import narwhals_frame
from skae._data.given import as_data
from skae._data.tables import TableDataset

#: Categories that an error names, at most.
N_NAMED = 20


def read_given(reader, conditions, n_samples):
    """Return rows of which some cells are given, and the others are missing.

    Parameters
    ----------
    reader : TableReader
        The one that has learned the table.
    conditions : DataFrame or dict
        Columns of the table, with one row for each new row or one for all; a dict holds one row.
    n_samples : int or None
        Number of new rows, None for one for each row of ``conditions``.

    Returns
    -------
    TableDataset

    Raises
    ------
    TypeError
        If the conditions are neither a DataFrame nor a dict.
    ValueError
        If they have other columns than the table, values that it did not have, or as many rows as
        neither one nor ``n_samples``.
    """
    columns = reader.format.columns
    table = _as_frame(conditions, columns.names)
    n_given = len(table)
    if n_given not in (1, n_samples or n_given):
        raise ValueError(
            f"conditions holds {n_given} rows, but {n_samples} rows are to be drawn: give one row "
            "for each, or one for all."
        )
    cells = np.full((n_given, len(columns.columns)), np.nan)
    for series in table.iter_columns():
        i = columns.names.index(series.name)
        column, values = columns.columns[i], column_values(series)
        cells[:, i] = column.read(values)
        _check_seen(column, cells[:, i], values)
    n_samples = n_given if n_samples is None else n_samples
    shape = n_samples, cells.shape[1]
    return TableDataset(np.broadcast_to(cells, shape), reader.format, is_single=True)


def _as_frame(conditions, names):
    """Return conditions as a DataFrame of narwhals whose columns are all in the table."""
    if names is None:
        raise ValueError(
            "conditions are by the names of columns, but the model was fitted on an array: fit it "
            "on a DataFrame."
        )
    if isinstance(conditions, dict):
        conditions = pd.DataFrame({name: [value] for name, value in conditions.items()})
    table = narwhals_frame(as_data(conditions, "conditions"), "conditions")
    if table is None:
        raise TypeError(
            "conditions must be a DataFrame with some of the columns of the table, or a dict of "
            f"one row; got {type(conditions).__name__}"
        )
    unknown = [name for name in table.columns if name not in names]
    if unknown:
        raise ValueError(
            f"conditions has columns {unknown}, which the table does not have; its columns are "
            f"{names[:N_NAMED]}"
        )
    if not all(table.shape):
        raise ValueError("conditions has no rows or no columns: give at least one of each.")
    return table


def _check_seen(column, cells, values):
    """Raise a ValueError if a column never had some of the values."""
    if column.is_empty:
        return
    if column.is_category:
        is_new = cells == UNSEEN
        known = f"The known ones are {list(column.values[:N_NAMED])}"
    else:
        numbers = column.codes(values)
        low, high = column.codes(column.ends)
        is_new = (numbers < low) | (numbers > high)
        known = f"They were from {column.ends[0]} to {column.ends[1]}"
    if is_new.any():
        row = int(np.flatnonzero(is_new)[0])
        raise ValueError(
            f"conditions: the value {values[row]} of column {column.name!r} (row {row}) was "
            f"never seen in fit. {known}."
        )


def in_single_precision(dataset):
    """Return the rows of a table as ones whose results are of single precision."""
    twin = copy.copy(dataset)
    twin.is_single = True
    return twin
