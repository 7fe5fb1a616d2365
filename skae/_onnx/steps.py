"""Estimators of skae as steps of pipelines that skl2onnx converts.

skl2onnx asks an estimator that it does not know for three functions: what outputs there are
(``onnx_parser``), of which types and shapes (``onnx_shape_calculator``), and which nodes compute
them (``onnx_converter``). The nodes are those of the graph that torch makes.
"""

import torch
from onnx import AttributeProto, TensorProto
from skl2onnx.common import data_types
from skl2onnx.common.data_types import guess_tensor_type

from skae._onnx.methods import N_TRACED, OPSETS

#: Types of arrays that are not of floats.
TYPES = {
    torch.int64: data_types.Int64TensorType,
    torch.uint8: data_types.UInt8TensorType,
    torch.uint16: data_types.UInt16TensorType,
    torch.uint32: data_types.UInt32TensorType,
    torch.uint64: data_types.UInt64TensorType,
}


class StepConverter:
    """What skl2onnx asks for, of one method of one estimator.

    Parameters
    ----------
    method : Method
    make_graph : callable
        Returns the ONNX model for an opset. It has one input.
    """

    def __init__(self, method, make_graph):
        self.names, self.make_graph = method.outputs, make_graph
        with torch.no_grad():
            results = method.eval()(method.samples.example(N_TRACED))
        self.results = results if isinstance(results, tuple) else (results,)

    def parse(self, scope=None, inputs=None):
        """Return the outputs, new variables."""
        return [
            scope.declare_local_variable(name, _type(result, inputs[0]))
            for name, result in zip(self.names, self.results, strict=True)
        ]

    def set_shapes(self, operator):
        """Set the types and shapes of the outputs."""
        for variable, result in zip(operator.outputs, self.results, strict=True):
            kind = _type(result, operator.inputs[0])
            kind.shape = [None, *result.shape[1:]] if result.ndim else []
            variable.set_type(kind)

    def convert(self, scope, operator, container):
        """Add the nodes of the graph."""
        opset = min(container.target_opset_onnx, OPSETS[-1])
        if opset < OPSETS[0]:
            raise ValueError(
                f"target_opset is {opset}, but graphs of skae need at least {OPSETS[0]}: give "
                "such a target_opset"
            )
        model = self.make_graph(opset)
        container.node_domain_version_pair_sets.update(
            (one.domain, one.version) for one in model.opset_import
        )
        graph = _prefixed(model.graph, scope.get_unique_variable_name("skae_"))
        (start,) = graph.input
        self._connect(operator.inputs, start, scope, container, opset)
        container.initializers.extend(graph.initializer)
        container.nodes.extend(graph.node)
        if any("" in node.input for node in graph.node):
            _allow_for_gaps(container)
        for output, variable in zip(graph.output, operator.outputs, strict=True):
            _cast(container, output.name, variable.full_name, variable.type.to_onnx_type(), opset)

    def _connect(self, variables, start, scope, container, opset):
        """Join inputs to one."""
        if len(variables) == 1:
            _cast(container, variables[0].full_name, start.name, start.type, opset)
            return
        names = [scope.get_unique_variable_name("cast") for _ in variables]
        for variable, name in zip(variables, names, strict=True):
            _cast(container, variable.full_name, name, start.type, opset)
        container.add_node("Concat", names, [start.name], axis=1, op_version=opset)


class ScoreConverter(StepConverter):
    """The same for an estimator behind one whose last output is scores; parameters as there."""

    def _connect(self, variables, start, scope, container, opset):
        super()._connect(variables[-1:], start, scope, container, opset)


def _prefixed(graph, prefix):
    """Put a prefix before all names in a graph, those in the loops of its nodes too."""
    for part in (*graph.input, *graph.output, *graph.initializer, *graph.node):
        part.name = prefix + part.name
    for node in graph.node:
        for names in (node.input, node.output):
            names[:] = [name and prefix + name for name in names]
        for attribute in node.attribute:
            if attribute.type == AttributeProto.GRAPH:
                _prefixed(attribute.g, prefix)
    return graph


def _allow_for_gaps(container):
    """Let skl2onnx sort nodes with inputs that are left out, for which it would look in vain."""
    sort = container.ensure_topological_order

    def sort_with_gaps():
        container.initializers.append(TensorProto(name=""))
        sort()
        container.initializers.pop()

    container.ensure_topological_order = sort_with_gaps


def _cast(container, given, made, kind, opset):
    to = kind.tensor_type.elem_type
    container.add_node("Cast", [given], [made], to=to, op_version=opset)


def _type(result, like):
    """Return the type of an output, floats as those of an input."""
    kind = TYPES.get(result.dtype)
    return guess_tensor_type(like.type) if kind is None else kind()
