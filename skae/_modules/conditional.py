"""Encoder and decoder that get a condition of the samples beside them. torch only."""

import copy

import torch
from torch import nn

from skae._modules.table_generation import TableVariationalModule
from skae._modules.variational import VariationalModule
from skae._runtime import TRAINED
from skae.architectures._base import Layer, hooks, run, start_hooks

#: Width of the hidden layer that puts a condition together with the output of an encoder.
WIDTH = 128


class ConditionalEncoder(Layer):
    """An encoder, whose output is changed by the condition: linearly, and by a hidden layer.

    The hidden layer is behind the encoder, so that this can be of any kind. It starts at 0.

    Parameters
    ----------
    encoder : nn.Module
    n_conditions : int
        How many numbers stand for a condition.
    width : int
        Number of outputs of the encoder.
    """

    takes_state = True

    def __init__(self, encoder, n_conditions, width):
        super().__init__()
        self.encoder = encoder
        self.shift = nn.Linear(n_conditions, width, bias=False)
        self.change = nn.Sequential(
            nn.Linear(width + n_conditions, WIDTH), nn.SiLU(), nn.Linear(WIDTH, width)
        )
        for parameter in (self.shift.weight, *self.change[-1].parameters()):
            nn.init.zeros_(parameter)

    @property
    def standardizes(self):
        return hooks(self.encoder).standardizes

    @property
    def starts_linear(self):
        return start_hooks(self.encoder).starts_linear

    @property
    def alignments(self):
        return start_hooks(self.encoder).alignments

    def standardize(self, moments):
        hooks(self.encoder).standardize(moments)

    def align(self, alignment, mean, fraction):
        start_hooks(self.encoder).align(alignment, mean, fraction)

    @torch.no_grad()
    def start_at(self, weight, bias):
        """Become a linear map of flat samples with the condition behind them."""
        n = self.shift.in_features
        start_hooks(self.encoder).start_at(weight[:, :-n], bias)
        self.shift.weight[: len(weight)] = weight[:, -n:]

    def forward(self, x, condition=None, state=TRAINED):
        """Return the output for samples and their conditions, without these for a condition of 0.

        Parameters
        ----------
        x : tensor of shape (n_samples, *input_shape)
        condition : tensor of shape (n_samples, n_conditions) or None, default=None
        state : TrainState, default=TrainState()

        Returns
        -------
        tensor of shape (n_samples, width)
        """
        encoded = run(self.encoder, x, state=state)
        if condition is None:
            condition = encoded.new_zeros(len(encoded), self.shift.in_features)
        shifted = encoded + self.shift(condition)
        return shifted + self.change(torch.cat([shifted, condition], 1))


class ConditionalDecoder(Layer):
    """A decoder of codes with the condition behind them.

    Parameters
    ----------
    decoder : nn.Module
    n_conditions : int
        How many numbers stand for a condition.
    """

    takes_state = True

    def __init__(self, decoder, n_conditions):
        super().__init__()
        self.decoder, self.n_conditions = decoder, n_conditions

    @property
    def code_width(self):
        """Length of the code, without the condition."""
        return self.decoder.code_width - self.n_conditions

    @property
    def takes_target(self):
        return hooks(self.decoder).takes_target

    @property
    def standardizes(self):
        return hooks(self.decoder).standardizes

    @property
    def starts_linear(self):
        return start_hooks(self.decoder).starts_linear

    def standardize(self, moments):
        hooks(self.decoder).standardize(moments)

    def align(self, alignment, mean, fraction):
        start_hooks(self.decoder).align(alignment, mean, fraction)

    def start_at(self, weight, bias):
        start_hooks(self.decoder).start_at(weight, bias)

    def forward(self, code, condition=None, *target, state=TRAINED):
        """Return what codes decode to under conditions, without these under a condition of 0.

        Parameters
        ----------
        code : tensor of shape (n_samples, n_components)
        condition : tensor of shape (n, n_conditions) or None, default=None
            With as many rows as there are samples, or as a part that is repeated has.
        *target : tensor
            For decoders that take it.
        state : TrainState, default=TrainState()
        """
        if condition is None:
            condition = code.new_zeros(len(code), self.n_conditions)
        condition = condition.repeat(len(code) // len(condition), 1)
        return run(self.decoder, torch.cat([code, condition], 1), *target, state=state)


class Conditional(nn.Module):
    """Mixin of modules with a `ConditionalEncoder` and a `ConditionalDecoder`.

    Attributes
    ----------
    condition, new_condition : tensor of shape (n_samples, n_conditions) or None
        Of the samples that the module is called with: what to encode them under, and what to
        decode them under.
    """

    condition = new_condition = None

    def given(self, condition, new_condition=None):
        """Return the same module, which shares its weights, for samples of some conditions."""
        twin = copy.copy(self)
        twin.condition = condition
        twin.new_condition = condition if new_condition is None else new_condition
        return twin

    def objective(self, x, target, weight=None, cell_weight=None, state=TRAINED, labels=None):
        """Return what training minimizes; ``labels`` are the conditions of the samples."""
        if labels is None:
            return super().objective(x, target, weight, cell_weight, state)
        return self.given(labels).objective(x, target, weight, cell_weight, state)

    def encoded(self, x, state=TRAINED):
        condition = None if self.condition is None else self.condition[: len(x)]
        return run(self.encoder, x, condition, state=state)

    def _run_decoder(self, latent, *more, state):
        return run(self.decoder, latent, self.new_condition, *more, state=state)


class ConditionalVariationalModule(Conditional, VariationalModule):
    """Module of a conditional variational autoencoder [1]_; parameters as for its bases.

    References
    ----------
    .. [1] K. Sohn, H. Lee and X. Yan, "Learning structured output representation using deep
       conditional generative models", NIPS 2015.
    """


class ConditionalTableModule(Conditional, TableVariationalModule):
    """Module of a conditional variational autoencoder of tables; parameters as for its bases."""
