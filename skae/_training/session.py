"""A fit as one object, which begins, is trained, and ends."""

from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from inspect import signature

from sklearn.callback import CallbackSupportMixin

from skae._params import Snapshot, argument_hint, fit_context
from skae._runtime import threads
from skae._training.checkpoints import Checkpoints, checkpoints_of
from skae._training.loop import gradients
from skae._training.tasks import task_facts, training_task
from skae.exceptions import InterruptedWarning, PoorFitWarning, warn

#: What makes the fits that are asked for, in place of ``fit`` itself; None is the usual way.
_delegate = ContextVar("delegate", default=None)


@contextmanager
def fits_delegated_to(delegate):
    """Let a function make all fits of nets that are asked for inside.

    Parameters
    ----------
    delegate : callable or None
        It gets a list of ``(estimator, data, params)``, fits the estimators in place, and returns
        a list with an error or None for each; or it returns None, and they are fitted as usual.
    """
    token = _delegate.set(delegate)
    try:
        yield
    finally:
        _delegate.reset(token)


def fit_delegate():
    """Return what makes fits here, or None."""
    return _delegate.get()


def fit_method(begin):
    """Make the method ``fit`` of a function that returns the `FitSession` of its arguments.

    ``fit`` trains the session. Those who train many take it from ``SessionEstimator._session``.
    """
    checked = fit_context(prefer_skip_nested_validation=True)

    known = signature(begin).parameters

    @checked
    @wraps(begin)
    def fit(self, *args, **kwargs):
        for name in kwargs:
            if name not in known:
                raise TypeError(
                    f"{type(self).__name__}.fit() got an unexpected keyword argument {name!r}."
                    f"{argument_hint(type(self), name)}"
                )
        delegate = fit_delegate()
        errors = delegate([(self, args, kwargs)]) if delegate and has_session(self) else None
        if errors is not None:
            for error in filter(None, errors):
                raise error
            return self
        with begin(self, *args, **kwargs) as run:
            run.fit_loop()
            if delegate is not None and not run.finished:  # whoever makes many fits takes it up
                raise KeyboardInterrupt
        return self

    fit.session = checked(begin)
    return fit


class SessionEstimator(CallbackSupportMixin):
    """Base of estimators whose ``fit`` is made by ``fit_method``."""

    def _session(self, *args, **kwargs):
        """Return the `FitSession` of a fit, which takes these arguments."""
        return type(self).fit.session(self, *args, **kwargs)


def has_session(estimator):
    """Say whether the fit of an estimator is a session: a ``fit`` of the user's may do more."""
    if not isinstance(estimator, SessionEstimator):
        return False
    owner = next(base for base in type(estimator).__mro__ if "fit" in vars(base))
    return owner.__module__.partition(".")[0] == __package__.partition(".")[0]


def warn_of_one(estimator):
    """Warn that an estimator was fitted on a single sample."""
    warn(
        f"{type(estimator).__name__} was fitted on one sample, which shows nothing of how others "
        "differ. Give more; a long series can be cut into windows, see skae.sequences.",
        PoorFitWarning,
    )


class FitSession:
    """One fit of an estimator: it reads, holds out and builds, is trained, and ends.

    As a context it gives the `TrainingRun`. After an error, at its beginning, inside or at its end,
    the estimator is as it was before.

    Parameters
    ----------
    estimator : NeuralEstimator
    data : tuple
        ``X``, or ``X, y``.
    sample_weight : array-like of shape (n_samples,) or None, default=None
    validation_data : tuple or None, default=None
        Like ``data``.
    is_partial : bool, default=False
        Whether it is one epoch of a training that continues.

    Attributes
    ----------
    run : TrainingRun
        The training, known after ``begin``.
    """

    def __init__(self, estimator, data, sample_weight=None, validation_data=None, is_partial=False):
        self.estimator, self.data, self.sample_weight = estimator, data, sample_weight
        self.validation_data, self.is_partial = validation_data, is_partial
        self.run = self._task = None
        self.checkpoints = Checkpoints()

    def begin(self, shows_bar=True):
        """Read the samples, hold some out, and build the net; return the `TrainingRun`."""
        self._before = Snapshot(self.estimator)
        try:
            with gradients(), threads(n_multiplications=0):
                self.run = self._begin(shows_bar)
        except BaseException:
            self.abandon()
            raise
        return self.run

    def _begin(self, shows_bar):
        estimator, is_partial = self.estimator, self.is_partial
        if not is_partial:
            estimator._warn_of_unused()
        self.checkpoints = checkpoints_of(estimator, is_partial)
        resume = is_partial or estimator.warm_start
        dataset, resume = estimator._read(self.data, self.sample_weight, resume)
        self.checkpoints.begin(estimator)
        self.fitted, self.validation = dataset, None
        if not is_partial:
            parts = estimator._hold_out(dataset, self.validation_data, resume)
            self.fitted, self.validation = parts
        validation = self.validation if self.validation_data else None
        self.checkpoints.check(dataset, validation, self._identity())
        self.samples, self.fitted = (part.in_training() for part in (dataset, self.fitted))
        if self.validation is not None:
            self.validation = self.validation.in_training()
        self.fitted = estimator._training_samples(self._part_of_all(self.fitted))
        defaults = estimator._training_defaults()
        estimator._set_up(self.fitted, resume, is_partial, defaults)
        net = estimator.net_
        work = (net.module_ if resume else net.module).work
        n_epochs = 1 if is_partial else self._n_epochs(defaults.budget, net.batch_size, work)
        facts = task_facts(estimator, *self.data, sample_weight=self.sample_weight)
        self._task = training_task(facts, n_epochs, self._attributes_now)
        samples = self._samples_to_train_on(), self.validation
        return estimator._make_run(*samples, n_epochs, shows_bar, self._task, self.checkpoints)

    def _part_of_all(self, dataset):
        """Return the samples that were read, which may be a part of those to train on."""
        return dataset

    def _n_epochs(self, budget, batch_size, work):
        n_samples, asked = self.fitted.n_in_training, self.estimator.max_epochs
        return budget.max_epochs(asked, n_samples, batch_size, work)

    def _samples_to_train_on(self):
        return self.fitted

    def _identity(self):
        """Return what tells the fit from others beside parameters and samples: text by name."""
        return {}

    def _attributes_now(self):
        """Return the attributes that the estimator would have if training ended now."""
        parts = self.samples, self.fitted, self.validation
        return self.estimator._attributes_now(*parts, self.run.epochs_done)

    def end(self):
        """Complete the fit after the training."""
        with gradients(), threads(n_multiplications=0):
            self._end()

    def _end(self):
        estimator = self.estimator
        try:
            self.run.end()
            estimator._order_codes(self.samples, self.validation, self.run.epochs_done)
            estimator._describe(self.fitted, self.validation)
            if self._task is not None:
                self._task.end()
        except BaseException:
            self.abandon()
            raise
        self.checkpoints.end(self.run.finished)
        if not self.run.finished:
            warn(
                f"Training was interrupted after {estimator.n_iter_} epochs. The estimator keeps "
                "the best weights so far, or the last ones without early_stopping."
                f"{self.checkpoints.how_to_go_on}",
                InterruptedWarning,
            )
        if estimator.check_baseline and not self.is_partial:
            if len(self.fitted) == 1:
                warn_of_one(estimator)
            estimator._check_fit(self.fitted)

    def drop(self):
        """Leave the estimator as it was before, as nobody needs the fit any more."""
        if self._task is not None:
            self._task.drop()
        self.abandon()

    def abandon(self):
        """Leave the estimator as it was before."""
        self.checkpoints.end(is_complete=False)
        if self.run is not None:
            self.run.close_bars()
        try:
            if self._task is not None:
                self._task.close()
        finally:
            self._before.restore()

    def __enter__(self):
        return self.begin()

    def __exit__(self, kind, error, traceback):
        if error is None:
            self.end()
        else:
            self.abandon()
