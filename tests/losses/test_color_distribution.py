import pickle

import numpy as np
import pytest
import torch
from skimage.color import gray2rgb, lab2rgb, rgb2lab
from sklearn.base import clone
from sklearn.metrics import make_scorer, r2_score
from sklearn.model_selection import GridSearchCV

import skae
from skae import ConvAutoencoder, ImageToImageRegressor
from skae.exceptions import UnusedParameterWarning
from skae.losses import ColorDistribution
from skae.losses._color_distribution import ColorAnswer, ColorSample
from skae.losses._lab import lab_to_rgb, lightness, rgb_to_lab
from skae.metrics import colorfulness, psnr_score

#: a and b of the two colors that things have.
RED, GREEN = (40, 15), (-40, 15)


def make(channels=(4, 6), **params):
    quick = {"max_epochs": 2, "check_baseline": False, "random_state": 0, "batch_size": 16}
    return ImageToImageRegressor(channels, **{"loss": "color_distribution", **quick, **params})


def channels_last(tensor):
    return tensor.movedim(1, -1).numpy()


@pytest.fixture(scope="module")
def pictures():
    """Gray pictures, each of them twice, and these in red and in green."""
    rng = np.random.default_rng(0)
    light = (55 + 10 * rng.random((32, 16, 16, 1))).repeat(2, axis=0)
    ab = np.where(np.arange(64)[:, None, None, None] % 2, RED, GREEN)
    y = lab2rgb(np.concatenate([light, np.broadcast_to(ab, (64, 16, 16, 2))], -1))
    X = lab2rgb(np.concatenate([light, np.zeros((64, 16, 16, 2))], -1))[..., 0]
    return X, y


@pytest.fixture(scope="module")
def model(pictures):
    return make(max_epochs=30, lr=0.03, early_stopping=False).fit(*pictures)


@pytest.fixture
def fitted(model):
    return pickle.loads(pickle.dumps(model))


# Colors.


def test_colors_are_those_of_scikit_image(rng):
    rgb = torch.tensor(rng.random((20, 3, 5, 4)))
    lab = rgb_to_lab(rgb)
    np.testing.assert_allclose(channels_last(lab), rgb2lab(channels_last(rgb)), atol=0.01)
    torch.testing.assert_close(lab_to_rgb(lab[:, :1], lab[:, 1:]), rgb, atol=1e-6, rtol=0)
    gray = torch.linspace(0, 1, 50)
    expected = rgb2lab(gray2rgb(gray.numpy()))[..., 0]
    np.testing.assert_allclose(lightness(gray), expected, atol=1e-3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_other_colors_than_those_of_srgb_lose_chroma_alone(dtype, rng):
    light = torch.tensor(rng.uniform(0, 100, (50, 1, 4, 4)), dtype=dtype)
    light[:2, :, 0] = torch.tensor([0.0, 100.0], dtype=dtype).view(2, 1, 1)
    ab = torch.tensor(rng.uniform(-120, 120, (50, 2, 4, 4)), dtype=dtype)
    rgb = lab_to_rgb(light, ab)
    assert rgb.min() >= 0
    assert rgb.max() <= 1
    found = rgb2lab(channels_last(rgb).astype("float64"))
    np.testing.assert_allclose(found[..., :1], channels_last(light), atol=0.01)
    given, kept = channels_last(ab), found[..., 1:]
    cross = given[..., 0] * kept[..., 1] - given[..., 1] * kept[..., 0]
    assert np.abs(cross / np.linalg.norm(given, axis=-1)).max() < 0.1  # of the same hue
    assert (np.linalg.norm(kept, axis=-1) < np.linalg.norm(given, axis=-1) + 0.1).all()


def test_the_most_chroma_that_srgb_has_is_kept():
    red = rgb_to_lab(torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1))
    found = lab_to_rgb(red[:, :1], 3 * red[:, 1:]).flatten()
    torch.testing.assert_close(found, torch.tensor([1.0, 0.0, 0.0]), atol=0.01, rtol=0)


# The loss.


class Targets:
    """A dataset of color pictures."""

    def __init__(self, rgb):
        self.rgb, self.sample_shape = rgb, tuple(rgb.shape[1:])

    def subsample(self, n_samples):
        return self

    def get_batch(self, which, dtype):
        return self.rgb[which].to(dtype), None


@pytest.fixture
def loss(pictures):
    loss = ColorDistribution(rebalancing=0.25)
    loss.setup(Targets(torch.tensor(pictures[1]).movedim(-1, 1)[:3]))  # two are green
    return loss


def memberships(ab, colors):
    """Return the weight of each color for a point, by a Gaussian of half a step of the grid."""
    near = np.exp(-((np.asarray(ab) - colors) ** 2).sum(1) / (2 * 6.0**2))
    return near / near.sum()


def test_cross_entropy_is_that_of_near_colors(loss, pictures, rng):
    colors = loss.colors.numpy().astype("float64")
    target = torch.tensor(pictures[1][:2], dtype=torch.float32).movedim(-1, 1)
    logits = torch.tensor(rng.normal(size=(2, len(colors), 8, 8)), dtype=torch.float32)
    gray = torch.zeros(2, 4, 8, 8)
    log_p = logits.log_softmax(1).double().numpy().mean((2, 3))
    expected = [
        -(memberships(ab, colors) * p).sum() for ab, p in zip((GREEN, RED), log_p, strict=True)
    ]
    found = loss(torch.cat([logits, gray], 1), target)
    np.testing.assert_allclose(found, expected, rtol=2e-3)


def test_rare_colors_weigh_more(loss):
    colors = loss.colors.numpy().astype("float64")
    frequency = (2 * memberships(GREEN, colors) + memberships(RED, colors)) / 3
    expected = 1 / (0.25 * frequency + 0.75 / len(colors))
    found = np.exp(loss.log_weight.numpy())
    np.testing.assert_allclose(found, expected, rtol=0.02)
    red, green = (np.abs(colors - color).sum(1).argmin() for color in (RED, GREEN))
    assert found[red] > found[green]


# What is predicted.


@pytest.mark.parametrize("temperature", [0.0, 0.4, 1.0])
def test_the_answer_has_the_lightness_of_the_input(temperature, fitted, pictures):
    X = np.random.default_rng(1).random((20, 16, 16))
    for sample_colors in (False, True):
        fitted.set_params(color_temperature=temperature, sample_colors=sample_colors)
        predicted = fitted.predict(X)
        assert predicted.shape == (20, 16, 16, 3)
        found, expected = (rgb2lab(image)[..., 0] for image in (predicted, gray2rgb(X)))
        np.testing.assert_allclose(found, expected, atol=0.01)


def test_a_lower_temperature_is_more_colorful(fitted, pictures):
    X, y = pictures
    values = [
        colorfulness(fitted.set_params(color_temperature=t).predict(X)) for t in (1.0, 0.5, 0.0)
    ]
    assert values == sorted(values)
    # The mean of red and green is yellowish, the most probable color is one of them.
    mean, _, mode = values
    assert mean < 0.7 * colorfulness(y) < mode


def test_samples_are_of_both_colors(fitted, pictures):
    X, _ = pictures
    fitted.set_params(color_temperature=0.0, sample_colors=True)
    a = rgb2lab(fitted.predict(X))[..., 1].mean((1, 2))
    assert (np.abs(np.abs(a) - 40) < 15).mean() > 0.7
    assert 15 < (a > 0).sum() < 49


def test_samples_follow_the_random_state(fitted, pictures):
    X, _ = pictures
    first = fitted.set_params(sample_colors=True).predict(X)
    np.testing.assert_array_equal(fitted.predict(X), first)
    np.testing.assert_array_equal(fitted.predict(X[:5]), first[:5])
    assert not np.array_equal(fitted.set_params(random_state=1).predict(X), first)
    rng = np.random.RandomState(0)
    drawn = [fitted.set_params(random_state=rng).predict(X) for _ in range(2)]
    assert not np.array_equal(*drawn)


def test_gumbel_noise_draws_each_color_as_often_as_it_is_probable():
    colors, p = torch.tensor([[0.0, 0.0], [30.0, 0.0], [0.0, 30.0]]), [0.6, 0.3, 0.1]
    output = torch.tensor([*np.log(p), 0.5]).expand(20_000, 4)[..., None, None]
    answer = ColorSample(colors, torch.zeros(3), 1, 0.0, np.random.RandomState(0))
    ab = rgb_to_lab(answer(output.float()))[:, 1:].flatten(1)
    counts = [(torch.cdist(ab, color[None]) < 1).float().mean() for color in colors]
    np.testing.assert_allclose(counts, p, atol=0.015)


def test_score_is_that_of_predictions(fitted, pictures):
    X, y = pictures
    scores = []
    for temperature in (0.0, 1.0):
        predicted = fitted.set_params(color_temperature=temperature).predict(X)
        expected = r2_score(
            *(part.reshape(64, -1) for part in (y, predicted)), multioutput="variance_weighted"
        )
        scores.append(fitted.score(X, y))
        assert scores[-1] == pytest.approx(expected, abs=1e-6)
    assert scores[1] > scores[0] + 0.1


def test_predicting_leaves_the_net_as_it_is(fitted, pictures):
    activation = fitted.net_.module_.output_activation
    fitted.set_params(color_temperature=0.0, sample_colors=True).predict(pictures[0])
    assert fitted.net_.module_.output_activation is activation
    assert (activation.temperature, type(activation)) == (1.0, ColorAnswer)


def test_learns_what_shades_tell():
    """Dark things are blue, bright ones yellow."""
    rng = np.random.default_rng(0)
    light = np.where(np.arange(60) % 2, 75, 35)[:, None, None, None] + 5 * rng.random((60, 8, 8, 1))
    ab = np.where(light > 55, (5, 45), (5, -35))
    y, X = (lab2rgb(np.concatenate([light, c], -1)) for c in (ab, 0 * ab))
    model = make((4,), max_epochs=15, lr=0.03).fit(X[:40, ..., :1], y[:40])
    predicted = model.predict(X[40:, ..., :1])
    assert psnr_score(y[40:], predicted) > psnr_score(y[40:], X[40:]) + 8
    assert colorfulness(predicted) > 0.8 * colorfulness(y[40:])


@pytest.mark.parametrize(
    ("shape", "params"),
    [
        ((9, 7), {}),
        ((16, 18, 1), {}),
        ((1, 16, 16), {"channels_first": True}),
        ((63,), {"image_shape": (9, 7), "target_shape": (9, 7, 3)}),
    ],
)
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_layouts_and_types(shape, params, dtype, rng):
    target_shape = {(9, 7): (9, 7, 3), (63,): (189,), (1, 16, 16): (3, 16, 16)}.get(shape)
    X, y = (rng.random((24, *s)) for s in (shape, target_shape or (16, 18, 3)))
    if dtype == "uint8":
        X, y = 255 * X, 255 * y
    X, y = X.astype(dtype), y.astype(dtype)
    for model in (make(**params).fit(X, y), make(**params).partial_fit(X, y)):
        predicted = model.predict(X)
        assert (predicted.shape, predicted.dtype) == (y.shape, y.dtype)
    if dtype == "uint8" and shape == (9, 7):
        found, expected = (rgb2lab(image)[..., 0] for image in (predicted, gray2rgb(X)))
        assert np.abs(found - expected).max() < 1


# As an estimator.


def test_files_and_clones(fitted, pictures, tmp_path):
    X, y = pictures
    skae.save(fitted, tmp_path / "model.skae")
    np.testing.assert_array_equal(skae.load(tmp_path / "model.skae").predict(X), fitted.predict(X))
    first, second = (clone(make()).fit(X, y).predict(X) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_grid_search_over_the_temperature(pictures):
    X, y = pictures
    grid = {"color_temperature": [0.0, 1.0]}
    for scoring in (None, make_scorer(psnr_score)):
        search = GridSearchCV(make(), grid, scoring=scoring, cv=2).fit(X[:32], y[:32])
        assert np.isfinite(search.cv_results_["mean_test_score"]).all()


MISTAKES = {
    "colored input": (lambda X, y: make().fit(y, y), "needs X with one channel.*rgb2gray"),
    "signals": (lambda X, y: make().fit(X[:, 0], y[:, 0]), "needs X with one channel"),
    "alpha": (lambda X, y: make().fit(X, y[..., [0, 1, 2, 0]]), "three channels.*got 4"),
    "gray target": (lambda X, y: make().fit(X, X), "three channels.*got 1"),
    "other size": (lambda X, y: make().fit(X[:, ::2, ::2], y), "of one size.*8 x 8 and 16 x 16"),
    "range of y": (lambda X, y: make().fit(X, 255 * y), r"needs y within \[0.0, 1.0\]"),
    "range of X": (lambda X, y: make().fit(255 * X, y), r"needs X within \[0.0, 1.0\]"),
    "negative": (lambda X, y: make().fit(X, y - 1), "needs y within.*values go from -"),
    "activation": (
        lambda X, y: make(output_activation="sigmoid").fit(X, y),
        "needs output_activation='identity' or 'auto'",
    ),
    "temperature": (lambda X, y: make(color_temperature=2).fit(X, y), "color_temperature"),
    "mix": (
        lambda X, y: make(loss={"color_distribution": 1.0}).fit(X, y),
        "a mixed loss needs names among",
    ),
    "autoencoder": (
        lambda X, y: ConvAutoencoder(2, loss="color_distribution").fit(y),
        "'loss' parameter of ConvAutoencoder",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_named(mistake, pictures):
    call, message = MISTAKES[mistake]
    with pytest.raises(ValueError, match=message):
        call(*pictures)


def test_other_ranges_are_refused_after_fit(fitted, pictures):
    X, y = pictures
    for call in (fitted.predict, fitted.transform, lambda X: fitted.score(X, y)):
        with pytest.raises(ValueError, match="needs X within"):
            call(3 * X)


def test_parameters_of_colors_need_the_loss(pictures):
    with pytest.warns(UnusedParameterWarning, match="color_temperature=0.1 has no effect"):
        make((4,), loss="huber", color_temperature=0.1).fit(*pictures)


def test_other_sizes_get_colors_too(fitted, rng):
    X = rng.random((2, 33, 21))
    light = rgb2lab(fitted.predict(X))[..., 0]
    np.testing.assert_allclose(light, rgb2lab(gray2rgb(X))[..., 0], atol=0.01)


def test_large_pictures_have_no_seams(fitted, rng, monkeypatch):
    X = rng.random((1, 151, 130))
    means = fitted.predict(X)
    samples = fitted.set_params(sample_colors=True).predict(X)
    monkeypatch.setattr("skae.architectures._tiles.MAX_WHOLE", 100)
    monkeypatch.setattr("skae.architectures._tiles.TILE_PIXELS", 400)
    np.testing.assert_array_equal(fitted.predict(X), samples)
    np.testing.assert_allclose(fitted.set_params(sample_colors=False).predict(X), means, atol=1e-6)
