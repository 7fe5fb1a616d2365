"""Variational autoencoders: mixtures as priors, and the total correlation of codes."""

import pickle

import numpy as np
import pytest
import torch
from scipy.special import logsumexp
from scipy.stats import norm
from sklearn.datasets import load_digits
from sklearn.neighbors import NearestNeighbors

import skae
from skae import VariationalAutoencoder
from skae._runtime import TrainState
from skae.bottlenecks import GaussianBottleneck, total_correlation
from skae.exceptions import UnusedParameterWarning


@pytest.fixture
def quick(fast):
    return {**fast, "check_baseline": False}


@pytest.fixture(scope="module")
def two_groups():
    """Rows of two groups that are far from each other, and the group of each."""
    rng = np.random.default_rng(0)
    group = rng.integers(0, 2, 400)
    X = 0.1 * rng.normal(size=(400, 4))
    X[:, :2] += np.where(group, 3.0, -3.0)[:, None]
    return X, group


# The prior.


def test_a_mixture_draws_rows_like_those_of_the_training(two_groups):
    """The standard normal distribution draws some between the groups."""
    X, _ = two_groups
    params = {"beta": 0.01, "max_epochs": 20, "random_state": 0, "check_baseline": False}
    nearest = NearestNeighbors(n_neighbors=1).fit(X)
    distances = {}
    for prior in ("normal", "mixture"):
        model = VariationalAutoencoder(2, prior=prior, **params).fit(X)
        rows = model.sample(300, noise=False)
        distances[prior] = nearest.kneighbors(rows)[0].mean()
        assert (model.prior_ is None) == (prior == "normal")
    assert distances["mixture"] < 0.3 * distances["normal"]


def test_each_category_has_a_mixture(two_groups):
    """Codes of group 1 are spread along one axis, those of group 0 along the other."""
    X, group = two_groups
    rng = np.random.default_rng(1)
    X = X.copy()
    X[np.arange(400), 2 + group] += 2 * rng.normal(size=400)
    model = VariationalAutoencoder(2, max_epochs=20, random_state=0, check_baseline=False)
    model.fit(X, condition=group)
    assert model.prior_.keys.tolist() == [[0], [1]]
    codes, drawn = (
        [np.cov(Z[group == k].T) for k in range(2)]
        for Z in (
            model.transform(X, condition=group),
            model.prior_.sample(400, np.random.RandomState(0), model._condition_reader.read(group)),
        )
    )
    for expected, found in zip(codes, drawn, strict=True):
        main = (np.linalg.eigh(cov)[1][:, -1] for cov in (expected, found))
        assert abs(np.dot(*main)) > 0.9


def test_rare_categories_share_the_mixture_of_all(two_groups, quick):
    X, group = two_groups
    names = np.where(np.arange(400) < 3, "rare", np.where(group, "a", "b"))
    model = VariationalAutoencoder(**quick).fit(X, condition=names)
    assert len(model.prior_.keys) == 2
    assert model.sample(5, conditions="rare").shape == (5, 4)


def test_a_prior_is_seeded_and_saved(two_groups, quick, tmp_path):
    X, group = two_groups
    model = VariationalAutoencoder(**quick, prior="mixture").fit(X)
    expected = model.sample(9)
    np.testing.assert_array_equal(model.sample(9), expected)
    assert not np.array_equal(model.sample(9, random_state=5), expected)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).sample(9), expected)
    of_groups = VariationalAutoencoder(**quick).fit(X, condition=group)
    for one, asked in ((model, None), (of_groups, [0, 1, 1])):
        skae.save(one, tmp_path / "model.skae")
        loaded = skae.load(tmp_path / "model.skae")
        drawn = [m.sample(3, conditions=asked) for m in (loaded, one)]
        np.testing.assert_array_equal(*drawn)


def test_which_prior_is_meant(two_groups, quick):
    X, group = two_groups
    model = VariationalAutoencoder(**quick)
    assert model.fit(X).prior_ is None
    assert model.fit(X, condition=group).prior_ is not None
    assert model.set_params(prior="normal").fit(X, condition=group).prior_ is None
    with pytest.raises(ValueError, match="prior"):
        model.set_params(prior="gaussian").fit(X)


# The total correlation.


@pytest.mark.parametrize("weighted", [False, True])
def test_total_correlation_is_that_of_the_batch(rng, weighted):
    code, mean, log_variance = rng.normal(size=(3, 6, 2))
    weight = rng.uniform(0.5, 1.5, 6) if weighted else np.ones(6)
    weight /= weight.mean()
    density = norm.logpdf(code[:, None], mean, np.exp(log_variance / 2))
    fraction = (weight / 6)[:, None]
    each = logsumexp(density, axis=1, b=fraction).sum(1)
    together = logsumexp(density.sum(-1), axis=1, b=fraction[:, 0])
    tensors = map(torch.from_numpy, (code, mean, log_variance))
    found = total_correlation(*tensors, torch.from_numpy(weight) if weighted else None)
    assert float(found) == pytest.approx((weight * (together - each)).mean())


def test_independent_units_have_none(rng):
    mean = torch.from_numpy(rng.normal(size=(600, 2)))
    small = torch.full_like(mean, -2.0)
    code = mean + np.exp(-1) * torch.from_numpy(rng.normal(size=(600, 2)))
    assert abs(float(total_correlation(code, mean, small))) < 0.1
    twice, code = mean[:, [0, 0]], code[:, [0, 0]]
    assert float(total_correlation(code, twice, small)) > 0.5


def test_weight_of_the_total_correlation(rng):
    encoded = torch.from_numpy(rng.normal(size=(7, 4)))

    def drawn(beta=1.0, **params):
        state = TrainState(generator=torch.Generator().manual_seed(0))
        return GaussianBottleneck(beta, **params).draw(encoded, None, state)

    code, plain = drawn()
    same_code, weighted = drawn(beta=0.5, tc_weight=3.0)
    torch.testing.assert_close(same_code, code)
    correlation = total_correlation(code, *GaussianBottleneck.posterior(encoded))
    torch.testing.assert_close(weighted, 0.5 * (plain + 2 * correlation))


def test_units_become_less_correlated():
    """Pixels of digits: the more weight, the closer codes are to independent ones."""
    X = load_digits().data[:300] / 16
    params = {"likelihood": "bernoulli", "max_epochs": 25, "random_state": 0}
    found = []
    for tc_weight in (0.0, 1.0, 10.0):
        model = VariationalAutoencoder(5, tc_weight=tc_weight, check_baseline=False, **params)
        mean, std = map(torch.from_numpy, model.fit(X).transform(X, return_std=True))
        torch.manual_seed(0)
        code = mean + std * torch.randn_like(mean)
        found.append(float(total_correlation(code, mean, 2 * std.log())))
    assert found[0] > found[1] > found[2]


def test_what_tc_weight_cannot_be_combined_with(X, quick):
    for params in ({"free_bits": 0.1}, {"n_importance_samples": 3}):
        with pytest.raises(ValueError, match=f"use tc_weight=1, or leave {next(iter(params))} out"):
            VariationalAutoencoder(tc_weight=2.0, **quick, **params).fit(X)
    with pytest.raises(ValueError, match="tc_weight"):
        VariationalAutoencoder(tc_weight=-1.0, **quick).fit(X)
    with pytest.warns(UnusedParameterWarning, match=r"tc_weight=2.0 has no effect with beta=0"):
        VariationalAutoencoder(tc_weight=2.0, beta=0.0, **quick).fit(X)


def test_many_fits_at_once_are_as_those_alone(X, quick):
    models = [VariationalAutoencoder(tc_weight=w, **quick) for w in (1.0, 1.0, 2.0, 2.0)]
    skae.fit_many(models, X)
    for model in models:
        alone = VariationalAutoencoder(**model.get_params()).fit(X)
        np.testing.assert_array_equal(model.transform(X), alone.transform(X))
