"""
Save, load, and run without Python
==================================

A fitted model leaves the notebook in two ways. `~skae.save` writes a file that is safe to load, for
Python with skae. `~skae.to_onnx` makes an ONNX graph, which runs where there is no Python: in a
browser, on a small device, in a service written in another language. This page does both with a
pipeline that ends in a classifier, makes a graph of a detector of outliers, and compares results
and times for a single row.
"""

# %%
# A pipeline
# ----------
#
# The rows are measurements of cells, 30 numbers each. The autoencoder makes eight codes of them,
# and the classifier takes these.

import time
from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np
import onnxruntime
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skae
from skae import Autoencoder, OutlierDetector, to_onnx

X, y = load_breast_cancer(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
autoencoder = Autoencoder(8, max_epochs=50, random_state=0)
pipeline = make_pipeline(StandardScaler(), autoencoder, LogisticRegression())
pipeline.fit(X_train, y_train)

print(f"accuracy {pipeline.score(X_test, y_test):.3f}")

# %%
# The file holds JSON, tensors and arrays, and no code. The loaded pipeline gives the same numbers,
# to the last bit.

with TemporaryDirectory() as folder:
    path = Path(folder, "pipeline.skae")
    skae.save(pipeline, path)
    loaded = skae.load(path)
    print(f"{path.stat().st_size / 1000:.0f} kB")
difference = abs(loaded.predict_proba(X_test) - pipeline.predict_proba(X_test)).max()
print(f"largest difference of a probability: {difference}")

# %%
# The graph
# ---------
#
# One graph holds all three steps. Those of scikit-learn are converted by skl2onnx.
# ``onnx.save(to_onnx(pipeline), "model.onnx")`` would write a file; the runtime takes a file or
# bytes. The input is called "X", and is of float32 unless ``dtype`` says otherwise.

graph = to_onnx(pipeline).SerializeToString()
session = onnxruntime.InferenceSession(graph)
rows = X_test.astype(np.float32)
label, probabilities = session.run(None, {"X": rows})
difference = abs(probabilities - pipeline.predict_proba(X_test)).max()
print(f"largest difference of a probability: {difference:.0e}")

# %%
# A detector
# ----------
#
# The graph of a detector has three outputs: labels, scores and the threshold. Here it learns from
# benign cells. Its input is of float64, as of all models for tables: their numbers may be dates.

detector = OutlierDetector(random_state=0).fit(X_train[y_train == 1])
detector_session = onnxruntime.InferenceSession(to_onnx(detector).SerializeToString())
label, scores, threshold = detector_session.run(None, {"X": X_test})
expected = detector.score_samples(X_test)
print(f"equal labels: {(label == detector.predict(X_test)).mean():.0%}")
print(f"largest difference of a score: {abs(scores - expected).max():.0e}")

# %%
# The time for one row
# --------------------
#
# A library for Python checks its input, and goes through several layers of code until it computes.
# For a single row this takes most of the time, and the graph does without.


def milliseconds(function, *inputs, n_calls=50):
    """Return the mean time of a call."""
    function(*inputs)
    start = time.perf_counter()
    for _ in range(n_calls):
        function(*inputs)
    return (time.perf_counter() - start) / n_calls * 1000


times = {
    ("pipeline", "skae"): milliseconds(pipeline.predict_proba, X_test[:1]),
    ("pipeline", "ONNX"): milliseconds(session.run, None, {"X": rows[:1]}),
    ("detector", "skae"): milliseconds(detector.score_samples, X_test[:1]),
    ("detector", "ONNX"): milliseconds(detector_session.run, None, {"X": X_test[:1]}),
}
for (model, how), duration in times.items():
    print(f"{model} by {how}: {duration:.3f} ms")

fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
for kind, color in ((1, "tab:blue"), (0, "tab:orange")):
    name = "benign" if kind else "malignant"
    left.scatter(expected[y_test == kind], scores[y_test == kind], 12, color=color, label=name)
left.axvline(threshold, color="0.5", ls=":", label="threshold")
left.axhline(threshold, color="0.5", ls=":")
left.set(xlabel="score by skae", ylabel="score by ONNX", title="Scores of the detector")
left.legend(fontsize="small")
names = [f"{model}\n{how}" for model, how in times]
bars = right.bar(names, times.values(), color=["0.6", "tab:green"] * 2)
right.bar_label(bars, fmt="%.2g ms")
right.set(yscale="log", ylabel="milliseconds", title="Time for one row")
right.margins(y=0.15)
plt.show()
