"""
Can short codes tell what a text is about?
==========================================

Tf-idf turns a text into thousands of columns, nearly all of them zero. ``TruncatedSVD`` is the
usual way to shorten such rows. An autoencoder takes the same sparse matrix at the same place in a
pipeline. The matrix is made dense only one batch at a time.
"""

# %%
# Texts from scikit-learn
# -----------------------
#
# The texts are scikit-learn's own docstrings, and their topic is the module they come from:
# ``metrics``, ``cluster``, ``linear_model`` and so on. The topics are used to evaluate the codes,
# never to fit them.

import matplotlib.pyplot as plt
import pandas as pd
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.discovery import all_estimators, all_functions

from skae import Autoencoder
from skae.architectures import Dense
from skae.inspection import LatentSpaceDisplay

corpus = pd.DataFrame(
    [(item.__module__.split(".")[1], item.__doc__) for _, item in all_estimators()]
    + [(item.__module__.split(".")[1], item.__doc__) for _, item in all_functions()],
    columns=["topic", "text"],
)
corpus = corpus.dropna()
corpus = corpus[corpus["topic"].isin(corpus["topic"].value_counts().index[:8])]
print(corpus["topic"].value_counts().to_string())

# %%
# Codes of equal length
# ---------------------
#
# A nearest-neighbor classifier predicts the topic of a held-out text from its code. It does well
# if texts on one topic have similar codes.


def pipeline(reducer):
    """Return a pipeline from texts to codes of equal scale."""
    tfidf = TfidfVectorizer(sublinear_tf=True, min_df=2, max_features=1500)
    return make_pipeline(tfidf, reducer, StandardScaler())


def reducers(n_components):
    autoencoder = Autoencoder(
        n_components, architecture=Dense((64,)), max_epochs=40, random_state=0
    )
    return {
        "TruncatedSVD": TruncatedSVD(n_components, random_state=0),
        "Autoencoder": autoencoder,
    }


folds = StratifiedKFold(3, shuffle=True, random_state=0)
accuracy = {
    n_components: {
        name: cross_val_score(
            make_pipeline(pipeline(reducer), KNeighborsClassifier()),
            corpus["text"],
            corpus["topic"],
            cv=folds,
        ).mean()
        for name, reducer in reducers(n_components).items()
    }
    for n_components in (2, 16)
}
accuracy = pd.DataFrame(accuracy).T.rename_axis("n_components")
print(accuracy.round(3))

# %%
# For very short codes, the autoencoder is better. With more components ``TruncatedSVD`` catches
# up, in a fraction of the time: if the codes may be long, it is the better choice.
#
# A map of the texts
# ------------------
#
# Two components can be drawn. This picture shows the texts that were fitted.

fig, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
for ax, (name, reducer) in zip(axes, reducers(2).items(), strict=True):
    codes = pipeline(reducer).fit_transform(corpus["text"])
    display = LatentSpaceDisplay.from_predictions(codes, corpus["topic"], ax=ax)
    display.legend_.set_visible(name == "Autoencoder")
    ax.set_title(f"{name}, 2 components")
plt.show()
