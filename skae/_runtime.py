"""The device, torch's threads, and where random numbers come from. torch only."""

import os
from collections import UserList
from contextlib import contextmanager
from functools import cache
from threading import Lock, RLock, local
from time import monotonic
from typing import NamedTuple
from weakref import WeakSet

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
        found = torch.device(device)
        torch.empty(0, device=found)
    except (RuntimeError, AssertionError, NotImplementedError, ImportError):
        found = None  # torch's own message may list all that it was ever built for
    if found is None or found.type == "meta" or (found.type == "cpu" and found.index):
        raise ValueError(
            f"device={str(device)!r} cannot be used on this machine, which has "
            f"{', '.join(map(repr, _devices()))}.{_device_hint(str(device))}"
        )
    return found


def _devices():
    """Return the names of the usual devices that there are."""
    n_gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    mps = ["mps"] if torch.backends.mps.is_available() else []
    return ["cpu", *["cuda"][:n_gpus], *(f"cuda:{i}" for i in range(n_gpus)), *mps]


def _device_hint(name):
    """Say what to do about a device that there is not."""
    kind = name.lower().partition(":")[0]
    if kind == "cpu":
        return " All cores are one device, 'cpu'; torch.set_num_threads says how many to use."
    if kind == "meta":
        return " Tensors on 'meta' have no values."
    return " Use 'auto', which takes the fastest, or install a torch build for the device."


def available_device(device):
    """Return a device, or the CPU if this machine does not have it."""
    try:
        return resolve_device(device)
    except ValueError:
        return torch.device("cpu")


@cache
def has_bfloat16(device):
    """Say whether a device has instructions for products of bfloat16."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":
        capabilities = torch.cpu.get_capabilities()
        return any(capabilities.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16"))
    return False


#: Held only while torch's own generators, of which a process has one set, are not as they were.
_GENERATORS = RLock()
#: Held by the thread whose callbacks draw from torch's own generators.
_CALLBACKS = RLock()

#: Held while a thread forks, and while one computes for the first time.
_FORK = Lock()
#: Seconds that a fork waits for what other threads compute.
MAX_WAIT = 5.0
#: The lock of each thread that has computed something.
_computations = WeakSet()
#: The locks that a fork holds; None where no thread forks.
_held = None


class _Computing(local):
    """Context in which torch computes. A fork in another thread waits for its end.

    It should be short, and begin before torch's generators are taken. A forked process has only
    the thread that forked. If another one was inside torch at this moment, the process would wait
    for it at torch's inner locks for good.
    """

    def __init__(self):
        self._lock, self._depth = RLock(), 0
        with _FORK:
            _computations.add(self._lock)

    def __enter__(self):
        if _held is not None and not self._depth:
            with _FORK:  # let the fork go first
                pass
        self._lock.acquire()
        self._depth += 1

    def __exit__(self, *error):
        self._depth -= 1
        self._lock.release()


computing = _Computing()


def _wait_for_computations():
    global _held
    _FORK.acquire()
    _held, until = [], monotonic() + MAX_WAIT
    for lock in list(_computations):
        if lock.acquire(timeout=max(0.0, until - monotonic())):
            _held.append(lock)


def _let_others_go_on():
    global _held
    for lock in _held:
        lock.release()
    _held = None
    _FORK.release()


def _forget_other_threads():
    """Make a forked process ready, where all threads but one are gone.

    Locks that others held would never be released. torch would wait for its own threads for good
    if it shared work with them, so it uses one, until the user asks for more.
    """
    global _GENERATORS, _CALLBACKS, _LIMITS
    _let_others_go_on()
    _computations.clear()
    _computations.add(computing._lock)
    _GENERATORS, _CALLBACKS, _LIMITS = RLock(), RLock(), Lock()
    torch.set_num_threads(1)
    _around[:] = _limits[:] = [1] * len(_around)


def at_fork(**functions):
    """Register what to call when a process forks, where processes do, as `os.register_at_fork`."""
    if os.name == "posix":
        os.register_at_fork(**functions)


at_fork(
    before=_wait_for_computations,
    after_in_parent=_let_others_go_on,
    after_in_child=_forget_other_threads,
)


@contextmanager
def seeded(seed, device):
    """Seed torch's generators, and put them back as they were at the end.

    Other threads that do this meanwhile wait.

    Parameters
    ----------
    seed : int or list of tensor
        A seed, or the generators' states to go on from, as ``states`` gives them.
    device : str or torch.device
    """
    with _GENERATORS:
        before = states(device)
        _set_states(seed if isinstance(seed, list) else seeded_states(seed, device), device)
        try:
            yield
        finally:
            _set_states(before, device)


def seeded_states(seed, device):
    """Return the states of torch's generators after a seed."""
    devices = ["cpu", device] if torch.device(device).type == "cuda" else ["cpu"]
    return [make_generator(seed, one).get_state() for one in devices]


@contextmanager
def building(seed):
    """Have what it takes to build a net: seeded generators of torch's, and one thread.

    Parameters
    ----------
    seed : int
    """
    with computing, seeded(seed, "cpu"), threads(n_multiplications=0):
        yield


class TorchGenerators:
    """torch's own generators, as one training has them.

    skae draws from a generator of each training. torch's layers and the user's functions draw from
    torch's own, so trainings in several threads take turns with these, a step at a time.

    Parameters
    ----------
    seed : int
    device : str or torch.device
    """

    def __init__(self, seed, device):
        self._states, self._device = seeded_states(seed, device), device

    def get_state(self):
        """Return the states that they have in this training."""
        return self._states

    def set_state(self, states):
        """Set the states that they have in this training."""
        self._states = states

    @contextmanager
    def taken(self):
        """Have them for a step of the net; other threads wait."""
        with seeded(self._states, self._device):
            try:
                yield
            finally:
                self._states = states(self._device)

    @contextmanager
    def lent(self):
        """Have them for callbacks, which no thread may wait for: they may wait for threads.

        If callbacks of two trainings run at the same time, the second ones draw from the
        generators as they are.
        """
        lock = _CALLBACKS  # a callback may fork
        if not lock.acquire(blocking=False):
            yield
            return
        try:
            with _GENERATORS:
                before = states(self._device)
                _set_states(self._states, self._device)
            try:
                yield
            finally:
                with _GENERATORS:
                    self._states = states(self._device)
                    _set_states(before, self._device)
        finally:
            lock.release()


def _set_states(given, device):
    torch.default_generator.set_state(given[0])
    for state in given[1:]:
        torch.cuda.set_rng_state(state, device)


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


#: Below so many multiplications at once, a second thread costs more than it gives.
ONE_THREAD_MULTIPLICATIONS = 5e7

#: Guards the list of numbers of threads.
_LIMITS = Lock()
#: The number of threads allowed, once for each time that ``threads`` is in use.
_limits = []


class _Around(local, UserList):
    """The numbers of threads to go back to, one for each ``threads`` that a thread is inside of."""


_around = _Around()


@contextmanager
def threads(n_multiplications):
    """Use one thread for a while if the work is small.

    Small nets then also give the same bits whatever the number of threads allowed, and take no
    longer on a busy machine, where threads wait for each other. A new thread starts at the number
    that another one set last, which is not to make a 1 of it for good.

    Parameters
    ----------
    n_multiplications : int
        Multiplications that threads would share, as of `skae._data.cost.Cost`, for all samples.
    """
    with _LIMITS:
        allowed = _limits[0] if _limits else torch.get_num_threads()
        _limits.append(allowed)
    _around.append(torch.get_num_threads() if _around else allowed)
    _set_threads(1 if n_multiplications < ONE_THREAD_MULTIPLICATIONS else allowed)
    try:
        yield
    finally:
        _set_threads(_around.pop())
        with _LIMITS:
            _limits.pop()


def _set_threads(n):
    if torch.get_num_threads() != n:
        torch.set_num_threads(n)
