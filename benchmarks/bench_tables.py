"""Does a default Autoencoder reconstruct held-out rows as well as PCA?

    python benchmarks/bench_tables.py --data DIR [--seeds 0 1 2] [name=value ...]

DIR holds ``adbench/*.npz``. Each table is standardized on 80 % of its rows, and R2 is
that of the other 20 %. ``name=value`` sets parameters of `Autoencoder` other than the
defaults.
"""

import argparse
import ast
import time
from pathlib import Path

import numpy as np
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine
from sklearn.decomposition import PCA
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from skae import Autoencoder

SHIPPED = [load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine]


def tables(data):
    """Yield the name and the rows of each table, scikit-learn's own last."""
    for path in sorted((data / "adbench").glob("*.npz"), key=lambda p: int(p.stem.split("_")[0])):
        yield path.stem, np.load(path)["X"].astype("float32")
    for load in SHIPPED:
        yield load.__name__.replace("load_", "sklearn_"), load().data.astype("float32")


def compare(X, seed, params):
    """Return R2 of PCA and of the autoencoder on held-out rows, and the seconds to fit."""
    train, test = train_test_split(X, test_size=0.2, random_state=seed)
    scaler = StandardScaler().fit(train)
    train, test = scaler.transform(train), scaler.transform(test)
    start = time.perf_counter()
    ae = Autoencoder(random_state=seed, check_baseline=False, **params).fit(train)
    seconds = time.perf_counter() - start
    pca = PCA(min(ae.n_components_, *train.shape)).fit(train)
    reconstructed = pca.inverse_transform(pca.transform(test))
    pca_r2 = r2_score(test, reconstructed, multioutput="variance_weighted")
    return pca_r2, ae.score(test), seconds


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--max-rows", type=int, default=10**9)
    parser.add_argument("params", nargs="*")
    args = parser.parse_args()
    params = {name: ast.literal_eval(value) for name, value in (p.split("=") for p in args.params)}
    print(
        f"{'table':24}{'rows':>8}{'columns':>8}{'PCA':>8}{'skae':>8}{'gain':>8}{'worst':>8}{'s':>7}"
    )
    gains = {}
    for name, X in tables(args.data):
        if len(X) > args.max_rows:
            X = X[np.random.default_rng(0).choice(len(X), args.max_rows, replace=False)]
        runs = np.array([compare(X, seed, params) for seed in args.seeds])
        pca, ae, seconds = runs.mean(0)
        gains[name] = ae - pca
        worst = (runs[:, 1] - runs[:, 0]).min()
        print(
            f"{name:24}{len(X):8}{X.shape[1]:8}{pca:8.3f}{ae:8.3f}{ae - pca:+8.3f}{worst:+8.3f}"
            f"{seconds:7.1f}",
            flush=True,
        )
    for kind in (False, True):
        chosen = [g for n, g in gains.items() if n.startswith("sklearn") is kind]
        print(
            f"{'scikit-learn' if kind else 'ADBench'}: at least PCA on "
            f"{sum(g >= 0 for g in chosen)} of {len(chosen)} tables, mean gain "
            f"{np.mean(chosen):+.3f}, worst {min(chosen):+.3f}"
        )


if __name__ == "__main__":
    main()
