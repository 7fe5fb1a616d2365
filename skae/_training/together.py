"""Which nets train together, and their training."""

from collections import defaultdict
from itertools import pairwise
from time import perf_counter

import numpy as np

from skae._runtime import threads
from skae._training.dense_plan import plan_dense
from skae._training.flat import ELEMENTWISE_OPTIMIZERS
from skae._training.loop import TrainingRun, gradients
from skae._training.stack import Stack, optimizer_key

#: Memory that nets which train as one take at most, in bytes. More would be slower: what a
#: step touches has to stay in the cache.
MAX_STACK_BYTES = 8e6


def train(runs, until=None):
    """Train nets, those of equal shapes as one.

    Each ends up as if it had been alone. What goes wrong with one is its ``error``, and leaves
    the others alone.

    Parameters
    ----------
    runs : list of TrainingRun
    until : int or None, default=None
        After how many epochs to pause. None is the end.

    Raises
    ------
    KeyboardInterrupt
        If one is interrupted.
    """
    for model_batch in model_batches(runs):
        if len(model_batch) > 1:
            _train_as_one(model_batch, until)
            continue
        (run,) = model_batch
        _attempt(run, TrainingRun.fit_loop, until)
        if not run.finished:  # it took up the interrupt
            raise KeyboardInterrupt


def model_batches(runs):
    """Return lists of runs that share their steps, no more than fit into the cache."""
    found = []
    for alike in _alike(runs):
        n_batches = 1
        if len(alike) > 1 and alike[0].net.device == "cpu":
            alike = sorted(alike, key=optimizer_key)  # neighbors can share an optimizer
            n_batches = -(-len(alike) // max(1, int(MAX_STACK_BYTES // n_bytes(alike[0].net))))
        bounds = np.linspace(0, len(alike), n_batches + 1).astype(int)
        found += [alike[a:b] for a, b in pairwise(bounds)]
    return found


def _alike(runs):
    """Return lists of runs with nets of one stack key."""
    by_stack_key = defaultdict(list)
    for run in runs:
        key = stack_key(run)
        by_stack_key[run if key is None else key].append(run)
    return list(by_stack_key.values())


def why_not_stackable(run):
    """Return why a net cannot train as one with others; None if it can."""
    net = run.net
    if run.dataset.why_not_stackable is not None:
        return run.dataset.why_not_stackable
    if run.checkpoints.why_not_stackable is not None:
        return run.checkpoints.why_not_stackable
    if run.notifies_batches:
        return "its callbacks are told of every batch"
    if not run.keeps_to_itself:
        return "its callbacks may keep something outside of the net"
    if net.optimizer not in ELEMENTWISE_OPTIMIZERS:
        return f"its optimizer is {net.optimizer.__name__}"
    if net.flat is None or (plan := plan_dense(net.module_)) is None or plan.stack_key is None:
        return "its layers, bottleneck, loss or noise are none that stack"
    return None


def stack_key(run):
    """Return what has to be equal for nets to train as one; None for a net that cannot."""
    if why_not_stackable(run) is not None:
        return None
    net, flat = run.net, run.net.flat
    has_weights = run.dataset.sample_weight is not None
    kinds = net.optimizer, net.batch_size, flat.dtype, flat.device, has_weights
    return (*plan_dense(net.module_).stack_key, *kinds)


def n_bytes(net):
    """Return the memory that a step of a dense net touches: parameters, values, gradients."""
    n_states = 2  # as of Adam
    n_values = 2 * net.batch_size * plan_dense(net.module_).n_values
    return 4 * ((2 + n_states) * net.flat.numel() + n_values)


def _train_as_one(runs, until):
    """Train several nets of one stack key."""
    units, start = [], perf_counter()
    # One thread for several nets: two would wait for each other at every product, the longer
    # the busier the machine is. Processes share such work better.
    with gradients(), threads(n_multiplications=0):
        try:
            _each(runs, TrainingRun.begin)
            while running := [run for run in runs if run.has_epochs_before(until)]:
                running = _each(running, TrainingRun.begin_epoch)
                if {run for unit in units for run in unit.runs} != set(running) or any(
                    unit.is_outdated() for unit in units
                ):
                    _close(units)
                    units = [_unit(alike) for alike in _alike(running)]
                for unit in units:
                    _train_epoch(unit)
        finally:
            _close(units)
            for run in runs:
                run.seconds += (perf_counter() - start) / len(runs)


def _unit(runs):
    """Return what trains some nets for an epoch: a stack, or the run of the only one."""
    if len(runs) > 1:
        return Stack(runs)
    runs[0].open()
    return runs[0]


def _train_epoch(unit):
    try:
        losses = unit.run_single_epoch()
    except Exception as error:  # of a function of the user's
        for run in unit.runs:
            run.error = error
        return
    for run, loss in zip(unit.runs, np.atleast_1d(losses).tolist(), strict=True):
        _each([run], TrainingRun.end_epoch, loss)


def _each(runs, action, *args):
    """Let each do something; what it raises is its own affair. Return those that continue."""
    for run in runs:
        _attempt(run, action, *args)
    return [run for run in runs if run.has_epochs_before(None)]


def _attempt(run, action, *args):
    try:
        action(run, *args)
    except KeyboardInterrupt:
        if not run.has_stopped():
            raise
        run.interrupt()
    except Exception as error:
        run.error = error


def _close(units):
    for unit in units:
        unit.close()
