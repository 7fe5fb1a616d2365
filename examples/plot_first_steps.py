"""
What does an autoencoder give you that PCA does not?
====================================================

An autoencoder compresses each row to a few numbers, the code, as PCA does. The components of PCA
are straight lines; those of an autoencoder may be curves. This page compares both on the same
three tasks with data that scikit-learn ships: reducing dimensions before a classifier, choosing
hyperparameters by grid search, and scoring anomalies. Everything is measured on held-out rows.
"""

# %%
# Reduce dimensions in a pipeline
# -------------------------------
#
# The digits are 8 x 8 pictures, 64 columns. Two thirds of them are for fitting. A scaler comes
# first, because an autoencoder, like PCA, pays more attention to columns with large values.
# Pictures have a known range, so a ``MinMaxScaler`` suits them.

# sphinx_gallery_start_ignore
from argparse import ArgumentParser

# sphinx_gallery_end_ignore
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from skae import Autoencoder
from skae.inspection import LatentSpaceDisplay, ReconstructionDisplay

# sphinx_gallery_start_ignore
if "__file__" in globals():  # run as a script, not by the documentation or in a notebook
    parser = ArgumentParser(description="Compare an autoencoder with PCA, and save a picture.")
    parser.add_argument("--save", default="first_steps.png", help="where to save the picture")
    save_path = parser.parse_args().save
# sphinx_gallery_end_ignore
digits = load_digits()
X_train, X_test, y_train, y_test = train_test_split(
    digits.data, digits.target, test_size=1 / 3, stratify=digits.target, random_state=0
)

models = {}
for n_components in (2, 8):
    models["PCA", n_components] = make_pipeline(MinMaxScaler(), PCA(n_components))
    models["Autoencoder", n_components] = make_pipeline(
        MinMaxScaler(), Autoencoder(n_components, random_state=0)
    )

# %%
# Each model gets two scores: how much of the held-out variance can be reconstructed from the
# codes, and how well a linear classifier recognizes the digit from the codes alone. The labels
# are not used to fit the codes; the autoencoder does not see them.


def compare(model):
    """Return the R2 and the accuracy on held-out rows."""
    codes_train, codes_test = model.fit(X_train).transform(X_train), model.transform(X_test)
    X_back = model.inverse_transform(codes_test)
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    return {
        "R2": r2_score(X_test, X_back, multioutput="variance_weighted"),
        "accuracy": classifier.fit(codes_train, y_train).score(codes_test, y_test),
    }


table = pd.DataFrame({key: compare(model) for key, model in models.items()}).T
table.index.names = ["model", "n_components"]
print(table.round(3))

# %%
# With the same number of components, the autoencoder keeps clearly more. It takes seconds to fit
# where PCA takes milliseconds. The gap gets smaller with more components: with all 64 of them,
# PCA is exact.
#
# Choose hyperparameters by grid search
# -------------------------------------
#
# The goal is a good classifier. So the pipeline ends with one, and the search compares
# cross-validated accuracies. The parameters of the layers have names of the form
# ``architecture__<name>``. PCA goes through the same search. By default, every fit is checked
# against PCA. A search does not need this check, and ``check_baseline=False`` turns it off.


def search(reducer, grid):
    """Search a grid for a reducer followed by a classifier."""
    classifier = LogisticRegression(max_iter=1000)
    pipeline = make_pipeline(MinMaxScaler(), reducer, StandardScaler(), classifier)
    return GridSearchCV(pipeline, grid, cv=2, n_jobs=2).fit(X_train, y_train)


grid = {
    "autoencoder__n_components": [4, 8],
    "autoencoder__architecture__hidden_layer_sizes": [(64,), (128, 64)],
    "autoencoder__lr": [1e-3, 3e-3],
}
autoencoder = Autoencoder(max_epochs=40, check_baseline=False, random_state=0)
searches = {
    "Autoencoder": search(autoencoder, grid),
    "PCA": search(PCA(), {"pca__n_components": [4, 8]}),
}

results = pd.DataFrame(searches["Autoencoder"].cv_results_)
short = {f"param_{name}": name.split("__")[-1] for name in grid}
results = results.rename(columns={**short, "mean_test_score": "accuracy"})
columns = [*short.values(), "accuracy"]
print(results.sort_values("accuracy", ascending=False)[columns].round(3).to_string(index=False))
print()
for name, found in searches.items():
    print(f"{name}: {found.score(X_test, y_test):.3f} held out, with {found.best_params_}")

# %%
# Score anomalies
# ---------------
#
# What was rare in training is reconstructed badly, so the error of a row says how anomalous the
# row is. ``score_samples`` is minus that error: higher is more normal, as in ``IsolationForest``
# and ``PCA``.
#
# The protocol is the same for all models: fit on half of the normal rows, then score the other
# half together with the anomalies, which no model has seen. The area under the ROC curve is the
# probability that a normal row gets a higher score than an anomaly. There are eleven tasks. In
# ten of them one digit is the anomaly. In the breast cancer data, the malignant samples are the
# anomalies.


class PCAError(PCA):
    """PCA that scores rows by the error of their reconstruction, as the autoencoder does."""

    def score_samples(self, X):
        return -((X - self.inverse_transform(self.transform(X))) ** 2).mean(axis=1)


def detect(X, is_anomaly, scaler):
    """Return the ROC AUC of each detector on held-out rows."""
    X_fit, X_normal = train_test_split(X[~is_anomaly], test_size=0.5, random_state=0)
    X_mixed = np.vstack([X_normal, X[is_anomaly]])
    is_normal = np.r_[np.ones(len(X_normal)), np.zeros(is_anomaly.sum())]
    detectors = {
        "Autoencoder": Autoencoder(8, max_epochs=50, random_state=0),
        "PCA error": PCAError(8),
        "PCA likelihood": PCA(8),
        "IsolationForest": IsolationForest(random_state=0),
    }
    scores = {
        name: make_pipeline(scaler, detector).fit(X_fit).score_samples(X_mixed)
        for name, detector in detectors.items()
    }
    return {name: roc_auc_score(is_normal, score) for name, score in scores.items()}


cancer = load_breast_cancer()
auc = {
    f"digit {digit}": detect(digits.data, digits.target == digit, MinMaxScaler())
    for digit in range(10)
}
auc["breast cancer"] = detect(cancer.data, cancer.target == 0, StandardScaler())
auc = pd.DataFrame(auc).T
print(auc.round(3))
print(f"\nMean over the digits:\n{auc.filter(like='digit', axis=0).mean().round(3).to_string()}")

# %%
# On the digits the autoencoder is best on average, far ahead of the forest: pictures have curved
# structure, and a forest that looks at one pixel at a time misses it. On the breast cancer data
# the forest is ahead. These are a few hundred rows of measurements, and the anomalies are simply
# larger than normal. A network can add little there. On a small table of plain measurements, try
# ``IsolationForest`` and ``PCA`` first. For tables whose columns are of several kinds, and for
# thresholds and explanations with any of these detectors, there is `~skae.OutlierDetector`: see
# :ref:`anomalies`.
#
# In a picture
# ------------
#
# Two components, colored by the digit; reconstructions from eight components; and the table
# above.

fig = plt.figure(figsize=(9, 6.6), layout="constrained")
top, bottom = fig.subfigures(2, 1, height_ratios=[1.15, 1])

for ax, name in zip(top.subplots(1, 2), ("PCA", "Autoencoder"), strict=True):
    LatentSpaceDisplay.from_estimator(models[name, 2], X_test, y_test, y_name="digit", ax=ax)
    ax.set_title(f"{name}, 2 components: R2 {table.loc[(name, 2), 'R2']:.2f}")

left, right = bottom.subfigures(1, 2, width_ratios=[1, 1.1])
restored = {
    name: models[model, 8].inverse_transform(models[model, 8].transform(X_test))
    for name, model in (("PCA", "PCA"), ("auto-\nencoder", "Autoencoder"))
}
ReconstructionDisplay.from_predictions(
    X_test, restored, image_shape=(8, 8), n_samples=6, ax=left.subplots(3, 6)
)
left.suptitle("Held-out digits from 8 components", fontsize="large")

ax = right.subplots()
for name, marker in (("Autoencoder", "o"), ("PCA error", "s"), ("IsolationForest", "^")):
    ax.plot(auc[name], np.arange(len(auc)), marker, label=name, alpha=0.8)
ax.set_yticks(np.arange(len(auc)), auc.index)
ax.invert_yaxis()
ax.set(title="Anomaly detection, one task per row", xlabel="ROC AUC on held-out rows")
ax.grid(alpha=0.3)
ax.legend(fontsize="small")

# sphinx_gallery_start_ignore
if "__file__" in globals():
    fig.savefig(save_path, dpi=100, pil_kwargs={"optimize": True})
    print(f"Saved the picture to {save_path}")
# sphinx_gallery_end_ignore
plt.show()
