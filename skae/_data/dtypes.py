"""Columns of DataFrames and arrays as NumPy arrays, and back."""

import numpy as np
import pandas as pd

from skae._data.frames import check_frame

#: Kinds of object columns, as pandas infers them, that are numbers or dates.
NUMBERS = {"integer", "floating", "mixed-integer-float", "decimal"}

DATES = {"date", "datetime", "datetime64", "timedelta", "timedelta64"}


def as_table(X):
    """Return a DataFrame as it is, and anything else as an array of two axes."""
    check_frame(X)
    if not hasattr(X, "columns"):
        array = np.asarray(X)
        X = np.array(X, dtype=object) if array.dtype.kind in "US" else array
    if X.ndim != 2 if hasattr(X, "ndim") else len(X.shape) != 2:
        raise ValueError(f"A table has two axes, rows and columns; X has {X.ndim}.")
    if not all(X.shape):
        what = "rows" if X.shape[1] else "columns"
        raise ValueError(
            f"X has 0 {'sample' if what == 'rows' else 'feature'}(s) (shape={X.shape}) while a "
            f"minimum of 1 is required: the table has no {what}."
        )
    return X


def inferred(values):
    """Return an array of objects as one of numbers or dates, if they are no others."""
    if values.dtype.kind != "O":
        return values
    kind = pd.api.types.infer_dtype(values, skipna=True)
    if kind in NUMBERS:
        values = np.where(pd.isna(values), np.nan, values)
        try:
            return values.astype(np.float64)
        except OverflowError:  # what is beyond all floats is infinite as text
            return values.astype(str).astype(np.float64)
    if kind in DATES:
        is_duration = kind.startswith("timedelta")
        dates = pd.Series(values)
        dates = pd.to_timedelta(dates) if is_duration else pd.to_datetime(dates, utc=True)
        unit = "D" if kind == "date" else "us"
        return dates.to_numpy(dtype=f"{'m8' if is_duration else 'M8'}[{unit}]")
    return values


def column_values(X, i):
    """Return a column as an array, its dtype, and whether that is one of categories.

    Numbers are float64 with NaN, dates datetime64 or timedelta64, booleans bool if none is
    missing, and all others objects.
    """
    if isinstance(X, pd.DataFrame):
        return _from_pandas(X.iloc[:, i])
    if hasattr(X, "columns"):
        return _from_polars(X[:, i])
    column = X[:, i]
    return (column.astype(float) if column.dtype.kind == "b" else column), X.dtype, False


def _from_pandas(column):
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return np.asarray(column, dtype=object), dtype, True
    if pd.api.types.is_bool_dtype(dtype):
        is_plain = isinstance(dtype, np.dtype)
        how = {} if is_plain else {"dtype": object, "na_value": None}
        return column.to_numpy(**how), dtype, False
    if pd.api.types.is_numeric_dtype(dtype) and dtype.kind != "c":
        return column.to_numpy(dtype=np.float64, na_value=np.nan), dtype, False
    if getattr(dtype, "kind", "") in ("m", "M") and not isinstance(dtype, pd.PeriodDtype):
        unit = getattr(dtype, "unit", None) or np.datetime_data(dtype)[0]
        return column.to_numpy(dtype=f"{dtype.kind}8[{unit}]"), dtype, False
    if pd.api.types.is_string_dtype(dtype) or pd.api.types.is_object_dtype(dtype):
        return column.to_numpy(dtype=object), dtype, False
    raise _unreadable(column.name, dtype)


def _from_polars(column):
    dtype, name = column.dtype, type(column.dtype).__name__
    if dtype.is_numeric():
        return column.to_numpy().astype(np.float64), dtype, False
    if name in ("Date", "Datetime", "Duration"):
        return column.to_numpy(), dtype, False
    if name in ("Boolean", "String", "Categorical", "Enum", "Object", "Null"):
        values = np.array([*column.to_list(), None], dtype=object)[:-1]
        return values, dtype, name in ("Categorical", "Enum")
    raise _unreadable(column.name, dtype)


def _unreadable(name, dtype):
    return TypeError(
        f"Column {name!r} of dtype {dtype} cannot be read. Turn it into numbers, text or dates, or "
        "drop it."
    )


def array_of(columns, dtype):
    """Return columns as an array of a dtype, whose range they are cut to."""
    table = np.empty((len(columns[0]), len(columns)), dtype)
    for i, column in enumerate(columns):
        table[:, i] = _in_range(column.astype(float), dtype) if dtype.kind == "f" else column
    return table


def pandas_column(values, dtype, index):
    has_holes = pd.isna(values).any()
    if values.dtype.kind == "f":
        values = _in_range(values, getattr(dtype, "numpy_dtype", dtype))
    if getattr(dtype, "tz", None) is not None:
        return pd.Series(values, index=index).dt.tz_localize("UTC").astype(dtype)
    if pd.api.types.is_object_dtype(dtype):
        return pd.Series(values.astype(object), index=index, dtype=object)
    column = pd.Series(values, index=index)
    can_hold = not (isinstance(dtype, np.dtype) and dtype.kind in "iub")
    return column.astype(dtype) if can_hold or not has_holes else column


def polars_frame(frame_class, columns):
    data, dtypes = {}, {}
    for name, values, dtype in columns:
        missing = pd.isna(values)
        if values.dtype.kind == "f":
            values = _in_range(values, _numpy_dtype(dtype))
        elif values.dtype.kind in "mM":
            values = values.astype(np.int64)
        pairs = zip(values.tolist(), missing.tolist(), strict=True)
        data[name] = [None if is_missing else value for value, is_missing in pairs]
        dtypes[name] = dtype
    castable = {n: t for n, t in dtypes.items() if type(t).__name__ not in ("Object", "Null")}
    return frame_class(data, strict=False).cast(castable)


def _numpy_dtype(dtype):
    try:
        return np.dtype(str(dtype).lower())
    except (TypeError, ValueError):  # decimals
        return np.dtype(float)


def _in_range(values, dtype):
    """Return numbers that a dtype can hold."""
    dtype = dtype if isinstance(dtype, np.dtype) else np.dtype(float)
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        high = info.max if info.bits < 64 else np.nextafter(float(info.max), 0)
        return np.clip(np.round(values), info.min, high)
    if dtype.kind == "f":
        return np.clip(values, np.finfo(dtype).min, np.finfo(dtype).max)
    return values
