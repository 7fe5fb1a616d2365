"""Explanations of wide tables: their quality, and how many rows they score."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.base import BaseEstimator
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skae import OutlierDetector, TabularAutoencoder


def factors(rng, n_features, n_samples=400):
    """Return rows whose cells depend on ten factors."""
    loadings = rng.standard_normal((10, n_features)) / np.sqrt(10)
    noise = 0.5 * rng.standard_normal((n_samples, n_features))
    return rng.standard_normal((n_samples, 10)) @ loadings + noise


def with_faults(rng, rows, sizes):
    """Return rows with faults in so many cells each, and their columns."""
    rows = rows[: len(sizes)].copy()
    columns = [rng.choice(rows.shape[1], size, replace=False) for size in sizes]
    for row, faulty in zip(rows, columns, strict=True):
        row[faulty] = 8 * rng.choice([-1, 1], len(faulty))
    return rows, columns


def counted(detector):
    """Return lists of the sizes of the tables that the detector scores from now on."""
    sizes, score_samples = [], detector.score_samples
    detector.score_samples = lambda X: sizes.append(len(X)) or score_samples(X)
    return sizes


PRINCIPAL_COMPONENTS = make_pipeline(StandardScaler(), PCA(10))


@pytest.mark.parametrize("library", ["numpy", "pandas"])
def test_few_rows_are_scored_for_faults_among_500_columns(global_random_seed, rng, library):
    X, rows = np.split(factors(rng, 500), [395])
    rows, columns = with_faults(rng, rows, [1, 2, 3, 1, 3])
    to_library = np.asarray if library == "numpy" else pd.DataFrame
    detector = OutlierDetector(PRINCIPAL_COMPONENTS, random_state=global_random_seed)
    detector.fit(to_library(X))
    sizes = counted(detector)
    contributions = detector.explain(to_library(rows)).to_numpy()
    assert sum(sizes) < 1.5 * rows.size + 5 * 10 * 50  # once all cells, then few
    assert len(sizes) < 80
    for faulty, found in zip(columns, contributions, strict=True):
        assert set(np.argsort(-found)[: len(faulty)]) == set(faulty)
    sizes.clear()
    repaired = np.asarray(detector.nearest_normal(to_library(rows)))
    assert sum(sizes) < 2 * rows.size + 5 * 10 * 50
    assert len(sizes) < 120
    np.testing.assert_array_equal(detector.predict(to_library(repaired)), 1)


def test_few_rows_are_scored_if_half_of_300_columns_are_wrong(global_random_seed, rng):
    X, rows = np.split(factors(rng, 300), [397])
    rows, columns = with_faults(rng, rows, [150] * 3)
    detector = OutlierDetector(PRINCIPAL_COMPONENTS, random_state=global_random_seed).fit(X)
    sizes = counted(detector)
    contributions = detector.explain(rows).to_numpy()
    assert sum(sizes) < 2.5 * rows.size + 3 * 10 * 50
    for faulty, found in zip(columns, contributions, strict=True):
        assert found[faulty].sum() > 0.9 * found.sum()
    sizes.clear()
    repaired = detector.nearest_normal(rows)
    assert sum(sizes) < 4 * rows.size + 3 * 10 * 50
    assert len(sizes) < 150  # far fewer than cells that are tried
    np.testing.assert_array_equal(detector.predict(repaired), 1)


@pytest.mark.parametrize("n_features", [8, 120])
def test_trials_at_a_time_find_what_trials_in_turn_find(monkeypatch, rng, n_features):
    X, rows = np.split(factors(rng, n_features), [390])
    rows, _ = with_faults(rng, rows, np.arange(1, 6))
    detector = OutlierDetector(PRINCIPAL_COMPONENTS.set_params(pca__n_components=5)).fit(X)
    at_a_time = detector.explain(rows), detector.nearest_normal(rows)
    sizes = counted(detector)
    detector.explain(rows)
    n_calls = len(sizes)
    monkeypatch.setattr("skae._outliers.explanation.N_TRIALS", 1)
    sizes.clear()
    in_turn = detector.explain(rows), detector.nearest_normal(rows)
    assert n_calls < len(sizes)
    pd.testing.assert_frame_equal(at_a_time[0], in_turn[0])
    np.testing.assert_array_equal(at_a_time[1], in_turn[1])


def test_cells_of_small_gain_in_wide_tables_are_tried_once(rng):
    class Distance(BaseEstimator):
        """Scores rows by their distance from 0."""

        def fit(self, X, y=None):
            return self

        def score_samples(self, X):
            return -np.abs(np.asarray(X)).sum(1)

    X = 0.01 * rng.standard_normal((100, 80))
    rows = np.zeros((1, 80))
    rows[0, :70] = np.arange(70, 0, -1)
    detector = OutlierDetector(Distance()).fit(X)
    contributions = detector.explain(rows).to_numpy()[0]
    np.testing.assert_allclose(contributions[:70], np.arange(70, 0, -1), atol=0.1)
    sizes = counted(detector)
    np.testing.assert_array_equal(np.abs(detector.nearest_normal(rows)) < 0.1, True)
    assert len(sizes) < 40


@pytest.mark.parametrize("text", [pa.string(), pa.large_string(), pa.string_view()])
def test_all_kinds_of_text_of_arrow_are_explained(global_random_seed, rng, text):
    is_high = rng.random(100) < 0.5
    power = is_high + 0.1 * rng.standard_normal(100)
    site = pa.array(np.where(is_high, "north", "south").tolist()).cast(text)
    X = pa.table({"power": power, "site": site})
    model = TabularAutoencoder(max_epochs=20, check_baseline=False)
    detector = OutlierDetector(model, cv=2, random_state=global_random_seed)
    assert detector.fit(X).background_.schema == X.schema
    rows = X.slice(0, 3).set_column(0, "power", pa.array([99.0, 99.0, 99.0]))
    contributions = detector.explain(rows)
    assert (np.argmax(contributions.to_pandas(), axis=1) == 0).all()
    repaired = detector.nearest_normal(rows)
    assert repaired.schema == X.schema
    np.testing.assert_array_equal(detector.predict(repaired), 1)
    assert set(detector.report(rows, n_columns=1)["column"]) == {"power"}
