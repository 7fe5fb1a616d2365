"""What conditions explain of samples, linearly: where conditional nets start. torch only."""

from typing import NamedTuple

import torch

from skae._modules.principal_axes import evenly_spread, flat_rows, principal_axes_of

#: Ridge of the regression, as a fraction of the samples: categories are not independent of each
#: other, and some are rare.
RIDGE = 1e-3


class ConditionEffects(NamedTuple):
    """A linear regression of samples on their conditions.

    Parameters
    ----------
    weight : tensor of shape (n_features, n_conditions)
    center : tensor of shape (n_conditions,)
        Mean of the conditions.
    """

    weight: torch.Tensor
    center: torch.Tensor

    @classmethod
    def none(cls, n_features, n_conditions):
        """Return effects of 0, to start from where samples are no rows of equal lengths."""
        return cls(torch.zeros(n_features, n_conditions), torch.zeros(n_conditions))

    def added_to(self, start):
        """Return linear maps of an encoder and a decoder that take the conditions, too.

        They take conditions less their center, until ``centered`` is called.
        """
        (weight, bias), (decoder_weight, decoder_bias) = start
        encoder = torch.cat([weight, -weight @ self.weight], 1), bias
        return encoder, (torch.cat([decoder_weight, self.weight], 1), decoder_bias)

    def centered(self, start):
        """Return linear maps of conditions as they are."""
        n = len(self.center)
        return tuple((weight, bias - weight[:, -n:] @ self.center) for weight, bias in start)


def axes_beside_conditions(dataset, n_components):
    """Return the principal axes of what conditions leave unexplained, and their effects.

    Parameters
    ----------
    dataset : ArrayDataset
        With conditions.
    n_components : int

    Returns
    -------
    axes : PrincipalAxes or None
    effects : ConditionEffects or None
        Both are None if the samples are beyond float32.
    """
    x, weight = flat_rows(dataset)
    if not x.isfinite().all():
        return None, None
    conditions = evenly_spread(dataset).get_labels(slice(None))
    center = weight @ conditions / weight.sum()
    varying = (conditions - center) * weight[:, None]
    square = varying.t() @ (conditions - center)
    square.diagonal().add_(RIDGE * len(x))
    effects = torch.linalg.solve(square, varying.t() @ (x - weight @ x / weight.sum())).t()
    rest = x - (conditions - center) @ effects.t()
    return principal_axes_of(rest, weight, n_components), ConditionEffects(effects, center)
