"""Warnings of skae, so that they can be filtered by class."""

__all__ = [
    "InterruptedWarning",
    "LongTextWarning",
    "PoorFitWarning",
    "PosteriorCollapseWarning",
    "ScaleWarning",
]


class PoorFitWarning(UserWarning):
    """The fitted model reconstructs worse than PCA or than the mean would."""


class ScaleWarning(UserWarning):
    """The values of images are on a scale that nets do not learn well from."""


class LongTextWarning(UserWarning):
    """Training pairs are left out because they are too long."""


class InterruptedWarning(UserWarning):
    """Training was interrupted; the estimator holds the weights reached so far."""


class PosteriorCollapseWarning(PoorFitWarning):
    """The codes of a variational autoencoder say nothing of the rows."""


def missing(package, extra):
    """Return the error for a package that an extra of skae installs."""
    return ModuleNotFoundError(
        f"This needs the package {package}, which is not installed: "
        f"pip install {package}, or skae with its extra [{extra}]"
    )
