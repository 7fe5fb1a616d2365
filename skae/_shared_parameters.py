"""What the constructors of all autoencoders share: parameters, constraints, documentation.

Estimators are dataclasses: their annotated fields are their parameters, inherited ones
among them, and the constructor that follows from them assigns and does nothing else.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, dataclass_transform

import torch

from skae._net import LR_SCHEDULES
from skae._optimizers import OPTIMIZERS
from skae._params import HasMethods, ParameterMixin, StrOptions, integer, real
from skae.architectures import ARCHITECTURES

ARCHITECTURE = """\
architecture : str or object with ``build``, default="dense"
        The encoder's and decoder's layers: a parameter object such as
        `skae.architectures.Dense`, or "dense" for one with its defaults. Its
        parameters can be set and searched as ``architecture__<name>``."""

LOSS = """\
loss : {"squared_error", "absolute_error", "huber", "binary_cross_entropy"} or \
            callable, default="squared_error"
        How far a reconstruction is from the input. "binary_cross_entropy" needs values
        in [0, 1]. A callable takes the reconstruction and the input, both tensors of
        shape (n_samples, n_features), and returns one value per element or per sample.
    output_activation : str, default="auto"
        Activation of the last layer. "auto" follows the loss: "sigmoid" for
        "binary_cross_entropy", otherwise "identity". Any activation of
        `skae.architectures.Dense`."""

TRAINING = """\
optimizer : {"adam", "adamw", "sgd", "nadam", "radam", "rmsprop"} or class, \
            default="adam"
        Optimiser, by name or a class of `torch.optim`.
    optimizer_params : dict or None, default=None
        Further parameters of the optimiser, such as ``{"momentum": 0.9}``.
    lr : float, default=2e-3
        Learning rate, the highest one if it changes.
    lr_schedule : {"cosine", "one_cycle"}, callable or None, default="one_cycle"
        How the learning rate changes over ``max_epochs``. "cosine" lets it fall to 0,
        "one_cycle" rise to ``lr`` during the first tenth and then fall [1]_. A callable
        takes the optimiser and returns a `torch.optim.lr_scheduler`, stepped after every
        epoch. None keeps it as it is.
    weight_decay : float, default=0.0
        Weight decay of the optimiser.
    max_grad_norm : float or None, default=None
        Scale gradients down to this norm where theirs is larger.
    batch_size : int or "auto", default="auto"
        Rows in a step of the optimiser. "auto" is the power of 2 next to a fiftieth of
        the rows, from 32 to 512.
    max_epochs : int or "auto", default="auto"
        Passes over the training rows. "auto" is what 4,000 steps allow, from 4 to 100.
    early_stopping : bool or "auto", default="auto"
        Whether to hold out rows and restore the weights of the epoch with the least loss
        on them. "auto" does so from 20 rows up.
    validation_fraction : float, default=0.1
        Share of the rows that early stopping holds out, unless ``fit`` gets ``X_val``.
    patience : int or None, default=None
        Epochs without improvement after which early stopping ends the training. None
        never ends it, so that the learning rate falls to the end of its schedule.
    check_baseline : bool, default=True
        Warn after ``fit`` if the model is poor beside the cheapest ones, such as PCA
        with as many components. It costs little: at most 2,048 rows are looked at.
    device : str or torch.device, default="auto"
        Where to train. "auto" takes a GPU (CUDA, then MPS) if there is one.
    callbacks : list of skorch callbacks or None, default=None
        Called while training. They are copied, so that they stay as they are.
    warm_start : bool, default=False
        Whether ``fit`` goes on from the last fit, with the state of the optimiser,
        instead of starting anew.
    random_state : int, RandomState instance or None, default=None
        Source of all that is random: initial weights, order of batches, held-out rows,
        dropout, noise. An int gives the same model at every fit.
    verbose : int, default=0
        1 shows a progress bar with the loss, 0 nothing."""

FITTED = """\
net_ : skorch.NeuralNet
        The trained net.
    encoder_, decoder_ : torch.nn.Module
        The two halves, usable alone: the encoder maps a float32 tensor of shape
        (n_samples, n_features) to codes, the decoder codes to reconstructions.
    n_components_ : int
        Length of the code.
    history_ : skorch.history.History
        Record of each epoch: ``train_loss``, ``valid_loss`` if there are validation
        rows, and ``dur``, its seconds.
    loss_curve_ : list of float
        Mean training loss of each epoch.
    n_iter_ : int
        Number of epochs trained.
    device_ : torch.device
        Device that it was trained on.
    n_features_in_ : int
        Number of features of the training rows.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, if the training rows were a DataFrame."""

SCHEDULES = """\
.. [1] L. N. Smith and N. Topin, "Super-convergence: very fast training of neural
       networks using large learning rates", 2018. :arxiv:`1708.07120`"""

#: What docstrings of estimators can refer to by name, as ``<training>``.
SHARED_DOCS = {
    "<architecture>": ARCHITECTURE,
    "<loss>": LOSS,
    "<training>": TRAINING,
    "<fitted>": FITTED,
    "<schedules>": SCHEDULES,
}


@dataclass_transform(kw_only_default=True, eq_default=False)
def estimator(cls):
    """Make the constructor of an estimator from its fields, and complete its docstring.

    Behind ``n_components``, a class's own parameters come before the inherited ones.
    """
    cls = dataclass(cls, eq=False, repr=False, kw_only=True)
    signature = inspect.signature(cls.__init__)
    names = ["self", "n_components"]
    for base in cls.__mro__:
        names += [n for n in base.__dict__.get("__annotations__", ()) if n not in names]
    cls.__init__.__signature__ = signature.replace(
        parameters=[signature.parameters[n].replace(annotation=signature.empty) for n in names],
        return_annotation=signature.empty,
    )
    for mark, text in SHARED_DOCS.items():
        cls.__doc__ = cls.__doc__ and cls.__doc__.replace(mark, text)
    return cls


@estimator
class SharedParameters(ParameterMixin):
    """Parameters that mean the same in every autoencoder."""

    n_components: int | str = field(default="auto", kw_only=False)
    architecture: Any = "dense"
    optimizer: str | type = "adam"
    optimizer_params: dict | None = None
    lr: float = 2e-3
    lr_schedule: str | Callable | None = "one_cycle"
    weight_decay: float = 0.0
    max_grad_norm: float | None = None
    batch_size: int | str = "auto"
    max_epochs: int | str = "auto"
    early_stopping: bool | str = "auto"
    validation_fraction: float = 0.1
    patience: int | None = None
    check_baseline: bool = True
    device: str | torch.device = "auto"
    callbacks: list | None = None
    warm_start: bool = False
    random_state: Any = None
    verbose: int = 0

    _parameter_constraints = {
        "n_components": [integer(1), StrOptions({"auto"})],
        "architecture": [StrOptions(set(ARCHITECTURES)), HasMethods("build")],
        "optimizer": [StrOptions(set(OPTIMIZERS)), callable],
        "optimizer_params": [dict, None],
        "lr": [real(0, closed="neither")],
        "lr_schedule": [StrOptions(set(LR_SCHEDULES)), callable, None],
        "weight_decay": [real(0)],
        "max_grad_norm": [real(0, closed="neither"), None],
        "batch_size": [integer(1), StrOptions({"auto"})],
        "max_epochs": [integer(1), StrOptions({"auto"})],
        "early_stopping": ["boolean", StrOptions({"auto"})],
        "validation_fraction": [real(0, 1, closed="neither")],
        "patience": [integer(1), None],
        "check_baseline": ["boolean"],
        "device": [str, torch.device],
        "callbacks": [list, tuple, None],
        "warm_start": ["boolean"],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }
