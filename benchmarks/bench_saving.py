"""Files of fitted models: their size, the time to write and to read them, and what ONNX saves.

    python benchmarks/bench_saving.py [--repeats 20]

Sizes in kB, beside that of the weights. Times in milliseconds, the median of the repeats. For ONNX:
the time for one row and for 1,000, beside the method of the estimator, and the largest difference
relative to the spread of the results.
"""

import argparse
import pickle
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import onnxruntime
import pandas as pd
import skops.io
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skae
from skae import (
    Autoencoder,
    ConvAutoencoder,
    EnsembleAutoencoder,
    OutlierDetector,
    RecurrentAutoencoder,
    TabularAutoencoder,
    VariationalAutoencoder,
)


def milliseconds(function, repeats):
    times = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return 1000 * statistics.median(times[1:])


def models():
    """Yield a name, a fitted model, a method, and 1,000 samples."""
    X, y = load_breast_cancer(return_X_y=True)
    X = np.tile(StandardScaler().fit_transform(X).astype(np.float32), (2, 1))[:1000]
    y = np.tile(y, 2)[:1000]
    images = np.tile(load_digits().images.astype(np.float32) / 16, (1, 1, 1))[:1000]
    series = X[:, :, None]
    frame = pd.DataFrame(X[:, :5], columns=list("abcde"))
    frame["kind"] = np.where(y, "benign", "malignant")
    quick = {"max_epochs": 10, "random_state": 0, "check_baseline": False}
    yield "Autoencoder", Autoencoder(8, **quick).fit(X), "transform", X
    pipeline = make_pipeline(StandardScaler(), Autoencoder(8, **quick), LogisticRegression())
    yield "pipeline of it", pipeline.fit(X, y), "predict_proba", X
    yield "VariationalAutoencoder", VariationalAutoencoder(8, **quick).fit(X), "score_samples", X
    yield "ConvAutoencoder", ConvAutoencoder(8, **quick).fit(images), "reconstruct", images
    recurrent = RecurrentAutoencoder(8, **quick).fit(series[:300])
    yield "RecurrentAutoencoder", recurrent, "transform", series
    ensemble = EnsembleAutoencoder(Autoencoder(8, **quick), 5, random_state=0).fit(X)
    yield "EnsembleAutoencoder", ensemble, "score_samples", X
    yield "TabularAutoencoder", TabularAutoencoder(3, **quick).fit(frame), "score_samples", frame
    yield "OutlierDetector", OutlierDetector(random_state=0).fit(frame), "score_samples", frame


def weights_of(model):
    """Return the bytes of the parameters of all nets in a model."""
    if isinstance(model, Pipelines):
        return sum(weights_of(step) for _, step in model.steps)
    if "estimators_" in vars(model):
        return sum(map(weights_of, model.estimators_))
    for inner in ("estimator_", "ensemble_"):
        if inner in vars(model):
            return weights_of(getattr(model, inner))
    if "net_" not in vars(model):
        return 0
    return sum(weight.nbytes for weight in model.net_.module_.parameters())


Pipelines = type(make_pipeline(StandardScaler()))


def files(name, model, repeats):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.skae")
        write = milliseconds(lambda: skae.save(model, path), repeats)
        read = milliseconds(lambda: skae.load(path, device="cpu"), repeats)
        sizes = [weights_of(model), path.stat().st_size, len(pickle.dumps(model))]
        skae.save(model, path, training_state=True)
        sizes += [path.stat().st_size, len(skops.io.dumps(model))]
    pickled = milliseconds(lambda: pickle.loads(pickle.dumps(model)), repeats)
    cells = [f"{size / 1000:.0f}" for size in sizes]
    cells += [f"{one:.1f}" for one in (write, read, pickled)]
    print(f"| {name} | {' | '.join(cells)} |", flush=True)


def graphs(name, model, method, X, repeats):
    kind = None if method == "predict_proba" else method
    graph = skae.to_onnx(model, kind, X=X if isinstance(X, np.ndarray) else None)
    session = onnxruntime.InferenceSession(graph.SerializeToString())
    function = getattr(model, method)
    cells = []
    for n in (1, 1000):
        rows = X[:n]
        array = rows if kind is None else skae.onnx_input(model, rows)
        by_model = milliseconds(lambda rows=rows: function(rows), repeats)
        by_graph = milliseconds(lambda array=array: session.run(None, {"X": array}), repeats)
        cells += [f"{by_model:.2f}", f"{by_graph:.3f}", f"{by_model / by_graph:.1f}"]
    expected, found = np.asarray(function(X)), session.run(None, {"X": array})[-1]
    difference = np.abs(expected - found.reshape(expected.shape)).max() / expected.std()
    print(f"| {name}, {method} | {' | '.join(cells)} | {difference:.0e} |", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=20)
    args = parser.parse_args()
    fitted = list(models())
    print("| model | weights | save | pickle | save, to train on | skops | save | load | pickle |")
    for name, model, _, _ in fitted:
        files(name, model, args.repeats)
    print("| model, method | 1 row | ONNX | ratio | 1,000 rows | ONNX | ratio | difference |")
    for name, model, method, X in fitted:
        graphs(name, model, method, X, args.repeats)


if __name__ == "__main__":
    main()
