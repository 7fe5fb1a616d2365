"""Texts as rows of token numbers, and pairs of them."""

import re
from collections.abc import Iterable
from itertools import chain

import narwhals as nw
import numpy as np
import torch
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from torch.utils.data import Dataset

#: Numbers of tokens that no text has; those of the tokenizer follow.
PADDING, BEGIN, END = range(3)
#: How many of the samples with an error a message names.
N_NAMED = 3


def read_texts(X, name="X"):
    """Return texts, given as a list, array or Series, as a list of str.

    Raises
    ------
    TypeError
        If X is one text, or holds anything but texts.
    ValueError
        If X is empty or has more than one column.
    """
    if isinstance(X, (str, bytes)):
        raise TypeError(f"{name} is a single text: give a list of texts, [{name}]")
    is_list = isinstance(X, (list, tuple))
    column = X if is_list else nw.from_native(X, pass_through=True, allow_series=True)
    if isinstance(column, nw.LazyFrame) or not isinstance(X, Iterable):
        raise TypeError(f"{name} must be a list, array or Series of texts, not {type(X).__name__}")
    if isinstance(column, (nw.DataFrame, np.ndarray)) and len(column.shape) != 1:
        raise ValueError(
            f"{name} has shape {tuple(X.shape)}: give one column of texts, such as {name}['column']"
        )
    texts = column.to_list() if isinstance(column, nw.Series) else list(X)
    if not texts:
        raise ValueError(f"{name} is empty: give at least 1 text")
    others = [i for i, text in enumerate(texts) if not isinstance(text, str)]
    if others:
        raise TypeError(
            f"{name} must hold texts (str), but {_places(name, others)} are not: "
            f"{name}[{others[0]}] is {texts[others[0]]!r}"
        )
    return [str(text) for text in texts]  # numpy's own kind becomes Python's


def check_not_empty(texts, name):
    """Refuse texts of which nothing can be learned."""
    empty = [i for i, text in enumerate(texts) if not text.strip()]
    if empty:
        raise ValueError(
            f"{name} has empty texts, {_places(name, empty)}: leave these pairs out of both X and y"
        )


def _places(name, index):
    few = ", ".join(f"{name}[{i}]" for i in index[:N_NAMED])
    return few if len(index) <= N_NAMED else f"{few} and {len(index) - N_NAMED} more"


#: Where a long sentence is cut: between its parts, between words.
BREAKS = (r"(?<=[,;:])\s+", r"\s+")


def split_text(text, fits):
    """Cut a text into parts that fit, between sentences where that is possible.

    Parameters
    ----------
    text : str
    fits : callable
        Says whether a part is short enough.

    Returns
    -------
    list of str
    """
    if fits(text) or len(text) < 2:
        return [text]
    pieces = split_sentences(text)
    if len(pieces) == 1:  # smaller pieces are joined while they fit
        cuts = (re.split(pattern, text.strip()) for pattern in BREAKS)
        middle = len(text) // 2
        halves = [text[:middle], text[middle:]]
        pieces = _join(next((cut for cut in cuts if len(cut) > 1), halves), fits)
    return [part for piece in pieces for part in split_text(piece, fits)]


def split_sentences(text):
    """Cut a text where sentences end."""
    return re.split(r"(?<=[.!?…])\s+", text.strip())


def _join(pieces, fits):
    first, *others = pieces
    joined = [first]
    for piece in others:
        longer = f"{joined[-1]} {piece}"
        if fits(longer):
            joined[-1] = longer
        else:
            joined.append(piece)
    return joined


class TextDataset(Dataset):
    """Rows of token numbers.

    Parameters
    ----------
    rows : list of list of int
    """

    kind = "texts"
    has_missing = False

    #: Of results.
    dtype = torch.float32

    def __init__(self, rows):
        self.lengths = np.fromiter(map(len, rows), np.int64, len(rows))
        self._starts = np.cumsum(self.lengths) - self.lengths
        self._tokens = np.fromiter(chain.from_iterable(rows), np.int32, self.lengths.sum())

    def __len__(self):
        return len(self.lengths)

    def select(self, index):
        """Return those at the given places; the tokens of all are shared."""
        twin = object.__new__(type(self))
        twin.__dict__ |= self.__dict__
        twin.lengths, twin._starts = self.lengths[index], self._starts[index]
        return twin

    def get_batch(self, which, dtype=None):
        """Return rows as a tensor of shape (n_samples, n_tokens), padded, and no weights."""
        del dtype  # numbers of tokens are integers
        lengths, starts = self.lengths[which], self._starts[which]
        place = np.arange(lengths.max())
        is_token = place < lengths[:, None]
        where = np.where(is_token, starts[:, None] + place, 0)
        tokens = np.where(is_token, self._tokens[where], PADDING)
        return torch.from_numpy(tokens.astype(np.int64)), None

    @property
    def targets(self):
        """What a net is to make of them: nothing else."""
        return self

    def rows(self):
        """Return the tokens of each, a list of lists."""
        places = zip(self._starts, self._starts + self.lengths, strict=True)
        return [self._tokens[start:stop].tolist() for start, stop in places]

    def flat(self):
        """Return the tokens of all, one behind the other."""
        return np.fromiter(chain.from_iterable(self.rows()), np.int32)


class TextPairDataset(TextDataset):
    """Texts and what they are to be translated into.

    Parameters
    ----------
    sources, targets : TextDataset
        As many of the one as of the other.
    sample_weight : ndarray of shape (n_samples,) or None, default=None
        Of mean 1.
    duplicate_ids : ndarray of shape (n_samples,) or None, default=None
        A number for each pair, equal for pairs that share a text.

    Attributes
    ----------
    lengths : ndarray of shape (n_samples, 2)
        Number of tokens of both texts of each pair.
    """

    targets = None

    def __init__(self, sources, targets, sample_weight=None, duplicate_ids=None):
        self.sources, self.targets = sources, targets
        self._weight, self._duplicate_ids = sample_weight, duplicate_ids

    #: Of one token.
    step_width = 1

    @property
    def n_weight_uses(self):
        """How often a net uses each of its weights for a pair of mean length."""
        return self.lengths.sum(1).mean()

    @property
    def lengths(self):
        return np.stack([self.sources.lengths, self.targets.lengths], axis=1)

    def __len__(self):
        return len(self.sources)

    def select(self, index):
        weight, duplicate_ids = self._weight, self._duplicate_ids
        if weight is not None:
            weight = weight[index] / weight[index].mean()
        duplicate_ids = None if duplicate_ids is None else duplicate_ids[index]
        return TextPairDataset(
            self.sources.select(index), self.targets.select(index), weight, duplicate_ids
        )

    def subsample(self, n_pairs):
        """Return up to ``n_pairs``, evenly spread."""
        n_pairs = min(n_pairs, len(self))
        return self.select(np.linspace(0, len(self) - 1, n_pairs).astype(int))

    @property
    def duplicate_ids(self):
        """A number for each pair, from 0 on, equal for pairs that share a text."""
        return np.unique(self._duplicate_ids, return_inverse=True)[1]

    def weighted(self):
        """Return which pairs have a weight above 0."""
        return np.flatnonzero(self._weight)

    def get_batch(self, which, dtype=None):
        tokens, _ = self.sources.get_batch(which)
        if self._weight is None:
            return tokens, None
        return tokens, torch.from_numpy(self._weight[which]).to(dtype)


def duplicate_ids(*columns):
    """Return a number for each row, equal for rows linked by equal texts in a column.

    Parameters
    ----------
    *columns : list of str
        Of the same length.

    Returns
    -------
    ndarray of shape (n_rows,)
    """
    n = len(columns[0])
    nodes, n_nodes = [], n
    for column in columns:
        _, number = np.unique(np.asarray(column, dtype=object).astype(str), return_inverse=True)
        nodes.append(n_nodes + number)
        n_nodes += number.max() + 1
    nodes = np.concatenate(nodes)
    rows = np.tile(np.arange(n), len(columns))
    graph = coo_array((np.ones(len(nodes), dtype=bool), (rows, nodes)), shape=(n_nodes, n_nodes))
    return connected_components(graph, directed=False)[1][:n]
