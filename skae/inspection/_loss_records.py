"""The losses that estimators, ensembles and searches keep, as curves to draw."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from skae._data.checks import as_numbers
from skae._data.frames import narwhals_frame
from skae._estimators.ensemble import EnsembleAutoencoder
from skae._estimators.loss_curve import curve_of_history, loss_curve
from skae._estimators.neural import NeuralEstimator
from skae._model_selection.base import BatchedSearch
from skae._params import callable_name, refuse_class
from skae._text.translator import Seq2SeqTranslator
from skae.inspection._models import Model


@dataclass
class Curve:
    """A curve to draw: its losses, its name, and that of its loss."""

    losses: dict
    name: str
    loss_name: str


def curves_of(estimator, max_curves):
    """Return the curves of an estimator, several, an ensemble or a search, and a title or None."""
    if isinstance(estimator, Mapping):
        return _curves_of_several(list(estimator.values()), [str(key) for key in estimator]), None
    if isinstance(estimator, (list, tuple)):
        return _curves_of_several(list(estimator), None), None
    refuse_class("estimator", estimator)
    if isinstance(estimator, BatchedSearch):
        return _candidates(estimator, max_curves)
    return _members(estimator), None


def given_curves(losses):
    """Return curves of losses that are given.

    Parameters
    ----------
    losses : see `LossCurveDisplay.from_predictions`

    Returns
    -------
    list of Curve

    Raises
    ------
    TypeError, ValueError
        If there are none, or they are no losses.
    """
    if isinstance(losses, Mapping) and "train_loss" not in losses:
        several = {str(name): one for name, one in losses.items()}
    elif isinstance(losses, (list, tuple)) and not _is_one(losses):
        several = {f"curve {i}": one for i, one in enumerate(losses)}
    else:
        several = {None: losses}
    if not several:
        raise ValueError("losses is empty: give at least one curve.")
    return [Curve(_given_curve(one), name, None) for name, one in several.items()]


def _is_one(losses):
    """Say whether a list holds epochs, not curves."""
    first = losses[0] if len(losses) else {}
    epoch = first.get("train_loss") if isinstance(first, Mapping) else first
    return len(losses) > 0 and np.ndim(epoch) == 0


def _given_curve(losses):
    """Return one curve as `loss_curve` does."""
    frame = narwhals_frame(losses, "losses")
    if frame is not None:
        losses = {name: frame.get_column(name).to_list() for name in frame.columns}
    elif isinstance(losses, list) and losses and isinstance(losses[0], Mapping):
        losses = curve_of_history([{"epoch": i, **one} for i, one in enumerate(losses, 1)])
    elif not isinstance(losses, Mapping):
        losses = {"train_loss": losses}
    if "train_loss" not in losses:
        raise ValueError(f"losses has no train_loss; it has {', '.join(map(str, losses)) or None}.")
    train = np.ravel(as_numbers(losses["train_loss"], "train_loss"))
    curve = {"epoch": np.arange(1, len(train) + 1), "valid_loss": None, "restored_epoch": None}
    return curve | {"train_loss": train} | {name: losses[name] for name in curve if name in losses}


def _curves_of_several(estimators, names):
    if not estimators:
        raise ValueError("estimator is empty: give at least one fitted estimator")
    names = names or _numbered([type(Model.of(one).last).__name__ for one in estimators])
    curves = []
    for one, name in zip(estimators, names, strict=True):
        of_one = _members(one)
        for curve in of_one:
            curve.name = name
        curves += of_one
    return curves


def _numbered(names):
    """Return names, with numbers if any is there twice."""
    if len(set(names)) == len(names):
        return names
    return [f"{name} {i}" for i, name in enumerate(names, 1)]


def _members(estimator):
    """Return the curves of one estimator, or of the members of an ensemble."""
    model = Model.of(estimator)
    if isinstance(model.last, EnsembleAutoencoder):
        members = model.last.estimators_
        return [Curve(loss_curve(one), model.name, _loss_name(one)) for one in members]
    steps = [] if model.steps is None else [step for _, step in model.steps.steps]
    for step in [model.last, *steps]:
        if isinstance(step, NeuralEstimator):
            return [Curve(loss_curve(step), type(step).__name__, _loss_name(step))]
    raise TypeError(
        f"{model.name} has no loss by epoch. Give an estimator of skae's that is trained by "
        "epochs, an ensemble or search of such, or a pipeline that holds one."
    )


def _candidates(search, max_curves):
    """Return the curves of the best candidates of a search, means over the folds."""
    check_is_fitted(search)
    results = search.cv_results_
    ranks = [name for name in results if name.startswith("rank_test_")]
    chosen = f"rank_test_{search.refit}"  # of several metrics
    rank = results[chosen if chosen in ranks else ranks[0]]
    # Halving scores candidates several times, with more epochs each time.
    last = {repr(params): i for i, params in enumerate(results["params"])}.values()
    curves = {i: _mean(search.loss_curves_[i]) for i in last}
    order = [i for i in np.argsort(rank, kind="stable") if curves.get(i)]
    if not order:
        raise TypeError(f"The candidates of {type(search).__name__} have no losses by epoch.")
    shown, params = order[:max_curves], results["params"]
    varying = [key for key in params[0] if len({repr(one.get(key)) for one in params}) > 1]
    loss = _loss_of_all(search.estimator, varying)
    drawn = []
    for i in shown:
        name = ", ".join(f"{key.split('__')[-1]}={params[i].get(key)}" for key in varying)
        drawn.append(Curve(curves[i], name or "candidate", loss))
    n = len(order)
    return drawn, f"best {len(shown)} of {n} candidates" if len(shown) < n else f"{n} candidates"


def _loss_of_all(estimator, varying):
    """Return the name of the loss of candidates, or None if they differ in it."""
    steps = (
        [step for _, step in estimator.steps] if isinstance(estimator, Pipeline) else [estimator]
    )
    nets = [step for step in steps if isinstance(step, NeuralEstimator)]
    differ = any(name.split("__")[-1] in ("loss", "likelihood") for name in varying)
    return None if differ or len(nets) != 1 else _loss_name(nets[0])


def _mean(curves):
    """Return means over folds, up to the epoch that all of them have; None if there are none."""
    curves = [curve for curve in curves if curve is not None]
    if not curves:
        return None
    n_epochs = min(len(curve["epoch"]) for curve in curves)
    mean = {
        name: np.mean([curve[name][:n_epochs] for curve in curves], axis=0)
        for name in ("train_loss", "valid_loss")
    }
    return {"epoch": curves[0]["epoch"][:n_epochs], **mean, "restored_epoch": None}


def _loss_name(estimator):
    """Return the name of the loss that an estimator minimizes."""
    if isinstance(estimator, Seq2SeqTranslator):
        return "cross-entropy"
    params = estimator.get_params(deep=False)
    if "likelihood" in params:
        return f"negative ELBO, {params['likelihood']}"
    loss = params["loss"]
    if isinstance(loss, str):
        return loss.replace("_", " ")
    names = loss if isinstance(loss, dict) else [callable_name(loss)]
    return " + ".join(str(name).replace("_", " ") for name in names)
