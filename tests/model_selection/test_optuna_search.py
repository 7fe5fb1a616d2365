"""Searches by Optuna, and pruning of its trials."""

import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState
from optuna_integration import OptunaSearchCV
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skae import Autoencoder, EnsembleAutoencoder, fit_many
from skae.architectures import Dense
from skae.exceptions import InterruptedWarning
from skae.model_selection import BatchedOptunaSearchCV, OptunaPruningCallback

RATES = {"lr": FloatDistribution(1e-6, 1.0, log=True)}
PRUNER = optuna.pruners.PercentilePruner(50, n_startup_trials=2)
RATES_IN_TURN = [1e-3, 2e-3, 0.9, 1e-3, 0.9]


@pytest.fixture(autouse=True)
def quiet():
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def rates(trial):
    """Return the rates above, whatever Optuna would choose."""
    return {"lr": RATES_IN_TURN[trial.number]}


def test_trials_of_a_batch_train_as_one(net, X, stack_sizes):
    space = RATES | {"weight_decay": CategoricalDistribution([0.0, 0.1])}
    params = {"n_trials": 7, "n_at_once": 4, "cv": 2, "random_state": 0}
    search = BatchedOptunaSearchCV(net, space, **params).fit(X)
    assert stack_sizes == [8, 6]
    assert [trial.params for trial in search.trials_] == search.cv_results_["params"]
    for trial, score in zip(search.trials_, search.cv_results_["mean_test_score"], strict=True):
        assert trial.value == pytest.approx(score)
        alone = clone(net).set_params(**trial.params)
        assert score == pytest.approx(cross_val_score(alone, X, cv=2).mean(), abs=1e-4)
    assert search.best_score_ == pytest.approx(search.study_.best_value)
    assert search.best_params_ == search.study_.best_params
    assert search.transform(X).shape == (120, 3)
    again = clone(search).fit(X)
    assert again.cv_results_["params"] == search.cv_results_["params"]
    other = clone(search).set_params(random_state=1, refit=False).fit(X)
    assert other.cv_results_["params"] != search.cv_results_["params"]


def test_a_pruner_stops_poor_trials(net, X, capsys):
    net.set_params(max_epochs=10)
    search = BatchedOptunaSearchCV(
        net, rates, n_trials=5, n_at_once=2, cv=2, pruner=PRUNER, report_at=(0.1, 0.5), verbose=1
    ).fit(X)
    results = search.cv_results_
    states = ["COMPLETE", "COMPLETE", "PRUNED", "COMPLETE", "PRUNED"]
    assert results["state"].tolist() == states
    assert [trial.state.name for trial in search.trials_] == states
    assert results["n_epochs"].tolist() == [10, 10, 1, 10, 1]
    assert list(search.trials_[0].intermediate_values) == [1, 5]
    assert results["state"][search.best_index_] == "COMPLETE"
    assert search.best_estimator_.n_iter_ == 10
    alone = clone(net).set_params(lr=1e-3)
    expected = cross_val_score(alone, X, cv=2).mean()
    np.testing.assert_allclose(results["mean_test_score"][[0, 3]], expected, atol=1e-3)
    out = capsys.readouterr()
    assert "5 candidates on 2 folds" in out.out
    assert "5/5" in out.err


def test_pipelines_and_several_metrics(net, X, labels):
    model = make_pipeline(StandardScaler(), net, LogisticRegression())
    space = {
        "autoencoder__lr": RATES["lr"],
        "autoencoder__n_components": IntDistribution(2, 3),
        "logisticregression__C": FloatDistribution(1e-2, 1e2, log=True),
    }
    params = {"n_trials": 4, "n_at_once": 4, "cv": 2, "random_state": 0, "pruner": PRUNER}
    scoring = {"scoring": ["accuracy", "roc_auc"], "refit": "roc_auc", "return_train_score": True}
    search = BatchedOptunaSearchCV(model, space, **params, **scoring).fit(X, labels)
    assert search.best_score_ == max(trial.value for trial in search.trials_)
    assert "mean_train_accuracy" in search.cv_results_
    assert search.predict(X).shape == (120,)
    with pytest.raises(ValueError, match=r"refit=False does not tell.*\['accuracy', 'roc_auc'\]"):
        clone(search).set_params(refit=False).fit(X, labels)


def test_studies_are_continued(net, X):
    study = optuna.create_study(direction="maximize", pruner=optuna.pruners.NopPruner())
    study.enqueue_trial({"lr": 0.05})
    search = BatchedOptunaSearchCV(net, RATES, n_trials=2, study=study, cv=2, refit=False)
    assert search.fit(X).cv_results_["params"][0] == {"lr": 0.05}
    assert search.fit(X).cv_results_["trial"].tolist() == [2, 3]
    assert len(search.trials_) == len(study.trials) == 4


class Failing(Autoencoder):
    """Cannot be fitted at high rates."""

    def _make_loss(self):
        if self.lr > 0.1:
            raise ValueError("no rate for this")
        return super()._make_loss()


def test_failed_trials_are_told(fast, X):
    model = Failing(architecture=Dense((8,))).set_params(**fast)
    with (
        pytest.warns(FitFailedWarning, match=r"2 fits failed out of a total of 6"),
        pytest.warns(UserWarning, match="non-finite"),
    ):
        search = BatchedOptunaSearchCV(model, rates, n_trials=3, cv=2, pruner=PRUNER).fit(X)
    states = [TrialState.COMPLETE, TrialState.COMPLETE, TrialState.FAIL]
    assert [trial.state for trial in search.trials_] == states
    assert search.best_params_["lr"] < 0.1
    search.set_params(error_score="raise")
    with pytest.raises(ValueError, match="no rate for this"):
        search.fit(X)


def test_an_interrupt_keeps_finished_batches(net, X):
    calls = []

    def score(model, X, y=None):
        calls.append(model)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return -model.lr

    study = optuna.create_study(direction="maximize", pruner=optuna.pruners.NopPruner())
    params = {"n_trials": 6, "n_at_once": 2, "scoring": score, "cv": 2, "study": study}
    search = BatchedOptunaSearchCV(net, rates, **params)
    with pytest.warns(InterruptedWarning, match="2 of 6 trials are finished"):
        search.fit(X)
    assert search.best_params_ == {"lr": 1e-3}
    assert [trial.state.name for trial in study.trials] == ["COMPLETE"] * 2 + ["FAIL"] * 2


def test_wrong_spaces_and_studies(net, X):
    for space, error, text in (
        ({}, ValueError, "param_distributions is empty"),
        ({"lrr": RATES["lr"]}, ValueError, "'lrr'.*Did you mean 'lr'"),
        ({"lr": [1e-3]}, TypeError, r"\['lr'\] must be of optuna.distributions.*got \[0.001\]"),
    ):
        with pytest.raises(error, match=text):
            BatchedOptunaSearchCV(net, space).fit(X)
    study = optuna.create_study()
    with pytest.raises(ValueError, match="study must maximize"):
        BatchedOptunaSearchCV(net, RATES, study=study).fit(X)
    with pytest.raises(ValueError, match="those of the study"):
        BatchedOptunaSearchCV(net, RATES, study=study, pruner=PRUNER).fit(X)
    with pytest.raises(ValueError, match="report_at must hold fractions"):
        BatchedOptunaSearchCV(net, RATES, report_at=(0.5, 2)).fit(X)
    space = {"n_components": IntDistribution(1, 2)}
    with pytest.raises(TypeError, match="must be a net with skae's own fit; got PCA"):
        BatchedOptunaSearchCV(PCA(), space, pruner=PRUNER, n_trials=1).fit(X)
    by_study = optuna.create_study(direction="maximize")  # with a pruner
    search = BatchedOptunaSearchCV(PCA(), space, study=by_study, n_trials=2, cv=2).fit(X)
    assert len(search.trials_) == 2


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_optunas_own_search(net, X, labels):
    """What the guide says of it: it takes every estimator, and prunes by partial_fit."""
    study = optuna.create_study(direction="maximize", pruner=PRUNER)
    for lr in RATES_IN_TURN[:3]:
        study.enqueue_trial({"lr": lr})
    params = {"n_trials": 3, "cv": 2, "study": study, "enable_pruning": True, "max_iter": 4}
    search = OptunaSearchCV(net, RATES, **params).fit(X)
    assert [len(trial.intermediate_values) for trial in search.trials_] == [4, 4, 1]
    assert search.best_estimator_.n_iter_ == 3
    model = make_pipeline(StandardScaler(), net, LogisticRegression())
    search = OptunaSearchCV(model, {"autoencoder__lr": RATES["lr"]}, n_trials=2, cv=2)
    assert search.fit(X, labels).predict(X).shape == (120,)


# Pruning of any objective.


def lowest_losses(model, trial, X):
    return model.set_callbacks(OptunaPruningCallback(trial)).fit(X)


def as_members(model, trial, X):
    ensemble = EnsembleAutoencoder(model[-1], 2, random_state=0)
    make_pipeline(StandardScaler(), ensemble).set_callbacks(OptunaPruningCallback(trial)).fit(X)


def in_folds(model, trial, X):
    model.set_callbacks(OptunaPruningCallback(trial))
    cross_val_score(model, X, cv=2, error_score="raise")


def many(model, trial, X):
    fit_many([model[-1].set_callbacks(OptunaPruningCallback(trial, "train_loss"))], X)


@pytest.mark.parametrize("fit", [lowest_losses, as_members, in_folds, many])
def test_poor_trials_are_pruned_wherever_the_net_is(fit, net, X):
    models = []

    def objective(trial):
        models.append(make_pipeline(StandardScaler(), clone(net).set_params(**rates(trial))))
        fit(models[-1], trial, X)
        return 1.0

    study = optuna.create_study(direction="maximize", pruner=PRUNER)
    study.optimize(objective, n_trials=3)
    assert [trial.state.name for trial in study.trials] == ["COMPLETE", "COMPLETE", "PRUNED"]
    n_fits = 2 if fit in (as_members, in_folds) else 1
    assert set(study.trials[0].intermediate_values) == set(range(3 * n_fits))
    assert set(study.trials[2].intermediate_values) <= {0, 3}  # the first epoch of each fit
    values = list(study.trials[0].intermediate_values.values())
    assert max(values) < 0  # losses with the opposite sign
    assert not hasattr(models[2][-1], "net_")
