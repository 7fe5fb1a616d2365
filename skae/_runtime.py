"""The device, torch's threads, and where random numbers come from. torch only."""

from contextlib import contextmanager
from functools import cache
from threading import RLock
from typing import NamedTuple

import torch
from torch import nn


def resolve_device(device):
    """Return the torch device for ``device``, the fastest there is for "auto".

    Raises
    ------
    ValueError
        If the device is unknown or not on this machine.
    """
    if device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(
            f"device={device!r} cannot be used on this machine: {reason} "
            "Use 'auto' or 'cpu', or install a torch build for the device."
        ) from error
    return torch.device(device)


@cache
def has_bfloat16(device):
    """Say whether a device has instructions for products of bfloat16."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":
        capabilities = torch.cpu.get_capabilities()
        return any(capabilities.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16"))
    return False


_LOCK = RLock()


@contextmanager
def seeded(seed, device):
    """Seed torch's generators, and put them back as they were at the end.

    A process has one such generator, so that fits in several threads take turns.

    Parameters
    ----------
    seed : int or list of tensor
        A seed, or the generators' states to go on from, as ``states`` gives them.
    device : str or torch.device
    """
    device = torch.device(device)
    accelerators = [device] if device.type == "cuda" else []
    with _LOCK, torch.random.fork_rng(accelerators):
        if isinstance(seed, list):
            torch.default_generator.set_state(seed[0])
            for state in seed[1:]:
                torch.cuda.set_rng_state(state, device)
        else:
            torch.default_generator.manual_seed(seed)
            if accelerators:
                torch.cuda.manual_seed(seed)
        yield


def states(device):
    """Return the states of torch's generators."""
    device = torch.device(device)
    on_device = [torch.cuda.get_rng_state(device)] if device.type == "cuda" else []
    return [torch.default_generator.get_state(), *on_device]


def make_generator(seed, device):
    """Return a generator of its own, which gives what torch's would after this seed."""
    return torch.Generator(device=torch.device(device)).manual_seed(seed)


class TrainState(NamedTuple):
    """Where a training is, which is passed along with each call.

    Parameters
    ----------
    progress : float, default=1.0
        Fraction of the training that is done, for what changes during training.
    generator : torch.Generator or None, default=None
        Source of random numbers; None is torch's own.
    """

    progress: float = 1.0
    generator: torch.Generator | None = None


#: The state outside of training.
TRAINED = TrainState()


class Random:
    """Mixin of modules that draw random numbers."""

    #: Whether from torch's own generator, not from that of a `TrainState`.
    draws_from_torch = False


#: torch's random layers: they draw if their attribute ``p`` or ``dropout`` is not 0, or always.
_DROPOUTS = (
    nn.Dropout,
    nn.Dropout1d,
    nn.Dropout2d,
    nn.Dropout3d,
    nn.AlphaDropout,
    nn.FeatureAlphaDropout,
)
_WITH_DROPOUT = (nn.RNNBase, nn.MultiheadAttention)
_RANDOM = (nn.RReLU, nn.FractionalMaxPool2d, nn.FractionalMaxPool3d)


def draws_from_torch(module):
    """Say whether a part of a module may draw from torch's own generator.

    Layers of the user's may, since nobody knows what they do. So may skae's layers inside an
    ``nn.Sequential`` of torch's, which passes no `TrainState` on.
    """
    return any(_draws_from_torch(part) for part in module.modules())


def _draws_from_torch(part):
    library = type(part).__module__.partition(".")[0]
    if library not in ("skae", "torch"):
        return True
    if isinstance(part, Random):
        return part.draws_from_torch
    if isinstance(part, _DROPOUTS):
        return part.p > 0
    if isinstance(part, _WITH_DROPOUT):
        return part.dropout > 0
    if library == "torch" and isinstance(part, nn.Sequential):
        return any(isinstance(layer, Random) for layer in part.modules())
    return isinstance(part, _RANDOM)


def normal_like(x, generator=None):
    """Draw standard normal numbers.

    Parameters
    ----------
    x : tensor of shape (..., n_samples, n)
    generator : torch.Generator, None or list of torch.Generator, default=None
        A list has one for each of the models along the first axis of ``x``.

    Returns
    -------
    tensor of the shape of ``x``
    """
    drawn = torch.empty_like(x, memory_format=torch.contiguous_format)
    if not isinstance(generator, list):
        return drawn.normal_(generator=generator)
    for part, own in zip(drawn, generator, strict=True):
        part.normal_(generator=own)
    return drawn


def random_bits(shape, device, generator=None):
    """Draw 16 random bits for each cell, an int16 tensor of the shape.

    Random numbers of float32 take several times as long, which is much beside the rest of
    a step of a small net.
    """
    n = shape.numel()
    words = torch.empty(-(-n // 4), dtype=torch.int64, device=device)
    bits = words.random_(-(2**63), None, generator=generator).view(torch.int16)
    return bits[:n].view(shape)


def chosen(bits, fraction):
    """Say which cells are among a fraction of them."""
    threshold = round(fraction * 2**16) - 2**15
    return bits < threshold if threshold < 2**15 else torch.ones_like(bits, dtype=torch.bool)


#: Below so many multiplications in a forward pass, a second thread costs more than it gives.
ONE_THREAD_MULTIPLICATIONS = 5e7


@contextmanager
def threads(n_multiplications):
    """Use one thread for a while if the work is small.

    Small nets then also give the same bits whatever the number of threads allowed.

    Parameters
    ----------
    n_multiplications : int
        Multiplications in one forward pass.
    """
    before = torch.get_num_threads()
    is_changed = n_multiplications < ONE_THREAD_MULTIPLICATIONS and before > 1
    if is_changed:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        # A new thread starts at what another one set last, and is not to make a 1 of it for good.
        if is_changed:
            torch.set_num_threads(before)
