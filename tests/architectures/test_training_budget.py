"""What "auto" makes of the size of the data and the work of a net."""

import numpy as np
import pytest

from skae import Autoencoder, ConvAutoencoder
from skae.architectures import Conv, Dense, TrainingBudget, TrainingDefaults

BUDGET = TrainingBudget(50, batch_sizes=(32, 512), epochs=(4, 100), max_steps=4000, max_work=1e12)


@pytest.mark.parametrize(
    ("n_samples", "work", "batch_size", "n_epochs"),
    [
        (100, 0, 32, 100),  # the most
        (10_000, 0, 256, 100),  # 4,000 steps of 40 an epoch
        (10_000, 10**6, 256, 100),  # exactly as much work as allowed
        (10_000, 4 * 10**6, 256, 25),
        (10_000, 10**9, 256, 4),  # the fewest
        (100_000, 10**6, 512, 10),
    ],
)
def test_epochs_are_as_many_as_steps_and_work_allow(n_samples, work, batch_size, n_epochs):
    assert BUDGET.batch_size("auto", n_samples) == batch_size
    assert BUDGET.max_epochs("auto", n_samples, batch_size, work) == n_epochs
    assert BUDGET.max_epochs(7, n_samples, batch_size, work) == 7


@pytest.mark.parametrize("resumes", [False, True])
def test_nets_with_more_work_train_for_fewer_epochs(resumes, monkeypatch):
    for architecture in (Conv, Dense):
        monkeypatch.setattr(architecture, "training_defaults", TrainingDefaults(budget=SMALL))
    X = np.random.default_rng(0).random((40, 16, 16))
    models = {
        "dense": Autoencoder(2, random_state=0, check_baseline=False),
        "small": ConvAutoencoder(2, channels=(4,), random_state=0, check_baseline=False),
        "large": ConvAutoencoder(2, channels=(8, 16), random_state=0, check_baseline=False),
    }
    n_epochs = {}
    for name, model in models.items():
        samples = X.reshape(40, -1) if name == "dense" else X
        if resumes:
            model.set_params(warm_start=True).partial_fit(samples)
        before = model.n_iter_ if resumes else 0
        n_epochs[name] = model.fit(samples).n_iter_ - before
    assert n_epochs["dense"] == 20
    assert 20 > n_epochs["small"] > n_epochs["large"] >= 2


#: Steps for 20 epochs of two batches, and work that convolutions exceed.
SMALL = TrainingBudget(1, batch_sizes=(20, 20), epochs=(2, 100), max_steps=40, max_work=1.2e8)
