"""Parts of models that are scikit-learn's: those that hold parts of skae, and all others."""

from functools import cache

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.discovery import all_estimators

from skae._persistence.archive import check_sizes
from skae._persistence.errors import FileError

#: What files may hold beside the types that skops trusts by itself. Loading them runs nothing.
TRUSTED = (
    "numpy.dtype",
    "numpy.mean",
    "scipy.sparse._csr.csr_matrix",
    "sklearn._loss.loss.",
    "sklearn.calibration._",
    "sklearn.feature_selection._univariate_selection.",
    "sklearn.gaussian_process.",
    "sklearn.neural_network._stochastic_optimizers.",
)


def is_of_sklearn(value):
    """Say whether an object is of a class of scikit-learn."""
    return type(value).__module__.partition(".")[0] == "sklearn"


def full_name(cls):
    """Return the name of a class with its module."""
    return f"{cls.__module__}.{cls.__qualname__}"


@cache
def estimators():
    """Return the estimators of scikit-learn, by full name."""
    return {full_name(cls): cls for _, cls in all_estimators()}


def inner_parts(value, seen=None):
    """Yield an object and all that it holds, at any depth."""
    seen = {} if seen is None else seen
    if id(value) in seen or isinstance(value, (str, bytes, int, float, type(None))):
        return
    seen[id(value)] = value
    yield value
    if isinstance(value, dict):
        held = value.values()
    elif isinstance(value, BaseEstimator):
        held = vars(value).values()
    elif isinstance(value, np.ndarray) and value.dtype.kind == "O":
        held = value.flat
    else:
        held = value if isinstance(value, (list, tuple, set)) else ()
    for one in held:
        yield from inner_parts(one, seen)


def dump(value):
    """Return an object of scikit-learn as skops writes it.

    Raises
    ------
    ValueError
        If it holds what is not trusted.
    """
    io = _skops_io()
    try:
        data = io.dumps(value)
    except Exception as error:  # of many types
        raise ValueError(f"which skops cannot write ({error})") from error
    if unknown := _unknown(data):
        raise ValueError(f"which holds {', '.join(unknown)}")
    return data


def load(data):
    """Return what ``dump`` wrote.

    Raises
    ------
    FileError
        If it holds what ``dump`` would have refused.
    """
    check_sizes(data)
    if unknown := _unknown(data):
        raise FileError(f"holds {', '.join(unknown)}, which skae.save does not write.")
    io = _skops_io()
    return io.loads(data, trusted=io.get_untrusted_types(data=data))


def _unknown(data):
    names = _skops_io().get_untrusted_types(data=data)
    return [name for name in names if not name.startswith(TRUSTED)]


def _skops_io():
    import skops.io  # it imports all of scikit-learn

    return skops.io
