"""Rubin's rules: against the formulas in the literature, and what is not to be pooled."""

import numpy as np
import pytest
from scipy.stats import t

from skae import pool_estimates


def test_rules_of_rubin():
    estimates, variances = np.array([1.0, 2.0, 4.0]), np.array([0.5, 0.7, 0.9])
    found = pool_estimates(estimates, variances)
    between = 4 / 3 * estimates.var(ddof=1)
    total = 0.7 + between
    df = 2 * (1 + 0.7 / between) ** 2
    assert found.estimate == pytest.approx(7 / 3)
    assert found.std_error == pytest.approx(np.sqrt(total))
    assert found.degrees_of_freedom == pytest.approx(df)
    half = t.ppf(0.975, df) * np.sqrt(total)
    assert (found.low, found.high) == pytest.approx((7 / 3 - half, 7 / 3 + half))
    ratio = between / 0.7
    assert found.missing_fraction == pytest.approx((ratio + 2 / (df + 3)) / (1 + ratio))
    narrow = pool_estimates(estimates, variances, confidence_level=0.5)
    assert found.low < narrow.low < narrow.high < found.high


def test_degrees_of_freedom_of_small_tables():
    """Never more than those of the complete table, as Barnard and Rubin want it."""
    estimates, variances = [1.0, 1.01, 0.99, 1.0], [0.5] * 4
    assert pool_estimates(estimates, variances).degrees_of_freedom > 1e6
    found = pool_estimates(estimates, variances, df_complete=20)
    assert 17 < found.degrees_of_freedom < 20
    equal = pool_estimates([1.0, 1.0], [0.25, 0.25], df_complete=20)
    assert equal.degrees_of_freedom == pytest.approx(21 / 23 * 20)
    assert equal.std_error == 0.5


def test_arrays_of_estimates():
    rng = np.random.default_rng(0)
    estimates, variances = rng.normal(size=(5, 2, 3)), rng.uniform(1, 2, size=(5, 2, 3))
    found = pool_estimates(estimates, variances, df_complete=50)
    assert all(value.shape == (2, 3) for value in found.values())
    one = pool_estimates(estimates[:, 1, 2], variances[:, 1, 2], df_complete=50)
    for name, value in one.items():
        assert value == found[name][1, 2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1.0], [1.0]), "at least 2 completed tables"),
        ((1.0, 1.0), "at least 2 completed tables"),
        (([1.0, 2.0], [1.0]), "one variance, a squared standard error, for each"),
        (([1.0, 2.0], [1.0, -1.0]), "must not be negative"),
        (([1.0, np.nan], [1.0, 1.0]), "must be finite"),
        ((["a", "b"], [1.0, 1.0]), "estimates is of dtype <U1, which is not numeric"),
    ],
)
def test_what_is_not_pooled(arguments, message):
    with pytest.raises(ValueError, match=message):
        pool_estimates(*arguments)


def test_levels_outside_of_0_to_1():
    with pytest.raises(ValueError, match="confidence_level"):
        pool_estimates([1.0, 2.0], [1.0, 1.0], confidence_level=95)
    with pytest.raises(ValueError, match="df_complete"):
        pool_estimates([1.0, 2.0], [1.0, 1.0], df_complete=0)
