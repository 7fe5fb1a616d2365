import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.linear_model import LinearRegression
from sklearn.metrics import make_scorer
from sklearn.model_selection import GridSearchCV, cross_val_score

from skae import ImageToImageRegressor
from skae.architectures._augmentation import Augmentation
from skae.exceptions import PoorFitWarning
from skae.metrics import psnr_score, ssim_score


@pytest.fixture(scope="module")
def digits():
    return load_digits().images[:80] / 16


def _tensor(images):
    return torch.tensor(images[:, None], dtype=torch.float32)


def make(channels=(4, 6), **params):
    quick = {"max_epochs": 2, "check_baseline": False, "random_state": 0}
    return ImageToImageRegressor(channels, **{**quick, **params})


def colored(images):
    return np.stack([images, images**2, 1 - images], -1)


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8"])
@pytest.mark.parametrize(
    ("shape", "target_shape", "params"),
    [
        ((9, 7), (9, 7, 3), {}),
        ((9, 7, 3), (9, 7), {}),
        ((9, 7), (27, 21), {}),
        ((8, 8, 3), (4, 4, 2), {}),
        ((3, 9, 7), (1, 18, 14), {"channels_first": True}),
        ((63,), (63,), {"image_shape": (9, 7)}),
        ((63,), (189,), {"image_shape": (9, 7), "target_shape": (9, 7, 3)}),
        ((63,), (9, 7, 3), {"image_shape": (9, 7)}),
        ((17,), (17,), {}),
        ((17,), (34, 2), {}),
        ((17, 2), (17,), {"spatial_dims": 1}),
        ((17,), (), {"channels": (4,)}),
    ],
)
def test_predictions_are_like_targets(shape, target_shape, params, dtype, rng):
    X = rng.integers(0, 2, (12, *shape)).astype(dtype)
    y = rng.integers(0, 2, (12, *target_shape)).astype(dtype)
    for model in (make(**params).fit(X, y), make(**params).partial_fit(X, y)):
        predicted = model.predict(X)
        assert predicted.shape == y.shape
        assert predicted.dtype == y.dtype
        assert model.transform(X).shape == (12, model.n_components_)
        assert np.isfinite(model.score(X, y))


def test_starts_at_the_best_filter_for_all_pixels(rng):
    X, y = rng.random((30, 5, 5)), rng.random((30, 5, 5, 2))
    model = make(linear_filter=3, lr=1e-12, max_epochs=1, early_stopping=False).fit(X, y)
    padded = np.pad(X, [(0, 0), (1, 1), (1, 1)], mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    features = windows.reshape(-1, 9)
    expected = LinearRegression().fit(features, y.reshape(-1, 2)).predict(features)
    np.testing.assert_allclose(model.predict(X).reshape(-1, 2), expected, atol=1e-5)


@pytest.mark.parametrize(("factor", "offset"), [(1000, 0), (1, 1000), (1e-3, -5)])
def test_units_do_not_matter(global_random_seed, factor, offset, digits):
    X, y = digits[:, ::2, ::2], digits
    expected = make(random_state=global_random_seed).fit(X, y).score(X, y)
    X, y = factor * X + offset, factor * y + offset
    assert make(random_state=global_random_seed).fit(X, y).score(X, y) == pytest.approx(
        expected, abs=0.03
    )


def test_masks_of_bytes_are_learned(global_random_seed, digits):
    y = (digits > 0.5).astype("uint8")
    of_bytes, of_bools = (
        make(random_state=global_random_seed).fit(digits, t).score(digits, t) for t in (y, y > 0)
    )
    assert of_bytes == pytest.approx(of_bools, abs=0.03)


def test_targets_as_lists_and_tensors(digits):
    expected = make().fit(digits, digits).predict(digits)
    for y in (list(digits), torch.tensor(digits)):
        np.testing.assert_array_equal(make().fit(digits, y).predict(digits), expected)


def test_frames_of_pandas_and_polars(digits):
    flat = digits.reshape(80, -1)
    expected = make(image_shape=(8, 8)).fit(flat, flat).predict(flat)
    columns = [f"pixel{i}" for i in range(64)]
    for frame in (pd.DataFrame(flat, columns=columns), pl.DataFrame(flat, schema=columns)):
        model = make(image_shape=(8, 8)).fit(frame, frame)
        predicted = model.predict(frame)
        assert list(predicted.columns) == columns
        np.testing.assert_array_equal(predicted.to_numpy(), expected)


def test_a_seed_gives_the_same_bits_at_every_fit(rng):
    images = rng.random((40, 8, 8))  # the regression on themselves leaves rounding errors
    first, *others = (make((4,), max_epochs=1).fit(images, images) for _ in range(8))
    for model in others:
        for one, other in zip(*(m.net_.module_.parameters() for m in (first, model)), strict=True):
            assert torch.equal(one, other)


def test_learns_what_a_linear_filter_cannot(digits):
    images = load_digits().images / 16
    X, y = images[:, ::2, ::2], images
    linear = make(lr=1e-12, max_epochs=1).fit(X[:1500], y[:1500]).score(X[1500:], y[1500:])
    net = make((8, 16), max_epochs=10).fit(X[:1500], y[:1500]).score(X[1500:], y[1500:])
    assert net > linear + 0.15


def test_score_is_r2(global_random_seed, digits):
    X, y = digits, colored(digits)
    model = make(random_state=global_random_seed).fit(X, y)
    residual = ((y - model.predict(X)) ** 2).sum()
    total = ((y - y.mean(0)) ** 2).sum()
    assert model.score(X, y) == pytest.approx(1 - residual / total, abs=1e-6)
    weight = np.arange(80.0)
    repeated = np.repeat(np.arange(80), 3), np.repeat(np.arange(80), np.arange(80))
    assert model.score(X, y, weight) == pytest.approx(
        model.score(X[repeated[1]], y[repeated[1]]), abs=1e-6
    )


def test_scorers_and_grid_search(digits):
    X, y = digits, colored(digits)
    for score in (psnr_score, ssim_score):
        scores = cross_val_score(make(), X, y, scoring=make_scorer(score), cv=2)
        assert np.isfinite(scores).all()
    search = GridSearchCV(make(), {"channels": [(4,), (4, 6)]}, cv=2).fit(X, y)
    assert search.predict(X).shape == y.shape


@pytest.mark.parametrize(
    "loss",
    ["squared_error", "absolute_error", "binary_cross_entropy", "ssim"]
    + [{"ssim": 0.8, "absolute_error": 0.2}],
)
def test_losses(loss, digits):
    model = make(loss=loss).fit(digits, colored(digits))
    assert model.predict(digits).shape == (80, 8, 8, 3)
    assert len(model.loss_curve_) == 2
    clone(model)


def n_weights(model):
    return sum(p.numel() for p in model.net_.module_.parameters())


def test_parts_can_be_left_out(digits):
    full = make(skip_connections="concatenate").fit(digits, digits)
    added = make().fit(digits, digits)
    bare = make(skip_connections=None, linear_filter=0, n_residual_blocks=0).fit(digits, digits)
    assert n_weights(full) > n_weights(added) > n_weights(bare)
    # Without skip connections, what the smallest maps say is all there is.
    encoder, decoder = bare.net_.module_.encoder, bare.net_.module_.decoder
    image, *maps = encoder(_tensor(digits))
    np.testing.assert_array_equal(
        decoder([image, *maps]).detach(),
        decoder([image, *(0 * m for m in maps[:-1]), maps[-1]]).detach(),
    )


def test_augmentation_moves_pairs_together(global_random_seed, rng):
    torch.manual_seed(global_random_seed)
    x = torch.tensor(rng.random((200, 1, 6, 8)))
    y = x.repeat_interleave(2, 2).repeat_interleave(2, 3)
    moved, target = Augmentation("both", 2)(x, y)
    torch.testing.assert_close(target, moved.repeat_interleave(2, 2).repeat_interleave(2, 3))
    same = (moved == x).flatten(1).all(1).double().mean()
    assert same < 0.1
    flipped, _ = Augmentation("horizontal", 0)(x, y)
    is_same = (flipped == x).flatten(1).all(1)
    assert 0.3 < is_same.double().mean() < 0.7
    torch.testing.assert_close(flipped[~is_same], x[~is_same].flip(-1))


@pytest.mark.parametrize("augmentation", [{"flips": "both"}, {"max_shift": 1}])
def test_augmentation_is_for_training_alone(augmentation, digits):
    plain = make(early_stopping=False).fit(digits, digits)
    model = make(early_stopping=False, **augmentation).fit(digits, digits)
    assert not np.array_equal(model.predict(digits), plain.predict(digits))
    np.testing.assert_array_equal(model.predict(digits), model.predict(digits))


def test_augmentation_of_signals(digits):
    signals = digits.reshape(80, -1)
    make(flips="horizontal", max_shift=2).fit(signals, signals)


def test_validation_pairs_are_taken(digits):
    X, y = digits, colored(digits)
    model = make().fit(X[:60], y[:60], X_val=X[60:], y_val=y[60:])
    assert "valid_loss" in model.history_[-1]
    with pytest.raises(ValueError, match="X_val and y_val go together"):
        make().fit(X, y, X_val=X)


def test_weights_of_pairs(digits):
    X, y = digits, colored(digits)
    weight = np.r_[np.ones(40), np.zeros(40)]
    half = make(early_stopping=False).fit(X[:40], y[:40])
    weighted = make(early_stopping=False).fit(X, y, weight)
    np.testing.assert_allclose(weighted.predict(X), half.predict(X), atol=1e-6)


def test_a_poor_fit_warns(digits):
    model = make(linear_filter=0, lr=30.0, check_baseline=True, early_stopping=False)
    with pytest.warns(PoorFitWarning, match="worse than the mean image"):
        model.fit(digits, digits)


def hole(y):
    y = y.copy()
    y[3, 1, 2] = np.inf
    return y


MISTAKES = {
    "no target": (lambda X: make().fit(X, None), "requires y to be passed"),
    "other length": (lambda X: make().fit(X, X[:-1]), "X holds 80 samples, but y 79"),
    "no multiple": (lambda X: make().fit(X, X[:, :7]), "y has samples of 7 x 8, X of 8 x 8"),
    "two multiples": (lambda X: make().fit(X[:, ::2], X), "the same for all axes"),
    "holes": (lambda X: make().fit(X, hole(X)), r"y\[3\] holds inf at \(1, 2\)"),
    "logits": (
        lambda X: make(loss="binary_cross_entropy").fit(X, 255 * X),
        r"needs y within \[0, 1\], but its values go from 0 to 255",
    ),
    "depth": (lambda X: make((2,) * 6).fit(X, X), "6 stages.*Give at most 4"),
    "flat target": (
        lambda X: make().fit(X, X.reshape(80, -1)),
        "For rows of numbers give target_shape",
    ),
    "other target": (
        lambda X: make().fit(X, X).partial_fit(X, colored(X)),
        r"y holds samples of shape \(8, 8, 3\), but the fit was on",
    ),
    "other input": (
        lambda X: make().fit(X, X).predict(colored(X)),
        r"\(8, 8, 3\), but the fit was on.*gray, for instance by",
    ),
    "even filter": (lambda X: make(linear_filter=4).fit(X, X), "linear_filter must be odd or 0"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_named(mistake, digits):
    call, message = MISTAKES[mistake]
    with pytest.raises(ValueError, match=message):
        call(digits)
