"""Mixtures of normal distributions as the prior of codes, fitted after the training."""

import copy
import warnings

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from skae._runtime import threads

#: Samples whose codes mixtures are fitted to, at most.
MAX_SAMPLES = 10_000

#: Codes for each number that describes a part of a mixture, at least, and parts, at most.
CODES_PER_NUMBER, MAX_PARTS = 4, 32


class MixturePrior:
    """Mixtures of codes: one of all samples, and one for each category of a condition.

    Parameters
    ----------
    mixture : GaussianMixture
        Of all samples.
    keys : ndarray of shape (n_keys, n_columns)
        Categories with a mixture of their own, as ``Conditions.categories`` returns them.
    mixtures : list of GaussianMixture
        Theirs. Categories with too few samples for one share that of all samples.

    References
    ----------
    .. [1] P. Ghosh, M. S. M. Sajjadi, A. Vergari, M. Black and B. Schoelkopf, "From variational to
       deterministic autoencoders", ICLR 2020. :arxiv:`1903.12436`
    """

    def __init__(self, mixture, keys, mixtures):
        self.mixture, self.keys, self.mixtures = mixture, keys, mixtures

    @classmethod
    def fit(cls, predictor, dataset, n_components, seed):
        """Fit mixtures to codes drawn from the posterior distributions of samples.

        Parameters
        ----------
        predictor : Predictor
            Of a `VariationalModule`.
        dataset : Dataset
        n_components : int
            Length of a code.
        seed : int
        """
        sample, rng = dataset.subsample(MAX_SAMPLES), np.random.RandomState(seed)
        posterior = predictor.map(_posterior, sample, (2 * n_components,)).astype(np.float64)
        mean, std = np.split(posterior, 2, axis=1)
        codes = mean + std * rng.standard_normal(mean.shape)
        if not sample.n_conditions:
            return cls(_mixture(codes, rng), np.empty((0, 0)), [])
        keys, which, counts = np.unique(
            sample.labels.categories(), axis=0, return_inverse=True, return_counts=True
        )
        has_own = _n_parts(counts, n_components) >= 1
        own = [_mixture(codes[which.ravel() == i], rng) for i in np.flatnonzero(has_own)]
        return cls(_mixture(codes, rng), keys[has_own], own)

    def sample(self, n_samples, rng, conditions=None):
        """Draw codes, in random order.

        Parameters
        ----------
        n_samples : int
        rng : RandomState
        conditions : Conditions or None, default=None
            Of each sample.

        Returns
        -------
        ndarray of shape (n_samples, n_components)
        """
        codes = _drawn(self.mixture, n_samples, rng)
        if conditions is None:
            return codes
        categories = conditions.categories()
        for key, mixture in zip(self.keys, self.mixtures, strict=True):
            is_of_key = (categories == key).all(1)
            if is_of_key.any():
                codes[is_of_key] = _drawn(mixture, int(is_of_key.sum()), rng)
        return codes


def _n_parts(n_codes, n_components):
    """Return how many parts a mixture of codes can have, 0 if they are too few for one."""
    n_numbers = 1 + n_components * (n_components + 3) // 2
    return n_codes // (CODES_PER_NUMBER * n_numbers)


def _mixture(codes, rng):
    n_parts = int(np.clip(_n_parts(*codes.shape), 1, MAX_PARTS))
    mixture = GaussianMixture(n_parts, reg_covar=1e-4, random_state=rng.randint(2**31 - 1))
    with warnings.catch_warnings(), threads(n_multiplications=0):
        warnings.simplefilter("ignore", ConvergenceWarning)  # nearly converged is good enough
        return mixture.fit(codes)


def _drawn(mixture, n_samples, rng):
    twin = copy.copy(mixture)
    twin.random_state = rng
    codes, _ = twin.sample(n_samples)
    return codes[rng.permutation(n_samples)]


def _posterior(module, x, target):
    """Return means and standard deviations, one behind the other."""
    del target
    mean, log_variance = module.bottleneck.posterior(module.encoded(x))
    return torch.cat([mean, (log_variance / 2).exp()], 1)
