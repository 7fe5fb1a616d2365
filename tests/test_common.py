"""scikit-learn's own checks, for every estimator and every kind of architecture."""

import inspect
import pickle
import re

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import parametrize_with_checks

from skae import (
    Autoencoder,
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
from skae.architectures import Conv, Dense, Recurrent, RecurrentEncoderDecoder, Transformer

# Two epochs: the checks are of the contract, not of the fit, and a poor fit would warn.
QUICK = {"max_epochs": 2, "check_baseline": False}

ARCHITECTURES = [
    "dense",
    Dense(hidden_layer_sizes=()),
    Dense((16, 8), activation="gelu", dropout=0.2),
    Dense((16,), normalization="batch", tied_weights=True),
    Conv((4,)),
    Recurrent(4),
    "tabular",
]
OBJECTIVES = [
    Autoencoder,
    DenoisingAutoencoder,
    SparseAutoencoder,
    VariationalAutoencoder,
    CompressiveAutoencoder,
]
#: Each estimator, architecture and objective at least once: all of scikit-learn's checks.
ESTIMATORS = [
    Autoencoder(**QUICK),
    Autoencoder(**QUICK, architecture=Conv((4,))),
    Autoencoder(**QUICK, architecture=Recurrent(4), n_components=2),
    DenoisingAutoencoder(**QUICK, architecture=Dense((16, 8), activation="gelu", dropout=0.2)),
    DenoisingAutoencoder(**QUICK, architecture="tabular", corruption="swap"),
    SparseAutoencoder(**QUICK, sparsity="kl", architecture=Dense((), tied_weights=True)),
    VariationalAutoencoder(**QUICK, n_importance_samples=3, kl_warmup=0.5),
    CompressiveAutoencoder(**QUICK),
    ConvAutoencoder(**QUICK, channels=(4,), code="spatial", normalization="batch"),
    ImageToImageRegressor((4,), **QUICK),
    RecurrentAutoencoder(**QUICK, hidden_layer_sizes=(8,), decoder_input="output"),
    TabularAutoencoder(**QUICK, categorical_features=[0], max_categories=3),
    EnsembleAutoencoder(
        [Autoencoder(2, **QUICK), VariationalAutoencoder(2, **QUICK)],
        n_estimators=2,
        bootstrap=True,
        max_features=0.5,
    ),
    TabularImputer(
        VariationalAutoencoder(**QUICK, architecture="tabular"), n_draws=2, add_indicator=True
    ),
]
#: Each pair of them, and what parameters change most: they fit, encode and round-trip.
VARIANTS = [
    *(
        objective(**QUICK, architecture=architecture)
        for objective in OBJECTIVES
        for architecture in ARCHITECTURES
    ),
    Autoencoder(**QUICK, architecture=Dense((16,), normalization="layer"), n_components=2),
    Autoencoder(**QUICK, early_stopping=True, lr_schedule="one_cycle", loss="huber"),
    Autoencoder(**QUICK, optimizer="muon"),
    DenoisingAutoencoder(**QUICK, corruption="salt_and_pepper", damaged_only=True),
    DenoisingAutoencoder(**QUICK, corruption="swap", noise_level=(0.0, 0.5)),
    SparseAutoencoder(**QUICK, sparsity="l1", n_components=3),
    VariationalAutoencoder(**QUICK, beta=0.0, noise_variance=0.5),
    ConvAutoencoder(**QUICK),
    ConvAutoencoder(
        **QUICK, channels=(4,), upsampling="bilinear", downsampling="max_pool", n_residual_blocks=1
    ),
    RecurrentAutoencoder(
        **QUICK, hidden_layer_sizes=(8, 4), cell="gru", pooling="attention", dropout=0.2
    ),
    RecurrentAutoencoder(**QUICK, pooling="mean", bidirectional=False),
    TabularAutoencoder(**QUICK, corruption="swap", loss="huber"),
    EnsembleAutoencoder(Autoencoder(**QUICK, architecture=Dense((8,))), n_estimators=2),
]
DETECTORS = [
    OutlierDetector(),
    OutlierDetector(PCA()),
    OutlierDetector(Autoencoder(**QUICK)),
    TabularOutlierScorer(),
    TabularOutlierScorer(TabularAutoencoder(**QUICK), n_estimators=1, assume_clean=True),
    StreamingThreshold(PCA(), alpha=0.5),
    SeriesOutlierDetector(window=1, cv=2),
    SeriesOutlierDetector(PCA(2), window=3, cv=2),
]
TRANSLATORS = [
    Seq2SeqTranslator(**QUICK),
    Seq2SeqTranslator(**QUICK, architecture=RecurrentEncoderDecoder(8, attention=False)),
    Seq2SeqTranslator(**QUICK, architecture=Transformer(16), tokenization="char"),
]
#: scikit-learn's generator yields nothing for estimators of texts: those that need no table.
CHECKS_OF_ANY_INPUT = [
    estimator_checks.check_do_not_raise_errors_in_init_or_set_params,
    estimator_checks.check_estimator_cloneable,
    estimator_checks.check_estimator_repr,
    estimator_checks.check_estimator_tags_renamed,
    estimator_checks.check_estimators_unfitted,
    estimator_checks.check_get_params_invariance,
    estimator_checks.check_mixin_order,
    estimator_checks.check_no_attributes_set_in_init,
    estimator_checks.check_parameters_default_constructible,
    estimator_checks.check_set_params,
    estimator_checks.check_valid_tag_types,
]

MINI_BATCHES = "weights scale the loss of mini-batches, which repeated rows fill differently"
EXPECTED_FAILURES = {
    "check_sample_weight_equivalence_on_dense_data": MINI_BATCHES,
    "check_sample_weight_equivalence_on_sparse_data": MINI_BATCHES,
}


@parametrize_with_checks(ESTIMATORS, expected_failed_checks=lambda _: EXPECTED_FAILURES)
def test_sklearn_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("estimator", VARIANTS, ids=str)
def test_variants_fit_encode_and_round_trip(estimator, X):
    model = clone(estimator).set_params(random_state=0).fit(X)
    codes = model.transform(X)
    again = clone(estimator).set_params(random_state=0).fit(X)
    np.testing.assert_array_equal(codes, again.transform(X))
    loaded = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(codes, loaded.transform(X))
    assert codes.shape == (len(X), model.n_components_)
    assert model.inverse_transform(codes).shape == model.reconstruct(X).shape == X.shape
    scores = model.score_samples(X)
    assert scores.shape == (len(X),)
    assert np.isfinite(scores).all()


IN_TIME = "the score of a step depends on its neighbors, and on whether it was learned"
OF_SERIES = {
    "check_complex_data": "series are read in words of their own",
    "check_dtype_object": "series are read in words of their own",
    "check_fit1d": "one axis is a series of one feature",
    "check_methods_sample_order_invariance": IN_TIME,
    "check_methods_subset_invariance": IN_TIME,
    "check_n_features_in_after_fitting": "errors call it series instead of X",
}


def failures_of_detector(estimator):
    return OF_SERIES if isinstance(estimator, SeriesOutlierDetector) else {}


@parametrize_with_checks(DETECTORS, expected_failed_checks=failures_of_detector)
def test_sklearn_checks_of_detectors(estimator, check):
    check(estimator)


@pytest.mark.parametrize("check", CHECKS_OF_ANY_INPUT, ids=lambda check: check.__name__)
@pytest.mark.parametrize("estimator", TRANSLATORS, ids=["lstm", "plain", "transformer"])
def test_checks_of_any_input(estimator, check):
    check(type(estimator).__name__, estimator)


@pytest.mark.parametrize(
    "objective",
    [
        *OBJECTIVES,
        ConvAutoencoder,
        EnsembleAutoencoder,
        ImageToImageRegressor,
        OutlierDetector,
        RecurrentAutoencoder,
        RecurrentEncoderDecoder,
        Seq2SeqTranslator,
        SeriesOutlierDetector,
        StreamingThreshold,
        TabularAutoencoder,
        TabularImputer,
        TabularOutlierScorer,
        Transformer,
    ],
)
def test_parameters_are_documented_in_order(objective):
    documented = inspect.getdoc(objective).split("Parameters\n---")[1].split("\nAttributes\n")[0]
    documented = documented.split("\nSee Also\n")[0]
    names = re.findall(r"^(\w+) : ", documented, flags=re.MULTILINE)
    assert names == list(inspect.signature(objective).parameters)
    assert not re.search(r"^<\w+>", inspect.getdoc(objective), flags=re.MULTILINE)


@pytest.mark.parametrize("estimator", [*ESTIMATORS, *VARIANTS, *TRANSLATORS], ids=str)
def test_repr_names_the_parameters_that_differ(estimator):
    assert "max_epochs=2" in repr(estimator)
    assert type(estimator).__name__ in estimator._repr_html_()


META = [
    EnsembleAutoencoder,
    OutlierDetector,
    SeriesOutlierDetector,
    StreamingThreshold,
    TabularImputer,
    TabularOutlierScorer,
]


@pytest.mark.parametrize("wrong", [PCA(), StandardScaler(), PCA, "pca", []], ids=repr)
@pytest.mark.parametrize("meta", META)
def test_wrong_estimators_are_shown_before_fit_refuses_them(meta, wrong):
    assert meta.__name__ in meta(wrong)._repr_html_()
    assert meta.__name__ in make_pipeline(meta(wrong))._repr_html_()
