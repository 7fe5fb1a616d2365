"""Anomaly scores of tables: the default of `OutlierDetector` beside other detectors.

    pip install pyod
    python benchmarks/bench_outliers.py --data DIR

DIR holds the tables of ADBench in ``adbench/``, arrays ``X`` and ``y`` in a ``.npz`` file each.
Larger ones are cut to ``--cap`` rows, with the same share of anomalies. Two protocols: *semi*, fit
on half of the normal rows and score the others and the anomalies; *unsup*, fit on all rows and
score them. With ``--keep FILE`` results are kept there, and those it has are not computed again.
"""

import argparse
import json
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.neighbors import LocalOutlierFactor, NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

PROTOCOLS = "semi", "unsup"
N_NEIGHBORS = 5


def skae(X, X_new, seed):
    from skae import OutlierDetector

    return -OutlierDetector(random_state=seed).fit(X).score_samples(X_new)


def isolation_forest(X, X_new, seed):
    return -IsolationForest(random_state=seed).fit(X).score_samples(X_new)


def neighbors(X, X_new, seed):
    del seed
    scaler = StandardScaler().fit(X)
    index = NearestNeighbors(n_neighbors=N_NEIGHBORS).fit(scaler.transform(X))
    # Without rows to look for, those of the fit are, and none is its own neighbor.
    distances, _ = index.kneighbors(None if X_new is X else scaler.transform(X_new))
    return distances[:, -1]


def local_outlier_factor(X, X_new, seed):
    del seed
    scaler = StandardScaler().fit(X)
    lof = LocalOutlierFactor(novelty=X_new is not X).fit(scaler.transform(X))
    if X_new is X:
        return -lof.negative_outlier_factor_
    return -lof.score_samples(scaler.transform(X_new))


def principal_components(X, X_new, seed):
    del seed
    n_components = np.linalg.matrix_rank(StandardScaler().fit_transform(X))
    pca = make_pipeline(StandardScaler(), PCA(n_components, whiten=True)).fit(X)
    return np.square(pca.transform(X_new)).sum(1)


def of_pyod(module, name, is_seeded=True):
    def scores(X, X_new, seed):
        import importlib

        detector = getattr(importlib.import_module(f"pyod.models.{module}"), name)
        how = {"random_state": seed} if is_seeded else {}
        if name == "DeepSVDD":
            how["n_features"] = X.shape[1]
        if module in ("auto_encoder", "vae"):
            how["verbose"] = 0
        detector = detector(**how)
        detector.fit(X)
        return detector.decision_function(X_new)

    return scores


METHODS = {
    "skae OutlierDetector": skae,
    "IsolationForest": isolation_forest,
    "k-NN (k=5)": neighbors,
    "LOF": local_outlier_factor,
    "PCA (Mahalanobis)": principal_components,
    "pyod AutoEncoder": of_pyod("auto_encoder", "AutoEncoder"),
    "pyod VAE": of_pyod("vae", "VAE"),
    "pyod ECOD": of_pyod("ecod", "ECOD", is_seeded=False),
    "pyod DeepSVDD": of_pyod("deep_svdd", "DeepSVDD"),
}


def load(path, cap, seed):
    """Return the rows of a table and which are anomalies, ``cap`` at most."""
    arrays = np.load(path)
    X, y = arrays["X"].astype(np.float64), arrays["y"].ravel().astype(int)
    if len(X) <= cap:
        return X, y
    rng = np.random.default_rng(seed)
    odd, normal = np.flatnonzero(y == 1), np.flatnonzero(y == 0)
    n_odd = max(2, round(cap * len(odd) / len(y)))
    drawn = [rng.choice(odd, n_odd, replace=False), rng.choice(normal, cap - n_odd, replace=False)]
    drawn = rng.permutation(np.concatenate(drawn))
    return X[drawn], y[drawn]


def split(X, y, protocol, seed):
    """Return the rows to fit, the rows to score, and which of these are anomalies."""
    if protocol == "unsup":
        return X, X, y
    normal = np.random.default_rng(seed).permutation(np.flatnonzero(y == 0))
    half = len(normal) // 2
    scored = np.concatenate([normal[half:], np.flatnonzero(y == 1)])
    return X[normal[:half]], X[scored], y[scored]


def measure(methods, paths, cap, seeds, keep):
    """Return a DataFrame with a line for each fit."""
    done = {}
    if keep is not None and keep.exists():
        lines = [json.loads(line) for line in keep.read_text().splitlines()]
        done = {tuple(line[key] for key in KEYS): line for line in lines}
    found = []
    for seed in seeds:
        for path in paths:
            X, y = load(path, cap, seed)
            for protocol in PROTOCOLS:
                X_fit, X_scored, is_odd = split(X, y, protocol, seed)
                for name in methods:
                    key = name, path.stem, protocol, seed, cap
                    if key not in done:
                        start = time.perf_counter()
                        scores = METHODS[name](X_fit, X_scored, seed)
                        line = dict(zip(KEYS, key, strict=True)) | {
                            "seconds": time.perf_counter() - start,
                            "AUROC": 100 * roc_auc_score(is_odd, scores),
                            "AUPR": 100 * average_precision_score(is_odd, scores),
                        }
                        done[key] = line
                        if keep is not None:
                            with keep.open("a") as file:
                                file.write(json.dumps(line) + "\n")
                    found.append(done[key])
    return pd.DataFrame(found)


KEYS = "method", "table", "protocol", "seed", "cap"


def summary(results):
    """Return a line for each method: means over the tables of the means over the seeds."""
    means = results.groupby(["method", "table", "protocol"])[["AUROC", "AUPR", "seconds"]].mean()
    by_table = means["AUROC"].unstack("method")
    ranks = by_table.rank(axis=1, ascending=False).groupby("protocol").mean().T
    over = means.groupby(["method", "protocol"]).mean().unstack("protocol")
    columns = {}
    for measure in ("AUROC", "AUPR"):
        for protocol in PROTOCOLS:
            columns[f"{measure} {protocol}"] = over[measure][protocol].round(1)
    columns["AUROC mean"] = over["AUROC"].mean(axis=1).round(1)
    for protocol in PROTOCOLS:
        columns[f"rank {protocol}"] = ranks[protocol].round(1)
    columns["s a fit"] = over["seconds"].mean(axis=1).round(2)
    return pd.DataFrame(columns).sort_values("AUROC mean", ascending=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cap", type=int, default=10_000)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--by-table", action="store_true")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    paths = sorted(
        (options.data / "adbench").glob("*.npz"), key=lambda path: int(path.stem.split("_")[0])
    )
    results = measure(options.methods, paths, options.cap, range(options.seeds), options.keep)
    print(summary(results).to_string())
    if options.by_table:
        means = results.groupby(["table", "protocol", "method"])["AUROC"].mean()
        print(means.unstack("method").round(1).to_string())


if __name__ == "__main__":
    main()
