"""How long to train by default: what "auto" means.

Small data sets need small batches to get enough steps. Large data sets need large batches to
get enough epochs in acceptable time, and nets whose samples take long need fewer epochs.
"""

from dataclasses import dataclass
from math import ceil, inf, log2


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
    max_work : float, default=inf
        Multiplications to take, where a value that a layer gives counts as 70. One core takes
        20 to 90 seconds for 1e12, depending on the layers.
    """

    batches_per_epoch: int
    batch_sizes: tuple[int, int]
    epochs: tuple[int, int]
    max_steps: int
    max_work: float = inf

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

    def max_epochs(self, max_epochs, n_samples, batch_size, sample_work=0):
        """Return the number of epochs: for "auto" as many as steps and work allow.

        Parameters
        ----------
        max_epochs : int or "auto"
            What the user set.
        n_samples : int
            Number of training samples.
        batch_size : int
            Samples in a batch.
        sample_work : int, default=0
            Multiplications for one sample, counted as those of ``max_work``.

        Returns
        -------
        int
            Epochs to train.
        """
        if max_epochs != "auto":
            return max_epochs
        n_steps = ceil(n_samples / batch_size)
        n_epochs = min(self.max_steps // n_steps, self.max_work // max(1, n_samples * sample_work))
        return _within(self.epochs, int(n_epochs))


def _within(bounds, number):
    low, high = bounds
    return max(low, min(high, number))


#: Chosen with ``benchmarks/bench_tables.py`` as a compromise between many tables, the work with
#: ``benchmarks/bench_defaults.py``.
DEFAULT_BUDGET = TrainingBudget(
    batches_per_epoch=50, batch_sizes=(32, 512), epochs=(4, 100), max_steps=4000, max_work=1e12
)

#: Convolutions learn more from many small steps than from more epochs of large ones, also in time.
IMAGE_BUDGET = TrainingBudget(
    batches_per_epoch=300, batch_sizes=(32, 64), epochs=(4, 100), max_steps=4000, max_work=1e12
)

#: Models that draw rows of tables learn to predict any cells of any others, which takes many
#: epochs of small tables.
ROWS_BUDGET = TrainingBudget(
    batches_per_epoch=100, batch_sizes=(64, 256), epochs=(4, 200), max_steps=3600, max_work=1e12
)


@dataclass(frozen=True)
class TrainingDefaults:
    """How to train an architecture where parameters are "auto".

    Only the translator's optimizer, learning rate and further parameters can be "auto".

    Parameters
    ----------
    optimizer : str or None, default=None
        Name of the optimizer.
    lr : float or None, default=None
        Learning rate.
    budget : TrainingBudget, default=DEFAULT_BUDGET
        Batch size and number of epochs.
    optimizer_params : dict or None, default=None
        Further parameters of the optimizer.
    """

    optimizer: str | None = None
    lr: float | None = None
    budget: TrainingBudget = DEFAULT_BUDGET
    optimizer_params: dict | None = None


#: By kind of input, how to train architectures that do not say so themselves.
_DEFAULTS = {"images": TrainingDefaults(budget=IMAGE_BUDGET)}


def training_defaults(architecture):
    """Return how to train an architecture, a `TrainingDefaults`.

    Parameters
    ----------
    architecture : Architecture
    """
    suits_input = _DEFAULTS.get(architecture.input_kind, TrainingDefaults())
    return architecture.training_defaults or suits_input
