"""What comes next is made while something is done with what came before."""

from contextlib import closing
from queue import Full, Queue
from threading import Event, Thread

#: Seconds after which a thread that waits looks whether it is still wanted.
PATIENCE = 0.1


def prefetched(items, n_ahead=2):
    """Yield what an iterator gives, which a thread asks for ahead.

    An error of the iterator is raised where its item would come. If the consumer stops early, the
    thread ends.

    Parameters
    ----------
    items : generator
    n_ahead : int, default=2
        How many items wait at most.
    """
    ahead, is_over, end = Queue(n_ahead), Event(), object()
    thread = Thread(target=_fetch, args=(items, ahead, is_over, end), daemon=True)
    thread.start()
    try:
        while True:
            item, error = ahead.get()
            if error is not None:
                raise error
            if item is end:
                return
            yield item
    finally:
        is_over.set()
        thread.join()


def _fetch(items, ahead, is_over, end):
    """Put items into a queue, until there are no more or nobody wants them."""
    with closing(items):
        try:
            for item in items:
                if not _put((item, None), ahead, is_over):
                    return
            _put((end, None), ahead, is_over)
        except BaseException as error:  # raised again where the item is awaited
            _put((None, error), ahead, is_over)


def _put(item, ahead, is_over):
    """Put an item into a queue, and return whether it is wanted."""
    while not is_over.is_set():
        try:
            ahead.put(item, timeout=PATIENCE)
            return True
        except Full:
            continue
    return False
