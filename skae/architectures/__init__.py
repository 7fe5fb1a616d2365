"""Architectures: parameter objects that build an encoder and a decoder.

An architecture is any object with one method::

    build(input_shape, encoder_width, code_width) -> (encoder, decoder)

The encoder maps a tensor of shape (n_samples, *input_shape) to
(n_samples, encoder_width), the decoder one of shape (n_samples, code_width) to
(n_samples, *input_shape). Both are plain ``nn.Module`` objects.

With an attribute ``input_kind = "images"`` it gets images and signals, of an
``input_shape`` with the channels first; attributes ``image_shape``, ``channels_first`` and
``spatial_dims`` say how X is to be read, as those of `Conv` do.

With ``input_kind = "sequences"`` it gets sequences, and ``input_shape`` is (n_steps,
n_features) of the longest. A batch is padded: behind the end of a sequence, and where a value
is missing, it is NaN. The decoder has an attribute ``takes_target = True`` and gets such a
batch beside the code, in which it sees how many steps to make. Both may have a method
``standardize(moments)``, which gets means and deviations of the training sequences. `Recurrent`
is one of these.

With ``input_kind = "tables"`` it gets tables with categories and missing cells, and ``build``
one more argument, ``groups``: of the elements of a row the first ``groups.n_numbers`` are
numbers, and categories follow, one-hot groups of ``groups.widths`` elements. What is missing is
NaN. For categories the decoder gives logits. `Tabular` is one of these.

With ``input_kind = "texts"`` it is for `skae.Seq2SeqTranslator`, and its method is::

    build(n_source_tokens, n_target_tokens, shared, n_pairs) -> (encoder, decoder)

The encoder maps token numbers of shape (n_samples, n_tokens), padded with 0, to states of shape
(n_samples, n_tokens, width). The decoder has three methods and a layer: ``start(states,
is_token)`` gives its state before the first token, an object with the methods of
`skae.architectures.DecoderState`; ``decoder(tokens, state, weights=None)`` takes tokens of shape
(n_samples, n_tokens) and gives what the next ones are told from, (n_samples, n_tokens, width),
and the state after them; it appends its attention to the list ``weights``, if there is one.
``output``, a linear layer without bias, makes logits of that. An attribute ``training_defaults``, a
`skae.architectures.Recipe`, may say how to train it. `Transformer` and
`RecurrentEncoderDecoder` are two of these.

A method
``code_length(input_shape, n_components)`` may give the length of the code another meaning.
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
