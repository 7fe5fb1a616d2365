"""Compression: rate and distortion of learned codes, beside JPEG and WebP.

    python benchmarks/bench_compression.py --data DIR [--only digits small photographs]

DIR holds ``mnist.npz`` and ``cifar10_10k.npz``. For each ``rate_weight``, a
`CompressiveAutoencoder` is fitted on training pictures, and 400 others become bytes and
pictures again. These are the bytes of ``compress`` for all of them together, with its header. JPEG
and WebP, from Pillow, get the test pictures as one sheet in which each begins at a multiple of 32
pixels, so that one header serves all of them. Their figures are for the same number of bytes,
between those of the two nearest qualities; "-" where their worst quality takes more bytes.

bits
    Per pixel.
PSNR
    In decibels, of the squared error over all pictures.
MS-SSIM
    Mean over the pictures: two scales for digits and small pictures, three for photographs.

digits
    MNIST, 28 x 28: 20,000 training images.
small
    CIFAR-10, 32 x 32 in color: 10,000 training images.
photographs
    Patches of 64 x 64 in color. Those for the fit are from four photographs of scikit-image and
    scikit-learn, those for the test from three others. "blocks" cuts them into 8 x 8
    pixels, as JPEG does, and its net is dense.
"""

import argparse
import time
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image
from skimage import data as skimage_data
from skimage.data import stereo_motorcycle
from sklearn.datasets import load_sample_image

from skae import CompressiveAutoencoder
from skae.architectures import Conv, Dense
from skae.metrics import ms_ssim_score

N_TEST, SHEET_COLUMNS, GRID = 400, 20, 32
PLAIN = {"check_baseline": False, "early_stopping": False, "random_state": 0}
QUALITIES = {"JPEG": (*range(1, 20, 2), *range(20, 96, 5)), "WebP": range(0, 101, 5)}
OPTIONS = {"JPEG": {"optimize": True}, "WebP": {"method": 6}}


# Pictures.


def digits(data):
    with np.load(data / "mnist.npz") as mnist:
        return mnist["X_train"][:20_000].reshape(-1, 28, 28), mnist["X_test"][:N_TEST]


def small(data):
    with np.load(data / "cifar10_10k.npz") as cifar:
        return cifar["X_train"], cifar["X_test"][:N_TEST]


def patches(photographs, step, side=64):
    return np.stack(
        [
            photograph[row : row + side, column : column + side]
            for photograph in photographs
            for row in range(0, photograph.shape[0] - side + 1, step)
            for column in range(0, photograph.shape[1] - side + 1, step)
        ]
    )


def photographs(data):
    del data
    left, _, _ = stereo_motorcycle()
    fitted = skimage_data.astronaut(), skimage_data.chelsea(), left, load_sample_image("flower.jpg")
    others = skimage_data.coffee(), skimage_data.rocket(), load_sample_image("china.jpg")
    test = patches(others, step=48)
    order = np.random.default_rng(0).permutation(len(test))
    return patches(fitted, step=16), test[order[: len(test) // 20 * 20]]


# Models.


class Whole:
    """Whole pictures by convolutions."""

    def __init__(self, **params):
        self.model = CompressiveAutoencoder(**PLAIN, **params)

    def fit(self, X):
        self.model.fit(X)
        return self

    def round_trip(self, X):
        packed = self.model.compress(X)
        return self.model.decompress(packed), len(packed)


class Blocks(Whole):
    """Blocks of 8 x 8 pixels as rows."""

    SIDE = 8

    def fit(self, X):
        rows = self._rows(X)
        some = np.random.default_rng(0).permutation(len(rows))[:100_000]
        return super().fit(rows[some])

    def round_trip(self, X):
        rows, n_bytes = super().round_trip(self._rows(X))
        n, height, width, colors = X.shape
        blocks = rows.reshape(n, height // self.SIDE, width // self.SIDE, *[self.SIDE] * 2, colors)
        pictures = blocks.swapaxes(2, 3).reshape(X.shape)
        return np.rint(255 * pictures).clip(0, 255).astype("uint8"), n_bytes

    def _rows(self, X):
        n, height, width, colors = X.shape
        blocks = X.reshape(n, height // self.SIDE, self.SIDE, width // self.SIDE, self.SIDE, colors)
        return blocks.swapaxes(2, 3).reshape(-1, self.SIDE**2 * colors) / np.float32(255)


def blocks(weight):
    return Blocks(
        rate_weight=weight,
        n_components=192,
        architecture=Dense((192,)),
        batch_size=512,
        max_epochs=5,
    )


WEIGHTS = 0.003, 0.001, 0.0003

TASKS = {
    "digits": (
        digits,
        (0.01, 0.003, 0.001),
        {
            "dense code": lambda weight: Whole(
                rate_weight=weight,
                n_components=64,
                architecture=Conv(hidden_layer_sizes=256),
                batch_size=128,
                max_epochs=3,
                lr=4e-3,
            ),
        },
    ),
    "small": (small, WEIGHTS, {"blocks": blocks}),
    "photographs": (
        photographs,
        WEIGHTS,
        {
            "blocks": blocks,
            "spatial code": lambda weight: Whole(
                rate_weight=weight,
                n_components=24,
                architecture=Conv((32, 48, 64), code="spatial", normalization=None),
                batch_size=16,
                max_epochs=5,
                lr=4e-3,
            ),
        },
    ),
}


# Scores.


def scores(X, restored):
    error = np.mean((restored.astype(np.float64) - X) ** 2)
    return 10 * np.log10(255**2 / error), ms_ssim_score(X, restored)


class Codec:
    """JPEG or WebP for a sheet of pictures: its scores for a number of bytes."""

    def __init__(self, name, X):
        n, height, width = X.shape[:3]
        edges = [(0, -side % GRID) for side in (height, width)]
        padded = np.pad(X, [(0, 0), *edges, *[(0, 0)] * (X.ndim - 3)], mode="edge")
        rows = padded.reshape(-1, SHEET_COLUMNS, *padded.shape[1:]).swapaxes(1, 2)
        sheet = rows.reshape(-1, SHEET_COLUMNS * padded.shape[2], *X.shape[3:])
        self.sizes, self.scores = [], []
        for quality in QUALITIES[name]:
            file = BytesIO()
            Image.fromarray(sheet).save(file, name, quality=quality, **OPTIONS[name])
            image = Image.open(file)
            back = np.asarray(image.convert("RGB" if X.ndim == 4 else "L")).reshape(rows.shape)
            back = back.swapaxes(1, 2).reshape(padded.shape)[:, :height, :width]
            self.sizes.append(file.tell())
            self.scores.append(scores(X, back))

    def at(self, n_bytes):
        """Return the PSNR and the MS-SSIM for a number of bytes, or two NaN."""
        if not self.sizes[0] <= n_bytes <= self.sizes[-1]:
            return np.nan, np.nan
        logs = np.log(np.maximum.accumulate(self.sizes))
        return tuple(
            np.interp(np.log(n_bytes), logs, column) for column in np.transpose(self.scores)
        )


def least_file(name, X):
    """Return the mean bytes of files of one picture at the worst quality."""
    sizes = []
    for image in X[:100]:
        file = BytesIO()
        Image.fromarray(image).save(file, name, quality=QUALITIES[name][0], **OPTIONS[name])
        sizes.append(file.tell())
    return np.mean(sizes)


def bench(task, data):
    load, weights, models = TASKS[task]
    fitted, X = load(data)
    n_pixels = X.shape[0] * X.shape[1] * X.shape[2]
    codecs = {name: Codec(name, X) for name in QUALITIES}
    least = ", ".join(f"{name} {least_file(name, X):.0f}" for name in QUALITIES)
    print(f"\n{task}: {len(fitted)} and {len(X)} of {X.shape[1:]}; least bytes of a file: {least}")
    heads = "".join(f"{name:>9}{'MS-SSIM':>9}" for name in ("PSNR", *QUALITIES))
    print(f"{'':14}{'weight':>8}{'bytes':>7}{'bits':>7}{heads}{'s':>6}")
    for name, make in models.items():
        for weight in weights:
            start = time.process_time()
            restored, n_bytes = make(weight).fit(fitted).round_trip(X)
            seconds = time.process_time() - start
            lines = [scores(X, restored), *(codec.at(n_bytes) for codec in codecs.values())]
            figures = "".join(f"{psnr:9.2f}{ssim:9.4f}" for psnr, ssim in lines)
            sizes = f"{n_bytes / len(X):7.1f}{8 * n_bytes / n_pixels:7.3f}"
            figures = figures.replace("nan", "  -")
            print(f"{name:14}{weight:8}{sizes}{figures}{seconds:6.0f}", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--only", nargs="+", default=list(TASKS), choices=list(TASKS))
    args = parser.parse_args()
    for task in args.only:
        bench(task, args.data)


if __name__ == "__main__":
    main()
