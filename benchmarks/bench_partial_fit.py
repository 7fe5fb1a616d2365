"""Do calls of `partial_fit` get slower, or models larger, the more there were?

    python benchmarks/bench_partial_fit.py [--calls 5000] [--only dense ...]

Each call gets a new batch of 256 rows of 20 columns, or what is like it: 64 images of 16 x 16, 64
sequences of 12 steps, 64 pairs of short texts. Milliseconds are the median of the last 100 calls,
memory what is resident beyond that after 100 calls, and the pickle that of the whole estimator. The
peers are scikit-learn's, with layers of 64, 4 and 64 units and with 4 components.
"""

import argparse
import pickle
import resource
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.decomposition import IncrementalPCA
from sklearn.neural_network import MLPRegressor

from skae import (
    Autoencoder,
    ConvAutoencoder,
    RecurrentAutoencoder,
    Seq2SeqTranslator,
    TabularAutoencoder,
    VariationalAutoencoder,
)

WORDS = ["red", "green", "blue", "small", "large", "old", "new"]


def rows(rng):
    """Return a batch of rows with few causes."""
    return (rng.normal(size=(256, 4)) @ np.ones((4, 20)) + rng.normal(size=(256, 20))).astype("f4")


def table(rng):
    """Return a batch of rows with a category."""
    X = pd.DataFrame(rows(rng), columns=[f"x{i}" for i in range(20)])
    return X.assign(sign=np.where(X["x0"] > 0, "+", "-"))


def texts(rng):
    """Return pairs of texts, the second backwards."""
    words = rng.choice(WORDS, size=(64, 3))
    return [" ".join(w) for w in words], [" ".join(w[::-1]) for w in words]


def pairs(rng):
    """Return rows as samples and as targets."""
    X = rows(rng)
    return X, X


def images(rng):
    return rng.normal(size=(64, 16, 16)).astype("f4")


def sequences(rng):
    return rng.normal(size=(64, 12, 2)).astype("f4")


def models():
    """Return the estimators by name, with what makes a batch."""
    own = {"random_state": 0}
    return {
        "dense": (Autoencoder(4, **own), rows),
        "variational": (VariationalAutoencoder(4, **own), rows),
        "table": (TabularAutoencoder(4, **own), table),
        "conv": (ConvAutoencoder(4, **own), images),
        "recurrent": (RecurrentAutoencoder(4, **own), sequences),
        "translator": (Seq2SeqTranslator(**own), texts),
        "MLPRegressor": (
            MLPRegressor(hidden_layer_sizes=(64, 4, 64), **own),
            lambda rng: (x := rows(rng), x),
        ),
        "IncrementalPCA": (IncrementalPCA(4), rows),
    }


def resident():
    """Return the resident memory of this process, in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def measure(name, model, batch, n_calls):
    """Print the state of a model after some numbers of calls."""
    rng, seconds, first = np.random.default_rng(0), [], None
    for call in range(1, n_calls + 1):
        data = batch(rng)
        start = time.perf_counter()
        model.partial_fit(*(data if isinstance(data, tuple) else (data,)))
        seconds.append(time.perf_counter() - start)
        if call in (100, n_calls // 5, n_calls):
            first = resident() if first is None else first
            milliseconds = 1e3 * np.median(seconds[-100:])
            size = len(pickle.dumps(model)) / 1024
            more = resident() - first
            print(f"{name:16}{call:7}{milliseconds:9.2f}{more:9.1f}{size:11.1f}", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--calls", type=int, default=5_000)
    parser.add_argument("--only", nargs="+")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    print(f"{'estimator':16}{'calls':>7}{'ms':>9}{'+ MB':>9}{'pickle KB':>11}")
    for name, (model, batch) in models().items():
        if args.only is None or name in args.only:
            measure(name, model, batch, args.calls)


if __name__ == "__main__":
    main()
