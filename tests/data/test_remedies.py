"""Errors about samples of another kind than an estimator takes say what to do."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from torch import nn

from skae import (
    Autoencoder,
    ConvAutoencoder,
    DenoisingAutoencoder,
    EnsembleAutoencoder,
    ImageToImageRegressor,
    OutlierDetector,
    RecurrentAutoencoder,
    SparseAutoencoder,
    TabularAutoencoder,
    TabularOutlierScorer,
    VariationalAutoencoder,
)

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(30, 4))
IMAGES = RNG.random((20, 8, 8)).astype(np.float32)
COLORS = RNG.random((20, 8, 8, 3)).astype(np.float32)
SEQUENCES = [RNG.normal(size=(n, 2)) for n in RNG.integers(4, 9, 30)]

OF_ROWS = [
    Autoencoder(),
    DenoisingAutoencoder(),
    SparseAutoencoder(),
    VariationalAutoencoder(),
    EnsembleAutoencoder(),
    OutlierDetector(Autoencoder()),
]
OF_TABLES = [TabularAutoencoder(), TabularOutlierScorer(), OutlierDetector()]


def fast(kind, *args, **params):
    return kind(*args, max_epochs=1, check_baseline=False, random_state=0, **params)


@pytest.mark.parametrize("estimator", OF_ROWS, ids=str)
def test_missing_values_and_text(estimator):
    holes = np.where(np.arange(4) == 2, np.nan, ROWS)
    frame = pd.DataFrame(holes, columns=list("abcd"))
    text = pd.DataFrame({"a": ["x", "y"] * 15, "b": ROWS[:, 0]})
    message = r"contains NaN\.\nX\[0, 2\] is nan\.\nTabularAutoencoder takes missing"
    with pytest.raises(ValueError, match=message):
        estimator.fit(holes)
    with pytest.raises(ValueError, match=r"in columns \['c'\]\.\nTabularAutoencoder takes missing"):
        estimator.fit(frame)
    for table in (text, text.astype({"a": "category"}), pl.from_pandas(text)):
        with pytest.raises(ValueError, match=r"columns \['a'\](.|\n)*TabularAutoencoder"):
            estimator.fit(table)
    with pytest.raises(ValueError, match="TabularAutoencoder takes tables with text"):
        estimator.fit(text.to_numpy().astype(str))


def test_missing_values_of_new_rows():
    model = fast(Autoencoder, 2).fit(ROWS)
    with pytest.raises(ValueError, match="TabularAutoencoder takes missing"):
        model.transform(np.full((2, 4), np.nan))


@pytest.mark.parametrize("estimator", [*OF_ROWS, *OF_TABLES[:2]], ids=str)
def test_images_to_estimators_of_rows(estimator):
    for images in (IMAGES, COLORS, torch.from_numpy(COLORS), list(IMAGES)):
        with pytest.raises(ValueError, match='ConvAutoencoder, or architecture="conv"'):
            estimator.fit(images)


@pytest.mark.parametrize("estimator", OF_ROWS + OF_TABLES, ids=str)
def test_sequences_to_estimators_of_rows(estimator):
    flat = [sequence[:, 0] for sequence in SEQUENCES]
    frames = [pd.DataFrame(sequence) for sequence in SEQUENCES]
    lists = [sequence.tolist() for sequence in flat]
    for sequences in (SEQUENCES, flat, frames, lists, np.array(flat, dtype=object)):
        with pytest.raises(ValueError, match=r"OutlierDetector\(RecurrentAutoencoder\(\)\)"):
            estimator.fit(sequences)


class OwnOfImages:
    def build(self, input_shape, encoder_width, code_width):
        encoder = nn.Sequential(nn.Flatten(), nn.Linear(64, encoder_width))
        return encoder, nn.Linear(code_width, 64)


def test_own_architecture_without_input_kind():
    model = Autoencoder(2, architecture=OwnOfImages())
    with pytest.raises(ValueError, match='architecture of your own .* input_kind = "images"'):
        model.fit(IMAGES)
    with pytest.raises(
        ValueError, match='architecture of your own .*\n?.*input_kind = "sequences"'
    ):
        model.fit(SEQUENCES)


@pytest.mark.parametrize("row", [pd.Series(ROWS[0]), pl.Series(ROWS[0])], ids=["pandas", "polars"])
def test_a_row_as_a_series(row):
    frame = pd.DataFrame(ROWS, columns=list("abcd"))
    models = [fast(Autoencoder, 2), OutlierDetector(fast(Autoencoder, 2)), fast(TabularAutoencoder)]
    for model in models:
        with pytest.raises(ValueError, match=r"X is a Series.* frame\.iloc\[\[0\]\]"):
            model.fit(row)
        model.fit(frame)
        for method in ({"transform", "score_samples", "predict", "reconstruct"}) & set(dir(model)):
            with pytest.raises(ValueError, match=r"X is a Series.* frame\.iloc\[\[0\]\]"):
                getattr(model, method)(row)
    for kind in (ConvAutoencoder, RecurrentAutoencoder):
        with pytest.raises(ValueError, match="X is a Series"):
            kind().fit(row)


@pytest.mark.parametrize("kind", [Autoencoder, TabularAutoencoder, ConvAutoencoder])
def test_records(kind):
    records = pd.DataFrame(ROWS, columns=list("abcd")).to_records(index=False)
    with pytest.raises(ValueError, match=r"records. Give pandas\.DataFrame\(X\)"):
        kind().fit(records)


@pytest.mark.parametrize("images", [IMAGES, COLORS], ids=["gray", "color"])
def test_a_single_image(images):
    for model in (ConvAutoencoder(), Autoencoder(architecture="conv"), ConvAutoencoder(2)):
        for image in (images[0], (255 * images[0]).astype(np.uint8), torch.from_numpy(images[0])):
            with pytest.raises(ValueError, match=r"looks like a single image.*X\[np\.newaxis\]"):
                model.fit(image)
    with pytest.raises(ValueError, match=r"a single sample\. Give X\[np\.newaxis\]"):
        ConvAutoencoder(image_shape=images[0].shape).fit(images[0])
    with pytest.raises(ValueError, match=r"X\[np\.newaxis\]"):
        ImageToImageRegressor().fit(images[0], images[0])
    model = fast(ConvAutoencoder, 2).fit(images)
    regressor = fast(ImageToImageRegressor).fit(images, images)
    calls = model.transform, model.reconstruct, model.score_samples, regressor.predict
    for call in calls:
        with pytest.raises(ValueError, match=r"a single sample\. Give X\[np\.newaxis\]"):
            call(images[0])
    assert model.transform(images[0][np.newaxis]).shape == (1, 2)


def test_channels_first_and_signals():
    with pytest.raises(ValueError, match=r"looks like a single image"):
        ConvAutoencoder(channels_first=True).fit(np.moveaxis(COLORS[0], 2, 0))
    signals = fast(ConvAutoencoder, 2, spatial_dims=1)
    assert signals.fit(IMAGES[0]).transform(IMAGES[0]).shape == (8, 2)
    assert signals.fit(COLORS[0]).transform(COLORS[0]).shape == (8, 2)


@pytest.mark.parametrize("device", ["mps", "cuda:99", "gpu", "xpu", "no device", ""])
def test_devices_that_there_are_not(device):
    if device == "mps" and torch.backends.mps.is_available():
        pytest.skip("this machine has it")
    message = rf"^device='{device}' cannot be used on this machine, which has 'cpu'.*\.$"
    with pytest.raises(ValueError, match=message) as caught:
        Autoencoder(device=device).fit(ROWS)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("device", ["cpu:4", "CPU", torch.device("cpu", 1)])
def test_a_second_cpu(device):
    with pytest.raises(ValueError, match="All cores are one device, 'cpu'"):
        Autoencoder(device=device).fit(ROWS)
    fast(Autoencoder, device="cpu:0").fit(ROWS)


def test_a_device_without_values():
    with pytest.raises(ValueError, match="device='meta' cannot be used"):
        Autoencoder(device="meta").fit(ROWS)


def test_lists_in_cells_are_named():
    rows = [[1.0, [2.0], "a"], [2.0, [3.0, 4.0], "b"]] * 5
    for estimator in (TabularAutoencoder(), OutlierDetector(), ConvAutoencoder()):
        with pytest.raises(ValueError, match="X holds a sample whose values are of different"):
            estimator.fit(rows)


def test_members_of_ensembles_are_checked_before_their_samples_are_read():
    ensemble = EnsembleAutoencoder(Autoencoder(architecture=3))
    with pytest.raises(ValueError, match="'architecture' parameter of Autoencoder"):
        ensemble.fit(ROWS)
