"""Warnings of skae, which can be filtered by class, and helpers to warn and to raise."""

import sys
import warnings

__all__ = [
    "CheckpointWarning",
    "DataWarning",
    "ExtrapolationWarning",
    "InterruptedWarning",
    "LongTextWarning",
    "PoorFitWarning",
    "PosteriorCollapseWarning",
    "ScaleWarning",
    "UnusedParameterWarning",
]


class PoorFitWarning(UserWarning):
    """The fitted model reconstructs worse than PCA or than the mean would."""


class ScaleWarning(UserWarning):
    """Values are on a scale that nets do not learn well from, or columns on very different ones."""


class DataWarning(UserWarning):
    """The data is probably not what is meant, such as a table with a row for each step."""


class ExtrapolationWarning(DataWarning):
    """Values are far beyond those that a model was fitted on."""


class UnusedParameterWarning(UserWarning):
    """A parameter is set, but has no effect beside another one."""


class LongTextWarning(UserWarning):
    """Training pairs are left out because they are too long."""


class InterruptedWarning(UserWarning):
    """Training or a search was interrupted; what was reached so far is kept."""


class CheckpointWarning(UserWarning):
    """The state of a fit or a search cannot be written. It goes on, but could not be resumed."""


class PosteriorCollapseWarning(PoorFitWarning):
    """The codes of a variational autoencoder say nothing about the samples."""


def missing(package, extra):
    """Return the error for an optional package that is not installed.

    Parameters
    ----------
    package : str
        Name of the package, as pip knows it.
    extra : str
        The extra of skae that installs it.

    Returns
    -------
    ModuleNotFoundError
        To raise; its message says how to install the package.
    """
    return ModuleNotFoundError(
        f"This needs the package {package}, which is not installed: "
        f"pip install 'skae[{extra}]', or {package} alone"
    )


#: Packages that may lie between the user's line and the place where skae warns.
_LIBRARIES = {"skae", "sklearn", "skorch", "torch", "joblib", "contextlib"}


def warn(message, category):
    """Warn, and point at the line of the user's code that led here.

    Parameters
    ----------
    message : str
        Text of the warning.
    category : type
        Class of the warning.
    """
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and _package(frame) in _LIBRARIES:
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)


def _package(frame):
    return frame.f_globals.get("__name__", "").partition(".")[0]
