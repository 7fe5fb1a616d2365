"""The layers that convolutional nets are made of. torch only."""

from contextlib import nullcontext
from fractions import Fraction
from itertools import pairwise
from math import ceil, prod
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional as F

from skae._runtime import has_bfloat16
from skae.architectures._base import LinearShortcut
from skae.architectures._dense import ACTIVATIONS, BatchNorm
from skae.architectures._tiles import Enlarging, Tiles, is_local, reach


class _Kinds(NamedTuple):
    """torch's classes for one number of spatial axes."""

    convolution: type
    transposed: type
    max_pool: type
    average_pool: type
    dropout: type
    interpolation: str


_KINDS = {
    1: _Kinds(nn.Conv1d, nn.ConvTranspose1d, nn.MaxPool1d, nn.AvgPool1d, nn.Dropout1d, "linear"),
    2: _Kinds(nn.Conv2d, nn.ConvTranspose2d, nn.MaxPool2d, nn.AvgPool2d, nn.Dropout2d, "bilinear"),
}


class ConvLayers:
    """Makes layers, all of one style.

    Parameters
    ----------
    style : ConvParameters
    n_dims : int
        Number of spatial axes.
    """

    def __init__(self, style, n_dims):
        self.style = style
        self.n_dims = n_dims
        self.kinds = _KINDS[n_dims]

    def convolution(self, n_inputs, n_outputs, stride=1, kernel_size=None):
        """Return a convolution that leaves the size, divided by the stride and rounded up."""
        kernel_size = kernel_size or self.style.kernel_size
        return self.kinds.convolution(n_inputs, n_outputs, kernel_size, stride, kernel_size // 2)

    def behind(self, n_maps):
        """Return what follows each convolution but the last."""
        layers = []
        if self.style.normalization == "batch":
            layers.append(BatchNorm(n_maps))
        elif self.style.normalization == "layer":
            layers.append(nn.GroupNorm(1, n_maps))
        layers.append(ACTIVATIONS[self.style.activation]())
        if self.style.dropout:
            layers.append(self.kinds.dropout(self.style.dropout))
        return layers

    def residual_blocks(self, n_maps, n_blocks):
        """Return a number of residual blocks."""
        return [ResidualBlock(self, n_maps) for _ in range(n_blocks)]

    def encoder_stages(self, plan):
        """Return the stages of an encoder."""
        return [
            self.down(*widths, stride, n_blocks, size)
            for widths, stride, n_blocks, size in zip(
                pairwise(plan.widths), plan.strides, plan.n_blocks, plan.sizes[:-1], strict=True
            )
        ]

    def in_fastest_layout(self, *modules):
        """Return modules with the channels of their kernels last, if these are of images."""
        if self.n_dims == 1:
            return modules
        return tuple(module.to(memory_format=torch.channels_last) for module in modules)

    def down(self, n_inputs, n_outputs, stride, n_blocks, size):
        """Return a stage of an encoder, for maps of a size."""
        pool = {"max_pool": self.kinds.max_pool, "average_pool": self.kinds.average_pool}
        kind = pool.get(self.style.downsampling)
        # With strides beyond the size, torch's gradients in bfloat16 can be NaN.
        strides = tuple(min(stride, side) for side in size) if kind is None else 1
        layers = [self.convolution(n_inputs, n_outputs, stride=strides)]
        layers += self.behind(n_outputs)
        if kind is not None and stride > 1:
            layers.append(kind(stride, ceil_mode=True))
        return nn.Sequential(*layers, *self.residual_blocks(n_outputs, n_blocks))

    def up(self, n_inputs, n_outputs, stride, size):
        """Return a layer of a decoder that makes maps larger, in training up to a size."""
        if self.style.upsampling == "transpose":
            kernel_size = stride * -(-self.style.kernel_size // stride)
            padding = (kernel_size - stride) // 2
            kind = self.kinds.transposed
            return TransposedConvolution(
                kind(n_inputs, n_outputs, kernel_size, stride, padding), stride, size
            )
        is_nearest = self.style.upsampling == "nearest"
        mode = "nearest" if is_nearest else self.kinds.interpolation
        return Interpolation(self.convolution(n_inputs, n_outputs), stride, size, mode)


class TransposedConvolution(Enlarging):
    """Transposed convolution, cut off where it gives larger maps than asked for."""

    def __init__(self, convolution, stride, size):
        super().__init__()
        self.convolution = convolution
        self.stride = stride
        self.size = tuple(size)

    @property
    def n_places(self):
        """How many places away in the maps a result can depend on them."""
        (side, *_), (padding, *_) = self.convolution.kernel_size, self.convolution.padding
        return ceil((side - 1 - padding) / self.stride)

    def forward(self, x, size=None):
        return self.convolution(x)[..., *map(slice, size or self.size)]


class Interpolation(Enlarging):
    """Interpolation and a convolution.

    In training, maps are stretched to the size. To another size they are cut off: a place is then
    made of the same surroundings wherever an image begins and ends.
    """

    def __init__(self, convolution, stride, size, mode):
        super().__init__()
        self.convolution = convolution
        self.stride = stride
        self.size = tuple(size)
        self.mode = mode

    def forward(self, x, size=None):
        return self.convolution(x if self.stride == 1 else self._interpolated(x, size))

    def _interpolated(self, x, size):
        if size is None:
            return F.interpolate(x, self.size, mode=self.mode)
        whole = [self.stride * side for side in x.shape[2:]]
        return F.interpolate(x, whole, mode=self.mode)[..., *map(slice, size)]


class ResidualBlock(nn.Module):
    """Two convolutions whose result is added to their input, none at first.

    Parameters
    ----------
    layers : ConvLayers
    n_maps : int
    """

    def __init__(self, layers, n_maps):
        super().__init__()
        first, second = (layers.convolution(n_maps, n_maps) for _ in range(2))
        for parameter in second.parameters():
            nn.init.zeros_(parameter)
        self.stack = nn.Sequential(first, *layers.behind(n_maps), second)

    def forward(self, x):
        return x + self.stack(x)


class ConvEncoder(LinearShortcut):
    """Stages of convolutions, and what makes a code of their last maps.

    Parameters
    ----------
    stages : list of nn.Module
    last : nn.Module
        From the last maps to the code.
    mixed_precision : bool or "auto"
    linear : nn.Linear or None, default=None
        Adds a linear map of the image to the code.
    """

    def __init__(self, stages, last, mixed_precision, linear=None):
        super().__init__()
        self.stages = nn.ModuleList(stages)
        self.last = last
        self.mixed_precision = mixed_precision
        self.linear = linear

    def maps(self, x):
        """Return the maps that each stage gives, a list of tensors."""
        maps = []
        with precision(self, x):
            for stage in self.stages:
                x = stage(x)
                maps.append(x)
        return maps

    def forward(self, x):
        """Return the code, shape (n_samples, encoder_width)."""
        return self._add_linear(self.last(self.maps(x)[-1].to(x.dtype)).flatten(1), x)


class ConvDecoder(LinearShortcut):
    """What makes maps of a code, stages that make these larger, and the last convolution.

    Parameters
    ----------
    first : nn.Module
        From the code to the smallest maps.
    stages : list of nn.Module
    last : nn.Module
    mixed_precision : bool or "auto"
    linear : nn.Linear or None, default=None
        Adds a linear map of the code to the image.
    """

    def __init__(self, first, stages, last, mixed_precision, linear=None):
        super().__init__()
        self.first = first
        self.stages = nn.Sequential(*stages)
        self.last = last
        self.mixed_precision = mixed_precision
        self.linear = linear

    def forward(self, code):
        """Return images, shape (n_samples, channels, *size)."""
        return self._add_linear(self.images(self.first(code), code.dtype), code)

    def images(self, x, dtype, size=None):
        """Return images made of the smallest maps.

        Parameters
        ----------
        x : tensor of shape (n_samples, n_maps, ...)
        dtype : torch.dtype
        size : tuple of int or None, default=None
            None is that in training.
        """
        *sizes, last = self._sizes(size)
        with precision(self, x):
            for layer in self.stages:
                x = layer(x, sizes.pop(0)) if isinstance(layer, Enlarging) else layer(x)
        return self.last(x.to(dtype), last)

    def _sizes(self, size):
        """Return the size that each layer makes maps larger to, or None."""
        strides = [part.stride for part in (*self.stages, self.last) if isinstance(part, Enlarging)]
        factors = [prod(strides[i:]) for i in range(1, len(strides) + 1)]
        return [size if size is None else smaller(size, factor) for factor in factors]


class SpatialEncoder(ConvEncoder):
    """Encoder whose code is made of maps, of images of any size.

    Parameters
    ----------
    stages, last, mixed_precision
        As for `ConvEncoder`.
    size : tuple of int
        Of the images in training.
    step : int
        Side of what a place of the code stands for.
    """

    def __init__(self, stages, last, mixed_precision, size, step):
        super().__init__(stages, last, mixed_precision)
        self.size, self.step = tuple(size), step

    def forward(self, x):
        size = tuple(x.shape[2:])
        if size == self.size or not is_local(self):
            return super().forward(x)
        tiles = Tiles(self.step, reach(self), (1, Fraction(1, self.step)))
        return tiles.apply(self._maps, x, size).flatten(1)

    def _maps(self, x, size):
        del size
        return self.last(self.maps(x)[-1])


class SpatialDecoder(ConvDecoder):
    """Decoder of codes that are maps, to images of any size.

    Parameters
    ----------
    first, stages, last, mixed_precision
        As for `ConvDecoder`.
    size : tuple of int
        Of the images in training.
    step : int
        Side of what a place of the code stands for.
    """

    takes_target = True

    def __init__(self, first, stages, last, mixed_precision, size, step):
        super().__init__(first, stages, last, mixed_precision)
        self.size, self.step = tuple(size), step

    def forward(self, code, target=None):
        """Return images, shape (n_samples, channels, *size).

        Parameters
        ----------
        code : tensor of shape (n_samples, n_codes)
        target : tensor of shape (n_samples, channels, *size) or None, default=None
            Says how large the images are. Without images, they are as large as in training.
        """
        has_size = target is not None and target.ndim > code.ndim
        size = tuple(target.shape[2:]) if has_size else self.size
        maps = code.unflatten(1, (-1, *smaller(size, self.step)))
        if size == self.size:
            return self.images(self.first(maps), code.dtype)
        if not is_local(self):
            return self._piece(maps, size)
        tiles = Tiles(self.step, reach(self, self.step), (Fraction(1, self.step), 1))
        return tiles.apply(self._piece, maps, size)

    def _piece(self, maps, size):
        return self.images(self.first(maps), maps.dtype, size)


def smaller(size, factor):
    """Return the size of maps that are a number of times smaller."""
    return tuple(ceil(side / factor) for side in size)


def precision(module, x):
    """Return a context in which convolutions are as precise as a module wants them."""
    wanted = module.training and module.mixed_precision
    if wanted == "auto":
        wanted = has_bfloat16(x.device)
    return torch.autocast(x.device.type, torch.bfloat16) if wanted else nullcontext()
