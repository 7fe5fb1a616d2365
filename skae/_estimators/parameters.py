"""What the constructors of all autoencoders share: parameters, constraints, documentation.

Estimators are dataclasses: their annotated fields are their parameters, inherited ones
among them, and the constructor that follows from them assigns and does nothing else.
"""

import re
from collections.abc import Callable
from dataclasses import field, fields
from typing import Any, dataclass_transform

import torch
from sklearn.base import BaseEstimator

from skae._params import HasMethods, ParameterMixin, StrOptions, integer, parameter_class, real
from skae._training.optimizers import LR_SCHEDULES, OPTIMIZERS
from skae.architectures._build import ARCHITECTURES, INPUT_KINDS, make_architecture
from skae.architectures._conv import CONVOLUTION
from skae.architectures._dense import ACTIVATIONS
from skae.architectures._recurrent import RECURRENCE
from skae.architectures._tabular import TABLE
from skae.architectures._unet import UNET, UNET_CHANNELS
from skae.losses._mixed import LOSSES, make_loss

ARCHITECTURE = """\
architecture : str or object with ``build``, default="dense"
        The encoder's and decoder's layers: a parameter object such as
        `skae.architectures.Dense` for rows, `skae.architectures.Conv` for images and
        signals, `skae.architectures.Recurrent` for sequences or
        `skae.architectures.Tabular` for tables with categories and missing cells; "dense",
        "conv", "recurrent" and "tabular" are those with their defaults. Its parameters can
        be set and searched as ``architecture__<name>``."""

LOSS = """\
loss : {{"squared_error", "absolute_error", "huber", "binary_cross_entropy", "ssim"}}, \
            dict or callable, default="{0}"
        How far an output is from its target. "binary_cross_entropy" needs values in
        [0, 1]; "ssim", structural similarity, images. A dict mixes losses, as
        ``{{"ssim": 0.8, "absolute_error": 0.2}}``. A callable takes the output and the
        target, both tensors of shape (n_samples, n_features), (n_samples, channels,
        height, width) or (n_samples, n_steps, n_features), and returns one value per
        element or, but for sequences, per sample."""

OUTPUT_ACTIVATION = """\
output_activation : str, default="auto"
        Activation of the last layer. "auto" follows the loss: "sigmoid" for
        "binary_cross_entropy", otherwise "identity". Any activation of
        `skae.architectures.Dense`."""

TRAINING = """\
optimizer : {"adam", "adamw", "sgd", "nadam", "radam", "rmsprop", "muon"} or class, \
            default="adam"
        Optimizer, by name or a class of `torch.optim`. "muon" makes the steps of matrices
        orthogonal; the other parameters are trained by Adam.
    optimizer_params : dict or None, default=None
        Further parameters of the optimizer, such as ``{"momentum": 0.9}``.
    lr : float, default=2e-3
        Learning rate, the highest one if it changes.
    lr_schedule : {"cosine", "one_cycle"}, callable or None, default="one_cycle"
        How the learning rate changes over ``max_epochs``. "cosine" lets it fall to 0,
        "one_cycle" rise to ``lr`` during the first tenth and then fall [1]_. A callable
        takes the optimizer and returns a `torch.optim.lr_scheduler`, stepped after every
        epoch. None keeps it as it is.
    weight_decay : float, default=0.0
        Weight decay of the optimizer.
    max_grad_norm : float or None, default=None
        Scale gradients down to this norm where theirs is larger.
    batch_size : int or "auto", default="auto"
        Rows in a step of the optimizer. "auto" is the power of 2 next to a fiftieth of
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
        with as many components or the mean, or if images are on a scale that is hard to
        learn from. It costs little: at most 2,048 rows are looked at.
    device : str or torch.device, default="auto"
        Where to train. "auto" takes a GPU (CUDA, then MPS) if there is one.
    callbacks : list of skorch callbacks or None, default=None
        Called while training. They are copied, so that they stay as they are.
    warm_start : bool, default=False
        Whether ``fit`` goes on from the last fit, with the state of the optimizer,
        instead of starting anew.
    random_state : int, RandomState instance or None, default=None
        Source of all that is random: initial weights, order of batches, held-out rows,
        dropout, noise. An int gives the same model at every fit.
    verbose : int, default=0
        1 shows a progress bar with the loss, 0 nothing."""

#: What differs for translators.
TEXT_TRAINING = """\
optimizer : {"adam", "adamw", "sgd", "nadam", "radam", "rmsprop", "muon", "auto"} or class, \
            default="auto"
        Optimizer, by name or a class of `torch.optim`. "muon" makes the steps of matrices
        orthogonal; the other parameters are trained by Adam. "auto" is what suits the
        architecture.
    lr : float or "auto", default="auto"
        Learning rate, the highest one if it changes. "auto" is what suits the architecture.
    max_grad_norm : float or None, default=1.0
        Scale gradients down to this norm where theirs is larger.
    batch_size : int or "auto", default="auto"
        Pairs of mean length in a step of the optimizer: there are fewer of long ones, so that
        all steps are of about as many tokens. "auto" is the power of 2 next to a thousandth of
        the pairs, from 32 to 64, for a transformer to 128.
    max_epochs : int or "auto", default="auto"
        Passes over the training pairs. "auto" is what 12,500 steps allow, from 10 to 100; for a
        transformer 8,000 steps, from 6 to 100.
    early_stopping : bool or "auto", default="auto"
        Whether to hold out pairs and restore the weights of the epoch that is the best on
        them, see ``stop_by``. "auto" does so from 20 pairs up.
    validation_fraction : float or "auto", default="auto"
        Share of the pairs that early stopping holds out, unless ``fit`` gets ``X_val``.
        "auto" is a tenth, but not more than 1,000 pairs.
    check_baseline : bool, default=True
        Warn after ``fit`` if the model predicts the next token worse than the frequencies of
        tokens would.
    verbose : int, default=0
        1 shows a progress bar with the loss and the tokens per second, 0 nothing."""

FITTED_NET = """\
net_ : skorch.NeuralNet
        The trained net.
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
        Number of features of the training rows, of values of an image.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, if the training rows were a DataFrame."""

FITTED = f"""\
encoder_, decoder_ : torch.nn.Module
        The two halves, usable alone: the encoder maps a float32 tensor of shape
        (n_samples, n_features), of images (n_samples, channels, height, width), of
        sequences (n_samples, n_steps, n_features), to codes, the decoder codes to
        reconstructions. Those of tables take and give a number for each column of numbers,
        then a group of numbers for each other one, its categories. The decoder of sequences
        also takes a tensor like the encoder's.
    n_components_ : int
        Length of the code.
    {FITTED_NET}"""

SCHEDULES = """\
.. [1] L. N. Smith and N. Topin, "Super-convergence: very fast training of neural
       networks using large learning rates", 2018. :arxiv:`1708.07120`"""


def _entries(block):
    """Return the entries of a block of parameters by name."""
    entries = re.split(r"^(?:    )?(?=\w+ : )", block, flags=re.MULTILINE)
    return {entry.partition(" ")[0]: entry.rstrip() for entry in entries if entry}


#: What docstrings of estimators can refer to by name, as ``<training>``.
SHARED_DOCS = {
    "<architecture>": ARCHITECTURE,
    "<convolution>": CONVOLUTION,
    "<recurrence>": RECURRENCE,
    "<table>": TABLE,
    "<unet_channels>": UNET_CHANNELS,
    "<unet>": UNET,
    "<loss>": LOSS.format("squared_error"),
    "<absolute_loss>": LOSS.format("absolute_error"),
    "<output_activation>": OUTPUT_ACTIVATION,
    "<training>": TRAINING,
    "<text_training>": "\n    ".join((_entries(TRAINING) | _entries(TEXT_TRAINING)).values()),
    "<fitted>": FITTED,
    "<fitted_net>": FITTED_NET,
    "<fitted_text_net>": FITTED_NET.partition("\n    n_features_in_")[0],
    "<schedules>": SCHEDULES,
}


@dataclass_transform(kw_only_default=True, eq_default=False)
def estimator(cls):
    """Make the constructor of an estimator from its fields, and complete its docstring."""
    return parameter_class(cls, SHARED_DOCS)


@estimator
class SharedParameters(ParameterMixin):
    """Parameters of the training, the same in every estimator."""

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


@estimator
class CodeParameters(ParameterMixin):
    """Parameters of the code, for all that squeeze their input through one."""

    n_components: int | str = field(default="auto", kw_only=False)

    _parameter_constraints = {"n_components": [integer(1), StrOptions({"auto"})]}


@estimator
class ArchitectureParameters(ParameterMixin):
    """The architecture as a parameter, for estimators of any kind of data."""

    architecture: Any = "dense"

    _parameter_constraints = {"architecture": [StrOptions(set(ARCHITECTURES)), HasMethods("build")]}

    #: The architectures that have names.
    _architectures = ARCHITECTURES
    #: What an architecture may read.
    _input_kinds = INPUT_KINDS

    def _make_architecture(self):
        return make_architecture(self.architecture, self._architectures, self._input_kinds)

    @property
    def _input_kind(self):
        """What X is read as, see `skae.architectures`."""
        architecture = self.architecture
        if isinstance(architecture, str):
            architecture = self._architectures.get(architecture)
        return getattr(architecture, "input_kind", "rows")

    def _parameters_of_the_architecture(self):
        """Return what training on cannot change, by name."""
        architecture = self._make_architecture()
        params = {"architecture": architecture}
        if isinstance(architecture, BaseEstimator):
            params |= {f"architecture__{k}": v for k, v in architecture.get_params().items()}
        return params

    def set_params(self, **params):
        """Set parameters by name, those of the architecture as ``architecture__<name>``.

        Parameters
        ----------
        **params : dict
            Parameters and their values.

        Returns
        -------
        self : object
            The estimator itself.

        Raises
        ------
        ValueError
            If a name is unknown; the message has the nearest known one.
        """
        architecture = params.get("architecture", self.architecture)
        if any(name.startswith("architecture__") for name in params) and (
            isinstance(architecture, str) and architecture in self._architectures
        ):
            # A name has no parameters to set; the object that it stands for has.
            params = {**params, "architecture": self._architectures[architecture]()}
        return super().set_params(**params)


class FlatArchitecture:
    """The parameters of one architecture as the estimator's own."""

    #: The architecture, a class.
    _architecture = None

    @property
    def _input_kind(self):
        """What X is read as, see `skae.architectures`."""
        return self._architecture.input_kind

    def _make_architecture(self):
        return self._architecture(**self._parameters_of_the_architecture())

    def _parameters_of_the_architecture(self):
        """Return what training on cannot change, by name."""
        names = [field.name for field in fields(self._architecture)]
        return {name: getattr(self, name) for name in names}


@estimator
class LossParameters(ParameterMixin):
    """Parameters of the loss, for all that choose one freely."""

    loss: str | dict | Callable = "squared_error"
    output_activation: str = "auto"

    _parameter_constraints = {
        "loss": [StrOptions(set(LOSSES)), dict, callable],
        "output_activation": [StrOptions({"auto", *ACTIVATIONS})],
    }

    def _make_loss(self):
        return make_loss(self.loss)

    def _output_activation(self, loss):
        if self.output_activation == "auto":
            return loss.output_activation
        if getattr(loss, "from_logits", False) and (
            self.output_activation != loss.output_activation
        ):
            raise ValueError(
                f"loss={self.loss!r} needs output_activation={loss.output_activation!r} or 'auto'; "
                f"got {self.output_activation!r}"
            )
        return self.output_activation
