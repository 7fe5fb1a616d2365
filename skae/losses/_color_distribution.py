"""A distribution over colors at each place, for pictures made from gray ones. torch only."""

from math import prod

import torch
from torch import nn
from torch.nn import functional as F

from skae.losses._base import Loss
from skae.losses._lab import lab_to_rgb, lightness, rgb_to_lab

#: Distance of neighboring colors on the axes a and b, and the standard deviation of the Gaussian
#: by which a true color counts as the colors around it.
STEP, SIGMA = 12.0, 6.0
#: Least fraction of the places of the training pictures that a color has to have.
LEAST_FRACTION = 3e-5
#: Pixels of training pictures that the frequencies of colors are learned from, at most, and how
#: many at a time.
MAX_PIXELS, CHUNK_PIXELS = 2**19, 2**16
#: Least side of pictures whose colors are predicted at half their size.
MIN_HALVED_SIDE = 16
#: Sides of the cube of sRGB colors that show which ones there are.
N_SHADES = 33


class ColorDistribution(Loss):
    """Cross-entropy of a distribution over colors at each place of a picture [1]_.

    A color is a point in the plane of a and b of CIE L*a*b*, on a grid of those that pictures can
    have. The net gives one channel for each color, and behind them the gray picture, whose
    lightness the answer keeps. Colors vary slowly over a picture, so they are predicted at half
    its size if it has even sides.

    In answers, rare colors weigh more, or all would be grayish. In [1]_ they weigh more in the
    loss. The net that minimizes such a loss gives the probabilities times the weights, which needs
    no other net [2]_.

    Parameters
    ----------
    rebalancing : float, default=0.2
        How much frequent colors weigh less than rare ones in answers, from 0 to 1. A color weighs
        one over this fraction of its frequency in the training pictures, plus the rest of the
        same frequency for all colors. With 0 all weigh the same.

    References
    ----------
    .. [1] R. Zhang, P. Isola and A. A. Efros, "Colorful image colorization", ECCV 2016.
       :arxiv:`1603.08511`
    .. [2] A. K. Menon et al., "Long-tail learning via logit adjustment", ICLR 2021.
       :arxiv:`2007.07314`
    """

    from_logits = True
    takes_input = True
    input_range = target_range = (0.0, 1.0)

    def __init__(self, rebalancing=0.2):
        super().__init__()
        self.rebalancing = rebalancing

    def check_shapes(self, input_shape, target_shape):
        name, size = "loss='color_distribution'", " x ".join(map(str, input_shape[1:]))
        if len(input_shape) != 3 or input_shape[0] != 1:
            raise ValueError(
                f"{name} needs X with one channel, gray pictures of shape (height, width) or "
                f"(height, width, 1); got {input_shape[0]} channels of size {size}. Make pictures "
                "gray first, such as by skimage.color.rgb2gray."
            )
        if target_shape[0] != 3:
            raise ValueError(
                f"{name} needs y with three channels, red, green and blue; got {target_shape[0]}. "
                "Leave out alpha; of channels that are first, say so by channels_first=True."
            )
        if target_shape[1:] != input_shape[1:]:
            other = " x ".join(map(str, target_shape[1:]))
            raise ValueError(
                f"{name} needs X and y of one size, as the answer keeps the lightness of X; got "
                f"{size} and {other}. Resize X."
            )

    @torch.no_grad()
    def setup(self, dataset):
        """Learn which colors there are, and their weights.

        Parameters
        ----------
        dataset : skae data set
            The training pictures.
        """
        _, *size = dataset.sample_shape
        self.scale = 2 if all(s % 2 == 0 and s >= MIN_HALVED_SIDE for s in size) else 1
        colors = _all_colors()
        frequency = self._frequency(dataset, colors)
        occurs = frequency >= LEAST_FRACTION
        frequency = frequency[occurs] / frequency[occurs].sum()
        balanced = self.rebalancing * frequency + (1 - self.rebalancing) / len(frequency)
        self.register_buffer("colors", colors[occurs])
        self.register_buffer("log_weight", -balanced.log().float())

    def _frequency(self, dataset, colors):
        """Return how frequent colors are, as fractions of all places."""
        n_pixels = prod(dataset.sample_shape[1:])
        sample = dataset.subsample(max(1, MAX_PIXELS // n_pixels))
        rgb, _ = sample.get_batch(slice(None), torch.float32)
        count = sum(
            _membership(self._places(some), colors).sum((0, 2, 3), dtype=torch.float64)
            for some in rgb.split(max(1, CHUNK_PIXELS // n_pixels))
        )
        return count / count.sum()

    def _places(self, rgb):
        """Return a and b of each place, shape (n_samples, 2, height, width)."""
        ab = rgb_to_lab(rgb)[:, 1:]
        return F.avg_pool2d(ab, self.scale) if self.scale > 1 else ab

    def output_shape(self, target_shape):
        return len(self.colors), *(side // self.scale for side in target_shape[1:])

    def make_activation(self):
        return ColorAnswer(self.colors, self.log_weight, self.scale)

    def choose(self, activation, temperature, rng=None):
        del activation
        how = self.colors, self.log_weight, self.scale, temperature
        return ColorAnswer(*how) if rng is None else ColorSample(*how, rng)

    def hint_values(self, hints):
        """Return a and b of given pixels: their lightness is that of the gray picture.

        Parameters
        ----------
        hints : tensor of shape (n_samples, 3, *size)
            Red, green and blue, NaN where nothing is given.

        Returns
        -------
        tensor of shape (n_samples, 2, *size)
            NaN at the same places.
        """
        return rgb_to_lab(hints)[:, 1:]

    def with_hints(self, prediction, hints):
        """Return pictures with the hue and chroma of given pixels, and their own lightness.

        Parameters
        ----------
        prediction : tensor of shape (n_samples, 3, *size)
            Predicted pictures.
        hints : tensor of the same shape
            NaN where nothing is given.

        Returns
        -------
        tensor of the same shape
            The predictions elsewhere.
        """
        colored = lab_to_rgb(rgb_to_lab(prediction)[:, :1], self.hint_values(hints))
        return torch.where(hints.isnan(), prediction, colored)

    def forward(self, prediction, target):
        """Return the cross-entropy of each picture, a mean over its places.

        Parameters
        ----------
        prediction : tensor of shape (n_samples, n_colors + n_pixels, height, width)
            A channel for each color, and the pixels of each place of the gray picture.
        target : tensor of shape (n_samples, 3, *size)
            Pictures in red, green and blue.

        Returns
        -------
        tensor of shape (n_samples,)
            One value per picture.
        """
        logits = prediction[:, : len(self.colors)]
        membership = _membership(self._places(target), self.colors)
        entropy = logits.logsumexp(1) - (membership * logits).sum(1)
        return entropy.mean((1, 2))


class ColorAnswer(nn.Module):
    """Makes pictures of distributions over colors, by their annealed mean [1]_.

    Parameters
    ----------
    colors : tensor of shape (n_colors, 2)
        a and b of each color.
    log_weight : tensor of shape (n_colors,)
        Logarithm of the weight of each color in the mean.
    scale : int
        Side of the block of pixels at each place.
    temperature : float, default=1.0
        What logarithms of probabilities are divided by, before the mean over all colors: 1
        leaves the distribution as it is, 0 is its most probable color.

    References
    ----------
    .. [1] R. Zhang, P. Isola and A. A. Efros, "Colorful image colorization", ECCV 2016.
       :arxiv:`1603.08511`
    """

    def __init__(self, colors, log_weight, scale, temperature=1.0):
        super().__init__()
        self.register_buffer("colors", colors)
        self.register_buffer("log_weight", log_weight)
        self.scale, self.temperature = scale, temperature

    def forward(self, output):
        """Return pictures.

        Parameters
        ----------
        output : tensor of shape (n_samples, n_colors + n_pixels, height, width)

        Returns
        -------
        tensor of shape (n_samples, 3, *size)
        """
        n_colors = len(self.colors)
        logits, gray = output[:, :n_colors], output[:, n_colors:]
        logits = logits + self._shift(logits)[:, :, None, None]
        ab = torch.einsum("nqhw,qc->nchw", self._annealed(logits), self.colors)
        if self.scale > 1:
            gray = F.pixel_shuffle(gray, self.scale)
            ab = F.interpolate(ab, scale_factor=self.scale, mode="bilinear", align_corners=False)
        return lab_to_rgb(lightness(gray.clamp(0, 1)), ab)

    def _shift(self, logits):
        """Return what is added to the logits of each picture."""
        return self.log_weight[None]

    def _annealed(self, logits):
        """Return probabilities, sharpened by the temperature."""
        if self.temperature == 0:
            return F.one_hot(logits.argmax(1), logits.shape[1]).movedim(-1, 1).to(logits)
        return ((logits - logits.amax(1, keepdim=True)) / self.temperature).softmax(1)


class ColorSample(ColorAnswer):
    """Makes pictures of colors that are drawn from distributions.

    Gumbel noise makes a sample of the most probable color [1]_. All places of a picture get the
    same noise, so that one thing gets one color. Colors have no weights.

    Parameters
    ----------
    colors, log_weight, scale, temperature
        As for `ColorAnswer`.
    rng : RandomState
        Source of the noise.

    References
    ----------
    .. [1] C. J. Maddison, D. Tarlow and T. Minka, "A* sampling", NeurIPS 2014.
       :arxiv:`1411.0030`
    """

    def __init__(self, colors, log_weight, scale, temperature, rng):
        super().__init__(colors, log_weight, scale, temperature)
        self.rng = rng

    def _shift(self, logits):
        return torch.from_numpy(self.rng.gumbel(size=logits.shape[:2])).to(logits)


def _membership(ab, colors):
    """Return how much each place counts as each color, shape (n_samples, n_colors, *size)."""
    # Minus half the squared distance, but for what all colors have in common.
    near = torch.einsum("nchw,qc->nqhw", ab, colors)
    near = near - colors.square().sum(1)[:, None, None] / 2
    return (near / SIGMA**2).softmax(1)


def _all_colors():
    """Return a and b of the points of the grid that are near an sRGB color."""
    shades = torch.linspace(0, 1, N_SHADES)
    ab = rgb_to_lab(torch.cartesian_prod(shades, shades, shades).t()[None])[0, 1:].t()
    return STEP * (ab / STEP).round().unique(dim=0)
