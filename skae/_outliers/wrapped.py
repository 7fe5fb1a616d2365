"""Estimators whose scores others judge: checked and seeded, and the columns that they know."""

from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from skae._data.frames import aligned, narwhals_frame
from skae._data.given import as_data
from skae._data.plain import plain_values, value_of


def seeded_clone(name, estimator, seed):
    """Return a clone of an estimator that gives scores, with a seed where it has none.

    Parameters
    ----------
    name : str
        The parameter that holds the estimator, as errors name it.
    estimator : estimator
    seed : int or None
        For each ``random_state`` that is None, in its parts, too.

    Raises
    ------
    ValueError
        If it has no ``score_samples``.
    """
    if not hasattr(estimator, "score_samples"):
        raise ValueError(
            f"{name} must have a method score_samples, as autoencoders, PCA, "
            "GaussianMixture, KernelDensity, IsolationForest, LocalOutlierFactor(novelty=True) "
            f"and pipelines that end in one have; got {estimator!r}"
        )
    return seeded(estimator, seed)


def seeded(estimator, seed):
    """Return a clone of an estimator, with a seed for each ``random_state`` that is None."""
    unset = [param for param, value in estimator.get_params().items() if value is None]
    seeds = {param: seed for param in unset if param.endswith("random_state")}
    original = clone(estimator)
    if seeds:
        original.set_params(**seeds)
    return original


def column_names_of(X):
    """Return the names of the columns of a DataFrame, and None of anything else."""
    frame = narwhals_frame(X)
    return None if frame is None else frame.columns


class ColumnNames:
    """Mixin of estimators that select columns of a DataFrame by ``_names``, those at ``fit``."""

    def _aligned(self, X):
        """Return X with the columns at ``fit``; only a fitted estimator can do so."""
        check_is_fitted(self)
        X = as_data(X)
        frame = narwhals_frame(X)
        if frame is None or self._names is None:
            return X
        return aligned(frame, self._names).to_native()

    def __getstate__(self):
        """Return the state for pickle, with names that need not be text as plain state."""
        state = super().__getstate__()
        names = state.get("_names")
        return state if names is None else state | {"_names": plain_values(names)}

    def __setstate__(self, state):
        names = state.get("_names")
        if names is not None:
            state = state | {"_names": list(map(value_of, names))}
        super().__setstate__(state)
