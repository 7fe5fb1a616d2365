"""Searches that were stopped do not repeat the fits that are finished."""

import warnings

import numpy as np
import pandas as pd
import pytest
from joblib import parallel_config
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.pruners import MedianPruner
from optuna.samplers import TPESampler
from optuna.study import create_study
from scipy.stats import loguniform
from sklearn.base import clone
from sklearn.model_selection import KFold, ShuffleSplit

from skae import (
    Autoencoder,
    BatchedGridSearchCV,
    BatchedHalvingGridSearchCV,
    BatchedOptunaSearchCV,
    BatchedRandomizedSearchCV,
    Checkpoint,
)
from skae._training.loop import TrainingRun
from skae._training.state_file import read_state
from skae.exceptions import InterruptedWarning

SMALL = {"random_state": 0, "max_epochs": 6, "check_baseline": False}
GRID = {"n_components": [1, 2, 3], "lr": [1e-3, 1e-2]}
SPACE = {"n_components": IntDistribution(1, 3), "lr": FloatDistribution(1e-4, 1e-1, log=True)}
NET = Autoencoder(**SMALL)


class Score:
    """The score of an estimator, which fails at one call, as if the process had been killed."""

    def __init__(self, fails_at=None):
        self.fails_at, self.n_calls = fails_at, 0

    def __call__(self, estimator, X, y=None):
        self.n_calls += 1
        if self.n_calls == self.fails_at:
            raise self.error
        return estimator.score(X)

    error = MemoryError("killed")

    def __repr__(self):
        return "Score()"


SEARCHES = {
    "grid": BatchedGridSearchCV(NET, GRID, cv=2),
    "randomized": BatchedRandomizedSearchCV(
        NET, {"lr": loguniform(1e-4, 1e-1), "n_components": [1, 2]}, n_iter=4, cv=2, random_state=0
    ),
    "halving": BatchedHalvingGridSearchCV(NET, GRID, cv=2),
    "optuna": BatchedOptunaSearchCV(NET, SPACE, n_trials=6, n_at_once=2, cv=2, random_state=0),
    "pruning": BatchedOptunaSearchCV(
        NET, SPACE, n_trials=6, n_at_once=2, cv=2, random_state=0, pruner=MedianPruner(1)
    ),
}


def results_of(search):
    """Return what a search has found, but for its times."""
    table = pd.DataFrame(search.cv_results_)
    return table.drop(columns=[name for name in table if "_time" in name])


def stopped(search, path, fails_at, X):
    """Return a search that is stopped at a call of its score, and the calls that it made."""
    score = Score(fails_at)
    search = clone(search).set_params(scoring=score, error_score="raise", checkpoint=path)
    with pytest.raises(MemoryError):
        search.fit(X)
    return search, score


@pytest.mark.parametrize("fails_at", [2, 6, 8])
@pytest.mark.parametrize("name", SEARCHES)
def test_a_stopped_search_finds_the_same(name, fails_at, X, tmp_path):
    whole_score = Score()
    whole = clone(SEARCHES[name]).set_params(scoring=whole_score, error_score="raise").fit(X)
    path = tmp_path / "search.ckpt"
    search, score = stopped(SEARCHES[name], path, fails_at, X)
    n_known = len(read_state(path, "search")["outcomes"]) if path.exists() else 0
    assert n_known > 0 or name in ("halving", "pruning")  # which know all of a comparison or none
    score.fails_at, score.n_calls = None, 0
    search.fit(X)
    assert score.n_calls == whole_score.n_calls - n_known
    assert not path.exists()
    pd.testing.assert_frame_equal(results_of(search), results_of(whole))
    np.testing.assert_array_equal(search.transform(X), whole.transform(X))
    for curve, other in zip(search.loss_curves_, whole.loss_curves_, strict=True):
        np.testing.assert_array_equal(curve[0]["train_loss"], other[0]["train_loss"])
    assert "_finished" not in vars(search)


def test_only_missing_fits_are_made(X, tmp_path, monkeypatch):
    search, score = stopped(SEARCHES["grid"], tmp_path / "a", 9, X)
    n_known = len(read_state(tmp_path / "a", "search")["outcomes"])
    trained, end = [], TrainingRun.end

    def counting(run):
        trained.append(run)
        end(run)

    monkeypatch.setattr(TrainingRun, "end", counting)
    score.fails_at = None
    search.fit(X)
    assert len(trained) == 12 - n_known + 1  # and the best one on all rows


def test_several_metrics_failures_and_frames(X, tmp_path):
    frame = pd.DataFrame(X, columns=[f"c{i}" for i in range(X.shape[1])])
    grid = {"lr": [1e-3, 1e30], "n_components": [1, 2]}
    scoring = {"score": Score(), "other": Score(7)}
    make = BatchedGridSearchCV(
        NET, grid, cv=2, scoring=scoring, refit="score", return_train_score=True
    )
    search = make.set_params(checkpoint=tmp_path / "a")
    scoring["other"].error = SystemExit()
    with pytest.raises(SystemExit):
        search.fit(frame)
    scoring["other"].fails_at = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of fits that fail
        search.fit(frame.copy())
        whole = clone(search).set_params(checkpoint=None).fit(frame)
    pd.testing.assert_frame_equal(results_of(search), results_of(whole))


def test_another_search_is_refused(X, tmp_path):
    search, score = stopped(SEARCHES["grid"], tmp_path / "a", 5, X)
    score.fails_at = None
    y = np.arange(len(X)) % 2
    for change, data, message in [
        ({}, (X + 1,), "X differs"),
        ({}, (X, y), "it had no y"),
        ({"param_grid": {"lr": [1e-3]}}, (X,), "param_grid was .*; the candidates differs"),
        ({"cv": 3}, (X,), "cv was 2 and is 3; the folds differs"),
        ({"estimator__max_epochs": 7}, (X,), "estimator__max_epochs was 6 and is 7"),
        ({"error_score": 0.0}, (X,), "error_score was 'raise' and is 0.0"),
    ]:
        with pytest.raises(ValueError, match=f"not of this search: .*{message}"):
            clone(search).set_params(**change).fit(*data)
    with pytest.raises(ValueError, match="not of this fit: the class was BatchedGridSearchCV and"):
        clone(NET).set_params(checkpoint=tmp_path / "a").fit(X)
    search.set_params(verbose=1, n_jobs=1, checkpoint=Checkpoint(tmp_path / "a")).fit(X)


@pytest.mark.parametrize("name", ["grid", "halving", "optuna"])
def test_an_interrupted_search_goes_on(name, X, tmp_path):
    whole = clone(SEARCHES[name]).set_params(scoring=Score()).fit(X)
    path, score = tmp_path / "a", Score({"grid": 9, "halving": 14, "optuna": 9}[name])
    score.error = KeyboardInterrupt()
    search = clone(SEARCHES[name]).set_params(scoring=score, checkpoint=path)
    with pytest.warns(InterruptedWarning, match=r"To go on from '.*a', call fit as before\."):
        search.fit(X)
    assert len(search.cv_results_["params"]) < len(whole.cv_results_["params"])
    assert path.exists()
    score.fails_at = None
    pd.testing.assert_frame_equal(results_of(search.fit(X)), results_of(whole))
    assert not path.exists()


def test_what_would_draw_others_is_refused(X, tmp_path):
    for search, name in [
        (BatchedRandomizedSearchCV(NET, GRID, n_iter=2), "BatchedRandomizedSearchCV"),
        (BatchedOptunaSearchCV(NET, SPACE), "BatchedOptunaSearchCV"),
        (BatchedGridSearchCV(NET, GRID, cv=ShuffleSplit(2)), "ShuffleSplit"),
        (BatchedGridSearchCV(NET, GRID, cv=KFold(2, shuffle=True)), "KFold"),
    ]:
        with pytest.raises(ValueError, match=f"checkpoint needs a seed, or {name} would draw"):
            search.set_params(checkpoint=tmp_path / "a").fit(X)
    study = create_study(direction="maximize", sampler=TPESampler(seed=0))
    search = BatchedOptunaSearchCV(NET, SPACE, study=study, random_state=0)
    with pytest.raises(ValueError, match="checkpoint is for a study in memory"):
        search.set_params(checkpoint=tmp_path / "a").fit(X)


def test_processes(X, tmp_path):
    path = tmp_path / "a"
    search, score = stopped(SEARCHES["grid"], path, 5, X)
    whole = clone(SEARCHES["grid"]).fit(X)
    score.fails_at = None
    with parallel_config(backend="threading"):  # other processes take long to start
        search.set_params(n_jobs=2).fit(X)
    pd.testing.assert_frame_equal(results_of(search), results_of(whole))
