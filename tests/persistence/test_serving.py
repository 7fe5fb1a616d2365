"""A service over HTTP, and models and searches that MLflow logs."""

import importlib
import json
import logging
import runpy
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skae
from skae import Autoencoder, BatchedGridSearchCV, OutlierDetector, TabularAutoencoder

EXAMPLES = Path(__file__).parents[2] / "examples"
QUICK = {"max_epochs": 1, "random_state": 0, "check_baseline": False}
rng = np.random.default_rng(0)
TABLE = pd.DataFrame(
    {
        "amount": rng.normal(size=60),
        "n": rng.integers(0, 9, 60),
        "kind": pd.Categorical(rng.choice(["x", "y"], 60)),
        "is_new": rng.random(60) < 0.5,
        "at": rng.choice(pd.date_range("2026-01-01", periods=9), 60),
    }
)
NUMBERS = TABLE[["amount", "n"]]
ROW = {"amount": 1, "n": 1, "kind": "x", "is_new": True, "at": "2026-01-01"}


# A service.


@pytest.fixture(scope="module")
def detector():
    return OutlierDetector(TabularAutoencoder(2, **QUICK), random_state=0).fit(TABLE)


@pytest.fixture(scope="module")
def client(detector, tmp_path_factory):
    from starlette.testclient import TestClient

    path = tmp_path_factory.mktemp("served") / "detector.skae"
    skae.save(detector, path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MODEL", str(path))
        app = runpy.run_path(EXAMPLES / "serve_detector.py")["app"]
        with TestClient(app) as client:
            yield client


def test_a_service_reports_outliers(client, detector):
    rows = TABLE[:3].copy()
    rows.loc[1, "amount"] = 50.0
    rows["kind"] = ["x", None, "of a new kind"]
    rows["is_new"] = [True, None, False]
    rows["n"] = [1, None, 2]
    sent = json.loads(rows.to_json(orient="records", date_format="iso"))
    answer = client.post("/report", json=sent, params={"n_columns": 2})
    assert answer.status_code == 200
    expected = detector.report(rows, n_rows=3, n_columns=2)
    found = pd.DataFrame(answer.json())
    assert list(found) == list(expected)
    for name in ("row", "is_outlier", "column"):
        assert found[name].tolist() == expected[name].tolist()
    np.testing.assert_allclose(found["score"], expected["score"], rtol=1e-9)
    assert found.loc[found["row"] == 1, "column"].iloc[0] == "amount"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"amount": 1, "at": "2026-01-01"}], "X lacks these columns"),
        ([ROW | {"amount": "much"}], "'amount' held numbers"),
        ([ROW | {"at": "some day"}], "some day"),
        ([ROW | {"at": [1]}], "valid string"),
        ([], "at least 1"),
        ([{}] * 1001, "at most 1000"),
        ("rows", "valid list"),
    ],
)
def test_a_service_says_what_is_wrong_with_rows(client, rows, message):
    answer = client.post("/report", json=rows)
    assert answer.status_code == 422
    assert message in answer.text


# MLflow.


@pytest.fixture(scope="module")
def mlflow(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of importing MLflow
        patch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        mlflow = importlib.import_module("mlflow")
        for part in ("pyfunc", "sklearn"):
            importlib.import_module(f"mlflow.{part}")
        mlflow.set_tracking_uri((tmp_path_factory.mktemp("mlflow") / "runs").as_uri())
        logging.getLogger("mlflow").setLevel(logging.ERROR)
        yield mlflow


def test_mlflow_saves_a_pipeline(mlflow, tmp_path):
    from skops.io import dumps, get_untrusted_types

    pipeline = make_pipeline(StandardScaler(), OutlierDetector(Autoencoder(1, **QUICK)))
    pipeline.fit(NUMBERS)
    types = get_untrusted_types(data=dumps(pipeline))
    path = tmp_path / "model"
    mlflow.sklearn.save_model(pipeline, path, skops_trusted_types=types, pip_requirements=["skae"])
    for load in (mlflow.pyfunc.load_model, mlflow.sklearn.load_model):
        predicted = load(str(path)).predict(NUMBERS)
        np.testing.assert_array_equal(predicted, pipeline.predict(NUMBERS))


@pytest.mark.parametrize("method", ["transform", "score_samples"])
def test_mlflow_scores_and_transforms(mlflow, method, tmp_path):
    pipeline = make_pipeline(StandardScaler(), Autoencoder(1, **QUICK)).fit(NUMBERS)
    skae.save(pipeline, tmp_path / "model.skae")
    mlflow.pyfunc.save_model(
        tmp_path / "model",
        python_model=str(EXAMPLES / "mlflow_model.py"),
        artifacts={"model": str(tmp_path / "model.skae")},
        model_config={"method": method},
        pip_requirements=["skae"],
    )
    found = mlflow.pyfunc.load_model(str(tmp_path / "model")).predict(NUMBERS)
    np.testing.assert_array_equal(found, getattr(pipeline, method)(NUMBERS))


def test_mlflow_logs_the_candidates_of_a_search(mlflow):
    estimator = Autoencoder(**QUICK)
    search = BatchedGridSearchCV(estimator, {"n_components": [1, 2]}, cv=2).fit(NUMBERS)
    results = search.cv_results_

    # As in the guide.
    with mlflow.start_run() as run:
        mlflow.log_params(search.best_params_)
        mlflow.log_metric("best_score", search.best_score_)
        for i, params in enumerate(results["params"]):
            with mlflow.start_run(nested=True):
                mlflow.log_params(params)
                names = [name for name in results if name.startswith(("mean_", "std_", "rank_"))]
                mlflow.log_metrics({name: float(results[name][i]) for name in names})

    query = f"tags.mlflow.parentRunId = '{run.info.run_id}'"
    runs = mlflow.search_runs(filter_string=query).sort_values("params.n_components")
    assert runs["params.n_components"].tolist() == ["1", "2"]
    np.testing.assert_allclose(runs["metrics.mean_test_score"], results["mean_test_score"])


def test_mlflow_tracks_epochs(mlflow, monkeypatch):
    example = runpy.run_path(EXAMPLES / "track_experiments.py")
    monkeypatch.setitem(example["PARAMS"], "max_epochs", 3)
    model = example["with_mlflow"](None)
    client, run = mlflow.MlflowClient(), mlflow.last_active_run()
    logged = client.get_metric_history(run.info.run_id, "train_loss")
    assert [metric.value for metric in logged] == model.loss_curve_
    assert run.data.params["n_components"] == "8"

    warnings.filterwarnings("ignore", "The estimator MinMaxScaler does not support callbacks")
    with mlflow.start_run() as run:  # by a callback of scikit-learn, inside of a pipeline
        pipeline = example["in_a_pipeline"](mlflow.log_metrics)
    logged = client.get_metric_history(run.info.run_id, "valid_loss")
    assert [metric.value for metric in logged] == list(pipeline[-1].history_[:, "valid_loss"])
    assert [metric.step for metric in logged] == [0, 1, 2]
