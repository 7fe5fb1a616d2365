"""Sequences as users have them: lists, padded arrays, tables; and what is wrong with some."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from sklearn.feature_selection import SelectFromModel
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from torch.nn.utils.rnn import pack_sequence

from skae import Autoencoder, RecurrentAutoencoder, SparseAutoencoder, VariationalAutoencoder
from skae._data.batches import Batches, chunks
from skae._data.read_sequences import SequenceReader
from skae.architectures import Recurrent
from skae.sequences import from_long_frame, sliding_windows, windowed_errors

FAST = {
    "hidden_layer_sizes": 8,
    "max_epochs": 2,
    "early_stopping": False,
    "check_baseline": False,
    "random_state": 0,
}


QUICK = {name: value for name, value in FAST.items() if name != "hidden_layer_sizes"}


def make_sequences(n_samples=24, n_features=2, seed=0, dtype="float64"):
    rng = np.random.default_rng(seed)
    return [
        np.cumsum(rng.normal(size=(n, n_features)), 0).astype(dtype)
        for n in rng.integers(3, 12, n_samples)
    ]


def padded(sequences, n_steps=None):
    n_steps = n_steps or max(map(len, sequences))
    X = np.full((len(sequences), n_steps, sequences[0].shape[1]), np.nan)
    for row, sequence in zip(X, sequences, strict=True):
        row[: len(sequence)] = sequence
    return X


def read(X, **layout):
    return SequenceReader(**layout).learn(X)[1]


@pytest.fixture(scope="module")
def X():
    return make_sequences()


@pytest.fixture(scope="module")
def model(X):
    return RecurrentAutoencoder(3, **FAST).fit(X)


# What comes out is as what went in.


def test_lists_come_back_as_lists_with_their_lengths(X, model):
    for result in (model.reconstruct(X), model.reconstruction_errors(X)):
        assert isinstance(result, list)
        assert [r.shape for r in result] == [x.shape for x in X]
        assert all(np.isfinite(r).all() for r in result)
    assert model.transform(X).shape == (len(X), 3)
    assert model.score_samples(X).shape == (len(X),)


def test_padded_arrays_come_back_padded(X, model):
    array = padded(X)
    restored = model.reconstruct(array)
    assert restored.shape == array.shape
    np.testing.assert_array_equal(np.isnan(restored), np.isnan(array))
    np.testing.assert_allclose(restored, padded(model.reconstruct(X)), atol=1e-9)


def test_channels_first_is_said_not_guessed(X, model):
    turned = RecurrentAutoencoder(3, **FAST, channels_first=True).fit([x.T for x in X])
    np.testing.assert_allclose(turned.transform([x.T for x in X]), model.transform(X), atol=1e-6)
    restored = turned.reconstruct([x.T for x in X])
    assert [r.shape for r in restored] == [x.T.shape for x in X]
    array = np.moveaxis(padded(X), 1, 2)
    assert turned.reconstruct(array).shape == array.shape
    np.testing.assert_allclose(turned.transform(array), model.transform(X), atol=1e-6)


@pytest.mark.parametrize("as_given", [list, tuple, lambda X: np.array(X + [None], object)[:-1]])
def test_univariate_sequences_have_one_axis(X, as_given):
    series = [x[:, 0] for x in X]
    model = RecurrentAutoencoder(3, **FAST).fit(as_given(series))
    assert model.n_features_in_ == 1
    assert [r.shape for r in model.reconstruct(as_given(series))] == [s.shape for s in series]
    np.testing.assert_array_equal(
        model.transform(as_given(series)), model.transform([s[:, None] for s in series])
    )


def test_tables_are_series_of_one_feature(X):
    table = padded([x[:, :1] for x in X])[:, :, 0]
    frame = pd.DataFrame(table, columns=[f"h{i}" for i in range(table.shape[1])])
    model = RecurrentAutoencoder(3, **FAST).fit(frame)
    assert list(model.feature_names_in_) == list(frame.columns)
    restored = model.reconstruct(frame)
    assert list(restored.columns) == list(frame.columns)
    np.testing.assert_array_equal(restored.isna(), frame.isna())
    polars = (
        RecurrentAutoencoder(3, **FAST)
        .fit(pl.from_pandas(frame))
        .reconstruct(pl.from_pandas(frame))
    )
    assert isinstance(polars, pl.DataFrame)
    np.testing.assert_allclose(polars.to_numpy(), restored, atol=1e-9)
    # The same as an array with three axes, or a list, of one feature.
    values = frame.to_numpy()
    by_table = RecurrentAutoencoder(3, **FAST).fit(values)
    np.testing.assert_array_equal(by_table.transform(values), by_table.transform(values[..., None]))
    np.testing.assert_array_equal(by_table.transform(values), by_table.transform(list(values)))


@pytest.mark.parametrize("as_sample", [torch.tensor, pd.DataFrame, pl.DataFrame, np.asarray])
def test_sequences_of_a_list_are_whatever_holds_numbers(X, model, as_sample):
    samples = [as_sample(x) for x in X]
    codes = model.transform(X)
    if as_sample is pl.DataFrame:
        model = RecurrentAutoencoder(3, **FAST).fit(samples)  # whose columns have names
    np.testing.assert_array_equal(model.transform(samples), codes)
    restored = model.reconstruct(samples)
    if hasattr(samples[0], "columns"):
        assert type(restored[0]) is type(samples[0])
    assert [tuple(r.shape) for r in restored] == [x.shape for x in X]


def test_nested_lists_of_unequal_lengths(X):
    series = [x[:, 0].tolist() for x in X]
    model = RecurrentAutoencoder(3, **FAST).fit(series)
    assert [len(r) for r in model.reconstruct(series)] == [len(s) for s in series]


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int8", "int64", "bool"])
def test_any_numeric_dtype(dtype):
    X = make_sequences(dtype=dtype)
    model = RecurrentAutoencoder(3, **FAST).fit(X)
    precision = "float32" if dtype == "float32" else "float64"
    assert model.transform(X).dtype == precision
    assert model.reconstruct(X)[0].dtype == precision


def test_data_stays_as_it_is(X):
    before = [x.copy() for x in X]
    array = padded(X)
    array.setflags(write=False)
    RecurrentAutoencoder(3, **FAST).fit(X).transform(array)
    for x, copy in zip(X, before, strict=True):
        np.testing.assert_array_equal(x, copy)


# What is left of NaN.


def test_missing_values_are_filled_and_do_not_count(X, model):
    holed = [x.copy() for x in X]
    holed[0][1, 0] = np.nan
    holed[1][0] = np.nan  # a whole step
    restored, errors = model.reconstruct(holed), model.reconstruction_errors(holed)
    assert np.isfinite(restored[0]).all()
    assert np.isfinite(restored[1]).all()
    assert np.isnan(errors[0][1, 0])
    assert np.isfinite(model.transform(holed)).all()
    assert model.score_samples(holed)[0] == pytest.approx(-np.nanmean(errors[0]))
    assert np.isfinite(RecurrentAutoencoder(3, **FAST).fit(holed).score(holed))


def test_a_missing_value_is_not_the_same_as_the_mean(X):
    holed = [x.copy() for x in X]
    for x in holed[::2]:
        x[1, 0] = np.nan
    model = RecurrentAutoencoder(3, **FAST | {"max_epochs": 20}, shortcut=False).fit(holed)
    steps = np.concatenate(holed)
    filled = [np.where(np.isnan(x), np.nanmean(steps, 0), x) for x in holed[:1]]
    assert np.abs(model.transform(holed[:1]) - model.transform(filled)).max() > 1e-4


def test_steps_of_nan_at_the_end_of_a_list_are_padding(X, model):
    longer = [np.vstack([x, np.full((3, 2), np.nan)]) for x in X]
    np.testing.assert_array_equal(model.transform(longer), model.transform(X))
    restored = model.reconstruct(longer)
    assert [len(r) for r in restored] == [len(x) for x in longer]
    assert np.isnan(restored[0][-3:]).all()


def test_constant_features_do_not_blow_up(rng):
    X = [np.c_[x, np.full(len(x), 0.1), np.full(len(x), 1234.567)] for x in make_sequences()]
    model = RecurrentAutoencoder(2, **FAST, output_activation="tanh").fit(X)
    single = [x.astype("float32") for x in X]
    np.testing.assert_allclose(model.transform(single), model.transform(X), atol=1e-3)
    for x in X:
        x[:, 2] += 0.5
    assert np.abs(model.transform(X)).max() < 100


def test_moments_of_features_far_from_zero(rng):
    X = [1e8 + rng.normal(size=(n, 2)) for n in rng.integers(5, 30, 200)]
    rows = read(X)
    mean, deviation, _ = rows.moments()
    steps = np.concatenate(X)
    np.testing.assert_allclose(mean, steps.mean(0))
    assert deviation.tolist() == [0, 0]  # float32 cannot tell them apart
    X = [x - 1e8 + 1e4 for x in X]
    np.testing.assert_allclose(read(X).moments()[1], np.concatenate(X).std(0))


def test_values_never_seen_at_a_step_count_from_the_mean_of_the_feature():
    X = [x + [0, 1e6] for x in make_sequences()]
    known = [x.copy() for x in X]
    for x in X:
        x[2, 1] = np.nan
    model = RecurrentAutoencoder(3, **FAST, output_activation="tanh").fit(X)
    assert np.abs(model.transform(known)).max() < 100


def test_masked_values_are_missing(X, model):
    masked = [np.ma.array(x, mask=np.zeros(x.shape)) for x in X]
    masked[0][1, 0] = np.ma.masked
    missing = [x.copy() for x in X]
    missing[0][1, 0] = np.nan
    np.testing.assert_array_equal(model.transform(masked), model.transform(missing))
    cube = np.ma.masked_invalid(padded(missing))
    np.testing.assert_allclose(model.transform(cube), model.transform(missing), atol=1e-12)


def test_nullable_frames_in_lists(X, model):
    frames = [pd.DataFrame(x).convert_dtypes() for x in X]
    frames[0].iloc[1, 0] = pd.NA
    missing = [x.copy() for x in X]
    missing[0][1, 0] = np.nan
    np.testing.assert_array_equal(model.transform(frames), model.transform(missing))


def test_names_of_frames_in_lists(X):
    frames = [pd.DataFrame(x, columns=["heat", "load"]) for x in X]
    model = RecurrentAutoencoder(3, **FAST).fit(frames)
    assert list(model.feature_names_in_) == ["heat", "load"]
    with pytest.raises(ValueError, match="feature names"):
        model.transform([frame[["load", "heat"]] for frame in frames])
    with pytest.raises(ValueError, match=r"X\[1\] has the columns \['load', 'heat'\]"):
        model.fit([frames[0], frames[1][["load", "heat"]]])


def test_nested_lists_stay_lists_after_a_fit_on_lists():
    model = RecurrentAutoencoder(2, **FAST).fit([[1, 2, 3], [4, 5], [2, 3, 3, 1]])
    assert [len(x) for x in model.reconstruct([[1, 2, 3], [4, 5, 6]])] == [3, 3]
    assert isinstance(model.reconstruct([[1, 2, 3]]), list)


def test_tensors_of_any_precision(X, model):
    tensors = [torch.tensor(x, dtype=torch.bfloat16, requires_grad=True) for x in X]
    assert np.isfinite(model.transform(tensors)).all()


# Decoding.


def test_codes_decode_to_lengths_asked_for(X, model):
    codes = model.transform(X)
    lengths = np.array([len(x) for x in X])
    for decoded, restored in zip(
        model.inverse_transform(codes, lengths=lengths), model.reconstruct(X), strict=True
    ):
        np.testing.assert_allclose(decoded, restored, atol=1e-9)
    assert [len(x) for x in model.inverse_transform(codes, lengths=30)] == [30] * len(X)


def test_lengths_are_learned_where_the_code_tells_them(rng):
    X = [np.linspace(0, 1, n) * 10 for n in rng.integers(5, 30, 200)]
    model = RecurrentAutoencoder(2, **FAST | {"max_epochs": 20}).fit(X)
    expected = [len(x) for x in model.inverse_transform(model.transform(X))]
    error = np.abs(np.array(expected) - [len(x) for x in X]).mean()
    assert error < 0.5 * np.abs(np.mean(expected) - [len(x) for x in X]).mean()


def test_arrays_decode_to_padded_arrays(X):
    array = padded(X)
    model = RecurrentAutoencoder(3, **FAST).fit(array)
    decoded = model.inverse_transform(model.transform(array), lengths=np.r_[4, [2] * 23])
    assert decoded.shape == (24, 4, 2)
    assert np.isnan(decoded[1:, 2:]).all()
    assert np.isfinite(decoded[0]).all()


@pytest.mark.parametrize("lengths", [0, 2.5, [3, 3], "long", -1, 2**63, [[3], [3, 4]]])
def test_wrong_lengths(X, model, lengths):
    with pytest.raises(ValueError, match="lengths must be an integer of at least 1, or 24 of them"):
        model.inverse_transform(model.transform(X), lengths=lengths)


def test_lengths_are_for_sequences(fast):
    table = np.random.default_rng(0).normal(size=(30, 4))
    model = Autoencoder(**fast).fit(table)
    with pytest.raises(ValueError, match="lengths are for sequences"):
        model.inverse_transform(model.transform(table), lengths=4)


def test_sparse_codes_decode():
    X = make_sequences()
    model = SparseAutoencoder(8, k=2, sparse_output=True, architecture=Recurrent(5), **QUICK)
    decoded = model.fit(X).inverse_transform(model.transform(X))
    assert len(decoded) == len(X)


def test_active_units_do_not_depend_on_the_container(X):
    series = np.array([x[:3, 0] for x in X])
    make = SparseAutoencoder(architecture=Recurrent(5), **QUICK)
    active = [make.fit(given).mean_active_ for given in (series, series[..., None], list(series))]
    assert active[0] == active[1] == active[2]


@pytest.mark.parametrize("objective", [Autoencoder, VariationalAutoencoder])
def test_the_longest_of_many_sequences_may_be_a_single_one(objective):
    """PCA is of a part of many sequences, which the longest need not be in."""
    X = [np.sin(np.arange(n))[:, None] for n in np.tile([3, 4, 5], 4000)]
    X[1] = np.sin(np.arange(9))[:, None]
    model = objective(2, architecture=Recurrent(4), **QUICK | {"max_epochs": 1}).fit(X)
    assert model.reconstruct(X[1:2])[0].shape == (9, 1)


@pytest.mark.parametrize("early_stopping", [False, True])
def test_columns_of_tables_can_be_selected_where_no_row_is_as_long(X, early_stopping):
    table = padded([x[:, :1] for x in X], 15)[:, :, 0]
    options = QUICK | {"early_stopping": early_stopping}
    selector = SelectFromModel(SparseAutoencoder(architecture=Recurrent(5), **options))
    assert 0 < selector.fit(table).get_support().sum() < 15
    assert selector.estimator_.feature_importances_.shape == (15,)


# Among the tools of scikit-learn.


def test_pipeline_grid_search_and_cross_validation(X):
    y = np.arange(len(X)) % 2
    model = make_pipeline(RecurrentAutoencoder(3, **FAST), LogisticRegression())
    assert cross_val_score(model, X, y, cv=2).shape == (2,)
    assert model.fit(X, y).predict(X).shape == (len(X),)
    search = GridSearchCV(RecurrentAutoencoder(3, **FAST), {"cell": ["lstm", "gru"]}, cv=2).fit(X)
    assert search.best_estimator_.transform(X).shape == (len(X), 3)
    frame = RecurrentAutoencoder(3, **FAST).set_output(transform="pandas").fit(X).transform(X)
    assert list(frame.columns) == [f"recurrentautoencoder{i}" for i in range(3)]


def test_weights_of_zero_leave_sequences_out(X):
    weight = np.r_[np.ones(16), np.zeros(8)]
    some = RecurrentAutoencoder(3, **FAST).fit(X[:16])
    weighted = RecurrentAutoencoder(3, **FAST).fit(X, sample_weight=weight)
    np.testing.assert_allclose(weighted.transform(X), some.transform(X), atol=1e-6)


def test_score_is_the_r2_of_steps_and_features(X, model):
    array = padded(X)
    residual = np.nansum((array - model.reconstruct(array)) ** 2)
    total = np.nansum((array - np.nanmean(array, 0)) ** 2)
    assert model.score(X) == pytest.approx(1 - residual / total)


# Batches.


def test_every_sequence_is_in_one_batch_among_others_of_its_length(global_random_seed, rng):
    X = [np.full((n, 1), i, float) for i, n in enumerate(rng.integers(1, 200, 1000))]
    batches = Batches(
        read(X), 32, torch.device("cpu"), torch.Generator().manual_seed(global_random_seed)
    )
    seen, n_padded = [], 0
    for x, (target, *_) in batches:
        assert len(x) in (32, 1000 % 32)
        assert target is x
        seen += x[:, 0, 0].tolist()
        n_padded += int(x.isnan().sum())
    assert sorted(seen) == list(range(1000))
    assert seen != sorted(seen)
    assert n_padded < 0.05 * sum(map(len, X))
    again = [x[:, 0, 0].tolist() for x, _ in batches]
    assert sum(again, []) != seen  # another order in every epoch


def test_the_smaller_batch_is_of_any_lengths(rng):
    X = [np.ones((n, 1)) for n in rng.integers(1, 50, 70)]
    rows = read(X)
    longest = set()
    for seed in range(20):
        *_, last = Batches(rows, 32, torch.device("cpu"), torch.Generator().manual_seed(seed))
        longest.add(last[0].shape[1])
    assert min(longest) < 45


def test_chunks_of_long_sequences_are_small():
    X = [np.ones((n, 1)) for n in (100_000, 50_000, *[10] * 3000)]
    sizes = [x.shape for _, x, _, _ in chunks(read(X), torch.float32, "cpu")]
    assert sizes[0] == (1, 100_000, 1)
    assert max(n * steps for n, steps, _ in sizes) == 100_000
    assert len(sizes) < 10


# Long tables and long series.


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame])
def test_long_frames_become_lists(make):
    frame = make(
        {
            "unit": ["b", "a", "b", "a", "b"],
            "time": [3, 2, 1, 1, 2],
            "heat": [3.0, 20.0, 1.0, 10.0, None],
            "load": [1, 2, 3, 4, 5],
        }
    )
    sequences, ids = from_long_frame(frame, "unit", "time")
    assert ids.tolist() == ["b", "a"]
    np.testing.assert_array_equal(sequences[0], [[1, 3], [np.nan, 5], [3, 1]])
    np.testing.assert_array_equal(sequences[1], [[10, 4], [20, 2]])
    unsorted, _ = from_long_frame(frame, "unit")
    np.testing.assert_array_equal(unsorted[1][:, -1], [2, 4])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"unit": None}, "no column 'unit'"),
        ({"unit": ["a", None, "b"]}, "'unit' has no value in row 1"),
        ({"time": [1, 1, 1]}, "sequence 'a' has the time 1 twice"),
        ({"heat": ["x", "y", "z"]}, "heat"),
        ({"heat": [1.0, np.inf, 2.0]}, "infinity"),
        ({"time": ["9", "10", "11"]}, "'time' holds .*, whose order is not that of time"),
    ],
)
def test_wrong_long_frames(change, message):
    columns = {"unit": ["a", "a", "b"], "time": [1, 2, 1], "heat": [1.0, 2.0, 3.0]} | change
    frame = pd.DataFrame({name: values for name, values in columns.items() if values is not None})
    with pytest.raises(ValueError, match=message):
        from_long_frame(frame, "unit", "time")


def test_windows_are_a_view():
    series = np.arange(20.0).reshape(10, 2)
    windows = sliding_windows(series, 4, stride=3)
    assert windows.shape == (3, 4, 2)
    assert np.shares_memory(windows, series)
    np.testing.assert_array_equal(windows[2], series[6:10])
    with pytest.raises(ValueError, match="10 steps, too few for a window of 11"):
        sliding_windows(series, 11)


class Echo:
    """An estimator whose error is the value itself."""

    def reconstruction_errors(self, windows):
        return windows


@pytest.mark.parametrize("n_features", [None, 2])
@pytest.mark.parametrize("stride", [None, 1, 3, 4])
def test_errors_of_windows_are_averaged_over_overlaps(rng, n_features, stride, monkeypatch):
    monkeypatch.setattr("skae.sequences.MAX_WINDOW_VALUES", 16)
    series = rng.normal(size=(23,) if n_features is None else (23, n_features))
    series[5:7] = np.nan
    errors = windowed_errors(Echo(), series, length=4, stride=stride)
    np.testing.assert_allclose(errors, series)


@pytest.mark.parametrize("name", ["load", 5, None])
def test_errors_of_a_pandas_series_keep_its_index(rng, name):
    series = pd.Series(rng.normal(size=23), pd.date_range("2026", periods=23, freq="h"), name=name)
    errors = windowed_errors(Echo(), series, length=4)
    pd.testing.assert_series_equal(errors, series)


def test_errors_of_data_frames_are_such(rng):
    """Echo gives the values back, and the frames are float64: all is as it was."""
    values = rng.normal(size=(23, 2))
    frame = pd.DataFrame(values, pd.date_range("2026", periods=23, name="day"), ["load", "heat"])
    pd.testing.assert_frame_equal(windowed_errors(Echo(), frame, length=4), frame)
    frame = pl.DataFrame(frame)
    assert windowed_errors(Echo(), frame, length=4).schema == frame.schema
    np.testing.assert_allclose(windowed_errors(Echo(), frame, length=4), values)
    errors = windowed_errors(Echo(), frame["heat"], length=4)
    assert isinstance(errors, pl.Series)
    assert errors.name == "heat"
    np.testing.assert_allclose(errors, values[:, 1])


def test_errors_of_frames_with_missing_values_and_doubled_names():
    series = pd.Series([1, 2, None, 4, 5, 6], dtype="Int64", index=list("abcdef"))
    errors = windowed_errors(Echo(), series, length=2)
    assert errors.index[errors.isna()].tolist() == ["c"]
    assert isinstance(windowed_errors(Echo(), series.tolist()[3:], length=2), np.ndarray)
    with pytest.raises(ValueError, match="^series has more than one column of the name"):
        windowed_errors(Echo(), pd.DataFrame(np.ones((5, 2)), columns=["a", "a"]), length=2)


def test_windows_of_estimators_with_channels_first(X):
    series = np.random.default_rng(0).normal(size=(100, 2))
    windows = sliding_windows(series, 10, 5, channels_first=True)
    assert windows.shape == (19, 2, 10)
    turned = RecurrentAutoencoder(3, **FAST, channels_first=True).fit(windows)
    model = RecurrentAutoencoder(3, **FAST).fit(np.moveaxis(windows, 1, 2))
    np.testing.assert_allclose(
        windowed_errors(turned, series, 10, channels_first=True),
        windowed_errors(model, series, 10),
        atol=1e-6,
    )


@pytest.mark.parametrize(
    ("series", "length", "message"),
    [
        (np.ones(20), "40", "length must be an instance of int"),
        (np.ones(20), None, "length must be an instance of int"),
        (np.array(["a", "b"]), 1, "series is of dtype"),
        (np.ones((20, 0)), 4, "series must be of shape"),
    ],
)
def test_wrong_series(series, length, message):
    with pytest.raises((ValueError, TypeError), match=message):
        windowed_errors(Echo(), series, length)


def test_lazy_and_doubled_long_frames():
    frame = pd.DataFrame([[1, 2, 3]], columns=["unit", "heat", "heat"])
    with pytest.raises(ValueError, match="same name"):
        from_long_frame(frame, "unit")
    with pytest.raises(TypeError, match="in memory; got LazyFrame"):
        from_long_frame(pl.LazyFrame({"unit": [1], "heat": [2]}), "unit")


def test_faults_of_a_long_series_are_found(rng):
    series = np.sin(np.arange(2000) / 5)
    model = RecurrentAutoencoder(4, **FAST).fit(sliding_windows(series, 40, 20))
    series[777] += 2
    errors = windowed_errors(model, series, 40)
    assert errors.argmax() == 777
    assert errors.shape == series.shape


# What cannot be read.


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ([], "X is an empty list"),
        ([np.ones((3, 2)), np.ones((0, 2))], r"X\[1\] has no steps"),
        ([np.ones((3, 2)), np.ones((4, 3))], r"X\[1\] has 3 features, but X\[0\] has 2"),
        ([np.ones((2, 5)), np.ones((2, 7))], "channels_first=True"),
        ([np.ones((3, 2)), np.ones(4)], r"X\[1\] has 1 axes, but X\[0\] has 2"),
        ([np.ones((3, 2)), np.full((4, 2), np.nan)], r"X\[1\] holds nothing but NaN"),
        (
            [np.ones((3, 2)), np.full((4, 2), np.inf)],
            r"X\[1\] holds an infinite value in .* 0 of step 0",
        ),
        ([np.ones((3, 2)), np.ones((2, 3, 2))], r"X\[1\] is of shape \(2, 3, 2\)"),
        ([np.ones((3, 2)), np.array(["a", "b"])], r"X\[1\] is of dtype <U1"),
        ([np.ones((3, 2)), None], r"X\[1\] is"),
        ([np.ones((3, 2)), [[1, 2], [3]]], r"X\[1\] is not an array of numbers"),
        (np.array([{"a": 1}, {"b": 2}], object), "dict|number"),
        (np.ones((0, 3, 2)), "0 samples"),
        (np.ones((3, 0, 2)), "0 samples, steps or features"),
        (np.ones((2, 3, 4, 5)), "X has 4 axes"),
        (np.ones(5), r"1D array(.|\n)*For one sequence give a list, \[X\]"),
        (["abc", "def"], "X is a list of str"),
        (np.array([[np.inf] * 2] * 3, object)[None], r"X\[0\] holds an infinite value"),
        (np.full((2, 1), None, object), "nothing but NaN|NoneType"),
        (iter([np.ones(3)]), r"list\(X\)"),
        ({"a": np.ones(3)}, r"list\(X.values\(\)\)"),
        (pack_sequence([torch.ones(3), torch.ones(2)]), "unpack_sequence"),
        (torch.nested.nested_tensor([torch.ones(3), torch.ones(2)], layout=torch.jagged), "nested"),
        ([torch.ones(3).to_sparse(), torch.ones(2)], r"X\[0\] is a nested or sparse tensor"),
    ],
)
def test_wrong_sequences(wrong, message):
    with pytest.raises((ValueError, TypeError), match=message):
        RecurrentAutoencoder(3, **FAST).fit(wrong)


def test_estimators_of_rows_say_what_takes_sequences(X):
    with pytest.raises(ValueError, match="Rows need to be of one length.*RecurrentAutoencoder"):
        Autoencoder().fit([[1.0, 2.0], [3.0]])


def test_padding_along_the_wrong_axis_is_noticed(X):
    with pytest.raises(ValueError, match=r"\(n_samples, time, n_features\).*channels_first=True"):
        RecurrentAutoencoder(3, **FAST).fit(np.moveaxis(padded(X), 1, 2))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ([np.ones((5, 3))], "has 3 features, but the fit was on sequences of 2"),
        ([np.ones((2, 5))], "channels_first=True"),
        (np.ones((4, 5, 3)), "3 features in each step, but the fit was on 2"),
        (np.ones((4, 2, 5)), "channels_first=True"),
        (np.ones((4, 5)), "1 features in each step, but the fit was on 2"),
    ],
)
@pytest.mark.parametrize("method", ["transform", "reconstruct", "score_samples", "score"])
def test_other_features_than_those_of_the_fit(model, method, wrong, message):
    with pytest.raises(ValueError, match=message):
        getattr(model, method)(wrong)


def test_tables_of_another_width():
    model = RecurrentAutoencoder(3, **FAST).fit(np.random.default_rng(0).normal(size=(20, 6)))
    with pytest.raises(ValueError, match="columns of a table are its steps.*np.newaxis"):
        model.transform(np.ones((2, 7)))
    assert model.transform(np.ones((2, 7, 1))).shape == (2, 3)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"hidden_layer_sizes": ()}, "hidden_layer_sizes"),
        ({"hidden_layer_sizes": (8, 0)}, "hidden_layer_sizes"),
        ({"cell": "lstmm"}, "Did you mean 'lstm'"),
        ({"pooling": "max"}, "pooling"),
        ({"teacher_forcing": 1.5}, "teacher_forcing"),
        ({"teacher_forcing": (1.0, 0.5, 0.0)}, "teacher_forcing"),
        ({"truncation": 0}, "truncation"),
        ({"loss": "ssim"}, "'ssim' compares images"),
        ({"loss": "binary_cross_entropy"}, "smallest and the largest value of each feature"),
        (
            {"loss": lambda a, b: ((a - b) ** 2).mean((1, 2))},
            "sequences need a loss with one value",
        ),
    ],
)
def test_wrong_parameters(X, parameters, message):
    with pytest.raises(ValueError, match=message):
        RecurrentAutoencoder(3, **FAST | parameters).fit(X)
