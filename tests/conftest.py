import os
import signal

import matplotlib as mpl
import numpy as np
import pytest
import torch
from hypothesis import settings
from sklearn.datasets import load_breast_cancer
from sklearn.preprocessing import StandardScaler

mpl.use("agg")
torch.set_num_threads(1)  # test runners share the cores

#: Fixtures have no doctests, and several files of one name would be taken for one.
collect_ignore_glob = ["*/conftest.py"]

settings.register_profile("default", deadline=None, derandomize=True, max_examples=30)
settings.register_profile("thorough", deadline=None, max_examples=1000)
settings.load_profile("default")


@pytest.fixture(scope="session")
def X():
    """120 standardized rows of 10 measurements, read-only so that no test changes them."""
    X = StandardScaler().fit_transform(load_breast_cancer().data)[:120, :10]
    X.setflags(write=False)
    return X


#: Which seeds tests run with: a number, a range such as "0-19", "all" (0 to 99), or "any".
SEED_VARIABLE = "SKAE_TESTS_GLOBAL_RANDOM_SEED"


def read_seeds(text):
    """Return the seeds that a text asks for."""
    if text == "any":
        return [int.from_bytes(os.urandom(2)) % 100]
    first, _, last = ("0-99" if text == "all" else text).partition("-")
    try:
        seeds = list(range(int(first), int(last or first) + 1))
    except ValueError:
        seeds = []
    if not seeds:
        raise pytest.UsageError(f'{SEED_VARIABLE} must be like "7", "0-19", "all" or "any": {text}')
    return seeds


SEEDS = read_seeds(os.environ.get(SEED_VARIABLE, "0"))
if len(SEEDS) == 1:  # workers of pytest-xdist take the same
    os.environ[SEED_VARIABLE] = str(SEEDS[0])


def pytest_report_header():
    return f"{SEED_VARIABLE}: {SEEDS[0]}" + (f" to {SEEDS[-1]}" if len(SEEDS) > 1 else "")


def pytest_collection_modifyitems(config, items):
    """Leave out tests without a seed where there are many: one run says all of them."""
    if len(SEEDS) == 1:
        return
    by_seed = {True: [], False: []}
    for item in items:
        by_seed["global_random_seed" in getattr(item, "fixturenames", ())].append(item)
    config.hook.pytest_deselected(items=by_seed[False])
    items[:] = by_seed[True]


@pytest.fixture(scope="session", params=SEEDS if len(SEEDS) > 1 else None)
def global_random_seed(request):
    """Seed of data and of training: what a test asserts must hold for each."""
    return getattr(request, "param", SEEDS[0])


@pytest.fixture
def rng(global_random_seed):
    return np.random.default_rng(global_random_seed)


@pytest.fixture
def fast(global_random_seed):
    """Parameters that train on all rows in a fraction of a second."""
    return {
        "n_components": 3,
        "max_epochs": 3,
        "lr": 1e-3,
        "lr_schedule": None,
        "early_stopping": False,
        "random_state": global_random_seed,
        "check_baseline": False,
    }


@pytest.fixture
def sigint():
    """Lets SIGINT interrupt, as Ctrl+C does, where the tests run with it ignored."""
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, handler)
