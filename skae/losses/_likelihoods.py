"""Losses that are minus the logarithm of a likelihood. torch only."""

from math import log, pi

import torch
from torch import nn
from torch.nn import functional as F

from skae._runtime import normal_like
from skae.losses._base import ElementwiseLoss
from skae.losses._elementwise import BinaryCrossEntropy


class BernoulliLikelihood(BinaryCrossEntropy):
    """Minus the logarithm of the probability of ones and zeros, given its logit, in nats.

    Takes two tensors of one shape and returns a tensor of that shape.

    Examples
    --------
    >>> import torch
    >>> from skae.losses import BernoulliLikelihood
    >>> BernoulliLikelihood()(torch.tensor([[0.0, 3.0]]), torch.tensor([[0.0, 1.0]]))
    tensor([[0.6931, 0.0486]])
    """

    reduction = "sum"

    def sample(self, logit, generator=None):
        """Draw ones and zeros, given their logit.

        Parameters
        ----------
        logit : tensor of shape (n_samples, n_features)
            Output of the decoder.
        generator : torch.Generator or None, default=None
            Source of random numbers; None is torch's own.

        Returns
        -------
        tensor of shape (n_samples, n_features)
            Random zeros and ones.
        """
        return torch.bernoulli(torch.sigmoid(logit), generator=generator)


class GaussianLikelihood(ElementwiseLoss):
    """Minus the logarithm of a normal density around the prediction, in nats.

    Takes two tensors of one shape and returns a tensor of that shape.

    Parameters
    ----------
    noise_variance : float or None, default=None
        Variance of the density, the same for all elements. None learns it, which sets the
        balance of reconstruction and prior from the data [1]_.

    References
    ----------
    .. [1] O. Rybkin, K. Daniilidis and S. Levine, "Simple and effective VAE training with
       calibrated decoders", ICML 2021. :arxiv:`2006.13202`

    Examples
    --------
    >>> import torch
    >>> from skae.losses import GaussianLikelihood
    >>> GaussianLikelihood(noise_variance=1.0)(torch.zeros(1, 2), torch.tensor([[0.0, 1.0]]))
    tensor([[0.9189, 1.4189]])
    """

    reduction = "sum"
    #: How much larger the steps of the logarithm of the variance are than those of a weight of
    #: the net: it has a long way to go, and large steps are safe for a single number.
    STEP_SCALE = 10.0
    #: Least variance that can be learned, as a fraction of the one at the start.
    MIN_FRACTION = 1e-6

    def __init__(self, noise_variance=None):
        super().__init__()
        start = 0.0 if noise_variance is None else log(noise_variance)
        self.register_buffer("log_start", torch.tensor(start))
        self.log_fraction = None
        if noise_variance is None:
            self.log_fraction = nn.Parameter(torch.zeros(()))

    @property
    def learns_variance(self):
        """Whether the variance is learned."""
        return self.log_fraction is not None

    @torch.no_grad()
    def start_at(self, noise_variance):
        """Set the variance that learning starts from.

        Parameters
        ----------
        noise_variance : tensor of shape ()
            The variance; ignored if the variance is fixed.
        """
        if self.learns_variance:
            self.log_start.copy_(noise_variance.log())

    @property
    def log_noise_variance(self):
        """Logarithm of the variance, a tensor of shape ()."""
        if self.log_fraction is None:
            return self.log_start
        return self.log_start + (self.STEP_SCALE * self.log_fraction).clamp_min(
            log(self.MIN_FRACTION)
        )

    def forward(self, prediction, target):
        log_variance = self.log_noise_variance
        error = F.mse_loss(prediction, target, reduction="none")
        return (error * torch.exp(-log_variance) + (log_variance + log(2 * pi))) / 2

    def mean_and_gradient(self, prediction, target, weight, out):
        torch.sub(prediction, target, out=out)
        n_samples, n_terms = out.shape[-2], out.shape[-2] * out.shape[-1]
        if weight is None:
            squares = torch.linalg.vecdot(out.flatten(-2), out.flatten(-2))
        else:
            squares = (out.square() * weight).sum((-2, -1))
            n_terms = weight.expand_as(out).sum((-2, -1))
            out.mul_(weight)
        log_variance = self.log_noise_variance
        precision = torch.exp(-log_variance) / n_samples
        out.mul_(precision)
        # One value for each model, like the squares.
        log_variance, precision = (x.view(squares.shape) for x in (log_variance, precision))
        half_error, half_terms = squares * precision / 2, n_terms / (2 * n_samples)
        if self.log_fraction is not None:
            is_free = self.STEP_SCALE * self.log_fraction.view(squares.shape) >= log(
                self.MIN_FRACTION
            )
            slope = self.STEP_SCALE * (half_terms - half_error) * is_free
            self.log_fraction.grad.copy_(slope.view(self.log_fraction.shape))
        return half_error + half_terms * (log_variance + log(2 * pi))

    def sample(self, prediction, generator=None):
        """Draw values, given the prediction.

        Parameters
        ----------
        prediction : tensor of shape (n_samples, n_features)
            Output of the decoder, the mean of the density.
        generator : torch.Generator or None, default=None
            Source of random numbers; None is torch's own.

        Returns
        -------
        tensor of shape (n_samples, n_features)
            Random values.
        """
        std = torch.exp(self.log_noise_variance / 2)
        return prediction + std * normal_like(prediction, generator)


#: By name, the likelihoods of a variational autoencoder.
LIKELIHOODS = {"gaussian": GaussianLikelihood, "bernoulli": BernoulliLikelihood}
