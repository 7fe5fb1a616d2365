"""Cost of an epoch: denoising, sparse and variational autoencoders beside the plain one.

    python benchmarks/bench_objectives.py [--repeats 5]

The same layers and the same rows for all, trained in turn in one run; the variational
encoder has twice as many outputs. Every figure is the median over the repeats, the ratio
that to the plain autoencoder in the same repeat, with the same loss for "bernoulli".
"""

import argparse
import time

import numpy as np

from skae import Autoencoder, DenoisingAutoencoder, SparseAutoencoder, VariationalAutoencoder
from skae.architectures import Dense

OBJECTIVES = {
    "plain": Autoencoder(),
    "plain, cross-entropy": Autoencoder(loss="binary_cross_entropy"),
    "denoising, gaussian": DenoisingAutoencoder(),
    "denoising, masking": DenoisingAutoencoder(corruption="masking"),
    "denoising, salt and pepper": DenoisingAutoencoder(corruption="salt_and_pepper"),
    "denoising, swap": DenoisingAutoencoder(corruption="swap"),
    "denoising, damaged only": DenoisingAutoencoder(corruption="masking", damaged_only=True),
    "sparse, topk": SparseAutoencoder(),
    "sparse, l1": SparseAutoencoder(sparsity="l1"),
    "sparse, kl": SparseAutoencoder(sparsity="kl"),
    "variational, gaussian": VariationalAutoencoder(),
    "variational, bernoulli": VariationalAutoencoder(likelihood="bernoulli"),
}
CASES = {  # rows, columns, hidden layers, components, batch size
    "30-64-32-8, batch 32": (10_000, 30, (64, 32), 8, 32),
    "30-64-32-8, batch 128": (50_000, 30, (64, 32), 8, 128),
    "30-64-32-8, batch 512": (50_000, 30, (64, 32), 8, 512),
    "784-128-64-32, batch 128": (10_000, 784, (128, 64), 32, 128),
    "784-1000, batch 128": (5_000, 784, (), 1000, 128),
}


def seconds(estimator, X):
    start = time.perf_counter()
    estimator.fit(X)
    return time.perf_counter() - start


def run(title, n_rows, n_columns, hidden, n_components, batch_size, repeats):
    X = np.random.default_rng(0).random((n_rows, n_columns), "float32")
    for estimator in OBJECTIVES.values():
        estimator.set_params(
            n_components=n_components,
            architecture=Dense(hidden, shortcut=False),
            batch_size=batch_size,
            lr=1e-4,
            early_stopping=False,
            check_baseline=False,
            random_state=0,
        )
    times = {name: [] for name in OBJECTIVES}
    for _ in range(repeats):
        for name, estimator in OBJECTIVES.items():
            one, four = (seconds(estimator.set_params(max_epochs=n), X) for n in (1, 4))
            times[name].append((four - one) / 3)  # without what is done once in a fit
    print(f"\n{title}, median of {repeats}")
    print(f"{'':28}{'s/epoch':>9}{'x plain':>9}")
    for name, t in times.items():
        plain = times["plain, cross-entropy" if "bernoulli" in name else "plain"]
        ratio = np.median(np.divide(t, plain))
        print(f"{name:28}{np.median(t):9.3f}{ratio:9.2f}", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    for title, case in CASES.items():
        run(title, *case, args.repeats)


if __name__ == "__main__":
    main()
