"""Which values a column can hold, in a graph."""

import numpy as np
import pandas as pd
import pytest
import torch

from skae import TabularAutoencoder
from skae._data.columns import TableColumns
from skae._onnx.estimators import as_method
from skae._onnx.grids import grid_module
from skae._onnx.table_coding import table_codes

ZONES = ["America/New_York", "Europe/Berlin", "Asia/Kolkata", "UTC"]


@pytest.mark.parametrize("zone", ZONES)
def test_days_are_those_of_the_time_zone(zone):
    days = pd.date_range("1970-01-01", "2024-01-01", tz=zone)
    column = TableColumns.learn(pd.DataFrame({"day": days})).columns[0]
    dates = column._restored(np.linspace(-2, 2, 20_000))
    found = grid_module(column)(torch.from_numpy(column.codes(dates)))
    np.testing.assert_array_equal(found, column.codes(column.grid.nearest(dates)))


@pytest.mark.parametrize("clip", [False, True])
@pytest.mark.parametrize("decimals", [-2, 0, 2, 12])
def test_numbers_are_rounded_and_clipped(clip, decimals):
    values = np.round(np.random.default_rng(0).normal(size=1000, scale=1000), decimals)
    column = TableColumns.learn(pd.DataFrame({"x": values}), clip_to_range=clip).columns[0]
    numbers = np.append(np.linspace(-5000, 5000, 1001) + 0.123, np.nan)
    found = grid_module(column)(torch.from_numpy(numbers))
    np.testing.assert_allclose(found, column.grid.nearest(numbers), rtol=1e-15)


def test_means_become_values_that_many_rows_hold():
    values = np.random.default_rng(0).lognormal(3, 1, 500)
    values[::3], values[1::5] = 0, 100
    column = TableColumns.learn(pd.DataFrame({"x": values})).columns[0]
    numbers = np.append(np.linspace(-10, 200, 3001), np.nan)
    found = grid_module(column, are_means=True)(torch.from_numpy(numbers))
    expected = column.grid.nearest(numbers, are_means=True)
    np.testing.assert_array_equal(found, expected)
    assert (expected == 100).sum() > 10


def test_ids_of_new_rows_are_new():
    X = pd.DataFrame({"x": np.arange(40) % 3, "id": range(40)})
    X["name"] = [f"Ms {i}" for i in range(40)]
    with pytest.warns(match="names and ids"):
        model = TabularAutoencoder(2, max_epochs=2, random_state=0, check_baseline=False).fit(X)
    codes = model.transform(X)
    with torch.no_grad():
        found = as_method(model, "inverse_transform", "float64")(torch.from_numpy(codes))
    expected = table_codes(model._reader.format.columns, model.inverse_transform(codes))
    np.testing.assert_array_equal(found, expected)
    assert found[:, 1].tolist() == list(range(40, 80))
