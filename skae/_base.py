"""The scikit-learn contract, once for all autoencoders."""

import copy
import warnings
from contextlib import contextmanager

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.utils import check_array, check_random_state
from sklearn.utils.validation import check_is_fitted
from torch import nn

from skae._baseline import warn_if_poor
from skae._batches import chunk_length, chunks
from skae._device import resolve_device
from skae._effort import MIN_HOLD_OUT, batch_size, max_epochs
from skae._module import AutoencoderModule, Centre
from skae._net import BestWeights, Net, Progress, seeded
from skae._optimizers import optimizer_params
from skae._params import fit_context
from skae._pca_start import MAX_ROWS, start_at_pca
from skae._shared_parameters import SharedParameters
from skae._threads import threads
from skae.architectures import ARCHITECTURES, build_modules, make_architecture
from skae.architectures._dense import ACTIVATIONS
from skae.bottlenecks import LinearBottleneck
from skae.exceptions import InterruptedWarning
from skae.inputs import FrameFormat, Rows, read_rows
from skae.losses import LOSSES


class BaseAutoencoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, SharedParameters):
    """Base of all autoencoders: every public method, once.

    A subclass brings its parameters, ``_make_loss`` and, where they differ from the plain
    autoencoder's, ``_make_bottleneck``, ``_make_corruption`` and ``_join``.
    """

    #: The parameter that names the loss, and what it can name.
    _loss_parameter, _losses = "loss", LOSSES
    #: Parameters beside the shared ones that training on cannot change.
    _net_parameters = ("loss", "output_activation")

    # Training.

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, sample_weight=None, *, X_val=None):
        """Train on the rows of X.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows. Sparse input is made dense a batch at a time.
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
        with self._unchanged_on_error():
            rows, go_on = self._read(X, sample_weight, go_on=self.warm_start)
            fitted, validation = self._hold_out(rows, X_val)
            self._set_up(fitted, go_on, anneals=True)
            epochs = max_epochs(self.max_epochs, len(fitted), self.net_.batch_size)
            finished = self._train(fitted, validation, epochs)
            self._describe(fitted, validation)
        self._warn_unless(finished)
        if self.check_baseline:
            self._check_fit(fitted)
        return self

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
        with self._unchanged_on_error():
            rows, go_on = self._read(X, sample_weight, go_on=True)
            self._set_up(rows, go_on, anneals=False)
            finished = self._train(rows, None, epochs=1)
            self._describe(rows, None)
        self._warn_unless(finished)
        return self

    def _read(self, X, sample_weight, go_on):
        """Return the rows to train on, and whether training goes on, as it may if it can."""
        go_on = go_on and hasattr(self, "net_")
        rows = self._read_targets(X, sample_weight, reset=not go_on)
        if sample_weight is not None:
            rows = rows.select(rows.weighted())  # the others are as good as not there
        if not go_on:
            self._rng = check_random_state(self.random_state)
        return rows, go_on

    def _set_up(self, rows, go_on, anneals):
        """Make a net for the rows, or one to train on that is a copy of the present one."""
        built_with = self._parameters_of_the_net()
        session = {
            "lr": self.lr,
            "lr_schedule": self.lr_schedule if anneals else None,
            "anneals": anneals,
            "max_grad_norm": self.max_grad_norm,
            "batch_size": batch_size(self.batch_size, len(rows)),
        }
        if go_on:
            changed = [n for n, v in built_with.items() if not _same(v, self._built_with.get(n))]
            if changed:
                raise ValueError(
                    f"{', '.join(changed)} changed since the net was built, and training on cannot "
                    "change that. Set it back, or call fit with warm_start=False to start anew."
                )
            self.net_ = copy.copy(self.net_).go_on(**session)
            self._renew(self.net_.module_, rows)
            return
        self._built_with = built_with
        device = resolve_device(self.device)
        self.n_components_ = self._n_components(rows.sample_shape)
        optimizer = optimizer_params(
            self.optimizer, self.lr, self.weight_decay, self.optimizer_params
        )
        module = self._make_module(rows)
        self.net_ = Net(module, device=str(device), **optimizer, **session)

    def _read_targets(self, X, sample_weight=None, reset=False):
        """Read rows that the loss compares with, and refuse those that it cannot take."""
        rows = read_rows(self, X, sample_weight, reset)
        name = self._loss_parameter
        bounds = getattr(self._losses.get(getattr(self, name)), "target_range", None)
        if bounds is not None:
            low, high = rows.range()
            if low < bounds[0] or high > bounds[1]:
                raise ValueError(
                    f"{name}={getattr(self, name)!r} needs X within {list(bounds)}, but its values "
                    f"go from {low:g} to {high:g}. Scale X, for instance with "
                    f"MinMaxScaler(clip=True), or use another {name}."
                )
        return rows

    def _parameters_of_the_net(self):
        """Return the parameters that training on cannot change."""
        fixed = ["n_components", "device", "optimizer", "optimizer_params", "weight_decay"]
        fixed += self._net_parameters
        architecture = make_architecture(self.architecture)
        params = {name: getattr(self, name) for name in fixed} | {"architecture": architecture}
        if isinstance(architecture, BaseEstimator):
            params |= {f"architecture__{k}": v for k, v in architecture.get_params().items()}
        return params

    def _make_module(self, rows):
        bottleneck, loss = self._make_bottleneck(), self._make_loss()
        activation = self._output_activation(loss)
        with seeded(self._new_seed(), "cpu"), threads(work=0):
            encoder, decoder = build_modules(
                self.architecture,
                rows.sample_shape,
                bottleneck.encoder_width(self.n_components_),
                self.n_components_,
            )
            if activation == "identity":
                start_at_pca(encoder, bottleneck, decoder, loss, self.n_components_, rows)
        if bottleneck.centres_input:
            mean = rows.spread(MAX_ROWS).mean().to(torch.float32)
            encoder = nn.Sequential(Centre(mean), encoder)
        parts = encoder, bottleneck, decoder, ACTIVATIONS[activation](), loss
        return self._join(*parts, self._make_corruption(rows))

    def _join(self, *parts):
        return AutoencoderModule(*parts)

    def _renew(self, module, rows):
        """Give a module that is trained on the parts that parameters may change."""
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
        """Set the fitted attributes that take a look at the rows."""

    def _check_fit(self, rows):
        warn_if_poor(self, rows)

    def _as_in_training(self, rows):
        """Return rows as training shows them, and the weights of their cells or 1."""
        return rows, 1.0

    @property
    def _n_comparable_components(self):
        """How many components PCA needs for a fair comparison, or None if there is none."""
        return self.n_components_

    def _n_components(self, sample_shape):
        if self.n_components != "auto":
            return int(self.n_components)
        return max(1, round(sample_shape[0] ** 0.5))

    def _hold_out(self, rows, X_val):
        """Return the rows to fit, and the rows to validate on or None."""
        if X_val is not None:
            return rows, self._read_targets(X_val)
        if self.early_stopping == "auto" and len(rows) < MIN_HOLD_OUT or not self.early_stopping:
            return rows, None
        order = self._rng.permutation(len(rows))
        n_held_out = max(1, round(len(order) * self.validation_fraction))
        if n_held_out >= len(order):
            raise ValueError(
                f"early_stopping=True holds out {n_held_out} of {len(order)} samples, which leaves "
                "none to fit. Give X_val, a smaller validation_fraction or early_stopping=False."
            )
        held_out, fitted = order[:n_held_out], order[n_held_out:]
        held_out.sort()  # in place, as all of this for the sake of memory
        fitted.sort()
        return rows.select(fitted), rows.select(held_out)

    def _train(self, rows, validation, epochs):
        callbacks = list(self.callbacks or ())
        if validation is not None and self.early_stopping:
            callbacks.append(BestWeights(self.patience))
        if self.verbose:
            callbacks.append(Progress(epochs))
        finished = self.net_.train(rows, validation, callbacks, epochs, self._new_seed())
        self.net_.module_.eval()
        return finished

    def _warn_unless(self, finished):
        if not finished:
            warnings.warn(
                f"Training was interrupted after {self.n_iter_} epochs. The estimator keeps the "
                "best weights so far, or the last ones without early_stopping.",
                InterruptedWarning,
                stacklevel=4,
            )

    def _new_seed(self):
        return int(self._rng.randint(np.iinfo(np.int32).max))

    @contextmanager
    def _unchanged_on_error(self):
        """Put the attributes back if fitting fails: fitting rebinds them, and no more."""
        before = self.__dict__.copy()
        rng = before.get("_rng")  # the one attribute that changes in itself
        state = None if rng is None else rng.get_state()
        try:
            # Whatever the mode around: training needs gradients.
            with torch.inference_mode(False), torch.enable_grad():
                yield
        except BaseException:
            self.__dict__.clear()
            self.__dict__.update(before)
            if rng is not None:
                rng.set_state(state)
            raise

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
        return self._map(AutoencoderModule.encode, read_rows(self, X), (self.n_components_,))

    def inverse_transform(self, X):
        """Decode codes into rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_components)
            Codes, as ``transform`` gives them.

        Returns
        -------
        X_original : ndarray of shape (n_samples, n_features)
            Reconstructed rows.
        """
        check_is_fitted(self)
        dtypes = [np.float64, np.float32]
        codes = Rows(check_array(X, accept_sparse="csr", dtype=dtypes, input_name="X"))
        if codes.sample_shape != (self.n_components_,):
            raise ValueError(
                f"X has {codes.sample_shape[0]} columns, but {type(self).__name__} was fitted with "
                f"{self.n_components_} components: inverse_transform takes codes, the output of "
                "transform."
            )
        return self._map(AutoencoderModule.decode, codes, (self.n_features_in_,))

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
        """
        check_is_fitted(self)
        reconstructed = self._reconstruct(read_rows(self, X))
        frame_format = FrameFormat.of(X)
        return frame_format.make(reconstructed) if frame_format else reconstructed

    def _reconstruct(self, rows):
        return self._map(AutoencoderModule.forward, rows, rows.sample_shape)

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
        return -self._map(_losses, self._read_targets(X), ())

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
        rows = read_rows(self, X, sample_weight)
        if len(rows) < 2:
            warnings.warn(
                "R2 is not defined for less than two samples.", UndefinedMetricWarning, stacklevel=2
            )
            return float("nan")
        return self._r2(rows)

    def _r2(self, rows):
        residual, total = (squares.sum() for squares in self._squares(rows))
        if total == 0:
            return float(residual == 0)
        return float(1 - residual / total)

    def _squares(self, rows, watch=None):
        """Return each feature's residual and total squares; ``watch`` sees the codes."""
        mean = rows.mean()
        residual = total = 0.0
        with self._inference(rows) as (module, device):
            for _, x, weight in chunks(rows, rows.dtype, device):
                code = module.encode(x)
                if watch is not None:
                    watch(module, code)
                weight = 1.0 if weight is None else weight[:, None]
                error = (x - module.decode(code)).cpu().double()
                residual = residual + (weight * error**2).sum(0).numpy()
                total = total + (weight * (x.cpu().double() - mean) ** 2).sum(0).numpy()
        return residual, total

    def _map(self, function, rows, shape):
        """Apply ``function(module, x)`` to the rows, a chunk at a time."""
        dtype = np.float32 if rows.dtype == torch.float32 else np.float64
        out = np.empty((len(rows), *shape), dtype)
        with self._inference(rows) as (module, device):
            for which, x, _ in chunks(rows, rows.dtype, device):
                out[which] = function(module, x).cpu().numpy()
        return out

    @contextmanager
    def _inference(self, rows):
        """Give the module in the precision of the rows, and its device, without gradients."""
        module, device = self.net_.module_, self.device_
        if rows.dtype == torch.float64:
            # float32 results in a float64 array would depend on the rows beside a row.
            device = torch.device("cpu") if device.type == "mps" else device  # has no float64
            module = copy.deepcopy(module).to(device).double()
        n_weights = sum(p.numel() for p in module.parameters())
        n_rows = min(len(rows), chunk_length(rows.sample_shape))
        with torch.inference_mode(), threads(n_rows * n_weights):
            yield module, device

    # What a fitted estimator shows.

    @property
    def encoder_(self):
        """The encoder alone: maps (n_samples, n_features) to the codes."""
        return _chain(self.net_.module_.encoder, self.net_.module_.bottleneck)

    @property
    def decoder_(self):
        """The decoder alone: maps codes to (n_samples, n_features)."""
        return _chain(self.net_.module_.decoder, self.net_.module_.output_activation)

    @property
    def device_(self):
        """The device of the net: that of training, or the CPU if it was loaded without it."""
        return torch.device(self.net_.device)

    @property
    def history_(self):
        """What skorch recorded of each epoch."""
        return self.net_.history

    @property
    def loss_curve_(self):
        """Mean training loss of each epoch."""
        return [epoch["train_loss"] for epoch in self.history_]

    @property
    def n_iter_(self):
        """Number of epochs trained."""
        return len(self.history_)

    @property
    def _n_features_out(self):
        return self.n_components_

    def __sklearn_is_fitted__(self):
        return hasattr(self, "net_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def set_params(self, **params):
        """Set parameters by name, those of the architecture as ``architecture__<name>``.

        Parameters
        ----------
        **params : dict
            Parameters and their values.

        Returns
        -------
        self : object
            The estimator itself.

        Raises
        ------
        ValueError
            If a name is unknown; the message has the nearest known one.
        """
        architecture = params.get("architecture", self.architecture)
        if any(name.startswith("architecture__") for name in params) and (
            isinstance(architecture, str) and architecture in ARCHITECTURES
        ):
            # A name has no parameters to set; the object that it stands for has.
            params = {**params, "architecture": make_architecture(architecture)}
        return super().set_params(**params)


def _same(a, b):
    return a is b or (type(a) is type(b) and repr(a) == repr(b))


def _losses(module, x):
    return module.reconstruction_losses(module.encode(x), x)


def _chain(*modules):
    return nn.Sequential(*(m for m in modules if not isinstance(m, nn.Identity))).eval()
