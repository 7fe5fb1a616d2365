"""Memory and time of fitting and scoring a memory-mapped file, by its size.

    python benchmarks/bench_memory.py [--gigabytes 4] [--columns 100] [--folder DIR]

Prints the private memory beyond what the process had before, which leaves out the pages
of the mapped file, and the seconds of one epoch and of scoring. Linux only.
"""

import argparse
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

from skae import Autoencoder


def private_memory():
    """Return the resident memory that is not a mapped file's, in MB."""
    status = Path("/proc/self/status").read_text().splitlines()
    (line,) = [line for line in status if line.startswith("RssAnon")]
    return int(line.split()[1]) / 1024


class Peak(threading.Thread):
    """Watch the peak of the private memory."""

    def __enter__(self):
        self.before = self.peak = private_memory()
        self.running = True
        self.start()
        return self

    def run(self):
        while self.running:
            self.peak = max(self.peak, private_memory())
            time.sleep(0.01)

    def __exit__(self, *exception):
        self.running = False
        self.join()

    @property
    def growth(self):
        return self.peak - self.before


def measure(function, X):
    start = time.perf_counter()
    with Peak() as peak:
        function(X)
    return peak.growth, time.perf_counter() - start


def write(path, n_rows, n_columns):
    X = np.lib.format.open_memmap(path, "w+", "float32", (n_rows, n_columns))
    rng = np.random.default_rng(0)
    direction = rng.standard_normal(n_columns, "float32")
    for part in np.array_split(X, 100):  # views, along one direction each row
        part[:] = rng.standard_normal((len(part), 1), "float32") * direction
    X.flush()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--gigabytes", type=float, default=4)
    parser.add_argument("--columns", type=int, default=100)
    parser.add_argument("--folder")
    args = parser.parse_args()
    ae = Autoencoder(max_epochs=1, batch_size=512, random_state=0)
    ae.fit(np.random.default_rng(0).standard_normal((1000, args.columns), "float32"))
    print(
        f"{'GB':>5}{'rows':>11}{'fit MB':>8}{'fit s':>8}{'us/row':>8}{'score MB':>10}{'score s':>9}"
    )
    for share in (1 / 8, 1 / 4, 1 / 2, 1):
        gigabytes = share * args.gigabytes
        n_rows = int(gigabytes * 2**30 / 4 / args.columns)
        with tempfile.TemporaryDirectory(dir=args.folder) as folder:
            write(f"{folder}/X.npy", n_rows, args.columns)
            X = np.load(f"{folder}/X.npy", mmap_mode="r")
            fit_memory, fit_seconds = measure(ae.fit, X)
            score_memory, score_seconds = measure(ae.score_samples, X)
        print(
            f"{gigabytes:5.2g}{n_rows:11}{fit_memory:8.0f}{fit_seconds:8.1f}"
            f"{1e6 * fit_seconds / n_rows:8.2f}{score_memory:10.0f}{score_seconds:9.1f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
