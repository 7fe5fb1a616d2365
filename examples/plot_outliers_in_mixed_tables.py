"""
How to find wrong rows in a table of numbers and categories
===========================================================

Most tables have columns of several kinds, and missing values. `~skae.OutlierDetector` takes them
as they are. Detectors for numbers need a ``ColumnTransformer`` before them that encodes the
table. This page compares both ways on a table with four kinds of faults, and shows what each
finds.
"""

# %%
# A table with faults
# -------------------
#
# Two thousand used cars: the price of a car depends on its model, its age and its mileage. A
# tenth of the rows have missing values. A hundred rows are wrong. They stay in the table, and no
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

from skae import OutlierDetector, TabularAutoencoder

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
# The first way needs only the table. It is shown with the default, and with a
# `~skae.TabularAutoencoder`, which scores rows by how badly it reconstructs them. In the second
# way an encoder comes first. It fills in missing values, scales numbers and makes columns from
# categories. Dates have to be converted to numbers by hand. After it comes any detector for
# numbers.


def as_days(frame):
    """Convert dates to days."""
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
# All detectors are fitted on all rows, including the faulty ones, and score the same rows. The
# area under the ROC curve is the probability that a row without a fault scores higher than a row
# with one. "Flagged" is the fraction of rows below the default threshold, which needs no guess.
# "Precision" is the fraction of the flagged rows that are really faulty.

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
markers = dict(zip(table.index, "os^vDX", strict=True))
for name, marker in markers.items():
    is_skae = not name.startswith("encoder")
    auc = table.loc[name, [*fault.unique()[:-1], "mean"]]
    ax.plot(auc, np.arange(len(auc)), marker, ms=9 if is_skae else 6, alpha=0.8, label=name)
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
# The encoder may also come before the detector, which is then the last step of a pipeline:
# ``predict`` gives the same. But a detector explains the columns that it gets. With the encoder
# inside the detector, these are the columns of the table, and cells are replaced by values of the
# table. With the encoder outside, these are the encoded columns, and the detector may replace
# only one of two columns of the same category.

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
# What to use
# -----------
#
# Most of these faults are cells that do not fit the others in their row, while each value alone
# is usual. Autoencoders see this: in training they have to predict hidden cells from the others,
# the model from the power, the price from the age. So `~skae.TabularAutoencoder` is ahead, and so
# is the default, which contains autoencoders and measures distances to other rows, too. Nearly
# everything that it flags is wrong. It also learns from the cars of the rarest model, which are
# few and expensive: :ref:`sphx_glr_gallery_plot_rare_groups.py` shows why. Neighbors on encoded
# columns come next. ``IsolationForest``, which looks at one column at a time, comes last.
#
# Always compare with a detector for numbers: with an encoder it takes ten more lines and a tenth
# of a second.
