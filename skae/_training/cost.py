"""What a net costs: multiplications and values for one sample."""

from math import prod

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from skae._modules.autoencoder import Cost


def cost(parts, dataset):
    """Return what the parts of a module, one behind the other, take for one sample.

    Parameters
    ----------
    parts : list of nn.Module
        They are set to evaluation mode, so that they do not learn from the sample.
    dataset : object such as `skae._data.ArrayDataset`
        Samples of the kind and shape.

    Returns
    -------
    Cost
    """
    parts = nn.ModuleList(parts).eval()
    if dataset.n_weight_uses is None:
        return _measured(parts, dataset.sample_shape)
    parameters = list(parts.parameters())
    n_multiplications = int(dataset.n_weight_uses * sum(p.numel() for p in parameters))
    return Cost(n_multiplications, max(dataset.step_width, *(len(p) for p in parameters if p.ndim)))


@torch.no_grad()
def _measured(parts, sample_shape):
    widths = [prod(sample_shape)]

    def note(layer, inputs, output):
        if isinstance(output, torch.Tensor):
            widths.append(output.numel())

    hooks = [layer.register_forward_hook(note) for layer in parts.modules()]
    output = torch.zeros(1, *sample_shape, dtype=torch.float32)
    with FlopCounterMode(display=False) as counter:
        for part in parts:
            output = part(output)
    for hook in hooks:
        hook.remove()
    return Cost(counter.get_total_flops() // 2, max(widths))
