"""Unknown names and numbers, texts in unusual case, and protected parts."""

import pickle
import re

import numpy as np
import pytest
import torch

import skae
from skae import Seq2SeqTranslator
from skae._text import slots
from skae._text.known_words import KnownWords
from skae._text.reading import compile_protected, read_text
from skae._text.tokenizers import (
    NAME_SLOTS,
    NUMBER_SLOTS,
    SLOT,
    SLOTS,
    decode,
    encode,
    slot_ids,
    train_tokenizer,
    vocabulary_length,
)
from skae.architectures import RecurrentEncoderDecoder

NAMES = ["Tom", "Mary", "Paul", "Anna", "Jane", "Luke", "Carl", "Emma", "Rosa", "Hugo", "Vera"]
DOES = {"sees": "voit", "wants": "veut"}
WHAT = {"cat": "chat", "dog": "chien", "coat": "manteau"}
PAIRS = [
    pair
    for name in NAMES
    for a, b in DOES.items()
    for c, d in WHAT.items()
    for pair in (
        (f"{name} {a} a {c}.", f"{name} {b} un {d}."),
        (f"The {c} {a} {name}.", f"Le {d} {b} {name}."),
    )
]
PAIRS += [
    (f"I see {n} cats at {n + 1}:15.", f"Je vois {n} chats à {n + 1} h 15.")
    for n in range(10, 50, 2)
]
ORDER = np.random.default_rng(0).permutation(len(PAIRS))
ENGLISH, FRENCH = ([PAIRS[i][side] for i in ORDER] for side in (0, 1))


@pytest.fixture(scope="module")
def many_slots():
    """Let slots be learned from few pairs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(slots, "FRACTION", 0.5)
        patch.setattr(slots, "WORDS_PER_SLOT", 20)
        yield


@pytest.fixture(scope="module")
def words(many_slots):
    """Return what is known of the words of the pairs, and the pairs with slots."""
    return KnownWords.learn(ENGLISH, FRENCH)


@pytest.fixture(scope="module")
def translator(many_slots):
    return Seq2SeqTranslator(
        RecurrentEncoderDecoder(48, dropout=0.0),
        batch_size=16,
        max_epochs=10,
        early_stopping=False,
        random_state=0,
        vocabulary_size=400,
        check_baseline=False,
        beam_size=2,
    ).fit(ENGLISH, FRENCH)


# With a net.


def test_unknown_names_come_out_as_they_went_in(translator):
    names = [
        "Zorblax",
        "Quixley",
        "Blorp",
        "Jean-Zorb",
        "NARQ",
        "McFlarn",
        "Édrisse",
        "Tselinov",
        "iZorb",
        "B-52",
    ]
    translated = translator.predict([f"The dog wants {name}." for name in names])
    right = [f"Le chien veut {name}." for name in names]
    assert np.mean(translated == right) >= 0.9


def test_unknown_numbers_come_out_as_translations_write_them(translator):
    translated = translator.predict(["The dog wants 2087.", "The cat sees 2087:46."])
    assert translated.tolist() == ["Le chien veut 2087.", "Le chat voit 2087 h 46."]


def test_numbers_are_not_replaced_by_others(translator):
    """Each is seen once or never; nets guess such numbers from their digits."""
    numbers = range(2, 100)
    translated = translator.predict([f"I see {n} cats at {n + 1}:15." for n in numbers])
    for n, text in zip(numbers, translated, strict=True):
        assert re.search(rf"\b{n}\b", text)
        assert f"{n + 1} h 15" in text
    translated = translator.predict([f"The dog wants {n}." for n in numbers])
    assert translated.tolist() == [f"Le chien veut {n}." for n in numbers]


def test_numbers_survive_where_their_slots_are_lost(translator):
    twin = pickle.loads(pickle.dumps(translator))
    ids = slot_ids(twin.target_tokenizer_)[SLOTS.index(NUMBER_SLOTS[0]) :]
    with torch.no_grad():
        for weight in twin.net_.module_.parameters():
            if weight.shape[:1] == (vocabulary_length(twin.target_tokenizer_),):
                weight[ids] = 0  # the net neither reads nor writes them
    texts, prefix = ["The dog wants 2087.", "The cat sees Tom."], ["Le chien", ""]
    right = ["Le chien veut 2087.", "Le chat voit Tom."]
    assert twin.predict(texts).tolist() == right
    assert twin.predict(texts, prefix=prefix).tolist() == right


def test_saved_translators_know_the_same_words(translator, tmp_path):
    path = tmp_path / "model.skae"
    skae.save(translator, path)
    texts = ["Zorblax sees a cat.", "THE CAT SEES TOM.", "The dog sees {x}."]
    for twin in (skae.load(path), pickle.loads(pickle.dumps(translator))):
        assert twin._reader.known_words == translator._reader.known_words
        assert twin.predict(texts).tolist() == translator.predict(texts).tolist()


def test_all_methods_read_the_same_slots(translator):
    text, prefix = "The dog sees Zorblax.", "Le chien"
    best, log_p = translator.predict_n_best([text], 2)
    assert best[0, 0] == translator.predict([text])[0]
    assert "Zorblax" in best[0, 0]
    np.testing.assert_allclose(
        translator.log_likelihood([text], best[:, 0]), log_p[:, 0], rtol=1e-4
    )
    assert translator.predict([text], prefix=prefix)[0].startswith(prefix)
    samples, _ = translator.sample([text], 3, random_state=0)
    assert not any(SLOT.search(sample) for sample in samples[0])
    attention = translator.attention(text)
    assert "Zorblax" in attention.source
    assert "Zorblax" in attention.target


def test_texts_in_capitals_are_read_in_usual_case(translator):
    texts = ["Tom sees a cat.", "The dog wants Mary."]
    for change in (str.upper, str.lower):
        changed = translator.predict([change(text) for text in texts])
        assert changed.tolist() == translator.predict(texts).tolist()


def test_what_is_protected_survives(translator):
    texts = [
        "The <b>dog</b> sees {x}.",
        "Tom wants %s.",
        "<p>The cat sees Tom.</p>",
        "{a}{b}{c}{d}{e}",
    ]
    translated = translator.set_params(protected="markup").predict(texts)
    parts = compile_protected("markup")
    assert [parts.findall(t) for t in translated] == [parts.findall(t) for t in texts]
    assert translator.set_params(protected=None).predict(["Tom sees a cat."]).shape == (1,)


def test_emoji_and_other_scripts_are_kept(translator):
    texts = [
        "The dog sees Tom. 😀",
        "👋🏽 Tom sees 🐈 a cat!",
        "😀",
        "Привет, мир!",
        "Tom sees Ольга.",
    ]
    translated = translator.predict(texts)
    assert translated[2] == "😀"
    assert translated[3] == "Привет, мир!"
    for text, kept in zip(translated, ("😀", "👋🏽", "😀", "Привет", "Ольга"), strict=True):
        assert kept in text


def test_training_goes_on_with_new_names(translator):
    twin = pickle.loads(pickle.dumps(translator))
    twin.partial_fit(["Zorblax sees a cat.", "A cat."], ["Zorblax voit un chat.", "Un chat."])
    assert "Quixley" in twin.predict(["The dog sees Quixley."])[0]


@pytest.mark.parametrize(
    ("protected", "error", "message"),
    [
        ("[", ValueError, "is no regular expression"),
        ("a*", ValueError, "matches an empty text"),
        ([1], TypeError, "protected must be"),
    ],
)
def test_bad_patterns(translator, protected, error, message):
    twin = pickle.loads(pickle.dumps(translator)).set_params(protected=protected)
    with pytest.raises(error, match=message):
        twin.predict(["A cat."])


# Without one.


def test_few_or_no_names_give_no_slots():
    words, *pairs = KnownWords.learn(["A cat.", "A dog."], ["Un chat.", "Un chien."])
    assert not words.has_slots
    assert pairs == [["A cat.", "A dog."], ["Un chat.", "Un chien."]]
    assert read_text("A Zorblax.", words).text == "A Zorblax."


def test_slots_stand_for_the_same_words_in_both_texts(words):
    _, sources, targets = words
    slotted = [pair for pair in zip(sources, targets, strict=True) if SLOT.search(pair[0])]
    assert len(slotted) > 40
    assert all(SLOT.findall(x) and set(SLOT.findall(x)) == set(SLOT.findall(y)) for x, y in slotted)


def test_kinds_that_are_not_copied_have_no_slots():
    names = [f"{a}{b}ra" for a in "BDFGKLMNPRSTVZ" for b in "aeiou"]
    spelled = [" ".join(name.upper()) for name in names]
    words, *_ = KnownWords.learn(names, spelled)
    assert not any(words.copied.get(kind) for kind in ("name", "first"))
    assert read_text("I see Zorblax.", words).text == "I see Zorblax."


def test_numbers_are_written_as_in_the_training_texts_unless_these_turn_them_around():
    times = [(f"At {n}:{m}.", f"À {n} h {m}.") for n in range(10, 20) for m in (15, 30, 45)]
    words, *_ = KnownWords.learn(*zip(*times, strict=True))
    assert words.written("17:46") == "17 h 46"
    dates = [(f"{d}/{m}/2021", f"2021-{m}-{d}") for d in range(10, 30) for m in (10, 11, 12)]
    dates += [(f"2021/{m}/{d}", f"2021-{m}-{d}") for d in range(10, 30) for m in (10, 11, 12)]
    words, *_ = KnownWords.learn(*zip(*dates, strict=True))
    assert words.formats == {}
    assert not words.copied["0/0/0"]


def test_numbers_of_a_rare_shape_are_as_plain_numbers(many_slots):
    words, *_ = KnownWords.learn(
        [*ENGLISH, "Eat 3/4 of it."], [*FRENCH, "Manges-en les trois quarts."]
    )
    assert list(read_text("The cat sees 17/23.", words).slots.values()) == ["17/23"]


@pytest.mark.parametrize("part", ["640×480", "12.5×3,1", "25€"])
def test_numbers_that_an_unknown_symbol_joins_are_kept_with_it(part, words):
    reading = read_text(f"The cat sees {part} cats.", words[0])
    assert list(reading.slots.values()) == [part]


@pytest.mark.parametrize(
    ("word", "number"),
    [("15th", "15"), ("47-year", "47"), ("2:30pm", "2 h 30"), ("640x480", "640x480")],
)
def test_known_letters_after_a_number_are_translated(word, number, many_slots):
    others = [("The 30th cat.", "Le 30e chat.")] * 2
    others += [("A 9-year cat.", "Un chat de 9 ans."), ("At 3:15pm.", "À 15 h 15.")]
    words, *_ = KnownWords.learn(*zip(*PAIRS, *others, strict=True))
    reading = read_text(f"The cat sees the {word} cat.", words)
    assert list(reading.slots.values()) == [number]
    letters = "" if "x" in word else re.search(r"\D*$", word)[0]
    assert reading.text == f"The cat sees the {list(reading.slots)[0]}{letters} cat."


@pytest.mark.parametrize("word", ["15th", "64kg", "9127-page"])
def test_unknown_letters_after_a_number_are_kept_with_it(word, words):
    assert list(read_text(f"The cat sees {word}.", words[0]).slots.values()) == [word]


def test_pairs_teach_numbers_with_letters_after_them(many_slots):
    ordinals = [(f"The {n}th cat.", f"Le {n}e chat.") for n in range(10, 60)]
    _, sources, targets = KnownWords.learn(*zip(*ordinals, strict=True))
    assert sum(bool(SLOT.search(text)) for text in sources) >= 40
    for source, target in zip(sources, targets, strict=True):
        if slot := SLOT.search(source):
            assert (source, target) == (f"The {slot[0]}th cat.", f"Le {slot[0]}e chat.")


def test_numbers_have_other_slots_than_names(words):
    reading = read_text("Zorblax sees 73 cats at 12:15.", words[0])
    name, *numbers = reading.slots
    assert name in NAME_SLOTS
    assert NUMBER_SLOTS.index(numbers[0]) < NUMBER_SLOTS.index(numbers[1])
    assert list(reading.slots.values()) == ["Zorblax", "73", "12 h 15"]


def test_few_numbers_get_the_slots_of_names(many_slots):
    pairs = [pair for pair in zip(ENGLISH, FRENCH, strict=True) if pair[0][0] != "I"]
    words, *_ = KnownWords.learn(*zip(*pairs, ["It is 15.", "Il est 15."], strict=True))
    assert (words.n_number_slots, words.n_name_slots) == (0, 3)
    slots = read_text("Zorblax sees 73 cats.", words).slots
    assert slots == dict(zip(NAME_SLOTS, ["Zorblax", "73"], strict=False))


def test_words_have_slots_only_if_they_are_copied_more_often_than_ordinary_ones():
    wrong = [re.sub(r"\b(?!The)([A-Z]\w+)", r"\1x", text) for text in ENGLISH]
    words, *_ = KnownWords.learn([*ENGLISH, *wrong], [*ENGLISH, *ENGLISH])
    assert read_text("The cat sees Zorblax.", words).slots == {}


def test_unusual_case_is_decided_by_the_training_texts(words):
    assert read_text("TOM SEES THE CAT.", words[0]).text == "Tom sees the cat."
    upper, *_ = KnownWords.learn([t.upper() for t in ENGLISH], FRENCH)
    assert read_text("TOM SEES THE CAT.", upper).text == "TOM SEES THE CAT."
    assert read_text("tom sees the cat.", upper).text == "TOM SEES THE CAT."


def test_equal_words_have_equal_slots_and_lost_ones_are_told(words):
    reading = read_text("Zorblax sees Quix and Zorblax.", words[0])
    first, second = SLOTS[:2]
    assert reading.text == f"{first} sees {second} and {first}."
    assert reading.restore(f"{second} voit {first}") == "Quix voit Zorblax"
    assert reading.restore(f"{first} voit") is None
    assert reading.restore(f"{first} {second} {second}") is None


def test_marks_at_the_ends_are_put_back(words):
    protected = compile_protected("markup")
    reading = read_text("<p><b>Tom</b> sees a cat 😀!</p>", words[0], protected)
    assert (reading.before, reading.after) == ("<p><b>", " 😀</p>") or "</p>" in reading.after
    assert reading.restore(reading.text).startswith("<p><b>Tom</b> sees a cat")


@pytest.mark.parametrize("kind", ["bpe", "unigram", "word", "char"])
def test_slots_have_tokens_that_no_text_has(kind):
    tokenizer = train_tokenizer([*ENGLISH, *FRENCH], kind, 400)
    texts = [f"{SLOTS[0]}'s cat, {SLOTS[1]} õ", SLOTS[2], "plain õ <0xF5> é ÿ"]
    rows = encode(tokenizer, texts)
    assert decode(tokenizer, rows) == texts
    slots = {row[-1] for row in encode(tokenizer, SLOTS)}
    assert len(slots) == len(SLOTS)
    assert slots.isdisjoint(rows[2])
