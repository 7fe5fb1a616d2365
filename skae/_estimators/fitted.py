"""Methods of fitted autoencoders, for single ones and ensembles."""

from functools import partial
from math import inf
from numbers import Integral

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_array, check_scalar
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from skae._data import READERS
from skae._data.arrays import read_array
from skae._data.given import as_data, like_input
from skae._data.sequences import read_lengths
from skae._estimators.method_docs import fill_method_docs
from skae._estimators.predictor import complete, decode, encode, reconstruct
from skae._estimators.reading import make_reader
from skae._estimators.sequence_lengths import MAX_SEQUENCES, expected_lengths, fit_lengths


def line(first, last, n_steps):
    """Return numbers on the line between pairs, those of the first pair first.

    Parameters
    ----------
    first, last : ndarray of shape (n_pairs, ...), or None
    n_steps : int

    Returns
    -------
    ndarray of shape (n_pairs * n_steps, ...), or None
        None for None.
    """
    if first is None:
        return None
    if len(first) != len(last):
        raise ValueError(
            f"X_a has {len(first)} samples, but X_b has {len(last)}: give pairs, as many of each."
        )
    steps = np.linspace(first, last, n_steps, axis=1)
    return steps.reshape(-1, *steps.shape[2:])


#: Statistics of a fit are computed on at most this many rows.
MAX_DESCRIBED_ROWS = 100_000


class FittedAutoencoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin):
    """Methods of all fitted autoencoders.

    A subclass defines ``score_samples``, ``_element_losses``, ``_predictor``, ``_input_kind`` and
    ``_make_architecture``. Marks in docstrings, such as ``<X>``, are replaced by texts for the
    data that the subclass takes.
    """

    #: The architecture, a class, of estimators that have only one.
    _architecture = None

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if hasattr(cls, "_make_architecture"):  # so that it is known which data it takes
            fill_method_docs(cls)

    @property
    def _reader_class(self):
        """Class of the reader, also before ``fit`` has checked the kind of input."""
        return READERS.get(self._input_kind, READERS["arrays"])

    def _make_reader(self):
        return make_reader(self._make_architecture(), self._reader_class)

    def _learn_lengths(self, dataset):
        """Fit the regression that predicts the lengths of sequences from their codes."""
        self.__dict__.pop("length_regressor_", None)  # from an earlier fit
        if dataset.lengths is not None:
            sample = dataset.subsample(MAX_SEQUENCES)
            codes = partial(self._predictor.map, encode, sample, (self.n_components_,))
            self.length_regressor_ = fit_lengths(codes, sample.lengths)

    def transform(self, X):
        """Encode X.

        Parameters
        ----------
        X : <X>
            <samples>

        Returns
        -------
        Z : ndarray of shape (n_samples, n_components)
            Codes, of dtype float32 for float32 input, otherwise float64.
        """
        dataset = self._read_new(X)
        return like_input(self._predictor.map(encode, dataset, (self.n_components_,)), X)

    def _read_new(self, X):
        """Return samples as a dataset; warn if they are far from those of the fit."""
        check_is_fitted(self)
        dataset = self._reader.read(X, estimator=self)
        self._reader.warn_if_far(dataset)
        return dataset

    def _has_other_sizes(self, dataset):
        """Say whether there are images of other sizes than those of the training."""
        return dataset.is_spatial and set(dataset.sizes) != {self._reader.sample_shape[1:]}

    def inverse_transform(self, X, lengths=None):
        """Decode codes.

        Parameters
        ----------
        X : <codes>
            Codes, as ``transform`` returns them.
        lengths : int, array-like of int of shape (n_samples,) or None, default=None
            <lengths>

        Returns
        -------
        X_original : <output>
            <original>

        Raises
        ------
        ValueError
            If the codes in X have a wrong length, if ``lengths`` does not hold one positive
            integer for each code, or if ``lengths`` is given for data other than sequences.
        """
        check_is_fitted(self)
        codes = self._read_codes(as_data(X))
        return like_input(self._decode(decode, codes, lengths), X)

    def _read_codes(self, X):
        """Return codes as an array or CSR matrix of float32 or float64."""
        takes = "inverse_transform takes codes, the output of transform"
        try:
            codes = read_array(partial(check_array, input_name="X"), X).X
        except (ValueError, TypeError) as error:
            raise ValueError(
                f"{error}\n{takes}, {self.n_components_} numbers for each sample."
            ) from error
        if codes.shape[1] != self.n_components_:
            raise ValueError(
                f"X has {codes.shape[1]} columns, but {type(self).__name__} was fitted with "
                f"{self.n_components_} components: {takes}."
            )
        return codes if codes.dtype in (np.float32, np.float64) else codes.astype(np.float64)

    def _decode(self, function, codes, lengths=None, *, nan=None, rng=None):
        """Map a function over codes, and return samples in the user's form.

        ``nan`` is as for `Predictor.map`, ``rng`` as for ``to_array`` of formats.
        """
        is_sequence = self._reader.has_lengths
        if lengths is not None and not is_sequence:
            raise ValueError("lengths are for sequences; leave them out for other samples")
        if is_sequence:
            if lengths is None:
                lengths = expected_lengths(self.length_regressor_, codes)
            lengths = read_lengths(lengths, codes.shape[0])
        codes = self._reader.format.codes(codes, self._reader.sample_shape, lengths)
        codes = codes.conditioned(self._reader.conditions)
        return codes.format.to_array(self._predictor.map(function, codes, nan=nan), rng=rng)

    def interpolate(self, X_a, X_b, n_steps=10):
        """Return what is between pairs of samples: what codes on the line between theirs decode to.

        Parameters
        ----------
        X_a, X_b : <X>
            The samples of each pair: the first of X_a and the first of X_b, and so on.
        n_steps : int, default=10
            Number of codes on each line. The first and the last are those of the pair, so that
            they decode to its reconstructions.

        Returns
        -------
        X_between : <output>
            ``n_pairs * n_steps`` samples in the form of the training samples, those of the first
            pair first. An array can be reshaped to (n_pairs, n_steps, ...). Lengths of sequences
            go from one to the other, too.

        Raises
        ------
        TypeError, ValueError
            If there are not as many samples in X_a as in X_b, or if ``n_steps`` is not an integer
            of at least 2.
        """
        check_is_fitted(self)
        check_scalar(n_steps, "n_steps", Integral, min_val=2)
        ends = self._code_and_length(X_a), self._code_and_length(X_b)
        return like_input(self._between(*ends, n_steps), X_a)

    def _between(self, first, last, n_steps):
        """Return samples between pairs, of whose ends the codes and the lengths are given."""
        codes, lengths = (line(*ends, n_steps) for ends in zip(first, last, strict=True))
        lengths = None if lengths is None else np.rint(lengths).astype(int)
        samples = self._decode(decode, codes.astype(first[0].dtype), lengths)
        return self._reader.format.in_frame(samples)

    def _code_and_length(self, X):
        """Return the codes of samples, and their lengths if they are sequences."""
        dataset = self._read_new(X)
        if self._has_other_sizes(dataset):
            raise ValueError("interpolate takes images of the size of the training images alone.")
        return self._predictor.map(encode, dataset, (self.n_components_,)), dataset.lengths

    def reconstruct(self, X):
        """Encode and decode X.

        Parameters
        ----------
        X : <X>
            <samples>

        Returns
        -------
        X_reconstructed : <output>
            <reconstructed>
        """
        dataset = self._read_new(X)
        restored = dataset.format.to_array(self._reconstruct(dataset))
        return like_input(dataset.format.in_frame(restored), X)

    @available_if(lambda self: self._reader_class.allows_missing)
    def impute(self, X):
        """Fill the missing values of X with their reconstructions.

        This method needs an architecture for tables or for sequences.

        Parameters
        ----------
        X : <X_incomplete>
            Samples in which NaN, None or NA stands for a missing value.

        Returns
        -------
        X_imputed : <output>
            <imputed>
        """
        check_is_fitted(self)
        samples = as_data(X)
        dataset = self._reader.read(samples, estimator=self)
        restored = dataset.format.to_array(self._predictor.map(complete, dataset))
        imputed = dataset.format.complete(samples, dataset.format.in_frame(restored))
        return like_input(imputed, X)

    def _reconstruct(self, dataset):
        return self._predictor.map(reconstruct, dataset)

    def reconstruction_errors(self, X):
        """Return the squared difference between each value and its reconstruction.

        The errors show where in a sample an anomaly is: <where>. They do not depend on the loss.

        Parameters
        ----------
        X : <X>
            <samples>

        Returns
        -------
        errors : <output>
            <errors>
        """
        check_is_fitted(self)
        dataset = self._reader.read(X, estimator=self)
        errors = self._predictor.map(self._squared_errors, dataset, nan=inf)
        return like_input(dataset.format.in_frame(dataset.format.to_user_axes(errors)), X)

    def feature_losses(self, X):
        """Return the loss of each value.

        Like ``reconstruction_errors``, the losses show where in a sample an anomaly is, but they
        are those of the training. Minus their mean over the features that are not missing is
        what ``score_samples`` returns. For variational autoencoders, they add up to minus the
        logarithm of the likelihood given the mean code.

        Parameters
        ----------
        X : <X>
            <samples>

        Returns
        -------
        losses : <output>
            <losses>

        Raises
        ------
        ValueError
            If the loss is defined for whole samples only, such as "ssim".
        """
        check_is_fitted(self)
        dataset, losses = self._element_losses(X)
        return like_input(dataset.format.in_frame(dataset.format.to_user_axes(losses)), X)

    @staticmethod
    def _squared_errors(module, x, target):
        del target
        return (x - module(x)).square()

    def score(self, X, y=None, sample_weight=None):
        """Return the fraction of the variance that is reconstructed: R2, weighted by variance.

        <score>

        Parameters
        ----------
        X : <X>
            <samples>
        y : None
            Ignored.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weight of each sample.

        Returns
        -------
        score : float
            1 is perfect, and 0 is as good as the mean of X. NaN, with a warning, for a single
            sample.
        """
        del y
        check_is_fitted(self)
        dataset = self._reader.read(X, sample_weight=sample_weight, estimator=self)
        return self._predictor.score(dataset)

    def __sklearn_tags__(self):
        tags, reader = super().__sklearn_tags__(), self._reader_class
        tags.input_tags.sparse = not reader.allows_missing
        tags.input_tags.allow_nan = reader.allows_missing
        tags.input_tags.string = tags.input_tags.categorical = reader.allows_text
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
