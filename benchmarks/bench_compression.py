"""Compression: rate and distortion of learned codes, beside JPEG and WebP.

    python benchmarks/bench_compression.py --data DIR [--only digits small photographs]

DIR holds ``mnist.npz`` and ``cifar10_10k.npz``. For each ``rate_weight``, a
`CompressiveAutoencoder` of dense layers is fitted on training pictures, and others become bytes and
pictures again. The bytes are those of ``compress`` for all of them together, with its header. JPEG
and WebP, from Pillow, get the test pictures as one sheet in which each begins at a multiple of 32
pixels, so that one header serves all of them. Their figures are for the same number of bytes,
between those of the two nearest qualities; "-" where none takes as many bytes. JPEG and
WebP halve the resolution of colors; "4:4:4" is JPEG that does not. The last column has the
processor's seconds.

bits
    Per pixel.
PSNR
    In decibels, of the squared error over all pictures.
MS-SSIM
    Mean over the pictures: two scales for digits and small pictures, three for photographs.

digits
    MNIST, 28 x 28: 20,000 training images, 200 test images. A row is an image.
small
    CIFAR-10, 32 x 32 in color, 200 test images. A row is a block of 8 x 8 pixels, as in JPEG, and
    30,000 of those of the 10,000 training images are fitted.
photographs
    Patches of 64 x 64 in color, blocks as before. Those for the fit are from four photographs of
    scikit-image and scikit-learn, the 100 for the test from three others.
"""

import argparse
import time
from bisect import bisect
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image
from skimage import data as skimage_data
from skimage.data import stereo_motorcycle
from sklearn.datasets import load_sample_image

from skae import CompressiveAutoencoder
from skae.architectures import Dense
from skae.metrics import ms_ssim_score

N_TEST, N_PATCHES, SHEET_COLUMNS, GRID, MAX_ROWS = 200, 100, 20, 32, 30_000
JPEG_QUALITIES = *range(1, 20, 2), *range(20, 96, 5)
CODECS = {
    "JPEG": ("JPEG", JPEG_QUALITIES, {"optimize": True}),
    "4:4:4": ("JPEG", JPEG_QUALITIES, {"optimize": True, "subsampling": 0}),
    "WebP": ("WebP", range(0, 101, 10), {"method": 4}),
}


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
    return patches(fitted, step=16), test[order[:N_PATCHES]]


# Models.


class Rows:
    """Pictures, or blocks of them, as rows for dense layers.

    Parameters
    ----------
    side : int
        Of a block.
    n_components, max_epochs : int
    """

    def __init__(self, side, n_components, max_epochs):
        self.side, self.n_components, self.max_epochs = side, n_components, max_epochs

    def round_trip(self, rate_weight, fitted, X):
        """Return the test pictures after a way through bytes, and how many these are."""
        model = CompressiveAutoencoder(
            self.n_components,
            rate_weight=rate_weight,
            architecture=Dense((256,)),
            batch_size=256,
            max_epochs=self.max_epochs,
            early_stopping=False,
            check_baseline=False,
            random_state=0,
        )
        rows = self._rows(fitted)
        some = np.random.default_rng(0).permutation(len(rows))[:MAX_ROWS]
        packed = model.fit(rows[some]).compress(self._rows(X))
        restored = self._pictures(model.decompress(packed), X.shape)
        return np.rint(255 * restored).clip(0, 255).astype("uint8"), len(packed)

    def _rows(self, X):
        n, height, width, *colors = X.shape
        tall, wide = height // self.side, width // self.side
        blocks = X.reshape(n, tall, self.side, wide, self.side, *colors).swapaxes(2, 3)
        return blocks.reshape(n * tall * wide, -1) / np.float32(255)

    def _pictures(self, rows, shape):
        n, height, width, *colors = shape
        tall, wide = height // self.side, width // self.side
        blocks = rows.reshape(n, tall, wide, self.side, self.side, *colors)
        return blocks.swapaxes(2, 3).reshape(shape)


#: By name: what loads the pictures, weights of the rate, and the model.
TASKS = {
    "digits": (digits, (0.03, 0.01, 0.003), Rows(28, 256, max_epochs=5)),
    "small": (small, (0.003, 0.001, 0.0003), Rows(8, 192, max_epochs=4)),
    "photographs": (photographs, (0.003, 0.001, 0.0003), Rows(8, 192, max_epochs=4)),
}


# Scores.


def scores(X, restored):
    error = np.mean((restored.astype(np.float64) - X) ** 2)
    return 10 * np.log10(255**2 / error), ms_ssim_score(X, restored)


class Codec:
    """JPEG or WebP for a sheet of pictures: its scores for a number of bytes."""

    def __init__(self, name, X):
        self.X, self.sizes, self.restored, self.known = X, [], [], {}
        n, height, width = X.shape[:3]
        edges = [(0, -side % GRID) for side in (height, width)]
        padded = np.pad(X, [(0, 0), *edges, *[(0, 0)] * (X.ndim - 3)], mode="edge")
        rows = padded.reshape(-1, SHEET_COLUMNS, *padded.shape[1:]).swapaxes(1, 2)
        sheet = rows.reshape(-1, SHEET_COLUMNS * padded.shape[2], *X.shape[3:])
        kind, qualities, options = CODECS[name]
        for quality in qualities:
            file = BytesIO()
            Image.fromarray(sheet).save(file, kind, quality=quality, **options)
            image = Image.open(file).convert("RGB" if X.ndim == 4 else "L")
            back = np.asarray(image).reshape(rows.shape).swapaxes(1, 2).reshape(padded.shape)
            self.restored.append(back[:, :height, :width])
            self.sizes.append(file.tell())

    def at(self, n_bytes):
        """Return the PSNR and the MS-SSIM for a number of bytes, or two NaN."""
        if not self.sizes[0] <= n_bytes <= self.sizes[-1]:
            return np.nan, np.nan
        i = bisect(self.sizes, n_bytes, hi=len(self.sizes) - 1)
        ends = np.log(self.sizes[i - 1 : i + 1])
        place = (np.log(n_bytes) - ends[0]) / (ends[1] - ends[0])
        first, second = self._scores(i - 1), self._scores(i)
        return first + place * (second - first)

    def _scores(self, i):
        if i not in self.known:
            self.known[i] = np.array(scores(self.X, self.restored[i]))
        return self.known[i]


def least_file(name, X):
    """Return the mean bytes of files of one picture at the worst quality."""
    kind, qualities, options = CODECS[name]
    sizes = []
    for image in X[:100]:
        file = BytesIO()
        Image.fromarray(image).save(file, kind, quality=qualities[0], **options)
        sizes.append(file.tell())
    return np.mean(sizes)


def bench(task, data):
    load, weights, rows = TASKS[task]
    fitted, X = load(data)
    codecs = {name: Codec(name, X) for name in CODECS}
    least = ", ".join(f"{name} {least_file(name, X):.0f}" for name in ("JPEG", "WebP"))
    print(f"\n{task}: {len(fitted)} and {len(X)} of {X.shape[1:]}; least bytes of a file: {least}")
    heads = "".join(f"{name:>7}{'MS-SSIM':>9}" for name in ("PSNR", *CODECS))
    print(f"{'weight':>7}{'bytes':>8}{'bits':>7}{heads}{'s':>6}", flush=True)
    for weight in weights:
        start = time.process_time()
        restored, n_bytes = rows.round_trip(weight, fitted, X)
        seconds = time.process_time() - start
        lines = [scores(X, restored), *(codec.at(n_bytes) for codec in codecs.values())]
        figures = "".join(f"{psnr:7.2f}{ssim:9.4f}" for psnr, ssim in lines).replace("nan", "  -")
        sizes = f"{n_bytes / len(X):8.1f}{8 * n_bytes / np.prod(X.shape[:3]):7.3f}"
        print(f"{weight:7}{sizes}{figures}{seconds:6.0f}", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--only", nargs="+", default=list(TASKS), choices=list(TASKS))
    args = parser.parse_args()
    for task in args.only:
        bench(task, args.data)


if __name__ == "__main__":
    main()
