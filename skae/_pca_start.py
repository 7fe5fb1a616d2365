"""Start a net at the principal components of its data."""

import torch

MAX_ROWS = 5_000
MAX_ELEMENTS = 2**23


def start_at_pca(encoder, decoder, n_components, rows):
    """Make encoder and decoder the best linear ones, if both have a method ``start_at``.

    What training adds from there on is what PCA cannot. The components are those of at
    most 5,000 rows.

    Parameters
    ----------
    encoder, decoder : nn.Module
        For instance `skae.architectures.Shortcut`.
    n_components : int
    rows : Rows
    """
    if not (hasattr(encoder, "start_at") and hasattr(decoder, "start_at")):
        return
    (n_features,) = rows.sample_shape
    n_rows = min(len(rows), MAX_ROWS, max(2, MAX_ELEMENTS // n_features))
    x, weight = rows.spread(n_rows).take(slice(None), torch.float32)
    if not x.isfinite().all():  # beyond float32: training will say so
        return
    weight = x.new_ones(len(x)) if weight is None else weight
    mean = weight @ x / weight.sum()
    x = (x - mean) * weight[:, None].sqrt()
    # A few components more than needed make the needed ones exact enough.
    n_sought = min(n_components + 10, *x.shape)
    components = torch.svd_lowrank(x, n_sought, niter=2)[2].t()[:n_components]
    decoder_weight = x.new_zeros(n_features, n_components)
    decoder_weight[:, : len(components)] = components.t()
    encoder.start_at(components, -components @ mean)
    decoder.start_at(decoder_weight, mean)
