"""Tokenizers: what is left of them in a file."""

import pickle

import pytest
import tokenizers

from skae._text.tokenizers import KINDS, decode, encode, train_tokenizer

TEXTS = [
    "I see a small cat.",
    "Je vois un petit chat\u202f!",
    "You want two big dogs, don't you?",
    "L'été, tu veux deux grands chiens\u00a0?",
    "The bird sings.",
    "Le canari chante depuis 1789.",
]
MANY_TEXTS = [text[i:] for text in TEXTS for i in range(len(text))]  # of many frequencies
OTHER_TEXTS = [*TEXTS, "", "  ", "日本語 😀", "a\x00\tb", "é" * 40, "e\u0301"]


@pytest.mark.parametrize("kind", KINDS)
def test_json_and_pickles_restore_a_tokenizer_bit_for_bit(kind):
    tokenizer = train_tokenizer(MANY_TEXTS, kind, 400)
    state = tokenizer.to_str()
    for twin in (
        tokenizers.Tokenizer.from_str(state),
        pickle.loads(pickle.dumps(tokenizer)),
    ):
        assert twin.to_str() == state
        rows = encode(tokenizer, OTHER_TEXTS)
        assert encode(twin, OTHER_TEXTS) == rows
        assert decode(twin, rows) == decode(tokenizer, rows)
