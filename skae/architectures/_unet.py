"""U-Nets: from an image to another one of the same scene. torch only."""

from functools import partial
from math import prod

import torch
from torch import nn
from torch.nn import functional as F

from skae._data.image_pairs import scales
from skae._params import StrOptions, integer, parameter_class
from skae.architectures._augmentation import ImageArchitecture
from skae.architectures._base import Layer
from skae.architectures._conv import LAYERS, NORMALIZATION, RESIDUAL_BLOCKS, ConvLayerParameters
from skae.architectures._conv_layers import ConvEncoder, ConvLayers, precision

UNET_CHANNELS = """\
channels : tuple of int or "auto", default="auto"
        Number of feature maps at each size, from that of the input to the smallest. "auto"
        is 16, 32, 64 and 128, or fewer, so that the shorter side keeps at least 4 pixels."""

UNET = f"""\
skip_connections : {{"add", "concatenate"}} or None, default="add"
        How the decoder gets the encoder's maps of each size, so that details need not pass
        through the smallest ones: added to its own, or beside them, which takes longer.
    linear_filter : int, default=5
        Side in pixels, an odd number, of a linear filter of the input whose result is
        added to the output. Where the loss allows, training starts with the filter that
        linear regression finds, and the net learns the rest. 0 leaves it out.
    {RESIDUAL_BLOCKS.format(1)}
    {NORMALIZATION.format('"batch"')}
    {LAYERS}"""


@parameter_class
class UNetParameters(ConvLayerParameters):
    """What can be set of a U-Net."""

    skip_connections: str | None = "add"
    linear_filter: int = 5
    n_residual_blocks: int | tuple = 1
    normalization: str | None = "batch"

    _parameter_constraints = {
        "skip_connections": [StrOptions({"add", "concatenate"}), None],
        "linear_filter": [integer(0)],
    }


@partial(parameter_class, docs={"<channels>": UNET_CHANNELS, "<unet>": UNET})
class UNet(ImageArchitecture, UNetParameters):
    """Architecture of a U-Net, for pairs of images or signals.

    An encoder makes smaller and smaller maps of an image, and a decoder larger and larger
    ones from these, to which the encoder's maps of the same size come [1]_. If the target is
    larger than the input, the last convolution gives a block of pixels for each place
    [2]_; if it is smaller, the first one gets blocks.

    Parameters
    ----------
    <channels>
    <unet>

    See Also
    --------
    skae.ImageToImageRegressor : The estimator with these parameters.

    References
    ----------
    .. [1] O. Ronneberger, P. Fischer and T. Brox, "U-Net: convolutional networks for
       biomedical image segmentation", MICCAI 2015. :arxiv:`1505.04597`
    .. [2] W. Shi et al., "Real-time single image and video super-resolution using an
       efficient sub-pixel convolutional neural network", CVPR 2016. :arxiv:`1609.05158`

    Examples
    --------
    >>> import torch
    >>> from skae.architectures import UNet
    >>> encoder, decoder = UNet(channels=(8, 16)).build((1, 15, 20), (3, 30, 40))
    >>> maps = encoder(torch.zeros(5, 1, 15, 20))
    >>> maps[-1].shape, decoder(maps).shape
    (torch.Size([5, 16, 8, 10]), torch.Size([5, 3, 30, 40]))
    """

    takes_any_size = True
    #: Side of crops of signals and images. Many small steps learn more than wide surroundings.
    auto_crop_sides = 512, 32
    #: Of images that training takes as a whole by default: a batch of larger ones fills the memory.
    most_pixels = 2**17
    _n_full_size_stages = 1
    _min_side = 4

    def build(self, input_shape, output_shape, n_hint_channels=0):
        """Build the encoder and the decoder.

        Parameters
        ----------
        input_shape, output_shape : tuple of int
            (channels, length) or (channels, height, width).
        n_hint_channels : int, default=0
            Further channels that can come behind those of an input, and are 0 if they do not.

        Returns
        -------
        encoder : nn.Module
            Maps ``(n_samples, *input_shape)`` to a list: the input itself, and the maps of
            each size.
        decoder : nn.Module
            Maps such a list to ``(n_samples, *output_shape)``.

        Raises
        ------
        ValueError
            If a parameter is out of its range, the input too small for the stages, or the
            one size not a whole multiple of the other.
        """
        if self.linear_filter and self.linear_filter % 2 == 0:
            raise ValueError(f"linear_filter must be odd or 0; got {self.linear_filter}")
        up_scale, down_scale = scales(input_shape[1:], output_shape[1:])
        n_inputs, *size = input_shape
        n_dims = len(size)
        n_hints = n_hint_channels * down_scale**n_dims
        reduced = (
            n_inputs * down_scale**n_dims + n_hints,
            *(side // down_scale for side in size),
        )
        plan = self._plan(reduced)
        layers = ConvLayers(self, n_dims)
        down = layers.encoder_stages(plan)
        up = [
            _UpStage(layers, plan.widths[i + 1], plan.widths[i], plan.strides[i], plan.sizes[i])
            for i in range(len(plan.strides) - 1, 0, -1)
        ]
        n_values = output_shape[0] * up_scale**n_dims  # of each place
        last = layers.convolution(plan.widths[1], n_values)
        filtered = None
        if self.linear_filter:
            filtered = LinearFilter(self.linear_filter, reduced[0], n_values, n_dims)
        how = down, down_scale, self.mixed_precision
        encoder = HintedEncoder(*how, n_inputs, n_hints) if n_hints else UNetEncoder(*how)
        places = plan.sizes[0], prod(plan.strides)
        decoder = UNetDecoder(up, last, up_scale, filtered, self.mixed_precision, *places)
        return layers.in_fastest_layout(encoder, decoder)


class HalfSizeUNet(UNet):
    """A U-Net whose maps begin at half the size of the input: "auto" leaves the first ones out."""

    _channel_choices = UNet._channel_choices[1:]


class UNetEncoder(ConvEncoder):
    """Stages of convolutions that give the maps of all sizes.

    Parameters
    ----------
    stages : list of nn.Module
    scale : int
        Side of the blocks of pixels that become one place with all their values.
    mixed_precision : bool or "auto"
    """

    def __init__(self, stages, scale, mixed_precision):
        super().__init__(stages, nn.Identity(), mixed_precision)
        self.scale = scale
        _register_units(self)

    @torch.no_grad()
    def standardize(self, x):
        """Learn the mean and standard deviation of the input images."""
        self.mean, self.std = units(x)

    def blocks(self, x):
        """Return what the stages get of images."""
        return self._in_blocks((x - self.mean) / self.std)

    def _in_blocks(self, x):
        excess = [-side % self.scale for side in x.shape[2:]]
        if any(excess):
            x = F.pad(x, [n for side in reversed(excess) for n in (0, side)], mode="replicate")
        return pixel_unshuffle(x, self.scale)

    def forward(self, x):
        x = self.blocks(x)
        return [x, *self.maps(x)]


class HintedEncoder(UNetEncoder):
    """Stages that also get what is known of the output.

    Parameters
    ----------
    stages, scale, mixed_precision
        As for `UNetEncoder`.
    n_channels : int
        Of the images.
    n_hints : int
        How many values of hints a place gets.
    """

    def __init__(self, stages, scale, mixed_precision, n_channels, n_hints):
        super().__init__(stages, scale, mixed_precision)
        self.n_channels, self.n_hints = n_channels, n_hints

    def blocks(self, x):
        image, hints = x.tensor_split([self.n_channels], dim=1)
        image = super().blocks(image)
        if hints.shape[1]:
            hints = self._in_blocks(hints)
        else:
            hints = image.new_zeros(len(image), self.n_hints, *image.shape[2:])
        return torch.cat([image, hints], 1)


class UNetDecoder(Layer):
    """Stages that make maps larger, with those of the encoder beside them.

    Parameters
    ----------
    stages : list of _UpStage
    last : nn.Module
        Gives all values of a block of the output.
    scale : int
        Side of the blocks of pixels.
    linear_filter : LinearFilter or None
    mixed_precision : bool or "auto"
    size : tuple of int
        Of the largest maps in training.
    step : int
        Side of what a place of the smallest maps stands for.
    """

    def __init__(self, stages, last, scale, linear_filter, mixed_precision, size, step):
        super().__init__()
        self.stages = nn.ModuleList(stages)
        self.last = last
        self.scale = scale
        self.linear_filter = linear_filter
        self.mixed_precision = mixed_precision
        self.size, self.step = tuple(size), step
        _register_units(self)

    @torch.no_grad()
    def standardize(self, target):
        """Learn the mean and standard deviation of the target images."""
        self.mean, self.std = units(target)

    def forward(self, maps):
        return self.joined(maps, tuple(maps[0].shape[2:]) == self.size)

    def joined(self, maps, is_as_in_training):
        """Return images made of the encoder's maps, which may have their size in training."""
        image, *maps = maps
        x = maps.pop()
        with precision(self, image):
            for stage in self.stages:
                x = stage(x, maps.pop(), is_as_in_training)
        output = self.last(x.to(image.dtype))
        if self.linear_filter is not None:
            output = output + self.linear_filter(image)
        return pixel_shuffle(output, self.scale) * self.std + self.mean

    @torch.no_grad()
    def start_at_regression(self, image, target):
        """Start at the linear filter that regression finds, if there is one.

        Parameters
        ----------
        image : tensor of shape (n_samples, channels, *size)
            What the encoder gives first.
        target : tensor of shape (n_samples, *output_shape)
        """
        if self.linear_filter is None:
            return
        target = (target - self.mean) / self.std
        self.linear_filter.regress(image, pixel_unshuffle(target, self.scale))
        self.last.weight.zero_()
        self.last.bias.zero_()


def _register_units(module):
    module.register_buffer("mean", torch.zeros(()))
    module.register_buffer("std", torch.ones(()))


def units(x):
    """Return the mean and standard deviation of all values, 1 if they are all the same."""
    std, mean = torch.std_mean(x.double(), correction=0)
    is_constant = std <= 1e-6 * mean.abs()
    return mean.float(), torch.where(is_constant, 1.0, std).float()


class _UpStage(nn.Module):
    """Makes maps larger, and joins the encoder's maps of that size."""

    def __init__(self, layers, n_inputs, n_outputs, stride, size):
        super().__init__()
        self.up = nn.Sequential(
            layers.up(n_inputs, n_outputs, stride, size), *layers.behind(n_outputs)
        )
        self.skip_connections = layers.style.skip_connections
        if self.skip_connections == "concatenate":
            joined = layers.convolution(2 * n_outputs, n_outputs)
            self.join = nn.Sequential(joined, *layers.behind(n_outputs))

    def forward(self, x, skipped, is_as_in_training):
        up, *behind = self.up
        x = up(x, None if is_as_in_training else tuple(skipped.shape[2:]))
        for layer in behind:
            x = layer(x)
        if self.skip_connections == "add":
            return x + skipped
        if self.skip_connections == "concatenate":
            return self.join(torch.cat([x, skipped], 1))
        return x


class LinearFilter(nn.Module):
    """A linear function of the surroundings of each pixel.

    Parameters
    ----------
    side : int
        Of the surroundings, in pixels.
    n_inputs, n_outputs : int
        Numbers of channels.
    n_dims : int
        Number of spatial axes.
    """

    #: Pixels that the regression looks at at a time.
    CHUNK_PIXELS = 2**14
    #: Ridge penalty, as a fraction of the mean square.
    PENALTY = 1e-6

    def __init__(self, side, n_inputs, n_outputs, n_dims):
        super().__init__()
        kind = (nn.Conv1d, nn.Conv2d)[n_dims - 1]
        # With zeros around it, the edge of an image would look like an edge in it.
        self.convolution = kind(
            n_inputs, n_outputs, side, padding=side // 2, padding_mode="replicate"
        )

    def forward(self, x):
        return self.convolution(x)

    def regress(self, x, target):
        """Take the weights of the ridge regression of the targets on surroundings."""
        weight = self.convolution.weight
        n_features, gram, moments = weight[0].numel(), 0.0, 0.0
        n_images = max(1, self.CHUNK_PIXELS // prod(target.shape[2:]))
        for some, wanted in zip(x.split(n_images), target.split(n_images), strict=True):
            features = self._surroundings(some)
            wanted = wanted.movedim(1, -1).flatten(0, -2).double()
            gram = gram + features.t() @ features
            moments = moments + features.t() @ wanted
        penalty = self.PENALTY * gram.diagonal()[:-1].mean()
        gram.diagonal()[:-1].add_(penalty.clamp_min(torch.finfo(gram.dtype).tiny))
        if not (gram.isfinite().all() and moments.isfinite().all()):  # training will say so
            return
        # The default driver gives other last bits at each call.
        found = torch.linalg.lstsq(gram, moments, driver="gelsd").solution.t().to(weight.dtype)
        weight.copy_(found[:, :n_features].reshape(weight.shape))
        self.convolution.bias.copy_(found[:, n_features])

    def _surroundings(self, x):
        """Return the surroundings of all pixels and a 1, shape (n_pixels, n_features + 1)."""
        side, n_dims = self.convolution.kernel_size[0], x.ndim - 2
        x = F.pad(x.double(), [side // 2] * 2 * n_dims, mode="replicate")
        for axis in range(2, 2 + n_dims):
            x = x.unfold(axis, side, 1)
        x = x.movedim(1, 1 + n_dims).flatten(1 + n_dims).flatten(0, n_dims)
        return torch.cat([x, x.new_ones(len(x), 1)], 1)


def pixel_unshuffle(x, side):
    """Return the values of each block of pixels as the channels of one place."""
    if side == 1:
        return x
    if x.ndim == 4:
        return F.pixel_unshuffle(x, side)
    return x.unflatten(2, (-1, side)).movedim(3, 2).flatten(1, 2)


def pixel_shuffle(x, side):
    """Return the channels of each place as the values of a block: undo ``pixel_unshuffle``."""
    if side == 1:
        return x
    if x.ndim == 4:
        return F.pixel_shuffle(x, side)
    return x.unflatten(1, (-1, side)).movedim(2, 3).flatten(2, 3)
