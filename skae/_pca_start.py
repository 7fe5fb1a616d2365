"""Start a net at the principal components of its data."""

import torch

from skae.architectures._dense import Shortcut

MAX_ROWS = 10_000
MAX_ELEMENTS = 2**23


def start_at_pca(encoder, decoder, rows):
    """Make encoder and decoder the best linear ones, if both have a shortcut.

    What training adds from there on is what PCA cannot. The components are those of at
    most 10,000 rows.

    Parameters
    ----------
    encoder, decoder : nn.Module
    rows : Rows
    """
    if not isinstance(encoder, Shortcut) or not isinstance(decoder, Shortcut):
        return
    n_rows = min(len(rows), MAX_ROWS, max(2, MAX_ELEMENTS // rows.sample_shape[0]))
    spread = torch.linspace(0, len(rows) - 1, n_rows).long().numpy()
    x, weight = rows.select(spread).take(slice(None), torch.float32)
    weight = torch.ones(n_rows) if weight is None else weight
    mean = weight @ x / weight.sum()
    x = (x - mean) * weight[:, None].sqrt()
    n_components = min(n_rows, *decoder.linear.weight.shape)
    # A few components more than needed make the needed ones exact enough.
    n_sought = min(n_components + 10, *x.shape)
    components = torch.svd_lowrank(x, n_sought, niter=4)[2][:, :n_components].t()
    encoder_weight = encoder.linear.weight.detach().clone()
    decoder_weight = torch.zeros_like(decoder.linear.weight)
    encoder_weight[:n_components] = components
    decoder_weight[:, :n_components] = components.t()
    encoder.start_at(encoder_weight, -encoder_weight @ mean)
    decoder.start_at(decoder_weight, mean)
