"""Reports on generated tables, against closed forms on small ones."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from scipy.stats import spearmanr
from scipy.stats.contingency import association

from skae.metrics import fidelity_report
from skae.metrics._table_distances import (
    associations,
    closest_distance,
    column_distance,
    correlation_ratio,
    cramers_v,
)

N = 120


@pytest.fixture(scope="module")
def table():
    """Columns of all kinds, some of which depend on each other, constant, ids or missing."""
    rng = np.random.default_rng(0)
    length = rng.normal(40, 8, N)
    size = np.where(length > 40, "large", "small").astype(object)
    size[::10] = None
    width = 0.7 * length + rng.normal(0, 1, N)
    width[::7] = np.nan
    return pd.DataFrame(
        {
            "length": length,
            "width": width,
            "size": size,
            "day": pd.Timestamp("2025-01-01") + pd.to_timedelta(rng.integers(0, 99, N), unit="D"),
            "fragile": rng.random(N) < 0.3,
            "id": [f"parcel {i}" for i in range(N)],
            "one": 1,
            "none": None,
        }
    )


def shuffled(table, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {name: table[name].to_numpy()[rng.permutation(len(table))] for name in table}
    )


@pytest.fixture(scope="module")
def of_copies(table):
    return fidelity_report(table, table.sample(frac=1, random_state=0))


@pytest.fixture(scope="module")
def of_shuffled(table):
    return fidelity_report(table, shuffled(table))


def test_copies_are_perfect_and_found(of_copies):
    assert of_copies.columns["distance"].tolist() == [0] * 8
    assert (of_copies.pairs.abs() < 1e-12).all(axis=None)
    assert of_copies.detection_auroc == pytest.approx(0.5, abs=0.02)
    scores = of_copies.to_frame()
    assert scores.loc["copied_fraction"].tolist() == [1, 0]
    assert of_copies.closest_record_ratio == 0
    assert of_copies.target_loss is None


def test_independent_columns_are_told_apart(of_shuffled, of_copies):
    assert of_shuffled.columns["distance"].tolist() == [0] * 8
    pairs = of_shuffled.pairs
    assert pairs.loc["length", "width"] > 0.7
    assert pairs.loc["length", "size"] > 0.7
    assert pairs.equals(pairs.T)
    assert of_shuffled.detection_auroc > of_copies.detection_auroc + 0.1
    assert of_shuffled.closest_record_ratio > 1
    scores = of_shuffled.to_frame()
    above = pairs.to_numpy()[np.triu_indices(8, 1)]
    assert scores.loc["pair_difference", "synthetic"] == pytest.approx(above.mean())
    assert scores.loc["pair_difference", "real"] < scores.loc["pair_difference", "synthetic"]
    assert scores.loc["copied_fraction", "synthetic"] == 0


def test_what_a_report_says_of_columns(table, of_copies):
    columns = of_copies.columns
    assert columns.index.tolist() == list(table.columns)
    kinds = ["number", "number", "category", "date", "category", "category", "number", "number"]
    assert columns["kind"].tolist() == kinds
    np.testing.assert_allclose(columns["missing"], table.isna().mean())
    assert columns.loc["id", "real_distance"] == pytest.approx(1)  # halves have no id in common
    bars = of_copies.marginals["size"]
    assert set(bars.index) == {"large", "small", "missing"}
    np.testing.assert_allclose(bars.sum(), 1)
    assert bars.loc["missing"].tolist() == [0.1, 0.1]
    days = of_copies.marginals["day"].index
    assert days[0].left.year == 2025
    np.testing.assert_allclose(of_copies.marginals["width"].sum(), 1 - table["width"].isna().mean())
    assert of_copies.marginals["id"].index[-1] == "others"


def test_the_text_and_the_state_of_a_report(of_copies):
    text = str(of_copies)
    assert "FidelityReport of 8 columns" in text
    assert all(name in text for name in of_copies.to_frame().index)
    again = pickle.loads(pickle.dumps(of_copies))
    assert repr(again) == repr(of_copies) == text
    frame = of_copies.to_frame()
    frame.loc[:] = 0
    assert str(of_copies) == text
    with pytest.raises(AttributeError):
        of_copies.scores = None


@pytest.mark.parametrize(
    ("real", "rows", "distance"),
    [
        ([0.0, 1, 2, 3], [0.0, 1, 2, 3], 0),
        ([0.0, 1, 2, 3], [10.0, 11], 1),
        ([0.0, 1, 2, 3], [2.0, 3, 2, 3], 0.5),
        ([0.0, 1, 2, np.nan], [0.0, 1, 2, 2], 0.25),
        ([np.nan, np.nan], [np.nan], 0),
        ([np.nan, np.nan], [1.0], 1),
    ],
)
def test_distances_of_numbers(real, rows, distance):
    assert column_distance(pd.Series(real), pd.Series(rows)) == pytest.approx(distance)


def test_distances_of_categories():
    dtype = pd.CategoricalDtype(["a", "b", "c"])
    real, rows = (pd.Series(v, dtype=dtype) for v in (["a", "a", "b", None], ["a", "b", "b", "c"]))
    assert column_distance(real, rows) == 0.5  # (1/4 + 1/4 + 1/4 + 1/4) / 2
    assert column_distance(real, real) == 0


def test_associations_are_those_of_scipy(rng):
    a, b = rng.normal(size=(2, 400))
    kinds = pd.Series(np.where(a > 0, "x", "y")).astype("category")
    table = pd.DataFrame({"a": a, "b": a + b, "kind": kinds})
    found = associations(table)
    assert found.loc["a", "b"] == pytest.approx(spearmanr(a, a + b).statistic)
    assert np.diag(found).tolist() == [1, 1, 1]
    assert 0.8 < found.loc["a", "kind"] < 0.9  # of ranks that are cut in halves: sqrt(3) / 2
    counts = 1000 * np.array([[3, 1], [1, 3]])
    assert cramers_v(counts) == pytest.approx(association(counts, method="cramer"), abs=1e-3)


def test_associations_are_corrected_for_their_bias(rng):
    assert cramers_v(np.eye(50)) == 0  # ids tell nothing
    assert cramers_v(np.full((2, 2), 5)) == 0
    assert cramers_v(np.diag([9, 9, 0])) == pytest.approx(1)
    assert cramers_v(np.array([[3, 4]])) == cramers_v(np.zeros((2, 2))) == 0
    codes = np.arange(20)
    assert correlation_ratio(codes, rng.normal(size=20)) == 0
    assert correlation_ratio(codes % 2, (codes % 2).astype(float)) == 1
    assert correlation_ratio(codes % 2, np.ones(20)) == 0
    assert correlation_ratio(np.full(20, -1), np.ones(20)) == 0


def test_distances_of_rows():
    dtype = pd.CategoricalDtype(["a", "b"])
    numbers = np.arange(101.0)  # from the 5th to the 95th percentile it is 90
    real = pd.DataFrame({"x": numbers, "kind": pd.Series(["a"] * 101, dtype=dtype)})
    rows = pd.DataFrame({"x": [109.0], "kind": pd.Series(["b"], dtype=dtype)})
    random = np.random.RandomState(0)
    assert closest_distance(real, rows, random) == pytest.approx((9 / 90 + 1) / 2)
    assert closest_distance(real, None, random) == pytest.approx(1 / 90 / 2)
    unknown = rows.assign(x=np.nan, kind=pd.Series([None], dtype=dtype))
    assert closest_distance(real, unknown, random) == pytest.approx((1 + 0.5) / 2, abs=0.3)


@pytest.mark.parametrize(
    ("target", "metric"),
    [("big", "target_auroc"), ("group", "target_accuracy"), ("y", "target_r2")],
)
def test_training_on_synthetic_rows(target, metric):
    rng = np.random.default_rng(0)
    x = rng.normal(size=240)
    table = pd.DataFrame(
        {"x": x, "big": (x > 0).astype(int), "y": 2 * x, "group": pd.cut(x, [-9, -1, 1, 9])}
    )
    table["group"] = table["group"].astype(str)
    real, test = table[["x", target]][:120], table[["x", target]][120:]
    bad = fidelity_report(real, shuffled(real), test=test, target=target)
    assert bad.to_frame().loc[metric, "real"] > 0.8
    assert bad.target_loss > 0.2
    alike = pd.concat([real[real[target] == real[target].iloc[0]]] * 20)
    alike = fidelity_report(real, alike, test=test, target=target)
    assert alike.target_loss > 0.2
    pd.testing.assert_series_equal(alike.scores["real"], bad.scores["real"])  # whatever is compared


def test_frames_and_arrays_of_all_libraries(table):
    one = table[["length", "size", "fragile"]][:30]
    two = shuffled(one)
    makers = pd.DataFrame, pl.from_pandas, pa.Table.from_pandas
    texts = {str(fidelity_report(make(one), make(two))) for make in makers}
    assert len(texts) == 1
    rows = fidelity_report(pl.from_pandas(one), pl.from_pandas(two[["fragile", "size", "length"]]))
    assert rows.columns["distance"].tolist() == [0, 0, 0]
    X = one[["length"]].to_numpy()
    of_arrays = fidelity_report(X, X)
    assert of_arrays.columns.index.tolist() == [0]
    assert of_arrays.to_frame().loc["pair_difference", "synthetic"] == 0
    named = fidelity_report(one[["length"]], X)
    assert named.columns.index.tolist() == ["length"]
    objects = one.to_numpy(dtype=object)
    kinds = fidelity_report(objects, objects).columns["kind"].tolist()
    assert kinds == ["number", "category", "category"]


def test_the_same_seed_gives_the_same_report(table, of_shuffled):
    again = fidelity_report(table, shuffled(table))
    pd.testing.assert_frame_equal(again.scores, of_shuffled.scores, check_exact=True)


ROWS = pd.DataFrame({"a": np.arange(20.0), "b": ["x", "y"] * 10})


@pytest.mark.parametrize(
    ("synthetic", "how", "message"),
    [
        (ROWS[["a"]], {}, r"synthetic lacks \['b'\]"),
        (ROWS.assign(c=1), {}, r"has \['c'\], which real lacks"),
        (ROWS[:5], {}, "synthetic has 5 rows; at least 10"),
        (ROWS.assign(a="x"), {}, "'a' is not of one kind: number in real, category in synthetic"),
        (ROWS.assign(a=pd.Timestamp("2025")), {}, "number in real, date in synthetic"),
        (ROWS.assign(a=np.inf), {}, "'a' of synthetic holds infinite"),
        (np.zeros((20, 3)), {}, "synthetic has 3 columns, and real has 2"),
        (np.zeros(20), {}, "synthetic has 1"),
        (ROWS, {"test": ROWS[["b"]]}, r"test lacks \['a'\]"),
        (ROWS, {"target": "z", "test": ROWS}, r"target='z' is no column; .*\['a', 'b'\]"),
        (ROWS, {"target": "b"}, "target='b' needs test"),
        (ROWS.assign(b=None), {"target": "b", "test": ROWS}, "'b' of synthetic is missing in all"),
        (ROWS, {"target": "b", "test": ROWS.assign(b="x")}, "'b' of test has one value only"),
    ],
)
def test_tables_that_cannot_be_compared(synthetic, how, message):
    with pytest.raises(ValueError, match=message):
        fidelity_report(ROWS, synthetic, **how)


@pytest.mark.parametrize("cell", [[1], {"a": 1}, 1j])
def test_cells_that_cannot_be_compared(cell):
    rows = ROWS.assign(b=pd.Series([cell] * 20))
    with pytest.raises(TypeError, match="'b'.*drop it"):
        fidelity_report(ROWS, rows)


def test_a_target_needs_other_columns():
    with pytest.raises(ValueError, match="only column"):
        fidelity_report(ROWS[["a"]], ROWS[["a"]], test=ROWS[["a"]], target="a")
