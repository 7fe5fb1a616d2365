"""Encoders and decoders of sequences, made of recurrent layers. torch only."""

import torch
from torch.nn import functional as F

from skae._runtime import TRAINED, Random
from skae.architectures._base import LinearShortcut
from skae.architectures._recurrent_layers import Padded, Scale, Steps, Stretched, detached


class RecurrentEncoder(LinearShortcut):
    """Recurrent layers, what pools their outputs, and a linear layer.

    Missing values are 0, the mean, with an input beside each feature that says so. For the linear
    map, sequences are padded or stretched to as many steps as the longest has in training. A value
    that is missing there is the mean of its step.

    Parameters
    ----------
    recurrence : Recurrence
        Of twice as many inputs as there are features.
    pooling : nn.Module
    last : nn.Linear
    n_features : int
    linear : nn.Linear or None
        Adds to the code a linear map of the steps of the longest sequence in training.
    least_fraction : float, default=0.0
        Fraction of the variance that linear maps must restore, lest there be none.
    """

    standardizes = True

    def __init__(self, recurrence, pooling, last, n_features, linear, least_fraction=0.0):
        super().__init__()
        self.scale = Scale(n_features)
        self.recurrence = recurrence
        self.pooling = pooling
        self.last = last
        self.linear, self.step_scale, self.alignment = linear, None, Padded
        self.least_fraction = least_fraction
        if linear is not None:
            self.step_scale = Scale((linear.in_features // n_features, n_features))
        for layer in recurrence.layers[0]:  # so that it means nothing before it is learned
            layer.weight_ih_l0.data[:, n_features:] = 0.0

    def standardize(self, moments):
        self.scale.setup(moments.mean, moments.std)
        if self.linear is not None:
            self.step_scale.setup(moments.step_mean, moments.std)

    @property
    def alignments(self):
        return () if self.linear is None else (Stretched, Padded)

    def align(self, alignment, mean, fraction):
        if fraction < self.least_fraction:
            self.linear = self.step_scale = None
        else:
            self.alignment = alignment
            self.step_scale.mean.copy_(mean.view_as(self.step_scale.mean))

    def forward(self, x):
        """Return the code of sequences, shape (n_samples, encoder_width)."""
        steps = Steps(x)
        inputs = torch.cat([self.scale.standardize(x), ~steps.known], dim=2)
        code = self.last(self.pooling(self.recurrence(inputs, steps), steps))
        return code if self.linear is None else self._add_linear(code, self._rows(x, steps))

    def _rows(self, x, steps):
        """Return as many standardized steps as the longest sequence in training has."""
        rows = self.alignment.rows(x, steps, len(self.step_scale.mean))
        return self.step_scale.standardize(rows)

    def _silence(self, n):
        for parameter in self.last.parameters():
            parameter[:n] = 0.0

    def _in_own_units(self, weight, bias):
        std, mean = self.step_scale.std.flatten(), self.step_scale.mean.flatten()
        return weight * std, bias + weight @ mean


class RecurrentDecoder(Random, LinearShortcut):
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
    linear : nn.Linear or None
        Adds to the output a linear map of the code, for the steps of the longest sequence in
        training.
    """

    takes_state = takes_target = standardizes = True

    def __init__(self, recurrence, positions, last, feeds_back, teacher_forcing, reverse, linear):
        super().__init__()
        self.scale = Scale(last.out_features)
        self.recurrence = recurrence
        self.positions = positions
        self.last = last
        self.feeds_back = feeds_back
        self.teacher_forcing = teacher_forcing
        self.reverse = reverse
        self.linear, self.alignment = linear, Padded

    def align(self, alignment, mean, fraction):
        self.alignment = alignment

    @property
    def draws_from_torch(self):
        """Whether random numbers come from torch's own generator: which batches are forced."""
        return self.feeds_back

    def standardize(self, moments):
        self.scale.setup(moments.mean, moments.std)

    def forward(self, code, target, state=TRAINED):
        """Return sequences.

        Parameters
        ----------
        code : tensor of shape (n_samples, code_width)
        target : tensor of shape (n_samples, n_steps, n_features)
            By the NaN behind their end it says how long the sequences are. Its values are
            for teacher forcing, in training.
        state : TrainState, default=TrainState()
            Says how far the training is.

        Returns
        -------
        tensor of shape (n_samples, n_steps, n_features)
            Values behind the end of a sequence mean nothing.
        """
        steps, n_steps = Steps(target), target.shape[1]

        def in_order(x):
            return steps.reverse(x) if self.reverse else x

        start = in_order(self._start(code, steps))
        inputs = [code[:, None].expand(-1, n_steps, -1), in_order(self.positions(steps))]
        inputs = torch.cat(inputs, dim=2)
        if not self.feeds_back:
            output = start + self._output(inputs, steps)
        elif self.training and torch.rand(()) < self._forced_fraction(state.progress):
            before = F.pad(in_order(self.scale.standardize(target)), (0, 0, 1, -1))
            output = start + self._output(torch.cat([inputs, before], dim=2), steps)
        else:
            output = self._feed_back(inputs, start)
        return self.scale.restore(in_order(output))

    def _start(self, code, steps):
        """Return what the recurrent layers add to, shape (n_samples, n_steps, n_features)."""
        n_steps, n_features = steps.number.shape[0], self.last.out_features
        if self.linear is None:
            return code.new_zeros(()).expand(code.shape[0], n_steps, n_features)
        return self.alignment.sequences(self.linear(code).unflatten(1, (-1, n_features)), steps)

    def _in_own_units(self, weight, bias):
        std, mean = (m.repeat(len(bias) // len(m)) for m in (self.scale.std, self.scale.mean))
        return weight / std[:, None], (bias - mean) / std

    def _forced_fraction(self, progress):
        start, end = self.teacher_forcing
        return start + (end - start) * progress

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
