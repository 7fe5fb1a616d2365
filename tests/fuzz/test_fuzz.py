"""Whatever strangers give: a good answer, or an error that says what is wrong.

Each case fits an estimator with some parameters to some samples, calls a few methods with others,
and fits it again. An answer has the right shape and type and is finite. An error comes from skae or
scikit-learn, and it names the parameter, the column or the sample. A failed call leaves the fitted
model as it was. The suite runs a few hundred cases. This command runs 10,000::

    pytest tests/fuzz --hypothesis-profile=thorough -n 2
"""

import copy
import inspect
import pickle
import re
import traceback
import warnings
from numbers import Real
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import samples
import sklearn
import torch
from hypothesis import given, note
from hypothesis import strategies as st
from scipy import sparse
from sklearn.base import BaseEstimator, clone
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils._param_validation import generate_invalid_param_val

import skae
from skae import (
    Autoencoder,
    BatchedGridSearchCV,
    ConvAutoencoder,
    DenoisingAutoencoder,
    EnsembleAutoencoder,
    ImageToImageRegressor,
    OutlierDetector,
    RecurrentAutoencoder,
    Seq2SeqTranslator,
    SparseAutoencoder,
    TabularAutoencoder,
    TabularOutlierScorer,
    VariationalAutoencoder,
)
from skae.architectures import Dense, RecurrentEncoderDecoder, Transformer

QUICK = {"max_epochs": 1, "check_baseline": False, "random_state": 0}

#: Values to set parameters to. Some are wrong, and none is to end in a traceback of torch.
PARAMETERS = {
    "n_components": [1, 2, 3, 50, 0],
    "loss": ["absolute_error", "huber", "binary_cross_entropy", "ssim", "mse"],
    "likelihood": ["bernoulli", "gaussian"],
    "architecture": ["dense", "tabular", "conv", "recurrent", Dense((3,), dropout=0.5), Dense, 3],
    "optimizer": ["sgd", "muon", "adamw", torch.optim.Adagrad, int],
    "lr": [1e-9, 10.0, 1e30, np.inf],
    "lr_schedule": ["cosine", None],
    "weight_decay": [0.1, 1e10],
    "max_grad_norm": [1e-3, 1e30],
    "batch_size": [1, 7, 10**9, 0],
    "early_stopping": [True, False],
    "validation_fraction": [0.01, 0.5, 0.99],
    "patience": [1, 100],
    "warm_start": [True],
    "noise_level": [0.0, 1.0, (0.1, 0.5), -1],
    "corruption": ["swap", "masking", "salt_and_pepper", "gaussian"],
    "max_categories": [1, 2],
    "hidden_layer_sizes": [(), 3, (4, 2)],
    "normalization": ["batch", "layer", None],
    "dropout": [0.5],
    "sparsity": ["l1", "kl", "topk"],
    "cell": ["gru", "rnn"],
    "contamination": [0.1, 0.5],
    "cv": [2, 3],
    "bootstrap": [True],
    "max_features": [0.5],
    "tokenization": ["char", "word", "bpe"],
    "beam_size": [1, 2],
    "device": ["cpu", "mps", "cpu:1", "tpu"],
    "verbose": [0],
    "random_state": [3, "a"],
}

ROWS = [
    Autoencoder(**QUICK),
    Autoencoder(2, **QUICK),
    DenoisingAutoencoder(**QUICK),
    SparseAutoencoder(**QUICK),
    VariationalAutoencoder(**QUICK),
]
IMAGES = [
    ConvAutoencoder(2, (2,), **QUICK),
    Autoencoder(2, architecture="conv", **QUICK),
    VariationalAutoencoder(2, architecture="conv", **QUICK),
]
SEQUENCES = [
    RecurrentAutoencoder(2, (3,), **QUICK),
    Autoencoder(2, architecture="recurrent", **QUICK),
    VariationalAutoencoder(2, architecture="recurrent", **QUICK),
]
TABLES = [
    TabularAutoencoder(2, hidden_layer_sizes=(8,), **QUICK),
    VariationalAutoencoder(2, architecture="tabular", **QUICK),
    DenoisingAutoencoder(2, architecture="tabular", corruption="swap", **QUICK),
]
DETECTORS = [
    OutlierDetector(random_state=0),
    OutlierDetector(Autoencoder(2, **QUICK), cv=2),
    OutlierDetector(TabularAutoencoder(2, hidden_layer_sizes=(8,), **QUICK)),
    OutlierDetector(make_pipeline(StandardScaler(), Autoencoder(2, **QUICK))),
    TabularOutlierScorer(random_state=0),
]
COMPOSITES = [
    EnsembleAutoencoder(Autoencoder(1, **QUICK), n_estimators=2, random_state=0),
    EnsembleAutoencoder(
        [Autoencoder(1, **QUICK), VariationalAutoencoder(1, **QUICK)], n_estimators=2
    ),
    BatchedGridSearchCV(Autoencoder(**QUICK), {"n_components": [1, 2]}, cv=2, error_score="raise"),
    make_pipeline(StandardScaler(), Autoencoder(1, **QUICK)),
]
TRANSLATORS = [
    Seq2SeqTranslator(RecurrentEncoderDecoder(4), beam_size=1, **QUICK),
    Seq2SeqTranslator(Transformer(8, n_heads=2), beam_size=2, tokenization="char", **QUICK),
]


def _pairs(samples):
    """Inputs and targets to fit, and to predict: mostly as many of both."""
    return st.tuples(samples, samples).map(lambda drawn: tuple(zip(*drawn, strict=True)))


def _alone(samples):
    return samples.map(lambda drawn: tuple((one,) for one in drawn))


def _texts():
    pair = st.tuples(samples.texts(n=12), samples.texts(n=12))
    return st.tuples(pair, st.tuples(samples.texts(), samples.texts()))


FAMILIES = {
    "rows": (ROWS, _alone(samples.rows())),
    "images": (IMAGES, _alone(samples.images())),
    "sequences": (SEQUENCES, _alone(samples.sequences())),
    "tables": (TABLES, _alone(samples.tables())),
    "detectors of rows": (DETECTORS, _alone(samples.rows())),
    "detectors of tables": (DETECTORS, _alone(samples.tables())),
    "composites": (COMPOSITES, _alone(samples.rows())),
    "other input": (
        ROWS + IMAGES + SEQUENCES + TABLES + DETECTORS + COMPOSITES,
        _alone(samples.rows() | samples.images() | samples.sequences() | samples.tables()),
    ),
    "pictures to pictures": ([ImageToImageRegressor((2,), **QUICK)], _pairs(samples.images())),
    "translators": (TRANSLATORS, _texts()),
}

#: How to call each method with the arguments of ``fit``.
METHODS = {
    **{
        name: lambda model, X, *y, name=name: getattr(model, name)(X)
        for name in (
            "transform",
            "inverse_transform",
            "reconstruct",
            "impute",
            "predict",
            "score_samples",
            "decision_function",
            "p_value",
            "elbo",
            "reconstruction_errors",
            "feature_losses",
            "explain",
            "nearest_normal",
        )
    },
    "score": lambda model, *args: model.score(*args),
    "log_likelihood": lambda model, *args: model.log_likelihood(*args),
    "sample": lambda model, X, *y: model.sample(X) if y else model.sample(3, random_state=0),
    "report": lambda model, X, *y: model.report(X),
    "predict_fdr": lambda model, X, *y: model.predict_fdr(X),
    "round trip": lambda model, X, *y: model.inverse_transform(model.transform(X)),
    "partial_fit": lambda model, *args: copy.deepcopy(model).partial_fit(*args) and None,
    "predict_n_best": lambda model, X, *y: model.predict_n_best(X, 2),
    "in a frame": lambda model, X, *y: (
        copy.deepcopy(model).set_output(transform="pandas").transform(X)
    ),
    "fit and transform": lambda model, X, *y: clone(model).fit_transform(X, *y),
    "after pickle": lambda model, X, *y: pickle.loads(pickle.dumps(model)).transform(X),
}
#: What a model needs for the entries that are no methods.
NEEDS = {
    "round trip": "inverse_transform",
    "in a frame": "get_feature_names_out",
    "fit and transform": "transform",
    "after pickle": "transform",
}
#: Answers that keep missing values missing.
MAY_HAVE_NAN = {"reconstruction_errors", "feature_losses", "explain", "report", "nearest_normal"}

#: Words that say where the fault is, in addition to the names of parameters.
PLACES = (
    "X|y|X_val|sample_weight|columns?|features?|samples?|rows?|arrays?|data|inputs?|targets?|texts?"
    "|images?|sequences?|steps?|codes?|names?|category|categories"
)
LIBRARIES = tuple(str(Path(module.__file__).parent) for module in (skae, sklearn))


#: Where estimators of scikit-learn raise errors of their own: a scaler before an autoencoder.
FOREIGN = str(Path(sklearn.__file__).parent / "preprocessing")


def check_error(error, model):
    """An error is a ValueError or a TypeError of skae or scikit-learn, and says where."""
    files = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
    if any(file.startswith(FOREIGN) for file in files):
        return
    assert isinstance(error, (ValueError, TypeError)), "an error of another kind"
    assert files[-1].startswith(LIBRARIES), f"raised in {files[-1]}"
    names = "|".join(re.escape(name.rpartition("__")[2]) for name in model.get_params())
    assert re.search(rf"\b({PLACES}|{names})\b", str(error), re.IGNORECASE), "no place named"


def n_samples(X):
    return X.shape[0] if hasattr(X, "shape") else len(X)


def _has_empty_column(X):
    """Say whether a table has a column without values, which stays as it is."""
    if hasattr(X, "to_pandas"):
        X = X.to_pandas()
    try:
        return bool(pd.DataFrame(X).isna().all().any())
    except (ValueError, TypeError, RuntimeError):  # sequences, images or tensors
        return False


def check_answer(method, answer, X, may_miss=False):
    """An answer has a row for each sample, and its numbers are finite."""
    if method in ("partial_fit", "report", "predict_fdr") or answer is None:
        return
    if method == "score":
        assert isinstance(answer, Real), type(answer)
        assert np.isfinite(answer) or n_samples(X) < 2, answer
        return
    if method != "sample" and hasattr(X, "__len__"):
        n = n_samples(X)
        for part in answer if isinstance(answer, tuple) else [answer]:
            assert n_samples(part) == n, f"{n_samples(part)} answers for {n} samples"
    for part in _parts(answer):
        assert not np.isinf(part).any(), "infinite"
        assert may_miss or method in MAY_HAVE_NAN or not np.isnan(part).any(), "NaN"


def _parts(answer):
    """Yield the arrays of numbers of an answer."""
    if sparse.issparse(answer):
        answer = answer.data
    if hasattr(answer, "to_pandas"):
        answer = answer.to_pandas()
    if isinstance(answer, pd.DataFrame):
        for name in range(answer.shape[1]):
            column = answer.iloc[:, name]
            if pd.api.types.is_numeric_dtype(column.dtype):
                yield column.to_numpy(float, na_value=np.nan)
    elif isinstance(answer, (list, tuple)):
        for part in answer:
            yield from _parts(part)
    elif isinstance(answer, np.ndarray) and answer.dtype.kind in "fc":
        yield answer


def same(a, b):
    if sparse.issparse(a):
        a, b = a.toarray(), b.toarray()
    return np.array_equal(np.asarray(a), np.asarray(b), equal_nan=True)


def attempt(model, name, call):
    """Call, and return the answer, or None after an error that is as it should be."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for category in OUR_WARNINGS:
            warnings.simplefilter("ignore", category)
        for message in MESSAGES_OF_SKLEARN:
            warnings.filterwarnings("ignore", message)
        try:
            return SimpleNamespace(answer=call())
        except Exception as error:
            note(f"{name}: {type(error).__name__}: {error}")
            check_error(error, model)
            return None


OUR_WARNINGS = [
    value
    for module in (skae.exceptions, sklearn.exceptions)
    for value in vars(module).values()
    if isinstance(value, type) and issubclass(value, Warning)
]
#: Warnings of scikit-learn that have no class of their own.
MESSAGES_OF_SKLEARN = [
    "X (has|does not have valid) feature names",
    "One or more of the (test|train) scores are non-finite",
    "Scoring failed",
]


def _settable(model):
    """Return the parameters that can be varied, and the values to choose from."""
    return {
        name: PARAMETERS[name.rpartition("__")[2]]
        for name, value in model.get_params().items()
        if name.rpartition("__")[2] in PARAMETERS and not isinstance(value, BaseEstimator)
    }


@st.composite
def models(draw, estimators):
    """An estimator with a few other parameters, of which some are invalid."""
    model = clone(draw(st.sampled_from(estimators)))
    settable = _settable(model)
    for name in draw(st.lists(st.sampled_from(sorted(settable)), max_size=2, unique=True)):
        model.set_params(**{name: draw(st.sampled_from(settable[name]))})
    return model


WEIGHTS = [
    lambda n: np.ones(n),
    lambda n: [2] * n,
    lambda n: torch.arange(n),
    lambda n: np.zeros(n),
    lambda n: -np.ones(n),
    lambda n: np.full(n, np.nan),
    lambda n: np.full(n, 1e308),
    lambda n: np.full(n, 1e-320),
    lambda n: np.ones(n + 1),
    lambda n: ["a"] * n,
    lambda n: 3.0,
]


@st.composite
def fit_params(draw, model, train, new):
    """Parameters of ``fit``, most often none."""
    if isinstance(model, Pipeline):
        return {}
    parameters = inspect.signature(model.fit).parameters
    choices = [{}, {}]
    if "X_val" in parameters:
        choices.append(dict(zip(("X_val", "y_val"), new, strict=False)))
    if "sample_weight" in parameters:
        n = len(train[0]) if isinstance(train[0], (list, np.ndarray)) else 25
        choices.append({"sample_weight": draw(st.sampled_from(WEIGHTS))(n)})
    return draw(st.sampled_from(choices))


@pytest.mark.parametrize("family", FAMILIES)
def test_any_samples(family):
    estimators, data = FAMILIES[family]

    @given(models(estimators), data, st.data())
    def answers_or_explains(model, data, more):
        case(model, *data, more)

    answers_or_explains()


def case(model, train, new, more):
    """Fit a model, call some of its methods with new samples, and fit it again."""
    keeps_state = not isinstance(model, Pipeline)
    given = more.draw(fit_params(model, train, new))
    note(f"{model}\ntrain: {_describe(train)}\nnew: {_describe(new)}\n{given}")
    unfitted = set(vars(model))
    if attempt(model, "fit", lambda: model.fit(*train, **given)) is None:
        left = set(vars(model)) - unfitted
        assert not keeps_state or not left, f"a failed fit left {left}"
        return
    available = [name for name in METHODS if hasattr(model, NEEDS.get(name, name))]
    main = next(name for name in ("score_samples", "transform", "predict") if name in available)
    before = attempt(model, main, lambda: METHODS[main](model, *train))
    for name in more.draw(st.lists(st.sampled_from(available), max_size=4, unique=True)):
        answer = attempt(model, name, lambda name=name: METHODS[name](model, *new))
        if answer is not None:
            note(name)
            check_answer(name, answer.answer, new[0], may_miss=_has_empty_column(train[0]))
    failed = attempt(model, "second fit", lambda: model.fit(*new)) is None
    if failed and before is not None and keeps_state:
        after = METHODS[main](model, *train)
        assert same(before.answer, after), "a failed fit changed the model"


def _describe(args):
    return ", ".join(
        f"{type(X).__name__} {getattr(X, 'shape', '')} {getattr(X, 'dtype', '')} {repr(X)[:300]}"
        for X in args
    )


@pytest.mark.parametrize(
    "model",
    [ROWS[0], *ROWS[2:], *IMAGES[:1], *SEQUENCES[:1], *TABLES[:1], DETECTORS[0], DETECTORS[-1]]
    + [*COMPOSITES[:1], ImageToImageRegressor((2,), **QUICK), *TRANSLATORS[:1]],
    ids=lambda model: type(model).__name__,
)
def test_invalid_parameters(model):
    """An invalid parameter is named before anything is read."""
    texts = ["a b", "b c", "c d"]
    X = texts if isinstance(model, Seq2SeqTranslator) else np.ones((3, 4))
    constraints = model._parameter_constraints
    for name, allowed in constraints.items():
        for constraint in allowed:
            try:
                value = generate_invalid_param_val(constraint)
            except (NotImplementedError, AttributeError):
                continue
            invalid = clone(model).set_params(**{name: value})
            with pytest.raises((ValueError, TypeError), match=rf"\b{name}\b"):
                invalid.fit(X, X)
