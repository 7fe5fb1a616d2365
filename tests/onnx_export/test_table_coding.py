"""The coding of tables as arrays of numbers, which graphs take."""

import json
from datetime import time

import numpy as np
import pandas as pd
import polars as pl
import pytest

from skae._data.columns import TableColumns
from skae._onnx.table_coding import coding_as_json, table_codes


def coded(frame, coding):
    """Return a frame as an array, by pandas alone: the recipe of the guide."""
    codes = np.full(frame.shape, np.nan)
    for i, column in enumerate(coding["columns"]):
        values = frame[column["name"]]
        if column["type"] == "category":
            values = values.map(str, na_action="ignore") if "as_text" in column else values
            known = pd.Index(column["categories"], dtype=object)
            places = known.get_indexer(values.astype(object))
            codes[:, i] = np.where(values.isna(), np.nan, places)
        elif column["type"] == "date":
            codes[:, i] = (values - pd.Timestamp(0, tz=values.dt.tz)) / pd.Timedelta(1, "s")
        elif column["type"] == "duration":
            codes[:, i] = values / pd.Timedelta(1, "s")
        else:
            codes[:, i] = values
    return codes


@pytest.fixture(scope="module")
def frame():
    return pd.DataFrame(
        {
            "length": [1.5, 2.0, np.nan],
            "color": pd.Categorical(["red", None, "blue"], categories=["red", "green", "blue"]),
            "is_new": [True, False, None],
            "day": pd.to_datetime(["2020-01-01", None, "1969-12-31"]),
            "moment": pd.to_datetime(["2024-05-01 12:00", "2024-05-02 00:00", None]).tz_localize(
                "Europe/Berlin"
            ),
            "took": pd.to_timedelta(["1s", "90min", None]),
            "age": pd.cut([1, 5, 9], [0, 3, 6, 10]),
            "size": pd.Categorical([36, 38, 36]),
            "empty": [None, None, None],
        }
    )


def test_columns_as_numbers(frame):
    codes = table_codes(TableColumns.learn(frame), frame)
    nan = np.nan
    assert codes.dtype == np.float64
    expected = [
        [1.5, 0, 1, 1_577_836_800, 1_714_557_600, 1, 0, 0, nan],
        [2, nan, 0, nan, 1_714_600_800, 5400, 1, 1, nan],
        [nan, 1, nan, -86_400, nan, nan, 2, 0, nan],
    ]
    np.testing.assert_array_equal(codes, expected)


def test_the_json_is_enough_to_code_a_frame(frame):
    columns = TableColumns.learn(frame, max_categories=2)
    new = frame.iloc[[2, 0, 1]].assign(color=["blue", "pink", None])
    coding = json.loads(coding_as_json(columns))
    np.testing.assert_array_equal(coded(new, coding), table_codes(columns, new))
    assert coded(new, coding)[1, 1] == coding["unknown"]


def test_the_json_says_what_numbers_mean(frame):
    described = json.loads(coding_as_json(TableColumns.learn(frame)))["columns"]
    assert [column["name"] for column in described] == list(frame)
    assert described[0] == {"name": "length", "type": "number"}
    assert described[1] == {"name": "color", "type": "category", "categories": ["red", "blue"]}
    assert described[2]["categories"] == [False, True]
    assert described[4]["unit"] == "seconds since 1970-01-01T00:00:00"
    assert described[6]["categories"] == ["(0, 3]", "(3, 6]", "(6, 10]"]
    assert described[7]["categories"] == [36, 38]


def test_frames_of_other_libraries_have_the_same_codes():
    rows = {"a": [1, 2, None], "b": ["x", None, "y"], "t": [time(1), time(0, 0, 1), None]}
    columns = TableColumns.learn(pl.DataFrame(rows))
    of_polars = table_codes(columns, pl.DataFrame(rows).select("t", "b", "a"))
    np.testing.assert_array_equal(of_polars, table_codes(columns, pd.DataFrame(rows)))
    np.testing.assert_array_equal(of_polars[:, 2], [3600, 1, np.nan])


def test_arrays_keep_their_numbers():
    X = np.array([[0.5, 7.0], [np.nan, 9.0]])
    columns = TableColumns.learn(X, categorical_features=[1])
    np.testing.assert_array_equal(table_codes(columns, X), [[0.5, 0], [np.nan, 1]])
    np.testing.assert_array_equal(table_codes(columns, [[2, 8]]), [[2, -1]])
    masked = np.ma.MaskedArray([[2.0, 9.0]], [[True, False]])
    np.testing.assert_array_equal(table_codes(columns, masked), [[np.nan, 1]])
    described = json.loads(coding_as_json(columns))["columns"]
    assert [column["name"] for column in described] == [0, 1]


def test_what_cannot_be_coded_is_named():
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]})
    columns = TableColumns.learn(frame)
    with pytest.raises(ValueError, match="'a' held numbers"):
        table_codes(columns, frame.assign(a=["one", "two"]))
    with pytest.raises(ValueError, match="missing:\n- b"):
        table_codes(columns, frame[["a"]])
    with pytest.raises(ValueError, match="'a' holds infinite"):
        table_codes(columns, frame.assign(a=np.inf))
