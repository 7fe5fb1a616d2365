"""Many models at once against the same models one by one.

    python benchmarks/bench_many.py [--only search pipeline cost ensemble] [--repeats 3]

search : 16 candidates (learning rate x weight decay) on 5 folds of 10,000 x 30 rows by
``BatchedGridSearchCV``, against ``GridSearchCV(n_jobs=2)`` over the same `Autoencoder` and
over a skorch ``NeuralNet`` with its defaults and the same layers, batches and epochs. The
scores of the two searches over skae's are compared.

pipeline : the same candidates and folds, with a scaler before the autoencoder and a logistic
regression behind it, in one process each; and a grid of four learning rates and four ``C`` of
the regression, which share the autoencoders.

cost : microseconds a step and model of 1 to 64 models that train together in one process,
beside the bare matrix products of the same layers, on one thread as well.

ensemble : seconds of an ensemble of 10 against one of its members.

All models are 30-64-32-8-32-64-30 without shortcuts. Peers are called in turn, after a fit
that warms up; of cost and ensemble the best of the repeats counts.
"""

import argparse
import time
import warnings
from itertools import pairwise

import numpy as np
import torch
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch import NeuralNet
from torch import nn

from skae import Autoencoder, BatchedGridSearchCV, EnsembleAutoencoder, fit_many
from skae.architectures import Dense

SIZES = (30, 64, 32, 8, 32, 64, 30)
GRID = {"lr": [3e-4, 1e-3, 2e-3, 4e-3], "weight_decay": [0.0, 1e-5, 1e-4, 1e-3]}
SKORCH_GRID = {"lr": GRID["lr"], "optimizer__weight_decay": GRID["weight_decay"]}


def make_rows(n_rows):
    """Return rows on a curved surface of 8 dimensions, with noise."""
    rng = np.random.default_rng(0)
    codes = rng.normal(size=(n_rows, 8))
    X = np.tanh(codes @ rng.normal(size=(8, 30))) + 0.1 * rng.normal(size=(n_rows, 30))
    return X.astype(np.float32)


def make_autoencoder(batch_size, **params):
    architecture = Dense(SIZES[1:3], shortcut=False)
    params = {"random_state": 0, "batch_size": batch_size, **params}
    return Autoencoder(SIZES[3], architecture=architecture, **params)


class Layers(nn.Sequential):
    """The same layers, made by skorch when it starts to train."""

    def __init__(self):
        layers = [nn.Linear(*sizes) for sizes in pairwise(SIZES)]
        relus = [nn.Identity() if i in (2, 5) else nn.ReLU() for i in range(len(layers))]
        super().__init__(*(m for pair in zip(layers, relus, strict=True) for m in pair))


def minus_error(net, X, y=None):
    return -float(((net.predict(X) - X) ** 2).mean())


def seconds(function):
    start = time.perf_counter()
    result = function()
    return time.perf_counter() - start, result


def bench_search(X, batch_size, n_epochs):
    autoencoder = make_autoencoder(batch_size, max_epochs=n_epochs)
    net = NeuralNet(
        Layers,
        nn.MSELoss,
        optimizer=torch.optim.Adam,
        batch_size=batch_size,
        max_epochs=n_epochs,
        verbose=0,
    )
    batched = BatchedGridSearchCV(autoencoder, GRID, refit=False, n_jobs=2)
    one_by_one = GridSearchCV(autoencoder, GRID, refit=False, n_jobs=2)
    by_skorch = GridSearchCV(net, SKORCH_GRID, refit=False, n_jobs=2, scoring=minus_error, cv=5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # So that worker processes have been started, and have imported all they need.
        clone(batched).set_params(estimator__max_epochs=1).fit(X[:200])
        clone(one_by_one).set_params(estimator__max_epochs=1).fit(X[:200])
        clone(by_skorch).set_params(estimator__max_epochs=1).fit(X[:200], X[:200])
        ours, _ = seconds(lambda: batched.fit(X))
        alone, _ = seconds(lambda: one_by_one.fit(X))
        skorch, _ = seconds(lambda: by_skorch.fit(X, X))
    scores = [search.cv_results_["mean_test_score"] for search in (batched, one_by_one)]
    same = np.argmax(scores[0]) == np.argmax(scores[1])
    print(f"\n80 fits of {n_epochs} epochs, batch {batch_size}:")
    print(f"{'':32}{'s':>8}{'ratio':>8}")
    for name, s in {
        "BatchedGridSearchCV(n_jobs=2)": ours,
        "GridSearchCV(n_jobs=2)": alone,
        "GridSearchCV(n_jobs=2), skorch": skorch,
    }.items():
        print(f"{name:32}{s:8.1f}{s / ours:8.1f}")
    print(
        f"largest difference of mean_test_score {np.abs(scores[0] - scores[1]).max():.1e}, "
        f"best candidate {'the same' if same else 'ANOTHER'}"
    )


def bench_pipeline(X, batch_size, n_epochs):
    y = (np.tanh(X[:, :3]).sum(axis=1) > 0).astype(int)
    autoencoder = make_autoencoder(batch_size, max_epochs=n_epochs)
    model = make_pipeline(StandardScaler(), autoencoder, LogisticRegression())
    of_net = {f"autoencoder__{name}": values for name, values in GRID.items()}
    of_both = {"autoencoder__lr": GRID["lr"], "logisticregression__C": [1e-3, 0.1, 1.0, 10.0]}
    for what, grid in {"of the autoencoder": of_net, "of both": of_both}.items():
        searches = [
            search(model, grid, refit=False) for search in (BatchedGridSearchCV, GridSearchCV)
        ]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ours, alone = (seconds(lambda s=s: s.fit(X, y))[0] for s in searches)
        scores = [search.cv_results_["mean_test_score"] for search in searches]
        same = searches[0].best_index_ == searches[1].best_index_
        print(f"\nPipelines, 80 fits of {n_epochs} epochs, batch {batch_size}, parameters {what}:")
        print(f"{'':32}{'s':>8}{'ratio':>8}")
        for name, s in {"BatchedGridSearchCV": ours, "GridSearchCV": alone}.items():
            print(f"{name:32}{s:8.1f}{s / ours:8.1f}")
        print(
            f"largest difference of mean_test_score {np.abs(scores[0] - scores[1]).max():.1e}, "
            f"best candidate {'the same' if same else 'ANOTHER'}"
        )


def bench_cost(X, batch_size, repeats):
    n_steps = -(-len(X) // batch_size)
    print(f"\nMicroseconds a step and model, batch {batch_size}:")
    print(f"{'models':>6}{'together':>10}{'products':>10}")
    for n_models in (1, 4, 16, 64):
        models = [
            make_autoencoder(batch_size, max_epochs=5, early_stopping=False, check_baseline=False)
            for _ in range(n_models)
        ]
        for seed, model in enumerate(models):
            model.set_params(random_state=seed, lr=1e-3 * (1 + seed % 4))
        times = [seconds(lambda models=models: fit_many(models, X))[0] for _ in range(repeats)]
        together = min(times) / (5 * n_steps * n_models)
        products = min(bare_products(n_models, batch_size) for _ in range(repeats))
        print(f"{n_models:6}{together * 1e6:10.1f}{products * 1e6:10.1f}")


def bare_products(n_models, batch_size, n_steps=200):
    """Return seconds of the matrix products of a step and model, in stacks as skae makes them."""
    n_stacks = -(-n_models // 16)
    stacks = [_Products(n_models // n_stacks, batch_size) for _ in range(n_stacks)]
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    total, _ = seconds(lambda: [stack.step() for stack in stacks for _ in range(n_steps)])
    torch.set_num_threads(before)
    return total / n_steps / n_models


class _Products:
    def __init__(self, n_models, batch_size):
        self.n_models = n_models
        self.values = [torch.randn(n_models, batch_size, n) for n in SIZES]
        self.grads = [torch.randn(n_models, batch_size, n) for n in SIZES]
        self.weights = [torch.randn(n_models, b, a) for a, b in pairwise(SIZES)]
        self.weight_grads = [torch.empty_like(w) for w in self.weights]

    def step(self):
        for i, weight in enumerate(self.weights):
            torch.bmm(self.values[i], weight.mT, out=self.values[i + 1])
        for i in range(len(self.weights) - 1, -1, -1):
            torch.bmm(self.grads[i + 1].mT, self.values[i], out=self.weight_grads[i])
            if i:
                torch.bmm(self.grads[i + 1], self.weights[i], out=self.grads[i])


def bench_ensemble(X, batch_size, repeats):
    member = make_autoencoder(batch_size)
    models = {"one model": member}
    for n_jobs in (1, 2):
        ensemble = EnsembleAutoencoder(member, n_estimators=10, n_jobs=n_jobs, random_state=0)
        models[f"ensemble of 10, n_jobs={n_jobs}"] = ensemble
        clone(ensemble).fit(X[:200])  # worker processes start
    times = {name: [] for name in models}
    for _ in range(repeats):
        for name, model in models.items():
            times[name].append(seconds(lambda model=model: clone(model).fit(X))[0])
    print(f"\nOne model and many, batch {batch_size}:")
    print(f"{'':32}{'s':>8}{'ratio':>8}")
    for name, of_model in times.items():
        print(f"{name:32}{min(of_model):8.2f}{min(of_model) / min(times['one model']):8.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    kinds = ("search", "pipeline", "cost", "ensemble")
    parser.add_argument("--only", nargs="+", default=kinds, choices=kinds)
    parser.add_argument("--batch-sizes", nargs="+", type=int, default=(32, 256))
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    X = make_rows(10_000)
    make_autoencoder(32, max_epochs=1).fit(X[:200])
    for batch_size in args.batch_sizes:
        if "search" in args.only:
            bench_search(X, batch_size, args.epochs)
        if "pipeline" in args.only:
            bench_pipeline(X, batch_size, args.epochs)
        if "cost" in args.only:
            bench_cost(X, batch_size, args.repeats)
        if "ensemble" in args.only:
            bench_ensemble(X, batch_size, args.repeats)


if __name__ == "__main__":
    main()
