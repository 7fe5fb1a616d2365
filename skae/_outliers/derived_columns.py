"""What outlier scores look at: the columns of a table, and others that are derived from them.

Cells are those of `TableColumns`: scaled numbers and numbers of categories.
"""

import re
from typing import NamedTuple

import numpy as np

from skae._data.columns import MIN_IDS, UNSEEN, DateColumn, stretch
from skae._data.tables import TableFormat
from skae._outliers.differences import DifferenceColumn, UsualDifferenceColumn, difference_columns
from skae._outliers.time_columns import MIN_ROWS, clock_of, cycle_columns
from skae.exceptions import DataWarning, warn

#: Fraction of the rows that are the only ones to differ in some column, up to which a value that
#: differs in a constant column is odd; and so many such rows, whatever the fraction.
MAX_FIRST, MIN_FIRST = 0.005, 2


#: Chance of a new category in the next row, from which on it is not odd.
MIN_NEW = 0.02

#: Dates as text.
DATE = r"\d{1,4}([-./])\d{1,2}\1\d{1,4}([T ].*)?"


class ConstantColumns:
    """Numbers that are always the same, as categories: any other number is a new one.

    Missing cells are no news.

    Parameters
    ----------
    sources : list of int
        Positions of the columns.
    columns : list of NumberColumn
        All columns of the table.
    """

    is_category = True
    width = 1

    def __init__(self, sources, columns):
        self.sources, self.n_columns = sources, len(sources)
        self.rounding = np.array([columns[i].rounding for i in sources])
        self.values = np.array([columns[i].center for i in sources])
        self.is_empty = np.array([columns[i].is_empty for i in sources])

    def read(self, cells):
        """Return the cells of these columns for those of a table."""
        differences = cells[:, self.sources]
        is_new = ~np.isnan(differences) & (self.is_empty | (differences != 0))
        if is_new.any():
            is_new &= self.is_empty | ~self._are_rounded(stretch(differences))
        return np.where(is_new, UNSEEN, 0.0)

    def _are_rounded(self, differences):
        """Say whether values are the same in single precision, which one of both had."""
        with np.errstate(over="ignore", invalid="ignore"):
            others, single = self.values + differences, self.values.astype(np.float32)
            was_single = np.abs(others - single) <= 1e-12 * np.abs(self.values)
            is_single = others.astype(np.float32) == self.values
        return (was_single | is_single) & (self.values != np.round(self.values))


class ModeledColumns(NamedTuple):
    """What the cells that models see are."""

    is_category: np.ndarray
    widths: list


class DerivedColumns:
    """The columns that scores look at.

    - A constant number is one category. Any other number is a new category, whatever the unit.
      If there are many columns that are constant but for single rows, constant ones are numbers
      as any others: the next row may well be the first to differ.
    - A column of times or counters is left out, but for the hour, the day of the week and the
      season of times. So is text that is different in each row, and dates that
      are text.
    - A new category counts as a rare one where new ones are usual, as among names.
    - Differences of dates, and of numbers of one unit, are added.

    All other columns are as they are.

    Parameters
    ----------
    given : TableColumns
        Columns of the table.
    kept : list of int
        Positions of those that are as they are.
    derived : list
        Columns that are computed.
    stand_ins : ndarray of shape (n_features,)
        What a new category counts as.
    ranges : ndarray of shape (2, n_features)
        What cells of each column are usual: from a deviation below the smallest to one above the
        largest, or to inf where it holds times.

    Attributes
    ----------
    n_modeled : int
        So many columns are for models, the first. The others only say what is new.
    """

    def __init__(self, given, kept, derived, stand_ins, ranges):
        self.given, self.kept, self.ranges = given, kept, ranges
        self.stand_ins = stand_ins[kept]
        self.has_stand_ins = bool((self.stand_ins != UNSEEN).any())
        # What is one category in all training rows teaches models nothing, and comes last.
        self.derived = derived = sorted(derived, key=lambda part: part.is_category)
        n_numbers = sum(part.n_columns for part in derived if not part.is_category)
        columns = [given.columns[i] for i in kept]
        columns += [part for part in derived for _ in range(part.n_columns)]
        self.is_category = np.array([column.is_category for column in columns])
        self.widths = [column.width for column in columns]
        self.n_modeled = len(kept) + n_numbers or len(columns)
        modeled = slice(self.n_modeled)
        self.format = TableFormat(
            ModeledColumns(self.is_category[modeled], self.widths[modeled]), None
        )

    @classmethod
    def learn(cls, dataset, name):
        """Find out what to look at, and warn of columns that are left out.

        Parameters
        ----------
        dataset : TableDataset
            Training rows, in their order.
        name : str
            What warnings call the estimator.
        """
        given, cells = dataset.format.columns, dataset.X
        numbers = [i for i, column in enumerate(given.columns) if not column.is_category]
        constant = _constant(given.columns, numbers, cells)
        varying = np.setdiff1d(numbers, constant).astype(int).tolist()
        growing, parts = _growing(given, varying, cells)
        parts += [ConstantColumns(constant, given.columns)] if constant else []
        parts += difference_columns(given.columns, varying, cells)
        ids, dates = _texts(given.columns, len(cells))
        left_out = [*constant, *growing, *ids, *dates]
        kept = np.setdiff1d(np.arange(cells.shape[1]), left_out).tolist()
        if not kept and not parts:  # there is nothing else to look at
            kept, growing, dates = list(range(cells.shape[1])), [], []
        # Of ids, the reader has warned.
        _warn_of_growing([given.columns[i] for i in growing if not given.columns[i].is_id], name)
        _warn_of_text([given.columns[i].name for i in dates], name)
        stand_ins = [_stand_in(*pair) for pair in zip(given.columns, cells.T, strict=True)]
        ranges = np.full((2, cells.shape[1]), [[-np.inf], [np.inf]])
        ranges[0, varying] = np.nanmin(cells[:, varying], axis=0) - 1
        ranges[1, varying] = np.nanmax(cells[:, varying], axis=0) + 1
        ranges[1, growing] = np.inf
        return cls(given, kept, parts, np.array(stand_ins), ranges)

    def read(self, cells):
        """Return the cells that scores look at for those of a table.

        Parameters
        ----------
        cells : ndarray of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_kept + n_derived)
        """
        kept = cells if len(self.kept) == cells.shape[1] else cells[:, self.kept]
        if self.has_stand_ins:
            kept = np.where(kept == UNSEEN, self.stand_ins, kept)
        if not self.derived:
            return kept
        return np.column_stack([kept, *(part.read(cells) for part in self.derived)])

    def fill(self, cells, filled):
        """Return cells of the table, missing ones filled.

        Parameters
        ----------
        cells : ndarray of shape (n_samples, n_features)
            Of the table.
        filled : ndarray of shape (n_samples, n_kept + n_derived)
            As ``read`` gives them, missing ones filled. What is not among them becomes the
            median, or stays missing in text that is left out.
        """
        is_other = np.array([not column.is_category for column in self.given.columns])
        result = np.where(np.isnan(cells) & is_other, 0.0, cells)
        result[:, self.kept] = filled[:, : len(self.kept)]
        return result

    def unusual_differences(self, cells):
        """Return in how many unusual differences a cell takes part that is usual by itself.

        Parameters
        ----------
        cells : ndarray of shape (n_samples, n_features)

        Returns
        -------
        ndarray of int, shape (n_samples, n_features)
        """
        counts = np.zeros(cells.shape, int)
        is_usual = (cells >= self.ranges[0]) & (cells <= self.ranges[1])
        for part in self.derived:
            if isinstance(part, DifferenceColumn | UsualDifferenceColumn):
                pair = list(part.sources)
                is_unusual = part.is_unusual(part.read(cells)) & is_usual[:, pair].all(1)
                counts[np.ix_(is_unusual, pair)] += 1
        return counts


def _constant(columns, numbers, cells):
    """Return which columns of numbers are always the same, if new rows are likely to be so, too."""
    differs = np.nan_to_num(cells[:, numbers]) != 0
    n_different = differs.sum(0)
    # The chance of what has not been seen, as by Good and Turing.
    is_first = differs[:, n_different == 1].any(1)
    is_soft = is_first.sum() > max(MIN_FIRST, MAX_FIRST * len(cells))
    pairs = zip(numbers, n_different, strict=True)
    return [i for i, n in pairs if columns[i].is_empty or not (n or is_soft)]


def _growing(given, varying, cells):
    """Return which columns hold times or counters, and columns of what counts of times."""
    kinds = [None] * cells.shape[1] if given.frame is None else given.types
    growing, parts = [], []
    for i in varying:
        is_growing, clock = clock_of(i, given.columns[i], cells[:, i], kinds[i])
        if is_growing:
            growing.append(i)
            parts += [] if clock is None else cycle_columns(clock, cells)
    return growing, parts


def _texts(columns, n_rows):
    """Return which columns hold text that is different in each row, and which dates as text."""
    ids, dates = [], []
    for i, column in enumerate(columns):
        if column.is_category and column.is_id and n_rows >= MIN_IDS:
            ids.append(i)
        elif column.is_category and _are_dates(column.values):
            dates.append(i)
    return ids, dates


def _are_dates(values):
    """Say whether many different values are all dates as text."""
    return len(values) >= MIN_ROWS and all(
        isinstance(value, str) and re.fullmatch(DATE, value) for value in values
    )


def _stand_in(column, cells):
    """Return the category that a new one counts as: itself, or a rare one if new ones are usual."""
    if not column.is_category or column.new_chance <= MIN_NEW:
        return UNSEEN
    counts = np.bincount(cells[cells >= 0].astype(int), minlength=column.width)
    is_joined = len(column.values) > column.width
    return column.width - 1 if is_joined else int(counts.argmin())


def _warn_of_growing(columns, name):
    """Warn of columns of times or counters."""
    if not columns:
        return
    names = [column.name for column in columns]
    is_date = any(isinstance(column, DateColumn) for column in columns)
    but = ", except for the hour, the day of the week and the season of dates" if is_date else ""
    warn(
        f"Columns {names} grow with the order of the rows, as times and counters do, or hold "
        f"another time in each row. New rows would be beyond the training rows, so {name} leaves "
        f"these columns out{but}. Drop them, or, if the rows are sorted by a measurement, shuffle "
        "the rows.",
        DataWarning,
    )


def _warn_of_text(names, name):
    """Warn of dates that are text."""
    if names:
        warn(
            f"Columns {names} hold dates as text. A new date would be a new category, so {name} "
            "leaves these columns out. Turn them into dates, for instance by pandas.to_datetime.",
            DataWarning,
        )
