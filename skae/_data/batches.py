"""Batches as slices of tensors, in training and in chunked inference. torch only.

Rows are gathered a chunk of several batches at a time and the batches are slices of
the chunk: fetching one row, or even one batch, at a time costs more than training on
it. Chunks bound memory, whatever the size of the data set. Samples of unequal lengths are
put together with others of about the same length, so that little of a batch is padding.
"""

from math import prod

import numpy as np
import torch

#: About 1 MB of float32, which stays in the cache of a core.
CHUNK_ELEMENTS = 2**18
MAX_CHUNK_ELEMENTS = 2**24
#: Hidden layers may be much wider than the data.
MAX_CHUNK_SAMPLES = 2**15
#: Values of a step of a sequence that a chunk has room for at least, its hidden states.
MIN_STEP_WIDTH = 16
#: Pairs of texts, of mean length, that pass through a net at once in inference.
TEXTS_IN_CHUNK = 256
#: Batches from which samples of about the same length are put together.
POOL = 64


class Batches:
    """Iterate over a data set in batches.

    Parameters
    ----------
    dataset : object such as `skae._data.ArrayDataset`
    batch_size : int
        One batch may be smaller, the last one of samples of equal lengths. Without a
        generator the batches are chunks, of any size.
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
        if _is_of_texts(self.dataset):
            return len(_of_like_cost(self.dataset.lengths, self.batch_size))
        return -(-len(self.dataset) // self.batch_size)

    def new_order(self):
        """Draw an order of all samples."""
        n_samples = len(self.dataset)
        dtype = torch.int32 if n_samples < 2**31 else torch.int64
        return torch.randperm(n_samples, generator=self.generator, dtype=dtype).numpy()

    def __iter__(self):
        for which, size in self._pieces():
            x, weight = self.dataset.get_batch(which, torch.float32)
            xs = targets = x.to(self.device).split(size)
            if self.dataset.targets is not self.dataset:
                target, _ = self.dataset.targets.get_batch(which, torch.float32)
                targets = target.to(self.device).split(size)
            weights = [None] * len(xs) if weight is None else weight.to(self.device).split(size)
            for x, target, weight in zip(xs, targets, weights, strict=True):
                yield x, (target, weight)

    def _pieces(self):
        """Yield which samples to read at once, and into batches of what size to cut them."""
        if self.generator is None:
            yield from ((which, MAX_CHUNK_SAMPLES) for which in spans(self.dataset))
            return
        n_samples, size = len(self.dataset), self.batch_size
        if _is_of_texts(self.dataset):
            batches = _of_like_cost(self.dataset.lengths, size, self.generator)
            for i in torch.randperm(len(batches), generator=self.generator).tolist():
                yield batches[i], len(batches[i])
            return
        order = self.new_order()
        lengths = _unequal_lengths(self.dataset)
        if lengths is not None:
            yield from ((which, size) for which in self._of_like_length(order, lengths))
            return
        chunk = size * max(1, CHUNK_ELEMENTS // (size * prod(self.dataset.sample_shape)))
        yield from ((order[i : i + chunk], size) for i in range(0, n_samples, chunk))

    def _of_like_length(self, order, lengths):
        """Yield batches of samples of about the same length, in random order.

        The last batch may be smaller. It holds samples of any length: the longest ones would
        otherwise always be in it, and weigh more.
        """
        size = self.batch_size
        n_in_full_batches = len(order) // size * size
        order, rest = np.split(order, [n_in_full_batches])
        for start in range(0, len(order), POOL * size):
            pool = order[start : start + POOL * size]
            pool = pool[np.argsort(lengths[pool], kind="stable")]
            batches = pool.reshape(-1, size)
            for i in torch.randperm(len(batches), generator=self.generator).tolist():
                yield batches[i]
        if len(rest):
            yield rest


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
    x, (target, weight) : tensors of shape (n_datasets, batch_size, n_features)
        Without the first axis if it is of one. Target and ``x`` are the same; ``weight`` has
        no last axis, and is None where the data sets have none.
    """
    size, orders = many[0].batch_size, [batches.new_order() for batches in many]
    n_features = prod(many[0].dataset.sample_shape)
    for which, first, last in _common_pieces([len(order) for order in orders], size):
        pairs = list(zip(many, orders, strict=True))[which]
        chunk = size * max(1, CHUNK_ELEMENTS // (len(pairs) * size * n_features))
        for start in range(first, last, chunk):
            stop = min(last, start + chunk)
            taken = [b.dataset.get_batch(order[start:stop], torch.float32) for b, order in pairs]
            x, weight = (_side_by_side(tensors, device) for tensors in zip(*taken, strict=True))
            for i in range(0, stop - start, size):
                piece = x[..., i : i + size, :]
                yield which, (piece, (piece, None if weight is None else weight[..., i : i + size]))


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


def chunk_length(dataset, n_steps=None):
    """Return how many samples to pass through a net at once in inference.

    Parameters
    ----------
    dataset : object such as `skae._data.ArrayDataset`
    n_steps : int or None, default=None
        Length of the sequences, if it is not the longest one.
    """
    if _is_of_texts(dataset):
        return TEXTS_IN_CHUNK
    shape = dataset.sample_shape
    if dataset.lengths is not None:
        shape = n_steps or shape[0], max(shape[1], MIN_STEP_WIDTH)
    n_elements = prod(shape)
    # One image is work enough, and its feature maps take many times its own memory.
    fewest = 256 if len(shape) == 1 else 1
    many = min(max(CHUNK_ELEMENTS // n_elements, fewest), MAX_CHUNK_SAMPLES)
    return max(1, min(many, MAX_CHUNK_ELEMENTS // n_elements))


def spans(dataset):
    """Yield which samples to read at once, slices or arrays of indices, in bounded memory.

    Samples of unequal lengths come with the longest first.
    """
    if _is_of_texts(dataset):
        yield from _of_like_cost(dataset.lengths, TEXTS_IN_CHUNK)
        return
    lengths, n_samples, start = _unequal_lengths(dataset), len(dataset), 0
    order = None if lengths is None else np.argsort(-lengths, kind="stable")
    while start < n_samples:
        longest = None if order is None else int(lengths[order[start]])
        which = slice(start, min(start + chunk_length(dataset, longest), n_samples))
        yield which if order is None else order[which]
        start = which.stop


def chunks(dataset, dtype, device):
    """Yield ``(which, x, target, weight)`` over a data set, in bounded memory."""
    targets = dataset.targets
    for which in spans(dataset):
        x, weight = dataset.get_batch(which, dtype)
        x = target = x.to(device)
        if targets is not dataset:
            target = targets.get_batch(which, dtype)[0].to(device)
        yield which, x, target, weight


def _is_of_texts(dataset):
    """Say whether samples are texts, or pairs of them."""
    return dataset.kind == "texts"


def _of_like_cost(lengths, size, generator=None):
    """Return batches of pairs with about as many tokens each, as arrays of indices.

    In most of them all sources are of one length, so that there is nothing to mask, and the
    targets of nearly one.

    Parameters
    ----------
    lengths : ndarray of shape (n_samples, 2) or (n_samples,)
        Of the source and of the target.
    size : int
        Number of pairs of mean length in a batch.
    generator : torch.Generator or None, default=None
        Puts pairs of the same lengths in random order. The lengths of the batches, and how many
        there are, do not depend on it.

    Returns
    -------
    list of ndarray
    """
    n = len(lengths)
    lengths = lengths.reshape(n, -1)
    budget = size * lengths.sum(1).mean()
    chance = np.arange(n) if generator is None else torch.randperm(n, generator=generator).numpy()
    order = np.lexsort((chance, *lengths.T[::-1]))
    lengths = lengths[order]
    batches, start = [], 0
    while start < n:
        most = int(budget // lengths[start].sum()) + 1
        longest = np.maximum.accumulate(lengths[start : start + most])
        cost = longest.sum(1) * np.arange(1, len(longest) + 1)
        fits = max(1, np.searchsorted(cost, budget, side="right"))
        longer = np.searchsorted(longest[:fits, 0], longest[0, 0], side="right")
        if cost[longer - 1] > budget / 2:  # else the longer sources come in, too
            fits = longer
        batches.append(order[start : start + fits])
        start += fits
    return batches


def _unequal_lengths(dataset):
    lengths = dataset.lengths
    return lengths if lengths is not None and lengths.min() < lengths.max() else None
