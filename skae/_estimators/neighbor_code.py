"""Codes that keep neighbors, and what linear maps make of them."""

from dataclasses import replace
from math import inf

from skae._data.neighbors import nearest_neighbors
from skae._estimators.parameters import estimator
from skae._modules.autoencoder import start_loss
from skae._params import ParameterMixin, integer, real
from skae.architectures._base import start_hooks
from skae.architectures._training_defaults import TrainingBudget
from skae.bottlenecks import NeighborBottleneck
from skae.exceptions import UnusedParameterWarning, warn

#: How long to train by pairs of neighbors, with two steps for each of these: each sample is the
#: first of a pair once in an epoch. Large batches have many others to tell a neighbor from.
NEIGHBOR_BUDGET = TrainingBudget(
    batches_per_epoch=50, batch_sizes=(256, 512), epochs=(4, 500), max_steps=1250
)


@estimator
class NeighborCode(ParameterMixin):
    """What training asks of the code beside the reconstruction."""

    linear_fraction: float = 0.0
    neighbor_weight: float = 0.0
    n_neighbors: int = 15

    _parameter_constraints = {
        "linear_fraction": [real(0, 1)],
        "neighbor_weight": [real(0)],
        "n_neighbors": [integer(1)],
    }

    @property
    def _keeps_neighbors(self):
        return self.neighbor_weight > 0

    def _without_effect(self):
        reasons = super()._without_effect()
        if self._keeps_neighbors:
            reason = f"neighbor_weight={self.neighbor_weight!r}, which keeps the last weights"
            return reasons | {"patience": reason}
        return reasons | {"n_neighbors": "neighbor_weight=0"}

    def _parameters_of_the_net(self):
        names = "linear_fraction", "neighbor_weight"
        return super()._parameters_of_the_net() | {name: getattr(self, name) for name in names}

    @property
    def _min_hold_out(self):
        return inf if self._keeps_neighbors else super()._min_hold_out

    @property
    def _restores_best(self):
        # Early epochs, at PCA, may reconstruct best.
        return super()._restores_best and not self._keeps_neighbors

    def _training_defaults(self):
        defaults = super()._training_defaults()
        return replace(defaults, budget=NEIGHBOR_BUDGET) if self._keeps_neighbors else defaults

    def _check_streamable(self):
        super()._check_streamable()
        if self._keeps_neighbors:
            raise ValueError(
                f"neighbor_weight={self.neighbor_weight!r} looks for neighbors among all samples, "
                "which fit_batches never has at once. Set neighbor_weight=0, or call fit on a part "
                "of the samples."
            )

    def _training_samples(self, dataset):
        if not self._keeps_neighbors:
            return dataset
        return dataset.with_neighbors(nearest_neighbors(dataset, self.n_neighbors))

    def _make_bottleneck(self, n_components, sample_shape):
        if self._keeps_neighbors:
            return NeighborBottleneck(self.neighbor_weight)
        return super()._make_bottleneck(n_components, sample_shape)

    def _make_module(self, dataset):
        module, n_components = super()._make_module(dataset)
        self._use_linear_alone(module)
        if self._keeps_neighbors:
            module.bottleneck.set_start_loss(start_loss(module, dataset))
        return module, n_components

    def _use_linear_alone(self, module):
        fraction = self.linear_fraction
        has_effect = not fraction or start_hooks(module.decoder).use_linear_alone(fraction)
        if not has_effect and fraction != type(self).linear_fraction:
            warn(
                f"linear_fraction={fraction} has no effect, as the decoder has no dense layers "
                "with a linear shortcut. Leave it out, or choose such an architecture.",
                UnusedParameterWarning,
            )

    def _parts_to_renew(self, dataset):
        parts = super()._parts_to_renew(dataset)
        del parts["bottleneck"]  # none of its parameters can change
        return parts
