"""
How do I train my own layers?
=============================

An architecture is any object with one method, ``build``, which returns an encoder and a decoder.
Training, scoring, grid search and pickling then work as for the layers of skae. Here the layers
are residual blocks, and the question is whether their shortcuts help in a deeper autoencoder.
"""

# %%
# Write the architecture
# ----------------------
#
# ``build`` gets the shape of one sample, the width of the encoder's output and the width of the
# decoder's input. ``BaseEstimator`` is not required as a base class. But with it, the
# constructor's arguments become parameters that a grid search can set.
#
# In your own project, put such a class into a module that can be imported: a model that is
# pickled, or sent to another process by ``n_jobs``, has to find the class again.

import matplotlib.pyplot as plt
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, train_test_split
from torch import nn

from skae import Autoencoder
from skae.architectures import Dense


class Block(nn.Module):
    """Two layers and a shortcut around them."""

    def __init__(self, width):
        super().__init__()
        self.layers = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width)
        )

    def forward(self, x):
        return x + self.layers(x)


class Residual(BaseEstimator):
    """Architecture of residual blocks, for rows of numbers."""

    def __init__(self, n_blocks=2, width=64):
        self.n_blocks = n_blocks
        self.width = width

    def build(self, input_shape, encoder_width, code_width):
        (n_features,) = input_shape
        return self._stack(n_features, encoder_width), self._stack(code_width, n_features)

    def _stack(self, n_inputs, n_outputs):
        blocks = [Block(self.width) for _ in range(self.n_blocks)]
        return nn.Sequential(
            nn.Linear(n_inputs, self.width), nn.ReLU(), *blocks, nn.Linear(self.width, n_outputs)
        )


# %%
# Search over its parameters
# --------------------------
#
# The number of blocks is ``architecture__n_blocks``. Plain layers go through the same search:
# ``Dense`` without its own shortcut. It has one hidden layer for the first layer of a residual
# stack and two for each block, so both have the same depth and almost the same number of weights.

X = load_digits().data / 16  # pixels from 0 to 1
X_train, X_test = train_test_split(X, test_size=1 / 3, random_state=0)

n_blocks = [0, 1, 3]
autoencoder = Autoencoder(
    n_components=8, batch_size=32, max_epochs=40, check_baseline=False, random_state=0
)
searches = {
    "residual blocks": GridSearchCV(
        autoencoder.set_params(architecture=Residual()),
        {"architecture__n_blocks": n_blocks},
        cv=2,
        n_jobs=2,
    ).fit(X_train),
    "plain layers": GridSearchCV(
        autoencoder.set_params(architecture=Dense(shortcut=False)),
        {"architecture__hidden_layer_sizes": [(64,) * (1 + 2 * n) for n in n_blocks]},
        cv=2,
        n_jobs=2,
    ).fit(X_train),
}
table = pd.DataFrame(
    {name: search.cv_results_["mean_test_score"] for name, search in searches.items()},
    index=pd.Index([1 + 2 * n for n in n_blocks], name="hidden layers"),
)
print(table.round(3))

# %%
# The best of each, and PCA, on rows that were not used in the search:

pca = PCA(8).fit(X_train)
X_pca = pca.inverse_transform(pca.transform(X_test))
held_out = {name: search.score(X_test) for name, search in searches.items()}
held_out["PCA"] = r2_score(X_test, X_pca, multioutput="variance_weighted")
print(pd.Series(held_out, name="held-out R2").round(3).to_string())

# %%
# In the same number of epochs, plain layers get worse with more depth. With shortcuts, the deeper
# stacks are at least as good as the shallow one. The ``Dense`` architecture of skae has one
# shortcut around all of its hidden layers, unless ``shortcut=False``.

ax = table.plot(marker="o", figsize=(6, 3.5), xticks=table.index)
ax.set(ylabel="R2, cross-validated", title="8 components for 64 columns")
ax.grid(alpha=0.3)
plt.tight_layout()
plt.show()
