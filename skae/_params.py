"""Constructor parameters: their constraints, and errors that name the nearest one."""

import inspect
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from numbers import Integral, Real
from typing import dataclass_transform

from numpy.random import RandomState
from sklearn.base import BaseEstimator

from skae._sklearn import (
    HasMethods,
    Interval,
    InvalidParameterError,
    StrOptions,
    fit_context,
)

__all__ = [
    "HasMethods",
    "ParameterMixin",
    "Snapshot",
    "StrOptions",
    "callable_name",
    "complete_docstring",
    "fit_context",
    "integer",
    "parameter_class",
    "real",
    "unchanged_on_error",
]


class Snapshot:
    """The attributes of an estimator, of which fits change only the random state in place.

    Parameters
    ----------
    estimator : estimator
    """

    def __init__(self, estimator):
        self.estimator, self.attributes = estimator, dict(vars(estimator))
        rng = self.attributes.get("_rng")
        self.rng = rng if isinstance(rng, RandomState) else None  # an estimator may be anybody's
        self.rng_state = None if self.rng is None else self.rng.get_state()

    def restore(self):
        """Put the attributes back."""
        self.estimator.__dict__ = dict(self.attributes)  # at once: there may be an interrupt
        if self.rng is not None:
            self.rng.set_state(self.rng_state)


@contextmanager
def unchanged_on_error(*estimators):
    """Put the attributes of estimators back if what is done with them fails or is interrupted."""
    before = [Snapshot(estimator) for estimator in estimators]
    try:
        yield
    except BaseException:
        for snapshot in before:
            snapshot.restore()
        raise


@dataclass_transform(kw_only_default=True, eq_default=False)
def parameter_class(cls, docs=None):
    """Make the constructor of a class from its annotated fields, which are its parameters.

    Fields are inherited, and so are their constraints. Behind fields that can be given by
    position, a class's own come before the inherited ones; one that has another default here
    stays in its place. The constructor assigns and does nothing else.

    Parameters
    ----------
    cls : type
    docs : dict or None, default=None
        By mark, such as ``<training>``, what stands for it in the docstring.
    """
    cls = dataclass(cls, eq=False, repr=False, kw_only=True)
    signature = inspect.signature(cls.__init__)
    parameters = signature.parameters
    names = [n for n, p in parameters.items() if p.kind is not p.KEYWORD_ONLY]
    origin = {n: base for base in cls.__mro__ for n in base.__dict__.get("__annotations__", ())}
    for base in cls.__mro__:
        own = base.__dict__.get("__annotations__", ())
        names += [n for n in own if origin[n] is base and n not in names]
    cls.__init__.__signature__ = signature.replace(
        parameters=[parameters[n].replace(annotation=signature.empty) for n in names],
        return_annotation=signature.empty,
    )
    constraints = {}
    for base in reversed(cls.__mro__):
        constraints |= base.__dict__.get("_parameter_constraints", {})
    cls._parameter_constraints = constraints
    return complete_docstring(cls, docs or {})


def complete_docstring(cls, docs):
    """Replace the marks in the docstring of a class, such as ``<training>``, by their texts."""
    for mark, text in docs.items():
        cls.__doc__ = cls.__doc__ and cls.__doc__.replace(mark, text)
    return cls


def integer(low, high=None):
    """Constraint: an integer from ``low`` to ``high``, both included."""
    return Interval(Integral, low, high, closed="left" if high is None else "both")


def real(low, high=None, closed="left"):
    """Constraint: a real number between ``low`` and ``high``."""
    return Interval(Real, low, high, closed=closed)


def callable_name(function):
    """Return how a message should call ``function``."""
    return getattr(function, "__name__", type(function).__name__)


def did_you_mean(name, known):
    """Return ``" Did you mean 'known name'?"`` or nothing if none is near."""
    near = get_close_matches(name, known, n=1, cutoff=0.5)
    return f" Did you mean {near[0]!r}?" if near else ""


class ParameterMixin(BaseEstimator):
    """Parameters whose errors suggest what was meant."""

    _parameter_constraints = {}

    def _validate_params(self):
        try:
            super()._validate_params()
        except InvalidParameterError as error:
            raise InvalidParameterError(f"{error}{self._nearest_options()}") from None

    def _nearest_options(self):
        for name, constraints in self._parameter_constraints.items():
            known = [o for c in constraints if isinstance(c, StrOptions) for o in c.options]
            value = getattr(self, name)
            if known and isinstance(value, str) and value not in known:
                return did_you_mean(value, known)
        return ""

    def set_params(self, **params):
        """Set parameters by name, nested ones as ``architecture__dropout``.

        Parameters
        ----------
        **params : dict
            Parameters of this object or, as ``<parameter>__<name>``, of an object it
            holds.

        Returns
        -------
        self : object
            The object itself.

        Raises
        ------
        ValueError
            If a name is unknown; the message has the nearest known one.
        """
        try:
            return super().set_params(**params)
        except ValueError as error:
            known = self.get_params()
            unknown = [name for name in params if name.partition("__")[0] not in known]
            hint = did_you_mean(unknown[0], known) if unknown else ""
            raise ValueError(f"{error}{hint}") from None
