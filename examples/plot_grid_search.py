"""
How long does a grid search take?
=================================

A grid search fits many small networks, and one training step of a small network is very little
arithmetic. `~skae.BatchedGridSearchCV` does the steps of all of them together. It gives the
results of scikit-learn's ``GridSearchCV`` in a fraction of the time. This page searches for a
learning rate and a weight decay with both, on the same folds, and compares the times.
"""

# %%
# Search for a learning rate
# --------------------------
#
# The data are 30 measurements of 569 tumors, and the network is narrow. A grid of eight learning
# rates and two weight decays gives 16 candidates, so 48 fits on three folds. Candidates that
# differ only in numbers, as here, have layers of equal shapes and are trained together. The
# candidates are compared by ``score``, the fraction of the variance of held-out rows that is
# reconstructed.

import time

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skae import Autoencoder, BatchedGridSearchCV
from skae.architectures import Dense
from skae.inspection import LossCurveDisplay

X, y = load_breast_cancer(return_X_y=True)
autoencoder = Autoencoder(
    4,
    architecture=Dense((32,)),
    max_epochs=40,
    early_stopping=False,
    check_baseline=False,
    random_state=0,
)
pipeline = make_pipeline(StandardScaler(), autoencoder)
grid = {
    "autoencoder__lr": [1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 3e-2],
    "autoencoder__weight_decay": [0, 1e-2],
}
folds = KFold(3, shuffle=True, random_state=0)

# %%
# Both searches get the same pipeline, grid and folds, and neither uses parallel processes. Each
# fits once before the time is measured, so that what Python and torch do only the first time is
# not counted. ``refit=False`` leaves out the last fit, which is the same for both.


def seconds(search):
    """Return how long a search takes."""
    start = time.perf_counter()
    search.fit(X)
    return time.perf_counter() - start


searches, times = {}, {}
for kind in (BatchedGridSearchCV, GridSearchCV):
    first = {"autoencoder__lr": [1e-3, 3e-3], "autoencoder__max_epochs": [2]}
    kind(pipeline, first, cv=folds).fit(X)
    searches[kind.__name__] = kind(pipeline, grid, cv=folds, n_jobs=None, refit=False)
    times[kind.__name__] = seconds(searches[kind.__name__])
print(pd.Series(times, name="seconds").round(1).to_string())

scores = [search.cv_results_["mean_test_score"] for search in searches.values()]
print(f"\nLargest difference between mean test scores: {np.abs(scores[0] - scores[1]).max():.1e}")

# %%
# The scores are the same except for rounding, which large learning rates amplify. The choice is
# the same too. The times depend on the machine that built this page, and on what else it was
# doing: run the page to get yours. Wider networks and larger batches gain less, because
# arithmetic takes most of their time.
#
# What was found
# --------------
#
# The best candidates, beside PCA with as many components on the same folds.

results = pd.DataFrame(searches["BatchedGridSearchCV"].cv_results_)
results = results.rename(columns=lambda name: name.replace("param_autoencoder__", ""))
columns = ["lr", "weight_decay", "mean_test_score", "std_test_score"]
print(results.nlargest(5, "mean_test_score")[columns].round(4).to_string(index=False))


class PCAScore(PCA):
    """PCA whose score is the fraction of variance that is reconstructed, as for the autoencoder."""

    def score(self, X, y=None):
        residual = X - self.inverse_transform(self.transform(X))
        return 1 - (residual**2).sum() / ((X - X.mean(axis=0)) ** 2).sum()


pca_score = cross_val_score(make_pipeline(StandardScaler(), PCAScore(4)), X, cv=folds).mean()
print(f"\nPCA with 4 components: {pca_score:.4f}")

# %%
# The lines are means over the folds, and the bands are one standard deviation wide on each side.

fig, (ax, ax_times) = plt.subplots(
    1, 2, figsize=(9, 3.6), width_ratios=[1.7, 1], layout="constrained"
)
for (decay, rows), marker in zip(results.groupby("weight_decay"), "os", strict=True):
    mean, std = rows["mean_test_score"], rows["std_test_score"]
    lr = rows["lr"].astype(float)
    (line,) = ax.plot(lr, mean, marker + "-", label=f"{decay:g}")
    ax.fill_between(lr, mean - std, mean + std, color=line.get_color(), alpha=0.12, lw=0)
ax.axhline(pca_score, color="black", ls=":", label="PCA")
ax.set(xscale="log", xlabel="learning rate", ylabel="score on held-out rows")
ax.set_title("16 candidates on 3 folds")
ax.grid(alpha=0.3)
ax.legend(title="weight decay", fontsize="small")

bars = ax_times.barh(list(times), list(times.values()), color=["tab:blue", "tab:gray"], height=0.5)
ax_times.bar_label(bars, fmt="%.1f s", padding=3)
ax_times.set(title="Time taken", xlabel="seconds", xlim=(0, 1.25 * max(times.values())))
ax_times.invert_yaxis()
ax_times.spines[["top", "right"]].set_visible(False)
plt.show()

# %%
# The learning rate matters most. Above 0.003 the curve is flat: there the candidates differ by
# less than the folds do. Any of them will do, and a finer grid would choose by chance. Weight
# decay lowers the score at every learning rate. At the lowest rates 40 epochs are too few, and
# training has not moved far from PCA, where it starts.
#
# The search keeps the losses of its candidates. The display shows the best ones, as means over the
# folds: at small rates the loss has not fallen as far.

LossCurveDisplay.from_estimator(searches["BatchedGridSearchCV"], max_curves=6)
plt.show()

# %%
# With more candidates, `~skae.BatchedHalvingGridSearchCV` saves time in another way: it stops the
# bad ones early. See :ref:`batched_search`.
