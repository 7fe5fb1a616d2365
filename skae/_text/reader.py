"""Pairs of texts as tokens, which are learned from the training pairs."""

from dataclasses import dataclass, replace
from itertools import compress
from typing import Any

import numpy as np

from skae._data.checks import check_target, read_weights
from skae._data.reader import Reader
from skae._data.texts import (
    END,
    TextDataset,
    TextPairDataset,
    check_not_empty,
    check_same_number,
    duplicate_ids,
    read_texts,
    remedy_without_targets,
)
from skae._text.known_words import KnownWords
from skae._text.normalization import SourceNormalizer, TargetNormalizer
from skae._text.reading import read_text
from skae._text.sentences import SentenceSplitter
from skae._text.tokenizers import encode, tokenizer_of, train_tokenizer
from skae.exceptions import DataWarning, LongTextWarning, warn

#: Bounds of ``max_length`` if it is "auto": of tokens, and of characters.
LENGTHS, CHARACTERS = (64, 256), (256, 1024)

#: Warn if more than this fraction of pairs have the same text on both sides, and there are so many.
MAX_EQUAL, MIN_PAIRS = 0.9, 20

#: What else to say if there are not as many translations as texts.
UNPAIRED = (
    ": pairs need as many of both. The text and the translation of a pair stand at the same place "
    "in X and in y."
)

#: Quantile of the lengths of training texts up to which texts are not split into sentences.
USUAL = 0.99

#: With so many sources for each target on average, targets need not be new in held-out pairs.
MANY_SOURCES = 4


@dataclass(frozen=True)
class TextPairReader(Reader):
    """Reads texts and their translations.

    Parameters
    ----------
    tokenization, vocabulary_size, shared_vocabulary, max_length, max_characters
        As for `skae.Seq2SeqTranslator`. After ``learn``, ``max_length`` is a number.
    source_tokenizer, target_tokenizer : tokenizers.Tokenizer or None, default=None
        Known after ``learn``, as the following are.
    n_pairs : int or None, default=None
        Number of training pairs.
    usual_length : float or None, default=None
        Number of tokens that few training texts exceed.
    source_normalizer : SourceNormalizer
        Writes texts as the training texts are written.
    target_normalizer : TargetNormalizer
        Writes translations as those of the training are written.
    known_words : KnownWords
        What the training texts say of words.
    splitter : SentenceSplitter
        Cuts texts into units like the training texts.
    """

    tokenization: str
    vocabulary_size: int | str
    shared_vocabulary: bool
    max_length: int | str
    max_characters: int | None
    source_tokenizer: Any = None
    target_tokenizer: Any = None
    n_pairs: int | None = None
    usual_length: float | None = None
    source_normalizer: SourceNormalizer = SourceNormalizer()
    target_normalizer: TargetNormalizer = TargetNormalizer()
    known_words: KnownWords = KnownWords()
    splitter: SentenceSplitter = SentenceSplitter(are_single=False)

    def learn(self, X, y, *, sample_weight=None, estimator):
        sources, targets = _read_pairs(X, y, estimator)
        reader = replace(
            self,
            source_normalizer=SourceNormalizer.learn(sources),
            target_normalizer=TargetNormalizer.learn(targets),
        )
        sources, targets, weight = reader._checked(sources, targets, sample_weight)
        _warn_of_odd_pairs(sources, targets)
        has_breaks = reader.source_normalizer.has_line_breaks
        splitter = SentenceSplitter.learn(sources, targets, has_breaks)
        reader = replace(reader, splitter=splitter)._with_tokenizers(sources, targets)
        known_words, *slotted = KnownWords.learn(sources, targets)
        pairs = reader._tokenized(*slotted, weight, _groups(sources, targets))
        max_length = self.max_length
        if max_length == "auto":
            fewest, most = CHARACTERS if self.tokenization == "char" else LENGTHS
            max_length = min(max(int(pairs.lengths.max()), fewest), most)
        usual_length = np.quantile(pairs.sources.lengths, USUAL)
        learned = {"max_length": max_length, "usual_length": usual_length, "n_pairs": len(sources)}
        reader = replace(reader, known_words=known_words, **learned)
        return reader, reader._without_long(pairs)

    def read(self, X, y, *, sample_weight=None, estimator):
        sources, targets, weight = self._checked(*_read_pairs(X, y, estimator), sample_weight)
        ids = _groups(sources, targets)
        readings = (read_text(text, self.known_words) for text in sources)
        pairs = [one.pair(target) for one, target in zip(readings, targets, strict=True)]
        return self._without_long(self._tokenized(*zip(*pairs, strict=True), weight, ids))

    def fitted_attributes(self):
        return {
            "source_tokenizer_": self.source_tokenizer,
            "target_tokenizer_": self.target_tokenizer,
            "max_length_": self.max_length,
        }

    def __getstate__(self):
        """Return the state for pickle, with tokenizers as JSON."""
        tokenizers = self.source_tokenizer, self.target_tokenizer
        source, target = (one and one.to_str() for one in tokenizers)
        return vars(self) | {"source_tokenizer": source, "target_tokenizer": target}

    def __setstate__(self, state):
        source, target = state["source_tokenizer"], state["target_tokenizer"]
        made = {text: text and tokenizer_of(text) for text in (source, target)}  # one if shared
        tokenizers = {"source_tokenizer": made[source], "target_tokenizer": made[target]}
        vars(self).update(state | tokenizers)

    def _with_tokenizers(self, sources, targets):
        how = self.tokenization, self.vocabulary_size
        if self.shared_vocabulary:
            shared = train_tokenizer([*sources, *targets], *how)
            return replace(self, source_tokenizer=shared, target_tokenizer=shared)
        source, target = (train_tokenizer(texts, *how) for texts in (sources, targets))
        return replace(self, source_tokenizer=source, target_tokenizer=target)

    def _tokenized(self, sources, targets, weight, ids):
        return TextPairDataset(
            TextDataset(encode_texts(self.source_tokenizer, sources)),
            TextDataset(encode_texts(self.target_tokenizer, targets)),
            weight,
            ids,
        )

    def _without_long(self, pairs):
        kept = _short_enough(pairs.lengths, "max_length", self.max_length, "tokens")
        return pairs if kept.all() else pairs.select(np.flatnonzero(kept))

    def _checked(self, sources, targets, sample_weight):
        """Return normalized texts and translations, and the weights of the pairs."""
        sources = self.source_normalizer.normalize(sources)
        targets = self.target_normalizer.normalize(targets)
        check_not_empty(sources, "X")
        check_not_empty(targets, "y")
        weight = read_weights(sample_weight, np.empty((len(sources), 1)))
        return self._without_huge(sources, targets, weight)

    def _without_huge(self, sources, targets, weight):
        """Leave out pairs before they are tokenized: with these, that would take long."""
        if self.max_characters is None:
            return sources, targets, weight
        lengths = np.array([(len(x), len(y)) for x, y in zip(sources, targets, strict=True)])
        kept = _short_enough(lengths, "max_characters", self.max_characters, "characters")
        if kept.all():
            return sources, targets, weight
        sources, targets = (list(compress(texts, kept)) for texts in (sources, targets))
        if weight is not None:
            weight = read_weights(weight[kept], np.empty((len(sources), 1)))
        return sources, targets, weight


def _read_pairs(X, y, estimator):
    """Return texts and their translations, two lists of the same length."""
    if y is None:
        check_target(y, estimator, remedy_without_targets(X))
    sources, targets = read_texts(X, "X"), read_texts(y, "y")
    check_same_number(sources, targets, "y", UNPAIRED)
    return sources, targets


def _warn_of_odd_pairs(sources, targets):
    """Warn if there is nothing to learn from pairs."""
    n_equal = sum(source == target for source, target in zip(sources, targets, strict=True))
    if len(sources) >= MIN_PAIRS and n_equal > MAX_EQUAL * len(sources):
        warn(
            f"X[i] and y[i] are the same text in {n_equal} of {len(sources)} pairs, so that the "
            "translator will copy texts. Look whether X and y are the right columns. For work such "
            "as spelling correction, leave out most of these pairs.",
            DataWarning,
        )
    if len(set(targets)) == 1 < len(set(sources)):
        warn(
            f"All targets are the same text, {targets[0]!r:.60}: the translator will answer it to "
            "every text. Look whether y is the right column.",
            DataWarning,
        )


def _groups(sources, targets):
    """Return a number for each pair, equal for pairs that are held out together.

    They share a text. Where a target has many sources, as a word has many misspellings, it may be
    on both sides: else all that is held out would be words that were never seen.
    """
    is_answer = len(set(targets)) * MANY_SOURCES <= len(targets)
    return duplicate_ids(sources) if is_answer else duplicate_ids(sources, targets)


def _short_enough(lengths, name, limit, unit):
    """Return which pairs are not too long; warn of the others, or raise an error if all are.

    Parameters
    ----------
    lengths : ndarray of shape (n_pairs, 2)
    name : str
        The parameter that limits them.
    limit : int
    unit : str
        What lengths count.
    """
    longest = lengths.max(1)
    kept = longest <= limit
    if kept.all():
        return kept
    first = np.argmin(kept)
    what = (
        f"{np.sum(~kept)} of {len(kept)} pairs are longer than {name}={limit} {unit}, the first "
        f"of them X[{first}], y[{first}] with {longest[first]}"
    )
    if not kept.any():
        raise ValueError(f"{what}. Give a larger {name}, or shorter texts.")
    warn(f"{what}. They are left out.", LongTextWarning)
    return kept


def encode_texts(tokenizer, texts):
    """Return the numbers of the tokens of each text, the end of the text last."""
    return [[*row, END] for row in encode(tokenizer, texts)]
