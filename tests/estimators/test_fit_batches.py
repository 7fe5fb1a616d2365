"""Training on sources that are larger than memory."""

import threading
from contextlib import contextmanager

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from scipy import sparse
from sklearn.base import clone
from torch.utils import data

import skae
from skae import (
    Autoencoder,
    Checkpoint,
    ConvAutoencoder,
    DenoisingAutoencoder,
    OutlierDetector,
    RecurrentAutoencoder,
    SparseAutoencoder,
    TabularAutoencoder,
    VariationalAutoencoder,
)
from skae._data.file_parts import ParquetPart
from skae._training.checkpoints import FileCheckpoints


def rows(n, seed=0):
    """Return rows that lie near a plane."""
    rng = np.random.default_rng(seed)
    codes = rng.normal(size=(n, 2))
    return (codes @ rng.normal(size=(2, 6)) + 0.1 * rng.normal(size=(n, 6))).astype(np.float32)


def table(n, seed=0):
    """Return a table with a category that depends on a number."""
    X = pd.DataFrame(rows(n, seed), columns=list("abcdef"))
    return X.assign(group=np.where(X["a"] > 0, "high", "low"))


@pytest.fixture
def folder(tmp_path):
    """Return a folder with the files of a table, sorted so that each has other values."""
    X = table(1_200).sort_values("a", ignore_index=True)
    for i in range(4):
        X[300 * i : 300 * (i + 1)].to_parquet(tmp_path / f"{i}.parquet", row_group_size=120)
    return tmp_path


def fitted(source, model=None, **params):
    model = Autoencoder(2, max_epochs=5, random_state=0) if model is None else model
    return model.fit_batches(source, **params)


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.net_.module_.parameters()])


# Estimators.


@pytest.mark.parametrize(
    "model",
    [
        Autoencoder(2),
        Autoencoder(0.7),
        DenoisingAutoencoder(2),
        SparseAutoencoder(3),
        VariationalAutoencoder(2),
    ],
)
def test_rows(model):
    model.set_params(max_epochs=15, random_state=0)
    X, X_test = rows(1_500), rows(1_500)[1_000:]
    batched = clone(model).fit_batches(np.array_split(X[:1_000], 7))
    assert batched.n_features_in_ == 6
    assert batched.n_iter_ == 15
    assert batched.score(X_test) > clone(model).fit(X[:1_000]).score(X_test) - 0.03


def test_images():
    X = np.random.default_rng(0).random((90, 1, 8)) * np.ones((1, 8, 1))
    model = ConvAutoencoder(3, max_epochs=30, random_state=0)
    assert fitted(np.array_split(X, 4), model).score(X) > 0.3
    assert model.reconstruct(X).shape == X.shape


def test_sequences_of_unequal_lengths():
    rng = np.random.default_rng(0)
    X = [np.full((length, 2), rng.normal()) for length in rng.integers(2, 7, size=80)]
    model = RecurrentAutoencoder(3, max_epochs=20, random_state=0)
    assert fitted([X[:20], X[20:21], X[21:]], model).score(X) > 0.3
    assert [len(x) for x in model.reconstruct(X)] == [len(x) for x in X]


def test_tables_know_all_categories_and_ranges():
    X = table(400).astype({"group": object})
    X.loc[399, "group"], X.loc[398, "a"] = "rare", 50.0
    model = TabularAutoencoder(3, max_epochs=3, random_state=0, check_baseline=False)
    fitted([X[:200], X[200:]], model)
    column = model._reader.format.columns.columns[6]
    assert set(column.values) == {"high", "low", "rare"}
    assert model.reconstruct(X).columns.tolist() == X.columns.tolist()
    assert model._reader.format.columns.columns[0].ends.max() == pytest.approx(50)


def test_a_category_outside_of_the_sample_is_known(monkeypatch):
    monkeypatch.setattr("skae._data.row_sample.MAX_SAMPLES", 50)
    X = table(400)
    X.loc[390, "group"] = "rare"
    model = TabularAutoencoder(3, max_epochs=2, random_state=0, check_baseline=False)
    fitted([X[i : i + 40] for i in range(0, 400, 40)], model)
    assert "rare" in model._reader.format.columns.columns[6].values


def test_conditions_are_columns():
    X = table(600)
    model = VariationalAutoencoder(2, architecture="tabular", max_epochs=3, random_state=0)
    fitted([X[:300], X[300:]], model, condition="group")
    drawn = model.sample(5, conditions={"group": "low"})
    assert drawn["group"].tolist() == ["low"] * 5


def test_pretraining_by_fit_batches_and_then_partial_fit():
    X = rows(300)
    model = fitted([X[:200], X[200:]])
    assert model.partial_fit(X).n_iter_ == 6


# What it learns from.


def test_the_result_does_not_depend_on_the_size_of_chunks_but_for_the_order():
    X = rows(600)
    first, second = (weights(fitted(np.array_split(X, n))) for n in (2, 9))
    torch.testing.assert_close(first, second)


def test_same_seed_same_weights(folder):
    model = TabularAutoencoder(2, max_epochs=3, random_state=0)
    first, second = (weights(clone(model).fit_batches(folder)) for _ in range(2))
    assert torch.equal(first, second)


def test_small_buffers_hold_each_sample_once(folder, monkeypatch):
    monkeypatch.setattr("skae._data.streamed.MAX_SAMPLES", 64)
    monkeypatch.setattr("skae._data.streamed.MAX_KEPT", 0)
    seen = []

    class Remembering(Autoencoder):
        def _read_validation(self, data):
            seen.append(np.sort(data[0]["a"].to_numpy()))
            return super()._read_validation(data)

    model = Remembering(2, max_epochs=2, random_state=0, batch_size=32, early_stopping=False)
    model.fit_batches(folder, columns=list("abcdef"))
    assert [len(part) for part in seen] == [64] * 18 + [48]
    expected = np.sort(table(1_200)["a"].to_numpy())
    np.testing.assert_array_equal(np.sort(np.concatenate(seen)), expected)


@pytest.mark.parametrize(("most", "n_read"), [(3_000, 6), (3_600, 2)])
def test_small_files_are_read_once(most, n_read, folder, monkeypatch):
    monkeypatch.setattr("skae._data.streamed.MAX_SAMPLES", 300)
    monkeypatch.setattr("skae._data.streamed.MAX_KEPT", most)
    read, batches = [], ParquetPart._batches

    def counted(self, *args):
        read.append(self.title)
        return batches(self, *args)

    monkeypatch.setattr(ParquetPart, "_batches", counted)
    Autoencoder(2, max_epochs=5, random_state=0).fit_batches(folder, columns=["a", "b", "c"])
    assert read.count(read[-1]) == n_read  # in the pass that draws, and for training


def test_buffers_mix_files(folder, monkeypatch):
    monkeypatch.setattr("skae._data.streamed.MAX_SAMPLES", 200)
    monkeypatch.setattr("skae._data.streamed.MAX_KEPT", 0)
    widths = []

    class Remembering(Autoencoder):
        def _read_validation(self, data):
            widths.append(np.ptp(data[0]["a"].to_numpy()))
            return super()._read_validation(data)

    model = Remembering(2, max_epochs=2, random_state=0, early_stopping=False)
    model.fit_batches(folder, columns=list("abcdef"))
    a = table(1_200)["a"].to_numpy()
    assert min(widths[:3]) > 0.6 * np.ptp(a)  # a file alone has a quarter of the rows


def test_what_is_held_out_is_not_trained_on(monkeypatch):
    X = rows(500)
    trained, held_out = [], []
    read = Autoencoder._read_validation

    class Remembering(Autoencoder):
        def _read_samples(self, data, sample_weight, resume):
            if resume:
                trained.append(data[0])
            return super()._read_samples(data, sample_weight, resume)

        def _read_validation(self, data):
            held_out.append(data[0])
            return read(self, data)

    Remembering(2, max_epochs=1, random_state=0).fit_batches(np.array_split(X, 3))
    assert len(held_out[0]) == 50
    together = np.concatenate([*trained, held_out[0]])
    np.testing.assert_array_equal(np.sort(together[:, 0]), np.sort(X[:, 0]))


def test_validation_data_and_passes():
    X = rows(400)
    model = fitted([X[:200], X[200:300]], n_passes=3, X_val=X[300:])
    assert model.n_iter_ == 3
    assert len(model.history_[:, "valid_loss"]) == 3


def test_default_number_of_passes_is_that_of_fit():
    X = rows(400)
    model = Autoencoder(2, random_state=0, early_stopping=False)
    n_batched = clone(model).fit_batches([X]).n_iter_
    assert n_batched == model.fit(X).n_iter_


# Sources.


class _Iterable(data.IterableDataset):
    def __init__(self, X):
        self.X = X

    def __iter__(self):
        return iter(self.X)


TABLES = {
    "file": lambda X, folder: folder / "0.parquet",
    "folder": lambda X, folder: folder,
    "pattern": lambda X, folder: f"{folder}/*.parquet",
    "list": lambda X, folder: [folder / "0.parquet", str(folder / "1.parquet")],
    "lazy": lambda X, folder: pl.scan_parquet(folder / "*.parquet"),
    "dask": lambda X, folder: dd.from_pandas(X, npartitions=3),
    "function": lambda X, folder: lambda: (X[i : i + 100] for i in range(0, 1_200, 100)),
    "chunks": lambda X, folder: [X[:500], X[500:]],
}

ARRAYS = {
    "dask": lambda X: da.from_array(X, chunks=(100, 2)),
    "dataset": lambda X: data.TensorDataset(torch.from_numpy(X), torch.zeros(len(X))),
    "loader": lambda X: data.DataLoader(X, batch_size=50),
    "iterable": _Iterable,
    "tensors": lambda X: torch.from_numpy(X).split(100),
}


@pytest.mark.parametrize("kind", TABLES)
def test_sources_of_tables(kind, folder):
    X, columns = table(1_200), ["b", "group", "a"]
    model = TabularAutoencoder(2, max_epochs=3, random_state=0, check_baseline=False)
    model.fit_batches(TABLES[kind](X, folder), columns=columns)
    assert model.feature_names_in_.tolist() == columns
    assert len(model.transform(X[columns])) == 1_200


@pytest.mark.parametrize("kind", ARRAYS)
def test_sources_of_arrays(kind):
    X = rows(600)
    model, other = (Autoencoder(2, max_epochs=5, random_state=0) for _ in range(2))
    model.fit_batches(ARRAYS[kind](X.copy()))
    other.fit_batches([X])
    assert model.score(X) == pytest.approx(other.score(X), abs=0.02)


def test_csv_with_missing_cells_in_one_file_only(tmp_path):
    X = table(600)
    X["count"] = np.arange(600) % 7
    X.loc[:50, "count"] = np.nan
    X.loc[300:, "group"] = None
    X[:300].to_csv(tmp_path / "a.csv", index=False)
    X[300:].astype({"count": int}).to_csv(tmp_path / "b.csv", index=False)
    model = TabularAutoencoder(3, max_epochs=2, random_state=0, check_baseline=False)
    model.fit_batches(tmp_path)
    assert model.impute(X).notna().all(axis=None)


def test_categories_that_differ_between_chunks():
    X = table(300)
    parts = [X[X["group"] == group].astype({"group": "category"}) for group in ("high", "low")]
    model = TabularAutoencoder(3, max_epochs=2, random_state=0, check_baseline=False)
    model.fit_batches(parts)
    assert set(model._reader.format.columns.columns[6].values) == {"high", "low"}


def test_columns_in_another_order():
    X = table(300)
    model = TabularAutoencoder(3, max_epochs=2, random_state=0, check_baseline=False)
    model.fit_batches([X[:100], X[100:][X.columns[::-1]]])
    assert model.feature_names_in_.tolist() == X.columns.tolist()


def test_sparse_chunks():
    X = np.maximum(rows(300), 0)
    first = weights(fitted([X[:100], X[100:]]))
    second = weights(fitted([sparse.csr_matrix(X[:100]), sparse.csr_matrix(X[100:])]))
    torch.testing.assert_close(first, second)


def test_empty_chunks_are_skipped():
    X = rows(300)
    first, second = (weights(fitted(parts)) for parts in ([X[:200], X[200:]], [X, X[:0]]))
    torch.testing.assert_close(first, second)


# Bad input.


def fails(source, message, error=ValueError, model=None, **params):
    with pytest.raises(error, match=message):
        fitted(source, model, **params)


def test_iterators_can_be_gone_through_once():
    X = rows(100)
    fails((X for _ in range(2)), "generator, which can be gone through only once.*Give a function")
    once = iter([X, X])
    fails(lambda: once, "can be gone through only once")


def test_no_source():
    X = rows(100)
    fails(X, "source must be files.*got ndarray. Call fit", TypeError)
    fails(table(10), "got DataFrame. Call fit", TypeError)
    fails(3, "got int", TypeError)
    fails(lambda: 3, "function that returned int", TypeError)
    fails(lambda: table(3), "function that returned DataFrame", TypeError)
    fails([], "source holds no samples")
    fails([X[:0], X[:0]], "source holds no samples")


def test_no_files(tmp_path):
    fails(tmp_path, "holds none of", FileNotFoundError)
    fails(tmp_path / "rows.parquet", "does not exist", FileNotFoundError)
    fails(f"{tmp_path}/*.csv", "No file matches", FileNotFoundError)


def test_files_with_other_columns(folder):
    table(20).drop(columns="b").to_parquet(folder / "9.parquet")
    fails(folder, r"9.parquet' lacks the columns \['b'\]")
    table(20).assign(z=1.0).to_parquet(folder / "9.parquet")
    fails(folder, r"9.parquet' has columns that .*0.parquet' has not: \['z'\]")
    fails(folder, r"0.parquet' lacks the columns \['y'\]", columns=["a", "y"])
    fails(folder, "columns must be a list", TypeError, columns="a")


def test_files_with_other_types(folder):
    table(20).assign(c="text").to_parquet(folder / "9.parquet")
    message = "Column 'c' holds text in .*9.parquet', but numbers in .*0.parquet'"
    fails(folder, message, model=TabularAutoencoder(2))


def test_names_that_are_there_twice(tmp_path):
    twice = pa.table([pa.array([1.0, 2.0])] * 2, names=["a", "a"])
    pq.write_table(twice, tmp_path / "twice.parquet")
    fails(tmp_path, r"twice.parquet' has more than one column of the name \['a'\]")
    fails([table(9)], "columns is empty", columns=[])
    fails([table(9)], r"columns names \['a'\] more than once", columns=["a", "a"])


def test_collections_that_are_refused(folder):
    frame = dd.from_pandas(table(20), npartitions=2)
    fails(frame["a"], "source is a Series of Dask", TypeError)
    fails(dask.delayed(rows)(9), "source is a Delayed of Dask", TypeError)
    fails([folder / "0.parquet", table(9)], "files and of something else", TypeError)

    class Endless(data.Dataset):
        def __getitem__(self, i):
            return torch.zeros(3)

    fails(Endless(), "Dataset, Endless, without a length", TypeError)


def test_arrays_of_unknown_lengths_and_of_bfloat16():
    X = rows(300)
    frame = dd.from_pandas(pd.DataFrame(X), npartitions=3)
    first, second = (weights(fitted(source)) for source in (frame.values, np.split(X, 3)))
    torch.testing.assert_close(first, second)
    rounded = torch.from_numpy(X).bfloat16()
    assert fitted(data.TensorDataset(rounded)).score(X) > 0.5


def test_chunks_of_other_kinds():
    X, numbers = table(20), rows(20)
    model = TabularAutoencoder(2)
    fails([X, numbers], "chunk 1 is an array .*but chunk 0 is a DataFrame", model=model)
    fails([X, X.assign(a="x")], "Column 'a' holds text in chunk 1", model=model)
    fails([numbers, numbers[:, :3]], r"chunk 1 is an array with samples of shape \(3,\)")
    fails([numbers], "no names for columns", columns=["a"])
    fails([X, pl.from_pandas(X)], "chunk 1 is a DataFrame of polars", model=model)
    fails([sparse.csr_matrix(numbers), numbers], "chunk 0 is a sparse matrix with 6 columns")
    fails({1, 2}, "chunk 0 is of the type int", TypeError)


def test_values_that_are_refused():
    X = rows(300)
    broken = X.copy()
    broken[270, 1] = np.nan
    fails([X[:100], broken[100:]], "contains NaN")


def test_a_value_that_only_a_pass_of_training_sees(monkeypatch):
    monkeypatch.setattr("skae._data.row_sample.MAX_SAMPLES", 20)
    X = rows(300)
    broken = X.copy()
    broken[270, 1] = np.inf
    fails([X[:100], broken[100:]], "In chunk 1: Input X contains infinity")


def test_an_error_keeps_the_earlier_fit_and_leaves_no_thread():
    X = rows(300)
    model = fitted([X])
    before, n_threads = weights(model), threading.active_count()

    def chunks():
        yield X
        raise RuntimeError("the network is down")

    with pytest.raises(RuntimeError, match="the network is down"):
        model.fit_batches(chunks)
    assert torch.equal(weights(model), before)
    assert threading.active_count() == n_threads


def test_an_interrupt_keeps_what_was_trained(monkeypatch):
    X = rows(3_000)
    n_threads = threading.active_count()

    class Stop(skae_callback()):
        def on_epoch_end(self, net, **kwargs):
            if len(net.history) == 2:
                raise KeyboardInterrupt

    model = Autoencoder(2, random_state=0, max_epochs=5, callbacks=[Stop()])
    with pytest.warns(skae.exceptions.InterruptedWarning):
        model.fit_batches([X])
    assert model.n_iter_ == 2
    assert threading.active_count() == n_threads


def skae_callback():
    from skorch.callbacks import Callback

    return Callback


def test_parameters_that_need_all_samples():
    X = rows(100)
    fails([X], "neighbor_weight=1", model=Autoencoder(2, neighbor_weight=1))
    model = Autoencoder(2, target="classification")
    fails([X], "reads no labels, but target='classification'", model=model)
    fails([X], "n_passes == 0, must be >= 1", n_passes=0)
    fails([X], "n_passes must be an instance of int", TypeError, n_passes=2.5)


def test_progress_counts_samples(capfd):
    X = rows(1_000)
    model = Autoencoder(2, max_epochs=3, random_state=0, verbose=1, early_stopping=False)
    model.fit_batches([X[:500], X[500:]])
    out, err = capfd.readouterr()
    assert "1,000 samples, 1,000 of them are drawn" in out + err
    assert "3.00k/3.00k" in err


# Checkpoints.


class _Crash(BaseException):
    """In place of a kill."""


@pytest.fixture
def crash_after(monkeypatch):
    """Return a context in which fits end abruptly after an epoch."""
    end_epoch = FileCheckpoints.end_epoch

    @contextmanager
    def crashing(epoch):
        def crash(self, run):
            end_epoch(self, run)
            if run.epochs_done == epoch:
                raise _Crash

        with monkeypatch.context() as patch:
            patch.setattr(FileCheckpoints, "end_epoch", crash)
            with pytest.raises(_Crash):
                yield

    return crashing


@pytest.mark.parametrize(("epoch", "most"), [(2, 0), (2, 2**16), (5, 0)])
def test_a_fit_that_was_stopped_goes_on(epoch, most, folder, crash_after, monkeypatch):
    monkeypatch.setattr("skae._data.streamed.MAX_SAMPLES", 300)
    monkeypatch.setattr("skae._data.streamed.MAX_KEPT", most)
    X = pd.concat(map(pd.read_parquet, sorted(folder.glob("*.parquet"))))
    checkpoint = Checkpoint(folder / "fit.ckpt", every_epochs=1)
    model = TabularAutoencoder(2, max_epochs=5, random_state=0, check_baseline=False)
    whole = clone(model).fit_batches(folder)
    model.set_params(checkpoint=checkpoint)
    with crash_after(epoch):
        clone(model).fit_batches(folder)
    resumed = clone(model).fit_batches(folder)
    assert not checkpoint.path.exists()
    assert torch.equal(weights(resumed), weights(whole))
    assert resumed.loss_curve_ == whole.loss_curve_
    pd.testing.assert_frame_equal(resumed.reconstruct(X), whole.reconstruct(X))
    first, second = (m._reader.format.columns.columns[0].ends for m in (resumed, whole))
    np.testing.assert_array_equal(first, second)


def test_without_a_seed_it_goes_on_with_the_same_sample(folder, crash_after):
    checkpoint = Checkpoint(folder / "fit.ckpt", every_epochs=1)
    model = TabularAutoencoder(2, max_epochs=3, check_baseline=False, checkpoint=checkpoint)
    with crash_after(2):
        model.fit_batches(folder)
    assert model.fit_batches(folder).n_iter_ == 3


def test_a_fit_of_another_stream_does_not_go_on(folder, crash_after):
    X = rows(400)
    model = Autoencoder(2, max_epochs=3, random_state=0, check_baseline=False)
    model.set_params(checkpoint=Checkpoint(folder / "fit.ckpt", every_epochs=1))
    with crash_after(2):
        model.fit_batches([X[:300], X[300:]])
    with pytest.raises(ValueError, match="n_passes was None and is 4"):
        model.fit_batches([X[:300], X[300:]], n_passes=4)
    with pytest.raises(ValueError, match="the number of samples was 360 and is 270"):
        model.fit_batches([X[:300]])
    assert model.fit_batches([X[:300], X[300:]]).n_iter_ == 3


# The detector.


def test_the_default_detector(folder):
    X = table(1_200)
    detector = OutlierDetector(random_state=0).fit_batches(folder)
    odd = X[:1].assign(a=9.0)
    assert detector.predict(odd) == [-1]
    assert np.mean(detector.predict(X) == -1) < 0.1
    np.testing.assert_array_equal(detector.feature_names_in_, X.columns)


def test_a_detector_with_an_autoencoder():
    X = rows(800)
    detector = OutlierDetector(Autoencoder(2, max_epochs=5), contamination=0.1, random_state=0)
    detector.fit_batches([X[:500], X[500:]], n_passes=4)
    assert detector.estimator_.n_iter_ == 4
    assert np.mean(detector.predict(X) == -1) == pytest.approx(0.1, abs=0.01)
    with pytest.raises(ValueError, match="no labels and no folds, but cv=5"):
        OutlierDetector(cv=5).fit_batches([X])
