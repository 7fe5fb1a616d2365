"""Columns of DataFrames and arrays as NumPy arrays, and back."""

import re
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from decimal import Context, Decimal
from enum import Enum
from fractions import Fraction
from numbers import Real

import narwhals as nw
import numpy as np
import pandas as pd

from skae._data.plain import plain_series, plain_value, series_of, value_of

#: Kinds of object columns, as pandas infers them, that are numbers or dates.
NUMBERS = {"integer", "floating", "mixed-integer-float", "decimal"}
#: Kinds that are numbers if all values are.
MIXED = {"mixed", "mixed-integer"}

DATES = {"date", "datetime", "datetime64", "timedelta", "timedelta64"}

#: Dtypes whose values are read as objects, beside text and categories.
OBJECTS = (nw.Boolean, nw.Object, nw.Time)

CATEGORIES = (nw.Categorical, nw.Enum)

#: Numbers that NumPy knows only as objects, or not at all.
WIDE_NUMBERS = (nw.Decimal, nw.Int128, nw.UInt128)

#: With digits for whatever a float can be.
PRECISE = Context(prec=1000)


def inferred(values):
    """Return an array of objects as one of numbers or dates, if they are no others."""
    if values.dtype.kind != "O":
        return values
    kind = pd.api.types.infer_dtype(values, skipna=True)
    if kind in MIXED and all(map(_is_real, values[pd.notna(values)])):
        kind = "mixed-integer-float"
    if kind == "integer" and isinstance(values[pd.notna(values).argmax()], Enum):
        return values  # their numbers stand for names
    if kind in NUMBERS:
        values = np.where(pd.isna(values), np.nan, values)
        try:
            return values.astype(np.float64)
        except OverflowError:  # what is beyond all floats is infinite as text
            return values.astype(str).astype(np.float64)
    if kind == "time":
        return _since_midnight(values)
    if kind in DATES:
        is_duration = kind.startswith("timedelta")
        dates = pd.Series(values)
        dates = pd.to_timedelta(dates) if is_duration else pd.to_datetime(dates, utc=True)
        unit = "D" if kind == "date" else "us"
        return dates.to_numpy(dtype=f"{'m8' if is_duration else 'M8'}[{unit}]")
    return values


def _is_real(value):
    return isinstance(value, (Real, Decimal)) and not isinstance(value, bool)


def _since_midnight(values):
    """Return times as durations, in the largest unit that can express them."""
    durations = np.full(len(values), np.timedelta64("NaT"), "m8[us]")
    for i in np.flatnonzero(pd.notna(values)):
        durations[i] = datetime.combine(date.min, values[i].replace(tzinfo=None)) - datetime.min
    known = durations[~np.isnat(durations)]
    units = ("s", "ms", "us")
    unit = next(u for u in units if (known.astype(f"m8[{u}]") == known).all())
    return durations.astype(f"m8[{unit}]")


class ObjectType:
    """Numbers or dates that are Python objects: what it takes to make others like them.

    Parameters
    ----------
    values : ndarray of objects
        Some of them, or None where they are missing. At least one is known.
    """

    def __init__(self, values):
        known = values[pd.notna(values)]
        self.kind = pd.api.types.infer_dtype(known)
        self.example = known[0]
        if self.kind in MIXED:
            self.kind = "mixed-integer-float"
        decimals = [v for v in known if isinstance(v, Decimal)]
        fractions = [v for v in known if isinstance(v, Fraction)]
        if decimals:
            self.kind = "decimal"
            finest = min((v.as_tuple().exponent for v in decimals if v.is_finite()), default=0)
            self.example = Decimal((0, (1,), min(finest, 0)))
        elif fractions:
            self.kind = "fraction"
            self.example = max(fractions, key=lambda v: v.denominator)
        if self.kind == "time":
            self.dtype = _since_midnight(known).dtype  # a library may hold nothing finer

    def __getstate__(self):
        return vars(self) | {"example": plain_value(self.example)}

    def __setstate__(self, state):
        vars(self).update(state | {"example": value_of(state["example"])})

    @classmethod
    def of(cls, values):
        """Return the type of values, or None if they are no objects, others, or all missing."""
        is_other = values.dtype.kind != "O" or inferred(values).dtype.kind == "O"
        return None if is_other or pd.isna(values).all() else cls(values)

    @property
    def is_integer(self):
        """Whether they are integers."""
        return self.kind == "integer"

    def make(self, values):
        """Return numbers or dates as an array of objects, None where they are missing."""
        known = pd.notna(values)
        objects = np.full(len(values), None)
        objects[known] = np.fromiter(self._objects(values[known]), object, known.sum())
        return objects

    def _objects(self, values):
        if self.kind == "mixed-integer-float":
            return values.tolist()
        if self.kind == "decimal":
            return (Decimal(v).quantize(self.example, context=PRECISE) for v in values.tolist())
        if self.kind == "fraction":
            most = self.example.denominator
            return (Fraction(v).limit_denominator(most) for v in values.tolist())
        if self.is_integer:
            values = np.round(values)
        if isinstance(self.example, np.generic):
            dtype = np.asarray(self.example).dtype
            return in_range(values, dtype).astype(dtype)
        return map(int, values) if self.is_integer else self._moments(values)

    def _moments(self, values):
        example = self.example
        if isinstance(example, time):
            last = np.timedelta64(1, "D").astype(self.dtype) - 1
            times = np.clip(values.astype(self.dtype), last - last, last)
            times = (datetime.min + since_midnight for since_midnight in times.tolist())
            return (moment.time().replace(tzinfo=example.tzinfo) for moment in times)
        if isinstance(example, timedelta):
            durations = pd.TimedeltaIndex(values)
            return durations if isinstance(example, pd.Timedelta) else durations.to_pytimedelta()
        if isinstance(example, datetime):
            dates = pd.DatetimeIndex(values)
            if example.tzinfo is not None:
                dates = dates.tz_localize("UTC").tz_convert(example.tzinfo)
            return dates if isinstance(example, pd.Timestamp) else dates.to_pydatetime()
        return (values.astype("M8[D]") if self.kind == "date" else values).tolist()


def time_zone(values, kind):
    """Return the name of the time zone of a column, or None if it has none.

    Parameters
    ----------
    values : ndarray
        As ``column_values`` gives them.
    kind : ColumnType or None
        Type of a column of a DataFrame.
    """
    zone = None
    if kind is not None and isinstance(kind.native, pd.DatetimeTZDtype):
        zone = kind.native.tz  # narwhals does not know all of them
    elif kind is not None and kind.dtype == nw.Datetime:
        zone = kind.dtype.time_zone
    elif values.dtype.kind == "O":
        known = values[pd.notna(values)][:1].tolist()
        zone = next((date.tzinfo for date in known if isinstance(date, datetime)), None)
    try:
        return None if zone is None else str(pd.Timestamp(0, tz=str(zone)).tz)
    except (KeyError, ValueError):  # one that has no name
        return None


def column_values(column):
    """Return a column of a DataFrame, a Series of narwhals, as an array.

    Numbers are float64 with NaN, dates datetime64 or timedelta64, booleans bool if none is
    missing, and all others objects.

    Raises
    ------
    TypeError
        If it holds neither numbers, text nor dates.
    """
    kind = ColumnType.of(column)
    if kind.dtype.is_nested():
        raise _unreadable(column, kind)
    if isinstance(kind.native, pd.ArrowDtype):
        column = nw.new_series(column.name, column.to_arrow(), backend="pyarrow")
    if kind.is_category or kind.dtype == nw.String:
        is_arrow = kind.is_category and column.implementation.is_pyarrow()
        if is_arrow and (missing := column.is_null().to_numpy()).all():
            return np.full(len(missing), None)  # maybe there are no categories, either
        values = np.asarray(column, dtype=object)  # to_numpy is slow with text of polars
        if is_arrow:
            values[missing] = None  # it takes nulls for the first category
        return values
    if isinstance(kind.dtype, WIDE_NUMBERS):
        column = column.cast(nw.Float64)
    values = column.to_numpy()
    if values.dtype.kind in "mMb" or isinstance(kind.dtype, OBJECTS):
        return values
    if values.dtype.kind in "fiu":
        return values.astype(np.float64, copy=False)
    if pd.isna(values).all():  # of no type
        return np.full(len(values), None)
    if (numbers := inferred(values)).dtype.kind in "fmM":
        return numbers
    raise _unreadable(column, kind)


def _unreadable(column, kind):
    return TypeError(
        f"Column {column.name!r} of dtype {kind.native} cannot be read. Turn it into numbers, text "
        "or dates, or drop it."
    )


@dataclass(frozen=True)
class ColumnType:
    """What a column of a DataFrame is made of.

    Parameters
    ----------
    native
        Its dtype, as its library has it.
    dtype : nw.dtypes.DType
        The same, as narwhals has it.
    library : nw.Implementation
    """

    native: object
    dtype: nw.dtypes.DType
    library: nw.Implementation

    def __getstate__(self):
        """Return a column of this type as plain state."""
        return plain_series(nw.from_native(self._example(), series_only=True))

    def __setstate__(self, state):
        column = nw.from_native(series_of(state), series_only=True)
        vars(self).update(vars(ColumnType.of(column)))

    def _example(self):
        """Return a column of this type, without rows where its dtype says all."""
        library = self.library.to_native_namespace()
        if self.library.is_pyarrow():
            return library.chunked_array([], self.native)
        return library.Series([0] if self.dtype == nw.Object else [], dtype=self.native)

    @classmethod
    def of(cls, column):
        """Return the type of a Series of narwhals."""
        native, library = column.to_native(), column.implementation
        return cls(native.type if library.is_pyarrow() else native.dtype, column.dtype, library)

    @property
    def is_category(self):
        """Whether it is declared as one of categories."""
        return isinstance(self.dtype, CATEGORIES)

    def fits(self, values):
        """Say whether values are of the kind that a column of this type holds."""
        if self.dtype in (nw.Object, nw.Unknown):
            return self.dtype == nw.Object
        if self.is_category or self.dtype == nw.String:
            return _kind_of(values) == "O"
        if self.dtype == nw.Boolean:
            return _kind_of(values) == "b"
        if self.dtype in (nw.Duration, nw.Time):
            return _kind_of(values) == "m"
        return _kind_of(values) == ("M" if self.dtype.is_temporal() else "f")

    @property
    def categories(self):
        """The categories in their order, where the type knows them."""
        if isinstance(self.native, pd.CategoricalDtype):
            return list(self.native.categories)
        return self.dtype.categories if isinstance(self.dtype, nw.Enum) else ()

    def of_values(self, values):
        """Return the type that the library chooses for values."""
        return ColumnType.of(self._new_series(values[pd.notna(values)]))

    def with_categories(self, values):
        """Return the type, or one like it that can also hold values, where categories are fixed."""
        native = self.native
        known = set(self.categories)
        new = [v for v in pd.unique(values[pd.notna(values)]) if v not in known]
        if isinstance(native, pd.CategoricalDtype) and new:
            categories = pd.Index([*native.categories, *new])
            return replace(self, native=pd.CategoricalDtype(categories, native.ordered))
        return self.of_values(values) if isinstance(self.dtype, nw.Enum) and new else self

    def cast(self, column):
        """Return a Series of the library as one of this type."""
        native = self.native
        return column.astype(native) if self.library.is_pandas() else column.cast(native)

    def make(self, values):
        """Return an array as a column of this type, a Series of the library.

        Parameters
        ----------
        values : ndarray
            As ``column_values`` gives them. What is missing gets a dtype that can say so.
        """
        values = in_range(values, self.dtype) if values.dtype.kind == "f" else values
        if self.library.is_pandas():
            return self._make_pandas(values)
        if self.dtype == nw.Object:
            return nw.new_series("", values.tolist(), self.dtype, backend=self.library).to_native()
        column = self._new_series(values).to_native()
        if self.dtype == nw.Categorical and self.library.is_pyarrow():
            column = column.dictionary_encode()
        return self.cast(column)

    def _new_series(self, values):
        """Return an array as a Series of narwhals, of a dtype that the library chooses."""
        kind = values.dtype.kind
        if kind in "mM" and np.datetime_data(values.dtype)[0] == "s":  # unknown to polars
            values = values.astype(f"{kind}8[ms]")
        if kind == "O":  # NaN among them would make others numbers
            values = np.where(pd.isna(values), None, values)
        values = values if kind in "fmM" else values.tolist()
        column = nw.new_series("", values, backend=self.library)
        return column.fill_nan(None) if kind == "f" else column

    def _make_pandas(self, values):
        """Return an array as a column of a dtype that only pandas can make."""
        native = self.native
        if isinstance(native, pd.ArrowDtype):
            kind = ColumnType(native.pyarrow_dtype, self.dtype, nw.Implementation.PYARROW)
            return pd.Series(pd.arrays.ArrowExtensionArray(kind.make(values)))
        if isinstance(native, pd.DatetimeTZDtype):
            return pd.Series(values).dt.tz_localize("UTC").astype(native)
        if pd.api.types.is_object_dtype(native):
            return pd.Series(values, dtype=object)
        can_hold = not (isinstance(native, np.dtype) and native.kind in "iub")
        column = pd.Series(values)
        return self.cast(column) if can_hold or not pd.isna(values).any() else column


def _kind_of(values):
    """Return the kind of the dtype that values have, or would have if they were no objects."""
    is_bool = values.dtype.kind == "O" and pd.api.types.infer_dtype(values) == "boolean"
    kind = "b" if is_bool else inferred(values).dtype.kind
    return "f" if kind in "iu" else kind


def array_of(columns, dtype):
    """Return columns as an array of a dtype, whose range they are cut to."""
    table = np.empty((len(columns[0]), len(columns)), dtype)
    for i, column in enumerate(columns):
        table[:, i] = in_range(column.astype(float), dtype) if dtype.kind == "f" else column
    return table


def in_range(values, dtype):
    """Return numbers that a dtype, of NumPy or of narwhals, can hold; dates as they are."""
    name = str(dtype).lower()
    if name.startswith("float"):
        limits = np.finfo(name)
        return np.clip(values, limits.min, limits.max)
    if match := re.fullmatch(r"(u?)int(\d+)", name):
        n_bits = int(match[2]) - (not match[1])
        low, high = (0 if match[1] else -(2**n_bits)), 2**n_bits - 1
        return np.clip(np.round(values), low, _float_below(high))
    if isinstance(dtype, nw.Decimal):
        high = _float_below(Fraction(10**dtype.precision - 1, 10**dtype.scale))
        return np.clip(values, -high, high)
    return values


def _float_below(number):
    """Return the largest float that is not above an exact number."""
    nearest = float(number)
    return nearest if nearest <= number else np.nextafter(nearest, 0)
