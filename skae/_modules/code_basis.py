"""The basis in which users see codes: a principal component analysis of the code. torch only."""

import copy
from math import ceil
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from skae._data.batches import chunks
from skae._data.dataset import samples_at_once
from skae._modules.principal_axes import evenly_spread, flat_rows, principal_axes_of
from skae._runtime import TRAINED, building
from skae.architectures._base import Sequential, run

#: Rows that give the covariance of codes, at least and at most.
MIN_ROWS, MAX_ROWS = 1_000, 5_000

#: Rows that give the slopes of the decoder, and rows that give the signs, at most.
MAX_SLOPE_ROWS, MAX_SIGN_ROWS = 128, 1_000

#: Longer codes stay as they are: the time grows with the cube of their length.
MAX_CODES = 1_024

#: Values of one batch of slopes, at most.
MAX_ELEMENTS = 2**22

#: Steps by which slopes are measured, as a fraction of a code's standard deviation.
STEP = 0.01

#: Least squared length of a step in the code, as a fraction of the largest: the decoder may ignore
#: directions, which are not to be lost.
LEAST = 1e-10

#: Codes of this size are as good as 0.
LEAST_CODE = 1e-30


class RawBasis(nn.Module):
    """The codes as training has them."""

    #: Whether codes are shorter than those of the training.
    cuts = False

    def forward(self, latent):
        """Return the codes that users see of those of the training."""
        return latent

    def inverse(self, code):
        """Return the codes of the training of those that users see."""
        return code

    def before(self, decoder):
        """Return a decoder of the codes that users see."""
        return decoder

    def in_precision(self, dtype):
        """Return the basis for codes of one precision alone."""
        del dtype
        return self


class CodeBasis(RawBasis):
    """Linear map between the codes of the training and those that users see.

    Parameters
    ----------
    mean : tensor of shape (n_latent,), float64
        Mean of the codes of the training.
    axes : tensor of shape (n_latent, n_components), float64
        Their map to codes.
    back : tensor of shape (n_components, n_latent), float64
        The map back.
    """

    def __init__(self, mean, axes, back):
        super().__init__()
        parts = {"mean": mean, "axes": axes, "back": back}
        for name, part in parts.items():  # not among the weights, which training saves and loads
            part = part.contiguous()
            self.register_buffer(name, part.float(), persistent=False)
            # As integers, they stay exact wherever the module goes.
            self.register_buffer(f"exact_{name}", part.view(torch.int64), persistent=False)

    @property
    def cuts(self):
        n_latent, n_components = self.axes.shape
        return n_latent > n_components

    def forward(self, latent):
        if latent.dtype == torch.float64:
            mean, axes = (part.view(latent.dtype) for part in (self.exact_mean, self.exact_axes))
            return (latent - mean) @ axes
        return (latent - self.mean) @ self.axes

    def inverse(self, code):
        if code.dtype == torch.float64:
            mean, back = (part.view(code.dtype) for part in (self.exact_mean, self.exact_back))
            return torch.addmm(mean, code, back)
        return torch.addmm(self.mean, code, self.back)

    def before(self, decoder):
        return BasisDecoder(*decoder, self)

    def in_precision(self, dtype):
        parts = self.exact_mean, self.exact_axes, self.exact_back
        return PlainBasis(*(part.view(torch.float64).to(dtype) for part in parts))


class PlainBasis(RawBasis):
    """The map of a `CodeBasis`, in one precision; parameters as there."""

    def __init__(self, mean, axes, back):
        super().__init__()
        for name, part in {"mean": mean, "axes": axes, "back": back}.items():
            self.register_buffer(name, part)
        self.cuts = len(axes) > len(back)

    def forward(self, latent):
        return (latent - self.mean) @ self.axes

    def inverse(self, code):
        return torch.addmm(self.mean, code, self.back)


class BasisDecoder(Sequential):
    """Modules that decode codes of a basis.

    The basis comes last in the list, but acts first, so that the modules keep their places.
    """

    def forward(self, code, *target, state=TRAINED):
        """Return what the codes decode to.

        Parameters
        ----------
        code : tensor of shape (n_samples, n_components)
        *target : tensor
            For decoders that take it.
        state : TrainState, default=TrainState()
            For modules that take it.
        """
        *modules, basis = self
        inputs = (basis.inverse(code), *target)
        for module in modules:
            inputs = (run(module, *inputs, state=state),)
        return inputs[0]


class PrincipalCodes(NamedTuple):
    """Principal components of the codes of a trained module. Tensors are in float64, on the CPU."""

    mean: torch.Tensor  # (n_latent,), of the codes of the training
    axes: torch.Tensor  # (n_latent, n_latent), maps these, less their mean, to principal codes
    back: torch.Tensor  # (n_latent, n_latent), the inverse
    variances: torch.Tensor  # (n_latent,), of the principal codes

    def basis(self, n_components, whiten=False):
        """Return the first codes as a `CodeBasis`, of variance 1 if ``whiten`` is set."""
        variances = self.variances[:n_components]
        sizes = torch.ones_like(variances)
        if whiten:
            sizes = torch.where(variances > LEAST * self.variances[0], variances, sizes).sqrt()
        axes, back = self.axes[:, :n_components] / sizes, self.back[:n_components] * sizes[:, None]
        return CodeBasis(self.mean, axes, back)


@torch.no_grad()
def principal_codes(module, dataset, device, max_decoded):
    """Return the `PrincipalCodes` of a module, or None if its codes are too many or not finite.

    A step in the code counts as long as the step in the reconstruction that it makes, on average
    over rows. So distances between codes are like those between reconstructions. In this metric
    the axes are the principal components: codes have mean 0, are uncorrelated, and the first have
    the largest variance. For linear layers this is PCA.

    Parameters
    ----------
    module : AutoencoderModule
        With the codes of the training.
    dataset : Dataset
        Training rows, of which some are used.
    device : torch.device
    max_decoded : int
        How many codes to decode, at most about.
    """
    n_rows = min(MAX_ROWS, max(max_decoded, MIN_ROWS))
    latent, weight = _latent(module, dataset.subsample(n_rows), device)
    n_latent = latent.shape[1]
    if n_latent > MAX_CODES or not latent.isfinite().all():
        return None
    mean = weight @ latent
    latent -= mean
    n_sloped = min(MAX_SLOPE_ROWS, max(1, max_decoded // n_latent))
    metric = _metric(module, dataset.subsample(n_sloped), _steps(latent), device)
    lengths, directions = torch.linalg.eigh(metric)
    lengths = lengths.clamp_min(LEAST * lengths[-1]).sqrt()
    scaled = latent @ (directions * lengths)
    variances, rotation = torch.linalg.eigh(scaled.T @ (scaled * weight[:, None]))
    variances, rotation = variances.flip(0).clamp_min(0), rotation.flip(1)
    axes = (directions * lengths) @ rotation
    back = (rotation / lengths[:, None]).T @ directions.T
    signs = _signs(module, evenly_spread(dataset, MAX_SIGN_ROWS), mean, axes, device)
    return PrincipalCodes(mean, axes * signs, back * signs[:, None], variances)


def _latent(module, dataset, device):
    """Return the codes of samples as training has them, and weights of sum 1, in float64."""
    latent, weights, places = [], [], []
    for which, x, _, weight in chunks(dataset, torch.float32, device):
        places.append(np.arange(len(dataset))[which])
        latent.append(module.latent(x).cpu().double())
        weights.append(torch.ones(len(x)) if weight is None else weight)
    order = np.argsort(np.concatenate(places))
    latent, weight = torch.cat(latent)[order], torch.cat(weights).double()[order]
    return latent, weight / weight.sum()


def _steps(latent):
    """Return the steps in each direction of the code by which slopes are measured."""
    size = latent.abs().amax(0)
    size = size.clamp_min(STEP * size.max().clamp_min(LEAST_CODE))
    return STEP * size * (latent / size).square().mean(0).sqrt().clamp_min(STEP)


def _metric(module, dataset, steps, device):
    """Return the mean of the decoder's slopes times their transpose, (n_latent, n_latent)."""
    decode, total, metric = _decoder_in_double(module, device), 0.0, 0.0
    for _, x, target, weight in chunks(dataset, torch.float32, device):
        weight = torch.ones(len(x)) if weight is None else weight
        at_once = max(1, MAX_ELEMENTS // (len(steps) * x[0].numel()))
        for i in range(0, len(x), at_once):
            piece = slice(i, i + at_once)
            latent = module.latent(x[piece]).to(steps)
            slopes, every = _slopes(decode, latent, target[piece], steps)
            weights = weight[piece].double()
            slopes *= weights.sqrt()[:, None, None]
            metric = metric + torch.einsum("nid,njd->ij", slopes, slopes) * every
            total += weights.sum()
    metric /= total
    trace = metric.trace()
    return metric if trace > 0 and trace.isfinite() else torch.eye(len(steps)).double()


def _decoder_in_double(module, device):
    """Return a function that decodes in float64: differences of close values lose digits."""
    device = torch.device("cpu") if device.type == "mps" else device  # no float64 there
    halves = module.decoder, module.output_activation
    decoder, activation = (copy.deepcopy(half).to(device).double() for half in halves)

    def decode(latent, target):
        latent, target = latent.to(device), target.to(device, torch.float64)
        inputs = (latent, target) if module.takes_target else (latent,)
        return activation(run(decoder, *inputs, state=TRAINED))

    return decode


def _slopes(decode, latent, target, steps):
    """Return the change of reconstructions by a step in each direction of the code, divided by it.

    Returns
    -------
    slopes : tensor of shape (n_samples, n_latent, n_values)
        On the CPU.
    every : int
        Of large samples, only every second, third, ... value is there.
    """
    shape = len(latent), len(steps), -1
    every = ceil(len(steps) * target[0].numel() / MAX_ELEMENTS)
    n_at_once = samples_at_once(target.shape[1:])

    def decoded(codes, targets):
        pieces = zip(codes.split(n_at_once), targets.split(n_at_once), strict=True)
        return torch.cat([decode(*piece).flatten(1)[:, ::every].cpu() for piece in pieces])

    changed = decoded(
        (latent[:, None] + steps.diag()).flatten(0, 1), target.repeat_interleave(len(steps), 0)
    )
    slopes = (changed.view(shape) - decoded(latent, target)[:, None]) / steps[:, None]
    slopes *= ~target.cpu().flatten(1)[:, None, ::every].isnan()  # behind the ends of sequences
    return slopes.nan_to_num(0.0, 0.0, 0.0), every


def _signs(module, dataset, mean, axes, device):
    """Return a sign for each code, by which it goes along with the data's principal components.

    The cube makes the components with which it goes most decide. Signs of these are such that the
    largest value is positive, as in scikit-learn's PCA.
    """
    x, weight = flat_rows(dataset)
    with building(seed=0):  # svd_lowrank draws
        found = principal_axes_of(x, weight, 2 * len(axes))
    if found is None:
        return axes.new_ones(len(axes))
    components = found.components
    components *= components.gather(1, components.abs().argmax(1, keepdim=True)).sign()
    together = (_latent(module, dataset, device)[0] - mean) @ axes
    together = together.T @ ((x - found.mean) @ components.T).double().mul(weight[:, None])
    together = together.nan_to_num(0.0, 0.0, 0.0)
    together /= together.abs().max().clamp_min(LEAST_CODE)
    return torch.where((together**3).sum(1) < 0, -1.0, 1.0).double()
