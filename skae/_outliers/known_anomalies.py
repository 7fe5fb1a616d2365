"""Scores that are lowered by how much rows are like known anomalies."""

import numpy as np
import torch
from scipy import sparse
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.utils import gen_batches

from skae._data.checks import as_array
from skae._data.frames import is_frame
from skae._data.tables import TableReader
from skae._outliers.labels import ANOMALY, NORMAL, UNKNOWN
from skae._sklearn import state_of_tree, tree_of_state

#: Trees of the forest.
N_TREES = 100

#: Rows that a tree learns from, at most.
MAX_ROWS = 2000

#: Normal rows of the forest, at least. If fewer are known, unknown ones are added.
MIN_NORMAL = 50

#: Unknown rows of the forest, at least: those that are known may all be unusual.
MIN_UNKNOWN = 10

#: Fraction of the normal rows of the forest whose odds are too low to lower a score.
LIKE_NORMAL = 0.8

#: Steps that the score loses for each doubling of the odds, at most.
MAX_WEIGHT = 2.0

#: Steps from the median beyond which the forest does not tell scores apart.
MAX_STEPS = 20.0

#: Rows that are read at a time.
CHUNK_ROWS = 2**13


class KnownAnomalies:
    """Lowers the scores of rows that are like known anomalies.

    A forest learns to tell known anomalies from normal rows, by their columns and their scores.
    Where a row is more probably an anomaly than four fifths of these normal rows, and than all
    rows of the forest on average, its score is lowered. Other scores do not change, so anomalies
    of new kinds keep theirs.

    The unit is a step: the difference between the median and the first quartile of the scores.
    Half of the lower half of the scores is within a step of the median. If each further step
    halved the rest, it would count as much as a doubling of the odds. For each doubling of the
    odds the score loses one step if one anomaly is known, which may not be like the others, and
    two steps if four or more are known.

    Parameters
    ----------
    X : DataFrame, array or sparse matrix of shape (n_samples, ...)
        Rows.
    labels : ndarray of int, shape (n_samples,)
        -1, 0 or 1. At least one is -1, and at least one is not.
    scores : ndarray of shape (n_samples,)
        Scores of an estimator that has not learned from the known anomalies.
    rng : RandomState

    Attributes
    ----------
    penalties : ndarray of shape (n_samples,)
        How much the scores of X are lowered, where rows that the forest has learned from are
        judged only by the trees that have not seen them.
    """

    def __init__(self, X, labels, scores, rng):
        self._read = _ColumnReader(X)
        low, self._median = np.quantile(scores[labels != ANOMALY], [0.25, 0.5])
        self._step = self._median - low or 1.0
        which = _rows_of_forest(labels, rng)
        is_anomaly = labels[which] == ANOMALY
        vectors = self._vectors(X, scores)
        forest = ExtraTreesClassifier(
            N_TREES,
            bootstrap=True,
            max_samples=min(MAX_ROWS, len(which)),
            oob_score=True,
            random_state=rng,
        )
        forest.fit(vectors[which], is_anomaly)
        self._trees = [tree.tree_ for tree in forest.estimators_]
        probabilities = self._probabilities(vectors)
        probabilities[which] = np.nan_to_num(forest.oob_decision_function_[:, 1])
        of_normal = np.quantile(probabilities[which[~is_anomaly]], LIKE_NORMAL)
        self._least = _log_odds(max(of_normal, is_anomaly.mean()))
        self._weight = self._step * min(np.sqrt(is_anomaly.sum()), MAX_WEIGHT)
        self.penalties = self._penalties(probabilities)

    def __getstate__(self):
        """Return the state for pickle, in which trees are arrays."""
        return vars(self) | {"_trees": list(map(state_of_tree, self._trees))}

    def __setstate__(self, state):
        vars(self).update(state | {"_trees": list(map(tree_of_state, state["_trees"]))})

    @property
    def reader(self):
        """What reads columns, a `TableReader`; None of sparse matrices, which are as they are."""
        return self._read.reader

    def lowered(self, X, scores):
        """Return the scores of rows, lowered where the rows are like known anomalies.

        Parameters
        ----------
        X : DataFrame, array or sparse matrix of shape (n_samples, ...)
            Rows.
        scores : ndarray of shape (n_samples,)
            Their scores.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
        """
        return scores - self._penalties(self._probabilities(self._vectors(X, scores)))

    def _vectors(self, X, scores):
        """Return what the forest knows of rows: their columns, and their scores in steps."""
        steps = np.clip((scores - self._median) / self._step, -MAX_STEPS, MAX_STEPS)
        steps = steps.astype(np.float32)[:, None]
        vectors = self._read(X)
        if sparse.issparse(vectors):
            return sparse.hstack([vectors, steps], format="csr")
        return np.hstack([vectors, steps])

    def _probabilities(self, vectors):
        """Return how probable it is that rows are anomalies."""
        if any(tree.n_features != vectors.shape[1] for tree in self._trees):
            raise ValueError("A tree knows other columns. Fit the detector again.")
        # Tree by tree, a single row takes a tenth of the time that the forest needs for it.
        return sum(tree.predict(vectors)[:, 1] for tree in self._trees) / len(self._trees)

    def _penalties(self, probabilities):
        return self._weight * np.maximum(_log_odds(probabilities) - self._least, 0)


class _ColumnReader:
    """Reads rows as vectors of numbers and one-hot categories.

    Parameters
    ----------
    X : DataFrame, array or sparse matrix of shape (n_samples, ...)
        Rows to learn the columns from.

    Raises
    ------
    ValueError
        If the rows have no columns.
    """

    def __init__(self, X):
        self._reader = TableReader()
        if not sparse.issparse(X):
            self._reader, _ = self._reader.learn(_as_table(X))

    @property
    def reader(self):
        return None if self._reader.format is None else self._reader

    def __call__(self, X):
        if sparse.issparse(X):
            return X.tocsr().astype(np.float32)
        dataset = self._reader.read(_as_table(X), estimator=self._reader.features)
        parts = gen_batches(len(dataset), CHUNK_ROWS)
        vectors = [dataset.get_batch(part, torch.float32)[0].numpy() for part in parts]
        return np.nan_to_num(np.concatenate(vectors))


def _as_table(X):
    """Return rows as a table; those of images and the like have a column for each value."""
    if is_frame(X):
        return X
    try:
        X = as_array(X, "X")
    except ValueError:
        X = np.empty(0)
    if X.ndim < 2:
        raise ValueError(
            "use_labels=True compares rows column by column, so X must be a table, or an array of "
            "samples that all have the same shape. Turn texts and sequences into rows of numbers "
            "first."
        )
    return X.reshape(len(X), -1)


def _rows_of_forest(labels, rng):
    """Return the labeled rows, and some unknown ones: more if few normal rows are known."""
    unknown = np.flatnonzero(labels == UNKNOWN)
    n_added = min(max(MIN_NORMAL - (labels == NORMAL).sum(), MIN_UNKNOWN), len(unknown))
    added = rng.choice(unknown, n_added, replace=False)
    return np.concatenate([np.flatnonzero(labels != UNKNOWN), added])


def _log_odds(probability):
    """Return the binary logarithm of the odds, finite also if all trees agree."""
    rounded = (probability * N_TREES + 0.5) / (N_TREES + 1)
    return np.log2(rounded / (1 - rounded))
