"""Pairs of texts that are not what a translator takes, and how it says so."""

import re

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from skae import Seq2SeqTranslator
from skae.architectures import RecurrentEncoderDecoder
from skae.exceptions import DataWarning

ENGLISH = ["I see a cat.", "You see a dog.", "I see it."]
FRENCH = ["Je vois un chat.", "Tu vois un chien.", "Je le vois."]
PAIRS = list(zip(ENGLISH, FRENCH, strict=True))
APART = "fit([a for a, b in pairs], [b for a, b in pairs])"
MISSING = "Leave out the samples whose text is missing"


def tiny():
    return Seq2SeqTranslator(
        RecurrentEncoderDecoder(4),
        max_epochs=1,
        vocabulary_size=260,
        early_stopping=False,
        check_baseline=False,
        random_state=0,
    )


@pytest.fixture(scope="module")
def translator():
    return tiny().fit(ENGLISH, FRENCH)


BYTES = "{0}[0] is b'{1}'. Decode bytes: [text.decode(\"utf-8\") for text in {0}]"


@pytest.mark.parametrize(
    ("X", "y", "error", "message"),
    [
        (ENGLISH, FRENCH[:-1], ValueError, "X holds 3 texts, but y 2"),
        (ENGLISH[:-1], FRENCH, ValueError, "X holds 2 texts, but y 3"),
        ([b"cat"] * 3, FRENCH, TypeError, BYTES.format("X", "cat")),
        (ENGLISH, [b"chat"] * 3, TypeError, BYTES.format("y", "chat")),
        (np.array([b"cat"] * 3), FRENCH, TypeError, "Decode bytes"),
        (b"cat", FRENCH, TypeError, 'X is bytes: decode it, X.decode("utf-8"), and give a list'),
        (
            PAIRS,
            None,
            ValueError,
            f"the target y is None. Give texts and translations apart: {APART}",
        ),
        (zip(ENGLISH, FRENCH, strict=True), None, ValueError, APART),
        (PAIRS, FRENCH, TypeError, "X[0] is ('I see a cat.', 'Je vois un chat.'). Give texts and"),
        (dict(PAIRS), None, ValueError, "fit(list(X), list(X.values()))"),
        (pd.DataFrame({"en": ENGLISH, "fr": FRENCH}), None, ValueError, "fit(X['en'], X['fr'])"),
        (
            [{"en": a, "fr": b} for a, b in PAIRS],
            *(None, ValueError, "fit([row['en'] for row in X], [row['fr'] for row in X])"),
        ),
        ([{"en": a} for a in ENGLISH], FRENCH, TypeError, '[row["text"] for row in X]'),
        (ENGLISH, None, ValueError, "Give the translation of each text, in the same order"),
        (
            pd.DataFrame({"en": ENGLISH}),
            FRENCH,
            ValueError,
            "(3, 1): give one column of texts, such as X['en']",
        ),
        (ENGLISH, pl.DataFrame({"fr": FRENCH}), ValueError, "such as y['fr']"),
        (pa.table({"en": ENGLISH}), FRENCH, ValueError, "such as X['en']"),
        (np.array(PAIRS), FRENCH, ValueError, "such as X[:, 0]"),
        (np.array("cat"), FRENCH, ValueError, "X has shape (): give a list of texts, [str(X)]"),
        (
            ENGLISH,
            [[f] for f in FRENCH],
            TypeError,
            "y[0] is ['Je vois un chat.']. Give one text for each",
        ),
        (
            ENGLISH,
            [[f, f, f] for f in FRENCH],
            TypeError,
            "Repeat a text that has several translations",
        ),
        ([*ENGLISH[:2], None], FRENCH, TypeError, f"X[2] is None. {MISSING}"),
        (ENGLISH, ["a", np.nan, "b"], TypeError, f"y[1] is nan. {MISSING}"),
        (
            pd.Series(["a", pd.NA, "b"], dtype="string"),
            FRENCH,
            TypeError,
            f"X[1] is <NA>. {MISSING}",
        ),
        (pl.Series(["a", None, "b"]), FRENCH, TypeError, f"X[1] is None. {MISSING}"),
        (pa.array(["a", None, "b"]), FRENCH, TypeError, f"X[1] is None. {MISSING}"),
        (np.ma.array(ENGLISH, mask=[0, 1, 0]), FRENCH, TypeError, f"X[1] is masked. {MISSING}"),
        (
            range(3),
            FRENCH,
            TypeError,
            "X[0] is 0. Give the texts of these: [str(value) for value in X]",
        ),
        ([], [], ValueError, "X is empty: give at least 1 text"),
        (["a", "\u200b\u00a0", "b"], FRENCH, ValueError, "X has empty texts, X[1]"),
    ],
)
def test_errors_name_the_sample_and_say_what_to_do(X, y, error, message):
    for fit in (tiny().fit, tiny().partial_fit):
        if isinstance(X, zip):
            X = zip(ENGLISH, FRENCH, strict=True)
        with pytest.raises(error, match=re.escape(message)):
            fit(X, y)


def test_texts_of_any_origin_are_taken(translator):
    found = translator.predict(ENGLISH)
    for make in (pa.array, lambda x: pa.chunked_array([x]), iter, pd.Index, pd.Categorical):
        assert (translator.predict(make(ENGLISH)) == found).all()
    strings = np.array(ENGLISH, dtype=np.dtypes.StringDType())
    assert (translator.predict(strings) == found).all()


def test_requests_with_bytes_say_so(translator):
    for call in (translator.predict, translator.transform, translator.sample):
        with pytest.raises(TypeError, match="Decode bytes"):
            call([b"cat"])
    with pytest.raises(TypeError, match=r"prefix\[0\] is b'Je'. Decode bytes"):
        translator.predict(ENGLISH, prefix=b"Je")


def test_iterators_count_texts_from_the_first(translator):
    for wrong, error in (("caf\udce9", ValueError), (None, TypeError), ("x" * 100_001, ValueError)):
        found = translator.predict_iter([*ENGLISH * 2, wrong], buffer_size=4)
        assert len([next(found) for _ in range(4)]) == 4
        with pytest.raises(error, match=r"X\[6\]"):
            next(found)


def test_pairs_of_equal_texts_warn():
    texts = [f"cat {i}" for i in range(40)]
    with pytest.warns(DataWarning, match=r"the same text in 37 of 40 pairs.*right columns"):
        tiny().fit(texts, [*texts[:37], "a", "b", "c"])
    tiny().fit(texts, [*texts[:30], *map(str, range(10))])  # as in the correction of spelling
    tiny().fit(texts[:5], texts[:5])


def test_equal_targets_warn():
    with pytest.warns(DataWarning, match=r"All targets are the same text, 'Oui.'.*right column"):
        tiny().fit(ENGLISH, ["Oui."] * 3)
