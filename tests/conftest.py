import signal

import matplotlib as mpl
import numpy as np
import pytest
import torch
from sklearn.datasets import load_breast_cancer
from sklearn.preprocessing import StandardScaler

mpl.use("agg")
torch.set_num_threads(1)  # test runners share the cores


@pytest.fixture(scope="session")
def X():
    """120 standardized rows of 10 measurements, read-only so that no test changes them."""
    X = StandardScaler().fit_transform(load_breast_cancer().data)[:120, :10]
    X.setflags(write=False)
    return X


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def fast():
    """Parameters that train on all rows in a fraction of a second."""
    return {
        "n_components": 3,
        "max_epochs": 3,
        "lr": 1e-3,
        "lr_schedule": None,
        "early_stopping": False,
        "random_state": 0,
        "check_baseline": False,
    }


@pytest.fixture
def sigint():
    """Lets SIGINT interrupt, as Ctrl+C does, where the tests run with it ignored."""
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, handler)
