"""
How much noise can be removed from photographs?
===============================================

From pairs of a noisy and a clean picture, an `~skae.ImageToImageRegressor` learns to turn the
noisy one into the clean one. A `~skae.DenoisingAutoencoder` of convolutions needs only clean
pictures, and makes its own noise. This page compares both with filters and PCA on patches of the
two photographs that scikit-learn ships.
"""

# %%
# Patches and noise
# -----------------
#
# A network learns from many small pictures of one size, so the photographs are cut into patches
# of 32 x 32 pixels. The test patches come from a strip in the middle of each photograph.
# Overlapping patches for fitting come from the left and the right of it. It is still the same
# scene, with the same roofs and the same petals: scores on other photographs would be lower.
#
# The patches are bytes, ``uint8``, and stay so: skae reads unsigned integers as intensities from
# 0 to 1, and returns predictions as bytes. The noise is normal, with a standard deviation of 25
# in each of the three colors.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy.ndimage import gaussian_filter, median_filter
from sklearn.datasets import load_sample_images
from sklearn.decomposition import PCA

from skae import DenoisingAutoencoder, ImageToImageRegressor
from skae.architectures import Conv
from skae.metrics import psnr_score, ssim_score

photographs = [np.asarray(photograph) for photograph in load_sample_images().images]


def cut(pictures, side=32, step=32):
    """Return patches of pictures, row by row."""
    return np.stack(
        [
            picture[row : row + side, column : column + side]
            for picture in pictures
            for row in range(0, picture.shape[0] - side + 1, step)
            for column in range(0, picture.shape[1] - side + 1, step)
        ]
    )


def put_together(patches, n_columns):
    """Return the picture that the patches were cut from."""
    rows = patches.reshape(-1, n_columns, *patches.shape[1:])
    return np.concatenate([np.concatenate(row, axis=1) for row in rows])


def add_noise(images, seed):
    """Return images with normal noise, as bytes."""
    noise = np.random.default_rng(seed).normal(scale=25, size=images.shape)
    return np.clip(np.rint(images + noise), 0, 255).astype("uint8")


sides = [p[:, part] for p in photographs for part in (slice(200), slice(424, None))]
fitted = cut(sides, step=16)
test = cut([photograph[:, 216:408] for photograph in photographs])
noisy = add_noise(test, seed=0)
print(f"{len(fitted)} patches for fitting, {len(test)} for the test")

# %%
# Fit and compare
# ---------------
#
# Filters need no fit, only a width. Three widths are tried for the Gaussian filter, and the best
# on the test itself is used, which favors it. PCA works on patches of 8 x 8 pixels, since it
# needs a component for each detail at each place. It is tried with four code lengths in the same
# way.


def to_small(images, side=8):
    """Return the small patches of large ones."""
    blocks = images.reshape(len(images), 32 // side, side, 32 // side, side, 3)
    return blocks.swapaxes(2, 3).reshape(-1, side, side, 3)


def to_large(patches, side=8):
    """Return the large patches that the small ones were cut from."""
    blocks = patches.reshape(-1, 32 // side, 32 // side, side, side, 3)
    return blocks.swapaxes(2, 3).reshape(-1, 32, 32, 3)


def by_pca(n_components):
    """Return the test restored by PCA of small patches."""
    rows, noisy_rows = (
        to_small(images).reshape(-1, 8 * 8 * 3).astype("float32") for images in (fitted, noisy)
    )
    pca = PCA(n_components, svd_solver="covariance_eigh").fit(rows)
    return np.clip(to_large(pca.inverse_transform(pca.transform(noisy_rows))), 0, 255)


def best(candidates):
    """Return the name and the images of the candidate with the highest PSNR."""
    return max(candidates.items(), key=lambda item: psnr_score(test, item[1]))


widths, lengths = (0.7, 0.9, 1.1), (8, 16, 32, 64)
as_floats = noisy.astype("float32")
restored = {
    "noisy": noisy,
    "median filter": median_filter(noisy, (1, 3, 3, 1)),
    **dict([best({f"Gaussian({w})": gaussian_filter(as_floats, (0, w, w, 0)) for w in widths})]),
    **dict([best({f"PCA({n})": by_pca(n) for n in lengths})]),
}

# %%
# The denoising autoencoder has a code, as PCA does, and gets the same small patches. The
# regressor gets pairs of a noisy and a clean large patch, and flips them at random. It has no
# code that everything has to pass through. Its default loss is the absolute error. Here it is
# squared error, which is what PSNR measures.

small = cut(sides, side=8, step=8)
unpaired = DenoisingAutoencoder(
    64,
    noise_level=25 / 255,
    data_range=(0, 1),
    architecture=Conv(channels=(32,)),
    max_epochs=10,
    random_state=0,
).fit(small)
restored["DenoisingAutoencoder"] = to_large(unpaired.reconstruct(to_small(noisy)))

paired = ImageToImageRegressor(
    channels=(16, 32), flips="both", loss="squared_error", max_epochs=10, random_state=0
).fit(add_noise(fitted, seed=1), fitted)
restored["ImageToImageRegressor"] = paired.predict(noisy)

table = pd.DataFrame(
    {
        "PSNR in dB": {name: psnr_score(test, images) for name, images in restored.items()},
        "SSIM": {name: ssim_score(test, images) for name, images in restored.items()},
    }
)
print(table.round(3).to_string())

# %%
# The regressor is ahead of all. It looks at the surroundings of each pixel, as a filter does, and
# it has learned where there is an edge and where there is sky. The denoising autoencoder is ahead
# of PCA, where its training starts, and of the filters too. A code is a short description of a
# patch. It is not made for pictures where each pixel matters.
#
# In pictures
# -----------
#
# The test parts of the two photographs, put together from their patches.

shown = {"clean": test, **{name: restored[name] for name in table.index if name != "median filter"}}
fig, axes = plt.subplots(2, len(shown), figsize=(11, 5.2), layout="constrained")
n_each = len(test) // 2
for column, (name, images) in zip(axes.T, shown.items(), strict=True):
    psnr = "" if name == "clean" else f"\n{table.loc[name, 'PSNR in dB']:.1f} dB"
    column[0].set_title(
        name.replace("Autoencoder", "-\nAutoencoder").replace("Regr", "-\nRegr") + psnr,
        fontsize="small",
    )
    pictures = put_together(images, n_columns=6).astype("uint8")
    pictures = np.split(pictures, 2)
    for ax, picture, top in zip(column, pictures, (120, 100), strict=True):
        ax.imshow(picture[top : top + 160, 0:140])
        ax.set_axis_off()
plt.show()

# %%
# Fit on the noise that you have: both models were made for one standard deviation, and do not
# remove all of a stronger noise. Do not measure anything in restored pictures that the model may
# have invented. For other scenes, a model needs more and different pictures. The 60,000 digits of
# MNIST show what more data of one kind gives: there a network of 27,689 weights restores more
# from much stronger noise in 5 epochs than the example of keras.io does in 100, see
# ``docs/benchmarks.md``.
