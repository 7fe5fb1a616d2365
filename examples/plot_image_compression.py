"""
Do short codes compress pictures?
=================================

A code of a few numbers, each stored as one byte, is a compressed picture. How good is the
restored picture, and how many bytes does it take? This page compares a `~skae.ConvAutoencoder`
with PCA and an `~skae.Autoencoder` of dense layers at the same number of bytes, and with JPEG,
whose whole file is counted. There are two tasks, digits and patches of photographs, and they have
different winners.
"""

# %%
# From codes to bytes and back
# ----------------------------
#
# Each number of a code is rounded to one of 256 levels between its smallest and its largest value
# in the training pictures. The bytes are written one after another, without an entropy coder, for
# all three models alike.
#
# JPEG gets all test pictures as one sheet, because the header of a file alone, more than 600
# bytes, would be many times the size of a small picture. The whole file with its header is
# counted, and divided by the number of pictures.

import io

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from PIL import Image
from sklearn.datasets import load_digits, load_sample_images
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split

from skae import Autoencoder, ConvAutoencoder
from skae.inspection import ReconstructionDisplay


def by_codes(model, fitted, test):
    """Fit a model, and return the test pictures from codes with one byte per number."""
    shape = test.shape
    is_flat = not isinstance(model, ConvAutoencoder)
    if is_flat:
        fitted, test = (X.reshape(len(X), -1) / np.float32(255) for X in (fitted, test))
    codes = model.fit(fitted).transform(fitted)
    low, step = codes.min(axis=0), np.ptp(codes, axis=0) / 255
    in_bytes = np.clip(np.rint((model.transform(test) - low) / step), 0, 255).astype("uint8")
    restored = model.inverse_transform((low + in_bytes * step).astype("float32"))
    return np.clip(np.rint(255 * restored), 0, 255).reshape(shape) if is_flat else restored


def by_jpeg(test, quality, n_columns):
    """Return the test pictures from one JPEG file, and the bytes for each of them."""
    n_images, height, width, *colors = test.shape
    sheet = test.reshape(-1, n_columns, *test.shape[1:]).swapaxes(1, 2)
    file = io.BytesIO()
    Image.fromarray(sheet.reshape(-1, n_columns * width, *colors)).save(
        file, "JPEG", quality=quality, optimize=True
    )
    back = np.asarray(Image.open(file)).reshape(-1, height, n_columns, width, *colors)
    return back.swapaxes(1, 2).reshape(test.shape), file.tell() / n_images


def psnr(restored, test):
    """Return the peak signal-to-noise ratio in decibels, over all pixels."""
    return 10 * np.log10(255**2 / np.mean((restored.astype("float32") - test) ** 2))


# %%
# Digits
# ------
#
# Gray pictures of 8 x 8 pixels, 64 bytes each without compression. Two thirds are for fitting.
# The dense layers take flat rows, as PCA does.

digits = np.rint(load_digits().images * 255 / 16).astype("uint8")
digits_train, digits_test = train_test_split(digits, test_size=597, random_state=0)
digits_test = digits_test[:590]  # a sheet of 59 x 10

results, restored = {}, {}
for n_components in (4, 8, 16, 32):
    models = {
        "PCA": PCA(n_components),
        "Autoencoder": Autoencoder(n_components, random_state=0),
        "ConvAutoencoder": ConvAutoencoder(n_components, max_epochs=20, random_state=0),
    }
    for name, model in models.items():
        back = by_codes(model, digits_train, digits_test)
        results["digits", name, n_components] = psnr(back, digits_test)
        restored[name, n_components] = back
    if n_components == 8:
        n_weights = {"PCA": models["PCA"].components_.size + models["PCA"].mean_.size}
        for name in ("Autoencoder", "ConvAutoencoder"):
            weights = models[name].decoder_.parameters()
            n_weights[name] = sum(weight.numel() for weight in weights)
for quality in (5, 10, 20, 30, 40, 50, 70):
    back, n_bytes = by_jpeg(digits_test, quality, n_columns=10)
    results["digits", "JPEG", n_bytes] = psnr(back, digits_test)
    restored["JPEG", n_bytes] = back

# %%
# Photographs
# -----------
#
# Color patches of 16 x 16 pixels, 768 bytes each without compression. They come from the two
# photographs that scikit-learn ships. The test patches come from a strip in the middle, the
# overlapping patches for fitting from the left and the right of it.


def cut(pictures, step, side=16):
    """Return patches of pictures, row by row."""
    return np.stack(
        [
            picture[row : row + side, column : column + side]
            for picture in pictures
            for row in range(0, picture.shape[0] - side + 1, step)
            for column in range(0, picture.shape[1] - side + 1, step)
        ]
    )


photographs = [np.asarray(photograph) for photograph in load_sample_images().images]
sides = [p[:, part] for p in photographs for part in (slice(200), slice(424, None))]
patches_train = cut(sides, step=8)
patches_test = cut([photograph[:, 216:408] for photograph in photographs], step=16)

for n_components in (12, 24):
    models = {
        "PCA": PCA(n_components),
        "ConvAutoencoder": ConvAutoencoder(n_components, max_epochs=2, random_state=0),
    }
    for name, model in models.items():
        back = by_codes(model, patches_train, patches_test)
        results["photographs", name, n_components] = psnr(back, patches_test)
for quality in (5, 10, 20, 30, 40):
    back, n_bytes = by_jpeg(patches_test, quality, n_columns=12)
    results["photographs", "JPEG", n_bytes] = psnr(back, patches_test)

# %%
# Quality for each number of bytes
# --------------------------------

table = pd.Series(results, name="PSNR in dB").sort_index()
table.index.names = ["pictures", "method", "bytes"]
print(table.reset_index().astype({"PSNR in dB": float}).round(1).to_string(index=False))

# %%
# On digits, eight bytes of an autoencoder hold more than eight bytes of PCA, and more than ten
# bytes of JPEG. On such small pictures, dense layers are about as good as convolutions. Digits
# have few shapes, and a model that was fitted on digits does not have to store what they have in
# common. JPEG knows nothing about digits. It catches up at about 30 bytes, half the size of the
# uncompressed pictures.
#
# On photographs it is the other way around. JPEG is far ahead at all sizes, and with so few
# patches the network is no better than PCA. JPEG spends bytes where there is detail, and none
# where there is sky. Codes of a fixed length cannot do this.
#
# To restore pictures from codes you need the decoder. It has to be stored once, with four bytes
# for each weight:

for name, size in n_weights.items():
    print(f"{name} with 8 components: {4 * size / 1024:.0f} KiB to store")
print(f"All {len(digits)} digits without compression: {digits.nbytes / 1024:.0f} KiB")

# %%
# So for these digits a decoder takes more bytes than all of their codes. It is worth it for tens
# of thousands of pictures. And the scores are for pictures like those of the fit: for any other
# picture, the restored one is a digit.
#
# In pictures
# -----------
#
# Digits at about eight bytes, where JPEG takes a few more or less, and the curves.

n_jpeg = min((n for name, n in restored if name == "JPEG"), key=lambda n: abs(n - 8))
shown = {
    f"{name}, {n:.0f} bytes": restored[name, n]
    for name, n in [("PCA", 8), ("Autoencoder", 8), ("ConvAutoencoder", 8), ("JPEG", n_jpeg)]
}
fig = plt.figure(figsize=(9, 7.4), layout="constrained")
top, bottom = fig.subfigures(2, 1, height_ratios=[1, 1.1])
ReconstructionDisplay.from_predictions(
    digits_test, shown, n_samples=12, ax=top.subplots(5, 12), image_kw={"cmap": "gray_r"}
)
styles = {"ConvAutoencoder": "C0o-", "Autoencoder": "C1d:", "PCA": "C2s--", "JPEG": "C3^-"}
for ax, pictures in zip(bottom.subplots(1, 2), ("digits", "photographs"), strict=True):
    for name, style in styles.items():
        if (pictures, name) not in table.index.droplevel(2):
            continue
        table.loc[pictures, name].plot(ax=ax, style=style, label=name)
    ax.set(title=pictures.capitalize(), xlabel="bytes per picture", ylabel="PSNR in dB")
    ax.grid(alpha=0.3)
    ax.legend(fontsize="small")
plt.show()

# %%
# An autoencoder needs more pictures of one kind. With the 60,000 training images of MNIST it is
# fitted better, and many more pictures share the decoder. There 32 bytes restore test images of
# 28 x 28 pixels with 24.7 dB, and 32 bytes of PCA with 18.2 dB. A JPEG file with 18.9 dB takes
# 368 bytes, most of them header, and one with 29.5 dB takes 492.
