"""Is `fit_batches` from files as good, and as fast, as `fit` in memory?

    python benchmarks/bench_fit_batches.py --data DIR [--seeds 0 1 2] [--tables cover adult ...]

DIR holds ``adbench/*.npz``, ``mnist.npz`` and ``adult_*.csv.gz``. Rows are written to eight Parquet
files, those of "cover" and "adult" sorted by a column, so that each file holds other values than
the next. Both ways train for the same number of epochs. R2 is of rows that neither has seen, PCA
that of as many components. Seconds are of the whole call: ``fit`` gets the table in memory,
``fit_batches`` the files, which the system has in its cache.
"""

import argparse
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split

from skae import Autoencoder, TabularAutoencoder

N_FILES = 8


def frame(X):
    """Return an array as a DataFrame whose columns have names."""
    return pd.DataFrame(X, columns=[f"x{i}" for i in range(X.shape[1])])


def cover(data):
    """Return training and test rows of forest cover, standardized, sorted by elevation."""
    X = np.load(data / "adbench" / "10_cover.npz")["X"].astype("float32")
    train, test = train_test_split(X, test_size=0.2, random_state=0)
    center, scale = train.mean(0), train.std(0)
    train = train[train[:, 0].argsort()]
    return frame((train - center) / scale), frame((test - center) / scale), Autoencoder()


def mnist(data):
    """Return pixels of digits as columns."""
    digits = np.load(data / "mnist.npz")
    parts = (
        digits[name].reshape(-1, 784).astype("float32") / 255 for name in ("X_train", "X_test")
    )
    return *map(frame, parts), Autoencoder(32)


def adult(data):
    """Return the table of incomes with its categories and missing cells, sorted by age."""
    train, test = (
        pd.read_csv(data / f"adult_{part}.csv.gz", skipinitialspace=True, na_values="?")
        for part in ("train", "test")
    )
    train = train.sort_values(train.columns[0], ignore_index=True)
    return train, test, TabularAutoencoder(8)


TABLES = {"cover": cover, "mnist": mnist, "adult": adult}


def pca_r2(train, test, n_components):
    """Return R2 of PCA, None for tables with text."""
    if not all(dtype.kind == "f" for dtype in train.dtypes):
        return np.nan
    pca = PCA(n_components, random_state=0).fit(train)
    restored = pca.inverse_transform(pca.transform(test))
    return r2_score(test, restored, multioutput="variance_weighted")


def timed(fit, source, test, **params):
    """Return the seconds of a fit, and R2 of test rows."""
    start = time.perf_counter()
    model = fit(source, **params)
    return time.perf_counter() - start, model.score(test), model


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--tables", nargs="+", default=list(TABLES))
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    columns = ("PCA", "fit", "batches", "differ", "fit s", "batches s", "ratio")
    print(f"{'table':8}{'rows':>8}{'seed':>5}{'epochs':>7}" + "".join(f"{c:>10}" for c in columns))
    for name in args.tables:
        train, test, model = TABLES[name](args.data)
        with tempfile.TemporaryDirectory() as folder:
            bounds = np.linspace(0, len(train), N_FILES + 1).astype(int)
            for i, (a, b) in enumerate(zip(bounds, bounds[1:], strict=False)):
                train[a:b].to_parquet(Path(folder) / f"{i}.parquet")
            for seed in args.seeds:
                model.set_params(random_state=seed)
                seconds, r2, fitted = timed(model.fit, train, test)
                n_epochs, n_components = fitted.n_iter_, fitted.n_components_
                batched, batched_r2, _ = timed(model.fit_batches, folder, test, n_passes=n_epochs)
                print(
                    f"{name:8}{len(train):8}{seed:5}{n_epochs:7}"
                    f"{pca_r2(train, test, n_components):10.4f}{r2:10.4f}{batched_r2:10.4f}"
                    f"{batched_r2 - r2:10.4f}{seconds:10.2f}{batched:10.2f}"
                    f"{batched / seconds:10.2f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
