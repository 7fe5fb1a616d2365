"""Frequencies of codes as whole numbers, by which codes become bytes and bytes codes."""

from dataclasses import dataclass

import numpy as np

from skae.exceptions import missing

#: The frequencies of a table add up to 2 to this power.
TABLE_BITS = 20

#: Levels further from 0 than this are escaped, and so are more if the tables were too large.
MAX_LEVEL, MAX_CELLS = 2**12, 2**23

#: How many observations a prior can count as.
STRENGTHS = 4.0 ** np.arange(-1, 10)

#: Least probability of a level in a prior, before it is divided by the number of levels.
LEAST = 1e-6


@dataclass(eq=False)
class CodeTables:
    """How often each level of each number of the code occurs.

    All that coding depends on are whole numbers, so that other machines decode the same.

    Parameters
    ----------
    step_size : float
        What codes are multiples of: levels are codes in steps.
    lowest : int
        Level of the first column.
    frequencies : ndarray of shape (n_components, n_levels + 1), uint32
        Of the levels, and of all others, which are escaped.
    """

    step_size: float
    lowest: int
    frequencies: np.ndarray

    @classmethod
    def learn(cls, codes, step_size, log_prior):
        """Return the tables of codes.

        Parameters
        ----------
        codes : ndarray of shape (n_samples, n_components)
            Those of training samples.
        step_size : float
        log_prior : callable
            Takes levels, of shape (n_levels,), and gives the logarithms of their probabilities,
            of shape (n_maps, n_levels).
        """
        levels = _levels(codes, step_size)
        most = min(MAX_LEVEL, MAX_CELLS // (4 * levels.shape[1]))
        low, high = (int(np.clip(end, -most, most)) for end in (levels.min(), levels.max()))
        margin = 4 + (high - low) // 2  # where the prior says what is likely
        support = np.arange(low - margin, high + margin + 1)
        counts = np.stack([_counts(column, support) for column in levels.T])
        base = np.exp(log_prior(support)) + LEAST / len(support)
        by_map = counts.reshape(len(base), -1, len(support))
        if by_map.shape[1] > 1:
            base = _blend(by_map.sum(1), base)
        blended = _blend(counts, np.repeat(base, by_map.shape[1], axis=0))
        return cls(step_size, int(support[0]), _whole(blended, 1 / (1 + len(levels))))

    @property
    def _escape(self):
        """The symbol of all levels that have no frequency of their own."""
        return self.frequencies.shape[1] - 1

    def symbols(self, codes):
        """Return the symbols of codes, int32, and the codes that are escaped."""
        levels = _levels(codes, self.step_size) - self.lowest
        symbols = levels.clip(0, self._escape).astype(np.int32)
        symbols[self._values(symbols, codes.dtype) != codes] = self._escape
        return symbols, codes[symbols == self._escape]

    def _values(self, symbols, dtype):
        """Return the codes of symbols: the products that the bottleneck gives."""
        return (symbols + self.lowest).astype(dtype) * dtype.type(self.step_size)

    def codes(self, symbols, escaped):
        """Return the codes of symbols, of the type of those that were escaped."""
        codes = self._values(symbols, escaped.dtype)
        codes[symbols == self._escape] = escaped
        return codes

    def bits(self, codes):
        """Return the number of bits that each code takes, shape (n_samples,)."""
        symbols, escaped = self.symbols(codes)
        each = TABLE_BITS - np.log2(self.frequencies)
        each[:, -1] += 8 * escaped.itemsize
        columns = zip(each, symbols.T, strict=True)
        return sum((bits[column] for bits, column in columns), np.zeros(len(codes)))

    def encode(self, symbols):
        """Return symbols, shape (n_samples, n_components), as bytes of a range coder."""
        encoder = _stream().queue.RangeEncoder()
        for model, column in zip(self._models(), symbols.T, strict=True):
            encoder.encode(np.ascontiguousarray(column), model)
        return encoder.get_compressed().astype("<u4").tobytes()

    def decode(self, data, n_samples):
        """Return the symbols that ``encode`` made bytes of."""
        decoder = _stream().queue.RangeDecoder(np.frombuffer(data, "<u4").astype(np.uint32))
        return np.stack([decoder.decode(model, n_samples) for model in self._models()], axis=1)

    def _models(self):
        """Yield the distribution of each number. Quotients by a power of 2 are exact."""
        for frequencies in self.frequencies:
            probabilities = frequencies / np.float64(2**TABLE_BITS)
            yield _stream().model.Categorical(probabilities, perfect=False)


def _stream():
    try:
        from constriction import stream
    except ModuleNotFoundError as error:
        raise missing("constriction", "compression") from error
    return stream


def _levels(codes, step_size):
    with np.errstate(over="ignore"):  # such levels are escaped
        return np.rint(codes / np.float64(step_size))


def _counts(levels, support):
    levels = levels[(levels >= support[0]) & (levels <= support[-1])] - support[0]
    return np.bincount(levels.astype(np.int64), minlength=len(support)).astype(np.float64)


def _blend(counts, base):
    """Return probabilities from counts and a prior, rows of tables.

    The prior counts as as many observations as predict each observation best from the others.
    """
    base = base / base.sum(1, keepdims=True)
    total = counts.sum(1, keepdims=True)
    best = np.full(total.shape, -np.inf)
    strength = np.full(total.shape, STRENGTHS[0])
    for number in STRENGTHS:
        others = (counts - 1).clip(0) + number * base
        logs = np.log(others / ((total - 1).clip(0) + number))
        found = (counts * logs).sum(1, keepdims=True)
        strength = np.where(found > best, number, strength)
        best = np.maximum(best, found)
    return (counts + strength * base) / (total + strength)


def _whole(probabilities, escape):
    """Return probabilities, and that of an escape, as whole numbers of a fixed sum, at least 1."""
    rest = np.full((len(probabilities), 1), escape)
    table = np.concatenate([probabilities * (1 - escape), rest], axis=1)
    n_levels = table.shape[1]
    whole = 1 + (table * (2**TABLE_BITS - n_levels)).astype(np.int64)
    whole[np.arange(len(whole)), whole.argmax(1)] += 2**TABLE_BITS - whole.sum(1)
    return whole.astype(np.uint32)
