"""A threshold that is a quantile of the last scores of a stream."""

from math import ceil

from skae._series.rolling_scores import RollingScores
from skae._series.stream_method import StreamMethod, check_enough


class RollingQuantile(StreamMethod):
    """A quantile of the last scores, outliers among them.

    Without the outliers, the lowest scores would be missing in the window. The threshold would
    then rise, more scores would be missing, and so on.

    Parameters
    ----------
    scores : ndarray of shape (n_scores,)
        Scores before the stream, in the order of time.
    alpha : float
        Rate of false alarms.
    window : int
        Number of scores that are kept at most.
    """

    def __init__(self, scores, alpha, window):
        check_enough(len(scores), least_window(alpha), f"alpha={alpha}")
        self.alpha, self.scores = alpha, RollingScores(scores, window)

    @property
    def threshold(self):
        """The lowest score whose p-value is above ``alpha``."""
        return self.scores.sorted[_rank(self.alpha, len(self.scores)) - 1]

    def p_value(self, score):
        """Return the conformal p-value: the rank of a score among the last ones."""
        return self.scores.p_value(score)

    def move(self, score, is_outlier):
        """Learn a score, also that of an outlier."""
        del is_outlier
        self.scores.add(score)


def least_window(alpha):
    """Return the number of scores from which on a p-value can be as small as ``alpha``."""
    return max(1, next(n for n in (ceil(1 / alpha) - 1, ceil(1 / alpha)) if _rank(alpha, n) > 0))


def _rank(alpha, n_scores):
    """Return the largest rank that is at most a fraction ``alpha``, free of rounding."""
    rank = round(alpha * (n_scores + 1))
    return rank - (rank / (n_scores + 1) > alpha)
