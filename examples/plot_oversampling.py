"""
Does it help to draw rows of the rare class?
============================================

A classifier of a rare class is often trained on a table in which the class was made frequent: its
rows are duplicated, or new ones are drawn. A conditional `~skae.VariationalAutoencoder` draws new
rows of a class. This page does so, as ``fit_resample`` of imbalanced-learn does, and compares it
with two simple ways: class weights, and duplicates.
"""

# %%
# A table with a rare class
# -------------------------
#
# Each training table has 250 rows of benign tumors, and 12 rows of malignant ones in the first part
# or 100 in the second. The test rows, which no model sees, are 100 of both.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skae import VariationalAutoencoder

tumors = load_breast_cancer(as_frame=True).frame
tumors["target"] = np.where(tumors["target"] == 0, "malignant", "benign")
N_TEST, N_BENIGN = 100, 250


def split(n_rare, seed):
    rows = tumors.sample(frac=1.0, random_state=seed)
    number = rows.groupby("target").cumcount()
    is_test = number < N_TEST
    n_train = rows["target"].map({"benign": N_BENIGN, "malignant": n_rare})
    is_train = ~is_test & (number < N_TEST + n_train)
    return rows[is_train].reset_index(drop=True), rows[is_test]


# %%
# Three ways to balance it
# ------------------------
#
# The model is fitted on the whole table, so that the rare class profits from what is alike in
# both. The class is its condition, and ``conditions`` asks for as many rows of each class as are
# missing. These columns are numbers, which are standardized first; for text and missing values
# there is ``architecture="tabular"``.


def oversampled(table, seed):
    features = table.columns.drop("target")
    scaler = StandardScaler().set_output(transform="pandas").fit(table[features])
    scaled = scaler.transform(table[features]).assign(target=table["target"])
    model = VariationalAutoencoder(6, max_epochs=60, random_state=seed)
    model.fit(scaled, condition="target")
    counts = table["target"].value_counts()
    missing = counts.max() - counts
    new = model.sample(conditions=missing.index.repeat(missing).to_frame(name="target"))
    new[features] = scaler.inverse_transform(new[features])
    return pd.concat([table, new], ignore_index=True)


def duplicated(table, seed):
    counts = table["target"].value_counts()
    rare = table[table["target"] == counts.idxmin()]
    more = rare.sample(counts.max() - counts.min(), replace=True, random_state=seed)
    return pd.concat([table, more], ignore_index=True)


def as_it_is(table, seed):
    del seed
    return table


WAYS = {
    "as it is": (as_it_is, None),
    "class weights": (as_it_is, "balanced"),
    "duplicated rows": (duplicated, None),
    "drawn rows": (oversampled, None),
}
CLASSIFIERS = {
    "logistic regression": lambda weight: make_pipeline(
        StandardScaler(), LogisticRegression(max_iter=1000, class_weight=weight)
    ),
    "gradient boosting": lambda weight: HistGradientBoostingClassifier(
        class_weight=weight, max_iter=50, random_state=0
    ),
}


def scores(model, test):
    X, y = test.drop(columns="target"), test["target"]
    probability = model.predict_proba(X)[:, list(model.classes_).index("malignant")]
    return {
        "balanced accuracy": balanced_accuracy_score(y, model.predict(X)),
        "AUROC": roc_auc_score(y == "malignant", probability),
    }


results = []
for n_rare in (12, 100):
    for seed in range(5):
        train, test = split(n_rare, seed)
        for way, (balance, weight) in WAYS.items():
            rows = balance(train, seed)
            for name, make in CLASSIFIERS.items():
                model = make(weight).fit(rows.drop(columns="target"), rows["target"])
                facts = {"rare rows": n_rare, "classifier": name, "rows": way}
                results.append(facts | scores(model, test))
results = pd.DataFrame(results)
means = results.groupby(["rare rows", "classifier", "rows"], sort=False).mean()
print(means.unstack("classifier").round(3).to_string())

# %%
# When it helps, and when not
# ---------------------------
#
# The AUROC says how well a model ranks the rows. The balanced accuracy also depends on where it
# draws the line: trained on a table as it is, it calls too few rows malignant.
#
# With 12 rows of the rare class, drawn rows help. But most of it is the line alone, and class
# weights move that for free: for the linear model, they reach the same balanced accuracy. Gradient
# boosting gains a little more from drawn rows than from weights, as it splits between the few rows
# of the rare class. Duplicates of these mislead it: they make its ranking worse.
#
# With 100 rows of the rare class there is next to nothing to gain, in whatever way. So try class
# weights first, and keep what is better on rows that no model has seen. Never draw rows before the
# split: what is drawn is made of all rows that the generator has seen, test rows included.

fig, axes = plt.subplots(2, 2, figsize=(8.5, 5), sharey=True, sharex="col", layout="constrained")
for row, n_rare in zip(axes, (12, 100), strict=True):
    for ax, score in zip(row, ["balanced accuracy", "AUROC"], strict=True):
        for k, (name, marker) in enumerate(zip(CLASSIFIERS, "os", strict=True)):
            is_one = (results["classifier"] == name) & (results["rare rows"] == n_rare)
            by_way = results[is_one].groupby("rows", sort=False)[score]
            places = np.arange(len(WAYS)) + 0.2 * (k - 0.5)
            for place, (_, values) in zip(places, by_way, strict=True):
                ax.plot(values, [place] * len(values), marker, color=f"C{k}", alpha=0.3, ms=4)
            ax.plot(by_way.mean(), places, marker, color=f"C{k}", label=name)
        ax.set_yticks(range(len(WAYS)), WAYS)
        ax.set_title(f"{n_rare} rows of the rare class", fontsize=10)
axes[0, 0].invert_yaxis()
axes[1, 0].set_xlabel("balanced accuracy")
axes[1, 1].set_xlabel("AUROC")
axes[1, 1].legend(loc="lower left", fontsize=8)
plt.show()
