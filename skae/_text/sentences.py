"""Where sentences and lines of a text end, and where a long sentence can be cut."""

import re
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import NamedTuple

#: What ends a sentence before a blank; the second also without one.
STOPS, STOPS_WITHOUT_BLANK = ".!?…‽⁇⁈⁉؟۔।॥։።", "。！？｡"

#: A semicolon asks in Greek.
GREEK_STOP = r"(?<=[\u0370-\u03ff\u1f00-\u1fff]);"

#: What may follow a stop within its sentence.
CLOSERS = "\"'”’“«»›)\\]}」』"

#: A stop, what closes quotes, and the blanks before the next sentence.
END = re.compile(
    rf"(?<![{STOPS}])(?P<stop>[{STOPS}]++|{GREEK_STOP})(?P<close>(?:[{CLOSERS}]|\s»(?!\w))*+)(?P<gap>\s++)"
    rf"(?=[^\w\s]{{0,3}}\s?(?P<next>\w))"
    rf"|[{STOPS_WITHOUT_BLANK}]++(?:[”’）)]|[」』](?=\s|[「『]))*+(?![」』])(?P<no_gap>\s*+)(?=\S)"
)

#: The end of a text that is complete.
COMPLETE = re.compile(rf"(?:[{STOPS}{STOPS_WITHOUT_BLANK}]|{GREEK_STOP})[{CLOSERS}）\s]*\Z")

#: What begins an item of a list.
ITEM = re.compile(r"(?:[-*•·–—>|]|#{1,6}|\(?(?:\d{1,3}|[a-z])\)|\d{1,3}\.)\s+")

#: Words that a period follows within a sentence: before a name, or before a number.
_BEFORE_NAMES = """mr mrs ms dr prof st sr sra srta jr rev hon gen col sgt capt lt gov sen rep pres
    messrs mme mlle dra dott sig fr hr vs cf bzw ca evtl ggf vgl ул им"""
_BEFORE_NUMBERS = "no nr nos art fig p pp vol ch sec núm bd abb kap pág стр рис"
BEFORE_NAMES, BEFORE_NUMBERS = (frozenset(s.split()) for s in (_BEFORE_NAMES, _BEFORE_NUMBERS))

_INITIALS = re.compile(r"(?:[^\W\d_]{1,3}\.)+[^\W\d_]{1,3}")

#: An abbreviation has at most this many letters, and this fraction of the word has a period after
#: it within texts. There are at least so many of it.
MAX_LETTERS, MIN_PERIODS, MIN_COUNT = 6, 0.5, 3

#: A letter is a word if there are so many per text.
MIN_WORDS_PER_TEXT = 0.01

#: Training texts are sentences if this fraction ends with a stop, and single ones if this fraction
#: is not cut.
COMPLETE_FRACTION, SINGLE_FRACTION = 0.5, 0.95

_LAST_LETTER = re.compile(r"(?<!\S)([^\W\d])\.\Z")
_PERIOD_WITHIN = re.compile(rf"(?<!\S)([^\W\d]{{1,{MAX_LETTERS}}}|\d{{1,2}})\.(?=\s+\w)")

_BREAK = r"\n\v\f\r\x1c-\x1e\x85\u2028\u2029"
_HAS_BREAK = re.compile(f"[{_BREAK}]")

#: What all texts of several sentences or lines have, which takes less time to find.
_MAY_END = re.compile(f"[{STOPS};{STOPS_WITHOUT_BLANK}{_BREAK}].", re.DOTALL)

#: Scripts whose sentences follow each other without a blank.
_IDEOGRAPHS = r"\u3000-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff"
_WITHOUT_BLANKS = re.compile(f"[{_IDEOGRAPHS}]")
_BREAKS_BETWEEN_WORDS = re.compile(f"(?<=[{_IDEOGRAPHS}])\n(?=[{_IDEOGRAPHS}])")


class Unit(NamedTuple):
    """A piece of a text that is translated by itself.

    Parameters
    ----------
    before : str
        The line breaks before it, and the mark of an item; empty if there is none.
    lines : list of str
        The text; several lines if a sentence goes over them.
    breaks : list of str
        The line breaks between the lines.
    """

    before: str
    lines: list
    breaks: list

    @property
    def text(self):
        """The text on one line."""
        if len(self.lines) == 1:
            return self.lines[0]
        return _BREAKS_BETWEEN_WORDS.sub("", "\n".join(self.lines)).replace("\n", " ")

    def broken(self, translation, joint):
        """Return a translation on as many lines, of like lengths."""
        if not self.breaks:
            return translation
        ends = list(accumulate(map(len, self.lines)))
        lines, place = [[] for _ in ends], 0
        for word in translation.split(joint) if joint else translation:
            middle = (place + len(word) / 2) / max(len(translation), 1) * ends[-1]
            lines[min(bisect_left(ends, middle), len(ends) - 1)].append(word)
            place += len(word) + len(joint)
        pairs = zip(lines, [*self.breaks, ""], strict=True)
        return "".join(joint.join(line) + after for line, after in pairs)


@dataclass(frozen=True)
class SentenceSplitter:
    """Cuts texts into units like the training texts, and joins their translations.

    Where the training texts are single sentences, texts are cut into sentences; otherwise only
    those that are longer than usual. Line breaks end a unit, but those within a sentence, where
    the lines have been broken to fit a page.

    Parameters
    ----------
    are_sentences : bool, default=True
        Whether the training texts end with a period or the like.
    are_single : bool, default=True
        Whether nearly all of them are single sentences.
    have_line_breaks : bool, default=False
        Whether line breaks are a part of texts, and end nothing.
    joint : str, default=" "
        What stands between translated sentences.
    abbreviations : tuple of str, default=()
        Words with a period that are found within the training texts, but not at their ends.
    last_letters : tuple of str, default=()
        Single letters that end sentences, such as the English I.

    Examples
    --------
    >>> splitter = SentenceSplitter()
    >>> [unit.text for unit in splitter.split('Mr. J. R. Li paid 3.5 dollars. He said "No." Why?')]
    ['Mr. J. R. Li paid 3.5 dollars.', 'He said "No."', 'Why?']
    """

    are_sentences: bool = True
    are_single: bool = True
    have_line_breaks: bool = False
    joint: str = " "
    abbreviations: tuple = ()
    last_letters: tuple = ()

    @classmethod
    def learn(cls, sources, targets, have_line_breaks=False):
        """Return a splitter for texts like the training texts.

        Parameters
        ----------
        sources, targets : list of str
            Training texts and their translations.
        have_line_breaks : bool, default=False
            Whether line breaks are a part of the sources.

        Returns
        -------
        SentenceSplitter
        """
        whole = "".join(targets)
        has_blanks = len(_WITHOUT_BLANKS.findall(whole)) < 0.5 * sum(map(len, whole.split()))
        words = _words_with_periods(sources)
        n_complete = sum(map(_is_complete, sources))
        learned = cls(joint=" " if has_blanks else "", **words)
        n_single = sum(len(learned.sentences(text)) == 1 for text in sources)
        return cls(
            n_complete >= COMPLETE_FRACTION * len(sources),
            n_single >= SINGLE_FRACTION * len(sources),
            have_line_breaks,
            learned.joint,
            **words,
        )

    def split(self, text, is_long=False):
        """Cut a text into units.

        Parameters
        ----------
        text : str
        is_long : bool, default=False
            Whether the text is longer than training texts.

        Returns
        -------
        list of Unit
        """
        text = text.strip()
        is_whole = self.have_line_breaks and not is_long
        if is_whole or not _MAY_END.search(text):
            return [Unit("", [text], [])]
        everywhere = is_long or (self.are_sentences and self.are_single)
        units = []
        for before, lines, breaks in _without_marks(self._paragraphs(*_lines(text))):
            for gap, piece in self.sentences("\n".join(lines), everywhere):
                if "\n" in gap:
                    before, *breaks = breaks
                lines = piece.split("\n")
                inner, breaks = breaks[: len(lines) - 1], breaks[len(lines) - 1 :]
                units += _units(before, lines, inner)
                before = ""
        return units

    def _paragraphs(self, lines, breaks):
        """Yield the line breaks before each paragraph, its lines, and the breaks between them."""
        start, before = 0, ""
        for stop, after in enumerate(breaks, 1):
            if self._ends_paragraph(lines[stop - 1], after, lines[stop]):
                yield before, lines[start:stop], breaks[start : stop - 1]
                start, before = stop, after
        yield before, lines[start:], breaks[start:]

    def _ends_paragraph(self, line, after, following):
        is_empty_line = len(f"{after}.".splitlines()) > 2
        return (
            not self.are_sentences
            or is_empty_line
            or line.endswith((":", "："))
            or ITEM.match(following) is not None
        )

    def join(self, units, translations):
        """Return the translations of the units of a text as one text."""
        pairs = enumerate(zip(units, translations, strict=True))
        return "".join(
            (unit.before or (self.joint if i else "")) + unit.broken(translation, self.joint)
            for i, (unit, translation) in pairs
        )

    def sentences(self, text, everywhere=True):
        """Cut a text where sentences end.

        Parameters
        ----------
        text : str
        everywhere : bool, default=True
            False cuts at the ends of lines only.

        Returns
        -------
        list of tuple (gap, sentence)
            The blanks before each sentence, and the sentence.
        """
        found, start, gap, is_lower = [], 0, "", None
        for end in END.finditer(text):
            if end["stop"] is None:
                new_gap, is_end = end["no_gap"], True
            else:
                new_gap = end["gap"]
                if is_lower is None:
                    is_lower = text.islower()
                is_end = self._is_end(text, start, end, is_lower)
            if is_end and (everywhere or "\n" in new_gap):
                found.append((gap, text[start : end.end() - len(new_gap)]))
                start, gap = end.end(), new_gap
        return [*found, (gap, text[start:])]

    def _is_end(self, text, start, end, is_lower):
        """Say whether a stop before a blank ends a sentence."""
        after = end["next"]
        begins = not after.islower() or is_lower or "\n" in end["gap"]
        if end["stop"] != "." or end["close"] or not begins:
            return begins
        before = text[max(start, end.start() - 16) : end.start()].split()
        word = before[-1].lstrip("\"'“‘«([¿¡-") if before else ""
        if len(before) == 1 and end.start() - start <= 3 and word.isdigit():
            return False  # the number of an item
        return not self._is_abbreviation(word, after)

    def _is_abbreviation(self, word, after):
        lower = word.lower()
        if len(word) == 1 and word.isalpha():
            return word not in self.last_letters
        return (
            lower in BEFORE_NAMES
            or _form(word) in self.abbreviations
            or (lower in BEFORE_NUMBERS and after.isdigit())
            or _INITIALS.fullmatch(word) is not None
        )


def _without_marks(paragraphs):
    """Yield paragraphs of a text with the marks of items moved to what is before them."""
    paragraphs = list(paragraphs)
    for before, lines, breaks in paragraphs:
        mark = ITEM.match(lines[0]) if len(paragraphs) > 1 else None
        if mark is not None:
            before, lines = before + mark[0], [lines[0][mark.end() :], *lines[1:]]
        yield before, lines, breaks


def _units(before, lines, breaks):
    """Return some lines as one unit if they are a sentence, else each as one."""
    goes_on = lines[0][:1].isupper() and all(line[:1].islower() for line in lines[1:])
    if len(lines) == 1 or goes_on or _is_complete(lines[-1]):
        return [Unit(before, lines, breaks)]
    pairs = zip([before, *breaks], lines, strict=True)
    return [Unit(before, [line], []) for before, line in pairs]


def _is_complete(text):
    return COMPLETE.search(text[-16:]) is not None


def _form(word):
    """Return a word in lower case, or zeros for a number."""
    return "0" * len(word) if word.isdigit() else word.lower()


def _words_with_periods(texts):
    """Return abbreviations, and single letters that end sentences."""
    within, last, words, forms = Counter(), Counter(), Counter(), Counter()
    for text in texts:
        words.update(re.findall(r"\w+", text))
        if "." in text:
            within.update(map(_form, _PERIOD_WITHIN.findall(text)))
            last.update(_LAST_LETTER.findall(text))
    for word, n in words.items():
        forms[_form(word)] += n
    return {
        "abbreviations": tuple(
            form for form, n in within.items() if n >= max(MIN_COUNT, MIN_PERIODS * forms[form])
        ),
        "last_letters": tuple(
            letter
            for letter, n in last.items()
            if n >= max(MIN_COUNT, within[letter.lower()])
            and words[letter] >= MIN_WORDS_PER_TEXT * len(texts)
        ),
    }


def _lines(text):
    """Return the lines of a text, without outer blanks, and the blanks between them."""
    lines, breaks, start = [], [], 0
    if not _HAS_BREAK.search(text):
        return [text], []
    for blanks in re.finditer(r"\s+", text):
        if len(f"{blanks[0]}.".splitlines()) > 1:
            lines.append(text[start : blanks.start()])
            breaks.append(blanks[0])
            start = blanks.end()
    return [*lines, text[start:]], breaks


#: Where a long sentence is cut: between its parts, between words.
CUTS = (r"(?<=[,;:،])\s+|(?<=[，、；：])", r"\s+")


def split_text(text, fits, splitter=None):
    """Cut a text into parts that fit, between sentences where that is possible.

    Parameters
    ----------
    text : str
    fits : callable
        Says whether a part is short enough.
    splitter : SentenceSplitter or None, default=None
        Cuts texts into sentences.

    Returns
    -------
    list of str
    """
    if fits(text) or len(text) < 2:
        return [text]
    splitter = splitter or SentenceSplitter()
    pieces = [sentence for _, sentence in splitter.sentences(text.strip())]
    if len(pieces) == 1:  # smaller pieces are joined while they fit
        cuts = (_cut(text.strip(), pattern) for pattern in CUTS)
        cut = next((cut for cut in cuts if len(cut) > 1), None)
        middle = len(text) // 2
        pieces = [text[:middle], text[middle:]] if cut is None else _join(cut, fits)
    return [part for piece in pieces for part in split_text(piece, fits, splitter)]


def _cut(text, pattern):
    """Return the pieces of a text, with the blanks after them."""
    places = [0, *(match.end() for match in re.finditer(pattern, text)), len(text)]
    return [text[start:stop] for start, stop in pairwise(places) if start < stop]


def _join(pieces, fits):
    """Join as many pieces at a time as fit, with few trials."""
    joined, start = [], 0
    while start < len(pieces):
        stop, step = start + 1, 1
        while step:  # twice as many more at each success, half as many at each failure
            if stop + step <= len(pieces) and fits("".join(pieces[start : stop + step]).strip()):
                stop, step = stop + step, 2 * step
            else:
                step //= 2
        joined.append("".join(pieces[start:stop]).strip())
        start = stop
    return joined
