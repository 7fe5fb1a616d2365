"""Seconds of fits beside busy processes, with the threads that skae chooses and with one.

    python benchmarks/bench_threads.py [--neighbors 0 1 2] [--repeats 3] [--only ...]

A neighbor is a process that computes without a pause. Each fit runs in a process of its own, with
default parameters, images and sequences for 10 epochs. "s" is the median over the repeats, "x
quiet" the ratio to no neighbors, and "x one thread" the ratio to the same fit with
OMP_NUM_THREADS=1 beside as many neighbors: these take their share of the machine from any process.
The second table is of nets so large that several threads may pay.
"""

import argparse
import os
import subprocess
import sys
import time
import warnings
from functools import partial

import numpy as np

HERE = os.path.abspath(__file__)


def rows():
    from sklearn.datasets import load_breast_cancer
    from sklearn.preprocessing import StandardScaler

    return StandardScaler().fit_transform(load_breast_cancer().data)


def images():
    from sklearn.datasets import load_digits

    return load_digits().images / 16


def table():
    import pandas as pd

    X = pd.DataFrame(rows()[:, :8]).rename(columns=str)
    return X.assign(kind=pd.Categorical(np.where(X["0"] > 0, "large", "small")))


def series(n_steps=30):
    steps = np.arange(n_steps) / 3
    starts = np.random.default_rng(0).uniform(0, 6, (400, 1))
    return np.sin(starts + steps)[..., None]


def fit_small(name):
    """Return a function that fits a small net."""
    import skae

    cases = {
        "Autoencoder": (skae.Autoencoder(), rows),
        "VariationalAutoencoder": (skae.VariationalAutoencoder(), rows),
        "DenoisingAutoencoder": (skae.DenoisingAutoencoder(), rows),
        "TabularAutoencoder": (skae.TabularAutoencoder(), table),
        "ConvAutoencoder": (skae.ConvAutoencoder(max_epochs=10), images),
        "RecurrentAutoencoder": (skae.RecurrentAutoencoder(max_epochs=10), series),
        "OutlierDetector": (skae.OutlierDetector(), table),
    }
    estimator, make = cases[name]
    return partial(estimator.fit, make())


def fit_large(name):
    """Return a function that fits a large net."""
    import skae
    from skae.architectures import Dense

    common = {"max_epochs": 1, "early_stopping": False, "check_baseline": False}
    rng = np.random.default_rng(0)
    cases = {
        "Dense": (
            skae.Autoencoder(32, architecture=Dense((512, 256)), batch_size=256, **common),
            (10_000, 784),
        ),
        "Conv": (skae.ConvAutoencoder(32, batch_size=128, **common), (1_000, 28, 28)),
        "Recurrent": (
            skae.RecurrentAutoencoder(32, hidden_layer_sizes=256, batch_size=128, **common),
            (1_000, 20, 3),
        ),
    }
    estimator, shape = cases[name]
    return partial(estimator.fit, rng.standard_normal(shape, np.float32))


SMALL = [
    "Autoencoder",
    "VariationalAutoencoder",
    "DenoisingAutoencoder",
    "TabularAutoencoder",
    "ConvAutoencoder",
    "RecurrentAutoencoder",
    "OutlierDetector",
]
LARGE = ["Dense", "Conv", "Recurrent"]


def fit_once(name):
    """Print the seconds of a fit, after one that loads what is needed."""
    warnings.simplefilter("ignore")
    fit = fit_small(name) if name in SMALL else fit_large(name)
    fit()
    start = time.perf_counter()
    fit()
    print(time.perf_counter() - start)


def seconds(name, one_thread):
    """Return the seconds of a fit in a process of its own."""
    environment = {k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"}
    if one_thread:
        environment["OMP_NUM_THREADS"] = "1"
    command = [sys.executable, HERE, "--fit", name]
    return float(subprocess.check_output(command, env=environment, text=True))


def beside(n_neighbors, name, repeats):
    """Return the median seconds with all threads, and with one, in turn, beside neighbors."""
    loop = [sys.executable, "-c", "while True: pass"]
    neighbors = [subprocess.Popen(loop) for _ in range(n_neighbors)]
    try:
        times = [(seconds(name, False), seconds(name, True)) for _ in range(repeats)]
    finally:
        for neighbor in neighbors:
            neighbor.kill()
    return np.median(times, axis=0)


def compare(names, numbers, repeats):
    print("| fit | neighbors | s | x quiet | s, one thread | x one thread |")
    print("|:--|--:|--:|--:|--:|--:|")
    for name in names:
        quiet = None
        for n in numbers:
            free, one = beside(n, name, repeats)
            quiet = free if quiet is None else quiet
            row = f"| {name} | {n} | {free:.2f} | {free / quiet:.2f} | {one:.2f} |"
            print(f"{row} {free / one:.2f} |", flush=True)
    print()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--neighbors", type=int, nargs="+", default=[0, 1, os.cpu_count()])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", nargs="+", default=SMALL + LARGE)
    parser.add_argument("--fit")
    args = parser.parse_args()
    if args.fit:
        fit_once(args.fit)
        return
    for names in (SMALL, LARGE):
        compare([name for name in names if name in args.only], args.neighbors, args.repeats)


if __name__ == "__main__":
    main()
