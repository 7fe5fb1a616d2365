"""Differences of dates, and of numbers of one unit, as columns."""

from itertools import combinations

import numpy as np

from skae._data.columns import UNSEEN, DateColumn, NumberColumn
from skae._outliers.time_columns import MIN_ROWS, numbers_of

#: Spread of a difference, as a fraction of the smaller one of both columns, up to which it is
#: looked at: of dates, and of numbers.
MAX_SPREAD_OF_DATES, MAX_SPREAD = 0.5, 0.2

#: Differences of which the size is looked at, at most, the tightest first.
MAX_DIFFERENCES = 10

#: Fraction of pairs of dates of which the order may be wrong in the training rows.
MAX_WRONG_DATES = 0.02

#: Fraction of rows with an unusual difference of two numbers, up to which the difference counts;
#: and of rows in which some order is expected to be wrong by chance.
MAX_WRONG_NUMBERS = 0.002

#: Fraction of wrong orders, where one column is shuffled, from which on an order is no matter of
#: course: of dates, and of numbers.
MIN_SHUFFLED_DATES, MIN_SHUFFLED_NUMBERS = 0.05, 0.2

#: Fraction of the median difference of two numbers, by which their order may be wrong.
MARGIN = 0.1

#: Numbers that are compared with each other, at most.
MAX_COLUMNS = 30

#: Rows that are looked at to find pairs.
MAX_ROWS = 1000

#: Largest size of the values of a column, so that sums of differences are finite.
MAX_SIZE = 1e100

#: Fraction of the values below which their difference is rounding.
ROUNDING = 1e-12

#: Fraction of the training rows whose differences are unusual, on each side.
UNUSUAL = 0.005


class Pair:
    """Two columns that are compared.

    Parameters
    ----------
    sources : tuple of int
        Positions of both.
    columns : list of NumberColumn, DateColumn or CategoryColumn
        All columns of the table.
    """

    def __init__(self, sources, columns):
        self.sources = sources
        self.columns = [columns[source] for source in sources]
        self.rounding = max(ROUNDING * abs(c.center) + ROUNDING * c.scale for c in self.columns)

    def difference(self, cells, order=slice(None)):
        """Return the second minus the first, in their unit; 0 where it is rounding.

        Parameters
        ----------
        cells : ndarray of shape (n_samples, n_features)
        order : ndarray of int, default=slice(None)
            Rows to take the second from.
        """
        first, second = self.sources
        a = numbers_of(self.columns[0], cells[:, first])
        b = numbers_of(self.columns[1], cells[order, second])
        with np.errstate(over="ignore", invalid="ignore"):
            difference = b - a
            rounding = self.rounding + ROUNDING * np.maximum(np.abs(a), np.abs(b))
        most = np.finfo(float).max
        return np.clip(np.where(np.abs(difference) <= rounding, 0.0, difference), -most, most)


class DifferenceColumn:
    """The difference of two columns, as a number.

    Parameters
    ----------
    pair : Pair
    cells : ndarray of shape (n_samples, n_features)
        Of the training rows.
    """

    is_category = False
    width = n_columns = 1

    def __init__(self, pair, cells):
        self.pair, self.sources = pair, pair.sources
        values = pair.difference(cells)
        self.number = NumberColumn("", values)
        self.usual = np.nanquantile(self.number.read(values), [UNUSUAL, 1 - UNUSUAL])

    def read(self, cells):
        """Return the cells of this column for those of a table."""
        return self.number.read(self.pair.difference(cells))

    def is_unusual(self, own_cells):
        """Say which cells of this column are unusual."""
        return (own_cells < self.usual[0]) | (own_cells > self.usual[1])


class UsualDifferenceColumn:
    """Whether the difference of two columns is usual: one category, and what is new.

    Missing cells are usual.

    Parameters
    ----------
    pair : Pair
    low, high : float
        Ends of what is usual.
    """

    is_category = True
    width = n_columns = 1

    def __init__(self, pair, low, high):
        self.pair, self.sources, self.low, self.high = pair, pair.sources, low, high

    def read(self, cells):
        """Return the cells of this column for those of a table."""
        difference = self.pair.difference(cells)
        return np.where((difference < self.low) | (difference > self.high), UNSEEN, 0.0)

    def is_unusual(self, own_cells):
        """Say which cells of this column are unusual."""
        return own_cells == UNSEEN


def difference_columns(columns, varying, cells):
    """Return the differences that are worth a look.

    - Which of two columns is larger, if that is nearly always the same and would not be by chance.
    - The difference of two dates, if it varies less than both.
    - Whether the difference of two numbers is usual, if it varies far less than both. Its size
      would count for too much beside theirs.

    Parameters
    ----------
    columns : list of NumberColumn, DateColumn or CategoryColumn
    varying : list of int
        Positions of columns of numbers or dates that are not constant.
    cells : ndarray of shape (n_samples, n_features)
        Of the training rows.

    Returns
    -------
    list of DifferenceColumn and UsualDifferenceColumn
    """
    groups = {}
    for i in varying:
        if max(abs(columns[i].center), columns[i].scale) > MAX_SIZE:
            continue
        is_date = isinstance(columns[i], DateColumn)
        groups.setdefault(columns[i].dtype.kind if is_date else "number", []).append(i)
    found = []
    for unit, members in groups.items():
        if 1 < len(members) <= MAX_COLUMNS:
            found += _of_one_unit(columns, members, cells, are_dates=unit == "M")
    return found


def _of_one_unit(columns, members, cells, are_dates):
    """Return the differences of columns of one unit that are worth a look."""
    which = np.linspace(0, len(cells) - 1, min(len(cells), MAX_ROWS)).astype(int)
    some, shuffled = cells[which], np.random.default_rng(0).permutation(len(which))
    spreads = {i: _spread(numbers_of(columns[i], some[:, i])) for i in members}
    max_spread = MAX_SPREAD_OF_DATES if are_dates else MAX_SPREAD
    tight, ordered = [], []
    for sources in combinations(members, 2):
        pair = Pair(sources, columns)
        difference = pair.difference(some)
        if (~np.isnan(difference)).sum() < MIN_ROWS:
            continue
        if np.nanmedian(difference) < 0:
            pair, difference = Pair(sources[::-1], columns), -difference
        smaller = min(spreads[i] for i in sources)
        spread = _spread(difference)
        if smaller > 0 and spread <= max_spread * smaller:
            tight.append((spread / smaller, pair))
        by_chance = pair.difference(some, shuffled)
        least = MIN_SHUFFLED_DATES if are_dates else MIN_SHUFFLED_NUMBERS
        if _wrong(difference) <= MAX_WRONG_DATES and _wrong(by_chance) >= least:
            ordered.append(pair)
    return _orders(ordered, cells, are_dates) + _sizes(tight, cells, are_dates)


def _orders(ordered, cells, are_dates):
    """Return columns of orders that are wrong in few rows: in none, of numbers."""
    differences = [pair.difference(cells) for pair in ordered]
    n_wrong = [(difference < 0).sum() for difference in differences]
    if are_dates:
        kept = [i for i, n in enumerate(n_wrong) if n <= MAX_WRONG_DATES * len(cells)]
        return [UsualDifferenceColumn(ordered[i], 0.0, np.inf) for i in kept]
    # The next row could be the first that is wrong. It may be so by little: unlike dates, numbers
    # can be in one order by chance.
    kept = [i for i, n in enumerate(n_wrong) if not n][: int(MAX_WRONG_NUMBERS * len(cells))]
    lows = [-MARGIN * np.nanmedian(differences[i]) for i in kept]
    return [
        UsualDifferenceColumn(ordered[i], low, np.inf) for i, low in zip(kept, lows, strict=True)
    ]


def _sizes(tight, cells, are_dates):
    """Return columns of the tightest differences."""
    tight = [pair for _, pair in sorted(tight, key=lambda one: one[0])[:MAX_DIFFERENCES]]
    if are_dates:
        return [DifferenceColumn(pair, cells) for pair in tight]
    found = []
    for pair in tight:
        difference = pair.difference(cells)
        low, high = np.nanquantile(difference, [UNUSUAL, 1 - UNUSUAL])
        low, high = 2 * low - high, 2 * high - low
        if ((difference < low) | (difference > high)).mean() <= MAX_WRONG_NUMBERS:
            found.append(UsualDifferenceColumn(pair, low, high))
    return found


def _spread(values):
    """Return the range of nine in ten of the known values."""
    with np.errstate(over="ignore"):
        low, high = np.nanquantile(values, [0.05, 0.95])
        return high - low


def _wrong(difference):
    """Return the fraction of the known differences that are below 0."""
    return (difference[~np.isnan(difference)] < 0).mean()
