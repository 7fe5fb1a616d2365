"""What a net takes, and how many threads torch uses for it."""

from contextlib import contextmanager
from math import prod

import torch
from torch.utils.flop_counter import FlopCounterMode

#: Below so many multiplications in a forward pass, a second thread costs more than it gives.
ONE_THREAD_WORK = 5e7


@contextmanager
def threads(work):
    """Use one thread for a while if the work is small.

    Small nets then also give the same bits whatever the number of threads allowed.

    Parameters
    ----------
    work : int
        Multiplications in one forward pass.
    """
    before = torch.get_num_threads()
    if work < ONE_THREAD_WORK:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@torch.no_grad()
def cost(module, sample_shape):
    """Return what a module takes for one sample.

    Parameters
    ----------
    module : nn.Module
        In evaluation mode, lest it learn from the sample.
    sample_shape : tuple of int

    Returns
    -------
    work : int
        Number of multiplications.
    width : int
        Number of values that its widest layer gives.
    """
    parameters = list(module.parameters())
    if len(sample_shape) == 1:  # nets of matrices use each weight once
        widths = [prod(sample_shape), *(len(p) for p in parameters if p.ndim)]
        return sum(p.numel() for p in parameters), max(widths)
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
