"""Tables of codes: whole numbers that fit the data."""

from dataclasses import replace

import numpy as np
import pytest

from skae._estimators.code_tables import TABLE_BITS, CodeTables

STEP = 0.3


def flat_prior(n_maps):
    return lambda levels: np.full((n_maps, len(levels)), -np.log(len(levels)))


def codes_of(levels, dtype="f8"):
    return np.asarray(levels).astype(dtype) * np.dtype(dtype).type(STEP)


@pytest.fixture(scope="module")
def levels():
    rng = np.random.default_rng(0)
    stds = [0.0, 0.5, 2.0, 30.0]
    return np.rint(rng.standard_normal((2000, 4)) * stds)


def test_frequencies_are_whole_numbers_of_one_sum(levels):
    tables = CodeTables.learn(codes_of(levels), STEP, flat_prior(4))
    assert tables.frequencies.dtype == np.uint32
    assert tables.frequencies.min() >= 1
    assert (tables.frequencies.sum(2) == 2**TABLE_BITS).all()
    assert tables.class_frequencies.sum() == 2**TABLE_BITS


def test_bits_are_close_to_the_entropy(levels):
    """Those of normal numbers are known in closed form, where steps are small beside them."""
    rng = np.random.default_rng(1)
    tables = CodeTables.learn(codes_of(levels), STEP, flat_prior(4))
    new = np.rint(rng.standard_normal((2000, 4)) * [0.0, 0.5, 2.0, 30.0])
    each = [
        replace(tables, frequencies=tables.frequencies[:, [i]]).bits(codes_of(new[:, [i]])).mean()
        for i in range(4)
    ]
    entropies = 0.5 * np.log2(2 * np.pi * np.e * np.array([2.0, 30.0]) ** 2)
    assert each[0] < 0.01
    assert each[2] == pytest.approx(entropies[0], abs=0.05)
    assert each[3] == pytest.approx(entropies[1], abs=0.15)


def test_a_good_prior_helps_where_samples_are_few(levels):
    few, rest = levels[:30, 2:3], codes_of(levels[30:, 2:3])

    def normal(support):
        logs = -0.5 * (support / 2.0) ** 2
        return (logs - np.log(np.exp(logs).sum()))[None]

    bits = [
        CodeTables.learn(codes_of(few), STEP, prior).bits(rest).mean()
        for prior in (normal, flat_prior(1))
    ]
    assert bits[0] < bits[1]
    assert bits[0] < 3.2


def test_numbers_of_a_map_share_what_they_have_in_common(levels):
    few = np.stack([levels[30 * i : 30 * (i + 1), 2] for i in range(20)], 1)
    new = np.stack([levels[600 + 60 * i : 660 + 60 * i, 2] for i in range(20)], 1)
    shared, apart = (
        CodeTables.learn(codes_of(few), STEP, flat_prior(n)).bits(codes_of(new)).mean()
        for n in (1, 20)
    )
    assert shared < apart


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_all_codes_come_back_exactly(levels, dtype):
    tables = CodeTables.learn(codes_of(levels, dtype), STEP, flat_prior(4))
    codes = codes_of(levels[:50], dtype)
    codes[3] = [1e30, -1e-30, 12345.678, -np.finfo(dtype).max]
    codes[4, 0] = 10**6 * STEP
    symbols, escaped = tables.symbols(codes)
    assert len(escaped) == 5
    packed = tables.encode(symbols, tables.classes(symbols))
    back = tables.decode(packed, len(symbols))
    assert np.array_equal(back, symbols)
    assert np.array_equal(tables.codes(back, escaped), codes)
    assert tables.bits(codes)[3] > 4 * 8 * codes.itemsize


def test_tables_are_bounded_however_far_codes_are():
    codes = codes_of([[0.0], [1.0], [1e25]])
    tables = CodeTables.learn(codes, STEP, flat_prior(1))
    assert tables.frequencies.shape[2] < 2**14
    symbols, escaped = tables.symbols(codes)
    assert np.array_equal(tables.codes(symbols, escaped), codes)


def test_classes_of_samples_take_fewer_bits():
    """Samples of two kinds, of large and of small codes, as blocks of a photograph are."""
    rng = np.random.default_rng(0)
    stds = np.where(rng.random(3000) < 0.5, 0.3, 8.0)[:, None]
    levels = np.rint(rng.standard_normal((3000, 20)) * stds)
    tables = CodeTables.learn(codes_of(levels[:2000]), STEP, flat_prior(20))
    assert len(tables.class_frequencies) > 1
    new, small = codes_of(levels[2000:]), stds[2000:, 0] < 1
    one = tables._of_classes(*_as_one_class(tables, levels[:2000]))
    assert tables.bits(new).mean() < 0.9 * one.bits(new).mean()
    assert tables.bits(new[small]).mean() < 0.3 * tables.bits(new[~small]).mean()


def _as_one_class(tables, levels):
    symbols, _ = tables.symbols(codes_of(levels))
    n_levels = tables.frequencies.shape[2] - 1
    counts = np.stack([np.bincount(column, minlength=n_levels)[:n_levels] for column in symbols.T])
    return (
        symbols,
        np.zeros(len(symbols), int),
        1,
        (counts + 1e-3) / (counts + 1e-3).sum(1)[:, None],
    )
