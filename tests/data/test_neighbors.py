"""Neighbors of samples, and batches of pairs of them."""

import numpy as np
import pytest
import torch
from scipy import sparse
from sklearn.neighbors import NearestNeighbors

from skae import RecurrentAutoencoder, TabularAutoencoder
from skae._data import neighbors as module
from skae._data.dataset import ArrayDataset
from skae._data.neighbors import NeighborBatches, nearest_neighbors


def rows(n_samples=40, n_features=3, seed=0):
    return np.random.default_rng(seed).normal(size=(n_samples, n_features)).astype(np.float32)


def batches(dataset, neighbors, size=10, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return NeighborBatches(neighbors, dataset, size, torch.device("cpu"), generator)


def test_neighbors_are_the_nearest():
    X = rows()
    expected = NearestNeighbors(n_neighbors=5).fit(X).kneighbors(return_distance=False)
    np.testing.assert_array_equal(nearest_neighbors(ArrayDataset(X), 5), expected)


def test_of_selected_rows_positions_are_those_of_the_selection():
    X, chosen = rows(), np.arange(0, 40, 2)
    found = nearest_neighbors(ArrayDataset(X).select(chosen), 3)
    np.testing.assert_array_equal(found, nearest_neighbors(ArrayDataset(X[chosen]), 3))


def test_sparse_rows():
    X = rows()
    found = nearest_neighbors(ArrayDataset(sparse.csr_matrix(X)), 3)
    np.testing.assert_array_equal(found, nearest_neighbors(ArrayDataset(X), 3))


def test_equal_rows_are_neighbors_of_each_other_not_of_themselves():
    found = nearest_neighbors(ArrayDataset(np.repeat(rows(3), 4, axis=0)), 3)
    assert not (found == np.arange(12)[:, None]).any()
    np.testing.assert_array_equal(found // 4, np.repeat([0, 1, 2], 4)[:, None] + np.zeros(3))


@pytest.mark.parametrize("n_samples", [1, 2, 3])
def test_few_samples(n_samples):
    found = nearest_neighbors(ArrayDataset(rows(n_samples)), 15)
    assert found.shape == (n_samples, max(1, n_samples - 1))


def test_long_rows_are_compared_by_principal_components():
    # Two of 300 columns hold all the variance, so that distances are almost equal.
    X = np.hstack([rows(200, 2), 1e-3 * rows(200, 298, seed=1)])
    found = nearest_neighbors(ArrayDataset(X), 1)
    exact = NearestNeighbors(n_neighbors=1).fit(X).kneighbors(return_distance=False)
    assert (found == exact).mean() > 0.95


def test_neighbors_come_from_a_part_of_many_samples(monkeypatch):
    monkeypatch.setattr(module, "MAX_CANDIDATES", 10)
    found = nearest_neighbors(ArrayDataset(rows()), 3)
    assert len(np.unique(found)) <= 10
    assert found.shape == (40, 3)


def test_an_epoch_has_each_sample_once_with_a_neighbor():
    # Samples are numbers from 0 on, and the neighbors of each are the next two, if there are.
    X = np.arange(23, dtype=np.float32)[:, None]
    neighbors = np.minimum(np.arange(23)[:, None] + [1, 2], 22)
    pairs = [x.view(2, -1) for x, _ in batches(ArrayDataset(X), neighbors)]
    assert [pair.shape[1] for pair in pairs] == [5, 5, 5, 5, 3]
    first, second = torch.cat(pairs, 1)
    # Moved by at most half of the way to another neighbor, which is 2 at most.
    assert np.abs(np.sort(first) - X[:, 0]).max() <= 1
    assert ((first - 1 <= second) & (second <= first + 4)).all()
    assert not np.isin(first, X).all()


def test_values_stay_in_the_range_of_their_column():
    X = (rows() > 0).astype(np.float32)
    dataset = ArrayDataset(X)
    moved = torch.cat([x for x, _ in batches(dataset, nearest_neighbors(dataset, 20))])
    assert (moved.min(), moved.max()) == (0, 1)
    assert ((moved > 0) & (moved < 1)).any()


def test_order_depends_on_the_seed_only():
    dataset = ArrayDataset(rows())
    neighbors = nearest_neighbors(dataset, 5)
    first, again, other = (
        torch.cat([x for x, _ in batches(dataset, neighbors, seed=seed)]) for seed in (0, 0, 1)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_weights_go_along():
    X = np.arange(20, dtype=np.float32)[:, None] * 100
    dataset = ArrayDataset(X, sample_weight=np.arange(20) / 9.5)
    for x, (_, weight, _) in batches(dataset, np.arange(20)[:, None]):  # moved to themselves
        np.testing.assert_allclose(weight, x[:, 0] / 950, rtol=1e-5)


def test_missing_cells_stay_missing():
    X = rows(60)
    X[::3, 1] = np.nan
    reader = TabularAutoencoder(max_epochs=1, check_baseline=False).fit(X)._reader
    dataset = reader.read(X)
    firsts = [x[: len(x) // 2] for x, _ in batches(dataset, nearest_neighbors(dataset, 4))]
    assert torch.cat(firsts).isnan().sum() == 20


def test_sequences_keep_their_lengths():
    X = [rows(n, 2, seed=n) for n in range(5, 25)]
    reader = RecurrentAutoencoder(max_epochs=1, check_baseline=False).fit(X)._reader
    dataset = reader.read(X)
    lengths = []
    for x, _ in batches(dataset, nearest_neighbors(dataset, 4)):
        lengths += (~x[: len(x) // 2].isnan()).sum((1, 2)).tolist()
    assert sorted(lengths) == [2 * n for n in range(5, 25)]
