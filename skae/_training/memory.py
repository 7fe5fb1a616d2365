"""Memory that the steps of a training use again and again."""

import os
from contextlib import contextmanager
from ctypes import CDLL
from functools import cache
from threading import Lock

from skae._runtime import computing

#: Parameters of ``mallopt``, from malloc.h.
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
#: The largest thresholds that glibc comes to by itself.
USUAL_TRIM, USUAL_MMAP = 2**26, 2**25
#: The highest threshold of newer versions of glibc, an int; older ones stay at the usual one.
MOST = 2**30

#: Guards the number of trainings that keep memory. No process forks meanwhile.
_LOCK = Lock()
_n_keeping = 0


@contextmanager
def freed_memory_kept():
    """Let the process keep the memory that a step has freed, for the next step.

    A step of a net frees nearly all the memory that it takes. By default, glibc gives most of it
    back to the system, depending on what the process did before. The next step then gets each page
    anew, which can take a third of its time. When the last training ends, the system gets back
    what is free. Threads can be inside at the same time. Other allocators, and one that the user
    has set by environment variables, stay as they are.
    """
    global _n_keeping
    with computing, _LOCK:
        _n_keeping += 1
        _set_mallopt(trim=-1, mmap=MOST)
    try:
        yield
    finally:
        with computing, _LOCK:
            _n_keeping -= 1
            if not _n_keeping:
                _set_mallopt(trim=USUAL_TRIM, mmap=USUAL_MMAP)
                _glibc().malloc_trim(USUAL_TRIM)


def _set_mallopt(trim, mmap):
    mallopt = _glibc().mallopt
    mallopt(TRIM_THRESHOLD, trim)
    mallopt(MMAP_THRESHOLD, mmap) or mallopt(MMAP_THRESHOLD, USUAL_MMAP)


class _LeftAlone:
    """In place of glibc where its malloc stays as it is."""

    @staticmethod
    def mallopt(parameter, value):
        return 1

    @staticmethod
    def malloc_trim(pad):
        return 0


@cache
def _glibc():
    """Return the functions of glibc that set malloc, or such that do nothing."""
    if any(name.startswith(("MALLOC_", "GLIBC_TUNABLES")) for name in os.environ):
        return _LeftAlone
    try:
        functions = CDLL(None)
        return functions if functions["mallopt"] and functions["malloc_trim"] else _LeftAlone
    except (TypeError, OSError, AttributeError):  # not glibc
        return _LeftAlone
