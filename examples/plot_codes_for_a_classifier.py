"""
Which codes help a classifier most?
===================================

Fewer columns make the next step of a pipeline faster, and sometimes better. This page reduces
pictures of digits to 2, 4, 8 and 16 columns in four ways, none of which sees the labels:
`~sklearn.decomposition.PCA`, UMAP, the autoencoder with its defaults, and the autoencoder that
keeps neighbors close, ``neighbor_weight=1``. Classifiers then learn from these columns.
"""

# %%
# Reduce and classify
# -------------------
#
# Two thirds of the digits are for fitting. The others are new to all methods: ``transform`` turns
# them into codes, and the classifiers, a linear one and one by nearest neighbors, predict their
# labels.

# sphinx_gallery_start_ignore
from argparse import ArgumentParser

# sphinx_gallery_end_ignore
from time import perf_counter

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier
from umap import UMAP

from skae import Autoencoder, TabularAutoencoder

# sphinx_gallery_start_ignore
if "__file__" in globals():  # run as a script, not by the documentation or in a notebook
    parser = ArgumentParser(description="Compare codes as input of classifiers.")
    parser.add_argument("--save", default="codes.png", help="where to save the pictures")
    save_path = parser.parse_args().save
# sphinx_gallery_end_ignore
X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X / 16, y, test_size=1 / 3, stratify=y, random_state=0
)
METHODS = {
    "PCA": PCA,
    "UMAP": lambda k, random_state: UMAP(n_components=k, random_state=random_state, n_jobs=1),
    "Autoencoder": Autoencoder,
    "Autoencoder, neighbors": lambda k, random_state: Autoencoder(
        k, neighbor_weight=1, random_state=random_state
    ),
}
SIZES = 2, 4, 8, 16
COLORS = {"PCA": "C7", "UMAP": "C1", "Autoencoder": "C0", "Autoencoder, neighbors": "C2"}


def compare(method, k):
    """Return accuracies, R2 and seconds on held-out digits, and the codes."""
    start = perf_counter()
    reducer = method(k, random_state=0).fit(X_train)
    seconds_fit, start = perf_counter() - start, perf_counter()
    codes = reducer.transform(X_test)
    seconds = perf_counter() - start
    codes_train, figures = reducer.transform(X_train), {}
    for name, classifier in {
        "linear": LogisticRegression(max_iter=2000),
        "k-NN": KNeighborsClassifier(),
    }.items():
        figures[name] = classifier.fit(codes_train, y_train).score(codes_test := codes, y_test)
    if not isinstance(reducer, UMAP):
        restored = reducer.inverse_transform(codes_test)
        figures["R2"] = r2_score(X_test, restored, multioutput="variance_weighted")
    return figures | {"fit, s": seconds_fit, "transform, ms": 1000 * seconds}, codes


# sphinx_gallery_start_ignore
UMAP(random_state=0, n_jobs=1).fit(X_train[:100]).transform(X_test[:10])  # compiles itself
# sphinx_gallery_end_ignore
figures, pictures = {}, {}
for k in SIZES:
    for name, method in METHODS.items():
        figures[k, name], codes = compare(method, k)
        if k == 2:
            pictures[name] = codes
table = pd.DataFrame(figures).T
table.index.names = ["codes", "method"]
print(table.round(3).to_string())
