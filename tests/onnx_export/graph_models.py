"""Small fitted models of all kinds, each fitted once."""

from functools import cache

import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

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
    VariationalAutoencoder,
)
from skae.architectures import Dense

QUICK = {"max_epochs": 1, "random_state": 0, "check_baseline": False}
IMAGES = (load_digits().images[:1000] / 16).astype(np.float32)
ROWS = IMAGES.reshape(len(IMAGES), -1)
BYTES = (load_digits().images[:300, ..., None] * [15, 10, 5]).astype(np.uint8)

rng = np.random.default_rng(0)
SEQUENCES = [rng.normal(size=(n, 2)).cumsum(0) for n in rng.integers(3, 9, 60)]
EQUAL = rng.normal(size=(60, 2, 3)).cumsum(2)
TABLE = pd.DataFrame(
    {
        "age": rng.normal(40, 9, 200).round(),
        "job": rng.choice(["cook", "nurse", "pilot"], 200),
        "since": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 10**7, 200), "s"),
    }
)
TABLE.loc[3, "age"] = np.nan
TABLE.loc[5, "job"] = None


def log_cosh(prediction, target):
    """Compute a loss as users write them."""
    return (prediction - target).cosh().log()


TIED = Dense((16,), normalization="batch", tied_weights=True)

MODELS = {
    "dense": (lambda: Autoencoder(4, architecture=TIED, loss=log_cosh, **QUICK), ROWS),
    "denoising": (lambda: DenoisingAutoencoder(4, loss="binary_cross_entropy", **QUICK), ROWS),
    "sparse": (lambda: SparseAutoencoder(40, **QUICK), ROWS),
    "variational": (lambda: VariationalAutoencoder(3, **QUICK), ROWS),
    "images": (lambda: ConvAutoencoder(4, channels=(4, 8), **QUICK), BYTES),
    "signals": (
        lambda: ConvAutoencoder(
            channels=(4, 8),
            code="spatial",
            downsampling="max_pool",
            upsampling="bilinear",
            n_residual_blocks=1,
            normalization="layer",
            **QUICK,
        ),
        ROWS,
    ),
    "sequences": (
        lambda: RecurrentAutoencoder(3, hidden_layer_sizes=8, bidirectional=False, **QUICK),
        SEQUENCES,
    ),
    "fed back": (
        lambda: RecurrentAutoencoder(
            3,
            hidden_layer_sizes=8,
            cell="gru",
            pooling="attention",
            decoder_input="output",
            channels_first=True,
            **QUICK,
        ),
        EQUAL,
    ),
    "table": (lambda: TabularAutoencoder(3, hidden_layer_sizes=8, **QUICK), TABLE),
    "unet": (lambda: ImageToImageRegressor(channels=(4, 8), **QUICK), IMAGES[:, ::2, ::2]),
    "ensemble": (
        lambda: EnsembleAutoencoder(Autoencoder(3, **QUICK), 2, max_features=0.5, random_state=0),
        ROWS,
    ),
    "detector": (
        lambda: OutlierDetector(make_pipeline(StandardScaler(), Autoencoder(3, **QUICK))),
        ROWS,
    ),
}


@cache
def fitted(name):
    """Return a fitted model and its samples."""
    make, X = MODELS[name]
    return make().fit(X, IMAGES if name == "unet" else None), X
