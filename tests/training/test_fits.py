"""Many fits at once: each ends up as if fitted alone, whatever the others do."""

import copy
import pickle
import re
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from scipy import sparse
from sklearn.base import clone
from sklearn.decomposition import PCA
from skorch.callbacks import Callback, EarlyStopping, Freezer, LRScheduler, Unfreezer
from torch import nn, optim

import skae._training.fits
import skae._training.stack
from skae import (
    Autoencoder,
    BatchedGridSearchCV,
    BatchedHalvingGridSearchCV,
    ConvAutoencoder,
    DenoisingAutoencoder,
    ImageToImageRegressor,
    RecurrentAutoencoder,
    Seq2SeqTranslator,
    SparseAutoencoder,
    VariationalAutoencoder,
    fit_many,
)
from skae._runtime import threads
from skae._training import together
from skae._training.fits import FitTask, train
from skae.architectures import Dense, RecurrentEncoderDecoder

RATES = [{"lr": 1e-3}, {"lr": 1e-2, "weight_decay": 0.1}, {"lr": 3e-3}]


@pytest.fixture
def nets(fast):
    """Makes estimators with seeds of their own that differ in numbers."""

    def nets(kind=Autoencoder, vary=None, n=3, **params):
        shared = {**fast, "batch_size": 16, "architecture": Dense((6,)), **params}
        each = [{**shared, **RATES[i % len(RATES)], "random_state": i} for i in range(n)]
        for name, values in (vary or {}).items():
            for i, one in enumerate(each):
                one[name] = values[i % len(values)]
        return [kind(**one) for one in each]

    return nets


@pytest.fixture
def assert_as_alone(capsys):
    """Fits estimators at once, and asserts that they are as if fitted alone."""

    def assert_as_alone(
        models,
        X,
        y=None,
        rows=None,
        sample_weight=None,
        printed="trained together: ",
        resumes=True,
    ):
        data = [pick(one, X, y, sample_weight) for one in rows or [None] * len(models)]
        alone = [clone(model) for model in models]
        for model, (args, params) in zip(alone, data, strict=True):
            model.fit(*args, **params)
        capsys.readouterr()
        assert fit_many(models, X, y, rows=rows, sample_weight=sample_weight, verbose=1) == models
        out = capsys.readouterr().out
        assert printed in out
        assert ("one by one" in printed) == ("one by one" in out)
        for one, other in zip(models, alone, strict=True):
            assert_equal(one, other, X)
        if resumes:  # with the same state of the optimizer
            for one, other, (args, params) in zip(models, alone, data, strict=True):
                one.partial_fit(*args, **params)
                assert_equal(one, other.partial_fit(*args, **params), X)
        return models

    return assert_as_alone


def pick(rows, *arrays):
    """Return what ``fit`` gets of rows: arguments by position and by name."""
    X, y, weight = (array if rows is None or array is None else array[rows] for array in arrays)
    return (X,) if y is None else (X, y), {} if weight is None else {"sample_weight": weight}


def assert_equal(one, other, X):
    assert one.n_iter_ == other.n_iter_
    np.testing.assert_allclose(one.loss_curve_, other.loss_curve_, rtol=1e-4, atol=1e-4)
    if hasattr(one, "reconstruct"):
        for mine, its in zip(one.reconstruct(X), other.reconstruct(X), strict=True):
            np.testing.assert_allclose(mine, its, atol=1e-4)


def in_unit_range(X):
    return (X - X.min(0)) / np.ptp(X, 0)


# What trains as one.


@pytest.mark.parametrize(
    "loss", ["squared_error", "absolute_error", "huber", "binary_cross_entropy"]
)
def test_losses(loss, nets, X, assert_as_alone):
    data = in_unit_range(X) if loss == "binary_cross_entropy" else X
    assert_as_alone(nets(loss=loss), data)


@pytest.mark.parametrize("corruption", ["gaussian", "masking", "salt_and_pepper", "swap"])
@pytest.mark.parametrize("damaged_only", [False, True])
def test_corruptions(corruption, damaged_only, nets, X, assert_as_alone):
    vary = {"noise_level": [0.1, (0.0, 0.4), 0.3]}
    kind = DenoisingAutoencoder
    assert_as_alone(nets(kind, vary, corruption=corruption, damaged_only=damaged_only), X)


@pytest.mark.parametrize("data_range", [None, (-9.0, 9.0)])
def test_ranges_of_corrupted_data(data_range, nets, X, rng, assert_as_alone):
    vary = {"data_range": [data_range, (-5.0, 8.0)]}
    rows = [rng.permutation(120)[:n] for n in (90, 70, 50)]
    models = nets(DenoisingAutoencoder, vary, corruption="salt_and_pepper")
    assert_as_alone(models, X, rows=rows)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("sparsity", "vary"),
    [
        ("topk", {}),
        ("l1", {"sparsity_weight": [0.01, 0.1, 1.0]}),
        ("kl", {"sparsity_weight": [0.01, 1.0], "target_activation": [0.05, 0.2, 0.4]}),
    ],
)
def test_sparsities(sparsity, vary, weighted, nets, X, rng, assert_as_alone):
    weight = rng.uniform(0.5, 1.5, 120) if weighted else None
    models = nets(SparseAutoencoder, vary, sparsity=sparsity, n_components=12)
    assert_as_alone(models, X, sample_weight=weight)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("params", "vary"),
    [
        ({}, {"beta": [1.0, 0.1, 4.0]}),
        ({}, {"kl_warmup": [0.0, 0.5, 1.0]}),
        ({}, {"free_bits": [0.1, 0.5, 0.01]}),
        ({}, {"noise_variance": [1.0, 0.3]}),
        ({"beta": 0.0}, {}),
        ({"likelihood": "bernoulli"}, {"beta": [1.0, 0.1]}),
    ],
)
def test_variational(params, vary, weighted, nets, X, rng, assert_as_alone):
    weight = rng.uniform(0.5, 1.5, 120) if weighted else None
    data = in_unit_range(X) if "likelihood" in params else X
    assert_as_alone(nets(VariationalAutoencoder, vary, **params), data, sample_weight=weight)


@pytest.mark.parametrize(
    "activation",
    ["identity", "relu", "leaky_relu", "elu", "silu", "gelu", "tanh", "sigmoid"],
)
def test_activations(activation, nets, X, assert_as_alone):
    assert_as_alone(nets(architecture=Dense((8, 5), activation=activation)), X)


@pytest.mark.parametrize(
    "layers",
    [
        {"hidden_layer_sizes": ()},
        {"hidden_layer_sizes": (), "shortcut": False},
        {"hidden_layer_sizes": (), "tied_weights": True},
        {"shortcut": False},
        {"tied_weights": True},
        {"normalization": "batch"},
        {"normalization": "layer", "tied_weights": True},
        {"normalization": "batch", "shortcut": False, "dropout": 0.2},
        {"dropout": 0.2, "activation": "gelu"},
    ],
)
def test_layers(layers, nets, X, assert_as_alone):
    # 113 = 7 * 16 + 1: the last batch is a single row.
    architecture = Dense(**{"hidden_layer_sizes": (8, 5), **layers})
    vary = {"lr": [1e-3, 2e-3]}  # rounding errors grow with larger steps
    assert_as_alone(nets(vary=vary, architecture=architecture), X[:113])


@pytest.mark.parametrize("tied_weights", [False, True])
def test_biases_that_normalization_takes_away_stay(tied_weights, nets, X):
    # Their gradients are rounding errors, which Adam would make steps of.
    layers = {"normalization": "batch", "shortcut": False, "tied_weights": tied_weights}
    models = nets(architecture=Dense((6,), **layers), max_epochs=1)
    starts = [clone(model).set_params(lr=1e-30).fit(X[:112]) for model in models]
    for model, start in zip(fit_many(models, X[:112]), starts, strict=True):
        after, before = (m.net_.module_.state_dict() for m in (model, start))
        if model.weight_decay == 0:
            assert torch.equal(after["encoder.3.bias"], before["encoder.3.bias"])
        assert not torch.equal(after["encoder.3.weight"], before["encoder.3.weight"])


def test_shares_of_dropout_may_differ(nets, X, assert_as_alone):
    assert_as_alone(nets(vary={"architecture": [Dense((8,), dropout=p) for p in (0.1, 0.5)]}), X)


@pytest.mark.parametrize("kind", [DenoisingAutoencoder, SparseAutoencoder, VariationalAutoencoder])
def test_objectives_with_all_kinds_of_layers(kind, nets, X, rng, assert_as_alone):
    architecture = Dense((8,), normalization="batch", dropout=0.1, shortcut=False)
    rows = [rng.permutation(120)[:n] for n in (90, 33, 50)]
    assert_as_alone(nets(kind, architecture=architecture), X, rows=rows)


# How they are trained.


@pytest.mark.parametrize(
    ("optimizer", "params"),
    [
        ("adam", {"betas": (0.5, 0.9)}),
        ("adam", {"amsgrad": True}),
        ("adamw", None),
        ("sgd", {"momentum": 0.9}),
        ("nadam", None),
        ("radam", None),
        ("rmsprop", {"centered": True}),
        (optim.Adagrad, None),
        (optim.ASGD, None),
    ],
)
def test_optimizers(optimizer, params, nets, X, rng, assert_as_alone):
    rows = [None, np.arange(50), None]
    assert_as_alone(nets(optimizer=optimizer, optimizer_params=params), X, rows=rows)


def test_optimizer_params_may_differ(nets, X, assert_as_alone):
    vary = {"optimizer_params": [{"betas": (b, 0.99)} for b in (0.5, 0.9)], "lr": [1e-3]}
    assert_as_alone(nets(vary=vary, n=4), X)


def test_schedules_may_differ(nets, X, assert_as_alone):
    def steps(optimizer):
        return optim.lr_scheduler.StepLR(optimizer, 1, 0.5)

    def plateau(optimizer):
        return optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0, threshold=1.0)

    vary = {"lr_schedule": ["cosine", "one_cycle", None, steps, plateau]}
    assert_as_alone(nets(vary=vary, n=10), X)


def test_bounds_of_the_gradient_may_differ(nets, X, assert_as_alone):
    assert_as_alone(nets(vary={"max_grad_norm": [None, 0.01, 0.1]}, optimizer="sgd"), X)


def test_equal_numbers_share_an_optimizer(nets, X, assert_as_alone, monkeypatch):
    sizes = []
    init = skae._training.stack.OptimizerGroup.__init__

    def spy(self, trainings, *args):
        sizes.append(len(trainings))
        init(self, trainings, *args)

    monkeypatch.setattr(skae._training.stack.OptimizerGroup, "__init__", spy)
    fit_many(nets(vary={"lr": [1e-3, 1e-2], "weight_decay": [0.0]}, n=6), X)
    assert sizes == [3, 3]


@pytest.mark.parametrize(
    "lengths",
    [
        (120, 120, 120),
        (120, 97, 50),  # no multiples of the batch size
        (33, 32, 31),
        (16, 17, 15),
        (5, 3, 100),  # less than a batch
        (2, 1, 4),
    ],
)
@pytest.mark.parametrize("weighted", [False, True])
def test_rows_of_their_own(lengths, weighted, nets, X, rng, assert_as_alone):
    rows = [rng.permutation(120)[:n] for n in lengths]
    weight = rng.uniform(0.5, 1.5, 120) if weighted else None
    vary = {"lr": [1e-3], "weight_decay": [0.0]}  # an optimizer for those of one length
    assert_as_alone(nets(vary=vary), X, rows=rows, sample_weight=weight)


def test_masks_and_lists_choose_rows(nets, X):
    mask = np.arange(120) < 50
    models = fit_many(nets(vary={"random_state": [0]}, n=4), X, rows=[mask, range(50), [0], None])
    assert models[0].score(X) != models[3].score(X)
    assert_equal(clone(models[1]).fit(X[:50]), models[1], X)
    assert_equal(clone(models[0]).fit(X[:50]), models[0], X)


def test_weights_of_zero_leave_rows_out(nets, X, assert_as_alone):
    weight = np.tile([0.0, 1.0, 2.0], 40)
    rows = [np.arange(60), np.arange(70), None]
    assert_as_alone(nets(), X, rows=rows, sample_weight=weight)


def test_each_stops_in_its_time(nets, X, assert_as_alone):
    vary = {"patience": [1, 2, 3, None]}
    stopping = {"early_stopping": True, "max_epochs": 25, "lr_schedule": None}
    models = assert_as_alone(nets(vary=vary, n=8, **stopping), X)
    assert len({model.n_iter_ for model in models}) > 3


def test_numbers_of_epochs_may_differ(nets, X, assert_as_alone):
    vary = {"max_epochs": [2, 5, 3], "kl_warmup": [0.5]}
    models = nets(VariationalAutoencoder, vary, lr_schedule="cosine")
    assert [model.n_iter_ for model in assert_as_alone(models, X, resumes=False)] == [
        2,
        5,
        3,
    ]


def test_training_resumes_from_a_fit(nets, X, assert_as_alone):
    models = nets(warm_start=True, lr_schedule="cosine")
    alone = [clone(model).fit(X).fit(X[:70]) for model in models]
    fit_many(fit_many(models, X), X[:70])
    for one, other in zip(models, alone, strict=True):
        assert one.n_iter_ == 6
        assert_equal(one, other, X)


@pytest.mark.parametrize(
    "convert",
    [
        np.float32,
        sparse.csr_array,
        sparse.coo_array,
        sparse.csc_matrix,
        pd.DataFrame,
        lambda X: pd.DataFrame(X).add_prefix("column "),
        pl.DataFrame,
        np.asfortranarray,
        np.ndarray.tolist,
    ],
)
def test_kinds_of_input(convert, nets, X):
    models, data = nets(DenoisingAutoencoder), convert(X)
    alone = [clone(model).fit(data).transform(data) for model in models]
    for model, code in zip(fit_many(models, data), alone, strict=True):
        np.testing.assert_allclose(model.transform(data), code, atol=1e-4)
    one = fit_many(models, data, rows=[np.arange(70), None, np.arange(20, 90)])[0]
    other = clone(one).fit(convert(X[:70]))
    np.testing.assert_allclose(one.transform(data), other.transform(data), atol=1e-4)


def test_modes_of_torch_around_do_not_matter(nets, X, assert_as_alone):
    for mode in (torch.inference_mode, torch.no_grad):
        with mode():
            assert_as_alone(nets(early_stopping=True), X)


# What does not.


class Custom:
    """An architecture of which skae knows nothing."""

    def build(self, input_shape, encoder_width, code_width):
        encoder = nn.Sequential(nn.Linear(input_shape[0], encoder_width), nn.Softplus())
        return encoder, nn.Linear(code_width, input_shape[0])


class OnBatches(Callback):
    """Is told of every batch."""

    def on_batch_end(self, net, **kwargs):
        pass


class Thaw(Callback):
    """Freezes the encoder for an epoch."""

    def on_epoch_begin(self, net, **kwargs):
        net.module_.encoder.requires_grad_(len(net.history) != 2)


def cauchy(prediction, target):
    return torch.log1p((prediction - target).square())


def shift(x, noise_level):
    return x + noise_level * torch.randn(1)


@pytest.mark.parametrize(
    ("kind", "params", "reason"),
    [
        (Autoencoder, {"optimizer": "muon"}, "its optimizer is Muon"),
        (Autoencoder, {"loss": cauchy}, "its layers, bottleneck, loss or noise"),
        (Autoencoder, {"loss": {"huber": 1.0}}, "its layers, bottleneck, loss or noise"),
        (Autoencoder, {"architecture": Custom()}, "its layers, bottleneck"),
        (VariationalAutoencoder, {"n_importance_samples": 2}, "its layers, bottleneck"),
        (DenoisingAutoencoder, {"corruption": shift}, "its layers, bottleneck, loss or noise"),
    ],
)
def test_the_others_are_fitted_one_by_one(kind, params, reason, nets, X, assert_as_alone):
    printed = f"[skae] 2 fits, one by one: 2 ({reason}"
    assert_as_alone(nets(kind, n=2, **params), X, printed=printed)


@pytest.mark.parametrize(
    ("callback", "reason"),
    [(OnBatches(), "are told of every batch"), (Thaw(), "may keep something outside of the net")],
)
def test_callbacks_of_the_user_are_for_one_net_at_a_time(
    callback, reason, nets, X, assert_as_alone
):
    printed = f"[skae] 1 fits, one by one: 1 (its callbacks {reason}"
    assert_as_alone(nets(n=2, callbacks=[callback]), X, printed=printed)


def test_images_and_sequences_are_fitted_one_by_one(rng, assert_as_alone):
    params = {"max_epochs": 2, "random_state": 0, "check_baseline": False}
    images = [ConvAutoencoder(2, **params, lr=lr) for lr in (1e-3, 1e-2)]
    assert_as_alone(
        images, rng.random((20, 8, 8)), printed="one by one: 2 (its samples are images)"
    )
    pairs = [ImageToImageRegressor((2,), **params, lr=lr) for lr in (1e-3, 1e-2)]
    X, y = rng.random((2, 20, 8, 8))
    assert_as_alone(pairs, X, y, printed="one by one: 2 (its samples are images)", resumes=False)
    sequences = [RecurrentAutoencoder(2, **params, lr=lr) for lr in (1e-3, 1e-2)]
    printed = "one by one: 2 (its samples are sequences)"
    assert_as_alone(sequences, rng.random((20, 5, 2)), printed=printed)


@pytest.mark.parametrize("rows", [None, [np.arange(12), None]])
def test_translators_are_fitted_one_by_one(rows, assert_as_alone):
    X = np.array([f"{who} {does}" for who in "abcd" for does in "efgh"], dtype=object)
    params = {"max_epochs": 2, "random_state": 0, "vocabulary_size": 300, "check_baseline": False}
    architecture = RecurrentEncoderDecoder(8, dropout=0.0)
    params |= {"architecture": architecture, "early_stopping": False}
    models = [Seq2SeqTranslator(**params, lr=lr) for lr in (1e-3, 1e-2)]
    printed = "one by one: 2 (its samples are texts)"
    assert_as_alone(models, X, X[::-1], rows=rows, printed=printed, resumes=False)


class Threshold(Autoencoder):
    """Does something after each fit."""

    def fit(self, X, y=None, sample_weight=None):
        super().fit(X, sample_weight=sample_weight)
        self.threshold_ = self.score_samples(X).min()
        return self


def test_a_fit_of_ones_own_is_made_as_it_is(nets, X, capsys):
    model = fit_many(nets(Threshold, n=1), X, verbose=1)[0]
    assert model.threshold_ == clone(model).fit(X).threshold_
    assert "its fit is none of skae's" in capsys.readouterr().out
    search = BatchedGridSearchCV(model, {"lr": [1e-3]}, cv=2).fit(X)
    assert hasattr(search.best_estimator_, "threshold_")
    with pytest.raises(TypeError, match="skae's own fit; got Threshold"):
        BatchedHalvingGridSearchCV(model, {"lr": [1e-3]}, cv=2).fit(X)


def test_all_kinds_in_one_call(nets, X, capsys):
    models = [
        *nets(n=3),
        *nets(VariationalAutoencoder, n=3),
        PCA(2),
        *nets(optimizer="muon", n=1),
        *nets(architecture=Dense((5,)), n=1),
    ]
    alone = [clone(model).fit(X) for model in models]
    assert fit_many(models, X, verbose=1) == models
    first, second = capsys.readouterr().out.splitlines()
    assert first == (
        "[skae] 7 fits, trained together: 3 + 3, one by one: 1 (its fit is none of skae's)"
    )
    assert second == (
        "[skae] 2 fits, one by one: 2 (its optimizer is Muon; no other net has its shapes)"
    )
    for one, other in zip(models, alone, strict=True):
        np.testing.assert_allclose(one.transform(X), other.transform(X), atol=1e-4)


# How many at once.


def test_large_stacks_are_cut(nets, X, monkeypatch, assert_as_alone):
    assert len(together.model_batches(runs(nets(n=7), X))) == 1
    n_bytes = together.n_bytes(runs(nets(n=1), X)[0].net)
    monkeypatch.setattr(together, "MAX_STACK_BYTES", 2.5 * n_bytes)
    assert_as_alone(nets(n=7), X, printed="together: 2 + 2 + 2, one by one: 1 (its net is so large")
    monkeypatch.setattr(together, "MAX_STACK_BYTES", 1)
    assert_as_alone(nets(n=3), X, printed="[skae] 3 fits, one by one: 3 (its net is so large")


def runs(models, X):
    """Return the runs of models about to be fitted."""
    fits = [FitTask(model, X) for model in models]
    for fit in fits:
        fit.begin()
    return [fit.run for fit in fits]


def test_many_fits_wait_in_turns(nets, X, monkeypatch, assert_as_alone):
    monkeypatch.setattr(skae._training.fits, "MAX_WAITING_BYTES", 8000)  # more than two take
    assert_as_alone(
        nets(n=7), X, printed="3 fits, trained together: 3\n[skae] 1 fits, one by one: 1"
    )


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_threads_change_nothing(nets, X, two_threads, assert_as_alone):
    params = {"early_stopping": True, "max_epochs": 5, "n": 9}
    models = assert_as_alone(nets(**params), X, printed="9 fits, trained together: 9")
    assert torch.get_num_threads() == 2
    torch.set_num_threads(1)
    for one, other in zip(models, fit_many(nets(**params), X), strict=True):
        assert_equal(one, other.partial_fit(X), X)


def test_calls_in_many_threads(nets, X, two_threads):
    def fit(_):
        return [m.score(X) for m in fit_many(nets(early_stopping=True, n=8), X)]

    with ThreadPoolExecutor(3) as pool:
        first, *others = pool.map(fit, range(5))
    assert all(scores == first for scores in others)


def test_new_threads_have_the_number_of_threads_that_was_set(two_threads):
    begun, over = threading.Event(), threading.Event()
    seen = []

    def overlap():
        with threads(n_multiplications=0):
            begun.set()
            over.wait()

    with threads(n_multiplications=0):
        other = threading.Thread(target=overlap)
        other.start()
        begun.wait()
    over.set()
    other.join()
    new = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
    new.start()
    new.join()
    assert seen == [2]


class Nested(Callback):
    """Fits many while others are fitted."""

    def on_epoch_end(self, net, **kwargs):
        X = np.arange(40.0).reshape(20, 2)
        params = {"max_epochs": 1, "early_stopping": True, "check_baseline": False}
        fit_many([Autoencoder(1, architecture=Dense(()), **params) for _ in range(8)], X)


@pytest.mark.parametrize("n", [1, 2])
def test_fits_within_fits_do_not_wait_for_each_other(n, nets, X, two_threads, assert_as_alone):
    models = nets(callbacks=[Nested()], n=n, max_epochs=1)
    assert_as_alone(models, X, printed="one by one: 1", resumes=False)


def test_a_stack_is_made_once(nets, X, monkeypatch):
    n_stacks = 0
    init = skae._training.stack.Stack.__init__

    def spy(self, runs):
        nonlocal n_stacks
        n_stacks += 1
        init(self, runs)

    monkeypatch.setattr(skae._training.stack.Stack, "__init__", spy)
    rows = [None, None, np.arange(50), np.arange(50)]
    vary = {"lr": [1e-3], "weight_decay": [0.0]}
    fit_many(nets(vary=vary, n=4, lr_schedule="cosine", max_epochs=5), X, rows=rows)
    assert n_stacks == 1


# What goes wrong.


def test_what_fails_leaves_the_others_alone(nets, X):
    models = nets(n=6, optimizer="sgd")
    models[2].lr = 1e30
    models[4].set_params(n_components=-1)
    alone = [clone(model) for model in models]
    with pytest.raises(ValueError, match="loss is (nan|inf).*too large steps") as caught:
        fit_many(models, X)
    assert caught.value.__notes__ == ["This was the fit of estimators[2]."]
    assert not hasattr(models[2], "net_")
    assert not hasattr(models[4], "net_")
    for i in (0, 1, 3, 5):
        assert_equal(models[i], alone[i].fit(X), X)


def test_invalid_ones_do_not_keep_others_apart(nets, X, capsys):
    models = nets(n=6, vary={"patience": [None, -1]})
    with pytest.raises(ValueError, match="patience") as caught:
        fit_many(models, X, verbose=1)
    assert caught.value.__notes__ == ["This was the fit of estimators[1]."]
    printed = "[skae] 6 fits, trained together: 3, one by one: 3 (it is not valid)\n"
    assert capsys.readouterr().out == printed


def test_a_failed_refit_leaves_the_earlier_one(nets, X):
    models = fit_many(nets(optimizer="sgd"), X)
    before, curve = models[1].reconstruct(X), models[1].loss_curve_
    models[1].lr = 1e30
    with pytest.raises(ValueError, match="loss is"):
        fit_many(models, X[:60])
    np.testing.assert_array_equal(models[1].reconstruct(X), before)
    assert models[1].loss_curve_ == curve
    models[1].set_params(lr=1e-3, random_state=None).partial_fit(X)


class Stop(Callback):
    """Interrupts training."""

    def __init__(self, hook="on_epoch_begin"):
        self.hook = hook

    def on_train_begin(self, net, **kwargs):
        self.stop_at("on_train_begin", net)

    def on_epoch_begin(self, net, **kwargs):
        self.stop_at("on_epoch_begin", net)

    def on_epoch_end(self, net, **kwargs):
        self.stop_at("on_epoch_end", net)

    def stop_at(self, hook, net):
        if hook == self.hook and len(net.history) in (0, 2):
            raise KeyboardInterrupt


class Signal(Stop):
    """Interrupts the process, as Ctrl+C does."""

    def stop_at(self, hook, net):
        if hook == self.hook and len(net.history) in (0, 2):
            signal.raise_signal(signal.SIGINT)


@pytest.mark.usefixtures("sigint")
@pytest.mark.parametrize("hook", ["on_train_begin", "on_epoch_begin", "on_epoch_end"])
@pytest.mark.parametrize("kind", [Stop, Signal])
@pytest.mark.parametrize("stacks", [True, False])
def test_an_interrupt_leaves_all_as_they_were(hook, kind, stacks, nets, X):
    models = nets(n=5, optimizer="adam" if stacks else "muon")
    models[0].fit(X[:50])
    before = models[0].reconstruct(X)
    models[3].callbacks = [kind(hook)]
    with pytest.raises(KeyboardInterrupt):
        fit_many(models, X)
    assert not any(hasattr(model, "net_") for model in models[1:])
    np.testing.assert_array_equal(models[0].reconstruct(X), before)
    models[0].partial_fit(X)


class Interrupting(Dense):
    """Is interrupted while the net is built."""

    def build(self, *args):
        raise KeyboardInterrupt


def test_an_interrupt_before_training_leaves_all_as_they_were(nets, X):
    models = nets()
    models[0].fit(X[:50])
    before = models[0].reconstruct(X)
    models[2].architecture = Interrupting((6,))
    # The traceback keeps alive what was going on.
    with pytest.raises(KeyboardInterrupt) as caught:
        fit_many(models, X)
    np.testing.assert_array_equal(models[0].reconstruct(X), before)
    assert not hasattr(models[1], "net_")
    del caught


def test_an_interrupt_of_a_single_one_leaves_it_as_it_was(nets, X):
    (model,) = nets(n=1, callbacks=[Stop()])
    with pytest.raises(KeyboardInterrupt):
        fit_many([model], X)
    assert not hasattr(model, "net_")


@pytest.mark.parametrize(
    ("estimators", "rows", "error", "message"),
    [
        (lambda m: [*m, m[0]], None, ValueError, "holds one more than once"),
        (lambda m: m, [None], ValueError, "an entry for each of the 3 estimators; got 1"),
        (lambda m: m[0], None, TypeError, "must be a list of estimators; got a single one"),
        (lambda m: [*m, 3], None, TypeError, r"estimators\[3\] is 3"),
        (lambda m: [Autoencoder], None, TypeError, r"estimators\[0\]=Autoencoder is a class"),
        (lambda m: m, [None, [], None], ValueError, r"rows\[1\] must hold positions of rows"),
        (lambda m: m, [None, 5, None], ValueError, r"rows\[1\] must hold .* got 5"),
        (lambda m: m, [None, None, [0.5]], ValueError, r"rows\[2\] must hold .* got \[0.5\]"),
        (lambda m: m, [[True], None, None], ValueError, r"rows\[0\] must hold .* got \[True\]"),
        (lambda m: m, [[3, 120], None, None], ValueError, r"rows\[0\] goes from 3 to 120"),
        (lambda m: m, [[-1, 3], None, None], ValueError, r"rows\[0\] goes from -1 to 3"),
    ],
)
def test_arguments_are_checked_before_training(estimators, rows, error, message, nets, X):
    models = nets()
    with pytest.raises(error, match=message):
        fit_many(estimators(models), X, rows=rows)
    assert not any(hasattr(model, "net_") for model in models)


def test_weights_have_to_be_as_many_as_the_rows(nets, X):
    with pytest.raises(ValueError, match="sample_weight.shape"):
        fit_many(nets(), X, sample_weight=np.ones(3))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        fit_many(nets(), X, sample_weight=np.ones(3), rows=[[0, 1], None, None])


def test_no_estimators(X):
    assert fit_many([], X) == []


# Callbacks.


class Record(Callback):
    """Records the learning rate, what the optimizer keeps, and a random number."""

    def on_epoch_end(self, net, **kwargs):
        optimizer = net.optimizer_
        net.history.record("lr", optimizer.param_groups[0]["lr"])
        kept = next(iter(copy.deepcopy(optimizer.state_dict()["state"]).values()))
        net.history.record("steps", float(kept["step"]))
        net.history.record("moment", float(kept["exp_avg"].abs().sum()))
        net.history.record("random", torch.rand(()).item())


class Shake(Callback):
    """Adds noise to the weights."""

    @torch.no_grad()
    def on_epoch_begin(self, net, **kwargs):
        for parameter in net.module_.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))


class Halve(Callback):
    """Sets numbers of an optimizer."""

    def on_epoch_end(self, net, **kwargs):
        for group in net.optimizer_.param_groups:
            group["lr"] /= 2
            group["weight_decay"] = 0.01


STEPS = LRScheduler(policy="StepLR", step_size=1, gamma=0.5)


@pytest.mark.parametrize(
    ("callbacks", "params"),
    [
        ([STEPS], {}),
        ([Record()], {}),
        ([Record()], {"lr_schedule": "cosine"}),
        ([Record(), STEPS], {}),
        ([Record(), ("halve", Halve)], {}),
        ([Shake(), Record()], {}),
        ([EarlyStopping("train_loss", patience=1, load_best=True)], {"max_epochs": 9}),
        ([EarlyStopping(patience=1)], {"max_epochs": 9, "early_stopping": True}),
        ([Freezer("decoder.*"), Record()], {}),
    ],
)
@pytest.mark.parametrize("n_with", [1, 4])
def test_callbacks_of_epochs(callbacks, params, n_with, nets, X, assert_as_alone):
    models = nets(n=4, vary={"lr": [1e-2, 1e-2, 1e-3]}, **{"lr_schedule": None, **params})
    for model in models[:n_with]:
        model.callbacks = callbacks
    printed = "4 fits, trained together: 4\n"
    if any(isinstance(callback, Record) for callback in callbacks):
        printed = "one by one: 1 (its callbacks may keep something outside of the net)\n"
        printed += "[skae] 3 fits, trained together: 3\n" if n_with == 1 else ""
    assert_as_alone(models, X, printed=printed, resumes=False)
    for model in models[:n_with]:
        alone = clone(model).fit(X)
        for name in {"lr", "steps", "moment", "random"} & set(alone.history_[0]):
            np.testing.assert_allclose(
                model.history_[:, name], alone.history_[:, name], rtol=1e-4, err_msg=name
            )


def test_layers_frozen_for_a_while(nets, X, assert_as_alone):
    freeze = [Freezer("encoder.*", at=2), Unfreezer("encoder.*", at=3)]
    models = nets(n=4, vary={"callbacks": [freeze, None]})
    assert_as_alone(models, X)


def test_weights_that_are_kept_share_no_memory_with_other_nets(nets, X, monkeypatch):
    kept = []

    def look(self, net, **kwargs):
        weights = copy.deepcopy(net.module_.state_dict()).values()
        storages = {w.untyped_storage().data_ptr(): w.untyped_storage() for w in weights}
        kept.append(sum(storage.nbytes() for storage in storages.values()))

    monkeypatch.setattr(EarlyStopping, "on_epoch_end", look)
    callbacks = [EarlyStopping("train_loss", load_best=True)]
    models = fit_many(nets(n=8, callbacks=callbacks), X)
    assert set(kept) == {sum(p.nbytes for p in models[0].net_.module_.parameters())}


# What is left.


def test_global_random_states_stay(nets, X):
    state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    architecture = Dense((6,), dropout=0.2)
    kinds = Autoencoder, DenoisingAutoencoder, VariationalAutoencoder
    models = [m for kind in kinds for m in nets(kind, n=2, architecture=architecture)]
    models += nets(n=2, callbacks=[Shake()], early_stopping=True)
    models += nets(DenoisingAutoencoder, n=1, corruption=shift)
    fit_many(models, X)
    assert torch.equal(torch.get_rng_state(), state)
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_state)  # noqa: NPY002


def test_each_has_memory_of_its_own(nets, X):
    alone = nets(VariationalAutoencoder, n=1)[0].fit(X)
    models = fit_many(nets(VariationalAutoencoder, n=12), X)
    for model in models:
        assert len(pickle.dumps(model)) < 1.02 * len(pickle.dumps(alone))
        state = model.net_.optimizer_.state_dict()["state"][0].values()
        for tensor in (*model.net_.module_.state_dict().values(), *state):
            assert tensor.untyped_storage().nbytes() == tensor.nbytes
    twin = copy.deepcopy(models[0])
    before = models[0].reconstruct(X)
    twin.partial_fit(X)
    np.testing.assert_array_equal(models[0].reconstruct(X), before)
    assert_equal(twin, pickle.loads(pickle.dumps(models[0])).partial_fit(X), X)


def test_nothing_of_the_stack_is_left_behind(nets, X):
    for model in fit_many(nets(early_stopping=True), X):
        assert not model.net_.module_.training
        assert not model.net_.module_._state_dict_hooks
        assert all(parameter.grad is None for parameter in model.net_.module_.parameters())
        parts = model.net_.module_.modules()
        assert all(getattr(part, "generator", None) is None for part in parts)


# Pauses.


@pytest.mark.parametrize(
    ("kind", "params"),
    [
        (VariationalAutoencoder, {"kl_warmup": 0.5, "lr_schedule": "one_cycle"}),
        (DenoisingAutoencoder, {"corruption": "swap", "lr_schedule": "cosine"}),
        (Autoencoder, {"architecture": Dense((6,), dropout=0.3, normalization="batch")}),
        (Autoencoder, {"early_stopping": True, "patience": 1, "max_epochs": 20}),
        (Autoencoder, {"callbacks": [Shake()]}),
        (Autoencoder, {"callbacks": [STEPS]}),
        (DenoisingAutoencoder, {"corruption": shift}),
        (VariationalAutoencoder, {"n_importance_samples": 2}),
    ],
)
@pytest.mark.parametrize("n", [1, 3])
def test_pauses_change_nothing(kind, params, n, nets, X):
    params = {"max_epochs": 6, **params}
    models, alone = nets(kind, n=n, **params), nets(kind, n=n, **params)
    fits = [FitTask(model, X) for model in models]
    for fit in fits:
        fit.begin()
    for until in (1, 2, 2, 5):
        train(fits, until)
        assert all(model.n_iter_ <= until for model in models)
        assert all(np.isfinite(model.score(X)) for model in models)
        torch.rand(3)  # others may draw
    train(fits)
    for fit, other in zip(fits, alone, strict=True):
        fit.end()
        assert fit.error is None
        assert_equal(fit.estimator, other.fit(X), X)


def test_those_that_stop_at_a_pause_go_on_as_they_are(nets, X):
    models = nets(n=4, vary={"max_epochs": [2, 6]}, lr_schedule="cosine")
    fits = [FitTask(model, X) for model in models]
    for fit in fits:
        fit.begin()
    train(fits, 3)
    assert [model.n_iter_ for model in models] == [2, 3, 2, 3]
    train(fits[:2])  # as in a search that leaves some out
    for fit in fits:
        fit.end() if fit in fits[:2] else fit.abandon()
    for model, other in zip(models[:2], nets(n=2, vary={"max_epochs": [2, 6]}), strict=True):
        assert_equal(model, other.set_params(lr_schedule="cosine").fit(X), X)
    assert not any(hasattr(model, "net_") for model in models[2:])


def test_words_of_the_plan_are_one_line(nets, X, capsys):
    fit_many(nets(), X)
    assert capsys.readouterr().out == ""
    fit_many(nets(verbose=1), X, verbose=1)  # no bar for each
    captured = capsys.readouterr()
    assert re.fullmatch(r"\[skae\] 3 fits, trained together: 3\n", captured.out)
    assert captured.err == ""


def test_processes(X, fast):
    models = [Autoencoder(**fast | {"lr": lr}) for lr in (1e-3, 3e-3, 1e-2)]
    alone = [clone(model).fit(X).reconstruct(X) for model in models]
    for model, expected in zip(fit_many(models, X, n_jobs=2), alone, strict=True):
        np.testing.assert_allclose(model.reconstruct(X), expected, atol=1e-4)
        assert model.partial_fit(X).n_iter_ == 4


def test_processes_do_not_share_a_generator(X, fast):
    shared = np.random.RandomState(0)
    models = [Autoencoder(**fast | {"random_state": shared}) for _ in range(2)]
    with pytest.raises(ValueError, match="give each an int as random_state"):
        fit_many(models, X, n_jobs=2)
    first, second = (model.reconstruct(X) for model in fit_many(models, X))
    assert not np.allclose(first, second)
