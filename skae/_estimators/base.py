"""The base class of all autoencoders: fitting, and scoring by the loss."""

from math import inf, prod

import torch
from sklearn.utils.validation import check_is_fitted

from skae._data.given import like_input
from skae._data.ignored import warn_if_y_is_meant
from skae._estimators.baseline import warn_if_poor
from skae._estimators.fitted import FittedAutoencoder
from skae._estimators.neural import NeuralEstimator
from skae._estimators.out_of_core import OutOfCore
from skae._estimators.parameters import CodeParameters
from skae._modules.autoencoder import AutoencoderModule, Center, ImageCenter
from skae._modules.pca_start import standardize, start_at_pca
from skae._modules.principal_axes import MAX_ROWS
from skae._params import fit_context
from skae._runtime import building
from skae._training.session import FitSession, fit_method
from skae.architectures._base import Sequential
from skae.architectures._build import build_modules
from skae.architectures._dense import ACTIVATIONS
from skae.bottlenecks import LinearBottleneck
from skae.losses._mixed import LOSSES
from skae.losses._tabular import TabularLoss


class BaseAutoencoder(FittedAutoencoder, CodeParameters, OutOfCore, NeuralEstimator):
    """Base class of all autoencoders: how they are built, trained and checked.

    A subclass defines its parameters and ``_make_loss``. It may override ``_make_bottleneck``,
    ``_make_corruption`` and ``_join``.
    """

    #: The parameter that names the loss, and the losses that it can name.
    _loss_parameter, _losses = "loss", LOSSES
    #: Parameters, in addition to the shared ones, that cannot change when training continues.
    _net_parameters = ("n_components", "loss", "output_activation")

    # Training.

    @fit_method
    def fit(self, X, y=None, sample_weight=None, *, X_val=None):
        """Train on X.

        Parameters
        ----------
        X : <X>
            <training_samples>
        y : None
            Ignored, so that the estimator can be in a pipeline with labels. A warning says so if
            it holds images, or samples like those of X.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weight of each sample in the loss.
        X_val : <X_val> or None, default=None
            Samples for ``valid_loss``. Early stopping uses them to choose the best epoch. If
            None, it holds out ``validation_fraction`` of X.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or the data is invalid, or if the loss becomes NaN or infinite. An
            estimator that was fitted before keeps its earlier fit.
        """
        warn_if_y_is_meant(type(self).__name__, X, y)
        return FitSession(self, (X,), sample_weight, None if X_val is None else (X_val,))

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y=None, sample_weight=None):
        """Train for one more epoch on X, at a constant ``lr``.

        The first call starts a new model. Later calls continue with its weights and the state
        of the optimizer.

        Parameters
        ----------
        X : <X>
            <training_samples>
        y : None
            Ignored.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weight of each sample in the loss.

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
        with FitSession(self, (X,), sample_weight, is_partial=True) as run:
            run.fit_loop()
        return self

    def _check_ranges(self, dataset):
        self._check_loss_range(dataset, self._loss_parameter, self._losses)

    def _read_targets(self, X):
        """Read samples, and raise an error if the loss cannot take their values."""
        dataset = self._reader.read(X, estimator=self)
        self._check_loss_range(dataset, self._loss_parameter, self._losses)
        return dataset

    def _make_module(self, dataset):
        """Build the module for a dataset; return it and the length of the code."""
        architecture = self._make_architecture()
        n_components = self._n_components(architecture, dataset)
        bottleneck = self._make_bottleneck(n_components, dataset.sample_shape)
        loss = self._make_loss() if dataset.column_layout is None else self._make_table_loss()
        loss.setup(dataset)
        activation = self._output_activation(loss)
        is_linear = activation == "identity"
        with building(self._new_seed()):
            widths = bottleneck.encoder_width(n_components), n_components + dataset.n_conditions
            encoder, decoder = self._halves(architecture, dataset, *widths, loss)
            is_standardized = standardize(encoder, decoder, dataset, is_linear)
            if is_linear:
                parts = encoder, bottleneck, decoder, loss
                start_at_pca(*parts, n_components, dataset, is_standardized)
        if bottleneck.centers_input and not is_standardized:
            mean = dataset.subsample(MAX_ROWS).center.to(torch.float32)
            center = ImageCenter if dataset.is_spatial else Center
            encoder = Sequential(center(mean), encoder)
        parts = encoder, bottleneck, decoder, loss.make_activation() or ACTIVATIONS[activation]()
        facts = {"has_missing": dataset.has_missing, "cost": dataset.cost(parts)}
        facts["augmentation"] = architecture.make_augmentation(dataset.sample_shape)
        facts |= self._more_parts(dataset, parts, loss)
        module = self._join(*parts, loss, self._make_corruption(dataset), **facts)
        return module.eval(), n_components

    def _halves(self, architecture, dataset, encoder_width, code_width, loss):
        """Return an encoder and a decoder for a dataset, of whose outputs a loss is computed."""
        widths = encoder_width, code_width
        parts = architecture, dataset.sample_shape, *widths, dataset.column_layout
        encoder, decoder = build_modules(*parts)
        return encoder, loss.suitable_decoder(decoder, architecture, code_width)

    def _join(self, *parts, **facts):
        return AutoencoderModule(*parts, **facts)

    def _more_parts(self, dataset, parts, loss):
        """Return further arguments of the module, by name."""
        del dataset, parts, loss
        return {}

    def _parts_to_renew(self, dataset):
        return {
            "bottleneck": self._make_bottleneck(self.n_components_, dataset.sample_shape),
            "corruption": self._make_corruption(dataset),
            "augmentation": self._make_architecture().make_augmentation(dataset.sample_shape),
        }

    def _make_loss(self):
        """Return the module that computes the loss of reconstructions."""
        raise NotImplementedError

    def _make_table_loss(self):
        """Return the module that computes the loss of the rows of a table."""
        return TabularLoss(self._make_loss())

    def _output_activation(self, loss):
        return loss.output_activation

    def _make_bottleneck(self, n_components, sample_shape):
        """Return the bottleneck for codes of a length and samples of a shape."""
        del n_components, sample_shape
        return LinearBottleneck()

    def _make_corruption(self, dataset):
        """Return the module that corrupts samples in training, or None."""
        del dataset

    def _describe(self, dataset, validation):
        del validation
        self._learn_lengths(dataset)

    def _check_fit(self, dataset):
        dataset.warn_if_unscaled(type(self).__name__)
        warn_if_poor(self, dataset)

    def _as_in_training(self, dataset):
        """Return samples as in training, and the weights of their values or 1."""
        return dataset, 1.0

    @property
    def _n_comparable_components(self):
        """Number of components of PCA in a fair comparison, or None if no comparison is fair."""
        return self.n_components_

    def _n_components(self, architecture, dataset):
        n_components = self._asked_n_components(architecture, dataset)
        n_components = architecture.code_length(dataset.sample_shape, n_components)
        if n_components == "auto":
            return self._auto_n_components(prod(dataset.sample_shape))
        return int(n_components)

    def _asked_n_components(self, architecture, dataset):
        """Return what stands for ``n_components`` for a dataset."""
        del architecture, dataset
        return self.n_components

    def _auto_n_components(self, n_features):
        return max(1, round(n_features**0.5))

    # Scoring.

    def score_samples(self, X):
        """Score samples by how well they are reconstructed.

        Parameters
        ----------
        X : <X>
            <samples>

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            <scores>
        """
        check_is_fitted(self)
        scores = self._predictor.map(self._score_function(), self._read_targets(X), (), nan=-inf)
        return like_input(scores, X)

    def _score_function(self):
        """Return the function of a module, samples and targets that gives the scores."""
        return _scores

    def _element_losses(self, X):
        """Return the samples of X, and the loss of each of their elements."""
        dataset = self._read_targets(X)
        return dataset, self._predictor.map(_element_losses, dataset, nan=inf)

    # Fitted attributes.

    @property
    def encoder_(self):
        """The encoder, a module that maps a tensor of samples to their codes."""
        return _in_eval_mode(self._predictor.encoder)

    @property
    def decoder_(self):
        """The decoder, a module that maps a tensor of codes to reconstructions."""
        return _in_eval_mode(self._predictor.decoder)


def _scores(module, x, target):
    return -module.reconstruction_losses(module.latent(x), target)


def _element_losses(module, x, target):
    return module.element_losses(module.latent(x), target)


def _in_eval_mode(module):
    return module.eval() if module.training else module
