"""What codes are worth to another estimator: autoencoders beside PCA, UMAP and others.

    pip install umap-learn
    python benchmarks/bench_codes.py --data DIR --keep codes.csv
    python benchmarks/bench_codes.py --keep codes.csv --report-only

DIR is that of ``code_sets.py``, which says what the sets are and how they are prepared. Each method
is fitted without labels on the training folds, and turns the held-out rows, which are new to it,
into 2, 4, 8, 16 and 32 codes; as many codes as columns, or more, are left out. Probes learn from
the codes of the training folds, as they are, and predict those of the held-out one: logistic or
ridge regression, 5 nearest neighbors, and histogram gradient boosting. Their score is accuracy, or
AUROC where a class has more than nine tenths of the rows, or R2 of a regression.

Trustworthiness says whether neighbors by the codes are neighbors by the columns, and continuity the
reverse, both for 5 neighbors among at most 1,000 held-out rows. R2 is that of the held-out rows,
restored from the codes. Seconds are those of the processor, for one fit; seconds for 10,000
new rows are measured for 8 codes, on four sets.

``--keep FILE`` adds a line to a CSV file for each set, fold, number of codes and method. Lines
that it has are not computed again, so methods can be run one after another, in environments of
their own.
``--skae LABEL [CLASS] [NAME=VALUE ...]`` adds an estimator of skae with these parameters:

    python benchmarks/bench_codes.py --data DIR --keep codes.csv --methods wide \\
        --skae wide Autoencoder batch_size=128 lr=0.001
"""

import argparse
import ast
import csv
import functools
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from code_sets import REGRESSIONS, SETS, code_sets
from sklearn.decomposition import PCA, FactorAnalysis, FastICA, KernelPCA
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.manifold import trustworthiness
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

COMPONENTS = 2, 4, 8, 16, 32
KEYS = ["set", "rows", "folds", "fold", "k", "method"]
PROBES = {
    "linear": (LogisticRegression(max_iter=2000), RidgeCV(np.logspace(-3, 3, 7))),
    "k-NN": (KNeighborsClassifier(), KNeighborsRegressor()),
    "boosting": (
        HistGradientBoostingClassifier(random_state=0),
        HistGradientBoostingRegressor(random_state=0),
    ),
}
SHAPES = ["trustworthiness", "continuity"]
FIGURES = [*PROBES, *SHAPES, "R2", "fit_s", "transform_s"]
TIMED_SETS, TIMED_COMPONENTS, TIMED_ROWS = ("breast_cancer", "digits", "adult", "mnist"), 8, 10_000


@dataclass
class Method:
    """How to make an estimator with k codes, for which sets, and what of them it sees."""

    make: Callable
    kinds: tuple = ("table", "mixed", "images", "sequences")
    takes_samples: bool = False  # or the rows that they are prepared as
    restores: bool = True
    max_rows: int | None = None


def of_sklearn(estimator, **params):
    return lambda k: estimator(k, random_state=0, **params)


def raw(k):
    del k
    return FunctionTransformer()


def independent_components(k):
    # Whitening by FastICA itself loses components where the first column is constant.
    return make_pipeline(
        PCA(k, whiten=True, random_state=0), FastICA(whiten=False, max_iter=500, random_state=0)
    )


def umap(k):
    from umap import UMAP

    return UMAP(n_components=k, random_state=0)


def of_skae(name="Autoencoder", **params):
    """Return a method that fits an estimator of skae, on the sets that are made for it."""

    def make(k):
        import skae

        return getattr(skae, name)(k, random_state=0, check_baseline=False, **params)

    architecture = f"{name} {params.get('architecture')}".lower()
    if "recurrent" in architecture:
        return Method(make, ("sequences",), takes_samples=True)
    if "tabular" in architecture:
        return Method(make, ("mixed",), takes_samples=True, restores=False)
    return Method(make)


METHODS = {
    "raw": Method(raw, restores=False),
    "PCA": Method(of_sklearn(PCA)),
    "FactorAnalysis": Method(of_sklearn(FactorAnalysis), restores=False),
    "FastICA": Method(independent_components),
    "KernelPCA": Method(
        of_sklearn(KernelPCA, kernel="rbf", fit_inverse_transform=True), max_rows=2000
    ),
    "UMAP": Method(umap, restores=False),
    "skae": of_skae(),
    "skae tabular": of_skae("TabularAutoencoder"),
    "skae recurrent": of_skae("RecurrentAutoencoder"),
}


# One cell: a method on one fold of a set.


@functools.cache
def warm_up(make):
    """Fit a method once before it is timed: some compile themselves when they are first used."""
    X = np.random.default_rng(0).standard_normal((100, 5))
    make(2).fit(X).transform(X[:50] + 1)


def timed(function, *args):
    start = time.process_time()
    result = function(*args)
    return result, time.process_time() - start


def probe_scores(code_set, codes, y, codes_new, y_new):
    """Return the score of each probe on held-out codes."""
    scores = {}
    for name, probes in PROBES.items():
        probe = probes[code_set.is_regression]
        probe.fit(codes, y)
        if code_set.is_rare:
            scores[name] = roc_auc_score(y_new, probe.predict_proba(codes_new)[:, 1])
        else:
            scores[name] = probe.score(codes_new, y_new)
    return scores


def neighbor_scores(rows, codes):
    rows, codes = rows[:1000], codes[:1000]
    return {
        "trustworthiness": trustworthiness(rows, codes, n_neighbors=5),
        "continuity": trustworthiness(codes, rows, n_neighbors=5),
    }


def restored_rows(method, estimator, samples, codes, prepare):
    """Return rows from codes; of series as long as they were, padded like the rows."""
    if method.takes_samples:
        return prepare.transform(estimator.reconstruct(samples))
    return estimator.inverse_transform(codes)


def many(samples, rows):
    """Return samples, repeated until there are enough of them; arrays with a little noise."""
    repeated = np.arange(rows) % len(samples)
    if isinstance(samples, np.ndarray):
        noise = np.random.default_rng(0).standard_normal((rows, *samples.shape[1:]))
        return samples[repeated] + (1e-3 * noise).astype(samples.dtype)
    if isinstance(samples, pd.DataFrame):
        return samples.iloc[repeated]
    return [samples[i] for i in repeated]


def cell(code_set, train, test, fold, k, method):
    """Return the figures of a method with k codes on one fold."""
    prepare = code_set.preparation()
    rows = prepare.fit_transform(code_set.take(train))
    rows_new = prepare.transform(code_set.take(test))
    samples, samples_new = rows, rows_new
    if method.takes_samples:
        samples, samples_new = code_set.take(train), code_set.take(test)
    else:
        warm_up(method.make)
    estimator = method.make(k)
    _, fit_s = timed(estimator.fit, samples[: method.max_rows])
    codes, codes_new = estimator.transform(samples), estimator.transform(samples_new)
    figures = probe_scores(code_set, codes, code_set.y[train], codes_new, code_set.y[test])
    figures |= neighbor_scores(rows_new, codes_new)
    figures["fit_s"] = fit_s
    if method.restores:
        restored = restored_rows(method, estimator, samples_new, codes_new, prepare)
        figures["R2"] = r2_score(rows_new, restored, multioutput="variance_weighted")
    if code_set.name in TIMED_SETS and fold == 0 and k == TIMED_COMPONENTS:
        _, figures["transform_s"] = timed(estimator.transform, many(samples_new, TIMED_ROWS))
    return figures


# All cells, kept in a file.


def components_of(code_set, wanted, name):
    """Return the numbers of codes that a set is reduced to; raw columns do not depend on it."""
    if name == "raw":
        return [TIMED_COMPONENTS]
    prepare = code_set.preparation()
    width = prepare.fit_transform(code_set.take(np.arange(len(code_set.y)))).shape[1]
    return [k for k in wanted if k < width]


def read(keep):
    """Return the results in a file, the last one of each cell."""
    if keep is None or not keep.exists():
        return pd.DataFrame(columns=[*KEYS, *FIGURES])
    return pd.read_csv(keep).drop_duplicates(KEYS, keep="last")


def measure(options, methods):
    """Compute what is not kept yet, and return all results."""
    found = read(options.keep)
    done = set(found[KEYS].itertuples(index=False, name=None))
    lines = found.to_dict("records")
    sets = list(code_sets(options.data, options.sets, options.max_rows))
    for fold in range(options.folds)[: options.max_folds]:
        for code_set in sets:
            train, test = code_set.folds(options.folds)[fold]
            for name in options.methods:
                if code_set.kind not in methods[name].kinds:
                    continue
                for k in components_of(code_set, options.components, name):
                    key = code_set.name, options.max_rows, options.folds, fold, k, name
                    if key in done:
                        continue
                    figures = cell(code_set, train, test, fold, k, methods[name])
                    line = dict(zip(KEYS, key, strict=True)) | figures
                    lines.append(line)
                    if options.keep is not None:
                        append(options.keep, line)
    return pd.DataFrame(lines, columns=[*KEYS, *FIGURES])


def append(keep, line):
    is_new = not keep.exists()
    rounded = {n: round(v, 5) if isinstance(v, float) else v for n, v in line.items()}
    with keep.open("a", newline="") as file:
        writer = csv.DictWriter(file, [*KEYS, *FIGURES])
        if is_new:
            writer.writeheader()
        writer.writerow(rounded)


# The report.


def comparable(results):
    """Return the results of the cells that all methods have, raw columns for each number of codes.

    Methods that are made for some of the sets, and have results of these only, are left out.
    """
    results["all"] = results[list(PROBES)].mean(axis=1)
    is_raw = results["method"] == "raw"
    cells = results.loc[~is_raw, ["set", "fold", "k"]].drop_duplicates()
    raw = cells.merge(results[is_raw].drop(columns="k"), on=["set", "fold"])
    results = pd.concat([raw, results[~is_raw]], ignore_index=True)
    results = results[~results["method"].isin(only_for_some(results))]
    n_methods = results.groupby(["set", "fold", "k"])["method"].transform("nunique")
    return results[n_methods == results["method"].nunique()]


def only_for_some(results):
    """Return the names of methods with results on less than a quarter of the sets."""
    n_sets = results.groupby("method")["set"].nunique()
    return n_sets.index[n_sets < 0.25 * n_sets.max()]


def on_their_sets(results):
    """Yield the names of sets that some methods are made for, and what all methods have on them."""
    seen = set()
    for method in only_for_some(results):
        names = tuple(results.loc[results["method"] == method, "set"].unique())
        if names not in seen:
            seen.add(names)
            yield names, comparable(results[results["set"].isin(names)].copy())


def in_order(names, order):
    """Return names, those in ``order`` first."""
    return [n for n in order if n in names] + [n for n in names if n not in order]


def by_components(results, figure):
    """Return means over sets and folds, a line for each method and a column for each k."""
    means = results.groupby(["method", "k", "set"])[figure].mean()
    table = means.groupby(["method", "k"]).mean().unstack("k")
    table["mean"] = means.groupby(["method", "set"]).mean().groupby("method").mean()
    return table.loc[in_order(table.index, METHODS)].dropna(how="all")


def few_codes(results):
    """Return mean scores at 2 to 8 codes: accuracy or AUROC of classes, R2 of regressions."""
    results = results[results["k"] <= 8]
    is_regression = results["set"].isin(REGRESSIONS)
    tables = []
    for part, unit in (~is_regression, "classes"), (is_regression, "regression"):
        means = results[part].groupby(["method", "set"])[["all", *PROBES]].mean()
        tables.append(means.groupby("method").mean().add_suffix(f", {unit}"))
    table = pd.concat(tables, axis=1)
    return table.loc[in_order(table.index, METHODS)]


def by_set(results, figure):
    """Return means over numbers of codes and folds, a line for each set."""
    table = results.groupby(["set", "method"])[figure].mean().unstack("method")
    return table.loc[in_order(table.index, SETS), in_order(table.columns, METHODS)]


def against_pca(results):
    """Return on how many sets a method is at least PCA, the mean gain, and its mean rank.

    In brackets: on how many sets it is at least PCA or at most half a point below.
    """
    columns = {}
    for probe in ["all", *PROBES]:
        scores = by_set(results, probe)
        gains = scores.sub(scores["PCA"], axis=0)
        ranks = scores.drop(columns="raw", errors="ignore").rank(axis=1, ascending=False)
        columns[probe] = [
            f"{(gains[name].round(6) >= 0).sum()} ({(gains[name] >= -0.005).sum()})"
            for name in gains
        ]
        columns[f"{probe}, gain"] = gains.mean().map("{:+.3f}".format)
        columns[f"{probe}, rank"] = ranks.mean().map("{:.1f}".format).reindex(gains.columns)
    return pd.DataFrame(columns, index=scores.columns).fillna("")


def seconds(results):
    """Return the median and the largest seconds to fit, and those to transform new rows."""
    fits = results.groupby("method")["fit_s"]
    new = results.pivot_table("transform_s", "method", "set")
    table = pd.DataFrame({"fit, median": fits.median(), "fit, longest": fits.max()})
    table = table.join(new.add_prefix("10,000 rows of "))
    return table.loc[in_order(table.index, METHODS)]


def show(title, table, form="{:.3f}"):
    """Print a DataFrame as a Markdown table."""
    table = table.map(lambda x: x if isinstance(x, str) else "" if np.isnan(x) else form.format(x))
    print(f"\n{title}:\n")
    print("| | " + " | ".join(map(str, table.columns)) + " |")
    print("|---|" + "---:|" * table.shape[1])
    for name, line in table.iterrows():
        print(f"| {name} | " + " | ".join(line) + " |")


def report(results, with_sets):
    everywhere = comparable(results)
    cells = everywhere[["set", "fold", "k"]].drop_duplicates()
    print(f"{cells['set'].nunique()} sets, {len(cells)} cells of set, fold and number of codes")
    for probe in ["all", *PROBES]:
        show(f"Score by number of codes, {probe}", by_components(everywhere, probe))
    show("Score at 2 to 8 codes", few_codes(everywhere))
    for figure in [*SHAPES, "R2"]:
        show(
            f"{figure[0].upper()}{figure[1:]} by number of codes", by_components(everywhere, figure)
        )
    if "PCA" in set(everywhere["method"]):
        n_sets = cells["set"].nunique()
        title = (
            f"Sets of {n_sets} with at least PCA's score (less half a point), mean gain and rank"
        )
        show(title, against_pca(everywhere))
    show("Seconds", seconds(everywhere), "{:.2g}")
    for names, theirs in on_their_sets(results):
        for figure in ["all", *PROBES]:
            show(f"{', '.join(names)}, {figure}", by_components(theirs, figure))
    if with_sets:
        for figure in ["all", *PROBES, "R2"]:
            show(f"Each set, {figure}: mean over numbers of codes", by_set(everywhere, figure))


def skae_parameters(parts):
    """Return what ``--skae`` says of an estimator: its class, if given, and its parameters."""
    names = [part for part in parts if "=" not in part]
    pairs = [part.split("=", 1) for part in parts if "=" in part]
    return dict(zip(["name"], names, strict=False)) | {n: value(v) for n, v in pairs}


def value(text):
    """Return a Python literal, or the text if it is none: a name such as tabular."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def chosen(results, options, parser):
    """Return the results of the sets, folds, methods and numbers of codes that were asked for."""
    is_chosen = (results["rows"] == options.max_rows) & (results["folds"] == options.folds)
    is_chosen &= results["set"].isin(options.sets)
    is_chosen &= results["fold"] < (options.max_folds or options.folds)
    is_chosen &= results["k"].isin(options.components) | (results["method"] == "raw")
    if parser.get_default("methods") != options.methods:
        is_chosen &= results["method"].isin(options.methods)
    return results[is_chosen].copy()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--report-only", action="store_true")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--methods", nargs="+", default=["raw", "PCA", "skae"])
    parser.add_argument("--components", type=int, nargs="+", default=list(COMPONENTS))
    parser.add_argument("--max-rows", type=int, default=3000)
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--max-folds", type=int, help="the first so many folds only")
    parser.add_argument("--skae", nargs="+", action="append", default=[], metavar="LABEL")
    parser.add_argument("--by-set", action="store_true")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    added = {label: of_skae(**skae_parameters(parts)) for label, *parts in options.skae}
    results = read(options.keep) if options.report_only else measure(options, METHODS | added)
    report(chosen(results, options, parser), options.by_set)


if __name__ == "__main__":
    main()
