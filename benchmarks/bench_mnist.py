"""MNIST digits through 32 numbers: dense autoencoders beside PCA.

    python benchmarks/bench_mnist.py --data DIR [--seeds 0]

DIR holds ``mnist.npz``. Pixels are divided by 255. All are fitted on the 60,000 training
images and judged on the 10,000 test images: binary cross-entropy and squared error, each
the mean over pixels.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from sklearn.decomposition import PCA

from skae import Autoencoder
from skae.architectures import Dense

COMMON = {
    "n_components": 32,
    "loss": "binary_cross_entropy",
    "batch_size": 128,
    "early_stopping": False,
    "check_baseline": False,
}
RECIPES = {
    "784-128-64-32, 50 epochs": Autoencoder(
        **COMMON, architecture=Dense((128, 64), shortcut=False), lr=3e-3, max_epochs=50
    ),
    "784-512-256-32, 25 epochs": Autoencoder(
        **COMMON,
        architecture=Dense((512, 256), activation="silu", shortcut=False),
        lr=2e-3,
        max_epochs=25,
    ),
    "defaults, loss by name": Autoencoder(32, loss="binary_cross_entropy", check_baseline=False),
    "defaults": Autoencoder(32, check_baseline=False),
}


def load(data):
    with np.load(data / "mnist.npz") as mnist:
        return [
            mnist[part].reshape(-1, 784).astype("float32") / 255 for part in ("X_train", "X_test")
        ]


def cross_entropy(X, probability):
    probability = np.clip(probability, 1e-7, 1 - 1e-7)
    return -np.mean(X * np.log(probability) + (1 - X) * np.log1p(-probability))


def report(name, seed, seconds, X, reconstructed):
    error = np.mean((X - reconstructed) ** 2)
    entropy = cross_entropy(X, reconstructed)
    print(f"{name:28}{seed:5}{seconds:8.0f}{entropy:9.4f}{error:9.4f}", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    args = parser.parse_args()
    X, X_test = load(args.data)
    print(f"{'':28}{'seed':>5}{'s':>8}{'entropy':>9}{'error':>9}")
    start = time.perf_counter()
    pca = PCA(32).fit(X)
    seconds = time.perf_counter() - start
    report("PCA", 0, seconds, X_test, pca.inverse_transform(pca.transform(X_test)))
    for name, recipe in RECIPES.items():
        for seed in args.seeds:
            start = time.perf_counter()
            recipe.set_params(random_state=seed).fit(X)
            report(name, seed, time.perf_counter() - start, X_test, recipe.reconstruct(X_test))


if __name__ == "__main__":
    main()
