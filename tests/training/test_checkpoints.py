"""Fits that go on from a file after their process was killed."""

import multiprocessing
import os
import sys
import time
import zipfile
from errno import ENOSPC
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback, EarlyStopping, Freezer
from torch.optim.lr_scheduler import MultiStepLR, ReduceLROnPlateau, StepLR

import skae
from skae import (
    Autoencoder,
    BatchedGridSearchCV,
    Checkpoint,
    ConvAutoencoder,
    DenoisingAutoencoder,
    EnsembleAutoencoder,
    ImageToImageRegressor,
    OutlierDetector,
    RecurrentAutoencoder,
    Seq2SeqTranslator,
    TabularAutoencoder,
    VariationalAutoencoder,
    fit_many,
)
from skae._data import archive
from skae._training.checkpoints import FileCheckpoints
from skae._training.state_file import read_state, write_state
from skae.architectures import Dense, Transformer
from skae.exceptions import CheckpointWarning, InterruptedWarning

SMALL = {"random_state": 0, "max_epochs": 6, "check_baseline": False}
DIGITS = load_digits()
IMAGES = DIGITS.images[:150] / 16
ROWS = DIGITS.data[:150] / 16
WORDS = ["one", "two", "three", "four", "five", "six"]
ENGLISH = [f"{a} and {b}" for a in WORDS for b in WORDS]
GERMAN = [f"{b[::-1]} und {a[::-1]}" for a in WORDS for b in WORDS]
TINY = Transformer(16, n_encoder_layers=1, n_decoder_layers=1)


class Stopped(BaseException):
    """In place of a kill, in this process."""


@pytest.fixture
def checkpoint(tmp_path):
    return Checkpoint(tmp_path / "fit.ckpt", every_epochs=2)


@pytest.fixture
def stop_after(monkeypatch):
    """Let the next fit end abruptly after an epoch, when its checkpoint is written."""

    def stop(epoch):
        end_epoch = FileCheckpoints.end_epoch

        def stopping(self, run):
            end_epoch(self, run)
            if run.epochs_done == epoch:
                monkeypatch.setattr(FileCheckpoints, "end_epoch", end_epoch)
                raise Stopped

        monkeypatch.setattr(FileCheckpoints, "end_epoch", stopping)

    return stop


def state_of(model):
    """Return what a fit has learned."""
    net = model.net_
    weights = {name: tensor.numpy() for name, tensor in net.module_.state_dict().items()}
    return weights | {"losses": [e["train_loss"] for e in net.history], "n": model.n_iter_}


def assert_equal(state, other):
    assert state.keys() == other.keys()
    for name, values in state.items():
        np.testing.assert_array_equal(values, other[name], err_msg=name)


def check_goes_on(model, data, checkpoint, stop_after, epoch=3, **params):
    """A fit that is stopped after an epoch goes on to what one without a stop gives."""
    whole = clone(model).set_params(checkpoint=None).fit(*data, **params)
    stop_after(epoch)
    with pytest.raises(Stopped):
        clone(model).set_params(checkpoint=checkpoint).fit(*data, **params)
    assert checkpoint.path.exists()
    resumed = clone(model).set_params(checkpoint=checkpoint).fit(*data, **params)
    assert not checkpoint.path.exists()
    assert_equal(state_of(whole), state_of(resumed))
    return resumed


MODELS = {
    "dropout": Autoencoder(4, architecture=Dense(dropout=0.2), **SMALL),
    "muon": Autoencoder(4, optimizer="muon", lr_schedule="cosine", **SMALL),
    "patience": Autoencoder(4, patience=4, lr=0.5, **SMALL),
    "denoising": DenoisingAutoencoder(4, **SMALL),
    "variational": VariationalAutoencoder(3, **SMALL),
    "neighbors": Autoencoder(2, neighbor_weight=1.0, **SMALL),
    "lbfgs": Autoencoder(
        2, optimizer=torch.optim.LBFGS, optimizer_params={"max_iter": 2}, **SMALL | {"lr": 0.1}
    ),
    "norm": Autoencoder(4, architecture=Dense(normalization="batch"), **SMALL),
    "history": Autoencoder(4, history_size=2, **SMALL),
    "step": Autoencoder(4, lr_schedule=lambda o: StepLR(o, 2), **SMALL),
    "multi_step": Autoencoder(4, lr_schedule=lambda o: MultiStepLR(o, [1, 4]), **SMALL),
    "plateau": Autoencoder(4, lr_schedule=lambda o: ReduceLROnPlateau(o, patience=0), **SMALL),
    "stopping": Autoencoder(4, callbacks=[EarlyStopping(patience=2)], lr=0.5, **SMALL),
    "grad_norm": Autoencoder(4, max_grad_norm=0.1, **SMALL),
}


@pytest.mark.parametrize("name", MODELS)
def test_a_stopped_fit_goes_on(name, checkpoint, stop_after):
    check_goes_on(MODELS[name], (ROWS,), checkpoint, stop_after, epoch=2)


OTHER_DATA = {
    "conv": (ConvAutoencoder(4, **SMALL), (IMAGES[:60],)),
    "recurrent": (RecurrentAutoencoder(4, **SMALL), (IMAGES[:60],)),
    "tabular": (TabularAutoencoder(4, **SMALL), (DIGITS.data[:60],)),
    "regressor": (ImageToImageRegressor(**SMALL), (IMAGES[:40], 1 - IMAGES[:40])),
    "transformer": (Seq2SeqTranslator(TINY, **SMALL), (ENGLISH, GERMAN)),
    "precision": (Seq2SeqTranslator(TINY, precision="bfloat16", **SMALL), (ENGLISH, GERMAN)),
}


@pytest.mark.parametrize("name", OTHER_DATA)
def test_fits_of_all_kinds_of_data_go_on(name, checkpoint, stop_after):
    model, data = OTHER_DATA[name]
    check_goes_on(model, data, checkpoint, stop_after)


def test_labels_weights_and_validation_data(checkpoint, stop_after):
    weight = np.linspace(0.5, 1.5, len(ROWS))
    model = Autoencoder(4, target="classification", **SMALL)
    data = ROWS, DIGITS.target[:150]
    validation = {"X_val": ROWS[:30], "y_val": DIGITS.target[:30]}
    check_goes_on(model, data, checkpoint, stop_after, sample_weight=weight, **validation)


def test_without_a_seed_it_goes_on_with_what_was_drawn(checkpoint, stop_after):
    """The held-out samples and the first weights are those of the stopped fit."""
    model = Autoencoder(4, **SMALL | {"random_state": None}, checkpoint=checkpoint)
    stop_after(3)
    with pytest.raises(Stopped):
        model.fit(ROWS)
    losses = [epoch["valid_loss"] for epoch in read_state(checkpoint.path, "fit")["run"]["epochs"]]
    model.fit(ROWS)
    assert [epoch["valid_loss"] for epoch in model.history_][:2] == losses
    assert model.history_[2, "valid_loss"] < losses[0]  # of the same samples


# Kills.


def _fit(name, path, out):
    """Fit a model in a process of its own, and save what it learned."""
    checkpoint = path and Checkpoint(path, every_epochs=1)
    models = {
        "dense": (Autoencoder(4, **SMALL | {"max_epochs": 40}), (ROWS,)),
        "conv": (ConvAutoencoder(4, **SMALL | {"max_epochs": 12}), (IMAGES,)),
        "recurrent": (RecurrentAutoencoder(4, **SMALL | {"max_epochs": 12}), (IMAGES,)),
        "translator": (Seq2SeqTranslator(TINY, **SMALL | {"max_epochs": 12}), (ENGLISH, GERMAN)),
        "batches": (TabularAutoencoder(4, **SMALL | {"max_epochs": 20}), (np.split(ROWS, 5),)),
    }
    model, data = models[name] if name in models else (_search(), (ROWS,))
    model.set_params(checkpoint=checkpoint)
    method = model.fit_batches if name == "batches" else model.fit
    method(*data)
    if name == "search":
        scores = {k: v for k, v in model.cv_results_.items() if k.endswith("_score")}
        learned = state_of(model.best_estimator_) | scores
    else:
        learned = state_of(model)
    with open(out, "wb") as file:
        np.savez(file, **learned)


def _search():
    model = Autoencoder(**SMALL | {"max_epochs": 10})
    grid = {"n_components": [1, 2, 3, 4], "architecture__hidden_layer_sizes": [(16,), (24,)]}
    return BatchedGridSearchCV(model.set_params(architecture=Dense()), grid, cv=2)


def _in_fork(*args):
    return multiprocessing.get_context("fork").Process(target=_fit, args=args)


@pytest.mark.skipif(sys.platform == "win32", reason="no fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("name", ["dense", "conv", "recurrent", "translator", "search", "batches"])
def test_kills_at_random_moments(name, tmp_path):
    """Whenever they come, the last process ends with the bits of a fit without kills."""
    start = time.perf_counter()
    whole = _in_fork(name, None, tmp_path / "whole.npz")
    whole.start()
    whole.join()
    seconds = time.perf_counter() - start
    rng = np.random.default_rng(0)
    for _ in range(4):
        child = _in_fork(name, tmp_path / "fit.ckpt", tmp_path / "resumed.npz")
        child.start()
        child.join(rng.uniform(0.2, 0.8) * seconds)
        child.kill()
        child.join()
    last = _in_fork(name, tmp_path / "fit.ckpt", tmp_path / "resumed.npz")
    last.start()
    last.join()
    assert (whole.exitcode, last.exitcode) == (0, 0)
    assert_equal(np.load(tmp_path / "whole.npz"), np.load(tmp_path / "resumed.npz"))
    assert not (tmp_path / "fit.ckpt").exists()


# What is another fit.


@pytest.fixture
def stopped(checkpoint, stop_after):
    """A file of a fit, with the model and its data."""
    model = Autoencoder(4, target="classification", checkpoint=checkpoint, **SMALL)
    data = {"X": ROWS, "y": DIGITS.target[:150], "sample_weight": np.ones(150)}
    data |= {"X_val": ROWS[:30], "y_val": DIGITS.target[:30]}
    stop_after(2)
    with pytest.raises(Stopped):
        model.fit(**data)
    return model, data


@pytest.mark.parametrize("name", ["X", "y", "sample_weight", "X_val", "y_val"])
def test_other_data_is_refused_by_name(name, stopped):
    model, data = stopped
    changed = np.array(data[name])
    changed[3] = (changed[3] + 1) % 10 if "y" in name else changed[3] * 0.5 + 0.25
    with pytest.raises(
        ValueError, match=rf"not of this fit: {name} differs\. Go back to what it was"
    ):
        model.fit(**data | {name: changed})
    assert model.checkpoint.path.exists()
    model.fit(**data)


@pytest.mark.parametrize(
    ("name", "value", "change"),
    [
        ("lr", 0.1, "lr was 0.002 and is 0.1"),
        ("max_epochs", 9, "max_epochs was 6 and is 9"),
        ("random_state", 1, "random_state was 0 and is 1"),
        ("callbacks", [EarlyStopping(patience=3)], "callbacks was None and is"),
        ("architecture", Dense((3,)), "architecture was 'dense' and is Dense; it had no"),
    ],
)
def test_other_parameters_are_refused_by_name(name, value, change, stopped):
    model, data = stopped
    with pytest.raises(ValueError, match=f"not of this fit: {change}"):
        model.set_params(**{name: value}).fit(**data)


def test_another_version_is_refused(stopped):
    model, data = stopped
    state = read_state(model.checkpoint.path, "fit")
    state["identity"]["the version of torch"] = "1.0"
    write_state(model.checkpoint.path, state)
    with pytest.raises(ValueError, match=r"the version of torch was 1\.0 and is"):
        model.fit(**data)


def test_what_does_not_change_a_result_may_differ(stopped, capsys):
    model, data = stopped
    checkpoint = Checkpoint(str(model.checkpoint.path), every_minutes=0)
    model.set_params(verbose=1, checkpoint=checkpoint).fit(**data)
    assert "goes on after epoch 2 of 6" in capsys.readouterr().out


def test_equal_data_of_another_type_goes_on(stopped):
    model, data = stopped
    model.fit(**data | {"X": ROWS.tolist()})
    assert model.n_iter_ == 6


@pytest.mark.parametrize("damage", ["cut", "flip", "text", "empty", "zip", "format"])
def test_damaged_files_are_refused(damage, stopped):
    model, data = stopped
    path = model.checkpoint.path
    content = bytearray(path.read_bytes())
    if damage == "cut":
        content = content[: len(content) // 2]
    elif damage == "flip":
        content[len(content) // 2] ^= 255
    elif damage == "format":
        content = content.replace(b'"format": 1', b'"format": 9')
    else:
        content = {"text": b"lr: 3", "empty": b"", "zip": b"PK\x05\x06" + bytes(18)}[damage]
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"fit\.ckpt' is no checkpoint of a fit, or it is damaged"):
        model.fit(**data)
    assert not hasattr(model, "net_")
    path.unlink()
    model.fit(**data)


def test_the_file_holds_no_pickle(stopped):
    with zipfile.ZipFile(stopped[0].checkpoint.path) as file:
        members = {name: file.read(name) for name in file.namelist()}
    assert all(name == "state.json" or name.startswith("tensors/") for name in members)
    assert b"skae._" not in members["state.json"]


# Writing.


@pytest.mark.parametrize("call", ["open", "writestr", "fsync", "replace"])
def test_a_write_that_fails_leaves_the_old_file(call, monkeypatch, tmp_path):
    path = tmp_path / "state"
    write_state(path, {"a": torch.arange(5)})

    def fail(*args, **kwargs):
        raise OSError(ENOSPC, "No space left on device")

    owner = {"open": Path, "writestr": zipfile.ZipFile, "fsync": archive.os, "replace": Path}[call]
    with monkeypatch.context() as patch:
        patch.setattr(owner, call, fail)
        with pytest.raises(OSError, match="No space"):
            write_state(path, {"a": torch.arange(6)})
    assert read_state(path, "fit")["a"].tolist() == [0, 1, 2, 3, 4]
    assert [file.name for file in tmp_path.iterdir()] == ["state"]


def test_a_full_disk_does_not_end_a_fit(monkeypatch, checkpoint):
    def fail(descriptor):
        raise OSError(ENOSPC, "No space left on device")

    monkeypatch.setattr(archive.os, "fsync", fail)
    model = Autoencoder(4, checkpoint=checkpoint, **SMALL)
    with pytest.warns(
        CheckpointWarning, match=r"fit\.ckpt' could not be written.*No space"
    ) as all_:
        model.fit(ROWS)
    assert len(all_) == 1
    assert_equal(state_of(model), state_of(Autoencoder(4, **SMALL).fit(ROWS)))


def test_states_come_back_as_they_were(tmp_path):
    odd = torch.arange(24, dtype=torch.bfloat16).view(2, 3, 4).permute(2, 0, 1)
    state = {
        "plain": [None, True, 3, 0.1, float("inf"), "text", (1, (2,))],
        "by_number": {0: {"step": torch.tensor(3.0)}, 1: {}},
        "tensors": {"odd": odd, "empty": torch.empty(0, 3), "bits": torch.ByteTensor([1, 255])},
        "numpy": (np.float32(0.1), np.arange(3)),
    }
    write_state(tmp_path / "state", state)
    back = read_state(tmp_path / "state", "fit")
    assert back["plain"] == state["plain"]
    assert back["by_number"] == state["by_number"]
    for name, tensor in state["tensors"].items():
        other = back["tensors"][name]
        assert (other.dtype, other.shape) == (tensor.dtype, tensor.shape)
        assert torch.equal(other, tensor)
    assert back["tensors"]["odd"].stride() == odd.stride()
    assert back["numpy"][0] == np.float32(0.1)
    assert type(back["numpy"][0]) is np.float32
    assert back["numpy"][1].tolist() == [0, 1, 2]


def test_it_is_written_when_it_is_time_to(monkeypatch, tmp_path):
    written = []
    write = FileCheckpoints.end_epoch

    def end_epoch(self, run):
        before = os.path.exists(path) and os.stat(path).st_mtime_ns
        write(self, run)
        if os.path.exists(path) and os.stat(path).st_mtime_ns != before:
            written.append(run.epochs_done)

    monkeypatch.setattr(FileCheckpoints, "end_epoch", end_epoch)
    path = tmp_path / "fit.ckpt"
    for checkpoint, epochs in [
        (path, []),  # five minutes
        (Checkpoint(path, every_minutes=0), [1, 2, 3, 4, 5, 6]),
        (Checkpoint(path, every_epochs=4), [4]),
    ]:
        written.clear()
        Autoencoder(4, checkpoint=checkpoint, **SMALL).fit(ROWS)
        assert written == epochs


def test_an_interrupted_fit_keeps_its_file(checkpoint):
    class Interrupt(Callback):
        def on_epoch_end(self, net, **kwargs):
            if len(net.history) == 5 and is_first:
                raise KeyboardInterrupt

    is_first = True
    model = Autoencoder(4, callbacks=[Interrupt()], checkpoint=checkpoint, **SMALL)
    with pytest.warns(InterruptedWarning, match=r"To go on from '.*fit\.ckpt', call fit as before"):
        model.fit(ROWS)
    assert model.n_iter_ == 5
    is_first = False
    assert_equal(state_of(model.fit(ROWS)), state_of(Autoencoder(4, **SMALL).fit(ROWS)))


# Callbacks.


class Counts(Callback):
    """Keeps numbers in its attributes."""

    def on_train_begin(self, net, **kwargs):
        self.epochs = []

    def on_epoch_end(self, net, **kwargs):
        self.epochs.append(len(net.history))


def test_a_callback_of_the_user_goes_on(checkpoint, stop_after):
    model = Autoencoder(4, callbacks=[Counts()], checkpoint=checkpoint, **SMALL)
    stop_after(3)
    with pytest.raises(Stopped):
        model.fit(ROWS)
    model.set_params(callbacks=[Counts()]).fit(ROWS)
    assert model.callbacks[0].epochs == [1, 2, 3, 4, 5, 6]


def test_callbacks_that_cannot_go_on_are_refused(checkpoint):
    model = Autoencoder(4, callbacks=[Freezer("encoder*")], checkpoint=checkpoint, **SMALL)
    with pytest.raises(ValueError, match="checkpoint does not go with the callback Freezer: its"):
        model.fit(ROWS)


# Beside other parameters, and inside of other estimators.


def test_bad_values(tmp_path):
    for error, value, message in [
        (ValueError, 3, "The 'checkpoint' parameter"),
        (FileNotFoundError, tmp_path / "no" / "a", "folder '.*no' does not exist"),
        (IsADirectoryError, tmp_path, "is a folder"),
    ]:
        with pytest.raises(error, match=message):
            Autoencoder(checkpoint=value, **SMALL).fit(ROWS)
    with pytest.raises(ValueError, match="The 'every_epochs' parameter of Checkpoint must be"):
        Checkpoint(tmp_path / "a", every_epochs=0)
    with pytest.raises(ValueError, match="checkpoint does not go with warm_start=True"):
        Autoencoder(checkpoint=tmp_path / "a", warm_start=True, **SMALL).fit(ROWS)


def test_a_fit_that_fails_lets_others_use_the_file(checkpoint):
    model = Autoencoder(4, checkpoint=checkpoint, **SMALL)
    with pytest.raises(ValueError, match="NaN"):
        model.fit(np.full((30, 3), np.nan))
    model.fit(ROWS)
    assert model.n_iter_ == 6


def test_partial_fit_ignores_it(tmp_path):
    path = tmp_path / "a"
    path.write_text("another file")
    Autoencoder(4, checkpoint=path, **SMALL).partial_fit(ROWS)
    assert path.read_text() == "another file"


def test_several_fits_cannot_share_a_file(checkpoint):
    model = Autoencoder(4, checkpoint=checkpoint, **SMALL)
    ensemble = EnsembleAutoencoder(model, 2)
    for fit in [
        lambda: ensemble.fit(ROWS),
        lambda: fit_many([model, clone(model)], ROWS),
        lambda: OutlierDetector(model, cv=2).fit(ROWS),
    ]:
        with pytest.raises(ValueError, match="the file of several fits"):
            fit()
    with pytest.raises(ValueError, match="Leave it out, and set the checkpoint of BatchedGridSea"):
        BatchedGridSearchCV(model, {"lr": [1e-3, 1e-2]}).fit(ROWS)


def test_fits_at_the_same_time_cannot_share_a_file(checkpoint):
    model = Autoencoder(4, checkpoint=checkpoint, **SMALL)
    session = model._session(ROWS)
    session.begin()
    with pytest.raises(ValueError, match="another fit uses '.*' at the same time"):
        clone(model).fit(ROWS)
    session.abandon()
    clone(model).fit(ROWS)


def test_each_with_a_path_of_its_own(tmp_path):
    models = [Autoencoder(4, checkpoint=tmp_path / f"{i}", **SMALL) for i in range(2)]
    alone = [Autoencoder(4, **SMALL).fit(ROWS) for _ in range(2)]
    for model, other in zip(fit_many(models, ROWS), alone, strict=True):
        assert_equal(state_of(model), state_of(other))


@pytest.mark.parametrize("kind", ["pipeline", "detector", "ensemble"])
def test_one_fit_inside_of_another_estimator(kind, checkpoint, stop_after):
    model = Autoencoder(4, checkpoint=checkpoint, **SMALL)

    def outer(model):
        if kind == "pipeline":
            return make_pipeline(StandardScaler(), model)
        if kind == "detector":
            return OutlierDetector(model)
        return EnsembleAutoencoder(model, 1, random_state=0)

    whole = outer(clone(model).set_params(checkpoint=None)).fit(ROWS)
    stop_after(3)
    with pytest.raises(Stopped):
        outer(model).fit(ROWS)
    assert checkpoint.path.exists()
    resumed = outer(model).fit(ROWS)
    np.testing.assert_array_equal(whole.score_samples(ROWS), resumed.score_samples(ROWS))


def test_copies_files_and_pickles_have_it(tmp_path):
    checkpoint = Checkpoint(tmp_path / "fit.ckpt", every_epochs=2)
    model = Autoencoder(4, checkpoint=checkpoint, **SMALL).fit(ROWS)
    skae.save(model, tmp_path / "model.skae")
    loaded = skae.load(tmp_path / "model.skae")
    assert loaded.checkpoint == checkpoint
    assert clone(loaded).checkpoint.every_epochs == 2
