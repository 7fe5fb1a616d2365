"""Small fitted models of all kinds, by name."""

from functools import cache

import numpy as np
import pandas as pd
import polars as pl
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.ensemble import ExtraTreesClassifier, IsolationForest, VotingClassifier
from sklearn.feature_selection import SelectFromModel
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier, LocalOutlierFactor
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import (
    FunctionTransformer,
    PolynomialFeatures,
    SplineTransformer,
    StandardScaler,
)

from skae import (
    Autoencoder,
    BatchedGridSearchCV,
    CompressiveAutoencoder,
    ConvAutoencoder,
    DenoisingAutoencoder,
    EnsembleAutoencoder,
    ImageToImageRegressor,
    OutlierDetector,
    RecurrentAutoencoder,
    Seq2SeqTranslator,
    SeriesOutlierDetector,
    SparseAutoencoder,
    StreamingThreshold,
    TabularAutoencoder,
    TabularImputer,
    TabularOutlierScorer,
    VariationalAutoencoder,
)
from skae.architectures import Conv, Dense, Recurrent, Transformer

rng = np.random.default_rng(0)
X = StandardScaler().fit_transform(load_breast_cancer().data)[:80, :6]
y = load_breast_cancer().target[:80]
FRAME = pd.DataFrame(X, columns=list("abcdef"))
IMAGES = (load_digits().images[:30] / 16).astype(np.float32)
SEQUENCES = [rng.normal(size=(n, 2)).cumsum(0) for n in rng.integers(4, 9, 30)]
DAYS = pd.date_range("2026-01-01", periods=40, tz="Europe/Paris")
#: Of all kinds of columns.
TABLE = pd.DataFrame(
    {
        "size": X[:, 0],
        "kind": np.where(X[:, 1] > 0, "large", "small"),
        "day": rng.permutation(
            pd.date_range("2026-01-01", periods=40, tz="Europe/Paris").repeat(2)
        ),
        "grade": pd.Categorical(rng.choice(list("pqr"), 80), list("rqp"), ordered=True),
        "count": pd.array(rng.integers(0, 5, 80), "Int64"),
        "is_new": X[:, 5] > 0,
    }
)
TABLE.loc[3, ["size", "kind", "count"]] = None
LABELS = np.where(np.arange(80) < 4, -1, 0)  # of known anomalies
ENGLISH = ["a cat", "a dog", "the cat", "the dog sleeps", "a cat sleeps"] * 4
FRENCH = ["un chat", "un chien", "le chat", "le chien dort", "un chat dort"] * 4

QUICK = {"max_epochs": 2, "random_state": 0, "check_baseline": False}
SMALL = Dense(hidden_layer_sizes=(5,))
TINY = {"architecture": SMALL} | QUICK


def _scaled(model):
    return make_pipeline(StandardScaler(), model)


def _columns(table):
    return ColumnTransformer(
        [
            ("numbers", _scaled(Autoencoder(1, **TINY)), ["a", "b", "c"]),
            ("others", StandardScaler(), ["d"]),
        ],
        remainder="passthrough",
    ).fit(table)


#: Functions that fit each, and samples to try it on.
MODELS = {
    "rows": (lambda: Autoencoder(2, **TINY).fit(X), X),
    "single precision": (lambda: Autoencoder(2, **TINY).fit(X.astype("f")), X.astype("f")),
    "pandas": (lambda: Autoencoder(2, whiten=True, loss="huber", **TINY).fit(FRAME), FRAME),
    "polars": (lambda: Autoencoder(2, **TINY).fit(pl.DataFrame(FRAME)), pl.DataFrame(FRAME)),
    "labels": (lambda: Autoencoder(2, target="classification", **TINY).fit(FRAME, y), FRAME),
    "muon": (lambda: Autoencoder(2, optimizer="muon", lr_schedule="cosine", **TINY).fit(X), X),
    "tied": (
        lambda: Autoencoder(2, architecture=Dense((5,), tied_weights=True), **QUICK).fit(X),
        X,
    ),
    "denoising": (lambda: DenoisingAutoencoder(2, **TINY).fit(X), X),
    "sparse": (lambda: SparseAutoencoder(9, sparse_output=True, **QUICK).fit(X), X),
    "variational": (lambda: VariationalAutoencoder(2, **TINY).fit(X), X),
    "compressive": (lambda: CompressiveAutoencoder(4, rate_weight=0.01, **TINY).fit(X), X),
    "images": (
        lambda: ConvAutoencoder(3, channels=(4, 4), **QUICK).fit(IMAGES),
        IMAGES,
    ),
    "variational images": (
        lambda: VariationalAutoencoder(2, architecture=Conv(channels=(4,)), **QUICK).fit(IMAGES),
        IMAGES,
    ),
    "sequences": (
        lambda: RecurrentAutoencoder(2, hidden_layer_sizes=(4,), **QUICK).fit(SEQUENCES),
        SEQUENCES,
    ),
    "sequences with noise": (
        lambda: DenoisingAutoencoder(
            2, architecture=Recurrent(hidden_layer_sizes=(4,), cell="gru"), **QUICK
        ).fit(SEQUENCES),
        SEQUENCES,
    ),
    "table": (lambda: TabularAutoencoder(2, hidden_layer_sizes=(5,), **QUICK).fit(TABLE), TABLE),
    "ensemble": (
        lambda: EnsembleAutoencoder(
            Autoencoder(2, **TINY), 2, max_features=0.5, random_state=0
        ).fit(FRAME),
        FRAME,
    ),
    "pairs of images": (
        lambda: ImageToImageRegressor(channels=(4, 8), **QUICK).fit(IMAGES, 1 - IMAGES),
        IMAGES,
    ),
    "pairs of images with hints": (
        lambda: ImageToImageRegressor((4,), max_hints=3, **QUICK).fit(IMAGES, 1 - IMAGES),
        IMAGES,
    ),
    "translator": (
        lambda: Seq2SeqTranslator(
            architecture=Transformer(8, n_heads=2, n_encoder_layers=1, n_decoder_layers=1), **QUICK
        ).fit(ENGLISH, FRENCH),
        ENGLISH[:5],
    ),
    "imputer": (
        lambda: TabularImputer(
            VariationalAutoencoder(architecture="tabular", **QUICK), add_indicator=True
        ).fit(TABLE),
        TABLE,
    ),
    "drawn table": (
        lambda: VariationalAutoencoder(2, architecture="tabular", **QUICK).fit(TABLE),
        TABLE,
    ),
    "scorer": (lambda: TabularOutlierScorer(n_estimators=2, random_state=0).fit(TABLE), TABLE),
    "detector": (
        lambda: OutlierDetector(Autoencoder(2, **TINY), random_state=0).fit(FRAME),
        FRAME,
    ),
    "detector with known anomalies": (
        lambda: OutlierDetector(use_labels=True, random_state=0).fit(TABLE, LABELS),
        TABLE,
    ),
    "detector of pipeline": (
        lambda: OutlierDetector(_scaled(Autoencoder(2, **TINY)), random_state=0).fit(X),
        X,
    ),
    "detector of scikit-learn": (
        lambda: OutlierDetector(
            IsolationForest(n_estimators=5, random_state=0), random_state=0
        ).fit(X),
        X,
    ),
    "stream": (
        lambda: StreamingThreshold(
            Autoencoder(2, **TINY), method="dspot", depth=9, tail_fraction=0.35, random_state=0
        ).fit(FRAME),
        FRAME,
    ),
    "series": (
        lambda: SeriesOutlierDetector(Autoencoder(2, **TINY), window=5, random_state=0).fit(FRAME),
        FRAME,
    ),
    "series of principal components": (lambda: SeriesOutlierDetector(window=5).fit(FRAME), X),
    "pipeline": (
        lambda: make_pipeline(StandardScaler(), Autoencoder(2, **TINY), LogisticRegression()).fit(
            X, y
        ),
        X,
    ),
    "columns": (lambda: _columns(FRAME), FRAME),
    "union": (
        lambda: make_union(StandardScaler(), Autoencoder(2, **TINY)).fit(X),
        X,
    ),
    "search": (
        lambda: GridSearchCV(
            _scaled(Autoencoder(2, **TINY)), {"autoencoder__lr": [1e-3, 1e-2]}, cv=2
        ).fit(X),
        X,
    ),
    "batched search": (
        lambda: BatchedGridSearchCV(Autoencoder(**TINY), {"n_components": [1, 2]}, cv=2).fit(X),
        X,
    ),
    "neighbors and expanded columns": (
        lambda: make_pipeline(
            PolynomialFeatures(2),
            SelectFromModel(ExtraTreesClassifier(3, random_state=0), max_features=4),
            SplineTransformer(3),
            Autoencoder(2, **TINY),
            FunctionTransformer(np.tanh),
            KNeighborsClassifier(),
        ).fit(X, y),
        X,
    ),
    "calibrated": (
        lambda: CalibratedClassifierCV(
            make_pipeline(Autoencoder(2, **TINY), LogisticRegression()), cv=2
        ).fit(X, y),
        X,
    ),
    "detector by neighbors": (
        lambda: OutlierDetector(LocalOutlierFactor(novelty=True), random_state=0).fit(X),
        X,
    ),
    "selected columns": (
        lambda: ColumnTransformer(
            [
                ("codes", Autoencoder(1, **TINY), make_column_selector(dtype_include=np.number)),
                ("log", FunctionTransformer(np.cbrt), [0]),
            ]
        ).fit(FRAME),
        FRAME,
    ),
    "vote": (
        lambda: VotingClassifier(
            [
                ("codes", make_pipeline(Autoencoder(2, **TINY), LogisticRegression())),
                ("columns", LogisticRegression()),
            ],
            voting="soft",
        ).fit(X, y),
        X,
    ),
}


@cache
def fitted(name):
    return MODELS[name][0]()


def samples(name):
    return MODELS[name][1]
