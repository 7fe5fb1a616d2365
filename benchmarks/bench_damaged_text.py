"""Quality of translation of texts as they come: odd blanks, capitals, other keyboards, lines.

Needs the folder ``eng_fra`` with ``val.tsv.gz``, whose lines are a sentence and its translation,
and a translator from English to French, such as one that ``bench_translation.py`` saves::

    python benchmarks/bench_damaged_text.py MODEL.skae --data DIR [--n-texts 300]

Translates the clean texts and the same texts with each damage, and prints the chrF of each as a
fraction of that of the clean texts. A text with several translations has all of them as references.
"""

import argparse
import random
import unicodedata
from pathlib import Path

import pandas as pd

import skae
from skae.metrics import chrf_score


def with_a_line_break(text):
    """Put a line break at one of the blanks."""
    words = text.split(" ")
    if len(words) == 1:
        return text
    place = random.Random(text).randrange(1, len(words))
    return f"{' '.join(words[:place])}\n{' '.join(words[place:])}"


DAMAGES = {
    "clean": str,
    "double blanks": lambda text: text.replace(" ", "  "),
    "no-break spaces": lambda text: text.replace(" ", "\u00a0"),
    "narrow no-break spaces": lambda text: text.replace(" ", "\u202f"),
    "tabs": lambda text: text.replace(" ", "\t"),
    "one line break": with_a_line_break,
    "a line for each word": lambda text: text.replace(" ", "\n"),
    "zero-width spaces": lambda text: text.replace(" ", " \u200b"),
    "soft hyphens": lambda text: "\u00ad".join(text),
    "byte order mark, control characters": lambda text: f"\ufeff{text}\x00\x07",
    "curly quotes": lambda text: text.replace("'", "’").replace('"', "“"),
    "other apostrophes and dashes": lambda text: text.replace("'", "`").replace("-", "–"),
    "full-width letters": lambda text: "".join(
        chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text
    ),
    "decomposed": lambda text: unicodedata.normalize("NFD", text),
    "capitals": str.upper,
    "no capitals": str.lower,
    "without the period": lambda text: text.rstrip("."),
    "an emoji at the end": lambda text: f"{text} 🙂",
}


def read(path, n_texts):
    """Return texts, and the translations of each."""
    pairs = pd.read_csv(path, sep="\t", quoting=3, keep_default_na=False)
    grouped = pairs.groupby("en", sort=False)["fr"].agg(list)
    grouped = grouped.sample(min(n_texts, len(grouped)), random_state=0)
    return grouped.index.tolist(), grouped.tolist()


def two_at_a_time(translator, texts, right, separator):
    """Return the chrF of pairs of texts translated as one."""
    n = len(texts) // 2
    joined = [separator.join(texts[2 * i : 2 * i + 2]) for i in range(n)]
    references = [[f"{a} {b}" for a in right[2 * i] for b in right[2 * i + 1]] for i in range(n)]
    one_by_one = translator.predict(texts[: 2 * n])
    whole = [" ".join(one_by_one[2 * i : 2 * i + 2]) for i in range(n)]
    together = translator.predict(joined)
    return chrf_score(references, whole), chrf_score(references, together)


def main():
    """Print a table of scores."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("model", type=Path, help="a file of skae.save")
    parser.add_argument("--data", type=Path, default=Path("data"), help="folder with eng_fra")
    parser.add_argument("--n-texts", type=int, default=300)
    args = parser.parse_args()
    translator = skae.load(args.model)
    texts, right = read(args.data / "eng_fra" / "val.tsv.gz", args.n_texts)
    clean = None
    print("texts                                  chrF  of clean  changed texts")
    for name, damage in DAMAGES.items():
        damaged = [damage(text) for text in texts]
        score = chrf_score(right, translator.predict(damaged))
        clean = clean or score
        n_changed = sum(a != b for a, b in zip(texts, damaged, strict=True))
        print(f"{name:36} {score:6.3f} {score / clean:9.3f} {n_changed:14}", flush=True)
    for name, separator in (("a blank", " "), ("a line break", "\n"), ("an empty line", "\n\n")):
        one, two = two_at_a_time(translator, texts, right, separator)
        print(f"{f'two texts as one, {name} between':36} {two:6.3f} {two / one:9.3f}", flush=True)


if __name__ == "__main__":
    main()
