"""The functions to_onnx and onnx_input: fitted estimators as ONNX models, and what these take."""

import json
from importlib import import_module

from sklearn.base import BaseEstimator
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from skae._data.given import as_data
from skae._estimators.image_to_image import ImageToImageRegressor
from skae._onnx.estimators import (
    KINDS,
    as_method,
    check_detector,
    checked_method,
    is_known,
    methods_of,
    of_given_scores,
)
from skae._onnx.methods import OPSETS
from skae._outliers.detector import OutlierDetector
from skae._text.translator import Seq2SeqTranslator
from skae.exceptions import missing

#: Opset of graphs unless another one is asked for.
DEFAULT_OPSET = 20


def to_onnx(model, method=None, *, X=None, dtype="float32", opset=DEFAULT_OPSET):
    """Return a method of a fitted estimator as an ONNX model.

    The model needs neither Python nor skae: it runs wherever there is an ONNX runtime. It takes
    any number of samples.

    Parameters
    ----------
    model : estimator
        A fitted autoencoder of any architecture, `EnsembleAutoencoder`, `ImageToImageRegressor`,
        `TabularOutlierScorer`, `OutlierDetector` around any of these, a
        `~sklearn.pipeline.Pipeline`, or a search over such estimators. Steps of a pipeline that are
        scikit-learn's own are converted by skl2onnx.
    method : {"transform", "inverse_transform", "reconstruct", "score_samples", "predict", \
            "decision_function", "p_value"} or None, default=None
        What the model computes. None is "transform" for autoencoders and "predict" for
        `ImageToImageRegressor` and `OutlierDetector`. A `VariationalAutoencoder` with the
        likelihood "mixture", the default for tables, has "transform" alone. For a pipeline that
        ends in an estimator of scikit-learn, None is the only choice: it gives what skl2onnx
        makes of it, labels and probabilities for a classifier.
    X : DataFrame, array-like or None, default=None
        For pipelines, rows that show what the inputs are: one for each column of a DataFrame,
        else one of the dtype and width of the array. None is one input of numbers.
    dtype : {"float32", "float64"}, default="float32"
        Precision of the net, and of numbers in and out. With "float64", results agree with those
        of the estimator for float64 input to more digits, but the graph is slower, and ONNX
        Runtime has no convolutions and recurrent layers of float64.
    opset : int, default=20
        Version of the operators, from 18 to 23. Runtimes know those up to a certain one.

    Returns
    -------
    onnx.ModelProto
        ``onnx.save(model, path)`` writes it to a file, and ``model.SerializeToString()`` gives the
        bytes. The input is "X". Outputs are called "codes" ("transform"), "reconstruction"
        ("inverse_transform" and "reconstruct"), "prediction" ("predict" of regressors), "scores"
        ("score_samples"), "decision" ("decision_function") and "p_value". "predict" of a detector
        has three outputs: "label" (-1 for outliers, 1 for others), "scores" and "threshold".

    Raises
    ------
    ImportError
        If onnx, onnxscript or, for pipelines, skl2onnx is not installed:
        ``pip install 'skae[onnx]'``.
    NotFittedError
        If the model is not fitted.
    TypeError
        If it is none of these estimators.
    ValueError
        If it has no such method, or if ONNX or skl2onnx lacks what a layer or a step does.

    See Also
    --------
    onnx_input : What a model takes for samples of any kind.

    Notes
    -----
    - Images are as for the estimator. Unsigned integers stay so, if the fit was on such.
    - Sequences are an array of shape (n_samples, n_steps, n_features), padded with NaN; of shape
      (n_samples, n_features, n_steps) with ``channels_first``; of shape (n_samples, n_steps) if
      they have one feature and are such a table or a list of arrays with one axis. ``n_steps`` is
      free, unless a layer of your own goes through the steps in a loop: it is then that of the
      longest sequence in training. "inverse_transform" gives sequences as long as the estimator
      expects them to be, padded to that length.
    - Tables are an array of float64: numbers as they are, dates in seconds since 1970, categories
      as their position in the list of their column, -1 for others, and NaN for missing cells.
      The lists are in ``metadata_props``, as JSON under "skae.columns". What is restored is coded
      in the same way.
    - Names of columns at fit are in ``metadata_props``, as JSON under "skae.feature_names".
    - The input is not checked. NaN in rows of numbers gives NaN, and the worst score.
    - Scores agree with those of the estimator to about 1e-5 of their spread, and so do other
      results. Labels of rows whose score is that near to the threshold can differ.
    - skl2onnx itself, ``skl2onnx.to_onnx(pipeline, X[:1])``, converts pipelines with estimators of
      skae too, if skae has been imported: autoencoders by "transform", detectors and regressors
      by "predict".

    Examples
    --------
    >>> import onnxruntime
    >>> from sklearn.datasets import load_iris
    >>> from skae import Autoencoder
    >>> from skae import to_onnx
    >>> X = load_iris().data.astype("float32")
    >>> model = Autoencoder(2, max_epochs=3, random_state=0, check_baseline=False).fit(X)
    >>> graph = to_onnx(model, "reconstruct")
    >>> session = onnxruntime.InferenceSession(graph.SerializeToString())
    >>> (reconstruction,) = session.run(None, {"X": X})
    >>> bool(abs(reconstruction - model.reconstruct(X)).max() < 1e-5)
    True
    """
    _check(model, dtype, opset)
    _need("onnx", "onnxscript")
    before, last, detector = _parts(model)
    if detector is not None or is_known(last):
        method = checked_method(last if detector is None else detector, method)
        _check_pipeline(model, before, method)
    elif method is not None:
        raise ValueError(
            f"The last step is {type(last).__name__}, of which skl2onnx makes a graph: leave "
            f"method=None. For a method of an estimator of skae, convert that one; got {method!r}"
        )
    if is_known(last, detector):
        method = as_method(last, method, dtype, detector)
        if not before:
            from skae._onnx.tracing import traced_method

            return traced_method(method, opset, _facts(model))
    _need("skl2onnx")
    from skae._onnx.pipelines import converted

    return converted(before, last, detector, method, X, dtype, opset, _facts(model))


def onnx_input(model, X, *, dtype="float32"):
    """Return samples as the array that the ONNX model of an estimator takes.

    Parameters
    ----------
    model : estimator
        A fitted autoencoder, ensemble, regressor of images, `TabularOutlierScorer`, or an
        `OutlierDetector` around one.
    X : array-like, list of arrays or DataFrame
        Samples, as the estimator takes them.
    dtype : {"float32", "float64"}, default="float32"
        As for `to_onnx`.

    Returns
    -------
    ndarray
        Rows and images of the dtype of the input, sequences padded with NaN, and tables as numbers:
        categories are their positions in the list that the ONNX model holds.

    Raises
    ------
    NotFittedError
        If the model is not fitted.
    TypeError, ValueError
        If it is none of these estimators, or if it does not take such samples.

    See Also
    --------
    to_onnx : Make the ONNX model.

    Examples
    --------
    >>> import pandas as pd
    >>> from skae import TabularAutoencoder, onnx_input
    >>> table = pd.DataFrame({"age": [31, 45, 22] * 9, "job": ["cook", "nurse", None] * 9})
    >>> model = TabularAutoencoder(1, max_epochs=2, random_state=0, check_baseline=False).fit(table)
    >>> onnx_input(model, table[:3])
    array([[31.,  0.],
           [45.,  1.],
           [22., nan]])
    """
    _check(model, dtype, DEFAULT_OPSET)
    before, last, detector = _parts(model)
    if before or not is_known(last):
        raise TypeError(
            f"onnx_input is for single estimators of skae, not {type(model).__name__}: the input "
            "of pipelines is X as it is"
        )
    known = methods_of(last if detector is None else detector)
    method = "transform" if "transform" in known else known[-1]  # there is a graph of it
    samples = as_method(last, method, dtype, detector).samples
    reader = last._reader
    reader = reader.inputs if isinstance(last, ImageToImageRegressor) else reader
    X = as_data(X)
    return samples.to_array(X, reader.read(X, estimator=last))


def _step_converter(model):
    """Return what skl2onnx asks for, of the default method of a fitted estimator."""
    check_is_fitted(model)
    _need("onnx", "onnxscript")
    from skae._onnx.steps import StepConverter

    _, last, detector = _parts(model)
    owner = last if detector is None else detector
    name = checked_method(owner, None)
    if is_known(last, detector):
        method = as_method(last, name, "float32", detector)
    else:
        method = of_given_scores(name, detector, "float32")
    return StepConverter(method, lambda opset: to_onnx(model, opset=opset))


def _check(model, dtype, opset):
    if isinstance(model, Seq2SeqTranslator):
        raise TypeError(
            "to_onnx has no graph of a Seq2SeqTranslator, which generates token by token. "
            "Its to_ctranslate2 writes a model that CTranslate2 runs."
        )
    if not isinstance(model, BaseEstimator):
        what = f"the class {model.__name__}" if isinstance(model, type) else repr(model)
        raise TypeError(f"model must be a fitted estimator; got {what:.200}")
    check_is_fitted(model)
    if dtype not in ("float32", "float64"):
        raise ValueError(f"dtype must be 'float32' or 'float64'; got {dtype!r}")
    if not isinstance(opset, int) or opset not in OPSETS:
        first, last = OPSETS[0], OPSETS[-1]
        raise ValueError(f"opset must be an integer from {first} to {last}; got {opset!r}")


def _check_pipeline(model, before, method):
    if before and method in ("inverse_transform", "reconstruct"):
        raise ValueError(
            f"to_onnx has no graph of {method!r} for steps one behind the other. Give it the last "
            f"step alone, such as {type(model).__name__.lower()}[-1]."
        )


def _need(*packages):
    for package in packages:
        try:
            import_module(package)
        except ImportError as error:
            raise missing(package, "onnx") from error


def _parts(model):
    """Return the steps before the last estimator, it, and the detector around it or None."""
    if isinstance(model, FrozenEstimator):
        return _parts(model.estimator)
    if isinstance(model, Pipeline):
        *steps, last = [step for _, step in model.steps if step not in (None, "passthrough")]
        before, last, detector = _parts(last)
        return [*steps, *before], last, detector
    if isinstance(model, OutlierDetector):
        before, last, _ = _parts(model.estimator_)
        check_detector(model, before, last)
        return before, last, model
    if "best_estimator_" in vars(model):
        return _parts(model.best_estimator_)
    return [], model, None


# What skl2onnx looks for in estimators that it does not know.


def onnx_parser(self):
    """Return what skl2onnx calls for the outputs: codes, a prediction, or labels and scores.

    Returns
    -------
    callable
        Takes a scope and input variables, and returns output variables.
    """
    return _step_converter(self).parse


def onnx_shape_calculator(self):
    """Return what skl2onnx calls for the types and shapes of the outputs.

    Returns
    -------
    callable
        Takes an operator, and changes its outputs.
    """
    return _step_converter(self).set_shapes


def onnx_converter(self):
    """Return what skl2onnx calls for the nodes of the graph.

    Returns
    -------
    callable
        Takes a scope, an operator and a container, and adds nodes to the container.
    """
    return _step_converter(self).convert


for _estimator in (*KINDS, OutlierDetector):
    for _hook in (onnx_parser, onnx_shape_calculator, onnx_converter):
        setattr(_estimator, _hook.__name__, _hook)


def _facts(model):
    """Return what is to know of a model beside its graph, by name, as text."""
    facts = {"skae.estimator": type(model).__name__}
    try:
        names = model.feature_names_in_
    except AttributeError:  # not fitted on a DataFrame
        return facts
    return facts | {"skae.feature_names": json.dumps(names.tolist())}
