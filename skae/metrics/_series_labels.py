"""Anomalies in series as metrics take them: one label a step, in one series or several."""

import numpy as np

from skae._data.checks import as_numbers


def read_series(y_true, y, name):
    """Return the labels of each series, and scores or predictions of its steps.

    Parameters
    ----------
    y_true : array-like of shape (n_steps,), or list of such
        1 for the steps of anomalies, 0 for others.
    y : array-like of shape (n_steps,), or list of such
        What is to be judged.
    name : str
        What errors call ``y``.

    Returns
    -------
    pairs : list of (ndarray of bool, ndarray), each of shape (n_steps,)
        A pair for each series.
    names : list of (str, str)
        What errors call the two.

    Raises
    ------
    ValueError
        If lengths differ, labels are not 0 and 1, or a value of ``y`` is not finite.
    """
    if not _is_many(y_true):
        return [_read_one(y_true, y, "y_true", name)], [("y_true", name)]
    if not _is_many(y) or len(y_true) != len(y):
        raise ValueError(
            f"y_true and {name} must hold the same number of series; y_true holds {len(y_true)}, "
            f"and {name} {f'{len(y)}' if _is_many(y) else 'is a single one'}"
        )
    names = [(f"y_true[{i}]", f"{name}[{i}]") for i in range(len(y))]
    pairs = zip(y_true, y, names, strict=True)
    return [_read_one(labels, values, *of) for labels, values, of in pairs], names


def _is_many(y):
    """Say whether there are several series: a list of them, or the rows of an array."""
    return isinstance(y, (list, tuple, np.ndarray)) and len(y) > 0 and np.ndim(y[0]) > 0


def _read_one(y_true, y, true_name, name):
    y_true, y = as_numbers(y_true, true_name), as_numbers(y, name)
    for array, of in ((y_true, true_name), (y, name)):
        if array.ndim != 1 or not len(array):
            raise ValueError(
                f"{of} must hold one number for each step, shape (n_steps,); got {array.shape}. "
                "Of several features, take the mean or the maximum."
            )
        if not np.isfinite(array).all():
            step = int(np.flatnonzero(~np.isfinite(array))[0])
            raise ValueError(
                f"{of} holds {array[step]} at step {step}. Leave such steps out of both arrays, or "
                "give them a number."
            )
    if len(y_true) != len(y):
        raise ValueError(
            f"{true_name} and {name} must be of the same length; got {len(y_true)} and {len(y)}"
        )
    return as_labels(y_true, true_name), y


def as_labels(y, name):
    """Return numbers 0 and 1 as bool, or say what is wrong with them."""
    if not np.isin(y, [0, 1]).all():
        raise ValueError(
            f"{name} must hold 1 for the steps of anomalies and 0 for others; got "
            f"{np.unique(y)[:5].tolist()}. Of an outlier detector, take predict(X) == -1."
        )
    return y.astype(bool)


def find_ranges(labels):
    """Return where anomalies start, and the steps behind their ends.

    Parameters
    ----------
    labels : ndarray of bool, shape (n_steps,)

    Returns
    -------
    starts, ends : ndarray of int, shape (n_anomalies,)
    """
    changes = np.diff(labels.astype(np.int8), prepend=0, append=0)
    return np.flatnonzero(changes == 1), np.flatnonzero(changes == -1)
