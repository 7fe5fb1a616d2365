"""Rows of tables that are drawn: their values, given cells, imputations, and odd tables."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import skae
from skae import VariationalAutoencoder
from skae.exceptions import DataWarning

QUICK = {"architecture": "tabular", "random_state": 0, "check_baseline": False}


def table(n=500, seed=0):
    """Return a table whose columns have values that not every number is."""
    rng = np.random.default_rng(seed)
    kind = rng.choice(["shop", "home", "farm"], n, p=[0.5, 0.3, 0.2])
    X = pd.DataFrame(
        {
            "kind": kind,
            "gain": np.where(rng.random(n) < 0.6, 0.0, rng.lognormal(5, 1, n)),
            "staff": rng.poisson(np.where(kind == "shop", 9, 2)),
            "opened": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, n), "D"),
            "size": rng.gamma(3, 20, n),
            "is_open": kind != "home",
        }
    )
    X.loc[rng.random(n) < 0.25, "size"] = np.nan
    return X


X = table()
GAPS = X.head(40).mask(np.random.default_rng(1).random((40, 6)) < 0.3)


@pytest.fixture(scope="module")
def model():
    return VariationalAutoencoder(2, max_epochs=30, **QUICK).fit(X)


@pytest.fixture(scope="module")
def drawn(model):
    return model.sample(2000, random_state=1)


# What is drawn.


def test_rows_are_in_the_form_of_the_table(drawn):
    assert drawn.shape == (2000, 6)
    assert drawn.dtypes.equals(X.dtypes)  # so that counts are integers
    assert set(drawn.kind) == set(X.kind)


def test_values_are_within_the_range_of_the_table(drawn):
    for name in ("gain", "staff", "opened", "size"):
        assert X[name].min() <= drawn[name].min() < drawn[name].max() <= X[name].max()


def test_days_are_whole(drawn):
    assert (drawn.opened == drawn.opened.dt.normalize()).all()


def test_zeros_and_gaps_are_as_frequent_as_in_the_table(drawn):
    assert (drawn.gain == 0).mean() == pytest.approx((X.gain == 0).mean(), abs=0.05)
    assert drawn["size"].isna().mean() == pytest.approx(X["size"].isna().mean(), abs=0.05)
    assert drawn.drop(columns="size").notna().all(axis=None)


def test_columns_depend_on_each_other(drawn):
    staff = drawn.groupby("kind").staff.mean()
    assert staff["shop"] > staff["home"] + 3
    is_open = drawn.groupby("kind").is_open.mean()
    assert is_open["shop"] > 0.8 > 0.2 > is_open["home"]


def test_a_seed_gives_the_same_rows(model, drawn):
    assert model.sample(2000, random_state=1).equals(drawn)
    assert not model.sample(2000, random_state=2).equals(drawn)
    assert model.sample(3).equals(model.sample(3))
    first, again = (VariationalAutoencoder(max_epochs=1, **QUICK).fit(BOTH) for _ in range(2))
    assert first.sample(20).equals(again.sample(20))


def test_loaded_and_unpickled_models_draw_the_same(model, tmp_path):
    skae.save(model, tmp_path / "model.skae")
    given = {"kind": "shop"}
    for other in (skae.load(tmp_path / "model.skae"), pickle.loads(pickle.dumps(model))):
        assert other.sample(20).equals(model.sample(20))
        assert other.sample(9, conditions=given).equals(model.sample(9, conditions=given))
        assert other.impute(GAPS).equals(model.impute(GAPS))
        np.testing.assert_array_equal(other.score_samples(X), model.score_samples(X))


def test_expected_rows_have_no_gaps(model):
    assert model.sample(50, noise=False).notna().all(axis=None)


# Given cells.


def test_given_cells_are_kept(model):
    rows = model.sample(300, conditions={"kind": "shop", "size": 50.0}, random_state=0)
    assert (rows.kind == "shop").all()
    np.testing.assert_allclose(rows["size"], 50.0)
    assert rows.staff.mean() > X.staff.mean() + 1
    given = X[["staff", "opened"]].head(30)
    rows = model.sample(conditions=given)
    assert rows[["staff", "opened"]].equals(given.reset_index(drop=True))
    assert model.sample(conditions=given).equals(rows)
    assert len(model.sample(conditions={"kind": "farm"})) == 1


def test_missing_cells_are_not_given(model):
    rows = model.sample(200, conditions={"kind": None, "is_open": True}, random_state=0)
    assert rows.is_open.all()
    assert rows.kind.nunique() > 1


@pytest.mark.parametrize("library", [pl.from_pandas, pa.Table.from_pandas])
def test_frames_of_other_libraries(model, library):
    given = X[["kind", "staff"]].head(5)
    assert model.sample(conditions=library(given)).equals(model.sample(conditions=given))


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"kind": "moon"}, ValueError, r"moon of column 'kind' \(row 0\) was never seen in fit"),
        ({"staff": 999}, ValueError, "999.* of column 'staff' .* They were from 0"),
        ({"opened": pd.Timestamp("1999-01-01")}, ValueError, "column 'opened' .* never seen"),
        ({"kin": "shop"}, ValueError, r"columns \['kin'\], which the table does not have"),
        ({}, ValueError, "no rows or no columns"),
        (X[["kind"]].head(3), ValueError, "holds 3 rows, but 2 rows are to be drawn"),
        ([["shop"]], TypeError, "must be a DataFrame .* or a dict"),
    ],
)
def test_cells_that_cannot_be_given(model, given, error, message):
    with pytest.raises(error, match=message):
        model.sample(2, conditions=given)


def test_cells_that_do_not_go_together():
    n = 400
    rng = np.random.default_rng(0)
    sex = rng.choice(["f", "m"], n)
    pregnant = np.where((sex == "f") & (rng.random(n) < 0.5), "yes", "no")
    X = pd.DataFrame({"sex": sex, "pregnant": pregnant})
    model = VariationalAutoencoder(1, max_epochs=150, **QUICK).fit(X)
    with pytest.warns(DataWarning, match=r"\['sex', 'pregnant'\] together as they hardly ever"):
        rows = model.sample(3, conditions={"sex": "m", "pregnant": "yes"})
    assert (rows.pregnant == "yes").all()
    model.sample(3, conditions={"sex": "f", "pregnant": "yes"})


# Imputations.


@pytest.mark.parametrize("library", [pd.DataFrame, pl.from_pandas, pa.Table.from_pandas])
def test_imputations_differ_where_cells_are_missing_alone(model, library):
    tables = model.draw_imputations(library(GAPS.reset_index(drop=True)), 3, random_state=0)
    assert len(tables) == 3
    tables = [
        pd.DataFrame(one.to_pandas() if library is not pd.DataFrame else one) for one in tables
    ]
    known = GAPS.notna()
    for one in tables:
        assert one.notna().all(axis=None)
        for name in ("gain", "kind", "opened", "staff"):
            assert (one[name] == GAPS[name])[known[name]].all()
    assert not tables[0].equals(tables[1])


def test_imputations_are_deterministic(model):
    first, again = (model.draw_imputations(GAPS, 2, random_state=3) for _ in range(2))
    assert all(a.equals(b) for a, b in zip(first, again, strict=True))
    default, again = model.draw_imputations(GAPS, 1), model.draw_imputations(GAPS, 1)
    assert default[0].equals(again[0])
    with pytest.raises(ValueError, match="n_imputations == 0"):
        model.draw_imputations(GAPS, 0)


def test_imputed_cells_are_as_the_known_ones_say(model):
    rows = X.assign(is_open=None, staff=None)
    found = model.draw_imputations(rows, 1)[0]
    assert (found.is_open == X.is_open).mean() > 0.85
    assert (model.impute(rows).is_open == X.is_open).mean() > 0.9


def test_imputations_of_other_likelihoods():
    model = VariationalAutoencoder(2, likelihood="gaussian", max_epochs=2, **QUICK).fit(X)
    first, second = model.draw_imputations(GAPS, 2)
    assert first.notna().all(axis=None)
    assert not first.equals(second)
    assert not hasattr(VariationalAutoencoder(), "draw_imputations")


# Parameters.


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"likelihood": "mixture", "architecture": "dense"}, "'mixture' is for tables"),
        ({"n_importance_samples": 3, "tc_weight": 1}, "n_importance_samples=3 is not for"),
    ],
)
def test_parameters_that_do_not_go_together(parameters, message):
    with pytest.raises(ValueError, match=message):
        VariationalAutoencoder(2, **QUICK | parameters).fit(X[["gain", "staff"]].to_numpy())


# Odd tables.

NUMBERS = pd.DataFrame({"a": np.random.default_rng(0).normal(size=40), "b": np.arange(40) % 5})
CATEGORIES = pd.DataFrame({"c": list("xyzx") * 10, "d": list("uvvvu") * 8})
BOTH = NUMBERS.join(CATEGORIES)

ODD = {
    "numbers": NUMBERS,
    "categories": CATEGORIES,
    "one number": NUMBERS[["a"]],
    "one category": CATEGORIES[["c"]],
    "one row": BOTH.head(1),
    "one cell": NUMBERS[["a"]].head(1),
    "constant columns": BOTH.assign(k=3.5, l="x"),
    "constant alone": BOTH.assign(a=1.0)[["a"]],
    "rows without cells": BOTH.mask(np.repeat(np.arange(40)[:, None] < 5, 4, axis=1)),
    "far numbers": BOTH.assign(a=np.where(NUMBERS.a > 0, 1e308, -1e308)),
    "near numbers": BOTH.assign(a=1e-300 * NUMBERS.a),
    "single precision": NUMBERS.astype(np.float32),
    "array": NUMBERS.to_numpy(),
    "array of objects": BOTH.to_numpy(object),
    "polars": pl.from_pandas(BOTH),
    "pyarrow": pa.Table.from_pandas(BOTH),
}


def use(X):
    """Fit a model to a table, call its methods, and return it with rows that it draws."""
    model = VariationalAutoencoder(max_epochs=1, **QUICK).fit(X)
    assert model.transform(X).shape == (len(X), model.n_components_)
    assert np.isfinite(model.score_samples(X)).all()
    assert type(model.reconstruct(X)) is type(X)
    assert type(model.impute(X)) is type(model.draw_imputations(X, 1)[0]) is type(X)
    rows = model.sample(20)
    assert rows.shape == (20, X.shape[1])
    assert type(rows) is type(X)
    return model, rows


@pytest.mark.parametrize("name", ODD)
def test_odd_tables(name):
    model, rows = use(ODD[name])
    assert type(model.sample(2, noise=False)) is type(rows)


def test_constants_are_drawn():
    _, rows = use(ODD["constant columns"])
    assert (rows.k == 3.5).all()
    assert (rows.l == "x").all()


@pytest.mark.parametrize("X", [BOTH.assign(e=np.nan), pd.DataFrame({"e": [np.nan] * 9})])
def test_columns_without_cells_stay_so(X):
    with pytest.warns(DataWarning, match=r"\['e'\] hold nothing but missing values"):
        _, rows = use(X)
    assert rows.e.isna().all()
    assert rows.drop(columns="e").notna().all(axis=None)


def test_models_of_arrays_have_no_columns_to_give():
    model, _ = use(ODD["array"])
    with pytest.raises(ValueError, match="fitted on an array"):
        model.sample(2, conditions={"a": 1.0})


def test_codes_are_drawn_from_a_mixture_after_fit_alone():
    model = VariationalAutoencoder(2, max_epochs=1, **QUICK).fit(X)
    assert model.prior_ is not None
    model.partial_fit(X.head(40))
    assert model.prior_ is None  # of 40 rows it would be a poor one
    assert len(model.sample(3)) == 3


@pytest.mark.parametrize("n_samples", [0, -1])
def test_no_rows_cannot_be_drawn(model, n_samples):
    with pytest.raises(ValueError, match="n_samples"):
        model.sample(n_samples, conditions={"kind": "shop"})
    with pytest.raises(ValueError, match="n_samples"):
        model.sample(n_samples)


def test_given_cells_take_no_density(model):
    with pytest.raises(ValueError, match="density and noise=False"):
        model.sample(2, conditions={"kind": "shop"}, noise=False)
