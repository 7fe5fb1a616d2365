"""Warns of a y that an autoencoder ignores although it looks like targets."""

import numpy as np
from scipy import sparse

from skae._data.dataset import Dataset
from skae._data.frames import narwhals_frame
from skae._data.given import as_data
from skae.exceptions import DataWarning, warn

#: Samples and columns that are compared, at most.
MAX_SAMPLES, MAX_COLUMNS = 1000, 100

#: y holds other values of the samples of X if most columns correlate most with their own column of
#: X, and the correlation is so many times its standard error.
MOST, SURELY = 0.5, 4.0

#: What to do instead.
_PREDICT = (
    "To predict y from X, take ImageToImageRegressor for images, or a regressor of scikit-learn, "
    "such as MLPRegressor, for rows. DenoisingAutoencoder damages samples itself: fit it on clean "
    "samples, without y."
)


def warn_if_y_is_meant(name, X, y):
    """Warn of a y that is ignored although it holds samples like those of X, or images.

    Labels for other steps of a pipeline give no warning. They may have as many columns as X by
    chance. But then a column of y is not more like its own column of X than like others.

    Parameters
    ----------
    name : str
        Of the estimator.
    X, y : object
        What the user gave.

    Returns
    -------
    bool
        Whether there was a warning.
    """
    if y is None or y is X or isinstance(X, Dataset):
        return False
    try:
        found = _why_meant(as_data(X), as_data(y, "y"))
    except (TypeError, ValueError):  # no samples, or none of numbers
        return False
    if found is not None:
        warn(f"{name} ignores y, as it learns to restore X itself. {found}", DataWarning)
    return found is not None


def _why_meant(X, y):
    """Return what to say of a y that holds no labels, or None."""
    X, y = _samples(X), _samples(y)
    shape, shape_of_y = _sample_shape(X), _sample_shape(y)
    if not shape_of_y:
        return None
    if shape != shape_of_y:
        has_axes = len(shape_of_y) > 1
        return f"Here y holds arrays of shape {shape_of_y}. {_PREDICT}" if has_axes else None
    if shape == (1,):
        return None
    n, n_of_y = _length(X), _length(y)
    if n != n_of_y:
        return f"X has {n} samples, y {n_of_y} more of the kind. To validate, give them as X_val."
    which = np.unique(np.linspace(0, n - 1, MAX_SAMPLES).astype(int))
    X, y = _columns(X, which), _columns(y, which)
    if X.shape == y.shape and np.array_equal(X, y, equal_nan=True):
        return None
    if len(shape) > 1 or _are_alike(X, y):
        return f"Here y holds the samples of X with other values. {_PREDICT}"
    return None


def _samples(data):
    """Return samples as an array, a sparse matrix or, if they are of many shapes, a list."""
    frame = narwhals_frame(data)
    if frame is not None:
        return frame.to_numpy()
    if not isinstance(data, (list, tuple)):
        return data if sparse.issparse(data) else np.asarray(data)
    try:
        return np.asarray(data, dtype=float)
    except ValueError:
        return [np.asarray(sample, dtype=float) for sample in data]


def _length(samples):
    return samples.shape[0] if sparse.issparse(samples) else len(samples)


def _sample_shape(samples):
    """Return the shape of a sample; None stands for a length that differs."""
    if isinstance(samples, list):
        return (None, *samples[0].shape[1:])
    return samples.shape[1:]


def _columns(samples, which):
    """Return some samples as rows of numbers, or all steps of sequences."""
    if isinstance(samples, list):
        return np.concatenate([samples[i].reshape(len(samples[i]), -1) for i in which])
    chosen = samples.tocsr()[which].toarray() if sparse.issparse(samples) else samples[which]
    return chosen.reshape(len(which), -1).astype(float)


def _are_alike(X, y):
    """Say whether most columns of y are more correlated with their own of X than with others."""
    which = np.unique(np.linspace(0, X.shape[1] - 1, MAX_COLUMNS).astype(int))
    X, y = _standardized(X[:, which]), _standardized(y[:, which])
    varies = X.any(axis=0) & y.any(axis=0)
    if varies.sum() < 2:
        return False
    correlations = X[:, varies].T @ y[:, varies]
    is_own = correlations.argmax(axis=1) == np.arange(varies.sum())
    is_sure = np.diag(correlations) > SURELY / len(X) ** 0.5
    return (is_own & is_sure).mean() > MOST


def _standardized(values):
    """Return columns of mean 0 and of length 1, or 0 where they are constant."""
    values = np.nan_to_num(values - np.nanmean(values, axis=0))
    lengths = np.linalg.norm(values, axis=0)
    return values / np.where(lengths > 0, lengths, 1)
