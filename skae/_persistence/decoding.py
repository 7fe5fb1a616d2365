"""From what a file holds to the model."""

from enum import Enum

import numpy as np
import torch
from safetensors.torch import load as tensors_of_bytes
from scipy import sparse
from sklearn.base import BaseEstimator
from torch import nn

from skae._estimators.neural import NeuralEstimator
from skae._persistence import sklearn_parts
from skae._persistence.archive import array_header
from skae._persistence.encoding import is_dense
from skae._persistence.errors import FileError
from skae._persistence.probe import check_layer, check_net, check_optimizer, check_state_of_net
from skae._persistence.registry import OF_USERS, Names
from skae._persistence.values import CODECS
from skae._training.net import Net

CODEC = {codec.tag: codec for codec in CODECS}

#: Classes of sparse matrices, by name.
SPARSE = {
    cls.__name__: cls
    for cls in (sparse.csr_array, sparse.csc_array, sparse.csr_matrix, sparse.csc_matrix)
}


class Decoder:
    """Makes the parts of a model of JSON and the other members of a file.

    Parameters
    ----------
    members : dict of str to bytes
    device : torch.device
        Where nets are put.
    written_by : str
        The version of skae that wrote the file.
    """

    def __init__(self, members, device, written_by):
        self._members, self._device, self._written_by = members, device, written_by
        self._tensors = tensors_of_bytes(members["weights.safetensors"])
        self._names, self._parts = Names(), {}

    def decode(self, node):
        """Return the value of a node of JSON."""
        if type(node) is list:
            return [self.decode(inner) for inner in node]
        if type(node) is not dict:
            return node
        kind = node["type"]
        if kind == "reference":
            return self._parts[node["value"]]
        if kind in CODEC:
            return CODEC[kind].decode(node["value"], self.decode)
        part = MAKERS[kind](self, node)
        self._parts[node["id"]] = part
        return part

    # Objects.

    def _named(self, nodes):
        return {name: self.decode(inner) for name, inner in nodes.items()}

    def _name(self, node):
        return self._known(node["value"])

    def _known(self, name):
        if name not in self._names.things:
            raise FileError(
                f"holds {name.removeprefix(OF_USERS)}, which skae does not know. If it is yours, "
                "define it and register it with skae.register before you load the file. If it is "
                f"skae's, install the version that wrote the file, {self._written_by}, or a later "
                "one."
            )
        return self._names.things[name]

    def _class(self, node, base):
        cls = self._known(node["class"])
        if not isinstance(cls, type) or not issubclass(cls, base):
            raise FileError(f"is damaged: {node['class']} is at a wrong place.")
        return cls

    def _object(self, node):
        cls = self._class(node, object)
        if not self._names.is_ours(cls) or issubclass(cls, nn.Module):
            raise FileError(f"is damaged: {node['class']} is at a wrong place.")
        return self._made(cls, node)

    def _made(self, cls, node):
        """Return an object with its parameters and other attributes."""
        if issubclass(cls, (tuple, Enum)):
            state = self._named(node["state"])
            return cls(**state) if issubclass(cls, tuple) else cls[state["name"]]
        made = self._parts[node["id"]] = cls.__new__(cls)
        parameters = self._named(node["parameters"])
        is_net = issubclass(cls, Net)
        if issubclass(cls, BaseEstimator) and not is_net:
            made.__init__(**parameters)
        state = self._named(node["state"])
        if is_net:
            check_state_of_net(state)
            state["device"] = str(self._device)
        _set_state(made, state)
        if is_net:
            check_optimizer(made.optimizer_)
        if isinstance(made, NeuralEstimator) and made.__sklearn_is_fitted__():
            check_net(made)
        return made

    def _layer(self, node):
        cls = self._class(node, nn.Module)
        layer = self._parts[node["id"]] = cls.__new__(cls)
        state = self._named(node["state"])
        check_layer(cls, state)
        nn.Module.__init__(layer)
        layer.__setstate__(vars(layer) | state)
        return layer

    def _part_of_sklearn(self, node):
        cls = sklearn_parts.classes().get(node["class"])
        if cls is None:
            raise FileError(f"holds {node['class']}, which this scikit-learn does not have.")
        made = self._made(cls, node)
        sklearn_parts.check(made)
        return made

    def _skops(self, node):
        return sklearn_parts.load(self._member(node))

    # Numbers.

    def _member(self, node):
        # Each is the content of one node, or a small file could fill the memory.
        return self._members.pop(node["member"])

    def _array(self, node):
        return array_of_bytes(self._member(node))

    def _objects(self, node):
        cells = [self.decode(cell) for cell in node["value"]]
        array = np.fromiter(cells, object, len(cells))
        return array.reshape(node["shape"])

    def _sparse(self, node):
        data, indices, indptr, shape = (
            self.decode(node[name]) for name in ("data", "indices", "indptr", "shape")
        )
        matrix = SPARSE[node["class"]]((data, indices, indptr), shape)
        matrix.check_format()
        return matrix

    def _tensor(self, node):
        tensor, stride = self._tensors.pop(node["name"]), node["stride"]
        if list(tensor.shape) != node["shape"]:
            raise FileError(f"is damaged: the shape of {node['name']} is {list(tensor.shape)}.")
        # The last bits of products can depend on how a matrix lies in memory.
        if stride is not None and is_dense(tensor.shape, stride):
            tensor = torch.empty_strided(tensor.shape, stride, dtype=tensor.dtype).copy_(tensor)
        if node["is_parameter"]:
            return nn.Parameter(tensor, node["requires_grad"])
        return tensor.requires_grad_(node["requires_grad"])


#: What makes the parts of each type.
MAKERS = {
    "object": Decoder._object,
    "layer": Decoder._layer,
    "sklearn": Decoder._part_of_sklearn,
    "skops": Decoder._skops,
    "name": Decoder._name,
    "array": Decoder._array,
    "objects": Decoder._objects,
    "sparse": Decoder._sparse,
    "tensor": Decoder._tensor,
}


def _set_state(made, state):
    """Give an object its attributes, as pickle would."""
    if hasattr(made, "__setstate__"):
        made.__setstate__(state)
    else:
        vars(made).update(state)


def array_of_bytes(content):
    """Return the array of a file of NumPy, after a look at its size."""
    shape, is_fortran, dtype, start = array_header(content)
    array = np.frombuffer(content, dtype, offset=start)
    return array.reshape(shape, order="F" if is_fortran else "C").astype(dtype.newbyteorder("="))
