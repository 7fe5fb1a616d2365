"""Collections of other libraries, which hold samples in parts: of Dask and of torch."""

import sys
from collections.abc import Sized

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


def loaders(source):
    """Return functions that load the parts of a collection, with their names; None for others.

    Parameters
    ----------
    source : object
        A DataFrame or an array of Dask, or a Dataset of torch with a length.

    Returns
    -------
    list of (str, callable) or None

    Raises
    ------
    TypeError
        If it is of Dask, but neither a DataFrame nor an array; or if a Dataset has no length.
    """
    if hasattr(type(source), "__dask_graph__"):
        return _dask_loaders(source)
    if isinstance(source, data.Dataset) and not isinstance(source, data.IterableDataset):
        if not isinstance(source, Sized):
            raise TypeError(
                f"source is a Dataset, {type(source).__name__}, without a length. Define __len__, "
                "or make it an IterableDataset."
            )
        bounds = range(0, len(source), BLOCK)
        return [(f"the samples from {start} on", _Block(source, start)) for start in bounds]
    return None


def _dask_loaders(source):
    if _is_instance(source, "dask.dataframe", "DataFrame"):
        parts = [source.partitions[i] for i in range(source.npartitions)]
        return [(f"partition {i}", part.compute) for i, part in enumerate(parts)]
    if _is_instance(source, "dask.array", "Array"):
        # Only the first axis may be in parts: a sample is whole.
        source = source.rechunk(dict.fromkeys(range(1, source.ndim), -1))
        return [(f"block {i}", source.blocks[i].compute) for i in range(source.numblocks[0])]
    raise TypeError(
        f"source is a {type(source).__name__} of Dask. Give a DataFrame or an array of Dask."
    )


def _is_instance(source, module, name):
    """Say whether something is of a class of a library that is not imported for it."""
    return module in sys.modules and isinstance(source, getattr(sys.modules[module], name))


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
    if not isinstance(sample, torch.Tensor):
        return np.asarray(sample)
    # NumPy has no bfloat16.
    return (sample.float() if sample.dtype == torch.bfloat16 else sample).numpy(force=True)
