"""What is given in place of images, and what skae says about it."""

import warnings

import numpy as np
import pytest

from skae import ConvAutoencoder, ImageToImageRegressor, VariationalAutoencoder
from skae.architectures import Conv
from skae.exceptions import DataWarning, ScaleWarning

QUICK = {"max_epochs": 1, "check_baseline": False, "random_state": 0}
COLORS = np.random.default_rng(0).random((12, 10, 9, 3))
GRAY = COLORS.mean(-1)
BYTES = (255 * COLORS).astype("uint8")


def dense(**params):
    return ConvAutoencoder(2, **{"channels": (4,), **QUICK, **params})


def spatial(**params):
    return dense(**{"code": "spatial", **params})


def variational(**params):
    return VariationalAutoencoder(2, architecture=Conv((4,)), **{**QUICK, **params})


def pairs(**params):
    return ImageToImageRegressor(**{"channels": (4,), **QUICK, **params})


def with_one(X, i, sample):
    """Return samples as a list in which one is another."""
    return [*X[:i], sample, *X[i + 1 :]]


def with_masked_pixel(X):
    mask = np.zeros(X.shape, bool)
    mask[7, 3, 2] = True
    return np.ma.array(X, mask=mask)


#: X, and what the error says, where {0} is the name of the data.
BAD = {
    "unequal channels": (
        with_one(COLORS, 2, np.ones((10, 9, 4))),
        r"{0}\[2\] (is )?of (shape )?\(10, 9, 4\).*convert\(\"RGB\"\)",
    ),
    "gray among colors": (
        with_one(COLORS, 1, GRAY[1]),
        r"{0}\[1\] (is )?of (shape )?\(10, 9\).*channels",
    ),
    "none": (with_one(COLORS, 3, None), r"{0}\[3\] is None, but {0}\[0\] is a sample of shape"),
    "none first": (with_one(COLORS, 0, None), r"{0}\[0\] is None, but {0}\[1\]"),
    "complex": (COLORS.astype(complex), r"{0} is of dtype complex128. Give {0}.real"),
    "dates": (BYTES.astype("datetime64[s]"), "{0} is of dtype datetime64.*not numeric"),
    "durations": (BYTES.astype("timedelta64[s]"), "{0} is of dtype timedelta64.*not numeric"),
    "text": (COLORS.astype(str), r"{0}\[0, 0\] is '0.6"),
    "nothing": ([], "{0} is empty"),
    "no samples": (COLORS[:0], "0 sample"),
    "video": (COLORS[:, None], r"{0} holds samples.*videos.*{0}.reshape\(-1, \*{0}.shape\[2:\]\)"),
    "masked": (with_masked_pixel(COLORS), r"{0}\[7\] is masked at \(3, 2, 0\)"),
    "masked bytes": (with_masked_pixel(BYTES), r"{0}\[7\] is masked at \(3, 2, 0\)"),
}


@pytest.mark.parametrize("case", BAD)
@pytest.mark.parametrize("make", [dense, spatial, variational])
def test_bad_images_are_named(make, case):
    X, message = BAD[case]
    with pytest.raises(ValueError, match=message.format("X")):
        make().fit(X)


@pytest.mark.parametrize("case", BAD)
def test_bad_pairs_are_named(case):
    X, message = BAD[case]
    with pytest.raises(ValueError, match=message.format("X")):
        pairs().fit(X, COLORS)
    with pytest.raises(ValueError, match=message.format("y")):
        pairs().fit(COLORS, X)


@pytest.mark.parametrize("make", [dense, variational])
def test_dense_codes_are_for_one_size(make):
    X, message = with_one(GRAY, 3, GRAY[3][:5]), r"X\[0\] of \(10, 9\) and X\[3\] of \(5, 9\)"
    with pytest.raises(ValueError, match=message):
        make().fit(X)
    with pytest.raises(ValueError, match=message):
        make().fit(GRAY).transform(X)


@pytest.mark.parametrize("case", ["none", "unequal channels", "complex", "masked"])
def test_bad_images_are_named_after_the_fit(case):
    X, message = BAD[case]
    with pytest.raises(ValueError, match=message.format("X")):
        dense().fit(COLORS).transform(X)
    with pytest.raises(ValueError, match=message.format("X")):
        pairs().fit(COLORS, GRAY).predict(X)


#: Images of the fit, other images, and what the error says to do.
OTHER_SHAPES = {
    "alpha": (COLORS, np.ones((5, 10, 9, 4)), r"drop it: X\[..., :3\]"),
    "gray with alpha": (COLORS[..., :1], COLORS[..., :2], r"drop it: X\[..., :1\]"),
    "channels first": (COLORS, COLORS.transpose(0, 3, 1, 2), r"np.moveaxis\(X, 1, -1\)"),
    "gray": (COLORS, GRAY, r"np.stack\(\[X\] \* 3, axis=-1\)"),
    "colors": (GRAY, COLORS, r"gray, for instance by image.convert\(\"L\"\)"),
    "one channel": (GRAY, GRAY[..., None], r"X\[..., 0\]"),
    "no channel": (GRAY[..., None], GRAY, r"X\[..., np.newaxis\]"),
}


@pytest.mark.parametrize("case", OTHER_SHAPES)
def test_other_shapes_than_at_fit_say_what_to_do(case):
    X, other, message = OTHER_SHAPES[case]
    with pytest.raises(ValueError, match=f"but the fit was on samples of shape .*{message}"):
        dense().fit(X).transform(other)
    with pytest.raises(ValueError, match=f"but the fit was on samples of shape .*{message}"):
        pairs().fit(X, GRAY).predict(other)


def test_dense_codes_ask_for_the_size_of_the_fit():
    with pytest.raises(ValueError, match="Resize or convert them to that shape"):
        dense().fit(COLORS).transform(COLORS[:, :8])


@pytest.mark.parametrize("case", OTHER_SHAPES)
def test_nets_of_any_size_say_so_for_other_sizes(case):
    X, other, message = OTHER_SHAPES[case]
    channels_first = case == "channels first"
    larger = np.concatenate([other, other], axis=2 if channels_first else 1)
    with pytest.raises(ValueError, match=f"but the fit was on samples of shape .*{message}"):
        pairs().fit(X, GRAY).predict(larger)


def test_channels_first_say_where_they_are():
    first = COLORS.transpose(0, 3, 1, 2)
    model = dense(channels_first=True).fit(first)
    with pytest.raises(ValueError, match=r"np.moveaxis\(X, -1, 1\)"):
        model.transform(COLORS)
    with pytest.raises(ValueError, match=r"drop it: X\[:, :3\]"):
        model.transform(np.ones((2, 4, 10, 9)))


@pytest.mark.parametrize("opaque", [1.0, np.uint8(255), np.uint16(65535)], ids=repr)
def test_a_constant_alpha_channel_warns(opaque):
    colors = COLORS if isinstance(opaque, float) else BYTES.astype(type(opaque))
    X = np.concatenate([colors, np.full_like(colors[..., :1], opaque)], axis=-1)
    message = r"{0} holds 4 channels.*alpha.*drop it: {0}\[..., :3\]"
    with pytest.warns(DataWarning, match=message.format("X")):
        dense().fit(X)
    with pytest.warns(DataWarning, match=message.format("X")):
        pairs().fit(X, GRAY)
    with pytest.warns(DataWarning, match=message.format("y")):
        pairs().fit(GRAY, X)
    with pytest.warns(DataWarning, match=r"drop it: X\[:, :3\]"):
        dense(channels_first=True).fit(X.transpose(0, 3, 1, 2))


def test_four_channels_of_any_values_are_fine():
    X = np.concatenate([COLORS, GRAY[..., None]], axis=-1)
    mask = np.concatenate([COLORS, (GRAY > 0.5)[..., None]], axis=-1)
    with warnings.catch_warnings(action="error"):
        dense().fit(X)
        dense().fit(mask)
        dense(spatial_dims=1).fit(np.ones((12, 9, 2)))


def pillow(mode, n=5):
    image = pytest.importorskip("PIL.Image")
    return [image.fromarray(x).convert(mode) for x in BYTES[:n]]


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK", "1"])
def test_lists_of_pillow_images_are_read(mode):
    given = pillow(mode)
    X = np.stack([np.asarray(image) for image in given])
    np.testing.assert_array_equal(dense().fit(given).transform(given), dense().fit(X).transform(X))
    np.testing.assert_array_equal(
        pairs().fit(given, given).predict(given), pairs().fit(X, X).predict(X)
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (lambda: pillow("P"), r"{0}\[0\] is an image of mode 'P'.*palette.*convert\(\"RGB\"\)"),
        (lambda: [*pillow("RGB", 2), *pillow("P", 1)], r"{0}\[2\] is an image of mode 'P'"),
        (lambda: [*pillow("RGB", 2), *pillow("RGBA", 1)], r"{0}\[0\] of 'RGB', {0}\[2\] of 'RGBA'"),
        (lambda: pillow("L", 1)[0], r"single image of Pillow. Give a list of images, \[{0}\]"),
    ],
    ids=["palette", "one palette", "modes", "single"],
)
def test_bad_pillow_images_are_named(given, message):
    with pytest.raises(ValueError, match=message.format("X")):
        dense().fit(given())
    with pytest.raises(ValueError, match=message.format("y")):
        pairs().fit(GRAY[:5], given())
    with pytest.raises(ValueError, match=message.format("X")):
        dense().fit(BYTES).transform(given())


@pytest.mark.parametrize(
    "y", [np.arange(12) % 3, list("abcdefghijkl"), np.array(["cat", "dog"] * 6)], ids=str
)
def test_labels_are_no_images(y):
    with pytest.raises(ValueError, match=r"y is of shape \(12,\).*predicts images.*labels"):
        pairs().fit(COLORS, y)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (255 * COLORS, "by X / 255, or give uint8"),
        (COLORS * [100, 200, 200] - [0, 100, 100], r"X.min.*color spaces such as Lab or HSV"),
        (COLORS * [360, 1, 1], "color spaces such as Lab or HSV"),
    ],
    ids=["0 to 255", "Lab", "HSV"],
)
def test_values_beyond_the_range_say_how_to_scale(values, message):
    with pytest.warns(ScaleWarning, match=message):
        dense(check_baseline=True).fit(values)
    with pytest.raises(ValueError, match=rf"needs X within \[0, 1\].*{message}"):
        dense(loss="binary_cross_entropy").fit(values)
    with pytest.raises(ValueError, match=rf"needs y within.*{message.replace('X', 'y')}"):
        pairs(loss="binary_cross_entropy").fit(GRAY, values)


@pytest.mark.parametrize(
    ("make", "size", "least"),
    [
        (lambda: dense(channels=(4,) * 4), (3, 3), 9),
        (lambda: spatial(channels=(4,) * 3, strides=(1, 3, 2)), (3, 2), 4),
        (lambda: pairs(channels=(4,) * 4), (2, 2), 5),
    ],
    ids=["dense", "spatial", "pairs"],
)
def test_small_images_say_the_least_size(make, size, least):
    rng = np.random.default_rng(0)
    X = rng.random((12, *size))
    with pytest.raises(ValueError, match=f"need a side of at least {least} pixels"):
        make().fit(X, X)
    X = rng.random((12, least, 2))  # so long a side is enough, and one pixel less is not
    make().fit(X, X if size == (2, 2) else None)
    with pytest.raises(ValueError, match="need a side of at least"):
        make().fit(X[:, :-1], X[:, :-1])


def test_images_of_one_column_train_in_bfloat16():
    """The gradient of strides beyond the size is NaN at times."""
    X = np.random.default_rng(0).random((30, 5, 1, 3))
    for _ in range(5):
        model = spatial(mixed_precision=True, early_stopping=False).fit(X)
        assert np.isfinite(model.reconstruct(X)).all()


@pytest.mark.parametrize("make", [dense, spatial, variational])
def test_a_single_image_is_named(make):
    image = np.ones((20, 24, 3))
    with pytest.raises(ValueError, match=r"looks like a single image.*X\[np.newaxis\]"):
        make().fit(image)
    with pytest.raises(ValueError, match=r"a single sample. Give X\[np.newaxis\]"):
        make().fit(COLORS).transform(COLORS[0])
    with pytest.raises(ValueError, match=r"looks like a single image.*X\[np.newaxis\]"):
        pairs().fit(image, image)


def test_transposed_pairs_look_so():
    with pytest.raises(ValueError, match="looks transposed"):
        pairs().fit(COLORS, GRAY.transpose(0, 2, 1))


@pytest.mark.parametrize(
    "X",
    [
        COLORS.astype(">f4"),
        BYTES.astype(">u2") * 257,
        COLORS.astype("f2"),
        np.asfortranarray(COLORS),
        np.ma.array(COLORS),
        COLORS.astype(object),
        COLORS > 0.5,
    ],
    ids=[
        "big-endian",
        "big-endian integers",
        "float16",
        "Fortran",
        "nothing masked",
        "object",
        "bool",
    ],
)
def test_any_array_of_numbers_is_read(X):
    plain = np.ascontiguousarray(X, X.dtype.newbyteorder("=") if X.dtype.kind != "O" else float)
    for make in (dense().fit, lambda x: pairs(channels=(4, 8)).fit(x, x)):
        codes, expected = (make(x).transform(x) for x in (X, plain))
        np.testing.assert_allclose(codes, expected, atol=1e-4)
