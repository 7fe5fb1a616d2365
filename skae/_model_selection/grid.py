"""Searches for parameters in which all candidates are trained at once."""

from functools import partial

from sklearn.model_selection import (
    GridSearchCV,
    ParameterGrid,
    ParameterSampler,
    RandomizedSearchCV,
)

from skae._model_selection.base import BatchedSearch
from skae._params import complete_docstring

GRID = """\
estimator : estimator
        What to find parameters for: one of skae's, a pipeline that ends in one, or any other
        estimator with a ``score`` method, or any at all with ``scoring``.
    param_grid : dict or list of dict
        Names of parameters and lists of the values to try, all combinations of them; the
        combinations of each dict if there are many. Those of steps of a pipeline are
        ``<step>__<name>``."""

SCORING = """\
scoring : str, callable, list, tuple, dict or None, default=None
        What the candidates are compared by: the name of a metric or a callable
        ``scorer(estimator, X, y)``. Many, as a list of names, a dict of callables or a
        callable that returns a dict, are all computed. None is the ``score`` method."""

REFIT = """\
refit : bool, str or callable, default=True
        Whether to fit the best candidate on all rows, as ``best_estimator_``. With many
        metrics, the name of the one that chooses. A callable takes ``cv_results_`` and
        returns the ``best_index_``."""

VALIDATION = """\
cv : int, splitter, iterable or None, default=None
        How rows are split into folds: into how many, a splitter of scikit-learn, or pairs of
        arrays of training and test indices. None is 5 folds."""

VERBOSE = """\
verbose : int, default=0
        1 shows the number of fits and how far they are, 2 the scores of each too, 0
        nothing."""

ERROR_SCORE = """\
error_score : "raise" or float, default=nan
        Score of candidates whose fit or scoring fails; the others go on, and a warning says
        what failed. "raise" ends the search with the error."""

TRAIN_SCORE = """\
return_train_score : bool, default=False
        Whether to score candidates on the rows that they were fitted on too."""

N_JOBS = """\
n_jobs : int or None, default=None
        Number of processes that share the training. None is this one, -1 as many as there are
        cores."""

PRE_DISPATCH = """\
pre_dispatch : int or str, default="2*n_jobs"
        Of no effect, for the sake of scikit-learn's searches."""

FOUND = """\
cv_results_ : dict of ndarray
        Scores and times of each candidate, to be read as a DataFrame: ``params``,
        ``param_<name>``, ``split<i>_test_score``, ``mean_test_score``, ``std_test_score``,
        ``rank_test_score`` and the like for training scores if asked for, with the name of the
        metric for ``score`` if there are many. ``mean_fit_time`` is a candidate's share
        of the seconds of those it was trained with, and those of its preprocessing.
    best_estimator_ : estimator
        The best candidate, fitted on all rows. Not there if ``refit=False``.
    best_score_ : float
        Mean test score of the best candidate. Not there if ``refit`` is a callable.
    best_params_ : dict
        Parameters of the best candidate.
    best_index_ : int
        Where in ``cv_results_`` the best candidate is.
    scorer_ : callable or dict
        What scored, by name if there are many metrics.
    n_splits_ : int
        Number of folds.
    refit_time_ : float
        Seconds that it took to fit the best candidate on all rows.
    multimetric_ : bool
        Whether there are many metrics.
    classes_ : ndarray of shape (n_classes,)
        The classes, if ``best_estimator_`` is a classifier.
    n_features_in_ : int
        Number of features that ``best_estimator_`` was fitted on.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, if the rows were a DataFrame."""

#: What docstrings of searches can refer to by name.
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
    "<found>": FOUND,
}


@partial(complete_docstring, docs=SEARCH_DOCS)
class BatchedGridSearchCV(BatchedSearch, GridSearchCV):
    """Cross-validated search over a grid, in which all candidates are trained at once.

    It takes and gives what `~sklearn.model_selection.GridSearchCV` does, with the same
    scores, and is faster: candidates whose nets have equal shapes are trained as one
    stacked model, over all folds. Candidates that differ in ``lr``, ``weight_decay`` or
    ``dropout`` have equal shapes; each ``n_components`` makes a stack of its own.

    In pipelines the steps before the last one are fitted once per fold for all candidates
    that have the same parameters there. Estimators that are not skae's are fitted one
    after the other.

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

    Attributes
    ----------
    <found>

    See Also
    --------
    BatchedRandomizedSearchCV : Draws candidates instead of trying all.
    BatchedHalvingGridSearchCV : Stops the poor candidates early.
    sklearn.model_selection.GridSearchCV : One candidate after the other.

    Notes
    -----
    All folds are trained at once, so that their training rows are in memory together:
    with 5 folds that is 4 times X, for pipelines 4 times more for what is transformed.

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

    def _candidates(self):
        return ParameterGrid(self.param_grid)


@partial(complete_docstring, docs=SEARCH_DOCS)
class BatchedRandomizedSearchCV(BatchedSearch, RandomizedSearchCV):
    """Cross-validated search over drawn candidates, which are all trained at once.

    It takes and gives what `~sklearn.model_selection.RandomizedSearchCV` does, and draws the
    same candidates from the same ``random_state``. How they are trained is said at
    `BatchedGridSearchCV`.

    Read more in the :ref:`User Guide <batched_search>`.

    Parameters
    ----------
    estimator : estimator
        What to find parameters for: one of skae's, a pipeline that ends in one, or any other
        estimator with a ``score`` method, or any at all with ``scoring``.
    param_distributions : dict or list of dict
        Names of parameters and lists of values or distributions, objects with ``rvs`` such
        as those of `scipy.stats`. Of many dicts, one is drawn for each candidate.
    n_iter : int, default=10
        How many candidates are drawn: without replacement from lists alone, otherwise with.
    <scoring>
    <n_jobs>
    <refit>
    <validation>
    <verbose>
    <pre_dispatch>
    random_state : int, RandomState instance or None, default=None
        Source of what is drawn.
    <error_score>
    <train_score>

    Attributes
    ----------
    <found>

    See Also
    --------
    BatchedGridSearchCV : Tries all combinations.
    BatchedHalvingGridSearchCV : Stops the poor candidates early.
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

    _space = "param_distributions"

    def _candidates(self):
        return ParameterSampler(
            self.param_distributions, self.n_iter, random_state=self.random_state
        )
