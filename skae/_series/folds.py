"""Which windows are held out together: blocks of neighbors, apart from what is learned."""

import numpy as np


def held_out_blocks(n_windows, n_folds):
    """Cut the windows of series into blocks.

    Parameters
    ----------
    n_windows : list of int
        Number of windows of each series, one at each step.
    n_folds : int

    Returns
    -------
    list of list of (int, int)
        For each fold and each series the first window and the end of its block. A series with
        fewer windows than folds lies in a single fold.
    """
    n_folds = min(n_folds, sum(n_windows))
    folds = [[] for _ in range(n_folds)]
    for i, n in enumerate(n_windows):
        edges = np.linspace(0, n, n_folds + 1).astype(int)
        for k, fold in enumerate(folds):
            whole = (0, n) if i % n_folds == k else (0, 0)
            fold.append((edges[k], edges[k + 1]) if n >= n_folds else whole)
    return folds


def apart_from(starts, block, length, n_windows):
    """Return the windows that share no step with a block, or few if the series is short.

    Parameters
    ----------
    starts : ndarray of int
        Where windows start.
    block : (int, int)
        First window that is held out, and their end.
    length : int
        Steps of a window.
    n_windows : int
        Number of windows of the series.

    Returns
    -------
    ndarray of int
    """
    first, end = block
    if first == end:
        return starts
    margin = min(length - 1, n_windows // 4)
    return starts[(starts < first - margin) | (starts >= end + margin)]
