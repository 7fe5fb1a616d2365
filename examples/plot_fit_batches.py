"""
How to train on a folder of files
=================================

Twelve files, one for each month, are together larger than what one wants to have in memory. This
page compares two ways: an autoencoder that is trained on the first month alone, by ``fit``, and one
that is trained on the whole folder, by ``fit_batches``. The first does not know the summer.
"""

# %%
# Twelve files
# ------------
#
# Readings of a heat pump, one every ten minutes for a year. What it takes, and what it gives,
# depends on the weather, the hour, and on what people do. In summer it cools.

from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from skae import TabularAutoencoder

folder = TemporaryDirectory()
rng = np.random.default_rng(0)
at = pd.date_range("2025-01-01", "2025-12-31 23:50", freq="10min")
n = len(at)
season = -np.cos(2 * np.pi * (at.day_of_year - 15) / 365)
outside = 11 + 11 * season - 4 * np.cos(2 * np.pi * at.hour / 24) + rng.normal(0, 2.5, n)
wanted = np.clip(np.abs(outside - 19) - 2, 0, None)  # degrees to heat or to cool
flow = 8 + 0.5 * wanted + rng.normal(0, 0.3, n)
readings = pd.DataFrame(
    {
        "mode": np.select([outside < 17, outside > 21], ["heat", "cool"], "idle"),
        "outside": outside,
        "flow": flow,
        "supply": np.where(outside > 19, 18 - 0.3 * wanted, 28 + 0.9 * wanted),
        "power": 0.2 + 0.12 * wanted * (1 + 0.02 * wanted) + rng.normal(0, 0.05, n),
        "pressure": 12 + np.sqrt(flow) + rng.normal(0, 0.1, n),
    }
).assign(back=lambda X: X["supply"] - np.sign(19 - X["outside"]) * 40 * X["power"] / X["flow"])
month = at.month.to_numpy()
is_test = rng.random(n) < 0.1  # one row in ten is held back, to judge by
for number in range(1, 13):
    rows = readings[(month == number) & ~is_test]
    rows.to_parquet(Path(folder.name) / f"{number:02}.parquet", index=False)
print(f"{(~is_test).sum():,} rows in {len(list(Path(folder.name).iterdir()))} files")

# %%
# Two models
# ----------
#
# ``fit`` gets one file. ``fit_batches`` gets the folder. There it reads eight files by turns, so
# that winter and summer are in the same batches. These files are small, so they stay in memory;
# larger ones are read anew in every pass, and only a part of them is in memory at a time.

january = pd.read_parquet(Path(folder.name) / "01.parquet")
of_january = TabularAutoencoder(3, max_epochs=15, random_state=0).fit(january)
of_year = TabularAutoencoder(3, random_state=0).fit_batches(folder.name, n_passes=15)
print(f"{of_january.n_iter_} epochs of January, {of_year.n_iter_} passes through the year")

# %%
# Errors by month
# ---------------
#
# How well do they reconstruct rows that neither has seen? Each point is the mean squared error of
# the numbers, in units of their variance over the year, so that the mean of all rows would have 1.

numbers = readings.columns.drop("mode")


def errors(model):
    """Return the mean squared error of each month."""
    test = readings[is_test]
    squares = (model.reconstruct(test)[numbers] - test[numbers]) ** 2
    return (squares / readings[numbers].var()).mean(axis=1).groupby(month[is_test]).mean()


fig, ax = plt.subplots(figsize=(7, 3.6), layout="constrained")
ax.semilogy(errors(of_january), "o-", label="fit(january)")
ax.semilogy(errors(of_year), "s-", label="fit_batches(folder)")
ax.set(xticks=range(1, 13), xlabel="month", ylabel="squared error / variance")
ax.legend()

# %%
# The model of January is better in January: it has nothing else to learn. In the summer it is of no
# use, as it has never seen the pump cool. A random part of all rows would have been the better
# choice for ``fit``. ``fit_batches`` spares the choice.

folder.cleanup()
plt.show()
