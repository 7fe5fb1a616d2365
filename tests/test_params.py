"""Parameters: errors name what was meant, whatever library a name is from."""

import inspect
import pickle

import numpy as np
import pytest
import torch
from sklearn.base import BaseEstimator, clone
from sklearn.cluster import KMeans
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, KFold
from torch import nn

import skae
from skae import (
    Autoencoder,
    BatchedGridSearchCV,
    BatchedHalvingGridSearchCV,
    BatchedRandomizedSearchCV,
    ConvAutoencoder,
    DenoisingAutoencoder,
    EnsembleAutoencoder,
    OutlierDetector,
    RecurrentAutoencoder,
    Seq2SeqTranslator,
    SparseAutoencoder,
    TabularAutoencoder,
    TabularImputer,
    TabularOutlierScorer,
    VariationalAutoencoder,
    fit_many,
)
from skae.architectures import Conv, Dense, Transformer
from skae.losses import MixedLoss, SquaredError

ESTIMATORS = [getattr(skae, name) for name in skae.__all__ if name[0].isupper()]
ESTIMATORS = [one for one in ESTIMATORS if issubclass(one, BaseEstimator)]
ESTIMATORS = [one for one in ESTIMATORS if not issubclass(one, BatchedGridSearchCV.__mro__[1])]


@pytest.mark.parametrize(
    ("estimator", "meant"),
    [
        (Autoencoder(architecture=Dense(activation="Relu")), "relu"),
        (Autoencoder(architecture=Dense(activation="LeakyReLU")), "leaky_relu"),
        (Autoencoder(architecture=Dense(activation="swish")), "silu"),
        (Autoencoder(architecture=Dense(activation=None)), "identity"),
        (Autoencoder(architecture=Dense(activation=nn.ReLU)), "relu"),
        (Autoencoder(architecture=Dense(activation=nn.Tanh())), "tanh"),
        (Autoencoder(architecture=Dense(normalization="batchnorm")), "batch"),
        (Autoencoder(output_activation="Linear"), "identity"),
        (Autoencoder(loss="mse"), "squared_error"),
        (Autoencoder(loss="MSE"), "squared_error"),
        (Autoencoder(loss="l2"), "squared_error"),
        (Autoencoder(loss="mae"), "absolute_error"),
        (Autoencoder(loss="L1"), "absolute_error"),
        (Autoencoder(loss="bce"), "binary_cross_entropy"),
        (Autoencoder(loss="smooth_l1"), "huber"),
        (Autoencoder(loss={"mse": 1.0}), "squared_error"),
        (Autoencoder(optimizer="AdamW"), "adamw"),
        (Autoencoder(optimizer="SGD"), "sgd"),
        (Autoencoder(lr_schedule="OneCycle"), "one_cycle"),
        (Autoencoder(architecture="cnn"), "conv"),
        (Autoencoder(architecture="mlp"), "dense"),
        (Autoencoder(architecture="LSTM"), "recurrent"),
        (DenoisingAutoencoder(corruption="dropout"), "masking"),
        (DenoisingAutoencoder(corruption="normal"), "gaussian"),
        (VariationalAutoencoder(likelihood="mse"), "gaussian"),
        (VariationalAutoencoder(likelihood="bce"), "bernoulli"),
        (SparseAutoencoder(sparsity="L1"), "l1"),
        (ConvAutoencoder(activation="ReLU"), "relu"),
        (RecurrentAutoencoder(cell="LSTM"), "lstm"),
        (RecurrentAutoencoder(cell="rnn"), "lstm"),
        (TabularAutoencoder(loss="mae"), "absolute_error"),
    ],
    ids=str,
)
def test_values_as_others_call_them(estimator, meant):
    with pytest.raises(ValueError, match=f"Did you mean '{meant}'"):
        estimator.fit(np.zeros((30, 4)))


def test_values_are_listed_in_order():
    listed = "{'absolute_error', 'binary_cross_entropy', 'huber', 'squared_error', 'ssim'}"
    with pytest.raises(ValueError, match=listed):
        Autoencoder(loss="none such").fit(np.zeros((30, 4)))


def test_a_name_like_none_gets_no_suggestion():
    with pytest.raises(ValueError, match=r"Got 'lion' instead\.$"):
        Autoencoder(optimizer="lion").fit(np.zeros((30, 4)))


@pytest.mark.parametrize(
    ("kind", "name", "remedy"),
    [
        (Autoencoder, "hidden_layer_sizes", "'architecture__hidden_layer_sizes'"),
        (Autoencoder, "hidden_dims", r"architecture=Dense\(hidden_layer_sizes=\.\.\.\)"),
        (Autoencoder, "hidden_neuron_list", "'architecture__hidden_layer_sizes'"),
        (Autoencoder, "activation", "'architecture__activation'"),
        (Autoencoder, "dropout_rate", "'architecture__dropout'"),
        (Autoencoder, "filters", r"architecture=Conv\(channels=\.\.\.\)"),
        (Autoencoder, "epochs", "'max_epochs'"),
        (Autoencoder, "n_epochs", "'max_epochs'"),
        (Autoencoder, "max_iter", "'max_epochs'"),
        (Autoencoder, "latent_dim", "'n_components'"),
        (Autoencoder, "encoding_dim", "'n_components'"),
        (Autoencoder, "learning_rate", "'lr'"),
        (Autoencoder, "learning_rate_init", "'lr'"),
        (Autoencoder, "batchsize", "'batch_size'"),
        (Autoencoder, "seed", "'random_state'"),
        (Autoencoder, "gpu", "'device'"),
        (Autoencoder, "criterion", "'loss'"),
        (Autoencoder, "momentum", "'optimizer_params'"),
        (Autoencoder, "input_dim", "learned from X"),
        (Autoencoder, "preprocessing", "StandardScaler"),
        (Autoencoder, "contamination", "OutlierDetector"),
        (Autoencoder, "noise", "DenoisingAutoencoder"),
        (Autoencoder, "architecture__dropout", "give the object: architecture="),
        (Autoencoder, "no_such_thing", "The parameters are architecture, batch_size"),
        (ConvAutoencoder, "kernel", "'kernel_size'"),
        (ConvAutoencoder, "rotation_range", "'max_rotation'"),
        (Autoencoder, "horizontal_flip", r"architecture=Conv\(flips=\.\.\.\)"),
        (VariationalAutoencoder, "kl_weight", "'beta'"),
        (DenoisingAutoencoder, "noise_factor", "'noise_level'"),
        (TabularAutoencoder, "hidden_dims", "'hidden_layer_sizes'"),
        (Seq2SeqTranslator, "d_model", "'architecture__hidden_size'"),
        (EnsembleAutoencoder, "epochs", "'estimator__max_epochs'"),
        (OutlierDetector, "n_components", r"estimator=Autoencoder\(n_components=\.\.\.\)"),
        (OutlierDetector, "nu", "'contamination'"),
        (TabularOutlierScorer, "n_models", "'n_estimators'"),
        (BatchedGridSearchCV, "params", "'param_grid'"),
        (BatchedRandomizedSearchCV, "param_grid", "'param_distributions'"),
        (BatchedHalvingGridSearchCV, "n_folds", "'cv'"),
        (Dense, "hidden_sizes", "'hidden_layer_sizes'"),
        (Conv, "filters", "'channels'"),
        (Transformer, "n_head", "'n_heads'"),
    ],
)
def test_parameters_as_others_call_them(kind, name, remedy):
    with pytest.raises(TypeError, match=f"unexpected keyword argument '{name}'.*{remedy}"):
        kind(**{name: 1})


def test_too_many_arguments_by_position():
    with pytest.raises(TypeError, match="By position it takes n_components"):
        Autoencoder(3, 64)


def test_a_subclass_has_the_hints_and_the_signature():
    class Mine(Autoencoder):
        pass

    with pytest.raises(TypeError, match="'max_epochs'"):
        Mine(epochs=3)
    assert str(inspect.signature(Mine)).startswith("(n_components='auto', *, loss='squared_error'")
    assert "self" in inspect.signature(Autoencoder.__init__).parameters
    mine = clone(Mine(3, lr=0.1))
    assert (mine.n_components, mine.lr) == (3, 0.1)


@pytest.mark.parametrize(
    ("name", "meant"),
    [("epochs", "'max_epochs'"), ("hidden_layer_sizes", "'architecture__hidden_layer_sizes'")],
)
def test_other_names_in_set_params_and_fit(name, meant):
    with pytest.raises(ValueError, match=meant):
        Autoencoder().set_params(**{name: 3})
    with pytest.raises(ValueError, match=meant):
        BatchedGridSearchCV(Autoencoder(), {name: [3]}).fit(np.zeros((30, 4)))
    with pytest.raises(TypeError, match=f"unexpected keyword argument '{name}'.*{meant}"):
        Autoencoder().fit(np.zeros((30, 4)), **{name: 3})


class Own:
    def __init__(self, width=8):
        self.width = width

    def build(self, input_shape, encoder_width, code_width):
        n = input_shape[0]
        return nn.Linear(n, encoder_width), nn.Linear(code_width, n)


@pytest.mark.parametrize("search", [BatchedGridSearchCV, GridSearchCV])
def test_own_architecture_without_parameters_in_a_grid(search):
    grid = {"architecture__width": [4, 8]}
    with pytest.raises(ValueError, match="Let the class Own inherit from sklearn.base.BaseEst"):
        search(Autoencoder(2, architecture=Own()), grid).fit(np.zeros((30, 4)))


@pytest.mark.parametrize(
    ("estimator", "params", "remedy"),
    [
        (Autoencoder(), {"optimizer__momentum": 0.9}, "Give optimizer_params={'momentum'"),
        (Autoencoder(), {"loss__weight": 1}, "loss='squared_error' has no set_params"),
        (OutlierDetector(), {"estimator__lr": 1}, r"such as estimator=Autoencoder\(\)"),
        (
            OutlierDetector(),
            {"estimator__assume_clean": True},
            r"estimator=TabularOutlierScorer\(\)",
        ),
        (EnsembleAutoencoder(), {"estimator__lr": 1}, r"such as estimator=Autoencoder\(\)"),
    ],
)
def test_parameters_of_what_has_none(estimator, params, remedy):
    with pytest.raises(ValueError, match=f"cannot be set: .*{remedy}"):
        estimator.set_params(**params)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: Autoencoder(architecture=Dense), "architecture=Dense"),
        (lambda: Autoencoder(architecture=Own), "architecture=Own"),
        (lambda: Autoencoder(loss=nn.MSELoss), "loss=MSELoss"),
        (lambda: Autoencoder(loss=SquaredError), "loss=SquaredError"),
        (lambda: Autoencoder(loss=MixedLoss), "loss=MixedLoss"),
        (lambda: DenoisingAutoencoder(corruption=nn.Dropout), "corruption=Dropout"),
        (lambda: EnsembleAutoencoder(Autoencoder), "estimator=Autoencoder"),
        (lambda: EnsembleAutoencoder([Autoencoder]), "estimator=Autoencoder"),
        (lambda: OutlierDetector(Autoencoder), "estimator=Autoencoder"),
        (lambda: OutlierDetector(KMeans), "estimator=KMeans"),
        (lambda: OutlierDetector(Autoencoder(), cv=KFold), "cv=KFold"),
        (lambda: TabularImputer(TabularAutoencoder), "estimator=TabularAutoencoder"),
        (lambda: TabularOutlierScorer(TabularAutoencoder), "estimator=TabularAutoencoder"),
        (lambda: TabularOutlierScorer([TabularAutoencoder]), "estimator=TabularAutoencoder"),
        (lambda: BatchedGridSearchCV(Autoencoder, {"lr": [1]}), "estimator=Autoencoder"),
        (lambda: BatchedGridSearchCV(Autoencoder(), {"lr": [1]}, cv=KFold), "cv=KFold"),
        (lambda: BatchedRandomizedSearchCV(Autoencoder, {"lr": [1]}), "estimator=Autoencoder"),
        (lambda: BatchedHalvingGridSearchCV(Autoencoder, {"lr": [1]}), "estimator=Autoencoder"),
    ],
)
def test_a_class_in_place_of_an_object(make, name):
    with pytest.raises(TypeError, match=rf"{name} is a class: write \w+\(\)"):
        make().fit(np.zeros((30, 4)))


def test_classes_to_fit_many_and_set_params():
    with pytest.raises(TypeError, match=r"estimators\[1\]=Autoencoder is a class"):
        fit_many([Autoencoder(), Autoencoder], np.zeros((30, 4)))
    with pytest.raises(TypeError, match="architecture=Dense is a class"):
        Autoencoder(architecture=Dense).set_params(architecture__dropout=0.1)


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_fitted_attributes_before_fit(kind):
    documented = kind.__doc__.partition("Attributes\n    ----------")[2].partition("\n\n")[0]
    heads = [line for line in documented.splitlines() if line[:5].strip() and " : " in line]
    names = [name for head in heads for name in head.partition(" : ")[0].strip().split(", ")]
    assert names
    estimator = kind()
    for name in names:
        assert not hasattr(estimator, name)
        with pytest.raises(NotFittedError, match=f"This {kind.__name__} instance is not fitted"):
            getattr(estimator, name)
    with pytest.raises(AttributeError, match="has no attribute 'other'") as caught:
        _ = estimator.other
    assert not isinstance(caught.value, NotFittedError)


def test_attributes_of_unfitted_searches():
    search = BatchedGridSearchCV(Autoencoder(), {"lr": [1e-3]})
    with pytest.raises(NotFittedError, match="This BatchedGridSearchCV instance is not fitted"):
        _ = search.best_params_


def test_attributes_that_a_fit_did_not_set():
    model = Autoencoder(2, max_epochs=1, check_baseline=False).fit(np.eye(8))
    for one in (model, pickle.loads(pickle.dumps(model))):
        with pytest.raises(AttributeError, match="no attribute 'feature_names_in_'") as caught:
            _ = one.feature_names_in_
        assert not isinstance(caught.value, NotFittedError)
    assert isinstance(model.encoder_, torch.nn.Module)
