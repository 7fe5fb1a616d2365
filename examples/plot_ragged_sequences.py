"""
Can a code say in what order things happened?
=============================================

Gestures are sequences of different lengths, and a classifier needs rows. The quick way is to use
the mean and the standard deviation of each feature, which ignore the order of the steps. A
`~skae.RecurrentAutoencoder` reads the steps one after another and gives one row per sequence. The
gestures here differ only in the order of their strokes. The baselines are two kinds of rows from
PCA.
"""

# %%
# Make gestures
# -------------
#
# A gesture has four strokes, one in each direction. There are six kinds, each with another order
# of the strokes. The data are the speeds of the pen along x and y. Hands are not machines:
# strokes differ in length, direction and duration, the pen rests for a while before and between
# them, and there is noise. So gestures take from 34 to 112 steps.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skae import RecurrentAutoencoder
from skae.inspection import LatentSpaceDisplay, ReconstructionDisplay

STROKES = {"→": (1, 0), "↑": (0, 1), "←": (-1, 0), "↓": (0, -1)}
KINDS = ("→↑←↓", "→↓←↑", "→←↑↓", "↑→↓←", "↑↓→←", "→↑↓←")


def move(kind, rng):
    """Return the speed of the pen in a gesture, an array of shape (time, 2)."""
    pieces = [np.zeros((rng.integers(16), 2))]
    for stroke in kind:
        n_steps, angle = rng.integers(5, 13), rng.normal(scale=0.15)
        sine, cosine = np.sin(angle), np.cos(angle)
        path = np.array(STROKES[stroke]) * rng.normal(1, 0.12) @ [[cosine, sine], [-sine, cosine]]
        speed = np.sin(np.pi * (np.arange(n_steps) + 0.5) / n_steps) ** 2
        pieces += [np.outer(speed / speed.sum(), path), np.zeros((rng.integers(16), 2))]
    steps = np.concatenate(pieces)
    return steps + rng.normal(scale=0.01, size=steps.shape)


rng = np.random.default_rng(0)
y = rng.integers(len(KINDS), size=1500)
gestures = [move(KINDS[kind], rng) for kind in y]
X_train, X_test, y_train, y_test = train_test_split(
    gestures, y, test_size=1 / 3, stratify=y, random_state=0
)
print(f"{len(X_train)} gestures to fit, of {min(map(len, X_train))} to {max(map(len, X_train))}")

# %%
# Four ways to make rows
# ----------------------
#
# A logistic regression classifies each kind of rows. PCA needs rows of one length: the gestures
# are either padded with zeros to the length of the longest, or stretched to 50 steps. The
# autoencoder takes the list of arrays as it is. It is fitted without labels, on the same gestures
# as PCA.
#
# Where a linear map of padded or stretched sequences restores most of them, the autoencoder starts
# its training there. It finds out by itself that this is not so here, since the same stroke may
# come at any time: the codes of these gestures come from its recurrent layers alone. Larger steps
# than by default, and fewer epochs, save time.


def moments(X):
    """Return the mean and the standard deviation of each feature."""
    return np.array([np.r_[x.mean(axis=0), x.std(axis=0)] for x in X])


def pad(X):
    """Return flat rows of one length, with zeros after the end."""
    n_steps = max(map(len, X_train))
    return np.array([np.pad(x, ((0, n_steps - len(x)), (0, 0)))[:n_steps].ravel() for x in X])


def stretch(X, n_steps=50):
    """Return flat rows of one length, interpolated between the steps."""
    position = np.linspace(0, 1, n_steps)
    return np.array(
        [np.ravel([np.interp(position, np.linspace(0, 1, len(x)), f) for f in x.T]) for x in X]
    )


rows = {
    "mean and standard deviation": FunctionTransformer(moments),
    "padded, PCA(16)": make_pipeline(FunctionTransformer(pad), PCA(16, random_state=0)),
    "stretched, PCA(16)": make_pipeline(FunctionTransformer(stretch), PCA(16, random_state=0)),
    "RecurrentAutoencoder(16)": RecurrentAutoencoder(16, lr=5e-3, max_epochs=45, random_state=0),
}
models = {
    name: make_pipeline(step, StandardScaler(), LogisticRegression(max_iter=1000))
    for name, step in rows.items()
}
accuracy = pd.Series(
    {name: model.fit(X_train, y_train).score(X_test, y_test) for name, model in models.items()}
)
print(accuracy.round(3).to_string())

# %%
# With six kinds, chance is 0.17. The mean and the standard deviation are no better: they are the
# same for all orders of the strokes. Stretched gestures with PCA are good, since the first stroke
# is always near the beginning. Padded gestures are worse, because a pause moves everything after
# it. With the codes of the autoencoder, a linear classifier makes the fewest mistakes, as it does
# with two other seeds. The comparison favors the autoencoder a little, since its epochs were chosen
# on these same gestures; and PCA takes milliseconds.
#
# In a picture
# ------------
#
# One gesture of each kind, as the pen drew it. Below it are the speeds, recorded and
# reconstructed from 16 numbers.

recurrent = models["RecurrentAutoencoder(16)"][0]
which = [np.flatnonzero(y_test == kind)[0] for kind in range(len(KINDS))]
shown = [X_test[i] for i in which]
restored = recurrent.reconstruct(shown)

fig = plt.figure(figsize=(9, 6.2), layout="constrained")
top, bottom = fig.subfigures(2, 1, height_ratios=[1.5, 1])
axes = top.subplots(3, len(KINDS), height_ratios=[1.6, 1, 1], sharey="row")
ReconstructionDisplay.from_predictions(shown, {"restored": restored}, n_samples=6, ax=axes[1:])
for ax, below, kind, steps in zip(*axes[:2], KINDS, shown, strict=True):
    path = np.cumsum(steps, axis=0)
    ax.plot(*path.T, color="0.8")
    ax.scatter(*path.T, c=np.arange(len(path)), cmap="viridis", s=8)
    ax.set(title=kind, aspect="equal", xlim=(-1.6, 1.6), ylim=(-1.6, 1.6), xticks=[], yticks=[])
    below.set_title("")
for ax, label in zip(axes[:, 0], ("path", "x speed", "y speed"), strict=True):
    ax.set_ylabel(label)
axes[1, 0].get_legend().remove()
top.suptitle("Gestures from dark to light; recorded (gray) and restored (blue)", fontsize=11)

left, right = bottom.subplots(1, 2, width_ratios=[1, 1.3])
colors = ["0.6", "0.6", "0.6", "tab:blue"]
left.barh(accuracy.index, accuracy, color=colors)
left.axvline(1 / len(KINDS), color="black", ls=":", lw=1)
left.invert_yaxis()
left.set(xlim=(0, 1), xlabel="accuracy on held-out gestures (dotted: chance)")
separate = LinearDiscriminantAnalysis(n_components=2).fit(recurrent.transform(X_train), y_train)
LatentSpaceDisplay.from_estimator(
    recurrent, X_test, [KINDS[kind] for kind in y_test], projection=separate, ax=right
)
right.set_title("Held-out codes, projected where kinds differ most", fontsize="medium")
plt.show()

# %%
# The data were made so that only the order matters. In recorded gestures the mean and the
# standard deviation also say something: try those first, and stretching. Where principal components
# restore three quarters of the variance or more, of padded or of stretched sequences, the
# autoencoder starts from them, and its codes are at first as good. ``shortcut=True`` makes it start
# there always, ``shortcut=False`` never.
