"""How fitted networks are applied to samples, for single ones and ensembles."""

import copy
from contextlib import closing, contextmanager
from functools import cached_property
from math import isfinite
from operator import setitem
from threading import Lock
from weakref import WeakSet

import numpy as np
import torch
from sklearn.exceptions import UndefinedMetricWarning
from torch import nn

from skae._data.batches import along, chunks
from skae._runtime import at_fork, computing, threads
from skae.architectures._base import Sequential
from skae.exceptions import warn

#: Samples that a net makes NaN of are cut to this and pass through its twin in float64: squares
#: and sums of such values are finite.
FAR = 1e100

#: Sums of squares that are computed again, of other multiples of the values: some may be 0 or
#: infinite by the range of float64.
TOO_SMALL, TOO_LARGE = 1e-250, 1e250


class Predictor:
    """Passes samples through a module, in bounded memory.

    A subclass defines ``module_for``. Results are finite, however far samples are out: what is
    beyond the precision of a result is its largest or smallest finite number.
    """

    def module_for(self, dtype):
        """Return the module for samples of a precision, and its device."""
        raise NotImplementedError

    @contextmanager
    def inference(self, dataset, dtype=None):
        """Provide the module and the chunks of a dataset, without gradients.

        ``dtype`` is the precision, None that of the dataset.

        Chunks are ``(which, x, target, weight)``, as of `skae._data.batches.chunks`. ``x`` and
        ``target`` are the same if the samples are their own targets.
        """
        dtype = dataset.dtype if dtype is None else dtype
        module, device = self.module_for(dtype)
        n_rows = min(len(dataset), dataset.chunk_length)
        work = n_rows * module.n_multiplications * dataset.relative_size
        each = _computed(chunks(dataset, dtype, device))
        with torch.inference_mode(), threads(work), closing(each):
            yield module, each

    def map(self, function, dataset, shape=None, nan=None):
        """Apply ``function(module, x, target)`` to the samples, one chunk at a time.

        Parameters
        ----------
        function : callable
        dataset : ArrayDataset or dataset of another kind
            The samples.
        shape : tuple of int or None, default=None
            Shape of the output for one sample of the size of the training. None is the shape of a
            target.
        nan : float or None, default=None
            As for ``finite``.

        Returns
        -------
        output : ndarray
            The outputs of all samples, finite numbers.
        """
        dtype = np.float32 if dataset.dtype == torch.float32 else np.float64
        output, write = None, setitem
        if shape is None:
            output, write = dataset.targets.new_output(dtype), dataset.targets.write
        with self.inference(dataset) as (module, chunks):
            for which, x, target, _ in chunks:
                given = dataset.bound(function, which)
                result = self.finite(given, module, x, target, nan).cpu().numpy()
                if output is None:
                    output = dataset.new_results(result, dtype)
                write(output, which, result)
        return output

    def finite(self, function, module, x, target, nan=None):
        """Return ``function(module, x, target)`` as finite numbers.

        Parameters
        ----------
        function : callable
        module
            The one that ``inference`` gives.
        x, target : tensor of shape (n_taken, ...)
        nan : float or None, default=None
            What stands for NaN. None is the result of the twin in float64. For scores it is the
            worst one, infinity or minus infinity, so that they fall in order.

        Returns
        -------
        tensor of shape (n_taken, ...)
            NaN only where the target has it, in results of its shape for which ``nan`` is given.

        Raises
        ------
        ValueError
            If the twin gives NaN, too.
        """
        result = function(module, x, target)
        if isfinite(result.sum().item()):
            return result
        is_nan = result.isnan()
        if nan is not None:
            result = torch.where(is_nan, nan, result)
            if result.shape == target.shape:
                result = torch.where(target.isnan(), target, result)
        elif is_nan.any():
            result = torch.where(is_nan, self._in_double(function, x, target).to(result), result)
            if result.isnan().any():
                raise ValueError(
                    "The net makes NaN of finite samples. If its layers are your own, look for "
                    "logarithms, roots and quotients of values far from those of the fit."
                )
        limit = torch.finfo(result.dtype).max
        return result.clamp(-limit, limit)

    def _in_double(self, function, x, target):
        """Apply a function to samples of a chunk in float64, after cutting their values."""
        module, device = self.module_for(torch.float64)

        def cut(values):
            if not values.is_floating_point():  # tokens
                return values.to(device)
            return values.to(device, torch.float64).clamp(-FAR, FAR)

        x64 = cut(x)
        return function(module, x64, x64 if target is x else cut(target))

    def squares(self, dataset, watch=None, dtype=None):
        """Return the residual and total sums of squares of each value.

        They are those of the values of the targets or, where squares of these would be beyond
        float64, of multiples of them. What rounding leaves of constant values is 0.

        ``watch`` is called with the module and what its decoder gets, for each chunk. ``dtype`` is
        the precision of the net, None that of the dataset.
        """
        squares = self._squares(dataset, 1.0, watch, dtype)
        if not (TOO_SMALL < squares[1].sum() < TOO_LARGE and np.isfinite(squares[0]).all()):
            factor = dataset.targets.factor_to_1()
            squares = squares if factor == 1 else self._squares(dataset, factor)
        return dataset.targets.without_rounding(*squares)

    def _squares(self, dataset, factor, watch=None, dtype=None):
        """Return residual, total and mean, of values that are multiplied by a factor."""

        def restored(module, x, target):
            if watch is None:
                return module(x)
            latent = module.latent(x)
            watch(module, latent)
            return module.decode_latent(latent, target)

        targets = dataset.targets
        add = torch.nansum if dataset.has_missing else torch.sum
        with self.inference(dataset, dtype) as (module, chunks):
            mean = (targets if factor == 1 else targets.scaled(factor)).mean()
            residual, total = np.zeros(mean.shape), np.zeros(mean.shape)
            for which, x, target, weight in chunks:
                predicted = self.finite(dataset.bound(restored, which), module, x, target)
                weight = 1.0 if weight is None else along(weight, target)
                predicted, target = (y.cpu().double() * factor for y in (predicted, target))
                n = target.shape[1]  # fewer than all steps if the sequences are short
                for sums, other in ((residual, predicted), (total, mean[:n])):
                    squares = add(weight * (target - other) ** 2, 0)
                    sums[:n] += targets.folded(squares).numpy()
        return residual, total, mean.numpy()

    def r2(self, dataset, dtype=None):
        """Return the fraction of the variance of the targets that is predicted."""
        return dataset.targets.explained(*self.squares(dataset, dtype=dtype))

    def score(self, dataset):
        """Return R2; NaN, with a warning, for fewer than two samples."""
        if len(dataset) < 2:
            warn("R2 is not defined for fewer than two samples.", UndefinedMetricWarning)
            return float("nan")
        return self.r2(dataset)


def _computed(chunks):
    """Yield chunks, letting threads that want to fork do so between them."""
    for chunk in chunks:
        with computing:
            yield chunk


class ChangedPredictor(Predictor):
    """Passes samples through the module of another predictor, changed.

    Parameters
    ----------
    predictor : Predictor
    change : callable
        Takes the module, which stays as it is, and returns the changed one.
    """

    def __init__(self, predictor, change):
        self.predictor, self.change = predictor, change

    def module_for(self, dtype):
        module, device = self.predictor.module_for(dtype)
        return self.change(module), device


class NetPredictor(Predictor):
    """Passes samples through the module of a net.

    Samples of float64 pass through a twin of the module, in float64: in float32, the result for a
    sample would depend on the other samples in its chunk. The twin is made when it is first
    needed, and again after the weights have changed, and so are engines that other packages make of
    the net. Pickles and copies of estimators do without.

    Parameters
    ----------
    net : Net
    """

    def __init__(self, net):
        self.net = net
        self._twin, self._engine, self._lock = None, None, Lock()
        _predictors.add(self)

    @property
    def device(self):
        """The device of the module."""
        return torch.device(self.net.device)

    @cached_property
    def encoder(self):
        """Encoder, bottleneck and the basis of the codes, as one module."""
        module = self.net.module_
        return _chain(module.encoder, module.bottleneck, module.code_basis)

    @cached_property
    def decoder(self):
        """The basis of the codes, decoder and output activation, as one module."""
        module = self.net.module_
        return module.code_basis.before(_chain(module.decoder, module.output_activation))

    def module_for(self, dtype):
        module = self.net.module_
        if dtype != torch.float64:
            return module, self.device
        with self._lock:
            if self._twin is None or not self._twin.is_up_to_date(module):
                with threads(n_multiplications=0):
                    self._twin = _Twin(module, self.device)
            return self._twin.module, self._twin.device

    def engine(self, key, make):
        """Return ``make()``, which is kept while the key and the weights stay the same."""
        module = self.net.module_
        with self._lock:
            kept, state, engine = self._engine or (None, None, None)
            if kept != key or not state.is_up_to_date(module):
                engine = make()
                self._engine = key, _ModuleState(module), engine
            return engine


#: All there are.
_predictors = WeakSet()

#: Engines in a forked process, whose threads are gone: they can be neither used nor ended.
_lost_engines = []


def _renew_locks():
    """Make new locks in a forked process, where the threads that held the old ones are gone."""
    for predictor in _predictors:
        predictor._lock = Lock()
        _lost_engines.append(predictor._engine)
        predictor._engine = None


at_fork(after_in_child=_renew_locks)


class _ModuleState:
    """The state of a module, which knows when the module has changed.

    Parameters
    ----------
    original : nn.Module
    """

    def __init__(self, original):
        self._original = original
        parts = list(original.modules())
        members = [m for p in parts for m in (p._parameters, p._buffers, p._modules)]
        self._members = [some for some in members if some]
        weights = [*original.parameters(), *original.buffers()]
        self._memory = [weight.detach() for weight in weights]  # so that no others get it
        self._weights = [weight for weight in weights if not weight.is_inference()]
        self._version = self._current_version()

    def is_up_to_date(self, original):
        """Say whether the original is as it was.

        Fused optimizers do not count their changes. So a module with gradients, which a fitted
        net does not have, counts as changed.
        """
        return (
            original is self._original
            and self._current_version() == self._version
            and all([weight.grad is None for weight in self._weights])
        )

    def _current_version(self):
        """Return what changes with the layers of the original or their weights."""
        return (
            self._original.training,
            [id(one) for some in self._members for one in some.values()],
            [(weight.data_ptr(), weight._version) for weight in self._weights],
        )


class _Twin(_ModuleState):
    """Copy of a module in float64, which knows when the module has changed.

    Parameters
    ----------
    original : nn.Module
    device : torch.device
        Where it is.
    """

    def __init__(self, original, device):
        super().__init__(original)
        self.device = torch.device("cpu") if device.type == "mps" else device  # no float64 there
        self.module = copy.deepcopy(original).to(self.device).double()


def _chain(*modules):
    return Sequential(*(m for m in modules if not isinstance(m, nn.Identity)))


# What can be mapped over a dataset.


def encode(module, x, target):
    """Return the codes."""
    del target
    return module.encode(x)


def decode(module, code, target):
    """Return what the codes decode to."""
    return module.decode(code, target)


def reconstruct(module, x, target):
    """Return what the codes of the samples decode to."""
    del target
    return module(x)


def complete(module, x, target):
    """Return what stands for the missing values of the samples."""
    del target
    return module.complete(x)
