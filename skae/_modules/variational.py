"""The module of a variational autoencoder: bounds on the likelihood. torch only."""

from math import log

import torch

from skae._modules.autoencoder import AutoencoderModule, weighted_mean
from skae._runtime import TRAINED, Random

MAX_BLOCK_ELEMENTS = 2**21


class VariationalModule(Random, AutoencoderModule):
    """Autoencoder module with a `~skae.bottlenecks.GaussianBottleneck` and a likelihood.

    Parameters
    ----------
    *parts : nn.Module
        As for `AutoencoderModule`.
    n_importance_samples : int, default=1
        Draws of the code that the bound on the log-likelihood is computed from. With
        several it is the importance-weighted bound [1]_, trained by doubly
        reparametrized gradients [2]_.
    **facts : dict
        As for `AutoencoderModule`.

    References
    ----------
    .. [1] Y. Burda, R. Grosse and R. Salakhutdinov, "Importance weighted autoencoders",
       ICLR 2016. :arxiv:`1509.00519`
    .. [2] G. Tucker, D. Lawson, S. Gu and C. J. Maddison, "Doubly reparameterized gradient
       estimators for Monte Carlo objectives", ICLR 2019. :arxiv:`1810.04152`
    """

    def __init__(self, *parts, n_importance_samples=1, **facts):
        super().__init__(*parts, **facts)
        self.n_importance_samples = n_importance_samples

    @property
    def decodes_once(self):
        return self.n_importance_samples == 1 or self.bottleneck.beta == 0

    @property
    def draws_from_torch(self):
        """Whether random numbers come from torch's own generator."""
        return not self.decodes_once

    def objective(self, x, target, weight=None, cell_weight=None, state=TRAINED, labels=None):
        if self.decodes_once:
            return super().objective(x, target, weight, cell_weight, state, labels)
        return -weighted_mean(self._importance_weighted_bound(x, target, state), weight)

    def _importance_weighted_bound(self, x, target, state):
        """Return the bound of each sample, with doubly reparametrized gradients."""
        encoded, (beta, _) = self.encoded(x, state), self.bottleneck.numbers(state)
        mean, _ = self.bottleneck.posterior(encoded)
        noise = torch.randn_like(mean.expand(self.n_importance_samples, *mean.shape))
        code = self._codes(encoded, noise)
        # Where beta is 1, the posterior's part of the gradient comes to the square of each
        # weight times the path through the code, which has less variance.
        doubly = beta == 1 and code.requires_grad
        if doubly:
            encoded = encoded.detach()
            std = (self.bottleneck.posterior(encoded)[1] / 2).exp()
            noise = noise + (code - code.detach()) / std  # adds 0, and the path
        likelihood, ratio = self._log_terms(code, encoded, noise, target, state)
        log_weights = likelihood + beta * ratio
        if doubly:
            weights = log_weights.detach().softmax(0)
            code.register_hook(lambda grad: grad * weights[..., None])
        return log_weights.logsumexp(0) - log(self.n_importance_samples)

    def _codes(self, encoded, noise):
        """Return codes drawn from the posterior, shape (n_draws, n_samples, n_components)."""
        mean, log_variance = self.bottleneck.posterior(encoded)
        return mean + (log_variance / 2).exp() * noise

    def _log_terms(self, code, encoded, noise, target, state=TRAINED):
        """Return what importance weights are made of.

        Parameters
        ----------
        code : tensor of shape (n_draws, n_samples, n_components)
        encoded : tensor of shape (n_samples, encoder_width)
        noise : tensor of shape (n_draws, n_samples or 1, n_components)
            What the codes are from their posterior mean in standard deviations.
        target : tensor of shape (n_samples, *input_shape)

        Returns
        -------
        likelihood, ratio : tensor of shape (n_draws, n_samples)
            Logarithms of the probability of the target given the code, and of the code's
            prior probability over its posterior probability.
        """
        _, log_variance = self.bottleneck.posterior(encoded)
        # The constants of both normal densities cancel.
        ratio = (noise.square() + log_variance - code.square()).sum(-1) / 2
        target = target.expand(len(code), *target.shape).flatten(0, 1)
        losses = self.reconstruction_losses(code.flatten(0, 1), target, state=state)
        return -losses.view(code.shape[:2]), ratio

    def sample(self, code, target=None, generator=None):
        """Draw from the likelihood given the code, shape (n_samples, *input_shape)."""
        return self.loss.sample(self.predict(code, target), generator)

    def elbo(self, x, noise):
        """Return the evidence lower bound of each sample, in nats.

        Parameters
        ----------
        x : tensor of shape (n_samples, *input_shape)
        noise : tensor of shape (n_draws, 1, n_components)
            The same draws for all samples, so that a sample's result depends on no other.

        Returns
        -------
        tensor of shape (n_samples,)
        """
        encoded = self.encoded(x)
        likelihood = sum(likelihood.sum(0) for likelihood, _ in self._blocks(encoded, x, noise))
        return likelihood / len(noise) - self.bottleneck.divergence(encoded).sum(-1)

    def log_likelihood(self, x, noise):
        """Return the importance-weighted bound of each sample, parameters as for ``elbo``."""
        blocks = self._blocks(self.encoded(x), x, noise)
        sums = [(likelihood + ratio).logsumexp(0) for likelihood, ratio in blocks]
        return torch.stack(sums).logsumexp(0) - log(len(noise))

    def _blocks(self, encoded, x, noise):
        """Yield the terms of as many draws at a time as fit into memory."""
        n_at_once = len(noise)
        if not torch.compiler.is_exporting():  # a graph is for any number of samples
            n_steps = x.shape[1] if self.has_missing else 1
            n_at_once = max(1, MAX_BLOCK_ELEMENTS // (len(x) * n_steps * self.width))
        for some in noise.split(n_at_once):
            yield self._log_terms(self._codes(encoded, some), encoded, some, x)
