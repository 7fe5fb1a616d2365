"""Hints: pixels of the answer that are given beside the input. torch only."""

from functools import partial

import torch
from torch import nn
from torch.nn import functional as F

from skae.architectures._unet import pixel_unshuffle, units

#: Side of the largest patch that a hint of the training has, and the least side of an image, in
#: such patches.
MAX_SIDE, LEAST_SIDES = 4, 8

#: Products by which places along each axis become places in a signal or an image.
_JOINED = {1: "nhi->ni", 2: "nhi,nhj->nij"}
_POOLS, _MODES = {1: F.avg_pool1d, 2: F.avg_pool2d}, {1: "linear", 2: "bilinear"}


class NoHints(nn.Module):
    """No hints: nothing comes beside the input."""

    n_channels = 0

    def drawn(self, x, target, loss, generator=None):
        """Return what a net gets in training for inputs and their targets."""
        del target, loss, generator
        return x


class Hints(NoHints):
    """Hints as channels behind those of the input, in training drawn from the targets.

    Few hints are as frequent as many: the logarithm of their number is about uniform. In training,
    a hint is a patch, since users may give more than a pixel of a thing [1]_.

    Parameters
    ----------
    max_hints : int
        Hints of an image in training, at most.
    x, target : tensor of shape (n_samples, channels, *size)
        Some training pairs.
    loss : Loss
        Says what a net gets of a pixel.

    References
    ----------
    .. [1] R. Zhang et al., "Real-time user-guided image colorization with learned deep priors",
       ACM Transactions on Graphics 36, 2017. :arxiv:`1705.02999`
    """

    def __init__(self, max_hints, x, target, loss):
        super().__init__()
        self.max_hints = max_hints
        mean, std = units(loss.hint_values(target))
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)
        self.n_channels = self.beside(x[:1], target[:1], loss).shape[1] - x.shape[1]

    def drawn(self, x, target, loss, generator=None):
        return self.beside(x, self.draw(target, generator), loss)

    def beside(self, x, given, loss):
        """Return inputs with channels of hints behind their own.

        Parameters
        ----------
        x : tensor of shape (n_samples, channels, *size)
        given : tensor of shape (n_samples, n_values, *target_size)
            Pixels of the answer, NaN where nothing is given. The size is a multiple of that of the
            inputs, or a fraction.
        loss : Loss

        Returns
        -------
        tensor of shape (n_samples, channels + n_channels, *size)
        """
        channels, size = self._channels(loss.hint_values(given)), x.shape[2:]
        if channels.shape[-1] > size[-1]:
            return torch.cat([x, pixel_unshuffle(channels, channels.shape[-1] // size[-1])], 1)
        return torch.cat([x, F.interpolate(channels, size)], 1)

    def _channels(self, values):
        """Return values from hints spread over images, and a channel of how near the hints are."""
        is_given = ~values.isnan()
        standardized = torch.where(is_given, (values - self.mean) / self.std, 0.0)
        return spread(torch.cat([standardized, is_given[:, :1].to(values.dtype)], 1))

    def draw(self, target, generator=None):
        """Return targets with NaN in all pixels that are not drawn as hints.

        Parameters
        ----------
        target : tensor of shape (n_samples, channels, *size)
        generator : torch.Generator or None, default=None

        Returns
        -------
        tensor of the same shape
        """
        draw = partial(torch.rand, generator=generator, device=target.device)
        n, _, *size = target.shape
        count = ((self.max_hints + 2) ** draw(n, 1)).floor() - 1
        is_drawn = torch.arange(self.max_hints, device=target.device) < count
        largest = min(MAX_SIDE, max(1, min(size) // LEAST_SIDES))
        side = 1 + (largest * draw(n, self.max_hints, 1)).floor()
        inside = []
        for length in size:
            start = ((length - side + 1) * draw(n, self.max_hints, 1)).floor()
            offset = torch.arange(length, device=target.device) - start
            inside.append(((offset >= 0) & (offset < side) & is_drawn[..., None]).float())
        is_given = torch.einsum(_JOINED[len(size)], *inside) > 0
        return torch.where(is_given[:, None], target, torch.nan)


def spread(known):
    """Fill maps from a few places that are known, by pull and push [1]_.

    Maps are summed up to smaller and smaller ones until each place knows something, and each place
    that knows nothing takes what the next smaller map has there.

    Parameters
    ----------
    known : tensor of shape (n_samples, n_values + 1, *size)
        Values, 0 where they are not known, and a last channel of 1 where they are and 0 elsewhere.

    Returns
    -------
    tensor of the same shape
        The last channel is halved with each smaller map that values come from.

    References
    ----------
    .. [1] S. J. Gortler et al., "The lumigraph", SIGGRAPH 1996. :doi:`10.1145/237170.237200`
    """
    count = known[:, -1:]
    mean, weight = known / count.clamp_min(1), count.clamp_max(1)
    if max(known.shape[2:]) == 1:
        return mean
    n_dims, size = known.ndim - 2, known.shape[2:]
    even = F.pad(known, [n for side in reversed(size) for n in (0, side % 2)])
    smaller = spread(2**n_dims * _POOLS[n_dims](even, 2))
    values = F.interpolate(smaller, scale_factor=2, mode=_MODES[n_dims])[..., *map(slice, size)]
    nearness = torch.cat([values[:, :-1], values[:, -1:] / 2], 1)
    return weight * mean + (1 - weight) * nearness
