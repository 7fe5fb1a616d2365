"""Attention maps of translations, and plots of them."""

from typing import NamedTuple

import numpy as np

from skae.exceptions import missing


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


def draw(attention, ax=None):
    """Draw an attention map, the darker the higher the weight; return the axes."""
    try:
        from matplotlib import pyplot as plt
    except ModuleNotFoundError as error:
        raise missing("matplotlib", "plot") from error
    if ax is None:
        n_rows, n_columns = attention.weights.shape
        _, ax = plt.subplots(figsize=(1 + 0.5 * n_columns, 1 + 0.4 * n_rows), layout="constrained")
    ax.imshow(attention.weights, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    ax.set_xticks(range(len(attention.source)), attention.source, rotation=60, ha="left")
    ax.set_yticks(range(len(attention.target)), attention.target)
    ax.tick_params(top=True, labeltop=True, bottom=False, labelbottom=False, length=0)
    ax.set(xlabel="source", ylabel="translation")
    return ax
