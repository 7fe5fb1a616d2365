"""Default search spaces: what is in them, and that searches take them."""

import optuna
import pytest
from optuna.distributions import BaseDistribution
from sklearn.base import BaseEstimator, clone
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import ParameterGrid, ParameterSampler
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skae
from skae import (
    Autoencoder,
    EnsembleAutoencoder,
    OutlierDetector,
    SparseAutoencoder,
    VariationalAutoencoder,
)
from skae.architectures import Dense
from skae.model_selection import (
    BatchedOptunaSearchCV,
    BatchedRandomizedSearchCV,
    default_grid,
)


def test_every_estimator_has_a_space():
    kinds = [vars(skae)[name] for name in skae.__all__ if name[0].isupper()]
    kinds = [kind for kind in kinds if issubclass(kind, BaseEstimator)]
    estimators = [cls() for cls in kinds if not cls.__name__.startswith("Batched")]
    assert len(estimators) >= 10
    for estimator in estimators:
        space = default_grid(estimator)
        assert len(ParameterGrid(space)) <= 48
        for params in ParameterGrid(space):
            clone(estimator).set_params(**params)._validate_params()
        lr = estimator.get_params().get("lr", "auto")
        assert lr == "auto" or lr in space["lr"]
        for params in ParameterSampler(default_grid(estimator, "random"), 1, random_state=0):
            clone(estimator).set_params(**params)._validate_params()
        by_optuna = default_grid(estimator, "optuna")
        assert by_optuna.keys() == space.keys()
        assert all(isinstance(values, BaseDistribution) for values in by_optuna.values())


def test_lengths_of_codes_are_for_those_who_learn_from_them():
    scaler, classifier = StandardScaler(), LogisticRegression()
    alone = default_grid(make_pipeline(scaler, VariationalAutoencoder()))
    assert "variationalautoencoder__lr" in alone
    assert not any(name.endswith(("n_components", "beta")) for name in alone)
    followed = default_grid(make_pipeline(scaler, VariationalAutoencoder(), classifier))
    assert {"variationalautoencoder__n_components", "variationalautoencoder__beta"} <= set(followed)
    columns = ColumnTransformer([("codes", make_pipeline(scaler, SparseAutoencoder()), [0, 1])])
    nested = default_grid(make_pipeline(columns, classifier))
    name = "columntransformer__codes__sparseautoencoder__"
    assert {f"{name}lr", f"{name}k", f"{name}n_components"} <= set(nested)


def test_parts_have_spaces_of_their_own():
    space = default_grid(Autoencoder(architecture=Dense()))
    assert {"architecture__hidden_layer_sizes", "architecture__normalization"} <= set(space)
    assert "architecture" not in space
    ensemble = default_grid(EnsembleAutoencoder(Autoencoder()))
    assert {"max_features", "estimator__lr", "estimator__architecture"} <= set(ensemble)
    assert "estimator__lr" in default_grid(OutlierDetector(Autoencoder()))
    assert "estimator" not in default_grid(OutlierDetector(Autoencoder()))
    with pytest.raises(ValueError, match="nothing of skae's in it"):
        default_grid(StandardScaler())
    with pytest.raises(ValueError, match="'kind' parameter"):
        default_grid(Autoencoder(), "grids")


def test_searches_take_the_spaces(fast, X):
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    model = make_pipeline(StandardScaler(), Autoencoder(**fast), LogisticRegression())
    y, params = X[:, 0] > 0, {"cv": 2, "random_state": 0}
    for search in (
        BatchedRandomizedSearchCV(model, default_grid(model, "random"), n_iter=2, **params),
        BatchedOptunaSearchCV(model, default_grid(model, "optuna"), n_trials=2, **params),
    ):
        assert search.fit(X, y).best_params_.keys() == default_grid(model).keys()
