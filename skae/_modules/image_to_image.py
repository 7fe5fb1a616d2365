"""The module of a regressor of images. torch only."""

import copy
from fractions import Fraction

import torch
from torch import nn

from skae._modules.autoencoder import AutoencoderModule
from skae._runtime import TRAINED
from skae.architectures._base import Layer
from skae.architectures._conv_layers import smaller
from skae.architectures._tiles import Tiles, is_local, reach
from skae.losses._color_distribution import ColorSample


class WithInput(Layer):
    """A decoder with the channels of the input behind those of its output.

    Parameters
    ----------
    decoder : UNetDecoder
    encoder : UNetEncoder
        Whose answers are as large as its input.
    n_channels : int
        Of the input.
    """

    def __init__(self, decoder, encoder, n_channels):
        super().__init__()
        self.decoder, self.scale = decoder, encoder.scale
        self.n_channels = n_channels
        self.register_buffer("mean", encoder.mean)
        self.register_buffer("std", encoder.std)

    @property
    def size(self):
        """Size of the largest maps in training."""
        return self.decoder.size

    @property
    def step(self):
        """Side of what a place of the smallest maps stands for."""
        return self.decoder.step

    def forward(self, maps):
        return self._with_input(self.decoder(maps), maps)

    def joined(self, maps, is_as_in_training):
        """Do the same with maps that may have another size than in training."""
        return self._with_input(self.decoder.joined(maps, is_as_in_training), maps)

    def _with_input(self, output, maps):
        n_values = self.n_channels * self.scale ** (output.ndim - 2)
        return torch.cat([output, maps[0][:, :n_values] * self.std + self.mean], 1)


class ImageToImageModule(AutoencoderModule):
    """A U-Net and its loss, for images of any size.

    What passes from encoder to decoder is a list of maps, the last of which is the code.

    Parameters
    ----------
    *parts, **options
        As for `AutoencoderModule`.
    hints : NoHints
        Pixels of the answer that can be given beside the input.
    """

    def __init__(self, *parts, hints, **options):
        super().__init__(*parts, **options)
        self.hints = hints

    def training_inputs(self, x, target, state=TRAINED, training=True):
        x, target, cell_weight = super().training_inputs(x, target, state, training)
        return self.hints.drawn(x, target, self.loss, state.generator), target, cell_weight

    def hinted(self, x, given):
        """Return answers for images of which some pixels are given, NaN in all others."""
        return self.loss.with_hints(self(self.hints.beside(x, given, self.loss)), given)

    def forward(self, x):
        is_as_in_training = self._size(x) == self.decoder.size
        scale = self.decoder.scale
        answer = super().forward(x) if is_as_in_training else self._in_tiles(self._made, x, scale)
        if scale == self.encoder.scale:  # what it was padded by
            answer = answer[..., *map(slice, x.shape[2:])]
        return answer

    def smallest_maps(self, x):
        """Return the code of images, maps of shape (n_samples, n_maps, ...)."""
        return self._in_tiles(self._encoded, x, Fraction(1, self.decoder.step))

    def _size(self, x):
        """Return the size of the largest maps of images."""
        return smaller(x.shape[2:], self.encoder.scale)

    def _in_tiles(self, function, x, scale):
        """Apply a function to images and the size of their largest maps, tile by tile."""
        nets = nn.ModuleList([self.encoder, self.decoder])
        has_samples = isinstance(self.output_activation, ColorSample)  # with noise for all places
        if has_samples or not is_local(nets):
            return function(x, self._size(x))
        radius = reach(nets) + 1  # answers may look at the next place
        tiles = Tiles(self.decoder.step, radius, (self.encoder.scale, scale))
        return tiles.apply(function, x, self._size(x))

    def _made(self, x, size):
        del size
        maps = self.bottleneck(self.encoded(x))
        return self.output_activation(self.decoder.joined(maps, is_as_in_training=False))

    def _encoded(self, x, size):
        del size
        return self.encode(x)[-1]

    def choosing(self, temperature, rng):
        """Return a module of the same parts that gives others of several possible answers.

        Parameters
        ----------
        temperature : float
        rng : RandomState or None
            As for ``choose`` of the loss.

        Returns
        -------
        ImageToImageModule
        """
        twin = copy.copy(self)
        twin._modules = dict(self._modules)
        twin.replace(output_activation=self.loss.choose(self.output_activation, temperature, rng))
        return twin
