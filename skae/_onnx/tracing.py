"""From a module of torch to an ONNX graph, quietly, with errors that name a layer."""

import logging
import traceback
import warnings
from contextlib import contextmanager, redirect_stderr
from io import StringIO
from threading import Lock

import onnx
import torch
from onnx.inliner import inline_local_functions

from skae._onnx.methods import N_TRACED

#: Held while torch traces, which it can do in one thread at a time.
_tracing = Lock()

#: Packages that log on the way to a graph, for their developers.
PACKAGES = "torch", "onnxscript", "onnx_ir", "skl2onnx"


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
        with _tracing:
            return _plain(_first_of(method, opset), facts | method.facts())
    except Exception as error:
        raise ValueError(_reason(error, method)) from error


def _first_of(method, opset):
    """Return the model that the first of several ways gives, or raise the error of the first.

    Layers run as they are, or their code is read, which leaves the number of samples free also
    where it is asked for. Steps of sequences that are made one by one cannot be free.
    """
    ways = [(is_free, is_strict) for is_free in (True, False) for is_strict in (False, True)]
    first = None
    for is_free, is_strict in ways:
        if not is_free and len(method.samples.axes) > 1:
            method.samples.fix_length()
        elif not is_free:
            break
        try:
            return _traced(method, opset, is_strict)
        except Exception as error:
            first = first or error
    raise first


def _traced(method, opset, is_strict):
    samples = method.samples
    example = (samples.example(N_TRACED),)
    free = dict.fromkeys(samples.axes, torch.export.Dim.DYNAMIC)
    with quiet(), torch.no_grad():
        program = torch.export.export(
            method.eval(), example, dynamic_shapes=(free,), strict=is_strict
        )
        program = torch.onnx.export(
            program,
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
    names = [*PACKAGES, *logging.root.manager.loggerDict]
    loggers = [logging.getLogger(one) for one in names if one.partition(".")[0] in PACKAGES]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        with warnings.catch_warnings(), redirect_stderr(StringIO()):
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

#: Characters of the message of an exporter that are passed on, at most.
MAX_MESSAGE = 300


def _reason(error, method):
    """Say which layer cannot be exported, and why."""
    where = _culprit(error, method)
    while error.__cause__ is not None:
        error = error.__cause__
    why = " ".join(str(error).split()) or type(error).__name__
    return f"{where} cannot be written as ONNX: {why:.{MAX_MESSAGE}}"


def _culprit(error, method):
    """Return the name and the class of the innermost layer that an error is about."""
    names = {id(part): name for name, part in method.named_modules() if name}
    found = None
    while error is not None:
        for frame, _ in traceback.walk_tb(error.__traceback__):
            seen = dict(frame.f_locals)
            layer, node = seen.get("self"), seen.get("node")
            if isinstance(node, torch.fx.Node):  # a step of the graph that ONNX lacks
                found = next(reversed((node.meta.get("nn_module_stack") or {}).values()), found)
            elif id(layer) in names:
                found = names[id(layer)], type(layer).__name__
        error = error.__cause__ or error.__context__
    if found is None:
        return "The model"
    name, kind = found
    return f"The layer {name.rpartition('net.')[2]} ({str(kind).rpartition('.')[2]})"
