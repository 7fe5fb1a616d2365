"""Anomaly detection with a few labels: `OutlierDetector` with and without them, and a forest.

    python benchmarks/bench_few_labels.py --data DIR

DIR holds the tables of ADBench in ``adbench/``, arrays ``X`` and ``y`` in a ``.npz`` file each.
Larger ones are cut to ``--cap`` rows, with the same share of anomalies. A table is split in half,
with the same share of anomalies in both. Of the first half, 1 % or 5 % of the rows are drawn and
labeled, anomalies and normal rows as they come; one of them is an anomaly at least. The detector
is fitted on the whole first half, with and without these labels, and a random forest on the
labeled rows alone. They are judged on the second half.

*new kinds* is another question: are anomalies still found that are like no labeled one? The
anomalies are parted into two clusters. As many of the first cluster are labeled, and those of the
second are to be found.
"""

import argparse
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from bench_outliers import load
from sklearn.cluster import KMeans
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from skae import OutlierDetector

TABLES = (
    "annthyroid",
    "campaign",
    "cardio",
    "Cardiotocography",
    "fault",
    "mnist",
    "optdigits",
    "SpamBase",
)
FRACTIONS = 0.01, 0.05


def without_labels(X, labels, X_new, seed):
    del labels
    return OutlierDetector(random_state=seed).fit(X).score_samples(X_new)


def with_labels(X, labels, X_new, seed):
    detector = OutlierDetector(use_labels=True, random_state=seed)
    return detector.fit(X, labels).score_samples(X_new)


def forest(X, labels, X_new, seed):
    is_known = labels != 0
    model = RandomForestClassifier(random_state=seed).fit(X[is_known], labels[is_known] == -1)
    return -model.predict_proba(X_new)[:, 1]


METHODS = {"no labels": without_labels, "labels": with_labels, "forest alone": forest}


def draw_labels(is_odd, may_be_known, fraction, rng):
    """Return labels of a fraction of the rows; anomalies are drawn where they may be known."""
    labels = np.zeros(len(is_odd), int)
    drawn = rng.permutation(len(is_odd))[: max(2, round(fraction * len(is_odd)))]
    labels[drawn] = np.where(is_odd[drawn], -1, 1)
    n_odd = max(1, (labels == -1).sum())
    labels[labels == -1] = 0
    known = np.flatnonzero(may_be_known)
    labels[rng.choice(known, min(n_odd, len(known)), replace=False)] = -1
    if not (labels == 1).any():
        labels[rng.choice(np.flatnonzero(~is_odd))] = 1
    return labels


def clusters(X, is_odd, seed):
    """Return 0 for normal rows, 1 or 2 for anomalies of two clusters."""
    scaled = StandardScaler().fit_transform(X)
    found = np.zeros(len(X), int)
    found[is_odd] = 1 + KMeans(2, n_init=3, random_state=seed).fit_predict(scaled[is_odd])
    return found if seed % 2 else np.array([0, 2, 1])[found]


def measure(path, cap, seed):
    """Yield a line for each fit."""
    X, y = load(path, cap, seed)
    kinds = clusters(X, y == 1, seed)
    fit, judged = train_test_split(np.arange(len(X)), test_size=0.5, stratify=y, random_state=seed)
    is_odd, kinds_fit, kinds_judged = y[fit] == 1, kinds[fit], kinds[judged]
    none = without_labels(X[fit], None, X[judged], seed)
    for fraction in FRACTIONS:
        for question, may_be_known, asked in (
            ("all kinds", is_odd, np.ones(len(judged), bool)),
            ("new kinds", kinds_fit == 1, kinds_judged != 1),
        ):
            labels = draw_labels(is_odd, may_be_known, fraction, np.random.default_rng(seed))
            for name, method in METHODS.items():
                scores = none
                if method is not without_labels:
                    scores = method(X[fit], labels, X[judged], seed)
                found = y[judged][asked], -scores[asked]
                yield {
                    "question": question,
                    "labeled": fraction,
                    "table": path.stem.partition("_")[2],
                    "method": name,
                    "AUROC": 100 * roc_auc_score(*found),
                    "AUPR": 100 * average_precision_score(*found),
                }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cap", type=int, default=4000)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--tables", nargs="+", default=TABLES)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    lines = []
    for name in options.tables:
        (path,) = (options.data / "adbench").glob(f"*_{name}.npz")
        for seed in range(options.seeds):
            lines += measure(path, options.cap, seed)
    keys = ["question", "labeled", "method"]
    means = pd.DataFrame(lines).groupby([*keys, "table"])[["AUROC", "AUPR"]].mean()
    for measure_name in means:
        by_table = means[measure_name].unstack("table")
        by_table["mean"] = by_table.mean(axis=1)
        print(measure_name, by_table.round(1).to_string(), sep="\n")


if __name__ == "__main__":
    main()
