"""Bottlenecks: what the code is like.

A bottleneck is a module between encoder and decoder. ``forward`` turns the
encoder's output into the code; ``penalty`` is what it adds to each sample's
loss; ``encoder_width`` is how many numbers it wants from the encoder.
"""

from torch import nn

__all__ = ["LinearBottleneck"]


class LinearBottleneck(nn.Identity):
    """The code is the encoder's output as it is, with no penalty."""

    @staticmethod
    def encoder_width(n_components):
        """Return how many outputs the encoder needs for ``n_components`` codes."""
        return n_components

    def penalty(self, encoded):
        """Return what is added to the loss, a tensor of shape (n_samples,) or 0."""
        del encoded
        return 0.0
