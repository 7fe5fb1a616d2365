"""Memory and time of large pictures through nets that were trained on small crops.

    python benchmarks/bench_large_images.py [--width 4000] [--height 3000] [--epochs 1]

Trains on the two photographs of scikit-learn. Prints the private memory beyond what the process
had before, that of the picture not included, and the seconds of one picture: those of the clock,
and those of all processors together. Each picture has a process of its own, as memory that was
used before would not count. Linux only.
"""

import argparse
import time
from itertools import product
from multiprocessing import get_context

import numpy as np
from bench_memory import measure
from sklearn.datasets import load_sample_images

from skae import ConvAutoencoder, ImageToImageRegressor


def picture(photo, height, width, dtype):
    """Return a picture of a size, made of copies of a photograph."""
    copies = -(-height // photo.shape[0]), -(-width // photo.shape[1])
    tiled = np.tile(photo, (*copies, *[1] * (photo.ndim - 2)))[None, :height, :width]
    return tiled if dtype == "uint8" else tiled.astype(dtype) / 255


def fitted(method, photos, n_epochs):
    """Return a method of a model that was fitted on photographs."""
    params = {"crop_size": 64, "max_epochs": n_epochs, "check_baseline": False, "random_state": 0}
    if method == "predict":
        return ImageToImageRegressor(**params).fit(photos, photos).predict
    return getattr(ConvAutoencoder(8, code="spatial", **params).fit(photos), method)


def measure_one(method, name, dtype, args):
    """Print the memory and time of a picture."""
    photos = np.stack(load_sample_images().images)
    photos = photos[..., 1] if name == "gray" else photos
    X = picture(photos[0], args.height, args.width, dtype)
    photos = photos if dtype == "uint8" else photos.astype(dtype) / 255
    function = fitted(method, photos, args.epochs)
    start = time.process_time()
    memory, seconds = measure(function, X)
    busy = time.process_time() - start
    print(
        f"{method:<15}{name:<9}{dtype:<9}{X.nbytes / 2**20:10.0f}{memory:7.0f}{seconds:7.1f}"
        f"{busy:7.1f}",
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--width", type=int, default=4000)
    parser.add_argument("--height", type=int, default=3000)
    parser.add_argument("--epochs", type=int, default=1)
    args = parser.parse_args()
    print(f"{'method':<15}{'picture':<9}{'type':<9}{'picture MB':>10}{'MB':>7}{'s':>7}{'CPU s':>7}")
    methods = "predict", "reconstruct", "score_samples"
    for row in product(methods, ("colored", "gray"), ("uint8", "float32")):
        process = get_context("spawn").Process(target=measure_one, args=(*row, args))
        process.start()
        process.join()


if __name__ == "__main__":
    main()
