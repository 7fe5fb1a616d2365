"""All parameters of a module as one vector while it trains. torch only.

An optimizer that treats every number alike does the same work on one long vector as
on many short ones, in a fraction of the calls.
"""

from itertools import groupby

import torch
from torch import nn, optim

from skae._training.muon import Muon

#: Optimizers whose update of a number depends on that number's history alone.
ELEMENTWISE_OPTIMIZERS = (
    optim.ASGD,
    optim.Adadelta,
    optim.Adagrad,
    optim.Adam,
    optim.AdamW,
    optim.Adamax,
    optim.NAdam,
    optim.RAdam,
    optim.RMSprop,
    optim.Rprop,
    optim.SGD,
)


#: Processors take so many numbers at a time, and the rest of a vector in another way, by which bits
#: can differ. Vectors side by side begin at multiples of it, so that each is computed as if alone.
LANES = 32


def can_flatten(module, optimizer_class):
    """Say whether training on one flat vector equals training on the parameters."""
    kinds = {(p.dtype, p.device) for p in module.parameters()}
    if any(device.type == "cuda" for _, device in kinds) and any(
        isinstance(layer, nn.RNNBase) for layer in module.modules()
    ):
        return False  # cuDNN wants the weights of each such layer in an order of its own
    return optimizer_class in (*ELEMENTWISE_OPTIMIZERS, Muon) and len(kinds) == 1


def flat_parameter(module):
    """Return a parameter that can hold all parameters of ``module``, filled up with zeros."""
    vector = _vector(_in_order(module))
    return nn.Parameter(nn.functional.pad(vector, (0, -len(vector) % LANES)))


def matrix_stacks(module):
    """Return the shapes of the stacks of matrices that the flat parameter begins with.

    Returns
    -------
    list of tuple (n_matrices, n_rows, n_columns)
    """
    shapes = [shape for p in _in_order(module) if (shape := _matrix_shape(p, module))]
    groups = groupby(shapes, lambda shape: shape[1:])
    return [(sum(n for n, *_ in stack), *size) for size, stack in groups]


def matrix_groups(module):
    """Return groups of parameters for `Muon`, where they do not make one vector."""
    shapes = {p: _matrix_shape(p, module) for p in module.parameters()}
    return [{"params": [p], "stacks": [shape] if shape else []} for p, shape in shapes.items()]


def _in_order(module):
    """Return the parameters, those first that are matrices, of like shape side by side."""
    shapes = {p: _matrix_shape(p, module)[1:] for p in module.parameters()}
    return sorted(shapes, key=lambda p: (not shapes[p], shapes[p]))


def _matrix_shape(parameter, module):
    """Return (number, rows, columns) of the matrices in a parameter, () for other parameters.

    Several square ones may be stacked in one, as the gates of a recurrent layer are. Embeddings
    are tables, no matrices.
    """
    is_table = any(
        layer.weight is parameter for layer in module.modules() if isinstance(layer, nn.Embedding)
    )
    if parameter.ndim != 2 or is_table:
        return ()
    n_rows, n_columns = parameter.shape
    n = n_rows // n_columns if n_rows % n_columns == 0 else 1
    return n, n_rows // n, n_columns


def _vector(parameters):
    return torch.cat([_in_memory_order(p.detach()).reshape(-1) for p in parameters])


def _in_memory_order(x):
    """Return a view of a tensor with its axes as they are in memory, if torch has a name for it."""
    is_channels_last = x.ndim == 4 and x.is_contiguous(memory_format=torch.channels_last)
    return x.permute(0, 2, 3, 1) if is_channels_last else x


def _like(vector, parameter):
    """Return a piece of the flat vector as a tensor like a parameter, with its strides.

    Those of an axis of one element say to convolutions which axis comes last.
    """
    if not _in_memory_order(parameter).is_contiguous():
        return vector.view(parameter.shape)
    return vector.as_strided(parameter.shape, parameter.stride(), vector.storage_offset())


class FlatView:
    """Parameters and gradients of a module as views of a flat parameter, for a while.

    Frozen parameters stay out of it.

    Parameters
    ----------
    module : nn.Module
    flat : nn.Parameter
        Made by ``flat_parameter``.
    dtype : torch.dtype or None, default=None
        Precision of the module meanwhile. The flat parameter keeps its own, and so small
        steps are not lost [1]_.
    grad : tensor of the shape of ``flat`` or None, default=None
        Where its gradient is to be, if that matters.

    References
    ----------
    .. [1] P. Micikevicius et al., "Mixed precision training", ICLR 2018. :arxiv:`1710.03740`
    """

    def __init__(self, module, flat, dtype=None, grad=None):
        self.parameters = _in_order(module)
        self.flat = flat
        self.grad = grad
        self.is_reduced = dtype is not None and dtype != flat.dtype
        self.dtype = dtype if self.is_reduced else flat.dtype

    def __enter__(self):
        self.n_numbers = sum(parameter.numel() for parameter in self.parameters)
        with torch.no_grad():
            self.flat[: self.n_numbers] = _vector(self.parameters)
            self.flat[self.n_numbers :] = 0
        self.flat.grad = torch.zeros_like(self.flat) if self.grad is None else self.grad.zero_()
        self.values = self.flat.detach().to(self.dtype)
        self.grads = torch.zeros_like(self.values) if self.is_reduced else self.flat.grad
        self.trained = [parameter.requires_grad for parameter in self.parameters]
        for parameter, value, grad in self._pieces(self.values, self.grads):
            if parameter.requires_grad:
                parameter.grad = None  # its type may differ
                parameter.data, parameter.grad = _like(value, parameter), _like(grad, parameter)
            elif self.is_reduced:
                parameter.data = _like(value, parameter)
        return self

    def __exit__(self, *exception):
        """Give the module tensors of its own, so that an encoder can be shipped alone."""
        self.flat.grad = None
        trained = iter(self.trained)
        for parameter, value in self._pieces(self.flat.detach()):
            if next(trained) or self.is_reduced:
                parameter.grad = None
                parameter.data = _like(value, parameter).clone()
        self.values = self.grads = None

    def _pieces(self, *vectors):
        sizes = [parameter.numel() for parameter in self.parameters]
        pieces = (vector[: self.n_numbers].split(sizes) for vector in vectors)
        return zip(self.parameters, *pieces, strict=True)

    def collect_gradients(self):
        """Let the flat parameter have the gradients of the module."""
        if self.is_reduced:
            self.flat.grad.copy_(self.grads)
            self.grads.zero_()

    def copy_values_to_module(self):
        """Let the module have the values of the flat parameter."""
        if self.is_reduced:
            self.values.copy_(self.flat.detach())

    def is_outdated(self):
        """Say whether parameters have been frozen or thawed since."""
        return any(p.requires_grad != t for p, t in zip(self.parameters, self.trained, strict=True))


def step_function(optimizer, flat):
    """Return a function that takes one step of the optimizer on a flat parameter.

    Adam's kernel is called directly where it is fused: finding the one parameter anew at
    every step costs several times what updating a small net does.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
    flat : nn.Parameter
        Its only parameter, with a gradient that stays in place.

    Returns
    -------
    callable
    """
    group = optimizer.param_groups[0]
    has_hooks = optimizer._optimizer_step_pre_hooks or optimizer._optimizer_step_post_hooks
    is_adam = type(optimizer) in (optim.Adam, optim.AdamW)
    if not is_adam or not group["fused"] or group["amsgrad"] or has_hooks:
        return optimizer.step
    kernel = torch._fused_adamw_ if group["decoupled_weight_decay"] else torch._fused_adam_
    vectors = None

    @torch.no_grad()
    def step():
        nonlocal vectors
        if vectors is None:
            optimizer.step()  # makes the state, and tells schedulers that training began
            state = optimizer.state[flat]
            vectors = [[flat.detach()], [flat.grad], [state["exp_avg"]], [state["exp_avg_sq"]], []]
            vectors.append([state["step"]])
            return
        vectors[-1][0].add_(1)
        kernel(
            *vectors,
            lr=group["lr"],
            beta1=group["betas"][0],
            beta2=group["betas"][1],
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            amsgrad=False,
            maximize=group["maximize"],
        )

    return step
