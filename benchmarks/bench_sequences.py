"""Quality of recurrent autoencoders on sequences, beside the cheapest models.

    python benchmarks/bench_sequences.py --data DIR [--seeds 3] [--only ecg vowels]

DIR holds ecg5000.npz, japanese_vowels.npz and italy_power_demand.npz; gestures and digits to
copy are made. Models are fitted on
the training part and judged on the test part; recurrent ones several times, and the figures
are mean and spread (standard deviation) over the seeds.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skae import Autoencoder, DenoisingAutoencoder, RecurrentAutoencoder
from skae.architectures import Recurrent

#: Sequences that the copying task is learned from.
COPIED = 100_000


def show(name, values, seconds=None):
    values = np.asarray(values, float)
    spread = f"+- {values.std():.4f}" if values.size > 1 else ""
    time_spent = "" if seconds is None else f"{seconds:6.0f}"
    print(f"{name:44}{values.mean():8.4f} {spread:10}{time_spent:>6}", flush=True)


def over_seeds(name, seeds, figure):
    """Show a figure, a function of the seed, and the seconds of one."""
    start = time.perf_counter()
    values = [figure(seed) for seed in range(seeds)]
    show(name, values, (time.perf_counter() - start) / seeds)


def ecg(data, seeds):
    """Beats that are not normal, by the error of models of normal ones."""
    d = np.load(data / "ecg5000.npz")
    normal = d["X_test"][d["y_test"] == 0]
    X = np.vstack([d["X_train"][d["y_train"] == 0], normal[:2000]])
    X_new = np.vstack(
        [d["X_train"][d["y_train"] == 1], d["X_test"][d["y_test"] == 1], normal[2000:]]
    )
    is_odd = np.repeat([1, 0], [len(X_new) - len(normal[2000:]), len(normal[2000:])])
    print(f"\nECG5000: AUROC, {len(X)} normal beats fitted, {len(X_new)} others")

    def auroc(model):
        return roc_auc_score(is_odd, -model.score_samples(X_new))

    areas = {}
    for n in range(1, 61):
        pca = PCA(n).fit(X)
        errors = ((X_new - pca.inverse_transform(pca.transform(X_new))) ** 2).mean(1)
        areas[n] = roc_auc_score(is_odd, errors)
    best = max(areas, key=areas.get)
    show(f"PCA, {best} components, the best of 60", [areas[best]])
    for name, make in {"dense": Autoencoder, "recurrent": RecurrentAutoencoder}.items():
        for n in (2, 4, 8):
            over_seeds(
                f"{name}, {n} components",
                seeds,
                lambda seed, make=make, n=n: auroc(make(n, random_state=seed).fit(X)),
            )


def probe(codes, y, codes_new, y_new):
    """Return the accuracy of a linear classifier on codes."""
    model = make_pipeline(
        StandardScaler(),
        GridSearchCV(LogisticRegression(max_iter=5000), {"C": np.logspace(-4, 2, 13)}),
    )
    return model.fit(codes, y).score(codes_new, y_new)


def stretched(sequences, n_steps):
    """Return flat rows of one length, with values between the steps."""
    places = np.linspace(0, 1, n_steps)
    return np.array(
        [
            np.ravel([np.interp(places, np.linspace(0, 1, len(x)), feature) for feature in x.T])
            for x in sequences
        ]
    )


def vowels(data, seeds):
    """Speakers, by a linear classifier on codes that were fitted without labels."""
    d = np.load(data / "japanese_vowels.npz")
    parts = [
        np.split(d[f"X_{part}"], np.cumsum(d[f"lengths_{part}"])[:-1]) for part in ("train", "test")
    ]
    y, y_new = d["y_train"], d["y_test"]
    print(f"\nJapaneseVowels: accuracy of a linear probe, {len(y)} fitted, {len(y_new)} others")

    def accuracy(codes, codes_new):
        return probe(codes, y, codes_new, y_new)

    moments = [np.array([np.r_[x.mean(0), x.std(0)] for x in part]) for part in parts]
    show("mean and standard deviation", [accuracy(*moments)])
    padded = [
        np.array([np.pad(x, ((0, 29 - len(x)), (0, 0)), "edge").ravel() for x in part])
        for part in parts
    ]
    pca = PCA(32).fit(padded[0])
    show("padded, PCA, 32 components", [accuracy(*map(pca.transform, padded))])
    rows = [stretched(part, 29) for part in parts]
    pca = PCA(32).fit(rows[0])
    show("stretched, PCA, 32 components", [accuracy(*map(pca.transform, rows))])
    models = {
        f"recurrent, {n} components": lambda s, n=n: RecurrentAutoencoder(n, random_state=s)
        for n in (16, 32, 64)
    }
    models["recurrent, denoising, 32 components"] = lambda s: DenoisingAutoencoder(
        32, noise_level=0.3, architecture=Recurrent(), random_state=s
    )
    for name, make in models.items():

        def figure(seed, make=make):
            model = make(seed).fit(parts[0])
            return accuracy(*map(model.transform, parts))

        over_seeds(name, seeds, figure)


def make_gestures(n_samples, seed):
    """Return speeds of a pen in four strokes with pauses, and which of five orders they have."""
    rng = np.random.default_rng(seed)
    directions = np.array([[1, 0], [0, 1], [-1, 0], [0, -1]])
    orders = np.array([[0, 1, 2, 3], [0, 3, 2, 1], [0, 2, 1, 3], [1, 0, 3, 2], [1, 3, 0, 2]])
    y = rng.integers(len(orders), size=n_samples)
    sequences = []
    for order in orders[y]:
        pieces = [np.zeros((rng.integers(16), 2))]
        for direction in directions[order]:
            n_steps = rng.integers(5, 13)
            speed = np.sin(np.pi * (np.arange(n_steps) + 0.5) / n_steps) ** 2
            path = direction * rng.normal(1, 0.12) + rng.normal(scale=0.15, size=2)
            pieces += [np.outer(speed / speed.sum(), path), np.zeros((rng.integers(16), 2))]
        steps = np.concatenate(pieces)
        sequences.append(steps + rng.normal(scale=0.01, size=steps.shape))
    return sequences, y


def gestures(data, seeds):
    """Order of strokes that come at any time, by a linear classifier; and what codes restore."""
    del data
    (X, y), (X_new, y_new) = make_gestures(1000, seed=0), make_gestures(500, seed=1)
    print(f"\nGestures: accuracy of a linear probe, {len(y)} fitted, {len(y_new)} others")

    def accuracy(codes, codes_new):
        return probe(codes, y, codes_new, y_new)

    longest = max(map(len, X + X_new))
    padded = [
        np.array([np.pad(x, ((0, longest - len(x)), (0, 0))).ravel() for x in part])
        for part in (X, X_new)
    ]
    forms = {"padded": padded, "stretched": [stretched(part, 50) for part in (X, X_new)]}
    for form, rows in forms.items():
        pca = PCA(16).fit(rows[0])
        show(f"{form}, PCA, 16 components", [accuracy(*map(pca.transform, rows))])
    shortcuts = {"": "auto", ", with shortcut": True, ", without shortcut": False}
    for name, shortcut in shortcuts.items():
        scores = []

        def figure(seed, shortcut=shortcut, scores=scores):
            model = RecurrentAutoencoder(16, shortcut=shortcut, random_state=seed).fit(X)
            scores.append(model.score(X_new))
            return accuracy(*map(model.transform, (X, X_new)))

        over_seeds(f"recurrent, 16 components{name}", seeds, figure)
        show("    R2", scores)


def power(data, seeds):
    """Days of a power grid, by four numbers."""
    d = np.load(data / "italy_power_demand.npz")
    X, X_new = d["X_train"], d["X_test"]
    print(f"\nItalyPowerDemand: R2 with 4 components, {len(X)} days fitted, {len(X_new)} others")

    def r2(model):
        restored = model.inverse_transform(model.transform(X_new))
        return r2_score(X_new, restored, multioutput="variance_weighted")

    show("PCA", [r2(PCA(4).fit(X))])
    over_seeds("dense", seeds, lambda s: r2(Autoencoder(4, random_state=s).fit(X)))
    over_seeds("recurrent", seeds, lambda s: r2(RecurrentAutoencoder(4, random_state=s).fit(X)))


def copying(data, seeds):
    """Sequences of up to 30 digits that were not seen, by a code: share that comes back exactly."""
    del data, seeds
    rng = np.random.default_rng(0)
    sequences = [rng.integers(0, 10, n) for n in rng.integers(1, 31, COPIED + 3000)]
    known = {digits.tobytes() for digits in sequences[:COPIED]}
    new = [digits for digits in sequences[COPIED:] if digits.tobytes() not in known]
    lengths = np.array([len(digits) for digits in new])
    ends = range(5, 31, 5)
    print(f"\nCopying: exact sequences by length, {COPIED} fitted, {len(new)} others")
    print(f"{'':44}" + "".join(f"{f'{end - 4}-{end}':>7}" for end in ends) + f"{'s':>6}")

    def show_copies(name, model, encode, decode):
        start = time.perf_counter()
        model.fit([encode(digits) for digits in sequences[:COPIED]])
        seconds = time.perf_counter() - start
        restored = map(decode, model.reconstruct([encode(digits) for digits in new]))
        exact = np.array([np.array_equal(a, b) for a, b in zip(restored, new, strict=True)])
        shares = [exact[(end - 5 < lengths) & (lengths <= end)].mean() for end in ends]
        print(f"{name:44}" + "".join(f"{share:7.3f}" for share in shares) + f"{seconds:6.0f}")

    options = {"max_epochs": 6, "batch_size": 256, "random_state": 0, "check_baseline": False}
    for n in (16, 32, 64):
        model = RecurrentAutoencoder(n, **options)
        show_copies(f"numbers, {n} components", model, np.float32, np.rint)
    one_hot = np.eye(10, dtype="float32")
    for n in (64, 128, 192):
        model = RecurrentAutoencoder(n, loss="binary_cross_entropy", **options, lr=3e-3)
        show_copies(
            f"one of ten, cross-entropy, {n} components",
            model,
            one_hot.__getitem__,
            lambda probabilities: probabilities.argmax(1),
        )


SECTIONS = {"ecg": ecg, "vowels": vowels, "gestures": gestures, "power": power, "copying": copying}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=list(SECTIONS))
    args = parser.parse_args()
    print(f"{'':44}{'mean':>8} {'spread':10}{'s':>6}")
    for name in args.only:
        SECTIONS[name](args.data, args.seeds)


if __name__ == "__main__":
    main()
