"""The base of what reads the user's samples: it checks them, learns their layout, converts them."""

import copy
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data

from skae._data.checks import read_weights
from skae._data.dataset import Dataset
from skae._data.extent import Extent
from skae._data.given import as_data, refuse_names
from skae._sklearn import check_n_features


class Features(BaseEstimator):
    """What scikit-learn remembers of training samples: how many features, and their names."""


class Reader:
    """Reads what ``fit`` takes: samples, or pairs of them.

    ``learn`` reads training samples, and returns a reader that knows their layout. That one reads
    other samples with ``read``. Neither changes the reader or the estimator.
    """

    def learn(self, *data, sample_weight=None, estimator=None):
        """Return a reader that knows the layout of training samples, and these as a dataset."""
        raise NotImplementedError

    def read(self, *data, sample_weight=None, estimator=None):
        """Return samples as a dataset, read as those of the training."""
        raise NotImplementedError

    def in_training(self):
        """Return a reader of samples to train or validate on."""
        return self

    def widened(self, dataset):
        """Return a reader that knows the values of more training samples."""
        del dataset
        return self

    def fitted_attributes(self):
        """Return what ``learn`` has found that an estimator has as attributes, by name."""
        raise NotImplementedError


@dataclass(frozen=True)
class SampleReader(Reader):
    """Reads samples of one kind.

    The fields of a subclass say how the samples are to be read. It defines ``convert``.

    Attributes
    ----------
    format : ArrayFormat or None
        Format of samples that a net makes. None before ``learn``.
    sample_shape : tuple of int or None
        Shape of a training sample, as a net gets it.
    dtype : type or None
        Precision of results for training samples, float32 or float64.
    features : Features or None
        ``n_features_in_`` and, where the samples have them, ``feature_names_in_``. None before
        ``learn``.
    extent : Extent or None
        Of the values of the training samples, where others can be far from them.
    conditions : Conditions or None
        Of the samples that it will read, None for those of models without.
    """

    format: Any = field(default=None, kw_only=True, repr=False)
    sample_shape: tuple | None = field(default=None, kw_only=True, repr=False)
    dtype: type | None = field(default=None, kw_only=True, repr=False)
    features: Features | None = field(default=None, kw_only=True, repr=False)
    extent: Extent | None = field(default=None, kw_only=True, repr=False, compare=False)
    conditions: Any = field(default=None, kw_only=True, repr=False, compare=False)

    #: Fields that architectures may have as attributes.
    options: ClassVar[tuple] = ()
    #: Whether values can be missing.
    allows_missing: ClassVar[bool] = False
    #: Whether samples can be text, or categories.
    allows_text: ClassVar[bool] = False
    #: Whether samples differ in their numbers of steps.
    has_lengths: ClassVar[bool] = False

    @classmethod
    def of(cls, architecture):
        """Return the reader that an architecture asks for."""
        names = [name for name in cls.options if hasattr(architecture, name)]
        return cls(**{name: getattr(architecture, name) for name in names})

    def learn(self, X, *, sample_weight=None, estimator=None, name="X"):
        """Read training samples.

        Parameters
        ----------
        X : array-like, or whatever the reader takes
            A dataset is not read again: it is what another reader has made of such samples.
        sample_weight : array-like of shape (n_samples,) or None, default=None
        estimator : BaseEstimator or None, default=None
            The one that errors speak of.
        name : str, default="X"
            What errors call the samples.

        Returns
        -------
        reader : SampleReader
            Reads other samples as these.
        dataset : Dataset

        Raises
        ------
        TypeError, ValueError
            If the samples cannot be read.
        """
        if isinstance(X, Dataset):
            return X.reader, _weighted(X, sample_weight)
        features = Features()
        check = partial(validate_data, features, reset=True, estimator=estimator)
        if name != "X":
            check = partial(check_array, input_name=name)
        dataset = self._converted(X, sample_weight, check, name)
        reader = replace(
            self,
            format=dataset.format.for_new_rows(),
            sample_shape=dataset.sample_shape,
            dtype=np.float32 if dataset.dtype == torch.float32 else np.float64,
            features=features,
            extent=dataset.extent(),
        )
        dataset.reader = reader
        return reader, dataset

    def read(self, X, *, sample_weight=None, estimator=None, name="X"):
        """Read samples as those of the training.

        Parameters
        ----------
        X, sample_weight, name
            As for ``learn``.
        estimator : BaseEstimator or None, default=None
            With its ``n_features_in_`` and ``feature_names_in_`` those of X are compared.

        Returns
        -------
        Dataset

        Raises
        ------
        TypeError, ValueError
            If the samples cannot be read, or not as those of the training.
        """
        if isinstance(X, Dataset):
            return _weighted(X, sample_weight)
        check = partial(_validate, estimator)
        if estimator is None:
            check = partial(check_array, input_name=name)
        return self._converted(X, sample_weight, check, name).conditioned(self.conditions)

    def given(self, conditions):
        """Return a reader of samples that have some `Conditions`."""
        return replace(self, conditions=conditions)

    def _converted(self, X, sample_weight, check, name):
        X = as_data(X, name)
        refuse_names(X, name)
        return self.convert(X, sample_weight, check, name)

    def widened(self, dataset):
        extent = dataset.extent()
        if self.extent is None or extent is None:
            return self
        return replace(self, extent=self.extent.widened(extent))

    def warn_if_far(self, dataset):
        """Warn if samples hold values far beyond those of the training."""
        if self.extent is not None and len(found := dataset.far_columns(self.extent)):
            self.extent.warn_of(found, vars(self.features).get("feature_names_in_"))

    def fitted_attributes(self):
        return vars(self.features)

    def convert(self, X, sample_weight, check, name):
        """Check samples and return them as a dataset.

        Parameters
        ----------
        X, sample_weight, name
            As for ``learn``.
        check : callable
            Takes rows and parameters of `sklearn.utils.check_array`, and returns an array.

        Returns
        -------
        Dataset
        """
        raise NotImplementedError


def _validate(estimator, X, **how):
    """Do the same as ``validate_data``, which would look for names of columns in arrays, too."""
    if not isinstance(X, np.ndarray) or "feature_names_in_" in vars(estimator):
        return validate_data(estimator, X, reset=False, **how)
    array = check_array(X, estimator=estimator, input_name="X", **how)
    check_n_features(estimator, array, reset=False)
    return array


def _weighted(dataset, sample_weight):
    """Return a dataset with weights."""
    twin = copy.copy(dataset)
    twin.sample_weight = read_weights(sample_weight, np.empty((len(dataset), 1)))
    return twin
