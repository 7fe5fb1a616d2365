"""Search by Optuna: trials in stacks against one after the other.

    python benchmarks/bench_optuna.py [--n-trials 24] [--seeds 0 1 2]

The digits (1797 rows, 64 columns): a scaler, an autoencoder with 8 components and a hidden layer
of 32 units, 20 epochs of batches of 32, and a logistic regression behind it, or none. Searched are
the learning rate, weight decay, and the ``C`` of the regression. ``OptunaSearchCV`` of
optuna-integration chooses each trial from all before it; `BatchedOptunaSearchCV` chooses 8 at a
time. Both have the TPE sampler, the same seeds and the same 5 folds, in one process. The best score
is the mean over the folds, that on rows held out is of the refitted best. Time is that of the
process.
"""

import argparse
import time
import warnings

import numpy as np
import optuna
from optuna.distributions import FloatDistribution
from optuna_integration import OptunaSearchCV
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skae import Autoencoder
from skae.architectures import Dense
from skae.model_selection import BatchedOptunaSearchCV

SPACE = {
    "autoencoder__lr": FloatDistribution(1e-4, 3e-2, log=True),
    "autoencoder__weight_decay": FloatDistribution(1e-6, 1e-1, log=True),
}
SPACE_BEHIND = SPACE | {"logisticregression__C": FloatDistribution(1e-3, 1e3, log=True)}


def searches(model, space, n_trials, seed):
    """Return the searches by name."""
    sampler = optuna.samplers.TPESampler(seed=seed)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    batched = {"n_trials": n_trials, "random_state": seed}
    pruner = optuna.pruners.MedianPruner()
    return {
        "OptunaSearchCV": OptunaSearchCV(model, space, n_trials=n_trials, cv=5, study=study),
        "BatchedOptunaSearchCV": BatchedOptunaSearchCV(model, space, cv=5, **batched),
        "  and MedianPruner": BatchedOptunaSearchCV(model, space, cv=5, pruner=pruner, **batched),
    }


def bench(what, model, space, n_trials, seeds):
    X, y = load_digits(return_X_y=True)
    X, X_test, y, y_test = train_test_split(X, y, stratify=y, random_state=0)
    found = {}
    for seed in seeds:
        for name, search in searches(model, space, n_trials, seed).items():
            start = time.process_time()
            search.fit(X, y)
            seconds = time.process_time() - start
            row = search.best_score_, search.score(X_test, y_test), seconds
            found.setdefault(name, []).append(row)
    print(f"\n{what}, {n_trials} trials, seeds {seeds}:")
    print(f"{'':24}{'best score':>18}{'held out':>10}{'s':>8}{'ratio':>8}")
    ours = np.mean(found["BatchedOptunaSearchCV"], axis=0)[2]
    for name, rows in found.items():
        best, held_out, seconds = np.mean(rows, axis=0)
        spread = np.std(rows, axis=0)[0]
        ratio = seconds / ours
        print(f"{name:24}{best:10.4f} ±{spread:6.4f}{held_out:10.4f}{seconds:8.1f}{ratio:8.1f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--n-trials", type=int, default=24)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--only", nargs="+", default=("alone", "behind"))
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    params = {"max_epochs": 20, "batch_size": 32, "random_state": 0, "check_baseline": False}
    autoencoder = Autoencoder(8, architecture=Dense(32), **params)
    if "alone" in args.only:
        model = make_pipeline(StandardScaler(), autoencoder)
        bench("Autoencoder", model, SPACE, args.n_trials, args.seeds)
    if "behind" in args.only:
        model = make_pipeline(StandardScaler(), autoencoder, LogisticRegression(max_iter=1000))
        bench("Regression behind it", model, SPACE_BEHIND, args.n_trials, args.seeds)


if __name__ == "__main__":
    main()
