"""Principal components of windows, and how unusual windows are within and beside them."""

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.decomposition import PCA

#: Share of the variance of windows that the components hold.
VARIANCE = 0.93

#: Errors that rounding can cause, in spreads of the features.
ROUNDING = 1e-6


class PrincipalWindows(BaseEstimator):
    """A linear autoencoder of windows, and their distance from what it learned.

    The distance has two parts: the error of the reconstruction (Q), and how far the code is from
    the center, in standard deviations of each component (Hotelling's T-squared) [1]_. Both are
    divided by their medians in training. The second counts less the more features there are: how
    sensors go together then says more, and levels drift from one day to the next. Of a single
    feature, a level that was never seen is all that there is to see.

    Parameters
    ----------
    n_features : int, default=1
        Features of the series that the windows are from.

    Attributes
    ----------
    pca_ : PCA
        The components.

    References
    ----------
    .. [1] J. E. Jackson and G. S. Mudholkar, "Control procedures for residuals associated with
       principal component analysis", Technometrics 21, 1979.
    """

    def __init__(self, n_features=1):
        self.n_features = n_features

    def fit(self, X, y=None):
        """Learn the components of windows, shape (n_windows, n_values)."""
        del y
        if len(X) == 1:
            X = np.repeat(X, 2, axis=0)  # a single window has no variance either
        with np.errstate(invalid="ignore"):  # windows that are all the same have no variance
            self.pca_ = PCA(VARIANCE, svd_solver="covariance_eigh").fit(X)
        total = X.var(0, dtype=np.float64).sum()
        of_components = self.pca_.explained_variance_.astype(np.float64)
        least = max(ROUNDING * total, ROUNDING * X.shape[1])
        self.variances_ = np.maximum(of_components, least)
        # Not means: a fault in training must not make all else look usual.
        residuals, codes = self._parts(X)
        self.usual_error_ = max(np.median(_squares(residuals)), least)
        of_codes = np.median(np.square(codes) @ (1 / self.variances_))
        weight = self.n_features**2 * max(of_codes, ROUNDING)
        self.code_weights_ = 1 / (weight * self.variances_)
        return self

    def _parts(self, X):
        codes = self.pca_.transform(X)
        return X - self.pca_.inverse_transform(codes), codes

    def score_samples(self, X):
        """Return minus the distance of windows, shape (n_windows,)."""
        residuals, codes = self._parts(X)
        squares = _squares(residuals) / self.usual_error_ + np.square(codes) @ self.code_weights_
        distances = np.sqrt(squares)
        return -np.where(distances < ROUNDING, 0, distances)

    def cell_errors(self, X):
        """Return what each value adds to the squared distance, at least 0, shape of X."""
        residuals, codes = self._parts(X)
        of_codes = (codes * self.code_weights_) @ self.pca_.components_ * (X - self.pca_.mean_)
        return np.maximum(np.square(residuals) / self.usual_error_ + of_codes, 0)


def _squares(residuals):
    return np.square(residuals).sum(1, dtype=np.float64)
