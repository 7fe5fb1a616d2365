"""Recurrent layers as ONNX's own operators, for any number of steps. torch only."""

import torch
from torch import nn
from torch._higher_order_ops.scan import scan

from skae.architectures._recurrent_halves import RecurrentDecoder
from skae.architectures._recurrent_layers import Recurrence

#: ONNX's name of a layer, and its order of the gates in terms of torch's.
KINDS = {nn.LSTM: ("LSTM", (0, 3, 1, 2)), nn.GRU: ("GRU", (1, 0, 2))}

#: Version of the operators.
VERSION = 14


class OnnxRecurrence(nn.Module):
    """Recurrent layers that compute nothing, but are exported as operators.

    Parameters
    ----------
    given : nn.LSTM or nn.GRU
        With biases, and without projections.
    """

    def __init__(self, given):
        super().__init__()
        self.operator, self.order = KINDS[type(given)]
        self.hidden_size, self.batch_first = given.hidden_size, given.batch_first
        self.n_layers, self.n_directions = given.num_layers, 1 + given.bidirectional
        for i in range(self.n_layers):
            names = [f"l{i}", f"l{i}_reverse"][: self.n_directions]
            for kind in ("weight_ih", "weight_hh"):
                self._register(f"{kind}_{i}", [self._ordered(given, kind, one) for one in names])
            biases = [[self._ordered(given, f"bias_{k}h", one) for k in "ih"] for one in names]
            self._register(f"bias_{i}", [torch.cat(pair) for pair in biases])

    def _register(self, name, parts):
        self.register_buffer(name, torch.stack(parts))

    def _ordered(self, given, kind, name):
        """Return weights with the gates in the order of the operator."""
        gates = getattr(given, f"{kind}_{name}").detach().split(self.hidden_size)
        return torch.cat([gates[i] for i in self.order])

    def flatten_parameters(self):
        """Do nothing, as there is no cuDNN in a graph."""

    def forward(self, x, state=None):
        """Return outputs and the last state, as torch's layers do."""
        x = x.transpose(0, 1) if self.batch_first else x
        states = state if isinstance(state, tuple) else (state,)
        n, ends = self.n_directions, []
        for i in range(self.n_layers):
            start = [] if state is None else [None, *(one[n * i : n * (i + 1)] for one in states)]
            outputs, *end = self._run(i, x, start)
            x = outputs.transpose(1, 2).flatten(2)
            ends.append(end)
        ends = [torch.cat(parts) for parts in zip(*ends, strict=True)]
        x = x.transpose(0, 1) if self.batch_first else x
        return x, ends[0] if len(ends) == 1 else tuple(ends)

    def _run(self, i, x, start):
        """Return the outputs of a layer, (n_steps, n_directions, n_samples, hidden_size), and the
        last states."""
        attributes = {"hidden_size": self.hidden_size}
        if self.n_directions == 2:
            attributes["direction"] = "bidirectional"
        if self.operator == "GRU":
            attributes["linear_before_reset"] = 1
        end = [self.n_directions, x.shape[1], self.hidden_size]
        shapes = [[x.shape[0], *end], *[end] * (2 if self.operator == "LSTM" else 1)]
        weights = [getattr(self, f"{name}_{i}") for name in ("weight_ih", "weight_hh", "bias")]
        return torch.onnx.ops.symbolic_multi_out(
            self.operator,
            (x, *weights, *start),
            attributes,
            dtypes=[x.dtype] * len(shapes),
            shapes=shapes,
            version=VERSION,
        )


class ScannedDecoder(RecurrentDecoder):
    """A decoder that gets its own output, whose loop over the steps is an operator.

    Parameters
    ----------
    given : RecurrentDecoder
    """

    def __init__(self, given):
        nn.Module.__init__(self)
        vars(self).update(vars(given))
        self.cells = nn.ModuleList(_cell(layer) for (layer,) in given.recurrence.layers)
        #: Numbers of states of a cell.
        self.n_states = 2 if isinstance(self.cells[0], nn.LSTMCell) else 1

    def _feed_back(self, inputs, start):
        states = [torch.zeros_like(start[:, 0])]
        for cell in self.cells:
            for _ in range(self.n_states):
                states.append(inputs.new_zeros(inputs.shape[0], cell.hidden_size))
        steps = [part.transpose(0, 1).contiguous() for part in (inputs, start)]
        _, outputs = scan(self._step, states, steps)
        return outputs.transpose(0, 1)

    def _step(self, carried, step):
        """Return what the next step gets, and the output."""
        output, *states = carried
        x, base = step
        x, after = torch.cat([x, output], dim=1), []
        for i, cell in enumerate(self.cells):
            if self.n_states == 2:
                x, memory = cell(x, (states[2 * i], states[2 * i + 1]))
                after += [x.clone(), memory]  # clones, since no result may be another one
            else:
                x = cell(x, states[i])
                after.append(x.clone())
        output = base + self.last(x)
        return [output, *after], output.clone()


def _cell(layer):
    """Return one step of a recurrent layer as a module."""
    kind = nn.LSTMCell if isinstance(layer, nn.LSTM) else nn.GRUCell
    cell = kind(layer.input_size, layer.hidden_size, dtype=layer.weight_hh_l0.dtype)
    weights = {name.removesuffix("_l0"): value for name, value in layer.state_dict().items()}
    cell.load_state_dict(weights)
    return cell.requires_grad_(False)


def with_operators(module):
    """Put operators in the place of a module's loops over steps, where they do the same."""
    for parent in list(module.modules()):
        if isinstance(parent, Recurrence):
            parent.truncation = None  # which is for gradients
        for name, child in parent.named_children():
            if isinstance(child, RecurrentDecoder) and child.feeds_back:
                setattr(parent, name, ScannedDecoder(child))
            if type(child) in KINDS and child.bias and not child.proj_size:
                setattr(parent, name, OnnxRecurrence(child))
    return module
