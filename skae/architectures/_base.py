"""Bases of architectures and of their layers, whose hooks do nothing. torch only."""

import torch
from torch import nn

from skae._runtime import TRAINED, Random, chosen, random_bits

#: Least number of values in a pool of dropout masks, and least number of masks.
MIN_POOL, MASKS_IN_POOL = 2**20, 8


class Architecture:
    """Base of parameter objects that build an encoder and a decoder, see `skae.architectures`."""

    #: What the data is read as.
    input_kind = "arrays"
    #: How to train it by default, a `TrainingDefaults`, or None for what suits its input.
    training_defaults = None
    #: Whether a code is made of maps, whose numbers have places.
    code_has_places = False
    #: Whether a net takes images of other sizes than those of the training.
    takes_any_size = False
    #: Parameters that concern training alone, so they may change when it continues.
    training_parameters = ()

    def code_length(self, input_shape, n_components):
        """Return the length of the code.

        Parameters
        ----------
        input_shape : tuple of int
            Shape of one sample.
        n_components : int or "auto"
            What the user set.

        Returns
        -------
        int or "auto"
            "auto" leaves the choice to the estimator.
        """
        del input_shape
        return n_components

    def make_augmentation(self, *shapes):
        """Return what changes samples at random in training.

        Parameters
        ----------
        *shapes : tuple of int
            Shape of one sample, and of its target where there are pairs.

        Returns
        -------
        nn.Module or None
            It takes batches, one or both halves of pairs, and returns a list of as many. None
            changes nothing.
        """
        del shapes


#: What an architecture may have, ``build`` apart: hooks, and what layouts of X ask for.
OPTIONAL = (
    "input_kind",
    "training_defaults",
    "code_length",
    "image_shape",
    "channels_first",
    "spatial_dims",
    "categorical_features",
    "max_categories",
    "clip_to_range",
)


class OwnArchitecture(Architecture):
    """A user's architecture, which is any object with ``build``.

    Parameters
    ----------
    given : object
        It may have any attribute of ``OPTIONAL``.
    """

    def __init__(self, given):
        self.given, self.build = given, given.build
        for name in OPTIONAL:
            if hasattr(given, name):
                setattr(self, name, getattr(given, name))


def as_architecture(architecture):
    """Return an architecture as one with all hooks."""
    if isinstance(architecture, Architecture):
        return architecture
    return OwnArchitecture(architecture)


def as_given(architecture):
    """Return an architecture as the user gave it."""
    return architecture.given if isinstance(architecture, OwnArchitecture) else architecture


class Layer(nn.Module):
    """Base of encoders, decoders and their layers.

    Attributes
    ----------
    takes_state : bool
        Whether ``forward`` takes ``state``, a `TrainState`.
    takes_target : bool
        Of a decoder, whether ``forward`` takes a batch such as the one to decode to, which says
        how many steps its sequences have.
    standardizes : bool
        Whether ``standardize`` has an effect.
    starts_linear : bool
        Whether ``start_at`` has an effect.
    alignments : tuple
        Of an encoder, in what ways its linear map can read sequences of unequal lengths as rows.
    """

    alignments = ()
    takes_state = False
    takes_target = False
    standardizes = False
    starts_linear = False

    def standardize(self, moments):
        """Learn to bring data to mean 0 and standard deviation 1.

        Parameters
        ----------
        moments : skae._data.Moments
            Of the training data.
        """

    def align(self, alignment, mean, fraction):
        """Learn how the linear map reads or makes sequences of unequal lengths.

        Parameters
        ----------
        alignment : Padded or Stretched
            One of the encoder's ``alignments``.
        mean : tensor of shape (n_steps * n_features,)
            Mean of the rows that it makes.
        fraction : float
            Fraction of the variance of the sequences that the best linear map restores.
        """

    def start_at(self, weight, bias):
        """Become the linear map ``x @ weight.T + bias`` of flat samples or codes.

        Parameters
        ----------
        weight : tensor of shape (n, n_inputs)
            For the first ``n`` outputs; the others keep their random weights.
        bias : tensor of shape (n,)
            Bias of these outputs.
        """

    def use_linear_alone(self, fraction):
        """Use nothing but a linear map for some of the samples in training, if there is one.

        Parameters
        ----------
        fraction : float
            Of the samples of a batch.

        Returns
        -------
        bool
            Whether there is one.
        """
        del fraction
        return False

    def stack_key(self):
        """Return what must be equal for models to train as one.

        Returns
        -------
        tuple
            The key.
        """
        return ()


class OwnLayer:
    """What a user's encoder or decoder offers of the attributes of `Layer`.

    Parameters
    ----------
    module : nn.Module
    """

    alignments = ()

    def __init__(self, module):
        self.takes_target = getattr(module, "takes_target", False)
        self.standardizes = hasattr(module, "standardize")
        self.starts_linear = hasattr(module, "start_at")
        self.standardize = getattr(module, "standardize", _do_nothing)
        self.start_at = getattr(module, "start_at", _do_nothing)
        self.use_linear_alone = _has_none


def _do_nothing(*args):
    del args


def _has_none(fraction):
    del fraction
    return False


def hooks(module):
    """Return what an encoder or a decoder offers: itself or, of the user's, an `OwnLayer`."""
    return module if isinstance(module, Layer) else OwnLayer(module)


def start_hooks(module):
    """Return the hooks of a module or, if it is a sequence of one layer, those of this layer."""
    is_one = type(module) in SEQUENCES and len(module) == 1
    return hooks(module[0] if is_one else module)


def run(module, *inputs, state):
    """Call a module, with the state of the training if it takes it."""
    if isinstance(module, Layer) and module.takes_state:
        return module(*inputs, state=state)
    return module(*inputs)


class Sequential(Layer, nn.Sequential):
    """Modules one behind the other, the first of which may take more than one input."""

    takes_state = True

    def forward(self, x, *more, state=TRAINED):
        """Return what the last module gives.

        Parameters
        ----------
        x : tensor
            For the first module.
        *more : tensor
            For the first module, if it takes more than one input.
        state : TrainState, default=TrainState()
            For modules that take it.
        """
        inputs = (x, *more)
        for module in self:
            inputs = (run(module, *inputs, state=state),)
        return inputs[0]


#: By exact type: a subclass may compute something else.
SEQUENCES = (nn.Sequential, Sequential)


class LinearShortcut(Layer):
    """Base of encoders and decoders whose layers add to a linear map of their input.

    A subclass sets ``linear``, an ``nn.Linear`` from flat samples or codes to flat outputs, or
    None, and ``last``, the last of the layers. If ``linear`` has no bias, that of ``last`` stands
    for it.
    """

    @property
    def starts_linear(self):
        return self.linear is not None

    @torch.no_grad()
    def start_at(self, weight, bias):
        """Become the linear map ``x @ weight.T + bias``; the layers add nothing to it yet.

        Parameters
        ----------
        weight : tensor of shape (n, n_inputs)
            For the first ``n`` outputs; the others keep their random weights.
        bias : tensor of shape (n,)
            Bias of these outputs.
        """
        if self.linear is None:
            return
        weight, bias = self._in_own_units(weight, bias)
        n = len(weight)
        self._silence(n)
        self.linear.weight[:n] = weight
        (self.last if self.linear.bias is None else self.linear).bias[:n] = bias

    def _silence(self, n):
        """Let the layers add nothing to the first ``n`` outputs."""
        del n
        for parameter in self.last.parameters():
            parameter.zero_()

    def _in_own_units(self, weight, bias):
        """Return a linear map as one of what ``linear`` gets and gives."""
        return weight, bias

    def _add_linear(self, output, x):
        """Return an output with the linear map of an input added to it."""
        if self.linear is None:
            return output
        return output + self.linear(x.flatten(1)).view(output.shape)


class Dropout(Random, Layer):
    """Set a fraction of the values to zero in training, and scale the others up.

    Like `torch.nn.Dropout`, but faster on a CPU.

    Parameters
    ----------
    p : float
        The fraction, in [0, 1).
    has_pool : bool, default=False
        Whether masks are pieces of one long random mask, at random places, for large nets: to
        draw a mask for each layer and step takes almost as long there as the matrix products.
        The long mask is drawn from torch's own generator, again when training continues after a
        pause, such as validation. Else masks come from the generator of the training.
    """

    takes_state = True

    def __init__(self, p, has_pool=False):
        super().__init__()
        self.p, self.has_pool = p, has_pool
        self._pool = None

    @property
    def draws_from_torch(self):
        """Whether random numbers come from torch's own generator."""
        return self.has_pool and self.p > 0

    def extra_repr(self):
        return f"p={self.p}"

    def train(self, mode=True):
        if not mode:
            self._pool = None
        return super().train(mode)

    def forward(self, x, state=TRAINED):
        if not self.training or not self.p:
            return x
        if self.has_pool and x.device.type != "cpu":
            return nn.functional.dropout(x, self.p)
        return x * (self._piece(x) if self.has_pool else self.mask(x, state))

    def mask(self, x, state=TRAINED):
        """Draw what to multiply a tensor with."""
        dropped = chosen(random_bits(x.shape, x.device, state.generator), self.p)
        return (~dropped).to(x.dtype).div_(1 - self.p)

    def _piece(self, x):
        """Return a piece of the long mask in the shape of a tensor."""
        n = x.numel()
        if self._pool is None or len(self._pool) < 2 * n or self._pool.dtype != x.dtype:
            kept = torch.empty(max(MASKS_IN_POOL * n, MIN_POOL)).bernoulli_(1 - self.p)
            self._pool = kept.div_(1 - self.p).to(x.dtype)
        start = int(torch.randint(len(self._pool) - n + 1, ()))
        return self._pool[start : start + n].view(x.shape)


class SampleDropout(Dropout):
    """Set all values of some samples to zero in training, besides single values of the others.

    Parameters
    ----------
    p : float
        As for `Dropout`.
    fraction : float
        Of the samples of a batch. They are the first ones, as batches are in random order.
    """

    def __init__(self, p, fraction):
        super().__init__(p)
        self.fraction = fraction

    def extra_repr(self):
        return f"p={self.p}, fraction={self.fraction}"

    def stack_key(self):
        return self.p > 0, self.fraction

    def forward(self, x, state=TRAINED):
        return x * self.mask(x, state) if self.training else x

    def mask(self, x, state=TRAINED):
        mask = super().mask(x, state) if self.p else x.new_ones(*x.shape[:-1], 1)
        mask[: round(self.fraction * len(mask))] = 0.0
        return mask
