"""From a model to what its file holds."""

import io
from contextlib import contextmanager
from enum import Enum
from functools import cached_property
from math import isfinite
from types import FunctionType

import numpy as np
import torch
from safetensors.torch import save as bytes_of_tensors
from scipy import sparse
from sklearn.base import BaseEstimator
from torch import nn

from skae._estimators.neural import NeuralEstimator
from skae._persistence import sklearn_parts
from skae._persistence.registry import Names
from skae._persistence.values import CODECS
from skae._sklearn import SEARCH_TREES, BaseSearchCV, BSpline, Tree
from skae._training.net import Net
from skae._training.plain_state import PlainTensor

#: What JSON has itself.
PLAIN = (type(None), bool, int, str)

#: By type; the first codec that takes a type is the one.
CODEC = {kind: codec for codec in reversed(CODECS) for kind in codec.types}

#: Types with a codec for all that inherit from them.
FAMILIES = (np.dtype, np.number, np.bool, np.datetime64, np.timedelta64)

#: Types whose objects are more than their attributes.
DATA = (bool, int, float, complex, str, bytes, list, tuple, dict, set, frozenset, np.ndarray)

#: Types that skops reads without a check.
UNSAFE = {Tree, BSpline, *SEARCH_TREES.values()}

#: What each layer has, as one without attributes of its own has it.
OF_LAYERS = vars(nn.Module())

#: Of these, what is saved. The others are hooks.
SAVED_OF_LAYERS = {"training", "_parameters", "_buffers", "_modules", "_non_persistent_buffers_set"}

REMEDY = (
    "Register its class or function with skae.register, here and where the file is loaded, or "
    "save the model with pickle or joblib."
)

REPLACE = "Replace it, or save the model with pickle or joblib."


class Encoder:
    """Turns the parts of a model into JSON, and what is large into members of a file.

    A part that is at several places is written once. The other places refer to it.

    Parameters
    ----------
    model : estimator
        The one that errors speak of.
    training_state : bool
        Whether to add what it takes to continue training as it was.

    Attributes
    ----------
    members : dict of str to bytes
        Contents of members, by name. Tensors are not yet among them.
    """

    def __init__(self, model, training_state):
        self._name, self._training_state = type(model).__name__, training_state
        self.members, self._tensors = {}, {}
        self._names, self._path = Names(), []
        self._seen = {}  # by its id: the number of a part, and the part, so that it stays
        self._open = set()  # ids of the containers on the way

    def tensors(self):
        """Return all tensors as one member."""
        return bytes_of_tensors(self._tensors)

    def encode(self, value, step=""):
        """Return a value as JSON.

        Parameters
        ----------
        value : object
        step : str, default=""
            The way to it from what holds it, such as ``".loss"``.
        """
        self._path.append(step)
        node = self._encoded(value)
        self._path.pop()
        return node

    def _encoded(self, value):
        kind = type(value)
        if kind in PLAIN or kind is float and isfinite(value):
            return value
        if kind is float:
            return {"type": "float", "value": repr(value)}
        if isinstance(value, FAMILIES):
            kind = next(family for family in FAMILIES if isinstance(value, family))
        if kind is list or kind in CODEC:
            return self._container(value, kind)
        if isinstance(value, PlainTensor):  # in a state that is meant for pickle
            value = value.tensor
        if isinstance(value, BaseSearchCV) and "cv_results_" in vars(value):
            value = self._best_of(value)
        if id(value) in self._seen:
            return {"type": "reference", "value": self._seen[id(value)][0]}
        number = len(self._seen)
        self._seen[id(value)] = number, value
        return {"id": number} | self._part(value)

    @contextmanager
    def _once(self, value):
        if id(value) in self._open:
            raise self._refusal("holds itself", "Change it, or save the model with pickle.")
        self._open.add(id(value))
        yield
        self._open.remove(id(value))

    def _container(self, value, kind):
        with self._once(value):
            if kind is list:
                return [self.encode(inner, f"[{i}]") for i, inner in enumerate(value)]
            codec = CODEC[kind]
            try:
                return {"type": codec.tag, "value": codec.encode(value, self.encode)}
            except TypeError as error:  # of a kind that the codec does not know
                raise self._refusal(f"is {_shown(value)}, which {error}", REPLACE) from error

    def _part(self, value):
        """Return what is not plain data."""
        kind = type(value)
        if isinstance(value, torch.Tensor):
            return self._tensor(value)
        if kind is np.ndarray:
            return self._array(value)
        if sparse.issparse(value):
            return self._sparse(value)
        if isinstance(value, (type, FunctionType, np.ufunc)) and (name := self._names.of(value)):
            return {"type": "name", "value": name}
        name = self._names.of(kind)
        if name is not None and isinstance(value, nn.Module):
            return {"type": "layer", "class": name, "state": self._state_of_layer(value)}
        if name is not None:
            return {"type": "object", "class": name} | self._state(value)
        if sklearn_parts.is_of_sklearn(value):
            return self._part_of_sklearn(value)
        raise self._refusal(f"is {_shown(value)}, which skae does not know")

    def _refusal(self, what, remedy=REMEDY):
        if ".callbacks" in self._path:
            remedy = "Training is over: leave them out with set_params(callbacks=None)."
        if "._skl_callbacks" in self._path:
            remedy = "Training is over: leave the callbacks out with set_callbacks()."
        where = "".join(self._path).lstrip(".") or "it"
        return ValueError(f"{self._name} cannot be saved: {where} {what}. {remedy}")

    # Objects.

    def _best_of(self, search):
        if "best_estimator_" not in vars(search):
            remedy = "Give it refit=True, and fit it again."
            raise self._refusal("is a search without a best estimator", remedy)
        return search.best_estimator_

    def _state(self, value):
        """Return the parameters and the other attributes of an object."""
        parameters, state = {}, self._attributes(value)
        if isinstance(value, BaseEstimator) and not isinstance(value, Net):
            parameters = value.get_params(deep=False)
            state = {name: inner for name, inner in state.items() if name not in parameters}
        caches = [n for n, a in _class_attributes(type(value)) if isinstance(a, cached_property)]
        state = {name: inner for name, inner in state.items() if name not in caches}
        return {"parameters": self._named(parameters), "state": self._named(state)}

    def _attributes(self, value):
        if isinstance(value, NeuralEstimator):
            return value._state(self._training_state)
        if isinstance(value, Enum):
            return {"name": value.name}
        if isinstance(value, tuple) and hasattr(value, "_asdict"):
            return value._asdict()
        if isinstance(value, DATA):
            remedy = "Let its class keep them in an attribute."
            raise self._refusal(f"is {_shown(value)}, which has values of its own", remedy)
        state = value.__getstate__() or {}
        if self._names.is_of_user(type(value)):
            self._check_new(value)
        if type(state) is not dict:
            remedy = "Let the method __getstate__ of its class return a dict."
            raise self._refusal(f"is {_shown(value)}, whose state is no dict", remedy)
        return state

    def _check_new(self, value):
        try:
            type(value).__new__(type(value))
        except TypeError as error:
            remedy = "Let its method __new__ do without, or save the model with pickle or joblib."
            raise self._refusal(f"is {_shown(value)}, made of arguments", remedy) from error

    def _named(self, values):
        return {name: self.encode(inner, f".{name}") for name, inner in values.items()}

    def _state_of_layer(self, layer):
        state = layer.__getstate__()
        for name in OF_LAYERS.keys() - SAVED_OF_LAYERS:
            if state.get(name, OF_LAYERS[name]) != OF_LAYERS[name]:
                raise self._refusal("has hooks", "Remove them, or save the model with pickle.")
        return self._named(
            {n: v for n, v in state.items() if n not in OF_LAYERS or n in SAVED_OF_LAYERS}
        )

    def _part_of_sklearn(self, value):
        """Return a part of scikit-learn: by skops, or its attributes if that cannot be.

        They are also written if it holds parts of skae, or what skops would read without a check.
        """
        name = sklearn_parts.full_name(type(value))
        parts = list(sklearn_parts.inner_parts(value))
        if not any(map(self._is_for_us, parts)):
            try:
                content = sklearn_parts.dump(value)
            except ValueError as error:
                if name not in sklearn_parts.classes():
                    raise self._refusal(f"is {_shown(value)}, {error}", REPLACE) from error
            else:
                member = self._add("sklearn", "skops", content)
                return {"type": "skops", "class": name, "member": member}
        if name not in sklearn_parts.classes():
            raise self._refusal(f"is {_shown(value)}, which skae does not know")
        return {"type": "sklearn", "class": name} | self._state(value)

    def _is_for_us(self, part):
        """Say whether skops cannot have a part of an estimator of scikit-learn."""
        return type(part) in UNSAFE or self._names.is_ours(type(part))

    # Numbers.

    def _add(self, folder, ending, content):
        n_there = sum(name.startswith(f"{folder}/") for name in self.members)
        name = f"{folder}/{n_there}.{ending}"
        self.members[name] = content
        return name

    def _array(self, array):
        if array.dtype.kind == "O":
            cells = [self.encode(cell, f"[{i}]") for i, cell in enumerate(array.flat)]
            return {"type": "objects", "shape": list(array.shape), "value": cells}
        if array.dtype.hasobject:
            raise self._refusal(f"is an array of the dtype {array.dtype}, which skae does not know")
        file = io.BytesIO()
        array = array.astype(array.dtype.newbyteorder("<"), copy=False)
        np.lib.format.write_array(file, array, (1, 0), allow_pickle=False)
        return {"type": "array", "member": self._add("arrays", "npy", file.getvalue())}

    def _sparse(self, matrix):
        if matrix.format not in ("csr", "csc"):
            matrix = matrix.tocsr()
        parts = {name: getattr(matrix, name) for name in ("data", "indices", "indptr", "shape")}
        return {"type": "sparse", "class": type(matrix).__name__} | self._named(parts)

    def _tensor(self, tensor):
        name = "".join(self._path).lstrip(".") or "tensor"
        self._tensors[name] = tensor.detach().cpu().contiguous().clone()
        return {
            "type": "tensor",
            "name": name,
            "shape": list(tensor.shape),
            "stride": list(tensor.stride()) if is_dense(tensor.shape, tensor.stride()) else None,
            "is_parameter": isinstance(tensor, nn.Parameter),
            "requires_grad": tensor.requires_grad,
        }


def is_dense(shape, stride):
    """Say whether the values of a tensor fill a piece of memory, each at a place of its own."""
    expected = 1
    for step, size in sorted(zip(stride, shape, strict=True)):
        if size > 1 and step != expected:
            return False
        expected *= size
    return expected > 0


def _class_attributes(cls):
    return ((name, a) for base in cls.__mro__ for name, a in vars(base).items())


def _shown(value):
    """Return how a message shows what it cannot save."""
    name = getattr(value, "__qualname__", None)
    if name is not None:
        kind = "the class" if isinstance(value, type) else "the function"
        return f"{kind} {name}"
    return f"an object of {sklearn_parts.full_name(type(value))}"
