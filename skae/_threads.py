"""How many threads torch uses."""

from contextlib import contextmanager

import torch

#: Below so many multiplications in a forward pass, a second thread costs more than it gives.
ONE_THREAD_WORK = 5e7


@contextmanager
def threads(work):
    """Use one thread for a while if the work is small.

    Small nets then also give the same bits whatever the number of threads allowed.

    Parameters
    ----------
    work : int
        Multiplications in one forward pass.
    """
    before = torch.get_num_threads()
    if work < ONE_THREAD_WORK:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
