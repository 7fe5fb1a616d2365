"""
How to choose a detector, with a few labels and without
=======================================================

There are many detectors, and each has parameters. Only labels can show which one is best for your
table. This page first chooses by a grid search with a few labels, then without any, and checks
both choices on held-out rows.
"""

# %%
# A table with a few checked rows
# -------------------------------
#
# A machine has eight sensors. They all depend on its speed and its load, in one of two modes. In
# one row in twenty, one sensor shows a value from another time. Somebody checked 60 rows, and
# found 15 of them wrong: -1 means wrong, 1 means right, and 0 means not checked. A thousand rows
# with all their labels are held out.

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
    """Return rows of a table, and labels: -1 for wrong rows, 1 for right ones."""
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
X_held_out, y_held_out = make_rows(1000, rng)
y = np.zeros(len(X), int)
for label, n_known in ((-1, 15), (1, 45)):
    y[rng.choice(np.flatnonzero(y_true == label), n_known, replace=False)] = label

# %%
# With a few labels
# -----------------
#
# ``fit`` takes all rows, and ignores the labels: ``use_labels=False``. They are for the scorer,
# which uses only the labeled rows. The folds are stratified, so that each has wrong rows.
# :ref:`sphx_glr_gallery_plot_few_labels.py` shows how ``fit`` can learn from labels, too.


def auc_labeled(detector, X, y):
    """Return the probability that a right row scores higher than a wrong one."""
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
    OutlierDetector(use_labels=False, random_state=0),
    {"estimator": list(candidates.values())},
    scoring=auc_labeled,
    cv=StratifiedKFold(3, shuffle=True, random_state=0),
).fit(X, y)


def auc_held_out(model):
    """Return the area under the ROC curve on the held-out rows."""
    return roc_auc_score(y_held_out, model.score_samples(X_held_out))


results = pd.DataFrame(
    {
        "60 labels": search.cv_results_["mean_test_score"],
        "held-out rows": [
            auc_held_out(OutlierDetector(one, random_state=0).fit(X)) for one in candidates.values()
        ],
    },
    index=list(candidates),
)
print(results.sort_values("60 labels", ascending=False).round(3).to_string())

# %%
# Sixty labels are enough to separate good detectors from bad ones. They are too few to rank the
# good ones, whose scores differ by less than chance.
#
# Without labels
# --------------
#
# Then there is only the table itself. ``score`` says how much of the held-out rows is
# reconstructed. More components always reconstruct more, wrong cells included. The other measure
# hides a quarter of the numbers, and says how well the model predicts them from the other cells:
# a model that only copies cannot do this. Both should agree with the area under the curve on the
# held-out rows. `~skae.BatchedGridSearchCV` trains all candidates together.


def predicts_hidden_cells(model, X, y=None):
    """Return the R2 of numbers that were hidden from the model, averaged over the sensors."""
    is_hidden = np.random.default_rng(0).random((len(X), len(sensors))) < 0.25
    with_missing = X[sensors].mask(is_hidden).assign(mode=X["mode"])
    filled = model.impute(with_missing)
    return np.mean(
        [r2_score(X[one][h], filled[one][h]) for one, h in zip(sensors, is_hidden.T, strict=True)]
    )


def reconstructs(model, X, y=None):
    """Return the fraction of the variance that is reconstructed."""
    return model.score(X)


autoencoder = candidates["TabularAutoencoder"].set_params(random_state=0)
search = BatchedGridSearchCV(
    autoencoder,
    {"n_components": [2, 4, 8], "noise_level": [0.0, 0.3]},
    scoring={"reconstructed": reconstructs, "hidden cells": predicts_hidden_cells},
    cv=2,
    refit="hidden cells",
).fit(X)
models = [clone(autoencoder).set_params(**params) for params in search.cv_results_["params"]]
results = pd.DataFrame(search.cv_results_["params"])
for name in ("reconstructed", "hidden cells"):
    results[name] = search.cv_results_[f"mean_test_{name}"]
results["ROC AUC"] = [auc_held_out(model) for model in fit_many(models, X)]
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
fig.suptitle("Two measures without labels, beside the ROC AUC from labels")
plt.show()

# %%
# The model that reconstructs best, with eight components and no noise, is the second worst
# detector: it copies. The hidden cells show this, and the best model by this measure is the best
# of all. But two components with noise come next by this measure, and are much worse in fact. So
# among models that differ only by hundredths, prefer the one that reconstructs more. And hidden
# cells do not replace labels. They measure whether a model knows how cells depend on each other,
# which is needed to find wrong cells. If the outliers are of another kind, for example extreme
# values in all columns, a model that is worse by this measure can be the better detector.
