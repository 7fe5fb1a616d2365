"""Parameters as pieces of one vector."""

import pytest
import torch
from torch import nn

from skae._training.flat import LANES, FlatView, flat_parameter, matrix_groups, matrix_stacks


@pytest.mark.parametrize("layout", ["first", "last", "transposed"])
def test_parameters_keep_their_layout_in_training(layout):
    module = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Conv2d(4, 5, 3))
    if layout == "last":
        module.to(memory_format=torch.channels_last)
    if layout == "transposed":
        module[1].weight.data = torch.randn(4, 5, 3, 3).transpose(0, 1)
    values = [p.detach().clone() for p in module.parameters()]
    strides = [p.stride() for p in module.parameters()]
    flat = flat_parameter(module)
    with FlatView(module, flat):
        for p, value in zip(module.parameters(), values, strict=True):
            torch.testing.assert_close(p.detach(), value, rtol=0, atol=0)
        if layout != "transposed":
            assert [p.stride() for p in module.parameters()] == strides
        module(torch.randn(2, 1, 8, 8)).sum().backward()
        assert flat.grad.norm() > 0
        flat.detach().mul_(2)
    for p, value in zip(module.parameters(), values, strict=True):
        torch.testing.assert_close(p.detach(), 2 * value)


def test_reduced_precision_keeps_small_steps():
    module = nn.Linear(3, 2)
    frozen = nn.Linear(2, 2).requires_grad_(False)
    both = nn.Sequential(module, frozen)
    flat = flat_parameter(both)
    before = module.weight.detach().clone()
    with FlatView(both, flat, torch.bfloat16) as view:
        assert {p.dtype for p in both.parameters()} == {torch.bfloat16}
        both(torch.ones(4, 3, dtype=torch.bfloat16)).float().sum().backward()
        view.collect_gradients()
        assert flat.grad.norm() > 0
        assert view.grads.norm() == 0
        flat.detach().add_(1e-5)  # less than bfloat16 can tell
        view.copy_values_to_module()
    assert {p.dtype for p in both.parameters()} == {torch.float32}
    torch.testing.assert_close(module.weight, before + 1e-5, rtol=0, atol=1e-7)
    assert all(p.grad is None for p in both.parameters())


def test_matrices_of_like_shape_are_side_by_side():
    module = nn.ModuleList(
        [nn.Linear(4, 4), nn.Embedding(4, 4), nn.LSTM(4, 4), nn.Linear(4, 3), nn.Linear(4, 4)]
    )
    stacks = matrix_stacks(module)
    assert sorted(stacks) == [(1, 3, 4), (10, 4, 4)]
    n = sum(k * r * c for k, r, c in stacks)
    others = flat_parameter(module)[n:]
    assert 0 <= len(others) - (16 + 4 + 32 + 3 + 4) < LANES
    assert {tuple(g["stacks"]) for g in matrix_groups(module)} >= {((1, 3, 4),), ()}
