"""Modules as plain state: tensors as NumPy arrays, whatever the device they are on."""

import copy

import numpy as np
import torch
from torch import nn


def plain(state):
    """Return a copy of a state, such as a module, that pickles without a pickle inside.

    torch pickles a tensor as the bytes of another pickle, which only loads where the device of
    the tensor is. Here each tensor is replaced by one that pickles as an array, and loads as a
    tensor on the CPU.

    Parameters
    ----------
    state : object
        A module, the state of an optimizer, or a container of both.

    Returns
    -------
    object
        For pickle only: it holds arrays in the places of tensors.
    """
    # ``deepcopy`` takes what the memo has for an object as its copy.
    tensors = list(_tensors(state, set()))
    return copy.deepcopy(state, {id(tensor): PlainTensor.of(tensor) for tensor in tensors})


def _tensors(value, seen):
    """Yield the tensors in an object."""
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _tensors(inner, seen)
    elif isinstance(value, (list, tuple, set)):
        for inner in value:
            yield from _tensors(inner, seen)
    elif isinstance(value, nn.Module):
        yield from _tensors(vars(value), seen)


class PlainTensor:
    """A tensor that pickles as a NumPy array.

    The class can be called as if it made such objects, and makes a tensor on the CPU. So pickle
    makes tensors, and so does skops, which takes no function in the place of the class.

    Parameters
    ----------
    values : ndarray of uint8
        The bytes of the tensor in the order that they have in memory.
    dtype : str
        Name of a dtype of torch.
    shape, stride : tuple of int
    is_parameter, requires_grad : bool
    """

    def __new__(cls, values, dtype, shape, stride, is_parameter, requires_grad):
        # Into memory of torch's, whose alignment the products' last bits can depend on.
        flat = torch.empty(len(values), dtype=torch.uint8)
        flat.numpy()[:] = np.asarray(values)
        tensor = flat.view(dtype_of(dtype)).as_strided(shape, stride)
        if is_parameter:
            return nn.Parameter(tensor, requires_grad)
        return tensor.requires_grad_(requires_grad)

    @classmethod
    def of(cls, tensor):
        """Return what stands for a tensor in a state."""
        plain = object.__new__(cls)
        plain.tensor = tensor
        return plain

    def __reduce__(self):
        tensor = self.tensor.detach().cpu()
        n, shape = tensor.numel(), tensor.shape
        last = sum((size - 1) * step for size, step in zip(shape, tensor.stride(), strict=True))
        if last + 1 != n:  # it has gaps, or values that share memory
            tensor = tensor.contiguous()
        # As bytes: NumPy has no bfloat16.
        values = tensor.as_strided((n,), (1,)).view(torch.uint8).numpy()
        is_parameter = isinstance(self.tensor, nn.Parameter)
        form = dtype_name(tensor.dtype), tuple(shape), tensor.stride()
        return type(self), (values, *form, is_parameter, self.tensor.requires_grad)


def dtype_name(dtype):
    """Return the name that a dtype of torch has there."""
    return str(dtype).removeprefix("torch.")


def dtype_of(name):
    """Return the dtype of torch that has this name."""
    dtype = getattr(torch, name)
    if not isinstance(dtype, torch.dtype):
        raise TypeError(f"torch.{name} is no dtype")
    return dtype
