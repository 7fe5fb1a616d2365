"""Which values of a sample its code depends on. torch only."""

import torch

from skae._data.batches import along, chunks

#: Values of one batch of slopes, at most.
MAX_ELEMENTS = 2**21


def code_importances(module, dataset, n_components, device):
    """Return how much of each code is due to each value of a sample.

    This is the mean square of the derivative of the code by the value, times the variance of the
    value. Those of one code have the sum 1.

    Parameters
    ----------
    module : AutoencoderModule
    dataset : Dataset
        The samples to average over.
    n_components : int
        Length of the code.
    device : torch.device

    Returns
    -------
    tensor of shape (n_components, *sample_shape), float64
        For sequences, (n_components, n_features).
    """
    center, squares, count, parts = dataset.center, 0.0, 0.0, 0.0
    over = (0, 1) if dataset.lengths is not None else (0,)  # samples, and steps
    for _, x, _, weight in chunks(dataset, torch.float32, device):
        weight = (torch.ones(len(x)) if weight is None else weight).double()
        at_once = max(1, MAX_ELEMENTS // (n_components * x[0].numel()))
        for piece, weights in zip(x.split(at_once), weight.split(at_once), strict=True):
            squared = _squared_slopes(module, piece, n_components) * along(weights, piece)
            parts = parts + squared.sum([1 + axis for axis in over])
        x, weight = x.cpu().double(), along(weight, x)
        squares = squares + (weight * (x - center).square()).nansum(over)
        count = count + (weight * ~x.isnan()).sum(over)
    parts = parts * (squares / count).nan_to_num(0.0)
    sums = parts.flatten(1).sum(1)
    parts[sums == 0] = 1.0  # a code that never changes depends on all values alike
    return parts / along(parts.flatten(1).sum(1), parts)


def _squared_slopes(module, x, n_components):
    """Return the squared derivatives of codes by the values, (n_components, *x.shape)."""
    many = x.repeat(n_components, *[1] * (x.ndim - 1)).requires_grad_()
    with torch.backends.cudnn.flags(enabled=False):  # whose layers have derivatives in training
        codes = module.encode(many).view(n_components, len(x), n_components)
        own = codes.diagonal(dim1=0, dim2=2).sum()
        (slopes,) = torch.autograd.grad(own, many, allow_unused=True, materialize_grads=True)
    slopes = slopes.cpu().double().nan_to_num(0.0, 0.0, 0.0)
    return slopes.square().view(n_components, *x.shape)
