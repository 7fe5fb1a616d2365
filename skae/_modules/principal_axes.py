"""Principal components of samples. torch only."""

from math import prod
from typing import NamedTuple

import torch

MAX_ROWS = 5_000

MAX_ELEMENTS = 2**23

#: Least noise, as a fraction of the mean variance: exact data would have none.
MIN_NOISE = 1e-3

#: Values beyond this are made smaller to compute with their squares, which float32 can hold.
LARGE = 1e15

#: Variance that rounding can leave of constant data, as a fraction of its mean square.
ROUNDING = 1e-10


class PrincipalAxes(NamedTuple):
    """Principal components of at most 5,000 rows.

    ``rank`` is how many of the ``n_components`` components there are; the others are
    zero. ``noise_variance`` is the mean variance beside the components, the maximum
    likelihood estimate of probabilistic PCA.
    """

    mean: torch.Tensor  # (n_features,)
    components: torch.Tensor  # (n_components, n_features)
    variances: torch.Tensor  # (n_components,)
    noise_variance: torch.Tensor  # ()
    mean_variance: torch.Tensor  # (), of the features
    rank: int


def flat_rows(dataset):
    """Return some of the samples as a matrix without NaN, and their weights."""
    x, weight = evenly_spread(dataset).get_batch(slice(None), torch.float32)
    x = dataset.filled(x).flatten(1)
    return x, x.new_ones(len(x)) if weight is None else weight


def evenly_spread(dataset, n_rows=MAX_ROWS):
    """Return up to ``n_rows`` of the samples, fewer if they are large."""
    return dataset.subsample(min(n_rows, max(2, MAX_ELEMENTS // prod(dataset.sample_shape))))


def principal_axes(dataset, n_components):
    """Return the `PrincipalAxes` of rows, or None if these are beyond float32."""
    return principal_axes_of(*flat_rows(dataset), n_components)


def principal_axes_of(x, weight, n_components):
    """Return the `PrincipalAxes` of the rows of a matrix, or None if these are beyond float32."""
    n_features = x.shape[1]
    if not x.isfinite().all():  # training will say so
        return None
    size = x.abs().max()
    size = torch.where(size > LARGE, size, 1.0)  # else squares would be infinite
    x = x / size if size > 1 else x
    mean_square = x.square().mean()
    mean = weight @ x / weight.sum()
    x = (x - mean) * weight[:, None].sqrt()
    # A few components more than needed make the needed ones exact enough.
    n_sought = min(n_components + 10, *x.shape)
    _, singular_values, found = torch.svd_lowrank(x, n_sought, niter=2)
    found = found.t()[:n_components]
    components = x.new_zeros(n_components, n_features)
    components[: len(found)] = found
    variances = x.new_zeros(n_components)
    variances[: len(found)] = singular_values[: len(found)] ** 2 / weight.sum()
    mean_variance = x.square().sum() / weight.sum() / n_features
    if mean_variance <= ROUNDING * mean_square:
        mean_variance = x.new_ones(())  # constant data says nothing of a scale
    rest = mean_variance * n_features - variances.sum()
    noise = rest / max(1, n_features - n_components)
    noise = torch.maximum(noise, MIN_NOISE * mean_variance)
    square = size.square()
    moments = variances * square, noise * square, mean_variance * square
    return PrincipalAxes(mean * size, components, *moments, len(found))


def n_components_for(dataset, fraction):
    """Return how many principal components of samples keep a fraction of their variance."""
    x, weight = flat_rows(dataset)
    if not x.isfinite().all():  # training will say so
        return 1
    x = x.double()
    x -= weight.double() @ x / weight.sum()
    x *= weight.double()[:, None].sqrt()
    squares = torch.linalg.eigvalsh(x @ x.T if len(x) < x.shape[1] else x.T @ x).flip(0)
    kept = squares.clamp_min(0).cumsum(0)
    return int((kept < fraction * kept[-1]).sum()) + 1
