"""Every warning points at the line of the user that led to it."""

import signal
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from skorch.callbacks import Callback

from skae import (
    Autoencoder,
    ConvAutoencoder,
    EnsembleAutoencoder,
    ImageToImageRegressor,
    OutlierDetector,
    RecurrentAutoencoder,
    Seq2SeqTranslator,
    TabularAutoencoder,
    TabularOutlierScorer,
    VariationalAutoencoder,
    fit_many,
)
from skae.exceptions import (
    DataWarning,
    ExtrapolationWarning,
    InterruptedWarning,
    LongTextWarning,
    PoorFitWarning,
    PosteriorCollapseWarning,
    ScaleWarning,
    UnusedParameterWarning,
)

POOR = {"max_epochs": 1, "lr": 1e-9, "early_stopping": False, "random_state": 0}
X = np.random.default_rng(0).normal(size=(60, 6)) @ np.diag([9.0, 5.0, 1.0, 1.0, 1.0, 1.0])
IMAGES = np.random.default_rng(0).random((40, 8, 8))
WAVES = [np.sin(np.arange(5 + i % 4, dtype=float))[:, None] for i in range(30)]
TEXTS = ["a b", "b c", "c d", "d e", "e f"] * 3


class Press(Callback):
    """Interrupt training after the first epoch."""

    def on_epoch_end(self, net, **kwargs):
        signal.raise_signal(signal.SIGINT)


def without_start(**params):
    """An autoencoder that does not start at PCA, and so is poor after one epoch."""
    return Autoencoder(2, **POOR, **params).set_params(architecture__shortcut=False)


def fast(kind, *args, **params):
    return kind(*args, **{"max_epochs": 1, "check_baseline": False, "random_state": 0} | params)


NAMES = pd.DataFrame({"name": [f"n{i}" for i in range(60)], "x": X[:, 0]})
LONG = pd.DataFrame({"id": np.repeat(np.arange(12), 5), "value": X[:, 0]})

CASES = {
    "poor": (PoorFitWarning, lambda: without_start().fit(X)),
    "poor in a pipeline": (
        PoorFitWarning,
        lambda: make_pipeline(FunctionTransformer(), without_start()).fit_transform(X),
    ),
    "poor among many": (PoorFitWarning, lambda: fit_many([without_start(), without_start()], X)),
    "poor in an ensemble": (
        PoorFitWarning,
        lambda: EnsembleAutoencoder(without_start(), n_estimators=2, random_state=0).fit(X),
    ),
    "poor images": (
        PoorFitWarning,
        lambda: ConvAutoencoder(2, shortcut=False, **POOR).fit(IMAGES),
    ),
    "poor sequences": (
        PoorFitWarning,
        lambda: RecurrentAutoencoder(2, shortcut=False, **POOR).fit(
            [5 + i / 9 + w for i, w in enumerate(WAVES)]
        ),
    ),
    "poor pairs": (
        PoorFitWarning,
        lambda: ImageToImageRegressor(
            (4,), linear_filter=0, **{**POOR, "lr": 30.0, "max_epochs": 2}
        ).fit(IMAGES, 1 - IMAGES),
    ),
    "scale": (ScaleWarning, lambda: ConvAutoencoder(2, max_epochs=1).fit(IMAGES * 1e4)),
    "interrupted": (
        InterruptedWarning,
        lambda: Autoencoder(2, max_epochs=3, callbacks=[Press()], check_baseline=False).fit(X),
    ),
    "collapse": (
        PosteriorCollapseWarning,
        lambda: VariationalAutoencoder(
            2, beta=100.0, noise_variance=1.0, lr=3e-3, max_epochs=60, random_state=0
        ).fit(X / X.std(0)),
    ),
    "long texts": (
        LongTextWarning,
        lambda: Seq2SeqTranslator(max_epochs=1, max_length=6, check_baseline=False).fit(
            [*TEXTS, "a " * 50], [*TEXTS, "a " * 50]
        ),
    ),
    "poor translator": (
        PoorFitWarning,
        lambda: Seq2SeqTranslator("gru", max_epochs=1, lr=1e-9, random_state=0).fit(TEXTS, TEXTS),
    ),
    "one sample": (
        UndefinedMetricWarning,
        lambda: Autoencoder(2, max_epochs=1, check_baseline=False).fit(X).score(X[:1]),
    ),
    "one training sample": (PoorFitWarning, lambda: Autoencoder(2, max_epochs=1).fit(X[:1])),
    "one row to score": (PoorFitWarning, lambda: TabularOutlierScorer().fit(X[:1])),
    "patience": (
        UnusedParameterWarning,
        lambda: fast(Autoencoder, patience=3, early_stopping=False).fit(X),
    ),
    "long table": (DataWarning, lambda: fast(RecurrentAutoencoder).fit(LONG)),
    "names": (DataWarning, lambda: fast(TabularAutoencoder).fit(NAMES)),
    "names in a detector": (DataWarning, lambda: OutlierDetector().fit(NAMES)),
    "training rows again": (
        DataWarning,
        lambda: OutlierDetector(fast(Autoencoder)).fit(X).predict_fdr(X),
    ),
    "far": (ExtrapolationWarning, lambda: fast(Autoencoder).fit(X).transform(X * 1e4)),
    "far in a pipeline": (
        ExtrapolationWarning,
        lambda: make_pipeline(FunctionTransformer(), fast(Autoencoder)).fit(X).transform(X * 1e4),
    ),
}


@pytest.mark.parametrize(("category", "use"), CASES.values(), ids=CASES)
@pytest.mark.usefixtures("sigint")
def test_warnings_point_at_the_users_line(category, use):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        use()
    files = [warning.filename for warning in caught if issubclass(warning.category, category)]
    assert files
    assert set(files) == {__file__}
