"""Images: codes, denoising, density, colors and sizes, each beside its baselines.

    python benchmarks/bench_images.py --data DIR
        [--only codes bytes entropy denoising variational colors sizes] [--pictures FILE]

DIR holds ``mnist.npz`` and ``cifar10_10k.npz``. All are fitted on the training images (60,000
of MNIST, 10,000 of the CIFAR-10 subset) and judged on the test images (10,000; 2,000), with
intensities from 0 to 1.

codes
    32 components, mean squared error, beside the dense net that is the best of
    ``bench_mnist.py``, trained in the same run. Cross-entropy as the loss restores digits with
    less squared error than squared error itself.
bytes
    The same number of components in 8 bits each: PSNR of the squared error over all test
    images beside PCA and JPEG, with its header; the area under the ROC curve of images with a
    block of 3 x 3 pixels inverted, and of the pixels in these.
entropy, denoising
    A spatial code of 7 x 7 x 32 as in keras.io's example, which has 28,353 parameters and
    gets to a cross-entropy of 0.0622 in 50 epochs; with noise of deviation 0.4, clipped to
    [0, 1], to 0.0837 in 100 epochs more. A line for each number of epochs, and each a training
    of its own.
variational
    Pixels are binarized anew in every epoch, the test images once. Negative log-likelihood by
    importance sampling with 500 samples a row, on the first 10,000 or ``--likelihoods`` test
    images; beside the dense net of ``bench_mnist_objectives.py``, trained for as many epochs.
colors
    RGB from 0.299 R + 0.587 G + 0.114 B. PSNR and SSIM are means over images, with errors of
    at least those of rounding to 8 bits; "of all" is the PSNR of the squared error over all
    images, which pictures with little color do not dominate. "color" is the mean colorfulness as
    a fraction of that of the true pictures. "class" is how often an SVM that was fitted on true
    training pictures names the right one of ten classes. ``--pictures`` draws 40 test images in
    four bands: gray, by the distribution over colors, true.
sizes
    32 x 32 from the means of blocks of 2 x 2 pixels.
"""

import argparse
import time
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from bench_mnist_objectives import binarized, fit_on_fresh_binarizations
from PIL import Image
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC
from torch.nn import functional as F

from skae import (
    Autoencoder,
    ConvAutoencoder,
    DenoisingAutoencoder,
    ImageToImageRegressor,
    VariationalAutoencoder,
)
from skae.architectures import Conv, Dense
from skae.metrics import colorfulness, ssim_score

PLAIN = {"early_stopping": False, "check_baseline": False, "random_state": 0, "batch_size": 128}
SPATIAL = {"code": "spatial", "channels": (30, 32), "normalization": None}
RESIDUAL = {"code": "spatial", "channels": (8, 24), "n_residual_blocks": (0, 1)}


def load_mnist(data):
    with np.load(data / "mnist.npz") as mnist:
        return mnist["X_train"] / np.float32(255), mnist["X_test"] / np.float32(255)


def load_colors(data):
    with np.load(data / "cifar10_10k.npz") as cifar:
        return cifar["X_train"] / np.float32(255), cifar["X_test"] / np.float32(255)


def timed(function, *args):
    start = time.perf_counter()
    result = function(*args)
    return result, time.perf_counter() - start


def n_parameters(model):
    return sum(p.numel() for p in model.net_.module_.parameters() if p.requires_grad)


def cross_entropy(X, restored):
    restored = np.clip(restored, 1e-7, 1 - 1e-7)
    return -(X * np.log(restored) + (1 - X) * np.log1p(-restored)).mean()


def print_entropy(*figures):
    print("{:40}{:11}{:7}{:6.0f}{:9.4f}".format("code of 7 x 7 x 32", *figures), flush=True)


# MNIST.


def bench_codes(data):
    X, X_test = load_mnist(data)
    print(f"\n{'32 components':40}{'parameters':>11}{'epochs':>7}{'s':>6}{'error':>9}")
    dense = Autoencoder(
        32,
        architecture=Dense((512, 256), activation="silu", shortcut=False),
        loss="binary_cross_entropy",
        lr=2e-3,
        **PLAIN,
    )
    conv = ConvAutoencoder(32, hidden_layer_sizes=256, lr=4e-3, **PLAIN)
    for name, model, n_epochs in (
        ("784-512-256-32", dense, 25),
        ("convolutions, 28-14-7-256-32", conv, 10),
        ("the same, cross-entropy", clone(conv).set_params(loss=dense.loss), 10),
    ):
        flat = name.startswith("784")
        rows, test = (x.reshape(-1, 784) if flat else x for x in (X, X_test))
        _, seconds = timed(model.set_params(max_epochs=n_epochs).fit, rows)
        error = ((model.reconstruct(test) - test) ** 2).mean()
        n = n_parameters(model)
        print(f"{name:40}{n:11}{n_epochs:7}{seconds:6.0f}{error:9.5f}", flush=True)


def in_8_bits(codes, low, high):
    """Return codes after a way through bytes, by the range that the training codes have."""
    steps = np.rint((codes - low) / (high - low) * 255).clip(0, 255)
    return (low + steps / 255 * (high - low)).astype("float32")


def jpeg(image, quality):
    """Return the restored image and the number of bytes of its file."""
    file = BytesIO()
    Image.fromarray(np.rint(255 * image).astype("uint8")).save(file, "jpeg", quality=quality)
    return np.asarray(Image.open(file)) / np.float32(255), file.tell()


def with_defects(X, rng):
    """Return images with a block of 3 x 3 pixels inverted, and where it is."""
    X, places = X.copy(), np.zeros(X.shape, bool)
    for image, place in zip(X, places, strict=True):
        row, column = rng.integers(4, 21, 2)
        block = np.s_[row : row + 3, column : column + 3]
        image[block] = 1 - image[block]
        place[block] = True
    return X, places


def bench_bytes(data):
    X, X_test = load_mnist(data)
    print(f"\n{'in bytes':40}{'bytes':>7}{'PSNR':>8}{'images':>8}{'pixels':>8}")
    damaged, places = with_defects(X_test, np.random.default_rng(0))
    is_damaged = np.repeat([False, True], len(X_test))
    models = {}
    for n in (16, 32):
        models[f"PCA, {n} components"] = make_pipeline(
            FunctionTransformer(lambda x: x.reshape(len(x), -1), lambda x: x.reshape(-1, 28, 28)),
            PCA(n, random_state=0),
        )
        models[f"convolutions, {n} components"] = ConvAutoencoder(
            n, hidden_layer_sizes=256, lr=4e-3, max_epochs=10, **PLAIN
        )
    for name, model in models.items():
        codes = model.fit(X).transform(X)
        ends = codes.min(0), codes.max(0)
        restored = model.inverse_transform(in_8_bits(model.transform(X_test), *ends)).clip(0, 1)
        psnr = -10 * np.log10(((restored - X_test) ** 2).mean())
        errors = [(x - model.inverse_transform(model.transform(x))) ** 2 for x in (X_test, damaged)]
        of_images = roc_auc_score(is_damaged, np.concatenate(errors).mean((1, 2)))
        of_pixels = roc_auc_score(places.ravel(), errors[1].ravel())
        print(f"{name:40}{codes.shape[1]:7}{psnr:8.2f}{of_images:8.3f}{of_pixels:8.3f}", flush=True)
    for quality in (1, 50, 95):
        files = [jpeg(image, quality) for image in X_test[:1000]]
        psnr = -10 * np.log10(
            ((np.stack([restored for restored, _ in files]) - X_test[:1000]) ** 2).mean()
        )
        print(f"{f'JPEG, quality {quality}':40}{np.mean([n for _, n in files]):7.0f}{psnr:8.2f}")


def bench_entropy(data, epochs):
    X, X_test = load_mnist(data)
    print(f"\n{'cross-entropy':40}{'parameters':>11}{'epochs':>7}{'s':>6}{'entropy':>9}")
    print(f"{'the images themselves':58}{0:6}{cross_entropy(X_test, X_test):9.4f}")
    for n_epochs in epochs:
        model = ConvAutoencoder(
            32, loss="binary_cross_entropy", lr=1e-2, max_epochs=n_epochs, **SPATIAL, **PLAIN
        )
        _, seconds = timed(model.fit, X)
        entropy = cross_entropy(X_test, model.reconstruct(X_test))
        print_entropy(n_parameters(model), n_epochs, seconds, entropy)


def bench_denoising(data, epochs):
    X, X_test = load_mnist(data)
    rng = np.random.default_rng(0)
    noisy = (X_test + 0.4 * rng.standard_normal(X_test.shape, "float32")).clip(0, 1)
    print(
        f"\n{'noise of 0.4, cross-entropy':40}{'parameters':>11}{'epochs':>7}{'s':>6}{'entropy':>9}"
    )
    for n_epochs in epochs:
        model = DenoisingAutoencoder(
            32,
            architecture=Conv(**RESIDUAL),
            noise_level=0.4,
            data_range=(0, 1),
            loss="binary_cross_entropy",
            lr=1e-2,
            max_epochs=n_epochs,
            **PLAIN,
        )
        _, seconds = timed(model.fit, X)
        entropy = cross_entropy(X_test, model.reconstruct(noisy))
        print_entropy(n_parameters(model), n_epochs, seconds, entropy)


def bench_variational(data, epochs, n_likelihoods):
    X, X_test = load_mnist(data)
    X_test = binarized(X_test, np.random.default_rng(2**20))[:n_likelihoods]
    print(f"\n{'binary digits':40}{'parameters':>11}{'epochs':>7}{'s':>6}{'ELBO':>9}{'NLL':>8}")
    architectures = {
        "dense, 784-200-200-50": Dense((200, 200), activation="silu"),
        "convolutions, 28-14-7-50": Conv(
            (16, 32), n_residual_blocks=(0, 1), hidden_layer_sizes=256, normalization=None
        ),
    }
    for n_epochs in epochs:
        for name, architecture in architectures.items():
            model = VariationalAutoencoder(
                50,
                likelihood="bernoulli",
                architecture=architecture,
                batch_size=128,
                random_state=0,
            )
            flat = name.startswith("dense")
            rows, test = (x.reshape(len(x), -1) if flat else x for x in (X, X_test))
            _, seconds = timed(fit_on_fresh_binarizations, model, rows, n_epochs, 4e-3)
            elbo, nll = model.elbo(test).mean(), -model.log_likelihood(test, 500).mean()
            n = n_parameters(model)
            print(f"{name:40}{n:11}{n_epochs:7}{seconds:6.0f}{elbo:9.2f}{nll:8.2f}", flush=True)


# Photographs.


def patches(gray, side=7):
    """Return the surroundings of every pixel, shape (n_pixels, side * side)."""
    padded = np.pad(gray, [(0, 0), *[(side // 2, side // 2)] * 2], mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (side, side), axis=(1, 2))
    return windows.reshape(-1, side * side)


def report(title, **more):
    """Print a header, and return what prints a line; ``more`` are further scores of images."""
    names = "".join(f"{name:>8}" for name in ("PSNR", "of all", "SSIM", *more))
    print(f"\n{title:40}{'parameters':>11}{'epochs':>7}{'s':>6}{names}")

    def line(name, y, restored, n=0, n_epochs=0, seconds=0):
        restored = restored.clip(0, 1)
        errors = ((y - restored) ** 2).mean((1, 2, 3))
        errors = np.maximum(errors, 1 / 255**2 / 12)  # a picture without color is all gray
        of_images, of_all = (-10 * np.log10(e).mean() for e in (errors, errors.mean()))
        scores = f"{of_images:8.2f}{of_all:8.2f}{ssim_score(y, restored):8.4f}"
        scores += "".join(f"{score(restored):8.3f}" for score in more.values())
        print(f"{name:40}{n:11}{n_epochs:7}{seconds:6.0f}{scores}", flush=True)

    return line


#: What keeps a net for colors from learning its pictures by heart.
VARIED = {"max_shift": 2, "dropout": 0.1}


def bench_colors(data, pictures):
    y, y_test = load_colors(data)
    weights = np.array([0.299, 0.587, 0.114], "float32")
    X, X_test = y @ weights, y_test @ weights
    scores = {
        "color": lambda images: colorfulness(images) / colorfulness(y_test),
        "class": judge_of_classes(data, y),
    }
    line = report("colors", **scores)
    line("true colors", y_test, y_test)
    line("gray", y_test, np.repeat(X_test[..., None], 3, -1))
    ridge = Ridge(alpha=1.0).fit(patches(X[:2000]), y[:2000].reshape(-1, 3))
    line(
        "ridge regression on 7 x 7 pixels",
        y_test,
        ridge.predict(patches(X_test)).reshape(y_test.shape),
    )
    for name, n_epochs, params in (
        ("defaults", 10, {}),
        ("0.2 SSIM, 0.8 absolute", 12, {"loss": {"ssim": 0.4, "absolute_error": 0.8}}),
        ("distribution over colors", 20, {"loss": "color_distribution"} | VARIED),
    ):
        model = ImageToImageRegressor(
            flips="horizontal", max_epochs=n_epochs, **{**PLAIN, "batch_size": 64}, **params
        )
        _, seconds = timed(model.fit, X, y)
        predicted = model.predict(X_test)
        line(name, y_test, predicted, n_parameters(model), n_epochs, seconds)
    if pictures:
        draw(pictures, X_test[:40], predicted[:40].clip(0, 1), y_test[:40])


def judge_of_classes(data, y):
    """Return what tells how often the classes of test images are right, by their colors."""
    with np.load(data / "cifar10_10k.npz") as cifar:
        labels, labels_test = cifar["y_train"], cifar["y_test"]

    def blocks(images):
        return images.reshape(len(images), 8, 4, 8, 4, 3).mean((2, 4)).reshape(len(images), -1)

    classifier = make_pipeline(StandardScaler(), SVC(C=5)).fit(blocks(y), labels)
    return lambda images: classifier.score(blocks(images), labels_test)


def draw(path, gray, predicted, colors, n_columns=10):
    import matplotlib.pyplot as plt

    kinds = (np.repeat(gray[..., None], 3, -1), predicted, colors)
    rows = [
        np.concatenate(list(images[start : start + n_columns]), 1)
        for start in range(0, len(gray), n_columns)
        for images in kinds
    ]
    picture = np.concatenate(rows)
    plt.imsave(path, np.kron(picture, np.ones((3, 3, 1))))


def bench_sizes(data):
    y, y_test = load_colors(data)
    X, X_test = (x.reshape(len(x), 16, 2, 16, 2, 3).mean((2, 4)) for x in (y, y_test))
    line = report("16 x 16 to 32 x 32")
    small = torch.from_numpy(X_test).movedim(-1, 1)
    for mode in ("bilinear", "bicubic"):
        large = F.interpolate(small, scale_factor=2, mode=mode, align_corners=False)
        line(mode, y_test, large.movedim(1, -1).numpy())
    for name, n_epochs, params in (
        ("defaults", 10, {}),
        ("two sizes, 32 and 64 maps", 12, {"channels": (32, 64), "lr": 4e-3}),
    ):
        model = ImageToImageRegressor(
            flips="horizontal", max_epochs=n_epochs, **{**PLAIN, "batch_size": 64}, **params
        )
        _, seconds = timed(model.fit, X, y)
        line(name, y_test, model.predict(X_test), n_parameters(model), n_epochs, seconds)


def main():
    parser = argparse.ArgumentParser()
    tasks = ["codes", "bytes", "entropy", "denoising", "variational", "colors", "sizes"]
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--only", nargs="+", default=tasks, choices=tasks)
    parser.add_argument("--entropy-epochs", type=int, nargs="+", default=[1, 2, 5])
    parser.add_argument("--denoising-epochs", type=int, nargs="+", default=[2, 5, 10])
    parser.add_argument("--variational-epochs", type=int, nargs="+", default=[20])
    parser.add_argument("--likelihoods", type=int, default=10_000)
    parser.add_argument("--pictures", type=Path)
    args = parser.parse_args()
    for task in args.only:
        {
            "codes": lambda: bench_codes(args.data),
            "bytes": lambda: bench_bytes(args.data),
            "entropy": lambda: bench_entropy(args.data, args.entropy_epochs),
            "denoising": lambda: bench_denoising(args.data, args.denoising_epochs),
            "variational": lambda: bench_variational(
                args.data, args.variational_epochs, args.likelihoods
            ),
            "colors": lambda: bench_colors(args.data, args.pictures),
            "sizes": lambda: bench_sizes(args.data),
        }[task]()


if __name__ == "__main__":
    main()
