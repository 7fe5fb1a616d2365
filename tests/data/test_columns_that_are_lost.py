"""Warnings of columns with nothing to learn, and of digits that floats do not hold."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skae import (
    Autoencoder,
    ConvAutoencoder,
    EnsembleAutoencoder,
    ImageToImageRegressor,
    OutlierDetector,
    RecurrentAutoencoder,
    TabularAutoencoder,
    TabularOutlierScorer,
    VariationalAutoencoder,
)
from skae.exceptions import DataWarning

FAST = {"max_epochs": 1, "random_state": 0, "check_baseline": False}

TABLES = {
    "tabular": lambda: TabularAutoencoder(2, **FAST),
    "variational": lambda: VariationalAutoencoder(2, architecture="tabular", **FAST),
    "ensemble": lambda: EnsembleAutoencoder(TabularAutoencoder(2, **FAST), 2, random_state=0),
    "scorer": lambda: TabularOutlierScorer(random_state=0),
    "detector": lambda: OutlierDetector(random_state=0),
    "folds": lambda: OutlierDetector(TabularAutoencoder(2, **FAST), cv=2, random_state=0),
    "pipeline": lambda: make_pipeline(TabularAutoencoder(2, **FAST), StandardScaler()),
}


def numbers(n=40):
    return np.random.default_rng(0).normal(size=n)


def warnings_of(fit):
    with pytest.warns(DataWarning) as caught:
        fit()
    assert {warning.filename for warning in caught} == {__file__}
    return list(dict.fromkeys(str(warning.message) for warning in caught))


EMPTY = {
    "floats": np.nan,
    "text": [None] * 40,
    "dates": pd.Series([pd.NaT] * 40),
    "categories": pd.Categorical([None] * 40, categories=["x", "y"]),
    "integers": pd.array([None] * 40, dtype="Int64"),
    "strings": pd.array([None] * 40, dtype="string"),
}


@pytest.mark.parametrize("make", TABLES.values(), ids=TABLES)
def test_columns_without_values_are_named_at_fit(make):
    X = pd.DataFrame({"a": numbers(), "b": np.nan})
    (message,) = warnings_of(lambda: make().fit(X))
    assert "Columns ['b'] hold nothing but missing values" in message
    (message,) = warnings_of(lambda: make().fit(X.to_numpy()))
    assert "Columns [1] hold nothing but missing values" in message


@pytest.mark.parametrize("empty", EMPTY.values(), ids=EMPTY)
def test_columns_without_values_stay_missing(empty):
    X = pd.DataFrame({"a": numbers(), "b": empty})
    X.loc[3, "a"] = np.nan
    for make in (TABLES["tabular"], TABLES["scorer"]):
        model = make()
        warnings_of(lambda model=model: model.fit(X))
        imputed = model.impute(X)
        assert imputed["a"].notna().all()
        assert imputed["b"].isna().all()
        assert imputed.dtypes.equals(X.dtypes)


def test_values_of_a_column_that_was_empty_are_kept():
    model = TabularAutoencoder(2, **FAST)
    X = pd.DataFrame({"a": numbers(), "b": np.nan})
    warnings_of(lambda: model.fit(X))
    X["b"] = 1.5
    X.loc[0, "a"] = np.nan
    imputed = model.impute(X)
    assert (imputed["b"] == 1.5).all()
    assert imputed["a"].notna().all()
    assert np.isfinite(model.score_samples(X)).all()


def test_columns_of_polars_without_values():
    X = pl.DataFrame({"a": numbers(), "b": pl.Series([None] * 40, dtype=pl.Float64)})
    (message,) = warnings_of(lambda: TabularAutoencoder(2, **FAST).fit(X))
    assert "['b']" in message


def test_features_of_sequences_without_values():
    X = np.random.default_rng(0).normal(size=(30, 5, 2))
    X[..., 1] = np.nan
    model = RecurrentAutoencoder(2, **FAST)
    (message,) = warnings_of(lambda: model.fit(X))
    assert "Features [1] hold nothing but missing values" in message
    np.testing.assert_allclose(model.impute(X)[..., 1], 0, atol=1e-3)


def test_a_model_that_trains_on_does_not_warn_again():
    model = TabularAutoencoder(2, **FAST)
    X = pd.DataFrame({"a": numbers(), "b": np.nan})
    warnings_of(lambda: model.partial_fit(X))
    model.partial_fit(X)  # a warning would be an error


# Integers beyond 2**53, and dates.

LARGE = 2**63 - 1 - np.random.default_rng(0).integers(0, 100, size=(40, 3))
NAMES = list("abc")
HOLDERS = {
    "int64": LARGE,
    "negative": -LARGE,
    "uint64": LARGE.astype(np.uint64) + 2**62,
    "objects": LARGE.astype(object),
    "list": LARGE.tolist(),
    "sparse": sparse.csr_array(LARGE),
    "fortran": np.asfortranarray(LARGE),
}
FRAMES = {
    "pandas": pd.DataFrame(LARGE, columns=NAMES),
    "nullable": pd.DataFrame(LARGE, columns=NAMES).astype("Int64"),
    "pyarrow": pd.DataFrame(LARGE, columns=NAMES).astype("int64[pyarrow]"),
    "objects": pd.DataFrame(LARGE, columns=NAMES).astype(object),
    "polars": pl.DataFrame(LARGE, schema=NAMES),
    "uint64": pd.DataFrame(LARGE, columns=NAMES).astype("uint64"),
}


@pytest.mark.parametrize("X", HOLDERS.values(), ids=HOLDERS)
def test_integers_that_lose_digits_are_said(X):
    (message,) = warnings_of(lambda: Autoencoder(2, **FAST).fit(X))
    assert "X holds integers beyond 2**53" in message
    assert "columns [0, 1, 2]" in message or sparse.issparse(X)


@pytest.mark.parametrize("X", FRAMES.values(), ids=FRAMES)
@pytest.mark.parametrize("make", [lambda: Autoencoder(2, **FAST), *map(TABLES.get, TABLES)])
def test_columns_that_lose_digits_are_named(make, X):
    (message,) = warnings_of(lambda: make().fit(X))
    assert "columns ['a', 'b', 'c']" in message


def test_only_columns_that_lose_digits_are_named():
    X = pd.DataFrame({"a": np.arange(40), "b": LARGE[:, 0], "c": 2**60 * (np.arange(40) % 7)})
    (message,) = warnings_of(lambda: TabularAutoencoder(2, **FAST).fit(X))
    assert "columns ['b']" in message
    TabularAutoencoder(2, **FAST).fit(X[["a", "c"]])  # a warning would be an error
    TabularAutoencoder(2, categorical_features=["b"], **FAST).fit(X)
    (message,) = warnings_of(lambda: TabularAutoencoder(2, **FAST).fit(X.to_numpy()))
    assert "columns [1]" in message


def test_integers_of_images_and_sequences():
    X = 2**62 + np.random.default_rng(0).integers(1, 9, size=(30, 4, 4))
    for model in (ConvAutoencoder(2, **FAST), RecurrentAutoencoder(2, **FAST)):
        (message,) = warnings_of(lambda model=model: model.fit(X))
        assert "X holds integers beyond 2**53" in message
    regressor, images = ImageToImageRegressor(channels=(4,), **FAST), numbers(480).reshape(30, 4, 4)
    (message,) = warnings_of(lambda: regressor.fit(images, X))
    assert "y holds integers beyond 2**53" in message


@pytest.mark.filterwarnings("ignore::skae.exceptions.DataWarning")
@pytest.mark.parametrize("name", ["tabular", "scorer"])
@pytest.mark.parametrize("X", [FRAMES["nullable"], FRAMES["objects"], FRAMES["pyarrow"]])
def test_impute_keeps_all_digits_of_what_is_there(name, X):
    X = X.copy()
    X.iloc[3, 1] = pd.NA
    imputed = TABLES[name]().fit(X).impute(X)
    assert imputed.notna().all().all()
    is_known = X.notna().to_numpy()
    kept = (imputed.to_numpy(object)[is_known] == X.to_numpy(object)[is_known]).all()
    assert kept
    assert imputed.dtypes.equals(X.dtypes)


@pytest.mark.parametrize(
    ("model", "X"),
    [
        (Autoencoder(2, **FAST), np.array([[10**400, 1]] * 40, dtype=object)),
        (Autoencoder(2, **FAST), [[10**400, 1]] * 40),
        (Autoencoder(2, **FAST), pd.DataFrame([[10**400, 1]] * 40)),
        (TabularAutoencoder(2, **FAST), pd.DataFrame([[10**400, 1]] * 40)),
        (ConvAutoencoder(2, **FAST), np.array([[[10**400, 1]] * 4] * 40, dtype=object)),
        (RecurrentAutoencoder(2, **FAST), [[10**400, 1]] * 40),
    ],
)
def test_integers_beyond_all_floats_are_refused(model, X):
    with pytest.raises(ValueError, match="too large|infinite values"):
        model.fit(X)


def test_dates_that_floats_do_not_tell_apart():
    close = pd.to_timedelta(np.random.default_rng(0).integers(0, 500, 40), "ns")
    X = pd.DataFrame({"time": pd.Timestamp("2026-01-01") + close, "x": numbers()})
    X.loc[2, "time"] = pd.NaT
    model = TabularAutoencoder(2, **FAST)
    (message,) = warnings_of(lambda: model.fit(X))
    assert "Columns ['time'] hold dates that differ by less than floats can tell" in message
    known = X["time"].notna()
    assert model.impute(X)["time"][known].equals(X["time"][known])
    X["time"] = pd.Timestamp("2026-01-01")
    model.fit(X)  # a warning would be an error: these dates are equal
    X["time"] += pd.to_timedelta(np.arange(40), "s")
    model.fit(X)
