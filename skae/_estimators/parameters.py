"""Parameters that estimators share, with their constraints and documentation.

Estimators are dataclasses: their annotated fields, including the inherited ones, are their
parameters. The generated constructor assigns them and does nothing else.
"""

import os
import re
from collections.abc import Callable
from dataclasses import field, fields
from functools import partial
from numbers import Real
from typing import Any, dataclass_transform

import torch
from sklearn.base import BaseEstimator

from skae._params import (
    FittedAttributes,
    HasMethods,
    ParameterMixin,
    StrOptions,
    integer,
    parameter_class,
    real,
)
from skae._training.checkpoint_file import Checkpoint
from skae._training.optimizers import LR_SCHEDULES, OPTIMIZERS
from skae.architectures._base import as_given
from skae.architectures._build import ARCHITECTURES, INPUT_KINDS, input_kind, make_architecture
from skae.architectures._conv import CONVOLUTION
from skae.architectures._dense import ACTIVATIONS
from skae.architectures._recurrent import RECURRENCE
from skae.architectures._tabular import TABLE
from skae.architectures._unet import UNET, UNET_CHANNELS
from skae.exceptions import UnusedParameterWarning, warn
from skae.losses._mixed import LOSSES, make_loss

ARCHITECTURE = """\
architecture : str or object with ``build``, default="dense"
        Layers of the encoder and the decoder: a parameter object such as
        `skae.architectures.Dense` for arrays of numbers, `skae.architectures.Conv` for
        images and signals, `skae.architectures.Recurrent` for sequences, or
        `skae.architectures.Tabular` for tables with categories and missing values. "dense",
        "conv", "recurrent" and "tabular" are these objects with their defaults. Their
        parameters can be set and searched as ``architecture__<name>``."""

LOSS = """\
loss : {{"squared_error", "absolute_error", "huber", "binary_cross_entropy", "ssim"}}, \
            dict or callable, default="{0}"
        Loss that compares an output with its target. "binary_cross_entropy" needs values
        in [0, 1], and "ssim" (structural similarity) needs images. A dict is a weighted sum
        of losses, such as ``{{"ssim": 0.8, "absolute_error": 0.2}}``. A callable takes the
        output and the target, both tensors of shape (n_samples, n_features), (n_samples,
        channels, height, width) or (n_samples, n_steps, n_features). It returns one value
        per element or, except for sequences, one per sample."""

IMAGE_LOSS = """\
loss : {"squared_error", "absolute_error", "huber", "binary_cross_entropy", "ssim", \
            "color_distribution"}, dict or callable, default="absolute_error"
        Loss that compares an output with its target. "binary_cross_entropy" needs values
        in [0, 1]. "ssim" is structural similarity. "color_distribution" colors gray pictures
        vividly: it learns how probable each color is at each place. X is gray, y is RGB, both
        in [0, 1] or unsigned integers. The lightness of X stays exactly. A dict is a weighted sum
        of the other losses, such as ``{"ssim": 0.8, "absolute_error": 0.2}``. A callable takes
        the output and the target, both tensors of shape (n_samples, channels, height, width) or
        (n_samples, channels, length). It returns one value per element, or one per sample."""

OUTPUT_ACTIVATION = """\
output_activation : str, default="auto"
        Activation of the last layer: any activation of `skae.architectures.Dense`. "auto"
        depends on the loss: it is "sigmoid" for "binary_cross_entropy", otherwise
        "identity"."""

LINEAR_FRACTION = """\
linear_fraction : float, default={0}
        Fraction of the samples of a batch that the decoder restores by its linear shortcut
        alone, in training, if its layers are dense: stochastic depth. Then codes keep more of
        what linear maps can use, such as a linear classifier. Much larger fractions reconstruct
        worse."""

NEIGHBORS = """\
neighbor_weight : float, default=0.0
        Weight of a term in the loss that keeps samples close to their neighbors, and away from
        others, in the code. Then groups of similar samples are easy to tell apart, even in two
        dimensions. 1 is a good value if the codes are for another estimator or for a picture.
        Training takes longer then: batches are pairs of neighbors, each moved a little along
        the line to a further neighbor. By default, no samples are held out; the last weights
        are kept. See `skae.bottlenecks.NeighborBottleneck`.
    n_neighbors : int, default=15
        Number of nearest neighbors of each sample that are kept close, if ``neighbor_weight``
        is not 0. Distances are those between the tensors that the encoder gets or, if these are
        long, between their first 50 principal components."""

TRAINING = """\
optimizer : {"adam", "adamw", "sgd", "nadam", "radam", "rmsprop", "muon"} or class, \
            default="adam"
        Optimizer: a name or a class of `torch.optim`. "muon" orthogonalizes the updates of
        weight matrices; Adam trains the other parameters.
    optimizer_params : dict or None, default=None
        Additional parameters of the optimizer, such as ``{"momentum": 0.9}``.
    lr : float, default=2e-3
        Learning rate; its maximum if it changes.
    lr_schedule : {"cosine", "one_cycle"}, callable or None, default="one_cycle"
        How the learning rate changes over ``max_epochs``. With "cosine" it falls to 0. With
        "one_cycle" it rises to ``lr`` during the first tenth and then falls [1]_. A callable
        takes the optimizer and returns a `torch.optim.lr_scheduler`, which makes a step after
        every epoch. None keeps the learning rate constant.
    weight_decay : float, default=0.0
        Weight decay of the optimizer.
    max_grad_norm : float or None, default=None
        Maximum norm of the gradients; larger gradients are scaled down to it.
    batch_size : int or "auto", default="auto"
        Number of samples in a step of the optimizer. "auto" is the power of 2 nearest to a
        fiftieth of the number of samples, for convolutions to a 300th, from 32 to 512.
    max_epochs : int or "auto", default="auto"
        Number of passes over the training samples. "auto" is the number that takes about
        4,000 steps, or about a minute if the steps of a network take long, from 4 to 100. It is
        computed from the size of the network and of the data, so it does not depend on the speed
        of the machine.
    early_stopping : bool or "auto", default="auto"
        Whether to hold out samples, and to restore the weights of the epoch with the lowest
        loss on them. "auto" does so if there are at least 20 samples.
    validation_fraction : float, default=0.1
        Fraction of the samples that early stopping holds out, unless ``X_val`` is passed to
        ``fit``.
    patience : int or None, default=None
        Number of epochs without improvement after which early stopping ends the training.
        None always trains for ``max_epochs``, so that the schedule of the learning rate is
        completed.
    check_baseline : bool, default=True
        Whether to warn after ``fit`` if the model is worse than a simple one, such as the
        mean or PCA with as many components, if columns are lost because others vary much
        more, or if the scale of images makes them hard to learn. The check is cheap,
        as it uses at most 2,048 samples.
    device : str or torch.device, default="auto"
        Device to train on. "auto" is a GPU (CUDA, then MPS) if there is one, otherwise the
        CPU.
    callbacks : list of skorch callbacks or None, default=None
        Callbacks that are called during training. The given objects are called
        themselves, except those of skorch that only change the net, such as
        ``EarlyStopping``: these are copied.
    warm_start : bool, default=False
        Whether ``fit`` continues from the last fit, with the state of the optimizer, instead
        of starting again. With as many samples as before, early stopping holds out those at
        the same places, so shuffle none between the fits. Pickles hold what continues a
        training only if it is True, or after ``partial_fit``.
    history_size : int or None, default=None
        Number of epochs, the last ones, that ``history_`` and ``loss_curve_`` keep. None keeps
        all epochs of ``fit``, and the last 1,000 calls of ``partial_fit``, so that memory and
        pickles do not grow as long as data comes.
    checkpoint : str, PathLike, Checkpoint or None, default=None
        A file for the state of an unfinished fit, or a `skae.Checkpoint`, which also says how
        often it is written. After a crash, ``fit`` with the same data and parameters goes on from
        there, and gives the same model as without the crash. When the fit is complete, the file is
        removed. ``partial_fit`` ignores it.
    random_state : int, RandomState instance or None, default=None
        Source of all randomness: initial weights, order of batches, held-out samples,
        dropout and noise. With an int, every fit gives the same model.
    verbose : int, default=0
        1 shows a progress bar with the loss, and 0 shows nothing."""

#: Follows what "auto" means for the length of the code.
VARIANCE_FRACTION = """\
A float between 0 and 1 is the fraction of the variance to keep. Training starts with as many
        codes as PCA needs for it; afterwards as many of the last ones are cut off as held-out
        samples allow. ``n_components_`` is the number that is left."""

WHITEN = """\
whiten : bool, default=False
        Whether codes have variance 1, as of `~sklearn.decomposition.PCA`. Otherwise distances
        between codes are like those between reconstructions. ``inverse_transform`` takes codes
        as ``transform`` gives them."""

#: Parameters whose documentation differs for translators.
TEXT_TRAINING = """\
optimizer : {"adam", "adamw", "sgd", "nadam", "radam", "rmsprop", "muon", "auto"} or class, \
            default="auto"
        Optimizer: a name or a class of `torch.optim`. "muon" orthogonalizes the updates of
        weight matrices; Adam trains the other parameters. "auto" depends on the
        architecture.
    lr : float or "auto", default="auto"
        Learning rate; its maximum if it changes. "auto" depends on the architecture.
    max_grad_norm : float or None, default=1.0
        Maximum norm of the gradients; larger gradients are scaled down to it.
    batch_size : int or "auto", default="auto"
        Number of pairs of mean length in a step of the optimizer. Batches of long pairs have
        fewer, so that all steps have about as many tokens. "auto" is a power of 2: for a
        recurrent net that nearest to a thousandth of the number of pairs, from 32 to 64; for a
        transformer that nearest to a 75th, from 32 to 256.
    max_epochs : int or "auto", default="auto"
        Number of passes over the training pairs. "auto" is the number that takes about 8,500
        steps, from 10 to 100; for a transformer 1,500 steps, from 10 to 100.
    early_stopping : bool or "auto", default="auto"
        Whether to hold out pairs, and to restore the weights of the epoch that is best on
        them; see ``stop_by``. "auto" does so if there are at least 20 pairs.
    validation_fraction : float or "auto", default="auto"
        Fraction of the pairs that early stopping holds out, unless ``X_val`` is passed to
        ``fit``. "auto" is a tenth, but at most 1,000 pairs.
    check_baseline : bool, default=True
        Whether to warn after ``fit`` if the model predicts the next token worse than the
        frequencies of tokens do.
    verbose : int, default=0
        1 shows a progress bar with the loss and the tokens per second, and 0 shows
        nothing."""

TARGET = """\
target : {"classification", "regression"} or None, default=None
        What labels the codes learn to predict. None ignores y, so that a pipeline can have labels
        for its next step. Otherwise a linear prediction of y from the codes is trained along, and
        its loss is added [SAE]_: the cross-entropy of classes, or the squared error of standardized
        numbers, of which there may be several for each sample. Codes of new samples need no
        labels. NaN, None or NA in y stands for a missing label; such samples count in the
        reconstruction only. So does -1 if it is the only negative class and there are at least
        two others, as in `sklearn.semi_supervised`.
    target_weight : float, default=1.0
        Weight of the labels beside the reconstruction. With 1, the best constant prediction of
        the labels costs half as much as the best constant reconstruction, whatever the units of
        both. Less restores samples better, more separates the labels better. If only a fraction
        of the labels is known, they count as its square root."""

FITTED_CLASSES = """\
classes_ : ndarray of shape (n_classes,)
        The classes of y, with ``target="classification"``."""

SUPERVISED = """\
.. [SAE] L. Le, A. Patterson and M. White, "Supervised autoencoders: improving
       generalization performance with unsupervised regularizers", NeurIPS 2018."""

FITTED_NET = """\
net_ : skorch.NeuralNet
        The trained network.
    history_ : skorch.history.History
        Record of each epoch: ``train_loss``; ``valid_loss`` if there are validation
        samples; and ``dur``, its duration in seconds. That of the last epoch has
        ``restored_epoch``, if ``early_stopping`` chose among the weights of all epochs.
    loss_curve_ : list of float
        Mean training loss of each epoch.
    n_iter_ : int
        Number of epochs trained, of all fits that were continued.
    device_ : torch.device
        Device of the network.
    n_features_in_ : int
        Number of features of the training data; for images, the number of values of one.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, if the training data was a DataFrame."""

FITTED = f"""\
encoder_ : torch.nn.Module
        The half of the network that maps a float32 tensor of samples to codes. The tensor has
        shape (n_samples, n_features); for images (n_samples, channels, height, width); for
        sequences (n_samples, n_steps, n_features). For tables, it holds one number for each
        numeric column, then one number for each category of the other columns.
    decoder_ : torch.nn.Module
        The half of the network that maps codes to a tensor like that of the encoder: the
        reconstructions. For sequences it also takes such a tensor.
    n_components_ : int
        Length of the code.
    {FITTED_NET}"""

FITTED_CODE = """\
explained_variance_ratio_ : ndarray of shape (n_components,)
        Fraction of the variance of the training samples that each code explains: R2 of the
        reconstructions, divided among the codes by their variances before ``whiten``. Its sum
        is the ``score`` of the training samples, or of 5,000 of them. For linear layers it is
        that of PCA. There is none for spatial codes, and for more than 1,024 codes.
    feature_importances_ : ndarray of shape (n_components, n_features)
        What each code depends on: the mean square of its derivative by each value, times the
        variance of the value, as a fraction of the sum over all values. For tables there is one
        number for each column, for images they have the shape of an image, and for sequences there
        is one for each feature. They are left out where they would take more than 32 MB."""

SCHEDULES = """\
.. [1] L. N. Smith and N. Topin, "Super-convergence: very fast training of neural
       networks using large learning rates", 2018. :arxiv:`1708.07120`"""


def _entries(block):
    """Return the entries of a block of parameters by name."""
    entries = re.split(r"^(?:    )?(?=\w+ : )", block, flags=re.MULTILINE)
    return {entry.partition(" ")[0]: entry.rstrip() for entry in entries if entry}


#: Texts that docstrings of estimators can include by a mark, such as ``<training>``.
SHARED_DOCS = {
    "<architecture>": ARCHITECTURE,
    "<convolution>": CONVOLUTION,
    "<recurrence>": RECURRENCE,
    "<table>": TABLE,
    "<unet_channels>": UNET_CHANNELS,
    "<unet>": UNET,
    "<linear_fraction>": LINEAR_FRACTION.format(0.25),
    "<no_linear_fraction>": LINEAR_FRACTION.format(0.0),
    "<neighbors>": NEIGHBORS,
    "<loss>": LOSS.format("squared_error"),
    "<image_loss>": IMAGE_LOSS,
    "<output_activation>": OUTPUT_ACTIVATION,
    "<training>": TRAINING,
    "<text_training>": "\n    ".join((_entries(TRAINING) | _entries(TEXT_TRAINING)).values()),
    "<variance_fraction>": VARIANCE_FRACTION,
    "<whiten>": WHITEN,
    "<target>": TARGET,
    "<supervised>": SUPERVISED,
    "<classes>": FITTED_CLASSES,
    "<fitted>": FITTED,
    "<fitted_code>": FITTED_CODE,
    "<fitted_net>": FITTED_NET,
    "<fitted_text_net>": FITTED_NET.partition("\n    n_features_in_")[0],
    "<schedules>": SCHEDULES,
}


@dataclass_transform(kw_only_default=True, eq_default=False)
def estimator(cls):
    """Make the constructor of an estimator from its fields, and complete its docstring."""
    return parameter_class(cls, SHARED_DOCS)


@estimator
class SharedParameters(FittedAttributes, ParameterMixin):
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
    history_size: int | None = None
    checkpoint: str | os.PathLike | Checkpoint | None = None
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
        "history_size": [integer(1), None],
        "checkpoint": [str, os.PathLike, Checkpoint, None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def _without_effect(self):
        """Return the parameters that have no effect, by name the value that is the reason."""
        if self.early_stopping:
            return {}
        return dict.fromkeys(("patience", "validation_fraction"), "early_stopping=False")

    def _warn_of_unused(self):
        """Warn of parameters that are set, but have no effect."""
        defaults = {field.name: field.default for field in fields(self)}
        for name, reason in self._without_effect().items():
            value = getattr(self, name)
            if value != defaults[name]:
                warn(
                    f"{name}={value!r} has no effect with {reason}. Change one of them.",
                    UnusedParameterWarning,
                )


@estimator
class CodeParameters(ParameterMixin):
    """Parameters of the code, for estimators that have one."""

    n_components: int | str = field(default="auto", kw_only=False)

    _parameter_constraints = {"n_components": [integer(1), StrOptions({"auto"})]}

    def _nearest_options(self):
        if isinstance(self.n_components, Real) and 0 < self.n_components < 1:
            return (
                " A fraction of the variance is for codes that can be ordered by it: those of "
                "Autoencoder, DenoisingAutoencoder, ConvAutoencoder, RecurrentAutoencoder and "
                "TabularAutoencoder."
            )
        return super()._nearest_options()


@estimator
class ArchitectureParameters(ParameterMixin):
    """The architecture as a parameter, for estimators of any kind of data."""

    architecture: Any = "dense"

    _parameter_constraints = {"architecture": [StrOptions(set(ARCHITECTURES)), HasMethods("build")]}

    #: The architectures that have names.
    _architectures = ARCHITECTURES
    #: The kinds of data that an architecture can take.
    _input_kinds = INPUT_KINDS

    @classmethod
    def _parts(cls):
        makers = cls._architectures.values()
        kinds = [one.func if isinstance(one, partial) else one for one in makers]
        return {"architecture": list(dict.fromkeys(kinds))}

    def _make_architecture(self):
        return make_architecture(self.architecture, self._architectures, self._input_kinds)

    @property
    def _input_kind(self):
        """Kind of data that X is read as; see `skae.architectures`."""
        return input_kind(self.architecture, self._architectures)

    def _parameters_of_the_architecture(self):
        """Return the parameters that cannot change when training continues, by name."""
        architecture = self._make_architecture()
        given, changing = as_given(architecture), architecture.training_parameters
        if not isinstance(given, BaseEstimator):
            return {"architecture": given}
        fixed = {k: v for k, v in given.get_params().items() if k not in changing}
        return {"architecture": type(given)} | {f"architecture__{k}": v for k, v in fixed.items()}

    def set_params(self, **params):
        """Set parameters by name.

        Parameters of the architecture are named ``architecture__<name>``.

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
            If a name is unknown. The message suggests the most similar known name.
        """
        architecture = params.get("architecture", self.architecture)
        if any(name.startswith("architecture__") for name in params) and (
            isinstance(architecture, str) and architecture in self._architectures
        ):
            # Replace the name by the object that it stands for, whose parameters can be set.
            params = {**params, "architecture": self._architectures[architecture]()}
        return super().set_params(**params)


class FlatArchitecture:
    """Mixin for estimators that have the parameters of one architecture as their own."""

    #: The architecture, a class.
    _architecture = None

    @property
    def _input_kind(self):
        """Kind of data that X is read as; see `skae.architectures`."""
        return self._architecture.input_kind

    def _make_architecture(self):
        names = [field.name for field in fields(self._architecture)]
        return self._architecture(**{name: getattr(self, name) for name in names})

    def _parameters_of_the_architecture(self):
        """Return the parameters that cannot change when training continues, by name."""
        changing = self._architecture.training_parameters
        names = [f.name for f in fields(self._architecture) if f.name not in changing]
        return {name: getattr(self, name) for name in names}


@estimator
class LossParameters(ParameterMixin):
    """Parameters of the loss, for estimators that take any loss."""

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
        if loss.from_logits and self.output_activation != loss.output_activation:
            raise ValueError(
                f"loss={self.loss!r} needs output_activation={loss.output_activation!r} or 'auto'; "
                f"got {self.output_activation!r}"
            )
        return self.output_activation
