"""Which values a column can hold, as its training rows show: between two ends, so fine."""

import copy

import numpy as np
import pandas as pd

from skae._data.point_masses import point_masses, snapped

#: Decimals that numbers are looked at for. Those below 0 are tens, hundreds, thousands.
DECIMALS = range(-6, 7)

#: Known values from which on a column of numbers shows how fine it is.
MIN_KNOWN = 10

#: Values that are looked at before all are.
N_FIRST = 100

#: Units that dates and durations can be whole numbers of.
UNITS = ("D", "h", "m", "s", "ms", "us")


class NumberGrid:
    """Numbers between two ends, of a number of decimals.

    Parameters
    ----------
    known : ndarray of shape (n_known,)
        Training values, without NaN. Fewer than ten do not show how many decimals there are.
    clip : bool
        Whether there are ends.

    Attributes
    ----------
    low, high : float
        The smallest and the largest value.
    decimals : int or None
        As few as all values have; -2 are hundreds. None is more than six.
    masses : ndarray of shape (n_masses, 3)
        As ``point_masses`` finds them.
    """

    def __init__(self, known, clip):
        self.clip, self.low, self.high = clip, known.min(), known.max()
        self.decimals = _decimals(known) if len(known) >= MIN_KNOWN else None
        self.masses = point_masses(known)

    @property
    def is_whole(self):
        """Whether all are whole numbers."""
        return self.decimals is not None and self.decimals <= 0

    def nearest(self, values, are_means=False):
        """Return the nearest values that the column can hold; NaN stays.

        Means become the value of a point mass if they are close to it.
        """
        if are_means:
            values = snapped(values, self.masses)
        if self.decimals is not None:
            values = _rounded(values, self.decimals)
        return np.clip(values, self.low, self.high) if self.clip else values

    def widened(self, values):
        """Return a grid that also has other values, which may be off by the rounding of floats."""
        twin = copy.copy(self)
        known = values[~np.isnan(values)]
        if self.decimals is not None:
            rounded = _rounded(known, self.decimals)
            if np.allclose(rounded, known, rtol=1e-9, atol=0):
                known = rounded
            else:
                twin.decimals = None
        twin.low, twin.high = known.min(initial=self.low), known.max(initial=self.high)
        return twin


def _decimals(known):
    first = _spread(known)
    tried = (n for n in DECIMALS if _has_decimals(first, n) and _has_decimals(known, n))
    return next(tried, None)


def _has_decimals(values, n):
    """Say whether numbers have at most ``n`` decimals, but for the rounding of their floats."""
    with np.errstate(over="ignore", invalid="ignore"):
        rounded = np.round(values, n)
        if (rounded == values).all():
            return True
        error = np.abs(values - rounded)
        if not (error <= 0.01 * 10.0**-n).all():
            return False
        is_single = (values.astype(np.float32) == values).all()
    # A number that is small beside a step is none of 0 steps.
    return bool((error <= (2.0**-22 if is_single else 2.0**-50) * np.abs(values)).all())


def _rounded(values, n):
    with np.errstate(over="ignore", invalid="ignore"):
        rounded = np.round(values, n)
    return np.where(np.isfinite(rounded), rounded, values)  # the largest overflow


class DateGrid:
    """Dates or durations between two ends, whole days, hours, minutes or seconds.

    Parameters
    ----------
    known : ndarray of dtype datetime64 or timedelta64, shape (n_known,)
        Training values, without NaT; dates in UTC.
    clip : bool
        Whether there are ends.
    zone : str or None, default=None
        Time zone in which days are whole.

    Attributes
    ----------
    low, high : int
        The first and the last value, in the unit of the dtype.
    step : int
        The coarsest of the units that all values are multiples of, in that of the dtype.
    """

    #: Whether all are whole numbers.
    is_whole = False

    def __init__(self, known, clip, zone=None):
        self.clip, self.zone = clip, zone
        numbers = known.astype(np.int64)
        self.low, self.high = int(numbers.min()), int(numbers.max())
        local = self._local(known).astype(np.int64)
        first, steps = _spread(local), _steps(known.dtype)
        self.step = next((n for n in steps if not (first % n).any() and not (local % n).any()), 1)

    def nearest(self, values, are_means=False):
        """Return the nearest values that the column can hold; NaT stays."""
        del are_means  # not for dates
        known = ~np.isnat(values)
        dates = self._clipped(values[known])
        if self.step > 1:
            dates = self._clipped(self._utc(_to_multiples(self._local(dates), self.step)))
        values = values.copy()
        values[known] = dates
        return values

    def _clipped(self, dates):
        if not self.clip:
            return dates
        return np.clip(dates.astype(np.int64), self.low, self.high).astype(dates.dtype)

    def widened(self, values):
        """Return a grid that also has other values, which may be off by the rounding of floats."""
        twin = copy.copy(self)
        known = values[~np.isnat(values)]
        if not len(known):
            return twin
        rounded = self._utc(_to_multiples(self._local(known), self.step))
        off = np.abs((rounded - known).astype(np.int64))
        if (off <= 1e-9 * np.abs(known.astype(np.int64))).all():
            known = rounded
        else:
            twin.step = 1
        numbers = known.astype(np.int64)
        twin.low = min(self.low, int(numbers.min()))
        twin.high = max(self.high, int(numbers.max()))
        return twin

    def _local(self, dates):
        """Return dates in UTC as the clocks of the time zone showed them."""
        if self.zone is None:
            return dates
        local = pd.DatetimeIndex(dates).tz_localize("UTC").tz_convert(self.zone)
        return local.tz_localize(None).to_numpy().astype(dates.dtype)

    def _utc(self, local):
        """Undo ``_local``; an hour that there is twice is the first, one that is skipped moves."""
        if self.zone is None:
            return local
        is_first = np.ones(len(local), bool)
        dates = pd.DatetimeIndex(local).tz_localize(
            self.zone, ambiguous=is_first, nonexistent="shift_forward"
        )
        return dates.tz_convert("UTC").tz_localize(None).to_numpy().astype(local.dtype)


def _steps(dtype):
    """Return how many of the unit of a dtype coarser units are, as integers."""
    unit = np.timedelta64(1, np.datetime_data(dtype)[0])
    steps = [np.timedelta64(1, name) / unit for name in UNITS]
    return [int(step) for step in steps if step > 1]


def _to_multiples(values, step):
    """Return dates as the nearest multiples of a step, exactly."""
    numbers = values.astype(np.int64)
    return (numbers // step * step + (numbers % step + step // 2) // step * step).astype(
        values.dtype
    )


def _spread(values):
    """Return some of the values, evenly spread."""
    return values[:: max(1, len(values) // N_FIRST)]
