"""How long to train by default: what "auto" means.

Small data sets need small batches for enough steps, large ones need large batches for
enough epochs in bearable time.
"""

from dataclasses import dataclass
from math import ceil, log2


@dataclass(frozen=True)
class TrainingBudget:
    """What a kind of data takes.

    Parameters
    ----------
    batches_per_epoch : int
        How many batches to aim at.
    batch_sizes, epochs : tuple (fewest, most)
        Bounds.
    max_steps : int
        Steps of the optimizer to take.
    """

    batches_per_epoch: int
    batch_sizes: tuple[int, int]
    epochs: tuple[int, int]
    max_steps: int

    def batch_size(self, batch_size, n_samples):
        """Return the batch size: for "auto" a power of 2."""
        if batch_size != "auto":
            return int(batch_size)
        exponent = round(log2(n_samples / self.batches_per_epoch))
        return _within(self.batch_sizes, 2 ** max(exponent, 0))

    def max_epochs(self, max_epochs, n_samples, batch_size):
        """Return the number of epochs: for "auto" as many as the steps make."""
        if max_epochs != "auto":
            return max_epochs
        return _within(self.epochs, self.max_steps // ceil(n_samples / batch_size))


def _within(bounds, number):
    low, high = bounds
    return max(low, min(high, number))


@dataclass(frozen=True)
class TrainingDefaults:
    """How to train an architecture where "auto" is asked for.

    Parameters
    ----------
    optimizer : str
    lr : float
    budget : TrainingBudget
    optimizer_params : dict
    """

    optimizer: str
    lr: float
    budget: TrainingBudget
    optimizer_params: dict


#: The result of ``benchmarks/bench_tables.py`` over many tables at once.
DEFAULT_BUDGET = TrainingBudget(
    batches_per_epoch=50, batch_sizes=(32, 512), epochs=(4, 100), max_steps=4000
)
