"""A method of a fitted estimator, whoever's it is, and the names of what it returns."""

import numpy as np
from sklearn.base import is_regressor
from sklearn.utils.validation import check_is_fitted

from skae._names import did_you_mean
from skae._series.detector import SeriesOutlierDetector

#: What can be applied to one chunk after the other.
METHODS = (
    "transform",
    "score_samples",
    "decision_function",
    "p_value",
    "predict",
    "predict_proba",
    "reconstruct",
    "impute",
)

#: Methods that give back the columns that they get.
LIKE_INPUT = ("reconstruct", "impute")


class AppliedMethod:
    """A method of a fitted estimator, which is applied to a chunk of rows at a time.

    Parameters
    ----------
    estimator : estimator
    name : str
        Of the method.

    Attributes
    ----------
    fitted_columns : list of str or None
        Names of the columns that the estimator was fitted on, if they had names.
    """

    def __init__(self, estimator, name):
        check_is_fitted(estimator)
        if name not in METHODS:
            hint = did_you_mean(str(name), METHODS, {})
            raise ValueError(f"method must be one of {list(METHODS)}, got {name!r}.{hint}")
        if isinstance(estimator, SeriesOutlierDetector):
            raise ValueError(
                "SeriesOutlierDetector judges a step by those around it, and a file is read in "
                "chunks that know nothing of each other. Call its method for a whole series."
            )
        self.estimator, self.name = estimator, name
        if not self._has(name):
            known = [one for one in METHODS if self._has(one)]
            raise ValueError(f"{type(estimator).__name__} has no method {name!r}. It has {known}.")
        names = getattr(estimator, "feature_names_in_", None)
        self.fitted_columns = None if names is None else list(names)

    def _has(self, name):
        return callable(getattr(self.estimator, name, None))

    def apply(self, X):
        """Return what the method returns for a chunk.

        Parameters
        ----------
        X : DataFrame or ndarray
        """
        if self.fitted_columns is None and not isinstance(X, np.ndarray):
            X = X.to_numpy()
        return getattr(self.estimator, self.name)(X)

    def column_names(self, n_columns, features):
        """Return the names of the columns that the method returns.

        Parameters
        ----------
        n_columns : int
            How many there are.
        features : list of str or None
            Names of the columns of X.
        """
        stem, names = self._names(features)
        return names if len(names) == n_columns else [f"{stem}{i}" for i in range(n_columns)]

    def empty_columns(self, features):
        """Return a dict of arrays without values: what the method would return for no rows."""
        values = np.empty(0)
        if self.name == "predict" and not is_regressor(self.estimator):
            values = np.asarray(getattr(self.estimator, "classes_", [1]))[:0]
        return dict.fromkeys(self._names(features)[1], values)

    def _names(self, features):
        """Return what a name begins with, and all names as far as they are known."""
        if self.name in LIKE_INPUT:
            return self.name, features or []
        if self.name == "transform":
            return self.name, self._names_out(features)
        if self.name == "predict_proba":
            classes = getattr(self.estimator, "classes_", [])
            return "probability", [f"probability_{one}" for one in classes]
        predicted = "prediction" if is_regressor(self.estimator) else "label"
        stems = {"score_samples": "score", "decision_function": "decision", "predict": predicted}
        stem = stems.get(self.name, self.name)
        return stem, [stem]

    def _names_out(self, features):
        try:
            return list(map(str, self.estimator.get_feature_names_out(features)))
        except (AttributeError, ValueError):  # of an estimator without names
            return []
