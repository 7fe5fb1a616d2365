"""Which values a column can hold, in a graph: numbers and dates are rounded and clipped.

Dates are in seconds. Days that are whole in a time zone need its clock, a list of the moments at
which it is changed.
"""

import numpy as np
import pandas as pd
import torch
from torch import nn

from skae._data.columns import DateColumn

#: Seconds of a day and of a minute.
DAY, MINUTE = 86_400, 60


def double(value):
    """Return a number as a tensor of float64."""
    return torch.tensor(value, dtype=torch.float64)


def grid_module(column, are_means=False):
    """Return a module that does to codes of a column what its grid does to values.

    Parameters
    ----------
    column : NumberColumn or DateColumn
        It has a grid.
    are_means : bool, default=False
        As for ``NumberGrid.nearest``.
    """
    grid = column.grid
    if not isinstance(column, DateColumn):
        ends = (grid.low, grid.high) if grid.clip else None
        rounded = GridModule(None if grid.decimals is None else 10.0**-grid.decimals, ends)
        is_snapped = are_means and len(grid.masses)
        return nn.Sequential(Snapped(grid.masses), rounded) if is_snapped else rounded
    per_second = np.timedelta64(1, "s") / column.unit
    ends = grid.low / per_second, grid.high / per_second
    step = grid.step / per_second if grid.step > 1 else None
    clock = Clock(grid.zone, ends) if grid.zone and step and step > 1 else None
    return GridModule(step, ends if grid.clip else None, clock)


class Snapped(nn.Module):
    """Numbers, those that are close to the value of a point mass as this value.

    Parameters
    ----------
    masses : ndarray of shape (n_masses, 3)
        As ``point_masses`` finds them.
    """

    def __init__(self, masses):
        super().__init__()
        self.register_buffer("masses", double(masses))

    def forward(self, values):
        value, low, high = self.masses.T
        is_close = (values[:, None] > low) & (values[:, None] < high)
        return torch.where(is_close.any(1), (is_close.double() * value).sum(1), values)


class GridModule(nn.Module):
    """Numbers as the nearest multiples of a step between two ends.

    Parameters
    ----------
    step : float or None
        None rounds nothing.
    ends : tuple of (float, float) or None
        None clips nothing.
    clock : Clock or None, default=None
        Of the time zone in which dates are rounded.
    """

    def __init__(self, step, ends, clock=None):
        super().__init__()
        self.is_coarse = step is not None and step >= 1
        per_step = 1.0 if step is None else step if self.is_coarse else round(1 / step)
        self.register_buffer("step", None if step is None else double(float(per_step)))
        self.register_buffer("ends", None if ends is None else double(ends))
        self.clock = clock

    def forward(self, values):
        values = self._clipped(values)
        if self.step is None:
            return values
        if self.clock is None:
            return self._clipped(self._rounded(values))
        return self._clipped(self.clock.utc(self._rounded(self.clock.local(values))))

    def _rounded(self, values):
        # As NumPy does it: 10 is a float, and 0.1 is none.
        if self.is_coarse:
            return torch.round(values / self.step) * self.step
        return torch.round(values * self.step) / self.step

    def _clipped(self, values):
        if self.ends is None:
            return values
        return torch.minimum(torch.maximum(values, self.ends[0]), self.ends[1])


class Clock(nn.Module):
    """What the clocks of a time zone show, in seconds.

    Parameters
    ----------
    zone : str
    ends : tuple of (float, float)
        The first and the last moment; before and after them the clocks are not changed.
    """

    def __init__(self, zone, ends):
        super().__init__()
        changes, offsets = _changes(zone, *ends)
        self.register_buffer("changes", double(changes))
        # An hour that there is twice is the first one.
        later = np.maximum(offsets[1:], offsets[:-1])
        self.register_buffer("local_changes", double(changes + later))
        self.register_buffer("first", double(offsets[0]))
        self.register_buffer("differences", double(np.diff(offsets)))

    def local(self, seconds):
        """Return what the clocks show at moments in UTC."""
        return seconds + self._offsets(seconds, self.changes)

    def utc(self, seconds):
        """Return moments in UTC by what the clocks show."""
        return seconds - self._offsets(seconds, self.local_changes)

    def _offsets(self, seconds, changes):
        is_later = (seconds[:, None] >= changes).double()
        return self.first + (is_later * self.differences).sum(1)


def _changes(zone, low, high):
    """Return when the clocks of a zone are changed, and their offsets before and after."""
    days = np.arange(low // DAY - 2, high // DAY + 3) * DAY
    offsets = _offsets_at(days, zone)
    changes = []
    for i in np.flatnonzero(np.diff(offsets)):
        minutes = np.arange(days[i], days[i + 1] + MINUTE, MINUTE)
        changes.append(minutes[np.argmax(_offsets_at(minutes, zone) != offsets[i])])
    changes = np.array(changes, float)
    return changes, np.append(offsets[0], _offsets_at(changes, zone))


def _offsets_at(seconds, zone):
    """Return what a zone is ahead of UTC at moments, in seconds, float64."""
    moments = seconds.astype("M8[s]")
    local = pd.DatetimeIndex(moments).tz_localize("UTC").tz_convert(zone).tz_localize(None)
    return (local.to_numpy() - moments) / np.timedelta64(1, "s")
