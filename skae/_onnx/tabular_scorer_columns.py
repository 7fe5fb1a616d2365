"""Derived columns of outlier scores as modules: each maps codes of a table to cells.

Codes are numbers and seconds as they are, so nothing has to be undone first.
"""

from itertools import groupby

import numpy as np
import pandas as pd
import torch
from torch import nn

from skae._data.columns import UNSEEN
from skae._onnx.table_cells import Columns, Scaled, double, without_nan
from skae._outliers.derived_columns import ConstantColumns
from skae._outliers.differences import ROUNDING, DifferenceColumn, UsualDifferenceColumn
from skae._outliers.time_columns import DAY, DIGITS, LAST, PhaseColumns, UsualTimeColumns

TWO_PI, ROOT_2 = double(2 * np.pi), double(np.sqrt(2))

#: Seconds between times whose distance to UTC is compared, to find when it changes.
STEP = 6 * 3600


class Constants(nn.Module):
    """Whether constants are as ever, as `ConstantColumns`.

    Parameters
    ----------
    given : ConstantColumns
    """

    def __init__(self, given):
        super().__init__()
        self.sources = Columns(given.sources)
        single = given.values.astype(np.float32).astype(float)
        for name, values in {
            "values": given.values,
            "rounding": given.rounding,
            "single": single,
            "is_empty": given.is_empty.astype(float),
            # Numbers that single precision may have rounded.
            "is_fraction": (given.values != np.round(given.values)).astype(float),
        }.items():
            self.register_buffer(name, torch.from_numpy(values))

    def forward(self, codes):
        numbers = self.sources(codes)
        differs = (numbers - self.values).abs() > self.rounding
        was_single = (numbers - self.single).abs() <= ROUNDING * self.values.abs()
        is_single = numbers.float().double() == self.values
        is_rounded = (was_single | is_single) & (self.is_fraction > 0)
        is_new = (self.is_empty > 0) | differs & ~is_rounded
        return torch.where(is_new & ~numbers.isnan(), float(UNSEEN), 0.0).double()


class Differences(nn.Module):
    """The second number less the first, of some pairs; 0 where it is rounding.

    Parameters
    ----------
    pairs : list of Pair
    """

    def __init__(self, pairs):
        super().__init__()
        first, second = zip(*(pair.sources for pair in pairs), strict=True)
        self.first, self.second = Columns(first), Columns(second)
        self.register_buffer("rounding", double([pair.rounding for pair in pairs]))

    def forward(self, codes):
        a, b = self.first(codes), self.second(codes)
        difference = b - a
        rounding = self.rounding + ROUNDING * torch.maximum(a.abs(), b.abs())
        return torch.where(difference.abs() <= rounding, 0.0, difference)


class DifferenceCells(nn.Module):
    """Differences as scaled numbers, as `DifferenceColumn`.

    Parameters
    ----------
    given : list of DifferenceColumn
    """

    def __init__(self, given):
        super().__init__()
        self.differences = Differences([part.pair for part in given])
        self.scaled = Scaled([part.number for part in given])

    def forward(self, codes):
        return self.scaled(self.differences(codes))


class UsualDifferences(nn.Module):
    """Whether differences are usual, as `UsualDifferenceColumn`.

    Parameters
    ----------
    given : list of UsualDifferenceColumn
    """

    def __init__(self, given):
        super().__init__()
        self.differences = Differences([part.pair for part in given])
        self.register_buffer("low", double([part.low for part in given]))
        self.register_buffer("high", double([part.high for part in given]))

    def forward(self, codes):
        differences = self.differences(codes)
        is_unusual = (differences < self.low) | (differences > self.high)
        return torch.where(is_unusual, float(UNSEEN), 0.0).double()


class Seconds(nn.Module):
    """Local seconds, as `Clock`.

    Parameters
    ----------
    clock : Clock
    """

    def __init__(self, clock):
        super().__init__()
        self.source, self.unit = clock.source, float(clock.unit)
        self.has_zone = clock.zone is not None
        changes, offsets = _offsets(clock.zone) if self.has_zone else ([], [0.0])
        self.register_buffer("changes", double(changes))
        self.register_buffer("offsets", double(offsets))

    def forward(self, codes):
        per_second = 10.0**DIGITS
        seconds = torch.round(codes[:, self.source] / self.unit * per_second) / per_second
        if not self.has_zone:
            return seconds
        n_before = (seconds.clamp(0, LAST)[:, None] >= self.changes).long().sum(1)
        return seconds + self.offsets[n_before]


class Phases(nn.Module):
    """Sine and cosine of the phases of cycles, as `PhaseColumns`.

    Parameters
    ----------
    given : PhaseColumns
    """

    def __init__(self, given):
        super().__init__()
        self.seconds, self.cycles = Seconds(given.clock), given.cycles
        self.scaled = Scaled(given.numbers)

    def forward(self, codes):
        seconds = self.seconds(codes)
        angles = [TWO_PI * _phase(cycle, seconds) for cycle in self.cycles]
        values = [function(angle) for angle in angles for function in (torch.sin, torch.cos)]
        values = torch.round(torch.stack(values, 1) * 1e9) / 1e9
        return self.scaled(values) / ROOT_2


class UsualTimes(nn.Module):
    """Whether rows have been at this time of a cycle, and how far off, as `UsualTimeColumns`.

    Parameters
    ----------
    given : UsualTimeColumns
    """

    def __init__(self, given):
        super().__init__()
        self.seconds, self.cycles = Seconds(given.clock), given.cycles
        self.register_buffer("first", double(given.first))
        self.register_buffer("last", double(given.last))
        for i, usual in enumerate(given.are_usual):
            self.register_buffer(f"are_new_{i}", torch.from_numpy(~usual))

    def forward(self, codes):
        seconds = self.seconds(codes)
        missing, known = seconds.isnan(), without_nan(seconds)
        are_new = []
        for i, cycle in enumerate(self.cycles):
            are_new.append(self.get_buffer(f"are_new_{i}")[_part(cycle, known)] & ~missing)
        are_new.append((seconds < self.first) | (seconds > self.last))
        return torch.where(torch.stack(are_new, 1), float(UNSEEN), 0.0).double()


#: Modules of one part, and of all parts of a class that follow each other.
OF_ONE = {ConstantColumns: Constants, PhaseColumns: Phases, UsualTimeColumns: UsualTimes}
OF_MANY = {DifferenceColumn: DifferenceCells, UsualDifferenceColumn: UsualDifferences}


def derived_modules(parts):
    """Return derived columns as modules.

    Parameters
    ----------
    parts : list of ConstantColumns, DifferenceColumn, PhaseColumns, UsualDifferenceColumn or \
            UsualTimeColumns

    Returns
    -------
    list of nn.Module
        They map codes of shape (n_samples, n_columns) to cells, which are side by side those of
        the parts.
    """
    modules = []
    for kind, group in groupby(parts, type):
        if kind in OF_MANY:
            modules.append(OF_MANY[kind](list(group)))
        else:
            modules += [OF_ONE[kind](part) for part in group]
    return modules


def _phase(cycle, seconds):
    """Return how much of a cycle is over, in [0, 1)."""
    if not cycle.has_neighbors:
        seconds = torch.floor(seconds / DAY) * DAY
    phase = (seconds - cycle.start) / cycle.period
    return phase - torch.floor(phase)


def _part(cycle, seconds):
    """Return the number of the part within its cycle."""
    count = torch.floor((seconds - cycle.start) / cycle.period * cycle.n_parts)
    part = count - torch.floor(count / cycle.n_parts) * cycle.n_parts
    return part.clamp(0, cycle.n_parts - 1).long()


def _offsets(zone):
    """Return when the distance of local time to UTC changes, and the distances, in seconds."""
    times = np.arange(0, LAST + STEP, STEP, dtype=np.int64)
    offsets = _offset_at(times, zone)
    which = np.flatnonzero(np.diff(offsets))
    before, after = times[which], times[which + 1]
    while len(which) and (after - before).max() > 1:
        middle = (before + after) // 2
        is_before = _offset_at(middle, zone) == offsets[which]
        before, after = np.where(is_before, middle, before), np.where(is_before, after, middle)
    return after.astype(float), np.append(offsets[:1], offsets[which + 1])


def _offset_at(seconds, zone):
    """Return the distances of local time to UTC at times, in seconds."""
    dates = pd.to_datetime(seconds, unit="s", utc=True)
    local = dates.tz_convert(zone).tz_localize(None)
    return ((local - pd.Timestamp(0)) / pd.Timedelta(1, "s")).to_numpy() - seconds
