"""Trials of a search: each candidate on each fold, with their common work done once.

Rows are selected once for a fold. The steps of pipelines before the last one are fitted once for
all candidates that have the same parameters there, so these candidates train on one array.
"""

from contextlib import contextmanager
from dataclasses import dataclass
from numbers import Number
from time import perf_counter
from traceback import format_exception
from typing import Any

from sklearn.base import BaseEstimator, clone
from sklearn.pipeline import Pipeline
from sklearn.utils.metadata_routing import get_routing_for_object

from skae._names import did_you_mean
from skae._sklearn import check_method_params, safe_split, score_estimator
from skae._training.fits import FitTask, fit_all
from skae._training.tasks import subtasks


def with_params(estimator, params):
    """Return a clone with parameters set; the error about an unknown name suggests one."""
    model = clone(estimator)
    known = model.get_params()
    try:
        return model.set_params(**clone(params, safe=False))  # estimators among them are trained
    except ValueError as error:
        unknown = [name for name in params if name not in known]
        if not unknown or not str(error).endswith("]."):  # scikit-learn's list of known names
            raise
        raise ValueError(f"{error}{did_you_mean(unknown[0], known)}") from None


class Fold:
    """The rows to fit and to score in a part of the cross-validation.

    Parameters
    ----------
    number : int
    estimator : estimator
        Its tags tell how to split X.
    X, y : arrays
        All rows; y may be None.
    train, test : arrays of int
        Rows to fit on, and rows to score.
    fit_params, score_params : dict
        Further arguments; those that are as long as X are split like it.

    Attributes
    ----------
    tasks : list of Subtask
        What the fit of each candidate is to scikit-learn's callbacks.
    """

    def __init__(self, number, estimator, X, y, train, test, fit_params, score_params):
        self.number, self.tasks = number, []
        self.train = safe_split(estimator, X, y, train)
        self.test = safe_split(estimator, X, y, test, train)
        self.fit_params = check_method_params(X, fit_params, train)
        self.train_score_params = check_method_params(X, score_params, train)
        self.test_score_params = check_method_params(X, score_params, test)


@contextmanager
def search_task(search, task, folds, n_candidates):
    """Let each candidate on each fold be a task of scikit-learn's callbacks.

    Parameters
    ----------
    search : BatchedSearch
    task : sklearn.callback.CallbackContext
        That of the search.
    folds : list of Fold
    n_candidates : int
    """
    n_fits = len(folds) * n_candidates
    fits = task.subcontext("search", max_subtasks=n_fits, sequential_subtasks=False)
    fits.call_on_fit_task_begin(estimator=search)
    tasks = subtasks(search, fits, ["candidate-split-evaluation"] * n_fits)
    with tasks[0].context.propagate_callback_context(search.estimator):
        pass  # before anything is fitted: an error if callbacks of it belong to the search
    for fold in folds:
        fold.tasks = tasks[fold.number :: len(folds)]
    yield
    fits.call_on_fit_task_end(estimator=search)


@dataclass(eq=False)
class Trial:
    """A candidate on a fold.

    ``model`` is the estimator to score, ``fit`` the fit of it or of its last step. Preparing the
    fit took ``preparation`` seconds.
    """

    candidate: int
    fold: Fold
    model: Any
    fit: FitTask
    preparation: float

    @property
    def failed(self):
        return self.fit.error is not None

    def outcome(self, scorer, error_score, return_train_score):
        """Return what scikit-learn's searches record of a fit."""
        if self.failed and error_score == "raise":
            raise self.fit.error

        def score(data, params):
            if self.failed:
                return error_score
            return score_estimator(self.model, *data, scorer, params, error_score)

        outcome = {
            "fit_time": self.preparation + self.fit.seconds,
            "fit_error": "".join(format_exception(self.fit.error)) if self.failed else None,
        }
        start = perf_counter()
        outcome["test_scores"] = score(self.fold.test, self.fold.test_score_params)
        outcome["score_time"] = perf_counter() - start
        if return_train_score:
            outcome["train_scores"] = score(self.fold.train, self.fold.train_score_params)
        return outcome


def fit_trials(trials, verbose):
    """Make the fits of trials, and yield each trial when it is done, in any order."""
    pending = {}
    for trial in trials:
        if trial.failed:
            yield trial
        else:
            pending[trial.fit] = trial
    for fit in fit_all(list(pending), verbose=verbose):
        trial = pending.pop(fit)
        yield trial
        # Free it: the lists here, of the caller and of ``fit_all`` stay until the last is done.
        trial.model = fit.estimator = None


def trials_by_preprocessing(models, candidates, folds):
    """Yield lists of trials, on all folds, of candidates with the same preprocessing.

    Each list is made lazily, so only the transformed rows of one preprocessing are in memory at
    a time.
    """
    by_key = {}
    for number, (model, params) in enumerate(zip(models, candidates, strict=True)):
        by_key.setdefault(_preprocessing_key(model, params), []).append((number, model))
    for members in by_key.values():
        trials = [trial for fold in folds for trial in _trials_on(fold, members)]
        # Trials of a candidate come together: they have the same optimizer key.
        yield sorted(trials, key=lambda trial: trial.candidate)


def _trials_on(fold, members):
    preprocessing = Preprocessing(members[0][1], fold)
    for number, model in members:
        model, fit = preprocessing.fit_for(model, fold.tasks[number])
        yield Trial(number, fold, model, fit, preprocessing.seconds)


class Preprocessing:
    """The steps before the last one of a pipeline, fitted on a fold.

    Other estimators have no such steps: they train on the rows of the fold.
    """

    def __init__(self, model, fold):
        self._stand_in = _StandIn(last_step(model))
        self._fitted = self._stand_in
        if _has_last_step(model):
            name = model.steps[-1][0]
            self._fitted = clone(model).set_params(**{name: self._stand_in})
            self._fitted.set_callbacks()  # what many candidates share is none of their tasks
        X, y = fold.train
        start, self._error = perf_counter(), None
        try:
            self._fitted.fit(*((X,) if y is None else (X, y)), **fold.fit_params)
        except Exception as error:
            self._error = error
        self.seconds = perf_counter() - start

    def fit_for(self, model, within):
        """Return a clone of a model with these steps in it, and the task to fit the last one."""
        model = clone(model)
        if _has_last_step(model):
            model.steps = [*self._fitted.steps[:-1], model.steps[-1]]
        data, params = self._stand_in.data, self._stand_in.fit_params
        fit = FitTask(last_step(model), *data, within=within, **params)
        fit.error = self._error
        return model, fit


class _StandIn(BaseEstimator):
    """Replaces the last step of a pipeline, and stores the data that it would be fitted on.

    So the pipeline itself decides what its last step gets, such as resampled rows and routed
    metadata.
    """

    data, fit_params = (), {}

    def __init__(self, estimator):
        self.estimator = estimator

    def fit(self, X, y=None, **params):
        self.data, self.fit_params = (X,) if y is None else (X, y), params
        return self

    def get_metadata_routing(self):
        return get_routing_for_object(self.estimator)


def last_step(model):
    """Return the last step of a pipeline, or any other model itself."""
    return model.steps[-1][1] if _has_last_step(model) else model


def _has_last_step(model):
    return isinstance(model, Pipeline) and hasattr(model.steps[-1][1], "fit")


def _preprocessing_key(model, params):
    """Return a key that is equal for models that differ only in their last step."""
    if not _has_last_step(model):
        return None
    name_of_last = model.steps[-1][0]
    return frozenset(
        (name, _identity(value))
        for name, value in params.items()
        if name.partition("__")[0] != name_of_last
    )


def _identity(value):
    """Return a hashable identity: type and value of numbers and strings, the id of objects."""
    return type(value), value if isinstance(value, Number | str) else id(value)
