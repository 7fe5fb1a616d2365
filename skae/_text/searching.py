"""How a translator reads texts and searches for their translations."""

from math import inf, nan

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted

from skae._data.texts import (
    END,
    TextDataset,
    TextPairDataset,
    check_characters,
    check_not_empty,
    check_same_number,
    read_texts,
)
from skae._modules.translation import TranslationModule
from skae._text.ctranslate2_export import ENGINES, Engine, translate_options
from skae._text.decoding import Constraints, beam_search, greedy, rank
from skae._text.packed import packed
from skae._text.parts import TextParts
from skae._text.reader import encode_texts
from skae._text.reading import (
    NO_CHARACTER,
    before_prefix,
    compile_protected,
    prefix_with_slots,
    read_text,
)
from skae._text.tokenizers import SLOT, decode, encode, slot_ids

#: Beams that are searched for different texts, each twice as wide as the last.
N_BEAMS = 3

#: Texts from which on it pays to pack the weights of a net.
MANY_TEXTS = 128


class TextSearch:
    """Mixin of what the methods of translators have in common.

    It needs a net, tokenizers, ``max_length_`` and what ``fit`` has learned of texts.
    """

    def _read_texts(self, X, prefix=None, is_whole=True):
        """Return texts, and the prefix of each translation or None.

        A text that is not read as a whole keeps its blanks and line breaks.
        """
        check_is_fitted(self)
        texts = self._sources(X, "X", is_whole)
        if prefix is None:
            return texts, None
        if isinstance(prefix, (str, bytes)):
            return texts, self._targets([prefix], "prefix") * len(texts)
        prefix = self._targets(prefix, "prefix")
        check_same_number(texts, prefix, "prefix")
        return texts, prefix

    def _sources(self, X, name, is_whole=True):
        """Return texts, written as those of the training."""
        normalizer = self._reader.source_normalizer
        write = normalizer.normalize if is_whole else normalizer.replace_characters
        return write(self._texts(X, name))

    def _targets(self, y, name):
        """Return translations, written as those of the training."""
        return self._reader.target_normalizer.normalize(self._texts(y, name))

    def _texts(self, X, name, first=0):
        """Return texts as a list; raise an error if one has too many characters."""
        texts = read_texts(X, name, first)
        check_characters(texts, self.max_characters, name, first)
        return texts

    def _read_sources(self, texts, name="X", tokenizer=None):
        """Return the tokens of texts; raise an error if one is too long."""
        check_not_empty(texts, name)
        dataset = TextDataset(self._encode(texts, tokenizer))
        long = np.flatnonzero(dataset.lengths > self.max_length_)
        if len(long):
            raise ValueError(
                f"{name}[{long[0]}] has {dataset.lengths[long[0]]} tokens, but max_length_ is "
                f"{self.max_length_}. Give its sentences one by one; predict does that itself."
            )
        return dataset

    def _log_likelihood(self, pairs):
        if not len(pairs):
            return np.zeros(0, np.float32)
        return self._predictor.map(TranslationModule.log_likelihood, pairs, (), nan=-inf)

    def _split(self, texts):
        """Return the parts of texts that are read by themselves."""
        reader = self._reader
        return TextParts(
            texts,
            reader.splitter,
            reader.source_normalizer.tidy,
            self._readings,
            self._encode,
            reader.usual_length,
            self.max_length_,
        )

    def _best(self, sources, prefix):
        """Return the best translation of each text, as ``_search`` does."""
        if self.beam_size > 1:
            return self._search(sources, prefix, self.beam_size, 1)
        return [[(tokens, nan)] for tokens in self._decoded(greedy, sources, prefix)]

    def _search(self, sources, prefix, beam_size, n_best):
        """Return translations of each text, as tokens with their probabilities, the best first."""
        return self._decoded(beam_search, sources, prefix, beam_size, n_best, self.length_penalty)

    def _decoded(self, search, sources, prefix, *args):
        """Return what a search finds for each text."""
        found, begins = [None] * len(sources), self._read_prefix(prefix, len(sources))
        with self._predictor.inference(sources) as (module, chunks):
            module = packed(module) if len(sources) >= MANY_TEXTS else module
            for which, source, _, _ in chunks if len(sources) else ():
                begin = begins.get_batch(which)[0].to(source.device)
                state = module.start(source)
                some = search(module.decoder, state, begin, self._constraints(), *args)
                for i, one in zip(which, some, strict=True):
                    found[i] = one
        return found

    def _search_different(self, sources, prefix, n_best):
        """Return the best translations of each text as ``_search`` does, but no text twice."""
        found = [[] for _ in range(len(sources))]
        beam_size, few = max(self.beam_size, n_best), np.arange(len(sources))
        rows, slots = sources.rows(), set(slot_ids(self.source_tokenizer_))
        for _ in range(N_BEAMS):
            begin = None if prefix is None else [prefix[i] for i in few]
            more = self._search(sources.select(few), begin, beam_size, n_best)
            for i, some in zip(few, more, strict=True):
                ranked = rank([*found[i], *some], self.length_penalty)
                texts = decode(self.target_tokenizer_, [tokens for tokens, _ in ranked])
                if slots.isdisjoint(rows[i]):
                    texts = [SLOT.sub(NO_CHARACTER, text) for text in texts]
                first = {text: one for text, one in zip(texts[::-1], ranked[::-1], strict=True)}
                found[i] = rank(first.values(), self.length_penalty)
            few, beam_size = few[[len(found[i]) < n_best for i in few]], 2 * beam_size
        return [some[:n_best] for some in found]

    def _best_by_engine(self, name, sources, prefix):
        """Return the best translation of each text, as ``_best`` does, by another package."""
        del prefix
        tokenizers = self.source_tokenizer_, self.target_tokenizer_
        engine = self._predictor.engine(
            (name, torch.get_num_threads()),
            lambda: Engine(self.encoder_, self.decoder_, tokenizers, ENGINES[name]),
        )
        found = engine.translate(sources.rows(), translate_options(self, self.max_length_))
        return [[(tokens, nan)] for tokens in found]

    def _translate_parts(self, X, prefix, search):
        """Return the parts of texts, how they are read, and the best translation of each part."""
        texts, prefix = self._read_texts(X, prefix, is_whole=False)
        parts = self._split(texts)
        if prefix is not None:
            places = zip(parts.owner, parts.is_first, strict=True)
            prefix = [prefix[i] if is_first else "" for i, is_first in places]
        readings = before_prefix(parts.readings, prefix)
        found = self._translate(readings, TextDataset(parts.rows), prefix, search)
        return parts, readings, [best[0][0] for best in found]

    def _translate(self, readings, sources, prefix, search):
        """Return translations of texts with their probabilities, the best first.

        Parameters
        ----------
        readings : list of Reading
        sources : TextDataset
            Their tokens, with slots.
        prefix : list of str or None
        search : callable
            ``search(sources, prefix)`` returns translations of each as tokens.

        Returns
        -------
        list of list of tuple (text, log_probability)
        """
        rows = search(sources, prefix_with_slots(prefix, readings))
        found = self._with_all_slots(rows, readings)
        lost = [i for i, some in enumerate(found) if not some]
        again = {i: readings[i].again for i in lost if readings[i].again is not None}
        if again:
            begins = prefix_with_slots(_select(prefix, again), again.values())
            rows = search(self._cut_rows([one.text for one in again.values()]), begins)
            found = _replaced(found, again, self._with_all_slots(rows, again.values()))
            lost = [i for i in lost if not found[i]]
        if lost:
            plain = [readings[i] for i in lost]
            rows = search(self._cut_rows([one.plain for one in plain]), _select(prefix, lost))
            some = self._finished(rows, [one.restore_plain for one in plain])
            found = _replaced(found, lost, some)
        return found

    def _with_all_slots(self, rows, readings):
        """Return those translations of each text that have all its slots."""
        found = self._finished(rows, [reading.restore for reading in readings])
        return [[(text, log_p) for text, log_p in some if text is not None] for some in found]

    def _cut_rows(self, texts):
        return TextDataset([self._cut(row) for row in self._encode(texts)])

    def _cut(self, row):
        """Return the tokens of a text that is not longer without slots than a net reads."""
        return row if len(row) <= self.max_length_ else [*row[: self.max_length_ - 1], END]

    def _finished(self, found, finish):
        """Return candidates with texts in the place of tokens, each finished by its function."""
        texts = iter(decode(self.target_tokenizer_, [row for some in found for row, _ in some]))
        return [
            [(function(next(texts)), log_p) for _, log_p in some]
            for function, some in zip(finish, found, strict=True)
        ]

    def _read_prefix(self, prefix, n_texts):
        """Return the tokens of what translations begin with; raise an error if one is too long."""
        if prefix is None:
            return TextDataset([[]] * n_texts)
        different = list(dict.fromkeys(prefix))
        tokens = dict(zip(different, encode(self.target_tokenizer_, different), strict=True))
        rows = [tokens[text] for text in prefix]
        long = [i for i, row in enumerate(rows) if len(row) >= self.max_length_]
        if long:
            raise ValueError(
                f"prefix[{long[0]}] has {len(rows[long[0]])} tokens, and max_length_ is "
                f"{self.max_length_}"
            )
        return TextDataset(rows)

    def _constraints(self):
        return Constraints(self.max_length_, self.no_repeat_ngram_size)

    def _readings(self, texts):
        """Return texts as the net reads them."""
        protected = compile_protected(self.protected)
        return [read_text(text, self._reader.known_words, protected) for text in texts]

    def _pairs(self, X, y):
        """Return the tokens of texts and of given translations of them."""
        texts, translations = self._read_texts(X)[0], self._targets(y, "y")
        check_same_number(texts, translations, "y")
        return self._read_pairs(self._readings(texts), translations, ("X", "y"))

    def _cut_pairs(self, readings, translations):
        """Return the tokens of texts and of translations that the net has made."""
        pairs = [reading.pair(text) for reading, text in zip(readings, translations, strict=True)]
        tokenizers = self.source_tokenizer_, self.target_tokenizer_
        return TextPairDataset(
            *(
                TextDataset([self._cut(row) for row in self._encode([p[i] for p in pairs], one)])
                for i, one in enumerate(tokenizers)
            )
        )

    def _read_pairs(self, readings, translations, names):
        """Return the tokens of texts and of given translations of them."""
        pairs = zip(readings, translations, strict=True)
        texts, translations = zip(*(reading.pair(text) for reading, text in pairs), strict=True)
        x_name, y_name = names
        targets = self._read_sources(translations, y_name, self.target_tokenizer_)
        return TextPairDataset(self._read_sources(texts, x_name), targets)

    def _encode(self, texts, tokenizer=None):
        return encode_texts(self.source_tokenizer_ if tokenizer is None else tokenizer, texts)


def _select(prefix, which):
    return None if prefix is None else [prefix[i] for i in which]


def _replaced(found, which, others):
    """Return a list with other items at some places."""
    others = dict(zip(which, others, strict=True))
    return [others.get(i, one) for i, one in enumerate(found)]
