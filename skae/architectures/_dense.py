"""Fully connected layers, for rows of numbers."""

from itertools import pairwise
from math import prod
from numbers import Integral

from torch import nn
from torch.nn import functional as F

from skae._params import ParameterMixin, StrOptions, real

ACTIVATIONS = {
    "identity": nn.Identity,
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "silu": nn.SiLU,
    "gelu": nn.GELU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
}


class Dense(ParameterMixin):
    """Architecture of fully connected layers.

    The decoder mirrors the encoder: ``hidden_layer_sizes=(128, 64)`` over 30 columns
    with a code of 8 is 30-128-64-8-64-128-30. No hidden layer gives the three-layer
    autoencoder, input, code and output.

    Parameters
    ----------
    hidden_layer_sizes : tuple of int, default=(128, 64)
        Widths of the encoder's hidden layers, from the input to the code.
    activation : {"relu", "leaky_relu", "elu", "silu", "gelu", "tanh", "sigmoid", \
            "identity"}, default="relu"
        Activation after each hidden layer. The code itself is linear.
    dropout : float, default=0.0
        Share of hidden units set to zero in training, in [0, 1).
    normalization : {"batch", "layer"} or None, default=None
        Normalisation of each hidden layer before its activation.

    Examples
    --------
    >>> from skae.architectures import Dense
    >>> encoder, decoder = Dense(hidden_layer_sizes=(16,)).build((5,), 2, 2)
    >>> encoder
    Sequential(
      (0): Linear(in_features=5, out_features=16, bias=True)
      (1): ReLU()
      (2): Linear(in_features=16, out_features=2, bias=True)
    )
    """

    _parameter_constraints = {
        "hidden_layer_sizes": ["array-like"],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "dropout": [real(0, 1)],
        "normalization": [StrOptions({"batch", "layer"}), None],
    }

    def __init__(
        self, hidden_layer_sizes=(128, 64), activation="relu", dropout=0.0, normalization=None
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.dropout = dropout
        self.normalization = normalization

    def build(self, input_shape, encoder_width, code_width):
        """Build the encoder and the decoder.

        Parameters
        ----------
        input_shape : tuple of int
            Shape of one sample.
        encoder_width : int
            Number of outputs of the encoder.
        code_width : int
            Number of inputs of the decoder.

        Returns
        -------
        encoder : nn.Sequential
            Maps (n_samples, *input_shape) to (n_samples, encoder_width).
        decoder : nn.Sequential
            Maps (n_samples, code_width) to (n_samples, *input_shape).

        Raises
        ------
        ValueError
            If a parameter is out of its range.
        """
        self._validate_params()
        hidden = tuple(self.hidden_layer_sizes)
        if not all(isinstance(size, Integral) and size > 0 for size in hidden):
            raise ValueError(
                "The 'hidden_layer_sizes' parameter of Dense must hold positive integers. "
                f"Got {self.hidden_layer_sizes!r} instead."
            )
        n_features = prod(input_shape)
        encoder = self._layers((n_features, *hidden, encoder_width))
        decoder = self._layers((code_width, *reversed(hidden), n_features))
        if len(input_shape) > 1:
            encoder.insert(0, nn.Flatten())
            decoder.append(nn.Unflatten(1, input_shape))
        return encoder, decoder

    def _layers(self, sizes):
        *hidden, last = pairwise(sizes)
        layers = []
        for n_inputs, n_outputs in hidden:
            layers.append(nn.Linear(n_inputs, n_outputs))
            if self.normalization is not None:
                layers.append(NORMALIZATIONS[self.normalization](n_outputs))
            layers.append(ACTIVATIONS[self.activation]())
            if self.dropout:
                layers.append(nn.Dropout(self.dropout))
        return nn.Sequential(*layers, nn.Linear(*last))


class BatchNorm(nn.BatchNorm1d):
    """Batch normalisation that takes its running statistics for a batch of one.

    The variance of a single row is zero, and torch refuses to train on it, so that
    a last batch of one row would stop the fit.
    """

    def forward(self, x):
        if len(x) > 1 or not self.training:
            return super().forward(x)
        return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias)


NORMALIZATIONS = {"batch": BatchNorm, "layer": nn.LayerNorm}
