"""Pairs of samples: what a net gets, and what it is to make of it."""

from skae.inputs._images import Images


class Pairs(Images):
    """Images, each with another one as its target.

    Parameters
    ----------
    inputs, targets : Images
        As many of the one as of the other.
    """

    targets = None

    def __init__(self, inputs, targets):
        super().__init__(inputs, inputs.format)
        self.targets = targets

    def select(self, index):
        twin = super().select(index)
        twin.targets = self.targets.select(index)
        return twin
