"""Names and numbers that a translator has never seen: do they come out as they went in?

Needs a translator and the training pairs, of which no name is::

    python benchmarks/bench_unknown_words.py MODEL.skae --data DIR

A number is also right if its digits are there in their order, as in 7 391 for 7,391.
"""

import argparse
import re
from pathlib import Path

import numpy as np
import pandas as pd
import torch

import skae

BEGINNINGS = [*"bcdfghjklmnprstvwz", *(letter + "r" for letter in "bcdfgpt")]
VOWELS, ENDS = [*"aeiou", "ai", "ea", "io"], [*"nrlmsx", "th", "ck", "nd"]

TEXTS_WITH_NAMES = [
    "We are waiting for {}.",
    "{} bought a new car.",
    "Did {} call you?",
    "I live next to {}.",
    "{} and I are friends.",
    "She married {} last year.",
]
TEXTS_WITH_NUMBERS = [
    "My number is {}.",
    "They sold {} of them.",
    "He wrote {} on the wall.",
    "{} is not enough.",
]
FORMS = [
    lambda rng: str(rng.integers(10, 100)),
    lambda rng: str(rng.integers(100, 1000)),
    lambda rng: str(rng.integers(1000, 10_000)),
    lambda rng: str(rng.integers(10_000, 100_000)),
    lambda rng: f"{rng.integers(1, 24)}:{rng.integers(10, 60)}",
    lambda rng: f"{rng.integers(2, 100)},{rng.integers(100, 1000)}",
    lambda rng: f"{rng.integers(1, 100)}.{rng.integers(10, 100)}",
    lambda rng: f"${rng.integers(10, 100)}",
    lambda rng: f"{rng.integers(10, 100)}%",
    lambda rng: f"{rng.integers(30, 400)}th",
    lambda rng: f"{rng.integers(30, 400)}kg",
    lambda rng: f"B{rng.integers(100, 1000)}",
    lambda rng: f"{rng.integers(100, 1000)}x{rng.integers(100, 1000)}",
]


def make_names(n, rng, seen):
    """Yield different names that are no words of some texts."""
    seen = set(seen)
    while n:
        syllables = [rng.choice(BEGINNINGS) + rng.choice(VOWELS) for _ in range(rng.integers(1, 4))]
        name = "".join(syllables) + rng.choice(ENDS)
        if name not in seen:
            seen.add(name)
            n -= 1
            yield name.capitalize()


def digits(text):
    return re.findall(r"\d", text)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--words", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    train = pd.read_csv(args.data / "train.tsv.gz", sep="\t", quoting=3, keep_default_na=False)
    rng = np.random.default_rng(args.seed)
    seen = train.en.str.lower().str.findall(r"\w+").explode()
    names = list(make_names(args.words, rng, seen))
    numbers = [FORMS[i % len(FORMS)](rng) for i in range(args.words)]
    translator = skae.load(args.model)
    for kind, parts, texts in (
        ("names", names, TEXTS_WITH_NAMES),
        ("numbers", numbers, TEXTS_WITH_NUMBERS),
    ):
        texts = [texts[i % len(texts)].format(part) for i, part in enumerate(parts)]
        pairs = list(zip(parts, texts, translator.predict(texts), strict=True))
        odd = [pair for pair in pairs if pair[0] not in pair[2]]
        print(f"{kind}: {len(parts) - len(odd)} of {len(parts)} kept", end="")
        if kind == "numbers":
            n_right = sum(digits(part) == digits(translated) for part, _, translated in pairs)
            print(f"; the digits of {n_right}", end="")
        print()
        for _, text, translated in odd[:: max(1, len(odd) // 8)]:
            print(f"    {text} | {translated}")


if __name__ == "__main__":
    main()
