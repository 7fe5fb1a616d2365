"""numpydoc's validation of every public name."""

import ast
import builtins
import doctest
import inspect
from pkgutil import resolve_name

import pytest
from numpydoc.validate import validate

import skae
import skae.architectures
import skae.bottlenecks
import skae.corruptions
import skae.exceptions
import skae.inspection
import skae.losses
import skae.metrics
import skae.model_selection
import skae.sequences

MODULES = (
    skae,
    skae.architectures,
    skae.bottlenecks,
    skae.corruptions,
    skae.exceptions,
    skae.inspection,
    skae.losses,
    skae.metrics,
    skae.model_selection,
    skae.sequences,
)

IMPORTS = ast.Import | ast.ImportFrom
DEFINITIONS = ast.FunctionDef | ast.ClassDef

#: What is a matter of taste, or not how this project writes.
IGNORED = {
    "ES01",  # an extended summary is optional
    "EX01",  # so are examples of methods
    "SA01",  # and "See Also"
    "SA04",  # and what stands behind its entries
    "GL01",  # docstrings begin on their first line
    "SS06",  # a summary may take two lines
    "PR06",  # "array-like of bool" is not "boolean"
    "PR08",  # descriptions may begin with a name in small letters
    "PR09",  # and end with a list
    "RT02",  # names of results are welcome
    "RT04",
    "RT05",
    "YD01",
}


def public_names():
    seen = []
    for module in MODULES:
        for name in module.__all__:
            thing = getattr(module, name)
            if thing in seen:  # in two modules
                continue
            seen.append(thing)
            yield f"{module.__name__}.{name}"
            if inspect.isclass(thing) and not issubclass(thing, Warning):
                yield from (f"{module.__name__}.{name}.{method}" for method in own_methods(thing))


def own_methods(cls):
    """Return the public methods of a class that skae defines."""
    for name in dir(cls):
        method = getattr(cls, name, None)
        function = inspect.unwrap(method) if callable(method) else None
        is_own = str(getattr(function, "__module__", "")).partition(".")[0] == "skae"
        if name.startswith("_") or not is_own or not inspect.isroutine(method):
            continue
        if method.__doc__ or not described_by_a_base(cls, name):
            yield name


def described_by_a_base(cls, name):
    """Say whether a method without a docstring does what that of a base of skae's says."""
    bases = [base for base in cls.__mro__[1:] if base.__module__.partition(".")[0] == "skae"]
    return any(getattr(base.__dict__.get(name), "__doc__", None) for base in bases)


@pytest.mark.parametrize("name", list(public_names()))
def test_docstring_is_valid(name):
    errors = [(code, text) for code, text in validate(name)["errors"] if code not in IGNORED]
    assert errors == []


@pytest.mark.parametrize("name", list(public_names()))
def test_examples_import_what_they_use(name):
    """An example that is copied from the page runs: doctest itself knows the names of a module."""
    examples = doctest.DocTestParser().get_examples(inspect.getdoc(resolve_name(name)) or "")
    nodes = list(ast.walk(ast.parse("".join(example.source for example in examples))))
    imports = [a for node in nodes if isinstance(node, IMPORTS) for a in node.names]
    known = {*dir(builtins), "_"} | {(a.asname or a.name).partition(".")[0] for a in imports}
    known |= {node.name for node in nodes if isinstance(node, DEFINITIONS)}
    known |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    names = [node for node in nodes if isinstance(node, ast.Name)]
    known |= {node.id for node in names if isinstance(node.ctx, ast.Store)}
    assert {node.id for node in names} <= known
