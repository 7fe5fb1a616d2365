"""How a table goes into a graph: one number for each cell, and what the numbers mean.

A graph of a model for tables takes an array of shape (n_samples, n_columns), the columns in the
order of the fit:

- A number is as it is.
- A date is in seconds since 1970-01-01 00:00 UTC (of a column without a time zone: of its own
  clock), a duration or a time of the day in seconds. Floats of 32 bits hold today's dates only to
  two minutes, so give floats of 64 bits.
- A category is its position in the list of its column, counted from 0. A category that is not in
  the list is -1.
- A missing cell is NaN.

The list of a column holds all categories of the training rows, also rare ones that the model joins
into one: the graph does that.
"""

import json

import numpy as np

from skae._data.checks import UNEQUAL_LENGTHS, as_array
from skae._data.columns import UNSEEN, DateColumn
from skae._data.frames import narwhals_frame

#: Where the coding is in the metadata of a graph, as JSON.
METADATA_KEY = "skae.columns"

#: What the numbers of dates and of durations mean.
UNITS = {"M": "seconds since 1970-01-01T00:00:00", "m": "seconds"}


def table_coding(columns):
    """Return what the numbers of a coded table mean.

    Parameters
    ----------
    columns : TableColumns

    Returns
    -------
    dict
        For JSON. ``missing`` and ``unknown`` are the numbers of missing cells and of categories
        that are not listed. ``columns`` has for each column its ``name`` (its position, if the
        table was an array), and its ``type``: "number", "date", "duration" or "category". Dates
        and durations have a ``unit``. Categories are listed in ``categories``: text, numbers and
        booleans as they are, and what JSON does not know as text, such as intervals; then
        ``as_text`` is true.
    """
    return {
        "missing": "NaN",
        "unknown": UNSEEN,
        "columns": [_description(column) for column in columns.columns],
    }


def coding_as_json(columns):
    """Return ``table_coding`` as text, for the metadata of a graph."""
    return json.dumps(table_coding(columns))


def table_codes(columns, X):
    """Return a table as the array that a graph takes.

    Parameters
    ----------
    columns : TableColumns
        As they were fitted.
    X : DataFrame or array-like of shape (n_samples, n_columns)

    Returns
    -------
    ndarray of shape (n_samples, n_columns), float64

    Raises
    ------
    TypeError, ValueError
        If columns are missing, hold something else than at fit, or infinite values.
    """
    frame = narwhals_frame(X)
    if frame is not None:
        return columns.codes(frame)
    if isinstance(X, np.ma.MaskedArray):
        X = X.astype(np.float64).filled(np.nan)
    return columns.codes(as_array(X, "X", UNEQUAL_LENGTHS))


def _description(column):
    """Return what the codes of a column mean."""
    name = _plain(column.name)
    known = {"name": name if isinstance(name, (int, str)) else str(name)}
    if column.is_category:
        categories = [_plain(value) for value in column.values]
        is_odd = not all(isinstance(value, (str, int, float)) for value in categories)
        if is_odd:
            categories = [str(value) for value in column.values]
        known |= {"type": "category", "categories": categories}
        return known | {"as_text": True} if is_odd else known
    if not isinstance(column, DateColumn):
        return known | {"type": "number"}
    kind = column.dtype.kind
    return known | {"type": "date" if kind == "M" else "duration", "unit": UNITS[kind]}


def _plain(value):
    """Return a value as Python's own, where it is one of NumPy."""
    return value.item() if isinstance(value, np.generic) else value
