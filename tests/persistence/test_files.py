"""What is saved comes back as it was."""

import io
import json
import warnings
import zipfile
from collections import OrderedDict
from enum import Enum
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from models import FRAME, MODELS, TINY, X, fitted, samples
from sklearn import config_context
from sklearn.base import clone
from sklearn.ensemble import BaggingClassifier
from sklearn.exceptions import InconsistentVersionWarning, NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils.validation import check_is_fitted

import skae
from skae import Autoencoder, DenoisingAutoencoder, VariationalAutoencoder
from skae._persistence.files import FORMAT
from skae._persistence.registry import BASES

METHODS = ("transform", "reconstruct", "score_samples", "predict", "predict_proba", "impute")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.skae"


def saved(model, path, **how):
    """Return a model that was saved and loaded."""
    skae.save(model, path, **how)
    return skae.load(path, device="cpu")


def assert_same(a, b):
    """Compare two results bit for bit, with their types."""
    assert type(a) is type(b)
    if isinstance(a, list):
        assert len(a) == len(b)
        for one, other in zip(a, b, strict=True):
            assert_same(one, other)
    elif hasattr(a, "toarray"):
        assert (a != b).nnz == 0
    elif hasattr(a, "equals"):
        assert a.equals(b)
    else:
        np.testing.assert_array_equal(a, b, strict=isinstance(a, np.ndarray))


def best(model):
    return getattr(model, "best_estimator_", model)


@pytest.mark.parametrize("name", MODELS)
def test_loaded_is_saved(name, path):
    model, X = best(fitted(name)), samples(name)
    loaded = saved(fitted(name), path)
    assert type(loaded) is type(model)
    check_is_fitted(loaded)
    called = [method for method in METHODS if hasattr(model, method)]
    assert called
    for method in called:
        assert_same(getattr(model, method)(X), getattr(loaded, method)(X))
    if name.startswith("variational"):
        assert_same(model.sample(3, random_state=0), loaded.sample(3, random_state=0))
    for attribute in ("history_", "feature_names_in_", "n_features_in_", "classes_", "threshold_"):
        if attribute in dir(model):
            assert_same(getattr(model, attribute), getattr(loaded, attribute))
    if name != "selected columns":  # selectors show where they are in memory
        assert repr(loaded) == repr(model)
        assert repr(clone(loaded)) == repr(clone(model))


def test_a_saved_model_can_be_saved_again(path):
    skae.save(fitted("table"), path)
    before = path.read_bytes()
    skae.save(skae.load(path, device="cpu"), path)
    assert path.read_bytes() == before


def test_saving_changes_nothing(path):
    model = Autoencoder(2, **TINY).partial_fit(X)
    twin = Autoencoder(2, **TINY).partial_fit(X)
    saved(model, path)
    assert_same(model.partial_fit(X).transform(X), twin.partial_fit(X).transform(X))


def test_set_output_is_kept(path):
    model = Autoencoder(2, **TINY).set_output(transform="pandas").fit(FRAME)
    assert_same(model.transform(FRAME), saved(model, path).transform(FRAME))


def test_metadata_requests_are_kept(path):
    with config_context(enable_metadata_routing=True):
        steps = StandardScaler(), Autoencoder(2, **TINY)
        model = make_pipeline(*(step.set_fit_request(sample_weight=True) for step in steps))
        loaded = saved(model.fit(X, sample_weight=np.ones(80)), path)
        assert repr(loaded.get_metadata_routing()) == repr(model.get_metadata_routing())
        loaded.fit(X, sample_weight=np.ones(80))


def test_searches_that_are_not_fitted_are_kept_as_they_are(path):
    search = GridSearchCV(make_pipeline(Autoencoder(2, **TINY), LogisticRegression()), {}, cv=2)
    model = BaggingClassifier(search, 2, random_state=0).fit(X, np.arange(80) % 2)
    loaded = saved(model, path)
    assert repr(loaded) == repr(model)
    assert_same(model.predict_proba(X), loaded.predict_proba(X))


TRAINED = {
    "adam": Autoencoder(2, **TINY),
    "noise": DenoisingAutoencoder(2, **TINY),
    "muon": Autoencoder(2, optimizer="muon", **TINY),
    "draws": VariationalAutoencoder(2, **TINY),
}


@pytest.mark.parametrize("name", TRAINED)
def test_training_continues_bit_for_bit(name, path):
    model = clone(TRAINED[name]).partial_fit(X)
    loaded = saved(model, path, training_state=True)
    for one in (model, loaded):
        one.partial_fit(X)
    assert_same(model.score_samples(X), loaded.score_samples(X))
    for one in (model, loaded):
        one.set_params(warm_start=True).fit(X)
    assert_same(model.score_samples(X), loaded.score_samples(X))
    assert_same(model.history_[:, "train_loss"], loaded.history_[:, "train_loss"])


def test_a_fit_continues_though_nothing_said_so_before(path):
    model = Autoencoder(2, **TINY).fit(X)
    loaded = saved(model, path, training_state=True)
    for one in (model, loaded):
        one.set_params(warm_start=True).fit(X)
    assert_same(model.score_samples(X), loaded.score_samples(X))


def test_without_the_training_state_files_are_small_and_training_starts_afresh(path):
    model = Autoencoder(2, warm_start=True, **TINY).fit(X)
    skae.save(model, path)
    size = path.stat().st_size
    skae.save(model, path, training_state=True)
    assert path.stat().st_size > size
    loaded = saved(model, path)
    assert loaded.fit(X).n_iter_ == 2 * TINY["max_epochs"]


def test_what_a_file_holds(path):
    skae.save(fitted("pipeline"), path)
    with zipfile.ZipFile(path) as archive:
        assert all(info.compress_type == zipfile.ZIP_STORED for info in archive.infolist())
        content = json.loads(archive.read("model.json"))
        members = set(archive.namelist())
    assert content["format"] == 1
    assert set(content["versions"]) == {"skae", "torch", "scikit-learn", "numpy"}
    assert content["model"]["class"] == "sklearn.pipeline.Pipeline"
    assert {"model.json", "weights.safetensors", "sklearn/0.skops"} <= members


def test_no_pickle_is_read(path, monkeypatch):
    skae.save(fitted("detector with known anomalies"), path)

    def refuse(*args, **kwargs):
        raise AssertionError("pickle was called")

    for name in ("load", "loads", "Unpickler"):
        monkeypatch.setattr(f"pickle.{name}", refuse)
    monkeypatch.setattr("torch.load", refuse)
    skae.load(path, device="cpu")


def test_weights_can_be_read_by_others(path, tmp_path):
    from safetensors.numpy import load

    skae.save(fitted("rows"), path)
    with zipfile.ZipFile(path) as archive:
        weights = load(archive.read("weights.safetensors"))
    first = fitted("rows").encoder_.state_dict()
    assert any(np.array_equal(w, first["0.stack.0.weight"]) for w in weights.values())


# Parts of the user's.


class Rotated(torch.nn.Module):
    """A layer of the user's."""

    def __init__(self, n):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.eye(n))

    def forward(self, x):
        return x @ self.weight


class Rotation:
    """An architecture of the user's, without parameters."""

    def build(self, sample_shape, encoder_width, n_components):
        n = sample_shape[0]
        return (
            torch.nn.Sequential(Rotated(n), torch.nn.Linear(n, encoder_width)),
            torch.nn.Linear(n_components, n),
        )


def quartic(prediction, target):
    return (prediction - target) ** 4


def halved(x, noise_level, generator=None):
    return x * (1 - noise_level)


def schedule(optimizer):
    return torch.optim.lr_scheduler.StepLR(optimizer, 1)


OWN = {
    "loss": (Autoencoder(2, loss=quartic, **TINY), [quartic], "loss is the function quartic"),
    "corruption": (
        DenoisingAutoencoder(2, corruption=halved, **TINY),
        [halved],
        "corruption is the function halved",
    ),
    "architecture": (
        Autoencoder(2, **(TINY | {"architecture": Rotation()})),
        [Rotation, Rotated],
        "architecture is an object of .*Rotation",
    ),
    "schedule": (
        Autoencoder(2, lr_schedule=schedule, **TINY),
        [schedule],
        "lr_schedule is the function schedule",
    ),
}


@pytest.fixture
def registered():
    """What is registered during a test."""
    from skae._persistence import registry

    before = dict(registry._registered)
    yield registry._registered
    registry._registered.clear()
    registry._registered.update(before)


@pytest.mark.parametrize("name", OWN)
def test_parts_of_the_user_have_to_be_registered(name, path, registered):
    model, parts, message = OWN[name]
    model = clone(model).fit(X)
    with pytest.raises(ValueError, match=f"{message}.*skae.register.*pickle"):
        skae.save(model, path)
    assert not path.exists()
    for part in parts:
        assert skae.register(part) is part
    loaded = saved(model, path)
    assert_same(model.score_samples(X), loaded.score_samples(X))
    registered.clear()
    with pytest.raises(ValueError, match=f"holds {parts[0].__name__}.*skae.register before"):
        skae.load(path)


def test_cells_of_notebooks_run_again(path, registered):
    cell = "@skae.register\nclass Named(Autoencoder):\n    pass"
    scope = {"skae": skae, "Autoencoder": Autoencoder, "__name__": "__main__"}
    exec(cell, scope)
    model = scope["Named"](2, **TINY).fit(X)
    exec(cell, scope)
    loaded = saved(model, path)
    assert type(loaded) is scope["Named"] is not type(model)
    assert_same(model.transform(X), loaded.transform(X))


class Scale(torch.nn.Module):
    """A loss of the user's, with the name of a private class of skae."""

    def __init__(self, weight):
        super().__init__()
        self.register_buffer("weight", torch.as_tensor(weight))

    def forward(self, prediction, target):
        return self.weight * (prediction - target) ** 2


class Kind(Enum):
    ODD = 1


class Given:
    """A loss of the user's, with an attribute of any type."""

    def __init__(self, what):
        self.what = what

    def __call__(self, prediction, target):
        return (prediction - target) ** 2


class OfArguments(Given):
    def __new__(cls, what):
        return super().__new__(cls)


def test_losses_and_schedules_of_many_kinds(path, registered):
    for thing in (Scale, Kind, Given, halved):
        skae.register(thing)
    ragged = np.array([None, [1]], dtype=object)
    huber = partial(torch.nn.functional.smooth_l1_loss, reduction="none", beta=0.5)
    for loss in (Scale(np.arange(6.0)), Given(Kind.ODD), Given(ragged), huber):
        steps = partial(torch.optim.lr_scheduler.StepLR, step_size=2)
        model = Autoencoder(2, loss=loss, lr_schedule=steps, **TINY).fit(X)
        loaded = saved(model, path, training_state=True)
        for one in (model, loaded):
            one.set_params(warm_start=True).fit(X)
        assert_same(model.score_samples(X), loaded.score_samples(X))
    noise = partial(halved, generator=None)
    model = DenoisingAutoencoder(2, corruption=noise, **TINY).fit(X)
    assert saved(model, path).corruption.func is halved


def test_objects_that_would_not_come_back_are_refused(path, registered):
    for thing in (Given, OfArguments, OrderedDict):
        skae.register(thing)
    for loss, message in (
        (OfArguments(1), "loss is .*OfArguments, made of arguments"),
        (Given(OrderedDict(a=1)), "loss.what is .*OrderedDict, which has values of its own"),
        (Given(range(10**6)), "loss.what is .*range, which is longer than 1,000: give an array"),
    ):
        model = Autoencoder(2, **TINY).fit(X).set_params(loss=loss)
        with pytest.raises(ValueError, match=message):
            skae.save(model, path)


def test_a_class_that_inherits_can_be_registered(path, registered):
    @skae.register
    class Named(Autoencoder):
        pass

    model = Named(2, **TINY).fit(X)
    assert type(saved(model, path)) is Named


def test_register_refuses(registered):
    with pytest.raises(TypeError, match="register the class"):
        skae.register(Rotation())
    with pytest.raises(ValueError, match="by def"):
        skae.register(lambda x: x)
    for thing in (type("Autoencoder", (), {}), type("gaussian", (), {})):
        with pytest.raises(ValueError, match="of its own"):
            skae.register(thing)


def test_steps_that_cannot_be_saved_are_named(path):
    model = make_pipeline(FunctionTransformer(quartic), Autoencoder(2, **TINY))
    model.steps[0] = ("power", FunctionTransformer(lambda X: X**2))
    with pytest.raises(ValueError, match=r"'power'\].func is the function .*<lambda>.*pickle"):
        skae.save(model.fit(X), path)

    class Shift(StandardScaler):
        pass

    with pytest.raises(ValueError, match=r"'shift'.*Shift.*skae.register"):
        skae.save(make_pipeline(Shift(), Autoencoder(2, **TINY)).fit(X), path)


def test_callbacks_and_hooks_are_refused(path):
    from skorch.callbacks import EarlyStopping

    model = Autoencoder(2, callbacks=[EarlyStopping()], early_stopping=True, **TINY).fit(X)
    with pytest.raises(ValueError, match=r"callbacks\[0\].*EarlyStopping.*callbacks=None"):
        skae.save(model, path)
    skae.save(model.set_params(callbacks=None), path)
    model = Autoencoder(2, **TINY).fit(X)
    model.net_.module_.register_forward_hook(print)
    with pytest.raises(ValueError, match="has hooks"):
        skae.save(model, path)


# Files.


def test_only_fitted_models_are_saved(path):
    with pytest.raises(NotFittedError):
        skae.save(Autoencoder(), path)
    with pytest.raises(NotFittedError):
        skae.save(make_pipeline(StandardScaler(), Autoencoder()), path)
    with pytest.raises(TypeError):
        skae.save(Autoencoder, path)


def test_a_search_needs_its_best_estimator(path):
    search = skae.BatchedGridSearchCV(Autoencoder(**TINY), {"n_components": [1]}, refit=False)
    with pytest.raises(ValueError, match="refit=True"):
        skae.save(search.fit(X), path)


def test_paths_that_cannot_be_written(tmp_path, path):
    with pytest.raises(FileNotFoundError, match=r"folder '.*none' does not exist"):
        skae.save(fitted("rows"), tmp_path / "none" / "model.skae")
    with pytest.raises(IsADirectoryError, match="add the name of a file"):
        skae.save(fitted("rows"), tmp_path)
    skae.save(fitted("rows"), str(path))
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("path", [None, 3, io.BytesIO()])
def test_paths_are_names(path):
    for call in (skae.load, partial(skae.save, fitted("rows"))):
        with pytest.raises(TypeError, match="path must be the name of a file"):
            call(path)


def test_a_folder_without_rights(tmp_path, monkeypatch):
    original = Path.open

    def refuse(path, *args, **kwargs):
        if path.is_relative_to(tmp_path):
            raise PermissionError
        return original(path, *args, **kwargs)

    monkeypatch.setattr("pathlib.Path.open", refuse)  # who tests may have all rights
    with pytest.raises(PermissionError, match="no right to write to the folder"):
        skae.save(fitted("rows"), tmp_path / "model.skae")


@pytest.mark.parametrize("error", [OSError(28, "No space left"), KeyboardInterrupt()])
def test_the_old_file_stays_if_saving_fails(error, path, monkeypatch):
    skae.save(fitted("rows"), path)
    before = path.read_bytes()

    def fail(file):
        raise error

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(type(error)):
        skae.save(fitted("pandas"), path)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_devices(path):
    skae.save(fitted("rows"), path)
    assert skae.load(path).device_.type in ("cpu", "cuda", "mps")
    with pytest.raises(ValueError, match="device='nowhere'"):
        skae.load(path, device="nowhere")
    if torch.cuda.is_available():
        codes = skae.load(path, device="cuda").transform(X)
        np.testing.assert_allclose(codes, fitted("rows").transform(X), rtol=1e-4, atol=1e-5)


def test_names_are_unique():
    """Files name classes without their modules."""
    found, classes = list(BASES), set()
    while found:
        cls = found.pop()
        found += cls.__subclasses__()
        if cls.__module__.startswith("skae.") and not cls.__module__.startswith("skae._onnx"):
            classes.add(cls)
    assert len({cls.__name__ for cls in classes}) == len(classes) > 100


def test_numbers_are_little_endian(path):
    model = Autoencoder(2, **TINY).fit(X)
    model.extra_ = np.arange(3, dtype=">i4"), np.dtype(">f8"), np.int16(-2)
    loaded = saved(model, path)
    with zipfile.ZipFile(path) as archive:
        arrays = [archive.read(n) for n in archive.namelist() if n.startswith("arrays/")]
    assert arrays
    assert not any(b"'>" in array[:128] for array in arrays)
    array, dtype, number = loaded.extra_
    np.testing.assert_array_equal(array, [0, 1, 2])
    assert array.dtype == np.int32
    assert dtype == np.float64
    assert number == -2
    assert number.dtype == np.int16


def test_what_holds_itself_is_refused(path):
    model = Autoencoder(2, **TINY).fit(X)
    model.extra_ = []
    model.extra_.append(model.extra_)
    with pytest.raises(ValueError, match=r"extra_\[0\] holds itself"):
        skae.save(model, path)


def test_files_of_all_formats_can_be_read():
    """There is one file for each version of the format; ``make_format_file.py`` has made it."""
    folder = Path(__file__).parent / "formats"
    files = sorted(folder.glob("format_*.skae"))
    assert [file.stem for file in files] == [f"format_{i}" for i in range(1, FORMAT + 1)]
    for file in files:
        expected = json.loads(file.with_suffix(".json").read_text())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", InconsistentVersionWarning)  # of another scikit-learn
            model = skae.load(file, device="cpu")
        table = pd.DataFrame(expected["table"])
        np.testing.assert_allclose(model.score_samples(table), expected["scores"], rtol=1e-4)
        assert model.predict(table).tolist() == expected["labels"]
