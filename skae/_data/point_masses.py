"""Values that many cells of a column hold, such as 0: means that are close to one become it.

A mean of such a value and of others lies between them, the nearer to it the more probable it is.
"""

import numpy as np

#: Least fraction of the known cells that hold such a value, and least number of them.
MIN_FRACTION, MIN_CELLS = 0.05, 10

#: Probability of other values below which a mean becomes the value.
MAX_OTHER = 0.05

#: Fraction of the other values on one side that may lie nearer than the rest.
NEAREST = 0.05

#: Known cells that are looked at for such values.
N_LOOKED_AT = 10_000


def point_masses(known):
    """Find the values that many cells hold.

    Parameters
    ----------
    known : ndarray of shape (n_known,)
        Without NaN.

    Returns
    -------
    ndarray of shape (n_masses, 3)
        The value, and between which ends means become it. The ends are at most 5% of the way to
        the median of the other values on their side: a mean of the two then gives the others a
        probability below 5%. They are also nearer to the value than to 95% of the others.
    """
    some = known[:: -(-len(known) // N_LOOKED_AT)]
    values, counts = np.unique(some, return_counts=True)
    frequent = values[counts >= MIN_FRACTION * len(some)]
    least = max(MIN_CELLS, MIN_FRACTION * len(known))
    found = [_mass(value, some) for value in frequent if (known == value).sum() >= least]
    return np.array(found).reshape(-1, 3)


def _mass(value, some):
    with np.errstate(over="ignore"):
        below, above = (_width(side) for side in (value - some, some - value))
    below, above = (one or other for one, other in ((below, above), (above, below)))
    return value, value - below, value + above


def _width(distances):
    """Return how far from a value means become it, by the distances of others; 0 without any."""
    distances = distances[(distances > 0) & np.isfinite(distances)]
    if not len(distances):
        return 0.0
    near, median = np.quantile(distances, [NEAREST, 0.5])
    return min(near / 2, MAX_OTHER * median)


def snapped(values, masses):
    """Return numbers, those that are close to the value of a point mass as this value."""
    for value, low, high in masses:
        values = np.where((values > low) & (values < high), value, values)
    return values
