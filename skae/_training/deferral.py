"""Fits that leave their training to others, who train many nets at once."""

from contextlib import contextmanager
from contextvars import ContextVar

from skae._training.loop import train

#: Where fits are left to be trained by others, see ``deferred_fit``.
_deferred = ContextVar("deferred", default=None)


class DeferrableFit:
    """Base of estimators whose training can be left to others.

    A subclass brings ``_fitting``: a context that gives the `TrainingRun` to be done, and around
    it is the rest of a fit.
    """

    def _fit(self, data, sample_weight, validation_data=None):
        """Train for ``max_epochs`` on data, a tuple of what ``fit`` was given."""
        deferred = _deferred.get()
        fitting = self._fitting(data, sample_weight, validation_data, shows_bar=deferred is None)
        if deferred is not None:
            deferred.append(fitting)
            return self
        with fitting as training:
            train([training])
        return self


def can_be_deferred(estimator):
    """Say whether ``deferred_fit`` does for an estimator: a fit of its own may do more."""
    if not isinstance(estimator, DeferrableFit):
        return False
    return type(estimator).fit.__module__.partition(".")[0] == __package__.partition(".")[0]


@contextmanager
def deferred_fit():
    """Let ``fit`` only take its arguments, and leave the training to the caller.

    Gives a list, in which ``fit`` leaves what ``_fitting`` of the estimator returns.
    """
    fittings = []
    token = _deferred.set(fittings)
    try:
        yield fittings
    finally:
        _deferred.reset(token)
