"""
Which rows are odd, and which of their cells?
=============================================

A score says that a row is odd, but whoever has to look into it wants to know where. This page puts
wrong values into twenty rows of a real table, lists the oddest rows with what
`~skae.OutlierDetector` says of their cells, draws that, and counts how often it names the cell
that is wrong. For comparison, the cell that is farthest from the mean of its column is blamed.
"""

# %%
# A table with wrong cells
# ------------------------
#
# Ten measurements of benign tumours, most of which depend on the size. Two hundred rows are to
# learn from. Of the others the first twenty get a wrong value each: one of their cells is that of
# another tumour, at least one and a half standard deviations off. No value is out of range, so
# that no column by itself shows it.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skae import OutlierDetector

tumours = load_breast_cancer(as_frame=True)
benign = tumours.data[tumours.target == 1].filter(like="mean ")
benign.columns = benign.columns.str.removeprefix("mean ")
benign = benign.sample(frac=1, random_state=np.random.RandomState(0), ignore_index=True)
known, new = benign[:200], benign[200:].reset_index(drop=True)

rng = np.random.default_rng(0)
wrong = pd.Series(rng.choice(known.columns, 20), name="wrong")
for row, column in wrong.items():
    is_far = (known[column] - new.loc[row, column]).abs() > 1.5 * known[column].std()
    new.loc[row, column] = rng.choice(known.loc[is_far, column])

# %%
# The report
# ----------
#
# Measurements that hang together along straight lines are what PCA is made for, so it gives the
# scores here: minus how far a row is from what others let expect, in all directions. ``report``
# takes those of any estimator. A line is a cell: its value, what is expected there by the rows
# most like it, and how much the score would rise by that.

detector = OutlierDetector(make_pipeline(StandardScaler(), PCA(0.95)), cv=5, random_state=0)
detector.fit(known)
report = detector.report(new, n_rows=5, n_columns=2)
print(report.drop(columns="is_outlier").round(3).to_string(index=False))

# %%
# The ten oddest rows in a picture. The darker a cell, the more it contributes; the numbers
# are its value and, in brackets, the expected one. Frames are around the cells that are wrong.

n_rows = 10
oddest = new.loc[np.argsort(detector.score_samples(new))[:n_rows]]
contributions, expected = detector.explain(oddest, return_expected=True)
shares = contributions.div(contributions.sum(axis=1), axis=0)

fig, ax = plt.subplots(figsize=(10, 5.2), layout="constrained")
image = ax.imshow(shares, cmap="Reds", vmin=0, vmax=1, aspect="auto")
for y, row in enumerate(oddest.index):
    for x, column in enumerate(oddest.columns):
        if shares.iloc[y, x] > 0.15:
            text = f"{oddest.iloc[y, x]:.3g}\n({expected.iloc[y, x]:.3g})"
            color = "white" if shares.iloc[y, x] > 0.6 else "black"
            ax.text(x, y, text, ha="center", va="center", fontsize=7, color=color)
        if wrong.get(row) == column:
            ax.add_patch(plt.Rectangle((x - 0.5, y - 0.5), 1, 1, fill=False, lw=2, ec="tab:blue"))
p_values = detector.p_value(oddest)
labels = [f"row {row}, p = {p:.3f}" for row, p in zip(oddest.index, p_values, strict=True)]
ax.set_yticks(range(n_rows), labels)
ax.set_xticks(range(oddest.shape[1]), oddest.columns, rotation=25, ha="right")
ax.set_title("Why the oddest rows are odd")
fig.colorbar(image, label="share of the contributions")
plt.show()

# %%
# How often is the wrong cell named?
# ----------------------------------
#
# For three estimators in the detector: how many of the twenty oddest rows are wrong ones, and in
# which share of the wrong rows the cell with the largest contribution is the one that is wrong.
# The last line blames the cell with the largest distance to its column's mean, in standard
# deviations, and the rows with the largest of these.

estimators = {
    "default": None,
    "PCA": make_pipeline(StandardScaler(), PCA(0.95)),
    "IsolationForest": IsolationForest(),
}
records = {}
for name, estimator in estimators.items():
    model = OutlierDetector(estimator, random_state=0).fit(known)
    is_low = np.argsort(np.argsort(model.score_samples(new))) < len(wrong)
    blamed = model.explain(new[: len(wrong)]).idxmax(axis=1)
    records[name] = {"found": is_low[: len(wrong)].sum(), "cell named": (blamed == wrong).mean()}
far = ((new - known.mean()) / known.std()).abs()
is_low = far.max(axis=1).rank(ascending=False) <= len(wrong)
blamed = far[: len(wrong)].idxmax(axis=1)
records["far from the mean"] = {
    "found": is_low[: len(wrong)].sum(),
    "cell named": (blamed == wrong).mean(),
}
print(pd.DataFrame(records).T.to_string())

# %%
# Scores and explanations are as good as the estimator. PCA finds most of the wrong rows here, and
# the wrong cell in most of them. The default, to which a row is odd as a whole if it is far from
# others, finds fewer, but names the cell nearly as often. A forest, and the distance from the
# mean, look at single columns, where these values are usual. A row that nobody made wrong may
# still be odd: two of the ten are tumours with unusual shapes.
