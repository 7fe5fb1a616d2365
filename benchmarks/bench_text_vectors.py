"""A translator's vectors of texts as features, beside TF-IDF and its SVD.

Needs the folder with ``train.tsv.gz`` and ``val.tsv.gz``, whose lines are a sentence and its
translation, and a translator that was fitted on the first and saved::

    python benchmarks/bench_text_vectors.py --data DIR --model translator.skae

A logistic regression is fitted on 50 or 200 labeled sentences of the second file and tested
on the others; accuracy, mean of five draws. The labels are facts about the translation, found by
regular expressions, that a classifier has to read from the source: is it in the past, does it
address someone, is it negated, is the first noun with an article feminine? Classes are balanced.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegressionCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skae

LABELS = {
    "past": r"\b(?:ai|as|a|avons|avez|ont|est|suis|sont|était|avait|avais)\b \w+(?:é|i|u)e?s?\b",
    "address": r"\b(?:tu|te|toi|vous|ton|ta|tes|votre|vos)\b|-vous|-toi",
    "negation": r"\b(?:ne|n['’])\b",
}
N_LABELED, N_DRAWS = (50, 200), 5
PROBE = {
    "Cs": 5,
    "l1_ratios": (0,),
    "scoring": "accuracy",
    "max_iter": 500,
    "use_legacy_attributes": False,
}


def tasks(pairs):
    """Yield a name, sentences and their labels, as many of each."""
    french = pairs.fr.str.lower()
    for name, pattern in LABELS.items():
        yield name, pairs.en, french.str.contains(pattern, regex=True)
    noun = french.str.extract(r"\b(une|un|le|la)\b")[0]
    has = noun.notna()
    yield "feminine", pairs.en[has], noun[has].isin(["une", "la"])


def balanced(texts, is_true, rng):
    n = min(is_true.sum(), (~is_true).sum())
    which = [rng.permutation(np.flatnonzero(is_true == value))[:n] for value in (True, False)]
    order = rng.permutation(np.concatenate(which))
    return texts.to_numpy()[order], is_true.to_numpy()[order]


def main():
    args = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    args.add_argument("--data", type=Path, required=True)
    args.add_argument("--model", type=Path, required=True)
    args = args.parse_args()
    translator = skae.load(args.model)
    pairs = pd.read_csv(args.data / "val.tsv.gz", sep="\t", quoting=3, keep_default_na=False)
    pairs = pairs.drop_duplicates("en")
    vectors = dict(zip(pairs.en, translator.transform(pairs.en), strict=True))
    rows = []
    for name, texts, is_true in tasks(pairs):
        for draw in range(N_DRAWS):
            X, y = balanced(texts, is_true, np.random.default_rng(draw))
            for n in (n for n in N_LABELED if n < len(X) / 2):
                features = {
                    "tf-idf": lambda: TfidfVectorizer(token_pattern=r"\w+", ngram_range=(1, 2)),
                    "tf-idf + SVD": lambda n=n: make_pipeline(
                        TfidfVectorizer(token_pattern=r"\w+", ngram_range=(1, 2)),
                        TruncatedSVD(min(100, n // 2), random_state=0),
                        StandardScaler(),
                    ),
                    "translator": StandardScaler,
                }
                row = {"task": name, "labeled": n}
                for kind, make in features.items():
                    samples = np.array([vectors[x] for x in X]) if kind == "translator" else X
                    probe = make_pipeline(make(), LogisticRegressionCV(**PROBE))
                    row[kind] = probe.fit(samples[:n], y[:n]).score(samples[n:], y[n:])
                rows.append(row)
    table = pd.DataFrame(rows).groupby(["task", "labeled"], sort=False).mean()
    print(table.to_string(float_format="{:.3f}".format))


if __name__ == "__main__":
    main()
