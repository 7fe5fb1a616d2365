"""How many steps to decode a code to, where nobody says."""

import numpy as np
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def fit_lengths(codes, lengths):
    """Fit a regression of the lengths of sequences on their codes.

    Parameters
    ----------
    codes : ndarray of shape (n_samples, n_components)
    lengths : ndarray of int, shape (n_samples,)

    Returns
    -------
    sklearn.pipeline.Pipeline
        With the smallest and the largest length as ``range_``.
    """
    regressor = make_pipeline(StandardScaler(), Ridge()).fit(codes, lengths)
    regressor.range_ = int(lengths.min()), int(lengths.max())
    return regressor


def expected_lengths(regressor, codes):
    """Return the lengths to expect of codes, within the range of those that were fitted.

    Returns
    -------
    ndarray of int, shape (n_samples,)
    """
    return np.rint(regressor.predict(codes)).clip(*regressor.range_).astype(int)
