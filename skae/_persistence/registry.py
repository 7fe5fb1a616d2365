"""Names of the classes and functions that files of models can hold."""

import sys
from functools import cache
from types import FunctionType

import numpy as np
from scipy import special
from sklearn.base import BaseEstimator
from torch import nn, optim
from torch.nn import functional
from torch.optim import lr_scheduler
from torch.optim.lr_scheduler import LRScheduler

from skae import corruptions
from skae._data.column_layout import ColumnLayout
from skae._data.columns import CategoryColumn, NumberColumn, TableColumns
from skae._data.conditions import ConditionReader
from skae._data.cost import Cost
from skae._data.dataset import ArrayFormat
from skae._data.dtypes import ColumnType, ObjectType
from skae._data.extent import Extent
from skae._data.frames import FrameFormat
from skae._data.grids import DateGrid, NumberGrid
from skae._data.labels import ClassReader, NumberReader
from skae._data.reader import Reader
from skae._estimators.code_prior import MixturePrior
from skae._estimators.code_tables import CodeTables
from skae._estimators.ensemble import _Draw
from skae._outliers.derived_columns import ConstantColumns, DerivedColumns, ModeledColumns
from skae._outliers.differences import DifferenceColumn, Pair, UsualDifferenceColumn
from skae._outliers.distances import MahalanobisDistance, NeighborDistances
from skae._outliers.donors import Donors
from skae._outliers.known_anomalies import KnownAnomalies, _ColumnReader
from skae._outliers.patch_distances import PatchDistances
from skae._outliers.pixel_levels import PixelLevels
from skae._outliers.tails import TailScale
from skae._outliers.time_columns import Clock, Cycle, PhaseColumns, UsualTimeColumns
from skae._persistence import sklearn_parts
from skae._series.judged import Calibration
from skae._series.reading import Series, SeriesCollection
from skae._series.rolling_scores import RollingScores
from skae._series.stream_method import StreamMethod
from skae._series.windows import SeriesScale
from skae._text.casing import Casing
from skae._text.known_words import KnownWords
from skae._text.normalization import Normalizer
from skae._text.sentences import SentenceSplitter
from skae._text.words import Lexicon
from skae._training.checkpoint_file import Checkpoint
from skae._training.muon import Muon
from skae._training.net import Net
from skae.architectures._recurrent_layers import Padded, Stretched

#: Classes whose objects fitted estimators consist of: these and all of skae that inherit from them.
BASES = (
    *(nn.Module, BaseEstimator, Net, Muon, Reader, ClassReader, NumberReader, ArrayFormat, Extent),
    *(ColumnLayout, ColumnType, Cost, FrameFormat, ObjectType),
    *(CategoryColumn, NumberColumn, TableColumns, NumberGrid, DateGrid, ConditionReader),
    *(ConstantColumns, DerivedColumns, ModeledColumns, Pair, DifferenceColumn),
    *(UsualDifferenceColumn, Clock, Cycle, PhaseColumns, UsualTimeColumns),
    *(MahalanobisDistance, NeighborDistances, Donors, TailScale, KnownAnomalies, _ColumnReader),
    *(PatchDistances, PixelLevels, Calibration, Series, SeriesCollection, SeriesScale),
    *(RollingScores, StreamMethod, Checkpoint),
    *(Padded, Stretched, _Draw, CodeTables, MixturePrior),
    *(KnownWords, Lexicon, Casing, Normalizer, SentenceSplitter),
)

#: Those of skae that damage inputs.
FUNCTIONS = {
    name: thing
    for name, thing in vars(corruptions).items()
    if name in corruptions.__all__ and isinstance(thing, FunctionType)
}

#: What begins the names of what users have registered, in files.
OF_USERS = "registered."

#: What users have registered, by name. The last of each counts, and those before it are of models
#: that were fitted before a cell of a notebook ran again.
_registered = {}


def register(thing):
    """Let models hold a class or function of yours when `save` and `load` meet it.

    Files of `save` name classes and functions, and hold no code. So what is not skae's own has to
    be registered before it is saved, and again, by the same name, before it is loaded. It can be
    an architecture, a layer (a `torch.nn.Module`), a loss, a corruption, or an estimator that
    inherits from one of skae.

    The attributes of an object are saved. They can be numbers, text, lists, dicts, arrays,
    tensors, and objects of registered classes. ``functools.partial`` of a registered function, or
    of one of ``torch.nn.functional`` or ``torch.optim.lr_scheduler``, takes the place of a lambda.

    Parameters
    ----------
    thing : type or function
        It can be used as a decorator. Another thing that was registered by this name gives way.

    Returns
    -------
    type or function
        The same.

    Raises
    ------
    TypeError
        If it is neither a class nor a function.
    ValueError
        If it has no name, or that of an estimator, architecture or corruption of skae.

    See Also
    --------
    save : Save a model.

    Examples
    --------
    >>> import torch
    >>> import skae
    >>> @skae.register
    ... def fourth_power(prediction, target):
    ...     return (prediction - target) ** 4
    >>> model = skae.Autoencoder(2, loss=fourth_power, max_epochs=5)
    """
    if not isinstance(thing, (type, FunctionType)):
        raise TypeError(
            f"register takes a class or a function, got {thing!r}. Of an object, register the "
            "class."
        )
    name = thing.__name__
    if not name.isidentifier():
        raise ValueError(f"A function without a name cannot be registered: define {name} by def.")
    if name in FUNCTIONS or issubclass(_classes().get(name, object), BaseEstimator):
        raise ValueError(f"skae has a {name} of its own. Choose another name for yours.")
    _registered[name] = (*_registered.get(name, ()), thing)
    return thing


def _classes():
    """Return the classes of skae, by name."""
    found, classes = list(BASES), {}
    while found:
        cls = found.pop()
        found += cls.__subclasses__()
        package, _, rest = cls.__module__.partition(".")
        if package == "skae" and not rest.startswith("_onnx") and _is_there(cls):
            classes[cls.__name__] = cls
    return classes


def _is_there(cls):
    """Say whether its module has a class: torch makes others of this name when it exports."""
    module = sys.modules.get(cls.__module__)
    return module is not None and vars(module).get(cls.__name__) is cls


@cache
def _parts_of_others():
    """Return what is of other libraries, by name."""
    of_numpy = {**_types(), **_functions_of_elements()}
    return {**of_numpy, **_parts_of_torch(), **sklearn_parts.functions()}


def _types():
    """Return the types of numbers, by name."""
    plain = {f"builtins.{kind.__name__}": kind for kind in (bool, int, float, complex, str, object)}
    kinds = [kind for kind in vars(np).values() if isinstance(kind, type)]
    kinds += np.sctypeDict.values()
    return plain | {f"numpy.{k.__name__}": k for k in kinds if issubclass(k, np.generic)}


def _functions_of_elements():
    """Return the functions of NumPy and SciPy that take arrays element by element, by name."""
    return {
        f"{package.__name__}.{function.__name__}": function
        for package in (special, np)
        for function in vars(package).values()
        if isinstance(function, np.ufunc)
    }


def _parts_of_torch():
    """Return layers, optimizers, schedules and functions of torch, by name."""
    kinds = ((nn, nn.Module), (optim, optim.Optimizer), (lr_scheduler, LRScheduler))
    classes = {
        f"{package.__name__}.{name}": cls
        for package, base in kinds
        for name, cls in vars(package).items()
        if isinstance(cls, type) and issubclass(cls, base)
    }
    functions = {
        f"{functional.__name__}.{name}": function
        for name, function in vars(functional).items()
        if isinstance(function, FunctionType) and not name.startswith("_")
    }
    return classes | functions


class Names:
    """Names of classes and functions, at one time, and what they name."""

    def __init__(self):
        of_users = {OF_USERS + name: things for name, things in _registered.items()}
        self.things = {**_parts_of_others(), **_classes(), **FUNCTIONS}
        self._names = {thing: name for name, thing in self.things.items()}
        self._names |= {thing: name for name, things in of_users.items() for thing in things}
        self.things |= {name: things[-1] for name, things in of_users.items()}

    def of(self, thing):
        """Return the name of a class or function, or None if it has none."""
        return self._names.get(thing)

    def is_ours(self, thing):
        """Say whether a class or function is skae's or the user's, not another library's."""
        return "." not in (self.of(thing) or ".") or self.is_of_user(thing)

    def is_of_user(self, thing):
        """Say whether a user has registered a class or function."""
        return (self.of(thing) or "").startswith(OF_USERS)
