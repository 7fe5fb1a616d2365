"""Imputation: types in and out, indicators, empty columns, draws, and tables that are odd."""

import copy
import pickle
from functools import cache

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import skae
from skae import (
    Autoencoder,
    EnsembleAutoencoder,
    RecurrentAutoencoder,
    TabularAutoencoder,
    TabularImputer,
    VariationalAutoencoder,
)
from skae.exceptions import DataWarning, UnusedParameterWarning

QUICK = {"max_epochs": 3, "check_baseline": False}
VARIATIONAL = VariationalAutoencoder(architecture="tabular", **QUICK)


def table(n=120, seed=0):
    """Return a table of all kinds of columns, complete and with missing cells."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=n)
    full = pd.DataFrame(
        {
            "size": z + 0.1 * rng.normal(size=n),
            "count": pd.array((10 * z).round().astype(int), "Int64"),
            "kind": np.where(z > 0, "large", "small"),
            "day": pd.Timestamp("2026-01-01") + pd.to_timedelta((100 * z).round(), "D"),
            "grade": pd.Categorical(np.where(z > 0.5, "p", "q"), ["q", "p"]),
            "weight": 3 * z,
        },
        index=pd.RangeIndex(1000, 1000 + n),
    )
    X = full.copy()
    for i, name in enumerate(["size", "count", "kind", "day", "grade"]):
        X.loc[X.index[10 * i : 10 * i + 15], name] = None
    return full, X


FULL, X = table()
IS_MISSING = X.isna().to_numpy()


@cache
def fitted(name):
    return TabularImputer(VARIATIONAL, random_state=0).fit(LIBRARIES[name])


def on(name, **params):
    """Return an imputer that is fitted on the table of a library, with other parameters since."""
    return copy.deepcopy(fitted(name)).set_params(**params)


@pytest.fixture
def imputer():
    return on("pandas")


def as_pandas(frame):
    return frame if isinstance(frame, pd.DataFrame) else pd.DataFrame(frame.to_pandas())


LIBRARIES = {
    "pandas": X,
    "nullable": X.convert_dtypes(),
    "pyarrow types": X.convert_dtypes(dtype_backend="pyarrow"),
    "polars": pl.from_pandas(X),
    "pyarrow": pa.Table.from_pandas(X, preserve_index=False),
}


@pytest.mark.parametrize("name", LIBRARIES)
def test_the_same_type_comes_out(name):
    given, imputer = LIBRARIES[name], on(name)
    for imputed in (imputer.transform(given), *imputer.draw_imputations(given, 2)):
        assert type(imputed) is type(given)
        if isinstance(given, pd.DataFrame):
            assert imputed.dtypes.equals(given.dtypes)
            assert imputed.index.equals(given.index)
        else:
            assert imputed.schema == given.schema
        assert not as_pandas(imputed).isna().to_numpy().any()
        before, after = as_pandas(given).to_numpy(), as_pandas(imputed).to_numpy()
        assert (before[~IS_MISSING] == after[~IS_MISSING]).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64, object])
def test_arrays(dtype):
    array = X[["size", "weight"]].to_numpy(dtype)
    before = array.copy()
    imputer = TabularImputer(VARIATIONAL, random_state=0).fit(array)
    imputed = imputer.transform(array)
    assert imputed.dtype == dtype
    assert not pd.isna(imputed).any()
    imputed[:] = 0  # is no view of X
    pd.testing.assert_frame_equal(pd.DataFrame(array), pd.DataFrame(before))
    complete = FULL[["size", "weight"]].to_numpy(dtype)
    np.testing.assert_array_equal(imputer.transform(complete), complete)
    assert not np.shares_memory(imputer.transform(complete), complete)


@pytest.mark.parametrize("library", ["pandas", "polars"])
@pytest.mark.parametrize("name", LIBRARIES)
def test_set_output(library, name):
    given = LIBRARIES[name]
    imputer = on(name, add_indicator=True).set_output(transform=library)
    imputed, std = imputer.transform(given, return_std=True)
    assert type(imputed) is {"pandas": pd.DataFrame, "polars": pl.DataFrame}[library]
    assert list(imputed.columns) == list(imputer.get_feature_names_out())
    if library == "polars":
        assert imputed["kind"].dtype == pl.String
    assert type(std) is type(given)


def test_indicators_are_those_of_sklearn():
    indicator = on("pandas", add_indicator=True)
    names = [f"missingindicator_{name}" for name in X.columns[:5]]
    assert indicator.get_feature_names_out().tolist() == [*X.columns, *names]
    np.testing.assert_array_equal(indicator.incomplete_features_, np.arange(5))
    np.testing.assert_array_equal(indicator.transform(X)[names], IS_MISSING[:, :5])
    numbers = X[["weight", "size"]].to_numpy(np.float32)
    of_array = clone(indicator).fit(numbers)
    of_sklearn = SimpleImputer(add_indicator=True).fit(numbers)
    imputed = of_array.transform(numbers)
    assert imputed.dtype == np.float32
    np.testing.assert_array_equal(imputed[:, 2], of_sklearn.transform(numbers)[:, 2])
    assert of_array.get_feature_names_out().tolist() == of_sklearn.get_feature_names_out().tolist()
    dates = clone(indicator).fit(X[["day"]].to_numpy()).transform(X[["day"]].to_numpy())
    assert dates[:, 1].astype(bool).tolist() == IS_MISSING[:, 3].tolist()


EMPTY = {"a": np.nan, "b": None}


@pytest.mark.parametrize("empty", EMPTY.values(), ids=EMPTY)
@pytest.mark.parametrize("as_given", [pd.DataFrame, pl.from_pandas, pd.DataFrame.to_numpy])
def test_columns_without_values(empty, as_given):
    given = as_given(X[["size", "weight"]].assign(empty=empty)[["empty", "size", "weight"]])
    imputer = TabularImputer(VARIATIONAL, add_indicator=True)
    with pytest.warns(DataWarning, match="hold nothing but missing values"):
        imputer.fit(given)
    for keeps in (False, True):
        imputer.set_params(keep_empty_features=keeps)
        imputed, std = imputer.transform(given, return_std=True)
        assert imputed.shape[1] == len(imputer.get_feature_names_out()) == 4 + keeps
        assert std.shape[1] == imputer.draw_imputations(given, 1)[0].shape[1] == 2 + keeps
        imputed = np.asarray(imputed)
        assert not pd.isna(imputed).any()
        if keeps:
            assert (imputed[:, 0] == 0).all()


def test_standard_deviations(imputer):
    imputed, std = imputer.transform(X, return_std=True)
    pd.testing.assert_frame_equal(imputed, imputer.transform(X))
    assert list(std.columns) == list(X.columns)
    assert std.index.equals(X.index)
    for name in ("size", "count", "day", "weight"):
        assert ((std[name] > 0) == X[name].isna()).all()
    assert std[["kind", "grade"]].isna().to_numpy().all()
    of_draws = [draw["size"] for draw in imputer.draw_imputations(X, imputer.n_draws)]
    np.testing.assert_allclose(np.std(of_draws, axis=0, ddof=1), std["size"], atol=1e-12)


@pytest.mark.parametrize("library", LIBRARIES)
def test_probabilities_of_categories(library):
    given, imputer = LIBRARIES[library], on(library, n_draws=10)
    found = imputer.category_probabilities(given)
    assert list(found) == list(imputer.categories_) == ["kind", "grade"]
    for name, probabilities in found.items():
        assert type(probabilities) is type(given)
        probabilities = as_pandas(probabilities)
        assert list(probabilities.columns) == list(imputer.categories_[name])
        np.testing.assert_allclose(probabilities.sum(axis=1), 1)
        known = X[name].notna().to_numpy()
        chosen = probabilities[known].idxmax(axis=1)
        assert (chosen.to_numpy() == X[name][known].to_numpy()).all()
        assert (probabilities[known].max(axis=1) == 1).all()


def test_categories_of_arrays():
    rng = np.random.default_rng(0)
    array = np.c_[rng.integers(3, size=100), rng.normal(size=100)]
    array[:10, 0] = np.nan
    imputer = TabularImputer(categorical_features=[0], random_state=0)
    imputer.set_params(estimator=VARIATIONAL)
    with pytest.warns(UnusedParameterWarning, match="categorical_features=.*set it there"):
        assert imputer.fit(array).categories_ == {}
    estimator = clone(VARIATIONAL).set_params(architecture__categorical_features=[0])
    imputer = TabularImputer(estimator, random_state=0).fit(array)
    assert imputer.categories_[0].tolist() == [0, 1, 2]
    assert set(imputer.transform(array)[:10, 0]) <= {0.0, 1.0, 2.0}
    assert imputer.category_probabilities(array)[0].shape == (100, 3)
    own = TabularImputer(categorical_features=[0])._original()
    assert own.architecture.categorical_features == [0]


def test_draws(imputer):
    first, second = imputer.draw_imputations(X, 2)
    assert (first.to_numpy() != second.to_numpy())[IS_MISSING].mean() > 0.3
    again = imputer.draw_imputations(X, 2)[1]
    pd.testing.assert_frame_equal(second, again)
    other = imputer.draw_imputations(X, 2, random_state=1)[1]
    assert not other.equals(second)


def test_members_of_ensembles_draw_in_turn():
    ensemble = EnsembleAutoencoder(VARIATIONAL, n_estimators=2, bootstrap=True)
    imputer = TabularImputer(ensemble, n_draws=3, random_state=0).fit(X)
    assert not imputer.transform(X).isna().to_numpy().any()
    rng = np.random.RandomState(0)
    members = imputer.estimator_.estimators_
    expected = [one.draw_imputations(X, 1, random_state=rng)[0] for one in (*members, members[0])]
    for drawn, of_member in zip(imputer.draw_imputations(X, 3, 0), expected, strict=True):
        pd.testing.assert_frame_equal(drawn, of_member)
    assert imputer.category_probabilities(X)["kind"].shape == (120, 2)


def test_means_of_draws_are_less_biased_than_those_of_known_cells():
    """With cells that are missing where another column is large; known cells mislead."""
    rng, n = np.random.default_rng(0), 600
    z = rng.normal(size=n)
    full = np.c_[z, z + 0.5 * rng.normal(size=n), -z + 0.5 * rng.normal(size=n)]
    given = full.copy()
    given[rng.random(n) < 1 / (1 + np.exp(-3 * z)), 1] = np.nan
    estimator = VariationalAutoencoder(architecture="tabular", max_epochs=30)
    imputer = TabularImputer(estimator, random_state=0)
    tables = imputer.fit(given).draw_imputations(given, 10)
    means, variances = ([f(x[:, 1]) for x in tables] for f in (np.mean, np.var))
    pooled = skae.pool_estimates(means, np.array(variances) / n, df_complete=n - 1)
    true, of_known = full[:, 1].mean(), np.nanmean(given[:, 1])
    assert abs(pooled.estimate - true) < abs(of_known - true) / 3
    assert pooled.low > of_known
    assert pooled.missing_fraction > 0.02


def test_rows_without_any_cell(imputer):
    rows = X.copy()
    rows.iloc[:3] = None
    imputed = imputer.transform(rows)
    assert not imputed.isna().to_numpy().any()
    assert (imputed.iloc[:3].astype(str).nunique() == 1).all()  # nothing tells them apart
    assert imputed["size"].iloc[0] == pytest.approx(X["size"].mean(), abs=X["size"].std())
    assert imputer.draw_imputations(rows, 1)[0].iloc[:3]["size"].nunique() == 3


def test_new_categories_stay(imputer):
    rows = X.copy()
    rows.loc[rows.index[-5:], "kind"] = "huge"
    rows.loc[rows.index[-5:], "size"] = None
    imputed = imputer.transform(rows)
    assert (imputed["kind"].iloc[-5:] == "huge").all()
    assert imputed["size"].notna().all()
    assert imputer.category_probabilities(rows)["kind"].iloc[-5:].to_numpy().sum() == 0
    assert (imputer.draw_imputations(rows, 1)[0]["kind"].iloc[-5:] == "huge").all()


def test_in_pipelines():
    y = FULL["size"] > 0
    columns = ColumnTransformer(
        [("numbers", "passthrough", ["size", "weight"]), ("kinds", OneHotEncoder(), ["kind"])]
    )
    model = make_pipeline(TabularImputer(VARIATIONAL, random_state=0), columns)
    model = make_pipeline(model, LogisticRegression()).fit(X, y)
    assert model.score(X, y) > 0.8
    parts = ColumnTransformer(
        [("imputed", TabularImputer(VARIATIONAL), ["size", "kind"])], remainder="passthrough"
    ).set_output(transform="pandas")
    found = parts.fit_transform(X)
    assert list(found.columns[:2]) == ["imputed__size", "imputed__kind"]
    assert found["imputed__kind"].notna().all()


@pytest.mark.parametrize(
    "estimator",
    [
        TabularAutoencoder(**QUICK),
        EnsembleAutoencoder(TabularAutoencoder(**QUICK), n_estimators=2),
        VariationalAutoencoder(architecture="tabular", likelihood="gaussian", **QUICK),
    ],
    ids=str,
)
def test_estimators_that_do_not_draw(estimator):
    imputer = TabularImputer(estimator, random_state=0).fit(X)
    assert not imputer.transform(X).isna().to_numpy().any()
    assert not hasattr(imputer, "draw_imputations")
    assert not hasattr(imputer, "category_probabilities")
    with pytest.raises(ValueError, match="return_std=True needs an estimator that draws"):
        imputer.transform(X, return_std=True)


@pytest.mark.parametrize(
    "estimator", [Autoencoder(), VariationalAutoencoder(), RecurrentAutoencoder(), SimpleImputer()]
)
def test_estimators_that_cannot_impute(estimator):
    with pytest.raises(ValueError, match="estimator must be an autoencoder for tables"):
        TabularImputer(estimator).fit(X)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda one: one.draw_imputations(X, 0), "n_imputations == 0"),
        (lambda one: one.transform(X.drop(columns="kind")), "X lacks these columns"),
        (lambda one: one.transform(X.assign(size="text")), "Column 'size' held numbers"),
        (lambda one: one.transform(X.assign(size=np.inf)), "infinite values"),
    ],
)
def test_bad_input(imputer, call, message):
    with pytest.raises(ValueError, match=message):
        call(imputer)


def test_a_failed_fit_changes_nothing(imputer):
    before = imputer.transform(X)
    with pytest.raises(ValueError, match="infinite"):
        imputer.fit(X.assign(size=np.inf))
    pd.testing.assert_frame_equal(imputer.transform(X), before)


def test_seeds():
    fits = [TabularImputer(VARIATIONAL, random_state=seed).fit(X) for seed in (0, 0, 1)]
    first, same, other = (fit.transform(X) for fit in fits)
    pd.testing.assert_frame_equal(first, same)
    assert not first.equals(other)
    own = clone(VARIATIONAL).set_params(random_state=7)
    first, same = (TabularImputer(own, random_state=seed).fit(X).transform(X) for seed in (0, 1))
    pd.testing.assert_frame_equal(first, same)


def test_files_and_pickles(imputer, tmp_path):
    skae.save(imputer, tmp_path / "imputer.skae")
    for one in (skae.load(tmp_path / "imputer.skae"), pickle.loads(pickle.dumps(imputer))):
        pd.testing.assert_frame_equal(one.transform(X), imputer.transform(X))
        pd.testing.assert_frame_equal(
            one.draw_imputations(X, 1)[0], imputer.draw_imputations(X, 1)[0]
        )
