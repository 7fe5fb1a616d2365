"""How long to train by default: what "auto" means.

Small data sets need small batches to get enough steps. Large data sets need large batches to
get enough epochs in acceptable time.
"""

from dataclasses import dataclass
from math import ceil, log2


@dataclass(frozen=True)
class TrainingBudget:
    """How much training a kind of data needs.

    Parameters
    ----------
    batches_per_epoch : int
        Number of batches to aim at.
    batch_sizes, epochs : tuple (fewest, most)
        Bounds of the batch size and of the number of epochs.
    max_steps : int
        Steps of the optimizer to take.
    """

    batches_per_epoch: int
    batch_sizes: tuple[int, int]
    epochs: tuple[int, int]
    max_steps: int

    def batch_size(self, batch_size, n_samples):
        """Return the batch size: for "auto" a power of 2.

        Parameters
        ----------
        batch_size : int or "auto"
            What the user set.
        n_samples : int
            Number of training samples.

        Returns
        -------
        int
            Samples in a batch.
        """
        if batch_size != "auto":
            return int(batch_size)
        exponent = round(log2(n_samples / self.batches_per_epoch))
        return _within(self.batch_sizes, 2 ** max(exponent, 0))

    def max_epochs(self, max_epochs, n_samples, batch_size):
        """Return the number of epochs: for "auto" as many as ``max_steps`` allows.

        Parameters
        ----------
        max_epochs : int or "auto"
            What the user set.
        n_samples : int
            Number of training samples.
        batch_size : int
            Samples in a batch.

        Returns
        -------
        int
            Epochs to train.
        """
        if max_epochs != "auto":
            return max_epochs
        return _within(self.epochs, self.max_steps // ceil(n_samples / batch_size))


def _within(bounds, number):
    low, high = bounds
    return max(low, min(high, number))


@dataclass(frozen=True)
class TrainingDefaults:
    """How to train an architecture where parameters are "auto".

    Parameters
    ----------
    optimizer : str
        Name of the optimizer.
    lr : float
        Learning rate.
    budget : TrainingBudget
        Batch size and number of epochs.
    optimizer_params : dict
        Further parameters of the optimizer.
    """

    optimizer: str
    lr: float
    budget: TrainingBudget
    optimizer_params: dict


#: Chosen with ``benchmarks/bench_tables.py`` as a compromise between many tables.
DEFAULT_BUDGET = TrainingBudget(
    batches_per_epoch=50, batch_sizes=(32, 512), epochs=(4, 100), max_steps=4000
)
