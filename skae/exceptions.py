"""Warnings of skae, so that they can be filtered by class."""

__all__ = ["InterruptedWarning", "PoorFitWarning"]


class PoorFitWarning(UserWarning):
    """The fitted model reconstructs worse than PCA or than the mean would."""


class InterruptedWarning(UserWarning):
    """Training was interrupted; the estimator holds the weights reached so far."""
