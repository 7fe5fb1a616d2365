"""Fits in threads: none waits for another one, and each gives the same bits as alone."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback

from skae import (
    Autoencoder,
    ConvAutoencoder,
    DenoisingAutoencoder,
    VariationalAutoencoder,
)
from skae._runtime import TorchGenerators, seeded, threads

#: Seconds after which a thread that waits for another one gives up, and the test fails.
PATIENCE = 60


def shift(x, noise_level):
    return x + noise_level * torch.randn(len(x), 1)


def gradients_of_noise(prediction, target):
    return (prediction - target).square() * torch.rand_like(target)


class Meet(Callback):
    """Waits after each epoch until the other fits are there as well."""

    def __init__(self, barrier=None):
        self.barrier = barrier

    def on_epoch_end(self, net, **kwargs):
        self.barrier.wait(PATIENCE)


def test_fits_run_beside_each_other(X, fast, rng):
    images = rng.random((20, 8, 8))

    def models():
        return [
            (Autoencoder(**fast), X),
            (DenoisingAutoencoder(**fast, corruption=shift), X),
            (Autoencoder(**fast, loss=gradients_of_noise), X),
            (ConvAutoencoder(**fast, dropout=0.3), images),
        ]

    alone = [model.fit(data).transform(data) for model, data in models()]
    meet, beside = [Meet(threading.Barrier(4))], models()
    with ThreadPoolExecutor(4) as pool:
        fits = [pool.submit(m.set_params(callbacks=meet).fit, data) for m, data in beside]
    for fit, (_, data), expected in zip(fits, beside, alone, strict=True):
        np.testing.assert_array_equal(fit.result().transform(data), expected)


def test_other_calls_do_not_wait_for_a_fit(X, fast):
    vae = VariationalAutoencoder(**fast).fit(X)
    sampled = vae.sample(3, random_state=0)
    calls = {
        "transform": lambda: vae.transform(X),
        "sample": lambda: vae.sample(3, random_state=0),
        "fit": lambda: Autoencoder(**fast).fit(X),
        "partial_fit": lambda: Autoencoder(**fast).partial_fit(X),
    }
    answers = {}

    class Call(Callback):
        """Calls other models from other threads, and waits for them."""

        def on_epoch_begin(self, net, **kwargs):
            self.call()

        def on_batch_begin(self, net, **kwargs):
            self.call()

        def call(self):
            with ThreadPoolExecutor() as pool:
                running = {name: pool.submit(call) for name, call in calls.items()}
                answers.update({n: call.result(PATIENCE) for n, call in running.items()})

    model = DenoisingAutoencoder(**fast | {"max_epochs": 1}, corruption=shift)
    model.set_params(callbacks=[Call()], batch_size=60).fit(X)
    np.testing.assert_array_equal(answers["sample"], sampled)
    expected = Autoencoder(**fast).fit(X).transform(X)
    np.testing.assert_array_equal(answers["fit"].transform(X), expected)


def test_generators_of_two_trainings():
    """Each draws what it would draw alone, and torch's own generator goes on as before."""
    torch_alone = torch.Generator().manual_seed(5)
    with seeded(5, "cpu"):
        first, second = TorchGenerators(1, "cpu"), TorchGenerators(2, "cpu")
        drawn = {1: [], 2: [], None: []}
        for _ in range(3):
            for seed, own in ((1, first), (2, second)):
                with own.taken():
                    drawn[seed].append(torch.rand(2))
            with first.lent():
                drawn[1].append(torch.rand(2))
                for borrowed in (second.lent(), second.taken()):
                    with borrowed:
                        drawn[2].append(torch.rand(2))
                drawn[1].append(torch.rand(2))
            drawn[None].append(torch.rand(2))
    for seed, values in drawn.items():
        alone = torch_alone if seed is None else torch.Generator().manual_seed(seed)
        assert torch.equal(torch.cat(values), torch.rand(2 * len(values), generator=alone))


@pytest.mark.parametrize("allowed", [1, 2])
def test_large_nets_have_all_threads_while_small_ones_train(allowed):
    before = torch.get_num_threads()
    torch.set_num_threads(allowed)
    seen = []

    def large():
        with threads(1e12):
            seen.append(torch.get_num_threads())

    with threads(0):
        assert torch.get_num_threads() == 1
        thread = threading.Thread(target=large)
        thread.start()
        thread.join(PATIENCE)
        with threads(1e12):
            assert torch.get_num_threads() == allowed
        assert torch.get_num_threads() == 1
    assert seen == [allowed]
    assert torch.get_num_threads() == allowed
    torch.set_num_threads(before)
