"""Translators for other work with texts, and in scikit-learn's tools."""

import numpy as np
import pytest
import torch

from skae import Seq2SeqTranslator
from skae._data.texts import END
from skae._text.decoding import Constraints, beam_search
from skae.architectures import RecurrentEncoderDecoder
from skae.architectures._attention import DecoderState

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


class Counting(torch.nn.Module):
    """Decoder that counts up to its end, nearly sure of each token."""

    n_tokens = 12

    def forward(self, tokens, state):
        hidden = torch.nn.functional.one_hot(tokens + 1, self.n_tokens + 1).float()
        return hidden, DecoderState(state.memory, state.past, state.n_steps + 1)

    def output(self, hidden):
        probabilities = 0.99 * hidden[:, : self.n_tokens] + 0.01 / self.n_tokens
        probabilities[:, END] += 0.99 * hidden[:, self.n_tokens]
        return probabilities.log()


@pytest.mark.parametrize("beam_size", [1, 2, 4])
def test_beams_go_on_while_the_most_probable_has_not_ended(beam_size):
    begin = torch.tensor([[END + 1]])  # then 4, 5, ... up to 11
    found = beam_search(
        Counting(), DecoderState([]), begin, Constraints(20), beam_size, 1, length_penalty=1.0
    )
    assert found[0][0][0] == list(range(END + 1, 12))
