"""A look at the nets of a file: their layers have to fit together."""

from math import prod

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only

from skae._data.image_pairs import ImagePairReader
from skae._modules.translation import TranslationModule
from skae._persistence.errors import FileError
from skae._text.tokenizers import vocabulary_length

#: Values of the sample that is passed through a net, and of what layers make of it, at most.
MAX_VALUES, MAX_RESULT = 2**24, 2**28


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
    if prod(inputs.sample_shape) > MAX_VALUES:
        return
    x = torch.zeros(1, *inputs.sample_shape, device=estimator.device_)
    codes = _passed(module.encode, x)
    fits = has_pairs or codes.shape == (1, estimator.n_components_)  # else they are maps
    if not fits or _passed(module.decode, codes, x).shape != (1, *outputs.sample_shape):
        raise FileError("is damaged: a net does not fit its samples.")


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
