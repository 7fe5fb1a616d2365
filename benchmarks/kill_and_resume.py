"""Fits that are killed at random moments, and go on to the bits of an uninterrupted one.

Each kind of fit runs in a process of its own, which is killed (SIGKILL) at a random moment after
its fit has begun, and is started again with the same arguments, until a fit is complete. Its
weights, losses and scores have to be equal to those of a fit without kills. The last table says
what a checkpoint of a net of some 10 MB costs.

    python benchmarks/kill_and_resume.py [--kills 50]
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

KINDS = "dense", "conv", "recurrent", "translator", "search", "halving", "batches"


def model_of(kind):
    """Return a model of a kind, and its data."""
    from sklearn.datasets import load_digits

    import skae
    from skae.architectures import Dense, Transformer

    digits = load_digits()
    rows, images = digits.data / 16, digits.images / 16
    small = {"random_state": 0, "check_baseline": False}
    words = ["one", "two", "three", "four", "five", "six", "seven", "eight"]
    english = [f"{a} and {b} or {c}" for a in words for b in words for c in words[:4]]
    german = [" ".join(text.split()[::-1]) for text in english]
    grid = {"n_components": [1, 2, 4, 8], "architecture__hidden_layer_sizes": [(32,), (64,)]}
    searched = skae.Autoencoder(architecture=Dense(), max_epochs=60, **small)
    tiny = Transformer(32, n_encoder_layers=1, n_decoder_layers=1)
    return {
        "dense": lambda: (skae.Autoencoder(8, max_epochs=200, **small), (rows,)),
        "conv": lambda: (skae.ConvAutoencoder(8, max_epochs=25, **small), (images,)),
        "recurrent": lambda: (skae.RecurrentAutoencoder(8, max_epochs=40, **small), (images,)),
        "translator": lambda: (
            skae.Seq2SeqTranslator(tiny, max_epochs=60, **small),
            (english, german),
        ),
        "search": lambda: (skae.BatchedGridSearchCV(searched, grid, cv=3), (rows,)),
        "halving": lambda: (skae.BatchedHalvingGridSearchCV(searched, grid, cv=3), (rows,)),
        "batches": lambda: (
            skae.TabularAutoencoder(8, max_epochs=40, **small),
            (np.array_split(rows, 5),),
        ),
    }[kind]()


def fit(kind, out, checkpoint=None):
    """Fit a model of a kind, and save what it has learned."""
    import torch

    import skae

    torch.set_num_threads(1)
    model, data = model_of(kind)
    if checkpoint is not None:
        model.set_params(checkpoint=skae.Checkpoint(checkpoint, every_epochs=1))
    print("begins", flush=True)
    start = time.perf_counter()
    method = model.fit_batches if kind == "batches" else model.fit
    method(*data)
    print(time.perf_counter() - start, flush=True)
    best = getattr(model, "best_estimator_", model)
    learned = {name: tensor.numpy() for name, tensor in best.net_.module_.state_dict().items()}
    learned["losses"] = [epoch["train_loss"] for epoch in best.history_]
    if best is not model:
        scores = {k: v for k, v in model.cv_results_.items() if k.endswith("_score")}
        learned |= scores
    np.savez(out, **learned)


def started(kind, *args):
    """Start a process that fits, and return it when its fit begins."""
    command = [sys.executable, __file__, "--fit", kind, *map(str, args)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    if child.stdout.readline().strip() != "begins":
        raise RuntimeError(f"the fit of {kind} did not begin")
    return child


def kill_and_resume(kind, n_kills, rng, folder):
    """Return how many kills there were, how many with a checkpoint, of how many complete fits."""
    whole, resumed, checkpoint = (folder / f"{kind}{end}" for end in ("0.npz", "1.npz", ".ckpt"))
    child = started(kind, whole)
    seconds = float(child.communicate()[0])
    killed = with_file = complete = 0
    while killed < n_kills or checkpoint.exists():
        child = started(kind, resumed, checkpoint)
        if killed < n_kills:
            time.sleep(rng.uniform(0, seconds))
            child.kill()
        child.communicate()
        if child.returncode == 0:
            complete += 1
            check_equal(np.load(whole), np.load(resumed))
            continue
        killed += 1
        with_file += checkpoint.exists()
    if not complete:
        child = started(kind, resumed, checkpoint)
        child.communicate()
        check_equal(np.load(whole), np.load(resumed))
        complete = 1
    return killed, with_file, complete, seconds


def check_equal(whole, resumed):
    """Raise an error if two fits have not learned the same."""
    if set(whole) != set(resumed):
        raise AssertionError("the fits have other parts")
    for name in whole:
        np.testing.assert_array_equal(whole[name], resumed[name], err_msg=name)


def cost(folder):
    """Print what a checkpoint of a net of some 10 MB costs."""
    import torch

    import skae
    from skae._training.checkpoints import FileCheckpoints
    from skae.architectures import Dense

    torch.set_num_threads(1)
    times, end_epoch = [], FileCheckpoints.end_epoch

    def timed(self, run):
        start = time.perf_counter()
        end_epoch(self, run)
        times.append(time.perf_counter() - start)
        sizes.append(os.path.getsize(path))

    FileCheckpoints.end_epoch, sizes, path = timed, [], folder / "cost.ckpt"
    X = np.random.default_rng(0).normal(size=(2_000, 784)).astype(np.float32)
    how = {"max_epochs": 10, "random_state": 0, "check_baseline": False}
    checkpoint = skae.Checkpoint(path, every_epochs=1)
    wide = Dense((1024, 512))
    model = skae.Autoencoder(32, architecture=wide, checkpoint=checkpoint, **how).fit(X)
    n_bytes = 4 * sum(p.numel() for p in model.net_.module_.parameters())
    seconds = np.median(times)
    print(f"\n| net (MB) | file (MB) | write (s) | of five minutes |\n|{'---|' * 4}")
    print(f"| {n_bytes / 1e6:.1f} | {max(sizes) / 1e6:.1f} | {seconds:.3f} | {seconds / 300:.2%} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--fit", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.fit:
        fit(*options.fit)
    else:
        kill_all(options)


def kill_all(options):
    """Kill and resume fits of all kinds, and print tables."""
    rng = np.random.default_rng(options.seed)
    print(f"| fit | seconds | kills | with a checkpoint | complete, equal bits |\n|{'---|' * 5}")
    with TemporaryDirectory() as folder:
        for i, kind in enumerate(KINDS):
            n_kills = (options.kills + i) // len(KINDS)
            n, n_with, n_complete, seconds = kill_and_resume(kind, n_kills, rng, Path(folder))
            print(f"| {kind} | {seconds:.1f} | {n} | {n_with} | {n_complete} |", flush=True)
        cost(Path(folder))


if __name__ == "__main__":
    main()
