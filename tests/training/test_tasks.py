"""scikit-learn's callbacks see fits and epochs, alone and inside of other estimators."""

import re

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.callback import ProgressBar, ScoringMonitor
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skae
from skae import (
    Autoencoder,
    BatchedGridSearchCV,
    BatchedHalvingGridSearchCV,
    ConvAutoencoder,
    EnsembleAutoencoder,
    ImageToImageRegressor,
    OutlierDetector,
    RecurrentAutoencoder,
    Seq2SeqTranslator,
    SeriesOutlierDetector,
    StreamingThreshold,
    TabularAutoencoder,
    TabularOutlierScorer,
    VariationalAutoencoder,
    fit_many,
)

RNG = np.random.default_rng(0)
GRID = {"lr": [1e-3, 1e-2]}


class Record:
    """Writes down what it is told."""

    def __init__(self, stop_at=None, fail_at=None):
        self.events, self.fitted, self.stop_at, self.fail_at = [], [], stop_at, fail_at

    def setup(self, estimator, context):
        self.events.append("setup")

    def teardown(self, estimator, context):
        self.events.append("teardown")

    def on_fit_task_begin(self, estimator, context, *, X, y):
        self.events.append(f"begin {context.task_name}")

    def on_fit_task_end(self, estimator, context, *, X, y, metadata, fitted_estimator):
        self.events.append(f"end {context.task_name}")
        self.X, self.y, self.metadata = X, y, metadata
        self.fitted.append(fitted_estimator)
        if context.task_name == "epoch" and context.task_id == self.fail_at:
            raise RuntimeError("of the callback")
        return context.task_name == "epoch" and context.task_id == self.stop_at


class RecordAll(Record):
    """Is handed on to the estimators inside."""

    max_propagation_depth = None


def r2(estimator, X, y):
    return estimator.score(X, y)


def monitor():
    return ScoringMonitor(scoring={"r2": r2})


def logged(of, **how):
    """Return the scores of all tasks by their place in the tree."""
    rows = of.get_logs(**how).data
    return {row["task_id_path"]: row.get("r2") for row in rows}


@pytest.fixture
def quick(fast):
    return Autoencoder(**fast | {"max_epochs": 3, "early_stopping": False})


# One estimator.


def test_fits_are_tasks_of_epochs(quick, X):
    record = Record()
    quick.set_callbacks(record).fit(X, sample_weight=np.ones(len(X)))
    epochs = ["begin epoch", "end epoch"] * 3
    assert record.events == ["setup", "begin fit", *epochs, "end fit", "teardown"]
    assert record.X is X
    assert record.y is X  # its own target
    assert list(record.metadata) == ["sample_weight"]


def test_training_does_not_depend_on_callbacks(quick, X):
    expected = clone(quick).fit(X)
    found = quick.set_callbacks(Record(), monitor()).fit(X)
    np.testing.assert_array_equal(found.transform(X), expected.transform(X))
    assert found.loss_curve_ == expected.loss_curve_


def test_fitted_estimators_are_as_if_training_had_ended(quick, X):
    record = Record()
    quick.set_params(lr_schedule=None).set_callbacks(record).fit(X)
    for n_epochs, fitted in enumerate(record.fitted[:-1], 1):
        expected = clone(quick).set_params(max_epochs=n_epochs).set_callbacks().fit(X)
        np.testing.assert_array_equal(fitted.transform(X), expected.transform(X))
        assert fitted.n_iter_ == n_epochs
    np.testing.assert_array_equal(record.fitted[-1].transform(X), quick.transform(X))


def test_a_callback_that_returns_true_ends_training(quick, X):
    # Without InterruptedWarning: warnings are errors here.
    record = Record(stop_at=1)
    quick.set_params(max_epochs=9).set_callbacks(record).fit(X)
    assert quick.n_iter_ == 2
    assert record.events[-2:] == ["end fit", "teardown"]
    pair = [clone(quick).set_params(lr=lr) for lr in (1e-3, 1e-2)]
    assert [model.n_iter_ for model in fit_many(pair, X)] == [2, 2]


def test_early_stopping_ends_the_last_epoch_too(quick, X):
    record = Record()
    params = {"early_stopping": True, "patience": 1, "lr": 5.0, "max_epochs": 50}
    quick.set_params(**params).set_callbacks(record).fit(X)
    assert quick.n_iter_ < 50
    counts = [record.events.count(f"{word} epoch") for word in ("begin", "end")]
    assert counts == [quick.n_iter_] * 2


def test_errors_of_callbacks_keep_the_earlier_fit(quick, X):
    before = quick.fit(X).transform(X)
    record = Record(fail_at=1)
    with pytest.raises(RuntimeError, match="of the callback"):
        quick.set_callbacks(record).fit(X + 1)
    assert record.events[-1] == "teardown"
    np.testing.assert_array_equal(quick.transform(X), before)
    assert not [name for name in vars(quick) if "ctx" in name or "teardown" in name]


def test_errors_of_data_leave_callbacks_alone(quick, X):
    record = Record()
    quick.set_callbacks(record)
    with pytest.raises(ValueError, match="NaN"):
        quick.fit(np.full_like(X, np.nan))
    assert record.events in ([], ["setup", "teardown"])


def test_partial_fit_is_a_task(quick, X):
    scores = monitor()
    quick.set_callbacks(scores).partial_fit(X).partial_fit(X)
    logs = scores.get_logs(select="all")
    assert [len(log.data) for log in logs] == [2, 2]
    assert logs[-1].data[0]["r2"] == quick.score(X)


IMAGES = RNG.random((8, 8, 8, 1)).astype("f")
TABLE = pd.DataFrame({"a": RNG.random(30), "b": np.resize(["x", "y"], 30)})
SERIES = [RNG.random((3 + i % 2, 1)) for i in range(8)]
TINY = {"max_epochs": 1, "random_state": 0, "early_stopping": False}
KINDS = {
    "rows": (VariationalAutoencoder(2, check_baseline=False, **TINY), (IMAGES.reshape(8, -1),)),
    "tables": (TabularAutoencoder(2, check_baseline=False, **TINY), (TABLE,)),
    "images": (ConvAutoencoder(2, check_baseline=False, **TINY), (IMAGES,)),
    "sequences": (RecurrentAutoencoder(2, check_baseline=False, **TINY), (SERIES,)),
    "pairs of images": (ImageToImageRegressor(**TINY), (IMAGES, IMAGES)),
}


@pytest.mark.parametrize(("model", "data"), KINDS.values(), ids=KINDS)
def test_all_kinds_have_scores(model, data):
    scores = monitor()
    model = clone(model).set_callbacks(scores).fit(*data)
    found = logged(scores)
    assert set(found) == {(0,), (0, 0)}
    assert found[0,] == model.score(*data)


def test_translators_have_tasks():
    record = Record()
    sources, targets = ["a cat", "a dog"] * 8, ["un chat", "un chien"] * 8
    Seq2SeqTranslator(check_baseline=False, **TINY).set_callbacks(record).fit(sources, targets)
    assert record.events.count("end epoch") == 1
    assert record.y is targets
    assert len(record.fitted[0].predict(sources[:2])) == 2


def test_every_estimator_takes_callbacks():
    for name in skae.__all__:
        if hasattr(getattr(skae, name), "fit"):
            assert hasattr(getattr(skae, name), "set_callbacks"), name


def test_models_with_callbacks_are_saved_without_them(quick, X, tmp_path):
    quick.set_callbacks(Record()).fit(X)
    with pytest.raises(ValueError, match=r"leave the callbacks out with set_callbacks\(\)"):
        skae.save(quick, tmp_path / "model.skae")
    skae.save(quick.set_callbacks(), tmp_path / "model.skae")


# Inside of others.


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_epochs_show_inside_of_searches(quick, X, n_jobs, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "150")
    scores, bar = monitor(), ProgressBar(max_propagation_depth=None)
    pipeline = make_pipeline(StandardScaler(), quick.set_callbacks(scores))
    grid = {f"autoencoder__{name}": values for name, values in GRID.items()}
    reference = GridSearchCV(pipeline, grid, cv=2, n_jobs=n_jobs).set_callbacks(bar).fit(X)
    expected = logged(scores)
    assert capsys.readouterr().out.count("Autoencoder - fit") == 5
    scores = monitor()
    pipeline.set_params(autoencoder=quick.set_callbacks(scores))
    bar = ProgressBar()
    search = BatchedGridSearchCV(pipeline, grid, cv=2, n_jobs=n_jobs).set_callbacks(bar).fit(X)
    found = logged(scores)
    # The tree has the pipeline as one level more where scikit-learn fits it.
    expected = {path if path[1] else (*path[:3], *path[4:]): s for path, s in expected.items()}
    assert found.keys() == expected.keys()
    for path, score in expected.items():
        np.testing.assert_allclose(found[path], score, rtol=1e-5)
    assert len(found) == 5 * (1 + 3)
    shown = capsys.readouterr().out
    assert re.search(r"BatchedGridSearchCV - search #0 .*100%", shown)
    assert shown.count("candidate-split-evaluation | Autoencoder - fit") == 4
    assert shown.count("refit-with-best-params | Pipeline") == 1
    assert search.best_params_ == reference.best_params_
    assert not [name for name in vars(search.best_estimator_) if "callback" in name]


def test_searches_have_the_tasks_of_scikit_learn(quick, X):
    events = {}
    for cls in (GridSearchCV, BatchedGridSearchCV):
        record = Record()
        cls(quick, GRID, cv=2).set_callbacks(record).fit(X)
        events[cls] = sorted(record.events)
    assert events[BatchedGridSearchCV] == events[GridSearchCV]


def test_halving_ends_what_it_begins(quick, X):
    record = RecordAll()
    search = BatchedHalvingGridSearchCV(quick, {"lr": [1e-4, 1e-3, 1e-2]}, cv=2)
    search.set_callbacks(record).fit(X)
    begun, ended = (record.events.count(f"{word} epoch") for word in ("begin", "end"))
    assert search.n_resources_ == [1, 3]
    # Three candidates and then the best one on two folds, and the refit.
    assert begun == ended == 2 * (3 * 1 + 1 * 2) + 3
    assert record.events.count("begin fit") == 1 + 6 + 1
    assert record.events[-2:] == ["end fit", "teardown"]


def test_callbacks_for_the_search_are_set_on_it(quick, X):
    pipeline = make_pipeline(StandardScaler(), quick).set_callbacks(ProgressBar())
    for estimator in (pipeline, quick.set_callbacks(ProgressBar())):
        with pytest.raises(TypeError, match=r"can't have auto-propagated.*on the meta-estimator"):
            BatchedGridSearchCV(estimator, {}, cv=2).fit(X)


def test_a_failed_search_lets_callbacks_go(quick, X):
    record = RecordAll(fail_at=0)
    search = BatchedGridSearchCV(quick, GRID, cv=2, error_score="raise").set_callbacks(record)
    with pytest.raises(RuntimeError, match="of the callback"):
        search.fit(X)
    assert record.events.count("setup") == record.events.count("teardown") == 1
    assert vars(search).keys() == {*search.get_params(deep=False), "_skl_callbacks"}


def test_members_of_an_ensemble_are_tasks(quick, X):
    scores, record = monitor(), RecordAll()
    ensemble = EnsembleAutoencoder(quick.set_callbacks(scores), 3, random_state=0)
    ensemble.set_callbacks(record).fit(X)
    found = logged(scores)
    assert len(found) == 3 * (1 + 3)
    for i, member in enumerate(ensemble.estimators_):
        assert found[0, i] == member.score(X)
        assert [type(callback) for callback in member._skl_callbacks] == [ScoringMonitor]
    assert record.events.count("end epoch") == 9


def test_folds_of_a_detector_are_tasks(quick, X):
    record = RecordAll()
    detector = OutlierDetector(quick, cv=2, random_state=0).set_callbacks(record)
    detector.fit(X)
    assert record.events.count("end fit") == 1 + 3
    assert record.events.count("end epoch") == 9
    np.testing.assert_array_equal(record.fitted[-1].predict(X), detector.predict(X))


def test_the_detector_of_a_stream_is_a_task(quick, X):
    record = RecordAll()
    stream = StreamingThreshold(quick, alpha=0.1, random_state=0).set_callbacks(record)
    stream.fit(X)
    assert record.events.count("end fit") == 1 + 1
    assert record.events.count("end epoch") == 3
    np.testing.assert_array_equal(record.fitted[-1].predict(X), stream.predict(X))


def test_the_fits_of_a_detector_of_series_are_tasks(quick, X):
    record = RecordAll()
    detector = SeriesOutlierDetector(quick, window=2, cv=2, random_state=0).set_callbacks(record)
    detector.fit(X)
    assert record.events.count("end fit") == 1 + 3
    assert record.events.count("end epoch") == 9


def test_the_default_detector_shows_its_autoencoders(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "150")
    table = RNG.normal(size=(200, 4))
    bar = ProgressBar(max_propagation_depth=None)
    OutlierDetector(random_state=0).set_callbacks(bar).fit(table)
    shown = capsys.readouterr().out
    assert "fit-estimator | TabularOutlierScorer - fit" in shown
    assert shown.count("TabularAutoencoder - fit") == 2
    record = RecordAll()
    TabularOutlierScorer(random_state=0).set_callbacks(record).fit(table)
    assert record.events.count("end epoch") == 40


def test_estimators_without_callbacks_are_named(X):
    detector = OutlierDetector(PCA(2)).set_callbacks(ProgressBar())
    with pytest.warns(UserWarning, match="PCA does not support callbacks"):
        detector.fit(X)


def test_pipelines_show_epochs(quick, X, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "150")
    labels = np.resize([0, 1], len(X))
    pipeline = make_pipeline(StandardScaler(), quick, LogisticRegression(max_iter=1000))
    pipeline.set_callbacks(ProgressBar()).fit(X, labels)
    shown = capsys.readouterr().out
    assert re.search(r"fit-transform-autoencoder \| Autoencoder - fit #1 .*100%", shown)


@pytest.mark.parametrize("kind", [Record, RecordAll])
def test_tasks_of_candidates_that_are_stopped_end(kind, quick, X):
    record, grid = kind(), {"lr": [1e-3, 1e-2, 0.1]}
    search = BatchedHalvingGridSearchCV(quick, grid, cv=2)
    (search if kind is RecordAll else quick).set_callbacks(record)
    search.fit(X)
    counts = [record.events.count(f"{word} fit") for word in ("begin", "end")]
    assert counts[0] == counts[1]
    assert record.events.count("setup") == record.events.count("teardown")
