"""
Few images: show many versions of each
======================================

A network with thousands of weights learns 60 images by heart. Then it restores these well, and all
others badly. Augmentation shows it another version of each image in every epoch: mirrored, moved
by a pixel, turned a little. This example trains a `~skae.ConvAutoencoder` on 60 faces, with and
without augmentation, and compares both with PCA on 40 other faces.
"""

# %%
# The faces
# ---------
#
# scikit-image brings 100 faces of 25 x 25 pixels. A mirrored face is a face too, and so is one
# that is turned by a few degrees.
import matplotlib.pyplot as plt
import numpy as np
from skimage.data import lfw_subset
from sklearn.decomposition import PCA

from skae import ConvAutoencoder

faces = lfw_subset()[:100].astype("float32")
X_train, X_test = faces[:60], faces[60:]
print(faces.shape)

# %%
# Two networks
# ------------
#
# Both have 24 numbers for a face. Training starts at PCA. The error on the test faces is recorded
# after each epoch; no epoch is chosen by it.
params = {
    "max_epochs": 120,
    "early_stopping": False,
    "check_baseline": False,
    "random_state": 0,
}
changes = {"flips": "horizontal", "max_shift": 1, "max_rotation": 10}
models = {
    "without": ConvAutoencoder(24, **params).fit(X_train, X_val=X_test),
    "with augmentation": ConvAutoencoder(24, **params, **changes).fit(X_train, X_val=X_test),
}

flat_train, flat_test = (X.reshape(len(X), -1) for X in (X_train, X_test))
pca = PCA(24, random_state=0).fit(flat_train)
of_pca = pca.inverse_transform(pca.transform(flat_test)).reshape(X_test.shape)


def error(X, restored):
    return float(((restored - X) ** 2).mean())


print(f"{'':20}{'training faces':>16}{'other faces':>13}")
for name, model in models.items():
    errors = [error(X, model.reconstruct(X)) for X in (X_train, X_test)]
    print(f"{name:20}{errors[0]:16.5f}{errors[1]:13.5f}")
print(f"{'PCA':20}{'':16}{error(X_test, of_pca):13.5f}")

# %%
# What happens in training
# ------------------------
#
# Without augmentation, the network only gets worse at other faces, from the first epochs on.
fig, ax = plt.subplots(figsize=(6, 3.5), layout="constrained")
for name, model in models.items():
    ax.plot(model.history_[:, "valid_loss"], label=name)
ax.axhline(error(X_test, of_pca), color="gray", linestyle="--", label="PCA")
ax.set(xlabel="epoch", ylabel="error on other faces")
ax.legend()

# %%
# Faces that no network has seen, and what each makes of them. With augmentation they are smooth: a
# network that cannot know a detail does better to leave it out.
rows = {"original": X_test, "PCA": of_pca}
rows |= {name: model.reconstruct(X_test) for name, model in models.items()}
fig, axes = plt.subplots(len(rows), 8, figsize=(8, 4.2), layout="constrained")
for line, (name, images) in zip(axes, rows.items(), strict=True):
    for ax, image in zip(line, images[:8], strict=True):
        ax.imshow(np.clip(image, 0, 1), cmap="gray", vmin=0, vmax=1)
        ax.set(xticks=[], yticks=[])
    line[0].set_ylabel(name, rotation=0, ha="right", va="center")
plt.show()
