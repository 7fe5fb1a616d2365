"""
How to score a file that does not fit into memory
=================================================

A detector needs some thousands of rows to learn what is normal, and scores each row separately.
So the file is read in chunks: once to draw rows to learn from, and once more to score all rows.
This page does so with a CSV file of 100,000 rows, with `~skae.OutlierDetector` and, for
comparison, with ``IsolationForest``. There is never more than one chunk in memory.
"""

# %%
# A file
# ------
#
# Readings of a pump: vibration and power depend on its load, temperature on the season and the
# load. One reading in a thousand is wrong: its power belongs to another load. The last column
# says which, for the comparison at the end. The detectors do not get it.

import time
from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score

from skae import OutlierDetector, apply_to_files

folder = TemporaryDirectory()
path = Path(folder.name) / "readings.csv"
n_rows, chunk_rows = 100_000, 10_000
rng = np.random.default_rng(0)
for start in range(0, n_rows, chunk_rows):
    at = pd.Timestamp("2025-01-01") + pd.to_timedelta(np.arange(start, start + chunk_rows), "min")
    mode = rng.choice(["idle", "normal", "full"], chunk_rows, p=[0.3, 0.5, 0.2])
    load = pd.Series(mode).map({"idle": 0.1, "normal": 0.6, "full": 0.95})
    load = np.clip(load + rng.normal(0, 0.05, chunk_rows), 0, 1)
    is_wrong = rng.random(chunk_rows) < 1 / 1000
    load_of_power = np.where(is_wrong, rng.permutation(load), load)
    season = 10 * np.sin(2 * np.pi * at.day_of_year / 365)
    readings = pd.DataFrame(
        {
            "at": at,
            "mode": mode,
            "vibration": 2 + 3 * load**2 + rng.normal(0, 0.1, chunk_rows),
            "power": 5 + 40 * load_of_power + rng.normal(0, 0.5, chunk_rows),
            "temperature": 30 + season + 15 * load + rng.normal(0, 1, chunk_rows),
            "pressure": 3 + 2 * np.sqrt(load) + rng.normal(0, 0.05, chunk_rows),
            "is_wrong": is_wrong,
        }
    )
    readings.iloc[:, 2:6] = readings.iloc[:, 2:6].mask(rng.random((chunk_rows, 4)) < 0.01)
    readings.to_csv(path, mode="a", header=start == 0, index=False, float_format="%.3f")
print(f"{path.stat().st_size / 1e6:.1f} MB")
print(pd.read_csv(path, nrows=3).to_string(index=False))

# %%
# Read the file twice
# -------------------
#
# ``fit_batches`` goes through the file and draws rows. The detector learns from 10,000 of them.

columns = ["mode", "vibration", "power", "temperature", "pressure"]
start = time.perf_counter()
detector = OutlierDetector(random_state=0).fit_batches(path, columns=columns)
print(f"Fitted in {time.perf_counter() - start:.1f} s")

# %%
# `~skae.apply_to_files` reads the file, gives the detector the columns that it was fitted on, and
# writes the scores to a Parquet file, beside the columns that are kept. Of many files it makes as
# many. If it is stopped, it continues the next time with the first one that is not complete.

start = time.perf_counter()
(written,) = apply_to_files(detector, path, path.with_name("scores.parquet"), keep=["is_wrong"])
results = pd.read_parquet(written)
print(f"Scored {len(results)} rows in {time.perf_counter() - start:.1f} s")
print(results.head(3).to_string())

# %%
# The forest is faster. It takes only numbers, so the mode has to be encoded. Chunks that need such
# steps are given one after the other; each becomes a file. ``dtype`` and ``parse_dates`` make the
# columns of all chunks the same: in one chunk, a column may have only missing values.

reading = {"dtype": {"mode": "str"}, "parse_dates": ["at"], "chunksize": chunk_rows}


def encoded(chunk):
    """Return a chunk with the mode as columns of 0 and 1."""
    modes = {f"is_{mode}": chunk["mode"] == mode for mode in ("idle", "normal", "full")}
    return chunk[columns[1:]].assign(**modes)


with pd.read_csv(path, **reading) as chunks:
    sample = pd.concat(chunk.sample(frac=0.1, random_state=0) for chunk in chunks)
forest = IsolationForest(random_state=0).fit(encoded(sample))
start = time.perf_counter()
with pd.read_csv(path, **reading) as chunks:
    written = apply_to_files(forest, map(encoded, chunks), path.with_name("scores of forest"))
forest_scores = np.concatenate([pd.read_parquet(part)["score"] for part in written])
print(f"IsolationForest scored them in {time.perf_counter() - start:.1f} s")

# %%
# The rows to look at
# -------------------
#
# A threshold that flags one normal row in a hundred flags a thousand here. If there is time for
# fifty rows, take the fifty with the lowest scores. `~skae.OutlierDetector.predict_fdr` would
# limit the fraction of false alarms, but needs more rows for ``fit``: 10,000 rows cannot show that
# a row is as anomalous as only one normal row in 100,000.

scores, is_wrong = results["score"].to_numpy(), results["is_wrong"].to_numpy()
found = {
    "OutlierDetector": (scores, is_wrong[np.argsort(scores)]),
    "IsolationForest": (forest_scores, is_wrong[np.argsort(forest_scores)]),
}
print(f"{is_wrong.sum()} rows are wrong")
for name, (values, in_order) in found.items():
    auc = roc_auc_score(~is_wrong, values)
    print(f"{name}: {in_order[:50].sum()} of the lowest 50 are wrong; ROC AUC {auc:.3f}")

fig, ax = plt.subplots(figsize=(7, 3.6), layout="constrained")
for name, (_, in_order) in found.items():
    ax.plot(np.arange(1, 501), in_order[:500].cumsum(), label=name)
ax.axline((0, 0), slope=1, color="0.7", ls=":", label="all wrong")
ax.set(xlabel="rows looked at, lowest scores first", ylabel="wrong ones among them")
ax.set(xlim=(0, 500), ylim=(0, is_wrong.sum()), title=f"{is_wrong.sum()} wrong rows of {n_rows:,}")
ax.grid(alpha=0.3)
ax.legend(fontsize="small")
plt.show()

folder.cleanup()

# %%
# The forest misses readings whose power is usual, but not for their load: it looks at one column
# at a time. Neither finds all of them, since many wrong values of the power are close to the
# right one. If outliers are extreme in a single column, the forest finds them as well, in less
# time.
