"""What the architectures of texts have in common: embeddings, and sizes that suit the data."""

from math import log

from torch import nn

from skae._params import ParameterMixin, StrOptions, integer, parameter_class, real
from skae.architectures._base import Architecture, Dropout

TEXT_LAYERS = """\
n_heads : int or "auto", default="auto"
        Number of attention heads of each layer. "auto" gives each 64 numbers,
        or fewer where ``hidden_size`` is no multiple of that.
    dropout : float or "auto", default="auto"
        Fraction of the outputs of layers that are set to zero in training, in [0, 1). "auto"
        follows the number of training pairs: fewer pairs get more dropout.
    tied_embeddings : bool, default=True
        Whether the embedding and the output layer have the same weights, in both languages
        if they share a vocabulary [3]_."""


@parameter_class
class TextArchitecture(Architecture, ParameterMixin):
    """What can be set of every encoder and decoder of texts.

    A subclass defines ``hidden_size`` and ``_build_halves``.
    """

    n_heads: int | str = "auto"
    dropout: float | str = "auto"
    tied_embeddings: bool = True

    _parameter_constraints = {
        "n_heads": [integer(1), StrOptions({"auto"})],
        "dropout": [real(0, 1), StrOptions({"auto"})],
        "tied_embeddings": ["boolean"],
    }

    #: What the data is read as.
    input_kind = "texts"

    def build(self, n_source_tokens, n_target_tokens, shared, n_pairs):
        """Build the encoder and the decoder.

        Parameters
        ----------
        n_source_tokens, n_target_tokens : int
            Sizes of the vocabularies.
        shared : bool
            Whether both languages have the same vocabulary.
        n_pairs : int
            Number of training pairs, which "auto" follows.

        Returns
        -------
        encoder : nn.Module
            Maps tokens, shape (n_samples, n_tokens), to states of shape (n_samples, n_tokens,
            ``hidden_size``).
        decoder : nn.Module
            See `skae.architectures`.

        Raises
        ------
        ValueError
            If a parameter is out of its range, or ``hidden_size`` is no multiple of 2 and of
            ``n_heads``.
        """
        self._validate_params()
        width = self.hidden_size
        n_heads = auto_heads(width) if self.n_heads == "auto" else self.n_heads
        if width % 2 or width % n_heads:
            raise ValueError(
                f"hidden_size={width} must be a multiple of 2 and of n_heads={n_heads}"
            )
        rate = auto_dropout(n_pairs) if self.dropout == "auto" else self.dropout
        dropout = Dropout(rate, has_pool=True)
        target = nn.Embedding(n_target_tokens, width)
        output = nn.Linear(width, n_target_tokens, bias=False)
        is_same = shared and self.tied_embeddings
        source = target if is_same else nn.Embedding(n_source_tokens, width)
        for layer in (source, target, output):
            nn.init.normal_(layer.weight, std=width**-0.5)
        if self.tied_embeddings:
            output.weight = target.weight
        return self._build_halves(source, target, output, n_heads, dropout)


def auto_heads(width):
    """Return the number of heads: each has an even number of values, about 64."""
    return max(n for n in range(1, max(1, width // 64) + 1) if width % (2 * n) == 0 or n == 1)


def auto_dropout(n_pairs):
    """Return the dropout rate: lower for more pairs."""
    return min(max(0.1, 0.1 + 0.04 * log(150_000 / n_pairs)), 0.3)
