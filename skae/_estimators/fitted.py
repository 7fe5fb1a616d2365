"""What fitted autoencoders offer, once for single ones and ensembles."""

from functools import partial

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_array
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from skae._data.sequences import read_lengths
from skae._estimators.predictor import Predictor
from skae._estimators.sequence_lengths import MAX_SEQUENCES, expected_lengths, fit_lengths

#: Figures of a fit are of no more rows than these.
MAX_DESCRIBED_ROWS = 100_000


class FittedAutoencoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, Predictor):
    """What all fitted autoencoders can do.

    A subclass brings ``score_samples``, ``_element_losses``, and what `Predictor` needs.
    """

    def _learn_lengths(self, dataset):
        """Learn how long sequences are by their codes."""
        self.__dict__.pop("length_regressor_", None)  # of an earlier fit
        if dataset.kind == "sequences":
            sample = dataset.subsample(MAX_SEQUENCES)
            encode = partial(self._map, _encoded, sample, (self.n_components_,))
            self.length_regressor_ = fit_lengths(encode, sample.lengths)

    def transform(self, X):
        """Encode the rows of X.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_components)
            Codes: float32 for float32 input, otherwise float64.
        """
        check_is_fitted(self)
        return self._map(_encoded, self._read_input(X), (self.n_components_,))

    def inverse_transform(self, X, lengths=None):
        """Decode codes into rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_components)
            Codes, as ``transform`` gives them.
        lengths : int, array-like of int of shape (n_samples,) or None, default=None
            For sequences, how many steps to decode to, the same or one for each. None is
            what the code lets expect, as learned from the training sequences.

        Returns
        -------
        X_original : ndarray of shape (n_samples, n_features)
            Reconstructed rows; images if these were fitted, in their shape and type;
            sequences in a list or, if an array was fitted, an array padded with NaN; a
            DataFrame for the architectures of tables, if one was fitted.

        Raises
        ------
        ValueError
            If X does not hold codes of the right length, or ``lengths`` not as many positive
            integers, or if it is given for anything but sequences.
        """
        check_is_fitted(self)
        dtypes = [np.float64, np.float32]
        codes = check_array(X, accept_sparse="csr", dtype=dtypes, input_name="X")
        if codes.shape[1] != self.n_components_:
            raise ValueError(
                f"X has {codes.shape[1]} columns, but {type(self).__name__} was fitted with "
                f"{self.n_components_} components: inverse_transform takes codes, the output of "
                "transform."
            )
        return self._decode(_decoded, codes, lengths)

    def _decode(self, decode, codes, lengths=None):
        """Apply ``decode`` to the module and codes, and return samples as the user has them."""
        is_sequence = hasattr(self, "length_regressor_")
        if lengths is not None and not is_sequence:
            raise ValueError("lengths are for sequences; leave them out for other samples")
        if is_sequence:
            if lengths is None:
                lengths = expected_lengths(self.length_regressor_, codes)
            lengths = read_lengths(lengths, codes.shape[0])
        codes = self._format.codes(codes, self._sample_shape, lengths)
        return codes.format.to_array(self._map(decode, codes))

    def reconstruct(self, X):
        """Encode and decode the rows of X.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        X_reconstructed : ndarray of shape (n_samples, n_features)
            What the code keeps of each row, in the units of X; a DataFrame if X is one.
            Images are of the shape and type of X: unsigned integers are rounded, and
            clipped to their range. Sequences are in a list if X is one, with the length of
            each, or padded with NaN as X is; missing values in them are filled. Tables have
            the columns and dtypes of the training rows, and missing cells are filled.
        """
        check_is_fitted(self)
        dataset = self._read_input(X)
        return dataset.format.in_frame(dataset.format.to_array(self._reconstruct(dataset)))

    @available_if(lambda self: self._takes_holes)
    def impute(self, X):
        """Fill the missing cells of X with what the other cells let expect.

        It takes an architecture for tables or for sequences.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Rows, with NaN, None or NA where a cell is missing.

        Returns
        -------
        X_imputed : ndarray or DataFrame of shape (n_samples, n_features)
            The rows, with the missing cells as ``reconstruct`` gives them and all others as
            they are. Of sequences, missing values are filled, but not the padding.
        """
        check_is_fitted(self)
        dataset = self._read_input(X)
        return dataset.format.complete(
            X, dataset.format.in_frame(dataset.format.to_array(self._reconstruct(dataset)))
        )

    def _reconstruct(self, dataset):
        return self._map(_restored, dataset)

    def reconstruction_errors(self, X):
        """Return the squared difference of each value from its reconstruction.

        It says where in a sample an anomaly is: which columns of a row, which pixels of an
        image. It does not depend on the loss.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        errors : ndarray of shape (n_samples, n_features)
            In squared units of X, a DataFrame if X is one; of the shape of X for images,
            where unsigned integers count as intensities from 0 to 1. Of sequences for each
            step, a list if X is one, and NaN where a value is missing. Of tables in squared
            deviations for numbers, and for categories of all probabilities together.
        """
        check_is_fitted(self)
        dataset = self._read_input(X)
        errors = self._map(self._squared_errors, dataset)
        return dataset.format.in_frame(dataset.format.to_user_axes(errors))

    def feature_losses(self, X):
        """Return the loss of each value, as it counts in the loss of its sample.

        It says where in a sample an anomaly is, as ``reconstruction_errors`` does, but by the
        loss of the training.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        losses : ndarray of shape (n_samples, n_features)
            A DataFrame if X is one, of the shape of X for images, a list for a list of
            sequences. NaN where a value is missing. Minus their mean over the features that
            are not missing is what ``score_samples`` gives. Those of variational autoencoders
            add up to minus the logarithm of the likelihood given the mean code.

        Raises
        ------
        ValueError
            If the loss is one of whole samples, such as "ssim".
        """
        check_is_fitted(self)
        dataset, losses = self._element_losses(X)
        return dataset.format.in_frame(dataset.format.to_user_axes(losses))

    @staticmethod
    def _squared_errors(module, x):
        return (x - module(x)).square()

    def score(self, X, y=None, sample_weight=None):
        """Return the share of variance reconstructed, R2 weighted by variance.

        It does not depend on the loss, and compares with PCA's share of variance. Of a table
        read as one it is the mean over the columns that vary, of categories the share of the
        variance of their probabilities.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        y : None
            Ignored.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weight of each row.

        Returns
        -------
        score : float
            1 is perfect, 0 as good as the mean of the columns; NaN, with a warning, for
            a single row.
        """
        del y
        check_is_fitted(self)
        return self._score(self._read_input(X, sample_weight))

    @property
    def _takes_holes(self):
        return self._input_kind in ("sequences", "tables")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = not self._takes_holes
        tags.input_tags.allow_nan = self._takes_holes
        tags.input_tags.string = tags.input_tags.categorical = self._input_kind == "tables"
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _encoded(module, x):
    return module.encode(x)


def _decoded(module, code, target=None):
    return module.decode(code, target)


def _restored(module, x):
    return module(x)
