"""Many fits at once: nets of equal shapes train as one."""

import sys
import time
from contextlib import suppress

from sklearn.utils import _safe_indexing

from skae._neural import NeuralEstimator, deferred_fit
from skae._training import cohorts
from skae._training import train as train_nets

#: Memory of nets that wait for their training or its end, in bytes.
MAX_WAITING_BYTES = 2.5e8


class Fit:
    """A fit to be made, in the same steps as others.

    Parameters
    ----------
    estimator : estimator
        It is fitted in place. One of skae's, or any other with ``fit``.
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
        if isinstance(self.estimator, NeuralEstimator):
            self._do(self._begin)

    def _begin(self):
        with deferred_fit() as deferred:
            self.estimator.fit(*self.data, **self.params)
        fitting = deferred.pop()
        self.training = fitting.__enter__()
        self._fitting, self.n_epochs = fitting, self.training.n_epochs

    def alone(self):
        """Fit an estimator that is none of skae's."""
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


def fit_all(fits, verbose=0):
    """Make fits, and yield each when it is done, in the order given.

    Parameters
    ----------
    fits : iterable of Fit
        Read as memory allows.
    verbose : int, default=0
        Whether to print how they train.

    Yields
    ------
    Fit
    """
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
    for fit in fits:
        fit.begin()
        wave.append(fit)
        if fit.training is not None:
            parameters = fit.training.net.module_.parameters()
            n_bytes += 4 * sum(p.numel() * p.element_size() for p in parameters)
        if n_bytes > MAX_WAITING_BYTES or fit.training is None:
            yield wave
            wave, n_bytes = [], 0
    if wave:
        yield wave


def _plan_in_words(fits):
    """Say how many fits train together, and why others do not."""
    trainings = [fit.training for fit in fits if fit.training is not None]
    sizes = [len(cohort) for cohort in cohorts(trainings)]
    stacks = [size for size in sizes if size > 1]
    words = f"[skae] {len(fits)} fits: {sum(stacks)} in {len(stacks)} stacks"
    reasons = [training.obstacle for training in trainings if training.obstacle is not None]
    if len(trainings) < len(fits):
        reasons.append("not an estimator of skae's, or no valid one")
    n_single = len(fits) - sum(stacks)
    if n_single:
        why = "; ".join(sorted(set(reasons))) or "no other net has its shapes"
        words += f", {n_single} one by one ({why})"
    return words


def fit_many(estimators, X, y=None, *, rows=None, sample_weight=None, verbose=0):
    """Fit many estimators at once.

    Those whose nets have equal shapes train as one batched model, on as many threads as torch
    may use: small nets spend their time in calls, not in arithmetic, and a call for many costs
    little more than one for one. What differs in numbers only stays each net's own: learning
    rate, weight decay, noise, penalties, dropout, seed, order of batches, rows. Each
    estimator ends up as if it had been fitted alone, up to rounding.

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
        Which rows to fit each estimator on; None are all.
    sample_weight : array-like of shape (n_samples,) or None, default=None
        Weight of each row in the loss.
    verbose : int, default=0
        Whether to print how many train together, and why others do not.

    Returns
    -------
    estimators : list of estimator
        The same ones, fitted.

    Raises
    ------
    ValueError
        If ``rows`` has not one entry for each estimator, or a fit fails. The others are
        fitted then, too.

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
    estimators = list(estimators)
    rows = [None] * len(estimators) if rows is None else list(rows)
    if len(rows) != len(estimators):
        raise ValueError(
            f"rows must have an entry for each of the {len(estimators)} estimators; got {len(rows)}"
        )
    if len({id(estimator) for estimator in estimators}) < len(estimators):
        raise ValueError("estimators holds one more than once: clone it, with another seed")
    subsets, fits = {}, []
    for estimator, which in zip(estimators, rows, strict=True):
        if id(which) not in subsets:  # those with the same rows share memory
            subsets[id(which)] = _select(which, X, y, sample_weight)
        data, params = subsets[id(which)]
        fits.append(Fit(estimator, *data, **params))
    errors = [fit.error for fit in fit_all(fits, verbose)]
    for i, error in enumerate(errors):
        if error is not None:
            error.add_note(f"This was the fit of estimators[{i}].")
            raise error
    return estimators


def _select(which, X, y, sample_weight):
    """Return arguments of ``fit`` for some rows, those by position and those by name."""

    def select(array):
        return array if which is None else _safe_indexing(array, which)

    data = (X,) if y is None else (X, y)
    params = {} if sample_weight is None else {"sample_weight": select(sample_weight)}
    return tuple(map(select, data)), params
