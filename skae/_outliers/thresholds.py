"""Where outliers begin, by the scores of rows that are mostly normal."""

import numpy as np

#: Share of normal rows that "auto" takes for outliers.
AUTO_SHARE = 0.01

#: What scores may be apart by rounding, as a share of their size.
ROUNDING = 1e-6


def offset_of(scores, contamination):
    """Return the score below which rows are outliers.

    Parameters
    ----------
    scores : ndarray of shape (n_samples,)
        The higher, the more normal.
    contamination : "auto" or float
        Share of the rows to flag. "auto" takes the lower half of the scores for an exponential
        tail: the median less the first quartile is the step that halves the rows below. The
        offset is as many steps down as leave 1 % of the rows, or the score that 1 % of the rows
        are below, if that is higher. So outliers do not move it unless they are more than a
        quarter of the rows, and nor do tails that end early.

    Returns
    -------
    float
    """
    offset = _auto(scores) if contamination == "auto" else np.quantile(scores, contamination)
    # Scores of a row differ by rounding with the rows beside it: none is to be at the threshold.
    return float(offset - ROUNDING * max(abs(offset), abs(np.median(scores))))


def _auto(scores):
    quartile, median = np.quantile(scores, [0.25, 0.5])
    # Where a quarter of the rows and more score the same, the others say how far scores spread.
    step = median - quartile or np.maximum(median - scores, 0).mean()
    of_tail = median - np.log2(0.5 / AUTO_SHARE) * step
    return max(of_tail, np.quantile(scores, AUTO_SHARE, method="lower"))


def p_values(scores, calibration_scores):
    """Return for each score the share of normal rows that score as low or lower.

    Parameters
    ----------
    scores : ndarray of shape (n_samples,)
    calibration_scores : ndarray of shape (n_calibration,)
        Of normal rows. The row itself counts as one of them.

    Returns
    -------
    ndarray of shape (n_samples,)
    """
    n_as_low = np.searchsorted(np.sort(calibration_scores), scores, side="right")
    return (1 + n_as_low) / (1 + len(calibration_scores))
