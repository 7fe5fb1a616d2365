"""Processes forked where torch has threads, or other threads fit: they do not hang."""

import copy
import multiprocessing
import os
import signal
import sys
import threading
import time

import numpy as np
import pandas as pd
import pytest
import torch
from joblib import parallel_config

from skae import (
    Autoencoder,
    ConvAutoencoder,
    ImageToImageRegressor,
    OutlierDetector,
    RecurrentAutoencoder,
    TabularAutoencoder,
    fit_many,
)
from skae._runtime import computing, seeded, threads

#: Seconds after which a child that hangs is ended, and the test fails.
PATIENCE = 100

pytestmark = pytest.mark.filterwarnings(
    "ignore:This process .* is multi-threaded:DeprecationWarning"
)


@pytest.fixture(params=[1, 2])
def torch_threads(request):
    """Let torch start its threads, and give their number."""
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    torch.ones(1_000_000).add_(1.0)
    yield request.param
    torch.set_num_threads(before)


def run_in_fork(function, *args):
    """Call a function in a forked process, and return its exit code; None if it hangs."""
    child = multiprocessing.get_context("fork").Process(target=function, args=args)
    child.start()
    child.join(PATIENCE)
    code = child.exitcode
    child.kill()
    child.join()
    return code


def use(models):
    """Apply each fitted model to many samples, and fit it again."""
    for model, X, args in models:
        method = model.transform if hasattr(model, "transform") else model.score_samples
        method(X)
        model.fit(*args)
    assert torch.get_num_threads() == 1


def test_a_forked_process_fits_and_transforms(torch_threads, fast, rng):
    n, one = 20_000, fast | {"max_epochs": 1, "early_stopping": False}
    rows, images = rng.standard_normal((n, 10), np.float32), rng.random((n // 10, 8, 8))
    table = pd.DataFrame(rows[:, :2]).assign(kind=pd.Categorical(rng.choice(list("xyz"), n)))
    series = rng.random((n // 10, 10, 2))
    autoencoders = [
        (Autoencoder(**one), rows),
        (Autoencoder(**one), rows.astype(np.float64)),
        (TabularAutoencoder(**one), table.rename(columns=str)),
        (ConvAutoencoder(**one), images),
        (RecurrentAutoencoder(**one), series),
        (OutlierDetector(Autoencoder(**one)), rows),
    ]
    models = [(model, X, (X[:200],)) for model, X in autoencoders]
    restorer = ImageToImageRegressor(max_epochs=1, early_stopping=False, check_baseline=False)
    models.append((restorer, images, (images[:50], images[:50])))
    for model, _, args in models:
        model.fit(*args)
    assert run_in_fork(use, models) == 0
    assert torch.get_num_threads() == torch_threads


@pytest.mark.filterwarnings("ignore::skae.exceptions.PoorFitWarning")
def test_the_backend_of_joblib_that_forks(X, fast, torch_threads):
    models = [Autoencoder(**fast | {"n_components": n}) for n in (1, 2)]
    with parallel_config(backend="multiprocessing"):
        there = fit_many(models, X, n_jobs=2)
    for model, here in zip(there, fit_many(models, X), strict=True):
        np.testing.assert_array_equal(model.transform(X), here.transform(X))


def test_threads_of_a_forked_process(torch_threads):
    def in_new_thread():
        thread = threading.Thread(target=multiply)
        thread.start()
        thread.join()

    def multiply():
        with threads(1e12):
            torch.ones(1000, 1000).mm(torch.ones(1000, 1000))
        assert torch.get_num_threads() == 1

    assert run_in_fork(in_new_thread) == 0


def test_a_fork_where_threads_are_limited(torch_threads):
    parent, process = os.getpid(), None
    try:
        with threads(0), threads(1e12):
            process = os.fork()
        if process == 0:
            signal.alarm(PATIENCE)
            torch.ones(1_000_000).add_(1.0)  # hangs if the threads are back
    finally:
        if os.getpid() != parent:  # the child is not to go on with the tests
            os._exit(sys.exc_info()[0] is not None)
    assert os.waitpid(process, 0)[1] == 0
    assert torch.get_num_threads() == torch_threads


def test_a_fork_while_another_thread_copies_the_net(X, fast, monkeypatch):
    """As it does when it first transforms rows of float64."""
    copying, over = threading.Event(), threading.Event()

    def copy_slowly(*args, deepcopy=copy.deepcopy):
        if threading.current_thread() is thread:
            copying.set()
            over.wait(PATIENCE)
        return deepcopy(*args)

    model = Autoencoder(**fast | {"check_baseline": False}).fit(X)
    monkeypatch.setattr(copy, "deepcopy", copy_slowly)
    thread = threading.Thread(target=model.transform, args=(X.astype(np.float64),))
    thread.start()
    copying.wait(PATIENCE)
    code = run_in_fork(model.transform, X.astype(np.float64))
    over.set()
    thread.join()
    assert code == 0


def test_a_fork_waits_for_the_step_of_another_thread():
    """Else torch's inner locks could be held for good in the forked process."""
    inside, steps = threading.Event(), []

    def step():
        with computing, computing:
            inside.set()
            time.sleep(0.1)
            steps.append("done")

    def use_torch():
        assert steps == ["done"]
        with computing:
            Autoencoder(max_epochs=1, check_baseline=False).fit(np.eye(10))

    for _ in range(2):
        thread = threading.Thread(target=step)
        thread.start()
        inside.wait(PATIENCE)
        with computing:  # its own does not count
            code = run_in_fork(use_torch)
        thread.join()
        assert code == 0
        inside.clear()
        steps.clear()


def fit(X, params):
    Autoencoder(**params).fit(X).transform(X)


def test_a_process_forked_during_a_fit_can_fit(X, fast):
    inside, over = threading.Event(), threading.Event()

    def hold():
        with seeded(0, "cpu"):
            inside.set()
            over.wait(PATIENCE)

    holder = threading.Thread(target=hold)
    holder.start()
    inside.wait(PATIENCE)
    code = run_in_fork(fit, X, fast)
    over.set()
    holder.join()
    assert code == 0
