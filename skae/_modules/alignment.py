"""Line up sequences of unequal lengths for linear maps. torch only."""

import torch

from skae._modules.principal_axes import evenly_spread, principal_axes_of
from skae.architectures._recurrent_layers import Steps


def align(encoder, decoder, dataset, n_components):
    """Let linear maps see sequences in the way in which they restore most.

    Parameters
    ----------
    encoder, decoder : Layer
    dataset : SequenceDataset
    n_components : int

    Returns
    -------
    PrincipalAxes or None
        Those of the sequences in this way; None if they are beyond float32.
    """
    x, weight = evenly_spread(dataset).get_batch(slice(None), torch.float32)
    weight = x.new_ones(len(x)) if weight is None else weight
    steps, center = Steps(x), dataset.center.to(x)
    size = (x - center).abs().nan_to_num(0.0).max()  # else squares may be infinite

    def sum_of_squares(residual):
        return weight @ (residual / size).square().nansum((1, 2))

    total, fits = sum_of_squares(x - center), []
    for alignment in encoder.alignments:
        rows = alignment.rows(x, steps, dataset.sample_shape[0])
        rows = torch.where(rows.isnan(), _mean(rows, weight, center), rows)
        axes = principal_axes_of(rows.flatten(1), weight, n_components)
        if axes is None:
            return None
        codes = (rows.flatten(1) - axes.mean) @ axes.components.t()
        restored = (axes.mean + codes @ axes.components).view_as(rows)
        error = sum_of_squares(x - alignment.sequences(restored, steps))
        fits.append((float(1 - error / total) if total > 0 else 1.0, alignment, axes))
    fraction, alignment, axes = max(fits, key=lambda fit: fit[0])
    encoder.align(alignment, axes.mean, fraction)
    decoder.align(alignment, axes.mean, fraction)
    return axes


def _mean(rows, weight, center):
    """Return the mean of what is known of each step, that of all steps where nothing is."""
    count = weight @ (~rows.isnan()).to(rows).flatten(1)
    mean = weight @ (rows - center).nan_to_num(0.0).flatten(1) / count.clamp_min(1e-9)
    return center + mean.view_as(rows[0])
