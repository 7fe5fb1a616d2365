"""
How to choose a detector, with a few labels and without
=======================================================

Detectors have parameters, and there are many detectors. Which is best for your table, only labels
can tell. This page chooses by a grid search with a few of them, and then without any, and compares
both with what rows that were set aside say.
"""

# %%
# A table of which a few rows were checked
# ----------------------------------------
#
# Eight sensors of a machine, which all depend on its speed and its load, in one of two modes. In
# one row in twenty a sensor shows what it showed at another time. Somebody looked at 60 rows, and
# found 15 of them wrong: -1 stands for wrong, 1 for right, and 0 for rows nobody looked at. A
# thousand rows with all their labels are set aside.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skae import BatchedGridSearchCV, OutlierDetector, TabularAutoencoder, fit_many


def make_rows(n_rows, rng):
    """Return rows of a table, and -1 for wrong ones."""
    speed, load = rng.uniform(0, 1, (2, n_rows))
    mode = rng.choice(["forward", "reverse"], n_rows, p=[0.7, 0.3])
    turned = np.where(mode == "forward", speed, 0.4 * speed)
    sensors = {
        "current": load * (1 + turned),
        "power": 3 * load * turned,
        "vibration": np.sin(4 * turned) + 0.5 * load,
        "noise": turned**2 + 0.2 * load,
        "heat": np.exp(load * turned),
        "pressure": np.sqrt(0.1 + load),
        "flow": turned * (1 - 0.5 * load),
        "torque": load / (0.3 + turned),
    }
    X = pd.DataFrame(sensors) + rng.normal(0, 0.03, (n_rows, len(sensors)))
    y = np.where(np.arange(n_rows) % 20 == 0, -1, 1)
    for row in np.flatnonzero(y == -1):
        sensor = rng.integers(8)
        X.iloc[row, sensor] = X.iloc[rng.integers(n_rows), sensor]
    return X.assign(mode=mode), y


rng = np.random.default_rng(0)
X, y_true = make_rows(1000, rng)
X_aside, y_aside = make_rows(1000, rng)
y = np.zeros(len(X), int)
for label, n_known in ((-1, 15), (1, 45)):
    y[rng.choice(np.flatnonzero(y_true == label), n_known, replace=False)] = label

# %%
# With a few labels
# -----------------
#
# ``fit`` takes all rows and no labels; these are for the scorer, which looks at the rows that have
# one. The folds are stratified, so that there are wrong rows in each.


def auc_of_labelled(detector, X, y):
    """Return the chance that a right row scores higher than a wrong one."""
    is_known = y != 0
    return roc_auc_score(y[is_known], detector.score_samples(X[is_known]))


sensors = list(X.columns[:8])
encoder = make_column_transformer((StandardScaler(), sensors), (OneHotEncoder(), ["mode"]))
candidates = {
    "default": None,
    "TabularAutoencoder": TabularAutoencoder(max_epochs=30, check_baseline=False),
    "PCA, 2": make_pipeline(encoder, PCA(2)),
    "PCA, 5": make_pipeline(encoder, PCA(5)),
    "LOF, 10": make_pipeline(encoder, LocalOutlierFactor(10, novelty=True)),
    "LOF, 30": make_pipeline(encoder, LocalOutlierFactor(30, novelty=True)),
    "IsolationForest": make_pipeline(encoder, IsolationForest()),
}
search = GridSearchCV(
    OutlierDetector(random_state=0),
    {"estimator": list(candidates.values())},
    scoring=auc_of_labelled,
    cv=StratifiedKFold(3, shuffle=True, random_state=0),
).fit(X, y)


def auc_aside(model):
    """Return the area under the ROC curve on the rows that were set aside."""
    return roc_auc_score(y_aside, model.score_samples(X_aside))


results = pd.DataFrame(
    {
        "60 labels": search.cv_results_["mean_test_score"],
        "rows aside": [
            auc_aside(OutlierDetector(one, random_state=0).fit(X)) for one in candidates.values()
        ],
    },
    index=list(candidates),
)
print(results.sort_values("60 labels", ascending=False).round(3).to_string())

# %%
# Sixty labels are enough to tell good detectors from bad ones, and too few for the order of the
# good ones, whose figures are apart by less than chance.
#
# Without labels
# --------------
#
# Then there is only the table itself. ``score`` says how much of the rows that were held out is
# reconstructed. More components always reconstruct more, wrong cells included. The other measure
# hides a quarter of the numbers, and says how well the model tells them from the others: a model
# that only copies cannot. The area under the curve, on the rows that were set aside, is what they
# should agree with. `~skae.BatchedGridSearchCV` trains all candidates together.


def tells_hidden_cells(model, X, y=None):
    """Return the R2 of numbers that were hidden from the model, mean over the sensors."""
    is_hidden = np.random.default_rng(0).random((len(X), len(sensors))) < 0.25
    with_holes = X[sensors].mask(is_hidden).assign(mode=X["mode"])
    filled = model.impute(with_holes)
    return np.mean(
        [r2_score(X[one][h], filled[one][h]) for one, h in zip(sensors, is_hidden.T, strict=True)]
    )


def reconstructs(model, X, y=None):
    """Return the share of the variance that is reconstructed."""
    return model.score(X)


autoencoder = candidates["TabularAutoencoder"].set_params(random_state=0)
search = BatchedGridSearchCV(
    autoencoder,
    {"n_components": [2, 4, 8], "noise_level": [0.0, 0.3]},
    scoring={"reconstructed": reconstructs, "hidden cells": tells_hidden_cells},
    cv=2,
    refit="hidden cells",
).fit(X)
models = [clone(autoencoder).set_params(**params) for params in search.cv_results_["params"]]
results = pd.DataFrame(search.cv_results_["params"])
for name in ("reconstructed", "hidden cells"):
    results[name] = search.cv_results_[f"mean_test_{name}"]
results["ROC AUC"] = [auc_aside(model) for model in fit_many(models, X)]
print(results.round(3).to_string(index=False))
print(f"Chosen: {search.best_params_}")

# %%

fig, axes = plt.subplots(1, 2, figsize=(8, 3.4), sharey=True, layout="constrained")
styles = {"reconstructed": "o--", "hidden cells": "s--", "ROC AUC": "k^-"}
for ax, (level, own) in zip(axes, results.groupby("noise_level"), strict=True):
    for name, style in styles.items():
        ax.plot(own["n_components"].astype(str), own[name], style, label=name)
    ax.set(title=f"noise_level={level}", xlabel="n_components")
    ax.grid(alpha=0.3)
axes[0].legend(fontsize="small")
fig.suptitle("Two measures without labels, and what labels say")
plt.show()

# %%
# What reconstructs best, eight components and no noise, detects worst but for one: it copies.
# Hidden cells tell that, and the best by this measure is the best of all. But two components with
# noise are next to it by the measure, and far behind in fact: of models that are equal but for
# hundredths, prefer the one that reconstructs more. And they are no labels. What they measure is
# whether a model knows how cells depend on each other, which the detection of wrong cells takes.
# Where outliers are odd in another way, say far out in all columns, a model that is worse by this
# measure can be the better detector.
