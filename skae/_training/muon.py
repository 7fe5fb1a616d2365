"""Muon: an optimizer whose steps of weight matrices are orthogonal. torch only."""

from math import prod

import torch
from torch import optim

from skae._runtime import has_bfloat16

#: Coefficients of odd polynomials that bring singular values close to 1, one after the other.
POLYNOMIALS = (
    (4.0848, -6.8946, 2.9270),
    (3.9505, -6.3029, 2.6377),
    (3.7418, -5.5913, 2.3037),
    (2.8769, -3.1427, 1.2046),
    (2.8366, -3.0525, 1.2012),
)


class Muon(optim.Optimizer):
    """Adam for vectors and embeddings; momentum made orthogonal for the other matrices [1]_.

    A step changes a matrix as much in all directions, and so learns what is rare in the data
    sooner than Adam does. Steps are as large, in the mean square, as ``scale`` times
    those that Adam would take at most [2]_.

    Parameters
    ----------
    params : list of nn.Parameter
        Such as one vector that holds all parameters.
    lr : float
        Learning rate of both kinds of parameters.
    stacks : list of tuple (n_matrices, n_rows, n_columns)
        The matrices that a parameter begins with.
    momentum : float, default=0.95
    scale : float, default=0.2
    n_iterations : int, default=3
        Polynomials that a step applies, up to 5: the more, the closer to orthogonal.
    betas : tuple (float, float), default=(0.9, 0.98)
    eps : float, default=1e-9
        Of Adam.
    weight_decay : float, default=0.0
        Fraction of the parameters, times ``lr``, by which they shrink in a step.

    References
    ----------
    .. [1] K. Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024.
    .. [2] J. Liu et al., "Muon is scalable for LLM training", 2025. :arxiv:`2502.16982`
    """

    def __init__(
        self,
        params,
        lr,
        stacks=(),
        momentum=0.95,
        scale=0.2,
        n_iterations=3,
        betas=(0.9, 0.98),
        eps=1e-9,
        weight_decay=0.0,
    ):
        if not 1 <= n_iterations <= len(POLYNOMIALS):
            raise ValueError(f"n_iterations must be from 1 to {len(POLYNOMIALS)}")
        defaults = {
            "lr": lr,
            "stacks": stacks,
            "momentum": momentum,
            "scale": scale,
            "n_iterations": n_iterations,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
        }
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self, closure=None):
        """Take a step; parameters and result as for every optimizer of torch."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                self._step(parameter, group)
        return loss

    def _step(self, parameter, group):
        state = self.state[parameter]
        if not state:
            n_matrix_elements = sum(prod(stack) for stack in group["stacks"])
            state["step"] = torch.zeros(())
            state["momentum"] = torch.zeros_like(parameter)
            state["exp_avg_sq"] = torch.zeros_like(parameter.view(-1)[n_matrix_elements:])
        tensors = parameter.detach(), parameter.grad, state["momentum"]
        vectors, start = [tensor.view(-1) for tensor in tensors], 0
        for stack in group["stacks"]:
            stop = start + prod(stack)
            self._step_of_matrices(*(vector[start:stop].view(stack) for vector in vectors), group)
            start = stop
        vectors = [[vector[start:]] for vector in vectors]
        if start < parameter.numel():
            torch._fused_adamw_(
                *vectors,
                [state["exp_avg_sq"]],
                [],
                [state["step"].add_(1)],
                lr=group["lr"],
                beta1=group["betas"][0],
                beta2=group["betas"][1],
                weight_decay=group["weight_decay"],
                eps=group["eps"],
                amsgrad=False,
                maximize=False,
            )

    @staticmethod
    def _step_of_matrices(matrices, grad, momentum, group):
        momentum.lerp_(grad, 1 - group["momentum"])
        ahead = grad.lerp(momentum, group["momentum"])
        size = group["lr"] * group["scale"] * max(matrices.shape[1:]) ** 0.5
        matrices.mul_(1 - group["lr"] * group["weight_decay"])
        matrices.sub_(orthogonal(ahead, group["n_iterations"]), alpha=size)


def orthogonal(x, n_iterations):
    """Return matrices with the singular vectors of others and singular values close to 1.

    Parameters
    ----------
    x : tensor of shape (n_matrices, n_rows, n_columns)
    n_iterations : int

    Returns
    -------
    tensor of the same shape
    """
    dtype = torch.bfloat16 if has_bfloat16(x.device) else x.dtype
    is_tall = x.shape[1] > x.shape[2]
    y = x.mT if is_tall else x
    y = (y / (1.01 * y.norm(dim=(1, 2), keepdim=True) + 1e-7)).to(dtype)
    for a, b, c in POLYNOMIALS[:n_iterations]:
        square = y @ y.mT
        y = torch.baddbmm(y, torch.baddbmm(square, square, square, beta=b, alpha=c), y, beta=a)
    return (y.mT if is_tall else y).to(x.dtype)
