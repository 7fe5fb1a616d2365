"""Tables in a graph: from codes to what nets see, and back."""

import numpy as np
import pandas as pd
import pytest
import torch

from skae import TabularAutoencoder
from skae._data.columns import TableColumns
from skae._onnx.estimators import as_method
from skae._onnx.exporting import onnx_input
from skae._onnx.table_cells import Positions, asinh, cells_of_codes, recoded, sinh
from skae._onnx.table_coding import table_codes


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(0)
    n = 200
    seconds = pd.to_timedelta(rng.integers(0, 10**9, n), "s")
    frame = pd.DataFrame(
        {
            "income": rng.lognormal(10, 3, n),
            "age": rng.integers(-5, 5, n).astype(np.int8),
            "n_children": np.array(rng.integers(0, 5, n), dtype=object),
            "born": pd.Timestamp("1980-01-01") + seconds,
            "day": (pd.Timestamp("2000-01-01") + seconds).date,
            "time": (pd.Timestamp(0) + seconds).time,
            "took": pd.to_timedelta(rng.exponential(1, n), "h"),
            "job": rng.choice([f"job {i}" for i in range(9)], n),
            "is_new": rng.random(n) < 0.5,
            "size": pd.Categorical(rng.integers(36, 40, n)),
            "constant": 3.5,
            "empty": np.nan,
        }
    )
    frame.loc[::7, ["income", "born", "job"]] = None
    return frame


def test_cells_are_those_that_estimators_read(frame):
    columns = TableColumns.learn(frame, max_categories=5)
    new = frame.assign(
        income=1e308, age=frame.age.where(frame.age > 0, -128), constant=[3.5, 4] * 100, job="no"
    )
    read = cells_of_codes(columns.columns)
    for rows in (frame, new):
        cells = read(torch.tensor(table_codes(columns, rows)))
        np.testing.assert_allclose(cells, columns.read(rows), rtol=1e-13, atol=1e-13)


def test_codes_that_no_category_has_are_new(frame):
    columns = TableColumns.learn(frame[["job"]]).columns
    codes = torch.tensor([[0.0], [8.0], [9.0], [-1.0], [-7.0], [np.nan]])
    expected = [[0], [8], [-1], [-1], [-1], [np.nan]]
    np.testing.assert_array_equal(cells_of_codes(columns)(codes), expected)


def test_reconstructions_are_those_of_the_estimator(frame):
    with pytest.warns(match="empty"):
        model = TabularAutoencoder(
            3, max_epochs=1, max_categories=5, random_state=0, check_baseline=False
        ).fit(frame)
    method = as_method(model, "reconstruct", "float64")
    with torch.no_grad():
        found = method(torch.tensor(onnx_input(model, frame, dtype="float64")))
    expected = table_codes(model._reader.format.columns, model.reconstruct(frame))
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_codes_of_a_larger_table_fit_a_smaller_one():
    rows = pd.DataFrame({"a": ["x", "y", "z"], "b": [1.0, 5.0, 2.0]})
    rows["c"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(rows.b, "D")
    all_rows, some = TableColumns.learn(rows), TableColumns.learn(rows[1:], [0, 1, 2])
    recode = recoded(all_rows, some)
    np.testing.assert_array_equal(
        recode(torch.tensor(table_codes(all_rows, rows))), table_codes(some, rows)
    )


def test_numbers_are_found_in_a_list():
    found = Positions([2.0, 0.5])(torch.tensor([0.5, 2.0, 3.0, np.nan]))
    np.testing.assert_array_equal(found, [1, 0, -1, np.nan])


def test_hyperbolic_functions():
    x = torch.tensor([0.0, 1e-9, 0.5, -3.0, 1e8, 2e9, -1e300], dtype=torch.float64)
    np.testing.assert_allclose(asinh(x), np.arcsinh(x.numpy()), rtol=1e-14, atol=1e-15)
    np.testing.assert_allclose(sinh(x[:4]), np.sinh(x[:4].numpy()), rtol=1e-14, atol=1e-15)
