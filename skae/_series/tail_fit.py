"""The tail of a distribution, as a generalized Pareto distribution."""

from math import exp, expm1, inf, log, log1p
from typing import NamedTuple

import numpy as np

#: Candidates of the fit, without those that come with more data, and how wide their prior is.
MIN_CANDIDATES, PRIOR = 20, 3


class Tail(NamedTuple):
    """How far values lie beyond the start of a tail, by a generalized Pareto distribution.

    Parameters
    ----------
    shape : float
        Above 0, the tail is heavy; below 0, it has an end.
    scale : float
    """

    shape: float
    scale: float

    def survival(self, excess):
        """Return the fraction of the tail that lies farther than an excess."""
        steps = excess / self.scale
        if self.shape == 0:
            return exp(-steps)
        inner = self.shape * steps
        return 0.0 if inner <= -1 or inner == inf else exp(-log1p(inner) / self.shape)

    def excess(self, fraction):
        """Return how far a fraction of the tail begins."""
        steps = -log(fraction)
        return self.scale * (expm1(self.shape * steps) / self.shape if self.shape else steps)


def fit_tail(excesses, is_censored):
    """Fit a tail by the method of Zhang and Stephens, here with censored values.

    Their estimate is the mean of the posterior over candidates of shape / scale, where the other
    parameter has its most likely value. It needs no search, and has no case without a solution.

    Parameters
    ----------
    excesses : ndarray of shape (n_values,)
        How far values lie beyond the start, above 0.
    is_censored : ndarray of bool of shape (n_values,)
        Of which values it is only known that they lie farther. Not all of them.

    Returns
    -------
    Tail
    """
    unit = excesses.max()
    x = excesses / unit
    n_seen = (~is_censored).sum()
    slopes = _candidates(np.sort(x))
    logs = np.log1p(-slopes[:, None] * x)
    shapes = logs.sum(1) / n_seen
    scales = np.full(len(slopes), x.sum() / n_seen)  # of an exponential tail
    np.divide(-shapes, slopes, out=scales, where=slopes != 0)
    likelihoods = -n_seen * np.log(scales) - logs[:, ~is_censored].sum(1) - n_seen
    weights = np.exp(likelihoods - likelihoods.max())
    slope = slopes @ weights / weights.sum()
    shape = np.log1p(-slope * x).sum() / n_seen
    scale = -shape / slope if slope else x.sum() / n_seen
    return Tail(float(shape), float(scale * unit))


def _candidates(x):
    """Return candidates of -shape / scale for sorted values up to 1."""
    n = MIN_CANDIDATES + int(np.sqrt(len(x)))
    quartile = x[max(0, int(len(x) / 4 + 0.5) - 1)]
    return 1 + (1 - np.sqrt(n / (np.arange(n) + 0.5))) / (PRIOR * quartile)
