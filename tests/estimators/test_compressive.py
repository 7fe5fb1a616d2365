"""Compression: bytes of samples, and samples of bytes."""

import pickle
import struct
import subprocess
import sys
import zlib

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError

import skae
from skae import CompressiveAutoencoder
from skae._estimators.compressed_bytes import HEADER
from skae.architectures import Conv, Recurrent
from skae.exceptions import ExtrapolationWarning, PoorFitWarning

DIGITS = load_digits().images[:300]
IMAGES = np.rint(DIGITS / 16 * 255).astype("uint8")
ROWS = DIGITS.reshape(-1, 64) / 16
QUICK = {"max_epochs": 3, "check_baseline": False, "early_stopping": False, "random_state": 0}
SPATIAL = Conv((8,), code="spatial", normalization=None)


def fitted(X, n_components="auto", **params):
    return CompressiveAutoencoder(n_components, **{"rate_weight": 0.01} | QUICK | params).fit(X)


@pytest.fixture(scope="module")
def model():
    return fitted(ROWS[:200])


@pytest.fixture(scope="module")
def packed(model):
    return model.compress(ROWS[200:])


# Any kind of sample.

FRAME = pd.DataFrame(ROWS[:, 20:24], columns=list("abcd"))
TABLE = FRAME.assign(kind=np.where(FRAME.a > 0.5, "large", "small"))
SEQUENCES = [ROWS[i, : 5 + i % 9] for i in range(60)]
KINDS = {
    "rows": (ROWS, {}),
    "single precision": (ROWS.astype("f"), {}),
    "one sample": (ROWS[:1], {}),
    "constant": (np.ones((9, 3)), {}),
    "frame": (FRAME, {}),
    "bytes": (IMAGES, {"architecture": SPATIAL, "n_components": 3}),
    "colors": (IMAGES[..., None].repeat(3, -1)[:60], {"architecture": Conv((4,))}),
    "channels first": (
        ROWS.reshape(-1, 2, 8, 4).astype("f")[:60],
        {"architecture": Conv((4,), channels_first=True)},
    ),
    "flat images": (ROWS[:60], {"architecture": Conv((4,), image_shape=(8, 8))}),
    "sequences": (SEQUENCES, {"architecture": Recurrent((4,)), "n_components": 3}),
    "table": (TABLE, {"architecture": "tabular", "n_components": 4}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_samples_come_back_as_reconstructed(kind):
    X, params = KINDS[kind]
    model = fitted(X, **params)
    restored = model.decompress(model.compress(X))
    codes = model.transform(X)
    lengths = {"lengths": [len(x) for x in X]} if kind == "sequences" else {}
    expected = model.inverse_transform(codes, **lengths)
    assert type(restored) is type(X)
    if kind == "sequences":
        assert [len(x) for x in restored] == lengths["lengths"]
        assert all(np.array_equal(*pair) for pair in zip(restored, expected, strict=True))
    elif isinstance(X, pd.DataFrame):
        assert list(restored.columns) == list(X.columns)
        assert np.array_equal(np.asarray(restored), np.asarray(expected))
        pd.testing.assert_frame_equal(restored, model.reconstruct(X))
    else:
        assert restored.dtype == X.dtype
        assert restored.shape == X.shape
        assert np.array_equal(restored, expected)


def test_an_empty_array_is_refused(model):
    with pytest.raises(ValueError, match=r"0 sample"):
        model.compress(ROWS[:0])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.filterwarnings("ignore", category=ExtrapolationWarning)
def test_samples_far_from_those_of_the_fit_come_back(model, dtype):
    largest = np.finfo(dtype).max
    X = (np.sign(ROWS[:8] - 0.5) * [[1], [10], [1e3], [1e9], [1e30], [0], [-5], [largest]]).astype(
        dtype
    )
    codes = model.transform(X)
    assert np.abs(codes).max() > 1e30
    restored = model.decompress(model.compress(X))
    assert np.array_equal(restored, model.inverse_transform(codes))
    bits = model.bits_per_sample(X)
    assert bits[4] > 32 * 8 > bits[5]


# Bytes.


def test_bits_per_sample_are_those_of_the_bytes(model, packed):
    bits = model.bits_per_sample(ROWS[200:])
    assert bits.shape == (100,)
    assert 0 <= 8 * (len(packed) - HEADER.size) - bits.sum() < 80
    assert model.rate_ == pytest.approx(model.bits_per_sample(ROWS[:200]).mean(), rel=0.1)


def test_more_weight_of_the_rate_gives_fewer_bytes_and_larger_errors():
    sizes, errors = [], []
    for weight in (0.001, 0.01, 0.1):
        model = fitted(ROWS[:200], rate_weight=weight)
        packed = model.compress(ROWS[200:])
        sizes.append(len(packed))
        errors.append(((model.decompress(packed) - ROWS[200:]) ** 2).mean())
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > 2 * sizes[2]
    assert errors == sorted(errors)


def test_codes_take_fewer_bytes_than_deflated_ones(model, packed):
    levels = np.rint(model.transform(ROWS[200:]) / model.step_size_)
    assert np.abs(levels).max() < 128
    assert len(packed) < 0.8 * len(zlib.compress(levels.T.astype("int8").tobytes(), 9))


def test_codes_are_multiples_of_the_step(model):
    levels = model.transform(ROWS[:200]) / model.step_size_
    assert np.allclose(levels, np.rint(levels), atol=1e-9)
    assert model.n_active_units_ == (np.ptp(levels, axis=0) > 0).sum()


def test_longer_codes_cost_nothing():
    rates = [fitted(ROWS[:200], n, rate_weight=0.1).rate_ for n in (20, 60)]
    assert rates[1] < 1.2 * rates[0]


def test_spatial_codes_have_a_prior_for_each_map():
    model = fitted(IMAGES, 3, architecture=SPATIAL)
    assert model.n_components_ == 3 * 4 * 4
    assert model.net_.module_.bottleneck.n_maps == 3
    assert fitted(ROWS, 5).net_.module_.bottleneck.n_maps == 5


# Other processes and other models.

RESTORE = """
import sys
import numpy as np
import skae
model = skae.load(sys.argv[1])
packed = open(sys.argv[2], "rb").read()
np.save(sys.argv[3], model.decompress(packed))
X = np.load(sys.argv[4])
assert model.compress(X) == packed
"""


def test_another_process_makes_the_same_samples_and_bytes(model, packed, tmp_path):
    paths = [str(tmp_path / name) for name in ("model.skae", "packed", "restored.npy", "X.npy")]
    skae.save(model, paths[0])
    (tmp_path / "packed").write_bytes(packed)
    np.save(paths[3], ROWS[200:])
    subprocess.run([sys.executable, "-c", RESTORE, *paths], check=True)
    assert np.array_equal(np.load(paths[2]), model.decompress(packed))


def test_copies_of_a_model_read_its_bytes(model, packed):
    twin = pickle.loads(pickle.dumps(model))
    again = clone(model).fit(ROWS[:200])
    for other in (twin, again):
        assert np.array_equal(other.decompress(packed), model.decompress(packed))
        assert other.compress(ROWS[200:]) == packed


def test_bytes_of_another_model_are_refused(packed):
    other = fitted(ROWS[:200], random_state=1)
    with pytest.raises(ValueError, match="compressed by another model"):
        other.decompress(packed)


def test_training_goes_on_and_makes_another_model(packed):
    model = fitted(ROWS[:200], warm_start=True)
    assert model.decompress(packed).shape == (100, 64)
    with pytest.raises(ValueError, match="by another model"):
        model.fit(ROWS[:200]).decompress(packed)
    again = model.partial_fit(ROWS[200:]).compress(ROWS[200:])
    assert model.decompress(again).shape == (100, 64)
    with pytest.raises(ValueError, match="rate_weight changed since the net was built"):
        model.set_params(rate_weight=0.1).fit(ROWS[:200])


def test_every_damage_is_noticed(model):
    packed = model.compress(ROWS[:3])
    for place in range(len(packed)):
        for bit in (1, 128):
            damaged = bytearray(packed)
            damaged[place] ^= bit
            with pytest.raises(ValueError, match="data"):
                model.decompress(damaged)
    for size in range(len(packed)):
        with pytest.raises(ValueError, match="data"):
            model.decompress(packed[:size])
    with pytest.raises(ValueError, match="damaged or cut off"):
        model.decompress(packed + b"\0")


def test_what_else_decompress_refuses(model, packed):
    with pytest.raises(TypeError, match="data must be bytes"):
        model.decompress("skae")
    with pytest.raises(ValueError, match="does not begin like bytes that compress returns"):
        model.decompress(b"\x89PNG" + packed[4:])
    with pytest.raises(ValueError, match="is of version 2 of the format"):
        model.decompress(packed[:4] + struct.pack("B", 2) + packed[5:])
    assert np.array_equal(model.decompress(memoryview(packed)), model.decompress(packed))
    for call in (CompressiveAutoencoder().compress, CompressiveAutoencoder().bits_per_sample):
        with pytest.raises(NotFittedError):
            call(ROWS)
    with pytest.raises(NotFittedError):
        CompressiveAutoencoder().decompress(packed)


def test_without_the_coder_all_but_compression_works(model, packed, monkeypatch):
    monkeypatch.setitem(sys.modules, "constriction", None)
    assert fitted(ROWS[:50]).bits_per_sample(ROWS[:5]).shape == (5,)
    for call, data in ((model.compress, ROWS), (model.decompress, packed)):
        with pytest.raises(ModuleNotFoundError, match=r"pip install 'skae\[compression\]'"):
            call(data)


# Fits.


def test_too_much_weight_of_the_rate_gives_a_warning():
    with pytest.warns(PoorFitWarning, match=r"rate_weight=1000, none is worth its bits"):
        model = fitted(ROWS, rate_weight=1e3, check_baseline=True)
    assert model.n_active_units_ == 0
    assert len(model.compress(ROWS)) < HEADER.size + 60


def test_images_of_other_sizes_are_refused(rng):
    X = rng.random((20, 8, 8))
    model = CompressiveAutoencoder(
        2, architecture=Conv((4,), code="spatial"), max_epochs=1, check_baseline=False
    ).fit(X)
    for method in model.compress, model.bits_per_sample:
        with pytest.raises(ValueError, match=r"size of the training alone, \(8, 8\)"):
            method(rng.random((2, 16, 16)))
        with pytest.raises(ValueError, match=r"size of the training alone, \(8, 8\)"):
            method([rng.random((16, 16)), rng.random((8, 9))])
