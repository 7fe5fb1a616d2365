"""Images of any size: training on crops, and results in tiles."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_sample_images
from sklearn.model_selection import GridSearchCV

import skae
from skae import (
    ConvAutoencoder,
    DenoisingAutoencoder,
    EnsembleAutoencoder,
    ImageToImageRegressor,
    SparseAutoencoder,
    VariationalAutoencoder,
)
from skae.architectures import Conv, UNet, _tiles
from skae.model_selection import BatchedGridSearchCV

QUICK = {"max_epochs": 1, "check_baseline": False, "random_state": 0}
SIZES = (40, 52), (33, 61), (45, 47)


@pytest.fixture(scope="module")
def photos():
    """Parts of photographs, of unequal sizes."""
    photo = load_sample_images().images[0]
    return [photo[100 : 100 + h, 200 : 200 + w] for h, w in SIZES]


@pytest.fixture(scope="module")
def grays(photos):
    return [photo[..., 1] for photo in photos]


def unet(**params):
    return ImageToImageRegressor(**{"channels": (4, 6), "crop_size": 16, **QUICK, **params})


def spatial(**params):
    params = {"channels": (4, 6), "code": "spatial", "crop_size": 16, **QUICK, **params}
    return ConvAutoencoder(3, **params)


def randomized(model):
    """Return a model whose weights are such that every pixel depends on all that it can."""
    generator = torch.Generator().manual_seed(0)
    for weight in model.net_.module_.parameters():
        weight.data += 0.2 * torch.randn(weight.shape, generator=generator)
    return model


# In tiles.


@pytest.fixture
def small_tiles(monkeypatch):
    def use():
        monkeypatch.setattr(_tiles, "MAX_WHOLE", 1)
        monkeypatch.setattr(_tiles, "TILE_PIXELS", 16**2)

    return use


STYLES = {
    "default": {},
    "three sizes": {"channels": (3, 4, 5), "n_residual_blocks": 0},
    "bilinear": {"upsampling": "bilinear", "downsampling": "average_pool"},
    "nearest": {"upsampling": "nearest", "strides": 3, "downsampling": "max_pool"},
    "large kernels": {"kernel_size": 5, "channels": (3, 4)},
    "no normalization": {"normalization": None},
    "normalization of whole images": {"normalization": "layer"},
}


@pytest.mark.parametrize("style", STYLES)
def test_tiles_of_a_unet_leave_no_seam(style, photos, grays, small_tiles, rng):
    model = randomized(unet(**STYLES[style]).fit(grays, [photo / 255.0 for photo in photos]))
    X = rng.random((2, 67, 101))
    whole, codes = model.predict(X), model.transform(X)
    small_tiles()
    np.testing.assert_allclose(model.predict(X), whole, atol=1e-4 * whole.std())
    np.testing.assert_allclose(model.transform(X), codes, atol=1e-4 * codes.std())


@pytest.mark.parametrize("style", STYLES)
def test_tiles_of_spatial_codes_leave_no_seam(style, grays, small_tiles, rng):
    model = randomized(spatial(**STYLES[style]).fit([image / 255.0 for image in grays]))
    X = rng.random((2, 67, 101))
    whole, codes = model.reconstruct(X), model.transform(X)
    scores = model.score_samples(X)
    small_tiles()
    np.testing.assert_allclose(model.reconstruct(X), whole, atol=1e-4 * whole.std())
    np.testing.assert_allclose(model.transform(X), codes, atol=1e-4 * codes.std())
    np.testing.assert_allclose(model.score_samples(X), scores, rtol=1e-5)


@pytest.mark.parametrize("scale", [2, 3])
@pytest.mark.parametrize("is_larger", [True, False])
def test_tiles_of_other_scales(scale, is_larger, grays, small_tiles, rng):
    small, large = rng.random((6, 16, 18)), rng.random((6, 16 * scale, 18 * scale))
    X, y = (small, large) if is_larger else (large, small)
    model = randomized(unet(crop_size=12).fit(X, y))
    X = rng.random((1, 23, 71)) if is_larger else rng.random((1, 23 * scale, 71 * scale))
    whole = model.predict(X)
    assert whole.shape == ((1, 23 * scale, 71 * scale) if is_larger else (1, 23, 71))
    small_tiles()
    np.testing.assert_allclose(model.predict(X), whole, atol=1e-4 * whole.std())


def test_tiles_of_signals(small_tiles, rng):
    signals = [rng.random(n) for n in (60, 81)]
    restored = randomized(spatial().fit(signals)).reconstruct
    predicted = randomized(unet().fit(signals, signals)).predict
    X = rng.random((2, 1501))
    whole = restored(X), predicted(X)
    assert whole[0].shape == whole[1].shape == X.shape
    small_tiles()
    for method, expected in zip((restored, predicted), whole, strict=True):
        np.testing.assert_allclose(method(X), expected, atol=1e-4 * expected.std())


def test_rows_of_tables_have_one_length_unless_they_are_signals(rng):
    X, longer = rng.random((6, 20)), rng.random((2, 33))
    with pytest.raises(ValueError, match="X has 33 features, but ConvAutoencoder is expecting 20"):
        spatial(crop_size=None).fit(X).reconstruct(longer)
    model = spatial(crop_size=None, spatial_dims=1).fit(X)
    assert model.reconstruct(longer).shape == longer.shape


def test_large_images_take_bounded_memory(small_tiles):
    model = unet().fit(np.zeros((3, 16, 16)), np.zeros((3, 16, 16)))
    small_tiles()
    seen = []
    layer = model.net_.module_.encoder.stages[0]
    layer.register_forward_hook(lambda layer, inputs, output: seen.append(output.shape[2:]))
    model.predict(np.zeros((1, 300, 400)))
    assert len(seen) > 20
    assert max(max(size) for size in seen) < 100


# Other sizes, and lists.


def test_predictions_of_other_sizes_are_like_targets(photos, grays):
    model = unet().fit(grays, photos)
    listed = model.predict(grays)
    assert [image.shape for image in listed] == [photo.shape for photo in photos]
    assert {image.dtype for image in listed} == {np.dtype("uint8")}
    for image, alone in zip(grays, listed, strict=True):
        np.testing.assert_array_equal(model.predict(image[None])[0], alone)
    codes = model.transform(grays)
    assert [code.shape for code in codes] == [model.transform(g[None])[0].shape for g in grays]
    assert model.score(grays, photos) > 0


def test_lists_of_spatial_codes(photos):
    model = spatial().fit(photos)
    listed = model.reconstruct(photos), model.reconstruction_errors(photos), model.transform(photos)
    scores = model.score_samples(photos)
    for i, photo in enumerate(photos):
        X = photo[np.newaxis]
        alone = model.reconstruct(X), model.reconstruction_errors(X), model.transform(X)
        for one, other in zip(alone, (part[i] for part in listed), strict=True):
            np.testing.assert_array_equal(one[0], other)
        height, width = (-(-side // 4) for side in photo.shape[:2])
        assert listed[2][i].shape == (3 * height * width,)
        assert scores[i] == pytest.approx(-listed[1][i].mean(), rel=1e-5)
    assert model.inverse_transform(np.zeros((2, model.n_components_))).shape == (2, 16, 16, 3)
    assert model.n_features_in_ == 16 * 16 * 3


def test_r2_of_a_list_is_that_of_all_pixels(photos):
    photos = [photo / 255 for photo in photos]
    model = spatial(max_epochs=3).fit(photos)
    restored = np.concatenate([image.reshape(-1, 3) for image in model.reconstruct(photos)])
    pixels = np.concatenate([photo.reshape(-1, 3) for photo in photos])
    residual, total = ((pixels - x) ** 2 for x in (restored, pixels.mean(0)))
    assert model.score(photos) == pytest.approx(1 - residual.sum() / total.sum(), abs=1e-3)


def test_the_size_of_the_fit_is_that_of_crops_or_of_all_images(rng):
    images = rng.random((6, 9, 7))
    whole = spatial(crop_size="auto").fit(images)
    assert whole.n_features_in_ == 63
    np.testing.assert_array_equal(
        whole.reconstruct(images), spatial(crop_size=None).fit(images).reconstruct(images)
    )
    assert whole.reconstruct(rng.random((2, 30, 31))).shape == (2, 30, 31)
    assert spatial(crop_size=(8, 6)).fit(images).n_features_in_ == 48


@pytest.mark.parametrize("kind", [VariationalAutoencoder, SparseAutoencoder, DenoisingAutoencoder])
def test_other_autoencoders_take_any_size(kind, photos):
    architecture = Conv((4, 6), code="spatial", crop_size=16)
    model = kind(architecture=architecture, **QUICK).fit(photos)
    assert [image.shape for image in model.reconstruct(photos)] == [p.shape for p in photos]
    assert [errors.shape for errors in model.reconstruction_errors(photos)] == [
        photo.shape for photo in photos
    ]


def test_ensembles_take_any_size(photos):
    ensemble = EnsembleAutoencoder(spatial(), n_estimators=2, random_state=0).fit(photos)
    assert [image.shape for image in ensemble.reconstruct(photos)] == [p.shape for p in photos]


def test_dense_codes_of_crops(photos):
    model = ConvAutoencoder(4, channels=(4, 6), crop_size=16, **QUICK).fit(photos)
    crops = np.stack([photo[:16, :16] for photo in photos])
    assert model.transform(crops).shape == (3, 4)
    assert model.reconstruct(crops).shape == crops.shape
    for X in (photos, photos[0][np.newaxis]):
        with pytest.raises(ValueError, match=r"fit was on samples of shape \(16, 16, 3\)"):
            model.reconstruct(X)


def test_float64_and_channels_first(photos):
    X = [np.moveaxis(photo / 255, 2, 0) for photo in photos]
    model = unet(channels_first=True).fit(X, X)
    assert [image.shape for image in model.predict(X)] == [image.shape for image in X]
    assert model.predict(X)[0].dtype == np.float64


# Training on crops.


def test_crops_are_the_same_in_a_pair(photos):
    """A net can only learn to copy pixels if the crops are at the same places."""
    X = [
        photo[::2, ::2].repeat(2, 0).repeat(2, 1)[: h // 2 * 2, : w // 2 * 2]
        for photo, (h, w) in zip(photos, SIZES, strict=True)
    ]
    y = [image[::2, ::2] for image in X]
    model = unet(channels=(4,), linear_filter=3).fit(X, y)
    assert model.score(X, y) > 0.98
    model = unet(channels=(4,), linear_filter=3).fit(y, X)
    assert model.score(y, X) > 0.98


def test_a_seed_gives_the_same_crops_and_pickles_the_same_images(photos, tmp_path):
    model = spatial().fit(photos)
    expected = model.reconstruct(photos)
    skae.save(model, tmp_path / "model.skae")
    others = clone(model).fit(photos), pickle.loads(pickle.dumps(model))
    for other in (*others, skae.load(tmp_path / "model.skae")):
        for one, same in zip(other.reconstruct(photos), expected, strict=True):
            np.testing.assert_array_equal(one, same)
    other = clone(model).set_params(random_state=1).fit(photos).reconstruct(photos)
    assert not np.array_equal(other[0], expected[0])


def test_one_large_photograph(photos):
    model = spatial(max_epochs=3).fit([photos[0]])
    assert model.reconstruct([photos[0]]).shape == (1, *photos[0].shape)
    model = unet().fit(photos[0][np.newaxis], photos[0][np.newaxis, :, :, 0])
    assert model.predict(photos[0][np.newaxis]).shape == (1, *photos[0].shape[:2])


def test_the_regressor_takes_crops_of_large_images_by_default(photos, monkeypatch):
    X = np.stack([photo[:30, :45] for photo in photos])
    params = {"channels": (4, 6), **QUICK}
    whole, of_crops = ImageToImageRegressor(**params), ImageToImageRegressor(**params)
    assert whole.fit(X, X).n_features_in_ == 30 * 45 * 3
    monkeypatch.setattr(UNet, "most_pixels", 30 * 45 - 1)
    assert of_crops.fit(X, X).n_features_in_ == 16 * 16 * 3
    assert of_crops.predict(X).shape == X.shape


def test_default_crops_are_multiples_of_the_scale(photos):
    X = [photo[:33, :45] for photo in photos]
    y = [photo[::3, ::3] for photo in X] + [X[0][:30:3, :30:3]]
    model = ImageToImageRegressor(channels=(4, 6), **QUICK).fit([*X, X[0][:30, :30]], y)
    assert model.n_features_in_ == 15 * 15 * 3
    assert [image.shape for image in model.predict(X)] == [image.shape for image in y[:-1]]


def test_default_crops_are_not_smaller_than_the_scale(rng):
    X = [rng.random((80, 120)), rng.random((120, 80))]
    y = [photo[::40, ::40] for photo in X]
    model = ImageToImageRegressor(channels=(4,), linear_filter=0, **QUICK).fit(X, y)
    assert model.n_features_in_ == 40 * 40
    assert [image.shape for image in model.predict(X)] == [(2, 3), (3, 2)]


def test_images_are_held_out_as_a_whole(photos):
    model = spatial(early_stopping=True, validation_fraction=0.3, max_epochs=2).fit(photos)
    assert "valid_loss" in model.history_[-1]
    with pytest.raises(ValueError, match="holds out 1 of 1 samples"):
        spatial(early_stopping=True).fit(photos[:1])


def test_validation_on_images_of_other_sizes(photos, grays):
    dense = ConvAutoencoder(4, channels=(4,), crop_size=16, **QUICK).fit(photos, X_val=photos[:2])
    pairs = unet().fit(grays, photos, X_val=grays[1:], y_val=photos[1:])
    for model in (dense, pairs):
        assert np.isfinite(model.history_[-1]["valid_loss"])


def test_training_goes_on_with_other_photographs(photos, grays):
    model = spatial().partial_fit(photos[:2]).partial_fit(photos[2:])
    assert model.n_iter_ == 2
    dense = ConvAutoencoder(4, channels=(4,), crop_size=16, **QUICK).partial_fit(photos[:2])
    assert dense.partial_fit(photos[2][np.newaxis]).n_iter_ == 2
    assert unet(warm_start=True).fit(grays, grays).fit(grays[:2], grays[:2]).n_iter_ == 2


def test_images_without_weight_have_no_effect(photos):
    weight = [1.0, 0.0, 1.0]
    half, weighted = spatial().fit(photos[::2]), spatial().fit(photos, sample_weight=weight)
    np.testing.assert_allclose(weighted.transform(photos)[0], half.transform(photos)[0], atol=1e-6)


def test_labels_of_photographs(photos):
    model = ConvAutoencoder(2, channels=(4,), crop_size=16, target="classification", **QUICK)
    model.fit(photos, ["a", "b", "a"])
    assert list(model.classes_) == ["a", "b"]


def test_codes_that_keep_neighbors(photos):
    ConvAutoencoder(2, channels=(4,), crop_size=8, neighbor_weight=1.0, n_neighbors=3, **QUICK).fit(
        photos
    )


def test_searches_over_lists(photos):
    photos = [*photos, photos[0][:, :-1]]
    search = GridSearchCV(spatial(), {"crop_size": [8, 16]}, cv=2).fit(photos)
    assert search.best_params_["crop_size"] in (8, 16)
    ours = BatchedGridSearchCV(spatial(), {"lr": [1e-3, 1e-2]}, cv=2).fit(photos)
    assert np.isfinite(ours.best_score_)


# Mistakes.


def _with_nan(images):
    images = [image / 255.0 for image in images]
    images[1][3, 4] = np.nan
    return images


MISTAKES = {
    "dense codes": (
        lambda X: ConvAutoencoder(4, channels=(4,), **QUICK).fit(X),
        "different shapes.*give crop_size=64, for instance",
    ),
    "small image": (
        lambda X: spatial(crop_size=36).fit(X),
        r"X\[1\] is of 33 x 61 pixels, smaller than crop_size=36",
    ),
    "axes of crops": (lambda X: spatial(crop_size=(8, 8, 8)).fit(X), "or 2 of them"),
    "no crops": (lambda X: spatial(crop_size=None).fit(X), "different shapes"),
    "channels": (
        lambda X: spatial().fit([X[0], np.dstack([X[1], X[1]])]),
        r"X\[1\] is of shape \(33, 61, 6\).*numbers of channels",
    ),
    "gray among colors": (lambda X: spatial().fit([X[0], X[1][..., 0]]), r"X\[1\] is of shape"),
    "types": (lambda X: spatial().fit([X[0], X[1] / 255]), r"X\[1\] holds float64.*uint8"),
    "text": (lambda X: spatial().fit([X[0], X[1].astype(str)]), r"X\[1\] of dtype <U3"),
    "NaN": (lambda X: spatial().fit(_with_nan(X)), r"X\[1\] holds nan at \(3, 4, 0\)"),
    "channels at use": (
        lambda X: spatial().fit(X).transform(X[0][None, :, :, :2]),
        "any size with as many channels",
    ),
    "channels of a list at use": (
        lambda X: spatial().fit(X).transform([x[..., :2] for x in X]),
        r"X\[0\] holds samples of shape",
    ),
    "single image": (lambda X: spatial().fit(X).reconstruct(X[0]), r"give X\[np.newaxis\]"),
    "single gray image": (
        lambda X: spatial().fit([x[..., 0] for x in X]).reconstruct(X[0][..., 0]),
        r"give X\[np.newaxis\]",
    ),
    "colors for gray": (
        lambda X: spatial().fit([x[..., 0] for x in X]).reconstruct(X[0]),
        r"give X\[np.newaxis\]",
    ),
    "sizes of a pair": (
        lambda X: unet().fit(X, [X[0], X[1][:-1], X[2]]),
        r"y\[1\] is of 32 x 61, X\[1\] of 33 x 61",
    ),
    "scales of pairs": (
        lambda X: unet().fit(X, [X[0], X[1].repeat(2, 0).repeat(2, 1), X[2]]),
        r"y\[1\] is of 66 x 122, X\[1\] of 33 x 61, but it should be of that size",
    ),
    "scale at use": (
        lambda X: unet().fit(X, X).score(X, [x[::1, :-1] for x in X]),
        r"y\[0\] is of 40 x 51",
    ),
    "odd crops": (
        lambda X: unet(crop_size=9).fit(X[0][None, :32, :32], X[0][None, :32:2, :32:2]),
        "Give a multiple of 2",
    ),
    "odd sides at use": (
        lambda X: unet().fit(X[0][None, :32, :32], X[0][None, :32:2, :32:2]).predict(X),
        r"X\[1\] is of 33 x 61.*multiples of 2",
    ),
    "scores of drawn codes": (
        lambda X: (
            VariationalAutoencoder(architecture=Conv((4,), code="spatial", crop_size=16), **QUICK)
            .fit(X)
            .score_samples(X)
        ),
        "scores images of the size of the training",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_named(mistake, photos):
    call, message = MISTAKES[mistake]
    with pytest.raises(ValueError, match=message):
        call(photos)
