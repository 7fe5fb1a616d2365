"""Generated rows of five tables, beside a Gaussian copula, CTGAN, TVAE and independent columns.

    python benchmarks/bench_synthetic_tables.py --data DIR --write PEERS
    peers/bin/python benchmarks/sample_with_peer.py PEERS/*.train
    python benchmarks/bench_synthetic_tables.py --data DIR --peers PEERS [--tables adult ...]
        [--seeds 0]

DIR holds ``adult_train.csv.gz`` and ``adult_test.csv.gz``; the other four tables are those of
scikit-learn, of which 30 % of the rows are held out. The first two commands are for the rows of
the peers, see ``sample_with_peer.py``; without them the last one leaves these out.

By table and generator: the loss on the target of a model that is trained on generated rows
(AUROC, accuracy or R2, of real test rows, less than if trained on real rows), the AUROC of telling
generated rows from real ones, the mean distances of columns and of pairs of columns, the median
distance to the closest training row divided by that of test rows, the fraction of copied rows,
and the seconds of processor time to fit and to draw as many rows. Those of the peers are of one
thread on a core of its own.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine
from sklearn.model_selection import train_test_split

from skae import VariationalAutoencoder
from skae.metrics import fidelity_report

SKLEARN = {
    "breast cancer": load_breast_cancer,
    "wine": load_wine,
    "digits": load_digits,
    "diabetes": load_diabetes,
}
TARGETS = {"adult": "income"} | dict.fromkeys(SKLEARN, "target")


def tables(data, names):
    """Yield the names of tables, their training and their test rows."""
    for name in names:
        if name == "adult":
            parts = [pd.read_csv(data / f"adult_{part}.csv.gz") for part in ("train", "test")]
            yield name, *parts
            continue
        X = SKLEARN[name](as_frame=True).frame
        if name != "diabetes":
            X["target"] = X["target"].astype(str)
        yield (
            name,
            *(
                part.reset_index(drop=True)
                for part in train_test_split(X, test_size=0.3, random_state=0)
            ),
        )


def independent(X, seed):
    rng = np.random.default_rng(seed)
    return X.apply(lambda column: rng.permutation(column))


def by_skae(X, seed):
    model = VariationalAutoencoder(architecture="tabular", random_state=seed, check_baseline=False)
    start = time.process_time()
    model.fit(X)
    fitted = time.process_time()
    rows = model.sample(len(X))
    return rows, fitted - start, time.process_time() - fitted


def generated(X, file, seeds):
    """Yield generators, their rows, and the seconds they took."""
    yield "test rows", None, 0.0, 0.0
    for seed in seeds:
        yield "skae", *by_skae(X, seed)
    yield "independent", independent(X, 0), 0.0, 0.0
    for peer in ("copula", "tvae", "ctgan"):
        if file is not None and Path(f"{file}.{peer}.parquet").exists():
            seconds = json.loads(Path(f"{file}.{peer}.json").read_text())
            rows = pd.read_parquet(f"{file}.{peer}.parquet")
            yield peer, rows, seconds["fit"], seconds["sample"]


def report(name, generator, train, test, rows, fit, sample):
    found = fidelity_report(train, test if rows is None else rows, test=test, target=TARGETS[name])
    scores = found.scores["synthetic"]
    loss = 0.0 if rows is None else found.target_loss
    print(
        f"{name:14} {generator:12}{loss:7.3f}{found.detection_auroc:8.3f}"
        f"{scores['column_distance']:8.3f}{scores['pair_difference']:7.3f}"
        f"{found.closest_record_ratio:8.2f}{scores['copied_fraction']:8.3f}{fit:7.0f}{sample:8.1f}",
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--tables", nargs="+", choices=TARGETS, default=list(TARGETS))
    parser.add_argument("--write", type=Path)
    parser.add_argument("--peers", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    args = parser.parse_args()
    if args.write is None:
        print(
            f"{'table':14} {'generator':12}{'loss':>7}{'detect':>8}{'column':>8}{'pair':>7}"
            f"{'closest':>8}{'copied':>8}{'fit s':>7}{'draw s':>8}"
        )
    for name, train, test in tables(args.data, args.tables):
        folder = args.write or args.peers
        file = folder and folder / f"{name.replace(' ', '_')}.train"
        if args.write is not None:
            train.to_parquet(file)
            continue
        for generator, rows, fit, sample in generated(train, file, args.seeds):
            report(name, generator, train, test, rows, fit, sample)


if __name__ == "__main__":
    main()
