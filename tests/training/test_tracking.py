"""Trackers of experiments, as the example uses them; MLflow is in ``test_serving.py``."""

import runpy
from pathlib import Path

import numpy as np
import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "track_experiments.py"


@pytest.fixture
def example(monkeypatch):
    """Return the names of the example, which trains for three epochs."""
    found = runpy.run_path(EXAMPLE)
    monkeypatch.setitem(found["PARAMS"], "max_epochs", 3)
    return found


def test_tensorboard_gets_the_loss_curve(example, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    model = example["with_tensorboard"](tmp_path)
    events = EventAccumulator(str(tmp_path)).Reload()
    logged = [event.value for event in events.Scalars("Loss/train_loss")]
    np.testing.assert_allclose(logged, model.loss_curve_, rtol=1e-6)


def test_wandb_gets_the_loss_curve(example, tmp_path, monkeypatch):
    wandb = pytest.importorskip("wandb")
    for name, value in {"MODE": "offline", "SILENT": "true", "DISABLE_GIT": "true"}.items():
        monkeypatch.setenv(f"WANDB_{name}", value)
    model = example["with_wandb"](str(tmp_path))
    wandb.teardown()  # writes what it holds
    (run,) = tmp_path.glob("wandb/offline-run-*/*.wandb")
    written = run.read_bytes()
    assert all(repr(loss).encode() in written for loss in model.loss_curve_)
    assert b"n_components" in written


@pytest.mark.filterwarnings("ignore:The estimator MinMaxScaler does not support callbacks")
def test_a_callback_of_scikit_learn_hands_losses_to_any_tracker(example):
    logged = []
    pipeline = example["in_a_pipeline"](lambda losses, step: logged.append((step, losses)))
    model = pipeline[-1]
    assert [step for step, _ in logged] == [0, 1, 2]
    assert [losses["train_loss"] for _, losses in logged] == model.loss_curve_
    assert [losses["valid_loss"] for _, losses in logged] == model.history_[:, "valid_loss"]
