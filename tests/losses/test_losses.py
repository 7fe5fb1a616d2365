import numpy as np
import pytest
import torch
from sklearn.preprocessing import MinMaxScaler
from torch import nn

from skae import Autoencoder

EXPECTED = {
    "squared_error": lambda x, y: (x - y) ** 2,
    "absolute_error": lambda x, y: np.abs(x - y),
    "huber": lambda x, y: np.where(np.abs(x - y) < 1, (x - y) ** 2 / 2, np.abs(x - y) - 0.5),
    "binary_cross_entropy": lambda x, y: -(x * np.log(y) + (1 - x) * np.log(1 - y)),
}


@pytest.mark.parametrize("loss", EXPECTED)
def test_scores_are_minus_the_loss(loss, X, fast):
    X = MinMaxScaler(clip=True).fit_transform(X)
    ae = Autoencoder(**fast, loss=loss).fit(X)
    expected = -EXPECTED[loss](X, ae.reconstruct(X)).mean(1)
    np.testing.assert_allclose(ae.score_samples(X), expected, rtol=1e-6)
    assert ae.loss_curve_[-1] < ae.loss_curve_[0]


def test_cross_entropy_reconstructs_probabilities(X, fast):
    X = MinMaxScaler(clip=True).fit_transform(X)
    reconstructed = Autoencoder(**fast, loss="binary_cross_entropy").fit(X).reconstruct(X)
    assert ((reconstructed > 0) & (reconstructed < 1)).all()


def test_cross_entropy_stays_finite_for_hard_targets(rng, fast):
    X = (rng.random((64, 5)) > 0.5).astype(float)
    ae = Autoencoder(**{**fast, "max_epochs": 200, "lr": 0.1}, loss="binary_cross_entropy").fit(X)
    assert np.isfinite(ae.score_samples(X)).all()


def test_absolute_error_fits_medians(fast):
    X = np.array([[0.0], [0.0], [10.0]] * 40)
    params = {**fast, "max_epochs": 400, "n_components": 1, "lr": 0.02, "batch_size": 120}

    class Constant(nn.Module):
        def __init__(self):
            super().__init__()
            self.value = nn.Parameter(torch.ones(1))

        def forward(self, z):
            return 0 * z + self.value

    class Architecture:
        def build(self, input_shape, encoder_width, code_width):
            return nn.Linear(1, 1), Constant()

    def center(loss):
        ae = Autoencoder(**params, loss=loss, architecture=Architecture()).fit(X)
        return ae.reconstruct(X)[0, 0]

    assert center("absolute_error") == pytest.approx(0, abs=0.1)
    assert center("squared_error") == pytest.approx(10 / 3, abs=0.2)


def first_column_only(prediction, target):
    return (prediction[:, 0] - target[:, 0]) ** 2


def test_callable_per_sample_decides_what_is_learned(X, fast):
    ae = Autoencoder(**{**fast, "max_epochs": 40, "lr": 3e-3}, loss=first_column_only).fit(
        X.astype("float32")
    )
    errors = ((X - ae.reconstruct(X)) ** 2).mean(0)
    assert errors[0] < 0.5 * errors[1:].min()  # a column is nearly a multiple of this one


def in_place(prediction, target):
    return prediction.sub_(target).square_()


def test_loss_that_works_in_place_changes_no_data(X, fast):
    X = X.astype("float32")
    before = X.copy()
    by_name = Autoencoder(**fast).fit(X)
    ae = Autoencoder(**fast, loss=in_place).fit(X)
    np.testing.assert_allclose(ae.transform(X), by_name.transform(X), atol=1e-5)
    np.testing.assert_array_equal(X, before)


def test_torch_loss_equals_the_named_one(X, fast):
    by_name = Autoencoder(**fast, loss="huber").fit(X)
    by_module = Autoencoder(**fast, loss=nn.HuberLoss(reduction="none")).fit(X)
    np.testing.assert_allclose(by_name.transform(X), by_module.transform(X), atol=1e-5)


def test_output_activation_can_be_set(X, fast):
    ae = Autoencoder(**fast, output_activation="tanh").fit(X)
    assert np.abs(ae.reconstruct(X)).max() < 1
