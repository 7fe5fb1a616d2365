"""Nets in float64, made of what ONNX Runtime has for it.

It lacks Elu, Erf, LeakyRelu and Softplus of float64 on the CPU.
"""

import copy

import numpy as np
import torch
from numpy.polynomial import chebyshev
from scipy.special import erfcx
from torch import nn

from skae._onnx.table_cells import double

ROOT_HALF, ROOT_2_BY_PI, CUBIC = double(0.5**0.5), double((2 / np.pi) ** 0.5), double(0.044715)

#: Coefficients of the error function.
N_TERMS = 28


class _ELU(nn.Module):
    def __init__(self, given):
        super().__init__()
        self.register_buffer("alpha", double(given.alpha))

    def forward(self, x):
        return torch.where(x > 0, x, self.alpha * (torch.exp(x.clamp(max=0)) - 1))


class _LeakyReLU(nn.Module):
    def __init__(self, given):
        super().__init__()
        self.register_buffer("slope", double(given.negative_slope))

    def forward(self, x):
        return torch.where(x > 0, x, self.slope * x)


class _Softplus(nn.Module):
    def __init__(self, given):
        super().__init__()
        self.register_buffer("beta", double(given.beta))

    def forward(self, x):
        x = x * self.beta
        return (x.clamp(min=0) + torch.log(1 + torch.exp(-x.abs()))) / self.beta


class _GELU(nn.Module):
    def __init__(self, given):
        super().__init__()
        self.is_exact = given.approximate == "none"
        # Of erfcx(x) / t, with t = 2 / (2 + x), which is smooth.
        terms = chebyshev.chebinterpolate(_scaled_erfcx, N_TERMS - 1)
        self.register_buffer("terms", torch.from_numpy(terms))

    def forward(self, x):
        if not self.is_exact:
            inner = ROOT_2_BY_PI * (x + CUBIC * x * x * x)
            return 0.5 * x * (1 + torch.tanh(inner))
        return 0.5 * x * (1 + self._erf(x * ROOT_HALF))

    def _erf(self, x):
        size = x.abs()
        t = 2 / (2 + size)
        y, last, before = 2 * t - 1, 0.0, 0.0
        for i in range(N_TERMS - 1, 0, -1):  # as by Clenshaw
            last, before = self.terms[i] + 2 * y * last - before, last
        smooth = self.terms[0] + y * last - before
        return torch.sign(x) * (1 - t * smooth * torch.exp(-size * size))


def _scaled_erfcx(y):
    t = (y + 1) / 2
    return erfcx(2 / t - 2) / t


REPLACED = {nn.ELU: _ELU, nn.GELU: _GELU, nn.LeakyReLU: _LeakyReLU, nn.Softplus: _Softplus}


def in_double(module):
    """Return a copy of a net in float64, for new samples, on the CPU."""
    return _replaced(copy.deepcopy(module).cpu().double().eval()).requires_grad_(False)


def _replaced(module):
    if type(module) in REPLACED:
        return REPLACED[type(module)](module)
    for name, part in module.named_children():
        setattr(module, name, _replaced(part))
    return module
