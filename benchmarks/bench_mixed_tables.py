"""Tables of numbers and categories: damaged rows found, and missing cells filled.

    python benchmarks/bench_mixed_tables.py --data DIR [--seeds 5] {outliers,imputation}

DIR holds ``adult_train.csv.gz`` and ``adult_test.csv.gz``. *outliers*: fit on 5,000 rows as they
are; of 2,000 others half get one to three damaged cells, categories of another row and numbers
moved by three to six deviations; AUROC of telling these from the rest. *imputation*: 20 % of the
cells are removed at random from 10,000 training and 5,000 test rows; of those in the test rows,
the root mean square error of numbers, in standard deviations, and the share of categories met.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import IsolationForest
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from skae import OutlierDetector, TabularAutoencoder

N_NEIGHBORS = 5


def adult(data):
    """Return training and test rows."""
    parts = [pd.read_csv(data / f"adult_{part}.csv.gz") for part in ("train", "test")]
    return [part.drop(columns="income") for part in parts]


def is_text(X):
    return np.array([X[name].dtype.kind not in "if" for name in X.columns])


# Damaged rows.


def damaged(X, rng):
    """Return X with one to three cells of each row changed to values that they did not have."""
    X, texts = X.copy().reset_index(drop=True), is_text(X)
    changed = rng.random(X.shape).argsort(1) < rng.integers(1, 4, len(X))[:, None]
    for j, name in enumerate(X.columns):
        rows = np.flatnonzero(changed[:, j])
        if texts[j]:
            values = X[name].dropna().to_numpy()
            for row in rows:
                others = values[values != X.loc[row, name]]
                X.loc[row, name] = rng.choice(others)
        else:
            shift = rng.uniform(3, 6, len(rows)) * rng.choice([-1, 1], len(rows))
            moved = X.loc[rows, name] + shift * X[name].std()
            X[name] = X[name].astype(float)
            X.loc[rows, name] = moved.round()
    return X


def one_hot():
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    texts = make_pipeline(
        SimpleImputer(strategy="most_frequent"),
        OneHotEncoder(handle_unknown="ignore", sparse_output=False),
    )
    select = make_column_selector
    return make_column_transformer(
        (numbers, select(dtype_include="number")), (texts, select(dtype_exclude="number"))
    )


def forest(X, X_new, seed):
    encoder = one_hot().fit(X)
    model = IsolationForest(random_state=seed).fit(encoder.transform(X))
    return -model.score_samples(encoder.transform(X_new))


def neighbors(X, X_new, seed):
    del seed
    encoder = one_hot().fit(X)
    index = NearestNeighbors(n_neighbors=N_NEIGHBORS).fit(encoder.transform(X))
    return index.kneighbors(encoder.transform(X_new))[0][:, -1]


def detector(estimator=None):
    def scores(X, X_new, seed):
        return -OutlierDetector(estimator, random_state=seed).fit(X).score_samples(X_new)

    return scores


DETECTORS = {
    "OutlierDetector": detector(),
    "OutlierDetector(TabularAutoencoder())": detector(TabularAutoencoder()),
    "IsolationForest, one-hot": forest,
    "k-NN (k=5), one-hot": neighbors,
}


def compare_outliers(data, seeds):
    train, test = adult(data)
    for name, scores in DETECTORS.items():
        found, seconds = [], []
        for seed in range(seeds):
            rng = np.random.default_rng(seed)
            X, X_new = train.sample(5000, random_state=seed), test.sample(2000, random_state=seed)
            is_odd = np.arange(len(X_new)) % 2 == 1
            X_new = pd.concat([X_new[~is_odd].astype(X.dtypes), damaged(X_new[is_odd], rng)])
            labels = np.repeat([0, 1], [len(X_new) - is_odd.sum(), is_odd.sum()])
            start = time.perf_counter()
            found.append(100 * roc_auc_score(labels, scores(X, X_new, seed)))
            seconds.append(time.perf_counter() - start)
        print(f"{name:40}{np.mean(found):8.1f} +- {np.std(found):.1f}{np.mean(seconds):8.1f} s")


# Missing cells.


def with_holes(X, rng):
    """Return X with a fifth of its cells missing, and which were removed."""
    removed = (rng.random(X.shape) < 0.2) & X.notna().to_numpy()
    return X.astype({name: float for name in X.columns[~is_text(X)]}).mask(removed), removed


def by_columns(of_numbers, of_texts):
    """Return an imputer of scikit-learn's for both kinds of columns."""
    select = make_column_selector
    return make_column_transformer(
        (of_numbers, select(dtype_include="number")), (of_texts, select(dtype_exclude="number"))
    )


def simple(X, X_new):
    imputer = by_columns(SimpleImputer(strategy="median"), SimpleImputer(strategy="most_frequent"))
    filled = pd.DataFrame(imputer.fit(X).transform(X_new), index=X_new.index)
    texts = is_text(X)
    filled.columns = [*X.columns[~texts], *X.columns[texts]]
    return filled[X.columns]


def nearest(X, X_new):
    """Fill by `KNNImputer`, numbers scaled and categories one-hot."""
    texts = X.columns[is_text(X)]
    numbers = X.columns.difference(texts, sort=False)
    scaler = StandardScaler().fit(X[numbers])
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan).fit(X[texts])

    def encoded(table):
        columns = [scaler.transform(table[numbers])]
        numbered = codes.transform(table[texts])
        for j, categories in enumerate(codes.categories_):
            n = len(categories) - int(pd.isna(categories[-1]))
            hot = (numbered[:, [j]] == np.arange(n)).astype(float)
            hot[~(numbered[:, j] < n)] = np.nan
            columns.append(hot)
        return columns

    imputer = KNNImputer(n_neighbors=N_NEIGHBORS).fit(np.hstack(encoded(X)))
    pieces = encoded(X_new)
    ends = np.cumsum([piece.shape[1] for piece in pieces])[:-1]
    filled, *hots = np.split(imputer.transform(np.hstack(pieces)), ends, axis=1)
    filled = pd.DataFrame(
        scaler.inverse_transform(filled), columns=list(numbers), index=X_new.index
    )
    for name, categories, hot in zip(texts, codes.categories_, hots, strict=True):
        filled[name] = categories[hot.argmax(1)]
    return filled[X.columns]


def autoencoder(**params):
    def fill(X, X_new):
        return TabularAutoencoder(random_state=0, **params).fit(X).impute(X_new)

    return fill


IMPUTERS = {
    "TabularAutoencoder": autoencoder(),
    "TabularAutoencoder(max_epochs=10)": autoencoder(max_epochs=10),
    "SimpleImputer": simple,
    "KNNImputer, one-hot": nearest,
}


def compare_imputation(data, seeds):
    for name, fill in IMPUTERS.items():
        results = []
        for seed in range(seeds):
            rng = np.random.default_rng(seed)
            X, truth = (
                part.sample(n, random_state=seed)
                for part, n in zip(adult(data), (10_000, 5_000), strict=True)
            )
            texts, deviations = is_text(X), X.std(numeric_only=True)
            X, (X_new, removed) = with_holes(X, rng)[0], with_holes(truth, rng)
            start = time.perf_counter()
            filled = fill(X, X_new)
            seconds = time.perf_counter() - start
            errors, hits = [], []
            for j, column in enumerate(X.columns):
                was, now = (t[column].to_numpy()[removed[:, j]] for t in (truth, filled))
                if texts[j]:
                    hits.append((was == now).mean())
                else:
                    errors.append(
                        np.sqrt(np.mean((was - now.astype(float)) ** 2)) / deviations[column]
                    )
            results.append([np.mean(errors), np.mean(hits), seconds])
        error, hit, seconds = np.mean(results, 0)
        print(f"{name:40}{error:8.3f}{hit:8.3f}{seconds:8.1f} s")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("what", choices=["outliers", "imputation"], nargs="?")
    options = parser.parse_args()
    if options.what != "imputation":
        print(f"{'damaged rows of Adult':40}{'AUROC':>8}")
        compare_outliers(options.data, options.seeds)
    if options.what != "outliers":
        print(f"{'missing cells of Adult':40}{'RMSE':>8}{'hits':>8}")
        compare_imputation(options.data, options.seeds)


if __name__ == "__main__":
    main()
