"""Scores that are lowered for rows like known anomalies, in a graph."""

import json

import numpy as np
import pytest
import torch
from onnxruntime import InferenceSession
from scipy import sparse
from sklearn.datasets import load_wine
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from skae import Autoencoder, OutlierDetector, TabularAutoencoder, TabularOutlierScorer
from skae._onnx.estimators import as_method
from skae._onnx.exporting import onnx_input, to_onnx
from skae._onnx.known_anomalies import LoweredScores
from skae._onnx.table_coding import METADATA_KEY, table_codes
from skae._onnx.tabular_scorer import scorer_module

N_NORMAL = 130


class Fixed(nn.Module):
    """Scores that are known."""

    def __init__(self, scores):
        super().__init__()
        self.register_buffer("known", torch.from_numpy(scores))

    def forward(self, x):
        return self.known[: len(x)]


def wine():
    """Return rows, of which those behind N_NORMAL are known anomalies, and their labels."""
    X = load_wine(as_frame=True).data
    return X, np.where(np.arange(len(X)) < N_NORMAL, 0, -1)


def check(detector, X, scores, module, array):
    """Check that a module gives the scores of a detector, some of them lowered."""
    of_detector = detector.score_samples(X)
    assert (of_detector < scores - 1e-6).sum() > 10
    found = module(torch.tensor(array)).numpy()
    np.testing.assert_allclose(found, of_detector, rtol=0, atol=1e-9 * of_detector.std())


@pytest.mark.parametrize("categorical", ["from_dtype", ["alcohol"]], ids=str)
def test_tables_with_categories_that_only_anomalies_have(categorical):
    X, y = wine()
    X = X.round(1).assign(kind="usual", is_new=X.ash > 2.4)
    X.loc[N_NORMAL:150, "kind"] = "odd"
    scorer = TabularOutlierScorer(
        TabularAutoencoder(max_epochs=1), categorical_features=categorical
    )
    detector = OutlierDetector(scorer, use_labels=True, random_state=0).fit(X, y)
    own = detector.estimator_._reader.format.columns
    columns = detector._known_anomalies.reader.format.columns
    module = LoweredScores(detector, scorer_module(detector.estimator_), own)
    new = X.assign(kind=X.kind.mask(X.index % 7 == 0, "new"), hue=X.hue.mask(X.index % 5 == 0))
    for rows in (X, new):
        scores = detector.estimator_.score_samples(rows)
        check(detector, rows, scores, module, table_codes(columns, rows))


def as_frame(X):
    return X.assign(is_new=X.ash > 2.4)


@pytest.mark.parametrize("form", [np.asarray, as_frame, sparse.csr_matrix])
def test_other_estimators(form):
    X, y = wine()
    X = form(X)
    detector = OutlierDetector(PCA(3), use_labels=True, random_state=0).fit(X, y)
    dense = X.toarray() if sparse.issparse(X) else X
    scores = detector.estimator_.score_samples(dense)
    array = np.asarray(dense, float)
    check(detector, X, scores, LoweredScores(detector, Fixed(scores)), array)


@pytest.mark.parametrize(
    "model",
    [Autoencoder(2, max_epochs=1, random_state=0, check_baseline=False), PCA(3)],
    ids=["autoencoder", "PCA"],
)
def test_estimators_of_arrays(model):
    X, y = wine()
    X = X.to_numpy()
    detector = OutlierDetector(model, use_labels=True, random_state=0).fit(X, y)
    for name in ("decision_function", "p_value"):
        method = as_method(detector.estimator_, name, "float64", detector)
        new = X[::2] * 1.01  # scores of other rows have none that are equal
        with torch.no_grad():
            assert method(method.samples.example(3)).shape == (3,)
            found = method(torch.tensor(new))
        np.testing.assert_allclose(found, getattr(detector, name)(new), rtol=1e-9)


def test_a_graph_knows_the_categories_of_anomalies(monkeypatch):
    monkeypatch.setattr("skae._outliers.known_anomalies.MAX_ROWS", 20)  # small trees export fast
    X, y = wine()
    X = X[["alcohol", "ash"]].assign(kind=np.where(y < 0, "odd", "usual"))
    model = TabularAutoencoder(1, max_epochs=1, random_state=0, check_baseline=False)
    detector = OutlierDetector(model, use_labels=True, random_state=0).fit(X, y)
    graph = to_onnx(detector, "predict", dtype="float64")
    facts = {one.key: one.value for one in graph.metadata_props}
    assert json.loads(facts[METADATA_KEY])["columns"][2]["categories"] == ["odd", "usual"]
    session = InferenceSession(graph.SerializeToString())
    for n in (1, 3, len(X)):
        label, scores, _ = session.run(None, {"X": onnx_input(detector, X[:n])})
        np.testing.assert_array_equal(label, detector.predict(X[:n]))
        np.testing.assert_allclose(scores, detector.score_samples(X[:n]), rtol=1e-9)


def test_steps_inside_the_detector_are_refused():
    X, y = wine()
    inner = make_pipeline(StandardScaler(), Autoencoder(2, max_epochs=1, check_baseline=False))
    detector = OutlierDetector(inner, use_labels=True, random_state=0).fit(X, y)
    with pytest.raises(ValueError, match="Put the steps before the detector"):
        to_onnx(detector)
