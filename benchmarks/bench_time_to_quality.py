"""Seconds of the processor until nets of convolutions reach a loss on digits they do not see.

    python benchmarks/bench_time_to_quality.py --data DIR [--images 10000] [--seeds 0 1]

DIR holds ``mnist.npz``. Each training is a process of its own on one thread, since what malloc
does depends on all that a process did before. Lines alternate: "new" is memory that each step gets
anew, since a variable of malloc is set, to its default, and skae leaves malloc alone then; "kept"
is memory that is kept between steps. Both take the same steps.

keras.io
    The net of keras.io's example with 28,353 parameters, as a custom architecture.
Conv
    `ConvAutoencoder` with a spatial code of 7 x 7 x 32.

Both minimize cross-entropy; all that is not named is by default. ``--set`` gives other parameters,
such as ``--set batch_size=128 lr=4e-3``. "system" is the part of the seconds that the system took.
Seconds include validation on 2,000 test images after each epoch, and go up to the epoch that
reaches the mark.
"""

import argparse
import os
import subprocess
import sys
from ast import literal_eval
from pathlib import Path
from resource import RUSAGE_SELF, getrusage

import numpy as np
import torch
from bench_training_images import KerasExample
from skorch.callbacks import Callback

from skae import Autoencoder, ConvAutoencoder

MODELS = {
    "keras.io": lambda **params: Autoencoder(32 * 7 * 7, architecture=KerasExample(), **params),
    "Conv": lambda **params: ConvAutoencoder(32, code="spatial", **params),
}
COMMON = {"loss": "binary_cross_entropy", "check_baseline": False, "early_stopping": False}
#: What is set of malloc, which changes nothing by itself.
MEMORY = {"new": {"MALLOC_ARENA_TEST": "8"}, "kept": {}}


class Times(Callback):
    """Prints the loss and the seconds of the user and of the system after each epoch."""

    def on_train_begin(self, net, **kwargs):
        self.start = processor_times()

    def on_epoch_end(self, net, **kwargs):
        print(net.history[-1, "valid_loss"], *processor_times() - self.start)


def processor_times():
    usage = getrusage(RUSAGE_SELF)
    return np.array([usage.ru_utime, usage.ru_stime])


def train(args):
    """Train a model in this process, and print its losses and times, batch size and memory."""
    torch.set_num_threads(1)
    with np.load(args.data / "mnist.npz") as mnist:
        X, X_test = mnist["X_train"][: args.images], mnist["X_test"][:2000]
    params = COMMON | {name: literal_eval(value) for name, value in args.set}
    model = MODELS[args.model](random_state=args.seeds[0], callbacks=[Times()], **params)
    model.fit(X, X_val=X_test)
    print(model.net_.batch_size, getrusage(RUSAGE_SELF).ru_maxrss // 1024, 0)


def trained(arguments, memory):
    """Return what ``train`` prints in a process of its own: a table, and the last line."""
    command = [sys.executable, __file__, *arguments]
    env = os.environ | {"OMP_NUM_THREADS": "1"} | MEMORY[memory]
    output = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=env, check=True).stdout
    *epochs, last = (line.split() for line in output.splitlines())
    return np.array(epochs, float), last


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--marks", type=float, nargs="+", default=[0.0648, 0.0622])
    parser.add_argument("--set", nargs="*", default=[], type=lambda pair: pair.split("=", 1))
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=MODELS)
    parser.add_argument("--memory", nargs="+", default=list(MEMORY), choices=MEMORY)
    parser.add_argument("--model", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.model:
        train(args)
        return
    marks = "".join(f"{f'to {mark:g}':>11}" for mark in args.marks)
    header = "net        seed  memory batch epochs  cpu s  system  entropy"
    print(f"{header}{marks}{'MB':>6}")
    for seed in args.seeds:
        for model in args.models:
            for memory in args.memory:
                arguments = [*sys.argv[1:], "--model", model, "--seeds", str(seed)]
                print_line(
                    f"{model:10}{seed:5}{memory:>8}", args.marks, *trained(arguments, memory)
                )


def print_line(title, marks, epochs, last):
    losses, user, system = epochs.T
    batch_size, megabytes, _ = last
    cpu = user + system
    reached = [cpu[losses <= mark][:1] for mark in marks]
    until = "".join(f"{times[0]:11.1f}" if len(times) else f"{'-':>11}" for times in reached)
    print(
        f"{title}{batch_size:>6}{len(cpu):7}{cpu[-1]:7.1f}{system[-1]:8.1f}{losses[-1]:9.4f}"
        f"{until}{megabytes:>6}",
        flush=True,
    )


if __name__ == "__main__":
    main()
