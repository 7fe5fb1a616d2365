"""What a fit or a method says of parameters and data that are probably not meant."""

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.preprocessing import StandardScaler

from skae import (
    Autoencoder,
    ConvAutoencoder,
    DenoisingAutoencoder,
    EnsembleAutoencoder,
    ImageToImageRegressor,
    OutlierDetector,
    RecurrentAutoencoder,
    Seq2SeqTranslator,
    SparseAutoencoder,
    TabularAutoencoder,
    TabularOutlierScorer,
    VariationalAutoencoder,
)
from skae._data.extent import Extent
from skae.exceptions import (
    DataWarning,
    ExtrapolationWarning,
    PoorFitWarning,
    UnusedParameterWarning,
)
from skae.sequences import from_long_frame

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 6))
FRAME = pd.DataFrame(X, columns=list("abcdef"))
TABLE = FRAME.assign(kind=["one", "two"] * 30)
IMAGES = RNG.random((30, 8, 8)).astype(np.float32)
SEQUENCES = [RNG.normal(size=(n, 2)) for n in RNG.integers(4, 9, 30)]


def fast(kind, *args, **params):
    return kind(*args, **{"max_epochs": 1, "check_baseline": False, "random_state": 0} | params)


# Parameters without effect.


@pytest.mark.parametrize(
    ("model", "data", "name"),
    [
        (fast(Autoencoder, early_stopping=False, patience=3), (X,), "patience=3"),
        (
            fast(Autoencoder, early_stopping=False, validation_fraction=0.2),
            (X,),
            "validation_fraction=0.2",
        ),
        (fast(ConvAutoencoder, early_stopping=False, patience=3), (IMAGES,), "patience=3"),
        (fast(RecurrentAutoencoder, early_stopping=False, patience=3), (SEQUENCES,), "patience=3"),
        (fast(TabularAutoencoder, early_stopping=False, patience=3), (TABLE,), "patience=3"),
        (
            fast(ImageToImageRegressor, early_stopping=False, patience=3),
            (IMAGES, IMAGES),
            "patience=3",
        ),
        (
            fast(Seq2SeqTranslator, early_stopping=False, patience=3),
            (["a b", "b c"] * 5, ["a b", "b c"] * 5),
            "patience=3",
        ),
        (
            fast(VariationalAutoencoder, likelihood="bernoulli", noise_variance=0.1),
            (X > 0,),
            "noise_variance=0.1",
        ),
        (fast(VariationalAutoencoder, beta=0.0, kl_warmup=0.5), (X,), "kl_warmup=0.5"),
    ],
    ids=str,
)
def test_parameters_without_effect(model, data, name):
    with pytest.warns(UnusedParameterWarning, match=f"{name} has no effect with"):
        model.fit(*data)


def test_parameters_with_an_effect_are_silent():
    fast(Autoencoder, patience=3).fit(X)
    fast(Autoencoder, early_stopping=True, patience=3, validation_fraction=0.2).fit(X)
    fast(Autoencoder, early_stopping=False, patience=3).partial_fit(X)


# One training sample.


@pytest.mark.parametrize(
    ("model", "data"),
    [
        (Autoencoder, (X[:1],)),
        (DenoisingAutoencoder, (X[:1],)),
        (TabularAutoencoder, (TABLE[:1],)),
        (RecurrentAutoencoder, (SEQUENCES[:1],)),
        (ConvAutoencoder, (IMAGES[:1],)),
        (ImageToImageRegressor, (IMAGES[:1], IMAGES[:1])),
    ],
)
def test_one_training_sample(model, data):
    with pytest.warns(PoorFitWarning, match=f"{model.__name__} was fitted on one sample"):
        model(max_epochs=1, random_state=0).fit(*data)
    fast(model).fit(*data)


def test_one_row_in_ensembles_and_scorers():
    with pytest.warns(PoorFitWarning, match="Autoencoder was fitted on one sample"):
        EnsembleAutoencoder(Autoencoder(max_epochs=1), 2).fit(X[:1])
    with pytest.warns(PoorFitWarning, match="TabularOutlierScorer was fitted on one sample"):
        TabularOutlierScorer().fit(X[:1])


# Tables that are another thing.

LONG = pd.DataFrame({"device": np.repeat(list("7312"), 5), "value": X[:20, 0]})


@pytest.mark.parametrize(
    "frame",
    [
        LONG.astype({"device": int}),
        pl.from_pandas(LONG.astype({"device": int})),
        LONG.astype({"device": int})
        .sample(frac=1, random_state=0)
        .rename(columns={"device": "id"}),
        LONG.astype({"device": int}).rename(columns={"device": "patientId"}).sample(frac=1),
        LONG.astype({"device": int}).assign(time=np.tile(np.arange(5), 4)),
    ],
    ids=["blocks", "polars", "shuffled", "camel", "time"],
)
@pytest.mark.parametrize("model", [RecurrentAutoencoder, Autoencoder])
def test_long_tables(frame, model):
    model = fast(model) if model is RecurrentAutoencoder else fast(model, architecture="recurrent")
    with pytest.warns(DataWarning, match=r"from_long_frame\(X, '(device|id|patientId)'\)"):
        model.fit(frame)


def test_long_tables_of_text_name_the_function():
    with pytest.raises(ValueError, match=r"from_long_frame\(X, <id column>\)"):
        fast(RecurrentAutoencoder).fit(LONG.replace({"device": {"7": "seven"}}))


def test_wide_tables_are_silent():
    counts = pd.DataFrame(RNG.integers(0, 5, (40, 6)), columns=list("abcdef"))
    for frame in (FRAME, counts, counts.assign(zero=0), counts.astype(float)):
        fast(RecurrentAutoencoder).fit(frame)
    fast(RecurrentAutoencoder).fit(from_long_frame(LONG, "device")[0])


@pytest.mark.parametrize("model", [TabularAutoencoder, TabularOutlierScorer, OutlierDetector])
@pytest.mark.parametrize(
    ("column", "name"),
    [
        ([f"name {i}" for i in range(60)], "who"),
        (pd.Categorical([f"name {i}" for i in range(60)]), "who"),
        ([None, *(f"name {i}" for i in range(59))], "who"),
        (np.arange(60), "customer_id"),
    ],
    ids=["text", "category", "missing", "number"],
)
def test_columns_of_ids(model, column, name):
    with pytest.warns(DataWarning, match=rf"Columns \['{name}'\] hold another value in every row"):
        model().fit(TABLE.assign(**{name: column}))


def test_columns_that_are_no_ids_are_silent():
    table = TABLE.assign(
        rank=np.arange(60), often=["x", *(f"n{i}" for i in range(58)), "x"], paid=X[:, 0]
    )
    fast(TabularAutoencoder).fit(table)
    fast(TabularAutoencoder).fit(pd.DataFrame({"name": list("abcdef"), "x": range(6)}))


# Values far beyond those of the fit.


@pytest.mark.parametrize(
    ("model", "data", "far", "what"),
    [
        (Autoencoder, X, X * 1e3, r"columns \[0, 1, 2, 3, 4\] and 1 more"),
        (Autoencoder, X.astype(np.float32), X.astype(np.float32) * 1e3, "columns"),
        (Autoencoder, sparse.csr_matrix(X), sparse.csr_matrix(X * 1e3), "columns"),
        (Autoencoder, sparse.csr_array(X), sparse.csr_array(X * 1e3), "columns"),
        (Autoencoder, FRAME, FRAME.assign(c=-1e4), r"columns \['c'\]"),
        (Autoencoder, FRAME, FRAME[:1].assign(c=1e4), r"columns \['c'\]"),
        (VariationalAutoencoder, X, X * 1e3, "columns"),
        (SparseAutoencoder, X, X * 1e3, "columns"),
        (TabularAutoencoder, TABLE, TABLE.assign(c=1e4), r"columns \['c'\]"),
        (TabularAutoencoder, TABLE, TABLE.assign(c=-1e4)[:1], r"columns \['c'\]"),
        (RecurrentAutoencoder, SEQUENCES, [1e3 * s for s in SEQUENCES], r"columns \[0, 1\]"),
        (ConvAutoencoder, IMAGES, 255 * IMAGES, "X holds"),
    ],
)
def test_values_far_beyond_those_of_the_fit(model, data, far, what):
    model = fast(model, 2).fit(data)
    for method in (model.transform, model.reconstruct):
        method(data)
        with pytest.warns(ExtrapolationWarning, match=f"{what}.* far beyond those of the fit"):
            method(far)


def test_far_values_of_ensembles_images_and_sparse_codes():
    cases = [
        (EnsembleAutoencoder(fast(Autoencoder, 2), 2).fit(X).transform, X * 1e3),
        (fast(SparseAutoencoder, 2, k=1, sparse_output=True).fit(X).transform, X * 1e3),
        (fast(ImageToImageRegressor).fit(IMAGES, IMAGES).predict, IMAGES * 1e3),
        (fast(ImageToImageRegressor).fit(IMAGES, IMAGES).transform, IMAGES * 1e3),
    ]
    for method, far in cases:
        with pytest.warns(ExtrapolationWarning, match="far beyond"):
            method(far)


def test_outlier_scores_do_not_warn_of_what_they_look_for():
    model = fast(Autoencoder, 2).fit(X)
    model.score_samples(X * 1e3)
    model.reconstruction_errors(X * 1e3)
    OutlierDetector(fast(Autoencoder, 2)).fit(X).predict(X * 1e3)
    OutlierDetector(random_state=0).fit(TABLE).predict(TABLE.assign(c=1e4))


def test_values_near_those_of_the_fit_are_silent():
    model = fast(Autoencoder, 2).fit(X)
    model.transform(3 * X)
    flags = np.where(np.arange(6) == 2, 0.0, X)  # a constant column
    fast(Autoencoder, 2).fit(flags).transform(flags + (np.arange(6) == 2))
    fast(TabularAutoencoder, 2).fit(TABLE).transform(TABLE.assign(kind="new"))
    margins = X * [1, 1, 1, 1, 1, 1e-3]  # hardly any variation, which noise on all cells exceeds
    fast(Autoencoder, 2).fit(margins).transform(margins + RNG.normal(size=X.shape))
    pixels = (255 * IMAGES).astype(np.uint8)
    fast(ConvAutoencoder, 2).fit(pixels // 100).transform(pixels)


def test_raw_columns_after_a_fit_on_scaled_ones():
    raw = X * [1, 10, 100, 1, 1, 1] + [0, 0, 5000, 0, 0, 0]
    model = fast(Autoencoder, 2).fit(StandardScaler().fit_transform(raw))
    with pytest.warns(ExtrapolationWarning, match=r"columns \[2\]"):
        model.transform(raw)


@pytest.mark.parametrize("method", ["partial_fit", "fit"])
def test_training_that_continues_widens_what_was_seen(method):
    model = fast(Autoencoder, 2, warm_start=True)
    getattr(model, method)(X)
    getattr(model, method)(100 * X)
    model.transform(200 * X)
    with pytest.warns(ExtrapolationWarning):
        model.transform(1e5 * X)
    assert clone(model).fit(X)


def test_the_warning_can_be_silenced_alone():
    model = fast(Autoencoder, 2).fit(X)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExtrapolationWarning)
        model.transform(1e5 * X)


@pytest.mark.parametrize("n_rows", [1, 3, 64, 65, 1000, 2**12 + 7])
@pytest.mark.parametrize("n_columns", [1, 3, 700])
@pytest.mark.parametrize("order", ["C", "F"])
def test_extents(n_rows, n_columns, order):
    rows = np.asarray(RNG.normal(size=(n_rows, n_columns)), order=order)
    rows[RNG.random(rows.shape) < 0.1] = np.nan
    extent = Extent.of(rows)
    np.testing.assert_array_equal(extent.low, np.fmin.reduce(rows, axis=0))
    np.testing.assert_array_equal(extent.high, np.fmax.reduce(rows, axis=0))
    assert not len(extent.far_columns(rows))
    rows[-1, n_columns // 2] = 1e6
    found = extent.far_columns(rows)
    known = ~np.isnan(extent.low[n_columns // 2])
    assert list(found) == ([n_columns // 2] if known else [])


def test_extents_of_numbers_near_the_limits():
    huge = np.array([[-1.7e308], [1.7e308]])
    assert not len(Extent.of(huge).far_columns(huge))
    assert not len(Extent.of(np.full((3, 2), np.nan)).far_columns(np.zeros((3, 2))))
    assert not len(Extent.of(np.zeros((3, 2), bool)).far_columns(np.ones((3, 2), bool)))
