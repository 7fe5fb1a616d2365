"""The written-out step equals autograd."""

import numpy as np
import pytest
import torch
from torch import nn

from skae import Autoencoder
from skae._modules.autoencoder import AutoencoderModule, Center
from skae._modules.label_head import LabelHead
from skae._modules.variational import VariationalModule
from skae._runtime import TRAINED, TrainState
from skae._training.dense_plan import plan_dense
from skae._training.dense_step import dense_step
from skae._training.flat import FlatView, flat_parameter
from skae.architectures import Dense, Shortcut
from skae.architectures._dense import ACTIVATIONS
from skae.bottlenecks import (
    Bottleneck,
    GaussianBottleneck,
    KLSparseBottleneck,
    L1Bottleneck,
    LinearBottleneck,
    NeighborBottleneck,
    TopKBottleneck,
)
from skae.losses import BernoulliLikelihood, GaussianLikelihood
from skae.losses._base import Loss
from skae.losses._mixed import LOSSES, make_loss


def make_module(
    activation="relu",
    loss="squared_error",
    output="identity",
    hidden=(16, 8),
    bottleneck=None,
    head=None,
    **layers,
):
    torch.manual_seed(0)
    bottleneck = bottleneck or LinearBottleneck()
    architecture = Dense(hidden, activation, **{"shortcut": False, **layers})
    encoder, decoder = architecture.build((6,), bottleneck.encoder_width(3), 3)
    loss = loss if isinstance(loss, Loss) else make_loss(loss)
    parts = encoder, bottleneck, decoder, ACTIVATIONS[output]()
    return AutoencoderModule(*parts, loss, head=head, target_weight=0.7).double()


def batch(n_rows=7, n_features=6):
    generator = torch.Generator().manual_seed(1)
    return torch.rand(n_rows, n_features, generator=generator, dtype=torch.float64)


def assert_step_equals_autograd(
    module, weight=None, cell_weight=None, state=TRAINED, n_rows=7, labels=None
):
    x = batch(n_rows)
    flat = flat_parameter(module)
    with FlatView(module, flat):
        for parameter in module.parameters():
            parameter.grad.fill_(5.0)  # what is left of the last step must not matter
        torch.manual_seed(0)
        loss = dense_step(module)(x, x, weight, cell_weight, [state], labels)
        written_out = flat.grad.clone()
        flat.grad.zero_()
        torch.manual_seed(0)
        expected = module.objective(x, x, weight, cell_weight, state, labels)
        expected.backward()
        torch.testing.assert_close(loss, expected.detach(), rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(written_out, flat.grad, rtol=1e-10, atol=1e-12)
    assert written_out.abs().sum() > 0


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations(activation):
    assert_step_equals_autograd(make_module(activation))


OF_ROWS = [loss for loss in LOSSES if loss != "ssim"]


@pytest.mark.parametrize("loss", [*OF_ROWS, nn.SmoothL1Loss(reduction="none")], ids=str)
@pytest.mark.parametrize("weighted", [False, True])
def test_losses(loss, weighted):
    weight = batch(7, 1)[:, 0] if weighted else None
    output = "sigmoid" if loss == "binary_cross_entropy" else "identity"
    assert_step_equals_autograd(make_module(loss=loss, output=output), weight)


@pytest.mark.parametrize("is_classifier", [True, False])
@pytest.mark.parametrize("layers", [{}, {"tied_weights": True}, {"shortcut": True}], ids=str)
def test_heads_of_labels(is_classifier, layers):
    head = LabelHead(3, 4, is_classifier, unit=2.0, code_size=0.5)
    nn.init.normal_(head.linear.weight)
    values = torch.arange(7.0).view(7, 1) % 4 if is_classifier else batch(7, 4)
    labels = torch.stack([values.double(), batch(7, 4)[:, : values.shape[1]]], -1)
    assert_step_equals_autograd(make_module(head=head, **layers), labels=labels)


class Squashed(Bottleneck):
    """Without a step of its own."""

    def draw(self, encoded, weight=None, state=TRAINED):
        return torch.tanh(encoded), encoded.square().mean()

    forward = None


BOTTLENECKS = {
    "top-k": TopKBottleneck(2),
    "l1": L1Bottleneck(0.3),
    "kl": KLSparseBottleneck(0.1, 0.3),
    "gaussian": GaussianBottleneck(),
    "beta": GaussianBottleneck(beta=0.3),
    "no beta": GaussianBottleneck(beta=0.0),
    "free bits": GaussianBottleneck(free_bits=0.03),
    "total correlation": GaussianBottleneck(tc_weight=4.0),
    "its own": Squashed(),
}


@pytest.mark.parametrize("bottleneck", BOTTLENECKS.values(), ids=BOTTLENECKS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("layers", [{}, {"shortcut": True}, {"tied_weights": True}], ids=str)
def test_bottlenecks(bottleneck, weighted, layers):
    weight = batch(7, 1)[:, 0] if weighted else None
    assert_step_equals_autograd(make_module(bottleneck=bottleneck, **layers), weight)


@pytest.mark.parametrize("bottleneck", [LinearBottleneck(), TopKBottleneck(2)], ids=str)
def test_centered_input(bottleneck):
    module = make_module(bottleneck=bottleneck)
    module.encoder = nn.Sequential(Center(batch()[0]), module.encoder)
    assert_step_equals_autograd(module)


@pytest.mark.parametrize("progress", [0.0, 0.05, 0.4, 1.0])
@pytest.mark.parametrize("bottleneck", [L1Bottleneck(1.0), GaussianBottleneck(warmup=0.5)], ids=str)
def test_bottlenecks_in_the_course_of_training(bottleneck, progress):
    state = TrainState(progress)
    assert_step_equals_autograd(make_module(bottleneck=bottleneck), state=state)


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_a_linear_map_alone_for_some_samples(dropout):
    module = make_module(shortcut=True, dropout=dropout)
    module.decoder.use_linear_alone(0.5)
    x = batch(8)
    code = module.latent(x)
    restored = module.train().decode_latent(code)
    linear = module.decoder.linear(code) + module.decoder.last.bias
    torch.testing.assert_close(restored[:4], linear[:4])
    assert not torch.isclose(restored[4:], linear[4:]).any()
    if not dropout:  # else masks differ
        torch.testing.assert_close(restored[4:], module.eval().decode_latent(code)[4:])
        assert_step_equals_autograd(module.train())


def test_a_shortcut_around_one_layer_can_use_its_linear_map_alone():
    shortcut = Shortcut(nn.Sequential(nn.Linear(4, 2)), 4, 2)
    shortcut.use_linear_alone(0.5)
    x = torch.rand(2, 4)
    torch.testing.assert_close(shortcut(x)[0], shortcut.linear(x)[0] + shortcut.last.bias)


@pytest.mark.parametrize("weighted", [False, True])
def test_pairs_of_neighbors(weighted):
    module = make_module(bottleneck=NeighborBottleneck(weight=0.5))
    weight = torch.rand(8, dtype=torch.float64) if weighted else None
    assert_step_equals_autograd(module, weight, n_rows=8)


@pytest.mark.parametrize("hidden", [(), (5,)])
def test_tied_weights(hidden):
    assert_step_equals_autograd(make_module(hidden=hidden, tied_weights=True))


@pytest.mark.parametrize(
    "loss", [GaussianLikelihood(), GaussianLikelihood(0.3), BernoulliLikelihood()], ids=str
)
@pytest.mark.parametrize("weighted", [False, True])
def test_likelihoods(loss, weighted):
    weight = batch(7, 1)[:, 0] if weighted else None
    module = make_module(loss=loss, bottleneck=GaussianBottleneck())
    assert_step_equals_autograd(module, weight)


@pytest.mark.parametrize("loss", ["huber", GaussianLikelihood(), nn.SmoothL1Loss(reduction="none")])
@pytest.mark.parametrize("weighted", [False, True])
def test_weights_of_cells(loss, weighted):
    weight = batch(7, 1)[:, 0] if weighted else None
    assert_step_equals_autograd(make_module(loss=loss), weight, batch().round())


def test_several_draws_are_left_to_autograd():
    module = make_module(loss=GaussianLikelihood(), bottleneck=GaussianBottleneck())
    parts = module.encoder, module.bottleneck, module.decoder, module.output_activation
    assert plan_dense(VariationalModule(*parts, module.loss)) is not None
    assert plan_dense(VariationalModule(*parts, module.loss, n_importance_samples=2)) is None


def test_losses_with_parameters_are_left_to_autograd():
    weighted = nn.Bilinear(6, 6, 1)
    module = make_module(loss=lambda prediction, target: weighted(prediction, target)[:, 0])
    assert plan_dense(module) is not None
    module.loss.function = weighted
    assert plan_dense(module) is None


@pytest.mark.parametrize("output", ["sigmoid", "tanh", "relu", "gelu"])
def test_output_activations(output):
    assert_step_equals_autograd(make_module(output=output))


@pytest.mark.parametrize("hidden", [(), (5,), (9, 8, 7, 6)])
@pytest.mark.parametrize("shortcut", [False, True])
def test_depths(hidden, shortcut):
    assert_step_equals_autograd(make_module(hidden=hidden, shortcut=shortcut))


def test_layers_without_bias():
    module = make_module()
    module.encoder[0] = nn.Linear(6, 16, bias=False, dtype=torch.float64)
    assert_step_equals_autograd(module)


def nested(outer_last):
    inner = Shortcut(nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 3)), 3, 3)
    return Shortcut(nn.Sequential(inner, outer_last), 3, 6)


@pytest.mark.parametrize(
    ("decoder", "is_written_out"),
    [
        (
            nn.Sequential(
                nn.Linear(3, 4),
                Shortcut(nn.Sequential(nn.GELU(), nn.Linear(4, 6)), 4, 6),
            ),
            False,
        ),
        (
            nn.Sequential(
                nn.Linear(3, 4),
                nn.ReLU(),
                Shortcut(nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 6)), 4, 6),
            ),
            True,
        ),
        (nested(nn.Linear(3, 6)), False),
        (Shortcut(nn.Sequential(nn.ReLU(), nn.Linear(3, 6)), 3, 6), False),
    ],
    ids=["activation first", "in the middle", "nested", "decoder is one"],
)
def test_shortcuts_anywhere(decoder, is_written_out, X, fast):
    class Architecture:
        def build(self, input_shape, encoder_width, code_width):
            return nn.Linear(6, 3), decoder

    params = fast | {"lr": 1e-20, "max_epochs": 1, "linear_fraction": 0.0}
    ae = Autoencoder(**params, architecture=Architecture())
    ae.fit(X[:, :6])
    assert ae.loss_curve_[0] == pytest.approx(-ae.score_samples(X[:, :6]).mean(), rel=1e-5)
    module = ae.net_.module_.double()
    assert (plan_dense(module) is not None) == is_written_out
    if is_written_out:
        assert_step_equals_autograd(module)


class SquaredReLU(nn.ReLU):
    def forward(self, x):
        return super().forward(x) ** 2


def replace_activation(module):
    module.encoder[1] = SquaredReLU()


def share_weight(module):
    module.decoder[0].weight = nn.Parameter(torch.zeros(8, 3))
    module.encoder[4].weight = nn.Parameter(torch.zeros(3, 8))
    module.encoder[2].bias = module.decoder[0].bias


def add_hook(module):
    module.encoder[0].register_forward_hook(lambda module, inputs, output: 2 * output)


def add_dropout(module):
    module.encoder.append(nn.Dropout(0.5))


@pytest.mark.parametrize("change", [replace_activation, share_weight, add_hook, add_dropout])
def test_other_modules_are_left_to_autograd(change):
    module = make_module()
    assert plan_dense(module) is not None
    change(module)
    assert plan_dense(module) is None


@pytest.mark.parametrize("optimizer", ["adam", "adamw"])
def test_direct_adam_equals_the_optimizers_step(optimizer, X, fast, monkeypatch):
    params = {**fast, "lr_schedule": "cosine", "weight_decay": 0.1, "optimizer": optimizer}
    direct = Autoencoder(**params, warm_start=True).fit(X).fit(X)
    monkeypatch.setattr("skae._training.stack.step_function", lambda optimizer, _: optimizer.step)
    by_step = Autoencoder(**params, warm_start=True).fit(X).fit(X)
    np.testing.assert_array_equal(direct.transform(X), by_step.transform(X))


@pytest.mark.parametrize("loss", ["squared_error", "binary_cross_entropy"])
def test_training_equals_autograd(loss, X, fast, monkeypatch):
    X = np.clip(X, 0, 1)
    written_out = Autoencoder(**fast, loss=loss).fit(X)
    with monkeypatch.context() as patch:
        patch.setattr("skae._training.stack.dense_step", lambda module: None)
        by_autograd = Autoencoder(**fast, loss=loss).fit(X)
        patch.setattr("skae._training.net.can_flatten", lambda module, optimizer: False)
        not_flat = Autoencoder(**fast, loss=loss).fit(X)
    for other in (by_autograd, not_flat):
        np.testing.assert_allclose(written_out.transform(X), other.transform(X), atol=1e-5)
        np.testing.assert_allclose(written_out.loss_curve_, other.loss_curve_, rtol=1e-6)
