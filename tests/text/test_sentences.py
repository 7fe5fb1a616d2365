"""Several sentences and lines in one text: translated one by one, and joined as they were."""

import pickle

import numpy as np
import pytest

import skae
from skae import Seq2SeqTranslator
from skae._text import reader, searching
from skae._text.sentences import SentenceSplitter
from skae.architectures import RecurrentEncoderDecoder

SPLITTER = SentenceSplitter()
ENGLISH = ["I see Tom.", "Do you see a dog?", "Go on!", "I see you and a big dog."] * 5
FRENCH = ["Je vois Tom.", "Vois-tu un chien ?", "Va !", "Je te vois, et un gros chien."] * 5


def fitted(X=ENGLISH, y=FRENCH, **params):
    return Seq2SeqTranslator(
        RecurrentEncoderDecoder(16, dropout=0.0),
        max_epochs=2,
        vocabulary_size=300,
        batch_size=8,
        early_stopping=False,
        check_baseline=False,
        random_state=0,
        **params,
    ).fit(X, y)


@pytest.fixture(scope="module")
def translator():
    return fitted()


def cut(text, splitter=SPLITTER):
    return [unit.text for unit in splitter.split(text)]


@pytest.mark.parametrize(
    "text",
    [
        "Mr. Smith and Dr. J. R. Li saw St. Paul.",
        "He joined the U.S. army, e.g. this one, at 3.5 dollars.",
        "The U.S. Army lives at No. 5.",
        "Yahoo! is a name, and why? he asked.",
        "Well... perhaps, etc. and so on.",
        "See www.example.com, version 2.0 of it.",
        "1. Open the door.",
        "“Why?” he asked.",
        "「行くの？」と言った",
        "كيف حالك",
        "MR. LI",
        "Yes. 😀",
        "Tom &amp; I.",
    ],
)
def test_sentences_do_not_end_at_each_period(text):
    assert cut(text) == [text]


@pytest.mark.parametrize(
    "sentences",
    [
        ["Mr. Smith came.", "He left at 5.", "Why?", "No idea!"],
        ['He said "No."', "Then he left.", "(He did.)", "Oh."],
        ["« Non ! »", "Puis il partit.", "« Ah ? »"],
        ["„Nein.“", "Dann ging er.", "»Ja.«", "Gut."],
        ["¿Qué?", "¡No!", "Sí."],
        ["- Really?", "- Yes.", "– No."],
        ["i see.", "you see, e.g. this.", "why?"],
        ["HELLO.", "HOW ARE YOU?"],
        ["من أنت؟", "لا أعرف."],
        ["तुम कौन हो?", "ठीक हूँ।", "हाँ।"],
        ["Τι κάνεις;", "Καλά."],
        ["Wait...", "What?!", "No…", "OK."],
    ],
)
def test_sentences_end_where_the_next_begins(sentences):
    assert cut(" ".join(sentences)) == sentences


def test_scripts_without_blanks_need_none():
    assert cut("你好。你是谁？他说：“不。”然后！") == [
        "你好。",
        "你是谁？",
        "他说：“不。”",
        "然后！",
    ]
    learned = SentenceSplitter.learn(["I see.", "Go."], ["我看见。", "走。"])
    assert learned.join(learned.split("I see. Go."), ["我看见。", "走。"]) == "我看见。走。"
    assert cut("我看\n见。") == ["我看见。"]


def test_the_training_texts_say_what_is_an_abbreviation():
    texts = ["Sie kommt am 5. Mai mit Hptm. Li.", "So do I.", "Das ist Typ B."] * 9
    assert cut("Es ist der 7. Juni. Hptm. Li kommt. So do I. He is.") != cut(
        "Es ist der 7. Juni. Hptm. Li kommt. So do I. He is.", SentenceSplitter.learn(texts, texts)
    )
    assert cut(
        "Am 7. Juni kommt Hptm. Li. So do I. He is.", SentenceSplitter.learn(texts, texts)
    ) == [
        *("Am 7. Juni kommt Hptm. Li.", "So do I.", "He is."),
    ]


def test_texts_of_several_sentences_stay_whole_if_those_of_the_training_are():
    one, two = ["I see.", "Go."], ["I see. Go.", "Go. I see."]
    assert len(cut("Oh. No.", SentenceSplitter.learn(one * 50, one * 50))) == 2
    several = SentenceSplitter.learn([*one * 50, *two * 5], [*one * 50, *two * 5])
    assert cut("Oh. No.\nYes.", several) == ["Oh. No.", "Yes."]
    assert [unit.text for unit in several.split("Oh. No.", is_long=True)] == ["Oh.", "No."]
    no_sentences = SentenceSplitter.learn(
        ["3 May 2001", "Mon. 4 May"] * 9, ["2001-05-03", "05-04"] * 9
    )
    assert cut("Mon. 4 May", no_sentences) == ["Mon. 4 May"]
    assert cut("3 May\n4 May", no_sentences) == ["3 May", "4 May"]


TEXTS = [
    "I see Tom. Go on!",
    "I see Tom.\n\nGo on!\r\nDo you see a dog?",
    "  I see Tom.\n   Go on!\n",
    "List:\n- Go on!\n- Do you see a dog?\n\n2. I see Tom.",
    "Tom\n\nA dog\u2028Go on!",
    "You\nTom\nDog",
]


def test_line_breaks_and_marks_of_items_stay():
    for text in TEXTS:
        units = SPLITTER.split(text)
        assert SPLITTER.join(units, [unit.text for unit in units]) == text.strip()
    assert cut(TEXTS[3]) == ["List:", "Go on!", "Do you see a dog?", "I see Tom."]
    assert cut(TEXTS[5]) == ["You", "Tom", "Dog"]


def test_a_sentence_on_several_lines_is_one_and_its_translation_has_as_many():
    text = "I see you and\na big dog. Do you see\nTom?"
    assert cut(text) == ["I see you and a big dog.", "Do you see Tom?"]
    units = SPLITTER.split(text)
    joined = SPLITTER.join(units, ["Je te vois, et un gros chien.", "Vois-tu Tom ?"])
    assert joined == "Je te vois, et un\ngros chien. Vois-tu\nTom ?"
    assert SPLITTER.join(units, ["Oui.", ""]).count("\n") == 2
    assert cut("I see you and\na big dog") == ["I see you and a big dog"]
    assert cut("a big dog\na cat") == ["a big dog", "a cat"]


def test_texts_are_translated_sentence_by_sentence(translator):
    one, two, three = translator.predict(["I see Tom.", "Go on!", "Do you see a dog?"])
    found = translator.predict(TEXTS[:3])
    assert found.tolist() == [f"{one} {two}", f"{one}\n\n{two}\r\n{three}", f"{one}\n   {two}"]
    assert list(translator.predict_iter(TEXTS)) == translator.predict(TEXTS).tolist()
    wrapped = translator.predict(["Do you\nsee a dog?", "I\tsee  Tom.\u00a0Go on!"])
    assert wrapped[0].replace("\n", " ") == three
    assert wrapped[1] == f"{one} {two}"
    assert translator.predict(["", "\n \n"]).tolist() == ["", ""]
    Z = translator.transform(["I see Tom.", "Go on!", TEXTS[0]])
    n = [
        len(translator.source_tokenizer_.encode(text).ids) + 1 for text in ("I see Tom.", "Go on!")
    ]
    np.testing.assert_allclose(Z[2], np.average(Z[:2], axis=0, weights=n), rtol=1e-4, atol=1e-5)


def test_a_prefix_begins_the_first_sentence(translator):
    [found] = translator.predict(["Go on!\n\nI see Tom."], prefix="Tu")
    first, second = found.split("\n\n")
    assert first == translator.predict(["Go on!"], prefix="Tu")[0]
    assert second == translator.predict(["I see Tom."])[0]


def test_each_part_is_tokenized_once(translator, monkeypatch):
    seen, encode = [], searching.encode

    def spy(tokenizer, texts):
        seen.extend(texts)
        return encode(tokenizer, texts)

    monkeypatch.setattr(reader, "encode", spy)
    translator.predict([*TEXTS, *TEXTS])
    assert len(seen) == len(set(seen))
    assert max(map(len, seen)) < 20  # no text is read as a whole first


def test_files_keep_how_texts_are_cut(tmp_path):
    texts = [f"Hptm. Li: {text}" for text in ENGLISH]
    model = fitted(texts, FRENCH)
    skae.save(model, tmp_path / "model.skae")
    again = ["I see Hptm. Li. Go on!"]
    for loaded in (skae.load(tmp_path / "model.skae"), pickle.loads(pickle.dumps(model))):
        assert loaded._split(again).rows == model._split(again).rows
        assert len(loaded._split(again).rows) == 2


@pytest.mark.parametrize(
    "text", ["x", " ", ".", "Go on. ", "a\n", "» ", "你好。", "a.\n", "! »", "''."]
)
def test_the_work_of_splitting_grows_with_the_text_only(text):
    """A text of this length would take minutes if the work grew with its square."""
    units = SPLITTER.split(text * 30_000)
    found = "".join(unit.text for unit in units)
    assert "".join(found.split()) == "".join(text.split()) * 30_000
