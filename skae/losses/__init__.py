"""Reconstruction losses: how far a reconstruction is from its target.

A loss is a module that maps ``(prediction, target)`` to one value per element.
It names the output activation that suits it, and has its derivative written out, so
that dense stacks can be trained without autograd. The loss of a sample is the mean over
its elements, or their sum where ``reduction`` is "sum", as for likelihoods.
"""

from skae.losses._color_distribution import ColorDistribution
from skae.losses._elementwise import AbsoluteError, BinaryCrossEntropy, HuberLoss, SquaredError
from skae.losses._likelihoods import BernoulliLikelihood, GaussianLikelihood
from skae.losses._mixed import CallableLoss, MixedLoss, make_loss
from skae.losses._ssim import StructuralDissimilarity

__all__ = [
    "AbsoluteError",
    "BernoulliLikelihood",
    "BinaryCrossEntropy",
    "CallableLoss",
    "ColorDistribution",
    "GaussianLikelihood",
    "HuberLoss",
    "MixedLoss",
    "SquaredError",
    "StructuralDissimilarity",
    "make_loss",
]
