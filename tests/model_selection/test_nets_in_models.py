"""Searches over models with a net inside: the nets train together, the rest is as alone."""

import signal

import numpy as np
import pytest
import sklearn
from joblib import Memory, parallel_config
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import BaggingClassifier
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skae import (
    Autoencoder,
    BatchedGridSearchCV,
    BatchedHalvingGridSearchCV,
    BatchedRandomizedSearchCV,
    EnsembleAutoencoder,
    OutlierDetector,
)
from skae.exceptions import InterruptedWarning

RATES = [1e-3, 5e-2]


def assert_as_sklearn(model, grid, X, y=None, fit_params=None, **params):
    """Assert that a search has the scores of scikit-learn's, bit for bit, and return it."""
    params = {"cv": 2} | params
    searches = []
    for search in (GridSearchCV, BatchedGridSearchCV):
        np.random.seed(0)  # noqa: NPY002
        searches.append(search(model, grid, **params).fit(X, y, **(fit_params or {})))
    reference, found = (search.cv_results_ for search in searches)
    assert found.keys() == reference.keys()
    for name in found:
        if name.startswith(("split", "mean_t", "rank")):
            np.testing.assert_array_equal(found[name], reference[name], err_msg=name)
    assert searches[0].best_index_ == searches[1].best_index_
    return searches[1]


def with_column(net):
    columns = [
        ("codes", make_pipeline(StandardScaler(), net), slice(0, 8)),
        ("rest", "passthrough", [9]),
    ]
    return make_pipeline(ColumnTransformer(columns), LogisticRegression())


def with_union(net):
    return make_pipeline(FeatureUnion([("codes", net), ("same", net)]), LogisticRegression())


#: A model with a net inside, the name of the net in it, and the stacks of a grid of two rates.
MODELS = {
    "pipeline": (lambda net: make_pipeline(net, LogisticRegression()), "autoencoder", [4]),
    "columns": (with_column, "columntransformer__codes__autoencoder", [4]),
    "two nets": (
        lambda net: make_pipeline(net, StandardScaler(), net, LogisticRegression()),
        "autoencoder-2",
        [2, 4],
    ),
    "union": (with_union, "featureunion__codes", [4, 2]),
    "bagging": (
        lambda net: BaggingClassifier(make_pipeline(net, LogisticRegression()), 2),
        "estimator__autoencoder",
        [4, 4],
    ),
    "ensemble": (
        lambda net: make_pipeline(EnsembleAutoencoder(net, 3), LogisticRegression()),
        "ensembleautoencoder__estimator",
        [12],
    ),
}


@pytest.mark.parametrize("kind", MODELS)
def test_nets_inside_of_models_train_together(kind, net, X, labels, stack_sizes):
    make, name, stacks = MODELS[kind]
    grid = {f"{name}__lr": RATES}
    search = assert_as_sklearn(make(net), grid, X, labels, refit=False)
    assert search.cv_results_["mean_fit_time"].min() > 0
    assert stack_sizes[-len(stacks) :] == stacks


def test_targets_and_detectors_keep_their_own_way(net, X):
    model = TransformedTargetRegressor(make_pipeline(net, Ridge()), transformer=StandardScaler())
    assert_as_sklearn(model, {"regressor__autoencoder__lr": RATES}, X, X[:, 1])
    detector = OutlierDetector(make_pipeline(StandardScaler(), net), random_state=0)
    grid = {"estimator__autoencoder__lr": RATES}
    assert_as_sklearn(detector, grid, X, scoring=lambda m, X, y=None: m.score_samples(X).mean())


def test_candidates_that_differ_behind_a_net_share_it(net, X, labels, stack_sizes):
    model = make_pipeline(StandardScaler(), net, LogisticRegression())
    grid = {"autoencoder__lr": RATES, "logisticregression__C": [1e-2, 1, 1e2]}
    BatchedGridSearchCV(model, grid, cv=2, refit=False).fit(X, labels)
    assert stack_sizes == [4]
    stack_sizes.clear()
    model.set_params(autoencoder__random_state=None)
    BatchedGridSearchCV(model, grid, cv=2, refit=False).fit(X, labels)
    assert stack_sizes == [12]


def test_nets_without_a_seed_draw_what_they_would_alone(net, X, labels):
    model = make_pipeline(net.set_params(random_state=None), LogisticRegression())
    options = {"scoring": lambda model, X, y: model[:-1].transform(X).sum(), "refit": False}
    search = assert_as_sklearn(model, {"autoencoder__lr": [1e-2, 1e-2]}, X, labels, **options)
    first, second = search.cv_results_["mean_test_score"]
    assert first != second


def test_steps_can_be_replaced(net, X, labels):
    model = Pipeline([("net", net), ("classifier", LogisticRegression())])
    other = Autoencoder(**net.get_params(deep=False)).set_params(n_components=2)
    grid = {
        "net": [net, "passthrough", other, StandardScaler()],
        "classifier": [LogisticRegression(), LogisticRegression(C=1e-3)],
    }
    assert_as_sklearn(model, grid, X, labels)


class Weighted(LogisticRegression):
    """Takes weights and further rows, both of which metadata routing hands over."""

    def fit(self, X, y, sample_weight=None, X_more=None):
        if X_more is not None:
            X, y = np.concatenate([X, X_more]), np.concatenate([y, np.zeros(len(X_more))])
            sample_weight = np.concatenate([sample_weight, np.ones(len(X_more))])
        return super().fit(X, y, sample_weight)


def test_metadata_gets_where_it_belongs(net, X, labels):
    weight = np.linspace(0, 2, len(X))
    model = Pipeline([("scale", StandardScaler()), ("net", net), ("classifier", Weighted())])
    params = {"net__sample_weight": weight, "classifier__sample_weight": weight}
    assert_as_sklearn(model, {"net__lr": RATES}, X, labels, fit_params=params)
    with sklearn.config_context(enable_metadata_routing=True):
        model["scale"].set_fit_request(sample_weight=False)
        net.set_fit_request(sample_weight=True)
        model["classifier"].set_fit_request(sample_weight=True, X_more=True)
        model["classifier"].set_score_request(sample_weight=True)
        model.set_params(transform_input=["X_more"])
        params = {"sample_weight": weight, "X_more": X[:30]}
        found = assert_as_sklearn(model, {"net__lr": RATES}, X, labels, fit_params=params)
    assert found.best_params_["net__lr"] in RATES


def test_options_are_those_of_sklearn(net, X, labels, tmp_path):
    steps = [
        ("scale", StandardScaler(copy=False)),
        ("net", net),
        ("classifier", LogisticRegression()),
    ]
    model = Pipeline(steps, memory=Memory(tmp_path, verbose=0)).set_output(transform="pandas")
    grid = {"net__lr": RATES, "classifier__C": [0.1, 1.0]}
    options = {"scoring": ["accuracy", "roc_auc"], "refit": lambda results: 2, "n_jobs": 2}
    with parallel_config(backend="threading"):
        search = assert_as_sklearn(model, grid, X, labels, **options)
    assert search.best_params_ == search.cv_results_["params"][2]
    assert search.best_estimator_.memory.location == tmp_path
    assert search.best_estimator_[:-1].transform(X).shape == (120, 3)


class Failing(LogisticRegression):
    """Cannot be fitted on one of the folds."""

    def fit(self, X, y):
        if self.C == 2 and y[0] == y[1]:
            raise ValueError("not on these rows")
        return super().fit(X, y)


def test_errors_behind_a_net_are_those_of_one_fit(net, X, labels):
    labels[[0, 1, 60, 61]] = 0, 0, 0, 1
    model = make_pipeline(net, Failing())
    grid = {"failing__C": [1, 2], "autoencoder__lr": [1e-3, -1.0]}
    with (
        pytest.warns(FitFailedWarning, match=r"5 fits failed out of a total of 8"),
        pytest.warns(UserWarning, match="non-finite"),
    ):
        search = BatchedGridSearchCV(model, grid, cv=KFold(2)).fit(X, labels)
    is_nan = np.isnan([search.cv_results_[f"split{i}_test_score"] for i in (0, 1)])
    assert is_nan.tolist() == [[False, False, True, True], [False, True, True, True]]


class InPlace(StandardScaler):
    """Writes into its rows."""

    def transform(self, X):
        X *= 2
        return super().transform(X)


class GoesOn(LogisticRegression):
    """Trains a net that it is given, and then a little more."""

    def __init__(self, net=None, C=1.0):
        super().__init__(C=C)
        self.net = net

    def fit(self, X, y):
        X *= 2
        Z = self.net.fit(X).partial_fit(X[:60]).transform(X)
        return super().fit(Z, y)

    def decision_function(self, X):
        return super().decision_function(self.net.transform(X))


WITH_CODE = {
    "step": (lambda net: make_pipeline(InPlace(), net, LogisticRegression()), "autoencoder"),
    "function": (
        lambda net: make_pipeline(
            FunctionTransformer(lambda X: np.multiply(X, 2, out=X)), net, LogisticRegression()
        ),
        "autoencoder",
    ),
    "end": (lambda net: make_pipeline(StandardScaler(), GoesOn(net)), "goeson__net"),
}


@pytest.mark.parametrize("kind", WITH_CODE)
def test_code_of_users_may_change_rows_and_nets(kind, net, X, labels):
    make, name = WITH_CODE[kind]
    model = make(net)
    classifier = model.steps[-1][0]
    grid = {f"{name}__lr": RATES, f"{classifier}__C": [0.1, 1.0]}

    def score(model, X, y):
        return model.decision_function(X).sum()

    assert_as_sklearn(model, grid, X, labels, scoring=score, refit=False)


class Noisy(StandardScaler):
    """Gives other rows each time."""

    n_fits = 0

    def transform(self, X):
        Noisy.n_fits += 1
        return super().transform(X) + Noisy.n_fits


class Wrapper(ClassifierMixin, BaseEstimator):
    """Fits what a pipeline would, without one."""

    def __init__(self, net, n_nets=1):
        self.net, self.n_nets = net, n_nets

    def fit(self, X, y):
        for _ in range(self.n_nets):
            self.net.fit(Noisy().fit_transform(X) if self.n_nets == 1 else X)
        self.classes_, self.label_ = np.unique(y), y[0]
        return self

    def predict(self, X):
        return np.full(len(X), self.label_)


@pytest.mark.parametrize(
    ("n_nets", "reason"), [(1, "rows change when the fit is repeated"), (5, "more than 3 times")]
)
def test_what_cannot_be_repeated_is_trained_alone(n_nets, reason, net, X, labels, capsys):
    search = BatchedGridSearchCV(Wrapper(net, n_nets), {"net__lr": RATES}, cv=2, verbose=1)
    search.fit(X, labels)
    out = capsys.readouterr()
    assert out.out.count(reason) == 4
    assert "4/4" in out.err
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_halving_fits_what_is_behind_a_net_each_time(net, X, labels):
    model = make_pipeline(StandardScaler(), net, LogisticRegression())
    grid = {"autoencoder__lr": [1e-4, 1e-3, 1e-2], "logisticregression__C": [1e-3, 1.0]}
    search = BatchedHalvingGridSearchCV(model, grid, cv=2, refit=False).fit(X, labels)
    assert search.n_candidates_ == [6, 2]
    assert search.n_resources_ == [1, 3]
    results = search.cv_results_
    reference = GridSearchCV(model, grid, cv=2, refit=False).fit(X, labels).cv_results_
    for params, score in zip(results["params"][-2:], results["mean_test_score"][-2:], strict=True):
        assert score == reference["mean_test_score"][reference["params"].index(params)]
    two_nets = make_pipeline(net, StandardScaler(), net, LogisticRegression())
    with pytest.raises(TypeError, match="one step of the pipeline, must be a net"):
        BatchedHalvingGridSearchCV(two_nets, {"autoencoder-1__lr": RATES}).fit(X, labels)


# Interrupts.


class Interrupting(LogisticRegression):
    """Is interrupted at one value, on the second fold."""

    n_fits = 0

    def fit(self, X, y):
        type(self).n_fits += self.C == 2
        if self.C == 2 and self.n_fits == 2:
            signal.raise_signal(signal.SIGINT)
        return super().fit(X, y)


@pytest.mark.usefixtures("sigint")
@pytest.mark.parametrize("search", [BatchedGridSearchCV, BatchedRandomizedSearchCV])
def test_an_interrupt_keeps_what_is_finished(search, net, X, labels, monkeypatch):
    monkeypatch.setattr(Interrupting, "n_fits", 0)
    model = make_pipeline(net, Interrupting())
    further = {"n_iter": 3} if search is BatchedRandomizedSearchCV else {}
    found = search(model, {"interrupting__C": [1, 1e-3, 2]}, cv=2, **further)
    if further:
        monkeypatch.setattr(found, "_candidates", lambda: [{"interrupting__C": c} for c in (1, 2)])
    with pytest.warns(
        InterruptedWarning, match="interrupted: [12] of [23] candidates are finished"
    ):
        found.fit(X, labels)
    params = [params["interrupting__C"] for params in found.cv_results_["params"]]
    assert params == ([1] if further else [1, 1e-3])
    assert np.isfinite(found.cv_results_["mean_test_score"]).all()
    assert found.best_params_["interrupting__C"] in params
    assert found.predict(X).shape == (120,)


@pytest.mark.usefixtures("sigint")
def test_an_interrupt_before_the_first_is_finished_goes_on(net, X, labels, monkeypatch):
    search = BatchedGridSearchCV(make_pipeline(net, Interrupting()), {"interrupting__C": [1]}, cv=2)
    before = search.fit(X, labels).best_estimator_
    monkeypatch.setattr(Interrupting, "n_fits", 1)
    search.set_params(param_grid={"interrupting__C": [2]})
    with pytest.raises(KeyboardInterrupt):
        search.fit(X, labels)
    assert search.best_estimator_ is before


def test_an_interrupt_of_halving_keeps_its_comparisons(net, X):
    n_calls = 0

    def score(model, X, y=None):
        nonlocal n_calls
        n_calls += 1
        if n_calls == 9:
            raise KeyboardInterrupt
        return -abs(model.lr - 1e-2)

    grid = {"lr": [1e-4, 1e-3, 1e-2]}
    search = BatchedHalvingGridSearchCV(net, grid, factor=2, min_epochs=1, scoring=score, cv=2)
    with pytest.warns(InterruptedWarning, match="candidates are compared after 1 epochs"):
        search.fit(X)
    assert search.n_resources_ == [1]
    assert search.n_iterations_ == 1
    assert search.best_params_ == {"lr": 1e-2}
    assert search.best_estimator_.n_iter_ == 3
