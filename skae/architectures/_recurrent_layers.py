"""Layers for sequences of unequal lengths, padded with NaN. torch only.

A sequence is run from its first step to its last; what is behind that is never looked at.
Layers that run backwards get the steps of each sequence in reverse order, padding at the end
as before. That is exact, and on CPUs several times faster than packed sequences.
"""

from math import ceil, log, pi

import torch
from torch import nn
from torch.nn import functional as F

CELLS = {"lstm": nn.LSTM, "gru": nn.GRU}


class Steps:
    """Which values of a padded batch are known, and where its sequences end.

    Parameters
    ----------
    x : tensor of shape (n_samples, n_steps, n_features)
        NaN behind the end of a sequence, and where a value is missing.
    """

    def __init__(self, x):
        self._count(~x.isnan())

    @classmethod
    def of_tokens(cls, is_token):
        """Return the steps of texts, shape (n_samples, n_steps)."""
        steps = object.__new__(cls)
        steps._count(is_token[..., None])
        return steps

    def _count(self, known):
        self.known = known
        self.number = torch.arange(known.shape[1], device=known.device)
        self.lengths = (known.any(2) * (self.number + 1)).amax(1)
        self.n_left = self.lengths[:, None] - 1 - self.number
        self.is_step = self.n_left >= 0
        # Of each step, the one in its place if a sequence runs from its last step to its first.
        self.mirrored = torch.where(self.is_step, self.n_left, self.number)

    def reverse(self, x):
        """Return sequences from the last step to the first, shape (n_samples, n_steps, n)."""
        return _Permute.apply(x, self.mirrored)

    def last(self, x):
        """Return the last step of each sequence, shape (n_samples, n)."""
        places = (self.lengths - 1)[:, None, None].expand(-1, 1, x.shape[2])
        return x.gather(1, places).squeeze(1)


class Padded:
    """Rows of sequences as they are, with nothing where a sequence is over."""

    @staticmethod
    def rows(x, steps, n_steps):
        """Return sequences of ``n_steps``, NaN where nothing is known."""
        del steps
        return _resized(x, n_steps, torch.nan)

    @staticmethod
    def sequences(rows, steps):
        """Return sequences of the lengths of others."""
        return _resized(rows, steps.number.shape[0], 0.0)


def _resized(x, n_steps, value):
    """Return the first steps of sequences, with a value behind the last one."""
    if not torch.compiler.is_exporting():
        return F.pad(x, (0, 0, 0, n_steps - x.shape[1]), value=value)  # cuts off, if negative
    places = torch.arange(n_steps, device=x.device)
    there = x[:, places.clamp_max(x.shape[1] - 1)]
    return torch.where((places < x.shape[1])[:, None], there, value)


class Stretched:
    """Rows of sequences that all begin and end together, with values between the steps."""

    @staticmethod
    def rows(x, steps, n_steps):
        """Return sequences of ``n_steps``, NaN where nothing is known.

        If one of two steps is missing, the value between them is that of the other.
        """
        number = torch.arange(n_steps, device=x.device)
        places = number * _last(steps.lengths), max(1, n_steps - 1)
        before, after, fraction = _steps_around(x, *places)
        known = (
            torch.where(before.isnan(), after, before),
            torch.where(after.isnan(), before, after),
        )
        return torch.lerp(*known, fraction)

    @staticmethod
    def sequences(rows, steps):
        """Return sequences of the lengths of others."""
        last = _last(steps.lengths).clamp_min(1)
        number = steps.number.minimum(last)
        return torch.lerp(*_steps_around(rows, number * (rows.shape[1] - 1), last))


def _last(lengths):
    """Return the numbers of the last steps, shape (n_samples, 1)."""
    return (lengths - 1).clamp_min(0)[:, None]


def _steps_around(x, numerator, denominator):
    """Return the steps before and after places, and how far these are from the first of them."""
    before = torch.div(numerator, denominator, rounding_mode="floor")
    fraction = (numerator - before * denominator) / denominator
    after = (before + 1).clamp_max(x.shape[1] - 1)
    ends = (x.gather(1, i[..., None].expand(-1, -1, x.shape[2])) for i in (before, after))
    return *ends, fraction[..., None].to(x)


class _Permute(torch.autograd.Function):
    """Exchange steps by a permutation that is its own inverse."""

    @staticmethod
    def forward(ctx, x, places):
        ctx.save_for_backward(places)
        return x.gather(1, places[..., None].expand_as(x))

    @staticmethod
    def backward(ctx, grad):
        (places,) = ctx.saved_tensors
        return grad.gather(1, places[..., None].expand_as(grad)), None


def run(layer, x, truncation=None):
    """Return the outputs of a recurrent layer, with gradients over ``truncation`` steps at most.

    Parameters
    ----------
    layer : nn.LSTM or nn.GRU
        With ``batch_first``.
    x : tensor of shape (n_samples, n_steps, n_inputs)
    truncation : int or None, default=None

    Returns
    -------
    tensor of shape (n_samples, n_steps, hidden_size)
    """
    layer.flatten_parameters()  # for cuDNN, after a copy; elsewhere it does nothing
    if truncation is None or x.shape[1] <= truncation:
        return layer(x)[0]
    outputs, state = [], None
    for piece in x.split(truncation, dim=1):
        output, state = layer(piece, detached(state))
        outputs.append(output)
    return torch.cat(outputs, dim=1)


def detached(state):
    """Return the state of a recurrent layer without its gradient."""
    if isinstance(state, tuple):
        return tuple(s.detach() for s in state)
    return state if state is None else state.detach()


@torch.no_grad()
def initialize(layer):
    """Let a layer remember at first: orthogonal recurrent weights, open forget gates [1]_.

    References
    ----------
    .. [1] R. Jozefowicz, W. Zaremba and I. Sutskever, "An empirical exploration of recurrent
       network architectures", ICML 2015.
    """
    n = layer.hidden_size
    for gate in layer.weight_hh_l0.split(n):
        nn.init.orthogonal_(gate)
    if isinstance(layer, nn.LSTM):  # gates in the order input, forget, cell, output
        layer.bias_ih_l0[n : 2 * n] = 1.0
        layer.bias_hh_l0[n : 2 * n] = 0.0


class Scale(nn.Module):
    """Mean and standard deviation of the data, which the net sees standardized.

    Parameters
    ----------
    shape : int or tuple of int
        Number of features, or of steps and features.
    """

    def __init__(self, shape):
        super().__init__()
        self.register_buffer("mean", torch.zeros(shape))
        self.register_buffer("std", torch.ones(shape))

    def setup(self, mean, std):
        """Take the moments of the data, tensors that broadcast to the shape."""
        self.mean.copy_(mean)
        self.std.copy_(torch.where(std > 0, std, 1.0))

    def standardize(self, x):
        """Return values with mean 0 and standard deviation 1, and 0 for NaN."""
        return ((x - self.mean) / self.std).nan_to_num(0.0)

    def restore(self, x):
        """Undo `standardize`."""
        return x * self.std + self.mean


class Positions(nn.Module):
    """Where a step is, as numbers: waves counted from both ends of the sequence.

    The lengths of the waves are 4, 16, 64 and so on, up to that of the longest sequence in
    training or more [1]_.

    Parameters
    ----------
    n_steps : int
        Of the longest sequence in training.

    References
    ----------
    .. [1] A. Vaswani et al., "Attention is all you need", NIPS 2017. :arxiv:`1706.03762`
    """

    def __init__(self, n_steps):
        super().__init__()
        n_waves = max(1, ceil(log(n_steps, 4)))
        self.register_buffer("n_steps", torch.tensor(float(n_steps)))
        self.register_buffer("frequencies", 2 * pi / 4.0 ** torch.arange(1, n_waves + 1))

    @property
    def width(self):
        """How many numbers there are for a step."""
        return 2 * (1 + 2 * len(self.frequencies))

    def forward(self, steps):
        """Return a tensor of shape (n_samples, n_steps, width)."""
        from_start = steps.number.expand_as(steps.n_left)
        count = torch.stack([from_start, steps.n_left], dim=2).to(self.frequencies)
        angles = (count[..., None] * self.frequencies).flatten(2)
        return torch.cat([count / self.n_steps, angles.sin(), angles.cos()], dim=2)


class Recurrence(nn.Module):
    """A stack of recurrent layers, each of which may run in both directions.

    Parameters
    ----------
    cell : {"lstm", "gru"}
    sizes : sequence of int
        Number of inputs, and of the outputs of each layer in each direction.
    bidirectional : bool
    dropout : float
        Fraction of the outputs of each layer that are set to zero in training.
    truncation : int or None
        Steps over which gradients are passed on, at most.
    """

    def __init__(self, cell, sizes, bidirectional, dropout, truncation):
        super().__init__()
        self.truncation = truncation
        self.dropout = nn.Dropout(dropout)
        n_directions = 2 if bidirectional else 1
        inputs = [sizes[0], *(n_directions * size for size in sizes[1:-1])]
        self.layers = nn.ModuleList(
            nn.ModuleList(CELLS[cell](n, size, batch_first=True) for _ in range(n_directions))
            for n, size in zip(inputs, sizes[1:], strict=True)
        )
        for layer in (layer for directions in self.layers for layer in directions):
            initialize(layer)

    def forward(self, x, steps):
        """Return the last layer's outputs, each direction's in the order that it ran in.

        Parameters
        ----------
        x : tensor of shape (n_samples, n_steps, n_inputs)
        steps : Steps

        Returns
        -------
        list of tensor of shape (n_samples, n_steps, size)
        """
        *others, last = self.layers
        for layer in others:
            x = join(self._run(layer, x, steps), steps)
        return self._run(last, x, steps)

    def _run(self, layer, x, steps):
        inputs = [x, steps.reverse(x)] if len(layer) == 2 else [x]
        outputs = [run(*pair, self.truncation) for pair in zip(layer, inputs, strict=True)]
        return [self.dropout(output) for output in outputs]


def join(outputs, steps):
    """Return the outputs of both directions side by side, in the order of the steps."""
    forwards, *backwards = outputs
    return torch.cat([forwards, *(steps.reverse(b) for b in backwards)], dim=2)


class LastState(nn.Module):
    """The state of each direction at the end of its run."""

    def __init__(self, width):
        super().__init__()
        self.n_outputs = width

    def forward(self, outputs, steps):
        """Return a tensor of shape (n_samples, width)."""
        return torch.cat([steps.last(output) for output in outputs], dim=1)


class MeanOverSteps(nn.Module):
    """The mean of the outputs over the steps of each sequence."""

    def __init__(self, width):
        super().__init__()
        self.n_outputs = width

    def forward(self, outputs, steps):
        """Return a tensor of shape (n_samples, width)."""
        fraction = steps.is_step.to(outputs[0]) / steps.lengths[:, None]
        return torch.cat([torch.einsum("nt,nth->nh", fraction, o) for o in outputs], dim=1)


class WavesOverSteps(nn.Module):
    """Means over the steps as they are and weighted by waves, which say when something was.

    The waves are cosines of half a period, of one and so on, from the first step to the last.
    """

    n_waves = 3

    def __init__(self, width):
        super().__init__()
        self.n_outputs = width * (1 + self.n_waves)
        self.register_buffer("frequencies", pi * torch.arange(1.0 + self.n_waves))

    def forward(self, outputs, steps):
        """Return a tensor of shape (n_samples, 4 * width)."""
        lengths = steps.lengths[:, None, None]
        middle = (steps.number + 0.5) / lengths
        waves = (self.frequencies[:, None] * middle).cos() * steps.is_step[:, None] / lengths
        means = [torch.einsum("nkt,nth->nkh", waves, output) for output in outputs]
        return torch.cat(means, dim=2).flatten(1)


class AttentionOverSteps(nn.Module):
    """A mean over the steps, weighted by what a small net makes of each step's output [1]_.

    References
    ----------
    .. [1] Z. Yang et al., "Hierarchical attention networks for document classification",
       NAACL 2016. :doi:`10.18653/v1/N16-1174`
    """

    def __init__(self, width):
        super().__init__()
        self.n_outputs = width
        self.score = nn.Sequential(nn.Linear(width, width), nn.Tanh(), nn.Linear(width, 1))

    def forward(self, outputs, steps):
        """Return a tensor of shape (n_samples, width)."""
        output = join(outputs, steps)
        scores = self.score(output).squeeze(2).masked_fill(~steps.is_step, -torch.inf)
        return torch.einsum("nt,nth->nh", scores.softmax(1), output)


POOLING = {
    "waves": WavesOverSteps,
    "last": LastState,
    "mean": MeanOverSteps,
    "attention": AttentionOverSteps,
}
