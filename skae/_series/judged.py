"""Series and what an estimator says of their windows, and thresholds of that."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from skae._outliers.thresholds import offset_of, p_values
from skae._series.windows import Windows, cell_sums

#: Windows that a step is in, at least, if a window is as long.
WINDOWS_PER_STEP = 10


@dataclass
class JudgedSeries:
    """The windows of one series, and what judges them.

    Parameters
    ----------
    windows : Windows
    judges : list of ((int, int) or None, WindowJudge)
        What judges the windows that start in a part of the series, None for all.
    is_causal : bool
        Whether a step has the score of the window that ends there, instead of a mean.
    """

    windows: Windows
    judges: list
    is_causal: bool

    @cached_property
    def starts(self):
        stride = 1 if self.is_causal else max(1, self.windows.length // WINDOWS_PER_STEP)
        return self.windows.starts(stride)

    def _chunks(self):
        """Yield some starts at a time, and what judges them."""
        for part, judge in self.judges:
            first, end = (0, self.windows.n_steps) if part is None else part
            starts = self.starts[(self.starts >= first) & (self.starts < end)]
            for some in self.windows.chunks(starts):
                yield some, judge

    @cached_property
    def window_scores(self):
        """Scores of the windows, shape (n_windows,): the higher, the more normal."""
        scores = np.full(len(self.starts), np.nan)
        for some, judge in self._chunks():
            if len(some):
                where = np.searchsorted(self.starts, some)
                scores[where] = -judge.errors(self.windows.at(some))
        return scores

    @property
    def scores(self):
        """Scores of the steps, shape (n_steps,), NaN where there is none."""
        of_steps = self.windows.last_values if self.is_causal else self.windows.step_means
        return of_steps(self.starts, self.window_scores)

    @cached_property
    def cells(self):
        """How unusual cells are, shape (n_steps, n_features), NaN where no window is."""
        shape = self.windows.values.shape
        sums, counts = np.zeros(shape), np.zeros(shape)
        for some, judge in self._chunks():
            if len(some):
                errors = judge.cell_errors(self.windows.at(some))
                cell_sums(errors, some, sums)
                cell_sums(np.ones_like(errors[..., :1]), some, counts)
        return np.divide(sums, counts, out=np.full(shape, np.nan), where=counts > 0)


@dataclass
class Calibration:
    """Scores of held-out steps, and the thresholds that they set.

    Parameters
    ----------
    of_steps, of_windows : ndarray of shape (n_scores,)
        Scores of steps and of windows.
    step_offset, window_offset : float
        Lower scores are outliers.
    """

    of_steps: np.ndarray
    of_windows: np.ndarray
    step_offset: float
    window_offset: float

    @classmethod
    def of(cls, judged, contamination):
        """Find the thresholds of what series of one machine hold."""
        of_steps = np.concatenate([one.scores for one in judged])
        of_windows = np.concatenate([one.window_scores for one in judged])
        known = [scores[~np.isnan(scores)] for scores in (of_steps, of_windows)]
        return cls(*known, *(offset_of(scores, contamination) for scores in known))


def labels_of(scores, offset):
    """Return -1 for scores below a threshold, 1 for others and NaN."""
    return np.where(scores < offset, -1, 1)


def p_values_of(scores, calibration_scores):
    """Return p-values, NaN for NaN."""
    return np.where(np.isnan(scores), np.nan, p_values(scores, calibration_scores))
