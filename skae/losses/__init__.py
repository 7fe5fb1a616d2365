"""Reconstruction losses: how far a reconstruction is from its target.

A loss is a module that maps ``(prediction, target)`` to one value per element.
It names the output activation that suits it, and writes out its derivative, so
that the engine can train dense stacks without building a graph. The loss of a
sample is the mean over its elements, or their sum if ``reduction`` says so, as
it does where the values are logarithms of probabilities.
"""

from skae.losses._elementwise import AbsoluteError, BinaryCrossEntropy, HuberLoss, SquaredError
from skae.losses._likelihoods import BernoulliLikelihood, GaussianLikelihood
from skae.losses._mixed import CallableLoss, MixedLoss, make_loss
from skae.losses._ssim import StructuralDissimilarity

__all__ = [
    "AbsoluteError",
    "BernoulliLikelihood",
    "BinaryCrossEntropy",
    "CallableLoss",
    "GaussianLikelihood",
    "HuberLoss",
    "MixedLoss",
    "SquaredError",
    "StructuralDissimilarity",
    "make_loss",
]
