"""Nets on large images: piece by piece, with no seam. torch only."""

from fractions import Fraction
from itertools import product
from math import ceil, prod
from typing import NamedTuple

from torch import nn

#: Pixels of an image that passes through a net as a whole, at most, and pixels of a tile.
MAX_WHOLE, TILE_PIXELS = 2**20, 2**19

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d)
_POOLS = (nn.MaxPool1d, nn.MaxPool2d, nn.AvgPool1d, nn.AvgPool2d)


class Enlarging(nn.Module):
    """Base of layers that make maps larger, by a ``stride``.

    ``forward`` takes maps and the size of the result. Without it, this is the size in training.
    """

    stride = None
    #: How many places away in the maps a result can depend on them.
    n_places = 1


def is_local(module):
    """Say whether a place of the output depends on its surroundings alone, not on all maps."""
    return not any(isinstance(part, nn.GroupNorm) for part in module.modules())


def reach(module, pixels=1):
    """Return how far away the output of a module can depend on its input, an upper bound.

    Parameters
    ----------
    module : nn.Module
        Its parts are in the order in which they are used.
    pixels : int, default=1
        Side of what a place of its input stands for.

    Returns
    -------
    int
        Number of pixels.
    """
    side, radius = Fraction(pixels), Fraction(0)
    for part in module.modules():
        if isinstance(part, _CONVOLUTIONS):
            radius += part.kernel_size[0] // 2 * side
            side *= part.stride[0]
        elif isinstance(part, _POOLS):
            side *= part.kernel_size
            radius += side
        elif isinstance(part, Enlarging):
            radius += part.n_places * side
            side /= part.stride
    return ceil(radius)


class Tiles:
    """Cuts images into tiles with overlaps, so that the result is that of the whole image.

    Parameters
    ----------
    step : int
        Side of what a place of the smallest maps stands for. Tiles begin at multiples of it.
    radius : int
        How far away the output can depend on the input, in pixels.
    scales : tuple (int or Fraction, int or Fraction)
        Size of input and output, relative to the pixels.
    """

    def __init__(self, step, radius, scales):
        self.step, self.scales = step, scales
        self.halo = step * ceil(radius / step)

    def apply(self, function, x, size):
        """Apply a function to images, tile by tile if they are large.

        Parameters
        ----------
        function : callable
            Takes a piece of the images and its size in pixels.
        x : tensor of shape (n_samples, channels, ...)
        size : tuple of int
            Of the images, in pixels.

        Returns
        -------
        tensor of shape (n_samples, n_outputs, ...)
        """
        if prod(size) <= MAX_WHOLE:
            return function(x, size)
        read, written = self.scales
        core = self._core(len(size))
        output = None
        for i, *windows in product(range(len(x)), *(self._windows(n, core) for n in size)):
            piece = x[i : i + 1, :, *(_scaled(window.outer, read) for window in windows)]
            made = function(piece, tuple(window.length for window in windows))
            if output is None:
                whole = (ceil(side * written) for side in size)
                output = made.new_empty(len(x), made.shape[1], *whole)
            place = (_scaled(window.inner, written) for window in windows)
            inner = (_scaled(window.inner, written, window.outer[0]) for window in windows)
            output[i, :, *place] = made[0, :, *inner]
        return output

    def _core(self, n_dims):
        """Return the side of a tile without its overlap, a multiple of the step."""
        side = max(round(TILE_PIXELS ** (1 / n_dims)), self.halo)
        return self.step * ceil(side / self.step)

    def _windows(self, side, core):
        for start in range(0, side, core):
            stop = min(start + core, side)
            outer = max(0, start - self.halo), min(side, stop + self.halo)
            yield _Window((start, stop), outer)


class _Window(NamedTuple):
    """Where a tile is along an axis, without its overlap and with it."""

    inner: tuple
    outer: tuple

    @property
    def length(self):
        """Length of the tile with its overlap."""
        return self.outer[1] - self.outer[0]


def _scaled(ends, scale, origin=0):
    """Return the places of pixels, in units of another scale, as a slice."""
    return slice(*(ceil((end - origin) * scale) for end in ends))
