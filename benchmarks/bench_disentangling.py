"""Codes with one unit for each factor: beta, and the weight of the total correlation.

    python benchmarks/bench_disentangling.py [--seeds 0 1 2] [--epochs 15] [--images 8000]

Made images of 16 x 16 pixels show a square or an ellipse; their place, size and shape are
independent of each other. Each line is a convolutional `VariationalAutoencoder` with 6
components, fitted without knowing the factors, with PCA and a net that is not trained beside. The
mutual information gap (MIG) is that of the codes of 8,000 other images, mean and range over the
seeds. The error is the mean squared error of their reconstructions as a fraction of the variance.
Units are the active ones.
"""

import argparse
import time

import numpy as np
import torch
from sklearn.decomposition import PCA

from skae import VariationalAutoencoder
from skae.metrics import mutual_information_gap

SIDE, N_COMPONENTS = 16, 6

CONFIGS = [
    {},
    {"beta": 4.0},
    {"beta": 8.0},
    {"tc_weight": 4.0},
    {"tc_weight": 8.0},
    {"tc_weight": 16.0},
]


def made_images(n_images, rng):
    """Return images of shape (n_images, 16, 16) and their factors: x, y, size and shape."""
    x, y = rng.uniform(4.5, SIDE - 4.5, (2, n_images))
    size, is_square = rng.uniform(2.0, 4.0, n_images), rng.integers(0, 2, n_images)
    grid = np.arange(SIDE) + 0.5
    across = np.abs(grid[None, None, :] - x[:, None, None]) / size[:, None, None]
    down = np.abs(grid[None, :, None] - y[:, None, None]) / (0.6 * size[:, None, None])
    square, ellipse = np.maximum(across, down), np.hypot(across, down)
    distance = np.where(is_square[:, None, None], square, ellipse)
    edge = (1 - distance) * 0.6 * size[:, None, None]
    images = np.clip(edge + 0.5, 0, 1).astype(np.float32)
    return images, np.column_stack([x, y, size, is_square])


def figures_of(model, X, factors):
    error = ((model.reconstruct(X) - X) ** 2).mean() / X.var(0).mean()
    return mutual_information_gap(model.transform(X), factors), error, model.n_active_units_


def print_line(name, results, seconds=None):
    gap, error, units = np.array(results).T
    took = "" if seconds is None else f"{seconds:.0f}"
    gaps = f"{gap.mean():.2f} ({gap.min():.2f} to {gap.max():.2f})"
    print(f"{name:20}{gaps:>24}{error.mean():>8.2f}{units.mean():>7.1f}{took:>6}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--images", type=int, default=8_000)
    args = parser.parse_args()
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    (X, _), (X_test, factors) = (made_images(args.images, rng) for _ in range(2))
    print(f"{'':20}{'MIG':>24}{'error':>8}{'units':>7}{'s':>6}")
    flat, flat_test = (x.reshape(len(x), -1) for x in (X, X_test))
    pca = PCA(N_COMPONENTS).fit(flat)
    codes = pca.transform(flat_test)
    error = ((pca.inverse_transform(codes) - flat_test) ** 2).mean() / flat_test.var(0).mean()
    print_line("PCA", [(mutual_information_gap(codes, factors), error, N_COMPONENTS)])

    def fitted(seed, **params):
        plain = {"early_stopping": False, "check_baseline": False, "likelihood": "bernoulli"}
        model = VariationalAutoencoder(
            N_COMPONENTS, architecture="conv", random_state=seed, **plain | params
        )
        return figures_of(model.fit(X), X_test, factors)

    untrained = {"max_epochs": 1, "lr": 1e-12}
    print_line("not trained", [fitted(seed, **untrained) for seed in args.seeds])
    for params in CONFIGS:
        name = ", ".join(f"{name}={value:g}" for name, value in params.items())
        start = time.perf_counter()
        results = [fitted(seed, max_epochs=args.epochs, **params) for seed in args.seeds]
        print_line(name or "defaults", results, (time.perf_counter() - start) / len(args.seeds))


if __name__ == "__main__":
    main()
