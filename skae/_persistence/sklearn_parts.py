"""Parts of models that are scikit-learn's: those that hold parts of skae, and all others."""

import io
import json
import zipfile
from functools import cache
from importlib import import_module
from types import FunctionType

import numpy as np
from scipy import sparse
from sklearn.utils.discovery import all_estimators

from skae._persistence.archive import MAX_RATIO, NEVER_TOO_LARGE, check_sizes
from skae._persistence.errors import FileError
from skae._persistence.values import check_random_state
from skae._sklearn import parts_of_estimators

#: Modules whose classes skops may make, beside those that it trusts by itself. Making them runs
#: nothing.
TRUSTED_MODULES = (
    "sklearn._loss.loss",
    "sklearn.calibration",
    "sklearn.gaussian_process._gpc",
    "sklearn.gaussian_process.kernels",
    "sklearn.model_selection._split",
    "sklearn.neural_network._stochastic_optimizers",
)

#: Modules whose public functions parts can have.
TRUSTED_FUNCTIONS = ("sklearn.feature_selection", "sklearn.metrics")

#: What else parts can have.
TRUSTED = {
    *("numpy.dtype", "numpy.clip", "numpy.mean", "numpy.nan_to_num", "numpy.round"),
    "scipy.sparse._csr.csr_matrix",
}

#: How often parts of a file of skops are parts of others, at most.
MAX_REPEATS = 4


def is_of_sklearn(value):
    """Say whether an object is of a class of scikit-learn."""
    return type(value).__module__.partition(".")[0] == "sklearn"


def full_name(thing):
    """Return the name of a class or function with its module."""
    return f"{thing.__module__}.{thing.__qualname__}"


@cache
def classes():
    """Return the estimators of scikit-learn, and what holds some of them, by full name."""
    estimators = [cls for _, cls in all_estimators()]
    return {full_name(cls): cls for cls in (*estimators, *parts_of_estimators())}


@cache
def functions():
    """Return the functions of scikit-learn that parts can have, by full name."""
    modules = map(import_module, TRUSTED_FUNCTIONS)
    things = [vars(module).get(name) for module in modules for name in module.__all__]
    return {full_name(thing): thing for thing in things if isinstance(thing, FunctionType)}


@cache
def _trusted():
    """Return the full names of all classes and functions that are read beside skops's own."""
    names = TRUSTED | functions().keys()
    for module in TRUSTED_MODULES:
        things = vars(import_module(module)).values()
        names |= {full_name(t) for t in things if isinstance(t, type) and t.__module__ == module}
    return names


def inner_parts(value, seen=None):
    """Yield an object and all that it holds, at any depth."""
    seen = {} if seen is None else seen
    if id(value) in seen or isinstance(value, (str, bytes, int, float, type(None))):
        return
    seen[id(value)] = value
    yield value
    if isinstance(value, dict):
        held = value.values()
    elif isinstance(value, np.ndarray):
        held = value.flat if value.dtype.kind == "O" else ()
    elif isinstance(value, (list, tuple, set)):
        held = value
    else:
        held = _attributes(value) if is_of_sklearn(value) else ()
    for one in held:
        yield from inner_parts(one, seen)


def _attributes(value):
    try:
        return vars(value).values()
    except TypeError:  # of a compiled class
        return ()


def check(made):
    """Look at an estimator of scikit-learn, which trusts in what it has fitted.

    Raises
    ------
    FileError
        If a tree asks for more features than the estimator gives it.
    """
    if not type(made).__module__.startswith(("sklearn.ensemble.", "sklearn.tree.")):
        return
    members, state = vars(made).get("estimators_", ()), vars(made)
    features = state.get("estimators_features_")
    members = members.flat if isinstance(members, np.ndarray) else members
    trees = [vars(one)["tree_"] for one in (made, *members) if "tree_" in vars(one)]
    n_given = [made.n_features_in_ if trees else 0] * len(trees)
    if features is not None and trees:
        n_given = [min(n, len(given)) for n, given in zip(n_given, features, strict=True)]
    if any(tree.n_features > n for tree, n in zip(trees, n_given, strict=True)):
        raise FileError("is damaged: a tree asks for more features than there are.")


def dump(value):
    """Return an object of scikit-learn as skops writes it.

    Raises
    ------
    ValueError
        If it holds what is not trusted.
    """
    skops_io = _skops_io()
    try:
        data = skops_io.dumps(value)
    except Exception as error:  # of many types
        raise ValueError(f"which skops cannot write ({error})") from error
    if unknown := _unknown(skops_io.get_untrusted_types(data=data)):
        raise ValueError(f"which holds {', '.join(unknown)}")
    return data


def load(data):
    """Return what ``dump`` wrote.

    Raises
    ------
    FileError
        If it holds what ``dump`` would have refused.
    """
    check_sizes(data)
    _check_schema(data)
    skops_io = _skops_io()
    names = skops_io.get_untrusted_types(data=data)
    if unknown := _unknown(names):
        raise FileError(f"holds {', '.join(unknown)}, which skae.save does not write.")
    made = skops_io.loads(data, trusted=names)
    for part in inner_parts(made):
        if sparse.issparse(part) and part.format in ("csr", "csc", "bsr"):
            part.check_format()
        if isinstance(part, (np.random.RandomState, np.random.Generator)):
            check_random_state(part)
        if is_of_sklearn(part) and type(part).__module__.startswith("sklearn.svm."):
            _check_support_vectors(vars(part))
    return made


def _check_support_vectors(state):
    """Look at the arrays of a support vector machine, which libsvm follows without looking."""
    if "_n_support" not in state:  # it is linear, or not fitted
        return
    counts, support, vectors = (
        state[name] for name in ("_n_support", "support_", "support_vectors_")
    )
    n, n_classes, n_features = len(support), len(counts), state["n_features_in_"]
    n_pairs = n_classes * (n_classes - 1) // 2
    sigmoids = [state[name] for name in ("_probA", "_probB") if name in state]
    is_precomputed = state["kernel"] == "precomputed"
    fits = (
        (counts >= 0).all() and n in (counts.sum(), counts.min()),
        not is_precomputed or ((support >= 0) & (support < n_features)).all(),
        is_precomputed or vectors.shape == (n, n_features),
        state["dual_coef_"].shape == state["_dual_coef_"].shape == (n_classes - 1, n),
        state["_intercept_"].shape == (n_pairs,),
        all(sigmoid.shape in ((0,), (n_pairs,)) for sigmoid in sigmoids),
    )
    if not all(fits):
        raise FileError("is damaged: the parts of a support vector machine do not fit together.")


def _check_schema(data):
    """Look at what a file of skops says that it is made of.

    Raises
    ------
    FileError
        If what it makes would be much larger than the file: it has members many times, or parts
        that hold each other many times.
    """
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        files = {info.filename: info.file_size for info in archive.infolist()}
        schema = json.loads(archive.read("schema.json"))
    n_nodes = n_bytes = 0
    sizes = {}

    def size(node):
        """Return the number of nodes in a node, those of parts that it refers to included."""
        nonlocal n_nodes, n_bytes
        if not isinstance(node, (dict, list)):
            return 0
        n_nodes += 1
        if isinstance(node, list):
            return 1 + sum(map(size, node))
        n_bytes += files.get(node.get("file"), 0)
        number = node.get("__id__")
        sizes[number] = max(1 + sum(map(size, node.values())), sizes.get(number, 0))
        return sizes[number]

    if size(schema) > MAX_REPEATS * n_nodes or n_bytes > max(
        MAX_RATIO * len(data), NEVER_TOO_LARGE
    ):
        raise FileError("is damaged: an archive in it is larger than it could be.")


def _unknown(names):
    return [name for name in names if name not in _trusted()]


def _skops_io():
    import skops.io  # it imports all of scikit-learn

    return skops.io
