"""Autoencoders as scikit-learn estimators, trained by skorch on PyTorch."""

from skae._estimators.autoencoder import Autoencoder
from skae._estimators.compressive import CompressiveAutoencoder
from skae._estimators.convolutional import ConvAutoencoder
from skae._estimators.denoising import DenoisingAutoencoder
from skae._estimators.ensemble import EnsembleAutoencoder
from skae._estimators.image_to_image import ImageToImageRegressor
from skae._estimators.pooling import pool_estimates
from skae._estimators.recurrent import RecurrentAutoencoder
from skae._estimators.sparse import SparseAutoencoder
from skae._estimators.tabular import TabularAutoencoder
from skae._estimators.tabular_imputer import TabularImputer
from skae._estimators.variational import VariationalAutoencoder
from skae._model_selection.fit_many import fit_many
from skae._model_selection.grid import BatchedGridSearchCV, BatchedRandomizedSearchCV
from skae._model_selection.halving import BatchedHalvingGridSearchCV
from skae._model_selection.optuna_search import BatchedOptunaSearchCV
from skae._onnx.exporting import onnx_input, to_onnx
from skae._outliers.detector import OutlierDetector
from skae._outliers.image_scorer import ImageOutlierScorer
from skae._outliers.scorer import TabularOutlierScorer
from skae._persistence.apply_to_files import apply_to_files
from skae._persistence.files import load, save
from skae._persistence.registry import register
from skae._series.detector import SeriesOutlierDetector
from skae._series.streaming import StreamingThreshold
from skae._text.translator import Seq2SeqTranslator
from skae._training.checkpoint_file import Checkpoint

__all__ = [
    "Autoencoder",
    "BatchedGridSearchCV",
    "BatchedHalvingGridSearchCV",
    "BatchedOptunaSearchCV",
    "BatchedRandomizedSearchCV",
    "Checkpoint",
    "CompressiveAutoencoder",
    "ConvAutoencoder",
    "DenoisingAutoencoder",
    "EnsembleAutoencoder",
    "ImageOutlierScorer",
    "ImageToImageRegressor",
    "OutlierDetector",
    "RecurrentAutoencoder",
    "Seq2SeqTranslator",
    "SeriesOutlierDetector",
    "SparseAutoencoder",
    "StreamingThreshold",
    "TabularAutoencoder",
    "TabularImputer",
    "TabularOutlierScorer",
    "VariationalAutoencoder",
    "apply_to_files",
    "fit_many",
    "load",
    "onnx_input",
    "pool_estimates",
    "register",
    "save",
    "to_onnx",
]

__version__ = "0.1.0.dev0"
