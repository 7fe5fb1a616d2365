"""Data that must not be copied as a whole."""

import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
import torch
from scipy import sparse

from skae._data.batches import Batches, chunks
from skae._data.dataset import ArrayDataset, take_rows


def test_float32_rows_are_not_copied():
    X = np.zeros((10, 3), "float32")
    x, weight = ArrayDataset(X).get_batch(slice(2, 5), torch.float32)
    assert weight is None
    X[3, 1] = 7
    assert x[1, 1] == 7


def test_select_shares_the_matrix():
    X = np.arange(20.0).reshape(10, 2)
    rows = ArrayDataset(X, np.arange(10.0)).select(np.array([1, 3, 5])).select(np.array([2, 0]))
    assert rows.X is X
    x, weight = rows.get_batch(slice(None), torch.float64)
    assert x.tolist() == [[10, 11], [2, 3]]
    np.testing.assert_allclose(weight, [5 / 3, 1 / 3])  # of mean 1


def test_an_epoch_takes_each_row_once_in_a_new_order():
    X = np.arange(1003.0)[:, None]
    batches = Batches(ArrayDataset(X), 10, torch.device("cpu"), torch.Generator().manual_seed(0))
    first, second = ([x.flatten().tolist() for x, _ in batches] for _ in range(2))
    assert [len(batch) for batch in first] == [10] * 100 + [3]
    for epoch in (first, second):
        assert sorted(sum(epoch, [])) == X.flatten().tolist()
    assert first != second


def test_order_does_not_depend_on_chunks(monkeypatch):
    def epoch():
        batches = Batches(
            ArrayDataset(X), 10, torch.device("cpu"), torch.Generator().manual_seed(0)
        )
        return [x.flatten().tolist() for x, _ in batches]

    X = np.arange(1003.0)[:, None]
    whole = epoch()
    monkeypatch.setattr("skae._data.dataset.CHUNK_ELEMENTS", 1)
    assert epoch() == whole


def test_chunks_are_bounded():
    X = sparse.csr_array((600, 50_000), dtype="float32")
    sizes = [x.numel() for _, x, _, _ in chunks(ArrayDataset(X), torch.float32, "cpu")]
    assert max(sizes) <= 2**24
    assert sum(sizes) == 600 * 50_000


SPARSE_FIT = """
import resource
import numpy as np
import pytest
from scipy import sparse
from skae import Autoencoder
from skae.architectures import Dense

def peak():  # MB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

def text(n_rows):  # 50 words a row
    words = np.random.default_rng(0).integers(0, 50_000, 50 * n_rows)
    indptr = np.arange(0, 50 * n_rows + 1, 50)
    return sparse.csr_array((np.ones(len(words), "float32"), words, indptr), (n_rows, 50_000))

small = text(300)
ae = Autoencoder(4, architecture=Dense(()), batch_size=200, max_epochs=1, random_state=0)
ae.fit(small).transform(small)
before = peak()
X = text(20_000)
ae.fit(X)
assert ae.transform(X).shape == (20_000, 4)
assert np.isfinite(ae.score_samples(X)).all()
print(peak() - before)
"""


def test_sparse_input_is_never_dense_as_a_whole():
    # The whole as dense float32 would be 4,000 MB.
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SPARSE_FIT], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 400


@pytest.mark.parametrize("shape", [(50, 4), (50, 3, 4), (50, 1)])
def test_rows_are_taken_whatever_the_order_in_memory(shape):
    X = np.random.default_rng(0).normal(size=shape)
    which = np.array([3, 3, 49, 0])
    wide = np.repeat(X, 2, axis=-1)
    for same in (np.asfortranarray(X), wide[..., ::2], np.repeat(X, 2, axis=0)[::2]):
        np.testing.assert_array_equal(take_rows(same, which), X[which])
        np.testing.assert_array_equal(take_rows(same, slice(1, 9)), X[1:9])


def test_rows_of_a_frame_are_taken_without_a_copy_of_all():
    X = np.asfortranarray(np.zeros((2_000, 500), np.float32))  # as pandas has it
    tracemalloc.start()
    take_rows(X, np.arange(10))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < X.nbytes / 10
