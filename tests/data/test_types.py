"""The types of what comes back: of new batches that are not as those of the fit, and of objects."""

import datetime as dt
from decimal import Decimal
from enum import Enum, IntEnum
from fractions import Fraction
from ipaddress import ip_address
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from skae import OutlierDetector, TabularAutoencoder, TabularOutlierScorer, VariationalAutoencoder
from skae.exceptions import DataWarning

FAST = {"max_epochs": 1, "check_baseline": False, "early_stopping": False, "random_state": 0}
N = 24
START = dt.datetime(2020, 1, 1)
DATES = [START + dt.timedelta(days=i) for i in range(N)]
NEW_YORK = ZoneInfo("America/New_York")


def pandas_table(column, **how):
    return pd.DataFrame({"x": np.arange(len(column)) / N, "c": pd.Series(column, **how)})


def arrow_table(column):
    return pa.table({"x": np.arange(len(column)) / N, "c": column})


def polars_table(column, dtype=None):
    column = pl.Series(column, dtype=dtype)
    return pl.DataFrame({"x": np.arange(len(column)) / N, "c": column})


def cells(table):
    column = table["c"]
    return column.to_pylist() if isinstance(table, pa.Table) else column.to_list()


LABELS = ["a", "b", "a", "c"] * (N // 4)
FITTED = {
    "category": pandas_table(pd.Categorical(LABELS)),
    "ordered": pandas_table(pd.Categorical(LABELS, ["c", "b", "a"], ordered=True)),
    "object": pandas_table(LABELS, dtype=object),
    "str": pandas_table(LABELS),
    "polars": polars_table(LABELS, pl.Categorical),
    "enum": polars_table(LABELS, pl.Enum(["a", "b", "c"])),
    "arrow": arrow_table(pa.array(LABELS).dictionary_encode()),
}
#: New batches: the last cell is missing, or all are.
BATCHES = {
    "other categories": pandas_table(pd.Categorical(["z", None])),
    "fewer categories": pandas_table(pd.Categorical(["a", None])),
    "no categories": pandas_table(pd.Categorical([None, None])),
    "another order": pandas_table(pd.Categorical(["b", None], ["b", "a"], ordered=True)),
    "objects": pandas_table(["z", None], dtype=object),
    "text": pandas_table(["z", None], dtype="str"),
    "nothing, of text": pandas_table([None, None], dtype="string"),
    "nothing, of numbers": pandas_table([np.nan, np.nan]),
    "nothing, of dates": pandas_table([pd.NaT, pd.NaT]),
    "nothing, of polars": polars_table([None, None]),
    "other category of polars": polars_table(["z", None], pl.Categorical),
    "other enum": polars_table(["z", None], pl.Enum(["z"])),
    "nothing, of enum": polars_table([None, None], pl.Enum(["z"])),
    "dictionary": arrow_table(pa.array(["z", None]).dictionary_encode()),
    "empty dictionary": arrow_table(pa.array([None, None], pa.string()).dictionary_encode()),
    "large text": arrow_table(pa.array(["z", None], pa.large_string())),
    "views": arrow_table(pa.array(["z", None], pa.string_view())),
    "nulls": arrow_table(pa.nulls(2)),
}


@pytest.fixture(scope="module")
def models():
    return {name: TabularAutoencoder(2, **FAST).fit(X) for name, X in FITTED.items()}


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("name", FITTED)
def test_batches_may_have_other_categories_than_the_fit(name, batch, models):
    X = BATCHES[batch]
    imputed = models[name].impute(X)
    given, found = cells(X), cells(imputed)
    assert type(imputed) is type(X)
    assert found[1] in ("a", "b", "c")
    assert found[0] == given[0] if isinstance(given[0], str) else found[0] in ("a", "b", "c")
    assert set(cells(models[name].reconstruct(X))) <= {"a", "b", "c"}


@pytest.mark.parametrize(
    ("fitted", "batches"),
    [
        ("category", ["other categories", "nothing, of numbers", "nothing, of dates", "text"]),
        ("polars", ["nothing, of polars", "other category of polars"]),
        ("arrow", ["nulls", "dictionary", "empty dictionary", "views"]),
    ],
)
def test_batches_of_other_categories_are_explained(fitted, batches):
    detector = OutlierDetector(TabularAutoencoder(2, **FAST)).fit(FITTED[fitted])
    for X in (BATCHES[batch] for batch in batches):
        assert detector.explain(X).shape == X.shape
        normal = detector.nearest_normal(X)
        assert type(normal) is type(X)
        assert {value for value in cells(normal) if pd.notna(value)} <= {"a", "b", "c", "z"}
        assert len(detector.report(X)) == 4


def test_missing_booleans_stay_missing_in_explanations():
    X = pandas_table([True, False] * (N // 2))
    detector = OutlierDetector(TabularAutoencoder(2, **FAST)).fit(X)
    for column in (pd.Series([np.nan] * 2), pd.Series([True, None], dtype="boolean")):
        batch = pandas_table(column)
        report = detector.report(batch, n_columns=2)
        given = report[report["column"] == "c"].sort_values("row")["value"].tolist()
        assert pd.isna(given).tolist() == batch["c"].isna().tolist()
        normal = cells(detector.nearest_normal(batch))
        assert {value for value in normal if pd.notna(value)} <= {True, False}


@pytest.mark.parametrize(
    ("fitted", "batch", "expected"),
    [
        (list(range(N)), pandas_table([pd.NaT] * 2), int),
        (list(range(N)), pandas_table([None] * 2, dtype="str"), int),
        (list(range(N)), pandas_table(pd.Categorical([1.0, None])), float),
        (DATES, pandas_table([np.nan] * 2), pd.Timestamp),
        (DATES, pandas_table(pd.Series([pd.NaT] * 2, dtype="timedelta64[ns]")), pd.Timestamp),
        ([DATES[i] - START for i in range(N)], pandas_table([pd.NaT] * 2), pd.Timedelta),
        ([True, False] * (N // 2), pandas_table([np.nan] * 2), bool),
        ([True, False] * (N // 2), pandas_table([True, None], dtype="boolean"), bool),
    ],
)
def test_columns_without_a_cell_are_of_the_type_of_the_fit(fitted, batch, expected):
    model = TabularAutoencoder(2, **FAST).fit(pandas_table(fitted))
    imputed = model.impute(batch)["c"]
    assert {type(value) for value in imputed.tolist()} == {expected}
    assert imputed.notna().all()
    low, high = min(fitted), max(fitted)
    assert all(low <= value <= high for value in imputed)


def test_dates_in_other_units_and_zones_than_at_fit():
    model = TabularAutoencoder(2, **FAST).fit(pandas_table(DATES))
    column = pd.Series([START, pd.NaT])
    for given in (
        column.astype("datetime64[s]"),
        column.astype("datetime64[ns]"),
        column.dt.tz_localize("Asia/Tokyo"),
    ):
        assert model.impute(pandas_table(given))["c"].dtype == given.dtype


class Color(Enum):
    RED = 1
    BLUE = 2


class Level(IntEnum):
    LOW = 1
    HIGH = 2


#: Python objects, and what is made of the column: values of these types.
OBJECTS = {
    "decimals": [Decimal(i) / 4 for i in range(N)],
    "decimals and integers": [Decimal(i) / 4 if i % 2 else i for i in range(N)],
    "fractions": [Fraction(i, 3) for i in range(N)],
    "zone-aware": [date.replace(tzinfo=NEW_YORK) for date in DATES],
    "offset": [date.replace(tzinfo=dt.timezone(dt.timedelta(hours=2))) for date in DATES],
    "zone-aware timestamps": [pd.Timestamp(date, tz=NEW_YORK) for date in DATES],
    "dates": [date.date() for date in DATES],
    "times": [dt.time(i % 24, tzinfo=dt.UTC) for i in range(N)],
    "durations": [dt.timedelta(hours=i) for i in range(N)],
    "periods": [pd.Period("2020-01", "M") + i % 6 for i in range(N)],
    "intervals": [pd.Interval(i % 4, i % 4 + 1) for i in range(N)],
    "bytes": [b"a", b"b"] * (N // 2),
    "numbers of NumPy": [np.float32(i) for i in range(N)],
    "booleans of NumPy": [np.bool_(i % 2) for i in range(N)],
    "enumeration": [Color.RED, Color.BLUE] * (N // 2),
    "enumeration of integers": [Level.LOW, Level.HIGH] * (N // 2),
    "text and numbers": ["a", 1] * (N // 2),
    "text and dates": ["a", START] * (N // 2),
    "addresses": [ip_address(i % 3) for i in range(N)],
    "half of a surrogate pair": ["\udc80x", "b"] * (N // 2),
    "tuples": [(i % 2, 1) for i in range(N)],
}


def as_objects(values, step=None):
    column = np.empty(len(values), object)
    column[:] = np.fromiter(values, object, len(values))
    if step:
        column[::step] = None
    return column


@pytest.mark.parametrize("kind", OBJECTS)
@pytest.mark.parametrize("form", ["frame", "array"])
def test_objects_come_back_as_objects_of_their_type(kind, form):
    values = OBJECTS[kind]

    def table(column):
        if form == "frame":
            return pandas_table(column, dtype=object)
        return np.column_stack([np.arange(N) / N, column]).astype(object)

    X, incomplete = table(as_objects(values)), table(as_objects(values, step=5))
    model = TabularAutoencoder(2, **FAST).fit(X)
    tables = [
        model.impute(incomplete),
        model.reconstruct(X),
        model.inverse_transform(model.transform(X)),
    ]
    if kind in ("decimals", "zone-aware", "enumeration"):
        vae = VariationalAutoencoder(2, architecture="tabular", **FAST).fit(X)
        scorer = TabularOutlierScorer(TabularAutoencoder(2, **FAST), random_state=0).fit(X)
        tables += [vae.sample(5, random_state=0), scorer.impute(incomplete)]
    for made in tables:
        found = made["c"].tolist() if form == "frame" else made[:, 1].tolist()
        assert {type(value) for value in found} <= {type(value) for value in values}
        zones = {getattr(value, "tzinfo", None) for value in values}
        assert {getattr(value, "tzinfo", None) for value in found} == zones


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ([1j] * N, "Column 'c' holds complex numbers. Give their real and imaginary parts"),
        ([[1]] * N, "Column 'c' holds values that cannot be categories, such as lists"),
        ([{"a": 1}] * N, "Column 'c' holds values that cannot be categories, such as lists"),
    ],
)
def test_objects_that_cannot_be_read(column, message):
    with pytest.raises(TypeError, match=message):
        TabularAutoencoder().fit(pandas_table(column, dtype=object))


def test_columns_of_structs_are_named():
    with pytest.raises(TypeError, match="Column 'c' of dtype Struct.* cannot be read"):
        TabularAutoencoder().fit(polars_table([{"a": 1}] * N))


def test_a_column_of_nothing_but_missing_dates(rng):
    X = pandas_table([pd.NaT] * N, dtype=object)
    with pytest.warns(DataWarning, match=r"Columns \['c'\] hold nothing but missing values"):
        model = TabularAutoencoder(2, **FAST).fit(X)
    assert model.impute(X)["c"].isna().all()
