"""Methods of fitted estimators, applied to files."""

import os
import pickle
import resource
import signal
import subprocess
import sys
import time
import tracemalloc

import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from torch.utils.data import DataLoader, TensorDataset

import skae
from skae import (
    Autoencoder,
    OutlierDetector,
    SeriesOutlierDetector,
    TabularAutoencoder,
    TabularImputer,
    apply_to_files,
)
from skae._persistence.digest import digest_of

QUICK = {"max_epochs": 2, "random_state": 0, "check_baseline": False}


def make_table(n_rows=300, seed=0):
    rng = np.random.default_rng(seed)
    amount = rng.normal(size=n_rows)
    table = pd.DataFrame(
        {
            "id": [f"row {i}" for i in range(n_rows)],
            "amount": amount,
            "double": 2 * amount + rng.normal(scale=0.1, size=n_rows),
            "n": rng.integers(0, 9, n_rows),
            "kind": pd.Categorical(rng.choice(["x", "y", "z"], n_rows)),
            "is_new": rng.random(n_rows) < 0.5,
            "at": rng.choice(pd.date_range("2026-01-01", periods=9), n_rows),
        },
        index=pd.Index(rng.permutation(n_rows) + 1000, name="number"),
    )
    table.loc[table.index[:20], "double"] = np.nan
    return table


TABLE = make_table()
NUMBERS, MIXED = ["amount", "n"], ["amount", "double", "n", "kind", "is_new", "at"]


@pytest.fixture(scope="module")
def autoencoder():
    return TabularAutoencoder(2, **QUICK).fit(TABLE[MIXED])


@pytest.fixture(scope="module")
def pca():
    return PCA(1).fit(TABLE[NUMBERS])


@pytest.fixture
def folder(tmp_path):
    """Three files, one of them in a folder of its own."""
    folder = tmp_path / "rows"
    (folder / "deeper").mkdir(parents=True)
    for seed, name in enumerate(["a", "b", "deeper/c"]):
        make_table(100 + seed, seed).to_parquet(folder / f"{name}.parquet")
    return folder


# What it gives is what the method gives for the whole table.


def applied(estimator, path, method, **how):
    output = path.parent / "results.parquet"
    assert apply_to_files(estimator, path, output, method=method, **how) == [output]
    return pd.read_parquet(output)


@pytest.mark.parametrize("method", ["score_samples", "transform", "reconstruct", "impute"])
def test_autoencoders_of_tables(method, autoencoder, tmp_path):
    path = tmp_path / "rows.parquet"
    TABLE.to_parquet(path, row_group_size=70)
    result = applied(autoencoder, path, method, chunk_rows=50)
    expected = getattr(autoencoder, method)(TABLE[MIXED])
    if method == "score_samples":
        expected = pd.DataFrame({"score": expected})
    if method == "transform":
        expected = pd.DataFrame(expected, columns=autoencoder.get_feature_names_out())
    pd.testing.assert_frame_equal(result, expected.set_index(TABLE.index), rtol=1e-5)


@pytest.mark.parametrize("method", ["score_samples", "decision_function", "p_value", "predict"])
def test_detectors(method, autoencoder, tmp_path):
    detector = OutlierDetector(autoencoder, random_state=0).fit(TABLE[MIXED])
    path, table = tmp_path / "rows.parquet", make_table(seed=1)
    table.to_parquet(path)
    result = applied(detector, path, method, chunk_rows=70, keep=["id", "kind"])
    name = {"score_samples": "score", "decision_function": "decision", "predict": "label"}
    assert list(result) == ["id", "kind", name.get(method, method)]
    pd.testing.assert_frame_equal(result[["id", "kind"]], table[["id", "kind"]])
    expected = getattr(detector, method)(table[MIXED])
    np.testing.assert_allclose(result.iloc[:, 2], expected, rtol=1e-5)


def test_imputers(tmp_path):
    path = tmp_path / "rows.parquet"
    TABLE.to_parquet(path)
    imputer = TabularImputer(TabularAutoencoder(2, **QUICK)).fit(TABLE[MIXED])
    result = applied(imputer, path, "transform", chunk_rows=90, keep=["id"])
    expected = imputer.transform(TABLE[MIXED])
    pd.testing.assert_frame_equal(result[MIXED], expected, rtol=1e-5)


def test_pipelines_and_other_estimators(tmp_path):
    path = tmp_path / "rows.parquet"
    TABLE.to_parquet(path)
    X = TABLE[NUMBERS]
    pipeline = make_pipeline(StandardScaler(), Autoencoder(1, **QUICK)).fit(X)
    result = applied(pipeline, path, "score_samples", chunk_rows=64)
    np.testing.assert_allclose(result["score"], pipeline.score_samples(X), rtol=1e-5)
    encoder = OneHotEncoder().fit(TABLE[["kind"]])  # which returns a sparse matrix
    result = applied(encoder, path, "transform", overwrite=True, chunk_rows=64)
    assert list(result) == ["kind_x", "kind_y", "kind_z"]
    np.testing.assert_array_equal(result, encoder.transform(TABLE[["kind"]]).toarray())
    for estimator, name in [(LogisticRegression(), "label"), (LinearRegression(), "prediction")]:
        estimator.fit(X, TABLE["is_new"])
        result = applied(estimator, path, "predict", overwrite=True)
        np.testing.assert_allclose(result[name], estimator.predict(X))
    classifier = LogisticRegression().fit(X.to_numpy(), TABLE["kind"])  # on columns without names
    how = {"columns": NUMBERS, "overwrite": True}
    result = applied(classifier, path, "predict_proba", **how)
    assert list(result) == ["probability_x", "probability_y", "probability_z"]
    np.testing.assert_allclose(result, classifier.predict_proba(X.to_numpy()))
    pca = PCA(1).fit(X).set_output(transform="polars")
    result = applied(pca, path, "transform", overwrite=True)
    np.testing.assert_allclose(result["pca0"], np.ravel(pca.transform(X)))


@pytest.mark.parametrize("index", [pd.RangeIndex(7, 607, 2, name="step"), None, "at", ["id", "at"]])
def test_indices_are_kept(index, pca, tmp_path):
    table = TABLE.reset_index(drop=True) if index is None else TABLE.set_index(index)
    path = tmp_path / "rows.parquet"
    table.to_parquet(path)
    result = applied(pca, path, "transform", chunk_rows=50)
    pd.testing.assert_index_equal(result.index, table.index)
    assert type(result.index) is type(table.index)
    np.testing.assert_allclose(result["pca0"], pca.transform(table[NUMBERS])[:, 0])


def test_types_do_not_depend_on_the_chunk(tmp_path):
    table = pl.DataFrame({"i": [1, 2, 3, None], "b": [True, False, True, None]})
    table.write_parquet(tmp_path / "rows.parquet")
    table.write_csv(tmp_path / "rows.csv")
    for name in ("rows.parquet", "rows.csv"):
        seen = Recorder().fit(table.to_pandas())
        apply_to_files(seen, tmp_path / name, tmp_path / name[5:], method="transform", chunk_rows=2)
        assert [list(map(str, types)) for types in Recorder.types] == [["float64", "object"]] * 2


class Recorder(TransformerMixin, BaseEstimator):
    """Notes what it gets."""

    def fit(self, X, y=None):
        Recorder.sizes, Recorder.types = [], []
        self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        self.n_features_in_, self.n_rows_ = X.shape[1], len(X)
        return self

    def transform(self, X):
        Recorder.sizes.append(len(X))
        Recorder.types.append(list(X.dtypes))
        return np.ones(len(X))


# Sources.


def test_a_folder_and_a_pattern(folder, pca, tmp_path):
    (folder / "_SUCCESS").touch()
    (folder / "notes.txt").touch()
    output = tmp_path / "results"
    written = apply_to_files(pca, str(folder), str(output), method="transform")
    assert written == [output / f"{name}.parquet" for name in ("a", "b", "deeper/c")]
    for path, seed in zip(written, range(3), strict=True):
        expected = pca.transform(make_table(100 + seed, seed)[NUMBERS])
        np.testing.assert_allclose(pd.read_parquet(path), expected)
    pattern = folder / "**" / "*.parquet"
    output = tmp_path / "others"
    written = apply_to_files(pca, pattern, output, method="transform")
    assert written == [output / f"{name}.parquet" for name in ("a", "b", "deeper/c")]
    listed = [folder / "b.parquet", folder / "a.parquet"]
    written = apply_to_files(pca, listed, output, method="transform", overwrite=True)
    assert written == [output / "b.parquet", output / "a.parquet"]


@pytest.mark.parametrize("name", ["rows.csv", "rows.csv.gz"])
def test_csv_files(name, autoencoder, tmp_path):
    path = tmp_path / name
    TABLE.to_csv(path, index=False)
    result = applied(autoencoder, path, "score_samples", keep=["id"], chunk_rows=40)
    expected = autoencoder.score_samples(pd.read_csv(path, parse_dates=["at"])[MIXED])
    np.testing.assert_allclose(result["score"], expected, rtol=1e-5)
    assert list(result["id"]) == list(TABLE["id"])


def test_lazy_frames(autoencoder, tmp_path):
    path, output = tmp_path / "rows.parquet", tmp_path / "results.parquet"
    TABLE.to_parquet(path)
    lazy = pl.scan_parquet(path).filter(pl.col("n") > 2).with_columns(pl.col("kind").cast(str))
    apply_to_files(autoencoder, lazy, output, keep=["id"], chunk_rows=50)
    rows, result = lazy.collect(), pl.read_parquet(output)
    expected = autoencoder.score_samples(rows.select(MIXED))
    np.testing.assert_allclose(result["score"], expected, rtol=1e-5)
    assert result["id"].equals(rows["id"])
    with pytest.raises(ValueError, match="nothing tells whether the source still has the same"):
        apply_to_files(autoencoder, lazy, output, keep=["id"])
    nothing = lazy.filter(pl.col("n") > 100)
    apply_to_files(autoencoder, nothing, output, overwrite=True)
    assert pl.read_parquet(output).shape == (0, 1)


@pytest.mark.parametrize("convert", [lambda X: X, pl.from_pandas, pa.Table.from_pandas])
def test_chunks(convert, autoencoder, tmp_path):
    pieces = [TABLE[:100], TABLE[100:130], TABLE[130:]]
    written = apply_to_files(autoencoder, map(convert, pieces), tmp_path / "scores", keep=["id"])
    assert [path.name for path in written] == [f"part-0000{i}.parquet" for i in range(3)]
    result = pd.concat(map(pd.read_parquet, written))
    np.testing.assert_allclose(result["score"], autoencoder.score_samples(TABLE[MIXED]), rtol=1e-5)
    assert list(result["id"]) == list(TABLE["id"])
    before = [path.stat().st_mtime_ns for path in written]
    pieces[1] = pieces[1][::-1]
    with pytest.raises(ValueError, match=r"part-00001.* of another input"):
        apply_to_files(autoencoder, map(convert, pieces), tmp_path / "scores", keep=["id"])
    assert [path.stat().st_mtime_ns for path in written] == before


def test_chunks_of_arrays(tmp_path):
    X = TABLE[NUMBERS].to_numpy()
    pca = PCA(1).fit(X)
    written = apply_to_files(pca, [X[:100], X[100:]], tmp_path / "codes", method="transform")
    result = pd.concat(map(pd.read_parquet, written))
    np.testing.assert_allclose(result, pca.transform(X))
    with pytest.raises(ValueError, match="chunk 0 is an array, whose columns have no names"):
        apply_to_files(pca, [X], tmp_path / "others", method="transform", keep=["id"])


# Memory.


def test_no_more_rows_than_a_chunk_reach_the_estimator(tmp_path):
    path = tmp_path / "rows.parquet"
    table = pd.DataFrame({f"x{i}": np.arange(5000.0) for i in range(3)})
    table.to_parquet(path, row_group_size=2000)
    recorder = Recorder().fit(table)
    apply_to_files(recorder, path, tmp_path / "a.parquet", method="transform", chunk_rows=300)
    assert max(Recorder.sizes) == 300
    assert sum(Recorder.sizes) == 5000


class Watcher(StandardScaler):
    """Notes how much memory Arrow has while it transforms."""

    def transform(self, X):
        self.peak_ = max(vars(self).get("peak_", 0), pa.total_allocated_bytes())
        return super().transform(X)


def peak_memory(path, output):
    """Return the bytes that Arrow and NumPy take at most."""
    watcher = Watcher().fit(pd.DataFrame({"x": [0.0, 1.0], "y": [0.0, 1.0]}))
    before = pa.total_allocated_bytes()
    tracemalloc.start()
    apply_to_files(watcher, path, output, method="transform", chunk_rows=20_000)
    python = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return watcher.peak_ - before + python


def test_memory_does_not_grow_with_the_file(tmp_path):
    rng, peaks = np.random.default_rng(0), []
    for n_rows in (80_000, 800_000):
        path = tmp_path / f"{n_rows}.parquet"
        table = pa.table({name: rng.normal(size=n_rows) for name in "xy"})
        pq.write_table(table, path, row_group_size=n_rows)
        peaks.append(peak_memory(path, tmp_path / "results"))
        del table
    assert path.stat().st_size > 1.2e7
    assert peaks[1] < peaks[0] + 4e6


# Stopped and started again.


SLOW = """
import sys, time
import pandas as pd
from sklearn.preprocessing import StandardScaler
from skae import apply_to_files

fast = StandardScaler.transform

def slow(self, X):
    time.sleep(0.03)
    return fast(self, X)

StandardScaler.transform = slow
model = StandardScaler().fit(pd.DataFrame({"amount": [0.0, 1, 5], "n": [1, 2, 3]}))
apply_to_files(model, *sys.argv[1:], method="transform", chunk_rows=20)
"""


def test_a_killed_process_leaves_what_is_complete(folder, tmp_path):
    output = tmp_path / "results"
    process = subprocess.Popen([sys.executable, "-c", SLOW, folder, output])
    first = output / "a.parquet"
    while not (first.exists() and list(output.glob(".b.parquet.*"))):
        assert process.poll() is None
        time.sleep(0.005)
    process.kill()  # by SIGKILL
    assert process.wait() == -signal.SIGKILL
    assert not (output / "b.parquet").exists()
    before = first.stat().st_mtime_ns, first.stat().st_ino
    model = StandardScaler().fit(pd.DataFrame({"amount": [0.0, 1, 5], "n": [1, 2, 3]}))
    written = apply_to_files(model, folder, output, method="transform", chunk_rows=30)
    assert (first.stat().st_mtime_ns, first.stat().st_ino) == before
    for seed, path in enumerate(written):
        table = make_table(100 + seed, seed)
        result = pd.read_parquet(path)
        np.testing.assert_allclose(result, model.transform(table[NUMBERS]))
        pd.testing.assert_index_equal(result.index, table.index)
    assert sorted(path.name for path in output.rglob("*.*")) == [f"{c}.parquet" for c in "abc"]


def test_complete_results_are_kept_and_others_not_replaced(folder, pca, tmp_path):
    output = tmp_path / "results"

    def apply(estimator=pca, **how):
        written = apply_to_files(estimator, folder, output, **{"method": "transform"} | how)
        return [path.stat().st_ino for path in written]

    files = apply()
    assert apply() == apply(overwrite=True) == files
    other = PCA(1).fit(TABLE[NUMBERS] ** 2)
    with pytest.raises(ValueError, match=r"a.parquet' exists, and holds results of another estim"):
        apply(other)
    with pytest.raises(ValueError, match="with other columns of keep"):
        apply(keep=["id"])
    with pytest.raises(ValueError, match="of other columns. Set overwrite=True to replace it"):
        apply(columns=NUMBERS)
    scaler = StandardScaler().fit(TABLE[NUMBERS])
    with pytest.raises(ValueError, match="of another estimator, or of another fit"):
        apply(scaler)
    forest = IsolationForest(random_state=0).fit(TABLE[NUMBERS])
    apply(forest, method="score_samples", overwrite=True)
    with pytest.raises(ValueError, match="of another method"):
        apply(forest, method="predict")
    files = apply(forest, method="score_samples")
    make_table(50, 3).to_parquet(folder / "b.parquet")
    with pytest.raises(ValueError, match="b.parquet' exists, and holds .* has changed"):
        apply(forest, method="score_samples")
    new = apply(forest, method="score_samples", overwrite=True)
    assert [before == now for before, now in zip(files, new, strict=True)] == [True, False, True]
    TABLE.to_parquet(output / "a.parquet")
    with pytest.raises(ValueError, match="a.parquet' exists, and has no results of this function"):
        apply(forest, method="score_samples")


@pytest.mark.parametrize("estimator", ["tabular", "forest", "detector", "imputer", "own"])
def test_digests_tell_models_and_nothing_else(estimator, tmp_path):
    model = {
        "tabular": TabularAutoencoder(2, **QUICK),
        "forest": IsolationForest(n_estimators=20, random_state=0),
        "detector": OutlierDetector(
            IsolationForest(n_estimators=5, random_state=0), random_state=0
        ),
        "imputer": TabularImputer(TabularAutoencoder(2, **QUICK)),
        "own": Recorder(),
    }[estimator]
    X = TABLE[NUMBERS] if estimator in ("forest", "detector") else TABLE[MIXED]
    digest = digest_of(model.fit(X))
    assert digest_of(pickle.loads(pickle.dumps(model))) == digest
    if estimator != "own":
        skae.save(model, tmp_path / "model.skae")
        assert digest_of(skae.load(tmp_path / "model.skae")) == digest
    apply_to_files(model, [X], tmp_path, method=TOLD_BY.get(estimator, "score_samples"))
    assert digest_of(model) == digest
    assert digest_of(model.fit(X[:100])) != digest


def test_models_that_cannot_be_pickled(tmp_path):
    model = FunctionTransformer(lambda X: X).fit(TABLE[NUMBERS])
    message = "which FunctionTransformer they are of, .* In place of a lambda, give it a function"
    with pytest.raises(ValueError, match=message):
        apply_to_files(model, [TABLE], tmp_path, method="transform")


TOLD_BY = {"imputer": "transform", "own": "transform"}


# Bad input.


def test_bad_sources(folder, pca, tmp_path):
    output = tmp_path / "results"

    def refuse(source, error, message):
        with pytest.raises(error, match=message):
            apply_to_files(pca, source, output, method="transform")

    (tmp_path / "empty").mkdir()
    refuse(tmp_path / "empty", FileNotFoundError, "'.*empty' holds none of .parquet, .pq, .csv")
    refuse(folder / "*.csv", FileNotFoundError, r"No file matches the pattern '.*\*.csv'")
    refuse(folder / "d.parquet", FileNotFoundError, "names '.*d.parquet', which does not exist")
    refuse([folder / "d.parquet"], FileNotFoundError, "names '.*d.parquet', which is no file")
    (folder / "notes.txt").touch()
    refuse(folder / "notes.txt", ValueError, "notes.txt' is of an unknown kind. Files end in .parq")
    refuse(TABLE, TypeError, "got DataFrame. Call the method of the estimator for one table in mem")
    refuse(TABLE.to_numpy(), TypeError, "got ndarray")
    refuse(5, TypeError, "source must be a file, a folder, .* got int")
    refuse([1, 2], ValueError, "chunk 0 of source is no table but of the type int")
    refuse([folder / "a.parquet"] * 2, ValueError, "a.parquet' and .* would both become")
    (folder / "a.parquet").rename(folder / "z.parquet")
    cut = (folder / "b.parquet").read_bytes()
    for damaged in (b"", cut[:-100], cut[:100] + bytes(1000) + cut[1100:]):
        (folder / "b.parquet").write_bytes(damaged)
        refuse(folder, ValueError, "b.parquet' cannot be read as a Parquet file: .* leave it out")
    (folder / "x.csv").write_text("")
    refuse(folder / "x.csv", ValueError, "x.csv' cannot be read as a CSV file: Empty CSV file")
    (folder / "x.csv").write_text("amount,n\n1,2\n3\n")
    refuse(folder / "x.csv", ValueError, "x.csv' cannot be read as a CSV file: .* Expected 2 col")
    assert [path.name for path in output.rglob("*")] == ["a.parquet"]  # of the list


def test_files_that_do_not_suit_the_estimator(folder, autoencoder, pca, tmp_path):
    output = tmp_path / "results"
    TABLE.drop(columns=["n"]).to_parquet(folder / "b.parquet")
    with pytest.raises(ValueError, match=r"b.parquet' lacks the columns \['n'\]. It has \['id'"):
        apply_to_files(autoencoder, folder, output)
    assert [path.name for path in output.iterdir()] == ["a.parquet"]
    with pytest.raises(ValueError, match=r"a.parquet' lacks the columns \['name'\]"):
        apply_to_files(autoencoder, folder, output, keep=["name"], overwrite=True)
    table = TABLE.astype({"amount": object})
    table.iloc[250:, 1] = "a lot"
    table.astype({"amount": str}).to_parquet(folder / "b.parquet")
    message = "In rows 0 to 99 of .*b.parquet': Column 'amount' held numbers when it was fitted"
    with pytest.raises(ValueError, match=message):
        apply_to_files(autoencoder, folder, output, chunk_rows=100)
    twice = pa.table([[1.0], [2.0], [3]], names=["amount", "amount", "n"])
    pq.write_table(twice, folder / "b.parquet")
    with pytest.raises(ValueError, match="b.parquet' has more than one column of the name"):
        apply_to_files(pca, folder, output, method="transform", overwrite=True)
    TABLE.rename(columns={"id": "pca0"}).to_parquet(folder / "a.parquet")
    with pytest.raises(ValueError, match=r"The results have columns \['pca0'\], and so have keep"):
        apply_to_files(pca, folder, output, method="transform", keep=["pca0"], overwrite=True)


@pytest.mark.parametrize("ending", ["parquet", "csv"])
@pytest.mark.parametrize("method", ["score_samples", "transform", "reconstruct"])
def test_files_without_rows(ending, method, autoencoder, tmp_path):
    path = tmp_path / f"rows.{ending}"
    empty = TABLE[:0]
    empty.to_parquet(path) if ending == "parquet" else empty.to_csv(path)
    result = applied(autoencoder, path, method, keep=["id"])
    names = {"score_samples": ["score"], "reconstruct": MIXED}
    names = names.get(method, list(autoencoder.get_feature_names_out()))
    assert list(result) == ["id", *names]
    assert len(result) == 0


class Other(BaseEstimator):
    """Returns whatever it was given."""

    def __init__(self, result):
        self.result, self.fitted_ = result, True

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return self.result


def test_bad_methods_and_arguments(folder, pca, tmp_path):
    output = tmp_path / "results"

    def refuse(error, message, estimator=pca, source=folder, output=output, **how):
        with pytest.raises(error, match=message):
            apply_to_files(estimator, source, output, **{"method": "transform"} | how)
        assert not list(tmp_path.rglob("*.parquet.*"))

    refuse(NotFittedError, "not fitted", PCA(1))
    series = SeriesOutlierDetector(window=5, random_state=0).fit(np.sin(np.arange(200) ** 1.1))
    message = "judges a step by those around it"
    refuse(ValueError, message, series, method="score_samples")
    refuse(
        ValueError, "method must be one of .* Did you mean 'score_samples'", method="score_sampl"
    )
    refuse(
        ValueError,
        r"PCA has no method 'predict'. It has \['transform', 'score_samp",
        method="predict",
    )
    refuse(ValueError, 'chunk_rows must be "auto" or an int of at least 1, got 0', chunk_rows=0)
    refuse(TypeError, "keep must be a list of names of columns, got 'id'", keep="id")
    refuse(TypeError, r"columns must be a list of names of columns, got \[1\]", columns=[1])
    for result in (1.0, np.ones(3), np.ones((100, 2, 2)), TABLE[:5]):
        message = r"In rows 0 to 99 of .*a.parquet': transform has to return one row or number for"
        refuse(ValueError, message, Other(result))
    refuse(TypeError, "output must be the name of a folder or file, got 5", output=5)
    refuse(ValueError, "is in the folder of the source", output=folder / "scores")
    refuse(ValueError, "is in the folder of the source", output=folder)
    refuse(ValueError, "is in the folder of the", source=folder / "*.parquet", output=folder / "x")
    refuse(ValueError, "would replace the input", source=folder / "a.parquet", output=folder)
    refuse(ValueError, "but the source may be many", output=tmp_path / "x.parquet")
    (tmp_path / "file").touch()
    refuse(ValueError, "file', a file. Name a folder", output=tmp_path / "file")


class Changing(BaseEstimator):
    """Returns numbers, and then text."""

    def fit(self, X):
        self.feature_names_in_ = np.asarray(X.columns)
        return self

    def transform(self, X):
        return np.full(len(X), 1.0 if X["n"].iloc[0] == 0 else "one", dtype=object)


def test_results_of_changing_types(tmp_path):
    path = tmp_path / "rows.parquet"
    table = pd.DataFrame({"n": [0, 0, 1, 1]})
    table.to_parquet(path)
    model = Changing().fit(table)
    with pytest.raises(ValueError, match="columns of other types than those of the first rows"):
        apply_to_files(model, path, tmp_path / "out", method="transform", chunk_rows=2)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.fixture
def full_disk():
    """Lets files have 100 kB at most."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_no_space_left(tmp_path, full_disk):
    rows = pd.DataFrame(np.random.default_rng(0).normal(size=(10_000, 3)), columns=list("abc"))
    model, output = StandardScaler().fit(rows), tmp_path / "results"
    with pytest.raises(OSError, match="results cannot be written .* Is the disk full.*part-00001"):
        apply_to_files(model, [rows[:100], rows[100:]], output, method="transform")
    assert [path.name for path in output.iterdir()] == ["part-00000.parquet"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_the_right_to_write(folder, pca, tmp_path):
    output = tmp_path / "results"
    output.mkdir(mode=0o500)
    with pytest.raises(PermissionError, match="There is no right to write to the folder"):
        apply_to_files(pca, folder, output, method="transform")


def test_pyarrow_is_needed(folder, pca, tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, "skae._data.sources")
    monkeypatch.setitem(sys.modules, "skae._data.file_parts", None)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r"the package pyarrow.* 'skae\[files\]'"):
        apply_to_files(pca, folder, tmp_path / "results", method="transform")


def test_progress(folder, pca, tmp_path, capfd):
    apply_to_files(pca, folder, tmp_path / "results", method="transform", verbose=1)
    assert "3/3 files" in capfd.readouterr().err


def test_collections_of_dask_and_torch(pca, tmp_path):
    X = np.random.default_rng(0).normal(size=(300, 4))
    model, tensors = PCA(2).fit(X), torch.from_numpy(X)
    sources = {
        "dask": (da.from_array(X, chunks=(100, 2)), 3),
        "dataset": (TensorDataset(tensors, torch.zeros(300)), 1),
        "loader": (DataLoader(tensors, batch_size=64), 5),
        "function": (lambda: iter([X[:10], X[10:]]), 2),
    }
    for name, (source, n_files) in sources.items():
        written = apply_to_files(model, source, tmp_path / name, method="transform")
        assert len(written) == n_files
        codes = pd.concat([pd.read_parquet(path) for path in written])
        np.testing.assert_allclose(codes, model.transform(X))


def test_a_frame_of_dask_keeps_its_index(pca, tmp_path):
    source = dd.from_pandas(TABLE, npartitions=2, sort=False)
    written = apply_to_files(pca, source, tmp_path, method="transform", keep=["id"])
    results = pd.concat(map(pd.read_parquet, written))
    assert len(written) == 2
    assert results["id"].tolist() == TABLE["id"].tolist()
    assert results.index.tolist() == TABLE.index.tolist()
    np.testing.assert_allclose(results[["pca0"]], pca.transform(TABLE[NUMBERS]))
