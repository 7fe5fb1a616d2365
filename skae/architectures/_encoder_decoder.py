"""Recurrent encoder and decoder, with attention between them, for texts."""

from dataclasses import field
from functools import partial

import torch
from torch import nn

from skae._params import StrOptions, integer, parameter_class
from skae.architectures._attention import Attention, DecoderState, padding_mask
from skae.architectures._recurrent_layers import CELLS, Recurrence, Steps, initialize, join
from skae.architectures._text_layers import TEXT_LAYERS, TextArchitecture
from skae.architectures._training_defaults import TrainingBudget, TrainingDefaults

#: How large logits can become at first, from outputs between -1 and 1.
SHARPNESS = 3.0


@partial(parameter_class, docs={"<text_layers>": TEXT_LAYERS})
class RecurrentEncoderDecoder(TextArchitecture):
    """Architecture of recurrent layers, for translators [1]_, with attention [2]_.

    The encoder's layers run over a text in both directions. The decoder's layers run over
    the tokens so far, and their states attend to the encoder's states. Both together predict
    the next token. Without attention, the decoder only gets the encoder's last states.

    Parameters
    ----------
    hidden_size : int, default=256
        Size of the states, a multiple of 2: each direction of the encoder has half of it.
    cell : {"lstm", "gru"}, default="lstm"
        Kind of the recurrent layers.
    attention : bool, default=True
        Whether the decoder looks at all states of the encoder.
    n_encoder_layers : int, default=1
        Layers of the encoder.
    n_decoder_layers : int, default=1
        Layers of the decoder.
    <text_layers>

    See Also
    --------
    skae.Seq2SeqTranslator : What this is for.

    References
    ----------
    .. [1] I. Sutskever, O. Vinyals and Q. V. Le, "Sequence to sequence learning with neural
       networks", NIPS 2014. :arxiv:`1409.3215`
    .. [2] M.-T. Luong, H. Pham and C. D. Manning, "Effective approaches to attention-based
       neural machine translation", EMNLP 2015. :arxiv:`1508.04025`
    .. [3] O. Press and L. Wolf, "Using the output embedding to improve language models",
       EACL 2017. :arxiv:`1608.05859`

    Examples
    --------
    >>> import torch
    >>> from skae.architectures import RecurrentEncoderDecoder
    >>> architecture = RecurrentEncoderDecoder(16, cell="gru")
    >>> encoder, decoder = architecture.build(100, 100, shared=True, n_pairs=1000)
    >>> source = torch.tensor([[5, 6, 7, 2], [8, 2, 0, 0]])  # padded with 0
    >>> states = encoder(source)
    >>> hidden, state = decoder(torch.tensor([[1], [1]]), decoder.start(states, source != 0))
    >>> states.shape, decoder.output(hidden).shape
    (torch.Size([2, 4, 16]), torch.Size([2, 1, 100]))
    """

    hidden_size: int = field(default=256, kw_only=False)
    cell: str = "lstm"
    attention: bool = True
    n_encoder_layers: int = 1
    n_decoder_layers: int = 1

    _parameter_constraints = {
        "hidden_size": [integer(2)],
        "cell": [StrOptions(set(CELLS))],
        "attention": ["boolean"],
        "n_encoder_layers": [integer(1)],
        "n_decoder_layers": [integer(1)],
    }

    #: How translators train it by default.
    training_defaults = TrainingDefaults(
        "adam",
        4e-3,
        TrainingBudget(1000, batch_sizes=(32, 64), epochs=(10, 100), max_steps=8_500),
        {"betas": (0.9, 0.98)},
    )

    def _build_halves(self, source, target, output, n_heads, dropout):
        width = self.hidden_size
        context = SeesStates(width, n_heads) if self.attention else SeesCode(width)
        return (
            RecurrentTextEncoder(source, self.cell, self.n_encoder_layers, dropout),
            RecurrentTextDecoder(
                target, self.cell, self.n_decoder_layers, dropout, context, output
            ),
        )


class RecurrentTextEncoder(nn.Module):
    """Make states of tokens by layers that run in both directions."""

    def __init__(self, embedding, cell, n_layers, dropout):
        super().__init__()
        width = embedding.embedding_dim
        self.embedding, self.scale, self.dropout = embedding, width**0.5, dropout
        self.layers = nn.ModuleList(
            Recurrence(cell, (width, width // 2), True, 0.0, None) for _ in range(n_layers)
        )
        self.norm = nn.LayerNorm(width, elementwise_affine=False)

    def forward(self, source):
        """Return states of shape (n_samples, n_tokens, width)."""
        steps = Steps.of_tokens(source != 0)
        x = self.dropout(self.embedding(source) * self.scale)
        for i, layer in enumerate(self.layers):
            states = self.dropout(join(layer(x, steps), steps))
            x = x + states if i else states
        return self.norm(x)


class RecurrentTextDecoder(nn.Module):
    """Make states of the next tokens of those so far and of the encoder's states."""

    def __init__(self, embedding, cell, n_layers, dropout, context, output):
        super().__init__()
        width = embedding.embedding_dim
        self.embedding, self.scale, self.dropout = embedding, width**0.5, dropout
        self.layers = nn.ModuleList(
            CELLS[cell](width, width, batch_first=True) for _ in range(n_layers)
        )
        self.n_states = 2 if cell == "lstm" else 1
        self.begin = nn.Linear(width, n_layers * self.n_states * width)
        self.context = context
        self.joint = nn.Linear(2 * width, width)
        self.output = output
        for layer in self.layers:
            initialize(layer)

    def start(self, states, is_token):
        """Return the state before the first token, with what is seen of the source."""
        code = ends(states, is_token)
        past = self.begin(code).tanh().chunk(len(self.layers) * self.n_states, dim=1)
        memory = [is_token, *self.context.project_kv(states, code)]
        return DecoderState(memory, list(past), shares_memory=self.context.shares_memory)

    def forward(self, tokens, state, weights=None):
        """Go on by some tokens.

        Parameters
        ----------
        tokens : tensor of shape (n_samples, n_tokens)
        state : DecoderState
        weights : list or None, default=None
            Gets the attention's weights on the source.

        Returns
        -------
        hidden : tensor of shape (n_samples, n_tokens, width)
        state : DecoderState
        """
        is_token, *memory = state.memory
        x = self.dropout(self.context.add_to_input(self.embedding(tokens) * self.scale, memory))
        past = []
        for i, layer in enumerate(self.layers):
            before = state.past[i * self.n_states : (i + 1) * self.n_states]
            states, after = run_from(layer, x, before)
            past += after
            states = self.dropout(states)
            x = x + states if i else states
        seen = self.context(x, memory, is_token=padding_mask(is_token), weights=weights)
        hidden = self.joint(torch.cat([x, seen], dim=2)).tanh() * SHARPNESS
        return self.dropout(hidden), state.after(past, tokens.shape[1])


class SeesStates(Attention):
    """What a decoder sees that looks at all states of the encoder."""

    shares_memory = True

    def project_kv(self, states, code):
        """Return what is kept of the source."""
        return super().project_kv(states)

    def add_to_input(self, x, memory):
        """Return what the decoder's layers get of the tokens."""
        return x

    def forward(self, x, memory, **how):
        """Return what each step of ``x`` sees, in its shape."""
        return super().forward(x, *memory, **how)


class SeesCode(nn.Module):
    """What a decoder sees that knows nothing but the encoder's last states."""

    shares_memory = False

    def __init__(self, width):
        super().__init__()
        self.input, self.context = nn.Linear(width, width), nn.Linear(width, width)

    def project_kv(self, states, code):
        """Return what is kept of the source."""
        return [self.input(code)[:, None], self.context(code)[:, None]]

    def add_to_input(self, x, memory):
        """Return what the decoder's layers get of the tokens."""
        return x + memory[0]

    def forward(self, x, memory, weights=None, **how):
        """Return what each step of ``x`` sees, in its shape."""
        if weights is not None:
            raise ValueError("without attention there are no weights: use attention=True")
        return memory[1].expand_as(x)


def ends(states, is_token):
    """Return the last state of each direction, shape (n_samples, width)."""
    forwards, backwards = states.chunk(2, dim=2)
    last = (is_token.sum(1) - 1)[:, None, None].expand(-1, 1, forwards.shape[2])
    return torch.cat([forwards.gather(1, last).squeeze(1), backwards[:, 0]], dim=1)


def run_from(layer, x, state):
    """Return the outputs of a recurrent layer and the states after the last one.

    Parameters
    ----------
    layer : nn.LSTM or nn.GRU
    x : tensor of shape (n_samples, n_steps, n_inputs)
    state : list of tensor of shape (n_samples, hidden_size)
    """
    layer.flatten_parameters()  # for cuDNN, after a copy; elsewhere it does nothing
    before = tuple(s[None].contiguous() for s in state)
    outputs, after = layer(x, before if len(before) == 2 else before[0])
    after = after if isinstance(after, tuple) else (after,)
    return outputs, [s[0] for s in after]
