"""Texts as a net reads them: in usual case, with slots for what it would not carry over.

What is to come out as it went in is marked first: what the user protects, then what is written in
scripts that were never seen, then unknown names and numbers. Marks at the ends of a text are taken
off and put back afterwards. Others become slots of the net. If its translation does not have them
all, numbers get slots for names; at last the text is translated without slots, and what is
protected is put where it was.
"""

import re
from collections import Counter
from dataclasses import dataclass, field, replace

from skae._text.tokenizers import SLOT
from skae._text.words import ADDRESS, ENDS, IS_ADDRESS, WORD, begins_sentence, whole

#: Marks in texts, halves of surrogates that no text has: of parts that are kept and can be left
#: out, such as tags; of others that are kept; of unknown names; of unknown numbers.
ASIDE, KEPT, NAMES, NUMBERS = (
    range(first, first + 256) for first in (0xD800, 0xD900, 0xDA00, 0xDB00)
)
_ASIDE, _KEPT, _WORDS = "\ud800-\ud8ff", "\ud800-\ud9ff", "\ud900-\udbff"

#: What `protected` knows by name: tags and entities of HTML, fields of templates and formats.
PATTERNS = {
    "markup": rf"</?[A-Za-z][^<>]*>|<!--.*?-->|{ADDRESS}|\$?\{{{{[^{{}}]*\}}}}|\$?\{{[^{{}}]*\}}"
    r"|%(?:\(\w+\))?[-+#0]*\d*(?:\.\d+)?[sdifgxc](?!\w)|%%"
}
_HAS_WORDS = re.compile(r"\w")
_TOKEN = re.compile(r"\d+(?:[.,]\d+)+|\w+|\W")
_MARK = re.compile("[\ud800-\udbff]")
_LEADING = re.compile(rf"(?:[^\w{_WORDS}{_ASIDE}]*[{_ASIDE}])+\s*")
_TRAILING = re.compile(rf"(\s*[{_ASIDE}](?:[^\w{_WORDS}]*[{_ASIDE}])?)([^\w{_WORDS}{_ASIDE}]*)\Z")

#: What stands for bytes that are no text, such as slots that stand for nothing.
NO_CHARACTER = "\ufffd"

#: Characters that belong to a symbol before them.
JOINED = "\u200d\ufe0e\ufe0f\u20e3"


class Marks:
    """What marks in a text stand for."""

    def __init__(self):
        self.originals, self.results = {}, {}

    def put(self, original, places, result=None, again=False):
        """Return the mark of a part of the text; the part itself if there are too many.

        Parameters
        ----------
        original : str
        places : range
            Code points of such marks.
        result : str or None, default=None
            What it becomes in the translation, if that is another one.
        again : bool, default=False
            Whether equal parts have the same mark.
        """
        if again:
            for mark, other in self.originals.items():
                if other == original and ord(mark) in places:
                    return mark
        place = places.start + sum(ord(mark) in places for mark in self.originals)
        if place not in places:
            return original
        mark = chr(place)
        self.originals[mark], self.results[mark] = original, result or original
        return mark

    def keep(self, part):
        """Return the mark of a part that is kept."""
        is_word = part[0] != "<" and _HAS_WORDS.search(part)
        return self.put(part, KEPT if is_word else ASIDE)

    def restore(self, text):
        """Return a text with the parts that marks stand for."""
        return _MARK.sub(lambda mark: self.originals[mark[0]], text)

    def unmarked(self, mark):
        """Return an unknown word or number for its mark; other marks stay."""
        return self.originals[mark] if ord(mark) >= NAMES.start else mark


@dataclass(frozen=True)
class Reading:
    """A text as a net reads it.

    Parameters
    ----------
    text : str
        What is translated first, with slots.
    plain : str
        What is translated if slots are lost.
    slots : dict of str to str
        What the slots stand for.
    before, after : str
        Parts that are put before and after the translation.
    kept : list of tuple (place, str)
        Parts that the plain text lacks, with the blanks around them, and where in it they were,
        from 0 to 1.
    has_all : bool
        Whether there was a slot for all that is kept.
    copy : str or None
        The whole text, if there is nothing to translate.
    stray : str
        What becomes of slots that stand for nothing.
    again : Reading or None
        How the text is translated next if slots for numbers are lost: with those for names, which
        nets have seen more often.
    """

    text: str
    plain: str
    slots: dict = field(default_factory=dict)
    before: str = ""
    after: str = ""
    kept: list = field(default_factory=list)
    has_all: bool = True
    copy: str | None = None
    stray: str = ""
    again: "Reading | None" = None

    def restore(self, translation):
        """Return a translation with what slots stand for, or None if some are lost."""
        if self.copy is not None:
            return self.copy
        found, wanted = Counter(SLOT.findall(translation)), Counter(SLOT.findall(self.text))
        is_complete = found.keys() == wanted.keys() and found <= wanted
        if not self.has_all or wanted and not is_complete:
            return None
        return self.fill(translation)

    def fill(self, translation):
        """Return a translation with what slots stand for, also if some are lost."""
        if self.copy is not None:
            return self.copy
        return self.before + self.shown(translation) + self.after

    def shown(self, text):
        """Return a text or token with what slots in it stand for."""
        return SLOT.sub(lambda slot: self.slots.get(slot[0], self.stray), text)

    def restore_plain(self, translation):
        """Return the translation of the plain text with what it lacks, about where that was."""
        words = without_slots(translation).split(" ")
        n_words = len(words)
        for place, part in reversed(self.kept):
            index = min(round(place * n_words), n_words)
            if part[0] != " " and index:  # it ends a word, as a tag may do
                words[index - 1] += part.rstrip()
            elif part[-1] != " " and index < n_words:
                words[index] = part.lstrip() + words[index]
            else:
                words.insert(index, part.strip())
        return self.before + " ".join(words) + self.after

    def after_prefix(self):
        """Return the reading of a text whose translation begins with something that is given."""
        again = self.again and self.again.after_prefix()
        return replace(self, before="", copy=None, again=again)

    def with_slots(self, translation):
        """Return a given translation with slots for what they stand for."""
        for slot, part in self.slots.items():
            translation = re.sub(whole(part), slot, translation)
        return translation

    def pair(self, translation):
        """Return the text and a given translation as a net reads and writes them."""
        if self.copy is not None:
            return self.copy, translation
        core = translation.removeprefix(self.before).removesuffix(self.after)
        slotted = self.with_slots(core)
        if self.restore(slotted) is None:
            return self.plain, core
        return self.text, slotted


def without_slots(text):
    """Return a translation without slots, which stand for nothing in it."""
    return re.sub(f" ?{SLOT.pattern}", "", text).strip()


def compile_protected(protected):
    """Return a pattern for what comes out as it went in, or None.

    Parameters
    ----------
    protected : str, list of str or None
        Regular expressions, or names of some.

    Raises
    ------
    TypeError, ValueError
        If they are none.
    """
    if protected is None:
        return None
    several = [protected] if isinstance(protected, str) else protected
    if not isinstance(several, (list, tuple)) or not all(isinstance(p, str) for p in several):
        raise TypeError(
            "protected must be None, 'markup', a regular expression (str), or a list of them; got "
            f"{protected!r}"
        )
    for pattern in several:
        try:
            is_empty = re.fullmatch(PATTERNS.get(pattern, pattern), "") is not None
        except re.error as error:
            raise ValueError(f"protected={pattern!r} is no regular expression: {error}") from None
        if is_empty:
            raise ValueError(f"protected={pattern!r} matches an empty text: ask for a character")
    return re.compile("|".join(f"(?:{PATTERNS.get(p, p)})" for p in several)) if several else None


def read_text(text, known, protected=None):
    """Return a text as a net reads it.

    Parameters
    ----------
    text : str
    known : KnownWords
    protected : re.Pattern or None, default=None
        What comes out as it went in.

    Returns
    -------
    Reading
    """
    marks = Marks()
    read = text
    if protected is not None:
        read = protected.sub(lambda m: marks.keep(m[0]), read)
    if not read.isascii() and (foreign := known.foreign(read)):
        read = _mark_foreign(read, foreign, marks)
    read = _mark_unknown(known.casing.recase(read, known.lexicon), known, marks)
    stray = "" if known.has_slots else NO_CHARACTER
    if not marks.originals:
        return Reading(read, read, stray=stray)
    before, core, after = _without_ends(read)
    if not _HAS_WORDS.search(core):
        return Reading(text, text, copy=text)
    marked = sorted(dict.fromkeys(_MARK.findall(core)))  # unknown words come last
    names, numbers = ([m for m in marked if (ord(m) in NUMBERS) == n] for n in (False, True))
    slots = known.slots(names, numbers)
    slotted = _MARK.sub(lambda m: slots.get(m[0]) or marks.unmarked(m[0]), core)
    again = None
    if numbers and known.n_number_slots and known.n_name_slots:
        again = read_text(text, replace(known, n_number_slots=0), protected)
    plain, kept = _without_kept(_MARK.sub(lambda m: marks.unmarked(m[0]), core), marks)
    return Reading(
        _without_kept(slotted, marks)[0],
        plain,
        {slot: marks.results[mark] for mark, slot in slots.items()},
        marks.restore(before),
        marks.restore(after),
        kept,
        has_all=not re.search(f"[{_KEPT}]", slotted),
        stray=stray,
        again=again,
    )


def _without_kept(text, marks):
    """Return a text without marks, and what they stand for with its place."""
    plain, kept = "", []
    for i, piece in enumerate(re.split(f"( ?[{_KEPT}] ?)", text)):
        if i % 2:
            kept.append((len(plain.split()), marks.restore(piece)))
            piece = " " * (" " in piece and plain[-1:] != " ")
        plain += piece
    n_words = max(len(plain.split()), 1)
    return plain.strip(), [(place / n_words, part) for place, part in kept]


def _mark_foreign(text, foreign, marks):
    """Mark runs of words and symbols that hold foreign characters, with numbers they join."""
    tokens = _TOKEN.findall(text)
    is_foreign = [any(c in foreign for c in token) for token in tokens]
    is_word = [token[0].isalnum() for token in tokens]

    def is_joined(i):
        near = range(max(i - 1, 0), min(i + 2, len(tokens)))
        return tokens[i][0].isdigit() and any(is_foreign[j] and not is_word[j] for j in near)

    is_odd = [is_foreign[i] or is_joined(i) for i in range(len(tokens))]
    parts, start = [], 0
    while start < len(tokens):
        stop = start + 1
        if is_odd[start]:
            place = stop
            while place < len(tokens) and (is_odd[place] or not is_word[place]):
                place += 1
                if is_odd[place - 1] or tokens[place - 1] in JOINED:
                    stop = place
            parts.append(marks.keep("".join(tokens[start:stop])))
        else:
            parts.append(tokens[start])
        start = stop
    return "".join(parts)


def _mark_unknown(text, known, marks):
    """Mark unknown words that are copied, with names that hyphens or apostrophes join to them."""
    words = list(WORD.finditer(text))
    is_copied = [known.copies(m[0], begins_sentence(text, m.start())) for m in words]

    def is_name(match):
        is_first = begins_sentence(text, match.start())
        return match[0][0].isupper() and not (is_first and known.is_common(match[0]))

    def joins(i, j):
        is_near = words[j].start() - words[i].end() == 1 and text[words[i].end()] in "-'’"
        return is_near and all(is_copied[k] or is_name(words[k]) for k in (i, j))

    parts, end, stop = [], 0, 0
    for i in range(len(words)):
        if not is_copied[i] or i < stop:
            continue
        first, stop = i, i + 1
        while first > 0 and words[first - 1].start() >= end and joins(first - 1, first):
            first -= 1
        while stop < len(words) and joins(stop - 1, stop):
            stop += 1
        start = words[first].start()
        part = text[start : words[stop - 1].end()]
        if stop - first == 1:
            part = known.copied_part(part)
        mark = marks.put(part, _places(part), known.written(part), again=True)
        parts += [text[end:start], mark]
        end = start + len(part)
    return "".join([*parts, text[end:]])


def _places(part):
    """Return the marks for an unknown word or number."""
    if IS_ADDRESS.fullmatch(part):
        return KEPT
    return NUMBERS if part[0].isdigit() else NAMES


def _without_ends(text):
    """Take what is kept, but for names, off both ends of a text."""
    begin = _LEADING.match(text)
    begin = begin.end() if begin else 0
    end = _TRAILING.search(text, begin)
    if end is None:
        return text[:begin], text[begin:], ""
    core = text[begin : end.start()]
    mark = "" if core[-1:] in (*ENDS, "") else end[2].strip()
    return text[:begin], core + mark, end[1] if mark else end[1] + end[2]


def before_prefix(readings, prefix):
    """Return texts as the net reads them: with a prefix nothing comes before a translation."""
    if prefix is None:
        return readings
    pairs = zip(readings, prefix, strict=True)
    return [one.after_prefix() if begin else one for one, begin in pairs]


def prefix_with_slots(prefix, readings):
    """Return what translations are to begin with, with slots."""
    if prefix is None:
        return None
    pairs = zip(readings, prefix, strict=True)
    return [reading.with_slots(begin) for reading, begin in pairs]
