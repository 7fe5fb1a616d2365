"""How the elements of a table's row lie in a tensor. torch only.

Numbers come first, one element each; then categories, one group of elements each.
"""

from functools import lru_cache
from typing import NamedTuple

import torch


class ColumnLayout(NamedTuple):
    """Which elements are which column's.

    Parameters
    ----------
    n_numbers : int
        How many columns are numbers, the first elements.
    widths : tuple of int
        Of the groups of the other columns, their numbers of categories.
    """

    n_numbers: int
    widths: tuple

    @property
    def sizes(self):
        """Number of elements of each column, a tensor."""
        return _sizes_and_starts(self.n_numbers, self.widths)[0].clone()

    @property
    def starts(self):
        """First element of each column, a tensor."""
        return _sizes_and_starts(self.n_numbers, self.widths)[1].clone()

    @property
    def columns(self):
        """Column of each element, a tensor."""
        return torch.arange(len(self.sizes)).repeat_interleave(self.sizes)


@lru_cache(maxsize=64)
def _sizes_and_starts(n_numbers, widths):
    # Kept, as a single row asks for them several times.
    sizes = torch.tensor([1] * n_numbers + list(widths), dtype=torch.int64)
    return sizes, sizes.cumsum(0) - sizes
