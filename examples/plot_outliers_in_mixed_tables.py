"""
How to find wrong rows in a table of numbers and categories
===========================================================

Most tables have columns of several kinds, and holes. `~skae.OutlierDetector` takes them as they
are. Detectors for numbers need a ``ColumnTransformer`` in front that encodes them. This page puts
both ways beside each other, on a table with four kinds of faults, and shows what each of them
finds.
"""

# %%
# A table with faults
# -------------------
#
# Two thousand used cars: how much one costs depends on its kind, its age and its mileage. In a
# tenth of the rows something is missing. A hundred rows are wrong. They stay in the table, and no
# detector is told which they are.

import time

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.impute import SimpleImputer
from sklearn.metrics import roc_auc_score
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from skae import OutlierDetector, TabularAutoencoder, TabularTypicality

rng = np.random.default_rng(0)
n_cars = 2000
models = pd.DataFrame(
    {
        "model": ["Adda", "Brio", "Corvo", "Delta", "Elan", "Fjord"],
        "fuel": ["petrol", "petrol", "diesel", "diesel", "electric", "electric"],
        "power": [50, 70, 85, 120, 110, 180],
        "new_price": [11_000, 15_000, 22_000, 35_000, 31_000, 52_000],
        "km_a_year": [8_000, 11_000, 18_000, 24_000, 12_000, 14_000],
    }
)
cars = models.iloc[rng.choice(6, n_cars, p=[0.25, 0.25, 0.2, 0.15, 0.1, 0.05])]
cars = cars.reset_index(drop=True)
age = rng.uniform(0.5, 10, n_cars)
mileage = cars["km_a_year"] * age * rng.lognormal(0, 0.2, n_cars)
price = cars["new_price"] * 0.87**age * np.exp(-mileage / 4e5) * rng.lognormal(0, 0.05, n_cars)
X = pd.DataFrame(
    {
        "model": cars["model"],
        "fuel": cars["fuel"],
        "power": cars["power"] + rng.choice([0, 15], n_cars),
        "registered": pd.Timestamp("2026-01-01") - pd.to_timedelta((365 * age).astype(int), "D"),
        "mileage": mileage.round(-2),
        "price": price.round(-1),
        "warranty": age + rng.normal(0, 0.5, n_cars) < 3,
    }
)
fault = pd.Series("none", index=X.index)
fault.iloc[:100] = np.repeat(["price of another", "wrong fuel", "mileage / 10", "typo"], 25)
X.loc[fault == "price of another", "price"] = X["price"].shift(-100)
X.loc[fault == "wrong fuel", "fuel"] = X["fuel"].map(
    {"petrol": "diesel", "diesel": "electric", "electric": "petrol"}
)
X.loc[fault == "mileage / 10", "mileage"] /= 10
X.loc[fault == "typo", "model"] = X["model"].str.lower()
X = X.mask(rng.random(X.shape) < 0.015)
print(X.iloc[[0, 25, 50, 75, 100]].to_string())

# %%
# Two ways
# --------
#
# The first takes the table, and that is all. It is shown with the default, which learns from the
# rows that it trusts, or with ``trim=0`` from all; and with a `~skae.TabularAutoencoder`, which
# scores rows by how badly it restores them. In the second an
# encoder comes first, which fills holes, scales numbers and makes columns of categories; dates
# have to be turned into numbers by hand. Behind it stands any detector for numbers.


def as_days(frame):
    """Turn dates into days."""
    return (frame - pd.Timestamp("2026-01-01")) / pd.Timedelta("1D")


numbers = make_pipeline(SimpleImputer(), StandardScaler())
dates = make_pipeline(FunctionTransformer(as_days, feature_names_out="one-to-one"), numbers)
categories = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
encoder = make_column_transformer(
    (numbers, ["power", "mileage", "price"]),
    (dates, ["registered"]),
    (categories, ["model", "fuel", "warranty"]),
    verbose_feature_names_out=False,
)

estimators = {
    "default": None,
    "default, trim=0": TabularTypicality(trim=0),
    "TabularAutoencoder": TabularAutoencoder(),
    "encoder, PCA": make_pipeline(encoder, PCA(0.95)),
    "encoder, GaussianMixture": make_pipeline(encoder, GaussianMixture(6, reg_covar=1e-2)),
    "encoder, IsolationForest": make_pipeline(encoder, IsolationForest()),
    "encoder, LocalOutlierFactor": make_pipeline(encoder, LocalOutlierFactor(novelty=True)),
}
detectors = {name: OutlierDetector(one, random_state=0) for name, one in estimators.items()}

# %%
# What they find
# --------------
#
# All are fitted on all rows, the faulty ones among them, and score the same rows. The area under
# the ROC curve is the chance that a row without a fault scores higher than one with it. The share
# flagged is that below the threshold that needs no guess; precision is the share of these that is
# faulty indeed.

is_faulty = fault != "none"
records = {}
for name, detector in detectors.items():
    start = time.perf_counter()
    scores = detector.fit(X).score_samples(X)
    seconds = time.perf_counter() - start
    is_flagged = scores < detector.offset_
    auc = {}
    for kind in fault.unique()[:-1]:
        either = fault.isin([kind, "none"])
        auc[kind] = roc_auc_score(~is_faulty[either], scores[either])
    records[name] = auc | {
        "mean": np.mean(list(auc.values())),
        "flagged": is_flagged.mean(),
        "precision": is_faulty[is_flagged].mean(),
        "seconds": seconds,
    }
table = pd.DataFrame(records).T
print(table.round(2).to_string())

# %%

fig, ax = plt.subplots(figsize=(8, 3.8), layout="constrained")
markers = dict(zip(table.index, "ohs^vDX", strict=True))
for name, marker in markers.items():
    is_own = not name.startswith("encoder")
    auc = table.loc[name, [*fault.unique()[:-1], "mean"]]
    ax.plot(auc, np.arange(len(auc)), marker, ms=9 if is_own else 6, alpha=0.8, label=name)
ax.set_yticks(np.arange(len(auc)), auc.index)
ax.invert_yaxis()
ax.set(title="Which wrong rows are found", xlabel="ROC AUC")
ax.grid(alpha=0.3)
ax.legend(fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))
plt.show()

# %%
# Inside or outside
# -----------------
#
# The encoder may also stand in front of the detector, which is then the last step of a pipeline:
# ``predict`` gives the same. But a detector explains the columns that it gets. Outside, it
# explains those of the table, and replaces cells by values of the table. Inside, it explains what
# the encoder made, and may well replace one of two columns of the same category.

mixture = GaussianMixture(6, reg_covar=1e-2)
outside = detectors["encoder, GaussianMixture"]
inside = make_pipeline(
    clone(encoder).set_output(transform="pandas"), OutlierDetector(mixture, random_state=0)
).fit(X)
same = (inside.predict(X) == outside.predict(X)).mean()
print(f"Same prediction in {same:.1%} of the rows")

typo = X[fault == "typo"].head(1)
print("Outside:", outside.explain(typo).iloc[0].nlargest(2).round(1).to_dict())
print(
    "Inside:",
    inside[-1].explain(inside[:-1].transform(typo)).iloc[0].nlargest(4).round(1).to_dict(),
)

# %%
# What to take
# ------------
#
# Most of these faults are cells that do not fit the others of their row, while each value is a
# usual one. That is what autoencoders see: in training they have to tell hidden cells from the
# others, the model from the power, the price from the age. So `~skae.TabularAutoencoder` is ahead,
# and the default with ``trim=0``, of which autoencoders are a part; nearly all that this one flags
# is wrong. Neighbours on encoded columns follow. ``IsolationForest``, which looks at one column at
# a time, comes last.
#
# The default as it is does not trust rows that stand out. Among them are all cars of the rarest
# model, which are few, and dear: it flags them all, and that is most of what it flags. Such groups
# are seen in a `~skae.OutlierDetector.report`. If they are as they should be, set ``trim=0``.
#
# And have a detector for numbers beside it: behind an encoder it takes ten lines more and a tenth
# of a second.
