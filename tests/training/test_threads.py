"""Fits in threads: none waits for another one, and each gives the same bits as alone."""

import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback
from torch.utils._python_dispatch import TorchDispatchMode

from skae import (
    Autoencoder,
    ConvAutoencoder,
    DenoisingAutoencoder,
    EnsembleAutoencoder,
    OutlierDetector,
    RecurrentAutoencoder,
    SparseAutoencoder,
    TabularAutoencoder,
    VariationalAutoencoder,
    fit_many,
)
from skae._runtime import TorchGenerators, seeded, threads
from skae.architectures import Dense
from skae.exceptions import PoorFitWarning

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
    vae, tabular = VariationalAutoencoder(**fast).fit(X), TabularAutoencoder(**fast).fit(X)
    sampled = vae.sample(3, random_state=0)
    calls = {
        "transform": lambda: vae.transform(X.astype(np.float64)),
        "score_samples": lambda: vae.score_samples(X),
        "sample": lambda: vae.sample(3, random_state=0),
        "impute": lambda: tabular.impute(np.where(X > 1, np.nan, X)),
        "fit_many": lambda: fit_many([Autoencoder(**fast), Autoencoder(**fast)], X),
        "detect": lambda: OutlierDetector(Autoencoder(**fast)).fit(X).predict(X),
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


def test_sampling_does_not_wait_for_a_step(X, fast):
    """Not even for one that draws from torch's own generator, and waits itself."""
    vae = VariationalAutoencoder(**fast).fit(X)
    sampled, answers = vae.sample(3, random_state=0), []

    def waits(x, noise_level):
        with ThreadPoolExecutor() as pool:
            answers.append(pool.submit(vae.sample, 3, random_state=0).result(PATIENCE))
        return shift(x, noise_level)

    model = DenoisingAutoencoder(**fast | {"max_epochs": 1}, corruption=waits)
    model.set_params(check_baseline=False).fit(X)
    np.testing.assert_array_equal(answers[0], sampled)


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


class Threads(TorchDispatchMode):
    """Collects the operations on many numbers that torch may use several threads for."""

    def __init__(self):
        super().__init__()
        self.shared = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        sizes = [x.numel() for x in args if isinstance(x, torch.Tensor)]
        if torch.get_num_threads() > 1 and max(sizes, default=0) > 5_000:
            self.shared.append(str(function))
        return function(*args, **(kwargs or {}))


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


SMALL = {"max_epochs": 2, "random_state": 0}


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        (Autoencoder(**SMALL), "rows"),
        (DenoisingAutoencoder(**SMALL), "rows"),
        (VariationalAutoencoder(**SMALL), "rows"),
        (SparseAutoencoder(**SMALL), "rows"),
        (EnsembleAutoencoder(Autoencoder(**SMALL), 2), "rows"),
        (OutlierDetector(Autoencoder(**SMALL)), "rows"),
        (TabularAutoencoder(**SMALL), "rows"),
        (ConvAutoencoder(**SMALL), "images"),
        (RecurrentAutoencoder(**SMALL), "series"),
        (Autoencoder(optimizer=torch.optim.LBFGS, **SMALL | {"check_baseline": False}), "rows"),
    ],
    ids=lambda given: given if isinstance(given, str) else type(given).__name__,
)
def test_small_fits_take_one_thread(model, kind, two_threads, rng):
    """From reading to the check at the end, so that a busy machine does not slow them down."""
    shapes = {"rows": (400, 30), "images": (150, 8, 8), "series": (150, 30, 3)}
    X = rng.standard_normal(shapes[kind])
    with Threads() as threads, warnings.catch_warnings():
        warnings.simplefilter("ignore", PoorFitWarning)
        model.fit(X)
        model.score_samples(X[:100])
    assert threads.shared == []


@pytest.mark.filterwarnings("ignore::skae.exceptions.PoorFitWarning")
def test_one_step_of_recurrent_layers_decides(rng):
    """Their threads wait for each other at every step, not at the end of a sequence."""
    series = [rng.random((20, n, 1)) for n in (5, 99)]
    nets = [RecurrentAutoencoder(4, max_epochs=1).fit(X).net_.module_ for X in series]
    assert nets[1].n_multiplications < 1.5 * nets[0].n_multiplications


def test_large_nets_take_all_threads(two_threads, rng):
    X = rng.standard_normal((300, 500), np.float32)
    model = Autoencoder(8, max_epochs=1, batch_size=150, early_stopping=False)
    with Threads() as threads:
        model.set_params(architecture=Dense((600,)), check_baseline=False).fit(X)
    assert any("mm" in name for name in threads.shared)
