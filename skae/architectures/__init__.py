"""Architectures: parameter objects that build an encoder and a decoder.

An architecture is any object with one method::

    build(input_shape, encoder_width, code_width) -> (encoder, decoder)

The encoder maps a tensor of shape (n_samples, *input_shape) to
(n_samples, encoder_width), the decoder one of shape (n_samples, code_width) to
(n_samples, *input_shape). Both are plain ``nn.Module`` objects.
"""

from skae.architectures._build import ARCHITECTURES, build_modules, make_architecture
from skae.architectures._conv import Conv
from skae.architectures._dense import Dense, Shortcut
from skae.architectures._unet import UNet

__all__ = [
    "ARCHITECTURES",
    "Conv",
    "Dense",
    "Shortcut",
    "UNet",
    "build_modules",
    "make_architecture",
]
