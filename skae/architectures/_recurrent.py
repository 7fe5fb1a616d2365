"""Recurrent layers, for sequences of unequal lengths."""

from dataclasses import field
from functools import partial
from numbers import Integral, Real

from torch import nn

from skae._params import ParameterMixin, StrOptions, integer, parameter_class, real
from skae.architectures._base import Architecture
from skae.architectures._dense import AUTO_SHORTCUT
from skae.architectures._recurrent_halves import RecurrentDecoder, RecurrentEncoder
from skae.architectures._recurrent_layers import CELLS, POOLING, Positions, Recurrence

#: Fraction of the variance that linear maps must restore for an "auto" shortcut to be of use.
AUTO_FRACTION = 0.75

RECURRENCE = """\
hidden_layer_sizes : tuple of int or int, default=32
        Sizes of the recurrent layers of the encoder, from the input to the code; an int
        stands for one layer. The decoder mirrors them.
    cell : {"lstm", "gru"}, default="lstm"
        Kind of the recurrent layers.
    bidirectional : bool, default=False
        Whether the encoder's layers run over a sequence in both directions, each of the
        given size.
    pooling : {"waves", "last", "mean", "attention"}, default="waves"
        What the code is computed from: four means over the steps, three of them weighted by
        slow waves that tell early steps from late ones; the state at the end of each run; the
        plain mean; or a mean with weights that are learned.
    decoder_input : {"code", "output"}, default="code"
        What the decoder sees at each step beside its position: the code, or also its output
        of the step before, which takes much longer to compute.
    teacher_forcing : float or tuple (start, end), default=(1.0, 0.0)
        For ``decoder_input="output"``, the fraction of the training batches in which the
        decoder sees the true previous step instead of its own output. Two fractions are
        for the start and the end of the training.
    reverse_target : bool, default=False
        Whether the decoder begins with the last step.
    dropout : float, default=0.0
        Fraction of the outputs of recurrent layers that are set to zero in training, in
        [0, 1).
    shortcut : bool or "auto", default="auto"
        Add to the code a linear map of the sequence, and to the decoder's output a linear map
        of the code, for as many steps as the longest training sequence has. Where the loss
        allows, training then starts at the principal components of the sequences. For these,
        sequences of unequal lengths are stretched to the longest or padded with the mean,
        whichever lets the components restore more. "auto" adds these maps if they have at most
        8 million weights each. If lengths are unequal and the components restore less than
        three quarters of the variance, as where events come early in one sequence and late
        in another, it leaves out that of the encoder.
    truncation : int or None, default=None
        Steps over which gradients are passed on through a recurrent layer, which makes
        training on long sequences more stable but needs no less memory. To save memory, cut
        them with `skae.sequences.sliding_windows`. None passes gradients on over the whole
        sequence.
    channels_first : bool, default=False
        Whether sequences are of shape (n_features, time), not (time, n_features)."""


@parameter_class
class RecurrentParameters(ParameterMixin):
    """What can be set of an encoder and a decoder made of recurrent layers."""

    hidden_layer_sizes: tuple | int = field(default=32, kw_only=False)
    cell: str = "lstm"
    bidirectional: bool = False
    pooling: str = "waves"
    decoder_input: str = "code"
    teacher_forcing: float | tuple[float, float] = (1.0, 0.0)
    reverse_target: bool = False
    dropout: float = 0.0
    shortcut: bool | str = "auto"
    truncation: int | None = None
    channels_first: bool = False

    _parameter_constraints = {
        "hidden_layer_sizes": ["array-like", integer(1)],
        "cell": [StrOptions(set(CELLS))],
        "bidirectional": ["boolean"],
        "pooling": [StrOptions(set(POOLING))],
        "decoder_input": [StrOptions({"code", "output"})],
        "teacher_forcing": [real(0, 1, closed="both"), tuple, list],
        "reverse_target": ["boolean"],
        "dropout": [real(0, 1)],
        "shortcut": ["boolean", StrOptions({"auto"})],
        "truncation": [integer(1), None],
        "channels_first": ["boolean"],
    }


@partial(parameter_class, docs={"<recurrence>": RECURRENCE})
class Recurrent(Architecture, RecurrentParameters):
    """Architecture of recurrent layers, for sequences of unequal lengths.

    The encoder runs over a sequence and makes a code of fixed length of its states; the
    decoder makes a sequence of the code, of as many steps as are asked for.

    Parameters
    ----------
    <recurrence>

    See Also
    --------
    skae.RecurrentAutoencoder : The plain autoencoder with these parameters.

    References
    ----------
    N. Srivastava, E. Mansimov and R. Salakhutdinov, "Unsupervised learning of video
    representations using LSTMs", ICML 2015. :arxiv:`1502.04681`

    S. Bengio, O. Vinyals, N. Jaitly and N. Shazeer, "Scheduled sampling for sequence
    prediction with recurrent neural networks", NIPS 2015. :arxiv:`1506.03099`

    Examples
    --------
    >>> import torch
    >>> from skae.architectures import Recurrent
    >>> encoder, decoder = Recurrent(hidden_layer_sizes=8).build((20, 3), 4, 4)
    >>> x = torch.zeros(5, 20, 3)
    >>> x[0, 12:] = torch.nan  # a shorter sequence
    >>> code = encoder(x)
    >>> code.shape, decoder(code, x).shape
    (torch.Size([5, 4]), torch.Size([5, 20, 3]))
    """

    #: What the data is read as.
    input_kind = "sequences"

    def build(self, input_shape, encoder_width, code_width):
        """Build the encoder and the decoder.

        Parameters
        ----------
        input_shape : tuple of int
            (n_steps, n_features) of the longest sequence.
        encoder_width : int
            Number of outputs of the encoder.
        code_width : int
            Number of inputs of the decoder.

        Returns
        -------
        encoder : nn.Module
            Maps ``(n_samples, n_steps, n_features)``, NaN behind the end of sequences, to
            ``(n_samples, encoder_width)``.
        decoder : nn.Module
            Maps ``(n_samples, code_width)`` and a tensor such as the encoder gets to
            ``(n_samples, n_steps, n_features)``.

        Raises
        ------
        ValueError
            If a parameter is out of its range.
        """
        self._validate_params()
        hidden, (n_steps, n_features) = self._sizes(), input_shape
        feeds_back = self.decoder_input == "output"
        recurrence = partial(
            Recurrence, self.cell, dropout=self.dropout, truncation=self.truncation
        )
        n_values, linear = n_steps * n_features, (None, None)
        is_auto = self.shortcut == "auto"
        has_shortcut = n_values * encoder_width <= AUTO_SHORTCUT if is_auto else self.shortcut
        width = hidden[-1] * (2 if self.bidirectional else 1)
        pooling = POOLING[self.pooling](width)
        encoder = (
            recurrence((2 * n_features, *hidden), self.bidirectional),
            pooling,
            nn.Linear(pooling.n_outputs, encoder_width),
            n_features,
        )
        positions = Positions(n_steps)
        n_inputs = code_width + positions.width + n_features * feeds_back
        decoder = (
            recurrence((n_inputs, *reversed(hidden)), False),
            positions,
            nn.Linear(hidden[0], n_features),
            feeds_back,
            self._teacher_forcing(),
            self.reverse_target,
        )
        if has_shortcut:
            linear = nn.Linear(n_values, encoder_width), nn.Linear(code_width, n_values)
        encoder = RecurrentEncoder(*encoder, linear[0], AUTO_FRACTION if is_auto else 0.0)
        return encoder, RecurrentDecoder(*decoder, linear[1])

    def _sizes(self):
        sizes = self.hidden_layer_sizes
        sizes = (sizes,) if isinstance(sizes, Integral) else tuple(sizes)
        if not sizes or not all(isinstance(size, Integral) and size > 0 for size in sizes):
            raise ValueError(
                "The 'hidden_layer_sizes' parameter of Recurrent must hold positive integers, one "
                f"for each layer, such as (64,). Got {self.hidden_layer_sizes!r} instead."
            )
        return tuple(int(size) for size in sizes)

    def _teacher_forcing(self):
        fractions = self.teacher_forcing
        fractions = (fractions, fractions) if isinstance(fractions, Real) else tuple(fractions)
        if len(fractions) != 2 or not all(isinstance(s, Real) and 0 <= s <= 1 for s in fractions):
            raise ValueError(
                "The 'teacher_forcing' parameter must be a fraction from 0 to 1, or two fractions, "
                f"for the start and the end of the training. Got {self.teacher_forcing!r}."
            )
        return tuple(float(fraction) for fraction in fractions)
