"""How many threads torch uses."""

from contextlib import contextmanager

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
def multiplications(module, sample_shape):
    """Return how many multiplications a module takes for one sample.

    Parameters
    ----------
    module : nn.Module
        In evaluation mode, lest it learn from the sample.
    sample_shape : tuple of int

    Returns
    -------
    int
    """
    if len(sample_shape) == 1:  # nets of matrices use each weight once
        return sum(parameter.numel() for parameter in module.parameters())
    with FlopCounterMode(display=False) as counter:
        module(torch.zeros(1, *sample_shape))
    return counter.get_total_flops() // 2
