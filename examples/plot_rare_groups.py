"""
Rare, far out, or wrong?
========================

A few rows of a table are far from all others. They may be errors, or normal rows of a rare kind:
a small country, or the long tail of a column. `~skae.OutlierDetector` has to decide which of them
it learns from. This page shows how it decides, beside an isolation forest.
"""

# %%
# A table with three small groups
# -------------------------------
#
# Parcels of two countries, and of a third one that is rare: two parcels in a hundred. It is far
# away, so its postage is high. The value of the goods has a long tail. All of these rows are
# normal. Twenty parcels were measured by a broken machine: they are long and narrow, and alike.
# Nobody has said that they are wrong.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.ensemble import IsolationForest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from skae import OutlierDetector
from skae.inspection import OutlierScoreDisplay

N_BROKEN = 20


def make_parcels(n_rows, rng):
    """Return parcels, and the group of each."""
    country = rng.choice(["Austria", "Belgium", "Chile"], n_rows, p=[0.6, 0.38, 0.02])
    rate = pd.Series(country).map({"Austria": 1.0, "Belgium": 1.3, "Chile": 4.0})
    length = rng.normal(40, 8, n_rows)
    parcels = pd.DataFrame(
        {
            "country": country,
            "length": length,
            "width": 0.7 * length + rng.normal(0, 3, n_rows),
            "postage": (2 + 0.1 * length + rng.normal(0, 0.4, n_rows)) * rate,
            "value": rng.lognormal(3, 1.5, n_rows),
        }
    )
    group = pd.Series("other", index=parcels.index, name="group")
    group[parcels["value"] > parcels["value"].quantile(0.99)] = "highest values"
    group[country == "Chile"] = "rare country"
    broken = np.arange(N_BROKEN)
    parcels.loc[broken, "country"] = rng.choice(["Austria", "Belgium"], N_BROKEN)
    parcels.loc[broken, "length"] = rng.normal(75, 1, N_BROKEN)
    parcels.loc[broken, "width"] = rng.normal(12, 1, N_BROKEN)
    group[broken] = "broken machine"
    return parcels.round(2), group


parcels, group = make_parcels(2000, np.random.default_rng(0))
print(parcels.groupby(group).median(numeric_only=True).assign(rows=group.value_counts()))

# %%
# Which rows are learned from, and which are flagged
# --------------------------------------------------
#
# Both detectors get the same table, and find the threshold by the same rule. The forest needs an
# encoder for the country. The numbers are percent of the rows of each group.

encoder = make_column_transformer(
    (OneHotEncoder(sparse_output=False), ["country"]), remainder="passthrough"
)
detectors = {
    "OutlierDetector()": OutlierDetector(random_state=0).fit(parcels),
    "isolation forest": OutlierDetector(
        make_pipeline(encoder, IsolationForest()), random_state=0
    ).fit(parcels),
}


def learned_from(detector):
    """Return which of the parcels the default scores are learned from."""
    return np.isin(np.arange(len(parcels)), detector.estimator_.inlier_indices_)


percent = {"learned from": learned_from(detectors["OutlierDetector()"])}
percent |= {name: detector.predict(parcels) == -1 for name, detector in detectors.items()}
print((100 * pd.DataFrame(percent).groupby(group).mean()).round(1).to_string())

# %%
# `~skae.inspection.OutlierScoreDisplay` draws the scores of each group. Parcels left of the line
# are flagged.

fig, axes = plt.subplots(2, figsize=(7, 8), layout="constrained")
for ax, (name, detector) in zip(axes, detectors.items(), strict=True):
    OutlierScoreDisplay.from_estimator(detector, parcels, group, ax=ax, name=name)
plt.show()

# %%
# The default leaves out the parcels of the broken machine, and flags them all. They are a small
# group, far from most rows in two numbers, and apart from them. It learns from all others. A
# category explains the postage of the rare country, and a long tail of one column is no group. Of
# the highest values it flags a few, as some rows have to be the most unusual ones.
#
# The forest looks for rows that few random cuts separate from the others. A rare category is such
# a cut, so the whole country is flagged. Most parcels of the broken machine are not: each is as
# easy to cut off as some normal parcels are.
#
# If you know better
# ------------------
#
# Twenty rows that are alike may also be correct: long parcels of a new customer. No method can tell
# this from the rows alone. If you know that the training rows are normal, say so by
# ``contamination=0``. Then all rows are learned from, and none of them is flagged.

trusting = OutlierDetector(contamination=0, random_state=0).fit(parcels)
new_parcels, new_group = make_parcels(2000, np.random.default_rng(1))
percent = {
    "learned from": pd.Series(learned_from(trusting)).groupby(group),
    "flagged": pd.Series(trusting.predict(parcels) == -1).groupby(group),
    "new ones flagged": pd.Series(trusting.predict(new_parcels) == -1).groupby(new_group),
}
means = pd.DataFrame({name: 100 * by_group.mean() for name, by_group in percent.items()})
print(means.round(1).to_string())
