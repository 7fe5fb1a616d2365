"""A sensible search space for each estimator."""

import warnings
from dataclasses import dataclass

from scipy.stats import loguniform
from sklearn.ensemble import IsolationForest
from sklearn.pipeline import Pipeline

from skae._estimators.parameters import ArchitectureParameters
from skae._model_selection.pruning import import_optuna
from skae._params import StrOptions, refuse_class
from skae._sklearn import validate_parameter_constraints
from skae.architectures import Dense


@dataclass(frozen=True)
class Range:
    """A positive number, of which ratios matter."""

    low: float
    high: float
    values: tuple

    def as_list(self):
        return list(self.values)

    def as_distribution(self):
        return loguniform(self.low, self.high)

    def as_optuna(self, optuna):
        return optuna.distributions.FloatDistribution(self.low, self.high, log=True)


@dataclass(frozen=True)
class Choice:
    """One of some values."""

    values: tuple

    def as_list(self):
        return list(self.values)

    as_distribution = as_list

    def as_optuna(self, optuna):
        with warnings.catch_warnings():  # of choices that are objects
            warnings.simplefilter("ignore", UserWarning)
            return optuna.distributions.CategoricalDistribution(self.values)


#: By class, what is worth a search. Subclasses have what their base classes have, but for None.
SPACES = {
    "NeuralEstimator": {"lr": Range(5e-4, 5e-3, (1e-3, 2e-3, 4e-3))},
    "Autoencoder": {"linear_fraction": Choice((0.0, 0.25)), "neighbor_weight": Choice((0.0, 0.1))},
    "DenoisingAutoencoder": {
        "linear_fraction": None,
        "neighbor_weight": None,
        "noise_level": Range(0.03, 0.5, (0.05, 0.1, 0.2)),
    },
    "VariationalAutoencoder": {"kl_warmup": Choice((0.0, 0.3))},
    "TabularAutoencoder": {"noise_level": Range(0.03, 0.5, (0.1, 0.3))},
    "ConvAutoencoder": {"n_residual_blocks": Choice((0, 1))},
    "ImageToImageRegressor": {"n_residual_blocks": Choice((0, 1, 2))},
    "Seq2SeqTranslator": {
        "lr": Range(1e-3, 1.2e-2, (2e-3, 4e-3, 8e-3)),
        "label_smoothing": Choice((0.0, 0.1)),
    },
    "EnsembleAutoencoder": {"max_features": Choice((0.6, 1.0)), "bootstrap": Choice((False, True))},
    "OutlierDetector": {"estimator": Choice((None, IsolationForest(random_state=0)))},
    "SeriesOutlierDetector": {
        "estimator": Choice(("auto", IsolationForest(random_state=0))),
        "causal": Choice((False, True)),
    },
    "StreamingThreshold": {"method": Choice(("quantile", "spot", "dspot"))},
    "TabularImputer": {"add_indicator": Choice((False, True))},
    "TabularOutlierScorer": {
        "n_neighbors": Choice(((1, 4, 16), (1,), (16,))),
        "assume_clean": Choice((False, True)),
    },
    "ImageOutlierScorer": {"n_estimators": Choice((2, 4))},
    # Architectures, and the parameters of estimators that have those of one.
    "Dense": {
        "hidden_layer_sizes": Choice(((128, 64), (256,), (256, 128))),
        "normalization": Choice((None, "batch")),
    },
    "TabularParameters": {"hidden_layer_sizes": Choice(((128, 64), (256,), (256, 128)))},
    "ConvParameters": {"hidden_layer_sizes": Choice((64, 128, 256))},
    "RecurrentParameters": {
        "hidden_layer_sizes": Choice((16, 32, 64)),
        "bidirectional": Choice((False, True)),
    },
}

#: The same, where other estimators learn from the codes. Elsewhere, more of them is always better,
#: and weight decay is worse.
OF_CODES = {
    "BaseAutoencoder": {
        "n_components": Choice((4, 8, 16)),
        "lr": Range(2.5e-4, 5e-3, (5e-4, 2e-3)),
        "weight_decay": Range(1e-4, 0.3, (0.0, 0.1)),
        "architecture": None,
    },
    "SparseAutoencoder": {"n_components": Choice((32, 64, 128)), "k": Choice((4, 8, 16))},
    "VariationalAutoencoder": {"beta": Range(0.05, 2.0, (0.1, 1.0)), "kl_warmup": None},
}

#: What "dense" stands for, and others.
DENSE = Choice((Dense(), Dense(256), Dense(normalization="batch")))


def default_grid(estimator, kind="grid"):
    """Return a sensible search space for an estimator.

    It has the few parameters that most often help, with values around the defaults. The length of
    the code and weight decay are in it only if later steps of a pipeline learn from the codes:
    reconstructions get better with each component, and worse with weight decay.

    Read more in the :ref:`User Guide <batched_search>`.

    Parameters
    ----------
    estimator : estimator
        One of skae's, or a pipeline or another estimator with one inside.
    kind : {"grid", "random", "optuna"}, default="grid"
        "grid" is lists of values, for any search, "random" has distributions of `scipy.stats`, for
        randomized searches, and "optuna" those of `optuna.distributions`.

    Returns
    -------
    space : dict
        Names of parameters, such as ``autoencoder__lr`` in a pipeline, and their values. It is a
        dict of your own, to change as you like.

    Raises
    ------
    ValueError
        If the estimator has no part that skae has a search space for, or if ``kind`` is unknown.

    Notes
    -----
    ``neighbor_weight`` above 0 improves accuracy or variance by several percent on some tables,
    and loses as much on others. Networks with it are trained one by one. For a quicker
    search, remove it: ``del space["neighbor_weight"]``.

    Choices of architectures are objects, which a study of Optuna holds in memory only.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from skae import Autoencoder, VariationalAutoencoder
    >>> from skae.model_selection import default_grid
    >>> default_grid(VariationalAutoencoder())["lr"]
    [0.001, 0.002, 0.004]
    >>> space = default_grid(make_pipeline(Autoencoder(), LogisticRegression()))
    >>> space["autoencoder__n_components"]
    [4, 8, 16]
    >>> default_grid(VariationalAutoencoder(), "optuna")["lr"]
    FloatDistribution(high=0.005, log=True, low=0.0005, step=None)
    """
    kinds = {"kind": [StrOptions({"grid", "random", "optuna"})]}
    validate_parameter_constraints(kinds, {"kind": kind}, "default_grid")
    refuse_class("estimator", estimator)
    space = {}
    for path, part in _parts(estimator):
        found = _space_of(part, is_followed=_is_followed(estimator, path))
        space |= {f"{path}__{name}" if path else name: values for name, values in found.items()}
    # Of a part that has a space itself, no other is tried in its place.
    space = {n: v for n, v in space.items() if not any(m.startswith(f"{n}__") for m in space)}
    if not space:
        raise ValueError(f"estimator={estimator!r} has nothing of skae's in it to search for")
    return {name: _converted(values, kind) for name, values in space.items()}


def _parts(estimator):
    """Return pairs of the name of a part, as ``set_params`` knows it, and the part."""
    return [("", estimator), *estimator.get_params().items()]


def _space_of(part, is_followed):
    """Return what is worth a search of a part itself."""
    space = {}
    if isinstance(part, ArchitectureParameters) and part.architecture == "dense":
        space["architecture"] = DENSE
    for spaces in [SPACES, OF_CODES] if is_followed else [SPACES]:
        for cls in reversed(type(part).__mro__):
            space |= spaces.get(cls.__name__, {})
    return {name: values for name, values in space.items() if values is not None}


def _is_followed(estimator, path):
    """Say whether a step of a pipeline comes behind a part."""
    names = path.split("__")
    for i in range(len(names)):
        outer = dict(_parts(estimator))["__".join(names[:i])]
        if isinstance(outer, Pipeline) and names[i] != outer.steps[-1][0]:
            return True
    return False


def _converted(values, kind):
    if kind == "grid":
        return values.as_list()
    if kind == "random":
        return values.as_distribution()
    return values.as_optuna(import_optuna())
