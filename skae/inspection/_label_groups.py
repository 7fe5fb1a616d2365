"""Groups of samples by their labels, and how each of them looks."""

from numbers import Real
from typing import NamedTuple

import numpy as np

from skae._outliers.labels import ANOMALY, NORMAL, UNKNOWN
from skae.exceptions import DataWarning, warn
from skae.inspection._labels import read_labels
from skae.inspection._plotting import BLUE, GRAY, GREEN, ORANGE, PURPLE, RED, SKY, ink
from skae.inspection._texts import cell_text

#: Colors and hatches of groups.
FIRST, SECOND = (BLUE, ""), (RED, "//")
LOOKS = FIRST, SECOND, (GREEN, ".."), (PURPLE, "xx"), (ORANGE, "--"), (SKY, "++")

#: What is not labeled, and what there is no room for.
NO_LABEL = "no label", (GRAY, "|")
OTHERS = "other labels", "\\\\"

#: What the labels of outlier detectors mean.
OUTLIER_LABELS = {NORMAL: ("normal", FIRST), ANOMALY: ("outlier", SECOND)}


class Group(NamedTuple):
    """Samples of one label.

    Parameters
    ----------
    name : str
        What a legend calls them.
    look : tuple of str
        Their color and their hatch.
    which : ndarray of bool of shape (n_samples,)
        Which samples these are.
    """

    name: str
    look: tuple
    which: np.ndarray


def read_groups(y, n_samples):
    """Return the groups of samples that labels make, the largest first.

    The labels -1, 1, and 0 beside -1, are those of outlier detectors. All others are shown as they
    are, as 1 stands for outliers with some people and for normal samples with others.

    Parameters
    ----------
    y : array-like of shape (n_samples,) or None
        None puts all samples into one group.
    n_samples : int

    Returns
    -------
    list of Group

    Raises
    ------
    TypeError, ValueError
        If there is not one label for each sample, or they are numbers that are no labels.
    """
    if y is None:
        return [Group("samples", FIRST, np.ones(n_samples, bool))]
    labels = read_labels(y, n_samples)
    if labels.is_continuous:
        odd = next(value for value in labels.values if value != np.round(value) or np.isinf(value))
        raise ValueError(
            f"y holds numbers such as {odd:.15g}, which are no labels. Give -1 for "
            "outliers and 1 for normal samples, or names."
        )
    numbers = {_as_integer(labels.values[i]) for i in labels.by_frequency()}
    is_of_detector = ANOMALY in numbers and numbers <= {*OUTLIER_LABELS, UNKNOWN}
    groups = _of_detector(labels) if is_of_detector else _by_frequency(labels)
    is_missing = labels.codes < 0
    groups += [Group(*NO_LABEL, is_missing)] if is_missing.any() else []
    return sorted(groups, key=lambda group: -group.which.sum())


def _as_integer(label):
    """Return a label as an integer, or None if it is none."""
    is_number = isinstance(label, Real) and not isinstance(label, (bool, np.bool_))
    return int(label) if is_number else None


def _of_detector(labels):
    """Return the groups of the labels -1, 0 and 1, of which 0 is a missing one."""
    found = {_as_integer(labels.values[i]): i for i in labels.by_frequency()}
    unlabeled = found.pop(UNKNOWN, None)
    if unlabeled is not None:
        labels.codes[labels.codes == unlabeled] = -1
    return [Group(*OUTLIER_LABELS[label], labels.codes == i) for label, i in found.items()]


def _by_frequency(labels):
    """Return groups of labels, of which the rarest may be put together."""
    order = labels.by_frequency()
    shown, others = order[: len(LOOKS)], order[len(LOOKS) :]
    groups = [
        Group(_text(labels.values[i], labels.title), look, labels.codes == i)
        for i, look in zip(shown, LOOKS, strict=False)
    ]
    if not len(others):
        return groups
    warn(
        f"y holds {len(order)} different labels. The {len(others)} rarest are drawn as one group.",
        DataWarning,
    )
    return [*groups, Group(OTHERS[0], (ink(), OTHERS[1]), np.isin(labels.codes, others))]


def _text(label, title):
    """Return what a legend calls a label: text as it is, others with what they are."""
    return label if isinstance(label, str) else f"{title or 'y'} = {cell_text(label)}"
