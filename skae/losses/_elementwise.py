"""Losses of each element: squared, absolute and Huber errors, cross-entropy. torch only."""

import torch
from torch.nn import functional as F

from skae.losses._base import ElementwiseLoss

#: Probabilities are at least as far from 0 and 1, so that their logits are finite.
LEAST_PROBABILITY = 1e-4


class SquaredError(ElementwiseLoss):
    """Squared difference, ``(prediction - target) ** 2``.

    Takes two tensors of one shape and returns a tensor of that shape.

    Examples
    --------
    >>> import torch
    >>> from skae.losses import SquaredError
    >>> SquaredError()(torch.tensor([[0.0, 3.0]]), torch.tensor([[0.0, 1.0]]))
    tensor([[0., 4.]])
    """

    explains_variance = True

    def forward(self, prediction, target):
        return F.mse_loss(prediction, target, reduction="none")

    def gradient(self, prediction, target, out):
        return out.copy_(prediction).sub_(target).mul_(2)

    def mean_and_gradient(self, prediction, target, weight, out):
        if weight is not None:
            return super().mean_and_gradient(prediction, target, weight, out)
        scale = 1 / (out.shape[-2] * out.shape[-1])
        differences = torch.sub(prediction, target, out=out).flatten(-2)
        loss = torch.linalg.vecdot(differences, differences) * scale
        out.mul_(2 * scale)
        return loss


class AbsoluteError(ElementwiseLoss):
    """Absolute difference, ``|prediction - target|``.

    Takes two tensors of one shape and returns a tensor of that shape.

    Examples
    --------
    >>> import torch
    >>> from skae.losses import AbsoluteError
    >>> AbsoluteError()(torch.tensor([[0.0, 3.0]]), torch.tensor([[0.0, 1.0]]))
    tensor([[0., 2.]])
    """

    explains_variance = True

    def forward(self, prediction, target):
        return F.l1_loss(prediction, target, reduction="none")

    def gradient(self, prediction, target, out):
        return out.copy_(prediction).sub_(target).sign_()


class HuberLoss(ElementwiseLoss):
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

    explains_variance = True

    def forward(self, prediction, target):
        return F.huber_loss(prediction, target, reduction="none")

    def gradient(self, prediction, target, out):
        return out.copy_(prediction).sub_(target).clamp_(-1, 1)


class BinaryCrossEntropy(ElementwiseLoss):
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
        """Return the cross-entropy of each element.

        Parameters
        ----------
        logit, target : tensor of shape (..., n_samples, n_features)
            Outputs of the decoder, and what they should be.

        Returns
        -------
        tensor of shape (..., n_samples, n_features)
            One value per element.
        """
        if torch.compiler.is_exporting():  # the other one takes the logarithm of a sigmoid there
            return F.softplus(logit) - logit * target
        return F.binary_cross_entropy_with_logits(logit, target, reduction="none")

    def to_output(self, values):
        """Return the logits of values in [0, 1].

        Parameters
        ----------
        values : tensor of shape (n_samples, ...)
            Predictions.

        Returns
        -------
        tensor of the same shape
            Logits.
        """
        return values.logit(eps=LEAST_PROBABILITY)

    def gradient(self, logit, target, out):
        """Write the derivative of each element by the logit.

        Parameters
        ----------
        logit, target : tensor of shape (..., n_samples, n_features)
            Outputs of the decoder, and what they should be.
        out : tensor of shape (..., n_samples, n_features)
            Gets the derivative.

        Returns
        -------
        tensor of shape (..., n_samples, n_features)
            The same as ``out``.
        """
        return out.copy_(logit).sigmoid_().sub_(target)
