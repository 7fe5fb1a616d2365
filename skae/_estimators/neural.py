"""Training, once for all estimators: autoencoders and regressors."""

import copy
from contextlib import contextmanager

import numpy as np
import torch
from sklearn.utils import check_random_state

from skae._estimators.parameters import SharedParameters
from skae._estimators.predictor import Inference
from skae._params import unchanged_on_error
from skae._runtime import resolve_device
from skae._training.callbacks import BestWeights, Progress, fresh
from skae._training.cost import cost
from skae._training.deferral import DeferrableFit
from skae._training.loop import Training, train
from skae._training.net import Net
from skae._training.optimizers import optimizer_params
from skae.architectures._training_defaults import DEFAULT_EFFORT, Recipe
from skae.exceptions import InterruptedWarning, warn

#: Fewer samples than this are too few to hold some out.
MIN_HOLD_OUT = 20

#: By how much scaled values may exceed their range.
ROUNDING = 1e-6


class NeuralEstimator(DeferrableFit, Inference, SharedParameters):
    """Base of all estimators: a net that is trained on samples of some kind.

    A subclass brings ``_make_architecture``, ``_parameters_of_the_architecture``,
    ``_read_samples``, ``_make_module`` and, where there is something to do, ``_renew``,
    ``_describe`` and ``_check_fit``.
    """

    #: Parameters beside the shared ones that training on cannot change.
    _net_parameters = ()
    # Training.

    @contextmanager
    def _fitting(self, data, sample_weight, validation_data, shows_bar):
        """Give the training to be done; around it is the rest of a fit."""
        with self._unchanged_on_error():
            with _gradients():
                rows, go_on = self._read(data, sample_weight, go_on=self.warm_start)
                fitted, validation = self._hold_out(rows, validation_data)
                self._set_up(fitted, go_on, anneals=True)
                effort, batch_size = self._recipe().effort, self.net_.batch_size
                epochs = effort.max_epochs(self.max_epochs, len(fitted), batch_size)
                training = self._training(fitted, validation, epochs, shows_bar)
            yield training
            self._end(training)
            self._describe(fitted, validation)
        self._warn_unless(training.finished)
        if self.check_baseline:
            self._check_fit(fitted)

    def _fit_one_epoch(self, data, sample_weight):
        """Train for one epoch, going on from where the last call stopped."""
        with self._unchanged_on_error():
            with _gradients():
                rows, go_on = self._read(data, sample_weight, go_on=True)
                self._set_up(rows, go_on, anneals=False)
                training = self._training(rows, None, epochs=1)
            train([training])
            self._end(training)
            self._describe(rows, None)
        self._warn_unless(training.finished)
        return self

    def _read(self, data, sample_weight, go_on):
        """Return the samples to train on, and whether training goes on, as it may if it can."""
        go_on = go_on and hasattr(self, "net_")
        rows = self._read_samples(*data, sample_weight=sample_weight, reset=not go_on)
        if sample_weight is not None:
            rows = rows.select(rows.weighted())  # the others are as good as not there
        if not go_on:
            self._rng = check_random_state(self.random_state)
        return rows, go_on

    def _check_bounds(self, rows, parameter, losses, name="X"):
        """Refuse targets that the loss a parameter names cannot take."""
        loss = getattr(self, parameter)
        bounds = getattr(losses.get(loss), "target_range", None) if isinstance(loss, str) else None
        if bounds is None or rows.kind == "tables":
            return
        low, high = rows.range()
        if low < bounds[0] - ROUNDING or high > bounds[1] + ROUNDING:
            raise ValueError(
                f"{parameter}={loss!r} needs {name} within {list(bounds)}, but "
                f"its values go from {low:g} to {high:g}. Scale {name}, for instance "
                f"{rows.format.how_to_scale(name)}, or use another {parameter}."
            )

    def _set_up(self, rows, go_on, anneals):
        """Make a net for the rows, or one to train on that is a copy of the present one."""
        built_with = self._parameters_of_the_net()
        recipe = self._recipe()
        session = {
            "lr": recipe.lr,
            "lr_schedule": self.lr_schedule if anneals else None,
            "anneals": anneals,
            "max_grad_norm": self.max_grad_norm,
            "precision": self._precision(),
            "batch_size": recipe.effort.batch_size(self.batch_size, len(rows)),
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
        optimizer = optimizer_params(
            recipe.optimizer, recipe.lr, self.weight_decay, recipe.optimizer_params
        )
        module = self._make_module(rows)
        module.is_partial = rows.is_partial
        module.work, module.width = cost(module.eval(), rows)
        self.net_ = Net(module, device=str(device), **optimizer, **session)

    def _recipe(self):
        """Return how to train."""
        return Recipe(self.optimizer, self.lr, DEFAULT_EFFORT, self.optimizer_params)

    def _parameters_of_the_net(self):
        """Return the parameters that training on cannot change."""
        fixed = ["device", "optimizer", "optimizer_params", "weight_decay", *self._net_parameters]
        params = {name: getattr(self, name) for name in fixed}
        return params | self._parameters_of_the_architecture()

    def _renew(self, module, rows):
        """Give a module that is trained on the parts that parameters may change."""

    def _describe(self, rows, validation):
        """Set the fitted attributes that take a look at the samples."""

    def _check_fit(self, rows):
        """Warn if the fit is poor."""

    def _hold_out(self, rows, validation_data):
        """Return the rows to fit, and the rows to validate on or None."""
        if validation_data is not None:
            try:
                return rows, self._read_samples(*validation_data)
            except (ValueError, TypeError) as error:
                raise type(error)(f"In the validation data: {error}") from error
        if self.early_stopping == "auto" and len(rows) < MIN_HOLD_OUT or not self.early_stopping:
            return rows, None
        order, n_held_out = self._order_to_hold_out(rows)
        if n_held_out >= len(order) and self.early_stopping == "auto":
            return rows, None
        if n_held_out >= len(order):
            raise ValueError(
                f"early_stopping=True holds out {n_held_out} of {len(order)} samples, which leaves "
                "none to fit. Give X_val, a smaller validation_fraction or early_stopping=False."
            )
        held_out, fitted = order[:n_held_out], order[n_held_out:]
        held_out.sort()  # in place, as all of this for the sake of memory
        fitted.sort()
        return rows.select(fitted), rows.select(held_out)

    def _order_to_hold_out(self, rows):
        """Return all rows in random order, and how many of the first of them to hold out."""
        order = self._rng.permutation(len(rows))
        return order, max(1, round(len(order) * self.validation_fraction))

    def _training(self, rows, validation, epochs, shows_bar=True):
        callbacks = [fresh(callback) for callback in self.callbacks or ()]
        if validation is not None and self.early_stopping:
            callbacks.append(self._best_weights())
        if self.verbose and shows_bar:
            callbacks.append(self._progress(rows, epochs))
        return Training(self.net_, rows, validation, callbacks, epochs, self._new_seed())

    def _end(self, training):
        if training.error is not None:
            raise training.error
        training.end()
        self.net_.module_.eval()

    def _best_weights(self):
        """Return the callback that chooses the best epoch."""
        return BestWeights(self.patience)

    def _progress(self, rows, epochs):
        """Return the callback that shows how far training is."""
        del rows
        return Progress(epochs)

    def _precision(self):
        """Return the precision to train in, None for that of the parameters."""

    def _warn_unless(self, finished):
        if not finished:
            warn(
                f"Training was interrupted after {self.n_iter_} epochs. The estimator keeps the "
                "best weights so far, or the last ones without early_stopping.",
                InterruptedWarning,
            )

    def _new_seed(self):
        return int(self._rng.randint(np.iinfo(np.int32).max))

    @contextmanager
    def _unchanged_on_error(self):
        """Put the attributes and the state of the random numbers back if fitting fails."""
        rng = self.__dict__.get("_rng")  # the one attribute that changes in itself
        state = None if rng is None else rng.get_state()
        try:
            with unchanged_on_error(self):
                yield
        except BaseException:
            if rng is not None:
                rng.set_state(state)
            raise

    # What a fitted estimator shows.

    @property
    def _module(self):
        return self.net_.module_

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

    def __sklearn_is_fitted__(self):
        return hasattr(self, "net_")


@contextmanager
def _gradients():
    """Allow for gradients, whatever the mode around."""
    with torch.inference_mode(False), torch.enable_grad():
        yield


def _same(a, b):
    return a is b or (type(a) is type(b) and repr(a) == repr(b))
