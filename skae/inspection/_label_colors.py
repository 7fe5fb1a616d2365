"""Labels of samples as colors of points: categories or numbers."""

from dataclasses import dataclass

import numpy as np

from skae._data.labels import UNLABELED
from skae.inspection._labels import read_labels
from skae.inspection._texts import cell_text

#: Whole numbers of at most so many values are taken for categories, and so many are told apart.
MAX_CATEGORIES = 20

#: Values beyond these quantiles have the color of the ends.
COLOR_RANGE = 0.01, 0.99


@dataclass
class Categories:
    """Labels that are categories.

    Parameters
    ----------
    codes : ndarray of int, shape (n_samples,)
        Position of the category in ``names``, -1 where the label is missing.
    names : list of str
    title : str or None
    """

    codes: np.ndarray
    names: list
    title: str | None


@dataclass
class Numbers:
    """Labels that are numbers, NaN where one is missing.

    Parameters
    ----------
    values : ndarray of float, shape (n_samples,)
    title : str or None
    """

    values: np.ndarray
    title: str | None

    @property
    def ends(self):
        """Values at the ends of the colors."""
        known = self.values[np.isfinite(self.values)]
        low, high = np.quantile(known, COLOR_RANGE) if len(known) else (0.0, 1.0)
        return (low, high) if high > low else (low - 0.5, low + 0.5)


def labels_of(y, n_samples, name=None):
    """Return labels as `Categories` or `Numbers`, or None.

    Parameters
    ----------
    y : array-like of shape (n_samples,) or None
        Text and booleans are categories, and so are whole numbers with few different values; NaN,
        None, and -1 beside other whole numbers than 1, are missing labels.
    n_samples : int
    name : str or None, default=None
        Title of the labels. None is that of a column.

    Raises
    ------
    TypeError, ValueError
        If y is not one label for each sample.
    """
    if y is None:
        return None
    labels = read_labels(y, n_samples, name)
    if labels.is_continuous:
        return Numbers(labels.numbers, labels.title)
    codes, values = labels.codes, labels.values
    if labels.numbers is not None:
        if UNLABELED in values and not set(values) <= {-1, 1}:
            place = values.index(UNLABELED)
            codes = np.where(codes == place, -1, codes - (codes > place))
            values = values[:place] + values[place + 1 :]
        if len(values) > MAX_CATEGORIES:
            return Numbers(np.where(codes < 0, np.nan, labels.numbers), labels.title)
        return Categories(codes, [str(value) for value in values], labels.title)
    return _told_apart(labels)


def _told_apart(labels):
    """Return categories, of which the rarest are one if there are too many to tell apart."""
    names = [cell_text(value) for value in labels.values]
    order = labels.by_frequency()
    if len(order) <= MAX_CATEGORIES:
        return Categories(labels.codes, names, labels.title)
    kept = np.sort(order[: MAX_CATEGORIES - 1])
    new = np.full(len(names) + 1, len(kept))  # the last one is of missing labels, -1
    new[kept], new[-1] = np.arange(len(kept)), -1
    names = [names[i] for i in kept] + [f"{len(order) - len(kept)} others"]
    return Categories(new[labels.codes], names, labels.title)
