"""Augmentation: what random changes of few training images are worth on other images.

    python benchmarks/bench_augmentation.py --data DIR [--only digits pairs] [--seeds 0]

DIR holds ``mnist.npz`` and ``cifar10_10k.npz``. Intensities are from 0 to 1. Each line is a
parameter of the estimator alone, or several together, trained as long as the others; the
figures are means over the seeds, which also choose the training images.

digits
    ``ConvAutoencoder`` with 32 components, fitted on 300 digits of MNIST: mean squared error of
    2,000 test images. PCA beside it.
pairs
    ``ImageToImageRegressor``, fitted on 100 pairs of the CIFAR-10 subset: colors from gray, and
    32 x 32 from 16 x 16. PSNR of the squared error over 1,000 test images, and of the gray
    image or its bicubic enlargement.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from bench_images import load_colors, load_mnist
from sklearn.decomposition import PCA
from torch.nn import functional as F

from skae import ConvAutoencoder, ImageToImageRegressor

PLAIN = {"early_stopping": False, "check_baseline": False}
DIGITS = [
    {},
    {"early_stopping": True},
    {"max_shift": 1},
    {"max_rotation": 10},
    {"max_crop": 0.1},
    {"max_shift": 1, "max_rotation": 10},
    {"flips": "horizontal"},
]
PAIRS = [
    {},
    {"flips": "horizontal"},
    {"flips": "horizontal", "max_shift": 2},
    {"flips": "horizontal", "max_crop": 0.2},
    {"flips": "horizontal", "max_brightness": 0.2},
]


def name_of(params):
    return ", ".join(f"{name}={value!r}" for name, value in params.items()) or "none"


def chosen(X, n, seed):
    return X[np.random.default_rng(seed).permutation(len(X))[:n]]


def print_line(title, figure):
    print(f"{title:44}{figure:>9}", flush=True)


def bench_digits(data, seeds, n_epochs, n=300):
    X, X_test = load_mnist(data)
    X_test = X_test[:2000]

    def of_pca(seed):
        flat, test = (x.reshape(len(x), -1) for x in (chosen(X, n, seed), X_test))
        pca = PCA(32, random_state=0).fit(flat)
        return ((pca.inverse_transform(pca.transform(test)) - test) ** 2).mean()

    def of_net(seed, params):
        model = ConvAutoencoder(32, max_epochs=n_epochs, random_state=seed, **PLAIN | params)
        return ((model.fit(chosen(X, n, seed)).reconstruct(X_test) - X_test) ** 2).mean()

    print_line(f"\n{n} digits, {n_epochs} epochs".ljust(45), "error")
    print_line("PCA", f"{np.mean([of_pca(seed) for seed in seeds]):.5f}")
    for params in DIGITS:
        error = np.mean([of_net(seed, params) for seed in seeds])
        print_line(name_of(params), f"{error:.5f}")


def decibels(y, restored):
    return -10 * np.log10(((y - restored.clip(0, 1)) ** 2).mean())


def bench_pairs(data, seeds, n_epochs, n=100):
    y, y_test = load_colors(data)
    y_test = y_test[:1000]
    gray = np.array([0.299, 0.587, 0.114], "float32")
    small = torch.from_numpy(halved(y_test)).movedim(-1, 1)
    large = F.interpolate(small, scale_factor=2, mode="bicubic", align_corners=False)
    for title, damage, simple in (
        ("colors", lambda y: y @ gray, np.repeat((y_test @ gray)[..., None], 3, -1)),
        ("16 x 16 to 32 x 32", halved, large.movedim(1, -1).numpy()),
    ):

        def one(seed, params, damage=damage):
            model = ImageToImageRegressor(
                (16, 32), max_epochs=n_epochs, random_state=seed, **PLAIN, **params
            )
            pairs = chosen(y, n, seed)
            return decibels(y_test, model.fit(damage(pairs), pairs).predict(damage(y_test)))

        print_line(f"\n{title}, {n} pairs, {n_epochs} epochs".ljust(45), "PSNR")
        name = "bicubic" if damage is halved else "gray"
        print_line(name, f"{decibels(y_test, simple):.2f}")
        for params in PAIRS:
            psnr = np.mean([one(seed, params) for seed in seeds])
            print_line(name_of(params), f"{psnr:.2f}")


def halved(images):
    return images.reshape(len(images), 16, 2, 16, 2, 3).mean((2, 4))


def main():
    parser = argparse.ArgumentParser()
    tasks = ["digits", "pairs"]
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--only", nargs="+", default=tasks, choices=tasks)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--digit-epochs", type=int, nargs="+", default=[60])
    parser.add_argument("--pair-epochs", type=int, nargs="+", default=[30])
    args = parser.parse_args()
    for task in args.only:
        bench, all_epochs = {
            "digits": (bench_digits, args.digit_epochs),
            "pairs": (bench_pairs, args.pair_epochs),
        }[task]
        for n_epochs in all_epochs:
            bench(args.data, args.seeds, n_epochs)


if __name__ == "__main__":
    main()
