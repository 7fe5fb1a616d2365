"""Search by Optuna in which many trials are trained at once."""

from collections.abc import Mapping
from functools import partial
from itertools import islice

import numpy as np
from sklearn.utils import check_random_state

from skae._model_selection.base import BatchedSearch
from skae._model_selection.grid import CHECKPOINTS, SEARCH_DOCS
from skae._model_selection.halving import (
    abandon,
    begin_training,
    check_trained_in_turns,
    nets_of,
    train_trials,
    trains_in_turns,
)
from skae._model_selection.pruning import import_optuna
from skae._model_selection.trials import trials_by_preprocessing, with_params
from skae._names import did_you_mean
from skae._params import HasMethods, complete_docstring, integer, with_hints
from skae._sklearn import BaseSearchCV
from skae._training.progress import progress_bar


@with_hints
@partial(complete_docstring, docs=SEARCH_DOCS)
class BatchedOptunaSearchCV(BatchedSearch, BaseSearchCV):
    """Search by Optuna that trains many trials at once.

    Optuna [1]_ chooses candidates by the scores of earlier ones. They come in batches: a batch is
    trained on all folds as in `BatchedGridSearchCV`, then Optuna chooses the next batch. Larger
    batches are faster, but each choice rests on fewer scores: a batch is chosen before any of its
    candidates has a score.

    With a ``pruner``, candidates are also scored during the training, and poor ones stop. The
    others keep their weights.

    Read more in the :ref:`User Guide <batched_search>`.

    Parameters
    ----------
    estimator : estimator
        Estimator to tune: one of skae's, a pipeline with one inside, or any other estimator with a
        ``score`` method, or any at all with ``scoring``.
    param_distributions : dict or callable
        Names of parameters and distributions of `optuna.distributions`, such as
        ``FloatDistribution(1e-4, 1e-1, log=True)``. `~skae.model_selection.default_grid` returns
        them. A callable gets an `optuna.trial.Trial` and returns a dict of parameters, of which
        some may depend on others.
    n_trials : int, default=32
        Number of candidates.
    n_at_once : int, default=8
        Number of candidates in a batch.
    study : optuna.study.Study or None, default=None
        Study to continue, which maximizes. None is a new one in memory.
    sampler : optuna.samplers.BaseSampler or None, default=None
        What chooses candidates, if there is no ``study``. None is `optuna.samplers.TPESampler` with
        ``random_state`` as its seed.
    pruner : optuna.pruners.BasePruner or None, default=None
        What stops poor candidates, if there is no ``study``. None stops none.
    report_at : sequence of float, default=(0.1, 0.3)
        Fractions of the training after which candidates are scored for the pruner.
    <scoring>
    <refit>
    <validation>
    <verbose>
    random_state : int, RandomState instance or None, default=None
        Seed of the default ``sampler``.
    <error_score>
    <train_score>
    <checkpoint>

    Attributes
    ----------
    study_ : optuna.study.Study
        The study, with the trials.
    trials_ : list of optuna.trial.FrozenTrial
        All trials of the study.
    <found>

    See Also
    --------
    BatchedRandomizedSearchCV : Draws candidates at random.
    BatchedHalvingGridSearchCV : Stops the poor candidates early.
    skae.model_selection.default_grid : What to search for.
    skae.model_selection.OptunaPruningCallback : Prunes trials of an objective of your own.

    Notes
    -----
    ``cv_results_`` also has the columns ``trial``, the number of the trial in the study, ``state``,
    and ``n_epochs``, after how many epochs it was scored last, 0 without a ``pruner``. The best
    candidate is one of those that were trained to the end.

    References
    ----------
    .. [1] T. Akiba et al., "Optuna: a next-generation hyperparameter optimization framework",
       KDD 2019. :arxiv:`1907.10902`

    Examples
    --------
    >>> from optuna.distributions import FloatDistribution, IntDistribution
    >>> from sklearn.datasets import load_iris
    >>> from skae import Autoencoder
    >>> from skae.model_selection import BatchedOptunaSearchCV
    >>> X = load_iris().data
    >>> autoencoder = Autoencoder(max_epochs=10, check_baseline=False, random_state=0)
    >>> space = {
    ...     "n_components": IntDistribution(1, 2),
    ...     "lr": FloatDistribution(1e-5, 1e-1, log=True),
    ... }
    >>> search = BatchedOptunaSearchCV(
    ...     autoencoder, space, n_trials=8, n_at_once=4, cv=3, random_state=0
    ... ).fit(X)
    >>> search.best_params_["n_components"]
    2
    >>> len(search.study_.trials)
    8
    """

    _parameter_constraints = {
        **BaseSearchCV._parameter_constraints,
        "param_distributions": [dict, callable],
        "n_trials": [integer(1)],
        "n_at_once": [integer(1)],
        "study": [HasMethods(["ask", "tell"]), None],
        "sampler": [HasMethods(["sample_independent"]), None],
        "pruner": [HasMethods(["prune"]), None],
        "report_at": ["array-like"],
        "random_state": ["random_state"],
        "checkpoint": CHECKPOINTS,
    }
    del _parameter_constraints["n_jobs"], _parameter_constraints["pre_dispatch"]
    _space = "param_distributions"

    def __init__(
        self,
        estimator,
        param_distributions,
        *,
        n_trials=32,
        n_at_once=8,
        study=None,
        sampler=None,
        pruner=None,
        report_at=(0.1, 0.3),
        scoring=None,
        refit=True,
        cv=None,
        verbose=0,
        random_state=None,
        error_score=np.nan,
        return_train_score=False,
        checkpoint=None,
    ):
        super().__init__(
            estimator,
            scoring=scoring,
            refit=refit,
            cv=cv,
            verbose=verbose,
            error_score=error_score,
            return_train_score=return_train_score,
        )
        self.param_distributions = param_distributions
        self.n_trials = n_trials
        self.n_at_once = n_at_once
        self.study = study
        self.sampler = sampler
        self.pruner = pruner
        self.report_at = report_at
        self.random_state = random_state
        self.checkpoint = checkpoint

    def _checked_candidates(self):
        optuna, space = import_optuna(), self.param_distributions
        if isinstance(space, Mapping):
            if not space:
                raise ValueError("param_distributions is empty: give it names and distributions")
            known = self.estimator.get_params()
            for name, distribution in space.items():
                if name not in known:
                    raise ValueError(
                        f"param_distributions has {name!r}, which is no parameter of "
                        f"{type(self.estimator).__name__}.{did_you_mean(name, known)}"
                    )
                if not isinstance(distribution, optuna.distributions.BaseDistribution):
                    raise TypeError(
                        f"param_distributions[{name!r}] must be of optuna.distributions, such as "
                        f"FloatDistribution(1e-4, 1e-1, log=True); got {distribution!r}"
                    )
        if not all(0 < fraction < 1 for fraction in self.report_at):
            raise ValueError(f"report_at must hold fractions between 0 and 1; got {self.report_at}")
        return [{}] * self.n_trials  # their parameters are known when it is their turn

    def _make_study(self):
        optuna = import_optuna()
        if self.study is None:
            seed = check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
            verbosity = optuna.logging.get_verbosity()
            optuna.logging.set_verbosity(optuna.logging.WARNING)
            try:
                return optuna.create_study(
                    direction="maximize",
                    sampler=self.sampler or optuna.samplers.TPESampler(seed=seed),
                    pruner=self.pruner or optuna.pruners.NopPruner(),
                )
            finally:
                optuna.logging.set_verbosity(verbosity)
        if self.checkpoint is not None:
            raise ValueError(
                "checkpoint is for a study in memory. Give the study a storage, which keeps its "
                "trials, and leave checkpoint out."
            )
        if self.sampler is not None or self.pruner is not None:
            raise ValueError("sampler and pruner are those of the study: leave them out")
        if self.study.direction != optuna.study.StudyDirection.MAXIMIZE:
            raise ValueError('study must maximize: optuna.create_study(direction="maximize")')
        return self.study

    def _check_refit_for_multimetric(self, scores):
        if not isinstance(self.refit, str):
            raise ValueError(
                f"refit={self.refit} does not tell which of several metrics trials are chosen by: "
                f"set refit to one of {list(scores)}, or give one metric as scoring"
            )
        super()._check_refit_for_multimetric(scores)

    def _evaluate(self, models, candidates, folds, scorer):
        self.study_ = self._make_study()
        rows, interrupted = [], False
        with progress_bar(self.n_trials, "trial", disable=self.verbose != 1) as bar:
            while len(rows) < self.n_trials and not interrupted:
                n_asked = min(self.n_at_once, self.n_trials - len(rows))
                trials = [self._ask() for _ in range(n_asked)]
                try:
                    rows += self._batch(trials, models[0], folds, scorer)
                except BaseException as error:
                    self._give_up(trials)
                    interrupted = bool(rows) and isinstance(error, KeyboardInterrupt)
                    if not interrupted:
                        raise
                bar.update(len(rows) - bar.n)
        if interrupted:
            self._warn_of_interrupt(f"{len(rows)} of {self.n_trials} trials are finished")
        self.trials_ = self.study_.trials
        outcomes = [outcome for row in rows for outcome in row["outcomes"]]
        self._check_failures(outcomes)
        columns = {name: [row[name] for row in rows] for name in ("trial", "state", "n_epochs")}
        return [row["params"] for row in rows], outcomes, columns

    def _ask(self):
        """Return a new trial of the study, and its parameters."""
        if isinstance(self.param_distributions, Mapping):
            trial = self.study_.ask(self.param_distributions)
            return trial, trial.params
        trial = self.study_.ask()
        return trial, self.param_distributions(trial)

    def _give_up(self, trials):
        failed = import_optuna().trial.TrialState.FAIL
        for trial, _ in trials:
            self.study_.tell(trial, state=failed, skip_if_finished=True)

    def _batch(self, trials, base, folds, scorer):
        """Train a batch of trials, tell the study, and return a dict for each trial."""
        candidates = [params for _, params in trials]
        models = [with_params(base, params) for params in candidates]
        train = self._train_in_turns if self._prunes(models) else self._train_to_the_end
        trained = train([trial for trial, _ in trials], models, candidates, folds, scorer)
        for fold in folds:
            fold.tasks = fold.tasks[len(trials) :]
        return [
            {"trial": trial.number, "params": params} | self._tell(trial, *of_trial)
            for (trial, params), of_trial in zip(trials, trained, strict=True)
        ]

    def _tell(self, trial, outcomes, n_epochs, is_pruned):
        """Tell the study how a trial ended, and return what ``cv_results_`` says of it."""
        states, score = import_optuna().trial.TrialState, self._score(outcomes)
        state = states.COMPLETE if np.isfinite(score) else states.FAIL
        state = states.PRUNED if is_pruned else state
        self.study_.tell(trial, score if state == states.COMPLETE else None, state)
        return {"outcomes": outcomes, "n_epochs": n_epochs, "state": state.name}

    def _score(self, outcomes):
        """Return the mean of the scores that candidates are chosen by."""
        scores = [outcome["test_scores"] for outcome in outcomes]
        if any(outcome["fit_error"] for outcome in outcomes):
            return np.nan
        metric = self._metric(outcomes)
        return float(np.mean([of[metric] for of in scores] if self.multimetric_ else scores))

    def _train_to_the_end(self, trials, models, candidates, folds, scorer):
        """Return, for each trial, its outcomes, 0, and that it is not pruned."""
        outcomes = [[None] * len(folds) for _ in trials]
        for number, fold, outcome in self._scored(models, candidates, folds, scorer):
            outcomes[number][fold] = outcome
        return [(of_trial, 0, False) for of_trial in outcomes]

    def _prunes(self, models):
        """Say whether trials are scored during the training; it is an error if they cannot be."""
        if isinstance(self.study_.pruner, import_optuna().pruners.NopPruner):
            return False
        if self.pruner is not None:
            check_trained_in_turns(models, self)
        return all(map(trains_in_turns, models))

    def _train_in_turns(self, trials, models, candidates, folds, scorer):
        """Return, for each trial, its outcomes, when it was last scored, and if it is pruned."""
        runs, results = [[] for _ in trials], {}
        try:
            for batch in trials_by_preprocessing(models, candidates, folds, in_turns=True):
                for run in begin_training(batch):
                    runs[run.candidate].append(run)
            nets = nets_of([run for of_trial in runs for run in of_trial])
            n_epochs = max((net.n_epochs for net in nets), default=0)
            going = list(range(len(trials)))
            for until in self._report_epochs(n_epochs):
                chosen = [run for number in going for run in runs[number]]
                train = partial(train_trials, until=None if until == n_epochs else until)
                found = iter(self._outcomes_after(until, chosen, train, scorer, candidates))
                for number in going:
                    outcomes = list(islice(found, len(folds)))
                    is_pruned = until < n_epochs and self._is_poor(trials[number], outcomes, until)
                    results[number] = outcomes, until, is_pruned
                    if is_pruned:
                        abandon(runs[number])
                going = [number for number in going if not results[number][2]]
        finally:
            for of_trial in runs:
                abandon(of_trial)
        return [results[number] for number in range(len(trials))]

    def _report_epochs(self, n_epochs):
        """Return the epochs after which trials are scored."""
        epochs = {int(fraction * n_epochs) for fraction in self.report_at}
        return [*sorted(epoch for epoch in epochs if epoch > 0), n_epochs]

    def _is_poor(self, trial, outcomes, epoch):
        """Report the score after an epoch, and return what the pruner says."""
        score = self._score(outcomes)
        if not np.isfinite(score):
            return False  # the trial has failed
        trial.report(score, epoch)
        return trial.should_prune()

    @staticmethod
    def _select_best_index(refit, refit_metric, results):
        """Return the best of the candidates that were trained to the end."""
        if callable(refit):
            return BaseSearchCV._select_best_index(refit, refit_metric, results)
        complete = np.flatnonzero(results["state"] == "COMPLETE")
        if len(complete) == 0:
            raise ValueError("All trials were pruned: set another pruner, or more n_trials")
        return complete[results[f"rank_test_{refit_metric}"][complete].argmin()]
