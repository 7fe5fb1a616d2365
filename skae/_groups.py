"""How the elements of a table's row lie in a tensor. torch only.

Numbers come first, one element each; then categories, one group of elements each.
"""

from typing import NamedTuple

import torch
from torch import nn


class Groups(NamedTuple):
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


class GroupSoftmax(nn.Module):
    """Softmax over each group of categories; numbers stay as they are.

    Parameters
    ----------
    groups : Groups

    Examples
    --------
    >>> import torch
    >>> from skae._groups import Groups, GroupSoftmax
    >>> GroupSoftmax(Groups(n_numbers=1, widths=(2,)))(torch.tensor([[7.0, 1.0, 1.0]]))
    tensor([[7.0000, 0.5000, 0.5000]])
    """

    def __init__(self, groups):
        super().__init__()
        self.n_numbers = groups.n_numbers
        widths = torch.tensor(groups.widths, dtype=torch.int64)
        group = torch.arange(len(widths)).repeat_interleave(widths)
        # Elements of each group side by side, the first one again where there are fewer.
        within = torch.arange(max(groups.widths, default=1)).expand(len(widths), -1)
        first = (widths.cumsum(0) - widths)[:, None]
        places = torch.where(within < widths[:, None], first + within, first)
        membership = torch.nn.functional.one_hot(group, max(1, len(widths)))[:, : len(widths)]
        self.register_buffer("group", group, persistent=False)
        self.register_buffer("places", places, persistent=False)
        self.register_buffer("membership", membership.float(), persistent=False)

    def forward(self, x):
        numbers, logits = self.split(x)
        return torch.cat([numbers, self.log_softmax(logits).exp()], -1)

    def split(self, x):
        """Return the elements of numbers and those of categories."""
        return x[..., : self.n_numbers], x[..., self.n_numbers :]

    def log_softmax(self, logits):
        """Return the logarithm of the softmax of each group."""
        side_by_side = logits.detach().index_select(-1, self.places.flatten())
        highest = side_by_side.unflatten(-1, self.places.shape).amax(-1)
        logits = logits - self.spread(highest)
        return logits - self.spread(self.total(logits.exp()).log())

    def spread(self, x):
        """Return the value of each group for each of its elements."""
        return x.index_select(-1, self.group)

    def total(self, x):
        """Return the sum over each group, shape (..., n_groups)."""
        return x @ self.membership
