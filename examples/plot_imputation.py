"""
What belongs in missing cells, and how sure is it?
==================================================

A table rarely comes complete. If a cell is missing more often in some rows than in others, the
complete rows are no fair sample of all rows, and what is computed from them is wrong. On this page,
`~skae.TabularImputer` fills the cells, once and several times, and the several tables give an
interval that holds the true value.
"""

# %%
# A table with missing cells
# --------------------------
#
# Ten measurements of 569 tumors and the diagnosis. The concavity is the one that we want to know.
# It is missing in nearly half of the rows: the larger the tumor, the more often. A tenth of the
# other cells is missing, too. Because we remove the cells ourselves, we know the true values.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer

from skae import TabularImputer, pool_estimates

data = load_breast_cancer(as_frame=True)
complete = data.data.iloc[:, :10].copy()
complete["diagnosis"] = data.target.map({0: "malignant", 1: "benign"})

rng = np.random.default_rng(0)
area = complete["mean area"].rank(pct=True)
is_removed = rng.random(complete.shape) < 0.1
is_removed[:, complete.columns == "mean area"] = False
is_removed[:, complete.columns == "mean concavity"] = (
    rng.random((len(area), 1)) < 0.9 * area.to_frame()
)
table = complete.mask(is_removed)
print(table.isna().mean().round(2).to_string())

# %%
# Fill them once
# --------------
#
# ``transform`` gives each missing number its expected value, and each missing category the most
# probable one. Beside it stands what the mean of a column would do.

imputer = TabularImputer(random_state=0).fit(table)
filled, std = imputer.transform(table, return_std=True)
numbers = complete.columns[:10]
removed = is_removed[:, :10]
scale = complete[numbers].std()
error = ((filled[numbers] - complete[numbers]) / scale).to_numpy()[removed]
of_means = ((table[numbers].mean() - complete[numbers]) / scale).to_numpy()[removed]
print(f"root mean square error {np.sqrt((error**2).mean()):.2f}, by means of columns ", end="")
print(f"{np.sqrt((of_means**2).mean()):.2f} standard deviations")
lost = table["diagnosis"].isna()
right = (filled["diagnosis"] == complete["diagnosis"])[lost].mean()
print(f"{lost.sum()} lost diagnoses, {100 * right:.0f} % of them filled in right")

# %%
# How sure is each value?
# -----------------------
#
# The bars are 90 % intervals of draws, for 60 of the missing cells. A cell that follows from others
# has a short bar. A network that has learned from few rows is a little too sure: eight in ten true
# values are inside of their bars, not nine.

draws = np.array([one["mean concavity"] for one in imputer.draw_imputations(table, 50)])
missing = np.flatnonzero(table["mean concavity"].isna())
true = complete["mean concavity"].to_numpy()
low, middle, high = np.quantile(draws, [0.05, 0.5, 0.95], axis=0)
inside = (low <= true) & (true <= high)
print(f"{100 * inside[missing].mean():.0f} % of all missing cells are inside of their intervals")

shown = rng.choice(missing, 60, replace=False)
shown = shown[np.argsort(middle[shown])]
fig, ax = plt.subplots(figsize=(9, 4), layout="constrained")
place = np.arange(len(shown))
ax.vlines(place, low[shown], high[shown], color="C0", lw=4, alpha=0.4, label="90 % interval")
ax.plot(place, middle[shown], "_", color="C0", ms=8, label="median of draws")
ax.plot(place, true[shown], ".", color="black", label="true value")
ax.set(xlabel="missing cells, by the median of their draws", ylabel="mean concavity", xticks=[])
ax.legend()
plt.show()

# %%
# What follows for the mean
# -------------------------
#
# Each of ten completed tables gives a mean and its standard error. `~skae.pool_estimates` joins
# them by Rubin's rules: the less is known of the missing cells, the more the means differ, and the
# wider is the interval.


def mean_and_variance(values):
    return values.mean(), values.var() / len(values)


tables = imputer.draw_imputations(table, n_imputations=10)
results = [mean_and_variance(one["mean concavity"]) for one in tables]
pooled = pool_estimates(*np.transpose(results), df_complete=len(table) - 1)

rows = {"known cells only": table["mean concavity"].dropna()}
rows["filled once"] = filled["mean concavity"]
rows["all true values"] = complete["mean concavity"]
intervals = {name: (v.mean(), 1.96 * v.std() / np.sqrt(len(v))) for name, v in rows.items()}
intervals["ten tables, pooled"] = pooled.estimate, (pooled.high - pooled.low) / 2
summary = pd.DataFrame(intervals, ["mean", "half of the 95 % interval"]).T
print(summary.round(4).to_string())

fig, ax = plt.subplots(figsize=(7, 2.5), layout="constrained")
order = ["known cells only", "filled once", "ten tables, pooled", "all true values"][::-1]
ax.errorbar(
    summary.loc[order, "mean"],
    order,
    xerr=summary.loc[order, "half of the 95 % interval"],
    fmt="o",
    capsize=4,
)
ax.axvline(true.mean(), color="gray", lw=1)
ax.margins(y=0.15)
ax.set_xlabel("mean of the mean concavity, and its 95 % interval")
plt.show()

# %%
# How to read this
# ----------------
#
# - The known cells alone are those of small tumors, so their mean is far too low, and its interval
#   does not know it.
# - Filled once, the table gives about the right mean. But its interval is too short: it takes
#   filled cells for measured ones.
# - The pooled interval is a little wider than that of all true values, as it should be.
#
# All of this holds if cells are missing at random: whether a cell is missing may depend on the
# other cells of the row, as it does here on the area, but not on the missing value itself. No
# imputer can know this from the table alone.
