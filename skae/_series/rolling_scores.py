"""The last scores of a stream, in the order of time and by size."""

from bisect import bisect_left, bisect_right, insort
from collections import deque

import numpy as np


class RollingScores:
    """The last scores of a stream, and the ranks of others among them.

    Parameters
    ----------
    scores : ndarray of shape (n_scores,)
        In the order of time; the last ones are kept.
    window : int
        Number of scores that are kept at most.
    """

    def __init__(self, scores, window):
        self.recent = deque(scores[-window:].tolist(), maxlen=window)
        self.sorted = sorted(self.recent)

    def __len__(self):
        return len(self.recent)

    def add(self, score):
        """Add a score; the oldest one leaves if there are too many."""
        if len(self.recent) == self.recent.maxlen:
            del self.sorted[bisect_left(self.sorted, self.recent[0])]
        self.recent.append(score)
        insort(self.sorted, score)

    def p_value(self, score):
        """Return the fraction of scores as low or lower, if this score is one of them."""
        return (1 + bisect_right(self.sorted, score)) / (1 + len(self.sorted))

    def __getstate__(self):
        """Return the scores as an array: files hold it as it is."""
        return {"recent": np.array(self.recent, float), "window": self.recent.maxlen}

    def __setstate__(self, state):
        self.__init__(state["recent"], state["window"])
