"""What fits tell scikit-learn's callbacks: the tasks that they consist of.

A fit is a task. That of a net has one task for each epoch, that of a meta-estimator one for each
fit inside it.
"""

from contextlib import ExitStack, contextmanager, suppress

from skae._sklearn import callback_management, has_callbacks


def task_facts(estimator, X, y=None, sample_weight=None):
    """Return what callbacks are told of a task.

    Without y, X is its own target: so scores of reconstructions can be monitored.
    """
    metadata = None if sample_weight is None else {"sample_weight": sample_weight}
    return {
        "estimator": estimator,
        "X": X,
        "y": X if y is None else y,
        "metadata": metadata,
    }


class TrainingTask:
    """The training of a net as a task, with one for each epoch.

    Parameters
    ----------
    facts : dict
        What callbacks are told, see ``task_facts``.
    n_epochs : int
    attributes : callable
        Returns the attributes that the estimator would have if training ended now. It is called
        only for callbacks that ask for the fitted estimator.

    Attributes
    ----------
    is_stopped : bool
        Whether a callback ended the training.
    """

    def __init__(self, facts, n_epochs, attributes):
        self._facts, self._attributes = facts, attributes
        self._epoch, self.is_stopped = None, False
        estimator = facts["estimator"]
        with ExitStack() as scope:
            scope.enter_context(callback_management(estimator))
            self._context = estimator._init_callback_context(max_subtasks=n_epochs)
            self._context.call_on_fit_task_begin(**facts)
            self._scope = scope.pop_all()

    def begin_epoch(self):
        """Tell callbacks that an epoch begins."""
        self._epoch = self._context.subcontext(task_name="epoch")
        self._epoch.call_on_fit_task_begin(
            **self._facts, reconstruction_attributes=self._attributes
        )

    def end_epoch(self):
        """Tell callbacks that the epoch is over, if one has begun."""
        epoch, self._epoch = self._epoch, None
        if epoch is not None:
            self.is_stopped |= epoch.call_on_fit_task_end(
                **self._facts, reconstruction_attributes=self._attributes
            )

    def end(self):
        """Tell callbacks that the estimator is fitted."""
        self.end_epoch()
        self._context.call_on_fit_task_end(**self._facts, reconstruction_attributes={})
        self.close()

    def drop(self):
        """Tell callbacks that the fit is over, as nobody needs it any more."""
        with suppress(Exception):  # of a hook: there may be another error, which is told
            for task in filter(None, (self._epoch, self._context)):
                task.call_on_fit_task_end(**self._facts)

    def close(self):
        """Let callbacks go, also after an error."""
        self._scope.close()


def training_task(facts, n_epochs, attributes):
    """Return the `TrainingTask` of an estimator, None if it has no callbacks."""
    if not has_callbacks(facts["estimator"]):
        return None
    return TrainingTask(facts, n_epochs, attributes)


@contextmanager
def meta_task(facts, max_subtasks, sequential_subtasks=True):
    """Provide the context of the fit of a meta-estimator.

    Parameters
    ----------
    facts : dict
        What callbacks are told, see ``task_facts``.
    max_subtasks : int
        Number of tasks inside it.
    sequential_subtasks : bool, default=True
        Whether they come one after the other.
    """
    with callback_management(facts["estimator"]):
        context = facts["estimator"]._init_callback_context(
            max_subtasks=max_subtasks, sequential_subtasks=sequential_subtasks
        )
        context.call_on_fit_task_begin(**facts)
        yield context
        context.call_on_fit_task_end(**facts, reconstruction_attributes={})


class Subtask:
    """The fit of an estimator inside of a meta-estimator.

    Parameters
    ----------
    caller : estimator
        The meta-estimator.
    context : sklearn.callback.CallbackContext
        That of the task.
    """

    def __init__(self, caller, context):
        self.caller, self.context = caller, context

    @contextmanager
    def fit_of(self, estimator, X, y=None, sample_weight=None, **params):
        """Let callbacks of the meta-estimator see the fit of an estimator, which is made inside."""
        del params
        facts = task_facts(self.caller, X, y, sample_weight)
        try:
            with self.context.propagate_callback_context(estimator):
                self.context.call_on_fit_task_begin(**facts)
                yield
        finally:
            self.context.call_on_fit_task_end(**facts)


def subtasks(caller, context, names):
    """Return a `Subtask` for each name; their order is open."""
    contexts = [context.subcontext(task_name=name, task_id=i) for i, name in enumerate(names)]
    return [Subtask(caller, context) for context in contexts]
