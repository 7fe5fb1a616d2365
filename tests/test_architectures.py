import pytest
import torch
from torch import nn

from skae.architectures import Dense
from skae.architectures._dense import ACTIVATIONS, BatchNorm


def kinds(module):
    return [type(layer).__name__ for layer in module]


def test_decoder_mirrors_encoder():
    encoder, decoder = Dense((7, 5)).build((10,), 3, 3)
    shapes = [
        [(m.in_features, m.out_features) for m in part if isinstance(m, nn.Linear)]
        for part in (encoder, decoder)
    ]
    assert shapes == [[(10, 7), (7, 5), (5, 3)], [(3, 5), (5, 7), (7, 10)]]


def test_encoder_and_decoder_may_differ_in_width():
    encoder, decoder = Dense(()).build((10,), 6, 3)
    assert (encoder[0].out_features, decoder[0].in_features) == (6, 3)


def test_layers_of_samples_of_any_shape():
    encoder, decoder = Dense((7,)).build((4, 5), 3, 3)
    assert decoder(encoder(torch.zeros(2, 4, 5))).shape == (2, 4, 5)


def test_order_of_layers():
    encoder, _ = Dense((7,), "elu", dropout=0.1, normalization="batch").build((10,), 3, 3)
    assert kinds(encoder) == ["Linear", "BatchNorm", "ELU", "Dropout", "Linear"]
    encoder, _ = Dense((7,), normalization="layer").build((10,), 3, 3)
    assert kinds(encoder) == ["Linear", "LayerNorm", "ReLU", "Linear"]


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations_have_the_names_of_torch(activation):
    encoder, _ = Dense((7,), activation).build((10,), 3, 3)
    assert kinds(encoder)[1].lower() == activation.replace("_", "")


def test_batch_norm_of_one_row_uses_running_statistics():
    norm = BatchNorm(2)
    norm(torch.tensor([[0.0, 0.0], [2.0, 4.0]]))
    row = torch.tensor([[1.0, 1.0]])
    trained = norm(row)
    assert torch.equal(trained, norm.eval()(row))
    assert torch.equal(norm.running_mean, torch.tensor([0.1, 0.2]))
