"""Seconds to train the convolutional net of the keras.io example, skae and its neighbors.

    pip install keras
    python benchmarks/bench_training_images.py [--images 12800] [--repeats 3]

The net of the example "Convolutional autoencoder for image denoising" with 28,353
parameters, images of 28 x 28 pixels of noise, batches of 128, Adam, one epoch. All train
the same layers in one run, in turn, with all threads. The hand-written loop is the best of
four: channels first or last, parameters as they are or in one flat buffer. Every figure is
the median over the repeats, the ratio to that loop. The lines with bfloat16 have one loop
more to compare with; skae's is `Conv` with the same layers but a linear code, which takes
two small convolutions more.

The last lines are the memory that scoring 60,000 images takes beyond what there was.
"""

import argparse
import os
import time
from functools import partial

os.environ.setdefault("KERAS_BACKEND", "torch")

import numpy as np
import torch
from bench_memory import measure
from skorch import NeuralNet
from torch import nn
from torch.nn import functional as F

from skae import Autoencoder, ConvAutoencoder

LR, BATCH = 1e-3, 128
PLAIN = {
    "loss": "binary_cross_entropy",
    "lr": LR,
    "lr_schedule": None,
    "batch_size": BATCH,
    "max_epochs": 1,
    "early_stopping": False,
    "check_baseline": False,
}


class KerasExample:
    """The layers of the example, for skae."""

    input_kind = "images"

    def build(self, input_shape, encoder_width, code_width):
        encoder, decoder = make_halves()
        return nn.Sequential(encoder, ToRows()), nn.Sequential(ToMaps(), decoder)


class ToRows(nn.Module):
    """Flatten maps as they are in memory, with the channels last."""

    def forward(self, x):
        return x.movedim(1, -1).flatten(1)


class ToMaps(nn.Module):
    """Undo `ToRows`."""

    def forward(self, x):
        return x.unflatten(1, (7, 7, 32)).movedim(-1, 1)


def make_halves(channels_last=True):
    encoder = nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
    )
    decoder = nn.Sequential(
        nn.ConvTranspose2d(32, 32, 3, 2, 1, 1),
        nn.ReLU(),
        nn.ConvTranspose2d(32, 32, 3, 2, 1, 1),
        nn.ReLU(),
        nn.Conv2d(32, 1, 3, padding=1),
    )
    if channels_last:
        return (half.to(memory_format=torch.channels_last) for half in (encoder, decoder))
    return encoder, decoder


def hand_written(X, channels_last, flat, bfloat16=False):
    """Train with a loop over slices, a fused optimizer and nothing else."""
    net = nn.Sequential(*make_halves(channels_last))
    parameters = list(net.parameters())
    if flat:
        vector = nn.Parameter(torch.cat([in_memory(p).reshape(-1) for p in parameters]).detach())
        vector.grad = torch.zeros_like(vector)
        start = 0
        for p in parameters:
            piece = slice(start, start + p.numel())
            p.data, p.grad = (
                whole[piece].as_strided(p.shape, p.stride(), start)
                for whole in (vector.data, vector.grad)
            )
            start += p.numel()
        parameters = [vector]
    optimizer = torch.optim.Adam(parameters, lr=LR, fused=True)
    images = torch.from_numpy(X)[:, None]
    for x in images[torch.randperm(len(images))].split(BATCH):
        optimizer.zero_grad(set_to_none=not flat)
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            logits = net(x)
        F.binary_cross_entropy_with_logits(logits.float(), x).backward()
        optimizer.step()


def in_memory(parameter):
    return parameter if parameter.is_contiguous() else parameter.permute(0, 2, 3, 1)


def skae(X):
    Autoencoder(32 * 7 * 7, architecture=KerasExample(), **PLAIN).fit(X)


def skae_conv(X, mixed_precision):
    ConvAutoencoder(
        32,
        (32, 32),
        code="spatial",
        downsampling="max_pool",
        activation="relu",
        normalization=None,
        mixed_precision=mixed_precision,
        **PLAIN,
    ).fit(X)


def skorch(X):
    NeuralNet(
        nn.Sequential(*make_halves(channels_last=False)),
        nn.BCEWithLogitsLoss,
        optimizer=torch.optim.Adam,
        lr=LR,
        batch_size=BATCH,
        max_epochs=1,
        iterator_train__shuffle=True,
        train_split=None,
        verbose=0,
    ).fit(X[:, None], X[:, None])


def keras(X):
    import keras as k

    convolution = partial(k.layers.Conv2D, kernel_size=3, padding="same")
    transposed = partial(k.layers.Conv2DTranspose, kernel_size=3, strides=2, padding="same")
    net = k.Sequential(
        [
            k.Input((28, 28, 1)),
            convolution(32, activation="relu"),
            k.layers.MaxPooling2D(2, padding="same"),
            convolution(32, activation="relu"),
            k.layers.MaxPooling2D(2, padding="same"),
            transposed(32, activation="relu"),
            transposed(32, activation="relu"),
            convolution(1, activation="sigmoid"),
        ]
    )
    net.compile(k.optimizers.Adam(LR), "binary_crossentropy")
    net.fit(X[..., None], X[..., None], batch_size=BATCH, epochs=1, verbose=0)


LOOPS = {
    f"loop, channels {'last' if last else 'first'}{', flat' * flat}": partial(
        hand_written, channels_last=last, flat=flat
    )
    for last in (False, True)
    for flat in (False, True)
}
OTHERS = {
    "skae": skae,
    "skorch": skorch,
    "Keras on torch": keras,
    "loop, channels last, bfloat16": partial(
        hand_written, channels_last=True, flat=False, bfloat16=True
    ),
    "skae Conv": partial(skae_conv, mixed_precision=False),
    "skae Conv, bfloat16": partial(skae_conv, mixed_precision=True),
}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=int, default=12_800)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    X = np.random.default_rng(0).random((args.images, 28, 28), "float32")
    functions = LOOPS | OTHERS
    times = {name: [] for name in functions}
    for function in functions.values():
        function(X[:1664])  # imports and first calls; so many codes need as many images
    for _ in range(args.repeats):
        for name, function in functions.items():
            start = time.perf_counter()
            function(X)
            times[name].append(time.perf_counter() - start)
    medians = {name: np.median(t) for name, t in times.items()}
    limit = min(medians[name] for name in LOOPS)
    n_steps = -(-len(X) // BATCH)
    print(f"{len(X)} images, median of {args.repeats}")
    print(f"{'':32}{'s':>8}{'ms/step':>10}{'x loop':>8}")
    for name, median in medians.items():
        print(f"{name:32}{median:8.2f}{1e3 * median / n_steps:10.1f}{median / limit:8.2f}")

    X = np.random.default_rng(0).integers(0, 256, (60_000, 28, 28), "uint8")
    model = ConvAutoencoder(32, max_epochs=1, check_baseline=False).fit(X[:1000])
    print(f"\n{'60,000 images, defaults':32}{'MB':>8}{'s':>10}")
    for method in ("transform", "reconstruct", "score_samples"):
        megabytes, seconds = measure(getattr(model, method), X)
        print(f"{method:32}{megabytes:8.0f}{seconds:10.1f}")


if __name__ == "__main__":
    main()
