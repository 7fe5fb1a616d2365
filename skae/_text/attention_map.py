"""Attention maps of translations, and plots of them."""

from math import ceil
from typing import NamedTuple

import numpy as np

from skae.exceptions import missing

#: Sizes in inches, width and height: of a field, and of the smallest and the largest figure.
FIELD, MIN_SIZE, MAX_SIZE = (0.42, 0.36), (3.6, 3.0), (13.0, 11.0)

#: Sizes of the letters of tokens, in points.
SMALLEST, LARGEST = 6.0, 10.0

#: Letters of a token that are shown.
MAX_LETTERS = 24

#: The largest weight that the darkest color stands for, unless there is a larger one.
LEAST_MAXIMUM = 0.25


class AttentionMap(NamedTuple):
    """Attention weights of source tokens for each token of a translation.

    Parameters
    ----------
    source, target : list of str
        The tokens, the end of the text last.
    weights : ndarray of shape (n_target_tokens, n_source_tokens)
        Attention of each target token to each source token. Rows sum to 1.
    """

    source: list
    target: list
    weights: np.ndarray


def draw(attention, ax=None, colorbar=True, **kwargs):
    """Draw an attention map, the darker the higher the weight.

    Parameters
    ----------
    attention : AttentionMap
    ax : matplotlib Axes or None, default=None
        None creates a new figure.
    colorbar : bool, default=True
        Whether to draw the scale of the colors.
    **kwargs : dict
        Keywords of ``imshow``.

    Returns
    -------
    image : AxesImage
        Its ``axes`` are those that were drawn on, its ``colorbar`` is the scale or None.

    Raises
    ------
    ModuleNotFoundError
        If matplotlib is not installed.
    """
    try:
        from matplotlib import pyplot as plt
    except ModuleNotFoundError as error:
        raise missing("matplotlib", "plot") from error
    if ax is None:
        size = np.clip(1.8 + np.multiply(FIELD, attention.weights.shape[::-1]), MIN_SIZE, MAX_SIZE)
        _, ax = plt.subplots(figsize=size, layout="constrained")
    top = max(LEAST_MAXIMUM, attention.weights.max())
    how = {"cmap": "Blues", "vmin": 0, "vmax": top, "aspect": "auto"} | kwargs
    image = ax.imshow(attention.weights, **how)
    box = ax.get_window_extent().transformed(ax.figure.dpi_scale_trans.inverted())
    _write_tokens(
        ax.xaxis, attention.source, box.width, rotation=60, ha="left", rotation_mode="anchor"
    )
    _write_tokens(ax.yaxis, attention.target, box.height)
    ax.tick_params(top=True, labeltop=True, bottom=False, labelbottom=False, length=0)
    ax.xaxis.set_label_position("top")
    ax.set(xlabel="source tokens", ylabel="tokens of the translation")
    if colorbar:
        ax.figure.colorbar(
            image, ax=ax, fraction=0.05, pad=0.02, label="attention weight (rows sum to 1)"
        )
    return image


def _write_tokens(axis, tokens, length, **how):
    """Write tokens along an axis of some inches; if there is no room, every second or third."""
    points = 72 * 0.8 * length / len(tokens)
    step = ceil(SMALLEST / points)
    size = min(LARGEST, max(SMALLEST, points))
    shown = [t if len(t) <= MAX_LETTERS else t[: MAX_LETTERS - 1] + "…" for t in tokens[::step]]
    places = range(0, len(tokens), step)
    axis.set_ticks(places, shown, fontsize=size, parse_math=False, **how)
