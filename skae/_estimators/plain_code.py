"""Autoencoders whose code is the encoder's output as it is."""

from skae._estimators.neighbor_code import NeighborCode
from skae._estimators.ordered_code import OrderedCode
from skae._estimators.parameters import estimator
from skae._estimators.supervised import Supervised


@estimator
class PlainCode(OrderedCode, NeighborCode, Supervised):
    """Parameters and attributes of autoencoders with a plain code."""
