"""Warnings of skae, so that they can be filtered by class, and how they are given."""

import sys
import warnings

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


#: Packages between a user's line and the place where skae warns.
_LIBRARIES = {"skae", "sklearn", "skorch", "torch", "joblib", "contextlib"}


def warn(message, category):
    """Warn, and point at the line outside of skae and its libraries that led here."""
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and _package(frame) in _LIBRARIES:
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)


def _package(frame):
    return frame.f_globals.get("__name__", "").partition(".")[0]
