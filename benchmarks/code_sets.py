"""Public sets of labeled samples, to judge codes by what another estimator makes of them.

DIR, the folder of the data, holds ``adbench/*.npz``, ``adult_train.csv.gz``, ``mnist.npz``,
``cifar10_10k.npz``, ``japanese_vowels.npz``, ``italy_power_demand.npz`` and ``ecg5000.npz``.

Of several sets of one source only one is taken. Tables of ADBench with fewer than 25 anomalies
among the rows drawn are left out. Six sets are regressions; in five of these a column of the table
is the target, and is taken out of it.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from sklearn import datasets
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import KFold, StratifiedKFold, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

ADBENCH = {
    "annthyroid": "2_annthyroid",
    "breastw": "4_breastw",
    "campaign": "5_campaign",
    "cardiotocography": "7_Cardiotocography",
    "cover": "10_cover",
    "fault": "12_fault",
    "ionosphere": "18_Ionosphere",
    "letter": "20_letter",
    "pima": "29_Pima",
    "shuttle": "32_shuttle",
    "spam": "35_SpamBase",
    "stamps": "37_Stamps",
}

REGRESSIONS = {
    "diabetes",
    "wine_alcohol",
    "cancer_fractal",
    "cardio_baseline",
    "fault_thickness",
    "adult_hours",
}


@dataclass
class CodeSet:
    """Samples and what is to be predicted of them.

    ``kind`` is "table", "mixed" (numbers and categories), "images" or "sequences".
    """

    name: str
    X: np.ndarray | pd.DataFrame
    y: np.ndarray
    kind: str = "table"

    @property
    def is_regression(self):
        return self.name in REGRESSIONS

    @property
    def is_rare(self):
        """Whether a class has more than nine tenths of the samples: accuracy says little then."""
        return not self.is_regression and np.unique(self.y, return_counts=True)[1].max() > (
            0.9 * len(self.y)
        )

    def take(self, rows):
        """Return some samples: rows of a DataFrame or array, or a list of series."""
        if self.kind == "mixed":
            return self.X.iloc[rows]
        return list(self.X[rows]) if self.X.dtype == object else self.X[rows]

    def capped(self, max_rows):
        """Return a set of ``max_rows`` samples at most, with the same shares of classes."""
        if len(self.y) <= max_rows:
            return self
        drawn, _ = train_test_split(
            np.arange(len(self.y)),
            train_size=max_rows,
            stratify=None if self.is_regression else self.y,
            random_state=0,
        )
        samples = self.X.iloc[drawn] if self.kind == "mixed" else self.X[drawn]
        return CodeSet(self.name, samples, self.y[drawn], self.kind)

    def folds(self, n_folds):
        """Return training and held-out rows of each fold."""
        kind = KFold if self.is_regression else StratifiedKFold
        splitter = kind(n_folds, shuffle=True, random_state=0)
        return list(splitter.split(np.zeros(len(self.y)), self.y))

    def preparation(self):
        """Return a transformer of samples to the rows that all estimators of rows see.

        Columns of tables are standardized, categories one-hot. Pixels and series are in one unit
        and stay as they are; series are padded by their last step.
        """
        if self.kind == "mixed":
            numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
            texts = make_pipeline(
                SimpleImputer(strategy="most_frequent"),
                OneHotEncoder(handle_unknown="ignore", sparse_output=False),
            )
            return make_column_transformer(
                (numbers, make_column_selector(dtype_include="number")),
                (texts, make_column_selector(dtype_exclude="number")),
            )
        if self.kind == "sequences":
            return FunctionTransformer(partial(padded, n_steps=max(map(len, self.X))))
        return StandardScaler() if self.kind == "table" else FunctionTransformer()


def padded(series, n_steps):
    """Return series as rows, the shorter ones continued by their last step."""
    return np.array(
        [
            np.pad(x, ((0, n_steps - len(x)), (0, 0)), "edge").ravel()
            for x in map(np.asarray, series)
        ]
    )


def shipped(name, data):
    """Return a set of scikit-learn's own."""
    del data
    bunch = getattr(datasets, f"load_{name}")()
    return CodeSet(name, bunch.data, bunch.target)


def outliers(name, data):
    """Return a table of ADBench, with anomalies as a class."""
    with np.load(data / "adbench" / f"{ADBENCH[name]}.npz") as arrays:
        return CodeSet(name, arrays["X"].astype(float), arrays["y"].ravel().astype(int))


def column_of(load, column, name, data):
    """Return a table whose target is one of its columns."""
    table = load(data)
    others = np.delete(table.X, column, axis=1)
    return CodeSet(name, others, table.X[:, column])


def mnist(data):
    with np.load(data / "mnist.npz") as arrays:
        X = arrays["X_train"].reshape(-1, 784) / 255
        return CodeSet("mnist", X, arrays["y_train"].astype(int), "images")


def cifar_gray(data):
    with np.load(data / "cifar10_10k.npz") as arrays:
        gray = arrays["X_train"] @ [0.299, 0.587, 0.114] / 255
        return CodeSet(
            "cifar_gray", gray.reshape(-1, 1024), arrays["y_train"].astype(int), "images"
        )


def adult(data):
    table = pd.read_csv(data / "adult_train.csv.gz")
    y = (table["income"] == ">50K").to_numpy().astype(int)
    return CodeSet("adult", table.drop(columns="income"), y, "mixed")


def adult_hours(data):
    table = adult(data).X
    y = table["hours-per-week"].to_numpy().astype(float)
    return CodeSet("adult_hours", table.drop(columns="hours-per-week"), y, "mixed")


def japanese_vowels(data):
    with np.load(data / "japanese_vowels.npz") as arrays:
        series = [
            x
            for part in ("train", "test")
            for x in np.split(
                arrays[f"X_{part}"].astype(float), np.cumsum(arrays[f"lengths_{part}"])[:-1]
            )
        ]
        y = np.concatenate([arrays["y_train"], arrays["y_test"]]).astype(int)
    X = np.empty(len(series), object)
    X[:] = series
    return CodeSet("japanese_vowels", X, y, "sequences")


def one_channel(name, data):
    """Return series of one channel and one length, training and test part together."""
    with np.load(data / f"{name}.npz") as arrays:
        X = np.concatenate([arrays["X_train"], arrays["X_test"]])[:, :, None].astype(float)
        y = np.concatenate([arrays["y_train"], arrays["y_test"]]).astype(int)
    return CodeSet(name, X, y, "sequences")


#: From the name of a set to a function of the data's folder that returns it.
SETS = {
    **{
        name: partial(shipped, name)
        for name in ("iris", "wine", "breast_cancer", "digits", "diabetes")
    },
    "mnist": mnist,
    "cifar_gray": cifar_gray,
    "adult": adult,
    **{name: partial(outliers, name) for name in ADBENCH},
    "japanese_vowels": japanese_vowels,
    **{name: partial(one_channel, name) for name in ("italy_power_demand", "ecg5000")},
    "wine_alcohol": partial(column_of, partial(shipped, "wine"), 0, "wine_alcohol"),
    "cancer_fractal": partial(column_of, partial(shipped, "breast_cancer"), 9, "cancer_fractal"),
    "cardio_baseline": partial(
        column_of, partial(outliers, "cardiotocography"), 0, "cardio_baseline"
    ),
    "fault_thickness": partial(column_of, partial(outliers, "fault"), 13, "fault_thickness"),
    "adult_hours": adult_hours,
}


def code_sets(data, names=SETS, max_rows=3000):
    """Yield sets by name, each of ``max_rows`` samples at most."""
    for name in names:
        yield SETS[name](data).capped(max_rows)
