"""What is read ahead."""

import threading

import pytest

from skae._data.prefetch import prefetched


def test_items_come_in_their_order():
    assert list(prefetched(i for i in range(50))) == list(range(50))
    assert list(prefetched(i for i in ())) == []


def test_few_are_made_ahead():
    made = []

    def items():
        for i in range(20):
            made.append(i)
            yield i

    ahead = []
    for i in prefetched(items(), n_ahead=2):
        ahead.append(len(made) - i - 1)
    assert max(ahead) <= 3


def test_an_error_comes_in_the_place_of_its_item():
    def items():
        yield 1
        raise LookupError("no more")

    seen = []
    with pytest.raises(LookupError, match="no more"):
        seen += prefetched(items())
    found = prefetched(items())
    assert next(found) == 1
    with pytest.raises(LookupError, match="no more"):
        next(found)


def test_who_stops_early_ends_the_thread_and_closes_the_items():
    closed = threading.Event()

    def items():
        try:
            yield from range(100)
        finally:
            closed.set()

    n_threads = threading.active_count()
    found = prefetched(items())
    next(found)
    found.close()
    assert closed.is_set()
    assert threading.active_count() == n_threads
