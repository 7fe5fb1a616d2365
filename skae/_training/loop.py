"""The training of nets, one or many at once: the loop over the epochs."""

from collections import defaultdict
from contextlib import contextmanager, nullcontext
from itertools import pairwise
from time import perf_counter

import numpy as np
import torch
from torch.optim.lr_scheduler import ReduceLROnPlateau

from skae._runtime import make_generator, seeded, states
from skae._training.callbacks import forget_weights, has_stopped, is_own, wants_batches
from skae._training.dense_plan import plan_dense
from skae._training.flat import ELEMENTWISE_OPTIMIZERS
from skae._training.optimizers import LR_SCHEDULES
from skae._training.stack import Stack, optimizer_key

#: Memory that nets which train as one take at most, in bytes. More would be slower: what a
#: step touches has to stay in the cache.
MAX_STACK_BYTES = 4e6


class TrainingRun:
    """The way of one net through its data.

    Parameters
    ----------
    net : Net
    dataset, validation : objects such as `skae._data.ArrayDataset`
        ``validation`` may be None.
    callbacks : list of skorch callbacks
        Not used anywhere else, see `skae._training.callbacks.fresh`.
    n_epochs : int
    seed : int
        Seed of all that is random: the order of batches, dropout, noise.

    Attributes
    ----------
    error : Exception or None
        What ended it: loss that is not finite, or an error in a callback.
    finished : bool
        False if it was interrupted; the net is in a state to use also then.
    seconds : float
        Its part of the time of the runs that it was trained with.
    is_watched : bool
        Whether callbacks of the user's see the net between epochs.

    Raises
    ------
    ValueError
        If two schedules set the learning rate.
    """

    def __init__(self, net, dataset, validation, callbacks, n_epochs, seed):
        net.begin_run(callbacks, seed)
        self.net, self.dataset, self.validation = net, dataset, validation
        self.flat = net.flat
        self.batches = net.get_iterator(dataset, training=True)
        self.noise = make_generator(seed, net.device)
        self.n_epochs, self.epochs_done = n_epochs, 0
        self.n_steps, self.steps_taken = n_epochs * len(self.batches), 0
        callbacks = [callback for _, callback in net.callbacks_]
        self.notifies_batches = any(wants_batches(callback) for callback in callbacks)
        self.is_watched = not all(is_own(callback) for callback in callbacks)
        self.reports = [c.advance for c in callbacks if hasattr(c, "advance")]
        self.n_recorded = len(net.history)
        self.finished, self.error, self.seconds = True, None, 0.0
        self._has_begun = self._is_over = False
        self._random_state, self._draws = seed, False  # from torch's own generators

    # What ``train`` asks of it.

    def has_epochs_before(self, until):
        """Say whether there are epochs to train before ``until``, None for the end."""
        until = self.n_epochs if until is None else min(until, self.n_epochs)
        return self.error is None and not self._is_over and self.epochs_done < until

    def begin(self):
        """Tell the callbacks, the first time."""
        if not self._has_begun:
            self.net.notify("on_train_begin", X=self.dataset, y=None)
            self._after_epoch = self._schedule_by_epochs()
            self.set_learning_rate(self.net.optimizer_)
            self._has_begun = True

    def begin_epoch(self):
        """Tell the callbacks."""
        datasets = {"dataset_train": self.dataset, "dataset_valid": self.validation}
        self.net.notify("on_epoch_begin", **datasets)

    def end_epoch(self, loss):
        """Record the mean training loss and that on the validation data."""
        net = self.net
        net.record_loss("train_loss", loss)
        if not self.notifies_batches:
            net.history.new_batch()  # skorch's Checkpoint reads the last one
        if self._after_epoch is not None:
            self._after_epoch()
        if self.validation is not None:
            net.record_loss("valid_loss", net.mean_loss(self.validation, self._validation_step))
        self.epochs_done += 1
        net.notify("on_epoch_end", dataset_train=self.dataset, dataset_valid=self.validation)

    def interrupt(self):
        """Take up an interrupt, by which callbacks stop training as well.

        Raises
        ------
        KeyboardInterrupt
            If no epoch has begun.
        """
        if len(self.net.history) == self.n_recorded:
            raise KeyboardInterrupt
        self._is_over = True
        self.finished = self.has_stopped()

    def has_stopped(self):
        """Say whether a callback has stopped it early."""
        return any(has_stopped(callback) for _, callback in self.net.callbacks_)

    def end(self):
        """Tell the callbacks that training is over, the best weights' among them."""
        net = self.net
        with self.random_state():
            net.notify("on_train_end", X=self.dataset, y=None)
        for _, callback in net.callbacks_:
            forget_weights(callback)
        if "dur" not in net.history[-1]:  # an epoch cut short
            del net.history[-1]

    def _validation_step(self, batch):
        step = self.net.validation_step
        return self.net.notify_of(batch, step, False) if self.notifies_batches else step(batch)

    # Learning rates.

    def _schedule_by_epochs(self):
        """Return what to call after each epoch, or None."""
        net = self.net
        if net.lr_schedule is None or isinstance(net.lr_schedule, str):
            return None
        try:
            scheduler = net.lr_schedule(net.optimizer_)
            step = scheduler.step
        except (TypeError, AttributeError) as error:
            raise ValueError(
                "lr_schedule must be a function of the optimizer that returns a scheduler, such as "
                f"lambda optimizer: StepLR(optimizer, 10). Calling it failed: {error}"
            ) from error
        if isinstance(scheduler, ReduceLROnPlateau):
            return lambda: step(net.history[-1, "train_loss"])
        return step

    def set_learning_rate(self, optimizer):
        """Set the learning rate of the next step, if the schedule is one of ``LR_SCHEDULES``."""
        if isinstance(self.net.lr_schedule, str):
            fraction = LR_SCHEDULES[self.net.lr_schedule](self.progress)
            for group in optimizer.param_groups:
                group["lr"] = self.net.lr * fraction

    @property
    def progress(self):
        """Fraction of the training that is over."""
        return self.steps_taken / self.n_steps

    # Together with others.

    @property
    def why_not_stackable(self):
        """Why the net cannot train as one with others; None if it can."""
        if self.dataset.why_not_stackable is not None:
            return self.dataset.why_not_stackable
        if self.notifies_batches:
            return "its callbacks are told of every batch"
        if self.net.optimizer not in ELEMENTWISE_OPTIMIZERS:
            return f"its optimizer is {self.net.optimizer.__name__}"
        if self.flat is None or self._plan is None or self._plan.stack_key is None:
            return "its layers, bottleneck, loss or noise are none that stack"
        return None

    @property
    def _plan(self):
        return plan_dense(self.net.module_)

    @property
    def stack_key(self):
        """What has to be equal for nets to train as one; None for a net that cannot."""
        if self.why_not_stackable is not None:
            return None
        net, flat = self.net, self.flat
        has_weights = self.dataset.sample_weight is not None
        kinds = net.optimizer, net.batch_size, flat.dtype, flat.device, has_weights
        return (*self._plan.stack_key, *kinds)

    @property
    def n_bytes(self):
        """Memory that a step of a dense net touches: parameters, values, and gradients of both."""
        n_states = 2  # as of Adam
        n_values = 2 * self.net.batch_size * self._plan.n_values
        return 4 * ((2 + n_states) * self.flat.numel() + n_values)

    @contextmanager
    def random_state(self):
        """Have torch's own generators as this training left them, for a while.

        skae draws from ``noise``, but the user's layers, functions and callbacks may not.
        """
        if self._draws:
            yield
            return
        device = self.net.device
        with seeded(self._random_state, device):
            self._draws = True
            try:
                yield
            finally:
                self._random_state, self._draws = states(device), False


def train(trainings, until=None):
    """Train nets, those of equal shapes as one.

    Each ends up as if it had been alone. What goes wrong with one is its ``error``, and leaves
    the others alone.

    Parameters
    ----------
    trainings : list of TrainingRun
    until : int or None, default=None
        After how many epochs to pause. None is the end.

    Raises
    ------
    KeyboardInterrupt
        If one of several is interrupted, or training had not begun.
    """
    for model_batch in model_batches(trainings):
        try:
            if len(model_batch) > 1:
                _train_model_batch(model_batch, until)
            else:
                with model_batch[0].random_state():
                    _train_model_batch(model_batch, until)
        except KeyboardInterrupt:
            if len(trainings) > 1:
                raise
            trainings[0].interrupt()


def model_batches(trainings):
    """Return lists of trainings that share their steps, no more than fit into the cache."""
    found = []
    for alike in _alike(trainings).values():
        n_cohorts = 1
        if len(alike) > 1 and alike[0].net.device == "cpu":
            alike = sorted(alike, key=optimizer_key)  # neighbors can share an optimizer
            n_cohorts = -(-len(alike) // max(1, int(MAX_STACK_BYTES // alike[0].n_bytes)))
        bounds = np.linspace(0, len(alike), n_cohorts + 1).astype(int)
        found += [alike[a:b] for a, b in pairwise(bounds)]
    return found


def _alike(trainings):
    """Return lists of trainings with nets of one stack key, by that key."""
    if len(trainings) == 1:  # whatever its key is
        return {None: trainings}
    by_stack_key = defaultdict(list)
    for training in trainings:
        stack_key = training.stack_key
        by_stack_key[training if stack_key is None else stack_key].append(training)
    return by_stack_key


def _train_model_batch(trainings, until):
    """Train nets of one stack key."""
    stacks, start = [], perf_counter()
    # Training needs gradients, whatever the mode around.
    with torch.inference_mode(False), torch.enable_grad():
        try:
            _each(trainings, TrainingRun.begin)
            while running := [t for t in trainings if t.has_epochs_before(until)]:
                running = _each(running, TrainingRun.begin_epoch)
                trained = {t for stack in stacks for t in stack.trainings}
                if trained != set(running) or any(stack.is_outdated() for stack in stacks):
                    _close(stacks)
                    stacks = [Stack(alike) for alike in _alike(running).values()]
                for stack in stacks:
                    _train_epoch(stack)
        finally:
            _close(stacks)
            for training in trainings:
                training.seconds += (perf_counter() - start) / len(trainings)


def _train_epoch(stack):
    try:
        losses = stack.run_epoch()
    except Exception as error:  # of a function of the user's
        for training in stack.trainings:
            training.error = error
        return
    for training, loss in losses:
        _each([training], TrainingRun.end_epoch, loss)


def _each(trainings, action, *args):
    """Let each do something; what it raises is its own affair. Return those that go on."""
    for training in trainings:
        watched = training.is_watched
        try:
            with training.random_state() if watched else nullcontext():
                action(training, *args)
        except KeyboardInterrupt:
            if not training.has_stopped():
                raise
            training.interrupt()
        except Exception as error:
            training.error = error
    return [training for training in trainings if training.has_epochs_before(None)]


def _close(stacks):
    for stack in stacks:
        stack.close()
