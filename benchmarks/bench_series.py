"""Long series: what is found on public data beside baselines, and the time of large ones.

    python benchmarks/bench_series.py --data DIR [--only skab nab ecg scale]
        [--estimators auto pca dense conv recurrent forest] [--peer-scores FILE]

DIR holds ``skab.npz``, ``nab.npz`` and ``ecg5000.npz``.

skab
    The protocol of its leaderboard: the first 400 steps of each of 34 files are fitted without
    labels, the others judged. F1, share of false alarms and of missed alarms over all steps of all
    files. Nothing is set but the estimator, and the number of its components.
nab
    13 series with labeled windows. Each is fitted without labels and judged itself. Volume under
    the surface of precision and recall with buffers of up to 100 steps. All baselines see the same
    windows as the detector. FILE has matrix profiles, see ``profile_with_peer.py``.
ecg
    Area under the ROC curve of whole heartbeats, of which normal ones were learned.
scale
    A million steps, and 1,000 series of 2,000 steps.
"""

import argparse
import resource
import time
from pathlib import Path

import numpy as np
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.metrics import f1_score, roc_auc_score

from skae import (
    Autoencoder,
    ConvAutoencoder,
    OutlierDetector,
    RecurrentAutoencoder,
    SeriesOutlierDetector,
)
from skae.metrics import vus_pr_score
from skae.sequences import sliding_windows

N_FITTED = 400
BUFFER = 100

ESTIMATORS = {
    "auto": "auto",
    "pca": PCA(0.93),
    "dense": Autoencoder(16, random_state=0),
    "conv": ConvAutoencoder(16, random_state=0),
    "recurrent": RecurrentAutoencoder(16, random_state=0),
    "forest": IsolationForest(random_state=0),
}


# SKAB.


def read_skab(data):
    arrays = np.load(data / "skab.npz")
    names = [name[:-3] for name in arrays.files if name.endswith("__X")]
    names = [name for name in names if "free" not in name]
    return [(arrays[f"{n}__X"], arrays[f"{n}__anomaly"].astype(int)) for n in names]


def bench_skab(data, estimators):
    series = read_skab(data)
    y = np.concatenate([anomaly[N_FITTED:] for _, anomaly in series])
    print(f"\n{'SKAB':40}{'F1':>7}{'false':>8}{'missed':>8}{'s':>7}")

    def report(name, predict):
        start = time.process_time()
        predicted = np.concatenate([predict(X) for X, _ in series]) == -1
        seconds = time.process_time() - start
        false, missed = predicted[y == 0].mean(), 1 - predicted[y == 1].mean()
        f1 = f1_score(y, predicted)
        print(f"{name:40}{f1:7.3f}{false:8.1%}{missed:8.1%}{seconds:7.1f}", flush=True)

    report(
        "OutlierDetector, single steps",
        lambda X: OutlierDetector(random_state=0).fit(X[:N_FITTED]).predict(X[N_FITTED:]),
    )
    for name in estimators:
        estimator = ESTIMATORS[name]

        def judged(X, estimator=estimator):
            return SeriesOutlierDetector(estimator).fit(X[:N_FITTED]).predict(X)[N_FITTED:]

        report(f"SeriesOutlierDetector, {name}", judged)

    def updated(X):
        return SeriesOutlierDetector().fit(X[:N_FITTED]).update(X[N_FITTED:])[0]

    report("SeriesOutlierDetector, auto, by update", updated)


# NAB.


def read_nab(data):
    arrays = np.load(data / "nab.npz")
    names = [
        n[:-3] for n in arrays.files if n.endswith("__X") and arrays[f"{n[:-3]}__anomaly"].any()
    ]
    return {
        n: (arrays[f"{n}__X"].astype(float), arrays[f"{n}__anomaly"].astype(int)) for n in names
    }


def step_means(of_windows, window):
    """Return the mean over the windows that a step is in; windows start at every step."""
    n_steps = len(of_windows) + window - 1
    sums, ends = np.cumsum(np.append(0, of_windows)), np.arange(n_steps) + 1
    first, last = np.maximum(ends - window, 0), np.minimum(ends, len(of_windows))
    return (sums[last] - sums[first]) / (last - first)


def forest_errors(X):
    return -IsolationForest(random_state=0).fit(X).score_samples(X)


def pca_errors(X):
    pca = PCA(0.93).fit(X)
    return np.linalg.norm(X - pca.inverse_transform(pca.transform(X)), axis=1)


def bench_nab(data, estimators, peer_scores):
    series = read_nab(data)
    detectors = {name: SeriesOutlierDetector().fit(x) for name, (x, _) in series.items()}
    rng = np.random.default_rng(0)
    short = [name.split("__")[1][-12:] for name in series]
    print(f"\n{'NAB, VUS-PR':36}{'mean':>6}{'s':>7}   " + " ".join(short))

    def report(name, score):
        start = time.process_time()
        scores = {name: score(name, x) for name, (x, _) in series.items()}
        seconds = time.process_time() - start
        found = [vus_pr_score(y, scores[name], window=BUFFER) for name, (_, y) in series.items()]
        each = " ".join(f"{one:.2f}" for one in found)
        print(f"{name:36}{np.mean(found):6.3f}{seconds:7.1f}   {each}", flush=True)

    def on_windows(errors):
        def score(name, x):
            window = detectors[name].window_
            return step_means(errors(sliding_windows(x, window)), window)

        return score

    report("chance", lambda _, x: rng.random(len(x)))
    report("distance from the median", lambda _, x: np.abs(x - np.median(x)))
    if peer_scores is not None:
        with np.load(peer_scores) as profiles:
            profiles = {name: profiles[name] for name in series}
        for name, (x, _) in series.items():
            window = len(x) - len(profiles[name]) + 1
            profiles[name] = step_means(np.nan_to_num(profiles[name], posinf=0), window)
        report("matrix profile", lambda name, _: profiles[name])
    report("isolation forest on windows", on_windows(forest_errors))
    report("PCA on windows", on_windows(pca_errors))
    for which in estimators:
        estimator = ESTIMATORS[which]
        report(
            f"SeriesOutlierDetector, {which}",
            lambda _, x, estimator=estimator: (
                -SeriesOutlierDetector(estimator).fit(x).score_samples(x)
            ),
        )


# Heartbeats.


def bench_ecg(data, estimators):
    with np.load(data / "ecg5000.npz") as ecg:
        normal, X, y = ecg["X_train"][ecg["y_train"] == 0], ecg["X_test"], ecg["y_test"]
    print(f"\n{'ECG5000, 4,500 heartbeats':40}{'AUROC':>7}{'s':>7}")
    for name in estimators:
        start = time.process_time()
        detector = SeriesOutlierDetector(ESTIMATORS[name]).fit(list(normal))
        scores = [beat.mean() for beat in detector.score_samples(list(X))]
        area, seconds = roc_auc_score(y, np.negative(scores)), time.process_time() - start
        print(f"SeriesOutlierDetector, {name:17}{area:7.3f}{seconds:7.1f}", flush=True)


# Large ones.


def waves(n_steps, n_features, rng):
    steps = np.arange(n_steps)[:, None]
    return np.sin(steps / rng.uniform(5, 50, n_features)) + 0.1 * rng.normal(
        size=(n_steps, n_features)
    )


def bench_scale():
    rng = np.random.default_rng(0)
    print(f"\n{'size':40}{'fit, s':>8}{'score, s':>9}{'memory, MB':>12}")

    def report(name, fit, score):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        start = time.perf_counter()
        fitted = fit()
        middle = time.perf_counter()
        score(fitted)
        end = time.perf_counter()
        memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        print(f"{name:40}{middle - start:8.1f}{end - middle:9.1f}{memory:12.0f}", flush=True)

    for n_features in (1, 8):
        X, X_new = waves(1_000_000, n_features, rng), waves(1_000_000, n_features, rng)
        report(
            f"a million steps of {n_features}",
            lambda X=X: SeriesOutlierDetector().fit(X),
            lambda detector, X_new=X_new: detector.score_samples(X_new),
        )
    fleet = {f"machine {i}": waves(2000, 1, rng) for i in range(1000)}
    new = {name: series[::-1].copy() for name, series in fleet.items()}
    report(
        "1,000 series of 2,000 steps, one model",
        lambda: SeriesOutlierDetector().fit(fleet),
        lambda detector: detector.score_samples(new),
    )
    report(
        "1,000 series of 2,000 steps, one each",
        lambda: {name: SeriesOutlierDetector().fit(series) for name, series in fleet.items()},
        lambda detectors: [detectors[name].score_samples(series) for name, series in new.items()],
    )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--only", nargs="+", default=["skab", "nab", "ecg", "scale"])
    parser.add_argument("--estimators", nargs="+", choices=ESTIMATORS, default=list(ESTIMATORS))
    parser.add_argument("--peer-scores", type=Path)
    args = parser.parse_args()
    if "skab" in args.only:
        bench_skab(args.data, args.estimators)
    if "nab" in args.only:
        bench_nab(args.data, args.estimators, args.peer_scores)
    if "ecg" in args.only:
        bench_ecg(args.data, args.estimators)
    if "scale" in args.only:
        bench_scale()


if __name__ == "__main__":
    main()
