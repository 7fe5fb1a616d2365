"""Batches as slices of tensors, in training and in chunked inference. torch only.

Rows are gathered a chunk of several batches at a time and the batches are slices of
the chunk: fetching one row, or even one batch, at a time costs more than training on
it. Chunks bound memory, whatever the size of the data set. A data set itself says which of its
samples to read at once.
"""

from math import prod

import torch

#: About 1 MB of float32, which stays in the cache of a core.
CHUNK_ELEMENTS = 2**18
MAX_CHUNK_ELEMENTS = 2**24
#: Hidden layers may be much wider than the data.
MAX_CHUNK_SAMPLES = 2**15


class Batches:
    """Iterate over a data set in batches.

    Parameters
    ----------
    dataset : object such as `skae._data.dataset.Dataset`
    batch_size : int
        One batch may be smaller, the last one of samples of equal lengths. Without a
        generator the batches are chunks, of any size.
    device : torch.device
    generator : torch.Generator or None, default=None
        Source of the order, drawn anew for each pass; without it the order is kept.

    Yields
    ------
    x, (target, weight, labels) : tensors of shape (batch_size, ...)
        ``weight`` and ``labels`` are None where the data set has none.
    """

    def __init__(self, dataset, batch_size, device, generator=None):
        self.dataset = dataset
        self.batch_size = batch_size
        self.device = device
        self.generator = generator

    def __len__(self):
        return self.dataset.n_batches(self.batch_size)

    def new_order(self):
        """Draw an order of all samples."""
        return self.dataset.new_order(self.generator)

    def state(self):
        """Return what the next passes depend on, of tensors, numbers and text."""
        return self.generator.get_state()

    def load_state(self, state):
        """Let the next passes be as those after a ``state``."""
        self.generator.set_state(state)

    def __iter__(self):
        for which, size in self._pieces():
            x, weight, labels = _with_labels(self.dataset, which)
            xs = targets = x.to(self.device).split(size)
            if self.dataset.targets is not self.dataset:
                target, _ = self.dataset.targets.get_batch(which, torch.float32)
                targets = target.to(self.device).split(size)
            beside = (
                [None] * len(xs) if one is None else one.to(self.device).split(size)
                for one in (weight, labels)
            )
            for x, target, weight, labels in zip(xs, targets, *beside, strict=True):
                yield x, (target, weight, labels)

    def _pieces(self):
        """Return which samples to read at once, and into batches of what size to cut them."""
        if self.generator is None:
            return ((which, MAX_CHUNK_SAMPLES) for which in self.dataset.spans())
        return self.dataset.batches(self.batch_size, self.generator)


def side_by_side(many, device):
    """Yield batches of several data sets at once, as each would have them alone.

    Parameters
    ----------
    many : list of Batches
        Of rows of one shape, with one batch size, the longest data sets first.
    device : torch.device

    Yields
    ------
    which : slice
        Of the data sets that have such a batch.
    x, (target, weight, labels) : tensors of shape (n_datasets, batch_size, n_features)
        Without the first axis if it is of one. Target and ``x`` are the same; ``weight`` has
        no last axis; it and ``labels`` are None where the data sets have none.
    """
    size, orders = many[0].batch_size, [batches.new_order() for batches in many]
    n_features = prod(many[0].dataset.sample_shape)
    for which, first, last in _common_pieces([len(order) for order in orders], size):
        pairs = list(zip(many, orders, strict=True))[which]
        chunk = size * max(1, CHUNK_ELEMENTS // (len(pairs) * size * n_features))
        for start in range(first, last, chunk):
            stop = min(last, start + chunk)
            taken = [_with_labels(b.dataset, order[start:stop]) for b, order in pairs]
            parts = [_side_by_side(tensors, device) for tensors in zip(*taken, strict=True)]
            axis = int(len(pairs) > 1)
            for i in range(0, stop - start, size):
                x, weight, labels = (
                    None if part is None else part.narrow(axis, i, min(size, stop - start - i))
                    for part in parts
                )
                yield which, (x, (x, weight, labels))


def _with_labels(dataset, which):
    """Return samples, their weights and their labels."""
    return *dataset.get_batch(which, torch.float32), dataset.get_labels(which)


def _side_by_side(tensors, device):
    if tensors[0] is None:
        return None
    return (torch.stack(tensors) if len(tensors) > 1 else tensors[0]).to(device)


def _common_pieces(lengths, size):
    """Yield (which, first, last): data sets and the piece that they have batches of one size of.

    Lengths fall, so that those with more are the first.
    """
    first, n = 0, len(lengths)
    while n:
        least = lengths[n - 1]
        full = least // size * size
        if full > first:
            yield slice(0, n), first, full
        shortest = lengths.index(least)
        if least > full:
            yield slice(shortest, n), full, least
        first, n = full, shortest


def along(weight, x):
    """Return weights of samples in a shape that broadcasts to that of the samples."""
    return weight.view(-1, *[1] * (x.ndim - 1))


def chunks(dataset, dtype, device):
    """Yield ``(which, x, target, weight)`` over a data set, in bounded memory."""
    targets = dataset.targets
    for which in dataset.spans():
        x, weight = dataset.get_batch(which, dtype)
        x = target = x.to(device)
        if targets is not dataset:
            target = targets.get_batch(which, dtype)[0].to(device)
        yield which, x, target, weight
