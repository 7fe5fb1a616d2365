"""Seconds to fit and score a table, and memory to score a large one.

    pip install pyod
    python benchmarks/bench_outliers_speed.py

Rows of 5,000 x 20 correlated numbers: `OutlierDetector` beside pyod's AutoEncoder, in turn,
medians of five runs. Then 1,000,000 rows scored by a detector that was fitted on 5,000.
"""

import resource
import time

import numpy as np
from sklearn.ensemble import IsolationForest

from skae import OutlierDetector

N_RUNS = 5


def rows(n_rows, seed):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n_rows, 5)) @ rng.normal(size=(5, 20)) + rng.normal(size=(n_rows, 20))


def of_pyod(X, seed):
    from pyod.models.auto_encoder import AutoEncoder

    AutoEncoder(verbose=0, random_state=seed).fit(X)  # scores them, too


METHODS = {
    "OutlierDetector": lambda X, seed: OutlierDetector(random_state=seed).fit(X).score_samples(X),
    "IsolationForest": lambda X, seed: IsolationForest(random_state=seed).fit(X).score_samples(X),
    "pyod AutoEncoder": of_pyod,
}


def main():
    X, seconds = rows(5_000, 0), {name: [] for name in METHODS}
    for seed in range(N_RUNS):
        for name, run in METHODS.items():
            start = time.perf_counter()
            run(X, seed)
            seconds[name].append(time.perf_counter() - start)
    print(f"{'5,000 x 20, fit and score':28}{'s':>8}{'x pyod':>8}")
    peer = np.median(seconds["pyod AutoEncoder"])
    for name, taken in seconds.items():
        print(f"{name:28}{np.median(taken):8.2f}{np.median(taken) / peer:8.2f}")
    detector, X = OutlierDetector(random_state=0).fit(X), rows(1_000_000, 1)
    detector.score_samples(X[:10_000])
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
    detector.score_samples(X)
    taken = time.perf_counter() - start
    more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(f"1,000,000 x 20 scored in {taken:.0f} s, {more:.0f} MB more than before")


if __name__ == "__main__":
    main()
