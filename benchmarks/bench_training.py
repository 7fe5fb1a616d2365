"""Seconds to train the same dense autoencoder, skae against its neighbors.

    pip install pyod keras
    python benchmarks/bench_training.py [--repeats 5] [--only 32 128 512 large]

All train the same layers with Adam on the same rows in one run, in turn. The
hand-written loop is the best of four: one or all threads, parameters as they are or in
one flat buffer. Every figure is the median over the repeats; the ratio is to the
hand-written loop.
"""

import argparse
import os
import time
import warnings
from functools import partial

os.environ.setdefault("KERAS_BACKEND", "torch")

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor
from skorch import NeuralNet
from torch import nn

from skae import Autoencoder
from skae.architectures import Dense

LR = 1e-3


def make_layers(n_features, hidden, code):
    """Return the layers as one sequence, without skae."""
    sizes = [n_features, *hidden, code, *reversed(hidden), n_features]
    layers = []
    for i, (n_in, n_out) in enumerate(zip(sizes, sizes[1:], strict=False)):
        layers.append(nn.Linear(n_in, n_out))
        if i not in (len(hidden), len(sizes) - 2):
            layers.append(nn.ReLU())
    return nn.Sequential(*layers)


def hand_written(X, hidden, code, batch_size, epochs, n_threads, flat):
    """Train with a loop over slices, a fused optimizer and nothing else."""
    before = torch.get_num_threads()
    torch.set_num_threads(n_threads)
    net = make_layers(X.shape[1], hidden, code)
    parameters = list(net.parameters())
    if flat:
        vector = nn.Parameter(nn.utils.parameters_to_vector(parameters).detach())
        vector.grad = torch.zeros_like(vector)
        nn.utils.vector_to_parameters(vector.detach(), parameters)
        start = 0
        for p in parameters:
            p.grad = vector.grad[start : start + p.numel()].view_as(p)
            start += p.numel()
        parameters = [vector]
    optimizer = torch.optim.Adam(parameters, lr=LR, fused=True)
    rows = torch.from_numpy(X)
    for _ in range(epochs):
        for x in rows[torch.randperm(len(rows))].split(batch_size):
            optimizer.zero_grad(set_to_none=not flat)
            nn.functional.mse_loss(net(x), x).backward()
            optimizer.step()
    torch.set_num_threads(before)


def skae(X, hidden, code, batch_size, epochs, shortcut=False):
    Autoencoder(
        code,
        architecture=Dense(hidden, shortcut=shortcut),
        lr=LR,
        lr_schedule=None,
        batch_size=batch_size,
        max_epochs=epochs,
        early_stopping=False,
        check_baseline=False,
    ).fit(X)


def skorch(X, hidden, code, batch_size, epochs):
    NeuralNet(
        make_layers(X.shape[1], hidden, code),
        nn.MSELoss,
        optimizer=torch.optim.Adam,
        lr=LR,
        batch_size=batch_size,
        max_epochs=epochs,
        iterator_train__shuffle=True,
        train_split=None,
        verbose=0,
    ).fit(X, X)


def pyod(X, hidden, code, batch_size, epochs):
    from pyod.models.auto_encoder import AutoEncoder

    AutoEncoder(
        hidden_neuron_list=[*hidden, code],
        batch_norm=False,
        dropout_rate=0.0,
        lr=LR,
        batch_size=batch_size,
        epoch_num=epochs,
        verbose=0,
    ).fit(X)


def keras(X, hidden, code, batch_size, epochs):
    import keras as k

    layers = [k.layers.Dense(n, activation="relu") for n in hidden]
    layers += [k.layers.Dense(code)]
    layers += [k.layers.Dense(n, activation="relu") for n in reversed(hidden)]
    net = k.Sequential([k.Input(X.shape[1:]), *layers, k.layers.Dense(X.shape[1])])
    net.compile(k.optimizers.Adam(LR), "mse")
    net.fit(X, X, batch_size=batch_size, epochs=epochs, verbose=0)


def mlp(X, hidden, code, batch_size, epochs):
    MLPRegressor(
        hidden_layer_sizes=(*hidden, code, *reversed(hidden)),
        learning_rate_init=LR,
        batch_size=batch_size,
        max_iter=epochs,
        tol=0,
        n_iter_no_change=10**6,
        alpha=0,
    ).fit(X, X)


LOOPS = {
    f"loop, {n} thread{'s' * (n > 1)}{', flat' * flat}": partial(
        hand_written, n_threads=n, flat=flat
    )
    for n in sorted({1, torch.get_num_threads()})
    for flat in (False, True)
}
PEERS = {
    "skae": skae,
    "skae with shortcut": partial(skae, shortcut=True),
    "skorch": skorch,
    "pyod AutoEncoder": pyod,
    "Keras on torch": keras,
    "MLPRegressor": mlp,
}
SMALL = {"hidden": (64, 32), "code": 8, "epochs": 3}
LARGE = {"hidden": (512, 256), "code": 32, "epochs": 2}


def seconds(function, X, case):
    start = time.perf_counter()
    function(X, **case)
    return time.perf_counter() - start


def run(title, X, case, repeats):
    functions = LOOPS | PEERS
    for function in functions.values():
        function(X[:512], **case)  # imports and first calls
    times = {name: [] for name in functions}
    for _ in range(repeats):
        for name, function in functions.items():
            times[name].append(seconds(function, X, case))
    medians = {name: np.median(t) for name, t in times.items()}
    limit = min(medians[name] for name in LOOPS)
    n_steps = case["epochs"] * -(-len(X) // case["batch_size"])
    print(f"\n{title}, {case['epochs']} epochs, median of {repeats}")
    print(f"{'':26}{'s':>8}{'us/step':>10}{'x loop':>8}")
    for name, median in medians.items():
        print(f"{name:26}{median:8.2f}{1e6 * median / n_steps:10.0f}{median / limit:8.2f}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", nargs="+", default=["32", "128", "512", "large"])
    args = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    rng = np.random.default_rng(0)
    for which in args.only:
        if which == "large":
            X = rng.standard_normal((20_000, 784), "float32")
            case = {**LARGE, "batch_size": 256}
        else:
            X = rng.standard_normal((50_000, 30), "float32")
            case = {**SMALL, "batch_size": int(which)}
        title = f"{X.shape[0]} x {X.shape[1]}, batch {case['batch_size']}"
        run(title, X, case, args.repeats)


if __name__ == "__main__":
    main()
