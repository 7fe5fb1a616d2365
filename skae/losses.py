"""Reconstruction losses: how far a reconstruction is from its target.

A loss is a module that maps ``(prediction, target)`` to one value per element.
It names the output activation that suits it, and writes out its derivative, so
that the engine can train dense stacks without building a graph. The loss of a
sample is the mean over its elements, or their sum if ``reduction`` says so, as
it does where the values are logarithms of probabilities.
"""

import copy
from math import inf, log, pi
from numbers import Real

import torch
from torch import nn
from torch.nn import functional as F

from skae._params import callable_name
from skae._structural import structural_similarity

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


#: What is known of a sample at least, where it is divided by; the loss of nothing is 0.
MIN_COUNT = 1e-6


class ElementwiseLoss(nn.Module):
    """Base of losses that have their derivative written out, as ``gradient``.

    It takes tensors with axes before that of the samples as well, one for each of several
    models that train at once.
    """

    output_activation = "identity"
    reduction = "mean"

    def mean_and_gradient(self, prediction, target, weight, out):
        """Return the mean loss of the samples, and write its derivative.

        Parameters
        ----------
        prediction, target : tensor of shape (..., n_samples, n_features)
        weight : tensor that broadcasts to (..., n_samples, n_features), or None
        out : tensor of shape (..., n_samples, n_features)
            Gets the derivative by the prediction.

        Returns
        -------
        tensor of shape (...)
        """
        n_samples, n_features = out.shape[-2:]
        scale = 1 / (n_samples if self.reduction == "sum" else n_samples * n_features)
        values = self(prediction, target)
        self.gradient(prediction, target, out).mul_(scale)
        if weight is not None:
            values.mul_(weight)
            out.mul_(weight)
        return values.sum((-2, -1)) * scale


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

    def forward(self, prediction, target):
        return F.mse_loss(prediction, target, reduction="none")

    def gradient(self, prediction, target, out):
        """Write the derivative by ``prediction``, element by element, to ``out``."""
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
    reduction = "mean"

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


class StructuralDissimilarity(nn.Module):
    """Half of what the structural similarity (SSIM) of two images lacks of 1.

    Takes two tensors of shape (n_samples, channels, height, width), or of signals, and
    returns one value for each sample, from 0 for equal images to 1.

    Parameters
    ----------
    data_range : float, default=1.0
        Difference of the largest and the smallest value that images can have.

    References
    ----------
    H. Zhao, O. Gallo, I. Frosio and J. Kautz, "Loss functions for image restoration with
    neural networks", IEEE Transactions on Computational Imaging 3(1), 2017.
    :arxiv:`1511.08861`

    Examples
    --------
    >>> import torch
    >>> from skae.losses import StructuralDissimilarity
    >>> images = torch.eye(12).expand(2, 1, 12, 12)
    >>> StructuralDissimilarity()(images, images)
    tensor([0., 0.])
    """

    output_activation = "identity"
    reduction = "mean"

    def __init__(self, data_range=1.0):
        super().__init__()
        self.data_range = data_range

    def adapt(self, rows):
        """Take the range of the values from the data, 1 for intensities from 0 to 1."""
        if rows.kind != "images":
            raise ValueError(
                "the structural loss 'ssim' compares images: it needs an architecture for these, "
                "such as Conv"
            )
        low, high = rows.range()
        is_intensity = (low >= 0 and high <= 1) or low == high
        self.data_range = 1.0 if is_intensity else float(high - low)

    def forward(self, prediction, target):
        return (1 - structural_similarity(prediction, target, self.data_range)) / 2


class MixedLoss(nn.Module):
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

    output_activation = "identity"
    reduction = "mean"

    def __init__(self, weights):
        super().__init__()
        known = set(LOSSES) - {"binary_cross_entropy"}  # which takes logits
        if not weights or not set(weights) <= known:
            raise ValueError(
                f"a mixed loss needs names among {sorted(known)}, each with its weight, such as "
                f"{{'ssim': 0.8, 'absolute_error': 0.2}}; got {weights!r}"
            )
        if not all(isinstance(w, Real) and 0 < w < inf for w in weights.values()):
            raise ValueError(f"the weights of a mixed loss must be positive; got {weights!r}")
        self.weights = [float(weight) for weight in weights.values()]
        self.losses = nn.ModuleList(LOSSES[name]() for name in weights)

    def adapt(self, rows):
        """Take from the data what the losses need of them."""
        for loss in self.losses:
            if hasattr(loss, "adapt"):
                loss.adapt(rows)

    def forward(self, prediction, target):
        values = [loss(prediction, target) for loss in self.losses]
        if any(value.ndim == 1 for value in values):
            values = [per_sample(value) for value in values]
        return sum(weight * value for weight, value in zip(self.weights, values, strict=True))


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

    def sample(self, logit):
        """Draw ones and zeros, given their logit."""
        return torch.bernoulli(torch.sigmoid(logit))


class GaussianLikelihood(ElementwiseLoss):
    """Minus the logarithm of a normal density around the prediction, in nats.

    Takes two tensors of one shape and returns a tensor of that shape.

    Parameters
    ----------
    noise_variance : float or None, default=None
        Variance of the density, the same for all elements. None learns it, which sets the
        balance of reconstruction and prior by the data [1]_.

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
    #: Steps of the logarithm of the variance, beside those of a weight of the net: it has
    #: a long way to go, and a single number is in no danger of taking it too fast.
    PACE = 10.0
    #: Least variance that can be learnt, as a share of the one at the start.
    MIN_SHARE = 1e-6

    def __init__(self, noise_variance=None):
        super().__init__()
        start = 0.0 if noise_variance is None else log(noise_variance)
        self.register_buffer("log_start", torch.tensor(start))
        self.log_share = None
        if noise_variance is None:
            self.log_share = nn.Parameter(torch.zeros(()))

    @torch.no_grad()
    def start_at(self, noise_variance):
        """Start to learn from a variance, a tensor of shape ()."""
        if self.log_share is not None:
            self.log_start.copy_(noise_variance.log())

    @property
    def log_noise_variance(self):
        """Logarithm of the variance, a tensor of shape ()."""
        if self.log_share is None:
            return self.log_start
        return self.log_start + (self.PACE * self.log_share).clamp_min(log(self.MIN_SHARE))

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
        # One for each model, as the squares are.
        log_variance, precision = (x.view(squares.shape) for x in (log_variance, precision))
        half_error, half_terms = squares * precision / 2, n_terms / (2 * n_samples)
        if self.log_share is not None:
            is_free = self.PACE * self.log_share.view(squares.shape) >= log(self.MIN_SHARE)
            slope = self.PACE * (half_terms - half_error) * is_free
            self.log_share.grad.copy_(slope.view(self.log_share.shape))
        return half_error + half_terms * (log_variance + log(2 * pi))

    def sample(self, prediction):
        """Draw values, given the prediction."""
        return prediction + torch.exp(self.log_noise_variance / 2) * torch.randn_like(prediction)


#: By name, the likelihoods of a variational autoencoder.
LIKELIHOODS = {"gaussian": GaussianLikelihood, "bernoulli": BernoulliLikelihood}

LOSSES = {
    "squared_error": SquaredError,
    "absolute_error": AbsoluteError,
    "huber": HuberLoss,
    "binary_cross_entropy": BinaryCrossEntropy,
    "ssim": StructuralDissimilarity,
}


def make_loss(loss):
    """Return the loss module for a name of ``LOSSES``, a mix of these, or a callable."""
    if isinstance(loss, dict):
        return MixedLoss(loss)
    if isinstance(loss, type):
        name = loss.__name__
        raise TypeError(f"loss={name} is a class: write {name}(), with its parameters")
    return LOSSES[loss]() if isinstance(loss, str) else CallableLoss(loss)


def per_sample(values, reduction="mean", counts=None, share=1.0):
    """Average or add up the values of each sample.

    Parameters
    ----------
    values : tensor of shape (n_samples, ...)
    reduction : {"mean", "sum"}, default="mean"
    counts : boolean tensor of the shape of ``values`` or None, default=None
        Which of them count.
    share : tensor of the shape of a sample or float, default=1.0
        Of those that count, as how much each does.

    Returns
    -------
    tensor of shape (n_samples,)
    """
    if values.ndim == 1:
        return values
    if counts is not None:  # not a product: a value that does not count may be infinite
        values = torch.where(counts, values, 0.0)
    values = values.flatten(1)
    if reduction == "sum":
        return values.sum(1)
    if counts is None:
        return values.mean(1)
    return values.sum(1) / (counts * share).flatten(1).sum(1).clamp_min(MIN_COUNT)
