"""What a net costs: multiplications and values for one sample."""

from math import prod

import torch
from torch.utils.flop_counter import FlopCounterMode


@torch.no_grad()
def cost(module, dataset):
    """Return what a module takes for one sample.

    Parameters
    ----------
    module : nn.Module
        In evaluation mode, so that it does not learn from the sample.
    dataset : object such as `skae._data.ArrayDataset`
        Samples of the kind and shape.

    Returns
    -------
    n_multiplications : int
        Number of multiplications; those of sequences count twice, since a second thread pays
        earlier for recurrent layers.
    width : int
        Number of values that its widest layer gives, of a sequence for one step.
    """
    parameters = list(module.parameters())
    if dataset.kind == "texts":
        return int(dataset.lengths.sum(1).mean() * sum(p.numel() for p in parameters)), 1
    sample_shape = dataset.sample_shape
    if dataset.kind != "images":  # nets of matrices use each weight once, or once for each step
        n_steps = 1 if dataset.lengths is None else sample_shape[0]
        widths = [prod(sample_shape) // n_steps, *(len(p) for p in parameters if p.ndim)]
        uses = 1 if dataset.lengths is None else 2 * n_steps
        return uses * sum(p.numel() for p in parameters), max(widths)
    widths = [prod(sample_shape)]

    def note(layer, inputs, output):
        if isinstance(output, torch.Tensor):
            widths.append(output.numel())

    hooks = [layer.register_forward_hook(note) for layer in module.modules()]
    with FlopCounterMode(display=False) as counter:
        module(torch.zeros(1, *sample_shape, dtype=torch.float32))
    for hook in hooks:
        hook.remove()
    return counter.get_total_flops() // 2, max(widths)
