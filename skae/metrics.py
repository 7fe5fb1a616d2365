"""Scores of predicted images and translations, for `sklearn.metrics.make_scorer`."""

from skae._image_metrics import psnr_score, ssim_score
from skae._text_metrics import bleu_score, chrf_score

__all__ = ["bleu_score", "chrf_score", "psnr_score", "ssim_score"]
