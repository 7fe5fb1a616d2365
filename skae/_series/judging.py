"""How unusual windows are to an estimator, and which of their cells make them so."""

import warnings

import numpy as np

from skae._estimators.fitted import FittedAutoencoder
from skae._outliers.training_scores import scores_of
from skae._outliers.wrapped import seeded
from skae._series.subspace import PrincipalWindows
from skae.exceptions import ExtrapolationWarning


def original_of(estimator, seed, n_features):
    """Return the estimator to fit clones of, or say what it lacks."""
    if isinstance(estimator, str) and estimator == "auto":
        return PrincipalWindows(n_features)
    if not (_reconstructs(estimator) or hasattr(estimator, "score_samples")):
        raise ValueError(
            'estimator must be "auto", or have reconstruct, inverse_transform or score_samples, '
            f"as autoencoders, PCA, IsolationForest and OutlierDetector have; got {estimator!r}"
        )
    return seeded(estimator, seed)


def _reconstructs(estimator):
    return isinstance(estimator, FittedAutoencoder) or hasattr(estimator, "inverse_transform")


def input_of(windows, estimator):
    """Return windows in the shape that an estimator takes.

    Parameters
    ----------
    windows : ndarray of shape (n_windows, length, n_features)
    estimator : estimator
        Autoencoders of sequences take windows as they are, those of images
        channels first, all others as rows of a table.
    """
    windows = windows.astype(np.float32)
    kind = getattr(estimator, "_input_kind", "arrays")
    if kind == "sequences":
        return windows
    if kind == "images":
        return np.ascontiguousarray(windows.swapaxes(1, 2))
    return windows.reshape(len(windows), -1)


class WindowJudge:
    """A fitted estimator that judges windows by its scores.

    Parameters
    ----------
    estimator : estimator
    """

    def __init__(self, estimator):
        self.estimator = estimator

    @staticmethod
    def of(estimator):
        """Return what judges windows by a fitted estimator."""
        if isinstance(estimator, PrincipalWindows):
            return SubspaceJudge(estimator)
        return (ReconstructionJudge if _reconstructs(estimator) else WindowJudge)(estimator)

    def errors(self, windows):
        """Return how unusual windows are: the higher, the more.

        Parameters
        ----------
        windows : ndarray of shape (n_windows, length, n_features)

        Returns
        -------
        ndarray of shape (n_windows,)
        """
        return -scores_of(self.estimator, input_of(windows, self.estimator))

    def cell_errors(self, windows):
        """Return how unusual cells are: here, what their feature adds to the score.

        Returns
        -------
        ndarray of shape (n_windows, length, n_features)
            At least 0.
        """
        errors = self.errors(windows)
        added = np.empty(windows.shape)
        for feature in range(windows.shape[2]):
            usual = windows.copy()
            usual[:, :, feature] = 0  # the center of the feature
            added[:, :, feature] = np.maximum(errors - self.errors(usual), 0)[:, None]
        return added


class SubspaceJudge(WindowJudge):
    """Principal components of windows, which know what each cell adds."""

    def cell_errors(self, windows):
        errors = self.estimator.cell_errors(input_of(windows, self.estimator))
        return errors.reshape(windows.shape)


class ReconstructionJudge(WindowJudge):
    """An estimator that reconstructs windows, which are judged by their distance from that."""

    def errors(self, windows):
        return np.sqrt(self.cell_errors(windows).sum((1, 2), dtype=np.float64))

    def cell_errors(self, windows):
        X = input_of(windows, self.estimator)
        with warnings.catch_warnings():  # values far beyond those of the fit are what is looked for
            warnings.simplefilter("ignore", ExtrapolationWarning)
            squares = np.square(self._reconstructed(X) - X)
        if getattr(self.estimator, "_input_kind", "arrays") == "images":
            return squares.swapaxes(1, 2)
        return np.reshape(squares, windows.shape)

    def _reconstructed(self, X):
        if isinstance(self.estimator, FittedAutoencoder):
            return self.estimator.reconstruct(X)
        return self.estimator.inverse_transform(self.estimator.transform(X))
