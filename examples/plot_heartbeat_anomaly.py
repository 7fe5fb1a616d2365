"""
Which heartbeats are anomalous, and when in the beat?
=====================================================

Heartbeats have different lengths. A `~skae.RecurrentAutoencoder` that was fitted on normal beats
takes them as they are. The error of a beat, ``score_samples``, says how anomalous it is. The
errors of its steps, ``reconstruction_errors``, say when. This page plants anomalous beats of four
kinds in a series that looks like an electrocardiogram. PCA, an
`~sklearn.ensemble.IsolationForest` and the length of the beat alone score the same beats.
"""

# %%
# Make a series
# -------------
#
# A beat is a sum of five bumps, the waves P, Q, R, S and T, with 100 steps per second. The rate
# changes from beat to beat and over a minute, the waves vary in height, the T wave comes later if
# the heart is slow, and there is noise. There are four kinds of anomalies: a beat is *premature*,
# that is, a little too early and without a P wave; it is *missing*; its *T wave* is *flat*; or it
# has *no P wave*, and even a normal P wave is not much above the noise.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy.signal import find_peaks
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score

from skae import RecurrentAutoencoder
from skae.inspection import OutlierExplanationDisplay, SeriesScoreDisplay

ANOMALIES = ("premature", "missing", "flat T wave", "no P wave")


def waves(kind, period):
    """Return the position in seconds from the R peak, the height and the width of each wave."""
    if kind == "missing":
        return []
    p_wave = (-0.17, 0.0 if kind in ("premature", "no P wave") else 0.15, 0.025)
    around_r = [(-0.035, -0.12, 0.01), (0, 1, 0.011), (0.035, -0.2, 0.012)]
    t_wave = (0.3 * np.sqrt(period), 0.05 if kind == "flat T wave" else 0.3, 0.05)
    return [p_wave, *around_r, t_wave]


def record(kinds, rng):
    """Return a series with one beat for each of the kinds, and a label for each R-R interval."""
    number = np.arange(len(kinds))
    period = 0.85 + 0.06 * np.sin(number * 2 * np.pi / 5) + 0.2 * np.sin(number * 2 * np.pi / 70)
    period += rng.normal(scale=0.03, size=len(kinds))
    early = np.flatnonzero(kinds == "premature")
    period[early - 1] *= 0.75
    peaks = 0.5 + np.cumsum(np.r_[0, period[:-1]])
    time = np.arange(0, peaks[-1] + 0.5, 0.01)
    series = rng.normal(scale=0.05, size=len(time))
    for peak, kind, length in zip(peaks, kinds, period, strict=True):
        for position, height, width in waves(kind, length):
            height *= rng.normal(1, 0.1)
            series += height * np.exp(-(((time - peak - position) / width) ** 2) / 2)
    labels = kinds.copy()
    before = np.isin(kinds, ["premature", "missing", "no P wave"])
    labels[np.flatnonzero(before) - 1] = kinds[before]  # the anomaly is before the R peak
    labels[(kinds == "premature") | (kinds == "no P wave")] = "normal"
    return series, labels[kinds != "missing"]


def cut(series):
    """Return the positions of the R peaks, and the steps from each to the next."""
    peaks, _ = find_peaks(series, height=0.6, distance=25)
    return peaks, [series[start:end] for start, end in zip(peaks, peaks[1:], strict=False)]


rng = np.random.default_rng(0)
normal, _ = record(np.full(600, "normal", dtype=object), rng)
_, beats = cut(normal)

kinds = np.full(800, "normal", dtype=object)
kinds[10:-10:12] = np.resize(ANOMALIES, len(kinds[10:-10:12]))
series, labels = record(kinds, rng)
peaks, new_beats = cut(series)
labels = labels[:-1]  # no interval follows the last peak
assert len(labels) == len(new_beats)
print(f"fitted: {len(beats)} beats of {min(map(len, beats))} to {max(map(len, beats))} steps")
print(f"scored: {len(new_beats)} beats of {min(map(len, new_beats))} to ", end="")
print(f"{max(map(len, new_beats))} steps, {(labels != 'normal').sum()} anomalous intervals")

# %%
# Fit and score
# -------------
#
# PCA and the forest need rows of one length, so each beat is stretched to 64 steps. The forest
# also gets the length as one more column. PCA is tried with three numbers of components. The last
# model knows only how far the length is from the usual one.


def stretch(beats, n_steps=64):
    """Return rows of one length, interpolated between the steps."""
    position = np.linspace(0, 1, n_steps)
    return np.array([np.interp(position, np.linspace(0, 1, len(beat)), beat) for beat in beats])


def lengths(beats):
    """Return the number of steps of each beat, as a column."""
    return np.array([len(beat) for beat in beats])[:, np.newaxis]


def pca_errors(n_components):
    """Return the mean squared error of each stretched beat."""
    pca = PCA(n_components, svd_solver="full").fit(stretch(beats))
    rows = stretch(new_beats)
    return ((rows - pca.inverse_transform(pca.transform(rows))) ** 2).mean(axis=1)


def areas(errors):
    """Return the area under the ROC curve for each kind against normal beats, and for all."""
    is_normal = labels == "normal"
    columns = {kind: is_normal | (labels == kind) for kind in ANOMALIES}
    columns["all"] = np.ones(len(labels), dtype=bool)
    return {name: roc_auc_score(~is_normal[of], errors[of]) for name, of in columns.items()}


autoencoder = RecurrentAutoencoder(2, max_epochs=30, random_state=0).fit(beats)
with_length = np.hstack([stretch(beats), lengths(beats)])
forest = IsolationForest(random_state=0).fit(with_length)
anomaly_scores = {
    "RecurrentAutoencoder(2)": -autoencoder.score_samples(new_beats),
    **{f"PCA({n})": pca_errors(n) for n in (2, 4, 8)},
    "IsolationForest": -forest.score_samples(np.hstack([stretch(new_beats), lengths(new_beats)])),
    "length alone": np.abs(lengths(new_beats) - np.median(lengths(beats))).ravel(),
}
table = pd.DataFrame({name: areas(values) for name, values in anomaly_scores.items()}).T
print(table.round(3).to_string())

# %%
# Which beats
# -----------
#
# `~skae.inspection.SeriesScoreDisplay` draws a part of the series, and the score of each beat
# below it. Shaded beats score lower than 99% of the fitted beats. Hatched marks at the upper edge
# are the true anomalies.

first, last = 20, 74
shown = slice(peaks[first], peaks[last])
scores = autoencoder.score_samples(new_beats)[first:last]
SeriesScoreDisplay.from_predictions(
    pd.Series(series[shown], np.arange(len(series))[shown] / 100, name="electrocardiogram"),
    np.repeat(scores, np.diff(peaks[first : last + 1])),
    threshold=np.quantile(autoencoder.score_samples(beats), 0.01),
    y_true=np.repeat(labels[first:last] != "normal", np.diff(peaks[first : last + 1])),
    name="beats",
).ax_.set_xlabel("seconds")
plt.show()

# %%
# When in the beat
# ----------------
#
# ``reconstruction_errors`` gives one array for each beat, with the length of the beat.
# `~skae.inspection.OutlierExplanationDisplay` draws them as a strip below the beat: here the
# beat of each kind that has the lowest score.

scores = autoencoder.score_samples(new_beats)
worst = [np.where(labels == kind, scores, 0).argmin() for kind in ANOMALIES]
display = OutlierExplanationDisplay.from_estimator(
    autoencoder, [new_beats[i] for i in worst], n_samples=len(worst)
)
for ax, kind in zip(display.axes_[0], ANOMALIES, strict=True):
    ax.set_title(kind)
plt.show()

# %%
# All models find a missing beat and a flat T wave, except the length, which finds only missing
# beats. A premature beat and a missing P wave are harder. There the forest, which looks at one
# column at a time, is far behind the models that reconstruct. The autoencoder with two components
# is about as good as PCA with four, and clearly ahead of PCA with two. With another number of
# components, PCA misses the P wave or the T wave. So PCA of stretched beats is worth trying
# first. Try several code lengths, and have some anomalous beats to choose by.
#
# The advantage of the autoencoder is that nothing has to be stretched: the errors belong to the
# steps as they were recorded. A missing P wave shows where it should have been. The heights of R
# peaks vary, in normal beats too, so each peak has an error, and the mean error of a beat says
# more than its largest error. The beats were cut at their R peaks, which were easy to find here.
# If they are not, use windows of the series, `~skae.sequences.windowed_errors`.
