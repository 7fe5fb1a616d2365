"""Colors of gray pictures from a few given pixels, beside propagation of these without a net.

    python benchmarks/bench_color_hints.py --data DIR [--images 4000] [--epochs 12] [--test 1000]

DIR holds ``cifar10_10k.npz``. Nets with and without ``max_hints`` are fitted on the first images
of the CIFAR-10 subset and judged on test images, whose true colors are given at 0 to 30 random
pixels, the same ones for all methods.

nearest hint
    Each pixel takes a and b, of CIE L*a*b*, of the nearest given pixel.
pull and push
    What the nets get beside the gray picture: a and b, spread by smaller and smaller maps.
optimization
    Neighbors of similar brightness get similar colors: the linear system of A. Levin, D. Lischinski
    and Y. Weiss, "Colorization using optimization", ACM Transactions on Graphics 23, 2004, solved
    for a and b with the weights of their equation (2) and neighborhoods of 3 x 3 pixels.

PSNR is a mean over images, with errors of at least those of rounding to 8 bits. "color" is the mean
colorfulness as a fraction of that of the true pictures. "given" is the root mean square error of
values from 0 to 1 at given pixels, before ``predict`` writes them into the answer.
"""

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from scipy import sparse
from scipy.ndimage import distance_transform_edt
from scipy.sparse.linalg import splu
from skimage.color import gray2rgb, lab2rgb, rgb2lab

from skae import ImageToImageRegressor
from skae._modules.hints import spread
from skae.metrics import colorfulness

COUNTS = 0, 1, 3, 10, 30
#: Pixels of the surroundings of each pixel.
OFFSETS = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if (i, j) != (0, 0)]


def load(data, n_images, n_test):
    with np.load(data / "cifar10_10k.npz") as cifar:
        parts = cifar["X_train"][:n_images], cifar["X_test"][:n_test]
    y, y_test = (part / np.float32(255) for part in parts)
    weights = np.array([0.299, 0.587, 0.114], "float32")
    return y @ weights, y, y_test @ weights, y_test


def hints_of(y, count, rng):
    """Return pictures with NaN in all but some random pixels."""
    n, height, width, _ = y.shape
    order = rng.random((n, height * width)).argsort(1)
    is_given = (order < count).reshape(n, height, width, 1)
    return np.where(is_given, y, np.float32(np.nan))


def colored(gray, ab):
    """Return pictures of the lightness of gray ones."""
    light = rgb2lab(gray2rgb(gray))[..., :1]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Conversion from CIE-LAB", UserWarning)  # it clips
        return lab2rgb(np.concatenate([light, ab], -1))


def nearest_hint(gray, hints):
    """Return a and b of the nearest given pixel."""
    is_unknown = np.isnan(hints[..., 0])
    where = distance_transform_edt(is_unknown, return_distances=False, return_indices=True)
    return rgb2lab(np.nan_to_num(hints))[..., 1:][tuple(where)]


def pull_and_push(gray, hints):
    """Return a and b as nets with ``max_hints`` get them."""
    is_given = ~np.isnan(hints[..., :1])
    values = np.where(is_given, rgb2lab(np.nan_to_num(hints))[..., 1:], 0)
    known = torch.from_numpy(np.concatenate([values, is_given], -1)).movedim(-1, 0)
    return spread(known[None])[0, :2].movedim(0, -1).numpy()


def optimization(gray, hints):
    """Return a and b that vary as little as they can where the brightness does."""
    height, width = gray.shape
    padded = np.pad(gray, 1, constant_values=np.nan)
    moved = [padded[1 + i : 1 + i + height, 1 + j : 1 + j + width] for i, j in OFFSETS]
    values = np.stack(moved)
    variance = np.nanvar(np.concatenate([values, gray[None]]), axis=0)
    weights = np.nan_to_num(np.exp(-((values - gray) ** 2) / (2 * np.maximum(variance, 1e-4))))
    weights /= weights.sum(0)
    is_given = ~np.isnan(hints[..., 0])
    weights[:, is_given] = 0
    place = np.arange(height * width).reshape(height, width)
    rows, columns = (
        np.broadcast_to(place, weights.shape),
        np.stack([np.roll(place, (-i, -j), (0, 1)) for i, j in OFFSETS]),
    )
    mixed = sparse.csc_array(
        (weights.ravel(), (rows.ravel(), columns.ravel())), (place.size, place.size)
    )
    given = np.where(is_given[..., None], rgb2lab(np.nan_to_num(hints))[..., 1:], 0)
    system = splu(sparse.csc_array(sparse.identity(place.size)) - mixed)
    return system.solve(given.reshape(-1, 2)).reshape(height, width, 2)


def score(y, predicted, hints=None, before=None):
    """Return what a line of the table says of pictures."""
    errors = ((y - predicted.clip(0, 1)) ** 2).mean((1, 2, 3))
    psnr = -10 * np.log10(np.maximum(errors, 1 / 255**2 / 12)).mean()
    line = f"{psnr:8.2f}{colorfulness(predicted.clip(0, 1)) / colorfulness(y):8.3f}"
    if before is not None and not np.isnan(hints).all():
        line += f"{np.sqrt(np.nanmean((before - hints) ** 2)):8.3f}"
    return line


def without_writing(model, X, hints):
    """Return what the net makes of hints, before these are written into the answer."""
    loss = type(model.net_.module_.loss)
    write, loss.with_hints = loss.with_hints, lambda self, prediction, hints: prediction
    try:
        return model.predict(X, hints=hints)
    finally:
        loss.with_hints = write


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--images", type=int, default=4000)
    parser.add_argument("--test", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--max-hints", type=int, nargs="+", default=[0, 30])
    parser.add_argument("--losses", nargs="+", default=["absolute_error", "color_distribution"])
    args = parser.parse_args()
    X, y, X_test, y_test = load(args.data, args.images, args.test)
    given = {n: hints_of(y_test, n, np.random.default_rng(n)) for n in COUNTS}

    def line(name, n, seconds, *scored):
        print(f"{name:40}{n:6}{seconds:6.0f}{score(y_test, *scored)}", flush=True)

    def report(model, seconds, name, counts):
        line(name, 0, seconds, model.predict(X_test))
        for n in counts[1:]:
            before = without_writing(model, X_test, given[n])
            line(name, n, 0, model.predict(X_test, hints=given[n]), given[n], before)

    print(f"{'':40}{'hints':>6}{'s':>6}{'PSNR':>8}{'color':>8}{'given':>8}")
    line("gray", 0, 0, gray2rgb(X_test))
    for method in (nearest_hint, pull_and_push, optimization):
        for n in COUNTS[1:]:
            start = time.perf_counter()
            ab = np.stack([method(*pair) for pair in zip(X_test, given[n], strict=True)])
            seconds = time.perf_counter() - start
            line(method.__name__.replace("_", " "), n, seconds, colored(X_test, ab))
    for loss in args.losses:
        for max_hints in args.max_hints:
            model = ImageToImageRegressor(
                flips="horizontal",
                loss=loss,
                max_hints=max_hints,
                max_epochs=args.epochs,
                batch_size=64,
                early_stopping=False,
                check_baseline=False,
                random_state=0,
            )
            start = time.perf_counter()
            model.fit(X, y)
            seconds = time.perf_counter() - start
            report(model, seconds, f"{loss}, max_hints={max_hints}", COUNTS if max_hints else (0,))
        if loss == "color_distribution":
            model.set_params(color_temperature=1.0)
            report(model, 0, "the same, color_temperature=1", COUNTS)


if __name__ == "__main__":
    main()
