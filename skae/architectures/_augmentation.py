"""Random changes of images in training: flips, shifts, crops, colors and more. torch only."""

import torch
from torch import nn
from torch.nn import functional as F

from skae._params import ParameterMixin, StrOptions, integer, parameter_class, real
from skae._runtime import Random
from skae.architectures._base import Architecture

FLIPS = {"horizontal": (-1,), "vertical": (-2,), "both": (-2, -1)}

AUGMENTATION = """\
flips : {"horizontal", "vertical", "both"} or None, default=None
        Flip half of the training images along this axis, other images in each epoch.
    max_shift : int, default=0
        Shift training images along each axis by up to this number of pixels, those of the
        smaller image of a pair. Where an image ends, its edge is repeated.
    max_rotation : float, default=0.0
        Rotate training images by up to this number of degrees, to either side.
    max_crop : float, default=0.0
        Cut off up to this fraction of each side of training images, at random places, and
        enlarge the rest to the full size.
    max_brightness : float, default=0.0
        Multiply the values of each training image by a number that differs from 1 by up to
        this, in [0, 1]. Results stay in the range of the batch. Channels with two values,
        such as masks, stay as they are.
    shuffle_channels : bool, default=False
        Put the channels of training images, such as red, green and blue, in a random order.
        Of pairs, the first channels change places, as many as both images have.
        The net then works for colors that no training image has."""


@parameter_class
class AugmentationParameters(ParameterMixin):
    """What can be changed in images at random, in training alone."""

    flips: str | None = None
    max_shift: int = 0
    max_rotation: float = 0.0
    max_crop: float = 0.0
    max_brightness: float = 0.0
    shuffle_channels: bool = False

    _parameter_constraints = {
        "flips": [StrOptions(set(FLIPS)), None],
        "max_shift": [integer(0)],
        "max_rotation": [real(0, 180, closed="both")],
        "max_crop": [real(0, 1)],
        "max_brightness": [real(0, 1, closed="both")],
        "shuffle_channels": ["boolean"],
    }


class ImageArchitecture(Architecture):
    """Base of architectures for images and signals, with `AugmentationParameters`."""

    #: What the data is read as.
    input_kind = "images"
    training_parameters = (
        "flips",
        "max_shift",
        "max_rotation",
        "max_crop",
        "max_brightness",
        "shuffle_channels",
    )

    def make_augmentation(self, *shapes):
        """Return what changes images at random in training.

        Parameters
        ----------
        *shapes : tuple of int
            (channels, length) or (channels, height, width) of a sample, and of its target
            where there are pairs.

        Returns
        -------
        Augmentation or None
            None if nothing is changed.

        Raises
        ------
        ValueError
            If signals are to be rotated, or single channels to be shuffled.
        """
        if self.max_rotation and len(shapes[0]) < 3:
            raise ValueError(
                f"max_rotation={self.max_rotation} is for images, but the samples are signals, "
                "which have one axis. Leave it 0; max_shift and max_crop move and stretch signals."
            )
        if self.shuffle_channels and min(n_channels for n_channels, *_ in shapes) < 2:
            raise ValueError(
                "shuffle_channels=True changes the order of channels, such as red, green and "
                f"blue, but {_with_one_channel(shapes)} a single one. Leave it False."
            )
        values = [getattr(self, name) for name in self.training_parameters]
        return Augmentation(*values) if any(values) else None


def _with_one_channel(shapes):
    if len(shapes) == 1:
        return "the samples have"
    return "X has" if shapes[0][0] == 1 else "y has"


class Augmentation(Random, nn.Module):
    """Change images of a batch at random, those of pairs alike.

    Parameters
    ----------
    flips, max_shift, max_rotation, max_crop, max_brightness, shuffle_channels
        As for `AugmentationParameters`.
    """

    def __init__(
        self,
        flips=None,
        max_shift=0,
        max_rotation=0.0,
        max_crop=0.0,
        max_brightness=0.0,
        shuffle_channels=False,
    ):
        super().__init__()
        self.axes = FLIPS.get(flips, ())
        self.max_shift = max_shift
        self.max_rotation = max_rotation
        self.max_crop = max_crop
        self.max_brightness = max_brightness
        self.shuffle_channels = shuffle_channels

    @property
    def draws_from_torch(self):
        """Whether random numbers come from torch's own generator."""
        changes = self.axes, self.max_shift, self._resamples, self.max_brightness
        return any(changes) or self.shuffle_channels

    @property
    def _resamples(self):
        return self.max_rotation or self.max_crop

    @torch.no_grad()
    def forward(self, *parts):
        """Return batches of images, changed.

        Parameters
        ----------
        *parts : tensor of shape (n_samples, channels, *size)
            Batches of as many images each: one, or both halves of pairs.

        Returns
        -------
        list of tensor of the same shapes
        """
        for axis in self.axes:
            if -axis <= parts[0].ndim - 2:
                parts = self._flip(parts, axis)
        if self.max_shift:
            parts = self._shift(parts)
        if self._resamples:
            parts = self._resample(parts)
        if self.max_brightness:
            parts = self._brighten(parts)
        if self.shuffle_channels:
            parts = self._shuffle(parts)
        return list(parts)

    def _flip(self, parts, axis):
        x = parts[0]
        coin = torch.rand(len(x), *[1] * (x.ndim - 1), device=x.device) < 0.5
        return [torch.where(coin, images.flip(axis), images) for images in parts]

    def _shift(self, parts):
        x = parts[0]
        least = min(images.shape[-1] for images in parts)
        for axis in range(2, x.ndim):
            by = torch.randint(-self.max_shift, self.max_shift + 1, (len(x),), device=x.device)
            parts = [_shifted(images, axis, by * (images.shape[-1] // least)) for images in parts]
        return parts

    def _resample(self, parts):
        """Return what a rotated window of each image shows, at full size."""
        angle = torch.deg2rad(self.max_rotation * _uniform(parts[0]))
        side = 1 - self.max_crop * _uniform(parts[0]).abs()
        middle = [(1 - side) * _uniform(parts[0]) for _ in range(2)]
        return [_Channels(images).fit(_window(images, angle, side, *middle)) for images in parts]

    def _brighten(self, parts):
        factor = 1 + self.max_brightness * _uniform(parts[0])
        factor = factor.view(-1, *[1] * (parts[0].ndim - 1))
        found = [(images, _Channels(images)) for images in parts]
        return [
            torch.where(channels.are_masks, images, channels.fit(images * factor))
            for images, channels in found
        ]

    def _shuffle(self, parts):
        """Return images with the channels that all of them have in another order."""
        n_channels = min(images.shape[1] for images in parts)
        x = parts[0]
        order = torch.rand(len(x), n_channels, device=x.device).argsort(1)
        order = order.view(*order.shape, *[1] * (x.ndim - 2))
        return [
            torch.cat([images.take_along_dim(order, 1), images[:, n_channels:]], 1)
            for images in parts
        ]


class _Channels:
    """Which values the channels of a batch of images have.

    Parameters
    ----------
    images : tensor of shape (n_samples, channels, *size)

    Attributes
    ----------
    low, high : tensor of shape (1, channels, 1, ...)
        The smallest and the largest value.
    are_masks : boolean tensor of this shape
        Whether there is no other value.
    """

    def __init__(self, images):
        axes = 0, *range(2, images.ndim)
        self.low, self.high = images.amin(axes, keepdim=True), images.amax(axes, keepdim=True)
        is_end = (images == self.low) | (images == self.high)
        self.are_masks = is_end.all(axes, keepdim=True)

    def fit(self, images):
        """Return changed images with values that these channels can have."""
        nearest = torch.where(2 * images > self.low + self.high, self.high, self.low)
        return torch.where(self.are_masks, nearest, images.clamp(self.low, self.high))


def _uniform(images):
    """Draw a number between -1 and 1 for each image."""
    return 2 * torch.rand(len(images), dtype=images.dtype, device=images.device) - 1


def _shifted(images, axis, by):
    """Return images shifted along an axis, each by a number of pixels of its own."""
    side = images.shape[axis]
    places = torch.arange(side, device=by.device) + by[:, None]
    shape = [len(images)] + [1] * (images.ndim - 1)
    shape[axis] = side
    return images.take_along_dim(places.clamp(0, side - 1).view(shape), axis)


def _window(images, angle, side, x, y):
    """Return what a window of each image shows, interpolated, at full size.

    Parameters
    ----------
    images : tensor of shape (n_samples, channels, *size)
    angle : tensor of shape (n_samples,)
        Of the window.
    side : tensor of shape (n_samples,)
        Of the window, as a fraction of that of the image.
    x, y : tensor of shape (n_samples,)
        Middle of the window, where the edges of the image are at -1 and 1.
    """
    planes = images if images.ndim == 4 else images.unsqueeze(2)  # signals are of one line
    height, width = planes.shape[2:]
    sin, cos = side * angle.sin(), side * angle.cos()
    rows = [cos, -sin * height / width, x], [sin * width / height, cos, y]
    theta = torch.stack([torch.stack(row, 1) for row in rows], 1)
    grid = F.affine_grid(theta, planes.shape, align_corners=False)
    found = F.grid_sample(planes, grid, padding_mode="border", align_corners=False)
    return found.reshape(images.shape)
