"""Prediction of the length of a sequence from its code."""

import numpy as np
from scipy import sparse
from sklearn.compose import TransformedTargetRegressor
from sklearn.dummy import DummyRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR

#: Sequences to fit on, at most: the time grows with the square of their number.
MAX_SEQUENCES = 1_000


#: Codes are cut to this: squares of their distances are finite in float32.
MAX_CODE = 1e15


def fit_lengths(encode, lengths):
    """Fit a regressor of the lengths of sequences from their codes.

    Parameters
    ----------
    encode : callable
        Returns the codes. Only called if lengths differ.
    lengths : ndarray of int, shape (n_samples,)

    Returns
    -------
    estimator
        With the smallest and the largest length as ``range_``.
    """
    shortest, longest = int(lengths.min()), int(lengths.max())
    if shortest == longest:
        regressor = DummyRegressor().fit(lengths[:, None], lengths)
    else:
        by_code = make_pipeline(StandardScaler(), SVR(C=10.0))
        regressor = TransformedTargetRegressor(by_code, transformer=StandardScaler())
        regressor.fit(encode(), lengths)
    regressor.range_ = shortest, longest
    return regressor


def expected_lengths(regressor, codes):
    """Return the predicted lengths of codes, clipped to the range of the training lengths.

    Returns
    -------
    ndarray of int, shape (n_samples,)
    """
    codes = codes.toarray() if sparse.issparse(codes) else codes
    codes = np.clip(codes, -MAX_CODE, MAX_CODE)
    return np.rint(regressor.predict(codes)).clip(*regressor.range_).astype(int)
