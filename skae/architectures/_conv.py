"""Convolutions, for images and signals."""

from dataclasses import field
from functools import partial
from itertools import pairwise
from math import ceil, prod
from numbers import Integral
from typing import NamedTuple

from torch import nn

from skae._params import StrOptions, integer, parameter_class, real
from skae.architectures._augmentation import (
    AUGMENTATION,
    AugmentationParameters,
    ImageArchitecture,
)
from skae.architectures._conv_layers import (
    ConvDecoder,
    ConvEncoder,
    ConvLayers,
    SpatialDecoder,
    SpatialEncoder,
)
from skae.architectures._dense import ACTIVATIONS, AUTO_SHORTCUT

CHANNELS = """\
channels : tuple of int or "auto", default="auto"
        Number of feature maps of each stage of the encoder, from the input to the code.
        Each stage makes the maps smaller by its stride; the decoder mirrors the stages.
        "auto" is 16, 32, 64 and 128, or fewer, so that the shorter side keeps at least
        7 pixels."""

RESIDUAL_BLOCKS = """\
n_residual_blocks : int or tuple of int, default={0}
        Residual blocks behind each stage, for all that make maps smaller or for each, of
        two convolutions each."""

NORMALIZATION = """\
normalization : {{"batch", "layer"}} or None, default={0}
        Normalization of the maps before the activation."""

LAYERS = f"""\
kernel_size : int, default=3
        Side of the kernels in pixels, an odd number.
    strides : int or tuple of int, default=2
        Factor by which each stage makes the maps smaller, for all stages or for each.
    downsampling : {{"convolution", "max_pool", "average_pool"}}, default="convolution"
        What makes the maps smaller: the stride of the convolution, or pooling behind it,
        which takes several times as long.
    upsampling : {{"transpose", "nearest", "bilinear"}}, default="transpose"
        What makes the maps larger in the decoder: transposed convolution, with kernels
        that are multiples of the stride so that no checkerboard appears, or interpolation
        and a convolution.
    activation : str, default="silu"
        Activation after each convolution, one of those of `skae.architectures.Dense`.
    dropout : float, default=0.0
        Fraction of the maps that are set to zero in training, in [0, 1).
    mixed_precision : bool or "auto", default="auto"
        Whether training computes convolutions in bfloat16, with weights in float32.
        "auto" does so where the device has instructions for it. Inference is always in
        the precision of the input.
    crop_size : int, tuple of int, "auto" or None, default="auto"
        Size of random crops of the images to train on, others in each epoch. "auto" takes
        crops of images of unequal sizes, if the net takes any size then, as it does unless
        codes are dense: of 64 x 64 pixels (a U-Net of 32 x 32) or, of signals, 512 values,
        or fewer if an image is smaller. It takes whole images if all are of one size (a
        U-Net, if they have at most 131,072 pixels), and so does None.
    image_shape : tuple of int or None, default=None
        Shape of flat images, such as (28, 28) or (32, 32, 3). None takes the
        shape of X; flat samples are then signals.
    channels_first : bool, default=False
        Whether X is of shape (n_samples, channels, height, width), not (n_samples,
        height, width, channels).
    spatial_dims : {{1, 2}} or "auto", default="auto"
        1 for signals, of shape (n_samples, length) or (n_samples, length, channels), 2
        for images. "auto" reads flat samples as signals, all others as images.
    {AUGMENTATION}"""

CODE = """\
code : {"dense", "spatial"}, default="dense"
        A dense code is ``n_components`` linear functions of the last maps, a spatial one
        ``n_components`` maps of their size; "auto" are as many as the last stage has.
    hidden_layer_sizes : tuple of int or int, default=128
        Widths of fully connected layers between the last maps and a dense code; ``()`` for
        none.
    shortcut : bool or "auto", default="auto"
        Add to the output of encoder and decoder a linear map of their input, as
        `skae.architectures.Dense` does. Where the loss allows, training then starts at
        the principal components of the images. Only for dense codes. "auto" does so if
        the map has at most 8 million weights."""

CONVOLUTION = "\n    ".join(
    [CHANNELS, CODE, RESIDUAL_BLOCKS.format(0), NORMALIZATION.format('"batch"'), LAYERS]
)


@parameter_class
class ConvLayerParameters(AugmentationParameters):
    """What can be set of nets that are made of convolutions."""

    channels: tuple | str = field(default="auto", kw_only=False)
    kernel_size: int = 3
    strides: int | tuple = 2
    downsampling: str = "convolution"
    upsampling: str = "transpose"
    activation: str = "silu"
    dropout: float = 0.0
    mixed_precision: bool | str = "auto"
    crop_size: int | tuple | str | None = "auto"
    image_shape: tuple | None = None
    channels_first: bool = False
    spatial_dims: int | str = "auto"

    _parameter_constraints = {
        "channels": ["array-like", integer(1), StrOptions({"auto"})],
        "kernel_size": [integer(1)],
        "strides": ["array-like", integer(1)],
        "downsampling": [StrOptions({"convolution", "max_pool", "average_pool"})],
        "upsampling": [StrOptions({"transpose", "nearest", "bilinear"})],
        "n_residual_blocks": ["array-like", integer(0)],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "normalization": [StrOptions({"batch", "layer"}), None],
        "dropout": [real(0, 1)],
        "mixed_precision": ["boolean", StrOptions({"auto"})],
        "crop_size": [integer(1), "array-like", StrOptions({"auto"}), None],
        "image_shape": ["array-like", None],
        "channels_first": ["boolean"],
        "spatial_dims": [integer(1, 2), StrOptions({"auto"})],
    }

    #: How many stages, from the first on, leave the size as it is.
    _n_full_size_stages = 0
    #: The channels that "auto" chooses from, and the least side of the maps in pixels.
    _channel_choices, _min_side = (16, 32, 64, 128), 7

    def _plan(self, input_shape):
        """Return the sizes of all stages, a `Plan`, or say what does not fit."""
        self._validate_params()
        if self.kernel_size % 2 == 0:
            raise ValueError(
                f"kernel_size must be odd, so that kernels have a middle; got {self.kernel_size}"
            )
        if len(input_shape) not in (2, 3):
            raise ValueError(
                f"{type(self).__name__} needs samples of shape (channels, length) or (channels, "
                f"height, width), not {tuple(input_shape)}"
            )
        n_inputs, *size = input_shape
        channels = self.channels
        if isinstance(channels, str):
            channels = self._auto_channels(min(size))
        channels = _integers("channels", channels)
        if not len(channels):
            raise ValueError("channels must hold at least one number, such as (16,)")
        n_stages = len(channels)
        strides = self._of_each_stage("strides", n_stages, 1)
        n_blocks = self._of_each_stage("n_residual_blocks", n_stages, 0)
        sizes = [tuple(size)]
        for stride in strides:
            sizes.append(tuple(ceil(n / stride) for n in sizes[-1]))
        plan = Plan((n_inputs, *channels), strides, sizes, n_blocks)
        fitting = plan.n_fitting
        if fitting < len(channels):
            raise ValueError(
                f"channels={self.channels} has {len(channels)} stages, but samples of size "
                f"{' x '.join(map(str, size))} with strides={self.strides} are down to one pixel "
                f"after {fitting}. Give at most {fitting} channels, or smaller strides; as it is, "
                f"images need a side of at least {plan.least_side} pixels."
            )
        return plan

    def _of_each_stage(self, name, n_stages, at_full_size):
        """Return a parameter as one number for each stage, whatever it is given as."""
        value, n_smaller = getattr(self, name), n_stages - self._n_full_size_stages
        numbers = _integers(name, value, at_full_size, n_smaller)
        if len(numbers) != n_smaller:
            raise ValueError(
                f"channels={self.channels!r} makes maps smaller {max(n_smaller, 0)} times, but "
                f"{name}={value!r} has {len(numbers)} numbers. Give as many, or one for all."
            )
        return (at_full_size,) * self._n_full_size_stages + numbers

    def _auto_channels(self, side):
        n_full_size, many = self._n_full_size_stages, self._channel_choices
        if not isinstance(self.strides, Integral):
            return many[: n_full_size + len(self.strides)]
        sides = [ceil(side / self.strides ** (n - n_full_size)) for n in range(1, len(many) + 1)]
        return many[: max(1, sum(side >= self._min_side for side in sides))]


@parameter_class
class ConvParameters(ConvLayerParameters):
    """What can be set of an encoder and a decoder made of convolutions."""

    code: str = "dense"
    hidden_layer_sizes: tuple | int = 128
    shortcut: bool | str = "auto"
    n_residual_blocks: int | tuple = 0
    normalization: str | None = "batch"

    _parameter_constraints = {
        "code": [StrOptions({"dense", "spatial"})],
        "hidden_layer_sizes": ["array-like", integer(1)],
        "shortcut": ["boolean", StrOptions({"auto"})],
    }


@partial(parameter_class, docs={"<convolution>": CONVOLUTION})
class Conv(ImageArchitecture, ConvParameters):
    """Architecture of convolutions, for images and signals.

    The encoder's stages halve the size of the maps, and fully connected layers turn the last
    maps into the code. The decoder mirrors the encoder. Its images have exactly the size of
    the input, also where a side is an odd number.

    Parameters
    ----------
    <convolution>

    See Also
    --------
    skae.ConvAutoencoder : The plain autoencoder with these parameters.

    References
    ----------
    A. Odena, V. Dumoulin and C. Olah, "Deconvolution and checkerboard artifacts", Distill,
    2016. :doi:`10.23915/distill.00003`

    K. He, X. Zhang, S. Ren and J. Sun, "Identity mappings in deep residual networks",
    ECCV 2016. :arxiv:`1603.05027`

    Examples
    --------
    >>> import torch
    >>> from skae.architectures import Conv
    >>> encoder, decoder = Conv(channels=(8, 16)).build((1, 27, 20), 4, 4)
    >>> code = encoder(torch.zeros(5, 1, 27, 20))
    >>> code.shape, decoder(code).shape
    (torch.Size([5, 4]), torch.Size([5, 1, 27, 20]))
    """

    @property
    def code_has_places(self):
        """Whether a code is made of maps, whose numbers have places."""
        return self.code == "spatial"

    @property
    def takes_any_size(self):
        """Whether a net takes images of other sizes than those of the training."""
        return self.code_has_places

    def code_length(self, input_shape, n_components):
        """Return the length of the code.

        Parameters
        ----------
        input_shape : tuple of int
            (channels, length) or (channels, height, width) of the input.
        n_components : int or "auto"
            Length of a dense code, number of maps of a spatial one. "auto" are as many
            maps as the last stage has.

        Returns
        -------
        int or "auto"
            "auto" for a dense code that leaves the choice to the estimator.
        """
        if self.code == "dense":
            return n_components
        plan = self._plan(input_shape)
        n_maps = plan.widths[-1] if n_components == "auto" else n_components
        return n_maps * prod(plan.sizes[-1])

    def build(self, input_shape, encoder_width, code_width):
        """Build the encoder and the decoder.

        Parameters
        ----------
        input_shape : tuple of int
            (channels, length) or (channels, height, width) of the input.
        encoder_width : int
            Number of outputs of the encoder.
        code_width : int
            Number of inputs of the decoder.

        Returns
        -------
        encoder : nn.Module
            Maps ``(n_samples, *input_shape)`` to ``(n_samples, encoder_width)``.
        decoder : nn.Module
            Maps ``(n_samples, code_width)`` to ``(n_samples, *input_shape)``.

        Raises
        ------
        ValueError
            If a parameter is out of its range, or the input too small for the stages.
        """
        plan = self._plan(input_shape)
        layers = ConvLayers(self, n_dims=len(input_shape) - 1)
        down = layers.encoder_stages(plan)
        last, *up = (
            layers.up(wide, narrow, stride, size)
            for (narrow, wide), stride, size in zip(
                pairwise(plan.widths), plan.strides, plan.sizes, strict=False
            )
        )
        make = self._spatial_code if self.code_has_places else self._dense_code
        hidden, to_code, from_code = make(layers, plan, encoder_width, code_width)
        stages = layers.residual_blocks(plan.widths[-1], plan.n_blocks[-1])
        for i in range(len(up), 0, -1):
            n_maps = plan.widths[i]
            stages += [up[i - 1], *layers.behind(n_maps)]
            stages += layers.residual_blocks(n_maps, plan.n_blocks[i - 1])
        if self.code_has_places:
            places = plan.sizes[0], prod(plan.strides)
            modules = (
                SpatialEncoder(down, to_code, self.mixed_precision, *places),
                SpatialDecoder(from_code, stages, last, self.mixed_precision, *places),
            )
        else:
            linear = self._shortcuts(prod(input_shape), encoder_width, code_width)
            modules = (
                ConvEncoder([*down, *hidden], to_code, self.mixed_precision, linear[0]),
                ConvDecoder(from_code, stages, last, self.mixed_precision, linear[1]),
            )
        return layers.in_fastest_layout(*modules)

    def _shortcuts(self, n_values, encoder_width, code_width):
        """Return the linear maps to a dense code and back, or None for each."""
        is_small = n_values * encoder_width <= AUTO_SHORTCUT
        if not (is_small if self.shortcut == "auto" else self.shortcut):
            return None, None
        return nn.Linear(n_values, encoder_width), nn.Linear(code_width, n_values)

    def _dense_code(self, layers, plan, encoder_width, code_width):
        """Return what stands behind the stages of the encoder, its last layer, and how the
        decoder begins."""
        n_maps, size = plan.widths[-1], plan.sizes[-1]
        hidden = _integers("hidden_layer_sizes", self.hidden_layer_sizes)
        widths = n_maps * prod(size), *hidden

        def activation():
            return ACTIVATIONS[self.activation]()

        before, after = [nn.Flatten()], [nn.Linear(code_width, widths[-1])]
        for wide, narrow in pairwise(widths):
            before += [nn.Linear(wide, narrow), activation()]
        for wide, narrow in reversed(list(pairwise(widths))):
            after += [activation(), nn.Linear(narrow, wide)]
        after += [nn.Unflatten(1, (n_maps, *size)), *layers.behind(n_maps)]
        last = nn.Linear(widths[-1], encoder_width)
        return [nn.Sequential(*before)], last, nn.Sequential(*after)

    def _spatial_code(self, layers, plan, encoder_width, code_width):
        n_maps, size = plan.widths[-1], plan.sizes[-1]
        n_encoded, n_codes = encoder_width // prod(size), code_width // prod(size)
        to_code = layers.convolution(n_maps, n_encoded, kernel_size=1)
        from_code = layers.convolution(n_codes, n_maps, kernel_size=1)
        return [], to_code, nn.Sequential(from_code, *layers.behind(n_maps))


class Plan(NamedTuple):
    """Number of maps and their size before and behind each stage."""

    widths: tuple
    strides: tuple
    sizes: list
    n_blocks: tuple

    @property
    def n_fitting(self):
        """Number of stages, counted from the first, that have something to make smaller."""
        stages = zip(self.strides[1:], self.sizes[1:], strict=False)
        fits = [stride == 1 or max(size) > 1 for stride, size in stages]
        return 1 + (fits.index(False) if False in fits else len(fits))

    @property
    def least_side(self):
        """Length of the longer side in pixels from which on all stages have something to do."""
        return 1 + max(
            (prod(self.strides[:i]) for i, stride in enumerate(self.strides) if i and stride > 1),
            default=0,
        )


def _integers(name, value, least=1, n_needed=1):
    """Return a parameter as a tuple of integers, a single one as often as needed."""
    values = (value,) * n_needed if isinstance(value, Integral) else tuple(value)
    if not all(isinstance(v, Integral) and v >= least for v in values):
        raise ValueError(
            f"The {name!r} parameter must hold integers of at least {least}, such as (16, 32). Got "
            f"{value!r}."
        )
    return tuple(int(v) for v in values)
