"""What a net costs: multiplications, values and work for one sample. torch only."""

from math import prod
from typing import NamedTuple

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from skae._runtime import computing


class Cost(NamedTuple):
    """What a module takes for one sample.

    Parameters
    ----------
    n_multiplications : int
        Number of multiplications, as a measure of what threads can share. Of recurrent layers it
        is that of one step, since threads wait for each other at every step.
    width : int
        Number of values that its widest layer gives, of a sequence for one step.
    work : int
        How long training takes, in multiplications: see ``VALUE_WORK``. Of a sequence for all
        its steps.
    """

    n_multiplications: int
    width: int
    work: int


#: Layers that take one step of a sequence after the other.
RECURRENT = (nn.RNNBase, nn.RNNCellBase)
#: How much a multiplication of recurrent layers counts: they are fewer than others, and each
#: does more of the work.
STEP_SHARE = 2

#: How many multiplications take as long as a value that a layer gives: 70 is the best fit to the
#: training times of twelve nets on one core. It tells those of ten within a factor of two; small
#: nets of tables take several times as long, as their steps are short.
VALUE_WORK = 70

FREE = Cost(n_multiplications=0, width=1, work=0)


def cost_of_weights(parts, n_uses, n_inputs):
    """Return what the parts of a module take that uses each weight equally often.

    Parameters
    ----------
    parts : sequence of nn.Module
    n_uses : float
        How often, for one sample. Not used if there are recurrent layers.
    n_inputs : int
        Number of values that the first layer takes at once.

    Returns
    -------
    Cost
    """
    parameters = list(nn.ModuleList(parts).parameters())
    recurrent = [m for part in parts for m in part.modules() if isinstance(m, RECURRENT)]
    n_weights = sum(p.numel() for p in nn.ModuleList(recurrent or parts).parameters())
    n_multiplications = n_weights * STEP_SHARE if recurrent else int(n_uses * n_weights)
    n_values = sum(len(p) for p in parameters if p.ndim >= 2)
    work = int(n_uses * (sum(p.numel() for p in parameters) + VALUE_WORK * n_values))
    return Cost(n_multiplications, max(n_inputs, *(len(p) for p in parameters if p.ndim)), work)


@torch.no_grad()
def measured_cost(parts, sample_shape):
    """Return what the parts of a module take, one behind the other, by passing a sample through.

    Parameters
    ----------
    parts : sequence of nn.Module
        They are set to evaluation mode, so that they do not learn from the sample.
    sample_shape : tuple of int

    Returns
    -------
    Cost
    """
    widths, n_values = [prod(sample_shape)], [0]

    def note(layer, inputs, output):
        if isinstance(output, torch.Tensor):
            widths.append(output.numel())
            if not any(layer.children()):
                n_values.append(output.numel())

    parts = nn.ModuleList(parts).eval()
    hooks = [layer.register_forward_hook(note) for layer in parts.modules()]
    output = torch.zeros(1, *sample_shape, dtype=torch.float32)
    with _FlopCounter() as counter, computing:
        for part in parts:
            output = part(output)
    for hook in hooks:
        hook.remove()
    n_multiplications = counter.n_flops // 2
    work = n_multiplications + VALUE_WORK * sum(n_values)
    return Cost(n_multiplications, max(widths), work)


class _FlopCounter(TorchDispatchMode):
    """Counts the operations of one thread; torch's own counter gets in the way of others."""

    def __init__(self):
        super().__init__()
        self.n_flops = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        output = function(*args, **kwargs)
        count = flop_registry.get(function._overloadpacket)
        if count is not None:
            self.n_flops += count(*args, **kwargs, out_val=output)
        return output
