"""
Are generated rows like real ones?
==================================

A variational autoencoder with tabular layers draws new rows of a table. This page measures how much
they are like the real ones, with `~skae.metrics.fidelity_report`, beside a sampler that draws each
column on its own, and beside real rows that no sampler has seen.
"""

# %%
# A table of numbers and categories
# ---------------------------------
#
# The table has ten measurements of tumors, the diagnosis, and a made category, the size by area.
# The samplers learn from 60 percent of the rows.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

from skae import VariationalAutoencoder
from skae.inspection import FidelityDisplay
from skae.metrics import fidelity_report

data = load_breast_cancer(as_frame=True)
table = data.data.iloc[:, :10].copy()
table["size"] = pd.qcut(table["mean area"], 3, labels=["small", "medium", "large"]).astype(str)
table["diagnosis"] = data.target.map({0: "malignant", 1: "benign"})
train, test = train_test_split(table, test_size=0.4, random_state=0)

# %%
# Two samplers
# ------------
#
# The first one is the baseline: each column has exactly the values of the real table, in an order
# of its own.

rng = np.random.default_rng(0)
vae = VariationalAutoencoder(8, architecture="tabular", random_state=0).fit(train)
samples = {
    "independent columns": train.apply(lambda column: rng.permutation(column.to_numpy())),
    "VariationalAutoencoder": vae.sample(len(train)),
}
print(samples["VariationalAutoencoder"].head().to_string())

# %%
# The scores
# ----------
#
# The last column has the scores of the held-out rows. They show what can be reached: the scores
# of a perfect sampler are these, not 0 or 1.

reports = {
    name: fidelity_report(train, rows, test=test, target="diagnosis")
    for name, rows in samples.items()
}
scores = pd.DataFrame({name: report.to_frame()["synthetic"] for name, report in reports.items()})
scores["held-out rows"] = reports["VariationalAutoencoder"].to_frame()["real"]
print(scores.round(3).to_string())

# %%
# Where the difference is
# -----------------------
#
# `~skae.inspection.FidelityDisplay` draws the columns that differ most from the real ones, and by
# how much the association of each pair of columns differs. First the independent columns:

FidelityDisplay.from_report(reports["independent columns"], name="independent columns", n_columns=2)
plt.show()

# %%
# Then the autoencoder:

FidelityDisplay.from_report(reports["VariationalAutoencoder"], name="VariationalAutoencoder")
plt.show()

# %%
# How to read this
# ----------------
#
# No single score says that rows are good:
#
# - The independent columns have the best distributions, as they are the real ones. But a classifier
#   tells nearly all of these rows from real ones, and a model that is trained on them cannot tell
#   the diagnosis of real tumors: the relations between columns are lost.
# - The rows of the autoencoder are about as far from the training rows as held-out rows are, in the
#   distributions of columns and in the relations between them. A model that is trained on them
#   predicts nearly as well as one that is trained on real rows, and a classifier does not tell
#   them from real ones. No number is outside the range of the training rows, and areas have one
#   decimal, as the real ones have.
# - No row is a copy, and rows of the autoencoder are not nearer to the training rows than held-out
#   rows are. If they were, the other scores would mean little. This is no proof of privacy: a drawn
#   row may still tell something about one that was learned from.
#
# With a few hundred rows all scores vary, as the last column shows: a classifier that cannot tell
# held-out rows from training rows gets 0.5 give or take some hundredths.
