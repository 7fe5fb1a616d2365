"""Where random numbers come from. torch only."""

from contextlib import contextmanager
from threading import RLock

import torch

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


class Random:
    """Mixin of modules that draw random numbers.

    Attributes
    ----------
    generator : torch.Generator, None or list of torch.Generator
        Where from; None is torch's own. A list has one for each of several models that train
        at once.
    """

    generator = None


@contextmanager
def drawing_from(generator, module):
    """Let all parts of a module draw from a generator for a while."""
    parts = [part for part in module.modules() if isinstance(part, Random)]
    for part in parts:
        part.generator = generator
    try:
        yield
    finally:  # a generator cannot be copied or pickled
        for part in parts:
            part.generator = None


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


def chosen(bits, share):
    """Say which cells are among a share of them."""
    threshold = round(share * 2**16) - 2**15
    return bits < threshold if threshold < 2**15 else torch.ones_like(bits, dtype=torch.bool)
