"""Seconds to fit, score and explain tables, and memory to score a large one.

    python benchmarks/bench_outliers_speed.py

`OutlierDetector` beside what k-NN and `IsolationForest` take to fit and score the same rows, in
turn, medians of five runs: tables of several sizes, single rows, and explanations of wide tables.
With ``pyod`` installed, its AutoEncoder is there, too. Then 1,000,000 rows are scored by a
detector that was fitted on 5,000.
"""

import importlib.util
import resource
import time

import numpy as np
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler

from skae import OutlierDetector

N_RUNS = 5
SIZES = (5_000, 20), (100_000, 20), (2_000, 1_500)
MAX_ROWS = 10_000


def rows(n_rows, n_features, seed):
    rng = np.random.default_rng(seed)
    factors = rng.normal(size=(n_rows, 5)) @ rng.normal(size=(5, n_features))
    return factors + rng.normal(size=(n_rows, n_features))


def of_neighbors(X, seed):
    """Find the neighbors of 10,000 rows at most, as many as the detector learns from."""
    del seed
    X = StandardScaler().fit_transform(X)[:MAX_ROWS]
    NearestNeighbors(n_neighbors=5).fit(X).kneighbors(X)


def of_pyod(X, seed):
    from pyod.models.auto_encoder import AutoEncoder

    AutoEncoder(verbose=0, random_state=seed).fit(X)  # scores them, too


METHODS = {
    "OutlierDetector": lambda X, seed: OutlierDetector(random_state=seed).fit(X),
    "IsolationForest": lambda X, seed: IsolationForest(random_state=seed).fit(X).score_samples(X),
    "k-NN": of_neighbors,
}
if importlib.util.find_spec("pyod"):
    METHODS["pyod AutoEncoder"] = of_pyod


def seconds(run, n_runs=N_RUNS):
    taken = []
    for seed in range(n_runs):
        start = time.perf_counter()
        run(seed)
        taken.append(time.perf_counter() - start)
    return np.median(taken)


def compare_sizes():
    print(f"{'fit, and scores of the rows':32}{'s':>8}{'x k-NN and forest':>20}")
    for size in SIZES:
        X = rows(*size, seed=0)
        taken = {name: [] for name in METHODS}
        for seed in range(N_RUNS):
            for name, run in METHODS.items():
                start = time.perf_counter()
                run(X, seed)
                taken[name].append(time.perf_counter() - start)
        medians = {name: np.median(of_one) for name, of_one in taken.items()}
        peers = medians["IsolationForest"] + medians["k-NN"]
        for name, median in medians.items():
            print(f"{f'{size[0]:,} x {size[1]:,} {name}':32}{median:8.2f}{median / peers:20.2f}")


def single_rows():
    print(f"\n{'one row scored':32}{'ms':>8}")
    for size in ((1_000, 5), (5_000, 20), (10_000, 20)):
        detector, new = OutlierDetector(random_state=0).fit(rows(*size, 0)), rows(1, size[1], 1)
        detector.score_samples(new)
        taken = 1e3 * seconds(lambda _, d=detector, x=new: d.score_samples(x), 200)
        print(f"{f'fitted on {size[0]:,} x {size[1]}':32}{taken:8.2f}")


def explanations():
    print(f"\n{'five rows explained':32}{'s':>8}")
    for n_features in (20, 500):
        X, new = rows(2_000, n_features, 0), rows(5, n_features, 1)
        new[:, :2] += 8 * X.std()
        detector = OutlierDetector(random_state=0).fit(X)
        taken = seconds(lambda _, d=detector, x=new: d.explain(x), 3)
        print(f"{f'{n_features} columns':32}{taken:8.2f}")


def million_rows():
    detector, X = OutlierDetector(random_state=0).fit(rows(5_000, 20, 0)), rows(1_000_000, 20, 1)
    detector.score_samples(X[:10_000])
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
    detector.score_samples(X)
    taken = time.perf_counter() - start
    more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(f"\n1,000,000 x 20 scored in {taken:.0f} s, {more:.0f} MB more than before")


def main():
    METHODS["OutlierDetector"](rows(200, 5, 0), 0)  # what torch imports at its first fit
    compare_sizes()
    single_rows()
    explanations()
    million_rows()


if __name__ == "__main__":
    main()
