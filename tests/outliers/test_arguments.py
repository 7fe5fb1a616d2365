"""What detectors do not take: weights, training in parts, too few rows, other columns."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.frozen import FrozenEstimator
from sklearn.neighbors import KernelDensity, LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skae import Autoencoder, EnsembleAutoencoder, OutlierDetector, TabularAutoencoder
from skae.exceptions import DataWarning

X = np.random.default_rng(0).normal(size=(60, 3))
FRAME = pd.DataFrame(X, columns=list("abc"))


def fast(kind, *args):
    return kind(*args, max_epochs=1, check_baseline=False, random_state=0)


# Weights.


@pytest.mark.parametrize("method", ["fit", "fit_predict", "fit_predict_fdr"])
@pytest.mark.parametrize("estimator", [None, PCA(2), LocalOutlierFactor(novelty=True)])
def test_estimators_without_weights_are_named_and_others_offered(estimator, method):
    name = "TabularOutlierScorer" if estimator is None else type(estimator).__name__
    detector = OutlierDetector(estimator)
    message = f"sample_weight is no argument of {name}.fit. Give .*TabularAutoencoder()"
    with pytest.raises(TypeError, match=message):
        getattr(detector, method)(X, sample_weight=np.ones(60))
    assert list(vars(detector)) == list(vars(OutlierDetector()))


@pytest.mark.parametrize(
    "estimator",
    [
        fast(TabularAutoencoder),
        fast(Autoencoder),
        EnsembleAutoencoder([fast(Autoencoder, 1), fast(Autoencoder, 2)]),
        KernelDensity(),
    ],
)
def test_estimators_that_are_offered_take_weights(estimator):
    weight = np.r_[np.ones(30), np.zeros(30) + 1e-9]
    detector = OutlierDetector(estimator, random_state=0)
    weighted = detector.fit(X, sample_weight=weight).score_samples(X)
    assert not np.allclose(weighted, detector.fit(X).score_samples(X))


def test_other_unknown_arguments_are_named():
    with pytest.raises(TypeError, match=r"weight is no argument of TabularOutlierScorer.fit\.$"):
        OutlierDetector().fit(X, weight=np.ones(60))


def test_arguments_of_steps_reach_a_pipeline():
    pipeline = make_pipeline(StandardScaler(), IsolationForest(n_estimators=5))
    weight = np.r_[np.ones(30), np.zeros(30) + 1e-9]
    detector = OutlierDetector(pipeline, random_state=0).fit(
        X, isolationforest__sample_weight=weight
    )
    assert detector.score_samples(X).shape == (60,)


# Training in parts.


@pytest.mark.parametrize("estimator", [None, fast(Autoencoder), PCA(2)])
def test_the_lack_of_partial_fit_says_what_to_do(estimator):
    detector = OutlierDetector(estimator)
    assert not hasattr(detector, "partial_fit")
    with pytest.raises(AttributeError, match=r"has no partial_fit.*FrozenEstimator\(autoencoder\)"):
        detector.partial_fit(X)


def test_what_is_offered_instead_of_partial_fit_works():
    autoencoder = fast(Autoencoder, 2)
    for part in (X[:20], X[20:40]):
        autoencoder.partial_fit(part)
    detector = OutlierDetector(FrozenEstimator(autoencoder)).fit(X[40:])
    assert (detector.predict(X + 30) == -1).all()


def test_other_attributes_are_missing_as_ever():
    detector = OutlierDetector(PCA(2)).fit(X)
    twin = copy.deepcopy(pickle.loads(pickle.dumps(detector)))
    np.testing.assert_array_equal(twin.score_samples(X), detector.score_samples(X))
    with pytest.raises(AttributeError, match="'OutlierDetector' object has no attribute 'fits'"):
        _ = detector.fits


# Too few rows or columns, and other columns.


@pytest.mark.parametrize("method", ["fit", "fit_predict", "fit_predict_fdr"])
@pytest.mark.parametrize("rows", [X[:1], FRAME[:1], X[:1].tolist()])
def test_one_row_is_refused_by_all_fits(rows, method):
    with pytest.raises(ValueError, match="X has 1 sample, but a threshold takes .* at least 2"):
        getattr(OutlierDetector(), method)(rows)


@pytest.mark.parametrize("method", ["fit", "fit_predict", "fit_predict_fdr"])
def test_no_rows_or_columns_are_refused(method):
    for rows, what in ((X[:0], "sample"), (X[:, :0], "feature")):
        with pytest.raises(ValueError, match=rf"0 {what}\(s\)"):
            getattr(OutlierDetector(), method)(rows)


@pytest.mark.parametrize("n", [2, 3, 6])
def test_few_rows_have_no_tail(n):
    with pytest.warns(DataWarning, match=f"the {n} rows have no tail.*they are too few"):
        labels = OutlierDetector(KernelDensity()).fit_predict_fdr(X[:n])
    assert (labels == 1).all()


METHODS = "predict", "p_value", "predict_fdr", "explain", "nearest_normal", "report"


@pytest.mark.parametrize("method", METHODS)
def test_columns_that_change_are_named(method):
    detector = OutlierDetector(random_state=0).fit(FRAME)
    act = getattr(detector, method)
    with pytest.raises(ValueError, match="now missing:\n- b"):
        act(FRAME[["a", "c"]])
    with pytest.raises(ValueError, match=r"\['z'\]; renamed ones"):
        act(FRAME.rename(columns={"a": "z"}))
    with pytest.raises(ValueError, match="'a' held numbers when it was fitted, and now holds str"):
        act(FRAME.assign(a="x"))
    with pytest.raises(ValueError, match="0 sample"):
        act(FRAME[:0])
    np.testing.assert_array_equal(
        np.asarray(act(FRAME.assign(z=1)[["z", "c", "b", "a"]].head(3) + 1)),
        np.asarray(act(FRAME.head(3) + 1)),
    )


@pytest.mark.parametrize("estimator", [None, PCA(0.9), IsolationForest(n_estimators=20)])
def test_more_columns_than_rows_with_held_out_scores(estimator):
    rng = np.random.default_rng(0)
    train, new = rng.normal(size=(20, 200)), rng.normal(size=(200, 200))
    detector = OutlierDetector(estimator, cv=5, random_state=0).fit(train)
    assert (detector.predict(new) == -1).mean() < 0.1
    assert (detector.predict(new + 20) == -1).all()
