"""Which methods of which estimators can be graphs, and what is wrong with others."""

import torch
from sklearn.decomposition import PCA

from skae._estimators.base import BaseAutoencoder
from skae._estimators.ensemble import EnsembleAutoencoder
from skae._estimators.image_to_image import ImageToImageRegressor
from skae._names import did_you_mean
from skae._onnx import methods
from skae._onnx.methods import (
    judged,
    of_autoencoder,
    of_ensemble,
    of_pca,
    of_regressor,
    of_scorer,
)
from skae._outliers.detector import OutlierDetector
from skae._outliers.scorer import TabularOutlierScorer

#: Methods of autoencoders. The first method of a kind is the one that is meant if none is given.
BY_CODES = ("transform", "inverse_transform", "reconstruct", "score_samples")

#: By class, what makes a `Method`, and the methods that there are.
KINDS = {
    BaseAutoencoder: (of_autoencoder, BY_CODES),
    EnsembleAutoencoder: (of_ensemble, BY_CODES),
    ImageToImageRegressor: (of_regressor, ("predict", "transform")),
    TabularOutlierScorer: (of_scorer, ("score_samples",)),
}

#: Methods of detectors.
OF_DETECTOR = ("predict", "score_samples", "decision_function", "p_value")

#: By class, what makes a `Method` of the scores of estimators of scikit-learn, for detectors.
SCORERS = {PCA: of_pca}


def is_known(model, detector=None):
    """Say whether a graph is made by torch alone, of an estimator or a detector around it."""
    return isinstance(model, tuple(KINDS)) or (detector is not None and type(model) in SCORERS)


def as_method(model, method, precision, detector=None):
    """Return a method of a fitted estimator, or of a detector around it, as a `Method`.

    Parameters
    ----------
    model : estimator
        One that ``is_known``.
    method : str
    precision : str
        Of the net, "float32" or "float64".
    detector : OutlierDetector or None, default=None

    Returns
    -------
    Method
    """
    kinds = (make for kind, (make, _) in KINDS.items() if isinstance(model, kind))
    make = SCORERS[type(model)] if type(model) in SCORERS else next(kinds)
    precision = getattr(torch, precision)
    if detector is None:
        return make(model, method, precision)
    return judged(make(model, "score_samples", precision), method, detector)


def of_given_scores(method, detector, precision):
    """Return a method of a fitted detector, for scores that are given, as a `Method`."""
    return methods.of_given_scores(method, detector, getattr(torch, precision))


def methods_of(model):
    """Return the names of the methods of an estimator that can be graphs, the default one first."""
    if isinstance(model, OutlierDetector):
        return OF_DETECTOR
    return next(names for kind, (_, names) in KINDS.items() if isinstance(model, kind))


def checked_method(model, method):
    """Return the name of a method of an estimator, the default one for None.

    Raises
    ------
    ValueError
        If there is no such method, or no graph of it.
    """
    known = methods_of(model)
    if method is None:
        return known[0]
    if method in known:
        return method
    name, ones = type(model).__name__, ", ".join(map(repr, known))
    hint = did_you_mean(method, known) if isinstance(method, str) else ""
    raise ValueError(f"method of {name} must be one of {ones}; got {method!r}.{hint}")


def check_detector(detector, before, last):
    """Raise an error if a detector compares more than the scores of its estimator's steps."""
    if detector._known_anomalies is not None and (before or not is_known(last, detector)):
        what = "a pipeline" if before else type(last).__name__
        raise ValueError(
            f"to_onnx knows no graph of an OutlierDetector around {what} with use_labels=True, "
            "whose forest of known anomalies lowers the scores. Put the steps before the detector, "
            "as in make_pipeline(scaler, OutlierDetector(Autoencoder(), use_labels=True)), fit it "
            "with use_labels=False, or save it by skae.save."
        )
