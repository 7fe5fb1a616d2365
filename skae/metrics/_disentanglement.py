"""Scores of codes by known factors of the samples."""

import numpy as np
import pandas as pd
from sklearn.metrics import mutual_info_score
from sklearn.utils import check_array, check_scalar

from skae._data.dtypes import inferred
from skae._data.frames import as_table
from skae._data.given import as_data


def mutual_information_gap(codes, factors, *, n_bins=20):
    """Return how far each factor of the samples is in one unit of the code alone.

    For each factor it is the difference between the mutual information of the unit that tells
    most of it and that of the next one, as a fraction of the factor's entropy [1]_. It takes
    samples whose factors are known and independent of each other. Of n samples, each mutual
    information is estimated from the counts of bins, about ``n_bins**2 / (2 * n)`` nats too high,
    so take thousands.

    Parameters
    ----------
    codes : array-like of shape (n_samples, n_components)
        As ``transform`` returns them.
    factors : array-like or DataFrame of shape (n_samples, n_factors) or (n_samples,)
        Classes or numbers. Numbers of more than ``n_bins`` different values are put into bins.
    n_bins : int, default=20
        Number of bins of equal width, from the smallest to the largest value of each unit.

    Returns
    -------
    gap : float
        The mean over the factors. 1 is perfect: each factor has a unit that tells it, and no
        other unit tells anything of it. 0 is as bad as a factor in equal parts in several units.

    Raises
    ------
    TypeError, ValueError
        If the numbers of samples differ, if values are missing, if a factor is the same in all
        samples, or if ``n_bins`` is not an integer of at least 2.

    References
    ----------
    .. [1] R. T. Q. Chen, X. Li, R. Grosse and D. Duvenaud, "Isolating sources of
       disentanglement in variational autoencoders", NeurIPS 2018. :arxiv:`1802.04942`

    Examples
    --------
    >>> import numpy as np
    >>> from skae.metrics import mutual_information_gap
    >>> rng = np.random.default_rng(0)
    >>> factors = rng.integers(0, 4, (5000, 2))
    >>> mutual_information_gap(factors, factors) > 0.99
    True
    >>> rotated = factors @ [[1, 1], [1, -1]]
    >>> mutual_information_gap(rotated, factors) < 0.1
    True
    """
    check_scalar(n_bins, "n_bins", int, min_val=2)
    codes = check_array(as_data(codes, "codes"), dtype=np.float64, input_name="codes")
    factors = _read_factors(factors)
    if len(codes) != len(factors):
        raise ValueError(
            f"codes has {len(codes)} samples, but factors has {len(factors)}: give one row for each"
        )
    units = [_in_bins(unit, n_bins) for unit in codes.T]
    return float(np.mean([_gap(units, factor, n_bins) for factor in factors.T]))


def _read_factors(factors):
    """Return factors as an array of numbers, those of classes where they are no numbers."""
    factors = as_data(factors, "factors")
    if np.ndim(factors) == 1:
        factors = np.asarray(factors)[:, None]
    columns = [inferred(np.asarray(column, dtype=object)) for column in _columns(factors)]
    for i, column in enumerate(columns):
        if pd.isna(column).any():
            raise ValueError(f"factors has a missing value in column {i}. Leave such samples out.")
        if len(pd.unique(column)) < 2:
            raise ValueError(
                f"Column {i} of factors is the same in all samples, so codes cannot tell it. Leave "
                "it out."
            )
    numbers = [c if c.dtype.kind in "iuf" else pd.factorize(c)[0] for c in columns]
    return np.column_stack([column.astype(np.float64) for column in numbers])


def _columns(factors):
    """Return the columns of a table."""
    table = as_table(factors, "factors")
    return table.T if isinstance(table, np.ndarray) else table.iter_columns()


def _in_bins(values, n_bins):
    """Return the bin of each value; bins have equal widths."""
    edges = np.linspace(values.min(), values.max(), n_bins + 1)[1:-1]
    return np.digitize(values, edges)


def _gap(units, factor, n_bins):
    classes = np.unique(factor, return_inverse=True)[1]
    if classes.max() >= n_bins:
        classes = _in_bins(factor, n_bins)
    told = sorted(mutual_info_score(unit, classes) for unit in units)
    second = told[-2] if len(told) > 1 else 0.0
    return (told[-1] - second) / mutual_info_score(classes, classes)
