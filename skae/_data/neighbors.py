"""Neighbors of samples, and batches of pairs of them."""

import numpy as np
import torch
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

from skae._data.batches import Batches, along

#: Neighbors are looked for among at most this many samples.
MAX_CANDIDATES = 20_000

#: Distances between longer samples are those of as many principal components.
MAX_DIMENSIONS = 50

#: Samples that give the components, at most.
MAX_PCA_SAMPLES = 5_000

#: How far a sample is moved toward a neighbor or away from it, as a fraction of their difference.
MAX_MOVE = 0.5


def nearest_neighbors(dataset, n_neighbors):
    """Return the nearest other samples of each sample.

    Parameters
    ----------
    dataset : ArrayDataset
    n_neighbors : int
        How many to find; all others if these are fewer.

    Returns
    -------
    ndarray of int, shape (n_samples, n_neighbors)
        A single sample is its own neighbor.
    """
    points = _points(dataset)
    n_samples = len(points)
    if n_samples == 1:
        return np.zeros((1, 1), int)
    candidates = np.linspace(0, n_samples - 1, min(n_samples, MAX_CANDIDATES)).astype(int)
    n_neighbors = min(n_neighbors, len(candidates) - 1)
    search = NearestNeighbors(n_neighbors=n_neighbors + 1).fit(points[candidates])
    found = candidates[search.kneighbors(points, return_distance=False)]
    # Itself goes last. Of equal samples, another one may come first.
    is_itself = found == np.arange(n_samples)[:, None]
    order = np.argsort(is_itself, axis=1, kind="stable")[:, :n_neighbors]
    return np.take_along_axis(found, order, axis=1)


def _points(dataset):
    """Return samples as vectors that distances can be computed of."""
    sample = _vectors(dataset.subsample(MAX_PCA_SAMPLES))
    if min(sample.shape) <= MAX_DIMENSIONS:
        return _vectors(dataset)
    pca = PCA(MAX_DIMENSIONS, svd_solver="randomized", random_state=0).fit(sample)
    return _vectors(dataset, pca.transform)


def _vectors(dataset, function=np.asarray):
    """Return a function of the samples as flat vectors, in which no values are missing."""
    n_samples, n_at_once = len(dataset), dataset.chunk_length
    pieces = []
    for start in range(0, n_samples, n_at_once):
        which = np.arange(start, min(start + n_at_once, n_samples))
        x, _ = dataset.get_batch(which, torch.float32)
        pieces.append(function(dataset.filled(x).flatten(1).numpy()))
    return np.concatenate(pieces)


class NeighborBatches(Batches):
    """Iterate over a data set in batches, the second half of which are neighbors of the first.

    In an epoch, each sample is once in the first half. All are moved along the line through them
    and one more neighbor of their own, by a fraction that is drawn: in the vicinity of samples the
    data is as likely as at them [1]_. So nets learn from more than the samples. No value leaves the
    range of its feature.

    Parameters
    ----------
    neighbors : ndarray of int, shape (n_samples, n_neighbors)
        As ``nearest_neighbors`` returns them.
    *args
        Those of `Batches`.

    References
    ----------
    .. [1] O. Chapelle, J. Weston, L. Bottou and V. Vapnik, "Vicinal risk minimization", NIPS 2000.
    """

    def __init__(self, neighbors, *args):
        super().__init__(*args)
        self.neighbors = neighbors
        self.low, self.high = (end.to(torch.float32) for end in self.dataset.column_range())

    @property
    def n_pairs(self):
        """Number of pairs in a batch."""
        return max(1, self.batch_size // 2)

    def __len__(self):
        return -(-len(self.dataset) // self.n_pairs)

    def __iter__(self):
        order = self.new_order()
        for start in range(0, len(order), self.n_pairs):
            first = order[start : start + self.n_pairs]
            which = np.concatenate([first, self._drawn_neighbors(first)])
            x, weight = self._moved(which)
            labels = self.dataset.get_labels(which)
            labels = None if labels is None else labels.to(self.device)
            yield x, (x, weight, labels)

    def _drawn_neighbors(self, which):
        """Return a neighbor of each of some samples."""
        n_neighbors = self.neighbors.shape[1]
        column = torch.randint(n_neighbors, (len(which),), generator=self.generator).numpy()
        return self.neighbors[which, column]

    def _moved(self, which):
        """Return samples that are moved along the lines to neighbors, and their weights."""
        both = np.concatenate([which, self._drawn_neighbors(which)])
        x, weight = self.dataset.get_batch(both, torch.float32)
        own, other = x.chunk(2)
        fraction = MAX_MOVE * (2 * torch.rand(len(own), generator=self.generator) - 1)
        moved = torch.lerp(own, other, along(fraction, own)).clamp(self.low, self.high)
        moved = torch.where(other.isnan(), own, moved)  # missing, or behind the end
        weight = None if weight is None else weight[: len(own)].to(self.device)
        return moved.to(self.device), weight
