"""Successive halving: a search that stops poor candidates during training."""

from functools import partial
from math import ceil

import numpy as np
from sklearn.model_selection import ParameterGrid

from skae._model_selection.base import BatchedSearch
from skae._model_selection.grid import CHECKPOINTS, SEARCH_DOCS
from skae._model_selection.pauses import last_step, nets_in
from skae._model_selection.trials import started, trials_by_preprocessing
from skae._params import StrOptions, complete_docstring, integer, real, with_hints
from skae._sklearn import BaseSearchCV
from skae._training.callbacks import loads_from_file
from skae._training.fits import train
from skae._training.session import has_session


@with_hints
@partial(complete_docstring, docs=SEARCH_DOCS)
class BatchedHalvingGridSearchCV(BatchedSearch, BaseSearchCV):
    """Grid search that trains all candidates at once, and stops poor ones early.

    This is successive halving [1]_. All candidates start training, on all folds. After a few
    epochs they are scored on the test rows. The best third continues, up to three times as many
    epochs, and so on until the end of the training. Candidates keep their weights, so nothing
    is trained twice. The schedule of the learning rate spans the whole training: candidates
    that reach its end are as if fitted alone.

    It is much cheaper than `BatchedGridSearchCV`, but may miss candidates that improve slowly
    at first, such as those with low learning rates [2]_.

    Read more in the :ref:`User Guide <batched_search>`.

    Parameters
    ----------
    estimator : estimator
        Estimator to tune: one of skae's, or a pipeline with one inside.
    param_grid : dict or list of dict
        Names of parameters and lists of values to try in all combinations. With a list of
        dicts, the combinations of each dict. Parameters of the steps of a pipeline are
        ``<step>__<name>``. ``max_epochs`` is not allowed.
    factor : float, default=3
        One of ``factor`` candidates continues each time, up to ``factor`` times as many epochs.
    min_epochs : int or "auto", default="auto"
        Epochs before the first comparison. "auto" is chosen such that fewer than ``factor``
        candidates train to the end.
    <scoring>
    refit : bool or str, default=True
        Whether to fit the best candidate on all rows, as ``best_estimator_``. With several
        metrics, the name of the one to compare candidates by.
    <validation>
    <verbose>
    <error_score>
    <train_score>
    <checkpoint>

    Attributes
    ----------
    n_iterations_ : int
        Number of times that candidates were scored.
    n_candidates_ : list of int
        Number of candidates that were scored each time.
    n_resources_ : list of int
        Number of epochs before each time.
    n_remaining_candidates_ : int
        Number of candidates that would continue after the last time.
    <found>

    See Also
    --------
    BatchedGridSearchCV : Trains all candidates to the end.
    BatchedOptunaSearchCV : Chooses candidates by the scores of earlier ones.
    sklearn.model_selection.HalvingGridSearchCV : Trains from scratch each time, on more rows.

    Notes
    -----
    ``cv_results_`` has a row for each time that a candidate was scored, with two more columns:
    ``iter``, the number of the comparison, and ``n_resources``, the number of epochs before it.
    Only candidates that were trained to the end can be the best. ``mean_fit_time`` is the total
    time up to the comparison.

    The nets of all candidates are in memory at once.

    References
    ----------
    .. [1] K. Jamieson and A. Talwalkar, "Non-stochastic best arm identification and
       hyperparameter optimization", AISTATS 2016. :arxiv:`1502.07943`
    .. [2] L. Li et al., "Hyperband: a novel bandit-based approach to hyperparameter
       optimization", JMLR 18(185), 2018. :arxiv:`1603.06560`

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skae import Autoencoder, BatchedHalvingGridSearchCV
    >>> X = load_iris().data
    >>> autoencoder = Autoencoder(max_epochs=18, check_baseline=False, random_state=0)
    >>> grid = {"n_components": [1, 2], "lr": [1e-5, 1e-4, 1e-3, 1e-2, 1e-1]}
    >>> search = BatchedHalvingGridSearchCV(autoencoder, grid, cv=3).fit(X)
    >>> search.n_candidates_
    [10, 4, 2]
    >>> search.n_resources_
    [2, 6, 18]
    >>> search.best_params_["n_components"]
    2
    """

    _parameter_constraints = {
        **BaseSearchCV._parameter_constraints,
        "param_grid": [dict, list],
        "factor": [real(1, closed="neither")],
        "min_epochs": [integer(1), StrOptions({"auto"})],
        "refit": ["boolean", str],
        "checkpoint": CHECKPOINTS,
    }
    del _parameter_constraints["n_jobs"], _parameter_constraints["pre_dispatch"]

    def __init__(
        self,
        estimator,
        param_grid,
        *,
        factor=3,
        min_epochs="auto",
        scoring=None,
        refit=True,
        cv=None,
        verbose=0,
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
        self.param_grid = param_grid
        self.factor = factor
        self.min_epochs = min_epochs
        self.checkpoint = checkpoint

    def _candidates(self):
        return ParameterGrid(self.param_grid)

    def _check_refit_for_multimetric(self, scores):
        if self.refit is False:
            raise ValueError(
                "refit=False does not tell which of several metrics compares candidates: set "
                f"refit to one of {list(scores)}, or give one metric as scoring"
            )
        super()._check_refit_for_multimetric(scores)

    def _evaluate(self, models, candidates, folds, scorer):
        self._check_epochs(models, candidates)
        trials = [[] for _ in models]
        try:
            for batch in trials_by_preprocessing(models, candidates, folds, in_turns=True):
                for trial in begin_training(batch):
                    trials[trial.candidate].append(trial)
            return self._compared(trials, candidates, scorer)
        finally:
            for of_candidate in trials:
                abandon(of_candidate)

    def _compared(self, trials, candidates, scorer):
        """Train and compare, and let the better ones train on."""
        epochs = [max((net.n_epochs for net in nets_of(ts)), default=0) for ts in trials]
        self.n_resources_ = self._epochs_of_comparisons(len(trials), max(epochs))
        self.n_iterations_ = len(self.n_resources_)
        self.n_candidates_ = []
        scored, all_outcomes, columns = [], [], {"iter": [], "n_resources": []}
        going = list(range(len(trials)))
        for iteration, until in enumerate(self.n_resources_):
            try:
                outcomes = self._outcomes_at(until, trials, going, scorer, candidates)
            except KeyboardInterrupt:
                if iteration == 0:
                    raise
                self._end_early(iteration)
                break
            self._check_failures(outcomes)
            all_outcomes += outcomes
            scored += [candidates[number] for number in going]
            columns["iter"] += [iteration] * len(going)
            columns["n_resources"] += [min(until, epochs[number]) for number in going]
            self.n_candidates_.append(len(going))
            going = self._best(going, outcomes)
            for number, dropped in enumerate(trials):
                if number not in going:
                    abandon(dropped)
        self.n_remaining_candidates_ = len(going)
        return scored, all_outcomes, columns

    def _outcomes_at(self, epoch, trials, going, scorer, candidates):
        """Train candidates up to an epoch, and score them."""
        chosen = [trial for number in going for trial in trials[number]]
        train = partial(self._train, until=epoch)
        return self._outcomes_after(epoch, chosen, train, scorer, candidates)

    def _end_early(self, iteration):
        """End with the comparisons so far."""
        self.n_iterations_, self.n_resources_ = iteration, self.n_resources_[:iteration]
        self._warn_of_interrupt(f"candidates are compared after {self.n_resources_[-1]} epochs")

    def _check_epochs(self, models, candidates):
        check_trained_in_turns(models, self)
        if any(name.split("__")[-1] == "max_epochs" for params in candidates for name in params):
            raise ValueError(
                f"{type(self).__name__} itself decides after how many epochs candidates are "
                "stopped: take max_epochs out of param_grid and set it in the estimator, or use "
                "BatchedGridSearchCV"
            )

    def _epochs_of_comparisons(self, n_candidates, n_epochs):
        """Return after how many epochs candidates are compared; the last is the end."""
        # After so many, fewer than ``factor`` are left.
        n_before_end = 0
        while n_candidates >= self.factor:
            n_candidates /= self.factor
            n_before_end += 1
        if self.min_epochs == "auto":
            epochs = [n_epochs / self.factor ** (k + 1) for k in range(n_before_end)]
        elif self.min_epochs > n_epochs > 0:
            raise ValueError(
                f"min_epochs={self.min_epochs} must not be above the {n_epochs} epochs that the "
                "training takes in all"
            )
        else:
            epochs = [self.min_epochs * self.factor**k for k in range(n_before_end)]
        return [*sorted({int(e) for e in epochs if 1 <= e < n_epochs}), n_epochs]

    def _train(self, trials, until):
        """Train up to an epoch; if it is the last comparison, finish the fits."""
        at_end = until == self.n_resources_[-1]
        if self.verbose > 0:
            print(f"Training {len(trials)} fits up to epoch {until}")
        train_trials(trials, None if at_end else until)

    def _best(self, going, outcomes):
        """Return the candidates that continue, in their order."""
        metric = self._metric(outcomes)
        scores = [outcome["test_scores"] for outcome in outcomes]
        if self.multimetric_:
            scores = [by_metric[metric] for by_metric in scores]
        means = np.reshape(scores, (len(going), -1)).mean(axis=1)
        # Stable: of equal candidates, the first in the grid comes first. NaN comes last.
        order = np.argsort(-means, kind="stable")
        return sorted(going[place] for place in order[: ceil(len(going) / self.factor)])

    @staticmethod
    def _select_best_index(refit, refit_metric, results):
        """Return the best of the candidates that were trained to the end."""
        last = np.flatnonzero(results["iter"] == results["iter"].max())
        return last[results[f"rank_test_{refit_metric}"][last].argmin()]


def net_in_turns(model):
    """Return the net in a model that can be trained in turns: the last step, or the only net."""
    nets = nets_in(model)
    return nets[0] if len(nets) == 1 else last_step(model)


def trains_in_turns(model):
    """Say whether the training of a model can stop and go on."""
    net = net_in_turns(model)
    return has_session(net) and not any(map(loads_from_file, net.callbacks or ()))


def check_trained_in_turns(models, search):
    """Raise an error if the training of a model cannot stop and go on."""
    name = type(search).__name__
    for net in map(net_in_turns, models):
        if not has_session(net):
            raise TypeError(
                f"{name} stops the training of candidates, so that the estimator, or one step of "
                f"the pipeline, must be a net with skae's own fit; got {type(net).__name__}. Use "
                "BatchedGridSearchCV, or scikit-learn's HalvingGridSearchCV."
            )
        if any(map(loads_from_file, net.callbacks or ())):
            raise TypeError(
                f"{name} trains candidates in turns, which write to the same file by "
                "Checkpoint(load_best=True). Use early_stopping=True, which keeps the best epoch "
                "in memory, or BatchedGridSearchCV."
            )


def nets_of(trials):
    """Return the nets that trials wait for, those that have not failed."""
    nets = dict.fromkeys(net for trial in trials if trial.error is None for net in trial.nets)
    return [net for net in nets if net.error is None]


def begin_training(trials):
    """Return trials whose nets are set up, to be trained in turns."""
    trials = list(started(trials))
    for net in nets_of(trials):
        net.begin()
    return trials


def train_trials(trials, until):
    """Train the nets of trials up to an epoch, None for the end, and fit what is behind them."""
    nets = nets_of(trials)
    train(nets, until)
    if until is None:
        for net in nets:
            net.end()
    for trial in trials:
        if trial.error is None:
            trial.go_on()


def abandon(trials):
    """Let go of trials and their nets, those that have ended as well."""
    for trial in trials:
        trial.release()
    trials.clear()
