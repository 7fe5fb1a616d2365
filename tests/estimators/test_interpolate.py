"""Samples between pairs of samples."""

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError

from skae import (
    Autoencoder,
    ConvAutoencoder,
    EnsembleAutoencoder,
    RecurrentAutoencoder,
    TabularAutoencoder,
    VariationalAutoencoder,
)


@pytest.fixture
def quick(fast):
    return {**fast, "check_baseline": False}


@pytest.mark.parametrize("kind", [Autoencoder, VariationalAutoencoder])
def test_lines_begin_and_end_at_reconstructions(X, quick, kind):
    model = kind(**quick).fit(X)
    a, b = X[:4], X[4:8]
    lines = model.interpolate(a, b, n_steps=5).reshape(4, 5, 10)
    np.testing.assert_allclose(lines[:, 0], model.reconstruct(a))
    np.testing.assert_allclose(lines[:, -1], model.reconstruct(b))
    middle = (model.transform(a) + model.transform(b)) / 2
    np.testing.assert_allclose(lines[:, 2], model.inverse_transform(middle))


def test_ten_steps_by_default(X, quick):
    model = Autoencoder(**quick).fit(X)
    assert model.interpolate(X[:3], X[3:6]).shape == (30, 10)
    assert model.interpolate(X[:1].astype(np.float32), X[1:2], 2).dtype == np.float32


def test_images_and_ensembles(quick):
    X = load_digits().images[:80] / 16
    model = ConvAutoencoder(**quick).fit(X)
    assert model.interpolate(X[:2], X[2:4], 3).shape == (6, 8, 8)
    rows = X.reshape(80, -1)
    ensemble = EnsembleAutoencoder(Autoencoder(**quick), 2).fit(rows)
    lines = ensemble.interpolate(rows[:2], rows[2:4], 3)
    np.testing.assert_allclose(lines[[0, 3]], ensemble.reconstruct(rows[:2]))


def test_lengths_of_sequences_go_from_one_to_the_other(rng, quick):
    X = [rng.normal(size=(n, 2)) for n in rng.integers(3, 9, 40)]
    X[:2] = rng.normal(size=(4, 2)), rng.normal(size=(8, 2))
    lines = RecurrentAutoencoder(**quick).fit(X).interpolate(X[:1], X[1:2], 5)
    assert [len(x) for x in lines] == [4, 5, 6, 7, 8]


def test_tables_keep_their_columns(rng, quick):
    table = pd.DataFrame({"x": rng.normal(size=60), "color": rng.choice(["red", "blue"], 60)})
    lines = TabularAutoencoder(**quick).fit(table).interpolate(table[:2], table[2:4], 3)
    assert lines.dtypes.tolist() == table.dtypes.tolist()
    assert lines.index.tolist() == list(range(6))


def test_bad_pairs(X, quick):
    model = Autoencoder(**quick)
    with pytest.raises(NotFittedError):
        model.interpolate(X[:2], X[2:4])
    model.fit(X)
    with pytest.raises(ValueError, match="X_a has 2 samples, but X_b has 3: give pairs"):
        model.interpolate(X[:2], X[:3])
    with pytest.raises(ValueError, match="n_steps == 1, must be >= 2"):
        model.interpolate(X[:2], X[2:4], 1)
    with pytest.raises(TypeError, match="n_steps must be an instance of"):
        model.interpolate(X[:2], X[2:4], 2.5)
    with pytest.raises(ValueError, match="is expecting 10 features"):
        model.interpolate(X[:2], X[2:4, :3])
