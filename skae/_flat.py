"""All parameters of a module as one vector while it trains. torch only.

An optimiser that treats every number alike does the same work on one long vector as
on many short ones, in a fraction of the calls.
"""

from contextlib import contextmanager

import torch
from torch import nn, optim

#: Optimisers whose update of a number depends on that number's history alone.
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


def can_flatten(module, optimizer_class):
    """Say whether training on one flat vector equals training on the parameters."""
    kinds = {(p.dtype, p.device, p.requires_grad) for p in module.parameters()}
    return optimizer_class in ELEMENTWISE_OPTIMIZERS and len(kinds) == 1 and kinds.pop()[2]


def flat_parameter(module):
    """Return a parameter that can hold all parameters of ``module``."""
    return nn.Parameter(nn.utils.parameters_to_vector(module.parameters()).detach())


@contextmanager
def flattened(module, flat):
    """Make parameters and gradients of ``module`` views of ``flat`` for a while.

    Parameters
    ----------
    module : nn.Module
    flat : nn.Parameter
        Made by ``flat_parameter``; takes the module's present values, and leaves the
        module its own tensors at the end, so that an encoder can be shipped alone.
    """
    parameters = list(module.parameters())
    with torch.no_grad():
        flat.copy_(nn.utils.parameters_to_vector(parameters))
    flat.grad = torch.zeros_like(flat)
    nn.utils.vector_to_parameters(flat.detach(), parameters)
    start = 0
    for parameter in parameters:
        parameter.grad = flat.grad[start : start + parameter.numel()].view_as(parameter)
        start += parameter.numel()
    try:
        yield
    finally:
        flat.grad = None
        for parameter in parameters:
            parameter.data = parameter.data.clone()
            parameter.grad = None


def step_function(optimizer, flat):
    """Return a function that takes one step of the optimiser on a flat parameter.

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
    kernels = {optim.Adam: torch._fused_adam_, optim.AdamW: torch._fused_adamw_}
    has_hooks = optimizer._optimizer_step_pre_hooks or optimizer._optimizer_step_post_hooks
    if type(optimizer) not in kernels or not group["fused"] or group["amsgrad"] or has_hooks:
        return optimizer.step
    kernel = kernels[type(optimizer)]
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
