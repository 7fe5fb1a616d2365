"""What the default scorer makes of columns: constants, times, counters, differences."""

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from skae import OutlierDetector, TabularAutoencoder, TabularOutlierScorer
from skae.exceptions import DataWarning

SMALL = TabularAutoencoder(2, hidden_layer_sizes=(), max_epochs=3, early_stopping=False)
JANUARY = pd.Timestamp("2024-01-01")


def make(**params):
    return TabularOutlierScorer(SMALL, n_estimators=2, random_state=0, **params)


def detect(X):
    return OutlierDetector(make(), random_state=0).fit(X)


def flagged(detector, X):
    return (detector.predict(X) == -1).mean()


def numbers_beside(rng, column, n_columns=1):
    return np.column_stack([rng.normal(size=(len(column), n_columns)), column])


# Constant columns.


@pytest.mark.parametrize(
    ("value", "other"), [(0, 1), (3, 3.5), (100, 101), (1e-6, 1), (1e-6, 2e-6), (10**6, 10**6 + 1)]
)
@pytest.mark.parametrize("n_columns", [1, 10])
def test_another_value_of_a_constant_is_odd_whatever_the_unit(rng, value, other, n_columns):
    X = numbers_beside(rng, np.full(300, value), n_columns)
    scorer = make().fit(X)
    low = np.quantile(scorer.score_samples(X), 0.01)
    typical = X[np.argsort(scorer.score_samples(X))[150:160]]
    typical[:, -1] = other
    assert scorer.score_samples(typical).max() < low


@pytest.mark.parametrize(
    ("value", "other"),
    [
        (0.1 + 0.2, 0.3),
        (0.1, np.float32(0.1)),
        (np.float32(0.1), 0.1),
        (5, np.float32(5)),
        (7.0, np.nan),
    ],
)
def test_rounding_and_missing_cells_are_not_another_value(rng, value, other):
    X = numbers_beside(rng, np.full(200, value))
    scorer = make().fit(X)
    new = X.copy()
    new[:, -1] = other
    np.testing.assert_allclose(scorer.score_samples(new), scorer.score_samples(X))


@pytest.mark.filterwarnings("ignore:Columns .* hold nothing but missing values")
@pytest.mark.parametrize("to_frame", [pd.DataFrame, pl.DataFrame, lambda x: pa.table(dict(x))])
def test_constants_of_frames_are_named(rng, to_frame):
    n = 200
    X = {
        "number": np.full(n, 3),
        "a": rng.normal(size=n),
        "flag": np.zeros(n, bool),
        "b": rng.normal(size=n),
        "day": np.full(n, np.datetime64("2024-01-01")).astype("M8[us]"),
        "holes": np.where(np.arange(n) % 3, 2.5, np.nan),
        "never": np.full(n, np.nan),
    }
    detector = detect(to_frame(X))
    assert flagged(detector, to_frame(X)) < 0.05
    others = {"number": 4, "flag": True, "day": np.datetime64("2024-01-02"), "holes": 2.0}
    others["never"] = 1.0
    typical = np.argsort(-detector.score_samples(to_frame(X)))[:3]
    for name, other in others.items():
        rows = {key: column[typical] for key, column in X.items()}
        rows[name] = np.full(3, other, X[name].dtype)
        assert flagged(detector, to_frame(rows)) == 1
        if name != "never":  # no row has a value to expect
            contributions = pd.DataFrame(np.asarray(detector.explain(to_frame(rows))))
            assert (contributions.idxmax(axis=1) == list(X).index(name)).all()


def test_constants_are_soft_where_single_rows_often_differ(rng):
    """Such as pixels at the edge of images: the next row may be the first to differ."""
    X = (rng.random((200, 100)) < 0.004).astype(float) * rng.normal(3, 1, (200, 100))
    X[:, :2] = rng.normal(size=(200, 2))
    new = X[:50].copy()
    constant = np.flatnonzero(~X.any(0))
    assert len(constant) > 10
    new[:, constant[0]] = 0.1
    scorer = make().fit(X)
    is_low = scorer.score_samples(new) < np.quantile(scorer.score_samples(X), 0.01)
    assert is_low.mean() < 0.1


# Times and counters.


def events(rng, start, n, hours=(0, 24)):
    """Return rows with a growing time, in the hours given, in the 181 days from a start."""
    days = np.sort(rng.integers(0, 181, n))
    time = pd.Timestamp(start) + pd.to_timedelta(days + rng.uniform(*hours, n) / 24, "D")
    return pd.DataFrame({"time": time, "x": rng.normal(size=n), "y": rng.normal(size=n)})


def with_time(X, form):
    """Return rows whose time is in some form."""
    time = X["time"]
    if form == "epoch":
        return X.assign(time=(time - pd.Timestamp(0)) // pd.Timedelta("1s"))
    if form == "milliseconds":
        return X.assign(time=(time - pd.Timestamp(0)) / pd.Timedelta("1ms"))
    if form == "zone":
        return X.assign(time=time.dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo"))
    if form == "objects":
        return X.assign(time=pd.Series(time.dt.to_pydatetime(), dtype=object))
    if form == "newest first":
        return X[::-1]
    if form == "groups":
        return X.iloc[np.argsort(np.arange(len(X)) % 10, kind="stable")]
    if form == "holes":
        return X.assign(time=time.mask(np.arange(len(X)) % 4 == 0))
    if form == "shuffled":
        return X.sample(frac=1, random_state=0)
    if form == "days":
        return X.assign(time=time.dt.strftime("%Y%m%d").astype(int))
    raise ValueError(form)


@pytest.mark.parametrize(
    "form",
    [
        "epoch",
        "milliseconds",
        "zone",
        "objects",
        "newest first",
        "groups",
        "holes",
        "days",
        "shuffled",
    ],
)
def test_the_time_of_a_row_is_not_odd_by_itself(rng, form):
    with pytest.warns(DataWarning, match=r"\['time'\] grow with the order.*shuffle the rows"):
        detector = detect(with_time(events(rng, "2024-01-01", 1000), form))
    for start in ("2024-06-01", "2024-09-01", "2026-01-01"):
        assert flagged(detector, with_time(events(rng, start, 500), form)) < 0.04


@pytest.mark.parametrize("to_frame", [pl.from_pandas, pa.Table.from_pandas, lambda X: X.to_numpy()])
def test_times_of_other_tables(rng, to_frame):
    with pytest.warns(DataWarning, match="grow with the order"):
        detector = detect(to_frame(events(rng, "2024-01-01", 1000)))
    assert flagged(detector, to_frame(events(rng, "2024-09-01", 500))) < 0.04


@pytest.mark.parametrize("zone", [None, "America/New_York"])
def test_the_hour_of_a_row_is_odd(rng, zone):
    def rows(start, hours):
        X = events(rng, start, 1000, hours)
        return X.assign(time=X["time"].dt.tz_localize(zone, ambiguous="NaT"))

    with pytest.warns(DataWarning, match="grow with the order"):
        detector = detect(rows("2024-01-01", (8, 18)))
    assert flagged(detector, rows("2024-07-02", (8, 18))) < 0.04
    shifted = rows("2024-07-02", (0, 6)).dropna()
    assert flagged(detector, shifted) == 1
    assert (detector.explain(shifted.head(5)).idxmax(axis=1) == "time").all()


def test_the_day_of_the_week_of_a_row_is_odd(rng):
    X = events(rng, "2024-01-01", 1500)
    X = X[X["time"].dt.day_of_week < 5]
    with pytest.warns(DataWarning, match="grow with the order"):
        detector = detect(X)
    X = events(rng, "2024-09-02", 1000)
    is_weekend = X["time"].dt.day_of_week >= 5
    assert flagged(detector, X[is_weekend]) == 1
    assert flagged(detector, X[~is_weekend]) < 0.04


@pytest.mark.parametrize("year", [1, 1970, 2204])
def test_a_year_that_is_wrong_is_odd(rng, year):
    X = events(rng, "2024-01-01", 500)
    X["time"] = X["time"].astype("M8[s]")
    with pytest.warns(DataWarning, match="grow with the order"):
        detector = detect(X)
    wrong = X.assign(time=np.datetime64(f"{year:04}-03-01", "s"))
    assert flagged(detector, wrong) == 1
    assert (detector.explain(wrong.head(5)).idxmax(axis=1) == "time").all()


def test_the_month_counts_once_a_year_is_covered(rng):
    """Half a year: no month is odd. Two years: what does not fit the season is."""
    X = pd.concat([events(rng, start, 500) for start in ("2021", "2021-07", "2022", "2022-07")])
    summer = -np.cos(2 * np.pi * X["time"].dt.day_of_year / 365)
    X["x"] = 10 * summer + rng.normal(size=len(X))
    with pytest.warns(DataWarning, match="grow with the order"):
        detector = detect(X)
    new = X.assign(time=X["time"] + pd.Timedelta(730, "D"))
    in_winter = new[new["time"].dt.month.isin([12, 1])]
    assert flagged(detector, new) < 0.04
    assert flagged(detector, in_winter.assign(x=9.0)) > 0.8


@pytest.mark.parametrize(
    "counter",
    [
        lambda rng, n: np.arange(n),
        lambda rng, n: 10**6 - 5 * np.arange(n),
        lambda rng, n: np.cumsum(rng.geometric(0.2, n)),
        lambda rng, n: np.arange(n) + np.where(np.arange(n) % 100, 0, rng.integers(-2, 3, n)),
        lambda rng, n: 0.25 * np.arange(n),
        lambda rng, n: np.cumsum(rng.uniform(0.5, 2, n)),
    ],
    ids=["rows", "down", "gaps", "swaps", "elapsed", "uneven"],
)
def test_counters_are_not_odd(rng, counter):
    X = numbers_beside(rng, counter(rng, 800), 3)
    with pytest.warns(DataWarning, match=r"\[3\] grow with the order"):
        detector = detect(X[:500])
    assert flagged(detector, X[500:]) < 0.04


@pytest.mark.parametrize(
    "draw",
    [
        lambda rng, n: rng.lognormal(size=n),
        lambda rng, n: rng.normal(size=n).round(1),
        lambda rng, n: rng.uniform(size=n),
        lambda rng, n: rng.integers(18, 80, n),
        lambda rng, n: rng.integers(0, 5000, n),
        lambda rng, n: rng.uniform(0, 1000, n).round(),
        lambda rng, n: rng.exponential(size=n).cumsum() % 50,
    ],
    ids=["amount", "rounded", "uniform", "age", "integers", "money", "cycles"],
)
@pytest.mark.parametrize("n_rows", [40, 500])
def test_a_table_sorted_by_a_measurement_has_no_counter(global_random_seed, draw, n_rows):
    rng = np.random.default_rng(global_random_seed)
    values = np.sort(draw(rng, n_rows))
    scorer = make().fit(numbers_beside(rng, values))  # a warning would be an error
    row = [[0, 100 * values[-1]]]
    assert scorer.score_samples(row) < scorer.score_samples([[0, np.median(values)]])


def test_dates_in_any_order_are_judged_by_value(rng):
    day = JANUARY + pd.to_timedelta(rng.integers(0, 300, 300), "D")
    X = pd.DataFrame({"day": day, "x": rng.normal(size=300)})
    detector = detect(X)
    assert flagged(detector, X.head(50).assign(day=pd.Timestamp("2040-01-01"))) == 1


def test_where_there_is_only_a_counter_it_is_judged_by_value():
    X = np.arange(100.0)[:, None]
    assert make().fit(X).score_samples([[500.0]]) < make().fit(X).score_samples([[50.0]])


def test_text_that_is_different_in_each_row_is_left_out(rng):
    X = pd.DataFrame({"name": [f"n{i}" for i in range(300)], "x": rng.normal(size=300)})
    with pytest.warns(DataWarning, match="another value in every row"):
        scorer = make().fit(X[:200])
    alone = make().fit(X[["x"]][:200])
    np.testing.assert_array_equal(
        scorer.score_samples(X[200:]), alone.score_samples(X[["x"]][200:])
    )


def test_dates_as_text_are_left_out(rng):
    X = events(rng, "2024-01-01", 600)
    X["time"] = X["time"].dt.strftime("%d.%m.%Y")
    with pytest.warns(DataWarning, match=r"\['time'\] hold dates as text.*pandas.to_datetime"):
        detector = detect(X)
    assert flagged(detector, X.assign(time="01.10.2024")) < 0.04


def test_new_names_are_not_odd_where_they_are_usual(rng):
    def rows(n):
        names = [f"customer {i}" for i in rng.integers(0, 1000, n)]
        return pd.DataFrame({"name": names, "kind": rng.choice(["a", "b"], n), "x": rng.random(n)})

    detector = detect(rows(600))
    new = rows(300)
    assert flagged(detector, new) < 0.04
    assert flagged(detector, new.assign(kind="c")) == 1


# Differences.


def orders(rng, n, delay=(2, 11)):
    """Return orders, delivered some days after the order, with holes; and which are wrong."""
    ordered = JANUARY + pd.to_timedelta(rng.integers(0, 181, n), "D")
    delivered = ordered + pd.to_timedelta(rng.integers(*delay, n), "D")
    X = pd.DataFrame(
        {
            "country": rng.choice(["de", "fr"], n),
            "ordered": ordered,
            "amount": rng.uniform(size=n),
            "delivered": delivered,
            "weight": rng.uniform(size=n),
        }
    )
    is_wrong = np.arange(n) % 100 == 7
    early = pd.to_timedelta(rng.integers(1, 9, n), "D")
    X["delivered"] = X["delivered"].mask(is_wrong, ordered - early)
    X.loc[rng.random(n) < 0.05, "ordered"] = pd.NaT
    return X, is_wrong & X["ordered"].notna().to_numpy()


@pytest.mark.parametrize("order", ["any", "by date"])
def test_delivered_before_ordered(rng, order):
    """Among the training rows and in new rows; the explanation names both columns."""
    X, is_wrong = orders(rng, 1500)
    if order == "by date":
        in_order = np.argsort(X["ordered"].fillna(JANUARY), kind="stable")
        X, is_wrong = X.iloc[in_order], is_wrong[in_order]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        detector = detect(X)
    new, is_new_wrong = orders(rng, 1500)
    for rows, which in ((X, is_wrong), (new, is_new_wrong)):
        assert flagged(detector, rows[which]) > 0.8
        assert flagged(detector, rows[~which]) < 0.03
    contributions = detector.explain(new[is_new_wrong])
    first_two = np.sort(np.argsort(-contributions.to_numpy(), axis=1)[:, :2], axis=1)
    assert (first_two == [1, 3]).all(1).mean() > 0.9
    assert (contributions[["ordered", "delivered"]] > 0).all(axis=None)


@pytest.mark.parametrize("to_frame", [pl.from_pandas, pa.Table.from_pandas, lambda X: X.to_numpy()])
def test_differences_of_dates_in_other_tables(rng, to_frame):
    detector = detect(to_frame(orders(rng, 1000)[0]))
    new, is_wrong = orders(rng, 1000)
    assert flagged(detector, to_frame(new[is_wrong])) > 0.8
    contributions = np.asarray(detector.explain(to_frame(new[is_wrong])))
    assert (contributions[:, [1, 3]] > 0).all()


def test_a_date_that_is_odd_by_itself_is_named_alone(rng):
    X, is_wrong = orders(rng, 1000)
    detector = detect(X[~is_wrong])
    rows = X[~is_wrong].dropna().head(5).assign(ordered=pd.Timestamp("1924-01-01"))
    contributions = detector.explain(rows)
    assert (contributions.idxmax(axis=1) == "ordered").all()


def test_a_third_date_shares_the_fault_but_the_wrong_one_comes_first(rng):
    X, is_wrong = orders(rng, 1500)
    X = X[~is_wrong].dropna()
    X["sent"] = X["ordered"] + (X["delivered"] - X["ordered"]) / 2
    detector = detect(X)
    rows = X.head(10)
    rows = rows.assign(delivered=rows["ordered"] - pd.Timedelta(5, "D"))
    assert (detector.explain(rows).idxmax(axis=1) == "delivered").mean() > 0.7


def test_numbers_of_one_unit(rng):
    """Which of two is larger, where it is always the same and not by chance; and tight ones."""
    n = 1000
    start = rng.uniform(0, 1000, n)
    X = pd.DataFrame(
        {
            "start": start,
            "other": rng.normal(size=n),
            "end": start + rng.exponential(200, n),
            "copy": start + rng.normal(0, 1, n),
        }
    )
    detector = detect(X)
    rows = X.head(50)
    assert flagged(detector, rows.assign(end=rows["start"] - 30)) == 1
    assert flagged(detector, rows.assign(copy=rows["start"] + 30)) == 1
    assert flagged(detector, X) < 0.03
    contributions = detector.explain(rows.assign(end=rows["start"] - 30).head(5))
    assert (contributions[["start", "end"]] > 0).all().all()


def test_numbers_without_relations_have_no_differences(rng):
    X = rng.normal(size=(500, 6)) * [1, 1, 1, 10, 10, 5] + [0, 0, 3, 0, 50, 1]
    scorer = make().fit(X)
    assert scorer.ensemble_.n_features_in_ == 6


# What stays as it was.


def test_impute_fills_the_columns_of_the_user(rng):
    X = events(rng, "2024-01-01", 300).assign(constant=3, end=lambda X: X["time"])
    X.loc[5, ["time", "x", "constant"]] = None
    with pytest.warns(DataWarning, match="grow with the order"):
        imputed = make().fit(X).impute(X)
    assert list(imputed.columns) == list(X.columns)
    assert imputed.notna().all().all()
    assert imputed["constant"].eq(3).all()
    assert X["time"].min() < imputed["time"][5] < X["time"].max()
    pd.testing.assert_frame_equal(imputed.drop(index=5), X.drop(index=5))


def test_changed_columns_are_named(rng):
    with pytest.warns(DataWarning, match="grow with the order"):
        scorer = make().fit(events(rng, "2024-01-01", 200).assign(constant=3))
    X = events(rng, "2024-01-01", 10).assign(constant=3)
    with pytest.raises(ValueError, match=r"missing:\n- time"):
        scorer.score_samples(X.drop(columns="time"))
    with pytest.raises(ValueError, match="'time' held dates"):
        scorer.score_samples(X.assign(time=1.0))
    with pytest.raises(ValueError, match="'constant' held numbers"):
        scorer.score_samples(X.assign(constant="three"))


def test_midnight_is_in_the_day_that_begins(rng):
    """Also far from the training rows, where cells lose some digits."""
    X = pd.DataFrame({"seen": 1.6e9 + rng.permutation(300) * 1e5, "a": rng.normal(size=300)})
    scorer = TabularOutlierScorer(TabularAutoencoder(max_epochs=1), random_state=0)
    with pytest.warns(DataWarning, match="seen"):
        scorer.fit(X)
    new = pd.DataFrame({"seen": 86_400.0 * np.arange(40_000, 56_000, 37), "a": 0.0})
    later = scorer.score_samples(new.assign(seen=new.seen + 60))
    np.testing.assert_allclose(scorer.score_samples(new), later, atol=0.05)
