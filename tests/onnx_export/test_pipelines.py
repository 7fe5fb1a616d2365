"""Pipelines as one graph, by to_onnx and by skl2onnx itself."""

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
import skl2onnx
from graph_models import QUICK, ROWS, fitted
from onnx.helper import (
    make_graph,
    make_model,
    make_node,
    make_opsetid,
    make_tensor,
    make_tensor_value_info,
)
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.ensemble import IsolationForest
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KernelDensity
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skae import Autoencoder, OutlierDetector, RecurrentAutoencoder
from skae._onnx.exporting import to_onnx
from skae._onnx.steps import _prefixed

LABELS = ROWS[:, 20] > ROWS[:, 20].mean()


def run(graph, **inputs):
    return onnxruntime.InferenceSession(graph.SerializeToString()).run(None, inputs)


def test_skl2onnx_converts_pipelines_with_an_autoencoder():
    steps = StandardScaler(), Autoencoder(5, **QUICK), LogisticRegression()
    pipeline = make_pipeline(*steps).fit(ROWS, LABELS)
    graph = skl2onnx.to_onnx(pipeline, ROWS[:1], options={"zipmap": False})
    label, probabilities = run(graph, X=ROWS)
    assert np.abs(probabilities - pipeline.predict_proba(ROWS)).max() < 1e-6
    np.testing.assert_array_equal(label, pipeline.predict(ROWS))


def test_all_steps_are_in_the_precision_that_is_asked_for():
    X = ROWS.astype(np.float64)
    steps = StandardScaler(), Autoencoder(5, **QUICK), LogisticRegression()
    pipeline = make_pipeline(*steps).fit(X, LABELS)
    _, probabilities = run(to_onnx(pipeline, dtype="float64"), X=X)
    assert np.abs(probabilities - pipeline.predict_proba(X)).max() < 1e-12


def test_first_steps_say_what_the_input_is():
    X = ROWS[:, 16:32].reshape(-1, 8, 2)
    first = RecurrentAutoencoder(3, hidden_layer_sizes=4, **QUICK)
    pipeline = make_pipeline(first, LogisticRegression()).fit(X, LABELS)
    _, probabilities = run(to_onnx(pipeline), X=X)
    assert np.abs(probabilities - pipeline.predict_proba(X)).max() < 1e-6


def test_detectors_are_last_steps():
    detector, X = fitted("detector")
    pipeline = make_pipeline(StandardScaler().fit(X), detector)
    label, scores, _ = run(skl2onnx.to_onnx(pipeline, X[:1]), X=X)
    expected = pipeline.score_samples(X)
    assert np.abs(scores - expected).max() < 1e-5 * expected.std()
    assert (label == pipeline.predict(X)).mean() > 0.999


def test_columns_of_a_frame_are_inputs():
    X = pd.DataFrame(ROWS[:, 20:24].astype(float), columns=list("abcd"))
    X = X.assign(kind=np.where(LABELS, "u", "v"))
    codes = make_pipeline(StandardScaler(), Autoencoder(2, **QUICK)), ["a", "b", "c"]
    columns = make_column_transformer(codes, (OneHotEncoder(), ["kind"]))
    pipeline = make_pipeline(columns, LogisticRegression()).fit(X, LABELS)
    graph = to_onnx(pipeline, X=X)
    inputs = {one.name: X[[one.name]].to_numpy() for one in graph.graph.input}
    _, probabilities = run(graph, **inputs)
    assert np.abs(probabilities - pipeline.predict_proba(X)).max() < 1e-6


def test_searches_give_the_graph_of_the_best():
    pipeline = make_pipeline(StandardScaler(), Autoencoder(2, **QUICK))
    search = GridSearchCV(pipeline, {"autoencoder__n_components": [1]}, cv=2).fit(ROWS)
    (scores,) = run(to_onnx(search, "score_samples"), X=ROWS)
    expected = search.best_estimator_.score_samples(ROWS)
    assert np.abs(scores - expected).max() < 1e-5 * expected.std()


@pytest.mark.parametrize(
    "estimator",
    [IsolationForest(n_estimators=5, random_state=0), PCA(3, random_state=0)],
    ids=lambda one: type(one).__name__,
)
def test_detectors_around_estimators_of_scikit_learn(estimator):
    rows = ROWS[:, 18:24].copy()
    detector = OutlierDetector(estimator, random_state=0).fit(rows)
    _, scores, threshold = run(to_onnx(detector), X=rows)
    expected = detector.score_samples(rows)
    assert np.abs(scores - expected).max() < 1e-5 * expected.std()
    assert abs(threshold - detector.offset_) < 1e-9


@pytest.mark.parametrize(
    ("last", "how", "message"),
    [
        (KernelRidge(), {}, "skl2onnx cannot convert KernelRidge"),
        (LogisticRegression(), {"method": "score_samples"}, "leave method=None"),
        (OutlierDetector(KernelDensity()), {}, "no score_samples of KernelDensity"),
        (Autoencoder(2, **QUICK), {"method": "reconstruct"}, r"pipeline\[-1\]"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_steps_that_have_no_graph(last, how, message):
    pipeline = make_pipeline(TruncatedSVD(3, random_state=0), last).fit(ROWS[:99], LABELS[:99])
    with pytest.raises(ValueError, match=message):
        to_onnx(pipeline, **how)


def test_opsets_of_skl2onnx_that_are_too_old():
    pipeline = make_pipeline(StandardScaler(), Autoencoder(2, **QUICK)).fit(ROWS)
    with pytest.raises(ValueError, match="target_opset is 15, but graphs of skae need at least 18"):
        skl2onnx.to_onnx(pipeline, ROWS[:1], target_opset=15)


def test_names_of_the_outside_in_loops_get_the_prefix_too():
    kind = onnx.TensorProto.FLOAT
    here, there, total = (make_tensor_value_info(name, kind, [2]) for name in ("s", "x", "t"))
    body = make_graph([make_node("Sum", ["s", "x", "w"], ["t"])], "body", [here, there], [total])
    scan = make_node("Scan", ["start", "X"], ["last"], body=body, num_scan_inputs=1)
    X = make_tensor_value_info("X", kind, [None, 2])
    weights = [make_tensor(name, kind, [2], [1.0, 2.0]) for name in ("start", "w")]
    last = make_tensor_value_info("last", kind, [2])
    graph = _prefixed(make_graph([scan], "graph", [X], [last], weights), "own_")
    model = make_model(graph, opset_imports=[make_opsetid("", 18)], ir_version=8)
    (total,) = run(model, own_X=np.ones((3, 2), np.float32))
    assert total.tolist() == [7.0, 11.0]
