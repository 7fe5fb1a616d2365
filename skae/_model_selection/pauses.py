"""Fits that pause where they need a net, so that the nets of many fits train together.

A model is fitted by its own ``fit``, whatever it consists of. Where it would fit a net, an
exception ends it. Once the net is trained, together with those of other models, the fit is
repeated: the net is there then, and steps that were fitted before come from memory. So everything
that a pipeline or a meta-estimator does with data, metadata and errors is its own.
"""

from collections import defaultdict
from collections.abc import Mapping
from contextlib import contextmanager, nullcontext
from copy import deepcopy
from functools import partial
from numbers import Number
from time import perf_counter

import joblib
import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.callback import CallbackSupportMixin
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.validation import check_memory

from skae._estimators.ensemble import EnsembleAutoencoder
from skae._training.progress import say
from skae._training.session import SessionEstimator, fit_delegate, fits_delegated_to

#: How often a fit pauses: each time what is outside of the steps of pipelines is done again.
MAX_PAUSES = 3

#: Attributes of estimators that are not about how they are fitted: callbacks of scikit-learn.
OF_CALLBACKS = {
    *("_skl_callbacks", "_skl_callbacks_to_teardown"),
    *("_parent_callback_ctx", "_callback_fit_ctx"),
}


class _Pause(BaseException):
    """Ends a fit that needs nets: not an Exception, which meta-estimators may handle."""


class PausingFit:
    """Base of the fit of a model in parts: it pauses where it needs nets.

    A subclass defines ``task_of``, which returns the `FitTask` of a net, and ``pauses_at``, which
    says whether the fit of a model pauses at some nets.

    Parameters
    ----------
    model : estimator
        It is cloned.
    data : tuple
        ``X``, or ``X, y``.
    params : dict
        Further arguments of ``fit``.
    within : Subtask
        The task of scikit-learn's callbacks that the fit is.

    Attributes
    ----------
    model : estimator or None
        The fitted model.
    error : Exception or None
        Why the fit failed.
    """

    def __init__(self, model, data, params, within):
        self._unfitted, self._data, self._params, self._within = model, data, params, within
        self.model = self.error = None
        self._seconds, self._pauses, self._steps = 0.0, {}, {}
        self._nets = nets_in(model)
        last = last_step(model)
        # Its rows are its own, and no step comes from memory; else steps before others need them.
        self._is_private = _overwrites(last) and (nets_in(last) or not self._nets)
        self._random_before, self._is_explained = None, False

    def begin(self, rows, verbose=0):
        """Fit the model up to the first nets.

        Parameters
        ----------
        rows : SharedRows
            What fits on the same rows have in common.
        verbose : int, default=0
            Whether to print why nets are trained alone.
        """
        self._rows, self._verbose = rows, verbose
        self.go_on()

    @property
    def is_over(self):
        """Whether the model is fitted or has failed."""
        return self.model is not None or self.error is not None

    @property
    def nets(self):
        """The nets of the latest pause."""
        return self._pauses[max(self._pauses)][1] if self._pauses else []

    @property
    def seconds(self):
        """Time of the fit, with that of its nets and of steps that others have fitted."""
        return self._seconds + sum(net.seconds for _, nets in self._pauses.values() for net in nets)

    def go_on(self):
        """Fit the model, up to the next nets."""
        start = perf_counter()
        self._n_asked = self._n_steps = 0
        self._new_steps, self.model = {}, None
        try:
            with self._random_numbers():
                self.model = self._fitted(clone(self._unfitted))
        except _Pause:
            self._steps |= self._new_steps
        except Exception as error:
            self.error = error
        if self.is_over:
            with self._task(self._unfitted):  # of those that others' nets are for as well
                pass
        self._seconds += perf_counter() - start

    def _fitted(self, model):
        """Return a model after its fit, which may pause."""
        self._model = model
        data = deepcopy(self._data) if self._is_private else self._data
        if self._nets:
            _forget_callbacks(model)  # it may be fitted more than once
        with (
            nullcontext() if self._nets else self._task(model),
            fits_delegated_to(self._make),
            nullcontext() if self._is_private else self._remembered(model),
        ):
            model.fit(*data, **self._params)
        return model

    def _task(self, model):
        """Return the context of the task that the fit is, if it has not begun in another place."""
        within = self.take_task()
        if within is None:
            return nullcontext()
        return within.fit_of(model, *self._data, **self._params)

    def release(self):
        """Free the memory of the model, and of nets that no other fit waits for."""
        self._seconds, pauses = self.seconds, self._pauses
        self.model = self._model = None
        self._steps, self._new_steps, self._pauses = {}, {}, {}
        self._rows.release([net for _, nets in pauses.values() for net in nets], self)

    @contextmanager
    def _random_numbers(self):
        """Repeat those of NumPy's global generator up to the pause, where the others go on."""
        self._random_now = np.random.get_state()  # noqa: NPY002
        if self._random_before is None:
            self._random_before = self._random_now
        np.random.set_state(self._random_before)  # noqa: NPY002
        try:
            yield
        finally:
            if self._pauses and self._n_asked <= max(self._pauses):
                np.random.set_state(self._random_now)  # noqa: NPY002

    @contextmanager
    def _remembered(self, model):
        """Let pipelines in a model take steps from memory that were fitted before."""
        pipelines = [part for part in parts_of(model) if isinstance(part, Pipeline)]
        given = [pipeline.memory for pipeline in pipelines]
        try:
            for pipeline in pipelines:
                pipeline.memory = _StepMemory(self, pipeline.memory)
            yield
        finally:
            for pipeline, memory in zip(pipelines, given, strict=True):
                pipeline.memory = memory

    def _make(self, asked):
        """Return the errors of fits that are made, or pause; None if they are to be made here."""
        number, self._n_asked = self._n_asked, self._n_asked + 1
        given = [estimator for estimator, *_ in asked]
        if not self._nets or not self.pauses_at(given, self._model):
            return None
        data = self._rows.identity([(args, kwargs) for _, args, kwargs in asked])
        if number in self._pauses:
            if number == max(self._pauses):
                np.random.set_state(self._random_now)  # noqa: NPY002
            known, nets = self._pauses[number]
            if data == known:
                return [_take_over(*pair) for pair in zip(given, nets, strict=True)]
            return self._decline("its rows change when the fit is repeated")
        if len(self._pauses) == MAX_PAUSES:
            return self._decline(f"its model needs nets more than {MAX_PAUSES} times")
        nets = [self._rows.net((number, i), self, *fit) for i, fit in enumerate(asked)]
        self._pauses[number] = data, nets
        raise _Pause

    def own(self, data):
        """Return data that the model may overwrite."""
        return deepcopy(data) if _overwrites(self._unfitted) else data

    def take_task(self):
        """Return the task of callbacks that the fit is, once: what begins it takes it."""
        within, self._within = self._within, None
        return within

    def _decline(self, reason):
        if self._verbose and not self._is_explained:
            say(f"[skae] {type(self._unfitted).__name__}: a net is trained alone ({reason})")
        self._is_explained = True

    def step(self, function, *args, **kwargs):
        """Fit a step of a pipeline, or take it from memory."""
        if fit_delegate() is None:  # in a thread, or after the fit
            return function(*args, **kwargs)
        number, self._n_steps = self._n_steps, self._n_steps + 1
        if number in self._steps:
            result, self._n_steps, self._n_asked = self._steps[number]
            return result
        result, seconds = self._rows.step(function, *args, **kwargs)
        self._seconds += seconds
        self._new_steps[number] = result, self._n_steps, self._n_asked
        return result


class SharedRows:
    """What fits on the same rows have in common: steps before nets, and equal nets.

    Parameters
    ----------
    *given : arrays
        The rows, their targets and weights.
    """

    def __init__(self, *given):
        self._held = {id(array): array for array in given}  # so that ids stay theirs
        self._steps, self._nets, self._users = {}, {}, defaultdict(set)

    def identity(self, value):
        """Return a hashable that is the same for equal values."""
        return identity(value, self._held)

    def step(self, function, transformer, *data, params=None, **kwargs):
        """Return what the fit of a step gives, and the seconds that another fit spent on it."""

        def call():
            rows = deepcopy(data) if _overwrites(transformer) else data
            return function(transformer, *rows, params=params, **kwargs)

        is_known = all(array is None or id(array) in self._held for array in data)
        if not is_known or nets_in(transformer):
            return call(), 0.0
        key = self.identity((transformer, data, params))
        if key in self._steps:
            return self._steps[key]
        start = perf_counter()
        result = call()
        self._held.update((id(part), part) for part in result)
        self._steps[key] = result, perf_counter() - start
        return result, 0.0

    def net(self, place, fit, estimator, data, params):
        """Return the `FitTask` of a net; equal nets have one, but for those without a seed."""
        is_seeded = all(net.random_state is not None for net in nets_in(estimator))
        key = self.identity((estimator, data, params)), None if is_seeded else (fit, place)
        if key not in self._nets:
            self._nets[key] = fit.task_of(estimator, data, params)
        net = self._nets[key]
        self._users[net].add(fit)
        return net

    def release(self, nets, fit):
        """Free nets that no other fit uses."""
        for net in nets:
            self._users[net].discard(fit)
            if not self._users[net]:
                net.drop()
                net.estimator = net.data = None  # the task itself may be in lists
        self._nets = {key: net for key, net in self._nets.items() if self._users[net]}


class _StepMemory:
    """Stands for ``memory`` of a pipeline while it is fitted."""

    def __init__(self, fit, memory):
        self._fit, self._memory = fit, check_memory(memory)

    def cache(self, function, **kwargs):
        return partial(self._fit.step, self._memory.cache(function, **kwargs))

    def __deepcopy__(self, memo):
        return self  # clones of a pipeline are part of the same fit

    def __reduce__(self):
        return check_memory, (self._memory,)


def parts_of(model):
    """Return a model and all that is in its parameters."""
    return [model, *(model.get_params().values() if isinstance(model, BaseEstimator) else ())]


def nets_in(model):
    """Return the nets among a model and its parts."""
    return [p for p in parts_of(model) if isinstance(p, SessionEstimator | EnsembleAutoencoder)]


def last_step(model):
    """Return the last step of a pipeline, or any other model itself."""
    last = model.steps[-1][1] if isinstance(model, Pipeline) else model
    return model if last is None or last == "passthrough" else last


def _overwrites(model):
    """Say whether a model may overwrite rows: by ``copy=False``, or by code of the user's."""
    params = model.get_params() if isinstance(model, BaseEstimator) else {}
    is_told = any(
        name.split("__")[-1].startswith("copy") and params[name] is False for name in params
    )
    parts = (part for part in (model, *params.values()) if isinstance(part, BaseEstimator))
    return is_told or any(map(_is_of_user, parts))


def _is_of_user(part):
    """Say whether a part of a model calls code that is neither scikit-learn's nor skae's."""
    package = type(part).__module__.partition(".")[0]
    return isinstance(part, FunctionTransformer) or package not in ("sklearn", "skae")


def _forget_callbacks(model):
    """Remove callbacks of scikit-learn from a model; those of its nets stay."""
    for part in parts_of(model):
        if isinstance(part, CallbackSupportMixin) and not isinstance(part, SessionEstimator):
            part.set_callbacks()


def _take_over(estimator, net):
    """Make an estimator the net that was trained in its place; return the error of the training."""
    if net.error is None:
        state = {name: v for name, v in vars(net.estimator).items() if name not in OF_CALLBACKS}
        # Training that continues draws from generators: others that have the net begin there too.
        drawn = {name: v for name, v in state.items() if isinstance(v, np.random.RandomState)}
        vars(estimator).update(state | deepcopy(drawn))
    return net.error


def identity(value, held):
    """Return a hashable that is the same for equal values.

    Parameters
    ----------
    value : object
    held : dict
        Objects by their ids, which tell them apart. Those without a hash are added.
    """
    if value is None or isinstance(value, Number | str):
        return type(value), value
    if id(value) in held:
        return id(value)
    if isinstance(value, BaseEstimator):
        parts = {name: part for name, part in vars(value).items() if name not in OF_CALLBACKS}
        return type(value), identity(parts, held)
    if isinstance(value, Mapping):
        return type(value), tuple((name, identity(part, held)) for name, part in value.items())
    if isinstance(value, list | tuple):
        return type(value), tuple(identity(part, held) for part in value)
    try:
        return joblib.hash(value)
    except Exception:  # whatever pickling raises, of an object of any class
        held[id(value)] = value
        return id(value)
