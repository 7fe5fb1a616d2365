"""Sparse autoencoders: few active units, what they say of the columns."""

import numpy as np
import pytest
import torch
from scipy import sparse
from sklearn.datasets import load_digits
from sklearn.feature_selection import SelectFromModel
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch.distributions import Bernoulli

from skae import SparseAutoencoder
from skae.architectures import Dense
from skae.bottlenecks import KLSparseBottleneck, L1Bottleneck, TopKBottleneck


@pytest.fixture(scope="module")
def digits():
    return load_digits().data / 16


@pytest.mark.parametrize("k", [1, 3, 20])
@pytest.mark.parametrize("architecture", ["dense", Dense(()), Dense((16,), tied_weights=True)])
def test_topk_codes_have_k_units_that_are_not_zero(k, architecture, X, fast):
    model = SparseAutoencoder(
        **fast | {"n_components": 20, "early_stopping": True}, k=k, architecture=architecture
    )
    codes = model.fit_transform(X)
    assert codes.shape == (120, 20)
    np.testing.assert_array_equal((codes != 0).sum(1), k)
    assert model.mean_active_ == k


def test_topk_keeps_the_largest():
    encoded = torch.randn(5, 8)
    code = TopKBottleneck(3)(encoded)
    for row, kept in zip(encoded, code, strict=True):
        assert torch.equal(kept[kept != 0].sort().values, row.sort().values[-3:])


def test_l1_codes_have_zeros(X, fast):
    params = fast | {"n_components": 20, "max_epochs": 60, "lr": 3e-3, "sparsity": "l1"}
    some, few = (
        SparseAutoencoder(**params, sparsity_weight=weight).fit(X) for weight in (1e-3, 3e-2)
    )
    codes = some.transform(X)
    assert codes.min() == 0
    assert some.mean_active_ == (codes != 0).sum(1).mean()
    assert few.mean_active_ < 0.7 * some.mean_active_


def test_kl_keeps_the_mean_activation(X, fast):
    params = fast | {"n_components": 20, "max_epochs": 100, "lr": 1e-2, "sparsity": "kl"}
    model = SparseAutoencoder(**params, sparsity_weight=0.1, target_activation=0.1).fit(X)
    np.testing.assert_allclose(model.transform(X).mean(), 0.1, atol=0.05)


def test_penalties_have_their_closed_form():
    encoded = torch.randn(7, 4)
    _, penalty = L1Bottleneck(0.3).draw(encoded)
    torch.testing.assert_close(penalty, 0.3 * encoded.relu().sum(1).mean())
    _, penalty = KLSparseBottleneck(0.1, 0.3).draw(encoded)
    target, mean = Bernoulli(torch.tensor(0.1)), Bernoulli(encoded.sigmoid().mean(0))
    expected = 0.3 * torch.distributions.kl_divergence(target, mean).sum()
    torch.testing.assert_close(penalty, expected)


def test_weights_are_as_repeated_rows(X, fast):
    weight = np.ones(len(X))
    weight[:5] = 30
    params = fast | {"n_components": 10, "max_epochs": 60, "lr": 1e-2, "batch_size": 8}
    params |= {"sparsity": "kl", "sparsity_weight": 0.1, "target_activation": 0.3}
    model = SparseAutoencoder(**params).fit(X, sample_weight=weight)
    codes = np.repeat(model.transform(X), weight.astype(int), axis=0)
    assert codes.mean() == pytest.approx(0.3, abs=0.08)


def test_penalty_is_in_the_loss(X, fast):
    params = fast | {"lr": 1e-20, "max_epochs": 20, "lr_schedule": None, "sparsity": "l1"}
    model = SparseAutoencoder(**params, sparsity_weight=0.5).fit(X)
    expected = ((X - model.reconstruct(X)) ** 2).mean() + 0.5 * model.transform(X).sum(1).mean()
    assert model.loss_curve_[-1] == pytest.approx(expected, rel=1e-4)
    assert model.loss_curve_[0] < model.loss_curve_[-1]  # it rises at first


def test_codes_as_a_sparse_matrix(X, fast):
    params = fast | {"n_components": 20, "k": 4}
    dense = SparseAutoencoder(**params).fit(X)
    model = SparseAutoencoder(**params, sparse_output=True).fit(X)
    codes = model.transform(X)
    assert sparse.issparse(codes)
    assert codes.format == "csr"
    assert codes.nnz == 4 * len(X)
    np.testing.assert_array_equal(codes.toarray(), dense.transform(X))
    np.testing.assert_array_equal(model.inverse_transform(codes), dense.reconstruct(X))
    with pytest.raises(ValueError, match="sparse"):
        model.set_output(transform="pandas").transform(X)


def test_figures_after_the_fit(digits, fast):
    model = SparseAutoencoder(**fast | {"n_components": 50, "k": 5}).fit(digits)
    codes = model.transform(digits)
    assert model.dead_fraction_ == pytest.approx(1 - (codes != 0).any(0).mean())
    assert model.explained_variance_ == pytest.approx(model.score(digits))
    model.partial_fit(digits)
    assert model.explained_variance_ == pytest.approx(model.score(digits))


def test_few_units_are_dead(global_random_seed, digits):
    model = SparseAutoencoder(200, k=10, random_state=global_random_seed).fit(digits)
    assert model.dead_fraction_ < 0.1


def test_auto_components_and_k(X, fast):
    model = SparseAutoencoder(**fast | {"n_components": "auto"}).fit(X)
    assert model.n_components_ == 20
    assert model.mean_active_ == 3


# Feature selection.


@pytest.fixture(scope="module")
def planted(global_random_seed):
    """30 columns, of which every third depends on four hidden factors."""
    rng = np.random.default_rng(global_random_seed)
    informative = np.arange(30) % 3 == 0
    X = rng.normal(size=(800, 30))
    factors = rng.normal(size=(800, 4))
    # Each factor in two columns or more: what one column has alone is noise as well.
    weights = 2 * np.eye(4)[:, np.arange(10) % 4] + 0.3 * rng.normal(size=(4, 10))
    X[:, informative] = np.tanh(factors @ weights) + 0.1 * X[:, informative]
    return StandardScaler().fit_transform(X), informative


@pytest.mark.parametrize("sparsity", ["topk", "l1", "kl"])
def test_importances_find_planted_columns(sparsity, planted):
    X, informative = planted
    model = SparseAutoencoder(
        6, k=3, sparsity=sparsity, architecture=Dense(()), random_state=0, check_baseline=False
    ).fit(X)
    importances = model.feature_importances_
    assert importances.shape == (30,)
    assert importances.sum() == pytest.approx(1)
    assert importances[informative].min() > importances[~informative].max()


def test_select_from_model(planted):
    X, informative = planted
    selector = SelectFromModel(SparseAutoencoder(6, k=3, architecture=Dense(()), random_state=0))
    pipeline = make_pipeline(StandardScaler(), selector).fit(X)
    np.testing.assert_array_equal(selector.get_support(), informative)
    assert pipeline.transform(X).shape == (800, 10)


def test_importance_is_the_explained_variance(X, fast):
    X = X * np.arange(1, 11)
    model = SparseAutoencoder(**fast | {"n_components": 6, "max_epochs": 40}, k=2).fit(X)
    explained = (X.var(0) - ((X - model.reconstruct(X)) ** 2).mean(0)).clip(0)
    np.testing.assert_allclose(model.feature_importances_, explained / explained.sum(), rtol=1e-6)


def test_importances_are_of_the_held_out_rows(X, fast):
    params = fast | {"n_components": 6, "max_epochs": 40}
    held_out, fitted = X[:40], X[40:]
    model = SparseAutoencoder(**params, k=2).fit(fitted, X_val=held_out)
    error = (held_out - model.reconstruct(held_out)) ** 2
    explained = (held_out.var(0) - error.mean(0)).clip(0)
    np.testing.assert_allclose(model.feature_importances_, explained / explained.sum(), rtol=1e-6)


def test_importances_of_what_cannot_be_explained(fast):
    model = SparseAutoencoder(**fast).fit(np.ones((30, 4)))
    np.testing.assert_array_equal(model.feature_importances_, 0.25)


def test_codes_do_not_depend_on_an_offset_of_the_data(X, fast):
    params = fast | {"n_components": 12, "max_epochs": 20}
    a = SparseAutoencoder(**params, k=3, architecture=Dense(())).fit(X)
    b = SparseAutoencoder(**params, k=3, architecture=Dense(())).fit(X + 3)
    np.testing.assert_allclose(b.transform(X + 3), a.transform(X), atol=1e-3)
    np.testing.assert_allclose(b.reconstruct(X + 3), a.reconstruct(X) + 3, atol=1e-3)
