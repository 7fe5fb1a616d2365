"""Autoencoders as scikit-learn estimators, trained by skorch on PyTorch."""

from skae._autoencoder import Autoencoder

__all__ = ["Autoencoder"]

__version__ = "0.1.0.dev0"
