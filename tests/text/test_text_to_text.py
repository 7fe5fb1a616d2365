"""Translators for other work with texts, and in scikit-learn's tools."""

import numpy as np
import pytest

from skae import Seq2SeqTranslator
from skae.architectures import RecurrentEncoderDecoder

WORDS = ["letter", "garden", "winter", "summer", "planet", "friend", "silver", "yellow"]


def misspelled(word):
    """Return a word with two letters swapped, at each place."""
    return [word[:i] + word[i + 1] + word[i] + word[i + 2 :] for i in range(len(word) - 1)]


MISSPELLED, RIGHT = zip(
    *[(wrong, word) for word in WORDS for wrong in misspelled(word) if wrong != word], strict=True
)


def quick(**params):
    params = {
        "architecture": RecurrentEncoderDecoder(32, dropout=0.0),
        "tokenization": "char",
        "batch_size": 8,
        "max_epochs": 1,
        "early_stopping": False,
        "check_baseline": False,
        "random_state": 0,
    } | params
    return Seq2SeqTranslator(**params)


@pytest.fixture(scope="module")
def speller():
    return quick(max_epochs=12, metric="exact_match").fit(MISSPELLED, RIGHT)


def test_score_by_exact_match(speller):
    found = speller.predict(MISSPELLED)
    share = np.mean(found == np.array(RIGHT, dtype=object))
    assert 0.5 < share == speller.score(MISSPELLED, RIGHT)
    assert speller.score(MISSPELLED, [[word, "other"] for word in RIGHT]) == share


def test_best_epoch_by_exact_match():
    model = quick(early_stopping=True, stop_by="exact_match", max_epochs=3)
    model.fit(MISSPELLED, RIGHT)
    assert len(model.history_[:, "valid_exact_match"]) == 3


def test_known_answers_may_be_held_out():
    model = quick(early_stopping=True).fit(MISSPELLED, RIGHT)
    pairs = model._reader.read(MISSPELLED, RIGHT, estimator=model)
    kept, held_out = model._hold_out(pairs, None, resume=True)
    sides = [{tuple(row) for row in part.targets.rows()} for part in (kept, held_out)]
    assert sides[1] <= sides[0]
    sides = [{tuple(row) for row in part.sources.rows()} for part in (kept, held_out)]
    assert not sides[0] & sides[1]
