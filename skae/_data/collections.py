"""Collections of other libraries, which hold samples in parts: of Dask and of torch."""

import narwhals as nw
import numpy as np
import torch
from scipy import sparse
from torch.utils import data

#: Samples of a torch Dataset that are read at once.
BLOCK = 1_024


def is_one_table(source):
    """Say whether something is samples in memory, and no collection of chunks."""
    is_frame = nw.dependencies.is_into_dataframe(source) or nw.dependencies.is_into_series(source)
    in_memory = np.ndarray, torch.Tensor, dict, str, bytes
    return is_frame or sparse.issparse(source) or isinstance(source, in_memory)


def is_dask(source):
    """Say whether something is a DataFrame, a Series or an array of Dask."""
    return hasattr(source, "__dask_graph__") and hasattr(source, "ndim")


def loaders(source):
    """Return functions that load the parts of a collection, with their names; None for others.

    Parameters
    ----------
    source : object
        A DataFrame or an array of Dask, or a Dataset of torch with a length.

    Returns
    -------
    list of (str, callable) or None
    """
    if is_dask(source):
        return _dask_loaders(source)
    if isinstance(source, data.Dataset) and not isinstance(source, data.IterableDataset):
        bounds = range(0, len(source), BLOCK)
        return [(f"the samples from {start} on", _Block(source, start)) for start in bounds]
    return None


def _dask_loaders(source):
    if source.ndim == 2 and hasattr(source, "partitions") and hasattr(source, "columns"):
        parts = [source.partitions[i] for i in range(source.npartitions)]
        return [(f"partition {i}", part.compute) for i, part in enumerate(parts)]
    # Only the first axis may be in parts: a sample is whole.
    source = source.rechunk(dict.fromkeys(range(1, source.ndim), -1))
    ends = np.cumsum([0, *source.chunks[0]])
    blocks = [source[a:b] for a, b in zip(ends[:-1], ends[1:], strict=True)]
    return [(f"block {i}", block.compute) for i, block in enumerate(blocks)]


class _Block:
    """Loads some samples of a torch Dataset."""

    def __init__(self, dataset, start):
        self._dataset, self._start = dataset, start

    def __call__(self):
        stop = min(self._start + BLOCK, len(self._dataset))
        return stacked([self._dataset[i] for i in range(self._start, stop)])


def batches(source):
    """Yield the batches of a DataLoader or an IterableDataset of torch, without their labels."""
    if isinstance(source, data.DataLoader):
        yield from (_array(_sample(batch)) for batch in source)
        return
    samples = []
    for sample in source:
        samples.append(sample)
        if len(samples) == BLOCK:
            yield stacked(samples)
            samples = []
    if samples:
        yield stacked(samples)


def stacked(samples):
    """Return samples of a torch Dataset as an array, or as a list if they differ in shape."""
    samples = [_array(_sample(sample)) for sample in samples]
    if len({sample.shape for sample in samples}) > 1:
        return samples
    return np.stack(samples)


def _sample(item):
    """Return the first part of what stands for samples and their labels."""
    return item[0] if isinstance(item, (tuple, list)) else item


def _array(sample):
    if isinstance(sample, dict):
        raise TypeError(
            "source gives dicts. Let its dataset return samples, or tuples that begin with them."
        )
    return sample.numpy(force=True) if isinstance(sample, torch.Tensor) else np.asarray(sample)
