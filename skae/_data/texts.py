"""Texts as rows of token numbers, and pairs of them."""

from collections.abc import Iterable, Mapping, Set
from itertools import chain

import narwhals as nw
import numpy as np
import pandas as pd
import torch
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from skae._data.cost import cost_of_weights
from skae._data.dataset import Dataset

#: What is no list of texts, although one can iterate over it.
UNORDERED = (Mapping, Set, DataLoader, TorchDataset)

#: Numbers of tokens that no text has; those of the tokenizer follow.
PADDING, BEGIN, END = range(3)
#: How many of the samples with an error a message names.
N_NAMED = 3
#: Pairs of texts, of mean length, that pass through a net at once in inference.
TEXTS_IN_CHUNK = 256


def read_texts(X, name="X", first=0):
    """Return texts, given as a list, array or Series, as a list of str.

    Parameters
    ----------
    X : sequence of str
    name : str, default="X"
        What errors call it.
    first : int, default=0
        The place of the first of them, in errors.

    Returns
    -------
    list of str

    Raises
    ------
    TypeError
        If X is one text, or holds anything but texts.
    ValueError
        If X is empty or has more than one column, or a text is not valid Unicode.
    """
    texts = _as_list(X, name)
    if not texts:
        raise ValueError(f"{name} is empty: give at least 1 text")
    others = [i for i, text in enumerate(texts) if not isinstance(text, str)]
    if others:
        other = texts[others[0]]
        raise TypeError(
            f"{name} must hold texts (str), but {_places(name, others, first)} are not: "
            f"{name}[{others[0] + first}] is {other!r:.80}. {_remedy(other, name)}"
        )
    texts = [str(text) for text in texts]  # numpy's own kind becomes Python's
    _check_unicode(texts, name, first)
    return texts


def _as_list(X, name):
    pyarrow = nw.dependencies.get_pyarrow()
    if pyarrow is not None and isinstance(X, pyarrow.Array):
        return X.to_pylist()
    is_list = isinstance(X, (list, tuple))
    column = X if is_list else nw.from_native(X, pass_through=True, allow_series=True)
    if isinstance(column, (nw.DataFrame, np.ndarray)) and len(column.shape) != 1:
        which = repr(column.columns[0]) if isinstance(column, nw.DataFrame) else ":, 0"
        remedy = f"give one column of texts, such as {name}[{which}]"
        if not column.shape:
            remedy = f"give a list of texts, [str({name})]"
        raise ValueError(f"{name} has shape {tuple(column.shape)}: {remedy}")
    if isinstance(column, nw.Series):
        return column.to_list()
    check_iterable(X, name)
    return list(X)


def _remedy(other, name):
    """Return what to do with a sample that is no text."""
    if isinstance(other, bytes):
        return f'Decode bytes: [text.decode("utf-8") for text in {name}].'
    if _is_pair(other):
        return f"{PAIRS_APART}."
    if other is np.ma.masked:
        return MISSING
    if isinstance(other, (list, tuple, np.ndarray)):
        several = " Repeat a text that has several translations." if name == "y" else ""
        return f"Give one text for each sample.{several}"
    if isinstance(other, Mapping):
        return f'Give one of the values: [row["text"] for row in {name}].'
    if pd.isna(other):
        return MISSING
    return f"Give the texts of these: [str(value) for value in {name}]."


#: What to do with missing texts, and with pairs of texts in one list.
MISSING = "Leave out the samples whose text is missing."
PAIRS_APART = "Give texts and translations apart: fit([a for a, b in pairs], [b for a, b in pairs])"


def _is_pair(sample):
    return (
        isinstance(sample, (list, tuple))
        and len(sample) == 2
        and all(isinstance(text, str) for text in sample)
    )


def remedy_without_targets(X):
    """Return what to do if only X is given, and no translations."""
    frame = nw.from_native(X, pass_through=True)
    if isinstance(frame, nw.DataFrame) and len(frame.columns) > 1:
        source, target = frame.columns[:2]
        return f"Give two columns: fit(X[{source!r}], X[{target!r}])."
    if isinstance(X, Mapping):
        return "Give texts and translations apart: fit(list(X), list(X.values()))."
    first = next(iter(X), None) if isinstance(X, Iterable) else None
    if _is_pair(first):
        return f"{PAIRS_APART}."
    if isinstance(first, Mapping) and len(first) > 1:
        source, target = list(first)[:2]
        columns = (f"[row[{key!r}] for row in X]" for key in (source, target))
        return f"Give texts and translations apart: fit({', '.join(columns)})."
    return "Give the translation of each text, in the same order."


def check_iterable(X, name):
    """Refuse what is no iterable of texts in an order."""
    if isinstance(X, (bytes, bytearray)):
        raise TypeError(
            f'{name} is bytes: decode it, {name}.decode("utf-8"), and give a list of texts'
        )
    if isinstance(X, str):
        raise TypeError(f"{name} is a single text: give a list of texts, [{name}]")
    if isinstance(X, UNORDERED) or not isinstance(X, Iterable):
        raise TypeError(f"{name} must be a list, array or Series of texts, not {type(X).__name__}")


def _check_unicode(texts, name, first):
    """Refuse texts with half of a character, which are none in Unicode."""
    for i, text in enumerate(texts):
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise ValueError(
                f"{name}[{i + first}] holds {text[error.start]!r}, half of a pair of surrogates, "
                f"at place {error.start}: it is no text in Unicode. Read it with the right "
                "encoding, or replace such characters, text.encode(errors='replace').decode()."
            ) from None


def check_not_empty(texts, name):
    """Refuse texts of which nothing can be learned."""
    empty = [i for i, text in enumerate(texts) if not text.strip()]
    if empty:
        raise ValueError(
            f"{name} has empty texts, {_places(name, empty)}: leave these pairs out of both X and y"
        )


def check_same_number(texts, others, name, hint=""):
    """Refuse another number of texts than X has."""
    if len(others) != len(texts):
        raise ValueError(f"X holds {len(texts)} texts, but {name} {len(others)}{hint}")


def check_characters(texts, max_characters, name, first=0):
    """Refuse texts with more characters than a limit, or than none."""
    long = long_texts(texts, max_characters)
    if long:
        raise ValueError(
            f"{_places(name, long, first)}: {len(texts[long[0]])} characters are more than "
            f"max_characters={max_characters}. Give sentences one by one, or set another "
            "max_characters."
        )


def long_texts(texts, max_characters):
    """Return the positions of the texts with more characters than a limit, or than none."""
    if max_characters is None:
        return []
    return [i for i, text in enumerate(texts) if len(text) > max_characters]


def _places(name, index, first=0):
    few = ", ".join(f"{name}[{i + first}]" for i in index[:N_NAMED])
    return few if len(index) <= N_NAMED else f"{few} and {len(index) - N_NAMED} more"


class TextDataset(Dataset):
    """Rows of token numbers.

    Parameters
    ----------
    rows : list of list of int
    """

    kind = "texts"
    why_not_stackable = "its samples are texts"
    chunk_length = TEXTS_IN_CHUNK

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

    def n_batches(self, size):
        return len(_of_like_cost(self.lengths, size))

    def batches(self, size, generator):
        """Yield batches of pairs with about as many tokens each, in random order."""
        batches = _of_like_cost(self.lengths, size, generator)
        for i in torch.randperm(len(batches), generator=generator).tolist():
            yield batches[i], len(batches[i])

    def spans(self):
        yield from _of_like_cost(self.lengths, TEXTS_IN_CHUNK)

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
        self.sample_weight, self._duplicate_ids = sample_weight, duplicate_ids

    def cost(self, parts):
        return cost_of_weights(parts, self.lengths.sum(1).mean(), 1)

    @property
    def lengths(self):
        return np.stack([self.sources.lengths, self.targets.lengths], axis=1)

    def __len__(self):
        return len(self.sources)

    def select(self, index):
        weight, duplicate_ids = self.sample_weight, self._duplicate_ids
        if weight is not None:
            weight = weight[index] / weight[index].mean()
        duplicate_ids = None if duplicate_ids is None else duplicate_ids[index]
        return TextPairDataset(
            self.sources.select(index), self.targets.select(index), weight, duplicate_ids
        )

    @property
    def duplicate_ids(self):
        """A number for each pair, from 0 on, equal for pairs that share a text."""
        return np.unique(self._duplicate_ids, return_inverse=True)[1]

    def get_batch(self, which, dtype=None):
        tokens, _ = self.sources.get_batch(which)
        if self.sample_weight is None:
            return tokens, None
        return tokens, torch.from_numpy(self.sample_weight[which]).to(dtype)


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
        number, _ = pd.factorize(np.asarray(column, dtype=object))
        nodes.append(n_nodes + number)
        n_nodes += number.max() + 1
    nodes = np.concatenate(nodes)
    rows = np.tile(np.arange(n), len(columns))
    graph = coo_array((np.ones(len(nodes), dtype=bool), (rows, nodes)), shape=(n_nodes, n_nodes))
    return connected_components(graph, directed=False)[1][:n]
