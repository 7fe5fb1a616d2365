"""The training of one net: the loop over the epochs, and its callbacks."""

from contextlib import contextmanager, nullcontext
from functools import partial
from time import perf_counter

import torch
from torch.optim.lr_scheduler import ReduceLROnPlateau

from skae._runtime import TorchGenerators, TrainState, make_generator
from skae._training.callbacks import (
    Progress,
    forget_weights,
    has_stopped,
    is_own,
    keeps_to_itself,
    wants_batches,
)
from skae._training.checkpoints import Checkpoints
from skae._training.memory import freed_memory_kept
from skae._training.optimizers import LR_SCHEDULES
from skae._training.step import NetStep

NO_CHECKPOINTS = Checkpoints()


class TrainingRun:
    """The way of one net through its data.

    Parameters
    ----------
    net : Net
    dataset, validation : objects such as `skae._data.ArrayDataset`
        ``validation`` may be None.
    callbacks : list of skorch callbacks
    n_epochs : int
    seed : int
        Seed of all that is random: the order of batches, dropout, noise.
    checkpoints : Checkpoints
        They are told of each epoch of a run that is trained alone.

    Attributes
    ----------
    error : Exception or None
        What ended it, if it was trained with others: loss that is not finite, or an error in a
        callback.
    finished : bool
        False if it was interrupted; the net is in a state to use also then.
    seconds : float
        Its part of the time of the runs that it was trained with.

    Raises
    ------
    ValueError
        If two schedules set the learning rate.
    """

    def __init__(
        self, net, dataset, validation, callbacks, n_epochs, seed, checkpoints=NO_CHECKPOINTS
    ):
        net.begin_run(callbacks, seed)
        self.net, self.dataset, self.validation = net, dataset, validation
        self.checkpoints, self.scheduler = checkpoints, None
        self.batches = net.get_iterator(dataset, training=True)
        self.noise = make_generator(seed, net.device)
        self.torch_generators = TorchGenerators(seed, net.device)
        self.drawing = net.drawing(self.torch_generators)
        self.n_epochs, self.epochs_done = n_epochs, 0
        self.n_steps, self.steps_taken = n_epochs * len(self.batches), 0
        callbacks = [callback for _, callback in net.callbacks_]
        self.notifies_batches = any(wants_batches(callback) for callback in callbacks)
        self.is_watched = not all(is_own(callback) for callback in callbacks)
        self.keeps_to_itself = all(keeps_to_itself(callback) for callback in callbacks)
        self.bars = [callback for callback in callbacks if isinstance(callback, Progress)]
        self.n_recorded = net.history.n_epochs
        self.finished, self.error, self.seconds = True, None, 0.0
        self._step = None
        self._has_begun = self._is_over = False

    # The loop.

    def fit_loop(self, until=None):
        """Train up to an epoch, or to the end.

        Parameters
        ----------
        until : int or None, default=None
            After how many epochs to pause. None is the end.

        Raises
        ------
        KeyboardInterrupt
            If training is interrupted before the first epoch.
        """
        start = perf_counter()
        with gradients(), self.net.threads(), freed_memory_kept():
            try:
                self.begin()
                while self.has_epochs_before(until):
                    self.begin_epoch()
                    self.open()
                    self.end_epoch(self.run_single_epoch())
                    self.checkpoints.end_epoch(self)
            except KeyboardInterrupt:  # by which callbacks stop training as well
                self.interrupt()
            finally:
                self.close()
                self.seconds += perf_counter() - start

    def run_single_epoch(self):
        """Take a step on each batch, and return the mean loss."""
        module, step = self.net.module_, self._step.train_step
        if self.notifies_batches:
            step = partial(self.notify_of, step=step, training=True)
        total, n_seen = torch.zeros((), device=self.net.device), 0
        for batch in self.batches:
            loss = step(batch)
            size = module.size(batch[1][0])
            total.add_(loss, alpha=size)
            n_seen += size
            for bar in self.bars:
                bar.advance(size)
        return total.item() / n_seen

    def state(self):
        """Return the `TrainState` of the next step."""
        return TrainState(self.progress if self.net.anneals else 1.0, self.noise)

    def count_step(self):
        """Note that a step was taken, and set the learning rate of the next."""
        self.steps_taken += 1
        self.set_learning_rate(self.net.optimizer_)

    def open(self):
        """Prepare the steps of an epoch."""
        if self._step is not None and self._step.is_outdated():
            self.close()
        if self._step is None:
            self._step = NetStep(self)

    @property
    def runs(self):
        """The runs that take their steps together: this one."""
        return [self]

    def is_outdated(self):
        """Say whether what was prepared has to be prepared anew."""
        return self._step is None or self._step.is_outdated()

    def close(self):
        """Leave the net as it is used outside of training."""
        if self._step is not None:
            self._step.close()
            self._step = None

    # Before and after.

    def has_epochs_before(self, until):
        """Say whether there are epochs to train before ``until``, None for the end."""
        until = self.n_epochs if until is None else min(until, self.n_epochs)
        return self.error is None and not self._is_over and self.epochs_done < until

    def begin(self):
        """Tell the callbacks, the first time."""
        if not self._has_begun:
            self.notify("on_train_begin", X=self.dataset, y=None)
            self._after_epoch = self._schedule_by_epochs()
            self.set_learning_rate(self.net.optimizer_)
            self.checkpoints.begin_run(self)
            self._has_begun = True

    def begin_epoch(self):
        """Tell the callbacks."""
        datasets = {"dataset_train": self.dataset, "dataset_valid": self.validation}
        self.notify("on_epoch_begin", **datasets)

    def end_epoch(self, loss):
        """Record the mean training loss and that on the validation data."""
        net = self.net
        net.record_loss("train_loss", loss, self.dataset)
        if not self.notifies_batches:
            net.history.new_batch()  # skorch's Checkpoint reads the last one
        if self._after_epoch is not None:
            self._after_epoch()
        if self.validation is not None:
            notify = partial(self.notify_of, training=False) if self.notifies_batches else None
            loss = net.mean_loss(self.validation, notify)
            net.record_loss("valid_loss", loss, self.validation, self.dataset)
        self.epochs_done += 1
        self.notify("on_epoch_end", dataset_train=self.dataset, dataset_valid=self.validation)

    def interrupt(self):
        """Take up an interrupt, by which callbacks stop training as well.

        Raises
        ------
        KeyboardInterrupt
            If no epoch has begun.
        """
        if self.net.history.n_epochs == self.n_recorded:
            raise KeyboardInterrupt
        self._is_over = True
        self.finished = self.has_stopped()

    def has_stopped(self):
        """Say whether a callback has stopped it early."""
        return any(has_stopped(callback) for _, callback in self.net.callbacks_)

    def end(self):
        """Tell the callbacks that training is over, the best weights' among them."""
        net = self.net
        self.notify("on_train_end", X=self.dataset, y=None)
        for _, callback in net.callbacks_:
            forget_weights(callback)
        net.check_weights(self.dataset)
        if "dur" not in net.history[-1]:  # an epoch cut short
            del net.history[-1]
        net.module_.eval().zero_grad()

    # Callbacks.

    def show(self, bar):
        """Let a callback show the training, which has not begun."""
        self.net.callbacks_.append((type(bar).__name__, bar))

    def close_bars(self):
        """Close the bars of a training that ends by an error."""
        for bar in self.bars:
            bar.close()

    def notify(self, event, **kwargs):
        """Call a method of all callbacks."""
        with self.torch_generators.lent() if self.is_watched else nullcontext():
            self.net.notify(event, **kwargs)

    def notify_of(self, batch, step, training):
        """Take a step on a batch and return its loss, telling the callbacks."""
        seen = batch[0], batch[1][0]
        self.notify("on_batch_begin", batch=seen, training=training)
        loss = step(batch)
        self.net.history.record_batch(f"{'train' if training else 'valid'}_loss", loss.item())
        y_pred = self.net.evaluation_step(batch)
        self.notify("on_batch_end", batch=seen, training=training, loss=loss, y_pred=y_pred)
        return loss

    def notify_of_gradients(self, batch):
        """Tell the callbacks that the parameters have their gradients."""
        parameters = self.net.get_all_learnable_params()
        self.notify("on_grad_computed", named_parameters=parameters, batch=(batch[0], batch[1][0]))

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
        self.scheduler = scheduler
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
        # How many batches a stream of sequences has is an estimate.
        return min(1.0, self.steps_taken / self.n_steps)


@contextmanager
def gradients():
    """Enable gradients, which training needs whatever the mode around."""
    with torch.inference_mode(False), torch.enable_grad():
        yield
