"""What users of PCA know: fractions of variance, whitened codes, what codes depend on."""

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.decomposition import PCA
from sklearn.feature_selection import SelectFromModel
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import StandardScaler

from skae import (
    Autoencoder,
    ConvAutoencoder,
    DenoisingAutoencoder,
    EnsembleAutoencoder,
    RecurrentAutoencoder,
    SparseAutoencoder,
    TabularAutoencoder,
    VariationalAutoencoder,
    fit_many,
)
from skae.architectures import Conv, Dense

CANCER = StandardScaler().fit_transform(load_breast_cancer().data)
DIGITS = load_digits().data[:300] / 16
IMAGES = DIGITS.reshape(-1, 8, 8)
SINES = [np.sin(np.linspace(0, 3 + k % 5, 10 + k % 7))[:, None] for k in range(60)]
TABLE = pd.DataFrame(
    {
        "size": CANCER[:, 0],
        "kind": np.where(CANCER[:, 1] > 0, "left", "right"),
        "depth": CANCER[:, 2],
    }
)
QUICK = {"max_epochs": 3, "random_state": 0, "check_baseline": False}

MODELS = {
    "dense": (Autoencoder, CANCER, {}),
    "denoising": (DenoisingAutoencoder, CANCER, {}),
    "images": (ConvAutoencoder, IMAGES, {"channels": (4,)}),
    "sequences": (RecurrentAutoencoder, SINES, {}),
    "tables": (TabularAutoencoder, TABLE, {}),
}


@pytest.fixture(params=MODELS)
def kind(request):
    return MODELS[request.param]


# Shares of the variance.


def test_a_fraction_of_the_variance_finds_the_number_of_codes(kind):
    Model, X, params = kind
    model = Model(0.8, **params, **QUICK).fit(X, X_val=X)
    codes = model.transform(X)
    assert codes.shape == (len(X), model.n_components_)
    assert model.score(X) >= (0.8 if X is not TABLE else 0.6)  # of which PCA needs few elements
    assert len(model.get_feature_names_out()) == model.n_components_


def test_a_fraction_needs_no_more_codes_than_pca():
    for fraction in (0.5, 0.95):
        model = Autoencoder(fraction, **QUICK).fit(CANCER)
        assert 1 <= model.n_components_ <= PCA(fraction).fit(CANCER).n_components_


def test_codes_are_cut_where_fewer_suffice():
    t = np.random.default_rng(0).uniform(-1, 1, (600, 1))
    X = StandardScaler().fit_transform(np.hstack([t, t**2, t**3, t**4]))
    model = Autoencoder(0.97, max_epochs=60, random_state=0).fit(X)
    assert model.n_components_ < PCA(0.97).fit(X).n_components_
    assert model.score(X) > 0.96


def test_reconstructions_are_those_of_the_codes_that_are_left():
    model = Autoencoder(0.8, **QUICK).fit(CANCER)
    restored = model.inverse_transform(model.transform(CANCER))
    np.testing.assert_allclose(restored, model.reconstruct(CANCER), rtol=1e-9, atol=1e-9)
    errors = model.reconstruction_errors(CANCER)
    np.testing.assert_allclose(-model.score_samples(CANCER), errors.mean(1), rtol=1e-5)


def test_training_continues_after_a_cut():
    model = Autoencoder(0.8, warm_start=True, **QUICK).fit(CANCER).fit(CANCER)
    assert model.transform(CANCER).shape == (len(CANCER), model.n_components_)
    assert model.score(CANCER) > 0.75


def test_fractions_work_where_many_are_fitted():
    models = [Autoencoder(n, **QUICK) for n in (0.5, 0.9, 3)]
    few, many, three = (model.n_components_ for model in fit_many(models, CANCER))
    assert few < many
    assert three == 3
    search = GridSearchCV(Autoencoder(**QUICK), {"n_components": [0.5, 0.9]}, cv=2).fit(CANCER)
    assert search.best_params_ == {"n_components": 0.9}
    ensemble = EnsembleAutoencoder(Autoencoder(0.8, **QUICK), n_estimators=2, random_state=0)
    ensemble.fit(CANCER)
    restored = ensemble.inverse_transform(ensemble.transform(CANCER))
    np.testing.assert_allclose(restored, ensemble.reconstruct(CANCER), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("loss", ["binary_cross_entropy", lambda x, y: (x - y) ** 2])
def test_a_fraction_needs_a_loss_that_explains_variance(loss):
    with pytest.raises(ValueError, match=r"n_components=0.9 is a fraction.*squared_error"):
        Autoencoder(0.9, loss=loss, **QUICK).fit(DIGITS)


@pytest.mark.parametrize("loss", ["ssim", {"ssim": 0.5, "squared_error": 0.5}])
def test_a_fraction_needs_a_loss_of_images_that_explains_variance(loss):
    with pytest.raises(ValueError, match=r"n_components=0.9 is a fraction.*squared_error"):
        ConvAutoencoder(0.9, loss=loss, **QUICK).fit(IMAGES)


@pytest.mark.parametrize("loss", ["absolute_error", {"huber": 1.0, "squared_error": 0.5}])
def test_a_fraction_takes_all_losses_of_differences(loss):
    assert Autoencoder(0.5, loss=loss, **QUICK).fit(CANCER).n_components_ >= 1


def test_partial_fit_takes_no_fraction():
    with pytest.raises(ValueError, match="partial_fit sees some"):
        Autoencoder(0.9).partial_fit(CANCER)


@pytest.mark.parametrize("Model", [VariationalAutoencoder, SparseAutoencoder])
def test_other_autoencoders_say_which_take_a_fraction(Model):
    with pytest.raises(ValueError, match=r"Got 0.9 instead.*those of Autoencoder,"):
        Model(0.9).fit(CANCER)


@pytest.mark.parametrize("fraction", [0.0, 1.0, 1.5])
def test_all_of_the_variance_is_no_fraction(fraction):
    with pytest.raises(ValueError, match=r"an int in the range .*, a float in the range"):
        Autoencoder(fraction).fit(CANCER)


@pytest.mark.parametrize("params", [{"n_components": 0.9}, {"n_components": 2, "whiten": True}])
def test_spatial_codes_have_axes_of_their_own(params):
    with pytest.raises(ValueError, match="spatial code have places"):
        Autoencoder(architecture=Conv((4,), code="spatial"), **params, **QUICK).fit(IMAGES)


def test_more_codes_than_samples():
    with pytest.raises(ValueError, match="n_components=11 is more than the 10 samples"):
        Autoencoder(11, **QUICK).fit(CANCER[:10])
    assert Autoencoder(**QUICK).fit(CANCER[:2]).transform(CANCER[:2]).shape == (2, 5)


# Variances.


def test_whitened_codes_have_variance_1(kind):
    Model, X, params = kind
    model = Model(2, whiten=True, **params, **QUICK).fit(X)
    np.testing.assert_allclose(model.transform(X).std(0), 1, rtol=1e-3)


def test_whitened_codes_decode():
    model = Autoencoder(4, whiten=True, **QUICK).fit(CANCER)
    restored = model.inverse_transform(model.transform(CANCER))
    np.testing.assert_allclose(restored, model.reconstruct(CANCER), rtol=1e-9, atol=1e-9)
    constant = Autoencoder(3, whiten=True, **QUICK).fit(np.ones((30, 4)))
    assert np.isfinite(constant.transform(np.ones((5, 4)))).all()


def test_explained_variance_adds_up_to_the_score(kind):
    Model, X, params = kind
    model = Model(3, **params, **QUICK).fit(X)
    ratio = model.explained_variance_ratio_
    assert ratio.shape == (3,)
    assert (ratio >= 0).all()
    assert (np.diff(ratio) <= 1e-9).all()
    assert ratio.sum() == pytest.approx(max(0, model.score(X)), abs=1e-4)


def test_explained_variance_of_a_linear_net_is_that_of_pca():
    linear = Autoencoder(
        5, architecture=Dense(()), lr=1e-9, max_epochs=1, early_stopping=False, random_state=0
    ).fit(CANCER)
    expected = PCA(5).fit(CANCER).explained_variance_ratio_
    np.testing.assert_allclose(linear.explained_variance_ratio_, expected, atol=1e-4)


def test_descriptions_of_an_earlier_fit_do_not_stay():
    model = Autoencoder(2, architecture=Conv((4,)), **QUICK).fit(IMAGES)
    model.set_params(architecture=Conv((4,), code="spatial")).fit(IMAGES)
    with pytest.raises(AttributeError, match="explained_variance_ratio_"):
        _ = model.explained_variance_ratio_
    assert model.feature_importances_.shape == (32, 8, 8)


# What codes depend on.


def test_importances_have_the_form_of_a_sample():
    shapes = {"dense": (30,), "denoising": (30,), "images": (8, 8), "sequences": (1,)}
    for name, shape in (shapes | {"tables": (3,)}).items():
        Model, X, params = MODELS[name]
        importances = Model(2, **params, **QUICK).fit(X).feature_importances_
        assert importances.shape == (2, *shape)
        assert (importances >= 0).all()
        np.testing.assert_allclose(importances.reshape(2, -1).sum(1), 1)


def test_importances_tell_what_codes_use():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 500, 1))
    X = np.hstack([3 * a, 3 * a + 0.1 * rng.normal(size=(500, 1)), b, 0 * a + 5])
    first, second = Autoencoder(2, max_epochs=20, random_state=0).fit(X).feature_importances_
    np.testing.assert_allclose(first, [0.5, 0.5, 0, 0], atol=0.1)
    np.testing.assert_allclose(second, [0, 0, 1, 0], atol=0.1)


def test_importances_of_channels():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 6, 2)) * [3.0, 0.01]
    importances = RecurrentAutoencoder(2, **QUICK).fit(X).feature_importances_
    assert importances.shape == (2, 2)


def test_importances_hardly_depend_on_the_seed():
    fits = [Autoencoder(3, max_epochs=10, random_state=seed).fit(CANCER) for seed in range(2)]
    for one, other in zip(*(model.feature_importances_ for model in fits), strict=True):
        assert np.corrcoef(one, other)[0, 1] > 0.7


def test_importances_select_features():
    selected = SelectFromModel(Autoencoder(3, **QUICK), max_features=5).fit(CANCER)
    assert selected.transform(CANCER).shape[1] <= 5


def test_large_importances_are_left_out(monkeypatch):
    monkeypatch.setattr("skae._estimators.ordered_code.MAX_IMPORTANCES", 50)
    model = Autoencoder(2, **QUICK).fit(CANCER)
    with pytest.raises(AttributeError, match="feature_importances_"):
        _ = model.feature_importances_


def test_partial_fit_describes_codes_now_and_then():
    model = Autoencoder(3, random_state=0).partial_fit(CANCER)
    first = model.feature_importances_
    assert model.explained_variance_ratio_.sum() > 0.5
    model.partial_fit(CANCER)
    assert not np.array_equal(model.feature_importances_, first)
    model.set_params(max_epochs=30).fit(CANCER)
    kept = model.feature_importances_
    model.partial_fit(CANCER)
    assert model.feature_importances_ is kept
