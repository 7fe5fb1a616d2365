"""Precision and recall of ranges of steps in series."""

from numbers import Real

import numpy as np

from skae.metrics._series_labels import as_labels, find_ranges, read_series

__all__ = ["range_f1_score", "range_precision_score", "range_recall_score"]

#: How much a step counts, by its number from 1 and the number of steps of its range.
_BIASES = {
    "flat": lambda step, length: np.ones(length),
    "front": lambda step, length: length - step + 1,
    "middle": lambda step, length: np.minimum(step, length - step + 1),
    "back": lambda step, length: step,
}
_CARDINALITIES = ("one", "reciprocal")


def range_recall_score(y_true, y_pred, *, alpha=0.0, bias="flat", cardinality="one"):
    """Return how much of the anomalies in series is found, each of which counts once.

    An anomaly is a range of steps [1]_. Its recall is the fraction of its steps that are
    predicted, so that a long anomaly does not count more than a short one.

    Parameters
    ----------
    y_true : array-like of bool or int, shape (n_steps,), or list of such
        1 for the steps of anomalies, 0 for others. The anomalies of all series of a list count
        alike, in whichever series they are.
    y_pred : array-like of bool or int, shape (n_steps,), or list of such
        The predicted steps. Of a detector, ``detector.predict(X) == -1``.
    alpha : float, default=0.0
        What it counts that an anomaly is found at all, by any step, in [0, 1]. The fraction of
        its steps counts ``1 - alpha``.
    bias : {"flat", "front", "middle", "back"}, default="flat"
        Which steps of an anomaly count more. "front" rewards early alarms.
    cardinality : {"one", "reciprocal"}, default="one"
        "reciprocal" divides the fraction by the number of alarms that an anomaly is found by.

    Returns
    -------
    score : float
        1 is perfect.

    Raises
    ------
    ValueError
        If lengths differ, values are not 0 and 1, there are no anomalies, or a parameter is
        none of its values.

    See Also
    --------
    range_precision_score : How much of the alarms is right.
    vus_pr_score : Judges scores without a threshold.

    References
    ----------
    .. [1] N. Tatbul, T. J. Lee, S. Zdonik, M. Alam and J. Gottschlich, "Precision and recall for
       time series", Advances in Neural Information Processing Systems, 2018.

    Examples
    --------
    >>> from skae.metrics import range_recall_score
    >>> y_true = [0, 1, 1, 1, 1, 0, 0, 1, 1, 0]
    >>> y_pred = [0, 0, 0, 1, 1, 0, 0, 0, 0, 0]
    >>> range_recall_score(y_true, y_pred)  # half of one, nothing of the other
    0.25
    >>> range_recall_score(y_true, y_pred, alpha=1)  # one of two is found
    0.5
    """
    pairs = _read(y_true, y_pred)
    return _mean_reward(pairs, alpha, bias, cardinality)


def range_precision_score(y_true, y_pred, *, bias="flat", cardinality="one"):
    """Return how much of the alarms in series is right, each of which counts once.

    An alarm is a range of predicted steps [1]_. Its precision is the fraction of its steps that
    are of anomalies.

    Parameters
    ----------
    y_true : array-like of bool or int, shape (n_steps,), or list of such
        1 for the steps of anomalies, 0 for others.
    y_pred : array-like of bool or int, shape (n_steps,), or list of such
        The predicted steps. Of a detector, ``detector.predict(X) == -1``. The alarms in all
        series of a list count alike, in whichever series they are.
    bias : {"flat", "front", "middle", "back"}, default="flat"
        Which steps of an alarm count more.
    cardinality : {"one", "reciprocal"}, default="one"
        "reciprocal" divides the fraction by the number of anomalies that an alarm touches.

    Returns
    -------
    score : float
        1 is perfect. 0 if there are no alarms.

    Raises
    ------
    ValueError
        If lengths differ, values are not 0 and 1, there are no anomalies, or a parameter is
        none of its values.

    See Also
    --------
    range_recall_score : How much of the anomalies is found.

    References
    ----------
    .. [1] N. Tatbul, T. J. Lee, S. Zdonik, M. Alam and J. Gottschlich, "Precision and recall for
       time series", Advances in Neural Information Processing Systems, 2018.

    Examples
    --------
    >>> from skae.metrics import range_precision_score
    >>> y_true = [0, 1, 1, 1, 1, 0, 0, 0, 0, 0]
    >>> y_pred = [0, 0, 0, 1, 1, 0, 0, 1, 0, 0]
    >>> range_precision_score(y_true, y_pred)  # one alarm of two is right
    0.5
    """
    pairs = [(y_pred, y_true) for y_true, y_pred in _read(y_true, y_pred)]
    return _mean_reward(pairs, 0.0, bias, cardinality)


def range_f1_score(y_true, y_pred, *, alpha=0.0, bias="flat", cardinality="one"):
    """Return the harmonic mean of the precision and the recall of ranges in series.

    Parameters
    ----------
    y_true, y_pred : array-like of bool or int, shape (n_steps,), or list of such
        1 for the steps of anomalies, true or predicted, 0 for others.
    alpha : float, default=0.0
        Of `range_recall_score`.
    bias : {"flat", "front", "middle", "back"}, default="flat"
        Of `range_recall_score`. In the precision, all steps of an alarm count alike.
    cardinality : {"one", "reciprocal"}, default="one"
        Of both.

    Returns
    -------
    score : float
        1 is perfect. 0 if no step of an anomaly is found.

    Raises
    ------
    ValueError
        If lengths differ, values are not 0 and 1, there are no anomalies, or a parameter is
        none of its values.

    Examples
    --------
    >>> from skae.metrics import range_f1_score
    >>> y_true = [0, 1, 1, 1, 1, 0, 0, 0, 0, 0]
    >>> y_pred = [0, 0, 0, 1, 1, 0, 0, 1, 0, 0]
    >>> range_f1_score(y_true, y_pred)
    0.5
    """
    precision = range_precision_score(y_true, y_pred, cardinality=cardinality)
    recall = range_recall_score(y_true, y_pred, alpha=alpha, bias=bias, cardinality=cardinality)
    total = precision + recall
    return 2 * precision * recall / total if total else 0.0


def _read(y_true, y_pred):
    pairs, names = read_series(y_true, y_pred, "y_pred")
    labels = [(true, as_labels(y, of[1])) for (true, y), of in zip(pairs, names, strict=True)]
    if not any(true.any() for true, _ in labels):
        raise ValueError("y_true holds no anomaly, which are the steps of 1")
    return labels


def _mean_reward(pairs, alpha, bias, cardinality):
    """Return the mean reward of the ranges of the first labels of each pair."""
    if not (isinstance(alpha, Real) and 0 <= alpha <= 1):
        raise ValueError(f"alpha must be a number in [0, 1]; got {alpha!r}")
    for name, value, known in (
        ("bias", bias, tuple(_BIASES)),
        ("cardinality", cardinality, _CARDINALITIES),
    ):
        if value not in known:
            raise ValueError(f"{name} must be one of {known}; got {value!r}")
    rewards = [
        _reward(others[start:end], alpha, bias, cardinality)
        for labels, others in pairs
        for start, end in zip(*find_ranges(labels), strict=True)
    ]
    return float(np.mean(rewards)) if rewards else 0.0


def _reward(found, alpha, bias, cardinality):
    """Return the reward of a range, by which of its steps are in one of the other labels."""
    weights = _BIASES[bias](np.arange(1, len(found) + 1), len(found))
    overlap = weights[found].sum() / weights.sum()
    if cardinality == "reciprocal":
        overlap /= max(1, len(find_ranges(found)[0]))
    return alpha * found.any() + (1 - alpha) * overlap
