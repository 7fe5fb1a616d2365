"""Parts of skae know each other by base classes, not by looking for attributes."""

import ast
from pathlib import Path

import pytest
import torch
from torch import nn

import skae
from skae import Autoencoder
from skae._modules.autoencoder import AutoencoderModule
from skae._modules.variational import VariationalModule
from skae._runtime import TrainState, draws_from_torch
from skae.architectures import Conv, Dense, Recurrent, Shortcut, Transformer
from skae.architectures._augmentation import Augmentation
from skae.architectures._base import Dropout, Layer, Sequential, as_architecture, hooks
from skae.architectures._build import ARCHITECTURES, TEXT_ARCHITECTURES, make_architecture
from skae.bottlenecks import Bottleneck, GaussianBottleneck, L1Bottleneck, LinearBottleneck
from skae.corruptions import CORRUPTIONS, Corruption
from skae.losses import GaussianLikelihood, SquaredError
from skae.losses._base import Loss
from skae.losses._mixed import LOSSES, make_loss

PACKAGE = Path(skae.__file__).parent

#: Where attributes are looked for, and why.
EXCEPTIONS = {
    # What users give: any object, table or function, which is read in one place.
    "architectures/_base.py": "architectures and modules of the user",
    "architectures/_build.py": "architectures and modules of the user",
    "losses/_mixed.py": "what a function of the user returns",
    "corruptions.py": "what a function of the user returns",
    "_params.py": "the name of a function of the user",
    "metrics/_texts.py": "texts of the user",
    "_data/collections.py": "collections of Dask and torch",
    "_data/columns.py": "arrays and frames of the user",
    "_data/dtypes.py": "arrays and frames of the user",
    "_data/given.py": "whatever users give",
    "_data/read_images.py": "arrays of the user",
    "_data/read_sequences.py": "arrays and frames of the user",
    "_data/reader.py": "architectures of the user",
    "_data/tables.py": "arrays and frames of the user",
    "_estimators/variational.py": "a density of the user",
    "_model_selection/base.py": "estimators and spaces of the user",
    "_model_selection/fit_many.py": "estimators of the user",
    "_outliers/detector.py": "an estimator of the user",
    "_outliers/heat_maps.py": "an estimator of the user",
    "_outliers/wrapped.py": "an estimator of the user",
    "_persistence/applied_method.py": "an estimator of the user",
    "_persistence/decoding.py": "objects of any class",
    "_persistence/encoding.py": "objects of any class",
    "_series/judging.py": "an estimator of the user",
    "_series/streaming.py": "a detector of the user",
    "inspection/_scoring.py": "estimators of the user",
    "inspection/_models.py": "estimators of the user",
    # What a class has.
    "_estimators/fitted.py": "whether a class has an architecture",
}


def looks_for_attributes(node):
    """Say whether a piece of code asks for an attribute that need not be there, or for a kind."""
    match node:
        case (
            ast.Call(func=ast.Name(id="hasattr"))
            | ast.Call(func=ast.Name(id="getattr"), args=[_, _, _])
        ):
            return True
        case ast.Attribute(value=ast.Name(id="object"), attr="__setattr__"):
            return True
        case ast.Compare(left=left, comparators=others):
            return any(map(is_kind, [left, *others]))
    return False


def is_kind(node):
    """Say whether an expression is the kind of something other than a dtype."""
    match node:
        case ast.Attribute(attr="kind" | "input_kind" | "_input_kind", value=value):
            return "dtype" not in ast.unparse(value)
    return False


def test_no_part_looks_for_attributes_of_another():
    found = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if any(map(looks_for_attributes, ast.walk(ast.parse(path.read_text()))))
    }
    assert found - set(EXCEPTIONS) == set()
    assert set(EXCEPTIONS) - found == set()


def test_every_named_loss_has_all_hooks():
    losses = [make_loss(name) for name in LOSSES]
    losses += [
        GaussianLikelihood(),
        make_loss({"huber": 1.0}),
        make_loss(lambda x, y: (x - y) ** 2),
    ]
    assert all(isinstance(loss, Loss) for loss in losses)
    weight, bias = torch.ones(3, 2), torch.ones(3)
    for loss in losses:
        loss.start_at(torch.tensor(2.0))
        assert loss.to_logits(weight, bias) == (weight, bias)
        assert loss.make_activation() is None
        assert loss.fraction == 1.0
        assert loss.reduction in ("mean", "sum")


def test_every_architecture_has_all_hooks():
    for known in (ARCHITECTURES, TEXT_ARCHITECTURES):
        for make in known.values():
            architecture = make()
            assert as_architecture(architecture) is architecture
            assert architecture.code_length((1, 8, 8), 3) == 3


class OwnEncoder(nn.Linear):
    """An encoder that does all that an encoder may do."""

    def __init__(self):
        super().__init__(10, 3)
        self.started = None

    def start_at(self, weight, bias):
        self.started = weight, bias


class OwnDecoder(OwnEncoder):
    def __init__(self):
        nn.Linear.__init__(self, 3, 10)
        self.started = None


class Own:
    """An architecture without a base class."""

    def build(self, input_shape, encoder_width, code_width):
        return OwnEncoder(), OwnDecoder()

    def code_length(self, input_shape, n_components):
        return n_components + 1


def test_architectures_of_users_need_no_base(X, fast):
    own = make_architecture(Own())
    assert own.code_length((10,), 2) == 3
    assert own.input_kind == "arrays"
    assert own.training_defaults is None
    model = Autoencoder(**fast | {"n_components": 2}, architecture=Own()).fit(X)
    assert model.n_components_ == 3
    encoder, decoder = model.encoder_[0], model.decoder_[0]
    assert type(encoder) is OwnEncoder
    assert encoder.started[0].shape == (3, 10)
    assert decoder.started[0].shape == (10, 3)


def test_modules_of_users_offer_what_they_have():
    plain = hooks(nn.Linear(2, 2))
    assert not plain.takes_target
    assert not plain.standardizes
    assert not plain.starts_linear
    plain.standardize(None)
    assert hooks(OwnEncoder()).starts_linear
    layer = Layer()
    assert hooks(layer) is layer


@pytest.mark.parametrize("architecture", [Dense((4,)), Conv((4,)), Recurrent(4)], ids=repr)
def test_layers_add_nothing_to_a_linear_start(architecture):
    shapes = {"arrays": (6,), "images": (1, 5, 6), "sequences": (5, 2)}
    shape = shapes[architecture.input_kind]
    n_features = torch.Size(shape).numel()
    for half, n_inputs, n_outputs in zip(
        architecture.build(shape, 3, 3), (n_features, 3), (3, n_features), strict=True
    ):
        weight, bias = torch.randn(n_outputs, n_inputs), torch.randn(n_outputs)
        assert half.starts_linear
        half.eval().start_at(weight, bias)
        x = torch.randn(4, n_inputs)
        inputs = [x.view(4, *shape) if n_inputs == n_features else x]
        if half.takes_target:
            inputs.append(torch.zeros(4, *shape))
        with torch.no_grad():
            output = half(*inputs)
        torch.testing.assert_close(output.flatten(1), x @ weight.t() + bias, atol=1e-5, rtol=1e-5)


# The state of the training.


def test_progress_is_that_of_the_call():
    bottleneck, encoded = L1Bottleneck(1.0), torch.ones(2, 3)
    assert [bottleneck.draw(encoded, state=TrainState(p))[1].item() for p in (0.0, 0.05, 1.0)] == [
        0.0,
        1.5,
        3.0,
    ]
    assert bottleneck.draw(encoded)[1] == 3.0


def module(
    encoder=None, bottleneck=None, loss=None, corruption=None, make=AutoencoderModule, **how
):
    decoder = Dense(()).build((6,), 3, 3)[1]
    encoder = encoder or nn.Linear(6, 3)
    parts = encoder, bottleneck or LinearBottleneck(), decoder, nn.Identity()
    return make(*parts, loss or SquaredError(), corruption, **how)


def damage(corruption):
    return Corruption(corruption, (0.1, 0.3), 0.0, 1.0, clip=False, damaged_only=True)


def test_all_noise_is_of_the_generator_of_the_call():
    x = torch.rand(8, 6)
    encoder, _ = Dense((5,), dropout=0.4, shortcut=True).build((6,), 6, 3)
    for corruption in CORRUPTIONS:
        noisy = module(
            Sequential(nn.Identity(), encoder), GaussianBottleneck(), None, damage(corruption)
        )
        noisy.train()

        def loss(seed, noisy=noisy):
            state = TrainState(1.0, torch.Generator().manual_seed(seed))
            return noisy.objective(*noisy.training_inputs(x, x, state)[:2], state=state).item()

        torch.manual_seed(0)
        before = torch.get_rng_state()
        assert loss(1) == loss(1) != loss(2)
        assert torch.equal(torch.get_rng_state(), before)
        assert not draws_from_torch(noisy)


class OwnLayer(nn.Module):
    pass


class OwnBottleneck(Bottleneck):
    pass


_, FED_BACK = Recurrent(4, decoder_input="output").build((5, 2), 3, 3)


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (nn.Dropout(0.1), True),
        (nn.Dropout(0.0), False),
        (nn.Dropout2d(0.1), True),
        (nn.AlphaDropout(0.1), True),
        (nn.RReLU(), True),
        (nn.FractionalMaxPool2d(2, output_size=2), True),
        (nn.GRU(2, 2, num_layers=2, dropout=0.1), True),
        (nn.GRU(2, 2), False),
        (nn.MultiheadAttention(4, 2, dropout=0.1), True),
        (nn.TransformerEncoderLayer(4, 2, dropout=0.1), True),
        (nn.TransformerEncoderLayer(4, 2, dropout=0.0), False),
        (nn.Sequential(nn.Linear(2, 2), nn.ReLU()), False),
        (OwnLayer(), True),
        (OwnBottleneck(), True),
        (Dropout(0.1), False),
        (Dropout(0.1, has_pool=True), True),
        (Sequential(nn.Linear(2, 2), Dropout(0.1)), False),
        (nn.Sequential(nn.Linear(2, 2), Dropout(0.1)), True),  # which passes no state on
        (nn.Sequential(Sequential(Dropout(0.1))), True),
        (Shortcut(Sequential(Dropout(0.1), nn.Linear(2, 2)), 2, 2), False),
        (Shortcut(nn.Sequential(Dropout(0.1), nn.Linear(2, 2)), 2, 2), True),
        (Augmentation("both", 0), True),
        (Augmentation(None, 0), False),
        (damage("swap"), False),
        (damage(lambda x, level: x), True),
        (make_loss(lambda x, y: (x - y) ** 2), True),
        (make_loss(nn.L1Loss(reduction="none")), False),
        (
            module(make=VariationalModule, bottleneck=GaussianBottleneck(), n_importance_samples=2),
            True,
        ),
        (module(make=VariationalModule, bottleneck=GaussianBottleneck()), False),
        (nn.ModuleList(Conv((4,), dropout=0.1).build((1, 8, 8), 3, 3)), True),
        (nn.ModuleList(Conv((4,), n_residual_blocks=1).build((1, 8, 8), 3, 3)), False),
        (nn.ModuleList(Recurrent(4).build((5, 2), 3, 3)), False),
        (FED_BACK, True),
        (nn.ModuleList(Transformer(16).build(9, 9, shared=True, n_pairs=99)), True),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else str(value),
)
def test_what_draws_from_torchs_own_generator(part, expected):
    assert draws_from_torch(part) == expected


def test_draws_are_found_by_what_they_do_to_torchs_generator():
    """Training that is not said to draw leaves torch's own generator as it is."""
    for encoder in (nn.Linear(6, 3), nn.Sequential(nn.Linear(6, 3), Dropout(0.5))):
        trained = module(encoder).train()
        torch.manual_seed(0)
        before = torch.get_rng_state()
        trained.objective(
            torch.ones(4, 6), torch.ones(4, 6), state=TrainState(0.5, torch.Generator())
        )
        assert torch.equal(torch.get_rng_state(), before) != draws_from_torch(trained)
