"""Scores that any estimator gives training rows, and what known anomalies among them teach."""

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import ArpackError
from sklearn.utils import gen_batches

from skae._data.rows import take_rows
from skae._outliers.explanation import MAX_CELLS
from skae._outliers.known_anomalies import KnownAnomalies
from skae._outliers.labels import ANOMALY
from skae._outliers.outlier_scorer import OutlierScorer
from skae._sklearn import num_samples

#: Scores are clipped so that their differences are finite: log densities can be -inf.
MAX_SCORE = np.finfo(np.float64).max / 4

#: What estimators raise whose linear algebra has no result.
NUMERICAL_ERRORS = (np.linalg.LinAlgError, ArpackError, ArithmeticError)


def scores_of(estimator, X):
    """Return the scores of an estimator, clipped; raise an error if they hold NaN."""
    scores = scores_with_missing(estimator, X)
    if np.isnan(scores).any():
        raise ValueError(
            f"{type(estimator).__name__} gives NaN as the score of row "
            f"{np.flatnonzero(np.isnan(scores))[0]}. Look there for values that it cannot handle."
        )
    return scores


def scores_with_missing(estimator, X):
    """Return the scores of an estimator, clipped; NaN where it has none."""
    try:
        scores = estimator.score_samples(X)
    except NUMERICAL_ERRORS as error:
        raise numerical_error(error, estimator) from error
    except TypeError:
        if not sparse.issparse(X):
            raise
        # PCA, for example, can be fitted on sparse rows, but scores only dense ones.
        X = X.tocsr()
        parts = gen_batches(X.shape[0], max(1, MAX_CELLS // X.shape[1]))
        scores = np.concatenate([estimator.score_samples(X[part].toarray()) for part in parts])
    return np.clip(np.asarray(scores, np.float64), -MAX_SCORE, MAX_SCORE)


def training_scores_of(estimator, X, of_all):
    """Return positions of training rows, all or those that were learned from, and their scores."""
    if isinstance(estimator, OutlierScorer) and not of_all:
        return estimator.sample_indices_, estimator.training_scores_
    return np.arange(num_samples(X)), scores_of(estimator, X)


def held_out_scores_of(X, folds, fitted):
    """Return the scores of rows, each by the estimators that were not fitted on it, or NaN."""
    totals, counts = np.zeros((2, num_samples(X)))
    for (_, test), estimator in zip(folds, fitted, strict=True):
        totals[test] += scores_of(estimator, take_rows(X, test))
        counts[test] += 1
    return np.divide(totals, counts, out=np.full(len(totals), np.nan), where=counts > 0)


def learn_known(estimator, X, labels, scores, held_out_scores, rng):
    """Learn from known anomalies.

    ``scores`` and ``held_out_scores`` are of the other rows. Return what was learned, by how much
    it lowers the scores of the other rows, and the scores of all rows.
    """
    is_known = labels == ANOMALY
    of_all = np.empty(len(labels))
    of_all[is_known] = scores_of(estimator, take_rows(X, np.flatnonzero(is_known)))
    of_all[~is_known] = np.where(np.isnan(held_out_scores), scores, held_out_scores)
    known = KnownAnomalies(X, labels, of_all, rng)
    of_all[~is_known] = scores
    return known, known.penalties[~is_known], known.lowered(X, of_all)


def numerical_error(error, estimator):
    """Return an error of linear algebra, which names nothing, as one that says what to do."""
    return ValueError(
        f"{type(estimator).__name__} cannot compute with X: {str(error).rstrip('.')}. Its rows may "
        "be too few, or columns constant or copies of others: leave such columns out, or give "
        "another estimator, such as IsolationForest() or None, the default."
    )
