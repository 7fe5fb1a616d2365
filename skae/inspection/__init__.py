"""Displays of what a model has learned and found, by scikit-learn's rules."""

from skae.inspection._attention import AttentionDisplay
from skae.inspection._components import ComponentsDisplay
from skae.inspection._fidelity import FidelityDisplay
from skae.inspection._latent_space import LatentSpaceDisplay
from skae.inspection._latent_traversal import LatentTraversalDisplay
from skae.inspection._loss_curve import LossCurveDisplay
from skae.inspection._outlier_explanation import OutlierExplanationDisplay
from skae.inspection._outlier_score import OutlierScoreDisplay
from skae.inspection._reconstruction import ReconstructionDisplay
from skae.inspection._series_score import SeriesScoreDisplay

__all__ = [
    "AttentionDisplay",
    "ComponentsDisplay",
    "FidelityDisplay",
    "LatentSpaceDisplay",
    "LatentTraversalDisplay",
    "LossCurveDisplay",
    "OutlierExplanationDisplay",
    "OutlierScoreDisplay",
    "ReconstructionDisplay",
    "SeriesScoreDisplay",
]
