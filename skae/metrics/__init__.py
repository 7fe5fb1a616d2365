"""Scores of predicted images and texts, for `sklearn.metrics.make_scorer`, and of anomaly maps."""

from skae.metrics._anomalies import pro_score
from skae.metrics._images import colorfulness, ms_ssim_score, psnr_score, ssim_score
from skae.metrics._texts import bleu_score, chrf_score, exact_match_score

__all__ = [
    "bleu_score",
    "chrf_score",
    "colorfulness",
    "exact_match_score",
    "ms_ssim_score",
    "pro_score",
    "psnr_score",
    "ssim_score",
]
