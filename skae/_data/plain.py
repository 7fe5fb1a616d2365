"""Values and columns as plain state: numbers, text, arrays, and lists and dicts of these.

Objects of pandas, polars and pyarrow pickle in ways of their own, which other formats of files do
not know. What a fitted model keeps of them goes into its state in this form.
"""

import re
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from importlib.util import find_spec
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

# Values.

#: Types whose values are plain, beside NumPy's scalars.
SIMPLE = {type(None), bool, int, float, str}


def _arguments(value):
    return value.__reduce_ex__(4)[1]


def _timestamp(moment, zone):
    """Return a moment in UTC, datetime64, as a Timestamp of a time zone."""
    if not isinstance(zone, (tzinfo, type(None))):
        raise TypeError(f"A time zone is {zone!r}.")
    moment = pd.Timestamp(moment)
    return moment if zone is None else moment.tz_localize("UTC").tz_convert(zone)


def _member(of_type, value):
    """Return the member of an enumeration that has a value."""
    if not issubclass(of_type, Enum):
        raise TypeError(f"{of_type.__name__} is no enumeration")
    return of_type(value)


#: By name, a type, what gives the arguments for a value of it, and what makes it of these.
_TYPES = {
    "bytes": (bytes, lambda value: (value.hex(),), bytes.fromhex),
    "complex": (complex, lambda value: (value.real, value.imag), complex),
    "date": (date, _arguments, date),
    "datetime": (datetime, _arguments, datetime),
    "Decimal": (Decimal, _arguments, Decimal),
    "Enum": (
        Enum,
        lambda value: (type(value), value.value),
        _member,
    ),
    "Fraction": (Fraction, _arguments, lambda above, below: Fraction(above, below)),
    "frozenset": (frozenset, lambda values: tuple(values), lambda *values: frozenset(values)),
    "Interval": (pd.Interval, _arguments, pd.Interval),
    "NA": (type(pd.NA), lambda value: (), lambda: pd.NA),
    "NaT": (type(pd.NaT), lambda value: (), lambda: pd.NaT),
    "Period": (
        pd.Period,
        lambda value: (value.ordinal, value.freqstr),
        lambda ordinal, freq: pd.Period(ordinal=ordinal, freq=freq),
    ),
    "time": (time, _arguments, time),
    "timedelta": (timedelta, _arguments, timedelta),
    "Timedelta": (pd.Timedelta, lambda value: (value.to_timedelta64(),), pd.Timedelta),
    "Timestamp": (
        pd.Timestamp,
        lambda value: (value.to_datetime64(), value.tzinfo),
        _timestamp,
    ),
    "timezone": (timezone, _arguments, timezone),
    "tuple": (tuple, lambda values: values, lambda *values: values),
    "UUID": (UUID, lambda value: (value.hex,), UUID),
    "ZoneInfo": (ZoneInfo, lambda value: (value.key,), ZoneInfo),
}
_NAMES = {of_type: name for name, (of_type, _, _) in _TYPES.items()}

#: Types whose values become a dict.
TYPES = tuple(_NAMES)


def plain_value(value):
    """Return a value, such as a category or the name of a column, as plain state.

    Returns
    -------
    object
        A value that is plain as it is, and also one of a type that is not known here. Others are
        a dict of the name of their type and what it is called with.
    """
    if type(value) in SIMPLE:
        return value
    name = "Enum" if isinstance(value, Enum) else _NAMES.get(type(value))
    if name is None:
        return value
    return {"type": name, "arguments": plain_values(_TYPES[name][1](value))}


def value_of(state):
    """Return the value of what ``plain_value`` returned."""
    if type(state) is not dict:
        return state
    if type(state["arguments"]) is not list:
        raise TypeError("A value is not called with a list.")
    return _TYPES[state["type"]][2](*map(value_of, state["arguments"]))


def plain_values(values):
    """Return values as a list of plain state."""
    return [plain_value(value) for value in values]


def objects_of(states):
    """Return the values of a list of plain state as an array of objects."""
    values = np.empty(len(states), object)
    values[:] = np.fromiter(map(value_of, states), object, len(states))
    return values


# Columns.


def plain_series(series):
    """Return a Series of narwhals as plain state; ``series_of`` makes one of the library."""
    native, library = series.to_native(), series.implementation
    if library.is_pandas():
        return _plain_pandas(native.array)
    if library.is_polars():
        return _plain_polars(native)
    return _plain_arrow(native)


def series_of(state):
    """Return the column of what ``plain_series`` returned, a Series of the library."""
    if "native" in state:
        return state["native"]
    make = {"pandas": _pandas_of, "polars": _polars_of, "pyarrow": _arrow_of}
    return make[state["library"]](state)


def plain_index(index):
    """Return an index of pandas as plain state."""
    if isinstance(index, pd.RangeIndex):
        bounds = index.start, index.stop, index.step
        return {"range": list(bounds), "names": plain_values(index.names)}
    levels = range(index.nlevels)
    columns = [_plain_pandas(index.get_level_values(i).array) for i in levels]
    return {"levels": columns, "names": plain_values(index.names)}


def index_of(state):
    """Return the index of pandas of what ``plain_index`` returned."""
    names = list(map(value_of, state["names"]))
    if "range" in state:
        return pd.RangeIndex(*state["range"], name=names[0])
    levels = list(map(_pandas_of, state["levels"]))
    if len(levels) > 1:
        return pd.MultiIndex.from_arrays(levels, names=names)
    return pd.Index(levels[0], dtype=levels[0].dtype, name=names[0])


def _plain_pandas(array):
    if type(array) is pd.arrays.NumpyExtensionArray:
        array = array.to_numpy()
    dtype = array.dtype
    state = {"library": "pandas", "dtype": str(dtype)}
    if isinstance(dtype, np.dtype) and dtype.kind != "O":
        return state | {"values": np.asarray(array)}
    if isinstance(dtype, pd.CategoricalDtype):
        categories = {
            "categories": plain_index(dtype.categories),
            "is_ordered": bool(dtype.ordered),
        }
        return state | {"codes": np.array(array.codes)} | categories
    if isinstance(dtype, pd.ArrowDtype):
        return state | {"of_arrow": _plain_arrow(array.__arrow_array__())}
    if isinstance(dtype, pd.SparseDtype):
        values = _plain_pandas(pd.Series(np.asarray(array), dtype=dtype.subtype).array)
        return state | {"of_sparse": values, "fill_value": plain_value(dtype.fill_value)}
    if isinstance(dtype, pd.DatetimeTZDtype):
        return state | {"values": np.asarray(array, dtype=f"M8[{dtype.unit}]")}
    if isinstance(dtype, pd.StringDtype):
        state |= {"storage": dtype.storage, "has_nan": dtype.na_value is not pd.NA}
    elif dtype != str(dtype):
        return state | {"native": pd.Series(array)}  # of another library
    return state | {"objects": plain_values(array)}


def _pandas_of(state):
    dtype = state["dtype"]
    if "dateutil/" in dtype:  # pandas would read the file whose path follows
        raise ValueError(f"A column has the dtype {dtype!r}.")
    if "codes" in state:
        dtype = pd.CategoricalDtype(index_of(state["categories"]), state["is_ordered"])
        return pd.Series(pd.Categorical.from_codes(state["codes"], dtype=dtype))
    if "of_arrow" in state:
        return pd.Series(pd.arrays.ArrowExtensionArray(series_of(state["of_arrow"])))
    if "of_sparse" in state:
        values = np.asarray(_pandas_of(state["of_sparse"]))
        fill_value = value_of(state["fill_value"])
        return pd.Series(pd.arrays.SparseArray(values, fill_value=fill_value))
    if "storage" in state:
        storage = state["storage"] if find_spec("pyarrow") else "python"
        says_all = not state["has_nan"] or storage == "pyarrow_numpy"
        dtype = pd.StringDtype(storage, **({} if says_all else {"na_value": np.nan}))
    if "objects" in state:
        return pd.Series(objects_of(state["objects"]), dtype=dtype)
    values = pd.Series(state["values"])
    is_zoned = values.dtype.kind == "M" and dtype != str(values.dtype)
    return (values.dt.tz_localize("UTC") if is_zoned else values).astype(dtype)


#: Parameters of the dtypes of polars that have some.
_PARAMETERS = {
    "Datetime": ("time_unit", "time_zone"),
    "Decimal": ("precision", "scale"),
    "Duration": ("time_unit",),
    "Enum": ("categories",),
}


def _plain_polars(series):
    dtype = series.dtype
    name = type(dtype).__name__
    params = {one: getattr(dtype, one) for one in _PARAMETERS.get(name, ())}
    if name == "Enum":
        params["categories"] = dtype.categories.to_list()
    state = {"library": "polars", "dtype": name, "params": params}
    if dtype.is_nested() or _polars_type(state) != dtype:
        return state | {"native": series}
    series = series.to_physical() if dtype.is_temporal() else series
    return state | {"values": plain_values(series.to_list())}


def _polars_type(state):
    import polars as pl

    kinds = {kind.__name__: kind for kind in vars(pl).values() if _is_dtype(kind, pl.DataType)}
    return kinds[state["dtype"]](**state["params"])


def _is_dtype(kind, base):
    return isinstance(kind, type) and issubclass(kind, base)


def _polars_of(state):
    import polars as pl

    dtype = _polars_type(state)
    values = list(map(value_of, state["values"]))
    if not dtype.is_temporal():
        return pl.Series(values, dtype=dtype)
    is_date = state["dtype"] == "Date"
    return pl.Series(values, dtype=pl.Int32 if is_date else pl.Int64).cast(dtype)


def _plain_arrow(array):
    import pyarrow as pa

    dtype = array.type
    state = {"library": "pyarrow", "dtype": str(dtype)}
    if _arrow_type(str(dtype)) != dtype:
        return state | {"native": array}
    if pa.types.is_temporal(dtype):
        array = array.cast(f"int{dtype.bit_width}")
    return state | {"values": plain_values(array.to_pylist())}


def _arrow_of(state):
    import pyarrow as pa

    dtype, values = _arrow_type(state["dtype"]), list(map(value_of, state["values"]))
    if not pa.types.is_temporal(dtype):
        return pa.chunked_array([values], dtype)
    return pa.chunked_array([values], f"int{dtype.bit_width}").cast(dtype)


def _arrow_type(name):
    """Return the type of pyarrow that has this name, or None if it is not known here."""
    import pyarrow as pa

    if match := re.fullmatch(r"timestamp\[(\w+), tz=(.+)\]", name):
        return pa.timestamp(match[1], match[2])
    if match := re.fullmatch(r"decimal(\d+)\((\d+), (-?\d+)\)", name):
        makers = {
            "32": pa.decimal32,
            "64": pa.decimal64,
            "128": pa.decimal128,
            "256": pa.decimal256,
        }
        return makers[match[1]](int(match[2]), int(match[3]))
    if match := re.fullmatch(r"dictionary<values=(.+), indices=(\w+), ordered=(\d)>", name):
        return pa.dictionary(pa.type_for_alias(match[2]), _arrow_type(match[1]), match[3] == "1")
    if match := re.fullmatch(r"fixed_size_binary\[(\d+)\]", name):
        return pa.binary(int(match[1]))
    try:
        return pa.type_for_alias(name)
    except ValueError:
        return None
