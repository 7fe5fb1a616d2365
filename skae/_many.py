"""Many fits at once: nets of equal shapes train as one."""

import sys
import time
from collections import Counter
from contextlib import suppress
from functools import partial
from itertools import chain, pairwise

import numpy as np
from joblib import effective_n_jobs
from sklearn.utils import _safe_indexing, indexable
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import _num_samples

from skae._neural import can_be_deferred, deferred_fit
from skae._training import cohorts
from skae._training import train as train_nets

#: Memory of nets that wait for their training or its end, in bytes.
MAX_WAITING_BYTES = 2.5e8
#: Fits that a process gets at a time.
MAX_FITS_SENT = 64


class Fit:
    """A fit to be made, in the same steps as others.

    Parameters
    ----------
    estimator : estimator
        It is fitted in place. One with skae's ``fit``, or any other.
    *data : arrays
        What ``fit`` takes, ``X`` or ``X, y``.
    **params : dict
        Further arguments of ``fit``, such as ``sample_weight``.

    Attributes
    ----------
    error : Exception or None
        Why the fit failed; the estimator is then as it was before.
    seconds : float
        Time that the fit took, its share of the time of those that it was trained with.
    training : Training or None
        Set by ``begin`` for skae's estimators, while the fit lasts.
    n_epochs : int
        Epochs that training takes in all, known after ``begin``. Only for skae's.
    """

    def __init__(self, estimator, *data, **params):
        self.estimator, self.data, self.params = estimator, data, params
        self.error, self.seconds = None, 0.0
        self.training = self.n_epochs = self._fitting = None

    def begin(self):
        """Validate, and make the net."""
        if can_be_deferred(self.estimator):
            self._do(self._begin)

    def _begin(self):
        with deferred_fit() as deferred:
            self.estimator.fit(*self.data, **self.params)
        fitting = deferred.pop()
        self.training = fitting.__enter__()
        self._fitting, self.n_epochs = fitting, self.training.n_epochs

    def alone(self):
        """Fit an estimator whose ``fit`` is none of skae's."""
        self._do(lambda: self.estimator.fit(*self.data, **self.params))

    def end(self):
        """Make the estimator what ``fit`` would have left of the epochs so far.

        If training went wrong, it is what it was before.
        """
        if self._fitting is not None:
            self.seconds += self.training.seconds
            self._do(self._end)

    def _end(self):
        fitting, self._fitting, self.training = self._fitting, None, None
        fitting.__exit__(None, None, None)

    def take_over(self, other):
        """Let the estimator become that of a fit that was made in another process."""
        self.estimator.__dict__ = other.estimator.__dict__
        self.error, self.seconds = other.error, other.seconds

    def abandon(self):
        """Make the estimator what it was before."""
        if self._fitting is not None:
            fitting, self._fitting, self.training = self._fitting, None, None
            with suppress(KeyboardInterrupt):
                fitting.__exit__(*_interrupt())

    def _do(self, action):
        start = time.perf_counter()
        try:
            action()
        except Exception as error:
            self.error = error
        self.seconds += time.perf_counter() - start


def _interrupt():
    """Return an interrupt as ``sys.exc_info`` does."""
    try:
        raise KeyboardInterrupt
    except KeyboardInterrupt:
        return sys.exc_info()


def train(fits, until=None):
    """Train fits that have begun, up to an epoch or to the end.

    Between two calls the estimators can be used as they are then. Fits with an error are left
    out.

    Parameters
    ----------
    fits : list of Fit
    until : int or None, default=None
        After how many epochs to pause.

    Raises
    ------
    KeyboardInterrupt
        If training is interrupted.
    """
    fits = [fit for fit in fits if fit.error is None]
    begun = [fit for fit in fits if fit.training is not None]
    if begun:
        train_nets([fit.training for fit in begun], until)
    for fit in begun:
        fit.error = fit.training.error
        if not fit.training.finished:  # one that was alone took it up
            raise KeyboardInterrupt
    for fit in fits:
        if fit not in begun and until is None:
            fit.alone()


def fit_all(fits, n_jobs=None, verbose=0):
    """Make fits, and yield each when it is done, in the order given.

    Parameters
    ----------
    fits : list of Fit
        Those next to each other are trained together, if they can.
    n_jobs : int or None, default=None
        Number of processes, as in `joblib.Parallel`.
    verbose : int, default=0
        Whether to print how they train.

    Yields
    ------
    Fit
    """
    returned = in_parts(partial(_fit_part, verbose=verbose), fits, n_jobs)
    for fit, there in zip(fits, chain.from_iterable(returned), strict=True):
        if there is not fit:
            fit.take_over(there)
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
    n_processes = min(effective_n_jobs(n_jobs), len(items))
    if n_processes <= 1:
        yield function(items)
        return
    n_parts = n_processes * -(-len(items) // (n_processes * MAX_FITS_SENT))
    bounds = np.linspace(0, len(items), n_parts + 1).astype(int)
    parallel = Parallel(n_jobs=n_processes, return_as="generator")
    yield from parallel(delayed(_listed)(function, items[a:b]) for a, b in pairwise(bounds))


def _listed(function, items):
    return list(function(items))


def _fit_part(fits, verbose):
    for wave in _waves(fits):
        try:
            if verbose:
                print(_plan_in_words(wave))
            train(wave)
            for fit in wave:
                fit.end()
                yield fit
        finally:
            for fit in wave:
                fit.abandon()


def _waves(fits):
    """Yield lists of fits that have begun, as many as memory bears."""
    wave, n_bytes = [], 0
    try:
        for fit in fits:
            wave.append(fit)
            fit.begin()
            if fit.training is not None:
                parameters = fit.training.net.module_.parameters()
                n_bytes += 4 * sum(p.numel() * p.element_size() for p in parameters)
            is_foreign = fit.training is None and fit.error is None
            if n_bytes > MAX_WAITING_BYTES or is_foreign:
                yield wave
                wave, n_bytes = [], 0
        if wave:
            yield wave
    finally:  # interrupted while one began
        for fit in wave:
            fit.abandon()


def _plan_in_words(fits):
    """Say how many fits train together, and why others do not."""
    trainings = [fit.training for fit in fits if fit.training is not None]
    groups = cohorts(trainings)
    stacks = [str(len(group)) for group in groups if len(group) > 1]
    n_alone = len(fits) - sum(map(int, stacks))
    words = []
    if stacks:
        words.append(f"trained together: {' + '.join(stacks)}")
    if n_alone:
        alike = Counter(training.structure for training in trainings)
        reasons = {_why_alone(*group, alike) for group in groups if len(group) == 1}
        reasons |= {_why_not_begun(fit) for fit in fits if fit.training is None}
        words.append(f"one by one: {n_alone} ({'; '.join(sorted(reasons))})")
    return f"[skae] {len(fits)} fits, {', '.join(words)}"


def _why_alone(training, alike):
    if training.obstacle is not None:
        return training.obstacle
    if alike[training.structure] > 1:
        return "its net is so large that others would slow it down"
    return "no other net has its shapes"


def _why_not_begun(fit):
    return "its fit is none of skae's" if fit.error is None else "it is not valid"


def fit_many(estimators, X, y=None, *, rows=None, sample_weight=None, n_jobs=None, verbose=0):
    """Fit many estimators at once.

    Those whose nets have equal shapes train as one batched model: small nets spend their time
    in calls, not in arithmetic, and a call for many costs little more than one for one. What
    differs in numbers only stays each net's own: learning rate, weight decay, noise,
    penalties, dropout, seed, order of batches, rows. Each estimator ends up as if it had been
    fitted alone, up to rounding, which steps that are too large can amplify.

    What trains together are nets of rows of numbers whose layers are those of
    `skae.architectures.Dense`, with an optimiser of `torch.optim` that treats every number
    alike, such as Adam. All others are fitted one by one.

    Read more in the :ref:`User Guide <many_models>`.

    Parameters
    ----------
    estimators : list of estimator
        Unlike in a grid search they are not cloned, but fitted in place.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Training rows; what else the estimators take, such as images.
    y : array-like of shape (n_samples, ...) or None, default=None
        Targets, for estimators that take some.
    rows : list of (array-like of int or None) or None, default=None
        Which rows to fit each estimator on, as positions or as a mask; None are all.
    sample_weight : array-like of shape (n_samples,) or None, default=None
        Weight of each row in the loss.
    n_jobs : int or None, default=None
        Number of processes that share the estimators. None is this one, -1 as many as there
        are cores.
    verbose : int, default=0
        Whether to print how many train together, and why others do not.

    Returns
    -------
    estimators : list of estimator
        The same ones, fitted.

    Raises
    ------
    ValueError
        If ``rows`` has not one entry for each estimator or one that names no rows, if
        estimators share a ``RandomState`` in spite of ``n_jobs``, or if a fit fails. The
        others are fitted then, too.
    TypeError
        If ``estimators`` is no list of estimators.

    See Also
    --------
    BatchedGridSearchCV : Fit all candidates of a grid on all folds.
    EnsembleAutoencoder : Many models as one.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skae import Autoencoder, fit_many
    >>> X = load_digits().data / 16
    >>> models = [Autoencoder(8, lr=lr, random_state=0) for lr in (1e-4, 1e-3, 1e-2)]
    >>> [round(model.score(X), 1) for model in fit_many(models, X)]
    [0.8, 0.9, 0.9]
    """
    estimators = _checked(estimators)
    rows = [None] * len(estimators) if rows is None else list(rows)
    if len(rows) != len(estimators):
        raise ValueError(
            f"rows must have an entry for each of the {len(estimators)} estimators; got {len(rows)}"
        )
    if len({id(estimator) for estimator in estimators}) < len(estimators):
        raise ValueError("estimators holds one more than once: clone it, with another seed")
    _check_random_states(estimators, n_jobs)
    if any(which is not None for which in rows):
        X, y, sample_weight = indexable(X, y, sample_weight)
    subsets, fits = {}, []
    for i, (estimator, which) in enumerate(zip(estimators, rows, strict=True)):
        if id(which) not in subsets:  # those with the same rows share memory
            which_rows = None if which is None else _positions(which, i, _num_samples(X))
            subsets[id(which)] = _select(which_rows, X, y, sample_weight)
        data, params = subsets[id(which)]
        fits.append(Fit(estimator, *data, **params))
    errors = [fit.error for fit in fit_all(fits, n_jobs, verbose)]
    for i, error in enumerate(errors):
        if error is not None:
            error.add_note(f"This was the fit of estimators[{i}].")
            raise error
    return estimators


def _checked(estimators):
    if hasattr(estimators, "fit"):
        raise TypeError(
            f"estimators must be a list of estimators; got a single one, {estimators!r}. Its own "
            "fit does."
        )
    estimators = list(estimators)
    for i, estimator in enumerate(estimators):
        if isinstance(estimator, type) or not hasattr(estimator, "fit"):
            raise TypeError(
                f"estimators must hold objects with a fit method; estimators[{i}] is {estimator!r}"
            )
    return estimators


def _check_random_states(estimators, n_jobs):
    """Refuse generators that estimators share, where each process would have a copy."""
    given = [getattr(estimator, "random_state", None) for estimator in estimators]
    generators = [id(state) for state in given if isinstance(state, np.random.RandomState)]
    if effective_n_jobs(n_jobs) > 1 and len(set(generators)) < len(generators):
        raise ValueError(
            "n_jobs copies a RandomState that several estimators share, and they would draw the "
            "same: give each an int as random_state"
        )


def _positions(which, i, n_samples):
    """Return which rows the i-th estimator is fitted on, as an array of positions."""
    positions = np.asarray(which)
    if positions.dtype == bool and positions.shape == (n_samples,):
        positions = np.flatnonzero(positions)
    if positions.ndim != 1 or len(positions) == 0 or positions.dtype.kind not in "iu":
        raise ValueError(f"rows[{i}] must hold positions of rows, or be None; got {which!r}")
    if positions.min() < 0 or positions.max() >= n_samples:
        raise ValueError(
            f"rows[{i}] goes from {positions.min()} to {positions.max()}, but X has {n_samples} "
            "rows, from 0 on"
        )
    return positions


def _select(which, X, y, sample_weight):
    """Return arguments of ``fit`` for some rows, those by position and those by name."""

    def select(array):
        return array if which is None else _safe_indexing(array, which)

    data = (X,) if y is None else (X, y)
    params = {} if sample_weight is None else {"sample_weight": select(sample_weight)}
    return tuple(map(select, data)), params
