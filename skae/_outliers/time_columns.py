"""Times and counters, whose values in new rows are beyond all others, and the cycles of times."""

from typing import NamedTuple

import narwhals as nw
import numpy as np
import pandas as pd
from scipy.stats import rankdata

from skae._data.columns import UNSEEN, DateColumn, NumberColumn, stretch

#: Known cells from which on a column can be seen to grow.
MIN_ROWS = 30

#: Rank correlation with the order of the rows, at least.
MIN_CORRELATION = 0.99

#: Fraction of steps that may go back: of numbers; of dates, whose order may begin anew.
MAX_BACK, MAX_BACK_OF_DATES = 0.02, 0.1

#: Mean ratio of the smaller to the larger of two successive steps in a sorted sample of any
#: distribution, 2 log(2) - 1, and its standard deviation.
RATIO_OF_SORTED, STD_OF_RATIO = 0.386, 0.28

#: Equal values that are expected in a sorted sample from which on their absence tells a counter.
MIN_EXPECTED_TIES = 9

#: Fraction of times that differ, and times of the day, from which on times are those of events.
MIN_DIFFERENT, MIN_TIMES_OF_DAY = 0.95, 20

#: Years between the first and the last of such times that are numbers, at most.
MAX_YEARS = 5

#: Seconds since 1970 of the years 2000 and 2100: numbers between are times. In units of a second,
#: and thousands, millions and billions of them.
FIRST, LAST = 946_684_800, 4_102_444_800
UNITS = (1.0, 1e3, 1e6, 1e9)

DAY = 86_400.0
YEAR = 365.2425 * DAY

#: Occurrences of each part of a cycle on average, from which on a part can be new.
MIN_OCCURRENCES = 10

#: Fraction of the rows that may be at the times of a cycle that count as new.
MAX_RARE = 0.002

#: Digits of seconds: what cells lose of far times would be another day at midnight.
DIGITS = 3

#: Numbers below are neither seconds since 1970 nor days such as 20240131.
LEAST_TIME = 1e7

#: Seconds before the first and after the last training row from which on times are errors, if
#: the training rows do not cover more.
MIN_FAR = 10 * YEAR


def numbers_of(column, cells):
    """Return the numbers, or seconds, of the cells of a column."""
    most = np.finfo(float).max
    with np.errstate(over="ignore"):
        return np.clip(stretch(cells) * column.scale + column.center, -most, most)


class Cycle(NamedTuple):
    """What times repeat: the day, the week, the year.

    Parameters
    ----------
    period : float
        Seconds.
    start : float
        Seconds of the first start after 1970-01-01.
    n_parts : int
        Hours, days or months.
    has_neighbors : bool
        Whether a part is much like those before and after it.
    min_cycles : int
        So many are to be covered, so that each part has been there.
    """

    period: float
    start: float
    n_parts: int
    has_neighbors: bool
    min_cycles: int

    def phase(self, seconds):
        """Return how much of the cycle is over, in [0, 1)."""
        if not self.has_neighbors:
            seconds = np.floor(seconds / DAY) * DAY
        return (seconds - self.start) / self.period % 1.0

    def count(self, seconds):
        """Return the number of the part, counted through all cycles."""
        return np.floor((seconds - self.start) / self.period * self.n_parts)

    def part(self, seconds):
        """Return the number of the part within its cycle."""
        return (self.count(seconds) % self.n_parts).astype(int)


#: Hours of the day, days of the week from Monday on, months.
CYCLES = (
    Cycle(DAY, 0.0, 24, True, 2),
    Cycle(7 * DAY, 4 * DAY, 7, False, 2),
    Cycle(YEAR, 0.0, 12, True, 1),
)


class Clock:
    """The local time of a column.

    Parameters
    ----------
    source : int
        Position of the column.
    column : NumberColumn
    unit : float
        Its units in a second.
    zone : str or None
        Time zone to tell the hours in.
    """

    def __init__(self, source, column, unit=1.0, zone=None):
        self.source, self.column, self.unit, self.zone = source, column, unit, zone

    def seconds(self, cells):
        """Return local seconds of the rows of a table of cells; NaN is missing."""
        seconds = np.round(numbers_of(self.column, cells[:, self.source]) / self.unit, DIGITS)
        if self.zone is None:
            return seconds
        usual = np.clip(seconds, 0, LAST)  # what pandas can convert
        dates = pd.to_datetime(usual, unit="s", utc=True)
        local = dates.tz_convert(self.zone).tz_localize(None)
        return seconds + ((local - pd.Timestamp(0)) / pd.Timedelta(1, "s")).to_numpy() - usual


class PhaseColumns:
    """Sine and cosine of the phases of cycles, as numbers.

    Parameters
    ----------
    clock : Clock
    cycles : list of Cycle
    seconds : ndarray
        Those that the columns are learned from.
    """

    is_category = False
    width = 1

    def __init__(self, clock, cycles, seconds):
        self.clock, self.cycles = clock, cycles
        values = self._values(seconds)
        self.n_columns = len(values)
        self.numbers = [NumberColumn("", column) for column in values]

    def read(self, cells):
        """Return the cells of these columns for those of a table."""
        values = self._values(self.clock.seconds(cells))
        own = [column.read(one) for column, one in zip(self.numbers, values, strict=True)]
        # Sine and cosine count as one column together.
        return np.column_stack(own) / np.sqrt(2)

    def _values(self, seconds):
        angles = [2 * np.pi * cycle.phase(seconds) for cycle in self.cycles]
        return [function(angle).round(9) for angle in angles for function in (np.sin, np.cos)]


class UsualTimeColumns:
    """Whether rows have been at this time of a cycle, and how far off: categories.

    Each column has one category, and what is new. Missing cells are usual. The last column is new
    for times that are years off.

    Parameters
    ----------
    clock : Clock
    cycles : list of Cycle
    seconds : ndarray
        Those that the columns are learned from.
    """

    is_category = True
    width = 1

    def __init__(self, clock, cycles, seconds):
        self.clock, self.cycles, self.n_columns = clock, cycles, len(cycles) + 1
        known = seconds[~np.isnan(seconds)]
        self.are_usual = [_usual_parts(cycle, known) for cycle in cycles]
        far = max(MIN_FAR, np.ptp(known))
        self.first, self.last = known.min() - far, known.max() + far

    def read(self, cells):
        """Return the cells of these columns for those of a table."""
        seconds = self.clock.seconds(cells)
        missing = np.isnan(seconds)
        known = np.where(missing, 0.0, seconds)
        pairs = zip(self.cycles, self.are_usual, strict=True)
        are_new = [~usual[cycle.part(known)] & ~missing for cycle, usual in pairs]
        are_new.append((seconds < self.first) | (seconds > self.last))
        return np.where(np.column_stack(are_new), UNSEEN, 0.0)


def _usual_parts(cycle, seconds):
    """Return which parts of a cycle nearly all times are in, and those beside them."""
    counts = np.bincount(cycle.part(seconds), minlength=cycle.n_parts)
    order = np.argsort(counts, kind="stable")
    is_usual = np.empty(cycle.n_parts, bool)
    is_usual[order] = np.cumsum(counts[order]) > MAX_RARE * counts.sum()
    if cycle.has_neighbors:
        is_usual |= np.roll(is_usual, 1) | np.roll(is_usual, -1)
    return is_usual


def clock_of(source, column, cells, kind):
    """Say whether a column holds times or counters, and return its clock.

    They grow with the order of the rows. So may times of events in any order: they differ in
    nearly all rows, in the time of the day, too.

    Parameters
    ----------
    source : int
        Position of the column.
    column : NumberColumn
    cells : ndarray of shape (n_samples,)
    kind : ColumnType or None
        Of a column of a DataFrame.

    Returns
    -------
    is_time : bool
    clock : Clock or None
        Of dates, and of numbers that are seconds, or parts of them, since 1970.
    """
    known = cells[~np.isnan(cells)]
    if len(known) < MIN_ROWS or not _may_be_time(column, known):
        return False, None
    values = _without_rounding(numbers_of(column, known))
    if isinstance(column, DateColumn) and column.dtype.kind == "M":
        dtype = None if kind is None else kind.dtype
        zone = dtype.time_zone if isinstance(dtype, nw.Datetime) else None
        is_time = _dates_grow(values) or _are_moments(values)
        return is_time, Clock(source, column, zone=zone)
    for unit in UNITS:
        if FIRST * unit <= values.min() and values.max() <= LAST * unit:
            is_narrow = np.ptp(values) <= MAX_YEARS * YEAR * unit
            is_time = _dates_grow(values) or is_narrow and _are_moments(values / unit)
            return bool(is_time), Clock(source, column, unit)
    return _is_counter(values) or _are_days(values) and _dates_grow(values), None


def _may_be_time(column, cells):
    """Say whether a column is worth a closer look: dates, large numbers, and those that grow."""
    if isinstance(column, DateColumn) or abs(column.center) >= LEAST_TIME:
        return True
    steps = np.diff(cells)
    return min((steps < 0).mean(), (steps > 0).mean()) <= MAX_BACK


def cycle_columns(clock, cells):
    """Return columns of what counts of a time: the hour, the day of the week, the season.

    A cycle of which the rows cover too little is left out: a month that has not been yet is not
    odd.

    Parameters
    ----------
    clock : Clock
    cells : ndarray of shape (n_samples, n_features)

    Returns
    -------
    list of PhaseColumns and UsualTimeColumns
    """
    seconds = clock.seconds(cells)
    known = seconds[~np.isnan(seconds)]
    varying, partial = [], []
    for cycle in CYCLES:
        if np.ptp(known) < cycle.min_cycles * cycle.period:
            continue
        n_occurrences, n_parts = (
            len(np.unique(cycle.count(known))),
            len(np.unique(cycle.part(known))),
        )
        if n_parts > 1:
            varying.append(cycle)
        if n_parts < cycle.n_parts and n_occurrences >= MIN_OCCURRENCES * cycle.n_parts:
            partial.append(cycle)
    phases = [PhaseColumns(clock, varying, seconds)] if varying else []
    return [*phases, UsualTimeColumns(clock, partial, seconds)]


def _without_rounding(values):
    """Return integers exactly, which the cells of a table hold but for rounding."""
    whole = np.round(values)
    return whole if np.allclose(values, whole, rtol=1e-12, atol=1e-6) else values


def _are_days(values):
    """Say whether numbers are years, months and days, written as 20240131."""
    if values.min() < 1900_01_01 or values.max() > 2100_12_31 or (values % 1).any():
        return False
    months, days = values // 100 % 100, values % 100
    is_day = (months >= 1) & (months <= 12) & (days >= 1) & (days <= 31)
    return is_day.all() and len(np.unique(values)) >= MIN_ROWS


def _are_moments(seconds):
    """Say whether times differ in nearly all rows, in the time of the day, too."""
    times_of_day = np.unique(np.round(seconds % DAY))
    n_different = len(np.unique(seconds))
    has_hours = len(times_of_day) >= min(MIN_TIMES_OF_DAY, len(seconds) / 2)
    return has_hours and n_different >= MIN_DIFFERENT * len(seconds)


def _dates_grow(values):
    """Say whether times follow the order of the rows, of all or of groups one after another."""
    steps = np.diff(values)
    n_up, n_down = (steps > 0).sum(), (steps < 0).sum()
    n_steps = n_up + n_down
    is_in_groups = n_steps >= MIN_ROWS and min(n_up, n_down) <= MAX_BACK_OF_DATES * n_steps
    return bool(is_in_groups or _order_correlation(values) >= MIN_CORRELATION)


@np.errstate(over="ignore", invalid="ignore")
def _is_counter(values):
    """Say whether numbers count the rows, other than those of a sorted measurement.

    Their steps are more even than those of a sorted sample can be, or they are integers without
    the ties that a sorted sample would have.
    """
    steps = np.diff(values)
    steps = steps if values[-1] >= values[0] else -steps
    if (steps < 0).mean() > MAX_BACK or _order_correlation(values) < MIN_CORRELATION:
        return False
    steps = np.abs(steps)
    smaller, larger = np.minimum(steps[1:], steps[:-1]), np.maximum(steps[1:], steps[:-1])
    ratios = smaller / np.where(larger > 0, larger, 1.0)
    if ratios.mean() > RATIO_OF_SORTED + 5 * STD_OF_RATIO / np.sqrt(len(ratios)):
        return True
    expected_ties = len(values) ** 2 / (2 * (np.ptp(values) + 1))
    has_ties = len(np.unique(values)) < len(values)
    return bool(not (values % 1).any() and not has_ties and expected_ties >= MIN_EXPECTED_TIES)


def _order_correlation(values):
    """Return the absolute rank correlation of values with their order, 0 if they are equal."""
    ranks = rankdata(values)
    ranks -= ranks.mean()
    order = np.arange(len(values)) - (len(values) - 1) / 2
    size = np.sqrt((ranks**2).sum() * (order**2).sum())
    return abs(ranks @ order) / size if size > 0 else 0.0
