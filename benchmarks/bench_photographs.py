"""Photographs restored by the regressor of images, beside filters that need no training.

    pip install bm3d  # optional, for one more line
    python benchmarks/bench_photographs.py [--tasks noise] [--epochs 100] [--pictures DIR]

Fitted on random crops of photographs that scikit-image and scikit-learn ship, judged on others.
A network for noise gets copies with noise of every strength from 0 to 55 of 255, and is not told
which. PSNR in decibels and SSIM are means over three test photographs, of bytes. With
``--pictures`` the test photographs are written there, beside the best filter and the original.
"""

import argparse
import time
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


def photographs():
    china, flower = load_sample_images().images
    left, _, _ = data.stereo_motorcycle()
    train = [data.astronaut(), china, data.rocket(), left]
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


def with_holes(image, rng):
    """Return a photograph with lines and blots missing, and where they are as a fourth channel."""
    missing = np.zeros(image.shape[:2], bool)
    rows, columns = np.indices(missing.shape)
    n = missing.size // 4000
    for row, column, angle in rng.random((n, 3)) * (*missing.shape, np.pi):
        along = (rows - row) * np.sin(angle) + (columns - column) * np.cos(angle)
        across = (rows - row) * np.cos(angle) - (columns - column) * np.sin(angle)
        length, width = (20, 1.5) if rng.random() < 0.7 else (4, 4)
        missing |= (np.abs(along) < length) & (np.abs(across) < width)
    return np.dstack([np.where(missing[..., None], 0, image), 255 * missing]).astype("uint8")


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


def report(name, Y, restored, seconds=0.0):
    scores = [
        np.mean([score(y[None], x[None]) for y, x in zip(Y, restored, strict=True)])
        for score in (psnr_score, ssim_score)
    ]
    print(f"{name:46}{seconds:7.0f}{scores[0]:8.2f}{scores[1]:9.4f}", flush=True)


def fitted(X, Y, args, **params):
    model = ImageToImageRegressor(
        crop_size=64, flips="both", max_epochs=args.epochs, random_state=0, **params
    )
    start = time.process_time()
    model.fit(X, Y)
    return model, time.process_time() - start


def bench_noise(args, of_color):
    train, test = photographs()
    if not of_color:
        train, test = ([gray(image) for image in some] for some in (train, test))
    rng = np.random.default_rng(0)
    Y = train * 8
    X = [
        add_noise(image, std, rng) for image, std in zip(Y, rng.uniform(0, 55, len(Y)), strict=True)
    ]
    model, seconds = fitted(X, Y, args)
    axis = -1 if of_color else None
    for std in NOISE:
        name = f"{'color' if of_color else 'gray'}, noise of {std}"
        noisy = [add_noise(image, std, rng) for image in test]
        report(f"{name}: as it is", test, noisy)
        for filter_name, function in filters_of_noise(std).items():
            start = time.process_time()
            restored = [in_bytes(255 * function(image / 255, axis)) for image in noisy]
            best = restored
            report(f"{name}: {filter_name}", test, restored, time.process_time() - start)
        restored = model.predict(noisy)
        report(f"{name}: regressor", test, restored, seconds)
        draw(args, name, noisy, best, restored, test)


def bench_sizes(args):
    train, test = photographs()
    for factor in 2, 3:
        Y, Y_test = ([trimmed(image, factor) for image in some] for some in (train, test))
        X, X_test = ([smaller(image, factor) for image in some] for some in (Y, Y_test))
        for how in Image.Resampling.BICUBIC, Image.Resampling.LANCZOS:
            enlarged = [larger(image, factor, how) for image in X_test]
            report(f"x{factor}: {how.name.lower()}", Y_test, enlarged)
        model, seconds = fitted(X, Y, args)
        restored = model.predict(X_test)
        report(f"x{factor}: regressor", Y_test, restored, seconds)
        draw(args, f"x{factor}", X_test, enlarged, restored, Y_test)


def bench_holes(args):
    train, test = photographs()
    rng = np.random.default_rng(0)
    Y = train * 4
    X, X_test = ([with_holes(image, rng) for image in some] for some in (Y, test))
    filtered = [
        in_bytes(
            255 * restoration.inpaint_biharmonic(x[..., :3] / 255, x[..., 3] > 0, channel_axis=-1)
        )
        for x in X_test
    ]
    report("holes: as they are", test, [x[..., :3] for x in X_test])
    report("holes: biharmonic", test, filtered)
    model, seconds = fitted(X, Y, args)
    restored = [
        np.where(x[..., 3:] > 0, y, x[..., :3])
        for x, y in zip(X_test, model.predict(X_test), strict=True)
    ]
    report("holes: regressor", test, restored, seconds)
    draw(args, "holes", [x[..., :3] for x in X_test], filtered, restored, test)


def bench_jpeg(args):
    train, test = photographs()
    rng = np.random.default_rng(0)
    Y = train * 4
    X = [as_jpeg(image, int(q)) for image, q in zip(Y, rng.integers(5, 40, len(Y)), strict=True)]
    model, seconds = fitted(X, Y, args)
    for quality in 10, 20, 30:
        name = f"JPEG, quality {quality}"
        X_test = [as_jpeg(image, quality) for image in test]
        report(f"{name}: as it is", test, X_test)
        filtered = [median_filter(image, (3, 3, 1)) for image in X_test]
        report(f"{name}: median", test, filtered)
        smooth = [
            in_bytes(255 * restoration.denoise_tv_chambolle(image / 255, 0.02, channel_axis=-1))
            for image in X_test
        ]
        report(f"{name}: total variation", test, smooth)
        restored = model.predict(X_test)
        report(f"{name}: regressor", test, restored, seconds)
        draw(args, name, X_test, smooth, restored, test)


def draw(args, name, damaged, filtered, restored, clean):
    """Write a part of each test photograph: damaged, by a filter, by the regressor, original."""
    if args.pictures is None:
        return
    args.pictures.mkdir(exist_ok=True, parents=True)
    for i, images in enumerate(zip(damaged, filtered, restored, clean, strict=True)):
        shape = images[-1].shape
        shown = [
            transform.resize(image, shape[:2], order=0, preserve_range=True)[60:220, 100:300]
            for image in images
        ]
        row = in_bytes(np.concatenate(shown, axis=1))
        Image.fromarray(row).save(args.pictures / f"{name.replace(' ', '_')}_{i}.png")


TASKS = {
    "color": lambda args: bench_noise(args, True),
    "gray": lambda args: bench_noise(args, False),
    "sizes": bench_sizes,
    "holes": bench_holes,
    "jpeg": bench_jpeg,
}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--epochs", type=lambda n: n if n == "auto" else int(n), default="auto")
    parser.add_argument("--pictures", type=Path)
    args = parser.parse_args()
    print(f"{'means of three photographs':46}{'cpu s':>7}{'PSNR':>8}{'SSIM':>9}")
    for task in args.tasks:
        TASKS[task](args)


if __name__ == "__main__":
    main()
