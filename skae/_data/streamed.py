"""Samples that are read anew in every pass, because there are more than memory holds."""

from contextlib import contextmanager

import numpy as np
import torch

from skae._data.batches import Batches
from skae._data.dataset import Dataset
from skae._data.prefetch import prefetched
from skae._data.row_sample import n_elements
from skae._data.rows import joined_rows, take_rows
from skae._sklearn import num_samples

#: How many samples are read and shuffled at once, and how many numbers they hold, at most.
MAX_SAMPLES, MAX_ELEMENTS = 2**16, 2**23

#: Files with no more numbers than this are read once, and kept in memory.
MAX_KEPT = 2**26


def size_of_sample(stream):
    """Return how many numbers a sample of a stream holds, as its first one does."""
    return n_elements(next(stream.chunks(1)).X)


def samples_to_read(n_elements):
    """Return how many samples to read at once that hold so many numbers."""
    return max(1, min(MAX_SAMPLES, MAX_ELEMENTS // n_elements))


class StreamedDataset(Dataset):
    """Samples to train on, of which a part at a time is in memory.

    Parameters
    ----------
    sample : Dataset
        Some of them, as a net gets them.
    stream : ChunkStream
    n_elements : int
        How many numbers a sample holds.
    read : callable
        Makes a `Dataset` of samples of the user; ``is_first_pass`` says whether it is the first
        time that it gets them.
    left_out : dict of ndarray
        By name of a part of the stream, positions of samples in it that are not trained on.
    """

    why_not_stackable = "its samples are read anew in every epoch"
    unit_of_progress = "samples"

    def __init__(self, sample, stream, n_elements, read, left_out):
        self._sample, self._stream, self.chunk_size = sample, stream, samples_to_read(n_elements)
        self._read, self._left_out, self._n_passes, self._kept = read, left_out, 0, None
        self._keeps = stream.is_constant and sample.n_in_training * n_elements <= MAX_KEPT
        self.kind, self.reader, self.sample_shape = sample.kind, sample.reader, sample.sample_shape

    def __len__(self):
        return self._sample.n_in_training

    def largest(self):
        return self._sample.largest()

    def training_batches(self, batch_size, device, generator):
        return StreamedBatches(self, batch_size, device, generator)

    def buffers(self, n_samples, rng):
        """Yield all samples in a new order: datasets of a number of samples, the last of fewer.

        Parameters
        ----------
        n_samples : int
        rng : Generator
            Source of the order of what can be read in any order.
        """
        if not self._keeps:
            yield from self._read_buffers(n_samples, rng)
            return
        if self._kept is None:
            self._kept = list(self._read_buffers(n_samples, np.random.default_rng(0)))
        yield from (self._kept[i] for i in rng.permutation(len(self._kept)))

    def _read_buffers(self, n_samples, rng):
        waiting, n_waiting, self._n_passes = [], 0, self._n_passes + 1
        for chunk in self._stream.chunks(self.chunk_size, rng):
            waiting.append(self._without_left_out(chunk))
            n_waiting += num_samples(waiting[-1].X)
            while n_waiting >= n_samples:
                joined = joined_rows(*(one.X for one in waiting))
                yield self._dataset(take_rows(joined, slice(0, n_samples)), waiting)
                n_waiting -= n_samples
                waiting = [chunk._replace(X=take_rows(joined, slice(n_samples, None)))]
        if n_waiting:
            yield self._dataset(joined_rows(*(one.X for one in waiting)), waiting)

    def read_once(self):
        """Read all samples if nobody has: training went on from a checkpoint after the last."""
        if not self._n_passes:
            for _ in self.buffers(self.chunk_size, np.random.default_rng(0)):
                pass

    def _without_left_out(self, chunk):
        """Return a chunk without the samples that are not trained on."""
        rows = np.arange(num_samples(chunk.X))
        left_out = self._left_out.get(chunk.part, ())
        kept = np.setdiff1d(rows, np.asarray(left_out, int) - chunk.start)
        return chunk if len(kept) == len(rows) else chunk._replace(X=take_rows(chunk.X, kept))

    def _dataset(self, X, chunks):
        """Read samples; an error says which of the chunks that they are from it is about."""
        try:
            return self._read(X, is_first_pass=self._n_passes == 1)
        except (ValueError, TypeError):
            for chunk in chunks:
                with _naming(chunk.part):
                    self._read(chunk.X, is_first_pass=False)
            raise


class StreamedBatches(Batches):
    """Iterate over samples that are read anew, in batches of samples that are near each other.

    The samples are shuffled in buffers of some whole batches. Parameters are those of `Batches`.
    """

    def __iter__(self):
        seed = torch.randint(2**31, (), generator=self.generator).item()
        buffer_size = self.batch_size * max(1, self.dataset.chunk_size // self.batch_size)
        buffers = self.dataset.buffers(buffer_size, np.random.default_rng(seed))
        for dataset in prefetched(buffers):
            yield from Batches(dataset, self.batch_size, self.device, self.generator)


@contextmanager
def _naming(part):
    """Let errors say what the samples are from."""
    try:
        yield
    except (ValueError, TypeError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"In {part}: {error}") from error
