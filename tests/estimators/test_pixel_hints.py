"""Given pixels of the answer: `max_hints` of a regressor of images, and `hints` of `predict`."""

import pickle
from functools import cache

import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from skimage.color import gray2rgb, rgb2lab
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import skae
from skae import ImageToImageRegressor
from skae._modules.hints import Hints, spread
from skae.architectures import _tiles
from skae.losses import AbsoluteError
from skae.model_selection import fit_many

GRAY = np.array([0.299, 0.587, 0.114])
#: Red, green and blue of one brightness.
COLORS = np.array([[0.9, 0.3, 0.2], [0.2, 0.6, 0.3], [0.3, 0.4, 0.9]])
COLORS *= 0.4 / (COLORS @ GRAY)[:, None]
QUICK = {"max_epochs": 1, "check_baseline": False, "random_state": 0, "early_stopping": False}


def make(channels=(4, 6), **params):
    return ImageToImageRegressor(channels, **{"max_hints": 3, **QUICK, **params})


def things(n, side=16, seed=0):
    """Return gray pictures of two things, these in colors by chance, and where the things are."""
    rng = np.random.default_rng(seed)
    y, where = np.full((n, side, side, 3), 0.1), np.zeros((n, 2, side, side), bool)
    for picture, squares in zip(y, where, strict=True):
        for square, left in zip(squares, (0, side // 2), strict=True):
            row, column = rng.integers(1, side // 2 - 1), left + 1
            square[row : row + side // 2 - 1, column : column + side // 2 - 2] = True
            color = COLORS[rng.integers(3)]
            picture[square] = color
    return y @ GRAY, y, where


def hints_at(y, *pixels):
    """Return hints that are the true values at some pixels of all images."""
    hints = np.full(y.shape, np.nan)
    for row, column in pixels:
        hints[:, row, column] = y[:, row, column]
    return hints


def one_for_each(y, where):
    """Return hints at the middle of the first square of each picture."""
    hints = np.full(y.shape, np.nan)
    for i, (square, _) in enumerate(where):
        place = tuple(np.argwhere(square).mean(0).astype(int))
        hints[i][place] = y[i][place]
    return hints


@pytest.fixture(scope="module")
def pictures():
    return things(200)


@cache
def trained(loss, max_hints=30):
    X, y, _ = things(200)
    params = {"max_epochs": 20, "lr": 0.01, "batch_size": 32}
    return make((8, 16, 16), loss=loss, max_hints=max_hints, **params).fit(X, y)


@pytest.fixture(params=["absolute_error", "color_distribution"])
def fitted(request):
    return trained(request.param)


def error(y, predicted, where):
    return np.sqrt(((y - predicted)[where] ** 2).mean())


# What hints do.


def test_a_hint_decides_the_color_of_a_whole_thing(fitted):
    X, y, where = things(60, seed=1)
    hints = one_for_each(y, where)
    predicted, alone = fitted.predict(X, hints=hints), fitted.predict(X)
    hinted, other = where[:, 0], where[:, 1]
    assert error(y, alone, hinted) > 0.2
    assert error(y, predicted, hinted) < 0.5 * error(y, alone, hinted)
    # What is not hinted at stays as unsure as it was.
    assert error(y, predicted, other) > 0.7 * error(y, alone, other)


def test_the_color_is_that_of_the_hint_and_not_the_usual_one(fitted):
    X, y, where = things(30, seed=2)
    middle = one_for_each(y, where)
    for color in COLORS:
        predicted = fitted.predict(X, hints=np.where(np.isnan(middle), np.nan, color))
        distances = np.abs(COLORS - predicted[where[:, 0]].mean(0)).sum(1)
        assert (COLORS[distances.argmin()] == color).all()


def test_more_hints_leave_less_error(fitted):
    X, y, where = things(60, seed=3)
    rng = np.random.default_rng(0)
    order = rng.random(X.shape).reshape(60, -1).argsort(1).reshape(X.shape)
    errors = []
    for n in (1, 5, 25):
        hints = np.where((order < n)[..., None], y, np.nan)
        errors.append(error(y, fitted.predict(X, hints=hints), where.any(1)))
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.5 * errors[0]


def test_given_pixels_are_in_the_answer(fitted):
    X, y, where = things(20, seed=4)
    hints = one_for_each(y, where)
    is_given = ~np.isnan(hints)
    if fitted.loss == "color_distribution":  # of another lightness than the gray picture
        hints = 0.8 * hints
    predicted = fitted.predict(X, hints=hints)
    if fitted.loss != "color_distribution":
        np.testing.assert_array_equal(predicted[is_given], hints[is_given])
        return
    found, wanted = (rgb2lab(part[is_given].reshape(-1, 3)) for part in (predicted, hints))
    np.testing.assert_allclose(found[:, 1:], wanted[:, 1:], atol=0.5)
    light = rgb2lab(gray2rgb(X))[..., 0]
    np.testing.assert_allclose(rgb2lab(predicted)[..., 0], light, atol=0.01)


def test_no_hints_are_the_same_as_none(fitted, pictures):
    X, y, _ = pictures
    alone = fitted.predict(X[:5])
    for nothing in (np.full((5, 16, 16, 3), np.nan), [None] * 5):
        np.testing.assert_allclose(fitted.predict(X[:5], hints=nothing), alone, atol=1e-6)
    hints = [None, hints_at(y[1:2], (5, 5))[0], None, None, None]
    predicted = fitted.predict(X[:5], hints=hints)
    np.testing.assert_allclose(predicted[[0, 2, 3, 4]], alone[[0, 2, 3, 4]], atol=1e-6)
    assert np.abs(predicted[1] - alone[1]).max() > 1e-3


def test_predictions_without_hints_are_about_as_good_as_those_of_other_nets(fitted):
    X, y, where = things(60, seed=5)
    nets = fitted, trained(fitted.loss, max_hints=0)
    found, expected = (error(y, net.predict(X), where.any(1)) for net in nets)
    assert found < 1.15 * expected


def test_without_hints_fits_are_what_they_were(pictures):
    X, y, _ = pictures
    with pytest.raises(ValueError, match=r"fit with max_hints=30"):
        make(max_hints=0).fit(X, y).predict(X, hints=y)


def test_one_hint_of_a_signal_tells_its_level(rng):
    level = rng.choice([-1.0, 1.0], (200, 1))
    shape = rng.random((200, 32))
    X, y = shape, level * (1 + shape)
    model = make((8, 16), max_epochs=20, lr=0.01, batch_size=16).fit(X[:160], y[:160])
    hints = np.full((40, 32), np.nan)
    hints[:, 20] = y[160:, 20]
    found, alone = model.predict(X[160:], hints=hints), model.predict(X[160:])
    assert np.abs(found - y[160:]).mean() < 0.3 * np.abs(alone - y[160:]).mean()


# Whatever images are like.


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8"])
@pytest.mark.parametrize(
    ("shape", "target_shape", "params"),
    [
        ((9, 7), (9, 7, 3), {}),
        ((9, 7, 3), (9, 7), {}),
        ((9, 7), (27, 21), {}),
        ((9, 7), (18, 14, 3), {}),
        ((8, 8, 3), (4, 4, 2), {}),
        ((3, 9, 7), (1, 18, 14), {"channels_first": True}),
        ((63,), (63,), {"image_shape": (9, 7)}),
        ((63,), (189,), {"image_shape": (9, 7), "target_shape": (9, 7, 3)}),
        ((17,), (17,), {}),
        ((17,), (34, 2), {}),
        ((34, 2), (17,), {"spatial_dims": 1}),
    ],
)
def test_hints_are_like_predictions(shape, target_shape, params, dtype, rng):
    X = rng.integers(0, 2, (12, *shape)).astype(dtype)
    y = rng.integers(0, 2, (12, *target_shape)).astype(dtype)
    model = make(**params).fit(X, y)
    place = next(
        np.s_[..., :3] if len(target_shape) == 1 else np.s_[:, :, 2:4] if first else np.s_[:, 2:4]
        for first in [params.get("channels_first")]
    )
    if "target_shape" in params:  # the channels of a pixel, in a row
        place = np.s_[:, 30:36]
    hints = np.full(y.shape, np.nan)
    hints[place] = y[place]
    predicted = model.predict(X, hints=hints)
    assert (predicted.shape, predicted.dtype) == (y.shape, y.dtype)
    np.testing.assert_array_equal(predicted[place], y[place])
    masked = np.ma.MaskedArray(y, np.isnan(hints))
    for same in (masked, list(hints), torch.tensor(hints)):
        np.testing.assert_array_equal(model.predict(X, hints=same), predicted)


def test_frames_hold_hints_of_signals(rng):
    X = pd.DataFrame(rng.random((20, 8)))
    model = make((4,)).fit(X, X)
    hints = X.copy()
    hints.loc[:, hints.columns != 3] = np.nan
    predicted = model.predict(X, hints=hints)
    np.testing.assert_allclose(predicted.iloc[:, 3], X.iloc[:, 3], rtol=1e-6)


def quartic(prediction, target):
    return (prediction - target) ** 4


@pytest.mark.parametrize(
    "loss", ["binary_cross_entropy", "ssim", {"ssim": 0.8, "absolute_error": 0.2}, quartic]
)
def test_all_losses_take_hints(loss, pictures):
    X, y, _ = pictures
    model = make((4,), loss=loss).fit(X[:40], y[:40], X_val=X[40:60], y_val=y[40:60])
    hints = hints_at(y[:40], (4, 4))
    np.testing.assert_array_equal(model.predict(X[:40], hints=hints)[:, 4, 4], y[:40, 4, 4])
    assert np.isfinite(model.score(X[:40], y[:40]))


def test_drawn_colors_follow_hints():
    X, y, where = things(60, seed=1)
    model = pickle.loads(pickle.dumps(trained("color_distribution")))
    model.set_params(sample_colors=True, color_temperature=0.0)
    red = np.where(np.isnan(one_for_each(y, where)), np.nan, COLORS[0])
    hinted, drawn = (model.predict(X, hints=h)[where[:, 0]].mean(0) for h in (red, None))
    assert np.abs(hinted - COLORS[0]).max() < 0.15
    assert np.abs(drawn - COLORS[0]).max() > 0.2


@pytest.mark.parametrize("loss", ["absolute_error", "color_distribution"])
def test_images_of_unequal_sizes(loss, rng):
    y = [rng.integers(0, 256, (h, w, 3)).astype("uint8") for h, w in ((20, 24), (31, 18), (20, 40))]
    X = [picture[..., 1] for picture in y]
    model = make(crop_size=16, loss=loss, flips="horizontal").fit(X, y)
    hints = [np.full(picture.shape, np.nan) for picture in y]
    for one, picture in zip(hints, y, strict=True):
        one[3:5, 7] = picture[3:5, 7]
    predicted = model.predict(X, hints=[hints[0], None, hints[2]])
    alone = model.predict(X)
    assert [picture.shape for picture in predicted] == [picture.shape for picture in y]
    np.testing.assert_array_equal(predicted[1], alone[1])
    for i in (0, 2):
        np.testing.assert_array_equal(
            predicted[i], model.predict(X[i][None], hints=hints[i][None])[0]
        )
        assert not np.array_equal(predicted[i], alone[i])
    with pytest.raises(ValueError, match=r"hints\[1\] is of shape \(20, 24, 3\).*\(31, 18, 3\)"):
        model.predict(X, hints=[None, hints[0], None])


@pytest.mark.parametrize(("scale", "target_scale"), [(1, 1), (1, 2), (2, 1)])
def test_tiles_with_hints_leave_no_seam(scale, target_scale, rng, monkeypatch):
    X, y = (rng.random((8, 16 * s, 16 * s)) for s in (scale, target_scale))
    model = make((3, 4, 5), n_residual_blocks=0).fit(X, y)
    generator = torch.Generator().manual_seed(0)
    for weight in model.net_.module_.parameters():
        weight.data += 0.2 * torch.randn(weight.shape, generator=generator)
    X = rng.random((1, 60 * scale, 101 * scale))
    hints = rng.random((1, 60 * target_scale, 101 * target_scale))
    hints[rng.random(hints.shape) < 0.9] = np.nan
    whole = model.predict(X, hints=hints)
    monkeypatch.setattr(_tiles, "MAX_WHOLE", 1)
    monkeypatch.setattr(_tiles, "TILE_PIXELS", 16**2)
    tiled = model.predict(X, hints=hints)
    np.testing.assert_allclose(tiled, whole, atol=1e-4 * whole.std())
    assert np.abs(whole - model.predict(X)).max() > 0.01


# As an estimator.


def test_files_pickles_and_clones(pictures, tmp_path):
    X, y, _ = pictures
    X, y = X[:40], y[:40]
    hints = hints_at(y, (4, 4))
    model = make(loss="color_distribution").fit(X, y)
    expected = model.predict(X, hints=hints)
    skae.save(model, tmp_path / "model.skae")
    others = skae.load(tmp_path / "model.skae"), pickle.loads(pickle.dumps(model))
    (same,) = fit_many([clone(model)], X, y)
    for other in (*others, same, clone(model).fit(X, y)):
        np.testing.assert_array_equal(other.predict(X, hints=hints), expected)


def test_training_draws_other_hints_and_validation_the_same(pictures):
    X, y = (part[:60] for part in pictures[:2])
    state = torch.random.get_rng_state()
    still = make(max_epochs=3, lr=1e-12, early_stopping=True, linear_filter=0, normalization=None)
    history = still.fit(X, y).history_
    assert torch.equal(torch.random.get_rng_state(), state)
    assert np.ptp(history[:, "valid_loss"]) < 1e-7 < np.ptp(history[:, "train_loss"])


def test_training_continues(pictures):
    X, y = (part[:40] for part in pictures[:2])
    model = make().partial_fit(X, y).partial_fit(X, y)
    assert model.n_iter_ == 2
    model.predict(X, hints=hints_at(y, (2, 2)))
    with pytest.raises(ValueError, match="max_hints changed since the net was built"):
        model.set_params(max_hints=0).partial_fit(X, y)


def test_pipelines_pass_hints_on(pictures):
    X, y = (part[:40] for part in pictures[:2])
    pipeline = make_pipeline(FunctionTransformer(), make()).fit(X, y)
    hints = hints_at(y, (4, 4))
    expected = pipeline[-1].predict(X, hints=hints)
    np.testing.assert_array_equal(pipeline.predict(X, hints=hints), expected)
    with sklearn.config_context(enable_metadata_routing=True):
        routed = make_pipeline(FunctionTransformer(), pipeline[-1].set_predict_request(hints=True))
        np.testing.assert_array_equal(routed.predict(X, hints=hints), expected)


def test_given_hints_stay_as_they_are(pictures):
    X, y, _ = pictures
    hints = hints_at(y, (4, 4)).astype("float32")
    hints.flags.writeable = False
    X32, y32 = X.astype("float32"), y.astype("float32")
    make().fit(X32, y32).predict(X32, hints=hints)


# The draw.


def test_as_many_hints_are_drawn_as_asked_for():
    target = torch.rand(3000, 1, 40, 30)
    drawn = Hints(6, target, target, AbsoluteError()).draw(target, torch.Generator().manual_seed(0))
    is_given = ~drawn.isnan()
    torch.testing.assert_close(drawn[is_given], target[is_given])
    n = is_given[:, 0].flatten(1).sum(1)
    assert n.max() <= 6 * 3**2
    expected = np.log(2) / np.log(8)  # the logarithm of 1 + the number is uniform
    assert (n == 0).double().mean() == pytest.approx(expected, abs=0.03)
    for axis in (0, 1):
        inner = is_given[:, 0].double().mean(0)[3:-3, 3:-3].mean(axis)
        assert inner.std() < 0.1 * inner.mean()


@pytest.mark.parametrize("shape", [(5, 7), (1, 1), (16, 9), (13,)])
def test_values_spread_from_hints(shape):
    values = torch.rand(2, 3, *shape)
    known = torch.zeros(2, 4, *shape)
    assert torch.equal(spread(known), known)
    place = (0, slice(None), *(side // 2 for side in shape))
    known[place] = torch.cat([values[place], torch.ones(1)])
    one = spread(known)
    torch.testing.assert_close(
        one[0, :3], values[place].view(3, *[1] * len(shape)).expand(3, *shape)
    )
    torch.testing.assert_close(one[place], known[place])
    nearness = one[0, 3]
    assert (nearness > 0).all()
    assert (nearness == 1).sum() == 1
    assert torch.equal(one[1], known[1])
    both = spread(torch.cat([values, torch.ones_like(values[:, :1])], 1))
    torch.testing.assert_close(both[:, :3], values)


def test_small_images_and_signals_get_single_values():
    for shape in ((500, 1, 8, 8), (500, 3, 9), (500, 2, 1)):
        target = torch.rand(shape)
        drawn = Hints(1, target, target, AbsoluteError()).draw(
            target, torch.Generator().manual_seed(0)
        )
        assert torch.equal(drawn.isnan(), drawn[:, :1].isnan().expand(shape))
        n = (~drawn[:, 0].isnan()).flatten(1).sum(1)
        assert set(n.tolist()) == {0, 1}


# Mistakes.


def changed(hints, place, value):
    hints = hints.copy()
    hints[place] = value
    return hints


MISTAKES = {
    "samples": (lambda h: h[:-1], "hints holds 19 samples, but X 20"),
    "one image": (lambda h: h[0], "hints holds 16 samples, but X 20"),
    "a number": (lambda h: 0.5, r"hints holds 1 samples"),
    "size": (lambda h: h[:, :8], r"hints\[0\] is of shape \(8, 16, 3\).*\(16, 16, 3\)"),
    "channels": (lambda h: h[..., 0], r"hints\[0\] is of shape \(16, 16\).*\(16, 16, 3\)"),
    "infinite": (lambda h: changed(h, (3, 4, 5), np.inf), r"hints\[3\] holds inf at \(4, 5, 0\)"),
    "a channel": (
        lambda h: changed(h, (2, 7, 8, 1), 0.5),
        r"hints\[2\] holds some channels of the pixel \(7, 8\)",
    ),
    "range": (
        lambda h: 255 * h,
        r"hints\[0\] holds .* at \(4, 4, .\), but should be from .* units of predicted images",
    ),
    "zeros for none": (lambda h: np.nan_to_num(h), "gives all pixels.*Set those to NaN"),
    "bytes": (lambda h: np.nan_to_num(h).astype("uint8"), "uint8, which has no NaN"),
    "text": (lambda h: h.astype(str), "hints is of dtype .*, which is not numeric"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_named(mistake, fitted, pictures):
    change, message = MISTAKES[mistake]
    X, y, _ = pictures
    with pytest.raises(ValueError, match=message):
        fitted.predict(X[:20], hints=change(hints_at(y[:20], (4, 4))))


def test_units_of_bytes(rng):
    y = rng.integers(0, 256, (12, 8, 8, 3)).astype("uint8")
    model = make((4,)).fit(y[..., 0], y)
    hints = hints_at(y.astype(float), (2, 3))
    with pytest.raises(ValueError, match=r"fractions from .* Give hints .* 255 \* hints"):
        model.predict(y[..., 0], hints=hints / 255)
    with pytest.raises(ValueError, match="should be from 0 to 255"):
        model.predict(y[..., 0], hints=hints + 200)


def test_a_number_of_hints_is_needed(pictures):
    with pytest.raises(ValueError, match="'max_hints' parameter of ImageToImageRegressor"):
        make(max_hints=-1).fit(*pictures[:2])
