"""How much memory do `fit_batches` and `apply_to_files` take, the larger the data?

    python benchmarks/bench_larger_than_memory.py --folder DIR [--gigabytes 1 4] [--limit 2]

DIR gets folders of Parquet files with so many GB of rows, 32 numbers of single precision and two
columns of text, in memory terms, which are removed at the end. Each job runs in a process of its
own, which the system lets have no more than ``--limit`` GB of data. "peak" is its largest resident
memory, less what it had after it had imported skae and fitted a small model.
"""

import argparse
import resource
import shutil
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

N_NUMBERS, ROWS_OF_A_FILE = 32, 500_000
GROUPS = [f"group {i}" for i in range(30)]


def rows(n, seed):
    """Return rows with few causes."""
    rng = np.random.default_rng(seed)
    causes = rng.normal(size=(n, 6)).astype(np.float32)
    weights = np.random.default_rng(0).normal(size=(6, N_NUMBERS)).astype(np.float32)
    X = pd.DataFrame(
        np.tanh(causes @ weights) + rng.normal(scale=0.1, size=(n, N_NUMBERS)).astype(np.float32),
        columns=[f"x{i}" for i in range(N_NUMBERS)],
    ).astype(np.float32)
    group = np.clip((causes[:, 0] * 6 + 15).astype(int), 0, 29)
    return X.assign(group=np.array(GROUPS)[group], sign=np.where(causes[:, 1] > 0, "+", "-"))


def write(folder, gigabytes):
    """Write files of rows, and return how many rows there are."""
    bytes_of_a_row = 4 * N_NUMBERS + 2 * 12  # of text, about
    n_files = max(1, round(gigabytes * 1e9 / bytes_of_a_row / ROWS_OF_A_FILE))
    folder.mkdir(parents=True)
    for i in range(n_files):
        rows(ROWS_OF_A_FILE, i).to_parquet(folder / f"{i:04}.parquet", row_group_size=100_000)
    return n_files * ROWS_OF_A_FILE


def work(limit, job, source, output):
    """Do one job, and print its seconds, the largest memory before and after, and a result."""
    resource.setrlimit(resource.RLIMIT_DATA, (int(limit * 2**30),) * 2)
    from skae import TabularAutoencoder, apply_to_files

    warnings.simplefilter("ignore")
    model = TabularAutoencoder(8, max_epochs=1, random_state=0, check_baseline=False)
    model.fit(rows(20_000, 10**6))
    before, start, result = _peak(), time.perf_counter(), "-"
    if job == "fit_batches":
        result = f"{model.fit_batches(source, n_passes=1).score(rows(20_000, 10**6)):.4f}"
    if job == "score_samples":
        apply_to_files(model, source, output)
    print(time.perf_counter() - start, before, _peak(), result)


def _peak():
    """Return the largest resident memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--gigabytes", type=float, nargs="+", default=[1, 4])
    parser.add_argument("--limit", type=float, default=2)
    parser.add_argument("--job", nargs=3)
    args = parser.parse_args()
    if args.job:
        work(args.limit, *args.job)
        return
    print(f"{'job':16}{'GB':>5}{'rows':>12}{'s':>8}{'rows/s':>10}{'peak MB':>9}{'R2':>8}")
    for gigabytes in args.gigabytes:
        source, output = args.folder / "rows", args.folder / "results"
        try:
            n_rows = write(source, gigabytes)
            for job in ("fit_batches", "score_samples"):
                run = [sys.executable, __file__, "--folder", args.folder, "--limit", args.limit]
                command = [*map(str, run), "--job", job, str(source), str(output)]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                seconds, before, peak, result = done.stdout.split()
                seconds, more = float(seconds), float(peak) - float(before)
                print(
                    f"{job:16}{gigabytes:5g}{n_rows:12,}{seconds:8.1f}{n_rows / seconds:10,.0f}"
                    f"{more:9.0f}{result:>8}",
                    flush=True,
                )
        finally:
            shutil.rmtree(source, ignore_errors=True)
            shutil.rmtree(output, ignore_errors=True)


if __name__ == "__main__":
    main()
