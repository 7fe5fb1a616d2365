"""Searches: what scikit-learn's find, with all candidates trained at once."""

import inspect
import re
from time import sleep

import numpy as np
import pandas as pd
import pytest
import sklearn
from scipy.stats import loguniform
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.decomposition import PCA
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    RandomizedSearchCV,
    cross_val_score,
)
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks
from skorch.callbacks import Callback

import skae._model_selection.halving
import skae._model_selection.trials
from skae import (
    Autoencoder,
    BatchedGridSearchCV,
    BatchedHalvingGridSearchCV,
    BatchedRandomizedSearchCV,
    DenoisingAutoencoder,
    EnsembleAutoencoder,
    fit_many,
)
from skae._training.fits import FitTask
from skae.architectures import Dense

GRID = {"n_components": [1, 3], "lr": [1e-3, 1e-2]}


@pytest.fixture
def autoencoder(fast):
    return Autoencoder(architecture=Dense((8,))).set_params(**fast)


@pytest.fixture
def pipeline(autoencoder):
    return Pipeline([("scale", StandardScaler()), ("autoencoder", autoencoder)])


class Counting(TransformerMixin, BaseEstimator):
    """Scales rows, and counts how often any of its kind was fitted."""

    fits = 0

    def __init__(self, scale=1.0):
        self.scale = scale

    def fit(self, X, y=None, sample_weight=None):
        type(self).fits += 1
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X):
        return self.scale * X


class Failing(Autoencoder):
    """Cannot be fitted at a learning rate of 1."""

    def _make_loss(self):
        if self.lr == 1:
            raise ValueError("no rate for this")
        return super()._make_loss()


def mean_error(estimator, X, y=None):
    return -float(((estimator.reconstruct(X) - X) ** 2).mean())


def mean_and_worst(estimator, X, y=None):
    errors = ((estimator.reconstruct(X) - X) ** 2).mean(axis=1)
    return {"mean": -float(errors.mean()), "worst": -float(errors.max())}


def spread_of_codes(estimator, X, y=None):
    return estimator.transform(X).std()


def is_time(key):
    return key.endswith("_time")


def assert_same_results(search, reference, expect_best=True):
    """Assert that two searches found the same."""
    found, expected = search.cv_results_, reference.cv_results_
    assert found.keys() == expected.keys()
    for key in expected:
        assert len(found[key]) == len(expected[key])
        if key.startswith("param"):
            assert list(found[key]) == list(expected[key])
        elif not is_time(key):
            np.testing.assert_allclose(found[key], expected[key], atol=1e-3, err_msg=key)
    assert search.n_splits_ == reference.n_splits_
    assert search.multimetric_ == reference.multimetric_
    assert hasattr(search, "best_index_") == hasattr(reference, "best_index_") == expect_best
    if expect_best:
        assert search.best_params_ == reference.best_params_
        assert search.best_index_ == reference.best_index_
        assert hasattr(search, "best_score_") == hasattr(reference, "best_score_")
    if hasattr(reference, "best_score_"):
        assert search.best_score_ == pytest.approx(reference.best_score_, abs=1e-3)


def both(estimator, grid, X, y=None, fit_params=None, **params):
    """Return two fitted searches, skae's and scikit-learn's."""
    params = {"cv": 3} | params
    return (
        search(estimator, grid, **params).fit(X, y, **(fit_params or {}))
        for search in (BatchedGridSearchCV, GridSearchCV)
    )


# The same as scikit-learn's.


@pytest.mark.parametrize("return_train_score", [False, True])
def test_grid_search_finds_what_that_of_sklearn_does(autoencoder, X, return_train_score):
    search, reference = both(autoencoder, GRID, X, return_train_score=return_train_score)
    assert_same_results(search, reference)
    assert search.refit_time_ > 0
    assert search.n_features_in_ == 10
    assert (search.cv_results_["mean_fit_time"] > 0).all()
    assert (search.cv_results_["mean_score_time"] > 0).all()
    assert search.score(X) == pytest.approx(reference.score(X))
    for method in ("transform", "score_samples"):
        np.testing.assert_allclose(getattr(search, method)(X), getattr(reference, method)(X))
    codes = search.transform(X)
    np.testing.assert_allclose(search.fit_transform(X), codes)
    np.testing.assert_allclose(
        search.inverse_transform(codes), reference.inverse_transform(codes), rtol=1e-6
    )


def test_signatures_are_those_of_sklearn():
    for search, reference in [
        (BatchedGridSearchCV, GridSearchCV),
        (BatchedRandomizedSearchCV, RandomizedSearchCV),
    ]:
        *of_sklearn, last = inspect.signature(search).parameters.values()
        assert str(last) == "checkpoint=None"
        own = inspect.signature(search).replace(parameters=of_sklearn)
        assert str(own) == str(inspect.signature(reference))


def test_randomized_search_draws_what_that_of_sklearn_does(autoencoder, X):
    draw = {"lr": loguniform(1e-4, 1e-2), "n_components": [1, 2]}
    search, reference = (
        search(autoencoder, draw, n_iter=3, cv=2, random_state=0).fit(X)
        for search in (BatchedRandomizedSearchCV, RandomizedSearchCV)
    )
    assert_same_results(search, reference)


def test_list_of_grids(autoencoder, X):
    grids = [{"n_components": [1]}, {"lr": [1e-2], "architecture__activation": ["tanh"]}]
    assert_same_results(*both(autoencoder, grids, X, cv=2))


@pytest.mark.parametrize("refit", ["worst", False, lambda results: 1])
@pytest.mark.parametrize(
    "scoring", [{"mean": mean_error, "worst": mean_error}, mean_and_worst], ids=["dict", "callable"]
)
def test_many_metrics(autoencoder, X, scoring, refit):
    search, reference = both(autoencoder, GRID, X, scoring=scoring, refit=refit, cv=2)
    assert_same_results(search, reference, expect_best=refit is not False)
    assert isinstance(search.scorer_, dict) == isinstance(reference.scorer_, dict)
    assert hasattr(search, "best_estimator_") == bool(refit)
    if callable(refit):
        assert search.best_index_ == 1
    elif refit:
        assert search.score(X) == pytest.approx(reference.score(X))


def test_many_metrics_need_a_name_to_refit_by(autoencoder, X):
    for scoring in ({"mean": mean_error}, mean_and_worst):
        with pytest.raises(ValueError, match="refit must be set to a scorer key"):
            BatchedGridSearchCV(autoencoder, {}, scoring=scoring, cv=2).fit(X)


def test_one_metric_without_refit(autoencoder, X):
    search, reference = both(autoencoder, GRID, X, scoring=mean_error, refit=False, cv=2)
    assert_same_results(search, reference)
    assert not hasattr(search, "best_estimator_")


def test_sample_weight_is_split_like_the_rows(autoencoder, X):
    weight = np.linspace(0, 2, len(X))
    search, reference = both(autoencoder, GRID, X, fit_params={"sample_weight": weight}, cv=2)
    assert_same_results(search, reference)
    unweighted = BatchedGridSearchCV(autoencoder, GRID, cv=2).fit(X)
    difference = search.cv_results_["mean_test_score"] - unweighted.cv_results_["mean_test_score"]
    assert (abs(difference) > 1e-4).all()


def test_groups_stay_together(autoencoder, X):
    groups = np.arange(len(X)) % 4
    search, reference = both(autoencoder, GRID, X, cv=GroupKFold(2), fit_params={"groups": groups})
    assert_same_results(search, reference)


def test_data_frames(pipeline, X):
    frame = pd.DataFrame(X, columns=[f"c{i}" for i in range(X.shape[1])])
    search, reference = both(pipeline, {"autoencoder__n_components": [1, 2]}, frame, cv=2)
    assert_same_results(search, reference)
    assert list(search.feature_names_in_) == list(frame.columns)


def test_random_state_instances_are_cloned(autoencoder, X):
    autoencoder.set_params(random_state=np.random.RandomState(3))
    assert_same_results(*both(autoencoder, GRID, X, cv=2))


def test_no_random_state(autoencoder, X):
    autoencoder.set_params(random_state=None)
    search = BatchedGridSearchCV(autoencoder, {"lr": [1e-3, 1e-3]}, cv=2).fit(X)
    first, second = search.cv_results_["mean_test_score"]
    assert first != second


def test_candidates_of_different_classes(pipeline, fast, X):
    candidates = [Autoencoder(), DenoisingAutoencoder(), PCA(3)]
    for candidate in candidates[:2]:
        candidate.set_params(**fast)
    grid = {"autoencoder": [*candidates, "passthrough"]}
    search, reference = both(pipeline, grid, X, scoring=spread_of_codes, cv=2)
    scores = [s.cv_results_["mean_test_score"] for s in (search, reference)]
    np.testing.assert_allclose(*scores, atol=1e-3)
    assert type(search.best_estimator_[-1]) is type(reference.best_estimator_[-1])


@pytest.mark.parametrize(
    ("estimator", "name"),
    [
        (PCA(), "n_components"),
        (make_pipeline(StandardScaler(), PCA()), "pca__n_components"),
        (make_pipeline(Autoencoder(max_epochs=2), StandardScaler(), PCA()), "pca__n_components"),
    ],
    ids=["alone", "last", "behind"],
)
@pytest.mark.filterwarnings("ignore::skae.exceptions.PoorFitWarning")
def test_other_estimators(estimator, name, X):
    if "autoencoder__random_state" in estimator.get_params():
        estimator.set_params(autoencoder__random_state=0)
    assert_same_results(*both(estimator, {name: [1, 2]}, X))


def test_classifiers(fast, X, labels):
    model = make_pipeline(Autoencoder(**fast), LogisticRegression())
    search, reference = both(model, {"logisticregression__C": [1e-3, 1.0]}, X, labels)
    assert_same_results(search, reference)
    assert list(search.classes_) == [0, 1]
    np.testing.assert_array_equal(search.predict(X), reference.predict(X))


# Common work is done once.


def test_candidates_share_the_rows_of_a_fold(autoencoder, X, monkeypatch):
    trained_on = []

    def recorded(fits, verbose=0):
        trained_on.extend(fit.data[0] for fit in fits)
        return original(fits, verbose=verbose)

    original = skae._model_selection.trials.fit_all
    monkeypatch.setattr(skae._model_selection.trials, "fit_all", recorded)
    BatchedGridSearchCV(autoencoder, GRID, cv=3).fit(X)
    assert len(trained_on) == 12
    assert len({id(rows) for rows in trained_on}) == 3
    trained_on.clear()
    pipeline = make_pipeline(Counting(), autoencoder)
    grid = {"counting__scale": [1.0, 2.0], "autoencoder__lr": [1e-3, 1e-2]}
    BatchedGridSearchCV(pipeline, grid, cv=3).fit(X)
    assert len(trained_on) == 12
    assert len({id(rows) for rows in trained_on}) == 6


@pytest.mark.parametrize(
    ("scales", "n_distinct"),
    [
        ({"counting__scale": [1.0, 2.0]}, 2),
        ({"counting": [Counting(1.0), Counting(2.0), Counting(3.0)]}, 3),
        ({}, 1),
    ],
    ids=["parameter", "step", "same"],
)
def test_each_preprocessing_is_fitted_once_per_fold(autoencoder, X, scales, n_distinct):
    pipeline = make_pipeline(Counting(), autoencoder)
    grid = {**scales, "autoencoder__lr": [1e-3, 1e-2], "autoencoder__n_components": [1, 2]}
    Counting.fits = 0
    search = BatchedGridSearchCV(pipeline, grid, cv=3, refit=False).fit(X)
    assert Counting.fits == 3 * n_distinct
    reference = GridSearchCV(pipeline, grid, cv=3, refit=False).fit(X)
    assert Counting.fits == 3 * n_distinct + 3 * len(search.cv_results_["params"])
    np.testing.assert_allclose(
        search.cv_results_["mean_test_score"],
        reference.cv_results_["mean_test_score"],
        atol=1e-3,
    )


def test_equal_values_in_many_grids_are_one_preprocessing(autoencoder, X):
    pipeline = make_pipeline(Counting(), autoencoder)
    grids = [{"counting__scale": [float(f"{n}.5")], "autoencoder__lr": [0.1**n]} for n in (1, 2)]
    grids += [{"counting__scale": [float("1.5")], "autoencoder__lr": [1e-3]}]
    Counting.fits = 0
    BatchedGridSearchCV(pipeline, grids, cv=2, refit=False).fit(X)
    assert Counting.fits == 4


def test_fit_params_of_steps_get_there(autoencoder, X):
    weight = np.linspace(0, 2, len(X))
    params = {"counting__sample_weight": weight, "autoencoder__sample_weight": weight}
    pipeline = make_pipeline(Counting(), autoencoder)
    grid = {"autoencoder__n_components": [1, 2]}
    assert_same_results(*both(pipeline, grid, X, fit_params=params, cv=2))


def test_metadata_is_routed(autoencoder, X):
    weight = np.linspace(0, 2, len(X))
    with sklearn.config_context(enable_metadata_routing=True):
        autoencoder.set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        pipeline = make_pipeline(Counting().set_fit_request(sample_weight=False), autoencoder)
        grid = {"autoencoder__n_components": [1, 2]}
        params = {"sample_weight": weight, "groups": np.arange(len(X)) % 4}
        search, reference = both(pipeline, grid, X, fit_params=params, cv=GroupKFold(2))
    assert_same_results(search, reference)


def test_time_of_the_preprocessing_counts(autoencoder, X):
    def slowly(X):
        sleep(0.2)
        return X

    pipeline = make_pipeline(FunctionTransformer(slowly), autoencoder)
    grid = {"autoencoder__lr": [1e-3, 1e-2]}
    search = BatchedGridSearchCV(pipeline, grid, cv=2, refit=False).fit(X)
    assert (search.cv_results_["mean_fit_time"] > 0.2).all()


# Failures.


@pytest.fixture
def failing(fast):
    return Failing(architecture=Dense((8,))).set_params(**fast)


def test_failed_candidates_get_the_error_score(failing, X):
    grid = {"lr": [1e-3, 1, 1e-2]}
    found = []
    for search in (BatchedGridSearchCV, GridSearchCV):
        with (
            pytest.warns(FitFailedWarning, match=r"2 fits failed(.|\n)*total of 6(.|\n)*no rate"),
            pytest.warns(UserWarning, match="test scores are non-finite"),
        ):
            found.append(search(failing, grid, cv=2).fit(X))
    assert_same_results(*found)
    assert np.isnan(found[0].cv_results_["mean_test_score"][1])


@pytest.mark.parametrize("scoring", [mean_and_worst, {"mean": mean_error}])
def test_error_score_of_many_metrics(failing, X, scoring):
    with pytest.warns(FitFailedWarning):
        search = BatchedGridSearchCV(
            failing,
            {"lr": [1, 1e-2]},
            cv=2,
            scoring=scoring,
            refit="mean",
            error_score=-9.0,
            return_train_score=True,
        ).fit(X)
    assert search.cv_results_["mean_test_mean"][0] == -9
    assert search.cv_results_["mean_train_mean"][0] == -9
    assert search.best_params_ == {"lr": 1e-2}


def test_errors_can_be_raised(failing, X):
    with pytest.raises(ValueError, match="no rate for this"):
        BatchedGridSearchCV(failing, {"lr": [1e-3, 1]}, cv=2, error_score="raise").fit(X)


def test_all_fits_fail(failing, X):
    with pytest.raises(ValueError, match=r"All the 2 fits failed(.|\n)*no rate for this"):
        BatchedGridSearchCV(failing, {"lr": [1]}, cv=2).fit(X)


def test_preprocessing_fails_for_those_who_share_it(autoencoder, X):
    def fail(X):
        raise ValueError("not these rows")

    pipeline = Pipeline([("scale", StandardScaler()), ("autoencoder", autoencoder)])
    grid = {
        "scale": [FunctionTransformer(fail), MinMaxScaler()],
        "autoencoder__n_components": [1, 2],
    }
    with (
        pytest.warns(FitFailedWarning, match=r"4 fits failed out of a total of 8(.|\n)*not these"),
        pytest.warns(UserWarning, match="non-finite"),
    ):
        search = BatchedGridSearchCV(pipeline, grid, cv=2).fit(X)
    assert np.isnan(search.cv_results_["mean_test_score"]).tolist() == [True, False] * 2


def test_scoring_fails(autoencoder, X):
    def score(estimator, X, y=None):
        if estimator.n_components == 1:
            raise ValueError("no score for this")
        return 1.0

    with (
        pytest.warns(UserWarning, match=r"Scoring failed(.|\n)*no score for this"),
        pytest.warns(UserWarning, match="non-finite"),
    ):
        search = BatchedGridSearchCV(autoencoder, GRID, scoring=score, cv=2).fit(X)
    assert search.best_params_["n_components"] == 3


# What cannot be searched.


def never_fitted(*args, **kwargs):
    raise AssertionError("something was trained")


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("n_componets", "n_components"), ("architecture__activatoin", "activation")],
)
@pytest.mark.parametrize("in_pipeline", [False, True])
def test_unknown_names_say_the_nearest_before_training(
    autoencoder, pipeline, X, monkeypatch, name, nearest, in_pipeline
):
    monkeypatch.setattr(skae._model_selection.trials, "fit_all", never_fitted)
    estimator = pipeline if in_pipeline else autoencoder
    grid = {"autoencoder__" * in_pipeline + name: [1], "autoencoder__" * in_pipeline + "lr": [1]}
    with pytest.raises(ValueError, match=f"Did you mean '{nearest}'"):
        BatchedGridSearchCV(estimator, grid).fit(X)


def test_unknown_steps_say_the_nearest_before_training(pipeline, X, monkeypatch):
    monkeypatch.setattr(skae._model_selection.trials, "fit_all", never_fitted)
    with pytest.raises(ValueError, match="Did you mean 'autoencoder__lr'"):
        BatchedRandomizedSearchCV(pipeline, {"autoencodr__lr": [1]}, n_iter=1).fit(X)


@pytest.mark.parametrize(
    ("search", "name"),
    [
        (BatchedGridSearchCV, "param_grid"),
        (BatchedRandomizedSearchCV, "param_distributions"),
        (BatchedHalvingGridSearchCV, "param_grid"),
    ],
)
def test_empty_grids(autoencoder, X, search, name):
    with pytest.raises(ValueError, match=f"{name} is empty"):
        search(autoencoder, []).fit(X)
    for grid in ({"lr": []}, [{"lr": [1e-3]}, {"lr": loguniform(0.1, 1), "batch_size": ()}]):
        empty = "lr" if isinstance(grid, dict) else "batch_size"
        with pytest.raises(ValueError, match=f"{name} has no values for '{empty}'"):
            search(autoencoder, grid).fit(X)


def test_empty_dict_is_one_candidate(autoencoder, X):
    search, reference = both(autoencoder, {}, X, cv=2)
    assert_same_results(search, reference)
    assert search.best_params_ == {}


def test_no_folds(autoencoder, X):
    with pytest.raises(ValueError, match="cv gives no folds"):
        BatchedGridSearchCV(autoencoder, {}, cv=[]).fit(X)


def test_invalid_parameters(autoencoder, X):
    with pytest.raises(ValueError, match="'error_score' parameter"):
        BatchedGridSearchCV(autoencoder, {}, error_score="rise").fit(X)
    with pytest.raises(ValueError, match="'factor' parameter"):
        BatchedHalvingGridSearchCV(autoencoder, {}, factor=1).fit(X)


def test_verbose(autoencoder, X, capsys):
    BatchedGridSearchCV(autoencoder, GRID, cv=2).fit(X)
    assert capsys.readouterr().out == ""
    BatchedGridSearchCV(autoencoder, GRID, cv=2, verbose=2).fit(X)
    out = capsys.readouterr().out
    assert "4 candidates on 2 folds, 8 fits in all" in out
    assert out.count("[CV 1/2]") == 4


# What trains together.


class Negating(Autoencoder):
    """Has a fit of its own."""

    def fit(self, X, y=None):
        super().fit(-X)
        self.fitted_by_ = "own"
        return self


def test_fits_of_subclasses_are_their_own(fast, X):
    X = X + 3
    model = Negating(architecture=Dense((8,))).set_params(**fast)
    search, reference = both(model, GRID, X, scoring=mean_error)
    assert_same_results(search, reference)
    assert search.best_estimator_.fitted_by_ == "own"
    models = fit_many([clone(model).set_params(lr=lr) for lr in (1e-3, 1e-2)], X)
    for one in models:
        assert one.fitted_by_ == "own"
        np.testing.assert_allclose(one.reconstruct(X), clone(one).fit(X).reconstruct(X))


def test_nets_of_equal_shapes_are_stacked(autoencoder, X, stack_sizes):
    fit_many([clone(autoencoder).set_params(lr=lr) for lr in (1e-3, 1e-2, 2e-2)], X)
    assert stack_sizes == [3]
    stack_sizes.clear()
    BatchedGridSearchCV(autoencoder, GRID, cv=2, refit=False).fit(X)
    assert stack_sizes == [4, 4]
    stack_sizes.clear()
    EnsembleAutoencoder(autoencoder, n_estimators=5, random_state=0).fit(X)
    assert stack_sizes == [5]


# Halving.


class PausedFit(FitTask):
    """A fit that can be paused, since with a constant rate a shorter one is its beginning."""

    def begin(self):
        self.n_epochs = self.estimator.max_epochs
        if self.estimator.lr == 1:
            self.error = ValueError("no rate for this")

    def train(self, until):
        self.trained = min(until or self.n_epochs, self.n_epochs)
        self.estimator.max_epochs = self.trained
        self.estimator.fit(*self.data, **self.params)
        self.estimator.max_epochs = self.n_epochs
        self.seconds += 0.5

    def end(self):
        assert self.trained == self.n_epochs


@pytest.fixture
def pauses(monkeypatch):
    """Records how many fits were trained up to which epochs."""
    pauses = []

    def train(fits, until=None):
        pauses.append((len(fits), until))
        for fit in fits:
            fit.train(until)

    monkeypatch.setattr(skae._model_selection.trials, "FitTask", PausedFit)
    monkeypatch.setattr(skae._model_selection.halving, "train", train)
    return pauses


@pytest.fixture
def long(autoencoder):
    return autoencoder.set_params(max_epochs=9)


RATES = {"n_components": [1, 3], "lr": [1e-5, 1e-4, 1e-3, 1e-2, 2e-2]}


def test_halving_stops_the_poor_ones(long, X, pauses):
    search = BatchedHalvingGridSearchCV(long, RATES, cv=2).fit(X)
    assert search.n_resources_ == [1, 3, 9]
    assert search.n_candidates_ == [10, 4, 2]
    assert search.n_iterations_ == 3
    assert search.n_remaining_candidates_ == 1
    assert pauses == [(20, 1), (8, 3), (4, None)]
    results = pd.DataFrame(search.cv_results_)
    assert results["iter"].tolist() == [0] * 10 + [1] * 4 + [2] * 2
    assert results["n_resources"].tolist() == [1] * 10 + [3] * 4 + [9] * 2
    for iteration, n_kept in enumerate([4, 2]):
        scored = results[results["iter"] == iteration].nlargest(n_kept, "mean_test_score")
        kept = results[results["iter"] == iteration + 1]
        assert {str(p) for p in kept["params"]} == {str(p) for p in scored["params"]}
    assert results["iter"][search.best_index_] == 2
    assert search.best_score_ == results[results["iter"] == 2]["mean_test_score"].max()


def test_survivors_of_halving_score_as_in_a_grid_search(long, X, pauses):
    search = BatchedHalvingGridSearchCV(long, RATES, cv=2).fit(X)
    last = search.cv_results_["iter"] == 2
    survivors = np.array(search.cv_results_["params"])[last]
    for params, score in zip(survivors, search.cv_results_["mean_test_score"][last], strict=True):
        alone = clone(long).set_params(**params)
        assert score == pytest.approx(cross_val_score(alone, X, cv=2).mean(), abs=1e-3)
    best = clone(long).set_params(**search.best_params_).fit(X)
    assert search.score(X) == pytest.approx(best.score(X))


class CountEpochs(Callback):
    """Counts the epochs of all nets."""

    n_epochs = 0

    def on_epoch_begin(self, net, **kwargs):
        CountEpochs.n_epochs += 1


def test_halving_resumes_the_training_of_survivors(long, X, monkeypatch):
    monkeypatch.setattr(CountEpochs, "n_epochs", 0)
    long.set_params(lr_schedule="cosine", callbacks=[CountEpochs()])
    n_iter, finished = [], []

    def score(estimator, X, y=None):
        n_iter.append(estimator.n_iter_)
        if estimator.n_iter_ == 9:
            finished.append((clone(estimator), estimator.loss_curve_, estimator.reconstruct(X)))
        return mean_error(estimator, X)

    search = BatchedHalvingGridSearchCV(long, RATES, scoring=score, cv=2, refit=False).fit(X)
    assert n_iter == [1] * 20 + [3] * 8 + [9] * 4
    assert CountEpochs.n_epochs == 20 * 1 + 8 * 2 + 4 * 6
    folds = list(KFold(2).split(X)) * 2
    scores = []
    for (alone, loss_curve, reconstructed), (train, test) in zip(finished, folds, strict=True):
        alone.fit(X[train])
        np.testing.assert_allclose(loss_curve, alone.loss_curve_, rtol=1e-4)
        np.testing.assert_allclose(reconstructed, alone.reconstruct(X[test]), atol=1e-4)
        scores.append(mean_error(alone, X[test]))
    expected = np.reshape(scores, (2, 2)).mean(axis=1)
    np.testing.assert_allclose(search.cv_results_["mean_test_score"][-2:], expected, rtol=1e-4)
    assert search.best_score_ == pytest.approx(expected.max(), rel=1e-4)


def test_only_the_last_can_win(long, X, pauses):
    def falling(estimator, X, y=None):
        return -estimator.n_iter_ - estimator.lr

    search = BatchedHalvingGridSearchCV(long, RATES, scoring=falling, cv=2).fit(X)
    assert search.cv_results_["iter"][search.best_index_] == 2
    assert search.best_params_ == {"lr": 1e-5, "n_components": 1}
    assert search.cv_results_["rank_test_score"][search.best_index_] > 1


@pytest.mark.parametrize(
    ("factor", "min_epochs", "epochs", "candidates"),
    [
        (3, "auto", [1, 3, 9], [10, 4, 2]),
        (2, "auto", [1, 2, 4, 9], [10, 5, 3, 2]),
        (3, 2, [2, 6, 9], [10, 4, 2]),
        (3, 5, [5, 9], [10, 4]),
        (4.5, "auto", [2, 9], [10, 3]),
        (11, "auto", [9], [10]),
        (3, 9, [9], [10]),
    ],
)
def test_epochs_of_comparisons(long, X, pauses, factor, min_epochs, epochs, candidates):
    search = BatchedHalvingGridSearchCV(
        long, RATES, factor=factor, min_epochs=min_epochs, cv=2, refit=False
    ).fit(X)
    assert search.n_resources_ == epochs
    assert search.n_candidates_ == candidates


def test_fewest_epochs_above_all(long, X, pauses):
    with pytest.raises(ValueError, match="min_epochs=10 must not be above the 9 epochs"):
        BatchedHalvingGridSearchCV(long, RATES, min_epochs=10, cv=2).fit(X)


def test_halving_with_many_metrics(long, X, pauses):
    search = BatchedHalvingGridSearchCV(
        long, RATES, scoring=mean_and_worst, refit="worst", cv=2, return_train_score=True
    ).fit(X)
    last = search.cv_results_["iter"] == 2
    assert search.best_score_ == search.cv_results_["mean_test_worst"][last].max()
    assert "mean_train_mean" in search.cv_results_


@pytest.mark.parametrize("scoring", [mean_and_worst, {"mean": mean_error, "worst": mean_error}])
def test_halving_needs_one_metric_to_compare_by(long, X, pauses, scoring):
    with pytest.raises(ValueError, match=r"refit to one of \['mean', 'worst'\]"):
        BatchedHalvingGridSearchCV(long, RATES, scoring=scoring, refit=False, cv=2).fit(X)


def test_halving_of_a_pipeline(long, X, pauses):
    pipeline = make_pipeline(Counting(), long)
    grid = {"counting__scale": [1.0, 2.0], "autoencoder__lr": [1e-4, 1e-3, 1e-2]}
    Counting.fits = 0
    search = BatchedHalvingGridSearchCV(pipeline, grid, cv=2, refit=False).fit(X)
    assert Counting.fits == 4
    assert search.n_candidates_ == [6, 2]
    reference = GridSearchCV(pipeline, grid, cv=2).fit(X)
    assert search.best_score_ == pytest.approx(reference.best_score_, abs=1e-3)


def test_failed_candidates_are_the_first_to_go(long, X, pauses):
    rates = {"lr": [1, 1e-3, 1e-2]}
    with (
        pytest.warns(FitFailedWarning, match=r"2 fits failed(.|\n)*total of 6(.|\n)*no rate"),
        pytest.warns(UserWarning, match="non-finite"),
    ):
        search = BatchedHalvingGridSearchCV(long, rates, cv=2).fit(X)
    assert search.n_candidates_ == [3, 1]
    assert pauses == [(4, 3), (2, None)]
    with pytest.raises(ValueError, match="All the 2 fits failed"):
        BatchedHalvingGridSearchCV(long, {"lr": [1]}, cv=2).fit(X)
    with pytest.raises(ValueError, match="no rate for this"):
        BatchedHalvingGridSearchCV(long, rates, cv=2, error_score="raise").fit(X)


def test_times_of_halving_are_all_so_far(long, X, pauses):
    search = BatchedHalvingGridSearchCV(long, RATES, cv=2, refit=False).fit(X)
    seconds = search.cv_results_["mean_fit_time"]
    assert seconds.round(1).tolist() == [0.5] * 10 + [1.0] * 4 + [1.5] * 2


def test_halving_refuses_grids_over_epochs(autoencoder, pipeline, X):
    for estimator, name in [(autoencoder, "max_epochs"), (pipeline, "autoencoder__max_epochs")]:
        with pytest.raises(ValueError, match="take max_epochs out of param_grid"):
            BatchedHalvingGridSearchCV(estimator, {name: [2, 3]}).fit(X)


def test_halving_refuses_what_has_no_epochs(X):
    for estimator in (PCA(), make_pipeline(StandardScaler(), PCA())):
        with pytest.raises(TypeError, match=r"skae's own fit; got PCA.*BatchedGridSearchCV"):
            BatchedHalvingGridSearchCV(estimator, {}).fit(X)


def test_verbose_halving(long, X, pauses, capsys):
    BatchedHalvingGridSearchCV(long, RATES, cv=2, verbose=1).fit(X)
    assert "Training 8 fits up to epoch 3" in capsys.readouterr().out


# scikit-learn's own checks, and the documentation.

TINY = Autoencoder(2, architecture=Dense((8,)), max_epochs=2, check_baseline=False, random_state=0)
TINY_PIPELINE = Pipeline([("scale", StandardScaler()), ("autoencoder", TINY)])
GRID_OF_RATES = {"lr": [1e-3, 1e-2]}
GRID_OF_PIPELINE = {"autoencoder__lr": [1e-3, 1e-2]}
RAISE = {"cv": KFold(2), "error_score": "raise"}

MINI_BATCHES = "weights scale the loss of mini-batches, which repeated rows fill differently"
EXPECTED_FAILURES = {
    "check_sample_weight_equivalence_on_dense_data": MINI_BATCHES,
    "check_sample_weight_equivalence_on_sparse_data": MINI_BATCHES,
}


@parametrize_with_checks(
    [
        BatchedGridSearchCV(TINY, GRID_OF_RATES, **RAISE),
        BatchedGridSearchCV(TINY_PIPELINE, GRID_OF_PIPELINE, **RAISE),
        BatchedRandomizedSearchCV(TINY, GRID_OF_RATES, n_iter=2, random_state=0, **RAISE),
        BatchedHalvingGridSearchCV(TINY, GRID_OF_RATES, **RAISE),
    ],
    expected_failed_checks=lambda _: EXPECTED_FAILURES,
)
def test_sklearn_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize(
    "search", [BatchedGridSearchCV, BatchedRandomizedSearchCV, BatchedHalvingGridSearchCV]
)
def test_parameters_are_documented_in_order(search):
    documented = inspect.getdoc(search).split("Parameters\n---")[1].split("\nAttributes\n")[0]
    names = re.findall(r"^(\w+) : ", documented, flags=re.MULTILINE)
    assert names == list(inspect.signature(search).parameters)
    assert not re.search(r"^<\w+>", inspect.getdoc(search), flags=re.MULTILINE)


def test_processes_share_the_training(autoencoder, X):
    alone, shared = (
        BatchedGridSearchCV(autoencoder, GRID, cv=2, n_jobs=n_jobs).fit(X) for n_jobs in (None, 2)
    )
    assert_same_results(shared, alone)
