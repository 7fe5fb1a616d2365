"""How the elements of a table's row lie in a tensor. torch only.

Numbers come first, one element each; then categories, one group of elements each.
"""

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
        return torch.tensor([1] * self.n_numbers + list(self.widths), dtype=torch.int64)

    @property
    def starts(self):
        """First element of each column, a tensor."""
        return self.sizes.cumsum(0) - self.sizes

    @property
    def columns(self):
        """Column of each element, a tensor."""
        return torch.arange(len(self.sizes)).repeat_interleave(self.sizes)
