"""The training engine, seen through an estimator."""

import copy
import math
import os
import pickle
import signal
import time

import numpy as np
import pytest
import torch
from sklearn.base import clone
from skorch.callbacks import (
    Callback,
    Checkpoint,
    EarlyStopping,
    EpochScoring,
    Freezer,
    GradientNormClipping,
    LRScheduler,
    TensorBoard,
    Unfreezer,
)
from torch import nn, optim

from skae import Autoencoder
from skae.architectures import Dense
from skae.exceptions import InterruptedWarning


def lrs(ae):
    """Return the learning rates at the end of each epoch, as `RecordLR` noted them."""
    return [epoch["lr"] for epoch in ae.history_ if "lr" in epoch]


class RecordLR(Callback):
    def on_epoch_end(self, net, **kwargs):
        net.history.record("lr", net.optimizer_.param_groups[0]["lr"])


# Optimizers and schedules.


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd", "nadam", "radam", "rmsprop"])
def test_optimizers_by_name(optimizer, X, fast):
    plain = Dense(shortcut=False)
    ae = Autoencoder(**fast, optimizer=optimizer, weight_decay=1e-4, architecture=plain).fit(X)
    assert ae.loss_curve_[-1] < ae.loss_curve_[0]


def test_optimizer_class_with_parameters(X, fast):
    ae = Autoencoder(**fast, optimizer=optim.SGD, optimizer_params={"momentum": 0.5}).fit(X)
    assert isinstance(ae.net_.optimizer_, optim.SGD)
    assert ae.net_.optimizer_.defaults["momentum"] == 0.5


def test_optimizer_that_needs_a_closure(X, fast):
    ae = Autoencoder(**fast | {"lr": 0.1}, optimizer=optim.LBFGS, batch_size=120).fit(X)
    assert ae.loss_curve_[-1] < ae.loss_curve_[0]
    assert len(ae.net_.optimizer_.param_groups[0]["params"]) > 1


def test_adamw_without_weight_decay_has_none(X, fast):
    ae = Autoencoder(**fast, optimizer="adamw").fit(X)
    assert ae.net_.optimizer_.param_groups[0]["weight_decay"] == 0


@pytest.mark.parametrize("params", [{"foreach": True}, {"fused": False}, {"amsgrad": True}])
def test_other_ways_of_stepping(params, X, fast):
    by_kernel = Autoencoder(**fast).fit(X).transform(X)
    stepped = Autoencoder(**fast, optimizer_params=params).fit(X).transform(X)
    np.testing.assert_allclose(stepped, by_kernel, atol=1e-3 if "amsgrad" in params else 1e-5)


def test_decoupled_weight_decay_lasts(X, fast):
    params = {**fast, "weight_decay": 1.0, "lr": 0.01}
    decoupled = Autoencoder(**params, optimizer_params={"decoupled_weight_decay": True}).fit(X)
    adamw = Autoencoder(**params, optimizer="adamw").fit(X)
    np.testing.assert_array_equal(decoupled.transform(X), adamw.transform(X))


def test_weight_decay_shrinks_weights(X, fast):
    def norm(**params):
        ae = Autoencoder(**fast, optimizer="adamw", **params).fit(X)
        return sum(p.square().sum().item() for p in ae.encoder_.parameters())

    assert norm(weight_decay=10.0) < 0.9 * norm()


def test_cosine_schedule(X, fast):
    ae = Autoencoder(**{**fast, "lr_schedule": "cosine"}, callbacks=[RecordLR()]).fit(X)
    np.testing.assert_allclose(lrs(ae), [7.5e-4, 2.5e-4, 0], atol=1e-12)


def test_one_cycle_schedule(X, fast):
    ae = Autoencoder(**{**fast, "lr_schedule": "one_cycle"}, callbacks=[RecordLR()]).fit(X)
    assert lrs(ae)[0] > lrs(ae)[1] > lrs(ae)[2]
    assert lrs(ae)[2] < 1e-6
    assert ae.fit(X, X_val=X[:5]).n_iter_ == 3


def test_one_cycle_warms_up(X, fast):
    params = {**fast, "lr_schedule": "one_cycle", "max_epochs": 20}
    ae = Autoencoder(**params, callbacks=[RecordLR()]).fit(X)
    falling = (1 + np.cos(np.pi * np.arange(19) / 18)) / 2
    np.testing.assert_allclose(lrs(ae), 1e-3 * np.r_[0.52, falling], atol=1e-12)  # from 0.04


def test_schedule_by_function(X, fast):
    ae = Autoencoder(
        **fast
        | {"lr_schedule": lambda optimizer: optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.1)},
        callbacks=[RecordLR()],
    ).fit(X)
    np.testing.assert_allclose(lrs(ae), [1e-4, 1e-5, 1e-6])


def test_plateau_schedule_watches_the_loss(X, fast):
    plateau = {"lr_schedule": lambda o: optim.lr_scheduler.ReduceLROnPlateau(o, patience=0)}
    ae = Autoencoder(**fast | plateau | {"lr": 1e-7}, callbacks=[RecordLR()]).fit(X)
    assert lrs(ae)[-1] < 1e-7


@pytest.mark.parametrize("schedule", [lambda optimizer: None, optim.lr_scheduler.StepLR])
def test_schedule_that_is_none(schedule, X, fast):
    with pytest.raises(ValueError, match="lr_schedule must be a function of the optimizer"):
        Autoencoder(**fast | {"lr_schedule": schedule}).fit(X)


def test_max_grad_norm_bounds_the_step(X, fast):
    def distance(**params):
        params = {**fast, "max_epochs": 1, "batch_size": 120, "optimizer": "sgd", **params}
        start = Autoencoder(**{**params, "lr": 1e-12}).fit(X)
        end = Autoencoder(**{**params, "lr": 1.0}).fit(X)
        pairs = zip(start.net_.module_.parameters(), end.net_.module_.parameters(), strict=True)
        return math.sqrt(sum((a - b).square().sum().item() for a, b in pairs))

    assert distance() > 0.03
    assert distance(max_grad_norm=0.01) == pytest.approx(0.01, rel=1e-3)


# Early stopping.


def test_early_stopping_restores_the_best_epoch(X, fast):
    # A learning rate this large makes the loss jump about.
    params = {**fast, "max_epochs": 60, "lr": 0.03, "early_stopping": True}
    ae = Autoencoder(**params, patience=4, architecture=Dense(shortcut=False))
    ae.fit(X, X_val=X[:40])
    losses = ae.history_[:, "valid_loss"]
    assert ae.n_iter_ < 60
    assert len(losses) - 1 - np.argmin(losses) >= 3
    assert -ae.score_samples(X[:40]).mean() == pytest.approx(min(losses), rel=1e-4)


def test_early_stopping_keeps_the_start_if_training_spoils_it(X, fast):
    params = {**fast, "early_stopping": True, "random_state": 0}
    start = Autoencoder(**params | {"lr": 1e-12, "max_epochs": 1}).fit(X)
    spoilt = Autoencoder(**params | {"lr": 1.0}).fit(X)
    assert min(spoilt.history_[:, "valid_loss"]) > start.history_[-1, "valid_loss"]
    np.testing.assert_allclose(spoilt.transform(X), start.transform(X), atol=1e-6)


def test_early_stopping_holds_out_a_fraction(X, fast):
    seen = []

    class Count(Callback):
        def on_epoch_begin(self, net, dataset_train, dataset_valid, **kwargs):
            seen.append((len(dataset_train), len(dataset_valid)))

    Autoencoder(
        **{**fast, "early_stopping": True}, validation_fraction=0.25, callbacks=[Count()]
    ).fit(X)
    assert seen == [(90, 30)] * 3


def test_validation_data_without_early_stopping(X, fast):
    ae = Autoencoder(**fast).fit(X, X_val=X[:30])
    assert len(ae.history_[:, "valid_loss"]) == 3


# Going on.


def test_warm_start_resumes(X, fast):
    long = Autoencoder(**{**fast, "max_epochs": 6}).fit(X)
    ae = Autoencoder(**fast, warm_start=True).fit(X)
    first = ae.loss_curve_
    ae.fit(X)
    assert ae.n_iter_ == 6
    assert ae.loss_curve_[:3] == first
    assert ae.loss_curve_[-1] == pytest.approx(long.loss_curve_[-1], rel=0.1)
    step = ae.net_.optimizer_.state_dict()["state"][0]["step"]
    assert step == 6 * math.ceil(120 / ae.net_.batch_size)


def test_warm_start_takes_a_new_learning_rate(X, fast):
    ae = Autoencoder(**fast | {"lr_schedule": "cosine"}, warm_start=True).fit(X)
    ae.set_params(lr=5e-4, lr_schedule=None, callbacks=[RecordLR()]).fit(X)
    assert lrs(ae) == [5e-4] * 3


@pytest.mark.parametrize(
    "change",
    [
        {"n_components": 2},
        {"loss": "huber"},
        {"optimizer": "sgd"},
        {"optimizer_params": {"eps": 1e-3}},
        {"architecture": "dense", "architecture__dropout": 0.5},
        {"architecture": Dense((7,))},
        {"architecture__activation": "tanh"},
    ],
    ids=str,
)
def test_training_on_refuses_what_it_cannot_change(change, X, fast):
    ae = Autoencoder(**fast, architecture=Dense(), warm_start=True).fit(X)
    ae.set_params(**change)
    for method in (ae.fit, ae.partial_fit):
        with pytest.raises(ValueError, match=f"{[*change][0]}.* changed since the net was built"):
            method(X)
    assert ae.set_params(warm_start=False).fit(X).n_iter_ == 3


def test_partial_fit_is_one_epoch_of_fit(X, fast):
    ae = Autoencoder(**fast)
    for n in range(1, 4):
        assert ae.partial_fit(X).n_iter_ == n
    assert ae.loss_curve_[0] == Autoencoder(**fast).fit(X).loss_curve_[0]
    assert ae.loss_curve_[2] < ae.loss_curve_[0]


def test_partial_fit_on_a_stream_keeps_the_width(X, fast):
    ae = Autoencoder(**fast)
    for part in np.array_split(X, 4):
        ae.partial_fit(part)
    with pytest.raises(ValueError, match="X has 9 features"):
        ae.partial_fit(X[:, :9])


def test_training_on_with_an_optimizer_that_keeps_more_than_its_state(X, fast):
    ae = Autoencoder(**fast | {"lr": 0.1}, optimizer=optim.LBFGS, batch_size=120)
    ae = pickle.loads(pickle.dumps(ae.partial_fit(X))).partial_fit(X).partial_fit(X)
    assert ae.loss_curve_[-1] < ae.loss_curve_[0]


def test_training_on_with_a_schedule_by_callback(X, fast):
    scheduler = LRScheduler(optim.lr_scheduler.StepLR, step_size=1, gamma=0.1)
    ae = Autoencoder(**fast, warm_start=True, callbacks=[RecordLR(), scheduler]).fit(X).fit(X)
    # As skorch has it, the schedule goes on from the epochs that were.
    np.testing.assert_allclose(lrs(ae), [1e-3, 1e-4, 1e-5, 1e-4, 1e-5, 1e-6])


def test_arrays_as_parameters_and_training_on(X, fast):
    params = {**fast, "n_components": np.int64(2), "max_epochs": np.int64(2)}
    ae = Autoencoder(**params, batch_size=np.int64(16), architecture=Dense(np.array([8, 4])))
    assert ae.partial_fit(X).partial_fit(X).n_iter_ == 2


def test_fit_without_warm_start_starts_anew(X, fast):
    ae = Autoencoder(**fast)
    first = ae.fit(X).transform(X)
    np.testing.assert_array_equal(ae.fit(X).transform(X), first)


# Interrupts.


class InterruptAt(Callback):
    """Press Ctrl-C after some epochs."""

    def __init__(self, epoch, hook="on_epoch_begin"):
        self.epoch = epoch
        self.hook = hook

    def _press(self, net):
        if net.history[-1, "epoch"] == self.epoch:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.01)

    def on_epoch_begin(self, net, **kwargs):
        if self.hook == "on_epoch_begin":
            self._press(net)

    def on_epoch_end(self, net, **kwargs):
        if self.hook == "on_epoch_end":
            self._press(net)


@pytest.mark.usefixtures("sigint")
@pytest.mark.parametrize("hook", ["on_epoch_begin", "on_epoch_end"])
def test_interrupt_keeps_a_usable_model_and_warns(hook, X, fast):
    ae = Autoencoder(**{**fast, "max_epochs": 50}, callbacks=[InterruptAt(3, hook)])
    with pytest.warns(InterruptedWarning, match=r"interrupted after \d epochs"):
        ae.fit(X)
    assert ae.n_iter_ == (2 if hook == "on_epoch_begin" else 3)
    assert len(ae.loss_curve_) == ae.n_iter_
    assert np.isfinite(ae.transform(X)).all()
    later = pickle.loads(pickle.dumps(ae)).set_params(callbacks=None).partial_fit(X)
    assert later.n_iter_ == ae.n_iter_ + 1


@pytest.mark.usefixtures("sigint")
def test_interrupt_in_the_first_epoch(X, fast):
    ae = Autoencoder(**fast | {"early_stopping": True}, callbacks=[InterruptAt(1)])
    with pytest.warns(InterruptedWarning, match="interrupted after 0 epochs"):
        ae.fit(X)
    assert ae.n_iter_ == 0
    assert ae.loss_curve_ == []
    assert np.isfinite(ae.transform(X)).all()


def test_interrupt_before_training_began(X, fast, monkeypatch):
    ae = Autoencoder(**fast | {"early_stopping": True}, warm_start=True).fit(X)
    before = ae.transform(X)

    def press(self):
        raise KeyboardInterrupt

    monkeypatch.setattr("skae._training.loop.TrainingRun.begin", press)
    for model in (ae, Autoencoder(**fast | {"early_stopping": True})):
        with pytest.raises(KeyboardInterrupt):
            model.fit(X)
    np.testing.assert_array_equal(ae.transform(X), before)
    assert not hasattr(model, "net_")


@pytest.mark.usefixtures("sigint")
def test_interrupt_restores_the_best_weights(X, fast):
    ae = Autoencoder(
        **fast | {"max_epochs": 50, "lr": 0.03, "early_stopping": True},
        patience=50,
        callbacks=[InterruptAt(30)],
    )
    with pytest.warns(InterruptedWarning):
        ae.fit(X, X_val=X[:40])
    best = min(ae.history_[:, "valid_loss"])
    assert -ae.score_samples(X[:40]).mean() == pytest.approx(best, rel=1e-4)


def test_stopping_early_is_no_interrupt(X, fast):
    callback = EarlyStopping(monitor="train_loss", patience=1, threshold=10.0)
    assert Autoencoder(**{**fast, "max_epochs": 9}, callbacks=[callback]).fit(X).n_iter_ < 9


# Callbacks.


def test_callbacks_are_not_changed(X, fast, tmp_path):
    callbacks = [
        EarlyStopping(monitor="train_loss"),
        LRScheduler(optim.lr_scheduler.StepLR, step_size=1),
        ("save", Checkpoint(monitor="train_loss_best", dirname=str(tmp_path))),
        RecordLR,
    ]
    before = [dict(vars(c)) if isinstance(c, Callback) else c for c in callbacks]
    Autoencoder(**fast, callbacks=callbacks).fit(X)
    after = [dict(vars(c)) if isinstance(c, Callback) else c for c in callbacks]
    assert before == after


def test_lr_scheduler_callback(X, fast):
    scheduler = LRScheduler(optim.lr_scheduler.StepLR, step_size=1, gamma=0.1)
    ae = Autoencoder(**fast, callbacks=[RecordLR(), scheduler]).fit(X)
    np.testing.assert_allclose(lrs(ae), [1e-3, 1e-4, 1e-5])
    per_batch = LRScheduler(optim.lr_scheduler.StepLR, step_size=1, step_every="batch")
    ae = Autoencoder(**fast, batch_size=60, callbacks=[RecordLR(), per_batch]).fit(X)
    np.testing.assert_allclose(lrs(ae), [1e-5, 1e-7, 1e-9])


def test_two_learning_rate_schedules_are_refused(X, fast):
    scheduler = LRScheduler(optim.lr_scheduler.StepLR, step_size=1)
    ae = Autoencoder(**fast | {"lr_schedule": "one_cycle"}, callbacks=[scheduler])
    with pytest.raises(ValueError, match="LRScheduler beside lr_schedule='one_cycle'"):
        ae.fit(X)


def test_checkpoint_callback(X, fast, tmp_path):
    checkpoint = Checkpoint(dirname=str(tmp_path))  # of the best valid_loss
    ae = Autoencoder(**fast, callbacks=[checkpoint]).fit(X, X_val=X[:30])
    saved = torch.load(tmp_path / "params.pt", weights_only=True)
    assert ae.history_[-1, "valid_loss_best"]
    for name, value in ae.net_.module_.state_dict().items():
        assert torch.equal(saved[name], value)
    assert (tmp_path / "optimizer.pt").exists()


def test_tensorboard_callback(X, fast, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(tmp_path) as writer:
        ae = Autoencoder(**fast, callbacks=[TensorBoard(writer)]).fit(X)
    events = EventAccumulator(str(tmp_path)).Reload()
    logged = [event.value for event in events.Scalars("Loss/train_loss")]
    np.testing.assert_allclose(logged, ae.loss_curve_, rtol=1e-6)


def test_callback_sees_batches_and_gradients(X, fast):
    norms = []

    class Watch(Callback):
        def on_grad_computed(self, net, named_parameters, **kwargs):
            norms.append(math.sqrt(sum(p.grad.square().sum() for _, p in named_parameters)))

    ae = Autoencoder(**fast, batch_size=60, callbacks=[Watch()]).fit(X)
    assert len(norms) == 6
    assert all(norm > 0 for norm in norms)
    assert [len(epoch["batches"]) for epoch in ae.history_] == [2, 2, 2]
    silent = Autoencoder(**fast, batch_size=60).fit(X)
    np.testing.assert_array_equal(ae.transform(X), silent.transform(X))
    assert ae.loss_curve_ == silent.loss_curve_


def test_gradient_clipping_callback(X, fast):
    clipping = GradientNormClipping(0.01)
    by_callback = Autoencoder(**fast, optimizer="sgd", callbacks=[clipping]).fit(X)
    by_parameter = Autoencoder(**fast, optimizer="sgd", max_grad_norm=0.01).fit(X)
    np.testing.assert_allclose(by_callback.transform(X), by_parameter.transform(X), rtol=1e-6)


def test_scoring_callback(X, fast):
    def spread(net, X, y=None):
        return float(np.std(net.module_(X.get_batch(slice(None), torch.float32)[0]).tolist()))

    scoring = EpochScoring(spread, name="spread", use_caching=False)
    ae = Autoencoder(**fast, callbacks=[scoring]).fit(X, X_val=X[:30])
    expected = ae.reconstruct(X[:30]).std()
    assert ae.history_[-1, "spread"] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("on_train", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_cached_scoring_callback(on_train, weighted, X, fast):
    def error(net, X, y):
        return float(((net.predict(X) - y) ** 2).mean())

    weight = np.ones(120) if weighted else None
    scoring = EpochScoring(error, name="error", on_train=on_train)
    ae = Autoencoder(**fast, callbacks=[scoring]).fit(X, X_val=X[:30], sample_weight=weight)
    assert ae.history_[-1, "error"] == pytest.approx(
        ae.history_[-1, "train_loss" if on_train else "valid_loss"], rel=0.1
    )


def test_thawed_layers_train(X, fast):
    callbacks = [Freezer("encoder.*"), Unfreezer("encoder.*", at=3)]
    params = {**fast, "architecture": Dense(shortcut=False)}
    x = torch.tensor(X, dtype=torch.float32)

    def encoded(model):
        return model.fit(X).net_.module_.encoder(x)

    start = encoded(Autoencoder(**params | {"lr": 1e-12, "max_epochs": 1}))
    for n_epochs, is_thawed in [(2, False), (3, True)]:
        ae = Autoencoder(**params | {"max_epochs": n_epochs}, callbacks=callbacks)
        assert torch.allclose(encoded(ae), start, atol=1e-6) != is_thawed


@pytest.mark.parametrize("optimizer", [optim.Adam, optim.LBFGS])
def test_frozen_layers_stay(optimizer, X, fast):
    plain = Dense(shortcut=False)
    params = {**fast, "optimizer": optimizer, "architecture": plain}
    if optimizer is optim.Adam:
        params["weight_decay"] = 0.1
    else:  # which diverges with some seeds if its steps are not searched for
        params |= {"batch_size": 120, "optimizer_params": {"line_search_fn": "strong_wolfe"}}
    start = Autoencoder(**params | {"lr": 1e-12, "max_epochs": 1}).fit(X).encoder_[0]
    ae = Autoencoder(**params, callbacks=[Freezer("encoder.0.*")]).fit(X)
    torch.testing.assert_close(ae.encoder_[0][0].weight, start[0].weight, rtol=0, atol=1e-9)
    assert not torch.equal(ae.encoder_[0][2].weight, start[2].weight)
    assert ae.loss_curve_[-1] < ae.loss_curve_[0]


class Collect(Callback):
    def on_train_begin(self, net, **kwargs):
        self.losses_ = []

    def on_epoch_end(self, net, **kwargs):
        self.losses_.append(net.history[-1, "train_loss"])


def test_callbacks_collect_for_the_user(X, fast):
    losses = []
    append = type("Append", (Callback,), {"on_epoch_end": lambda self, net, **_: losses.append(1)})
    callback = Collect()
    ae = Autoencoder(**fast, callbacks=[callback, ("append", append)]).fit(X)
    assert callback.losses_ == ae.loss_curve_
    assert len(losses) == ae.n_iter_
    other = clone(ae).fit(X[:50])
    assert callback.losses_ == ae.loss_curve_
    assert other.callbacks[0].losses_ == other.loss_curve_ != ae.loss_curve_


# Modules of other kinds.


class Gated(nn.Module):
    def __init__(self, n_inputs, n_outputs):
        super().__init__()
        self.value, self.gate = nn.Linear(n_inputs, n_outputs), nn.Linear(n_inputs, n_outputs)

    def forward(self, x):
        return self.value(x) * self.gate(x).sigmoid()


class GatedArchitecture:
    """A user's own architecture: one method."""

    def build(self, input_shape, encoder_width, code_width):
        (n_features,) = input_shape
        return Gated(n_features, encoder_width), Gated(code_width, n_features)


class Given:
    """Hands out layers made by a function of their widths."""

    def __init__(self, encoder, decoder=nn.Linear):
        self.parts = encoder, decoder

    def build(self, input_shape, encoder_width, code_width):
        (n_features,) = input_shape
        encoder, decoder = self.parts
        return encoder(n_features, encoder_width), decoder(code_width, n_features)


def transposed(n_inputs, n_outputs):
    layer = nn.Linear(n_inputs, n_outputs)
    layer.weight = nn.Parameter(torch.randn(n_inputs, n_outputs).t())
    return layer


def doubled(n_inputs, n_outputs):
    return nn.Linear(n_inputs, n_outputs, dtype=torch.float64)


@pytest.mark.parametrize("layer", [transposed, doubled])
def test_layers_that_lie_otherwise_in_memory(layer, X, fast):
    ae = Autoencoder(**fast | {"lr": 0.01}, architecture=Given(layer)).fit(X)
    assert ae.loss_curve_[-1] < ae.loss_curve_[0]


def test_modules_handed_out_twice_are_not_shared(X, fast):
    encoder, decoder = nn.Linear(10, 3), nn.Linear(3, 10)
    architecture = Given(lambda *_: encoder, lambda *_: decoder)
    first = Autoencoder(**fast, architecture=architecture).fit(X)
    before = first.transform(X)
    Autoencoder(**fast, architecture=architecture).fit(X)
    np.testing.assert_array_equal(first.transform(X), before)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_fit_where_gradients_are_off(mode, X, fast):
    ae = Autoencoder(**fast, architecture=Dense((8,), dropout=0.1))
    with mode():
        ae.fit(X).partial_fit(X)
    assert ae.loss_curve_[-1] < ae.loss_curve_[0]


def test_fit_with_another_default_dtype(X, fast):
    expected = Autoencoder(**fast).fit(X).score(X)
    torch.set_default_dtype(torch.float64)
    try:
        assert Autoencoder(**fast).fit(X).score(X) == pytest.approx(expected, abs=0.05)
    finally:
        torch.set_default_dtype(torch.float32)


def test_own_architecture(X, fast):
    ae = Autoencoder(**{**fast, "max_epochs": 30, "lr": 0.01}, architecture=GatedArchitecture())
    ae.fit(X)
    assert ae.loss_curve_[-1] < 0.5 * ae.loss_curve_[0]
    assert isinstance(ae.encoder_[0], Gated)
    twin = pickle.loads(pickle.dumps(ae))
    np.testing.assert_array_equal(twin.transform(X), ae.transform(X))


@pytest.mark.parametrize("normalization", ["batch", "layer", None])
@pytest.mark.parametrize("n_rows", [1, 33])
def test_normalization_with_a_last_batch_of_one(normalization, n_rows, X, fast):
    architecture = Dense((8,), normalization=normalization, dropout=0.1)
    ae = Autoencoder(**fast, batch_size=32, architecture=architecture).fit(X[:n_rows])
    assert np.isfinite(ae.transform(X)).all()


def test_device_is_recorded(X, fast):
    assert Autoencoder(**fast, device="cpu").fit(X).device_ == torch.device("cpu")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_cuda(X, fast):
    on_gpu = Autoencoder(**fast, device="cuda").fit(X)
    on_cpu = Autoencoder(**fast, device="cpu").fit(X)
    assert on_gpu.device_.type == "cuda"
    np.testing.assert_allclose(on_gpu.transform(X), on_cpu.transform(X), atol=1e-3)
    np.testing.assert_array_equal(
        pickle.loads(pickle.dumps(on_gpu)).reconstruct(X), on_gpu.reconstruct(X)
    )


# The record of the epochs.


class Counted(dict):
    """An epoch that counts how often any of its kind is read or copied."""

    touched = 0

    def __getitem__(self, key):
        Counted.touched += 1
        return super().__getitem__(key)

    def __contains__(self, key):
        Counted.touched += 1
        return super().__contains__(key)

    def __deepcopy__(self, memo):
        Counted.touched += 1
        return Counted(self)


def with_many_epochs(model, n):
    """Let a model look as if trained for so many epochs."""
    history = model.net_.history
    last = history[-1]
    for epoch in range(len(history) + 1, n + 1):
        history.append(Counted(last, batches=[{}], epoch=epoch))
    return model


@pytest.mark.parametrize(("method", "n_kept"), [("fit", 20_001), ("partial_fit", 1_000)])
def test_training_goes_on_at_the_same_cost_however_long_it_was(method, n_kept, X, fast):
    """Epochs before the last are neither read nor copied."""
    model = Autoencoder(**fast | {"max_epochs": 1, "warm_start": True}).fit(X, X_val=X[:30])
    with_many_epochs(model, 20_000)
    Counted.touched = 0
    getattr(model, method)(X)
    assert Counted.touched < 10
    assert model.n_iter_ == 20_001
    numbers = [epoch["epoch"] for epoch in model.history_]
    assert numbers == list(range(20_002 - n_kept, 20_002))


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_history_can_be_bounded(method, X, fast):
    params = fast | {"max_epochs": 1, "warm_start": True}
    model, all_kept = Autoencoder(**params, history_size=3), Autoencoder(**params)
    sizes = []
    for _ in range(8):
        for each in (model, all_kept):
            getattr(each, method)(X)
        sizes.append(len(pickle.dumps(model)))
    assert model.n_iter_ == all_kept.n_iter_ == 8
    assert model.loss_curve_ == all_kept.loss_curve_[-3:]
    assert [epoch["epoch"] for epoch in model.history_] == [6, 7, 8]
    for name in ("train_loss", "train_loss_best"):
        assert model.history_[:, name] == all_kept.history_[:, name][-3:]
    assert max(sizes[2:]) - min(sizes[2:]) < 20
    model.set_params(history_size=1).partial_fit(X)
    assert (model.n_iter_, len(model.history_)) == (9, 1)
    with pytest.raises(ValueError, match="'history_size' parameter"):
        Autoencoder(history_size=0).fit(X)


def test_calls_of_partial_fit_do_not_pile_up(monkeypatch):
    monkeypatch.setattr("skae._training.net.MAX_CALLS", 20)
    X = np.random.default_rng(0).normal(size=(30, 4))
    model = Autoencoder(2, random_state=0)
    sizes, losses = [], []
    for _ in range(60):
        model.partial_fit(X)
        sizes.append(len(pickle.dumps(model)))
        losses.append(model.loss_curve_[-1])
    assert model.n_iter_ == 60
    assert model.loss_curve_ == losses[-20:]
    assert sizes[59] - sizes[29] < 100
    fitted = Autoencoder(2, random_state=0, max_epochs=30).fit(X)
    assert len(fitted.history_) == 30
    assert len(fitted.partial_fit(X).history_) == 20


def test_bounded_history_keeps_all_that_training_needs(X, fast):
    params = fast | {"early_stopping": True, "max_epochs": 8, "lr": 0.3, "patience": 3}
    one, all_kept = (Autoencoder(**params, history_size=k).fit(X) for k in (1, None))
    np.testing.assert_array_equal(one.transform(X), all_kept.transform(X))
    assert one.n_iter_ == all_kept.n_iter_


def test_history_says_which_loss_is_the_lowest_of_all(X, fast):
    model = Autoencoder(**fast | {"lr": 0.5, "optimizer": "sgd", "warm_start": True}).fit(X)
    model = pickle.loads(pickle.dumps(model)).set_params(lr=0.01, max_epochs=20).fit(X)
    losses = model.history_[:, "train_loss"]
    expected = [loss < min(losses[:i], default=np.inf) for i, loss in enumerate(losses)]
    assert model.history_[:, "train_loss_best"] == expected


def test_history_is_that_of_its_own_model(X, fast):
    model = Autoencoder(**fast).partial_fit(X)
    history, twins = model.history_, [copy.copy(model), copy.deepcopy(model), clone(model)]
    for twin in twins:
        twin.partial_fit(X)
    model.partial_fit(X)
    assert len(history) == 1
    assert [each.n_iter_ for each in (model, *twins)] == [2, 2, 2, 1]


def test_history_from_a_checkpoint_is_continued(X, fast, tmp_path):
    checkpoint = Checkpoint(dirname=str(tmp_path), load_best=True, monitor="train_loss_best")
    model = Autoencoder(**fast, callbacks=[checkpoint]).fit(X)
    model.set_params(callbacks=None).partial_fit(X)
    assert model.n_iter_ == len(model.history_) == 4
