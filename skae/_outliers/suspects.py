"""Which training rows are suspected outliers."""

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components
from sklearn.neighbors import NearestNeighbors

from skae._outliers.distances import MahalanobisDistance, deviations

#: Fraction of the rows that location and covariance are estimated from, and how often.
CENTRAL_FRACTION, N_STEPS = 0.75, 5

#: A row is far that is so many times as far out as the upper quartile, of logarithms, and whose
#: second largest number is so many standard deviations out: the tail of one column is no group.
MIN_DISTANCE, MIN_DEVIATIONS = 2.0, 2.0

#: Neighbors that vote on a suspected row.
N_VOTERS = 10

#: Fraction of the neighbors of a group that are outside of it, up to which it is apart.
MAX_OUTSIDE = 0.2

#: Fraction of the rows from which on a group of similar rows is normal, however far it is.
MIN_MODE = 0.08

#: Fraction of a group that has a category, from which on the group is that category's; and fraction
#: of all rows that has it, at most.
MIN_SHARED, MAX_COMMON = 0.9, 0.5

#: Fraction of a column from which on a value that repeats is a category of its own.
MIN_REPEATED = 0.5

#: Most numbers that distances are computed from: more are projected onto as many directions.
MAX_NUMBERS = 100


def find_suspects(numbers, one_hot, n_jobs=None):
    """Return which rows are suspected outliers.

    An outlier that is alone does no harm, while outliers that are similar make each other look
    normal. So groups are suspected that are far from most rows and apart from them:

    - Far are rows with a large robust Mahalanobis distance [1]_. Numbers count, given the
      categories: a rare category is not suspect, nor are numbers that go with it. One number
      that is far out is not enough: such rows are the tail of a column.
    - A row is not suspected if at least half of its nearest neighbors are not. This is repeated
      until nothing changes. Then groups are freed that have many neighbors outside.
    - A group of similar rows that is one in twelve is a mode of the data, and is normal. So is
      one whose rows share a category that few others have.

    Parameters
    ----------
    numbers : ndarray of shape (n_samples, n_numbers)
        Of unit variance.
    one_hot : ndarray of shape (n_samples, n_categories)
    n_jobs : int or None
        Number of threads.

    Returns
    -------
    ndarray of bool, shape (n_samples,)

    References
    ----------
    .. [1] P. J. Rousseeuw and K. Van Driessen, "A fast algorithm for the minimum covariance
       determinant estimator", Technometrics 41, 1999.
    """
    numbers = _projected(numbers)
    is_suspect = _are_far(_given(numbers, np.hstack([one_hot, _repeated(numbers)])))
    if not is_suspect.any():
        return is_suspect
    index = NearestNeighbors(n_neighbors=min(N_VOTERS, len(numbers) - 1), n_jobs=n_jobs)
    voters = index.fit(np.hstack([numbers, one_hot])).kneighbors(return_distance=False)
    while True:
        is_freed = is_suspect & (is_suspect[voters].mean(1) <= 0.5)
        if not is_freed.any():
            return is_suspect & _are_apart(_groups(is_suspect, voters), voters, one_hot)
        is_suspect &= ~is_freed


def _projected(numbers):
    """Return numbers, or as many random directions of them as are computed with."""
    if numbers.shape[1] <= MAX_NUMBERS:
        return numbers
    directions = np.random.RandomState(0).standard_normal((numbers.shape[1], MAX_NUMBERS))
    return numbers @ directions / np.sqrt(numbers.shape[1])


def _repeated(numbers):
    """Return which numbers are the one that most rows have, of columns where there is one."""
    is_median = numbers == np.median(numbers, axis=0)
    fraction = is_median.mean(0)
    return is_median[:, (fraction >= MIN_REPEATED) & (fraction < 1)].astype(np.float64)


def _given(numbers, indicators):
    """Return what linear regression on the categories leaves of the numbers."""
    if not indicators.shape[1]:
        return numbers
    centered = indicators - indicators.mean(0)
    normal = centered.T @ centered
    np.fill_diagonal(normal, normal.diagonal() + 1)  # a category of one row explains half of it
    return numbers - centered @ np.linalg.solve(normal, centered.T @ numbers)


def _are_far(numbers):
    """Say which rows are far from most others, in more than one number."""
    if numbers.shape[1] < 2:
        return np.zeros(len(numbers), bool)
    rows, n_central = np.arange(len(numbers)), max(1, int(CENTRAL_FRACTION * len(numbers)))
    for _ in range(N_STEPS):
        distances = MahalanobisDistance(numbers[rows]).distances(numbers)
        rows = np.argsort(distances, kind="stable")[:n_central]
    central = numbers[rows]
    logs = np.log(MahalanobisDistance(central).distances(numbers))
    median, quartile = np.quantile(logs, [0.5, 0.75])
    outward = np.abs(numbers - central.mean(0)) / deviations(central)
    second = np.sort(outward, axis=1)[:, -2]
    return (logs > median + MIN_DISTANCE * (quartile - median)) & (second > MIN_DEVIATIONS)


def _groups(is_suspect, voters):
    """Return the group of each row: suspected rows that are each other's neighbors are joined."""
    n, n_voters = voters.shape
    i, j = np.repeat(np.arange(n), n_voters), voters.ravel()
    is_link = is_suspect[i] & is_suspect[j]
    links = csr_array((np.ones(is_link.sum()), (i[is_link], j[is_link])), shape=(n, n))
    return connected_components(links * links.T, directed=False)[1]


def _are_apart(group, voters, one_hot):
    """Say which rows are in groups that are apart from others, and neither modes nor categories."""
    sizes, n_voters = np.bincount(group), voters.shape[1]
    # A small group has fewer neighbors of its own than vote.
    counts = np.arange(n_voters) < np.minimum(n_voters, sizes[group] - 1)[:, None]
    n_outside = np.bincount(group, ((group[voters] != group[:, None]) & counts).sum(1))
    is_apart = n_outside <= MAX_OUTSIDE * np.bincount(group, counts.sum(1))
    is_apart &= sizes < MIN_MODE * len(group)
    for i in np.flatnonzero(is_apart & (sizes > 1)):
        is_shared = one_hot[group == i].mean(0) >= MIN_SHARED
        is_apart[i] = not (is_shared & (one_hot.mean(0) <= MAX_COMMON)).any()
    return is_apart[group]
