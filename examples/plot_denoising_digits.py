"""
How much noise does a denoising autoencoder remove?
===================================================

In training, a `~skae.DenoisingAutoencoder` gets damaged rows and has to return the undamaged
ones. This page adds noise to the digits that scikit-learn ships. It compares the model with three
others: PCA, which leaves out small components; a linear regression from noisy to clean pixels;
and a plain `~skae.Autoencoder`, which has seen only clean digits.
"""

# %%
# Add noise
# ---------
#
# The digits are 8 x 8 pictures with pixels from 0 to 1. The noise is normal with a standard
# deviation of 0.5, more than that of the pixels themselves, and clipped to the range of the
# pixels. Two thirds of the digits are for fitting. Everything is measured on the others.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge
from sklearn.model_selection import train_test_split

from skae import Autoencoder, DenoisingAutoencoder
from skae.inspection import ReconstructionDisplay

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X / 16, y, test_size=1 / 3, stratify=y, random_state=0
)


def add_noise(X, noise_level, seed):
    """Return the pixels with normal noise, clipped to [0, 1]."""
    noise = np.random.default_rng(seed).normal(scale=noise_level, size=X.shape)
    return np.clip(X + noise, 0, 1)


def psnr(X_restored):
    """Return the peak signal-to-noise ratio in decibels, averaged over the pictures."""
    return (-10 * np.log10(((X_restored - X_test) ** 2).mean(axis=1))).mean()


noise_level = 0.5
X_noisy = add_noise(X_test, noise_level, seed=0)
print(f"Standard deviation of the pixels: {X_train.std(axis=0).mean():.2f}")
print(f"PSNR of the noisy digits: {psnr(X_noisy):.2f} dB")

# %%
# Fit and compare
# ---------------
#
# The denoising autoencoder gets the clean digits and makes new noise in every epoch:
# ``noise_level`` is that of the task, and ``data_range`` clips as the task does. The regression
# needs a noisy copy. All models except the regression have a code, and its length determines how
# much of the noise gets through. So each is tried with several lengths.

models = {}
for n_components in (8, 16, 32):
    models["PCA", n_components] = PCA(n_components)
    models["Autoencoder", n_components] = Autoencoder(n_components, random_state=0)
    models["DenoisingAutoencoder", n_components] = DenoisingAutoencoder(
        n_components,
        noise_level=noise_level,
        data_range=(0, 1),
        random_state=0,
    )
restored = {}
for key, model in models.items():
    model.fit(X_train)
    restored[key] = np.clip(model.inverse_transform(model.transform(X_noisy)), 0, 1)

ridge = Ridge().fit(add_noise(X_train, noise_level, seed=1), X_train)
X_ridge = np.clip(ridge.predict(X_noisy), 0, 1)

table = pd.Series({key: psnr(X_back) for key, X_back in restored.items()}).unstack(0)
table.index.name = "n_components"
print(table.round(2))
print(f"Linear regression from noisy to clean pixels: {psnr(X_ridge):.2f}")

# %%
# PCA and the plain autoencoder need a short code to keep the noise out, and a short code loses
# detail. The plain autoencoder is no better than PCA: noisy digits are unlike everything that it
# has learned from. The denoising autoencoder is ahead of both, and of the regression, by more
# than one decibel. A longer code does not hurt it: it removes noise by what it has learned, not
# because the code is too short for noise.
#
# Other noise levels
# ------------------
#
# A model that was trained for one noise level is best at that level. If the level varies or is
# not known, give ``noise_level`` a range. Then each batch draws its level from the range.

ranged = DenoisingAutoencoder(32, noise_level=(0.0, 0.8), data_range=(0, 1), random_state=0).fit(
    X_train
)
denoisers = {
    "PCA(8)": lambda X: models["PCA", 8].inverse_transform(models["PCA", 8].transform(X)),
    "noise_level=0.5": models["DenoisingAutoencoder", 32].reconstruct,
    "noise_level=(0, 0.8)": ranged.reconstruct,
}
levels = pd.DataFrame(
    {
        name: {
            level: psnr(np.clip(denoise(add_noise(X_test, level, seed=2)), 0, 1))
            for level in (0.1, 0.3, 0.5, 0.7)
        }
        for name, denoise in denoisers.items()
    }
).rename_axis("noise level of the test")
print(levels.round(2))

# %%
# The range loses a little at the level that the other model was trained for, and gains where
# there is less noise.
#
# In pictures
# -----------
#
# Each method has the code length that was best for it on these same digits. This favors the
# baselines and the model alike.

best = {name: (name, table[name].idxmax()) for name in table}
shown = {
    "noisy": X_noisy,
    f"PCA({best['PCA'][1]})": restored[best["PCA"]],
    "regression": X_ridge,
    f"Autoencoder({best['Autoencoder'][1]})": restored[best["Autoencoder"]],
    f"Denoising-\nAutoencoder({best['DenoisingAutoencoder'][1]})": restored[
        best["DenoisingAutoencoder"]
    ],
}
fig = plt.figure(figsize=(9, 7.4), layout="constrained")
top, bottom = fig.subfigures(2, 1, height_ratios=[1.5, 1])
ReconstructionDisplay.from_predictions(
    X_test,
    {f"{name}\n{psnr(pictures):.1f} dB": pictures for name, pictures in shown.items()},
    image_shape=(8, 8),
    selection=[np.flatnonzero(y_test == digit)[0] for digit in range(10)],
    ax=top.subplots(6, 10),
    image_kw={"cmap": "gray_r"},
)

ax_length, ax_level = bottom.subplots(1, 2)
table.plot(ax=ax_length, marker="o", xticks=table.index)
ax_length.axhline(psnr(X_ridge), color="gray", linestyle="--", label="regression")
ax_length.set(title="Noise level 0.5", ylabel="PSNR in dB")
levels.plot(ax=ax_level, marker="o", xticks=levels.index)
ax_level.set(title="Other noise levels", ylabel="PSNR in dB")
for ax in (ax_length, ax_level):
    ax.grid(alpha=0.3)
    ax.legend(fontsize="small")
plt.show()

# %%
# What was removed is not always noise: a rare stroke may disappear, and a usual stroke may appear
# where there was none. Do not measure anything on restored pictures that the model may have
# invented.
