"""The basis in which users see codes: a principal component analysis of the code. torch only."""

from math import ceil
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from skae._data.batches import chunks
from skae._data.dataset import samples_at_once
from skae._modules.pca_start import flat_rows, principal_axes
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
STEP = 0.03

#: Least squared length of a step in the code, as a fraction of the largest: the decoder may ignore
#: directions, which are not to be lost.
LEAST = 1e-10

#: Slopes that float32 holds, and their inverses.
RANGE = 1e-30, 1e30


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


class CodeBasis(RawBasis):
    """Linear map between the codes of the training and those that users see.

    Numbers are kept as sums of two in float32, which are exact in a copy in float64.

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
        self.register_buffer("mean", _in_two(mean))
        self.register_buffer("axes", _in_two(axes))
        self.register_buffer("back", _in_two(back))

    @property
    def cuts(self):
        _, n_latent, n_components = self.axes.shape
        return n_latent > n_components

    def forward(self, latent):
        return (latent - self.mean.sum(0)) @ self.axes.sum(0)

    def inverse(self, code):
        return torch.addmm(self.mean.sum(0), code, self.back.sum(0))

    def before(self, decoder):
        return BasisDecoder(*decoder, self)

    def _load_from_state_dict(self, state_dict, prefix, *args):
        # Weights that were saved during the training have none of it: it stays as it is.
        own = {f"{prefix}{name}": buffer for name, buffer in self.named_buffers()}
        super()._load_from_state_dict(own | state_dict, prefix, *args)


def _in_two(values):
    """Return float64 as two float32, the first rounded and the second what is left."""
    rounded = values.float()
    return torch.stack([rounded, (values - rounded).float()])


class BasisDecoder(Sequential):
    """Modules that decode, and at the end the basis of the codes that the first of them gets."""

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
def principal_codes(module, dataset, n_latent, device, max_decoded):
    """Return the `PrincipalCodes` of a module, or None if its codes are not finite.

    A step in the code counts as long as the step in the reconstruction that it makes, on average
    over rows. So distances between codes are like those between reconstructions. In this metric
    the axes are the principal components: codes have mean 0, are uncorrelated, and the first have
    the largest variance. For linear layers this is PCA.

    Parameters
    ----------
    module : AutoencoderModule
    dataset : Dataset
        Training rows, of which some are used.
    n_latent : int
        Length of the codes of the training.
    device : torch.device
    max_decoded : int
        How many codes to decode, at most about.
    """
    n_rows = min(MAX_ROWS, max(max_decoded, MIN_ROWS + 8 * n_latent))
    latent, weight = _latent(module, dataset.subsample(n_rows), device)
    if not latent.isfinite().all():
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
    signs = _signs(module, dataset.subsample(min(n_rows, MAX_SIGN_ROWS)), mean, axes, device)
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
    least = STEP * size.max().clamp_min(RANGE[0])
    sizes = latent.div(size.clamp_min(least)).square().mean(0).sqrt() * size.clamp_min(least)
    return (STEP * sizes.clamp_min(least)).float()


def _metric(module, dataset, steps, device):
    """Return the mean of the decoder's slopes times their transpose, (n_latent, n_latent)."""
    n_latent, total, metric = len(steps), 0.0, torch.zeros(len(steps), len(steps)).double()
    for _, x, target, weight in chunks(dataset, torch.float32, device):
        n_values = n_latent * x[0].numel()
        thinned, at_once = ceil(n_values / MAX_ELEMENTS), max(1, MAX_ELEMENTS // n_values)
        for i in range(0, len(x), at_once):
            piece = slice(i, i + at_once)
            slopes = _slopes(module, x[piece], target[piece], steps.to(device))
            slopes = slopes[..., ::thinned].cpu().double()
            weights = torch.ones(len(slopes)) if weight is None else weight[piece]
            total += float(weights.sum())
            slopes *= weights.double().sqrt()[:, None, None]
            metric += torch.einsum("nid,njd->ij", slopes, slopes) * thinned
    metric /= total
    trace = metric.trace()
    return metric if trace > 0 and trace.isfinite() else torch.eye(n_latent).double()


def _slopes(module, x, target, steps):
    """Return the change of reconstructions by a step in each direction of the code, divided by it.

    Returns
    -------
    tensor of shape (n_samples, n_latent, n_values)
    """
    n_samples, n_latent = len(x), len(steps)
    latent = module.latent(x)
    changed = (latent[:, None] + steps.diag()).flatten(0, 1)
    n_at_once = samples_at_once(x.shape[1:])

    def decoded(codes, targets):
        pieces = zip(codes.split(n_at_once), targets.split(n_at_once), strict=True)
        return torch.cat([module.decode_latent(*piece).flatten(1) for piece in pieces])

    start = decoded(latent, target)
    changed = decoded(changed, target.repeat_interleave(n_latent, 0))
    slopes = (changed.view(n_samples, n_latent, -1) - start[:, None]) / steps[:, None]
    slopes *= ~target.flatten(1).isnan()[:, None]  # behind the ends of sequences
    return slopes.nan_to_num(0.0, 0.0, 0.0)


def _signs(module, dataset, mean, axes, device):
    """Return a sign for each code, by which it goes along with the data's principal components.

    The cube makes the components with which it goes most decide. Signs of these are such that the
    largest value is positive, as in scikit-learn's PCA.
    """
    rows, x, weight = flat_rows(dataset)
    with building(seed=0):  # svd_lowrank draws
        found = principal_axes(rows, 2 * len(axes))
    if found is None:
        return axes.new_ones(len(axes))
    components = found.components
    components *= components.gather(1, components.abs().argmax(1, keepdim=True)).sign()
    together = (_latent(module, rows, device)[0] - mean) @ axes
    together = together.T @ ((x - found.mean) @ components.T).double().mul(weight[:, None])
    together = together.nan_to_num(0.0, 0.0, 0.0)
    together /= together.abs().max().clamp_min(RANGE[0])
    return torch.where((together**3).sum(1) < 0, -1.0, 1.0).double()
