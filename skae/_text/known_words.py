"""Words that a translator has seen in training, and slots for those that it has not.

A name or a number that never occurred has to come out as it went in. In training, some words that
both texts of a pair have in the same form are replaced by a slot in both [1]_; so a word that was
never seen can pass through a slot, too. Words that occur once in the training texts tell what
becomes of words that never occurred [2]_, which decides the kinds of words that are copied.

References
----------
.. [1] M. Post, S. Ding, M. Martindale and W. Wu, "An exploration of placeholding in neural machine
   translation", MT Summit 2019. https://aclanthology.org/W19-6618
.. [2] I. J. Good, "The population frequencies of species and the estimation of population
   parameters", Biometrika 1953.
"""

import re
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from skae._text.tokenizers import SLOTS

#: Scripts without spaces between words: their runs are no words that others could be part of.
UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"

#: Words: addresses, or letters and digits, with punctuation inside such as in 1,250.75 or B-52.
WORD = re.compile(
    r"(?:https?://|www\.)[^\s<>\"]*[\w/]|[\w.+-]+@[\w-]+(?:\.[\w-]+)+"
    rf"|[{UNSPACED}]+|[^\W{UNSPACED}]+(?:(?:[-.,:/&@+]|(?<=\d)['’](?=\d))[^\W{UNSPACED}]+)*"
)

#: What a sentence begins after, quotes and brackets aside.
BEGINS_AFTER = ".!?…:;"
OPENING = " \"'«“‘([-–—\u00a0\u202f"

#: Fraction of the pairs, and of those with words that slots can stand for, that get slots.
FRACTION, FRACTION_OF_ABLE = 0.05, 0.5

#: Pairs for each slot, at least: fewer do not teach the net what it is.
PAIRS_PER_SLOT = 50


@dataclass(frozen=True)
class KnownWords:
    """Words of training texts.

    Parameters
    ----------
    forms : dict of str to str
        The words in lower case, and the form that each has most often inside of sentences.
    n_slots : int
        Number of slots that the net has learned.
    """

    forms: dict = field(default_factory=dict, repr=False)
    n_slots: int = 0

    @classmethod
    def learn(cls, sources, targets):
        """Learn the words of training pairs, and put slots into some of them.

        Parameters
        ----------
        sources, targets : list of str

        Returns
        -------
        words : KnownWords
        sources, targets : list of str
            With slots.
        """
        of_sources, of_targets = ([WORD.findall(t) for t in texts] for texts in (sources, targets))
        counts = Counter(word.lower() for words in of_sources for word in words)
        able = {}
        for i, pair in enumerate(zip(of_sources, of_targets, strict=True)):
            if words := _common_names(*pair):
                able[i] = words
        chosen = _choose(able, counts, len(sources))
        n_slots = min(len(SLOTS), len(chosen) // PAIRS_PER_SLOT)
        sources, targets = list(sources), list(targets)
        if n_slots:
            rng = np.random.default_rng(0)
            for i in chosen:
                words = able[i][:n_slots]
                slots = dict(zip(words, rng.permutation(n_slots).tolist(), strict=False))
                sources[i], targets[i] = (_put_slots(t[i], slots) for t in (sources, targets))
                of_sources[i] = [word for word in of_sources[i] if word not in slots]
        return cls(_usual_forms(of_sources), n_slots), sources, targets


def _common_names(source, target):
    """Return the names and numbers among the words that occur once in both texts."""
    common = {
        word
        for word in set(source).intersection(target)
        if (word[0].isdigit() or word != word.lower())
        and source.count(word) == target.count(word) == 1
    }
    return [word for word in source if word in common]


def _choose(able, counts, n_pairs):
    """Return the pairs that get slots: those of words that occur once, and others by chance."""
    once = {i for i, words in able.items() if any(counts[word.lower()] == 1 for word in words)}
    others = [i for i in able if i not in once]
    n_wanted = min(FRACTION * n_pairs, FRACTION_OF_ABLE * len(able)) - len(once)
    drawn = np.random.default_rng(0).permutation(len(others))[: max(0, int(n_wanted))]
    return sorted([*once, *(others[i] for i in drawn)])


def _put_slots(text, slots):
    """Replace words by the slots of these numbers."""
    return WORD.sub(lambda m: SLOTS[slots[m[0]]] if m[0] in slots else m[0], text)


def _usual_forms(texts):
    """Return the words of texts in lower case, each with its usual form inside of sentences."""
    inside = Counter(word for words in texts for word in words[1:])
    first = Counter(words[0].lower() for words in texts if words)
    forms = {word: word for word in first}
    for word, _ in reversed(inside.most_common()):
        forms[word.lower()] = word
    return forms
