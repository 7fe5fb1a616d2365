"""The function ``fit_many``: many estimators, fitted at once."""

import numpy as np
from joblib import effective_n_jobs
from sklearn.utils import indexable

from skae._data.given import as_data
from skae._params import JOBS, refuse_class
from skae._sklearn import num_samples, safe_indexing, validate_parameter_constraints
from skae._training.fits import FitTask, fit_all


def fit_many(estimators, X, y=None, *, rows=None, sample_weight=None, n_jobs=None, verbose=0):
    """Fit many estimators at once.

    Estimators whose nets have equal shapes train as one batched model. Small nets spend most of
    their time in function calls, and one call for many nets costs little more than a call for
    one. Each net keeps its own learning rate, weight decay, noise, penalties, dropout, seed,
    order of batches, and rows. Each estimator is as if it had been fitted alone: bit for bit on a
    CPU with one thread, otherwise up to rounding, which learning rates that are too high can
    amplify.

    Nets can train together if X holds rows of numbers, the layers are those of
    `skae.architectures.Dense`, and the optimizer is an elementwise one of `torch.optim`, such
    as Adam. All others are fitted one by one.

    Read more in the :ref:`User Guide <many_models>`.

    Parameters
    ----------
    estimators : list of estimator
        Estimators to fit. They are fitted in place, not cloned as in a grid search.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Training rows, or other data that the estimators take, such as images.
    y : array-like of shape (n_samples, ...) or None, default=None
        Targets, for estimators that need them.
    rows : list of (array-like of int or None) or None, default=None
        Rows to fit each estimator on, as positions or as a mask. None is all rows.
    sample_weight : array-like of shape (n_samples,) or None, default=None
        Weight of each row in the loss.
    n_jobs : int or None, default=None
        Number of processes that share the estimators. None is this one, -1 as many as there
        are cores.
    verbose : int, default=0
        1 prints how many train together, and why others do not. 2 also shows a progress bar over
        all fits.

    Returns
    -------
    estimators : list of estimator
        The same ones, fitted.

    Raises
    ------
    ValueError
        If ``rows`` does not have one entry for each estimator, if an entry has no rows, if
        ``n_jobs`` is 0, if estimators share a ``RandomState`` although ``n_jobs`` is above 1, or
        if a fit fails. The other estimators are fitted even then.
    TypeError
        If ``estimators`` is not a list of estimators.

    See Also
    --------
    BatchedGridSearchCV : Fits all candidates of a grid on all folds.
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
    validate_parameter_constraints({"n_jobs": JOBS}, {"n_jobs": n_jobs}, "fit_many")
    estimators = _checked(estimators)
    rows = [None] * len(estimators) if rows is None else list(rows)
    if len(rows) != len(estimators):
        raise ValueError(
            f"rows must have an entry for each of the {len(estimators)} estimators; got {len(rows)}"
        )
    if len({id(estimator) for estimator in estimators}) < len(estimators):
        raise ValueError("estimators holds one more than once: clone it, with another seed")
    _check_random_states(estimators, n_jobs)
    as_data(X)  # which the estimators read themselves, as they do later
    if any(which is not None for which in rows):
        X, y, sample_weight = indexable(X, y, sample_weight)
    subsets, fits = {}, []
    for i, (estimator, which) in enumerate(zip(estimators, rows, strict=True)):
        if id(which) not in subsets:  # those with the same rows share memory
            which_rows = None if which is None else _positions(which, i, num_samples(X))
            subsets[id(which)] = _select(which_rows, X, y, sample_weight)
        data, params = subsets[id(which)]
        fits.append(FitTask(estimator, *data, **params))
    title = "fit_many" if verbose > 1 else None
    done = fit_all(fits, n_jobs, verbose, title, in_order=True)
    errors = [fit.error for fit in done]
    for i, error in enumerate(errors):
        if error is not None:
            error.add_note(f"This was the fit of estimators[{i}].")
            raise error
    return estimators


def _checked(estimators):
    refuse_class("estimators", estimators)
    if hasattr(estimators, "fit"):
        raise TypeError(
            f"estimators must be a list of estimators; got a single one, {estimators!r}. Its own "
            "fit does."
        )
    estimators = list(estimators)
    for i, estimator in enumerate(estimators):
        refuse_class(f"estimators[{i}]", estimator)
        if not hasattr(estimator, "fit"):
            raise TypeError(
                f"estimators must hold objects with a fit method; estimators[{i}] is {estimator!r}"
            )
    return estimators


def _check_random_states(estimators, n_jobs):
    """Reject generators that estimators share if each process would get a copy."""
    given = [getattr(estimator, "random_state", None) for estimator in estimators]
    generators = [id(state) for state in given if isinstance(state, np.random.RandomState)]
    if effective_n_jobs(n_jobs) > 1 and len(set(generators)) < len(generators):
        raise ValueError(
            "n_jobs copies a RandomState that several estimators share, and they would draw the "
            "same: give each an int as random_state"
        )


def _positions(which, i, n_samples):
    """Return which rows the i-th estimator is fitted on, as an array of positions."""
    positions = np.asarray(which)
    if positions.dtype == bool and positions.shape == (n_samples,):
        positions = np.flatnonzero(positions)
    if positions.ndim != 1 or len(positions) == 0 or positions.dtype.kind not in "iu":
        raise ValueError(f"rows[{i}] must hold positions of rows, or be None; got {which!r}")
    if positions.min() < 0 or positions.max() >= n_samples:
        raise ValueError(
            f"rows[{i}] goes from {positions.min()} to {positions.max()}, but X has {n_samples} "
            "rows, from 0 on"
        )
    return positions


def _select(which, X, y, sample_weight):
    """Return the positional and the keyword arguments of ``fit`` for some rows."""

    def select(array):
        return array if which is None else safe_indexing(array, which)

    data = (X,) if y is None else (X, y)
    params = {} if sample_weight is None else {"sample_weight": select(sample_weight)}
    return tuple(map(select, data)), params
