"""Samples that may be more than memory holds, in chunks that can be gone through several times."""

from itertools import chain
from typing import Any, NamedTuple

from skae._data.column_kinds import ColumnKinds
from skae._data.given import as_data
from skae._data.rows import take_rows
from skae._sklearn import num_samples


class Chunk(NamedTuple):
    """Some samples that are next to each other.

    Parameters
    ----------
    X : DataFrame, ndarray or list
        As ``fit`` of an estimator takes them.
    part : str
        What they are a part of, in words: a file, a chunk.
    start : int
        Position of the first of them in that part.
    """

    X: Any
    part: str
    start: int


class ChunkStream:
    """The base of streams.

    Parameters
    ----------
    columns : list of str or None
        Names of the columns of tables to take, in this order. None is all.
    """

    #: Whether each pass gives the same samples.
    is_constant = False

    def __init__(self, columns):
        self._kinds, self._has_begun = ColumnKinds(columns), False

    def chunks(self, n_rows, rng=None):
        """Yield all samples as chunks.

        Parameters
        ----------
        n_rows : int
            Of a chunk, at most.
        rng : Generator or None, default=None
            Source of a new order of the parts that can be read in any order; of others the order
            is always the same. None keeps it.

        Yields
        ------
        Chunk

        Raises
        ------
        ValueError
            If there are no samples, or if chunks do not have the same columns and types.
        """
        is_empty = True
        for part, start, X in self._read(n_rows, rng):
            X = self._kinds.aligned(as_data(X, part), part)
            for first in range(0, num_samples(X), n_rows):
                is_empty = False
                few = X if num_samples(X) <= n_rows else take_rows(X, slice(first, first + n_rows))
                yield Chunk(few, part, start + first)
        if is_empty:
            raise ValueError(
                "source can be gone through only once, but training takes several passes. Give a "
                "function that returns a new iterable at each call."
                if self._has_begun
                else "source holds no samples."
            )
        self._has_begun = True

    def _read(self, n_rows, rng):
        """Yield the name of a part, the position of the first sample in it, and samples."""
        raise NotImplementedError


class PartStream(ChunkStream):
    """Parts that can be read in any order: files, partitions, blocks.

    Parameters
    ----------
    parts : list of (str, callable)
        The name of a part, and a function of a number of rows that yields samples.
    columns : list of str or None
    n_open : int, default=1
        How many parts are read by turns in a random order, so that neighbors come from all.
    is_constant : bool, default=False
        Whether each pass gives the same samples.
    """

    def __init__(self, parts, columns, n_open=1, is_constant=False):
        super().__init__(columns)
        self._parts, self._n_open, self.is_constant = parts, n_open, is_constant

    def _read(self, n_rows, rng):
        if rng is None:
            return chain.from_iterable(_positioned(*part, n_rows) for part in self._parts)
        order = [self._parts[i] for i in rng.permutation(len(self._parts))]
        few = -(-n_rows // self._n_open)
        return _by_turns((_positioned(*part, few) for part in order), self._n_open)


class SequentialStream(ChunkStream):
    """Chunks of an iterable, from the first to the last.

    Parameters
    ----------
    begin : callable
        Returns a new iterable.
    columns : list of str or None
    """

    def __init__(self, begin, columns):
        super().__init__(columns)
        self._begin = begin

    def _read(self, n_rows, rng):
        del n_rows, rng
        for number, X in enumerate(self._begin()):
            yield f"chunk {number}", 0, X


def _positioned(name, read, n_rows):
    start = 0
    for X in read(n_rows):
        yield name, start, X
        start += num_samples(X)


def _by_turns(iterators, n_open):
    """Yield one item of each of some iterators by turns, until there are no more.

    Parameters
    ----------
    iterators : iterable of iterators
    n_open : int
        How many of them are open at a time.
    """
    waiting, is_open = iter(iterators), []
    while True:
        while len(is_open) < n_open and (new := next(waiting, None)) is not None:
            is_open.append(new)
        if not is_open:
            return
        for one in list(is_open):
            try:
                yield next(one)
            except StopIteration:
                is_open.remove(one)
