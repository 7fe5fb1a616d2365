"""The display of losses by epoch."""

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skae import (
    Autoencoder,
    BatchedGridSearchCV,
    BatchedHalvingGridSearchCV,
    EnsembleAutoencoder,
    OutlierDetector,
)
from skae.inspection import LossCurveDisplay

QUICK = {"max_epochs": 4, "check_baseline": False, "random_state": 0}


def texts(display):
    return [text.get_text() for text in display.ax_.get_legend().get_texts()]


@pytest.fixture(scope="module")
def model(X):
    return Autoencoder(3, early_stopping=True, **QUICK).fit(X)


def test_losses_are_those_of_the_history(model):
    display = LossCurveDisplay.from_estimator(model)
    train, valid = display.lines_[0], display.valid_lines_[0]
    np.testing.assert_array_equal(train.get_xdata(), [1, 2, 3, 4])
    np.testing.assert_array_equal(train.get_ydata(), model.history_[:, "train_loss"])
    np.testing.assert_array_equal(valid.get_ydata(), model.history_[:, "valid_loss"])
    assert train.get_linestyle() != valid.get_linestyle()
    assert display.ax_.get_xlabel() == "epoch"
    assert display.ax_.get_ylabel() == "loss (squared error)"
    assert display.figure_ is display.ax_.figure


def test_the_restored_epoch_is_marked(model):
    display = LossCurveDisplay.from_estimator(model)
    best = int(np.argmin(model.history_[:, "valid_loss"])) + 1
    assert model.history_[-1]["restored_epoch"] == best
    assert display.restored_[0].get_xdata() == [best]
    assert texts(display)[-1] == f"restored: epoch {best}"


def test_weights_from_before_the_training_are_marked_as_such(X):
    spoilt = Autoencoder(3, early_stopping=True, lr=10.0, **QUICK).fit(X)
    assert spoilt.history_[-1]["restored_epoch"] == 0
    display = LossCurveDisplay.from_estimator(spoilt)
    assert display.restored_[0].get_xdata() == [0, 0]
    assert texts(display)[-1] == "restored: weights before epoch 1"
    assert display.ax_.get_yscale() == "log"
    assert display.plot(log_scale=False).ax_.get_yscale() == "linear"


def test_a_continued_training_may_end_with_weights_of_an_earlier_one(X):
    model = Autoencoder(3, early_stopping=True, warm_start=True, **QUICK).fit(X)
    best = model.history_[-1]["restored_epoch"]
    model.set_params(lr=10.0, max_epochs=1).fit(X)
    assert model.history_[-1]["restored_epoch"] == best
    model.set_params(lr=1e-3).partial_fit(X)
    display = LossCurveDisplay.from_estimator(model)
    assert display.lines_[0].get_xdata().tolist() == [1, 2, 3, 4, 5, 6]
    assert np.isnan(display.valid_lines_[0].get_ydata()[-1])
    assert display.restored_ == [None]


def test_losses_without_validation_and_without_the_first_epochs(X):
    model = Autoencoder(3, early_stopping=False, history_size=2, **QUICK).fit(X)
    display = LossCurveDisplay.from_estimator(model)
    assert display.lines_[0].get_xdata().tolist() == [3, 4]
    assert display.valid_lines_ == display.restored_ == [None]
    assert "3" in display.ax_.get_xlabel()
    assert texts(display) == ["Autoencoder, training"]


def test_several_estimators_have_names_and_looks_of_their_own(X, model):
    pipeline = make_pipeline(StandardScaler(), model)
    display = LossCurveDisplay.from_estimator({"plain": model, "scaled": pipeline})
    assert texts(display) == ["plain", "scaled", "training", "validation", "restored epoch"]
    first, second = display.lines_
    assert first.get_color() != second.get_color()
    assert first.get_marker() != second.get_marker()
    listed = LossCurveDisplay.from_estimator([model, model])
    assert texts(listed)[:2] == ["Autoencoder 1", "Autoencoder 2"]
    assert texts(listed.plot(name=["a", "b"]))[:2] == ["a", "b"]
    with pytest.raises(ValueError, match="3 names for 2 curves"):
        listed.plot(name=["a", "b", "c"])


def test_an_ensemble_stands_for_its_members(X):
    ensemble = EnsembleAutoencoder(Autoencoder(2, **QUICK), n_estimators=3, random_state=0).fit(X)
    display = LossCurveDisplay.from_estimator(ensemble)
    assert len(display.lines_) == 3
    for line, member in zip(display.lines_, ensemble.estimators_, strict=True):
        np.testing.assert_array_equal(line.get_ydata(), member.loss_curve_)
    assert texts(display)[0] == "EnsembleAutoencoder, training (3 curves)"


def test_a_search_stands_for_its_candidates(X):
    pipeline = make_pipeline(StandardScaler(), Autoencoder(**QUICK))
    grid = {"autoencoder__n_components": [1, 3], "autoencoder__lr": [1e-4, 1e-2]}
    search = BatchedGridSearchCV(pipeline, grid, cv=2).fit(X)
    display = LossCurveDisplay.from_estimator(search, max_curves=3)
    best = search.best_params_
    assert texts(display)[0] == (
        f"lr={best['autoencoder__lr']}, n_components={best['autoencoder__n_components']}"
    )
    folds = search.loss_curves_[search.best_index_]
    expected = np.mean([fold["train_loss"] for fold in folds], axis=0)
    np.testing.assert_array_equal(display.lines_[0].get_ydata(), expected)
    assert len(display.lines_) == 3
    assert display.ax_.get_title() == "best 3 of 4 candidates"
    assert display.ax_.get_ylabel() == "loss (squared error)"
    one_by_one = GridSearchCV(Autoencoder(**QUICK), {"n_components": [1, 3]}, cv=2).fit(X)
    display = LossCurveDisplay.from_estimator(one_by_one)
    np.testing.assert_array_equal(
        display.lines_[0].get_ydata(), one_by_one.best_estimator_.loss_curve_
    )


def test_candidates_of_a_halving_search_are_drawn_once(X):
    auto = Autoencoder(2, **QUICK)
    search = BatchedHalvingGridSearchCV(auto, {"lr": [1e-4, 1e-3, 1e-2]}, cv=2).fit(X)
    display = LossCurveDisplay.from_estimator(search)
    assert sorted(len(line.get_xdata()) for line in display.lines_) == [1, 1, 4]
    assert texts(display)[0] == f"lr={search.best_params_['lr']}"


def test_curves_can_be_given():
    display = LossCurveDisplay(epoch=[1, 2], train_loss=[3.0, 2.0], restored_epoch=1).plot()
    assert display.lines_[0].get_ydata().tolist() == [3.0, 2.0]
    assert display.restored_[0].get_ydata() == [3.0]
    assert display.ax_.get_ylabel() == "loss"
    styled = display.plot(train_kw={"lw": 3, "c": "black"})
    assert styled.lines_[0].get_linewidth() == 3
    with pytest.raises(ValueError, match="of one length"):
        LossCurveDisplay(epoch=[1, 2], train_loss=[3.0]).plot()


def test_bad_input(X):
    with pytest.raises(NotFittedError, match="Autoencoder"):
        LossCurveDisplay.from_estimator(Autoencoder())
    with pytest.raises(NotFittedError, match="BatchedGridSearchCV"):
        LossCurveDisplay.from_estimator(BatchedGridSearchCV(Autoencoder(), {}))
    with pytest.raises(TypeError, match="PCA has no loss by epoch"):
        LossCurveDisplay.from_estimator(PCA().fit(X))
    with pytest.raises(TypeError, match="class"):
        LossCurveDisplay.from_estimator(Autoencoder)
    with pytest.raises(ValueError, match="empty"):
        LossCurveDisplay.from_estimator([])


def test_a_detector_stands_for_its_estimator(X):
    detector = OutlierDetector(Autoencoder(2, **QUICK), cv=None).fit(X)
    display = LossCurveDisplay.from_estimator(detector)
    np.testing.assert_array_equal(display.lines_[0].get_ydata(), detector.estimator_.loss_curve_)
