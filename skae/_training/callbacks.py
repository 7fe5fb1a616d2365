"""Callbacks of skae's own, and what it asks of others. Beside the net, the only use of skorch."""

import copy

from skorch.callbacks import (
    Callback,
    Checkpoint,
    EarlyStopping,
    EpochTimer,
    Freezer,
    Initializer,
    LRScheduler,
    ParamMapper,
    Unfreezer,
)

from skae._training.progress import progress_bar
from skae._training.state_file import is_plain


class Progress(Callback):
    """Bar over the training: epochs, batch size, losses of the last epoch and the best so far.

    Parameters
    ----------
    n_epochs : int
    units : tuple (int, str) or None, default=None
        How many units there are in all and their name, if it counts anything but epochs. They
        are what the module's losses are means of.
    """

    def __init__(self, n_epochs, units=None):
        self.n_epochs, self.units, self.bar_ = n_epochs, units, None

    def on_train_begin(self, net, **kwargs):
        how = {"postfix": {"batch_size": net.batch_size}}
        if self.units is None:
            shown = "{bar}| epoch {n_fmt}/{total_fmt} [{elapsed}<{remaining}{postfix}]"
            self.bar_ = progress_bar(self.n_epochs, "epoch", bar_format=shown, **how)
        else:
            shown = "{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}, {rate_fmt}{postfix}]"
            self.bar_ = progress_bar(*self.units, bar_format=shown, unit_scale=True, **how)
        self._n_before = net.history.n_epochs

    def advance(self, n):
        """Note that ``n`` more units have been trained on."""
        if self.units is not None:
            self.bar_.update(n)

    def skip(self, n_epochs):
        """Note that so many epochs were trained in an earlier process."""
        if self.units is not None:
            self.advance(self.units[0] * n_epochs // self.n_epochs)

    def on_epoch_end(self, net, **kwargs):
        n_done = net.history.n_epochs - self._n_before
        shown = {"batch_size": net.batch_size}
        shown |= {k: f"{v:.3g}" for k, v in net.history[-1].items() if k.endswith("_loss")}
        if self.units is not None:
            shown["epoch"] = f"{n_done}/{self.n_epochs}"
        self.bar_.set_postfix(shown | {"best": f"{best_score(net):.3g}"}, refresh=False)
        if self.units is None:
            self.bar_.update(n_done - self.bar_.n)

    def on_train_end(self, net, **kwargs):
        if "train_loss" in net.history[-1]:  # one may have ended it before the bar was told
            self.on_epoch_end(net)
        if any(has_stopped(callback) for _, callback in net.callbacks_):
            self.bar_.total = self.bar_.n  # else notebooks show it as after an error
        self.close()

    def close(self):
        """Leave the bar as it is."""
        if self.bar_ is not None:
            self.bar_.close()
            self.bar_ = None


class PartOfBar(Callback):
    """The part of one training in a bar over many.

    Parameters
    ----------
    bar : FitsBar
    number : int
        What the bar knows the training by.
    n_epochs : int
    """

    def __init__(self, bar, number, n_epochs):
        self.bar, self.number, self.n_epochs, self.n_done = bar, number, n_epochs, 0

    def on_epoch_end(self, net, **kwargs):
        self.n_done += 1
        self.bar.move(self.number, self.n_done / self.n_epochs, net.history[-1, "train_loss"])

    def on_train_end(self, net, **kwargs):
        self.bar = None


class EpochTasks(Callback):
    """Tells scikit-learn's callbacks of each epoch, and ends the training if they say so.

    Parameters
    ----------
    task : TrainingTask
    """

    def __init__(self, task):
        self.task, self.is_stopped = task, False

    def on_epoch_begin(self, net, **kwargs):
        self.task.begin_epoch()

    def on_epoch_end(self, net, **kwargs):
        self.task.end_epoch()
        if self.task.is_stopped:
            self.is_stopped = True
            raise KeyboardInterrupt

    def on_train_end(self, net, **kwargs):
        self.task = None  # it holds the samples


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
        )
        self.measure = measure

    def on_train_begin(self, net, **kwargs):
        super().on_train_begin(net, **kwargs)
        # Until an epoch is better, the best one is that of the weights that training starts with.
        last = net.history[-1] if net.history else {}
        self.best_epoch_ = last.get("restored_epoch", net.history.n_epochs)

    def on_epoch_begin(self, net, dataset_valid=None, **kwargs):
        if self.best_model_weights_ is None:
            measure = self.measure or net.mean_loss
            self.dynamic_threshold_ = measure(dataset_valid)
            self._keep_weights(net)

    def on_epoch_end(self, net, dataset_valid=None, **kwargs):
        if self.measure is not None:
            net.history.record(self.monitor, self.measure(dataset_valid))
        if self._is_score_improved(net.history[-1, self.monitor]):
            self._keep_weights(net)
        super().on_epoch_end(net, **kwargs)

    def _keep_weights(self, net):
        # skorch's own way, a deep copy, takes ten times as long.
        weights = net.module_.state_dict()
        self.best_model_weights_ = {name: weight.clone() for name, weight in weights.items()}

    def on_train_end(self, net, **kwargs):
        if self.best_model_weights_ is not None and self.best_epoch_ != net.history[-1, "epoch"]:
            net.module_.load_state_dict(self.best_model_weights_)
        complete = [epoch for epoch in net.history[-2:] if "dur" in epoch]
        if complete:  # the last one may be cut short
            complete[-1]["restored_epoch"] = self.best_epoch_
        self.measure = None  # it may hold anything, and would be pickled


def best_score(net):
    """Return the best score so far by which weights are restored, else the least training loss."""
    for _, callback in net.callbacks_:
        if isinstance(callback, BestWeights):
            return callback.dynamic_threshold_
    return net.history.lowest_of("train_loss")


#: Callbacks of skorch that change the net and keep nothing but what they need for it.
_OF_THE_NET = EarlyStopping, LRScheduler, ParamMapper, Freezer, Unfreezer, Initializer


def prepared(callback):
    """Return a callback of the user's as a net takes it.

    It is the object itself, which may collect something for the user, or be known to others by its
    identity. One that only changes the net is copied, so that nets can share it.
    """
    match callback:
        case (str() as name, callback):
            return name, prepared(callback)
        case type() if issubclass(callback, Callback):
            return callback
        case Callback():
            return copy.deepcopy(callback) if keeps_to_itself(callback) else callback
    raise TypeError(f"callbacks must hold skorch callbacks. Got {callback!r}, which is not one.")


def keeps_to_itself(callback):
    """Say whether a callback keeps nothing that another net's callback could be mixed up with."""
    return is_own(callback) or type(callback) in _OF_THE_NET


def loads_from_file(callback):
    """Say whether a callback ends the training with weights from a file, which nets may share."""
    callback = callback[1] if isinstance(callback, tuple) else callback
    return isinstance(callback, Checkpoint) and callback.load_best


def is_own(callback):
    """Say whether a callback is one of those that skae itself brings."""
    own = BestWeights | EpochTasks | EpochTimer | PartOfBar | Progress
    return isinstance(callback, own)


def wants_batches(callback):
    """Say whether a callback is to be told of every batch."""
    if isinstance(callback, LRScheduler):
        return callback.step_every == "batch"
    hooks = ("on_batch_begin", "on_batch_end", "on_grad_computed")
    return any(getattr(type(callback), hook) is not getattr(Callback, hook) for hook in hooks)


def sets_learning_rate(callback):
    """Say whether a callback sets the learning rate."""
    return isinstance(callback, LRScheduler)


def has_stopped(callback):
    """Say whether a callback has ended the training, which skorch does by an interrupt."""
    if isinstance(callback, EpochTasks):
        return callback.is_stopped
    return isinstance(callback, EarlyStopping) and callback.misses_ >= callback.patience


#: What changes in callbacks of skorch. Other callbacks change in any attribute.
_CHANGING = ("misses_", "dynamic_threshold_", "best_epoch_", "best_model_weights_")


def why_not_resumable(callback):
    """Return why a callback cannot go on in another process; None if it can."""
    if isinstance(callback, (EarlyStopping, LRScheduler)):
        return None if keeps_to_itself(callback) else "its class is not skorch's"
    others = [name for name, value in vars(callback).items() if not is_plain(value)]
    return f"its attribute {others[0]!r} is neither numbers nor text" if others else None


def with_state(callbacks):
    """Return the callbacks that change during a training."""
    return [one for one in callbacks if isinstance(one, EarlyStopping) or not is_own(one)]


def state_of_callback(callback):
    """Return what changes in a callback during a training."""
    if isinstance(callback, EarlyStopping):
        return {name: getattr(callback, name) for name in _CHANGING}
    if isinstance(callback, LRScheduler):
        return {"batch_idx_": callback.batch_idx_, "scheduler": callback.lr_scheduler_.state_dict()}
    return vars(callback)


def load_callback(callback, state):
    """Let a callback go on as one of which ``state_of_callback`` has told."""
    if isinstance(callback, LRScheduler):
        callback.lr_scheduler_.load_state_dict(state["scheduler"])
        callback.batch_idx_ = state["batch_idx_"]
    else:
        vars(callback).update(state)


def described_callback(callback):
    """Return a text that is the same for equal callbacks; None if it is none.

    Those of the user's own are what they are called.
    """
    if not isinstance(callback, Callback):
        return None
    params = {}
    if keeps_to_itself(callback):
        params = {k: v for k, v in vars(callback).items() if is_plain(v) and not k.endswith("_")}
    return f"{type(callback).__name__}({params})"


def forget_weights(callback):
    """Let a callback drop the best weights: at the end of a training the module has them."""
    if isinstance(callback, EarlyStopping) and keeps_to_itself(callback):
        callback.best_model_weights_ = None
