"""Scores that are lowered for rows like known anomalies, as modules for graphs."""

import numpy as np
import torch
from torch import nn

from skae._onnx.table_cells import (
    LOG_2,
    Elements,
    cells_of_codes,
    codes_of_numbers,
    double,
    recoded,
    without_nan,
)
from skae._outliers.known_anomalies import MAX_STEPS, N_TREES

#: Class of anomalies in the forest.
IS_ANOMALY = 1


class LoweredScores(nn.Module):
    """Scores of an estimator, lowered where rows are like known anomalies.

    Maps an array of samples, as the graph takes it, to scores of shape (n_samples,), float64.

    Parameters
    ----------
    detector : OutlierDetector
        One that has learned from known anomalies.
    scores : nn.Module
        Maps the same array to the scores of its estimator. Of a table, it takes the codes of the
        estimator's columns.
    columns : TableColumns or None
        Those of the estimator, if it takes codes of a table. This module then takes codes of the
        columns of the detector: it has seen the known anomalies, which can be of other categories.
    """

    def __init__(self, detector, scores, columns=None):
        super().__init__()
        known = detector._known_anomalies
        self.scores = scores
        format = known.reader and known.reader.format
        self.recode = nn.Identity() if columns is None else recoded(format.columns, columns)
        self.vectors = nn.Identity() if format is None else _vectors(format, columns)
        self.forest = Forest(known._trees)
        for name, value in {
            "median": known._median,
            "step": known._step,
            "weight": known._weight,
            "least": known._least,
        }.items():
            self.register_buffer(name, double(value))

    def forward(self, X):
        scores = self.scores(self.recode(X)).double()
        steps = ((scores - self.median) / self.step).clamp(-MAX_STEPS, MAX_STEPS)
        vectors = torch.cat([self.vectors(X.flatten(1)).float(), steps.float()[:, None]], 1)
        rounded = (self.forest(vectors) * N_TREES + 0.5) / (N_TREES + 1)
        odds = torch.log(rounded / (1 - rounded)) / LOG_2
        return scores - self.weight * (odds - self.least).clamp(min=0)


def _vectors(format, columns):
    """Return a module that makes vectors for the forest, from numbers or codes of columns."""
    read = [cells_of_codes(format.columns.columns), Elements(format), _WithoutNaN()]
    if columns is None:
        read.insert(0, codes_of_numbers(format.columns))
    return nn.Sequential(*read)


class _WithoutNaN(nn.Module):
    def forward(self, x):
        return without_nan(x)


class Forest(nn.Module):
    """The mean over trees of the probability that a row is an anomaly.

    Parameters
    ----------
    trees : list of sklearn.tree._tree.Tree
    """

    def __init__(self, trees):
        super().__init__()
        self.depth = max(tree.max_depth for tree in trees)
        starts = np.cumsum([0, *(tree.node_count for tree in trees[:-1])])
        self.register_buffer("starts", torch.from_numpy(starts))
        # The nodes of all trees in a row. Leaves are their own children.
        is_leaf = np.concatenate([tree.children_left < 0 for tree in trees])
        children = {"left": [], "right": []}
        for tree, start in zip(trees, starts, strict=True):
            children["left"].append(tree.children_left + start)
            children["right"].append(tree.children_right + start)
        for name, places in children.items():
            places = np.where(is_leaf, np.arange(len(is_leaf)), np.concatenate(places))
            self.register_buffer(name, torch.from_numpy(places))
        feature = np.where(is_leaf, 0, np.concatenate([tree.feature for tree in trees]))
        self.register_buffer("feature", torch.from_numpy(feature))
        threshold = np.concatenate([tree.threshold for tree in trees])
        self.register_buffer("threshold", torch.from_numpy(_single_below(threshold)))
        value = np.concatenate([tree.value[:, 0, IS_ANOMALY] for tree in trees])
        self.register_buffer("value", torch.from_numpy(value))

    def forward(self, x):
        nodes = self.starts.expand(x.shape[0], -1)
        for _ in range(self.depth):
            is_left = x.gather(1, self.feature[nodes]) <= self.threshold[nodes]
            nodes = torch.where(is_left, self.left[nodes], self.right[nodes])
        return self.value[nodes].mean(1)


def _single_below(numbers):
    """Return the largest float32 not above each number: the same numbers of float32 are below."""
    single = numbers.astype(np.float32)
    return np.where(single > numbers, np.nextafter(single, np.float32(-np.inf)), single)
