"""Ensembles: what their members see, how their results become one, steadier scores."""

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from scipy.stats import spearmanr
from sklearn import config_context
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skae import (
    Autoencoder,
    ConvAutoencoder,
    DenoisingAutoencoder,
    EnsembleAutoencoder,
    RecurrentAutoencoder,
    SparseAutoencoder,
    TabularAutoencoder,
    VariationalAutoencoder,
)
from skae._data import READERS
from skae._estimators import ensemble as ensemble_module
from skae.architectures import Dense


@pytest.fixture
def quick(fast):
    """A quick member, without a seed of its own."""
    return Autoencoder(**fast | {"random_state": None, "architecture": Dense((8,))})


@pytest.fixture
def ensemble(global_random_seed, quick):
    return EnsembleAutoencoder(quick, n_estimators=3, random_state=global_random_seed)


def seen_by(ensemble, X):
    """Return the members with the columns of X that each sees."""
    pairs = zip(ensemble.estimators_, ensemble.estimators_features_, strict=True)
    return [(member, X[:, features]) for member, features in pairs]


# Members.


def test_members_are_autoencoders_with_seeds_of_their_own(X):
    ensemble = EnsembleAutoencoder(n_estimators=2, max_samples=10, random_state=0).fit(X)
    assert all(type(member) is Autoencoder for member in ensemble.estimators_)
    first, second = (member.random_state for member in ensemble.estimators_)
    assert isinstance(first, int)
    assert first != second
    assert ensemble.n_components_ == 2 * ensemble.estimators_[0].n_components_


@pytest.mark.parametrize(
    ("member", "kind"),
    [
        (ConvAutoencoder(2, channels=(2,), max_epochs=1), "images"),
        (RecurrentAutoencoder(2, max_epochs=1), "sequences"),
        (TabularAutoencoder(2, max_epochs=1), "tables"),
    ],
)
def test_members_share_what_the_ensemble_has_read(member, kind, rng, monkeypatch):
    X, reads, reader = rng.random((30, 8, 8) if kind != "tables" else (30, 3)), [], READERS[kind]
    convert = reader.convert
    monkeypatch.setattr(reader, "convert", lambda *args: reads.append(1) or convert(*args))
    ensemble = EnsembleAutoencoder(member, n_estimators=3, bootstrap=True, random_state=0).fit(X)
    assert len(reads) == 1
    scores = ensemble.score_samples(X)
    assert len(reads) == 2
    assert {one.n_features_in_ for one in ensemble.estimators_} == {ensemble.n_features_in_}
    alone = [one.score_samples(X) for one in ensemble.estimators_]  # members read X on their own
    normalizers = zip(alone, ensemble.score_centers_, ensemble.score_scales_, strict=True)
    np.testing.assert_array_equal(scores, sum((s - c) / w for s, c, w in normalizers) / 3)


class Halved(TabularAutoencoder):
    """A user's class with a ``fit`` of its own."""

    def fit(self, X, y=None, sample_weight=None):
        return super().fit(np.asarray(X) / 2, y, sample_weight)

    def score_samples(self, X):
        return super().score_samples(np.asarray(X) / 2)


def test_members_of_a_users_class_get_what_the_ensemble_got(rng):
    X = rng.random((30, 3))
    ensemble = EnsembleAutoencoder(Halved(2, max_epochs=1), n_estimators=2).fit(X)
    center = ensemble.estimators_[0]._reader.format.columns.columns[0].center
    assert center == pytest.approx(np.median(X[:, 0]) / 2)
    assert ensemble.score_samples(X).shape == (30,)


def test_lists_are_gone_through_in_turn(X, fast):
    kinds = [
        Autoencoder(**fast, architecture=Dense((16, 8))),
        DenoisingAutoencoder(**fast),
        VariationalAutoencoder(**fast | {"n_components": 2}, n_importance_samples=2),
        SparseAutoencoder(**fast | {"n_components": 8}, sparse_output=True),
    ]
    ensemble = EnsembleAutoencoder(kinds, n_estimators=5, random_state=0).fit(X)
    assert [type(m) for m in ensemble.estimators_] == [type(m) for m in [*kinds, kinds[0]]]
    assert ensemble.transform(X).shape == (120, 3 + 3 + 2 + 8 + 3)
    assert np.isfinite(ensemble.score_samples(X)).all()
    assert all(not hasattr(kind, "net_") for kind in kinds)


def test_all_columns_are_seen_and_equally_often(X, quick):
    ensemble = EnsembleAutoencoder(quick, 5, max_features=0.4, random_state=0).fit(X)
    assert [len(features) for features in ensemble.estimators_features_] == [4] * 5
    np.testing.assert_array_equal(np.bincount(np.concatenate(ensemble.estimators_features_)), 2)
    assert [member.n_features_in_ for member in ensemble.estimators_] == [4] * 5
    assert len({tuple(features) for features in ensemble.estimators_features_}) > 2


def test_rows_are_drawn_without_replacement(X, quick):
    ensemble = EnsembleAutoencoder(quick, 3, max_samples=0.3, random_state=0).fit(X)
    samples = ensemble.estimators_samples_
    assert [len(set(rows)) for rows in samples] == [36] * 3
    assert len({tuple(rows) for rows in samples}) == 3
    all_rows = EnsembleAutoencoder(quick, 2, random_state=0).fit(X).estimators_samples_
    np.testing.assert_array_equal(all_rows, [np.arange(120)] * 2)


def test_rows_drawn_twice_count_twice(X, quick):
    ensemble = EnsembleAutoencoder(quick, 2, bootstrap=True, random_state=0).fit(X)
    for member, rows in zip(ensemble.estimators_, ensemble.estimators_samples_, strict=True):
        assert len(rows) == 120
        assert 60 < len(set(rows)) < 90
        alone = clone(member).fit(X, sample_weight=np.bincount(rows, minlength=120))
        np.testing.assert_allclose(alone.transform(X), member.transform(X), rtol=1e-4, atol=1e-5)
    more = EnsembleAutoencoder(quick, 1, bootstrap=True, max_samples=300, random_state=0).fit(X)
    assert len(more.estimators_samples_[0]) == 300


def test_members_are_trained_on_the_seen_columns(X, quick):
    ensemble = EnsembleAutoencoder(quick, 2, max_features=6, random_state=0).fit(X)
    for member, seen in seen_by(ensemble, X):
        alone = clone(member).fit(seen)
        np.testing.assert_allclose(alone.transform(seen), member.transform(seen), rtol=1e-4)


def test_weights_are_the_chances_of_rows_or_theirs_in_the_loss(global_random_seed, X, quick):
    weight = np.arange(120) // 60 * (1.0 + np.arange(120) // 90)  # 0, 1 and 2
    drawn = EnsembleAutoencoder(
        quick, 3, bootstrap=True, max_samples=500, random_state=global_random_seed
    )
    rows = np.concatenate(drawn.fit(X, sample_weight=weight).estimators_samples_)
    assert rows.min() >= 60
    assert np.mean(rows >= 90) == pytest.approx(2 / 3, abs=0.05)
    half = EnsembleAutoencoder(quick, 2, max_samples=0.5, random_state=global_random_seed)
    rows = half.fit(X, sample_weight=weight).estimators_samples_
    assert [len(set(some)) for some in rows] == [30] * 2
    assert np.min(rows) >= 60
    ensemble = EnsembleAutoencoder(quick, 1, random_state=global_random_seed).fit(
        X, sample_weight=weight
    )
    alone = clone(ensemble.estimators_[0]).fit(X, sample_weight=weight)
    np.testing.assert_allclose(alone.transform(X), ensemble.transform(X), rtol=1e-4, atol=1e-5)


def test_members_share_the_rows(X, quick, monkeypatch):
    given = []

    def watched(fits, *how):
        given.extend(fit.data[0] for fit in fits)
        return fit_all(fits, *how)

    fit_all = ensemble_module.fit_all
    monkeypatch.setattr(ensemble_module, "fit_all", watched)
    EnsembleAutoencoder(quick, 3, bootstrap=True).fit(X)
    assert all(np.shares_memory(one, X) for one in given)


# Results.


def test_scores_are_a_mean_of_standardized_ones(global_random_seed, X, quick):
    for params in [{}, {"max_features": 0.5}, {"bootstrap": True}]:
        ensemble = EnsembleAutoencoder(quick, 3, random_state=global_random_seed, **params).fit(
            X[:100]
        )
        expected = []
        for member, seen in seen_by(ensemble, X):
            low, median, high = np.quantile(member.score_samples(seen[:100]), [0.25, 0.5, 0.75])
            expected.append((member.score_samples(seen) - median) / (high - low))
        np.testing.assert_allclose(ensemble.score_samples(X), np.mean(expected, 0), rtol=1e-6)
        assert ensemble.score_centers_.shape == ensemble.score_scales_.shape == (3,)


def test_members_on_other_scales_count_alike(global_random_seed, X, fast):
    fast = fast | {"max_epochs": 1, "random_state": None}
    small, large = Autoencoder(**fast), Autoencoder(**fast, loss=lambda x, y: 1e6 * (x - y) ** 2)
    mixed = EnsembleAutoencoder([small, large], 2, random_state=global_random_seed).fit(X)
    expected = (
        EnsembleAutoencoder(small, 2, random_state=global_random_seed).fit(X).score_samples(X)
    )
    assert spearmanr(mixed.score_samples(X), expected).statistic > 0.95


def test_outliers_in_training_do_not_move_the_scale(X, ensemble):
    X = X.copy()
    X[0] *= 1e3
    scores = ensemble.fit(X).score_samples(X)
    assert scores.argmin() == 0
    assert 0.5 < np.subtract(*np.quantile(scores, [0.75, 0.25])) < 2
    assert abs(np.median(scores)) < 0.5


def test_rows_without_weight_do_not_move_the_scale(X, ensemble):
    weight = np.ones(120)
    weight[100:] = 0
    damaged = np.concatenate([X[:100], 50 * X[100:]])
    expected = clone(ensemble).fit(X, sample_weight=weight)
    ensemble.fit(damaged, sample_weight=weight)
    np.testing.assert_allclose(ensemble.score_scales_, expected.score_scales_, rtol=1e-4)


@pytest.mark.parametrize("n_samples", [1, 2])
def test_scores_of_perfect_members_are_finite(n_samples, ensemble):
    scores = ensemble.fit(np.ones((n_samples, 4))).score_samples(np.ones((5, 4)))
    assert np.isfinite(scores).all()


@pytest.mark.parametrize("max_features", [1.0, 0.5])
def test_reconstructions_are_means_of_members(global_random_seed, max_features, X, quick):
    ensemble = EnsembleAutoencoder(
        quick, 5, max_features=max_features, random_state=global_random_seed
    ).fit(X)
    restored, errors = np.full((2, 5, *X.shape), np.nan)
    for i, (member, seen) in enumerate(seen_by(ensemble, X)):
        restored[i][:, ensemble.estimators_features_[i]] = member.reconstruct(seen)
        errors[i][:, ensemble.estimators_features_[i]] = member.reconstruction_errors(seen)
    restored = np.nanmean(restored, 0)
    close = {"rtol": 1e-6, "atol": 1e-9}
    np.testing.assert_allclose(ensemble.reconstruct(X), restored, **close)
    np.testing.assert_allclose(ensemble.reconstruction_errors(X), np.nanmean(errors, 0), **close)
    codes = ensemble.transform(X)
    separate = [member.transform(seen) for member, seen in seen_by(ensemble, X)]
    np.testing.assert_allclose(codes, np.hstack(separate), **close)
    np.testing.assert_allclose(ensemble.inverse_transform(codes), restored, **close)
    expected = r2_score(X, restored, multioutput="variance_weighted")
    assert ensemble.score(X) == pytest.approx(expected, rel=1e-6)
    weight = np.arange(120.0)
    expected = r2_score(X, restored, sample_weight=weight, multioutput="variance_weighted")
    assert ensemble.score(X, sample_weight=weight) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("sizes", [(64,), (32, 16), (16, 8)])
def test_averaging_steadies_scores(sizes, X):
    architecture = Dense(sizes, shortcut=False)
    single = Autoencoder(2, architecture=architecture, max_epochs=15, check_baseline=False)

    def disagreement(model):
        """Return how little the ranks of unseen rows agree between seeds, 0 if they are equal."""
        models = [clone(model).set_params(random_state=seed) for seed in range(3)]
        scores = [one.fit(X[:90]).score_samples(X[90:]) for one in models]
        return 1 - spearmanr(scores, axis=1).statistic[np.triu_indices(3, 1)].mean()

    # A mean of six independent ones would have a sixth of the variance.
    assert disagreement(EnsembleAutoencoder(single, 6)) < 0.5 * disagreement(single)


# Formats.


def test_frames_keep_their_names(X, ensemble):
    frame = pd.DataFrame(X, columns=[f"column {i}" for i in range(10)], index=np.arange(120) + 7)
    ensemble.set_params(max_features=0.5).fit(frame)
    assert list(ensemble.feature_names_in_) == list(frame.columns)
    for output in (ensemble.reconstruct(frame), ensemble.reconstruction_errors(frame)):
        assert output.columns.equals(frame.columns)
        assert output.index.equals(frame.index)
    names = ensemble.get_feature_names_out()
    assert list(names[[0, -1]]) == ["ensembleautoencoder0", "ensembleautoencoder8"]
    assert list(ensemble.set_output(transform="pandas").transform(frame)) == list(names)
    with pytest.raises(ValueError, match="feature names should match"):
        ensemble.score_samples(frame.iloc[:, ::-1])


@pytest.mark.parametrize("method", ["transform", "reconstruct", "score_samples", "score"])
def test_rows_of_another_width_are_refused(method, X, ensemble):
    ensemble.fit(X)
    with pytest.raises(ValueError, match="X has 9 features, but EnsembleAutoencoder is expecting"):
        getattr(ensemble, method)(X[:, 1:])


@pytest.mark.parametrize("max_features", [1.0, 0.5])
def test_sparse_rows_are_as_dense_ones(max_features, X, ensemble):
    X = np.where(np.abs(X) < 1, 0, X)
    ensemble.set_params(max_features=max_features)
    dense, thin = ensemble.fit(X), clone(ensemble).fit(sparse.csc_array(X))
    for method in ("transform", "reconstruct", "score_samples"):
        expected = getattr(dense, method)(X)
        output = getattr(thin, method)(sparse.csr_array(X))
        np.testing.assert_allclose(output, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("max_features", [1.0, 0.5])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_precision_is_that_of_the_rows(dtype, max_features, X, ensemble):
    X = X.astype(dtype)
    ensemble.set_params(max_features=max_features).fit(X)
    outputs = [getattr(ensemble, m)(X) for m in ("transform", "reconstruct", "score_samples")]
    assert [output.dtype for output in outputs] == [dtype] * 3
    assert ensemble.inverse_transform(outputs[0]).dtype == dtype


def test_codes_of_another_length_are_refused(X, ensemble):
    with pytest.raises(ValueError, match="X has 4 columns.*9 components"):
        ensemble.fit(X).inverse_transform(np.ones((2, 4)))


def test_images(global_random_seed, rng, fast):
    images = rng.integers(0, 256, (30, 8, 8, 3), dtype=np.uint8)
    fast = fast | {"random_state": None}
    ensemble = EnsembleAutoencoder(
        ConvAutoencoder(channels=(4,), **fast), 2, random_state=global_random_seed
    )
    restored = ensemble.fit(images).reconstruct(images)
    assert restored.shape == images.shape
    assert restored.dtype == np.uint8
    members = [member.reconstruct(images / 255) for member in ensemble.estimators_]
    assert np.abs(restored - 255 * np.mean(members, 0).clip(0, 1)).max() < 0.51
    assert ensemble.transform(images).shape == (30, 6)
    assert ensemble.inverse_transform(ensemble.transform(images)).dtype == np.uint8
    assert ensemble.score_samples(images).shape == (30,)
    with pytest.raises(ValueError, match="max_features=0.5 is for rows of numbers"):
        ensemble.set_params(max_features=0.5).fit(images)


def test_sequences(rng, fast):
    sequences = [rng.normal(size=(length, 2)) for length in rng.integers(3, 9, 30)]
    member = RecurrentAutoencoder(hidden_layer_sizes=4, **fast | {"random_state": None})
    ensemble = EnsembleAutoencoder(member, 2, bootstrap=True, random_state=0).fit(sequences)
    restored = ensemble.reconstruct(sequences)
    members = [member.reconstruct(sequences) for member in ensemble.estimators_]
    for output, *ones in zip(restored, *members, strict=True):
        np.testing.assert_allclose(output, np.mean(ones, 0), rtol=1e-5, atol=1e-6)
    codes = ensemble.transform(sequences)
    lengths = [len(one) for one in sequences]
    for one, other in zip(ensemble.inverse_transform(codes, lengths), restored, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    assert {len(one) for one in ensemble.inverse_transform(codes)} <= set(range(3, 9))
    assert ensemble.score(sequences) <= 1
    assert ensemble.score_samples(sequences).shape == (30,)


# The contract.


def test_a_seed_gives_one_result(X, ensemble):
    ensemble.set_params(bootstrap=True, max_features=0.5)
    scores = ensemble.fit(X).score_samples(X)
    np.testing.assert_array_equal(clone(ensemble).fit(X).score_samples(X), scores)
    np.testing.assert_array_equal(ensemble.fit(X).score_samples(X), scores)
    copy = pickle.loads(pickle.dumps(ensemble))
    np.testing.assert_array_equal(copy.score_samples(X), scores)
    np.testing.assert_array_equal(copy.estimators_samples_, ensemble.estimators_samples_)
    other = clone(ensemble).set_params(random_state=ensemble.random_state + 1).fit(X)
    assert not np.allclose(other.score_samples(X), scores)


def test_own_seeds_of_members_do_not_matter(X, quick):
    one, other = (
        EnsembleAutoencoder(clone(quick).set_params(random_state=seed), 2, random_state=0).fit(X)
        for seed in (3, 4)
    )
    np.testing.assert_array_equal(one.transform(X), other.transform(X))


def test_the_order_in_which_fits_end_does_not_matter(X, ensemble, monkeypatch):
    expected = clone(ensemble).fit(X).transform(X)
    fit_all = ensemble_module.fit_all
    monkeypatch.setattr(ensemble_module, "fit_all", lambda fits, *how: fit_all(fits[::-1], *how))
    np.testing.assert_array_equal(ensemble.fit(X).transform(X), expected)


def test_changed_parameters_do_not_change_what_is_fitted(X, ensemble):
    ensemble.set_params(bootstrap=True).fit(X)
    samples, scores = ensemble.estimators_samples_, ensemble.score_samples(X)
    ensemble.set_params(bootstrap=False, max_samples=3, n_estimators=7, random_state=5)
    np.testing.assert_array_equal(ensemble.estimators_samples_, samples)
    np.testing.assert_array_equal(ensemble.score_samples(X), scores)


def test_pipelines_and_searches(X, ensemble):
    pipeline = make_pipeline(StandardScaler(), ensemble)
    grid = {
        "ensembleautoencoder__estimator__n_components": [1, 4],
        "ensembleautoencoder__n_estimators": [1, 2],
    }
    search = GridSearchCV(pipeline, grid, cv=2).fit(X)
    assert search.best_params_["ensembleautoencoder__estimator__n_components"] == 4
    assert search.best_estimator_.score_samples(X).shape == (120,)
    assert search.best_estimator_.inverse_transform(search.transform(X)).shape == X.shape


def test_output_of_members_may_be_frames(X, ensemble):
    with config_context(transform_output="pandas"):
        codes = ensemble.fit_transform(X)
    assert codes.shape == (120, 9)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_estimators": 0}, "n_estimators"),
        ({"n_estimators": 2.5}, "n_estimators"),
        ({"max_features": 0}, "max_features"),
        ({"max_features": 1.5}, "max_features"),
        ({"max_features": 11}, "max_features=11 asks for more columns than the 10"),
        ({"max_features": 3}, "see 3 of 10 columns each leave some unseen. Raise max_features"),
        ({"max_samples": 0.0}, "max_samples"),
        ({"max_samples": 121}, "max_samples=121 asks for more rows than the 120"),
        ({"bootstrap": "yes"}, "bootstrap"),
        ({"estimator": "dense"}, "estimator must be an autoencoder.*got 'dense'"),
        ({"estimator": PCA()}, r"estimator must be an autoencoder.*got PCA\(\).*make_pipeline"),
        ({"estimator": Autoencoder}, r"estimator=Autoencoder is a class: write Autoencoder\(\)"),
        ({"estimator": []}, "estimator must be an autoencoder.*got an empty list"),
        ({"estimator": [Autoencoder(), PCA()]}, r"list of them; got PCA\(\)"),
        ({"estimator": [Autoencoder()] * 4}, "n_estimators=3 leaves out some of the 4"),
        ({"estimator": [Autoencoder(), RecurrentAutoencoder()]}, "as arrays and as sequences"),
        ({"estimator": Autoencoder(lr=-1)}, "'lr' parameter of Autoencoder"),
    ],
)
def test_parameters_are_checked_and_a_fitted_ensemble_stays(params, message, X, ensemble):
    frame = pd.DataFrame(X).add_prefix("column ")
    scores = ensemble.fit(frame).score_samples(frame)
    before = ensemble.get_params(deep=False)
    with pytest.raises((TypeError, ValueError), match=message):
        ensemble.set_params(**params).fit(X)
    ensemble.set_params(**{name: before[name] for name in params})
    np.testing.assert_array_equal(ensemble.score_samples(frame), scores)


def test_errors_name_the_member(X, ensemble, fast):
    scores = ensemble.fit(X).score_samples(X)
    ensemble.estimator = [ensemble.estimator, Autoencoder(**fast | {"lr": 1e30})]
    with pytest.raises(ValueError, match="loss") as caught:
        ensemble.fit(X[:, :5])
    assert "member 1 of EnsembleAutoencoder, Autoencoder(" in caught.value.__notes__[0]
    np.testing.assert_array_equal(ensemble.score_samples(X), scores)


@pytest.mark.parametrize(
    "method", ["transform", "inverse_transform", "reconstruct", "score_samples", "score"]
)
def test_methods_ask_for_a_fit(method, X, ensemble):
    with pytest.raises(NotFittedError, match="EnsembleAutoencoder"):
        getattr(ensemble, method)(X)


def test_fitted_attributes_ask_for_a_fit(ensemble):
    with pytest.raises(NotFittedError):
        _ = ensemble.estimators_samples_


@pytest.mark.parametrize("weights", [None, np.arange(120) % 3])
def test_rows_are_drawn_almost_equally_often(X, weights):
    member = Autoencoder(2, max_epochs=1, check_baseline=False)
    ensemble = EnsembleAutoencoder(member, n_estimators=5, max_samples=30, random_state=0)
    rows = ensemble.fit(X, sample_weight=weights).estimators_samples_
    times = np.bincount(np.concatenate(rows), minlength=120)
    can_be_drawn = np.ones(120, bool) if weights is None else weights > 0
    assert all(len(np.unique(of_one)) == 30 for of_one in rows)
    assert not times[~can_be_drawn].any()
    assert np.ptp(times[can_be_drawn]) <= 1
