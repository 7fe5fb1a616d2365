"""Time of one row through fitted models, as a service would call them.

    python benchmarks/bench_one_row.py [--calls 1000]

Milliseconds, medians over single calls, by columns and by precision of the row. ``encoder_`` is
called on a float32 tensor. All take turns, and each has a peer of scikit-learn, by whose time in
float64 the last column divides.
"""

import argparse
import time
import warnings

import numpy as np
import pandas as pd
import torch
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest

from skae import Autoencoder, OutlierDetector

N_ROWS, N_COMPONENTS, ROUNDS = 1000, 4, 10


def make_calls(n_columns):
    """Return functions of a row by name, and the peer of each."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N_ROWS, N_COMPONENTS)) @ rng.normal(size=(N_COMPONENTS, n_columns))
    X += 0.1 * rng.normal(size=X.shape)
    model = Autoencoder(N_COMPONENTS, random_state=0).fit(X)
    pca, forest = PCA(N_COMPONENTS).fit(X), IsolationForest(random_state=0).fit(X)
    own = OutlierDetector(Autoencoder(N_COMPONENTS, random_state=0)).fit(X)
    default = OutlierDetector(random_state=0).fit(X)
    calls = {
        "encoder_": (lambda row: model.encoder_(torch.from_numpy(row)), "PCA.transform"),
        "transform": (model.transform, "PCA.transform"),
        "score_samples": (model.score_samples, "PCA.score_samples"),
        "reconstruct": (model.reconstruct, "PCA, both ways"),
        "OutlierDetector(Autoencoder()).predict": (own.predict, "IsolationForest.predict"),
        "OutlierDetector().predict": (default.predict, "IsolationForest.predict"),
        "PCA.transform": (pca.transform, None),
        "PCA.score_samples": (pca.score_samples, None),
        "PCA, both ways": (lambda row: pca.inverse_transform(pca.transform(row)), None),
        "IsolationForest.predict": (forest.predict, None),
    }
    return calls, X[:1]


def seconds(call, row, n_calls):
    """Return the seconds of single calls."""
    times = []
    for _ in range(n_calls):
        start = time.perf_counter()
        call(row)
        times.append(time.perf_counter() - start)
    return times


def measure(n_columns, n_calls):
    """Return a table with a line for each call."""
    calls, row = make_calls(n_columns)
    rows = {"float32": row.astype(np.float32), "float64": row}
    times = {(name, dtype): [] for name in calls for dtype in rows}
    del times["encoder_", "float64"]
    for _ in range(ROUNDS):
        for name, dtype in times:
            call = calls[name][0]
            call(rows[dtype])
            times[name, dtype] += seconds(call, rows[dtype], max(1, n_calls // ROUNDS))
    medians = {key: 1e3 * np.median(some) for key, some in times.items()}
    table = pd.Series(medians).unstack().reindex(list(calls))  # noqa: PD010 (of a series)
    peers = [calls[name][1] for name in calls]
    table["float64 / float32"] = table.float64 / table.float32
    table["peer"] = [peer or "" for peer in peers]
    table["of its time"] = [
        table.float64.fillna(table.float32)[name] / table.float64[peer] if peer else np.nan
        for name, peer in zip(calls, peers, strict=True)
    ]
    return table.reset_index(names="call").assign(columns=n_columns)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--calls", type=int, default=1000)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    table = pd.concat([measure(n, args.calls) for n in (20, 64)])
    table = table[["columns", *table.columns.drop("columns")]]
    digits = {"float32": 3, "float64": 3, "float64 / float32": 2, "of its time": 1}
    formatters = {name: f"{{:.{n}f}}".format for name, n in digits.items()}
    print(table.to_string(index=False, na_rep="", formatters=formatters))


if __name__ == "__main__":
    main()
