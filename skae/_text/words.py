"""Words of texts, and the form that each has inside of sentences."""

import re
import unicodedata
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from itertools import takewhile

#: Scripts without spaces between words: their runs are no words that others could be part of.
UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"

#: Addresses and entities of HTML.
ADDRESS = (
    r"(?:https?://|www\.)[^\s<>\"]*[\w/]|[\w.+-]+@[\w-]+(?:\.[\w-]+)+"
    r"|&(?:#\d+|#[xX][\da-fA-F]+|[A-Za-z]\w*);"
)

IS_ADDRESS = re.compile(ADDRESS)

#: Words: addresses, or letters and digits, with punctuation inside such as in 1,250.75 or B-52.
_LETTER = rf"[^\W{UNSPACED}]"
_INSIDE = r"[.&](?=\w)|(?<=\d)['’,:/-](?=\w)|[-/](?=\d)"
WORD = re.compile(rf"{ADDRESS}|[{UNSPACED}]+|{_LETTER}+(?:(?:{_INSIDE}){_LETTER}+)*")

#: The number that a word begins with, if no other one follows. It does not backtrack: the time
#: of a long number would grow with its square.
_NUMBER = re.compile(r"\d++(?:[.'’,:/-]\d++)*+(?!.*\d)")

#: Sentences end with it; quotes, brackets and dashes may come before the next one.
ENDS, OPENING = ".!?…", " \"'«“‘([-–—¿¡\u00a0\u202f"

#: Letters that related words have in common: all but so many, but at least some.
N_ENDING, MIN_STEM = 3, 4


def begins_sentence(text, place):
    """Say whether a sentence begins at a place of a text."""
    before = text[:place].rstrip(OPENING)
    return not before or before[-1] in ENDS


def number_of(word):
    """Return the number that a word begins with; other words whole.

    Examples
    --------
    >>> [number_of(word) for word in ("15th", "47-year", "2:30pm", "640x480", "B737", "cat")]
    ['15', '47', '2:30', '640x480', 'B737', 'cat']
    """
    match = _NUMBER.match(word)
    return match[0] if match else word


def whole(part):
    """Return a pattern of a part of a text that is not part of a longer word or number.

    Examples
    --------
    >>> [re.findall(whole("15"), text) for text in ("le 15e", "le 150e")]
    [['15'], []]
    """
    first, last = (r"\d" if c.isdigit() else r"\w" for c in (part[0], part[-1]))
    return rf"(?<!{first}){re.escape(part)}(?!{last})"


def is_capitalized(word):
    """Say whether the first letter of a word is a capital and no other."""
    return word[:1].isupper() and word[1:] == word[1:].lower()


@dataclass(frozen=True)
class Lexicon:
    """The words of training texts.

    Parameters
    ----------
    words : list of str
        The words with case folded, sorted.
    cased : dict of str to str
        The form that words have inside of sentences, where it is another one.

    Examples
    --------
    >>> lexicon = Lexicon.learn([["The", "cat", "sees", "Tom"], ["Tom", "sees", "the", "dog"]])
    >>> lexicon.words, lexicon.cased
    (['cat', 'dog', 'sees', 'the', 'tom'], {'tom': 'Tom'})
    >>> "TOM" in lexicon, lexicon.usual("TOM"), lexicon.usual("THE")
    (True, 'Tom', 'the')
    >>> lexicon.has_related("seeing"), lexicon.has_related("zorblax")
    (False, False)
    """

    words: list = field(default_factory=list, repr=False)
    cased: dict = field(default_factory=dict, repr=False)

    @classmethod
    def learn(cls, texts):
        """Learn the words of texts, each a list of words."""
        first = Counter(words[0] for words in texts if words)
        inside = Counter(word for words in texts for word in words[1:])
        forms = {}
        for word, _ in reversed(first.most_common()):
            forms[word.casefold()] = word.lower() if is_capitalized(word) else word
        for word, _ in reversed(inside.most_common()):
            forms[word.casefold()] = word
        cased = {folded: form for folded, form in forms.items() if folded != form}
        return cls(sorted(forms), cased)

    def __contains__(self, word):
        folded = word.casefold()
        return self._has(folded) or (
            not any(c.isdigit() for c in word) and all(map(self._has, re.findall(r"\w+", folded)))
        )

    def _has(self, folded):
        place = bisect_left(self.words, folded)
        return self.words[place : place + 1] == [folded]

    def usual(self, word):
        """Return the form of a word inside of sentences."""
        folded = word.casefold()
        return self.cased.get(folded, folded)

    def has_related(self, word):
        """Say whether there is another word that begins in the same way, such as boxes and boxing.

        Names are left aside.
        """
        folded = word.casefold()
        stem = folded[: max(MIN_STEM, len(folded) - N_ENDING)]
        places = range(bisect_left(self.words, stem), len(self.words))
        others = (self.words[place] for place in places)
        same = takewhile(lambda other: other.startswith(stem), others)
        return any(other not in self.cased and other != folded for other in same)


def script_of(character):
    """Return the script of a letter, or a symbol itself; None for other characters.

    Examples
    --------
    >>> [script_of(c) for c in "aЖ猫😀é!7"]
    ['LATIN', 'CYRILLIC', 'CJK', '😀', 'LATIN', None, None]
    """
    if character.isalpha():
        return unicodedata.name(character, character).split()[0]
    is_symbol = unicodedata.category(character) in {"So", "Sk", "Sm", "Sc", "Co", "Cn"}
    return character if is_symbol and not character.isascii() else None
