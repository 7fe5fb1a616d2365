"""A random sample of what is read once, chunk by chunk."""

from collections import defaultdict
from dataclasses import dataclass
from math import prod

import narwhals as nw
import numpy as np
import pandas as pd

from skae._data.frames import narwhals_frame
from skae._data.rows import joined_rows, take_rows
from skae._sklearn import num_samples

#: How many samples to draw, and how many numbers they hold, at most.
MAX_SAMPLES, MAX_ELEMENTS = 2**17, 2**25

#: Columns with more different values than this are no categories, or some of these are merged.
MAX_VALUES = 1_000

#: Columns of numbers have fewer values if they are categories: so many, or a fraction of the rows.
MIN_NUMBERS, MAX_FRACTION = 20, 0.1

#: Before all keys that are drawn, which are from 0 to 1.
ALWAYS = -1.0


@dataclass(frozen=True)
class RowSample:
    """Samples that were drawn, in the order in which they came.

    Parameters
    ----------
    X : DataFrame, ndarray or list
        The samples.
    n_samples : int
        How many there were to draw from.
    is_first : ndarray of bool, shape (n_drawn,)
        Whether a sample is there because it holds a value that none before it had.
    parts : list of str
        Names of the parts of the source that chunks were from.
    places : ndarray of int, shape (n_drawn, 2)
        The number of a part in ``parts``, and the position in it.
    """

    X: object
    n_samples: int
    is_first: np.ndarray
    parts: list
    places: np.ndarray

    def select(self, which):
        """Return some of the drawn samples."""
        return take_rows(self.X, which)

    def positions(self, which):
        """Return where some of the drawn samples were: by name of a part, an array of int."""
        by_part = defaultdict(list)
        for part, row in self.places[which]:
            by_part[self.parts[part]].append(row)
        return {part: np.array(rows) for part, rows in by_part.items()}


def draw_sample(chunks, rng, has_categories=True):
    """Draw some of all samples, each as probable as any other.

    Parameters
    ----------
    chunks : iterable of Chunk
    rng : RandomState
    has_categories : bool, default=True
        Whether to draw rows in any case that hold the first of the categories of a column, so that
        what learns from the sample knows all of them.

    Returns
    -------
    RowSample
    """
    drawing, values = _Drawing(rng), FirstValues()
    for chunk in chunks:
        drawing.add(chunk, values.new_rows(chunk.X) if has_categories else ())
    return drawing.sample()


class _Drawing:
    """A sample while it is drawn: those with the lowest of keys, which are random."""

    def __init__(self, rng):
        self._rng, self._limit, self._n_samples = rng, 1.0, 0
        self._drawn, self._keys, self._places, self._parts = [], [], [], {}

    def add(self, chunk, always):
        """Draw from a chunk, of which some samples are drawn in any case."""
        X, part, start = chunk
        keys = self._rng.random_sample(num_samples(X))
        keys[np.asarray(always, int)] = ALWAYS
        self._n_samples += len(keys)
        drawn = np.flatnonzero(keys < self._limit)
        if not len(drawn):
            return
        if not self._drawn:
            self._most = max(1, min(MAX_SAMPLES, MAX_ELEMENTS // n_elements(X)))
        number = self._parts.setdefault(part, len(self._parts))
        self._drawn.append(take_rows(X, drawn))
        self._keys.append(keys[drawn])
        self._places.append(np.column_stack([np.full_like(drawn, number), start + drawn]))
        if sum(map(len, self._keys)) > 2 * self._most:
            self._keep_lowest()

    def _keep_lowest(self):
        """Join what was drawn, and keep no more of it than there may be."""
        X, keys = joined_rows(*self._drawn), np.concatenate(self._keys)
        places = np.concatenate(self._places)
        if len(keys) > self._most:
            self._limit = max(0.0, np.partition(keys, self._most)[self._most])
            lowest = np.flatnonzero(keys < self._limit)
            X, keys, places = take_rows(X, lowest), keys[lowest], places[lowest]
        self._drawn, self._keys, self._places = [X], [keys], [places]

    def sample(self):
        """Return the sample."""
        self._keep_lowest()
        (X,), (keys,), (places,) = self._drawn, self._keys, self._places
        return RowSample(X, self._n_samples, keys == ALWAYS, list(self._parts), places)


class FirstValues:
    """Finds rows of tables that hold values which no row before them had."""

    def __init__(self):
        self._known, self._many, self._n_rows = defaultdict(set), set(), 0

    def new_rows(self, X):
        """Return the positions of the rows of a chunk that are the first with some value.

        Columns with too many values are left out, and so is what is no table.
        """
        self._n_rows += num_samples(X)
        columns = _columns(X, self._many)
        first = [self._first_of(name, column) for name, column in columns]
        return np.unique(np.concatenate([*first, np.empty(0, int)]))

    def _first_of(self, name, column):
        try:
            rows = np.flatnonzero(column.is_first_distinct().to_numpy())
            values = [None if pd.isna(value) else value for value in column[rows].to_list()]
            new = [i for i, value in enumerate(values) if value not in self._known[name]]
        except (TypeError, ValueError):  # cells that are lists or arrays, which no reader takes
            new, values = range(MAX_VALUES + 1), ()
        if len(self._known[name]) + len(new) > self._most(column):
            self._many.add(name)
            self._known.pop(name, None)
            return np.empty(0, int)
        self._known[name].update(values[i] for i in new)
        return rows[new]

    def _most(self, column):
        """Return how many values a column has at most, if they are categories."""
        if not column.dtype.is_numeric():
            return MAX_VALUES
        return min(MAX_VALUES, max(MIN_NUMBERS, MAX_FRACTION * self._n_rows))


def _columns(X, without):
    """Yield the columns of a table, with their names or numbers, but for some."""
    frame = narwhals_frame(X)
    if frame is not None:
        yield from ((name, frame[name]) for name in frame.columns if name not in without)
    elif isinstance(X, np.ndarray) and X.ndim == 2:
        for i in set(range(X.shape[1])) - without:
            yield i, nw.from_native(pd.Series(X[:, i]), series_only=True)


def n_elements(X):
    """Return how many numbers a sample holds, the mean for samples that differ in it."""
    if isinstance(X, (list, tuple)):
        return max(1, round(np.mean([np.size(sample) for sample in X[:100]])))
    return max(1, prod(X.shape[1:]))
