"""The bottleneck of codes that are to be stored: rounded, and of few bits. torch only."""

from math import log

import torch
from torch import nn

from skae._modules.autoencoder import weighted_mean
from skae._runtime import TRAINED
from skae.bottlenecks import Bottleneck, LinearBottleneck

#: Scales of the logistic distributions that a prior starts at, in steps.
START_SCALES = 0.4, 3.0, 24.0

#: How much faster priors learn than weights: trainings can be short.
SPEED = 10.0

#: Bounds of the logarithms of scales, which keep probabilities finite.
LOG_SCALES = log(0.05), log(1e4)

#: Least probability of a level near 0; it falls with the square.
FLOOR = 1e-6


class RateBottleneck(LinearBottleneck):
    """Code that is rounded to multiples of a step, with a penalty on its bits.

    Training adds uniform noise as wide as a step in place of rounding, which has no slope. The
    number of bits is minus the logarithm of the code's probability under a learned prior: a
    mixture of logistic distributions for each map of the code [1]_ [2]_.

    Parameters
    ----------
    rate_weight : float
        Weight of a bit in the loss.
    step_size : float
        What codes are multiples of.
    n_maps : int
        Number of priors. Each is for as many numbers of the code, one after the other.

    References
    ----------
    .. [1] J. Balle, V. Laparra and E. P. Simoncelli, "End-to-end optimized image compression",
       ICLR 2017. :arxiv:`1611.01704`
    .. [2] J. Balle, D. Minnen, S. Singh, S. J. Hwang and N. Johnston, "Variational image
       compression with a scale hyperprior", ICLR 2018. :arxiv:`1802.01436`
    """

    is_scale_free = is_linear = False
    step = Bottleneck.step  # by autograd

    def __init__(self, rate_weight, step_size, n_maps):
        super().__init__()
        self.rate_weight, self.step_size, self.n_maps = rate_weight, step_size, n_maps
        scales = torch.tensor(START_SCALES).log()[:, None].expand(-1, n_maps)
        zeros = torch.zeros_like(scales)
        start = torch.stack([zeros, zeros, scales]) / SPEED
        self.prior = nn.Parameter(start.flatten())  # flat, as it is no matrix of weights

    def stack_key(self):
        """Return None: the prior is trained along."""

    def forward(self, encoded):
        return (encoded / self.step_size).round() * self.step_size

    def draw(self, encoded, weight=None, state=TRAINED):
        levels = encoded.to(torch.promote_types(encoded.dtype, torch.float32)) / self.step_size
        if self.training:
            noise = torch.empty_like(levels, memory_format=torch.contiguous_format)
            levels = levels + noise.uniform_(-0.5, 0.5, generator=state.generator)
        else:
            levels = levels.round()
        bits = self.log_probabilities(levels).sum(1) / -log(2)
        return levels * self.step_size, self.rate_weight * weighted_mean(bits, weight)

    def log_probabilities(self, levels):
        """Return the logarithm of the probability of each number of codes, under the prior.

        Parameters
        ----------
        levels : tensor of shape (n_samples, n_components)
            Codes, in steps.

        Returns
        -------
        tensor of shape (n_samples, n_components)
        """
        prior = self.prior.to(levels) * SPEED
        weights, means, log_scales = prior.view(3, len(START_SCALES), 1, self.n_maps, 1)
        levels = levels.unflatten(1, (self.n_maps, -1))
        slopes, fractions = torch.exp(-log_scales.clamp(*LOG_SCALES)), weights.softmax(0)
        found = FLOOR / (1 + levels.square())  # far out, where the mixture is 0
        for slope, mean, fraction in zip(slopes, means, fractions, strict=True):
            # Both ends of a step are on the lower side, where differences are exact.
            x = (levels - mean).abs() * -slope
            part = torch.sigmoid(x + slope / 2) - torch.sigmoid(x - slope / 2)
            found = torch.addcmul(found, part, fraction)
        return found.log().flatten(1)

    @torch.no_grad()
    def log_prior(self, levels):
        """Return the logarithms of the probabilities of levels.

        Parameters
        ----------
        levels : ndarray of shape (n_levels,)

        Returns
        -------
        ndarray of shape (n_maps, n_levels), float64
        """
        levels = torch.from_numpy(levels).to(self.prior.device, torch.float32)
        each = self.log_probabilities(levels[:, None].expand(-1, self.n_maps))
        return each.t().double().cpu().numpy()
