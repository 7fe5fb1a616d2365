"""How long to train by default: what "auto" means.

Small tables need small batches for enough steps, large ones need large batches for
enough epochs in bearable time. The numbers are the result of
``tests/benchmarks/bench_tables.py`` over many tables at once.
"""

from math import ceil, log2

MIN_BATCH, MAX_BATCH = 32, 512
BATCHES_PER_EPOCH = 50
MIN_EPOCHS, MAX_EPOCHS = 4, 100
MAX_STEPS = 4000
#: Figures of a fit are of no more rows than these.
MAX_DESCRIBED_ROWS = 100_000
#: Fewer samples than this are too few to hold some out.
MIN_HOLD_OUT = 20


def batch_size(batch_size, n_samples):
    """Return the batch size: for "auto" the power of 2 next to ``n_samples / 50``, bounded."""
    if batch_size != "auto":
        return int(batch_size)
    exponent = round(log2(n_samples / BATCHES_PER_EPOCH))
    return max(MIN_BATCH, min(MAX_BATCH, 2 ** max(exponent, 0)))


def max_epochs(max_epochs, n_samples, batch_size):
    """Return the number of epochs: for "auto" as many as 4,000 steps make, from 4 to 100."""
    if max_epochs != "auto":
        return max_epochs
    steps = ceil(n_samples / batch_size)
    return max(MIN_EPOCHS, min(MAX_EPOCHS, MAX_STEPS // steps))
