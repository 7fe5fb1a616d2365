"""What skl2onnx looks for in estimators that it does not know, so that it converts skae's."""

from skae._estimators.base import BaseAutoencoder
from skae._estimators.ensemble import EnsembleAutoencoder
from skae._estimators.image_to_image import ImageToImageRegressor
from skae._onnx.exporting import step_converter
from skae._outliers.detector import OutlierDetector

CLASSES = BaseAutoencoder, EnsembleAutoencoder, ImageToImageRegressor, OutlierDetector


def onnx_parser(self):
    """Return what skl2onnx calls for the outputs: codes, predictions, or labels and scores."""
    return step_converter(self).parse


def onnx_shape_calculator(self):
    """Return what skl2onnx calls for the types and shapes of the outputs."""
    return step_converter(self).set_shapes


def onnx_converter(self):
    """Return what skl2onnx calls for the nodes of the graph."""
    return step_converter(self).convert


for estimator in CLASSES:
    for hook in (onnx_parser, onnx_shape_calculator, onnx_converter):
        setattr(estimator, hook.__name__, hook)
