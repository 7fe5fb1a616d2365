"""
Can dates be read without rules?
================================

A translator learns any work with texts that can be shown in pairs.
`~skae.Seq2SeqTranslator` learns here to write dates in ISO form, from 2,000 examples. A second
source of examples reads some dates in another order, and ``sample_weight`` says how little to
trust it.
"""

# %%
# Pairs of dates
# --------------
#
# Dates from 1950 to 2049, each in one of six written forms. With slashes, the month comes first.
# No date of the test part is in the training part.

from datetime import date, timedelta

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from skae import Seq2SeqTranslator
from skae.architectures import RecurrentEncoderDecoder

WORDS = [
    "{d:%B} {d.day}, {d.year}",
    "{d.day} {d:%b} {d.year}",
    "{d:%A}, {d.day} {d:%B} {d.year}",
]
MONTH_FIRST = ["{d.month}/{d.day}/{d.year}", "{d:%m/%d/%Y}", "{d.month}/{d.day}/{d:%y}"]
DAY_FIRST = ["{d.day}/{d.month}/{d.year}", "{d:%d/%m/%Y}", "{d.day}/{d.month}/{d:%y}"]

rng = np.random.default_rng(0)
days = [date(1950, 1, 1) + timedelta(int(i)) for i in rng.permutation(36525)[:3500]]
form = rng.integers(6, size=len(days))
iso = np.array([day.isoformat() for day in days], dtype=object)


def write(forms):
    """Return each date in its form."""
    texts = [forms[i].format(d=day) for i, day in zip(form, days, strict=True)]
    return np.array(texts, dtype=object)


written = write(WORDS + MONTH_FIRST)
is_test = np.arange(len(days)) >= 3000
print(pd.DataFrame({"written": written[:6], "ISO": iso[:6]}).to_string(index=False))

# %%
# Fit and read
# ------------
#
# Characters are good tokens for dates, and the fraction of answers without a mistake is the score
# that counts. The network is smaller than by default, which is enough here.


def make_translator(max_epochs):
    return Seq2SeqTranslator(
        RecurrentEncoderDecoder(96, dropout=0.1),
        tokenization="char",
        metric="exact_match",
        max_epochs=max_epochs,
        early_stopping=False,
        random_state=0,
    )


translator = make_translator(8).fit(written[:2000], iso[:2000])
print(f"exactly right: {translator.score(written[is_test], iso[is_test]):.3f}")

# %%
# What about forms that were in no example? The network answers anyway. The logarithm of the
# probability says how sure it is: close to -1 for a date of this length, and far below for an
# answer that makes no sense.

texts = ["March 5, 2021", "5 march 2021", "2021, 5 March", "the day after"]
answers = translator.predict(texts)
log_p = translator.log_likelihood(texts, answers)
table = pd.DataFrame({"written": texts, "answer": answers, "log-probability": log_p})
print(table.to_string(index=False, float_format="{:.1f}".format))

# %%
# Examples that are trusted less
# ------------------------------
#
# Now there are only 60 good examples, and 2,000 from a source where four of five dates with
# slashes have the day first. Most of what the source shows is useful: the names of months, the
# years, the digits. What it says of the order is wrong, and with equal weights it has the
# majority. With weight 0.01, the source as a whole counts less than the 60.

is_wrong = rng.random(len(days)) < 0.8
X = np.where(is_wrong, write(WORDS + DAY_FIRST), written)
X[:60] = written[:60]
scores = {}
for name, weight in {"0 (left out)": 0.0, "0.01": 0.01, "0.1": 0.1, "1 (all equal)": 1.0}.items():
    if weight == 0:
        model = make_translator(60).fit(X[:60], iso[:60])
    else:
        sample_weight = np.where(np.arange(2060) < 60, 1.0, weight)
        model = make_translator(10).fit(X[:2060], iso[:2060], sample_weight=sample_weight)
    scores[name] = model.score(written[is_test], iso[is_test])
print(pd.Series(scores).round(3).to_string())

# %%
# Neither the good examples alone nor all examples alike are best.

fig, ax = plt.subplots(figsize=(5.5, 3.2), layout="constrained")
bars = ax.bar(list(scores), list(scores.values()), color="tab:blue")
ax.bar_label(bars, fmt="{:.2f}")
ax.set(xlabel="weight of the doubtful examples", ylabel="exactly right", ylim=(0, 1.08))
ax.spines[["top", "right"]].set_visible(False)
plt.show()
