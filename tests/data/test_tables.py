"""Tables of numbers, categories, dates and holes."""

import datetime
import pickle

import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import polars.testing
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skae import (
    Autoencoder,
    DenoisingAutoencoder,
    EnsembleAutoencoder,
    RecurrentAutoencoder,
    SparseAutoencoder,
    TabularAutoencoder,
    VariationalAutoencoder,
    fit_many,
)
from skae._data.column_layout import ColumnLayout
from skae._data.columns import TableColumns
from skae._data.frames import aligned
from skae._training.dense_step import dense_step
from skae._training.flat import FlatView, flat_parameter
from skae.architectures import Dense, Tabular
from skae.corruptions import TabularCorruption

N = 60
QUICK = {"max_epochs": 3, "random_state": 0, "check_baseline": False}


@pytest.fixture
def frame(global_random_seed):
    """Columns of all kinds, which depend on each other, with a hole in every one."""
    rng = np.random.default_rng(global_random_seed)
    age = rng.integers(18, 70, size=N)
    day = pd.Timestamp("2020-01-01") + pd.to_timedelta(age, unit="D")
    names = np.where(age < 40, "young", "old")
    X = pd.DataFrame(
        {
            "age": pd.array(age, dtype="Int64"),
            "income": age * 1000.0 + rng.normal(size=N),
            "half": (age / 2).astype(np.float32),
            "name": pd.Series(names),
            "text": pd.array(names, dtype="string"),
            "object": np.array([1, "a"], dtype=object)[(age < 30).astype(int)],
            "grade": pd.Categorical(names, categories=["young", "unused", "old"], ordered=True),
            "member": pd.array(age > 50, dtype="boolean"),
            "day": day,
            "there": day.tz_localize("Europe/Berlin"),
            "span": pd.to_timedelta(age, unit="h"),
        },
        index=rng.permutation(N),
    )
    X["count"] = age.astype(np.uint8)
    X["is_old"] = age > 50
    for i, name in enumerate(X.columns[:-2]):
        X.iloc[i, X.columns.get_loc(name)] = None
    return X


@pytest.fixture
def polars_frame():
    ages = [20, 30, None, 50, 60, 25]
    days = [None if age is None else datetime.datetime(2020, 1, 1, age % 24) for age in ages]
    kinds = ["a", None, "b", "b", "a", "a"]
    return pl.DataFrame(
        {
            "age": pl.Series(ages, dtype=pl.UInt8),
            "price": pl.Series([1, 2, None, 3, 4, 5]).cast(pl.Decimal(10, 2)),
            "height": [1.5, 1.6, None, 1.7, 1.8, 1.9],
            "kind": kinds,
            "category": pl.Series(kinds, dtype=pl.Categorical),
            "enum": pl.Series(kinds, dtype=pl.Enum(["b", "unused", "a"])),
            "flag": [True, False, None, True, True, False],
            "day": pl.Series(days).dt.date(),
            "time": days,
            "there": pl.Series(days).dt.replace_time_zone("Europe/Berlin"),
            "span": [None, *(datetime.timedelta(hours=i) for i in range(5))],
        }
    )


def make(**params):
    return TabularAutoencoder(2, **{**QUICK, **params})


# Columns.


def test_a_pandas_table_comes_back_as_it_was(frame):
    columns = TableColumns.learn(frame)
    restored = columns.restore(columns.read(frame), frame.index)
    pd.testing.assert_frame_equal(restored, frame, check_exact=False, rtol=1e-9)


def test_a_polars_table_comes_back_as_it_was(polars_frame):
    columns = TableColumns.learn(polars_frame)
    restored = columns.restore(columns.read(polars_frame))
    polars.testing.assert_frame_equal(restored, polars_frame)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_array_comes_back_as_it_was(dtype):
    X = np.array([[1, 2], [3, np.nan], [1e30, 4]], dtype=dtype)
    columns = TableColumns.learn(X, categorical_features=[1])
    restored = columns.restore(columns.read(X), dtype=dtype)
    assert restored.dtype == dtype
    np.testing.assert_allclose(restored, X, rtol=1e-6)


def test_arrays_of_objects_hold_numbers_and_categories():
    X = np.array([[1, "a", None], [2.5, "b", None], [None, None, None]], dtype=object)
    columns = TableColumns.learn(X)
    assert columns.is_category.tolist() == [False, True, True]
    restored = columns.restore(columns.read(X))
    assert restored[:2, :2].tolist() == X[:2, :2].tolist()
    assert pd.isna(restored[2]).all()


def test_values_beyond_what_a_dtype_holds_are_cut(frame):
    X = frame[["count", "half"]].assign(count=frame["count"] * 3)
    columns = TableColumns.learn(X, clip_to_range=False)
    restored = columns.restore(np.array([[50.0, 1000.0], [-50.0, -1000.0]]))
    assert restored["count"].tolist() == [255, 0]
    assert np.isfinite(restored["half"]).all()
    assert restored.dtypes.tolist() == [np.uint8, np.float32]


def test_heavy_tails_are_drawn_together():
    X = np.array([[0.0], [1.0], [2.0], [3.0], [1e12]])
    cells = TableColumns.learn(X).read(X)
    assert 10 < np.abs(cells).max() < 300
    assert (np.diff(cells[:, 0]) > 0).all()


def test_where_most_values_are_equal_the_others_set_the_scale():
    X = np.array([[0.0]] * 95 + [[10.0]] * 5)
    assert 1 < TableColumns.learn(X).read(X).max() < 10


def test_rare_categories_are_joined():
    values = ["a"] * 9 + ["b"] * 5 + ["c"] * 3 + ["d"] * 2
    columns = TableColumns.learn(pd.DataFrame({"x": values}), max_categories=3)
    cells = columns.read(pd.DataFrame({"x": ["a", "b", "c", "d", "e", None]}))
    np.testing.assert_array_equal(cells[:, 0], [0, 1, 2, 2, -1, np.nan])
    assert columns.restore(cells)["x"].tolist()[:4] == ["a", "b", "c", "c"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("from_dtype", [False, True, True]),
        (None, [False, False, True]),
        ([0], [True, False, True]),
        (["number"], [True, False, True]),
        ([True, True, False], [True, True, True]),
    ],
)
def test_categorical_features(given, expected):
    X = pd.DataFrame(
        {"number": [1, 2, 3], "grade": pd.Categorical([1, 2, 1]), "text": ["a", "b", "a"]}
    )
    columns = TableColumns.learn(X, categorical_features=given)
    assert columns.is_category.tolist() == expected
    restored = columns.restore(columns.read(X))
    pd.testing.assert_frame_equal(restored, X.astype({"grade": restored["grade"].dtype}))


@pytest.mark.parametrize("given", [["nobody"], [70], [True], "all", [0.5], [[1]]])
def test_bad_categorical_features(frame, given):
    with pytest.raises(ValueError, match="categorical_features"):
        make(categorical_features=given).fit(frame)


# What is wrong with a table.


def test_columns_are_found_by_name(frame):
    model = make().fit(frame)
    other = frame[frame.columns[::-1]].assign(extra=1)
    np.testing.assert_array_equal(model.transform(other), model.transform(frame))
    assert list(model.reconstruct(other).columns) == list(frame.columns)
    assert list(model.feature_names_in_) == list(frame.columns)
    found = aligned(nw.from_native(other), frame.columns).to_native()
    pd.testing.assert_frame_equal(found, frame)


def test_missing_columns_are_named(frame, polars_frame):
    model = make().fit(frame)
    with pytest.raises(ValueError, match=r"missing:\n- income\n.*\['wage'\]; renamed"):
        model.transform(frame.rename(columns={"income": "wage"}))
    with pytest.raises(ValueError, match=r"missing:\n- kind\n"):
        make().fit(polars_frame).score_samples(polars_frame.drop("kind"))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda X: X.assign(income="much"), ValueError, "'income' held numbers .* now holds"),
        (lambda X: X.assign(income="7"), ValueError, "'income' held numbers .* now holds"),
        (lambda X: X.assign(income=X["day"]), ValueError, "'income' held numbers"),
        (lambda X: X.assign(income=True), ValueError, "'income' held numbers"),
        (lambda X: X.assign(name=7), ValueError, "'name' held text .* now holds"),
        (lambda X: X.assign(day=7.0), ValueError, "'day' held dates .* now holds"),
        (lambda X: X.assign(span=X["day"]), ValueError, "'span' held durations"),
        (lambda X: X.assign(income=np.inf), ValueError, "'income' holds infinite values"),
        (lambda X: X.assign(income=1j), TypeError, "'income' of dtype complex128"),
        (lambda X: X.assign(name=[[1]] * N), TypeError, "'name' holds values that cannot be cat"),
        (lambda X: X.iloc[:, [0, 0]], ValueError, "more than one column of the name"),
        (lambda X: X.iloc[:0], ValueError, "no rows"),
    ],
)
def test_bad_columns_are_named(frame, change, error, message):
    model = make().fit(frame)
    before = model.transform(frame)
    with pytest.raises(error, match=message):
        model.transform(change(frame))
    np.testing.assert_array_equal(model.transform(frame), before)


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        (pd.DataFrame(index=range(3)), ValueError, "no columns"),
        (pd.DataFrame({"a": []}), ValueError, "no rows"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), ValueError, "more than one column"),
        (pl.LazyFrame({"a": [1, 2]}), TypeError, "lazy frame"),
        (pd.DataFrame({"a": [1.0, np.inf]}), ValueError, "'a' holds infinite"),
        (pd.DataFrame({"a": [1, 10**400]}), ValueError, "'a' holds infinite"),
        (np.array([[1.0], [np.inf]]), ValueError, "0 holds infinite"),
        (pd.DataFrame({"a": pd.period_range("2020", periods=3)}), TypeError, "'a' of dtype period"),
        (pl.DataFrame({"a": [[1], [2]]}), TypeError, "'a' of dtype List"),
    ],
)
def test_bad_tables_are_refused(X, error, message):
    with pytest.raises(error, match=message):
        make().fit(X)


@pytest.mark.filterwarnings("ignore::skae.exceptions.DataWarning")
@pytest.mark.parametrize(
    "column",
    [
        [np.nan] * N,
        [None] * N,
        [7.0] * N,
        ["one"] * N,
        [f"value {i}" for i in range(N)],
        [1, "a", (1, 2), None, 2.5, True] * (N // 6),
        pd.Categorical([None] * N, categories=["a"]),
        [pd.NaT] * N,
        [1e300, -1e300] * (N // 2),
        [1.7e308, -1.7e308] * (N // 2),
        [10**30, 10**30 + 10**20] * (N // 2),
    ],
    ids=[
        "nan",
        "none",
        "constant",
        "single",
        "many",
        "mixed",
        "empty",
        "nat",
        "e300",
        "e308",
        "int",
    ],
)
@pytest.mark.filterwarnings("ignore::skae.exceptions.DataWarning")
def test_odd_columns_work(frame, column):
    X = frame[["age", "name"]].reset_index(drop=True).assign(odd=pd.Series(column))
    model = make(max_categories=20).fit(X)
    assert np.isfinite(model.score_samples(X)).all()
    restored = model.reconstruct(X)
    assert restored.dtypes.equals(X.dtypes)
    assert np.isfinite(model.score(X))
    pd.testing.assert_series_equal(model.impute(X)["odd"][X["odd"].notna()], X["odd"].dropna())


def test_a_row_of_which_nothing_is_known_works(frame):
    model = make().fit(frame)
    empty = frame.iloc[:2].astype({"count": "Int64", "is_old": "boolean"})
    empty = empty.mask(np.ones(empty.shape, dtype=bool))
    assert np.isfinite(model.transform(empty)).all()
    np.testing.assert_array_equal(model.score_samples(empty), 0)
    assert model.reconstruct(empty).notna().all().all()


# Models.


@pytest.mark.parametrize(
    "model",
    [
        TabularAutoencoder(2, **QUICK),
        TabularAutoencoder(2, corruption=None, loss="absolute_error", **QUICK),
        TabularAutoencoder(2, corruption="swap", damaged_only=True, loss="huber", **QUICK),
        TabularAutoencoder(2, corruption="gaussian", normalization="batch", **QUICK),
        TabularAutoencoder(2, corruption="salt_and_pepper", dropout=0.1, **QUICK),
        TabularAutoencoder(2, corruption=lambda x, level: x * (1 + level), **QUICK),
        Autoencoder(2, architecture="tabular", **QUICK),
        DenoisingAutoencoder(2, architecture="tabular", corruption="masking", **QUICK),
        SparseAutoencoder(4, architecture="tabular", **QUICK),
        SparseAutoencoder(4, architecture="tabular", sparsity="l1", **QUICK),
        EnsembleAutoencoder(TabularAutoencoder(2, **QUICK), n_estimators=2, random_state=0),
    ],
)
def test_feature_losses_add_up_to_the_score(frame, model):
    model = clone(model).fit(frame)
    losses = model.feature_losses(frame)
    assert list(losses.columns) == list(frame.columns)
    assert losses.index.equals(frame.index)
    np.testing.assert_array_equal(losses.isna(), frame.isna())
    np.testing.assert_allclose(
        -losses.mean(axis=1), model.score_samples(frame), rtol=1e-6, atol=1e-6
    )
    assert model.reconstruct(frame).dtypes.equals(frame.dtypes)
    codes = model.transform(frame)
    assert model.inverse_transform(codes).dtypes.equals(frame.dtypes)
    errors = model.reconstruction_errors(frame)
    np.testing.assert_array_equal(errors.isna(), frame.isna())


def test_variational_autoencoder_draws_tables(frame):
    architecture = Tabular(clip_to_range=False)  # ends are drawn more than once
    model = VariationalAutoencoder(
        2, architecture=architecture, likelihood="gaussian", **QUICK
    ).fit(frame)
    drawn = model.sample(50)
    assert drawn.dtypes.equals(frame.dtypes)
    assert set(drawn["name"]) == {"young", "old"}
    assert drawn["income"].nunique() == 50
    assert np.isfinite(model.score_samples(frame)).all()
    assert model.noise_variance_ > 0
    with pytest.raises(ValueError, match="likelihood"):
        clone(model).set_params(likelihood="bernoulli").fit(frame)


def test_feature_losses_of_other_inputs(X):
    model = Autoencoder(2, **QUICK).fit(X)
    np.testing.assert_allclose(-model.feature_losses(X).mean(1), model.score_samples(X))
    members = EnsembleAutoencoder(Autoencoder(2, **QUICK), n_estimators=3, max_features=0.5)
    members.set_params(random_state=0).fit(X)
    np.testing.assert_allclose(-members.feature_losses(X).mean(1), members.score_samples(X))
    sequences = [X[:3], X[:5], X[5:9]]
    model = RecurrentAutoencoder(2, **QUICK).fit(sequences)
    means = [-losses.mean() for losses in model.feature_losses(sequences)]
    np.testing.assert_allclose(means, model.score_samples(sequences))
    model = Autoencoder(2, loss=lambda a, b: ((a - b) ** 2).mean(1), **QUICK).fit(X)
    with pytest.raises(ValueError, match="one value per element"):
        model.feature_losses(X)


def test_an_unseen_category_is_surprising(frame):
    model = make(max_epochs=20).fit(frame)
    new = frame.assign(name=frame["name"].where(frame["name"] != "old", "ancient"))
    is_new = (new["name"] == "ancient").to_numpy()
    change = (model.feature_losses(new) - model.feature_losses(frame))["name"][is_new]
    assert (change > 1).all()
    assert set(model.reconstruct(new)["name"]) <= {"young", "old"}
    assert (model.impute(new)["name"][is_new] == "ancient").all()


def test_reconstruct_fills_holes_and_impute_keeps_what_is_known(frame):
    model = make().fit(frame)
    assert model.reconstruct(frame).notna().all().all()
    imputed = model.impute(frame)
    known = frame.notna()
    assert imputed.notna().all().all()
    assert imputed.dtypes.equals(frame.dtypes)
    for name in frame:
        known = frame[name].notna()
        pd.testing.assert_series_equal(imputed[name][known], frame[name][known])


def test_what_is_missing_in_all_new_rows_is_imputed(frame, polars_frame):
    model = make().fit(frame)
    imputed = model.impute(frame.assign(name=None, income=np.nan))
    assert imputed[["name", "income"]].notna().all().all()
    empty = polars_frame.with_columns(pl.lit(None).alias("kind"), height=pl.lit(None, pl.Float32))
    imputed = make().fit(polars_frame).impute(empty)
    assert imputed.schema["kind"] == pl.String
    assert imputed.schema["height"] == pl.Float32
    assert not imputed["kind", "height"].null_count().sum_horizontal().item()


def test_imputation_beats_mean_and_mode(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    base = rng.normal(size=1000)
    X = pd.DataFrame({f"x{i}": base * (i + 1) + rng.normal(size=1000) / 4 for i in range(4)})
    X["sign"] = np.where(base > 0, "plus", "minus")
    hidden = pd.DataFrame(rng.random(X.shape) < 0.2, columns=X.columns)
    holes = X.mask(hidden)
    imputed = (
        TabularAutoencoder(1, max_epochs=30, random_state=global_random_seed)
        .fit(holes)
        .impute(holes)
    )
    for name in ["x0", "x1", "x2", "x3"]:
        error = (imputed[name] - X[name])[hidden[name]].std()
        assert error < 0.5 * X[name][hidden[name]].std()
    assert (imputed["sign"] == X["sign"])[hidden["sign"]].mean() > 0.9


def test_polars_tables_in_and_out(polars_frame):
    model = make().fit(polars_frame)
    restored = model.reconstruct(polars_frame)
    assert restored.schema == polars_frame.schema
    assert restored.null_count().sum_horizontal()[0] == 0
    imputed = model.impute(polars_frame)
    assert imputed.schema == polars_frame.schema
    assert imputed["age"].to_list()[:2] == [20, 30]
    assert imputed.null_count().sum_horizontal()[0] == 0
    assert model.feature_losses(polars_frame).columns == polars_frame.columns
    pandas = pd.DataFrame(polars_frame.to_dict(as_series=False)).drop(columns=["there"])
    assert make().fit(pandas).transform(pandas).shape == (6, 2)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_arrays_keep_their_precision(X, dtype):
    X = X.astype(dtype)
    X[::7, 0] = np.nan
    model = make().fit(X)
    for output in [model.transform(X), model.reconstruct(X), model.impute(X)]:
        assert output.dtype == dtype
        assert np.isfinite(output).all()
    assert model.feature_losses(X).shape == X.shape
    np.testing.assert_array_equal(model.impute(X)[:, 1:], X[:, 1:])


def test_sequences_are_imputed(X):
    sequences = np.array(X[:, :8].reshape(30, 4, 8))
    sequences[3, 1, 2] = sequences[4, -1] = np.nan
    model = RecurrentAutoencoder(2, **QUICK).fit(sequences)
    imputed = model.impute(sequences)
    known = ~np.isnan(sequences)
    np.testing.assert_array_equal(imputed[known], sequences[known])
    assert np.isfinite(imputed[3]).all()
    assert np.isnan(imputed[4, -1]).all()
    as_list = model.impute(list(sequences[3:4]))
    assert np.isfinite(as_list[0]).all()
    assert not hasattr(Autoencoder(), "impute")


def test_pickle_set_output_pipeline_and_search(frame):
    model = make().fit(frame)
    twin = pickle.loads(pickle.dumps(model))
    pd.testing.assert_frame_equal(twin.reconstruct(frame), model.reconstruct(frame))
    codes = clone(model).set_output(transform="pandas").fit_transform(frame)
    assert list(codes.columns) == ["tabularautoencoder0", "tabularautoencoder1"]
    pipeline = make_pipeline(FunctionTransformer(), make()).fit(frame)
    np.testing.assert_array_equal(pipeline.transform(frame), model.transform(frame))
    search = GridSearchCV(make(), {"noise_level": [0.0, 0.2]}, cv=2).fit(frame)
    assert search.best_params_["noise_level"] in (0.0, 0.2)
    search = GridSearchCV(
        Autoencoder(2, architecture="tabular", **QUICK),
        {"architecture__hidden_layer_sizes": [(4,), (8,)]},
        cv=2,
    )
    assert search.fit(frame).best_estimator_.architecture.hidden_layer_sizes in ((4,), (8,))


def test_training_goes_on_with_the_same_columns(frame):
    model = make().partial_fit(frame.iloc[:30]).partial_fit(frame.iloc[30:])
    assert model.n_iter_ == 2
    with pytest.raises(ValueError, match="'income' held numbers"):
        model.partial_fit(frame.assign(income="much"))
    assert model.n_iter_ == 2


def test_members_of_an_ensemble_read_alike(frame):
    X = frame.assign(rare=["one", *["two"] * (N - 1)])
    members = EnsembleAutoencoder(make(), n_estimators=3, max_samples=10, random_state=0).fit(X)
    assert members.transform(X).shape == (N, 6)
    assert members.reconstruct(X).dtypes.equals(X.dtypes)
    assert members.impute(X).notna().all().all()
    np.testing.assert_allclose(
        -members.feature_losses(X).mean(axis=1), members.score_samples(X), rtol=1e-5, atol=1e-5
    )
    others = [make(), make(max_categories=5)]
    with pytest.raises(ValueError, match="in different ways: .*max_categories=5"):
        EnsembleAutoencoder(others, n_estimators=2).fit(X)


def test_weights_and_frames_of_another_library(frame, polars_frame):
    weight = np.arange(6.0)
    model = make().fit(polars_frame.drop("there"), sample_weight=weight)
    pandas = pd.DataFrame(polars_frame.drop("there").to_dict(as_series=False))
    np.testing.assert_allclose(model.transform(pandas), model.transform(polars_frame))
    assert list(model.feature_losses(pandas).columns) == list(pandas.columns)
    imputed = model.impute(pandas)
    pd.testing.assert_series_equal(imputed["height"].drop(2), pandas["height"].drop(2))
    assert imputed.notna().all().all()
    assert np.isfinite(model.score(polars_frame, sample_weight=weight))
    array = frame[["count"]].to_numpy()
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        make().fit(frame[["count"]]).transform(array)


@pytest.mark.parametrize("names", [["name", "grade"], ["name"], ["income"], ["day"]])
@pytest.mark.parametrize("objective", [TabularAutoencoder, VariationalAutoencoder])
def test_tables_of_one_kind(frame, names, objective):
    architecture = {} if objective is TabularAutoencoder else {"architecture": "tabular"}
    model = objective(1, **QUICK, **architecture).fit(frame[names])
    assert model.reconstruct(frame[names]).notna().all().all()
    assert np.isfinite(model.score_samples(frame[names].dropna())).all()


def test_lists_of_numbers_and_text_stay_these():
    X = [[1, "a"], [2.5, None], [3, "b"]]
    imputed = make().fit(X).impute(X)
    assert imputed[0].tolist() == [1, "a"]
    assert imputed[1, 1] in ("a", "b")
    with pytest.warns(UserWarning, match="was fitted without feature names"):
        imputed = make().fit(X).impute(pd.DataFrame(X, columns=["number", "text"]))
    assert imputed["text"].notna().all()


def test_dates_stay_within_what_dates_can_be():
    X = pd.DataFrame({"day": np.array(["0001-01-01", "9999-12-31"], dtype="M8[s]")})
    assert make().fit(X).reconstruct(X)["day"].dt.year.between(1, 9999).all()


def test_arrays_of_dates_come_back_as_dates():
    X = np.array([["2020-01-01"], ["2020-01-05"], ["2020-02-01"]], dtype="M8[D]")
    restored = make().fit(X).reconstruct(X)
    assert restored.dtype == X.dtype


def test_one_large_column_drowns_no_other(frame):
    X = frame[["age", "income", "name"]]
    losses = make(corruption=None).fit(X).feature_losses(X)
    larger = X.assign(income=X["income"] * 1e6)
    np.testing.assert_allclose(
        make(corruption=None).fit(larger).feature_losses(larger), losses, rtol=1e-2, atol=1e-3
    )


def test_nets_of_tables_train_together(frame, capsys):
    models = [make(random_state=i, lr=1e-3 * (1 + i)) for i in range(3)]
    alone = [clone(model).fit(frame).score_samples(frame) for model in models]
    together = fit_many(models, frame, verbose=1)
    assert "trained together: 3" in capsys.readouterr().out
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_allclose(one, other.score_samples(frame), rtol=1e-4)


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber"])
def test_the_written_step_equals_autograd(frame, loss):
    model = make(loss=loss, corruption=None).fit(frame)
    module = model.net_.module_.double()
    x, _ = model._reader.read(frame, estimator=model).get_batch(slice(None), torch.float64)
    weight = torch.rand(N, dtype=torch.float64)
    flat = flat_parameter(module)
    with FlatView(module, flat):
        written_loss = dense_step(module)(x, x, weight, None)
        written = flat.grad.clone()
        flat.grad.zero_()
        expected = module.objective(x, x, weight)
        expected.backward()
        torch.testing.assert_close(written_loss, expected.detach())
        torch.testing.assert_close(written, flat.grad)


# Corruptions.


@pytest.fixture
def cells():
    groups = ColumnLayout(n_numbers=2, widths=(3,))
    x = torch.cat([torch.randn(500, 2), torch.eye(3)[torch.arange(500) % 3]], 1)
    x[0] = torch.nan
    return groups, x


def damage(groups, x, corruption, damaged_only=False):
    torch.manual_seed(0)
    low, high = torch.full((5,), -9.0), torch.full((5,), 9.0)
    params = {"noise_level": 0.3, "low": low, "high": high, "clip": False}
    return TabularCorruption(groups, corruption=corruption, damaged_only=damaged_only, **params)(x)


def test_masking_hides_whole_cells(cells):
    groups, x = cells
    damaged, weight = damage(groups, x, "masking", damaged_only=True)
    missing = damaged.isnan()
    assert (missing[:, 2:].all(1) == missing[:, 2:].any(1)).all()
    assert missing[1:].float().mean(0).sub(0.3).abs().max() < 0.07
    assert torch.equal(damaged[~missing], x[~missing])
    assert torch.equal(weight > 0, missing & ~x.isnan())


def test_swap_takes_whole_cells_of_the_same_column(cells):
    groups, x = cells
    damaged, _ = damage(groups, x, "swap")
    assert (damaged[1:, 2:].nan_to_num(1 / 3).sum(1) - 1).abs().max() < 1e-6
    for i in range(2):
        assert torch.isin(damaged[1:, i].nan_to_num(), x[:, i].nan_to_num()).all()
    assert 0.1 < (damaged[1:] != x[1:])[:, 0].float().mean() < 0.4


@pytest.mark.parametrize("corruption", ["gaussian", "salt_and_pepper"])
def test_noise_is_for_numbers_alone(cells, corruption):
    groups, x = cells
    damaged, _ = damage(groups, x, corruption)
    assert torch.equal(damaged[1:, 2:], x[1:, 2:])
    assert (damaged[1:, :2] != x[1:, :2]).any()


def test_salt_and_pepper_are_the_ends_of_what_is_known():
    X = pd.DataFrame({"kind": ["a", "b", None, "a"], "x": [-1.0, np.nan, 1.0, 2.0]})
    model = make(corruption="salt_and_pepper").fit(X)
    cells = TableColumns.learn(X).read(X)[:, 1]
    corruption = model.net_.module_.corruption
    np.testing.assert_allclose(corruption.low[0], np.nanmin(cells))
    np.testing.assert_allclose(corruption.high[0], np.nanmax(cells))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Autoencoder(architecture="tabular", loss="binary_cross_entropy"), "numbers of a table"),
        (Autoencoder(architecture="tabular", loss="ssim"), "numbers of a table"),
        (Autoencoder(architecture="tabular", output_activation="tanh"), "output_activation"),
        (DenoisingAutoencoder(architecture="tabular", data_range=(0, 1)), "data_range"),
        (TabularAutoencoder(corruption=None, damaged_only=True), "damaged_only"),
        (TabularAutoencoder(noise_level=1.5), "noise_level"),
        (TabularAutoencoder(corruption="mask"), "masking"),
        (TabularAutoencoder(max_categories=1), "max_categories"),
        (TabularAutoencoder(hidden_layer_sizes=(0,)), "hidden_layer_sizes"),
    ],
)
def test_bad_parameters(frame, model, message):
    with pytest.raises(ValueError, match=message):
        model.fit(frame)


def test_other_architectures_still_refuse_text(frame):
    with pytest.raises(ValueError, match="Not numeric"):
        Autoencoder(architecture=Dense()).fit(frame.drop(columns=["day", "there", "span"]))
