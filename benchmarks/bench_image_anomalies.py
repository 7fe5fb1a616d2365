"""Anomalies in images: defects in textures and in digits, beside PCA and k-NN on patches.

    python benchmarks/bench_image_anomalies.py [--textures NAME ...] [--data DIR]

Brick, grass and gravel are photographs of scikit-image; weave, waves and clouds are made. Models
are fitted on 200 crops of 64 x 64 pixels of the left half of a texture, without defects. They are
judged on 110 crops of the right half: 50 without a defect, and 15 of each kind:

scratch
    a thin, slightly bent line that is lighter or darker
blob
    a spot with a soft edge that is lighter or darker
missing
    an area that has one color
distorted
    an area whose pixels are displaced by a few pixels. `ImageOutlierScorer` makes defects of its
    own to learn from, by other code. Some are like the first three kinds, none is like this one.

The measures are the area under the ROC curve of images and of pixels, and the per-region overlap up
to a false positive rate of 0.3 (``pro_score``). The score of an image is that of its most unusual
pixel, for all methods. Seconds are CPU time, of fit and scores.

PCA keeps 90 % of the variance of patches of 8 x 8 pixels. The map has the squared residual of all
patches. k-NN has the mean distance to the 3 nearest of 5,000 normal patches, in 32 principal
components. Both maps are averaged by a Gaussian of 2 pixels.

With ``--data``, DIR holds ``mnist.npz``: 1,000 digits to fit, 400 others to judge, half of them
with a block of 3 x 3 pixels inverted.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates
from skimage import data
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors

from skae import ConvAutoencoder, ImageOutlierScorer
from skae.metrics import pro_score

SIDE, SIZE = 64, 512
N_FIT, N_NORMAL, N_EACH = 200, 50, 15
PATCH, N_BANK, BLUR = 8, 5_000, 2


# Textures.


def weave(rng):
    rows, columns = np.mgrid[:SIZE, :SIZE]
    threads = [
        np.abs(np.sin(2 * np.pi * axis / 12 + 0.3 * clouds(rng, [15]))) for axis in (columns, rows)
    ]
    is_over = (columns // 12 + rows // 12) % 2 == 0
    first, second = np.where(is_over, threads, threads[::-1])
    return 0.5 + 0.2 * first * (0.7 + 0.3 * second) + 0.03 * rng.standard_normal((SIZE, SIZE))


def waves(rng):
    rows, columns = np.mgrid[:SIZE, :SIZE]
    phase = 0.5 * columns + 0.2 * rows + 0.6 * clouds(rng, [20])
    return 0.5 + 0.25 * np.sin(phase) + 0.04 * rng.standard_normal((SIZE, SIZE))


def clouds(rng, sizes=(1, 3, 9)):
    """Return noise of several sizes, of mean 0 and standard deviation 1."""
    noise = [gaussian_filter(rng.standard_normal((SIZE, SIZE)), s, mode="wrap") for s in sizes]
    total = sum(weight * one / one.std() for weight, one in zip((0.5, 0.7, 1), noise, strict=False))
    return total / total.std()


TEXTURES = {
    "brick": lambda rng: data.brick() / 255,
    "grass": lambda rng: data.grass() / 255,
    "gravel": lambda rng: data.gravel() / 255,
    "weave": weave,
    "waves": waves,
    "clouds": lambda rng: 0.5 + 0.15 * clouds(rng),
}


def crops(texture, left, right, n, rng):
    rows, columns = rng.integers(0, SIZE - SIDE, n), rng.integers(left, right - SIDE, n)
    corners = zip(rows, columns, strict=True)
    return np.stack([texture[row : row + SIDE, column : column + SIDE] for row, column in corners])


# Defects.


def area(rng):
    """Return how far inside of an irregular area pixels are, below 0 outside."""
    radius = rng.uniform(0.06, 0.14) * SIDE
    rows, columns = np.mgrid[:SIDE, :SIDE]
    row, column = rng.uniform(radius, SIDE - radius, 2)
    noise = gaussian_filter(rng.standard_normal((SIDE, SIDE)), radius / 2.5)
    return 1 - np.hypot(rows - row, columns - column) / radius + 0.35 * noise / noise.std()


def scratch(image, std, rng):
    place, angle = rng.uniform(0.2, 0.8, 2) * SIDE, rng.uniform(0, 2 * np.pi)
    length, line = rng.uniform(0.25, 0.6) * SIDE, np.zeros((SIDE, SIDE))
    bend = rng.uniform(-1, 1) / length
    for _ in range(int(4 * length)):
        row, column = place.round().astype(int)
        if 0 <= row < SIDE and 0 <= column < SIDE:
            line[row, column] = 1
        place = place + 0.25 * np.array([np.sin(angle), np.cos(angle)])
        angle += 0.25 * bend
    line = gaussian_filter(line, rng.uniform(0.5, 0.8))
    line /= line.max()
    return image + line * rng.choice([-1, 1]) * rng.uniform(1.2, 2.2) * std, line > 0.3


def blob(image, std, rng):
    coverage = (2 * area(rng)).clip(0, 1)
    by = rng.choice([-1, 1]) * rng.uniform(0.7, 1.5) * std
    return image + coverage * by, coverage > 0.5


def missing(image, std, rng):
    is_missing = area(rng) > 0.25
    color = image.mean() + 0.3 * rng.standard_normal() * std
    return np.where(is_missing, color, image), is_missing


def distorted(image, std, rng):
    coverage = (2 * area(rng)).clip(0, 1)
    angle, by = rng.uniform(0, 2 * np.pi), rng.uniform(4, 7) * coverage
    rows, columns = np.mgrid[:SIDE, :SIDE]
    places = rows + by * np.sin(angle), columns + by * np.cos(angle)
    return map_coordinates(image, places, order=1, mode="reflect"), coverage > 0.5


KINDS = scratch, blob, missing, distorted


def load_texture(name):
    """Return images to fit and to judge, where these have defects, and of which kind."""
    rng = np.random.default_rng(0)
    texture = TEXTURES[name](rng).clip(0, 1)
    X = crops(texture, 0, SIZE // 2, N_FIT, rng)
    X_test = crops(texture, SIZE // 2, SIZE, N_NORMAL + N_EACH * len(KINDS), rng)
    is_defect, kinds = np.zeros(X_test.shape, bool), np.full(len(X_test), "", object)
    for i in range(N_NORMAL, len(X_test)):
        make = KINDS[(i - N_NORMAL) // N_EACH]
        while not is_defect[i].any():
            X_test[i], is_defect[i] = make(X_test[i], X.std(), rng)
        kinds[i] = make.__name__
    return X.astype("float32"), X_test.clip(0, 1).astype("float32"), is_defect, kinds


def load_mnist(path):
    rng = np.random.default_rng(0)
    with np.load(path / "mnist.npz") as mnist:
        X, X_test = mnist["X_train"][:1000], mnist["X_test"][:400]
    X, X_test = (x.reshape(-1, 28, 28) / np.float32(255) for x in (X, X_test))
    is_defect = np.zeros(X_test.shape, bool)
    for place, (row, column) in zip(is_defect[200:], rng.integers(4, 21, (200, 2)), strict=True):
        place[row : row + 3, column : column + 3] = True
    kinds = np.where(is_defect.any((1, 2)), "inverted", "")
    return X, np.where(is_defect, 1 - X_test, X_test), is_defect, kinds


# Methods: each returns maps, the higher the more unusual.


def patches(X, step=1):
    pad = PATCH // 2, (PATCH - 1) // 2
    padded = np.pad(X, [(0, 0), pad, pad], mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (PATCH, PATCH), axis=(1, 2))
    windows = windows[:, ::step, ::step]
    return windows.reshape(-1, PATCH**2), windows.shape[:3]


def smooth(maps):
    return gaussian_filter(maps, BLUR, axes=(1, 2))


def by_pca(X, X_test):
    pca = PCA(0.9).fit(patches(X, 4)[0])
    rows, shape = patches(X_test)
    residual = ((rows - pca.inverse_transform(pca.transform(rows))) ** 2).mean(1)
    return smooth(residual.reshape(shape))


def by_neighbors(X, X_test):
    rows, _ = patches(X, 4)
    pca = PCA(32, random_state=0).fit(rows)
    bank = np.random.default_rng(0).choice(len(rows), N_BANK, replace=False)
    index = NearestNeighbors(n_neighbors=3, algorithm="brute").fit(pca.transform(rows[bank]))
    queries, shape = patches(X_test, 2)
    distances = index.kneighbors(pca.transform(queries))[0].mean(1).reshape(shape)
    return smooth(np.repeat(np.repeat(distances, 2, 1), 2, 2))


def by_autoencoder(X, X_test):
    model = ConvAutoencoder(32, max_epochs=20, check_baseline=False, random_state=0).fit(X)
    return smooth(model.reconstruction_errors(X_test))


def by_scorer(X, X_test):
    return -ImageOutlierScorer(random_state=0).fit(X).score_pixels(X_test)


METHODS = {
    "PCA on patches": by_pca,
    "k-NN on patches": by_neighbors,
    "ConvAutoencoder(32)": by_autoencoder,
    "ImageOutlierScorer": by_scorer,
}


def measures(maps, is_defect, kinds):
    """Return the three measures, then the area of images for each kind of defect."""
    scores = maps.max((1, 2))
    of_pixels = roc_auc_score(is_defect.ravel(), maps.ravel())
    found = [roc_auc_score(kinds != "", scores), of_pixels, pro_score(is_defect, maps)]
    for kind in dict.fromkeys(kinds[kinds != ""]):
        some = (kinds == "") | (kinds == kind)
        found.append(roc_auc_score(kinds[some] != "", scores[some]))
    return found


def bench(name, images, results):
    X, X_test, is_defect, kinds = images
    columns = ["images", "pixels", "PRO", *dict.fromkeys(kinds[kinds != ""])]
    print(f"\n{name:22}{'s':>6}" + "".join(f"{column:>10}" for column in columns))
    for method, maps_of in METHODS.items():
        start = time.process_time()
        maps = maps_of(X, X_test)
        seconds = time.process_time() - start
        found = measures(maps, is_defect, kinds)
        results.setdefault(method, []).append(found)
        print(f"{method:22}{seconds:6.0f}" + "".join(f"{x:10.3f}" for x in found), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--textures", nargs="*", default=list(TEXTURES), choices=list(TEXTURES))
    parser.add_argument("--data", type=Path)
    args = parser.parse_args()
    results = {}
    for name in args.textures:
        bench(name, load_texture(name), results)
    for method, found in results.items():
        print(f"mean, {method:22}" + "".join(f"{x:10.3f}" for x in np.mean(found, axis=0)))
    if args.data:
        bench("digits", load_mnist(args.data), {})


if __name__ == "__main__":
    main()
