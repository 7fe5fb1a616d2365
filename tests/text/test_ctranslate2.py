"""Translators that leave skae: models of CTranslate2."""

import json
import pickle
import sys
from itertools import product
from pathlib import Path

import ctranslate2
import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from tokenizers import Tokenizer

from skae import Seq2SeqTranslator
from skae._data.texts import END
from skae._text import ctranslate2_export
from skae.architectures import RecurrentEncoderDecoder, Transformer

PAIRS = [
    (f"{who[0]} see a {color[0]} {what[0]}.", f"{who[1]} vois un {what[1]} {color[1]}\u202f!")
    for who, what, color in product(
        [("I", "Je"), ("You", "Tu")],
        [("cat", "chat"), ("dog", "chien"), ("horse", "cheval"), ("bird", "canari")],
        [("black", "noir"), ("white", "blanc"), ("gray", "gris")],
    )
]
ENGLISH, FRENCH = map(list, zip(*PAIRS, strict=True))
ENGLISH_BESIDE = [*ENGLISH, "A zebra, été 123?", "<s> </s> <blank>", "See a see a see"]
SMALL = {"n_encoder_layers": 1, "n_decoder_layers": 1}
QUICK = {
    "batch_size": 8,
    "check_baseline": False,
    "early_stopping": False,
    "max_length": 30,
    "random_state": 0,
    "vocabulary_size": 320,
}


@pytest.fixture(scope="module")
def translator():
    """A translator that makes errors, so that the way of the search matters."""
    model = Seq2SeqTranslator(Transformer(32, **SMALL), max_epochs=32, **QUICK)
    return model.fit(ENGLISH, FRENCH)


@pytest.fixture(scope="module")
def folder(translator, tmp_path_factory):
    return translator.to_ctranslate2(tmp_path_factory.mktemp("models") / "model")


def translate(folder, texts, **options):
    """Translate without skae."""
    folder = Path(folder)
    source, target = (
        Tokenizer.from_file(str(folder / f"{name}_tokenizer.json")) for name in ("source", "target")
    )
    options = json.loads((folder / "translate_batch.json").read_text()) | options
    model = ctranslate2.Translator(str(folder), intra_threads=1)
    tokens = [encoding.tokens for encoding in source.encode_batch(texts)]
    found = [result.hypotheses[0] for result in model.translate_batch(tokens, **options)]
    rows = [[target.token_to_id(token) for token in row if token != "</s>"] for row in found]
    return [text.strip() for text in target.decode_batch(rows)]


def agreement(texts, others):
    """Return the fraction of texts that are the same: beams of about the same rank may swap."""
    return np.mean([a == b for a, b in zip(texts, others, strict=True)])


@pytest.mark.parametrize(
    "params",
    [
        {"beam_size": 1},
        {"beam_size": 3, "length_penalty": 0.0},
        {"beam_size": 5, "length_penalty": 2.5},
    ],
)
def test_finds_the_translations_that_predict_finds(translator, tmp_path, params):
    model = pickle.loads(pickle.dumps(translator)).set_params(**params)
    folder = model.to_ctranslate2(tmp_path / "model")
    predicted = model.predict(ENGLISH_BESIDE).tolist()
    assert len(set(predicted)) > 5
    agree = agreement(predicted, translate(folder, ENGLISH_BESIDE))
    assert agree == 1 if model.beam_size == 1 else agree > 0.9


@pytest.mark.parametrize(
    "params",
    [
        {"architecture__tied_embeddings": False, "no_repeat_ngram_size": 2},
        {"architecture__tied_embeddings": False, "shared_vocabulary": False},
        {"shared_vocabulary": False, "tokenization": "unigram"},
        {"architecture__n_heads": 8, "tokenization": "word", "vocabulary_size": 600},
        {"architecture__n_heads": 2, "architecture__feedforward_size": 7, "tokenization": "char"},
        {"architecture__n_encoder_layers": 2, "architecture__n_decoder_layers": 3},
    ],
    ids=lambda params: "-".join(params),
)
def test_all_options_of_a_transformer_and_all_tokenizers_are_written(translator, tmp_path, params):
    model = clone(translator).set_params(max_epochs=1, **params).fit(ENGLISH, FRENCH)
    folder = model.set_params(beam_size=1).to_ctranslate2(tmp_path / "model")
    # It knows nothing, so its translations have all tokens that they may have.
    assert translate(folder, ENGLISH_BESIDE) == model.predict(ENGLISH_BESIDE).tolist()
    engine = ctranslate2.Translator(folder, intra_threads=1)
    pairs = model._reader.read(ENGLISH, FRENCH, estimator=model)
    tokenizers = model.source_tokenizer_, model.target_tokenizer_
    source, target = (
        [encoding.tokens for encoding in tokenizer.encode_batch(texts)]
        for tokenizer, texts in zip(tokenizers, (ENGLISH, FRENCH), strict=True)
    )
    found = engine.score_batch(source, target)
    module = model.net_.module_
    with torch.no_grad():
        for i, result in enumerate(found):
            x, y = (some.get_batch([i])[0] for some in (pairs.sources, pairs.targets))
            logits = module.decoder.output(module.hidden(x, y))[0]
            logits[:, :END] = -torch.inf  # tokens that the engine is not to predict
            expected = logits.log_softmax(1).gather(1, y.T).squeeze(1)
            np.testing.assert_allclose(result.log_probs, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("beam_size", [1, 4])
def test_predict_translates_by_ctranslate2(translator, beam_size):
    model = pickle.loads(pickle.dumps(translator)).set_params(beam_size=beam_size)
    long = " ".join(ENGLISH)  # which predict splits
    texts = [*ENGLISH_BESIDE, "", " ", long]
    expected = model.predict(texts)
    found = model.predict(np.array(texts), engine="ctranslate2")
    assert found.dtype == expected.dtype
    assert agreement(found, expected) == 1 if beam_size == 1 else agreement(found, expected) > 0.9
    iterated = model.predict_iter(iter(texts), buffer_size=9, engine="ctranslate2")
    assert list(iterated) == found.tolist()
    assert model.predict(["", ""], engine="ctranslate2").tolist() == ["", ""]


def test_predict_by_ctranslate2_uses_the_weights_of_now(translator):
    model = pickle.loads(pickle.dumps(translator)).set_params(beam_size=1)
    before = model.predict(ENGLISH, engine="ctranslate2").tolist()
    model.set_params(warm_start=True, max_epochs=2).fit(ENGLISH, ENGLISH)
    after = model.predict(ENGLISH, engine="ctranslate2").tolist()
    assert after == model.predict(ENGLISH).tolist() != before


def test_weights_are_read_again_only_after_they_have_changed(translator, monkeypatch):
    made, make = [], ctranslate2_export.make_spec
    monkeypatch.setattr(
        ctranslate2_export, "make_spec", lambda *args: made.append(args) or make(*args)
    )
    model = pickle.loads(pickle.dumps(translator)).set_params(beam_size=1)
    first = model.predict(ENGLISH, engine="ctranslate2").tolist()
    assert model.predict(ENGLISH, engine="ctranslate2").tolist() == first
    assert len(made) == 1
    model.predict(ENGLISH, engine="ctranslate2-int8")
    assert len(made) == 2
    with torch.no_grad():
        for weight in model.decoder_.parameters():
            weight.mul_(-1)
    changed = model.predict(ENGLISH, engine="ctranslate2-int8").tolist()
    assert len(made) == 3
    assert changed != first
    copied = pickle.loads(pickle.dumps(model))
    assert copied.predict(ENGLISH, engine="ctranslate2-int8").tolist() == changed
    assert len(made) == 4


def test_predict_translates_by_weights_of_8_bits(translator):
    found = translator.predict(ENGLISH, engine="ctranslate2-int8")
    assert agreement(found, translator.predict(ENGLISH)) > 0.8


def test_predict_says_what_an_engine_does_not_do(translator):
    with pytest.raises(
        ValueError, match="'torch', 'ctranslate2' or 'ctranslate2-int8'; got 'onnx'"
    ):
        translator.predict(ENGLISH, engine="onnx")
    with pytest.raises(ValueError, match="prefix needs engine='torch'"):
        translator.predict(ENGLISH, prefix="Je", engine="ctranslate2")


def test_int8_is_smaller_and_translates(translator, folder, tmp_path):
    small = translator.to_ctranslate2(tmp_path / "int8", quantization="int8")
    sizes = [Path(path, "model.bin").stat().st_size for path in (small, folder)]
    assert sizes[0] < sizes[1] / 2
    assert all(isinstance(text, str) for text in translate(small, ENGLISH))


def test_existing_folders_are_only_replaced_if_wanted(translator, folder, tmp_path):
    path = tmp_path / "model"
    assert translator.to_ctranslate2(str(path)) == str(path)
    files = {file.name for file in path.iterdir()}
    (path / "config.json").write_text("old")
    with pytest.raises(FileExistsError, match="exists already.*force=True"):
        translator.to_ctranslate2(path)
    assert (path / "config.json").read_text() == "old"
    translator.to_ctranslate2(path, force=True)
    assert (path / "config.json").read_text() == Path(folder, "config.json").read_text()
    assert {file.name for file in path.iterdir()} == files
    (path / "letters.txt").write_text("dear")
    with pytest.raises(FileExistsError, match=r"more than a model.*'letters\.txt'"):
        translator.to_ctranslate2(path, force=True)
    assert (path / "letters.txt").read_text() == "dear"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_leaves_the_old_folder(translator, tmp_path, monkeypatch):
    path = tmp_path / "model"
    translator.to_ctranslate2(path)
    before = {file.name: file.read_bytes() for file in path.iterdir()}

    def write_half(folder, *args):
        (folder / "model.bin").write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("skae._text.translator.write_model", write_half)
    with pytest.raises(OSError, match="model' cannot be written: No space left"):
        translator.to_ctranslate2(path, force=True)
    assert {file.name: file.read_bytes() for file in path.iterdir()} == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_put_in_place_leaves_the_old_one(translator, tmp_path, monkeypatch):
    path = tmp_path / "model"
    translator.to_ctranslate2(path)
    rename = Path.rename

    def rename_old_only(self, target):
        if self.name == "new":
            raise PermissionError(13, "Permission denied")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", rename_old_only)
    with pytest.raises(PermissionError, match="model' cannot be written: Permission denied"):
        translator.to_ctranslate2(path, force=True)
    assert (path / "model.bin").exists()
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("no/model", FileNotFoundError, r"create the folder .*no' first"),
        ("file", FileExistsError, "is a file"),
        (3, TypeError, "path must be the name of a folder.*not 3"),
        (None, TypeError, "path must be the name of a folder.*not None"),
    ],
)
def test_bad_paths(translator, tmp_path, name, error, message):
    (tmp_path / "file").write_text("")
    path = tmp_path / name if isinstance(name, str) else name
    with pytest.raises(error, match=message):
        translator.to_ctranslate2(path, force=True)


def test_what_cannot_be_written_is_refused(translator, tmp_path, monkeypatch):
    path = tmp_path / "model"
    with pytest.raises(NotFittedError):
        Seq2SeqTranslator().to_ctranslate2(path)
    with pytest.raises(ValueError, match=r"quantization must be None or one of 'int8'.*'int4'"):
        translator.to_ctranslate2(path, quantization="int4")
    recurrent = Seq2SeqTranslator(RecurrentEncoderDecoder(8), max_epochs=1, **QUICK)
    with pytest.raises(ValueError, match="no layer such as RecurrentTextEncoder.*'transformer'"):
        recurrent.fit(ENGLISH, FRENCH).to_ctranslate2(path)
    monkeypatch.setitem(sys.modules, "ctranslate2", None)
    with pytest.raises(ImportError, match=r"pip install 'skae\[ctranslate2\]'"):
        translator.to_ctranslate2(path)
    assert not path.exists()


def test_names_of_tokens_differ(translator):
    names = ctranslate2_export.token_names(translator.source_tokenizer_)
    assert len(set(names)) == len(names) == len(translator.encoder_.embedding.weight)
