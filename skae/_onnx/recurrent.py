"""Recurrent layers as ONNX's own operators, for any number of steps. torch only."""

import torch
from torch import nn

from skae.architectures._recurrent_layers import Recurrence

#: ONNX's name of a layer, and its order of the gates in terms of torch's.
KINDS = {nn.LSTM: ("LSTM", (0, 3, 1, 2)), nn.GRU: ("GRU", (1, 0, 2))}

#: Version of the operators.
VERSION = 14


class OnnxRecurrence(nn.Module):
    """A recurrent layer that computes nothing, but is exported as an operator.

    Parameters
    ----------
    layer : nn.LSTM or nn.GRU
        With one layer and one direction, and ``batch_first``.
    """

    def __init__(self, layer):
        super().__init__()
        self.operator, order = KINDS[type(layer)]
        self.hidden_size = layer.hidden_size

        def in_order(weight):
            gates = weight.detach().split(self.hidden_size)
            return torch.cat([gates[i] for i in order])

        bias = torch.cat([in_order(layer.bias_ih_l0), in_order(layer.bias_hh_l0)])
        weights = in_order(layer.weight_ih_l0), in_order(layer.weight_hh_l0), bias
        for name, weight in zip(("weight", "recurrent_weight", "bias"), weights, strict=True):
            self.register_buffer(name, weight[None])

    def flatten_parameters(self):
        """Do nothing, as there is no cuDNN in a graph."""

    def forward(self, x, state=None):
        """Return outputs (n_samples, n_steps, hidden_size), and the last state."""
        x = x.transpose(0, 1)
        states = state if isinstance(state, tuple) else (state,)
        start = [] if state is None else [None, *states]
        attributes = {"hidden_size": self.hidden_size}
        if self.operator == "GRU":
            attributes["linear_before_reset"] = 1
        last = [1, x.shape[1], self.hidden_size]
        shapes = [[x.shape[0], *last], last] + ([last] if self.operator == "LSTM" else [])
        output, *last = torch.onnx.ops.symbolic_multi_out(
            self.operator,
            (x, self.weight, self.recurrent_weight, self.bias, *start),
            attributes,
            dtypes=[x.dtype] * len(shapes),
            shapes=shapes,
            version=VERSION,
        )
        return output.squeeze(1).transpose(0, 1), last[0] if self.operator == "GRU" else tuple(last)


def with_operators(module):
    """Put operators in the place of a module's recurrent layers, where they do the same."""
    for parent in list(module.modules()):
        if isinstance(parent, Recurrence):
            parent.truncation = None  # which is for gradients
        for name, child in parent.named_children():
            if type(child) in KINDS and _is_plain(child):
                setattr(parent, name, OnnxRecurrence(child))
    return module


def _is_plain(layer):
    is_single = layer.num_layers == 1 and not layer.bidirectional and not layer.proj_size
    return is_single and layer.batch_first and layer.bias
