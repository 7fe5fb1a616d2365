"""Autoencoders as scikit-learn estimators, trained by skorch on PyTorch."""

from skae._autoencoder import Autoencoder
from skae._convolutional import ConvAutoencoder
from skae._denoising import DenoisingAutoencoder
from skae._ensemble import EnsembleAutoencoder
from skae._halving import BatchedHalvingGridSearchCV
from skae._image_to_image import ImageToImageRegressor
from skae._many import fit_many
from skae._outlier import OutlierDetector
from skae._recurrent import RecurrentAutoencoder
from skae._search import BatchedGridSearchCV, BatchedRandomizedSearchCV
from skae._sparse import SparseAutoencoder
from skae._tabular import TabularAutoencoder
from skae._translator import Seq2SeqTranslator
from skae._typicality import TabularTypicality
from skae._variational import VariationalAutoencoder

__all__ = [
    "Autoencoder",
    "BatchedGridSearchCV",
    "BatchedHalvingGridSearchCV",
    "BatchedRandomizedSearchCV",
    "ConvAutoencoder",
    "DenoisingAutoencoder",
    "EnsembleAutoencoder",
    "ImageToImageRegressor",
    "OutlierDetector",
    "RecurrentAutoencoder",
    "Seq2SeqTranslator",
    "SparseAutoencoder",
    "TabularAutoencoder",
    "TabularTypicality",
    "VariationalAutoencoder",
    "fit_many",
]

__version__ = "0.1.0.dev0"
