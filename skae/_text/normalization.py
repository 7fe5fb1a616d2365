"""Texts of any origin as the training texts are written: blanks, quotes, dashes, widths.

Nets only know the characters of their training texts. Others often stand for the same: a no-break
space for a space, a curly apostrophe for a straight one, a full-width letter for a letter. Which
of them is meant to stay is decided by the training texts alone.
"""

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache

#: Characters that keyboards and programs write for one another, the plain one first.
VARIANTS = {
    variant: same[0]
    for same in (
        "'’‘‚‛‹›ʼʹ′`´＇",
        '"“”„‟«»″〝〞＂',
        "-‐‑‒–—―−﹘﹣－",
    )
    for variant in same
}

#: What Unicode calls those that stand for other characters only by how they look.
LOOKS = {"wide", "narrow", "compat", "font", "isolated", "initial", "medial", "final"}

#: A variant stays if it is at least this frequent, compared to the commonest of its kind.
MIN_OF_KIND = 0.1

#: Invisible characters and variants stay if there are so many, and so many per text.
MIN_COUNT, MIN_PER_TEXT = 3, 1e-3

#: Line breaks stay if this fraction of texts has some.
MIN_BROKEN = 0.01

#: Characters without ink, as a class of regular expressions: fillers, formats and controls.
INVISIBLE = (
    "\u034f\u115f\u1160\u2800\u3164\uffa0\u00ad\u061c\u180e\u200b\u200c\u200e\u200f\u202a-\u202e"
    "\u2060-\u206f\ufeff\ufff9-\ufffb\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f"
)

#: They join pictures, or choose between forms of a character.
JOINERS = "\u200d\ufe00-\ufe0f\U000e0020-\U000e007f"
_LONELY_JOINERS = re.compile(
    f"(?<![{JOINERS}\u2190-\u2bff\U0001f000-\U0001faff])(?!\ufe0f\u20e3)[{JOINERS}]+"
)
_IS_JOINER = re.compile(f"[{JOINERS}]")

_INVISIBLE = re.compile(f"[{INVISIBLE}]")
_IS_INVISIBLE = re.compile(f"[{INVISIBLE}{JOINERS}]")
_UNTIDY = re.compile(rf"[{INVISIBLE}{JOINERS}]|[^\S \n]|  |\s\n|\n\s|\A\s|\s\Z")
_BLANK = re.compile(r"[^\S\n]+")

#: Blanks within French quotes, which others do not have.
_WITHIN_QUOTES = re.compile(r"(?<=[«‹])\s+|\s+(?=[»›])")


class Normalizer:
    """The base of what writes texts as the training texts are."""

    @classmethod
    def learn(cls, texts):
        """Return a normalizer for texts like the given ones.

        Parameters
        ----------
        texts : list of str
            Training texts.

        Returns
        -------
        Normalizer
        """
        raise NotImplementedError

    def normalize(self, texts):
        """Return texts as the training texts are written, a list of str."""
        raise NotImplementedError


@dataclass(frozen=True)
class SourceNormalizer(Normalizer):
    """Writes texts that a net reads in the characters of the training texts.

    Blanks of all kinds become one space, and invisible characters are left out. Quotes, dashes and
    characters of other widths that are rare in the training texts become their commonest
    equivalent there.

    Parameters
    ----------
    characters : str, default=""
        The usual characters of the training texts, without blanks, the most frequent first.
    has_line_breaks : bool, default=False
        Whether line breaks stay.

    Examples
    --------
    >>> normalizer = SourceNormalizer.learn(["I don't know.", "Wait - why?"])
    >>> normalizer.normalize(["  Ｉ don’t\\u00a0know…", "Wait — w\\u00adhy?"])
    ["I don't know...", 'Wait - why?']
    """

    characters: str = ""
    has_line_breaks: bool = False

    @classmethod
    def learn(cls, texts):
        composed = [unicodedata.normalize("NFC", text) for text in texts]
        counts = Counter("".join(composed))
        best = Counter()
        for character, count in counts.items():
            kind = _plain(character)
            best[kind] = max(best[kind], count)
        least = max(MIN_COUNT, MIN_PER_TEXT * len(texts))
        usual = [
            c
            for c, count in counts.items()
            if not c.isspace()
            and count >= MIN_OF_KIND * best[_plain(c)]
            and (count >= least or (_plain(c) == c and not _IS_INVISIBLE.match(c)))
        ]
        n_broken = sum(len(text.splitlines()) > 1 for text in composed)
        characters = "".join(sorted(usual, key=lambda c: (-counts[c], c)))
        return cls(characters, n_broken > MIN_BROKEN * len(texts))

    def normalize(self, texts):
        return self.tidy(self.replace_characters(texts))

    def replace_characters(self, texts):
        """Return texts whose blanks and line breaks are as they were, a list of str."""
        is_odd, table = _replacements(self.characters)
        return [_replaced(text, is_odd, table) for text in texts]

    def tidy(self, texts):
        """Return texts with one space for blanks of all kinds, a list of str."""
        if self.has_line_breaks:
            return ["\n".join(" ".join(x.split()) for x in t.splitlines()).strip() for t in texts]
        return [" ".join(text.split()) for text in texts]


@dataclass(frozen=True)
class TargetNormalizer(Normalizer):
    """Writes texts that a net is to write with the same blanks at the same places.

    A net that has seen several kinds of blanks before a question mark divides the probability
    among them. So all become the commonest one between such neighbors. Invisible characters are
    left out; everything else stays.

    Parameters
    ----------
    blanks : dict of str to str, default={}
        The blank before a mark (" ?"), after one (", "), between digits ("0") or between words
        ("a"), where it is not a plain space.
    invisible : str, default=""
        Invisible characters that are frequent in the training texts, and stay.

    Examples
    --------
    >>> normalizer = TargetNormalizer.learn(["Qui\\u202f?", "Quoi\\u202f?", "Ah ?  Oui."])
    >>> normalizer.normalize(["Ah ?  Oui."])
    ['Ah\\u202f? Oui.']
    """

    blanks: dict = field(default_factory=dict)
    invisible: str = ""

    @classmethod
    def learn(cls, texts):
        whole = "\n".join(texts)
        found = Counter(_IS_INVISIBLE.findall(whole))
        least = max(MIN_COUNT, MIN_PER_TEXT * len(texts))
        invisible = "".join(sorted(c for c, n in found.items() if n >= least))
        if not re.search(r"[^\S \n]", whole):
            return cls({}, invisible)
        counts = Counter()
        found = Counter(re.findall(r"(?<=(\S))([^\S\n])(?=(\S))", whole))
        for (before, blank, after), n in found.items():
            counts[_place(before, after), blank] += n
        commonest = {}
        for (place, blank), _ in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
            commonest.setdefault(place, blank)
        return cls({k: blank for k, blank in sorted(commonest.items()) if blank != " "}, invisible)

    def normalize(self, texts):
        is_odd = _untidy_or_at("".join(self.blanks).replace(" ", ""))
        composed = [unicodedata.normalize("NFC", text) for text in texts]
        return [self._tidy(text) if is_odd.search(text) else text for text in composed]

    def _tidy(self, text):
        text = _INVISIBLE.sub(lambda match: match[0] * (match[0] in self.invisible), text)
        if not _IS_JOINER.search(self.invisible):
            text = _LONELY_JOINERS.sub("", text)
        lines = [_BLANK.sub(self._blank, line.strip()) for line in text.splitlines()]
        return "\n".join(lines).strip()

    def _blank(self, match):
        before, after = match.string[match.start() - 1], match.string[match.end()]
        return self.blanks.get(_place(before, after), " ")


def _place(before, after):
    """Return " ?" before a mark, ", " after one, "0" between digits, and "a" between words."""
    if not after.isalnum():
        return f" {after}"
    if not before.isalnum():
        return f"{before} "
    return "0" if before.isdigit() and after.isdigit() else "a"


@lru_cache(maxsize=16)
def _untidy_or_at(marks):
    """Return what finds texts that may change, for the places of unusual blanks."""
    digits, words = "\\d" * ("0" in marks), "\\w" * ("a" in marks)
    marks = re.escape(marks) + digits + words
    return re.compile(f"{_UNTIDY.pattern}|[{marks}]") if marks else _UNTIDY


@lru_cache(maxsize=1 << 16)
def _plain(character):
    """Return the plain form of a character, its own if there is no other."""
    if character in VARIANTS:
        return VARIANTS[character]
    tag = unicodedata.decomposition(character).partition(">")[0][1:]
    if tag not in LOOKS:
        return character
    return "".join(VARIANTS.get(c, c) for c in unicodedata.normalize("NFKC", character))


class _Replacements(dict):
    """What becomes of each character, found when it is first asked for."""

    def __init__(self, characters):
        super().__init__({ord(c): c for c in characters})
        self.keeps_joiners = _IS_JOINER.search(characters) is not None
        self.keeps_guillemets = "«" in characters
        self._by_kind = {}
        for character in characters:
            self._by_kind.setdefault(_plain(character), character)

    def __missing__(self, code):
        character = chr(code)
        if _IS_JOINER.match(character):  # depends on what is before it
            new = character
        elif _INVISIBLE.match(character):
            new = ""
        else:
            kind = _plain(character)
            new = self._by_kind.get(kind)
            if new is None:
                known = [self._by_kind.get(c) for c in kind]
                new = character if None in known else "".join(known)
        self[code] = new
        return new


@lru_cache(maxsize=16)
def _replacements(characters):
    """Return what finds unusual characters, and what becomes of them."""
    return re.compile(f"[^\\s{re.escape(characters)}]"), _Replacements(characters)


def _replaced(text, is_odd, table):
    text = unicodedata.normalize("NFC", text)
    if not is_odd.search(text):
        return text
    if not table.keeps_guillemets:
        text = _WITHIN_QUOTES.sub("", text)
    text = text.translate(table)
    if not table.keeps_joiners:
        text = _LONELY_JOINERS.sub("", text)
    return unicodedata.normalize("NFC", text)  # halves of a letter may now stand side by side
