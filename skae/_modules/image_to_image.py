"""The module of a regressor of images. torch only."""

from fractions import Fraction

from torch import nn

from skae._modules.autoencoder import AutoencoderModule
from skae.architectures._tiles import Tiles, is_local, reach


class ImageToImageModule(AutoencoderModule):
    """A U-Net and its loss, for images of any size.

    What passes from encoder to decoder is a list of maps, the last of which is the code.
    """

    def forward(self, x):
        if self._size(x) == self.decoder.size:
            return super().forward(x)
        return self._in_tiles(self._made, x, self.decoder.scale)

    def smallest_maps(self, x):
        """Return the code of images, maps of shape (n_samples, n_maps, ...)."""
        return self._in_tiles(self._encoded, x, Fraction(1, self.decoder.step))

    def _size(self, x):
        """Return the size of the largest maps of images."""
        return tuple(side // self.encoder.scale for side in x.shape[2:])

    def _in_tiles(self, function, x, scale):
        """Apply a function to images and the size of their largest maps, tile by tile."""
        nets = nn.ModuleList([self.encoder, self.decoder])
        if not is_local(nets):
            return function(x, self._size(x))
        tiles = Tiles(self.decoder.step, reach(nets), (self.encoder.scale, scale))
        return tiles.apply(function, x, self._size(x))

    def _made(self, x, size):
        del size
        maps = self.bottleneck(self.encoded(x))
        return self.output_activation(self.decoder.joined(maps, is_as_in_training=False))

    def _encoded(self, x, size):
        del size
        return self.encode(x)[-1]
