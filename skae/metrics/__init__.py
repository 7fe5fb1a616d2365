"""Scores of predicted images and texts, of anomalies, of generated tables, and of codes."""

from skae.metrics._anomalies import pro_score
from skae.metrics._disentanglement import mutual_information_gap
from skae.metrics._fidelity import FidelityReport, fidelity_report
from skae.metrics._images import colorfulness, ms_ssim_score, psnr_score, ssim_score
from skae.metrics._series_ranges import range_f1_score, range_precision_score, range_recall_score
from skae.metrics._series_volume import vus_pr_score, vus_roc_score
from skae.metrics._texts import bleu_score, chrf_score, exact_match_score

__all__ = [
    "FidelityReport",
    "bleu_score",
    "chrf_score",
    "colorfulness",
    "exact_match_score",
    "fidelity_report",
    "ms_ssim_score",
    "mutual_information_gap",
    "pro_score",
    "psnr_score",
    "range_f1_score",
    "range_precision_score",
    "range_recall_score",
    "ssim_score",
    "vus_pr_score",
    "vus_roc_score",
]
