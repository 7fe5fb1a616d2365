"""Translators for other work with texts, and in scikit-learn's tools."""

import runpy
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.metrics import make_scorer
from sklearn.model_selection import GridSearchCV, GroupKFold, HalvingGridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import skae
from skae import Seq2SeqTranslator
from skae._data.texts import END
from skae._text.decoding import Constraints, beam_search
from skae.architectures import RecurrentEncoderDecoder
from skae.architectures._attention import DecoderState
from skae.metrics import chrf_score, exact_match_score
from skae.model_selection import pair_groups

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


def test_words_that_were_not_seen_are_transliterated(rng):
    latin = [*"abvgde", "zh", *"ziklmnoprstuf", "kh", "ch", "sh", "shch", "ya"]
    letters = dict(zip("абвгдежзиклмнопрстуфхчшщя", latin, strict=True))
    words = ["".join(rng.choice(list(letters), rng.integers(3, 7))) for _ in range(1100)]
    words = list(dict.fromkeys(words))
    written = ["".join(letters[letter] for letter in word) for word in words]
    how = {"architecture": RecurrentEncoderDecoder(48, dropout=0.0), "metric": "exact_match"}
    model = quick(max_epochs=10, lr=0.01, batch_size=16, **how).fit(words[:900], written[:900])
    assert model.score(words[900:], written[900:]) > 0.8


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


# In scikit-learn's tools.


def test_pairs_that_share_a_text_are_a_group():
    X = ["Hi.", "Hi.", "Hello.", "I see.", "Good morning."]
    y = ["Salut !", "Bonjour !", "Bonjour !", "Je vois.", "Je viens."]
    groups = pair_groups(pd.Series(X), np.array(y))
    assert groups.dtype.kind == "i"
    assert groups.tolist() == [0, 0, 0, 1, 2]
    with pytest.raises(ValueError, match="X holds 5 texts, but y 4"):
        pair_groups(X, y[:4])
    with pytest.raises(TypeError, match=r"y\[1\]"):
        pair_groups(["a", "b"], ["a", 1])


def test_searches_in_several_processes():
    grid = {"lr": [1e-6, 1e-2]}
    how = {"cv": 2, "n_jobs": 2, "error_score": "raise"}
    scoring = make_scorer(chrf_score)
    with joblib.parallel_config("multiprocessing"):
        search = GridSearchCV(quick(max_epochs=2), grid, scoring=scoring, **how)
        search.fit(MISSPELLED, RIGHT)
        halving = HalvingGridSearchCV(
            quick(), grid, scoring=scoring, resource="max_epochs", max_resources=2, **how
        ).fit(MISSPELLED, RIGHT)
    alone = quick(max_epochs=2, **search.best_params_).fit(MISSPELLED, RIGHT)
    assert search.best_params_["lr"] == halving.best_params_["lr"] == 1e-2
    assert search.predict(MISSPELLED).tolist() == alone.predict(MISSPELLED).tolist()


class Recording(Seq2SeqTranslator):
    """Keeps what its fits got."""

    calls = []

    def fit(self, X, y, sample_weight=None, *, X_val=None, y_val=None):
        self.calls.append((list(y), sample_weight, X_val))
        return super().fit(X, y, sample_weight, X_val=X_val, y_val=y_val)


def test_groups_weights_and_validation_pairs_are_routed():
    weight = np.linspace(0.1, 2, len(RIGHT))
    X, y = np.array(MISSPELLED, dtype=object), np.array(RIGHT, dtype=object)
    given = {"sample_weight": weight, "X_val": ["leter"], "y_val": ["letter"]}
    Recording.calls = []
    with sklearn.config_context(enable_metadata_routing=True):
        model = Recording(**(quick().get_params(deep=False) | {"early_stopping": True}))
        model.set_fit_request(sample_weight=True, X_val=True, y_val=True)
        pipeline = make_pipeline(FunctionTransformer(list), model)
        search = GridSearchCV(
            pipeline,
            {"recording__lr": [1e-2]},
            cv=GroupKFold(2),
            scoring=make_scorer(exact_match_score),
            error_score="raise",
        ).fit(X, y, groups=pair_groups(X, y), **given)
    (first, weight_1, X_val), (second, weight_2, _), (every, weight_all, _) = Recording.calls
    assert not set(first) & set(second)
    assert X_val == ["leter"]
    assert len(weight_1) + len(weight_2) == len(weight_all) == len(every)
    assert "valid_loss" in search.best_estimator_[-1].history_[-1]


def test_a_page_translates(speller, tmp_path, monkeypatch):
    from starlette.testclient import TestClient

    skae.save(speller, tmp_path / "speller.skae")
    monkeypatch.setenv("MODEL", str(tmp_path / "speller.skae"))
    path = Path(__file__).parents[2] / "examples" / "serve_translator.py"
    with TestClient(runpy.run_path(path)["app"]) as client:
        page = client.get("/")
        assert page.headers["content-type"].startswith("text/html")
        assert "<textarea" in page.text
        texts = [*MISSPELLED[:3], ""]
        answer = client.post("/translate", json={"texts": texts})
        assert answer.json() == {"translations": speller.predict(texts).tolist()}
        for wrong in ([], ["a" * 5001], "no list"):
            answer = client.post("/translate", json={"texts": wrong})
            assert answer.status_code == 422
            assert answer.json()["detail"]
