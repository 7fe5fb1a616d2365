"""Bars that show the progress of a training, or of many."""

import re
import sys
from io import StringIO
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tqdm
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback

import skae
from skae import Autoencoder, EnsembleAutoencoder, OutlierDetector, fit_many
from skae._training.progress import FitsBar
from skae.exceptions import InterruptedWarning


class Interrupt(Callback):
    """Interrupts after the third epoch, or raises another error."""

    def __init__(self, error=KeyboardInterrupt):
        self.error = error

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == 3:
            raise self.error


@pytest.fixture(scope="module")
def X():
    return np.random.default_rng(0).normal(size=(60, 4)).astype("float32")


def quick(**params):
    params = {"max_epochs": 4, "random_state": 0, "check_baseline": False} | params
    return Autoencoder(2, **params)


@pytest.fixture
def shown(capsys):
    """Return a function that gives the bars that were shown, each as it was at last."""

    def lines():
        assert not tqdm.tqdm._instances  # all are closed
        written = capsys.readouterr().err
        return [line.split("\r")[-1] for line in written.split("\n") if line]

    return lines


def test_a_bar_shows_epochs_losses_and_the_best(X, shown):
    model = quick(verbose=1, early_stopping=True).fit(X)
    (line,) = shown()
    last = model.history_[-1]
    best = min(epoch["valid_loss"] for epoch in model.history_)
    assert "| epoch 4/4 [" in line
    assert ", batch_size=32, train_loss=" in line  # what "auto" chose
    losses = f"train_loss={last['train_loss']:.3g}, valid_loss={last['valid_loss']:.3g}"
    assert line.endswith(f"{losses}, best={best:.3g}]")

    model = quick(verbose=1, early_stopping=False).fit(X)
    assert shown()[0].endswith(f"best={min(model.loss_curve_):.3g}]")


def test_a_log_has_two_lines_however_long_the_training(X, capsys):
    quick(verbose=1, max_epochs=60).fit(X)
    written = capsys.readouterr().err
    assert written.count("\n") == 1
    assert written.count("\r") == 2


def test_a_bar_is_closed_where_the_training_ends_early(X, shown):
    with pytest.raises(RuntimeError):
        quick(verbose=1, callbacks=[Interrupt(RuntimeError)]).fit(X)
    (line,) = shown()
    assert "epoch 2/4" in line

    with pytest.warns(InterruptedWarning):
        quick(verbose=1, callbacks=[Interrupt()]).fit(X)
    assert "epoch 3/4" in shown()[0]

    model = quick(verbose=1, patience=1, lr=1.0, early_stopping=True, max_epochs=50).fit(X)
    assert model.n_iter_ < 50
    assert f"epoch {model.n_iter_}/{model.n_iter_}" in shown()[0]  # complete


def test_many_fits_share_a_bar(X, shown, capsys):
    ensemble = EnsembleAutoencoder(quick(verbose=1), 3, random_state=0, verbose=1).fit(X)
    (line,) = shown()
    losses = [member.loss_curve_[-1] for member in ensemble.estimators_]
    assert line.startswith("EnsembleAutoencoder: 100%")
    assert "3.0/3 fits" in line
    assert f"mean train_loss={np.mean(losses):.3g}]" in line

    fit_many([quick(), quick(optimizer="muon")], X, verbose=2)
    written = capsys.readouterr()
    assert written.out.startswith("[skae] 2 fits, one by one: 2")
    assert "fit_many: 100%" in written.err
    assert "2.0/2 fits" in written.err

    EnsembleAutoencoder(quick(), 2, random_state=0).fit(X)
    assert shown() == []


def test_a_bar_over_many_fits_moves_while_they_train(shown):
    with FitsBar(2, "two") as bar:
        bar.move("a", 1 / 3, loss=2.0)
        bar.move("b", 0.5, loss=4.0)
        bar.move("a", 1.0, loss=1.0)
    (line,) = shown()
    assert "| 1.5/2 fits [" in line
    assert "mean train_loss=2.5]" in line


def test_a_bar_over_many_fits_is_closed_after_an_error(X, shown):
    failing = quick(callbacks=[Interrupt(RuntimeError)])
    with pytest.raises(RuntimeError):
        EnsembleAutoencoder(failing, 2, random_state=0, verbose=1).fit(X)
    (line,) = shown()
    assert "100%" not in line


def test_bars_of_a_detector(X, shown):
    OutlierDetector(quick(), cv=2, random_state=0, verbose=1).fit(X)
    (line,) = shown()
    assert line.startswith("OutlierDetector: 100%")
    assert "3.0/3 fits" in line

    pipeline = make_pipeline(StandardScaler(), quick())
    for estimator in (quick(), pipeline):  # a single fit: its own bar
        OutlierDetector(estimator, random_state=0, verbose=1).fit(X)
        (line,) = shown()
        assert "| epoch 4/4 [" in line
        assert estimator.get_params().get("autoencoder__verbose", 0) == 0  # of the user's

    OutlierDetector(PCA(2), verbose=1).fit(X)
    assert "1.0/1 fits" in shown()[0]
    OutlierDetector(random_state=0, verbose=1).fit(X)
    assert "2.0/2 fits" in shown()[0]
    OutlierDetector(quick(), cv=2, random_state=0).fit(X)
    assert shown() == []


@pytest.fixture
def outputs(monkeypatch):
    """Return the outputs of the cell of a notebook, each with all its states."""
    found = []

    class Handle:
        def __init__(self, data):
            self.states = [data]

        def update(self, data, raw):
            assert raw
            self.states.append(data)

    def display(data, raw, display_id):
        assert raw
        assert display_id
        found.append(Handle(data))
        return found[-1]

    ipython = SimpleNamespace(display=SimpleNamespace(display=display))
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", ipython.display)
    return found


def test_a_notebook_shows_a_bar_that_is_updated_in_place(X, outputs, monkeypatch):
    stream = type("OutStream", (StringIO,), {"__module__": "ipykernel.iostream"})
    monkeypatch.setattr(sys, "stderr", stream())
    quick(verbose=1).fit(X)
    EnsembleAutoencoder(quick(), 2, random_state=0, verbose=1).fit(X)
    one, many = outputs
    assert len(one.states) > 1
    assert 'value="0" max="4"' in one.states[0]["text/html"]
    assert 'value="4" max="4"' in one.states[-1]["text/html"]
    assert "epoch 4/4" in one.states[-1]["text/html"]
    assert "&lt;" in one.states[-1]["text/html"]  # of the times
    assert "█| epoch 4/4" in one.states[-1]["text/plain"]
    assert "EnsembleAutoencoder: 100% <progress" in many.states[-1]["text/html"]
    assert sys.stderr.getvalue() == ""

    with pytest.raises(RuntimeError):
        quick(verbose=1, callbacks=[Interrupt(RuntimeError)]).fit(X)
    failed = outputs[-1].states[-1]["text/html"]
    assert 'value="2" max="4"' in failed
    color = re.compile('accent-color: (#.*?)"')
    assert color.findall(failed) != color.findall(one.states[-1]["text/html"])


def test_a_bar_needs_no_more_of_a_stream_than_write(X, monkeypatch):
    class Stream:
        written = ""

        def write(self, text):
            self.written += text

    stream = Stream()
    monkeypatch.setattr(sys, "stderr", stream)
    quick(verbose=1).fit(X)
    assert "epoch 4/4" in stream.written

    monkeypatch.setattr(sys, "stderr", None)  # no console
    quick(verbose=1).fit(X)


def test_what_warns_where_ipywidgets_are_missing_is_never_imported():
    # tqdm.auto and tqdm.notebook print a red warning in the first cell of a notebook.
    files = Path(skae.__file__).parent.rglob("*.py")
    lines = [line.strip() for file in files for line in file.read_text("utf-8").splitlines()]
    imports = {line for line in lines if re.match(r"(from|import) tqdm", line)}
    assert imports == {"from tqdm import tqdm"}
