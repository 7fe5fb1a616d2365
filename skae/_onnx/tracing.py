"""From a module of torch to an ONNX graph, quietly, with errors that name a layer."""

import logging
import traceback
import warnings
from contextlib import contextmanager

import onnx
import torch
from onnx.inliner import inline_local_functions
from torch import nn

from skae._onnx.methods import N_TRACED

#: Opsets of the graphs that torch can write.
OPSETS = range(18, 24)

#: What logs on the way to a graph, for developers of these.
LOGGERS = (
    "skl2onnx",
    "torch.onnx",
    "torch.export",
    "torch.fx",
    "torch._dynamo",
    "onnxscript",
    "onnx_ir",
)


def traced_method(method, opset, facts):
    """Return a method as an ONNX model, with one input, "X".

    Parameters
    ----------
    method : Method
    opset : int
    facts : dict of str to str
        What to write into the model beside the graph.

    Returns
    -------
    onnx.ModelProto

    Raises
    ------
    ValueError
        If ONNX lacks what a layer does.
    """
    try:
        model = _traced(method, opset)
    except Exception as error:
        if len(method.samples.axes) == 1:
            raise ValueError(_reason(error, method)) from error
        method.samples.fix_length()  # some decoders take their steps one by one
        return traced_method(method, opset, facts)
    return _plain(model, facts | method.facts())


def _traced(method, opset):
    samples = method.samples
    with quiet(), torch.no_grad():
        program = torch.onnx.export(
            method.eval(),
            (samples.example(N_TRACED),),
            dynamo=True,
            dynamic_shapes=(samples.axes,),
            input_names=["X"],
            output_names=list(method.outputs),
            opset_version=opset,
            verbose=False,
        )
        return program.model_proto


@contextmanager
def quiet():
    """Keep warnings and logs for developers of exporters from the user."""
    loggers = [logging.getLogger(name) for name in LOGGERS]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _plain(model, facts):
    """Return a model without functions and notes on the machine that it was made on."""
    model = inline_local_functions(model)
    del model.metadata_props[:]
    for part in (model.graph, *model.graph.node, *model.graph.input, *model.graph.output):
        del part.metadata_props[:]
    del model.graph.value_info[:]
    if facts:
        onnx.helper.set_model_props(model, facts)
    return model


# Errors.


def _reason(error, module):
    """Say which layer cannot be exported, and why."""
    where = _culprit(error, module)
    while error.__cause__ is not None:
        error = error.__cause__
    why = str(error).strip().splitlines() or [type(error).__name__]
    return f"{where} cannot be written as ONNX: {why}"


def _culprit(error, module):
    """Return the name and the class of the innermost layer that an error is about."""
    names = {id(part): name for name, part in module.named_modules() if name}
    found = None
    while error is not None:
        for frame, _ in traceback.walk_tb(error.__traceback__):
            for value in list(frame.f_locals.values()):
                if isinstance(value, torch.fx.Node):
                    stack = value.meta.get("nn_module_stack") or {}
                    found = next(reversed(stack.values()), found)
                elif isinstance(value, nn.Module) and id(value) in names:
                    found = names[id(value)], type(value)
        error = error.__cause__ or error.__context__
    if found is None:
        return "The model"
    name, kind = found
    kind = kind if isinstance(kind, str) else kind.__name__
    return f"The layer {name} ({kind.rpartition('.')[2]})"
