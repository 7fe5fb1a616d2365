import pytest


@pytest.fixture(autouse=True)
def closed_figures():
    """Close the figures of a test."""
    from matplotlib import pyplot as plt

    yield
    plt.close("all")
