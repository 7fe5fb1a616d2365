"""Thresholds and p-values from the scores of rows that are mostly normal."""

import numpy as np

#: Fraction of normal rows that "auto" calls outliers.
AUTO_FRACTION = 0.01

#: Relative difference of scores that rounding can cause.
ROUNDING = 1e-6


def offset_of(scores, contamination):
    """Return the score below which rows are outliers.

    Parameters
    ----------
    scores : ndarray of shape (n_samples,)
        The higher, the more normal.
    contamination : "auto" or float
        Fraction of the rows to flag. "auto" assumes that the lower half of the scores has an
        exponential tail: each step of (median - first quartile) down halves the number of rows
        below. The offset is the score that 1 % of the rows would be below, or the 1 % quantile
        if that is higher. Outliers move it only if they are more than a quarter of the rows,
        and short tails do not move it.

    Returns
    -------
    float
    """
    offset = _auto(scores) if contamination == "auto" else np.quantile(scores, contamination)
    # The score of a row depends on its batch by rounding: keep the threshold off the scores.
    return float(offset - ROUNDING * max(abs(offset), abs(np.median(scores))))


def _auto(scores):
    quartile, median = np.quantile(scores, [0.25, 0.5])
    # If a quarter of the rows or more have the same score, use the mean distance of the others.
    step = median - quartile or np.maximum(median - scores, 0).mean()
    of_tail = median - np.log2(0.5 / AUTO_FRACTION) * step
    return max(of_tail, np.quantile(scores, AUTO_FRACTION, method="lower"))


def p_values(scores, calibration_scores):
    """Return for each score the fraction of normal rows with a score as low or lower.

    Parameters
    ----------
    scores : ndarray of shape (n_samples,)
    calibration_scores : ndarray of shape (n_calibration,)
        Scores of normal rows. The row itself counts as one of them.

    Returns
    -------
    ndarray of shape (n_samples,)
    """
    n_as_low = np.searchsorted(np.sort(calibration_scores), scores, side="right")
    return (1 + n_as_low) / (1 + len(calibration_scores))
