"""Digests of what every estimator gives for a seed, to compare two versions bit for bit.

Run it with both versions on one machine and compare what it prints:

    python benchmarks/fit_digests.py
"""

import hashlib
import warnings

import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

import skae
from skae.architectures import Conv, Dense, Recurrent, Tabular

SCORER = getattr(skae, "TabularOutlierScorer", None) or skae.TabularOutlierScorer

rng = np.random.default_rng(0)
DIGITS = load_digits().data[:300] / 16
IMAGES = DIGITS.reshape(-1, 8, 8)
WAVES = [np.sin(np.linspace(0, 3 + k % 5, 10 + k % 7))[:, None] for k in range(60)]
WAVES[3][2] = np.nan
TABLE = pd.DataFrame(
    {
        "age": rng.integers(18, 90, 300),
        "income": rng.lognormal(3, 1, 300),
        "job": rng.choice(["baker", "clerk", "pilot"], 300),
        "since": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, 300), "D"),
        "member": rng.random(300) < 0.3,
    }
)
TABLE.loc[::17, "income"] = np.nan
TABLE.loc[::23, "job"] = None
PAIRS = [
    (f"the {a} {b} sees the {c}", f"le {d} {e} voit le {f}")
    for a, e in [("big", "grand"), ("red", "rouge"), ("old", "vieux")]
    for b, d in [("dog", "chien"), ("cat", "chat"), ("bird", "oiseau"), ("man", "monsieur")]
    for c, f in [("tree", "bois"), ("car", "taxi"), ("sea", "large")]
]
ENGLISH, FRENCH = map(list, zip(*PAIRS, strict=True))


def digest(*results):
    """Return a short digest of arrays, tables, texts and lists of these."""
    state = hashlib.sha256()
    for result in results:
        _add(state, result)
    return state.hexdigest()[:16]


def _add(state, result):
    if isinstance(result, list | tuple):
        for one in result:
            _add(state, one)
    elif isinstance(result, pd.DataFrame):
        state.update(result.to_csv().encode())
    elif hasattr(result, "toarray"):
        _add(state, result.toarray())
    else:
        array = np.asarray(result)
        state.update(repr(array.tolist()).encode() if array.dtype == object else array.tobytes())


def weights(model):
    """Return the weights of a net as arrays."""
    return [p.detach().cpu().numpy() for p in model.net_.module_.parameters()]


def autoencoder(model, X):
    model.fit(X)
    codes = model.transform(X)
    return (
        weights(model),
        codes,
        model.inverse_transform(codes[:20]),
        model.reconstruct(X),
        model.score_samples(X),
        model.loss_curve_,
    )


def trained_on(model, X):
    model.fit(X)
    model.partial_fit(X)
    model.set_params(warm_start=True, max_epochs=2).fit(X)
    return weights(model), model.history_[:, "train_loss"]


def variational(model, X, **how):
    results = autoencoder(model, X)
    return results, model.sample(5, **how)


def detector(model, X):
    model.fit(X)
    return model.score_samples(X), model.offset_, model.predict(X), model.p_value(X[:20])


def explained(X):
    model = skae.OutlierDetector(random_state=0).fit(X)
    return model.report(X), model.explain(X[:3]), model.nearest_normal(X[:3])


def search(search, X):
    search.fit(X)
    names = [n for n in search.cv_results_ if "time" not in n and n != "params"]
    return [np.asarray(search.cv_results_[n]).astype(str).tolist() for n in names]


def translator(model):
    model.fit(ENGLISH, FRENCH)
    return weights(model), model.predict(ENGLISH[:5]), model.transform(ENGLISH[:5])


FAST = {"random_state": 0, "max_epochs": 4}
CASES = {
    "Autoencoder": lambda: autoencoder(skae.Autoencoder(4, random_state=0), DIGITS),
    "Autoencoder/float32": lambda: autoencoder(skae.Autoencoder(4, **FAST), DIGITS.astype("f")),
    "Autoencoder/muon": lambda: autoencoder(skae.Autoencoder(4, optimizer="muon", **FAST), DIGITS),
    "Autoencoder/cosine": lambda: autoencoder(
        skae.Autoencoder(
            4, lr_schedule="cosine", loss="huber", max_grad_norm=0.1, weight_decay=0.01, **FAST
        ),
        DIGITS,
    ),
    "Autoencoder/deep": lambda: autoencoder(
        skae.Autoencoder(
            4,
            architecture=Dense((32, 16), dropout=0.1, normalization="batch", activation="tanh"),
            loss="binary_cross_entropy",
            **FAST,
        ),
        DIGITS,
    ),
    "Autoencoder/goes on": lambda: trained_on(skae.Autoencoder(4, **FAST), DIGITS),
    "Autoencoder/conv": lambda: autoencoder(
        skae.Autoencoder(4, architecture="conv", **FAST), IMAGES
    ),
    "Autoencoder/recurrent": lambda: autoencoder(
        skae.Autoencoder(4, architecture="recurrent", **FAST), WAVES
    ),
    "Autoencoder/tabular": lambda: autoencoder(
        skae.Autoencoder(3, architecture="tabular", **FAST), TABLE
    ),
    **{
        f"Denoising/{name}": lambda name=name: autoencoder(
            skae.DenoisingAutoencoder(4, corruption=name, **FAST), DIGITS
        )
        for name in ("gaussian", "masking", "salt_and_pepper", "swap")
    },
    "Denoising/tabular": lambda: autoencoder(
        skae.DenoisingAutoencoder(3, architecture="tabular", corruption="swap", **FAST), TABLE
    ),
    "Denoising/damaged only": lambda: autoencoder(
        skae.DenoisingAutoencoder(4, corruption="masking", damaged_only=True, **FAST), DIGITS
    ),
    **{
        f"Sparse/{name}": lambda name=name: autoencoder(
            skae.SparseAutoencoder(32, sparsity=name, **FAST), DIGITS
        )
        for name in ("topk", "l1", "kl")
    },
    "Sparse/importances": lambda: (
        skae.SparseAutoencoder(32, **FAST).fit(DIGITS).feature_importances_
    ),
    "Variational": lambda: variational(skae.VariationalAutoencoder(4, **FAST), DIGITS),
    "Variational/bernoulli": lambda: variational(
        skae.VariationalAutoencoder(4, likelihood="bernoulli", beta=0.5, **FAST), DIGITS
    ),
    "Variational/importance": lambda: variational(
        skae.VariationalAutoencoder(4, n_importance_samples=3, **FAST), DIGITS
    ),
    "Variational/conv": lambda: variational(
        skae.VariationalAutoencoder(4, architecture="conv", **FAST), IMAGES
    ),
    "Variational/recurrent": lambda: variational(
        skae.VariationalAutoencoder(4, architecture="recurrent", **FAST), WAVES
    ),
    "Variational/tabular": lambda: variational(
        skae.VariationalAutoencoder(4, architecture="tabular", **FAST), TABLE
    ),
    "Variational/scores": lambda: [
        (m.elbo(DIGITS), m.log_likelihood(DIGITS), m.transform(DIGITS, return_std=True))
        for m in [skae.VariationalAutoencoder(4, **FAST).fit(DIGITS)]
    ],
    "Tabular": lambda: autoencoder(skae.TabularAutoencoder(3, **FAST), TABLE),
    "Tabular/impute": lambda: skae.TabularAutoencoder(3, **FAST).fit(TABLE).impute(TABLE),
    "Conv": lambda: autoencoder(skae.ConvAutoencoder(6, **FAST), IMAGES),
    "Conv/ssim": lambda: autoencoder(skae.ConvAutoencoder(6, loss="ssim", **FAST), IMAGES),
    "Conv/spatial": lambda: autoencoder(
        skae.ConvAutoencoder(code="spatial", n_residual_blocks=1, dropout=0.1, **FAST),
        (IMAGES * 255).astype(np.uint8),
    ),
    "Conv/class": lambda: autoencoder(
        skae.Autoencoder(4, architecture=Conv(), optimizer="muon", **FAST), IMAGES
    ),
    "Recurrent": lambda: autoencoder(skae.RecurrentAutoencoder(4, **FAST), WAVES),
    "Recurrent/class": lambda: autoencoder(
        skae.Autoencoder(4, architecture=Recurrent(cell="gru"), **FAST), WAVES
    ),
    "Tabular/class": lambda: autoencoder(
        skae.Autoencoder(4, architecture=Tabular(), **FAST), TABLE
    ),
    "ImageToImage": lambda: (
        skae.ImageToImageRegressor(**FAST).fit(IMAGES, IMAGES**2).predict(IMAGES)
    ),
    "ImageToImage/augmented": lambda: (
        skae.ImageToImageRegressor(flips="both", max_shift=1, **FAST)
        .fit(IMAGES, IMAGES**2)
        .predict(IMAGES)
    ),
    "Translator/transformer": lambda: translator(
        skae.Seq2SeqTranslator(architecture="transformer", **FAST)
    ),
    "Translator/recurrent": lambda: translator(skae.Seq2SeqTranslator(architecture="gru", **FAST)),
    "Translator/plain": lambda: translator(
        skae.Seq2SeqTranslator(architecture="plain_lstm", tokenization="word", **FAST)
    ),
    "Ensemble": lambda: [
        (m.transform(DIGITS), m.score_samples(DIGITS))
        for m in [
            skae.EnsembleAutoencoder(
                skae.Autoencoder(4, max_epochs=4), n_estimators=3, random_state=0
            ).fit(DIGITS)
        ]
    ],
    "Detector": lambda: detector(skae.OutlierDetector(random_state=0), DIGITS),
    "Detector/table": lambda: explained(TABLE),
    "Detector/cv": lambda: detector(skae.OutlierDetector(PCA(3), cv=3, random_state=0), DIGITS),
    "Detector/autoencoder": lambda: detector(
        skae.OutlierDetector(skae.Autoencoder(4, **FAST), contamination=0.1), DIGITS
    ),
    "Scorer": lambda: skae.TabularOutlierScorer(random_state=0).fit(DIGITS).score_samples(DIGITS),
    "Scorer/table": lambda: (
        skae.TabularOutlierScorer(random_state=0).fit(TABLE).score_samples(TABLE)
    ),
    "fit_many": lambda: [
        weights(m)
        for m in skae.fit_many(
            [skae.Autoencoder(4, lr=lr, **FAST) for lr in (1e-3, 3e-3)]
            + [skae.VariationalAutoencoder(4, beta=b, **FAST) for b in (0.1, 1.0)]
            + [skae.DenoisingAutoencoder(4, noise_level=b, **FAST) for b in (0.1, 0.3)],
            DIGITS,
        )
    ],
    "Grid": lambda: search(
        skae.BatchedGridSearchCV(skae.Autoencoder(**FAST), {"n_components": [2, 3]}, cv=2), DIGITS
    ),
    "Randomized": lambda: search(
        skae.BatchedRandomizedSearchCV(
            skae.Autoencoder(**FAST), {"lr": [1e-3, 2e-3]}, n_iter=2, cv=2, random_state=0
        ),
        DIGITS,
    ),
    "Halving": lambda: search(
        skae.BatchedHalvingGridSearchCV(
            skae.Autoencoder(4, random_state=0), {"lr": [1e-4, 1e-3, 2e-3]}, cv=2
        ),
        DIGITS,
    ),
}


def main():
    warnings.simplefilter("ignore")
    for name, case in CASES.items():
        try:
            result = digest(case())
        except Exception as error:  # a case that one version does not know
            result = f"{type(error).__name__}: {str(error)[:80]}"
        print(f"{name:26} {result}", flush=True)


if __name__ == "__main__":
    main()
