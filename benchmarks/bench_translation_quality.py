"""How many bad translations are among those that the net is least sure of.

Needs a folder with ``val.tsv.gz``, whose lines are a sentence and its translation, and a fitted
translator of it, which `skae.save` or pickle has written::

    python benchmarks/bench_translation_quality.py --data DIR --model FILE [--sentences 3000]

A translation is bad if its chrF against the best of its references is below 0.3. Those of the
lowest score are flagged. Scores are the mean log-probability of a token (``quality``), the
log-probability of the whole translation (``log_likelihood``), minus the length of the text, and
chance. The table says which fraction of the bad ones is flagged, how many of the flagged ones are
bad, and the rank correlation of score and chrF.
"""

import argparse
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
from sacrebleu.metrics import CHRF
from scipy.stats import spearmanr

import skae

FRACTIONS = 0.05, 0.1, 0.2


def load(path):
    if path.suffix == ".skae":
        return skae.load(path)
    with path.open("rb") as file:
        return pickle.load(file)


def compare(translator, texts, references, bad_below):
    translations = translator.predict(texts)
    chrf = CHRF()
    scores = np.array(
        [
            chrf.sentence_score(text, right).score / 100
            for text, right in zip(translations, references, strict=True)
        ]
    )
    is_bad = scores < bad_below
    print(
        f"{translator.architecture}, beam {translator.beam_size}: {len(texts)} sentences, mean "
        f"chrF {scores.mean():.3f}, {is_bad.mean():.1%} below {bad_below}"
    )
    whole = translator.quality(texts)
    n_tokens = np.array([len(row) for row in translator._encode(texts)])
    contestants = {
        "quality": whole,
        "log_likelihood": translator.log_likelihood(texts, translations),
        "minus length": -n_tokens,
        "chance": np.random.default_rng(0).permutation(len(texts)),
    }
    header = "".join(f"{f'flag {f:.0%}':>22}" for f in FRACTIONS)
    print(f"{'':16}{header}{'rank correlation':>20}")
    for name, score in contestants.items():
        cells = ""
        for fraction in FRACTIONS:
            flagged = np.argsort(score, kind="stable")[: int(fraction * len(score))]
            n_bad = is_bad[flagged].sum()
            part = f"{n_bad / is_bad.sum():.0%}, {n_bad / len(flagged):.0%} bad"
            cells += f"{part:>22}"
        print(f"{name:16}{cells}{spearmanr(score, scores)[0]:20.2f}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--sentences", type=int, default=3000)
    parser.add_argument("--bad-below", type=float, default=0.3)
    parser.add_argument("--beam", type=int, nargs="+", default=[1, 4])
    args = parser.parse_args()
    pairs = pd.read_csv(args.data / "val.tsv.gz", sep="\t", quoting=3, keep_default_na=False)
    references = pairs.groupby("en", sort=False).fr.agg(list)
    references = references.sample(min(args.sentences, len(references)), random_state=0)
    translator = load(args.model)
    for beam_size in args.beam:
        translator.set_params(beam_size=beam_size)
        compare(translator, references.index.tolist(), references.tolist(), args.bad_below)


if __name__ == "__main__":
    main()
