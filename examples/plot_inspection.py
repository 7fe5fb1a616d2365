"""
See what a model has learned
============================

Five displays answer the first questions about a fitted autoencoder: has the training ended well,
what is lost in the reconstruction, where do samples lie in the code, what do the components of the
code mean, and how many of them are worth it? They follow scikit-learn's rules:
``from_estimator`` draws, and the display keeps the axes and what is drawn.
"""

# %%
# Has the training ended well?
# ----------------------------
#
# The digits are 8 x 8 pictures. `~skae.inspection.LossCurveDisplay` draws the loss of the training
# samples and that of the validation samples. The star is the epoch whose weights were restored.
# Beside it are three learning rates, fitted at once.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skae import Autoencoder, TabularAutoencoder, VariationalAutoencoder, fit_many
from skae.inspection import (
    ComponentsDisplay,
    LatentSpaceDisplay,
    LatentTraversalDisplay,
    LossCurveDisplay,
    ReconstructionDisplay,
)

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X / 16, y, random_state=0)

rates = (1e-4, 1e-3, 1e-1)
models = fit_many(
    [Autoencoder(8, lr=lr, max_epochs=30, check_baseline=False, random_state=0) for lr in rates],
    X_train,
)
model = models[1]

fig, axes = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
LossCurveDisplay.from_estimator(model, ax=axes[0])
by_rate = dict(zip((f"lr={lr:g}" for lr in rates), models, strict=True))
LossCurveDisplay.from_estimator(by_rate, ax=axes[1])
plt.show()

# %%
# What is lost?
# -------------
#
# The held-out digits with the largest errors. The columns are pixels, so ``image_shape`` says that
# they are pictures. For a `~skae.ConvAutoencoder` this is known.

ReconstructionDisplay.from_estimator(model, X_test, image_shape=(8, 8), selection="worst")
plt.show()

# %%
# Where do samples lie?
# ---------------------
#
# The first two of the eight codes, colored by digit, and two principal components of all eight,
# colored by the score: dark points are restored badly.

fig, axes = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
LatentSpaceDisplay.from_estimator(model, X_test, y_test, y_name="digit", ax=axes[0])
LatentSpaceDisplay.from_estimator(model, X_test, "score", projection="pca", ax=axes[1])
plt.show()

# %%
# What do the components mean?
# ----------------------------
#
# Each row changes one component from its 5 % to its 95 % quantile, and leaves the others at their
# medians.

LatentTraversalDisplay.from_estimator(model, X_train, image_shape=(8, 8), layout="rows")
plt.show()

# %%
# A `~skae.VariationalAutoencoder` with two components has a prior to take codes from.

vae = VariationalAutoencoder(2, likelihood="bernoulli", random_state=0).fit(X_train)
LatentTraversalDisplay.from_estimator(vae, image_shape=(8, 8))
plt.show()

# %%
# How many components?
# --------------------
#
# On the left, clones with 1, 2, 4, 8 and 16 components are fitted and scored on held-out samples.
# On the right nothing is fitted: the first codes of the fitted model are decoded, with the others
# at their means. A net that is trained with few codes does more with them.

fig, axes = plt.subplots(1, 2, figsize=(10, 3.8), sharey=True, layout="constrained")
ComponentsDisplay.from_estimator(model, X_train, n_components=(1, 2, 4, 8, 16), ax=axes[0])
ComponentsDisplay.from_estimator(model, X_train, X_test=X_test, ax=axes[1])
plt.show()

# %%
# Tables
# ------
#
# Rows of a table have a panel each, with the columns below each other, in standard deviations
# and, on the right, in their own units. Decoded codes are heat maps. These customers have a job
# that depends on their age, and an income that depends on both.

rng = np.random.default_rng(0)
age = rng.integers(18, 66, size=1000)
job = np.where(age < 25, "student", np.where(rng.random(1000) < 0.3, "manager", "clerk"))
customers = pd.DataFrame(
    {
        "age": age,
        "job": job,
        "income": 500 * age + 30_000 * (job == "manager") + rng.normal(scale=2000, size=1000),
        "since": pd.Timestamp("2020-01-01") + pd.to_timedelta(60 * age, unit="D"),
        "visits": rng.poisson(age / 10),
    }
)
tabular = TabularAutoencoder(2, max_epochs=40, random_state=0).fit(customers)
ReconstructionDisplay.from_estimator(tabular, customers, selection="worst")
plt.show()

# %%
# Codes of tables are decoded to heat maps, one for each column.

LatentTraversalDisplay.from_estimator(tabular, customers)
plt.show()

# %%
# The other displays are about outliers, series and translations: see :ref:`inspection`.
