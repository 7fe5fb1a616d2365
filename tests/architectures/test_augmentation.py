"""Random changes of images in training, for autoencoders and for pairs."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits

import skae
from skae import (
    Autoencoder,
    ConvAutoencoder,
    DenoisingAutoencoder,
    ImageToImageRegressor,
    VariationalAutoencoder,
)
from skae.architectures import Conv
from skae.architectures._augmentation import Augmentation

QUICK = {"max_epochs": 2, "check_baseline": False, "random_state": 0}
ALL = {
    "flips": "both",
    "max_shift": 1,
    "max_rotation": 10,
    "max_crop": 0.2,
    "max_brightness": 0.2,
}
EACH = [{name: value} for name, value in ALL.items()]


@pytest.fixture(scope="module")
def digits():
    """40 digits of 8 x 8 pixels, from 0 to 1."""
    return load_digits().images[:40] / 16


@pytest.fixture
def images(global_random_seed):
    """200 smooth images of 3 channels."""
    torch.manual_seed(global_random_seed)
    waves = torch.linspace(0, 6, 24)[:, None] + 0.3 * torch.arange(16)
    phase = 6 * torch.rand(200, 3, 1, 1)
    return 0.5 + 0.4 * torch.sin(waves + phase) * torch.rand(200, 1, 1, 1)


def make(**params):
    return ConvAutoencoder(3, **{"channels": (4,), **QUICK, **params})


def seen(model, X):
    """Return what the encoder gets and the target of the loss, for images in training."""
    module, x = model.net_.module_, torch.tensor(X[:, None], dtype=torch.float32)
    torch.manual_seed(0)
    x, target, _ = module.training_inputs(x, x)
    return x, target


@pytest.mark.parametrize("params", [*EACH, ALL], ids=str)
def test_augmentation_changes_training_alone(params, digits):
    plain = make(early_stopping=False).fit(digits)
    model = make(early_stopping=False, **params).fit(digits)
    assert not np.array_equal(model.transform(digits), plain.transform(digits))
    np.testing.assert_array_equal(model.transform(digits), model.transform(digits))
    x, target = seen(model, digits)
    assert x is target  # changed once
    assert not torch.equal(x, torch.tensor(digits[:, None], dtype=torch.float32))
    module, x = model.net_.module_, torch.tensor(digits[:, None])
    held_out, _, _ = module.training_inputs(x, x, training=False)
    assert held_out is x


def test_off_by_default(digits):
    assert make().fit(digits).net_.module_.augmentation is None
    off = dict.fromkeys(ALL, 0) | {"flips": None}
    np.testing.assert_array_equal(
        make(**off).fit(digits).transform(digits), make().fit(digits).transform(digits)
    )


@pytest.mark.parametrize("kind", [Autoencoder, VariationalAutoencoder])
def test_other_autoencoders_have_it_by_their_architecture(kind, digits):
    model = kind(3, architecture=Conv((4,), max_shift=2), **QUICK).fit(digits)
    assert isinstance(model.net_.module_.augmentation, Augmentation)
    assert model.get_params()["architecture__max_shift"] == 2


def test_images_are_changed_before_they_are_damaged(digits):
    model = DenoisingAutoencoder(
        3,
        corruption="masking",
        noise_level=0.5,
        architecture=Conv((4,), max_shift=3),
        **QUICK,
    ).fit(digits)
    x, target = seen(model, digits)
    damaged = x != target
    assert 0.1 < damaged.float().mean() < 0.6
    assert (x[damaged] == 0).all()  # all other pixels are those of the shifted image
    assert not torch.equal(target, torch.tensor(digits[:, None], dtype=torch.float32))


def test_same_seed_same_bits(digits):
    model = make(**ALL).fit(digits)
    before = torch.get_rng_state()
    again = clone(model).fit(digits)
    assert torch.equal(torch.get_rng_state(), before)
    np.testing.assert_array_equal(model.transform(digits), again.transform(digits))
    other = make(**ALL).set_params(random_state=1).fit(digits)
    assert not np.array_equal(model.transform(digits), other.transform(digits))


def test_models_are_saved_with_it(digits, tmp_path):
    model = make(**ALL, warm_start=True).fit(digits)
    skae.save(model, tmp_path / "model.skae")
    loaded = skae.load(tmp_path / "model.skae")
    assert loaded.fit(digits).n_iter_ == 4
    assert loaded.net_.module_.augmentation.max_crop == 0.2


@pytest.mark.parametrize(
    ("model", "names"),
    [
        (make(), ("max_shift",)),
        (Autoencoder(3, architecture=Conv((4,)), **QUICK), ("architecture__max_shift",)),
        (Autoencoder(3, architecture="conv", **QUICK), ("architecture__max_shift",)),
    ],
    ids=["own", "architecture", "name"],
)
def test_training_continues_with_another_augmentation(model, names, digits):
    model = clone(model).set_params(warm_start=True).fit(digits)
    model.set_params(**dict.fromkeys(names, 2)).fit(digits)
    assert model.n_iter_ == 4
    assert model.net_.module_.augmentation.max_shift == 2


def test_pairs_change_alike(images):
    target = 2 * images.repeat_interleave(2, 2).repeat_interleave(2, 3)
    torch.manual_seed(0)
    x, y = Augmentation(**ALL)(images, target)
    assert x.shape == images.shape
    assert y.shape == target.shape
    shrunk = y.unflatten(2, (-1, 2)).unflatten(4, (-1, 2)).mean((3, 5)) / 2
    inside = np.s_[:, :, 3:-3, 3:-3]
    assert (shrunk - x)[inside].abs().mean() < 0.02 < (x - images)[inside].abs().mean()


def test_rotation_is_about_the_middle_and_keeps_proportions():
    """A cross of 9 pixels in an image that is not square stays one of 9 when it is turned."""
    image = torch.zeros(500, 1, 21, 31)
    image[:, :, 10, 11:20] = image[:, :, 6:15, 15] = 1
    torch.manual_seed(0)
    turned = Augmentation(max_rotation=180)(image)[0]
    assert turned.sum((1, 2, 3)).sub(17).abs().mean() < 4  # rounded, as there are two values
    rows, columns = (torch.arange(n) - n // 2 for n in (21, 31))
    distance = (rows[:, None] ** 2 + columns**2).sqrt()
    assert (distance * turned).max() < 5.5
    assert (turned[:, 0, 10, 15] == 1).all()


def test_a_crop_is_a_part_at_full_size():
    ramp = torch.linspace(0, 1, 20).expand(300, 1, 16, 20)
    torch.manual_seed(0)
    cropped = Augmentation(max_crop=0.5)(ramp)[0][:, 0, 8]
    extent = cropped[:, -1] - cropped[:, 0]
    assert extent.min() > 0.45
    assert extent.max() > 0.95
    assert cropped[:, 0].max() > 0.4  # at any place
    torch.testing.assert_close(cropped[:, 10] - cropped[:, 9], extent / 19, atol=0.01, rtol=0.02)


def test_brightness_multiplies_within_the_range(images):
    torch.manual_seed(0)
    changed = Augmentation(max_brightness=0.5)(images)[0]
    assert changed.min() >= images.min()
    assert changed.max() <= images.max()
    ratio = (changed / images).flatten(1)
    is_free = ~(
        (changed == images.amin((0, 2, 3), keepdim=True))
        | (changed == images.amax((0, 2, 3), keepdim=True))
    ).flatten(1)
    for row, free in zip(ratio, is_free, strict=True):
        torch.testing.assert_close(row[free], row[free].mean().expand(int(free.sum())))
    assert 0.5 <= ratio.min() < 0.6
    assert 1.2 < ratio.max() <= 1.5


def test_masks_keep_their_two_values(images):
    mask = (images[:, :1] > 0.6).float()
    torch.manual_seed(0)
    with_mask, target = Augmentation(**ALL)(torch.cat([images, mask], 1), mask)
    for found in (with_mask[:, 3:], target):
        assert set(found.unique().tolist()) == {0.0, 1.0}
    assert torch.equal(with_mask[:, 3:], target)
    assert not torch.equal(target, mask)
    assert len(with_mask[:, :3].unique()) > 1000


def test_channels_are_shuffled_alike_in_both_images(images):
    more = torch.cat([images, images[:, :1] ** 2], 1)  # one that its target does not have
    torch.manual_seed(0)
    shuffled, target = Augmentation(shuffle_channels=True)(more, images)
    assert torch.equal(shuffled[:, :3], target)
    assert torch.equal(shuffled[:, 3], more[:, 3])
    torch.testing.assert_close(target.sort(1).values, images.sort(1).values, rtol=0, atol=0)
    means = target.mean((2, 3))
    orders = {tuple(row.tolist()) for row in means.argsort(1)}
    assert len(orders) > 3


@pytest.mark.parametrize("shapes", [(1, 1), (3, 1), (1, 3)])
def test_single_channels_are_not_shuffled(shapes):
    X, y = (np.random.default_rng(0).random((20, 8, 8, n_channels)) for n_channels in shapes)
    which = "X" if shapes[0] == 1 else "y"
    with pytest.raises(ValueError, match=f"shuffle_channels=True .* but {which} has a single one"):
        ImageToImageRegressor((4,), shuffle_channels=True, **QUICK).fit(X, y)


def test_autoencoders_shuffle_channels(digits):
    colored = np.stack([digits, digits**2, 1 - digits], -1)
    make(shuffle_channels=True).fit(colored)
    with pytest.raises(ValueError, match="but the samples have a single one"):
        make(shuffle_channels=True).fit(digits)


def test_colors_that_no_pair_had_are_kept():
    rng = np.random.default_rng(0)
    y = rng.random((200, 8, 8, 3)) * [1, 0.5, 0.1]  # never blue
    x = y + rng.normal(scale=0.1, size=y.shape)
    blue = y[:50, ..., ::-1]
    params = {"max_epochs": 20, "linear_filter": 0, "random_state": 0, "check_baseline": False}
    plain = ImageToImageRegressor((8,), **params).fit(x, y)
    shuffled = ImageToImageRegressor((8,), shuffle_channels=True, **params).fit(x, y)
    errors = [((model.predict(blue) - blue) ** 2).mean() for model in (plain, shuffled)]
    assert errors[1] < 0.3 * errors[0]


def test_signals_are_moved_and_stretched(digits):
    signals = digits.reshape(40, 64)
    params = {"flips": "horizontal", "max_shift": 2, "max_crop": 0.3, "max_brightness": 0.2}
    make(**params).fit(signals)
    with pytest.raises(ValueError, match=r"max_rotation=5 is for images.*signals"):
        make(max_rotation=5).fit(signals)
    with pytest.raises(ValueError, match="max_rotation=5 is for images"):
        ImageToImageRegressor((4,), max_rotation=5, **QUICK).fit(signals, signals)


def test_regressors_take_all(digits):
    X, y = digits[:, ::2, ::2], np.stack([digits, digits**2], -1)
    model = ImageToImageRegressor((4, 8), **ALL, **QUICK).fit(X, y)
    assert model.predict(X).shape == y.shape


@pytest.mark.parametrize(
    "params",
    [
        {"flips": "diagonal"},
        {"max_shift": -1},
        {"max_shift": 0.1},
        {"max_rotation": 181},
        {"max_crop": 1.0},
        {"max_brightness": -0.1},
        {"shuffle_channels": "yes"},
    ],
    ids=str,
)
def test_wrong_parameters_are_named(params, digits):
    (name,) = params
    with pytest.raises(ValueError, match=name):
        make(**params).fit(digits)
    with pytest.raises(ValueError, match=name):
        Autoencoder(3, architecture=Conv(**params), **QUICK).fit(digits)
