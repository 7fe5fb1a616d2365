"""Conditional variational autoencoders: what they draw, and what their codes are free of."""

import pickle
import re

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skae
from skae import BatchedGridSearchCV, EnsembleAutoencoder, VariationalAutoencoder


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return X[:900] / 16, y[:900]


@pytest.fixture(scope="module")
def of_digits(digits):
    X, y = digits
    model = VariationalAutoencoder(8, likelihood="bernoulli", max_epochs=30, random_state=0)
    return model.fit(X, condition=y)


@pytest.fixture(scope="module")
def sites():
    """Rows of two sites, which measure with different offsets and in different units."""
    rng = np.random.default_rng(0)
    factors = rng.normal(size=(600, 2))
    site = rng.choice(["Bern", "Oslo"], 600)
    rows = factors @ rng.normal(size=(2, 5)) + 0.1 * rng.normal(size=(600, 5))
    rows[site == "Oslo"] += [3.0, -2.0, 4.0, 0.0, 1.0]
    table = pd.DataFrame(rows, columns=list("abcde"))
    table.insert(2, "site", site)
    table["age"] = rng.normal(40, 10, 600).round()
    return table


@pytest.fixture(scope="module")
def of_sites(sites):
    model = VariationalAutoencoder(2, max_epochs=20, random_state=0)
    return model.fit(sites, condition=["site", "age"])


@pytest.fixture
def quick(fast):
    return {**fast, "check_baseline": False}


# What the condition does.


def test_samples_are_of_their_class(digits, of_digits):
    classes = np.repeat(np.arange(10), 20)
    drawn = of_digits.sample(conditions=classes, noise=False)
    assert KNeighborsClassifier().fit(*digits).score(drawn, classes) > 0.95


def test_codes_do_not_tell_the_class(digits, of_digits):
    X, y = digits
    free = of_digits.transform(X, condition=y)
    others = VariationalAutoencoder(8, likelihood="bernoulli", max_epochs=30, random_state=0)
    codes = others.fit(X).transform(X)
    tells = [LogisticRegression(max_iter=500).fit(Z, y).score(Z, y) for Z in (free, codes)]
    assert tells[0] < 0.3
    assert tells[1] > 0.8


def test_the_bound_is_higher_with_the_condition(digits, of_digits):
    X, y = digits
    others = np.roll(y, 1)
    bound, wrong = (of_digits.elbo(X, condition=c)[y != others].mean() for c in (y, others))
    assert bound > wrong + 5
    likelihood = of_digits.log_likelihood(X[:20], condition=y[:20])
    assert likelihood.mean() > of_digits.elbo(X[:20], condition=y[:20]).mean()


def test_training_starts_at_what_the_condition_leaves_unexplained(sites):
    """Without a step of training, the model is a regression on the condition, then PCA."""
    model = VariationalAutoencoder(2, max_epochs=1, lr=1e-12, check_baseline=False)
    model.set_params(early_stopping=False, random_state=0).fit(sites, condition=["site", "age"])
    assert model.score(sites) > 0.98
    codes = model.transform(sites)
    is_oslo = sites[["site"]] == "Oslo"
    assert LinearRegression().fit(is_oslo, codes).score(is_oslo, codes) < 0.01


def test_samples_as_they_would_be_elsewhere(sites, of_sites):
    """The difference between the sites is taken away, that between the rows stays."""
    age = sites["age"].to_numpy()
    moved = of_sites.reconstruct(sites, to=pd.DataFrame({"site": "Bern", "age": age}))
    is_oslo = (sites["site"] == "Oslo").to_numpy()
    numbers = moved[list("abcde")]
    gap = numbers[is_oslo].mean() - numbers[~is_oslo].mean()
    assert gap.abs().max() < 0.6
    assert (moved["site"] == "Bern").all()
    assert of_sites.reconstruct(sites, to=sites[["site", "age"]]).equals(
        of_sites.reconstruct(sites)
    )


def test_codes_of_samples_as_they_would_be_elsewhere(sites, of_sites, digits, of_digits):
    X, y = digits
    moved = of_digits.reconstruct(X[:9], condition=y[:9], to=3)
    expected = of_digits.transform(moved, condition=3)
    np.testing.assert_allclose(of_digits.transform(X[:9], condition=y[:9], to=3), expected)
    elsewhere = {"site": "Bern", "age": 40}
    codes, std = of_sites.transform(sites, return_std=True, to=elsewhere)
    assert codes.shape == std.shape == (600, 2)
    is_oslo = sites[["site"]] == "Oslo"
    assert LinearRegression().fit(is_oslo, codes).score(is_oslo, codes) < 0.01


# Tables that hold their condition.


def test_columns_of_a_table_are_found_and_given_back(sites, of_sites):
    restored = of_sites.reconstruct(sites.iloc[5:8])
    assert restored.columns.tolist() == sites.columns.tolist()
    assert restored.index.tolist() == [5, 6, 7]
    pd.testing.assert_frame_equal(restored[["site", "age"]], sites.loc[5:7, ["site", "age"]])
    asked = sites.loc[:3, ["age", "site"]].set_index(pd.Index([7, 8, 9, 9]))
    drawn = of_sites.sample(conditions=asked)
    assert drawn.columns.tolist() == sites.columns.tolist()
    assert drawn.index.tolist() == [0, 1, 2, 3]
    assert drawn["age"].tolist() == asked["age"].tolist()
    assert of_sites.n_features_in_ == 5
    assert of_sites.reconstruction_errors(sites[:2]).columns.tolist() == list("abcde")
    assert of_sites.score(sites) > 0.9


def test_a_condition_beside_the_table_counts(sites, of_sites):
    rest, beside = sites.drop(columns=["site", "age"]), sites[["site", "age"]]
    expected = of_sites.transform(sites)
    for X in (rest, sites):
        np.testing.assert_array_equal(of_sites.transform(X, condition=beside), expected)
    np.testing.assert_array_equal(of_sites.transform(sites, condition=["site", "age"]), expected)


def test_one_row_is_for_all(sites, of_sites):
    drawn = of_sites.sample(3, conditions={"site": "Oslo", "age": 30}, random_state=1)
    assert drawn["site"].tolist() == ["Oslo"] * 3
    assert drawn["age"].tolist() == [30.0] * 3
    codes = of_sites.transform(sites[:4])
    one = of_sites.inverse_transform(codes, condition={"site": "Bern", "age": 50})
    each = of_sites.inverse_transform(codes, condition=[("Bern", 50)] * 4)
    np.testing.assert_array_equal(one, each)


@pytest.mark.parametrize("architecture", ["dense", "tabular"])
def test_dtypes_and_gaps_of_conditions(sites, quick, architecture):
    table = sites.astype({"site": "category", "age": "Int64"})
    table.loc[3, "age"] = pd.NA
    model = VariationalAutoencoder(architecture=architecture, **quick)
    model.fit(table, condition=["site", "age"])
    restored = model.reconstruct(table)
    assert restored.dtypes.tolist() == table.dtypes.tolist()
    assert restored["age"].isna().sum() == 1
    gap = model.sample(conditions={"site": "Bern", "age": None})
    assert gap["age"].isna().all()


def test_tables_of_polars(sites, quick):
    table = pl.from_pandas(sites)
    model = VariationalAutoencoder(architecture="tabular", **quick).fit(table, condition="site")
    assert model.reconstruct(table).schema == table.schema
    drawn = model.sample(conditions=pd.DataFrame({"site": ["Oslo", "Bern"]}))
    assert drawn["site"].to_list() == ["Oslo", "Bern"]


def test_missing_cells_are_filled_beside_the_condition(sites, quick):
    table = sites.copy()
    table.loc[0, "a"] = np.nan
    model = VariationalAutoencoder(architecture="tabular", **quick).fit(table, condition="site")
    filled = model.impute(table)
    assert filled.columns.tolist() == table.columns.tolist()
    assert not filled.isna().any(axis=None)
    pd.testing.assert_frame_equal(filled[1:], table[1:])


def test_cells_that_are_drawn_depend_on_the_condition(rng):
    site = rng.choice(["Bern", "Oslo"], 500)
    number = rng.normal(size=500) + 4.0 * (site == "Oslo")
    kind = np.where(rng.uniform(size=500) < np.where(site == "Oslo", 0.9, 0.1), "a", "b")
    table = pd.DataFrame({"number": number, "kind": kind, "site": site})
    params = {"max_epochs": 20, "check_baseline": False, "random_state": 0}
    model = VariationalAutoencoder(2, architecture="tabular", **params)
    model.fit(table, condition="site")
    drawn = model.sample(conditions=np.repeat(["Bern", "Oslo"], 300)).groupby("site")
    means = drawn["number"].mean()
    assert abs(means["Bern"]) < 0.7
    assert abs(means["Oslo"] - 4) < 0.7
    is_a = drawn["kind"].agg(lambda values: (values == "a").mean())
    assert is_a["Bern"] < 0.3 < 0.7 < is_a["Oslo"]
    moved = model.reconstruct(table, to="Oslo")
    assert (moved["number"] > 2).mean() > 0.9


# Values beside other data.


@pytest.mark.parametrize("kind", [np.asarray, list, pd.Series, lambda y: y[:, None], pl.Series])
def test_forms_of_values(digits, of_digits, kind):
    X, y = digits
    codes = of_digits.transform(X[:9], condition=kind(y[:9]))
    np.testing.assert_array_equal(codes, of_digits.transform(X[:9], condition=y[:9]))


def test_few_integers_are_categories_and_floats_are_numbers(digits, quick):
    X, y = digits
    of_classes = VariationalAutoencoder(**quick).fit(X, condition=y)
    with pytest.raises(ValueError, match=re.escape("holds 10 in column 'condition'")):
        of_classes.sample(conditions=10)
    of_numbers = VariationalAutoencoder(**quick).fit(X, condition=y / 2)
    assert of_numbers.sample(conditions=4.75).shape == (1, 64)


@pytest.mark.parametrize("condition", ["text", "booleans", "numbers"])
def test_images(digits, quick, condition):
    X, y = digits[0][:100].reshape(-1, 8, 8), digits[1][:100]
    values = {"text": np.array(list("abcdefghij"))[y], "booleans": y > 4, "numbers": y / 9}
    values = values[condition]
    model = VariationalAutoencoder(architecture="conv", **quick).fit(X, condition=values)
    drawn = model.sample(conditions=values[:3])
    assert drawn.shape == (3, 8, 8)
    assert model.reconstruct(X, condition=values, to=values[0]).shape == X.shape
    assert model.score_samples(X, condition=values).shape == (100,)


def test_sequences(rng, quick):
    X = [rng.normal(size=(n, 2)) for n in rng.integers(3, 9, 40)]
    site = rng.choice(["a", "b"], 40)
    model = VariationalAutoencoder(architecture="recurrent", **quick).fit(X, condition=site)
    assert [len(x) for x in model.reconstruct(X, condition=site, to="a")] == [len(x) for x in X]
    assert [x.shape for x in model.sample(conditions=["a", "b"], lengths=4)] == [(4, 2)] * 2
    assert model.transform(X, condition=site, return_std=True)[1].shape == (40, 3)


def test_importance_weighted_bound(digits, quick):
    X, y = digits
    model = VariationalAutoencoder(n_importance_samples=3, **quick).fit(X, condition=y)
    assert np.isfinite(model.score_samples(X[:50], condition=y[:50])).all()


def test_lines_between_samples_keep_the_condition(sites, of_sites, digits, of_digits):
    X, y = digits
    line = of_digits.interpolate(X[:2], X[2:4], 5, condition=3)
    assert line.shape == (10, 64)
    ends = of_digits.reconstruct(X[[0, 2]], condition=3)
    np.testing.assert_allclose(line[[0, 4]], ends)
    table = of_sites.interpolate(sites[:3], sites[3:6], 4)
    assert table["site"].tolist() == sites["site"][:3].repeat(4).tolist()
    pd.testing.assert_frame_equal(
        table[::4].reset_index(drop=True), of_sites.reconstruct(sites[:3])
    )


# As other estimators.


def test_same_seed_same_model(digits, quick):
    X, y = digits
    first, second = (VariationalAutoencoder(**quick).fit(X, condition=y) for _ in range(2))
    expected = first.transform(X, condition=y)
    np.testing.assert_array_equal(second.transform(X, condition=y), expected)
    again = clone(first).fit_transform(X, condition=y)
    np.testing.assert_array_equal(again, expected)
    loaded = pickle.loads(pickle.dumps(first))
    np.testing.assert_array_equal(loaded.transform(X, condition=y), expected)


def test_files(sites, of_sites, tmp_path):
    skae.save(of_sites, tmp_path / "model.skae")
    loaded = skae.load(tmp_path / "model.skae")
    pd.testing.assert_frame_equal(loaded.reconstruct(sites), of_sites.reconstruct(sites))
    asked = {"site": "Oslo", "age": 30}
    drawn = (model.sample(conditions=asked) for model in (loaded, of_sites))
    pd.testing.assert_frame_equal(*drawn)
    with pytest.raises(ValueError, match="Known are 'Bern', 'Oslo'"):
        loaded.sample(conditions={"site": "Rome", "age": 30})


def test_a_fit_without_condition_forgets_the_earlier_one(digits, quick):
    X, y = digits
    model = VariationalAutoencoder(**quick).fit(X, condition=y)
    expected = VariationalAutoencoder(**quick).fit(X).transform(X)
    np.testing.assert_array_equal(model.fit(X).transform(X), expected)


def test_training_continues(digits, sites, quick):
    X, y = digits
    model = VariationalAutoencoder(**quick).partial_fit(X, condition=y)
    model.partial_fit(X[:99], condition=y[:99])
    assert model.n_iter_ == 2
    with pytest.raises(ValueError, match="condition is None"):
        model.partial_fit(X)
    warm = VariationalAutoencoder(warm_start=True, **quick).fit(sites, condition=["site"])
    assert warm.fit(sites, condition=["site"]).n_iter_ == 6
    plain = VariationalAutoencoder(**quick).partial_fit(X)
    with pytest.raises(ValueError, match="fitted without one"):
        plain.partial_fit(X, condition=y)


def test_validation_and_weights(digits, quick):
    X, y = digits
    params = quick | {"early_stopping": True}
    held_out = VariationalAutoencoder(**params).fit(X, condition=y, sample_weight=1.0 + y)
    assert "valid_loss" in held_out.history_[-1]
    model = VariationalAutoencoder(**params)
    model.fit(X, condition=y, X_val=X[:50], condition_val=y[:50])
    assert "valid_loss" in model.history_[-1]
    with pytest.raises(ValueError, match="condition_val is None"):
        model.fit(X, condition=y, X_val=X[:50])
    with pytest.raises(ValueError, match="give condition and X_val"):
        model.fit(X, X_val=X[:50], condition_val=y[:50])


def test_searches_and_pipelines(sites, quick):
    table = sites.drop(columns="age").sample(frac=1.0, random_state=0)
    search = BatchedGridSearchCV(VariationalAutoencoder(**quick), {"lr": [1e-3, 1e-2]}, cv=2)
    search.fit(table, condition=["site"])
    assert np.isfinite(search.best_score_)
    rest = table.drop(columns="site")
    pipeline = make_pipeline(StandardScaler(), VariationalAutoencoder(**quick))
    pipeline.fit(rest, variationalautoencoder__condition=table["site"])
    model = pipeline[-1]
    assert model.sample(conditions="Oslo").shape == (1, 5)


def test_metadata_routing(digits, quick):
    X, y = (values[:200] for values in digits)
    with config_context(enable_metadata_routing=True):
        model = VariationalAutoencoder(**quick)
        model.set_fit_request(condition=True).set_score_request(condition=True)
        model.set_transform_request(condition=True)
        pipeline = make_pipeline(StandardScaler(), model).fit(X, condition=y)
        assert pipeline.transform(X, condition=y).shape == (200, 3)
        search = BatchedGridSearchCV(model, {"lr": [1e-3, 1e-2]}, cv=2).fit(X, condition=y)
        scores = cross_val_score(model, X, cv=2, params={"condition": y})
    assert np.isfinite([search.best_score_, *scores]).all()


def test_the_modules_take_a_condition(digits, of_digits):
    X, y = digits
    conditions = of_digits._condition_reader.read(y[:4]).get_batch(slice(None)).double()
    x = conditions.new_tensor(X[:4])
    module, _ = of_digits._predictor.module_for(x.dtype)
    code = module.bottleneck(module.encoder(x, conditions))
    np.testing.assert_allclose(code.detach(), of_digits.transform(X[:4], condition=y[:4]))
    assert not np.allclose(module.bottleneck(module.encoder(x)).detach(), code.detach())


# What is wrong.


def test_columns_that_cannot_be_the_condition(sites, quick):
    model = VariationalAutoencoder(**quick)
    for condition, message in [
        (["site", "agee"], r"names \['agee'\], but X has no such columns; .*'site'"),
        (list(sites.columns), "all columns of X, so none is left"),
        ([], "each of them once"),
        (["site", "site"], "each of them once"),
    ]:
        with pytest.raises(ValueError, match=message):
            model.fit(sites, condition=condition)


def test_values_that_cannot_be_the_condition(digits, quick):
    X, y = digits
    model = VariationalAutoencoder(**quick)
    for condition, message in [
        (y[:4], r"holds 4 rows, but X has 900 samples"),
        (["a"], "names of columns are for an X that is a DataFrame"),
        (np.full(len(X), np.nan), "has no value in columns"),
        (np.zeros((len(X), 2, 2)), "Give one value for each sample"),
        (np.where(y == 3, np.inf, 0.5), "infinite values"),
        (np.ones(0), "is empty"),
    ]:
        with pytest.raises(ValueError, match=message):
            model.fit(X, condition=condition)
    with pytest.raises(TypeError, match="cannot be categories, such as lists"):
        model.fit(X, condition=[[1], [1, 2]] * 450)


def test_conditions_that_were_not_seen(sites, of_sites, digits, of_digits):
    X, y = digits
    rome = {"site": "Rome", "age": 30}
    for call, message in [
        (lambda: of_sites.sample(conditions=rome), "'Rome' in column 'site'"),
        (lambda: of_sites.sample(conditions={"site": "Oslo"}), r"lacks columns \['age'\]"),
        (lambda: of_sites.sample(conditions=sites), r"has columns \['a', 'b'"),
        (lambda: of_sites.sample(conditions=["Oslo", "Bern"]), "has 1 columns"),
        (lambda: of_sites.sample(conditions={"site": None, "age": 1}), "no value in column 'site'"),
        (lambda: of_sites.sample(conditions={"site": 3, "age": 1}), "held text when it was fitted"),
        (lambda: of_sites.sample(3), "conditions is None"),
        (lambda: of_sites.transform(sites.drop(columns="age")), r"X lacks \['age'\]"),
        (lambda: of_sites.inverse_transform(np.zeros((2, 2))), "condition is None"),
        (lambda: of_digits.reconstruct(X, condition=y, to=11), "to holds 11 .* Known are 0, 1, 2"),
        (lambda: of_digits.transform(X), "Give condition, such as 0, for each sample"),
        (lambda: of_digits.transform(X, condition=y[:9]), "9 conditions for 900 samples"),
        (lambda: of_digits.sample(3, conditions=[1, 2]), "2 conditions for 3 samples"),
    ]:
        with pytest.raises(ValueError, match=message):
            call()


def test_a_model_without_condition(digits, quick):
    X, y = digits
    model = VariationalAutoencoder(**quick)
    with pytest.raises(NotFittedError):
        model.transform(X, condition=y)
    model.fit(X)
    for call in (
        lambda: model.transform(X, condition=y),
        lambda: model.reconstruct(X, to=3),
        lambda: model.transform(X, to=3),
        lambda: model.sample(conditions=3),
        lambda: model.inverse_transform(np.zeros((1, 3)), condition=3),
    ):
        with pytest.raises(ValueError, match="was fitted without one"):
            call()


def test_what_takes_no_condition(digits, of_digits, quick):
    X, y = digits
    ensemble = EnsembleAutoencoder(VariationalAutoencoder(**quick), 2)
    with pytest.raises(TypeError, match="unexpected keyword argument 'condition'"):
        ensemble.fit(X, condition=y)
    pytest.importorskip("onnxscript")
    with pytest.raises(ValueError, match="fitted with a condition"):
        skae.to_onnx(of_digits)


def test_a_failed_fit_leaves_the_earlier_one(digits, quick):
    X, y = digits
    model = VariationalAutoencoder(**quick).fit(X, condition=y)
    expected = model.sample(conditions=[1, 2])
    with pytest.raises(ValueError, match="samples"):
        model.fit(X, condition=y[:4])
    np.testing.assert_array_equal(model.sample(conditions=[1, 2]), expected)
