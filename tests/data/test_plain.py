"""Values, columns and DataFrames as plain state, and back."""

import datetime as dt
import json
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from uuid import UUID
from zoneinfo import ZoneInfo

import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal

from skae._data.dtypes import ColumnType
from skae._data.frames import FrameFormat, plain_samples, samples_of
from skae._data.plain import index_of, plain_index, plain_value, value_of


class Color(Enum):
    RED = ("r", Decimal(1))


BERLIN = ZoneInfo("Europe/Berlin")

VALUES = [
    None,
    True,
    2**70,
    1.5,
    "a",
    ("a", (1, dt.date(2026, 1, 1))),
    frozenset("ab"),
    b"\xff",
    1 + 2j,
    Decimal("1.50"),
    Fraction(1, 3),
    UUID(int=5),
    dt.date(2026, 1, 1),
    dt.datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=BERLIN),
    dt.time(3, 4, 5, 6),
    dt.timedelta(1, 2, 3),
    pd.Timestamp(2026, 1, 1),
    pd.Timestamp("2026-10-25 01:30", tz="UTC").tz_convert(BERLIN),
    pd.Timestamp(0, tz=dt.timezone(dt.timedelta(hours=2))),
    pd.Timedelta("1ns"),
    pd.Interval(pd.Timestamp(0), pd.Timestamp(1), "left"),
    pd.Period("2026Q1"),
    pd.NaT,
    pd.NA,
    np.float32(1.5),
    np.datetime64("2026-01-01"),
    Color.RED,
]

OF_POLARS = pl.DataFrame(
    {
        "int": [1, 2**62 + 1, None],
        "wide": pl.Series([2**100, None, 1], dtype=pl.Int128),
        "small": pl.Series([1, 2, 3], dtype=pl.UInt8),
        "float": [1.0, None, float("nan")],
        "text": ["a", None, "b"],
        "bool": [True, None, False],
        "bytes": [b"a", None, b"c"],
        "none": [None] * 3,
        "day": [dt.date(2026, 1, 1), None, dt.date(1960, 1, 1)],
        "moment": pl.Series([1, None, 3]).cast(pl.Datetime("ns", "Europe/Berlin")),
        "time": pl.Series([1, 2, 3]).cast(pl.Time),
        "duration": pl.Series([1, 2, 3]).cast(pl.Duration("ms")),
        "decimal": pl.Series([Decimal("1.5"), None, Decimal(2)], dtype=pl.Decimal(10, 2)),
        "category": pl.Series(["a", None, "b"], dtype=pl.Categorical),
        "enum": pl.Series(["a", None, "b"], dtype=pl.Enum(["b", "a"])),
        "list": [[1], [2, 3], None],
    }
)
OF_PYARROW = pa.table(
    {
        "int": [1, None],
        "half": pa.array([np.float16(1), None], pa.float16()),
        "bool": [True, None],
        "none": pa.nulls(2),
        "bytes": pa.array([b"ab", None], pa.binary(2)),
        "text": pa.array(["a", None], pa.large_string()),
        "view": pa.array(["a", None], pa.string_view()),
        "category": pa.array(["a", None]).dictionary_encode(),
        "decimal": pa.array([Decimal("1.5"), None], pa.decimal256(50, 2)),
        "moment": pa.array([1, None], pa.timestamp("ns", "Europe/Berlin")),
        "day": pa.array([1, None], pa.date32()),
        "time": pa.array([1, None], pa.time64("ns")),
        "duration": pa.array([1, None], pa.duration("us")),
        "list": [[1], None],
    }
)
OF_PANDAS = pd.DataFrame(
    {
        "int": [1, 2, 3],
        "float": np.array([1, np.nan, 3], np.float32),
        "bool": [True, False, True],
        "object": ["a", Decimal(1), None],
        "text": ["a", None, "b"],
        "nullable text": pd.array(["a", None, "b"], "string[python]"),
        "text as object": pd.Series(["a", None, "b"], dtype=object),
        "nullable int": pd.array([1, None, 2**60 + 1], "Int64"),
        "nullable bool": pd.array([True, None, False], "boolean"),
        "ordered": pd.Categorical(["x", None, "y"], ["y", "x", "z"], ordered=True),
        "bins": pd.cut([1, 2, 3], [0, 1.5, 4]),
        "moment": pd.date_range("2026", periods=3),
        "zoned": pd.date_range("2026", periods=3, tz=BERLIN, unit="s"),
        "duration": pd.to_timedelta([1, None, 3], unit="s"),
        "period": pd.period_range("2026", periods=3, freq="M"),
        "interval": pd.interval_range(0, 3),
        "sparse": pd.arrays.SparseArray([0.0, 1, 0], fill_value=0.0),
        "arrow": pd.array([Decimal("1.5"), None, Decimal(2)], pd.ArrowDtype(pa.decimal128(5, 2))),
        "arrow list": pd.array([[1], None, [2]], pd.ArrowDtype(pa.list_(pa.int64()))),
    }
)
INDICES = [
    pd.RangeIndex(3, 9, 2, name="row"),
    pd.Index(["a", "b", "c"]),
    pd.Index(["a", "b", "c"], dtype=object),
    pd.Index([1, "a", None]),
    pd.Index([1, 2, 3], dtype="int8", name=("two", 2)),
    pd.to_datetime(["2026-01-01", "2026-01-02", "2026-01-04"]).tz_localize(BERLIN),
    pd.CategoricalIndex(["a", "b", "a"]),
    pd.period_range("2026", periods=3, freq="M"),
    pd.MultiIndex.from_tuples([("a", 1), ("a", 2), ("b", 1)], names=["x", None]),
]


def assert_equal(found, expected):
    if isinstance(expected, pd.DataFrame):
        pd.testing.assert_frame_equal(found, expected, check_freq=False)
    elif isinstance(expected, pl.DataFrame):
        assert_frame_equal(found, expected)
    else:
        assert found.equals(expected)
        assert found.schema == expected.schema


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_values(value):
    state = plain_value(value)
    found = value_of(state)
    assert type(found) is type(value)
    assert found is value or found == value
    if not isinstance(value, (np.generic, pd.Timestamp, pd.Timedelta, pd.Interval, Color)):
        json.dumps(state)
    if isinstance(value, pd.Timestamp):
        assert (found.unit, found.tz) == (value.unit, value.tz)


@pytest.mark.parametrize(
    "table", [OF_PANDAS, OF_POLARS, OF_PYARROW], ids=lambda t: type(t).__name__
)
def test_tables(table):
    for one in (table, table[:0]):
        assert_equal(samples_of(plain_samples(one)), one)


@pytest.mark.parametrize(
    "table", [OF_PANDAS, OF_POLARS, OF_PYARROW], ids=lambda t: type(t).__name__
)
def test_types_of_columns(table):
    for column in nw.from_native(table).iter_columns():
        kind, found = ColumnType.of(column), object.__new__(ColumnType)
        found.__setstate__(kind.__getstate__())
        assert found == kind, column.name


@pytest.mark.parametrize("index", INDICES, ids=repr)
def test_indices(index):
    found = index_of(plain_index(index))
    pd.testing.assert_index_equal(found, index, exact=True)
    frame = pd.DataFrame(np.zeros((3, 3)), index=index)
    assert_equal(samples_of(plain_samples(frame)), frame)


def test_other_samples_are_as_they_are():
    for X in (np.zeros((2, 2)), None, [np.zeros(2)], ["a"]):
        state = plain_samples(X)
        assert repr(state) == repr(X)
        assert repr(samples_of(state)) == repr(X)
    frames = samples_of(plain_samples([OF_PANDAS, OF_PANDAS[:1]]))
    assert_equal(frames[1], OF_PANDAS[:1])


def test_formats_of_frames():
    for table in (OF_PANDAS, OF_POLARS, OF_PYARROW):
        kind, found = FrameFormat.of(table), object.__new__(FrameFormat)
        found.__setstate__(kind.__getstate__())
        assert found.library is kind.library
        assert list(found.columns) == list(kind.columns)
