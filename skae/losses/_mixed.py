"""Losses by name: one, a weighted sum of several, or a user's function. torch only."""

import copy
from math import inf
from numbers import Real

import torch
from torch import nn

from skae._names import did_you_mean
from skae._params import callable_name, refuse_class
from skae._runtime import Random
from skae.losses._base import Loss, per_sample
from skae.losses._color_distribution import ColorDistribution
from skae.losses._elementwise import AbsoluteError, BinaryCrossEntropy, HuberLoss, SquaredError
from skae.losses._ssim import StructuralDissimilarity


class CallableLoss(Random, Loss):
    """A user's function ``loss(prediction, target)``.

    Parameters
    ----------
    function : callable
        Takes two tensors of shape (n_samples, n_features) and returns either one
        value per element or one value per sample, shape (n_samples,).
    """

    def __init__(self, function):
        super().__init__()
        self.function = copy.deepcopy(function)  # a module of the user's stays as it is

    @property
    def draws_from_torch(self):
        """Whether random numbers may come from torch's own generator; a module says it itself."""
        return not isinstance(self.function, nn.Module)

    def forward(self, prediction, target):
        """Return the values of the function, after a check of their shape.

        Parameters
        ----------
        prediction, target : tensor of shape (n_samples, n_features)
            Reconstructions, and what they should be.

        Returns
        -------
        tensor of shape (n_samples, n_features) or (n_samples,)
            One value per element or per sample.
        """
        # Clones, so that a function that works in place changes neither data nor net.
        value = self.function(prediction.clone(), target.clone())
        shape = tuple(getattr(value, "shape", ()))
        is_float = isinstance(value, torch.Tensor) and value.is_floating_point()
        if not is_float or shape not in (tuple(target.shape), tuple(target.shape[:1])):
            raise ValueError(
                f"loss {callable_name(self.function)} must return one value per element or one per "
                f"sample, a float tensor of shape {tuple(target.shape)} or ({len(target)},); "
                f"got {type(value).__name__} of shape {shape}. Loss modules of torch "
                "need reduction='none'."
            )
        if prediction.requires_grad and not value.requires_grad:
            raise ValueError(
                f"loss {callable_name(self.function)} returns a tensor without a gradient: it must "
                "be computed from the reconstruction with functions of torch, undetached."
            )
        return value


class MixedLoss(Loss):
    """Weighted sum of losses, for each element or, with "ssim", each sample.

    Parameters
    ----------
    weights : dict
        By name of the loss, its weight.

    Raises
    ------
    ValueError
        If a name is unknown or that of a loss on logits, or a weight not positive.

    Examples
    --------
    >>> import torch
    >>> from skae.losses import MixedLoss
    >>> loss = MixedLoss({"squared_error": 1.0, "absolute_error": 0.5})
    >>> loss(torch.tensor([[0.0, 3.0]]), torch.tensor([[0.0, 1.0]]))
    tensor([[0., 5.]])
    """

    def __init__(self, weights):
        super().__init__()
        known = set(LOSSES) - {"binary_cross_entropy"}  # which takes logits
        unknown = [str(name) for name in weights if name not in known]
        if not weights or unknown:
            hint = did_you_mean(unknown[0], sorted(known)) if unknown else ""
            raise ValueError(
                f"a mixed loss needs names among {sorted(known)}, each with its weight, such as "
                f"{{'ssim': 0.8, 'absolute_error': 0.2}}; got {weights!r}.{hint}"
            )
        if not all(isinstance(w, Real) and 0 < w < inf for w in weights.values()):
            raise ValueError(f"the weights of a mixed loss must be positive; got {weights!r}")
        self.weights = [float(weight) for weight in weights.values()]
        self.losses = nn.ModuleList(LOSSES[name]() for name in weights)
        self.explains_variance = all(loss.explains_variance for loss in self.losses)

    def setup(self, dataset):
        """Let each loss read what it needs from the training data.

        Parameters
        ----------
        dataset : skae data set
            The training data.
        """
        for loss in self.losses:
            loss.setup(dataset)

    def forward(self, prediction, target):
        """Return the weighted sum of the losses.

        Parameters
        ----------
        prediction, target : tensor of shape (n_samples, ...)
            Reconstructions, and what they should be.

        Returns
        -------
        tensor of the shape of ``target``, or of shape (n_samples,)
            One value per element, or per sample with "ssim".
        """
        values = [loss(prediction, target) for loss in self.losses]
        if any(value.ndim == 1 for value in values):
            values = [per_sample(value) for value in values]
        return sum(weight * value for weight, value in zip(self.weights, values, strict=True))


LOSSES = {
    "squared_error": SquaredError,
    "absolute_error": AbsoluteError,
    "huber": HuberLoss,
    "binary_cross_entropy": BinaryCrossEntropy,
    "ssim": StructuralDissimilarity,
}

#: Those of images that are predicted from others.
IMAGE_LOSSES = LOSSES | {"color_distribution": ColorDistribution}


def make_loss(loss, losses=LOSSES):
    """Return the loss module for a name, a mix of names, or a callable.

    Parameters
    ----------
    loss : str, dict or callable
        A name of ``losses``, the weights of several names, or a user's function.
    losses : dict, default=LOSSES
        By name, the class.

    Returns
    -------
    Loss
        The loss.

    Raises
    ------
    TypeError
        If ``loss`` is a class.
    """
    if isinstance(loss, dict):
        return MixedLoss(loss)
    refuse_class("loss", loss)
    return losses[loss]() if isinstance(loss, str) else CallableLoss(loss)
