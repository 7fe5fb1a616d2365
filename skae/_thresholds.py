"""Where outliers begin, by the scores of rows that are mostly normal."""

import numpy as np

#: Share of the rows that "auto" would flag if the scores of the odder half fell off exponentially.
AUTO_SHARE = 0.01
#: As many halvings of the odder half leave this share.
_N_HALVINGS = np.log2(0.5 / AUTO_SHARE)


def offset_of(scores, contamination):
    """Return the score below which rows are outliers.

    Parameters
    ----------
    scores : ndarray of shape (n_samples,)
        The higher, the more normal.
    contamination : "auto" or float
        Share of the rows to flag. "auto" takes the half of the rows with the lowest scores
        for an exponential tail: as many lie between the median and the first quartile as
        below it, so each such step down halves the rows that are left. The offset is where 1 %
        would be left. Neither of the two depends on the scores of the odder quarter, which may
        be outliers.

    Returns
    -------
    float
    """
    scores = np.maximum(scores, np.finfo(np.float64).min / 4)  # differences stay finite
    if contamination != "auto":
        return float(np.quantile(scores, contamination))
    quartile, median = np.quantile(scores, [0.25, 0.5])
    # Where a quarter of the rows and more score the same, the step is to be that of the others.
    step = median - quartile or scores.std()
    return float(median - _N_HALVINGS * step)


def conformal_p_values(scores, calibration_scores):
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
