"""Frequencies of codes as whole numbers, by which codes become bytes and bytes codes."""

from dataclasses import dataclass, replace

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

#: Classes of samples at most, samples for each of them at least, and rounds to find them.
MAX_CLASSES, CLASS_SIZE, N_ROUNDS = 8, 500, 5


@dataclass(eq=False)
class CodeTables:
    """How often each level of each number of the code occurs, in several classes of samples.

    Samples of a class are alike in how large their codes are, such as blocks of a plain wall. A
    sample is stored by the class in which it takes the fewest bits. All that decoding depends on
    are whole numbers, so that other machines decode the same.

    Parameters
    ----------
    step_size : float
        What codes are multiples of: levels are codes in steps.
    lowest : int
        Level of the first column.
    frequencies : ndarray of shape (n_classes, n_components, n_levels + 1), uint32
        Of the levels, and of all others, which are escaped.
    class_frequencies : ndarray of shape (n_classes,), uint32
    """

    step_size: float
    lowest: int
    frequencies: np.ndarray
    class_frequencies: np.ndarray

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
        n_samples, n_components = codes.shape
        n_classes = int(np.clip(n_samples // CLASS_SIZE, 1, MAX_CLASSES))
        most = min(MAX_LEVEL, MAX_CELLS // (4 * n_components * n_classes))
        levels = _levels(codes, step_size)
        low, high = (int(np.clip(end, -most, most)) for end in (levels.min(), levels.max()))
        margin = 4 + (high - low) // 2  # where the prior says what is likely
        support = np.arange(low - margin, high + margin + 1)
        shape = 1, n_components, len(support) + 1
        tables = cls(step_size, int(support[0]), np.zeros(shape, "u4"), _whole(np.ones(1)))
        symbols, _ = tables.symbols(codes)
        common = _common(_counts(symbols, len(support)), np.exp(log_prior(support)))
        tables = tables._of_classes(symbols, np.zeros(n_samples, int), 1, common)
        return tables if n_classes == 1 else tables._split(symbols, n_classes, common)

    def _split(self, symbols, n_classes, common):
        """Return tables of several classes, or these if they are better."""
        ranks = self._bits(symbols)[:, 0].argsort(kind="stable").argsort(kind="stable")
        classes, tables = ranks * n_classes // len(symbols), self
        for _ in range(N_ROUNDS):
            tables = self._of_classes(symbols, classes, n_classes, common)
            classes = tables.classes(symbols)
        return min(tables, self, key=lambda some: some._bits(symbols).min(1).mean())

    def _of_classes(self, symbols, classes, n_classes, common):
        members = [symbols[classes == number] for number in range(n_classes)]
        frequencies = [
            _with_escape(_blend(_counts(some, common.shape[1]), common), len(some))
            for some in members
        ]
        sizes = np.array([len(some) + 1 for some in members])
        of_classes = _whole(sizes / sizes.sum())
        return replace(self, frequencies=np.stack(frequencies), class_frequencies=of_classes)

    @property
    def _escape(self):
        """The symbol of all levels that have no frequency of their own."""
        return self.frequencies.shape[2] - 1

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

    def _bits(self, symbols):
        """Return the bits of samples in each class, shape (n_samples, n_classes)."""
        each = TABLE_BITS - np.log2(self.frequencies, dtype=np.float32)
        bits = np.tile(TABLE_BITS - np.log2(self.class_frequencies), (len(symbols), 1))
        for unit, column in enumerate(symbols.T):
            bits += each[:, unit, column].T
        return bits

    def classes(self, symbols):
        """Return the class of each sample, in which it takes the fewest bits, int32."""
        return self._bits(symbols).argmin(1).astype(np.int32)

    def bits(self, codes):
        """Return the number of bits that each code takes, shape (n_samples,)."""
        symbols, _ = self.symbols(codes)
        n_escaped = (symbols == self._escape).sum(1)
        return self._bits(symbols).min(1) + 8 * codes.itemsize * n_escaped

    def encode(self, symbols, classes):
        """Return symbols, shape (n_samples, n_components), as bytes of a range coder."""
        encoder = _stream().queue.RangeEncoder()
        if len(self.frequencies) > 1:
            encoder.encode(classes, _model(self.class_frequencies))
        for number, frequencies in enumerate(self.frequencies):
            for row, column in zip(frequencies, symbols[classes == number].T, strict=True):
                encoder.encode(np.ascontiguousarray(column), _model(row))
        return encoder.get_compressed().astype("<u4").tobytes()

    def decode(self, data, n_samples):
        """Return the symbols that ``encode`` made bytes of."""
        decoder = _stream().queue.RangeDecoder(np.frombuffer(data, "<u4").astype(np.uint32))
        classes = np.zeros(n_samples, np.int32)
        if len(self.frequencies) > 1:
            classes = decoder.decode(_model(self.class_frequencies), n_samples)
        symbols = np.empty((n_samples, self.frequencies.shape[1]), np.int32)
        for number, frequencies in enumerate(self.frequencies):
            n_members = int((classes == number).sum())
            columns = [decoder.decode(_model(row), n_members) for row in frequencies]
            symbols[classes == number] = np.stack(columns, axis=1)
        return symbols


def _model(frequencies):
    """Return a distribution for the coder. Quotients by a power of 2 are exact."""
    probabilities = frequencies / np.float64(2**TABLE_BITS)
    return _stream().model.Categorical(probabilities, perfect=False)


def _stream():
    try:
        from constriction import stream
    except ModuleNotFoundError as error:
        raise missing("constriction", "compression") from error
    return stream


def _levels(codes, step_size):
    with np.errstate(over="ignore"):  # such levels are escaped
        return np.rint(codes / np.float64(step_size))


def _counts(symbols, n_levels):
    """Return how often each level occurs, shape (n_components, n_levels)."""
    counts = [np.bincount(column, minlength=n_levels + 1)[:n_levels] for column in symbols.T]
    return np.array(counts, dtype=np.float64)


def _common(counts, prior):
    """Return the probabilities of levels for all samples, from counts and a prior of each map."""
    n_maps, n_levels = prior.shape
    prior = prior + LEAST / n_levels
    by_map = counts.reshape(n_maps, -1, n_levels)
    if by_map.shape[1] > 1:
        prior = _blend(by_map.sum(1), prior)
    return _blend(counts, np.repeat(prior, by_map.shape[1], axis=0))


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


def _with_escape(probabilities, n_samples):
    """Return frequencies of levels, and of the escape, which is as rare as one sample more."""
    escape = 1 / (1 + n_samples)
    rest = np.full((len(probabilities), 1), escape)
    return _whole(np.concatenate([probabilities * (1 - escape), rest], axis=1))


def _whole(probabilities):
    """Return probabilities as whole numbers of a fixed sum, at least 1."""
    n = probabilities.shape[-1]
    whole = 1 + (probabilities * (2**TABLE_BITS - n)).astype(np.int64)
    largest = whole.argmax(-1)[..., None]
    rest = 2**TABLE_BITS - whole.sum(-1, keepdims=True)
    np.put_along_axis(whole, largest, np.take_along_axis(whole, largest, -1) + rest, -1)
    return whole.astype(np.uint32)
