"""Constructor parameters: their constraints, and errors that name the nearest one."""

import inspect
import re
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from numbers import Integral, Real
from typing import dataclass_transform

from numpy.random import RandomState
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError

from skae._names import PARAMETERS, did_you_mean, remedy, same, similar
from skae._sklearn import (
    HasMethods,
    Interval,
    InvalidParameterError,
    VisualBlock,
    fit_context,
    make_constraint,
)
from skae._sklearn import StrOptions as AnyOrder

__all__ = [
    "DOCUMENTATION",
    "JOBS",
    "DocLinks",
    "FittedAttributes",
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
    "refuse_class",
    "unchanged_on_error",
    "with_hints",
]

#: Address of the documentation.
DOCUMENTATION = "https://skae.readthedocs.io/en/latest/"


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
    return with_hints(complete_docstring(cls, docs or {}))


def with_hints(cls):
    """Let errors about arguments of the constructor of a class name the right ones.

    Its docstring is complete: a type that is on two lines in the code becomes one line without a
    gap, by which links in notebooks find it in the documentation.
    """
    cls.__doc__ = cls.__doc__ and re.sub(r"^ *\w+ : .*$", _without_gaps, cls.__doc__, flags=re.M)
    init = cls.__init__

    @wraps(init)
    def __init__(self, *args, **kwargs):
        try:
            init(self, *args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{error}.{_constructor_hint(cls, kwargs)}") from None

    cls.__init__ = __init__
    return cls


def argument_hint(cls, name):
    """Say which parameter was meant by an argument of a method, or return nothing."""
    found = _find(cls, name, _same_parameter)
    return f" The constructor has the parameter {found[0]!r}." if found else ""


def _constructor_hint(cls, given):
    """Say what is wrong with the arguments of a constructor."""
    parameters = list(inspect.signature(cls).parameters.values())
    known = [parameter.name for parameter in parameters]
    unknown = [name for name in given if name not in known]
    if unknown:
        listed = f" The parameters are {', '.join(sorted(known))}."
        return parameter_hint(cls, unknown[0]) or listed
    by_position = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    return f" By position it takes {' and '.join(by_position) or 'nothing'}. Name all others."


def parameter_hint(cls, name):
    """Say which parameter of a class, or of an object that it holds, a name means, or nothing."""
    first, _, rest = name.partition("__")
    if rest and first in cls._get_param_names():
        return f" In a constructor give the object: {first}=<class>({rest}=...)."
    found = _find(cls, name, _same_parameter)
    if not found and (elsewhere := remedy(name)):
        return f" {elsewhere}"
    found = found or _find(cls, name, similar)
    if not found:
        return ""
    path, call = found
    if "__" not in path:
        return f" Did you mean {path!r}?"
    return f" Give {call}; set_params and searches call it {path!r}."


def _same_parameter(name, known):
    return same(name, known, PARAMETERS)


def _find(cls, name, find):
    """Return a parameter as ``set_params`` calls it and as a constructor takes it, or None."""
    if own := find(name, cls._get_param_names()):
        return own, f"{own}=..."
    for part, kinds in cls._parts().items():
        for kind in kinds:
            if inner := _find(kind, name, find):
                return f"{part}__{inner[0]}", f"{part}={kind.__name__}({inner[1]})"
    return None


def complete_docstring(cls, docs):
    """Replace the marks in the docstring of a class, such as ``<training>``, by their texts."""
    for mark, text in docs.items():
        cls.__doc__ = cls.__doc__ and cls.__doc__.replace(mark, text)
    return cls


def _without_gaps(line):
    return re.sub(r"(?<=\S) {2,}", " ", line.group())


def integer(low, high=None):
    """Constraint: an integer from ``low`` to ``high``, both included."""
    return Interval(Integral, low, high, closed="left" if high is None else "both")


#: Constraints of a number of processes: 0 has no meaning.
JOBS = [integer(1), Interval(Integral, None, -1, closed="right"), None]


def real(low, high=None, closed="left"):
    """Constraint: a real number between ``low`` and ``high``."""
    return Interval(Real, low, high, closed=closed)


def callable_name(function):
    """Return how a message should call ``function``."""
    return getattr(function, "__name__", type(function).__name__)


def refuse_class(name, value):
    """Raise an error if a class is given in place of an object of it."""
    if isinstance(value, type):
        called = value.__name__
        raise TypeError(f"{name}={called} is a class: write {called}(), with its parameters")


class StrOptions(AnyOrder):
    """Constraint: one of several strings, which errors list in alphabetical order."""

    def __str__(self):
        return f"a str among {{{', '.join(repr(option) for option in sorted(self.options))}}}"


class FittedAttributes:
    """Mixin of estimators: before ``fit``, errors about fitted attributes say so."""

    def __getattr__(self, name):
        is_fitted_attribute = name.endswith("_") and not name.startswith("_")
        if is_fitted_attribute and not self.__sklearn_is_fitted__():
            raise NotFittedError(
                f"This {type(self).__name__} instance is not fitted yet, so it has no {name!r}. "
                "Call 'fit' with appropriate arguments first."
            )
        return object.__getattribute__(self, name)  # raises the error of a property again

    def __sklearn_is_fitted__(self):
        return any(name.endswith("_") and not name.startswith("_") for name in vars(self))


class DocLinks:
    """Mixin of classes that link to their documentation where notebooks show them."""

    _doc_link_module = __package__
    _doc_link_template = DOCUMENTATION + "generated/{estimator_module}.{estimator_name}.html"


class ParameterMixin(DocLinks, BaseEstimator):
    """Parameters whose errors suggest what was meant."""

    _parameter_constraints = {}
    #: Parameters that may be classes.
    _class_parameters = ("optimizer", "lr_schedule")

    @classmethod
    def _parts(cls):
        """Return, by parameter that holds an object, the classes of those that it may hold."""
        return {}

    def _sk_visual_block_(self):
        """Return how notebooks show the object: objects in its parameters are boxes inside."""
        parts = self._shown_parts()
        if not parts:
            name = type(self).__name__
            return VisualBlock("single", self, names=name, name_details=str(self))
        names = [f"{name}: {type(part).__name__}" for name, part in parts.items()]
        details = [str(part) for part in parts.values()]
        return VisualBlock("parallel", list(parts.values()), names=names, name_details=details)

    def _shown_parts(self):
        """Return, by name, the objects in parameters that have parameters of their own."""
        given = {}
        for name, value in self.get_params(deep=False).items():
            if isinstance(value, (list, tuple)):
                given |= {f"{name}[{i}]": one for i, one in enumerate(value)}
            else:
                given[name] = value
        return {name: one for name, one in given.items() if isinstance(one, BaseEstimator)}

    def _validate_params(self):
        try:
            super()._validate_params()
        except InvalidParameterError as error:
            raise InvalidParameterError(f"{error}{self._nearest_options()}") from None
        for name, value in self.get_params(deep=False).items():
            if name not in self._class_parameters:
                refuse_class(name, value)

    def _nearest_options(self):
        for name, constraints in self._parameter_constraints.items():
            known = [o for c in constraints if isinstance(c, StrOptions) for o in c.options]
            value = getattr(self, name)
            if not known or any(make_constraint(c).is_satisfied_by(value) for c in constraints):
                continue
            if isinstance(value, str):
                return did_you_mean(value, sorted(known))
            # None, or a class or an object of torch's.
            found = same("None" if value is None else callable_name(value), sorted(known))
            return f" Did you mean {found!r}?" if found else ""
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
        known = self.get_params(deep=False)
        for name in params:
            part, _, nested = name.partition("__")
            if nested and part in known:
                self._check_part(part, nested, params.get(part, known[part]))
        try:
            return super().set_params(**params)
        except ValueError as error:
            unknown = [name for name in params if name.partition("__")[0] not in known]
            hint = parameter_hint(type(self), unknown[0]) if unknown else ""
            raise ValueError(f"{error}{hint}") from None

    def _check_part(self, part, nested, value):
        """Raise an error if what a parameter holds has no parameters to set."""
        refuse_class(part, value)
        if hasattr(value, "set_params"):
            return
        remedy = f"Give {part} an object that has parameters."
        if f"{part}_params" in self._get_param_names():
            remedy = f"Give {part}_params={{{nested!r}: ...}}."
        elif kinds := self._parts().get(part):
            takers = [kind for kind in kinds if nested in kind._get_param_names()] or kinds
            name = takers[0].__name__
            remedy = f"Give {part} an object first, such as {part}={name}()."
            if hasattr(value, "__dict__"):
                remedy = (
                    f"Let the class {type(value).__name__} inherit from "
                    f"sklearn.base.BaseEstimator, and its constructor take {nested!r}."
                )
        raise ValueError(
            f"{part}__{nested} cannot be set: {part}={value!r} has no set_params. {remedy}"
        )
