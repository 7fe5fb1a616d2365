"""
Which codes help a classifier most?
===================================

Fewer columns make the next step of a pipeline faster, and sometimes better. This page reduces
pictures of digits to 2, 4, 8 and 16 columns in four ways, none of which sees the labels: PCA, UMAP,
the autoencoder with its defaults, and the autoencoder that keeps neighbors close,
``neighbor_weight=1``. Classifiers then learn from these columns. At the end, a table of numbers and
categories is drawn in two dimensions.
"""

# %%
# Reduce and classify
# -------------------
#
# Two thirds of the digits are for fitting. The others are new to all methods: ``transform`` turns
# them into codes, and two classifiers, a linear one and one by nearest neighbors, predict their
# labels. R2 is the fraction of the variance that ``inverse_transform`` restores.

# sphinx_gallery_start_ignore
from argparse import ArgumentParser

# sphinx_gallery_end_ignore
from time import perf_counter

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from umap import UMAP

from skae import Autoencoder, TabularAutoencoder
from skae.inspection import LatentSpaceDisplay

# sphinx_gallery_start_ignore
if "__file__" in globals():  # run as a script, not by the documentation or in a notebook
    parser = ArgumentParser(description="Compare codes, and save pictures of them.")
    parser.add_argument("--save", default="codes.png", help="where to save the pictures")
    save_path = parser.parse_args().save
# sphinx_gallery_end_ignore
X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X / 16, y, test_size=1 / 3, stratify=y, random_state=0
)
METHODS = {
    "PCA": lambda k: PCA(k, random_state=0),
    "UMAP": lambda k: UMAP(n_components=k, random_state=0, n_jobs=1),
    "default": lambda k: Autoencoder(k, random_state=0),
    "neighbors": lambda k: Autoencoder(k, neighbor_weight=1, random_state=0),
}


def seconds(function, X):
    """Return what a function makes of X, and the seconds it takes."""
    start = perf_counter()
    result = function(X)
    return result, perf_counter() - start


def compare(reducer):
    """Return figures for held-out digits, and their codes."""
    _, fit_seconds = seconds(reducer.fit, X_train)
    codes, transform_seconds = seconds(reducer.transform, X_test)
    codes_train, figures = reducer.transform(X_train), {}
    for name, classifier in {
        "linear": LogisticRegression(max_iter=2000),
        "k-NN": KNeighborsClassifier(),
    }.items():
        figures[name] = classifier.fit(codes_train, y_train).score(codes, y_test)
    if not isinstance(reducer, UMAP):  # it restores samples, but takes very long
        restored = reducer.inverse_transform(codes)
        figures["R2"] = r2_score(X_test, restored, multioutput="variance_weighted")
    times = {"fit, s": fit_seconds, "transform, ms": 1000 * transform_seconds}
    return figures | times, codes


UMAP(random_state=0, n_jobs=1).fit(X_train[:100]).transform(X_test[:9])  # compiles at first use
figures, pictures = {}, {}
for k in (2, 4, 8, 16):
    for name, make in METHODS.items():
        figures[k, name], codes = compare(make(k))
        if k == 2:
            pictures[name] = codes
table = pd.DataFrame(figures).T
table.index.names = ["codes", "method"]
print(table.round(3).to_string())

# %%
# With few codes, all others are far ahead of PCA. UMAP's codes of new digits are the best: it looks
# for their neighbors among the training digits, which takes several hundred times as long as the
# autoencoders do. These are functions, and their codes can be decoded. The term for neighbors costs
# no R2 and brings the autoencoder near to UMAP from four codes on; with 16 codes, PCA is as good.
# Digits are the kind of data that suits UMAP best: on tables it is often behind, see :ref:`codes`.

colors = {"PCA": "0.5", "UMAP": "tab:orange", "default": "tab:blue", "neighbors": "tab:green"}
figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained", sharey=True)
for ax, name in zip(axes, ["linear", "k-NN"], strict=True):
    for method, color in colors.items():
        accuracy = table[name].xs(method, level="method")
        ax.plot(accuracy.index, accuracy, "o-", color=color, label=method)
    title = "logistic regression" if name == "linear" else "5 nearest neighbors"
    ax.set(title=title, xlabel="codes", xscale="log", xticks=[2, 4, 8, 16])
    ax.set_xticks([2, 4, 8, 16], ["2", "4", "8", "16"])
    ax.minorticks_off()
axes[0].set_ylabel("accuracy on held-out digits")
axes[1].legend(frameon=False)
# sphinx_gallery_start_ignore
if "__file__" in globals():
    figure.savefig(save_path)
# sphinx_gallery_end_ignore

# %%
# Look at two codes
# -----------------
#
# These are the held-out digits.

figure, axes = plt.subplots(1, 4, figsize=(13, 3.3), layout="constrained")
for ax, (name, codes) in zip(axes, pictures.items(), strict=True):
    display = LatentSpaceDisplay.from_predictions(codes, y_test, y_name="digit", ax=ax)
    display.legend_.set_visible(name == "neighbors")
    ax.set_title(name)
# sphinx_gallery_start_ignore
if "__file__" in globals():
    figure.savefig(save_path.replace(".png", "_digits.png"))
# sphinx_gallery_end_ignore

# %%
# A table of numbers and categories
# ---------------------------------
#
# Four kinds of customers differ in how much they spend, when they come, and what they buy; some
# cells are missing. `TabularAutoencoder` takes the table as it is. PCA and UMAP get scaled numbers
# and one column for each category, and the missing cells filled.

rng = np.random.default_rng(0)
kind = rng.integers(4, size=800)
shops = np.array(["city", "mall", "online", "village"])
customers = pd.DataFrame(
    {
        "spent": rng.lognormal(np.array([1.0, 3.0, 2.0, 3.0])[kind], 0.4),
        "hour": rng.normal(np.array([9.0, 18.0, 21.0, 12.0])[kind], 2.0),
        "visits": rng.poisson(np.array([2, 12, 5, 5])[kind]),
        "age": rng.normal(45, 15, size=800),
        "shop": np.where(rng.random(800) < 0.8, shops[kind], rng.choice(shops, 800)),
        "pays": rng.choice(["card", "cash"], 800),
    }
)
customers.loc[rng.choice(800, 60, replace=False), "hour"] = np.nan
numbers = make_column_transformer(
    (StandardScaler(), make_column_selector(dtype_include="number")),
    (OneHotEncoder(sparse_output=False), make_column_selector(dtype_exclude="number")),
).fit_transform(customers.fillna({"hour": customers["hour"].mean()}))
codes = {
    "PCA": PCA(2).fit_transform(numbers),
    "UMAP": UMAP(random_state=0, n_jobs=1).fit_transform(numbers),
    "default": TabularAutoencoder(2, random_state=0).fit_transform(customers),
    "neighbors": TabularAutoencoder(2, neighbor_weight=1, random_state=0).fit_transform(customers),
}
figure, axes = plt.subplots(1, 4, figsize=(13, 3.3), layout="constrained")
for ax, (name, points) in zip(axes, codes.items(), strict=True):
    display = LatentSpaceDisplay.from_predictions(points, kind, y_name="kind", ax=ax)
    display.legend_.set_visible(name == "neighbors")
    ax.set_title(name)
# sphinx_gallery_start_ignore
if "__file__" in globals():
    figure.savefig(save_path.replace(".png", "_table.png"))
# sphinx_gallery_end_ignore
plt.show()

# %%
# UMAP and the term for neighbors pull groups apart and do not show how far they are from each
# other: distances between groups mean little in such pictures. In the codes of PCA and of the
# default autoencoder, distances are like those between the restored rows.
