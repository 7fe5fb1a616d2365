"""A mixture of normal distributions as the prior of codes, fitted after the training."""

import copy
import warnings

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from skae._runtime import threads

#: Samples whose codes a mixture is fitted to, at most.
MAX_SAMPLES = 10_000

#: Codes for each number that describes a part of a mixture, at least, and parts, at most.
CODES_PER_NUMBER, MAX_PARTS = 4, 32


def fit_mixture(predictor, dataset, n_components, seed):
    """Fit a mixture to codes drawn from the posterior distributions of samples [1]_.

    Parameters
    ----------
    predictor : Predictor
        Of a `VariationalModule`.
    dataset : Dataset
    n_components : int
        Length of a code.
    seed : int

    Returns
    -------
    GaussianMixture

    References
    ----------
    .. [1] P. Ghosh, M. S. M. Sajjadi, A. Vergari, M. Black and B. Schoelkopf, "From variational to
       deterministic autoencoders", ICLR 2020. :arxiv:`1903.12436`
    """
    sample, rng = dataset.subsample(MAX_SAMPLES), np.random.RandomState(seed)
    posterior = predictor.map(_posterior, sample, (2 * n_components,)).astype(np.float64)
    mean, std = np.split(posterior, 2, axis=1)
    codes = mean + std * rng.standard_normal(mean.shape)
    n_numbers = 1 + n_components * (n_components + 3) // 2
    n_parts = int(np.clip(len(codes) // (CODES_PER_NUMBER * n_numbers), 1, MAX_PARTS))
    mixture = GaussianMixture(n_parts, reg_covar=1e-4, random_state=rng.randint(2**31 - 1))
    with warnings.catch_warnings(), threads(n_multiplications=0):
        warnings.simplefilter("ignore", ConvergenceWarning)  # nearly converged is good enough
        return mixture.fit(codes)


def draw_from(mixture, n_samples, rng):
    """Draw codes from a mixture, in random order.

    Parameters
    ----------
    mixture : GaussianMixture
    n_samples : int
    rng : RandomState

    Returns
    -------
    ndarray of shape (n_samples, n_components)
    """
    twin = copy.copy(mixture)
    twin.random_state = rng
    codes, _ = twin.sample(n_samples)
    return codes[rng.permutation(n_samples)]


def _posterior(module, x, target):
    """Return means and standard deviations, one behind the other."""
    del target
    mean, log_variance = module.bottleneck.posterior(module.encoded(x))
    return torch.cat([mean, (log_variance / 2).exp()], 1)
