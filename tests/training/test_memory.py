"""Steps of a net take the memory of the steps before again, and other settings stay."""

import os
import platform
import subprocess
import sys

import pytest

from skae._training import memory
from skae._training.memory import (
    MMAP_THRESHOLD,
    MOST,
    TRIM_THRESHOLD,
    USUAL_MMAP,
    USUAL_TRIM,
    freed_memory_kept,
)

PROGRAM = """
from resource import RUSAGE_SELF, getrusage
import numpy as np
from skorch.callbacks import Callback
from skae import ConvAutoencoder

class Faults(Callback):
    in_epochs = ()

    def on_epoch_begin(self, net, **kwargs):
        self.before = getrusage(RUSAGE_SELF).ru_minflt

    def on_epoch_end(self, net, **kwargs):
        self.in_epochs += (getrusage(RUSAGE_SELF).ru_minflt - self.before,)

images = np.random.default_rng(0).random((640, 28, 28), "float32")
faults = Faults()
ConvAutoencoder(
    4, (32, 32), code="spatial", batch_size=128, max_epochs=5, early_stopping=False,
    mixed_precision=False, check_baseline=False, random_state=0, downsampling="max_pool",
    callbacks=[faults],
).fit(images)
print(min(faults.in_epochs))
"""


class Glibc:
    """A glibc that takes all thresholds up to a highest one."""

    def __init__(self, highest=MOST):
        self.highest, self.thresholds, self.n_trims = highest, {}, 0

    def mallopt(self, parameter, value):
        if value > self.highest:
            return 0
        self.thresholds[parameter] = value
        return 1

    def malloc_trim(self, pad):
        assert pad == USUAL_TRIM
        self.n_trims += 1
        return 1


@pytest.fixture
def glibc(monkeypatch):
    glibc = Glibc()
    monkeypatch.setattr(memory, "_glibc", lambda: glibc)
    return glibc


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other allocators stay as they are")
def test_steps_get_no_new_pages():
    set_by_user = "LD_PRELOAD", "GLIBC_TUNABLES", "MALLOC_"
    env = {name: v for name, v in os.environ.items() if not name.startswith(set_by_user)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, env=env, check=True
    )
    # Five steps, of some 25,000 pages each. Without what is tested, a third of them were new in
    # every epoch. The least is taken, as the system may reclaim pages in any one.
    assert int(done.stdout) < 2000


KEPT = {TRIM_THRESHOLD: -1, MMAP_THRESHOLD: MOST}
USUAL = {TRIM_THRESHOLD: USUAL_TRIM, MMAP_THRESHOLD: USUAL_MMAP}


def test_memory_is_given_back_when_the_last_training_ends(glibc):
    with freed_memory_kept():
        with freed_memory_kept():
            assert glibc.thresholds == KEPT
        assert glibc.thresholds == KEPT
        assert glibc.n_trims == 0
    assert glibc.thresholds == USUAL
    assert glibc.n_trims == 1


def test_memory_is_given_back_after_an_error(glibc):
    with pytest.raises(KeyboardInterrupt), freed_memory_kept():
        raise KeyboardInterrupt
    assert glibc.thresholds == USUAL
    assert glibc.n_trims == 1


def test_older_versions_get_the_highest_threshold_they_take(glibc):
    glibc.highest = USUAL_TRIM - 1
    with freed_memory_kept():
        assert glibc.thresholds == {TRIM_THRESHOLD: -1, MMAP_THRESHOLD: USUAL_MMAP}


@pytest.mark.parametrize("name", ["MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES"])
def test_settings_of_the_user_stay(monkeypatch, name):
    def load(path):
        raise AssertionError("malloc would be set")

    monkeypatch.setattr(memory, "CDLL", load)
    monkeypatch.setenv(name, "1")
    memory._glibc.cache_clear()
    with freed_memory_kept():
        pass
    memory._glibc.cache_clear()


@pytest.mark.parametrize("error", [TypeError, OSError, AttributeError])
def test_systems_without_glibc(monkeypatch, error):
    def load(path):
        raise error

    for name in os.environ:
        if name.startswith(("MALLOC_", "GLIBC_TUNABLES")):
            monkeypatch.delenv(name)
    monkeypatch.setattr(memory, "CDLL", load)
    memory._glibc.cache_clear()
    with freed_memory_kept():
        pass
    memory._glibc.cache_clear()
