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
    def on_epoch_begin(self, net, **kwargs):
        self.before = getrusage(RUSAGE_SELF).ru_minflt

    def on_epoch_end(self, net, **kwargs):
        self.in_epoch = getrusage(RUSAGE_SELF).ru_minflt - self.before

images = np.random.default_rng(0).random((640, 28, 28), "float32")
faults = Faults()
ConvAutoencoder(
    4, (32, 32), code="spatial", batch_size=128, max_epochs=2, early_stopping=False,
    mixed_precision=False, check_baseline=False, random_state=0, downsampling="max_pool",
    callbacks=[faults],
).fit(images)
print(faults.in_epoch)
"""


@pytest.fixture
def thresholds(monkeypatch):
    """The thresholds that are set, by parameter, as of a glibc that takes what it is given."""
    given = {}

    def mallopt(parameter, value):
        given[parameter] = value
        return 1

    monkeypatch.setattr(memory, "_mallopt", lambda: mallopt)
    return given


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other allocators stay as they are")
def test_steps_get_no_new_pages():
    set_by_user = "LD_PRELOAD", "GLIBC_TUNABLES", "MALLOC_"
    env = {name: v for name, v in os.environ.items() if not name.startswith(set_by_user)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, env=env, check=True
    )
    # Five steps, of some 25,000 pages each. Without what is tested, a third of them were new.
    assert int(done.stdout) < 2000


def test_memory_is_given_back_when_the_last_training_ends(thresholds):
    kept = {TRIM_THRESHOLD: -1, MMAP_THRESHOLD: MOST}
    with freed_memory_kept():
        with freed_memory_kept():
            assert thresholds == kept
        assert thresholds == kept
    assert thresholds == {TRIM_THRESHOLD: USUAL_TRIM, MMAP_THRESHOLD: USUAL_MMAP}


def test_memory_is_given_back_after_an_error(thresholds):
    with pytest.raises(KeyboardInterrupt), freed_memory_kept():
        raise KeyboardInterrupt
    assert thresholds == {TRIM_THRESHOLD: USUAL_TRIM, MMAP_THRESHOLD: USUAL_MMAP}


def test_older_versions_get_the_highest_threshold_they_take(monkeypatch):
    taken = []

    def mallopt(parameter, value):
        is_taken = parameter == TRIM_THRESHOLD or value <= USUAL_MMAP
        taken.extend([(parameter, value)] * is_taken)
        return int(is_taken)

    monkeypatch.setattr(memory, "_mallopt", lambda: mallopt)
    with freed_memory_kept():
        assert taken == [(TRIM_THRESHOLD, -1), (MMAP_THRESHOLD, USUAL_MMAP)]


@pytest.mark.parametrize("name", ["MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES"])
def test_settings_of_the_user_stay(monkeypatch, name):
    def load(path):
        raise AssertionError("malloc would be set")

    monkeypatch.setattr(memory, "CDLL", load)
    monkeypatch.setenv(name, "1")
    memory._mallopt.cache_clear()
    with freed_memory_kept():
        pass
    memory._mallopt.cache_clear()


@pytest.mark.parametrize("error", [TypeError, OSError, AttributeError])
def test_systems_without_glibc(monkeypatch, error):
    def load(path):
        raise error

    for name in os.environ:
        if name.startswith(("MALLOC_", "GLIBC_TUNABLES")):
            monkeypatch.delenv(name)
    monkeypatch.setattr(memory, "CDLL", load)
    memory._mallopt.cache_clear()
    with freed_memory_kept():
        pass
    memory._mallopt.cache_clear()
