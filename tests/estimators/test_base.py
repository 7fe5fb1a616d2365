"""The contract: what a scikit-learn user expects of any autoencoder."""

import pickle
import re

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
import torch
from scipy import sparse
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.decomposition import PCA
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, StandardScaler
from skorch import NeuralNet

from skae import Autoencoder
from skae.architectures import Dense
from skae.exceptions import PoorFitWarning


def assert_same_model(a, b, X):
    np.testing.assert_array_equal(a.transform(X), b.transform(X))
    np.testing.assert_array_equal(a.reconstruct(X), b.reconstruct(X))


# One method after the other.


def test_methods_agree(X, fast):
    ae = Autoencoder(**fast)
    Z = ae.fit_transform(X)
    np.testing.assert_array_equal(Z, ae.transform(X))
    assert Z.shape == (120, 3)
    reconstructed = ae.reconstruct(X)
    np.testing.assert_allclose(ae.inverse_transform(Z), reconstructed, rtol=1e-12)
    np.testing.assert_allclose(ae.score_samples(X), -((X - reconstructed) ** 2).mean(1))
    expected = r2_score(X, reconstructed, multioutput="variance_weighted")
    assert ae.score(X) == pytest.approx(expected, rel=1e-9)


def test_score_takes_weights(X, rng, fast):
    ae = Autoencoder(**fast).fit(X)
    weight = rng.integers(0, 3, len(X))
    repeated = ae.score(np.repeat(X, weight, axis=0))
    assert ae.score(X, sample_weight=weight) == pytest.approx(repeated, rel=1e-9)


def test_learns_better_than_pca_on_curved_data(global_random_seed, rng):
    t = rng.uniform(-1, 1, (600, 1))
    X = np.hstack([t, t**2, t**3]) + 0.01 * rng.normal(size=(600, 3))
    X = StandardScaler().fit_transform(X)
    ae = Autoencoder(1, max_epochs=60, lr=3e-3, random_state=global_random_seed).fit(X[:500])
    assert ae.score(X[500:]) > 0.98 > 0.9 > PCA(1).fit(X[:500]).explained_variance_ratio_.sum()


def test_halves_work_alone(X, fast):
    ae = Autoencoder(**fast, loss="binary_cross_entropy")
    X = MinMaxScaler(clip=True).fit_transform(X)
    ae.fit(X)
    encoder = pickle.loads(pickle.dumps(ae.encoder_))
    decoder = pickle.loads(pickle.dumps(ae.decoder_))
    assert not encoder.training
    with torch.no_grad():
        Z = encoder(torch.tensor(X, dtype=torch.float32))
        reconstructed = decoder(Z)
    np.testing.assert_allclose(Z, ae.transform(X), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(reconstructed, ae.reconstruct(X), rtol=1e-4, atol=1e-5)
    n_weights = sum(p.numel() for p in encoder.parameters())
    assert len(pickle.dumps(ae.encoder_)) < 4 * n_weights + 20_000  # and not the decoder's


def test_net_is_one_of_skorch(X, fast):
    ae = Autoencoder(**fast).fit(X)
    assert isinstance(ae.net_, NeuralNet)
    assert ae.net_.history[:, "train_loss"] == ae.loss_curve_
    reconstructed = ae.net_.predict(X.astype("float32"))
    np.testing.assert_allclose(reconstructed, ae.reconstruct(X), rtol=1e-4, atol=1e-5)


def test_shapes_of_vanilla_and_deep(X, fast):
    def widths(*hidden):
        architecture = Dense(hidden_layer_sizes=hidden, shortcut=False)
        ae = Autoencoder(**fast, architecture=architecture).fit(X)
        return [m.out_features for m in ae.encoder_.modules() if isinstance(m, torch.nn.Linear)]

    assert widths() == [3]
    assert widths(256, 128, 64) == [256, 128, 64, 3]


def test_n_components_may_exceed_features(X, fast):
    assert Autoencoder(**{**fast, "n_components": 25}).fit_transform(X).shape == (120, 25)


def test_auto_n_components_is_recorded(X, fast):
    ae = Autoencoder(**{**fast, "n_components": "auto"}).fit(X)
    assert ae.n_components_ == ae.transform(X).shape[1] == 3  # of 10 features
    assert ae.n_components == "auto"


# Kinds of input.

KINDS = {
    "float64": lambda X: X,
    "float32": lambda X: X.astype("float32"),
    "float16": lambda X: X.astype("float16"),
    "bool": lambda X: X > 0,
    "uint8": lambda X: (X * 20 + 100).astype("uint8"),
    "int64": lambda X: (X * 10).astype(int),
    "list": lambda X: X.tolist(),
    "Fortran order": np.asfortranarray,
    "big-endian": lambda X: X.astype(">f8"),
    "view": lambda X: X[::-1, ::-1],
    "pandas": pd.DataFrame,
    "pandas nullable": lambda X: pd.DataFrame(X).convert_dtypes(),
    "pandas mixed": lambda X: pd.DataFrame(X).assign(a=X[:, 0] > 0, b=3).rename(columns=str),
    "polars": lambda X: pl.DataFrame(X),
    "CSR": sparse.csr_matrix,
    "CSC array": sparse.csc_array,
    "one row": lambda X: X[:1],
    "one column": lambda X: X[:, :1],
    "constant column": lambda X: np.hstack([X, np.ones((len(X), 1))]),
    "constant": np.ones_like,
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("batch_size", [1, 7, 500])
def test_kinds_of_input(kind, batch_size, X, fast):
    X = KINDS[kind](X[:20])
    ae = Autoencoder(**{**fast, "max_epochs": 1}, batch_size=batch_size).fit(X)
    Z = ae.transform(X)
    expected = np.float32 if getattr(X, "dtype", None) == np.float32 else np.float64
    assert Z.dtype == np.asarray(ae.reconstruct(X)).dtype == ae.score_samples(X).dtype == expected
    assert np.isfinite(Z).all()


@pytest.mark.parametrize("kind", ["pandas", "polars", "CSR", "CSC array", "Fortran order", "list"])
def test_kinds_of_input_give_the_same_model(kind, X, fast):
    plain = Autoencoder(**fast).fit(X)
    other = Autoencoder(**fast).fit(KINDS[kind](X))
    np.testing.assert_array_equal(other.transform(KINDS[kind](X)), plain.transform(X))
    np.testing.assert_array_equal(other.score_samples(KINDS[kind](X)), plain.score_samples(X))
    assert other.score(KINDS[kind](X)) == plain.score(X)


def test_memory_map(X, fast, tmp_path):
    np.save(tmp_path / "X.npy", X.astype("float32"))
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    ae = Autoencoder(**fast).fit(mapped)
    assert_same_model(ae, Autoencoder(**fast).fit(np.array(mapped)), mapped)


def test_score_of_one_row_is_undefined(X, fast):
    ae = Autoencoder(**fast).fit(X)
    with pytest.warns(UndefinedMetricWarning, match="fewer than two samples"):
        assert np.isnan(ae.score(X[:1]))


def test_score_of_constant_rows(fast):
    X = np.ones((10, 3))
    assert Autoencoder(**fast).fit(X).score(X) == 1
    assert Autoencoder(**fast, architecture=Dense(shortcut=False)).fit(X).score(X) == 0


# Names and containers.


def test_feature_names_and_output_containers(fast):
    frame = load_wine(as_frame=True).data.iloc[::4]
    ae = Autoencoder(**fast).fit(frame)
    assert list(ae.feature_names_in_) == list(frame.columns)
    names = ["autoencoder0", "autoencoder1", "autoencoder2"]
    assert list(ae.get_feature_names_out()) == names
    codes = clone(ae).set_output(transform="pandas").fit_transform(frame)
    assert isinstance(codes, pd.DataFrame)
    assert list(codes.columns) == names
    assert codes.index.equals(frame.index)
    codes = clone(ae).set_output(transform="polars").fit_transform(pl.from_pandas(frame))
    assert isinstance(codes, pl.DataFrame)
    assert codes.columns == names


# Copies.


def test_same_seed_gives_same_bits_after_clone_and_pickle(X, fast, tmp_path):
    ae = Autoencoder(**fast, architecture=Dense(dropout=0.1)).fit(X)
    assert_same_model(ae, clone(ae).fit(X), X)
    assert_same_model(ae, pickle.loads(pickle.dumps(ae)), X)
    joblib.dump(ae, tmp_path / "ae.joblib")
    assert_same_model(ae, joblib.load(tmp_path / "ae.joblib"), X)
    other = clone(ae).set_params(random_state=ae.random_state + 1).fit(X)
    assert not np.array_equal(ae.transform(X), other.transform(X))


def test_pickle_holds_no_data(X, fast):
    few, many = X[:20], np.tile(X, (200, 1))
    ae = Autoencoder(**{**fast, "early_stopping": True})
    size = len(pickle.dumps(ae.fit(few)))
    n_weights = sum(p.numel() for p in ae.net_.module_.parameters())
    assert size < 4 * 4 * n_weights + 50_000  # the weights and the state of Adam
    assert len(pickle.dumps(ae.fit(many))) < size + 1000


def test_unpickled_model_trains_on_as_the_first_would(X, fast):
    ae = Autoencoder(**fast, warm_start=True).fit(X)
    twin = pickle.loads(pickle.dumps(ae))
    assert_same_model(ae.partial_fit(X), twin.partial_fit(X), X)


def test_global_generators_stay_untouched(X, fast):
    np.random.seed(0)  # noqa: NPY002
    torch.manual_seed(0)
    before = np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    ae = Autoencoder(**fast | {"early_stopping": True}, architecture=Dense(dropout=0.5))
    ae.fit(X).transform(X)
    np.testing.assert_array_equal(np.random.get_state()[1], before[0])  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), before[1])


def test_fit_leaves_threads_and_grad_mode(X, fast):
    before = torch.get_num_threads()
    ae = Autoencoder(**fast).fit(X)
    ae.score_samples(X)
    with pytest.raises(ValueError, match="NaN"):
        ae.score_samples(X * np.nan)
    assert torch.get_num_threads() == before
    assert torch.is_grad_enabled()
    assert not torch.is_inference_mode_enabled()


# Workflows.


def test_pipeline_before_a_classifier(global_random_seed):
    X, y = load_digits(return_X_y=True)
    ae = Autoencoder(16, max_epochs=10, random_state=global_random_seed, check_baseline=False)
    model = make_pipeline(MinMaxScaler(), ae, LogisticRegression(max_iter=1000))
    model.fit(X[:1200], y[:1200])
    assert model.score(X[1200:], y[1200:]) > 0.8
    unlabeled = clone(ae).fit(MinMaxScaler().fit_transform(X[:1200]))
    np.testing.assert_array_equal(  # labels have no effect
        unlabeled.transform(X[:5] / 16), model["autoencoder"].transform(X[:5] / 16)
    )


def test_column_transformer(fast):
    frame = load_wine(as_frame=True).data
    frame = frame.assign(kind=np.where(frame["hue"] > 1, "red", "other"))
    numbers = frame.columns[:-1]
    model = ColumnTransformer(
        [
            ("codes", make_pipeline(StandardScaler(), Autoencoder(**fast)), numbers),
            ("kind", OneHotEncoder(sparse_output=False), ["kind"]),
        ]
    ).set_output(transform="pandas")
    assert list(model.fit_transform(frame).columns) == [
        "codes__autoencoder0",
        "codes__autoencoder1",
        "codes__autoencoder2",
        "kind__kind_other",
        "kind__kind_red",
    ]


def test_grid_search_is_the_same_in_two_processes(fast):
    X = StandardScaler().fit_transform(load_breast_cancer().data[:150])
    pipeline = make_pipeline(StandardScaler(), Autoencoder(**fast))
    grid = {
        "autoencoder__architecture__hidden_layer_sizes": [(), (32,)],
        "autoencoder__n_components": [1, 2],
    }
    one, two = (GridSearchCV(pipeline, grid, cv=2, n_jobs=n).fit(X) for n in (1, 2))
    np.testing.assert_array_equal(
        one.cv_results_["mean_test_score"], two.cv_results_["mean_test_score"]
    )
    assert len(set(one.cv_results_["mean_test_score"])) == 4
    assert_same_model(one.best_estimator_[-1], two.best_estimator_[-1], X)


def test_threads_of_one_process_give_the_same_models(X, fast):
    ae = Autoencoder(**fast, architecture=Dense(dropout=0.3))
    one = [clone(ae).set_params(random_state=seed).fit(X) for seed in range(6)]
    fits = (joblib.delayed(model.set_params().fit)(X) for model in map(clone, one))
    two = joblib.Parallel(n_jobs=2, backend="threading")(fits)
    for a, b in zip(one, two, strict=True):
        assert_same_model(a, b, X)


def test_halving_grid_search_over_epochs(X, fast):
    del fast["max_epochs"]
    search = HalvingGridSearchCV(
        Autoencoder(**fast, architecture=Dense(shortcut=False)),
        {"lr": [1e-5, 1e-3, 1e-2]},
        resource="max_epochs",
        min_resources=1,
        factor=2,
        max_resources=4,
        cv=2,
        random_state=0,
    ).fit(X)
    assert search.best_params_["lr"] > 1e-5
    assert search.n_resources_ == [1, 2]
    assert search.best_estimator_.n_iter_ == search.best_params_["max_epochs"]


def test_cross_val_score(X, fast):
    scores = cross_val_score(Autoencoder(**fast), X, cv=3)
    assert scores.shape == (3,)
    assert np.isfinite(scores).all()


def test_nested_parameters():
    ae = Autoencoder(architecture=Dense(dropout=0.1))
    assert ae.get_params()["architecture__dropout"] == 0.1
    assert clone(ae).set_params(architecture__dropout=0.2).architecture.dropout == 0.2
    assert ae.architecture.dropout == 0.1
    named = Autoencoder().set_params(architecture__activation="tanh")  # "dense" is a Dense()
    assert named.architecture.activation == "tanh"
    assert Autoencoder().architecture == "dense"


def test_sample_weight_through_metadata_routing(X, rng, fast):
    weight = rng.uniform(size=len(X))
    with sklearn.config_context(enable_metadata_routing=True):
        ae = Autoencoder(**fast).set_fit_request(sample_weight=True)
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        model = make_pipeline(scaler, ae).fit(X, sample_weight=weight)
        scaled = StandardScaler().fit_transform(X)
        assert_same_model(model[-1], Autoencoder(**fast).fit(scaled, sample_weight=weight), X)
        search = GridSearchCV(
            ae.set_score_request(sample_weight=True), {"n_components": [1, 2]}, cv=2
        ).fit(X, sample_weight=weight)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_threads_do_not_change_the_bits(X, fast):
    before = torch.get_num_threads()
    models = []
    for n_threads in (1, 2):
        torch.set_num_threads(n_threads)
        models.append(Autoencoder(**fast).fit(X))
    torch.set_num_threads(before)
    assert_same_model(*models, X)


def test_sample_weight_scale_does_not_matter_and_zeros_do(X, fast):
    weight = np.repeat([0.0, 1.0], [60, 60])
    heavy = Autoencoder(**fast).fit(X, sample_weight=weight)
    assert_same_model(heavy, Autoencoder(**fast).fit(X, sample_weight=4 * weight), X)
    changed = X.copy()
    changed[:60] += 5  # rows of no weight
    assert_same_model(heavy, Autoencoder(**fast).fit(changed, sample_weight=weight), X)
    uniform = Autoencoder(**fast).fit(X, sample_weight=np.full(120, 3.0))
    np.testing.assert_allclose(
        uniform.transform(X), Autoencoder(**fast).fit(X).transform(X), rtol=1e-3, atol=1e-4
    )


def test_held_out_rows_have_weight(rng, fast):
    X = rng.normal(size=(200, 5)) @ rng.normal(size=(5, 5))
    weight = np.repeat([0.0, 1.0], 100)
    ae = Autoencoder(**fast | {"early_stopping": True}, validation_fraction=0.01)
    for seed in range(5):
        ae.set_params(random_state=seed).fit(X, sample_weight=weight)
        assert min(ae.history_[:, "valid_loss"]) > 0
    with pytest.raises(ValueError, match="holds out 1 of 1 samples"):
        ae.fit(X, sample_weight=np.eye(200)[0])


def test_held_out_loss_is_in_the_units_of_the_training_loss(rng, fast):
    X = rng.normal(size=(400, 5))
    weight = np.repeat([10.0, 0.1], 200)
    ae = Autoencoder(**fast | {"early_stopping": True, "max_epochs": 1, "lr": 1e-12})
    ae.fit(X, sample_weight=weight)
    assert ae.history_[0, "valid_loss"] == pytest.approx(ae.loss_curve_[0], rel=0.6)


@pytest.mark.parametrize("scale", [1e308, 1e-310])
def test_extreme_sample_weights(scale, X, fast):
    weighted = Autoencoder(**fast).fit(X, sample_weight=np.full(120, scale))
    plain = Autoencoder(**fast).fit(X, sample_weight=np.ones(120))
    np.testing.assert_allclose(weighted.transform(X), plain.transform(X), rtol=1e-3, atol=1e-4)


def test_failed_fit_leaves_the_users_random_state_in_use(X, fast):
    rng = np.random.RandomState(0)  # noqa: NPY002
    ae = Autoencoder(**fast | {"random_state": rng}).fit(X)
    position = rng.get_state()[2]
    with pytest.raises(ValueError, match="train_loss"):
        ae.fit(X * 1e30)
    assert rng.get_state()[2] == position
    assert ae._rng is rng


# The check against PCA and the mean.


def test_warns_of_a_fit_worse_than_pca(X):
    plain = Dense(shortcut=False)
    with pytest.warns(PoorFitWarning, match=r"worse than PCA with \d components \(R2 0"):
        Autoencoder(3, architecture=plain, max_epochs=2, random_state=0).fit(X)


def test_warns_of_a_fit_worse_than_the_mean_and_of_scales(X):
    raw = load_breast_cancer().data
    message = "worse than the mean.*columns differ much in scale or mean: put a StandardScaler"
    with pytest.warns(PoorFitWarning, match=message):
        Autoencoder(3, architecture=Dense(shortcut=False), max_epochs=1, random_state=0).fit(raw)


def test_interrupted_check_keeps_the_model(X, monkeypatch):
    def press(estimator, rows):
        raise KeyboardInterrupt

    monkeypatch.setattr("skae._estimators.base.warn_if_poor", press)
    ae = Autoencoder(3, max_epochs=2, random_state=0)
    with pytest.raises(KeyboardInterrupt):
        ae.fit(X)
    assert ae.transform(X).shape == (120, 3)


def test_check_of_the_baseline_can_be_turned_off(X):
    plain = Dense(shortcut=False)
    Autoencoder(3, architecture=plain, max_epochs=1, check_baseline=False).fit(X)


def test_good_fits_do_not_warn(X):
    Autoencoder(3, random_state=0).fit(X)
    Autoencoder(3, max_epochs=1, random_state=0).fit(X)  # from PCA on


# What fit shows.


def test_progress_bar(X, fast, capsys):
    Autoencoder(**fast | {"early_stopping": True}, verbose=1).fit(X)
    shown = capsys.readouterr()
    assert re.search(r"3/3 .*train_loss=0\.\d+, valid_loss=0\.\d+", shown.err)
    Autoencoder(**fast).fit(X)
    assert capsys.readouterr() == ("", "")


def test_history(X, fast):
    ae = Autoencoder(**fast).fit(X, X_val=X[:30])
    assert ae.n_iter_ == len(ae.loss_curve_) == len(ae.history_) == 3
    assert ae.loss_curve_[-1] < ae.loss_curve_[0]
    assert all(set(e) >= {"epoch", "train_loss", "valid_loss", "dur"} for e in ae.history_)
    assert all(epoch["batches"] == [{}] for epoch in ae.history_)  # none recorded
    expected = -ae.score_samples(X[:30]).mean()
    assert ae.history_[-1, "valid_loss"] == pytest.approx(expected, rel=1e-5)


def test_defaults_of_the_training_are_made_once_in_a_fit(X, fast, monkeypatch):
    made, defaults = [], Autoencoder._training_defaults
    monkeypatch.setattr(
        Autoencoder, "_training_defaults", lambda self: made.append(1) or defaults(self)
    )
    model = Autoencoder(**fast).fit(X)
    assert len(made) == 1
    model.partial_fit(X)
    assert len(made) == 2
