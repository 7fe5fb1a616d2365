"""Models and samples of users, as displays see them."""

from dataclasses import dataclass
from numbers import Integral
from types import NoneType
from typing import Any

import numpy as np
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.utils import check_random_state, check_scalar
from sklearn.utils.validation import check_is_fitted

from skae._data.given import as_data
from skae._data.rows import take_rows
from skae._estimators.fitted import FittedAutoencoder
from skae._estimators.image_to_image import ImageToImageRegressor
from skae._outliers.detector import OutlierDetector
from skae._params import refuse_class
from skae._sklearn import BaseSearchCV, num_samples
from skae.exceptions import DataWarning, warn

#: Steps that are not undone: "passthrough", and those that fill missing values.
_LEFT_OUT = str, NoneType, SimpleImputer, KNNImputer


@dataclass
class Model:
    """A fitted estimator of a user: the model itself, and the steps that come before it.

    Attributes
    ----------
    name : str
        Class of the model.
    steps : Pipeline or None
        Fitted steps before the model.
    last : estimator
        The model, the last step of a pipeline.
    given : estimator
        The estimator of the user.
    """

    name: str
    steps: Any
    last: Any
    given: Any

    @property
    def feature_names(self):
        """Names of the columns of samples as they are drawn, a list of str or None."""
        first = self.given if self.can_go_back else self.last
        names = getattr(first, "feature_names_in_", None)
        return None if names is None else [str(name) for name in names]

    @classmethod
    def of(cls, estimator):
        """Open pipelines, searches, detectors and frozen estimators.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        TypeError
            If it is a class.
        """
        refuse_class("estimator", estimator)
        steps, given = [], estimator
        while True:
            check_is_fitted(estimator)
            match estimator:
                case Pipeline():
                    steps += estimator.steps[:-1]
                    estimator = estimator.steps[-1][1]
                case BaseSearchCV():
                    estimator = best_of(estimator)
                case OutlierDetector():
                    estimator = estimator.estimator_
                case FrozenEstimator():
                    estimator = estimator.estimator
                case _:
                    before = Pipeline(steps) if steps else None
                    return cls(type(estimator).__name__, before, estimator, given)

    def prepared(self, X):
        """Return samples as the model gets them."""
        return X if self.steps is None else self.steps.transform(X)

    @property
    def _undone(self):
        """The steps to undo, the last one first: others than those that fill missing values."""
        steps = [] if self.steps is None else [step for _, step in self.steps.steps[::-1]]
        return [s for s in steps if not isinstance(s, _LEFT_OUT)]

    @property
    def can_go_back(self):
        """Whether what the model makes can be made what the user has."""
        return all(hasattr(step, "inverse_transform") for step in self._undone)

    def reconstruct(self, X):
        """Return what the model makes of samples as it gets them.

        Raises
        ------
        TypeError
            If the model makes no samples.
        """
        if isinstance(self.last, FittedAutoencoder):
            return self.last.reconstruct(X)
        if isinstance(self.last, ImageToImageRegressor):
            return self.last.predict(X)
        if not hasattr(self.last, "inverse_transform"):
            raise TypeError(
                f"{self.name} has no reconstructions to draw: it has no inverse_transform. Give an "
                f"autoencoder, an ImageToImageRegressor, or a pipeline that ends in one.{self.hint}"
            )
        return self.last.inverse_transform(self.last.transform(X))

    def decode(self, codes):
        """Return what codes are decoded to, as the user has samples, if that is possible."""
        decoded = self.last.inverse_transform(codes)
        return self.back(decoded) if self.can_go_back else decoded

    @property
    def makes_inputs(self):
        """Whether what the model makes is of the kind that it gets."""
        return not isinstance(self.last, ImageToImageRegressor)

    def back(self, X):
        """Return samples of the model's as those of the user's, undoing the steps before it."""
        for step in self._undone:
            X = step.inverse_transform(X)
        return X

    @property
    def hint(self):
        """What to do if the last step of a pipeline is not what is to be drawn."""
        if self.steps is None:
            return ""
        return " For the step before it, give pipeline[:-1]."


def best_of(search):
    """Return the best estimator of a search.

    Raises
    ------
    ValueError
        If it has none.
    """
    if not search.refit:
        raise ValueError(
            f"{type(search).__name__} has no best_estimator_, as refit=False. Set refit=True, or "
            "give an estimator that is fitted with best_params_."
        )
    return search.best_estimator_


def n_samples_of(X):
    """Return the number of samples of whatever holds samples.

    Raises
    ------
    TypeError
        If it holds none.
    """
    return num_samples(as_data(X))


def check_number(samples, n, name):
    """Raise an error if there are more or less samples than those of X."""
    if (n_given := n_samples_of(samples)) != n:
        raise ValueError(f"X has {n} samples, but {name} {n_given}: give one for each.")


def to_draw(X, max_samples, random_state=None, what="samples"):
    """Return which samples are drawn, in order; warn if they are not all.

    Parameters
    ----------
    X : array-like
    max_samples : int or None
        None is all.
    random_state : int, RandomState instance or None, default=None
        Which ones are drawn. None is the same ones each time.
    what : str, default="samples"
        What the warning calls them.

    Returns
    -------
    ndarray of int
    """
    n = n_samples_of(X)
    if max_samples is not None:
        check_scalar(max_samples, "max_samples", Integral, min_val=1)
    if max_samples is None or n <= max_samples:
        return np.arange(n)
    warn(
        f"{max_samples} of {n} {what} are drawn, chosen at random. max_samples says how many; "
        "None draws all.",
        DataWarning,
    )
    rng = check_random_state(0 if random_state is None else random_state)
    return np.sort(rng.choice(n, max_samples, replace=False))


def take(X, which):
    """Return some samples of whatever holds samples: arrays, DataFrames, lists, tensors."""
    X = as_data(X)
    is_whole = np.array_equal(which, np.arange(n_samples_of(X)))
    return X if is_whole else take_rows(X, np.asarray(which))


def layouts_of(model):
    """Return what a model of skae knows of its input and output, None twice for other models."""
    match model:
        case FittedAutoencoder():
            return (model._reader.format,) * 2
        case ImageToImageRegressor():
            return model._reader.inputs.format, model._reader.targets.format
    return None, None


def thinned(X, limit):
    """Return which samples stand for all, at most so many, evenly spread."""
    n = n_samples_of(X)
    return np.arange(0, n, max(1, -(-n // limit)))


def decodes(model):
    """Say whether an estimator decodes codes."""
    return hasattr(model, "inverse_transform")


def can_sample(model):
    """Say whether an estimator draws samples."""
    return hasattr(model, "sample")


def can_transform(model):
    """Say whether an object makes codes of samples."""
    return hasattr(model, "transform") or hasattr(model, "fit_transform")


def is_fitted(model):
    """Say whether an estimator is fitted."""
    try:
        check_is_fitted(model)
    except NotFittedError:
        return False
    return True
