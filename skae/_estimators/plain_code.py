"""Autoencoders whose code is the encoder's output as it is."""

from skae._estimators.parameters import estimator
from skae._params import ParameterMixin


@estimator
class PlainCode(ParameterMixin):
    """Parameters and attributes of autoencoders with a plain code."""
