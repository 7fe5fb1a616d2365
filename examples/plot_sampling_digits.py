"""
What does a variational autoencoder draw?
=========================================

A `~skae.VariationalAutoencoder` learns a distribution of the rows, so you can draw new ones from
it. This page draws digits: from a map of two components, and from longer codes. It compares them
with two densities of scikit-learn, probabilistic PCA and a mixture of Gaussians. The last part
compares the three by the likelihood of held-out digits.
"""

# %%
# A map of two components
# -----------------------
#
# Pixels from 0 to 1 suit ``likelihood="bernoulli"``. The codes of all rows together are kept near
# a standard normal distribution, so any point near the origin decodes to something like a digit.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import r2_score
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier

from skae import VariationalAutoencoder
from skae.inspection import LatentSpaceDisplay, LatentTraversalDisplay

digits = load_digits()
X_train, X_test, y_train, y_test = train_test_split(
    digits.data / 16, digits.target, test_size=1 / 3, stratify=digits.target, random_state=0
)

flat = {
    "PCA": PCA(2),
    "VariationalAutoencoder": VariationalAutoencoder(2, likelihood="bernoulli", random_state=0),
}
for name, model in flat.items():
    codes, codes_test = model.fit(X_train).transform(X_train), model.transform(X_test)
    r2 = r2_score(X_test, model.inverse_transform(codes_test), multioutput="variance_weighted")
    neighbors = KNeighborsClassifier(15).fit(codes, y_train)
    accuracy = neighbors.score(codes_test, y_test)
    print(f"{name:22}  R2 {r2:.2f}, accuracy of neighbors in the map {accuracy:.2f}")

# %%
# The codes of held-out digits, and the pictures that a grid of codes decodes to.

fig, (*maps, ax_grid) = plt.subplots(1, 3, figsize=(11, 3.6), layout="constrained")
for ax, (name, model) in zip(maps, flat.items(), strict=True):
    LatentSpaceDisplay.from_estimator(model, X_test, y_test, y_name="digit", ax=ax)
    ax.set_title(name)
LatentTraversalDisplay.from_estimator(
    flat["VariationalAutoencoder"],
    image_shape=(8, 8),
    quantiles=(0.01, 0.99),
    n_steps=9,
    ax=ax_grid,
)
ax_grid.set_title("What its codes decode to")
plt.show()

# %%
# Draw digits
# -----------
#
# Two components are too few for a sharp digit. The next model has 16 and a ``beta`` of 0.3, which
# lets the codes keep more information. Gray values are not only zeros and ones, so their
# Bernoulli likelihood is not a true one, and ``beta=1`` is not the only right value. The codes
# then follow the prior less closely, and you can choose where to draw them from: the prior, or a
# mixture of Gaussians that is fitted to the codes. ``noise=False`` gives the expected pixels;
# with noise, every pixel would be 0 or 1.
#
# There are two baselines. Probabilistic PCA with as many components shows what a linear model
# does, and a mixture fitted to the pixels shows what a model without codes does. The measure is
# the fraction of the drawings that a classifier of digits is sure of. It does not say how many
# kinds of digits there are among them, or how much they differ from the fitted ones.

vae = VariationalAutoencoder(16, likelihood="bernoulli", beta=0.3, random_state=0).fit(X_train)
print(f"{vae.n_active_units_} of {vae.n_components_} components vary with the digit")
codes_density = GaussianMixture(10, random_state=0).fit(vae.transform(X_train))
pixels_density = GaussianMixture(10, reg_covar=1e-3, random_state=0).fit(X_train)
pca = PCA(16).fit(X_train)


def sample_pca(n_samples):
    """Return rows of probabilistic PCA without its noise."""
    std = np.sqrt(pca.explained_variance_ - pca.noise_variance_)
    codes = np.random.default_rng(0).normal(size=(n_samples, 16)) * std
    return pca.inverse_transform(codes)


n_drawings = 1000
rng = np.random.default_rng(0)
drawings = {
    "held-out digits": X_test,
    "PCA": sample_pca(n_drawings),
    "mixture on pixels": rng.permutation(pixels_density.sample(n_drawings)[0]),
    "autoencoder, prior": vae.sample(n_drawings, noise=False),
    "autoencoder, mixture": rng.permutation(
        vae.sample(n_drawings, density=codes_density, noise=False)
    ),
}
classifier = LogisticRegression(max_iter=1000).fit(X_train, y_train)
sure = {
    name: (classifier.predict_proba(np.clip(X, 0, 1)).max(axis=1) > 0.9).mean()
    for name, X in drawings.items()
}
print(pd.Series(sure, name="fraction above 0.9").round(2).to_string())

fig, axes = plt.subplots(len(drawings), 16, figsize=(9, 3.2), layout="constrained")
for axes_row, (name, X) in zip(axes, drawings.items(), strict=True):
    label = f"{name}\n{sure[name]:.0%} sure"
    axes_row[0].set_ylabel(label, rotation=0, ha="right", va="center", fontsize="small")
    for ax, picture in zip(axes_row, X, strict=False):
        ax.imshow(picture.reshape(8, 8), cmap="gray_r", vmin=0, vmax=1)
        ax.set(xticks=[], yticks=[])
plt.show()

# %%
# The mixture gives more digits and fewer in-betweens than the prior, which also has room between
# the digits.
#
# Compare likelihoods
# -------------------
#
# Densities are compared by the log-likelihood of held-out rows. This needs numbers that have a
# density. Pixels with only 17 values have none, because any model could put spikes on them. The
# usual solution adds uniform noise to fill the gaps between the values. The variational
# autoencoder then has a Gaussian likelihood whose variance it learns. PCA has its likelihood in
# closed form. That of the autoencoder is estimated from below by importance sampling. The
# evidence lower bound, which was used in training, is lower still.


def fill_gaps(X, seed):
    """Return pixels from 0 to 1 that are spread evenly within their steps."""
    return (16 * X + np.random.default_rng(seed).random(X.shape)) / 17


Z_train, Z_test = fill_gaps(X_train, 0), fill_gaps(X_test, 1)
pca = PCA(16).fit(Z_train)
vae = VariationalAutoencoder(16, random_state=0).fit(Z_train)
mixture = GaussianMixture(10, reg_covar=1e-3, random_state=0).fit(Z_train)
likelihoods = {
    "probabilistic PCA, 16 components": pca.score(Z_test),
    "VariationalAutoencoder, lower bound": vae.elbo(Z_test).mean(),
    "VariationalAutoencoder, 200 draws": vae.log_likelihood(Z_test, n_samples=200).mean(),
    "mixture of 10 Gaussians on pixels": mixture.score(Z_test),
}
print("Log-likelihood of a held-out digit, in nats")
print(pd.Series(likelihoods).round(1).to_string())
print(f"Noise variance: PCA {pca.noise_variance_:.4f}, autoencoder {vae.noise_variance_:.4f}")

# %%
# The autoencoder is a better density than the linear model that it started from. The mixture is
# better than both: it has a variance for each pixel, and many pixels at the edge hardly vary,
# while the other two have one noise variance for all. If you need the density of such a small
# table, fit a ``GaussianMixture``.
