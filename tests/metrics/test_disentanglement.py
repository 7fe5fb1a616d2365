"""Scores of codes by known factors."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import mutual_info_score

from skae.metrics import mutual_information_gap


@pytest.fixture
def factors(rng):
    return rng.integers(0, 5, (3000, 2))


def test_one_unit_for_each_factor(factors, rng):
    codes = np.column_stack([factors[:, 1] * -3.0 + 7, rng.normal(size=3000), factors[:, 0]])
    assert mutual_information_gap(codes, factors) > 0.95


def test_a_factor_in_two_units_or_in_none(factors, rng):
    both = np.column_stack([factors, factors])
    assert mutual_information_gap(both, factors) == pytest.approx(0.0, abs=1e-12)
    assert mutual_information_gap(rng.normal(size=(3000, 4)), factors) < 0.02


def test_what_it_is(factors, rng):
    """Of units of few values, that is, the mutual informations of these."""
    codes = (factors + rng.integers(0, 3, factors.shape)) @ [[1, 1], [0, 2]]
    told = [[mutual_info_score(unit, factor) for unit in codes.T] for factor in factors.T]
    entropies = [mutual_info_score(factor, factor) for factor in factors.T]
    gaps = [abs(a - b) / h for (a, b), h in zip(told, entropies, strict=True)]
    assert mutual_information_gap(codes, factors) == pytest.approx(np.mean(gaps))


def test_one_unit_and_one_factor(factors):
    assert mutual_information_gap(factors[:, :1], factors[:, 0]) == pytest.approx(1.0)


def test_text_and_many_numbers(rng):
    place, kind = rng.uniform(size=4000), rng.choice(["square", "circle"], 4000)
    factors = pd.DataFrame({"place": place, "kind": kind})
    codes = np.column_stack([place, kind == "circle"])
    assert mutual_information_gap(codes, factors) > 0.98
    assert mutual_information_gap(codes, factors, n_bins=5) > 0.98


def test_bad_input(factors):
    with pytest.raises(ValueError, match="codes has 3000 samples, but factors has 2999"):
        mutual_information_gap(factors, factors[1:])
    with pytest.raises(ValueError, match="Column 1 of factors is the same in all samples"):
        mutual_information_gap(factors, factors * [1, 0])
    with pytest.raises(ValueError, match="missing value in column 0"):
        mutual_information_gap(factors, np.where(factors == 1, np.nan, factors))
    with pytest.raises(ValueError, match="Input codes contains NaN"):
        mutual_information_gap(factors + np.nan, factors)
    with pytest.raises(ValueError, match="n_bins == 1"):
        mutual_information_gap(factors, factors, n_bins=1)
