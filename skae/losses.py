"""Reconstruction losses: how far a reconstruction is from its target.

A loss is a module that maps ``(prediction, target)`` to one value per element.
It names the output activation that suits it, and writes out its derivative, so
that the engine can train dense stacks without building a graph.
"""

import copy

import torch
from torch import nn
from torch.nn import functional as F

from skae._params import callable_name

__all__ = [
    "AbsoluteError",
    "BinaryCrossEntropy",
    "CallableLoss",
    "HuberLoss",
    "SquaredError",
    "make_loss",
]


class SquaredError(nn.Module):
    """Squared difference, ``(prediction - target) ** 2``.

    Takes two tensors of one shape and returns a tensor of that shape.

    Examples
    --------
    >>> import torch
    >>> from skae.losses import SquaredError
    >>> SquaredError()(torch.tensor([[0.0, 3.0]]), torch.tensor([[0.0, 1.0]]))
    tensor([[0., 4.]])
    """

    output_activation = "identity"

    def forward(self, prediction, target):
        return F.mse_loss(prediction, target, reduction="none")

    def gradient(self, prediction, target, out):
        """Write the derivative by ``prediction``, element by element, to ``out``."""
        return out.copy_(prediction).sub_(target).mul_(2)


class AbsoluteError(nn.Module):
    """Absolute difference, ``|prediction - target|``.

    Takes two tensors of one shape and returns a tensor of that shape.

    Examples
    --------
    >>> import torch
    >>> from skae.losses import AbsoluteError
    >>> AbsoluteError()(torch.tensor([[0.0, 3.0]]), torch.tensor([[0.0, 1.0]]))
    tensor([[0., 2.]])
    """

    output_activation = "identity"

    def forward(self, prediction, target):
        return F.l1_loss(prediction, target, reduction="none")

    def gradient(self, prediction, target, out):
        return out.copy_(prediction).sub_(target).sign_()


class HuberLoss(nn.Module):
    """Half the square of small differences, linear beyond 1.

    Takes two tensors of one shape and returns a tensor of that shape.

    References
    ----------
    P. J. Huber, "Robust estimation of a location parameter", Annals of
    Mathematical Statistics 35(1), 1964.

    Examples
    --------
    >>> import torch
    >>> from skae.losses import HuberLoss
    >>> HuberLoss()(torch.tensor([[0.0, 3.0]]), torch.tensor([[0.0, 1.0]]))
    tensor([[0.0000, 1.5000]])
    """

    output_activation = "identity"

    def forward(self, prediction, target):
        return F.huber_loss(prediction, target, reduction="none")

    def gradient(self, prediction, target, out):
        return out.copy_(prediction).sub_(target).clamp_(-1, 1)


class BinaryCrossEntropy(nn.Module):
    """Cross-entropy of targets in [0, 1] given the logit of the prediction.

    Working on logits, with the sigmoid inside the loss, keeps it finite for
    confident predictions.

    Takes two tensors of one shape and returns a tensor of that shape.

    Examples
    --------
    >>> import torch
    >>> from skae.losses import BinaryCrossEntropy
    >>> BinaryCrossEntropy()(torch.tensor([[0.0, 3.0]]), torch.tensor([[0.0, 1.0]]))
    tensor([[0.6931, 0.0486]])
    """

    output_activation = "sigmoid"
    #: ``forward`` and ``gradient`` take the decoder's output before the sigmoid.
    from_logits = True
    #: Targets outside this range are refused.
    target_range = (0, 1)

    def forward(self, logit, target):
        return F.binary_cross_entropy_with_logits(logit, target, reduction="none")

    def gradient(self, logit, target, out):
        return out.copy_(logit).sigmoid_().sub_(target)


class CallableLoss(nn.Module):
    """A user's function ``loss(prediction, target)``.

    Parameters
    ----------
    function : callable
        Takes two tensors of shape (n_samples, n_features) and returns either one
        value per element or one value per sample, shape (n_samples,).
    """

    output_activation = "identity"

    def __init__(self, function):
        super().__init__()
        self.function = copy.deepcopy(function)  # a module of the user's stays as it is

    def forward(self, prediction, target):
        # Clones, so that a function that works in place changes neither data nor net.
        value = self.function(prediction.clone(), target.clone())
        shape = tuple(getattr(value, "shape", ()))
        is_float = isinstance(value, torch.Tensor) and value.is_floating_point()
        if not is_float or shape not in {tuple(target.shape), (len(target),)}:
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


LOSSES = {
    "squared_error": SquaredError,
    "absolute_error": AbsoluteError,
    "huber": HuberLoss,
    "binary_cross_entropy": BinaryCrossEntropy,
}


def make_loss(loss):
    """Return the loss module for a name of ``LOSSES`` or a callable."""
    if isinstance(loss, type):
        name = loss.__name__
        raise TypeError(f"loss={name} is a class: write {name}(), with its parameters")
    return LOSSES[loss]() if isinstance(loss, str) else CallableLoss(loss)


def per_sample(values):
    """Average the values of each sample.

    Parameters
    ----------
    values : tensor of shape (n_samples, ...)

    Returns
    -------
    tensor of shape (n_samples,)
    """
    return values.flatten(1).mean(1) if values.ndim > 1 else values
