"""Thresholds of extreme-value theory: SPOT, and DSPOT for levels that drift."""

from collections import deque
from math import ceil, fsum

import numpy as np

from skae._outliers.training_scores import MAX_SCORE
from skae._series.rolling_scores import RollingScores
from skae._series.stream_method import StreamMethod, check_enough
from skae._series.tail_fit import Tail, fit_tail

#: Peaks to start with, at least, and those that are kept, at most.
MIN_PEAKS, MAX_PEAKS = 10, 1000

#: Fraction of ``alpha`` above which the p-value of an outlier may be that of a false alarm.
PLAUSIBLE = 0.01

#: Fraction of the peaks that may be outliers.
MAX_CENSORED = 0.5


class PeaksThreshold(StreamMethod):
    """SPOT: a threshold from the tail of the scores, a generalized Pareto distribution.

    Scores below ``start`` are peaks. The tail is fitted to how far they lie below. Without the
    false alarms among the outliers, it would seem shorter with each one. So outliers that may be
    false alarms are among the peaks, and count as below the threshold, however low they are.

    Parameters
    ----------
    scores : ndarray of shape (n_scores,)
        Scores before the stream, in the order of time.
    alpha : float
        Rate of false alarms.
    window : int
        Number of scores that the p-values of scores above ``start`` are ranks among, at most.
    tail_fraction : float
        Fraction of the scores that are peaks.
    """

    level = 0.0  # of the scores

    def __init__(self, scores, alpha, window, tail_fraction):
        self.alpha = alpha
        scores = scores[np.abs(scores) < MAX_SCORE]
        residuals = self._residuals(scores, ceil(MIN_PEAKS / tail_fraction))
        self.start = float(np.quantile(residuals, tail_fraction))
        excesses = self.start - residuals[residuals < self.start]
        if len(excesses) < MIN_PEAKS:
            raise ValueError(
                "The scores have no tail that a method of extreme values could use, as many of "
                "them are equal. Use method='quantile'."
            )
        self.normal = RollingScores(residuals, window)
        self.n_normal, self.n_peaks = len(residuals), len(excesses)
        self.excesses = deque(excesses.tolist(), MAX_PEAKS)
        self.is_censored = deque([False] * len(self.excesses), MAX_PEAKS)
        self._fit()

    def _residuals(self, scores, n_needed):
        """Return how far scores are above the level."""
        check_enough(len(scores), n_needed, "tail_fraction")
        return scores

    def _fit(self):
        self.tail = fit_tail(np.array(self.excesses), np.array(self.is_censored))

    @property
    def peak_rate(self):
        """The fraction of normal scores that are peaks."""
        return self.n_peaks / self.n_normal

    @property
    def threshold(self):
        """The score that a normal step is below with probability ``alpha``."""
        return self.level + self.start - self._excess()

    def _excess(self):
        return self.tail.excess(min(1.0, self.alpha / self.peak_rate))

    def p_value(self, score):
        """Return the p-value by the tail, or by the rank of a score above it."""
        excess = self.start - (score - self.level)
        if excess <= 0:
            return max(self.peak_rate, self.normal.p_value(score - self.level))
        return self.peak_rate * self.tail.survival(excess)

    def move(self, score, is_outlier):
        """Learn a score."""
        if is_outlier:
            self._add_outlier(score)
        elif abs(score) < MAX_SCORE:
            self._add_normal(score - self.level)

    def _add_outlier(self, score):
        """Learn a score that may be normal, as its p-value is not far below ``alpha``."""
        excess, n_censored = self._excess(), sum(self.is_censored)
        is_plausible = self.p_value(score) > PLAUSIBLE * self.alpha
        if is_plausible and excess > 0 and n_censored < MAX_CENSORED * len(self.is_censored):
            self._add_peak(excess, True)

    def _add_normal(self, residual):
        self.normal.add(residual)
        if residual < self.start:
            self._add_peak(self.start - residual, False)
        else:
            self.n_normal += 1

    def _add_peak(self, excess, is_censored):
        self.n_normal, self.n_peaks = self.n_normal + 1, self.n_peaks + 1
        self.excesses.append(excess)
        self.is_censored.append(is_censored)
        self._fit()

    def __getstate__(self):
        """Return the state as plain values and arrays."""
        queues = {n: np.array(v) for n, v in vars(self).items() if isinstance(v, deque)}
        lengths = {n: getattr(self, n).maxlen for n in queues}
        return vars(self) | queues | {"tail": tuple(self.tail), "lengths": lengths}

    def __setstate__(self, state):
        lengths = state["lengths"]
        queues = {n: deque(state[n].tolist(), length) for n, length in lengths.items()}
        vars(self).update({n: v for n, v in state.items() if n != "lengths"}, **queues)
        self.tail = Tail(*state["tail"])


class DriftingPeaksThreshold(PeaksThreshold):
    """DSPOT: SPOT on the differences of the scores from the mean of those before.

    A lasting new level is far from this mean, so its scores are outliers. When there are more of
    them than normal steps, by ``patience``, it becomes the level.

    Parameters
    ----------
    scores : ndarray of shape (n_scores,)
        Scores before the stream, in the order of time.
    alpha : float
        Rate of false alarms.
    window : int
        Number of differences that p-values are ranks among, at most.
    tail_fraction : float
        Fraction of the differences that are peaks.
    depth : int
        Number of scores in the mean.
    patience : int or None
        Outliers until their level counts as normal. None never lets it.
    """

    def __init__(self, scores, alpha, window, tail_fraction, depth, patience):
        self.depth, self.patience = depth, patience
        self.n_surplus, self.outliers = 0, deque(maxlen=depth)
        super().__init__(scores, alpha, window, tail_fraction)

    def _residuals(self, scores, n_needed):
        needs = f"tail_fraction with depth={self.depth}"
        check_enough(len(scores), self.depth + n_needed, needs)
        self._set_level(scores[-self.depth :].tolist())
        windows = np.lib.stride_tricks.sliding_window_view(scores[:-1], self.depth)
        return scores[self.depth :] - windows.mean(1)

    def _set_level(self, scores):
        self.recent = deque(scores, self.depth)
        self._find_level()

    def _find_level(self):
        self.level = fsum(self.recent) / len(self.recent)

    def move(self, score, is_outlier):
        """Learn a score, and let the level follow."""
        super().move(score, is_outlier)
        if abs(score) >= MAX_SCORE:
            return
        if is_outlier:
            self._count(score)
        else:
            self.n_surplus = max(0, self.n_surplus - 1)
            self.recent.append(score)
            self._find_level()

    def _count(self, score):
        """Count an outlier, and take the level of the last ones if they are many."""
        if self.n_surplus == 0:
            self.outliers.clear()
        self.n_surplus += 1
        self.outliers.append(score)
        if self.patience is not None and self.n_surplus >= self.patience:
            self._set_level(self.outliers)
            self.n_surplus = 0
