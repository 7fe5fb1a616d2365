"""Search over ``default_grid`` against the defaults.

    python benchmarks/bench_default_grid.py DIR [--only cardio fault] [--behind] [--n-iter 16]

DIR holds ``adbench/*.npz``. Tables of at most 500 rows, 70% of them for the search: candidates
drawn from ``default_grid(model, "random")`` on 3 folds, beside the defaults. The score on the
other rows is R2 of the reconstructions from 4 components (8 for digits) or, with
``--behind``, the balanced accuracy of a logistic regression behind the autoencoder. Means over
the splits.
"""

import argparse
import warnings
from pathlib import Path

import numpy as np
from sklearn import datasets
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import get_scorer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skae import Autoencoder
from skae.model_selection import BatchedRandomizedSearchCV, default_grid

TOY = {"digits": "load_digits", "breast_cancer": "load_breast_cancer", "wine": "load_wine"}
ADBENCH = {
    "cardio": "7_Cardiotocography",
    "fault": "12_fault",
    "ionosphere": "18_Ionosphere",
    "letter": "20_letter",
}


def read(name, folder):
    """Return rows and labels."""
    if name in TOY:
        return getattr(datasets, TOY[name])(return_X_y=True)
    held = np.load(Path(folder) / "adbench" / f"{ADBENCH[name]}.npz")
    return held["X"], held["y"].astype(int)


def bench(name, folder, is_behind, n_iter, n_splits):
    X, y = read(name, folder)
    if len(X) > 500:
        X, _, y, _ = train_test_split(X, y, train_size=500, random_state=0, stratify=y)
    n_components = 8 if name == "digits" else 4
    steps = [Autoencoder(n_components, check_baseline=False, random_state=0)]
    steps += [LogisticRegression(max_iter=1000)] * is_behind
    model = make_pipeline(StandardScaler(), *steps)
    score = get_scorer("balanced_accuracy") if is_behind else None
    rows = []
    for seed in range(n_splits):
        parts = train_test_split(X, y, train_size=0.7, random_state=seed, stratify=y)
        X_train, X_test, y_train, y_test = parts
        search = BatchedRandomizedSearchCV(
            model,
            default_grid(model, "random"),
            n_iter=n_iter,
            cv=3,
            scoring=score,
            random_state=seed,
        ).fit(X_train, y_train)
        default = clone(model).fit(X_train, y_train)
        models = default, search.best_estimator_
        of_test = [score(m, X_test, y_test) if score else m.score(X_test) for m in models]
        rows.append(of_test)
    default, found = np.mean(rows, axis=0)
    print(f"{name:16}{default:10.3f}{found:10.3f}{found - default:+10.3f}  {search.best_params_}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("dir")
    parser.add_argument("--only", nargs="+", default=[*TOY, *ADBENCH])
    parser.add_argument("--behind", action="store_true")
    parser.add_argument("--n-iter", type=int, default=16)
    parser.add_argument("--n-splits", type=int, default=2)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    print(f"{'':16}{'default':>10}{'search':>10}{'gain':>10}")
    for name in args.only:
        bench(name, args.dir, args.behind, args.n_iter, args.n_splits)


if __name__ == "__main__":
    main()
