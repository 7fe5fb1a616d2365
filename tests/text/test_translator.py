"""Translators: what a user sees of them."""

import json
import pickle
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from sacrebleu import BLEU, CHRF
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import make_scorer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from skorch.callbacks import Callback
from torch.utils.data import DataLoader

from skae import Autoencoder, Seq2SeqTranslator
from skae._estimators.reading import learn
from skae._text import reader, searching
from skae._text.decoding import Constraints, sample
from skae.architectures import Dense, RecurrentEncoderDecoder, Transformer
from skae.exceptions import InterruptedWarning, LongTextWarning, PoorFitWarning
from skae.metrics import bleu_score, chrf_score, exact_match_score

WHO = {"I": "Je", "You": "Tu"}
DOES = {"see": "vois", "want": "veux"}
SIZE = {"small": "petit", "big": "grand"}
WHAT = {"cat": "chat", "dog": "chien", "horse": "cheval", "bird": "canari"}
COLOUR = {"black": "noir", "white": "blanc", "gray": "gris"}
PAIRS = [
    (f"{a} {b} a {c} {e} {d}.", f"{WHO[a]} {DOES[b]} un {SIZE[c]} {WHAT[d]} {COLOUR[e]}\u202f!")
    for a in WHO
    for b in DOES
    for c in SIZE
    for d in WHAT
    for e in COLOUR
]
ORDER = np.random.default_rng(0).permutation(len(PAIRS))
ENGLISH, FRENCH = ([PAIRS[i][side] for i in ORDER[:-16]] for side in (0, 1))
NEW_ENGLISH, NEW_FRENCH = ([PAIRS[i][side] for i in ORDER[-16:]] for side in (0, 1))

SMALL = {
    "lstm": RecurrentEncoderDecoder(32, dropout=0.0),
    "gru": RecurrentEncoderDecoder(32, cell="gru", dropout=0.0),
    "plain_lstm": RecurrentEncoderDecoder(48, attention=False, dropout=0.0),
    "transformer": Transformer(32, n_encoder_layers=1, n_decoder_layers=1, dropout=0.0),
}
QUICK = {
    "batch_size": 16,
    "early_stopping": False,
    "random_state": 0,
    "vocabulary_size": 320,
    "check_baseline": False,
}


def fitted(architecture="lstm", max_epochs=40, **params):
    if isinstance(architecture, str):
        architecture = SMALL[architecture]
    params = {"architecture": architecture, "max_epochs": max_epochs, **QUICK, **params}
    return Seq2SeqTranslator(**params).fit(ENGLISH, FRENCH)


@pytest.fixture(scope="module", params=list(SMALL))
def each(global_random_seed, request):
    """A translator of each architecture that knows the sentences."""
    return fitted(request.param, random_state=global_random_seed)


@pytest.fixture(scope="module")
def translator(global_random_seed):
    return fitted(random_state=global_random_seed)


@pytest.fixture(scope="module")
def vague(global_random_seed):
    """A translator that knows little, so that it is unsure."""
    return fitted(random_state=global_random_seed, max_epochs=3, max_length=20)


def test_translates_new_sentences_in_the_spelling_of_the_training_texts(each):
    assert each.score(NEW_ENGLISH, NEW_FRENCH) > 0.85
    predicted = each.predict(NEW_ENGLISH)
    assert predicted.shape == (16,)
    assert all(isinstance(text, str) for text in predicted)
    assert (predicted == NEW_FRENCH).mean() > 0.5  # case and the narrow space included


@pytest.mark.parametrize("make", [tuple, np.array, pd.Series, pl.Series])
def test_takes_texts_of_any_kind(translator, make):
    assert (translator.predict(make(NEW_ENGLISH)) == translator.predict(NEW_ENGLISH)).all()
    other = fitted(max_epochs=1)
    twin = clone(other).fit(make(ENGLISH), make(FRENCH))
    assert twin.loss_curve_ == other.loss_curve_


def test_same_seed_same_model(each):
    twin = clone(each).fit(ENGLISH, FRENCH)
    assert twin.loss_curve_ == each.loss_curve_
    assert (twin.predict(NEW_ENGLISH) == each.predict(NEW_ENGLISH)).all()


def test_unigram_vocabularies_are_the_same_each_time():
    states = {
        fitted(max_epochs=1, tokenization="unigram").source_tokenizer_.to_str() for _ in range(3)
    }
    assert len(states) == 1


# Decoding.


@pytest.mark.parametrize("beam_size", [1, 3])
def test_translations_do_not_depend_on_batch_mates(each, beam_size):
    texts = [*NEW_ENGLISH[:6], "You see.", "I want a dog and a cat and a bird and a big white dog."]
    each = pickle.loads(pickle.dumps(each)).set_params(beam_size=beam_size)
    alone = [each.predict([text])[0] for text in texts]
    assert each.predict(texts).tolist() == alone
    assert each.predict(texts[::-1])[::-1].tolist() == alone
    together = each.log_likelihood(texts, alone)
    one_by_one = [each.log_likelihood([x], [y])[0] for x, y in zip(texts, alone, strict=True)]
    np.testing.assert_allclose(together, one_by_one, rtol=1e-4, atol=1e-5)
    vectors = [each.transform([text])[0] for text in texts]
    np.testing.assert_allclose(each.transform(texts), vectors, rtol=1e-4, atol=1e-5)


def greedy(translator, text):
    """Translate by the whole prefix at each step, without anything that is kept."""
    module = translator.net_.module_
    ids = [i + 3 for i in translator.source_tokenizer_.encode(text).ids]
    source, tokens = torch.tensor([[*ids, 2]]), [1]
    with torch.no_grad():
        while len(tokens) < translator.max_length_:
            hidden, _ = module.decoder(torch.tensor([tokens]), module.start(source))
            logits = module.decoder.output(hidden[:, -1])
            logits[:, :2] = -torch.inf
            logits[:, 2] -= torch.inf if len(tokens) == 1 else 0.0
            tokens.append(int(logits.argmax()))
            if tokens[-1] == 2:
                break
    return translator.target_tokenizer_.decode([i - 3 for i in tokens[1:] if i > 2]).strip()


def test_greedy_translation_equals_that_without_cache(each):
    each = pickle.loads(pickle.dumps(each)).set_params(beam_size=1)
    assert each.predict(NEW_ENGLISH[:4]).tolist() == [greedy(each, t) for t in NEW_ENGLISH[:4]]


def test_beam_search_finds_the_most_probable_of_all():
    """With a beam as wide as all there is, on a language of two words."""
    words = ["a", "b"]
    texts = [" ".join([x, y]) for x in words for y in words]
    model = Seq2SeqTranslator(
        architecture=RecurrentEncoderDecoder(8),
        tokenization="word",
        max_length=4,
        beam_size=400,
        length_penalty=0.0,
        max_epochs=60,
        lr=3e-2,
        early_stopping=False,
        random_state=0,
    )
    model.fit(texts, texts[::-1])
    found, log_p = model.predict_n_best(["a b"], 5)
    assert (np.diff(log_p[0]) <= 0).all()
    candidates = list({*texts, "a", "b", "a a a", "a b a", "b a b", "b b b"})
    of_others = model.log_likelihood(["a b"] * len(candidates), candidates)
    assert log_p[0, 0] >= of_others.max() - 1e-5
    assert candidates[of_others.argmax()] == found[0, 0]


def test_n_best_come_with_their_probabilities(each):
    texts = NEW_ENGLISH[:3]
    found, log_p = each.predict_n_best(texts, 3)
    assert found.shape == log_p.shape == (3, 3)
    assert (each.predict(texts) == found[:, 0]).all()
    # Those behind the first may be other tokens of the same text.
    again = each.log_likelihood(texts, found[:, 0])
    assert log_p[:, 0] == pytest.approx(again, abs=1e-3)


def test_a_prefix_begins_the_translation(translator):
    assert all(t.startswith("Tu veux") for t in translator.predict(ENGLISH[:5], prefix="Tu veux"))
    prefixes = ["Je", "Tu", "Le", "Un", "Noir"]
    found = translator.predict(ENGLISH[:5], prefix=prefixes)
    assert all(t.startswith(p) for t, p in zip(found, prefixes, strict=True))
    for find in (translator.predict_n_best, translator.sample):
        assert all(t.startswith("Un") for t in find(ENGLISH[:2], 2, prefix="Un")[0].ravel())


def test_long_translations_with_repeats_can_be_avoided():
    ignorant = fitted(max_epochs=1, beam_size=1, max_length=30)

    def has_repeats():
        found = ignorant._best(ignorant._read_sources(NEW_ENGLISH), None)
        rows = [list(zip(tokens, tokens[1:], strict=False)) for [(tokens, _)] in found]
        return any(len(pairs) > len(set(pairs)) for pairs in rows)

    assert has_repeats()
    ignorant.set_params(no_repeat_ngram_size=2)
    assert not has_repeats()


def test_length_penalty_prefers_longer_translations(vague):
    lengths = []
    for penalty in (-1.0, 3.0):
        model = pickle.loads(pickle.dumps(vague)).set_params(length_penalty=penalty)
        lengths.append(sum(map(len, model.predict(NEW_ENGLISH))))
    assert lengths[0] < lengths[1]


def test_samples_are_drawn_by_their_probability(vague):
    texts, log_p = vague.sample(NEW_ENGLISH, 4, random_state=0)
    assert texts.shape == log_p.shape == (16, 4)
    again, _ = vague.sample(NEW_ENGLISH, 4, random_state=0)
    assert (again == texts).all()
    assert (vague.sample(NEW_ENGLISH, 4, random_state=1)[0] != texts).any()
    cold, _ = vague.sample(NEW_ENGLISH[:3], temperature=1e-4, random_state=0)
    sure = pickle.loads(pickle.dumps(vague)).set_params(beam_size=1)
    assert (cold[:, 0] == sure.predict(NEW_ENGLISH[:3])).all()


def test_samples_are_as_frequent_as_they_are_probable(vague, rng):
    module, n = vague.net_.module_, 3000
    source = torch.tensor([[*vague.source_tokenizer_.encode(ENGLISH[0]).ids, 2]]).expand(n, -1)
    with torch.inference_mode():
        hidden, _ = module.decoder(torch.tensor([[1]]), module.start(source[:1]))
        logits = module.decoder.output(hidden)[0, 0]
        logits[:3] = -torch.inf  # no special token comes first
        for temperature in (1.0, 0.5):
            drawn = sample(
                module.decoder,
                module.start(source),
                torch.empty((n, 0), dtype=torch.long),
                Constraints(max_length=2),
                torch.from_numpy(rng.uniform(size=(n, 2)).astype(np.float32).clip(max=0.9999999)),
                temperature,
            )
            counts = np.bincount([tokens[0] for tokens, _ in drawn], minlength=len(logits))
            expected = (logits / temperature).softmax(0).numpy()
            np.testing.assert_allclose(counts / n, expected, atol=0.04)


def test_long_texts_are_translated_in_parts(translator):
    two = f"{NEW_ENGLISH[0]} {NEW_ENGLISH[1]}"
    assert translator.predict([two])[0] == " ".join(translator.predict(NEW_ENGLISH[:2]))
    model = pickle.loads(pickle.dumps(translator))
    model.max_length_ = len(model.source_tokenizer_.encode(NEW_ENGLISH[0]).ids) + 4
    parts = model.predict(NEW_ENGLISH[:2])
    assert model.predict([two])[0] == " ".join(parts)
    assert model.transform([two]).shape == (1, 32)
    without_end = two.replace(".", "")
    assert len(model.predict([without_end, "x" * 500])[1]) > 0
    for method in (model.predict_n_best, model.sample):
        with pytest.raises(ValueError, match=r"X\[1\] has \d+ tokens, but max_length_ is"):
            method([NEW_ENGLISH[0], two])


def test_quality_is_the_mean_log_probability_of_a_token(vague):
    texts = [NEW_ENGLISH[0], "", NEW_ENGLISH[1]]
    quality = vague.quality(texts)
    assert quality.shape == (3,)
    assert np.isnan(quality).tolist() == [False, True, False]
    found, log_likelihood = vague.predict_n_best(NEW_ENGLISH[:2], 1)
    n_tokens = [len(row) for row in vague._encode(found[:, 0].tolist(), vague.target_tokenizer_)]
    assert quality[[0, 2]] == pytest.approx(log_likelihood[:, 0] / n_tokens, rel=1e-4)
    given = vague.quality(NEW_ENGLISH[:2], found[:, 0])
    assert given == pytest.approx(quality[[0, 2]], rel=1e-4)
    assert (vague.quality(NEW_ENGLISH[:2], NEW_ENGLISH[2:4]) < given).all()


def test_quality_of_a_long_text_is_that_of_all_its_tokens(vague):
    texts = NEW_ENGLISH[:4]
    each = vague.predict(texts)
    n_tokens = [len(row) for row in vague._encode(each.tolist(), vague.target_tokenizer_)]
    together = vague.quality([" ".join(texts)])
    assert together == pytest.approx(np.average(vague.quality(texts), weights=n_tokens), rel=1e-4)


def test_quality_says_what_it_cannot_read(vague):
    with pytest.raises(ValueError, match="X holds 2 texts, but y 1"):
        vague.quality(NEW_ENGLISH[:2], NEW_FRENCH[:1])
    with pytest.raises(ValueError, match="y has empty texts"):
        vague.quality(NEW_ENGLISH[:1], [""])


@pytest.fixture
def tokenized(monkeypatch):
    """The texts that tokenizers get, a list that grows."""
    texts, encode = [], searching.encode

    def spy(tokenizer, some):
        texts.extend(some)
        return encode(tokenizer, some)

    monkeypatch.setattr(searching, "encode", spy)
    monkeypatch.setattr(reader, "encode", spy)
    return texts


METHODS = ("predict", "predict_n_best", "sample", "transform", "log_likelihood", "score")


@pytest.mark.parametrize("method", METHODS)
def test_each_sentence_is_tokenized_once(method, translator, tokenized):
    right = [NEW_FRENCH] if method in ("log_likelihood", "score") else []
    getattr(translator, method)(NEW_ENGLISH, *right)
    assert sorted(tokenized) == sorted(NEW_ENGLISH + (NEW_FRENCH if method[0] == "l" else []))


def test_long_texts_and_their_parts_are_tokenized_once(translator, tokenized):
    model = pickle.loads(pickle.dumps(translator))
    model.max_length_ = len(model.source_tokenizer_.encode(NEW_ENGLISH[0]).ids) // 2
    texts = [f"{NEW_ENGLISH[0]} {NEW_ENGLISH[1]}", *NEW_ENGLISH, NEW_ENGLISH[0]]
    found = model.predict(texts)
    assert len(set(tokenized)) == len(tokenized)
    assert found[0] == " ".join(found[1:3])
    assert found[1] == found[-1]


def test_a_prefix_of_all_texts_is_tokenized_once(translator, tokenized):
    translator.sample(NEW_ENGLISH, 3, prefix="Je", random_state=0)
    assert tokenized.count("Je") == 1


def test_iterator_reads_no_more_than_it_needs(translator):
    read = []

    def lines():
        for text in NEW_ENGLISH * 3:
            read.append(text)
            yield text

    found = translator.predict_iter(lines(), buffer_size=5)
    first = next(found)
    assert len(read) == 5
    assert [first, *found] == translator.predict(NEW_ENGLISH * 3).tolist()


def test_empty_texts_and_characters_never_seen(translator):
    found = translator.predict(["", "  ", NEW_ENGLISH[0], "数 😀 \x07"])
    assert found[:2].tolist() == ["", ""]
    assert found[2] == translator.predict(NEW_ENGLISH[:1])[0]
    assert isinstance(found[3], str)
    assert np.isfinite(translator.log_likelihood(["数"], ["😀"])).all()
    assert (translator.transform([""]) == 0).all()


@pytest.mark.parametrize("tokenization", ["bpe", "unigram", "word", "char"])
@pytest.mark.parametrize("shared", [True, False])
def test_tokens_restore_any_text(tokenization, shared):
    model = fitted(max_epochs=1, tokenization=tokenization, shared_vocabulary=shared)
    texts = [*FRENCH[:5], "L'été, où\u00a0? ÀÉ 12 <s> </s> <pad> # ## …", "数 😀", "a\tb"]
    for tokenizer in (model.source_tokenizer_, model.target_tokenizer_):
        ids = [encoding.ids for encoding in tokenizer.encode_batch(texts)]
        assert [text.strip() for text in tokenizer.decode_batch(ids)] == texts
        assert json.loads(tokenizer.to_str())["model"]
        # composed and decomposed accents are the same text
        assert tokenizer.encode("e\u0301").ids == tokenizer.encode("é").ids
    assert (model.source_tokenizer_ is model.target_tokenizer_) == shared
    assert isinstance(model.predict(NEW_ENGLISH[:1])[0], str)


def test_vocabulary_size_is_kept():
    model = fitted(max_epochs=1, vocabulary_size=300)
    assert model.source_tokenizer_.get_vocab_size() == 300
    sizes = [
        fitted(max_epochs=1, vocabulary_size=size).net_.module_.decoder.output.out_features
        for size in ("auto", 310)
    ]
    assert sizes[1] == 313  # with padding, begin and end
    assert sizes[0] > 256


# scikit-learn's habits.


def test_score_is_that_of_sacrebleu(vague):
    found = vague.predict(NEW_ENGLISH).tolist()
    chrf = CHRF().corpus_score(found, [NEW_FRENCH]).score / 100
    assert vague.score(NEW_ENGLISH, NEW_FRENCH) == pytest.approx(chrf)
    assert chrf_score(NEW_FRENCH, found) == pytest.approx(chrf)
    by_bleu = pickle.loads(pickle.dumps(vague)).set_params(metric="bleu")
    bleu = BLEU().corpus_score(found, [NEW_FRENCH]).score / 100
    assert by_bleu.score(NEW_ENGLISH, NEW_FRENCH) == pytest.approx(bleu)
    several = [[right, "Oui."] if i % 2 else [right] for i, right in enumerate(NEW_FRENCH)]
    columns = [[some[i] if i < len(some) else None for some in several] for i in range(2)]
    expected = CHRF().corpus_score(found, columns).score / 100
    assert vague.score(NEW_ENGLISH, several) == pytest.approx(expected)


def test_grid_search_pipeline_and_scorer():
    model = make_pipeline(
        FunctionTransformer(lambda texts: [text.lower() for text in texts]),
        Seq2SeqTranslator(architecture=SMALL["lstm"], max_epochs=2, **QUICK),
    )
    search = GridSearchCV(
        model,
        {
            "seq2seqtranslator__lr": [1e-4, 1e-2],
            "seq2seqtranslator__architecture__cell": ["lstm", "gru"],
        },
        cv=2,
        scoring={"chrf": make_scorer(chrf_score), "bleu": make_scorer(bleu_score)},
        refit="chrf",
        error_score="raise",
    )
    search.fit(ENGLISH, FRENCH)
    assert search.best_params_["seq2seqtranslator__lr"] == 1e-2
    assert search.predict(NEW_ENGLISH).shape == (16,)


def test_names_of_architectures_have_parameters():
    model = Seq2SeqTranslator(architecture="gru").set_params(architecture__hidden_size=16)
    assert model.architecture.cell == "gru"
    assert model.architecture.hidden_size == 16
    with pytest.raises(ValueError, match="Did you mean 'hidden_size'"):
        model.set_params(architecture__hidden_sise=3)


def test_vectors_of_texts_are_features(translator):
    is_big = [int("big" in text) for text in ENGLISH]
    model = make_pipeline(FrozenEstimator(translator), LogisticRegression(max_iter=1000))
    model.fit(ENGLISH, is_big)
    assert model.score(NEW_ENGLISH, [int("big" in text) for text in NEW_ENGLISH]) == 1.0
    Z = translator.transform(ENGLISH)
    assert Z.shape == (len(ENGLISH), translator.n_components_)
    assert Z.dtype == np.float32
    assert len(translator.get_feature_names_out()) == Z.shape[1]
    frame = pickle.loads(pickle.dumps(translator)).set_output(transform="pandas").transform(ENGLISH)
    assert frame.shape == Z.shape


def test_saved_translators_give_the_same(each):
    loaded = pickle.loads(pickle.dumps(each))
    assert (loaded.predict(NEW_ENGLISH) == each.predict(NEW_ENGLISH)).all()
    np.testing.assert_array_equal(loaded.transform(ENGLISH), each.transform(ENGLISH))


def test_training_resumes(each):
    model = clone(each).set_params(max_epochs=1).fit(ENGLISH, FRENCH)
    before = model.net_.mean_loss(model._reader.read(ENGLISH, FRENCH, estimator=model))
    for _ in range(5):
        model.partial_fit(ENGLISH, FRENCH)
    assert model.n_iter_ == 6
    after = model.net_.mean_loss(model._reader.read(ENGLISH, FRENCH, estimator=model))
    assert after < before
    model.set_params(warm_start=True).fit(NEW_ENGLISH, NEW_FRENCH)
    assert model.n_iter_ == 7
    with pytest.raises(ValueError, match="tokenization changed since the net was built"):
        model.set_params(tokenization="word").fit(ENGLISH, FRENCH)


def test_partial_fit_begins_a_model():
    model = Seq2SeqTranslator(architecture=SMALL["lstm"], **QUICK).partial_fit(ENGLISH, FRENCH)
    assert model.n_iter_ == 1
    assert isinstance(model.predict(ENGLISH[:1])[0], str)


def test_fit_and_predict_leave_parameters_and_input_as_they_are():
    model = Seq2SeqTranslator(architecture=SMALL["gru"], max_epochs=1, **QUICK)
    before, texts = repr(model.get_params()), list(ENGLISH)
    assert model.fit(texts, FRENCH) is model
    fitted_state = set(vars(model))
    model.predict(texts), model.transform(texts), model.score(texts, FRENCH)
    assert repr(model.get_params()) == before
    assert set(vars(model)) == fitted_state
    assert texts == ENGLISH
    assert not hasattr(model, "n_features_in_")
    assert not hasattr(model, "feature_names_in_")


def test_many_pairs_are_for_a_transformer(monkeypatch):
    monkeypatch.setattr("skae._text.translator.MANY_PAIRS", 50)
    model = Seq2SeqTranslator(max_epochs=1, **QUICK)
    few = model.fit(ENGLISH[:50], FRENCH[:50]).decoder_
    many = model.fit(ENGLISH[:51], FRENCH[:51]).decoder_
    assert (type(few).__name__, type(many).__name__) == (
        "RecurrentTextDecoder",
        "TransformerDecoder",
    )
    model.set_params(warm_start=True).fit(ENGLISH[:20], FRENCH[:20])
    assert type(model.decoder_) is type(many)
    assert clone(model).set_params(architecture__cell="gru").architecture.cell == "gru"


def test_tags_say_that_it_takes_texts():
    tags = Seq2SeqTranslator().__sklearn_tags__()
    assert tags.input_tags.string
    assert not tags.input_tags.two_d_array
    assert tags.target_tags.required


def test_weights_count():
    """Pairs of weight 0 are as good as not there."""
    n = len(ENGLISH)
    weight = np.repeat([1.0, 0.0], [n, n])
    model = Seq2SeqTranslator(architecture=SMALL["lstm"], max_epochs=20, **QUICK)
    model.fit(ENGLISH * 2, FRENCH + ["Non."] * n, sample_weight=weight)
    assert model.score(NEW_ENGLISH, NEW_FRENCH) > 0.5
    heavy = np.where(np.arange(2 * n) < n, 50.0, 1.0)
    model.fit(ENGLISH * 2, FRENCH + ["Non."] * n, sample_weight=heavy)
    assert "Non." not in model.predict(NEW_ENGLISH)


# Training.


def test_held_out_pairs_share_no_text_with_the_others():
    model = Seq2SeqTranslator(random_state=0)
    model._rng = np.random.RandomState(0)
    X = [f"text {i // 3}" for i in range(90)]
    y = [f"texte {i // 2}" for i in range(90)]
    pairs = learn(model, X, y)
    model.set_params(early_stopping=True, validation_fraction=0.3)
    kept, held_out = model._hold_out(pairs, None)
    assert 20 <= len(held_out) <= 45
    assert len(kept) + len(held_out) == 90
    for side in ("sources", "targets"):
        rows = [{tuple(r) for r in getattr(part, side).rows()} for part in (kept, held_out)]
        assert not rows[0] & rows[1]


@pytest.mark.parametrize("stop_by", ["loss", "chrf", "bleu"])
def test_best_epoch_is_restored(global_random_seed, stop_by):
    model = fitted(
        random_state=global_random_seed,
        max_epochs=12,
        early_stopping=True,
        stop_by=stop_by,
        validation_fraction=0.2,
        lr=2e-2,
    )
    name = f"valid_{stop_by}"
    values = [epoch[name] for epoch in model.history_]
    best = min(values) if stop_by == "loss" else max(values)
    assert len(set(values)) > 5
    if stop_by != "loss":
        assert best > 0.5
    pairs = model._reader.read(ENGLISH, FRENCH, estimator=model)
    _, held_out = model._hold_out(pairs, None, resume=True)
    now = model.net_.mean_loss(held_out) if stop_by == "loss" else model._score_pairs(held_out)
    # The weights are those of bfloat16 or nearly so, and some translations turn.
    assert now == pytest.approx(best, abs=0.02 if stop_by == "loss" else 0.1)
    assert stop_by == "loss" or now > values[0] + 0.1


def test_validation_pairs_of_the_user():
    model = Seq2SeqTranslator(
        architecture=SMALL["lstm"], **(QUICK | {"early_stopping": True}), max_epochs=2
    )
    model.fit(ENGLISH, FRENCH, X_val=NEW_ENGLISH, y_val=NEW_FRENCH)
    assert "valid_loss" in model.history_[-1]
    with pytest.raises(ValueError, match="X_val and y_val go together"):
        model.fit(ENGLISH, FRENCH, X_val=NEW_ENGLISH)
    with pytest.raises(TypeError, match="In the validation data: X is a single text"):
        model.fit(ENGLISH, FRENCH, X_val="a", y_val="b")


def test_interruption_keeps_the_best_weights():
    class Interrupt(Callback):
        def on_epoch_begin(self, net, **kwargs):
            if len(net.history) == 4:
                raise KeyboardInterrupt

    with pytest.warns(InterruptedWarning, match="after 3 epochs"):
        model = fitted(max_epochs=50, early_stopping=True, callbacks=[Interrupt()])
    assert model.n_iter_ == 3
    assert isinstance(model.predict(ENGLISH[:1])[0], str)


def test_progress_shows_tokens_per_second(capsys):
    model = fitted(max_epochs=2, verbose=1)
    shown = capsys.readouterr().err
    assert "tok/s" in shown
    assert "train_loss" in shown
    n = sum(len(e.ids) + 1 for e in model.target_tokenizer_.encode_batch(FRENCH))
    assert f"{2 * n / 1000:.3g}"[:3] in shown


@pytest.mark.parametrize("optimizer", ["adam", "muon", "sgd"])
def test_any_optimizer_trains(optimizer):
    lr = 1e-2 if optimizer in ("adam", "muon") else 0.1
    model = fitted(max_epochs=3, optimizer=optimizer, lr=lr)
    assert model.loss_curve_[-1] < model.loss_curve_[0]


@pytest.mark.parametrize("architecture", ["lstm", "transformer"])
def test_reduced_precision_keeps_float32_weights(architecture):
    models = [fitted(architecture, precision=p, max_epochs=25) for p in ("float32", "bfloat16")]
    for model in models:
        assert {p.dtype for p in model.net_.module_.parameters()} == {torch.float32}
    weights = models[1].net_.module_.decoder.output.weight
    assert (weights.bfloat16().float() != weights).any()
    assert models[1].loss_curve_[-1] == pytest.approx(models[0].loss_curve_[-1], abs=0.15)
    other = fitted(architecture, precision="bfloat16", max_epochs=2, optimizer=torch.optim.LBFGS)
    assert np.isfinite(other.loss_curve_).all()  # by autocast, where there is no flat parameter


def test_poor_fits_warn():
    with pytest.warns(PoorFitWarning, match="worse than the frequencies"):
        fitted(max_epochs=1, lr=1e-6, check_baseline=True)


def test_separate_vocabularies_and_untied_embeddings():
    for architecture in (
        RecurrentEncoderDecoder(32, tied_embeddings=False, n_encoder_layers=2, n_decoder_layers=2),
        Transformer(32, tied_embeddings=False, n_heads=4, feedforward_size=40),
    ):
        model = fitted(shared_vocabulary=False, architecture=architecture, max_epochs=2)
        decoder = model.decoder_
        assert decoder.output.weight is not decoder.embedding.weight
        assert model.encoder_.embedding.weight is not decoder.embedding.weight
    tied = fitted(max_epochs=1)
    assert tied.decoder_.output.weight is tied.encoder_.embedding.weight


# Attention.


def test_attention_follows_the_words(translator):
    pair = next(p for p in zip(NEW_ENGLISH, NEW_FRENCH, strict=True))
    attention = translator.attention(*pair)
    assert attention.weights.shape == (len(attention.target), len(attention.source))
    np.testing.assert_allclose(attention.weights.sum(1), 1, rtol=1e-5)
    assert "".join(attention.source[:-1]).replace(" ", "") == pair[0].replace(" ", "")
    assert translator.attention(pair[0]).weights.ndim == 2


def test_attention_tells_blanks_from_the_end():
    attention = fitted(max_epochs=1, tokenization="char").attention("I see.", "Je vois.")
    assert "".join(attention.source) == "I␣see.</s>"
    assert "".join(attention.target) == "Je␣vois.</s>"


def test_attention_is_drawn(translator):
    ax = translator.plot_attention(NEW_ENGLISH[0], NEW_FRENCH[0])
    shown = translator.attention(NEW_ENGLISH[0], NEW_FRENCH[0])
    assert [t.get_text() for t in ax.get_yticklabels()] == shown.target
    np.testing.assert_array_equal(ax.images[0].get_array(), shown.weights)
    assert translator.plot_attention(NEW_ENGLISH[0], ax=ax) is ax


def test_without_attention_there_is_none_to_draw():
    model = fitted("plain_lstm", max_epochs=1)
    with pytest.raises(ValueError, match="without attention there are no weights"):
        model.attention(ENGLISH[0])


# Bad input.


@pytest.mark.parametrize(
    ("X", "y", "error", "message"),
    [
        (["a", "b"], ["c"], ValueError, "X holds 2 texts, but y 1"),
        ([], [], ValueError, "X is empty"),
        (["a", " "], ["b", "c"], ValueError, r"X has empty texts, X\[1\]: leave"),
        (["a"] * 6, ["", "", "", "", "", "c"], ValueError, r"y\[0\], y\[1\], y\[2\] and 2 more"),
        (["a", 3], ["b", "c"], TypeError, r"X\[1\] are not: X\[1\] is 3"),
        (["a", None], ["b", "c"], TypeError, r"X\[1\] is None"),
        ([b"a"], ["b"], TypeError, "is b'a'"),
        ("a", "b", TypeError, r"X is a single text: give a list of texts, \[X\]"),
        (["a"], "b", TypeError, "y is a single text"),
        (3, ["b"], TypeError, "X must be a list, array or Series of texts, not int"),
        (["a"], None, ValueError, "requires y to be passed"),
        (pd.DataFrame({"a": ["b"]}), ["c"], ValueError, "give one column of texts"),
        (np.array([["a"], ["b"]]), ["c", "d"], ValueError, r"X has shape \(2, 1\)"),
        (pl.LazyFrame({"a": ["b"]}), ["c"], TypeError, "not LazyFrame"),
        ([["a"], ["b"]], ["c", "d"], TypeError, r"X\[0\] is \['a'\]"),
    ],
)
def test_bad_texts(X, y, error, message):
    model = fitted(max_epochs=1)
    before = model.predict(ENGLISH[:2])
    with pytest.raises(error, match=message):
        model.fit(X, y)
    assert (model.predict(ENGLISH[:2]) == before).all()  # still what it was


def test_huge_texts_are_refused_before_they_are_tokenized(translator, tokenized):
    model = pickle.loads(pickle.dumps(translator)).set_params(max_characters=50)
    right, huge = NEW_ENGLISH[0], "x" * 51
    calls = [
        ("X", lambda: model.predict([right, huge])),
        ("X", lambda: model.predict_n_best([right, huge])),
        ("X", lambda: model.sample([right, huge])),
        ("X", lambda: model.transform([right, huge])),
        ("X", lambda: model.score([right, huge], NEW_FRENCH[:2])),
        ("y", lambda: model.log_likelihood([right] * 2, [right, huge])),
        ("prefix", lambda: model.predict([right] * 2, prefix=["", huge])),
    ]
    for name, call in calls:
        with pytest.raises(ValueError, match=rf"{name}\[1\].* 51 characters .*max_characters=50"):
            call()
    with pytest.raises(ValueError, match=r"source\[0\].*max_characters=50"):
        model.attention(huge)
    with pytest.raises(ValueError, match=r"X\[1\], X\[2\], X\[3\] and 1 more: 51 characters"):
        model.predict([right, *[huge] * 4])
    assert huge not in tokenized
    model.set_params(max_characters=None)
    assert isinstance(model.predict([huge])[0], str)
    with pytest.raises(ValueError, match="100001 characters are more than max_characters=100000"):
        translator.predict(["x" * 100_001])


def test_huge_pairs_are_left_out_before_they_are_tokenized(tokenized):
    """Neither the tokens nor the weights of others change."""
    huge = "dog " * 30
    model = Seq2SeqTranslator(
        architecture=SMALL["lstm"], max_epochs=1, max_characters=100, tokenization="word", **QUICK
    )
    with pytest.warns(LongTextWarning, match=r"2 of 82 pairs are longer than max_characters=100 c"):
        model.fit([*ENGLISH, huge, "dog"], [*FRENCH, "chien", huge])
    assert huge not in tokenized
    assert clone(model).fit(ENGLISH, FRENCH).loss_curve_ == model.loss_curve_
    weight = np.linspace(1, 2, 80)
    with pytest.warns(LongTextWarning):
        model.fit([huge, *ENGLISH], ["chien", *FRENCH], [99, *weight])
    assert clone(model).fit(ENGLISH, FRENCH, weight).loss_curve_ == model.loss_curve_
    with pytest.raises(ValueError, match="1 of 1 pairs are longer than max_characters=100"):
        model.fit([huge], ["chien"])


def test_long_pairs_are_left_out_with_a_warning():
    long = " ".join(["dog"] * 100)
    model = Seq2SeqTranslator(architecture=SMALL["lstm"], max_epochs=1, max_length=30, **QUICK)
    with pytest.warns(LongTextWarning, match=r"1 of 81 pairs are longer than max_length=30 tok"):
        model.fit([*ENGLISH, long], [*FRENCH, "chien"])
    with pytest.raises(ValueError, match="1 of 1 pairs are longer than max_length=30"):
        model.fit([long], ["chien"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LongTextWarning)
        again = clone(model).fit([*ENGLISH, long], [*FRENCH, "chien"])
    assert (again.predict(ENGLISH[:3]) == model.predict(ENGLISH[:3])).all()


@pytest.mark.filterwarnings("ignore:Seq2SeqTranslator was fitted on one sample")
@pytest.mark.parametrize("n", [1, 30])
def test_one_pair_and_only_duplicates(n):
    model = Seq2SeqTranslator(architecture=SMALL["lstm"], max_epochs=60, random_state=0)
    model.fit(["I am cold."] * n, ["J'ai froid."] * n)
    assert model.predict(["I am cold."])[0] == "J'ai froid."
    with pytest.raises(ValueError, match="leaves none to fit"):
        model.set_params(early_stopping=True).fit(["I am cold."] * n, ["J'ai froid."] * n)


def test_bad_requests(translator):
    with pytest.raises(TypeError, match="X is a single text"):
        translator.predict("I see a cat.")
    with pytest.raises(ValueError, match="X holds 2 texts, but prefix 1"):
        translator.predict(ENGLISH[:2], prefix=["Je"])
    with pytest.raises(ValueError, match="X has empty texts"):
        translator.predict_n_best(["a", ""])
    with pytest.raises(ValueError, match="temperature must be above 0"):
        translator.sample(["a"], temperature=0)
    with pytest.raises(ValueError, match="n_best == 0, must be >= 1"):
        translator.predict_n_best(["a"], 0)
    with pytest.raises(ValueError, match="n_samples == 0, must be >= 1"):
        translator.sample(["a"], 0)
    with pytest.raises(ValueError, match="buffer_size == 0, must be >= 1"):
        next(translator.predict_iter(["a"], buffer_size=0))
    with pytest.raises(ValueError, match="X holds 1 texts, but y 2"):
        translator.log_likelihood(["a"], ["b", "c"])
    with pytest.raises(ValueError, match=r"prefix\[0\] has \d+ tokens"):
        translator.predict(["a"], prefix="chat " * 500)
    with pytest.raises(ValueError, match="y_true has 1 samples, but y_pred 2"):
        translator.score(["a", "b"], ["c"])
    with pytest.raises(NotFittedError):
        Seq2SeqTranslator().predict(["a"])


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"architecture": "lstn"}, "Did you mean 'lstm'"),
        ({"architecture": "dense"}, "'architecture' parameter"),
        ({"tokenization": "bpee"}, "Did you mean 'bpe'"),
        ({"beam_size": 0}, "'beam_size' parameter"),
        ({"label_smoothing": 1.0}, "'label_smoothing' parameter"),
        ({"precision": "float16"}, "'precision' parameter"),
        ({"max_length": 1}, "'max_length' parameter"),
        ({"max_characters": 0}, "'max_characters' parameter"),
        ({"architecture": RecurrentEncoderDecoder(7)}, "multiple of 2"),
        ({"architecture": RecurrentEncoderDecoder(8, n_heads=3)}, "n_heads=3"),
        ({"architecture": Transformer(10, n_heads=2)}, "multiple of twice n_heads=2"),
        ({"optimizer": "muon", "optimizer_params": {"n_iterations": 9}}, "from 1 to 5"),
        ({"optimizer_params": {"beta": 3}}, "cannot be made with"),
    ],
)
def test_bad_parameters(params, message):
    with pytest.raises(ValueError, match=message):
        Seq2SeqTranslator(**params).fit(ENGLISH, FRENCH)


def test_architectures_of_texts_are_for_translators_only():
    with pytest.raises(ValueError, match="input_kind of Transformer must be one of"):
        Autoencoder(architecture=Transformer()).fit(np.eye(30))
    with pytest.raises(ValueError, match="input_kind of Dense must be one of"):
        Seq2SeqTranslator(architecture=Dense()).fit(ENGLISH, FRENCH)


def test_missing_packages_are_named(monkeypatch):
    monkeypatch.setattr("skae._text.tokenizers.library", None)
    monkeypatch.setitem(sys.modules, "sacrebleu", None)
    with pytest.raises(ModuleNotFoundError, match=r"needs the package tokenizers.*\[text\]"):
        Seq2SeqTranslator().fit(ENGLISH, FRENCH)
    with pytest.raises(ModuleNotFoundError, match=r"needs the package sacrebleu.*\[text\]"):
        chrf_score(["a"], ["a"])


class Broken:
    input_kind = "texts"

    def __init__(self, modules):
        self.modules = modules

    def build(self, n_source_tokens, n_target_tokens, shared, n_pairs):
        return self.modules


@pytest.mark.parametrize(
    ("modules", "message"),
    [(None, "must return"), ((torch.nn.Linear(1, 1),) * 2, "a method start and a layer output")],
)
def test_own_architectures_are_checked(modules, message):
    with pytest.raises(TypeError, match=message):
        Seq2SeqTranslator(Broken(modules)).fit(ENGLISH, FRENCH)


def test_own_architectures_train():
    class Own:
        input_kind = "texts"

        def build(self, *sizes, **kwargs):
            return SMALL["lstm"].build(*sizes, **kwargs)

    model = Seq2SeqTranslator(Own(), max_epochs=2, optimizer="adam", lr=1e-2, **QUICK)
    assert model.fit(ENGLISH, FRENCH).loss_curve_[1] < model.loss_curve_[0]


@pytest.mark.parametrize("half", ["caf\udce9", "\ud83d"])
def test_texts_with_half_of_a_surrogate_pair_are_named(half, translator):
    texts, wrong = ["a cat.", "a dog."], ["a cat.", half]
    place = r"\[1\] holds '.*', half of a pair of surrogates, at place [03]"
    with pytest.raises(ValueError, match=f"X{place}.*right encoding"):
        Seq2SeqTranslator().fit(wrong, texts)
    with pytest.raises(ValueError, match=f"y{place}"):
        Seq2SeqTranslator().fit(texts, wrong)
    for method in ("predict", "transform", "sample", "predict_n_best"):
        with pytest.raises(ValueError, match=f"X{place}"):
            getattr(translator, method)(wrong)
    with pytest.raises(ValueError, match=f"X{place}"):
        translator.score(wrong, texts)
    with pytest.raises(ValueError, match=f"y{place}"):
        translator.log_likelihood(texts, wrong)
    with pytest.raises(ValueError, match=f"prefix{place}"):
        translator.predict(texts, prefix=wrong)
    with pytest.raises(ValueError, match=r"target\[0\] holds"):
        translator.attention("a cat.", half)
    for metric in (bleu_score, chrf_score, exact_match_score):
        with pytest.raises(ValueError, match=f"y_pred{place}"):
            metric(texts, wrong)
        with pytest.raises(ValueError, match="y_true.* half of a pair"):
            metric([texts, wrong], texts)


@pytest.mark.parametrize("wrong", [{"a": 1}, {"a"}, 3, None, DataLoader(["a"]), Path("a.txt")])
def test_what_holds_no_texts_is_refused(wrong, translator):
    name = type(wrong).__name__
    with pytest.raises(TypeError, match=f"list, array or Series of texts, not {name}"):
        Seq2SeqTranslator().fit(wrong, ["a"])
    with pytest.raises(TypeError, match=f"list, array or Series of texts, not {name}"):
        translator.predict(wrong)
    with pytest.raises(TypeError, match=f"list, array or Series of texts, not {name}"):
        next(translator.predict_iter(wrong))
    with pytest.raises(TypeError, match=f"y_true must be a list, array or Series.* not {name}"):
        bleu_score(wrong, ["a"])
