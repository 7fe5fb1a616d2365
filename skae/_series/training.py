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


def held_out_parts(series_windows, n_folds):
    """Return for each fold and each series where windows that are held out start, and their end.

    Parameters
    ----------
    series_windows : list of Windows
    n_folds : int or None

    Returns
    -------
    list of list of (int, int)
    """
    n_windows = [len(one.usable) for one in series_windows]
    return held_out_blocks(n_windows, n_folds) if n_folds else []


def fit_and_hold_out(original, series_windows, blocks, max_windows, tasks, **fitting):
    """Fit an estimator on windows, and clones of it on all but a stretch of each series.

    Parameters
    ----------
    original : estimator
    series_windows : list of Windows
    blocks : list of list of (int, int)
        What ``held_out_parts`` returned.
    max_windows : int
    tasks : list of Subtask
        Those of the fits for scikit-learn's callbacks.
    **fitting : dict
        Arguments of ``fit_all``.

    Returns
    -------
    estimator : estimator
        Fitted on all.
    of_folds : list of estimator
        Those that are fitted on all but a stretch.
    """
    starts = learned_starts(series_windows, max_windows)
    learned = [starts]
    for fold in blocks:
        parts = zip(starts, fold, series_windows, strict=True)
        learned.append([apart_from(one, block, w.length, len(w.usable)) for one, block, w in parts])
    fits = [
        FitTask(clone(original), _inputs(series_windows, some, original), None, within=task)
        for some, task in zip(learned, tasks, strict=True)
    ]
    estimators = [_estimator_of(fit) for fit in fit_all(fits, in_order=True, **fitting)]
    return estimators[0], estimators[1:]


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
