"""What is typical of a table, whether or not the training rows hold anomalies."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from joblib import parallel_config
from scipy.stats import ks_2samp
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import roc_auc_score

from skae import Autoencoder, TabularAutoencoder, TabularOutlierScorer

SMALL = TabularAutoencoder(2, hidden_layer_sizes=(), max_epochs=3, early_stopping=False)


def make(**params):
    return TabularOutlierScorer(
        **{"estimator": SMALL, "n_estimators": 2, "random_state": 0, **params}
    )


@pytest.fixture
def numbers(rng):
    """Rows near a line."""
    return rng.uniform(size=(300, 1)) + rng.normal(scale=0.05, size=(300, 4))


@pytest.fixture
def mixed(rng):
    """A table of numbers and categories that depend on each other, with holes."""
    is_large = rng.random(200) < 0.5
    power = np.where(is_large, 50.0, 10.0) + rng.standard_normal(200)
    frame = pd.DataFrame(
        {
            "power": power,
            "current": power / 5 + 0.1 * rng.standard_normal(200),
            "kind": pd.Categorical(np.where(is_large, "large", "small")),
            "site": np.where(is_large, "north", "south"),
            "is_heavy": is_large,
            "day": pd.Timestamp("2025-01-01") + pd.to_timedelta(rng.integers(300, size=200), "D"),
        }
    )
    for i, name in enumerate(["power", "kind", "site", "day"]):
        frame.loc[i, name] = None
    return frame


def to_polars(frame):
    return pl.DataFrame(
        {
            name: [None if pd.isna(value) else value for value in column]
            for name, column in frame.items()
        },
        schema_overrides={"kind": pl.Categorical},
    )


# Scores.


def test_the_default_finds_anomalies_that_it_was_fitted_on(global_random_seed, rng, numbers):
    """Those far off, those that break what columns have in common, and those in a heap."""
    heap = [3.0, -2.0, 3.0, -2.0] + rng.normal(scale=0.05, size=(20, 4))
    mixed_up = rng.permuted(numbers[:10], axis=0) * [1, -1, 1, -1]
    X = np.concatenate([numbers, heap, mixed_up])
    scorer = TabularOutlierScorer(random_state=global_random_seed).fit(X)
    is_normal = np.arange(len(X)) < len(numbers)
    assert roc_auc_score(is_normal, scorer.score_samples(X)) > 0.98
    assert not np.isin(np.arange(300, 320), scorer.inlier_indices_).any()


def test_rows_at_the_edge_are_learned_from_and_heaps_are_not(rng):
    X = np.concatenate([rng.normal(size=(200, 2)), rng.normal(8, 0.1, size=(12, 2))])
    inliers = make().fit(X).inlier_indices_
    np.testing.assert_array_equal(inliers, np.arange(200))


def test_modes_and_the_tail_of_a_column_are_learned_from(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    modes = np.concatenate([rng.normal(size=(180, 4)), rng.normal(8, 0.3, size=(20, 4))])
    axes = np.zeros((400, 5))
    axes[np.arange(400), rng.integers(5, size=400)] = rng.uniform(1, 2, size=400)
    tail = np.column_stack([rng.normal(size=(300, 2)), rng.lognormal(0, 3, 300)])
    rare = np.where(np.arange(200) < 10, "rare", "usual")
    kinds = pd.DataFrame({"kind": rare, "x": rng.normal(size=200)})
    kinds["y"] = rng.normal(size=200) + 9 * (rare == "rare")
    kinds["z"] = rng.normal(size=200) + 9 * (rare == "rare")
    for X in (modes, axes, tail, kinds):
        assert len(make().fit(X).inlier_indices_) >= 0.98 * len(X)


def test_all_rows_are_learned_from_if_they_are_known_to_be_clean(global_random_seed, rng, numbers):
    X = np.concatenate([numbers, rng.normal(5, 0.1, size=(20, 4))])
    clean, wary = (
        make(random_state=global_random_seed, assume_clean=given).fit(X) for given in (True, False)
    )
    np.testing.assert_array_equal(clean.inlier_indices_, np.arange(320))
    assert wary.score_samples(X[300:]).max() < clean.score_samples(X[300:]).min()


def test_scores_of_training_rows_are_those_where_they_are_left_out(global_random_seed):
    X = np.random.default_rng(global_random_seed).normal(size=(1200, 3))
    scorer = TabularOutlierScorer(random_state=global_random_seed).fit(X[:200])
    np.testing.assert_array_equal(scorer.sample_indices_, np.arange(200))
    np.testing.assert_allclose(scorer.score_samples(X[:200]), scorer.training_scores_)
    new = scorer.score_samples(X[200:])
    assert ks_2samp(scorer.training_scores_, new).statistic < 0.15
    without = TabularOutlierScorer(random_state=global_random_seed).fit(X[1:200])
    assert without.score_samples(X[:1]) == pytest.approx(scorer.training_scores_[0], abs=0.7)


def test_unseen_categories_are_odd(global_random_seed, mixed):
    scorer = make(random_state=global_random_seed).fit(mixed)
    rows = mixed.iloc[10:15]
    other = scorer.score_samples(rows.assign(site="moon"))
    assert (other < scorer.score_samples(mixed).min()).all()
    rare = mixed.assign(site=np.where(np.arange(200) == 9, "moon", mixed["site"]))
    assert (
        make(random_state=global_random_seed, assume_clean=True)
        .fit(rare)
        .score_samples(rare)
        .argmin()
        == 9
    )


def test_cells_that_do_not_fit_together_are_odd(global_random_seed, mixed):
    scorer = make(
        random_state=global_random_seed, estimator=clone(SMALL).set_params(max_epochs=20)
    ).fit(mixed)
    rows = mixed.iloc[10:20]
    swapped = rows.assign(site=rows["site"].map({"north": "south", "south": "north"}))
    normal = scorer.score_samples(mixed.iloc[20:])
    assert (scorer.score_samples(swapped) < np.quantile(normal, 0.02)).all()


def test_missing_numbers_are_not_odd(global_random_seed, mixed):
    """A mean of both clusters of the column would be."""
    scorer = TabularOutlierScorer(random_state=global_random_seed).fit(mixed)
    normal = scorer.score_samples(mixed)
    for name in ["power", "current"]:
        scores = scorer.score_samples(mixed.iloc[10:40].assign(**{name: np.nan}))
        assert np.median(scores) > np.quantile(normal, 0.1)


def test_missing_cells_are_neither_odd_nor_an_excuse(global_random_seed, mixed):
    scorer = make(
        random_state=global_random_seed, estimator=clone(SMALL).set_params(max_epochs=20)
    ).fit(mixed)
    normal = scorer.score_samples(mixed)
    rows = mixed.iloc[10:40]
    for name in ["kind", "site", "is_heavy", "day"]:
        scores = scorer.score_samples(rows.astype({"is_heavy": object}).assign(**{name: None}))
        assert np.median(scores) > np.quantile(normal, 0.02)
    far = rows.assign(current=1e3)
    assert scorer.score_samples(far.assign(power=np.nan)).max() < normal.min()
    nothing = mixed.iloc[:1].astype({"is_heavy": object}).mask(np.ones((1, 6), bool))
    assert np.isfinite(scorer.score_samples(nothing)).all()


@pytest.mark.parametrize(
    "params", [{"assume_clean": True}, {}, {"n_neighbors": 1}, {"n_neighbors": (2, 10**6)}]
)
def test_scores_of_new_rows_do_not_depend_on_the_rows_beside_them(mixed, params):
    scorer = make(**params).fit(mixed)
    together = scorer.score_samples(mixed)
    alone = [scorer.score_samples(mixed.iloc[[i]])[0] for i in range(20)]
    np.testing.assert_allclose(together[:20], alone)


def test_rows_are_scored_in_chunks(numbers, monkeypatch):
    scorer = make().fit(numbers)
    together = scorer.score_samples(numbers)
    monkeypatch.setattr("skae._outliers.scorer.CHUNK_ROWS", 7)
    np.testing.assert_allclose(scorer.score_samples(numbers), together)


def test_the_unit_of_columns_does_not_matter(mixed):
    scores = make().fit(mixed).score_samples(mixed)
    in_watts = mixed.assign(power=1000 * mixed["power"] - 7)
    np.testing.assert_allclose(make().fit(in_watts).score_samples(in_watts), scores, atol=1e-3)


# Tables of all kinds.


def test_polars_and_pandas_score_the_same(mixed):
    pandas, polars = make().fit(mixed), make().fit(to_polars(mixed))
    scores = pandas.score_samples(mixed)
    np.testing.assert_allclose(polars.score_samples(to_polars(mixed)), scores)
    np.testing.assert_allclose(pandas.score_samples(to_polars(mixed)), scores)
    assert list(polars.feature_names_in_) == list(mixed.columns)


def test_arrays_of_objects_and_masked_ones(mixed, numbers):
    X = mixed.drop(columns="day").to_numpy(dtype=object)
    assert np.isfinite(make().fit(X).score_samples(X)).all()
    masked = np.ma.masked_greater(numbers, 1)
    with_nan = np.where(masked.mask, np.nan, numbers)
    np.testing.assert_array_equal(
        make().fit(masked).score_samples(masked), make().fit(with_nan).score_samples(with_nan)
    )


@pytest.mark.filterwarnings("ignore::skae.exceptions.DataWarning")
@pytest.mark.parametrize(
    "column",
    [7.0, np.nan, None, "one", pd.NaT, True, 1e300],
    ids=["constant", "nan", "none", "single", "nat", "true", "huge"],
)
def test_columns_that_say_nothing(mixed, column):
    X = mixed.assign(anomalous=column)
    scorer = make().fit(X)
    scores = scorer.score_samples(X)
    assert np.isfinite(scores).all()
    assert np.ptp(scores) > 0
    if not pd.isna(column):
        other = {"one": "two", True: False}.get(column, -1.0)
        assert scorer.score_samples(X.assign(anomalous=other)).max() < scores.min()


@pytest.mark.filterwarnings("ignore:TabularOutlierScorer was fitted on one sample")
@pytest.mark.parametrize("n_rows", [1, 2, 3, 5])
def test_few_rows(mixed, n_rows):
    X = mixed.iloc[5 : 5 + n_rows]
    scorer = make().fit(X)
    scores = scorer.score_samples(X)
    assert np.isfinite(scores).all()
    assert scorer.score_samples(X.assign(power=1e6)).max() < scores.min()


def test_one_column_and_more_columns_than_rows(rng):
    for X in (rng.normal(size=(50, 1)), rng.normal(size=(8, 60))):
        scores = make().fit(X).score_samples(np.concatenate([X, X[:1] + 20]))
        assert scores.argmin() == len(X)


@pytest.mark.parametrize("n_copies", [2, 30])
def test_duplicates_are_typical_and_score_alike(rng, n_copies):
    X = np.repeat(rng.normal(size=(20, 3)), n_copies, axis=0)
    scorer = make(assume_clean=True).fit(X)
    scores = scorer.score_samples(X)
    assert np.isfinite(scores).all()
    np.testing.assert_array_equal(scores[::n_copies], scores[1::n_copies])
    assert scorer.score_samples(X[:1] + 10) < scores.min()


def test_rows_that_are_all_equal():
    scorer = make().fit(np.ones((20, 3)))
    np.testing.assert_allclose(scorer.score_samples(np.ones((5, 3))), 0, atol=1e-12)
    assert scorer.score_samples([[1, 1, 1.1]]) < 0


# Parameters.


def test_max_samples_draws_rows(rng):
    X = rng.normal(size=(200, 3))
    scorer = make(max_samples=50).fit(X)
    assert len(scorer.inlier_indices_) <= 50
    assert scorer.inlier_indices_.max() > 50
    assert np.all(np.diff(scorer.inlier_indices_) > 0)
    assert np.isfinite(scorer.score_samples(X)).all()
    np.testing.assert_array_equal(
        make(max_samples=200).fit(X).inlier_indices_, make().fit(X).inlier_indices_
    )


def test_estimators_of_ones_own(numbers):
    members = [SMALL, clone(SMALL).set_params(n_components=1)]
    scorer = make(estimator=members).fit(numbers)
    assert [one.n_components_ for one in scorer.ensemble_.estimators_] == [2, 1]
    assert not hasattr(SMALL, "net_")
    single = make(estimator=SMALL).fit(numbers)
    assert not np.array_equal(single.score_samples(numbers), scorer.score_samples(numbers))


def test_numbers_can_be_categories(rng):
    X = np.column_stack([rng.integers(3, size=200) * 10, rng.normal(size=200)])
    between = [[5.0, 0.0]]
    as_number, as_category = (
        make(categorical_features=given).fit(X).score_samples(between) for given in (None, [0])
    )
    assert as_category < as_number


def test_rare_categories_are_joined(rng):
    X = pd.DataFrame({"id": [f"id {i // 2}" for i in range(150)], "x": rng.normal(size=150)})
    scorer = make(max_categories=5).fit(X)
    scores = scorer.score_samples(X)
    assert np.isfinite(scores).all()
    joined = X.assign(id=X["id"].iloc[-1])  # all of the many, as one
    assert scorer.score_samples(joined).mean() > scorer.score_samples(X.assign(id="new")).mean()


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"assume_clean": "no"}, "assume_clean"),
        ({"n_neighbors": 0}, "n_neighbors"),
        ({"n_neighbors": ()}, "n_neighbors must be an integer of at least 1"),
        ({"n_neighbors": (1, 2.5)}, "n_neighbors must be an integer of at least 1"),
        ({"n_estimators": 0}, "n_estimators"),
        ({"max_samples": 0}, "max_samples"),
        ({"max_categories": 1}, "max_categories"),
        ({"categorical_features": ["nowhere"]}, "nowhere"),
        ({"estimator": Autoencoder()}, r"must be a TabularAutoencoder.*got Autoencoder"),
        ({"estimator": [SMALL, "tabular"]}, r"must be a TabularAutoencoder.*got 'tabular'"),
        ({"estimator": TabularAutoencoder}, "TabularAutoencoder is a class"),
        ({"estimator": []}, "empty list"),
        ({"estimator": [SMALL] * 3}, "n_estimators=2 leaves out"),
    ],
)
def test_errors_leave_a_fitted_model_as_it_was(numbers, params, message):
    scorer = make().fit(numbers)
    before = scorer.score_samples(numbers)
    with pytest.raises((TypeError, ValueError), match=message):
        clone(scorer).set_params(**params).fit(numbers)
    with pytest.raises((TypeError, ValueError), match=message):
        scorer.set_params(**params).fit(numbers[:50])
    np.testing.assert_array_equal(scorer.score_samples(numbers), before)


def test_tables_that_differ_are_refused(mixed):
    scorer = make().fit(mixed)
    with pytest.raises(ValueError, match=r"missing:\n- site"):
        scorer.score_samples(mixed.drop(columns="site"))
    with pytest.raises(ValueError, match="'power' held numbers"):
        scorer.score_samples(mixed.assign(power="much"))
    with pytest.raises(ValueError, match="'power' holds infinite"):
        scorer.score_samples(mixed.assign(power=np.inf))
    reordered = scorer.score_samples(mixed[mixed.columns[::-1]])
    np.testing.assert_array_equal(reordered, scorer.score_samples(mixed))
    with pytest.raises(NotFittedError):
        make().score_samples(mixed)


# What it is worth beside scores.


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_impute_fills_holes_and_keeps_the_rest(mixed, library):
    X = mixed if library == "pandas" else to_polars(mixed)
    imputed = make(estimator=clone(SMALL).set_params(max_epochs=20)).fit(X).impute(X)
    assert type(imputed) is type(X)
    if library == "pandas":
        assert imputed.dtypes.equals(X.dtypes)
        pd.testing.assert_frame_equal(imputed.iloc[4:], X.iloc[4:])
    else:
        assert imputed.schema == X.schema
        assert imputed[4:].equals(X[4:])
    frame = pd.DataFrame(imputed.to_dict(as_series=False)) if library == "polars" else imputed
    assert frame.notna().all().all()
    assert frame["site"][2] == ("north" if mixed["is_heavy"][2] else "south")


def test_the_same_seed_gives_the_same_scores(mixed):
    scorer = make().fit(mixed)
    scores = scorer.score_samples(mixed)
    for other in (
        make().fit(mixed),
        clone(scorer).fit(mixed),
        pickle.loads(pickle.dumps(scorer)),
        scorer.fit(mixed),
    ):
        np.testing.assert_array_equal(other.score_samples(mixed), scores)
    with parallel_config("threading"):
        shared = make(n_jobs=2).fit(mixed)
    np.testing.assert_array_equal(shared.score_samples(mixed), scores)
    assert not np.array_equal(make(random_state=1).fit(mixed).score_samples(mixed), scores)


@pytest.mark.parametrize("n_features", [4, 30])  # a tree of neighbors, and none
def test_a_row_is_not_its_own_neighbor(rng, n_features):
    """Rows that it was fitted on are as near to the others as new rows of the same place."""
    X = rng.normal(size=(200, n_features))
    scorer = make().fit(X)
    scores = scorer.score_samples(X)
    np.testing.assert_allclose(scorer.score_samples(X + 1e-9), scores, atol=1e-6)
    alone = [scorer.score_samples(X[[i]])[0] for i in range(20)]
    np.testing.assert_allclose(alone, scores[:20])


def test_rows_that_are_there_many_times_have_one_score(rng):
    """Whatever the other rows: the nearest ones are found in another order if there are many."""
    X = pd.DataFrame(rng.choice(["a", "b", "c"], (300, 8), p=[0.7, 0.2, 0.1]))
    scorer = TabularOutlierScorer(TabularAutoencoder(max_epochs=1), random_state=0).fit(X)
    scores = scorer.score_samples(pd.concat([X] * 8)).reshape(8, -1)
    np.testing.assert_allclose(scores, np.tile(scorer.score_samples(X), (8, 1)))


def test_a_missing_cell_is_filled_alike_whatever_the_other_rows(rng):
    """Also if many donors are as near as each other, but for rounding."""
    groups = rng.normal(size=(4, 3))
    X = np.column_stack([groups[rng.integers(4, size=301)], rng.normal(size=301)])
    scorer = TabularOutlierScorer(TabularAutoencoder(max_epochs=1), random_state=0).fit(X)
    X[:, 3] = np.nan
    alone = [scorer.score_samples(row[None])[0] for row in X[:100]]
    np.testing.assert_allclose(alone, scorer.score_samples(X)[:100])


@pytest.mark.filterwarnings("ignore:X has feature names")
def test_scorers_of_arrays_impute_frames(X):
    scorer = TabularOutlierScorer(TabularAutoencoder(2, max_epochs=1), random_state=0).fit(X)
    rows = X[:4].copy()
    rows[1, 2] = np.nan
    expected = scorer.impute(rows)
    for frame in (pd.DataFrame(rows), pl.DataFrame(rows).fill_nan(None)):
        imputed = scorer.impute(frame)
        assert type(imputed) is type(frame)
        np.testing.assert_array_equal(imputed.to_numpy(), expected)
