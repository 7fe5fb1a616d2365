"""Photographs restored by the regressor of images, beside filters that need no training.

    pip install bm3d  # optional, for one more line
    python benchmarks/bench_photographs.py [--tasks color] [--pictures DIR]

Fitted on random crops of photographs that scikit-image and scikit-learn ship, judged on others,
once with the defaults and ``shuffle_channels``, and once longer, by ``TASKS``. A network for noise
gets copies with noise of every strength from 0 to 55 of 255, and is not told which; the filters
are told. One for holes gets photographs that were filled by a filter, with more holes, and where
these are. One that enlarges gets small photographs. PSNR in decibels and SSIM are means over three
test photographs, of bytes. With ``--pictures`` parts of the test photographs are written there,
beside the best filter and the original.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import median_filter
from skimage import data, restoration, transform
from sklearn.datasets import load_sample_images

from skae import ImageToImageRegressor
from skae.metrics import psnr_score, ssim_score

NOISE = 15, 25, 50

#: Copies of each photograph, with other damage, in a short and a long training.
N_COPIES, N_COPIES_LONG = 3, 24

#: What a long training can use.
WIDE = {"channels": (32, 64, 128)}


def photographs():
    china, flower = load_sample_images().images
    left, _, _ = data.stereo_motorcycle()
    colored = data.astronaut(), china, data.rocket(), left, data.immunohistochemistry()
    gray = data.camera(), data.coins(), data.moon(), data.brick(), data.grass(), data.gravel()
    train = [*colored, data.hubble_deep_field()[:600, :600], data.retina()[400:1000, 400:1000]]
    train += [image[..., None].repeat(3, axis=2) for image in gray]
    return train, [data.coffee(), data.chelsea(), flower]


def in_bytes(image):
    return np.clip(np.rint(image), 0, 255).astype("uint8")


def gray(image):
    return in_bytes(image @ [0.299, 0.587, 0.114])


def trimmed(image, factor):
    height, width = (side - side % factor for side in image.shape[:2])
    return image[:height, :width]


def add_noise(image, std, rng):
    return in_bytes(image + rng.normal(scale=std, size=image.shape))


def smaller(image, factor):
    size = np.array(image.shape[:2])[::-1] // factor
    return np.asarray(Image.fromarray(image).resize(tuple(size), Image.Resampling.BICUBIC))


def larger(image, factor, how):
    size = np.array(image.shape[:2])[::-1] * factor
    return np.asarray(Image.fromarray(image).resize(tuple(size), how))


def as_jpeg(image, quality):
    file = BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def holes(size, rng, pixels_each):
    """Return where lines and blots are missing from an image, one for a number of pixels."""
    missing = np.zeros(size, bool)
    rows, columns = np.indices(missing.shape)
    n = missing.size // pixels_each
    for row, column, angle in rng.random((n, 3)) * (*missing.shape, np.pi):
        along = (rows - row) * np.sin(angle) + (columns - column) * np.cos(angle)
        across = (rows - row) * np.cos(angle) - (columns - column) * np.sin(angle)
        length, width = (20, 1.5) if rng.random() < 0.7 else (4, 4)
        missing |= (np.abs(along) < length) & (np.abs(across) < width)
    return missing


def filled(image, missing):
    """Return an image with its holes filled from their edges."""
    whole = restoration.inpaint_biharmonic(image / 255, missing, channel_axis=-1)
    return in_bytes(255 * whole)


def filters_of_noise(std):
    """Return functions that remove noise of a strength they are told, by name."""
    sigma = std / 255

    def non_local_means(x, axis):
        how = {"patch_size": 5, "patch_distance": 6, "h": 0.8 * sigma, "sigma": sigma}
        return restoration.denoise_nl_means(x, **how, fast_mode=True, channel_axis=axis)

    def total_variation(x, axis):
        return restoration.denoise_tv_chambolle(x, weight=1.2 * sigma, channel_axis=axis)

    found = {"total variation": total_variation, "non-local means": non_local_means}
    try:
        import bm3d
    except ImportError:
        return found

    def by_bm3d(x, axis):
        return (bm3d.bm3d if axis is None else bm3d.bm3d_rgb)(x, sigma)

    return found | {"BM3D": by_bm3d}


@dataclass
class Task:
    """What is to be learned, and what it is judged on."""

    #: Makes pairs for the training with a number of copies of each photograph.
    pairs: Callable
    #: By name, the damaged test photographs, and functions of them that need no training.
    tests: dict
    Y_test: list
    #: Makes the answer of damaged photographs and of what the regressor predicts.
    finish: Callable = lambda X, predicted: predicted
    has_colors: bool = True


def noise(of_color):
    train, test = photographs()
    if not of_color:
        train, test = ([gray(image) for image in some] for some in (train, test))
    rng = np.random.default_rng(0)

    def pairs(n_copies):
        Y = train * n_copies
        return [add_noise(image, rng.uniform(0, 55), rng) for image in Y], Y

    axis = -1 if of_color else None
    tests = {}
    for std in NOISE:
        filters = {
            name: partial(in_all, lambda x, f=function: in_bytes(255 * f(x / 255, axis)))
            for name, function in filters_of_noise(std).items()
        }
        tests[f"noise of {std}"] = [add_noise(image, std, rng) for image in test], filters
    return Task(pairs, tests, test, has_colors=of_color)


def sizes(factor):
    train, test = photographs()
    Y, Y_test = ([trimmed(image, factor) for image in some] for some in (train, test))
    X_test = [smaller(image, factor) for image in Y_test]
    filters = {
        how.name.lower(): partial(in_all, partial(larger, factor=factor, how=how))
        for how in (Image.Resampling.BICUBIC, Image.Resampling.LANCZOS)
    }

    def pairs(n_copies):
        return [smaller(image, factor) for image in Y] * n_copies, Y * n_copies

    return Task(pairs, {f"x{factor}": (X_test, filters)}, Y_test)


def inpainting():
    train, test = photographs()
    rng = np.random.default_rng(0)

    def damaged(image, pixels_each):
        missing = holes(image.shape[:2], rng, pixels_each)
        return np.dstack([filled(image, missing), np.uint8(255) * missing])

    def pairs(n_copies):
        Y = train * n_copies
        return [damaged(image, 600) for image in Y], Y

    X_test = [damaged(image, 4000) for image in test]
    without = {
        "as it is": lambda X: [np.where(x[..., 3:] > 0, 0, x[..., :3]) for x in X],
        "biharmonic": lambda X: [x[..., :3] for x in X],
    }

    def finish(X, predicted):
        return [np.where(x[..., 3:] > 0, y, x[..., :3]) for x, y in zip(X, predicted, strict=True)]

    return Task(pairs, {"holes": (X_test, without)}, test, finish)


def jpeg():
    train, test = photographs()
    rng = np.random.default_rng(0)

    def pairs(n_copies):
        Y = train * n_copies
        return [as_jpeg(image, int(rng.integers(5, 40))) for image in Y], Y

    filters = {
        "median": partial(in_all, lambda x: median_filter(x, (3, 3, 1))),
        "total variation": partial(
            in_all,
            lambda x: in_bytes(
                255 * restoration.denoise_tv_chambolle(x / 255, 0.02, channel_axis=-1)
            ),
        ),
    }
    tests = {
        f"quality {quality}": ([as_jpeg(image, quality) for image in test], filters)
        for quality in (10, 20, 30)
    }
    return Task(pairs, tests, test)


def in_all(function, images):
    return [function(image) for image in images]


#: By name: the task, and parameters of a long training with copies.
TASKS = {
    "color": (partial(noise, True), N_COPIES_LONG, WIDE | {"max_epochs": 3}),
    "gray": (partial(noise, False), N_COPIES_LONG, WIDE | {"max_epochs": 3}),
    "x2": (partial(sizes, 2), N_COPIES, {"max_epochs": 20}),
    "x3": (partial(sizes, 3), N_COPIES, {"max_epochs": 40}),
    "holes": (inpainting, N_COPIES, {"max_epochs": 12}),
    "jpeg": (jpeg, N_COPIES_LONG, {"max_epochs": 3}),
}


def bench(name, pictures):
    make, n_copies_long, params = TASKS[name]
    task, best = make(), {}
    for test, (X, filters) in task.tests.items():
        title = f"{name}, {test}"
        if np.shape(X[0]) == np.shape(task.Y_test[0]):
            report(f"{title}: as it is", task.Y_test, X)
        for filter_name, function in filters.items():
            start = time.process_time()
            best[test] = function(X)
            seconds = time.process_time() - start
            report(f"{title}: {filter_name}", task.Y_test, best[test], seconds)
    long = params | {"flips": "both", "loss": "squared_error"}
    for how, n_copies, params in (("defaults", N_COPIES, {}), ("longer", n_copies_long, long)):
        pairs = task.pairs(n_copies)
        start = time.process_time()
        model = ImageToImageRegressor(**params, shuffle_channels=task.has_colors, random_state=0)
        model.fit(*pairs)
        seconds = time.process_time() - start
        for test, (X, _) in task.tests.items():
            restored = task.finish(X, model.predict(X))
            report(f"{name}, {test}: regressor, {how}", task.Y_test, restored, seconds)
            if pictures is not None:
                draw(pictures / f"{name}_{test}", X, best[test], restored, task.Y_test)


def report(title, Y, restored, seconds=0.0):
    scores = [
        np.mean([score(y[None], x[None]) for y, x in zip(Y, restored, strict=True)])
        for score in (psnr_score, ssim_score)
    ]
    print(f"{title:46}{seconds:7.0f}{scores[0]:8.2f}{scores[1]:9.4f}", flush=True)


def draw(path, damaged, filtered, restored, clean):
    """Write a part of each test photograph: damaged, by a filter, by the regressor, original."""
    path.parent.mkdir(exist_ok=True, parents=True)
    for i, images in enumerate(zip(damaged, filtered, restored, clean, strict=True)):
        size = images[-1].shape[:2]
        shown = [
            transform.resize(image[..., :3], size, order=0, preserve_range=True)
            if image.ndim == 3
            else image
            for image in images
        ]
        row = np.concatenate([image[60:220, 100:300] for image in shown], axis=1)
        Image.fromarray(in_bytes(row)).save(f"{path}_{i}.png".replace(" ", "_"))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--pictures", type=Path)
    args = parser.parse_args()
    print(f"{'means of three photographs':46}{'cpu s':>7}{'PSNR':>8}{'SSIM':>9}")
    for name in args.tasks:
        bench(name, args.pictures)


if __name__ == "__main__":
    main()
