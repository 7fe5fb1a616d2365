"""MNIST digits: denoising, sparse features and density, each beside its baselines.

    python benchmarks/bench_mnist_objectives.py --data DIR
        [--only denoising sparse variational] [--seeds 0]
        [--epochs 100] [--lr 0.004] [--draws 1 5] [--then 5:40 20:40] [--samples 500]
        [--layers dense]

DIR holds ``mnist.npz``. All are fitted on the 60,000 training images and judged on the
10,000 test images; pixels are divided by 255.

denoising
    Gaussian noise of deviation 0.5, clipped to [0, 1]. PSNR in decibels of the mean squared
    error over the test images, and its mean over images. PCA with the number of components
    that is best on the test images, which favors it.
sparse
    1,000 units of which 25 are active. Error of logistic regression on the codes, mean
    squared error of the reconstruction, share of dead units.
variational
    One stochastic layer, 784-200-200-50, with linear shortcuts, or convolutions. Pixels are
    binarized anew in every epoch, the test images once. Negative log-likelihood in nats by
    importance sampling, with 500 samples a row, or as many as ``--samples`` says. ``--draws`` are
    those of the code in training. ``--then 5:40 20:40`` goes on with 5 draws for 40 epochs and 20
    draws for 40 more, at a quarter of the learning rate. Long runs need a lower rate: with 0.004,
    500 epochs diverged.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler

from skae import Autoencoder, DenoisingAutoencoder, SparseAutoencoder, VariationalAutoencoder
from skae.architectures import Conv, Dense

PLAIN = {"early_stopping": False, "check_baseline": False, "batch_size": 128}


def load(data):
    with np.load(data / "mnist.npz") as mnist:
        X, X_test = (
            mnist[part].reshape(-1, 784).astype("float32") / 255 for part in ("X_train", "X_test")
        )
        return X, mnist["y_train"], X_test, mnist["y_test"]


# Denoising.


def psnr(X, restored):
    errors = ((X - np.clip(restored, 0, 1)) ** 2).mean(1)
    return -10 * np.log10(errors.mean()), (-10 * np.log10(errors)).mean()


def restore_by_pca(pca, X, n_components):
    axes = pca.components_[:n_components]
    return (X - pca.mean_) @ axes.T @ axes + pca.mean_


def bench_denoising(data, seeds):
    X, _, X_test, _ = data
    rng = np.random.default_rng(0)
    noisy = X_test + 0.5 * rng.standard_normal(X_test.shape, "float32")
    noisy = np.clip(noisy, 0, 1)
    print(f"\n{'denoising':44}{'seed':>5}{'s':>7}{'PSNR':>7}{'mean':>7}")

    def report(name, seed, seconds, restored):
        of_all, of_images = psnr(X_test, restored)
        print(f"{name:44}{seed:5}{seconds:7.0f}{of_all:7.2f}{of_images:7.2f}", flush=True)

    report("noisy", 0, 0, noisy)
    start = time.perf_counter()
    pca = PCA(200, random_state=0).fit(X)
    seconds = time.perf_counter() - start
    best = max(range(2, 200), key=lambda n: psnr(X_test, restore_by_pca(pca, noisy, n))[0])
    report(f"PCA, {best} components", 0, seconds, restore_by_pca(pca, noisy, best))
    # What clipping does to the mean can be learned by a linear model as well.
    rng = np.random.default_rng(1)
    seen = np.clip(X + 0.5 * rng.standard_normal(X.shape, "float32"), 0, 1)
    linear = np.linalg.lstsq(_with_one(seen), X)[0]
    report("linear regression on noisy images", 0, 0, _with_one(noisy) @ linear)
    common = {**PLAIN, "loss": "binary_cross_entropy", "max_epochs": 20}
    denoising = {"noise_level": 0.5, "data_range": (0, 1)}
    wide = Dense((1000, 500), activation="silu", shortcut=False)
    models = {
        "plain, 784-128-64-32": Autoencoder(
            32, **common, lr=3e-3, architecture=Dense(shortcut=False)
        ),
        "denoising, 784-128-64-32": DenoisingAutoencoder(
            32, **common, **denoising, lr=3e-3, architecture=Dense(shortcut=False)
        ),
        "plain, 784-1000-500-100": Autoencoder(100, **common, lr=1e-3, architecture=wide),
        "denoising, 784-1000-500-100": DenoisingAutoencoder(
            100, **common, **denoising, lr=1e-3, architecture=wide
        ),
    }
    for name, model in models.items():
        for seed in seeds:
            start = time.perf_counter()
            model.set_params(random_state=seed).fit(X)
            report(name, seed, time.perf_counter() - start, model.reconstruct(noisy))


def _with_one(X):
    return np.hstack([X, np.ones((len(X), 1), "float32")])


# Sparse features.


def bench_sparse(data, seeds):
    X, y, X_test, y_test = data
    print(f"\n{'sparse':44}{'seed':>5}{'s':>7}{'error':>8}{'MSE':>9}{'active':>8}{'dead':>7}")

    def classify(Z, Z_test):
        classifier = make_pipeline(MaxAbsScaler(), LogisticRegression(C=1, max_iter=60))
        return f"{100 * (1 - classifier.fit(Z, y).score(Z_test, y_test)):7.2f}%"

    print(f"{'pixels':44}{0:5}{0:7.0f}{classify(X, X_test)}", flush=True)
    pca = PCA(25).fit(X)
    Z, Z_test = pca.transform(X), pca.transform(X_test)
    mse = ((X_test - pca.inverse_transform(Z_test)) ** 2).mean()
    print(f"{'PCA, 25 components':44}{0:5}{0:7.0f}{classify(Z, Z_test)}{mse:9.5f}", flush=True)
    common = {**PLAIN, "lr": 3e-3, "max_epochs": 15}
    tied = {"architecture": Dense((), tied_weights=True)}
    sparse = {**common, "k": 25, "sparse_output": True}
    models = {
        "plain, 25 components, 784-500": Autoencoder(25, **common, architecture=Dense((500,))),
        "topk, tied weights": SparseAutoencoder(1000, **sparse, **tied),
        "topk": SparseAutoencoder(1000, **sparse, architecture=Dense(())),
        "l1, weight 1e-3": SparseAutoencoder(
            1000, **sparse, sparsity="l1", sparsity_weight=1e-3, architecture=Dense(())
        ),
    }
    for name, model in models.items():
        for seed in seeds:
            start = time.perf_counter()
            model.set_params(random_state=seed).fit(X)
            seconds = time.perf_counter() - start
            error = classify(model.transform(X), model.transform(X_test))
            mse = ((X_test - model.reconstruct(X_test)) ** 2).mean()
            print(f"{name:44}{seed:5}{seconds:7.0f}{error}{mse:9.5f}", end="")
            if isinstance(model, SparseAutoencoder):
                print(f"{model.mean_active_:8.1f}{100 * model.dead_fraction_:6.1f}%", end="")
            print(flush=True)


# Density.


def binarized(X, rng):
    return (rng.random(X.shape, "float32") < X).astype("float32")


def one_cycle(epoch, n_epochs, warm_up=0.1):
    """Return the share of the learning rate in the middle of an epoch."""
    progress = (epoch + 0.5) / n_epochs
    if progress < warm_up:
        return progress / warm_up
    return (1 + np.cos(np.pi * (progress - warm_up) / (1 - warm_up))) / 2


def fit_on_fresh_binarizations(model, X, n_epochs, lr):
    rng = np.random.default_rng(0)
    for epoch in range(n_epochs):
        model.set_params(lr=lr * one_cycle(epoch, n_epochs))
        model.partial_fit(binarized(X, rng))
    return model


def go_on(model, X, then, lr):
    """Train further with more draws of the code, as ``then`` says: pairs of draws and epochs."""
    for n_draws, n_epochs in then:
        model.set_params(n_importance_samples=n_draws)
        fit_on_fresh_binarizations(model, X, n_epochs, lr)
    return model


#: By name, the layers of the density: what a row is, and the architecture.
LAYERS = {
    "dense": ("784-200-200-50", (784,), Dense((200, 200), activation="silu")),
    "conv": (
        "convolutions-50",
        (28, 28),
        Conv((16, 32), n_residual_blocks=(0, 1), hidden_layer_sizes=256, normalization=None),
    ),
}


def bench_variational(data, seeds, n_samples, n_epochs, lr, draws, then, layers):
    X, _, X_test, _ = data
    X_test = binarized(X_test, np.random.default_rng(2**20))
    print(f"\n{'variational':36}{'epochs':>7}{'seed':>5}{'s':>7}{'ELBO':>9}{'NLL':>8}{'active':>8}")
    rate = np.clip(X.mean(0), 1e-3, 1 - 1e-3)
    independent = -(X_test * np.log(rate) + (1 - X_test) * np.log1p(-rate)).sum(1).mean()
    print(f"{'pixels alone':36}{0:7}{0:5}{0:7}{'':9}{independent:8.2f}", flush=True)
    layers, shape, architecture = LAYERS[layers]
    X, X_test = X.reshape(-1, *shape), X_test.reshape(-1, *shape)
    for n_draws in draws:
        for seed in seeds:
            model = VariationalAutoencoder(
                50,
                likelihood="bernoulli",
                architecture=architecture,
                n_importance_samples=n_draws,
                batch_size=128,
                random_state=seed,
            )
            start = time.perf_counter()
            fit_on_fresh_binarizations(model, X, n_epochs, lr)
            go_on(model, X, then, lr / 4)
            seconds = time.perf_counter() - start
            name = f"{layers}, {n_draws} draws in training"
            name += "".join(f", {n_more} for {n}" for n_more, n in then)
            elbo, nll = model.elbo(X_test).mean(), -model.log_likelihood(X_test, n_samples).mean()
            print(
                f"{name:36}{n_epochs:7}{seed:5}{seconds:7.0f}{elbo:9.2f}{nll:8.2f}"
                f"{model.n_active_units_:8}",
                flush=True,
            )


def pair(text):
    return tuple(map(int, text.split(":")))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--only", nargs="+", default=["denoising", "sparse", "variational"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--samples", type=int, default=500)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--lr", type=float, default=4e-3)
    parser.add_argument("--draws", type=int, nargs="+", default=[1, 5])
    parser.add_argument("--then", type=pair, nargs="+", default=[])
    parser.add_argument("--layers", choices=LAYERS, default="dense")
    args = parser.parse_args()
    data = load(args.data)
    if "denoising" in args.only:
        bench_denoising(data, args.seeds)
    if "sparse" in args.only:
        bench_sparse(data, args.seeds)
    if "variational" in args.only:
        training = args.epochs, args.lr, args.draws, args.then
        bench_variational(data, args.seeds, args.samples, *training, args.layers)


if __name__ == "__main__":
    main()
