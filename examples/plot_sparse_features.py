"""
What do the units of a sparse autoencoder stand for?
====================================================

A `~skae.SparseAutoencoder` has a long code, and only a few of its units are active in each row.
With a linear decoder, every unit adds one fixed pattern to the reconstruction. So a row is the
sum of a few patterns out of many. This page looks at the patterns, puts a linear classifier after
the codes, and uses the model to select columns. PCA is the baseline for each.
"""

# %%
# Learn patterns of digits
# ------------------------
#
# There are no hidden layers: ``Dense(())`` has only input, code and output. With ``tied_weights``
# the decoder uses the encoder's weights, so a unit's pattern is also what it responds to. There
# are four times as many units as pixels, and 8 of them are active in a picture.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.feature_selection import SelectFromModel
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, r2_score
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.preprocessing import StandardScaler

from skae import SparseAutoencoder
from skae.architectures import Dense

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X / 16, y, test_size=1 / 3, stratify=y, random_state=0
)

tied = Dense((), tied_weights=True)
model = SparseAutoencoder(256, k=8, architecture=tied, lr=5e-3, random_state=0).fit(X_train)
pca = PCA().fit(X_train)
X_pca = PCA(8).fit(X_train).inverse_transform(pca.transform(X_test)[:, :8])
pca_score = r2_score(X_test, X_pca, multioutput="variance_weighted")
print(f"Active units in a row         {model.mean_active_:.1f} of {model.n_components_}")
print(f"Units active in no row        {model.dead_fraction_:.1%}")
print(f"Explained variance, fitted    {model.explained_variance_:.3f}")
print(f"Explained variance, held out  {model.score(X_test):.3f}")
print(f"The same, 8 components of PCA {pca_score:.3f}")

# %%
# PCA has the same 8 patterns for all rows, the sparse code another 8 for each row. To be fair to
# PCA: a sparse code also says which units are active, and that takes more space to store.
#
# A unit's pattern is the decoded unit vector minus the decoded zero vector. Below it is the mean
# of the 20 held-out digits where the unit is largest. How often the most common digit is among
# those 20 says how specific the unit is.

background = model.inverse_transform(np.zeros((1, 256)))[0]
patterns = model.inverse_transform(np.eye(256)) - background
codes = model.transform(X_test)
often = np.argsort(-(codes != 0).mean(axis=0))[:50]  # the units that are active most often


def largest(values):
    """Return the 20 held-out digits with the largest values."""
    return np.argsort(-values)[:20]


def specificity(Z):
    """Return the fraction of the most common digit in the 20 largest, averaged over columns."""
    return np.mean([np.bincount(y_test[largest(z)]).max() / 20 for z in Z.T])


pca_codes = pca.transform(X_test)
print("Fraction of the most common digit, chance is about 0.2")
print(f"50 units       {specificity(codes[:, often]):.2f}")
print(f"50 components  {specificity(pca_codes[:, :50]):.2f}")

# %%
# The first twelve of each, and a digit as the sum of its parts: the decoded zero vector, plus
# each active unit's pattern times its activation.

digit = np.flatnonzero(y_test == 3)[0]
active = np.argsort(-codes[digit])[:8]
parts = codes[digit, active, None] * patterns[active]
restored = background + parts.sum(axis=0)


def draw(ax, picture, title="", signed=False):
    """Draw 64 pixels, red for positive and blue for negative values if signed."""
    style = {"cmap": "gray_r", "vmin": 0, "vmax": 1}
    if signed:
        limit = np.abs(picture).max()
        style = {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit, "interpolation": "bilinear"}
    ax.imshow(picture.reshape(8, 8), **style)
    ax.set_title(title, fontsize="small")
    ax.set(xticks=[], yticks=[])


fig = plt.figure(figsize=(9, 5.6), layout="constrained")
top, bottom = fig.subfigures(2, 1, height_ratios=[4, 1.25])
shown = {
    "Sparse autoencoder": (patterns[often], codes[:, often]),
    "PCA": (pca.components_, pca_codes),
}
for part, (name, (pictures, Z)) in zip(top.subfigures(2, 1), shown.items(), strict=True):
    part.suptitle(f"{name}: patterns, and the mean of the digits in which they are largest")
    axes = part.subplots(2, 12)
    for i in range(12):
        draw(axes[0, i], pictures[i], signed=True)
        draw(axes[1, i], X_test[largest(Z[:, i])].mean(axis=0))
bottom.suptitle("A held-out digit, and the sum that restores it")
axes = bottom.subplots(1, 11)
draw(axes[0], X_test[digit], "input")
draw(axes[1], restored, "restored =")
draw(axes[2], background, "zeros +")
for ax, unit, part in zip(axes[3:], active, parts, strict=True):
    draw(ax, part, f"{codes[digit, unit]:.1f} × {unit}", signed=True)
plt.show()

# %%
# Most units stand for one digit, or one way of writing it. A component of PCA contrasts several
# digits with others, and its sign has no meaning.
#
# Classify the codes
# ------------------
#
# A linear classifier on the codes, on raw pixels and on components of PCA. Its regularization is
# chosen for each of them by cross-validation.


def accuracy(Z_train, Z_test):
    """Return the held-out accuracy of a linear classifier."""
    grid = {"C": [0.3, 3, 30]}
    search = GridSearchCV(LogisticRegression(max_iter=1000), grid, cv=2)
    return search.fit(Z_train, y_train).score(Z_test, y_test)


accuracies = {
    "pixels": accuracy(X_train, X_test),
    "PCA, 8 components": accuracy(pca.transform(X_train)[:, :8], pca_codes[:, :8]),
    "SparseAutoencoder, 8 of 256 units": accuracy(model.transform(X_train), codes),
}
print(pd.Series(accuracies, name="held-out accuracy").round(3).to_string())

# %%
# In the long code, digits are easier to separate by a linear classifier. With more components PCA
# reaches the score of the pixels, of which it is a rotation, and no more. On 599 held-out digits,
# 0.01 is six digits, so small differences mean little.
#
# Select columns
# --------------
#
# ``feature_importances_`` is the fraction of the variance explained by the active units that
# belongs to each column. `~sklearn.feature_selection.SelectFromModel` reads it. It needs no
# labels: columns that depend on each other stand out from columns of noise.
#
# In these tables four things vary from row to row, each with eight states. Each determines the
# means of five columns; forty more columns are noise. All columns are standardized, so their
# variances say nothing. Only few units may be active, here three, and there must be no hidden
# layers: a model that can describe the noise of its rows takes noise for structure.


def planted_columns(seed):
    """Return a table, and which of its columns are not noise."""
    rng = np.random.default_rng(seed)
    informative = rng.permutation(60) < 20
    X = rng.normal(size=(1500, 60))
    means, states = rng.normal(size=(4, 8, 5)), rng.integers(8, size=(4, 1500))
    X[:, informative] = 0.3 * X[:, informative] + np.hstack(
        [mean[state] for mean, state in zip(means, states, strict=True)]
    )
    return StandardScaler().fit_transform(X), informative


def loadings(pca):
    """Return the variance of each column that the components explain."""
    return (pca.components_**2 * pca.explained_variance_[:, None]).sum(axis=0)


def spread(kmeans):
    """Return the variance of the cluster centers in each column."""
    return kmeans.cluster_centers_.var(axis=0)


sparse_autoencoder = SparseAutoencoder(32, k=3, architecture=tied, random_state=0)
selectors = {
    "SparseAutoencoder": SelectFromModel(sparse_autoencoder),
    "PCA(4)": SelectFromModel(PCA(4), importance_getter=loadings),
    "PCA(12)": SelectFromModel(PCA(12), importance_getter=loadings),
    "KMeans(40)": SelectFromModel(KMeans(40, random_state=0), importance_getter=spread),
}
scores = {}
for seed in range(4):
    X_planted, informative = planted_columns(seed)
    scores[f"table {seed}"] = {
        name: f1_score(informative, selector.fit(X_planted).get_support())
        for name, selector in selectors.items()
    }
print("F1 score of the selected columns")
print(pd.DataFrame(scores).round(2))

# %%
# All do well here; PCA depends on the number of its components. PCA and k-means are faster, so
# try them first. If columns depend on each other along straight lines, they are enough.
#
# The importances of the last table. The threshold of ``SelectFromModel`` is their mean.

fig, axes = plt.subplots(1, 3, figsize=(9, 2.8), sharey=True, layout="constrained")
for ax, name in zip(axes, ["SparseAutoencoder", "PCA(4)", "KMeans(40)"], strict=True):
    fitted = selectors[name].estimator_
    getter = selectors[name].importance_getter
    values = fitted.feature_importances_ if getter == "auto" else getter(fitted)
    values = values / values.sum()
    order = np.argsort(-values)
    for label, color, which in (("not noise", "C3", informative), ("noise", "C7", ~informative)):
        ranks = np.flatnonzero(which[order])
        ax.bar(ranks, values[order][ranks], color=color, label=label)
    ax.axhline(values.mean(), color="black", linestyle="--", linewidth=1, label="threshold")
    ax.set(title=name, xlabel="columns by rank", xticks=[])
axes[0].set_ylabel("importance")
axes[2].legend()
plt.show()
