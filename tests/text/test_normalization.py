"""Texts of other keyboards and programs: read as if they were written as the training texts."""

import pickle

import numpy as np
import pytest

import skae
from skae import Seq2SeqTranslator
from skae._text.normalization import SourceNormalizer, TargetNormalizer
from skae._text.tokenizers import decode
from skae.architectures import RecurrentEncoderDecoder

ENGLISH = ["I don't see a cat.", 'You say "no".', "I see a well-known dog.", "Go on!"] * 5
FRENCH = ["Je ne vois pas de chat.", "Tu dis non.", "Je vois un chien connu.", "Va\u202f!"] * 5
CLEAN = 'I don\'t say "no", you well-known cat!'
DAMAGED = {
    "double blanks": CLEAN.replace(" ", "  "),
    "no-break spaces": CLEAN.replace(" ", "\u00a0"),
    "narrow no-break spaces": CLEAN.replace(" ", "\u202f"),
    "ideographic spaces": CLEAN.replace(" ", "\u3000"),
    "tabs": f"\t{CLEAN.replace(' ', chr(9))}\t",
    "outer blanks": f" \u2003{CLEAN} \n",
    "zero width": f"\ufeff{CLEAN.replace('e', 'e' + chr(0x200B))}",
    "soft hyphens": CLEAN.replace("no", "n\u00ado"),
    "marks of direction": f"\u200e\u202a{CLEAN}\u202c",
    "controls": f"\x00\x07{CLEAN}\x1b",
    "curly quotes": CLEAN.replace("'", "’").replace('"no"', "“no”"),
    "other quotes": CLEAN.replace("'", "`").replace('"no"', "„no‟"),
    "French quotes": CLEAN.replace('"no"', "«\u00a0no »"),
    "other hyphens": CLEAN.replace("-", "\u2011"),
    "full width": CLEAN.replace("no", "ｎｏ").replace("!", "！"),
    "decomposed": CLEAN,
}


@pytest.fixture(scope="module")
def translator():
    return Seq2SeqTranslator(
        RecurrentEncoderDecoder(16, dropout=0.0),
        max_epochs=2,
        vocabulary_size=300,
        batch_size=8,
        early_stopping=False,
        check_baseline=False,
        random_state=0,
    ).fit(ENGLISH, FRENCH)


@pytest.mark.parametrize("damage", DAMAGED)
def test_damaged_texts_are_read_as_clean_ones(damage):
    normalizer = SourceNormalizer.learn(ENGLISH)
    assert normalizer.normalize([CLEAN, DAMAGED[damage]]) == [CLEAN, CLEAN]


def test_every_method_reads_damaged_texts_as_clean_ones(translator):
    clean, damaged = [CLEAN] * len(DAMAGED), list(DAMAGED.values())
    right, odd = ["Va\u202f!"] * len(clean), ["  Va !\u200b"] * len(clean)
    for model in (translator, pickle.loads(pickle.dumps(translator))):
        assert (model.predict(damaged) == model.predict(clean)).all()
        assert (model.transform(damaged) == model.transform(clean)).all()
        assert (model.predict_n_best(damaged, 2)[0] == model.predict_n_best(clean, 2)[0]).all()
        drawn = [model.sample(some, random_state=0)[0].tolist() for some in (clean, damaged)]
        assert drawn[0] == drawn[1]
        assert (model.log_likelihood(damaged, odd) == model.log_likelihood(clean, right)).all()
        assert (model.predict(damaged, prefix=odd) == model.predict(clean, prefix=right)).all()
        assert list(model.predict_iter(damaged)) == model.predict(clean).tolist()
        maps = [model.attention(*pair) for pair in ((CLEAN, right[0]), (damaged[0], odd[0]))]
        assert maps[0].source == maps[1].source
        assert maps[0].target == maps[1].target


def test_files_keep_how_texts_are_written(translator, tmp_path):
    skae.save(translator, tmp_path / "model.skae")
    loaded = skae.load(tmp_path / "model.skae")
    damaged = list(DAMAGED.values())
    assert (loaded.predict(damaged) == translator.predict([CLEAN] * len(damaged))).all()


def test_texts_of_blanks_are_empty(translator):
    assert translator.predict(["\u00a0\t", "\u200b", "\ufeff \x00"]).tolist() == ["", "", ""]
    with pytest.raises(ValueError, match=r"y has empty texts, y\[0\]"):
        translator.fit(["a"], ["\u200b "])


@pytest.mark.parametrize(
    ("usual", "given", "written"),
    [
        (
            "I don’t.",
            "I don't - „no“…",
            "I don’t - „no“...",
        ),  # the curly apostrophe is the usual one
        ("« Oui »", "«\u00a0Oui\u00a0»", "« Oui »"),  # so are these quotes
        ("-", "a – b — c", "a - b - c"),
        ("Well… no", "Well…", "Well…"),
        ("你好！", "你好!", "你好！"),
        ("カ", "ｶ", "カ"),
        (
            "\u0645\u06cc\u200c\u062e",
            "\u0645\u06cc\u200c\u062e",
            "\u0645\u06cc\u200c\u062e",
        ),  # Persian
        ("a 2", "a²", "a²"),  # means another thing
        ("fine", "ﬁne 𝐟𝐢𝐧𝐞", "fine fine"),
        ("a", "👨\u200d👩\u200d👧 ❤\ufe0f x\u200dy\ufe0f", "👨\u200d👩\u200d👧 ❤\ufe0f xy"),
        ("é", "e\u0301", "é"),
        ("&amp;", "&nbsp;&#8217;", "&nbsp;&#8217;"),
    ],
)
def test_the_training_texts_decide_what_stays(usual, given, written):
    normalizer = SourceNormalizer.learn([usual, "I fine Wel.a-b"] * 50)
    assert normalizer.normalize([given]) == [written]


def test_rare_variants_in_the_training_texts_are_read_as_the_usual_ones():
    texts = ["I don't."] * 2000 + ["I don’t."] * 5 + ["so\u00adon\u200b"]
    normalizer = SourceNormalizer.learn(texts)
    assert set(normalizer.normalize(texts)) == {"I don't.", "soon"}


def test_blanks_of_translations_are_the_commonest_at_their_place():
    texts = [
        "Qui\u202f?",
        "Quoi\u202f?",
        "Où ?",
        "Va !",
        "Va\u00a0!",
        "Va !",
        "10\u00a0000 ans",
        "a b",
    ]
    normalizer = TargetNormalizer.learn(texts)
    assert normalizer.normalize([*texts, "10 000 : a\tb"]) == [
        *(
            "Qui\u202f?",
            "Quoi\u202f?",
            "Où\u202f?",
            "Va !",
            "Va !",
            "Va !",
            "10\u00a0000 ans",
            "a b",
        ),
        "10\u00a0000 : a b",
    ]


def test_the_rest_of_translations_stays():
    texts = ["L’été… « oui »", "a\nb", "\n x\r\n\r\ny \n"]
    normalizer = TargetNormalizer.learn(texts)
    assert normalizer.normalize(texts) == ["L’été… « oui »", "a\nb", "x\n\ny"]
    assert normalizer.normalize(["a\u200b\x00b \u00ad c"]) == ["ab c"]


def test_line_breaks_stay_where_the_training_texts_have_them():
    assert SourceNormalizer.learn(["a\nb", "c"]).normalize(["a\r\n b "]) == ["a\nb"]
    assert SourceNormalizer.learn(["ab", "c"]).normalize(["a\r\n b "]) == ["a b"]


def test_lists_of_the_best_hold_no_text_twice(translator):
    """The net knows little, so it spells the same text in several ways."""
    texts = [CLEAN, "Go on!"]
    found = translator._search(translator._read_sources(texts[:1]), None, 4, 4)[0]
    assert len(set(decode(translator.target_tokenizer_, [tokens for tokens, _ in found]))) < 4
    for n_best in (4, 8):
        found, log_p = translator.predict_n_best(texts, n_best)
        assert [len(set(some)) for some in found] == [n_best] * 2
        assert np.isfinite(log_p).all()
    best, _ = translator.predict_n_best(texts[1:], 4)
    assert (best[:, 0] == translator.predict(texts[1:])).all()


def test_lists_of_the_best_end_where_there_are_no_more_texts(translator):
    model = pickle.loads(pickle.dumps(translator))
    model.max_length_ = 2  # a token and the end
    found, log_p = model.predict_n_best(["I"], 400)
    is_there = np.array([text is not None for text in found[0]])
    assert 100 < is_there.sum() < 400
    assert (np.isfinite(log_p[0]) == is_there).all()
    assert len(set(found[0])) == is_there.sum() + 1
