"""Rows that are made hold what columns can hold: ranges, decimals, whole days, categories, ids."""

import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pytest

from skae import TabularAutoencoder, VariationalAutoencoder
from skae._data.columns import TableColumns
from skae.architectures import Tabular

N = 300
QUICK = {"max_epochs": 2, "random_state": 0, "check_baseline": False}


@pytest.fixture
def frame(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    day = pd.Timestamp("2020-03-01") + pd.to_timedelta(rng.integers(0, 400, N), unit="D")
    with_holes = rng.integers(0, 9, N).astype(float)
    with_holes[::7] = np.nan
    grades = ["bad", "fair", "good"]
    X = pd.DataFrame(
        {
            "age": rng.integers(18, 90, N),
            "gain": np.where(rng.random(N) < 0.5, 0, np.round(rng.lognormal(6, 2, N), 2)),
            "salary": rng.integers(20, 90, N) * 1000,
            "rate": np.round(rng.normal(size=N), 1).astype(np.float32),
            "day": day,
            "noon": day + pd.Timedelta(12, "h"),
            "local": day.tz_localize("Europe/Berlin"),
            "date": day.date,
            "moment": day + pd.to_timedelta(rng.integers(0, 86_400, N), unit="s"),
            "took": pd.to_timedelta(rng.integers(1, 500, N), unit="min"),
            "n_rooms": with_holes,
            "n_doors": pd.array(with_holes, dtype="Int64"),
            "grade": pd.Categorical(rng.choice(grades, N), categories=grades, ordered=True),
            "is_new": rng.random(N) < 0.5,
            "constant": 3.14159265,
            "price": [Decimal(int(cents)) / 100 for cents in rng.integers(100, 10_000, N)],
            "street": [f"street {i}" for i in np.r_[np.arange(200), rng.integers(0, 20, N - 200)]],
            "tail": rng.lognormal(0, 5, N),
            "cauchy": rng.standard_cauchy(N),
        }
    )
    return X.set_index(rng.permutation(N))


def random_cells(columns, n=1000):
    rng = np.random.default_rng(1)
    cells = rng.normal(scale=30, size=(n, len(columns.columns)))
    for i in np.flatnonzero(columns.is_category):
        cells[:, i] = rng.integers(0, columns.widths[i], n)
    return cells


def check_columns(made, frame):
    """Check that columns hold nothing that those of a frame cannot hold."""
    for name in frame.columns.drop(["grade", "is_new", "street"]):
        known = made[name].dropna()
        assert known.between(frame[name].min(), frame[name].max()).all(), name
    assert (made["salary"] % 1000 == 0).all()
    assert (np.round(made["gain"], 2) == made["gain"]).all()
    assert (np.round(made["rate"].astype(float), 1).astype(np.float32) == made["rate"]).all()
    assert (made["n_rooms"].dropna() % 1 == 0).all()
    assert (made["day"] == made["day"].dt.normalize()).all()
    assert (made["local"] == made["local"].dt.normalize()).all()
    assert (made["noon"].dt.minute == 0).all()
    assert (made["moment"] == made["moment"].dt.floor("s")).all()
    assert (made["took"] == made["took"].dt.floor("min")).all()
    assert (made["constant"] == 3.14159265).all()
    assert made["price"].map(lambda price: price.as_tuple().exponent).eq(-2).all()
    assert set(made["street"]) <= set(frame["street"])
    assert made["grade"].dtype == frame["grade"].dtype
    assert made["is_new"].dtype == bool
    assert made["date"].map(type).eq(datetime.date).all()


def test_made_rows_hold_what_the_columns_can_hold(frame):
    columns = TableColumns.learn(frame)
    made = columns.restore(random_cells(columns))
    check_columns(made, frame)
    assert made["age"].min() == frame["age"].min()
    assert made["age"].max() == frame["age"].max()
    assert made["local"].max() == frame["local"].max()
    dtypes = made.dtypes.drop("n_doors")
    assert dtypes.equals(frame.dtypes.drop("n_doors"))


def test_training_rows_come_back_as_they_are(frame):
    columns = TableColumns.learn(frame, max_categories=N)
    exact = frame.drop(columns=["tail", "cauchy"])
    restored = columns.restore(columns.read(frame), frame.index)
    pd.testing.assert_frame_equal(restored[exact.columns], exact, check_exact=True)


def test_reconstruct_impute_and_inverse_transform(frame):
    model = TabularAutoencoder(3, **QUICK).fit(frame)
    codes = np.random.default_rng(0).normal(scale=100, size=(500, 3))
    check_columns(model.inverse_transform(codes), frame)
    far = frame.assign(age=150, gain=-5.555)
    check_columns(model.reconstruct(far), frame)
    holes = frame.mask(np.random.default_rng(0).random(frame.shape) < 0.2)
    imputed = model.impute(holes.astype({"constant": float}))
    assert (np.round(imputed["gain"].astype(float), 2) == imputed["gain"]).all()
    assert imputed["age"].between(frame["age"].min(), frame["age"].max()).all()
    assert (imputed["local"] == imputed["local"].dt.normalize()).all()


def test_samples_of_a_variational_autoencoder(frame):
    made = VariationalAutoencoder(2, architecture="tabular", **QUICK).fit(frame).sample(200)
    check_columns(made.dropna(subset="n_rooms"), frame)
    assert made.isna().any()["n_rooms"]  # as in the table
    assert not made.isna().any()[frame.notna().all()].any()


def test_beyond_the_range(frame):
    parts = frame[["age", "gain", "day", "local"]]
    columns = TableColumns.learn(parts, clip_to_range=False)
    made = columns.restore(random_cells(columns))
    for name in parts:
        assert (made[name] > frame[name].max()).any()
    assert (made["local"] == made["local"].dt.normalize()).all()
    model = TabularAutoencoder(1, clip_to_range=False, **QUICK).fit(parts)
    codes = np.array([[-1e3], [1e3]])
    assert not model.inverse_transform(codes)["age"].between(18, 90).all()
    clipped = VariationalAutoencoder(1, architecture=Tabular(clip_to_range=True), **QUICK)
    assert clipped.fit(parts).inverse_transform(codes)["age"].between(18, 90).all()


def test_scores_do_not_depend_on_the_range(frame):
    parts = frame[["age", "gain", "day"]]
    far = parts.assign(age=150, day=pd.Timestamp("2023-01-01"))
    one, other = (
        TabularAutoencoder(1, clip_to_range=clip, **QUICK).fit(parts) for clip in (False, True)
    )
    for method in ("score_samples", "transform", "reconstruction_errors"):
        found = [np.asarray(getattr(model, method)(far)) for model in (one, other)]
        np.testing.assert_array_equal(*found)
    assert other.score_samples(far).max() < other.score_samples(parts).min()


def test_arrays_hold_whole_numbers_and_decimals(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    X = np.column_stack([rng.integers(18, 90, N), np.round(rng.lognormal(3, 1, N), 2)])
    X[::5] = np.nan
    columns = TableColumns.learn(X)
    made = columns.restore(random_cells(columns))
    assert set(made[:, 0] % 1) == {0}
    np.testing.assert_array_equal(made[:, 1], np.round(made[:, 1], 2))
    assert made[:, 1].max() == np.nanmax(X[:, 1])
    single = X.astype(np.float32)
    made = TableColumns.learn(single).restore(random_cells(columns), dtype=np.float32)
    np.testing.assert_array_equal(made[:, 1], np.round(made[:, 1].astype(float), 2).astype("f4"))


def test_polars_tables_hold_what_they_can_hold(frame):
    names = ["age", "gain", "rate", "day", "local", "took", "grade", "is_new", "street"]
    X = pl.from_pandas(frame[names])
    columns = TableColumns.learn(X)
    made = columns.restore(random_cells(columns))
    assert made.schema == X.schema
    for name in names[:6]:
        assert made[name].min() == X[name].min()
        assert made[name].max() == X[name].max()
    assert (made["local"].dt.time() == datetime.time(0)).all()
    assert (made["day"].dt.time() == datetime.time(0)).all()
    np.testing.assert_array_equal(made["gain"], made["gain"].round(2))


@pytest.mark.parametrize(
    ("values", "decimals"),
    [
        (np.arange(30) / 10, 1),
        (np.arange(30) * 0.1, 1),  # 3 * 0.1 is not 0.3
        (np.arange(30) * 100.0, -2),
        (np.arange(9) / 10, None),  # too few
        (np.arange(30) * 1e-9, None),  # small, not 0
        (np.r_[np.arange(30), 1e-9], None),
        (np.r_[np.arange(30.0), 1e308], 0),
        (np.r_[np.arange(30) / 10, 1e308], None),  # it overflows
        (np.arange(30) + 1 / 3, None),
        (2.0**53 + 2.0 * np.arange(30), 0),
        (np.zeros(30), -6),
        (np.r_[1e6 + 0.25, np.arange(30)], 2),
    ],
)
def test_decimals(values, decimals):
    grid = TableColumns.learn(pd.DataFrame({"x": values.astype(float)})).columns[0].grid
    assert grid.decimals == decimals
    np.testing.assert_allclose(grid.nearest(values), values, rtol=1e-14, atol=0)


def test_ids_of_new_rows_are_new(frame):
    X = frame[["age", "grade"]].assign(
        user_id=np.random.default_rng(0).permutation(N) + 1000, name=[f"Ms {i}" for i in range(N)]
    )
    X["key"] = pd.Categorical([f"key {i}" for i in range(N)])
    with pytest.warns(match="names and ids"):
        model = TabularAutoencoder(2, **QUICK).fit(X)
    made = model.inverse_transform(model.transform(X))
    assert made["user_id"].tolist() == list(range(1000 + N, 1000 + 2 * N))
    assert made["user_id"].dtype == X["user_id"].dtype
    assert made["name"].tolist() == [f"name {i}" for i in range(1, N + 1)]
    assert made["key"].nunique() == N
    assert made["key"].dtype.name == "category"
    assert not set(made["key"]) & set(X["key"])
    restored = model.reconstruct(X)
    assert set(restored["name"]) <= set(X["name"])
    assert restored["user_id"].max() <= 1000 + N


def test_ids_that_are_no_text_are_missing_in_new_rows():
    X = pd.DataFrame({"x": np.arange(30) % 4, "place": [(i, i) for i in range(30)]})
    with pytest.warns(match="names and ids"):
        columns = TableColumns.learn(X)
    made = columns.restore(columns.read(X), are_new=True)
    assert made["place"].isna().all()


def test_new_names_are_not_those_of_training_rows():
    X = pd.DataFrame({"name": [f"name {i}" for i in range(30)], "x": np.arange(30) % 4})
    with pytest.warns(match="names and ids"):
        columns = TableColumns.learn(X)
    cells = columns.read(X)
    cells[3, 0] = np.nan
    names = columns.restore(cells, are_new=True)["name"]
    assert names.isna().tolist() == [i == 3 for i in range(30)]
    assert not set(names) & set(X["name"])


def test_rare_categories_are_drawn_by_how_often_they_were():
    values = ["a"] * 500 + ["b"] * 30 + ["c"] * 10 + [f"rare {i}" for i in range(5)]
    columns = TableColumns.learn(pd.DataFrame({"x": values}), max_categories=2)
    cells = np.ones((4500, 1))
    assert set(columns.restore(cells)["x"]) == {"b"}
    drawn = columns.restore(cells, rng=np.random.RandomState(0))["x"].value_counts()
    assert set(drawn.index) == set(values) - {"a"}
    assert drawn["b"] == pytest.approx(3000, rel=0.1)
    assert drawn["c"] == pytest.approx(1000, rel=0.1)
    again = columns.restore(cells, rng=np.random.RandomState(0))["x"].value_counts()
    assert drawn.equals(again)


def test_more_rows_widen_the_range(frame):
    parts = frame[["age", "gain", "day", "local", "street"]]
    model = TabularAutoencoder(2, **QUICK).partial_fit(parts)
    more = parts.assign(age=parts["age"] + 50, gain=parts["gain"] * 10)
    more["day"] += pd.Timedelta(1000, "D")
    more["local"] += pd.Timedelta(1000, "h")
    model.partial_fit(more)
    columns = model._reader.format.columns
    made = columns.restore(random_cells(columns))
    both = pd.concat([parts, more])
    for name in parts.columns[:4]:
        assert made[name].min() == both[name].min(), name
        assert made[name].max() == both[name].max(), name
    assert (made["day"] == made["day"].dt.normalize()).all()
    assert (made["local"].dt.hour > 0).any()
    finer = parts.assign(gain=parts["gain"] + 0.001)
    model.partial_fit(finer)
    columns = model._reader.format.columns
    gain = columns.restore(random_cells(columns))["gain"]
    assert (np.round(gain, 2) != gain).any()


def test_missing_output_of_a_category_is_missing(frame):
    model = TabularAutoencoder(2, **QUICK).fit(frame[["age", "grade", "street"]])
    output = np.zeros((3, *model._reader.sample_shape))
    output[1] = np.nan
    made = model._reader.format.to_array(output)
    assert made.isna().all(axis=1).tolist() == [False, True, False]


def test_dates_are_whole_days_when_clocks_change():
    days = pd.date_range("2019-01-01", "2022-01-01", tz="America/New_York")
    columns = TableColumns.learn(pd.DataFrame({"day": days}))
    cells = np.linspace(-2, 2, 5000)[:, None]
    assert set(columns.restore(cells)["day"]) == set(days)
    python = pd.DataFrame({"day": days.to_pydatetime()}, dtype=object)
    made = TableColumns.learn(python).restore(cells)["day"]
    assert {moment.time() for moment in made} == {datetime.time(0)}


def test_means_become_values_that_many_rows_hold():
    rng = np.random.default_rng(0)
    gain = np.where(rng.random(2000) < 0.8, 0.0, rng.uniform(1000, 3000, 2000))
    columns = TableColumns.learn(pd.DataFrame({"gain": gain}))
    cells = columns.read(pd.DataFrame({"gain": [-5.0, 20, 90, 300, 1000, 2999, np.nan]}))
    exact = columns.restore(cells)["gain"]
    np.testing.assert_allclose(exact, [0, 20, 90, 300, 1000, 2999, np.nan], atol=1)
    means = columns.restore(cells, are_means=True)["gain"]
    np.testing.assert_allclose(means, [0, 0, 0, 300, 1000, 2999, np.nan], atol=1)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.random.default_rng(0).normal(size=500), []),
        (np.r_[np.zeros(9), np.arange(1, 30)], []),  # too few cells
        (np.arange(100), []),
        (np.full(50, 3.0), [[3, 3, 3]]),
        (np.r_[np.zeros(60), np.full(40, 10.0)], [[0, -0.5, 0.5], [10, 9.5, 10.5]]),
        (np.r_[np.zeros(60), np.arange(1.0, 41)], [[0, -1.025, 1.025]]),
    ],
)
def test_point_masses(values, expected):
    found = TableColumns.learn(pd.DataFrame({"x": values.astype(float)})).columns[0].grid.masses
    np.testing.assert_allclose(found, np.reshape(expected, (-1, 3)))


def test_reconstructions_hold_as_many_exact_zeros(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    size = rng.normal(size=1000)
    gain = np.where(size < 0.8, 0.0, 5000 + 1000 * size)
    X = pd.DataFrame({"size": size, "gain": gain + 0.0, "other": rng.normal(size=1000)})
    model = TabularAutoencoder(2, max_epochs=20, random_state=0).fit(X)
    is_zero = model.reconstruct(X)["gain"] == 0
    assert is_zero.mean() == pytest.approx((X["gain"] == 0).mean(), abs=0.15)
    assert (X["gain"][is_zero] == 0).mean() > 0.95
