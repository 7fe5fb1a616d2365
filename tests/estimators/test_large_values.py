"""Values of any size: fits of them, new samples far out, and scores of constants."""

import functools

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from torch import nn

from skae import (
    Autoencoder,
    ConvAutoencoder,
    DenoisingAutoencoder,
    EnsembleAutoencoder,
    ImageToImageRegressor,
    OutlierDetector,
    RecurrentAutoencoder,
    SparseAutoencoder,
    TabularAutoencoder,
    TabularOutlierScorer,
    VariationalAutoencoder,
    fit_many,
)
from skae.architectures import Conv, Dense
from skae.exceptions import PoorFitWarning

#: Results far out are what is tested here; the warning about them is in test_said.py.
pytestmark = pytest.mark.filterwarnings("ignore::skae.exceptions.ExtrapolationWarning")

FAST = {"max_epochs": 2, "early_stopping": False, "random_state": 0, "check_baseline": False}


def rows(n):
    return np.random.default_rng(0).normal(size=(n, 6))


def images(n):
    return np.random.default_rng(0).normal(size=(n, 4, 4))


def sequences(n):
    return np.random.default_rng(0).normal(size=(n, 5, 2))


def uneven(n):
    return [sequence[: 2 + i % 4] for i, sequence in enumerate(sequences(n))]


def plain(**params):
    return Autoencoder(2, **FAST, **params)


#: What makes each estimator, and what makes samples.
ESTIMATORS = {
    "plain": (plain, rows),
    "absolute error": (lambda: plain(loss="absolute_error"), rows),
    "normalized": (
        lambda: plain(architecture=Dense((8,), "gelu", normalization="layer")),
        rows,
    ),
    "sparse": (lambda: SparseAutoencoder(8, **FAST), rows),
    "sparse output": (lambda: SparseAutoencoder(8, sparse_output=True, **FAST), rows),
    "kl": (lambda: SparseAutoencoder(8, sparsity="kl", **FAST), rows),
    "denoising": (lambda: DenoisingAutoencoder(2, **FAST), rows),
    "variational": (lambda: VariationalAutoencoder(2, **FAST), rows),
    "importance": (lambda: VariationalAutoencoder(2, n_importance_samples=2, **FAST), rows),
    "ensemble": (
        lambda: EnsembleAutoencoder([plain(), VariationalAutoencoder(2, **FAST)], 2),
        rows,
    ),
    "ensemble of columns": (lambda: EnsembleAutoencoder(plain(), 4, max_features=3), rows),
    "tabular": (lambda: TabularAutoencoder(2, **FAST), rows),
    "variational of tables": (
        lambda: VariationalAutoencoder(2, architecture="tabular", **FAST),
        rows,
    ),
    "scorer": (lambda: TabularOutlierScorer(random_state=0), rows),
    "detector": (lambda: OutlierDetector(plain()), rows),
    "detector of tables": (lambda: OutlierDetector(random_state=0), rows),
    "images": (lambda: ConvAutoencoder(2, channels=(4,), **FAST), images),
    "variational of images": (
        lambda: VariationalAutoencoder(2, architecture=Conv((4,)), **FAST),
        images,
    ),
    "pairs of images": (lambda: ImageToImageRegressor(channels=(4, 4), **FAST), images),
    "sequences": (lambda: RecurrentAutoencoder(2, **FAST), sequences),
    "uneven sequences": (lambda: RecurrentAutoencoder(2, **FAST), uneven),
}

#: Higher is more normal.
SCORES = ("score_samples", "decision_function", "elbo", "log_likelihood", "p_value")
METHODS = (
    *SCORES,
    *("transform", "reconstruct", "impute", "reconstruction_errors", "feature_losses", "code_std"),
    *("explain", "nearest_normal", "predict", "predict_fdr", "score"),
)


def pairs(X, name):
    return (X, X) if name == "pairs of images" else (X,)


@functools.cache
def fitted(name):
    make, samples = ESTIMATORS[name]
    return make().fit(*pairs(samples(60), name))


def with_far_sample(name, value, pattern):
    """Return normal samples of the dtype of a value, the second one far out."""
    X = ESTIMATORS[name][1](4)
    X = [x.astype(value.dtype) for x in X] if isinstance(X, list) else X.astype(value.dtype)
    n = X[1].size
    factor = {"all": np.ones(n), "signs": 1 - 2.0 * (np.arange(n) % 2), "one": np.arange(n) == 1}
    x = np.where(factor[pattern] != 0, value * factor[pattern].astype(value.dtype), X[1].ravel())
    X[1] = x.astype(value.dtype).reshape(X[1].shape)
    return X


def numbers(result):
    """Return whatever a method gave as one array of float64."""
    result = result.toarray() if sparse.issparse(result) else result
    parts = result if isinstance(result, list) else [result]
    return np.concatenate([np.asarray(part, np.float64).ravel() for part in parts])


VALUES = [np.float32(3e38), np.float32(1e20), np.float64(1e200), np.float64(1.7e308)]


@pytest.mark.parametrize("pattern", ["all", "signs", "one"])
@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("name", ESTIMATORS)
def test_results_for_samples_far_out_are_finite(name, value, pattern):
    model, X = fitted(name), with_far_sample(name, value, pattern)
    for method in METHODS:
        is_regression = name == "pairs of images"
        if not hasattr(model, method) or (method == "predict" and "detector" in name):
            continue
        arguments = (X, ESTIMATORS[name][1](4)) if is_regression and method == "score" else (X,)
        result = numbers(getattr(model, method)(*arguments))
        assert np.isfinite(result).all(), method
        if method in SCORES:
            assert result[1] == result.min(), method
    if "detector" in name:
        assert model.predict(X)[1] == -1


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize(
    "name", [n for n in ESTIMATORS if hasattr(ESTIMATORS[n][0](), "inverse_transform")]
)
def test_samples_of_codes_far_out_are_finite(name, value):
    model = fitted(name)
    codes = np.zeros((4, model.n_components_), value.dtype)
    codes[1], codes[2, 0], codes[3, ::2], codes[3, 1::2] = value, -value, value, -value
    assert np.isfinite(numbers(model.inverse_transform(codes))).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "name", ["plain", "absolute error", "normalized", "variational", "ensemble"]
)
def test_scores_fall_with_the_distance(name, dtype):
    far = np.logspace(0, np.log10(np.finfo(dtype).max) - 0.1, 60)
    scores = fitted(name).score_samples(
        (far[:, None] * np.array([1, -1, 1, 1, -1, 1])).astype(dtype)
    )
    assert (np.diff(scores) <= 0).all()
    assert scores[-1] < scores[0]


def test_normal_samples_do_not_depend_on_one_far_out():
    for dtype, tolerance in [(np.float32, 1e-5), (np.float64, 1e-12)]:
        X = rows(20).astype(dtype)
        far = X.copy()
        far[3] = np.finfo(dtype).max * np.array([1, -1, 1, -1, 1, -1], dtype)
        for method in ("transform", "score_samples", "reconstruct", "reconstruction_errors"):
            alone, beside = (np.delete(getattr(fitted("plain"), method)(Z), 3, 0) for Z in (X, far))
            np.testing.assert_allclose(
                beside, alone, rtol=tolerance, atol=tolerance, err_msg=method
            )


def test_codes_beyond_float32_are_those_of_float64():
    X = rows(5)
    X[2] = 3e38 * np.array([1, -1, 1, -1, 1, 1])
    exact = fitted("normalized").transform(X)
    limit = float(np.finfo(np.float32).max)
    found = fitted("normalized").transform(X.astype(np.float32))
    np.testing.assert_allclose(found[2], np.clip(exact[2], -limit, limit), rtol=1e-5)


def test_missing_values_stay_missing_where_others_are_far_out():
    model = fitted("uneven sequences")
    X = with_far_sample("uneven sequences", np.float64(1.7e308), "signs")
    X[1][0, 1] = np.nan
    for method in ("reconstruction_errors", "feature_losses"):
        is_nan = np.isnan(np.concatenate([e.ravel() for e in getattr(model, method)(X)]))
        assert is_nan.tolist() == np.isnan(np.concatenate([x.ravel() for x in X])).tolist()
    assert np.isfinite(numbers(model.impute(X))).all()
    assert np.isfinite(model.score_samples(X)).all()


def test_a_net_that_makes_nan_of_anything_is_an_error():
    class Root(nn.Module):
        def forward(self, x):
            return (x + 100).sqrt()

    class Roots:
        def build(self, input_shape, encoder_width, code_width):
            n = input_shape[0]
            return nn.Sequential(Root(), nn.Linear(n, encoder_width)), nn.Linear(code_width, n)

    model = plain(architecture=Roots()).fit(rows(60))
    X = rows(4)
    X[2] = -200
    for method in ("transform", "reconstruct"):
        with pytest.raises(ValueError, match="makes NaN of finite samples"):
            getattr(model, method)(X)
    assert model.score_samples(X).argmin() == 2


# Fits.


def sizes(dtype):
    """Return by what to multiply normal samples."""
    if dtype == np.float32:
        return [1e-42, 1e-30, 1e30, 1e37, 3e38]
    return [5e-324, 1e-300, 1e38, 1e60, 1e160, 1.7e308]


def what_is_refused(fit):
    """Return the message of a ValueError, or None."""
    try:
        fit()
    except ValueError as error:
        return str(error)


@pytest.mark.filterwarnings("ignore::skae.exceptions.PoorFitWarning")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ESTIMATORS)
def test_a_fit_works_or_names_the_value(name, dtype):
    make, samples = ESTIMATORS[name]
    for size in sizes(dtype):
        unit = samples(30)
        parts = unit if isinstance(unit, list) else [unit]
        with np.errstate(under="ignore"):
            X = [(np.clip(part, -1, 1) * size).astype(dtype) for part in parts]
        X = X if isinstance(unit, list) else X[0]
        model = make()
        if message := what_is_refused(functools.partial(model.fit, *pairs(X, name))):
            assert size > 1e15
            assert "scale its columns" in message
            assert "The largest value is" in message
            assert not [key for key in vars(model) if key.endswith("_")]
            continue
        for module in [model.net_.module_] if hasattr(model, "net_") else []:
            assert all(weight.isfinite().all() for weight in module.parameters())
        if hasattr(model, "score_samples"):
            assert np.isfinite(model.score_samples(X)).all()


def test_columns_of_very_different_size():
    X = rows(60) * [1e15, 1, 1e-30, 1e-300, 1e10, 1e-5]
    assert np.isfinite(plain().fit(X).score_samples(X)).all()
    assert np.isfinite(TabularAutoencoder(2, **FAST).fit(X * [1e290, 1, 1, 1, 1, 1]).score(X))


def refused(fit):
    with pytest.raises(ValueError, match=r"_loss is (nan|inf) in epoch \d") as caught:
        fit()
    return str(caught.value)


def test_the_error_names_where_the_largest_value_is():
    X, names = rows(60), list("abcdef")
    X[7, 3] = -1e38
    assert "1e+38, column 3 of row 7 of X." in refused(lambda: plain().fit(X))
    assert "column 3 of row 7 of X." in refused(lambda: plain().fit(sparse.csr_array(X)))
    assert "column 3 of row 7 of X." in refused(lambda: plain().partial_fit(X))
    assert "column 3 of row 7 of X." in refused(lambda: fit_many([plain(), plain()], X))
    X = pd.DataFrame(X, columns=names)
    assert "column 'd' of row 7 of X." in refused(lambda: plain().fit(X))
    calm = pd.DataFrame(rows(60), columns=names)
    assert "column 'd' of row 7 of X_val." in refused(lambda: plain().fit(calm, X_val=X))


def test_the_error_names_a_row_that_is_held_out():
    X = rows(60)
    X[7, 3] = 1e38
    for seed in range(4):
        model = Autoencoder(2, max_epochs=2, random_state=seed, validation_fraction=0.5)
        assert "column 3 of row 7 of X." in refused(lambda model=model: model.fit(X))


def test_the_error_names_the_columns_of_a_member():
    X = rows(60)
    X[7, 3] = 1e38
    ensemble = EnsembleAutoencoder(plain(), 3, max_features=3, random_state=0)
    with pytest.raises(ValueError, match="row 7 of X") as caught:
        ensemble.fit(X)
    assert "It sees columns [" in caught.value.__notes__[0]


def test_the_error_names_pixels_and_steps():
    X = images(30)
    X[7, 3, 2] = 1e38
    conv = ESTIMATORS["images"][0]
    assert "X[7] at (3, 2)." in refused(lambda: conv().fit(X))
    flat = conv().set_params(image_shape=(4, 4))
    assert "column 14 of row 7 of X." in refused(lambda: flat.fit(X.reshape(30, -1)))
    X, regressor = images(30), ESTIMATORS["pairs of images"][0]
    for target, what in [(X * 1e300, "y["), (X * 1e60, "y[")]:
        assert what in refused(lambda target=target: regressor().fit(X, target))
    assert " X[" in refused(lambda: regressor().fit(X * 1e300, X))
    validation = {"X_val": X, "y_val": X * 1e60}
    assert "y_val[" in refused(lambda: regressor().fit(X, X, **validation))
    X = sequences(30)
    X[3, 2, 1] = 1e38
    recurrent = ESTIMATORS["sequences"][0]
    assert "X[3], feature 1 of step 2." in refused(lambda: recurrent().fit(X))


def test_texts_and_tables_are_not_told_to_scale():
    model = TabularAutoencoder(2, **FAST, lr=1e30, optimizer="sgd")
    with pytest.raises(ValueError, match="A likely cause is too large steps") as caught:
        model.fit(rows(60))
    assert "scale" not in str(caught.value)


def test_weights_that_the_last_step_made_infinite_are_an_error():
    model = Autoencoder(
        2,
        **FAST | {"max_epochs": 1, "architecture": Dense((8,), shortcut=False)},
        **{"batch_size": 60, "lr": 1e38, "optimizer": "sgd", "lr_schedule": None},
    )
    with pytest.raises(ValueError, match="Weights are NaN or infinite in epoch 1.*lr below"):
        model.fit(rows(60) * 1e4)
    assert not hasattr(model, "net_")


@pytest.mark.parametrize(
    "weight",
    [np.r_[1e308, 1e308, np.full(58, 1e-320)], np.full(60, 5e-324), np.r_[1e300, np.ones(59)]],
)
@pytest.mark.parametrize("name", ["plain", "variational", "tabular", "sequences"])
def test_weights_of_any_size(name, weight):
    make, samples = ESTIMATORS[name]
    model = make().fit(samples(60), sample_weight=weight)
    assert np.isfinite(model.transform(samples(60))).all()
    assert np.isfinite(model.score(samples(60), sample_weight=weight))


# R2 of constants and of values of any size.

CONSTANTS = [0, 1e-300, 1e-6, 0.3, 1e15]


def constant(name, value, dtype, with_rounding):
    shape = np.shape(ESTIMATORS[name][1](30))
    rng, eps = np.random.default_rng(0), np.finfo(dtype).eps
    X = np.full(shape, value) * (1 + np.arange(shape[-1]))
    noise = eps * rng.integers(-2, 3, size=shape) if with_rounding else 0
    return (X * (1 + noise)).astype(dtype)


#: With samples held out, so that training ends where it restores best.
STOPPED = {
    "plain": Autoencoder,
    "sparse": SparseAutoencoder,
    "ensemble": lambda **params: EnsembleAutoencoder(Autoencoder(**params), 2, random_state=0),
    "images": ConvAutoencoder,
    "sequences": RecurrentAutoencoder,
    "pairs of images": ImageToImageRegressor,
}


@pytest.mark.parametrize("with_rounding", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", STOPPED)
def test_r2_of_constants_is_1_where_they_are_restored(name, dtype, with_rounding):
    for value in CONSTANTS:
        with np.errstate(under="ignore"):
            X = constant(name, value, dtype, with_rounding)
        params = {"max_epochs": 2, "early_stopping": True, "random_state": 0}
        model = STOPPED[name](**params, check_baseline=False).fit(*pairs(X, name))
        is_restored = value != 1e-300 or dtype == np.float32  # 0 there, as it is in the net
        assert model.score(*pairs(X, name)) == is_restored
        weight = np.random.default_rng(0).random(30)
        assert model.score(*pairs(X, name), sample_weight=weight) == is_restored
        if name == "sparse":
            assert model.explained_variance_ == is_restored
        assert -1e308 <= model.score(*pairs(X + 1, name)) <= 1


@pytest.mark.parametrize("with_rounding", [False, True])
@pytest.mark.parametrize("name", ["tabular", "scorer"])
def test_r2_of_constant_tables(name, with_rounding):
    for value in CONSTANTS:
        X = constant(name, value, np.float64, with_rounding)
        assert ESTIMATORS[name][0]().fit(X).score(X) == 1


def test_r2_of_constants_that_are_not_restored_is_0():
    model = fitted("plain")
    assert model.score(np.full((10, 6), 1e9)) == 0
    assert model.score(np.full((10, 6), 1e-200)) == 0


def test_constant_columns_beside_others_do_not_count_if_restored():
    X = np.c_[rows(60)[:, :3], np.full((60, 3), 1e5)]
    model = Autoencoder(3, **FAST).fit(X)
    found = model.score(X)
    residual = (X - model.reconstruct(X))[:, :3]
    assert found == pytest.approx(1 - (residual**2).sum() / ((X - X.mean(0))[:, :3] ** 2).sum())


@pytest.mark.parametrize("size", [1e-300, 1e-160, 1e-30, 1e15])
def test_r2_does_not_depend_on_the_unit(size):
    """Also where squares are 0 in float64, and the net sees zeros."""
    X = rows(100)[:, :3] @ rows(3)
    model = Autoencoder(3, **FAST).fit(X * size)
    restored = np.asarray(model.reconstruct(X * size)) / size
    exact = 1 - ((X - restored) ** 2).sum() / ((X - X.mean(0)) ** 2).sum()
    assert model.score(X * size) == pytest.approx(exact, rel=1e-6, abs=1e-6)


def test_r2_far_out():
    X = rows(60)
    for size in (1e100, 1e160, 1e300):
        score = fitted("plain").score(X * size)
        assert score == pytest.approx(fitted("plain").score(X * 1e30), rel=1e-3)


def test_equal_rows_are_no_poor_fit():
    params = {**FAST, "check_baseline": True}
    for value in (0.1, 0.3, 1e5):
        X = np.full((100, 4), value) * [1, 2.3, 0.7, 0.1]
        Autoencoder(2, **params).fit(X)  # a warning would be an error
        SparseAutoencoder(2, **params).fit(X)


def test_values_too_small_for_nets_are_said():
    X = rows(200)[:, :3] @ rows(3) * 1e-300
    model = Autoencoder(3, max_epochs=2, random_state=0)
    with pytest.warns(PoorFitWarning, match="too small for nets.*StandardScaler"):
        model.fit(X)
    model.fit(X * 1e290)  # a warning would be an error


# One sample alone and in a batch.


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-12), (np.float32, 1e-6)])
@pytest.mark.parametrize("name", ESTIMATORS)
def test_a_sample_has_the_same_results_alone(name, dtype, tolerance):
    X = ESTIMATORS[name][1](50)
    X = [x.astype(dtype) for x in X] if isinstance(X, list) else X.astype(dtype)
    model, methods = fitted(name), ("transform", "score_samples", "reconstruct", "predict")
    if "detector" in name:
        methods = ("score_samples",)
    for method in methods:
        if not hasattr(model, method):
            continue
        results = getattr(model, method)(X)
        size = np.abs(numbers(results)).max()
        for i in (0, 7, 49):
            alone = numbers(getattr(model, method)(X[i : i + 1]))
            within = numbers(results[i : i + 1])
            np.testing.assert_allclose(
                alone, within, rtol=tolerance, atol=tolerance * size, err_msg=method
            )
