"""The module of a regressor of images, and random changes of its training pairs. torch only."""

import copy

import torch
from torch import nn

from skae._modules.autoencoder import AutoencoderModule
from skae._runtime import TRAINED, Random
from skae.architectures._base import Layer

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


class WithInput(Layer):
    """A decoder with the channels of the input behind those of its output.

    Parameters
    ----------
    decoder : UNetDecoder
    mean, std : tensor of shape ()
        By which the encoder standardizes the input.
    """

    def __init__(self, decoder, mean, std):
        super().__init__()
        self.decoder = decoder
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)

    def forward(self, maps):
        return torch.cat([self.decoder(maps), maps[0] * self.std + self.mean], 1)


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

    def training_inputs(self, x, target, state=TRAINED, training=True):
        del state
        if training:
            x, target = self.augmentation(x, target)
        return x, target, None
