"""The training engine: a skorch net whose batches are slices and records are epochs.

The only file that imports skorch. `Net` keeps skorch's callbacks, history and training
loop, and replaces what costs time: the data loader, the record and notification of
every batch, the optimiser's walk over the parameters and, for dense stacks, autograd.
"""

import copy
from collections.abc import Callable
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from math import cos, isfinite, pi
from threading import RLock

import torch
from skorch import NeuralNet
from skorch.callbacks import Callback, EarlyStopping, EpochTimer, LRScheduler
from skorch.helper import predefined_split
from torch import nn
from torch.optim.lr_scheduler import LambdaLR, ReduceLROnPlateau
from tqdm.auto import tqdm

from skae._batches import Batches
from skae._dense_step import dense_step
from skae._flat import (
    FlatView,
    can_flatten,
    flat_parameter,
    matrix_groups,
    matrix_stacks,
    step_function,
)
from skae._muon import Muon
from skae._threads import threads


def _cosine(progress):
    return (1 + cos(pi * progress)) / 2


def _one_cycle(progress, warm_up=0.1, start=0.04):
    if progress < warm_up:
        return start + (1 - start) * progress / warm_up
    return _cosine((progress - warm_up) / (1 - warm_up))


#: By name, the share of ``lr`` to use at a share of the training, stepped with every batch.
LR_SCHEDULES = {"cosine": _cosine, "one_cycle": _one_cycle}


class Net(NeuralNet):
    """skorch net over an `AutoencoderModule`, fast for small nets.

    Parameters
    ----------
    module : AutoencoderModule
    lr_schedule : str, callable or None
        A name of ``LR_SCHEDULES``, or a function of the optimiser that returns a torch
        scheduler, which then steps with every epoch.
    max_grad_norm : float or None
        Bound on the norm of the gradient.
    precision : torch.dtype or None
        Of the module while it trains; None is that of its parameters.
    anneals : bool
        Whether a session is a training of its own, in the course of which bottlenecks
        may change; else it is a piece of one, and they are as at the end.
    **kwargs : dict
        Parameters of skorch's ``NeuralNet``.
    """

    def __init__(
        self,
        module,
        lr_schedule=None,
        max_grad_norm=None,
        precision=None,
        anneals=True,
        **kwargs,
    ):
        super().__init__(module, criterion=nn.Identity, train_split=None, verbose=0, **kwargs)
        self.precision = precision
        self.lr_schedule = lr_schedule
        self.max_grad_norm = max_grad_norm
        self.anneals = anneals

    def train(self, dataset, validation, callbacks, epochs, seed):
        """Train for a session, going on from where the last one stopped.

        Parameters
        ----------
        dataset, validation : objects such as `skae.inputs.Rows`
            ``validation`` may be None.
        callbacks : list of skorch callbacks
            Not used anywhere else, see `fresh`.
        epochs : int
        seed : int
            Seed of all that is random: the order of batches, dropout, noise.

        Returns
        -------
        finished : bool
            False if training was interrupted; the net is in a state to use also then.

        Raises
        ------
        ValueError
            If the loss becomes NaN or infinite, or two schedules set the learning rate.
        KeyboardInterrupt
            If training was interrupted before it began.
        """
        if not self.initialized_:
            self.initialize()
            self.module = type(self.module_)  # else it would be pickled twice
        self.callbacks = callbacks
        self.initialize_callbacks()
        self._check_schedules()
        self.train_split = None if validation is None else predefined_split(validation)
        self._seed = seed
        n_epochs_before = len(self.history)
        finished = True
        try:
            with seeded(seed, self.device):
                self.notify("on_train_begin", X=dataset, y=None)
                try:
                    self.fit_loop(dataset, epochs=epochs)
                except KeyboardInterrupt:
                    if len(self.history) == n_epochs_before:
                        raise
                    finished = any(_has_stopped(callback) for _, callback in self.callbacks_)
                self.notify("on_train_end", X=dataset, y=None)
        finally:
            self.train_split = None  # it holds the data
            for _, callback in self.callbacks_:
                if isinstance(callback, EarlyStopping):
                    callback.best_model_weights_ = None  # they are in the module now
        if "dur" not in self.history[-1]:  # an epoch cut short
            del self.history[-1]
        return finished

    def _check_schedules(self):
        if self.lr_schedule is not None and any(
            isinstance(callback, LRScheduler) for _, callback in self.callbacks_
        ):
            raise ValueError(
                f"callbacks holds an LRScheduler beside lr_schedule={self.lr_schedule!r}, and both "
                "would set the learning rate. Give lr_schedule=None, or leave the callback out."
            )

    def __copy__(self):
        """Return a net that can be trained on without changing this one."""
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)
        twin.module_, twin.history_ = copy.deepcopy((self.module_, self.history_))
        # Made anew: copies of an optimiser lack what it keeps beside its state.
        twin.initialize_optimizer()
        twin.optimizer_.load_state_dict(self.optimizer_.state_dict())
        return twin

    def go_on(self, lr, **params):
        """Change parameters between sessions, keeping the state of the optimiser."""
        self.lr = lr
        for name, value in params.items():
            setattr(self, name, value)
        for group in self.optimizer_.param_groups:
            group["lr"] = group["initial_lr"] = lr  # whatever an earlier schedule left
        return self

    # What skorch asks of a net.

    @property
    def _default_callbacks(self):
        return [("epoch_timer", EpochTimer())]

    def check_data(self, X, y=None):
        """Accept the data: the estimator has validated it."""

    def get_iterator(self, dataset, training=False):
        """Return the batches of a data set, in a new order every epoch of training."""
        if not hasattr(dataset, "take"):
            return super().get_iterator(dataset, training)
        device = torch.device(self.device)
        generator = torch.Generator().manual_seed(self._seed) if training else None
        return Batches(dataset, self.batch_size, device, generator)

    def initialize_optimizer(self):
        """Make an optimiser of one flat parameter, where that comes to the same."""
        named_parameters = self.module_.named_parameters()
        is_flat = can_flatten(self.module_, self.optimizer)
        if is_flat:
            named_parameters = [("flat", flat_parameter(self.module_))]
        else:  # optimisers such as LBFGS take a parameter's memory as it lies
            for parameter in self.module_.parameters():
                parameter.data = parameter.data.contiguous()
        args, kwargs = self.get_params_for_optimizer("optimizer", named_parameters)
        if self.optimizer is Muon:
            if is_flat:
                kwargs["stacks"] = matrix_stacks(self.module_)
            else:
                args = [matrix_groups(self.module_)]
        self.optimizer_ = self.optimizer(*args, **kwargs)
        return self

    # The loop.

    def fit_loop(self, X, y=None, epochs=None, **fit_params):
        """Run skorch's loop with what lasts for one session around it."""
        parameters = self.optimizer_.param_groups[0]["params"]
        is_flat = can_flatten(self.module_, self.optimizer)
        n_steps = epochs * len(self.get_iterator(X, training=True))
        self._session = Session(
            parameters=parameters,
            flat_view=FlatView(self.module_, *parameters, self.precision) if is_flat else None,
            report=next((c.advance for _, c in self.callbacks_ if hasattr(c, "advance")), _nothing),
            notifies_batches=any(_wants_batches(callback) for _, callback in self.callbacks_),
            n_steps=n_steps,
            **self._schedules(n_steps),
        )
        with threads(self.batch_size * self.module_.work), self._session.flat_view or nullcontext():
            self._choose_steps()
            try:
                return super().fit_loop(X, y, epochs=epochs, **fit_params)
            finally:
                self.module_.set_progress(1.0)
                del self._session

    def _choose_steps(self):
        """Take the fast steps that the module and the optimiser allow as they are now."""
        view = self._session.flat_view
        if view is not None:
            self._session.dense_step = dense_step(self.module_)
            self._session.flat_step = step_function(self.optimizer_, view.flat)

    def _schedules(self, n_steps):
        if isinstance(self.lr_schedule, str):
            share = LR_SCHEDULES[self.lr_schedule]
            scheduler = LambdaLR(self.optimizer_, lambda step: share(step / n_steps))
            return {"after_batch": scheduler.step}
        if self.lr_schedule is None:
            return {}
        try:
            scheduler = self.lr_schedule(self.optimizer_)
            step = scheduler.step
        except (TypeError, AttributeError) as error:
            raise ValueError(
                "lr_schedule must be a function of the optimiser that returns a scheduler, such as "
                f"lambda optimizer: StepLR(optimizer, 10). Calling it failed: {error}"
            ) from error
        if isinstance(scheduler, ReduceLROnPlateau):
            return {"after_epoch": lambda: step(self.history[-1, "train_loss"])}
        return {"after_epoch": step}

    def run_single_epoch(self, iterator, training, prefix, step_fn, **fit_params):
        """Pass over the data once and record the mean loss."""
        if iterator is None:
            return
        session = self._session
        if training and session.flat_view is not None and session.flat_view.is_outdated():
            session.flat_view.renew()
            self._choose_steps()
        notifies = session.notifies_batches
        total, count = torch.zeros((), device=self.device), 0
        with nullcontext() if training else seeded(self._seed, self.device):
            for batch in iterator:
                x, (target, _) = batch
                if notifies:
                    self.notify("on_batch_begin", batch=(x, target), training=training)
                loss, size = step_fn(batch), self.module_.size(target)
                total.add_(loss, alpha=size)
                count += size
                if training:
                    session.report(size)
                if notifies:
                    self.history.record_batch(f"{prefix}_loss", loss.item())
                    seen = {"loss": loss, "y_pred": self.evaluation_step(batch)}
                    self.notify("on_batch_end", batch=(x, target), training=training, **seen)
        self._record_loss(f"{prefix}_loss", total.item() / count)
        if training:
            if not notifies:
                self.history.new_batch()  # skorch's Checkpoint reads the last one
            session.after_epoch()

    def _record_loss(self, name, loss):
        if not isfinite(loss):
            raise ValueError(
                f"The {name} is {loss} in epoch {self.history[-1, 'epoch']}. Likely causes are "
                "very large values in X (scale its columns, for instance with StandardScaler) or "
                f"too large steps (try lr below {self.lr}, or max_grad_norm=1)."
            )
        earlier = [epoch[name] for epoch in self.history[:-1] if name in epoch]
        self.history.record(name, loss)
        self.history.record(f"{name}_best", loss < min(earlier, default=float("inf")))

    def train_step(self, batch, **fit_params):
        """Take one step of the optimiser, and return the loss before it."""
        session = self._session

        def closure():
            loss = self._loss_and_gradients(batch)
            if session.notifies_batches:
                parameters = self.get_all_learnable_params()
                seen = batch[0], batch[1][0]
                self.notify("on_grad_computed", named_parameters=parameters, batch=seen)
            if session.flat_view is not None:
                session.flat_view.collect_gradients()
            if self.max_grad_norm is not None:
                nn.utils.clip_grad_norm_(session.parameters, self.max_grad_norm)
            return loss

        if session.flat_step is None:
            loss = self.optimizer_.step(closure)
        else:
            loss = closure()
            session.flat_step()
        if session.flat_view is not None:
            session.flat_view.spread_values()
        session.steps_taken += 1
        session.after_batch()
        return loss.detach()

    def _loss_and_gradients(self, batch):
        """Fill the parameters' gradients: here a faster step stands in for autograd."""
        session, (x, (target, weight)) = self._session, batch
        if self.anneals:
            self.module_.set_progress(session.steps_taken / session.n_steps)
        x, target, cell_weight = self.module_.prepare(x, target, training=True)
        if session.dense_step is not None:
            return session.dense_step(x, target, weight, cell_weight)
        self._set_training(True)
        self.optimizer_.zero_grad(set_to_none=session.flat_step is None)
        with self._autocast():
            loss = self.module_.objective(x, target, weight, cell_weight)
        loss.backward()
        return loss

    def _autocast(self):
        """Return the context of reduced precision, where no flat parameter has brought it."""
        if self.precision is None or self._session.flat_view is not None:
            return nullcontext()
        return torch.autocast(torch.device(self.device).type, self.precision)

    def mean_loss(self, dataset):
        """Return the mean loss over a data set, for the same noise as in every epoch."""
        batches = self.get_iterator(dataset)
        total, count = 0.0, 0
        with seeded(self._seed, self.device):
            for batch in batches:
                size = self.module_.size(batch[1][0])
                total += self.validation_step(batch).item() * size
                count += size
        return total / count

    @torch.no_grad()
    def validation_step(self, batch, **fit_params):
        """Return the loss of a batch, without dropout."""
        x, (target, weight) = batch
        self._set_training(False)
        self.module_.set_progress(1.0)
        x, target, cell_weight = self.module_.prepare(x, target, training=False)
        return self.module_.objective(x, target, weight, cell_weight)


def _nothing(*_):
    pass


@dataclass
class Session:
    """What holds for one call of ``Net.train``."""

    parameters: list
    flat_view: FlatView | None
    notifies_batches: bool
    n_steps: int
    steps_taken: int = 0
    report: Callable = _nothing
    after_batch: Callable = _nothing
    after_epoch: Callable = _nothing
    dense_step: Callable | None = None
    flat_step: Callable | None = None


class Progress(Callback):
    """Bar over the training, with the current loss.

    Parameters
    ----------
    total : int
        How many units there will be.
    unit : str, default="epoch"
        Anything but an epoch is what the module's losses are means of.
    """

    def __init__(self, total, unit="epoch"):
        self.total, self.unit = total, unit

    def on_train_begin(self, net, **kwargs):
        self.bar_ = tqdm(total=self.total, unit=self.unit, unit_scale=self.unit != "epoch")

    def advance(self, n):
        """Note that ``n`` more units have been trained on."""
        if self.unit != "epoch":
            self.bar_.update(n)

    def on_epoch_end(self, net, **kwargs):
        losses = {k: f"{v:.4g}" for k, v in net.history[-1].items() if k.endswith("_loss")}
        self.bar_.set_postfix(losses, refresh=False)
        self.bar_.update(self.unit == "epoch")

    def on_train_end(self, net, **kwargs):
        self.bar_.close()
        self.bar_ = None


class BestWeights(EarlyStopping):
    """Restore the weights of the best epoch, or those before the first if none is better.

    Ends training after ``patience`` epochs without improvement, if it is not None.

    Parameters
    ----------
    patience : int or None
    name : str, default="loss"
        What decides, recorded as ``valid_<name>``.
    measure : callable or None, default=None
        Says it of a data set, the higher the better. None is the loss, which is recorded
        anyway.
    """

    def __init__(self, patience, name="loss", measure=None):
        super().__init__(
            monitor=f"valid_{name}",
            patience=float("inf") if patience is None else patience,
            threshold=0,
            lower_is_better=measure is None,
            load_best=True,
        )
        self.measure = measure

    def on_epoch_begin(self, net, dataset_valid=None, **kwargs):
        if self.best_model_weights_ is None:
            measure = self.measure or net.mean_loss
            self.dynamic_threshold_ = measure(dataset_valid)
            self.best_model_weights_ = copy.deepcopy(net.module_.state_dict())

    def on_epoch_end(self, net, dataset_valid=None, **kwargs):
        if self.measure is not None:
            net.history.record(self.monitor, self.measure(dataset_valid))
        super().on_epoch_end(net, **kwargs)

    def on_train_end(self, net, **kwargs):
        super().on_train_end(net, **kwargs)
        self.measure = None  # it may hold anything, and would be pickled


def fresh(callback):
    """Copy a callback, so that training leaves the user's own as it was."""
    match callback:
        case (str() as name, callback):
            return name, fresh(callback)
        case type() if issubclass(callback, Callback):
            return callback
        case Callback():
            try:
                return copy.deepcopy(callback)
            except TypeError:  # holds an open file, as TensorBoard's writer does
                return copy.copy(callback)
    raise TypeError(f"callbacks must hold skorch callbacks. Got {callback!r}, which is not one.")


def _wants_batches(callback):
    if isinstance(callback, LRScheduler):
        return callback.step_every == "batch"
    hooks = ("on_batch_begin", "on_batch_end", "on_grad_computed")
    return any(getattr(type(callback), hook) is not getattr(Callback, hook) for hook in hooks)


def _has_stopped(callback):
    """Say whether a callback has ended the training, which skorch does by an interrupt."""
    return isinstance(callback, EarlyStopping) and callback.misses_ >= callback.patience


_GENERATOR_LOCK = RLock()


@contextmanager
def seeded(seed, device):
    """Seed torch's generators, and put them back as they were at the end.

    A process has one such generator, so that fits in several threads take turns.
    """
    device = torch.device(device)
    accelerators = [device] if device.type == "cuda" else []
    with _GENERATOR_LOCK, torch.random.fork_rng(accelerators):
        torch.default_generator.manual_seed(seed)
        if accelerators:
            torch.cuda.manual_seed(seed)
        yield
