"""Searches for parameters in which all candidates are trained at once."""

import os
from functools import partial

import numpy as np
from sklearn.model_selection import (
    GridSearchCV,
    ParameterGrid,
    ParameterSampler,
    RandomizedSearchCV,
)

from skae._model_selection.base import BatchedSearch
from skae._params import JOBS, complete_docstring, with_hints
from skae._training.checkpoint_file import Checkpoint

GRID = """\
estimator : estimator
        Estimator to tune: one of skae's, a pipeline with one inside, or any other estimator
        with a ``score`` method, or any at all with ``scoring``.
    param_grid : dict or list of dict
        Names of parameters and lists of values to try in all combinations. With a list of
        dicts, the combinations of each dict. Parameters of the steps of a pipeline are
        ``<step>__<name>``."""

SCORING = """\
scoring : str, callable, list, tuple, dict or None, default=None
        Metric to compare candidates by: a name or a callable ``scorer(estimator, X, y)``.
        Several metrics can be given as a list of names, a dict of callables or a callable that
        returns a dict. None is the ``score`` method."""

REFIT = """\
refit : bool, str or callable, default=True
        Whether to fit the best candidate on all rows, as ``best_estimator_``. With several
        metrics, the name of the one to choose by. A callable takes ``cv_results_`` and
        returns the ``best_index_``."""

VALIDATION = """\
cv : int, splitter, iterable or None, default=None
        How to split rows into folds: the number of folds, a splitter of scikit-learn, or pairs
        of arrays of training and test indices. None is 5 folds."""

VERBOSE = """\
verbose : int, default=0
        0 prints nothing, 1 the number of fits and their progress, 2 also the scores of each."""

ERROR_SCORE = """\
error_score : "raise" or float, default=nan
        Score of candidates whose fit or scoring fails; the others continue, and a warning tells
        which fits failed. "raise" ends the search with the error."""

TRAIN_SCORE = """\
return_train_score : bool, default=False
        Whether to score candidates on their training rows, too."""

N_JOBS = """\
n_jobs : int or None, default=None
        Number of processes for the training. None is a single process, -1 as many as there are
        cores."""

PRE_DISPATCH = """\
pre_dispatch : int or str, default="2*n_jobs"
        Has no effect. It is there for compatibility with scikit-learn's searches."""

CHECKPOINT = """\
checkpoint : str, PathLike, Checkpoint or None, default=None
        A file for the outcomes of the fits that are finished. After a crash, ``fit`` with the same
        data and parameters does not repeat them, and finds the same as without the crash. When the
        search is complete, the file is removed. It needs an int as ``random_state``."""

FOUND = """\
cv_results_ : dict of ndarray
        Scores and times of each candidate, which can be passed to a DataFrame: ``params``,
        ``param_<name>``, ``split<i>_test_score``, ``mean_test_score``, ``std_test_score``,
        ``rank_test_score``, and the same for training scores if requested. With several
        metrics, their names replace ``score``. ``mean_fit_time`` is the time of the
        preprocessing plus the candidate's fraction of the time of all that trained together.
    loss_curves_ : list of list of dict
        Losses of each candidate on each fold: arrays ``epoch``, ``train_loss`` and
        ``valid_loss``, and ``restored_epoch``. None for fits that failed and for estimators
        without epochs. `skae.inspection.LossCurveDisplay` draws them.
    best_estimator_ : estimator
        The best candidate, fitted on all rows. Not available if ``refit=False``.
    best_score_ : float
        Mean test score of the best candidate. Not available if ``refit`` is a callable.
    best_params_ : dict
        Parameters of the best candidate.
    best_index_ : int
        Position of the best candidate in ``cv_results_``.
    scorer_ : callable or dict
        The scorer, or a dict of scorers if there are several metrics.
    n_splits_ : int
        Number of folds.
    refit_time_ : float
        Seconds to fit the best candidate on all rows.
    multimetric_ : bool
        Whether there are several metrics.
    classes_ : ndarray of shape (n_classes,)
        The classes, if ``best_estimator_`` is a classifier.
    n_features_in_ : int
        Number of features that ``best_estimator_`` was fitted on.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, if the rows were a DataFrame."""

#: Parts of the docstrings of searches, by placeholder.
SEARCH_DOCS = {
    "<grid>": GRID,
    "<scoring>": SCORING,
    "<refit>": REFIT,
    "<validation>": VALIDATION,
    "<verbose>": VERBOSE,
    "<error_score>": ERROR_SCORE,
    "<train_score>": TRAIN_SCORE,
    "<n_jobs>": N_JOBS,
    "<pre_dispatch>": PRE_DISPATCH,
    "<checkpoint>": CHECKPOINT,
    "<found>": FOUND,
}

#: Constraints of the parameter ``checkpoint``.
CHECKPOINTS = [str, os.PathLike, Checkpoint, None]

#: Those of parameters that scikit-learn's searches do not have, or have with others.
OWN_CONSTRAINTS = {"n_jobs": JOBS, "checkpoint": CHECKPOINTS}


@with_hints
@partial(complete_docstring, docs=SEARCH_DOCS)
class BatchedGridSearchCV(BatchedSearch, GridSearchCV):
    """Cross-validated grid search that trains all candidates at once.

    It has the interface and the scores of `~sklearn.model_selection.GridSearchCV`, but is
    faster: candidates whose nets have equal shapes are trained as one batched model, over all
    folds. Candidates that differ in ``lr``, ``weight_decay`` or ``dropout`` have equal shapes;
    each ``n_components`` is a batch of its own.

    The net may be anywhere in a pipeline, or in another model. Steps before it are fitted once
    per fold for all candidates that have the same parameters there, and candidates that differ
    only behind the net share it. Models without a net of skae's are fitted one after the other.

    Read more in the :ref:`User Guide <batched_search>`.

    Parameters
    ----------
    <grid>
    <scoring>
    <n_jobs>
    <refit>
    <validation>
    <verbose>
    <pre_dispatch>
    <error_score>
    <train_score>
    <checkpoint>

    Attributes
    ----------
    <found>

    See Also
    --------
    BatchedRandomizedSearchCV : Draws candidates instead of trying all.
    BatchedHalvingGridSearchCV : Stops the poor candidates early.
    BatchedOptunaSearchCV : Chooses candidates by the scores of earlier ones.
    skae.model_selection.default_grid : What to search for.
    sklearn.model_selection.GridSearchCV : One candidate after the other.

    Notes
    -----
    All folds are trained at once, so their training rows are in memory together: with 5 folds
    that is 4 times X. For pipelines, 4 times the transformed rows are added.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skae import Autoencoder, BatchedGridSearchCV
    >>> X = load_iris().data
    >>> autoencoder = Autoencoder(max_epochs=10, check_baseline=False, random_state=0)
    >>> grid = {"n_components": [1, 2], "lr": [1e-3, 1e-2]}
    >>> search = BatchedGridSearchCV(autoencoder, grid, cv=3).fit(X)
    >>> search.best_params_["n_components"]
    2
    >>> search.cv_results_["mean_test_score"].shape
    (4,)
    >>> search.transform(X).shape
    (150, 2)
    """

    _parameter_constraints = GridSearchCV._parameter_constraints | OWN_CONSTRAINTS

    def __init__(
        self,
        estimator,
        param_grid,
        *,
        scoring=None,
        n_jobs=None,
        refit=True,
        cv=None,
        verbose=0,
        pre_dispatch="2*n_jobs",
        error_score=np.nan,
        return_train_score=False,
        checkpoint=None,
    ):
        super().__init__(
            estimator,
            param_grid,
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            verbose=verbose,
            pre_dispatch=pre_dispatch,
            error_score=error_score,
            return_train_score=return_train_score,
        )
        self.checkpoint = checkpoint

    def _candidates(self):
        return ParameterGrid(self.param_grid)


@with_hints
@partial(complete_docstring, docs=SEARCH_DOCS)
class BatchedRandomizedSearchCV(BatchedSearch, RandomizedSearchCV):
    """Cross-validated randomized search that trains all candidates at once.

    It has the interface of `~sklearn.model_selection.RandomizedSearchCV`, and draws the same
    candidates for the same ``random_state``. They are trained as in `BatchedGridSearchCV`.

    Read more in the :ref:`User Guide <batched_search>`.

    Parameters
    ----------
    estimator : estimator
        Estimator to tune: one of skae's, a pipeline with one inside, or any other estimator
        with a ``score`` method, or any at all with ``scoring``.
    param_distributions : dict or list of dict
        Names of parameters and lists of values or distributions, objects with ``rvs`` such
        as those of `scipy.stats`. With a list of dicts, one is drawn for each candidate.
    n_iter : int, default=10
        Number of candidates. If all values are lists, they are drawn without replacement,
        otherwise with replacement.
    <scoring>
    <n_jobs>
    <refit>
    <validation>
    <verbose>
    <pre_dispatch>
    random_state : int, RandomState instance or None, default=None
        Seed of the draws.
    <error_score>
    <train_score>
    <checkpoint>

    Attributes
    ----------
    <found>

    See Also
    --------
    BatchedGridSearchCV : Tries all combinations.
    BatchedHalvingGridSearchCV : Stops the poor candidates early.
    BatchedOptunaSearchCV : Chooses candidates by the scores of earlier ones.
    skae.model_selection.default_grid : What to search for.
    sklearn.model_selection.RandomizedSearchCV : One candidate after the other.

    Examples
    --------
    >>> from scipy.stats import loguniform
    >>> from sklearn.datasets import load_iris
    >>> from skae import Autoencoder, BatchedRandomizedSearchCV
    >>> X = load_iris().data
    >>> autoencoder = Autoencoder(2, max_epochs=10, check_baseline=False, random_state=0)
    >>> draw = {"lr": loguniform(1e-5, 1e-1), "loss": ["squared_error", "huber"]}
    >>> search = BatchedRandomizedSearchCV(autoencoder, draw, n_iter=4, cv=3, random_state=0)
    >>> search.fit(X).cv_results_["mean_test_score"].shape
    (4,)
    """

    _parameter_constraints = RandomizedSearchCV._parameter_constraints | OWN_CONSTRAINTS
    _space = "param_distributions"

    def __init__(
        self,
        estimator,
        param_distributions,
        *,
        n_iter=10,
        scoring=None,
        n_jobs=None,
        refit=True,
        cv=None,
        verbose=0,
        pre_dispatch="2*n_jobs",
        random_state=None,
        error_score=np.nan,
        return_train_score=False,
        checkpoint=None,
    ):
        super().__init__(
            estimator,
            param_distributions,
            n_iter=n_iter,
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            verbose=verbose,
            pre_dispatch=pre_dispatch,
            random_state=random_state,
            error_score=error_score,
            return_train_score=return_train_score,
        )
        self.checkpoint = checkpoint

    def _candidates(self):
        return ParameterSampler(
            self.param_distributions, self.n_iter, random_state=self.random_state
        )
