"""Pickling: plain state, which loads anywhere, with the optimizer's only if training continues."""

import copy
import io
import pickle
import pickletools

import cloudpickle
import joblib
import numpy as np
import pytest
import torch
from joblib import Parallel, delayed
from skorch.callbacks import LRScheduler
from torch import nn

from skae import (
    Autoencoder,
    ConvAutoencoder,
    DenoisingAutoencoder,
    EnsembleAutoencoder,
    OutlierDetector,
    RecurrentAutoencoder,
    SparseAutoencoder,
    TabularAutoencoder,
    VariationalAutoencoder,
)
from skae._training.plain_state import dtype_name, dtype_of, plain
from skae.architectures import Dense

IMAGES = np.random.default_rng(0).random((20, 8, 8))
WIDE = Dense((128, 64))


def n_weight_bytes(model):
    return sum(parameter.nbytes for parameter in model.net_.module_.parameters())


class Lambdas:
    """An architecture of a script's own."""

    def build(self, sample_shape, encoder_width, code_width):
        (n_features,) = sample_shape
        return nn.Linear(n_features, encoder_width), nn.Linear(code_width, n_features)


def test_functions_of_a_script(X, fast):
    models = [
        Autoencoder(**fast, loss=lambda prediction, target: (prediction - target) ** 2),
        DenoisingAutoencoder(**fast, corruption=lambda x, level: x * (1 - level)),
        Autoencoder(**fast | {"architecture": type("Local", (Lambdas,), {})()}),
        Autoencoder(**fast | {"lr_schedule": lambda o: torch.optim.lr_scheduler.StepLR(o, 1)}),
    ]
    codes = [model.fit(X).transform(X) for model in models]
    by_loky = Parallel(n_jobs=2)(delayed(transform)(model, X) for model in models)
    for model, expected, found in zip(models, codes, by_loky, strict=True):
        by_cloudpickle = cloudpickle.loads(cloudpickle.dumps(model)).transform(X)
        for other in (copy.deepcopy(model).transform(X), by_cloudpickle, found):
            np.testing.assert_array_equal(other, expected)


def transform(model, X):
    return model.transform(X)


@pytest.mark.parametrize(
    ("model", "data"),
    [
        (Autoencoder(3), None),
        (VariationalAutoencoder(3), None),
        (SparseAutoencoder(20), None),
        (TabularAutoencoder(3), None),
        (ConvAutoencoder(3), IMAGES),
        (RecurrentAutoencoder(3), IMAGES),
        (OutlierDetector(Autoencoder(3)), None),
        (EnsembleAutoencoder(Autoencoder(3), 3, max_features=0.5), None),
    ],
)
def test_no_pickle_is_inside_the_pickle(model, data, X):
    X = X if data is None else data
    is_meta = isinstance(model, (OutlierDetector, EnsembleAutoencoder))
    part = model.estimator if is_meta else model
    part.set_params(max_epochs=2, random_state=0, check_baseline=False, warm_start=True)
    pickled = pickle.dumps(model.fit(X))
    names = {str(argument) for _, argument, _ in pickletools.genops(pickled)}
    assert "_load_from_bytes" not in names
    assert "__cuda_dependent_attributes__" not in names
    np.testing.assert_array_equal(pickle.loads(pickled).score_samples(X), model.score_samples(X))


def test_a_pickle_is_little_more_than_the_weights(X, fast):
    model = Autoencoder(**fast | {"architecture": WIDE}).fit(X)
    pickled = pickle.dumps(model)
    assert len(pickled) < 1.3 * n_weight_bytes(model)
    again = pickle.loads(pickled)
    assert len(pickle.dumps(again)) < 1.3 * n_weight_bytes(model)
    assert again.partial_fit(X).n_iter_ == 4  # with a new state of the optimizer
    assert again.fit(X).n_iter_ == 3


@pytest.mark.parametrize("optimizer", ["adam", "muon", torch.optim.LBFGS])
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_training_continues_bit_for_bit_if_asked_for(optimizer, copied, X, fast):
    params = fast | {"architecture": WIDE, "optimizer": optimizer, "batch_size": 120}
    for warm_start, train in ((True, "fit"), (False, "partial_fit")):
        model = Autoencoder(**params, warm_start=warm_start)
        getattr(model, train)(X)
        again = copied(model)
        for _ in range(2):
            getattr(model, train)(X)
            getattr(again, train)(X)
        np.testing.assert_array_equal(again.transform(X), model.transform(X))
        assert again.loss_curve_ == model.loss_curve_


def test_it_is_enough_to_ask_after_the_fit(X, fast):
    model = Autoencoder(**fast).fit(X).set_params(warm_start=True)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.fit(X).transform(X), model.fit(X).transform(X))


def test_callbacks_of_the_training_stay_behind(X, fast):
    steps = LRScheduler(policy="StepLR", step_size=1)
    model = Autoencoder(**fast, callbacks=[steps]).fit(X)
    assert len(model.net_.callbacks_) == 2
    assert pickle.loads(pickle.dumps(model)).net_.callbacks_ == []


def test_a_model_of_another_device_loads_on_the_cpu(X, fast):
    model = Autoencoder(**fast).fit(X)
    state = model.net_.__getstate__() | {"device": "cuda:7"}
    net = object.__new__(type(model.net_))
    net.__setstate__(pickle.loads(pickle.dumps(state)))
    assert net.device == "cpu"
    assert {p.device.type for p in net.module_.parameters()} == {"cpu"}


def test_memory_maps(X, fast, tmp_path):
    model = Autoencoder(**fast).fit(X)
    joblib.dump(model, tmp_path / "model.joblib")
    mapped = joblib.load(tmp_path / "model.joblib", mmap_mode="r")
    np.testing.assert_array_equal(mapped.transform(X), model.transform(X))


def test_tensors_keep_what_they_are():
    shared = nn.Parameter(torch.ones(2, 3, 4, 5).to(memory_format=torch.channels_last), False)
    module = nn.Module()
    module.first = module.second = shared
    module.bare, module.listed = torch.arange(3), [torch.zeros(()).bfloat16() + 1.5]
    module.register_buffer("strided", torch.arange(12).view(3, 4).t()[::2])
    module.register_buffer("empty", torch.zeros(0, 3))
    module.register_buffer("reduced", shared.detach().bfloat16())
    again = pickle.loads(pickle.dumps(plain(module)))
    assert again.first is again.second
    assert not again.first.requires_grad
    for tensor in (again.first, again.reduced):
        assert tensor.is_contiguous(memory_format=torch.channels_last)
    for name in ("first", "bare", "strided", "empty", "reduced"):
        assert torch.equal(getattr(again, name), getattr(module, name))
    assert again.listed[0].dtype == torch.bfloat16
    assert again.listed == module.listed
    buffer = io.BytesIO()
    torch.save(again.state_dict(), buffer)


def test_dtypes_have_names_of_dtypes():
    for dtype in (torch.float32, torch.bfloat16):
        assert dtype_of(dtype_name(dtype)) is dtype
    with pytest.raises(TypeError, match="torch.load is no dtype"):
        dtype_of("load")
