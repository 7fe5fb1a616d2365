"""Variational autoencoders: the bound, what it is made of, and what can be drawn."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from scipy.linalg import subspace_angles
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KernelDensity
from torch.distributions import Independent, Normal, kl_divergence

from skae import Autoencoder, VariationalAutoencoder
from skae._modules.variational import VariationalModule
from skae._runtime import TrainState
from skae.architectures import Dense
from skae.bottlenecks import GaussianBottleneck
from skae.exceptions import PosteriorCollapseWarning
from skae.losses import BernoulliLikelihood, GaussianLikelihood


@pytest.fixture
def quick(fast):
    return {**fast, "lr": 3e-3}


@pytest.fixture(scope="module")
def digits():
    """Pixels in [0, 1]."""
    return load_digits().data[:400] / 16


@pytest.fixture(scope="module")
def linear_gaussian(global_random_seed):
    """Rows of two factors and noise of variance 0.25, for which probabilistic PCA is exact."""
    rng = np.random.default_rng(global_random_seed)
    axes = np.linalg.qr(rng.normal(size=(6, 2)))[0] * [2.0, 1.5]
    return rng.normal(size=(3000, 2)) @ axes.T + rng.normal(size=(3000, 6)) / 2 + np.arange(6)


def make_module(likelihood=None, n_importance_samples=1, **bottleneck):
    torch.manual_seed(0)
    encoder, decoder = Dense((8,)).build((5,), 4, 2)
    likelihood = likelihood or GaussianLikelihood(0.3)
    module = VariationalModule(
        encoder,
        GaussianBottleneck(**bottleneck),
        decoder,
        torch.nn.Identity(),
        likelihood,
        n_importance_samples=n_importance_samples,
    )
    return module.double()


def seeded_objective(module, x, progress=1.0):
    torch.manual_seed(1)
    return module.objective(x, x, state=TrainState(progress)).item()


# The bound.


def test_divergence_has_its_closed_form():
    encoded = torch.randn(7, 6)
    mean, log_variance = encoded.chunk(2, -1)
    expected = kl_divergence(Normal(mean, (log_variance / 2).exp()), Normal(0.0, 1.0))
    torch.testing.assert_close(GaussianBottleneck.divergence(encoded), expected)


def test_divergence_is_in_the_loss():
    x = torch.randn(9, 5, dtype=torch.float64)
    once, thrice = (seeded_objective(make_module(beta=beta), x) for beta in (1.0, 3.0))
    module = make_module()
    divergence = module.bottleneck.divergence(module.encoder(x)).sum(1).mean().item()
    assert divergence > 0.1
    assert thrice - once == pytest.approx(2 * divergence, rel=1e-9)


def test_divergence_acts_in_training(X, quick):
    def divergence(beta):
        vae = VariationalAutoencoder(**quick | {"max_epochs": 30}, beta=beta).fit(X)
        mean, std = vae.transform(X, return_std=True)
        return (mean**2 + std**2 - 1 - 2 * np.log(std)).sum(1).mean() / 2

    assert divergence(20.0) < 0.5 * divergence(1.0) < 0.5 * divergence(0.1)


@pytest.mark.parametrize("likelihood", [GaussianLikelihood(0.7), BernoulliLikelihood()])
def test_likelihoods_are_densities(likelihood):
    prediction, target = torch.randn(2, 4, 3)
    if isinstance(likelihood, BernoulliLikelihood):
        target = target.round().clamp(0, 1)
        expected = torch.distributions.Bernoulli(logits=prediction).log_prob(target)
    else:
        expected = Normal(prediction, 0.7**0.5).log_prob(target)
    torch.testing.assert_close(likelihood(prediction, target), -expected)


def test_without_beta_it_is_the_plain_autoencoder(X, fast):
    plain = Autoencoder(**fast, architecture=Dense(())).fit(X)
    x = torch.tensor(X, dtype=torch.float32)
    module = VariationalModule(
        torch.nn.Linear(10, 6),
        GaussianBottleneck(beta=0.0),
        plain.net_.module_.decoder,
        torch.nn.Identity(),
        GaussianLikelihood(0.5),
    )
    with torch.no_grad():
        (linear,) = plain.net_.module_.encoder
        module.encoder.weight[:3] = linear.weight
        module.encoder.bias[:3] = linear.bias
    squared_error = 10 * plain.net_.module_.objective(x, x).item()
    constant = 5 * np.log(np.pi)  # of the normal density
    assert module.objective(x, x).item() == pytest.approx(squared_error + constant, rel=1e-5)


def test_without_beta_it_learns_what_the_plain_autoencoder_does(X, fast):
    params = {**fast, "max_epochs": 60}
    plain = Autoencoder(**params).fit(X)
    vae = VariationalAutoencoder(**params, beta=0.0, noise_variance=0.5).fit(X)
    assert vae.score(X) == pytest.approx(plain.score(X), abs=0.02)
    np.testing.assert_array_equal(vae.transform(X, return_std=True)[1] > 0, True)


def test_several_draws_tighten_the_bound(X, quick):
    # All rows have the same draws, so that bounds of few are far from their means.
    vae = VariationalAutoencoder(**quick | {"max_epochs": 10, "random_state": 0}).fit(X)
    bounds = [vae.log_likelihood(X, n_samples=n).mean() for n in (1, 10, 1000)]
    assert vae.elbo(X).mean() == pytest.approx(bounds[0], abs=0.5)
    assert bounds[0] + 0.05 < bounds[1] < bounds[2]
    assert bounds[0] < vae.set_params(n_importance_samples=10).score_samples(X).mean() < bounds[2]


def test_objective_of_several_draws_is_their_bound():
    module, x = make_module(n_importance_samples=4), torch.randn(9, 5, dtype=torch.float64)
    objective = seeded_objective(module, x)
    torch.manual_seed(1)
    noise = torch.randn(4, 9, 2, dtype=torch.float64)
    mean, log_variance = module.encoder(x).chunk(2, -1)
    posterior = Independent(Normal(mean, (log_variance / 2).exp()), 1)
    code = mean + (log_variance / 2).exp() * noise
    prior = Independent(Normal(torch.zeros(2), torch.ones(2)), 1)
    likelihood = Independent(Normal(module.decoder(code.flatten(0, 1)).view(4, 9, 5), 0.3**0.5), 1)
    log_weights = likelihood.log_prob(x) + prior.log_prob(code) - posterior.log_prob(code)
    expected = -(log_weights.logsumexp(0) - np.log(4)).mean()
    assert objective == pytest.approx(expected.item(), rel=1e-6)


def test_doubly_reparametrized_gradients_are_those_of_the_bound():
    x = torch.randn(3, 5, dtype=torch.float64)

    def mean_gradient(module, n_draws):
        module.n_importance_samples = 3
        rows = x.repeat(n_draws, 1)
        torch.manual_seed(2)
        module.objective(rows, rows).backward()
        return torch.cat([p.grad.flatten() for p in module.parameters()])

    module, plain = make_module(), make_module(beta=1.0 + 1e-12)  # not 1: by autograd alone
    gradient, expected = mean_gradient(module, 20_000), mean_gradient(plain, 20_000)
    assert (gradient - expected).norm() < 0.03 * expected.norm()
    assert not torch.equal(gradient, expected)


def test_fewer_nats_for_free(X, quick):
    def least_divergence(**params):
        vae = VariationalAutoencoder(**quick | {"max_epochs": 40}, beta=30.0, **params).fit(X)
        mean, std = vae.transform(X, return_std=True)
        return (mean**2 + std**2 - 1 - 2 * np.log(std)).mean(0).min() / 2

    assert least_divergence() < 0.1 < 0.2 < least_divergence(free_bits=0.5)


def test_warm_up_starts_without_divergence():
    x = torch.randn(9, 5, dtype=torch.float64)
    module, none = make_module(warmup=0.5, beta=2.0), make_module(beta=1e-12)
    assert seeded_objective(module, x, 0.0) == pytest.approx(seeded_objective(none, x))
    for progress, beta in [(0.25, 1.0), (1.0, 2.0)]:
        expected = seeded_objective(make_module(beta=beta), x)
        assert seeded_objective(module, x, progress) == pytest.approx(expected)


@pytest.mark.parametrize("params", [{}, {"kl_warmup": 0.9}, {"n_importance_samples": 3}], ids=str)
def test_validation_is_of_the_whole_bound(params, X, quick):
    vae = VariationalAutoencoder(**quick | {"lr": 1e-20}, **params).fit(X, X_val=X)
    losses = [epoch["valid_loss"] for epoch in vae.history_]
    assert losses[0] == losses[-1]  # and for the same draws
    assert losses[0] == pytest.approx(-vae.score_samples(X).mean(), rel=0.05)


# Where the optimum is known.


@pytest.mark.parametrize(
    "params",
    [
        {"architecture": Dense((), shortcut=False), "lr": 1e-2, "max_epochs": 200},
        {"architecture": Dense(())},
        {"architecture": Dense((16,))},
    ],
    ids=["from random weights", "from PCA", "with hidden layers"],
)
def test_linear_gaussian_optimum(global_random_seed, params, linear_gaussian):
    X = linear_gaussian
    pca = PCA(2).fit(X)
    vae = VariationalAutoencoder(
        2, random_state=global_random_seed, **{"max_epochs": 20, **params}
    ).fit(X)
    codes = np.vstack([np.zeros(2), np.eye(2)])
    origin, *ends = vae.inverse_transform(codes)
    learned = np.array(ends) - origin
    assert np.rad2deg(subspace_angles(learned.T, pca.components_.T)).max() < 2
    assert vae.noise_variance_ == pytest.approx(pca.noise_variance_, rel=0.05)
    assert vae.log_likelihood(X).mean() == pytest.approx(pca.score(X), abs=0.03)
    sample = vae.sample(20_000, random_state=global_random_seed)
    np.testing.assert_allclose(sample.mean(0), X.mean(0), atol=0.1)
    np.testing.assert_allclose(np.cov(sample.T), np.cov(X.T), rtol=0.1, atol=0.2)
    without_noise = vae.sample(20_000, noise=False, random_state=global_random_seed)
    assert np.linalg.eigvalsh(np.cov(without_noise.T))[:4].max() < 0.05


def test_noise_of_exact_data_stays_above_zero(quick):
    X = np.outer(np.linspace(-1, 1, 60), [1.0, 2.0, 3.0])
    vae = VariationalAutoencoder(**quick | {"n_components": 1, "max_epochs": 100}).fit(X)
    assert 0 < vae.noise_variance_ < 0.01
    assert np.isfinite(vae.score_samples(X)).all()


# Scores.


@pytest.mark.parametrize("n_importance_samples", [1, 5])
def test_scores_are_the_same_always(n_importance_samples, X, quick):
    vae = VariationalAutoencoder(**quick, n_importance_samples=n_importance_samples).fit(X)
    scores = vae.score_samples(X)
    for again in (vae, pickle.loads(pickle.dumps(vae))):
        np.testing.assert_array_equal(again.score_samples(X), scores)
        np.testing.assert_allclose(again.score_samples(X[::-1])[::-1], scores, rtol=1e-10)
        np.testing.assert_allclose(again.score_samples(X[5:6]), scores[5:6], rtol=1e-10)
    twin = VariationalAutoencoder(**quick, n_importance_samples=n_importance_samples).fit(X)
    np.testing.assert_array_equal(twin.score_samples(X), scores)


def test_elbo_is_exact_for_a_linear_model(linear_gaussian):
    X = linear_gaussian
    vae = VariationalAutoencoder(2, architecture=Dense(()), random_state=0, max_epochs=5).fit(X)
    mean, std = vae.transform(X, return_std=True)
    axes = vae.inverse_transform(np.eye(2)) - vae.inverse_transform(np.zeros((1, 2)))
    noise = vae.noise_variance_
    squares = ((X - vae.reconstruct(X)) ** 2).sum(1) + std**2 @ (axes**2).sum(1)
    divergence = (mean**2 + std**2 - 1 - 2 * np.log(std)).sum(1) / 2
    expected = -squares / (2 * noise) - 3 * np.log(2 * np.pi * noise) - divergence
    np.testing.assert_allclose(vae.elbo(X), expected, rtol=1e-6)


@pytest.mark.filterwarnings("ignore::skae.exceptions.ExtrapolationWarning")
@pytest.mark.parametrize("scale", [1e3, 1e6])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_scores_of_rows_far_away_are_finite_and_low(scale, dtype, X, quick):
    vae = VariationalAutoencoder(**quick | {"max_epochs": 20}).fit(X)
    far = (scale * X[:5]).astype(dtype)
    for scores in (vae.score_samples(far), vae.log_likelihood(far, 20)):
        assert np.isfinite(scores).all()
        assert scores.max() < vae.score_samples(X).min()
    assert np.isfinite(vae.transform(far, return_std=True)[1]).all()


def test_stream_that_starts_with_constant_rows(X, quick):
    vae = VariationalAutoencoder(**quick).partial_fit(np.full((50, 10), 0.7))
    for _ in range(60):
        vae.partial_fit(X)
    assert 0.01 < vae.noise_variance_ < 2
    assert vae.score(X) > 0.3


def test_memory_is_bounded_by_the_width_of_the_net():
    module = make_module()
    x, noise = torch.randn(1000, 5, dtype=torch.float64), torch.randn(64, 1, 2).double()
    encoded = module.encoder(x)
    lengths = [len(likelihood) for likelihood, _ in module._blocks(encoded, x, noise)]
    assert sum(lengths) == 64
    assert max(lengths) * 1000 * 8 <= 2**21  # the hidden layer has 8 units


def test_scores_tell_outliers(X, quick):
    vae = VariationalAutoencoder(**quick | {"max_epochs": 30}).fit(X)
    assert vae.score_samples(X + 5).max() < np.median(vae.score_samples(X))


def test_log_likelihood_in_blocks(X, quick, monkeypatch):
    vae = VariationalAutoencoder(**quick).fit(X)
    expected = vae.log_likelihood(X, n_samples=33), vae.elbo(X)
    monkeypatch.setattr("skae._modules.variational.MAX_BLOCK_ELEMENTS", 5000)
    np.testing.assert_allclose(vae.log_likelihood(X, n_samples=33), expected[0])
    np.testing.assert_allclose(vae.elbo(X), expected[1])


# Codes and new rows.


def test_transform_gives_mean_and_deviation(X, quick):
    vae = VariationalAutoencoder(**quick).fit(X)
    mean, std = vae.transform(X, return_std=True)
    np.testing.assert_array_equal(mean, vae.transform(X))
    encoded = vae.net_.module_.double().encoder(torch.tensor(X))
    np.testing.assert_allclose((encoded[:, 3:] / 2).exp().detach().numpy(), std, rtol=1e-6)
    frame, _ = vae.set_output(transform="pandas").transform(X, return_std=True)
    assert list(frame) == [f"variationalautoencoder{i}" for i in range(3)]


def test_sample_comes_as_the_training_rows_did(X, quick):
    names = [f"column {i}" for i in range(10)]
    vae = VariationalAutoencoder(**quick)
    assert vae.fit(X).sample(4).dtype == np.float64
    assert vae.fit(X.astype("float32")).sample(4).dtype == np.float32
    frame = vae.fit(pd.DataFrame(X, columns=names)).sample(4)
    assert isinstance(frame, pd.DataFrame)
    assert list(frame) == names
    frame = vae.fit(pl.DataFrame(X, schema=names)).sample(4)
    assert isinstance(frame, pl.DataFrame)
    assert frame.columns == names
    assert vae.fit(pd.DataFrame(X)).sample().shape == (1, 10)


def test_sample_follows_random_state(X, quick):
    vae = VariationalAutoencoder(**quick).fit(X)
    before = torch.get_rng_state()
    np.testing.assert_array_equal(vae.sample(5), vae.sample(5))
    other = vae.random_state + 1
    sample = vae.sample(5, random_state=other)
    np.testing.assert_array_equal(sample, vae.sample(5, random_state=other))
    assert not np.array_equal(sample, vae.sample(5))
    assert torch.equal(before, torch.get_rng_state())


def test_bernoulli_samples_are_ones_and_zeros(digits, quick):
    vae = VariationalAutoencoder(**quick | {"max_epochs": 30}, likelihood="bernoulli").fit(digits)
    assert set(np.unique(vae.sample(50))) == {0.0, 1.0}
    means = vae.sample(500, noise=False)
    assert 0 < means.min() < means.max() < 1
    np.testing.assert_allclose(means.mean(0), digits.mean(0), atol=0.2)
    assert not hasattr(vae, "noise_variance_")


@pytest.mark.parametrize("density", [GaussianMixture(3, random_state=0), KernelDensity()])
def test_sample_of_a_density_of_codes(density, X, quick):
    vae = VariationalAutoencoder(**quick | {"max_epochs": 20}).fit(X)
    density.fit(vae.transform(X))
    sample = vae.sample(2000, density=density)
    np.testing.assert_allclose(sample.mean(0), X.mean(0), atol=0.3)


def test_sample_refuses_what_are_no_codes(X, quick):
    vae = VariationalAutoencoder(**quick)
    with pytest.raises(NotFittedError):
        vae.sample()
    vae.fit(X)
    with pytest.raises(ValueError, match="n_samples == 0, must be >= 1"):
        vae.sample(0)
    with pytest.raises(TypeError, match="n_samples must be an instance of int"):
        vae.sample(2.5)
    with pytest.raises(ValueError, match=r"density draws arrays of shape \(5, 10\)"):
        vae.sample(5, density=GaussianMixture().fit(X))
    with pytest.raises(TypeError, match="density must be a fitted distribution"):
        vae.sample(5, density="normal")
    with pytest.raises(TypeError, match="density must be a fitted distribution"):
        vae.sample(5, density=GaussianMixture)
    with pytest.raises(ValueError, match="n_samples == 0, must be >= 1"):
        vae.log_likelihood(X, n_samples=0)


# After the fit.


def test_collapse_is_told(X, quick):
    with pytest.warns(PosteriorCollapseWarning, match="Try a beta below 100, kl_warmup"):
        vae = VariationalAutoencoder(
            **quick | {"max_epochs": 40, "check_baseline": True}, beta=100.0, noise_variance=1.0
        ).fit(X)
    assert vae.n_active_units_ == 0


def test_units_that_are_not_needed_become_inactive(linear_gaussian):
    vae = VariationalAutoencoder(4, lr=1e-2, max_epochs=60, beta=1.5, random_state=0)
    assert vae.fit(linear_gaussian).n_active_units_ == 2


def test_training_on_takes_another_beta_but_no_other_likelihood(X, quick):
    vae = VariationalAutoencoder(**quick, warm_start=True).fit(X)
    vae.set_params(beta=5.0, n_importance_samples=2).fit(X)
    assert vae.net_.module_.bottleneck.beta == 5.0
    assert vae.net_.module_.n_importance_samples == 2
    with pytest.raises(ValueError, match="noise_variance changed since the net was built"):
        vae.set_params(noise_variance=1.0).fit(X)
