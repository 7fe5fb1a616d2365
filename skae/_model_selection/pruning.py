"""Pruning of Optuna's trials by the losses of a net, as a callback of scikit-learn."""

from skae._training.session import SessionEstimator
from skae.exceptions import missing


class OptunaPruningCallback:
    """Let Optuna stop a trial whose losses are worse than those of others.

    It is a callback of scikit-learn. Set it on the model that a trial fits: an estimator of skae, a
    pipeline or any other model with nets inside. Clones, such as those of a cross-validation, keep
    it. After each epoch of a net the loss is reported to the trial, with the opposite sign if the
    study maximizes. If the pruner of the study says so, the fit ends with
    `optuna.TrialPruned`, and the model is as it was before.

    Parameters
    ----------
    trial : optuna.trial.Trial
        The trial that the fit belongs to.
    monitor : str or None, default=None
        The loss to report, "train_loss" or "valid_loss". None is the latter where rows are held
        out, as with ``early_stopping``.

    Attributes
    ----------
    max_propagation_depth : None
        How deep inside a model nets may be. None is any depth.

    See Also
    --------
    skae.BatchedOptunaSearchCV : Trains many trials at once, and prunes them by the score.

    Notes
    -----
    The steps that are reported go on from one fit of a trial to the next. So epochs are compared
    with the same epochs of the same fold. ``cross_val_score`` and searches replace errors of fits
    by a score: give them ``error_score="raise"``, or no trial is pruned.

    Examples
    --------
    >>> import optuna
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import cross_val_score
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skae import Autoencoder
    >>> from skae.model_selection import OptunaPruningCallback
    >>> X = load_iris().data
    >>> def score(trial):
    ...     lr = trial.suggest_float("lr", 1e-5, 1e-1, log=True)
    ...     autoencoder = Autoencoder(2, lr=lr, max_epochs=5, random_state=0, check_baseline=False)
    ...     model = make_pipeline(StandardScaler(), autoencoder)
    ...     model.set_callbacks(OptunaPruningCallback(trial))
    ...     return cross_val_score(model, X, cv=2, error_score="raise").mean()
    >>> optuna.logging.set_verbosity(optuna.logging.WARNING)
    >>> pruner = optuna.pruners.MedianPruner(n_startup_trials=1)
    >>> study = optuna.create_study(direction="maximize", pruner=pruner)
    >>> for lr in (1e-2, 1e-5):
    ...     study.enqueue_trial({"lr": lr})
    >>> study.optimize(score, n_trials=2)
    >>> [trial.state.name for trial in study.trials]
    ['COMPLETE', 'PRUNED']
    """

    max_propagation_depth = None

    def __init__(self, trial, monitor=None):
        self.trial, self.monitor = trial, monitor
        self._fits, self._n_fits = {}, 0

    def setup(self, estimator, context):
        """Do nothing; scikit-learn calls it before a fit.

        Parameters
        ----------
        estimator : estimator
            The estimator that is fitted.
        context : sklearn.callback.CallbackContext
            Context of the fit.
        """

    def teardown(self, estimator, context):
        """Do nothing; scikit-learn calls it after a fit.

        Parameters
        ----------
        estimator : estimator
            The estimator that is fitted.
        context : sklearn.callback.CallbackContext
            Context of the fit.
        """

    def on_fit_task_begin(self, estimator, context, **kwargs):
        """Number the fits of nets; scikit-learn calls it before each task.

        Parameters
        ----------
        estimator : estimator
            The estimator that is fitted.
        context : sklearn.callback.CallbackContext
            Context of the task.
        **kwargs : dict
            Not used.
        """
        if _is_epoch(estimator, context) and context.task_id == 0:
            self._fits[id(estimator)] = self._n_fits
            self._n_fits += 1

    def on_fit_task_end(self, estimator, context, **kwargs):
        """Report the loss of an epoch; scikit-learn calls it after each task.

        Parameters
        ----------
        estimator : estimator
            The estimator that is fitted.
        context : sklearn.callback.CallbackContext
            Context of the task.
        **kwargs : dict
            Not used.

        Raises
        ------
        optuna.TrialPruned
            If the trial is to end.
        """
        if not _is_epoch(estimator, context):
            return
        optuna = import_optuna()
        history = estimator.net_.history[-1]
        loss = history[self.monitor or ("valid_loss" if "valid_loss" in history else "train_loss")]
        maximizes = self.trial.study.direction == optuna.study.StudyDirection.MAXIMIZE
        number = self._fits[id(estimator)]
        step = number * context.parent.max_subtasks + context.task_id
        self.trial.report(-loss if maximizes else loss, step)
        if self.trial.should_prune():
            raise optuna.TrialPruned(f"Pruned after epoch {context.task_id + 1} of fit {number}.")


def _is_epoch(estimator, context):
    return isinstance(estimator, SessionEstimator) and context.task_name == "epoch"


def import_optuna():
    """Return the package, whose import takes time."""
    try:
        import optuna
    except ModuleNotFoundError as error:
        raise missing("optuna", "optuna") from error
    return optuna
