"""Texts cut into parts that a net reads, and the translations of the parts joined."""

from itertools import chain

import numpy as np

from skae._text.sentences import split_text


class TextParts:
    """The parts of texts as tokens: sentences, or pieces of long ones.

    Parameters
    ----------
    texts : list of str
    splitter : SentenceSplitter
    tidy : callable
        Takes units of texts, and returns them without line breaks and other blanks than one space,
        a list of str.
    read : callable
        Takes a list of str, and returns how the net reads each, a list of Reading.
    encode : callable
        Takes a list of str, and returns the tokens of each.
    usual_length : float
        Texts of more tokens are cut into sentences, even if those of the training are not.
    max_length : int
        Largest number of tokens of a part.

    Attributes
    ----------
    n_texts : int
    readings : list of Reading
        The parts as the net reads them.
    rows : list of list of int
        The tokens of each part.
    owner : ndarray of shape (n_parts,)
        Which text each part belongs to.
    is_first : ndarray of shape (n_parts,)
        Whether a part is the first of its text.
    """

    def __init__(self, texts, splitter, tidy, read, encode, usual_length, max_length):
        self.n_texts = len(texts)
        self._splitter, self._tidy, self._read_all, self._encode = splitter, tidy, read, encode
        self._readings, self._tokens, self._max_length = {}, {"": []}, max_length
        self._units = [splitter.split(text) for text in texts]
        written = self._read(self._units)
        for i, some in enumerate(written):
            if any(len(self._tokens[text]) > usual_length for text in some):
                self._units[i] = splitter.split(texts[i], is_long=True)
        self._parts = [[self._cut(text) for text in some] for some in self._read(self._units)]
        counts = [sum(map(len, some)) for some in self._parts]
        texts = [part for some in self._parts for part in chain(*some)]
        self.readings = [self._readings[part] for part in texts]
        self.rows = [self._tokens[part] for part in texts]
        self.owner = np.repeat(np.arange(self.n_texts), counts)
        self.is_first = np.diff(self.owner, prepend=-1) > 0

    def _read(self, units):
        """Return the normalized units of each text, whose tokens are known now."""
        flat = iter(self._tidy([unit.text for some in units for unit in some]))
        written = [[next(flat) for _ in some] for some in units]
        self._tokenize(text for some in written for text in some if text)
        return written

    def _tokenize(self, texts):
        new = [text for text in dict.fromkeys(texts) if text not in self._tokens]
        readings = self._read_all(new)
        self._readings.update(zip(new, readings, strict=True))
        rows = self._encode([reading.text for reading in readings])
        self._tokens.update(zip(new, rows, strict=True))

    def _cut(self, text):
        """Return the parts of a unit, nearly always one."""
        if 0 < len(self._tokens[text]) <= self._max_length:
            return [text]
        return split_text(text, self._fits, self._splitter) if text else []

    def _fits(self, part):
        self._tokenize([part])
        return len(self._tokens[part]) <= self._max_length

    def join(self, translations):
        """Return the translation of each text, a list of str, from those of its parts."""
        found = iter(translations)
        joint = self._splitter.joint
        return [
            self._splitter.join(units, [joint.join(next(found) for _ in unit) for unit in parts])
            for units, parts in zip(self._units, self._parts, strict=True)
        ]
