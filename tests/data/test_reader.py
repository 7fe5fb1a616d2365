"""Readers of all kinds of samples, and the hooks of their datasets."""

import copy
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from skae import (
    Autoencoder,
    ConvAutoencoder,
    RecurrentAutoencoder,
    TabularAutoencoder,
)
from skae._data import READERS
from skae._data.batches import Batches
from skae._data.cost import VALUE_WORK, measured_cost
from skae._data.texts import TextDataset, TextPairDataset
from skae.architectures import Conv, UNet

rng = np.random.default_rng(0)
SAMPLES = {
    "arrays": rng.normal(size=(70, 3)),
    "images": rng.integers(0, 255, (70, 4, 4), dtype=np.uint8),
    "sequences": [rng.normal(size=(n, 2)) for n in rng.integers(1, 9, 70)],
    "tables": pd.DataFrame({"size": rng.normal(size=70), "kind": ["a", "b"] * 35}),
}
MODELS = {
    "arrays": Autoencoder,
    "images": ConvAutoencoder,
    "sequences": RecurrentAutoencoder,
    "tables": TabularAutoencoder,
}
KINDS = list(SAMPLES)


def learned(kind):
    return READERS[kind]().learn(SAMPLES[kind])


def texts():
    rows = [[1] * n for n in rng.integers(1, 9, 70)]
    return TextPairDataset(TextDataset(rows), TextDataset(rows[::-1]))


DATASETS = {kind: learned(kind)[1] for kind in KINDS} | {"texts": texts()}


def some(X, which):
    return X.iloc[which] if hasattr(X, "iloc") else [X[i] for i in which]


@pytest.mark.parametrize("kind", KINDS)
def test_reading_changes_neither_reader_nor_estimator(kind):
    blank, model = READERS[kind](), MODELS[kind]()
    before = copy.deepcopy(vars(model))
    reader, _ = blank.learn(SAMPLES[kind], estimator=model)
    assert blank == READERS[kind]()
    assert vars(model) == before
    vars(model).update(reader.fitted_attributes())
    before = copy.deepcopy((vars(model), reader))
    reader.read(some(SAMPLES[kind], [0, 1]), estimator=model)
    assert str((vars(model), reader)) == str(before)


@pytest.mark.parametrize("kind", KINDS)
def test_samples_are_read_as_those_of_the_training(kind):
    model, X = MODELS[kind](max_epochs=1, random_state=0), SAMPLES[kind]
    all_samples = model.fit(X)._reader.read(X, estimator=model)
    assert all_samples.sample_shape == model._reader.sample_shape
    few = model._reader.read(some(X, [4, 2]), estimator=model)
    for taken, own in zip((4, 2), range(2), strict=True):
        x, _ = all_samples.get_batch(np.array([taken]), torch.float64)
        y, _ = few.get_batch(np.array([own]), torch.float64)
        np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("kind", KINDS)
def test_a_dataset_is_not_read_again(kind, monkeypatch):
    reader, dataset = learned(kind)
    monkeypatch.setattr(READERS[kind], "convert", None)
    weight = np.linspace(1, 2, len(dataset))
    same, twin = READERS[kind]().learn(dataset, sample_weight=weight)
    assert same is reader
    assert twin.sample_weight.mean() == pytest.approx(1)
    assert dataset.sample_weight is None
    assert reader.read(dataset).sample_weight is None


def test_features_are_those_of_the_last_fit():
    frame = pd.DataFrame(SAMPLES["arrays"], columns=["a", "b", "c"])
    model = Autoencoder(max_epochs=1).fit(frame)
    assert (model.n_features_in_, list(model.feature_names_in_)) == (3, ["a", "b", "c"])
    model.fit(SAMPLES["arrays"][:, :2])
    assert model.n_features_in_ == 2
    assert not hasattr(model, "feature_names_in_")
    model.partial_fit(SAMPLES["arrays"][:, :2])
    assert model.n_features_in_ == 2


def test_failed_fit_keeps_what_is_known_of_the_samples():
    model = Autoencoder(max_epochs=1).fit(SAMPLES["arrays"])
    reader = model._reader
    with pytest.raises(ValueError, match="leaves none to fit"):
        model.set_params(early_stopping=True, validation_fraction=0.999).fit(np.ones((4, 2)))
    assert model._reader is reader
    assert model.n_features_in_ == 3


# Datasets.


@pytest.mark.parametrize("kind", DATASETS)
@pytest.mark.parametrize("size", [1, 16, 1000])
def test_each_sample_is_in_one_batch(kind, size):
    dataset = DATASETS[kind]
    batches = Batches(dataset, size, torch.device("cpu"), torch.Generator().manual_seed(0))
    sizes = [len(x) for x, _ in batches]
    assert sum(sizes) == len(dataset)
    assert len(sizes) == len(batches)
    for pieces in ([w for w, _ in dataset.batches(size, batches.generator)], dataset.spans()):
        seen = np.concatenate([np.arange(len(dataset))[which] for which in pieces])
        assert sorted(seen) == list(range(len(dataset)))


def test_long_sequences_are_read_together():
    pairs = DATASETS["texts"].lengths
    for kind, lengths in (("sequences", DATASETS["sequences"].lengths), ("texts", pairs[:, 0])):
        pieces = DATASETS[kind].batches(10, torch.Generator().manual_seed(0))
        ranges = [np.ptp(lengths[which]) for which, _ in pieces]
        assert np.median(ranges) <= 2 < np.ptp(lengths)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("arrays", (12, 3, 12 + 3 * VALUE_WORK)),
        ("tables", (12, 3, 12 + 3 * VALUE_WORK)),
        ("sequences", (8 * 12, 3, 8 * (12 + 3 * VALUE_WORK))),  # each weight at each of the 8 steps
    ],
)
def test_cost_of_nets_of_matrices(kind, expected):
    assert DATASETS[kind].cost([nn.Linear(3, 3)]) == expected


def test_cost_of_convolutions_is_at_each_pixel():
    cost = 16 * 2 * 9, 32, 16 * 2 * 9 + 32 * VALUE_WORK
    assert DATASETS["images"].cost([nn.Conv2d(1, 2, 3, padding=1)]) == cost


def test_work_of_recurrent_nets_is_that_of_all_steps():
    cell = nn.LSTM(3, 5)
    n_weights = 20 * (3 + 5) + 2 * 20
    cost = DATASETS["sequences"].cost([cell])
    assert cost.n_multiplications == 2 * n_weights  # of one step: threads wait at each
    assert cost.work == 8 * (n_weights + 40 * VALUE_WORK)


def test_cost_of_a_translator_is_for_each_token():
    n_tokens = DATASETS["texts"].lengths.sum(1).mean()
    assert DATASETS["texts"].cost([nn.Linear(3, 3)]).n_multiplications == int(n_tokens * 12)


@pytest.mark.parametrize(
    ("architecture", "shape", "outputs"),
    [
        (Conv((4,)), (1, 16), (3, 3)),
        (Conv((4,)), (3, 8, 8), (3, 3)),
        (UNet(), (1, 8, 8), ((1, 8, 8),)),
    ],
)
def test_cost_is_what_torchs_counter_counts(architecture, shape, outputs):
    parts = architecture.build(shape, *outputs)
    x = torch.zeros(1, *shape)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        for part in nn.ModuleList(parts).eval():
            x = part(x)
    assert measured_cost(parts, shape).n_multiplications == counter.get_total_flops() // 2 > 0


class TrainsAnotherNet(nn.Module):
    """Does in its forward pass what another thread may do meanwhile."""

    def forward(self, x):
        with ThreadPoolExecutor(1) as pool:
            pool.submit(self.train_in_thread).result()
        return x

    @staticmethod
    def train_in_thread():
        x = torch.ones(2, 4, requires_grad=True)
        torch.autograd.grad(nn.Sequential(nn.Linear(4, 4), nn.ReLU())(x).sum(), x)


def test_costs_can_be_measured_while_another_thread_trains():
    convolution = nn.Conv2d(1, 2, 3)
    alone = measured_cost([convolution, nn.Identity()], (1, 8, 8))
    assert measured_cost([convolution, TrainsAnotherNet()], (1, 8, 8)) == alone


def test_which_nets_train_as_one():
    assert {kind: dataset.why_not_stackable for kind, dataset in DATASETS.items()} == {
        "arrays": None,
        "tables": None,
        "images": "its samples are images",
        "sequences": "its samples are sequences",
        "texts": "its samples are texts",
    }


def test_ranges_are_of_one_unit():
    assert DATASETS["tables"].range() is None
    low, high = DATASETS["images"].range()
    assert (low, high) == (SAMPLES["images"].min() / 255, SAMPLES["images"].max() / 255)


def test_only_sequences_are_standardized_by_their_moments():
    has_moments = {kind: dataset.moments() is not None for kind, dataset in DATASETS.items()}
    assert has_moments == {kind: kind == "sequences" for kind in DATASETS}
