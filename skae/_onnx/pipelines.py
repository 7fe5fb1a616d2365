"""Pipelines as ONNX models, by skl2onnx."""

from functools import partial

import skl2onnx
from onnx.helper import set_model_props
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType
from sklearn.base import BaseEstimator, is_classifier
from sklearn.pipeline import Pipeline

from skae._data.frames import narwhals_frame
from skae._onnx.estimators import as_method, is_known, of_given_scores
from skae._onnx.steps import TYPES, ScoreConverter, StepConverter
from skae._onnx.tracing import quiet, traced_method

#: Types of numbers, by dtype.
NUMBERS = {"float32": FloatTensorType, "float64": DoubleTensorType}

#: Version of the operators for trees and the like, the latest that skl2onnx has for all.
ML_OPSET = 3

#: Estimators whose ``score_samples`` skl2onnx knows.
SCORERS = "IsolationForest", "GaussianMixture", "BayesianGaussianMixture", "LocalOutlierFactor"


class Step(BaseEstimator):
    """A method as the last step of a pipeline.

    Parameters
    ----------
    converter : StepConverter
    """

    def __init__(self, converter):
        self.converter = converter

    def onnx_parser(self):
        """Return the function that names the outputs."""
        return self.converter.parse

    def onnx_shape_calculator(self):
        """Return the function that sets the types of outputs."""
        return self.converter.set_shapes

    def onnx_converter(self):
        """Return the function that adds nodes."""
        return self.converter.convert


def converted(before, last, detector, method, X, dtype, opset, facts):
    """Return a pipeline as an ONNX model.

    Parameters
    ----------
    before : list of estimator
        The first steps.
    last : estimator
        The last step.
    detector : OutlierDetector or None
        Around the steps.
    method : Method, str or None
        Of the last step if that is one of skae's, else the name of one.
    X, dtype, opset
        As for ``to_onnx``.
    facts : dict of str to str
        What to write into the model beside the graph.

    Returns
    -------
    onnx.ModelProto
    """
    methods = [as_method(one, "transform", dtype) if is_known(one) else None for one in before]
    inputs = _inputs(before[0] if before else last, methods[0] if before else None, X, dtype)
    pairs = zip(before, methods, strict=True)
    steps = [one if found is None else _step(StepConverter, found) for one, found in pairs]
    steps, options = [*steps, last], {}
    if is_known(last, detector):
        steps[-1] = _step(StepConverter, method)
    elif detector is not None:
        if type(last).__name__ not in SCORERS:
            raise ValueError(
                f"ONNX has no score_samples of {type(last).__name__}. An OutlierDetector can be "
                f"around an estimator of skae, or one of PCA, {', '.join(SCORERS)}."
            )
        options[id(last)] = {"score_samples": True}
        steps.append(_step(ScoreConverter, of_given_scores(method, detector, dtype)))
    elif is_classifier(last):
        options[id(last)] = {"zipmap": False}
    pipeline = Pipeline([(f"{i}", step) for i, step in enumerate(steps)])
    opsets = {"": opset, "ai.onnx.ml": ML_OPSET}
    try:
        with quiet():
            model = skl2onnx.to_onnx(
                pipeline,
                **inputs,
                target_opset=opsets,
                options=options,
            )
    except ValueError:
        raise
    except Exception as error:
        raise ValueError(_reason(error, steps)) from error
    if facts:
        set_model_props(model, facts)
    return model


def _step(kind, method):
    return Step(kind(method, partial(traced_method, method, facts={})))


def _inputs(first, method, X, dtype):
    """Return what skl2onnx is told of the inputs.

    Parameters
    ----------
    first : estimator
        The first step.
    method : Method or None
        Its method, if it is one of skae's.
    X, dtype
        As for ``to_onnx``.
    """
    if X is None:
        kind, shape = NUMBERS[dtype], [None, vars(first).get("n_features_in_")]
        if method is not None:
            example = method.samples.example(1)
            kind = TYPES.get(example.dtype, kind)
            shape = [None if i in method.samples.axes else n for i, n in enumerate(example.shape)]
        return {"initial_types": [("X", kind(shape))]}
    frame = narwhals_frame(X)
    return {"X": X[:1] if frame is None else frame[:1].to_pandas()}


def _reason(error, steps):
    """Say which step cannot be converted, and why."""
    why = " ".join(str(error).split())
    parts = [one for step in steps for one in _with_parts(step)]
    named = [type(one).__name__ for one in parts if repr(type(one)) in why]
    what = named[0] if named else "the pipeline"
    return f"skl2onnx cannot convert {what}: {why.partition('. ')[0]:.300}."


def _with_parts(step):
    """Return a step and the estimators in it."""
    inner = step.get_params().values() if isinstance(step, BaseEstimator) else ()
    return [step, *inner]
