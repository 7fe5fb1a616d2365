"""
Which rows are anomalous, and which of their cells?
===================================================

A score says that a row is anomalous, but to check the row you want to know where. This page puts
wrong values into twenty rows of a real table. It lists the most anomalous rows with what
`~skae.OutlierDetector` says about their cells, draws them, and counts how often the detector
names the wrong cell. The baseline names the cell that is farthest from the mean of its column.
"""

# %%
# A table with wrong cells
# ------------------------
#
# Ten measurements of benign tumors, most of which depend on the size. Two hundred rows are for
# fitting. Among the others, the first twenty get one wrong value each: one cell is replaced by
# that of another tumor, at least one and a half standard deviations away. No value is out of
# range, so no column by itself shows it.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skae import OutlierDetector
from skae.inspection import OutlierExplanationDisplay

tumors = load_breast_cancer(as_frame=True)
benign = tumors.data[tumors.target == 1].filter(like="mean ")
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
# PCA is made for measurements that depend on each other along straight lines, so it gives the
# scores here: the log-likelihood of a row, which is low if the row does not fit the others.
# ``report`` works with any estimator. Each line is a cell: its value, the value expected from the
# most similar rows, and how much the score would rise with the expected value.

detector = OutlierDetector(make_pipeline(StandardScaler(), PCA(0.95)), cv=5, random_state=0)
detector.fit(known)
report = detector.report(new, n_rows=5, n_columns=2)
print(report.drop(columns="is_outlier").round(3).to_string(index=False))

# %%
# The ten most anomalous rows in a picture. The darker a cell, the more it contributes. The
# numbers are its value and, in brackets, the expected value. Frames mark the wrong cells.

display = OutlierExplanationDisplay.from_estimator(detector, new, n_samples=10, kind="heatmap")
for y, row in enumerate(np.argsort(detector.score_samples(new))[:10]):
    if row in wrong.index:
        x = new.columns.get_loc(wrong[row])
        frame = plt.Rectangle((x - 0.5, y - 0.5), 1, 1, fill=False, lw=2, ec="tab:blue")
        display.ax_.add_patch(frame)
plt.show()

# %%
# How often is the wrong cell named?
# ----------------------------------
#
# The detector is used with three estimators. The table shows how many of the twenty most
# anomalous rows are wrong, and in which fraction of the wrong rows the cell with the largest
# contribution is the wrong one. The last line is the baseline: it names the cell with the largest
# distance from the mean of its column, in standard deviations, and the rows where this distance
# is largest.

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
# Scores and explanations are only as good as the estimator. Here PCA finds most of the wrong
# rows, and the wrong cell in most of them. The default, which is made for all kinds of tables,
# finds nearly as many, and names the cell about as often. A forest and the distance from the mean
# look at single columns, where these values are usual. An unchanged row may also be anomalous: two
# of the ten are tumors with unusual shapes.
