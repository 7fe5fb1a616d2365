"""Groups of samples by their labels, and how each of them looks."""

from numbers import Integral, Real
from typing import NamedTuple

import narwhals as nw
import numpy as np
import pandas as pd
from sklearn.utils.multiclass import type_of_target

from skae._data.checks import as_array
from skae._outliers.labels import ANOMALY, NORMAL, UNKNOWN
from skae.exceptions import DataWarning, warn
from skae.inspection._plotting import BLUE, GRAY, GREEN, ORANGE, PURPLE, RED, SKY

#: Colors and hatches of groups.
FIRST, SECOND = (BLUE, ""), (RED, "//")
LOOKS = FIRST, SECOND, (GREEN, ".."), (PURPLE, "xx"), (ORANGE, "--"), (SKY, "++")

#: What is not labeled, and what there is no room for.
NO_LABEL = "no label", (GRAY, "|")
OTHERS = "other labels", ("black", "\\\\")

#: What the labels of outlier detectors mean.
OUTLIER_LABELS = {NORMAL: ("normal", FIRST), ANOMALY: ("outlier", SECOND), UNKNOWN: NO_LABEL}


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
    ValueError
        If there is not one label for each sample, or they are numbers that are no labels.
    """
    if y is None:
        return [Group("samples", FIRST, np.ones(n_samples, bool))]
    values = _read(y, n_samples)
    is_missing = pd.isna(values)
    codes, labels = pd.factorize(pd.Series(values[~is_missing], dtype=object))
    of_sample = np.full(n_samples, -1)
    of_sample[~is_missing] = codes
    numbers = {_as_integer(label) for label in labels}
    if ANOMALY in numbers and numbers <= set(OUTLIER_LABELS):
        named = [OUTLIER_LABELS[_as_integer(label)] for label in labels]
        groups = [Group(*named[i], of_sample == i) for i in range(len(labels))]
    else:
        groups = _by_label(of_sample, [_text(label, y) for label in labels])
    if is_missing.any():
        groups = _with_missing(groups, is_missing)
    return sorted(groups, key=lambda group: -group.which.sum())


def _read(y, n_samples):
    """Return labels as an array of objects."""
    values = y.filled(np.nan) if isinstance(y, np.ma.MaskedArray) and y.dtype.kind == "f" else y
    if isinstance(y, np.ma.MaskedArray):
        values = np.where(np.ma.getmaskarray(y), None, y.data.astype(object))
    values = np.asarray(as_array(values, "y", "Give one label for each sample."), dtype=object)
    values = values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
    if values.shape != (n_samples,):
        raise ValueError(
            f"y is of shape {values.shape}, but there are {n_samples} samples. Give one label for "
            "each of them."
        )
    known = values[~pd.isna(values)]
    if all(isinstance(value, Real) for value in known):
        numbers = known.astype(np.float64)
        if type_of_target(numbers) == "continuous":
            raise ValueError(
                f"y holds numbers such as {known[0]!r}, which are no labels. Give -1 for outliers "
                "and 1 for normal samples, or names."
            )
    return values


def _as_integer(label):
    """Return a label as an integer, or None if it is none."""
    is_number = isinstance(label, Real) and not isinstance(label, (bool, np.bool_))
    return int(label) if is_number else None


def _text(label, y):
    """Return what a legend calls a label: text as it is, others with the name of y."""
    if isinstance(label, str):
        return label
    is_series = nw.dependencies.is_into_series(y)
    name = (nw.from_native(y, series_only=True).name if is_series else None) or "y"
    is_integral = isinstance(label, Real) and not isinstance(label, (bool, Integral))
    return f"{name} = {label:g}" if is_integral else f"{name} = {label}"


def _by_label(of_sample, names):
    """Return groups of labels, of which the rarest may be put together."""
    counts = np.bincount(of_sample[of_sample >= 0], minlength=len(names))
    order = np.argsort(-counts, kind="stable")
    shown, others = order, []
    if len(order) > len(LOOKS):
        shown, others = order[: len(LOOKS)], order[len(LOOKS) :]
        warn(
            f"y holds {len(order)} different labels. The {len(others)} rarest are drawn as one "
            "group.",
            DataWarning,
        )
    groups = [Group(names[i], look, of_sample == i) for i, look in zip(shown, LOOKS, strict=False)]
    return groups + ([Group(*OTHERS, np.isin(of_sample, others))] if len(others) else [])


def _with_missing(groups, is_missing):
    """Return groups with the samples that have no label."""
    unlabeled = [group for group in groups if group.name == NO_LABEL[0]]
    which = is_missing | np.any([group.which for group in unlabeled], axis=0)
    return [g for g in groups if g.name != NO_LABEL[0]] + [Group(*NO_LABEL, which)]
