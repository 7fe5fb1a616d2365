"""Other work with pairs of texts: dates, phonemes and spelling, by exact match.

The pairs are made here, in any number. No text of the test part is in the training part::

    python benchmarks/bench_text_to_text.py --data DIR [--tasks dates phonemes] [--pairs 10000]

``dates`` turns dates in many written forms into ISO form. With slashes the month comes first,
with periods the day; two digits of a year are from 1950 to 2049. The baseline is dateutil, which
has been told so. ``phonemes`` turns made Spanish words into phonemes with stress, by the rules of
the spelling.
``spelling`` repairs one typing error in a frequent English word. The words are those of the
sentences in ``train.tsv.gz`` of the folder ``--data``, whose lines are a sentence and its
translation. The baseline takes the most frequent known word that is one error away.
"""

import argparse
import time
from collections import Counter
from datetime import date, timedelta
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from dateutil.parser import ParserError, parse, parserinfo

from skae import Seq2SeqTranslator
from skae.metrics import exact_match_score

N_TEST = 1000

# Dates.

FIRST = date(1950, 1, 1)
N_DAYS = 36525


def ordinal(number):
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{'th' if number // 10 == 1 else ending}"


FORMS = [
    lambda d: f"{d:%B} {d.day}, {d.year}",
    lambda d: f"{d:%b} {d.day}, {d.year}",
    lambda d: f"{d:%b}. {d.day} {d.year}",
    lambda d: f"{d:%B} {ordinal(d.day)}, {d.year}",
    lambda d: f"{d.day} {d:%B} {d.year}",
    lambda d: f"{d.day} {d:%b} {d.year}",
    lambda d: f"the {ordinal(d.day)} of {d:%B} {d.year}",
    lambda d: f"{d:%A}, {d:%B} {d.day}, {d.year}",
    lambda d: f"{d:%a} {d.day} {d:%b} {d.year}",
    lambda d: f"{d:%A}, {d.day}. {d:%B} {d.year}",
    lambda d: f"{d.day:02}-{d:%b}-{d.year}".upper(),
    lambda d: f"{d:%B} {d.day} {d.year}".lower(),
    lambda d: f"{d.year}, {d:%B} {d.day}",
    lambda d: f"{d.month}/{d.day}/{d.year}",
    lambda d: f"{d.month:02}/{d.day:02}/{d.year}",
    lambda d: f"{d.month}/{d.day}/{d:%y}",
    lambda d: f"{d.day}.{d.month}.{d.year}",
    lambda d: f"{d.day:02}.{d.month:02}.{d:%y}",
    lambda d: f"{d.year}/{d.month:02}/{d.day:02}",
    lambda d: f"{d:%Y%m%d}",
]


def dates(n, rng):
    """Yield dates in written forms, and in ISO form."""
    days = rng.permutation(N_DAYS)[:n]
    for day, form in zip(days.tolist(), rng.integers(len(FORMS), size=n), strict=True):
        the_date = FIRST + timedelta(day)
        yield FORMS[form](the_date), the_date.isoformat()


class WithCentury(parserinfo):
    """What dateutil knows of dates, and what it is told here."""

    JUMP = [*parserinfo.JUMP, "the"]

    def convertyear(self, year, century_specified=False):
        return year if century_specified else year + (2000 if year < 50 else 1900)


def date_reader(X, y):
    def read(text):
        try:
            found = parse(text, WithCentury(dayfirst=text.count(".") == 2))
        except ParserError:
            return ""
        return found.date().isoformat()

    return read


# Phonemes of Spanish.

STARTS = ["b", "c", "ch", "d", "f", "g", "gu", "h", "j", "l", "ll", "m", "n", "ñ", "p", "qu", "r"]
STARTS += ["rr", "s", "t", "v", "y", "z", "br", "cl", "cr", "dr", "fl", "gr", "pl", "pr", "tr"]
VOWELS = ["a", "e", "i", "o", "u", "ia", "ie", "io", "ue", "ua", "ei"]
SOUNDS = [
    ("ch", "tʃ"), ("ll", "ʝ"), ("rr", "r"), ("qu", "k"), ("ñ", "ɲ"), ("j", "x"), ("z", "θ"),
    ("v", "b"), ("y", "ʝ"), ("h", ""),
]  # fmt: skip


def spanish_word(rng):
    """Return a word of two to four syllables, a list."""
    syllables = []
    for i in range(rng.integers(2, 5)):
        start = STARTS[rng.integers(len(STARTS))]
        start = {"rr": "r"}.get(start, start) if i == 0 else start
        vowels = "ei" if start in ("gu", "qu") else VOWELS[: 5 if len(start) > 1 else None]
        vowel = vowels[rng.integers(len(vowels))]
        if syllables and syllables[-1][-1] == start[0]:
            syllables[-1] = syllables[-1][:-1]  # "al-la" would be read as "a-lla"
        syllables.append(start + vowel + ("nlrs"[rng.integers(4)] if rng.random() < 0.2 else ""))
    return syllables


def phonemes_of(syllables):
    """Return how a word is pronounced: sounds, with a mark before the stressed syllable."""
    last = syllables[-1][-1]
    stressed = len(syllables) - (2 if last in "aeiouns" else 1)
    word = ""
    for i, syllable in enumerate(syllables):
        is_soft, is_rolled = syllable[1] in "ei", i == 0 or syllables[i - 1][-1] in "nls"
        sound = syllable[0] + syllable[1:].replace("r", "ɾ")
        if not is_rolled:
            sound = sound.replace("rɾ", "r") if sound[1] == "ɾ" else sound.replace("r", "ɾ")
        sound = sound.replace("rɾ", "r")
        if syllable[:3] in ("gue", "gui"):
            sound = "g" + sound[2:]
        elif syllable[0] == "g" and is_soft:
            sound = "x" + sound[1:]
        elif syllable[0] == "c" and syllable[1] != "h":
            sound = ("θ" if is_soft else "k") + sound[1:]
        for letters, sounds in SOUNDS:
            sound = sound.replace(letters, sounds)
        word += ("ˈ" if i == stressed else "") + sound
    return word


def phonemes(n, rng):
    """Yield made Spanish words and their phonemes."""
    seen = set()
    while len(seen) < n:
        syllables = spanish_word(rng)
        word = "".join(syllables)
        if word not in seen:
            seen.add(word)
            yield word, phonemes_of(syllables)


# Typing errors.

LETTERS = "abcdefghijklmnopqrstuvwxyz"
N_WORDS = 1000


def with_error(word, rng):
    """Return a word with one typing error: letters swapped, lost, one too many or wrong."""
    i, letter = rng.integers(len(word) - 1), LETTERS[rng.integers(26)]
    a, b = word[i : i + 2]
    wrong = [b + a, b, a, a + letter + b, a + a + b, letter + b, a + letter]
    return word[:i] + wrong[rng.integers(len(wrong))] + word[i + 2 :]


def spelling(n, rng, data):
    """Yield frequent English words with typing errors, and without."""
    table = pd.read_csv(data / "train.tsv.gz", sep="\t", quoting=3, keep_default_na=False)
    words = table.en.drop_duplicates().str.lower().str.findall("[a-z]{4,}").explode()
    words = words.value_counts().index[:N_WORDS].to_numpy()
    seen = set(words)
    while len(seen) < n + N_WORDS:
        word = words[rng.integers(N_WORDS)]
        wrong = with_error(word, rng)
        if wrong not in seen:
            seen.add(wrong)
            yield wrong, word


def nearest_word(X, y):
    counts = Counter(y)

    def correct(text):
        halves = [(text[:i], text[i:]) for i in range(len(text) + 1)]
        near = [a + b[1:] for a, b in halves] + [a + b[1:2] + b[:1] + b[2:] for a, b in halves]
        near += [a + c + rest for a, b in halves for c in LETTERS for rest in (b, b[1:])]
        return max(near, key=lambda word: counts[word])

    return correct


# The comparison.


def compare(name, make, baseline, n, max_epochs, seed):
    pairs = make(n + N_TEST, np.random.default_rng(seed))
    X, y = map(list, zip(*pairs, strict=True))
    translator = Seq2SeqTranslator(
        tokenization="char", max_epochs=max_epochs, metric="exact_match", random_state=seed
    )
    start = time.perf_counter()
    translator.fit(X[:n], y[:n])
    seconds = time.perf_counter() - start
    result = {"task": name, "pairs": n, "fit s": seconds, "epochs": max_epochs}
    for name, beam_size in (("greedy", 1), ("beam 4", 4)):
        translator.set_params(beam_size=beam_size)
        start = time.perf_counter()
        result[name] = translator.score(X[n:], y[n:])
        result["texts/s, " + name] = N_TEST / (time.perf_counter() - start)
    if baseline is not None:
        result["baseline"] = exact_match_score(y[n:], list(map(baseline(X[:n], y[:n]), X[n:])))
    return result


def main():
    args = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    args.add_argument("--data", type=Path)
    args.add_argument("--tasks", nargs="+", default=["dates", "phonemes", "spelling"])
    args.add_argument("--pairs", type=int, default=10_000)
    args.add_argument("--max-epochs", type=int, default=10)
    args.add_argument("--seeds", type=int, default=1)
    args = args.parse_args()
    tasks = {
        "dates": (dates, date_reader),
        "phonemes": (phonemes, None),
        "spelling": (partial(spelling, data=args.data), nearest_word),
    }
    results = [
        compare(name, *tasks[name], args.pairs, args.max_epochs, seed)
        for name in args.tasks
        for seed in range(args.seeds)
    ]
    print(pd.DataFrame(results).to_string(index=False, float_format="{:.3f}".format))


if __name__ == "__main__":
    main()
