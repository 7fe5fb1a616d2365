"""Scores that are lowered for rows like known anomalies, in a graph."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse
from sklearn.datasets import load_wine
from sklearn.decomposition import PCA
from torch import nn

from skae import OutlierDetector, TabularAutoencoder, TabularOutlierScorer
from skae._onnx.known_anomalies import LoweredScores, graph_columns
from skae._onnx.table_coding import table_codes
from skae._onnx.tabular_scorer import scorer_module

N_NORMAL = 130


class Fixed(nn.Module):
    """Scores that are known."""

    def __init__(self, scores):
        super().__init__()
        self.register_buffer("known", torch.from_numpy(scores))

    def forward(self, x):
        return self.known[: len(x)]


def wine():
    """Return rows, of which those behind N_NORMAL are known anomalies, and their labels."""
    X = load_wine(as_frame=True).data
    return X, np.where(np.arange(len(X)) < N_NORMAL, 0, -1)


def check(detector, X, scores, module, array):
    """Check that a module gives the scores of a detector, some of them lowered."""
    of_detector = detector.score_samples(X)
    assert (of_detector < scores - 1e-6).sum() > 10
    found = module(torch.tensor(array)).numpy()
    np.testing.assert_allclose(found, of_detector, rtol=0, atol=1e-9 * of_detector.std())


@pytest.mark.parametrize("categorical", ["from_dtype", ["alcohol"]], ids=str)
def test_tables_with_categories_that_only_anomalies_have(categorical):
    X, y = wine()
    X = X.round(1).assign(kind="usual", is_new=X.ash > 2.4)
    X.loc[N_NORMAL:150, "kind"] = "odd"
    scorer = TabularOutlierScorer(
        TabularAutoencoder(max_epochs=1), categorical_features=categorical
    )
    detector = OutlierDetector(scorer, use_labels=True, random_state=0).fit(X, y)
    own = detector.estimator_._reader.format.columns
    columns = graph_columns(detector, own)
    module = LoweredScores(detector, scorer_module(detector.estimator_), own)
    new = X.assign(kind=X.kind.mask(X.index % 7 == 0, "new"), hue=X.hue.mask(X.index % 5 == 0))
    for rows in (X, new):
        scores = detector.estimator_.score_samples(rows)
        check(detector, rows, scores, module, table_codes(columns, rows))


def as_frame(X):
    return X.assign(is_new=X.ash > 2.4)


@pytest.mark.parametrize("form", [np.asarray, as_frame, sparse.csr_matrix])
def test_other_estimators(form):
    X, y = wine()
    X = form(X)
    detector = OutlierDetector(PCA(3), use_labels=True, random_state=0).fit(X, y)
    dense = X.toarray() if sparse.issparse(X) else X
    scores = detector.estimator_.score_samples(dense)
    array = np.asarray(dense, float)
    check(detector, X, scores, LoweredScores(detector, Fixed(scores)), array)


def test_the_number_of_rows_is_free():
    X, y = wine()
    detector = OutlierDetector(PCA(3), use_labels=True, random_state=0).fit(X, y)
    module = LoweredScores(detector, _Sum()).eval()
    example = torch.zeros(3, 13, dtype=torch.float64)
    program = torch.export.export(
        module, (example,), dynamic_shapes=({0: torch.export.Dim("n", min=1)},)
    )
    array = torch.from_numpy(np.asarray(X))
    torch.testing.assert_close(program.module()(array), module(array))


class _Sum(nn.Module):
    def forward(self, x):
        return -x.sum(1)


def test_without_known_anomalies_the_columns_are_those_of_the_estimator():
    X = pd.DataFrame({"a": np.arange(30.0) % 7, "b": ["x", "y", "z"] * 10})
    detector = OutlierDetector(TabularAutoencoder(1, max_epochs=1, check_baseline=False)).fit(X)
    columns = detector.estimator_._reader.format.columns
    assert graph_columns(detector, columns) is columns
