"""Tokenizers: text to token numbers and back, trained by the library tokenizers.

Texts are normalized to Unicode form C and not changed otherwise, so decoded texts have the case,
the punctuation and the spaces of the training texts. All kinds of tokenizers fall back to bytes:
a character that was never seen is spelled in bytes, not lost.
"""

import re
import unicodedata
from collections import Counter
from itertools import groupby
from math import ceil, log, sqrt

from skae.exceptions import missing

try:
    import tokenizers as library
except ModuleNotFoundError:  # an extra: ``train_tokenizer`` raises an error without it
    library = None

N_SPECIAL = 3

#: Slots that stand for words in texts. They are bytes that no text in UTF-8 has, so that they have
#: tokens in all vocabularies, and are written as Python writes such bytes: no text holds them.
SLOT_BYTES = range(0xF5, 0xFD)
SLOTS = [chr(0xDC00 + byte) for byte in SLOT_BYTES]

#: Other slots stand for numbers than for names, as a translation puts them elsewhere.
NAME_SLOTS, NUMBER_SLOTS = SLOTS[:4], SLOTS[4:]
SLOT = re.compile(f"([{SLOTS[0]}-{SLOTS[-1]}])")

#: A word with the space before it and the apostrophe after it (" l'"), a digit, or punctuation
#: with the space before it, which in French may be a non-breaking one. A piece has an end, as
#: the time of a tokenizer grows with its square or cube.
PIECES = r"\s?\p{L}[\p{L}\p{M}]{0,31}['’]?|\s?\p{N}|\s?[^\s\p{L}\p{N}]{1,32}|\s{1,32}"

#: Marks tokens that continue a word. It is not in the byte alphabet.
CONTINUATION = "\u2026"


MIN_VOCABULARY, MAX_VOCABULARY = 400, 16_000

WORDS_PER_SUBWORD = 4

N_BYTES = 256

#: The library reads longer numbers from JSON with an error in their last bit.
N_DECIMALS = 12


def auto_vocabulary_size(texts):
    """Return a vocabulary size for texts: about 4 times the square root of the word count."""
    n_words = sum(len(text.split()) for text in texts)
    return min(max(MIN_VOCABULARY, 50 * ceil(4 * sqrt(n_words) / 50)), MAX_VOCABULARY)


def train_tokenizer(texts, kind, vocabulary_size):
    """Train a tokenizer.

    Parameters
    ----------
    texts : list of str
    kind : {"bpe", "unigram", "word", "char"}
        Subwords by merging pairs [1]_ or by a unigram model [2]_, words, or characters.
    vocabulary_size : int or "auto"
        Number of tokens, those of the 256 bytes included. There are fewer if the texts
        do not have as many.

    Returns
    -------
    tokenizers.Tokenizer
        Its state is JSON (``to_str``).

    References
    ----------
    .. [1] R. Sennrich, B. Haddow and A. Birch, "Neural machine translation of rare words with
       subword units", ACL 2016. :arxiv:`1508.07909`
    .. [2] T. Kudo, "Subword regularization: improving neural network translation models with
       multiple subword candidates", ACL 2018. :arxiv:`1804.10959`
    """
    _check_library()
    if vocabulary_size == "auto":
        vocabulary_size = auto_vocabulary_size(texts) * (WORDS_PER_SUBWORD if kind == "word" else 1)
    return KINDS[kind](texts, int(vocabulary_size))


def _check_library():
    if library is None:
        raise missing("tokenizers", "text")


def tokenizer_of(text):
    """Return the tokenizer of a state in JSON, which its method ``to_str`` returns.

    Raises
    ------
    ValueError
        If it cuts or pads texts, which tokenizers of translators do not.
    """
    _check_library()
    tokenizer = library.Tokenizer.from_str(text)
    if tokenizer.truncation is not None or tokenizer.padding is not None:
        raise ValueError("A tokenizer cuts or pads texts. Train the translator again.")
    return tokenizer


def encode(tokenizer, texts):
    """Return the numbers of the tokens of each text, a list of lists."""
    texts = list(texts)
    slotted = {i: text for i, text in enumerate(texts) if SLOT.search(text)}
    for i in slotted:
        texts[i] = ""
    encodings = tokenizer.encode_batch_fast(texts)
    rows = [[i + N_SPECIAL for i in encoding.ids] for encoding in encodings]
    for i, text in slotted.items():
        rows[i] = _encode_slotted(tokenizer, text)
    return rows


def _encode_slotted(tokenizer, text):
    """Return the tokens of a text with slots, between which no space is lost."""
    slots = dict(zip(SLOTS, slot_ids(tokenizer), strict=True))
    before_all = tokenizer.normalizer.normalize_str("a")[:-1]
    row = []
    for part in SLOT.split(before_all + text.strip()):
        if part in slots:
            row.append(slots[part])
            continue
        part = unicodedata.normalize("NFC", part)
        pieces = [part]
        if tokenizer.pre_tokenizer is not None:
            pieces = [piece for piece, _ in tokenizer.pre_tokenizer.pre_tokenize_str(part)]
        row += [
            token.id + N_SPECIAL for piece in pieces for token in tokenizer.model.tokenize(piece)
        ]
    return row


def slot_ids(tokenizer):
    """Return the numbers of the tokens of the slots."""
    name = "<0x{:02X}>".format if tokenizer.pre_tokenizer is None else chr
    return [tokenizer.token_to_id(name(byte)) + N_SPECIAL for byte in SLOT_BYTES]


def decode(tokenizer, rows):
    """Return the texts of rows of token numbers, without special tokens."""
    slots = dict(zip(slot_ids(tokenizer), SLOTS, strict=True))
    slotted = {i for i, row in enumerate(rows) if not slots.keys().isdisjoint(row)}
    plain = [
        [] if i in slotted else [j - N_SPECIAL for j in row if j >= N_SPECIAL]
        for i, row in enumerate(rows)
    ]
    texts = [text.strip() for text in tokenizer.decode_batch(plain)]
    for i in slotted:
        texts[i] = _decode_slotted(tokenizer, rows[i], slots)
    return texts


def _decode_slotted(tokenizer, row, slots):
    """Return the text of tokens with slots among them."""
    parts = []
    for slot, some in groupby(row, key=slots.get):
        some = [i - N_SPECIAL for i in some if i >= N_SPECIAL]
        parts.append(tokenizer.decode(some) if slot is None else slot * len(some))
    return "".join(parts).strip()


def visible_slots(text):
    """Return a text with encircled numbers as slots, for scores and displays."""
    return SLOT.sub(lambda slot: chr(ord("①") + SLOTS.index(slot[0])), text)


def vocabulary_length(tokenizer):
    """Return the number of tokens, including special tokens."""
    return tokenizer.get_vocab_size() + N_SPECIAL


def _byte_level(model):
    """Return a tokenizer of words whose characters are bytes."""
    tokenizer = library.Tokenizer(model)
    tokenizer.normalizer = _normalizer(library.normalizers.Prepend(" "))
    tokenizer.pre_tokenizer = library.pre_tokenizers.Sequence(
        [
            library.pre_tokenizers.Split(library.Regex(PIECES), "isolated"),
            library.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = library.decoders.ByteLevel()
    return tokenizer


def _normalizer(*others):
    steps = [library.normalizers.NFC(), library.normalizers.Strip(), *others]
    return library.normalizers.Sequence(steps)


def _bytes():
    """Return the characters that represent the 256 bytes."""
    return sorted(library.pre_tokenizers.ByteLevel.alphabet())


def _trainer_params(vocabulary_size):
    return {
        "vocab_size": vocabulary_size,
        "initial_alphabet": _bytes(),
        "show_progress": False,
    }


def _train_bpe(texts, vocabulary_size):
    tokenizer = _byte_level(library.models.BPE())
    trainer = library.trainers.BpeTrainer(**_trainer_params(vocabulary_size))
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def _train_unigram(texts, vocabulary_size, n_passes=3):
    """Use the library's pieces, but reestimate their probabilities: its own vary by run."""
    tokenizer = _byte_level(library.models.Unigram())
    trainer = library.trainers.UnigramTrainer(**_trainer_params(vocabulary_size))
    tokenizer.train_from_iterator(texts, trainer)
    vocabulary = [(piece, -1.0) for piece in sorted(tokenizer.get_vocab())]  # the fewest pieces
    for _ in range(n_passes):
        tokenizer = _byte_level(library.models.Unigram(vocabulary, unk_id=None))
        counts = Counter(i - N_SPECIAL for row in encode(tokenizer, texts) for i in row)
        total = sum(counts.values()) + len(vocabulary) / 2
        vocabulary = [
            (piece, round(log((counts[i] + 0.5) / total), N_DECIMALS))
            for i, (piece, _) in enumerate(vocabulary)
        ]
    return _byte_level(library.models.Unigram(vocabulary, unk_id=None))


def _train_word(texts, vocabulary_size):
    """Use the most frequent words; others are spelled by beginnings of words and bytes."""
    counter = _byte_level(library.models.WordLevel())
    trainer = library.trainers.WordLevelTrainer(
        vocab_size=max(1, vocabulary_size - 2 * N_BYTES), show_progress=False
    )
    counter.train_from_iterator(texts, trainer)
    spelled = [prefix + byte for prefix in ("", CONTINUATION) for byte in _bytes()]
    words = sorted(set(counter.get_vocab()) - {*spelled})
    vocabulary = {token: i for i, token in enumerate([*spelled, *words])}
    tokenizer = _byte_level(
        library.models.WordPiece(
            vocabulary,
            unk_token="",  # none is ever unknown
            continuing_subword_prefix=CONTINUATION,
            max_input_chars_per_word=2**31,
        )
    )
    tokenizer.decoder = library.decoders.Sequence(
        [library.decoders.Replace(CONTINUATION, ""), library.decoders.ByteLevel()]
    )
    return tokenizer


def _train_char(texts, vocabulary_size):
    """Use the most frequent characters; others are spelled in bytes."""
    normalizer = _normalizer()
    counts = Counter(c for text in texts for c in normalizer.normalize_str(text))
    n_characters = max(1, vocabulary_size - N_BYTES)
    most = sorted(counts, key=lambda c: (-counts[c], c))[:n_characters]
    spelled = [f"<0x{byte:02X}>" for byte in range(N_BYTES)]
    vocabulary = {token: i for i, token in enumerate([*spelled, *most])}
    tokenizer = library.Tokenizer(library.models.BPE(vocabulary, [], byte_fallback=True))
    tokenizer.normalizer = normalizer
    tokenizer.decoder = library.decoders.Sequence(
        [library.decoders.ByteFallback(), library.decoders.Fuse()]
    )
    return tokenizer


#: Functions that train a tokenizer, by kind.
KINDS = {
    "bpe": _train_bpe,
    "unigram": _train_unigram,
    "word": _train_word,
    "char": _train_char,
}
