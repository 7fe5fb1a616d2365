"""Texts in unusual case, such as in capitals, in the case of the training texts."""

from collections import Counter
from dataclasses import dataclass, field

from skae._text.words import WORD, begins_sentence

#: A pattern of capitals is unusual if a smaller fraction of the training texts has it.
UNUSUAL = 0.01

#: Training texts that are looked at, about, if there are more.
N_READ = 10_000

#: Words that are this long are capitalized in titles.
LONG = 4


def pattern_of(text, lexicon):
    """Return the pattern of capitals of a text: "upper", "lower", "title" or None for others.

    Parameters
    ----------
    text : str
    lexicon : Lexicon

    Examples
    --------
    >>> from skae._text.words import Lexicon
    >>> lexicon = Lexicon.learn([["I", "see", "him", "now"], ["Tom", "is", "he"]])
    >>> texts = "WHERE IS HE?", "where is he?", "Where Is He Now?", "Where is Tom?"
    >>> [pattern_of(text, lexicon) for text in texts]
    ['upper', 'lower', 'title', None]
    """
    if text.isupper():
        return "upper"
    if text.islower():
        return "lower"
    words = [word for word in WORD.findall(text) if len(word) > 1 and word[0].isalpha()]
    if any(word[0].islower() and len(word) >= LONG for word in words):
        return None
    n_lower = sum(word[0].islower() for word in words)
    n_raised = sum(w[0].isupper() and lexicon.usual(w)[0].islower() for w in words[1:])
    return "title" if n_raised > max(n_lower, 1) else None


@dataclass(frozen=True)
class Casing:
    """The case of training texts, in which others are read.

    Parameters
    ----------
    unusual : list of str
        The patterns of capitals that training texts do not have.
    begins_upper : bool
        Whether sentences begin with a capital.
    """

    unusual: list = field(default_factory=list)
    begins_upper: bool = False

    @classmethod
    def learn(cls, texts, lexicon):
        """Learn the case of training texts."""
        some = texts[:: 1 + len(texts) // N_READ]
        counts = Counter(pattern_of(text, lexicon) for text in some)
        unusual = [p for p in ("upper", "lower", "title") if counts[p] < UNUSUAL * len(some)]
        n_upper = sum(text[:1].isupper() for text in some)
        return cls(unusual, 2 * n_upper > len(some))

    def recase(self, text, lexicon):
        """Return a text of an unusual pattern with the usual form of each word."""
        pattern = pattern_of(text, lexicon)
        if pattern not in self.unusual:
            return text

        def form(match):
            word = match[0]
            if word in lexicon:
                word = lexicon.usual(word)
            elif pattern == "upper" and not any(c.isdigit() for c in word):
                word = word.lower()
            if self.begins_upper and begins_sentence(text, match.start()):
                word = word[:1].upper() + word[1:]
            return word

        return WORD.sub(form, text)
