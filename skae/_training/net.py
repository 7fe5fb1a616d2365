"""A skorch net whose batches are slices and records are epochs.

`Net` keeps skorch's callbacks and history, and leaves out what costs time: the data loader,
the record and notification of every batch, and the optimizer's walk over the parameters.
``loop.py`` has the loop.
"""

import copy
from contextlib import nullcontext
from math import isfinite

import torch
from skorch import NeuralNet
from skorch.callbacks import EpochTimer
from skorch.history import History
from torch import nn

from skae._data.batches import Batches
from skae._data.dataset import Dataset
from skae._runtime import (
    TRAINED,
    TorchGenerators,
    TrainState,
    available_device,
    computing,
    draws_from_torch,
    make_generator,
    threads,
)
from skae._training.callbacks import sets_learning_rate
from skae._training.flat import can_flatten, flat_parameter, matrix_groups, matrix_stacks
from skae._training.muon import Muon
from skae._training.optimizers import OPTIMIZERS
from skae._training.plain_state import dtype_name, dtype_of, plain

#: Constructor parameters that differ from net to net, beside the module and those of the optimizer.
_PARAMETERS = (
    "lr",
    "batch_size",
    "device",
    "optimizer",
    "lr_schedule",
    "max_grad_norm",
    "precision",
    "anneals",
    "keeps_optimizer",
    "history_size",
)


#: Epochs on record of a model that ``partial_fit`` trains, unless ``history_size`` says how many:
#: memory must not grow as long as data comes.
MAX_CALLS = 1_000


class EpochHistory(History):
    """skorch's history, to which an epoch is added at the same cost however many there are.

    Parameters
    ----------
    epochs : iterable of dict, default=()
    lowest : dict or None, default=None
        The lowest losses before the last epoch, by name. None is those of the epochs.
    """

    #: What is compared with all epochs before.
    compared = ("train_loss", "valid_loss")

    def __init__(self, epochs=(), lowest=None):
        super().__init__()
        self.lowest = {}
        for epoch in epochs:
            self._note_lowest()
            self.append(epoch)
        if lowest is not None:  # also of epochs that are not kept
            self.lowest = lowest

    @property
    def n_epochs(self):
        """Number of epochs, those included that are not kept."""
        return self[-1]["epoch"] if self else 0

    def __getitem__(self, i):
        first, *others = i if isinstance(i, tuple) else (i,)
        if isinstance(first, int):  # skorch would copy the list
            epoch = list.__getitem__(self, first)
            return History([epoch])[(0, *others)] if others else epoch
        return super().__getitem__(i)

    def new_epoch(self):
        """Add an epoch, with its number."""
        self._note_lowest()
        self.append({"batches": [], "epoch": self.n_epochs + 1})

    def _note_lowest(self):
        last = self[-1] if self else {}
        for name in last.keys() & self.compared:
            self.lowest[name] = min(last[name], self._lowest_of(name))

    def record_loss(self, name, loss):
        """Record a loss, and whether it is lower than all before."""
        self.record(name, loss)
        self.record(f"{name}_best", loss < self._lowest_of(name))

    def _lowest_of(self, name):
        return self.lowest.get(name, float("inf"))

    def lowest_of(self, name):
        """Return the lowest loss of all epochs, those included that are not kept."""
        return min(self[-1][name], self._lowest_of(name))

    def continued(self):
        """Return a history that can be added to without changing this one."""
        twin = type(self)()
        twin.extend(self.copy())
        if twin:
            twin[-1] = copy.deepcopy(twin[-1])
        twin.lowest = dict(self.lowest)
        return twin


class Net(NeuralNet):
    """skorch net over an `AutoencoderModule`, fast for small nets.

    Parameters
    ----------
    module : AutoencoderModule
    lr_schedule : str, callable or None
        A name of ``LR_SCHEDULES``, or a function of the optimizer that returns a torch
        scheduler, which then steps with every epoch.
    max_grad_norm : float or None
        Bound on the norm of the gradient.
    precision : torch.dtype or None
        Of the module while it trains; None is that of its parameters.
    anneals : bool
        Whether a session is a whole training, during which bottlenecks may change. If not,
        it is a part of one, and they are as at its end.
    keeps_optimizer : bool, default=True
        Whether the state of the optimizer is pickled, by which training can continue as it was.
    history_size : int or None, default=None
        Number of epochs that are kept on record. None is all, but `MAX_CALLS` of those that do not
        anneal.
    **kwargs : dict
        Parameters of skorch's ``NeuralNet``.

    Attributes
    ----------
    flat : nn.Parameter or None
        The optimizer's parameter that holds all others, if there is one.
    """

    def __init__(
        self,
        module,
        lr_schedule=None,
        max_grad_norm=None,
        precision=None,
        anneals=True,
        keeps_optimizer=True,
        history_size=None,
        **kwargs,
    ):
        super().__init__(module, criterion=nn.Identity, train_split=None, verbose=0, **kwargs)
        self.precision = precision
        self.lr_schedule = lr_schedule
        self.max_grad_norm = max_grad_norm
        self.anneals = anneals
        self.keeps_optimizer = keeps_optimizer
        self.history_size = history_size

    def begin_run(self, callbacks, seed):
        """Get ready for a training.

        Parameters
        ----------
        callbacks : list of skorch callbacks
            See `skae._training.callbacks.prepared`.
        seed : int

        Raises
        ------
        ValueError
            If two schedules set the learning rate.
        """
        if not self.initialized_:
            self._initialize()
        self.callbacks = callbacks
        self.initialize_callbacks()
        self._check_schedules()
        self._seed, self._draws_from_torch = seed, draws_from_torch(self.module_)

    def _initialize(self):
        self.initialize()
        self.module = type(self.module_)  # else there would be two

    def _check_schedules(self):
        if self.lr_schedule is not None and any(
            sets_learning_rate(callback) for _, callback in self.callbacks_
        ):
            raise ValueError(
                f"callbacks holds an LRScheduler beside lr_schedule={self.lr_schedule!r}, and both "
                "would set the learning rate. Give lr_schedule=None, or leave the callback out."
            )

    def __copy__(self):
        """Return a net that can be trained on without changing this one."""
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)
        twin.module_, twin.history_ = copy.deepcopy(self.module_), self.history_.continued()
        twin.callbacks_ = []
        # Made anew: copies of an optimizer lack what it keeps beside its state.
        twin.initialize_optimizer()
        twin.optimizer_.load_state_dict(copy.deepcopy(self.optimizer_.state_dict()))
        return twin

    def resume(self, lr, **params):
        """Change parameters between sessions, keeping the state of the optimizer."""
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

    @property
    def history(self):
        """The record of the epochs."""
        return self.history_

    @history.setter
    def history(self, history):
        self.history_ = EpochHistory(history)  # a callback may have read it from a file

    def initialize_history(self):
        """Begin the record of the epochs."""
        self.history_ = EpochHistory()

    def on_epoch_begin(self, net, **kwargs):
        """Add an epoch to the record, and drop those that are too many."""
        self.history.new_epoch()
        most = len(self.history) if self.anneals else MAX_CALLS
        del self.history[: -(self.history_size or most)]

    def check_data(self, X, y=None):
        """Accept the data: the estimator has validated it."""

    def get_iterator(self, dataset, training=False):
        """Return the batches of a data set, in a new order every epoch of training."""
        if not isinstance(dataset, Dataset):  # arrays, from scoring callbacks
            return super().get_iterator(dataset, training)
        how = self.batch_size, torch.device(self.device)
        if training:
            return dataset.training_batches(*how, make_generator(self._seed, "cpu"))
        return Batches(dataset, *how)

    def initialize_optimizer(self):
        """Make an optimizer of one flat parameter, where that comes to the same."""
        named_parameters, self.flat = self.module_.named_parameters(), None
        if can_flatten(self.module_, self.optimizer):
            self.flat = flat_parameter(self.module_)
            named_parameters = [("flat", self.flat)]
        else:  # optimizers such as LBFGS take a parameter's memory as it lies
            for parameter in self.module_.parameters():
                parameter.data = parameter.data.contiguous()
        args, kwargs = self.get_params_for_optimizer("optimizer", named_parameters)
        if self.optimizer is Muon:
            if self.flat is not None:
                kwargs["stacks"] = matrix_stacks(self.module_)
            else:
                args = [matrix_groups(self.module_)]
        self.optimizer_ = self.optimizer(*args, **kwargs)
        return self

    # Pickling.

    def __getstate__(self):
        """Return a state that loads on any device, with the optimizer's if training continues.

        It has the parameters that differ from net to net. The others, callbacks among them, belong
        to a training.
        """
        params = {name: value for name, value in vars(self).items() if name in _PARAMETERS}
        of_optimizer = {n: v for n, v in vars(self).items() if n.startswith("optimizer__")}
        names = {optimizer: name for name, optimizer in OPTIMIZERS.items()}
        optimizer_state = self.optimizer_.state_dict() if self.keeps_optimizer else None
        return params | {
            "precision": self.precision and dtype_name(self.precision),
            "optimizer": names.get(self.optimizer, self.optimizer),
            "optimizer_params": of_optimizer,
            "epochs": [dict(epoch) for epoch in self.history_],
            "lowest": dict(self.history_.lowest),
            "seed": self._seed,
            **plain({"module": self.module_, "optimizer_state": optimizer_state}),
        }

    def __setstate__(self, state):
        params = {name: state[name] for name in _PARAMETERS} | state["optimizer_params"]
        params["device"] = str(available_device(state["device"]))
        params["optimizer"] = OPTIMIZERS.get(state["optimizer"], state["optimizer"])
        params["precision"] = state["precision"] and dtype_of(state["precision"])
        self.__init__(state["module"], **params)
        self._initialize()
        self._seed, self.callbacks_ = state["seed"], []
        self.history_ = EpochHistory(state["epochs"], state["lowest"])
        if state["optimizer_state"] is not None:
            self.optimizer_.load_state_dict(state["optimizer_state"])

    # Losses.

    def autocast(self):
        """Return the context of reduced precision, for nets that no flat parameter brings it."""
        if self.precision is None:
            return nullcontext()
        return torch.autocast(torch.device(self.device).type, self.precision)

    def threads(self):
        """Return the context of as many threads as pay for a batch."""
        return threads(self.batch_size * self.module_.n_multiplications)

    def drawing(self, generators):
        """Return a function that gives the context of a step, in which the module may draw.

        Parameters
        ----------
        generators : TorchGenerators
            Taken for the step if a part of the module draws from torch's own generator.
        """
        return generators.taken if draws_from_torch(self.module_) else nullcontext

    def mean_loss(self, dataset, notify=None):
        """Return the mean loss over a data set, for the same noise at every call.

        Parameters
        ----------
        dataset : object such as `skae._data.ArrayDataset`
        notify : callable or None, default=None
            ``notify(batch, step)`` takes a step and tells others of it.
        """
        total, count = torch.zeros((), device=self.device), 0
        state = TrainState(generator=make_generator(self._seed, self.device))
        drawing = nullcontext
        if self._draws_from_torch:
            drawing = TorchGenerators(self._seed, self.device).taken

        def step(batch):
            with computing, drawing():
                return self.validation_step(batch, state)

        with self.threads():
            for batch in self.get_iterator(dataset):
                size = self.module_.size(batch[1][0])
                total.add_(step(batch) if notify is None else notify(batch, step), alpha=size)
                count += size
        return total.item() / count

    @torch.no_grad()
    def validation_step(self, batch, state=TRAINED, **fit_params):
        """Return the loss of a batch, without dropout."""
        x, (target, weight, labels) = batch
        if self.module_.training:
            self._set_training(False)
        x, target, cell_weight = self.module_.training_inputs(x, target, state, training=False)
        return self.module_.objective(x, target, weight, cell_weight, state, labels)

    def record_loss(self, name, loss, *datasets):
        """Record the mean loss of an epoch.

        Parameters
        ----------
        name : str
        loss : float
        *datasets : Dataset
            Those that it depends on.

        Raises
        ------
        ValueError
            If it is NaN or infinite.
        """
        if not isfinite(loss):
            raise self._divergence(f"The {name} is {loss}", datasets)
        self.history.record_loss(name, loss)

    def check_weights(self, dataset):
        """Raise a ValueError if the last steps on a data set made weights NaN or infinite."""
        if not all(bool(weight.isfinite().all()) for weight in self.module_.parameters()):
            raise self._divergence("Weights are NaN or infinite", [dataset])

    def _divergence(self, what, datasets):
        """Return the error that says what is not finite, and why that may be."""
        found = [dataset.largest() for dataset in datasets]
        largest, causes, where = max(filter(None, found), default=None), "A likely cause is", ""
        if largest is not None:
            causes = (
                "Likely causes are very large values in X (scale its columns, for instance with "
                "StandardScaler) or"
            )
            where = f" The largest value is {largest.size:.3g}, {largest.where}."
        return ValueError(
            f"{what} in epoch {self.history[-1, 'epoch']}. {causes} too large steps (try lr below "
            f"{self.lr}, or max_grad_norm=1).{where}"
        )
