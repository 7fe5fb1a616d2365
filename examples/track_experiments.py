"""
How to track experiments?
=========================

TensorBoard, MLflow and Weights & Biases keep the losses of every epoch of every model that you
train, and draw them side by side. skorch has a callback for each::

    pip install tensorboard mlflow wandb
    python track_experiments.py tensorboard mlflow wandb

All three work without a network. MLflow writes where ``MLFLOW_TRACKING_URI`` says, and Weights &
Biases writes to the folder alone with ``WANDB_MODE=offline``.

For a model inside of a pipeline or a search, callbacks of scikit-learn are easier: set them on the
outermost estimator. `EpochLogger` is one that hands losses to any tracker.
"""

import sys
from pathlib import Path

from sklearn.datasets import load_digits
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from skorch.callbacks import MlflowLogger, TensorBoard, WandbLogger

from skae import Autoencoder

X = load_digits().data
PARAMS = {"n_components": 8, "max_epochs": 20, "random_state": 0}


def with_tensorboard(folder):
    """Write the losses to a folder, which ``tensorboard --logdir`` shows."""
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(folder) as writer:
        return Autoencoder(**PARAMS, callbacks=[TensorBoard(writer)]).fit(X / 16)


def with_mlflow(folder):
    """Log the losses and the parameters as a run of MLflow, which ``mlflow ui`` shows."""
    import mlflow

    del folder
    with mlflow.start_run():
        mlflow.log_params(PARAMS)
        logger = MlflowLogger(create_artifact=False, terminate_after_train=False)
        return Autoencoder(**PARAMS, callbacks=[logger]).fit(X / 16)


def with_wandb(folder):
    """Log the losses and the parameters as a run of Weights & Biases."""
    import wandb

    with wandb.init(project="skae", dir=folder, config=PARAMS) as run:
        logger = WandbLogger(run, save_model=False)
        return Autoencoder(**PARAMS, callbacks=[logger]).fit(X / 16)


class EpochLogger:
    """Callback of scikit-learn that hands the losses of each epoch to a function.

    Parameters
    ----------
    log : callable
        It takes a dict of losses and ``step``, the number of the epoch, as `mlflow.log_metrics`
        and the ``log`` of a run of Weights & Biases do.
    """

    max_propagation_depth = None  # it is for the estimators inside as well

    def __init__(self, log):
        self.log = log

    def setup(self, estimator, context):
        """Do nothing before the fit."""

    def teardown(self, estimator, context):
        """Do nothing after the fit."""

    def on_fit_task_begin(self, estimator, context):
        """Do nothing before an epoch."""

    def on_fit_task_end(self, estimator, context):
        """Log the losses of an epoch."""
        if context.task_name == "epoch":
            last = estimator.history_[-1]
            losses = {name: last[name] for name in ("train_loss", "valid_loss") if name in last}
            self.log(losses, step=context.task_id)


def in_a_pipeline(log):
    """Log the losses of an autoencoder that is a step of a pipeline."""
    pipeline = make_pipeline(MinMaxScaler(), Autoencoder(**PARAMS))
    return pipeline.set_callbacks(EpochLogger(log)).fit(X)


if __name__ == "__main__":
    trackers = {"tensorboard": with_tensorboard, "mlflow": with_mlflow, "wandb": with_wandb}
    Path("runs").mkdir(exist_ok=True)
    for name in sys.argv[1:]:
        print(name, trackers[name]("runs").loss_curve_[-1])
