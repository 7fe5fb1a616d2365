"""Callbacks in searches and ensembles: results are those of fits one after the other."""

import numpy as np
import optuna
import pytest
from optuna_integration import SkorchPruningCallback
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, KFold
from skorch.callbacks import Callback, Checkpoint

from skae import (
    Autoencoder,
    BatchedGridSearchCV,
    BatchedHalvingGridSearchCV,
    EnsembleAutoencoder,
    OutlierDetector,
    fit_many,
)


@pytest.fixture
def with_checkpoint(fast, tmp_path):
    """Restores the best epoch from a file, which its clones write to as well."""
    checkpoint = Checkpoint(
        monitor="train_loss_best", dirname=str(tmp_path), f_history=None, load_best=True
    )
    steps = {"lr": 0.05, "max_epochs": 6, "callbacks": [checkpoint]}
    return Autoencoder(**fast | steps)


GRIDS = {
    "of one shape": {"lr": [1e-3, 5e-2, 0.5]},
    "of unequal widths": {"n_components": [1, 3], "lr": [1e-3, 0.5]},
}


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
def test_searches_with_files_are_those_of_scikit_learn(grid, with_checkpoint, X, capsys):
    expected = GridSearchCV(with_checkpoint, grid, cv=2).fit(X)
    found = BatchedGridSearchCV(with_checkpoint, grid, cv=2, verbose=1).fit(X)
    for key in ("split0_test_score", "split1_test_score"):
        np.testing.assert_allclose(found.cv_results_[key], expected.cv_results_[key], rtol=1e-5)
    assert found.best_params_ == expected.best_params_
    assert "one by one: 1 (its callbacks may keep something outside" in capsys.readouterr().out


def test_members_of_an_ensemble_differ(with_checkpoint, X):
    ensemble = EnsembleAutoencoder(with_checkpoint, 4, random_state=0).fit(X)
    codes = [member.transform(X) for member in ensemble.estimators_]
    for member, code in zip(ensemble.estimators_, codes, strict=True):
        np.testing.assert_array_equal(clone(member).fit(X).transform(X), code)
        assert sum(np.array_equal(code, other) for other in codes) == 1


def test_folds_of_a_detector_have_scores_of_their_own(with_checkpoint, X):
    folds = KFold(3)
    detector = OutlierDetector(with_checkpoint, cv=folds).fit(X)
    expected = [
        clone(with_checkpoint).fit(X[train]).score_samples(X[test])
        for train, test in folds.split(X)
    ]
    found = np.sort(detector.calibration_scores_)
    np.testing.assert_allclose(found, np.sort(np.concatenate(expected)), rtol=1e-5)


def test_halving_refuses_files_that_candidates_share(with_checkpoint, X):
    search = BatchedHalvingGridSearchCV(with_checkpoint, {"lr": [1e-3, 1e-2, 0.1]})
    with pytest.raises(TypeError, match=r"Checkpoint\(load_best=True\).*BatchedGridSearchCV"):
        search.fit(X)


class Collect(Callback):
    """Keeps the losses."""

    def on_train_begin(self, net, **kwargs):
        self.losses_ = []

    def on_epoch_end(self, net, **kwargs):
        self.losses_.append(net.history[-1, "train_loss"])


def test_each_model_has_its_own_callbacks(X, fast):
    model = Autoencoder(**fast, callbacks=[Collect()])
    members = EnsembleAutoencoder(model, 3, random_state=0).fit(X).estimators_
    models = fit_many([clone(model).set_params(lr=lr) for lr in (1e-3, 1e-2)], X)
    for one in [*members, *models]:
        assert one.callbacks[0].losses_ == one.loss_curve_
    search = BatchedHalvingGridSearchCV(model, {"lr": [1e-3, 1e-2, 0.1]}, cv=2).fit(X)
    best = search.best_estimator_
    assert best.callbacks[0].losses_ == best.loss_curve_


def test_a_callback_that_models_share_sees_one_after_the_other(X, fast):
    shared = Collect()
    models = [Autoencoder(**fast | {"lr": lr}, callbacks=[shared]) for lr in (1e-3, 1e-2)]
    for model in fit_many(models, X):
        assert clone(model).fit(X).loss_curve_ == model.loss_curve_
    assert shared.losses_ == models[-1].loss_curve_


def test_optuna_prunes(X, fast):
    optuna.logging.set_verbosity(optuna.logging.ERROR)

    def loss(trial):
        lr = trial.suggest_float("lr", 1e-6, 1e-2)
        prune = SkorchPruningCallback(trial, "train_loss")
        model = Autoencoder(**fast | {"lr": lr, "max_epochs": 6}, callbacks=[prune])
        return model.fit(X).loss_curve_[-1]

    pruner = optuna.pruners.MedianPruner(n_startup_trials=1, n_warmup_steps=1)
    study = optuna.create_study(pruner=pruner)
    for lr in (1e-2, 1e-6, 9e-3):
        study.enqueue_trial({"lr": lr})
    study.optimize(loss, n_trials=3)
    good, bad, _ = study.trials
    assert len(good.intermediate_values) == 6
    assert bad.state == optuna.trial.TrialState.PRUNED
    assert len(bad.intermediate_values) == 3
