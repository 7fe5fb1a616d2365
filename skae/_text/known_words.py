"""Words that a translator has seen in training, and slots for those that it has not.

A name or a number that never occurred has to come out as it went in, or a number as translations
write it. In training, some that both texts of a pair have are replaced by a slot in both [1]_; so
one that was never seen can pass through a slot, too. Words that occur once in the training texts
tell what becomes of words that never occurred [2]_, which decides the kinds of words that are
copied.

References
----------
.. [1] M. Post, S. Ding, M. Martindale and W. Wu, "An exploration of placeholding in neural machine
   translation", MT Summit 2019. https://aclanthology.org/W19-6618
.. [2] I. J. Good, "The population frequencies of species and the estimation of population
   parameters", Biometrika 1953.
"""

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from functools import partial
from itertools import chain

from skae._text.casing import Casing
from skae._text.slots import assign_slots, put_slots
from skae._text.tokenizers import NAME_SLOTS, NUMBER_SLOTS
from skae._text.words import (
    IS_ADDRESS,
    WORD,
    Lexicon,
    begins_sentence,
    is_capitalized,
    number_of,
    script_of,
)

#: A net knows numbers that it has seen so often: of fewer it makes others, such as 30 of 3.
MIN_OF_NUMBER = 50

#: Scripts and symbols are known if there are so many characters of them per text.
MIN_PER_TEXT = 1e-3

#: A kind of words is copied if it is copied so often. What a net itself makes of names that it has
#: not seen is right less often than that; digits it translates one by one.
COPIED_NAMES, COPIED_NUMBERS = 0.2, 0.5

#: How many times as often the digits of a number are in their order as in another one.
MANY_MORE = 4

#: Words of a kind that count before any is seen: copied as often as plain numbers; not, if names.
PRIOR = 2

#: Words of a kind that occur once, at least, to go by them; training texts that are read, about, if
#: there are fewer.
MIN_ONCE, N_READ = 5, 10_000


@dataclass(frozen=True)
class KnownWords:
    """What training texts say of words: which there are, and what becomes of others.

    Parameters
    ----------
    lexicon : Lexicon
    casing : Casing
    scripts : list of str
        The scripts of the letters of the training texts, and their symbols.
    copied : dict of str to bool
        Whether words of a kind come out as they went in, if they are unknown.
    formats : dict of str to list of str
        What translations put between the digits of numbers of a shape, such as 0:0.
    endings : list of str
        What follows numbers in their words, such as th in 15th.
    n_name_slots, n_number_slots : int
        Numbers of slots that the net has learned.
    """

    lexicon: Lexicon = Lexicon()
    casing: Casing = Casing()
    scripts: list = field(default_factory=list)
    copied: dict = field(default_factory=dict)
    formats: dict = field(default_factory=dict)
    endings: list = field(default_factory=list)
    n_name_slots: int = 0
    n_number_slots: int = 0

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
        counts = Counter(word.casefold() for words in of_sources for word in words)
        scripts = _scripts(sources)
        lexicon = Lexicon.learn(of_sources)
        casing = Casing.learn(sources, lexicon)
        formats = _formats(of_sources, targets)
        copied = _copied_kinds(sources, of_sources, of_targets, counts, lexicon)
        copied |= dict.fromkeys(formats, True)

        def is_rare(word):
            return counts[word.casefold()] < (MIN_OF_NUMBER if word[0].isdigit() else 2)

        numbers = {word for words in of_sources for word in words if word[0].isdigit()}
        endings = sorted({number.removeprefix(number_of(number)) for number in numbers})
        slotted = put_slots(sources, targets, is_rare, partial(_written, formats=formats))

        def is_known(word):
            if not (word[0].isdigit() and is_rare(word)):
                return True
            return not _is_copied(shape_of(number_of(word)), copied)

        of_sources = [
            [word for word in words if number_of(word) not in parts and is_known(word)]
            for words, parts in zip(of_sources, slotted.parts, strict=True)
        ]
        lexicon = Lexicon.learn(of_sources)
        known = cls(lexicon, casing, scripts, copied, formats, endings, *slotted.n_slots)
        return known, slotted.sources, slotted.targets

    @property
    def has_slots(self):
        """Whether the net has learned slots."""
        return self.n_name_slots + self.n_number_slots > 0

    def slots(self, names, numbers):
        """Return a dict of slots for names and numbers, as many as there are."""
        slots = NAME_SLOTS[: self.n_name_slots], NUMBER_SLOTS[: self.n_number_slots]
        return assign_slots(names, numbers, *slots)

    def copies(self, word, is_first):
        """Say whether a word is unknown, and of a kind that comes out as it went in."""
        if not self.has_slots or word in self.lexicon:
            return False
        return _is_copied(kind_of(word, is_first, self.lexicon), self.copied)

    def copied_part(self, word):
        """Return what is copied of a word: the number of one whose ending is known, or all."""
        number = number_of(word)
        return number if word.removeprefix(number) in self.endings else word

    def is_common(self, word):
        """Say whether a word is known, and not as a name."""
        return word in self.lexicon and self.lexicon.usual(word)[0].islower()

    def written(self, word):
        """Return how translations write a number, such as 17 h 45 for 17:45; other words as is."""
        return _written(word, self.formats)

    def foreign(self, text):
        """Return the characters of a text in scripts that were never seen, and such symbols."""
        scripts = {c: script_of(c) for c in set(text)} if self.scripts else {}
        return {c for c, script in scripts.items() if script not in (None, *self.scripts)}


def _scripts(texts):
    """Return the scripts that are common in texts."""
    counts = Counter()
    for character, count in Counter("".join(texts)).items():
        counts[script_of(character)] += count
    least = MIN_PER_TEXT * len(texts)
    return sorted(s for s, n in counts.items() if s is not None and n >= least)


def _written(number, formats):
    """Return how translations write a number."""
    between = formats.get(shape_of(number))
    if between is None:
        return number
    groups = re.findall(r"\d+", number)
    return "".join(chain.from_iterable(zip(groups, [*between, ""], strict=True)))


def kind_of(word, is_first, lexicon):
    """Return the kind of a word, or None if words such as it are always translated.

    Parameters
    ----------
    word : str
    is_first : bool
        Whether a sentence begins with it.
    lexicon : Lexicon

    Examples
    --------
    >>> lexicon = Lexicon.learn([["He", "paints", "a", "box"]])
    >>> [kind_of(word, False, lexicon) for word in ("box", "Zorblax", "17:45", "a@b.org")]
    [None, 'name', '0:0', 'address']
    >>> [kind_of(word, True, lexicon) for word in ("Painting", "Zorblax", "NATO")]
    ['first of a family', 'first', 'name']
    """
    if IS_ADDRESS.fullmatch(word):
        return "address"
    if word[0].isdigit():
        return shape_of(number_of(word))
    if word == word.lower():
        return None
    if not is_first or not is_capitalized(word):
        return "name"
    return "first of a family" if lexicon.has_related(word) else "first"


def _is_copied(kind, copied):
    """Say whether words of a kind come out as they went in; rare numbers are as plain ones."""
    if kind is None or kind in copied:
        return copied.get(kind, False)
    return kind[0].isdigit() and copied.get("0", False)


def shape_of(word):
    """Return a word with 0 for digits and a for letters, such as 0:0 for 17:45."""
    return re.sub(r"\d+", "0", re.sub(r"[^\W\d_]+", "a", word))


def _formats(of_sources, targets):
    """Return how translations write numbers of several groups of digits, by shape."""
    seen, mixed, found = Counter(), Counter(), defaultdict(Counter)
    for words, target in zip(of_sources, targets, strict=True):
        for word in words:
            groups = re.findall(r"\d+", word)
            if len(groups) < 2 or any(c.isalpha() for c in word):
                continue
            shape = shape_of(word)
            seen[shape] += 1
            pattern = r"(?<!\d)" + r"(\D{1,3})".join(groups) + r"(?!\d)"
            if match := re.search(pattern, target):
                found[shape][match.groups()] += 1
            elif set(groups) <= set(re.findall(r"\d+", target)):  # in another order
                mixed[shape] += 1
    usual = [
        shape
        for shape, between in sorted(found.items())
        if between.total() >= max(COPIED_NAMES * seen[shape], MANY_MORE * mixed[shape])
    ]
    return {shape: list(max(found[shape], key=found[shape].get)) for shape in usual}


def _copied_kinds(texts, of_sources, of_targets, counts, lexicon):
    """Return which kinds are copied, by the words that occur once in the training texts.

    Where these are few, all words of some texts tell it. Where ordinary words are copied as often,
    as in the correction of texts, nets do it themselves.
    """
    once, some = (Counter(), Counter()), (Counter(), Counter())
    step = 1 + len(texts) // N_READ
    for i, (text, source, target) in enumerate(zip(texts, of_sources, of_targets, strict=True)):
        if i % step and not any(counts[word.casefold()] == 1 for word in source):
            continue
        target = set(map(number_of, target))
        for match in WORD.finditer(text):
            is_single = counts[match[0].casefold()] == 1
            if i % step and not is_single:
                continue
            kind = kind_of(match[0], begins_sentence(text, match.start()), lexicon)
            for seen, same in [some, once][: 1 + is_single]:
                seen[kind] += 1
                same[kind] += number_of(match[0]) in target
    copied = {"address": True}
    ordinary = some[1][None] / max(some[0][None], 1)
    of_numbers = some[1]["0"] / max(some[0]["0"], 1)
    for kind in filter(None, some[0] + once[0]):
        seen, same = once if once[0][kind] >= MIN_ONCE else some
        least = COPIED_NUMBERS if kind[0].isdigit() else COPIED_NAMES
        usual = of_numbers if kind[0].isdigit() else 0
        rate = (same[kind] + PRIOR * usual) / (seen[kind] + PRIOR)
        copied[kind] = rate >= max(least, ordinary)
    return copied
