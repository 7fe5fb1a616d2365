import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.metrics import r2_score
from sklearn.preprocessing import MinMaxScaler
from torch import nn

from skae import Autoencoder
from skae.architectures import Dense
from skae.architectures._dense import ACTIVATIONS, BatchNorm


def kinds(module):
    return [type(layer).__name__ for layer in module]


def test_decoder_mirrors_encoder():
    encoder, decoder = Dense((7, 5), shortcut=False).build((10,), 3, 3)
    shapes = [
        [(m.in_features, m.out_features) for m in part if isinstance(m, nn.Linear)]
        for part in (encoder, decoder)
    ]
    assert shapes == [[(10, 7), (7, 5), (5, 3)], [(3, 5), (5, 7), (7, 10)]]


def test_an_int_is_one_layer():
    assert kinds(Dense(7, shortcut=False).build((10,), 3, 3)[0]) == ["Linear", "ReLU", "Linear"]


def test_encoder_and_decoder_may_differ_in_width():
    encoder, decoder = Dense(()).build((10,), 6, 3)
    assert (encoder[0].out_features, decoder[0].in_features) == (6, 3)


def test_layers_of_samples_of_any_shape():
    encoder, decoder = Dense((7,)).build((4, 5), 3, 3)
    assert decoder(encoder(torch.zeros(2, 4, 5))).shape == (2, 4, 5)


def test_order_of_layers():
    encoder, _ = Dense((7,), "elu", 0.1, "batch", shortcut=False).build((10,), 3, 3)
    assert kinds(encoder) == ["Linear", "BatchNorm", "ELU", "Dropout", "Linear"]
    encoder, _ = Dense((7,), normalization="layer", shortcut=False).build((10,), 3, 3)
    assert kinds(encoder) == ["Linear", "LayerNorm", "ReLU", "Linear"]


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations_have_the_names_of_torch(activation):
    encoder, _ = Dense((7,), activation, shortcut=False).build((10,), 3, 3)
    assert kinds(encoder)[1].lower() == activation.replace("_", "")


def test_batch_norm_of_one_row_uses_running_statistics():
    norm = BatchNorm(2)
    norm(torch.tensor([[0.0, 0.0], [2.0, 4.0]]))
    row = torch.tensor([[1.0, 1.0]])
    trained = norm(row)
    assert torch.equal(trained, norm.eval()(row))
    assert torch.equal(norm.running_mean, torch.tensor([0.1, 0.2]))


def test_shortcut_adds_a_linear_map():
    encoder, _ = Dense((7,)).build((10,), 3, 3)
    x = torch.rand(5, 10)
    torch.testing.assert_close(encoder(x), encoder.stack(x) + x @ encoder.linear.weight.t())
    without, _ = Dense(()).build((10,), 3, 3)
    assert kinds(without) == ["Linear"]


@pytest.mark.parametrize("n_components", [3, 12])
def test_training_starts_at_pca(global_random_seed, n_components, X):
    ae = Autoencoder(n_components, max_epochs=1, lr=1e-12, random_state=global_random_seed).fit(X)
    pca = PCA(min(n_components, 10)).fit(X)
    expected = r2_score(X, pca.inverse_transform(pca.transform(X)), multioutput="variance_weighted")
    assert ae.score(X) == pytest.approx(expected, abs=0.01)  # nine tenths of rows against all


@pytest.mark.parametrize(
    "params",
    [{"loss": "binary_cross_entropy"}, {"output_activation": "sigmoid"}],
    ids=str,
)
def test_no_start_at_pca_behind_a_sigmoid(params, X):
    X = MinMaxScaler(clip=True).fit_transform(X)
    ae = Autoencoder(3, max_epochs=1, lr=1e-12, check_baseline=False, random_state=0, **params)
    assert ae.fit(X).net_.module_.decoder.stack[-1].weight.abs().min() > 0
