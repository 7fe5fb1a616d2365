"""What models tell of synthetic rows: whether they can be told from real ones, and replace them."""

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import accuracy_score, r2_score, roc_auc_score
from sklearn.model_selection import PredefinedSplit, cross_val_score

from skae.metrics._table_distances import drawn, row_hashes
from skae.metrics._tables import in_ranks, is_category

N_FOLDS = 5

#: The same trees whatever the number of rows.
TREES = {"categorical_features": "from_dtype", "early_stopping": False, "max_iter": 50}


def detection_auroc(real, rows, max_rows, rng):
    """Return the AUROC of a classifier that tells rows from real ones, of equally many of both.

    At most ``max_rows`` of each are drawn. It is the mean over the folds of a cross-validation. A
    row and its copy are in one fold, or the classifier would learn from one that the other is of
    the other kind.
    """
    n_rows = min(len(real), len(rows), max_rows)
    tables = in_ranks({i: drawn(table, n_rows, rng) for i, table in enumerate((real, rows))})
    X = _unnamed(pd.concat(tables.values(), ignore_index=True))
    y = np.repeat([0, 1], n_rows)
    trees = HistGradientBoostingClassifier(**TREES, random_state=rng.randint(2**31 - 1))
    folds = PredefinedSplit(_folds(row_hashes(X).to_numpy(), y, rng))
    return float(cross_val_score(trees, X, y, cv=folds, scoring="roc_auc").mean())


def _folds(hashes, y, rng):
    """Return the fold of each row, equal for a row and its copy among the others."""
    keys = pd.DataFrame({"row": hashes, "table": y})
    keys["copy"] = keys.groupby(["row", "table"]).cumcount()
    group = keys.groupby(["row", "copy"], sort=False).ngroup().to_numpy()
    n_of_each = np.stack([np.bincount(group[y == i], minlength=group.max() + 1) for i in (0, 1)])
    order = rng.permutation(len(n_of_each[0]))
    order = order[np.lexsort(n_of_each[:, order])]  # pairs together, and the others of each table
    fold = np.empty(len(order), int)
    fold[order] = np.arange(len(order)) % N_FOLDS
    return fold[group]


class TargetTask:
    """The prediction of a target, learned from different tables and scored on the same rows.

    Parameters
    ----------
    target : object
        Name of the column.
    tables : dict of DataFrame
        All tables. The classes of the target are those of all of them.
    """

    def __init__(self, target, tables):
        self.target = target
        joined = pd.concat([table[target] for table in tables.values()]).dropna()
        self.classes = np.unique(joined)
        is_number = not is_category(joined) and len(self.classes) > 2
        self.metric = "r2" if is_number else "auroc" if len(self.classes) <= 2 else "accuracy"

    @property
    def name(self):
        """What the score is called."""
        return f"target_{self.metric}"

    def score(self, tables, train, seed):
        """Return the score on the table "test" of a model that is trained on another table.

        Rows whose target is missing are left out.

        Parameters
        ----------
        tables : dict of DataFrame
        train : str
            The table to train on.
        seed : int

        Raises
        ------
        ValueError
            If the target is missing in all rows, or all test rows are of one class.
        """
        both = {name: tables[name] for name in (train, "test")}
        features = in_ranks({n: table.drop(columns=[self.target]) for n, table in both.items()})
        X, y = self._known(features[train], tables[train][self.target], train)
        X_test, y_test = self._known(features["test"], tables["test"][self.target], "test")
        if self.metric != "r2" and len(np.unique(y_test)) == 1:
            raise ValueError(f"The target {self.target!r} of test has one value only.")
        return float(self._score(X, y, X_test, y_test, seed))

    def _known(self, X, y, name):
        known = y.notna().to_numpy()
        if not known.any():
            raise ValueError(f"The target {self.target!r} of {name} is missing in all rows.")
        y = y[known].to_numpy()
        y = y if self.metric == "r2" else pd.Index(self.classes).get_indexer(y)
        return _unnamed(X[known]), y

    def _score(self, X, y, X_test, y_test, seed):
        if self.metric == "r2":
            trees = HistGradientBoostingRegressor(**TREES, random_state=seed)
            return r2_score(y_test, trees.fit(X, y).predict(X_test))
        if len(np.unique(y)) == 1:  # there is nothing to learn
            return 0.5 if self.metric == "auroc" else np.mean(y_test == y[0])
        trees = HistGradientBoostingClassifier(**TREES, random_state=seed).fit(X, y)
        if self.metric == "accuracy":
            return accuracy_score(y_test, trees.predict(X_test))
        return roc_auc_score(y_test, trees.predict_proba(X_test)[:, 1])


def _unnamed(table):
    """Return a table with plain names, as scikit-learn takes names of one type only."""
    return table.set_axis([str(i) for i in range(table.shape[1])], axis=1)
