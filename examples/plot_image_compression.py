"""
How few bytes does a picture need?
==================================

A `~skae.CompressiveAutoencoder` makes bytes of pictures, and pictures of bytes. How good are these,
and how many bytes do they take? Each model is a point on a curve of rate and distortion. This page
draws such curves beside those of linear codes and of JPEG. There are two tasks, digits and patches
of photographs, and JPEG does very differently on them.
"""

# %%
# To bytes and back
# -----------------
#
# ``rate_weight`` says how much a bit counts beside the squared error. Codes are rounded, and a
# range coder makes bytes of them. The linear models are the same without hidden layers: rounded
# codes as of PCA, with the same coder.
#
# JPEG gets all test pictures as one sheet, because the header of a file alone, more than 300
# bytes, would be many times the size of a small picture. For all methods, all bytes are
# counted with their header, and divided by the number of pictures.

import io

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from PIL import Image
from sklearn.datasets import load_digits, load_sample_images
from sklearn.model_selection import train_test_split

from skae import CompressiveAutoencoder
from skae.architectures import Dense
from skae.inspection import ReconstructionDisplay


def by_model(rows, test, rate_weight, hidden_layer_sizes=(128,), max_epochs=20):
    """Fit a model to rows; return test rows after a way through bytes, and their number."""
    model = CompressiveAutoencoder(
        rows.shape[1],
        rate_weight=rate_weight,
        architecture=Dense(hidden_layer_sizes),
        batch_size=64,
        max_epochs=max_epochs,
        random_state=0,
    ).fit(rows)
    packed = model.compress(test)
    return np.clip(np.rint(255 * model.decompress(packed)), 0, 255), len(packed)


def by_jpeg(test, quality, n_columns):
    """Return the test pictures from one JPEG file, and its bytes."""
    height, width, *colors = test.shape[1:]
    sheet = test.reshape(-1, n_columns, *test.shape[1:]).swapaxes(1, 2)
    file = io.BytesIO()
    Image.fromarray(sheet.reshape(-1, n_columns * width, *colors)).save(
        file, "JPEG", quality=quality, optimize=True
    )
    back = np.asarray(Image.open(file)).reshape(-1, height, n_columns, width, *colors)
    return back.swapaxes(1, 2).reshape(test.shape), file.tell()


def psnr(restored, test):
    """Return the peak signal-to-noise ratio in decibels, over all pixels."""
    return 10 * np.log10(255**2 / np.mean((restored.astype("float32") - test) ** 2))


# %%
# Digits
# ------
#
# Gray pictures of 8 x 8 pixels, 64 bytes each without compression. Two thirds are for fitting.

digits = np.rint(load_digits().images * 255 / 16).astype("uint8")
digits_train, digits_test = train_test_split(digits, test_size=597, random_state=0)
digits_test = digits_test[:590]  # a sheet of 59 x 10
rows_train, rows_test = (X.reshape(-1, 64) / np.float32(255) for X in (digits_train, digits_test))

results, restored = [], {}
for rate_weight in (0.1, 0.03, 0.01, 0.003):
    for name, layers in (("autoencoder", (128,)), ("linear", ())):
        rows, n_bytes = by_model(rows_train, rows_test, rate_weight, layers)
        back = rows.reshape(digits_test.shape)
        results.append(("digits", name, n_bytes / 590, psnr(back, digits_test)))
        restored[name, n_bytes / 590] = back
for quality in (1, 5, 10, 20, 30, 40, 50):
    back, n_bytes = by_jpeg(digits_test, quality, n_columns=10)
    results.append(("digits", "JPEG", n_bytes / 590, psnr(back, digits_test)))
    restored["JPEG", n_bytes / 590] = back

# %%
# Photographs
# -----------
#
# The two photographs that scikit-learn ships. A strip in the middle is for the test, what is to the
# left and the right of it for the fit. A picture is a patch of 16 x 16 pixels, 768 bytes without
# compression. The models cut it into blocks of 8 x 8 pixels, as JPEG does.


def blocks(pictures, side, step):
    """Return the blocks of pictures."""
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
strips = [photograph[:416, 216:408] for photograph in photographs]
fitted = blocks(sides, side=8, step=8).reshape(-1, 192) / np.float32(255)
test = blocks(strips, side=8, step=8)
rows_of_test = test.reshape(-1, 192) / np.float32(255)
n_patches = len(test) / 4

for rate_weight in (0.01, 0.003, 0.001):
    for name, layers in (("autoencoder", (128,)), ("linear", ())):
        rows, n_bytes = by_model(fitted, rows_of_test, rate_weight, layers, max_epochs=6)
        score = psnr(rows.reshape(test.shape), test)
        results.append(("photographs", name, n_bytes / n_patches, score))
for quality in (5, 10, 20, 30, 50, 70, 85):
    back, n_bytes = by_jpeg(np.stack(strips), quality, n_columns=1)
    results.append(("photographs", "JPEG", n_bytes / n_patches, psnr(back, np.stack(strips))))

# %%
# Quality for each number of bytes
# --------------------------------

columns = ["pictures", "method", "bytes", "PSNR in dB"]
table = pd.DataFrame(results, columns=columns).sort_values(columns[:3])
print(table.round(1).to_string(index=False))

# %%
# On digits, 9 bytes of the autoencoder restore better than 23 bytes of JPEG. Digits have few
# shapes, and a model that was fitted on digits does not have to store what they have in common.
# JPEG knows nothing about digits, and is made for larger pictures.
#
# On photographs JPEG is ahead, by about one decibel at the same bytes, although this model is
# fitted on parts of the same photographs. JPEG predicts the mean color of a block from the one
# before, while the model stores each block by itself.
#
# Hidden layers gain only a tenth of a decibel here. What counts most is a linear transform that is
# made for the data, and frequencies of codes that are learned from it.
#
# To restore pictures you need the decoder. It has to be stored once, with four bytes for each
# weight, and frequencies, too. So a model is worth it for tens of thousands of pictures. And it is
# for pictures like those of the fit: others take more bytes.
#
# In pictures
# -----------
#
# Digits at about nine bytes, where JPEG takes a few more, and the curves.


def nearest(method, n_bytes):
    """Return the number of bytes of a method that is nearest to another one."""
    return min((n for name, n in restored if name == method), key=lambda n: abs(n - n_bytes))


shown = {
    f"{name}, {nearest(name, 9):.1f} bytes": restored[name, nearest(name, 9)]
    for name in ("autoencoder", "linear", "JPEG")
}
fig = plt.figure(figsize=(9, 6.8), layout="constrained")
top, bottom = fig.subfigures(2, 1, height_ratios=[1, 1.25])
ReconstructionDisplay.from_predictions(
    digits_test, shown, n_samples=12, ax=top.subplots(4, 12), image_kw={"cmap": "gray_r"}
)
styles = {"autoencoder": "C0o-", "linear": "C2s--", "JPEG": "C3^-"}
for ax, (pictures, part) in zip(bottom.subplots(1, 2), table.groupby("pictures"), strict=True):
    for name, style in styles.items():
        line = part[part.method == name]
        ax.plot(line["bytes"], line["PSNR in dB"], style, label=name)
    ax.set(title=pictures.capitalize(), xlabel="bytes per picture", ylabel="PSNR in dB")
    ax.grid(alpha=0.3)
    ax.legend(fontsize="small")
plt.show()
