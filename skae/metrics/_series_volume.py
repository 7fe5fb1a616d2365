"""Volumes under the surfaces of precision and recall, and of ROC curves, in series."""

from numbers import Integral

import numpy as np

from skae.metrics._series_labels import find_ranges, read_series

__all__ = ["vus_pr_score", "vus_roc_score"]

#: Thresholds of a curve, at even ranks of the scores.
_N_THRESHOLDS = 250


def vus_pr_score(y_true, y_score, *, window="auto"):
    """Return the volume under the surface of precision and recall of anomalies in a series.

    A label says where an anomaly is, but often not to the step, and scores of windows rise
    before it and fall after it. So the steps near an anomaly count as anomalous in part, in
    buffers on both sides, and an anomaly that is not found at all lowers the recall further
    [1]_. The score is the average precision, averaged over all widths of the buffers from 0 to
    ``window // 2``.

    Parameters
    ----------
    y_true : array-like of bool or int, shape (n_steps,), or list of such
        1 for the steps of anomalies, 0 for others. The score of a list is the mean of those of
        its series.
    y_score : array-like of shape (n_steps,), or list of such
        How anomalous steps are, the higher the more: `skae.sequences.windowed_errors`, or minus
        ``detector.score_samples(X)``.
    window : int or "auto", default="auto"
        Twice the steps of the widest buffer, such as the period of the series, or the length of
        the windows that were scored. "auto" is the median length of the anomalies of each
        series; the authors take the period of the series. If anomalies are single steps, "auto"
        has no buffers: give a number.

    Returns
    -------
    score : float
        1 is perfect. By chance it is about the fraction of anomalous steps, and more with wide
        buffers.

    Raises
    ------
    ValueError
        If lengths differ, a score is not finite, labels are not 0 and 1, a series has no
        anomalies or nothing else, or ``window`` is negative or longer than the series.

    See Also
    --------
    vus_roc_score : The same with ROC curves.
    range_precision_score, range_recall_score : For predictions, after a threshold.

    Notes
    -----
    Thresholds are the scores at 250 even ranks, as in the implementation of the authors' benchmark,
    TSB-AD. In long series that is coarse: of 25,000 steps, each threshold adds about 100 alarms.

    References
    ----------
    .. [1] J. Paparrizos, P. Boniol, T. Palpanas, R. S. Tsay, A. Elmore and M. J. Franklin, "Volume
       under the surface: a new accuracy evaluation measure for time-series anomaly detection",
       Proceedings of the VLDB Endowment 15(11), 2022.

    Examples
    --------
    >>> import numpy as np
    >>> from skae.metrics import vus_pr_score
    >>> y_true = np.zeros(200, dtype=int)
    >>> y_true[100:120] = 1
    >>> late = np.roll(y_true, 5)
    >>> never = np.roll(y_true, 50)
    >>> [round(vus_pr_score(y_true, y, window=20), 2) for y in (y_true, late, never)]
    [1.0, 0.78, 0.14]
    """
    return _mean_volume(y_true, y_score, window, _average_precision)


def vus_roc_score(y_true, y_score, *, window="auto"):
    """Return the volume under the surface of ROC curves of anomalies in a series.

    It is `vus_pr_score` with the area under the ROC curve in place of the average precision [1]_.
    If anomalies are rare, it is high for scores that give many false alarms.

    Parameters
    ----------
    y_true : array-like of bool or int, shape (n_steps,), or list of such
        1 for the steps of anomalies, 0 for others. The score of a list is the mean of those of
        its series.
    y_score : array-like of shape (n_steps,), or list of such
        How anomalous steps are, the higher the more: `skae.sequences.windowed_errors`, or minus
        ``detector.score_samples(X)``.
    window : int or "auto", default="auto"
        As in `vus_pr_score`.

    Returns
    -------
    score : float
        1 is perfect. By chance it is between 1/3, of anomalies of one step, and 1/2, of long ones,
        and more with wide buffers.

    Raises
    ------
    ValueError
        As in `vus_pr_score`.

    References
    ----------
    .. [1] J. Paparrizos, P. Boniol, T. Palpanas, R. S. Tsay, A. Elmore and M. J. Franklin, "Volume
       under the surface: a new accuracy evaluation measure for time-series anomaly detection",
       Proceedings of the VLDB Endowment 15(11), 2022.

    Examples
    --------
    >>> import numpy as np
    >>> from skae.metrics import vus_roc_score
    >>> y_true = np.zeros(200, dtype=int)
    >>> y_true[100:120] = 1
    >>> vus_roc_score(y_true, np.roll(y_true, 5), window=20) > 0.9
    True
    """
    return _mean_volume(y_true, y_score, window, _roc_area)


def _mean_volume(y_true, y_score, window, area):
    """Return the mean area under the curves of all windows, averaged over series."""
    pairs, names = read_series(y_true, y_score, "y_score")
    for (labels, _), (name, _) in zip(pairs, names, strict=True):
        if labels.all() or not labels.any():
            what = "nothing but anomalies" if labels.all() else "no anomaly"
            raise ValueError(f"{name} holds {what}; it must hold steps of 1 and of 0")
    return float(np.mean([_volume(*pair, window, area) for pair in pairs]))


def _volume(labels, scores, window, area):
    window = _read_window(window, labels)
    surface = _Surface(labels, scores)
    return np.mean([area(*surface.curve(width)) for width in range(window + 1)])


def _read_window(window, labels):
    if isinstance(window, str) and window == "auto":
        starts, ends = find_ranges(labels)
        return int(np.median(ends - starts))
    if not isinstance(window, Integral) or isinstance(window, bool) or window < 0:
        raise ValueError(f'window must be "auto" or an integer of at least 0; got {window!r}')
    if window > len(labels):
        raise ValueError(f"window={window} is longer than a series of {len(labels)} steps")
    return int(window)


class _Surface:
    """The rates and precisions of a series, by the width of the buffers and the threshold.

    Parameters
    ----------
    labels : ndarray of bool, shape (n_steps,)
    scores : ndarray of shape (n_steps,)
    """

    def __init__(self, labels, scores):
        self.starts, self.ends = find_ranges(labels)
        self.distances = _distances(labels, self.starts, self.ends)
        ordered = np.sort(-scores.astype(np.float64))
        thresholds = ordered[np.linspace(0, len(scores) - 1, _N_THRESHOLDS).astype(int)]
        #: The first threshold that each step reaches; from there on it is an alarm.
        self.alarms = np.searchsorted(thresholds, -scores.astype(np.float64))
        self.n_alarms = _counts(self.alarms)
        self.n_inside = _counts(self.alarms, labels)

    def curve(self, window):
        """Return the rates of true and of false positives and the precision at each threshold."""
        n_true = _counts(self.alarms, _weights(self.distances, window))
        n_positive = self.n_inside[-1] + (n_true - self.n_inside) / 2
        true_rate = np.minimum(n_true / n_positive, 1) * self._found(window // 2)
        false_rate = (self.n_alarms - n_true) / (len(self.alarms) - n_positive)
        return true_rate, false_rate, n_true / self.n_alarms

    def _found(self, width):
        """Return the fraction of anomalies that are found at each threshold.

        Those whose buffers join are one.
        """
        is_apart = self.ends[:-1] - 1 + width < self.starts[1:] - width
        starts = np.maximum(self.starts[np.append(True, is_apart)] - width, 0)
        ends = np.minimum(self.ends[np.append(is_apart, True)] + width, len(self.alarms))
        bounds = np.column_stack([starts, ends]).ravel()
        first = np.minimum.reduceat(np.append(self.alarms, _N_THRESHOLDS), bounds)[::2]
        return _counts(first) / len(first)


def _counts(alarms, weights=None):
    """Return the sum of the weights of the alarms at each threshold, or their number."""
    return np.bincount(alarms, weights, _N_THRESHOLDS).cumsum()


def _distances(labels, starts, ends):
    """Return how far steps are from the nearest anomaly and the second, 0 and 0 inside of one."""
    steps = np.arange(len(labels))
    before = np.concatenate([[-np.inf, -np.inf], ends - 1])
    behind = np.concatenate([starts, [np.inf, np.inf]])
    n_before = np.searchsorted(ends, steps, side="right")
    n_started = np.searchsorted(starts, steps, side="right")
    distances = [
        steps - before[n_before],
        steps - before[n_before + 1],
        behind[n_started] - steps,
        behind[n_started + 1] - steps,
    ]
    return np.where(labels, 0, np.partition(distances, 1, axis=0)[:2])


def _weights(distances, window):
    """Return how much steps count as anomalous.

    In the buffers of two anomalies a step counts in whole: each gives at least the root of 1/2.
    """
    nearest, second = distances
    width = window // 2
    weights = np.sqrt(1 - np.minimum(nearest, width) / max(window, 1))
    return np.where(second <= width, 1, np.where(nearest <= width, weights, 0))


def _average_precision(true_rate, false_rate, precision):
    return np.diff(true_rate, prepend=0) @ precision


def _roc_area(true_rate, false_rate, precision):
    return np.trapezoid(np.r_[0, true_rate, 1], np.r_[0, false_rate, 1])
