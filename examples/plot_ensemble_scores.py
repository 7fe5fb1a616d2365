"""
How much do anomaly scores depend on the seed?
==============================================

Initial weights and the order of batches are random. So two trainings of the same autoencoder
disagree about which rows are anomalous. An `~skae.EnsembleAutoencoder` trains many autoencoders
and averages their scores. This page repeats five tasks with five seeds each. It compares one
autoencoder, ensembles of ten, PCA and ``IsolationForest``.
"""

# %%
# The tasks
# ---------
#
# Half of the normal rows are for fitting. The other half and the anomalies, which no model has
# seen, are scored. In the breast cancer data the malignant samples are the anomalies. In the
# digits, with every other picture used, one digit at a time is the anomaly. All models get the
# same rows for every seed, so only the randomness of the models changes.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from skae import Autoencoder, EnsembleAutoencoder, fit_many
from skae.architectures import Dense

cancer, digits = load_breast_cancer(), load_digits()
tasks = {"breast cancer": (cancer.data, cancer.target == 0, StandardScaler())}
for digit in (1, 3, 5, 7):
    is_anomaly = digits.target[::2] == digit
    tasks[f"digit {digit}"] = (digits.data[::2], is_anomaly, MinMaxScaler())

# %%
# The models
# ----------
#
# The members of an ensemble are copies of the single autoencoder, so averaging is the only
# difference. The single autoencoders, one for each seed, are fitted all at once by
# `~skae.fit_many`, like the members of an ensemble.

seeds = range(5)
single = Autoencoder(8, architecture=Dense((32,)), max_epochs=30, check_baseline=False)


class PCAError(PCA):
    """PCA that scores rows by the error of their reconstruction, as the autoencoder does."""

    def score_samples(self, X):
        return -((X - self.inverse_transform(self.transform(X))) ** 2).mean(axis=1)


def fitted_models(X):
    """Return models of each kind, one for each seed."""
    singles = [clone(single).set_params(random_state=seed) for seed in seeds]
    return {
        "one autoencoder": fit_many(singles, X),
        "ensemble of 10": [
            EnsembleAutoencoder(single, n_estimators=10, random_state=seed).fit(X) for seed in seeds
        ],
        "IsolationForest": [IsolationForest(random_state=seed).fit(X) for seed in seeds],
        "PCA error": [PCAError(8).fit(X)],
    }


records = []
for task, (X, is_anomaly, scaler) in tasks.items():
    X_fit, X_normal = train_test_split(X[~is_anomaly], test_size=0.5, random_state=0)
    X_mixed = np.vstack([X_normal, X[is_anomaly]])
    is_normal = np.r_[np.ones(len(X_normal)), np.zeros(is_anomaly.sum())]
    X_fit, X_mixed = scaler.fit_transform(X_fit), scaler.transform(X_mixed)
    for kind, models in fitted_models(X_fit).items():
        for model in models:
            auc = roc_auc_score(is_normal, model.score_samples(X_mixed))
            records.append({"task": task, "model": kind, "auc": auc})
records = pd.DataFrame(records)

# %%
# Mean and standard deviation of the area under the ROC curve, over the seeds.

by_task = records.groupby(["task", "model"], sort=False)["auc"]
means, stds = by_task.mean().unstack(), by_task.std().unstack()
print(f"Mean over the seeds:\n{means.round(3).to_string()}\n")
stds = stds.drop(columns="PCA error")
print(f"Standard deviation over the seeds:\n{stds.round(4).to_string()}")

# %%
# On the left, each point is a seed. On the right is the standard deviation over the seeds.

colors = {
    "one autoencoder": "tab:blue",
    "ensemble of 10": "tab:red",
    "IsolationForest": "tab:green",
    "PCA error": "black",
}
fig, (ax, ax_std) = plt.subplots(
    1, 2, figsize=(9, 4.2), width_ratios=[1.5, 1], sharey=True, layout="constrained"
)
places = np.arange(len(tasks))
for shift, (kind, color) in zip((-0.27, -0.09, 0.09, 0.27), colors.items(), strict=True):
    own = records[records["model"] == kind]
    y = own["task"].map(dict(zip(tasks, places, strict=True))) + shift
    ax.scatter(own["auc"], y, s=22, color=color, alpha=0.6, lw=0, label=kind)
    if kind in stds:
        ax_std.barh(places + shift, stds.loc[list(tasks), kind], 0.17, color=color)
ax.hlines(places[:-1] + 0.5, *ax.get_xlim(), color="0.85", lw=0.8)
ax.set_yticks(places, list(tasks))
ax.invert_yaxis()
ax.set(title="Anomaly detection, five seeds", xlabel="ROC AUC on held-out rows")
ax.legend(fontsize="small")
ax_std.set(title="How much the seeds differ", xlabel="standard deviation of the ROC AUC")
ax_std.grid(axis="x", alpha=0.3)
plt.show()

# %%
# On every task, ensembles vary with the seed a half to an eighth as much as single autoencoders.
# The forest varies as much as the single ones, or more. On average over the seeds, ensembles are
# as good as the single ones or a little better: averaging removes chance, which may have been in
# favor of a single autoencoder. On the breast cancer data both are worse than the forest, as in
# :ref:`sphx_glr_gallery_plot_first_steps.py`, and averaging does not change that.
#
# A standard deviation from five numbers is not exact. There are also other sources of chance,
# mainly which rows were fitted. More members do not help against them.
