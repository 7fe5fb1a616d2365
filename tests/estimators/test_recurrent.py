"""Recurrent nets: what comes out of a sequence depends on that sequence alone."""

import copy
import pickle
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression

from skae import (
    Autoencoder,
    DenoisingAutoencoder,
    RecurrentAutoencoder,
    SparseAutoencoder,
    VariationalAutoencoder,
)
from skae._modules.autoencoder import sample_losses
from skae._runtime import TrainState
from skae.architectures import Recurrent
from skae.architectures._build import build_modules
from skae.architectures._recurrent_layers import CELLS, POOLING, Padded, Steps, Stretched
from skae.exceptions import PoorFitWarning
from skae.losses._mixed import make_loss

QUICK = {"max_epochs": 2, "early_stopping": False, "check_baseline": False, "random_state": 0}
VARIANTS = {
    "defaults": {},
    "shortcut": {"shortcut": True},
    "last": {"pooling": "last"},
    "both directions": {"bidirectional": True, "hidden_layer_sizes": (6, 4)},
    "gru, mean": {"cell": "gru", "pooling": "mean", "shortcut": False},
    "attention": {"pooling": "attention", "bidirectional": True},
    "feeds back": {"decoder_input": "output", "cell": "gru"},
    "reversed": {"decoder_input": "output", "reverse_target": True},
    "truncated": {"truncation": 3, "reverse_target": True},
}
OBJECTIVES = {
    "plain": Autoencoder,
    "denoising": DenoisingAutoencoder,
    "sparse": SparseAutoencoder,
    "variational": VariationalAutoencoder,
}

sequences = st.lists(
    st.integers(1, 12).flatmap(
        lambda n: arrays(np.float64, (n, 2), elements=st.floats(-5, 5, width=32))
    ),
    min_size=1,
    max_size=6,
)


def make_sequences(n_samples=30, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(n, 2)) for n in rng.integers(2, 13, n_samples)]


def with_holes(X):
    X = [x.copy() for x in X]
    for x in X[::3]:
        x[0, 1] = np.nan
    return X


@pytest.fixture(scope="module", params=VARIANTS)
def model(request):
    architecture = Recurrent(**{"hidden_layer_sizes": 5} | VARIANTS[request.param])
    return Autoencoder(3, architecture=architecture, **QUICK).fit(with_holes(make_sequences()))


@pytest.fixture(scope="module", params=OBJECTIVES)
def objective(request):
    make = OBJECTIVES[request.param]
    return make(3, architecture=Recurrent(5), **QUICK).fit(make_sequences())


def outcome(model, X):
    """Return all that a model says of each sequence, a list with an array for each."""
    codes, scores = model.transform(X), model.score_samples(X)
    parts = zip(codes, scores, model.reconstruct(X), model.reconstruction_errors(X), strict=True)
    return [np.concatenate([np.ravel(part) for part in of_one]) for of_one in parts]


def assert_same(model, X, X_other, take=lambda results: results):
    for a, b in zip(outcome(model, X), take(outcome(model, X_other)), strict=True):
        np.testing.assert_allclose(a, b[: len(a)], atol=1e-6, rtol=1e-6)


@settings(max_examples=15, deadline=None, derandomize=True)
@given(X=sequences)
def test_alone_as_among_longer_ones(model, X):
    _, *among_others = outcome(model, [np.ones((40, 2)), *X])
    for x, expected in zip(X, among_others, strict=True):
        (alone,) = outcome(model, [x])
        np.testing.assert_allclose(alone, expected[: len(alone)], atol=1e-6, rtol=1e-6)


@settings(max_examples=10, deadline=None, derandomize=True)
@given(X=sequences, n_padded=st.integers(1, 30))
def test_padding_further_changes_nothing(model, X, n_padded):
    n_steps = max(map(len, X)) + n_padded
    array = np.full((len(X), n_steps, 2), np.nan)
    for row, x in zip(array, X, strict=True):
        row[: len(x)] = x
    codes, scores = model.transform(array), model.score_samples(array)
    np.testing.assert_allclose(codes, model.transform(X), atol=1e-6, rtol=1e-6)
    np.testing.assert_allclose(scores, model.score_samples(X), atol=1e-6, rtol=1e-6)
    for row, restored in zip(model.reconstruct(array), model.reconstruct(X), strict=True):
        np.testing.assert_allclose(row[: len(restored)], restored, atol=1e-6, rtol=1e-6)
        assert np.isnan(row[len(restored) :]).all()


@settings(max_examples=10, deadline=None, derandomize=True)
@given(X=sequences, data=st.data())
def test_order_changes_nothing(model, X, data):
    order = data.draw(st.permutations(range(len(X))))
    assert_same(
        model,
        [X[i] for i in order],
        X,
        lambda results: [results[i] for i in order],
    )


def test_the_same_holds_for_all_objectives(objective):
    X = with_holes(make_sequences(seed=1))
    together = outcome(objective, [np.ones((30, 2)), *X])[1:]
    for x, result in zip(X, together, strict=True):
        np.testing.assert_allclose(outcome(objective, [x])[0], result, atol=1e-6, rtol=1e-6)


def test_float32_is_as_exact(model):
    X = [x.astype("float32") for x in make_sequences(seed=2)]
    together = outcome(model, [np.ones((30, 2), "float32"), *X])[1:]
    for x, result in zip(X, together, strict=True):
        np.testing.assert_allclose(outcome(model, [x])[0], result, atol=1e-6, rtol=1e-5)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(X=sequences)
def test_loss_of_a_padded_batch_is_the_sum_of_single_losses(objective, X):
    module = copy.deepcopy(objective.net_.module_).double().eval()
    if module.corruption is not None:
        module.corruption.noise_level = 0.0
    singles = [torch.from_numpy(x)[None] for x in X]
    batch = torch.full((len(X), 15, 2), torch.nan, dtype=torch.float64)
    for row, x in zip(batch, X, strict=True):
        row[: len(x)] = torch.from_numpy(x)

    def loss(x):
        code = module.encode(x)  # without noise
        return module.reconstruction_losses(code, x).sum()

    def gradient(total):
        return torch.cat([g.flatten() for g in torch.autograd.grad(total, parameters)])

    parameters = [p for p in module.parameters() if p.requires_grad]
    one_by_one = sum(loss(x) for x in singles)
    together = loss(batch)
    torch.testing.assert_close(together, one_by_one, atol=1e-6, rtol=1e-6)
    if not isinstance(objective, VariationalAutoencoder):  # not all of its outputs are used
        torch.testing.assert_close(gradient(together), gradient(one_by_one), atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("name", ["squared_error", "absolute_error", "huber"])
def test_what_is_missing_does_not_count_in_the_loss(name):
    loss = make_loss(name)
    prediction = torch.tensor([[[1.0], [5.0], [7.0]]], requires_grad=True)
    target = torch.tensor([[[3.0], [torch.nan], [torch.nan]]])
    value = sample_losses(loss, loss(prediction, target.nan_to_num(0.0)), ~target.isnan())
    known = sample_losses(loss, loss(prediction[:, :1], target[:, :1]))
    torch.testing.assert_close(value, known)
    value.sum().backward()
    assert (prediction.grad[0, 1:] == 0).all()


@pytest.mark.parametrize("corruption", ["gaussian", "masking", "salt_and_pepper", "swap"])
@pytest.mark.parametrize("damaged_only", [False, True])
def test_corruptions_leave_padding_alone(corruption, damaged_only):
    X = with_holes(make_sequences())
    model = DenoisingAutoencoder(
        3,
        corruption=corruption,
        damaged_only=damaged_only,
        noise_level=0.5,
        architecture=Recurrent(4),
        **QUICK,
    ).fit(X)
    assert np.isfinite(model.loss_curve_).all()
    x = torch.randn(6, 9, 2)
    x[:3, 5:] = torch.nan
    damaged, weight = model.net_.module_.corruption(x)
    assert torch.equal(damaged.isnan(), x.isnan())
    if weight is not None:
        assert weight[x.isnan()].abs().sum() == 0
        torch.testing.assert_close(weight.sum() / (~x.isnan()).sum(), torch.tensor(1.0))


# The parts.


def test_steps_see_length_and_missing_values():
    x = torch.zeros(3, 5, 2)
    x[0, 3:] = torch.nan
    x[1, 1] = torch.nan  # missing, not the end
    steps = Steps(x)
    assert steps.lengths.tolist() == [3, 5, 5]
    number = torch.arange(5.0).expand(3, 5)[..., None]
    assert steps.reverse(number)[0, :, 0].tolist() == [2, 1, 0, 3, 4]
    assert steps.last(number).flatten().tolist() == [2, 4, 4]


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("pooling", POOLING)
def test_encoders_use_every_step(cell, pooling):
    torch.manual_seed(0)
    architecture = Recurrent((5, 4), cell=cell, pooling=pooling, bidirectional=True)
    encoder, _ = architecture.build((7, 2), 3, 3)
    x = torch.randn(2, 7, 2, requires_grad=True)
    encoder(x).sum().backward()
    assert (x.grad != 0).all()


def test_padded_steps_get_no_gradient():
    encoder, decoder = Recurrent(5, bidirectional=True).build((7, 2), 3, 3)
    x = torch.randn(2, 7, 2)
    x[0, 4:] = torch.nan
    output = decoder(encoder(x), x)
    output[0, :4].sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in decoder.parameters())
    assert all(p.grad is None or p.grad.isfinite().all() for p in encoder.parameters())


@pytest.mark.parametrize("n_steps", [4, 7, 20])
def test_decoders_make_any_number_of_steps(n_steps):
    _, decoder = Recurrent(5).build((7, 2), 3, 3)
    assert decoder(torch.randn(2, 3), torch.zeros(2, n_steps, 2)).shape == (2, n_steps, 2)


def test_teacher_forcing_is_of_training_alone():
    torch.manual_seed(0)
    _, decoder = Recurrent(5, decoder_input="output", teacher_forcing=1.0).build((7, 2), 3, 3)
    code, target = torch.randn(2, 3), torch.randn(2, 7, 2)
    with torch.no_grad():
        assert not torch.equal(decoder.train()(code, target), decoder(code, target + 1))
        assert torch.equal(decoder.eval()(code, target), decoder(code, target + 1))


def test_teacher_forcing_follows_its_schedule():
    _, decoder = Recurrent(5, decoder_input="output", teacher_forcing=(1.0, 0.0)).build(
        (7, 2), 3, 3
    )
    code, target = torch.randn(2, 3), torch.randn(2, 7, 2)
    start, end = TrainState(0.0), TrainState(1.0)
    with torch.no_grad():
        assert not torch.equal(decoder(code, target, start), decoder(code, target + 1, start))
        assert torch.equal(decoder(code, target, end), decoder(code, target + 1, end))


def test_an_output_fed_back_is_the_output_seen():
    """Forced with its own outputs the decoder does the same."""
    torch.manual_seed(0)
    _, decoder = Recurrent(5, decoder_input="output", teacher_forcing=1.0).build((7, 2), 3, 3)
    code = torch.randn(2, 3)
    with torch.no_grad():
        free = decoder.eval()(code, torch.zeros(2, 7, 2))
        forced = decoder.train()(code, free)
    torch.testing.assert_close(forced, free, atol=1e-5, rtol=1e-5)


def test_truncation_limits_gradients_not_results():
    torch.manual_seed(0)
    encoder, _ = Recurrent(5, shortcut=False, pooling="last").build((12, 2), 3, 3)
    x = torch.randn(2, 12, 2)
    whole = encoder(x)
    encoder.recurrence.truncation = 4
    seen = x.clone().requires_grad_()
    torch.testing.assert_close(encoder(seen), whole)
    encoder(seen).sum().backward()
    assert (seen.grad[:, :8] == 0).all()
    assert (seen.grad[:, 8:] != 0).all()


def test_truncation_holds_for_outputs_that_are_fed_back():
    torch.manual_seed(0)
    _, decoder = Recurrent(5, decoder_input="output", shortcut=False).build((6, 1), 3, 3)
    gradients = []
    for truncation in (None, 2):
        decoder.recurrence.truncation = truncation
        code = torch.ones(1, 3, requires_grad=True)
        decoder.eval()(code, torch.zeros(1, 6, 1)).sum().backward()
        gradients.append(code.grad)
    assert not torch.allclose(*gradients)


def test_training_starts_at_pca(rng):
    X = rng.normal(size=(200, 3)) @ rng.normal(size=(3, 10)) * 1e3 + 5e4
    model = RecurrentAutoencoder(3, **QUICK, lr=1e-12).fit(X)
    assert model.score(X) > 0.9999
    latent = model._predictor.map(
        lambda module, x, _: module.latent(x), model._reader.read(X), (3,)
    )
    assert np.abs(latent).max() < 10  # whatever the scale of X


def curves(rng, n_samples=200):
    """Return smooth curves of two features and three degrees of freedom, each at its own pace."""
    shapes = rng.normal(size=(3, 6, 2))
    curves = np.einsum("nk,ktf->ntf", rng.normal(size=(n_samples, 3)), shapes)
    places = [np.linspace(0, 5, n) for n in rng.integers(10, 40, n_samples)]
    return [
        np.stack([np.interp(at, np.arange(6), feature) for feature in curve.T], axis=1)
        for at, curve in zip(places, curves, strict=True)
    ]


def gestures(rng, n_samples):
    """Return sequences with a peak and a trough anywhere, and which of both comes first."""
    y = rng.integers(2, size=n_samples)
    X = [rng.normal(scale=0.05, size=rng.integers(20, 40)) for _ in y]
    for x, is_up in zip(X, y, strict=True):
        first = rng.integers(1, len(x) - 9)
        for start, sign in zip((first, rng.integers(first + 4, len(x) - 4)), (1, -1), strict=True):
            x[start : start + 4] += sign if is_up else -sign
    return X, y


def test_training_starts_at_pca_of_sequences_of_different_pace(rng):
    X = curves(rng)
    model = RecurrentAutoencoder(3, **QUICK, lr=1e-12).fit(X[:150])
    assert model.score(X[150:]) > 0.97  # padded: 0.7
    slow = [np.repeat(x, 3, axis=0) for x in X[150:]]  # longer than any in training
    assert model.score(slow) > 0.9


def test_training_starts_at_pca_of_sequences_of_the_same_pace(rng):
    X = [rng.integers(0, 10, n) for n in rng.integers(1, 15, 200)]
    model = RecurrentAutoencoder(14, **QUICK, lr=1e-12).fit(X)
    assert model.score(X) > 0.9999


def test_constant_features_and_large_values_line_up(rng):
    X = [np.column_stack([1e15 * x[:, 0], np.full(len(x), 7.0)]) for x in curves(rng)]
    model = RecurrentAutoencoder(3, **QUICK | {"max_epochs": 1}, lr=1e-12).fit(X)
    restored = model.reconstruct(X)
    assert all(np.isfinite(x).all() for x in restored)
    assert model.score(X) > 0.5


def test_codes_say_in_what_order_events_come(rng):
    (X, y), (X_new, y_new) = gestures(rng, 300), gestures(rng, 300)
    model = RecurrentAutoencoder(4, **QUICK | {"max_epochs": 15}, lr=1e-2).fit(X)

    def accuracy(rows, rows_new):
        return LogisticRegression().fit(rows, y).score(rows_new, y_new)

    def padded(X):
        return np.array([np.pad(x, (0, 40 - len(x))) for x in X])

    pca = PCA(4).fit(padded(X))
    of_pca = accuracy(*(pca.transform(padded(x)) for x in (X, X_new)))
    of_codes = accuracy(model.transform(X), model.transform(X_new))
    assert of_codes > 0.94
    assert of_codes > of_pca + 0.1


@pytest.mark.parametrize("n_steps", [1, 5, 9, 30])
def test_stretched_sequences_come_back(n_steps):
    x = torch.full((3, 9, 2), torch.nan)
    for row, n in zip(x, (9, 4, 1), strict=True):
        row[:n] = torch.arange(2.0 * n).view(n, 2)
    steps = Steps(x)
    rows = Stretched.rows(x, steps, n_steps)
    assert rows.shape == (3, n_steps, 2)
    assert torch.equal(rows[:, 0], x[:, 0])
    if n_steps > 1:
        torch.testing.assert_close(rows[:, -1], steps.last(x))
        restored = Stretched.sequences(rows, steps)[steps.is_step]
        torch.testing.assert_close(restored, x[steps.is_step])
    torch.testing.assert_close(Stretched.rows(x[1:2, :4], Steps(x[1:2, :4]), n_steps), rows[1:2])


def test_sequences_of_one_length_are_lined_up_already():
    x = torch.randn(2, 7, 3)
    x[0, 2, 1] = torch.nan
    for alignment in (Stretched, Padded):
        rows = alignment.rows(x, Steps(x), 7)
        torch.testing.assert_close(rows[~x.isnan()], x[~x.isnan()], rtol=0, atol=0)
        torch.testing.assert_close(alignment.sequences(rows, Steps(x)), rows, equal_nan=True)


@pytest.mark.parametrize("scale", [1e-3, 1e4])
def test_scale_of_features_does_not_matter(scale):
    X, scaled = ([factor * (x + 3) for x in make_sequences()] for factor in (1.0, scale))
    model = RecurrentAutoencoder(3, **QUICK | {"max_epochs": 10})
    score = model.fit(X).score(X)
    assert model.fit(scaled).score(scaled) == pytest.approx(score, abs=0.01)


def test_learns_more_than_linear_maps_can(rng):
    X = np.exp(-((np.arange(20) - rng.uniform(3, 17, (400, 1))) ** 2) / 4)  # a bump somewhere
    linear = RecurrentAutoencoder(2, **QUICK, lr=1e-12).fit(X).score(X)
    learned = RecurrentAutoencoder(2, **QUICK | {"max_epochs": 40}).fit(X).score(X)
    assert learned > linear + 0.1


@pytest.mark.parametrize("objective", OBJECTIVES.values())
def test_same_seed_same_model(objective):
    X = make_sequences()
    make = objective(3, architecture=Recurrent(5, dropout=0.1), **QUICK)
    codes = [copy.deepcopy(make).fit(X).transform(X) for _ in range(2)]
    np.testing.assert_array_equal(*codes)
    fitted = make.fit(X)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(fitted)).transform(X), codes[0])


@pytest.mark.parametrize("objective", OBJECTIVES.values())
@pytest.mark.parametrize("as_given", [np.asarray, list, lambda X: X[:, :, 0]])
def test_fits_are_checked_against_cheap_models(objective, as_given, rng):
    X = as_given(np.cumsum(rng.normal(size=(100, 12, 2)), axis=1))
    model = objective(3, architecture=Recurrent(8), max_epochs=5, random_state=0)
    if objective is SparseAutoencoder:
        model.set_params(n_components=20)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PoorFitWarning)  # too few epochs
        assert model.fit(X).transform(X).shape[0] == 100


def test_fits_of_unequal_lengths_are_checked_against_the_mean():
    X = make_sequences()
    spoiling = {"lr": 1.0, "lr_schedule": None, "early_stopping": False, "max_epochs": 3}
    with pytest.warns(PoorFitWarning, match="RecurrentAutoencoder .* worse than the mean"):
        RecurrentAutoencoder(1, **spoiling, random_state=0).fit(X)


def test_warm_start_and_partial_fit_go_on():
    X = make_sequences()
    model = RecurrentAutoencoder(3, **QUICK).partial_fit(X)
    assert model.partial_fit(X[:10]).n_iter_ == 2
    model = RecurrentAutoencoder(3, **QUICK, warm_start=True).fit(X)
    assert model.fit(X).n_iter_ == 4


def test_variational_sequences_are_drawn_with_their_lengths(global_random_seed):
    X = make_sequences()
    model = VariationalAutoencoder(3, architecture=Recurrent(5), **QUICK).fit(X)
    new = model.sample(5, random_state=global_random_seed)
    assert all(x.shape[1:] == (2,) and np.isfinite(x).all() for x in new)
    assert [len(x) for x in model.sample(3, lengths=[4, 9, 1])] == [4, 9, 1]
    likelihood = model.log_likelihood(X[:3], 50)
    assert likelihood[0] == pytest.approx(model.log_likelihood(X[:1], 50)[0], abs=1e-6)


def test_importance_weighted_bounds_of_sequences():
    X = make_sequences()
    model = VariationalAutoencoder(
        3, architecture=Recurrent(5), n_importance_samples=3, **QUICK
    ).fit(X)
    assert model.score_samples(X[:1])[0] == pytest.approx(model.score_samples(X)[0], abs=1e-6)


def test_sparse_codes_are_in_the_order_of_the_sequences():
    X = make_sequences()
    model = SparseAutoencoder(8, k=2, architecture=Recurrent(5), **QUICK).fit(X)
    dense = model.transform(X)
    np.testing.assert_allclose(model.set_params(sparse_output=True).transform(X).toarray(), dense)
    assert model.feature_importances_.shape == (max(map(len, X)), 2)


class LeakyEncoder(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(2, 3)

    def forward(self, x):
        return self.linear(x.mean(1))


class OwnArchitecture:
    input_kind = "sequences"

    def __init__(self, encoder, decoder):
        self.parts = encoder, decoder

    def build(self, input_shape, encoder_width, code_width):
        return self.parts


def test_halves_work_alone():
    X = make_sequences()
    model = RecurrentAutoencoder(3, **QUICK).fit(X)
    x = torch.from_numpy(X[0].astype("float32"))[None]
    code = model.encoder_(x)
    np.testing.assert_allclose(code.detach(), model.transform(X[:1]), atol=1e-5)
    restored = model.decoder_(code, x)[0]
    np.testing.assert_allclose(restored.detach(), model.reconstruct(X[:1])[0], atol=1e-5)


def test_own_architectures_are_told_what_is_wrong():
    encoder, decoder = Recurrent(5).build((7, 2), 3, 3)
    with pytest.raises(ValueError, match="encoder.*NaN.*padded"):
        build_modules(OwnArchitecture(LeakyEncoder(), decoder), (7, 2), 3, 3)
    with pytest.raises(TypeError, match="takes_target = True"):
        build_modules(OwnArchitecture(encoder, torch.nn.Linear(3, 14)), (7, 2), 3, 3)
    build_modules(OwnArchitecture(encoder, decoder), (7, 2), 3, 3)


@pytest.mark.parametrize("cell", CELLS)
def test_layers_remember_at_first(cell, rng):
    architecture = Recurrent((5,), cell=cell, bidirectional=True)
    model = Autoencoder(2, **QUICK | {"max_epochs": 1, "lr": 1e-20}, architecture=architecture)
    model.fit(rng.random((20, 4, 2)))
    layers = [m for m in model.net_.module_.modules() if isinstance(m, torch.nn.RNNBase)]
    assert len(layers) >= 3
    for layer in layers:
        n = layer.hidden_size
        for gate in layer.weight_hh_l0.detach().split(n):
            torch.testing.assert_close(gate @ gate.T, torch.eye(n), rtol=0, atol=1e-5)
        if cell == "lstm":
            forget = (layer.bias_ih_l0 + layer.bias_hh_l0)[n : 2 * n]
            torch.testing.assert_close(forget.detach(), torch.ones(n))
