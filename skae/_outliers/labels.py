"""Labels of a few rows: known anomalies, known normal rows, and rows that nobody has checked."""

from numbers import Real

import numpy as np
import pandas as pd

from skae._data.checks import as_array
from skae.exceptions import DataWarning, warn

#: What the labels of rows are.
ANOMALY, UNKNOWN, NORMAL = -1, 0, 1

MEANING = "-1 for anomalies, 1 for normal rows, 0 or NaN for rows that nobody has checked"


def read_labels(y, n_samples, use_labels):
    """Return the labels of rows, if they are to be used.

    Parameters
    ----------
    y : array-like of shape (n_samples,) or None
        Labels: -1, 1, and 0 or a missing value where nobody has checked the row.
    n_samples : int
        Number of rows.
    use_labels : bool or None
        With None, labels are not used, and a warning says so if y seems to hold some.

    Returns
    -------
    labels : ndarray of int, shape (n_samples,)
        -1, 0 or 1; all 0 if labels are not used.

    Raises
    ------
    ValueError
        If labels are to be used and y does not hold one for each row, or no row is left to learn
        from.
    """
    if not use_labels:
        if use_labels is None and _seems_to_hold_labels(y):
            warn(
                "y holds -1, which fit ignores. Set use_labels=True if -1 marks known anomalies, "
                "or use_labels=False if y is there for another reason, such as a score.",
                DataWarning,
            )
        return np.zeros(n_samples, int)
    if y is None:
        raise ValueError(
            f"use_labels=True takes labels, but y is None. Give fit a y with {MEANING}."
        )
    labels = _read(y)
    if len(labels) != n_samples:
        raise ValueError(
            f"y has {len(labels)} labels, but X has {n_samples} rows. Give one for each row, with "
            "0 where nobody has checked the row."
        )
    n_left = int((labels != ANOMALY).sum())
    if n_left < 2:
        left = "none is" if n_left == 0 else "only 1 row is"
        raise ValueError(
            f"y marks {n_samples - n_left} of {n_samples} rows as anomalies (-1), so {left} left "
            "to learn from. Most rows must be normal, or unknown."
        )
    if n_left == n_samples:
        warn(
            "y holds no known anomaly, so its labels have no effect. Known anomalies are marked "
            "by -1, not by 1.",
            DataWarning,
        )
    return labels


def _read(y):
    """Return labels as integers, or raise an error that names the first one that is none."""
    values = np.asarray(as_array(_filled(y), "y", "Give one label for each row."))
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1:
        raise ValueError(
            f"y is of shape {values.shape}, but use_labels=True takes one label for each row: "
            f"{MEANING}."
        )
    numbers = _as_floats(values)
    wrong = np.flatnonzero(~np.isin(numbers, [ANOMALY, UNKNOWN, NORMAL]))
    if len(wrong):
        first = wrong[0]
        raise ValueError(
            f"y holds {values[[first]].tolist()[0]!r} in row {first}, but use_labels=True takes "
            f"{MEANING}."
        )
    return numbers.astype(int)


def _filled(y):
    """Return masked labels as missing ones."""
    return y.astype(float).filled(np.nan) if isinstance(y, np.ma.MaskedArray) else y


def _as_floats(values):
    """Return labels as floats: 0 where they are missing, infinite where they are no numbers."""
    if values.dtype.kind in "fiu":
        return np.where(np.isnan(values), UNKNOWN, values)
    numbers = np.array([value if _is_number(value) else np.inf for value in values], float)
    return np.where(pd.isna(values) | np.isnan(numbers), UNKNOWN, numbers)


def _is_number(value):
    return isinstance(value, Real) and not isinstance(value, bool)


def _seems_to_hold_labels(y):
    """Say whether y holds known anomalies, and nothing that is no label."""
    try:
        return y is not None and bool((_read(y) == ANOMALY).any())
    except (TypeError, ValueError):
        return False
