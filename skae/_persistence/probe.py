"""A look at the nets of a file: their layers have to fit together."""

from functools import partial
from math import prod
from types import FunctionType

import torch
from torch import nn, optim
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only

from skae._data.image_pairs import ImagePairReader
from skae._data.read_sequences import SequenceReader
from skae._modules.translation import TranslationModule
from skae._persistence.encoding import OF_LAYERS, SAVED_OF_LAYERS
from skae._persistence.errors import FileError
from skae._text.tokenizers import vocabulary_length
from skae._training.muon import Muon

#: Values of the sample that is passed through a net, and of what layers make of it, at most.
MAX_VALUES, MAX_RESULT = 2**24, 2**28

#: Steps of a sequence that is passed through a net, at most.
MAX_STEPS = 100


class _Bounded(TorchDispatchMode):
    """Refuse operations with large results before they take memory."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        inputs = tree_map_only(torch.Tensor, lambda tensor: tensor.to("meta"), (args, kwargs))
        if "device" in kwargs:
            inputs[1]["device"] = torch.device("meta")
        try:
            sizes = []
            tree_map_only(
                torch.Tensor, lambda t: sizes.append(t.numel()), function(*inputs[0], **inputs[1])
            )
        except (RuntimeError, NotImplementedError):  # its size depends on the values, or an error
            sizes = []
        if sum(sizes) > MAX_RESULT:
            raise FileError("is damaged: the layers of a net are too large.")
        return function(*args, **kwargs)


def check_state_of_net(state):
    """Look at the state of a skorch net before one is made of it.

    skorch takes much more than skae gives it: classes of layers to be made, and what compiles.

    Raises
    ------
    FileError
        If it has what skae does not write.
    """
    optimizer = state["optimizer"]
    if isinstance(optimizer, partial):
        optimizer = optimizer.func
    is_optimizer = isinstance(optimizer, (str, FunctionType)) or (
        isinstance(optimizer, type) and issubclass(optimizer, optim.Optimizer)
    )
    names = all(name.startswith("optimizer__") for name in state["optimizer_params"])
    if not (isinstance(state["module"], nn.Module) and is_optimizer and names):
        raise FileError("is damaged: a net has parts that are none of its own.")


def check_optimizer(optimizer):
    """Look at the state of an optimizer, whose fused steps trust in the sizes of its tensors.

    Raises
    ------
    FileError
        If a tensor is of another size than its parameter.
    """
    for group in optimizer.param_groups:
        is_muon = isinstance(optimizer, Muon)
        if not (is_muon or group.get("fused")):
            continue
        for parameter in group["params"]:
            shapes = {"step": ()}
            if is_muon:
                shapes["exp_avg_sq"] = (parameter.numel() - sum(map(prod, group["stacks"])),)
            for name, value in optimizer.state[parameter].items():
                if value.shape != shapes.get(name, parameter.shape):
                    raise FileError("is damaged: the state of an optimizer does not fit its net.")


def check_layer(cls, state):
    """Look at the attributes of a layer before it gets them.

    Raises
    ------
    FileError
        If there are hooks, or not the names of weights that recurrent layers have.
    """
    if state.keys() & (OF_LAYERS.keys() - SAVED_OF_LAYERS):
        raise FileError(f"is damaged: it has hooks in {cls.__name__}.")
    # Without names, torch makes as many as the layer says it has.
    if issubclass(cls, nn.RNNBase) and type(state["_all_weights"][0][0]) is not str:
        raise FileError("is damaged: a recurrent layer has no names of weights.")


@torch.no_grad()
def check_net(estimator):
    """Pass a sample through the net of an estimator.

    Raises
    ------
    FileError
        If its layers do not fit to each other or to the samples.
    """
    module, reader = estimator.net_.module_, estimator._reader
    if isinstance(module, TranslationModule):
        tokenizers = reader.source_tokenizer, reader.target_tokenizer
        last = [torch.tensor([[vocabulary_length(tokenizer) - 1]]) for tokenizer in tokenizers]
        _passed(module.log_likelihood, *(token.to(estimator.device_) for token in last))
        return
    has_pairs = isinstance(reader, ImagePairReader)
    inputs, outputs = (reader.inputs, reader.targets) if has_pairs else (reader, reader)
    shape, shape_of_output = _shape(inputs), _shape(outputs)
    if prod(shape) > MAX_VALUES:
        return
    x = torch.zeros(1, *shape, device=estimator.device_)
    codes = _passed(module.encode, x)
    fits = has_pairs or codes.shape == (1, estimator.n_components_)  # else they are maps
    if not fits or _passed(module.decode, codes, x).shape != (1, *shape_of_output):
        raise FileError("is damaged: a net does not fit its samples.")


def _shape(reader):
    """Return the shape of a sample; long sequences would take long."""
    n_steps, *others = reader.sample_shape
    return (min(n_steps, MAX_STEPS) if isinstance(reader, SequenceReader) else n_steps, *others)


def _passed(function, *inputs):
    try:
        with _Bounded():
            return function(*inputs)
    except FileError:
        raise
    except Exception as error:  # of any layer
        raise FileError(
            f"is damaged: the layers of a net do not fit together ({error})."
        ) from error
