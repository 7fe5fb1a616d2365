"""Missing cells of three tables filled, and how often intervals of a mean hold the true one.

    python benchmarks/bench_imputation.py cells --data DIR [--tables adult ...]
        [--kinds mcar mnar] [--levels 10 30 50] [--methods TabularImputer ...]
    python benchmarks/bench_imputation.py seconds --data DIR [--rows 30000] [--methods ...]
    python benchmarks/bench_imputation.py coverage [--repeats 200] [--seed 0] [--max-epochs 100]

DIR holds ``adult_train.csv.gz``, ``adult_test.csv.gz`` and the folder ``adbench``.

*cells*: cells of training and of test rows are removed, at random ("mcar") or more often the
larger the value is ("mnar"; of categories, more often for some than for others). Each method is
fitted on the training rows and fills the test rows. Of the removed cells: the root mean square
error of numbers, in standard deviations, and the fraction of categories that are right, both
averaged over the columns; and the seconds of processor time to fit and to fill.

*seconds*: the same of many rows of Adult, 30 % at random, which are the training rows themselves.

*coverage*: tables of 500 rows with three numbers and a category are made, and 30 % of the cells
of two numbers and of the category are removed, the more often the larger the first number is. Of
the 95 % intervals of the two means and of the fraction of a category: how many hold the true
value, of the complete tables, of the rows that are complete, and of five draws by Rubin's rules;
and the mean width, in that of complete tables.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skae import TabularAutoencoder, TabularImputer, VariationalAutoencoder, pool_estimates

#: Rows of Adult, to fit and to fill: the forests and the regressions take long.
N_ADULT = 5_000, 2_000


def adult(data, n_fit, n_test):
    parts = [pd.read_csv(data / f"adult_{part}.csv.gz") for part in ("train", "test")]
    return [part.sample(n, random_state=0) for part, n in zip(parts, (n_fit, n_test), strict=True)]


def load(name, data):
    """Return training and test rows."""
    if name == "adult":
        return adult(data, *N_ADULT)
    if name == "breast cancer":
        X = load_breast_cancer(as_frame=True).frame
        X["target"] = X["target"].map({0: "malignant", 1: "benign"})
    else:
        X = np.load(data / "adbench" / "7_Cardiotocography.npz")["X"].astype(float)
        X = pd.DataFrame(X).rename(columns=str)
    return train_test_split(X, test_size=0.3, random_state=0)


TABLES = ("adult", "breast cancer", "cardiotocography")


def is_text(X):
    return np.array([X[name].dtype.kind not in "iuf" for name in X.columns])


# Cells are removed.


def remover(X, kind, level):
    """Return a function that removes cells, with chances that are learned from complete rows."""
    ranks = {}
    for j, name in enumerate(X.columns):
        values = X[name].dropna()
        if is_text(X)[j]:
            kinds = np.sort(values.unique())
            order = np.random.default_rng(j).permutation(len(kinds))
            values = values.map(dict(zip(kinds, order, strict=True)))
            ranks[name] = dict(zip(kinds, order, strict=True)), np.sort(values.to_numpy())
        else:
            ranks[name] = None, np.sort(values.to_numpy())

    def chances(column, name):
        numbers, known = ranks[name]
        values = column if numbers is None else column.map(numbers)
        lower, upper = (np.searchsorted(known, values, side) for side in ("left", "right"))
        return np.minimum(level * (lower + upper) / len(known), 0.95)

    def remove(table, seed):
        p = np.full(table.shape, level)
        if kind == "mnar":
            p = np.column_stack([chances(table[name], name) for name in table.columns])
        removed = (np.random.default_rng(seed).random(table.shape) < p) & table.notna().to_numpy()
        numbers = table.columns[~is_text(table)]
        return table.astype(dict.fromkeys(numbers, float)).mask(removed), removed

    return remove


# Methods: functions of training and of test rows.


def simple(X, X_new):
    select = make_column_selector
    imputer = make_column_transformer(
        (SimpleImputer(), select(dtype_include="number")),
        (SimpleImputer(strategy="most_frequent"), select(dtype_exclude="number")),
        verbose_feature_names_out=False,
    ).set_output(transform="pandas")
    return imputer.fit(X).transform(X_new)[X.columns]


def one_hot(imputer):
    """Return a method that has numbers scaled, and an element for each category."""

    def fill(X, X_new):
        texts, numbers = X.columns[is_text(X)], X.columns[~is_text(X)]
        scaler, parts = StandardScaler().fit(X[numbers]), {}
        for name in texts:
            encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
            parts[name] = encoder.fit(X.loc[X[name].notna(), [name]])

        def encoded(table):
            pieces = [scaler.transform(table[numbers])]
            for name, encoder in parts.items():
                hot = encoder.transform(table[[name]])
                hot[hot.sum(1) == 0] = np.nan
                pieces.append(hot)
            return pieces

        pieces = encoded(X_new)
        ends = np.cumsum([piece.shape[1] for piece in pieces])[:-1]
        fitted = clone(imputer).fit(np.hstack(encoded(X)))
        filled, *hots = np.split(fitted.transform(np.hstack(pieces)), ends, axis=1)
        filled = pd.DataFrame(scaler.inverse_transform(filled), X_new.index, numbers)
        for (name, encoder), hot in zip(parts.items(), hots, strict=True):
            filled[name] = encoder.categories_[0][hot.argmax(1)]
        return filled[X.columns]

    return fill


def forests(X, X_new, n_rounds=4):
    """Fill by a random forest for each column, in several rounds, as missForest does."""
    texts = is_text(X)
    categories = [X[name].dropna().unique() if texts[j] else None for j, name in enumerate(X)]

    def numbers(table):
        columns = [
            pd.Categorical(table[name], categories[j]).codes.astype(float)
            if texts[j]
            else table[name].to_numpy(float)
            for j, name in enumerate(table.columns)
        ]
        coded = np.column_stack(columns)
        coded[:, texts] = np.where(coded[:, texts] < 0, np.nan, coded[:, texts])
        return coded

    of_fit, of_new = numbers(X), numbers(X_new)
    start = [simple(X, X), simple(X, X_new)]
    filled, filled_new = (numbers(table) for table in start)
    missing, missing_new = np.isnan(of_fit), np.isnan(of_new)
    how = {"n_estimators": 30, "max_depth": 12, "random_state": 0}
    for _ in range(n_rounds):
        for j in np.argsort(missing.sum(0)):
            others, known = np.arange(X.shape[1]) != j, ~missing[:, j]
            forest = (RandomForestClassifier if texts[j] else RandomForestRegressor)(**how)
            forest.fit(filled[known][:, others], of_fit[known, j])
            for table, holes in ((filled, missing[:, j]), (filled_new, missing_new[:, j])):
                if holes.any():
                    table[holes, j] = forest.predict(table[holes][:, others])
    found = pd.DataFrame(filled_new, X_new.index, X.columns)
    for j in np.flatnonzero(texts):
        found[X.columns[j]] = categories[j][filled_new[:, j].astype(int)]
    return found


def by_skae(X, X_new):
    return TabularImputer(random_state=0).fit(X).transform(X_new)


def by_autoencoder(X, X_new):
    return TabularImputer(TabularAutoencoder(), random_state=0).fit(X).transform(X_new)


METHODS = {
    "SimpleImputer": simple,
    "KNNImputer": one_hot(KNNImputer()),
    "IterativeImputer": one_hot(IterativeImputer(random_state=0)),
    "random forests": forests,
    "TabularAutoencoder": by_autoencoder,
    "TabularImputer": by_skae,
}


def compare_cells(args):
    print(f"{'table':17}{'kind':6}{'level':>6}  {'method':20}{'RMSE':>8}{'right':>8}{'s':>8}")
    for name in args.tables:
        train, test = load(name, args.data)
        for kind in args.kinds:
            for level in args.levels:
                remove = remover(train, kind, level / 100)
                X, _ = remove(train, seed=1)
                X_new, removed = remove(test, seed=2)
                for method in args.methods:
                    start = time.process_time()
                    filled = METHODS[method](X, X_new)
                    seconds = time.process_time() - start
                    error, right = scores(train, test, filled, removed)
                    print(
                        f"{name:17}{kind:6}{level:5} %  {method:20}{error:8.3f}{right:8.3f}"
                        f"{seconds:8.1f}",
                        flush=True,
                    )


def scores(train, test, filled, removed):
    """Return the mean error of numbers and the mean fraction of right categories."""
    errors, right = [], []
    for j, column in enumerate(test.columns):
        was, now = (table[column].to_numpy()[removed[:, j]] for table in (test, filled))
        if is_text(test)[j]:
            right.append((was == now).mean())
        elif train[column].std() > 0:
            error = np.sqrt(np.mean((was - now.astype(float)) ** 2))
            errors.append(error / train[column].std())
    return np.mean(errors), np.mean(right) if right else np.nan


def compare_seconds(args):
    train, _ = adult(args.data, args.rows, 1)
    X, removed = remover(train, "mcar", 0.3)(train, seed=1)
    print(f"{'method':20}{'rows':>8}{'RMSE':>8}{'right':>8}{'s':>8}")
    for method in args.methods:
        start = time.process_time()
        filled = METHODS[method](X, X)
        seconds = time.process_time() - start
        error, right = scores(train, train, filled, removed)
        print(f"{method:20}{args.rows:8}{error:8.3f}{right:8.3f}{seconds:8.1f}", flush=True)


# Coverage of intervals.

#: Of the made tables: what is estimated, and the true values.
TRUE = {"mean of b": 0.0, "mean of c": np.exp(0.6**2 / 2), "fraction of x": 0.5}
N_ROWS, N_IMPUTATIONS = 500, 5


def made(rng):
    """Return a table and one with missing cells, more where the first column is large."""
    a, noise = rng.normal(size=N_ROWS), rng.normal(size=(3, N_ROWS))
    b = 0.8 * a + 0.6 * noise[0]
    c = np.exp(0.6 * (0.5 * a + 0.5 * b + np.sqrt(0.1) * noise[1]))
    table = pd.DataFrame({"a": a, "b": b, "c": c, "d": np.where(a - noise[2] > 0, "x", "y")})
    removed = rng.random((N_ROWS, 3)) < 1 / (1 + np.exp(1.1 - 1.5 * a))[:, None]
    given = table.copy()
    for j, name in enumerate("bcd"):
        given.loc[removed[:, j], name] = None
    return table, given


def estimates(table):
    """Return the estimates of a table and their squared standard errors, two arrays."""
    values = [table["b"], table["c"], (table["d"] == "x").astype(float)]
    return np.transpose([[v.mean(), v.var() / len(v)] for v in values])


def interval(tables):
    """Return the ends of the intervals by Rubin's rules, or of those of a single table."""
    if len(tables) == 1:
        tables = [tables[0]] * 2
    found = pool_estimates(
        *np.swapaxes([estimates(table) for table in tables], 0, 1), df_complete=len(tables[0]) - 1
    )
    return np.array([found.low, found.high])


def coverage(args):
    intervals, true = {}, np.array(list(TRUE.values()))
    for repeat in range(args.repeats):
        table, given = made(np.random.default_rng([args.seed, repeat]))
        model = None
        if args.max_epochs is not None:
            model = VariationalAutoencoder(architecture="tabular", early_stopping=False)
            model.set_params(max_epochs=args.max_epochs)
        imputer = TabularImputer(model, random_state=repeat).fit(given)
        ways = {
            "complete tables": [table],
            "complete rows": [given.dropna()],
            "TabularImputer": imputer.draw_imputations(given, N_IMPUTATIONS),
        }
        for way, tables in ways.items():
            intervals.setdefault(way, []).append(interval(tables))
        if (repeat + 1) % 10 == 0 or repeat + 1 == args.repeats:
            _print_coverage(intervals, true)


def _print_coverage(intervals, true):
    heads = "".join(f"{name:>20}" for name in TRUE)
    print(f"{len(intervals['TabularImputer'])} repeats: coverage and width\n{'':18}{heads}")
    widths = np.diff(intervals["complete tables"], axis=1).mean((0, 1))
    for way, found in intervals.items():
        low, high = np.swapaxes(found, 0, 1)
        held, width = ((low < true) & (true < high)).mean(0), (high - low).mean(0) / widths
        cells = "".join(f"{100 * h:12.1f} %{w:6.2f}" for h, w in zip(held, width, strict=True))
        print(f"{way:18}{cells}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=list(TABLES))
    parser.add_argument("--kinds", nargs="+", choices=("mcar", "mnar"), default=["mcar", "mnar"])
    parser.add_argument("--levels", nargs="+", type=int, default=[10, 30, 50])
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--rows", type=int, default=30_000)
    parser.add_argument("--repeats", type=int, default=200)
    parser.add_argument("--max-epochs", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("what", choices=["cells", "seconds", "coverage"])
    args = parser.parse_args()
    {"cells": compare_cells, "seconds": compare_seconds, "coverage": coverage}[args.what](args)


if __name__ == "__main__":
    main()
