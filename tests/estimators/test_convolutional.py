"""Images and signals in all their layouts, through every estimator that takes them."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse
from sklearn.datasets import load_digits
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from skae import (
    Autoencoder,
    ConvAutoencoder,
    DenoisingAutoencoder,
    SparseAutoencoder,
    VariationalAutoencoder,
)
from skae.architectures import Conv, UNet
from skae.architectures._conv_layers import ConvLayers
from skae.exceptions import ScaleWarning

QUICK = {"max_epochs": 2, "check_baseline": False, "random_state": 0}


@pytest.fixture(scope="module")
def digits():
    """60 digits of 8 x 8 pixels, from 0 to 1."""
    return load_digits().images[:60] / 16


def make(**params):
    return ConvAutoencoder(3, **{"channels": (4,), **QUICK, **params})


SHAPES = {
    "images": ((9, 7), {}),
    "one channel": ((9, 7, 1), {}),
    "colors": ((9, 7, 3), {}),
    "channels first": ((3, 9, 7), {"channels_first": True}),
    "flat": ((63,), {"image_shape": (9, 7)}),
    "flat colors": ((189,), {"image_shape": (9, 7, 3)}),
    "flat colors first": ((189,), {"image_shape": (3, 9, 7), "channels_first": True}),
    "signal": ((17,), {}),
    "signal with channels": ((17, 2), {"spatial_dims": 1}),
    "signal, channels first": ((2, 17), {"spatial_dims": 1, "channels_first": True}),
    "flat signals": ((34,), {"spatial_dims": 1, "image_shape": (17, 2)}),
}


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8", "uint16", "int32", "bool"])
@pytest.mark.parametrize("layout", SHAPES)
def test_output_is_like_input(layout, dtype, rng):
    shape, params = SHAPES[layout]
    X = rng.integers(0, 200, (12, *shape)).astype(dtype)
    model = make(**params, batch_size=8).fit(X)
    codes = model.transform(X)
    assert codes.shape == (12, 3)
    expected = dtype if dtype[:4] in ("uint", "floa") else "float64"
    for output in (model.reconstruct(X), model.inverse_transform(codes)):
        assert output.shape == X.shape
        assert output.dtype == expected
    errors = model.reconstruction_errors(X)
    assert errors.shape == X.shape
    assert model.score_samples(X) == pytest.approx(-errors.reshape(12, -1).mean(1), rel=1e-5)


@pytest.mark.parametrize("layout", ["colors", "channels first", "flat colors"])
def test_layouts_of_the_same_images_give_the_same_model(layout, rng):
    shape, params = SHAPES[layout]
    images = rng.random((12, 9, 7, 3))
    X = np.moveaxis(images, -1, 1) if params.get("channels_first") else images
    X = X.reshape(12, *shape)
    expected = make().fit(images)
    model = make(**params).fit(X)
    np.testing.assert_array_equal(model.transform(X), expected.transform(images))


def test_unsigned_integers_are_intensities(digits):
    X = np.round(255 * digits).astype("uint8")
    of_bytes, of_floats = make().fit(X), make().fit(X / np.float32(255))
    np.testing.assert_array_equal(of_bytes.transform(X), of_floats.transform(X / np.float32(255)))
    np.testing.assert_array_equal(
        make().fit(X.astype(">u2")).transform(X.astype("<u2")),
        make().fit(X.astype("<u2")).transform(X.astype(">u2")),
    )
    # What is fitted on one takes the other.
    np.testing.assert_array_equal(of_floats.transform(X), of_bytes.transform(X))
    restored = of_bytes.reconstruct(X)
    floats = of_floats.reconstruct(X / np.float32(255))
    np.testing.assert_array_equal(restored, np.rint(255 * floats).clip(0, 255))


@pytest.mark.parametrize("dtype", ["uint16", "uint32", "uint64"])
def test_wide_integers_keep_their_range(dtype):
    X = np.zeros((24, 6, 6), dtype)
    X[::2] = np.iinfo(dtype).max
    model = make(max_epochs=1, lr=1e-9).fit(X)
    restored = model.reconstruct(X)
    assert restored[::2].min() > 0.99 * np.iinfo(dtype).max
    assert restored[1::2].max() < 0.01 * np.iinfo(dtype).max


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (5, 5), (13, 8), (31, 3)])
@pytest.mark.parametrize("strides", [2, 3, (1, 4)])
@pytest.mark.parametrize("upsampling", ["transpose", "nearest", "bilinear"])
def test_any_size_comes_back(size, strides, upsampling):
    for kernel_size in (1, 3, 5):
        architecture = Conv(
            channels=(2, 3) if max(size) > 3 else (2,),
            strides=strides if max(size) > 3 or isinstance(strides, int) else 2,
            kernel_size=kernel_size,
            upsampling=upsampling,
        )
        encoder, decoder = architecture.build((2, *size), 4, 4)
        assert decoder(encoder(torch.zeros(1, 2, *size))).shape == (1, 2, *size)


@pytest.mark.parametrize("downsampling", ["convolution", "max_pool", "average_pool"])
def test_a_spatial_code_has_places(downsampling, digits):
    model = make(code="spatial", channels=(4, 6), downsampling=downsampling)
    model.set_params(n_components="auto").fit(digits)
    assert model.n_components_ == 6 * 2 * 2
    assert make(code="spatial", channels=(4, 6)).fit(digits).n_components_ == 3 * 2 * 2


def test_auto_channels_fit_the_size():
    sizes = {(1, 28, 28): 2, (1, 8, 8): 1, (3, 5, 100): 1, (1, 1): 1, (1, 140): 4}
    for shape, n_stages in sizes.items():
        assert len(Conv()._plan(shape).strides) == n_stages


def test_starts_at_principal_components(digits):
    # Nothing is learned, so what is there from the start is PCA's.
    model = make(lr=1e-12, max_epochs=1, early_stopping=False).fit(digits)
    flat = digits.reshape(60, -1)
    axes = np.linalg.svd(flat - flat.mean(0), full_matrices=False)[2][:3]
    share = (((flat - flat.mean(0)) @ axes.T) ** 2).sum() / ((flat - flat.mean(0)) ** 2).sum()
    assert model.score(digits) == pytest.approx(share, abs=1e-3)


@pytest.mark.parametrize(
    "objective", [DenoisingAutoencoder, SparseAutoencoder, VariationalAutoencoder]
)
@pytest.mark.parametrize("code", ["dense", "spatial"])
def test_objectives_take_images(objective, code, digits):
    model = objective(3, architecture=Conv((4,), code=code), **QUICK).fit(digits)
    assert model.reconstruct(digits).shape == digits.shape
    assert np.isfinite(model.score_samples(digits)).all()
    assert model.reconstruction_errors(digits).shape == digits.shape


def test_variational_draws_images_like_those_of_the_fit(digits):
    X = np.round(255 * digits).astype("uint8")
    model = VariationalAutoencoder(3, architecture=Conv((4,)), **QUICK).fit(X)
    drawn = model.sample(5)
    assert drawn.shape == (5, 8, 8)
    assert drawn.dtype == np.uint8


def test_sparse_shows_which_pixels_matter(digits):
    model = SparseAutoencoder(20, architecture=Conv((4,)), **QUICK).fit(digits)
    assert model.feature_importances_.shape == (8, 8)
    assert model.feature_importances_[:, 0].max() < model.feature_importances_.max() / 10


def test_in_a_pipeline_behind_two_dimensional_steps():
    X = load_digits().data
    model = make_pipeline(MinMaxScaler(), make(image_shape=(8, 8))).fit(X)
    assert model.transform(X).shape == (len(X), 3)
    assert model.inverse_transform(model.transform(X)).shape == X.shape


def test_frames_and_sparse_rows_of_images(digits):
    flat = digits.reshape(60, -1)
    frame = pd.DataFrame(flat, columns=[f"pixel{i}" for i in range(64)], index=range(5, 65))
    model = make(image_shape=(8, 8)).fit(frame)
    restored = model.reconstruct(frame)
    assert restored.columns.equals(frame.columns)
    assert restored.index.equals(frame.index)
    codes = make(image_shape=(8, 8)).fit(sparse.csr_array(flat)).transform(flat)
    np.testing.assert_array_equal(codes, model.transform(frame))


def test_reconstruction_errors_of_a_frame(X):
    frame = pd.DataFrame(X, columns=[f"c{i}" for i in range(10)])
    model = Autoencoder(2, **QUICK).fit(frame)
    errors = model.reconstruction_errors(frame)
    assert list(errors.columns) == list(frame.columns)
    np.testing.assert_allclose(errors, (frame - model.reconstruct(frame)) ** 2, atol=1e-12)


def test_errors_point_at_the_damaged_pixels(global_random_seed, digits):
    X = load_digits().images / 16
    model = ConvAutoencoder(16, max_epochs=15, random_state=global_random_seed).fit(X)
    damaged = X[:50].copy()
    damaged[:, 0, 7] = 1  # a corner that is empty in every digit
    worst = model.reconstruction_errors(damaged).reshape(50, -1).argmax(1)
    assert (worst == 7).mean() > 0.9
    assert (model.score_samples(damaged) < model.score_samples(X[:50])).mean() > 0.9


def test_images_as_a_list(digits):
    model = make().fit(digits)
    np.testing.assert_array_equal(model.transform(list(digits)), model.transform(digits))


def test_read_only_and_memory_mapped_images(digits, tmp_path):
    X = np.round(255 * digits).astype("uint8")
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    np.testing.assert_array_equal(make().fit(mapped).transform(mapped), make().fit(X).transform(X))


def test_conv_parameters_can_be_searched(digits):
    model = Autoencoder(3, architecture="conv", **QUICK)
    model.set_params(architecture__channels=(5,)).fit(digits)
    assert model.encoder_[0].stages[0][0].out_channels == 5


def test_same_bits_for_the_same_seed(digits):
    first, second = (make(normalization="batch").fit(digits).transform(digits) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_training_goes_on(digits):
    model = make(warm_start=True).fit(digits)
    model.fit(digits)
    assert model.n_iter_ == 4
    with pytest.raises(ValueError, match="channels changed since the net was built"):
        model.set_params(channels=(7,)).fit(digits)
    parts = make()
    for _ in range(3):
        parts.partial_fit(digits)
    assert parts.n_iter_ == 3
    with pytest.raises(ValueError, match=r"\(8, 7\), but the fit was on samples of shape \(8, 8\)"):
        parts.partial_fit(digits[:, :, :7])


def test_mixed_precision_changes_training_alone(digits):
    full, mixed = (make(mixed_precision=p, early_stopping=False).fit(digits) for p in (False, True))
    assert np.abs(full.transform(digits) - mixed.transform(digits)).max() > 0
    np.testing.assert_allclose(full.reconstruct(digits), mixed.reconstruct(digits), atol=0.05)
    assert mixed.net_.module_.encoder(_tensor(digits)).dtype.itemsize == 4


def colored(images):
    return np.stack([images, images**2, 1 - images], -1)


def _tensor(images):
    return torch.tensor(images[:, None], dtype=torch.float32)


def test_tensors_and_lists_of_tensors(digits):
    model = make().fit(digits.astype("float32"))
    expected = model.transform(digits.astype("float32"))
    tensor = torch.tensor(digits, dtype=torch.float32, requires_grad=True)
    np.testing.assert_array_equal(model.transform(tensor), expected)
    np.testing.assert_array_equal(model.transform(tensor.detach().bfloat16()), expected)


def test_optimizers_that_flatten_parameters(digits):
    make(channels=(4, 6), optimizer=torch.optim.LBFGS, lr=0.5).fit(colored(digits))


def test_default_dtype_does_not_matter(digits):
    expected = make().fit(digits).transform(digits)
    torch.set_default_dtype(torch.float64)
    try:
        assert make().fit(digits).transform(digits).shape == expected.shape
    finally:
        torch.set_default_dtype(torch.float32)


def test_shortcuts_are_left_out_where_they_are_huge():
    _, decoder = Conv((4,)).build((3, 64, 64), 10, 10)
    assert decoder.linear is not None
    _, decoder = Conv((4,)).build((3, 64, 64), 1000, 1000)
    assert decoder.linear is None


def test_structural_loss_does_not_depend_on_an_offset(digits):
    X = digits.astype("float32")
    model = make(loss="ssim", max_epochs=1, lr=1e-9, early_stopping=False)
    losses = [model.fit(X + offset).loss_curve_[0] for offset in (1, 1000)]
    assert 0 < losses[1] <= losses[0] < 0.5  # means weigh less beside a large offset
    make(loss="ssim").fit(np.full((24, 8, 8), 255.0))


def test_a_batch_of_one_with_batch_normalization(digits):
    make(normalization="batch", batch_size=59, early_stopping=False).fit(digits)


def fitted(X=None, **params):
    X = np.random.default_rng(0).random((10, 8, 8)) if X is None else X
    return make(**params).fit(X)


def ones(*shape):
    return np.ones(shape)


def with_hole():
    X = ones(5, 8, 8)
    X[3, 2, 4] = np.nan
    return X


class Misspelt(Conv):
    input_kind = "image"


MISTAKES = {
    "channels at use": (lambda: fitted().transform(ones(2, 8, 8, 3)), r"\(8, 8, 3\), but the fit"),
    "size at use": (lambda: fitted().transform(ones(2, 9, 8)), r"of shape \(9, 8\).*Resize"),
    "too deep": (
        lambda: make(channels=(2,) * 6).fit(ones(9, 8, 8)),
        r"6 stages.*8 x 8.*after 3\. Give at most 3",
    ),
    "mixed sizes": (
        lambda: make().fit([ones(8, 8), ones(8, 7)]),
        r"different shapes, such as X\[0\] of \(8, 8\) and X\[1\] of \(8, 7\)",
    ),
    "NaN": (lambda: make().fit(with_hole()), r"X\[3\] holds nan at \(2, 4\)"),
    "floats beyond one": (
        lambda: make(loss="binary_cross_entropy").fit(255 * ones(9, 8, 8)),
        "within .0, 1., but its values go from 255 to 255.*X / 255",
    ),
    "floats after bytes": (
        lambda: fitted(ones(9, 8, 8).astype("uint8")).transform(255 * ones(2, 8, 8)),
        "X holds floats up to 255, but the fit was on uint8.*floats from 0 to 1 to all",
    ),
    "bytes after floats": (
        lambda: fitted(255 * ones(9, 8, 8)).transform(ones(2, 8, 8).astype("uint8")),
        "X holds uint8, but the fit was on floats up to 255",
    ),
    "bytes after masks": (
        lambda: fitted(ones(9, 8, 8) > 0).transform(ones(2, 8, 8).astype("uint8")),
        "X holds uint8, but the fit was on other numbers up to 1",
    ),
    "other integers": (
        lambda: fitted(ones(9, 8, 8).astype("uint8")).transform(ones(2, 8, 8).astype("uint16")),
        "X holds uint16, but the fit was on uint8",
    ),
    "signals of unequal length": (
        lambda: make().fit([ones(8), ones(7)]),
        r"different shapes, such as X\[0\] of \(8,\) and X\[1\] of \(7,\)",
    ),
    "validation data": (
        lambda: make().fit(ones(9, 8, 8), X_val=with_hole()),
        r"In the validation data: X\[3\] holds nan",
    ),
    "spatial axes": (
        lambda: Autoencoder(architecture=Conv(spatial_dims=3)).fit(ones(9, 8, 8)),
        "'spatial_dims' parameter of Conv must be",
    ),
    "shape without sides": (
        lambda: make(image_shape=(8, None)).fit(ones(9, 64)),
        "image_shape must be a tuple",
    ),
    "shape of fractions": (
        lambda: make(image_shape=(8, 8.5)).fit(ones(9, 64)),
        "image_shape must be a tuple",
    ),
    "no channels": (lambda: make(channels=()).fit(ones(9, 8, 8)), "channels must hold at least"),
    "shape of flat rows": (
        lambda: make(image_shape=(7, 9)).fit(ones(9, 64)),
        r"\(64,\), but image_shape=\(7, 9\) asks for that shape, or rows of 63",
    ),
    "rows as images": (lambda: make(spatial_dims=2).fit(ones(9, 64)), "give image_shape"),
    "too many axes": (lambda: make().fit(ones(9, 8, 8, 3, 2)), "Images have the shape"),
    "images as signals": (lambda: make(spatial_dims=1).fit(ones(9, 8, 8, 3)), "Signals, spatial"),
    "no pixels": (lambda: make().fit(ones(9, 0, 8)), r"shape \(0, 8\)"),
    "even kernel": (lambda: make(kernel_size=4).fit(ones(9, 8, 8)), "must be odd"),
    "strides": (lambda: make(strides=(2, 2)).fit(ones(9, 8, 8)), "strides=.2, 2. has 2 numbers"),
    "channels": (
        lambda: make(channels=(0,)).fit(ones(9, 8, 8)),
        "integers of at least 1",
    ),
    "upsampling": (lambda: make(upsampling="bilnear").fit(ones(9, 8, 8)), "mean 'bilinear'"),
    "images for dense layers": (lambda: Autoencoder().fit(ones(9, 8, 8)), "dim 3"),
    "slightly beyond one": (
        lambda: make(loss="binary_cross_entropy", image_shape=(8, 8)).fit(1.1 * ones(9, 64)),
        r"MinMaxScaler\(clip=True\)",
    ),
    "structural loss of rows": (
        lambda: Autoencoder(loss="ssim").fit(ones(9, 8)),
        "compares images: it needs an architecture for images",
    ),
    "noise in bytes": (
        lambda: DenoisingAutoencoder(
            architecture=Conv((4,)), noise_level=25.0, data_range=(0, 255)
        ).fit(ones(9, 8, 8).astype("uint8")),
        "noise_level=25.0 must be on the scale from 0 to 1.*divide it by 255",
    ),
    "kind of input": (
        lambda: Autoencoder(architecture=Misspelt()).fit(ones(9, 8, 8)),
        r"input_kind of Misspelt must be one of .'arrays', 'images', 'sequences', 'tables'.,"
        " not 'image'",
    ),
    "codes": (
        lambda: fitted().inverse_transform(ones(2, 4)),
        "4 columns, but ConvAutoencoder was fitted with 3",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_named(mistake):
    call, message = MISTAKES[mistake]
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (255 * load_digits().images / 16, r"deviation of 95\.\d, and learns best"),
        (load_digits().images / 16 + 100, "mean of 100 and"),
        (load_digits().images.astype("uint8"), "deviation of 0.0236 of the largest uint8"),
    ],
)
def test_warns_of_images_on_another_scale(X, message):
    with pytest.warns(ScaleWarning, match=message):
        ConvAutoencoder(8, max_epochs=4, random_state=0).fit(X)


def test_rounding_errors_are_no_mistake():
    make(loss="binary_cross_entropy").fit(np.full((9, 8, 8), 1 + 1e-9))


def test_nets_for_pairs_are_no_architecture():
    with pytest.raises(TypeError, match="it is for ImageToImageRegressor"):
        Autoencoder(architecture=UNet()).fit(ones(9, 8, 8))


def test_a_failed_fit_keeps_the_model(digits):
    model = make().fit(digits)
    before = model.transform(digits)
    with pytest.raises(ValueError, match="holds nan"):
        model.fit(with_hole())
    np.testing.assert_array_equal(model.transform(digits), before)


def test_scaled_columns_as_images():
    X = StandardScaler().fit_transform(load_digits().data)
    model = make(image_shape=(8, 8)).fit(X)
    assert model.reconstruct(X).shape == X.shape


@pytest.mark.parametrize("n_dims", [1, 2])
@pytest.mark.parametrize("normalization", ["batch", "layer", None])
def test_residual_blocks_add_nothing_at_first(n_dims, normalization):
    layers = ConvLayers(Conv((4,), normalization=normalization), n_dims)
    x = torch.randn(3, 4, *[6] * n_dims)
    for block in layers.residual_blocks(4, 2):
        torch.testing.assert_close(block(x), x, rtol=0, atol=0)


def test_training_on_floats_goes_on_with_integers(rng):
    pixels = rng.integers(0, 255, (8, 6, 6), dtype=np.uint8)
    model = make(max_epochs=1).partial_fit(pixels / 255).partial_fit(pixels)
    assert model.n_iter_ == 2
