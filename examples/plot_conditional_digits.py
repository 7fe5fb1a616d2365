"""
Draw the digit that is asked for
================================

A `~skae.VariationalAutoencoder` that is fitted with a ``condition`` draws samples for given values
of it. Here the condition is the digit that an image shows. The codes then hold what the digit does
not say: how it is written. This page draws digits, checks them by a classifier, writes them in the
hand of others, and looks at what the codes still tell about the digit.
"""

# %%
# Fit with a condition
# --------------------
#
# Integers with few different values are categories, and so are text and booleans. The labels go
# to ``condition``, not to ``y``, which autoencoders ignore. A ``beta`` of 0.3 lets the codes keep
# more of the writing.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier

from skae import VariationalAutoencoder

digits = load_digits()
X_train, X_test, y_train, y_test = train_test_split(
    digits.data / 16, digits.target, test_size=1 / 3, stratify=digits.target, random_state=0
)
model = VariationalAutoencoder(8, likelihood="bernoulli", beta=0.3, random_state=0)
model.fit(X_train, condition=y_train)

# %%
# Ask for digits
# --------------
#
# ``conditions`` holds one value for each new sample, or one for all. Each column below is a digit
# that was asked for.


def show(images, n_rows, title):
    fig, axes = plt.subplots(n_rows, 10, figsize=(6, 0.6 * n_rows + 0.4), layout="constrained")
    for ax, image in zip(axes.flat, images, strict=True):
        ax.imshow(image.reshape(8, 8), cmap="gray_r", vmin=0, vmax=1)
        ax.set_axis_off()
    fig.suptitle(title)
    plt.show()


asked = np.tile(np.arange(10), 6)
show(model.sample(conditions=asked, noise=False), 6, "Digits that were asked for, from 0 to 9")

# %%
# Are they recognized?
# --------------------
#
# A classifier that has seen only real digits says which digit each one shows. The pixels of real
# digits are gray, and draws from the likelihood are black or white, so they look less like real
# ones.

classifier = KNeighborsClassifier(3).fit(X_train, y_train)
asked = np.repeat(np.arange(10), 100)
accuracy = {
    "real test digits": classifier.score(X_test, y_test),
    "expected pixels, noise=False": classifier.score(
        model.sample(conditions=asked, noise=False), asked
    ),
    "pixels drawn from the likelihood": classifier.score(model.sample(conditions=asked), asked),
}
print(pd.Series(accuracy).round(3).to_string())

# %%
# The same hand, another digit
# ----------------------------
#
# ``reconstruct`` with ``to`` encodes a sample under its own condition and decodes it under another
# one. Where the condition is a scanner, a site or a batch, this takes the difference between them
# out of the samples. Here the first column is a test digit, and the row behind it shows the digits
# from 1 to 9 in the same hand: as bold, as wide, as slanted.

of_zero = np.flatnonzero(y_test == 0)[:5]
rows = []
for image in X_test[of_zero]:
    others = model.reconstruct(np.tile(image, (9, 1)), condition=0, to=np.arange(1, 10))
    rows.append(np.vstack([image, others]))
show(np.concatenate(rows), 5, "Test digits (left), and others in the same hand")

# %%
# What the codes are free of
# --------------------------
#
# The codes of a model without a condition have to tell which digit it is. Those of the conditional
# model need not, and hold other things in its place. A classifier of codes shows it; one digit in
# ten is right by chance.

plain = VariationalAutoencoder(8, likelihood="bernoulli", beta=0.3, random_state=0).fit(X_train)
codes = {
    "without a condition": (plain.transform(X_train), plain.transform(X_test)),
    "with the digit as condition": (
        model.transform(X_train, condition=y_train),
        model.transform(X_test, condition=y_test),
    ),
}
told = {
    name: LogisticRegression(max_iter=1000).fit(Z_train, y_train).score(Z_test, y_test)
    for name, (Z_train, Z_test) in codes.items()
}
print("Accuracy of a linear classifier of the codes:")
print(pd.Series(told).round(2).to_string())
