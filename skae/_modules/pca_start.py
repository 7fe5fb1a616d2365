"""Start a net at the principal components of its data."""

import torch

from skae._modules.alignment import align
from skae._modules.condition_effects import ConditionEffects, axes_beside_conditions
from skae._modules.principal_axes import principal_axes
from skae.architectures._base import hooks, start_hooks


def standardize(encoder, decoder, dataset, is_linear):
    """Let encoder and decoder bring the data to mean 0 and standard deviation 1, if they can.

    Parameters
    ----------
    encoder, decoder : nn.Module
    dataset : ArrayDataset
    is_linear : bool
        Whether the decoder's output is in the units of the data.

    Returns
    -------
    bool
        Whether the encoder does so.
    """
    encoder, decoder = hooks(encoder), hooks(decoder)
    moments = dataset.moments() if encoder.standardizes else None
    if moments is None:
        return False
    encoder.standardize(moments)
    if is_linear:
        decoder.standardize(moments)
    return True


def start_at_pca(encoder, bottleneck, decoder, loss, n_components, dataset, is_standardized=False):
    """Make encoder and decoder the best linear ones, if both can start at linear maps.

    What training adds from there on is what PCA cannot. A loss that learns the variance
    of the noise starts at what the linear model leaves of it. Beside conditions, the principal
    components are those of what these leave unexplained.

    Parameters
    ----------
    encoder, decoder : nn.Module
        For instance `skae.architectures.Shortcut`.
    bottleneck : skae.bottlenecks.Bottleneck
        Says what the best linear ones are.
    loss : skae.losses.Loss
    n_components : int
    dataset : ArrayDataset
    is_standardized : bool, default=False
        Whether encoder and decoder bring the data to mean 0 and standard deviation 1 inside.
    """
    encoder, decoder = start_hooks(encoder), start_hooks(decoder)
    axes = None
    if encoder.alignments and dataset.has_unequal_lengths:
        axes = align(encoder, decoder, dataset, n_components)
    starts_linear = decoder.starts_linear and (encoder.starts_linear or axes is not None)
    if not starts_linear and not loss.learns_variance:
        return
    axes, effects = _axes_and_effects(dataset, n_components, axes)
    if axes is None:
        return
    start = bottleneck.linear_start(axes) if starts_linear else None
    if start is not None:
        start = start if effects is None else effects.added_to(start)
        start = start[0], loss.to_logits(*start[1])
        if is_standardized:
            start = _of_size_1(start, bottleneck, axes)
        start = start if effects is None else effects.centered(start)
        encoder.start_at(*start[0])
        decoder.start_at(*start[1])
    is_linear = start is not None and encoder.starts_linear
    loss.start_at(axes.noise_variance if is_linear else axes.mean_variance)


def _axes_and_effects(dataset, n_components, aligned):
    """Return principal axes, if there are no aligned ones, and the effects of conditions."""
    n_conditions = dataset.n_conditions
    if aligned is not None:
        n_features = len(aligned.mean)
        return aligned, ConditionEffects.none(n_features, n_conditions) if n_conditions else None
    if n_conditions:
        return axes_beside_conditions(dataset, n_components)
    return principal_axes(dataset, n_components), None


def _of_size_1(start, bottleneck, axes):
    """Return a start with codes of the size that layers inside encoder and decoder expect."""
    (weight, bias), (decoder_weight, decoder_bias) = start
    if bottleneck.centers_input:  # outside of other encoders
        bias = bias - weight @ axes.mean
    size = axes.variances.mean().sqrt() if bottleneck.is_scale_free else 1.0
    size = size if size > 0 else 1.0
    codes = decoder_weight[:, : len(axes.components)] * size
    decoder_weight = torch.cat([codes, decoder_weight[:, len(axes.components) :]], 1)
    return (weight / size, bias / size), (decoder_weight, decoder_bias)
