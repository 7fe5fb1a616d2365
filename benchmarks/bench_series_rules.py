"""When is a simple rule enough for a series, and when is `SeriesOutlierDetector` better?

    python benchmarks/bench_series_rules.py

Four sensors of a made pump follow a demand, which has a period of 60 steps and slow random changes.
All methods learn from 4,000 normal steps. Then come 4,000 steps with five faults of one kind, each
in one of the sensors; a changed period is that of the demand, so of all. Five seeds. The rules:

- limits: how many standard deviations of training a value is off the mean of training.
- moving average: the same, by the mean and the standard deviation of the 60 steps before.
- no change: how small the standard deviation of the last 10 steps is.

A rule raises an alarm if a sensor is above its own highest value in training. The score is the
ratio of both, the largest of the sensors. The detector has ``window=60`` and its own threshold. An
alarm is a stretch above the threshold. Alarms at most 30 steps apart are one, and those that touch
neither a fault nor the 60 steps around it are false.
"""

from functools import partial

import numpy as np
import pandas as pd

from skae import SeriesOutlierDetector
from skae.metrics import vus_pr_score

N, PERIOD, N_SEEDS = 4000, 60, 5
STARTS = range(400, N, 800)
#: Steps of a fault of each kind.
KINDS = {
    "large spikes": 3,
    "small spikes": 3,
    "large level shift": 150,
    "small level shift": 150,
    "drift": 300,
    "changed period": 150,
    "broken correlation": 150,
    "stuck sensor": 150,
}

#: By how many standard deviations spikes and levels are off.
SIZES = {
    "large spikes": 10,
    "small spikes": 4,
    "large level shift": 5,
    "small level shift": 1.5,
}


def smooth_noise(rng, n):
    """Return random changes that are slower than a period, of about unit size."""
    noise = pd.Series(rng.normal(size=n + 400)).rolling(200, win_type="hann").mean()[400:]
    return (noise / noise.std()).to_numpy()


def demand(rng, period=None):
    """Return what the sensors follow; ``period`` is the number of steps at each step."""
    phase = np.cumsum(2 * np.pi / np.full(N, PERIOD) if period is None else 2 * np.pi / period)
    return np.sin(phase) + 0.5 * smooth_noise(rng, N)


def sensors(rng, of_demand):
    """Return flow, pressure, current and temperature."""
    warm = pd.Series(of_demand).ewm(span=30).mean()
    follow = np.column_stack([of_demand, of_demand**2 / 3, 0.7 * of_demand, warm])
    return follow + 0.1 * rng.normal(size=follow.shape)


def with_faults(rng, kind):
    """Return steps with five faults of a kind, and which steps these are."""
    y, period = np.zeros(N, int), np.full(N, PERIOD)
    for start in STARTS:
        y[start : start + KINDS[kind]] = 1
    if kind == "changed period":
        period = np.where(y, 2 * PERIOD // 3, PERIOD)
    X, other = sensors(rng, demand(rng, period)), sensors(rng, demand(rng))
    for i, start in enumerate(STARTS):
        steps, sensor = slice(start, start + KINDS[kind]), i % X.shape[1]
        spread = X[:, sensor].std()
        if kind in SIZES:
            X[steps, sensor] += SIZES[kind] * spread
        elif kind == "drift":
            X[steps, sensor] += np.linspace(0, 2 * spread, KINDS[kind])
        elif kind == "broken correlation":
            X[steps, sensor] = other[steps, sensor]
        elif kind == "stuck sensor":
            X[steps, sensor] = X[start, sensor]
    return X, y


def limits(train, X):
    return np.abs(X - train.mean(0)) / train.std(0)


def moving_average(train, X):
    before = pd.DataFrame(np.concatenate([train[-PERIOD:], X])).shift().rolling(PERIOD)
    mean, std = before.mean().to_numpy()[PERIOD:], before.std().to_numpy()[PERIOD:]
    return np.abs(X - mean) / np.maximum(std, 0.01 * train.std(0))


def no_change(train, X):
    last = pd.DataFrame(np.concatenate([train[-9:], X])).rolling(10).std().to_numpy()[9:]
    return train.std(0) / np.maximum(last, 1e-3 * train.std(0))


def rule(score_of, train, X):
    """Return scores and a threshold, above which steps are anomalous."""
    return (score_of(train, X) / score_of(train, train).max(0)).max(1), 1


def detector(train, X):
    model = SeriesOutlierDetector(window=PERIOD).fit(train)
    return -model.score_samples(X), -model.offset_


def alarms(is_above, y):
    """Return how many faults are found, and how many alarms are false."""
    places = np.flatnonzero(is_above)
    if not len(places):
        return 0, 0
    parts = np.split(places, np.flatnonzero(np.diff(places) > PERIOD // 2) + 1)
    near = np.convolve(y, np.ones(2 * PERIOD + 1), "same") > 0
    faults = np.split(np.flatnonzero(y), len(STARTS))
    return (
        sum(is_above[fault].any() for fault in faults),
        sum(not near[part[0] : part[-1] + 1].any() for part in parts),
    )


METHODS = {
    "limits": partial(rule, limits),
    "moving average": partial(rule, moving_average),
    "no change": partial(rule, no_change),
    "detector": detector,
}


def main():
    print("VUS-PR, faults found of 25, false alarms in 20,000 steps")
    print(f"{'':20}" + "".join(f"{name:>19}" for name in METHODS) + f"{'chance':>8}")
    for kind in KINDS:
        rows, chance = {name: [] for name in METHODS}, []
        for seed in range(N_SEEDS):
            rng = np.random.default_rng(seed)
            train = sensors(rng, demand(rng))
            X, y = with_faults(rng, kind)
            for name, method in METHODS.items():
                scores, threshold = method(train, X)
                volume = vus_pr_score(y, scores, window=PERIOD)
                rows[name].append([volume, *alarms(scores > threshold, y)])
            chance.append(vus_pr_score(y, rng.random(N), window=PERIOD))
        text = ""
        for values in rows.values():
            volume, found, false = np.array(values).T
            text += f"{volume.mean():7.2f}{found.sum():6.0f}{false.sum():6.0f}"
        print(f"{kind:20}{text}{np.mean(chance):8.2f}")


if __name__ == "__main__":
    main()
