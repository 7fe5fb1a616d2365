"""Optimizers by name or class, as parameters of a skorch net."""

from inspect import signature
from math import cos, pi

import torch
from torch import nn, optim

from skae._params import callable_name
from skae._training.muon import Muon


def _cosine(progress):
    return (1 + cos(pi * progress)) / 2


def _one_cycle(progress, warm_up=0.1, start=0.04):
    if progress < warm_up:
        return start + (1 - start) * progress / warm_up
    return _cosine((progress - warm_up) / (1 - warm_up))


#: By name, the fraction of ``lr`` to use at a fraction of the training, stepped with every batch.
LR_SCHEDULES = {"cosine": _cosine, "one_cycle": _one_cycle}

OPTIMIZERS = {
    "adam": optim.Adam,
    "adamw": optim.AdamW,
    "sgd": optim.SGD,
    "nadam": optim.NAdam,
    "radam": optim.RAdam,
    "rmsprop": optim.RMSprop,
    "muon": Muon,
}

FUSED_OPTIMIZERS = (optim.Adam, optim.AdamW, optim.SGD)


def _try(optimizer, lr, params):
    """Make an optimizer, and a step of it."""
    parameter = nn.Parameter(torch.zeros(1))
    made = optimizer([parameter], lr=lr, **params)
    if not isinstance(made, optim.Optimizer):
        raise TypeError(f"it makes a {type(made).__name__}")
    parameter.grad = torch.zeros(1)
    made.step(lambda: torch.zeros(1))


def optimizer_params(optimizer, lr, weight_decay, params):
    """Return skorch's parameters for an optimizer.

    Parameters
    ----------
    optimizer : str or class
        A name of ``OPTIMIZERS`` or a torch optimizer.
    lr, weight_decay : float
    params : dict or None
        The optimizer's own parameters, by name.

    Returns
    -------
    dict

    Raises
    ------
    ValueError
        If the optimizer does not take a parameter.
    """
    optimizer = OPTIMIZERS.get(optimizer, optimizer)
    params = dict(params or {})
    try:
        if weight_decay or "weight_decay" in signature(optimizer).parameters:
            params.setdefault("weight_decay", weight_decay)  # AdamW has another default
        if optimizer in FUSED_OPTIMIZERS and not {"foreach", "differentiable"} & params.keys():
            params.setdefault("fused", True)
        _try(optimizer, lr, params)
    except (TypeError, ValueError, RuntimeError) as error:
        is_known = isinstance(optimizer, type) and issubclass(optimizer, optim.Optimizer)
        hint = "" if is_known else ". Give a name, such as 'adam', or a class of torch.optim."
        raise ValueError(
            f"optimizer {callable_name(optimizer)} cannot be made with lr={lr} and the "
            f"optimizer_params {params}: {error}{hint}"
        ) from error
    return {"optimizer": optimizer} | {f"optimizer__{name}": v for name, v in params.items()}
