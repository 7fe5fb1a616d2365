"""The optimizer with orthogonal steps."""

import copy

import pytest
import torch
from torch import nn

from skae._training.flat import flat_parameter, matrix_groups, matrix_stacks
from skae._training.muon import Muon, orthogonal


@pytest.mark.parametrize("shape", [(3, 8, 8), (2, 5, 9), (2, 9, 5)])
def test_steps_of_matrices_are_nearly_orthogonal(global_random_seed, shape):
    torch.manual_seed(global_random_seed)
    x = torch.randn(shape)
    values = torch.linalg.svdvals(orthogonal(x, 5))
    assert values.min() > 0.5
    assert values.max() < 1.3
    u, _, v = torch.linalg.svd(x, full_matrices=False)
    torch.testing.assert_close(orthogonal(x, 5), u @ v, rtol=0, atol=0.4)


def test_one_vector_and_many_parameters_take_the_same_steps():
    torch.manual_seed(0)
    one = nn.Sequential(nn.Linear(6, 6), nn.Tanh(), nn.Linear(6, 2))
    many = copy.deepcopy(one)
    flat = flat_parameter(one)
    how = {"lr": 0.1, "weight_decay": 0.01}
    optimizer = Muon([flat], stacks=matrix_stacks(one), **how)
    other = Muon(matrix_groups(many), **how)
    ordered = [many[2].weight, many[0].weight, many[0].bias, many[2].bias]
    n = sum(p.numel() for p in ordered)
    for _ in range(3):
        many.zero_grad()
        many(torch.randn(5, 6)).square().sum().backward()
        flat.grad = torch.zeros_like(flat)
        flat.grad[:n] = torch.cat([p.grad.flatten() for p in ordered])
        optimizer.step()
        other.step()
    expected = torch.cat([p.detach().flatten() for p in ordered])
    torch.testing.assert_close(flat.detach()[:n], expected, rtol=1e-4, atol=1e-5)


def test_parameters_are_checked():
    with pytest.raises(ValueError, match="n_iterations must be from 1 to 5"):
        Muon([nn.Parameter(torch.zeros(2))], lr=0.1, n_iterations=6)
