"""Warnings of skae, so that they can be filtered by class."""

__all__ = ["InterruptedWarning", "PoorFitWarning", "PosteriorCollapseWarning", "ScaleWarning"]


class PoorFitWarning(UserWarning):
    """The fitted model reconstructs worse than PCA or than the mean would."""


class ScaleWarning(UserWarning):
    """The values of images are on a scale that nets do not learn well from."""


class InterruptedWarning(UserWarning):
    """Training was interrupted; the estimator holds the weights reached so far."""


class PosteriorCollapseWarning(PoorFitWarning):
    """The codes of a variational autoencoder say nothing of the rows."""
