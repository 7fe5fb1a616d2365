"""Windows of series: which can be used, and means over those that a step is in."""

import numpy as np
import pandas as pd

#: A feature that is constant counts this share of its value as its spread.
SHARE_OF_CONSTANT = 0.01

#: A spread below this share of the largest value is rounding: the feature is constant.
ROUNDING = 1e-12

#: Values farther from the center, in spreads, count as this: their squares are finite in float32.
MAX_SCALED = 1e12

#: Values of the windows that are judged at once.
MAX_VALUES = 2**20


class SeriesScale:
    """Center and spread of each feature.

    Parameters
    ----------
    values : ndarray of shape (n_steps, n_features)
        NaN where a value is missing.
    """

    def __init__(self, values):
        known = ~np.isnan(values)
        largest = np.max(np.abs(values), 0, where=known, initial=0)
        # In this unit, squares neither overflow nor vanish.
        unit = np.where(largest > 0, largest, 1)
        count = np.maximum(known.sum(0), 1)
        center = np.where(known, values / unit, 0).sum(0) / count
        spread = np.sqrt(np.square(np.where(known, values / unit - center, 0)).sum(0) / count)
        self.center = center * unit
        self.spread = np.where(spread > ROUNDING, spread, SHARE_OF_CONSTANT) * unit

    def scaled(self, values):
        """Return values in spreads from the center."""
        with np.errstate(over="ignore"):
            return np.clip((values - self.center) / self.spread, -MAX_SCALED, MAX_SCALED)


class Windows:
    """Windows of one series that has been scaled.

    A window can be used if all its values are known, once gaps of at most half a window are
    filled by straight lines, and if no interval within it is longer than half a window.

    Parameters
    ----------
    values : ndarray of shape (n_steps, n_features)
    length : int
        Steps of a window.
    intervals : ndarray of shape (n_steps - 1,) or None
        Time from each step to the next, in usual intervals.
    is_causal : bool, default=False
        Whether a window cannot be used if its last step misses a value: what fills it comes later.
    """

    def __init__(self, values, length, intervals=None, is_causal=False):
        self.length, self.n_steps = length, len(values)
        self.values = _filled(values, length // 2)
        is_unknown = np.isnan(self.values).any(1)
        is_break = np.zeros(self.n_steps, bool)
        if intervals is not None:
            is_break[1:] = intervals > max(1.5, length / 2)
        n_unknown = np.cumsum(np.append(0, is_unknown))
        n_breaks = np.cumsum(is_break)
        n_windows = max(0, self.n_steps - length + 1)
        has_unknown = n_unknown[length:] > n_unknown[:n_windows]
        has_break = n_breaks[length - 1 :] > n_breaks[:n_windows]
        self.usable = ~(has_unknown | has_break)
        if is_causal:
            self.usable &= ~np.isnan(values[length - 1 :]).any(1)

    def starts(self, stride):
        """Return where windows start, one in ``stride``, and the last of each unbroken part."""
        places = np.flatnonzero(self.usable)
        if not len(places):
            return places
        parts = np.split(places, np.flatnonzero(np.diff(places) > 1) + 1)
        return np.concatenate([np.union1d(part[::stride], part[-1:]) for part in parts])

    def at(self, starts):
        """Return windows, shape (n_windows, length, n_features)."""
        windows = np.lib.stride_tricks.sliding_window_view(self.values, self.length, axis=0)
        return windows[starts].swapaxes(1, 2)

    def chunks(self, starts):
        """Yield some starts at a time, so that memory is bounded."""
        n_chunks = -(-len(starts) * self.length * self.values.shape[1] // MAX_VALUES)
        yield from np.array_split(starts, max(1, n_chunks))

    def step_means(self, starts, of_windows):
        """Return for each step the mean over the windows that it is in, NaN where there is none."""
        total, count = np.zeros((2, self.n_steps + 1))
        for sums, values in ((total, of_windows), (count, 1.0)):
            np.add.at(sums, starts, values)
            np.add.at(sums, starts + self.length, np.negative(values))
        total, count = total.cumsum()[:-1], count.cumsum()[:-1].round()
        return np.divide(total, count, out=np.full(self.n_steps, np.nan), where=count > 0)

    def last_values(self, starts, of_windows):
        """Return for each step the value of the window that ends there, NaN where there is none."""
        values = np.full(self.n_steps, np.nan)
        values[starts + self.length - 1] = of_windows
        return values


def _filled(values, max_gap):
    """Return values with gaps filled by straight lines, those of more steps left as they are."""
    is_missing = np.isnan(values)
    if not is_missing.any():
        return values
    filled = pd.DataFrame(values).interpolate(limit_area="inside").to_numpy(copy=True)
    for feature in np.flatnonzero(is_missing.any(0)):
        missing = is_missing[:, feature]
        part = np.cumsum(np.append(False, missing[1:] != missing[:-1]))
        is_long = missing & (np.bincount(part)[part] > max_gap)
        filled[is_long, feature] = np.nan
    return filled


def cell_sums(errors, starts, sums):
    """Add what cells of windows have to the steps that they belong to.

    Parameters
    ----------
    errors : ndarray of shape (n_windows, length, n_features)
    starts : ndarray of shape (n_windows,)
        All different.
    sums : ndarray of shape (n_steps, n_features)
        Changed in place.
    """
    for step in range(errors.shape[1]):
        sums[starts + step] += errors[:, step]
