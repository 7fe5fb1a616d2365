"""The file from which a fit or a search goes on: when it is written, and whether it is its own."""

import os
import re
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from time import monotonic

import joblib
import numpy as np
from sklearn.base import BaseEstimator

from skae._params import integer, real
from skae._sklearn import validate_parameter_constraints
from skae._training.callbacks import described_callback
from skae._training.state_file import read_state, write_state
from skae.exceptions import CheckpointWarning, warn

#: Parameters, of any part of an estimator, that do not change a result.
WITHOUT_EFFECT = {"checkpoint", "n_jobs", "pre_dispatch", "verbose"}

#: Where an object is in memory, as ``repr`` says it.
ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")

#: Packages on which the bits of a training depend.
PACKAGES = ("skae", "torch")

#: What a text about the class of an estimator is called.
KIND = "the class"

#: Characters of a value in a message.
MAX_SHOWN = 60


@dataclass(frozen=True)
class Checkpoint:
    """Where a fit writes its state, and how often, so that it can go on after a crash.

    It is a value of the parameter ``checkpoint`` of estimators and searches. A path alone stands
    for this object with its defaults.

    Read more in the :ref:`User Guide <checkpoints>`.

    Parameters
    ----------
    path : str or PathLike
        The file. Its folder has to exist. The file is removed when the fit is complete.
    every_minutes : float, default=5.0
        The state is written at the end of an epoch if so many minutes have passed since the last
        time. A search writes whenever fits are finished, as long as this takes less than a
        hundredth of the time.
    every_epochs : int or None, default=None
        Number of epochs after which the state is written even if fewer minutes have passed. None
        goes by the minutes alone. Searches ignore it.

    Raises
    ------
    ValueError
        If a parameter is invalid.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from sklearn.datasets import load_iris
    >>> from skae import Autoencoder, Checkpoint
    >>> X = load_iris().data
    >>> with TemporaryDirectory() as folder:
    ...     checkpoint = Checkpoint(Path(folder, "fit.ckpt"), every_minutes=1)
    ...     model = Autoencoder(2, max_epochs=5, checkpoint=checkpoint, random_state=0).fit(X)
    ...     print(checkpoint.path.exists())
    False
    """

    path: str | os.PathLike
    every_minutes: float = 5.0
    every_epochs: int | None = None

    def __post_init__(self):
        validate_parameter_constraints(_CONSTRAINTS, vars(self), "Checkpoint")


_CONSTRAINTS = {
    "path": [str, os.PathLike],
    "every_minutes": [real(0)],
    "every_epochs": [integer(1), None],
}


def _checkpoint(value):
    """Return the value of a parameter ``checkpoint`` as a `Checkpoint`."""
    return value if isinstance(value, Checkpoint) else Checkpoint(value)


def _place(checkpoint):
    """Return the absolute path of the file."""
    return os.path.realpath(checkpoint.path)


#: Files that fits and searches of this process use now.
_in_use = set()


class CheckpointFile:
    """The file of one fit or search, as long as it lasts.

    Parameters
    ----------
    value : str, PathLike or Checkpoint
        The parameter ``checkpoint``.
    what : str
        "fit" or "search".

    Attributes
    ----------
    stored : dict or None
        What an earlier process has left, None if there is nothing.
    path : str
    has_state : bool
        Whether there is something to go on from.

    Raises
    ------
    ValueError
        If another fit uses the file, or if it is damaged.
    OSError
        If it could not be written.
    """

    def __init__(self, value, what):
        self.settings, self._what = _checkpoint(value), what
        self.path = os.fspath(self.settings.path)
        self._place = _place(self.settings)
        self._check_place()
        if self._place in _in_use:
            raise ValueError(
                f"checkpoint: another fit uses {self.path!r} at the same time. Give each fit a "
                "path of its own."
            )
        self.stored = read_state(self._place, what)
        self.has_state, self._is_warned = self.stored is not None, False
        self._written_at, self._seconds = monotonic(), 0.0
        _in_use.add(self._place)

    def _check_place(self):
        folder = Path(self._place).parent
        if Path(self._place).is_dir():
            raise IsADirectoryError(
                f"checkpoint: {self.path!r} is a folder. Add the name of a file."
            )
        if not folder.is_dir():
            raise FileNotFoundError(
                f"checkpoint: the folder {str(folder)!r} does not exist. Create it, or choose "
                "another path."
            )
        if not os.access(folder, os.W_OK):
            raise PermissionError(
                f"checkpoint: there is no right to write to the folder {str(folder)!r}. Choose "
                "another path."
            )

    def check(self, identity):
        """Raise a ValueError if the file is of something else.

        Parameters
        ----------
        identity : dict of str to str
            Parameters, versions, and digests of data.
        """
        if self.stored is None:
            return
        before = self.stored["identity"]
        names = [name for name in before | identity if before.get(name) != identity.get(name)]
        if names:
            names = [KIND] if KIND in names else names
            changes = "; ".join(_change(n, before.get(n), identity.get(n)) for n in names)
            raise ValueError(
                f"checkpoint: {self.path!r} is not of this {self._what}: {changes}. Go back to "
                "what it was to go on. To begin again, delete the file or give another path."
            )

    @property
    def minutes(self):
        """Minutes since the last time that it was written, or since the beginning."""
        return (monotonic() - self._written_at) / 60

    @property
    def is_cheap(self):
        """Whether writing takes less than a hundredth of the time."""
        return monotonic() - self._written_at >= 99 * self._seconds

    def write(self, state):
        """Write a state. If this is not possible, warn once, and keep what is there."""
        start = monotonic()
        try:
            write_state(self._place, state)
            self.has_state = True
        except (OSError, TypeError) as error:
            if not self._is_warned:
                self._is_warned = True
                warn(
                    f"The checkpoint {self.path!r} could not be written: {error}. The fit goes on "
                    "without it. What was written before is kept.",
                    CheckpointWarning,
                )
        self._written_at = monotonic()
        self._seconds = self._written_at - start

    def remove(self):
        """Remove the file, of what is complete."""
        Path(self._place).unlink(missing_ok=True)

    def close(self):
        """Let others use it."""
        _in_use.discard(self._place)


def _change(name, before, now):
    """Say what is different."""
    if before is None:
        return f"it had no {name}"
    if now is None:
        return f"it had {name}"
    if before.startswith("digest "):
        return f"{name} differs"
    return f"{name} was {_short(before)} and is {_short(now)}"


def _short(text):
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."


def facts(estimator):
    """Return the parameters that a result depends on, and the versions of the packages, as texts.

    Parameters
    ----------
    estimator : estimator

    Returns
    -------
    dict of str to str
    """
    known = {KIND: type(estimator).__name__}
    for name, value in estimator.get_params().items():
        if not WITHOUT_EFFECT.intersection(name.split("__")):
            is_part = isinstance(value, BaseEstimator)  # whose parameters come one by one
            known[name] = type(value).__name__ if is_part else described(value)
    return known | {f"the version of {name}": version(name) for name in PACKAGES}


def described(value):
    """Return a text that is the same for equal values, in any process.

    Functions and objects of other classes count as equal if their names are.
    """
    if isinstance(value, BaseEstimator):
        params = value.get_params(deep=False).items()
        of_effect = {name: inner for name, inner in params if name not in WITHOUT_EFFECT}
        return f"{type(value).__name__}({described(of_effect)})"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key!r}: {described(inner)}' for key, inner in value.items())}}}"
    if isinstance(value, (np.ndarray, np.random.RandomState)):
        return f"digest {joblib.hash(value)}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(described, value))}]"
    return described_callback(value) or ADDRESS.sub("", repr(value))


def paths_of(estimator):
    """Return the files of the checkpoints of an estimator and of its parts, a set."""
    params = estimator.get_params() if isinstance(estimator, BaseEstimator) else {}
    values = (v for name, v in params.items() if name.split("__")[-1] == "checkpoint")
    return {_place(_checkpoint(value)) for value in values if value is not None}


def check_apart(estimators, remedy="Leave it out, or give each estimator a path of its own."):
    """Raise a ValueError if fits that are made together would write to one file.

    Parameters
    ----------
    estimators : iterable of estimator
    remedy : str
    """
    seen = set()
    for estimator in estimators:
        shared = seen & (paths := paths_of(estimator))
        if shared:
            raise ValueError(
                f"checkpoint={min(shared)!r} of {type(estimator).__name__} would be the file of "
                f"several fits, of which each would overwrite the others. {remedy}"
            )
        seen |= paths
