"""Displays of what a model has learned and found, by scikit-learn's rules."""

from skae.inspection._reconstruction import ReconstructionDisplay

__all__ = ["ReconstructionDisplay"]
