"""Codes that learn labels: ``target``, ``target_weight``, and what labels can be."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_digits, load_wine
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from skae import (
    Autoencoder,
    BatchedGridSearchCV,
    ConvAutoencoder,
    DenoisingAutoencoder,
    EnsembleAutoencoder,
    OutlierDetector,
    RecurrentAutoencoder,
    TabularAutoencoder,
    fit_many,
)
from skae._data.labels import Labels
from skae.exceptions import UnusedParameterWarning

QUICK = {"max_epochs": 3, "check_baseline": False, "random_state": 0}
CLASSES, NUMBERS = {"target": "classification"}, {"target": "regression"}


@pytest.fixture(scope="module")
def wine():
    X, y = load_wine(return_X_y=True)
    return StandardScaler().fit_transform(X), y


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return train_test_split(X[:1000] / 16, y[:1000], random_state=0, stratify=y[:1000])


def accuracy(model, train, test, y, y_test):
    codes = StandardScaler().fit(model.transform(train))
    train, test = (codes.transform(model.transform(part)) for part in (train, test))
    return LogisticRegression().fit(train, y).score(test, y_test)


# What labels are for.


@pytest.mark.parametrize("unit", [1.0, 16.0, 1000.0])
def test_codes_separate_classes_of_new_samples_and_still_restore_them(unit, digits):
    train, test, y, y_test = digits
    train, test = train * unit, test * unit
    params = {"max_epochs": 30, "random_state": 0, "check_baseline": False}
    plain = Autoencoder(3, **params).fit(train)
    model = Autoencoder(3, **CLASSES, **params).fit(train, y)
    gain = accuracy(model, train, test, y, y_test) - accuracy(plain, train, test, y, y_test)
    assert gain > 0.05
    assert model.score(test) > plain.score(test) - 0.1


def test_a_larger_weight_separates_more_and_restores_less(digits):
    train, test, y, y_test = digits
    params = {"max_epochs": 40, "random_state": 0, "check_baseline": False, **CLASSES}
    models = [Autoencoder(2, target_weight=w, **params).fit(train, y) for w in (0.01, 10.0)]
    few, many = (accuracy(model, train, test, y, y_test) for model in models)
    assert many > few + 0.1
    assert models[1].score(test) < models[0].score(test) - 0.01


def test_numbers_are_predicted_from_codes():
    X, y = load_diabetes(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    train, test, y, y_test = train_test_split(X, y, random_state=0)
    plain, model = Autoencoder(1, random_state=0), Autoencoder(1, **NUMBERS, random_state=0)
    scores = [
        make_pipeline(one, LinearRegression()).fit(train, y).score(test, y_test)
        for one in (plain, model)
    ]
    assert scores[1] > scores[0] + 0.05


def test_several_numbers_can_be_labels_and_some_missing(wine):
    X, _ = wine
    y = np.c_[X[:, 0] * 1000 + 5, X[:, 1] + X[:, 2]]
    y[::3, 0] = np.nan
    y[1::3, 1] = np.nan
    model = Autoencoder(2, **NUMBERS, random_state=0, check_baseline=False).fit(X, y)
    known = ~np.isnan(y)
    for column in range(2):
        some = known[:, column]
        codes = model.transform(X)[some]
        assert LinearRegression().fit(codes, y[some, column]).score(codes, y[some, column]) > 0.7


def test_few_labels_help(digits):
    train, test, y, y_test = digits
    few = np.where(np.random.default_rng(0).random(len(y)) < 0.8, -1, y)
    params = {"max_epochs": 60, "random_state": 0, "check_baseline": False}
    plain, model = Autoencoder(3, **params), Autoencoder(3, **CLASSES, **params)
    scores = [accuracy(one.fit(train, few), train, test, y, y_test) for one in (plain, model)]
    assert scores[1] > scores[0] + 0.03, scores


# Without a target, and kinds of samples.


def test_without_target_labels_are_ignored(wine):
    X, y = wine
    names = np.where(y > 0, "a", None)
    plain, given = Autoencoder(2, **QUICK).fit(X), Autoencoder(2, **QUICK).fit(X, names)
    np.testing.assert_array_equal(plain.transform(X), given.transform(X))
    assert "classes_" not in vars(given)
    given.fit(X, names, X_val=X, y_val=names)
    given.partial_fit(X, names)


def test_weight_without_target_has_no_effect(wine):
    with pytest.warns(UnusedParameterWarning, match="target_weight=2.0 has no effect"):
        Autoencoder(2, target_weight=2.0, **QUICK).fit(wine[0])


IMAGES = load_digits().images[:120] / 16
WAVES = [np.sin(np.arange(5 + i % 4) / 2 + i % 3)[:, None] for i in range(60)]
TABLE = pd.DataFrame({"a": np.arange(90.0), "b": ["x", "y", None] * 30})


@pytest.mark.parametrize(
    ("estimator", "X"),
    [
        (DenoisingAutoencoder(2), IMAGES.reshape(120, -1)),
        (ConvAutoencoder(2, channels=(4,)), IMAGES),
        (RecurrentAutoencoder(2, hidden_layer_sizes=(8,)), WAVES),
        (TabularAutoencoder(2), TABLE),
        (Autoencoder(2, architecture="tabular"), TABLE),
        (Autoencoder(2, loss="binary_cross_entropy"), IMAGES.reshape(120, -1)),
        (Autoencoder(2, loss=torch.nn.L1Loss(reduction="none")), IMAGES.reshape(120, -1)),
        (Autoencoder(2, neighbor_weight=1.0), IMAGES.reshape(120, -1)),
        (Autoencoder(2, optimizer="muon"), IMAGES.reshape(120, -1).astype(np.float32)),
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("target", ["classification", "regression"])
def test_all_kinds_of_samples(estimator, X, target):
    y = np.arange(len(X)) % 3
    weight = np.where(np.arange(len(X)) % 7, 1.0, 0.0)
    model = clone(estimator).set_params(**QUICK, target=target)
    codes = model.fit(X, y, sample_weight=weight).transform(X)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.transform(X), codes)
    plain = clone(estimator).set_params(**QUICK).fit(X, sample_weight=weight)
    assert not np.array_equal(plain.transform(X), codes)


# Missing labels, and how labels are given.


@pytest.mark.parametrize(
    "labels",
    [
        lambda y: np.where(y == 2, np.nan, y),
        lambda y: [None if label == 2 else int(label) for label in y],
        lambda y: pd.Series(y).astype("Int64").where(y < 2),
        lambda y: pl.Series([None if label == 2 else int(label) for label in y]),
        lambda y: np.ma.masked_array(y, y == 2),
        lambda y: torch.tensor(np.where(y == 2, -1, y)),
        lambda y: pd.DataFrame({"y": y}),
        lambda y: y[:, None],
    ],
    ids=["nan", "None", "NA", "polars", "masked", "-1", "frame", "column"],
)
def test_forms_of_classes(labels, wine):
    X, y = wine
    y = np.where(y == 2, y % 2, y) if isinstance(labels(y), (pd.DataFrame, np.ndarray)) else y
    model = Autoencoder(2, **CLASSES, **QUICK).fit(X, labels(y))
    np.testing.assert_array_equal(model.classes_, [0, 1])


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA])
@pytest.mark.parametrize("make", [list, pd.Series, lambda y: np.array(y, dtype=object)])
def test_texts_with_missing_ones(missing, make, wine):
    X, y = wine
    names = [missing if label == 2 else f"class {label}" for label in y]
    model = Autoencoder(2, **CLASSES, **QUICK).fit(X, make(names))
    assert model.classes_.tolist() == ["class 0", "class 1"]
    numbers = Autoencoder(2, **CLASSES, **QUICK).fit(X, np.where(y == 2, np.nan, y))
    np.testing.assert_array_equal(model.transform(X), numbers.transform(X))


def test_minus_one_is_a_class_beside_one_other_only(wine):
    X, y = wine
    model = Autoencoder(2, **CLASSES, **QUICK)
    assert model.fit(X, np.where(y, 1, -1)).classes_.tolist() == [-1, 1]
    assert model.fit(X, y - 1).classes_.tolist() == [0, 1]
    assert model.fit(X, y - 2).classes_.tolist() == [-2, -1, 0]


def test_samples_without_labels_count_in_the_reconstruction_only(wine):
    X, y = wine
    y = y.astype(float)
    y[:40] = np.nan
    far = X.copy()
    far[:40, 0] = 50.0
    model = Autoencoder(1, **CLASSES, random_state=0, check_baseline=False).fit(far, y)
    assert model.score(far) > 0.8  # of the variance, most is between these samples and others


def test_weights_of_labels():
    values = np.float32([[0], [1], [np.nan], [1]])
    weight = Labels(values, True).weight.ravel()
    np.testing.assert_allclose(weight / weight[0], [1, 1, 0, 1])
    np.testing.assert_allclose(weight.mean(), 0.75**0.5, rtol=1e-6)  # of three in four
    weight = Labels(values, True, np.array([1.0, 2.0, 4.0, 1.0]) / 2).weight.ravel()
    np.testing.assert_allclose(weight / weight[0], [1, 2, 0, 1])
    np.testing.assert_allclose(weight.mean(), 0.5**0.5, rtol=1e-6)
    assert Labels(values[2:3], True).weight == 0


def test_samples_of_weight_0_have_no_effect(wine):
    X, y = wine
    weight = (y < 2).astype(float)
    params = {**CLASSES, **QUICK, "early_stopping": False}
    kept = Autoencoder(2, **params).fit(X[y < 2], y[y < 2])
    weighted = Autoencoder(2, **params).fit(X, y, sample_weight=weight)
    assert weighted.classes_.tolist() == [0, 1]
    np.testing.assert_allclose(weighted.transform(X), kept.transform(X), rtol=1e-3, atol=1e-4)


def test_labels_are_held_out_in_proportion():
    values = np.repeat(np.float32([[0], [1], [np.nan]]), [60, 20, 20], axis=0)
    labels = Labels(values, is_classes=True)
    order = labels.spread(np.random.default_rng(0).permutation(100))
    assert sorted(order) == list(range(100))
    held_out = values[order[:10], 0]
    assert [(held_out == 0).sum(), (held_out == 1).sum(), np.isnan(held_out).sum()] == [6, 2, 2]


# Bad labels.


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (None, "requires y to be passed, but the target y is None"),
        (np.zeros(178), "y holds one class only, 0.0"),
        (np.full(178, np.nan), "y holds no label"),
        (np.zeros(5), "y holds 5 labels, but X has 178 samples"),
        (np.arange(178) + 0.5, r"y holds 0.5 in sample 0.*target=\"regression\""),
        (np.r_[np.ones(9), np.inf, np.zeros(168)], "y holds inf in sample 9"),
        (["a"] * 100 + [1] * 78, "y mixes texts and numbers: 'a' in sample 0, 1 in sample 100"),
        (np.zeros((178, 2), int), r"y is of shape \(178, 2\)"),
        (pd.date_range("2020", periods=178), "y holds Timestamp.* in sample 0"),
        ([[0, 1], [1]] * 89, r"y holds \[0, 1\] in sample 0"),
    ],
)
def test_bad_classes(y, message, wine):
    with pytest.raises(ValueError, match=message):
        Autoencoder(2, **CLASSES, **QUICK).fit(wine[0], y)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (None, "requires y to be passed"),
        (np.ones(178), "y holds equal numbers only"),
        (np.full(178, np.nan), "y holds no label"),
        (np.c_[np.arange(178), np.ones(178)], "y holds equal numbers only in column 1"),
        (np.c_[np.arange(178), np.full(178, np.nan)], "y holds no label in column 1"),
        (np.arange(3.0), "y holds 3 labels, but X has 178 samples"),
        (["a", "b"] * 89, r"y holds the text 'a' in sample 0|y holds 'a' in sample 0"),
        (np.array(["1", "2"] * 89, dtype=object), "y holds '1' in sample 0"),
        (np.r_[np.arange(177), np.inf], "y is infinite in sample 177"),
        (np.zeros((178, 2, 2)), r"y is of shape \(178, 2, 2\)"),
        (np.zeros((178, 0)), r"y is of shape \(178, 0\)"),
    ],
)
def test_bad_numbers(y, message, wine):
    with pytest.raises(ValueError, match=message):
        Autoencoder(2, **NUMBERS, **QUICK).fit(wine[0], y)


@pytest.mark.parametrize("factor", [1e-300, 1e300])
def test_numbers_of_any_size(factor, wine):
    X, _ = wine
    plain = Autoencoder(2, **NUMBERS, **QUICK).fit(X, X[:, 0])
    scaled = Autoencoder(2, **NUMBERS, **QUICK).fit(X, X[:, 0] * factor)
    np.testing.assert_allclose(plain.transform(X), scaled.transform(X), rtol=1e-3, atol=1e-3)


def test_a_bad_fit_keeps_the_one_before(wine):
    X, y = wine
    model = Autoencoder(2, **CLASSES, **QUICK).fit(X, y)
    codes = model.transform(X)
    with pytest.raises(ValueError, match="y holds one class only"):
        model.fit(X, np.zeros(len(X)))
    np.testing.assert_array_equal(model.transform(X), codes)
    assert model.classes_.tolist() == [0, 1, 2]
    assert "classes_" not in vars(model.set_params(target=None).fit(X))


def test_unknown_target(wine):
    with pytest.raises(ValueError, match="Did you mean 'classification'"):
        Autoencoder(target="classify").fit(*wine)


# Validation, continued training, and other tools.


def test_validation_samples_have_labels(wine):
    X, y = wine
    model = Autoencoder(2, **CLASSES, **QUICK)
    model.fit(X[:150], y[:150] % 2, X_val=X[150:], y_val=y[150:] % 2)
    other = clone(model).fit(X[:150], y[:150] % 2, X_val=X[150:], y_val=1 - y[150:] % 2)
    losses = [m.history_[-1]["valid_loss"] for m in (model, other)]
    assert losses[1] != losses[0]
    with pytest.raises(ValueError, match="requires y_val to be passed"):
        model.fit(X, y, X_val=X)
    with pytest.raises(ValueError, match="X_val is None"):
        model.fit(X, y, y_val=y)
    with pytest.raises(ValueError, match="y_val holds 7 in sample 0"):
        model.fit(X, y, X_val=X, y_val=y + 7)
    with pytest.raises(ValueError, match="y_val holds 3 labels, but X_val has 178"):
        model.fit(X, y, X_val=X, y_val=y[:3])


def test_partial_fit_keeps_the_classes_of_the_first_call(wine):
    X, y = wine
    names = np.array(["a", "b", "c"])[y]
    model = Autoencoder(2, **CLASSES, **QUICK).partial_fit(X[y < 2], names[y < 2])
    model.partial_fit(X[:20], names[:20])  # of one class
    model.partial_fit(X[:20], [None] * 20)
    codes = model.transform(X)
    with pytest.raises(ValueError, match=r"y holds 'c' in sample 130.*\['a', 'b'\]"):
        model.partial_fit(X, names)
    with pytest.raises(ValueError, match="requires y to be passed"):
        model.partial_fit(X)
    np.testing.assert_array_equal(model.transform(X), codes)
    again = pickle.loads(pickle.dumps(model)).partial_fit(X[y < 2], names[y < 2])
    model.partial_fit(X[y < 2], names[y < 2])
    np.testing.assert_array_equal(model.transform(X), again.transform(X))


def test_partial_fit_of_numbers_keeps_their_number(wine):
    X, _ = wine
    model = Autoencoder(2, **NUMBERS, **QUICK).partial_fit(X, X[:, :2])
    with pytest.raises(ValueError, match="holds 1 labels for each sample"):
        model.partial_fit(X, X[:, 0])


def test_warm_start_takes_a_new_weight_but_no_new_target(wine):
    X, y = wine
    model = Autoencoder(2, **CLASSES, **QUICK, warm_start=True).fit(X, y)
    model.set_params(target_weight=0.1).fit(X, y)
    with pytest.raises(ValueError, match="target changed since the net was built"):
        model.set_params(target="regression").fit(X, y)


@pytest.mark.parametrize("target", ["classification", "regression"])
def test_many_train_as_one_as_if_alone(target, wine, capsys):
    X, y = wine
    y = y if target == "classification" else X[:, :3] + X[:, 3:6]
    params = {**QUICK, "target": target}
    models = [Autoencoder(3, **params | {"target_weight": w}) for w in (0.1, 1.0, 5.0)]
    alone = [clone(model).fit(X, y) for model in models]
    fit_many(models, X, y, verbose=1)
    assert "trained together: 3" in capsys.readouterr().out
    for model, other in zip(models, alone, strict=True):
        np.testing.assert_array_equal(model.transform(X), other.transform(X))
        assert model.loss_curve_ == pytest.approx(other.loss_curve_, rel=1e-6)


def test_searches_pass_labels(wine):
    X, y = wine
    pipeline = make_pipeline(
        StandardScaler(), Autoencoder(2, **CLASSES, **QUICK), LogisticRegression()
    )
    grid = {"autoencoder__target_weight": [0.1, 1.0]}
    assert GridSearchCV(pipeline, grid, cv=2).fit(X, y).best_score_ > 0.5
    assert cross_val_score(pipeline, X, np.array(["a", "b", "c"])[y], cv=2).mean() > 0.5
    grid = {"target_weight": [0.1, 1.0], "target": [None, "classification"]}
    with pytest.warns(UnusedParameterWarning):
        search = BatchedGridSearchCV(Autoencoder(2, **QUICK), grid, cv=2).fit(X, y)
    assert search.transform(X).shape == (178, 2)


def test_ensembles_pass_labels_and_detectors_say_that_they_do_not(wine):
    X, y = wine
    member = Autoencoder(2, **CLASSES, **QUICK)
    ensemble = EnsembleAutoencoder(member, n_estimators=2, random_state=0, bootstrap=True)
    assert [m.classes_.tolist() for m in ensemble.fit(X, y).estimators_] == [[0, 1, 2]] * 2
    with pytest.raises(ValueError, match="requires y to be passed"):
        ensemble.fit(X)
    with pytest.raises(ValueError, match="OutlierDetector, which passes no labels on"):
        OutlierDetector(member).fit(X, y)


def test_each_seed_gives_one_model(wine):
    X, y = wine
    codes = [Autoencoder(2, **CLASSES, **QUICK).fit(X, y).transform(X) for _ in range(2)]
    np.testing.assert_array_equal(*codes)


@pytest.mark.parametrize("target", ["classification", "regression"])
def test_contract_of_estimators(target):
    expected = dict.fromkeys(
        f"check_sample_weight_equivalence_on_{kind}_data" for kind in ("dense", "sparse")
    )
    model = Autoencoder(2, **QUICK, target=target)
    check_estimator(model, on_skip=None, expected_failed_checks=expected)
