"""How long the defaults of each family train, and what a longer training would add.

    python benchmarks/bench_defaults.py --data DIR [--sizes 1000 10000] [--families dense conv]

Each line is a fit with nothing but ``n_components`` set, on as many samples: which batch size
and how many epochs "auto" chose, the seconds of the fit by the clock and of the processor, and
R2 on samples that were not used. With ``--long 3`` a second fit has three times as many epochs.
"""

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from skae import (
    Autoencoder,
    ConvAutoencoder,
    DenoisingAutoencoder,
    ImageToImageRegressor,
    RecurrentAutoencoder,
    SparseAutoencoder,
    TabularAutoencoder,
    VariationalAutoencoder,
)

GRAY = np.array([0.299, 0.587, 0.114])


def digits(data, n):
    """Return n digits of MNIST, shifted by up to two pixels where there are too few, and others."""
    arrays = np.load(data / "mnist.npz")
    X, rng = arrays["X_train"], np.random.default_rng(0)
    while len(X) < n:
        shifts = rng.integers(-2, 3, size=(len(arrays["X_train"]), 2))
        more = [np.roll(x, by, (0, 1)) for x, by in zip(arrays["X_train"], shifts, strict=True)]
        X = np.concatenate([X, more])
    return X[:n], arrays["X_test"][:2000]


def rows(data, n):
    return tuple((X.reshape(len(X), -1) / 255).astype("float32") for X in digits(data, n))


def enlarging(data, n):
    return tuple((X[:, ::2, ::2], X) for X in digits(data, n))


def colors(data, n):
    """Return n pairs of the 10,000 training images, their mirror images and shifted ones."""
    arrays = np.load(data / "cifar10_10k.npz")
    Y, rng = arrays["X_train"], np.random.default_rng(0)
    while len(Y) < n:
        more = arrays["X_train"][:, :, :: rng.choice([-1, 1])]
        Y = np.concatenate([Y, np.roll(more, rng.integers(-4, 5), axis=1)])
    return tuple(((Y @ GRAY).round().astype("uint8"), Y) for Y in (Y[:n], arrays["X_test"]))


def sequences(data, n):
    """Return windows of 100 steps of pump sensors, those of the last series for the test."""
    arrays = np.load(data / "skab.npz")
    series = [arrays[name] for name in arrays if name.endswith("__X")]
    mean, std = (f(np.concatenate(series), axis=0) for f in (np.mean, np.std))
    windows = [
        np.lib.stride_tricks.sliding_window_view((s - mean) / std, 100, axis=0).swapaxes(1, 2)
        for s in series
    ]
    train, rng = np.concatenate(windows[:-5]), np.random.default_rng(0)
    chosen = rng.permutation(len(train))[: min(n, len(train))]
    return train[chosen].astype("float32"), np.concatenate(windows[-5:])[::5].astype("float32")


def table(data, n):
    train = pd.read_csv(data / "adult_train.csv.gz").drop(columns="income")
    test = pd.read_csv(data / "adult_test.csv.gz").drop(columns="income")
    everything = pd.concat([train, test], ignore_index=True).sample(frac=1, random_state=0)
    held_out, rest = everything[:4000], everything[4000:]
    return rest.sample(n, replace=n > len(rest), random_state=0), held_out


FAMILIES = {
    "dense": (Autoencoder(32), rows),
    "denoising": (DenoisingAutoencoder(32), rows),
    "sparse": (SparseAutoencoder(), rows),
    "variational": (VariationalAutoencoder(16), rows),
    "variational, conv": (VariationalAutoencoder(16, architecture="conv"), digits),
    "conv": (ConvAutoencoder(32), digits),
    "conv, spatial": (ConvAutoencoder(8, code="spatial"), digits),
    "U-Net, x2": (ImageToImageRegressor(), enlarging),
    "U-Net, colors": (ImageToImageRegressor(), colors),
    "recurrent": (RecurrentAutoencoder(8), sequences),
    "tabular": (TabularAutoencoder(8), table),
}


def bench(name, n, data, long):
    estimator, load = FAMILIES[name]
    train, test = load(data, n)
    train, test = (part if isinstance(part, tuple) else (part,) for part in (train, test))
    n_epochs = "auto"
    for _ in range(1 if long is None else 2):
        model = estimator.set_params(max_epochs=n_epochs, random_state=0, check_baseline=False)
        start = time.perf_counter(), time.process_time()
        model.fit(*train)
        wall, cpu = time.perf_counter() - start[0], time.process_time() - start[1]
        how = f"{name:18}{len(train[0]):8}{model.net_.batch_size:7}{model.n_iter_:8}"
        print(f"{how}{wall:8.0f}{cpu:8.0f}{model.score(*test):9.4f}", flush=True)
        n_epochs = model.n_iter_ * (long or 1)
    estimator.set_params(max_epochs="auto")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 10_000])
    parser.add_argument("--families", nargs="+", choices=FAMILIES, default=list(FAMILIES))
    parser.add_argument("--long", type=int)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    print(f"{'defaults':18}{'samples':>8}{'batch':>7}{'epochs':>8}{'s':>8}{'cpu s':>8}{'R2':>9}")
    for n in args.sizes:
        for name in args.families:
            bench(name, n, args.data, args.long)


if __name__ == "__main__":
    main()
