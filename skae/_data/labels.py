"""Labels of samples, any of which may be missing: classes or numbers."""

from dataclasses import dataclass, replace
from functools import cached_property
from numbers import Real

import numpy as np
import pandas as pd
import torch
from scipy.stats import entropy

from skae._data.checks import as_numbers
from skae._data.given import as_data

#: What stands for a missing label among integers, as in `sklearn.semi_supervised`.
UNLABELED = -1

#: Standard deviation that rounding can leave to constant numbers, as a fraction of them.
ROUNDING = 1e-9

#: Least sum of weights to divide by: there may be no label.
MIN_WEIGHT = 1e-12

#: Least entropy of classes to divide by, in nats: the labels may be nearly all of one class.
LEAST_ENTROPY = 0.1


class Labels:
    """Labels of samples as numbers.

    Parameters
    ----------
    values : float32 ndarray of shape (n_samples, n_labels)
        Numbers of classes, or standardized numbers; NaN where a label is missing.
    is_classes : bool
    sample_weight : ndarray of shape (n_samples,) or None, default=None
    """

    def __init__(self, values, is_classes, sample_weight=None):
        self.values, self.is_classes, self.sample_weight = values, is_classes, sample_weight

    def select(self, index):
        """Return the labels of some of the samples."""
        weight = self.sample_weight
        weight = None if weight is None else weight[index]
        return Labels(self.values[index], self.is_classes, weight)

    @cached_property
    def weight(self):
        """Weight of each label, 0 where it is missing.

        The mean over the samples is the square root of the fraction that is known: a few labels
        together count less than many, as the net soon knows them by heart, but more than alone.
        """
        weight = (~np.isnan(self.values)).astype(np.float32)
        if self.sample_weight is not None:
            weight *= (self.sample_weight / self.sample_weight.mean())[:, None].astype(np.float32)
        mean = weight.mean(0)
        return weight / np.sqrt(np.where(mean > 0, mean, 1.0))

    def variation(self):
        """Return the loss of the best constant prediction: entropy of classes, or variance."""
        if not self.is_classes:
            return 1.0
        is_known = ~np.isnan(self.values[:, 0])
        classes, weight = self.values[is_known, 0].astype(int), self.weight[is_known, 0]
        return max(float(entropy(np.bincount(classes, weight))), LEAST_ENTROPY)

    def get_batch(self, which):
        """Return values and weights as a tensor of shape (n_taken, n_labels, 2)."""
        values = np.nan_to_num(self.values[which])
        return torch.from_numpy(np.stack([values, self.weight[which]], axis=-1))

    def spread(self, order):
        """Return an order of samples in which those of each class, or without labels, are spread.

        Any first part of it then has about the same fraction of each.
        """
        is_known = ~np.isnan(self.values).all(1)
        group = np.where(is_known, np.nan_to_num(self.values[:, 0]) if self.is_classes else 0, -1)
        by_group = pd.Series(order).groupby(group[order])
        place = (by_group.cumcount() + 0.5) / by_group.transform("size")
        return order[np.argsort(place.to_numpy(), kind="stable")]


@dataclass(frozen=True)
class ClassReader:
    """Reads classes: integers, texts or booleans.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,) or None, default=None
        Known after ``learn``.
    """

    classes: np.ndarray | None = None

    @property
    def n_outputs(self):
        """Number of outputs that predict a label."""
        return len(self.classes)

    def learn(self, y, n_samples, sample_weight=None):
        """Return a reader that knows the classes of training labels, and these as `Labels`."""
        labels, is_known = _read_classes(y, n_samples, sample_weight, "y")
        classes = np.unique(np.array(labels[is_known].tolist()))
        if len(classes) > 2 and classes.dtype.kind in "if" and (classes < 0).sum() == 1:
            classes = classes[classes != UNLABELED]
        if len(classes) < 2:
            found = f"one class only, {classes.tolist()[0]!r}" if len(classes) else "no label"
            raise ValueError(
                f"y holds {found}, from which nothing can be learned. Give labels of two classes "
                "or more, or set target=None."
            )
        reader = replace(self, classes=classes)
        return reader, reader._numbered(labels, is_known, "y", sample_weight)

    def read(self, y, n_samples, sample_weight=None, name="y"):
        """Return `Labels` of the classes of the first training."""
        labels, is_known = _read_classes(y, n_samples, sample_weight, name)
        return self._numbered(labels, is_known, name, sample_weight)

    def _numbered(self, labels, is_known, name, sample_weight):
        known, classes = labels[is_known].tolist(), self.classes.tolist()
        numbers = {label: i for i, label in enumerate(classes)}
        if self.classes.dtype.kind in "if":
            numbers.setdefault(UNLABELED, np.nan)
        wrong = next((i for i, label in enumerate(known) if label not in numbers), None)
        if wrong is not None:
            raise ValueError(
                f"{name} holds {known[wrong]!r} in sample {np.flatnonzero(is_known)[wrong]}, which "
                f"is none of the classes that training began with, {classes}. Begin with samples "
                "of all classes."
            )
        values = np.full((len(labels), 1), np.nan, np.float32)
        values[is_known, 0] = [numbers[label] for label in known]
        return Labels(values, True, sample_weight)


@dataclass(frozen=True)
class NumberReader:
    """Reads numbers, one or several for each sample, and standardizes them.

    Parameters
    ----------
    mean, scale : ndarray of shape (n_outputs,) or None, default=None
        Known after ``learn``.
    """

    mean: np.ndarray | None = None
    scale: np.ndarray | None = None
    classes = None

    @property
    def n_outputs(self):
        """Number of outputs that predict a label."""
        return len(self.mean)

    def learn(self, y, n_samples, sample_weight=None):
        """Return a reader that knows the moments of training labels, and these as `Labels`."""
        numbers = _read_numbers(y, n_samples, sample_weight, "y")
        mean, scale = _moments(numbers, sample_weight)
        constant = np.flatnonzero(scale == 0)
        if len(constant):
            column = constant[0]
            where = "" if numbers.shape[1] == 1 else f" in column {column}"
            n_known = (~np.isnan(numbers[:, column])).sum()
            few = {0: "no label", 1: "a label of one sample only"}
            raise ValueError(
                f"y holds {few.get(n_known, 'equal numbers only')}{where}, from which nothing can "
                "be learned. Give labels that differ, or set target=None."
            )
        reader = replace(self, mean=mean, scale=scale)
        return reader, reader._standardized(numbers, sample_weight)

    def read(self, y, n_samples, sample_weight=None, name="y"):
        """Return `Labels`, standardized as those of the first training."""
        numbers = _read_numbers(y, n_samples, sample_weight, name)
        if numbers.shape[1] != self.n_outputs:
            raise ValueError(
                f"{name} holds {numbers.shape[1]} labels for each sample, but training began with "
                f"{self.n_outputs}."
            )
        return self._standardized(numbers, sample_weight)

    def _standardized(self, numbers, sample_weight):
        limit = np.finfo(np.float32).max
        values = np.clip((numbers - self.mean) / self.scale, -limit, limit)
        return Labels(values.astype(np.float32), False, sample_weight)


#: By ``target``, what reads the labels.
LABEL_READERS = {"classification": ClassReader(), "regression": NumberReader()}


def _read_objects(y, n_samples, name):
    """Return labels as an array of objects, without a second axis of length 1."""
    y = as_data(y, name)
    if isinstance(y, np.ma.MaskedArray):
        y = np.where(np.ma.getmaskarray(y), None, y.data)
    try:
        labels = np.array(y, dtype=object)
    except ValueError as error:
        raise ValueError(f"{name} holds labels of different shapes: {error}") from error
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim and len(labels) != n_samples:
        raise ValueError(
            f"{name} holds {len(labels)} labels, but {name.replace('y', 'X')} has {n_samples} "
            "samples. Give one for each, NaN or None where it is missing."
        )
    return labels


def _read_classes(y, n_samples, sample_weight, name):
    """Return labels as an array of objects, and which are known; those without weight are not."""
    labels = _read_objects(y, n_samples, name)
    if labels.ndim != 1:
        raise ValueError(
            f'{name} is of shape {labels.shape}, but target="classification" takes one label for '
            f"each sample, shape ({n_samples},)."
        )
    is_known = ~pd.isna(labels)
    kinds = {}  # by kind, the first of it
    for i in np.flatnonzero(is_known):
        kinds.setdefault(_kind_of_class(labels[i], i, name), i)
    if len(kinds) > 1:
        (first, i), (second, j) = list(kinds.items())[:2]
        raise ValueError(
            f"{name} mixes {first} and {second}: {labels[i]!r} in sample {i}, {labels[j]!r} in "
            f"sample {j}. Give labels of one kind."
        )
    return labels, is_known if sample_weight is None else is_known & (sample_weight > 0)


def _kind_of_class(label, i, name):
    """Return what kind of class a label is, or raise an error if it is none."""
    if isinstance(label, (str, bytes)):
        return "texts" if isinstance(label, str) else "bytes"
    if not isinstance(label, (Real, np.bool_)):
        raise ValueError(
            f"{name} holds {label!r:.60} in sample {i}, but classes are integers or texts."
        )
    if not np.isfinite(float(label)) or label != int(label):
        raise ValueError(
            f"{name} holds {float(label)!r} in sample {i}, but classes are integers or texts. For "
            'numbers of any size set target="regression".'
        )
    return "numbers"


def _read_numbers(y, n_samples, sample_weight, name):
    """Return labels as a float64 array (n_samples, n_outputs), NaN if missing or without weight."""
    labels = _read_objects(y, n_samples, name)
    labels = labels[:, None] if labels.ndim == 1 else labels
    if labels.ndim != 2 or not labels.shape[1]:
        raise ValueError(
            f'{name} is of shape {labels.shape}, but target="regression" takes shape '
            f"({n_samples},) or ({n_samples}, n_outputs)."
        )
    is_text = np.array([isinstance(label, (str, bytes)) for label in labels.flat], bool)
    if is_text.any():
        raise ValueError(
            f"{name} holds {labels.flat[is_text.argmax()]!r} in sample "
            f'{is_text.argmax() // labels.shape[1]}, but target="regression" takes numbers. For '
            'classes set target="classification".'
        )
    numbers = as_numbers(labels, name).astype(np.float64)
    infinite = np.argwhere(np.isinf(numbers))
    if len(infinite):
        raise ValueError(
            f"{name} is infinite in sample {infinite[0, 0]}. Give finite numbers, or NaN where a "
            "label is missing."
        )
    if sample_weight is not None:
        numbers[sample_weight == 0] = np.nan
    return numbers


def _moments(numbers, sample_weight):
    """Return mean and standard deviation of known numbers, 0 of constants, each (n_outputs,)."""
    is_known = ~np.isnan(numbers)
    values = np.where(is_known, numbers, 0.0)
    size = np.abs(values).max(0)
    size[size == 0] = 1.0
    values = values / size  # whose squares are finite
    weight = is_known if sample_weight is None else is_known * sample_weight[:, None]
    weight = weight / np.maximum(weight.sum(0), MIN_WEIGHT)
    mean = (weight * values).sum(0)
    std = np.sqrt((weight * (values - mean) ** 2).sum(0))
    return mean * size, np.where(std > ROUNDING, std * size, 0.0)
