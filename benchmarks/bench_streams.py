"""How many false alarms and misses do thresholds give on streams?

    python benchmarks/bench_streams.py made
    python benchmarks/bench_streams.py real --data DIR

``made`` draws scores: 2,000 before the stream and 20,000 in it, of which 1 % are anomalies, 6 to 10
below the level of the normal ones. "many anomalies" has 5 %, "contaminated" has 5 % before the
stream, too. Five seeds.

``real`` takes the series with anomalies of ``DIR/nab.npz`` and ``DIR/skab.npz``. The reconstruction
error of a PCA of sliding windows is the score. Of a series of NAB, the first 15 % are for ``fit``;
of SKAB, the first 400 steps. As these are few for "dspot", ``depth`` is 40. It gives false alarms,
recall and precision over all steps of all series, and precision if alarms were drawn by chance.

The fixed threshold is the first one of "quantile", which does not move: the rows before the
stream are the same for all.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.preprocessing import StandardScaler

from skae import StreamingThreshold
from skae.sequences import sliding_windows

N_BEFORE, N_STREAM, N_SEEDS = 2000, 20_000, 5
METHODS = ("fixed", "quantile", "spot", "dspot")
#: Steps of a window.
LENGTH = 20


class GivenScores(BaseEstimator):
    """The only column is the score."""

    def fit(self, X=None, y=None):
        return self

    def score_samples(self, X):
        return X[:, 0]

    def __sklearn_is_fitted__(self):
        return True


class WindowPCA(BaseEstimator):
    """How well a PCA of sliding windows reconstructs the window that ends with a step."""

    def fit(self, X, y=None):
        self.n_context_ = LENGTH - 1
        self.scaler_ = StandardScaler().fit(X)
        self.pca_ = PCA(0.95, svd_solver="full").fit(self._windows(X))
        return self

    def _windows(self, X):
        windows = sliding_windows(self.scaler_.transform(X), LENGTH)
        return windows.reshape(len(windows), -1)

    def score_samples(self, X):
        windows = self._windows(X)
        errors = windows - self.pca_.inverse_transform(self.pca_.transform(windows))
        scores = np.full(len(X), np.nan)
        scores[self.n_context_ :] = -np.log((errors**2).mean(1) + 1e-12)
        return scores


def made_streams(rng):
    """Yield by name the scores and which of them are anomalies."""
    n = N_BEFORE + N_STREAM
    normal, place = rng.normal(size=n), np.maximum(np.arange(n) - N_BEFORE, 0)
    levels = {
        "stationary": normal,
        "heavy tail": rng.standard_t(3, size=n),
        "slow drift": normal - 5 * place / N_STREAM,
        "fast drift": normal + 10 * np.sin(place * 2 * np.pi / 2000),
        "new level": normal - 5 * (place > N_STREAM / 2),
        "many anomalies": normal,
        "contaminated": normal,
    }
    for name, scores in levels.items():
        fraction = 0.05 if name in ("many anomalies", "contaminated") else 0.01
        is_anomaly = rng.random(n) < fraction
        if name != "contaminated":
            is_anomaly[:N_BEFORE] = False
        yield name, scores - is_anomaly * rng.uniform(6, 10, n), is_anomaly


def judged(method, detector, before, stream, **how):
    """Return which steps of a stream are outliers, and the time of a step."""
    how |= {"method": "quantile" if method == "fixed" else method, "random_state": 0}
    model = StreamingThreshold(detector, **how).fit(before)
    start = time.perf_counter()
    labels = model.predict(stream) if method == "fixed" else model.update(stream)[0]
    return labels == -1, (time.perf_counter() - start) / len(stream)


def made(alpha):
    results, seconds = {}, {method: [] for method in METHODS}
    for seed in range(N_SEEDS):
        for name, scores, is_anomaly in made_streams(np.random.default_rng(seed)):
            before, stream = np.split(scores[:, None], [N_BEFORE])
            truth = is_anomaly[N_BEFORE:]
            for method in METHODS:
                detector = FrozenEstimator(GivenScores())
                found, step = judged(method, detector, before, stream, alpha=alpha)
                rates = found[~truth].mean(), found[truth].mean()
                results.setdefault((name, method), []).append(rates)
                seconds[method].append(step)
    print(f"alpha={alpha}: false alarms % / recall %")
    print(f"{'stream':16}" + "".join(f"{method:>16}" for method in METHODS))
    for name in dict.fromkeys(name for name, _ in results):
        means = [100 * np.mean(results[name, method], 0) for method in METHODS]
        print(f"{name:16}" + "".join(f"{far:>8.2f} /{recall:6.1f}" for far, recall in means))
    print("µs per step     " + "".join(f"{1e6 * np.mean(seconds[m]):>16.1f}" for m in METHODS))


def nab(folder):
    """Yield the rows for ``fit``, those of the stream, and which of these are anomalies."""
    with np.load(folder / "nab.npz") as data:
        for name in sorted(n.removesuffix("__X") for n in data.files if n.endswith("__X")):
            X, y = data[f"{name}__X"][:, None], data[f"{name}__anomaly"].astype(bool)
            n = int(0.15 * len(X))
            if y[n:].any():
                yield X[:n], X[n:], y[n:]


def skab(folder):
    with np.load(folder / "skab.npz", allow_pickle=True) as data:
        for name in sorted(n.removesuffix("__anomaly") for n in data.files if "__anomaly" in n):
            X, y = data[f"{name}__X"].astype(float), data[f"{name}__anomaly"].astype(bool)
            yield X[:400], X[400:], y[400:]


def real(folder, alpha):
    for series in (nab, skab):
        print(f"{series.__name__}, alpha={alpha}: false alarms %, recall %, precision %")
        for method in METHODS:
            found, truth = [], []
            for before, stream, is_anomaly in series(folder):
                found.append(judged(method, WindowPCA(), before, stream, alpha=alpha, depth=40)[0])
                truth.append(is_anomaly)
            found, truth = np.concatenate(found), np.concatenate(truth)
            rates = found[~truth].mean(), found[truth].mean(), truth[found].mean()
            print(f"{method:16}" + "".join(f"{100 * rate:10.1f}" for rate in rates))
        print(f"{'by chance':36}{100 * truth.mean():10.1f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=["made", "real"])
    parser.add_argument("--data", type=Path)
    args = parser.parse_args()
    for alpha in (0.01, 0.001) if args.what == "made" else (0.01,):
        made(alpha) if args.what == "made" else real(args.data, alpha)


if __name__ == "__main__":
    main()
