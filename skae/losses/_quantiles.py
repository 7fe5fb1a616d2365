"""The distribution of each number of a table, as its training rows show it. torch only."""

import torch
from torch import nn

#: Intervals that a column is divided into, at most.
MAX_INTERVALS = 1_000

#: Fraction of different values among the known ones up to which only values that occur are drawn.
MAX_DIFFERENT = 0.5

#: Scores of the ends, where a normal distribution has next to nothing beyond.
END = 8.0

#: Intervals of equal probability that means are computed from.
N_MEANS = 32


class ColumnQuantiles(nn.Module):
    """Maps between the values of each column and scores, which are normally distributed.

    A value stands for an interval of scores, as wide as it is frequent: one that half of all rows
    have takes half of the distribution. Of columns where values rarely repeat, an interval
    stands for the values around one, evenly spread. So whatever score is drawn, its value is
    one that the column can hold: within its range, and exactly 0 as often as the column is.

    Parameters
    ----------
    columns : list of tuple (values, weight)
        The known values of each column, and their weights, tensors of shape (n_known,).

    Attributes
    ----------
    low, high : tensor of shape (n_columns, n_intervals)
        Cumulative probability below an interval, and up to its end. Short columns are padded with
        intervals of no width at 1.
    first, last : tensor of shape (n_columns, n_intervals)
        Values at the ends of an interval, the same for a value that repeats.

    Examples
    --------
    >>> import torch
    >>> from skae.losses._quantiles import ColumnQuantiles
    >>> values = torch.tensor([0.0, 0.0, 0.0, 5.0, 5.0, 8.0])
    >>> quantiles = ColumnQuantiles([(values, torch.ones(6))])
    >>> quantiles.values(torch.tensor([[-1.0], [0.2], [3.0]])).flatten()
    tensor([0., 5., 8.])
    """

    def __init__(self, columns):
        super().__init__()
        learned = [_intervals(*column) for column in columns]
        length = max((len(part[0]) for part in learned), default=1)
        for i, name in enumerate(("low", "high", "first", "last", "border")):
            rows = [_padded(parts[i], length, name) for parts in learned]
            table = torch.stack(rows) if rows else torch.empty(0, length)
            self.register_buffer(name, table.float())
        self.register_buffer("bin_mean", self._bin_means())
        edges = torch.arange(1, N_MEANS) / N_MEANS
        self.register_buffer("bin_edge", torch.special.ndtri(edges))

    def _bin_means(self):
        """Return the mean value of each of ``N_MEANS`` parts of equal probability."""
        n_points = 16 * N_MEANS
        points = ((torch.arange(n_points) + 0.5) / n_points).expand(len(self.low), -1)
        return self._values_at(points.t()).t().unflatten(1, (N_MEANS, 16)).mean(2)

    def places(self, values):
        """Return which interval each value is in, shape (n_samples, n_columns)."""
        return torch.searchsorted(self.border, values.t().contiguous(), right=True).t()

    def _at(self, table, places):
        return table.gather(1, places.t()).t()

    def intervals(self, values):
        """Return the scores between which the interval of each value is.

        Parameters
        ----------
        values : tensor of shape (n_samples, n_columns)

        Returns
        -------
        low, high : tensor of shape (n_samples, n_columns)
        """
        places = self.places(values)
        ends = self._at(self.low, places), self._at(self.high, places)
        return tuple(torch.special.ndtri(end).clamp(-END, END) for end in ends)

    def log_densities(self, values):
        """Return the logarithm of how dense values are within their intervals.

        It is 0 for a value that repeats, which has a probability. Beyond the range of the training
        rows the density falls by a factor of e with each unit.
        """
        places = self.places(values)
        first, last = self._at(self.first, places), self._at(self.last, places)
        beyond = torch.clamp_min(torch.maximum(first - values, values - last), 0.0)
        beyond = torch.where((values < self.first[:, 0]) | (values > self.last[:, -1]), beyond, 0.0)
        width = last - first
        return -torch.where(width > 0, width, 1.0).log() - beyond

    def scores(self, values):
        """Return the score of each value: that in the middle of its probability."""
        places = self.places(values)
        low, high = self._at(self.low, places), self._at(self.high, places)
        first, last = self._at(self.first, places), self._at(self.last, places)
        width = last - first
        inside = (values - first) / torch.where(width > 0, width, 1.0)
        fraction = torch.where(width > 0, inside.clamp(0.0, 1.0), 0.5)
        return torch.special.ndtri(low + (high - low) * fraction).clamp(-END, END)

    def values(self, scores):
        """Return the value of each score, shape (n_samples, n_columns)."""
        return self._values_at(torch.special.ndtr(scores))

    def _values_at(self, probabilities):
        places = torch.searchsorted(self.high, probabilities.t().contiguous()).t()
        places = places.clamp_max(self.high.shape[1] - 1)
        low, high = self._at(self.low, places), self._at(self.high, places)
        first, last = self._at(self.first, places), self._at(self.last, places)
        width = high - low
        inside = (probabilities - low) / torch.where(width > 0, width, 1.0)
        return first + (last - first) * inside.clamp(0.0, 1.0)


def _intervals(values, weight):
    """Return the intervals of one column: low, high, first, last, and the borders between them."""
    if not len(values):
        zero = torch.zeros(1)
        return zero, zero + 1, zero, zero, zero[:0]
    seen, place = torch.unique(values.double(), return_inverse=True)
    mass = torch.zeros_like(seen).index_add_(0, place, weight.double())
    mass = mass / mass.sum()
    repeats = len(seen) <= MAX_DIFFERENT * len(values)
    group = _groups(mass)
    n_groups = int(group[-1]) + 1
    high = torch.zeros(n_groups, dtype=torch.double).index_add_(0, group, mass).cumsum(0)
    high[-1] = 1.0
    low = torch.cat([high.new_zeros(1), high[:-1]])
    size = torch.bincount(group)
    end = size.cumsum(0)
    first, last = seen[end - size], seen[end - 1]
    border = (last[:-1] + first[1:]) / 2
    is_one = (size == 1) & (repeats | (mass[end - 1] > 1.5 / len(values)))
    lower, upper = torch.cat([first[:1], border]), torch.cat([border, last[-1:]])
    return low, high, first.where(is_one, lower), last.where(is_one, upper), border


def _groups(mass):
    """Return the interval of each value, so that frequent ones have an interval of their own."""
    if len(mass) <= MAX_INTERVALS:
        return torch.arange(len(mass))
    is_frequent = mass >= 1 / MAX_INTERVALS
    part = ((mass.cumsum(0) - mass / 2) * MAX_INTERVALS).long()
    starts = torch.ones_like(part, dtype=torch.bool)
    starts[1:] = (part[1:] != part[:-1]) | is_frequent[1:] | is_frequent[:-1]
    return starts.cumsum(0) - 1


def _padded(part, length, name):
    """Return a part of the intervals of a column with as many as the longest has."""
    fill = {"low": 1.0, "high": 1.0, "border": torch.inf}.get(name)
    fill = part[-1].item() if fill is None else fill
    return torch.cat([part, part.new_full((length - len(part),), fill)])
