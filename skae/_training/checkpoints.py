"""Checkpoints of a fit: its state in a file, from which it goes on after a crash."""

import copy

from numpy.random import RandomState

from skae._data.digest import digests
from skae._runtime import resolve_device
from skae._training.callbacks import (
    load_callback,
    state_of_callback,
    why_not_resumable,
    with_state,
)
from skae._training.checkpoint_file import CheckpointFile, facts
from skae._training.net import EpochHistory
from skae._training.progress import say


class Checkpoints:
    """What a fit does for its checkpoints: nothing, if it has none."""

    #: Why a net cannot train as one with others.
    why_not_stackable = None

    def begin(self, estimator):
        """Let an estimator, which has drawn nothing yet, draw as it did in an earlier process."""

    def check(self, dataset, validation, others):
        """Raise a ValueError if the file is of another fit.

        Parameters
        ----------
        dataset, validation : Dataset
            All samples that were given to train and to validate on; ``validation`` may be None.
        others : dict of str to str
            What else tells a fit from others, by name.
        """

    def begin_run(self, run):
        """Let a `TrainingRun`, which has begun, go on from the state in the file."""

    def end_epoch(self, run):
        """Write the state of a `TrainingRun` after an epoch, if it is time to."""

    def end(self, is_complete):
        """Remove the file of a fit that is complete, and let others use it."""

    @property
    def how_to_go_on(self):
        """What a warning says of an interrupted fit."""
        return ""


class FileCheckpoints(Checkpoints):
    """Checkpoints in a file.

    Parameters
    ----------
    value : str, PathLike or Checkpoint
        The parameter ``checkpoint``.
    """

    why_not_stackable = "it writes checkpoints"

    def __init__(self, value):
        self._file = CheckpointFile(value, "fit")
        self._start, self._n_since, self._is_verbose = {}, 0, False

    def begin(self, estimator):
        stored, self._is_verbose = self._file.stored, estimator.verbose > 0
        known = facts(estimator) | {"device": str(resolve_device(estimator.device))}
        generator = estimator._rng.get_state()
        if stored is not None and estimator.random_state is None:
            generator = stored.get("generator", generator)  # there is none in that of a search
            estimator._rng = RandomState()
            estimator._rng.set_state(generator)
            estimator._hold_out_rng = copy.deepcopy(estimator._rng)
        self._start = {"identity": known, "generator": generator}

    def check(self, dataset, validation, others):
        known = digests(dataset)
        if validation is not None:
            known |= {f"{name}_val": text for name, text in digests(validation).items()}
        known = {name: f"digest {text}" for name, text in known.items()}
        self._start["identity"] |= known | others
        self._file.check(self._start["identity"])

    def begin_run(self, run):
        for callback in _callbacks(run):
            if (reason := why_not_resumable(callback)) is not None:
                raise ValueError(
                    f"checkpoint does not go with the callback {type(callback).__name__}: "
                    f"{reason}, so that it could not go on as it was. Leave one of them out."
                )
        if self._file.stored is None:
            return
        load_run(run, self._file.stored["run"])
        for bar in run.bars:
            bar.skip(run.epochs_done)
        self._file.stored = None  # it takes as much memory as the net and its optimizer
        if self._is_verbose:
            say(f"[skae] goes on after epoch {run.epochs_done} of {run.n_epochs}")

    def end_epoch(self, run):
        settings, self._n_since = self._file.settings, self._n_since + 1
        is_due = settings.every_epochs is not None and self._n_since >= settings.every_epochs
        if is_due or self._file.minutes >= settings.every_minutes:
            run.close()  # the net has all bits of its parameters only outside of training
            self._file.write(self._start | {"run": state_of_run(run)})
            self._n_since = 0

    def end(self, is_complete):
        if is_complete:
            self._file.remove()
        self._file.close()

    @property
    def how_to_go_on(self):
        if not self._file.has_state:
            return ""
        return f" To go on from {self._file.path!r}, call fit as before."


def checkpoints_of(estimator, is_partial):
    """Return the `Checkpoints` of a fit.

    Parameters
    ----------
    estimator : NeuralEstimator
    is_partial : bool
        Whether it is one epoch of a training that continues, which has none.

    Raises
    ------
    ValueError
        If the parameters do not go together.
    """
    if estimator.checkpoint is None or is_partial:
        return Checkpoints()
    if estimator.warm_start:
        raise ValueError(
            "checkpoint does not go with warm_start=True: a new process does not know the fit that "
            "it continues. Set one of them back."
        )
    return FileCheckpoints(estimator.checkpoint)


def state_of_run(run):
    """Return all that changes in a `TrainingRun`."""
    net, scheduler = run.net, run.scheduler
    return {
        "module": dict(net.module_.state_dict()),
        "optimizer": net.optimizer_.state_dict(),
        "epochs": [dict(epoch) for epoch in net.history],
        "lowest": dict(net.history.lowest),
        "done": (run.epochs_done, run.steps_taken),
        "noise": run.noise.get_state(),
        "torch_generators": run.torch_generators.get_state(),
        "batches": run.batches.state(),
        "scheduler": None if scheduler is None else scheduler.state_dict(),
        "callbacks": [state_of_callback(callback) for callback in _callbacks(run)],
    }


def load_run(run, state):
    """Let a `TrainingRun` be where another one was."""
    net = run.net
    net.module_.load_state_dict(state["module"])
    net.optimizer_.load_state_dict(state["optimizer"])
    net.history_ = EpochHistory(state["epochs"], state["lowest"])
    run.epochs_done, run.steps_taken = state["done"]
    run.noise.set_state(state["noise"])
    run.torch_generators.set_state(state["torch_generators"])
    run.batches.load_state(state["batches"])
    if run.scheduler is not None:
        run.scheduler.load_state_dict(state["scheduler"])
    for callback, of_callback in zip(_callbacks(run), state["callbacks"], strict=True):
        load_callback(callback, of_callback)


def _callbacks(run):
    return with_state(callback for _, callback in run.net.callbacks_)
