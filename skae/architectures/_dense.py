"""Fully connected layers, for tables of numbers."""

from itertools import pairwise
from math import prod
from numbers import Integral

import torch
from torch import nn
from torch.nn import functional as F

from skae._params import ParameterMixin, StrOptions, real, with_hints
from skae._runtime import TRAINED
from skae.architectures._base import (
    Architecture,
    Dropout,
    Layer,
    LinearShortcut,
    SampleDropout,
    Sequential,
    run,
)

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

#: Most weights that an "auto" shortcut of images or sequences may have.
AUTO_SHORTCUT = 2**23


@with_hints
class Dense(Architecture, ParameterMixin):
    """Architecture of fully connected layers.

    The decoder mirrors the encoder: ``hidden_layer_sizes=(128, 64)`` over 30 columns
    with a code of 8 is 30-128-64-8-64-128-30. No hidden layer gives the three-layer
    autoencoder, input, code and output.

    Parameters
    ----------
    hidden_layer_sizes : tuple of int or int, default=(128, 64)
        Widths of the encoder's hidden layers, from the input to the code; an int stands
        for one layer.
    activation : {"relu", "leaky_relu", "elu", "silu", "gelu", "tanh", "sigmoid", \
            "identity"}, default="relu"
        Activation after each hidden layer. The code itself is linear.
    dropout : float, default=0.0
        Fraction of hidden units set to zero in training, in [0, 1).
    normalization : {"batch", "layer"} or None, default=None
        Normalization of each hidden layer before its activation.
    shortcut : bool, default=True
        Add to the output of encoder and decoder a linear map of their input, where they
        have hidden layers. Where the loss allows, training then starts at the principal
        components of the data, and the hidden layers learn what is not linear. False
        gives the classic multilayer perceptron, which starts at random.
    tied_weights : bool, default=False
        Let the decoder's layers use the encoder's weights, transposed, with biases of
        their own. This halves the number of weights. Hidden layers then have no
        shortcut.

    Examples
    --------
    >>> from skae.architectures import Dense
    >>> encoder, decoder = Dense(hidden_layer_sizes=(16,), shortcut=False).build((5,), 2, 2)
    >>> encoder
    Sequential(
      (0): Linear(in_features=5, out_features=16, bias=True)
      (1): ReLU()
      (2): Linear(in_features=16, out_features=2, bias=True)
    )
    """

    _parameter_constraints = {
        "hidden_layer_sizes": ["array-like", Integral],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "dropout": [real(0, 1)],
        "normalization": [StrOptions({"batch", "layer"}), None],
        "shortcut": ["boolean"],
        "tied_weights": ["boolean"],
    }

    def __init__(
        self,
        hidden_layer_sizes=(128, 64),
        activation="relu",
        dropout=0.0,
        normalization=None,
        shortcut=True,
        tied_weights=False,
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.dropout = dropout
        self.normalization = normalization
        self.shortcut = shortcut
        self.tied_weights = tied_weights

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
        encoder : nn.Module
            Maps ``(n_samples, *input_shape)`` to ``(n_samples, encoder_width)``.
        decoder : nn.Module
            Maps ``(n_samples, code_width)`` to ``(n_samples, *input_shape)``.

        Raises
        ------
        ValueError
            If a parameter is out of its range.
        """
        self._validate_params()
        hidden = self.hidden_layer_sizes
        hidden = (hidden,) if isinstance(hidden, Integral) else tuple(hidden)
        if not all(isinstance(size, Integral) and size > 0 for size in hidden):
            raise ValueError(
                "The 'hidden_layer_sizes' parameter of Dense must hold positive integers, such as "
                f"(64,). Got {self.hidden_layer_sizes!r} instead."
            )
        hidden = [int(size) for size in hidden]
        n_features = prod(input_shape)
        encoder = self._layers((n_features, *hidden, encoder_width))
        tied = [m for m in encoder.modules() if isinstance(m, nn.Linear)]
        decoder = self._layers((code_width, *reversed(hidden), n_features), tied)
        if len(input_shape) > 1:
            encoder = Sequential(nn.Flatten(), encoder)
            decoder = Sequential(decoder, nn.Unflatten(1, input_shape))
        return encoder, decoder

    def _layers(self, sizes, mirrored=()):
        """Return layers of these widths, the mirror of others if their weights are tied."""

        def linear(n_inputs, n_outputs):
            if self.tied_weights and mirrored:
                return TransposedLinear(mirrored.pop(), n_inputs)
            return nn.Linear(n_inputs, n_outputs)

        *hidden, last = pairwise(sizes)
        layers = []
        for n_inputs, n_outputs in hidden:
            layers.append(linear(n_inputs, n_outputs))
            if self.normalization is not None:
                layers.append(NORMALIZATIONS[self.normalization](n_outputs))
            layers.append(ACTIVATIONS[self.activation]())
            if self.dropout:
                layers.append(Dropout(self.dropout))
        if not layers and self.shortcut and not (self.tied_weights and mirrored):
            return Sequential(Linear(*last))
        stack = Sequential(*layers, linear(*last))
        if not layers or self.tied_weights or not self.shortcut:
            return stack
        return Shortcut(stack, sizes[0], sizes[-1])


class Shortcut(LinearShortcut):
    """Layers with a linear map of their input added to their output.

    If an encoder and its decoder are shortcuts, training starts at the principal
    components of the data.

    Parameters
    ----------
    stack : nn.Sequential
        The layers; the last one is linear.
    n_inputs, n_outputs : int
        Widths of the input and the output.

    Raises
    ------
    TypeError
        If the last layer is not linear with a bias.

    Examples
    --------
    >>> import torch
    >>> from skae.architectures import Shortcut
    >>> layers = torch.nn.Sequential(torch.nn.GELU(), torch.nn.Linear(4, 2))
    >>> Shortcut(layers, n_inputs=4, n_outputs=2)(torch.zeros(3, 4)).shape
    torch.Size([3, 2])
    """

    takes_state = True

    def __init__(self, stack, n_inputs, n_outputs):
        super().__init__()
        if not isinstance(stack[-1], nn.Linear) or stack[-1].bias is None:
            raise TypeError(
                f"the last layer of a Shortcut must be Linear with bias, got {stack[-1]}"
            )
        self.stack = stack
        self.linear = nn.Linear(n_inputs, n_outputs, bias=False)

    @property
    def last(self):
        """The last of the layers."""
        return self.stack[-1]

    def _silence(self, n):
        del n
        self.last.weight.zero_()  # its bias is that of the linear map

    def use_linear_alone(self, fraction):
        """Leave the layers out for some of the samples in training [1]_.

        Parameters
        ----------
        fraction : float
            Of the samples of a batch.

        Returns
        -------
        bool
            True, as the linear map is there.

        References
        ----------
        .. [1] G. Huang, Y. Sun, Z. Liu, D. Sedra and K. Weinberger, "Deep networks with stochastic
           depth", ECCV 2016. :arxiv:`1603.09382`
        """
        *hidden, last = self.stack
        p = 0.0
        if hidden and type(hidden[-1]) is Dropout and not hidden[-1].has_pool:
            p = hidden.pop().p
        layers = *hidden, SampleDropout(p, fraction), last
        self.stack = Sequential(*layers).train(self.training)
        return True

    def forward(self, x, state=TRAINED):
        """Return the output of the layers plus the linear map.

        Parameters
        ----------
        x : tensor of shape (..., n_inputs)
            Input of the layers.
        state : TrainState, default=TrainState()
            For layers that take it.

        Returns
        -------
        tensor of shape (..., n_outputs)
            The sum.
        """
        return run(self.stack, x, state=state) + self.linear(x)


class Linear(Layer, nn.Linear):
    """Linear layer that can start at a given map, as `Shortcut` does."""

    starts_linear = True

    @torch.no_grad()
    def start_at(self, weight, bias):
        """Become the linear map ``x @ weight.T + bias``."""
        n = len(weight)
        self.weight[:n] = weight
        self.bias[:n] = bias


class TransposedLinear(Layer):
    """Linear layer that uses the weights of another one, transposed.

    Parameters
    ----------
    linear : nn.Linear
        Shares its weights with this layer.
    n_inputs : int
        How many outputs of that layer are inputs of this one, from the first on.
    """

    starts_linear = True

    def __init__(self, linear, n_inputs):
        super().__init__()
        self.weight = linear.weight
        self.bias = nn.Parameter(torch.zeros(linear.in_features))
        self.n_inputs = n_inputs

    def forward(self, x):
        return F.linear(x, self.transpose(self.weight), self.bias)

    @torch.no_grad()
    def start_at(self, weight, bias):
        """Take the bias; the weights start where the other layer starts."""
        del weight
        self.bias[:] = bias

    def transpose(self, weight):
        """Return the part of a tensor like the shared weights that this layer uses."""
        return weight[: self.n_inputs].t()


class BatchNorm(nn.BatchNorm1d):
    """Batch normalization that takes its running statistics for a batch of one.

    The variance of a single sample is zero, and torch refuses to train on it: a last
    batch of one sample would stop the fit. Maps of any size are normalized as well.
    """

    def _check_input_dim(self, input):
        """Accept any number of axes: the computation is the same."""

    def forward(self, x):
        if not self.training or len(x) > 1:  # exports must not ask for the length
            return super().forward(x)
        return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias)


NORMALIZATIONS = {"batch": BatchNorm, "layer": nn.LayerNorm}
