"""Detectors: thresholds, p-values, explanations, and anything that scores samples."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from scipy.stats import kstest
from sklearn import config_context
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.ensemble import IsolationForest
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import roc_auc_score
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, TimeSeriesSplit
from sklearn.neighbors import KernelDensity, LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skae import (
    Autoencoder,
    BatchedGridSearchCV,
    ConvAutoencoder,
    EnsembleAutoencoder,
    OutlierDetector,
    RecurrentAutoencoder,
)
from skae.architectures import Dense

SCORERS = [
    PCA(4),
    GaussianMixture(2, random_state=0),
    KernelDensity(),
    IsolationForest(n_estimators=20, random_state=0),
    LocalOutlierFactor(novelty=True),
    make_pipeline(StandardScaler(), PCA(4)),
]


@pytest.fixture
def wine():
    return load_wine(as_frame=True).data


@pytest.fixture
def mixed(rng):
    """A table of numbers, categories, booleans, dates and holes, as two kinds of machines."""
    is_large = rng.random(300) < 0.5
    power = np.where(is_large, 50.0, 10.0) + rng.standard_normal(300)
    frame = pd.DataFrame(
        {
            "power": power,
            "current": power / 5 + 0.1 * rng.standard_normal(300),
            "pieces": np.where(is_large, 90, 20) + rng.integers(5, size=300),
            "kind": pd.Categorical(np.where(is_large, "large", "small")),
            "site": np.where(is_large, "north", "south"),
            "is_heavy": is_large,
            "day": pd.Timestamp("2025-01-01") + pd.to_timedelta(rng.integers(300, size=300), "D"),
        },
        index=[f"m{i}" for i in range(300)],
    )
    frame.loc["m7", "current"] = np.nan
    return frame


class NumberOfMismatches:
    """Scores frames of machines by what does not fit together."""

    n_calls = 0

    def fit(self, X, y=None):
        return self

    def get_params(self, deep=True):
        return {}

    def score_samples(self, X):
        self.n_calls += 1
        assert list(X.columns)[:2] == ["power", "current"]
        X = X if isinstance(X, pd.DataFrame) else X.to_pandas()
        is_large = X["power"].to_numpy() > 30
        off = np.nan_to_num(np.abs(X["power"] - 5 * X["current"]).to_numpy()) > 5
        of_kind = (X["kind"].astype(str).to_numpy() == "large") != is_large
        of_site = (X["site"].to_numpy(object) == "north") != is_large
        return -1.0 * off - of_kind - of_site - (X["pieces"].to_numpy() > 200)

    __sklearn_tags__ = PCA.__sklearn_tags__
