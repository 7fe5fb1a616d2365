"""Batches as slices of tensors, in training and in chunked inference. torch only.

Rows are gathered a chunk of several batches at a time and the batches are slices of
the chunk: fetching one row, or even one batch, at a time costs more than training on
it. Chunks bound memory, whatever the size of the data set.
"""

from math import prod

import torch

CHUNK_ELEMENTS = 2**18  # about 1 MB of float32: stays in a core's cache
MAX_CHUNK_ELEMENTS = 2**24
MAX_CHUNK_SAMPLES = 2**15  # hidden layers may be much wider than the data


class Batches:
    """Iterate over a data set in batches.

    Parameters
    ----------
    dataset : object with ``__len__``, ``sample_shape``, ``take`` and ``targets``
    batch_size : int
        The last batch may be smaller.
    device : torch.device
    generator : torch.Generator or None, default=None
        Source of the order, drawn anew for each pass; without it the order is kept.

    Yields
    ------
    x, (target, weight) : tensors of shape (batch_size, ...)
        ``weight`` is None where the data set has none.
    """

    def __init__(self, dataset, batch_size, device, generator=None):
        self.dataset = dataset
        self.batch_size = batch_size
        self.device = device
        self.generator = generator

    def __len__(self):
        return -(-len(self.dataset) // self.batch_size)

    def __iter__(self):
        n_samples, size = len(self.dataset), self.batch_size
        chunk = size * max(1, CHUNK_ELEMENTS // (size * prod(self.dataset.sample_shape)))
        order = None
        if self.generator is not None:
            dtype = torch.int32 if n_samples < 2**31 else torch.int64
            order = torch.randperm(n_samples, generator=self.generator, dtype=dtype).numpy()
        for start in range(0, n_samples, chunk):
            which = slice(start, start + chunk)
            which = which if order is None else order[which]
            x, weight = self.dataset.take(which, torch.float32)
            xs = targets = x.to(self.device).split(size)
            if self.dataset.targets is not self.dataset:
                target, _ = self.dataset.targets.take(which, torch.float32)
                targets = target.to(self.device).split(size)
            weights = [None] * len(xs) if weight is None else weight.to(self.device).split(size)
            for x, target, weight in zip(xs, targets, weights, strict=True):
                yield x, (target, weight)


def along(weight, x):
    """Return weights of samples in a shape that broadcasts to that of the samples."""
    return weight.view(-1, *[1] * (x.ndim - 1))


def chunk_length(sample_shape):
    """Return how many samples to pass through a net at once in inference."""
    n_elements = prod(sample_shape)
    # One image is work enough, and its feature maps take many times its own memory.
    fewest = 256 if len(sample_shape) == 1 else 1
    many = min(max(CHUNK_ELEMENTS // n_elements, fewest), MAX_CHUNK_SAMPLES)
    return max(1, min(many, MAX_CHUNK_ELEMENTS // n_elements))


def chunks(dataset, dtype, device):
    """Yield ``(slice, x, weight)`` over a data set, in order, in bounded memory."""
    length = chunk_length(dataset.sample_shape)
    for start in range(0, len(dataset), length):
        which = slice(start, min(start + length, len(dataset)))
        x, weight = dataset.take(which, dtype)
        yield which, x.to(device), weight
