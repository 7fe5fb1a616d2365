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
    is_changed = work < ONE_THREAD_WORK and before > 1
    if is_changed:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        # A new thread starts at what another one set last, and is not to make a 1 of it for good.
        if is_changed:
            torch.set_num_threads(before)


@torch.no_grad()
def cost(module, rows):
    """Return what a module takes for one sample.

    Parameters
    ----------
    module : nn.Module
        In evaluation mode, lest it learn from the sample.
    rows : object such as `skae.inputs.Rows`
        Samples of the kind and shape.

    Returns
    -------
    work : int
        Number of multiplications; those of sequences count twice, since a second thread pays
        earlier for recurrent layers.
    width : int
        Number of values that its widest layer gives, of a sequence for one step.
    """
    parameters = list(module.parameters())
    if rows.kind == "texts":
        return int(rows.lengths.sum(1).mean() * sum(p.numel() for p in parameters)), 1
    sample_shape = rows.sample_shape
    if rows.kind != "images":  # nets of matrices use each weight once, or once for each step
        n_steps = 1 if rows.lengths is None else sample_shape[0]
        widths = [prod(sample_shape) // n_steps, *(len(p) for p in parameters if p.ndim)]
        uses = 1 if rows.lengths is None else 2 * n_steps
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
