"""Architectures: parameter objects that build an encoder and a decoder.

An architecture is any object with one method::

    build(input_shape, encoder_width, code_width) -> (encoder, decoder)

The encoder maps a tensor of shape (n_samples, *input_shape) to (n_samples, encoder_width). The
decoder maps a tensor of shape (n_samples, code_width) to (n_samples, *input_shape). Both are
plain ``nn.Module`` objects. A method ``code_length(input_shape, n_components)`` is optional: it
returns the length of the code where that is not ``n_components``.

The attribute ``input_kind`` says what the architecture is for. Without it, the input is a table
of numbers.

``input_kind = "images"``
    The input is images or signals, and ``input_shape`` has the channels first. The attributes
    ``image_shape``, ``channels_first`` and ``spatial_dims`` say how to read X, as in `Conv`.

``input_kind = "sequences"``
    The input is sequences, and ``input_shape`` is (n_steps, n_features) of the longest one. A
    batch is padded with NaN behind the end of each sequence. Missing values are NaN as well. The
    decoder has an attribute ``takes_target = True``: it gets the code and such a batch, which
    shows how many steps each sequence has. Both modules may have a method
    ``standardize(moments)``, which gets the means and standard deviations of the training
    sequences. See `Recurrent`.

``input_kind = "tables"``
    The input is tables with categories and missing values, which are NaN. The method ``build``
    gets one more argument, ``column_layout``. The first ``column_layout.n_numbers`` elements of a
    sample are numbers. One-hot categories follow, with ``column_layout.widths`` elements each.
    The decoder returns logits for categories. See `Tabular`.

``input_kind = "texts"``
    The architecture is for `skae.Seq2SeqTranslator`, and its method is
    ``build(n_source_tokens, n_target_tokens, shared, n_pairs) -> (encoder, decoder)``.

    The encoder maps token numbers of shape (n_samples, n_tokens), padded with 0, to states of
    shape (n_samples, n_tokens, width).

    The decoder has a method ``start(states, is_token)``, which returns its state before the first
    token, an object with the methods of `DecoderState`. The call ``decoder(tokens, state,
    weights=None)`` takes tokens of shape (n_samples, n_tokens). It returns hidden values of shape
    (n_samples, n_tokens, width) and the state after these tokens. If ``weights`` is a list, it
    appends its attention weights. The layer ``decoder.output``, linear without bias, turns hidden
    values into logits of the next tokens. If the state has ``shares_memory=True``, the memory can
    have fewer rows than ``tokens``: each is that of several rows of tokens that follow each other.

The optional attribute ``training_defaults``, a `TrainingDefaults`, says how to train an
architecture where parameters are "auto". See `Transformer` and `RecurrentEncoderDecoder`. Without
it, architectures for images train in more and smaller batches than others.
"""

from skae.architectures._attention import DecoderState
from skae.architectures._conv import Conv
from skae.architectures._dense import Dense, Shortcut
from skae.architectures._encoder_decoder import RecurrentEncoderDecoder
from skae.architectures._recurrent import Recurrent
from skae.architectures._tabular import Tabular
from skae.architectures._training_defaults import TrainingBudget, TrainingDefaults
from skae.architectures._transformer import Transformer
from skae.architectures._unet import UNet

__all__ = [
    "Conv",
    "DecoderState",
    "Dense",
    "TrainingBudget",
    "TrainingDefaults",
    "Recurrent",
    "RecurrentEncoderDecoder",
    "Shortcut",
    "Tabular",
    "Transformer",
    "UNet",
]
