"""Digits that are asked for: how many of those drawn are recognized as such.

    python benchmarks/bench_conditional_digits.py --data DIR
        [--images 20000] [--epochs 15] [--pictures FILE]

DIR holds ``mnist.npz``. A convolutional `VariationalAutoencoder` is fitted on MNIST with the digit
as its condition, and draws 200 of each digit, with codes from the standard normal distribution
and from the mixtures that are its default: expected values (``noise=False``) and draws from the
likelihood. A classifier that has seen only real images says which digit each one is. Real test
images, their reconstructions, and these as another digit stand beside.

The variety of the expected values is the mean distance to the nearest other one of the same
digit, as a fraction of that among as many real test images: 0 if all are the same. With
``--pictures``, eight drawn images of each digit by the first model are written there.
"""

import argparse
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.neighbors import NearestNeighbors
from sklearn.neural_network import MLPClassifier

from skae import VariationalAutoencoder

N_OF_EACH = 200


def load(data):
    with np.load(data / "mnist.npz") as mnist:
        return {
            name: mnist[name] / np.float32(255) if name[0] == "X" else mnist[name].astype(int)
            for name in ("X_train", "y_train", "X_test", "y_test")
        }


class StandardNormal:
    """The prior of the training, as a density."""

    def __init__(self, n_components):
        self.n_components = n_components

    def sample(self, n_samples):
        return np.random.default_rng(0).normal(size=(n_samples, self.n_components))


def flat(X):
    return X.reshape(len(X), -1)


def variety(X, y):
    """Return the mean distance of images to the nearest other one of their digit."""
    distances = [
        NearestNeighbors(n_neighbors=2).fit(flat(X[y == k])).kneighbors()[0][:, 0]
        for k in range(10)
    ]
    return np.concatenate(distances).mean()


def some_of_each(X, y):
    which = np.concatenate([np.flatnonzero(y == k)[:N_OF_EACH] for k in range(10)])
    return X[which], y[which]


def draw_pictures(images, path):
    fig, axes = plt.subplots(8, 10, figsize=(6, 4.8), layout="constrained")
    for ax, image in zip(axes.flat, images, strict=True):
        ax.imshow(image, cmap="gray_r", vmin=0, vmax=1)
        ax.set_axis_off()
    fig.savefig(path, dpi=100)


def print_line(name, *figures):
    cells = "".join(f"{figure:>12}" for figure in figures)
    print(f"{name:44}{cells}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--components", type=int, default=10)
    parser.add_argument("--betas", type=float, nargs="+", default=[1.0, 2.0])
    parser.add_argument("--pictures", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    mnist = load(args.data)
    X, y = mnist["X_train"][: args.images], mnist["y_train"][: args.images]
    judge = MLPClassifier((256,), early_stopping=True, random_state=0)
    judge.fit(flat(mnist["X_train"]), mnist["y_train"])
    real, digits = some_of_each(mnist["X_test"], mnist["y_test"])
    real_variety = variety(real, digits)

    def print_figures(name, drawn, of):
        recognized = (judge.predict(flat(drawn)) == of).mean()
        print_line(name, f"{recognized:.1%}", f"{variety(drawn, of) / real_variety:.2f}")

    print_line("", "recognized", "variety")
    print_figures("real test images", real, digits)
    asked = np.repeat(np.arange(10), N_OF_EACH)
    for beta in args.betas:
        start = time.perf_counter()
        model = VariationalAutoencoder(
            args.components,
            architecture="conv",
            likelihood="bernoulli",
            beta=beta,
            max_epochs=args.epochs,
            random_state=0,
        )
        model.fit(X, condition=y)
        took = time.perf_counter() - start
        if args.pictures and beta == args.betas[0]:
            each = np.tile(np.arange(10), 8)
            draw_pictures(model.sample(conditions=each, noise=False), args.pictures)
        print(f"\nbeta={beta:g}: {took:.0f} s, {model.n_active_units_} active units")
        print_figures("reconstructions", model.reconstruct(real, condition=digits), digits)
        others = (digits + 3) % 10
        moved = model.reconstruct(real, condition=digits, to=others)
        print_figures("reconstructions as another digit", moved, others)
        for prior, density in {"normal": StandardNormal(args.components), "mixture": None}.items():
            for noise in (False, True):
                drawn = model.sample(conditions=asked, density=density, noise=noise)
                print_figures(f'prior="{prior}", noise={noise}', drawn, asked)


if __name__ == "__main__":
    main()
