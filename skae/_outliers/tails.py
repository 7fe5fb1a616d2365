"""How surprising distances are, by the tails of their distributions."""

import numpy as np

#: Fractions of the rows between which a tail begins and ends.
TAIL = 0.75, 0.99

#: Steps up to which all distances are the same.
ROUNDING = 1e-6


class TailScale:
    """Surprise: minus the logarithm of the fraction of rows with a larger distance.

    The logarithm of the distance is taken to have an exponential tail, so the distance a Pareto
    tail, which goes through two quantiles of the distances.

    Parameters
    ----------
    logs : ndarray of shape (n_samples, n_distances)
        Logarithms of the distances of training rows.
    """

    def __init__(self, logs):
        start, end = np.quantile(logs, TAIL, axis=0)
        steps = (end - start) / np.log((1 - TAIL[0]) / (1 - TAIL[1]))
        steps = np.where(steps > 0, steps, logs.std(0))
        is_constant = steps <= ROUNDING
        self.start, self.steps = start, np.where(is_constant, 1.0, steps)
        self.level = np.where(is_constant, 0.0, -np.log(1 - TAIL[0]))

    def surprise(self, logs):
        """Return the surprise of each distance, below 0 where it is small."""
        return (logs - self.start) / self.steps + self.level

    def combined(self, logs, weights):
        """Return the smooth maximum of the surprises, by the harmonic mean of the fractions."""
        surprise = self.surprise(logs)
        largest = surprise.max(1)
        return largest + np.log(np.exp(surprise - largest[:, None]) @ weights)
