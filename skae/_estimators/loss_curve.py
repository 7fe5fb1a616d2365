"""The losses of a training, by epoch."""

import numpy as np
from sklearn.pipeline import Pipeline

from skae._estimators.neural import NeuralEstimator


def loss_curve(estimator):
    """Return the losses of a fitted estimator, as far as they are on record.

    Parameters
    ----------
    estimator : NeuralEstimator

    Returns
    -------
    dict
        "epoch", "train_loss" and "valid_loss" are arrays of shape (n_epochs,), losses NaN where
        there are none. "restored_epoch" is the epoch whose weights the estimator has, 0 for those
        before the first one, or None if no earlier ones were restored.
    """
    return curve_of_history(estimator.history_)


def curve_of_history(history):
    """Return the losses of epochs, each a dict, as `loss_curve` does."""
    history = list(history)
    curve = {
        name: np.array([epoch.get(name, np.nan) for epoch in history], dtype=float)
        for name in ("train_loss", "valid_loss")
    }
    epochs = np.array([epoch["epoch"] for epoch in history], dtype=int)
    restored = history[-1].get("restored_epoch") if history else None
    return {"epoch": epochs, **curve, "restored_epoch": restored}


def loss_curve_of(model):
    """Return the losses of the first step of a model that was trained by epochs, None if none was.

    Parameters
    ----------
    model : estimator
        Maybe a pipeline.
    """
    steps = [step for _, step in model.steps] if isinstance(model, Pipeline) else [model]
    trained = next((step for step in steps if isinstance(step, NeuralEstimator)), None)
    return None if trained is None else loss_curve(trained)
