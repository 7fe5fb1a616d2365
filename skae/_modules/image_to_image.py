"""The module of a regressor of images, and random changes of its training pairs. torch only."""

from fractions import Fraction

import torch
from torch import nn

from skae._modules.autoencoder import AutoencoderModule
from skae._runtime import TRAINED, Random
from skae.architectures._tiles import Tiles, is_local, reach

FLIPS = {"horizontal": (-1,), "vertical": (-2,), "both": (-2, -1)}


class Augmentation(Random, nn.Module):
    """Flip and shift pairs of images at random.

    Parameters
    ----------
    flips : {"horizontal", "vertical", "both"} or None
        Axes along which half of the images are flipped.
    max_shift : int
        Pixels that an image can be shifted along each axis, those of the smaller image of
        a pair. What comes in at an edge repeats it.
    """

    def __init__(self, flips, max_shift):
        super().__init__()
        self.axes = FLIPS.get(flips, ())
        self.max_shift = max_shift

    @property
    def draws_from_torch(self):
        """Whether random numbers come from torch's own generator."""
        return bool(self.axes or self.max_shift)

    @torch.no_grad()
    def forward(self, x, target):
        """Return the pairs of a batch, changed.

        Parameters
        ----------
        x, target : tensor of shape (n_samples, channels, *size)

        Returns
        -------
        x, target : tensor of the same shapes
        """
        n_dims = x.ndim - 2
        for axis in self.axes:
            if -axis <= n_dims:
                coin = torch.rand(len(x), *[1] * (n_dims + 1), device=x.device) < 0.5
                x, target = (torch.where(coin, image.flip(axis), image) for image in (x, target))
        if self.max_shift:
            least = min(x.shape[-1], target.shape[-1])
            for axis in range(2, x.ndim):
                by = torch.randint(-self.max_shift, self.max_shift + 1, (len(x),), device=x.device)
                x, target = (
                    _shifted(image, axis, by * (image.shape[-1] // least)) for image in (x, target)
                )
        return x, target


def _shifted(images, axis, by):
    """Return images shifted along an axis, each by a number of pixels of its own."""
    side = images.shape[axis]
    places = torch.arange(side, device=by.device) + by[:, None]
    shape = [len(images)] + [1] * (images.ndim - 1)
    shape[axis] = side
    return images.take_along_dim(places.clamp(0, side - 1).view(shape), axis)


class ImageToImageModule(AutoencoderModule):
    """A U-Net, its loss and the augmentation of its pairs.

    What passes from encoder to decoder is a list of maps, the last of which is the code.

    Parameters
    ----------
    *parts : nn.Module
        As for `AutoencoderModule`.
    augmentation : Augmentation
    **facts : dict
        As for `AutoencoderModule`.
    """

    def __init__(self, *parts, augmentation, **facts):
        super().__init__(*parts, **facts)
        self.augmentation = augmentation

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

    def training_inputs(self, x, target, state=TRAINED, training=True):
        del state
        if training:
            x, target = self.augmentation(x, target)
        return x, target, None
