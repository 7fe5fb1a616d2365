"""The base of the losses, and the loss of a sample. torch only."""

import torch
from torch import nn

#: Least count to divide by: the loss of a sample without known values is 0.
MIN_COUNT = 1e-6


class Loss(nn.Module):
    """Base of all losses.

    A subclass defines ``forward``. All else has a default.

    Attributes
    ----------
    output_activation : str
        Activation of the decoder's output that suits the loss.
    reduction : {"mean", "sum"}
        What makes the loss of a sample of those of its elements.
    from_logits : bool
        Whether the loss takes the output before its activation.
    target_range : tuple (low, high) or None
        What targets have to be within.
    input_range : tuple (low, high) or None
        What inputs have to be within, if these are other samples than the targets.
    takes_input : bool
        Whether it takes the channels of the input behind those of the output.
    fraction : tensor of the shape of a sample or float
        How much each element counts as.
    writes_gradient : bool
        Whether there is a ``mean_and_gradient``.
    skips_unknown : bool
        Whether targets may be NaN in ``mean_and_gradient``; they do not count.
    learns_variance : bool
        Whether the variance of the noise is learned, from one that ``start_at`` sets.
    explains_variance : bool
        Whether a lower loss means that more of the variance of the targets is explained.
    """

    output_activation = "identity"
    reduction = "mean"
    from_logits = False
    target_range = None
    input_range = None
    takes_input = False
    writes_gradient = False
    skips_unknown = False
    learns_variance = False
    explains_variance = False

    def __init__(self):
        super().__init__()

    @property
    def fraction(self):
        """How much each element counts as."""
        return 1.0

    def check_shapes(self, input_shape, target_shape):
        """Raise a ValueError if inputs and targets of these shapes do not suit the loss.

        Parameters
        ----------
        input_shape, target_shape : tuple of int
            Of a sample, where these differ.
        """

    def setup(self, dataset):
        """Learn what is needed from the training data.

        Parameters
        ----------
        dataset : skae data set
            The training data.
        """

    def start_at(self, noise_variance):
        """Start to learn the variance of the noise.

        Parameters
        ----------
        noise_variance : tensor of shape ()
            The variance to start from.
        """

    def to_logits(self, weight, bias):
        """Return a linear map to what ``forward`` takes, for one to what targets are.

        Parameters
        ----------
        weight : tensor of shape (n_features, n_components)
            Weight of the linear map.
        bias : tensor of shape (n_features,)
            Bias of the linear map.

        Returns
        -------
        weight, bias : tensor of the same shapes
            The map to logits.
        """
        return weight, bias

    def to_output(self, values):
        """Return what ``forward`` takes for predictions that are some values.

        Parameters
        ----------
        values : tensor of shape (n_samples, ...)
            Predictions, such as the targets themselves.

        Returns
        -------
        tensor of the same shape
            Values or logits.
        """
        return values

    def output_shape(self, target_shape):
        """Return the shape of what the decoder gives for a sample, after ``setup``.

        Parameters
        ----------
        target_shape : tuple of int
            Of a target.

        Returns
        -------
        tuple of int
            The shape.
        """
        return target_shape

    def suitable_decoder(self, decoder, architecture, code_width):
        """Return a decoder whose outputs the loss takes, after ``setup``.

        Parameters
        ----------
        decoder : nn.Module
            The one that the architecture has built.
        architecture : Architecture
            It can build others.
        code_width : int
            Number of inputs of the decoder.

        Returns
        -------
        nn.Module
            The decoder, or another.
        """
        del architecture, code_width
        return decoder

    def make_activation(self):
        """Return the module that turns outputs into predictions, None for a plain activation.

        Returns
        -------
        nn.Module or None
            The module.
        """

    def choose(self, activation, temperature, rng=None):
        """Return the module that turns outputs into others of several possible predictions.

        Parameters
        ----------
        activation : nn.Module
            The one that does so by default.
        temperature : float
            Less makes the predictions more alike to the most probable one.
        rng : RandomState or None, default=None
            Source of random predictions, None for none.

        Returns
        -------
        nn.Module
            The module.
        """
        del temperature, rng
        return activation

    def hint_values(self, hints):
        """Return what a net gets of given pixels of the targets.

        Parameters
        ----------
        hints : tensor of shape (n_samples, channels, *size)
            NaN where nothing is given.

        Returns
        -------
        tensor of shape (n_samples, n_values, *size)
            NaN at the same places.
        """
        return hints

    def with_hints(self, prediction, hints):
        """Return predictions that have the given pixels.

        Parameters
        ----------
        prediction : tensor of shape (n_samples, channels, *size)
            Predicted images.
        hints : tensor of the same shape
            NaN where nothing is given.

        Returns
        -------
        tensor of the same shape
            The predictions elsewhere.
        """
        return torch.where(hints.isnan(), prediction, hints)

    def stack_key(self):
        """Return what must be equal for models to train as one.

        Returns
        -------
        tuple
            The key.
        """
        return ()

    def forward(self, prediction, target):
        """Return the loss of each element.

        Parameters
        ----------
        prediction, target : tensor of shape (..., n_samples, n_features)
            Reconstructions, and what they should be.

        Returns
        -------
        tensor of shape (..., n_samples, n_features)
            One value per element.
        """
        raise NotImplementedError


class ElementwiseLoss(Loss):
    """Base of losses that have their derivative written out, as ``gradient``.

    Tensors may have further axes before that of the samples, for several models that train
    at once.
    """

    writes_gradient = True

    def gradient(self, prediction, target, out):
        """Write the derivative of each element by the prediction.

        Parameters
        ----------
        prediction, target : tensor of shape (..., n_samples, n_features)
            Outputs of the decoder, and what they should be.
        out : tensor of shape (..., n_samples, n_features)
            Gets the derivative.

        Returns
        -------
        tensor of shape (..., n_samples, n_features)
            The same as ``out``.
        """
        raise NotImplementedError

    def mean_and_gradient(self, prediction, target, weight, out):
        """Return the mean loss of the samples, and write its derivative.

        Parameters
        ----------
        prediction, target : tensor of shape (..., n_samples, n_features)
            Reconstructions, and what they should be.
        weight : tensor that broadcasts to (..., n_samples, n_features), or None
            Weights of the elements.
        out : tensor of shape (..., n_samples, n_features)
            Gets the derivative by the prediction.

        Returns
        -------
        tensor of shape (...)
            Mean loss of each model.
        """
        n_samples, n_features = out.shape[-2:]
        scale = 1 / (n_samples if self.reduction == "sum" else n_samples * n_features)
        values = self(prediction, target)
        self.gradient(prediction, target, out).mul_(scale)
        if weight is not None:
            values.mul_(weight)
            out.mul_(weight)
        return values.sum((-2, -1)) * scale


def per_sample(values, reduction="mean", counts=None, fraction=1.0):
    """Average or add up the values of each sample.

    Parameters
    ----------
    values : tensor of shape (n_samples, ...)
    reduction : {"mean", "sum"}, default="mean"
    counts : boolean tensor of the shape of ``values`` or None, default=None
        Which of them count.
    fraction : tensor of the shape of a sample or float, default=1.0
        How much each element counts.

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
    return values.sum(1) / (counts * fraction).flatten(1).sum(1).clamp_min(MIN_COUNT)
