"""Where should outliers begin, and does the faulty cell come first?

    python benchmarks/bench_detector.py thresholds --data DIR
    python benchmarks/bench_detector.py faults

``thresholds`` compares rules that need no guess: the share of rows flagged of clean synthetic
tables, its mean and its 90 % quantile, F1 of those with 5 % and 10 % of shifted rows, and F1 on
``DIR/adbench/*.npz``, fitted on half of the normal rows (semi) or on all rows (unsup). ``faults``
puts a cell of held-out normal rows one standard deviation beyond the column's range, or swaps
in that of another row if it is 1.5 standard deviations off. It gives the share of normal rows and
of such rows that are flagged, and of the latter at one false-alarm rate for all estimators; the
share of the flagged rows in which that column has the largest contribution; and the cells changed
by ``nearest_normal``.
"""

import argparse
import warnings
from pathlib import Path

import numpy as np
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.metrics import f1_score
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KernelDensity, LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skae import Autoencoder, OutlierDetector
from skae._outliers.thresholds import offset_of

#: Fraction of held-out normal rows below the level at which all estimators are compared.
LEVEL = 0.05
#: Halves of each table that faults are looked for in.
N_SEEDS = 5
TABLES = {
    "breast cancer": lambda: load_breast_cancer().data[load_breast_cancer().target == 1],
    "wine": lambda: load_wine().data,
    "diabetes": lambda: load_diabetes().data,
}
ESTIMATORS = {
    "default": None,
    "Autoencoder": Autoencoder(max_epochs=50, check_baseline=False),
    "PCA": PCA(),
    "PCA 90 %": PCA(0.9),
    "GaussianMixture": GaussianMixture(3, reg_covar=1e-2),
    "KernelDensity": KernelDensity(bandwidth=0.7),
    "IsolationForest": IsolationForest(),
    "LocalOutlierFactor": LocalOutlierFactor(novelty=True),
}
#: Those that take constant columns.
ROBUST = ["PCA 90 %", "GaussianMixture", "IsolationForest", "LocalOutlierFactor"]
MAX_ROWS = 2500


def tukey(scores):
    low, high = np.quantile(scores, [0.25, 0.75])
    return low - 1.5 * (high - low)


def adjusted_boxplot(scores):
    """Return the lower whisker of Hubert and Vandervieren, 2008."""
    x = -np.quantile(scores, (np.arange(800) + 0.5) / 800)
    q1, median, q3 = np.quantile(x, [0.25, 0.5, 0.75])
    above, below = x[x >= median, None], x[None, x <= median]
    with np.errstate(invalid="ignore"):
        medcouple = np.nanmedian((above + below - 2 * median) / (above - below))
    return -(q3 + 1.5 * np.exp((3 if medcouple >= 0 else 4) * medcouple) * (q3 - q1))


RULES = {
    "auto": lambda scores: offset_of(scores, "auto"),
    "adjusted boxplot": adjusted_boxplot,
    "boxplot": tukey,
    "5 %": lambda scores: np.quantile(scores, 0.05),
    "10 %": lambda scores: np.quantile(scores, 0.1),
}


def synthetic(rng):
    """Yield clean tables: normal, uniform, of heavy tails, skewed and in clusters."""
    for n_features in (2, 10, 30):
        shape = (1000, n_features)
        centers = 4 * rng.standard_normal((4, n_features))
        yield rng.standard_normal(shape) @ rng.standard_normal((n_features, n_features))
        yield rng.random(shape)
        yield rng.standard_t(3, shape)
        yield np.exp(0.7 * rng.standard_normal(shape))
        yield centers[rng.integers(4, size=1000)] + rng.standard_normal(shape)


def adbench(folder, rng):
    """Yield tables of 2,500 rows at most, and which rows are outliers."""
    for path in sorted((folder / "adbench").glob("*.npz")):
        with np.load(path) as data:
            X, y = data["X"].astype(float), data["y"].astype(bool)
        share = min(1, MAX_ROWS / len(X))
        groups = [rng.permutation(np.flatnonzero(y == value)) for value in (False, True)]
        rows = np.concatenate([group[: max(5, round(share * len(group)))] for group in groups])
        yield X[rows], y[rows]


def model(name):
    estimator = ESTIMATORS[name]
    return None if estimator is None else make_pipeline(StandardScaler(), estimator)


def fitted(name, X):
    return OutlierDetector(model(name), random_state=0).fit(X)


def thresholds(data, names):
    rng = np.random.default_rng(0)
    results = {rule: {"clean": [], "planted": [], "semi": [], "unsup": []} for rule in RULES}

    def add(what, detector, X, y):
        for rule, of_rule in RULES.items():
            found = detector.score_samples(X) < of_rule(detector.calibration_scores_)
            result = found.mean() if what == "clean" else f1_score(y, found, zero_division=0)
            results[rule][what].append(result)

    for X in synthetic(rng):
        for name in names:
            add("clean", fitted(name, X), X, None)
            for n_outliers in (50, 100):
                y, shifted = np.arange(1000) < n_outliers, X.copy()
                signs = rng.choice([-1, 1], (n_outliers, X.shape[1]))
                shifted[y] += signs * rng.uniform(3, 6, (n_outliers, 1)) * X.std(0)
                add("planted", fitted(name, shifted), shifted, y)
    for X, y in adbench(data, rng):
        normal = rng.permutation(np.flatnonzero(~y))
        train = normal[: len(normal) // 2]
        test = np.r_[normal[len(train) :], np.flatnonzero(y)]
        for name in names:
            add("semi", fitted(name, X[train]), X[test], y[test])
            add("unsup", fitted(name, X), X, y)
    print(f"{'rule':20}{'clean':>8}{'90 %':>8}{'planted':>8}{'semi':>8}{'unsup':>8}")
    for rule, of_rule in results.items():
        means = [np.mean(of_rule[what]) for what in ("planted", "semi", "unsup")]
        clean = [np.mean(of_rule["clean"]), np.quantile(of_rule["clean"], 0.9)]
        print(f"{rule:20}" + "".join(f"{value:8.3f}" for value in clean + means), flush=True)


def damage(normal, train, kind, rng):
    """Return rows with a fault each, and its column."""
    faulty, which = normal.copy(), np.arange(len(normal))
    column, spread = rng.integers(train.shape[1], size=len(normal)), train.std(0)
    if kind == "beyond":
        high = rng.random(len(normal)) < 0.5
        ends = np.where(high, train.max(0)[column], train.min(0)[column])
        faulty[which, column] = ends + np.where(high, 1, -1) * spread[column]
    else:
        faulty[which, column] = train[rng.integers(len(train), size=len(normal)), column]
    shows = np.abs(faulty - normal)[which, column] > 1.5 * spread[column]
    return faulty[shows], column[shows]


def faults(names):
    head = "rows", "alarms", "flagged", "at 5 %", "first", "cells"
    print(f"{'table':16}{'estimator':20}{'fault':8}" + "".join(f"{name:>8}" for name in head))
    for table, load in TABLES.items():
        for name in names:
            found, alarms, at_level = {"beyond": [], "swap": []}, [], {"beyond": [], "swap": []}
            for seed in range(N_SEEDS):
                rng = np.random.default_rng(seed)
                train, test = np.array_split(rng.permutation(load()), 2)
                detector = fitted(name, train)
                is_normal = detector.predict(test) == 1
                alarms.append(1 - is_normal.mean())
                scores = detector.score_samples(test)
                level = np.quantile(scores, LEVEL)
                for kind, parts in found.items():
                    parts.append(explained(detector, *damage(test[is_normal], train, kind, rng)))
                    faulty, _ = damage(test[scores >= level], train, kind, rng)
                    at_level[kind].append(detector.score_samples(faulty) < level)
            for kind, parts in found.items():
                is_odd, is_first, n_changed = (np.concatenate(p) for p in zip(*parts, strict=True))
                values = np.mean(alarms), is_odd.mean(), np.concatenate(at_level[kind]).mean()
                if is_odd.any():
                    values += is_first.mean(), n_changed.mean()
                line = f"{table:16}{name:20}{kind:8}{len(is_odd):8}"
                print(line + "".join(f"{value:8.2f}" for value in values), flush=True)


def explained(detector, faulty, column):
    """Return which rows are flagged, and of these which faults come first and the cells changed."""
    is_odd = detector.predict(faulty) == -1
    odd = faulty[is_odd]
    if not len(odd):
        return is_odd, [], []
    is_first = detector.explain(odd).to_numpy().argmax(1) == column[is_odd]
    return is_odd, is_first, (detector.nearest_normal(odd) != odd).sum(1)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["thresholds", "faults"])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--estimators", nargs="+", choices=ESTIMATORS)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    if args.what == "thresholds":
        thresholds(args.data, args.estimators or ROBUST)
    else:
        faults(args.estimators or ESTIMATORS)


if __name__ == "__main__":
    main()
