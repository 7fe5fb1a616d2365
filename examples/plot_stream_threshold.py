"""
A threshold that follows a stream
=================================

The scores of a stream drift: a sensor ages, the season changes. A fixed threshold then gives many
false alarms, or misses anomalies. `~skae.StreamingThreshold` follows the scores, by a quantile of
the last ones or by extreme-value theory. This page compares its methods on a stream with a drifting
level.
"""

# %%
# Make a stream
# -------------
#
# Six sensors measure two hidden quantities. Their noise grows and falls again. One row in 200 is an
# anomaly: one of the sensors does not fit the others.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.decomposition import PCA

from skae import StreamingThreshold

rng = np.random.default_rng(0)
N_BEFORE, N_STREAM = 2000, 6000
time = np.maximum(np.arange(N_BEFORE + N_STREAM) - N_BEFORE, 0)
noise = 0.1 * np.exp(1.2 * np.sin(time * 2 * np.pi / 5000))
hidden = rng.normal(size=(len(time), 2))
X = hidden @ rng.normal(size=(2, 6)) + noise[:, None] * rng.normal(size=(len(time), 6))
is_anomaly = (rng.random(len(time)) < 1 / 200) & (time > 0)
X[is_anomaly, 2] += rng.choice([-1, 1], is_anomaly.sum()) * 10 * noise[is_anomaly]
X_before, X_stream = np.split(X, [N_BEFORE])
is_anomaly = is_anomaly[N_BEFORE:]

# %%
# Follow it
# ---------
#
# A PCA with two components reconstructs normal rows. The score is minus the logarithm of the error,
# so that twice the noise is a lower level. All thresholds are found from the same scores, for one
# false alarm in 100 rows. The fixed one is that of "quantile" before the first ``update``.
#
# The stream comes in chunks of 10 rows here, to draw the threshold after each of them. Chunks of
# any other size give the same alarms.


class LogErrorPCA(PCA):
    """A PCA whose score is minus the logarithm of the reconstruction error."""

    def score_samples(self, X):
        errors = X - self.inverse_transform(self.transform(X))
        return -np.log((errors**2).sum(1))


detector = LogErrorPCA(2)
streams = {
    "fixed": StreamingThreshold(detector),
    "quantile": StreamingThreshold(detector, window=500),
    "spot": StreamingThreshold(detector, method="spot"),
    "dspot": StreamingThreshold(detector, method="dspot"),
}
thresholds, alarms = {}, {}
for name, stream in streams.items():
    stream.fit(X_before)
    line, found = [], []
    for start in range(0, N_STREAM, 10):
        rows = X_stream[start : start + 10]
        line.append(stream.threshold_)
        found.append(stream.predict(rows) if name == "fixed" else stream.update(rows)[0])
    thresholds[name], alarms[name] = line, np.concatenate(found) == -1

# %%
# Look at it
# ----------
#
# Gray points are scores of normal rows, and the line is the threshold. Rows below it are
# alarms: red ones are anomalies, blue ones are false alarms.

scores = streams["fixed"].score_samples(X_stream)
steps = np.arange(N_STREAM)
fig, axes = plt.subplots(4, 1, figsize=(9, 10), sharex=True, sharey=True, layout="constrained")
for ax, (name, found) in zip(axes, alarms.items(), strict=True):
    ax.plot(steps, scores, ".", color="0.8", markersize=2)
    for which, color, label in (
        (found & ~is_anomaly, "tab:blue", "false alarm"),
        (found & is_anomaly, "tab:red", "anomaly found"),
    ):
        ax.plot(steps[which], scores[which], ".", color=color, markersize=4, label=label)
    missed = is_anomaly & ~found
    ax.plot(steps[missed], scores[missed], "x", color="black", markersize=5, label="missed")
    ax.plot(steps[::10], thresholds[name], color="black", linewidth=1, label="threshold")
    rates = 100 * found[~is_anomaly].mean(), 100 * found[is_anomaly].mean()
    ax.set_title(f"{name}: {rates[0]:.1f} % false alarms, {rates[1]:.0f} % of anomalies found")
    ax.set_ylabel("score")
axes[-1].set_xlabel("row of the stream")
fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
plt.show()

# %%
# The fixed threshold calls a third of the normal rows outliers when the noise is large, and misses
# anomalies when it is small. "spot" expects scores whose distribution does not change: it is for
# other streams. "quantile" follows, but lags behind by a part of its window: false alarms are more
# frequent while the level falls. "dspot" compares each score with the mean of the 50 before, so
# it follows at once.
