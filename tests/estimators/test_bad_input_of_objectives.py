"""What a user reads after a mistake with a denoising, sparse or variational autoencoder."""

import numpy as np
import pytest
import torch

from skae import DenoisingAutoencoder, SparseAutoencoder, VariationalAutoencoder

GOOD = np.random.default_rng(0).normal(size=(20, 4))


def one_column_less(x, noise_level):
    return x[:, 1:]


def as_array(x, noise_level):
    return x.numpy()


def not_a_number(x, noise_level):
    return x * float("nan")


def two_arguments_too_few():
    return 0


def index_error(x, noise_level):
    return x[len(x)]


def with_another_mask(x, noise_level):
    return x, noise_level


def loss_of_samples(prediction, target):
    return (prediction - target).square().mean(1)


DENOISING = {
    "name": ({"corruption": "gausian"}, "Did you mean 'gaussian'"),
    "negative level": ({"noise_level": -0.1}, "'noise_level' parameter of DenoisingAutoencoder"),
    "negative end": ({"noise_level": (-0.1, 0.2)}, r"noise_level must be within \[0, inf\]"),
    "infinite": (
        {"noise_level": (0.1, float("inf"))},
        r"range as noise_level must be \(low, high\), two finite",
    ),
    "no number": ({"noise_level": float("nan")}, "noise_level"),
    "more than all": (
        {"noise_level": 1.5, "corruption": "masking"},
        r"noise_level must be within \[0, 1\] for corruption='masking'.*fraction.*got 1.5",
    ),
    "range beyond all": (
        {"noise_level": (0.5, 1.5), "corruption": "swap"},
        r"noise_level must be within \[0, 1\] for corruption='swap'",
    ),
    "range backwards": ({"noise_level": (0.5, 0.1)}, r"range as noise_level must be \(low, high\)"),
    "half a range": ({"noise_level": (0.5,)}, r"range as noise_level must be \(low, high\)"),
    "nothing to learn": (
        {"noise_level": 0.0, "corruption": "swap", "damaged_only": True},
        "noise_level=0 damages no cells",
    ),
    "level in words": ({"noise_level": "much"}, "'noise_level' parameter of DenoisingAutoencoder"),
    "data range backwards": ({"data_range": (1, 0)}, r"range as data_range must be \(low, high\)"),
    "data out of range": (
        {"data_range": (0, 1)},
        r"data_range=\(0, 1\) must hold all values of X, which go from -\d",
    ),
    "another shape": (
        {"corruption": one_column_less},
        r"corruption one_column_less must return a tensor of the shape .*\(20, 4\).*\(20, 3\)",
    ),
    "an array": ({"corruption": as_array}, "corruption as_array must return a tensor.*got ndarray"),
    "an error": ({"corruption": index_error}, r"corruption index_error\(x, noise_level\) failed"),
    "a pair": ({"corruption": with_another_mask}, r"corruption with_another_mask must return"),
    "NaN": ({"corruption": not_a_number}, "corruption not_a_number returns NaN or infinite"),
    "other arguments": (
        {"corruption": two_arguments_too_few},
        r"corruption two_arguments_too_few\(x, noise_level\) failed: .*takes 0 positional",
    ),
    "loss of samples": (
        {"corruption": "masking", "damaged_only": True, "loss": loss_of_samples},
        "damaged_only=True needs a loss with one value per element",
    ),
}
SPARSE = {
    "k beyond the code": ({"k": 4}, "k=4 units cannot be active in a code of n_components=3"),
    "no k": ({"k": 0}, "'k' parameter of SparseAutoencoder must be"),
    "sparsity": ({"sparsity": "top_k"}, "Did you mean 'topk'"),
    "weight": ({"sparsity_weight": -1.0}, "'sparsity_weight' parameter of SparseAutoencoder"),
    "target": ({"target_activation": 1.0}, "'target_activation' parameter of SparseAutoencoder"),
}
VARIATIONAL = {
    "negative beta": ({"beta": -1.0}, "'beta' parameter of VariationalAutoencoder must be"),
    "likelihood": ({"likelihood": "bernouli"}, "Did you mean 'bernoulli'"),
    "other data": (
        {"likelihood": "bernoulli"},
        r"likelihood='bernoulli' needs X within \[0, 1\], .*or use another likelihood",
    ),
    "no noise": ({"noise_variance": 0.0}, "'noise_variance' parameter of VariationalAutoencoder"),
    "noise in words": ({"noise_variance": "learnd"}, "Did you mean 'learned'"),
    "warm-up": ({"kl_warmup": 1.5}, "'kl_warmup' parameter of VariationalAutoencoder"),
    "free bits": ({"free_bits": -0.1}, "'free_bits' parameter of VariationalAutoencoder"),
    "no draws": ({"n_importance_samples": 0}, "'n_importance_samples' parameter of Variational"),
    "free bits of several draws": (
        {"free_bits": 0.1, "n_importance_samples": 5},
        "use n_importance_samples=1 with free_bits=0.1",
    ),
}
CASES = {
    f"{estimator.__name__}, {name}": (estimator, *case)
    for estimator, cases in {
        DenoisingAutoencoder: DENOISING,
        SparseAutoencoder: SPARSE,
        VariationalAutoencoder: VARIATIONAL,
    }.items()
    for name, case in cases.items()
}


@pytest.mark.parametrize(("estimator", "params", "message"), CASES.values(), ids=CASES)
def test_parameters(estimator, params, message, fast):
    with pytest.raises((ValueError, TypeError), match=message):
        estimator(**fast, **params).fit(GOOD)


@pytest.mark.parametrize(("estimator", "params", "message"), CASES.values(), ids=CASES)
def test_failed_fit_keeps_the_fitted_model(estimator, params, message, fast):
    model = estimator(**fast).fit(GOOD)
    before = model.transform(GOOD)
    with pytest.raises((ValueError, TypeError), match=message):
        model.set_params(**params).fit(GOOD)
    defaults = estimator(**fast)
    model.set_params(**{name: getattr(defaults, name) for name in params})
    np.testing.assert_array_equal(model.transform(GOOD), before)


def test_bernoulli_likelihood_of_new_data(fast):
    X = np.clip(GOOD, 0, 1)
    model = VariationalAutoencoder(**fast, likelihood="bernoulli").fit(X)
    for method in (model.score_samples, model.elbo, model.log_likelihood):
        with pytest.raises(ValueError, match=r"likelihood='bernoulli' needs X within \[0, 1\]"):
            method(GOOD)
    assert model.transform(GOOD).shape == (20, 3)


def test_corruption_that_works_in_place_leaves_the_data(fast):
    def zero(x, noise_level):
        return x.zero_()

    X = GOOD.astype("float32")
    DenoisingAutoencoder(**fast, corruption=zero).fit(X)
    np.testing.assert_array_equal(X, GOOD.astype("float32"))


def test_validation_data_out_of_the_data_range(fast):
    model = DenoisingAutoencoder(**fast, data_range=(-5, 5))
    message = r"In the validation data: data_range=\(-5, 5\) must hold all values of X"
    with pytest.raises(ValueError, match=message):
        model.fit(GOOD, X_val=10 * GOOD)
    assert model.fit(GOOD).score_samples(10 * GOOD).shape == (len(GOOD),)  # noisy rows may be


def test_corruption_of_another_dtype(fast):
    model = DenoisingAutoencoder(**fast, corruption=lambda x, level: (x > 0).to(torch.int8))
    assert np.isfinite(model.fit(GOOD).loss_curve_).all()
