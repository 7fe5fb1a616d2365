"""Base of all searches: a cross-validation whose fits are trained together."""

from collections.abc import Mapping
from copy import deepcopy
from functools import partial
from time import perf_counter

from sklearn.base import clone, is_classifier
from sklearn.model_selection import check_cv
from sklearn.utils import get_tags, indexable
from sklearn.utils.metaestimators import available_if

from skae._data.given import as_data
from skae._model_selection.finished_fits import FinishedFits, finished_fits
from skae._model_selection.trials import (
    Fold,
    fit_trials,
    search_task,
    trials_by_preprocessing,
    with_params,
)
from skae._params import DocLinks, FittedAttributes, refuse_class, unchanged_on_error
from skae._sklearn import (
    check_method_params,
    fit_context,
    insert_error_scores,
    warn_or_raise_about_fit_failures,
)
from skae._training.checkpoint_file import paths_of
from skae._training.fits import in_parts
from skae._training.progress import progress_bar
from skae._training.tasks import Subtask, meta_task, task_facts
from skae.exceptions import InterruptedWarning, warn


class BatchedSearch(DocLinks, FittedAttributes):
    """Mixin for searches of scikit-learn that trains the candidates together.

    scikit-learn's ``fit`` makes one fit after the other, so this class replaces it. Scores,
    ``cv_results_`` and the choice of the best candidate are scikit-learn's own.

    A subclass defines ``_space``, the name of the parameter with the candidates, and
    ``_candidates``.
    """

    #: Name of the parameter that defines the candidates.
    _space = "param_grid"
    #: The `FinishedFits`, while it lasts.
    _finished = FinishedFits()

    @classmethod
    def _parts(cls):
        return {}

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None, **params):
        """Fit and score all candidates on all folds, and fit the best one on all rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows, or whatever the estimator takes.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs) or None, default=None
            Targets, if the estimator or the scoring needs them.
        **params : dict
            Further arguments of the estimator's ``fit``, such as ``sample_weight``, and
            ``groups`` of the splitter. Arrays as long as X are split like X.

        Returns
        -------
        self : object
            The search itself.

        Raises
        ------
        ValueError
            If there are no candidates, if a parameter name is unknown, or if all fits fail. A
            search that was fitted before does not change.
        KeyboardInterrupt
            If it is interrupted before any candidate is finished. Later, the search continues
            with the finished candidates: the best one is fitted on all rows.

        Warns
        -----
        InterruptedWarning
            If it is interrupted.
        """
        refuse_class("estimator", self.estimator)
        refuse_class("cv", self.cv)
        scorer, _ = self._get_scorers()
        base = clone(self.estimator)
        candidates = self._checked_candidates()
        # Unknown names fail here, before anything is trained.
        models = [with_params(base, candidate) for candidate in candidates]
        if any(map(paths_of, models)):
            raise ValueError(
                "checkpoint of the estimator would be the file of all candidates. Leave it out, "
                f"and set the checkpoint of {type(self).__name__}."
            )

        as_data(X)  # which the estimators read themselves, as they do later
        X, y = indexable(X, y)
        routed = self._get_routed_params_for_fit(check_method_params(X, params))
        fit_params = routed.estimator.fit
        splitter = check_cv(self.cv, y, classifier=is_classifier(base))
        splits = list(splitter.split(X, y, **routed.splitter.split))
        folds = [
            Fold(number, base, X, y, *split, fit_params, routed.scorer.score)
            for number, split in enumerate(splits)
        ]
        if not folds:
            raise ValueError("cv gives no folds: nothing could be fitted")
        facts = task_facts(self, X, y, params.get("sample_weight"))
        n_tasks = 1 + (self.refit is not False)
        finished = finished_fits(self, splitter, candidates, splits, X=X, y=y, **params)
        with (
            unchanged_on_error(self),
            finished as self._finished,
            meta_task(facts, n_tasks) as task,
        ):
            self._forget_earlier_fit()
            with search_task(self, task, folds, len(models)):
                self._fit_candidates(models, candidates, folds, scorer)
            if self.refit:
                within = Subtask(self, task.subcontext(task_name="refit-with-best-params"))
                self._refit(base, X, y, fit_params, within)
        del self._finished
        return self

    def _forget_earlier_fit(self):
        fitted = [name for name in vars(self) if name.endswith("_") and not name.startswith("_")]
        for name in fitted:
            delattr(self, name)

    def _fit_candidates(self, models, candidates, folds, scorer):
        """Fit and score the candidates on the folds, and choose the best."""
        self.n_splits_ = len(folds)
        if self.verbose > 0:
            n_fits = len(folds) * len(models)
            print(f"{len(models)} candidates on {len(folds)} folds, {n_fits} fits in all")
        scored, outcomes, columns = self._evaluate(models, candidates, folds, scorer)
        curves = [outcome.pop("loss_curve") for outcome in outcomes]
        self.loss_curves_ = [curves[i : i + len(folds)] for i in range(0, len(curves), len(folds))]
        metric = self._metric(outcomes)
        self.cv_results_ = self._format_results(scored, len(folds), outcomes, columns)
        self.scorer_ = getattr(scorer, "_scorers", scorer)
        self._choose(metric)

    @available_if(lambda self: hasattr(self, "transform"))
    def fit_transform(self, X, y=None, **params):
        """Search, and transform X by the best estimator.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows, or whatever the estimator takes.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs) or None, default=None
            Targets, if the estimator or the scoring needs them.
        **params : dict
            Same as in ``fit``.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_components)
            The transformed rows.
        """
        return self.fit(X, y, **params).transform(X)

    def _checked_candidates(self):
        space = getattr(self, self._space)
        grids = [space] if isinstance(space, Mapping) else space
        if not grids:
            raise ValueError(
                f"{self._space} is empty: give it a dict of parameters and the values to try, "
                "or {} to evaluate the estimator as it is"
            )
        choices = [pair for grid in grids if isinstance(grid, Mapping) for pair in grid.items()]
        for name, values in choices:
            if hasattr(values, "__len__") and len(values) == 0:
                raise ValueError(f"{self._space} has no values for {name!r}: give it some")
        return list(self._candidates())

    def _candidates(self):
        """Return the candidates, each a dict of parameters."""
        raise NotImplementedError

    def _evaluate(self, models, candidates, folds, scorer):
        """Fit and score candidates.

        Returns
        -------
        scored : list of dict
            The candidates, one entry for each time that they were scored.
        outcomes : list of dict
            The results of `Trial.outcome` for each of them on each fold.
        columns : dict of list
            Further columns of ``cv_results_``.
        """
        outcomes, n_fits = {}, len(models) * len(folds)
        try:
            with progress_bar(n_fits, "fit", disable=self.verbose != 1) as bar:
                for candidate, fold, outcome in self._scored(models, candidates, folds, scorer):
                    outcomes.setdefault(candidate, {})[fold] = outcome
                    bar.update()
        except KeyboardInterrupt:
            if not any(len(of_folds) == len(folds) for of_folds in outcomes.values()):
                raise
        finished = [n for n in range(len(models)) if len(outcomes.get(n, ())) == len(folds)]
        if len(finished) < len(models):
            self._warn_of_interrupt(f"{len(finished)} of {len(models)} candidates are finished")
        outcomes = [outcomes[n][fold.number] for n in finished for fold in folds]
        self._check_failures(outcomes)
        return [candidates[n] for n in finished], outcomes, {}

    def _warn_of_interrupt(self, state):
        self._finished.is_complete = False
        warn(
            f"The search was interrupted: {state}. Only these are in cv_results_, and the best of "
            f"them is chosen.{self._finished.how_to_go_on}",
            InterruptedWarning,
        )

    def _scored(self, models, candidates, folds, scorer):
        """Yield the number of the candidate, the number of the fold and the outcome."""
        for trials in trials_by_preprocessing(models, candidates, folds):
            missing = []
            for trial in trials:
                outcome = self._finished.get(candidates[trial.candidate], trial.fold.number)
                if outcome is None:
                    missing.append(trial)
                else:
                    yield trial.candidate, trial.fold.number, outcome
            evaluate = partial(self._outcomes, scorer=scorer, candidates=candidates)
            for part in in_parts(evaluate, missing, self.n_jobs):
                for candidate, fold, outcome in part:
                    self._finished.add(outcome, candidates[candidate], fold)
                    yield candidate, fold, outcome

    def _outcomes(self, trials, scorer, candidates):
        """Fit and score trials, as `_scored`."""
        # Each is scored as soon as it is fitted, then its memory is freed.
        for trial in fit_trials(trials, self.verbose):
            outcome = self._outcome(trial, scorer, candidates[trial.candidate])
            yield trial.candidate, trial.fold.number, outcome

    def _outcomes_after(self, epoch, trials, train, scorer, candidates):
        """Train trials up to an epoch, unless their outcomes are known, and return these."""
        places = [(candidates[trial.candidate], trial.fold.number, epoch) for trial in trials]
        known = [self._finished.get(*place) for place in places]
        if all(outcome is not None for outcome in known):
            return known
        train(trials)
        outcomes = [self._outcome(t, scorer, candidates[t.candidate]) for t in trials]
        for outcome, place in zip(outcomes, places, strict=True):
            self._finished.add(outcome, *place)
        return outcomes

    def _outcome(self, trial, scorer, params):
        outcome = trial.outcome(scorer, self.error_score, self.return_train_score)
        if self.verbose > 1:
            seconds = outcome["fit_time"] + outcome["score_time"]
            print(
                f"[CV {trial.fold.number + 1}/{self.n_splits_}] {params}: "
                f"{outcome['test_scores']}, {seconds:.1f} s"
            )
        return outcome

    def _check_failures(self, outcomes):
        """Warn about the fits that failed, or raise an error if all failed."""
        warn_or_raise_about_fit_failures(outcomes, self.error_score)
        insert_error_scores(outcomes, self.error_score)

    def _metric(self, outcomes):
        """Return the name of the metric that the best candidate is chosen by."""
        # Not earlier: the output of a callable ``scoring`` is known only after a call.
        scores = outcomes[0]["test_scores"]
        self.multimetric_ = isinstance(scores, dict)
        if not self.multimetric_:
            return "score"
        self._check_refit_for_multimetric(scores)
        return self.refit

    def _choose(self, metric):
        if self.multimetric_ and not self.refit:
            return
        results = self.cv_results_
        self.best_index_ = self._select_best_index(self.refit, metric, results)
        self.best_params_ = results["params"][self.best_index_]
        if not callable(self.refit):
            self.best_score_ = results[f"mean_test_{metric}"][self.best_index_]

    def _refit(self, base, X, y, fit_params, within):
        self.best_estimator_ = with_params(base, self.best_params_)
        start = perf_counter()
        data = (X,) if y is None else (X, y)
        with within.fit_of(self.best_estimator_, *data, **fit_params):
            self.best_estimator_.fit(*data, **fit_params)
        self.refit_time_ = perf_counter() - start
        if hasattr(self.best_estimator_, "feature_names_in_"):
            self.feature_names_in_ = self.best_estimator_.feature_names_in_

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        # scikit-learn's own searches leave these out, as they usually hold predictors.
        of_estimator = deepcopy(get_tags(self.estimator))
        tags.transformer_tags = of_estimator.transformer_tags
        tags.input_tags = of_estimator.input_tags
        return tags
