"""Training, shared by all estimators: autoencoders, regressors and translators."""

import copy
from dataclasses import replace

import numpy as np
from sklearn.utils import check_random_state

from skae._estimators.parameters import SharedParameters
from skae._estimators.predictor import NetPredictor
from skae._estimators.reading import learn
from skae._runtime import resolve_device
from skae._training.callbacks import BestWeights, EpochTasks, Progress, prepared
from skae._training.loop import TrainingRun
from skae._training.net import Net
from skae._training.optimizers import optimizer_params
from skae._training.session import SessionEstimator
from skae.architectures._training_defaults import training_defaults

#: With fewer samples than this, early stopping would have too few to go by.
MIN_HOLD_OUT = 20

#: Tolerance by which scaled values may exceed their range.
ROUNDING = 1e-6


class NeuralEstimator(SessionEstimator, SharedParameters):
    """Base class of all estimators: a network that is trained on samples.

    A subclass defines ``_make_architecture``, ``_parameters_of_the_architecture``,
    ``_make_reader``, ``_make_module`` and ``_parts_to_renew``. It may override ``_check_ranges``,
    ``_order_codes``, ``_describe`` and ``_check_fit``.
    """

    #: Parameters, in addition to the shared ones, that cannot change when training continues.
    _net_parameters = ()

    # Training.

    def _read(self, data, sample_weight, resume):
        """Return the samples to train on, and whether training continues from an earlier fit."""
        resume = resume and self.__sklearn_is_fitted__()
        dataset = self._read_samples(data, sample_weight, resume)
        self._check_ranges(dataset)
        if sample_weight is not None:
            dataset = dataset.select(dataset.weighted())  # samples of weight 0 have no effect
        if not resume or "_rng" not in vars(self):  # of a model that was loaded
            self._rng = check_random_state(self.random_state)
            self._hold_out_rng = copy.deepcopy(self._rng)
        return dataset, resume

    def _read_samples(self, data, sample_weight, resume):
        """Return training samples as a dataset."""
        if not resume:
            return learn(self, *data, sample_weight=sample_weight)
        reader = self._reader.in_training()
        dataset = reader.read(*data, sample_weight=sample_weight, estimator=self)
        self._reader = self._reader.widened(dataset)
        return dataset

    def _read_validation(self, data):
        """Return samples to validate on as a dataset."""
        return self._reader.in_training().read(*data, estimator=self)

    def _check_ranges(self, dataset):
        """Raise an error if samples to train or validate on are out of a parameter's range."""

    def _check_loss_range(self, dataset, parameter, losses, which="target_range", name="X"):
        """Raise an error if samples are out of a range of the loss that a parameter names."""
        loss = getattr(self, parameter)
        bounds = getattr(losses[loss], which) if isinstance(loss, str) else None
        ends = None if bounds is None else dataset.range()
        if ends is None:
            return
        low, high = ends
        if low < bounds[0] - ROUNDING or high > bounds[1] + ROUNDING:
            raise ValueError(
                f"{parameter}={loss!r} needs {name} within {list(bounds)}, but "
                f"its values go from {low:g} to {high:g}. Scale {name}, for instance "
                f"{dataset.format.how_to_scale(name)}, or use another {parameter}."
            )

    def _set_up(self, dataset, resume, is_partial, defaults):
        """Build a network for the dataset or, to resume training, copy the present one."""
        session = {
            "lr": defaults.lr,
            "lr_schedule": None if is_partial else self.lr_schedule,
            "anneals": not is_partial,
            "keeps_optimizer": self.warm_start or is_partial,
            "history_size": self.history_size,
            "max_grad_norm": self.max_grad_norm,
            "precision": self._precision(),
            "batch_size": defaults.budget.batch_size(self.batch_size, dataset.n_in_training),
        }
        if resume:
            self._check_unchanged()
            self.net_ = copy.copy(self.net_).resume(**session)
            self.net_.module_.replace(**self._parts_to_renew(dataset))
            self.net_.module_.to(self.device_)
        else:
            self._built_with = self._parameters_of_the_net()
            self.net_ = self._make_net(dataset, defaults, session)
        self._predictor = NetPredictor(self.net_)

    def _training_samples(self, dataset):
        """Return samples as training takes them."""
        return dataset

    def _make_run(self, dataset, validation, n_epochs, shows_bar, task, checkpoints):
        """Return the training of the net, of which a `TrainingTask` is told unless it is None."""
        callbacks = [prepared(callback) for callback in self.callbacks or ()]
        if validation is not None and self._restores_best:
            callbacks.append(self._best_weights())
        if self.verbose and shows_bar:
            callbacks.append(self._progress(dataset, n_epochs))
        if task is not None:
            callbacks.append(EpochTasks(task))
        samples, seed = (dataset, validation), self._new_seed()
        return TrainingRun(self.net_, *samples, callbacks, n_epochs, seed, checkpoints)

    def _check_unchanged(self):
        """Raise an error if parameters changed with which the net was built."""
        built_with = self._parameters_of_the_net()
        changed = [n for n, v in built_with.items() if not _same(v, self._built_with.get(n))]
        if changed:
            raise ValueError(
                f"{', '.join(changed)} changed since the net was built, so training cannot "
                "continue. Set it back, or call fit with warm_start=False to start again."
            )

    def _make_net(self, dataset, defaults, session):
        device = resolve_device(self.device)
        optimizer = optimizer_params(
            defaults.optimizer, defaults.lr, self.weight_decay, defaults.optimizer_params
        )
        module, self.n_components_ = self._make_module(dataset)
        return Net(module, device=str(device), **optimizer, **session)

    def _training_defaults(self):
        """Return the optimizer, its learning rate and parameters, and the budget."""
        defaults = training_defaults(self._make_architecture())
        own = {name: getattr(self, name) for name in ("optimizer", "lr", "optimizer_params")}
        return replace(defaults, **own)

    def _parameters_of_the_net(self):
        """Return the parameters that cannot change when training continues, by name."""
        fixed = ["device", "optimizer", "optimizer_params", "weight_decay", *self._net_parameters]
        params = {name: getattr(self, name) for name in fixed}
        return params | self._parameters_of_the_architecture()

    def _parts_to_renew(self, dataset):
        """Return the parts of the module that parameters may change when training continues."""
        raise NotImplementedError

    def _attributes_now(self, samples, fitted, validation, n_epochs):
        """Return the attributes that a fit would leave if the training ended now."""
        twin = copy.copy(self)
        twin.net_ = copy.copy(self.net_)
        if twin.net_.precision is not None:  # in which its parameters may be while it trains
            twin.net_.module_.float()
        twin.net_.module_.eval()
        twin._predictor = NetPredictor(twin.net_)
        twin._order_codes(samples, validation, n_epochs)
        twin._describe(fitted, validation)
        return vars(twin)

    def _order_codes(self, samples, validation, n_epochs):
        """Choose the basis of the codes after the training.

        Parameters
        ----------
        samples : Dataset
            All that were given to fit, with those that were held out.
        validation : Dataset or None
        n_epochs : int
            Of this training.
        """

    def _describe(self, dataset, validation):
        """Set the fitted attributes that are computed from the samples."""

    def _check_fit(self, dataset):
        """Warn if the fit is poor."""

    def _hold_out(self, dataset, validation_data, resume=False):
        """Return the samples to train on, and the validation samples or None.

        When training continues with as many samples, those at the same places are held out: of
        others, the net has seen some.
        """
        if validation_data is not None:
            try:
                validation = self._read_validation(validation_data)
                self._check_ranges(validation)
            except (ValueError, TypeError) as error:
                raise type(error)(f"In the validation data: {error}") from error
            return dataset, validation.called(f"{validation.name}_val")
        is_small = self.early_stopping == "auto" and len(dataset) < self._min_hold_out
        if is_small or not self.early_stopping:
            return dataset, None
        rng = copy.deepcopy(self._hold_out_rng) if resume else self._rng
        order, n_held_out = self._order_to_hold_out(dataset, rng)
        if n_held_out >= len(order) and self.early_stopping == "auto":
            return dataset, None
        if n_held_out >= len(order):
            raise ValueError(
                f"early_stopping=True holds out {n_held_out} of {len(order)} samples, which leaves "
                "none to fit. Give X_val, a smaller validation_fraction or early_stopping=False."
            )
        held_out, fitted = order[:n_held_out], order[n_held_out:]
        held_out.sort()  # in place, to save memory
        fitted.sort()
        return dataset.select(fitted), dataset.select(held_out)

    def _order_to_hold_out(self, dataset, rng):
        """Return the indices of the samples in random order, and how many to hold out."""
        order = rng.permutation(len(dataset))
        return order, max(1, round(len(order) * self.validation_fraction))

    @property
    def _min_hold_out(self):
        """With fewer samples than this, none are held out by default."""
        return MIN_HOLD_OUT

    @property
    def _restores_best(self):
        """Whether the weights of the best epoch are restored at the end."""
        return bool(self.early_stopping)

    def _best_weights(self):
        """Return the callback that restores the best epoch."""
        return BestWeights(self.patience)

    def _progress(self, dataset, n_epochs):
        """Return the callback that shows the progress of training."""
        unit = dataset.unit_of_progress
        return Progress(n_epochs, None if unit is None else (n_epochs * len(dataset), unit))

    def _precision(self):
        """Return the precision of training, or None for that of the parameters."""

    def _new_seed(self):
        return int(self._rng.randint(np.iinfo(np.int32).max))

    # Fitted attributes.

    @property
    def device_(self):
        """Device of the network: that of the training, or the CPU if that is not available now."""
        return self._predictor.device

    @property
    def history_(self):
        """Skorch's record of each epoch."""
        return self.net_.history

    @property
    def loss_curve_(self):
        """Mean training loss of each epoch that is kept on record."""
        return [epoch["train_loss"] for epoch in self.history_]

    @property
    def n_iter_(self):
        """Number of epochs trained."""
        return self.history_.n_epochs

    @property
    def _n_features_out(self):
        return self.n_components_

    def __sklearn_is_fitted__(self):
        return "net_" in vars(self)

    def __getstate__(self):
        """Return the state for pickle, with what continues a training only if one continues.

        It does with ``warm_start=True``, and after ``partial_fit``.
        """
        is_fitted = self.__sklearn_is_fitted__()
        return self._state(is_fitted and (self.warm_start or not self.net_.anneals))

    def _state(self, continues):
        """Return the state for pickle, with what continues a training or without."""
        state = dict(super().__getstate__())
        state.pop("_predictor", None)  # else the net would be there twice
        if self.__sklearn_is_fitted__():
            self.net_.keeps_optimizer = continues
            if not continues:
                for name in ("_rng", "_hold_out_rng"):
                    state.pop(name, None)
        return state

    def __setstate__(self, state):
        super().__setstate__(state)
        if self.__sklearn_is_fitted__():
            self._predictor = NetPredictor(self.net_)


def _same(a, b):
    return a is b or (type(a) is type(b) and repr(a) == repr(b))
