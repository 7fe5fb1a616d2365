"""Tuning by others: scikit-learn's halving, and Ray Tune, as the guide shows them."""

import os

import pytest
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import HalvingGridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback

from skae import Autoencoder
from skae.architectures import Dense


@pytest.mark.parametrize(
    ("resource", "resources"),
    [("autoencoder__max_epochs", [1, 2, 4]), ("n_samples", [30, 60, 120])],
)
def test_halving_of_scikit_learn(resource, resources, fast, X):
    model = make_pipeline(
        StandardScaler(), Autoencoder(architecture=Dense((8,))).set_params(**fast)
    )
    grid = {"autoencoder__lr": [1e-4, 1e-3, 1e-2, 5e-2]}
    search = HalvingGridSearchCV(
        model,
        grid,
        resource=resource,
        factor=2,
        min_resources=resources[0],
        max_resources=resources[-1],
        cv=2,
        random_state=0,
    ).fit(X)
    assert search.n_resources_ == resources
    assert search.n_candidates_ == [4, 2, 1]
    n_epochs = {"autoencoder__max_epochs": 4, "n_samples": 3}[resource]
    assert search.best_estimator_[-1].n_iter_ == n_epochs


@pytest.mark.skipif("SKAE_TESTS_RAY" not in os.environ, reason="Ray takes half a minute to start")
@pytest.mark.filterwarnings("ignore")
def test_ray_stops_trials(fast, X, tmp_path):
    ray = pytest.importorskip("ray")
    tune = pytest.importorskip("ray.tune")

    class Report(Callback):
        """Reports the loss of each epoch to Ray Tune."""

        def on_epoch_end(self, net, **kwargs):
            tune.report({"loss": net.history[-1, "train_loss"]})

    def train(config):
        params = fast | {"lr": config["lr"], "max_epochs": 9}
        Autoencoder(**params, callbacks=[Report()]).fit(X)

    ray.init(num_cpus=1, include_dashboard=False, logging_level="ERROR")
    try:
        scheduler = tune.schedulers.ASHAScheduler(max_t=9, reduction_factor=3)
        how = {"metric": "loss", "mode": "min", "scheduler": scheduler, "reuse_actors": True}
        tuner = tune.Tuner(
            train,
            param_space={"lr": tune.grid_search([1e-2, 1.0, 2.0])},
            tune_config=tune.TuneConfig(**how),
            run_config=tune.RunConfig(storage_path=str(tmp_path), verbose=0),
        )
        results = tuner.fit()
    finally:
        ray.shutdown()
    assert results.get_best_result().config == {"lr": 1e-2}
    assert [result.metrics["training_iteration"] for result in results] == [9, 1, 1]
