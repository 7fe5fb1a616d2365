"""Codes that learn labels, beside LDA, NCA, PLS and supervised UMAP.

    pip install umap-learn
    python benchmarks/bench_supervised_codes.py --data DIR --keep supervised.csv
    python benchmarks/bench_supervised_codes.py --keep supervised.csv --report-only

DIR is that of ``code_sets.py``, which says what the sets are and how they are prepared. Each method
is fitted on the training folds with their labels, and turns the held-out rows into 2, 4 and 8
codes; as many codes as columns, or more, are left out. LDA has at most one code less than classes.
Logistic or ridge regression and 5 nearest neighbors learn from the codes of the training folds, as
they are, and predict the labels of the held-out one: accuracy, or R2 of a regression. R2 is that of
the held-out rows, restored from the codes.

``--labeled 0.1`` leaves a tenth of the labels. Autoencoders and UMAP then are fitted on all rows,
the others and the probes on those with labels. Lines that the file of ``--keep`` has are not
computed again, so methods can be run one after another, in environments of their own.
``--skae LABEL [NAME=VALUE ...]`` adds an autoencoder with labels and these parameters.
"""

import argparse
import ast
import csv
import time
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from code_sets import SETS, code_sets
from sklearn.cross_decomposition import PLSRegression
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.metrics import r2_score
from sklearn.neighbors import (
    KNeighborsClassifier,
    KNeighborsRegressor,
    NeighborhoodComponentsAnalysis,
)
from sklearn.preprocessing import FunctionTransformer

CHOSEN = [
    "iris",
    "wine",
    "breast_cancer",
    "digits",
    "mnist",
    "adult",
    "cardiotocography",
    "fault",
    "ionosphere",
    "letter",
    "pima",
    "stamps",
    "diabetes",
    "wine_alcohol",
    "fault_thickness",
]
KEYS = ["set", "rows", "labeled", "fold", "k", "method"]
FIGURES = ["linear", "k-NN", "R2", "fit_s"]


# Methods: each makes a transformer of k codes, for y of a set, and says what it is fitted on.


def raw(k, y, is_regression):
    return FunctionTransformer()


def lda(k, y, is_regression):
    if is_regression:
        return None
    return LinearDiscriminantAnalysis(n_components=min(k, len(np.unique(y)) - 1))


def nca(k, y, is_regression):
    return None if is_regression else NeighborhoodComponentsAnalysis(k, random_state=0)


class PLS(PLSRegression):
    """PLS of numbers, or of classes as columns of 0 and 1."""

    def fit(self, X, y):
        return super().fit(X, y if y.dtype.kind == "f" else pd.get_dummies(y).astype(float))


def pls(k, y, is_regression):
    return PLS(k)


def umap(k, y, is_regression):
    from umap import UMAP

    metric = "euclidean" if is_regression else "categorical"
    return UMAP(n_components=k, random_state=0, target_metric=metric)


def skae(k, y, is_regression, **params):
    from skae import Autoencoder

    params = {"target": "regression" if is_regression else "classification"} | params
    return Autoencoder(k, random_state=0, check_baseline=False, **params)


METHODS = {
    "raw": raw,
    "LDA": lda,
    "NCA": nca,
    "PLS": pls,
    "UMAP": umap,
    "skae, no labels": partial(skae, target=None),
    "skae": skae,
}


def labels_left(code_set, y, fraction, seed):
    """Return which labels are left: of classes a fraction of each, but two at least."""
    rng = np.random.default_rng(seed)
    groups = np.zeros(len(y)) if code_set.is_regression else y
    is_left = np.zeros(len(y), bool)
    for group in np.unique(groups):
        rows = np.flatnonzero(groups == group)
        is_left[rng.permutation(rows)[: max(2, round(fraction * len(rows)))]] = True
    return is_left


def without(y, is_left, is_regression, name):
    """Return labels of which some are missing, as a method takes them."""
    if is_regression and name == "UMAP":
        return y
    return np.where(is_left, y, np.nan if is_regression else -1)


def cell(code_set, train, test, k, name, make, is_left):
    """Return the figures of a method with k codes on one fold, or None if it has none."""
    prepare = code_set.preparation()
    rows = np.asarray(prepare.fit_transform(code_set.take(train)), np.float32)
    rows_new = np.asarray(prepare.transform(code_set.take(test)), np.float32)
    y, y_new, is_regression = code_set.y[train], code_set.y[test], code_set.is_regression
    estimator = make(k, y[is_left], is_regression)
    if estimator is None:
        return None
    takes_all = name.startswith("skae") or (name == "UMAP" and not is_regression)
    given = rows, without(y, is_left, is_regression, name)
    if is_left.all() or not takes_all:
        given = rows[is_left], y[is_left]
    start = time.process_time()
    estimator.fit(*given)
    figures = {"fit_s": time.process_time() - start}
    codes, codes_new = estimator.transform(rows[is_left]), estimator.transform(rows_new)
    probes = {
        "linear": (LogisticRegression(max_iter=2000), RidgeCV(np.logspace(-3, 3, 7))),
        "k-NN": (KNeighborsClassifier(), KNeighborsRegressor()),
    }
    for probe, kinds in probes.items():
        model = kinds[is_regression].fit(codes, y[is_left])
        figures[probe] = model.score(codes_new, y_new)
    if name.startswith("skae"):
        restored = estimator.inverse_transform(codes_new)
        figures["R2"] = r2_score(rows_new, restored, multioutput="variance_weighted")
    return figures


# All cells, kept in a file.


def read(keep):
    """Return the results in a file, the last one of each cell."""
    if keep is None or not keep.exists():
        return pd.DataFrame(columns=[*KEYS, *FIGURES])
    return pd.read_csv(keep).drop_duplicates(KEYS, keep="last")


def measure(options, methods):
    """Compute what is not kept yet, and return all results."""
    found = read(options.keep)
    done, lines = set(found[KEYS].itertuples(index=False, name=None)), found.to_dict("records")
    for code_set in code_sets(options.data, options.sets, options.max_rows):
        width = code_set.preparation().fit_transform(code_set.take(range(len(code_set.y)))).shape[1]
        for fold, (train, test) in enumerate(code_set.folds(5)[: options.folds]):
            is_left = np.ones(len(train), bool)
            if options.labeled < 1:
                is_left = labels_left(code_set, code_set.y[train], options.labeled, fold)
            for k in [k for k in options.components if k < width]:
                for name in options.methods:
                    key = code_set.name, options.max_rows, options.labeled, fold, k, name
                    if key in done:
                        continue
                    figures = cell(code_set, train, test, k, name, methods[name], is_left)
                    if figures is not None:
                        lines.append(dict(zip(KEYS, key, strict=True)) | figures)
                        append(options.keep, lines[-1])
    return pd.DataFrame(lines, columns=[*KEYS, *FIGURES])


def append(keep, line):
    """Add a line to the file."""
    if keep is None:
        return
    is_new = not keep.exists()
    with keep.open("a", newline="") as file:
        writer = csv.DictWriter(file, [*KEYS, *FIGURES])
        if is_new:
            writer.writeheader()
        writer.writerow({n: round(v, 5) if isinstance(v, float) else v for n, v in line.items()})


def report(results):
    """Print means over folds and sets, and each set, as Markdown tables."""
    is_regression = results["set"].map(lambda name: name in REGRESSIONS)
    for kind, some in results.groupby([results["labeled"], is_regression]):
        labeled, is_of_numbers = kind
        what = "R2 of numbers" if is_of_numbers else "accuracy"
        print(f"\n## {what}, {labeled:.0%} of the labels: linear / k-NN / R2 of the rows\n")
        means = some.groupby(["set", "k", "method"])[FIGURES].mean().reset_index()
        in_all = means.groupby(["set", "k"])["method"].transform("nunique")
        means = means[in_all == means["method"].nunique()]
        by_k = means.groupby(["k", "method"])[FIGURES].mean()
        show(pd.concat([by_k, pd.concat({"mean": means.groupby("method")[FIGURES].mean()})]))
        show(means.groupby(["set", "method"])[FIGURES].mean())


def show(figures):
    """Print a line for each set or number of codes, and a column for each method."""
    texts = figures.apply(text, axis=1).unstack()
    texts = texts[[m for m in METHODS if m in texts] + [m for m in texts if m not in METHODS]]
    print("| | " + " | ".join(texts.columns) + " |\n|---|" + "---|" * texts.shape[1])
    for name, line in texts.iterrows():
        print(f"| {name} | " + " | ".join(line.fillna("")) + " |")
    print()


def text(line):
    shown = [line["linear"], line["k-NN"], *([] if np.isnan(line["R2"]) else [line["R2"]])]
    return " / ".join(f"{value:.3f}" for value in shown)


REGRESSIONS = "diabetes", "wine_alcohol", "cancer_fractal", "fault_thickness", "adult_hours"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--report-only", action="store_true")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=CHOSEN)
    parser.add_argument("--methods", nargs="+", default=[m for m in METHODS if m != "UMAP"])
    parser.add_argument("--components", type=int, nargs="+", default=[2, 4, 8])
    parser.add_argument("--labeled", type=float, default=1.0)
    parser.add_argument("--max-rows", type=int, default=3000)
    parser.add_argument("--folds", type=int, default=5, help="the first so many of five")
    parser.add_argument("--skae", nargs="+", action="append", default=[], metavar="LABEL")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    added = {}
    for label, *pairs in options.skae:
        params = {n: ast.literal_eval(v) for n, v in (pair.split("=", 1) for pair in pairs)}
        added[label] = partial(skae, **params)
    results = read(options.keep) if options.report_only else measure(options, METHODS | added)
    report(results)


if __name__ == "__main__":
    main()
