"""The scikit-learn contract, once for all autoencoders."""

from functools import partial
from math import prod

import numpy as np
import torch
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted
from torch import nn

from skae._baseline import warn_if_poor, warn_if_unscaled
from skae._lengths import MAX_SEQUENCES, expected_lengths, fit_lengths
from skae._module import AutoencoderModule, Centre, Chain
from skae._neural import NeuralEstimator
from skae._params import fit_context
from skae._pca_start import MAX_ROWS, start_at_pca
from skae._randomness import seeded
from skae._shared_parameters import CodeParameters
from skae._threads import threads
from skae.architectures import build_modules
from skae.architectures._dense import ACTIVATIONS
from skae.bottlenecks import LinearBottleneck
from skae.inputs import read_lengths
from skae.losses import LOSSES


class BaseAutoencoder(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, CodeParameters, NeuralEstimator
):
    """Base of all autoencoders: every public method, once.

    A subclass brings its parameters, ``_make_loss`` and, where they differ from the plain
    autoencoder's, ``_make_bottleneck``, ``_make_corruption`` and ``_join``.
    """

    #: The parameter that names the loss, and what it can name.
    _loss_parameter, _losses = "loss", LOSSES
    #: Parameters beside the shared ones that training on cannot change.
    _net_parameters = ("n_components", "loss", "output_activation")

    # Training.

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, sample_weight=None, *, X_val=None):
        """Train on the rows of X.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows. Sparse input is made dense a batch at a time. Architectures for
            images also take arrays of shape (n_samples, ...), see `ConvAutoencoder`, those
            for sequences also lists of arrays, see `RecurrentAutoencoder`, here and in all
            other methods.
        y : None
            Ignored, so that the estimator can stand in a pipeline with labels.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weight of each row in the loss.
        X_val : {array-like, sparse matrix} of shape (n_val, n_features) or None, \
                default=None
            Rows to compute ``valid_loss`` on, and to choose the best epoch by if
            ``early_stopping``, which otherwise holds out ``validation_fraction`` of X.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or the data is invalid, or if the loss becomes NaN or
            infinite. An estimator that was fitted before stays as it was.
        """
        del y
        return self._fit((X,), sample_weight, None if X_val is None else (X_val,))

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y=None, sample_weight=None):
        """Train for one more epoch, on the rows of X, at a constant ``lr``.

        The first call starts a new model. The next ones go on with its weights and with
        the state of the optimiser.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows.
        y : None
            Ignored.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weight of each row in the loss.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            As in ``fit``.
        """
        del y
        return self._fit_one_epoch((X,), sample_weight)

    def _read_samples(self, X, sample_weight=None, reset=False):
        """Read rows that the loss compares with, and refuse those that it cannot take."""
        rows = self._read_input(X, sample_weight, reset)
        self._check_bounds(rows, self._loss_parameter, self._losses)
        return rows

    def _make_module(self, rows):
        architecture = self._make_architecture()
        self.n_components_ = self._n_components(architecture, rows.sample_shape)
        bottleneck, loss = self._make_bottleneck(), self._make_loss()
        if hasattr(loss, "adapt"):
            loss.adapt(rows)
        activation = self._output_activation(loss)
        with seeded(self._new_seed(), "cpu"), threads(work=0):
            encoder, decoder = build_modules(
                architecture,
                rows.sample_shape,
                bottleneck.encoder_width(self.n_components_),
                self.n_components_,
            )
            is_standardised = rows.kind == "sequences" and hasattr(encoder, "standardise")
            if is_standardised:
                moments = rows.moments()
                encoder.standardise(moments)
                if activation == "identity":
                    decoder.standardise(moments)
            if activation == "identity":
                parts = encoder, bottleneck, decoder, loss
                start_at_pca(*parts, self.n_components_, rows, is_standardised)
        if bottleneck.centres_input and not is_standardised:
            mean = rows.spread(MAX_ROWS).centre.to(torch.float32)
            encoder = nn.Sequential(Centre(mean), encoder)
        parts = encoder, bottleneck, decoder, ACTIVATIONS[activation](), loss
        return self._join(*parts, self._make_corruption(rows))

    def _join(self, *parts):
        return AutoencoderModule(*parts)

    def _renew(self, module, rows):
        module.bottleneck = self._make_bottleneck()
        module.corruption = self._make_corruption(rows)
        module.to(self.device_)

    def _make_loss(self):
        """Return the module that compares reconstructions with their targets."""
        raise NotImplementedError

    def _output_activation(self, loss):
        return loss.output_activation

    def _make_bottleneck(self):
        return LinearBottleneck()

    def _make_corruption(self, rows):
        """Return what damages the rows in training, or None."""
        del rows

    def _describe(self, rows, validation):
        del validation
        self.__dict__.pop("length_regressor_", None)  # of an earlier fit
        if rows.kind == "sequences":
            sample = rows.spread(MAX_SEQUENCES)
            encode = partial(self._map, AutoencoderModule.encode, sample, (self.n_components_,))
            self.length_regressor_ = fit_lengths(encode, sample.lengths)

    def _check_fit(self, rows):
        if rows.kind == "images":
            warn_if_unscaled(self, rows)
        warn_if_poor(self, rows)

    def _as_in_training(self, rows):
        """Return rows as training shows them, and the weights of their cells or 1."""
        return rows, 1.0

    @property
    def _n_comparable_components(self):
        """How many components PCA needs for a fair comparison, or None if there is none."""
        return self.n_components_

    def _n_components(self, architecture, sample_shape):
        n_components = self.n_components
        if hasattr(architecture, "code_length"):
            n_components = architecture.code_length(sample_shape, n_components)
        if n_components == "auto":
            return self._auto_n_components(prod(sample_shape))
        return int(n_components)

    def _auto_n_components(self, n_features):
        return max(1, round(n_features**0.5))

    # Using the model.

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
        return self._map(AutoencoderModule.encode, self._read_input(X), (self.n_components_,))

    def inverse_transform(self, X, lengths=None):
        """Decode codes into rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_components)
            Codes, as ``transform`` gives them.
        lengths : int, array-like of int of shape (n_samples,) or None, default=None
            For sequences, how many steps to decode to, the same or one for each. None is
            what the code lets expect, as learnt from the training sequences.

        Returns
        -------
        X_original : ndarray of shape (n_samples, n_features)
            Reconstructed rows; images if these were fitted, in their shape and type;
            sequences in a list or, if an array was fitted, an array padded with NaN.

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
        return self._decode(AutoencoderModule.decode, codes, lengths)

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
            each, or padded with NaN as X is; missing values in them are filled.
        """
        check_is_fitted(self)
        rows = self._read_input(X)
        return rows.format.in_frame(rows.format.to_array(self._reconstruct(rows)))

    def _reconstruct(self, rows):
        return self._map(AutoencoderModule.forward, rows)

    def score_samples(self, X):
        """Score rows by how well they are reconstructed.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            Minus the loss of each row, averaged over its features. The higher, the more
            normal; the lowest are outliers.
        """
        check_is_fitted(self)
        return -self._map(_losses, self._read_samples(X), ())

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
            step, a list if X is one, and NaN where a value is missing.
        """
        check_is_fitted(self)
        rows = self._read_input(X)
        errors = self._map(_squared_errors, rows)
        return rows.format.in_frame(rows.format.arrange(errors))

    def score(self, X, y=None, sample_weight=None):
        """Return the share of variance reconstructed, R2 weighted by variance.

        It does not depend on the loss, and compares with PCA's share of variance.

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

    # What a fitted estimator shows.

    @property
    def encoder_(self):
        """The encoder alone: maps (n_samples, n_features) to the codes."""
        return _chain(self.net_.module_.encoder, self.net_.module_.bottleneck)

    @property
    def decoder_(self):
        """The decoder alone: maps codes to (n_samples, n_features)."""
        return _chain(self.net_.module_.decoder, self.net_.module_.output_activation)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = self._input_kind != "sequences"
        tags.input_tags.allow_nan = self._input_kind == "sequences"
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _losses(module, x):
    return module.reconstruction_losses(module.encode(x), x)


def _squared_errors(module, x):
    return (x - module(x)).square()


def _chain(*modules):
    return Chain(*(m for m in modules if not isinstance(m, nn.Identity))).eval()
