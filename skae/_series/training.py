"""Fits on the windows of series: one on all, and one for each held-out stretch."""

import numpy as np
from sklearn.base import clone

from skae._outliers.training_scores import NUMERICAL_ERRORS, numerical_error
from skae._series.folds import apart_from, held_out_blocks
from skae._series.judging import input_of
from skae._training.fits import FitTask, fit_all

#: Values of the windows that are learned, at most.
MAX_VALUES = 2**24


def learned_starts(series_windows, max_windows):
    """Return where the windows start that are learned, for each series."""
    starts = [windows.starts(1) for windows in series_windows]
    n_values = series_windows[0].length * series_windows[0].values.shape[1]
    most = max(2, min(max_windows, MAX_VALUES // n_values))
    stride = max(1, -(-sum(map(len, starts)) // most))
    # Series of few windows begin at different places, so that all are learned from.
    return [one[i % stride if len(one) > stride else 0 :: stride] for i, one in enumerate(starts)]


def fit_and_hold_out(original, series_windows, max_windows, n_folds, **fitting):
    """Fit an estimator on windows, and clones of it on all but a stretch of each series.

    Parameters
    ----------
    original : estimator
    series_windows : list of Windows
    max_windows : int
    n_folds : int or None
    **fitting : dict
        Arguments of ``fit_all``.

    Returns
    -------
    estimator : estimator
        Fitted on all.
    of_folds : list of estimator
        Those that are fitted on all but a stretch.
    blocks : list of list of (int, int)
        For each of these and each series, where windows of that stretch start, and their end.
    """
    starts = learned_starts(series_windows, max_windows)
    n_windows = [max(0, one.n_steps - one.length + 1) for one in series_windows]
    length = series_windows[0].length
    blocks = held_out_blocks(n_windows, n_folds) if n_folds else []
    learned = [starts]
    for fold in blocks:
        parts = zip(starts, fold, n_windows, strict=True)
        learned.append([apart_from(one, block, length, n) for one, block, n in parts])
    fits = [FitTask(clone(original), _inputs(series_windows, one, original)) for one in learned]
    estimators = [_estimator_of(fit) for fit in fit_all(fits, in_order=True, **fitting)]
    return estimators[0], estimators[1:], blocks


def _inputs(series_windows, starts, original):
    parts = [windows.at(some) for windows, some in zip(series_windows, starts, strict=True)]
    windows = np.concatenate(parts)
    if not len(windows):
        raise ValueError(
            f"No window of {series_windows[0].length} steps is left to learn from, as values or "
            "steps are missing. Set window to less, or cv=None, or fill the gaps first."
        )
    return input_of(windows, original)


def _estimator_of(fit):
    if isinstance(fit.error, NUMERICAL_ERRORS):
        raise numerical_error(fit.error, fit.estimator) from fit.error
    if fit.error is not None:
        raise fit.error
    return fit.estimator
