"""The results of several completed tables as one: Rubin's rules."""

from numbers import Real

import numpy as np
from scipy.stats import t
from sklearn.utils import Bunch, check_scalar

from skae._data.checks import as_numbers


def pool_estimates(estimates, variances, *, df_complete=None, confidence_level=0.95):
    """Join the results of several completed tables by Rubin's rules.

    Each table gives an estimate, such as a mean or the coefficients of a regression, and its
    squared standard error, as if the table had always been complete. The variance of the joint
    estimate is the mean of these squares, and what the estimates differ by: the more is
    unknown of the missing cells, the wider is the interval [1]_.

    Parameters
    ----------
    estimates : array-like of shape (n_imputations, ...)
        The estimate, or several in an array, of each table.
    variances : array-like of shape (n_imputations, ...)
        Their squared standard errors.
    df_complete : float or None, default=None
        Degrees of freedom that an estimate of a complete table has, such as ``n_samples - 1`` for
        a mean [2]_. None is infinity, for large tables.
    confidence_level : float, default=0.95
        Probability that the interval holds the true value.

    Returns
    -------
    result : :class:`~sklearn.utils.Bunch`
        Of numbers, or of arrays if each table has an array of estimates.

        estimate : float or ndarray
            The mean over the tables.
        std_error : float or ndarray
            Its standard error.
        low, high : float or ndarray
            The ends of the confidence interval.
        degrees_of_freedom : float or ndarray
            Those of the t distribution of the interval.
        missing_fraction : float or ndarray
            Estimated fraction of the information on the estimate that is missing.

    Raises
    ------
    ValueError
        If there are fewer than two tables, if a variance is negative, or if the shapes of
        ``estimates`` and ``variances`` differ.

    See Also
    --------
    TabularImputer : Draws completed tables.

    References
    ----------
    .. [1] D. B. Rubin, "Multiple imputation for nonresponse in surveys", Wiley, 1987.
    .. [2] J. Barnard and D. B. Rubin, "Small-sample degrees of freedom with multiple
       imputation", Biometrika 86, 1999.

    Examples
    --------
    >>> from skae import pool_estimates
    >>> result = pool_estimates([4.9, 5.1, 5.3], [0.04, 0.05, 0.04], df_complete=99)
    >>> print(f"{result.estimate:.2f} from {result.low:.2f} to {result.high:.2f}")
    5.10 from 4.33 to 5.87
    """
    estimates = as_numbers(estimates, "estimates").astype(np.float64)
    variances = as_numbers(variances, "variances").astype(np.float64)
    _check(estimates, variances)
    check_scalar(confidence_level, "confidence_level", Real, min_val=0, max_val=1)
    df_complete = np.inf if df_complete is None else df_complete
    check_scalar(df_complete, "df_complete", Real, min_val=1)
    estimate, within = estimates.mean(0), variances.mean(0)
    between = (1 + 1 / len(estimates)) * estimates.var(0, ddof=1)
    std_error = np.sqrt(within + between)
    with np.errstate(divide="ignore", invalid="ignore"):
        part = np.nan_to_num(between / (within + between))
        df = (len(estimates) - 1) / part**2
    if np.isfinite(df_complete):
        df_known = (df_complete + 1) / (df_complete + 3) * df_complete * (1 - part)
        df = 1 / (1 / df + 1 / np.maximum(df_known, np.finfo(float).tiny))
    half = std_error * t.ppf((1 + confidence_level) / 2, df)
    # As in a table with these degrees of freedom, part of which is missing.
    missing = part + (1 - part) * 2 / (df + 3)
    return Bunch(
        estimate=estimate[()],
        std_error=std_error[()],
        low=(estimate - half)[()],
        high=(estimate + half)[()],
        degrees_of_freedom=df[()],
        missing_fraction=missing[()],
    )


def _check(estimates, variances):
    """Raise an error if there is nothing to pool."""
    if estimates.shape != variances.shape:
        raise ValueError(
            f"estimates have the shape {estimates.shape} and variances {variances.shape}: give one "
            "variance, a squared standard error, for each estimate."
        )
    if not estimates.ndim or len(estimates) < 2:
        raise ValueError(
            "estimates must hold the results of at least 2 completed tables, one after the other."
        )
    if not (np.isfinite(estimates).all() and (variances >= 0).all()):
        raise ValueError("estimates must be finite, and variances must not be negative.")
