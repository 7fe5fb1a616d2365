import numpy as np
import pytest
import torch
from numpy.lib.stride_tricks import sliding_window_view
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from sklearn.datasets import load_sample_image

from skae.losses import MixedLoss, StructuralDissimilarity
from skae.losses._mixed import make_loss
from skae.metrics import (
    colorfulness,
    exact_match_score,
    ms_ssim_score,
    psnr_score,
    ssim_score,
)

SKIMAGE = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}


@pytest.fixture(scope="module")
def pairs(global_random_seed):
    """Patches of a photograph in bytes, and the same with noise."""
    image = load_sample_image("flower.jpg")
    y = np.stack([image[i : i + 20, i : i + 25] for i in range(0, 360, 60)])
    noise = np.random.default_rng(global_random_seed).normal(scale=20, size=y.shape)
    return y, (y + noise).clip(0, 255).astype("uint8")


@pytest.mark.parametrize("divisor", [1, 255.0])
def test_scores_are_those_of_scikit_image(divisor, pairs):
    y, noisy = (part if divisor == 1 else part / divisor for part in pairs)
    data_range = 255 / divisor
    psnr = [peak_signal_noise_ratio(*p, data_range=data_range) for p in zip(y, noisy, strict=True)]
    ssim = [
        structural_similarity(*p, data_range=data_range, channel_axis=-1, **SKIMAGE)
        for p in zip(y, noisy, strict=True)
    ]
    assert psnr_score(y, noisy) == pytest.approx(np.mean(psnr), rel=1e-9)
    assert ssim_score(y, noisy) == pytest.approx(np.mean(ssim), rel=1e-6)
    first = np.moveaxis(y, -1, 1), np.moveaxis(noisy, -1, 1)
    assert ssim_score(*first, channels_first=True) == pytest.approx(np.mean(ssim), rel=1e-6)
    gray = y[..., 0], noisy[..., 0]
    ssim = [
        structural_similarity(*p, data_range=data_range, **SKIMAGE) for p in zip(*gray, strict=True)
    ]
    assert ssim_score(*gray) == pytest.approx(np.mean(ssim), rel=1e-6)


def multi_scale_by_definition(y, noisy, exponents, data_range=1.0):
    """MS-SSIM of two gray images as the paper has it, with windows and means by NumPy."""
    place = np.arange(-5, 6)
    window = np.exp(-(place**2) / (2 * 1.5**2))
    window = np.outer(window, window) / window.sum() ** 2
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2

    def blur(x):
        return (sliding_window_view(x, (11, 11)) * window).sum((2, 3))

    def halved(x):
        height, width = (side // 2 for side in x.shape)
        return x[: 2 * height, : 2 * width].reshape(height, 2, width, 2).mean((1, 3))

    score = 1.0
    for scale, exponent in enumerate(exponents, start=1):
        mean_y, mean_x = blur(y), blur(noisy)
        covariance = blur(y * noisy) - mean_y * mean_x
        variances = blur(y * y) - mean_y**2 + blur(noisy * noisy) - mean_x**2
        structure = (2 * covariance + c2) / (variances + c2)
        if scale == len(exponents):
            structure *= (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
        score *= structure.mean() ** exponent
        y, noisy = halved(y), halved(noisy)
    return score


EXPONENTS = np.array([0.0448, 0.2856, 0.3001, 0.2363, 0.1333])


@pytest.mark.parametrize(
    ("height", "width", "n_scales"), [(176, 180, 5), (175, 180, 4), (60, 45, 3), (23, 22, 2)]
)
def test_ms_ssim_is_that_of_the_paper(height, width, n_scales, rng):
    y = load_sample_image("flower.jpg")[100 : 100 + height, 200 : 200 + width, 0] / 255
    noisy = y + 0.1 * rng.standard_normal(y.shape)
    exponents = EXPONENTS[:n_scales]
    if n_scales < 5:
        exponents = exponents / exponents.sum()
    expected = multi_scale_by_definition(y, noisy, exponents)
    assert ms_ssim_score(y[None], noisy[None]) == pytest.approx(expected, rel=1e-9)
    colors = np.stack([y, 1 - y], -1)[None], np.stack([noisy, 1 - y], -1)[None]
    assert ms_ssim_score(*colors) == pytest.approx((expected + 1) / 2, rel=1e-9)


def test_ms_ssim_in_closed_form():
    """Of even images only the luminance counts, at the coarsest scale."""
    dark, bright = np.full((1, 176, 176), 0.2), np.full((1, 176, 176), 0.6)
    c1 = 0.01**2
    luminance = (2 * 0.2 * 0.6 + c1) / (0.2**2 + 0.6**2 + c1)
    assert ms_ssim_score(dark, bright) == pytest.approx(luminance**0.1333, rel=1e-6)


def test_ms_ssim_of_one_scale_is_ssim(rng):
    y = rng.random((3, 21, 30))
    noisy = y + 0.1 * rng.standard_normal(y.shape)
    assert ms_ssim_score(y, noisy) == pytest.approx(ssim_score(y, noisy), rel=1e-12)


def test_ms_ssim_of_negatives_and_of_signals(rng):
    y = rng.random((1, 88, 88))
    assert ms_ssim_score(y, 1 - y) == 0  # a mean structure below 0 counts as 0
    assert 0 < ms_ssim_score(y.reshape(1, -1), y.reshape(1, -1) + 0.1, spatial_dims=1) < 1


def test_scores_of_equal_images(pairs):
    assert ms_ssim_score(pairs[0], pairs[0]) == 1
    assert ssim_score(pairs[0], pairs[0]) == 1
    assert psnr_score(pairs[0], pairs[0]) == np.inf


def test_scores_of_signals_and_of_small_images(rng):
    y = rng.random((3, 30, 2))
    assert 0 < ssim_score(y, y + 0.1, spatial_dims=1) < 1
    assert 0 < ssim_score(y[:, :4], y[:, :4] + 0.1) < 1


@pytest.mark.parametrize("score", [psnr_score, ssim_score, ms_ssim_score])
def test_scores_refuse_other_shapes(score):
    with pytest.raises(ValueError, match=r"y_true is of shape \(2, 8, 8\), but y_pred of"):
        score(np.ones((2, 8, 8)), np.ones((2, 8, 7)))


@pytest.mark.parametrize("score", [psnr_score, ssim_score, ms_ssim_score])
@pytest.mark.parametrize(
    ("y", "predicted", "params", "message"),
    [
        (np.ones((1, 8, 8), "uint8"), np.ones((1, 8, 8)), {}, "give data_range"),
        (np.ones((1, 8, 8), int), 200 * np.ones((1, 8, 8), int), {}, "give data_range"),
        (np.ones((1, 8, 8)), np.ones((1, 8, 8)), {"data_range": 0}, "must be a positive number"),
        (np.ones((1, 8, 8)), np.full((1, 8, 8), np.nan), {}, "need finite numbers"),
    ],
)
def test_scores_refuse_what_is_not_clear(score, y, predicted, params, message):
    with pytest.raises(ValueError, match=message):
        score(y, predicted, **params)


def test_bytes_beside_floats_of_their_range(pairs):
    y, noisy = pairs
    assert psnr_score(y, noisy.astype(float)) == pytest.approx(psnr_score(y, noisy))


def test_scores_of_flat_rows(pairs):
    y, noisy = (part[..., 0] for part in pairs)
    flat = y.reshape(len(y), -1), noisy.reshape(len(y), -1)
    assert ssim_score(*flat, image_shape=y.shape[1:]) == ssim_score(y, noisy)


def test_structural_loss_has_the_right_gradient(rng):
    x, y = (torch.tensor(rng.random((2, 2, 6, 7))) for _ in range(2))
    assert torch.autograd.gradcheck(StructuralDissimilarity(), (x.requires_grad_(), y))


def test_structural_loss_is_the_score(pairs):
    y, noisy = (torch.tensor(part / 255).movedim(-1, 1) for part in pairs)
    loss = StructuralDissimilarity()(noisy, y).mean()
    assert 1 - 2 * float(loss) == pytest.approx(ssim_score(*pairs), rel=1e-9)


def test_a_mix_adds_up(pairs):
    y, noisy = (torch.tensor(part / 255).movedim(-1, 1) for part in pairs)
    mix = make_loss({"ssim": 0.8, "absolute_error": 0.2})(noisy, y)
    parts = 0.8 * StructuralDissimilarity()(noisy, y) + 0.2 * (noisy - y).abs().mean((1, 2, 3))
    torch.testing.assert_close(mix, parts)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({}, "needs names among"),
        ({"sism": 1.0}, "needs names among"),
        ({"binary_cross_entropy": 1.0, "ssim": 1.0}, "needs names among"),
        ({"ssim": -1.0}, "must be positive"),
        ({"ssim": "much"}, "must be positive"),
    ],
)
def test_mistaken_mixes_are_named(weights, message):
    with pytest.raises(ValueError, match=message):
        MixedLoss(weights)


@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_colorfulness_in_closed_form(dtype):
    half_red = np.zeros((1, 4, 6, 3))
    half_red[:, :2, :, 0] = half_red[:, 2:, :, 2] = 1  # and half blue
    images = (half_red * (255 if dtype == "uint8" else 1)).astype(dtype)
    std, mean = np.hypot(127.5, 191.25), np.hypot(127.5, 63.75)  # of red - green, yellow - blue
    assert colorfulness(images) == pytest.approx(std + 0.3 * mean)
    both = np.concatenate([images, images[..., [0, 0, 0]]])  # the mean of this one and a gray one
    expected = (std + 0.3 * mean) / 2
    assert colorfulness(both) == pytest.approx(expected)
    assert colorfulness(both.transpose(0, 3, 1, 2), channels_first=True) == pytest.approx(expected)


def test_colorfulness_needs_three_channels(rng):
    with pytest.raises(ValueError, match="red, green and blue"):
        colorfulness(rng.random((2, 8, 8, 4)))


def test_exact_matches_are_the_same_text():
    right = ["Zoë", "a b", "Oui.", "non", "le  thé"]
    #     decomposed, blanks at the ends, case, a period, blanks inside
    predicted = ["Zoe\u0308", " a b\n", "oui.", "non.", "le thé"]
    assert exact_match_score(right, predicted) == 0.4
    assert exact_match_score([["no", "non."]] * 2, ["non.", "no, non."]) == 0.5
    with pytest.raises(ValueError, match="y_true has 1 samples, but y_pred 2"):
        exact_match_score(["a"], ["a", "b"])
