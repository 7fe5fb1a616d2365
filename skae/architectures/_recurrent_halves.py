"""Encoders and decoders of sequences, made of recurrent layers. torch only."""

import torch
from torch import nn
from torch.nn import functional as F

from skae.architectures._recurrent_layers import Scale, Steps, detached


class LinearEncoder(nn.Module):
    """Linear map of the steps of a sequence, counted from its start.

    A value that is missing, or behind the end, counts as the mean of its step; steps behind
    those that there were in training do not count.

    Parameters
    ----------
    n_steps, n_features : int
        Of the longest sequence in training.
    n_outputs : int
    """

    def __init__(self, n_steps, n_features, n_outputs):
        super().__init__()
        self.scale = Scale((n_steps, n_features))
        self.linear = nn.Linear(n_steps * n_features, n_outputs)

    def forward(self, x):
        """Return a tensor of shape (n_samples, n_outputs)."""
        n_steps = len(self.scale.mean)
        n_behind = n_steps - x.shape[1]  # cuts off what is behind the longest, if negative
        x = self.scale.standardize(F.pad(x, (0, 0, 0, n_behind), value=torch.nan))
        return self.linear(x.flatten(1))

    @torch.no_grad()
    def start_at(self, weight, bias):
        """Become the linear map ``x @ weight.T + bias`` of flat sequences."""
        n, scale = len(weight), self.scale
        self.linear.weight[:n] = weight * scale.std.flatten()
        self.linear.bias[:n] = bias + weight @ scale.mean.flatten()


class LinearDecoder(nn.Module):
    """Linear map of codes to the steps of sequences, zero behind those seen in training.

    Parameters
    ----------
    n_inputs : int
    n_steps, n_features : int
        Of the longest sequence in training.
    """

    def __init__(self, n_inputs, n_steps, n_features):
        super().__init__()
        self.linear = nn.Linear(n_inputs, n_steps * n_features)
        self.n_features = n_features

    def forward(self, code, n_steps):
        """Return a tensor of shape (n_samples, n_steps, n_features)."""
        x = self.linear(code).unflatten(1, (-1, self.n_features))
        return F.pad(x, (0, 0, 0, n_steps - x.shape[1]))

    @torch.no_grad()
    def start_at(self, weight, bias, scale):
        """Give what ``scale`` restores to the linear map ``code @ weight.T + bias``."""
        std, mean = (m.repeat(len(bias) // len(m)) for m in (scale.std, scale.mean))
        self.linear.weight.copy_(weight / std[:, None])
        self.linear.bias.copy_((bias - mean) / std)


def set_to_zero(linear, n_outputs):
    """Let the first outputs of a linear layer start at 0."""
    linear.weight[:n_outputs] = 0.0
    linear.bias[:n_outputs] = 0.0


class RecurrentEncoder(nn.Module):
    """Recurrent layers, what pools their outputs, and a linear layer.

    Missing values are 0, the mean, with an input beside each feature that says so.

    Parameters
    ----------
    recurrence : Recurrence
        Of twice as many inputs as there are features.
    pooling : nn.Module
    last : nn.Linear
    n_features : int
    """

    def __init__(self, recurrence, pooling, last, n_features):
        super().__init__()
        self.scale = Scale(n_features)
        self.recurrence = recurrence
        self.pooling = pooling
        self.last = last
        for layer in recurrence.layers[0]:  # so that it means nothing before it is learned
            layer.weight_ih_l0.data[:, n_features:] = 0.0

    def standardize(self, moments):
        """Take the `skae._data.Moments` of the data."""
        self.scale.setup(moments.mean, moments.std)

    def forward(self, x):
        """Return the code of sequences, shape (n_samples, encoder_width)."""
        steps = Steps(x)
        inputs = torch.cat([self.scale.standardize(x), ~steps.known], dim=2)
        return self.last(self.pooling(self.recurrence(inputs, steps), steps))


class ShortcutEncoder(RecurrentEncoder):
    """Recurrent encoder with a linear map of the sequence added to the code.

    Parameters
    ----------
    *args
        As for `RecurrentEncoder`.
    shortcut : LinearEncoder
    """

    def __init__(self, *args, shortcut):
        super().__init__(*args)
        self.shortcut = shortcut

    def standardize(self, moments):
        super().standardize(moments)
        self.shortcut.scale.setup(moments.step_mean, moments.std)

    def forward(self, x):
        return super().forward(x) + self.shortcut(x)

    @torch.no_grad()
    def start_at(self, weight, bias):
        """Become the linear map ``x @ weight.T + bias`` of flat sequences.

        The recurrent layers are yet to add to it.
        """
        self.shortcut.start_at(weight, bias)
        set_to_zero(self.last, len(weight))


class RecurrentDecoder(nn.Module):
    """Recurrent layers that make sequences of codes.

    Parameters
    ----------
    recurrence : Recurrence
        Its inputs are the code, the position and, if outputs are fed back, the features.
    positions : Positions
    last : nn.Linear
    feeds_back : bool
        Whether each step sees the output of the step before.
    teacher_forcing : tuple of two floats
        Fraction of the batches in which it sees the target of the step before instead, at the
        start and at the end of the training.
    reverse : bool
        Whether to begin with the last step.
    """

    takes_target = True
    #: Fraction of the training that is done.
    progress = 1.0

    def __init__(self, recurrence, positions, last, feeds_back, teacher_forcing, reverse):
        super().__init__()
        self.scale = Scale(last.out_features)
        self.recurrence = recurrence
        self.positions = positions
        self.last = last
        self.feeds_back = feeds_back
        self.teacher_forcing = teacher_forcing
        self.reverse = reverse

    def standardize(self, moments):
        """Take the `skae._data.Moments` of the data."""
        self.scale.setup(moments.mean, moments.std)

    def forward(self, code, target):
        """Return sequences.

        Parameters
        ----------
        code : tensor of shape (n_samples, code_width)
        target : tensor of shape (n_samples, n_steps, n_features)
            By the NaN behind their end it says how long the sequences are. Its values are
            for teacher forcing, in training.

        Returns
        -------
        tensor of shape (n_samples, n_steps, n_features)
            Values behind the end of a sequence mean nothing.
        """
        steps, n_steps = Steps(target), target.shape[1]

        def in_order(x):
            return steps.reverse(x) if self.reverse else x

        start = in_order(self._start(code, n_steps))
        inputs = [code[:, None].expand(-1, n_steps, -1), in_order(self.positions(steps))]
        inputs = torch.cat(inputs, dim=2)
        if not self.feeds_back:
            output = start + self._output(inputs, steps)
        elif self.training and torch.rand(()) < self._forced_fraction:
            before = F.pad(in_order(self.scale.standardize(target)), (0, 0, 1, -1))
            output = start + self._output(torch.cat([inputs, before], dim=2), steps)
        else:
            output = self._feed_back(inputs, start)
        return self.scale.restore(in_order(output))

    def _start(self, code, n_steps):
        """Return what the recurrent layers add to, shape (n_samples, n_steps, n_features)."""
        return code.new_zeros(()).expand(len(code), n_steps, self.last.out_features)

    @property
    def _forced_fraction(self):
        start, end = self.teacher_forcing
        return start + (end - start) * self.progress

    def _output(self, inputs, steps):
        return self.last(self.recurrence(inputs, steps)[0])

    def _feed_back(self, inputs, start):
        output = torch.zeros_like(start[:, 0])
        outputs, states = [], [None] * len(self.recurrence.layers)
        truncation = self.recurrence.truncation
        for step, (x, base) in enumerate(zip(inputs.unbind(1), start.unbind(1), strict=True)):
            if truncation is not None and step % truncation == 0:
                output, states = output.detach(), [detached(state) for state in states]
            x = torch.cat([x, output], dim=1)[:, None]
            for i, (layer,) in enumerate(self.recurrence.layers):
                x, states[i] = layer(x, states[i])
                x = self.recurrence.dropout(x)
            output = base + self.last(x[:, 0])
            outputs.append(output)
        return torch.stack(outputs, dim=1)


class ShortcutDecoder(RecurrentDecoder):
    """Recurrent decoder with a linear map of the code added to its output.

    Parameters
    ----------
    *args
        As for `RecurrentDecoder`.
    shortcut : LinearDecoder
    """

    def __init__(self, *args, shortcut):
        super().__init__(*args)
        self.shortcut = shortcut

    def _start(self, code, n_steps):
        return self.shortcut(code, n_steps)

    @torch.no_grad()
    def start_at(self, weight, bias):
        """Become the linear map ``code @ weight.T + bias``, flat sequences.

        The recurrent layers are yet to add to it.
        """
        self.shortcut.start_at(weight, bias, self.scale)
        set_to_zero(self.last, self.last.out_features)
