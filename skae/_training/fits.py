"""Many fits at once: nets of equal shapes train as one."""

import time
from collections import Counter
from contextlib import ExitStack, nullcontext
from functools import partial
from itertools import chain, pairwise

import numpy as np
from joblib import effective_n_jobs
from sklearn.base import BaseEstimator
from sklearn.utils.parallel import Parallel, delayed

from skae._params import unchanged_on_error
from skae._training.callbacks import PartOfBar
from skae._training.checkpoint_file import check_apart
from skae._training.progress import FitsBar, say
from skae._training.session import fit_delegate, has_session
from skae._training.together import model_batches, stack_key, why_not_stackable
from skae._training.together import train as train_runs

#: Memory of nets that wait for their training or its end, in bytes.
MAX_WAITING_BYTES = 2.5e8

#: Fits that a process gets at a time.
MAX_FITS_SENT = 64


class FitTask:
    """A fit to be made, in the same steps as others.

    Parameters
    ----------
    estimator : estimator
        It is fitted in place. One with skae's ``fit``, or any other.
    *data : arrays
        What ``fit`` takes, ``X`` or ``X, y``.
    within : Subtask or None, default=None
        The task of scikit-learn's callbacks that the fit is.
    **params : dict
        Further arguments of ``fit``, such as ``sample_weight``.

    Attributes
    ----------
    error : Exception or None
        Why the fit failed; the estimator is then as it was before.
    seconds : float
        Time of the fit: its part of the time of the fits that it was trained with.
    session : FitSession or None
        Of skae's estimators, from ``begin`` to ``end``.
    n_epochs : int or None
        Epochs that training takes in all, known after ``begin``. Only for skae's.
    """

    def __init__(self, estimator, *data, within=None, **params):
        self.estimator, self.data, self.params = estimator, data, params
        self.error, self.seconds = None, 0.0
        self.session = self.n_epochs = None
        self._within, self._scope = within, None

    @property
    def run(self):
        """The `TrainingRun` while the fit lasts, None for estimators that are none of skae's."""
        return None if self.session is None else self.session.run

    def begin(self, bar=None, shows_own_bar=False):
        """Validate, and make the net.

        Parameters
        ----------
        bar : FitsBar or None, default=None
            The bar that shows the training among others.
        shows_own_bar : bool, default=False
            Whether the estimator shows a bar of its own if it is verbose.
        """
        if has_session(self.estimator):
            self._do(partial(self._begin, bar, shows_own_bar))

    def _begin(self, bar, shows_own_bar):
        self._enter()
        session = self.estimator._session(*self.data, **self.params)
        self.n_epochs = session.begin(shows_own_bar).n_epochs
        self.session = session
        if bar is not None:
            session.run.show(PartOfBar(bar, id(self), self.n_epochs))

    def alone(self):
        """Fit an estimator whose ``fit`` is none of skae's."""
        self._do(self._fit_alone)

    def _fit_alone(self):
        self._enter()
        with unchanged_on_error(*_with_its_parts(self.estimator)):
            self.estimator.fit(*self.data, **self.params)
        self._leave()

    def end(self):
        """Make the estimator what ``fit`` would have left of the epochs so far.

        If training went wrong, it is what it was before.
        """
        session, self.session = self.session, None
        if session is None:
            return
        self.seconds += session.run.seconds
        if session.run.error is None:
            self._do(session.end)
        else:
            session.abandon()
        self._do(self._leave)

    def take_over(self, other):
        """Let the estimator become that of a fit that was made in another process."""
        self.error, self.seconds = other.error, other.seconds
        if self.error is None:
            self.estimator.__dict__ = other.estimator.__dict__

    def abandon(self):
        """Make the estimator what it was before."""
        if self.session is not None:
            self.session.abandon()
            self.session = None
        self._leave()

    def drop(self):
        """Abandon a fit without an error, which nobody needs any more."""
        if self.session is not None:
            self.session.drop()
            self.session = None
        self._leave()

    def _do(self, action):
        start = time.perf_counter()
        try:
            action()
        except Exception as error:
            self.error = error
            self._leave()
        self.seconds += time.perf_counter() - start

    def _enter(self):
        """Begin the task of scikit-learn's callbacks."""
        if self._within is not None:
            self._scope = ExitStack()
            self._scope.enter_context(
                self._within.fit_of(self.estimator, *self.data, **self.params)
            )

    def _leave(self):
        """End that task, and forget it: it knows all others."""
        scope, self._scope, self._within = self._scope, None, None
        if scope is not None:
            scope.close()


def _with_its_parts(estimator):
    """Return an estimator and those in its parameters, such as steps, which it may fit in place."""
    params = estimator.get_params().values() if isinstance(estimator, BaseEstimator) else ()
    return [part for part in (estimator, *params) if isinstance(part, BaseEstimator)]


def train(fits, until=None):
    """Train fits that have begun, up to an epoch or to the end.

    Between two calls the estimators can be used as they are then. Fits with an error are left
    out.

    Parameters
    ----------
    fits : list of FitTask
    until : int or None, default=None
        After how many epochs to pause.

    Raises
    ------
    KeyboardInterrupt
        If training is interrupted.
    """
    fits = [fit for fit in fits if fit.error is None]
    begun = [fit for fit in fits if fit.run is not None]
    train_runs([fit.run for fit in begun], until)
    for fit in begun:
        fit.error = fit.run.error
    for fit in fits:
        if fit not in begun and until is None:
            fit.alone()


def fit_all(fits, n_jobs=None, verbose=0, title=None, in_order=False):
    """Make fits, and yield each when it is done.

    Parameters
    ----------
    fits : list of FitTask
        Those next to each other are trained together, if they can.
    n_jobs : int or None, default=None
        Number of processes, as in `joblib.Parallel`.
    verbose : int, default=0
        Whether to print how they train.
    title : str or None, default=None
        What stands before a bar over all fits; None shows no bar.
    in_order : bool, default=False
        Whether to yield them in the order given. An interrupt then leaves those that train at the
        same time as they were. Otherwise each is done as early as possible.

    Yields
    ------
    FitTask
    """
    check_apart(fit.estimator for fit in fits)
    if (delegate := fit_delegate()) is not None:
        nets = [fit for fit in fits if has_session(fit.estimator)]
        errors = delegate([(fit.estimator, fit.data, fit.params) for fit in nets]) if nets else None
        if errors is not None:
            yield from _made_elsewhere(fits, dict(zip(nets, errors, strict=True)))
            return
    is_single = len(fits) == 1 and has_session(fits[0].estimator) and fits[0].estimator.verbose
    with nullcontext() if title is None or is_single else FitsBar(len(fits), title) as bar:
        # Only fits of this process move the bar while they train.
        here = bar if _n_processes(n_jobs, fits) <= 1 else None
        begin = partial(FitTask.begin, bar=here, shows_own_bar=is_single)
        fit_part = partial(_fit_part, begin=begin, verbose=verbose, in_order=in_order)
        returned = in_parts(fit_part, list(enumerate(fits)), n_jobs)
        for number, there in chain.from_iterable(returned):
            fit = fits[number]
            if there is not fit:
                fit.take_over(there)
            if bar is not None:
                bar.move(id(fit), 1.0)
            yield fit


def _made_elsewhere(fits, errors):
    """Yield fits of which others have made those of nets."""
    for fit in fits:
        if fit in errors:
            fit.error = errors[fit]
        else:
            fit.alone()
        yield fit


def in_parts(function, items, n_jobs):
    """Yield what a function makes of parts of a list, each in a process if there are many.

    Parameters
    ----------
    function : callable
        Returns an iterable.
    items : list
    n_jobs : int or None
        Number of processes, as in `joblib.Parallel`.

    Yields
    ------
    iterable
    """
    n_processes = _n_processes(n_jobs, items)
    if n_processes <= 1:
        yield function(items)
        return
    n_parts = n_processes * -(-len(items) // (n_processes * MAX_FITS_SENT))
    bounds = np.linspace(0, len(items), n_parts + 1).astype(int)
    try:
        parallel = Parallel(n_jobs=n_processes, return_as="generator")
    except ValueError:  # joblib's backend "multiprocessing" has lists only
        parallel = Parallel(n_jobs=n_processes)
    yield from parallel(delayed(_listed)(function, items[a:b]) for a, b in pairwise(bounds))


def _n_processes(n_jobs, items):
    return min(effective_n_jobs(n_jobs), len(items))


def _listed(function, items):
    return list(function(items))


def _fit_part(numbered, begin, verbose, in_order):
    numbers = {fit: number for number, fit in numbered}
    for wave in _waves(numbers, begin):
        try:
            if verbose:
                say(_plan_in_words(wave))
            for together in [wave] if in_order else _trained_together(wave):
                train(together)
                for fit in together:
                    fit.end()
                    yield numbers[fit], fit
        finally:
            for fit in wave:
                fit.abandon()


def _trained_together(wave):
    """Return lists of fits that share their steps."""
    by_run = {fit.run: fit for fit in wave if fit.run is not None and fit.error is None}
    batches = [[by_run[run] for run in batch] for batch in model_batches(list(by_run))]
    return [*batches, *([fit] for fit in wave if fit.run not in by_run)]


def _waves(fits, begin):
    """Yield lists of fits that have begun, as many as fit into memory.

    At most the last one of a list has callbacks that may keep something outside of the net, such as
    a file: it ends before the next one begins.
    """
    wave, n_bytes = [], 0
    try:
        for fit in fits:
            wave.append(fit)
            begin(fit)
            is_last = fit.error is None and (fit.run is None or not fit.run.keeps_to_itself)
            if fit.run is not None:
                parameters = fit.run.net.module_.parameters()
                n_bytes += 4 * sum(p.numel() * p.element_size() for p in parameters)
            if n_bytes > MAX_WAITING_BYTES or is_last:
                yield wave
                wave, n_bytes = [], 0
        if wave:
            yield wave
    finally:  # interrupted while one began
        for fit in wave:
            fit.abandon()


def _plan_in_words(fits):
    """Say how many fits train together, and why others do not."""
    runs = [fit.run for fit in fits if fit.run is not None]
    batches = model_batches(runs)
    stacks = [str(len(batch)) for batch in batches if len(batch) > 1]
    n_alone = len(fits) - sum(map(int, stacks))
    words = []
    if stacks:
        words.append(f"trained together: {' + '.join(stacks)}")
    if n_alone:
        alike = Counter(map(stack_key, runs))
        reasons = {_why_alone(*batch, alike) for batch in batches if len(batch) == 1}
        reasons |= {_why_not_begun(fit) for fit in fits if fit.run is None}
        words.append(f"one by one: {n_alone} ({'; '.join(sorted(reasons))})")
    return f"[skae] {len(fits)} fits, {', '.join(words)}"


def _why_alone(run, alike):
    if (reason := why_not_stackable(run)) is not None:
        return reason
    if alike[stack_key(run)] > 1:
        return "its net is so large that others would slow it down"
    return "no other net has its shapes"


def _why_not_begun(fit):
    return "its fit is none of skae's" if fit.error is None else "it is not valid"
