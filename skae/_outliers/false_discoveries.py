"""Outliers with a bounded fraction of false alarms, in new rows and in the training rows."""

from math import ceil, e

import numpy as np
from scipy.stats import binom, false_discovery_control

from skae._outliers.thresholds import ROUNDING
from skae.exceptions import DataWarning, warn

#: Largest chance that exactly one training row has the score of a new row: that of one event of
#: a Poisson distribution is largest if its mean is 1.
MATCH_BY_CHANCE = 1 / e

#: Chance of a needless warning that rows are training rows.
WARNING_LEVEL = 1e-3

#: The tail is fitted between these quantiles of the scores. Lower ones may be of outliers.
TAIL_LEVELS = 0.65, 0.125

#: Least number of scores between them.
MIN_OBSERVED = 5

#: Loss of log-likelihood at which a tail still fits the scores.
LIKELIHOOD_MARGIN = 1.0

#: Shapes that are tried as a tail: it is exponential near 0.
TAIL_SHAPES = np.concatenate([[1e-6], np.logspace(-3, 4, 141)])


def warn_of_training_rows(scores, training_scores):
    """Warn if rows seem to be training rows, whose p-values show nothing.

    Parameters
    ----------
    scores : ndarray of shape (n_samples,)
    training_scores : ndarray of shape (n_training,)

    Returns
    -------
    bool
        Whether there was a warning.
    """
    is_few = MATCH_BY_CHANCE ** len(scores) >= WARNING_LEVEL
    if is_few and len(scores) != len(training_scores):  # too few to tell
        return False
    scores, known = np.sort(scores), np.sort(training_scores)
    margins = ROUNDING * np.maximum(np.abs(scores), np.abs(np.median(known)))
    if not (_are_equal(scores, known, margins) or _are_among(scores, known, margins)):
        return False
    warn(
        "X seems to hold training rows. Their p-values are spread evenly by construction, "
        "whatever the rows: predict_fdr finds no outliers among them. Use fit_predict_fdr, or "
        "fit the detector on other rows, which are normal.",
        DataWarning,
    )
    return True


def _are_equal(scores, known, margins):
    if len(scores) != len(known) or np.ptp(known) <= margins.max():  # all rows score alike
        return False
    return bool((np.abs(scores - known) <= margins).all())


def _are_among(scores, known, margins):
    """Return whether more scores than chance would have are those of one training row each.

    New rows can have the scores of training rows, too, above all if there are few different rows.
    But the chance that exactly one training row has the score of a new row is at most 1/e,
    whatever the distribution.
    """
    low, high = (np.searchsorted(known, scores + sign * margins) for sign in (-1, 1))
    n_matches = (high - low == 1).sum()
    return binom.sf(n_matches - 1, len(scores), MATCH_BY_CHANCE) < WARNING_LEVEL


def warn_of_few(n_calibration, alpha):
    """Warn if no p-value can be small enough.

    Parameters
    ----------
    n_calibration : int
        Number of calibration scores.
    alpha : float
        Accepted fraction of false alarms.
    """
    if alpha * (n_calibration + 1) < 1:
        warn(
            f"No p-value can be as small as alpha={alpha} with {n_calibration} calibration "
            f"scores. It takes at least {ceil(1 / alpha) - 1}.",
            DataWarning,
        )


def is_outlier(p_values, alpha):
    """Return which rows are outliers, about a fraction ``alpha`` of them wrongly.

    Parameters
    ----------
    p_values : ndarray of shape (n_samples,)
    alpha : float

    Returns
    -------
    ndarray of bool of shape (n_samples,)
    """
    return false_discovery_control(p_values) <= alpha


def tail_p_values(scores):
    """Return p-values of scores by the tail of the distribution of the normal ones.

    A generalized Pareto distribution is fitted to the scores below the 65 % quantile. Those below
    the 12.5 % quantile, where outliers are, only count as lower. Its shape is the heaviest one that
    fits the scores, and at least that of an exponential tail.

    Parameters
    ----------
    scores : ndarray of shape (n_samples,)

    Returns
    -------
    ndarray of shape (n_samples,)
        1 for scores above the 65 % quantile.
    """
    start, end = np.quantile(scores, TAIL_LEVELS)
    depths = np.maximum(start - scores, 0)
    capped = np.minimum(depths[depths > 0], start - end)
    observed = capped[capped < start - end]
    if len(observed) < MIN_OBSERVED:
        warn(
            f"The scores of the {len(scores)} rows have no tail to compare low scores with: they "
            "are too few, or most of them are equal. So fit_predict_fdr finds no outliers. Use "
            "fit_predict, or give the detector another estimator.",
            DataWarning,
        )
        return np.ones(len(scores))
    depths, capped, observed = (one / (start - end) for one in (depths, capped, observed))
    # The likelihood of shape and scale, with the scale that is best for shape / scale.
    shapes = np.array([np.log1p(ratio * capped).sum() for ratio in TAIL_SHAPES]) / len(observed)
    likelihoods = -len(observed) * np.log(shapes / TAIL_SHAPES)
    likelihoods -= [np.log1p(ratio * observed).sum() for ratio in TAIL_SHAPES]
    heaviest = np.flatnonzero(likelihoods >= likelihoods.max() - LIKELIHOOD_MARGIN)[-1]
    survival = np.exp(-np.log1p(TAIL_SHAPES[heaviest] * depths) / shapes[heaviest])
    return np.where(depths > 0, TAIL_LEVELS[0] * survival, 1.0)
