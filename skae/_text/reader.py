"""Pairs of texts as tokens, which are learned from the training pairs."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from skae._data.checks import check_target, read_weights
from skae._data.reader import Reader
from skae._data.texts import (
    END,
    TextDataset,
    TextPairDataset,
    check_not_empty,
    duplicate_ids,
    read_texts,
)
from skae._text.tokenizers import encode, train_tokenizer
from skae.exceptions import LongTextWarning, warn

#: Bounds of ``max_length`` if it is "auto": of tokens, and of characters.
LENGTHS, CHARACTERS = (64, 256), (256, 1024)

#: Quantile of the lengths of training texts up to which texts are not split into sentences.
USUAL = 0.99


@dataclass(frozen=True)
class TextPairReader(Reader):
    """Reads texts and their translations.

    Parameters
    ----------
    tokenization, vocabulary_size, shared_vocabulary, max_length
        As for `skae.Seq2SeqTranslator`. After ``learn``, ``max_length`` is a number.
    source_tokenizer, target_tokenizer : tokenizers.Tokenizer or None, default=None
        Known after ``learn``, as the following are.
    n_pairs : int or None, default=None
        Number of training pairs.
    usual_length : float or None, default=None
        Number of tokens that few training texts exceed.
    """

    tokenization: str
    vocabulary_size: int | str
    shared_vocabulary: bool
    max_length: int | str
    source_tokenizer: Any = None
    target_tokenizer: Any = None
    n_pairs: int | None = None
    usual_length: float | None = None

    def learn(self, X, y, *, sample_weight=None, estimator):
        sources, targets, weight = _checked(X, y, sample_weight, estimator)
        reader = self._with_tokenizers(sources, targets)
        pairs = reader._tokenized(sources, targets, weight)
        max_length = self.max_length
        if max_length == "auto":
            fewest, most = CHARACTERS if self.tokenization == "char" else LENGTHS
            max_length = min(max(int(pairs.lengths.max()), fewest), most)
        usual_length = np.quantile(pairs.sources.lengths, USUAL)
        learned = {"max_length": max_length, "usual_length": usual_length, "n_pairs": len(sources)}
        reader = replace(reader, **learned)
        return reader, reader._without_long(pairs)

    def read(self, X, y, *, sample_weight=None, estimator):
        return self._without_long(self._tokenized(*_checked(X, y, sample_weight, estimator)))

    def fitted_attributes(self):
        return {
            "source_tokenizer_": self.source_tokenizer,
            "target_tokenizer_": self.target_tokenizer,
            "max_length_": self.max_length,
        }

    def _with_tokenizers(self, sources, targets):
        how = self.tokenization, self.vocabulary_size
        if self.shared_vocabulary:
            shared = train_tokenizer([*sources, *targets], *how)
            return replace(self, source_tokenizer=shared, target_tokenizer=shared)
        source, target = (train_tokenizer(texts, *how) for texts in (sources, targets))
        return replace(self, source_tokenizer=source, target_tokenizer=target)

    def _tokenized(self, sources, targets, weight):
        return TextPairDataset(
            TextDataset(encode_texts(self.source_tokenizer, sources)),
            TextDataset(encode_texts(self.target_tokenizer, targets)),
            weight,
            duplicate_ids(sources, targets),
        )

    def _without_long(self, pairs):
        longest = pairs.lengths.max(1)
        long = np.flatnonzero(longest > self.max_length)
        if not len(long):
            return pairs
        what = (
            f"{len(long)} of {len(pairs)} pairs are longer than max_length={self.max_length} "
            f"tokens, the first of them X[{long[0]}], y[{long[0]}] with {longest[long[0]]}"
        )
        if len(long) == len(pairs):
            raise ValueError(f"{what}. Give a larger max_length, or shorter texts.")
        warn(f"{what}. They are left out.", LongTextWarning)
        return pairs.select(np.flatnonzero(longest <= self.max_length))


def encode_texts(tokenizer, texts):
    """Return the numbers of the tokens of each text, the end of the text last."""
    return [[*row, END] for row in encode(tokenizer, texts)]


def _checked(X, y, sample_weight, estimator):
    """Return texts, their translations and the weights of the pairs."""
    check_target(y, estimator)
    sources, targets = read_texts(X, "X"), read_texts(y, "y")
    if len(sources) != len(targets):
        raise ValueError(
            f"X holds {len(sources)} texts, but y {len(targets)}: pairs need as many of both"
        )
    check_not_empty(sources, "X")
    check_not_empty(targets, "y")
    return sources, targets, read_weights(sample_weight, np.empty((len(sources), 1)))
