"""Fully connected layers for tables with categories and missing values."""

from dataclasses import field
from functools import partial
from numbers import Integral
from typing import Any

import torch
from torch import nn

from skae._params import ParameterMixin, StrOptions, integer, parameter_class, real
from skae._runtime import TRAINED
from skae.architectures._base import Architecture, Layer, Sequential, run, start_hooks
from skae.architectures._dense import ACTIVATIONS, Dense, Shortcut

TABLE = """\
hidden_layer_sizes : tuple of int or int, default=(128, 64)
        Widths of the encoder's hidden layers, from the input to the code, mirrored by the
        decoder; an int stands for one layer.
    categorical_features : "from_dtype", None or array-like of bool, int or str, \
            default="from_dtype"
        Columns with categories, as a mask, positions or names. Columns of text and
        booleans always count. "from_dtype" adds the columns of dtype "category".
    max_categories : int, default=100
        Most categories that a column can have. If it has more, the rarest are merged into one.
        It is restored as the most frequent of them.
    clip_to_range : bool, default=True
        Whether the numbers and dates that are made, such as those of ``reconstruct``, stay
        between the smallest and the largest of the training rows. Scores and errors do not
        depend on it. Numbers of decimals, whole days and the like are always those of the
        training rows, see :ref:`column_values`.
    activation : str, default="relu"
        Activation after each hidden layer, one of those of `skae.architectures.Dense`.
    dropout : float, default=0.0
        Fraction of hidden units set to zero in training, in [0, 1).
    normalization : {"batch", "layer"} or None, default=None
        Normalization of each hidden layer before its activation.
    shortcut : bool, default=True
        Add to the output of encoder and decoder a linear map of their input, as
        `skae.architectures.Dense` does."""


@parameter_class
class TabularParameters(ParameterMixin):
    """What can be set of the layers for a table."""

    hidden_layer_sizes: tuple | int = field(default=(128, 64), kw_only=False)
    categorical_features: Any = "from_dtype"
    max_categories: int = 100
    clip_to_range: bool = True
    activation: str = "relu"
    dropout: float = 0.0
    normalization: str | None = None
    shortcut: bool = True

    _parameter_constraints = {
        "hidden_layer_sizes": ["array-like", Integral],
        "categorical_features": ["array-like", StrOptions({"from_dtype"}), None],
        "max_categories": [integer(2)],
        "clip_to_range": ["boolean"],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "dropout": [real(0, 1)],
        "normalization": [StrOptions({"batch", "layer"}), None],
        "shortcut": ["boolean"],
    }


@partial(parameter_class, docs={"<table>": TABLE})
class Tabular(Architecture, TabularParameters):
    """Architecture of fully connected layers, for tables with categories and missing values.

    Numbers are scaled by median and interquartile range, categories are one-hot, and dates are
    the time since 1970, scaled like numbers. The encoder gets 0 for a missing value, and
    an indicator for each column that says whether its value is missing. A category that does
    not occur in training is encoded as none of the known ones.

    Parameters
    ----------
    <table>

    Examples
    --------
    >>> import pandas as pd
    >>> from skae import VariationalAutoencoder
    >>> from skae.architectures import Tabular
    >>> X = pd.DataFrame({"age": [31, 45, None, 22], "job": ["cook", "nurse", "cook", None]})
    >>> vae = VariationalAutoencoder(1, architecture=Tabular((8,)), max_epochs=2, random_state=0)
    >>> vae.set_params(check_baseline=False).fit(X).sample(2).columns.tolist()
    ['age', 'job']
    """

    #: What the data is read as.
    input_kind = "tables"

    def build(self, input_shape, encoder_width, code_width, column_layout):
        """Build the encoder and the decoder.

        Parameters
        ----------
        input_shape : tuple of int
            ``(n_elements,)``, the shape of one sample.
        encoder_width : int
            Number of outputs of the encoder.
        code_width : int
            Number of inputs of the decoder.
        column_layout : object
            How the elements form columns. The first ``n_numbers`` elements are numbers,
            ``widths`` has the number of elements of each categorical column, and ``starts``
            the first element of each column.

        Returns
        -------
        encoder : nn.Module
            Maps ``(n_samples, *input_shape)``, NaN where a value is missing, to
            ``(n_samples, encoder_width)``.
        decoder : nn.Module
            Maps ``(n_samples, code_width)`` to ``(n_samples, *input_shape)``, logits for
            categories.

        Raises
        ------
        ValueError
            If a parameter is out of its range.
        """
        self._validate_params()
        indicators = Indicators(column_layout.starts)
        n_inputs = input_shape[0] + len(indicators.starts)
        encoder, _ = self._dense.build((n_inputs,), encoder_width, code_width)
        _, decoder = self._dense.build(input_shape, encoder_width, code_width)
        return TableEncoder(indicators, encoder), decoder

    def build_cell_decoder(self, code_width, column_layout, n_outputs):
        """Build a decoder that also takes the cells of a row that are known.

        Parameters
        ----------
        code_width : int
            Length of the code.
        column_layout : object
            As for ``build``.
        n_outputs : int
            Number of outputs.

        Returns
        -------
        CellDecoder
            The decoder.
        """
        n_columns = len(column_layout.sizes)
        n_features = 1 + int(column_layout.sizes.sum()) + 2 * n_columns
        n_inputs = code_width + n_features
        _, layers = self._dense.build((n_outputs,), 1, n_inputs)
        return CellDecoder(layers, code_width, n_features)

    @property
    def _dense(self):
        names = ("hidden_layer_sizes", "activation", "dropout", "normalization", "shortcut")
        return Dense(**{name: getattr(self, name) for name in names})


class Indicators(Layer):
    """Replace missing values by 0, and append for each column whether its value is missing.

    Parameters
    ----------
    starts : tensor of int, shape (n_columns,)
        Where the elements of each column start.
    """

    def __init__(self, starts):
        super().__init__()
        self.register_buffer("starts", starts)

    def stack_key(self):
        """Return what must be equal for models to train as one."""
        return tuple(self.starts.tolist())

    def forward(self, x):
        is_missing = x[..., self.starts].isnan().to(x.dtype)
        return torch.cat([x.nan_to_num(0.0), is_missing], -1)


class TableEncoder(Sequential):
    """Indicators of missing values, and the encoder behind them.

    The weights of the indicators start at 0, and stay there for columns that are complete in
    training.

    Parameters
    ----------
    indicators : Indicators
    encoder : nn.Module
    """

    def __init__(self, indicators, encoder):
        super().__init__(indicators, encoder)
        n = len(indicators.starts)
        with torch.no_grad():
            for layer in _first_layers(encoder):
                layer.weight[:, -n:] = 0.0

    @property
    def starts_linear(self):
        return start_hooks(self[1]).starts_linear

    def start_at(self, weight, bias):
        """Become the linear map ``x @ weight.T + bias`` where nothing is missing."""
        n = len(self[0].starts)
        weight = torch.cat([weight, weight.new_zeros(len(weight), n)], 1)
        start_hooks(self[1]).start_at(weight, bias)


class CellDecoder(Layer):
    """Decoder of codes that also takes what is known of a row.

    Parameters
    ----------
    layers : nn.Module
        Maps ``(n_samples, code_width + n_features)`` to outputs.
    code_width : int
        Length of the code.
    n_features : int
        Number of features of known cells.
    """

    takes_state = True

    def __init__(self, layers, code_width, n_features):
        super().__init__()
        self.layers = layers
        self.code_width, self.n_features = code_width, n_features

    def forward(self, code, features=None, state=TRAINED):
        if features is None:  # nothing is known
            features = code.new_zeros(*code.shape[:-1], self.n_features)
        return run(self.layers, torch.cat([code, features.to(code)], -1), state=state)


def _first_layers(module):
    """Return the linear layers that take a module's input."""
    if isinstance(module, nn.Linear):
        return [module]
    if isinstance(module, Shortcut):
        return [module.linear, *_first_layers(module.stack)]
    return _first_layers(module[0])
