"""Trials of a search: each candidate on each fold, with their common work done once.

Rows are selected once for a fold. The steps of pipelines before the net are fitted once for all
candidates that have the same parameters there, so these candidates train on one array. Equal nets
are trained once for all candidates that differ behind them.
"""

from contextlib import contextmanager
from time import perf_counter
from traceback import format_exception

from sklearn.base import clone
from sklearn.pipeline import Pipeline

from skae._estimators.loss_curve import loss_curve_of
from skae._model_selection.pauses import PausingFit, SharedRows, identity, last_step, nets_in
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


class Trial(PausingFit):
    """A candidate on a fold.

    Parameters
    ----------
    candidate : int
        Its number.
    fold : Fold
    model : estimator
        It is cloned.
    in_turns : bool, default=False
        Whether its net is trained in turns. So it pauses only at that of its last step, or at the
        only one.
    """

    def __init__(self, candidate, fold, model, in_turns=False):
        self.candidate, self.fold, self._in_turns = candidate, fold, in_turns
        X, y = fold.train
        data = (X,) if y is None else (X, y)
        super().__init__(model, data, fold.fit_params, fold.tasks[candidate])

    def task_of(self, net, data, params):
        """Return the `FitTask` of a net."""
        return FitTask(net, *data, within=self.take_task(), **params)

    def pauses_at(self, nets, model):
        """Say whether the fit pauses at nets, or trains them at once."""
        return not self._in_turns or nets == [last_step(model)] or len(nets_in(model)) == 1

    def outcome(self, scorer, error_score, return_train_score):
        """Return what scikit-learn's searches record of a fit."""
        failed = self.error is not None
        if failed and error_score == "raise":
            raise self.error

        def score(data, params):
            if failed:
                return error_score
            data = self.own(data)
            return score_estimator(self.model, *data, scorer, params, error_score)

        outcome = {
            "fit_time": self.seconds,
            "fit_error": "".join(format_exception(self.error)) if failed else None,
            "loss_curve": None if failed else loss_curve_of(self.model),
        }
        start = perf_counter()
        outcome["test_scores"] = score(self.fold.test, self.fold.test_score_params)
        outcome["score_time"] = perf_counter() - start
        if return_train_score:
            outcome["train_scores"] = score(self.fold.train, self.fold.train_score_params)
        return outcome


def fit_trials(trials, verbose):
    """Fit trials, their nets together, and yield each when it is done, in any order."""
    paused = []
    for trial in started(trials, verbose):
        yield from _yield_or_pause(paused, trial)
    while paused:
        waiting = {}
        for trial in paused:
            for net in trial.nets:
                waiting.setdefault(net, []).append(trial)
        paused, made = [], set()
        for net in fit_all(list(waiting), verbose=verbose):
            made.add(net)
            for trial in waiting.pop(net):
                if made.issuperset(trial.nets):
                    trial.go_on()
                    yield from _yield_or_pause(paused, trial)


def started(trials, verbose=0):
    """Yield trials when they have got as far as they do without nets."""
    by_fold = {}
    for trial in trials:
        fold = trial.fold
        if fold.number not in by_fold:
            by_fold[fold.number] = SharedRows(*fold.train, *fold.fit_params.values())
        trial.begin(by_fold[fold.number], verbose)
        yield trial


def _yield_or_pause(paused, trial):
    """Yield a trial that is done, and free it then; put another one into a list."""
    if trial.is_over:
        yield trial
        trial.release()
    else:
        paused.append(trial)


def trials_by_preprocessing(models, candidates, folds, in_turns=False):
    """Yield lists of trials, on all folds, of candidates with the same preprocessing.

    So only the transformed rows of one preprocessing are in memory at a time.
    """
    by_key = {}
    for number, (model, params) in enumerate(zip(models, candidates, strict=True)):
        by_key.setdefault(_preprocessing_key(model, params), []).append((number, model))
    for members in by_key.values():
        # Trials of a candidate come together: they have the same optimizer key.
        yield [Trial(number, fold, model, in_turns) for number, model in members for fold in folds]


def _preprocessing_key(model, params):
    """Return a key that is equal for models with equal steps before the first net."""
    before = set()
    for name, step in model.steps[:-1] if isinstance(model, Pipeline) else ():
        if nets_in(step):
            break
        before.add(name)
    return frozenset(
        (name, identity(value, {}))
        for name, value in params.items()
        if name.partition("__")[0] in before
    )
