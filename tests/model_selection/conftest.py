import pytest

from skae import Autoencoder
from skae._training.stack import Stack
from skae.architectures import Dense


@pytest.fixture
def net(fast):
    return Autoencoder(architecture=Dense((8,))).set_params(**fast)


@pytest.fixture
def labels(X):
    return (X[:, 0] > 0).astype(int)


@pytest.fixture
def stack_sizes(monkeypatch):
    """Records how many nets each stack has."""
    sizes, init = [], Stack.__init__

    def record(self, runs):
        sizes.append(len(runs))
        init(self, runs)

    monkeypatch.setattr(Stack, "__init__", record)
    return sizes
