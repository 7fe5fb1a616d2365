"""Transformer, for texts."""

from dataclasses import field
from functools import partial

import torch
from torch import nn

from skae._params import StrOptions, integer, parameter_class
from skae.architectures._attention import Attention, DecoderState, padding_mask
from skae.architectures._text_layers import TEXT_LAYERS, TextArchitecture
from skae.architectures._training_defaults import TrainingBudget, TrainingDefaults


@partial(parameter_class, docs={"<text_layers>": TEXT_LAYERS})
class Transformer(TextArchitecture):
    """Architecture of attention, for translators [1]_.

    The input of each layer is normalized, which makes training more stable than normalizing
    its output [2]_.

    Parameters
    ----------
    hidden_size : int, default=256
        Numbers that stand for a token between the layers.
    n_encoder_layers : int, default=4
        Layers of the encoder.
    n_decoder_layers : int, default=2
        Layers of the decoder. They cost more when translating.
    feedforward_size : int or "auto", default="auto"
        Width of the hidden layer behind the attention. "auto" is 4 times ``hidden_size``.
    <text_layers>

    See Also
    --------
    skae.Seq2SeqTranslator : What this is for.

    References
    ----------
    .. [1] A. Vaswani et al., "Attention is all you need", NIPS 2017. :arxiv:`1706.03762`
    .. [2] R. Xiong et al., "On layer normalization in the transformer architecture",
       ICML 2020. :arxiv:`2002.04745`
    .. [3] O. Press and L. Wolf, "Using the output embedding to improve language models",
       EACL 2017. :arxiv:`1608.05859`

    Examples
    --------
    >>> import torch
    >>> from skae.architectures import Transformer
    >>> architecture = Transformer(hidden_size=16, n_encoder_layers=1, n_decoder_layers=1)
    >>> encoder, decoder = architecture.build(100, 100, shared=True, n_pairs=1000)
    >>> source = torch.tensor([[5, 6, 7, 2], [8, 2, 0, 0]])  # padded with 0
    >>> states = encoder(source)
    >>> hidden, state = decoder(torch.tensor([[1], [1]]), decoder.start(states, source != 0))
    >>> states.shape, decoder.output(hidden).shape
    (torch.Size([2, 4, 16]), torch.Size([2, 1, 100]))
    """

    hidden_size: int = field(default=256, kw_only=False)
    n_encoder_layers: int = 4
    n_decoder_layers: int = 2
    feedforward_size: int | str = "auto"

    _parameter_constraints = {
        "hidden_size": [integer(2)],
        "n_encoder_layers": [integer(1)],
        "n_decoder_layers": [integer(1)],
        "feedforward_size": [integer(1), StrOptions({"auto"})],
    }

    #: How translators train it by default.
    training_defaults = TrainingDefaults(
        "muon",
        6e-3,
        TrainingBudget(75, batch_sizes=(32, 256), epochs=(10, 100), max_steps=1_500),
        {},
    )

    def _build_halves(self, source, target, output, n_heads, dropout):
        width = self.hidden_size
        if width % (2 * n_heads):
            raise ValueError(
                f"hidden_size={width} must be a multiple of twice n_heads={n_heads}: positions "
                "turn pairs of numbers"
            )
        fc1 = 4 * width if self.feedforward_size == "auto" else self.feedforward_size
        n_layers = self.n_encoder_layers, self.n_decoder_layers
        encoder_layers, decoder_layers = (
            nn.ModuleList(TransformerLayer(width, n_heads, fc1, dropout, attends) for _ in range(n))
            for n, attends in zip(n_layers, (False, True), strict=True)
        )
        for layer in (*encoder_layers, *decoder_layers):
            layer.scale_outputs((2 * sum(n_layers)) ** -0.5)
        return (
            TransformerEncoder(source, encoder_layers, dropout),
            TransformerDecoder(target, decoder_layers, dropout, output),
        )


class RotaryPositions(nn.Module):
    """Angles by which queries and keys are rotated, which depend on their positions [1]_.

    How well two fit then depends on how far apart they are, whatever the length of the text.

    Parameters
    ----------
    size : int
        Of a query.
    longest : float, default=1e3
        Wave length, in tokens over 2 pi, of the slowest turn.

    References
    ----------
    .. [1] J. Su et al., "RoFormer: enhanced transformer with rotary position embedding",
       Neurocomputing 568, 2024. :arxiv:`2104.09864`
    """

    def __init__(self, size, longest=1e3):
        super().__init__()
        self.longest = longest
        frequencies = longest ** (-torch.arange(0, size, 2) / size)
        self.register_buffer("frequencies", frequencies, persistent=False)

    def forward(self, n_steps, start, dtype):
        """Return cosines and sines of shape (n_steps, size) for places from ``start``."""
        place = torch.arange(start, start + n_steps, device=self.frequencies.device)
        angles = (place[:, None] * self.frequencies).repeat(1, 2)
        return angles.cos().to(dtype), angles.sin().to(dtype)


class TransformerLayer(nn.Module):
    """Attention of a sequence on itself and perhaps on another one, and a net of one hidden layer.

    Parameters
    ----------
    width, n_heads, fc1 : int
    dropout : nn.Module
    attends : bool
        Whether the layer has cross-attention to another sequence.
    """

    def __init__(self, width, n_heads, fc1, dropout, attends):
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.self_attention = Attention(width, n_heads)
        self.cross_attention = Attention(width, n_heads) if attends else None
        self.fc1, self.fc2 = nn.Linear(width, fc1), nn.Linear(fc1, width)
        self.dropout = dropout
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.normal_(layer.weight, std=layer.in_features**-0.5)

    @torch.no_grad()
    def scale_outputs(self, scale):
        """Make the initial outputs of the layer smaller."""
        for part in (self.self_attention, self.cross_attention):
            if part is not None:
                part.output.weight *= scale
        self.fc2.weight *= scale

    def add_attention(self, x, angles, past=(), **how):
        """Add what ``x`` finds in itself; return it and the keys and values."""
        normal = self.norm(x)
        seen = self.self_attention.project_kv(normal, angles)
        if past:
            seen = [torch.cat(pair, dim=2) for pair in zip(past, seen, strict=True)]
        return x + self.dropout(self.self_attention(normal, *seen, angles=angles, **how)), seen

    def add_attention_on(self, x, seen, **how):
        """Add what ``x`` finds in another sequence, by its keys and values."""
        return x + self.dropout(self.cross_attention(self.norm(x), *seen, **how))

    def add_net(self, x):
        """Add what the net makes of each step."""
        return x + self.dropout(self.fc2(self.fc1(self.norm(x)).relu()))


class TransformerEncoder(nn.Module):
    """Make states of tokens, each of which has seen all of them."""

    def __init__(self, embedding, layers, dropout):
        super().__init__()
        width = embedding.embedding_dim
        self.embedding, self.scale = embedding, width**0.5
        self.positions = RotaryPositions(layers[0].self_attention.head_size)
        self.layers, self.dropout = layers, dropout
        self.norm = nn.LayerNorm(width, elementwise_affine=False)

    def forward(self, source):
        """Return states of shape (n_samples, n_tokens, width)."""
        is_token = padding_mask(source != 0)
        x = self.dropout(self.embedding(source) * self.scale)
        angles = self.positions(source.shape[1], 0, x.dtype)
        for layer in self.layers:
            x, _ = layer.add_attention(x, angles, is_token=is_token)
            x = layer.add_net(x)
        return self.norm(x)


class TransformerDecoder(nn.Module):
    """Make states of the next tokens of those so far and of the encoder's states."""

    def __init__(self, embedding, layers, dropout, output):
        super().__init__()
        width = embedding.embedding_dim
        self.embedding, self.scale = embedding, width**0.5
        self.positions = RotaryPositions(layers[0].self_attention.head_size)
        self.layers, self.dropout, self.output = layers, dropout, output
        self.norm = nn.LayerNorm(width, elementwise_affine=False)

    def start(self, states, is_token):
        """Return the state before the first token, with the keys and values of the source."""
        seen = [
            tensor for layer in self.layers for tensor in layer.cross_attention.project_kv(states)
        ]
        return DecoderState([is_token, *seen], shares_memory=True)

    def forward(self, tokens, state, weights=None):
        """Go on by some tokens.

        Parameters
        ----------
        tokens : tensor of shape (n_samples, n_tokens)
        state : DecoderState
        weights : list or None, default=None
            Gets the attention's weights on the source of each layer.

        Returns
        -------
        hidden : tensor of shape (n_samples, n_tokens, width)
        state : DecoderState
        """
        is_token, *memory = state.memory
        is_token = padding_mask(is_token)
        n_steps, past = tokens.shape[1], []
        x = self.dropout(self.embedding(tokens) * self.scale)
        angles = self.positions(n_steps, state.n_steps, x.dtype)
        for i, layer in enumerate(self.layers):
            this = slice(2 * i, 2 * i + 2)
            x, seen = layer.add_attention(x, angles, state.past[this], causal=n_steps > 1)
            x = layer.add_attention_on(x, memory[this], is_token=is_token, weights=weights)
            x = layer.add_net(x)
            past += seen
        return self.norm(x), state.after(past, n_steps)
