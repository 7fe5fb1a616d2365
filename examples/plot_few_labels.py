"""
A few known anomalies
=====================

A detector finds rows that are unusual. Often somebody has checked a few of the rows that it
found, and some were real faults. This page gives these labels to `~skae.OutlierDetector`. Faults
of the same kind are then found more often. Faults of a new kind, of which no row is labeled, are
still found. A classifier that learns from the labels alone misses them.
"""

# %%
# A table of two kinds of faults
# ------------------------------
#
# Payments of a shop, in five columns. *Stolen* cards are used at night for amounts that are
# somewhat high: each value is usual, and many honest payments are alike. A *mistyped* amount is
# ten times too high. Each kind is one payment in fifty.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score

from skae import OutlierDetector
from skae.inspection import OutlierScoreDisplay


def make_payments(n_rows, rng):
    """Return payments, and their kinds: honest, stolen or mistyped."""
    kind = rng.choice(["honest", "stolen", "mistyped"], n_rows, p=[0.96, 0.02, 0.02])
    is_stolen = kind == "stolen"
    items = 1 + rng.poisson(2, n_rows)
    amount = items * rng.lognormal(3, 0.5, n_rows) * np.where(is_stolen, 1.7, 1)
    hour = np.where(is_stolen, rng.normal(23, 1.5, n_rows), rng.normal(16, 4, n_rows)) % 24
    payments = pd.DataFrame(
        {
            "items": items,
            "amount": amount * np.where(kind == "mistyped", 10, 1),
            "hour": hour,
            "age of account": rng.exponential(np.where(is_stolen, 1, 3)),
            "card": rng.choice(["credit", "debit"], n_rows, p=[0.6, 0.4]),
        }
    )
    return payments.round(1), kind


rng = np.random.default_rng(0)
payments, kind = make_payments(1500, rng)
new_payments, new_kind = make_payments(3000, rng)

# %%
# Labels
# ------
#
# Somebody has checked 60 payments. Ten of them were made with a stolen card: -1 means anomaly. The
# others are honest: 1 means normal. 0 means that nobody has checked the payment. With
# ``use_labels=True``, ``fit`` learns from them.


def draw_labels(n_stolen, rng):
    """Return labels of the payments: some stolen ones, and 50 honest ones."""
    labels = np.zeros(len(kind), int)
    labels[rng.choice(np.flatnonzero(kind == "stolen"), n_stolen, replace=False)] = -1
    labels[rng.choice(np.flatnonzero(kind == "honest"), 50, replace=False)] = 1
    return labels


labels = draw_labels(10, rng)
detectors = {
    "the detector without labels": OutlierDetector(random_state=0).fit(payments),
    "the detector with ten known anomalies": OutlierDetector(use_labels=True, random_state=0).fit(
        payments, labels
    ),
}
fig, axes = plt.subplots(2, figsize=(7, 7), layout="constrained")
for ax, (name, detector) in zip(axes, detectors.items(), strict=True):
    OutlierScoreDisplay.from_estimator(detector, new_payments, new_kind, ax=ax, name=name)
plt.show()

# %%
# The legends say which fraction of new payments is flagged. Without labels, no stolen card is
# found, because each of these payments looks like many honest ones. With ten of them known, nearly
# half are found. The threshold is that of the scores without labels, and labels only lower scores:
# so mistyped amounts are flagged as before. The price is that more honest payments are flagged,
# those that are a little like the known anomalies. If these are too many, set ``contamination``,
# or use ``predict_fdr``.
#
# Known and new kinds
# -------------------
#
# How do the scores change with the number of known stolen cards? The area under the ROC curve is
# how often an anomaly scores lower than an honest payment. The forest learns from the labeled
# payments alone.


def auroc(scores, of_kind):
    """Return the area under the ROC curve for one kind of anomaly."""
    which = (new_kind == "honest") | (new_kind == of_kind)
    return roc_auc_score(new_kind[which] == "honest", scores[which])


def forest_scores(labels):
    """Return the probability of being honest, by a forest on the labeled payments."""
    is_known = labels != 0
    numbers, new_numbers = (
        table.assign(card=table["card"] == "credit") for table in (payments, new_payments)
    )
    forest = RandomForestClassifier(random_state=0).fit(numbers[is_known], labels[is_known])
    return forest.predict_proba(new_numbers)[:, 1]


records = []
for n_known in (0, 1, 2, 5, 10, 20):
    for repetition in range(3):
        labels = draw_labels(n_known, np.random.default_rng(repetition))
        scores = {}
        if n_known:
            scores["forest on labels alone"] = forest_scores(labels)
        detector = OutlierDetector(use_labels=n_known > 0, random_state=0)
        scores["OutlierDetector"] = detector.fit(payments, labels).score_samples(new_payments)
        records += [
            {"model": name, "kind": of_kind, "known": n_known, "AUROC": auroc(values, of_kind)}
            for name, values in scores.items()
            for of_kind in ("stolen", "mistyped")
        ]
means = pd.DataFrame(records).groupby(["model", "kind", "known"])["AUROC"].mean()

fig, axes = plt.subplots(1, 2, figsize=(9, 3.6), sharey=True, layout="constrained")
for ax, of_kind, title in zip(
    axes, ("stolen", "mistyped"), ("the labeled kind", "a kind that is not labeled"), strict=True
):
    for name, color in (("OutlierDetector", "tab:blue"), ("forest on labels alone", "tab:gray")):
        means.loc[name, of_kind].plot(ax=ax, marker="o", color=color, label=name)
    ax.set(xlabel="known stolen cards", title=f"{of_kind}: {title}", xticks=[0, 5, 10, 15, 20])
axes[0].set_ylabel("area under the ROC curve")
axes[0].legend(loc="lower right")
plt.show()

# %%
# For the kind that is labeled, the detector gets better with each known anomaly. The forest is
# better still at this kind once it knows a few. But it has never seen a mistyped amount, and finds
# fewer of these. The detector finds them nearly as well as without labels: labels only lower
# scores, and only those of rows that are more like the known anomalies than most normal rows are.
