"""Parameters as pieces of one vector."""

import pytest
import torch
from torch import nn

from skae._flat import FlatView, flat_parameter


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
