"""
When was the pump faulty, and which sensor shows it?
====================================================

Five sensors of a pump write down a value every minute, for two days. There are three faults of
different kinds, and no value is outside the usual range. `~skae.SeriesOutlierDetector` finds all
three without labels, says from when to when, and which sensors show them. Limits for the sensors
are no better than chance here.
"""

# %%
# Make a series
# -------------
#
# The pump follows a demand that repeats every two hours and also changes at random. All sensors
# depend on it, each in its own way. Then come the faults:
#
# - *leak*: the pressure falls a little, for 45 minutes.
# - *stuck*: the thermometer shows the same value for 80 minutes.
# - *cavitation*: the vibration no longer follows the demand, for 60 minutes.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.colors import LogNorm
from matplotlib.dates import ConciseDateFormatter

from skae import SeriesOutlierDetector
from skae.inspection import SeriesScoreDisplay
from skae.metrics import vus_pr_score

rng = np.random.default_rng(0)
N_STEPS, PERIOD = 2880, 120
times = pd.date_range("2026-03-02", periods=N_STEPS, freq="1min")


def demand():
    """Return a demand with a period and slow random changes."""
    noise = pd.Series(rng.normal(size=N_STEPS + 300)).ewm(span=60).mean()[300:]
    return np.sin(2 * np.pi * np.arange(N_STEPS) / PERIOD) + 2 * noise.reset_index(drop=True)


of_pump, other = demand(), demand()
pump = pd.DataFrame(
    {
        "flow": 40 + 8 * of_pump + rng.normal(scale=0.8, size=N_STEPS),
        "pressure": 3 + 0.5 * of_pump + rng.normal(scale=0.05, size=N_STEPS),
        "current": 12 + 3 * of_pump + rng.normal(scale=0.3, size=N_STEPS),
        "temperature": 60 + 4 * of_pump.ewm(span=30).mean() + rng.normal(scale=0.3, size=N_STEPS),
        "vibration": 2 + 0.6 * of_pump + rng.normal(scale=0.1, size=N_STEPS),
    }
).set_index(times)
faults = {"leak": (735, 780), "stuck": (1500, 1580), "cavitation": (2300, 2360)}
pump.iloc[slice(*faults["leak"]), 1] -= 0.5
pump.iloc[slice(*faults["stuck"]), 3] = pump.iloc[faults["stuck"][0], 3]
pump.iloc[slice(*faults["cavitation"]), 4] = 2 - 0.6 * other[slice(*faults["cavitation"])]
y_true = np.zeros(N_STEPS, int)
for start, end in faults.values():
    y_true[start:end] = 1

# %%
# Find the faults
# ---------------
#
# A window of half a period is enough to know how the sensors go together. The detector
# learns from the series with the faults in it, and judges each fifth of it by the other four.

detector = SeriesOutlierDetector(window=60).fit(pump)
intervals = detector.intervals()
intervals.round({"score": 1, "p_value": 3})

# %%
# The lines are the sensors and, below, the score of each minute. What is below the threshold is
# shaded in all panels. The hatched marks at the upper edges are the true faults. All three are
# found. There is one short false alarm, whose lowest score is just below the threshold.

SeriesScoreDisplay.from_estimator(
    detector, pump, intervals=intervals, y_true=y_true, name="detector"
)
plt.show()

# %%
# Which sensor shows it
# ---------------------
#
# ``explain`` says how unusual each sensor is at each minute: 1 is usual. Here are the means of 15
# minutes, as a picture. Bars above it are the true faults.

errors = detector.explain(pump).resample("15min").mean()
fig, ax = plt.subplots(figsize=(10, 3), layout="constrained")
image = ax.pcolormesh(
    errors.index, errors.columns, errors.T, norm=LogNorm(1, 30), cmap="magma_r", shading="nearest"
)
ax.invert_yaxis()
ax.xaxis.set_major_formatter(ConciseDateFormatter(ax.xaxis.get_major_locator()))
for name, (start, end) in faults.items():
    where = {"transform": ax.get_xaxis_transform(), "color": "black"}
    ax.plot(times[[start, end]], [1.04, 1.04], linewidth=4, clip_on=False, **where)
    ax.text(times[(start + end) // 2], 1.07, name, ha="center", va="bottom", **where)
bar = fig.colorbar(image, label="error, 1 is usual", extend="both")
bar.set_ticks([1, 3, 10, 30], labels=["1", "3", "10", "30"])
plt.show()

# %%
# Would limits have found them?
# -----------------------------
#
# How far a sensor is from its mean, in standard deviations, is a usual rule. Its VUS-PR, which is
# 1 at best, says how well such scores find the faults, beside that of the detector and of chance.

far = np.abs((pump - pump.mean()) / pump.std()).max(axis=1)
for name, anomaly_scores in {
    "detector": -detector.score_samples(pump),
    "limits": far,
    "chance": rng.random(N_STEPS),
}.items():
    print(f"{name:10}{vus_pr_score(y_true, anomaly_scores, window=60):.2f}")

# %%
# Each value alone is usual, so limits do no better than chance. What is unusual is that a sensor
# does not fit the others, or its own values before. If your faults go beyond the usual range, a
# limit is enough: :ref:`series` compares rules with the detector on eight kinds of faults.
