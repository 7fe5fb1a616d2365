"""Denoising autoencoders: what damages rows, and that clean ones come back."""

from functools import partial

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

from skae import Autoencoder, DenoisingAutoencoder
from skae.architectures import Dense
from skae.corruptions import Corruption, gaussian, masking, salt_and_pepper, swap
from skae.exceptions import PoorFitWarning


@pytest.fixture
def x(global_random_seed):
    """Cells that tell their column: column j holds values from j to j + 1."""
    torch.manual_seed(global_random_seed)
    return torch.rand(400, 50) + torch.arange(50)


# The corruptions.


def test_gaussian(x):
    damaged, which = gaussian(x, 0.3)
    assert which is None
    assert (damaged - x).std().item() == pytest.approx(0.3, rel=0.05)
    assert (damaged - x).mean().item() == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize("fraction", [0.0, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("corruption", [masking, salt_and_pepper, swap])
def test_cells_are_drawn(corruption, fraction, x):
    damaged, which = corruption(x + 1, fraction)
    assert which.float().mean().item() == pytest.approx(fraction, abs=0.01)
    assert torch.equal(damaged[~which], (x + 1)[~which])
    assert (damaged[which] != (x + 1)[which]).float().mean() > 0.999 or not fraction  # equal ones


def test_masking_sets_cells_to_zero(x):
    damaged, which = masking(x, 0.3)
    assert (damaged[which] == 0).all()


def test_salt_and_pepper_are_the_ends(x):
    damaged, which = salt_and_pepper(x, 0.3, low=-1.0, high=60.0)
    assert set(damaged[which].unique().tolist()) == {-1.0, 60.0}
    assert (damaged[which] == 60).float().mean().item() == pytest.approx(0.5, abs=0.03)


def test_swap_takes_cells_of_other_rows_in_the_column(x):
    damaged, which = swap(x, 0.5)
    assert torch.equal(damaged.floor(), x.floor())
    for column in range(3):
        assert torch.isin(damaged[:, column], x[:, column]).all()
    assert torch.equal(swap(x[:1], 0.5)[0], x[:1])


def test_level_is_drawn_for_every_batch(x):
    corruption = Corruption("gaussian", (0.1, 0.5), 0.0, 1.0, clip=False, damaged_only=False)
    levels = [(corruption(x)[0] - x).std().item() for _ in range(50)]
    assert 0.09 < min(levels) < 0.2 < 0.4 < max(levels) < 0.51


def test_weights_are_of_the_damaged_cells(x):
    corruption = Corruption("masking", 0.25, 0.0, 1.0, clip=False, damaged_only=True)
    damaged, weight = corruption(x + 1)
    assert torch.equal(weight > 0, damaged == 0)
    assert weight.mean().item() == pytest.approx(1)


@pytest.mark.parametrize("function", [masking, swap, gaussian, salt_and_pepper])
def test_rows_of_any_shape(function):
    x = torch.randn(6, 5, 4, 3)
    assert function(x, 0.3)[0].shape == x.shape


# In training.


class Spy:
    """Corruption that keeps what it is given."""

    def __init__(self):
        self.seen = []

    def __call__(self, x, noise_level):
        self.seen.append((x.clone(), noise_level))
        return x + 100


@pytest.mark.filterwarnings("ignore::skae.exceptions.ExtrapolationWarning")
def test_loss_is_against_the_clean_rows(X, fast):
    def far(x, noise_level):
        return x + 100

    params = fast | {"lr": 1e-20, "max_epochs": 1}
    model = DenoisingAutoencoder(**params, corruption=far).fit(X)
    expected = ((X - model.reconstruct(X + 100)) ** 2).mean()
    assert model.loss_curve_[0] == pytest.approx(expected, rel=1e-4)


def test_only_damaged_cells_count(X, fast):
    def first_column(x, noise_level):
        x[:, 0] += noise_level
        return x

    params = fast | {"lr": 1e-20, "max_epochs": 1, "corruption": first_column, "noise_level": 9.0}
    model = DenoisingAutoencoder(**params, damaged_only=True).fit(X)
    seen = X.copy()
    seen[:, 0] += 9
    expected = ((X - model.reconstruct(seen))[:, 0] ** 2).mean()
    assert model.loss_curve_[0] == pytest.approx(expected, rel=1e-4)


def test_noise_is_new_in_every_epoch_but_for_validation(X, fast):
    batches = []

    def spy(x, noise_level):
        batches.append(x + torch.randn_like(x))
        return batches[-1]

    spy.__deepcopy__ = lambda memo: spy
    params = fast | {"lr": 1e-20, "batch_size": 1000}
    DenoisingAutoencoder(**params, corruption=spy).fit(X, X_val=X[:50])
    training = [batch.sort(0).values for batch in batches if len(batch) == len(X)]
    validation = [batch for batch in batches if len(batch) == 50]
    assert len(training) == len(validation) == 3
    assert not torch.allclose(training[0], training[1])
    assert torch.equal(validation[0], validation[2])


def test_nothing_is_damaged_outside_of_training(X, fast):
    model = DenoisingAutoencoder(**fast, noise_level=5.0).fit(X)
    np.testing.assert_array_equal(model.transform(X), model.transform(X))
    np.testing.assert_array_equal(model.score_samples(X), model.score_samples(X))


def test_without_noise_it_is_the_plain_autoencoder(X, fast):
    plain = Autoencoder(**fast, linear_fraction=0.0).fit(X)
    model = DenoisingAutoencoder(**fast, corruption="masking", noise_level=0.0).fit(X)
    np.testing.assert_array_equal(model.transform(X), plain.transform(X))


def test_rows_without_weight_are_as_good_as_not_there(X, fast):
    weight = np.ones(len(X))
    weight[::3] = 0
    other = X.copy()
    other[::3] = 1000
    for corruption in ("salt_and_pepper", "swap"):
        params = {**fast, "corruption": corruption}
        a, b = (
            DenoisingAutoencoder(**params).fit(rows, sample_weight=weight) for rows in (X, other)
        )
        np.testing.assert_array_equal(a.transform(X), b.transform(X))


def test_functions_of_the_library_can_be_wrapped(X, fast):
    salt = partial(salt_and_pepper, low=-1.0, high=1.0)
    model = DenoisingAutoencoder(**fast, corruption=salt, noise_level=0.5, damaged_only=True)
    damaged, weight = model.fit(X).net_.module_.corruption(torch.tensor(X))
    assert set(damaged[weight > 0].tolist()) == {-1.0, 1.0}


def test_modules_as_corruption_are_not_trained(X, fast):
    class Scale(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.factor = torch.nn.Parameter(torch.tensor(0.5))

        def forward(self, x, noise_level):
            return self.factor * x

    scale = Scale()
    model = DenoisingAutoencoder(**fast, corruption=scale, weight_decay=0.5).fit(X)
    assert model.net_.module_.corruption.function.factor == 0.5
    assert scale.factor.requires_grad


@pytest.mark.parametrize("corruption", ["gaussian", "masking", "salt_and_pepper", "swap"])
@pytest.mark.parametrize("damaged_only", [False, True])
def test_same_seed_same_model(corruption, damaged_only, X, fast):
    params = {**fast, "corruption": corruption, "damaged_only": damaged_only}
    a, b = (DenoisingAutoencoder(**params, noise_level=(0.1, 0.3)).fit(X) for _ in range(2))
    np.testing.assert_array_equal(a.transform(X), b.transform(X))
    assert np.isfinite(a.loss_curve_).all()


def test_salt_and_pepper_of_data_without_a_range_are_the_ends_of_columns(X, fast):
    model = DenoisingAutoencoder(**fast, corruption="salt_and_pepper").fit(X)
    corruption = model.net_.module_.corruption
    np.testing.assert_allclose(corruption.low, X.min(0), rtol=1e-6)
    np.testing.assert_allclose(corruption.high, X.max(0), rtol=1e-6)


def test_damaged_rows_stay_in_the_range_of_the_data(X, fast):
    model = DenoisingAutoencoder(**fast, noise_level=3.0, data_range=(-5, 6)).fit(X)
    damaged, _ = model.net_.module_.corruption(torch.tensor(X))
    assert (damaged.min(), damaged.max()) == (-5, 6)


def test_training_on_takes_another_noise(X, fast):
    model = DenoisingAutoencoder(**fast, warm_start=True).fit(X)
    model.set_params(corruption="swap", noise_level=0.5).fit(X)
    assert model.net_.module_.corruption.noise_level == 0.5


# What it is for.


@pytest.fixture(scope="module")
def digits(global_random_seed):
    X = load_digits().data / 16
    noise = np.random.default_rng(global_random_seed).normal(size=(400, 64))
    return X[400:], X[:400], noise


def denoising_error(model, X, X_noisy):
    return ((model.reconstruct(X_noisy) - X) ** 2).mean()


def test_more_noise_in_training_restores_more_noise(global_random_seed, digits):
    fitted, X, noise = digits
    errors = [
        denoising_error(
            DenoisingAutoencoder(
                24,
                noise_level=level,
                max_epochs=30,
                check_baseline=False,
                random_state=global_random_seed,
            ).fit(fitted),
            X,
            X + 0.6 * noise,
        )
        for level in (0.0, 0.2, 0.6)
    ]
    assert errors[0] > 1.2 * errors[1] > 1.2**2 * errors[2]


def test_denoises_better_than_pca(global_random_seed, digits):
    fitted, X, noise = digits
    noisy = X + 0.5 * noise
    errors = [
        ((pca.inverse_transform(pca.transform(noisy)) - X) ** 2).mean()
        for pca in (PCA(n).fit(fitted) for n in range(2, 40, 2))
    ]
    model = DenoisingAutoencoder(32, noise_level=0.5, random_state=global_random_seed).fit(fitted)
    assert denoising_error(model, X, noisy) < 0.8 * min(errors)


def test_masked_cells_are_filled_in(global_random_seed, X):
    model = DenoisingAutoencoder(
        8,
        corruption="masking",
        noise_level=0.2,
        damaged_only=True,
        max_epochs=100,
        random_state=global_random_seed,
    ).fit(X)
    masked = X.copy()
    masked[:, 2] = 0  # the perimeter, which depends on the radius
    filled = model.reconstruct(masked)[:, 2]
    assert ((filled - X[:, 2]) ** 2).mean() < 0.2 * (X[:, 2] ** 2).mean()


def test_baseline_has_to_denoise_as_well(digits):
    fitted = digits[0]
    with pytest.warns(PoorFitWarning, match="worse than PCA with 8 components"):
        DenoisingAutoencoder(
            8, noise_level=0.5, architecture=Dense(shortcut=False), max_epochs=2, random_state=0
        ).fit(fitted)
    # Its clean rows come back worse than by PCA, its damaged ones do not.
    DenoisingAutoencoder(32, noise_level=0.5, random_state=0).fit(fitted)
