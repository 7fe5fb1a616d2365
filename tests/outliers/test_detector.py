"""Detectors: thresholds, p-values, explanations, and anything that scores samples."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from joblib import parallel_config
from scipy import sparse
from scipy.stats import kstest
from sklearn import config_context
from sklearn.base import BaseEstimator, clone
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.ensemble import IsolationForest
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import roc_auc_score
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, TimeSeriesSplit
from sklearn.neighbors import KernelDensity, LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skae import (
    Autoencoder,
    BatchedGridSearchCV,
    BatchedRandomizedSearchCV,
    ConvAutoencoder,
    EnsembleAutoencoder,
    OutlierDetector,
    RecurrentAutoencoder,
    TabularAutoencoder,
    TabularOutlierScorer,
    fit_many,
)
from skae._data.columns import TableColumns
from skae.architectures import Dense
from skae.exceptions import DataWarning

SCORERS = [
    PCA(4),
    GaussianMixture(2, random_state=0),
    KernelDensity(),
    IsolationForest(n_estimators=20, random_state=0),
    LocalOutlierFactor(novelty=True),
    make_pipeline(StandardScaler(), PCA(4)),
]


@pytest.fixture
def wine():
    return load_wine(as_frame=True).data


@pytest.fixture
def mixed(rng):
    """A table of numbers, categories, booleans, dates and holes, as two kinds of machines."""
    is_large = rng.random(300) < 0.5
    power = np.where(is_large, 50.0, 10.0) + rng.standard_normal(300)
    frame = pd.DataFrame(
        {
            "power": power,
            "current": power / 5 + 0.1 * rng.standard_normal(300),
            "pieces": np.where(is_large, 90, 20) + rng.integers(5, size=300),
            "kind": pd.Categorical(np.where(is_large, "large", "small")),
            "site": np.where(is_large, "north", "south"),
            "is_heavy": is_large,
            "day": pd.Timestamp("2025-01-01") + pd.to_timedelta(rng.integers(300, size=300), "D"),
        },
        index=[f"m{i}" for i in range(300)],
    )
    frame.loc["m7", "current"] = np.nan
    return frame


def to_polars(frame):
    return pl.DataFrame(
        {
            name: pl.Series(
                [None if pd.isna(value) else value for value in column],
                dtype=pl.Categorical if column.dtype == "category" else None,
            )
            for name, column in frame.items()
        }
    )


def to_pandas(frame):
    return pd.DataFrame(frame.to_dict(as_series=False))


def records(frame):
    return frame.to_dict("records") if isinstance(frame, pd.DataFrame) else frame.to_dicts()


class Mismatches(BaseEstimator):
    """Scores machines by minus the number of cells that do not fit together."""

    def fit(self, X, y=None):
        return self

    def score_samples(self, X):
        X = X if isinstance(X, pd.DataFrame) else to_pandas(X)
        is_large = X["power"].to_numpy() > 30
        of_kind = (X["kind"].astype(str) == "large").to_numpy() != is_large
        of_site = X["site"].to_numpy() != np.where(is_large, "north", "south")
        return 0.0 - of_kind - of_site - (X["pieces"].to_numpy() > 200)


# Any estimator, any rows.


@pytest.mark.parametrize("estimator", SCORERS, ids=lambda estimator: type(estimator).__name__)
def test_scores_are_the_estimators_and_the_offset_divides_them(X, estimator):
    detector = OutlierDetector(estimator).fit(X)
    alone = clone(estimator).fit(X)
    np.testing.assert_allclose(detector.score_samples(X), alone.score_samples(X))
    below = detector.score_samples(X) < detector.offset_
    np.testing.assert_array_equal(detector.predict(X), np.where(below, -1, 1))
    np.testing.assert_array_equal(detector.decision_function(X) < 0, below)
    assert detector.n_features_in_ == 10
    assert not hasattr(estimator, "n_features_in_")  # it was cloned


def test_the_default_finds_malignant_tumours_among_benign_ones(global_random_seed):
    data = load_breast_cancer(as_frame=True)
    is_benign = data.target == 1
    detector = OutlierDetector(random_state=global_random_seed).fit(data.data[is_benign][:200])
    assert roc_auc_score(data.target, detector.decision_function(data.data)) > 0.9
    assert (detector.predict(data.data[is_benign][200:]) == 1).mean() > 0.9
    assert list(detector.feature_names_in_) == list(data.feature_names)


def test_random_state_seeds_estimators_that_have_none(X):
    member = Autoencoder(2, max_epochs=2, check_baseline=False)
    ensemble = make_pipeline(StandardScaler(), EnsembleAutoencoder(member, n_estimators=2))
    first, again, other = (
        OutlierDetector(ensemble, random_state=seed).fit(X).score_samples(X) for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    own = IsolationForest(n_estimators=5, random_state=3)
    np.testing.assert_array_equal(
        OutlierDetector(own, random_state=0).fit(X).score_samples(X), own.fit(X).score_samples(X)
    )


@pytest.mark.parametrize("kind", [sparse.csr_array, sparse.coo_array])
def test_sparse_rows(rng, kind):
    X = sparse.random_array((80, 6), density=0.5, rng=rng)
    for estimator in (PCA(2), IsolationForest(random_state=0), TruncatedSVD):
        if estimator is TruncatedSVD:
            estimator = make_pipeline(TruncatedSVD(2, random_state=0), KernelDensity())
        detector = OutlierDetector(estimator, cv=2).fit(kind(X))
        dense = detector.score_samples(X.toarray())
        np.testing.assert_allclose(detector.score_samples(kind(X)), dense)
    np.testing.assert_array_equal(
        detector.explain(kind(X)[:3] if kind is sparse.csr_array else kind(X).tocsr()[:3]),
        detector.explain(X.toarray()[:3]),
    )


def test_images_and_sequences_are_scored_and_images_explained(rng):
    images = rng.random((20, 8, 8))
    quick = {"max_epochs": 1, "check_baseline": False, "random_state": 0}
    detector = OutlierDetector(ConvAutoencoder(channels=(2,), **quick), cv=2, random_state=0).fit(
        images
    )
    assert set(detector.predict(images)) <= {-1, 1}
    assert detector.explain(images).shape == (20, 8, 8)
    sequences = [rng.random((length, 2)) for length in rng.integers(3, 6, 20)]
    detector = OutlierDetector(RecurrentAutoencoder(hidden_layer_sizes=(4,), **quick), cv=2).fit(
        sequences
    )
    assert detector.calibration_scores_.shape == (20,)
    with pytest.raises(ValueError, match="Explanations are of tables.*reconstruction_errors"):
        detector.nearest_normal(sequences)


def test_densities_of_zero_leave_scores_finite():
    X = np.r_[np.linspace(0, 1, 50), 100][:, None]
    detector = OutlierDetector(KernelDensity(kernel="tophat")).fit(X)
    x = [[0.5], [50.0]]
    np.testing.assert_array_equal(detector.predict(x), [1, -1])
    assert np.isfinite(detector.decision_function(x)).all()
    assert np.isfinite(detector.explain(x).to_numpy()).all()


def test_scores_in_chunks_are_those_of_all(X):
    detector = OutlierDetector(random_state=0).fit(X)
    chunks = [detector.score_samples(X[i : i + 7]) for i in range(0, len(X), 7)]
    np.testing.assert_allclose(np.concatenate(chunks), detector.score_samples(X), rtol=1e-6)


# Names of columns.


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_columns_are_found_by_name(wine, library):
    frame = wine if library == "pandas" else to_polars(wine)
    detector = OutlierDetector(PCA(4)).fit(frame)
    scores = detector.score_samples(frame)
    mixed_up = frame[[*wine.columns[::-1]]]
    np.testing.assert_array_equal(detector.score_samples(mixed_up), scores)
    more = wine.assign(more="text")
    more = more if library == "pandas" else to_polars(more)
    np.testing.assert_array_equal(detector.predict(more), detector.predict(frame))
    assert list(detector.explain(more[:2]).columns) == list(wine.columns)
    less = wine.rename(columns={"hue": "color"})
    with pytest.raises(ValueError, match=r"missing:\n- hue\n(.|\n)*\['color'\]"):
        detector.predict(less if library == "pandas" else to_polars(less))


def test_frames_that_would_be_misread_are_refused(wine):
    twice = pd.concat([wine, wine[["hue"]]], axis=1)
    with pytest.raises(ValueError, match=r"more than one column of the name \['hue'\]"):
        OutlierDetector(PCA(4)).fit(twice)
    detector = OutlierDetector(PCA(4)).fit(wine)
    with pytest.raises(ValueError, match=r"more than one column of the name \['hue'\]"):
        detector.predict(twice)
    with pytest.raises(TypeError, match="lazy frame. Call its method collect"):
        OutlierDetector(PCA(4)).fit(to_polars(wine).lazy())


def test_column_transformers_see_frames(mixed):
    encoder = make_column_transformer(
        (StandardScaler(), ["power", "pieces"]),
        (OneHotEncoder(handle_unknown="ignore"), ["kind", "site"]),
    )
    detector = OutlierDetector(make_pipeline(encoder, KernelDensity()), cv=3, random_state=0).fit(
        mixed
    )
    anomalous = mixed.iloc[:4].assign(pieces=500)
    np.testing.assert_array_equal(detector.predict(anomalous), -1)
    assert (detector.explain(anomalous).idxmax(axis=1) == "pieces").all()


# Thresholds.


@pytest.mark.parametrize("cv", [None, 5])
def test_contamination_is_the_share_of_calibration_rows_below(X, cv):
    detector = OutlierDetector(PCA(4), contamination=0.1, cv=cv, random_state=0).fit(X)
    assert (detector.calibration_scores_ < detector.offset_).mean() == pytest.approx(0.1)


def test_rows_that_are_known_to_be_normal_are_all_learned_from(global_random_seed, rng):
    X = np.concatenate([rng.normal(size=(190, 4)), rng.normal(8, 0.3, size=(10, 4))])
    detector = OutlierDetector(contamination=0, random_state=global_random_seed).fit(X)
    np.testing.assert_array_equal(detector.estimator_.inlier_indices_, np.arange(200))
    np.testing.assert_array_equal(detector.predict(X), 1)
    assert detector.predict(np.full((1, 4), -8.0)) == -1
    by_pca = OutlierDetector(PCA(2), contamination=0).fit(X)
    np.testing.assert_array_equal(by_pca.predict(X), 1)


CLEAN = {
    "normal": lambda rng, shape: rng.standard_normal(shape),
    "uniform": lambda rng, shape: rng.random(shape),
    "heavy": lambda rng, shape: rng.standard_t(5, shape),
    "clusters": lambda rng, shape: (
        rng.standard_normal(shape) + 8 * rng.integers(3, size=(shape[0], 1))
    ),
}


@pytest.mark.parametrize("kind", CLEAN)
def test_auto_flags_few_clean_rows(global_random_seed, rng, kind):
    X = CLEAN[kind](rng, (2000, 5))
    for estimator in (PCA(), IsolationForest(n_estimators=50, random_state=global_random_seed)):
        detector = OutlierDetector(estimator).fit(X[:1000])
        for rows in (X[:1000], X[1000:]):
            assert 0 < (detector.predict(rows) == -1).mean() < 0.04


@pytest.mark.parametrize("fraction", [0.02, 0.05, 0.1])
def test_auto_flags_planted_outliers(global_random_seed, rng, fraction):
    X = rng.standard_normal((1000, 6))
    n_outliers = int(fraction * 1000)
    X[:n_outliers] *= 6
    is_flagged = (
        OutlierDetector(IsolationForest(random_state=global_random_seed)).fit_predict(X) == -1
    )
    assert is_flagged[:n_outliers].mean() > 0.8
    assert is_flagged[n_outliers:].mean() < 0.02


def test_rows_that_score_the_same_are_normal():
    X = np.ones((30, 2))
    X[0] = 9
    detector = OutlierDetector(KernelDensity()).fit(X)
    np.testing.assert_array_equal(detector.predict(X), [-1, *[1] * 29])
    np.testing.assert_array_equal(OutlierDetector(KernelDensity()).fit_predict(X[1:]), 1)


# Rows held out.


def test_held_out_scores_are_of_estimators_that_did_not_see_the_row(X):
    folds = KFold(4)
    detector = OutlierDetector(PCA(6), cv=folds).fit(X)
    expected = np.empty(len(X))
    for train, test in folds.split(X):
        expected[test] = PCA(6).fit(X[train]).score_samples(X[test])
    np.testing.assert_allclose(detector.calibration_scores_, expected)
    np.testing.assert_allclose(detector.score_samples(X), PCA(6).fit(X).score_samples(X))
    assert np.median(expected) < np.median(detector.score_samples(X))


def test_autoencoders_of_folds_train_with_the_last_one(X, fast):
    model = Autoencoder(**fast, architecture=Dense((8,)))
    detector = OutlierDetector(model, cv=3, random_state=0).fit(X)
    np.testing.assert_allclose(
        detector.score_samples(X), clone(model).fit(X).score_samples(X), rtol=1e-4
    )


def test_folds_are_shared_by_jobs(X):
    alone = OutlierDetector(PCA(4), cv=3, random_state=0).fit(X)
    with parallel_config("threading"):
        shared = OutlierDetector(PCA(4), cv=3, n_jobs=2, random_state=0).fit(X)
    np.testing.assert_array_equal(shared.calibration_scores_, alone.calibration_scores_)


def test_splitters_that_leave_rows_out_or_need_groups(X):
    detector = OutlierDetector(PCA(4), cv=TimeSeriesSplit(3)).fit(X)
    assert detector.calibration_scores_.shape == (90,)
    groups = np.repeat(np.arange(6), 20)
    detector = OutlierDetector(PCA(4), cv=GroupKFold(6)).fit(X, groups=groups)
    apart = PCA(4).fit(X[20:]).score_samples(X[:20])
    np.testing.assert_allclose(detector.calibration_scores_[:20], apart)


@pytest.mark.parametrize("cv", [None, 3])
def test_weights_reach_the_estimator(X, cv):
    is_seen = np.arange(120) < 90
    estimator = KernelDensity()
    detector = OutlierDetector(estimator, cv=cv, random_state=0)
    detector.fit(X, sample_weight=np.where(is_seen, 1.0, 1e-12))
    np.testing.assert_allclose(
        detector.score_samples(X[:90]), estimator.fit(X[:90]).score_samples(X[:90])
    )
    with config_context(enable_metadata_routing=True):
        routed = OutlierDetector(KernelDensity().set_fit_request(sample_weight=True), cv=cv)
        routed.fit(X, sample_weight=np.where(is_seen, 1.0, 1e-12))
    np.testing.assert_allclose(routed.score_samples(X), detector.score_samples(X))


# p-values.


def test_p_values_of_normal_rows_are_uniform(global_random_seed, rng):
    detector, p_values = OutlierDetector(PCA(5), cv=5, random_state=global_random_seed), []
    for _ in range(30):
        X = rng.standard_normal((400, 10)) @ rng.standard_normal((10, 10))
        p_values.append(detector.fit(X[:200]).p_value(X[200:]))
    p_values = np.concatenate(p_values)
    assert kstest(p_values, "uniform").statistic < 0.05
    for level in (0.01, 0.05, 0.2):
        assert 0 < (p_values <= level).mean() < 1.3 * level


def test_p_values_of_a_fitted_estimator_rest_on_other_rows(rng):
    X = rng.standard_normal((4000, 10))
    fitted = FrozenEstimator(KernelDensity(bandwidth=0.4).fit(X[:1000]))
    detector = OutlierDetector(fitted).fit(X[1000:2000])
    assert kstest(detector.p_value(X[2000:]), "uniform").statistic < 0.08


def test_without_cv_a_close_fit_makes_p_values_too_small(global_random_seed, rng):
    X = rng.standard_normal((1000, 10))
    estimator = KernelDensity(bandwidth=0.4)
    p = OutlierDetector(estimator).fit(X[:200]).p_value(X[200:])
    assert (p <= 0.05).mean() > 0.5
    p = (
        OutlierDetector(estimator, cv=5, random_state=global_random_seed)
        .fit(X[:200])
        .p_value(X[200:])
    )
    assert (p <= 0.05).mean() < 0.08


def test_p_values_count_calibration_scores():
    X = np.arange(10.0)[:, None]
    detector = OutlierDetector(FrozenEstimator(KernelDensity().fit(X))).fit(X)
    scores = detector.score_samples(X)
    expected = (1 + (scores[None] <= scores[:, None]).sum(1)) / 11
    with pytest.warns(DataWarning, match="X seems to hold training rows"):
        np.testing.assert_allclose(detector.p_value(X), expected)
    assert detector.p_value([[1e3]]) == 1 / 11


def test_false_discoveries_stay_below_alpha(global_random_seed, rng):
    shares, powers = [], []
    for _ in range(40):
        X = rng.standard_normal((1000, 3))
        X_new = rng.standard_normal((200, 3))
        X_new[:20] += 4
        detector = OutlierDetector(PCA(2), cv=5, random_state=global_random_seed).fit(X)
        is_found = detector.predict_fdr(X_new, alpha=0.2) == -1
        shares.append(is_found[20:].sum() / max(is_found.sum(), 1))
        powers.append(is_found[:20].mean())
    assert np.mean(shares) < 0.25
    assert np.mean(powers) > 0.8


# Explanations.


def test_contributions_add_up_and_are_of_replaced_cells(wine):
    detector = OutlierDetector(PCA(6)).fit(wine)
    anomalous = wine.iloc[:5].assign(hue=[3.0, 1, 1, 1, 1], ash=[9.0, 2, 2, 9, 2])
    contributions, expected = detector.explain(anomalous, return_expected=True)
    replaced = anomalous.where(contributions == 0, expected)
    gains = detector.score_samples(replaced) - detector.score_samples(anomalous)
    np.testing.assert_allclose(contributions.sum(axis=1), gains)
    assert (contributions >= 0).all(axis=None)
    assert set(contributions.iloc[0].nlargest(2).index) == {"hue", "ash"}
    pd.testing.assert_index_equal(contributions.columns, wine.columns)


TABLES = {
    "breast cancer": lambda: load_breast_cancer().data[load_breast_cancer().target == 1],
    "wine": lambda: load_wine().data,
    "diabetes": lambda: load_diabetes().data,
}
MODELS = {
    "default": None,
    "PCA": make_pipeline(StandardScaler(), PCA()),
    "mixture": make_pipeline(StandardScaler(), GaussianMixture(3, reg_covar=0.01, random_state=0)),
}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("table", TABLES)
def test_planted_faults_rank_first(global_random_seed, rng, table, model):
    is_first, is_mended, n_changed = [], [], []
    for _ in range(4):  # few of the rows of one half are flagged
        X, X_new = np.array_split(rng.permutation(TABLES[table]()), 2)
        detector = OutlierDetector(MODELS[model], random_state=global_random_seed).fit(X)
        normal = X_new[detector.predict(X_new) == 1][:50]
        which, column = np.arange(len(normal)), rng.integers(X.shape[1], size=len(normal))
        faulty, is_high = normal.copy(), rng.random(len(normal)) < 0.5
        ends = np.where(is_high, X.max(0)[column], X.min(0)[column])
        faulty[which, column] = ends + np.where(is_high, 1, -1) * X.std(0)[column]
        is_odd = detector.predict(faulty) == -1
        faulty, column = faulty[is_odd], column[is_odd]
        is_first.extend(detector.explain(faulty).to_numpy().argmax(1) == column)
        repaired = detector.nearest_normal(faulty)
        np.testing.assert_array_equal(detector.predict(repaired), 1)
        is_changed = repaired != faulty
        is_mended.extend(is_changed[np.arange(len(column)), column])
        n_changed.extend(is_changed.sum(1))
    assert np.mean(is_first) >= 0.9
    assert np.mean(is_mended) >= 0.9
    assert np.mean(n_changed) < 1.6


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_cells_of_all_kinds_are_explained(mixed, library):
    to_library = (lambda frame: frame) if library == "pandas" else to_polars
    detector = OutlierDetector(Mismatches()).fit(to_library(mixed))
    anomalous = mixed.iloc[[7, 8, 9, 10]].copy()
    is_large = anomalous["is_heavy"]
    anomalous["kind"] = anomalous["kind"].astype(str)
    anomalous.loc["m8", "kind"] = "small" if is_large["m8"] else "large"
    anomalous["kind"] = pd.Categorical(anomalous["kind"], categories=["small", "large", "huge"])
    anomalous.loc["m9", "site"] = "moon"
    anomalous.loc["m10", "pieces"] = 1000
    given = to_library(anomalous)
    contributions, expected = detector.explain(given, return_expected=True)
    repaired = detector.nearest_normal(given)
    if library == "polars":
        assert contributions.columns == expected.columns == repaired.columns == given.columns
        dtypes = {name: dtype for name, dtype in given.schema.items() if name != "kind"}
        assert dtypes == {name: repaired.schema[name] for name in dtypes}
        contributions, repaired = to_pandas(contributions), to_pandas(repaired)
        contributions.index = repaired.index = anomalous.index
    else:
        pd.testing.assert_index_equal(contributions.index, anomalous.index)
        dtypes = anomalous.dtypes.drop("kind")
        pd.testing.assert_series_equal(expected.dtypes.drop("kind"), dtypes)
        pd.testing.assert_series_equal(repaired.dtypes.drop("kind"), dtypes)
    assert contributions.loc["m7"].sum() == 0
    for row, column in {"m8": "kind", "m9": "site", "m10": "pieces"}.items():
        assert contributions.loc[row, column] == 1
        assert contributions.loc[row].sum() == 1
        true = mixed.loc[row, column]
        assert (
            abs(repaired.loc[row, column] - true) < 10
            if column == "pieces"
            else (repaired.loc[row, column] == true)
        )
    kept = ["power", "current", "is_heavy"]
    pd.testing.assert_frame_equal(repaired[kept], anomalous[kept])


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_rows_of_other_types_are_explained(mixed, library):
    detector = OutlierDetector(TabularAutoencoder(max_epochs=2, check_baseline=False))
    anomalous = mixed.iloc[:3].assign(pieces=1e6)
    if library == "pandas":
        anomalous["day"] = anomalous["day"].dt.tz_localize("UTC")
    else:
        mixed, anomalous = to_polars(mixed), to_polars(anomalous)
        anomalous = anomalous.with_columns(pl.col("day").dt.replace_time_zone("UTC"))
    detector.fit(mixed)
    np.testing.assert_array_equal(detector.predict(anomalous), -1)
    contributions = detector.explain(anomalous)
    assert all(max(row, key=row.get) == "pieces" for row in records(contributions))
    np.testing.assert_array_equal(detector.predict(detector.nearest_normal(anomalous)), 1)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_faults_in_mixed_tables_with_holes(global_random_seed, mixed, library):
    to_library = (lambda frame: frame) if library == "pandas" else to_polars
    estimator = TabularAutoencoder(max_epochs=30, check_baseline=False)
    detector = OutlierDetector(estimator, cv=2, random_state=global_random_seed).fit(
        to_library(mixed[:200])
    )
    anomalous = mixed[200:].copy()
    for i, row in enumerate(anomalous.index):
        column = ["power", "current", "pieces"][i % 3]
        anomalous[column] = anomalous[column].astype(float)
        anomalous.loc[row, column] = -60 - i
    anomalous.loc[anomalous.index[0], "current"] = np.nan
    contributions = detector.explain(to_library(anomalous))
    first = np.asarray(contributions).argmax(1)
    assert (first == np.arange(100) % 3).mean() > 0.95
    repaired = detector.nearest_normal(to_library(anomalous))
    np.testing.assert_array_equal(detector.predict(repaired), 1)


def test_normal_rows_are_left_alone_and_hopeless_ones_become_like_another(X):
    class Whole(KernelDensity):
        """All cells of a row have to be changed before the score is any higher."""

        def score_samples(self, X):
            return -(np.asarray(X).max(1) > 50).astype(float)

    anomalous = np.full((1, 10), 100.0)
    detector = OutlierDetector(Whole()).fit(np.asarray(X))
    np.testing.assert_allclose(detector.explain(anomalous), 0.1)
    repaired = detector.nearest_normal(np.r_[anomalous, X[:3]])
    np.testing.assert_array_equal(detector.predict(repaired), 1)
    np.testing.assert_array_equal(repaired[1:], X[:3])

    class Known(KernelDensity):
        """Normal are the rows of X alone."""

        def score_samples(self, rows):
            return (np.asarray(rows)[:, None] == X).all(2).any(1).astype(float)

    detector = OutlierDetector(Known()).fit(np.asarray(X))
    assert (detector.explain(anomalous) == 0).all(axis=None)
    assert (detector.nearest_normal(anomalous)[0] == X).all(axis=1).any()


def test_cells_that_are_anomalous_only_together_share_what_they_explain(global_random_seed, rng):
    """Each alone cannot be changed without breaking what it has in common with the other."""
    x = rng.standard_normal(300)
    X = np.column_stack([x, 2 * x + 0.05 * rng.standard_normal(300), rng.standard_normal(300)])
    detector = OutlierDetector(GaussianMixture(random_state=global_random_seed)).fit(X)
    anomalous = np.array([[-4.0, -8.0, 0.0]])
    contributions = detector.explain(anomalous).to_numpy()[0]
    assert contributions[:2].min() > 0.3 * contributions.sum()
    assert contributions[2] < 0.1 * contributions.sum()
    repaired = detector.nearest_normal(anomalous)
    assert detector.predict(repaired) == 1
    assert repaired[0, 2] == 0
    total = detector.score_samples(X).max() - detector.score_samples(anomalous)
    assert 0 < contributions.sum() < total


def test_changes_that_are_not_needed_are_undone(rng):
    class Sum(KernelDensity):
        """Anomalous are sums above 10."""

        def score_samples(self, X):
            return -np.maximum(np.asarray(X).sum(1) - 10, 0)

    X = 0.1 * rng.standard_normal((200, 4))
    repaired = OutlierDetector(Sum()).fit(X).nearest_normal([[4.0, 7, 8, 9]])
    assert (repaired == [4, 7, 8, 9]).sum() == 1 + (repaired.sum() < 10 - 4)


class ByTrueCells(BaseEstimator):
    """Scores rows by which of their four cells are small, and fits nothing."""

    def __init__(self, scores):
        self.scores = scores

    def fit(self, X, y=None):
        self.n_features_in_ = X.shape[1]
        return self

    def score_samples(self, X):
        small = ["".join(np.array(list("abcd"))[row < 5]) for row in np.asarray(X)]
        return np.array([self.scores.get(cells, -9.5) for cells in small])


@pytest.mark.parametrize(("score_of_a", "undone"), [(-7, "b"), (-9, "a")])
def test_changes_that_gained_least_are_undone_first(score_of_a, undone, rng):
    """All four cells are replaced in turn, and of the first two one is not needed."""
    scores = {"": -10, "a": score_of_a, "ab": -6, "abc": -5, "abcd": 0, "bcd": 0, "acd": 0}
    X = 0.1 * rng.standard_normal((50, 4))
    detector = OutlierDetector(ByTrueCells(scores)).fit(X)
    (repaired,) = detector.nearest_normal(np.full((1, 4), 9.0))
    assert [name for name, value in zip("abcd", repaired, strict=True) if value == 9] == [undone]


def test_columns_are_learned_once(mixed, monkeypatch):
    tables, learn = [], TableColumns.learn.__func__

    def counted(cls, X, *args, **kwargs):
        tables.append(X)
        return learn(cls, X, *args, **kwargs)

    monkeypatch.setattr(TableColumns, "learn", classmethod(counted))
    detector = OutlierDetector(random_state=0).fit(mixed)
    assert len(tables) == 2  # X, and its cells, which all autoencoders share
    assert [isinstance(table, np.ndarray) for table in tables] == [False, True]
    detector.predict(mixed)
    assert len(tables) == 2
    contributions = detector.explain(mixed[:3])
    assert len(tables) == 3  # the background
    detector.report(mixed, n_rows=2)
    detector.nearest_normal(mixed[:3])
    assert len(tables) == 3
    assert detector.explain(mixed[:3]).equals(contributions)
    detector.fit(mixed[50:])
    detector.explain(mixed[:3])
    assert len(tables) == 6


def test_background_is_of_normal_rows(wine):
    detector = OutlierDetector(PCA(4), contamination=0.2).fit(wine)
    pd.testing.assert_frame_equal(detector.background_, wine[detector.predict(wine) == 1])
    assert len(detector.background_) < len(wine)


def test_background_is_of_1000_rows_from_first_to_last(rng):
    X = rng.standard_normal((2500, 3))
    detector = OutlierDetector(PCA(2), contamination=0.1).fit(X)
    normal = X[detector.predict(X) == 1]
    which = [np.flatnonzero((normal == row).all(axis=1)).item() for row in detector.background_]
    assert len(which) == 1000
    assert (which[0], which[-1]) == (0, len(normal) - 1)
    assert set(np.diff(which)) == {2, 3}


def test_background_is_the_most_normal_row_if_none_is_normal():
    class FewerRowsScoreHigher(PCA):
        def score_samples(self, X):
            return X[:, 0] - 100 * self.n_samples_

    X = np.random.default_rng(0).random((20, 2))
    detector = OutlierDetector(FewerRowsScoreHigher(1), cv=2).fit(X)
    np.testing.assert_array_equal(detector.background_, X[[X[:, 0].argmax()]])


def test_rows_are_scored_in_parts_of_bounded_size(X, monkeypatch):
    detector = OutlierDetector(PCA(4)).fit(X)
    anomalous = X[:6] * 5
    whole = detector.explain(anomalous)
    monkeypatch.setattr("skae._outliers.explanation.MAX_CELLS", 70)
    sizes = []
    score_samples = detector.estimator_.score_samples
    monkeypatch.setattr(
        detector.estimator_,
        "score_samples",
        lambda X: sizes.append(len(X)) or score_samples(X),
        raising=False,
    )
    pd.testing.assert_frame_equal(detector.explain(anomalous), whole)
    assert max(sizes) <= 7


def test_report_lists_the_most_anomalous_rows_with_their_cells(mixed):
    detector = OutlierDetector(Mismatches()).fit(mixed)
    new = mixed.iloc[:50].copy()
    new.loc["m20", ["pieces", "site"]] = [1000, "moon"]
    report = detector.report(new, n_rows=2, n_columns=2)
    assert list(report.columns) == [
        "row", "score", "p_value", "is_outlier", "column", "value", "expected", "contribution"
    ]  # fmt: skip
    assert report["row"].tolist()[:2] == ["m20", "m20"]
    assert len(report) == 4
    first = report.iloc[:2].set_index("column")
    assert first.loc["site", "value"] == "moon"
    assert first.loc["site", "expected"] in ("north", "south")
    assert first.loc["pieces", "contribution"] == 1
    assert report["is_outlier"].tolist() == [True, True, False, False]
    numbers = OutlierDetector(PCA(2)).fit(mixed[["power", "pieces"]])
    assert numbers.report(mixed[["power", "pieces"]])["value"].dtype == float
    with pytest.raises(
        ValueError, match="X is a polars DataFrame, but the training rows were a pan"
    ):
        numbers.report(to_polars(mixed[["power", "pieces"]]))


# In scikit-learn.


def test_searches_with_labels_and_without():
    data = load_breast_cancer()
    y = np.where(data.target == 1, 1, -1)
    detector = OutlierDetector(make_pipeline(StandardScaler(), PCA()), use_labels=False)
    grid = {"estimator__pca__n_components": [1, 10, 29]}
    search = GridSearchCV(detector, grid, scoring="roc_auc", cv=3).fit(data.data, y)
    assert search.best_score_ > 0.7
    by_likelihood = GridSearchCV(detector, grid, cv=3).fit(data.data)
    assert by_likelihood.best_params_ == {"estimator__pca__n_components": 29}
    batched = BatchedGridSearchCV(detector, grid, scoring="roc_auc", cv=3).fit(data.data, y)
    np.testing.assert_allclose(
        batched.cv_results_["mean_test_score"], search.cv_results_["mean_test_score"]
    )


def test_score_is_there_if_the_estimator_has_it(wine):
    assert not hasattr(OutlierDetector(IsolationForest()), "score")
    assert hasattr(OutlierDetector(), "score")
    assert 0 < OutlierDetector(random_state=0).fit(wine).score(wine) < 1


def test_detectors_are_pickled(mixed):
    frame = mixed[["power", "pieces"]]
    detector = OutlierDetector(PCA(1), cv=3, random_state=0).fit(frame)
    twin = pickle.loads(pickle.dumps(detector))
    np.testing.assert_array_equal(twin.p_value(frame + 1), detector.p_value(frame + 1))
    pd.testing.assert_frame_equal(twin.explain(frame[:3]), detector.explain(frame[:3]))


# What cannot be done.


@pytest.mark.parametrize("estimator", [StandardScaler(), LocalOutlierFactor(), "pca"])
def test_estimators_without_scores_are_refused(X, estimator):
    with pytest.raises(ValueError, match="estimator must have a method score_samples, as"):
        OutlierDetector(estimator).fit(X)


@pytest.mark.parametrize(
    "params", [{"contamination": 0.6}, {"contamination": -0.1}, {"cv": "five"}]
)
def test_parameters_out_of_range_are_refused(X, params):
    with pytest.raises(ValueError, match=f"The '{next(iter(params))}' parameter"):
        OutlierDetector(PCA(2), **params).fit(X)


def test_arguments_out_of_range_are_refused(X):
    detector = OutlierDetector(PCA(2)).fit(X)
    with pytest.raises(ValueError, match="alpha must be a number between 0 and 1; got 5"):
        detector.predict_fdr(X, alpha=5)
    with pytest.raises(ValueError, match="n_rows must be an integer of at least 1; got 0"):
        detector.report(X, n_rows=0)
    with pytest.raises(ValueError, match="X has 1 sample, but a threshold takes"):
        OutlierDetector(KernelDensity()).fit(X[:1])


def test_tables_that_cannot_be_explained_are_refused(wine):
    detector = OutlierDetector(PCA(4)).fit(wine)
    with pytest.raises(ValueError, match="Column 'ash' held numbers .*, and now holds str"):
        detector.explain(wine.assign(ash="much"))
    with pytest.raises(ValueError, match="Column 'ash' holds infinite values"):
        detector.nearest_normal(wine.assign(ash=np.inf))
    with pytest.raises(ValueError, match="X has 3 columns, but 13 were fitted"):
        OutlierDetector(PCA(4)).fit(wine.to_numpy()).explain(wine.to_numpy()[:, :3])


def test_scores_that_are_none_are_refused(X):
    class Broken(KernelDensity):
        def score_samples(self, X):
            return np.where(np.arange(len(X)) == 2, np.nan, 0.0)

    with pytest.raises(ValueError, match="Broken gives NaN as the score of row 2"):
        OutlierDetector(Broken()).fit(X)


def test_a_fit_that_fails_leaves_the_detector_as_it_was(X):
    detector = OutlierDetector(PCA(2), cv=3, random_state=0).fit(X)
    before = detector.score_samples(X)
    with pytest.raises(ValueError, match="NaN"):
        detector.fit(np.full((20, 4), np.nan))
    np.testing.assert_array_equal(detector.score_samples(X), before)
    assert detector.offset_ == OutlierDetector(PCA(2), cv=3, random_state=0).fit(X).offset_


def test_rounding_turns_no_row_into_an_outlier(X):
    class Rounded(KernelDensity):
        def score_samples(self, X):
            return super().score_samples(X) * (1 - 1e-12 * len(X))

    detector = OutlierDetector(Rounded()).fit(X[:20])
    alone = [detector.predict(row[None])[0] for row in X[:20]]
    np.testing.assert_array_equal(alone, detector.predict(X[:20]))
    lowest = detector.calibration_scores_.argmin()
    assert detector.offset_ < detector.calibration_scores_[lowest]


def test_unfitted_detectors_say_so(X):
    for method in ("predict", "p_value", "explain", "nearest_normal", "report", "score"):
        with pytest.raises(NotFittedError):
            getattr(OutlierDetector(PCA(2)), method)(X)


@pytest.mark.parametrize("cv", [None, 2])
@pytest.mark.parametrize(
    "estimator", [None, PCA(1), GaussianMixture(), LocalOutlierFactor(novelty=True), Autoencoder()]
)
def test_one_row_has_no_threshold(estimator, cv, X):
    with pytest.raises(ValueError, match="X has 1 sample, but a threshold takes"):
        OutlierDetector(estimator, cv=cv).fit(X[:1])


@pytest.mark.filterwarnings("ignore:invalid value encountered in divide")  # scikit-learn's
@pytest.mark.parametrize("estimator", [PCA(), PCA(2, svd_solver="arpack")])
def test_linear_algebra_without_a_result_says_what_to_do(estimator, X):
    constant = np.ones((20, 4))
    message = "PCA cannot compute with X: .*columns constant or copies .*IsolationForest"
    with pytest.raises(ValueError, match=message):
        OutlierDetector(estimator).fit(constant)
    detector = OutlierDetector(PCA(2)).fit(X)
    scores = detector.calibration_scores_
    with pytest.raises(ValueError, match=message):
        detector.set_params(estimator=PCA(1), cv=2).fit(X[:2])
    assert detector.calibration_scores_ is scores
    OutlierDetector().fit(constant).predict(constant)


@pytest.mark.parametrize(
    "fit",
    [
        lambda X: OutlierDetector(PCA(2), n_jobs=0).fit(X),
        lambda X: TabularOutlierScorer(n_jobs=0).fit(X),
        lambda X: EnsembleAutoencoder(n_jobs=0).fit(X),
        lambda X: BatchedGridSearchCV(Autoencoder(), {}, n_jobs=0).fit(X),
        lambda X: BatchedRandomizedSearchCV(Autoencoder(), {}, n_jobs=0).fit(X),
        lambda X: fit_many([Autoencoder()], X, n_jobs=0),
    ],
)
def test_no_processes_at_all(fit, X):
    with pytest.raises(ValueError, match=r"'n_jobs' parameter of .*1, inf.*or None. Got 0"):
        fit(X)


def test_scores_that_rise_by_rounding_explain_nothing(X):
    class Rising(BaseEstimator):
        """Each call gives slightly higher scores, as sums of other batches may."""

        def fit(self, X, y=None):
            self.n_calls = 0
            return self

        def score_samples(self, X):
            self.n_calls += 1
            return np.full(len(X), 1e-9 * self.n_calls)

    detector = OutlierDetector(Rising()).fit(X)
    detector.offset_ = 1.0
    contributions = detector.explain(X[:3])
    assert np.isfinite(contributions).all(axis=None)
